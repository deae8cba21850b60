/* Matching globs, with one place to come back to.
 * SPDX-License-Identifier: MIT */
#include "app/glob.h"

#include <string.h>

bool glob_is(const char *text, size_t byte_count)
{
    return memchr(text, '*', byte_count) || memchr(text, '[', byte_count);
}

/* Where the set that begins at at ends: at its ']'; NULL: it does not, so the '[' is itself. A ']' that comes first is of the set. */
static const char *set_end(const char *at, const char *end)
{
    return end - at > 2 ? memchr(at + 2, ']', (size_t)(end - at - 2)) : NULL;
}

static bool is_in_set(const char *at, const char *close, unsigned char byte)
{
    bool is_negated = at[1] == '!', is_in = false;
    const char *p = at + 1 + is_negated;

    for (; p < close; p++) {
        if (p + 2 < close && p[1] == '-') {
            is_in = is_in || (byte >= (unsigned char)p[0] && byte <= (unsigned char)p[2]);
            p += 2;
        } else {
            is_in = is_in || byte == (unsigned char)*p;
        }
    }
    return is_in != is_negated;
}

/* Match one byte. returns what follows in the pattern; NULL: no match */
static const char *match_one(const char *at, const char *end, unsigned char byte)
{
    const char *close;

    if (at == end || *at == '*')
        return NULL;
    close = *at == '[' ? set_end(at, end) : NULL;
    if (close)
        return is_in_set(at, close, byte) ? close + 1 : NULL;
    return (unsigned char)*at == byte ? at + 1 : NULL;
}

bool glob_matches(const char *pattern, size_t pattern_bytes, const char *name, size_t name_bytes)
{
    const char *at = pattern, *end = pattern + pattern_bytes, *after_star = NULL;
    size_t i = 0, star_at = 0;

    while (i < name_bytes) {
        const char *next = match_one(at, end, (unsigned char)name[i]);

        if (next) {
            at = next;
            i++;
        } else if (at < end && *at == '*') {
            after_star = ++at;
            star_at = i;
        } else if (after_star) { /* let the last star take one more */
            at = after_star;
            i = ++star_at;
        } else {
            return false;
        }
    }
    while (at < end && *at == '*')
        at++;
    return at == end;
}

uint64_t glob_bytes(const char *name, size_t name_bytes)
{
    uint64_t bytes = 0;
    size_t i;

    for (i = 0; i < name_bytes; i++)
        bytes |= UINT64_C(1) << ((unsigned char)name[i] & 63);
    return bytes;
}

void glob_init(struct glob *g, const char *borrows, size_t byte_count)
{
    const char *at = borrows, *end = borrows + byte_count, *close;

    *g = (struct glob){.text = borrows, .byte_count = byte_count};
    for (; at < end; at++) {
        close = *at == '[' ? set_end(at, end) : NULL;
        if (close)
            at = close;
        else if (*at != '*')
            g->needs |= glob_bytes(at, 1);
    }
}
