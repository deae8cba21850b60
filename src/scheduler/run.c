/* Running a scheduler, whatever its order: one turn, or all until nothing can come by itself.
 * Not who comes next; that is taskmaster.c and priority.c. Read next: taskmaster.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "scheduler/dump.h"
#include "scheduler/host.h"
#include "scheduler/scheduler_priv.h"
#include "tasklet/address.h"
#include "tasklet/run.h"

/* A run in turns: for orders that have no loop of their own without end. */
static uint64_t all_turns(mw_scheduler *s, uint64_t (*turn)(mw_scheduler *s))
{
    uint64_t sum = 0;
    uint32_t turns = 0;

    do {
        sum += turn(s);
        if (++turns % PASSES_PER_LOOK == 0)
            scheduler_look_at_clock(s);
    } while (mesh_is_ready(s) && !s->is_paused);
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
    atomic_store_explicit(&s->owner, thread, memory_order_relaxed);
    if (UNLIKELY(atomic_load_explicit(&s->is_asked, memory_order_relaxed)))
        dump_answer(s);
    if (s->is_paused && !is_step)
        return 0;
    s->is_running = true;
    s->is_stepping = s->is_paused = false;
    thread->mesh = s;
    if (s->inbox) {
        inbox_wake_up(s->inbox);
        mesh_take_posts(s);
    }
    mesh_read_clock(s);
    mesh_timers_run(s);
    if (s->now_ns >= s->ages.next_ns)
        ages_note(s);
    handled = go_on(s, is_bounded);
    if (UNLIKELY(thread->posted_to != NULL))
        address_unclaim(thread);
    frame_leave(&frame);
    s->is_running = false;
    s->is_paused |= is_step;
    s->turns++;
    s->processed += handled;
    if (UNLIKELY(s->tasklet != NULL))
        mesh_tell_parent(s);
    return handled > INT64_MAX ? INT64_MAX : (int64_t)handled;
}

bool mw_scheduler_is_roused(mw_scheduler *s)
{
    return s->inbox && s->inbox->posted && !s->is_paused && !mesh_parent(s) && !inbox_fall_asleep(s->inbox, INBOX_IN_LOOP);
}

/* Sleep until something is posted, or a deadline. */
static void sleep_until(mw_scheduler *s, int64_t deadline_ns)
{
    if (inbox_fall_asleep(s->inbox, INBOX_IN_KERNEL))
        inbox_sleep_until(s->inbox, deadline_ns);
    else if (!mesh_has_ready(s))
        (void)sched_yield(); /* an item is on its way, and its poster may wait for this processor */
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
    if (s->inbox) {
        sleep_until(s, deadline_ns);
        return true;
    }
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
        scheduler_look_for_deadlock(s);
    } while (mesh_has_ready(s) || scheduler_wait(s) || mw_scheduler_is_roused(s));
    return scheduler_is_deadlocked(s) ? -EDEADLK : sum;
}

int mw_scheduler_wait(mw_scheduler *s, int64_t deadline_ns)
{
    int64_t due_ns;

    if (!s)
        return -EINVAL;
    if (s->is_running)
        return -EBUSY;
    if (s->clock || mesh_parent(s))
        return -ENOTSUP;
    if (s->is_paused)
        return -EAGAIN; /* only this thread can end that */
    if (mesh_reserve_inboxes(s) < 0)
        return -ENOMEM;
    while (!mesh_has_ready(s)) {
        if (deadline_ns != MW_FOREVER && mw_now_ns() >= deadline_ns)
            return 0;
        if (atomic_load_explicit(&s->is_asked, memory_order_relaxed))
            dump_answer(s);
        due_ns = mesh_timers_next(s);
        sleep_until(s, due_ns < deadline_ns ? due_ns : deadline_ns);
    }
    return 1;
}

/* Adds up items. returns 1 it is still there; 0 it has been freed meanwhile; negative: -EBUSY */
static int go_once(mw_scheduler *s, uint64_t *io_items)
{
    int64_t handled = scheduler_go(s, true);

    if (handled < 0)
        return (int)handled;
    *io_items += (uint64_t)handled;
    if (s->is_freed_later) {
        mw_scheduler_free(s);
        return 0;
    }
    return 1;
}

int mw_scheduler_turn(mw_scheduler *s)
{
    uint64_t items = 0;
    int err = s ? go_once(s, &items) : -EINVAL;

    return err > 0 ? mesh_has_ready(s) || mw_scheduler_is_roused(s) : err;
}

int mw_scheduler_turn_awake(mw_scheduler *s, uint64_t *io_items)
{
    int err = go_once(s, io_items);

    return err > 0 ? mesh_has_due(s) : err;
}
