/* A coroutine: a stack of its own and the switch to and from it. Create, resume (enter), yield (leave).
 * Not what it waits for or who resumes it; that is tasklet/. Read next: switch_x86_64.S.
 * SPDX-License-Identifier: MIT */
#ifndef COROUTINE_COROUTINE_H
#define COROUTINE_COROUTINE_H

#include "coroutine/stack.h"
#include "coroutine/tools.h"

/* Own assembly where there is one; elsewhere, or when asked for, ucontext(3). */
#if !defined(COROUTINE_UCONTEXT)
#if (defined(__x86_64__) && !defined(__ILP32__) || defined(__aarch64__)) && defined(__ELF__)
#define COROUTINE_UCONTEXT 0
#else
#define COROUTINE_UCONTEXT 1
#endif
#endif
#if COROUTINE_UCONTEXT
#include <ucontext.h>
#endif
/* Whether switches go through functions of coroutine.c, which tell the tools. */
#define COROUTINE_TELLS (COROUTINE_UCONTEXT || COROUTINE_ASAN || COROUTINE_TSAN)

struct coroutine {
    void *sp;         /* its own stack pointer while it is parked; offset 0 in the .S files */
    void *resumer_sp; /* its resumer's while it runs; offset 8 in the .S files */
    union {
        void *delivery; /* its owner's: where the next resumer leaves what it brings */
        struct coroutine *next_spare;
    };
    int result;       /* what its entry returned, offset 24 in the .S files; until then its owner's: what a wait ended with */
    uint8_t wait_kind; /* its owner's, as the next pointer: what it waits for */
    bool was_told;     /* its owner's: that no more comes */
    uint16_t stack_pages; /* of 4 KiB, that were asked for; 0: it is not kept as a spare one */
    struct mesh_timer *wait_timer;
    struct stack *stack;
    const void *wait_on; /* whom it waits for and since when */
    int64_t wait_since_ns;
#if COROUTINE_TELLS
    int (*entry)(void *argument);
    void *argument;
#endif
#if COROUTINE_UCONTEXT
    ucontext_t own, resumer;
    int passed;
#endif
#if COROUTINE_ASAN
    void *fake_stack;
    const void *resumer_low;
    size_t resumer_bytes;
#endif
#if COROUTINE_TSAN
    void *fiber, *resumer_fiber;
#endif
};

/* Make a coroutine, which lies on its own stack.
 *
 * ret      returned owned: coroutine_free
 * returns  0; -EINVAL stack_bytes out of range; -ENOMEM with the reason in ret_error
 */
int coroutine_new(size_t stack_bytes, struct coroutine **ret, struct mw_error *ret_error);
/* Give it back. Only when it has ended or was never begun: frames on it are forgotten. Accepts NULL. */
void coroutine_free(struct coroutine *c);
/* Unmap what is pooled on this thread. Stacks still out are unmapped when they are given back. */
void coroutine_pool_clear(void);

/* Whether an address lies on its stack. */
bool coroutine_has_address(const struct coroutine *c, const void *address);

#if COROUTINE_TELLS
#define COROUTINE_SYMBOL(name) /* functions of coroutine.c, which tell the tools */
#elif defined(__x86_64__)
#define COROUTINE_SYMBOL(name) __asm__("coroutine_" name "_x86_64")
#else
#define COROUTINE_SYMBOL(name) __asm__("coroutine_" name "_aarch64")
#endif

/* Run entry(argument) on its stack, until it leaves or ends. When entry returns, its result is noted, whoever resumed it last goes on, and it may
 * only be freed. */
void coroutine_begin(struct coroutine *c, int (*entry)(void *argument), void *argument) COROUTINE_SYMBOL("begin");
/* Resume one that has left: returns when it leaves again or ends. passed is what its coroutine_leave returns. */
void coroutine_enter(struct coroutine *c, int passed) COROUTINE_SYMBOL("enter");
/* The same, where entry is going to return, so that its return and the one from here are foreseen. It may as well yield. */
void coroutine_enter_last(struct coroutine *c, int passed) COROUTINE_SYMBOL("enter_last");
/* Yield: from inside it, back to whoever entered it; returns what the next one passes. */
int coroutine_leave(struct coroutine *c) COROUTINE_SYMBOL("leave");
/* The same, for a function that returns bool and ends in a jump to it: the frame is gone before the switch, and
 * what the resumer passes is that function's result. */
bool coroutine_leave_bool(struct coroutine *c) COROUTINE_SYMBOL("leave_bool");

#endif
