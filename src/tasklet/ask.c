/* Asking: an item that wants an answer travels in an envelope, whose body sees the plain item; the question is in its hand until it
 * answers, keeps it, or goes on without.
 * Not the mailbox; that is mailbox.c. Read next: change.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/memory.h"
#include "base/opaque.h"
#include "tasklet/tasklet_priv.h"

struct mw_question {
    unsigned references;     /* who asked, and the envelope, the hand or whoever keeps it; one thread */
    bool is_over;            /* answered, or it never will be */
    bool is_in_hand;         /* it has left its envelope */
    bool is_awaited;         /* asker is suspended for it */
    mw_value item;           /* until it has left its envelope */
    mw_tasklet *asker;       /* a coroutine that asks; NULL: none, or it has gone on */
    int result;              /* of a question that is over: 0, or negative */
    mw_value answer;
    /* By message: */
    mw_tasklet *told;        /* gets the answer as an item; NULL: nobody, or it is gone */
    struct mw_link told_link; /* in its questions */
    struct mesh_timer timer;
    int64_t id;
};

static void question_unref(struct mw_question *q)
{
    if (--q->references > 0)
        return;
    mw_release(q->item);
    mw_release(q->answer);
    mw_free(q);
}

/* Nobody is to be told any more. */
static void question_forget_told(struct mw_question *q)
{
    if (!q->told)
        return;
    mesh_timer_stop(q->told->mesh, &q->timer);
    mw_link_remove(&q->told_link);
    q->told = NULL;
}

/* {"id": 7, "answer": 42} or {"id": 7, "error": -32}, above a full mailbox if need be. */
static void question_tell(struct mw_question *q, int result, mw_value takes_answer)
{
    mw_tasklet *told = q->told;
    mw_value message = mw_map_new();
    int err = mw_map_set(&message, "id", mw_int(q->id));

    if (err == 0 && result < 0)
        err = mw_map_set(&message, "error", mw_int(result));
    else if (err == 0)
        err = mw_map_set(&message, "answer", mw_share(takes_answer));
    mw_release(takes_answer);
    question_forget_told(q);
    if (err == 0)
        err = mailbox_put_above(told, message);
    if (err < 0) {
        mw_release(message);
        tasklet_count_refused(told);
    }
}

/* 0; -EPIPE whoever asked does not wait any longer */
static int question_end(struct mw_question *q, int result, mw_value takes_answer)
{
    if (q->is_over || (!q->asker && !q->told)) {
        mw_release(takes_answer);
        q->is_over = true;
        return -EPIPE;
    }
    q->is_over = true;
    q->result = result;
    if (q->told) {
        question_tell(q, result, takes_answer);
        question_unref(q); /* the asker's */
        return 0;
    }
    q->answer = takes_answer;
    if (q->is_awaited)
        tasklet_wake(q->asker, 0);
    return 0;
}

/* An envelope is dropped or opened. */
static void envelope_release(void *pointer)
{
    struct mw_question *q = pointer;

    if (q->is_in_hand)
        return; /* the reference went with it */
    (void)question_end(q, -EPIPE, mw_null());
    question_unref(q);
}

bool item_is_envelope(mw_value item)
{
    return mw_opaque_is(item, envelope_release);
}

const mw_value *item_within(const mw_value *item)
{
    return item_is_envelope(*item) ? &((struct mw_question *)mw_get_opaque(*item))->item : item;
}

mw_value envelope_open(mw_tasklet *t, mw_value takes_envelope)
{
    struct mw_question *q = mw_get_opaque(takes_envelope);
    mw_value item = q->item;

    q->item = mw_null();
    q->is_in_hand = true;
    mw_release(takes_envelope);
    question_leave(t, -ENODATA); /* the one before */
    t->side->question = q;
    t->attention |= LOOK;
    t->allowance = 0; /* its next receive looks whether it has answered */
    return item;
}

void question_leave(mw_tasklet *t, int result)
{
    struct mw_question *q = t->side ? t->side->question : NULL;

    if (!q)
        return;
    t->side->question = NULL;
    (void)question_end(q, result, mw_null());
    question_unref(q);
}

void questions_refuse(mw_tasklet *t)
{
    uint32_t i;

    for (i = 0; i < t->count; i++) {
        mw_value item = t->items[(t->head + i) & t->mask];

        if (item_is_envelope(item))
            (void)question_end(mw_get_opaque(item), -EPIPE, mw_null());
    }
}

void questions_forget(mw_tasklet *t)
{
    while (t->side && !mw_list_is_empty(&t->side->asked)) {
        struct mw_question *q = MW_CONTAINER_OF(t->side->asked.head.next, struct mw_question, told_link);

        question_forget_told(q);
        question_unref(q);
    }
}

void questions_move(mw_tasklet *t, struct mw_scheduler *from, struct mw_scheduler *to)
{
    struct mw_link *at;

    for (at = t->side ? t->side->asked.head.next : NULL; at && at != &t->side->asked.head; at = at->next)
        mesh_timer_move(from, to, &MW_CONTAINER_OF(at, struct mw_question, told_link)->timer);
}

/* ---- asking ------------------------------------------------------------------------------------------- */
/* A question in an envelope; *ret with a reference for who asks. takes the item. 0, -ENOMEM */
static int question_new(mw_tasklet *t, mw_value takes, struct mw_question **ret, mw_value *ret_envelope)
{
    struct mw_question *q = tasklet_side(t) ? mw_alloc_zeroed(1, sizeof(*q)) : NULL;
    mw_value envelope;

    if (!q) {
        mw_release(takes);
        return -ENOMEM;
    }
    q->references = 2;
    q->item = takes;
    envelope = mw_opaque(q, envelope_release); /* on failure it has released its reference */
    if (envelope.kind == MW_MISSING) {
        question_unref(q);
        return -ENOMEM;
    }
    *ret = q;
    *ret_envelope = envelope;
    return 0;
}

/* What is wrong with asking t. */
static int ask_check(const mw_tasklet *t, const mw_tasklet *self, mw_value item)
{
    if (!t)
        return -EINVAL;
    if (item.kind == MW_MISSING)
        return -ENOMEM;
    if (t == self)
        return -EDEADLK; /* it would wait for itself to answer */
    if (t->state == TASKLET_CLOSED || t->kind == TASKLET_NULL || t->kind == TASKLET_MESH ||
        t->attention & (FINISHING | ASKED_FREE))
        return -EPIPE;
    return 0;
}

int mw_ask(mw_tasklet *t, mw_value takes, int64_t deadline_ns, mw_value *ret_answer)
{
    mw_tasklet *self = mw_thread.current;
    struct mw_question *q = NULL;
    mw_value envelope;
    int err = ret_answer ? tasklet_may_wait(self) : -EINVAL;

    TASKLET_CHECK(t);
    if (err == 0)
        err = ask_check(t, self, takes);
    if (err == 0 && deadline_ns != MW_FOREVER)
        err = mesh_timers_reserve(self->mesh, 1); /* now: once it is sent it cannot be taken back */
    if (err < 0) {
        mw_release(takes);
        return err;
    }
    err = question_new(t, takes, &q, &envelope);
    if (err < 0)
        return err;
    q->asker = self;
    err = mw_send(t, envelope); /* may wait for room; takes it in every case */
    if (err == 0 && !q->is_over) {
        q->is_awaited = true;
        err = tasklet_wait_until(self, WAIT_ANSWER, t, deadline_ns, -ETIMEDOUT);
        q->is_awaited = false;
    }
    q->asker = NULL;
    if (err == 0)
        err = q->result;
    if (err == 0) {
        *ret_answer = q->answer;
        q->answer = mw_null();
    }
    question_unref(q);
    return err;
}

static void question_late(struct mesh_timer *timer)
{
    struct mw_question *q = MW_CONTAINER_OF(timer, struct mw_question, timer);

    (void)question_end(q, -ETIMEDOUT, mw_null());
}

/* What becomes of it goes to told, which has a side, as an item. 0; -ENOMEM */
static int question_tell_to(struct mw_question *q, mw_tasklet *told, int64_t deadline_ns)
{
    int err;

    q->timer.due = question_late;
    err = mesh_timer_set(told->mesh, &q->timer, deadline_ns);
    if (err < 0)
        return err;
    q->id = ++told->mesh->later_id;
    q->told = told;
    mw_list_push_back(&told->side->asked, &q->told_link);
    return 0;
}

static struct tasklet_side *side_to_tell(mw_tasklet *told)
{
    return told && !(told->attention & ASKED_FREE) ? tasklet_side(told) : NULL;
}

int64_t mw_ask_to(mw_tasklet *t, mw_value takes, int64_t deadline_ns, mw_tasklet *told)
{
    TASKLET_CHECK(t);
    TASKLET_CHECK(told);
    struct mw_question *q = NULL;
    mw_value envelope;
    int64_t id;
    int err = side_to_tell(told) ? ask_check(t, NULL, takes) : told ? -ENOMEM : -EINVAL;

    if (err < 0) {
        mw_release(takes);
        return err;
    }
    err = question_new(t, takes, &q, &envelope);
    if (err < 0)
        return err;
    err = question_tell_to(q, told, deadline_ns);
    if (err == 0) {
        id = q->id; /* a mailbox that drops what is new drops it at once, and told has been told */
        err = mailbox_put_above(t, envelope); /* it waits for no room: nobody may be there who could */
        if (err == 0)
            return id;
        question_forget_told(q);
    }
    mw_release(envelope);
    question_unref(q);
    return err;
}

int64_t question_outside(mw_tasklet *told, int64_t deadline_ns, struct mw_question **ret)
{
    struct mw_question *q = side_to_tell(told) ? mw_alloc_zeroed(1, sizeof(*q)) : NULL;
    int err;

    if (!q)
        return told && !(told->attention & ASKED_FREE) ? -ENOMEM : -EINVAL;
    q->references = 2; /* told's, and the caller's */
    err = question_tell_to(q, told, deadline_ns);
    if (err < 0) {
        mw_free(q);
        return err;
    }
    *ret = q;
    return q->id;
}

void question_answer_outside(struct mw_question *q, int result, mw_value takes)
{
    if (takes.kind == MW_MISSING) {
        takes = mw_null();
        result = -ENOMEM;
    }
    (void)question_end(q, result, takes); /* where told is gone, or was told that it is late, nobody hears it */
    question_unref(q);
}

/* ---- answering ----------------------------------------------------------------------------------------- */
/* The question in self's hand, which it leaves. NULL: there is none. */
static struct mw_question *question_of(mw_tasklet *self)
{
    struct mw_question *q = self && self->side ? self->side->question : NULL;

    if (q)
        self->side->question = NULL;
    return q;
}

int mw_answer(mw_tasklet *self, mw_value takes)
{
    TASKLET_CHECK(self);
    struct mw_question *q = takes.kind == MW_MISSING ? NULL : question_of(self);
    int err;

    if (!q) {
        mw_release(takes);
        return !self ? -EINVAL : takes.kind == MW_MISSING ? -ENOMEM : -ENOENT;
    }
    err = question_end(q, 0, takes);
    question_unref(q);
    return err;
}

mw_question *mw_question_keep(mw_tasklet *self)
{
    TASKLET_CHECK(self);
    return question_of(self);
}

int mw_question_answer(mw_question *q, mw_value takes)
{
    int err;

    if (!q || takes.kind == MW_MISSING) {
        mw_release(takes);
        if (q) {
            (void)question_end(q, -ENOMEM, mw_null());
            question_unref(q);
        }
        return q ? -ENOMEM : -EINVAL;
    }
    err = question_end(q, 0, takes);
    question_unref(q);
    return err;
}

void mw_question_drop(mw_question *q)
{
    if (!q)
        return;
    (void)question_end(q, -ENODATA, mw_null());
    question_unref(q);
}
