/* Bodies of requests: Content-Length and chunked (RFC 9112 §6, §7). Our own, since llhttp takes chunk sizes
 * of any length and line ends of any kind, and those are what smuggling is made of.
 * SPDX-License-Identifier: MIT */
#include "codec/http_priv.h"

enum {
    SIZE_DIGITS_MAX = 16,       /* hexadecimal: fits 64 bits */
    EXTENSION_BYTES_MAX = 1024, /* of all chunks of a body together; no one uses any */
    RESERVE_BYTES = 16 * 1024   /* taken at once for a body to come */
};

/* Add to the body. The limit was compared when the length became known. */
static bool body_append(struct http_parser *p, const uint8_t *bytes, size_t byte_count)
{
    size_t want = p->body_remaining < RESERVE_BYTES ? (size_t)p->body_remaining : RESERVE_BYTES;
    int err;

    p->body_seen += byte_count;
    if (p->discards_body)
        return true;
    err = mw_buffer_reserve(&p->body, want > byte_count ? want : byte_count);
    if (err == 0)
        err = mw_buffer_append(&p->body, bytes, byte_count);
    return err == 0 || http_refuse(p, 500, "out of memory");
}

/* Take what there is of the body or the chunk.
 *
 * next     the state when that is complete
 * returns  how many bytes were used
 */
static size_t data_feed(struct http_parser *p, const uint8_t *bytes, size_t byte_count, enum http_state next)
{
    size_t count = byte_count < p->body_remaining ? byte_count : (size_t)p->body_remaining;

    if (!body_append(p, bytes, count))
        return count;
    p->body_remaining -= count;
    if (p->body_remaining == 0)
        p->state = (uint8_t)next;
    return count;
}

static int hex_digit(uint8_t byte)
{
    if (http_is_digit(byte))
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* A chunk's size: digits, at least one, and nothing but an extension or the line's end behind them. */
static bool chunk_size_byte(struct http_parser *p, uint8_t byte)
{
    int digit = hex_digit(byte);

    if (digit >= 0) {
        if (p->digit_count == SIZE_DIGITS_MAX)
            return http_refuse(p, 400, "chunk size too long");
        p->digit_count++;
        p->body_remaining = p->body_remaining << 4 | (uint64_t)digit;
        return true;
    }
    if (p->digit_count == 0 || (byte != '\r' && byte != ';'))
        return http_refuse(p, 400, "malformed chunk size");
    if (p->body_remaining > p->body.limit - p->body_seen)
        return http_refuse_limit(p, 413, HTTP_LIMIT_BODY_BYTES, "body too large");
    p->state = byte == ';' ? HTTP_STATE_CHUNK_EXTENSION : HTTP_STATE_CHUNK_SIZE_LF;
    p->extension_state = 0;
    return true;
}

enum extension_class {
    CLASS_TOKEN,
    CLASS_SPACE,
    CLASS_EQUALS,
    CLASS_SEMICOLON,
    CLASS_QUOTE,
    CLASS_BACKSLASH,
    CLASS_OTHER,
    CLASS_CR,
    CLASSES
};

static enum extension_class extension_class_of(uint8_t byte)
{
    switch (byte) {
    case ' ':
    case '\t':
        return CLASS_SPACE;
    case '=':
        return CLASS_EQUALS;
    case ';':
        return CLASS_SEMICOLON;
    case '"':
        return CLASS_QUOTE;
    case '\\':
        return CLASS_BACKSLASH;
    case '\r':
        return CLASS_CR;
    default:
        return http_is_token_byte(byte) ? CLASS_TOKEN : CLASS_OTHER;
    }
}

/* *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ), RFC 9112 §7.1.1: nobody needs one, but what is none
 * was read in different ways by different servers. */
static bool chunk_extension_byte(struct http_parser *p, uint8_t byte)
{
    enum { START, NAME, NAMED, EQUALS, TOKEN, QUOTED, ESCAPED, UNQUOTED, VALUED, STATES, END, BAD };
    static const uint8_t next[STATES][CLASSES] = {
        /*            token   space   =       ;       "         \        other   CR */
        [START]    = {NAME,   START,  BAD,    BAD,    BAD,      BAD,     BAD,    BAD},
        [NAME]     = {NAME,   NAMED,  EQUALS, START,  BAD,      BAD,     BAD,    END},
        [NAMED]    = {BAD,    NAMED,  EQUALS, START,  BAD,      BAD,     BAD,    BAD},
        [EQUALS]   = {TOKEN,  EQUALS, BAD,    BAD,    QUOTED,   BAD,     BAD,    BAD},
        [TOKEN]    = {TOKEN,  VALUED, BAD,    START,  BAD,      BAD,     BAD,    END},
        [QUOTED]   = {QUOTED, QUOTED, QUOTED, QUOTED, UNQUOTED, ESCAPED, QUOTED, BAD},
        [ESCAPED]  = {QUOTED, QUOTED, QUOTED, QUOTED, QUOTED,   QUOTED,  QUOTED, BAD},
        [UNQUOTED] = {BAD,    VALUED, BAD,    START,  BAD,      BAD,     BAD,    END},
        [VALUED]   = {BAD,    VALUED, BAD,    START,  BAD,      BAD,     BAD,    BAD},
    };

    if (byte != '\r' && !http_is_value_byte(byte))
        return http_refuse(p, 400, "forbidden character in a chunk extension");
    p->extension_state = next[p->extension_state][extension_class_of(byte)];
    if (p->extension_state == BAD)
        return http_refuse(p, 400, "malformed chunk extension");
    if (p->extension_state == END) {
        p->state = HTTP_STATE_CHUNK_SIZE_LF;
        return true;
    }
    if (++p->extension_bytes > EXTENSION_BYTES_MAX)
        return http_refuse(p, 400, "chunk extensions too long");
    return true;
}

/* Trailer fields are checked as the head's are, bounded with them, and dropped (RFC 9110 §6.5.1). */
static bool trailer_byte(struct http_parser *p, uint8_t byte)
{
    if (++p->trailer_bytes > http_limits_of(p).head_bytes)
        return http_refuse_limit(p, 431, HTTP_LIMIT_HEAD_BYTES, "trailer fields too large");
    if (p->state == HTTP_STATE_TRAILER_START && byte == '\r') {
        p->state = HTTP_STATE_LAST_LF;
        return true;
    }
    if (p->state == HTTP_STATE_TRAILER_VALUE) {
        if (byte == '\r')
            p->state = HTTP_STATE_TRAILER_LF;
        else if (!http_is_value_byte(byte))
            return http_refuse(p, 400, "forbidden character in a trailer field");
        return true;
    }
    if (byte == ':' && p->state == HTTP_STATE_TRAILER_NAME) {
        p->state = HTTP_STATE_TRAILER_VALUE;
        return true;
    }
    if (!http_is_token_byte(byte))
        return http_refuse(p, 400, "malformed trailer field");
    p->state = HTTP_STATE_TRAILER_NAME;
    return true;
}

/* Where exactly one byte may come. */
static bool fixed_byte(struct http_parser *p, uint8_t byte, uint8_t want, enum http_state next)
{
    if (byte != want)
        return http_refuse(p, 400, "chunk not ended by CRLF");
    p->state = (uint8_t)next;
    return true;
}

static void chunked_byte(struct http_parser *p, uint8_t byte)
{
    switch ((enum http_state)p->state) {
    case HTTP_STATE_CHUNK_SIZE:
        (void)chunk_size_byte(p, byte); /* refusals are in the state, here and below */
        return;
    case HTTP_STATE_CHUNK_EXTENSION:
        (void)chunk_extension_byte(p, byte);
        return;
    case HTTP_STATE_CHUNK_SIZE_LF:
        (void)fixed_byte(p, byte, '\n',
                         p->body_remaining > 0 ? HTTP_STATE_CHUNK_DATA : HTTP_STATE_TRAILER_START);
        return;
    case HTTP_STATE_CHUNK_DATA_CR:
        (void)fixed_byte(p, byte, '\r', HTTP_STATE_CHUNK_DATA_LF);
        return;
    case HTTP_STATE_CHUNK_DATA_LF:
        p->digit_count = 0;
        (void)fixed_byte(p, byte, '\n', HTTP_STATE_CHUNK_SIZE);
        return;
    case HTTP_STATE_TRAILER_START:
    case HTTP_STATE_TRAILER_NAME:
    case HTTP_STATE_TRAILER_VALUE:
        (void)trailer_byte(p, byte);
        return;
    case HTTP_STATE_TRAILER_LF:
        (void)fixed_byte(p, byte, '\n', HTTP_STATE_TRAILER_START);
        return;
    case HTTP_STATE_LAST_LF:
        (void)fixed_byte(p, byte, '\n', HTTP_STATE_DONE);
        return;
    case HTTP_STATE_EMPTY_LINES:
    case HTTP_STATE_LINE:
    case HTTP_STATE_FIELDS:
    case HTTP_STATE_LENGTH_BODY:
    case HTTP_STATE_CHUNK_DATA:
    case HTTP_STATE_DONE:
    case HTTP_STATE_FAILED:
        return; /* not here */
    }
}

size_t http_body_feed(struct http_parser *p, const uint8_t *bytes, size_t byte_count)
{
    size_t used = 0;

    while (used < byte_count && p->state < HTTP_STATE_DONE) {
        if (p->state == HTTP_STATE_LENGTH_BODY)
            used += data_feed(p, bytes + used, byte_count - used, HTTP_STATE_DONE);
        else if (p->state == HTTP_STATE_CHUNK_DATA)
            used += data_feed(p, bytes + used, byte_count - used, HTTP_STATE_CHUNK_DATA_CR);
        else
            chunked_byte(p, bytes[used++]);
    }
    return used;
}
