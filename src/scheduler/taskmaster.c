/* The taskmaster: pass after pass over the tasklets in the order of their adding, each flushed when its turn comes,
 * until none has anything left. Those without work cost nothing: ready bits are looked at, not tasklets.
 * Not membership and hooks; that is scheduler.c. Read next: ../../examples/03-mesh.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <errno.h>
#include <time.h>

#include "scheduler/scheduler_priv.h"
#include "tasklet/run.h"

static bool is_ready_at(const mw_scheduler *s, uint32_t position, const mw_tasklet *t)
{
    return position < s->top && s->members[position] == t && s->ready[position >> 6] >> (position & 63) & 1;
}

/* All passes, until none has anything left. One that refills itself is left after a budget's worth, for this pass. */
static HOT uint64_t taskmaster_run(mw_scheduler *s)
{
    struct mw_thread *thread = &mw_thread;
    mw_tasklet *outer = thread->current, *t;
    uint64_t sum = 0;
    uint32_t passes = 0;

    do {
        while ((t = mesh_next(s)) != NULL)
            sum += tasklet_visit(thread, outer, t, s->budget);
        s->cursor = 0;
        scheduler_look_at_clock(s, ++passes);
    } while (s->ready_count > 0);
    s->visit_used = 0;
    return sum;
}

/* The rest of a pass, as far as the budget goes. A visit may take as many items as a whole budget, over turns if need
 * be, so that where turns end shows in no output. A run without an item (a set-up) costs as much as one. */
static HOT uint64_t taskmaster_turn(mw_scheduler *s)
{
    struct mw_thread *thread = &mw_thread;
    mw_tasklet *outer = thread->current, *t;
    uint64_t left = s->budget, sum = 0;

    while ((t = mesh_next(s)) != NULL) {
        uint32_t position = s->cursor - 1;
        uint64_t used = position == s->visit_position ? s->visit_used : 0, handled;
        uint64_t allowance = s->budget - used < left ? s->budget - used : left;

        s->visit_used = 0;
        handled = tasklet_visit(thread, outer, t, (uint32_t)allowance);
        sum += handled;
        left -= handled ? (handled < left ? handled : left) : 1;
        if (left > 0)
            continue;
        if (used + handled < s->budget && is_ready_at(s, position, t)) { /* the next turn goes on with it */
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
    mesh_read_clock(s);
    mesh_timers_run(s);
    handled = s->order ? s->order->go(s, is_bounded) : is_bounded ? taskmaster_turn(s) : taskmaster_run(s);
    frame_leave(&frame);
    s->is_running = false;
    s->turns++;
    s->processed += handled;
    return handled > INT64_MAX ? INT64_MAX : (int64_t)handled;
}

/* Nothing is ready: wait for what may come by itself. false: nothing can. */
static bool scheduler_wait(mw_scheduler *s)
{
    int64_t deadline_ns = mesh_timers_next(s);
    struct timespec until;

    if (s->idle && (deadline_ns != MW_FOREVER || s->outside_waits > 0))
        return s->idle(s->idle_context, deadline_ns) >= 0;
    if (deadline_ns == MW_FOREVER || s->clock)
        return false;
    until = (struct timespec){.tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL); /* a signal only makes us look earlier */
    return true;
}

int64_t mw_scheduler_run(mw_scheduler *s)
{
    int64_t handled, sum = 0;

    if (!s)
        return -EINVAL;
    do {
        handled = scheduler_go(s, false);
        if (handled < 0)
            return handled;
        sum += handled;
        if (s->is_freed_later) {
            mw_scheduler_free(s);
            return sum;
        }
    } while (mesh_has_ready(s) || scheduler_wait(s));
    return sum;
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
