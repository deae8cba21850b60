/* Running a scheduler, whatever its order: one turn, or all until nothing can come by itself.
 * Not who comes next; that is taskmaster.c and priority.c. Read next: taskmaster.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <time.h>

#include "scheduler/scheduler_priv.h"
#include "tasklet/run.h"

/* A run in turns: for orders that have no loop of their own without end. */
static uint64_t all_turns(mw_scheduler *s, uint64_t (*turn)(mw_scheduler *s))
{
    uint64_t sum = 0;
    uint32_t turns = 0;

    do {
        sum += turn(s);
        scheduler_look_at_clock(s, ++turns);
    } while (s->ready_count > 0 && !s->is_paused);
    return sum;
}

static uint64_t go_on(mw_scheduler *s, bool is_bounded)
{
    if (s->order)
        return s->order->go(s, is_bounded);
    if (UNLIKELY(s->trace || s->seed))
        return is_bounded ? watched_turn(s) : all_turns(s, watched_turn);
    if (is_bounded)
        return taskmaster_turn(s);
    return s->order_kind == MW_ORDER_NEWEST ? all_turns(s, taskmaster_turn) : taskmaster_run(s);
}

int64_t scheduler_go(mw_scheduler *s, bool is_bounded)
{
    struct mw_thread *thread = &mw_thread;
    struct frame frame = frame_save(thread);
    uint64_t handled;
    bool is_step = s->is_stepping;

    if (s->is_running)
        return -EBUSY;
    if (s->is_paused && !is_step)
        return 0;
    s->is_running = true;
    s->is_stepping = s->is_paused = false;
    thread->mesh = s;
    mesh_read_clock(s);
    mesh_timers_run(s);
    handled = go_on(s, is_bounded);
    frame_leave(&frame);
    s->is_running = false;
    s->is_paused |= is_step;
    s->turns++;
    s->processed += handled;
    if (UNLIKELY(s->tasklet != NULL))
        mesh_tell_parent(s);
    return handled > INT64_MAX ? INT64_MAX : (int64_t)handled;
}

/* Nothing is ready: wait for what may come by itself. false: nothing can. */
static bool scheduler_wait(mw_scheduler *s)
{
    int64_t deadline_ns = mesh_timers_next(s);
    struct timespec until;

    if (s->is_paused)
        return false;
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
