/* One worker's loop: epoll for descriptors, and within it libuv for timers, wakes and work on other threads.
 * Not sockets; those are in edge/. Read next: edge/edge.h.
 * SPDX-License-Identifier: MIT */
#include "runtime/poller.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#include "base/list.h"
#include "base/memory.h"

enum { EVENTS_MAX = 1024 };

struct poller {
    uv_loop_t loop;
    uv_prepare_t anchor; /* started, it does nothing: without an active handle libuv would not say when the next timer is due */
    int epoll;           /* the watches, and libuv's own descriptor */
    struct mw_list watches, gone; /* gone: unwatched, freed when nobody can be inside one any more */
    void (*turn)(void *context);
    void *turn_context;
    int64_t now_ns;   /* 0: not read in this pass */
    bool has_run;     /* a callback ran since the last turn */
    bool wants_again; /* poller_again */
    bool wants_uv;    /* libuv has been given something that it sees only when it runs */
    bool is_stopped;
    _Atomic uint64_t pulse; /* written by its own thread alone */
    unsigned linger_misses; /* how often in a row lingering was in vain, up to LINGER_MISSES */
    unsigned linger_skip;   /* how many sleeps to go without lingering */
    struct epoll_event events[EVENTS_MAX];
};

/* A sleep and its end cost some 15 us, most of what a peer on this machine waits for. So the loop looks for this long
 * before it sleeps, but only while that pays: each look in vain doubles the number of sleeps before the next one. */
enum { LINGER_NS = 20000, LINGER_MISSES = 8 };

struct poller_watch {
    struct mw_link link; /* poller.watches or .gone */
    struct poller *poller;
    poller_ready *ready; /* NULL: unwatched */
    void *context;
    int fd;
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

uint64_t poller_pulse(const struct poller *p)
{
    return atomic_load_explicit(&p->pulse, memory_order_relaxed);
}

/* ---- the turn ---------------------------------------------------------------------------------------- */
static void poller_turn(struct poller *p)
{
    p->has_run = p->wants_again = false;
    if (p->turn)
        p->turn(p->turn_context);
    p->has_run = false;
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

/* ---- life and running -------------------------------------------------------------------------------- */
static void anchor_ran(uv_prepare_t *anchor)
{
    (void)anchor;
}

/* libuv's descriptor among the others, without a watch of its own. */
static int poller_nest(struct poller *p)
{
    struct epoll_event event = {.events = EPOLLIN};
    int err;

    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll >= 0 && epoll_ctl(p->epoll, EPOLL_CTL_ADD, uv_backend_fd(&p->loop), &event) == 0)
        return 0;
    err = -errno;
    if (p->epoll >= 0)
        (void)close(p->epoll);
    return err;
}

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
    err = poller_nest(p);
    if (err < 0) {
        (void)uv_loop_close(&p->loop);
        mw_free(p);
        return err;
    }
    p->loop.data = p;
    mw_list_init(&p->watches);
    mw_list_init(&p->gone);
    /* These cannot fail: they only link a handle into the loop. */
    (void)uv_prepare_init(&p->loop, &p->anchor);
    (void)uv_prepare_start(&p->anchor, anchor_ran);
    p->wants_uv = true;
    *ret = p;
    return 0;
}

static void watches_free(struct mw_list *list)
{
    struct mw_link *link;

    while ((link = mw_list_pop_front(list)) != NULL)
        mw_free(MW_CONTAINER_OF(link, struct poller_watch, link));
}

static void close_one(uv_handle_t *handle, void *poller)
{
    struct poller *p = poller;

    if (uv_is_closing(handle))
        return;
    if (handle == (uv_handle_t *)&p->anchor)
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
    watches_free(&p->watches);
    watches_free(&p->gone);
    (void)close(p->epoll); /* nothing of it is to be kept */
    mw_free(p);
}

static int poller_look(struct poller *p, int timeout_ms)
{
    int count = epoll_wait(p->epoll, p->events, EVENTS_MAX, timeout_ms);

    return count < 0 ? 0 : count; /* interrupted: as if nothing were ready */
}

static int poller_linger(struct poller *p)
{
    int64_t until;
    int count;

    if (p->linger_skip > 0) {
        p->linger_skip--;
        return 0;
    }
    until = mw_now_ns() + LINGER_NS;
    do {
        count = poller_look(p, 0);
        if (count > 0) {
            p->linger_misses = 0;
            return count;
        }
    } while (mw_now_ns() < until);
    if (p->linger_misses < LINGER_MISSES)
        p->linger_misses++;
    p->linger_skip = 1u << p->linger_misses;
    return 0;
}

/* returns how many of p->events have happened */
static int poller_wait(struct poller *p, bool may_wait)
{
    int timeout_ms = may_wait ? poller_timeout_ms(p) : 0, count;

    if (timeout_ms == 0)
        return poller_look(p, 0);
    count = poller_linger(p);
    return count > 0 ? count : poller_look(p, timeout_ms);
}

static void watch_ready(struct poller_watch *w, uint32_t happened);

void poller_run_once(struct poller *p, bool may_wait)
{
    int count, i;

    pulse(p, false);
    count = poller_wait(p, may_wait);
    pulse(p, true);
    p->now_ns = 0;
    for (i = 0; i < count; i++) {
        if (p->events[i].data.ptr)
            watch_ready(p->events[i].data.ptr, p->events[i].events);
        else
            p->wants_uv = true;
    }
    watches_free(&p->gone);
    uv_update_time(&p->loop);
    if (p->wants_uv || uv_backend_timeout(&p->loop) == 0) {
        p->wants_uv = false;
        (void)uv_run(&p->loop, UV_RUN_NOWAIT);
    }
    if (p->has_run || p->wants_again)
        poller_turn(p);
    watches_free(&p->gone);
    p->now_ns = 0;
}

void poller_run(struct poller *p)
{
    do {
        poller_run_once(p, !p->is_stopped);
    } while (!p->is_stopped);
    p->is_stopped = false;
}

void poller_stop(struct poller *p)
{
    p->is_stopped = true;
}

int poller_fd(const struct poller *p)
{
    return p->epoll;
}

int poller_timeout_ms(struct poller *p)
{
    if (p->wants_again || p->wants_uv)
        return 0;
    uv_update_time(&p->loop); /* time has gone by since the pass */
    return uv_backend_timeout(&p->loop);
}

int64_t poller_now(struct poller *p)
{
    if (!p->now_ns)
        p->now_ns = mw_now_ns();
    return p->now_ns;
}

/* ---- descriptors ------------------------------------------------------------------------------------- */
/* Of what is wanted of nothing, a failure is heard once, and not told. */
static int watch_control(struct poller_watch *w, int operation)
{
    struct epoll_event event = {.events = (w->wanted & POLLER_READ ? EPOLLIN : 0) | (w->wanted & POLLER_WRITE ? EPOLLOUT : 0),
                                .data.ptr = w};

    if (event.events == 0)
        event.events = EPOLLET;
    return epoll_ctl(w->poller->epoll, operation, w->fd, &event) < 0 ? -errno : 0;
}

static void watch_ready(struct poller_watch *w, uint32_t happened)
{
    int events = (happened & EPOLLIN ? POLLER_READ : 0) | (happened & EPOLLOUT ? POLLER_WRITE : 0);

    if (happened & (EPOLLERR | EPOLLHUP))
        events = w->wanted;
    events &= w->wanted; /* it may have been told less since */
    if (!w->ready || events == 0)
        return;
    w->poller->has_run = true;
    if (happened & EPOLLERR)
        poller_want(w, 0);
    w->ready(w->context, events);
}

int poller_watch(struct poller *p, int fd, int events, poller_ready *ready, void *context,
                 struct poller_watch **ret)
{
    struct poller_watch *w = mw_alloc_zeroed(1, sizeof *w);
    int err;

    if (!w)
        return -ENOMEM;
    *w = (struct poller_watch){.poller = p, .ready = ready, .context = context, .fd = fd, .wanted = events};
    err = watch_control(w, EPOLL_CTL_ADD);
    if (err < 0) {
        mw_free(w);
        return err;
    }
    mw_list_push_back(&p->watches, &w->link);
    *ret = w;
    return 0;
}

void poller_want(struct poller_watch *w, int events)
{
    if (w->wanted == events)
        return;
    w->wanted = events;
    (void)watch_control(w, EPOLL_CTL_MOD); /* it is there: nothing that could fail */
}

void poller_unwatch(struct poller_watch *w)
{
    if (!w)
        return;
    (void)epoll_ctl(w->poller->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    w->ready = NULL;
    mw_link_remove(&w->link);
    mw_list_push_back(&w->poller->gone, &w->link);
}

/* ---- timers ------------------------------------------------------------------------------------------ */
static void timer_due(uv_timer_t *uv)
{
    struct poller_timer *t = (struct poller_timer *)uv;

    if (mw_now_ns() < t->deadline_ns) { /* libuv counts in milliseconds from the start of its pass */
        poller_timer_set(t, t->deadline_ns);
        return;
    }
    poller_of((const uv_handle_t *)uv)->has_run = true;
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
    poller_of((const uv_handle_t *)uv)->has_run = true;
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
    p->wants_uv = true;
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

/* ---- signals ------------------------------------------------------------------------------------------- */
struct poller_signal {
    uv_signal_t uv;
    void (*caught)(void *context);
};

static void signal_caught(uv_signal_t *uv, int number)
{
    struct poller_signal *s = (struct poller_signal *)uv;

    (void)number;
    poller_of((const uv_handle_t *)uv)->has_run = true;
    s->caught(uv->data);
}

int poller_signal_new(struct poller *p, int number, void (*caught)(void *context), void *context, struct poller_signal **ret)
{
    struct poller_signal *s = mw_alloc_zeroed(1, sizeof *s);
    int err;

    if (!s)
        return -ENOMEM;
    err = uv_signal_init(&p->loop, &s->uv);
    if (err < 0) {
        mw_free(s);
        return err;
    }
    s->uv.data = context;
    s->caught = caught;
    err = uv_signal_start(&s->uv, signal_caught, number);
    if (err < 0)
        handle_close((uv_handle_t *)&s->uv);
    else
        *ret = s;
    return err;
}

void poller_signal_free(struct poller_signal *s)
{
    if (s)
        handle_close((uv_handle_t *)&s->uv);
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
    ((struct poller *)uv->loop->data)->has_run = true;
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
