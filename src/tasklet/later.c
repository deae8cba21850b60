/* What is to come at a time: a coroutine that sleeps, an item that is sent then.
 * Not the clock; that is timer.c. Read next: ../scheduler/scheduler.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/memory.h"
#include "tasklet/tasklet_priv.h"

/* ---- sleeping ------------------------------------------------------------------------------------------- */
int tasklet_may_wait(const mw_tasklet *self)
{
    if (!self || mw_thread.current != self)
        return -EINVAL;
    if (self->kind != TASKLET_COROUTINE)
        return -ENOTSUP;
    return self->attention & ASKED_ANY ? -ECANCELED : 0;
}

struct alarm {
    struct mesh_timer timer;
    mw_tasklet *sleeper;
    int result;
};

static void alarm_due(struct mesh_timer *timer)
{
    struct alarm *alarm = MW_CONTAINER_OF(timer, struct alarm, timer);

    tasklet_wake(alarm->sleeper, alarm->result);
}

int tasklet_wait_until(mw_tasklet *self, enum tasklet_wait what, const void *on, int64_t deadline_ns, int result)
{
    struct alarm alarm = {.timer = {.due = alarm_due}, .sleeper = self, .result = result};
    int err = mesh_timer_set(self->mesh, &alarm.timer, deadline_ns);

    if (err < 0)
        return err;
    self->coroutine->wait_timer = &alarm.timer;
    err = tasklet_wait(self, what, on);
    self->coroutine->wait_timer = NULL;
    mesh_timer_stop(self->mesh, &alarm.timer);
    return err;
}

int mw_sleep_until(mw_tasklet *self, int64_t deadline_ns)
{
    TASKLET_CHECK(self);
    int err = tasklet_may_wait(self);

    return err < 0 ? err : tasklet_wait_until(self, WAIT_TIME, NULL, deadline_ns, 0);
}

int64_t mw_clock(const mw_tasklet *t)
{
    TASKLET_CHECK(t);
    return t ? mesh_now(t->mesh) : mw_now_ns();
}

/* ---- sending later ---------------------------------------------------------------------------------------- */
/* An item that waits for its time; in its target's list and in the mesh's heap. */
struct later {
    struct mw_link link;
    struct mesh_timer timer;
    mw_tasklet *target;
    mw_value item;
    int64_t id;
};

static void later_free(struct later *l)
{
    mw_link_remove(&l->link);
    mesh_timer_stop(l->target->mesh, &l->timer);
    block_give(&l->target->mesh->laters, l);
}

/* From outside any body, as a send is that nobody waits for: above the capacity, up to twice, rather than lost. */
static void later_due(struct mesh_timer *timer)
{
    struct later *l = MW_CONTAINER_OF(timer, struct later, timer);
    mw_tasklet *target = l->target;
    mw_value item = l->item;

    later_free(l);
    if (mailbox_put_above(target, item) < 0) {
        mw_release(item);
        tasklet_count_refused(target);
    }
}

int64_t mw_send_at(mw_tasklet *t, mw_value takes, int64_t deadline_ns)
{
    TASKLET_CHECK(t);
    struct tasklet_side *side = t && takes.kind != MW_MISSING ? tasklet_side(t) : NULL;
    struct later *l = NULL;
    int err = t ? -ENOMEM : -EINVAL;

    if (side && t->attention & (FINISHING | ASKED_FREE))
        err = -EPIPE;
    else if (side && deadline_ns == MW_FOREVER)
        err = -EINVAL;
    else if (side)
        l = block_take(&t->mesh->laters, sizeof(*l));
    if (l) {
        *l = (struct later){.timer = {.due = later_due}, .target = t, .item = takes, .id = ++t->mesh->later_id};
        err = mesh_timer_set(t->mesh, &l->timer, deadline_ns);
        if (err == 0) {
            mw_list_push_back(&side->later, &l->link);
            return l->id;
        }
        block_give(&t->mesh->laters, l);
    }
    mw_release(takes);
    return err;
}

int mw_unsend(mw_tasklet *t, int64_t id)
{
    struct mw_link *at;

    TASKLET_CHECK(t);
    if (!t || id <= 0)
        return -EINVAL;
    if (!t->side)
        return 0;
    for (at = t->side->later.head.next; at != &t->side->later.head; at = at->next) {
        struct later *l = MW_CONTAINER_OF(at, struct later, link);
        mw_value item = l->item;

        if (l->id != id)
            continue;
        later_free(l);
        mw_release(item);
        return 1;
    }
    return 0;
}

void later_forget(mw_tasklet *t)
{
    while (t->side && !mw_list_is_empty(&t->side->later)) {
        struct later *l = MW_CONTAINER_OF(t->side->later.head.next, struct later, link);
        mw_value item = l->item;

        later_free(l);
        mw_release(item);
    }
}

/* ---- moving to another mesh ---------------------------------------------------------------------------------- */
int later_reserve(const mw_tasklet *t, struct mw_scheduler *to)
{
    const struct mw_link *at;
    uint32_t count = 2; /* of a wait, of a restart */

    for (at = t->side ? t->side->later.head.next : NULL; at && at != &t->side->later.head; at = at->next)
        count++;
    for (at = t->side ? t->side->asked.head.next : NULL; at && at != &t->side->asked.head; at = at->next)
        count++;
    return mesh_timers_reserve(to, count);
}

void later_move(mw_tasklet *t, struct mw_scheduler *from, struct mw_scheduler *to)
{
    struct mw_link *at;

    if (t->kind == TASKLET_COROUTINE && t->coroutine && t->coroutine->wait_timer)
        mesh_timer_move(from, to, t->coroutine->wait_timer);
    if (t->kind == TASKLET_MESH && t->scope)
        mesh_timer_move(from, to, &((struct mw_scheduler *)t->scope)->parent_timer);
    for (at = t->side ? t->side->later.head.next : NULL; at && at != &t->side->later.head; at = at->next)
        mesh_timer_move(from, to, &MW_CONTAINER_OF(at, struct later, link)->timer);
    questions_move(t, from, to);
    supervised_move(t, from, to);
}
