/* Exposable: attributes of a C object, and policies that say who may reach them.
 * Usable without the server. Read next: docs/exposable.md.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_EXPOSABLE_H
#define MESHWORK_EXPOSABLE_H

#include <meshwork/value.h>

MW_BEGIN_DECLS

/* ---- rights ------------------------------------------------------------------- */
enum mw_right { /* bits; also the keys of a [policy] section */
    MW_GETTABLE = 1,
    MW_SETTABLE = 2,
    MW_EXPOSED = MW_GETTABLE | MW_SETTABLE,
    MW_CALLABLE = 4,
    MW_HEARABLE = 8,
};

/* ---- attributes ----------------------------------------------------------------- */
/* Declared smallest and largest value of a number. */
typedef struct mw_range {
    bool is_set;
    double min, max;
} mw_range;
#define MW_RANGE(min_, max_) {true, (min_), (max_)}

typedef struct mw_attribute mw_attribute;
/* Read a property. ret: returned owned. 0, or negative with ret_error filled. No side effects, no waiting. */
typedef int mw_getter(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error);
/* Write a property. value is borrowed, its kind and range already checked. Negative refuses, with a reason. */
typedef int mw_setter(void *object, const mw_attribute *attribute, mw_value borrows, struct mw_error *ret_error);

struct mw_attribute {
    const char *name;         /* 1 to 256 bytes of UTF-8 without , / @ = * [ ] and space */
    size_t offset, field_bytes; /* of a field; field_bytes 0: no field, get (and set) are needed */
    enum mw_kind kind;        /* bool (bool), int (any width), real (float, double), text (char array) */
    bool is_unsigned;         /* of an int field: it is a uintN_t */
    bool read_only;           /* no setter, whatever set says */
    mw_getter *get;           /* NULL: the field is read */
    mw_setter *set;           /* NULL: the field is written */
    mw_range range;
    const char *unit, *doc;   /* may be NULL */
    int marks;                /* enum mw_right bits: exposed directly (the decorators of the blog) */
};

/* Name, offset and size of a field in one: {MW_FIELD(struct app, speed), .kind = MW_REAL}. */
#define MW_FIELD(type, field) .name = #field, .offset = offsetof(type, field), .field_bytes = sizeof(((type *)0)->field)

/* ---- policies --------------------------------------------------------------------- */
/* One member of a policy: an exact name that has, or with deny never has, these rights. */
typedef struct mw_rule {
    int right;        /* enum mw_right bits */
    const char *name; /* exact */
    bool deny;        /* wins over every rule that allows */
} mw_rule;

typedef struct mw_policy mw_policy;
/* An empty policy: denies everything. returns owned: mw_policy_free. */
MW_EXPORT MW_MUST_USE mw_policy *mw_policy_new(const char *name);
MW_EXPORT void mw_policy_free(mw_policy *policy);
MW_EXPORT const char *mw_policy_name(const mw_policy *policy);
MW_EXPORT int mw_policy_add(mw_policy *policy, const mw_rule *borrows); /* copied; 0, -EINVAL, -ENOMEM */
/* Add the members of one line of app.ini: key "gettable" ... "deny_exposed", text "a, b, motor.speed".
 * returns  0; -EINVAL with a reason: unknown key, malformed member, or a regex or predicate, which this version
 *          does not decide yet and therefore refuses */
MW_EXPORT int mw_policy_parse(mw_policy *policy, const char *key, const char *members, struct mw_error *ret_error);

/* ---- an object with its attributes --------------------------------------------------- */
typedef struct mw_exposable mw_exposable;

/* Compile a table of attributes over an object.
 *
 * attributes  borrowed, must outlive the result; names unique
 * object      borrowed likewise
 * returns     0; -EINVAL with a reason that names the attribute; -ENOMEM
 * context     the object's own thread, as for all below
 */
MW_EXPORT MW_MUST_USE int mw_exposable_new(const mw_attribute *attributes, size_t count, void *object,
                                           mw_exposable **ret, struct mw_error *ret_error);
MW_EXPORT void mw_exposable_free(mw_exposable *e);
MW_EXPORT size_t mw_exposable_count(const mw_exposable *e);
MW_EXPORT const mw_attribute *mw_exposable_attribute(const mw_exposable *e, size_t index);
MW_EXPORT int mw_exposable_find(const mw_exposable *e, const char *name, size_t name_bytes); /* index or -ENOENT */

/* expose/unexpose of the blog, at run time: change the marks. Unknown names do nothing.
 * rights  MW_GETTABLE, MW_SETTABLE or both */
MW_EXPORT void mw_expose(mw_exposable *e, const char *name, int rights);
MW_EXPORT void mw_unexpose(mw_exposable *e, const char *name, int rights);

/* Direct use, as the blog's mixin: only marked attributes are reachable. One name gives one value;
 * inaccessible gives null, a refused set false. names is a text or a list of texts; a list gives a map with one
 * entry per name. settings: a map of name to value gives a map of name to bool. All results returned owned. */
MW_EXPORT mw_value mw_expose_get(mw_exposable *e, mw_value borrows_names);
MW_EXPORT mw_value mw_expose_set(mw_exposable *e, mw_value borrows_settings);

/* Wrapped with policies (their union decides, an explicit deny wins, nothing said is denied), also for the length
 * of a block: a view is a plain value on the stack that owns nothing.
 *   mw_view view = mw_view_of(e, policies, count);  mw_view_get(&view, names)
 * The policy NULL in the list stands for the attributes' own marks (the policy `marked`). */
typedef struct mw_view {
    mw_exposable *exposable;
    const mw_policy *const *policies; /* borrowed while the view is used */
    size_t policy_count;
} mw_view;
MW_EXPORT mw_view mw_view_of(mw_exposable *e, const mw_policy *const *borrows, size_t count);
MW_EXPORT mw_value mw_view_get(const mw_view *view, mw_value borrows_names);
MW_EXPORT mw_value mw_view_set(const mw_view *view, mw_value borrows_settings);
/* The rights on one name, whether or not such an attribute exists: enum mw_right bits. */
MW_EXPORT int mw_view_rights(const mw_view *view, const char *name, size_t name_bytes);

/* One at a time, with the reason. 0, or -EACCES policy says no (whatever else is wrong), -ENOENT no such
 * attribute (only where policy allows the name), -EROFS no setter, -EINVAL wrong kind or out of range (reason in
 * ret_error), or what the getter or setter returned. */
MW_EXPORT int mw_view_get_one(const mw_view *view, const char *name, size_t name_bytes, mw_value *ret,
                              struct mw_error *ret_error);
MW_EXPORT int mw_view_set_one(const mw_view *view, const char *name, size_t name_bytes, mw_value borrows,
                              struct mw_error *ret_error);

/* ---- watching ---------------------------------------------------------------------------
 * The revision of an attribute grows when a look finds that its value differs from the last look. Revisions start
 * from the clock, so that one of an earlier run never matches by accident. */
/* Look at an attribute now: compare with what was last recorded.
 * ret_value  may be NULL; borrowed until the next look
 * returns    its revision, positive; negative: the getter failed */
MW_EXPORT int64_t mw_exposable_look(mw_exposable *e, size_t index, const mw_value **ret_value);

MW_END_DECLS

#endif
