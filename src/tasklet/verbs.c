/* The verbs that move items: send, offer, pass, start, take, next, last, flush, clear.
 * Not those that end a body; they are in change.c. Read next: change.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "tasklet/graph.h"
#include "tasklet/run.h"

/* ---- queueing ----------------------------------------------------------------------------------- */
/* Full, and it blocks: what the sender is decides. 0 taken, else not. */
static int send_to_full(mw_tasklet *t, mw_value *io)
{
    mw_tasklet *sender = mw_thread.current;

    if (t->side && t->side->overflow != MW_BLOCK)
        return -EAGAIN;
    if (!sender)
        return -EAGAIN;
    return sender->kind >= TASKLET_HANDLER ? room_exceed(sender, t, *io) : room_wait(sender, t, io);
}

/* What mw_send does, while a graph is being learned: plain_room is 0 then. false: it is not that simple */
static HOT bool send_counted(mw_tasklet *t, struct value_words item)
{
    uint32_t count = t->count, room = t->mask + 1 < t->capacity ? t->mask + 1 : t->capacity;

    if (count >= room || t->kind == TASKLET_NULL || t->attention & (FINISHING | ASKED_FREE) || !words_are_plain(item))
        return false;
    if (--t->mesh->graph->left == 0)
        graph_note(t->mesh->graph, t, 0);
    value_store(&t->items[(t->head + count) & t->mask], item);
    t->count = count + 1;
    if (!t->quiet)
        tasklet_mark(t);
    return true;
}

static COLD HOT int send_slowly(mw_tasklet *t, mw_value takes)
{
    int err = -EINVAL;

    if (t && t->mesh->graph && send_counted(t, value_words(&takes)))
        return 0;
    if (t && takes.kind == MW_MISSING)
        return -ENOMEM;
    if (t) {
        err = mailbox_put(t, takes);
        if (err == -EAGAIN)
            err = send_to_full(t, &takes);
    }
    if (err < 0)
        mw_release(takes);
    if (err == -EAGAIN)
        tasklet_count_refused(t);
    return err;
}

/* By its words: an argument of 16 bytes would be put on the stack by whoever does more than to pass it on. */
static COLD HOT int send_words(mw_tasklet *t, uint64_t low, uint64_t high)
{
    struct value_words item = {low, high};

    return LIKELY(t && mailbox_fits(t, item)) ? mailbox_lay(t, item) : send_slowly(t, value_of(item));
}

HOT int mw_send(mw_tasklet *t, mw_value takes)
{
    struct value_words item = value_words(&takes);

    TASKLET_CHECK(t);
    return send_words(t, item.low, item.high);
}

int mw_offer(mw_tasklet *t, mw_value *io)
{
    int err;

    TASKLET_CHECK(t);
    if (!t || !io)
        return -EINVAL;
    if (io->kind == MW_MISSING)
        return -ENOMEM;
    err = mailbox_put(t, *io);
    if (err == -EAGAIN)
        tasklet_count_refused(t);
    if (err == 0)
        *io = mw_null();
    return err;
}

/* Somebody else than its body has emptied the queue of one that closes then. */
static void finish_if_drained(mw_tasklet *t)
{
    if (t->attention & FINISHING && t->count == 0 && (t->state == TASKLET_IDLE || t->state == TASKLET_FRESH))
        (void)tasklet_shut(t);
}

bool mw_take(mw_tasklet *self, mw_value *ret_item)
{
    TASKLET_CHECK(self);
    if (!self || self->count == 0)
        return false;
    self->processed++;
    value_store(ret_item, mailbox_pop(self));
    if (self->count == 0)
        mailbox_rest(self);
    finish_if_drained(self);
    return true;
}

/* ---- handing over --------------------------------------------------------------------------------- */
static inline enum settled handler_after(mw_tasklet *t, int result, int *ret_code)
{
    *ret_code = 0;
    if (UNLIKELY(result < 0 || t->attention))
        return tasklet_settle(t, result, ret_code);
    tasklet_rest(t);
    return SETTLED_OPEN;
}

/* Run a handler on one item. ret_code: 0, or the negative number with which it failed. */
static inline enum settled hand_to_handler(mw_tasklet *t, mw_value item, int *ret_code)
{
    struct frame frame = frame_enter(t, 0);
    int result;

    t->processed++;
    result = t->run.handler(t, t->scope, item);
    frame_leave(&frame);
    return handler_after(t, result, ret_code);
}

static COLD int after_resume_otherwise(mw_tasklet *t, bool *ret_is_here)
{
    int code = 0;

    *ret_is_here = tasklet_settle(t, 0, &code) == SETTLED_OPEN && t->state == TASKLET_IDLE;
    return code;
}

/* After a resume: 0, or the negative number with which the body failed; *ret_is_here says whether t is still there
 * and parked in its receive. */
ALWAYS_INLINE int after_resume(mw_tasklet *t, bool *ret_is_here)
{
    if (UNLIKELY(!tasklet_is_calm(t)))
        return after_resume_otherwise(t, ret_is_here);
    tasklet_rest(t);
    *ret_is_here = true;
    return 0;
}

/* Bring a body to where it can be handed an item: run its set-up, or what it had to finish first.
 * 1 it is there; 0 it is closed, or the null tasklet, which has no body; -EAGAIN -EBUSY -ENOMEM, or what it
 * returned. Unless the result is 1, t may be gone. */
ALWAYS_INLINE int verb_prepare(mw_tasklet *t)
{
    bool is_here;
    int err;

    switch ((enum tasklet_state)t->state) {
    case TASKLET_IDLE:
        return 1;
    case TASKLET_RUNNING:
        return -EBUSY;
    case TASKLET_WAITING:
        return -EAGAIN;
    case TASKLET_CLOSED:
        return 0;
    case TASKLET_FRESH:
        if (t->kind != TASKLET_COROUTINE)
            return t->kind >= TASKLET_HANDLER;
        err = tasklet_take_stack(t);
        if (err < 0)
            return err;
        tasklet_resume_first(t);
        break;
    case TASKLET_WOKEN:
        tasklet_resume(t, t->coroutine->result, 0);
        break;
    }
    if (t->state == TASKLET_WAITING) {
        if (UNLIKELY(t->attention & LOOK) && site_has_small_stack(t->site))
            tasklet_look_at_stack(t);
        return -EAGAIN;
    }
    err = after_resume(t, &is_here);
    return is_here ? 1 : err;
}

/* 0, or the negative number with which the body failed; t may then be gone. */
static int hand(mw_tasklet *t, mw_value item)
{
    bool is_here;
    int code;

    if (t->kind >= TASKLET_HANDLER) {
        (void)hand_to_handler(t, item, &code);
        return code;
    }
    *(mw_value *)t->coroutine->delivery = item;
    t->processed++;
    tasklet_resume(t, 1, 0);
    return after_resume(t, &is_here);
}

int mw_pass(mw_tasklet *t, mw_value takes)
{
    int ready;

    TASKLET_CHECK(t);
    if (!t || takes.kind == MW_MISSING) {
        mw_release(takes);
        return t ? -ENOMEM : -EINVAL;
    }
    if (t->state == TASKLET_CLOSED || t->attention & (FINISHING | ASKED_FREE))
        ready = -EPIPE;
    else if (t->kind == TASKLET_NULL)
        return mailbox_put(t, takes);
    else
        ready = verb_prepare(t);
    if (ready <= 0) {
        mw_release(takes);
        return ready < 0 ? ready : -EPIPE;
    }
    if (UNLIKELY(t->mesh->graph != NULL) && --t->mesh->graph->left == 0)
        graph_note(t->mesh->graph, t, mailbox_item_bytes(takes));
    return hand(t, takes);
}

HOT int mw_start(mw_tasklet *t)
{
    int ready;

    TASKLET_CHECK(t);
    if (!t)
        return -EINVAL;
    if (t->state == TASKLET_CLOSED)
        return -EPIPE;
    if (t->state != TASKLET_FRESH)
        return 0;
    ready = verb_prepare(t);
    return ready < 0 ? ready : 0;
}

/* The item that is to be processed alone: 1 and *ret_item, 0 nothing to do, negative. */
static int next_prepare(mw_tasklet *t, bool is_last, mw_value *ret_item)
{
    int ready;

    if (!t)
        return -EINVAL;
    ready = verb_prepare(t);
    if (ready <= 0 || t->count == 0)
        return ready < 0 ? ready : 0;
    if (is_last) {
        uint32_t count = t->count--;

        *ret_item = t->items[(t->head + t->count) & t->mask];
        if (ret_item->is_heap || count >= t->capacity)
            value_store(ret_item, mailbox_popped(t, value_words(ret_item)));
    } else {
        value_store(ret_item, mailbox_pop(t));
    }
    return 1;
}

static inline int next_of_handler(mw_tasklet *t)
{
    struct frame frame = frame_enter(t, 0);
    int result = handler_take(t), code;

    frame_leave(&frame);
    (void)handler_after(t, result, &code);
    return code < 0 ? code : 1;
}

HOT int mw_next(mw_tasklet *t)
{
    mw_value item;
    int code;

    TASKLET_CHECK(t);
    if (LIKELY(t && (t->condition & CONDITION_OF(255, 255, 0, 0)) == CONDITION_OF(TASKLET_IDLE, TASKLET_HANDLER, 0, 0))) {
        return t->count == 0 ? 0 : next_of_handler(t);
    }
    code = next_prepare(t, false, &item);
    if (code <= 0)
        return code;
    code = hand(t, item);
    return code < 0 ? code : 1;
}

int mw_next_item(mw_tasklet *t, mw_value *ret_item)
{
    TASKLET_CHECK(t);
    mw_value item = mw_null(), shared;
    int code = ret_item ? next_prepare(t, false, &item) : -EINVAL;

    if (code <= 0)
        return code;
    shared = mw_share(item);
    code = hand(t, item);
    if (code < 0) {
        mw_release(shared);
        return code;
    }
    *ret_item = shared;
    return 1;
}

int mw_last(mw_tasklet *t)
{
    TASKLET_CHECK(t);
    mw_value item = mw_null();
    int code = next_prepare(t, true, &item);

    if (code <= 0)
        return code;
    code = hand(t, item);
    return code < 0 ? code : 1;
}

static int clamp_count(uint64_t count)
{
    return count > INT32_MAX ? INT32_MAX : (int)count;
}

static HOT int flush_handler(mw_tasklet *t)
{
    uint64_t handled = 0;
    enum settled settled = SETTLED_OPEN;
    int result, code = 0;

    do {
        struct frame frame = frame_enter(t, 0);
        uint64_t before = t->processed;

        do {
            result = handler_take(t);
        } while (LIKELY(result >= 0 && !(t->attention & (uint8_t)~FINISHING)) && t->count > 0);
        frame_leave(&frame);
        handled += t->processed - before; /* what the body took by itself included */
        if (LIKELY(result >= 0 && !t->attention))
            tasklet_rest(t);
        else
            settled = tasklet_settle(t, result, &code);
    } while (UNLIKELY(settled == SETTLED_OPEN && t->count > 0) && t->state == TASKLET_IDLE); /* it has answered, or not */
    return code < 0 ? code : clamp_count(handled);
}

/* One switch as a rule: the body takes the further items in place. */
static int flush_coroutine(mw_tasklet *t)
{
    uint64_t handled = 0;
    bool is_here = true;
    int code = 0;

    while (is_here && t->count > 0) {
        uint64_t before = t->processed;

        value_store(t->coroutine->delivery, mailbox_pop(t));
        t->processed++;
        tasklet_resume(t, 1, UINT32_MAX);
        handled += t->processed - before;
        code = after_resume(t, &is_here);
    }
    return code < 0 ? code : clamp_count(handled);
}

int mw_flush(mw_tasklet *t)
{
    int ready;

    TASKLET_CHECK(t);
    if (!t)
        return -EINVAL;
    ready = verb_prepare(t);
    if (ready <= 0 || t->count == 0)
        return ready < 0 ? ready : 0;
    return t->kind >= TASKLET_HANDLER ? flush_handler(t) : flush_coroutine(t);
}

int mw_clear(mw_tasklet *t)
{
    size_t dropped;

    TASKLET_CHECK(t);
    if (!t)
        return -EINVAL;
    dropped = mailbox_drop_all(t);
    if (dropped && tasklet_side(t)) {
        t->side->dropped += dropped;
        room_made(t);
    }
    finish_if_drained(t);
    return clamp_count(dropped);
}
