/* JSON text to mw_value and back (RFC 8259), with the limits built in.
 * Not the message protocol; that is in src/app/. Read next: value.h.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_JSON_H
#define MESHWORK_JSON_H

#include <meshwork/value.h>

MW_BEGIN_DECLS

/* Bounds on what a peer may make us hold. Zero in a field means its default. */
struct mw_json_limits {
    size_t depth;        /* 1 to 64, default 64 levels of [ and { */
    size_t tokens;       /* default 65,536 values and keys */
    size_t keys;         /* default 4,096 per object */
    size_t key_bytes;    /* default 256 */
    size_t number_bytes; /* default 256 */
};

/* Parse one JSON text, nothing but white space after it.
 *
 * limits    may be NULL for the defaults
 * ret       returned owned; untouched on failure
 * returns   0; -EPROTO malformed, -EMSGSIZE over a limit, -ENOMEM; ret_error says where (line, column)
 * context   any thread; iterative, never recurses
 *
 * Strict UTF-8; lone surrogates refused; duplicate keys: the last wins, as in JSON.parse. A number
 * without fraction and exponent that fits int64 becomes MW_INT, any other MW_REAL; out of double's
 * range is malformed.
 */
MW_EXPORT MW_MUST_USE int mw_json_parse(const char *text, size_t byte_count, const struct mw_json_limits *limits,
                                        mw_value *ret, struct mw_error *ret_error);

/* Print a value as JSON, without white space.
 *
 * returns  a text value, returned owned; MW_MISSING when memory ran out or a value has no JSON
 *          form (opaque, nested deeper than 64 levels)
 * context  any thread; iterative
 *
 * Reals print in the shortest form that reads back the same, NaN and infinities as null; bytes print
 * as base64 text. Valid UTF-8 stays as it is; control characters are escaped.
 */
MW_EXPORT mw_value mw_json_print(mw_value borrows);

MW_END_DECLS

#endif
