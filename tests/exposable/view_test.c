/* Views and direct use: what the blog shows, and where we mean to differ.
 * Not which values are fit, that is attribute_test.c; not several policies, that is decision_test.c.
 * SPDX-License-Identifier: MIT */
#include "exposable/readme.h"

/* ---- wrapped with a policy -------------------------------------------------------------------------- */
static void exposed_names_are_read_and_written_and_no_others(void)
{
    mw_view view;
    mw_value v, settings;

    open_readme(); /* the readme's exposed={'b+'} is a regex; here the two names */
    CHECK_INT(mw_policy_parse(p, "exposed", "b, b2", NULL), 0);
    view = mw_view_of(e, both, 1);
    CHECK_INT(mw_kind_of(mw_view_get(&view, mw_text("a"))), MW_NULL);
    CHECK_INT(mw_view_get(&view, mw_text("b")).as.integer, 2);
    CHECK(mw_view_get(&view, mw_text("b2")).as.real == 2.5);
    CHECK_INT(mw_kind_of(mw_view_get(&view, mw_text("c"))), MW_NULL);
    settings = mw_map_new();
    (void)mw_map_set(&settings, "a", mw_int(10));
    (void)mw_map_set(&settings, "b", mw_int(20));
    (void)mw_map_set(&settings, "b2", mw_real(20.5));
    v = mw_view_set(&view, settings);
    CHECK_INT(mw_map_count(v), 3);
    CHECK(!mw_map_get(v, "a")->as.boolean && mw_map_get(v, "b")->as.boolean && mw_map_get(v, "b2")->as.boolean);
    CHECK(object.a == 1 && object.b == 20 && object.b2 == 20.5);
    mw_release(v);
    mw_release(settings);
    close_readme();
}

static void gettable_reads_and_settable_writes(void)
{
    mw_view view;
    mw_value v = mw_null();

    open_readme();
    allow(p, MW_GETTABLE, "a");
    allow(p, MW_SETTABLE, "b");
    view = mw_view_of(e, both, 1);
    CHECK_INT(get_one(&view, "a", &v), 0);
    CHECK_INT(set_one(&view, "a", mw_int(9)), -EACCES);
    CHECK_INT(get_one(&view, "b", &v), -EACCES);
    CHECK_INT(set_one(&view, "b", mw_int(9)), 0);
    CHECK(object.a == 1 && object.b == 9);
    close_readme();
}

static void one_name_gives_a_value_and_a_list_gives_a_map(void)
{
    mw_view view;
    mw_value list, v;

    open_readme();
    allow(p, MW_EXPOSED, "a");
    view = mw_view_of(e, both, 1);
    list = names("a", "b");
    v = mw_view_get(&view, list);
    CHECK_INT(mw_map_count(v), 2);
    CHECK_INT(mw_map_get(v, "a")->as.integer, 1);
    CHECK_INT(mw_kind_of(*mw_map_get(v, "b")), MW_NULL);
    mw_release(v);
    mw_release(list);
    close_readme();
}

static void a_list_of_one_gives_a_map_of_one_unlike_the_blog(void)
{
    mw_view view;
    mw_value list = names("a", NULL);

    open_readme();
    allow(p, MW_EXPOSED, "a");
    view = mw_view_of(e, both, 1);
    CHECK_INT(taken(mw_view_get(&view, list), "a").as.integer, 1);
    mw_release(list);
    close_readme();
}

static void a_plain_name_is_exact_unlike_the_blog(void)
{
    mw_view view;
    mw_value v = mw_null();

    open_readme(); /* in the blog 'b' was searched as a regex and exposed b2 too */
    allow(p, MW_EXPOSED, "b");
    view = mw_view_of(e, both, 1);
    CHECK_INT(get_one(&view, "b2", &v), -EACCES);
    close_readme();
}

static void a_name_asked_for_twice_is_one_entry(void)
{
    mw_view view;
    mw_value list = names("a", "a"), v;

    open_readme();
    view = mw_view_of(e, both, 1);
    v = mw_view_get(&view, list);
    CHECK_INT(mw_map_count(v), 1);
    mw_release(v);
    mw_release(list);
    list = mw_list_new();
    v = mw_view_get(&view, list);
    CHECK_INT(mw_kind_of(v), MW_MAP);
    CHECK_INT(mw_map_count(v), 0);
    mw_release(v);
    mw_release(list);
    close_readme();
}

static void anything_but_names_and_settings_gives_null(void)
{
    mw_view view;
    mw_value list;

    open_readme();
    allow(p, MW_EXPOSED, "a");
    view = mw_view_of(e, both, 1);
    CHECK_INT(mw_kind_of(mw_view_get(&view, mw_int(1))), MW_NULL);
    CHECK_INT(mw_kind_of(mw_view_get(&view, mw_null())), MW_NULL);
    list = names("a", NULL);
    CHECK_INT(mw_kind_of(mw_view_set(&view, list)), MW_NULL);
    (void)mw_list_append(&list, mw_int(1));
    CHECK_INT(mw_kind_of(mw_view_get(&view, list)), MW_NULL);
    CHECK_INT(mw_kind_of(mw_view_set(&view, mw_text("a"))), MW_NULL);
    mw_release(list);
    close_readme();
}

static void a_property_without_setter_answers_false(void)
{
    mw_view view;
    mw_value settings = mw_map_new();
    struct mw_error error;

    open_readme();
    allow(p, MW_EXPOSED, "reading");
    view = mw_view_of(e, both, 1);
    (void)mw_map_set(&settings, "reading", mw_int(1));
    CHECK(!taken(mw_view_set(&view, settings), "reading").as.boolean);
    CHECK_INT(mw_view_set_one(&view, "reading", 7, mw_int(1), &error), -EROFS);
    CHECK_TEXT(error.text, "reading: read-only");
    CHECK_TEXT(mw_refusal_word(-EROFS), "read_only");
    mw_release(settings);
    close_readme();
}

static void a_property_without_getter_is_write_only(void)
{
    mw_view view;
    mw_value v = mw_null();
    int64_t before;
    int index;

    open_readme();
    allow(p, MW_EXPOSED, "password");
    view = mw_view_of(e, both, 1);
    index = mw_exposable_find(e, "password", 8);
    CHECK_INT(get_one(&view, "password", &v), -ENODATA);
    CHECK_TEXT(mw_refusal_word(-ENODATA), "write_only");
    before = mw_exposable_revision(e, (size_t)index);
    CHECK_INT(set_one(&view, "password", mw_int(5)), 0);
    CHECK_INT(object.level, 5);
    CHECK_INT(mw_exposable_revision(e, (size_t)index), before + 1);
    CHECK_INT(mw_exposable_look(e, (size_t)index, NULL), -ENODATA);
    close_readme();
}

static void a_getter_that_fails_reads_null(void)
{
    mw_view view;
    mw_value v = mw_null(), list = names("reading", "a");

    open_readme();
    allow(p, MW_GETTABLE, "reading");
    allow(p, MW_GETTABLE, "a");
    view = mw_view_of(e, both, 1);
    object.level = -1;
    CHECK_INT(get_one(&view, "reading", &v), -EBUSY);
    CHECK_TEXT(mw_refusal_word(-EBUSY), "failed");
    v = mw_view_get(&view, list);
    CHECK_INT(mw_kind_of(*mw_map_get(v, "reading")), MW_NULL);
    CHECK_INT(mw_map_get(v, "a")->as.integer, 1);
    mw_release(v);
    mw_release(list);
    close_readme();
}

/* ---- rights are judged first -------------------------------------------------------------------------- */
static void a_denied_name_answers_denied_whatever_else_is_wrong(void)
{
    static const struct {
        const char *name, *note;
    } rows[] = {
        {"a", "there, and would do"},        {"reading", "read-only"}, {"password", "write-only"},
        {"level", "the value out of range"}, {"nowhere", "missing"},   {"", "no name at all"},
    };
    mw_view view;
    struct mw_error error;
    mw_value v = mw_null();
    size_t i;

    open_readme();
    view = mw_view_of(e, both, 2);
    for (i = 0; i < MW_COUNT(rows); i++) {
        CHECK_INT(mw_view_get_one(&view, rows[i].name, strlen(rows[i].name), &v, &error), -EACCES);
        CHECK_TEXT(error.text, "denied");
        CHECK_INT(mw_view_set_one(&view, rows[i].name, strlen(rows[i].name), mw_text("wrong"), &error), -EACCES);
        CHECK_TEXT(error.text, "denied");
        CHECK_INT(mw_view_check_one(&view, rows[i].name, strlen(rows[i].name), mw_int(101), &error), -EACCES);
    }
    CHECK_INT(object.setter_calls, 0);
    CHECK_INT(mw_exposable_stats(e).denied, 3 * MW_COUNT(rows));
    CHECK_INT(mw_exposable_stats(e).refused, 0);
    close_readme();
}

static void only_where_policy_allows_a_name_is_it_said_to_be_missing(void)
{
    mw_view view;
    mw_value v = mw_null();

    open_readme();
    allow(p, MW_GETTABLE, "nowhere");
    view = mw_view_of(e, both, 1);
    CHECK_INT(get_one(&view, "nowhere", &v), -ENOENT);
    CHECK_INT(set_one(&view, "nowhere", mw_int(1)), -EACCES);
    CHECK_TEXT(mw_refusal_word(-ENOENT), "denied"); /* on the wire they are one */
    CHECK_TEXT(mw_refusal_word(-EACCES), "denied");
    CHECK_TEXT(mw_refusal_word(-EINVAL), "invalid");
    CHECK_TEXT(mw_refusal_word(0), NULL);
    close_readme();
}

static void a_check_refuses_what_a_set_would_and_sets_nothing(void)
{
    mw_view view;
    size_t level;

    open_readme();
    allow(p, MW_EXPOSED, "level");
    allow(p, MW_EXPOSED, "reading");
    view = mw_view_of(e, both, 1);
    level = (size_t)mw_exposable_find(e, "level", 5);
    CHECK_INT(mw_view_check_one(&view, "level", 5, mw_int(60), NULL), 0);
    CHECK_INT(mw_view_check_at(&view, level, mw_int(60), NULL), 0);
    CHECK_INT(mw_view_check_at(&view, level, mw_int(101), NULL), -EINVAL);
    CHECK_INT(mw_view_check_one(&view, "reading", 7, mw_int(60), NULL), -EROFS);
    CHECK_INT(mw_view_check_one(&view, "a", 1, mw_int(60), NULL), -EACCES);
    CHECK(object.setter_calls == 0 && object.level == 50);
    CHECK_INT(mw_view_set_at(&view, level, mw_int(60), NULL), 0);
    CHECK(object.setter_calls == 1 && object.level == 60);
    close_readme();
}

static void an_index_past_the_end_is_denied(void)
{
    mw_view view;
    mw_value v = mw_null();

    open_readme();
    view = mw_view_of(e, both, 1);
    CHECK_INT(mw_view_rights_at(&view, 1000), 0);
    CHECK_INT(mw_view_get_at(&view, 1000, &v, NULL), -EACCES);
    CHECK_INT(mw_view_set_at(&view, 1000, v, NULL), -EACCES);
    CHECK_INT(mw_view_check_at(&view, 1000, v, NULL), -EACCES);
    CHECK(mw_exposable_look(e, 1000, NULL) < 0);
    CHECK(mw_exposable_revision(e, 1000) < 0);
    close_readme();
}

/* ---- directly: the blog's mixin ------------------------------------------------------------------------- */
static void direct_use_reaches_marked_attributes_only(void)
{
    static const mw_attribute marked[] = {
        {MW_FIELD(struct readme, a), .kind = MW_INT},
        {MW_FIELD(struct readme, b), .kind = MW_INT, .marks = MW_GETTABLE},
        {.name = "level", .kind = MW_INT, .get = level_get, .set = level_set, .marks = MW_EXPOSED},
        {.name = "hidden", .kind = MW_INT, .get = level_get, .set = level_set},
    };
    struct readme r = {.a = 1, .b = 2, .level = 50};
    mw_exposable *direct = NULL;
    mw_value settings = mw_map_new(), v;

    CHECK_INT(mw_exposable_new(marked, MW_COUNT(marked), &r, &direct, NULL), 0);
    CHECK_INT(mw_kind_of(mw_expose_get(direct, mw_text("a"))), MW_NULL); /* a plain field */
    CHECK_INT(mw_expose_get(direct, mw_text("b")).as.integer, 2);
    CHECK_INT(mw_expose_get(direct, mw_text("level")).as.integer, 50);
    CHECK_INT(mw_kind_of(mw_expose_get(direct, mw_text("hidden"))), MW_NULL);
    (void)mw_map_set(&settings, "a", mw_int(9));
    (void)mw_map_set(&settings, "b", mw_int(9));
    (void)mw_map_set(&settings, "level", mw_int(9));
    (void)mw_map_set(&settings, "hidden", mw_int(8));
    (void)mw_map_set(&settings, "nowhere", mw_int(8));
    v = mw_expose_set(direct, settings);
    CHECK_INT(mw_map_count(v), 5);
    CHECK(mw_map_get(v, "level")->as.boolean);
    CHECK(!mw_map_get(v, "a")->as.boolean && !mw_map_get(v, "b")->as.boolean);
    CHECK(!mw_map_get(v, "hidden")->as.boolean && !mw_map_get(v, "nowhere")->as.boolean);
    CHECK(r.a == 1 && r.b == 2 && r.level == 9);
    mw_release(v);
    mw_release(settings);
    mw_exposable_free(direct);
}

static void expose_and_unexpose_change_getter_setter_or_both(void)
{
    mw_value settings = mw_map_new();

    open_readme();
    (void)mw_map_set(&settings, "level", mw_int(7));
    CHECK(!taken(mw_expose_set(e, settings), "level").as.boolean);
    mw_expose(e, "level", MW_SETTABLE);
    CHECK(taken(mw_expose_set(e, settings), "level").as.boolean);
    CHECK_INT(mw_kind_of(mw_expose_get(e, mw_text("level"))), MW_NULL);
    mw_expose(e, "level", MW_GETTABLE);
    CHECK_INT(mw_expose_get(e, mw_text("level")).as.integer, 7);
    mw_unexpose(e, "level", MW_SETTABLE);
    CHECK(!taken(mw_expose_set(e, settings), "level").as.boolean);
    mw_unexpose(e, "level", MW_EXPOSED);
    CHECK_INT(mw_kind_of(mw_expose_get(e, mw_text("level"))), MW_NULL);
    mw_expose(e, "nowhere", MW_EXPOSED); /* does nothing */
    mw_unexpose(e, "nowhere", MW_EXPOSED);
    mw_expose(e, "a", MW_CALLABLE); /* is no mark */
    CHECK_INT(mw_kind_of(mw_expose_get(e, mw_text("a"))), MW_NULL);
    mw_release(settings);
    close_readme();
}

static const struct mw_test tests[] = {
    TEST(exposed_names_are_read_and_written_and_no_others),
    TEST(gettable_reads_and_settable_writes),
    TEST(one_name_gives_a_value_and_a_list_gives_a_map),
    TEST(a_list_of_one_gives_a_map_of_one_unlike_the_blog),
    TEST(a_plain_name_is_exact_unlike_the_blog),
    TEST(a_name_asked_for_twice_is_one_entry),
    TEST(anything_but_names_and_settings_gives_null),
    TEST(a_property_without_setter_answers_false),
    TEST(a_property_without_getter_is_write_only),
    TEST(a_getter_that_fails_reads_null),
    TEST(a_denied_name_answers_denied_whatever_else_is_wrong),
    TEST(only_where_policy_allows_a_name_is_it_said_to_be_missing),
    TEST(a_check_refuses_what_a_set_would_and_sets_nothing),
    TEST(an_index_past_the_end_is_denied),
    TEST(direct_use_reaches_marked_attributes_only),
    TEST(expose_and_unexpose_change_getter_setter_or_both),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
