/* The priority scheduler: rounds over those that have items, the most urgent first, put back while items remain.
 * A tasklet in the round keeps its ready bit; the queue says when it comes. Not the queue, which is round.c, nor the lines of the trace;
 * those are in trace.c. Read next: round.h, ../../examples/04-priority.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <errno.h>
#include <limits.h>

#include "base/memory.h"
#include "scheduler/round.h"
#include "tasklet/run.h"

enum { PRIORITY_DEPTH = 16 }; /* functions that give functions */

/* ---- asking and telling ---------------------------------------------------------------------------------- */
/* 0, or a negative number. With s: stops (-ECANCELED) when t has left meanwhile. */
static int priority_ask(const mw_scheduler *s, mw_tasklet *t, int *ret_priority)
{
    mw_priority now = t->side ? t->side->priority : (mw_priority){0};
    int depth;

    for (depth = 0; now.error >= 0; depth++) {
        if (!now.function) {
            *ret_priority = now.value;
            return 0;
        }
        if (depth == PRIORITY_DEPTH)
            return -ELOOP;
        now = now.function(t, now.context);
        if (s && s->held != t)
            return -ECANCELED;
    }
    return now.error;
}

static COLD void report_priority(mw_scheduler *s, mw_tasklet *t, int code)
{
    (void)mw_fail(&s->last_error, code, "the priority of tasklet '%s' cannot be told: %s", mw_tasklet_name(t),
                  code == -ELOOP ? "functions give functions, more than 16 deep" : mw_strerror(code));
    s->failures++;
    if (s->on_failure)
        s->on_failure(s->failure_context, t, code);
}

/* For a place in the round. false: t has left meanwhile. */
static bool held_priority(mw_scheduler *s, mw_tasklet *t, int *ret_priority)
{
    int err;

    if (!t->side || !t->side->priority.function) {
        *ret_priority = t->side ? t->side->priority.value : 0;
        return true;
    }
    s->held = t;
    err = priority_ask(s, t, ret_priority);
    if (err < 0 && s->held == t) {
        *ret_priority = INT_MAX;
        report_priority(s, t, err);
    }
    return s->held == t;
}

static bool is_only_fresh(const mw_tasklet *t)
{
    return t->state == TASKLET_FRESH && t->count == 0;
}

/* ---- a round ----------------------------------------------------------------------------------------------- */
/* The next ready one behind the cursor; it stays in the ready set. */
static mw_tasklet *ready_next(mw_scheduler *s)
{
    uint32_t word = s->cursor >> 6;
    uint64_t bits;

    mesh_spread(s);
    if (word >= s->word_count)
        return NULL;
    bits = s->ready[word] & ~UINT64_C(0) << (s->cursor & 63);
    if (!bits) {
        if (word + 1 >= s->word_count || (word = mesh_scan(s, word + 1)) == UINT32_MAX)
            return NULL;
        bits = s->ready[word];
    }
    s->cursor = (word << 6 | (uint32_t)__builtin_ctzll(bits)) + 1;
    return s->members[s->cursor - 1];
}

/* One call of a scheduler. */
struct going {
    struct mw_thread *thread;
    mw_tasklet *outer;
    uint64_t sum, most; /* items handed over; how many it may be */
};

static uint64_t going_left(const struct going *g)
{
    return g->sum < g->most ? g->most - g->sum : 0;
}

/* returns items handed over */
static uint64_t going_visit(struct going *g, mw_tasklet *t, uint32_t allowance)
{
    uint64_t handled = tasklet_visit(g->thread, g->outer, t, allowance, 0);

    g->thread->current = g->outer;
    g->sum += handled;
    if (handled == 0 && g->most > 0)
        g->most--; /* a run without an item costs as much as one */
    return handled;
}

/* Set-ups that are due, of those without items: a body is ready to send before the first round, as if it had been
 * begun when it was made. true: done, as far as it may go before this round */
static bool round_set_up(mw_scheduler *s, struct going *g)
{
    struct priorities *p = priorities_of(s);
    mw_tasklet *t = NULL;

    if (!p->is_setting_up) {
        if (!s->has_fresh)
            return true;
        s->has_fresh = false;
        rank_outdate(p); /* whoever came is among them */
        s->cursor = 0;
        p->is_setting_up = true;
        p->set_ups_left = s->member_count; /* those that make others do not keep the round waiting for ever */
    }
    while (going_left(g) > 0 && p->set_ups_left > 0) {
        t = ready_next(s);
        if (!t)
            break;
        if (!is_runnable(t) || !is_only_fresh(t))
            continue;
        p->set_ups_left--;
        tasklet_take_out(t);
        going_visit(g, t, 0); /* as far as its first receive */
    }
    if (t && p->set_ups_left > 0)
        return false;
    if (t)
        s->has_fresh = true;
    p->is_setting_up = false;
    return true;
}

/* Those whose rank holds: each is a bit. */
static void fill_from_rank(mw_scheduler *s)
{
    struct priorities *p = priorities_of(s);
    mw_tasklet **members = s->members;
    uint64_t *in_round = p->in_round;
    const uint32_t *rank_of = p->rank_of;
    size_t words = (s->top + 63) / 64, word;

    mesh_spread(s);
    p->word = 0;
    p->word_count = (p->ranked + 63) / 64;
    p->ticket = s->capacity; /* of those put back: behind all positions */
    memset(in_round, 0, (p->word_count + 1) * sizeof(*in_round));
    for (word = 0; word < words; word++) {
        uint64_t bits;

        for (bits = s->ready[word]; bits; bits &= bits - 1) {
            size_t position = word << 6 | (uint32_t)__builtin_ctzll(bits), rank = rank_of[position];
            mw_tasklet *t = members[position];

            if (UNLIKELY(t->count == 0 || t->quiet != QUIET_READY)) {
                if (!is_runnable(t)) {
                    tasklet_unmark(t);
                    continue;
                }
                if (is_only_fresh(t)) {
                    s->has_fresh = true; /* its set-up runs before the next round */
                    continue;
                }
            }
            in_round[rank >> 6] |= UINT64_C(1) << (rank & 63);
        }
    }
}

/* Those that are ready, sorted. */
static void fill_by_sorting(mw_scheduler *s)
{
    struct priorities *p = priorities_of(s);
    mw_tasklet *t;
    int priority = 0, last = INT_MIN;
    bool is_sorted = true;

    p->ticket = 0;
    s->cursor = 0;
    while ((t = ready_next(s)) != NULL) {
        if (!is_runnable(t))
            tasklet_unmark(t);
        else if (is_only_fresh(t))
            s->has_fresh = true;
        else if (p->run_count == s->capacity) /* functions free and make tasklets: these wait for the next round */
            break;
        else if (held_priority(s, t, &priority)) {
            p->run[p->run_count++] = entry_make(p, t, priority, 0);
            is_sorted = is_sorted && priority >= last;
            last = priority;
        }
    }
    s->held = NULL;
    if (!is_sorted)
        run_sort(p);
}

static void round_fill(mw_scheduler *s)
{
    struct priorities *p = priorities_of(s);

    p->run_at = p->run_count = 0;
    if (rank_hold(s))
        fill_from_rank(s);
    else
        fill_by_sorting(s);
}

static COLD bool may_run_otherwise(const mw_tasklet *t)
{
    return is_runnable(t) && !is_only_fresh(t);
}

static inline bool may_run(const mw_tasklet *t)
{
    return LIKELY(t->count > 0 && t->quiet & QUIET_READY && byte_alone(t->state) <= TASKLET_IDLE) || may_run_otherwise(t);
}

/* The first of the round that still has something to do; NULL: the round is over. */
static inline mw_tasklet *round_next(const mw_scheduler *s, struct priorities *p, int *ret_priority, uint32_t *ret_used)
{
    for (;;) {
        mw_tasklet *t;
        uint64_t key;

        if (rank_pop(p, &key)) {
            t = s->members[rank_position(key)];
            *ret_used = 0;
        } else if (!queue_pop(s, &key, &t, ret_used)) {
            return NULL;
        }
        if (!may_run(t))
            continue;
        *ret_priority = key_priority(key);
        return t;
    }
}

static void put_back(mw_scheduler *s, mw_tasklet *t, uint32_t used)
{
    struct priorities *p = priorities_of(s);
    int priority = 0;

    if (!held_priority(s, t, &priority))
        return;
    if (UNLIKELY(s->trace != NULL)) {
        scheduler_tell(s, MW_TRACE_PUTS_BACK, t, priority, p->is_incremental);
        if (s->held != t)
            return;
    }
    heap_put(p, t, priority, used);
}

/* The visit of t, which is held, is over, and it still has something to do: see to what becomes of it. */
static void round_keep(mw_scheduler *s, mw_tasklet *t, uint64_t used, uint64_t handled, uint64_t allowance)
{
    struct priorities *p = priorities_of(s);
    uint64_t all = used + (handled ? handled : 1);

    if (all < s->budget && !p->is_incremental && handled >= allowance) { /* it was the turn's that ran out */
        p->is_cut = true;
        p->held_used = (uint32_t)all;
        return;
    }
    if (all < s->budget) /* else it has had its share of this round */
        put_back(s, t, (uint32_t)all);
    s->held = NULL;
}

/* Whose visit goes on from the turn before, or comes now; held, and told to whoever listens. NULL: the round is over */
static inline mw_tasklet *round_hold(mw_scheduler *s, struct priorities *p, uint32_t *ret_used)
{
    mw_tasklet *t;
    int priority;

    if (UNLIKELY(p->is_cut)) {
        p->is_cut = false;
        t = s->held;
        *ret_used = p->held_used;
        if (t && may_run(t))
            return t;
    }
    while ((t = round_next(s, p, &priority, ret_used)) != NULL) {
        s->held = t;
        if (LIKELY(s->trace == NULL))
            return t;
        scheduler_tell(s, MW_TRACE_EXECUTES, t, priority, p->is_incremental);
        if (s->held == t && is_runnable(t))
            return t;
    }
    s->held = NULL;
    return NULL;
}

/* The visit of t is over, which was held: see to what becomes of it, if it is still there. */
static inline void round_after(mw_scheduler *s, mw_tasklet *t, uint64_t used, uint64_t handled, uint64_t allowance)
{
    if (UNLIKELY(s->held != t))
        return;
    if (UNLIKELY(t->quiet & QUIET_READY) && may_run(t) && t->kind != TASKLET_MESH) /* a mesh has a turn in each round: so what it sends to
                                                                                      somebody more urgent is not behind all that it has */
        round_keep(s, t, used, handled, allowance);
    else
        s->held = NULL;
}

/* The straight road: handlers of the rank, while nothing else wants to be looked at. What it leaves is for round_run. */
static inline void round_run_straight(mw_scheduler *s, struct going *g)
{
    struct priorities *p = priorities_of(s);
    struct mw_thread *thread = g->thread;
    mw_tasklet *outer = g->outer;
    uint64_t most = p->is_incremental ? 1 : s->budget, sum = g->sum;

    if (UNLIKELY(p->is_cut || p->count > 0 || s->trace || g->most < most))
        return;
    while (sum <= g->most - most && LIKELY(!s->is_paused)) {
        uint64_t bits = p->in_round[p->word], before = sum;
        size_t position;
        mw_tasklet *t;

        if (UNLIKELY(bits == 0)) {
            if (!rank_has_more(p))
                break;
            continue;
        }
        position = rank_position(p->rank[p->word << 6 | (uint32_t)__builtin_ctzll(bits)]);
        t = s->members[position];
        if (UNLIKELY(!is_ready_handler(t)))
            break;
        p->in_round[p->word] = bits & (bits - 1);
        s->held = t;
        mesh_take_out(s, position);
        sum = visit_handler_on(thread, outer, t, (uint32_t)most, sum, 0);
        if (LIKELY(s->held == t && t->condition == CONDITION_OF(TASKLET_IDLE, TASKLET_HANDLER, 0, 0)))
            continue;
        thread->current = outer;
        g->sum = sum;
        round_after(s, t, 0, sum - before, most);
        return;
    }
    thread->current = outer;
    g->sum = sum;
    s->held = NULL;
}

static inline void round_run(mw_scheduler *s, struct going *g)
{
    struct priorities *p = priorities_of(s);
    uint32_t most = p->is_incremental ? 1 : s->budget, used;
    mw_tasklet *t;

    for (;;) {
        uint64_t allowance = most, handled;

        round_run_straight(s, g);
        if (going_left(g) == 0 || UNLIKELY(s->is_paused) || (t = round_hold(s, p, &used)) == NULL)
            return;
        if (UNLIKELY(used > 0))
            allowance = used < most ? most - used : 1;
        if (allowance > going_left(g))
            allowance = going_left(g);
        tasklet_take_out(t);
        handled = going_visit(g, t, (uint32_t)allowance);
        round_after(s, t, used, handled, allowance);
    }
}

/* A turn is what is left of a round, or a whole one; a run is all of them. */
static uint64_t priorities_go(mw_scheduler *s, bool is_bounded)
{
    struct priorities *p = priorities_of(s);
    struct going g = {.thread = &mw_thread, .outer = mw_thread.current, .most = is_bounded ? s->budget : UINT64_MAX};
    uint32_t rounds = 0;

    do {
        if (queue_is_empty(p) && !p->is_cut) {
            if (!round_set_up(s, &g))
                break;
            round_fill(s);
        }
        round_run(s, &g);
        if (!is_bounded && ++rounds % PASSES_PER_LOOK == 0)
            scheduler_look_at_clock(s);
    } while (!is_bounded && mesh_is_ready(s) && !s->is_paused);
    return g.sum;
}

/* ---- the public ones ------------------------------------------------------------------------------------------- */
static const struct mesh_order order = {priorities_go, priorities_grow, priorities_compact, priorities_leave, priorities_clear};

mw_scheduler *mw_priority_scheduler_new(bool incremental)
{
    struct priorities *p = mw_alloc_zeroed(1, sizeof(*p));
    mw_scheduler *s = p ? mesh_new() : NULL;

    if (!s) {
        mw_free(p);
        return NULL;
    }
    p->is_incremental = incremental;
    s->private_data = p;
    s->order = &order;
    if (priorities_grow(s, s->capacity) < 0) {
        mesh_free(s);
        return NULL;
    }
    return s;
}

static int priority_set(mw_tasklet *t, mw_priority priority)
{
    struct tasklet_side *side = t ? tasklet_side(t) : NULL;

    if (!side)
        return t ? -ENOMEM : -EINVAL;
    if (t->mesh->order == &order && (priority.function || side->priority.function || priority.value != side->priority.value))
        rank_outdate(priorities_of(t->mesh));
    side->priority = priority;
    return 0;
}

int mw_set_priority(mw_tasklet *t, int priority)
{
    TASKLET_CHECK(t);
    return priority_set(t, (mw_priority){.value = priority});
}

int mw_set_priority_function(mw_tasklet *t, mw_priority_function *function, void *context)
{
    TASKLET_CHECK(t);
    if (!function)
        return -EINVAL;
    return priority_set(t, (mw_priority){.function = function, .context = context});
}

int mw_get_priority(mw_tasklet *t, int *ret_priority)
{
    TASKLET_CHECK(t);
    if (!t || !ret_priority)
        return -EINVAL;
    return priority_ask(NULL, t, ret_priority);
}
