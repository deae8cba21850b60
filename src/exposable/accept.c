/* Which values are fit for an attribute: kind, width, range, room.
 * Not who may set it; that is view.c. Read next: decision.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "exposable/attribute.h"
#include "exposable/field.h"
#include "exposable/outgoing.h"

/* ---- range: a double's bounds around exact ints ----------------------------------------------------- */
static bool int_is_below(int64_t v, double bound)
{
    int64_t whole;

    if (bound >= 0x1p63)
        return true;
    if (bound <= -0x1p63)
        return false;
    whole = (int64_t)bound; /* towards zero; exact as a double again */
    return v != whole ? v < whole : (double)whole < bound;
}

static bool int_is_above(int64_t v, double bound)
{
    int64_t whole;

    if (bound >= 0x1p63)
        return false;
    if (bound < -0x1p63)
        return true;
    whole = (int64_t)bound;
    return v != whole ? v > whole : (double)whole > bound;
}

/* The same for numbers above INT64_MAX: all doubles up there are whole. */
static bool uint_is_below(uint64_t v, double bound)
{
    return bound >= 0x1p64 || (bound > 0x1p63 && v < (uint64_t)bound);
}

static bool uint_is_above(uint64_t v, double bound)
{
    return bound < 0x1p64 && (bound < 0x1p63 || v > (uint64_t)bound);
}

static int range_failed(const mw_attribute *a, struct mw_error *ret_error)
{
    return mw_fail(ret_error, -EINVAL, "%s: not within %.15g to %.15g%s%s", a->name, a->range.min, a->range.max,
                   a->unit ? " " : "", a->unit ? a->unit : "");
}

/* ---- kinds ------------------------------------------------------------------------------------------- */
static int kind_failed(const mw_attribute *a, mw_value given, struct mw_error *ret_error)
{
    return mw_fail(ret_error, -EINVAL, "%s: %s given, %s wanted", a->name, mw_kind_name(mw_kind_of(given)),
                   mw_kind_name(a->kind));
}

/* How many bits an int attribute has: 64 where it has no field. */
static unsigned int_bits(const mw_attribute *a)
{
    return a->field_bytes > 0 ? 8 * field_cell_bytes(a) : 64;
}

/* What is allowed, as far as a reason has room. */
static int choice_failed(const mw_attribute *a, struct mw_error *ret_error)
{
    char allowed[160];
    size_t i, used = 0;

    for (i = 0; i < a->choice_count && used < sizeof(allowed); i++) {
        const char *comma = i > 0 ? ", " : "";
        int more = a->kind == MW_INT ? snprintf(allowed + used, sizeof(allowed) - used, "%s%lld", comma,
                                                (long long)a->choices[i].number)
                                     : snprintf(allowed + used, sizeof(allowed) - used, "%s%s", comma, a->choices[i].name);

        used += more > 0 ? (size_t)more : 0;
    }
    if (used >= sizeof(allowed))
        return mw_fail(ret_error, -EINVAL, "%s: none of its %zu choices", a->name, a->choice_count);
    return mw_fail(ret_error, -EINVAL, "%s: one of %s wanted", a->name, allowed);
}

static int width_failed(const mw_attribute *a, mw_value given, struct mw_error *ret_error)
{
    const char *article = int_bits(a) == 8 && !field_is_unsigned(a) ? "an" : "a";
    size_t byte_count = 0;
    const char *text = mw_get_text(&given, &byte_count);

    if (!text)
        return mw_fail(ret_error, -EINVAL, "%s: %lld does not fit %s %s%u-bit integer", a->name,
                       (long long)given.as.integer, field_is_unsigned(a) ? "an" : article, field_is_unsigned(a) ? "unsigned " : "",
                       int_bits(a));
    return mw_fail(ret_error, -EINVAL, "%s: the text given is no canonical decimal that fits %s %u-bit integer",
                   a->name, field_is_unsigned(a) ? "an unsigned" : "a", int_bits(a));
}

/* A text for a 64-bit int. *ret: an int, or the text itself where it is unsigned and above INT64_MAX. */
static int int_text_accept(const mw_attribute *a, mw_value given, mw_value *ret, struct mw_error *ret_error)
{
    uint64_t large = 0;
    int64_t integer = 0;

    if (outgoing_int_parse(&given, &integer) == 0 && !(field_is_unsigned(a) && integer < 0)) {
        *ret = mw_int(integer);
        return 0;
    }
    if (!field_is_unsigned(a) || outgoing_uint_parse(&given, &large) < 0)
        return width_failed(a, given, ret_error);
    if (a->range.is_set && (uint_is_below(large, a->range.min) || uint_is_above(large, a->range.max)))
        return range_failed(a, ret_error);
    *ret = given;
    return 0;
}

static int int_accept(const mw_attribute *a, mw_value given, mw_value *ret, struct mw_error *ret_error)
{
    const unsigned bits = int_bits(a);
    const int64_t largest = bits == 64 ? INT64_MAX : (INT64_C(1) << (bits - !field_is_unsigned(a))) - 1;
    const int64_t smallest = field_is_unsigned(a) ? 0 : -largest - 1;
    int64_t integer = 0;
    int err;

    if (mw_kind_of(given) == MW_TEXT && bits == 64) {
        mw_value read = mw_null();

        err = int_text_accept(a, given, &read, ret_error);
        if (err < 0)
            return err;
        *ret = given = read;
        if (mw_kind_of(read) == MW_TEXT)
            return 0;
    }
    if (mw_get_int(given, &integer) < 0)
        return mw_kind_of(given) == MW_REAL
                   ? mw_fail(ret_error, -EINVAL, "%s: %.17g is no integer within +-2^53", a->name, given.as.real)
                   : kind_failed(a, given, ret_error);
    *ret = mw_int(integer);
    if (integer < smallest || integer > largest)
        return width_failed(a, *ret, ret_error);
    if (a->range.is_set && (int_is_below(integer, a->range.min) || int_is_above(integer, a->range.max)))
        return range_failed(a, ret_error);
    if (a->choice_count > 0 && !field_choice_numbered(a, integer))
        return choice_failed(a, ret_error);
    return 0;
}

static int real_accept(const mw_attribute *a, mw_value given, mw_value *ret, struct mw_error *ret_error)
{
    const bool is_float = field_cell_bytes(a) == sizeof(float);
    const double too_large = 0x1.ffffffp127; /* FLT_MAX and half a step: the first that rounds to infinity */
    double real = 0;

    if (mw_get_real(given, &real) < 0)
        return kind_failed(a, given, ret_error);
    if (!(real >= -DBL_MAX && real <= DBL_MAX))
        return mw_fail(ret_error, -EINVAL, "%s: not a finite number", a->name);
    if (is_float && (real <= -too_large || real >= too_large))
        return mw_fail(ret_error, -EINVAL, "%s: %.17g does not fit a float", a->name, real);
    if (a->range.is_set && (real < a->range.min || real > a->range.max))
        return range_failed(a, ret_error);
    *ret = mw_real(real);
    return 0;
}

static int text_choice_accept(const mw_attribute *a, mw_value given, mw_value *ret, struct mw_error *ret_error)
{
    size_t byte_count = 0;
    const char *text = mw_get_text(&given, &byte_count);

    if (!field_choice_named(a, text, byte_count))
        return choice_failed(a, ret_error);
    *ret = given;
    return 0;
}

/* Of a text or of bytes: a field that grows has a bound of its own. */
static uint32_t bytes_allowed(const mw_attribute *a)
{
    if (a->max_bytes > 0)
        return a->max_bytes;
    return field_is_value(a) ? MW_VALUE_FIELD_BYTES : UINT32_MAX;
}

static int bytes_accept(const mw_attribute *a, mw_value given, mw_value *ret, struct mw_error *ret_error)
{
    size_t byte_count = 0;

    if (!mw_get_text(&given, &byte_count) || mw_kind_of(given) != MW_BYTES)
        return kind_failed(a, given, ret_error);
    if (byte_count > bytes_allowed(a))
        return mw_fail(ret_error, -EINVAL, "%s: %zu bytes are more than %u", a->name, byte_count, bytes_allowed(a));
    *ret = given;
    return 0;
}

/* What a letter of base64 (RFC 4648 §4) stands for; -1: it is none. */
static int base64_bits(unsigned char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

/* Four letters at a time, the last four perhaps filled up with one or two '='. Only what print would write is taken.
 * out  room for byte_count / 4 * 3
 * returns  how many bytes; -EINVAL */
static int64_t base64_parse(const char *text, size_t byte_count, unsigned char *out)
{
    size_t padding = 0, i, used = 0;
    uint32_t bits = 0;

    while (padding < 2 && padding < byte_count && text[byte_count - 1 - padding] == '=')
        padding++;
    if (byte_count % 4 != 0)
        return -EINVAL;
    for (i = 0; i < byte_count; i++) {
        int more = i < byte_count - padding ? base64_bits((unsigned char)text[i]) : 0;

        if (more < 0)
            return -EINVAL;
        bits = bits << 6 | (uint32_t)more;
        if (i % 4 != 3)
            continue;
        out[used++] = (unsigned char)(bits >> 16);
        out[used++] = (unsigned char)(bits >> 8);
        out[used++] = (unsigned char)bits;
        bits = 0;
    }
    for (i = 0; i < padding; i++)
        if (out[--used] != 0)
            return -EINVAL;
    return (int64_t)used;
}

/* JSON has no bytes: a text in base64 stands for them. */
static int bytes_text_accept(const mw_attribute *a, mw_value given, mw_value *ret, struct mw_error *ret_error)
{
    size_t byte_count = 0;
    const char *text = mw_get_text(&given, &byte_count);
    unsigned char *bytes;
    mw_value value;
    int64_t count;
    int err;

    if (byte_count / 4 * 3 > (size_t)bytes_allowed(a) + 2)
        return mw_fail(ret_error, -EINVAL, "%s: %zu bytes are more than %u", a->name, byte_count / 4 * 3, bytes_allowed(a));
    bytes = mw_alloc(byte_count / 4 * 3 + 1);
    if (!bytes)
        return mw_fail(ret_error, -ENOMEM, "%s: out of memory", a->name);
    count = base64_parse(text, byte_count, bytes);
    value = count < 0 ? mw_null() : mw_bytes(bytes, (size_t)count);
    mw_free(bytes);
    if (count < 0)
        return mw_fail(ret_error, -EINVAL, "%s: the text given is no base64 (RFC 4648 §4)", a->name);
    if (mw_kind_of(value) == MW_MISSING)
        return mw_fail(ret_error, -ENOMEM, "%s: out of memory", a->name);
    err = bytes_accept(a, value, ret, ret_error);
    if (err < 0)
        mw_release(value);
    return err;
}

static int text_accept(const mw_attribute *a, mw_value given, mw_value *ret, struct mw_error *ret_error)
{
    const bool is_chars = a->field_bytes > 0 && !field_is_value(a);
    const uint32_t largest = bytes_allowed(a);
    size_t byte_count = 0;
    const char *text = mw_get_text(&given, &byte_count);

    if (!text || mw_kind_of(given) != MW_TEXT)
        return kind_failed(a, given, ret_error);
    if (a->choice_count > 0)
        return text_choice_accept(a, given, ret, ret_error);
    if (is_chars && byte_count >= field_cell_bytes(a))
        return mw_fail(ret_error, -EINVAL, "%s: %zu bytes do not fit, there is room for %u", a->name, byte_count,
                       field_cell_bytes(a) - 1);
    if (byte_count > largest)
        return mw_fail(ret_error, -EINVAL, "%s: %zu bytes are more than %u", a->name, byte_count, largest);
    if (is_chars && memchr(text, '\0', byte_count))
        return mw_fail(ret_error, -EINVAL, "%s: a NUL cannot be inside", a->name);
    if (!mw_utf8_is_valid(text, byte_count))
        return mw_fail(ret_error, -EINVAL, "%s: the text is no UTF-8", a->name);
    *ret = given;
    return 0;
}

/* One cell. *ret: borrowed from given, or without heap content. */
static int cell_accept(const mw_attribute *a, mw_value given, mw_value *ret, struct mw_error *ret_error)
{
    if (a->kind == MW_INT)
        return int_accept(a, given, ret, ret_error);
    if (a->kind == MW_REAL)
        return real_accept(a, given, ret, ret_error);
    if (a->kind == MW_TEXT)
        return text_accept(a, given, ret, ret_error);
    if (a->kind == MW_BYTES)
        return bytes_accept(a, given, ret, ret_error);
    if (mw_kind_of(given) != a->kind)
        return kind_failed(a, given, ret_error);
    *ret = given;
    return 0;
}

/* All elements of an array at once: as many as it has. */
static int array_accept(const mw_attribute *a, mw_value given, mw_value *ret, struct mw_error *ret_error)
{
    const size_t count = a->field_bytes / a->element_bytes;
    mw_value list = mw_list_new(), element = mw_null();
    size_t i;
    int err = 0;

    if (mw_kind_of(given) != MW_LIST || mw_list_count(given) != count)
        return mw_fail(ret_error, -EINVAL, "%s: a list of %zu wanted", a->name, count);
    for (i = 0; i < count && err == 0; i++) {
        err = cell_accept(a, *mw_list_at(given, i), &element, ret_error);
        if (err == 0 && mw_list_append(&list, mw_share(element)) < 0)
            err = mw_fail(ret_error, -ENOMEM, "%s: out of memory", a->name);
    }
    if (err < 0) {
        mw_release(list);
        return err;
    }
    *ret = list;
    return 0;
}

int attribute_accept(const mw_attribute *a, mw_value given, mw_value *ret, struct mw_error *ret_error)
{
    mw_value accepted = mw_null();
    int err;

    if (mw_kind_of(given) == MW_MISSING)
        return mw_fail(ret_error, -ENOMEM, "%s: out of memory", a->name);
    if (a->element_bytes > 0)
        return array_accept(a, given, ret, ret_error);
    if (a->kind == MW_BYTES && mw_kind_of(given) == MW_TEXT)
        return bytes_text_accept(a, given, ret, ret_error);
    err = cell_accept(a, given, &accepted, ret_error);
    if (err == 0)
        *ret = mw_share(accepted);
    return err;
}

int mw_attribute_check(const mw_attribute *attribute, mw_value borrows, struct mw_error *ret_error)
{
    mw_value accepted = mw_null();
    int err;

    if (attribute->field_bytes == 0)
        return mw_fail(ret_error, -EROFS, "%s: has no field to record a value in", attribute->name);
    err = attribute_accept(attribute, borrows, &accepted, ret_error);
    mw_release(accepted);
    return err;
}
