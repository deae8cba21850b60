/* One worker's loop over libuv: uv_poll for descriptors, uv_prepare and uv_check for the end of a pass.
 * Not sockets; those are in edge/. Read next: edge/edge.h.
 * SPDX-License-Identifier: MIT */
#include "runtime/poller.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/memory.h"

struct poller {
    uv_loop_t loop;
    uv_prepare_t prepare; /* before the loop sleeps: what timers brought about */
    uv_check_t check;     /* after descriptors were served */
    uv_idle_t idle;       /* started while a pass is wanted at once */
    void (*turn)(void *context);
    void *turn_context;
    int64_t now_ns;   /* 0: not read in this pass */
    bool has_run;     /* a callback ran since the last turn */
    bool wants_again; /* poller_again */
    bool is_single;   /* within poller_run_once */
    _Atomic uint64_t pulse; /* written by its own thread alone */
    unsigned linger_misses; /* how often in a row lingering was in vain, up to LINGER_MISSES */
    unsigned linger_skip;   /* how many sleeps to go without lingering */
};

/* A sleep and its end cost some 15 us, most of what a peer on this machine waits for. So the loop looks for this long
 * before it sleeps, but only while that pays: each look in vain doubles the number of sleeps before the next one. */
enum { LINGER_NS = 20000, LINGER_MISSES = 8 };

struct poller_watch {
    uv_poll_t uv;
    poller_ready *ready;
    int wanted;
};

struct poller_timer {
    uv_timer_t uv;
    void (*due)(void *context);
    int64_t deadline_ns;
};

struct poller_wake {
    uv_async_t uv;
    void (*woken)(void *context);
};

static struct poller *poller_of(const uv_handle_t *handle)
{
    return handle->loop->data;
}

/* Every handle that is not the poller's own is the first member of a block from mw_alloc_zeroed. */
static void handle_closed(uv_handle_t *handle)
{
    mw_free(handle);
}

static void handle_close(uv_handle_t *handle)
{
    handle->data = NULL;
    uv_close(handle, handle_closed);
}

/* ---- whether it goes on ----------------------------------------------------------------------------- */
static void pulse(struct poller *p, bool is_awake)
{
    uint64_t before = atomic_load_explicit(&p->pulse, memory_order_relaxed);

    if ((before & 1) != is_awake)
        atomic_store_explicit(&p->pulse, before + 1, memory_order_relaxed);
}

/* libuv serves descriptors where it sleeps: the first that is served says that the sleep is over. */
static void poller_ran(struct poller *p)
{
    p->has_run = true;
    pulse(p, true);
}

uint64_t poller_pulse(const struct poller *p)
{
    return atomic_load_explicit(&p->pulse, memory_order_relaxed);
}

/* ---- the turn ---------------------------------------------------------------------------------------- */
/* An idle handle that is started keeps the loop from sleeping; that is all it is for. */
static void idle_ran(uv_idle_t *idle)
{
    (void)idle;
}

static void poller_turn(struct poller *p)
{
    p->has_run = p->wants_again = false;
    if (p->turn)
        p->turn(p->turn_context);
    p->has_run = false;
    if (p->wants_again)
        uv_idle_start(&p->idle, idle_ran);
    else
        uv_idle_stop(&p->idle);
    p->now_ns = 0;
}

static void prepare_ran(uv_prepare_t *prepare)
{
    struct poller *p = poller_of((const uv_handle_t *)prepare);

    if (p->has_run) {
        poller_turn(p);
        if (p->is_single) /* a timer was what this pass is for: it must not sleep as well */
            uv_idle_start(&p->idle, idle_ran);
    }
    p->now_ns = 0; /* the sleep comes now */
    pulse(p, false);
}

static void check_ran(uv_check_t *check)
{
    struct poller *p = poller_of((const uv_handle_t *)check);

    pulse(p, true);
    if (p->has_run || p->wants_again)
        poller_turn(p);
}

void poller_on_turn(struct poller *p, void (*turn)(void *context), void *context)
{
    p->turn = turn;
    p->turn_context = context;
}

void poller_again(struct poller *p)
{
    p->wants_again = true;
    uv_idle_start(&p->idle, idle_ran);
}

/* ---- life and running -------------------------------------------------------------------------------- */
int poller_open(struct poller **ret)
{
    struct poller *p = mw_alloc_zeroed(1, sizeof *p);
    int err;

    if (!p)
        return -ENOMEM;
    err = uv_loop_init(&p->loop);
    if (err < 0) {
        mw_free(p);
        return err;
    }
    p->loop.data = p;
    /* These cannot fail: they only link a handle into the loop. */
    (void)uv_prepare_init(&p->loop, &p->prepare);
    (void)uv_check_init(&p->loop, &p->check);
    (void)uv_idle_init(&p->loop, &p->idle);
    (void)uv_prepare_start(&p->prepare, prepare_ran);
    (void)uv_check_start(&p->check, check_ran);
    *ret = p;
    return 0;
}

static void close_one(uv_handle_t *handle, void *poller)
{
    struct poller *p = poller;

    if (uv_is_closing(handle))
        return;
    if (handle == (uv_handle_t *)&p->prepare || handle == (uv_handle_t *)&p->check ||
        handle == (uv_handle_t *)&p->idle)
        uv_close(handle, NULL);
    else
        handle_close(handle);
}

void poller_close(struct poller *p)
{
    if (!p)
        return;
    p->turn = NULL;
    uv_walk(&p->loop, close_one, p);
    while (uv_loop_close(&p->loop) == UV_EBUSY)
        (void)uv_run(&p->loop, UV_RUN_NOWAIT);
    mw_free(p);
}

void poller_run(struct poller *p)
{
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
}

static void poller_linger(struct poller *p)
{
    struct pollfd loop = {.fd = uv_backend_fd(&p->loop), .events = POLLIN};
    int64_t until;

    if (p->linger_skip > 0) {
        p->linger_skip--;
        return;
    }
    until = mw_now_ns() + LINGER_NS;
    do {
        if (poll(&loop, 1, 0) != 0) {
            p->linger_misses = 0;
            return;
        }
    } while (mw_now_ns() < until);
    if (p->linger_misses < LINGER_MISSES)
        p->linger_misses++;
    p->linger_skip = 1u << p->linger_misses;
}

void poller_run_once(struct poller *p, bool may_wait)
{
    if (may_wait && !p->wants_again)
        poller_linger(p);
    p->is_single = true;
    (void)uv_run(&p->loop, may_wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    p->is_single = false;
    if (p->has_run) /* a timer that came due after the descriptors were served */
        poller_turn(p);
    if (!p->wants_again)
        uv_idle_stop(&p->idle);
}

void poller_stop(struct poller *p)
{
    uv_stop(&p->loop);
}

int poller_fd(const struct poller *p)
{
    return uv_backend_fd(&p->loop);
}

int poller_timeout_ms(struct poller *p)
{
    uv_update_time(&p->loop); /* the host has done things of its own since the pass */
    return uv_backend_timeout(&p->loop);
}

int64_t poller_now(struct poller *p)
{
    if (!p->now_ns)
        p->now_ns = mw_now_ns();
    return p->now_ns;
}

/* ---- descriptors ------------------------------------------------------------------------------------- */
static void watch_ready(uv_poll_t *uv, int status, int uv_events)
{
    struct poller_watch *w = (struct poller_watch *)uv;
    int events = (uv_events & UV_READABLE ? POLLER_READ : 0) | (uv_events & UV_WRITABLE ? POLLER_WRITE : 0);

    poller_ran(poller_of((const uv_handle_t *)uv));
    if (status < 0) { /* libuv has stopped the handle */
        events = w->wanted;
        w->wanted = 0;
    }
    w->ready(uv->data, events);
}

int poller_watch(struct poller *p, int fd, int events, poller_ready *ready, void *context,
                 struct poller_watch **ret)
{
    struct poller_watch *w = mw_alloc_zeroed(1, sizeof *w);
    int err;

    if (!w)
        return -ENOMEM;
    err = uv_poll_init(&p->loop, &w->uv, fd);
    if (err < 0) {
        mw_free(w);
        return err;
    }
    w->uv.data = context;
    w->ready = ready;
    poller_want(w, events);
    *ret = w;
    return 0;
}

void poller_want(struct poller_watch *w, int events)
{
    if (w->wanted == events)
        return;
    w->wanted = events;
    if (events == 0)
        (void)uv_poll_stop(&w->uv);
    else
        (void)uv_poll_start(
            &w->uv, (events & POLLER_READ ? UV_READABLE : 0) | (events & POLLER_WRITE ? UV_WRITABLE : 0),
            watch_ready);
}

void poller_unwatch(struct poller_watch *w)
{
    if (w)
        handle_close((uv_handle_t *)&w->uv);
}

/* ---- timers ------------------------------------------------------------------------------------------ */
static void timer_due(uv_timer_t *uv)
{
    struct poller_timer *t = (struct poller_timer *)uv;

    if (mw_now_ns() < t->deadline_ns) { /* libuv counts in milliseconds from the start of its pass */
        poller_timer_set(t, t->deadline_ns);
        return;
    }
    poller_ran(poller_of((const uv_handle_t *)uv));
    t->due(uv->data);
}

int poller_timer_new(struct poller *p, void (*due)(void *context), void *context, struct poller_timer **ret)
{
    struct poller_timer *t = mw_alloc_zeroed(1, sizeof *t);

    if (!t)
        return -ENOMEM;
    (void)uv_timer_init(&p->loop, &t->uv);
    t->uv.data = context;
    t->due = due;
    t->deadline_ns = MW_FOREVER;
    *ret = t;
    return 0;
}

void poller_timer_set(struct poller_timer *t, int64_t deadline_ns)
{
    int64_t delay_ns;

    t->deadline_ns = deadline_ns;
    if (deadline_ns == MW_FOREVER) {
        (void)uv_timer_stop(&t->uv);
        return;
    }
    delay_ns = deadline_ns - mw_now_ns();
    (void)uv_timer_start(&t->uv, timer_due, delay_ns <= 0 ? 0 : (uint64_t)(delay_ns / 1000000) + 1, 0);
}

void poller_timer_free(struct poller_timer *t)
{
    if (t)
        handle_close((uv_handle_t *)&t->uv);
}

/* ---- wake-up from outside ---------------------------------------------------------------------------- */
static void wake_ran(uv_async_t *uv)
{
    struct poller_wake *w = (struct poller_wake *)uv;

    if (uv_is_closing((const uv_handle_t *)uv))
        return;
    poller_ran(poller_of((const uv_handle_t *)uv));
    w->woken(uv->data);
}

int poller_wake_new(struct poller *p, void (*woken)(void *context), void *context, struct poller_wake **ret)
{
    struct poller_wake *w = mw_alloc_zeroed(1, sizeof *w);
    int err;

    if (!w)
        return -ENOMEM;
    err = uv_async_init(&p->loop, &w->uv, wake_ran);
    if (err < 0) {
        mw_free(w);
        return err;
    }
    w->uv.data = context;
    w->woken = woken;
    *ret = w;
    return 0;
}

void poller_wake(struct poller_wake *w)
{
    (void)uv_async_send(&w->uv);
}

void poller_wake_free(struct poller_wake *w)
{
    if (w)
        handle_close((uv_handle_t *)&w->uv);
}

/* ---- work on other threads --------------------------------------------------------------------------- */
struct poller_job {
    uv_work_t uv;
    uv_loop_t *loop;
    void (*run)(void *context);
    void (*done)(void *context);
};

static void job_run(uv_work_t *uv)
{
    struct poller_job *job = (struct poller_job *)uv;

    job->run(uv->data);
}

static void job_done(uv_work_t *uv, int status)
{
    struct poller_job *job = (struct poller_job *)uv;
    void *context = uv->data;

    (void)status; /* it is never cancelled */
    poller_ran(uv->loop->data);
    job->done(context);
    mw_free(job);
}

int poller_job_new(struct poller *p, void (*run)(void *context), void (*done)(void *context), void *context, struct poller_job **ret)
{
    struct poller_job *job = mw_alloc_zeroed(1, sizeof *job);

    if (!job)
        return -ENOMEM;
    job->loop = &p->loop;
    job->run = run;
    job->done = done;
    job->uv.data = context;
    *ret = job;
    return 0;
}

void poller_job_start(struct poller_job *job)
{
    (void)uv_queue_work(job->loop, &job->uv, job_run, job_done); /* fails without a function alone */
}

void poller_job_free(struct poller_job *job)
{
    mw_free(job);
}
