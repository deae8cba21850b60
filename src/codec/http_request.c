/* The request parser: gathers the head line by line, refusing what no head may hold as soon as it comes, and
 * leads on to the head's meaning (http_head.c) and the body (http_body.c).
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "codec/http_priv.h"

enum {
    EMPTY_LINES_MAX = 8,   /* RFC 9112 §2.2 asks to ignore at least one */
    KEEP_BYTES = 16 * 1024 /* larger bodies give their memory back with the next request */
};

/* Far below SIZE_MAX, so that sums of limits cannot wrap. */
static size_t limit_or(size_t value, size_t otherwise)
{
    if (value == 0)
        return otherwise;
    return value < SIZE_MAX / 8 ? value : SIZE_MAX / 8;
}

struct http_limits http_limits_of(const struct http_parser *p)
{
    struct http_limits limits = {0};

    if (p->limits)
        limits = *p->limits;
    limits.request_line_bytes = limit_or(limits.request_line_bytes, 4096);
    limits.head_bytes = limit_or(limits.head_bytes, 16384);
    limits.field_bytes = limit_or(limits.field_bytes, 8192);
    limits.field_count = limit_or(limits.field_count, 64);
    limits.body_bytes = limit_or(limits.body_bytes, 1048576);
    return limits;
}

bool http_refuse(struct http_parser *p, int status, const char *reason)
{
    return http_refuse_limit(p, status, HTTP_LIMIT_NONE, reason);
}

bool http_refuse_limit(struct http_parser *p, int status, enum http_limit limit, const char *reason)
{
    p->failure = (struct http_failure){.status = status, .reason = reason, .limit = limit};
    p->state = HTTP_STATE_FAILED;
    return false;
}

void http_parser_init(struct http_parser *p, const struct http_limits *limits)
{
    struct http_limits filled;

    *p = (struct http_parser){.limits = limits, .state = HTTP_STATE_EMPTY_LINES};
    filled = http_limits_of(p);
    /* Room for the last line too, with which a head outgrows its limit: line_byte decides, not the buffer. */
    mw_buffer_init(&p->head, filled.request_line_bytes + filled.head_bytes + filled.field_bytes + 64);
    mw_buffer_init(&p->body, filled.body_bytes);
}

void http_parser_clear(struct http_parser *p)
{
    mw_buffer_clear(&p->head);
    mw_buffer_clear(&p->body);
    mw_free(p->fields);
    http_parser_init(p, p->limits);
}

void http_parser_next(struct http_parser *p)
{
    if (p->body.capacity > KEEP_BYTES || p->body.error)
        mw_buffer_clear(&p->body);
    if (p->head.error)
        mw_buffer_clear(&p->head);
    p->body.count = 0;
    p->head.count = 0;
    p->request = (struct http_request){0};
    p->failure = (struct http_failure){0};
    p->line_at = p->line_count = p->fields_at = 0;
    p->body_remaining = 0;
    p->body_seen = 0;
    p->discards_body = false;
    p->extension_bytes = p->trailer_bytes = 0;
    p->digit_count = 0;
    p->is_after_cr = false;
    p->state = HTTP_STATE_EMPTY_LINES;
}

bool http_parser_is_midway(const struct http_parser *p)
{
    if (p->state == HTTP_STATE_EMPTY_LINES)
        return p->digit_count > 0 || p->is_after_cr;
    return p->state != HTTP_STATE_DONE && p->state != HTTP_STATE_FAILED;
}

void http_parser_trim(struct http_parser *p)
{
    if (p->state == HTTP_STATE_EMPTY_LINES && !http_parser_is_midway(p))
        http_parser_clear(p);
}

/* ---- lines --------------------------------------------------------------------------------------------- */

/* Pass over empty lines before the request line (RFC 9112 §2.2), a few of them. */
static size_t empty_lines_feed(struct http_parser *p, const uint8_t *bytes, size_t byte_count)
{
    size_t used = 0;

    while (used < byte_count && p->state == HTTP_STATE_EMPTY_LINES) {
        uint8_t byte = bytes[used];

        if (p->is_after_cr) {
            p->is_after_cr = false;
            if (byte != '\n')
                http_refuse(p, 400, "CR without LF");
            else if (++p->digit_count > EMPTY_LINES_MAX)
                http_refuse(p, 400, "too many empty lines before the request");
        } else if (byte == '\r') {
            p->is_after_cr = true;
        } else {
            p->state = HTTP_STATE_LINE;
            return used;
        }
        used++;
    }
    return used;
}

/* Whether a byte may stand in the line being read; CR and LF have their own rules. */
static bool line_holds(const struct http_parser *p, uint8_t byte)
{
    return p->state == HTTP_STATE_LINE ? byte >= 0x20 && byte < 0x7f : http_is_value_byte(byte);
}

/* How many bytes at the front are printable ASCII, which may stand in any line: eight at a time. */
static size_t plain_run(const uint8_t *bytes, size_t count)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
    size_t at = 0;

    for (; count - at >= 8; at += 8) {
        uint64_t word;

        memcpy(&word, bytes + at, 8);
        /* A byte below 0x20 gets its high bit by the subtraction, one above 0x7e by the addition. A byte
         * too many may be suspected; those are looked at singly. */
        if (((word - ones * 0x20) | (word + ones)) & highs)
            break;
    }
    while (at < count && bytes[at] >= 0x20 && bytes[at] < 0x7f)
        at++;
    return at;
}

/* A method longer than any is unknown; too long a target has a status of its own (RFC 9112 §3).
 * at  the first byte too many: what lies behind it may have come already, and does not count */
static bool refuse_long_line(struct http_parser *p, size_t at)
{
    bool has_method = memchr(p->head.data + p->line_at, ' ', at - p->line_at) != NULL;

    return has_method ? http_refuse_limit(p, 414, HTTP_LIMIT_REQUEST_LINE_BYTES, "request line too long")
                      : http_refuse_limit(p, 501, HTTP_LIMIT_REQUEST_LINE_BYTES, "unknown method");
}

/* Judge one byte of the head. false: refused */
static bool line_byte(struct http_parser *p, const struct http_limits *limits, size_t at)
{
    bool is_first_line = p->state == HTTP_STATE_LINE;
    uint8_t byte = p->head.data[at];

    if (!is_first_line && at >= p->fields_at + limits->head_bytes)
        return http_refuse_limit(p, 431, HTTP_LIMIT_HEAD_BYTES, "header fields too large");
    if (p->is_after_cr)
        return byte == '\n' || http_refuse(p, 400, "CR without LF");
    if (byte == '\r') {
        p->is_after_cr = true;
        return true;
    }
    if (byte == '\n')
        return http_refuse(p, 400, "LF without CR");
    if (!line_holds(p, byte))
        return http_refuse(p, 400, "forbidden character in the head");
    if (is_first_line)
        return at < p->line_at + limits->request_line_bytes || refuse_long_line(p, at);
    if (at == p->line_at && (byte == ' ' || byte == '\t'))
        return http_refuse(p, 400, "folded header field");
    if (at == p->line_at && p->line_count >= limits->field_count)
        return http_refuse_limit(p, 431, HTTP_LIMIT_FIELD_COUNT, "too many header fields");
    return at < p->line_at + limits->field_bytes ||
           http_refuse_limit(p, 431, HTTP_LIMIT_FIELD_BYTES, "header field too long");
}

/* Judge the bytes of p->head from `at` on, which have just come: the first that breaks a rule decides, so
 * that it does not matter how they were cut. A refusal is in the state. */
static void line_scan(struct http_parser *p, const struct http_limits *limits, size_t at)
{
    bool is_first_line = p->state == HTTP_STATE_LINE;
    size_t plain_end = p->line_at + (is_first_line ? limits->request_line_bytes : limits->field_bytes);

    if (!is_first_line && plain_end > p->fields_at + limits->head_bytes)
        plain_end = p->fields_at + limits->head_bytes;
    if (plain_end > p->head.count)
        plain_end = p->head.count;
    for (; at < p->head.count && line_byte(p, limits, at); at++) {
        if (!p->is_after_cr && at + 1 < plain_end)
            at += plain_run(p->head.data + at + 1, plain_end - at - 1);
    }
}

/* Add bytes to the head, as far as the end of the line.
 *
 * returns  how many were used
 */
static size_t line_feed(struct http_parser *p, const struct http_limits *limits, const uint8_t *bytes,
                        size_t byte_count)
{
    const uint8_t *end = memchr(bytes, '\n', byte_count);
    size_t count = end ? (size_t)(end - bytes) + 1 : byte_count;
    size_t line_max = p->state == HTTP_STATE_LINE ? limits->request_line_bytes : limits->field_bytes;
    size_t before = p->head.count;
    size_t room = line_max + 2 - (before - p->line_at); /* whatever goes past it is refused: do not copy it */

    if (count > room)
        count = room;
    if (mw_buffer_append(&p->head, bytes, count) < 0) {
        http_refuse(p, 500, "out of memory");
        return count;
    }
    line_scan(p, limits, before);
    return count;
}

/* White space behind a value is no part of it (RFC 9110 §5.5), but llhttp knows only spaces behind a length. */
static void blank_tabs_at_the_end(struct http_parser *p)
{
    size_t at = p->head.count - 2; /* of the CR */

    for (; at > p->line_at && (p->head.data[at - 1] == '\t' || p->head.data[at - 1] == ' '); at--)
        p->head.data[at - 1] = ' ';
}

/* A line is complete, CRLF included: the request line, a field line or the empty one that ends the head. */
static void line_end(struct http_parser *p)
{
    size_t line_bytes = p->head.count - p->line_at - 2;

    p->is_after_cr = false;
    if (p->state == HTTP_STATE_LINE) {
        if (!http_read_request_line(p, line_bytes))
            return;
        p->state = HTTP_STATE_FIELDS;
        p->fields_at = p->line_at = p->head.count;
        return;
    }
    if (line_bytes > 0) {
        blank_tabs_at_the_end(p);
        p->line_count++;
        p->line_at = p->head.count;
        return;
    }
    if (!http_read_head(p))
        return;
    if (p->request.is_chunked)
        p->state = HTTP_STATE_CHUNK_SIZE;
    else if (p->request.content_length > 0)
        p->state = HTTP_STATE_LENGTH_BODY;
    else
        p->state = HTTP_STATE_DONE;
    p->body_remaining = p->request.content_length;
    p->digit_count = 0;
}

static size_t head_feed(struct http_parser *p, const uint8_t *bytes, size_t byte_count)
{
    struct http_limits limits = http_limits_of(p);
    size_t used = 0;

    if (p->state == HTTP_STATE_EMPTY_LINES)
        used = empty_lines_feed(p, bytes, byte_count);
    while (used < byte_count && (p->state == HTTP_STATE_LINE || p->state == HTTP_STATE_FIELDS)) {
        used += line_feed(p, &limits, bytes + used, byte_count - used);
        if (p->state != HTTP_STATE_FAILED && p->is_after_cr && p->head.data[p->head.count - 1] == '\n')
            line_end(p);
    }
    return used;
}

size_t http_parse(struct http_parser *p, const void *bytes, size_t byte_count, enum http_event *ret_event)
{
    const uint8_t *from = bytes;
    size_t used = 0;

    if (p->state <= HTTP_STATE_FIELDS) {
        used = byte_count > 0 ? head_feed(p, from, byte_count) : 0;
        *ret_event = p->state == HTTP_STATE_DONE     ? HTTP_EVENT_DONE
                     : p->state == HTTP_STATE_FAILED ? HTTP_EVENT_FAILED
                     : p->state > HTTP_STATE_FIELDS  ? HTTP_EVENT_HEAD
                                                     : HTTP_EVENT_MORE;
        return used;
    }
    if (p->state < HTTP_STATE_DONE && byte_count > 0)
        used = http_body_feed(p, from, byte_count);
    *ret_event = p->state == HTTP_STATE_DONE     ? HTTP_EVENT_DONE
                 : p->state == HTTP_STATE_FAILED ? HTTP_EVENT_FAILED
                                                 : HTTP_EVENT_MORE;
    return used;
}
