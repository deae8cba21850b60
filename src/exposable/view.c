/* Views: attributes as far as policies let someone reach them, and direct use as far as marks do.
 * Not how policies decide; that is decision.c. Read next: docs/exposable.md.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "exposable/attribute.h"
#include "exposable/decision.h"
#include "exposable/exposable_priv.h"
#include "exposable/field.h"

mw_view mw_view_of(mw_exposable *e, const mw_policy *const *borrows, size_t count)
{
    mw_view view = {.exposable = e, .policies = borrows, .policy_count = count};

    view.decided = decision_keep(e, borrows, count);
    view.decided_at = e->dropped;
    return view;
}

int mw_view_rights_at(const mw_view *view, size_t index)
{
    struct decided d = {0};

    if (index < view->exposable->count)
        d = decision_at(view, index);
    return d.sure | d.asks;
}

int mw_view_rights(const mw_view *view, const char *name, size_t name_bytes)
{
    int index = mw_exposable_find(view->exposable, name, name_bytes);
    struct decided d = index >= 0 ? decision_at(view, (size_t)index) : decision_of_name(view, name, name_bytes);

    return d.sure | d.asks;
}

/* Decisions that are to be made first, and predicates: out of the way of the usual case. */
__attribute__((noinline)) static bool may_at_length(const mw_view *view, int right, size_t index, const mw_value *new_value)
{
    const mw_exposable *e = view->exposable;
    struct decided d;
    mw_access access;

    if (index >= e->count)
        return false;
    d = decision_at(view, index);
    if (!(d.asks & right))
        return (d.sure & right) != 0;
    access = decision_access(view, right, (int)index, e->attributes[index].name, e->states[index].name_bytes);
    access.new_value = new_value;
    return decision_ask(view, (int)index, &access);
}

bool mw_view_may_at(const mw_view *view, int right, size_t index, const mw_value *new_value)
{
    const struct decisions *d = decision_brought(view);

    if (UNLIKELY(!d || index >= d->count || (decision_unpack(d->rights[index]).asks & right)))
        return may_at_length(view, right, index, new_value);
    return (decision_unpack(d->rights[index]).sure & right) != 0;
}

bool mw_view_may(const mw_view *view, int right, const char *name, size_t name_bytes)
{
    int index = mw_exposable_find(view->exposable, name, name_bytes);
    char copy[NAME_BYTES + 1]; /* what a predicate sees has a NUL */
    struct decided d;
    mw_access access;

    if (index >= 0)
        return mw_view_may_at(view, right, (size_t)index, NULL);
    d = decision_of_name(view, name, name_bytes);
    if (!(d.asks & right))
        return (d.sure & right) != 0;
    memcpy(copy, name, name_bytes); /* at most NAME_BYTES, or nothing would have been decided */
    copy[name_bytes] = '\0';
    access = decision_access(view, right, -1, copy, name_bytes);
    return decision_ask(view, -1, &access);
}

uint64_t mw_view_stamp(const mw_view *view)
{
    const mw_exposable *e = view->exposable;
    uint64_t stamp = (uint64_t)e->first_revision;
    size_t i;

    for (i = 0; i < view->policy_count; i++)
        stamp = stamp * UINT64_C(0x9e3779b97f4a7c15) + *decision_source_stamp(e, view->policies[i]);
    return stamp;
}

const char *mw_refusal_word(int code)
{
    switch (code) {
    case -EACCES:
    case -ENOENT: /* not told apart from denied, so that names cannot be probed */
        return "denied";
    case -EROFS:
        return "read_only";
    case -ENODATA:
        return "write_only";
    case -EINVAL:
        return "invalid";
    default:
        return code < 0 ? "failed" : NULL;
    }
}

/* ---- by index ---------------------------------------------------------------------------------------
 * Rights come first: whoever is denied learns nothing else. */
static int denied(mw_exposable *e, struct mw_error *ret_error)
{
    e->stats.denied++;
    return mw_fail(ret_error, -EACCES, "denied"); /* the same words for every name, there or not */
}

int mw_view_get_at(const mw_view *view, size_t index, mw_value *ret, struct mw_error *ret_error)
{
    mw_exposable *e = view->exposable;
    const mw_value *seen = NULL;
    int64_t revision;

    if (!mw_view_may_at(view, MW_GETTABLE, index, NULL))
        return denied(e, ret_error);
    revision = exposable_look(e, index, &seen, ret_error);
    if (revision < 0) {
        e->stats.refused += revision == -ENODATA;
        return (int)revision;
    }
    *ret = mw_share(*seen);
    return 0;
}

/* All checks of a set but that of rights. *ret_accepted: as attribute_accept. */
static int check_value(mw_exposable *e, size_t index, mw_value given, mw_value *ret_accepted, struct mw_error *ret_error)
{
    const mw_attribute *a = &e->attributes[index];
    int err;

    if (!(mw_attribute_offers(a) & MW_SETTABLE))
        err = mw_fail(ret_error, -EROFS, "%s: read-only", a->name);
    else
        err = attribute_accept(a, given, ret_accepted, ret_error);
    e->stats.refused += err < 0;
    return err;
}

int mw_view_check_at(const mw_view *view, size_t index, mw_value borrows, struct mw_error *ret_error)
{
    mw_value accepted = mw_null();
    int err;

    if (!mw_view_may_at(view, MW_SETTABLE, index, &borrows))
        return denied(view->exposable, ret_error);
    err = check_value(view->exposable, index, borrows, &accepted, ret_error);
    mw_release(accepted);
    return err;
}

/* A look that fails finds the difference next time; the set has happened all the same. */
static void look_after_set(mw_exposable *e, size_t index)
{
    if (mw_attribute_offers(&e->attributes[index]) & MW_GETTABLE)
        (void)exposable_look(e, index, NULL, NULL);
    else
        exposable_note_set(e, index);
}

int mw_exposable_set(mw_exposable *e, size_t index, mw_value borrows, struct mw_error *ret_error)
{
    mw_value accepted = mw_null();
    const mw_attribute *a;
    int err;

    if (index >= e->count)
        return mw_fail(ret_error, -EINVAL, "there are %zu attributes, and no number %zu", e->count, index);
    err = check_value(e, index, borrows, &accepted, ret_error);
    if (err < 0)
        return err;
    a = &e->attributes[index];
    err = attribute_store(a, e->object, accepted, ret_error);
    mw_release(accepted);
    if (err < 0) {
        e->stats.failed++;
        return err;
    }
    look_after_set(e, index);
    return 0;
}

int mw_exposable_record(mw_exposable *e, size_t index, mw_value borrows, struct mw_error *ret_error)
{
    mw_value accepted = mw_null();
    const mw_attribute *a;
    int err;

    if (index >= e->count)
        return mw_fail(ret_error, -EINVAL, "there are %zu attributes, and no number %zu", e->count, index);
    a = &e->attributes[index];
    err = a->field_bytes == 0 ? mw_attribute_check(a, borrows, ret_error) : attribute_accept(a, borrows, &accepted, ret_error);
    if (err < 0)
        return err;
    field_store(a, e->object, accepted);
    mw_release(accepted);
    look_after_set(e, index);
    return 0;
}

int mw_view_set_at(const mw_view *view, size_t index, mw_value borrows, struct mw_error *ret_error)
{
    if (!mw_view_may_at(view, MW_SETTABLE, index, &borrows))
        return denied(view->exposable, ret_error);
    return mw_exposable_set(view->exposable, index, borrows, ret_error);
}

/* ---- by name ------------------------------------------------------------------------------------------ */
/* The index of a name, or why there is none to be had by someone who wants the right. */
static int find_for(const mw_view *view, const char *name, size_t name_bytes, int right, struct mw_error *ret_error)
{
    int index = mw_exposable_find(view->exposable, name, name_bytes);

    if (index >= 0)
        return index;
    if (!mw_view_may(view, right, name, name_bytes))
        return denied(view->exposable, ret_error);
    view->exposable->stats.refused++;
    return mw_fail(ret_error, -ENOENT, "there is no attribute of this name");
}

int mw_view_get_one(const mw_view *view, const char *name, size_t name_bytes, mw_value *ret,
                    struct mw_error *ret_error)
{
    int index = find_for(view, name, name_bytes, MW_GETTABLE, ret_error);

    return index < 0 ? index : mw_view_get_at(view, (size_t)index, ret, ret_error);
}

int mw_view_set_one(const mw_view *view, const char *name, size_t name_bytes, mw_value borrows,
                    struct mw_error *ret_error)
{
    int index = find_for(view, name, name_bytes, MW_SETTABLE, ret_error);

    return index < 0 ? index : mw_view_set_at(view, (size_t)index, borrows, ret_error);
}

int mw_view_check_one(const mw_view *view, const char *name, size_t name_bytes, mw_value borrows,
                      struct mw_error *ret_error)
{
    int index = find_for(view, name, name_bytes, MW_SETTABLE, ret_error);

    return index < 0 ? index : mw_view_check_at(view, (size_t)index, borrows, ret_error);
}

/* ---- one and many ------------------------------------------------------------------------------------ */
static mw_value missing(void)
{
    mw_value v = mw_null();

    v.kind = MW_MISSING;
    return v;
}

/* One name, one value; null where it cannot be had. */
static mw_value get_named(const mw_view *view, const mw_value *name)
{
    size_t name_bytes = 0;
    const char *text = mw_get_text(name, &name_bytes);
    mw_value value = mw_null();

    if (mw_view_get_one(view, text, name_bytes, &value, NULL) == -ENOMEM)
        return missing();
    return value;
}

static bool is_list_of_texts(mw_value list)
{
    size_t i;

    for (i = 0; i < mw_list_count(list); i++)
        if (mw_kind_of(*mw_list_at(list, i)) != MW_TEXT)
            return false;
    return mw_kind_of(list) == MW_LIST;
}

mw_value mw_view_get(const mw_view *view, mw_value borrows_names)
{
    const size_t count = mw_list_count(borrows_names);
    mw_value result;
    size_t i;

    if (mw_kind_of(borrows_names) == MW_TEXT)
        return get_named(view, &borrows_names);
    if (!is_list_of_texts(borrows_names))
        return mw_null();
    result = mw_map_new();
    for (i = 0; i < count; i++) {
        const mw_value *name = mw_list_at(borrows_names, i);
        size_t name_bytes = 0;
        const char *text = mw_get_text(name, &name_bytes);

        if (mw_map_set_n(&result, text, name_bytes, get_named(view, name)) < 0) {
            mw_release(result);
            return missing();
        }
    }
    return result;
}

/* A map with the keys of settings, all false: what can run out of memory, before anything is set. */
static mw_value refused_map(mw_value settings)
{
    mw_value result = mw_map_new();
    size_t i;

    for (i = 0; i < mw_map_count(settings); i++) {
        const mw_value *key = NULL;
        size_t key_bytes = 0;
        const char *text;

        (void)mw_map_at(settings, i, &key);
        text = mw_get_text(key, &key_bytes);
        if (mw_map_set_n(&result, text, key_bytes, mw_bool(false)) < 0) {
            mw_release(result);
            return missing();
        }
    }
    return result;
}

mw_value mw_view_set(const mw_view *view, mw_value borrows_settings)
{
    mw_value result;
    size_t i;

    if (mw_kind_of(borrows_settings) != MW_MAP)
        return mw_null();
    result = refused_map(borrows_settings);
    for (i = 0; i < mw_map_count(result); i++) {
        const mw_value *key = NULL;
        const mw_value *value = mw_map_at(borrows_settings, i, &key);
        size_t key_bytes = 0;
        const char *text = mw_get_text(key, &key_bytes);

        /* Replaces what is there, which takes no memory. */
        if (mw_view_set_one(view, text, key_bytes, *value, NULL) == 0)
            (void)mw_map_set_n(&result, text, key_bytes, mw_bool(true));
    }
    return result;
}

/* ---- direct use ----------------------------------------------------------------------------------------- */
static const mw_policy *const marks_alone[1] = {NULL};

mw_value mw_expose_get(mw_exposable *e, mw_value borrows_names)
{
    mw_view view = mw_view_of(e, marks_alone, 1);

    return mw_view_get(&view, borrows_names);
}

mw_value mw_expose_set(mw_exposable *e, mw_value borrows_settings)
{
    mw_view view = mw_view_of(e, marks_alone, 1);

    return mw_view_set(&view, borrows_settings);
}
