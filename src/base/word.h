/* Eight bytes at a time: which of them stand for themselves in a JSON string.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include <stdint.h>

/* Not 0: a byte is a control character, a quote, a backslash or beyond ASCII; the lowest bit set is in the
 * least significant such byte (above it a borrow may set more). */
static inline uint64_t mw_word_special(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';

    return (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | word) & tops;
}

#endif
