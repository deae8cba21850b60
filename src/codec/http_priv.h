/* What the files of the HTTP codec share: states, character classes, the steps from one file to the next.
 * Read next: http_request.c.
 * SPDX-License-Identifier: MIT */
#ifndef CODEC_HTTP_PRIV_H
#define CODEC_HTTP_PRIV_H

#include "codec/http.h"

enum http_state {
    HTTP_STATE_EMPTY_LINES, /* before a request */
    HTTP_STATE_LINE,
    HTTP_STATE_FIELDS,
    HTTP_STATE_LENGTH_BODY,
    HTTP_STATE_CHUNK_SIZE,
    HTTP_STATE_CHUNK_EXTENSION,
    HTTP_STATE_CHUNK_SIZE_LF,
    HTTP_STATE_CHUNK_DATA,
    HTTP_STATE_CHUNK_DATA_CR,
    HTTP_STATE_CHUNK_DATA_LF,
    HTTP_STATE_TRAILER_START, /* at the beginning of a trailer line, perhaps the empty last one */
    HTTP_STATE_TRAILER_NAME,
    HTTP_STATE_TRAILER_VALUE,
    HTTP_STATE_TRAILER_LF,
    HTTP_STATE_LAST_LF,
    HTTP_STATE_DONE,
    HTTP_STATE_FAILED
};

/* The limits with their defaults filled in. */
struct http_limits http_limits_of(const struct http_parser *p);

/* Refuse the request. returns false, so that a check can end with it */
bool http_refuse(struct http_parser *p, int status, const char *reason);
bool http_refuse_limit(struct http_parser *p, int status, enum http_limit limit, const char *reason);

/* Read the request line at the front of p->head: method, target, version. line_bytes without CRLF.
 * false: refused */
bool http_read_request_line(struct http_parser *p, size_t line_bytes);
/* Read the whole head: fields, host, framing, persistence. false: refused */
bool http_read_head(struct http_parser *p);
/* Read "name", "name:port", "[v6]", "[v6]:port". false: malformed or empty */
bool http_read_authority(struct http_text text, struct http_text *ret_host, int *ret_port);

/* Use bytes of a body; the state says how far it came. returns how many */
size_t http_body_feed(struct http_parser *p, const uint8_t *bytes, size_t byte_count);

/* ASCII, whatever the locale. */
static inline bool http_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}
static inline bool http_is_alpha(uint8_t byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}
/* What may stand in a field value: all but control characters; the tab is none here (RFC 9110 §5.5). */
static inline bool http_is_value_byte(uint8_t byte)
{
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}
bool http_is_token_byte(uint8_t byte); /* RFC 9110 §5.6.2 */

#endif
