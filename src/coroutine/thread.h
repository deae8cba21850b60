/* What the core keeps per thread: who runs, which mesh, the pooled stacks. The library's one thread-local.
 * Not what a mesh keeps; that is tasklet/mesh.h. Read next: stack.h.
 * SPDX-License-Identifier: MIT */
#ifndef COROUTINE_THREAD_H
#define COROUTINE_THREAD_H

#include <stdint.h>

#include "coroutine/stack.h"

struct mw_thread {
    struct mw_tasklet *current;     /* whose body runs now; NULL: the host */
    struct mw_scheduler *mesh;      /* what new tasklets join; NULL: the implicit one */
    struct mw_scheduler *implicit;  /* made on first use */
    struct stack_pool stacks;
    void *fault_stack;              /* that faults are handled on; NULL: none */
    const char *doing, *doing_to;   /* outside of tasklets, and to what, for the report of a fault; NULL: nothing to be said */
    struct mw_address *posted_to;   /* last, by a body */
    uint32_t posted_in_row;         /* how often since another one was */
    uint32_t claimed;               /* credits of it that are taken and not used; while there are some, a reference is held */
};

/* In the initial-exec model: one instruction, no call, also from the shared library. Not in checked builds: there gcc
 * tests the address by the flags of an `add` that the linker turns into a `lea`, and finds a null that is none. */
#ifdef MW_CHECKED
#define MW_THREAD_MODEL __attribute__((visibility("hidden")))
#else
#define MW_THREAD_MODEL __attribute__((tls_model("initial-exec"), visibility("hidden")))
#endif
extern _Thread_local struct mw_thread mw_thread MW_THREAD_MODEL;

#endif
