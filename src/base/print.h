/* Values as JSON text, into a buffer: what mw_format, mw_json_print and the server's answers print with.
 * Not parsing; that is codec/json.c.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_PRINT_H
#define BASE_PRINT_H

#include <meshwork/value.h>

#include "base/buffer.h"

/* Levels of lists and maps that print; deeper is -EMSGSIZE. */
enum { MW_PRINT_DEPTH = 64 };

/* Append a value as JSON (RFC 8259), without white space.
 * returns 0; -EINVAL opaque or missing, -EMSGSIZE too deep or over the buffer's limit, -ENOMEM. What was appended before
 *         a failure stays: the caller knows the count it had. Iterative. */
MW_EXPORT int mw_print_json(struct mw_buffer *b, mw_value borrows);
/* Append a text as a JSON string with its quotes. Bytes that are no UTF-8 print as U+FFFD. */
MW_EXPORT int mw_print_json_text(struct mw_buffer *b, const char *text, size_t byte_count);
/* Append an integer, and a real in the shortest form that reads back the same (NaN, infinities: null). */
MW_EXPORT int mw_print_int(struct mw_buffer *b, int64_t i);
MW_EXPORT int mw_print_real(struct mw_buffer *b, double d);

#endif
