/* The object of the blog's readme, fields a=1, b=2, b2=2.5, c=3, with three properties beside them, and two policies.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_EXPOSABLE_README_H
#define TEST_EXPOSABLE_README_H

#include <meshwork/exposable.h>

#include <errno.h>

#include "check.h"

struct readme {
    int64_t a, b;
    double b2;
    int64_t c;
    int64_t level; /* behind the property */
    int setter_calls;
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

__attribute__((unused)) static void open_readme(void)
{
    object = (struct readme){.a = 1, .b = 2, .b2 = 2.5, .c = 3, .level = 50};
    CHECK_INT(mw_exposable_new(readme_attributes, MW_COUNT(readme_attributes), &object, &e, NULL), 0);
    p = mw_policy_new("p");
    q = mw_policy_new("q");
    CHECK(p && q);
    both[0] = p;
    both[1] = q;
}

__attribute__((unused)) static void close_readme(void)
{
    mw_policy_free(p);
    mw_policy_free(q);
    mw_exposable_free(e);
}

__attribute__((unused)) static void allow(mw_policy *policy, int right, const char *name)
{
    const mw_rule rule = {.right = right, .name = name};

    CHECK_INT(mw_policy_add(policy, &rule), 0);
}

__attribute__((unused)) static void forbid(mw_policy *policy, int right, const char *name)
{
    const mw_rule rule = {.right = right, .name = name, .deny = true};

    CHECK_INT(mw_policy_add(policy, &rule), 0);
}

__attribute__((unused)) static mw_value names(const char *first, const char *second)
{
    mw_value list = mw_list_new();

    (void)mw_list_append(&list, mw_text(first));
    if (second)
        (void)mw_list_append(&list, mw_text(second));
    return list;
}

/* The value at key of a map that is then released; it must be a plain one. */
__attribute__((unused)) static mw_value taken(mw_value map, const char *key)
{
    const mw_value *at = mw_map_get(map, key);
    mw_value v;

    CHECK(at != NULL);
    v = *at;
    CHECK(!v.is_heap);
    mw_release(map);
    return v;
}

__attribute__((unused)) static int get_one(const mw_view *view, const char *name, mw_value *ret)
{
    return mw_view_get_one(view, name, strlen(name), ret, NULL);
}

__attribute__((unused)) static int set_one(const mw_view *view, const char *name, mw_value value)
{
    return mw_view_set_one(view, name, strlen(name), value, NULL);
}

#endif
