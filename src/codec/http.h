/* HTTP/1.1 as a server reads and writes it (RFC 9110, RFC 9112): requests in, response heads out. Strict: one
 * parse, one meaning; what two servers might read differently is refused.
 * Not paths, those are url.h; not the WebSocket upgrade, that is handshake.h. Read next: http_request.c.
 * SPDX-License-Identifier: MIT */
#ifndef CODEC_HTTP_H
#define CODEC_HTTP_H

#include <meshwork/base.h>

#include "base/buffer.h"

/* A run of text inside somebody's buffer; not terminated. bytes NULL: absent, which is not the same as
 * empty. */
struct http_text {
    const char *bytes;
    size_t count;
};

/* What follows OPTIONS is known, but no resource here allows it. Others are refused (501) once the head has been judged. */
enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_PUT,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_TRACE,
    HTTP_METHOD_UNKNOWN /* never in a request that was read */
};
/* All that any resource here allows, as an Allow field prints it. */
#define HTTP_ALLOW_ALL "GET, HEAD, POST, OPTIONS"

/* Borrowed by parsers, which may not outlive it. 0 in a field means its default; nothing means
 * "unlimited". */
struct http_limits {
    size_t request_line_bytes; /* without CRLF; default 4 KiB: 414 */
    size_t head_bytes;         /* all field lines with their CRLF; default 16 KiB: 431 */
    size_t field_bytes;        /* one field line without CRLF; default 8 KiB: 431 */
    size_t field_count;        /* default 64: 431 */
    size_t body_bytes;         /* after decoding; default 1 MiB: 413 */
};
/* Which limit an error event reports, for the caller's counters. */
enum http_limit {
    HTTP_LIMIT_NONE,
    HTTP_LIMIT_REQUEST_LINE_BYTES,
    HTTP_LIMIT_HEAD_BYTES,
    HTTP_LIMIT_FIELD_BYTES,
    HTTP_LIMIT_FIELD_COUNT,
    HTTP_LIMIT_BODY_BYTES
};

struct http_field {
    struct http_text name;  /* as received; names compare without case */
    struct http_text value; /* without the white space around it; may be empty */
};

/* A request's head. All texts are borrowed until http_parser_next or http_parser_clear. */
struct http_request {
    enum http_method method;
    int minor_version;        /* 0 or 1, of HTTP/1.x */
    struct http_text target;  /* as received */
    struct http_text path;    /* of the target, still escaped: begins with '/', or is "*" */
    struct http_text query;   /* after the '?'; bytes NULL: there is none */
    struct http_text host;    /* of an absolute target, else of Host: "name", "[::1]"; in 1.0 maybe absent */
    int port;                 /* likewise: 0 to 65535; -1: not said */
    const struct http_field *fields;
    size_t field_count;
    bool is_absolute;         /* the target named scheme and authority */
    bool keeps_alive;         /* the peer would keep the connection open */
    bool expects_continue;    /* at HEAD, before any byte of the body: write 100 Continue, or refuse */
    bool is_upgrade;          /* Upgrade is there and Connection names it */
    bool is_chunked;
    uint64_t content_length;  /* 0 where there is none */
};

enum http_event {
    HTTP_EVENT_MORE,  /* all bytes are used, more are needed */
    HTTP_EVENT_HEAD,  /* the head of a request that has a body is there; go on feeding, or answer and close */
    HTTP_EVENT_DONE,  /* the request is complete; answer it, then http_parser_next */
    HTTP_EVENT_FAILED /* answer with failure.status, then close: nothing behind it can be trusted */
};

/* Why a request was refused. */
struct http_failure {
    int status;            /* 400 411 413 414 417 431 500 501 505 */
    const char *reason;    /* a constant text for logs and the answer's body */
    enum http_limit limit;
};

/* The caller's storage; read request, body, body_seen and failure, set discards_body, leave the rest to the codec. */
struct http_parser {
    struct http_request request;  /* from HEAD or DONE on */
    struct mw_buffer body;        /* decoded; complete at DONE */
    struct http_failure failure;  /* at FAILED */
    const struct http_limits *limits;
    struct mw_buffer head;        /* request line and field lines as received */
    struct http_field *fields;    /* owned; room for field_capacity */
    size_t field_capacity;
    size_t line_at;               /* where the line being read begins in head */
    size_t line_count;            /* field lines so far */
    size_t fields_at;             /* where the first field line begins in head */
    const uint8_t *line_base;     /* head.data when the request line was read */
    uint64_t body_remaining;      /* of the body or of the chunk */
    size_t body_seen;             /* bytes of the body so far, kept or not */
    size_t extension_bytes;       /* of all chunks together */
    size_t trailer_bytes;
    uint8_t digit_count;          /* of a chunk size; before the request line: empty lines */
    uint8_t state;                /* enum http_state in http_priv.h */
    uint8_t extension_state;      /* of the chunk extension being read */
    bool is_after_cr;             /* in the head: LF must come next */
    bool discards_body;           /* of this request; set it at HEAD: what comes is checked and counted, not kept */
};

/* Make ready for a connection's first request. Allocates nothing. limits  borrowed until clear; NULL: the
 * defaults */
void http_parser_init(struct http_parser *p, const struct http_limits *limits);
/* Give all memory back; the parser is as after init. */
void http_parser_clear(struct http_parser *p);
/* Make ready for the next request of the same connection; memory is kept. */
void http_parser_next(struct http_parser *p);
/* Give back the memory of a parser that waits for a request. */
void http_parser_trim(struct http_parser *p);
/* Whether a request has begun (for the deadlines): an empty line before it counts. */
bool http_parser_is_midway(const struct http_parser *p);

/* Read received bytes.
 *
 * ret_event  always set; after DONE and FAILED further calls use nothing and say the same again
 * returns    how many bytes were used. After HEAD call again with the rest (also when that is empty: a body
 *            of "Content-Length: 0" is DONE at once and gives no HEAD). What is left after DONE belongs to
 *            the next request, or to the WebSocket after an upgrade
 */
size_t http_parse(struct http_parser *p, const void *bytes, size_t byte_count, enum http_event *ret_event);

/* Find a field by its name, whatever its case.
 *
 * after    NULL: the first; else the one after this one
 * returns  NULL: there is none
 */
const struct http_field *http_find_n(const struct http_request *request, const char *name, size_t name_bytes, const struct http_field *after);
static inline const struct http_field *http_find(const struct http_request *request, const char *name, const struct http_field *after)
{
    return http_find_n(request, name, strlen(name), after); /* nearly always a constant: then its length is, too */
}
/* The value of a field that must be alone: bytes NULL where there is none; empty where there is more than
 * one, so that a doubled Origin or Cookie does not pass for an absent one. */
struct http_text http_value(const struct http_request *request, const char *name);
/* Whether a list field (Connection, Upgrade, ...) has a token, over all its lines, whatever the case. */
bool http_has_token(const struct http_request *request, const char *name, const char *token);
/* Equal but for ASCII case. */
bool http_same_letters(const char *a, const char *b, size_t count);
static inline bool http_text_is(struct http_text text, const char *c_string)
{
    return text.count == strlen(c_string) && http_same_letters(text.bytes, c_string, text.count);
}
/* Take the next element of a comma list off the front of *io; false: none left. Empty elements are passed
 * over. */
bool http_next_element(struct http_text *io, struct http_text *ret);
bool http_is_token(struct http_text text);

/* ---- what a request wants of a representation ----------------------------------------------------------- */

/* Whether If-None-Match, on all its lines, lists this entity tag, by weak comparison (RFC 9110 §13.1.2), or is "*". */
bool http_lists_etag(const struct http_request *request, const char *etag);
/* Whether If-Match does, by strong comparison (§13.1.1). */
bool http_matches_etag(const struct http_request *request, const char *etag);

enum { HTTP_RANGES_MOST = 8 };
/* A run of a representation's bytes; count is never 0. */
struct http_range {
    uint64_t first, count;
};
/* Which bytes a Range field asks for (RFC 9110 §14.1.2, §14.2), of a representation of byte_count bytes.
 *
 * field    the value; absent or malformed: to be ignored
 * most     1 to HTTP_RANGES_MOST
 * returns  how many ranges, in the order in which they were asked for; 0 the field is to be ignored: another unit, no
 *          range, or several that together are more than the whole; -ERANGE none names a byte that is there: 416;
 *          -E2BIG more than most: to be ignored, and counted
 */
int http_parse_ranges(struct http_text field, uint64_t byte_count, int most, struct http_range ret[HTTP_RANGES_MOST]);
/* Whether the client takes a body in this coding ("gzip"), and likes it no less than none. False where it says nothing
 * about codings: identity is then the one that surely works (RFC 9110 §12.5.3). */
bool http_takes_coding(const struct http_request *request, const char *coding);

/* ---- writing ------------------------------------------------------------------------------------------- */

/* A response head is: http_write_status, http_write_field for each, http_write_end. Errors stick in the
 * buffer: look at out->error once, at the end. */

/* date  of http_format_date, or NULL: no Date field */
void http_write_status(struct mw_buffer *out, int status, const char *date);
/* A value with CR, LF, NUL or another control character is never written: -EINVAL sticks in out->error. */
void http_write_field(struct mw_buffer *out, const char *name, const char *value);
void http_write_field_text(struct mw_buffer *out, const char *name, struct http_text value);
void http_write_length(struct mw_buffer *out, uint64_t content_length);
void http_write_end(struct mw_buffer *out);
/* "Not Found"; "Unknown" for a number without a name. */
const char *http_status_text(int status);

enum { HTTP_DATE_BYTES = 30 };
/* "Sun, 06 Nov 1994 08:49:37 GMT", terminated. unix_s  seconds since 1970, years 1970 to 9999 */
void http_format_date(char ret[HTTP_DATE_BYTES], int64_t unix_s);
/* Read it, or one of the two forms that are no longer sent. false: it is none.
 *
 * now_s  what years of two digits are near to
 */
bool http_parse_date(struct http_text text, int64_t now_s, int64_t *ret_unix_s);

#endif
