/* Which way a branch goes nearly always, told to the compiler where a measurement asked for it.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_HINT_H
#define BASE_HINT_H

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Kept out of the callers, whose straight road then needs no frame. */
#define COLD __attribute__((noinline))

#endif
