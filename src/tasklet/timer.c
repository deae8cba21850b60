/* Timers of a mesh: a heap with four children to a node, which are neighbours in the cache. A million are a million entries
 * of 24 bytes; setting one that is later than those around it moves nothing.
 * Not sleeping; that is later.c. Read next: later.c.
 * SPDX-License-Identifier: MIT */
#include "tasklet/timer.h"

#include <errno.h>

#include "base/memory.h"
#include "tasklet/mesh.h"

enum { ARITY = 4, TIMERS_LEAST = 16 };

static bool is_before(const struct timer_entry *a, const struct timer_entry *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns : a->ticket < b->ticket;
}

static void entry_put(struct mesh_timers *timers, uint32_t at, struct timer_entry e)
{
    timers->heap[at] = e;
    e.timer->place = at + 1;
}

static void entry_rise(struct mesh_timers *timers, uint32_t at, struct timer_entry e)
{
    while (at > 0 && is_before(&e, &timers->heap[(at - 1) / ARITY])) {
        entry_put(timers, at, timers->heap[(at - 1) / ARITY]);
        at = (at - 1) / ARITY;
    }
    entry_put(timers, at, e);
}

static void entry_sink(struct mesh_timers *timers, uint32_t at, struct timer_entry e)
{
    uint32_t child;

    while ((child = at * ARITY + 1) < timers->count) {
        uint32_t end = child + ARITY < timers->count ? child + ARITY : timers->count, first = child;

        while (++child < end)
            first = is_before(&timers->heap[child], &timers->heap[first]) ? child : first;
        if (!is_before(&timers->heap[first], &e))
            break;
        entry_put(timers, at, timers->heap[first]);
        at = first;
    }
    entry_put(timers, at, e);
}

int mesh_timers_reserve(struct mw_scheduler *m, uint32_t more)
{
    struct mesh_timers *timers = &m->timers;
    uint32_t capacity = timers->capacity ? timers->capacity : TIMERS_LEAST;
    struct timer_entry *heap;

    if (more > UINT32_MAX / 4 - timers->count)
        return -ENOMEM;
    while (capacity < timers->count + more)
        capacity *= 2;
    if (capacity == timers->capacity)
        return 0;
    heap = mw_resize(timers->heap, capacity * sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    timers->heap = heap;
    timers->capacity = capacity;
    return 0;
}

/* Take the entry at a place out, without a word to anybody. */
static void entry_remove(struct mesh_timers *timers, uint32_t at)
{
    struct timer_entry last = timers->heap[--timers->count];

    timers->heap[at].timer->place = 0;
    if (at == timers->count)
        return;
    if (at > 0 && is_before(&last, &timers->heap[(at - 1) / ARITY]))
        entry_rise(timers, at, last);
    else
        entry_sink(timers, at, last);
}

int mesh_timer_set(struct mw_scheduler *m, struct mesh_timer *timer, int64_t deadline_ns)
{
    struct mesh_timers *timers = &m->timers;
    int64_t before_ns = mesh_timers_next(m);

    if (deadline_ns == MW_FOREVER) {
        mesh_timer_stop(m, timer);
        return 0;
    }
    if (!timer->place && mesh_timers_reserve(m, 1) < 0)
        return -ENOMEM;
    if (timer->place)
        entry_remove(timers, timer->place - 1);
    entry_rise(timers, timers->count++,
               (struct timer_entry){.deadline_ns = deadline_ns, .ticket = ++timers->ticket, .timer = timer});
    if (deadline_ns < before_ns)
        mesh_is_due_earlier(m);
    return 0;
}

void mesh_timer_stop(struct mw_scheduler *m, struct mesh_timer *timer)
{
    if (timer->place)
        entry_remove(&m->timers, timer->place - 1);
}

void mesh_timer_move(struct mw_scheduler *from, struct mw_scheduler *to, struct mesh_timer *timer)
{
    int64_t deadline_ns;

    if (!timer->place)
        return;
    deadline_ns = from->timers.heap[timer->place - 1].deadline_ns;
    entry_remove(&from->timers, timer->place - 1);
    (void)mesh_timer_set(to, timer, deadline_ns); /* there is room */
}

int64_t mesh_timers_next(const struct mw_scheduler *m)
{
    return m->timers.count > 0 ? m->timers.heap[0].deadline_ns : MW_FOREVER;
}

void mesh_timers_run(struct mw_scheduler *m)
{
    uint32_t most = m->timers.count; /* one that sets itself anew is due again in the next turn */
    int64_t now_ns;

    if (most == 0)
        return;
    now_ns = mesh_now(m);
    while (most-- > 0 && mesh_timers_next(m) <= now_ns) {
        struct mesh_timer *timer = m->timers.heap[0].timer;

        entry_remove(&m->timers, 0);
        timer->due(timer);
    }
}

/* ---- the clock ----------------------------------------------------------------------------------------- */
void mesh_read_clock(struct mw_scheduler *m)
{
    struct mw_scheduler *root = m, *parent;

    while ((parent = mesh_parent(root)) != NULL)
        root = parent;
    if (root != m)
        m->now_ns = mesh_now(root);
    else if (!m->clock)
        m->now_ns = mw_now_ns();
    else
        m->now_ns = m->clock(m->clock_context);
}

int64_t mesh_now(struct mw_scheduler *m)
{
    if (!m->is_running)
        mesh_read_clock(m);
    return m->now_ns;
}
