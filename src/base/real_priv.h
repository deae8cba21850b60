/* What reading and printing reals share: the layout of a double (IEEE 754 binary64), logarithms, one product.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_REAL_PRIV_H
#define BASE_REAL_PRIV_H

#include <stdint.h>

enum {
    REAL_FRACTION_BITS = 52,
    REAL_DROPPED = 64 - 53, /* of a word that holds a mantissa at its upper end */
    REAL_EXPONENT_BIAS = 1023,
    REAL_EXPONENT_LEAST = -1022, /* of a normal one */
    REAL_EXPONENT_MOST = 1023,
    REAL_DECIMAL_MOST = 308,
};
#define REAL_HIDDEN_BIT (UINT64_C(1) << REAL_FRACTION_BITS)
#define REAL_FRACTION_MASK (REAL_HIDDEN_BIT - 1)
#define REAL_INFINITY (UINT64_C(0x7ff) << REAL_FRACTION_BITS)

/* a * b, the lower half; the upper one in *ret_high. */
static inline uint64_t real_multiply(uint64_t a, uint64_t b, uint64_t *ret_high)
{
#ifdef __SIZEOF_INT128__
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    *ret_high = (uint64_t)(product >> 64);
    return (uint64_t)product;
#else
    uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX), left = (a >> 32) * (b & UINT32_MAX) + (low >> 32);
    uint64_t right = (a & UINT32_MAX) * (b >> 32) + (left & UINT32_MAX);

    *ret_high = (a >> 32) * (b >> 32) + (left >> 32) + (right >> 32);
    return right << 32 | (low & UINT32_MAX);
#endif
}

/* floor(log2(10^k)) for |k| up to 1,233: the factor is log2(10) with 19 bits behind the point. */
static inline int real_log2_of_ten(int k)
{
    return (k * 1741647) >> 19;
}

#endif
