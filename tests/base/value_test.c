/* Values: making, sharing, reading, comparing, printing, formatting.
 * SPDX-License-Identifier: MIT */
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <meshwork/value.h>

#include "base/memory.h"
#include "base/print.h"

static void check_json(const char *file, int line, mw_value takes, const char *want)
{
    struct mw_buffer b;

    mw_buffer_init(&b, 1 << 20);
    mw_check_int(file, line, "print", mw_print_json(&b, takes), 0);
    (void)mw_buffer_append_byte(&b, 0);
    mw_check_text(file, line, "json", (const char *)b.data, want);
    mw_buffer_clear(&b);
    mw_release(takes);
}
#define CHECK_JSON(value, want) check_json(__FILE__, __LINE__, (value), (want))

static void a_zeroed_value_is_null(void)
{
    mw_value v = {{0}, {0}, 0, 0, 0};

    CHECK_INT(mw_kind_of(v), MW_NULL);
    CHECK_INT(sizeof(v), 16);
}

static void text_of_up_to_13_bytes_allocates_nothing(void)
{
    int64_t before = mw_memory_stats().allocations;
    mw_value v = mw_text("thirteen byte");
    size_t count;

    CHECK_TEXT(mw_get_text(&v, &count), "thirteen byte");
    CHECK_INT(count, 13);
    CHECK_INT(mw_memory_stats().allocations, before);
    v = mw_text("");
    CHECK_TEXT(mw_get_text(&v, &count), "");
    CHECK_INT(count, 0);
}

static void longer_text_is_shared_not_copied(void)
{
    int64_t live = mw_memory_stats().live_blocks;
    mw_value a = mw_text("more than thirteen bytes"), b = mw_share(a);

    CHECK(mw_get_text(&a, NULL) == mw_get_text(&b, NULL));
    mw_release(a);
    CHECK_TEXT(mw_get_text(&b, NULL), "more than thirteen bytes");
    mw_release(b);
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

static void text_may_hold_nul(void)
{
    mw_value v = mw_text_n("a\0b", 3);
    size_t count;

    (void)mw_get_text(&v, &count);
    CHECK_INT(count, 3);
    CHECK_JSON(v, "\"a\\u0000b\"");
}

static void accessors_refuse_another_kind_and_leave_the_result_alone(void)
{
    int64_t i = 7;
    double d = 7;
    bool b = true;

    CHECK_INT(mw_get_int(mw_text("1"), &i), -EINVAL);
    CHECK_INT(mw_get_int(mw_real(1.5), &i), -EINVAL);
    CHECK_INT(mw_get_int(mw_real(1e300), &i), -EINVAL);
    CHECK_INT(mw_get_int(mw_real((double)NAN), &i), -EINVAL);
    CHECK_INT(i, 7);
    CHECK_INT(mw_get_real(mw_bool(true), &d), -EINVAL);
    CHECK_INT(mw_get_bool(mw_int(1), &b), -EINVAL);
    CHECK_INT(mw_get_int(mw_real(3), &i), 0);
    CHECK_INT(i, 3);
    CHECK_INT(mw_get_real(mw_int(4), &d), 0);
    CHECK(d > 3.9 && d < 4.1);
}

static void a_map_keeps_the_order_of_its_keys_and_replaces_in_place(void)
{
    mw_value m = mw_map_new();

    CHECK_INT(mw_map_set(&m, "b", mw_int(1)), 0);
    CHECK_INT(mw_map_set(&m, "a", mw_int(2)), 0);
    CHECK_INT(mw_map_set(&m, "b", mw_int(3)), 0);
    CHECK_JSON(m, "{\"b\":3,\"a\":2}");
}

static void a_large_map_finds_every_key_also_after_removals(void)
{
    mw_value m = mw_map_new();
    char key[32];

    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        CHECK_INT(mw_map_set(&m, key, mw_int(i)), 0);
    }
    for (int i = 0; i < 1000; i += 2) {
        snprintf(key, sizeof(key), "key %d", i);
        CHECK_INT(mw_map_remove(&m, key), 0);
    }
    CHECK_INT(mw_map_count(m), 500);
    for (int i = 0; i < 1000; i++) {
        const mw_value *v;

        snprintf(key, sizeof(key), "key %d", i);
        v = mw_map_get(m, key);
        CHECK((v != NULL) == (i % 2 == 1));
        CHECK(!v || v->as.integer == i);
    }
    CHECK_INT(mw_map_remove(&m, "no"), -ENOENT);
    mw_release(m);
}

static void changing_a_shared_container_leaves_the_other_holder_its_own(void)
{
    mw_value list = mw_list_new(), other, map = mw_map_new(), other_map;

    CHECK_INT(mw_list_append(&list, mw_text("a text that needs the heap")), 0);
    other = mw_share(list);
    CHECK_INT(mw_list_append(&list, mw_int(2)), 0);
    CHECK_INT(mw_list_count(other), 1);
    CHECK_INT(mw_list_count(list), 2);
    for (int i = 0; i < 12; i++) {
        char key[8];

        snprintf(key, sizeof(key), "k%d", i);
        CHECK_INT(mw_map_set(&map, key, mw_int(i)), 0);
    }
    other_map = mw_share(map);
    CHECK_INT(mw_map_set(&map, "k1", mw_int(99)), 0);
    CHECK_INT(mw_map_get(other_map, "k1")->as.integer, 1);
    CHECK_INT(mw_map_get(map, "k1")->as.integer, 99);
    mw_release(list);
    mw_release(other);
    mw_release(map);
    mw_release(other_map);
}

static mw_value nested(int depth)
{
    mw_value v = mw_list_new();

    for (int i = 1; i < depth; i++) {
        mw_value outer = mw_list_new();

        CHECK_INT(mw_list_append(&outer, v), 0);
        v = outer;
    }
    return v;
}

/* Far more than a stack has room for. */
#if defined(__x86_64__)
enum { MANY_LEVELS = 1000000 };
#else
enum { MANY_LEVELS = 150000 }; /* most likely in an emulator */
#endif

static void a_million_levels_are_compared_and_released_without_recursion(void)
{
    int64_t live = mw_memory_stats().live_blocks;
    mw_value a = nested(MANY_LEVELS), b = nested(MANY_LEVELS), c = nested(MANY_LEVELS - 1);

    CHECK(mw_equal(a, b));
    CHECK(!mw_equal(a, c));
    mw_release(a);
    mw_release(b);
    mw_release(c);
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

static void deeper_than_64_levels_does_not_print(void)
{
    mw_value at_limit = nested(MW_PRINT_DEPTH), beyond = nested(MW_PRINT_DEPTH + 1);
    struct mw_buffer b;

    mw_buffer_init(&b, 1024);
    CHECK_INT(mw_print_json(&b, at_limit), 0);
    CHECK_INT(b.count, 2 * MW_PRINT_DEPTH);
    CHECK_INT(mw_print_json(&b, beyond), -EMSGSIZE);
    mw_buffer_clear(&b);
    mw_release(at_limit);
    mw_release(beyond);
}

static void equality_is_of_content(void)
{
    mw_value a = mw_map_new(), b = mw_map_new();

    CHECK(!mw_equal(mw_int(1), mw_real(1)));
    CHECK(mw_equal(mw_real(0.0), mw_real(-0.0)));
    CHECK(mw_equal(mw_real((double)NAN), mw_real((double)NAN)));
    CHECK(!mw_equal(mw_real(1), mw_real(2)));
    CHECK(mw_equal(mw_text("x"), mw_text("x")));
    CHECK(!mw_equal(mw_text("x"), mw_null()));
    CHECK_INT(mw_map_set(&a, "x", mw_int(1)), 0);
    CHECK_INT(mw_map_set(&a, "y", mw_text("a text that needs the heap")), 0);
    CHECK_INT(mw_map_set(&b, "y", mw_text("a text that needs the heap")), 0);
    CHECK_INT(mw_map_set(&b, "x", mw_int(1)), 0);
    CHECK(mw_equal(a, b));
    CHECK_INT(mw_map_remove(&b, "x"), 0);
    CHECK_INT(mw_map_set(&b, "z", mw_int(1)), 0);
    CHECK(!mw_equal(a, b));
    mw_release(a);
    mw_release(b);
}

static void reals_print_in_the_shortest_form_that_reads_back(void)
{
    CHECK_JSON(mw_real(0.1), "0.1");
    CHECK_JSON(mw_real(1), "1.0");
    CHECK_JSON(mw_real(-0.0), "-0.0");
    CHECK_JSON(mw_real(1e300), "1e+300");
    CHECK_JSON(mw_real(0.1 + 0.2), "0.30000000000000004");
    CHECK_JSON(mw_real(5e-324), "5e-324");
    CHECK_JSON(mw_real((double)INFINITY), "null");
}

static void a_locale_with_a_comma_changes_no_number(void)
{
    char *before = setlocale(LC_NUMERIC, NULL);

    /* Where the locale is not installed this tests only the plain one. */
    (void)setlocale(LC_NUMERIC, "de_DE.UTF-8");
    CHECK_JSON(mw_real(1.5), "1.5");
    (void)setlocale(LC_NUMERIC, before);
}

static void integers_print_exactly(void)
{
    CHECK_JSON(mw_int(0), "0");
    CHECK_JSON(mw_int(INT64_MIN), "-9223372036854775808");
    CHECK_JSON(mw_int(INT64_MAX), "9223372036854775807");
}

/* Into a fresh buffer, which has no room yet, and behind what stands in it. */
static void check_int_prints(int64_t i)
{
    struct mw_buffer b;
    char want[64];

    mw_buffer_init(&b, 1 << 20);
    CHECK_INT(mw_print_int(&b, i), 0);
    CHECK_INT(mw_buffer_append_byte(&b, ' '), 0);
    CHECK_INT(mw_print_int(&b, i), 0);
    (void)snprintf(want, sizeof(want), "%" PRId64 " %" PRId64, i, i);
    CHECK_BYTES(b.data, b.count, want, strlen(want));
    mw_buffer_clear(&b);
}

static void integers_of_every_length_print_as_the_c_library_prints_them(void)
{
    uint64_t random = 1, power;
    int i;

    for (power = 1; power <= UINT64_C(1000000000000000000); power *= 10) {
        check_int_prints((int64_t)power);
        check_int_prints((int64_t)power - 1);
        check_int_prints(-(int64_t)power);
        check_int_prints((int64_t)(power * 9 + power / 7));
    }
    for (i = 0; i < 100000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        check_int_prints((int64_t)(random >> random % 63));
    }
    check_int_prints(INT64_MIN);
    check_int_prints(INT64_MAX);
}

static void an_integer_that_passes_the_limit_is_not_printed_in_part(void)
{
    struct mw_buffer b;

    mw_buffer_init(&b, 10);
    CHECK_INT(mw_print_int(&b, 1234567890), 0);
    CHECK_INT(mw_print_int(&b, 1), -EMSGSIZE);
    CHECK_BYTES(b.data, b.count, "1234567890", 10);
    mw_buffer_clear(&b);
    mw_buffer_init(&b, 9);
    CHECK_INT(mw_print_int(&b, 1234567890), -EMSGSIZE);
    CHECK_INT(b.count, 0);
    mw_buffer_clear(&b);
}

static void text_prints_escaped_and_bad_utf8_as_replacement(void)
{
    CHECK_JSON(mw_text("q\" b\\ n\n t\t \x01 \x1f \x7f"), "\"q\\\" b\\\\ n\\n t\\t \\u0001 \\u001f \x7f\"");
    CHECK_JSON(mw_text("h\xc3\xa9 \xf0\x9f\x99\x82"), "\"h\xc3\xa9 \xf0\x9f\x99\x82\"");
    CHECK_JSON(mw_text("a\xff z"), "\"a\xef\xbf\xbd z\"");
    CHECK_JSON(mw_text("a\xe2\x82"), "\"a\xef\xbf\xbd\"");
    CHECK_JSON(mw_text("\xc3\xa9\xff\xc3\xa9"), "\"\xc3\xa9\xef\xbf\xbd\xc3\xa9\"");
}

static void bytes_print_as_base64(void)
{
    CHECK_JSON(mw_bytes("", 0), "\"\"");
    CHECK_JSON(mw_bytes("f", 1), "\"Zg==\"");
    CHECK_JSON(mw_bytes("fo", 2), "\"Zm8=\"");
    CHECK_JSON(mw_bytes("foo", 3), "\"Zm9v\"");
    CHECK_JSON(mw_bytes("\xff\xfe\xfd\xfc", 4), "\"//79/A==\"");
}

static void formats_fill_braces(void)
{
    mw_value v = mw_format("2x{}", mw_int(7)), text = mw_text("Hello"), list = mw_list_new();

    CHECK_TEXT(mw_get_text(&v, NULL), "2x7");
    mw_release(v);
    CHECK_INT(mw_list_append(&list, mw_share(text)), 0);
    v = mw_format("{}, {{}} {} {}", text, list);
    CHECK_TEXT(mw_get_text(&v, NULL), "Hello, {} [\"Hello\"] {}");
    mw_release(v);
    v = mw_format("no brace", text);
    CHECK_TEXT(mw_get_text(&v, NULL), "no brace");
    mw_release(v);
    mw_release(list);
}

static void a_format_says_the_kind_of_what_has_no_json_form(void)
{
    int thing = 0;
    mw_value opaque = mw_opaque(&thing, NULL), list = mw_list_new(), deep = nested(MW_PRINT_DEPTH + 1), v;

    CHECK_INT(mw_list_append(&list, mw_int(1)), 0);
    CHECK_INT(mw_list_append(&list, mw_share(opaque)), 0);
    v = mw_format("{}, {}, {}.", opaque, list, deep);
    CHECK_TEXT(mw_get_text(&v, NULL), "<opaque>, <list>, <list>.");
    mw_release(v);
    mw_release(opaque);
    mw_release(list);
    mw_release(deep);
}

static void a_format_keeps_other_braces_and_passes_on_a_missing_value(void)
{
    mw_value missing, v = mw_format("{ {x} } }} {", mw_int(1));

    CHECK_TEXT(mw_get_text(&v, NULL), "{ {x} } } {");
    (void)mw_memory_fail_at(1, false);
    missing = mw_bytes("more than thirteen bytes", 24);
    (void)mw_memory_fail_at(0, false);
    CHECK_INT(mw_kind_of(mw_format("{}", missing)), MW_MISSING);
    (void)mw_memory_fail_at(1, false);
    CHECK_INT(mw_kind_of(mw_format("{}", mw_int(1))), MW_MISSING);
    (void)mw_memory_fail_at(0, false);
}

static void every_kind_has_a_name(void)
{
    static const char *const names[] = {"null",  "bool", "int", "real",   "text",
                                        "bytes", "list", "map", "opaque", "missing"};

    for (size_t kind = 0; kind < MW_COUNT(names); kind++)
        CHECK_TEXT(mw_kind_name((enum mw_kind)kind), names[kind]);
    CHECK_TEXT(mw_kind_name((enum mw_kind)99), "unknown");
}

static void bytes_of_any_length_are_kept(void)
{
    mw_value b = mw_bytes("\0more than thirteen bytes\0", 26);
    bool is_true = false;
    size_t count;
    const char *bytes = mw_get_text(&b, &count);

    CHECK_BYTES(bytes, count, "\0more than thirteen bytes\0", 26);
    CHECK_INT(bytes[26], 0);
    mw_release(b);
    b = mw_int(1);
    CHECK(mw_get_text(&b, NULL) == NULL && mw_get_opaque(b) == NULL);
    CHECK(mw_get_bool(mw_bool(true), &is_true) == 0 && is_true);
    CHECK_INT(mw_kind_of(mw_text(NULL)), MW_NULL);
}

static void deep_values_differ_when_there_is_no_memory_to_compare_them(void)
{
    mw_value a = nested(100), b = nested(100);

    CHECK(mw_equal(a, b) && mw_equal(a, a));
    (void)mw_memory_fail_at(1, true);
    CHECK(!mw_equal(a, b));
    CHECK(mw_equal(a, a)); /* one and the same needs no walk */
    (void)mw_memory_fail_at(0, false);
    mw_release(a);
    mw_release(b);
}

static int released;
static void note_release(void *pointer)
{
    released += *(int *)pointer;
}

static void an_opaque_value_is_released_once_by_the_last_holder(void)
{
    int one = 1;
    mw_value v = mw_opaque(&one, note_release), list = mw_list_new();

    released = 0;
    CHECK(mw_get_opaque(v) == &one);
    CHECK_INT(mw_list_append(&list, mw_share(v)), 0);
    mw_release(v);
    CHECK_INT(released, 0);
    mw_release(list);
    CHECK_INT(released, 1);
}

static void an_opaque_value_without_memory_is_released_at_once(void)
{
    int one = 1, other = 1;
    mw_value a, b, c;

    released = 0;
    (void)mw_memory_fail_at(1, false);
    CHECK_INT(mw_kind_of(mw_opaque(&one, note_release)), MW_MISSING);
    (void)mw_memory_fail_at(0, false);
    CHECK_INT(released, 1);
    a = mw_opaque(&one, NULL);
    b = mw_opaque(&one, NULL);
    c = mw_opaque(&other, NULL);
    CHECK(mw_equal(a, b) && !mw_equal(a, c));
    mw_release(a);
    mw_release(b);
    mw_release(c);
}

/* Every allocation of a small story fails in turn; each time nothing leaks and what was there stays. */
static void a_failed_allocation_leaves_containers_as_they_were(void)
{
    int64_t live = mw_memory_stats().live_blocks;

    for (int64_t n = 1; n < 40; n++) {
        mw_value map, shared, list;

        (void)mw_memory_fail_at(n, false);
        map = mw_map_new();
        for (int i = 0; i < 12; i++) {
            char key[40];
            size_t before = mw_map_count(map);

            snprintf(key, sizeof(key), "a key longer than thirteen bytes %d", i);
            if (mw_map_set(&map, key, mw_text("another text on the heap")) < 0)
                CHECK_INT(mw_map_count(map), before);
        }
        shared = mw_share(map);
        if (mw_map_set(&map, "x", mw_int(1)) < 0)
            CHECK(mw_equal(map, shared));
        list = mw_list_new();
        if (mw_list_append(&list, mw_share(map)) < 0)
            CHECK_INT(mw_list_count(list), 0);
        (void)mw_memory_fail_at(0, false);
        mw_release(map);
        mw_release(shared);
        mw_release(list);
        CHECK_INT(mw_memory_stats().live_blocks, live);
    }
}

static void a_missing_value_is_refused_by_containers(void)
{
    mw_value list = mw_list_new(), missing;

    (void)mw_memory_fail_at(1, false);
    missing = mw_text("a text that needs the heap");
    (void)mw_memory_fail_at(0, false);
    CHECK_INT(mw_kind_of(missing), MW_MISSING);
    CHECK_INT(mw_list_append(&list, missing), -ENOMEM);
    CHECK_INT(mw_list_append(&missing, mw_int(1)), -EINVAL);
    mw_release(list);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_zeroed_value_is_null),
        TEST(text_of_up_to_13_bytes_allocates_nothing),
        TEST(longer_text_is_shared_not_copied),
        TEST(text_may_hold_nul),
        TEST(accessors_refuse_another_kind_and_leave_the_result_alone),
        TEST(a_map_keeps_the_order_of_its_keys_and_replaces_in_place),
        TEST(a_large_map_finds_every_key_also_after_removals),
        TEST(changing_a_shared_container_leaves_the_other_holder_its_own),
        TEST(a_million_levels_are_compared_and_released_without_recursion),
        TEST(deeper_than_64_levels_does_not_print),
        TEST(equality_is_of_content),
        TEST(reals_print_in_the_shortest_form_that_reads_back),
        TEST(a_locale_with_a_comma_changes_no_number),
        TEST(integers_print_exactly),
        TEST(integers_of_every_length_print_as_the_c_library_prints_them),
        TEST(an_integer_that_passes_the_limit_is_not_printed_in_part),
        TEST(text_prints_escaped_and_bad_utf8_as_replacement),
        TEST(bytes_print_as_base64),
        TEST(formats_fill_braces),
        TEST(a_format_says_the_kind_of_what_has_no_json_form),
        TEST(a_format_keeps_other_braces_and_passes_on_a_missing_value),
        TEST(every_kind_has_a_name),
        TEST(bytes_of_any_length_are_kept),
        TEST(deep_values_differ_when_there_is_no_memory_to_compare_them),
        TEST(an_opaque_value_is_released_once_by_the_last_holder),
        TEST(an_opaque_value_without_memory_is_released_at_once),
        TEST(a_failed_allocation_leaves_containers_as_they_were),
        TEST(a_missing_value_is_refused_by_containers),
    };

    return mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
