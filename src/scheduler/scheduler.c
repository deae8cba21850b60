/* Schedulers: making, freeing, membership, hooks, the thread's implicit one.
 * Not the order of running; that is taskmaster.c. Read next: taskmaster.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <errno.h>

#include "scheduler/fault.h"
#include "scheduler/host.h"
#include "scheduler/scheduler_priv.h"
#include "tasklet/address.h"
#include "tasklet/graph.h"

enum { NESTING_MOST = 64 }; /* each level takes a few hundred bytes of the stack that runs them */


/* Three rounds, each in the order of making: a close path may still send to any of them, and a release function may
 * free some of them. */
static void members_free(mw_scheduler *s)
{
    uint32_t i;

    for (i = 0; i < s->top; i++) {
        if (s->members[i])
            (void)mw_close(s->members[i]);
    }
    for (i = 0; i < s->top; i++) {
        mw_tasklet *t = s->members[i];

        if (!t)
            continue;
        t->attention |= ASKED_FREE;
        (void)mailbox_drop_all(t);
        if (s->members[i] == t)
            tasklet_release_scope(t);
    }
    while (s->top > 0)
        tasklet_destroy(s->members[s->top - 1]);
}

void mw_scheduler_free(mw_scheduler *s)
{
    struct mw_thread *thread = &mw_thread;
    mw_scheduler *outer;

    if (!s)
        return;
    /* Asked for by one of its own bodies: when the run is over. */
    if (s->is_running || (thread->current && thread->current->mesh == s)) {
        s->is_freed_later = true;
        return;
    }
    s->is_running = true; /* no hook is told any more */
    s->on_failure = NULL;
    outer = thread->mesh;
    thread->mesh = s; /* what close paths make belongs to it as well */
    members_free(s);
    thread->mesh = outer == s ? NULL : outer;
    if (s->tasklet) {
        mw_tasklet *t = s->tasklet;

        mesh_detach(t);
        mw_tasklet_free(t);
    }
    if (thread->implicit == s)
        thread->implicit = NULL;
    mesh_free(s);
}

/* Whether inner may become part of s: it is not around s already, and the whole is not too deep. */
static bool may_nest(const mw_scheduler *s, const mw_scheduler *inner)
{
    uint32_t depth = inner->height;

    for (; s; s = mesh_parent(s)) {
        if (s == inner || ++depth >= NESTING_MOST)
            return false;
    }
    return true;
}

static void note_height(mw_scheduler *s, const mw_scheduler *inner)
{
    uint32_t height = inner->height;

    for (; s; s = mesh_parent(s)) {
        if (s->height < ++height)
            s->height = height;
    }
}

/* A turn of a mesh in another one, within what that one allows. */
static uint64_t nested_turn(mw_scheduler *s, uint32_t most)
{
    uint32_t budget = s->budget;
    int64_t handled;

    if (most < budget)
        s->budget = most;
    handled = scheduler_go(s, true);
    s->budget = budget;
    if (handled >= 0 && s->is_freed_later)
        mw_scheduler_free(s);
    return handled > 0 ? (uint64_t)handled : 0;
}

/* Sent to directly, without the scheduler around it: one item, one turn. */
static int run_turn(mw_tasklet *self, void *scope, mw_value takes_item)
{
    (void)self;
    mw_release(takes_item);
    if (scope)
        (void)nested_turn(scope, UINT32_MAX);
    return 0;
}

mw_tasklet *mw_scheduler_tasklet(mw_scheduler *s)
{
    mw_scheduler *here = s && !s->tasklet ? mesh_here() : NULL;
    mw_tasklet *t;

    if (!here || !may_nest(here, s) || mesh_reserve_routes(s, here) < 0)
        return s ? s->tasklet : NULL;
    t = mw_handler_new_at(run_turn, s, "scheduler", __FILE__, __LINE__);
    if (!t)
        return NULL;
    t->kind = TASKLET_MESH;
    t->state = TASKLET_IDLE;
    s->tasklet = t;
    s->turn = nested_turn;
    note_height(here, s);
    mesh_count_outside(here, (int)s->outside_waits);
    mesh_graph_join(s, here->graph);
    mesh_reroute(s);
    mesh_tell_parent(s);
    return t;
}

/* It has come from a mesh that learns another graph, or none. */
static void move_graph(mw_tasklet *t, mw_scheduler *before)
{
    mw_scheduler *inner = t->kind == TASKLET_MESH ? t->scope : NULL;

    if (before->graph)
        graph_forget(before->graph, t);
    mailbox_update_room(t);
    if (inner && inner->graph && inner->graph == before->graph)
        mesh_graph_leave(inner);
    if (inner)
        mesh_graph_join(inner, t->mesh->graph);
}

int mw_scheduler_add(mw_scheduler *s, mw_tasklet *t)
{
    mw_scheduler *before;
    struct site *site;
    uint8_t quiet;
    int err, outside;

    TASKLET_CHECK(t);
    if (!s || !t)
        return -EINVAL;
    before = t->mesh;
    if (before == s)
        return 0;
    if (t->kind == TASKLET_MESH && !may_nest(s, t->scope))
        return mw_fail(&s->last_error, -ELOOP, "a scheduler cannot be part of itself, nor stand deeper than %d in others", NESTING_MOST);
    site = mesh_site_like(s, t->site, t->site->name);
    err = site ? mesh_reserve(s) : -ENOMEM;
    if (err == 0)
        err = later_reserve(t, s);
    if (err == 0)
        err = address_reserve(t, s);
    if (err < 0)
        return err;
    quiet = t->quiet;
    slab_move(t, before, s);
    mesh_remove(t);
    mesh_add(s, t);
    if (quiet & QUIET_READY)
        tasklet_mark(t);
    later_move(t, before, s);
    address_move(t); /* may deliver, and so mark, too */
    outside = t->kind == TASKLET_MESH && t->scope ? (int)((mw_scheduler *)t->scope)->outside_waits : tasklet_waits_outside(t);
    mesh_count_outside(before, -outside);
    mesh_count_outside(s, outside);
    t->site = site;
    if (before->graph != s->graph)
        move_graph(t, before);
    if (t->kind == TASKLET_MESH && t->scope)
        note_height(s, t->scope);
    return 0;
}

/* ---- pausing --------------------------------------------------------------------------------------- */
int mw_scheduler_pause(mw_scheduler *s)
{
    mw_tasklet *running = mw_thread.current;

    if (!s)
        return -EINVAL;
    s->is_paused = true;
    if (running && running->mesh == s)
        running->allowance = 0; /* its next receive parks */
    mesh_tell_parent(s);
    return 0;
}

int mw_scheduler_resume(mw_scheduler *s)
{
    if (!s)
        return -EINVAL;
    if (!s->is_paused)
        return 0;
    s->is_paused = false;
    if (!s->is_running && (mesh_has_ready(s) || mw_scheduler_is_roused(s)))
        mesh_became_ready(s);
    else
        mesh_is_due_earlier(s);
    return 0;
}

bool mw_scheduler_is_paused(const mw_scheduler *s)
{
    return s && s->is_paused;
}

int mw_scheduler_step(mw_scheduler *s)
{
    int has_more;

    if (!s)
        return -EINVAL;
    if (!s->is_paused || s->is_running)
        return mw_scheduler_turn(s);
    s->is_stepping = true;
    has_more = mw_scheduler_turn(s);
    if (has_more < 0 || !s->is_paused) /* the step has ended it, as it was asked to */
        return has_more;
    s->is_paused = false;
    has_more = mesh_has_ready(s);
    s->is_paused = true;
    return has_more;
}

/* ---- order ------------------------------------------------------------------------------------------- */
int mw_scheduler_set_order(mw_scheduler *s, enum mw_order order)
{
    if (!s || order < MW_ORDER_ROUNDS || order > MW_ORDER_NEWEST)
        return -EINVAL;
    if (s->order)
        return -ENOTSUP;
    s->order_kind = (uint8_t)order;
    s->visit_used = 0;
    return 0;
}

int mw_scheduler_set_seed(mw_scheduler *s, uint64_t seed)
{
    if (!s)
        return -EINVAL;
    if (s->order)
        return -ENOTSUP;
    s->seed = seed ? seed * UINT64_C(0x9e3779b97f4a7c15) | 1 : 0;
    return 0;
}

/* ---- hooks and questions --------------------------------------------------------------------------- */
int mw_scheduler_set_budget(mw_scheduler *s, size_t items_per_turn)
{
    if (!s || items_per_turn == 0)
        return -EINVAL;
    s->budget = items_per_turn > UINT32_MAX ? UINT32_MAX : (uint32_t)items_per_turn;
    s->visit_used = 0;
    return 0;
}

bool mw_scheduler_is_idle(const mw_scheduler *s)
{
    if (!s)
        return true;
    /* Looking may forget those that a verb has drained meanwhile: no change that anybody could see. */
    return !mesh_has_ready((mw_scheduler *)(uintptr_t)s);
}

int64_t mw_scheduler_deadline(const mw_scheduler *s)
{
    return s ? mesh_timers_next(s) : MW_FOREVER;
}

int mw_scheduler_set_clock(mw_scheduler *s, int64_t (*clock)(void *context), void *context)
{
    if (!s)
        return -EINVAL;
    if (s->timers.count > 0)
        return -EBUSY;
    s->clock = clock;
    s->clock_context = context;
    return 0;
}

void mw_scheduler_on_idle(mw_scheduler *s, int (*idle)(void *context, int64_t deadline_ns), void *context)
{
    if (!s)
        return;
    s->idle = idle;
    s->idle_context = context;
}

int mw_scheduler_on_post(mw_scheduler *s, void (*posted)(void *context), void *context)
{
    if (!s)
        return -EINVAL;
    if (s->inbox)
        return -EBUSY; /* a poster may be looking at the hook now */
    (void)pthread_mutex_lock(&mesh_registry.lock); /* one of the default kind fails only where memory is broken */
    s->posted = posted;
    s->posted_context = context;
    (void)pthread_mutex_unlock(&mesh_registry.lock);
    return 0;
}

int mw_scheduler_set_inbox(mw_scheduler *s, size_t items)
{
    if (!s || items < 16 || items > INBOX_ITEMS_MOST)
        return -EINVAL;
    if (s->inbox)
        return -EBUSY;
    s->inbox_items = (uint32_t)items;
    return 0;
}

void mw_scheduler_on_ready(mw_scheduler *s, void (*ready)(void *context), void *context)
{
    if (!s)
        return;
    s->on_ready = ready;
    s->ready_context = context;
}

void mw_scheduler_on_failure(mw_scheduler *s, void (*failed)(void *context, mw_tasklet *t, int code), void *context)
{
    if (!s)
        return;
    s->on_failure = failed;
    s->failure_context = context;
}

/* Recursion ends: nesting does, at 64 (mw_scheduler_add). */
bool mw_scheduler_each(const mw_scheduler *s, bool (*each)(void *context, const mw_tasklet *t), void *context)
{
    uint32_t i;

    for (i = 0; s && i < s->top; i++) {
        const mw_tasklet *t = s->members[i];

        if (t && !each(context, t))
            return false;
        if (t && t->kind == TASKLET_MESH && !mw_scheduler_each(t->scope, each, context))
            return false;
    }
    return true;
}

struct mw_scheduler_stats mw_scheduler_stats(const mw_scheduler *s)
{
    struct mw_scheduler_stats stats = {0};

    if (!s)
        return stats;
    stats.tasklets = s->member_count;
    stats.ready = mesh_ready_count(s);
    stats.turns = s->turns;
    stats.processed = s->processed;
    stats.failures = s->failures;
    stats.late_results = s->late_results;
    stats.posts_dropped = s->posts_dropped;
    return stats;
}

const struct mw_error *mw_scheduler_last_error(const mw_scheduler *s)
{
    return s ? &s->last_error : NULL;
}

/* ---- the mesh of this thread -------------------------------------------------------------------------- */
mw_scheduler *mw_scheduler_enter(mw_scheduler *s)
{
    mw_scheduler *previous = mw_thread.mesh;

    if (s)
        atomic_store_explicit(&s->owner, &mw_thread, memory_order_relaxed);
    mw_thread.mesh = s;
    return previous;
}

void mw_scheduler_leave(mw_scheduler *previous)
{
    mw_thread.mesh = previous;
}

mw_scheduler *mw_implicit_scheduler(void)
{
    if (!mw_thread.implicit)
        mw_thread.implicit = mesh_new();
    return mw_thread.implicit;
}

int64_t mw_run(void)
{
    mw_scheduler *s = mw_implicit_scheduler();

    return s ? mw_scheduler_run(s) : -ENOMEM;
}

int mw_step(void)
{
    mw_scheduler *s = mw_implicit_scheduler();

    return s ? mw_scheduler_turn(s) : -ENOMEM;
}

void mw_thread_end(void)
{
    mw_scheduler_free(mw_thread.implicit);
    coroutine_pool_clear();
    fault_stack_free();
    mw_unwatch_stalls();
}
