/* Views and direct use: what the blog shows, and where we mean to differ.
 * Not which values are fit; that is attribute_test.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/exposable.h>

#include <errno.h>

#include "check.h"

/* ---- the blog's readme: fields a=1, b=2, b2=2.5, c=3 ------------------------------------------------ */
struct readme {
    int64_t a, b;
    double b2;
    int64_t c;
    int64_t level; /* behind the property */
    int getter_calls, setter_calls;
};

static int level_get(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error)
{
    const struct readme *r = object;

    (void)attribute, (void)ret_error;
    if (r->level < 0)
        return -EBUSY;
    *ret = mw_int(r->level);
    return 0;
}

static int level_set(void *object, const mw_attribute *attribute, mw_value borrows, struct mw_error *ret_error)
{
    struct readme *r = object;

    (void)attribute, (void)ret_error;
    r->setter_calls++;
    r->level = borrows.as.integer;
    return 0;
}

static const mw_attribute readme_attributes[] = {
    {MW_FIELD(struct readme, a), .kind = MW_INT},
    {MW_FIELD(struct readme, b), .kind = MW_INT},
    {MW_FIELD(struct readme, b2), .kind = MW_REAL},
    {MW_FIELD(struct readme, c), .kind = MW_INT},
    {.name = "level", .kind = MW_INT, .get = level_get, .set = level_set, .range = MW_RANGE(0, 100)},
    {.name = "reading", .kind = MW_INT, .get = level_get},
    {.name = "password", .kind = MW_INT, .set = level_set},
};

/* One exposable and one policy "p" over it, and a second one "q". */
static struct readme object;
static mw_exposable *e;
static mw_policy *p, *q;
static const mw_policy *both[2];

static void open_readme(void)
{
    object = (struct readme){.a = 1, .b = 2, .b2 = 2.5, .c = 3, .level = 50};
    CHECK_INT(mw_exposable_new(readme_attributes, MW_COUNT(readme_attributes), &object, &e, NULL), 0);
    p = mw_policy_new("p");
    q = mw_policy_new("q");
    CHECK(p && q);
    both[0] = p;
    both[1] = q;
}

static void close_readme(void)
{
    mw_policy_free(p);
    mw_policy_free(q);
    mw_exposable_free(e);
}

static void allow(mw_policy *policy, int right, const char *name)
{
    const mw_rule rule = {.right = right, .name = name};

    CHECK_INT(mw_policy_add(policy, &rule), 0);
}

static void forbid(mw_policy *policy, int right, const char *name)
{
    const mw_rule rule = {.right = right, .name = name, .deny = true};

    CHECK_INT(mw_policy_add(policy, &rule), 0);
}

static mw_value names(const char *first, const char *second)
{
    mw_value list = mw_list_new();

    (void)mw_list_append(&list, mw_text(first));
    if (second)
        (void)mw_list_append(&list, mw_text(second));
    return list;
}

/* The value at key of a map that is then released; it must be a plain one. */
static mw_value taken(mw_value map, const char *key)
{
    const mw_value *at = mw_map_get(map, key);
    mw_value v;

    CHECK(at != NULL);
    v = *at;
    CHECK(!v.is_heap);
    mw_release(map);
    return v;
}

static int get_one(const mw_view *view, const char *name, mw_value *ret)
{
    return mw_view_get_one(view, name, strlen(name), ret, NULL);
}

static int set_one(const mw_view *view, const char *name, mw_value value)
{
    return mw_view_set_one(view, name, strlen(name), value, NULL);
}

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
    TEST(the_union_of_policies_decides_and_a_deny_wins),
    TEST(names_that_are_no_attributes_are_decided_too),
    TEST(the_null_policy_stands_for_the_marks_and_a_deny_beats_them),
    TEST(a_view_follows_its_policies_and_the_marks_at_once),
    TEST(a_view_made_by_hand_decides_alike),
    TEST(more_lists_of_policies_than_are_kept_decide_alike),
    TEST(a_new_policy_at_the_address_of_a_freed_one_is_not_taken_for_it),
    TEST(direct_use_reaches_marked_attributes_only),
    TEST(expose_and_unexpose_change_getter_setter_or_both),
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
