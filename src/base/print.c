/* Values as JSON text (RFC 8259), without recursion and whatever the locale.
 * Not parsing; that is codec/json.c. Read next: format.c.
 * SPDX-License-Identifier: MIT */
#include "base/print.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* ---- numbers ---------------------------------------------------------------------------------------- */
int mw_print_int(struct mw_buffer *b, int64_t i)
{
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t left = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;

    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (i < 0)
        (void)mw_buffer_append_byte(b, '-');
    return mw_buffer_append(b, digits + at, sizeof(digits) - at);
}

int mw_print_real(struct mw_buffer *b, double d)
{
    char text[32];
    bool has_mark = false;
    int precision;

    if (!isfinite(d))
        return mw_buffer_append_text(b, "null");
    for (precision = 15; precision <= 17; precision++) {
        double back;

        (void)snprintf(text, sizeof(text), "%.*g", precision, d);
        back = strtod(text, NULL);
        if (memcmp(&back, &d, sizeof(d)) == 0)
            break;
    }
    /* A host may have set a locale whose decimal point is none. */
    for (char *p = text; *p; p++) {
        if ((*p < '0' || *p > '9') && *p != '-' && *p != '+' && *p != 'e')
            *p = '.';
        has_mark = has_mark || *p == '.' || *p == 'e';
    }
    (void)mw_buffer_append_text(b, text);
    /* So that it reads back as a real. */
    return has_mark ? b->error : mw_buffer_append(b, ".0", 2);
}

/* ---- text --------------------------------------------------------------------------------------------- */
static void print_escape(struct mw_buffer *b, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef", escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = byte ? strchr(escaped, byte) : NULL;
    char out[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};

    if (found) {
        out[1] = letters[found - escaped];
        (void)mw_buffer_append(b, out, 2);
    } else {
        (void)mw_buffer_append(b, out, 6);
    }
}

/* How many bytes from p on belong to one character that is no UTF-8: what is replaced by one U+FFFD. */
static size_t print_bad_bytes(const uint8_t *p, const uint8_t *end)
{
    struct mw_utf8 u = {0};
    size_t n = 0;

    while (p + n < end && mw_utf8_feed(&u, p + n, 1))
        if (mw_utf8_is_complete(&u))
            return 0; /* a good one */
        else
            n++;
    return n ? n : 1;
}

int mw_print_json_text(struct mw_buffer *b, const char *text, size_t byte_count)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + byte_count, *run = p;
    bool is_good = mw_utf8_is_valid(text, byte_count);

    (void)mw_buffer_append_byte(b, '"');
    while (p < end) {
        size_t bad;

        if (*p >= 0x20 && *p != '"' && *p != '\\' && (is_good || *p < 0x80)) {
            p++;
            continue;
        }
        bad = *p < 0x80 ? 0 : print_bad_bytes(p, end);
        if (*p >= 0x80 && bad == 0) { /* a whole good character: step over its first byte and its followers */
            for (p++; p < end && (*p & 0xc0) == 0x80; p++)
                ;
            continue;
        }
        (void)mw_buffer_append(b, run, (size_t)(p - run));
        if (bad > 0)
            (void)mw_buffer_append(b, "\xef\xbf\xbd", 3);
        else
            print_escape(b, *p);
        p += bad ? bad : 1;
        run = p;
    }
    (void)mw_buffer_append(b, run, (size_t)(end - run));
    return mw_buffer_append_byte(b, '"');
}

static int print_base64(struct mw_buffer *b, const uint8_t *p, size_t count)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    (void)mw_buffer_append_byte(b, '"');
    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        uint32_t bits = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        char out[4] = {letters[bits >> 18], letters[bits >> 12 & 63], '=', '='};

        if (left > 1)
            out[2] = letters[bits >> 6 & 63];
        if (left > 2)
            out[3] = letters[bits & 63];
        (void)mw_buffer_append(b, out, 4);
    }
    return mw_buffer_append_byte(b, '"');
}

/* ---- values --------------------------------------------------------------------------------------------- */
/* A value without parts. */
static int print_scalar(struct mw_buffer *b, const mw_value *v)
{
    size_t count;
    const char *text;

    switch (mw_kind_of(*v)) {
    case MW_NULL:
        return mw_buffer_append(b, "null", 4);
    case MW_BOOL:
        return v->as.boolean ? mw_buffer_append(b, "true", 4) : mw_buffer_append(b, "false", 5);
    case MW_INT:
        return mw_print_int(b, v->as.integer);
    case MW_REAL:
        return mw_print_real(b, v->as.real);
    case MW_TEXT:
        text = mw_get_text(v, &count);
        return mw_print_json_text(b, text, count);
    case MW_BYTES:
        text = mw_get_text(v, &count);
        return print_base64(b, (const uint8_t *)text, count);
    case MW_LIST:
    case MW_MAP:
    case MW_OPAQUE:
    case MW_MISSING:
        break;
    }
    return -EINVAL;
}

struct print_frame {
    const mw_value *container;
    size_t next;
};

/* Append what comes before the next part, and give that part; NULL: the container is at its end, which is printed. */
static const mw_value *print_next(struct mw_buffer *b, struct print_frame *frame)
{
    const mw_value *part, *key;
    bool is_map = frame->container->kind == MW_MAP;

    part = is_map ? mw_map_at(*frame->container, frame->next, &key) : mw_list_at(*frame->container, frame->next);
    if (!part) {
        (void)mw_buffer_append_byte(b, is_map ? '}' : ']');
        return NULL;
    }
    if (frame->next++ > 0)
        (void)mw_buffer_append_byte(b, ',');
    if (is_map) {
        size_t count;
        const char *text = mw_get_text(key, &count);

        (void)mw_print_json_text(b, text, count);
        (void)mw_buffer_append_byte(b, ':');
    }
    return part;
}

int mw_print_json(struct mw_buffer *b, mw_value borrows)
{
    struct print_frame frames[MW_PRINT_DEPTH];
    const mw_value *v = &borrows;
    size_t depth = 0;
    int err;

    for (;;) {
        if (v && (v->kind == MW_LIST || v->kind == MW_MAP)) {
            if (depth == MW_PRINT_DEPTH)
                return -EMSGSIZE;
            frames[depth++] = (struct print_frame){.container = v};
            (void)mw_buffer_append_byte(b, v->kind == MW_MAP ? '{' : '[');
        } else if (v) {
            err = print_scalar(b, v);
            if (err < 0)
                return err;
        } else {
            depth--;
        }
        if (depth == 0 || b->error)
            return b->error;
        v = print_next(b, &frames[depth - 1]);
    }
}
