/* Marks that are changed for a time, and what comes back when it is over.
 * Not marks that are changed for good; those are in decision_test.c.
 * SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "exposable/readme.h"


static const mw_policy *const marked[] = {NULL};

static int rights(const char *name)
{
    mw_view view = mw_view_of(e, marked, 1);

    return mw_view_rights(&view, name, strlen(name));
}

static void what_is_exposed_for_a_time_ends_by_itself(void)
{
    mw_view view;

    open_readme();
    view = mw_view_of(e, marked, 1);
    CHECK_INT(mw_expose_until(e, "a", MW_EXPOSED, 100), 0);
    CHECK_INT(rights("a"), MW_EXPOSED);
    CHECK_INT(mw_exposable_expire(e, 99), 100);
    CHECK_INT(rights("a"), MW_EXPOSED);
    CHECK_INT(mw_exposable_expire(e, 100), MW_FOREVER);
    CHECK_INT(rights("a"), 0);
    CHECK_INT(mw_view_rights(&view, "a", 1), 0); /* a view from before follows */
    close_readme();
}

static void what_is_unexposed_for_a_time_comes_back(void)
{
    open_readme();
    mw_expose(e, "b", MW_EXPOSED);
    CHECK_INT(mw_unexpose_until(e, "b", MW_SETTABLE, 100), 0);
    CHECK_INT(rights("b"), MW_GETTABLE);
    CHECK_INT(mw_exposable_expire(e, 1000), MW_FOREVER);
    CHECK_INT(rights("b"), MW_EXPOSED);
    close_readme();
}

static void getter_and_setter_end_each_at_its_time(void)
{
    open_readme();
    CHECK_INT(mw_expose_until(e, "a", MW_GETTABLE, 200), 0);
    CHECK_INT(mw_expose_until(e, "a", MW_SETTABLE, 100), 0);
    CHECK_INT(mw_exposable_expire(e, 100), 200);
    CHECK_INT(rights("a"), MW_GETTABLE);
    CHECK_INT(mw_exposable_expire(e, 200), MW_FOREVER);
    CHECK_INT(rights("a"), 0);
    close_readme();
}

static void a_later_word_replaces_an_earlier_one(void)
{
    open_readme();
    CHECK_INT(mw_expose_until(e, "a", MW_GETTABLE, 100), 0);
    CHECK_INT(mw_expose_until(e, "a", MW_GETTABLE, 300), 0);
    CHECK_INT(mw_exposable_expire(e, 200), 300);
    CHECK_INT(rights("a"), MW_GETTABLE);
    mw_expose(e, "a", MW_GETTABLE); /* for good */
    CHECK_INT(mw_exposable_expire(e, 1000), MW_FOREVER);
    CHECK_INT(rights("a"), MW_GETTABLE);
    CHECK_INT(mw_unexpose_until(e, "a", MW_GETTABLE, 2000), 0);
    mw_unexpose(e, "a", MW_GETTABLE);
    CHECK_INT(mw_exposable_expire(e, 3000), MW_FOREVER);
    CHECK_INT(rights("a"), 0);
    CHECK_INT(mw_expose_until(e, "a", MW_GETTABLE, MW_FOREVER), 0);
    CHECK_INT(mw_exposable_expire(e, MW_FOREVER - 1), MW_FOREVER);
    CHECK_INT(rights("a"), MW_GETTABLE);
    close_readme();
}

static void what_holds_already_for_good_has_no_end(void)
{
    open_readme();
    mw_expose(e, "a", MW_GETTABLE);
    CHECK_INT(mw_expose_until(e, "a", MW_GETTABLE, 100), 0);
    CHECK_INT(mw_unexpose_until(e, "b", MW_EXPOSED, 100), 0);
    CHECK_INT(mw_exposable_expire(e, 100), MW_FOREVER);
    CHECK_INT(rights("a"), MW_GETTABLE);
    CHECK_INT(rights("b"), 0);
    close_readme();
}

static void wrong_names_and_rights_are_refused(void)
{
    open_readme();
    CHECK_INT(mw_expose_until(e, "nowhere", MW_GETTABLE, 100), -ENOENT);
    CHECK_INT(mw_expose_until(e, "a", 0, 100), -EINVAL);
    CHECK_INT(mw_unexpose_until(e, "a", MW_CALLABLE, 100), -EINVAL);
    CHECK_INT(mw_expose_until(e, "a", MW_EXPOSED | MW_HEARABLE, 100), -EINVAL);
    CHECK_INT(mw_exposable_expire(e, 100), MW_FOREVER);
    CHECK_INT(rights("a"), 0);
    close_readme();
}

static void without_memory_the_marks_stay_as_they_were(void)
{
    open_readme();
    (void)mw_memory_fail_at(1, true);
    CHECK_INT(mw_expose_until(e, "a", MW_EXPOSED, 100), -ENOMEM);
    mw_expose(e, "b", MW_GETTABLE); /* for good: needs none */
    (void)mw_memory_fail_at(0, false);
    CHECK_INT(rights("a"), 0);
    CHECK_INT(rights("b"), MW_GETTABLE);
    CHECK_INT(mw_exposable_expire(e, 100), MW_FOREVER);
    close_readme();
}

/* ---- against a list of what was said ------------------------------------------------------------------- */

/* One right of one attribute: what it is for good, and what it is instead for a time. */
struct plain {
    bool lastly, is_for_a_time;
    int64_t until;
};

static uint64_t next_random(uint64_t *io_seed)
{
    *io_seed ^= *io_seed << 13;
    *io_seed ^= *io_seed >> 7;
    *io_seed ^= *io_seed << 17;
    return *io_seed >> 11;
}

static void say(struct plain *plain, bool shall_be, int64_t until)
{
    if (until == MW_FOREVER)
        plain->lastly = shall_be;
    plain->is_for_a_time = shall_be != plain->lastly;
    plain->until = until;
}

static void a_hundred_thousand_random_words_end_as_a_plain_list_says(void)
{
    static const char *const names[] = {"a", "b", "b2", "c", "level", "reading", "password"};
    struct plain plain[MW_COUNT(names)][2] = {0};
    uint64_t seed = 0x9e3779b97f4a7c15u;
    int64_t now = 0;
    size_t step, i, k;

    open_readme();
    for (step = 0; step < 100000; step++) {
        size_t at = next_random(&seed) % MW_COUNT(names);
        bool shall_be = next_random(&seed) & 1;
        int mask = (int)(next_random(&seed) % 3) + 1;
        int64_t until = next_random(&seed) % 4 == 0 ? MW_FOREVER : now + 1 + (int64_t)(next_random(&seed) % 50);
        int64_t next = MW_FOREVER;

        CHECK_INT((shall_be ? mw_expose_until : mw_unexpose_until)(e, names[at], mask, until), 0);
        for (k = 0; k < 2; k++)
            if (mask & 1 << k)
                say(&plain[at][k], shall_be, until);
        now += (int64_t)(next_random(&seed) % 8);
        for (i = 0; i < MW_COUNT(names) * 2; i++) {
            struct plain *one = &plain[i / 2][i % 2];

            one->is_for_a_time = one->is_for_a_time && one->until > now;
            if (one->is_for_a_time && one->until < next)
                next = one->until;
        }
        CHECK_INT(mw_exposable_expire(e, now), next);
        for (i = 0; i < MW_COUNT(names); i++) {
            int want = (plain[i][0].lastly != plain[i][0].is_for_a_time ? MW_GETTABLE : 0) |
                       (plain[i][1].lastly != plain[i][1].is_for_a_time ? MW_SETTABLE : 0);

            CHECK_INT(rights(names[i]), want);
        }
    }
    close_readme();
}

static const struct mw_test tests[] = {
    TEST(what_is_exposed_for_a_time_ends_by_itself),
    TEST(what_is_unexposed_for_a_time_comes_back),
    TEST(getter_and_setter_end_each_at_its_time),
    TEST(a_later_word_replaces_an_earlier_one),
    TEST(what_holds_already_for_good_has_no_end),
    TEST(wrong_names_and_rights_are_refused),
    TEST(without_memory_the_marks_stay_as_they_were),
    TEST(a_hundred_thousand_random_words_end_as_a_plain_list_says),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
