/* UTF-8 validation as a small state machine over bytes (RFC 3629 §4), eight ASCII bytes at a time.
 * Not JSON's escapes; those are in codec/. Read next: utf8.h.
 * SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <string.h>

#include "base/word.h"

/* A state is how many continuation bytes are still to come, and the range of the next one: the only places where
 * RFC 3629 narrows it are behind E0, ED, F0 and F4. */
enum { CONTINUATION_LEFT = 3, LOW_SHIFT = 8, HIGH_SHIFT = 16 };

enum { SHORT_BYTES = 64 };
static const uint64_t tops = UINT64_C(0x8080808080808080);

static inline uint32_t utf8_state(unsigned left, unsigned low, unsigned high)
{
    return left | low << LOW_SHIFT | high << HIGH_SHIFT;
}

/* The state behind a first byte that is not ASCII; 0: it begins nothing. */
static uint32_t utf8_lead(uint8_t byte)
{
    if (byte < 0xc2)
        return 0;
    if (byte < 0xe0)
        return utf8_state(1, 0x80, 0xbf);
    if (byte < 0xf0)
        return utf8_state(2, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf);
    if (byte < 0xf5)
        return utf8_state(3, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf);
    return 0;
}

/* Behind the ASCII that comes first, as far as whole steps go. */
static inline const uint8_t *utf8_skip_ascii(const uint8_t *p, const uint8_t *end)
{
    uint64_t word;

    for (; end - p >= 64; p += 64) {
        mw_lanes a, b, c, d;

        memcpy(&a, p, sizeof a);
        memcpy(&b, p + 16, sizeof b);
        memcpy(&c, p + 32, sizeof c);
        memcpy(&d, p + 48, sizeof d);
        a |= b | c | d;
        if (mw_lanes_or(a) & tops)
            break;
    }
    for (; end - p >= 8; p += 8) {
        memcpy(&word, p, sizeof word);
        if (word & tops)
            break;
    }
    return p;
}

bool mw_utf8_feed(struct mw_utf8 *u, const void *bytes, size_t byte_count)
{
    const uint8_t *p = bytes, *end = byte_count ? p + byte_count : p;
    uint32_t state = u->state;

    while (p < end) {
        if (state == 0) {
            p = utf8_skip_ascii(p, end);
            while (p < end && *p < 0x80)
                p++;
            if (p == end)
                break;
            state = utf8_lead(*p++);
            if (state == 0)
                return false;
        } else {
            unsigned left = state & CONTINUATION_LEFT;

            if (*p < (uint8_t)(state >> LOW_SHIFT) || *p > (uint8_t)(state >> HIGH_SHIFT))
                return false;
            p++;
            state = left > 1 ? utf8_state(left - 1, 0x80, 0xbf) : 0;
        }
    }
    u->state = state;
    return true;
}

/* Of a short text every word is looked at, the last of which may overlap the one before: no step needs to be judged by itself. */
static inline bool utf8_is_short_ascii(const uint8_t *p, size_t byte_count)
{
    const uint8_t *last;
    uint64_t some;

    if (byte_count < 8)
        return !(mw_word_of(p, byte_count) & tops);
    last = p + byte_count - 8;
    for (some = mw_word_of(last, 8); p < last; p += 8)
        some |= mw_word_of(p, 8);
    return !(some & tops);
}

bool mw_utf8_is_valid(const void *bytes, size_t byte_count)
{
    const uint8_t *p = bytes;
    struct mw_utf8 u = {0};

    if (byte_count <= SHORT_BYTES) {
        if (utf8_is_short_ascii(p, byte_count))
            return true;
    } else {
        const uint8_t *end = p + byte_count;

        p = utf8_skip_ascii(p, end);
        byte_count = (size_t)(end - p);
        /* Of ASCII less than a step is left; what comes before it may be looked at twice. */
        if (byte_count < 8 && !(mw_word_of(end - 8, 8) & tops))
            return true;
    }
    return mw_utf8_feed(&u, p, byte_count) && mw_utf8_is_complete(&u);
}
