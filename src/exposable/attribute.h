/* One declared attribute: is the declaration sound, is a value fit for it, reading and writing its memory.
 * Not who may; that is view.c. Read next: exposable_priv.h.
 * SPDX-License-Identifier: MIT */
#ifndef EXPOSABLE_ATTRIBUTE_H
#define EXPOSABLE_ATTRIBUTE_H

#include <meshwork/exposable.h>

#define ATTRIBUTES_MAX ((size_t)1 << 20)

struct name_table;
/* Check a whole table (mw_attributes_check) and fill names with it. names: empty; cleared on failure. */
int attribute_table_check(const mw_attribute *attributes, size_t count, size_t object_bytes, struct name_table *names,
                          struct mw_error *ret_error);

/* What is wrong with a declaration as far as values go: kind, range, choices, max_bytes; NULL: nothing. */
const char *attribute_value_fault(const mw_attribute *a);

/* Check a value that someone wants to set, and bring it into the attribute's own kind.
 *
 * ret      returned owned
 * returns  0; -EINVAL with a reason that begins with the attribute's name; -ENOMEM, also where given is MW_MISSING
 */
int attribute_accept(const mw_attribute *a, mw_value borrows_given, mw_value *ret, struct mw_error *ret_error);

/* Write an accepted value, by the setter or into the field. 0, or what the setter returned, with a reason. */
int attribute_store(const mw_attribute *a, void *object, mw_value borrows_accepted, struct mw_error *ret_error);

/* Read the value as it is now, by the getter or from the field; checked, so that it can go out.
 *
 * ret      returned owned
 * returns  0; -EIO what was read cannot go out; -ENOMEM; what the getter returned; with a reason
 */
int attribute_load(const mw_attribute *a, const void *object, mw_value *ret, struct mw_error *ret_error);

/* Whether a field still has the value seen, found without allocating; false for what has a getter. */
bool attribute_is_same(const mw_attribute *a, const void *object, const mw_value *seen);

#endif
