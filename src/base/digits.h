/* Whole numbers to decimal digits, eight at a time: a few multiplications where a loop divides eight times.
 * Not signs, points or exponents; those are in print.c and real_print.c.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_DIGITS_H
#define BASE_DIGITS_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { MW_DIGITS_BYTES = 24 }; /* 20 digits at most, and what is written behind them */

/* The digits of a number below 10^8 as bytes 0 to 9, the first in the lowest byte. Numbers side by side in one word are divided together:
 * x * 10486 >> 20 is x / 100 below 10^4, x * 103 >> 10 is x / 10 below 100. */
static inline uint64_t mw_eight_digits(uint64_t number)
{
    uint64_t halves = number / 10000 | number % 10000 << 32;
    uint64_t hundreds = halves * 10486 >> 20 & UINT64_C(0x0000007f0000007f);
    uint64_t pairs = hundreds | (halves - hundreds * 100) << 16;
    uint64_t tens = pairs * 103 >> 10 & UINT64_C(0x000f000f000f000f);

    return tens | (pairs - tens * 10) << 8;
}

static inline void mw_digits_put(char *out, uint64_t digits)
{
    uint64_t text = htole64(digits | UINT64_C(0x3030303030303030));

    memcpy(out, &text, sizeof(text));
}

/* Below 10^8, without zeros before it. */
static inline size_t mw_digits_print_short(uint64_t number, char *out)
{
    uint64_t digits = mw_eight_digits(number);
    unsigned zeros = digits ? (unsigned)__builtin_ctzll(digits) / 8 : 7;

    mw_digits_put(out, digits >> 8 * zeros);
    return 8 - zeros;
}

/* ret      no NUL behind; all of it may be written
 * returns  how many of the bytes are the number: 1 to 20 */
static inline size_t mw_digits_print(uint64_t number, char ret[MW_DIGITS_BYTES])
{
    const uint64_t block = 100000000;
    size_t count;

    if (number < 10) { /* many are */
        ret[0] = (char)('0' + number);
        return 1;
    }
    if (number < block)
        return mw_digits_print_short(number, ret);
    if (number / block < block) {
        count = mw_digits_print_short(number / block, ret);
    } else {
        count = mw_digits_print_short(number / block / block, ret);
        mw_digits_put(ret + count, mw_eight_digits(number / block % block));
        count += 8;
    }
    mw_digits_put(ret + count, mw_eight_digits(number % block));
    return count + 8;
}

#endif
