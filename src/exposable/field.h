/* The memory behind an attribute's field: reading, writing, comparing it. One cell, or an array of cells.
 * Not getters and setters; those are called in attribute.c. Read next: field.c.
 * SPDX-License-Identifier: MIT */
#ifndef EXPOSABLE_FIELD_H
#define EXPOSABLE_FIELD_H

#include <meshwork/exposable.h>

/* Bytes of one cell: of the field, or of an element where it is an array; 0: no field. */
static inline uint32_t field_cell_bytes(const mw_attribute *a)
{
    return a->element_bytes > 0 ? a->element_bytes : a->field_bytes;
}
/* What it is in C, atomic or not. */
static inline uint32_t field_class(const mw_attribute *a)
{
    return a->field_class & ~(uint32_t)MW_FIELD_ATOMIC;
}
/* Whether its cells are integers that stand for names. */
static inline bool field_is_enum(const mw_attribute *a)
{
    return a->kind == MW_TEXT && (field_class(a) == MW_FIELD_INTEGER || field_class(a) == MW_FIELD_UNSIGNED);
}
/* Whether its cells are unsigned: as it was declared, or as the compiler said. An enum's are what was declared, since C makes unsigned whatever has no
 * negative name. */
static inline bool field_is_unsigned(const mw_attribute *a)
{
    return a->is_unsigned || (a->kind == MW_INT && field_class(a) == MW_FIELD_UNSIGNED);
}
/* Whether it is an mw_value, which owns what it holds. */
static inline bool field_is_value(const mw_attribute *a)
{
    return field_class(a) == MW_FIELD_VALUE;
}

/* What the field holds: not checked. An enum's number that has no name comes as an int. returned owned; MW_MISSING out of memory */
mw_value field_load(const mw_attribute *a, const void *object);
/* Write an accepted value (accept.c). */
void field_store(const mw_attribute *a, void *object, mw_value borrows_accepted);
/* Whether it still holds the value seen, found without allocating (a 64-bit number above INT64_MAX excepted). */
bool field_is_same(const mw_attribute *a, const void *object, const mw_value *seen);

/* The choice of this name, of this number; NULL: none. */
const mw_choice *field_choice_named(const mw_attribute *a, const char *name, size_t name_bytes);
const mw_choice *field_choice_numbered(const mw_attribute *a, int64_t number);

#endif
