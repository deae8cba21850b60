/* Eight bytes at a time: a few bytes as one word; which of them stand for themselves in a JSON string, or in a header's value.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The first eight bytes, or all where there are fewer, as one word in the order of memory; 0 behind them. */
static inline uint64_t mw_word_of(const void *from, size_t byte_count)
{
    const uint8_t *bytes = from;
    uint64_t word = 0;

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint32_t low, high;

    if (byte_count >= 8) {
        memcpy(&word, bytes, 8);
    } else if (byte_count >= 4) {
        memcpy(&low, bytes, 4);
        memcpy(&high, bytes + byte_count - 4, 4); /* overlaps low */
        word = low | (uint64_t)high << 8 * (byte_count - 4);
    } else if (byte_count > 0) {
        word = bytes[0];
        word |= (uint64_t)bytes[byte_count / 2] << 8 * (byte_count / 2);
        word |= (uint64_t)bytes[byte_count - 1] << 8 * (byte_count - 1);
    }
#else
    memcpy(&word, bytes, byte_count < 8 ? byte_count : 8);
#endif
    return word;
}

/* Two words that are worked on together: a vector where the processor has any (gcc and clang; a wider one would not stay in registers). Copied in and
 * out by memcpy. */
typedef uint64_t mw_lanes __attribute__((vector_size(16)));

/* Both or-ed together. */
#define mw_lanes_or(lanes) ((lanes)[0] | (lanes)[1])

/* Not 0: a byte is a control character, a quote, a backslash or beyond ASCII; the lowest bit set is in the
 * least significant such byte (above it a borrow may set more). */
static inline uint64_t mw_word_special(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';

    return (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | word) & tops;
}

/* Not 0: a byte may be a control character, DEL among them; 0: none is. Bytes beyond ASCII are none. */
static inline uint64_t mw_word_controls(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t del = word ^ ones * 0x7f;

    return (((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & tops;
}

#endif
