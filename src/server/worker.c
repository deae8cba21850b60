/* What a further thread of the server does: its loop, the orders that it follows, what it tells.
 * SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "scheduler/fault.h"
#include "server/drain.h"
#include "server/gathered.h"
#include "server/server_priv.h"

#define GATHER_NS INT64_C(1000000000) /* between two looks through all tasklets */

static struct server_worker *worker_of(struct reactor *r)
{
    return MW_CONTAINER_OF(r, struct server_worker, reactor);
}

/* ---- what it tells ---------------------------------------------------------------------------------------- */

static uint64_t turns_of(const struct reactor *r)
{
    uint64_t turns = 0;
    size_t i;

    for (i = 0; i < r->server->app_count; i++)
        turns += r->apps[i] ? app_stats(r->apps[i]).turns : 0;
    return turns;
}

/* Look through the meshes, where anything ran since. returns when to do so again; MW_FOREVER: when something runs */
static int64_t gather(struct server_worker *me, int64_t now_ns)
{
    struct reactor *r = &me->reactor;
    uint64_t turns = turns_of(r);
    size_t i;

    if (turns == me->gathered_turns)
        return MW_FOREVER;
    if (now_ns < me->gather_at_ns)
        return me->gather_at_ns;
    me->gathered_turns = turns;
    me->gather_at_ns = now_ns + GATHER_NS;
    for (i = 0; i < r->server->app_count; i++) {
        if (!r->apps[i])
            continue;
        gathered_fill(me->scratch, r->apps[i]);
        (void)pthread_mutex_lock(&r->server->workers.lock);
        *me->apps[i].gathered = *me->scratch;
        (void)pthread_mutex_unlock(&r->server->workers.lock);
    }
    return MW_FOREVER;
}

/* With the lock. */
static void tell(struct server_worker *me)
{
    struct reactor *r = &me->reactor;
    size_t i;

    me->stats = edge_stats(r->edge);
    memcpy(me->hits, edge_limits_of(r->edge)->hits, sizeof me->hits);
    for (i = 0; i < r->server->app_count; i++)
        if (r->apps[i])
            me->apps[i].stats = app_stats(r->apps[i]);
}

/* ---- what it is told ---------------------------------------------------------------------------------------- */

/* What is new since it looked last. */
struct orders {
    struct tls_context *tls; /* owned; NULL: none */
    bool closes_idle, drops_largest, looks_at_guests, has_policies;
    enum shed_level shed_level;
};

/* With the lock. */
static struct orders hear(struct server_worker *me)
{
    struct server_workers *w = &me->reactor.server->workers;
    struct orders new = {.tls = me->tls_seen != w->tls_order ? tls_context_ref(w->tls) : NULL,
                         .closes_idle = me->idle_seen != w->idle_order,
                         .drops_largest = me->largest_seen != w->largest_order && w->drops_largest == me,
                         .looks_at_guests = me->guests_seen != w->guests_order,
                         .shed_level = w->shed_level};
    size_t i;

    for (i = 0; i < me->reactor.server->app_count; i++)
        new.has_policies = new.has_policies || (me->reactor.apps[i] && me->policies_seen[i] != w->policies_orders[i]);
    me->tls_seen = w->tls_order;
    me->idle_seen = w->idle_order;
    me->largest_seen = w->largest_order;
    me->guests_seen = w->guests_order;
    return new;
}

static void shed(struct server_worker *me, const struct orders *new)
{
    struct reactor *r = &me->reactor;
    struct shed_counts more = {0};

    if (new->shed_level != r->shed_level)
        shed_follow(r, new->shed_level);
    if (new->closes_idle)
        more.closed_idle = edge_close_idle(r->edge) + gate_close_strangers(r);
    if (new->drops_largest)
        more.dropped_largest = edge_drop_largest(r->edge);
    if (more.closed_idle + more.dropped_largest == 0)
        return;
    (void)pthread_mutex_lock(&r->server->workers.lock);
    me->shed.closed_idle += more.closed_idle;
    me->shed.dropped_largest += more.dropped_largest;
    (void)pthread_mutex_unlock(&r->server->workers.lock);
}

/* The policies of an app.ini that has been read anew. What was refused for want of memory is tried in the next pass. */
static void take_policies(struct server_worker *me)
{
    struct reactor *r = &me->reactor;
    size_t i;

    for (i = 0; i < r->server->app_count; i++)
        if (r->apps[i])
            mounted_follow(r->server->apps[i], r, &me->policies_seen[i]);
}

static void end_as_told(struct server_worker *me)
{
    struct reactor *r = &me->reactor;
    enum workers_phase phase = (enum workers_phase)atomic_load(&r->server->workers.phase);

    if (me->phase < WORKERS_FINISH && phase == WORKERS_FINISH)
        drain_begin_closing(r, poller_now(r->poller));
    if (me->phase < WORKERS_STOP && phase >= WORKERS_STOP)
        reactor_stop(r);
    me->phase = phase;
}

static void dump(struct server_worker *me)
{
    struct server_workers *w = &me->reactor.server->workers;
    int fd = atomic_exchange(&me->dump_fd, -1);

    if (fd < 0)
        return;
    (void)pthread_mutex_lock(&w->dump_lock);
    reactor_dump(&me->reactor, fd);
    (void)pthread_mutex_unlock(&w->dump_lock);
    (void)close(fd); /* a copy: who gave it looks after the file */
}

/* Once per pass, outside all hooks. */
static void look(struct server_worker *me)
{
    struct reactor *r = &me->reactor;
    struct server_workers *w = &r->server->workers;
    size_t connections_before = me->stats.connections;
    struct orders new;

    (void)pthread_mutex_lock(&w->lock);
    new = hear(me);
    tell(me);
    (void)pthread_mutex_unlock(&w->lock);
    if (new.tls)
        edge_set_tls(r->edge, new.tls);
    tls_context_unref(new.tls);
    if (new.looks_at_guests) {
        r->look_at_ns = 0;
        poller_again(r->poller);
    }
    shed(me, &new);
    if (new.has_policies)
        take_policies(me);
    end_as_told(me);
    dump(me);
    if (me->phase >= WORKERS_FINISH && me->stats.connections != connections_before)
        reactor_wake(&r->server->reactor); /* it waits for the last */
}

/* ---- its loop ------------------------------------------------------------------------------------------------- */

/* Being awake is all: the loop looks at what is new. */
void worker_woken(void *context)
{
    (void)context;
}

static bool turn(void *context, int64_t now_ns)
{
    struct reactor *r = context;
    int64_t due_ns = MW_FOREVER, then_ns;
    bool is_more;

    workers_take(r);
    is_more = reactor_turn(r, now_ns, &due_ns);
    then_ns = gather(worker_of(r), now_ns);
    due_ns = then_ns < due_ns ? then_ns : due_ns;
    if (r->drain_step_ns >= 0) {
        then_ns = drain_close_due(r, now_ns);
        due_ns = then_ns < due_ns ? then_ns : due_ns;
    }
    server_flush_audit(r->server);
    alarm_set(&r->other_alarm, due_ns);
    return is_more;
}

static void answered(void *context, const struct edge_access *access)
{
    log_access(&((struct reactor *)context)->server->log, access);
}

const struct edge_hooks worker_hooks = {.route = route_on_worker, .opened = bridge_opened, .message = bridge_message,
                                        .closed = bridge_closed, .answered = answered, .turn = turn, .moved = route_moved,
                                        .left = bridge_left, .came = bridge_came};

void *worker_run(void *context)
{
    struct server_worker *me = context;
    struct reactor *r = &me->reactor;
    struct server_workers *w = &r->server->workers;
    char name[16]; /* all that the kernel keeps */

    (void)snprintf(name, sizeof name, "mw-worker-%zu", (size_t)(me - w->each) + 1);
    (void)pthread_setname_np(pthread_self(), name); /* for who looks at threads; else nothing depends on it */
    atomic_store(&r->thread, (unsigned long)pthread_self());
    mw_fault_follow();
    (void)mw_fault_doing((struct fault_doing){"on a worker of the server", NULL});
    if (w->watches_stalls)
        (void)mw_watch_stalls(&w->stalls); /* without it a stall is what it was */
    while (atomic_load(&w->phase) < WORKERS_END) {
        poller_run_once(r->poller, true);
        look(me);
    }
    edge_free(r->edge); /* on its own thread, as what its apps do at their end */
    r->edge = NULL;
    reactor_end(r);
    mw_thread_end();
    return NULL;
}
