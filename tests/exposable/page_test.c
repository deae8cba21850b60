/* The example of docs/exposable.md, compiled and run; and that the page shows this very text.
 * SPDX-License-Identifier: MIT */
#include "check.h"

/* page: */
#include <meshwork/exposable.h>
#include <stdio.h>

struct thermostat {
    double reading_c, target_c;
    int16_t fan;
    char api_key[64];
};

/* 1. Declare. MW_FIELD gives name, offset and size; the rest is what one may know about it. */
static const mw_attribute thermostat_attributes[] = {
    {MW_FIELD(struct thermostat, reading_c), .kind = MW_REAL, .read_only = true, .unit = "°C", .marks = MW_GETTABLE},
    {MW_FIELD(struct thermostat, target_c), .kind = MW_REAL, .range = MW_RANGE(5, 30), .unit = "°C"},
    {MW_FIELD(struct thermostat, fan), .kind = MW_INT},
    {MW_FIELD(struct thermostat, api_key), .kind = MW_TEXT},
};

static int thermostat_page(void)
{
    struct thermostat t = {.reading_c = 20.5, .target_c = 21};
    mw_exposable *e = NULL;
    struct mw_error error;

    if (mw_exposable_new(thermostat_attributes, MW_COUNT(thermostat_attributes), &t, &e, &error) < 0)
        return printf("%s\n", error.text);

    /* 2. Directly, only what is marked can be reached: all else reads as null. */
    mw_value reading = mw_expose_get(e, mw_text("reading_c")); /* 20.5 */
    mw_value target = mw_expose_get(e, mw_text("target_c"));   /* null */

    /* 3. A policy. Nothing said is denied, a deny wins over everything. */
    mw_policy *operate = mw_policy_new("operate");
    if (!operate || mw_policy_parse(operate, "exposed", "target_c, fan", &error) < 0 ||
        mw_policy_parse(operate, "deny_settable", "fan", &error) < 0)
        return -1;

    /* 4. A view: the object and a list of policies, whose union decides. NULL in the list stands for the marks.
     * It is a value on the stack and owns nothing, so it also does for the length of a block. */
    const mw_policy *const roles[] = {operate, NULL};
    mw_view view = mw_view_of(e, roles, MW_COUNT(roles));

    /* One name gives one value; a list gives a map. */
    mw_value fan = mw_view_get(&view, mw_text("fan")); /* 0 */

    /* One at a time, with the reason. */
    int err = mw_view_set_one(&view, "target_c", 8, mw_real(35), &error);
    printf("%s: %s\n", mw_refusal_word(err), error.text); /* invalid: target_c: not within 5 to 30 °C */
    err = mw_view_set_one(&view, "api_key", 7, mw_real(35), &error);
    printf("%s\n", mw_refusal_word(err)); /* denied: and not a word about its kind */

    mw_release(reading);
    mw_release(target);
    mw_release(fan);
    mw_policy_free(operate);
    mw_exposable_free(e);
    return 0;
}
/* :page */

#include <stdlib.h>

/* A whole file as a C string. returned owned: free */
static char *read_all(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 100000);

    CHECK(file != NULL && text != NULL);
    CHECK(fread(text, 1, 99999, file) > 0);
    CHECK_INT(fclose(file), 0);
    return text;
}

static void the_page_shows_what_is_compiled_here(void)
{
    char *page = read_all(MW_SOURCE_DIR "/docs/exposable.md");
    char *source = read_all(MW_SOURCE_DIR "/tests/exposable/page_test.c");
    char *from = strstr(source, "/* page: */\n");
    char *to = strstr(source, "/* :page */\n");

    CHECK(from != NULL && to != NULL);
    *to = '\0';
    CHECK(strstr(page, from + strlen("/* page: */\n")) != NULL);
    free(page);
    free(source);
}

static void the_page_runs(void)
{
    CHECK_INT(thermostat_page(), 0);
}

static const struct mw_test tests[] = {
    TEST(the_page_shows_what_is_compiled_here),
    TEST(the_page_runs),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
