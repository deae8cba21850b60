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
    uint32_t visits = 0, most = s->order_kind == MW_ORDER_ITEMS ? 1 : s->budget;

    for (;;) {
        if (UNLIKELY(++visits % VISITS_PER_LOOK == 0)) {
            thread->current = outer;
            scheduler_look_at_clock(s);
        }
        if (mesh_has_only(s)) { /* in this pass, or the first of the next one: there is nobody to tell the difference */
            t = s->only;
            s->only = NULL;
            s->cursor = t->position + 1;
        } else if ((t = mesh_next(s)) == NULL) {
            s->cursor = 0;
            if (!mesh_is_ready(s))
                break;
            continue;
        }
        sum = tasklet_visit(thread, outer, t, most, sum);
        if (UNLIKELY(s->is_paused))
            break;
    }
    thread->current = outer;
    s->visit_used = 0;
    return sum;
}

/* The rest of a pass, or a whole one where nobody is left in this one, as far as so many items go. A visit may take as many items as a whole budget, over turns if need
 * be, so that where turns end shows in no output. A run without an item (a set-up) costs as much as one. */
static HOT uint64_t pass_on(mw_scheduler *s, struct mw_thread *thread, mw_tasklet *outer)
{
    mw_tasklet *t;
    uint64_t left = s->budget, sum = 0;
    uint32_t most = s->order_kind == MW_ORDER_ITEMS ? 1 : s->budget;

    t = mesh_next(s);
    if (!t && mesh_is_ready(s)) {
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
        handled = tasklet_visit(thread, outer, t, (uint32_t)allowance, 0);
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
static HOT uint64_t newest_turn(mw_scheduler *s, struct mw_thread *thread, mw_tasklet *outer)
{
    mw_tasklet *t;
    uint64_t in_order = s->budget / 8 ? s->budget / 8 : 1, most = s->budget > in_order ? s->budget - in_order : 1, sum = 0;

    while (sum < most && mesh_is_ready(s) && LIKELY(!s->is_paused)) {
        uint32_t position = mesh_highest(s);
        uint64_t before = sum;

        t = s->members[position];
        mesh_take_out(s, position);
        sum = tasklet_visit(thread, outer, t, (uint32_t)(most - sum), sum);
        if (UNLIKELY(sum == before))
            most--; /* a run without an item costs as much as one */
    }
    if (!mesh_is_ready(s) || s->is_paused)
        return sum;
    t = mesh_next(s);
    if (!t) {
        s->cursor = 0;
        t = mesh_next(s);
    }
    return t ? tasklet_visit(thread, outer, t, (uint32_t)in_order, sum) : sum;
}

uint64_t taskmaster_turn(mw_scheduler *s)
{
    struct mw_thread *thread = &mw_thread;
    mw_tasklet *outer = thread->current;
    uint64_t sum = s->order_kind == MW_ORDER_NEWEST ? newest_turn(s, thread, outer) : pass_on(s, thread, outer);

    thread->current = outer;
    return sum;
}
