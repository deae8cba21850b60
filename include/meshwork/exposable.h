/* Exposable: attributes of a C object, and policies that say who may reach them.
 * Usable without the server. Read next: docs/exposable.md.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_EXPOSABLE_H
#define MESHWORK_EXPOSABLE_H

#include <meshwork/value.h>
#ifdef __cplusplus
extern "C++" { /* whoever includes this within extern "C" is served, too */
#include <atomic>
#include <type_traits>
}
#endif

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

/* A value that is allowed. Of a text: its name; of an int: its number; of an enum, its number's name. */
typedef struct mw_choice {
    const char *name; /* UTF-8, at least a byte; of an int it may be NULL */
    int64_t number;
} mw_choice;

typedef struct mw_attribute mw_attribute;
/* Read a property. ret: returned owned; of the declared kind, or null for "no value just now"; released where the getter fails.
 * 0, or negative with ret_error filled. No side effects, no waiting. */
typedef int mw_getter(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error);
/* Write a property. value is borrowed, its kind, width, range and choice already checked, and of exactly the declared kind
 * (an int given for a real comes as a real; an enum as its name; an array as a list of as many as it has). Negative refuses, with a reason: -EINVAL when the value is at fault. */
typedef int mw_setter(void *object, const mw_attribute *attribute, mw_value borrows, struct mw_error *ret_error);

struct mw_attribute {
    const char *name;                               /* 1 to 256 bytes of UTF-8 without , / @ = * [ ], space and control characters */
    size_t offset MW_OPTIONAL;                      /* of a field */
    uint32_t field_bytes MW_OPTIONAL;               /* 0: no field; get, set or both are needed */
    uint32_t field_class MW_OPTIONAL;               /* what the compiler takes it for: MW_FIELD fills it in; 0: not known */
    uint32_t element_bytes MW_OPTIONAL;             /* of an array (MW_ARRAY): of one element, whose kind is `kind`; 0: no array */
    enum mw_kind kind MW_OPTIONAL;                  /* of a field: bool (bool), int (1, 2, 4 or 8 bytes), real (float, double), text
                                                       (char array, never a char pointer; an integer with choices: an enum); text, bytes, list, map
                                                       (mw_value); of a property each of these */
    bool is_unsigned MW_OPTIONAL;                   /* of an int field: it is a uintN_t; MW_FIELD knows that by itself */
    bool read_only MW_OPTIONAL;                     /* no setter, whatever set says */
    mw_getter *get MW_OPTIONAL;                     /* NULL: the field is read; without a field: write-only */
    mw_setter *set MW_OPTIONAL;                     /* NULL: the field is written; without a field: read-only */
    mw_range range MW_OPTIONAL;                     /* of an int or a real, both ends included */
    const char *unit MW_OPTIONAL, *doc MW_OPTIONAL; /* may be NULL */
    int marks MW_OPTIONAL;                          /* MW_GETTABLE, MW_SETTABLE: exposed directly (the decorators of the blog) */
    const mw_choice *choices MW_OPTIONAL;           /* of a text or an int: the values allowed, at most 1,024; NULL: all */
    size_t choice_count MW_OPTIONAL;
    uint32_t max_bytes MW_OPTIONAL;                 /* of a text or bytes: longest that is taken; 0: 65,536 in an mw_value field, else no bound of its own */
    bool is_shared MW_OPTIONAL;                     /* of a bool, int or real field, aligned: other threads write it, by atomic stores, and it is
                                                       read and written so here */
    int64_t look_ns MW_OPTIONAL;                    /* while it is watched it is looked at so often at least, 1,000,000 (1 ms) and more; 0: after
                                                       turns of the mesh alone, a shared one each 100 ms. For what changes by itself: a clock */
};
#define MW_VALUE_FIELD_BYTES 65536u
/* A field of type mw_value owns what it holds: zeroed it is null ("no value just now"), a set releases what was there, and whoever
 * frees the object releases it (an app in its `close`).
 * Values. A 64-bit int is an int; an unsigned one above INT64_MAX is a text of its decimal digits, both ways, because
 * an mw_value holds no larger int. Set takes for an int: an int, a real without fraction, and where it has 64 bits
 * also a text of canonical decimal digits ("-12", never "012", "+1" or "-0"). A char array is set with its NUL or not at all,
 * and is read up to its NUL or its end; bytes that are no UTF-8 fail and do not go out. */

/* What a field is in C, so that a kind that does not go with it is refused: a double as an int, a pointer as a text; and that an int is read with its
 * sign. In C++ an atomic is what it holds, and is to be declared is_shared. */
enum mw_field_class {
    MW_FIELD_UNKNOWN,
    MW_FIELD_INTEGER,
    MW_FIELD_REAL,
    MW_FIELD_CHARS,
    MW_FIELD_OTHER,
    MW_FIELD_VALUE,
    MW_FIELD_UNSIGNED, /* an integer that has no sign */
    MW_FIELD_ATOMIC = 16, /* beside one of these: a std::atomic of C++ */
};
#if defined(__cplusplus)
extern "C++" {
template <typename T> struct mw_field_held {
    typedef T type;
    enum { is_atomic = false };
};
template <typename T> struct mw_field_held<std::atomic<T> > {
    typedef T type;
    enum { is_atomic = true };
};
template <typename held> constexpr uint32_t mw_field_class_held()
{
    return std::is_same<held, bool>::value || std::is_enum<held>::value ? MW_FIELD_INTEGER
           : std::is_integral<held>::value        ? (std::is_unsigned<held>::value ? MW_FIELD_UNSIGNED : MW_FIELD_INTEGER)
           : std::is_floating_point<held>::value  ? MW_FIELD_REAL
           : std::is_same<held, mw_value>::value  ? MW_FIELD_VALUE
           : std::is_array<held>::value && sizeof(typename std::remove_extent<held>::type) == 1 ? MW_FIELD_CHARS
                                                                                                : MW_FIELD_OTHER;
}
template <typename T> constexpr uint32_t mw_field_class_of()
{
    typedef mw_field_held<typename std::remove_cv<typename std::remove_reference<T>::type>::type> of;

    return mw_field_class_held<typename of::type>() | (of::is_atomic ? static_cast<uint32_t>(MW_FIELD_ATOMIC) : 0u);
}
}
#define MW_FIELD_CLASS(field) mw_field_class_of<decltype(field)>()
#elif !defined(__GNUC__)
#define MW_FIELD_CLASS(field) MW_FIELD_UNKNOWN
#else
#define MW_FIELD_CLASS(field)                                                                                        \
    _Generic((field), _Bool: MW_FIELD_INTEGER, char: MW_FIELD_INTEGER, signed char: MW_FIELD_INTEGER,                \
        unsigned char: MW_FIELD_UNSIGNED, short: MW_FIELD_INTEGER, unsigned short: MW_FIELD_UNSIGNED,                \
        int: MW_FIELD_INTEGER, unsigned: MW_FIELD_UNSIGNED, long: MW_FIELD_INTEGER, unsigned long: MW_FIELD_UNSIGNED,\
        long long: MW_FIELD_INTEGER, unsigned long long: MW_FIELD_UNSIGNED, float: MW_FIELD_REAL,                    \
        double: MW_FIELD_REAL, mw_value: MW_FIELD_VALUE, default: __alignof__(__typeof__(field)) == 1 ? MW_FIELD_CHARS : MW_FIELD_OTHER)
#endif

/* Of a type, never read: to name its fields. */
#ifdef __cplusplus
#define MW_NO_OBJECT(type) static_cast<type *>(nullptr)
#else
#define MW_NO_OBJECT(type) ((type *)0)
#endif

/* Name, offset, size and class of a field in one: {MW_FIELD(struct app, speed), .kind = MW_REAL}. */
#define MW_FIELD(type, field)                                                                                        \
    .name = #field, .offset = offsetof(type, field), .field_bytes = sizeof(MW_NO_OBJECT(type)->field),               \
    .field_class = MW_FIELD_CLASS(MW_NO_OBJECT(type)->field)

/* The same for an array, of numbers, bools, enums or char arrays: {MW_ARRAY(struct app, samples), .kind = MW_REAL}. It is read and
 * set as a list, all elements at once; range and choices are each element's. */
#define MW_ARRAY(type, field)                                                                                        \
    .name = #field, .offset = offsetof(type, field), .field_bytes = sizeof(MW_NO_OBJECT(type)->field),               \
    .field_class = MW_FIELD_CLASS(MW_NO_OBJECT(type)->field[0]), .element_bytes = sizeof(MW_NO_OBJECT(type)->field[0])

/* What an attribute can do, whoever asks: MW_GETTABLE unless write-only, MW_SETTABLE unless read-only. */
MW_EXPORT int mw_attribute_offers(const mw_attribute *attribute);
/* Whether a value could be recorded in this attribute's field (mw_exposable_record).
 * returns  0; -EROFS it has no field; -EINVAL the value is not fit, with the reason; -ENOMEM; context: any thread */
MW_EXPORT int mw_attribute_check(const mw_attribute *attribute, mw_value borrows, struct mw_error *ret_error);
/* The form in which a value of this attribute leaves for JSON: ints beyond +-2^53 as text, a float as the
 * shortest decimal that reads back as it, all else as it is.
 * returned owned; MW_MISSING out of memory */
MW_EXPORT mw_value mw_attribute_wire(const mw_attribute *attribute, mw_value borrows);
/* Check a table without an object, as mw_exposable_new does.
 * object_bytes  size of the object: a field that ends behind it is refused; 0: not known
 * returns       0; -EINVAL with a reason that names the attribute; -ENOMEM; context: any thread */
MW_EXPORT int mw_attributes_check(const mw_attribute *attributes, size_t count, size_t object_bytes,
                                  struct mw_error *ret_error);

/* ---- policies --------------------------------------------------------------------- */
/* What is about to be done, as a predicate sees it. All borrowed during the call. */
typedef struct mw_access {
    const char *user;          /* NULL: nobody has logged in */
    int right;                 /* one enum mw_right bit: to get, set, call (also: to send to a tasklet), hear */
    const char *name;          /* followed by a NUL */
    size_t name_bytes;
    const mw_value *old_value; /* of an attribute: what it is now; NULL: no attribute, or it cannot be read */
    const mw_value *new_value; /* to be set, before it was checked; NULL: not a set */
    void *object;              /* whose attributes they are */
} mw_access;

/* A condition that a rule puts, decided each time. A getter's manners: no side effects, no waiting.
 *
 * ask  1 it holds, 0 it does not; negative: it could not be decided, and then the access is denied. A set may come without
 *      new_value: whether the user may in general (watches, mw_view_may_at without a value)
 */
typedef struct mw_predicate {
    const char *name; /* for app.ini: settable = motor.speed@NAME */
    int (*ask)(const mw_access *borrows);
} mw_predicate;

/* One member of a policy: names that have, or with deny never have, these rights. */
typedef struct mw_rule {
    int right;                                 /* enum mw_right bits */
    const char *name MW_OPTIONAL;              /* exact; NULL: regex or every name */
    bool deny MW_OPTIONAL;                     /* wins over every rule that allows */
    const char *regex MW_OPTIONAL;             /* without slashes; searched within the name, so ^ and $ anchor it; NULL: none */
    const mw_predicate *predicate MW_OPTIONAL; /* the rule counts only while it holds; borrowed for as long as the policy lives; NULL: always */
} mw_rule;

/* A policy may be read by many threads at once, and changed only while none reads it. A change is followed at once
 * by every view that uses it. */
typedef struct mw_policy mw_policy;
/* An empty policy: denies everything. returns owned: mw_policy_free. */
MW_EXPORT MW_MUST_USE mw_policy *mw_policy_new(const char *name);
MW_EXPORT void mw_policy_free(mw_policy *policy);
MW_EXPORT const char *mw_policy_name(const mw_policy *policy); /* borrowed while the policy lives */
/* Add a rule; it is copied. 0; -EINVAL (mw_rule_check says why); -ENOMEM */
MW_EXPORT int mw_policy_add(mw_policy *policy, const mw_rule *borrows);
/* Say whether a rule could be added: 0, or -EINVAL with the reason; -ENOMEM. */
MW_EXPORT int mw_rule_check(const mw_rule *rule, struct mw_error *ret_error);
/* Say which predicates the text of this policy may name, before it is parsed. borrowed as long as the policy lives */
MW_EXPORT void mw_policy_set_predicates(mw_policy *policy, const mw_predicate *borrows, size_t count);
/* Add the members of one line of app.ini: key "gettable" ... "deny_exposed", text "a, /^motor\\.[a-z]+$/, speed@within_shift".
 * All or none.
 * members  an empty text has none
 * returns  0; -EINVAL with a reason: unknown key, malformed member, no regex, a predicate that there is none of; -ENOMEM */
MW_EXPORT int mw_policy_parse(mw_policy *policy, const char *key, const char *members, struct mw_error *ret_error);

/* ---- an object with its attributes --------------------------------------------------- */
typedef struct mw_exposable mw_exposable;

/* Compile a table of attributes over an object.
 *
 * attributes  borrowed, must outlive the result; names unique; at most 1,048,576
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

/* What an exposable has done since it was made. */
struct mw_exposable_stats {
    uint64_t denied;   /* gets and sets that policy refused */
    uint64_t refused;  /* sets of a wrong value or without a setter, gets without a getter */
    uint64_t failed;   /* getters and setters that failed */
    uint64_t differed; /* looks that found another value */
    uint64_t compiled; /* times that a list of policies was compiled into decisions */
    uint64_t dropped;  /* compiled decisions given up because more than 64 lists of policies were in use */
    uint64_t undecided; /* regexes that met a limit and predicates that failed: each of these denied */
};
MW_EXPORT struct mw_exposable_stats mw_exposable_stats(const mw_exposable *e);

/* expose/unexpose of the blog, at run time: change the marks. Unknown names do nothing.
 * rights  MW_GETTABLE, MW_SETTABLE or both */
MW_EXPORT void mw_expose(mw_exposable *e, const char *name, int rights);
MW_EXPORT void mw_unexpose(mw_exposable *e, const char *name, int rights);
/* The same for a time: afterwards the marks are again what they were. A later mw_expose or mw_unexpose is without end; a later time
 * replaces an earlier one.
 * rights    MW_GETTABLE, MW_SETTABLE or both
 * until_ns  of the clock that mw_exposable_expire is told, mw_now_ns in an app; MW_FOREVER: without end
 * returns   0; -ENOENT no such attribute; -EINVAL another right, or none; -ENOMEM, with the marks as they were */
MW_EXPORT int mw_expose_until(mw_exposable *e, const char *name, int rights, int64_t until_ns);
MW_EXPORT int mw_unexpose_until(mw_exposable *e, const char *name, int rights, int64_t until_ns);
/* Put back the marks whose time is over. The server does it for an app, within a pass of its loop; who uses the library alone does it
 * before asking for rights, or when the time comes.
 * returns  when it will be needed next: MW_FOREVER: never, as things are */
MW_EXPORT int64_t mw_exposable_expire(mw_exposable *e, int64_t now_ns);

/* Direct use, as the blog's mixin: only marked attributes are reachable. One name gives one value;
 * inaccessible gives null, a refused set false. names is a text or a list of texts; a list gives a map with one
 * entry per name. settings: a map of name to value gives a map of name to bool. All results returned owned; anything
 * else given gives null; MW_MISSING when memory ran out, and then nothing was set. */
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
    const void *decided;      /* the library's own: decisions made when the view was made; NULL will do */
    uint64_t decided_at;
    const char *user;         /* whom predicates are told of; borrowed likewise; NULL: nobody has logged in */
} mw_view;
MW_EXPORT mw_view mw_view_of(mw_exposable *e, const mw_policy *const *borrows, size_t count);
MW_EXPORT mw_value mw_view_get(const mw_view *view, mw_value borrows_names);
MW_EXPORT mw_value mw_view_set(const mw_view *view, mw_value borrows_settings);
/* The rights on one name, whether or not such an attribute exists: enum mw_right bits. What an attribute cannot do is not
 * left out, and a right that hangs on a predicate is in: whether it holds is asked when it is used. */
MW_EXPORT int mw_view_rights(const mw_view *view, const char *name, size_t name_bytes);
/* Whether one right holds now, predicates asked. This is how commands, tasklets and channels are decided.
 * right  one enum mw_right bit */
MW_EXPORT bool mw_view_may(const mw_view *view, int right, const char *name, size_t name_bytes);
/* The same for an attribute; new_value is told to predicates, may be NULL. */
MW_EXPORT bool mw_view_may_at(const mw_view *view, int right, size_t index, const mw_value *new_value);
/* Say why: which rules speak of a name and a right, and what comes of them. Asks the predicates.
 * right      one enum mw_right bit
 * ret_trail  returned owned: {"allowed":false, "why":"...", "rules":[{"policy":"read","rule":"deny_gettable = /key/","line":12,
 *            "says":"deny"}, ...]}; a rule "says" allow, deny, or no (its predicate does not hold) or error (which denies);
 *            "line" only where it stands in a file; the marks are the policy "marked"
 * returns    1 allowed, 0 denied; -ENOMEM */
MW_EXPORT int mw_view_explain(const mw_view *view, int right, const char *name, size_t name_bytes, mw_value *ret_trail);
/* A number that changes whenever a policy of the view or a mark does: compare it to learn that rights may differ. */
MW_EXPORT uint64_t mw_view_stamp(const mw_view *view);

/* One at a time, with the reason; by name, or by the index that mw_exposable_find gave.
 * returns  0
 *          -EACCES  policy says no, whatever else is wrong
 *          -ENOENT  no such attribute (only where policy allows the name)
 *          -EROFS   no setter
 *          -ENODATA no getter
 *          -EINVAL  wrong kind or out of range, or the setter says so (reason in ret_error)
 *          -ENOMEM
 *          another  the getter or setter failed: its own code, -EIO where that is one of the first four
 * ret      returned owned
 * context  the object's own thread; runs the getter or setter. A set looks at the attribute afterwards, a get at
 *          it first (mw_exposable_look). */
MW_EXPORT int mw_view_get_one(const mw_view *view, const char *name, size_t name_bytes, mw_value *ret,
                              struct mw_error *ret_error);
MW_EXPORT int mw_view_set_one(const mw_view *view, const char *name, size_t name_bytes, mw_value borrows,
                              struct mw_error *ret_error);
/* All checks of a set, without the set: for those who set all or none. Only the setter itself may still refuse. */
MW_EXPORT int mw_view_check_one(const mw_view *view, const char *name, size_t name_bytes, mw_value borrows,
                                struct mw_error *ret_error);
MW_EXPORT int mw_view_rights_at(const mw_view *view, size_t index); /* 0 past the end; the others -EACCES */
MW_EXPORT int mw_view_get_at(const mw_view *view, size_t index, mw_value *ret, struct mw_error *ret_error);
MW_EXPORT int mw_view_set_at(const mw_view *view, size_t index, mw_value borrows, struct mw_error *ret_error);
MW_EXPORT int mw_view_check_at(const mw_view *view, size_t index, mw_value borrows, struct mw_error *ret_error);
/* Set without asking for rights, with all other checks: to put back what was, or for the program's own part. returns as
 * mw_view_set_at, never -EACCES; -EINVAL also past the end */
MW_EXPORT int mw_exposable_set(mw_exposable *e, size_t index, mw_value borrows, struct mw_error *ret_error);
/* The program's own word of what a field holds now: written past setter and read_only, after the checks of kind, width, range and
 * choice; then looked at.
 * returns  as mw_attribute_check; -EINVAL also past the end */
MW_EXPORT int mw_exposable_record(mw_exposable *e, size_t index, mw_value borrows, struct mw_error *ret_error);
/* The protocol's word for such a code: "denied" (-EACCES, -ENOENT), "read_only", "write_only", "invalid", else
 * "failed"; NULL for 0 and more. */
MW_EXPORT const char *mw_refusal_word(int code);

/* ---- watching ---------------------------------------------------------------------------
 * The revision of an attribute grows by one when a look finds that its value differs from the last look. Revisions
 * start from the wall clock in microseconds, so that one of an earlier run never matches by accident, and stay below 2^53. */
/* Look at an attribute now: compare with what was last recorded. Allocates only when a text, list or map differs.
 * ret_value  may be NULL; borrowed until the next look
 * returns    its revision, positive; -ENODATA no getter; otherwise negative: the getter failed, and what was
 *            recorded stays
 * context    the object's own thread; judges no rights */
MW_EXPORT int64_t mw_exposable_look(mw_exposable *e, size_t index, const mw_value **ret_value);
/* The revision that the last look found, without looking. Before the first look: where revisions start. */
MW_EXPORT int64_t mw_exposable_revision(const mw_exposable *e, size_t index);

MW_END_DECLS

#endif
