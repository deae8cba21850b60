/* Deadlocks: tasklets that wait for each other in a ring, which nothing that comes from outside can open.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "scheduler/scheduler_priv.h"

/* Whom t waits for, where nothing but that one can end the wait; NULL: nobody, or a time as well. */
static const mw_tasklet *waits_for(const mw_tasklet *t)
{
    const struct coroutine *c = t->kind == TASKLET_COROUTINE ? t->coroutine : NULL;

    if (t->state != TASKLET_WAITING)
        return NULL;
    if (c)
        return c->wait_kind <= WAIT_ANSWER && !(c->wait_timer && c->wait_timer->place) ? c->wait_on : NULL;
    return tasklet_stalled_by(t);
}

static const char *wait_name(const mw_tasklet *t)
{
    return tasklet_wait_names[t->kind == TASKLET_COROUTINE ? t->coroutine->wait_kind : (uint8_t)WAIT_ROOM];
}

/* "'a' waits for room in 'b', 'b' waits for an answer of 'a'" */
static void describe_ring(const mw_tasklet *first, char *ret_text, size_t room)
{
    const mw_tasklet *t = first;
    size_t at = 0;

    do {
        const mw_tasklet *next = waits_for(t);
        int count = snprintf(ret_text + at, room - at, "%s'%s' waits for %s '%s'", at > 0 ? ", " : "", mw_tasklet_name(t), wait_name(t),
                             mw_tasklet_name(next));

        if (count < 0 || (size_t)count >= room - at)
            return; /* cut: the ring is long */
        at += (size_t)count;
        t = next;
    } while (t != first);
}

/* The ring that waiting from t leads into; NULL: it ends somewhere. Two walkers, one twice as fast, meet only in a ring. */
static const mw_tasklet *find_ring(const mw_tasklet *t)
{
    const mw_tasklet *slow = t, *fast = t;

    do {
        slow = waits_for(slow);
        fast = waits_for(fast);
        fast = fast ? waits_for(fast) : NULL;
    } while (fast && slow != fast);
    return fast;
}

mw_tasklet *mw_scheduler_find_deadlock(const mw_scheduler *s, struct mw_error *ret_error)
{
    char text[400] = "";
    uint32_t i;

    for (i = 0; s && i < s->top; i++) {
        const mw_tasklet *ring = s->members[i] ? find_ring(s->members[i]) : NULL;

        if (!ring)
            continue;
        describe_ring(ring, text, sizeof(text));
        (void)mw_fail(ret_error, -EDEADLK, "deadlock: %s", text);
        return (mw_tasklet *)(uintptr_t)ring;
    }
    return NULL;
}

void scheduler_look_for_deadlock(mw_scheduler *s)
{
    mw_tasklet *t;

    if (!s->may_deadlock)
        return;
    s->may_deadlock = false;
    t = mw_scheduler_find_deadlock(s, &s->last_error);
    s->is_deadlocked = t != NULL;
    if (!t)
        return;
    s->failures++;
    if (s->on_failure)
        s->on_failure(s->failure_context, t, -EDEADLK);
}

bool scheduler_is_deadlocked(mw_scheduler *s)
{
    if (s->is_deadlocked) /* it may have been opened by a close */
        s->is_deadlocked = mw_scheduler_find_deadlock(s, &s->last_error) != NULL;
    return s->is_deadlocked;
}
