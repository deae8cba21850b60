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
/* The blog's priority scheduler, in rounds: the tasklets that have items are queued, the lowest priority (a number,
 * mw_set_priority) first, those of equal priority in the order of their queueing. Each is flushed, or with incremental
 * processes one item, and is put back, its priority asked anew, if items remain. What is sent meanwhile to tasklets
 * that are not in the round waits for the next one. Set-ups that are due run before a round. Who has had a
 * budget's worth of items waits for the next round. A turn is one round, or what the budget allows of it.
 * returns  owned: mw_scheduler_free; NULL: out of memory
 * Once warm it allocates nothing. */
MW_EXPORT MW_MUST_USE mw_scheduler *mw_priority_scheduler_new(bool incremental);
/* Free the scheduler and every tasklet that belongs to it, in the order of their making. Accepts NULL. */
MW_EXPORT void mw_scheduler_free(mw_scheduler *s);
/* Add a tasklet; it leaves the scheduler it was in, also in the middle of its run, and takes along what it waits for.
 * returns 0; -EINVAL; -ENOMEM; -ELOOP it stands for a scheduler that s is part of, or is nested more than 64 deep. */
MW_EXPORT int mw_scheduler_add(mw_scheduler *s, mw_tasklet *t);

/* Run until nothing is ready and nothing can come by itself: while somebody sleeps, or an item is to be sent at a time, it
 * waits for that (mw_scheduler_on_idle). returns how many items were processed, or negative: -EBUSY it is running,
 * -EDEADLK nothing is left but tasklets that wait for each other (mw_scheduler_last_error has their names).
 * context  the mesh's own thread, outside any body */
MW_EXPORT int64_t mw_scheduler_run(mw_scheduler *s);
/* Run one turn: what is due and ready now, within the budget. Never waits.
 * returns  1 more is ready, 0 nothing is, negative: -EBUSY it is running */
MW_EXPORT int mw_scheduler_turn(mw_scheduler *s);
/* Items per turn, at least 1; default 4,096: more than a mailbox, so that one tasklet that refills itself for ever
 * starves nobody. */
MW_EXPORT int mw_scheduler_set_budget(mw_scheduler *s, size_t items_per_turn);
MW_EXPORT bool mw_scheduler_is_idle(const mw_scheduler *s);

/* In which order a taskmaster goes over those that are ready. Whatever it is, what one tasklet sends to another arrives in
 * the order of sending, and whoever is ready gets its time within so many turns as there are tasklets. */
enum mw_order {
    MW_ORDER_ROUNDS, /* in the order of adding, each flushed: the blog's, and what a new one has */
    MW_ORDER_ITEMS,  /* in the order of adding, each one item */
    MW_ORDER_NEWEST, /* who was made last first, each flushed: what branches goes deep before it goes wide, which takes the
                        least memory; an eighth of the budget goes to one of the others, in the order of adding */
};
/* returns 0; -EINVAL; -ENOTSUP a priority scheduler, which has its own */
MW_EXPORT int mw_scheduler_set_order(mw_scheduler *s, enum mw_order order);
/* Let a seed decide who runs, and for how many items in a row: with the same seed, a clock of its own (mw_scheduler_set_clock)
 * and no input from outside, a mesh runs the same way again. For tests that look for orders nobody thought of. 0: no longer.
 * returns 0; -EINVAL; -ENOTSUP a priority scheduler */
MW_EXPORT int mw_scheduler_set_seed(mw_scheduler *s, uint64_t seed);

/* ---- pausing -------------------------------------------------------------------------------------------
 * A paused scheduler runs nothing; sends queue, times pass, the rest of the program goes on. The verbs (mw_next, mw_last,
 * mw_flush, mw_pass) still run the one tasklet that they are called for. */

/* From inside one of its bodies it takes effect at the next receive. 0, -EINVAL; also when it is paused already. */
MW_EXPORT int mw_scheduler_pause(mw_scheduler *s);
MW_EXPORT int mw_scheduler_resume(mw_scheduler *s);
MW_EXPORT bool mw_scheduler_is_paused(const mw_scheduler *s);
/* Run one turn, also of a paused scheduler, which stays so. returns as mw_scheduler_turn */
MW_EXPORT int mw_scheduler_step(mw_scheduler *s);

/* ---- a scheduler as a tasklet ----------------------------------------------------------------------------- */
/* The tasklet that stands for s in another scheduler: it is ready while any of those in s is, and its run is a turn of s,
 * within the budget of both. Whatever is sent to it stands for a turn. Made when first asked for; it joins the mesh that new
 * tasklets join, and goes elsewhere by mw_scheduler_add. Closed, s rests until it is restarted. Freed, s stands alone again; when
 * s is freed, so is it. In a priority scheduler it has one turn a round. mw_set and mw_rescope on it give -ENOTSUP.
 * returns  borrowed from s; NULL: out of memory, or s would be part of itself */
MW_EXPORT mw_tasklet *mw_scheduler_tasklet(mw_scheduler *s);
/* When something is due next that no send brings about: a loop of one's own runs a turn then, at the latest. In the clock of
 * mw_now_ns; MW_FOREVER: nothing is. */
MW_EXPORT int64_t mw_scheduler_deadline(const mw_scheduler *s);
/* How mw_scheduler_run waits where nothing is ready, in place of sleeping: until deadline_ns (MW_FOREVER: there is none), or
 * earlier where idle knows that something has come. It returns 0 to go on, negative to end the run. NULL: as it was. */
MW_EXPORT void mw_scheduler_on_idle(mw_scheduler *s, int (*idle)(void *context, int64_t deadline_ns), void *context);
/* Wait until something is ready, posted (mw_post) or due, in a thread that has nothing else to do:
 * for (;;) { mw_scheduler_run(s); mw_scheduler_wait(s, MW_FOREVER); }
 * returns  1 there is something to run; 0 the deadline (of mw_now_ns) has come; -EINVAL; -EBUSY it is running; -EAGAIN it is paused; -ENOTSUP it has a clock of
 *          its own, or is part of another one; -ENOMEM
 * context  the mesh's own thread, outside any body */
MW_EXPORT int mw_scheduler_wait(mw_scheduler *s, int64_t deadline_ns);
/* Called ON THE POSTING THREAD when something is posted to a mesh whose last turn left nothing to do: once, until the next turn. It
 * wakes the loop that runs the mesh (an eventfd, uv_async_send), and does nothing else. For loops of one's own; mw_scheduler_wait
 * needs none. NULL takes it away.
 * returns  0; -EINVAL; -EBUSY a tasklet of s has an address already
 * context  the mesh's own thread, before addresses are made */
MW_EXPORT int mw_scheduler_on_post(mw_scheduler *s, void (*posted)(void *context), void *context);
/* How many posted items may wait to be taken by the next turn, of all tasklets of a mesh together: 16 to 2^20, rounded up to a power of
 * two; 4,096 otherwise.
 * returns 0; -EINVAL; -EBUSY a tasklet of s has an address already */
MW_EXPORT int mw_scheduler_set_inbox(mw_scheduler *s, size_t items);
/* Another clock than mw_now_ns: for tests and simulations. It never goes back. With it, a run needs an idle hook that waits or
 * moves it on, and ends without.
 * returns  0; -EINVAL; -EBUSY: something is due by the clock from before */
MW_EXPORT int mw_scheduler_set_clock(mw_scheduler *s, int64_t (*clock)(void *context), void *context);
/* Called when the scheduler goes from idle to ready, or when something is due earlier than all before
 * (mw_scheduler_deadline); from inside mw_send, so it must only take note (wake a loop). */
MW_EXPORT void mw_scheduler_on_ready(mw_scheduler *s, void (*ready)(void *context), void *context);
/* Called when a body returned a negative number; default: one line on the hook of nobody, counted in the stats. Also
 * when a priority could not be told (-ELOOP, or what its function gave): the tasklet stays open and comes last. */
MW_EXPORT void mw_scheduler_on_failure(mw_scheduler *s,
                                       void (*failed)(void *context, mw_tasklet *t, int code), void *context);

struct mw_scheduler_stats {
    size_t tasklets, ready;
    uint64_t turns, processed; /* items, in turns */
    uint64_t failures;         /* bodies that returned < 0, those that got no stack, priorities that could not be told */
    uint64_t late_results;     /* bodies that returned < 0 after a close was asked for */
    uint64_t posts_dropped;    /* items from other threads that found their tasklet freed or finished */
};
MW_EXPORT struct mw_scheduler_stats mw_scheduler_stats(const mw_scheduler *s);
/* Call each for every tasklet of a mesh and of those nested in it, in the order of their making, until it returns false. It
 * makes, moves, closes and frees none.
 * returns  false: each did. context: the mesh's own thread */
MW_EXPORT bool mw_scheduler_each(const mw_scheduler *s, bool (*each)(void *context, const mw_tasklet *t), void *context);
/* Why a body last failed or could not begin, with its name, or a tasklet could not be made of its options; code 0: none of it. Borrowed, as long as s. */
MW_EXPORT const struct mw_error *mw_scheduler_last_error(const mw_scheduler *s);

/* ---- what it is doing ------------------------------------------------------------------------------- */
/* Write a table of a mesh and those nested in it: per tasklet name, kind, queue, age of its oldest item, stack, items processed, where it was
 * made, id (its address, as gdb shows it), state, and what it waits for and since when. The first thousand of each mesh. Allocates nothing.
 * Ages are at least so: a mesh notes once a millisecond, at the beginning of a turn, how far the queues of 128 of its tasklets reach, and
 * keeps a thousand of those notes. "-": no item, or none that such a note knows.
 * fd       a descriptor, borrowed
 * returns  0, -EINVAL
 * context  the mesh's own thread; signal-safe there */
MW_EXPORT int mw_scheduler_dump(const mw_scheduler *s, int fd);
/* The same as a line of JSON, with counts of what was refused, dropped and failed (docs/debugging.md has its keys). */
MW_EXPORT int mw_scheduler_dump_json(const mw_scheduler *s, int fd);
/* The same for the mesh that runs on this thread, from its root, and for the thread's implicit scheduler; as JSON a list of them.
 * context: any thread; signal-safe */
MW_EXPORT void mw_dump(int fd);
MW_EXPORT void mw_dump_json(int fd);
/* The same for all meshes of the process. A mesh of another thread does it itself, in its next turn; where it sleeps in mw_scheduler_wait, in
 * the loop of a worker, or in one of its own (mw_scheduler_on_post), it is woken. It belongs to the thread that ran or entered it last, else made it.
 * timeout_ns  how long those others are waited for, 0 and up; whoever has not answered then is named as silent: its thread computes, or sleeps
 *             where nothing wakes it
 * returns     how many were silent; -EINVAL; -EBUSY another thread asks just now
 * context     any thread, inside a body too; holds up the thread. Not from a signal */
MW_EXPORT int mw_dump_all(int fd, int64_t timeout_ns);
MW_EXPORT int mw_dump_all_json(int fd, int64_t timeout_ns);
/* Find tasklets that wait for each other in a ring (room in full mailboxes, answers without a deadline): none of them ever goes on, unless one
 * is closed. A run looks by itself when it has nothing left to do; a loop of one's own may ask.
 * ret_error  -EDEADLK with all names; may be NULL
 * returns    one of them, borrowed; NULL: there are none. context: the mesh's own thread */
MW_EXPORT mw_tasklet *mw_scheduler_find_deadlock(const mw_scheduler *s, struct mw_error *ret_error);
/* Have faults (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT) named on stderr before they end the process: the tasklet that ran, an overflow of
 * its stack as such, and mw_dump. The signal then takes its course, core dump included. Signals that somebody else handles are left
 * to him. For programs; a library never calls it. Each thread that runs meshes calls it: the handlers are the process's, the
 * stack that they run on is the thread's (until mw_thread_end). Workers of a runtime that is opened afterwards have theirs.
 * returns  0; -ENOTSUP under a debugger, a sanitizer or valgrind, which say more; -ENOMEM; what the kernel said */
MW_EXPORT int mw_catch_faults(void);

/* ---- stalls: a body that does not come back ---------------------------------------------------- */
/* A tasklet that has been running for too long, with one item. */
typedef struct mw_stall {
    char name[64];       /* of the tasklet; cut to fit */
    const char *file;    /* where it was made */
    int line;
    int64_t running_ns;  /* so far, a few looks too short */
} mw_stall;
typedef struct mw_stall_options {
    int64_t warn_ns;     /* from when on it is one; 0: 100 ms */
    int64_t abort_ns;    /* from when on the process is ended, by SIGABRT in that thread; 0: never */
    /* Called once for each, while it goes on, on the watch's own thread: it may print, but not touch the mesh. NULL: only counted */
    void (*report)(void *context, const mw_stall *borrows);
    void *context;
} mw_stall_options;
/* Have the tasklets of this thread watched, until mw_unwatch_stalls or mw_thread_end. A thread of the library's looks 40 times a second (more
 * often for a shorter warn_ns); the watched pay nothing. Again: other options.
 * Workers of a server that this thread starts afterwards are watched in the same way.
 * options  copied; NULL: the defaults
 * returns  0; -ENOMEM; -EAGAIN no further thread. context: the thread that runs the meshes */
MW_EXPORT int mw_watch_stalls(const mw_stall_options *options);
MW_EXPORT void mw_unwatch_stalls(void); /* this thread; also where it was not watched */
MW_EXPORT uint64_t mw_stall_count(void); /* of this process, ever. context: any thread */

/* What a scheduler does, as it does it. */
enum mw_trace_kind {
    MW_TRACE_EXECUTES,  /* a tasklet is about to run; its queue follows, an event per item */
    MW_TRACE_ITEM,      /* an item of its queue, as it stands before the run */
    MW_TRACE_PUTS_BACK, /* it has run, items remain: it is queued again */
    MW_TRACE_CLOSES,    /* its body is over */
    MW_TRACE_FAILS,     /* its body is over, with a code */
};
struct mw_trace_event {
    enum mw_trace_kind kind;
    bool is_incremental;  /* one item per run */
    bool is_processed;    /* MW_TRACE_ITEM: the run is for this one */
    bool has_priority;    /* the scheduler goes by priorities */
    int priority;         /* MW_TRACE_PUTS_BACK: the new one */
    int code;             /* MW_TRACE_FAILS: what the body returned; else 0 */
    mw_tasklet *tasklet;
    size_t item_count;    /* in its queue */
    size_t index;         /* MW_TRACE_ITEM: 0 is the first of the queue */
    const mw_value *item; /* MW_TRACE_ITEM: borrowed during the call; else NULL */
    int64_t time_ns;      /* mw_clock, when the turn began */
    uint64_t turn;        /* of the scheduler, counted from 0 */
};
typedef void mw_trace(void *context, const struct mw_trace_event *event);
/* Have a scheduler tell what it does; trace NULL: no longer. Nothing is spent on it while nobody listens.
 * returns  0; -EINVAL
 * context  the mesh's own thread. trace may call what a body may, also send, close and free; it may not wait. */
MW_EXPORT int mw_scheduler_on_trace(mw_scheduler *s, mw_trace *trace, void *context);
/* Print an event as a line: mw_scheduler_on_trace(s, mw_trace_print, stdout). Names as they are, items as JSON; MW_TRACE_CLOSES
 * is passed over.
 * file  a FILE *, borrowed */
MW_EXPORT void mw_trace_print(void *file, const struct mw_trace_event *event);
/* The same for programs: a JSON object a line. An item that has no JSON is null. */
MW_EXPORT void mw_trace_print_json(void *file, const struct mw_trace_event *event);
/* The same lines without their ends, for other places than files.
 * returns  a text, returned owned; MW_MISSING: out of memory */
MW_EXPORT MW_MUST_USE mw_value mw_trace_text(const struct mw_trace_event *event);
MW_EXPORT MW_MUST_USE mw_value mw_trace_json(const struct mw_trace_event *event);

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
