/* What may leave an attribute: its kind, valid text, nothing opaque; and the two forms of a large int.
 * Not what may come in; that is accept.c. Read next: accept.c.
 * SPDX-License-Identifier: MIT */
#include "exposable/outgoing.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "exposable/field.h"

/* ---- large ints ---------------------------------------------------------------------------------- */
mw_value outgoing_uint(uint64_t number)
{
    char digits[20]; /* of 18446744073709551615 */
    size_t at = sizeof(digits);

    if (number <= INT64_MAX)
        return mw_int((int64_t)number);
    for (; number > 0; number /= 10)
        digits[--at] = (char)('0' + number % 10);
    return mw_text_n(digits + at, sizeof(digits) - at);
}

static int digits_parse(const char *text, size_t byte_count, uint64_t *ret)
{
    uint64_t number = 0;
    size_t i;

    if (byte_count == 0 || byte_count > 20 || (text[0] == '0' && byte_count > 1))
        return -EINVAL;
    for (i = 0; i < byte_count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
            return -EINVAL;
    }
    *ret = number;
    return 0;
}

int outgoing_uint_parse(const mw_value *value, uint64_t *ret)
{
    size_t byte_count = 0;
    const char *text = mw_get_text(value, &byte_count);

    return text ? digits_parse(text, byte_count, ret) : -EINVAL;
}

int outgoing_int_parse(const mw_value *value, int64_t *ret)
{
    size_t byte_count = 0;
    const char *text = mw_get_text(value, &byte_count);
    const bool is_negative = text && byte_count > 0 && text[0] == '-';
    uint64_t number = 0;
    int err = text ? digits_parse(text + is_negative, byte_count - is_negative, &number) : -EINVAL;

    if (err < 0 || (is_negative && number == 0) || number > (uint64_t)INT64_MAX + is_negative)
        return -EINVAL;
    *ret = is_negative ? (int64_t)(0 - number) : (int64_t)number;
    return 0;
}

/* The double that is written as the shortest decimal which reads back as this float: 0.1, where a float of 0.1 is 0.10000000149011612. With 5 digits or 6,
 * then one more at a time; nine are always enough. Powers of ten up to 22 are exact, so both the integer and what it stands for are right. */
static double float_wire(double value)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const float wanted = (float)value;
    const double size = value < 0 ? -value : value;
    uint32_t bits;
    int digits, first; /* place of the first digit, or one below */

    memcpy(&bits, &wanted, sizeof(bits));
    first = (((int)(bits >> 23 & 255) - 127) * 1233) >> 12; /* 1233 / 4096 is log10(2), a little less */
    if ((double)wanted != value || size < 1e-13 || size > 1e17)
        return value; /* it is none, or its digits do not matter */
    for (digits = 5; digits <= 9; digits++) {
        const int scale = digits - 1 - first;
        const double whole = (double)(int64_t)((scale >= 0 ? size * powers[scale] : size / powers[-scale]) + 0.5);
        const double shorter = scale >= 0 ? whole / powers[scale] : whole * powers[-scale];

        if ((float)shorter == (value < 0 ? -wanted : wanted))
            return value < 0 ? -shorter : shorter;
    }
    return value;
}

static mw_value list_wire(const mw_attribute *attribute, mw_value list)
{
    mw_attribute cell = *attribute;
    mw_value wire = mw_list_new();
    size_t i;

    cell.element_bytes = 0;
    cell.field_bytes = attribute->element_bytes;
    for (i = 0; i < mw_list_count(list); i++)
        if (mw_list_append(&wire, mw_attribute_wire(&cell, *mw_list_at(list, i))) < 0) {
            mw_release(wire);
            return (mw_value){.kind = MW_MISSING};
        }
    return wire;
}

mw_value mw_attribute_wire(const mw_attribute *attribute, mw_value borrows)
{
    if (attribute->element_bytes > 0 && (attribute->kind == MW_INT || outgoing_is_float(attribute)) && mw_kind_of(borrows) == MW_LIST)
        return list_wire(attribute, borrows);
    if (outgoing_is_float(attribute) && mw_kind_of(borrows) == MW_REAL)
        return mw_real(float_wire(borrows.as.real));
    if (attribute->kind == MW_INT && mw_kind_of(borrows) == MW_INT && !outgoing_is_exact(borrows.as.integer))
        return mw_format("{}", borrows);
    return mw_share(borrows);
}

/* ---- nothing that cannot be JSON -------------------------------------------------------------------- */
/* Why one value, without what is inside it, cannot go out; NULL: it can. */
static const char *plain_fault(const mw_value *value)
{
    size_t byte_count = 0;
    const char *text;

    if (mw_kind_of(*value) == MW_OPAQUE)
        return "holds a pointer";
    if (mw_kind_of(*value) == MW_MISSING)
        return "holds nothing: memory ran out";
    if (mw_kind_of(*value) != MW_TEXT)
        return NULL;
    text = mw_get_text(value, &byte_count);
    return mw_utf8_is_valid(text, byte_count) ? NULL : "holds bytes that are no UTF-8";
}

/* A list or map that is being gone through. */
struct level {
    const mw_value *container;
    size_t next;
};

/* The next element of a level; NULL: there is none left. Sets *ret_fault when its key is the trouble. */
static const mw_value *level_next(struct level *level, const char **ret_fault)
{
    const mw_value *key = NULL;
    const mw_value *element;

    if (mw_kind_of(*level->container) == MW_LIST)
        return mw_list_at(*level->container, level->next++);
    element = mw_map_at(*level->container, level->next++, &key);
    if (element && key)
        *ret_fault = plain_fault(key);
    return element;
}

/* Why a value, with all inside it, cannot go out; NULL: it can. Never recurses. */
static const char *deep_fault(const mw_value *value)
{
    struct level levels[OUTGOING_DEPTH];
    const char *fault = plain_fault(value);
    size_t depth = 0;

    while (!fault) {
        if (mw_kind_of(*value) == MW_LIST || mw_kind_of(*value) == MW_MAP) {
            if (depth == OUTGOING_DEPTH)
                return "is nested deeper than 64 levels";
            levels[depth++] = (struct level){value, 0};
        }
        value = NULL;
        while (depth > 0 && !value && !fault) {
            value = level_next(&levels[depth - 1], &fault);
            if (!value)
                depth--;
        }
        if (!value || fault)
            return fault;
        fault = plain_fault(value);
    }
    return fault;
}

/* Bring a number into the declared kind where nothing is lost. */
static void number_convert(const mw_attribute *a, mw_value *io_value)
{
    int64_t integer;
    double real;

    if (a->kind == MW_REAL && mw_kind_of(*io_value) == MW_INT && mw_get_real(*io_value, &real) == 0)
        *io_value = mw_real(real);
    else if (a->kind == MW_INT && mw_kind_of(*io_value) == MW_REAL && mw_get_int(*io_value, &integer) == 0)
        *io_value = mw_int(integer);
}

/* A value that is not of the declared kind. */
static int kind_fault(const mw_attribute *a, mw_value value, struct mw_error *ret_error)
{
    if (field_is_enum(a) && !a->get && mw_kind_of(value) == MW_INT)
        return mw_fail(ret_error, -EIO, "%s: holds %lld, and none of its choices has that number", a->name,
                       (long long)value.as.integer);
    return mw_fail(ret_error, -EIO, "%s: %s a value of kind %s, declared is %s", a->name,
                   a->get ? "its getter gave" : "its field holds", mw_kind_name(mw_kind_of(value)), mw_kind_name(a->kind));
}

static int cell_check(const mw_attribute *a, mw_value *io_value, struct mw_error *ret_error)
{
    enum mw_kind kind = mw_kind_of(*io_value);
    const char *fault;
    uint64_t number;

    if (kind == MW_MISSING)
        return mw_fail(ret_error, -ENOMEM, "%s: out of memory", a->name);
    if (kind != a->kind)
        number_convert(a, io_value);
    kind = mw_kind_of(*io_value);
    if (kind != a->kind && kind != MW_NULL && !(field_is_unsigned(a) && outgoing_uint_parse(io_value, &number) == 0))
        return kind_fault(a, *io_value, ret_error);
    fault = deep_fault(io_value);
    return fault ? mw_fail(ret_error, -EIO, "%s: %s", a->name, fault) : 0;
}

/* A list of as many as the array has, each checked; made anew, for one may become another. */
static int array_check(const mw_attribute *a, mw_value *io_value, struct mw_error *ret_error)
{
    const size_t count = a->field_bytes / a->element_bytes;
    mw_value list = mw_list_new(), element;
    size_t i;
    int err = 0;

    if (mw_kind_of(*io_value) != MW_LIST || mw_list_count(*io_value) != count)
        return mw_fail(ret_error, -EIO, "%s: its getter gave no list of %zu", a->name, count);
    for (i = 0; i < count && err == 0; i++) {
        element = mw_share(*mw_list_at(*io_value, i));
        err = cell_check(a, &element, ret_error);
        if (err < 0)
            mw_release(element);
        else if (mw_list_append(&list, element) < 0)
            err = mw_fail(ret_error, -ENOMEM, "%s: out of memory", a->name);
    }
    if (err < 0) {
        mw_release(list);
        return err;
    }
    mw_release(*io_value);
    *io_value = list;
    return 0;
}

int outgoing_check(const mw_attribute *a, mw_value *io_value, struct mw_error *ret_error)
{
    enum mw_kind kind = mw_kind_of(*io_value);

    if (a->element_bytes > 0 && kind != MW_NULL && kind != MW_MISSING)
        return array_check(a, io_value, ret_error);
    return cell_check(a, io_value, ret_error);
}
