/* Waiting for room in a full mailbox: a coroutine is suspended, a handler may exceed the capacity and is then
 * not run again until there is room. Not the mailbox itself; that is mailbox.c. Read next: run.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/memory.h"
#include "tasklet/address.h"
#include "tasklet/graph.h"
#include "tasklet/tasklet_priv.h"

int room_wait(mw_tasklet *self, mw_tasklet *target, mw_value *io)
{
    struct tasklet_side *side = tasklet_side(target);
    struct waiter w = {.sender = self, .item = *io, .bytes = mailbox_item_bytes(*io)};
    int err;

    if (self == target)
        return -EDEADLK; /* it would wait for itself to receive */
    if (self->attention & ASKED_ANY || !self->coroutine)
        return -ECANCELED;
    if (!side)
        return -ENOMEM;
    mw_list_push_back(&side->waiters, &w.link);
    err = tasklet_wait(self, WAIT_ROOM, target);
    mw_link_remove(&w.link); /* still there when the wait was cancelled */
    return w.is_taken ? 0 : err;
}

static struct stall *stall_find(mw_tasklet *handler, const mw_tasklet *target)
{
    struct mw_list *stalls = &handler->side->stalls;
    struct mw_link *link;

    for (link = stalls->head.next; link != &stalls->head; link = link->next) {
        struct stall *s = MW_CONTAINER_OF(link, struct stall, handler_link);

        if (s->target == target)
            return s;
    }
    return NULL;
}

static int stall_add(mw_tasklet *handler, mw_tasklet *target)
{
    struct stall *s;

    if (!tasklet_side(handler) || !tasklet_side(target))
        return -ENOMEM;
    if (stall_find(handler, target))
        return 0;
    s = mw_alloc_zeroed(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->handler = handler;
    s->target = target;
    s->since_ns = handler->mesh->now_ns;
    mw_list_push_back(&target->side->stalled, &s->target_link);
    mw_list_push_back(&handler->side->stalls, &s->handler_link);
    handler->attention |= STALLED;
    handler->mesh->may_deadlock = true;
    return 0;
}

const struct stall *tasklet_first_stall(const mw_tasklet *handler)
{
    const struct mw_list *stalls = handler->side ? &handler->side->stalls : NULL;

    return stalls && !mw_list_is_empty(stalls) ? MW_CONTAINER_OF(stalls->head.next, struct stall, handler_link) : NULL;
}

const mw_tasklet *tasklet_stalled_by(const mw_tasklet *handler)
{
    const struct stall *s = tasklet_first_stall(handler);

    return s ? s->target : NULL;
}

static void stall_free(struct stall *s)
{
    mw_link_remove(&s->target_link);
    mw_link_remove(&s->handler_link);
    mw_free(s);
}

/* Above its capacity, up to twice. A handler that fills itself goes on: it alone can make the room. */
int room_exceed(mw_tasklet *handler, mw_tasklet *target, mw_value item)
{
    size_t bytes = mailbox_item_bytes(item);
    int err;

    if (mailbox_is_overfull(target, bytes)) {
        if (tasklet_side(handler))
            handler->side->is_overrun = true;
        handler->attention |= LOOK;
        return -EAGAIN;
    }
    err = mailbox_push(target, item, bytes);
    if (err < 0 || handler == target || handler->attention & ASKED_ANY)
        return err;
    /* Taken in any case; without memory for the note it merely runs on. */
    (void)stall_add(handler, target);
    return 0;
}

/* The handler has room again everywhere: it may run. */
static void stall_over(mw_tasklet *handler)
{
    if (!mw_list_is_empty(&handler->side->stalls))
        return;
    handler->attention &= (uint8_t)~STALLED;
    if (handler->state != TASKLET_WAITING)
        return; /* still in the run in which it stalled, or closed */
    handler->state = TASKLET_IDLE;
    handler->quiet &= (uint8_t)~QUIET_STATE;
    if (handler->count && !handler->quiet)
        tasklet_mark(handler);
}

static void stalls_release(mw_tasklet *t)
{
    struct mw_list *stalled = &t->side->stalled;

    while (!mw_list_is_empty(stalled)) {
        struct stall *s = MW_CONTAINER_OF(stalled->head.next, struct stall, target_link);
        mw_tasklet *handler = s->handler;

        stall_free(s);
        stall_over(handler);
    }
}

void room_made(mw_tasklet *t)
{
    struct mw_list *waiters = &t->side->waiters;

    if (t->side->address)
        address_room(t);
    while (!mw_list_is_empty(waiters)) {
        struct waiter *w = MW_CONTAINER_OF(waiters->head.next, struct waiter, link);
        int err;

        if (!mailbox_has_room(t, w->bytes))
            return;
        if (t->mesh->graph)
            t->mesh->graph->waiter = w->sender;
        err = mailbox_push(t, w->item, w->bytes);
        if (t->mesh->graph)
            t->mesh->graph->waiter = NULL;
        w->is_taken = err == 0;
        mw_link_remove(&w->link);
        tasklet_wake(w->sender, err);
    }
    if (!mw_list_is_empty(&t->side->stalled) && mailbox_has_room(t, 1))
        stalls_release(t);
}

void room_ended(mw_tasklet *t)
{
    struct mw_link *link;

    if (!t->side)
        return;
    while ((link = mw_list_pop_front(&t->side->waiters)) != NULL)
        tasklet_wake(MW_CONTAINER_OF(link, struct waiter, link)->sender, -EPIPE);
    stalls_release(t);
}

void stalls_forget(mw_tasklet *handler)
{
    struct mw_list *stalls;

    handler->attention &= (uint8_t)~STALLED;
    if (!handler->side)
        return;
    stalls = &handler->side->stalls;
    while (!mw_list_is_empty(stalls))
        stall_free(MW_CONTAINER_OF(stalls->head.next, struct stall, handler_link));
}
