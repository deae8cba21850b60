/* The poller of the world, in place of src/runtime/poller.c: readiness is the world's kernel's, time is its clock, work of other threads is done
 * between two passes, and chance says in which order the ready ones are served. It never sleeps.
 * SPDX-License-Identifier: MIT */
#include "runtime/poller.h"

#include <errno.h>

#include "base/list.h"
#include "base/memory.h"
#include "kernel.h"

struct poller {
    struct mw_list watches, timers, wakes, jobs, dead;
    void (*turn)(void *context);
    void *turn_context;
    bool has_run, wants_again;
};

/* All handles begin with their link. */
struct handle {
    struct mw_link link;
    struct poller *poller;
    void *context;
    bool is_dead;
};

struct poller_watch {
    struct handle handle;
    poller_ready *ready;
    int fd, wanted;
    uint64_t served; /* the pass in which it was */
};
struct poller_timer {
    struct handle handle;
    void (*due)(void *context);
    int64_t deadline_ns;
    uint64_t served;
};
struct poller_wake {
    struct handle handle;
    void (*woken)(void *context);
    bool is_due;
};
struct poller_job {
    struct handle handle;
    void (*run)(void *context);
    void (*done)(void *context);
};

static void *handle_new(struct poller *p, struct mw_list *list, size_t byte_count, void *context)
{
    struct handle *h = mw_alloc_zeroed(1, byte_count);

    if (!h)
        return NULL;
    h->poller = p;
    h->context = context;
    mw_list_push_back(list, &h->link);
    return h;
}

static void handle_end(struct handle *h)
{
    if (!h)
        return;
    h->is_dead = true;
    mw_link_remove(&h->link);
    mw_list_push_back(&h->poller->dead, &h->link);
}

static void list_free(struct mw_list *list)
{
    while (!mw_list_is_empty(list)) {
        struct handle *h = MW_CONTAINER_OF(list->head.next, struct handle, link);

        mw_link_remove(&h->link);
        mw_free(h);
    }
}

int poller_open(struct poller **ret)
{
    struct poller *p = mw_alloc_zeroed(1, sizeof *p);

    if (!p)
        return -ENOMEM;
    mw_list_init(&p->watches);
    mw_list_init(&p->timers);
    mw_list_init(&p->wakes);
    mw_list_init(&p->jobs);
    mw_list_init(&p->dead);
    *ret = p;
    return 0;
}

static void run_jobs(struct poller *p)
{
    while (!mw_list_is_empty(&p->jobs)) {
        struct poller_job *job = MW_CONTAINER_OF(p->jobs.head.next, struct poller_job, handle.link);

        handle_end(&job->handle);
        job->run(job->handle.context);
        p->has_run = true;
        job->done(job->handle.context);
    }
}

void poller_close(struct poller *p)
{
    if (!p)
        return;
    run_jobs(p);
    list_free(&p->watches);
    list_free(&p->timers);
    list_free(&p->wakes);
    list_free(&p->dead);
    mw_free(p);
}

/* ---- a pass: each that is due or ready is served once --------------------------------------------------------- */
static uint64_t pass;

static void run_timers(struct poller *p)
{
    const int64_t now_ns = mw_now_ns();
    struct poller_timer *first;
    struct mw_link *at;

    do {
        first = NULL;
        for (at = p->timers.head.next; at != &p->timers.head; at = at->next) {
            struct poller_timer *t = MW_CONTAINER_OF(at, struct poller_timer, handle.link);

            if (t->served != pass && t->deadline_ns <= now_ns && (!first || t->deadline_ns < first->deadline_ns))
                first = t;
        }
        if (first) {
            first->deadline_ns = MW_FOREVER;
            first->served = pass;
            p->has_run = true;
            first->due(first->handle.context);
        }
    } while (first);
}

/* In the order that chance says. */
static void run_watches(struct poller *p)
{
    struct poller_watch *picked;
    struct mw_link *at;
    size_t count;

    do {
        picked = NULL;
        count = 0;
        for (at = p->watches.head.next; at != &p->watches.head; at = at->next) {
            struct poller_watch *w = MW_CONTAINER_OF(at, struct poller_watch, handle.link);

            if (w->served != pass && w->wanted && kernel_ready(w->fd, w->wanted) > 0 &&
                chance_below(kernel_chance(), ++count) == 0)
                picked = w;
        }
        if (picked) {
            picked->served = pass;
            p->has_run = true;
            picked->ready(picked->handle.context, kernel_ready(picked->fd, picked->wanted));
        }
    } while (picked);
}

static void run_wakes(struct poller *p)
{
    struct mw_link *at = p->wakes.head.next;

    while (at != &p->wakes.head) {
        struct poller_wake *w = MW_CONTAINER_OF(at, struct poller_wake, handle.link);

        at = at->next;
        if (!w->is_due)
            continue;
        w->is_due = false;
        p->has_run = true;
        w->woken(w->handle.context);
        at = p->wakes.head.next; /* it may have taken others away */
    }
}

void poller_run_once(struct poller *p, bool may_wait)
{
    (void)may_wait;
    pass++;
    run_timers(p);
    run_watches(p);
    run_wakes(p);
    run_jobs(p);
    if (p->has_run || p->wants_again) {
        p->has_run = p->wants_again = false;
        if (p->turn)
            p->turn(p->turn_context);
        p->has_run = false;
    }
    list_free(&p->dead);
}

void poller_run(struct poller *p)
{
    poller_run_once(p, true);
}

void poller_stop(struct poller *p)
{
    (void)p;
}

uint64_t poller_pulse(const struct poller *p)
{
    (void)p; /* it never sleeps, and one thread is all there is */
    return 0;
}

bool poller_has_ready(const struct poller *p)
{
    (void)p;
    return false; /* only workers with a thread ask, and there are none */
}

int poller_fd(const struct poller *p)
{
    (void)p;
    return -1;
}

int poller_timeout_ms(struct poller *p)
{
    (void)p;
    return 0;
}

int64_t poller_now(struct poller *p)
{
    (void)p;
    return mw_now_ns();
}

void poller_on_turn(struct poller *p, void (*turn)(void *context), void *context)
{
    p->turn = turn;
    p->turn_context = context;
}

void poller_again(struct poller *p)
{
    p->wants_again = true;
}

/* ---- signals: none ever comes ------------------------------------------------------------------------------------ */
int poller_signal_new(struct poller *p, int number, void (*caught)(void *context), void *context, struct poller_signal **ret)
{
    (void)p, (void)number, (void)caught, (void)context, (void)ret;
    return -ENOTSUP;
}

void poller_signal_free(struct poller_signal *signal)
{
    (void)signal;
}

/* ---- handles ------------------------------------------------------------------------------------------------------ */
int poller_watch(struct poller *p, int fd, int events, poller_ready *ready, void *context, struct poller_watch **ret)
{
    struct poller_watch *w = handle_new(p, &p->watches, sizeof *w, context);

    if (!w)
        return -ENOMEM;
    w->fd = fd;
    w->wanted = events;
    w->ready = ready;
    *ret = w;
    return 0;
}

void poller_want(struct poller_watch *w, int events)
{
    w->wanted = events;
}

void poller_unwatch(struct poller_watch *w)
{
    handle_end(w ? &w->handle : NULL);
}

int poller_timer_new(struct poller *p, void (*due)(void *context), void *context, struct poller_timer **ret)
{
    struct poller_timer *t = handle_new(p, &p->timers, sizeof *t, context);

    if (!t)
        return -ENOMEM;
    t->due = due;
    t->deadline_ns = MW_FOREVER;
    *ret = t;
    return 0;
}

void poller_timer_set(struct poller_timer *t, int64_t deadline_ns)
{
    t->deadline_ns = deadline_ns;
}

void poller_timer_free(struct poller_timer *t)
{
    handle_end(t ? &t->handle : NULL);
}

int poller_wake_new(struct poller *p, void (*woken)(void *context), void *context, struct poller_wake **ret)
{
    struct poller_wake *w = handle_new(p, &p->wakes, sizeof *w, context);

    if (!w)
        return -ENOMEM;
    w->woken = woken;
    *ret = w;
    return 0;
}

void poller_wake(struct poller_wake *w)
{
    w->is_due = true;
}

void poller_wake_free(struct poller_wake *w)
{
    handle_end(w ? &w->handle : NULL);
}

int poller_job_new(struct poller *p, void (*run)(void *context), void (*done)(void *context), void *context, struct poller_job **ret)
{
    struct poller_job *job = mw_alloc_zeroed(1, sizeof *job);

    if (!job)
        return -ENOMEM;
    job->handle = (struct handle){.poller = p, .context = context};
    job->run = run;
    job->done = done;
    *ret = job;
    return 0;
}

void poller_job_start(struct poller_job *job)
{
    mw_list_push_back(&job->handle.poller->jobs, &job->handle.link);
}

void poller_job_free(struct poller_job *job)
{
    mw_free(job);
}
