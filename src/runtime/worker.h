/* The inside of a runtime and its workers, for worker.c, embed.c and left.c. Read next: worker.c.
 * SPDX-License-Identifier: MIT */
#ifndef RUNTIME_WORKER_H
#define RUNTIME_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "runtime/host.h"
#include "runtime/linger.h"

struct worker {
    mw_runtime *runtime;
    pthread_t thread;
    struct runtime_host host;
    struct poller_wake *wake;
    struct poller_timer *timer;
    int64_t timer_ns;           /* what it is set to */
    struct mw_list meshes;      /* struct worker_mesh: the thread's own */
    bool has_begun;             /* a thread of its own */
    size_t mesh_count;          /* under the runtime's lock */
    struct mw_list given;       /* struct worker_mesh: started, not taken yet; under the lock */
    atomic_bool has_given;      /* there are some */
    atomic_bool is_roused;      /* by a post, and has not run since */
    struct lingering linger;       /* before a sleep, for posts */
    struct mw_runtime_report report;
};

struct mw_runtime {
    struct worker *workers;
    size_t worker_count;
    pthread_mutex_t lock;    /* of given, mesh_count and waiting: never held while a mesh runs */
    struct mw_list waiting;  /* struct worker_mesh: made, not started */
    atomic_bool must_end;
    struct poller *poller;   /* mw_runtime_wait sleeps in it */
    struct poller_wake *stop;
    atomic_bool must_stop;
    void (*on_left)(void *context, const mw_mesh_left *left); /* NULL: nobody is told */
    void *left_context;
    pthread_mutex_t left_lock; /* while somebody is: workers end side by side */
    bool may_linger;         /* there are processors enough for two workers at once */
    bool is_embedded;        /* worker 0 is whoever calls mw_runtime_turn */
    bool is_turning;         /* the rest is for embed.c: within mw_runtime_turn */
    atomic_ulong caller;     /* the pthread_self of the first to do so; 0: nobody yet */
};

/* Let the worker's poller wake up at a time, at the latest; costs nothing where it does so already. */
void worker_wake_at(struct worker *w, int64_t deadline_ns);

/* Count what a mesh still has, and tell whoever wants to know. worker  SIZE_MAX: none has had it */
void count_left(mw_runtime *rt, size_t worker, mw_scheduler *s, struct mw_runtime_report *report);

#endif
