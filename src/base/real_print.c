/* Printing reals with the fewest digits that read back: the method of R. Giulietti, "The Schubfach way to render
 * doubles" (2020). Of the decimals in a double's rounding interval the shortest is taken, of those the nearest.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/digits.h"
#include "base/real.h"
#include "base/real_priv.h"

/* floor(log10(2^e)), or with is_closer floor(log10(3/4 * 2^e)); for |e| up to 1,500. */
static int real_log10_of_two(int e, bool is_closer)
{
    return (e * 1262611 - (is_closer ? 524031 : 0)) >> 22;
}

/* The upper 64 bits of factor times a power of ten (of 128 bits), the last bit set where anything follows: enough
 * to compare with multiples of two exactly. */
static uint64_t real_scale(const uint64_t power[2], uint64_t factor)
{
    uint64_t low_high, high_high, high_low;

    (void)real_multiply(power[1], factor, &low_high); /* its lower half is below what can matter */
    high_low = real_multiply(power[0], factor, &high_high);
    high_low += low_high;
    high_high += high_low < low_high;
    return high_high | (high_low > 1);
}

/* Decimal digits and exponent of a positive finite double. */
static uint64_t real_shortest(uint64_t bits, int *ret_exponent)
{
    uint64_t fraction = bits & REAL_FRACTION_MASK, field = bits >> REAL_FRACTION_BITS;
    uint64_t mantissa = field ? fraction | REAL_HIDDEN_BIT : fraction;
    int two = (int)(field ? field : 1) - REAL_EXPONENT_BIAS - REAL_FRACTION_BITS;
    bool is_closer = fraction == 0 && field > 1; /* to the next smaller one than to the next greater one */
    bool is_odd = mantissa & 1;                  /* then the interval is without its ends */
    int ten = real_log10_of_two(two, is_closer), shift = two + real_log2_of_ten(-ten) + 1;
    const uint64_t *power = real_powers[-ten - REAL_POWER_LEAST];
    /* In units of 10^ten / 4: the middles to both neighbours, and the value between them. */
    uint64_t least = real_scale(power, (4 * mantissa - 2 + is_closer) << shift) + is_odd;
    uint64_t value = real_scale(power, (4 * mantissa) << shift);
    uint64_t most = real_scale(power, (4 * mantissa + 2) << shift) - is_odd;
    uint64_t down = value / 4, tens = down / 10;
    bool down_fits, up_fits;

    *ret_exponent = ten;
    if (tens > 0) {
        down_fits = least <= 40 * tens;
        up_fits = 40 * tens + 40 <= most;
        if (down_fits != up_fits) {
            *ret_exponent = ten + 1;
            return tens + up_fits;
        }
    }
    down_fits = least <= 4 * down;
    up_fits = 4 * down + 4 <= most;
    if (down_fits != up_fits)
        return down + up_fits;
    /* Both or neither: the nearer one, of two as near the even one. */
    return down + (value > 4 * down + 2 || (value == 4 * down + 2 && (down & 1)));
}

/* d.ddde+XX; what may be written behind the exponent is still within MW_REAL_BYTES: 22 bytes come before it at most. */
static char *real_put_exponential(char *out, const char *digits, size_t count, int exponent)
{
    *out++ = digits[0];
    if (count > 1) {
        *out++ = '.';
        memcpy(out, digits + 1, count - 1);
        out += count - 1;
    }
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    return out + mw_digits_print((uint64_t)(exponent < 0 ? -exponent : exponent), out);
}

/* point: how many of the digits stand before it; negative: zeros behind it come first. */
static char *real_put_plain(char *out, const char *digits, int count, int point)
{
    if (point <= 0) {
        *out++ = '0';
        *out++ = '.';
        memset(out, '0', (size_t)-point);
        out += -point;
        memcpy(out, digits, (size_t)count);
        return out + count;
    }
    if (point < count) {
        memcpy(out, digits, (size_t)point);
        out += point;
        *out++ = '.';
        memcpy(out, digits + point, (size_t)(count - point));
        return out + count - point;
    }
    memcpy(out, digits, (size_t)count);
    memset(out + count, '0', (size_t)(point - count));
    out += point;
    *out++ = '.';
    *out++ = '0';
    return out;
}

size_t mw_real_print(double finite, char ret[MW_REAL_BYTES])
{
    /* The bounds at which JavaScript's Number::toString changes its form. */
    enum { POINT_LEAST = -5, POINT_MOST = 21 };
    uint64_t bits, digits = 0;
    char text[MW_DIGITS_BYTES], *out = ret;
    int exponent = 0, count;

    memcpy(&bits, &finite, sizeof(bits));
    if (bits >> 63)
        *out++ = '-';
    bits &= ~(UINT64_C(1) << 63);
    if (bits > 0)
        digits = real_shortest(bits, &exponent);
    while (digits > 0 && digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    count = (int)mw_digits_print(digits, text);
    if (count + exponent >= POINT_LEAST && count + exponent <= POINT_MOST)
        out = real_put_plain(out, text, count, count + exponent);
    else
        out = real_put_exponential(out, text, (size_t)count, count + exponent - 1);
    return (size_t)(out - ret);
}
