/* Supervision: one that fails is restarted after a while, its queue kept and the item that it had in hand set aside; and one that fails
 * too often is given up.
 * Not who is told of an end; that is monitor.c. Read next: monitor.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/memory.h"
#include "tasklet/tasklet_priv.h"

#define WINDOW_NS INT64_C(60000000000)
#define BACKOFF_FIRST_NS INT64_C(100000000)
#define BACKOFF_MOST_NS INT64_C(10000000000)
enum { SET_ASIDE = 16 };

struct supervised {
    struct mw_supervision rules;
    struct mesh_timer timer;   /* of a restart to come */
    mw_tasklet *tasklet;
    uint32_t capacity;         /* of its mailbox: t->capacity is 0, so that every item passes supervised_popped */
    uint32_t restarts;         /* in this window */
    int64_t window_began_ns, backoff_ns;
    bool is_due, is_restarting; /* it is closed and will be restarted; that is under way */
    mw_value in_hand;          /* a reference to the item that it has now */
    mw_value aside[SET_ASIDE]; /* a ring */
    uint32_t aside_at, aside_count;
};

uint32_t tasklet_capacity(const mw_tasklet *t)
{
    return t->side && t->side->supervised ? t->side->supervised->capacity : t->capacity;
}

bool tasklet_will_restart(const mw_tasklet *t)
{
    return t->side && t->side->supervised && (t->side->supervised->is_due || t->side->supervised->is_restarting);
}

void supervised_popped(mw_tasklet *t, mw_value item)
{
    struct supervised *s = t->side->supervised;

    mw_release(s->in_hand);
    s->in_hand = mw_share(item);
}

/* ---- restarting --------------------------------------------------------------------------------------- */
static void restart_due(struct mesh_timer *timer)
{
    struct supervised *s = MW_CONTAINER_OF(timer, struct supervised, timer);
    mw_tasklet *t = s->tasklet;
    bool is_finishing = t->attention & FINISHING;

    s->is_due = false;
    if (t->state != TASKLET_CLOSED)
        return;
    s->is_restarting = true; /* who waits for room goes on waiting */
    (void)mw_restart(t, true); /* it is closed: nothing of it runs, no callback is called */
    s->is_restarting = false;
    if (is_finishing) /* the end of the stream has been said, and nobody will say it again */
        (void)mw_finish(t);
}

static void set_aside(mw_tasklet *t, struct supervised *s)
{
    if (s->in_hand.kind == MW_NULL && !s->in_hand.is_heap)
        return; /* it failed in its set-up, or was given a null: there is nothing to look at */
    if (s->aside_count == SET_ASIDE) {
        mw_release(s->aside[s->aside_at]);
        s->aside_at = (s->aside_at + 1) % SET_ASIDE;
        s->aside_count--;
        t->side->dropped++;
    }
    s->aside[(s->aside_at + s->aside_count++) % SET_ASIDE] = s->in_hand;
    s->in_hand = mw_null();
}

bool supervised_failed(mw_tasklet *t)
{
    struct supervised *s = t->side ? t->side->supervised : NULL;
    int64_t now_ns;

    if (!s)
        return false;
    now_ns = mesh_now(t->mesh);
    set_aside(t, s);
    if (s->restarts == 0 || now_ns - s->window_began_ns > s->rules.window_ns) {
        s->window_began_ns = now_ns;
        s->restarts = 0;
        s->backoff_ns = s->rules.backoff_first_ns;
    }
    if (s->restarts >= s->rules.restarts || mesh_timer_set(t->mesh, &s->timer, now_ns + s->backoff_ns) < 0)
        return false;
    s->restarts++;
    s->is_due = true;
    s->backoff_ns = s->backoff_ns < s->rules.backoff_most_ns / 2 ? s->backoff_ns * 2 : s->rules.backoff_most_ns;
    return true;
}

void supervised_stop(mw_tasklet *t)
{
    struct supervised *s = t->side ? t->side->supervised : NULL;

    if (!s || !s->is_due)
        return;
    s->is_due = false;
    mesh_timer_stop(t->mesh, &s->timer);
}

void supervised_move(mw_tasklet *t, struct mw_scheduler *from, struct mw_scheduler *to)
{
    if (t->side && t->side->supervised)
        mesh_timer_move(from, to, &t->side->supervised->timer);
}

/* ---- the public ones ------------------------------------------------------------------------------------ */
void supervised_free(mw_tasklet *t)
{
    struct supervised *s = t->side ? t->side->supervised : NULL;

    if (!s)
        return;
    mesh_timer_stop(t->mesh, &s->timer);
    t->capacity = s->capacity;
    t->side->supervised = NULL;
    mw_release(s->in_hand);
    while (s->aside_count > 0)
        mw_release(s->aside[(s->aside_at + --s->aside_count) % SET_ASIDE]);
    mw_free(s);
}

static int rules_read(struct mw_supervision *ret, const struct mw_supervision *rules)
{
    *ret = (struct mw_supervision){.size = sizeof(*ret)};
    if (rules->size < offsetof(struct mw_supervision, window_ns) || rules->size > sizeof(*ret))
        return -EINVAL;
    memcpy(ret, rules, rules->size);
    ret->window_ns = ret->window_ns ? ret->window_ns : WINDOW_NS;
    ret->backoff_first_ns = ret->backoff_first_ns ? ret->backoff_first_ns : BACKOFF_FIRST_NS;
    ret->backoff_most_ns = ret->backoff_most_ns ? ret->backoff_most_ns : BACKOFF_MOST_NS;
    if (ret->window_ns < 0 || ret->backoff_first_ns < 0 || ret->backoff_most_ns < ret->backoff_first_ns)
        return -EINVAL;
    return 0;
}

int mw_supervise(mw_tasklet *t, const struct mw_supervision *rules)
{
    struct mw_supervision read;
    struct supervised *s;

    TASKLET_CHECK(t);
    if (!t || t->attention & ASKED_FREE || t->kind == TASKLET_MESH || (rules && rules_read(&read, rules) < 0))
        return -EINVAL;
    if (!rules || read.restarts == 0) {
        supervised_free(t);
        mailbox_update_room(t);
        return 0;
    }
    if (!tasklet_side(t))
        return -ENOMEM;
    s = t->side->supervised;
    if (!s) {
        s = mw_alloc_zeroed(1, sizeof(*s));
        if (!s)
            return -ENOMEM;
        s->timer.due = restart_due;
        s->tasklet = t;
        s->capacity = t->capacity;
        t->side->supervised = s;
        t->capacity = 0;
    }
    s->rules = read;
    mailbox_update_room(t);
    return 0;
}

bool mw_take_set_aside(mw_tasklet *t, mw_value *ret_item)
{
    TASKLET_CHECK(t);
    struct supervised *s = t && t->side ? t->side->supervised : NULL;

    if (!s || !ret_item || s->aside_count == 0)
        return false;
    *ret_item = s->aside[s->aside_at];
    s->aside_at = (s->aside_at + 1) % SET_ASIDE;
    s->aside_count--;
    return true;
}
