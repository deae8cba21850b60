/* A request's path from the wire to a name that may be looked up: decoded once, canonical, or refused.
 * Not the look-up; that is edge/, beneath a directory descriptor. Read next: url.c.
 * SPDX-License-Identifier: MIT */
#ifndef CODEC_URL_H
#define CODEC_URL_H

#include <meshwork/base.h>

#include "base/buffer.h"

/* Decode the escapes of a path, once.
 *
 * raw         begins with '/', without query
 * ret_path    room for raw_count + 1 bytes; terminated; begins with '/', has no empty, "." or ".." segment,
 *             no backslash, no control character, is valid UTF-8. A '/' at the end stays
 * ret_reason  a constant text, on failure only; may be NULL
 * returns     the decoded count; -EINVAL malformed (answer 400): bad escape, %00, control character, bad
 *             UTF-8; -ENOENT (answer 404) no name that exists here: %2F, backslash, ".", "..", "//"
 */
int url_decode_path(const char *raw, size_t raw_count, char *ret_path, const char **ret_reason);

/* Whether a decoded path may name a file that is given out: no segment begins with a dot, none is over 255
 * bytes, none ends with '~'. */
bool url_is_servable(const char *path);

/* Append a path with everything escaped that a path cannot hold: for links and redirects. */
int url_encode_path(struct mw_buffer *out, const char *path);

#endif
