/* What every public header stands on: attributes of declarations, errors, time, memory.
 * Not values; those are in value.h. Read next: value.h, then tasklet.h.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_BASE_H
#define MESHWORK_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In C++ without two warnings that some programs ask for: functions are named as the structs that they return, and inline ones cast as C does. */
#if defined(__cplusplus) && defined(__GNUC__)
#define MW_BEGIN_DECLS                                                                                               \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wshadow\"")                                    \
    _Pragma("GCC diagnostic ignored \"-Wold-style-cast\"") extern "C" {
#define MW_END_DECLS                                                                                                 \
    }                                                                                                                \
    _Pragma("GCC diagnostic pop")
#elif defined(__cplusplus)
#define MW_BEGIN_DECLS extern "C" {
#define MW_END_DECLS }
#else
#define MW_BEGIN_DECLS
#define MW_END_DECLS
#endif

#define MW_VERSION "0.1.0"

#if defined(__GNUC__)
#define MW_EXPORT __attribute__((visibility("default")))
#define MW_MUST_USE __attribute__((warn_unused_result))
#define MW_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define MW_NORETURN __attribute__((noreturn))
#else
#define MW_EXPORT
#define MW_MUST_USE
#define MW_PRINTF(format_at, first_at)
#define MW_NORETURN
#endif

/* A large local of a hot path, which is to stay as it is even where the compiler fills all locals
 * (-ftrivial-auto-var-init): whoever uses it writes before reading. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define MW_UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef MW_UNINITIALIZED
#define MW_UNINITIALIZED
#endif

/* A field that may be left out of an initializer and is zero then. C++ is told so, because g++ -Wextra complains of each one that is left out where it has
 * no initializer of its own. */
#ifdef __cplusplus
#define MW_OPTIONAL = {}
#else
#define MW_OPTIONAL
#endif

/* How many elements an array (not a pointer) has. */
#define MW_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An absolute deadline that never comes. */
#define MW_FOREVER INT64_MAX

MW_BEGIN_DECLS

/* Why a call failed. Filled on failure only, by whoever knows the reason. */
struct mw_error {
    int code;         /* negative errno name, as the call returned it */
    int line, column; /* 1 and up where the cause lies in a file; 0: not known */
    char file[256];   /* "" where no file is concerned; cut to fit */
    char text[512];   /* what was attempted, on what, why: one line, no newline, cut to fit */
};

/* Fill an error and return its code, so that a caller can write `return mw_fail(...)`.
 *
 * ret_error  may be NULL: then only the code is returned
 * code       a negative errno name
 * context    any thread
 */
MW_EXPORT int mw_fail(struct mw_error *ret_error, int code, const char *format, ...) MW_PRINTF(3, 4);

/* As mw_fail, for a cause in a file: the text becomes "FILE: line LINE: ...".
 *
 * line, column  1 and up; 0: not known, and left out
 */
MW_EXPORT int mw_fail_at(struct mw_error *ret_error, int code, const char *file, int line, int column,
                         const char *format, ...) MW_PRINTF(6, 7);

/* Say in English what a negative errno name means here ("mailbox full", not "resource
 * temporarily unavailable", where the library gives it a meaning of its own).
 *
 * returns  a constant string, never NULL
 * context  any thread
 */
MW_EXPORT const char *mw_strerror(int code);

/* The monotonic clock, in nanoseconds since an arbitrary start.
 *
 * context  any thread; about 25 ns: once per turn, not once per item
 */
MW_EXPORT int64_t mw_now_ns(void);

/* What the library has allocated in this process. */
struct mw_memory_stats {
    int64_t live_bytes;  /* not yet freed, as the allocator rounded them up, without its own headers */
    int64_t live_blocks;
    int64_t allocations; /* since start; a warm loop must not move it */
};
MW_EXPORT struct mw_memory_stats mw_memory_stats(void);

MW_END_DECLS

#endif
