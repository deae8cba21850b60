/* Strings of JSON that stand for themselves, ASCII without escapes: found eight bytes at a time.
 * Not the others; those are in json_scalar.c.
 * SPDX-License-Identifier: MIT */
#ifndef CODEC_JSON_PLAIN_H
#define CODEC_JSON_PLAIN_H

#include "base/build.h"
#include "base/word.h"

/* The first byte from p on that does not stand for itself: quote, backslash, control character, beyond ASCII; or end. */
static inline const char *json_skip_plain(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word, special;

        memcpy(&word, p, 8);
        special = mw_word_special(word);
        if (special) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return p + (__builtin_ctzll(special) >> 3);
#else
            break;
#endif
        }
        p += 8;
    }
    while (p < end && (uint8_t)*p >= 0x20 && *p != '"' && *p != '\\' && (uint8_t)*p < 0x80)
        p++;
    return p;
}

/* A short string, from two words and no loop: most keys and many values.
 * io_p     at its opening quote, before end; moved behind the closing one
 * returns  false: it is another, and nothing was done */
static inline bool json_short_text(const char **io_p, const char *end, mw_value *ret)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const char *from = *io_p + 1;
    size_t left = (size_t)(end - from), count = 0, in_word;
    uint64_t words[2] = {mw_word_of(from, left), 0}, special = mw_word_special(words[0]);

    if (special) { /* behind the end there are zeros, which are special too */
        in_word = (size_t)__builtin_ctzll(special) >> 3;
        words[0] &= (UINT64_C(1) << 8 * in_word) - 1;
    } else {
        words[1] = mw_word_of(from + 8, left - 8);
        special = mw_word_special(words[1]);
        in_word = special ? (size_t)__builtin_ctzll(special) >> 3 : 7;
        words[1] &= (UINT64_C(1) << 8 * in_word) - 1;
        count = 8;
    }
    count += in_word;
    if (count > MW_SHORT_TEXT_BYTES || count >= left || from[count] != '"')
        return false;
    *ret = mw_short_text_of_words(words, count);
    *io_p = from + count + 1;
    return true;
#else
    (void)io_p;
    (void)end;
    (void)ret;
    return false;
#endif
}

#endif
