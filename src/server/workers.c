/* Further threads that accept connections and answer requests for files.
 * Not what a request gets; that is route.c. Read next: ../edge/move.c.
 * SPDX-License-Identifier: MIT */
#include "server/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "scheduler/fault.h"
#include "server/server_priv.h"

/* ---- connections that leave for the server's own thread ------------------------------------------------- */

/* false: out of memory */
static bool add(struct workers_queue *q, struct edge_connection *c)
{
    size_t room = q->room ? 2 * q->room : 64;
    struct edge_connection **more = q->count < q->room ? q->each : mw_resize(q->each, room * sizeof(struct edge_connection *));

    if (!more)
        return false;
    q->room = q->count < q->room ? q->room : room;
    q->each = more;
    q->each[q->count++] = c;
    return true;
}

static void moved(void *context, struct edge_connection *c)
{
    mw_server *server = ((struct server_worker *)context)->server;
    struct server_workers *w = &server->workers;
    bool is_taken, is_first;

    (void)pthread_mutex_lock(&w->lock);
    is_first = w->come.count == 0;
    is_taken = add(&w->come, c);
    (void)pthread_mutex_unlock(&w->lock);
    if (!is_taken)
        edge_discard(server->together, c);
    else if (is_first) /* else somebody has woken it for all */
        server_wake(server);
}

void workers_take(mw_server *server)
{
    struct server_workers *w = &server->workers;
    struct workers_queue came;
    size_t i;

    if (w->count == 0)
        return;
    (void)pthread_mutex_lock(&w->lock);
    came = w->come;
    w->come = w->taken;
    (void)pthread_mutex_unlock(&w->lock);
    for (i = 0; i < came.count; i++)
        edge_take(server->edge, came.each[i]);
    came.count = 0;
    w->taken = came;
}

/* ---- a worker's thread ------------------------------------------------------------------------------------ */

static void answered(void *context, const struct edge_access *access)
{
    log_access(&((struct server_worker *)context)->server->log, access);
}

/* Do what was ordered since it looked last, and say how things are. */
static void look(struct server_worker *me)
{
    mw_server *server = me->server;
    struct server_workers *w = &server->workers;
    struct tls_context *tls = NULL;
    bool closes_idle, is_new_full, is_full;
    enum edge_limit limit;
    size_t connections_before;

    (void)pthread_mutex_lock(&w->lock);
    if (me->tls_seen != w->tls_order)
        tls = tls_context_ref(w->tls);
    closes_idle = me->idle_seen != w->idle_order;
    is_new_full = me->full_seen != w->full_order;
    is_full = w->is_full;
    limit = w->full_limit;
    me->tls_seen = w->tls_order;
    me->idle_seen = w->idle_order;
    me->full_seen = w->full_order;
    connections_before = me->stats.connections;
    me->stats = edge_stats(me->edge);
    memcpy(me->hits, edge_limits_of(me->edge)->hits, sizeof me->hits);
    (void)pthread_mutex_unlock(&w->lock);
    if (tls)
        edge_set_tls(me->edge, tls);
    tls_context_unref(tls);
    if (is_new_full)
        edge_set_full(me->edge, is_full, limit);
    if (closes_idle)
        (void)edge_close_idle(me->edge); /* counted as what it is, a close */
    if (me->phase == WORKERS_RUN && atomic_load(&w->phase) >= WORKERS_FINISH) {
        me->phase = WORKERS_FINISH;
        edge_stop_listening(me->edge);
        edge_finish_requests(me->edge);
    }
    if (me->phase >= WORKERS_FINISH && me->stats.connections != connections_before)
        server_wake(server); /* it waits for the last */
}

/* Being awake is all: the loop looks at what is new. */
static void woken(void *context)
{
    (void)context;
}

static void close_one(struct server_worker *me)
{
    edge_free(me->edge);
    poller_wake_free(me->wake);
    poller_close(me->poller);
    me->edge = NULL;
    me->wake = NULL;
    me->poller = NULL;
}

static void *run(void *context)
{
    struct server_worker *me = context;
    struct server_workers *w = &me->server->workers;
    char name[16]; /* all that the kernel keeps */

    (void)snprintf(name, sizeof name, "mw-worker-%zu", (size_t)(me - w->each) + 1);
    (void)pthread_setname_np(pthread_self(), name); /* for who looks at threads; else nothing depends on it */
    mw_fault_follow();
    (void)mw_fault_doing("on a worker that serves files");
    while (atomic_load(&w->phase) < WORKERS_END) {
        poller_run_once(me->poller, true);
        look(me);
    }
    edge_free(me->edge); /* on its own thread; the rest has nobody's callbacks */
    me->edge = NULL;
    mw_thread_end();
    return NULL;
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static int open_one(struct server_worker *me, const struct edge_options *options, struct mw_error *ret_error)
{
    const struct edge_hooks hooks = {.route = route_file_request, .moved = moved,
                                     .answered = options->hooks->answered ? answered : NULL};
    struct edge_options own = *options;
    int err = poller_open(&me->poller);

    if (err == 0)
        err = poller_wake_new(me->poller, woken, me, &me->wake);
    if (err < 0)
        return mw_fail(ret_error, err, "open a worker's event loop: %s", mw_strerror(err));
    own.poller = me->poller;
    own.hooks = &hooks;
    own.context = me;
    own.deflates = own.deflates_with_context = false; /* no WebSocket stays with it */
    return edge_open(&own, &me->edge, ret_error);
}

/* 0: as many as there are processors for this process. returns 1 to WORKERS_MOST */
static size_t threads_of(int64_t asked)
{
    cpu_set_t may_run;

    if (asked == 0 && sched_getaffinity(0, sizeof may_run, &may_run) == 0)
        asked = CPU_COUNT(&may_run);
    return asked < 1 ? 1 : asked > WORKERS_MOST ? WORKERS_MOST : (size_t)asked;
}

int workers_open(mw_server *server, const struct edge_options *options, struct mw_error *ret_error)
{
    struct server_workers *w = &server->workers;
    size_t wanted = threads_of(server->settings.values[SETTING_WORKERS].number) - 1, i;
    int err = 0;

    if (wanted == 0)
        return 0;
    w->each = mw_alloc_zeroed(wanted, sizeof *w->each);
    if (!w->each)
        return mw_fail(ret_error, -ENOMEM, "open %zu workers: out of memory", wanted);
    (void)pthread_mutex_init(&w->lock, NULL); /* never fails with default attributes */
    w->count = wanted;
    for (i = 0; err == 0 && i < wanted; i++) {
        w->each[i].server = server;
        err = open_one(&w->each[i], options, ret_error);
    }
    return err;
}

int workers_listen(mw_server *server, const struct edge_listen *options, struct mw_error *ret_error)
{
    struct edge_listen further = *options;
    size_t i;
    int err = 0;

    further.is_shared = further.is_further = true;
    for (i = 0; err == 0 && i < server->workers.count; i++)
        err = edge_listen(server->workers.each[i].edge, &further, NULL, ret_error);
    return err;
}

int workers_listen_on(mw_server *server, int borrows_fd, const struct edge_listen *options, struct mw_error *ret_error)
{
    uint16_t port;
    size_t i;
    int err = 0;

    for (i = 0; err == 0 && i < server->workers.count; i++) {
        int fd = fcntl(borrows_fd, F_DUPFD_CLOEXEC, 3);

        if (fd < 0)
            return mw_fail(ret_error, -errno, "copy descriptor %d for a worker: %s", borrows_fd, strerror(errno));
        err = edge_listen_on(server->workers.each[i].edge, fd, options, &port, ret_error);
    }
    return err;
}

/* Signals are for the threads of whoever runs the server; but a fault that is blocked ends the process without a word. */
int workers_start(mw_server *server, struct mw_error *ret_error)
{
    struct server_workers *w = &server->workers;
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    sigset_t all, before;
    size_t i;
    int err = 0;

    if (w->count == 0)
        return 0;
    (void)sigfillset(&all); /* these have no way to fail */
    for (i = 0; i < MW_COUNT(faults); i++)
        (void)sigdelset(&all, faults[i]);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (i = 0; err == 0 && i < w->count; i++) {
        err = -pthread_create(&w->each[i].thread, NULL, run, &w->each[i]);
        w->each[i].is_running = err == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err == 0 ? 0 : mw_fail(ret_error, err, "start worker %zu: %s", i, strerror(-err));
}

static void wake_all(struct server_workers *w)
{
    size_t i;

    for (i = 0; i < w->count; i++)
        poller_wake(w->each[i].wake);
}

void workers_close(mw_server *server)
{
    struct server_workers *w = &server->workers;
    size_t i;

    if (!w->each)
        return;
    atomic_store(&w->phase, WORKERS_END);
    for (i = 0; i < w->count; i++)
        if (w->each[i].is_running) {
            poller_wake(w->each[i].wake);
            (void)pthread_join(w->each[i].thread, NULL); /* it is there, and not this one */
        }
    for (i = 0; i < w->count; i++)
        close_one(&w->each[i]);
    while (w->come.count > 0)
        edge_discard(server->together, w->come.each[--w->come.count]);
    tls_context_unref(w->tls);
    mw_free(w->come.each);
    mw_free(w->taken.each);
    mw_free(w->each);
    (void)pthread_mutex_destroy(&w->lock);
    *w = (struct server_workers){.each = NULL};
}

/* ---- orders ---------------------------------------------------------------------------------------------------- */

void workers_finish(mw_server *server)
{
    struct server_workers *w = &server->workers;

    atomic_store(&w->phase, WORKERS_FINISH);
    wake_all(w);
}

void workers_set_tls(mw_server *server, struct tls_context *tls)
{
    struct server_workers *w = &server->workers;
    struct tls_context *before;

    edge_set_tls(server->edge, tls);
    if (w->count == 0)
        return;
    (void)pthread_mutex_lock(&w->lock);
    before = w->tls;
    w->tls = tls_context_ref(tls);
    w->tls_order++;
    (void)pthread_mutex_unlock(&w->lock);
    tls_context_unref(before);
    wake_all(w);
}

void workers_set_full(mw_server *server, bool is_full, enum edge_limit limit)
{
    struct server_workers *w = &server->workers;

    if (w->count == 0)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->is_full = is_full;
    w->full_limit = limit;
    w->full_order++;
    (void)pthread_mutex_unlock(&w->lock);
    wake_all(w);
}

void workers_close_idle(mw_server *server)
{
    struct server_workers *w = &server->workers;

    if (w->count == 0)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->idle_order++;
    (void)pthread_mutex_unlock(&w->lock);
    wake_all(w);
}

/* ---- sums ---------------------------------------------------------------------------------------------------------- */

struct edge_stats server_edge_stats(mw_server *server)
{
    struct server_workers *w = &server->workers;
    struct edge_stats sum = edge_stats(server->edge);
    size_t i;

    if (w->count == 0)
        return sum;
    (void)pthread_mutex_lock(&w->lock);
    for (i = 0; i < w->count; i++)
        edge_stats_add(&sum, &w->each[i].stats);
    (void)pthread_mutex_unlock(&w->lock);
    return sum;
}

uint64_t server_limit_hits(mw_server *server, enum edge_limit limit)
{
    struct server_workers *w = &server->workers;
    uint64_t sum = edge_limits_of(server->edge)->hits[limit];
    size_t i;

    if (w->count == 0)
        return sum;
    (void)pthread_mutex_lock(&w->lock);
    for (i = 0; i < w->count; i++)
        sum += w->each[i].hits[limit];
    (void)pthread_mutex_unlock(&w->lock);
    return sum;
}
