/* mw_value: the one type of items, attributes and messages.
 * Not their text on the wire; that is json.h. Read next: tasklet.h.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_VALUE_H
#define MESHWORK_VALUE_H

#include <string.h>

#include <meshwork/base.h>

MW_BEGIN_DECLS

enum mw_kind {
    MW_NULL,    /* also what `mw_value v = {0}` is */
    MW_BOOL,
    MW_INT,     /* int64_t */
    MW_REAL,    /* double */
    MW_TEXT,    /* UTF-8, may hold NUL, always followed by one */
    MW_BYTES,
    MW_LIST,
    MW_MAP,     /* text keys, in the order in which they came */
    MW_OPAQUE,  /* a pointer with a release function; never leaves the process */
    MW_MISSING, /* no value: what a constructor returns when memory ran out; a call that
                   takes one answers -ENOMEM */
};

/* 16 bytes, passed by value in two registers. The members are the library's own: use the
 * functions below. A copy of the struct is not a second reference; mw_share makes one. */
typedef struct mw_value {
    union {
        int64_t integer;
        double real;
        bool boolean;
        void *heap; /* reference-counted block, where is_heap */
        char text[8];
    } as;
    char more_text[5];   /* short text goes on here: 13 bytes in all */
    uint8_t short_room;  /* of short text: 13 less its bytes, so that a full one ends in a NUL here */
    uint8_t is_heap;     /* 1: as.heap holds a reference */
    uint8_t kind;        /* enum mw_kind */
} mw_value;

/* ---- make ------------------------------------------------------------------
 * All return owned: give the value away to a call that takes, or mw_release it.
 * context: any thread. Out of memory: a value of kind MW_MISSING. */
/* From its two words: assembled in registers. Written member by member a value is loaded back before the stores
 * have reached the cache, which costs more than all the rest of a send. */
static inline mw_value mw_value_of_words(uint64_t content, enum mw_kind kind)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    const uint64_t words[2] = {content, (uint64_t)kind};
#else
    const uint64_t words[2] = {content, (uint64_t)kind << 56};
#endif
    mw_value v;

    memcpy(&v, words, sizeof(v));
    return v;
}
static inline mw_value mw_null(void)
{
    return mw_value_of_words(0, MW_NULL);
}
static inline mw_value mw_bool(bool b)
{
    mw_value v = {{0}, {0}, 0, 0, MW_BOOL};
    v.as.boolean = b;
    return v;
}
static inline mw_value mw_int(int64_t i)
{
    return mw_value_of_words((uint64_t)i, MW_INT);
}
static inline mw_value mw_real(double d)
{
    uint64_t bits;

    memcpy(&bits, &d, sizeof(bits));
    return mw_value_of_words(bits, MW_REAL);
}
MW_EXPORT mw_value mw_text(const char *borrows_c_string);   /* NULL gives mw_null() */
MW_EXPORT mw_value mw_text_n(const char *borrows, size_t byte_count);
MW_EXPORT mw_value mw_bytes(const void *borrows, size_t byte_count);
MW_EXPORT mw_value mw_list_new(void); /* empty: neither this nor the next can fail */
MW_EXPORT mw_value mw_map_new(void);
/* release may be NULL; it is called once, by whoever drops the last reference, on its thread.
 * When memory runs out release is called at once. */
MW_EXPORT mw_value mw_opaque(void *takes, void (*release)(void *));

/* Fill the braces of a format with values: mw_format("2x{}", item). "{{" and "}}" print
 * one brace. Text prints as it is, everything else as JSON; what has no JSON form as its kind,
 * <opaque>. The values are borrowed. A brace too many prints "{}", a value too many is left out.
 * One of kind MW_MISSING makes the result that. */
MW_EXPORT mw_value mw_format_n(const char *format, const mw_value *borrows, size_t count);

/* ---- references ------------------------------------------------------------ */
/* Make another reference to the same content: cheap, any thread; returned owned. A value without
 * heap content costs one test. */
MW_EXPORT void mw_share_heap(mw_value borrows);
static inline mw_value mw_share(mw_value borrows)
{
    if (borrows.is_heap)
        mw_share_heap(borrows);
    return borrows;
}
/* Drop a reference. A value without heap content costs one test. Never recurses, however deep lists nest. */
MW_EXPORT void mw_release_heap(mw_value takes);
static inline void mw_release(mw_value takes)
{
    if (takes.is_heap)
        mw_release_heap(takes);
}

/* ---- read ------------------------------------------------------------------ */
static inline enum mw_kind mw_kind_of(mw_value v)
{
    return (enum mw_kind)v.kind;
}
MW_EXPORT const char *mw_kind_name(enum mw_kind kind); /* "null" "bool" "int" "real" "text" ... */
/* Strict accessors: 0, or -EINVAL with *ret untouched when the kind is another. An int
 * is accepted where a real is asked for, and a real without fraction within +-2^53 where an int is. */
MW_EXPORT int mw_get_bool(mw_value v, bool *ret);
MW_EXPORT int mw_get_int(mw_value v, int64_t *ret);
MW_EXPORT int mw_get_real(mw_value v, double *ret);
/* The bytes of a text or bytes value, followed by a NUL; NULL for any other kind. Valid
 * while *v lives and is not moved: short text lies inside the value itself. */
MW_EXPORT const char *mw_get_text(const mw_value *v, size_t *ret_byte_count /* may be NULL */);
MW_EXPORT void *mw_get_opaque(mw_value v); /* NULL for any other kind */
/* As the strict accessors, for values that somebody else has sent: on failure ret_error (may be NULL) says what was wanted and what came,
 * "receive 'parser': want text, got int 42".
 * what     what was attempted, and on what; NULL: left out
 * returns  0; -EINVAL, and *ret is untouched
 * context  any thread */
MW_EXPORT int mw_expect_bool(mw_value v, const char *what, bool *ret, struct mw_error *ret_error);
MW_EXPORT int mw_expect_int(mw_value v, const char *what, int64_t *ret, struct mw_error *ret_error);
MW_EXPORT int mw_expect_real(mw_value v, const char *what, double *ret, struct mw_error *ret_error);
/* ret  as mw_get_text gives it, of a text; ret_byte_count may be NULL */
MW_EXPORT int mw_expect_text(const mw_value *v, const char *what, const char **ret, size_t *ret_byte_count,
                             struct mw_error *ret_error);
MW_EXPORT int mw_expect_kind(mw_value v, const char *what, enum mw_kind kind, struct mw_error *ret_error);
/* Same content: kinds equal (1 and 1.0 differ), maps in any order; reals by bits, but 0.0 equals -0.0
 * and NaN equals NaN, as watching needs it. */
MW_EXPORT bool mw_equal(mw_value a, mw_value b);

/* ---- lists ------------------------------------------------------------------
 * Reading borrows; the pointer lives as long as the list is neither changed nor released.
 * Changing a list or map that is shared makes a copy of this level first, so that others keep what they saw. */
MW_EXPORT size_t mw_list_count(mw_value list);                       /* 0 for any other kind */
MW_EXPORT const mw_value *mw_list_at(mw_value list, size_t index);   /* NULL past the end */
MW_EXPORT int mw_list_append(mw_value *list, mw_value takes);        /* 0, -EINVAL no list, -ENOMEM */

/* ---- maps -------------------------------------------------------------------- */
MW_EXPORT size_t mw_map_count(mw_value map);
MW_EXPORT const mw_value *mw_map_get(mw_value map, const char *key); /* NULL: no such key */
MW_EXPORT const mw_value *mw_map_get_n(mw_value map, const char *key, size_t key_bytes);
MW_EXPORT const mw_value *mw_map_at(mw_value map, size_t index, const mw_value **ret_key);
MW_EXPORT int mw_map_set(mw_value *map, const char *key, mw_value takes); /* replaces in place; 0, -EINVAL, -ENOMEM */
MW_EXPORT int mw_map_set_n(mw_value *map, const char *key, size_t key_bytes, mw_value takes);
MW_EXPORT int mw_map_remove(mw_value *map, const char *key);         /* 0, -ENOENT, -EINVAL, -ENOMEM; moves what is behind */
MW_EXPORT int mw_map_remove_n(mw_value *map, const char *key, size_t key_bytes);

MW_END_DECLS

/* mw_format("{} of {}", a, b): one to many values, borrowed. */
#ifdef __cplusplus
extern "C++" { /* whoever includes this within extern "C" is served, too */
template <typename... Values> inline mw_value mw_format(const char *format, Values... values)
{
    const mw_value list[] = {values...};
    return mw_format_n(format, list, sizeof...(values));
}
}
#else
#define mw_format(format, ...)                                                                    \
    mw_format_n((format), (const mw_value[]){__VA_ARGS__},                                        \
                sizeof((const mw_value[]){__VA_ARGS__}) / sizeof(mw_value))
#endif

#endif
