/* What may leave an attribute: its kind, valid text, nothing opaque; and the two forms of a large int.
 * Not what may come in; that is accept.c. Read next: outgoing.c.
 * SPDX-License-Identifier: MIT */
#ifndef EXPOSABLE_OUTGOING_H
#define EXPOSABLE_OUTGOING_H

#include <meshwork/exposable.h>

/* Whether its cells are floats. */
static inline bool outgoing_is_float(const mw_attribute *a)
{
    return a->kind == MW_REAL && (a->element_bytes > 0 ? a->element_bytes : a->field_bytes) == sizeof(float);
}
/* An int that leaves as a number: within +-2^53, where a double counts each one. */
static inline bool outgoing_is_exact(int64_t number)
{
    const int64_t most = (int64_t)1 << 53;

    return number >= -most && number <= most;
}

/* Levels of lists and maps that can go out: those of JSON's limits. */
#define OUTGOING_DEPTH 64

/* Check what was read from an attribute, and bring an int into a real where the kind is real, or back.
 * returns 0; -EIO with a reason that begins with the attribute's name; -ENOMEM it is MW_MISSING */
int outgoing_check(const mw_attribute *a, mw_value *io_value, struct mw_error *ret_error);

/* An unsigned number as a value: an int, above INT64_MAX a text of its digits. */
mw_value outgoing_uint(uint64_t number);
/* Read a text of canonical decimal digits ("-12"; not "012", "+1", "-0"). Both fail with -EINVAL, also when it does not fit. */
int outgoing_uint_parse(const mw_value *text, uint64_t *ret);
int outgoing_int_parse(const mw_value *text, int64_t *ret);

#endif
