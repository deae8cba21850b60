/* Running a coroutine body: its beginning, receive, waits, and the resume that verbs use.
 * Not what the verbs mean; that is verbs.c. Read next: verbs.c.
 * SPDX-License-Identifier: MIT */
#include "tasklet/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int tasklet_main(void *argument)
{
    mw_tasklet *t = argument;

    return t->run.body(t, t->scope);
}

/* The reason is in the mesh; now with the name. */
static COLD void note_no_beginning(mw_tasklet *t)
{
    struct mw_error reason = t->mesh->last_error;

    (void)mw_fail(&t->mesh->last_error, reason.code, "tasklet '%s' could not begin: %s", mw_tasklet_name(t), reason.text);
}

int tasklet_take_stack(mw_tasklet *t)
{
    size_t stack_bytes = t->site->stack_bytes;
    int err = coroutine_new(stack_bytes ? stack_bytes : STACK_BYTES_DEFAULT, &t->coroutine, &t->mesh->last_error);

    if (err < 0) {
        note_no_beginning(t);
        return err;
    }
    t->coroutine->was_told = false;
    if (UNLIKELY(site_has_small_stack(t->site)))
        t->attention |= LOOK; /* each time it has run, and never just on */
    return 0;
}

COLD void tasklet_look_at_stack(const mw_tasklet *t)
{
    if (!t->coroutine || stack_is_intact(t->coroutine->stack))
        return;
    fprintf(stderr, "meshwork: tasklet '%s' overflowed its stack of %zu bytes (made at %s:%d); give it more by .stack_bytes\n", mw_tasklet_name(t),
            t->coroutine->stack->bytes + sizeof(struct stack), t->site->file ? t->site->file : "?", t->site->line);
    abort(); /* who has been overwritten nobody knows */
}

COLD HOT int handler_take_heavy(mw_tasklet *t)
{
    return t->run.handler(t, t->scope, value_of(mailbox_pop(t)));
}

COLD HOT uint64_t visit_handler_otherwise(struct mw_thread *thread, mw_tasklet *outer, mw_tasklet *t, uint32_t allowance, uint64_t sum)
{
    /* A verb has drained it meanwhile, or run it into a full mailbox: then room marks it again. Or a verb runs it now, and its body this turn. */
    if (t->count == 0 || t->state > TASKLET_IDLE) {
        t->quiet &= (uint8_t)~QUIET_READY;
        return sum;
    }
    return visit_handler_on(thread, outer, t, allowance, sum, t->attention);
}

enum visit visit_prepare(mw_tasklet *t, int *ret_passed)
{
    int err, code;

    t->quiet &= (uint8_t)~QUIET_READY;
    switch ((enum tasklet_state)t->state) {
    case TASKLET_FRESH:
        if (t->kind != TASKLET_COROUTINE)
            return VISIT_NOTHING; /* it was one when it became ready: the null tasklet has no set-up */
        err = tasklet_take_stack(t);
        if (err >= 0)
            return VISIT_BEGIN;
        (void)tasklet_end(t, false, err, &code); /* reported there */
        return VISIT_NOTHING;
    case TASKLET_WOKEN:
        *ret_passed = t->coroutine->result;
        return VISIT_RESUME;
    case TASKLET_IDLE: /* drained by a verb meanwhile */
    case TASKLET_WAITING:
    case TASKLET_RUNNING:
    case TASKLET_CLOSED:
        break;
    }
    return VISIT_NOTHING;
}

COLD uint64_t visit_mesh(struct mw_thread *thread, mw_tasklet *outer, mw_tasklet *t, uint32_t allowance)
{
    uint64_t handled;
    int code;

    t->quiet &= (uint8_t)~QUIET_READY;
    if (t->state == TASKLET_FRESH)
        t->state = TASKLET_IDLE;
    if (t->state != TASKLET_IDLE || !t->scope)
        return 0;
    t->state = TASKLET_RUNNING;
    t->quiet = QUIET_STATE;
    thread->current = outer;
    t->processed += mailbox_drop_all(t); /* whatever was sent, it stands for a turn */
    if (t->side)
        room_made(t);
    handled = ((struct mw_scheduler *)t->scope)->turn(t->scope, allowance);
    thread->current = outer;
    if (t->attention) {
        (void)tasklet_settle(t, 0, &code);
        return handled;
    }
    visit_rest(t, TASKLET_MESH);
    if (t->scope) /* else the mesh has been freed meanwhile */
        mesh_tell_parent(t->scope);
    return handled;
}

/* Park. The frame of this function and of its caller is gone when the switch is made: whoever resumes has put the
 * item where it belongs, and passes what mw_receive returns. */
static COLD bool receive_slowly(mw_tasklet *self, mw_value *ret_item)
{
    struct coroutine *c;

    if (!self || mw_thread.current != self || self->kind != TASKLET_COROUTINE)
        return false;
    c = self->coroutine;
    if (self->attention & ASKED_ANY || (self->attention & FINISHING && self->count == 0)) {
        c->was_told = true;
        return false;
    }
    c->delivery = ret_item;
    condition_set(self, (self->condition & ~CONDITION_STATE) | CONDITION_OF(TASKLET_IDLE, 0, 0, 0));
    return coroutine_leave_bool(c);
}

/* The item holds bytes, or it leaves a full mailbox. */
static COLD bool receive_heavy(mw_tasklet *self, mw_value *ret_item)
{
    self->allowance--;
    self->processed++;
    value_store(ret_item, mailbox_pop(self));
    return true;
}

HOT bool mw_receive(mw_tasklet *self, mw_value *ret_item)
{
    struct value_words item;
    uint32_t count;

    TASKLET_CHECK(self);
    if (UNLIKELY(!self || self->allowance == 0 || (count = count_alone(self->count)) == 0))
        return receive_slowly(self, ret_item);
    item = value_words(&self->items[self->head & self->mask]);
    if (UNLIKELY(words_are_heap(item) || count >= self->capacity))
        return receive_heavy(self, ret_item);
    self->head++;
    self->count = count - 1;
    self->allowance--;
    self->processed++;
    value_store(ret_item, item);
    return true;
}

int tasklet_wait(mw_tasklet *self, enum tasklet_wait what, const void *on)
{
    struct coroutine *c = self->coroutine;
    int result;

    if (self->attention & ASKED_ANY)
        return -ECANCELED;
    c->wait_kind = (uint8_t)what;
    c->wait_on = on;
    c->wait_since_ns = self->mesh->now_ns;
    self->state = TASKLET_WAITING;
    if (what <= WAIT_ANSWER)
        self->mesh->may_deadlock = true;
    if (what < WAIT_IO)
        return coroutine_leave(c);
    mesh_count_outside(self->mesh, 1);
    result = coroutine_leave(c);
    mesh_count_outside(self->mesh, -1); /* it may be another mesh by now: whoever moves a tasklet moves this too */
    return result;
}

void tasklet_wake(mw_tasklet *t, int result)
{
    t->coroutine->result = result;
    t->state = TASKLET_WOKEN;
    if (!(t->quiet & QUIET_READY))
        tasklet_mark(t);
}
