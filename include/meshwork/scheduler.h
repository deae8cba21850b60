/* Schedulers: what drives a mesh of tasklets.
 * Not the tasklets; those are in tasklet.h. Read next: examples/03-mesh.c.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_SCHEDULER_H
#define MESHWORK_SCHEDULER_H

#include <meshwork/tasklet.h>

MW_BEGIN_DECLS

typedef struct mw_scheduler mw_scheduler;

/* The blog's taskmaster: flushes each tasklet in turn until none has anything left.
 * returns  owned: mw_scheduler_free; NULL: out of memory */
MW_EXPORT MW_MUST_USE mw_scheduler *mw_taskmaster_new(void);
/* Free the scheduler and every tasklet that belongs to it, in the order of their making. Accepts NULL. */
MW_EXPORT void mw_scheduler_free(mw_scheduler *s);
/* Add a tasklet; it leaves the scheduler it was in. 0, -EINVAL, -ENOMEM. */
MW_EXPORT int mw_scheduler_add(mw_scheduler *s, mw_tasklet *t);

/* Run until nothing is ready. returns how many items were processed, or negative.
 * context  the mesh's own thread, outside any body */
MW_EXPORT int64_t mw_scheduler_run(mw_scheduler *s);
/* Run one turn: what is ready now, within the budget.
 * returns  1 more is ready, 0 nothing is, negative: -EBUSY it is running */
MW_EXPORT int mw_scheduler_turn(mw_scheduler *s);
/* Items per turn, at least 1; default 4,096: more than a mailbox, so that one tasklet that refills itself for ever
 * starves nobody. */
MW_EXPORT int mw_scheduler_set_budget(mw_scheduler *s, size_t items_per_turn);
MW_EXPORT bool mw_scheduler_is_idle(const mw_scheduler *s);
/* Called when the scheduler goes from idle to ready; from inside mw_send, so it must only take note (wake a loop). */
MW_EXPORT void mw_scheduler_on_ready(mw_scheduler *s, void (*ready)(void *context), void *context);
/* Called when a body returned a negative number; default: one line on the hook of nobody, counted in the stats. */
MW_EXPORT void mw_scheduler_on_failure(mw_scheduler *s,
                                       void (*failed)(void *context, mw_tasklet *t, int code), void *context);

struct mw_scheduler_stats {
    size_t tasklets, ready;
    uint64_t turns, processed; /* items, in turns */
    uint64_t failures;         /* bodies that returned < 0, and those that got no stack */
    uint64_t late_results;     /* bodies that returned < 0 after a close was asked for */
};
MW_EXPORT struct mw_scheduler_stats mw_scheduler_stats(const mw_scheduler *s);
/* Why a body last failed or could not begin, with its name; code 0: none has. Borrowed, as long as s. */
MW_EXPORT const struct mw_error *mw_scheduler_last_error(const mw_scheduler *s);

/* Make s the mesh that new tasklets on this thread join, until left. returns the one before (may be NULL). */
MW_EXPORT mw_scheduler *mw_scheduler_enter(mw_scheduler *s);
MW_EXPORT void mw_scheduler_leave(mw_scheduler *previous);

/* The thread's implicit scheduler: every tasklet made outside a mesh is in it. */
MW_EXPORT mw_scheduler *mw_implicit_scheduler(void);
MW_EXPORT int64_t mw_run(void); /* mw_scheduler_run of it */
MW_EXPORT int mw_step(void);    /* mw_scheduler_turn of it */
/* Free this thread's implicit scheduler, its tasklets and its pooled stacks; before a thread ends. */
MW_EXPORT void mw_thread_end(void);

MW_END_DECLS

#endif
