/* Policies: their text, their odd names, all or none.
 * Not their union over an object; that is view_test.c and oracle_test.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/exposable.h>

#include <errno.h>

#include "check.h"

/* The rights of one policy on a name. */
static int rights(const mw_policy *policy, const char *name, size_t name_bytes)
{
    const mw_policy *list[1] = {policy};
    mw_exposable *e = NULL;
    mw_view view;
    int result;

    CHECK_INT(mw_exposable_new(NULL, 0, NULL, &e, NULL), 0);
    view = mw_view_of(e, list, 1);
    result = mw_view_rights(&view, name, name_bytes);
    mw_exposable_free(e);
    return result;
}

static mw_policy *policy_new(void)
{
    mw_policy *policy = mw_policy_new("read");

    CHECK(policy != NULL);
    return policy;
}

static void each_key_gives_its_rights(void)
{
    static const struct {
        const char *key;
        int want;
    } rows[] = {
        {"exposed", MW_GETTABLE | MW_SETTABLE}, {"gettable", MW_GETTABLE},      {"settable", MW_SETTABLE},
        {"callable", MW_CALLABLE},              {"hearable", MW_HEARABLE},      {"deny_exposed", 0},
        {"deny_gettable", 0},                   {"deny_settable", MW_GETTABLE}, {"deny_callable", MW_GETTABLE},
        {"deny_hearable", MW_GETTABLE},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        mw_policy *policy = policy_new();

        if (strncmp(rows[i].key, "deny_", 5) == 0)
            CHECK_INT(mw_policy_parse(policy, "gettable", "motor.speed", NULL), 0);
        CHECK_INT(mw_policy_parse(policy, rows[i].key, "motor.speed", NULL), 0);
        CHECK_INT(rights(policy, "motor.speed", 11), rows[i].want);
        CHECK_INT(rights(policy, "motor", 5), 0);
        mw_policy_free(policy);
    }
}

static void members_stand_between_commas_and_blanks(void)
{
    mw_policy *policy = policy_new();

    CHECK_INT(mw_policy_parse(policy, "gettable", "  a,b ,\tc\t, motor.speed ", NULL), 0);
    CHECK_INT(rights(policy, "a", 1), MW_GETTABLE);
    CHECK_INT(rights(policy, "b", 1), MW_GETTABLE);
    CHECK_INT(rights(policy, "c", 1), MW_GETTABLE);
    CHECK_INT(rights(policy, "motor.speed", 11), MW_GETTABLE);
    CHECK_INT(mw_policy_parse(policy, "gettable", "", NULL), 0);
    CHECK_INT(mw_policy_parse(policy, "gettable", " \t", NULL), 0);
    CHECK_TEXT(mw_policy_name(policy), "read");
    mw_policy_free(policy);
}

static void what_is_no_member_is_refused_with_the_reason(void)
{
    static const struct {
        const char *key, *members, *want;
    } rows[] = {
        {"rite", "a",
         "'rite' is no right (exposed, gettable, settable, callable, hearable, or deny_ before one of them)"},
        {"deny_", "a",
         "'deny_' is no right (exposed, gettable, settable, callable, hearable, or deny_ before one of them)"},
        {"Gettable", "a",
         "'Gettable' is no right (exposed, gettable, settable, callable, hearable, or deny_ before one of them)"},
        {"deny_deny_gettable", "a",
         "'deny_deny_gettable' is no right (exposed, gettable, settable, callable, hearable, or deny_ before one of "
         "them)"},
        {"gettable", "a,,b", "an empty member: a comma too many"},
        {"gettable", "a,", "an empty member: a comma too many"},
        {"gettable", ",", "an empty member: a comma too many"},
        {"gettable", "a b", "'a b' holds a space"},
        {"gettable", "motor.*", "'motor.*' holds one of , / @ = * [ ]"},
        {"gettable", "a/b", "'a/b' holds one of , / @ = * [ ]"},
        {"gettable", "a=b", "'a=b' holds one of , / @ = * [ ]"},
        {"gettable", "a\x7f", "'a?' holds a control character"},
        {"gettable", "/a(/", "'/a(/' is no regex: missing closing parenthesis, at its byte 3"},
        {"gettable", "/(a)\\1/", "'/(a)\\1/' refers back to a group, which is refused here: it can take very long"},
        {"gettable", "/(?<=ab)c/", "'/(?<=ab)c/' looks back, which is refused here: say what stands before instead"},
        {"gettable", "/a\\C/", "'/a\\C/' is no regex: using \\C is disabled by the application, at its byte 4"},
        {"gettable", "//", "'//' is an empty regex"},
        {"gettable", "/a", "'/a' is a regex without its closing /"},
        {"gettable", "/a\\/", "'/a\\/' is a regex without its closing /"},
        {"gettable", "/", "'/' is a regex without its closing /"},
        {"gettable", "/a/b", "'/a/b': after the / that ends a regex only , or @ may follow"},
        {"gettable", "/a/@", "the predicate of '/a/@' is empty"},
        {"gettable", "@within_shift", "there is no predicate 'within_shift': the back end declares none"},
        {"settable", "motor.speed@within_shift",
         "there is no predicate 'within_shift': the back end declares none"},
        {"settable", "motor.speed@", "the predicate of 'motor.speed@' is empty"},
        {"settable", "@", "the predicate of '@' is empty"},
        {"settable", "a@b@c", "the predicate of 'a@b@c' holds one of , / @ = * [ ]"},
        {"settable", "a b@c", "the name of 'a b@c' holds a space"},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        mw_policy *policy = policy_new();
        struct mw_error error = {0};

        CHECK_INT(mw_policy_parse(policy, rows[i].key, rows[i].members, &error), -EINVAL);
        CHECK_TEXT(error.text, rows[i].want);
        CHECK_INT(rights(policy, "a", 1), 0);
        mw_policy_free(policy);
    }
}

static void a_line_is_taken_whole_or_not_at_all(void)
{
    mw_policy *policy = policy_new();

    CHECK_INT(mw_policy_parse(policy, "gettable", "a, b", NULL), 0);
    CHECK_INT(mw_policy_parse(policy, "settable", "a, b, c, /d(/", NULL), -EINVAL);
    CHECK_INT(mw_policy_parse(policy, "deny_gettable", "a, b, d d", NULL), -EINVAL);
    CHECK_INT(rights(policy, "a", 1), MW_GETTABLE);
    CHECK_INT(rights(policy, "b", 1), MW_GETTABLE);
    CHECK_INT(rights(policy, "c", 1), 0);
    CHECK_INT(mw_policy_parse(policy, "settable", "a, c", NULL), 0);
    CHECK_INT(rights(policy, "a", 1), MW_EXPOSED);
    CHECK_INT(rights(policy, "c", 1), MW_SETTABLE);
    mw_policy_free(policy);
}

static void a_wrong_rule_is_refused(void)
{
    mw_policy *policy = policy_new();
    const mw_rule rows[] = {
        {.right = 0, .name = "a"},           {.right = 16, .name = "a"},          {.right = MW_GETTABLE | 32, .name = "a"},
        {.right = MW_GETTABLE, .name = ""},  {.right = MW_GETTABLE, .name = NULL}, {.right = MW_GETTABLE, .name = "a,b"},
        {.right = MW_GETTABLE, .name = "/a/"}, {.right = -1, .name = "a"},
    };
    struct mw_error error;
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        CHECK_INT(mw_policy_add(policy, &rows[i]), -EINVAL);
        CHECK_INT(mw_rule_check(&rows[i], &error), -EINVAL);
    }
    CHECK_INT(mw_rule_check(&rows[5], &error), -EINVAL);
    CHECK_TEXT(error.text, "the name 'a,b' of a rule holds one of , / @ = * [ ]");
    CHECK_INT(mw_rule_check(&rows[1], &error), -EINVAL);
    CHECK_TEXT(error.text, "the rule for 'a' has no right, or one that does not exist");
    CHECK_INT(rights(policy, "a", 1), 0);
    mw_policy_free(policy);
}

static void several_rules_for_a_name_add_up(void)
{
    mw_policy *policy = policy_new();
    const mw_rule rows[] = {
        {.right = MW_GETTABLE, .name = "a"}, {.right = MW_CALLABLE, .name = "b"}, {.right = MW_SETTABLE, .name = "a"},
        {.right = MW_HEARABLE, .name = "a"}, {.right = MW_SETTABLE, .name = "a", .deny = true},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++)
        CHECK_INT(mw_policy_add(policy, &rows[i]), 0);
    CHECK_INT(rights(policy, "a", 1), MW_GETTABLE | MW_HEARABLE);
    CHECK_INT(rights(policy, "b", 1), MW_CALLABLE);
    mw_policy_free(policy);
}

static void a_name_may_be_given_away_after_it_was_added(void)
{
    mw_policy *policy = policy_new();
    char name[] = "a";
    const mw_rule rule = {.right = MW_GETTABLE, .name = name};

    CHECK_INT(mw_policy_add(policy, &rule), 0);
    name[0] = 'b';
    CHECK_INT(rights(policy, "a", 1), MW_GETTABLE);
    CHECK_INT(rights(policy, "b", 1), 0);
    mw_policy_free(policy);
}

static void a_thousand_rules_are_all_found(void)
{
    mw_policy *policy = policy_new();
    char name[16];
    int i;

    for (i = 0; i < 1000; i++) {
        const mw_rule rule = {.right = 1 + i % 15, .name = name};

        (void)snprintf(name, sizeof(name), "motor.%d", i);
        CHECK_INT(mw_policy_add(policy, &rule), 0);
    }
    for (i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "motor.%d", i);
        CHECK_INT(rights(policy, name, strlen(name)), 1 + i % 15);
    }
    CHECK_INT(rights(policy, "motor.1000", 10), 0);
    mw_policy_free(policy);
}

/* What resembles a listed name is not it, in the policy and in the table alike. */
static void only_the_very_bytes_of_a_listed_name_are_it(void)
{
    static char long_name[4096];
    static const struct {
        const char *name;
        size_t bytes;
        const char *note;
    } rows[] = {
        {"Café.speed", 11, "case"},
        {"CAFÉ.SPEED", 11, "case"},
        {"cafe\xcc\x81.speed", 12, "NFD"},
        {"caf%c3%a9.speed", 15, "percent"},
        {"café%2espeed", 13, "percent"},
        {"café.speed.", 12, "trailing dot"},
        {".café.speed", 12, "leading dot"},
        {"café.speed\0", 12, "trailing NUL"},
        {"café.speed\0.x", 14, "NUL inside"},
        {"café\0.speed", 12, "NUL inside"},
        {"café.speed ", 12, "trailing space"},
        {" café.speed", 12, "leading space"},
        {"café.spee", 10, "one byte short"},
        {"caf\xe9.speed", 10, "Latin-1"},
        {"caf\xc3.speed", 10, "half a character"},
        {"café。speed", 13, "another dot"},
        {"", 0, "empty"},
        {"/café.speed/", 13, "a regex"},
        {"café.speed@x", 13, "a predicate"},
        {"*", 1, "a glob"},
        {"café.*", 7, "a glob"},
        {long_name, 256, "the longest"},
        {long_name, 257, "one too long"},
        {long_name, 4096, "4 KiB"},
    };
    int64_t field = 1;
    const mw_attribute a = {.name = "café.speed", .field_bytes = 8, .kind = MW_INT, .marks = MW_EXPOSED};
    mw_policy *policy = policy_new();
    const mw_policy *lists[2][1] = {{policy}, {NULL}};
    mw_exposable *e = NULL;
    size_t i, k;

    memset(long_name, 'x', sizeof(long_name));
    memcpy(long_name, "café.speed", 11);
    CHECK_INT(mw_policy_parse(policy, "exposed", "café.speed", NULL), 0);
    CHECK_INT(mw_exposable_new(&a, 1, &field, &e, NULL), 0);
    for (k = 0; k < 2; k++) {
        mw_view view = mw_view_of(e, lists[k], 1);
        mw_value v = mw_null();

        CHECK_INT(mw_view_rights(&view, "café.speed", 11), MW_EXPOSED);
        CHECK_INT(mw_view_get_one(&view, "café.speed", 11, &v, NULL), 0);
        for (i = 0; i < MW_COUNT(rows); i++) {
            if (mw_view_rights(&view, rows[i].name, rows[i].bytes) != 0)
                CHECK_FAILED_("rights by %s\n", rows[i].note);
            CHECK_INT(mw_view_get_one(&view, rows[i].name, rows[i].bytes, &v, NULL), -EACCES);
            CHECK_INT(mw_view_set_one(&view, rows[i].name, rows[i].bytes, mw_int(2), NULL), -EACCES);
            CHECK_INT(mw_view_check_one(&view, rows[i].name, rows[i].bytes, mw_int(2), NULL), -EACCES);
        }
    }
    CHECK_INT(field, 1);
    mw_exposable_free(e);
    mw_policy_free(policy);
}

static void freeing_nothing_is_allowed(void)
{
    mw_policy_free(NULL);
    mw_policy_free(mw_policy_new(NULL));
}

static const struct mw_test tests[] = {
    TEST(each_key_gives_its_rights),
    TEST(members_stand_between_commas_and_blanks),
    TEST(what_is_no_member_is_refused_with_the_reason),
    TEST(a_line_is_taken_whole_or_not_at_all),
    TEST(a_wrong_rule_is_refused),
    TEST(several_rules_for_a_name_add_up),
    TEST(a_name_may_be_given_away_after_it_was_added),
    TEST(a_thousand_rules_are_all_found),
    TEST(only_the_very_bytes_of_a_listed_name_are_it),
    TEST(freeing_nothing_is_allowed),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
