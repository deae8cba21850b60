/* Rules for more than one name: regexes and predicates, and the answer to "why?".
 * Not exact names; those are in policy_test.c and decision_test.c.
 * SPDX-License-Identifier: MIT */
#include "exposable/readme.h"

/* ---- regexes -------------------------------------------------------------------------------------------- */
static void a_regex_is_searched_within_the_name_as_in_the_blog(void)
{
    mw_view view;

    open_readme();
    CHECK_INT(mw_policy_parse(p, "gettable", "/^b[0-9]?$/, /eve/", NULL), 0);
    view = mw_view_of(e, both, 1);
    CHECK_INT(mw_view_rights(&view, "b", 1), MW_GETTABLE);
    CHECK_INT(mw_view_rights(&view, "b2", 2), MW_GETTABLE);
    CHECK_INT(mw_view_rights(&view, "level", 5), MW_GETTABLE);
    CHECK_INT(mw_view_rights(&view, "a", 1), 0);
    CHECK_INT(mw_view_rights(&view, "bb", 2), 0);
    CHECK_INT(mw_view_rights(&view, "elevenses", 9), MW_GETTABLE); /* no attribute: decided by the same rules */
    close_readme();
}

static void a_comma_or_a_slash_inside_a_regex_belongs_to_it(void)
{
    mw_view view;

    open_readme();
    CHECK_INT(mw_policy_parse(p, "callable", "/^x{1,2}$/, /^a\\/b$/, y", NULL), 0);
    view = mw_view_of(e, both, 1);
    CHECK_INT(mw_view_rights(&view, "xx", 2), MW_CALLABLE);
    CHECK_INT(mw_view_rights(&view, "xxx", 3), 0);
    CHECK_INT(mw_view_rights(&view, "a/b", 3), MW_CALLABLE);
    CHECK_INT(mw_view_rights(&view, "y", 1), MW_CALLABLE);
    close_readme();
}

static void a_deny_by_regex_beats_an_exact_name(void)
{
    mw_view view;

    open_readme();
    allow(p, MW_EXPOSED, "password");
    allow(p, MW_EXPOSED, "level");
    CHECK_INT(mw_policy_parse(q, "deny_gettable", "/pass/", NULL), 0);
    view = mw_view_of(e, both, 2);
    CHECK_INT(mw_view_rights(&view, "password", 8), MW_SETTABLE);
    CHECK_INT(mw_view_rights(&view, "level", 5), MW_EXPOSED);
    close_readme();
}

static void the_literal_beginning_of_a_regex_decides_no_differently_from_its_whole(void)
{
    static const struct {
        const char *regex, *name;
        bool is_match;
    } rows[] = {
        {"^motor\\.", "motor.speed", true}, {"^motor\\.", "motorxspeed", false}, {"^motors?$", "motor", true},
        {"^motors*$", "motorsss", true},    {"^motor{0}x$", "motox", true},      {"^a|b", "xb", true},
        {"^ab+c", "abbc", true},            {"^\\w+$", "a_1", true},             {"^a\\.?b", "ab", true},
        {"^(?i)ab", "AB", true},            {"^a(?i)b", "aB", true},             {"motor", "xmotorx", true},
        {"^motor$", "motor", true},         {"^motor$", "motor1", false},        {"^\xc3\xa9$", "\xc3\xa9", true},
        {"^.$", "\xc3\xa9", true},          {"^a$", "a\n", false},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        const mw_rule rule = {.right = MW_GETTABLE, .regex = rows[i].regex};
        mw_view view;

        open_readme();
        CHECK_INT(mw_policy_add(p, &rule), 0);
        view = mw_view_of(e, both, 1);
        CHECK_INT(mw_view_rights(&view, rows[i].name, strlen(rows[i].name)), rows[i].is_match ? MW_GETTABLE : 0);
        close_readme();
    }
}

static void a_regex_that_takes_too_long_denies_and_is_counted(void)
{
    char name[257];
    mw_view view;

    memset(name, 'a', 255);
    memcpy(name + 255, "!", 2);
    open_readme();
    CHECK_INT(mw_policy_parse(p, "callable", "/./", NULL), 0);
    CHECK_INT(mw_policy_parse(p, "callable", "/^(a+)+$/", NULL), 0);
    view = mw_view_of(e, both, 1);
    CHECK_INT(mw_view_rights(&view, "aaa", 3), MW_CALLABLE);
    CHECK(!mw_view_may(&view, MW_CALLABLE, name, 256)); /* the first rule allows it; the other one does not know */
    CHECK(mw_exposable_stats(e).undecided > 0);
    close_readme();
}

/* ---- predicates -------------------------------------------------------------------------------------------- */
static struct {
    int answer, asked;
    mw_access seen;
    int64_t old_int, new_int;
} clerk;

static int ask_clerk(const mw_access *access)
{
    clerk.asked++;
    clerk.seen = *access;
    clerk.old_int = access->old_value ? access->old_value->as.integer : -1;
    clerk.new_int = access->new_value ? access->new_value->as.integer : -1;
    return clerk.answer;
}

static const mw_predicate predicates[] = {{"clerk", ask_clerk}};

static void open_with_clerk(const char *key, const char *members)
{
    open_readme();
    mw_policy_set_predicates(p, predicates, MW_COUNT(predicates));
    CHECK_INT(mw_policy_parse(p, key, members, NULL), 0);
    memset(&clerk, 0, sizeof clerk);
}

static void a_predicate_sees_who_wants_to_do_what_with_which_values(void)
{
    mw_view view;

    open_with_clerk("settable", "a@clerk");
    view = mw_view_of(e, both, 1);
    view.user = "bob";
    clerk.answer = 1; /* nobody has looked at the attribute yet: the old value is the one that is now */
    CHECK_INT(mw_view_set_one(&view, "a", 1, mw_int(7), NULL), 0);
    CHECK_INT(object.a, 7);
    CHECK_TEXT(clerk.seen.user, "bob");
    CHECK_INT(clerk.seen.right, MW_SETTABLE);
    CHECK_TEXT(clerk.seen.name, "a");
    CHECK_INT(clerk.old_int, 1);
    CHECK_INT(clerk.new_int, 7);
    CHECK(clerk.seen.object == &object);
    clerk.answer = 0;
    CHECK_INT(mw_view_set_one(&view, "a", 1, mw_int(8), NULL), -EACCES);
    CHECK_INT(object.a, 7);
    CHECK_INT(mw_view_rights(&view, "a", 1), MW_SETTABLE); /* in general; whether it holds is asked when it is used */
    close_readme();
}

static void a_predicate_that_fails_denies_whichever_rule_asks_it(void)
{
    static const char *const keys[] = {"gettable", "deny_gettable"};
    size_t i;

    for (i = 0; i < MW_COUNT(keys); i++) {
        mw_value value;
        mw_view view;

        open_with_clerk(keys[i], "b@clerk");
        allow(p, MW_GETTABLE, "b");
        view = mw_view_of(e, both, 1);
        clerk.answer = -EIO;
        CHECK_INT(mw_view_get_one(&view, "b", 1, &value, NULL), -EACCES);
        CHECK_INT(mw_exposable_stats(e).undecided, 1);
        close_readme();
    }
}

static void a_deny_counts_only_while_its_predicate_holds(void)
{
    mw_value value;
    mw_view view;

    open_with_clerk("deny_gettable", "/^b/@clerk");
    allow(p, MW_GETTABLE, "b");
    view = mw_view_of(e, both, 1);
    clerk.answer = 1;
    CHECK_INT(mw_view_get_one(&view, "b", 1, &value, NULL), -EACCES);
    clerk.answer = 0;
    CHECK_INT(mw_view_get_one(&view, "b", 1, &value, NULL), 0);
    CHECK_INT(value.as.integer, 2);
    CHECK_INT(mw_view_get_one(&view, "c", 1, &value, NULL), -EACCES); /* it denies nobody a name that nobody allows */
    CHECK_INT(clerk.asked, 2);
    close_readme();
}

static void a_predicate_alone_is_about_every_name_and_is_not_asked_where_all_is_said(void)
{
    mw_view view;

    open_with_clerk("callable", "@clerk");
    CHECK_INT(mw_policy_parse(p, "deny_callable", "reset", NULL), 0);
    view = mw_view_of(e, both, 1);
    clerk.answer = 1;
    CHECK(mw_view_may(&view, MW_CALLABLE, "anything", 8));
    CHECK_INT(clerk.asked, 1);
    CHECK(!mw_view_may(&view, MW_CALLABLE, "reset", 5));
    CHECK(!mw_view_may(&view, MW_GETTABLE, "a", 1));
    CHECK(!mw_view_may(&view, MW_CALLABLE, "", 0));
    CHECK_INT(clerk.asked, 1);
    close_readme();
}

static void a_rule_that_puts_an_impossible_condition_is_refused(void)
{
    static const mw_predicate none = {.name = "none"};
    const mw_rule rows[] = {
        {.right = MW_GETTABLE, .regex = "a("},
        {.right = MW_GETTABLE, .regex = ""},
        {.right = MW_GETTABLE, .regex = "a", .name = "a"},
        {.right = MW_GETTABLE, .name = "a", .predicate = &none},
    };
    static const char *const want[] = {
        "the regex 'a(' of a rule is no regex: missing closing parenthesis, at its byte 3",
        "the regex '' of a rule is an empty regex",
        "a rule has both the name 'a' and a regex",
        "the rule for 'a' has a predicate without a function",
    };
    struct mw_error error;
    size_t i;

    open_readme();
    for (i = 0; i < MW_COUNT(rows); i++) {
        CHECK_INT(mw_policy_add(p, &rows[i]), -EINVAL);
        CHECK_INT(mw_rule_check(&rows[i], &error), -EINVAL);
        CHECK_TEXT(error.text, want[i]);
    }
    mw_policy_set_predicates(p, predicates, 1);
    CHECK_INT(mw_policy_parse(p, "gettable", "a@clark", &error), -EINVAL);
    CHECK_TEXT(error.text, "the back end has no predicate 'clark'; it has 'clerk'");
    close_readme();
}

/* ---- why ------------------------------------------------------------------------------------------------------ */
static void check_why(const mw_view *view, int right, const char *name, bool is_allowed, const char *why, size_t rule_count)
{
    mw_value trail;

    CHECK_INT(mw_view_explain(view, right, name, strlen(name), &trail), is_allowed);
    CHECK_INT(mw_view_may(view, right, name, strlen(name)), is_allowed);
    CHECK_TEXT(mw_get_text(mw_map_get(trail, "why"), NULL), why);
    CHECK_INT(mw_list_count(*mw_map_get(trail, "rules")), rule_count);
    mw_release(trail);
}

static void an_explanation_names_the_rule_that_decides(void)
{
    const mw_policy *list[3];
    mw_view view;

    open_with_clerk("settable", "level@clerk");
    CHECK_INT(mw_policy_parse(p, "gettable", "a, /^b/", NULL), 0);
    CHECK_INT(mw_policy_parse(q, "deny_exposed", "/2$/", NULL), 0);
    mw_expose(e, "c", MW_GETTABLE);
    list[0] = NULL;
    list[1] = p;
    list[2] = q;
    view = mw_view_of(e, list, 3);
    check_why(&view, MW_GETTABLE, "a", true, "'gettable = a' of policy 'p' allows it", 1);
    check_why(&view, MW_GETTABLE, "b2", false, "'deny_exposed = /2$/' of policy 'q' denies it", 2);
    check_why(&view, MW_GETTABLE, "c", true, "the attribute's own marks allow it (policy 'marked')", 1);
    check_why(&view, MW_SETTABLE, "a", false, "no rule allows it, and nothing said is denied", 0);
    check_why(&view, MW_GETTABLE, "", false, "no rule allows it, and nothing said is denied", 0);
    check_why(&view, MW_SETTABLE, "level", false, "no rule allows it, and nothing said is denied", 1);
    clerk.answer = 1;
    check_why(&view, MW_SETTABLE, "level", true, "'settable = level@clerk' of policy 'p' allows it", 1);
    clerk.answer = -EIO;
    check_why(&view, MW_SETTABLE, "level", false, "'settable = level@clerk' of policy 'p' could not be decided, which denies", 1);
    close_readme();
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_regex_is_searched_within_the_name_as_in_the_blog),
        TEST(a_comma_or_a_slash_inside_a_regex_belongs_to_it),
        TEST(a_deny_by_regex_beats_an_exact_name),
        TEST(the_literal_beginning_of_a_regex_decides_no_differently_from_its_whole),
        TEST(a_regex_that_takes_too_long_denies_and_is_counted),
        TEST(a_predicate_sees_who_wants_to_do_what_with_which_values),
        TEST(a_predicate_that_fails_denies_whichever_rule_asks_it),
        TEST(a_deny_counts_only_while_its_predicate_holds),
        TEST(a_predicate_alone_is_about_every_name_and_is_not_asked_where_all_is_said),
        TEST(a_rule_that_puts_an_impossible_condition_is_refused),
        TEST(an_explanation_names_the_rule_that_decides),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
