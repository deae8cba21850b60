/* Reading reals: bounds from one 64 by 128 bit product, and long arithmetic for the few that lie too near a tie.
 * Printing is real_print.c. Read next: real_print.c.
 * SPDX-License-Identifier: MIT */
#include "base/real.h"

#include <string.h>

#include "base/real_priv.h"

enum {
    DIGITS_IN_WORD = 19,
    BIG_LIMBS = 96, /* 6,144 bits: MW_REAL_TEXT_BYTES digits, and the power that goes with them: below 4,700 */
    EXPONENT_CAP = 100000,
};

/* ---- the text ------------------------------------------------------------------------------------------ */
struct decimal {
    uint64_t digits;   /* the first 19 significant ones */
    int64_t exponent;  /* of ten, for digits as an integer */
    bool is_cut;       /* more digits follow, one of them not 0 */
    bool is_negative;
    const char *first, *end; /* the significant digits, perhaps with a point among them */
    size_t count;            /* of significant digits, those behind the cut included */
};

static int64_t decimal_exponent(const char *p, const char *end)
{
    bool is_negative = false;
    int64_t exponent = 0;

    if (p < end && (*p == '+' || *p == '-'))
        is_negative = *p++ == '-';
    for (; p < end; p++)
        if (exponent < EXPONENT_CAP)
            exponent = exponent * 10 + (*p - '0');
    return is_negative ? -exponent : exponent;
}

static struct decimal decimal_scan(const char *text, size_t byte_count)
{
    const char *p = text, *end = text + byte_count;
    struct decimal d = {.first = end};
    bool is_fraction = false;

    if (p < end && *p == '-') {
        d.is_negative = true;
        p++;
    }
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            is_fraction = true;
            continue;
        }
        if (d.count == 0 && *p == '0') {
            d.exponent -= is_fraction;
            continue;
        }
        if (d.count++ == 0)
            d.first = p;
        if (d.count <= DIGITS_IN_WORD) {
            d.digits = d.digits * 10 + (uint64_t)(*p - '0');
            d.exponent -= is_fraction;
        } else {
            d.is_cut = d.is_cut || *p != '0';
            d.exponent += !is_fraction;
        }
    }
    d.end = p;
    if (p < end)
        d.exponent += decimal_exponent(p + 1, end);
    return d;
}

/* ---- rounding -------------------------------------------------------------------------------------------- */
/* 192 bits, times a power of two. */
struct product {
    uint64_t high, middle, low;
    int exponent;
};

static struct product product_add(struct product p, uint64_t high, uint64_t middle, uint64_t low)
{
    uint64_t carry;

    p.low += low;
    carry = p.low < low;
    p.middle += carry;
    carry = p.middle < carry;
    p.middle += middle;
    carry += p.middle < middle;
    p.high += high + carry;
    return p;
}

static struct product product_subtract(struct product p, uint64_t low)
{
    uint64_t borrow = p.low < low;

    p.low -= low;
    p.high -= p.middle < borrow;
    p.middle -= borrow;
    return p;
}

/* The nearest double to a product whose high word is not 0, as bits; ties to even. */
static uint64_t product_round(struct product p)
{
    int zeros = __builtin_clzll(p.high), exponent = p.exponent + 191 - zeros, drop = REAL_DROPPED;
    uint64_t head = p.high, rest, half, mantissa;
    bool has_tail;

    if (zeros > 0)
        head = head << zeros | p.middle >> (64 - zeros);
    has_tail = (p.middle << zeros) != 0 || p.low != 0;
    if (exponent > REAL_EXPONENT_MOST)
        return REAL_INFINITY;
    if (exponent < REAL_EXPONENT_LEAST)
        drop += REAL_EXPONENT_LEAST - exponent;
    if (drop > 64)
        return 0;
    rest = drop == 64 ? head : head & ((UINT64_C(1) << drop) - 1);
    half = UINT64_C(1) << (drop - 1);
    mantissa = drop == 64 ? 0 : head >> drop;
    mantissa += rest > half || (rest == half && (has_tail || (mantissa & 1)));
    /* The hidden bit is one in the exponent's field; a carry out of the mantissa is one more there, as it should. */
    if (exponent < REAL_EXPONENT_LEAST)
        return mantissa;
    return ((uint64_t)(exponent - REAL_EXPONENT_LEAST) << REAL_FRACTION_BITS) + mantissa;
}

/* ---- exactly ------------------------------------------------------------------------------------------------ */
struct big {
    size_t count;
    uint64_t limbs[BIG_LIMBS]; /* the least first */
};

static void big_multiply_add(struct big *b, uint64_t factor, uint64_t more)
{
    for (size_t i = 0; i < b->count; i++) {
        uint64_t high, low = real_multiply(b->limbs[i], factor, &high);

        low += more;
        more = high + (low < more);
        b->limbs[i] = low;
    }
    if (more > 0 && b->count < BIG_LIMBS)
        b->limbs[b->count++] = more;
}

static void big_multiply_power(struct big *b, uint64_t base, uint64_t step, int64_t step_power, int64_t power)
{
    for (; power >= step_power; power -= step_power)
        big_multiply_add(b, step, 0);
    for (; power > 0; power--)
        big_multiply_add(b, base, 0);
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (size_t i = a->count; i-- > 0;)
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

/* How the decimal compares with the middle between a double, given as bits, and the next one: -1, 0, 1. */
static int decimal_compare_middle(const struct decimal *d, uint64_t bits)
{
    uint64_t fraction = bits & REAL_FRACTION_MASK, field = bits >> REAL_FRACTION_BITS;
    uint64_t middle = 2 * (field ? fraction | REAL_HIDDEN_BIT : fraction) + 1;
    int64_t two = (int64_t)(field ? field : 1) - REAL_EXPONENT_BIAS - REAL_FRACTION_BITS - 1;
    int64_t ten = d->exponent - (int64_t)(d->count > DIGITS_IN_WORD ? d->count - DIGITS_IN_WORD : 0);
    struct big left = {0}, right = {.count = 1, .limbs = {middle}};

    for (const char *p = d->first; p < d->end; p++)
        if (*p != '.')
            big_multiply_add(&left, 10, (uint64_t)(*p - '0'));
    /* left * 10^ten against right * 2^two: each power goes where its exponent is positive. */
    two -= ten;
    big_multiply_power(ten > 0 ? &left : &right, 5, UINT64_C(7450580596923828125), 27, ten > 0 ? ten : -ten);
    big_multiply_power(two > 0 ? &right : &left, 2, UINT64_C(1) << 62, 62, two > 0 ? two : -two);
    return big_compare(&left, &right);
}

/* ---- all together --------------------------------------------------------------------------------------------- */
/* The two doubles that the decimal may be, as bits: all that is known of it lies between them. Mostly they are one. */
static void decimal_bound(const struct decimal *d, uint64_t *ret_least, uint64_t *ret_most)
{
    int k = (int)d->exponent, shift = __builtin_clzll(d->digits);
    const uint64_t *power = real_powers[k - REAL_POWER_LEAST];
    uint64_t digits = d->digits << shift, carry;
    struct product p = {.exponent = real_log2_of_ten(k) - 127 - shift};

    p.middle = real_multiply(digits, power[0], &p.high);
    p.low = real_multiply(digits, power[1], &carry);
    p = product_add(p, 0, carry, 0);
    *ret_most = product_round(d->is_cut ? product_add(p, shift ? power[0] >> (64 - shift) : 0,
                                                      power[0] << shift | (shift ? power[1] >> (64 - shift) : 0),
                                                      power[1] << shift)
                                        : p);
    /* The power was rounded up by less than one in its last place. */
    *ret_least = product_round(k < 0 || k > REAL_POWER_EXACT_MOST ? product_subtract(p, digits) : p);
}

static uint64_t decimal_round(const struct decimal *d)
{
    uint64_t least, most;
    int order;

    if (d->digits == 0 || d->exponent < REAL_POWER_LEAST)
        return 0; /* below 2^64 * 10^-343, which is less than half the smallest double */
    if (d->exponent > REAL_DECIMAL_MOST)
        return REAL_INFINITY;
    decimal_bound(d, &least, &most);
    if (least == most)
        return least;
    order = decimal_compare_middle(d, least);
    return order < 0 || (order == 0 && !(least & 1)) ? least : least + 1;
}

double mw_real_read(const char *text, size_t byte_count)
{
    /* Both exact, and one rounding: the nearest double (Clinger's fast path). */
    static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                          1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal d = decimal_scan(text, byte_count);
    uint64_t bits;
    double real;

    if (d.count <= DIGITS_IN_WORD && d.digits <= REAL_HIDDEN_BIT * 2 && d.exponent >= -22 && d.exponent <= 22) {
        real = (double)d.digits;
        real = d.exponent < 0 ? real / exact_powers[-d.exponent] : real * exact_powers[d.exponent];
        return d.is_negative ? -real : real;
    }
    bits = decimal_round(&d) | (uint64_t)d.is_negative << 63;
    memcpy(&real, &bits, sizeof(real));
    return real;
}
