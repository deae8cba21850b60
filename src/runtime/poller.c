/* One worker's loop: descriptors by epoll, and timers, wakes and work by libuv, whose loop is one more descriptor among them.
 * Not sockets; those are in edge/. Read next: edge/edge.h.
 * SPDX-License-Identifier: MIT */
#include "runtime/poller.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#include "base/memory.h"
#include "runtime/linger.h"

enum { EVENTS = 512, SLAB_WATCHES = 127 };

/* One per connection: without libuv's handle, which takes 160 bytes, and without malloc's. */
struct poller_watch {
    struct poller *poller;
    poller_ready *ready;
    union {
        void *context;
        struct poller_watch *next_free; /* of one that is not in use */
    };
    int fd;
    uint8_t wanted; /* POLLER_READ, POLLER_WRITE */
    uint8_t told;   /* what the kernel believes is wanted: it may be more, and learns so when that is ready */
};

struct watch_slab {
    struct watch_slab *next;
    struct poller_watch watches[SLAB_WATCHES];
};

struct poller {
    uv_loop_t loop;
    uv_prepare_t alive; /* started: else libuv takes a loop without timers for one that is at its end */
    int fd;             /* epoll: all that is watched, and the loop */
    void (*turn)(void *context);
    void *turn_context;
    int64_t now_ns;   /* 0: not read in this pass */
    bool has_run;     /* a callback ran since the last turn */
    bool wants_again; /* poller_again */
    bool is_stopped;  /* poller_stop */
    _Atomic uint64_t pulse; /* written by its own thread alone */
    struct watch_slab *slabs;
    struct poller_watch *free_watches;
    struct lingering linger;
    int event_at, event_count; /* served, and found, in this pass */
    struct epoll_event events[EVENTS];
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
/* To the next number that says so. */
static void pulse(struct poller *p, bool is_awake)
{
    uint64_t before = atomic_load_explicit(&p->pulse, memory_order_relaxed);

    atomic_store_explicit(&p->pulse, before + 1 + ((before & 1) == is_awake), memory_order_relaxed);
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
    p->now_ns = 0;
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

/* ---- life -------------------------------------------------------------------------------------------- */
static void alive_ran(uv_prepare_t *prepare)
{
    (void)prepare;
}

static int poller_open_fd(struct poller *p)
{
    struct epoll_event loop = {.events = EPOLLIN, .data.ptr = NULL};

    p->fd = epoll_create1(EPOLL_CLOEXEC);
    return p->fd < 0 || epoll_ctl(p->fd, EPOLL_CTL_ADD, uv_backend_fd(&p->loop), &loop) < 0 ? -errno : 0;
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
    p->loop.data = p;
    (void)uv_prepare_init(&p->loop, &p->alive); /* this and the next only link a handle into the loop */
    (void)uv_prepare_start(&p->alive, alive_ran);
    err = poller_open_fd(p);
    if (err < 0) {
        poller_close(p);
        return err;
    }
    *ret = p;
    return 0;
}

static void close_one(uv_handle_t *handle, void *poller)
{
    struct poller *p = poller;

    if (uv_is_closing(handle))
        return;
    if (handle == (uv_handle_t *)&p->alive)
        uv_close(handle, NULL);
    else
        handle_close(handle);
}

void poller_close(struct poller *p)
{
    struct watch_slab *slab;

    if (!p)
        return;
    p->turn = NULL;
    if (p->fd >= 0)
        (void)close(p->fd); /* an epoll's: nothing is lost */
    while ((slab = p->slabs) != NULL) {
        p->slabs = slab->next;
        mw_free(slab);
    }
    uv_walk(&p->loop, close_one, p);
    while (uv_loop_close(&p->loop) == UV_EBUSY)
        (void)uv_run(&p->loop, UV_RUN_NOWAIT);
    mw_free(p);
}

/* ---- running ----------------------------------------------------------------------------------------- */
static void watch_serve(struct poller_watch *w, uint32_t found);

/* Timers that are due, wakes, work that is done; the end of handles that were freed. */
static void poller_run_loop(struct poller *p)
{
    (void)uv_run(&p->loop, UV_RUN_NOWAIT);
}

static bool poller_has_due(struct poller *p)
{
    uv_update_time(&p->loop);
    return uv_backend_timeout(&p->loop) == 0;
}

static bool poller_look(struct poller *p, int timeout_ms)
{
    int count = epoll_wait(p->fd, p->events, EVENTS, timeout_ms);

    p->event_count = count > 0 ? count : 0; /* a signal ends it early, as it may */
    return count > 0;
}

/* Sleeping and waking up are most of what a peer on this machine waits for. */
static bool poller_linger(struct poller *p)
{
    int64_t until;
    bool has_found;

    if (!linger_may(&p->linger))
        return false;
    until = mw_now_ns() + LINGER_NS;
    do
        has_found = poller_look(p, 0);
    while (!has_found && mw_now_ns() < until);
    linger_note(&p->linger, has_found);
    return has_found;
}

static void poller_serve(struct poller *p)
{
    bool has_loop = false;

    for (p->event_at = 0; p->event_at < p->event_count;) {
        const struct epoll_event *event = &p->events[p->event_at++];

        if (!event->data.ptr)
            has_loop = true;
        else if (event->events) /* else it is watched no more */
            watch_serve(event->data.ptr, event->events);
    }
    if (has_loop)
        poller_run_loop(p);
}

/* may_linger  look for a while before sleeping */
static void poller_pass(struct poller *p, bool may_wait, bool may_linger)
{
    int timeout_ms = 0;

    pulse(p, true);
    p->now_ns = 0;
    if (poller_has_due(p))
        poller_run_loop(p);
    may_wait = may_wait && !p->has_run && !p->wants_again && !p->is_stopped;
    if (may_wait)
        pulse(p, false);
    if (!may_wait || !may_linger || !poller_linger(p)) {
        timeout_ms = may_wait ? uv_backend_timeout(&p->loop) : 0;
        (void)poller_look(p, timeout_ms);
    }
    if (may_wait)
        pulse(p, true);
    p->now_ns = 0;
    poller_serve(p);
    if (p->event_count == 0 && timeout_ms > 0 && poller_has_due(p)) /* what it slept for */
        poller_run_loop(p);
    if (p->has_run || p->wants_again)
        poller_turn(p);
}

void poller_run(struct poller *p)
{
    do
        poller_pass(p, true, false);
    while (!p->is_stopped);
    p->is_stopped = false;
}

void poller_run_once(struct poller *p, bool may_wait)
{
    poller_pass(p, may_wait, true);
    p->is_stopped = false;
}

void poller_stop(struct poller *p)
{
    p->is_stopped = true;
}

int poller_fd(const struct poller *p)
{
    return p->fd;
}

bool poller_has_ready(const struct poller *p)
{
    struct pollfd itself = {.fd = p->fd, .events = POLLIN};

    return poll(&itself, 1, 0) > 0;
}

int poller_timeout_ms(struct poller *p)
{
    uv_update_time(&p->loop); /* the host has done things of its own since the pass */
    return p->wants_again ? 0 : uv_backend_timeout(&p->loop);
}

int64_t poller_now(struct poller *p)
{
    if (!p->now_ns)
        p->now_ns = mw_now_ns();
    return p->now_ns;
}

/* ---- descriptors ------------------------------------------------------------------------------------- */
static int watch_control(struct poller_watch *w, int operation)
{
    struct epoll_event event = {.data.ptr = w};

    event.events = (w->wanted & POLLER_READ ? EPOLLIN : 0u) | (w->wanted & POLLER_WRITE ? EPOLLOUT : 0u);
    if (!event.events)
        event.events = EPOLLET; /* errors and hang-ups cannot be declined: once is enough */
    w->told = w->wanted;
    return epoll_ctl(w->poller->fd, operation, w->fd, &event) < 0 ? -errno : 0;
}

static void watch_serve(struct poller_watch *w, uint32_t found)
{
    uint32_t broken = found & (EPOLLERR | EPOLLHUP);
    int ready = broken ? w->wanted : w->wanted & ((found & EPOLLIN ? POLLER_READ : 0) | (found & EPOLLOUT ? POLLER_WRITE : 0));

    if (w->told != w->wanted)
        (void)watch_control(w, EPOLL_CTL_MOD); /* it is there: nothing can fail */
    if (broken & EPOLLERR)
        w->wanted = 0; /* once, unless it is asked for again: whoever sees no error would see it for ever */
    if (!ready)
        return;
    w->poller->has_run = true;
    w->ready(w->context, ready);
}

static struct poller_watch *watch_new(struct poller *p)
{
    struct poller_watch *w = p->free_watches;
    struct watch_slab *slab;
    size_t i;

    if (!w) {
        slab = mw_alloc_zeroed(1, sizeof *slab);
        if (!slab)
            return NULL;
        slab->next = p->slabs;
        p->slabs = slab;
        for (i = 0; i < SLAB_WATCHES; i++) {
            slab->watches[i].next_free = p->free_watches;
            p->free_watches = &slab->watches[i];
        }
        w = p->free_watches;
    }
    p->free_watches = w->next_free;
    linger_unsettle(&p->linger);
    return w;
}

static void watch_free(struct poller_watch *w)
{
    struct poller *p = w->poller;

    linger_unsettle(&p->linger);
    *w = (struct poller_watch){.next_free = p->free_watches};
    p->free_watches = w;
}

int poller_watch(struct poller *p, int fd, int events, poller_ready *ready, void *context,
                 struct poller_watch **ret)
{
    struct poller_watch *w = watch_new(p);
    int err;

    if (!w)
        return -ENOMEM;
    *w = (struct poller_watch){.poller = p, .ready = ready, .context = context, .fd = fd, .wanted = (uint8_t)events};
    err = watch_control(w, EPOLL_CTL_ADD);
    if (err < 0) {
        watch_free(w);
        return err;
    }
    *ret = w;
    return 0;
}

void poller_want(struct poller_watch *w, int events)
{
    w->wanted = (uint8_t)events;
    if (events & ~w->told)
        (void)watch_control(w, EPOLL_CTL_MOD); /* it is there: nothing can fail */
}

void poller_unwatch(struct poller_watch *w)
{
    struct poller *p;
    int i;

    if (!w)
        return;
    p = w->poller;
    (void)epoll_ctl(p->fd, EPOLL_CTL_DEL, w->fd, NULL); /* it is there */
    for (i = p->event_at; i < p->event_count; i++)
        if (p->events[i].data.ptr == w)
            p->events[i].events = 0;
    watch_free(w);
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
    uv_update_time(t->uv.loop); /* which is as of the last sleep */
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
