/* A mesh seen from its tasklets: who belongs to it, who is ready, what is pooled. A send marks a tasklet
 * ready here, without an indirect call. Not the order of running; that is scheduler/. Read next: tasklet_priv.h.
 * SPDX-License-Identifier: MIT */
#ifndef TASKLET_MESH_H
#define TASKLET_MESH_H

#include <meshwork/tasklet.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/memory.h"
#include "coroutine/stack.h"
#include "tasklet/age.h"
#include "tasklet/slab.h"
#include "tasklet/timer.h"

#define MESH_LEVELS 4             /* of 64 each: 16 million tasklets */
#define MESH_BUDGET_DEFAULT 4096  /* items per turn: more than a mailbox holds */
#define RING_CLASSES 7            /* pooled rings: 16, 32 ... 1,024 items */
#define RING_LEAST 16u
#define RING_POOL_BYTES ((size_t)1 << 20)
#if defined(MW_CHECKED)
#define BLOCKS_POOLED 0u /* so that use after free is found */
#else
#define BLOCKS_POOLED 256u
#endif

/* Where tasklets were made: one per call site and mesh, shared by all of them. */
struct site {
    struct site *next;
    const char *name, *file; /* constant strings of the caller; name NULL: is made of file and line */
    int line;
    uint32_t stack_bytes; /* those made with a stack that is not the default one have a site of their own; 0: it is that */
    uint32_t own_class;   /* the same for those with memory of their own behind them, by its size; 0: without */
    struct block_pool *pool; /* of the mesh: where they come from and go to; NULL: the heap */
    char made_name[40];
};

/* A pooled block: a ring of a mailbox, a tasklet, an item that is to be sent later. */
struct ring {
    struct ring *next;
};
struct block_pool {
    struct ring *first;
    uint32_t count, most;
};
#define OWN_STEP 64u   /* memory of a tasklet's own is pooled in multiples of this */
#define OWN_CLASSES 4u /* and so many of them */
#define OWN_LARGE (OWN_CLASSES + 1) /* the class of all that is larger */

struct timer_entry {
    int64_t deadline_ns;
    uint64_t ticket; /* equal deadlines come in the order of setting */
    struct mesh_timer *timer;
};
struct mesh_timers {
    struct timer_entry *heap;
    uint32_t count, capacity;
    uint64_t ticket; /* the last one given */
};

struct mw_scheduler;
struct mw_trace_event;
struct inbox;
struct graph;

/* What a scheduler with an order of its own is told, and how it runs. */
struct mesh_order {
    /* Run what is ready, bounded: one turn of it. returns items handed over. */
    uint64_t (*go)(struct mw_scheduler *m, bool is_bounded);
    int (*grow)(struct mw_scheduler *m, uint32_t capacity); /* before there are so many positions; 0, -ENOMEM */
    void (*compact)(struct mw_scheduler *m, bool is_done);  /* before and after members get other positions */
    void (*leave)(struct mw_scheduler *m, struct mw_tasklet *t); /* it leaves, or is freed */
    void (*clear)(struct mw_scheduler *m);                  /* the mesh is being freed */
};

struct mw_scheduler {
    /* Ready: one bit per position, and above it one bit per word that is not zero. The only one that is ready may stand in only instead. */
    struct mw_tasklet *only; /* NULL: nobody is ready; MESH_MANY: who is, is in the bits */
    uint64_t *ready;
    uint32_t ready_count; /* how many, and 1 where nobody is; a tasklet drained by a verb keeps its bit until somebody looks */
    uint32_t cursor;      /* where the pass stands: the next position to look at */
    uint32_t level_count, word_count;
    struct mw_tasklet **members; /* by position, in the order of adding; NULL: one has left */
    uint32_t top;         /* positions used so far */
    uint32_t capacity;    /* positions possible now: a power of two, at least 64 */
    uint32_t member_count;
    bool is_running, is_freed_later;
    bool is_deadlocked;   /* a ring was found when somebody looked last */
    bool may_deadlock;    /* since somebody looked, a tasklet has begun to wait for another */
    bool has_fresh;       /* since somebody cleared it, a body has come whose set-up may be due */
    struct graph *graph;  /* that is being learned; NULL: none is */
    uint64_t *levels[MESH_LEVELS];

    uint32_t budget;      /* items per turn */
    uint32_t visit_used;  /* of the budget, by the tasklet at visit_position, in turns before this one */
    uint32_t visit_position;
    void (*on_ready)(void *context);
    void *ready_context;
    void (*on_failure)(void *context, struct mw_tasklet *t, int code);
    void *failure_context;
    uint64_t turns, processed, failures, late_results;
    struct mw_error last_error;

    struct mesh_timers timers;
    int64_t now_ns;       /* of this turn */
    int64_t (*clock)(void *context); /* NULL: the system's monotonic one */
    void *clock_context;
    void *host;           /* who runs it, for the runtime; NULL: nobody has said */
    int (*idle)(void *context, int64_t deadline_ns); /* NULL: sleep until then */
    void *idle_context;
    uint32_t outside_waits; /* tasklets that wait for what somebody outside the mesh does */
    int64_t later_id;     /* the last one given */
    struct inbox *inbox;  /* from other threads; NULL: no tasklet of it or of those nested in it has had an address yet */
    void (*posted)(void *context); /* of its inbox */
    void *posted_context;
    uint32_t inbox_items; /* what a new one holds; 0: the default */
    struct mw_list addresses; /* struct mw_address by link: of its tasklets */
    uint64_t posts_dropped; /* that found their tasklet gone or finished */

    struct block_pool tasklets, laters; /* freed ones, to be used again */
    struct block_pool owners[OWN_CLASSES]; /* tasklets with memory of their own, by its size */
    struct slabs slabs;
    struct ring *rings[RING_CLASSES];
    uint8_t ring_last;    /* class of the ring that came back last */
    size_t ring_bytes;    /* pooled */
    struct site *sites, *recent_site;
    struct mw_tasklet *tasklet;   /* that stands for it in another mesh; NULL: it is a root */
    struct mesh_timer parent_timer; /* in that mesh: when something is due here */
    uint64_t (*turn)(struct mw_scheduler *m, uint32_t most); /* the scheduler's: run, so many items at most; m may be gone */
    bool is_paused, is_stepping;
    uint8_t order_kind;   /* enum mw_order, of a taskmaster */
    uint32_t height;      /* of the meshes in it, at most; it alone is 0 */

    void (*trace)(void *context, const struct mw_trace_event *event); /* the scheduler's; NULL: nobody listens */
    void *trace_context;
    void (*on_end)(struct mw_scheduler *m, struct mw_tasklet *t, int code); /* while the callbacks of its end run; NULL */
    struct mw_tasklet *held; /* whose callbacks may run now; NULL once it has left */
    uint64_t seed;        /* the state of the choices; 0: there is none */

    const struct mesh_order *order; /* NULL: the taskmaster's */
    void *private_data;   /* the order's */
    struct ages ages;     /* of what is queued */

    struct mw_link registry_link;
    _Atomic(struct mw_thread *) owner; /* whose thread ran it last, or made it */
    atomic_bool is_asked; /* to dump itself in its next turn: scheduler/everywhere.c */
};

#define MESH_MANY ((struct mw_tasklet *)1)

/* All meshes of the process: for a debugger that has stopped it (tools/gdb/meshwork.py), and to ask each to dump itself. The lock is held
 * to link and to unlink, to ask and to answer, and where a mesh gets what wakes it from outside. */
struct mesh_registry {
    pthread_mutex_t lock;
    struct mw_list meshes; /* by registry_link, in the order of making */
};
extern struct mesh_registry mesh_registry;

/* ---- making and freeing ---------------------------------------------------------- */
struct mw_scheduler *mesh_new(void);
/* What is left when every member has been freed. */
void mesh_free(struct mw_scheduler *m);
/* The mesh that a tasklet made now joins: the one that runs, else this thread's implicit one. NULL: out of memory. */
struct mw_scheduler *mesh_here(void);

/* ---- members ------------------------------------------------------------------------ */
int mesh_reserve(struct mw_scheduler *m); /* so that there is room for the next mesh_add; 0, -ENOMEM */
void mesh_remove(struct mw_tasklet *t);
/* returned borrowed, lives as long as the mesh; NULL: out of memory */
struct site *mesh_site(struct mw_scheduler *m, const char *name, const char *file, int line, uint32_t own_class);
/* Whether m->recent_site is that. */
static inline bool mesh_site_is_recent(const struct mw_scheduler *m, const char *name, const char *file, int line, uint32_t own_class)
{
    const struct site *site = m->recent_site;

    return site && site->line == line && site->file == file && site->name == name && site->own_class == own_class;
}
/* The same with a stack of another size. */
struct site *mesh_site_sized(struct mw_scheduler *m, const char *name, const char *file, int line, uint32_t own_class, uint32_t stack_bytes);
/* As site, in another mesh or by another name. */
struct site *mesh_site_like(struct mw_scheduler *m, const struct site *site, const char *name);
static inline bool site_has_small_stack(const struct site *site)
{
    return site->stack_bytes - 1 < STACK_BYTES_LEAST - 1;
}

/* ---- rings ---------------------------------------------------------------------------- */
/* count  a power of two, RING_LEAST and up */
mw_value *mesh_ring_take(struct mw_scheduler *m, uint32_t count);
/* How large a mailbox's first ring is best: as that which came back last, where it is still at hand. Whoever filled one fills the
 * next as a rule, and growing copies what is in it each time. */
static inline uint32_t mesh_ring_first(const struct mw_scheduler *m)
{
    return m->rings[m->ring_last] ? RING_LEAST << m->ring_last : RING_LEAST;
}
void mesh_ring_give(struct mw_scheduler *m, mw_value *ring, uint32_t count);

/* ---- blocks that come and go: each pool has those of one size ------------------------------ */
static inline void *block_take(struct block_pool *pool, size_t bytes) /* NULL: out of memory */
{
    struct ring *block = pool->first;

    if (!block)
        return mw_alloc(bytes);
    pool->first = block->next;
    pool->count--;
    return block;
}
static inline void block_give(struct block_pool *pool, void *block)
{
    struct ring *ring = block;

    if (pool->count >= pool->most) {
        mw_free(ring);
        return;
    }
    ring->next = pool->first;
    pool->first = ring;
    pool->count++;
}

/* ---- ready ----------------------------------------------------------------------------- */
int mesh_mark_above(struct mw_scheduler *m, uint32_t word); /* returns 0 */
void mesh_unmark_above(struct mw_scheduler *m, uint32_t word);
/* Have all that are ready in the bits: for whoever looks at these. */
void mesh_spread(struct mw_scheduler *m);
/* These two return 0: for whoever marks as the last thing that it does. */
int mesh_mark_second(const struct mw_tasklet *t); /* the only one until now joins the bits, and so does t */
uint32_t mesh_scan(const struct mw_scheduler *m, uint32_t word); /* first word from here with a bit; UINT32_MAX: none */
int mesh_became_ready(struct mw_scheduler *m);
static inline bool mesh_is_ready(const struct mw_scheduler *m)
{
    return m->only != NULL;
}
static inline bool mesh_has_only(const struct mw_scheduler *m) /* the only one that is ready stands in m->only */
{
    return (uintptr_t)m->only > (uintptr_t)MESH_MANY;
}
static inline uint32_t mesh_ready_count(const struct mw_scheduler *m)
{
    return m->only ? m->ready_count : 0;
}
/* The mesh that it is part of, if it is nested; else NULL. */
struct mw_scheduler *mesh_parent(const struct mw_scheduler *m);
/* After a run: what is ready or due here is known there. */
void mesh_tell_parent(struct mw_scheduler *m);
/* Count tasklets that wait for what comes from outside, here and in all meshes around. */
void mesh_count_outside(struct mw_scheduler *m, int change);
/* Something is due earlier than all before: whoever drives the mesh may have to wake up earlier. */
void mesh_is_due_earlier(struct mw_scheduler *m);
/* The highest position that is ready: who was made last. There is one. */
uint32_t mesh_highest(struct mw_scheduler *m);
/* Whether it is not paused, and anybody has something to do; forgets those who were drained meanwhile. */
bool mesh_has_ready(struct mw_scheduler *m);
bool mesh_has_due(struct mw_scheduler *m); /* the same without what others may have posted */

#endif
