/* The taskmaster: pass after pass over the tasklets in the order of their adding, each flushed when its turn comes,
 * until none has anything left. Those without work cost nothing: ready bits are looked at, not tasklets.
 * Not membership and hooks; that is scheduler.c. Read next: ../../examples/03-mesh.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <errno.h>

#include "scheduler/scheduler_priv.h"
#include "tasklet/run.h"

static uint32_t clamp_allowance(size_t items)
{
    return items > UINT32_MAX ? UINT32_MAX : (uint32_t)items;
}

static bool is_ready_at(const mw_scheduler *s, uint32_t position, const mw_tasklet *t)
{
    return position < s->top && s->members[position] == t && s->ready[position >> 6] >> (position & 63) & 1;
}

/* A visit may take as many items as a whole budget, over turns if need be, so that where turns end shows in no output;
 * one that refills itself for ever is left after that. A run without an item (a set-up) costs as much as one. */
HOT uint64_t taskmaster_passes(mw_scheduler *s, bool is_bounded)
{
    struct mw_thread *thread = &mw_thread;
    size_t left = s->budget;
    uint64_t sum = 0;

    for (;;) {
        mw_tasklet *t = mesh_next(s);
        size_t used = s->visit_used, allowance = s->budget - used;
        uint32_t position;
        uint64_t handled;

        if (UNLIKELY(!t)) {
            s->cursor = 0;
            s->visit_used = 0;
            if (is_bounded || s->ready_count == 0)
                return sum;
            continue;
        }
        position = s->cursor - 1;
        if (UNLIKELY(used && position != s->visit_position)) {
            used = 0;
            allowance = s->budget;
        }
        s->visit_used = 0;
        if (is_bounded && allowance > left)
            allowance = left;
        handled = tasklet_visit(thread, t, clamp_allowance(allowance));
        sum += handled;
        if (!is_bounded)
            continue;
        left -= handled ? (size_t)handled : 1;
        if (left > 0)
            continue;
        /* Where the turn ends in the middle of a visit, the next goes on with it. */
        if (used + (size_t)handled < s->budget && is_ready_at(s, position, t)) {
            s->cursor = position;
            s->visit_position = position;
            s->visit_used = used + (size_t)handled;
        }
        return sum;
    }
}

/* returns items handed over, or -EBUSY */
static int64_t scheduler_go(mw_scheduler *s, bool is_bounded)
{
    struct mw_thread *thread = &mw_thread;
    struct frame frame = frame_save(thread);
    uint64_t handled;

    if (s->is_running)
        return -EBUSY;
    s->is_running = true;
    thread->mesh = s;
    handled = taskmaster_passes(s, is_bounded);
    frame_leave(&frame);
    s->is_running = false;
    s->turns++;
    s->processed += handled;
    return handled > INT64_MAX ? INT64_MAX : (int64_t)handled;
}

int64_t mw_scheduler_run(mw_scheduler *s)
{
    int64_t handled;

    if (!s)
        return -EINVAL;
    handled = scheduler_go(s, false);
    if (handled >= 0 && s->is_freed_later)
        mw_scheduler_free(s);
    return handled;
}

int mw_scheduler_turn(mw_scheduler *s)
{
    int64_t handled;
    bool has_more;

    if (!s)
        return -EINVAL;
    handled = scheduler_go(s, true);
    if (handled < 0)
        return (int)handled;
    has_more = mesh_has_ready(s);
    if (s->is_freed_later) {
        mw_scheduler_free(s);
        return 0;
    }
    return has_more;
}
