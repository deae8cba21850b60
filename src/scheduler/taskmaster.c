/* The taskmaster: pass after pass over the tasklets in the order of their adding, each flushed when its turn comes,
 * until none has anything left. Those without work cost nothing: ready bits are looked at, not tasklets.
 * Not what runs it; that is run.c. Read next: watched.c, ../../examples/03-mesh.c.
 * SPDX-License-Identifier: MIT */
#include "scheduler/scheduler_priv.h"
#include "tasklet/run.h"

static bool is_ready_at(const mw_scheduler *s, uint32_t position, const mw_tasklet *t)
{
    return position < s->top && s->members[position] == t && (s->only == t || s->ready[position >> 6] >> (position & 63) & 1);
}

mw_scheduler *mw_taskmaster_new(void)
{
    return mesh_new();
}

/* All passes, until none has anything left. One that refills itself is left after a budget's worth, for this pass. */
HOT uint64_t taskmaster_run(mw_scheduler *s)
{
    struct mw_thread *thread = &mw_thread;
    mw_tasklet *outer = thread->current, *t;
    uint64_t sum = 0;
    uint32_t passes = 0, most = s->order_kind == MW_ORDER_ITEMS ? 1 : s->budget;

    do {
        while ((t = mesh_next(s)) != NULL) {
            sum += tasklet_visit(thread, outer, t, most);
            if (UNLIKELY(s->is_paused))
                return sum;
        }
        s->cursor = 0;
        scheduler_look_at_clock(s, ++passes);
    } while (s->ready_count > 0);
    s->visit_used = 0;
    return sum;
}

/* The rest of a pass, or a whole one where nobody is left in this one, as far as so many items go. A visit may take as many items as a whole budget, over turns if need
 * be, so that where turns end shows in no output. A run without an item (a set-up) costs as much as one. */
static HOT uint64_t pass_on(mw_scheduler *s, uint64_t left)
{
    struct mw_thread *thread = &mw_thread;
    mw_tasklet *outer = thread->current, *t;
    uint64_t sum = 0;
    uint32_t most = s->order_kind == MW_ORDER_ITEMS ? 1 : s->budget;

    t = mesh_next(s);
    if (!t && s->ready_count > 0) {
        s->cursor = 0;
        t = mesh_next(s);
    }
    for (; t; t = mesh_next(s)) {
        uint32_t position = s->cursor - 1;
        uint64_t used = position == s->visit_position ? s->visit_used : 0, handled;
        uint64_t allowance = used < most ? most - used : 1;

        if (allowance > left)
            allowance = left;
        s->visit_used = 0;
        handled = tasklet_visit(thread, outer, t, (uint32_t)allowance);
        sum += handled;
        left -= handled ? (handled < left ? handled : left) : 1;
        if (left > 0 && LIKELY(!s->is_paused))
            continue;
        if (used + handled < most && is_ready_at(s, position, t)) { /* the next turn goes on with it */
            s->cursor = position;
            s->visit_position = position;
            s->visit_used = (uint32_t)(used + handled);
        }
        return sum;
    }
    s->cursor = 0;
    s->visit_used = 0;
    return sum;
}

/* Who was made last comes first, so that what branches goes deep before it goes wide; an eighth of the budget is for one of the
 * others, in the order of their making, so that nobody waits for ever. For one: a few of a tree's oldest nodes in each turn would
 * open all of it. */
static HOT uint64_t newest_turn(mw_scheduler *s)
{
    struct mw_thread *thread = &mw_thread;
    mw_tasklet *outer = thread->current, *t;
    uint64_t in_order = s->budget / 8 ? s->budget / 8 : 1, left = s->budget > in_order ? s->budget - in_order : 1, sum = 0;

    while (left > 0 && s->ready_count > 0 && LIKELY(!s->is_paused)) {
        uint64_t handled;

        t = s->members[mesh_highest(s)];
        tasklet_take_out(t);
        handled = tasklet_visit(thread, outer, t, (uint32_t)left);
        sum += handled;
        left -= handled ? (handled < left ? handled : left) : 1;
    }
    if (s->ready_count == 0 || s->is_paused)
        return sum;
    t = mesh_next(s);
    if (!t) {
        s->cursor = 0;
        t = mesh_next(s);
    }
    return t ? sum + tasklet_visit(thread, outer, t, (uint32_t)in_order) : sum;
}

uint64_t taskmaster_turn(mw_scheduler *s)
{
    return s->order_kind == MW_ORDER_NEWEST ? newest_turn(s) : pass_on(s, s->budget);
}
