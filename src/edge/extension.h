/* permessage-deflate on the connections of an edge: agreed on at the upgrade, then messages made smaller on their way out
 * and large again on their way in.
 * Not deflate itself; that is codec/deflate.h. Read next: extension.c, stream.c.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_EXTENSION_H
#define EDGE_EXTENSION_H

#include <meshwork/value.h>

#include "codec/deflate.h"

/* What all connections of an edge share: without context a message needs a stream only while it is read or written. */
struct extensions;
/* options  copied. 0, -ENOMEM */
int extensions_open(const struct deflate_options *options, struct extensions **ret);
void extensions_free(struct extensions *all); /* accepts NULL */
/* At the end of a pass: give back what only this pass needed. */
void extensions_trim(struct extensions *all);

/* What one connection agreed on. */
struct extension;
/* Take the client's offer, if one can be met.
 *
 * ret_answer  for the 101; only with a result
 * returns     returned owned, extension_free; NULL: none was agreed on, or memory ran out */
struct extension *extension_agree(struct extensions *all, const struct http_request *request,
                                  char ret_answer[DEFLATE_ANSWER_BYTES]);
void extension_free(struct extension *x); /* accepts NULL */

/* Make a message smaller, where that helps.
 *
 * io_bytes, io_count  borrows the message; where the result is true the frame's payload instead, valid until the next call
 *                     for any connection of the edge
 * returns             whether it was: the frame then has RSV1 set */
bool extension_deflate(struct extensions *all, struct extension *x, const void **io_bytes, size_t *io_count);
/* Whether what it sends depends on what it sent before: then nobody else can be sent the same bytes. */
bool extension_keeps_context(const struct extension *x);
/* As extension_deflate for a text or bytes that many get: done once for all without context that agreed on the same window,
 * within a pass.
 * ret  borrowed until the end of the pass; where the result is true */
bool extension_deflate_shared(struct extensions *all, struct extension *x, mw_value borrows, mw_value *ret);

/* Inflate a message. ret_bytes  never NULL; valid until the next message of any connection of the edge; with INFLATE_DONE */
enum inflate_result extension_inflate(struct extensions *all, struct extension *x, const void *bytes, size_t byte_count,
                                      const struct inflate_limits *limits, const void **ret_bytes, size_t *ret_count);

#endif
