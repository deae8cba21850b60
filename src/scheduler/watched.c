/* The taskmaster where it is watched: slower, as it says what it does before it does it; and where a seed decides who runs,
 * so that the same seed runs the same way again.
 * Not the lines of the trace; those are in trace.c. Read next: trace.c.
 * SPDX-License-Identifier: MIT */
#include "scheduler/scheduler_priv.h"
#include "tasklet/run.h"

enum { CHANCE_ITEMS = 4 }; /* in a row, at most, where chance decides */

/* xorshift64*: Vigna 2016. */
static uint64_t chance_of(mw_scheduler *s)
{
    s->seed ^= s->seed >> 12;
    s->seed ^= s->seed << 25;
    s->seed ^= s->seed >> 27;
    return s->seed * UINT64_C(0x2545f4914f6cdd1d);
}

/* Where the first ready one at or behind a position stands; top: there is none. */
static uint32_t ready_from(const mw_scheduler *s, uint32_t position)
{
    uint32_t word = position >> 6;
    uint64_t bits;

    if (word >= s->word_count)
        return s->top;
    bits = s->ready[word] & ~UINT64_C(0) << (position & 63);
    if (!bits) {
        if (word + 1 >= s->word_count || (word = mesh_scan(s, word + 1)) == UINT32_MAX)
            return s->top;
        bits = s->ready[word];
    }
    return word << 6 | (uint32_t)__builtin_ctzll(bits);
}

/* Who comes next; NULL: this pass is over. It stays in the ready set. */
static mw_tasklet *choose(mw_scheduler *s)
{
    uint32_t at;

    if (!mesh_is_ready(s))
        return NULL;
    mesh_spread(s);
    if (s->seed) {
        at = ready_from(s, (uint32_t)(chance_of(s) % s->top));
        if (at >= s->top)
            at = ready_from(s, 0);
    } else if (s->order_kind == MW_ORDER_NEWEST) {
        at = mesh_highest(s);
    } else {
        at = ready_from(s, s->cursor);
        if (at >= s->top)
            return NULL;
        s->cursor = at + 1;
    }
    return s->members[at];
}

static uint64_t visit(mw_scheduler *s, struct mw_thread *thread, mw_tasklet *outer, mw_tasklet *t, uint64_t allowance)
{
    bool is_incremental = s->order_kind == MW_ORDER_ITEMS || s->seed;
    uint64_t handled;

    if (!is_runnable(t)) {
        tasklet_unmark(t);
        return 0;
    }
    s->held = t;
    if (s->trace && t->count > 0) {
        scheduler_tell(s, MW_TRACE_EXECUTES, t, 0, is_incremental);
        if (s->held != t || !is_runnable(t))
            return 0;
    }
    tasklet_take_out(t);
    handled = tasklet_visit(thread, outer, t, (uint32_t)allowance, 0);
    thread->current = outer;
    if (s->trace && s->held == t && is_incremental && is_runnable(t) && t->count > 0)
        scheduler_tell(s, MW_TRACE_PUTS_BACK, t, 0, is_incremental);
    return handled;
}

uint64_t watched_turn(mw_scheduler *s)
{
    struct mw_thread *thread = &mw_thread;
    mw_tasklet *outer = thread->current, *t;
    uint64_t left = s->budget, sum = 0, most = s->order_kind == MW_ORDER_ITEMS ? 1 : s->budget;

    while (left > 0 && !s->is_paused && (t = choose(s)) != NULL) {
        uint64_t allowance = s->seed ? 1 + chance_of(s) % CHANCE_ITEMS : most, handled;

        handled = visit(s, thread, outer, t, allowance < left ? allowance : left);
        sum += handled;
        left -= handled ? (handled < left ? handled : left) : 1;
    }
    s->held = NULL;
    if (left > 0 && !s->is_paused)
        s->cursor = 0;
    return sum;
}
