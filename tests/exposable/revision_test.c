/* Revisions: when they grow, where they start.
 * Not who is told; that is the app room's.
 * SPDX-License-Identifier: MIT */
#include "exposable/readme.h"

/* ---- revisions -------------------------------------------------------------------------------------------- */
static void a_revision_grows_by_one_when_a_look_finds_a_difference(void)
{
    const mw_value *value = NULL;
    int64_t first, start;

    open_readme();
    start = mw_exposable_revision(e, 0);
    first = mw_exposable_look(e, 0, &value);
    CHECK_INT(first, start);
    CHECK_INT(value->as.integer, 1);
    CHECK_INT(mw_exposable_look(e, 0, NULL), first);
    object.a = 10;
    object.a = 11;
    CHECK_INT(mw_exposable_revision(e, 0), first); /* nobody has looked */
    CHECK_INT(mw_exposable_look(e, 0, &value), first + 1);
    CHECK_INT(value->as.integer, 11);
    CHECK_INT(mw_exposable_look(e, 0, &value), first + 1);
    CHECK_INT(mw_exposable_stats(e).differed, 1);
    close_readme();
}

static void revisions_start_from_the_clock_and_stay_exact_in_a_double(void)
{
    int64_t revision;

    open_readme();
    revision = mw_exposable_look(e, 0, NULL);
    CHECK(revision > INT64_C(1700000000000000)); /* microseconds: later than 2023 */
    CHECK(revision < INT64_C(1) << 53);
    close_readme();
}

static void gets_and_sets_look_too(void)
{
    mw_view view;
    mw_value v = mw_null();
    int64_t revision;

    open_readme();
    allow(p, MW_EXPOSED, "a");
    view = mw_view_of(e, both, 1);
    revision = mw_exposable_look(e, 0, NULL);
    object.a = 5;
    CHECK_INT(get_one(&view, "a", &v), 0);
    CHECK_INT(mw_exposable_revision(e, 0), revision + 1);
    CHECK_INT(set_one(&view, "a", mw_int(6)), 0);
    CHECK_INT(mw_exposable_revision(e, 0), revision + 2);
    CHECK_INT(set_one(&view, "a", mw_int(6)), 0); /* the same again */
    CHECK_INT(mw_exposable_revision(e, 0), revision + 2);
    close_readme();
}

static void a_set_before_the_first_look_is_the_first_revision(void)
{
    mw_view view;
    int64_t start;

    open_readme();
    allow(p, MW_EXPOSED, "a");
    view = mw_view_of(e, both, 1);
    start = mw_exposable_revision(e, 0);
    CHECK_INT(set_one(&view, "a", mw_int(6)), 0);
    CHECK_INT(mw_exposable_revision(e, 0), start);
    CHECK_INT(mw_exposable_look(e, 0, NULL), start);
    close_readme();
}

static void a_failed_look_leaves_what_was_recorded(void)
{
    const mw_value *value = NULL;
    int64_t revision;
    int index;

    open_readme();
    index = mw_exposable_find(e, "reading", 7);
    revision = mw_exposable_look(e, (size_t)index, &value);
    CHECK_INT(value->as.integer, 50);
    object.level = -1;
    CHECK_INT(mw_exposable_look(e, (size_t)index, NULL), -EBUSY);
    CHECK_INT(mw_exposable_revision(e, (size_t)index), revision);
    object.level = 50;
    CHECK_INT(mw_exposable_look(e, (size_t)index, NULL), revision);
    CHECK_INT(mw_exposable_stats(e).failed, 1);
    close_readme();
}

static void what_was_got_stays_when_the_attribute_changes(void)
{
    struct {
        char note[64];
    } o = {"a note that is longer than what fits a short text"};
    const mw_attribute a = {.name = "note", .field_bytes = 64, .kind = MW_TEXT, .marks = MW_EXPOSED};
    mw_exposable *notes = NULL;
    mw_value first, second;

    CHECK_INT(mw_exposable_new(&a, 1, &o, &notes, NULL), 0);
    first = mw_expose_get(notes, mw_text("note"));
    (void)snprintf(o.note, sizeof(o.note), "another note that is longer than a short text");
    second = mw_expose_get(notes, mw_text("note"));
    CHECK_TEXT(mw_get_text(&first, NULL), "a note that is longer than what fits a short text");
    CHECK_TEXT(mw_get_text(&second, NULL), "another note that is longer than a short text");
    mw_exposable_free(notes);
    CHECK_TEXT(mw_get_text(&second, NULL), "another note that is longer than a short text");
    mw_release(first);
    mw_release(second);
}

static const struct mw_test tests[] = {
    TEST(a_revision_grows_by_one_when_a_look_finds_a_difference),
    TEST(revisions_start_from_the_clock_and_stay_exact_in_a_double),
    TEST(gets_and_sets_look_too),
    TEST(a_set_before_the_first_look_is_the_first_revision),
    TEST(a_failed_look_leaves_what_was_recorded),
    TEST(what_was_got_stays_when_the_attribute_changes),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
