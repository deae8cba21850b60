/* Reals: printed with the fewest digits, read to the nearest, against the C library for many of them.
 * SPDX-License-Identifier: MIT */
#include "base/real.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "check.h"

/* Seeded: the same numbers in each run (xorshift64*). */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static double real_of_bits(uint64_t bits)
{
    double d;

    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint64_t bits_of_real(double d)
{
    uint64_t bits;

    memcpy(&bits, &d, sizeof bits);
    return bits;
}

static void reals_print_as_javascript_prints_them(void)
{
    static const struct {
        double real;
        const char *want;
    } rows[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {-1, "-1.0"},
        {10, "10.0"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {123.456, "123.456"},
        {1e15, "1000000000000000.0"},
        {123456789012345680000.0, "123456789012345680000.0"},
        {1e20, "100000000000000000000.0"},
        {1e21, "1e+21"},
        {1.5e21, "1.5e+21"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {9007199254740993.0, "9007199254740992.0"},
        {1e-5, "0.00001"},
        {1e-6, "0.000001"},
        {1e-7, "1e-7"},
        {1.25e-7, "1.25e-7"},
        {5e-324, "5e-324"},
        {1.5e-323, "1.5e-323"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_EPSILON, "2.220446049250313e-16"},
        {9.5e-3, "0.0095"},
        {2e-44, "2e-44"},
        {8.41e21, "8.41e+21"},
        {9.2233720368547758e18, "9223372036854776000.0"},
    };

    for (size_t i = 0; i < MW_COUNT(rows); i++) {
        char text[MW_REAL_BYTES + 1];

        text[mw_real_print(rows[i].real, text)] = '\0';
        CHECK_TEXT(text, rows[i].want);
    }
}

/* The fewest digits with which the C library prints something that reads back. */
static int fewest_digits(double d)
{
    char text[64];

    for (int precision = 1; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, d);
        if (strtod(text, NULL) == d)
            return precision;
    }
    return 17;
}

static int digits_in(const char *text)
{
    int count = 0, zeros = 0;

    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9')
            continue;
        if (*text == '0' && count > 0)
            zeros++;
        else if (*text != '0') {
            count += zeros + 1;
            zeros = 0;
        }
    }
    return count;
}

static void check_both_ways(double d, bool is_digit_count_checked)
{
    char text[MW_REAL_BYTES + 1];
    size_t count = mw_real_print(d, text);

    CHECK(count <= MW_REAL_BYTES);
    text[count] = '\0';
    if (bits_of_real(strtod(text, NULL)) != bits_of_real(d) || bits_of_real(mw_real_read(text, count)) != bits_of_real(d))
        CHECK_FAILED_("%.17g prints as %s, which the C library reads as %.17g, we as %.17g\n", d, text,
                      strtod(text, NULL), mw_real_read(text, count));
    if (is_digit_count_checked && digits_in(text) > fewest_digits(d))
        CHECK_FAILED_("%.17g prints as %s: %d digits would do\n", d, text, fewest_digits(d));
}

static void every_power_of_two_and_its_neighbours_go_both_ways(void)
{
    for (int e = -1074; e <= 1023; e++) {
        double d = ldexp(1, e);

        check_both_ways(d, true);
        check_both_ways(nextafter(d, (double)INFINITY), true);
        check_both_ways(nextafter(d, 0), true);
    }
}

static void random_reals_go_both_ways_with_the_fewest_digits(void)
{
    uint64_t seed = 20261123;

    for (int i = 0; i < 200000; i++) {
        double d = real_of_bits(random_next(&seed));

        if (isfinite(d))
            check_both_ways(d, i % 16 == 0);
    }
    for (int i = 0; i < 50000; i++) {
        check_both_ways((double)(int64_t)(random_next(&seed) >> (i % 60)) / 1000, i % 16 == 0);
        check_both_ways(real_of_bits(random_next(&seed) >> 12 >> (i % 52)), i % 16 == 0); /* subnormal */
    }
}

static void check_reads_as_the_c_library_does(const char *text)
{
    double got = mw_real_read(text, strlen(text)), want = strtod(text, NULL);

    if (bits_of_real(got) != bits_of_real(want))
        CHECK_FAILED_("%s reads as %.17g, want %.17g\n", text, got, want);
}

static void decimals_of_any_length_read_to_the_nearest(void)
{
    uint64_t seed = 42;

    for (int i = 0; i < 100000; i++) {
        char text[1024];
        size_t digits = 1 + random_next(&seed) % (i % 10 == 0 ? 700 : 25), point = random_next(&seed) % (digits + 1), at = 0;
        int exponent = (int)(random_next(&seed) % 700) - 350;

        if (random_next(&seed) % 2)
            text[at++] = '-';
        if (point == 0)
            text[at++] = '0';
        for (size_t k = 0; k < digits; k++) {
            if (k == point)
                text[at++] = '.';
            text[at++] = (char)('0' + random_next(&seed) % 10);
        }
        if (random_next(&seed) % 4)
            snprintf(text + at, sizeof text - at, "e%d", exponent);
        else
            text[at] = '\0';
        check_reads_as_the_c_library_does(text);
    }
}

/* Decimals right at the middle between two doubles, and just beside it: only exact arithmetic tells. */
static void ties_go_to_the_even_one_and_what_is_beside_them_does_not(void)
{
    uint64_t seed = 7;

    for (int i = 0; i < 3000; i++) {
        uint64_t bits = random_next(&seed) & ~(UINT64_C(1) << 63);
        long double middle;
        char text[MW_REAL_TEXT_BYTES], beside[MW_REAL_TEXT_BYTES + 8];
        double d;

        if (i % 3 == 0)
            bits >>= 12; /* subnormal */
        d = real_of_bits(bits);
        if (!isfinite(d) || d == 0 || d > 1e300)
            continue;
        middle = ((long double)d + (long double)nextafter(d, (double)INFINITY)) / 2;
        snprintf(text, sizeof text, "%.770Le", middle);
        check_reads_as_the_c_library_does(text);
        /* One more, or one less, in the last digit. */
        memcpy(beside, text, sizeof text);
        if (strchr(beside, 'e')) {
            char *last = strchr(beside, 'e') - 1;

            *last = (char)(*last == '0' ? '1' : *last - 1);
            check_reads_as_the_c_library_does(beside);
        }
    }
}

static void hard_cases_of_others_read_right(void)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0e400",
        "0e-999999999999999999999",
        "1e400",
        "-1e400",
        "1e999999999999999999999",
        "1e-400",
        "1e-999999999999999999999",
        "9007199254740993",
        "9007199254740992.999999999999999999999999",
        "9007199254740993.0000000000000000000000000000000001",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "2.2250738585072014e-308",
        "2.4703282292062327208e-324",
        "2.4703282292062328e-324",
        "2.47032822920623272088284396434110686182e-324",
        "2.47032822920623272088284396434110686183e-324",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330"
        "286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069"
        "855571366959622842914819860834936475292719074168444365510704342711559699508093042880",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330"
        "286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069"
        "855571366959622842914819860834936475292719074168444365510704342711559699508093042879.999",
        "8.5e22",
        "8.533e68",
        "1e23",
        "9.5367431640625e-07",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000000123e80",
        "100000000000000000000000000000000000000000000000000000000000000000000000000000001",
        "6929495644600919.5",
        "3.518437208883201171875e13",
        "30078505129381147446200",
        "1448997445238699",
    };

    for (size_t i = 0; i < MW_COUNT(texts); i++)
        check_reads_as_the_c_library_does(texts[i]);
}

static void a_thousand_digits_are_read(void)
{
    char text[MW_REAL_TEXT_BYTES + 1];

    memset(text, '9', sizeof text);
    text[1] = '.';
    memcpy(text + MW_REAL_TEXT_BYTES - 5, "e-308", 5);
    text[MW_REAL_TEXT_BYTES] = '\0';
    check_reads_as_the_c_library_does(text);
    memset(text, '0', sizeof text - 1);
    text[1] = '.';
    text[400] = '7';
    check_reads_as_the_c_library_does(text);
    /* As far below the point as it goes, with the exponent that brings it back. */
    memcpy(text + MW_REAL_TEXT_BYTES - 5, "1e399", 5);
    check_reads_as_the_c_library_does(text);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(reals_print_as_javascript_prints_them),
        TEST(every_power_of_two_and_its_neighbours_go_both_ways),
        TEST(random_reals_go_both_ways_with_the_fewest_digits),
        TEST(decimals_of_any_length_read_to_the_nearest),
        TEST(ties_go_to_the_even_one_and_what_is_beside_them_does_not),
        TEST(hard_cases_of_others_read_right),
        TEST(a_thousand_digits_are_read),
    };

    return mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
