/* The memory behind an attribute's field: reading, writing, comparing it. One cell, or an array of cells.
 * Not which values are fit; that is accept.c. Read next: attribute.c.
 * SPDX-License-Identifier: MIT */
#include "exposable/field.h"

#include <string.h>

#include "exposable/outgoing.h"

/* ---- choices ---------------------------------------------------------------------------------------- */
const mw_choice *field_choice_named(const mw_attribute *a, const char *name, size_t name_bytes)
{
    size_t i;

    for (i = 0; i < a->choice_count; i++)
        if (strlen(a->choices[i].name) == name_bytes && memcmp(a->choices[i].name, name, name_bytes) == 0)
            return &a->choices[i];
    return NULL;
}

const mw_choice *field_choice_numbered(const mw_attribute *a, int64_t number)
{
    size_t i;

    for (i = 0; i < a->choice_count; i++)
        if (a->choices[i].number == number)
            return &a->choices[i];
    return NULL;
}

/* ---- one cell ------------------------------------------------------------------------------------------
 * By memcpy: a packed struct's field may lie anywhere. A shared one is aligned, and other threads may write it. */
static const void *cell_bits(const mw_attribute *a, const void *cell, uint64_t *ret_bits)
{
    uint32_t bits32;
    uint16_t bits16;
    uint8_t bits8;

    if (!a->is_shared)
        return cell;
    switch (a->field_bytes) {
    case 1:
        bits8 = __atomic_load_n((const uint8_t *)cell, __ATOMIC_ACQUIRE);
        memcpy(ret_bits, &bits8, 1);
        break;
    case 2:
        bits16 = __atomic_load_n((const uint16_t *)cell, __ATOMIC_ACQUIRE);
        memcpy(ret_bits, &bits16, 2);
        break;
    case 4:
        bits32 = __atomic_load_n((const uint32_t *)cell, __ATOMIC_ACQUIRE);
        memcpy(ret_bits, &bits32, 4);
        break;
    default:
        *ret_bits = __atomic_load_n((const uint64_t *)cell, __ATOMIC_ACQUIRE);
    }
    return ret_bits;
}

/* Write a cell of 1, 2, 4 or 8 bytes. */
static void bits_store(const mw_attribute *a, void *cell, const void *bits)
{
    uint64_t copy = 0;
    uint32_t bits32;
    uint16_t bits16;
    uint8_t bits8;

    if (!a->is_shared) {
        memcpy(cell, bits, field_cell_bytes(a));
        return;
    }
    memcpy(&copy, bits, a->field_bytes);
    switch (a->field_bytes) {
    case 1:
        memcpy(&bits8, bits, 1);
        __atomic_store_n((uint8_t *)cell, bits8, __ATOMIC_RELEASE);
        break;
    case 2:
        memcpy(&bits16, bits, 2);
        __atomic_store_n((uint16_t *)cell, bits16, __ATOMIC_RELEASE);
        break;
    case 4:
        memcpy(&bits32, bits, 4);
        __atomic_store_n((uint32_t *)cell, bits32, __ATOMIC_RELEASE);
        break;
    default:
        __atomic_store_n((uint64_t *)cell, copy, __ATOMIC_RELEASE);
    }
}

static mw_value int_load(const mw_attribute *a, const void *cell)
{
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
    } copy;

    /* Copies of known size are one instruction each. */
    switch (field_cell_bytes(a)) {
    case 1:
        memcpy(&copy, cell, 1);
        return mw_int(field_is_unsigned(a) ? (int64_t)copy.u8 : (int64_t)copy.i8);
    case 2:
        memcpy(&copy, cell, 2);
        return mw_int(field_is_unsigned(a) ? (int64_t)copy.u16 : (int64_t)copy.i16);
    case 4:
        memcpy(&copy, cell, 4);
        return mw_int(field_is_unsigned(a) ? (int64_t)copy.u32 : (int64_t)copy.i32);
    default:
        memcpy(&copy, cell, 8);
        return field_is_unsigned(a) ? outgoing_uint(copy.u64) : mw_int(copy.i64);
    }
}

static void int_store(const mw_attribute *a, void *cell, mw_value accepted)
{
    uint64_t bits = (uint64_t)accepted.as.integer;
    const uint32_t bits32 = (uint32_t)bits;
    const uint16_t bits16 = (uint16_t)bits;
    const uint8_t bits8 = (uint8_t)bits;

    switch (field_cell_bytes(a)) {
    case 1:
        bits_store(a, cell, &bits8);
        break;
    case 2:
        bits_store(a, cell, &bits16);
        break;
    case 4:
        bits_store(a, cell, &bits32);
        break;
    default:
        /* A text is an unsigned number that no int64 holds; accept has checked it. */
        if (mw_kind_of(accepted) == MW_TEXT)
            (void)outgoing_uint_parse(&accepted, &bits);
        bits_store(a, cell, &bits);
    }
}

static mw_value real_load(const mw_attribute *a, const void *cell)
{
    double wide = 0;
    float narrow = 0;

    if (field_cell_bytes(a) == sizeof(wide)) {
        memcpy(&wide, cell, sizeof(wide));
        return mw_real(wide);
    }
    memcpy(&narrow, cell, sizeof(narrow));
    return mw_real((double)narrow);
}

static void real_store(const mw_attribute *a, void *cell, double value)
{
    float narrow = (float)value;

    if (field_cell_bytes(a) == sizeof(value))
        bits_store(a, cell, &value);
    else
        bits_store(a, cell, &narrow);
}

/* What lay behind the old text's end does not stay there. */
static void text_store(const mw_attribute *a, char *cell, const mw_value *accepted)
{
    size_t byte_count = 0;
    const char *text = mw_get_text(accepted, &byte_count);

    if (byte_count > 0)
        memcpy(cell, text, byte_count);
    memset(cell + byte_count, 0, field_cell_bytes(a) - byte_count);
}

static mw_value enum_load(const mw_attribute *a, const void *cell)
{
    mw_value number = int_load(a, cell);
    const mw_choice *choice = mw_kind_of(number) == MW_INT ? field_choice_numbered(a, number.as.integer) : NULL;

    return choice ? mw_text(choice->name) : number;
}

static void enum_store(const mw_attribute *a, void *cell, const mw_value *accepted)
{
    size_t byte_count = 0;
    const char *name = mw_get_text(accepted, &byte_count);
    const mw_choice *choice = name ? field_choice_named(a, name, byte_count) : NULL;

    if (choice) /* accept has seen to it */
        int_store(a, cell, mw_int(choice->number));
}

static void value_store(void *cell, mw_value accepted)
{
    mw_value before, after = mw_share(accepted);

    memcpy(&before, cell, sizeof(before));
    memcpy(cell, &after, sizeof(after));
    mw_release(before);
}

static mw_value cell_load(const mw_attribute *a, const void *cell)
{
    unsigned char byte;
    uint64_t bits = 0;
    mw_value value = mw_null();

    cell = cell_bits(a, cell, &bits);
    if (a->kind == MW_INT)
        return int_load(a, cell);
    if (a->kind == MW_REAL)
        return real_load(a, cell);
    if (field_is_value(a)) {
        memcpy(&value, cell, sizeof(value));
        return mw_share(value);
    }
    if (field_is_enum(a))
        return enum_load(a, cell);
    if (a->kind == MW_TEXT)
        return mw_text_n(cell, strnlen(cell, field_cell_bytes(a)));
    memcpy(&byte, cell, 1); /* a bool that is neither 0 nor 1 must not be read as one */
    return mw_bool(byte != 0);
}

static void cell_store(const mw_attribute *a, void *cell, const mw_value *accepted)
{
    if (a->kind == MW_INT)
        int_store(a, cell, *accepted);
    else if (a->kind == MW_REAL)
        real_store(a, cell, accepted->as.real);
    else if (field_is_value(a))
        value_store(cell, *accepted);
    else if (field_is_enum(a))
        enum_store(a, cell, accepted);
    else if (a->kind == MW_TEXT)
        text_store(a, cell, accepted);
    else
        bits_store(a, cell, &accepted->as.boolean);
}

static bool text_is_same(const mw_value *seen, const char *now, size_t now_bytes)
{
    size_t byte_count = 0;
    const char *text = mw_get_text(seen, &byte_count);

    return text && now_bytes == byte_count && memcmp(now, text, byte_count) == 0;
}

static bool cell_is_same(const mw_attribute *a, const void *cell, const mw_value *seen)
{
    const mw_choice *choice;
    mw_value value;
    bool is_same;

    if (field_is_value(a)) {
        memcpy(&value, cell, sizeof(value));
        return mw_equal(value, *seen);
    }
    if (a->kind == MW_TEXT && !field_is_enum(a))
        return text_is_same(seen, cell, strnlen(cell, field_cell_bytes(a)));
    if (a->kind == MW_TEXT) {
        value = int_load(a, cell);
        choice = mw_kind_of(value) == MW_INT ? field_choice_numbered(a, value.as.integer) : NULL;
        mw_release(value);
        return choice && text_is_same(seen, choice->name, strlen(choice->name));
    }
    value = cell_load(a, cell);
    if (mw_kind_of(value) == MW_INT && mw_kind_of(*seen) == MW_INT) /* most of them */
        return value.as.integer == seen->as.integer;
    is_same = mw_equal(value, *seen);
    mw_release(value); /* a large unsigned int is a text */
    return is_same;
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */
mw_value field_load(const mw_attribute *a, const void *object)
{
    const char *field = (const char *)object + a->offset;
    mw_value list;
    size_t at;

    if (a->element_bytes == 0)
        return cell_load(a, field);
    list = mw_list_new();
    for (at = 0; at < a->field_bytes; at += a->element_bytes)
        if (mw_list_append(&list, cell_load(a, field + at)) < 0) {
            mw_release(list);
            return (mw_value){.kind = MW_MISSING};
        }
    return list;
}

void field_store(const mw_attribute *a, void *object, mw_value borrows_accepted)
{
    char *field = (char *)object + a->offset;
    size_t i;

    if (a->element_bytes == 0) {
        cell_store(a, field, &borrows_accepted);
        return;
    }
    for (i = 0; i < mw_list_count(borrows_accepted); i++)
        cell_store(a, field + i * a->element_bytes, mw_list_at(borrows_accepted, i));
}

bool field_is_same(const mw_attribute *a, const void *object, const mw_value *seen)
{
    const char *field = (const char *)object + a->offset;
    size_t i;

    if (a->element_bytes == 0)
        return cell_is_same(a, field, seen);
    if (mw_list_count(*seen) != a->field_bytes / a->element_bytes)
        return false;
    for (i = 0; i < mw_list_count(*seen); i++)
        if (!cell_is_same(a, field + i * a->element_bytes, mw_list_at(*seen, i)))
            return false;
    return true;
}
