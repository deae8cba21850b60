/* Fields: which values are fit, and what comes out of C memory.
 * Not properties and wrong tables, those are property_test.c; not who may reach them, that is view_test.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "exposable/machine.h"

/* ---- fields ------------------------------------------------------------------------------------------ */
static void every_kind_of_field_is_read_and_written(void)
{
    struct machine m = {.i8 = -5, .u8 = 250, .i64 = INT64_MIN, .u16 = 65535, .f = 0.5f};
    mw_exposable *e = machine_new(&m);
    mw_value v;

    CHECK_INT(get(e, "i8").as.integer, -5);
    CHECK_INT(get(e, "u8").as.integer, 250);
    CHECK_INT(get(e, "u16").as.integer, 65535);
    CHECK(get(e, "i64").as.integer == INT64_MIN);
    CHECK(get(e, "f").as.real == 0.5);
    CHECK_INT(set(e, "on", mw_bool(true), NULL), 0);
    CHECK_INT(set(e, "i16", mw_int(-32768), NULL), 0);
    CHECK_INT(set(e, "u32", mw_int(UINT32_MAX), NULL), 0);
    CHECK_INT(set(e, "d", mw_real(0.1), NULL), 0);
    CHECK_INT(set(e, "f", mw_int(3), NULL), 0);
    CHECK_INT(set(e, "name", mw_text("abc"), NULL), 0);
    CHECK(m.on && m.i16 == -32768 && m.u32 == UINT32_MAX && m.d == 0.1 && m.f == 3.0f);
    CHECK_TEXT(m.name, "abc");
    v = get(e, "name");
    CHECK_TEXT(mw_get_text(&v, NULL), "abc");
    mw_release(v);
    mw_exposable_free(e);
}

static void an_int_that_does_not_fit_its_field_is_refused(void)
{
    static const struct {
        const char *name;
        int64_t smallest, largest;
        const char *what;
    } rows[] = {
        {"i8", INT8_MIN, INT8_MAX, "an 8-bit integer"},
        {"i16", INT16_MIN, INT16_MAX, "a 16-bit integer"},
        {"i32", INT32_MIN, INT32_MAX, "a 32-bit integer"},
        {"u8", 0, UINT8_MAX, "an unsigned 8-bit integer"},
        {"u16", 0, UINT16_MAX, "an unsigned 16-bit integer"},
        {"u32", 0, UINT32_MAX, "an unsigned 32-bit integer"},
    };
    struct machine m = {0};
    mw_exposable *e = machine_new(&m);
    struct mw_error error;
    char want[128];
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        CHECK_INT(set(e, rows[i].name, mw_int(rows[i].smallest), NULL), 0);
        CHECK_INT(get(e, rows[i].name).as.integer, rows[i].smallest);
        CHECK_INT(set(e, rows[i].name, mw_int(rows[i].largest), NULL), 0);
        CHECK_INT(get(e, rows[i].name).as.integer, rows[i].largest);
        CHECK_INT(set(e, rows[i].name, mw_int(rows[i].smallest - 1), NULL), -EINVAL);
        CHECK_INT(set(e, rows[i].name, mw_int(INT64_MAX), NULL), -EINVAL);
        CHECK_INT(set(e, rows[i].name, mw_int(INT64_MIN), NULL), -EINVAL);
        CHECK_INT(set(e, rows[i].name, mw_int(rows[i].largest + 1), &error), -EINVAL);
        (void)snprintf(want, sizeof(want), "%s: %lld does not fit %s", rows[i].name, (long long)rows[i].largest + 1,
                       rows[i].what);
        CHECK_TEXT(error.text, want);
        CHECK_INT(get(e, rows[i].name).as.integer, rows[i].largest);
    }
    mw_exposable_free(e);
}

static void a_set_touches_only_its_own_field(void)
{
    struct machine m;
    mw_exposable *e;
    unsigned char *bytes = (unsigned char *)&m;
    size_t i;

    memset(&m, 0x5a, sizeof(m));
    e = machine_new(&m);
    CHECK_INT(set(e, "i16", mw_int(0), NULL), 0);
    for (i = 0; i < sizeof(m); i++)
        CHECK_INT(bytes[i], i / 2 == offsetof(struct machine, i16) / 2 ? 0 : 0x5a);
    mw_exposable_free(e);
}

static void a_64_bit_int_also_takes_canonical_decimal_text(void)
{
    static const struct {
        const char *text;
        int err;
        int64_t want;
    } rows[] = {
        {"0", 0, 0},
        {"-1", 0, -1},
        {"42", 0, 42},
        {"9007199254740993", 0, INT64_C(9007199254740993)},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", -EINVAL, 0},
        {"-9223372036854775809", -EINVAL, 0},
        {"18446744073709551616", -EINVAL, 0},
        {"99999999999999999999", -EINVAL, 0},
        {"100000000000000000000", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"-", -EINVAL, 0},
        {"-0", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {"007", -EINVAL, 0},
        {"1.0", -EINVAL, 0},
        {"1e3", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
    };
    struct machine m = {0};
    mw_exposable *e = machine_new(&m);
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        m.i64 = 77;
        CHECK_INT(set(e, "i64", mw_text(rows[i].text), NULL), rows[i].err);
        CHECK_INT(m.i64, rows[i].err == 0 ? rows[i].want : 77);
    }
    CHECK_INT(set(e, "i64", mw_text_n("1\0", 2), NULL), -EINVAL);
    CHECK_INT(set(e, "i32", mw_text("1"), NULL), -EINVAL); /* narrow ints need no text */
    mw_exposable_free(e);
}

static void an_unsigned_int_above_int64_is_text_both_ways(void)
{
    struct machine m = {.u64 = UINT64_MAX};
    mw_exposable *e = machine_new(&m);
    mw_value v = get(e, "u64");

    CHECK_TEXT(mw_get_text(&v, NULL), "18446744073709551615");
    mw_release(v);
    CHECK_INT(set(e, "u64", mw_text("9223372036854775808"), NULL), 0);
    CHECK(m.u64 == UINT64_C(9223372036854775808));
    CHECK_INT(set(e, "u64", mw_text("18446744073709551616"), NULL), -EINVAL);
    CHECK_INT(set(e, "u64", mw_text("-1"), NULL), -EINVAL);
    CHECK_INT(set(e, "u64", mw_int(-1), NULL), -EINVAL);
    CHECK(m.u64 == UINT64_C(9223372036854775808));
    CHECK_INT(set(e, "u64", mw_int(INT64_MAX), NULL), 0);
    CHECK_INT(get(e, "u64").as.integer, INT64_MAX);
    CHECK_INT(set(e, "u64", mw_text("5"), NULL), 0);
    CHECK_INT(m.u64, 5);
    mw_exposable_free(e);
}

static void an_int_leaves_for_json_as_text_beyond_2_to_the_53(void)
{
    const mw_attribute *a = &machine_attributes[4];
    mw_value v = mw_attribute_wire(a, mw_int(INT64_C(9007199254740993)));

    CHECK_TEXT(mw_get_text(&v, NULL), "9007199254740993");
    mw_release(v);
    v = mw_attribute_wire(a, mw_int(-(INT64_C(1) << 53)));
    CHECK_INT(mw_kind_of(v), MW_INT);
    v = mw_attribute_wire(a, mw_int(INT64_MIN));
    CHECK_TEXT(mw_get_text(&v, NULL), "-9223372036854775808");
    mw_release(v);
}

static const mw_attribute one_float = {.name = "f", .field_bytes = sizeof(float), .kind = MW_REAL},
                          two_floats = {.name = "f", .field_bytes = 2 * sizeof(float), .element_bytes = sizeof(float), .kind = MW_REAL},
                          one_double = {.name = "d", .field_bytes = sizeof(double), .kind = MW_REAL};

static void check_leaves_as(int line, const mw_attribute *attribute, mw_value takes, const char *want)
{
    mw_value wire = mw_attribute_wire(attribute, takes), text = mw_format("{}", wire);

    if (strcmp(mw_get_text(&text, NULL), want) != 0) {
        fprintf(stderr, "%s:%d: leaves as %s, want %s\n", __FILE__, line, mw_get_text(&text, NULL), want);
        mw_test_fail();
    }
    mw_release(text);
    mw_release(wire);
    mw_release(takes);
}

static void a_float_leaves_for_json_with_its_own_digits(void)
{
    static const struct {
        float f;
        const char *text;
    } rows[] = {
        {0.1f, "0.1"},     {-0.3f, "-0.3"},         {21.7f, "21.7"},          {99.99999f, "99.99999"},   {3.1415927f, "3.1415927"},
        {1e-5f, "0.00001"}, {16777216, "16777216.0"}, {123456.79f, "123456.79"}, {1e16f, "10000000000000000.0"}, {0.5f, "0.5"},
        {0, "0.0"},        {2e-12f, "2e-12"},       {1e18f, "999999984306749400.0"} /* its digits do not matter */,
    };
    mw_value list = mw_list_new();
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++)
        check_leaves_as(__LINE__, &one_float, mw_real((double)rows[i].f), rows[i].text);
    (void)mw_list_append(&list, mw_real((double)0.1f));
    (void)mw_list_append(&list, mw_real((double)0.2f));
    check_leaves_as(__LINE__, &two_floats, list, "[0.1,0.2]");
    check_leaves_as(__LINE__, &one_double, mw_real((double)0.1f), "0.10000000149011612"); /* which a double holds */
}

static void whatever_float_leaves_comes_back_from_nine_digits_at_most(void)
{
    uint32_t bits;

    for (bits = 0x00800000; bits < 0x7f800000; bits += 9973) { /* all over the positive ones */
        char nine[32];
        double wire;
        float f;

        memcpy(&f, &bits, sizeof(f));
        wire = mw_attribute_wire(&one_float, mw_real((double)f)).as.real;
        CHECK((float)wire == f);
        (void)snprintf(nine, sizeof(nine), "%.9g", wire);
        CHECK(f < 1e-13f || f > 1e16f || strtod(nine, NULL) == wire);
    }
}

static void a_real_without_fraction_is_an_int(void)
{
    struct machine m = {0};
    mw_exposable *e = machine_new(&m);

    CHECK_INT(set(e, "i8", mw_real(12.0), NULL), 0);
    CHECK_INT(m.i8, 12);
    CHECK_INT(set(e, "i8", mw_real(12.5), NULL), -EINVAL);
    CHECK_INT(set(e, "i64", mw_real(1e300), NULL), -EINVAL);
    CHECK_INT(set(e, "i64", mw_real((double)NAN), NULL), -EINVAL);
    CHECK_INT(m.i8, 12);
    mw_exposable_free(e);
}

static void a_real_must_be_finite_and_fit(void)
{
    struct machine m = {.d = 1, .f = 1};
    mw_exposable *e = machine_new(&m);

    CHECK_INT(set(e, "d", mw_real((double)NAN), NULL), -EINVAL);
    CHECK_INT(set(e, "d", mw_real((double)INFINITY), NULL), -EINVAL);
    CHECK_INT(set(e, "f", mw_real(1e39), NULL), -EINVAL);
    CHECK_INT(set(e, "f", mw_real((double)FLT_MAX), NULL), 0);
    CHECK(m.f == FLT_MAX && m.d == 1);
    mw_exposable_free(e);
}

static void another_kind_is_refused_with_both_names(void)
{
    struct machine m = {0};
    mw_exposable *e = machine_new(&m);
    struct mw_error error;

    CHECK_INT(set(e, "i8", mw_text("12"), &error), -EINVAL);
    CHECK_TEXT(error.text, "i8: text given, int wanted");
    CHECK_INT(set(e, "on", mw_int(1), &error), -EINVAL);
    CHECK_TEXT(error.text, "on: int given, bool wanted");
    CHECK_INT(set(e, "name", mw_bytes("x", 1), &error), -EINVAL);
    CHECK_INT(set(e, "d", mw_null(), &error), -EINVAL);
    CHECK_TEXT(error.text, "d: null given, real wanted");
    CHECK_INT(set(e, "name", mw_list_new(), &error), -EINVAL);
    mw_exposable_free(e);
}

/* ---- texts ------------------------------------------------------------------------------------------- */
static void a_text_is_set_with_its_nul_or_not_at_all(void)
{
    struct machine m = {.name = "before"};
    mw_exposable *e = machine_new(&m);
    struct mw_error error;

    CHECK_INT(set(e, "name", mw_text("12345678"), &error), -EINVAL);
    CHECK_TEXT(error.text, "name: 8 bytes do not fit, there is room for 7");
    CHECK_TEXT(m.name, "before");
    CHECK_INT(set(e, "name", mw_text("1234567"), NULL), 0);
    CHECK_BYTES(m.name, 8, "1234567", 8);
    CHECK_INT(set(e, "name", mw_text("a"), NULL), 0);
    CHECK_BYTES(m.name, 8, "a\0\0\0\0\0\0", 8); /* nothing of the old text stays */
    CHECK_INT(set(e, "name", mw_text(""), NULL), 0);
    CHECK_TEXT(m.name, "");
    mw_exposable_free(e);
}

static void a_text_with_a_nul_or_broken_utf8_is_refused(void)
{
    struct machine m = {.name = "before"};
    mw_exposable *e = machine_new(&m);

    CHECK_INT(set(e, "name", mw_text_n("a\0b", 3), NULL), -EINVAL);
    CHECK_INT(set(e, "name", mw_text_n("\xff", 1), NULL), -EINVAL);
    CHECK_INT(set(e, "name", mw_text_n("\xc3", 1), NULL), -EINVAL);
    CHECK_TEXT(m.name, "before");
    CHECK_INT(set(e, "name", mw_text("\xc3\xa4"), NULL), 0);
    mw_exposable_free(e);
}

static void an_unterminated_array_is_read_to_its_end(void)
{
    struct machine m = {0};
    mw_exposable *e = machine_new(&m);
    mw_value v;
    size_t count = 0;

    memcpy(m.name, "12345678", 8);
    memset(m.note, 'x', sizeof(m.note));
    v = get(e, "name");
    CHECK_TEXT(mw_get_text(&v, &count), "12345678");
    mw_release(v);
    v = get(e, "note");
    (void)mw_get_text(&v, &count);
    CHECK_INT(count, sizeof(m.note));
    mw_release(v);
    mw_exposable_free(e);
}

static void bytes_that_are_no_utf8_fail_and_do_not_go_out(void)
{
    struct machine m = {0};
    mw_exposable *e = machine_new(&m);
    mw_view view = mw_view_of(e, marked, 1);
    mw_value v = mw_null();
    struct mw_error error;

    memcpy(m.name, "\xff\xfe", 2);
    CHECK_INT(mw_view_get_one(&view, "name", 4, &v, &error), -EIO);
    CHECK_TEXT(error.text, "name: holds bytes that are no UTF-8");
    CHECK_TEXT(mw_refusal_word(-EIO), "failed");
    v = mw_expose_get(e, mw_text("name"));
    CHECK_INT(mw_kind_of(v), MW_NULL);
    mw_exposable_free(e);
}

static void a_bool_that_is_neither_0_nor_1_is_true(void)
{
    struct machine m = {0};
    mw_exposable *e = machine_new(&m);

    memset(&m.on, 0x40, 1);
    CHECK(get(e, "on").as.boolean);
    mw_exposable_free(e);
}

static void fields_of_packed_structs_lie_anywhere(void)
{
    struct __attribute__((packed)) odd {
        char pad;
        int64_t i;
        double d;
        uint16_t u;
    } odd = {0};
    const mw_attribute attributes[] = {
        {MW_FIELD(struct odd, i), .kind = MW_INT, ALL},
        {MW_FIELD(struct odd, d), .kind = MW_REAL, ALL},
        {MW_FIELD(struct odd, u), .kind = MW_INT, .is_unsigned = true, ALL},
    };
    mw_exposable *e = NULL;

    CHECK_INT(mw_exposable_new(attributes, MW_COUNT(attributes), &odd, &e, NULL), 0);
    CHECK_INT(set(e, "i", mw_int(-2), NULL), 0);
    CHECK_INT(set(e, "d", mw_real(0.25), NULL), 0);
    CHECK_INT(set(e, "u", mw_int(65535), NULL), 0);
    CHECK_INT(get(e, "i").as.integer, -2);
    CHECK(get(e, "d").as.real == 0.25);
    CHECK_INT(get(e, "u").as.integer, 65535);
    mw_exposable_free(e);
}

static void a_field_of_a_nested_struct_has_a_dotted_name(void)
{
    struct plant {
        int32_t pad;
        struct {
            int32_t pad, speed;
        } motor;
    } plant = {.motor.speed = 7};
    const mw_attribute a = {MW_FIELD(struct plant, motor.speed), .kind = MW_INT, ALL};
    mw_exposable *e = NULL;

    CHECK_INT(mw_exposable_new(&a, 1, &plant, &e, NULL), 0);
    CHECK_INT(get(e, "motor.speed").as.integer, 7);
    CHECK_INT(set(e, "motor.speed", mw_int(8), NULL), 0);
    CHECK(plant.motor.speed == 8 && plant.motor.pad == 0);
    mw_exposable_free(e);
}

/* ---- ranges ------------------------------------------------------------------------------------------ */
static void a_range_holds_at_both_ends_exactly(void)
{
    static const struct {
        mw_range range;
        bool is_unsigned;
        const char *value;
        int err;
    } rows[] = {
        {MW_RANGE(5, 30), false, "5", 0},
        {MW_RANGE(5, 30), false, "4", -EINVAL},
        {MW_RANGE(5, 30), false, "30", 0},
        {MW_RANGE(5, 30), false, "31", -EINVAL},
        {MW_RANGE(-0.5, 0.5), false, "0", 0},
        {MW_RANGE(-0.5, 0.5), false, "1", -EINVAL},
        {MW_RANGE(-0.5, 0.5), false, "-1", -EINVAL},
        {MW_RANGE(0.5, 1.5), false, "0", -EINVAL},
        {MW_RANGE(-1.5, -0.5), false, "-1", 0},
        {MW_RANGE(-1.5, -0.5), false, "-2", -EINVAL},
        {MW_RANGE(-1.5, -0.5), false, "0", -EINVAL},
        {MW_RANGE(0, 0x1p53), false, "9007199254740992", 0},
        {MW_RANGE(0, 0x1p53), false, "9007199254740993", -EINVAL}, /* equal as doubles */
        {MW_RANGE(-0x1p63, 0x1p63), false, "9223372036854775807", 0},
        {MW_RANGE(-0x1p63, 0x1p63), false, "-9223372036854775808", 0},
        {MW_RANGE(-1e300, 1e300), false, "-9223372036854775808", 0},
        {MW_RANGE(1e300, 2e300), false, "9223372036854775807", -EINVAL},
        {MW_RANGE(-2e300, -1e300), false, "-9223372036854775808", -EINVAL},
        {MW_RANGE(0, 100), true, "18446744073709551615", -EINVAL},
        {MW_RANGE(0, 0x1p64), true, "18446744073709551615", 0},
        {MW_RANGE(0, 0x1p63), true, "9223372036854775808", 0},
        {MW_RANGE(0, 0x1p63), true, "9223372036854775809", -EINVAL},
        {MW_RANGE(0x1p63, 0x1p64), true, "9223372036854775807", -EINVAL},
        {MW_RANGE(0x1p64, 0x1p65), true, "18446744073709551615", -EINVAL},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        int64_t number = 0;
        const mw_attribute a = {.name = "n", .field_bytes = 8, .kind = MW_INT, .is_unsigned = rows[i].is_unsigned,
                                .range = rows[i].range, ALL};
        mw_exposable *e = NULL;
        struct mw_error error;

        CHECK_INT(mw_exposable_new(&a, 1, &number, &e, &error), 0);
        if (set(e, "n", mw_text(rows[i].value), NULL) != rows[i].err)
            CHECK_FAILED_("row %zu: %s in %g to %g\n", i, rows[i].value, rows[i].range.min, rows[i].range.max);
        mw_exposable_free(e);
    }
}

static void a_value_out_of_range_says_the_range_and_the_unit(void)
{
    double target = 20;
    const mw_attribute a = {.name = "target_c", .field_bytes = 8, .kind = MW_REAL, .range = MW_RANGE(5, 30),
                            .unit = "°C", ALL};
    mw_exposable *e = NULL;
    struct mw_error error;

    CHECK_INT(mw_exposable_new(&a, 1, &target, &e, NULL), 0);
    CHECK_INT(set(e, "target_c", mw_real(30.0001), &error), -EINVAL);
    CHECK_TEXT(error.text, "target_c: not within 5 to 30 °C");
    CHECK_INT(set(e, "target_c", mw_int(30), NULL), 0);
    CHECK(target == 30);
    mw_exposable_free(e);
}

static const struct mw_test tests[] = {
    TEST(every_kind_of_field_is_read_and_written),
    TEST(an_int_that_does_not_fit_its_field_is_refused),
    TEST(a_set_touches_only_its_own_field),
    TEST(a_64_bit_int_also_takes_canonical_decimal_text),
    TEST(an_unsigned_int_above_int64_is_text_both_ways),
    TEST(an_int_leaves_for_json_as_text_beyond_2_to_the_53),
    TEST(a_float_leaves_for_json_with_its_own_digits),
    TEST(whatever_float_leaves_comes_back_from_nine_digits_at_most),
    TEST(a_real_without_fraction_is_an_int),
    TEST(a_real_must_be_finite_and_fit),
    TEST(another_kind_is_refused_with_both_names),
    TEST(a_text_is_set_with_its_nul_or_not_at_all),
    TEST(a_text_with_a_nul_or_broken_utf8_is_refused),
    TEST(an_unterminated_array_is_read_to_its_end),
    TEST(bytes_that_are_no_utf8_fail_and_do_not_go_out),
    TEST(a_bool_that_is_neither_0_nor_1_is_true),
    TEST(fields_of_packed_structs_lie_anywhere),
    TEST(a_field_of_a_nested_struct_has_a_dotted_name),
    TEST(a_range_holds_at_both_ends_exactly),
    TEST(a_value_out_of_range_says_the_range_and_the_unit),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
