/* How further threads are kept: opened, ended, given orders, asked how things are.
 * Not what one does; that is worker.c. Read next: ../edge/move.c.
 * SPDX-License-Identifier: MIT */
#include "server/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/signals.h"
#include "scheduler/fault.h"
#include "server/gathered.h"
#include "server/server_priv.h"

/* The lock, where there are workers at all. */
static void lock(struct server_workers *w)
{
    if (w->count > 0)
        (void)pthread_mutex_lock(&w->lock);
}

static void unlock(struct server_workers *w)
{
    if (w->count > 0)
        (void)pthread_mutex_unlock(&w->lock);
}

/* ---- connections that leave for another thread ------------------------------------------------------------ */

/* A user is on the same thread however often they come, and nobody has to keep a table of who is where. All who are anonymous are one user. */
struct reactor *workers_home(struct reactor *r, const struct mounted *m, const char *user)
{
    mw_server *server = r->server;
    const struct app *app = r->apps[m->index];
    size_t place;

    if (!app || app_instance_mode(app) == MW_INSTANCE_ONE)
        return &server->reactor;
    if (app_instance_mode(app) == MW_INSTANCE_PER_CLIENT)
        return r;
    place = user ? mw_hash(user, strlen(user)) % (server->workers.count + 1) : 0;
    return place == 0 ? &server->reactor : &server->workers.each[place - 1].reactor;
}

/* false: out of memory */
static bool add(struct arrivals *q, struct edge_connection *c)
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

/* Nobody takes it. */
static void discard(mw_server *server, struct edge_connection *c)
{
    struct bridge *bridge = edge_discard(server->together, c);

    if (bridge)
        bridge_closed(bridge, 1006);
}

void workers_bring(struct reactor *to, struct edge_connection *c)
{
    struct server_workers *w = &to->server->workers;
    bool is_taken, is_first;

    lock(w);
    is_first = to->come.count == 0;
    is_taken = add(&to->come, c);
    unlock(w);
    if (!is_taken)
        discard(to->server, c);
    else if (is_first) /* else somebody has woken it for all */
        reactor_wake(to);
}

void workers_take(struct reactor *r)
{
    struct server_workers *w = &r->server->workers;
    struct arrivals came;
    size_t i;

    if (w->count == 0)
        return;
    lock(w);
    came = r->come;
    r->come = r->taken;
    unlock(w);
    for (i = 0; i < came.count; i++)
        edge_take(r->edge, came.each[i]);
    came.count = 0;
    r->taken = came;
}

/* What came for a reactor that runs no more. */
static void discard_arrivals(struct reactor *r)
{
    while (r->come.count > 0)
        discard(r->server, r->come.each[--r->come.count]);
    mw_free(r->come.each);
    mw_free(r->taken.each);
    r->come = r->taken = (struct arrivals){.each = NULL};
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static int open_one(struct server_worker *me, const struct edge_options *options, struct mw_error *ret_error)
{
    struct edge_hooks hooks = worker_hooks;
    struct edge_options own = *options;
    size_t app_count = me->reactor.server->app_count;
    int err;

    me->apps = mw_alloc_zeroed(app_count, sizeof *me->apps);
    me->policies_seen = mw_alloc_zeroed(app_count, sizeof *me->policies_seen);
    if (!me->apps || !me->policies_seen)
        return mw_fail(ret_error, -ENOMEM, "open a worker: out of memory");
    err = reactor_open(&me->reactor, worker_woken, ret_error);
    if (err < 0)
        return err;
    if (!options->hooks->answered)
        hooks.answered = NULL;
    own.poller = me->reactor.poller;
    own.hooks = &hooks;
    own.context = &me->reactor;
    return edge_open(&own, &me->reactor.edge, ret_error);
}

/* 0: as many as there are processors for this process. returns 1 to SETTING_WORKERS_MOST */
static size_t threads_of(int64_t asked)
{
    cpu_set_t may_run;

    if (asked == 0 && sched_getaffinity(0, sizeof may_run, &may_run) == 0)
        asked = CPU_COUNT(&may_run);
    return asked < 1 ? 1 : asked > SETTING_WORKERS_MOST ? SETTING_WORKERS_MOST : (size_t)asked;
}

int workers_open(mw_server *server, const struct edge_options *options, struct mw_error *ret_error)
{
    struct server_workers *w = &server->workers;
    size_t wanted = threads_of(server->settings.values[SETTING_WORKERS].number) - 1, i;
    int err = 0;

    if (wanted == 0)
        return 0;
    w->each = mw_alloc_zeroed(wanted, sizeof *w->each);
    w->policies_orders = mw_alloc_zeroed(server->app_count, sizeof *w->policies_orders);
    if (!w->each || !w->policies_orders) {
        mw_free(w->policies_orders);
        mw_free(w->each);
        w->each = NULL;
        return mw_fail(ret_error, -ENOMEM, "open %zu workers: out of memory", wanted);
    }
    (void)pthread_mutex_init(&w->lock, NULL); /* never fails with default attributes */
    (void)pthread_mutex_init(&w->dump_lock, NULL);
    w->count = wanted;
    for (i = 0; i < wanted; i++) {
        reactor_init(&w->each[i].reactor, server);
        atomic_init(&w->each[i].dump_fd, -1);
    }
    for (i = 0; err == 0 && i < wanted; i++)
        err = open_one(&w->each[i], options, ret_error);
    return err;
}

int workers_listen(mw_server *server, const struct edge_listen *options, struct mw_error *ret_error)
{
    struct edge_listen further = *options;
    size_t i;
    int err = 0;

    further.is_shared = further.is_further = true;
    for (i = 0; err == 0 && i < server->workers.count; i++)
        err = edge_listen(server->workers.each[i].reactor.edge, &further, NULL, ret_error);
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
        err = edge_listen_on(server->workers.each[i].reactor.edge, fd, options, &port, ret_error);
    }
    return err;
}

/* Those of which several can run beside each other, on a worker that does not run yet. */
static int open_apps(mw_server *server, struct server_worker *me, struct mw_error *ret_error)
{
    size_t i;
    int err = 0;

    for (i = 0; err == 0 && i < server->app_count; i++) {
        if (app_instance_mode(server->reactor.apps[i]) == MW_INSTANCE_ONE)
            continue;
        me->scratch = me->scratch ? me->scratch : mw_alloc_zeroed(1, sizeof *me->scratch);
        me->apps[i].gathered = mw_alloc_zeroed(1, sizeof *me->apps[i].gathered);
        if (!me->scratch || !me->apps[i].gathered)
            err = mw_fail(ret_error, -ENOMEM, "open '%s' on a worker: out of memory", server->apps[i]->name);
        else
            err = mounted_open(server->apps[i], &me->reactor, ret_error);
    }
    return err;
}

static int start_threads(struct server_workers *w, struct mw_error *ret_error)
{
    sigset_t before;
    size_t i;
    int err = 0;

    mw_signals_hold_back(&before);
    for (i = 0; err == 0 && i < w->count; i++) {
        err = -pthread_create(&w->each[i].thread, NULL, worker_run, &w->each[i]);
        w->each[i].is_running = err == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err == 0 ? 0 : mw_fail(ret_error, err, "start worker %zu: %s", i, strerror(-err));
}

int workers_start(mw_server *server, struct mw_error *ret_error)
{
    struct server_workers *w = &server->workers;
    size_t i;
    int err = 0;

    for (i = 0; err == 0 && i < w->count; i++)
        err = open_apps(server, &w->each[i], ret_error);
    if (err < 0 || w->count == 0)
        return err;
    w->watches_stalls = mw_stall_options_here(&w->stalls);
    return start_threads(w, ret_error);
}

static void close_one(struct server_worker *me)
{
    size_t i;
    int fd = atomic_load(&me->dump_fd);

    edge_free(me->reactor.edge); /* NULL where its thread ran */
    reactor_close(&me->reactor);
    if (fd >= 0)
        (void)close(fd); /* a copy, to which nothing was written */
    for (i = 0; me->apps && i < me->reactor.server->app_count; i++)
        mw_free(me->apps[i].gathered);
    mw_free(me->apps);
    mw_free(me->policies_seen);
    mw_free(me->scratch);
}

static void wake_all(struct server_workers *w)
{
    size_t i;

    for (i = 0; i < w->count; i++)
        reactor_wake(&w->each[i].reactor);
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
            reactor_wake(&w->each[i].reactor);
            (void)pthread_join(w->each[i].thread, NULL); /* it is there, and not this one */
        }
    discard_arrivals(&server->reactor);
    for (i = 0; i < w->count; i++)
        discard_arrivals(&w->each[i].reactor);
    for (i = 0; i < w->count; i++)
        close_one(&w->each[i]);
    tls_context_unref(w->tls);
    mw_free(w->policies_orders);
    mw_free(w->each);
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_mutex_destroy(&w->dump_lock);
    *w = (struct server_workers){.each = NULL};
}

/* ---- whether they go on ----------------------------------------------------------------------------------------- */

/* One that sleeps waits for something to do; one that is awake has to have slept since it was looked at last. */
static bool is_hung(struct server_worker *worker, int64_t now_ns)
{
    uint64_t pulse = poller_pulse(worker->reactor.poller);

    if (pulse == worker->pulse_seen)
        return (pulse & 1) != 0;
    worker->pulse_seen = pulse;
    worker->pulse_ns = now_ns;
    return false;
}

size_t mw_server_hung_workers(mw_server *server)
{
    struct server_workers *w = &server->workers;
    int64_t now_ns = mw_now_ns();
    size_t hung = 0, i;

    for (i = 0; i < w->count; i++) {
        struct server_worker *worker = &w->each[i];
        int64_t since_ms = (now_ns - worker->pulse_ns) / 1000000;
        bool hangs = worker->is_running && is_hung(worker, now_ns);

        if (hangs && !worker->is_hung) {
            w->hangs++;
            log_at(&server->log, MW_LOG_ERROR, "worker mw-worker-%zu has not come back from its turn for %" PRId64 " ms", i + 1, since_ms);
        } else if (!hangs && worker->is_hung) {
            log_at(&server->log, MW_LOG_NOTICE, "worker mw-worker-%zu goes on, after %" PRId64 " ms", i + 1, since_ms);
        }
        worker->is_hung = hangs;
        hung += hangs;
    }
    return hung;
}

/* ---- orders ---------------------------------------------------------------------------------------------------- */

static void end(mw_server *server, enum workers_phase phase)
{
    atomic_store(&server->workers.phase, phase);
    wake_all(&server->workers);
}

void workers_finish(mw_server *server)
{
    end(server, WORKERS_FINISH);
}

void workers_stop(mw_server *server)
{
    end(server, WORKERS_STOP);
}

/* Give an order: a number that they compare with the one that they saw last. */
static void order(struct server_workers *w, uint64_t *number)
{
    lock(w);
    (*number)++;
    unlock(w);
    wake_all(w);
}

void workers_set_tls(mw_server *server, struct tls_context *tls)
{
    struct server_workers *w = &server->workers;
    struct tls_context *before;

    edge_set_tls(server->reactor.edge, tls);
    if (w->count == 0)
        return;
    lock(w);
    before = w->tls;
    w->tls = tls_context_ref(tls);
    w->tls_order++;
    unlock(w);
    tls_context_unref(before);
    wake_all(w);
}

void workers_set_shed_level(mw_server *server, enum shed_level level)
{
    struct server_workers *w = &server->workers;

    lock(w);
    w->shed_level = level;
    unlock(w);
    wake_all(w);
}

void workers_close_idle(mw_server *server)
{
    order(&server->workers, &server->workers.idle_order);
}

static uint64_t held_bytes(const struct edge_stats *stats)
{
    return stats->queued_bytes + stats->unfinished_bytes;
}

/* By what is held in all: the most is most likely where the largest client is. NULL: on the server's own thread */
static struct server_worker *fullest(mw_server *server)
{
    struct server_workers *w = &server->workers;
    const struct edge_stats own = edge_stats(server->reactor.edge);
    uint64_t most = held_bytes(&own);
    struct server_worker *found = NULL;
    size_t i;

    for (i = 0; i < w->count; i++) {
        if (held_bytes(&w->each[i].stats) <= most)
            continue;
        most = held_bytes(&w->each[i].stats);
        found = &w->each[i];
    }
    return found;
}

void workers_drop_largest(mw_server *server)
{
    struct server_workers *w = &server->workers;

    lock(w);
    w->drops_largest = fullest(server);
    unlock(w);
    if (w->drops_largest)
        order(w, &w->largest_order);
    else
        server->shed.counts.dropped_largest += edge_drop_largest(server->reactor.edge);
}

void workers_look_at_guests(mw_server *server)
{
    server->reactor.look_at_ns = 0;
    order(&server->workers, &server->workers.guests_order);
}

void workers_dump(mw_server *server, int fd)
{
    struct server_workers *w = &server->workers;
    size_t i;

    for (i = 0; i < w->count; i++) {
        int before = atomic_exchange(&w->each[i].dump_fd, fcntl(fd, F_DUPFD_CLOEXEC, 3)); /* -1: without descriptors, none */

        if (before >= 0)
            (void)close(before); /* a copy, to which nothing was written */
        reactor_wake(&w->each[i].reactor);
    }
}

struct ini_document *workers_set_ini(mw_server *server, struct mounted *m, struct ini_document *takes)
{
    struct server_workers *w = &server->workers;
    struct ini_document *before = m->ini;

    lock(w);
    m->ini = takes;
    if (w->count > 0)
        w->policies_orders[m->index]++;
    unlock(w);
    wake_all(w);
    return before;
}

/* ---- sums ---------------------------------------------------------------------------------------------------------- */

struct edge_stats server_edge_stats(struct mw_server *server)
{
    struct server_workers *w = &server->workers;
    struct edge_stats sum = edge_stats(server->reactor.edge);
    size_t i;

    lock(w);
    for (i = 0; i < w->count; i++)
        edge_stats_add(&sum, &w->each[i].stats);
    unlock(w);
    return sum;
}

uint64_t server_limit_hits(struct mw_server *server, enum edge_limit limit)
{
    struct server_workers *w = &server->workers;
    uint64_t sum = edge_limits_of(server->reactor.edge)->hits[limit] + gate_limit_hits(server, limit);
    size_t i;

    lock(w);
    for (i = 0; i < w->count; i++)
        sum += w->each[i].hits[limit];
    unlock(w);
    return sum;
}

struct app_stats server_app_stats(struct mw_server *server, size_t index)
{
    struct server_workers *w = &server->workers;
    struct app_stats sum = app_stats(server->reactor.apps[index]);
    size_t i;

    lock(w);
    for (i = 0; i < w->count; i++)
        app_stats_add(&sum, &w->each[i].apps[index].stats);
    unlock(w);
    return sum;
}

void server_add_gathered(struct mw_server *server, size_t index, struct gathered *io)
{
    struct server_workers *w = &server->workers;
    size_t i;

    lock(w);
    for (i = 0; i < w->count; i++)
        if (w->each[i].apps[index].gathered)
            gathered_add(io, w->each[i].apps[index].gathered);
    unlock(w);
}

struct shed_counts server_shed_counts(struct mw_server *server)
{
    struct server_workers *w = &server->workers;
    struct shed_counts sum = server->shed.counts;
    size_t i;

    lock(w);
    for (i = 0; i < w->count; i++) {
        sum.closed_idle += w->each[i].shed.closed_idle;
        sum.dropped_largest += w->each[i].shed.dropped_largest;
    }
    unlock(w);
    return sum;
}
