/* Values of a kind that is not wanted: each is refused with what was wanted, and what came instead.
 * SPDX-License-Identifier: MIT */
#include <meshwork/value.h>

#include <errno.h>

#include "base/memory.h"
#include "check.h"

static mw_value list_of(size_t count)
{
    mw_value list = mw_list_new();

    while (count-- > 0)
        CHECK_INT(mw_list_append(&list, mw_int(1)), 0);
    return list;
}

static void what_is_wanted_is_given_as_by_the_quiet_accessors(void)
{
    struct mw_error error = {0};
    mw_value text = mw_text("abc");
    const char *bytes = NULL;
    size_t count = 0;
    int64_t i = 0;
    double d = 0;
    bool b = false;

    CHECK_INT(mw_expect_int(mw_int(42), "speed", &i, &error), 0);
    CHECK_INT(i, 42);
    CHECK_INT(mw_expect_int(mw_real(7.0), "speed", &i, &error), 0);
    CHECK_INT(i, 7);
    CHECK_INT(mw_expect_real(mw_int(2), "gain", &d, &error), 0);
    CHECK(d == 2.0);
    CHECK_INT(mw_expect_bool(mw_bool(true), "open", &b, &error), 0);
    CHECK(b);
    CHECK_INT(mw_expect_text(&text, "name", &bytes, &count, &error), 0);
    CHECK_TEXT(bytes, "abc");
    CHECK_INT(count, 3);
    CHECK_INT(mw_expect_text(&text, "name", &bytes, NULL, &error), 0);
    CHECK_INT(mw_expect_kind(mw_null(), NULL, MW_NULL, &error), 0);
    CHECK_TEXT(error.text, "");
    mw_release(text);
}

static void an_int_where_text_is_wanted_is_refused_with_both(void)
{
    struct mw_error error = {0};
    mw_value item = mw_int(42);
    const char *bytes = NULL;

    CHECK_INT(mw_expect_text(&item, "receive 'parser'", &bytes, NULL, &error), -EINVAL);
    CHECK_TEXT(error.text, "receive 'parser': want text, got int 42");
    CHECK_INT(error.code, -EINVAL);
    CHECK(bytes == NULL);
    CHECK_INT(mw_expect_text(&item, NULL, &bytes, NULL, &error), -EINVAL);
    CHECK_TEXT(error.text, "want text, got int 42");
    CHECK_INT(mw_expect_text(&item, NULL, &bytes, NULL, NULL), -EINVAL);
}

static void each_kind_is_named_with_as_much_of_it_as_helps(void)
{
    static const char longest[] = "a text that goes on for longer than anybody would want to read in a message";
    struct {
        mw_value value;
        const char *want;
    } rows[] = {
        {mw_null(), "want int, got null"},
        {mw_bool(true), "want int, got bool true"},
        {mw_real(1.5), "want int, got real 1.5"},
        {mw_text("a\nb"), "want int, got text \"a\\nb\""},
        {mw_text(longest), "want int, got text \"a text that goes on for longer than anybody would want to r..."},
        {mw_bytes("abc", 3), "want int, got bytes"},
        {list_of(3), "want int, got list of 3"},
        {mw_map_new(), "want int, got map of 0"},
        {mw_opaque(rows, NULL), "want int, got opaque"},
        {{.kind = MW_MISSING}, "want int, got missing"},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        struct mw_error error = {0};
        int64_t number = 5;

        CHECK_INT(mw_expect_int(rows[i].value, NULL, &number, &error), -EINVAL);
        CHECK_TEXT(error.text, rows[i].want);
        CHECK_INT(number, 5);
        mw_release(rows[i].value);
    }
}

static void a_long_text_is_cut_between_characters(void)
{
    struct mw_error error = {0};
    mw_value v = mw_text("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\u00e4\u00e4\u00e4\u00e4");
    bool b;

    CHECK_INT(mw_expect_bool(v, NULL, &b, &error), -EINVAL);
    CHECK_TEXT(error.text, "want bool, got text \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...");
    mw_release(v);
}

static void the_others_say_what_they_want_too(void)
{
    struct mw_error error = {0};
    double d;

    CHECK_INT(mw_expect_real(mw_bool(false), "gain", &d, &error), -EINVAL);
    CHECK_TEXT(error.text, "gain: want real, got bool false");
    CHECK_INT(mw_expect_kind(mw_int(1), "add", MW_LIST, &error), -EINVAL);
    CHECK_TEXT(error.text, "add: want list, got int 1");
}

static void without_memory_it_is_refused_as_well(void)
{
    struct mw_error error = {0};
    int64_t i;

    (void)mw_memory_fail_at(1, true);
    CHECK_INT(mw_expect_int(mw_bool(true), "speed", &i, &error), -EINVAL);
    (void)mw_memory_fail_at(0, false);
    CHECK_TEXT(error.text, "speed: want int, got something");
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(what_is_wanted_is_given_as_by_the_quiet_accessors),
        TEST(an_int_where_text_is_wanted_is_refused_with_both),
        TEST(each_kind_is_named_with_as_much_of_it_as_helps),
        TEST(a_long_text_is_cut_between_characters),
        TEST(the_others_say_what_they_want_too),
        TEST(without_memory_it_is_refused_as_well),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
