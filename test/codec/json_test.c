/* JSON: every case of test/vectors/json, limits, errors, failed allocations.
 * SPDX-License-Identifier: MIT */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <meshwork/json.h>
#include <stdlib.h>

#include "base/memory.h"

static char *read_whole(const char *directory, const char *name, const char *file, size_t *ret_count)
{
    char path[1024];
    FILE *f;
    char *bytes;

    snprintf(path, sizeof(path), "%s/%s/%s", directory, name, file);
    f = fopen(path, "rb");
    CHECK(f != NULL);
    bytes = malloc(1 << 20);
    CHECK(bytes != NULL);
    *ret_count = fread(bytes, 1, (1 << 20) - 1, f);
    bytes[*ret_count] = '\0';
    fclose(f);
    return bytes;
}

/* Copied to a block of just its size, so that a sanitizer sees a step beyond it. */
static int parse_exactly(const char *text, size_t count, const struct mw_json_limits *limits, mw_value *ret,
                         struct mw_error *ret_error)
{
    char *exact = malloc(count ? count : 1);
    int err;

    CHECK(exact != NULL);
    memcpy(exact, text, count);
    err = mw_json_parse(exact, count, limits, ret, ret_error);
    free(exact);
    return err;
}

static void check_case(const char *directory, const char *name)
{
    size_t in_count, want_count;
    char *in = read_whole(directory, name, "in", &in_count), *want = read_whole(directory, name, "want", &want_count);
    struct mw_error why = {0};
    mw_value v = mw_null(), text = mw_null(), again = mw_null();
    int err = parse_exactly(in, in_count, NULL, &v, &why);
    const char *got = "refused";

    if (err == 0) {
        size_t count;

        text = mw_json_print(v);
        got = mw_get_text(&text, &count);
        CHECK_INT(mw_json_parse(got, count, NULL, &again, NULL), 0);
        CHECK(mw_equal(v, again));
    } else {
        CHECK(why.code == err && why.line > 0 && why.column > 0 && strstr(why.text, "JSON: "));
    }
    if (strcmp(got, want) != 0) {
        fprintf(stderr, "%s: got %s, want %s\n", name, got, want);
        CHECK_TEXT(got, want);
    }
    mw_release(v);
    mw_release(text);
    mw_release(again);
    free(in);
    free(want);
}

static void every_vector_is_accepted_as_it_should_or_refused(void)
{
    const char *directory = MW_SOURCE_DIR "/test/vectors/json";
    DIR *d = opendir(directory);
    struct dirent *entry;
    int cases = 0;

    CHECK(d != NULL);
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        check_case(directory, entry->d_name);
        cases++;
    }
    closedir(d);
    CHECK(cases >= 150);
}

static void an_error_says_line_and_column(void)
{
    static const char text[] = "{\n  \"a\": 1,\n  \"b\": tru\n}";
    struct mw_error why;
    mw_value v;

    CHECK_INT(parse_exactly(text, sizeof(text) - 1, NULL, &v, &why), -EPROTO);
    CHECK_INT(why.line, 3);
    CHECK_INT(why.column, 8);
    CHECK_TEXT(why.text, "JSON: no JSON value at line 3, column 8");
}

static void limits_hold_at_their_bound_and_not_before(void)
{
    static const struct {
        const char *note, *text;
        struct mw_json_limits limits;
        int want;
    } rows[] = {
        {"depth at", "[[1]]", {.depth = 2}, 0},
        {"depth over", "[[[1]]]", {.depth = 2}, -EMSGSIZE},
        {"depth never above 64", "[[1]]", {.depth = 1000}, 0},
        {"tokens at: a list, a key, two values", "[{\"a\":1}]", {.tokens = 4}, 0},
        {"tokens over", "[{\"a\":1}]", {.tokens = 3}, -EMSGSIZE},
        {"keys at", "{\"a\":1,\"b\":2}", {.keys = 2}, 0},
        {"keys over, also when they repeat", "{\"a\":1,\"a\":2,\"a\":3}", {.keys = 2}, -EMSGSIZE},
        {"key bytes at", "{\"abcd\":1}", {.key_bytes = 4}, 0},
        {"key bytes over", "{\"abcde\":1}", {.key_bytes = 4}, -EMSGSIZE},
        {"number at", "12.45", {.number_bytes = 5}, 0},
        {"number over", "12.456", {.number_bytes = 5}, -EMSGSIZE},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        mw_value v = mw_null();
        int err = parse_exactly(rows[i].text, strlen(rows[i].text), &rows[i].limits, &v, NULL);

        if (err != rows[i].want)
            fprintf(stderr, "%s\n", rows[i].note);
        CHECK_INT(err, rows[i].want);
        mw_release(v);
    }
}

static void a_failure_leaves_the_result_alone(void)
{
    mw_value v = mw_int(7);

    CHECK_INT(parse_exactly("[1,2", 4, NULL, &v, NULL), -EPROTO);
    CHECK_INT(v.as.integer, 7);
}

static void every_failed_allocation_is_an_error_and_leaks_nothing(void)
{
    static const char text[] = "{\"a long key that needs the heap\":[1,2,3,4,5,\"\\u0041 text that needs the heap\","
                               "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1}]}";
    int64_t live = mw_memory_stats().live_blocks, n;
    int err = -ENOMEM;

    for (n = 1; err == -ENOMEM && n < 100; n++) {
        mw_value v = mw_null();

        (void)mw_memory_fail_at(n, false);
        err = mw_json_parse(text, sizeof(text) - 1, NULL, &v, NULL);
        (void)mw_memory_fail_at(0, false);
        mw_release(v);
        CHECK_INT(mw_memory_stats().live_blocks, live);
    }
    CHECK_INT(err, 0);
    CHECK(n > 8);
}

/* Each byte of a text is replaced by each of some others: never a crash, and what is accepted prints and reads back. */
static void a_changed_byte_never_does_harm(void)
{
    static const char text[] = "{\"a\":[1,-2.5e3,\"x\\u00e9\\n\",null,true,{}]}";
    static const char others[] = "\0\"\\{}[],:0-.eu \x80\xff";
    char changed[sizeof(text)];

    for (size_t at = 0; at < sizeof(text) - 1; at++)
        for (size_t o = 0; o < sizeof(others); o++) {
            mw_value v = mw_null(), printed;

            memcpy(changed, text, sizeof(text));
            changed[at] = others[o];
            if (parse_exactly(changed, sizeof(text) - 1, NULL, &v, NULL) == 0) {
                printed = mw_json_print(v);
                CHECK_INT(mw_kind_of(printed), MW_TEXT);
                mw_release(printed);
            }
            mw_release(v);
        }
}

static void what_has_no_json_form_does_not_print(void)
{
    int thing = 0;
    mw_value list = mw_list_new();

    CHECK_INT(mw_list_append(&list, mw_opaque(&thing, NULL)), 0);
    CHECK_INT(mw_kind_of(mw_json_print(list)), MW_MISSING);
    mw_release(list);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(every_vector_is_accepted_as_it_should_or_refused),
        TEST(an_error_says_line_and_column),
        TEST(limits_hold_at_their_bound_and_not_before),
        TEST(a_failure_leaves_the_result_alone),
        TEST(every_failed_allocation_is_an_error_and_leaks_nothing),
        TEST(a_changed_byte_never_does_harm),
        TEST(what_has_no_json_form_does_not_print),
    };

    return mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
