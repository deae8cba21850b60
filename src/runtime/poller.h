/* One worker's loop: readiness of descriptors, timers, wake-up from outside, the end of a pass. The seam over epoll and libuv.
 * Not sockets or HTTP; those are in edge/. Read next: poller.c, then edge/edge.h.
 * SPDX-License-Identifier: MIT */
#ifndef RUNTIME_POLLER_H
#define RUNTIME_POLLER_H

#include <meshwork/base.h>

/* A poller, its watches and its timers belong to one thread at a time; only poller_wake may be called from
 * elsewhere. It installs no signal handler, prints nothing and never ends the process. */
struct poller;

/* returns 0, -ENOMEM, or what the kernel said (-EMFILE) */
int poller_open(struct poller **ret);
/* Drop every watch, timer and wake still open, and free. Accepts NULL. Not from inside a callback. */
void poller_close(struct poller *poller);

/* ---- running -----------------------------------------------------------------------------------------
 * A pass: due timers, ready descriptors, wakes; then, if anything ran, the turn hook. */

/* Run passes until poller_stop. */
void poller_run(struct poller *poller);
/* One pass. may_wait: sleep until something is ready or a timer is due; else only look.
 * For a host that has its own loop: watch poller_fd for reading, sleep no longer than poller_timeout_ms, then
 * poller_run_once(poller, false). */
void poller_run_once(struct poller *poller, bool may_wait);
/* Let poller_run return after this pass; called outside poller_run it makes the next call return after one pass. */
void poller_stop(struct poller *poller);
int poller_fd(const struct poller *poller);   /* readable when a pass has something to do */
bool poller_has_ready(const struct poller *poller); /* whether it is, now; timers aside */
int poller_timeout_ms(struct poller *poller); /* from now until the next timer; 0 at once; -1 never */
/* Whether its thread goes on, for who looks from outside: odd while the loop is awake, even while it sleeps, greater at each change. Twice the
 * same odd number: it has not come back in between.
 * context  any thread */
uint64_t poller_pulse(const struct poller *poller);
/* The clock of mw_now_ns, read once per pass. */
int64_t poller_now(struct poller *poller);

/* The turn: called at the end of a pass in which anything ran, before the loop sleeps again; never nested. What
 * it produces leaves with the same pass. One per poller; NULL takes it away. */
void poller_on_turn(struct poller *poller, void (*turn)(void *context), void *context);
/* Ask for a turn although nothing is ready: this pass if it has not had its turn yet, else the next, without
 * sleeping before. */
void poller_again(struct poller *poller);

/* ---- descriptors ------------------------------------------------------------------------------------- */
enum { POLLER_READ = 1, POLLER_WRITE = 2 };

struct poller_watch;
/* events: POLLER_READ, POLLER_WRITE or both: what is ready, never more than was asked for. A failed descriptor
 * is ready for all that was asked: the next system call on it tells why. Level-triggered. */
typedef void poller_ready(void *context, int events);

/* Watch a descriptor that does not block. It stays the caller's and must outlive the watch.
 * events   0: watched for nothing yet
 * returns  0, -ENOMEM, -EEXIST already watched, -EBADF, -EPERM no descriptor that can be waited for */
int poller_watch(struct poller *poller, int fd, int events, poller_ready *ready, void *context,
                 struct poller_watch **ret);
/* Wait for other events from now on; 0 for none. Costs nothing when they are the same. */
void poller_want(struct poller_watch *watch, int events);
/* No callback comes after this call; then the descriptor may be closed. Accepts NULL. */
void poller_unwatch(struct poller_watch *watch);

/* ---- timers ------------------------------------------------------------------------------------------ */
struct poller_timer;
int poller_timer_new(struct poller *poller, void (*due)(void *context), void *context, struct poller_timer **ret);
/* Fire once at an absolute time (mw_now_ns), never before it, up to 1 ms after it; MW_FOREVER stops it. */
void poller_timer_set(struct poller_timer *timer, int64_t deadline_ns);
void poller_timer_free(struct poller_timer *timer); /* accepts NULL; freed at the end of the pass */

/* ---- wake-up from outside ---------------------------------------------------------------------------- */
struct poller_wake;
int poller_wake_new(struct poller *poller, void (*woken)(void *context), void *context, struct poller_wake **ret);
/* Let woken run on the poller's thread soon; calls that come close together are one.
 * context  any thread; signal-safe; not after poller_wake_free */
void poller_wake(struct poller_wake *wake);
void poller_wake_free(struct poller_wake *wake); /* the poller's thread; accepts NULL */

/* ---- signals --------------------------------------------------------------------------------------------- */
struct poller_signal;
/* Let caught run on the poller's thread after each signal of a number that comes to the process; the process has a handler of ours for it until the
 * last is freed, the default from then on. returns 0; -EINVAL it cannot be handled; -ENOMEM, -EMFILE */
int poller_signal_new(struct poller *poller, int number, void (*caught)(void *context), void *context, struct poller_signal **ret);
void poller_signal_free(struct poller_signal *signal); /* the poller's thread; accepts NULL; no callback comes any more */

/* ---- work on other threads ------------------------------------------------------------------------------ */
/* Run a function on a pool of threads, then done on the poller's thread. The poller must not be closed before. In two steps, for work that
 * waits for its turn and must not fail when it comes: made (0, -ENOMEM), then either started, which always works and frees it after done, or
 * freed. */
struct poller_job;
int poller_job_new(struct poller *poller, void (*run)(void *context), void (*done)(void *context), void *context, struct poller_job **ret);
void poller_job_start(struct poller_job *job);
void poller_job_free(struct poller_job *job); /* one that was not started; accepts NULL */
/* Both at once. 0, -ENOMEM */
static inline int poller_work(struct poller *poller, void (*run)(void *context), void (*done)(void *context), void *context)
{
    struct poller_job *job;
    int err = poller_job_new(poller, run, done, context, &job);

    if (err == 0)
        poller_job_start(job);
    return err;
}

#endif
