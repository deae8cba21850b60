/* The watch over threads that run meshes: a thread of its own looks now and again which tasklet each of them runs, and says so where it is
 * still the same one with the same item. The watched pay nothing: what is read is kept anyway.
 * Not faults; those are in fault.c. Read next: fault.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/list.h"
#include "base/memory.h"
#include "scheduler/fault.h"
#include "scheduler/scheduler_priv.h"

#define WARN_NS INT64_C(100000000)
#define SECOND_NS INT64_C(1000000000)
#define LOOK_LEAST_NS INT64_C(1000000)
enum { LOOKS = 4 /* while a stall grows to what is said */ };

/* A thread that is watched. */
struct stall_watch {
    struct mw_link link;
    struct mw_thread *thread;
    pthread_t id;
    mw_stall_options options;
    const mw_tasklet *seen;  /* who ran at the last look; NULL: nobody */
    uint64_t seen_processed;
    int64_t since_ns;        /* of the first look that saw this */
    bool is_said, is_aborted;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the last watch has gone */
    struct mw_list watches;
    bool has_begun;         /* the list is one */
    bool has_thread;
    pthread_t thread;       /* lives while somebody is watched */
    uint64_t generation;    /* of the thread: one of before ends */
} stalls = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static _Atomic uint64_t stall_count;

uint64_t mw_stall_count(void)
{
    return atomic_load_explicit(&stall_count, memory_order_relaxed);
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNSYNCHRONISED __attribute__((no_sanitize("thread")))
#endif
#endif
#ifndef UNSYNCHRONISED
#define UNSYNCHRONISED
#endif

/* ---- looking -------------------------------------------------------------------------------------------- */

/* What is read here the other thread may be writing. Whoever is seen has run for a tenth of a second, and is looked at once more after
 * the reading: what was read of a tasklet that has ended meanwhile is thrown away. */
UNSYNCHRONISED static const mw_tasklet *look_at(const struct stall_watch *w, uint64_t *ret_processed)
{
    mw_tasklet *const volatile *current = &w->thread->current;
    const mw_tasklet *t = *current;
    const volatile uint64_t *processed = t ? &t->processed : NULL;

    *ret_processed = processed ? *processed : 0;
    return t;
}

UNSYNCHRONISED static void describe(const mw_tasklet *t, struct mw_stall *ret)
{
    const char *name = mw_tasklet_name(t);
    size_t i;

    for (i = 0; i + 1 < sizeof(ret->name) && name[i] != '\0'; i++)
        ret->name[i] = (unsigned char)name[i] < 0x20 ? '?' : name[i];
    ret->file = t->site->file ? t->site->file : "?";
    ret->line = t->site->line;
}

static void say(struct stall_watch *w, const mw_tasklet *t, uint64_t processed, int64_t now_ns)
{
    struct mw_stall stall = {.running_ns = now_ns - w->since_ns};
    uint64_t now_processed;

    describe(t, &stall);
    if (look_at(w, &now_processed) != t || now_processed != processed)
        return;
    w->is_said = true;
    atomic_fetch_add_explicit(&stall_count, 1, memory_order_relaxed);
    if (w->options.report)
        w->options.report(w->options.context, &stall);
}

static void look(struct stall_watch *w, int64_t now_ns)
{
    uint64_t processed;
    const mw_tasklet *t = look_at(w, &processed);

    if (!t || t != w->seen || processed != w->seen_processed) {
        w->seen = t;
        w->seen_processed = processed;
        w->since_ns = now_ns;
        w->is_said = false;
        return;
    }
    if (!w->is_said && now_ns - w->since_ns >= w->options.warn_ns)
        say(w, t, processed, now_ns);
    if (!w->is_aborted && w->options.abort_ns > 0 && now_ns - w->since_ns >= w->options.abort_ns) {
        w->is_aborted = true; /* its own thread says who it was (mw_catch_faults), and ends the process */
        (void)pthread_kill(w->id, SIGABRT);
    }
}

static int64_t look_at_all(void)
{
    int64_t now_ns = mw_now_ns(), period_ns = WARN_NS;
    struct mw_link *link;

    for (link = stalls.watches.head.next; link != &stalls.watches.head; link = link->next) {
        struct stall_watch *w = MW_CONTAINER_OF(link, struct stall_watch, link);

        look(w, now_ns);
        if (w->options.warn_ns < period_ns)
            period_ns = w->options.warn_ns;
    }
    return period_ns / LOOKS > LOOK_LEAST_NS ? period_ns / LOOKS : LOOK_LEAST_NS;
}

static void *watch_all(void *context)
{
    uint64_t generation = (uint64_t)(uintptr_t)context;

    (void)pthread_mutex_lock(&stalls.lock); /* a plain one: it cannot fail */
    while (stalls.generation == generation) {
        struct timespec until;
        int64_t until_ns = look_at_all();

        (void)clock_gettime(CLOCK_MONOTONIC, &until); /* it is there */
        until_ns += (int64_t)until.tv_sec * SECOND_NS + until.tv_nsec;
        until = (struct timespec){.tv_sec = until_ns / SECOND_NS, .tv_nsec = until_ns % SECOND_NS};
        (void)pthread_cond_clockwait(&stalls.changed, &stalls.lock, CLOCK_MONOTONIC, &until); /* however it ends, one looks */
    }
    (void)pthread_mutex_unlock(&stalls.lock);
    return NULL;
}

/* ---- watching ---------------------------------------------------------------------------------------------- */

/* With all signals blocked, so that none of the program's is handled there. */
static int start_thread(void)
{
    sigset_t all, before;
    int err;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    err = pthread_create(&stalls.thread, NULL, watch_all, (void *)(uintptr_t)stalls.generation);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    stalls.has_thread = err == 0;
    return -err;
}

static struct stall_watch *find_here(void)
{
    struct mw_link *link;

    for (link = stalls.watches.head.next; link != &stalls.watches.head; link = link->next)
        if (MW_CONTAINER_OF(link, struct stall_watch, link)->thread == &mw_thread)
            return MW_CONTAINER_OF(link, struct stall_watch, link);
    return NULL;
}

int mw_watch_stalls(const mw_stall_options *options)
{
    struct stall_watch *fresh = mw_alloc_zeroed(1, sizeof(*fresh)), *w;
    int err = 0;

    if (!fresh)
        return -ENOMEM;
    (void)pthread_mutex_lock(&stalls.lock);
    if (!stalls.has_begun)
        mw_list_init(&stalls.watches);
    stalls.has_begun = true;
    if (!stalls.has_thread)
        err = start_thread();
    w = err == 0 ? find_here() : NULL;
    if (err == 0 && !w) {
        w = fresh;
        fresh = NULL;
        w->thread = &mw_thread;
        w->id = pthread_self();
        mw_list_push_back(&stalls.watches, &w->link);
    }
    if (w) {
        w->options = options ? *options : (mw_stall_options){0};
        if (w->options.warn_ns <= 0)
            w->options.warn_ns = WARN_NS;
    }
    (void)pthread_mutex_unlock(&stalls.lock);
    mw_free(fresh);
    return err;
}

bool mw_stall_options_here(mw_stall_options *ret_options)
{
    const struct stall_watch *w = NULL;

    (void)pthread_mutex_lock(&stalls.lock);
    if (stalls.has_begun)
        w = find_here();
    if (w)
        *ret_options = w->options;
    (void)pthread_mutex_unlock(&stalls.lock);
    return w != NULL;
}

void mw_unwatch_stalls(void)
{
    struct stall_watch *w = NULL;
    pthread_t thread = {0};
    bool is_last = false;

    (void)pthread_mutex_lock(&stalls.lock);
    if (stalls.has_begun)
        w = find_here();
    if (w)
        mw_link_remove(&w->link);
    if (w && mw_list_is_empty(&stalls.watches)) {
        is_last = stalls.has_thread;
        thread = stalls.thread;
        stalls.has_thread = false;
        stalls.generation++;
        (void)pthread_cond_broadcast(&stalls.changed);
    }
    (void)pthread_mutex_unlock(&stalls.lock);
    if (is_last)
        (void)pthread_join(thread, NULL); /* it was made, and by nobody else joined */
    mw_free(w);
}
