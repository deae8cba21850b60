/* Decisions of several policies, kept, changed under a living view, and given up.
 * Not random ones; those are oracle_test.c.
 * SPDX-License-Identifier: MIT */
#include "exposable/readme.h"

/* ---- several policies ---------------------------------------------------------------------------------- */
static void the_union_of_policies_decides_and_a_deny_wins(void)
{
    mw_view view;

    open_readme();
    allow(p, MW_GETTABLE, "a");
    allow(q, MW_SETTABLE, "a");
    allow(p, MW_EXPOSED, "b");
    forbid(q, MW_SETTABLE, "b");
    forbid(p, MW_EXPOSED, "c"); /* whether it comes before */
    allow(q, MW_EXPOSED, "c");
    view = mw_view_of(e, both, 2);
    CHECK_INT(mw_view_rights(&view, "a", 1), MW_EXPOSED);
    CHECK_INT(mw_view_rights(&view, "b", 1), MW_GETTABLE);
    CHECK_INT(mw_view_rights(&view, "c", 1), 0);
    CHECK_INT(mw_view_rights(&view, "level", 5), 0);
    view = mw_view_of(e, both, 1);
    CHECK_INT(mw_view_rights(&view, "a", 1), MW_GETTABLE);
    CHECK_INT(mw_view_rights(&view, "b", 1), MW_EXPOSED);
    view = mw_view_of(e, both, 0);
    CHECK_INT(mw_view_rights(&view, "a", 1), 0);
    close_readme();
}

static void names_that_are_no_attributes_are_decided_too(void)
{
    mw_view view;

    open_readme();
    CHECK_INT(mw_policy_parse(p, "callable", "reset, doubler", NULL), 0);
    CHECK_INT(mw_policy_parse(p, "hearable", "news", NULL), 0);
    CHECK_INT(mw_policy_parse(q, "deny_callable", "reset", NULL), 0);
    view = mw_view_of(e, both, 1);
    CHECK_INT(mw_view_rights(&view, "reset", 5), MW_CALLABLE);
    CHECK_INT(mw_view_rights(&view, "news", 4), MW_HEARABLE);
    CHECK_INT(mw_view_rights(&view, "new", 3), 0);
    view = mw_view_of(e, both, 2);
    CHECK_INT(mw_view_rights(&view, "reset", 5), 0);
    CHECK_INT(mw_view_rights(&view, "doubler", 7), MW_CALLABLE);
    close_readme();
}

static void the_null_policy_stands_for_the_marks_and_a_deny_beats_them(void)
{
    const mw_policy *list[2];
    mw_view view;

    open_readme();
    list[0] = p;
    list[1] = NULL;
    mw_expose(e, "a", MW_GETTABLE);
    mw_expose(e, "b", MW_EXPOSED);
    allow(p, MW_SETTABLE, "a");
    forbid(p, MW_GETTABLE, "b");
    view = mw_view_of(e, list, 2);
    CHECK_INT(mw_view_rights(&view, "a", 1), MW_EXPOSED);
    CHECK_INT(mw_view_rights(&view, "b", 1), MW_SETTABLE);
    CHECK_INT(mw_view_rights(&view, "c", 1), 0);
    view = mw_view_of(e, list, 1); /* without the marks they say nothing */
    CHECK_INT(mw_view_rights(&view, "a", 1), MW_SETTABLE);
    close_readme();
}

static void a_view_follows_its_policies_and_the_marks_at_once(void)
{
    const mw_policy *list[2];
    mw_view view;
    uint64_t stamp;

    open_readme();
    list[0] = p;
    list[1] = NULL;
    view = mw_view_of(e, list, 2);
    stamp = mw_view_stamp(&view);
    CHECK_INT(mw_view_rights(&view, "a", 1), 0);
    allow(p, MW_GETTABLE, "a");
    CHECK_INT(mw_view_rights(&view, "a", 1), MW_GETTABLE);
    CHECK(mw_view_stamp(&view) != stamp);
    stamp = mw_view_stamp(&view);
    mw_expose(e, "a", MW_SETTABLE);
    CHECK_INT(mw_view_rights(&view, "a", 1), MW_EXPOSED);
    CHECK(mw_view_stamp(&view) != stamp);
    stamp = mw_view_stamp(&view);
    mw_expose(e, "a", MW_SETTABLE);
    mw_expose(e, "nowhere", MW_EXPOSED);
    CHECK(mw_view_stamp(&view) == stamp); /* nothing changed */
    mw_unexpose(e, "a", MW_EXPOSED);
    CHECK_INT(mw_view_rights(&view, "a", 1), MW_GETTABLE);
    forbid(p, MW_GETTABLE, "a");
    CHECK_INT(mw_view_rights(&view, "a", 1), 0);
    close_readme();
}

static void a_view_made_by_hand_decides_alike(void)
{
    mw_view view;

    open_readme();
    allow(p, MW_EXPOSED, "a");
    view = (mw_view){.exposable = e, .policies = both, .policy_count = 2};
    CHECK_INT(mw_view_rights(&view, "a", 1), MW_EXPOSED);
    view = mw_view_of(e, both, 2);
    view.policy_count = 0; /* and one whose list is changed afterwards */
    CHECK_INT(mw_view_rights(&view, "a", 1), 0);
    close_readme();
}

static void more_lists_of_policies_than_are_kept_decide_alike(void)
{
    mw_policy *many[100];
    const mw_policy *list[100];
    mw_view views[100];
    size_t i;

    open_readme();
    for (i = 0; i < 100; i++) {
        many[i] = mw_policy_new("one of many");
        CHECK(many[i] != NULL);
        list[i] = many[i];
        if (i % 2)
            allow(many[i], MW_GETTABLE, "a");
        views[i] = mw_view_of(e, &list[i], 1);
    }
    for (i = 0; i < 300; i++)
        CHECK_INT(mw_view_rights_at(&views[i * 7 % 100], 0), i * 7 % 2 ? MW_GETTABLE : 0);
    CHECK(mw_exposable_stats(e).dropped >= 36);
    for (i = 0; i < 100; i++)
        mw_policy_free(many[i]);
    close_readme();
}

static void a_new_policy_at_the_address_of_a_freed_one_is_not_taken_for_it(void)
{
    size_t i;

    open_readme();
    for (i = 0; i < 100; i++) {
        mw_policy *again = mw_policy_new("again");
        const mw_policy *list[1] = {again};
        mw_view view;

        CHECK(again != NULL);
        if (i % 2)
            allow(again, MW_GETTABLE, "a");
        else
            allow(again, MW_GETTABLE, "b");
        view = mw_view_of(e, list, 1);
        CHECK_INT(mw_view_rights(&view, "a", 1), i % 2 ? MW_GETTABLE : 0);
        CHECK_INT(mw_view_rights(&view, "b", 1), i % 2 ? 0 : MW_GETTABLE);
        mw_policy_free(again);
    }
    close_readme();
}

static const struct mw_test tests[] = {
    TEST(the_union_of_policies_decides_and_a_deny_wins),
    TEST(names_that_are_no_attributes_are_decided_too),
    TEST(the_null_policy_stands_for_the_marks_and_a_deny_beats_them),
    TEST(a_view_follows_its_policies_and_the_marks_at_once),
    TEST(a_view_made_by_hand_decides_alike),
    TEST(more_lists_of_policies_than_are_kept_decide_alike),
    TEST(a_new_policy_at_the_address_of_a_freed_one_is_not_taken_for_it),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
