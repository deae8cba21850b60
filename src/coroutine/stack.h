/* Stacks: guarded, pooled by size, handed out in chunks. One pool per thread.
 * Not the switch between them; that is coroutine.h. Read next: coroutine.h.
 * SPDX-License-Identifier: MIT */
#ifndef COROUTINE_STACK_H
#define COROUTINE_STACK_H

#include <meshwork/base.h>

#define STACK_BYTES_LEAST ((size_t)4096)
/* By name only (MW_STACK_1K): without a guard, but with a canary. */
#define STACK_BYTES_SMALL ((size_t)1024)
#define STACK_BYTES_SMALL_2 ((size_t)2048)
#define STACK_BYTES_MOST ((size_t)8 << 20)
#define STACK_BYTES_DEFAULT ((size_t)64 << 10)
/* Each guarded by PROT_NONE costs two of the 65,530 mappings that Linux allows a process. */
#define STACK_LIMIT_PROTECTED ((size_t)30000)

enum stack_guard {
    STACK_GUARD_UNKNOWN, /* not tried yet */
    STACK_GUARD_MARKED,  /* MADV_GUARD_INSTALL: no mapping of its own, no cap */
    STACK_GUARD_PROTECTED,
};

/* A stack. Lies at the top of the memory that it describes, so that it costs nothing more. */
struct stack {
    char *low;            /* lowest usable byte; the guard page ends here */
    size_t bytes;         /* usable: from low up to this struct */
    struct stack_chunk *chunk;
    struct stack *next;   /* in its class's free list */
    unsigned valgrind_id;
};

struct stack_class; /* the stacks of one size */
struct coroutine;

struct stack_pool {
    struct stack_class *recent; /* the class asked for last: first of the list of all */
    enum stack_guard guard;
    size_t live;     /* handed out now */
    size_t live_small; /* of those, without a guard */
    size_t most;     /* live never passes it; 0: what the kind of guard allows */
    uint64_t refused; /* asked for at the cap, or refused by the kernel */
    struct coroutine *spare; /* freed coroutines of one size, on their stacks, which are out: so the next one is soon made; by next_spare */
    unsigned spare_count;
};

/* Take a stack of at least bytes (rounded up to pages), or of exactly one of the small sizes, from this thread's pool; what is in it is
 * undefined.
 * returns 0; -EINVAL bytes out of range; -ENOMEM, with the reason in ret_error */
int stack_take(size_t bytes, struct stack **ret, struct mw_error *ret_error);
/* Whether nobody has written past its end: of small ones the canary tells, of others the guard would have. */
static inline bool stack_is_small(const struct stack *s)
{
    return s->bytes < STACK_BYTES_SMALL_2;
}
bool stack_is_intact(const struct stack *s);
/* Give it back; accepts NULL. On the thread that took it. */
void stack_give(struct stack *s);
/* The part of coroutine_pool_clear that is about stacks alone. */
void stack_pool_clear(void);

#endif
