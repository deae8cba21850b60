/* Values as JSON text (RFC 8259), without recursion and whatever the locale.
 * Not parsing; that is codec/json.c. Read next: format.c.
 * SPDX-License-Identifier: MIT */
#include "base/print.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/base_priv.h"
#include "base/digits.h"
#include "base/real.h"
#include "base/utf8.h"
#include "base/word.h"

/* ---- numbers ---------------------------------------------------------------------------------------- */
/* So many bytes can be written behind what the buffer holds. */
static inline bool print_has_room(const struct mw_buffer *b, size_t byte_count)
{
    return LIKELY(!b->error && b->capacity - b->count >= byte_count);
}

static inline size_t print_int_at(char *at, int64_t i)
{
    const size_t sign = i < 0;

    at[0] = '-';
    return sign + mw_digits_print(i < 0 ? 0 - (uint64_t)i : (uint64_t)i, at + sign);
}

/* Apart from the others, so that these need no array, nor a guard of it. */
COLD static int print_int_apart(struct mw_buffer *b, int64_t i)
{
    char own[1 + MW_DIGITS_BYTES] MW_UNINITIALIZED;

    return mw_buffer_append(b, own, print_int_at(own, i));
}

int mw_print_int(struct mw_buffer *b, int64_t i)
{
    if (!print_has_room(b, 1 + MW_DIGITS_BYTES))
        return print_int_apart(b, i);
    b->count += print_int_at((char *)b->data + b->count, i);
    return 0;
}

COLD static int print_real_apart(struct mw_buffer *b, double d)
{
    char own[MW_REAL_BYTES] MW_UNINITIALIZED;

    return mw_buffer_append(b, own, mw_real_print(d, own));
}

int mw_print_real(struct mw_buffer *b, double d)
{
    if (!isfinite(d))
        return mw_buffer_append(b, "null", 4);
    if (!print_has_room(b, MW_REAL_BYTES))
        return print_real_apart(b, d);
    b->count += mw_real_print(d, (char *)b->data + b->count);
    return 0;
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

/* Skip what stands in a JSON string as it is and is ASCII. */
static const uint8_t *print_skip_plain(const uint8_t *p, const uint8_t *end)
{
    while (end - p >= 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        if (mw_word_special(word))
            break;
        p += 8;
    }
    while (p < end && *p >= 0x20 && *p != '"' && *p != '\\' && *p < 0x80)
        p++;
    return p;
}

/* How many bytes from p on are one character beyond ASCII; *ret_bad: or what is replaced by one U+FFFD. */
static size_t print_character(const uint8_t *p, const uint8_t *end, bool *ret_bad)
{
    struct mw_utf8 u = {0};
    size_t n = 0;

    *ret_bad = false;
    while (p + n < end && mw_utf8_feed(&u, p + n, 1)) {
        n++;
        if (mw_utf8_is_complete(&u))
            return n;
    }
    *ret_bad = true;
    return n ? n : 1;
}

int mw_print_json_text(struct mw_buffer *b, const char *text, size_t byte_count)
{
    const uint8_t *run = (const uint8_t *)text, *end = byte_count ? run + byte_count : run, *p = run;

    (void)mw_buffer_append_byte(b, '"');
    while ((p = print_skip_plain(p, end)) < end) {
        bool is_bad = false;
        size_t count = *p < 0x80 ? 1 : print_character(p, end, &is_bad);

        if (*p >= 0x80 && !is_bad) {
            p += count; /* stays in the run */
            continue;
        }
        (void)mw_buffer_append(b, run, (size_t)(p - run));
        if (is_bad)
            (void)mw_buffer_append(b, "\xef\xbf\xbd", 3);
        else
            print_escape(b, *p);
        p += count;
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

/* Where a list or map on the way down is; whether it is a map is a bit of maps. */
struct print_frame {
    const mw_value *next, *end;
};
struct print_walk {
    size_t depth;
    uint64_t maps;
    struct print_frame frames[MW_PRINT_DEPTH];
};
_Static_assert(MW_PRINT_DEPTH <= 64, "a bit of maps for each level");

/* Begin a container: what is in it comes next. */
static int print_open(struct mw_buffer *b, struct print_walk *w, const mw_value *v)
{
    const struct items_block *items = items_of(*v);
    bool is_map = v->kind == MW_MAP;

    if (w->depth == MW_PRINT_DEPTH)
        return -EMSGSIZE;
    w->frames[w->depth].next = items ? items->values : NULL;
    w->frames[w->depth].end = items ? items->values + items->count : NULL;
    w->maps = w->maps << 1 | is_map;
    w->depth++;
    return mw_buffer_append_byte(b, is_map ? '{' : '[');
}

/* End what is at its end, then print what comes before the next part, and give that part; NULL: all is printed. */
static const mw_value *print_next(struct mw_buffer *b, struct print_walk *w, bool is_first)
{
    struct print_frame *frame;

    for (;; is_first = false) {
        if (w->depth == 0)
            return NULL;
        frame = &w->frames[w->depth - 1];
        if (frame->next != frame->end)
            break;
        (void)mw_buffer_append_byte(b, w->maps & 1 ? '}' : ']');
        w->maps >>= 1;
        w->depth--;
    }
    if (!is_first)
        (void)mw_buffer_append_byte(b, ',');
    if (w->maps & 1) {
        size_t count;
        const char *text = mw_get_text(frame->next++, &count);

        (void)mw_print_json_text(b, text, count);
        (void)mw_buffer_append_byte(b, ':');
    }
    return frame->next++;
}

static int print_parts(struct mw_buffer *b, const mw_value *v)
{
    struct print_walk w MW_UNINITIALIZED;

    w.depth = 0;
    w.maps = 0;
    do {
        bool is_container = v->kind == MW_LIST || v->kind == MW_MAP;
        int err = is_container ? print_open(b, &w, v) : print_scalar(b, v);

        if (err < 0)
            return err;
        v = print_next(b, &w, is_container);
    } while (v && !b->error);
    return b->error;
}

int mw_print_json(struct mw_buffer *b, mw_value borrows)
{
    int err;

    if (borrows.kind == MW_LIST || borrows.kind == MW_MAP)
        return print_parts(b, &borrows);
    err = print_scalar(b, &borrows);
    return err < 0 ? err : b->error;
}
