/* One visit of a scheduler: hand a tasklet its items until its queue is empty or the allowance is used. Inline, so
 * that the switch is entered from the scheduler's own loop: a function that returned after it would be mispredicted.
 * Read next: run.c.
 * SPDX-License-Identifier: MIT */
#ifndef TASKLET_RUN_H
#define TASKLET_RUN_H

#include "tasklet/tasklet_priv.h"

/* Not left to the compiler: with several loops that visit it makes a function of it, and the return after a switch costs 15 ns. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Running a body by a verb, perhaps from inside another body: what is restored afterwards. */
struct frame {
    mw_tasklet *outer;
    struct mw_scheduler *mesh;
    uint32_t outer_allowance;
};

static inline struct frame frame_save(struct mw_thread *thread)
{
    struct frame frame = {thread->current, thread->mesh, 0};

    if (UNLIKELY(frame.outer != NULL)) { /* below us on the chain: what runs on top must not take its items */
        frame.outer_allowance = frame.outer->allowance;
        frame.outer->allowance = 0;
    }
    return frame;
}

static inline struct frame frame_enter(mw_tasklet *t, uint32_t allowance)
{
    struct mw_thread *thread = &mw_thread;
    struct frame frame = frame_save(thread);

    thread->current = t;
    thread->mesh = t->mesh;
    condition_set(t, (t->condition & (CONDITION_KEPT | CONDITION_READY)) | CONDITION_RUNS);
    t->allowance = allowance;
    return frame;
}

static inline void frame_leave(const struct frame *frame)
{
    struct mw_thread *thread = &mw_thread;

    thread->current = frame->outer;
    thread->mesh = frame->mesh;
    if (UNLIKELY(frame->outer != NULL) && !(frame->outer->attention & ASKED_ANY))
        frame->outer->allowance = frame->outer_allowance;
}

/* Resume a coroutine from outside the scheduler's loop, until it parks or ends. */
ALWAYS_INLINE void tasklet_resume(mw_tasklet *t, int passed, uint32_t allowance)
{
    struct frame frame = frame_enter(t, allowance);

    coroutine_enter(t->coroutine, passed);
    t->allowance = 0;
    frame_leave(&frame);
}

/* The same, where its body has not begun. */
ALWAYS_INLINE void tasklet_resume_first(mw_tasklet *t)
{
    struct frame frame = frame_enter(t, 0);

    coroutine_begin(t->coroutine, tasklet_main, t);
    frame_leave(&frame);
}

/* The same, where the body is going to return, or has no more than its close path to go. */
ALWAYS_INLINE void tasklet_resume_last(mw_tasklet *t, int passed)
{
    struct frame frame = frame_enter(t, 0);

    coroutine_enter_last(t->coroutine, passed);
    frame_leave(&frame);
}

/* Its body has parked and nothing is to be attended to. */
static inline void tasklet_rest(mw_tasklet *t)
{
    condition_set(t, (t->condition & (CONDITION_KEPT | CONDITION_READY)) | CONDITION_RESTS);
    if (t->count > 0) {
        if (!(t->condition & CONDITION_QUIET))
            tasklet_mark(t);
    } else if (t->mask > 0) {
        mailbox_rest(t);
    }
}

/* The same after a visit, where it is not in the ready set. */
static inline void visit_rest(mw_tasklet *t, enum tasklet_kind kind)
{
    t->condition = CONDITION_OF(TASKLET_IDLE, kind, 0, 0);
    if (t->count > 0)
        tasklet_mark(t);
    else if (t->mask > 0)
        mailbox_rest(t);
}

/* It is to be freed, its queue is empty, and nobody is to be told: without a side block nobody waits for it, asks it or watches it, and its scope
 * has no release. */
static inline bool ends_unnoticed(const mw_tasklet *t)
{
    return t->attention & ASKED_FREE && !t->side && t->count == 0 && !t->mesh->on_end;
}

static inline void visit_settle(mw_tasklet *t, int result)
{
    int code;

    if (t->kind == TASKLET_HANDLER && !t->closed && ends_unnoticed(t))
        tasklet_destroy(t);
    else
        (void)tasklet_settle(t, result, &code); /* reported there */
}

/* The first item holds bytes, or it leaves a full mailbox. */
int handler_take_heavy(mw_tasklet *t);

/* Hand a handler its first item; there is one. returns what it returned. The item is given away from where it lies: a copy would be written and
 * read back. */
static inline int handler_take(mw_tasklet *t)
{
    const mw_value *first = &t->items[t->head & t->mask];
    uint32_t count = count_alone(t->count);

    t->processed++;
    if (UNLIKELY(first->is_heap || count >= t->capacity))
        return handler_take_heavy(t);
    t->head++;
    t->count = count - 1;
    return t->run.handler(t, t->scope, *first);
}

/* Hand over items for as long as there are any; there is one. attention  what is to be looked at already. Where all goes well, thread->current is not
 * put back: whoever visits many in a row does that once. */
ALWAYS_INLINE uint64_t visit_handler_on(struct mw_thread *thread, mw_tasklet *outer, mw_tasklet *t, uint32_t allowance, uint64_t sum, uint8_t attention)
{
    uint32_t left = allowance;
    int result;

    sum -= t->processed;
    thread->current = t;
    t->condition = CONDITION_OF(TASKLET_RUNNING, TASKLET_HANDLER, QUIET_STATE, attention);
    for (;;) {
        result = handler_take(t);
        if (UNLIKELY(result < 0 || t->condition != CONDITION_OF(TASKLET_RUNNING, TASKLET_HANDLER, QUIET_STATE, 0)) &&
            (result < 0 || t->attention & (uint8_t)~FINISHING || t->count == 0 || left == 1)) {
            thread->current = outer;
            sum += t->processed;
            visit_settle(t, result);
            return sum;
        }
        if (t->count == 0 || --left == 0)
            break;
    }
    sum += t->processed; /* what the body took by itself included */
    visit_rest(t, TASKLET_HANDLER);
    return sum;
}

/* A handler that has something in its way, or to be attended to, or nothing to do. */
uint64_t visit_handler_otherwise(struct mw_thread *thread, mw_tasklet *outer, mw_tasklet *t, uint32_t allowance, uint64_t sum);

/* It is a handler, nothing is in its way, and it has something to do. */
static inline bool is_ready_handler(const mw_tasklet *t)
{
    static_assert(TASKLET_FRESH == 0 && TASKLET_IDLE == 1, "the states in which a handler may be run");
    return (t->condition | CONDITION_OF(TASKLET_IDLE, 0, 0, 0)) == CONDITION_OF(TASKLET_IDLE, TASKLET_HANDLER, QUIET_READY, 0) && t->count > 0;
}

/* A visit that is not simply handing over the next item. */
enum visit {
    VISIT_NOTHING, /* nothing to do, or it could not begin and has been closed */
    VISIT_BEGIN,   /* the first one */
    VISIT_RESUME,  /* a wait has ended, with what is passed */
};
enum visit visit_prepare(mw_tasklet *t, int *ret_passed);

ALWAYS_INLINE uint64_t visit_coroutine(struct mw_thread *thread, mw_tasklet *outer, mw_tasklet *t, uint32_t allowance, uint64_t sum)
{
    uint32_t condition = t->condition;
    enum visit visit = VISIT_RESUME;
    int passed = 1;

    if (LIKELY((condition & CONDITION_STATE) == CONDITION_OF(TASKLET_IDLE, 0, 0, 0) && t->count > 0)) {
        condition_set(t, (condition & CONDITION_KEPT) | CONDITION_RUNS);
        value_store(t->coroutine->delivery, mailbox_pop(t));
        t->processed++;
        sum++;
        allowance--;
    } else {
        thread->current = outer;
        visit = visit_prepare(t, &passed);
        if (visit == VISIT_NOTHING)
            return sum;
        condition_set(t, (t->condition & CONDITION_KEPT) | CONDITION_RUNS);
    }
    sum -= t->processed;
    thread->current = t;
    t->allowance = allowance;
    if (LIKELY(visit == VISIT_RESUME))
        coroutine_enter(t->coroutine, passed);
    else
        coroutine_begin(t->coroutine, tasklet_main, t);
    thread->current = outer;
    t->allowance = 0;
    sum += t->processed;
    if (LIKELY(t->condition == CONDITION_OF(TASKLET_IDLE, TASKLET_COROUTINE, QUIET_STATE, 0)))
        visit_rest(t, TASKLET_COROUTINE);
    else
        visit_settle(t, 0);
    return sum;
}

/* A turn of the mesh that t stands for. */
uint64_t visit_mesh(struct mw_thread *thread, mw_tasklet *outer, mw_tasklet *t, uint32_t allowance);

/* Visit a tasklet that mesh_next has just given. t may be gone afterwards.
 * outer      whose body calls the scheduler; NULL as a rule
 * allowance  1 and up
 * thread     its current is t afterwards, even if t is gone, or outer; the caller puts outer back before anything else may look at it
 * returns    sum, and the items handed over; nothing is added for a run without an item */
ALWAYS_INLINE uint64_t tasklet_visit(struct mw_thread *thread, mw_tasklet *outer, mw_tasklet *t, uint32_t allowance, uint64_t sum)
{
    uint8_t kind;

    if (LIKELY(is_ready_handler(t)))
        return visit_handler_on(thread, outer, t, allowance, sum, 0);
    kind = byte_alone(t->kind);
    return LIKELY(kind < TASKLET_HANDLER) ? visit_coroutine(thread, outer, t, allowance, sum)
           : kind == TASKLET_HANDLER      ? visit_handler_otherwise(thread, outer, t, allowance, sum)
                                          : sum + visit_mesh(thread, outer, t, allowance);
}

#endif
