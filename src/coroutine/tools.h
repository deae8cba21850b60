/* What sanitizers and valgrind must be told about stacks; nothing where they are absent.
 * Read next: coroutine.c.
 * SPDX-License-Identifier: MIT */
#ifndef COROUTINE_TOOLS_H
#define COROUTINE_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define COROUTINE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COROUTINE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define COROUTINE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COROUTINE_TSAN 1
#endif
#endif
#ifndef COROUTINE_ASAN
#define COROUTINE_ASAN 0
#endif
#ifndef COROUTINE_TSAN
#define COROUTINE_TSAN 0
#endif

#if COROUTINE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if COROUTINE_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define COROUTINE_VALGRIND 1
#endif
#endif
#ifndef COROUTINE_VALGRIND
#define COROUTINE_VALGRIND 0
#endif

static inline unsigned tools_stack_register(void *low, void *high)
{
#if COROUTINE_VALGRIND
    return (unsigned)VALGRIND_STACK_REGISTER(low, high);
#else
    (void)low;
    (void)high;
    return 0;
#endif
}

static inline void tools_stack_deregister(unsigned id)
{
#if COROUTINE_VALGRIND
    VALGRIND_STACK_DEREGISTER(id);
#else
    (void)id;
#endif
}

/* Whether valgrind runs the program, to which memory that is used again without a free is the same memory. */
static inline bool tools_are_watching(void)
{
#if COROUTINE_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

/* Memory that nobody is to touch until it is opened again. */
static inline void tools_memory_shut(const void *low, size_t bytes)
{
#if COROUTINE_ASAN
    __asan_poison_memory_region(low, bytes);
#else
    (void)low;
    (void)bytes;
#endif
}

static inline void tools_memory_open(const void *low, size_t bytes)
{
#if COROUTINE_ASAN
    __asan_unpoison_memory_region(low, bytes);
#else
    (void)low;
    (void)bytes;
#endif
}

/* A stack goes back to the pool: what its frames marked as out of bounds is memory again. */
static inline void tools_stack_forget(const void *low, size_t bytes)
{
    tools_memory_open(low, bytes);
}

#endif
