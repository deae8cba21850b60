/* JSON: every case of tests/vectors/json, limits, errors, failed allocations.
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
    const char *directory = MW_SOURCE_DIR "/tests/vectors/json";
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
    static const char text[] =
        "{\"a long key that needs the heap\":[1,2,3,4,5,\"\\u0041 text that needs the heap\",{\"a\":1,\"b\":1,\"c\":1,"
        "\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1},0,0,0,0,0,0,0,0,0,0,0,\"\\u0041 longer than the scratch space "
        "..............................................................................................................."
        "..............................................................................................................."
        "...............................................................................................................\"]}";
    int64_t live = mw_memory_stats().live_blocks, n;
    int err = -ENOMEM;

    for (n = 1; err == -ENOMEM && n < 100; n++) {
        struct mw_error why;
        mw_value v = mw_null();

        (void)mw_memory_fail_at(n, false);
        err = mw_json_parse(text, sizeof(text) - 1, NULL, &v, &why);
        (void)mw_memory_fail_at(0, false);
        CHECK(err == 0 || (err == -ENOMEM && strstr(why.text, "JSON: out of memory at line 1")));
        mw_release(v);
        CHECK_INT(mw_memory_stats().live_blocks, live);
    }
    CHECK_INT(err, 0);
    CHECK(n > 9);
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

static void printing_without_memory_is_a_missing_value_and_leaks_nothing(void)
{
    int64_t live = mw_memory_stats().live_blocks;
    mw_value list = mw_list_new(), text;
    int64_t n;

    for (int i = 0; i < 200; i++)
        CHECK_INT(mw_list_append(&list, mw_text("short")), 0);
    for (n = 1;; n++) {
        (void)mw_memory_fail_at(n, false);
        text = mw_json_print(list);
        (void)mw_memory_fail_at(0, false);
        if (text.kind == MW_TEXT)
            break;
        CHECK_INT(mw_kind_of(text), MW_MISSING);
    }
    CHECK(n > 4);
    mw_release(text);
    mw_release(list);
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

/* What is said about each way to be wrong, and where. */
static void each_error_says_what_and_where(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", "JSON: ends too early at line 1, column 1"},
        {" ", "JSON: ends too early at line 1, column 2"},
        {"[1,", "JSON: ends too early at line 1, column 4"},
        {"{\"a\"", "JSON: no ':' after a key at line 1, column 5"},
        {"{\"a\":", "JSON: ends too early at line 1, column 6"},
        {"{\"a\":1,", "JSON: ends too early at line 1, column 8"},
        {"{\n1:2}", "JSON: no string as key at line 2, column 1"},
        {"{\"a\":1,}", "JSON: no string as key at line 1, column 8"},
        {"[1,]", "JSON: no JSON value at line 1, column 4"},
        {"[1 2]", "JSON: no ',' or ']' after a value at line 1, column 4"},
        {"{\"a\":1 2}", "JSON: no ',' or '}' after a value at line 1, column 8"},
        {"[1}", "JSON: no ',' or ']' after a value at line 1, column 3"},
        {"1 2", "JSON: something after the value at line 1, column 3"},
        {"nul", "JSON: no JSON value at line 1, column 1"},
        {"[1,\r\n\t01]", "JSON: malformed number at line 2, column 2"},
        {"-", "JSON: malformed number at line 1, column 1"},
        {"1e999", "JSON: number out of range at line 1, column 1"},
        {"\"abc", "JSON: string without end at line 1, column 5"},
        {"\"abc\\\"", "JSON: string without end at line 1, column 7"},
        {"[\"a\\x\"]", "JSON: malformed escape at line 1, column 4"},
        {"\"a\tb\"", "JSON: control character in a string at line 1, column 3"},
        {"\"abcdefghijklmnop\x80\"", "JSON: bytes that are no UTF-8 at line 1, column 18"},
        {"\"\\\xc3\"", "JSON: bytes that are no UTF-8 at line 1, column 3"},
        {"\xef\xbb\xbf" "1", "JSON: no JSON value at line 1, column 1"},
    };

    for (size_t i = 0; i < MW_COUNT(rows); i++) {
        struct mw_error why = {0};
        mw_value v;

        CHECK_INT(parse_exactly(rows[i].text, strlen(rows[i].text), NULL, &v, &why), -EPROTO);
        CHECK_TEXT(why.text, rows[i].want);
        CHECK_INT(parse_exactly(rows[i].text, strlen(rows[i].text), NULL, &v, NULL), -EPROTO);
    }
}

/* Strings of every length around the words that are looked at whole, with something special at every place. */
static void strings_of_every_length_are_read(void)
{
    static const char *const specials[] = {"", "\\n", "\xc3\xa9", "\\u00e9", "\\ud83d\\ude42", "\xf0\x9f\x99\x82"};
    static const char *const meant[] = {"", "\n", "\xc3\xa9", "\xc3\xa9", "\xf0\x9f\x99\x82", "\xf0\x9f\x99\x82"};

    for (size_t length = 0; length < 40; length++)
        for (size_t s = 0; s < MW_COUNT(specials); s++)
            for (size_t at = 0; at <= length; at++) {
                char text[128], want[128];
                const char *got;
                size_t count;
                mw_value v;

                snprintf(text, sizeof text, "\"%.*s%s%.*s\"", (int)at, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
                         specials[s], (int)(length - at), "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ");
                snprintf(want, sizeof want, "%.*s%s%.*s", (int)at, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
                         meant[s], (int)(length - at), "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ");
                CHECK_INT(parse_exactly(text, strlen(text), NULL, &v, NULL), 0);
                got = mw_get_text(&v, &count);
                CHECK_BYTES(got, count, want, strlen(want));
                mw_release(v);
            }
}

/* Every length of an integer, and what follows it. */
static void integers_of_every_length_are_read(void)
{
    static const char *const behind[] = {"", " ", ",1", ".5", "e0", "E+1"};

    for (int length = 1; length < 30; length++)
        for (size_t b = 0; b < MW_COUNT(behind); b++)
            for (int negative = 0; negative < 2; negative++) {
                char text[100], number[80];
                const mw_value *first;
                double d, want;
                mw_value v;

                snprintf(number, sizeof number, "%s%.*s%s", negative ? "-" : "", length, "9876543210987654321098765432109",
                         b < 3 ? "" : behind[b]);
                snprintf(text, sizeof text, "[%s%s]", number, b < 3 ? behind[b] : "");
                want = strtod(number, NULL);
                CHECK_INT(parse_exactly(text, strlen(text), NULL, &v, NULL), 0);
                first = mw_list_at(v, 0);
                CHECK(first != NULL);
                /* 9876543210987654321 is beyond int64, 987654321098765432 is not. */
                CHECK_INT(first->kind, length < 19 && b < 3 ? MW_INT : MW_REAL);
                if (first->kind == MW_INT)
                    CHECK_INT(first->as.integer, strtoll(number, NULL, 10));
                CHECK_INT(mw_get_real(*first, &d), 0);
                CHECK(memcmp(&d, &want, sizeof d) == 0);
                mw_release(v);
            }
}

static void many_values_outgrow_the_first_stack_of_values(void)
{
    int64_t live = mw_memory_stats().live_blocks;
    char text[20000] = "";
    size_t at = 0;
    mw_value v;

    text[at++] = '[';
    for (int i = 0; i < 3000; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", i ? "," : "", i);
    text[at++] = ']';
    CHECK_INT(parse_exactly(text, at, NULL, &v, NULL), 0);
    CHECK_INT(mw_list_count(v), 3000);
    for (int i = 0; i < 3000; i++)
        CHECK_INT(mw_list_at(v, (size_t)i)->as.integer, i);
    mw_release(v);
    CHECK_INT(parse_exactly(text, at - 1, NULL, &v, NULL), -EPROTO);
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

/* Work grows with the text, not with its square: no time is taken, allocations are counted. */
static void a_parse_allocates_once_per_container(void)
{
    static const char text[] = "{\"a\":[1,2,3],\"b\":{\"c\":true,\"d\":[]},\"e\":{}}";
    int64_t before = mw_memory_stats().allocations;
    mw_value v;

    CHECK_INT(mw_json_parse(text, sizeof(text) - 1, NULL, &v, NULL), 0);
    CHECK_INT(mw_memory_stats().allocations - before, 3);
    mw_release(v);
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
        TEST(printing_without_memory_is_a_missing_value_and_leaks_nothing),
        TEST(each_error_says_what_and_where),
        TEST(strings_of_every_length_are_read),
        TEST(integers_of_every_length_are_read),
        TEST(many_values_outgrow_the_first_stack_of_values),
        TEST(a_parse_allocates_once_per_container),
    };

    return mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
