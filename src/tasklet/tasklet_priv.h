/* The inside of a tasklet, shared by the files of this room and by the schedulers.
 * The public contract is meshwork/tasklet.h. Read next: mailbox.c, run.h, change.c.
 * SPDX-License-Identifier: MIT */
#ifndef TASKLET_TASKLET_PRIV_H
#define TASKLET_TASKLET_PRIV_H

#include <meshwork/tasklet.h>

#include <assert.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "base/hint.h"
#include "base/list.h"
#include "coroutine/coroutine.h"
#include "coroutine/thread.h"
#include "tasklet/mesh.h"
#include "tasklet/timer.h"
#include "tasklet/words.h"

/* Called per item. A value on the stack counts as an array for the stack protector: a third of the time of a send. */
#define HOT __attribute__((no_stack_protector))

#define MAILBOX_ITEMS_DEFAULT 1024u
#define MAILBOX_ITEMS_MOST (1u << 24)
#define MAILBOX_BYTES_DEFAULT ((size_t)1 << 20)

enum tasklet_kind {
    TASKLET_NULL,
    TASKLET_COROUTINE,
    TASKLET_HANDLER, /* from here on without a stack: run.handler is called */
    TASKLET_MESH,    /* a scheduler: scope is its mesh, run.handler gives it a turn */
};

enum tasklet_state {
    TASKLET_FRESH,   /* its body never ran */
    TASKLET_IDLE,    /* parked in receive, or a handler between two items */
    TASKLET_WAITING, /* for something other than its own queue */
    TASKLET_WOKEN,   /* what it waited for has come; not resumed yet */
    TASKLET_RUNNING, /* somewhere in the chain of bodies that run now. A coroutine that its resumer finds so has returned */
    TASKLET_CLOSED,
};
extern const char *const tasklet_state_names[];

/* What a coroutine waits for, apart from its own queue. */
enum tasklet_wait {
    WAIT_ROOM,   /* in the mailbox of another tasklet */
    WAIT_ANSWER, /* of another tasklet */
    WAIT_TIME,
    WAIT_IO,     /* from here on somebody outside the mesh can end it */
    WAIT_WORK,
    WAIT_PROCESS,
};
extern const char *const tasklet_wait_names[];

/* Why a send leaves the ready set alone. */
enum { QUIET_READY = 1 /* is in it */, QUIET_STATE = 2 /* waits, runs or is closed */ };

/* What a body's resumer must look at when the body has parked or returned. */
enum {
    ASKED_CLOSE = 1,
    ASKED_OPEN = 2,     /* open again after the close path */
    ASKED_CLEAR = 4,    /* empty the queue then */
    ASKED_REPLACE = 8,  /* body or scope: side->next */
    ASKED_FREE = 16,
    ASKED_ANY = 31,
    FINISHING = 32,     /* no more items; closes when the queue is empty */
    LOOK = 64,          /* at its side: a handler sent beyond twice a capacity, or a question is in its hand; or at its stack, a small one: always */
    STALLED = 128,      /* a handler sent above a capacity: not run again until there is room */
};

/* The four bytes of a tasklet's condition as one word. What every item passes looks at them, and changes them, all at once: a test and a store instead of
 * three of each. Whoever writes one byte alone makes the next look at the word wait until the byte has reached the cache, so that is for what happens
 * rarely. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define CONDITION_OF(state, kind, quiet, attention) \
    ((uint32_t)(state) << 24 | (uint32_t)(kind) << 16 | (uint32_t)(quiet) << 8 | (uint32_t)(attention))
#else
#define CONDITION_OF(state, kind, quiet, attention) \
    ((uint32_t)(state) | (uint32_t)(kind) << 8 | (uint32_t)(quiet) << 16 | (uint32_t)(attention) << 24)
#endif
#define CONDITION_QUIET CONDITION_OF(0, 0, 255, 0)
#define CONDITION_STATE CONDITION_OF(255, 0, 0, 0)
#define CONDITION_READY CONDITION_OF(0, 0, QUIET_READY, 0)
#define CONDITION_RUNS CONDITION_OF(TASKLET_RUNNING, 0, QUIET_STATE, 0)
#define CONDITION_RESTS CONDITION_OF(TASKLET_IDLE, 0, 0, 0)
#define CONDITION_KEPT CONDITION_OF(0, 255, 0, 255) /* of one that runs or rests, whatever its state was */

/* 112 bytes, and 8 for its place in the mesh; measured, a million idle handlers take 121 each (slab.c). What few need is in the side
 * block. */
struct mw_tasklet {
#ifdef MW_CHECKED
    uint64_t life, reserved; /* one of two numbers: it lives, or it has been freed (slab.c) */
#endif
    /* The mailbox: a ring of mask + 1 places, at first the one below. */
    mw_value *items;
    uint32_t head, count; /* head counts on; its place is head & mask */
    uint32_t mask;
    uint32_t plain_room;  /* below this count a plain item is just stored */
    union {
        struct {
            uint8_t state, kind, quiet, attention;
        };
        uint32_t condition; /* the four of them: see CONDITION_OF */
    };
    uint32_t allowance;   /* items that receive may take in place */
    struct mw_scheduler *mesh;
    union tasklet_run {
        mw_body *body;
        mw_handler *handler;
    } run;
    void *scope;
    union {
        struct coroutine *coroutine; /* NULL: not begun, or ended */
        void (*closed)(mw_tasklet *self, void *scope); /* a handler's */
    };
    union {
        mw_value first;
        size_t ring_bytes; /* while its items are elsewhere: what they hold; see mailbox_bytes */
    };
    uint64_t processed;   /* the null tasklet: swallowed */
    uint32_t position;    /* in the mesh */
    uint32_t capacity;    /* tasklet_capacity, or 0: every item that leaves is looked at */
    struct site *site;
    struct tasklet_side *side; /* NULL: nothing out of the ordinary yet */
};

/* The memory of its own lies behind it, where anything may lie. */
#define OWN_AT ((sizeof(mw_tasklet) + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t))
static inline uint32_t own_class_of(size_t own_bytes)
{
    return own_bytes <= (size_t)OWN_STEP * OWN_CLASSES ? (uint32_t)((own_bytes + OWN_STEP - 1) / OWN_STEP) : OWN_LARGE;
}
static inline size_t tasklet_bytes_with(size_t own_bytes)
{
    uint32_t own_class = own_class_of(own_bytes);

    return own_class == 0 ? sizeof(mw_tasklet) : OWN_AT + (own_class < OWN_LARGE ? (size_t)own_class * OWN_STEP : own_bytes);
}

/* What a deferred set or rescope will install. */
struct replacement {
    bool has_body;
    const char *name; /* the body's; NULL: the old one stays */
    uint8_t kind;
    mw_body *body;
    mw_handler *handler;
    bool has_scope;
    mw_scope scope;
};

struct tasklet_side {
    void (*release)(void *scope);
    char *name;             /* owned; NULL: the site's */
    size_t mailbox_bytes;
    uint8_t overflow;
    struct mw_list waiters; /* struct waiter: coroutines that wait for room in this mailbox */
    struct mw_list stalled; /* struct stall by target_link: handlers that sent above its capacity */
    struct mw_list stalls;  /* struct stall by handler_link: what this handler waits for */
    struct mw_address *address; /* one reference; NULL: none has been asked for */
    bool is_overrun;        /* a handler has sent beyond twice a capacity */
    struct mw_question *question; /* in its hand: that of the item that it has now; NULL: none */
    struct mw_list asked;   /* struct mw_question by told_link: those whose answers it gets as items */
    struct supervised *supervised; /* supervise.c; NULL: it is not */
    struct mw_list monitors;  /* struct monitor by watched_link: who is told when it closes */
    struct mw_list monitored; /* by told_link: of whom it is told */
    struct mw_list bonds;   /* struct mw_bond: whoever outside wants to know when it is freed */
    struct mw_list later;   /* struct later, of later.c: what is to be sent to it at a time */
    struct replacement next;
    struct mw_priority priority;
    uint64_t refused, dropped, failures, late_results;
};

/* A coroutine that waits for room; lies on its stack. */
struct waiter {
    struct mw_link link;
    mw_tasklet *sender;
    mw_value item;
    size_t bytes;
    bool is_taken; /* the item is in the mailbox */
};

/* A handler that is not run again until there is room in target. */
struct stall {
    struct mw_link target_link, handler_link;
    mw_tasklet *handler, *target;
    int64_t since_ns;
};

/* ---- slab.c ---------------------------------------------------------------------------- */
/* In checked builds: of what a caller gives, which may be NULL. One that has been freed ends the process, with its name. */
#ifdef MW_CHECKED
void tasklet_begins(mw_tasklet *t);
void tasklet_check(const mw_tasklet *t, const char *function);
#define TASKLET_CHECK(t) tasklet_check((t), __func__)
#else
static inline void tasklet_begins(mw_tasklet *t)
{
    (void)t;
}
#define TASKLET_CHECK(t) ((void)0)
#endif

/* ---- tasklet.c ------------------------------------------------------------------------ */
struct tasklet_side *tasklet_side(mw_tasklet *t); /* made on first use; NULL: out of memory */
void tasklet_destroy(mw_tasklet *t);              /* closed, scope released: what is left */
bool tasklet_is_due(const mw_tasklet *t);         /* whether one in the ready set has indeed something to do; mesh.c */

/* ---- mailbox.c ------------------------------------------------------------------------ */
void mailbox_update_room(mw_tasklet *t);
/* Store or apply the overflow policy. 0: taken; -EAGAIN full; -EPIPE; -ENOMEM: not taken */
int mailbox_put(mw_tasklet *t, mw_value item);
int mailbox_push(mw_tasklet *t, mw_value item, size_t bytes); /* whatever the capacity; 0, -ENOMEM */
size_t mailbox_item_bytes(mw_value item);
size_t mailbox_bytes(const mw_tasklet *t); /* what its items hold */
bool mailbox_has_room(const mw_tasklet *t, size_t bytes);
size_t mailbox_drop_all(mw_tasklet *t);
void mailbox_rest(mw_tasklet *t); /* empty: its ring goes back to the mesh */
void tasklet_count_refused(mw_tasklet *t);
/* As mailbox_put; where the mailbox blocks, above its capacity, up to twice. */
int mailbox_put_above(mw_tasklet *t, mw_value item);
bool mailbox_is_overfull(const mw_tasklet *t, size_t bytes); /* one more item would be more than twice its capacity */

/* ---- later.c: what is to come at a time -------------------------------------------------------- */
/* Whether self may suspend now: 0; -EINVAL not inside its body, -ENOTSUP a handler, -ECANCELED closing */
int tasklet_may_wait(const mw_tasklet *self);
/* tasklet_wait that ends with result at a deadline, MW_FOREVER for none; -ENOMEM */
int tasklet_wait_until(mw_tasklet *self, enum tasklet_wait what, const void *on, int64_t deadline_ns, int result);
void later_forget(mw_tasklet *t); /* what was to be sent to it */
int later_reserve(const mw_tasklet *t, struct mw_scheduler *to); /* so that later_move works; 0, -ENOMEM */
void later_move(mw_tasklet *t, struct mw_scheduler *from, struct mw_scheduler *to);

/* ---- room.c: waiting for room --------------------------------------------------------------- */
int room_wait(mw_tasklet *self, mw_tasklet *target, mw_value *io); /* 0 taken, else not */
int room_exceed(mw_tasklet *handler, mw_tasklet *target, mw_value item); /* as mailbox_put */
void room_made(mw_tasklet *t);
void room_ended(mw_tasklet *t);   /* closed: nobody waits for it any longer */
void stalls_forget(mw_tasklet *handler);
const struct stall *tasklet_first_stall(const mw_tasklet *handler); /* for what it has waited longest; NULL: nothing */
const mw_tasklet *tasklet_stalled_by(const mw_tasklet *handler); /* the target of that; NULL: nothing */

/* ---- change.c --------------------------------------------------------------------------------- */
enum settled { SETTLED_OPEN, SETTLED_CLOSED, SETTLED_GONE /* freed, or it was in the hands of a hook */ };
/* After a run that parked with something to attend to, ended or failed. result: a handler's. *ret_code: 0, or the
 * negative number with which its body failed. */
enum settled tasklet_settle(mw_tasklet *t, int result, int *ret_code);
/* Its body is over, or never ran (is_begun false): close path of a handler, what was asked for, the failure hook. */
enum settled tasklet_end(mw_tasklet *t, bool is_begun, int result, int *ret_code);
/* Not running, and a close was asked for: run the close path, do what was asked. */
enum settled tasklet_shut(mw_tasklet *t);
void tasklet_release_scope(mw_tasklet *t);

/* ---- mesh.c: a mesh as a tasklet of another ----------------------------------------------------- */
/* Have it visited, where nothing is in the way. */
void tasklet_nudge(mw_tasklet *t);
/* No longer its mesh's tasklet: the mesh stands alone. */
void mesh_detach(mw_tasklet *t);

/* ---- ask.c ---------------------------------------------------------------------------------------- */
bool item_is_envelope(mw_value item);
const mw_value *item_within(const mw_value *item); /* the plain item, of one that may be in an envelope; borrowed */
/* Take the item out; its question is in t's hand then, and the one before is left unanswered. t has a side. */
mw_value envelope_open(mw_tasklet *t, mw_value takes_envelope);
void question_leave(mw_tasklet *t, int result); /* the question in its hand will not be answered: whoever asked gets result */
void questions_refuse(mw_tasklet *t);           /* closed: whoever asked in its queue gets -EPIPE, the items stay */
void questions_forget(mw_tasklet *t);           /* it is being freed: it gets no answer any more */
/* A question that somebody outside the mesh answers, once; what becomes of it goes to told as an item. returns its id; -EINVAL, -ENOMEM */
int64_t question_outside(mw_tasklet *told, int64_t deadline_ns, struct mw_question **ret);
void question_answer_outside(struct mw_question *q, int result, mw_value takes);
void questions_move(mw_tasklet *t, struct mw_scheduler *from, struct mw_scheduler *to);

/* ---- supervise.c, monitor.c ------------------------------------------------------------------------- */
uint32_t tasklet_capacity(const mw_tasklet *t); /* of its mailbox, in items; t->capacity alone decides how an item leaves */
void supervised_popped(mw_tasklet *t, mw_value item); /* it has this one in hand now */
/* Its body has failed. true: it will be restarted, whoever waits for it may go on waiting */
bool supervised_failed(mw_tasklet *t);
bool tasklet_will_restart(const mw_tasklet *t);
void supervised_stop(mw_tasklet *t); /* it will not be restarted after all */
void supervised_move(mw_tasklet *t, struct mw_scheduler *from, struct mw_scheduler *to);
void supervised_free(mw_tasklet *t);
void monitors_tell(mw_tasklet *watched, int code); /* it has closed */
void monitors_forget(mw_tasklet *t);               /* it is being freed */
void bonds_end(mw_tasklet *t);                     /* the same; of bond.h */

/* Its body has just left a stack of less than a page: end the process where it was too small. */
void tasklet_look_at_stack(const mw_tasklet *t);

/* ---- run.c ------------------------------------------------------------------------------------- */
int tasklet_take_stack(mw_tasklet *t); /* before its body begins: 0, -ENOMEM; noted in the mesh */
int tasklet_main(void *t); /* the whole life of a body on its own stack */
/* Suspend self, the current coroutine, until tasklet_wake or a close (-ECANCELED).
 * on  a tasklet for WAIT_ROOM and WAIT_ANSWER; else whatever the caller wants to find again, may be NULL */
int tasklet_wait(mw_tasklet *self, enum tasklet_wait what, const void *on);
void tasklet_wake(mw_tasklet *t, int result);

/* ---- inline: what every item passes -------------------------------------------------------------- */
/* An item has left that held bytes, or a full mailbox: somebody may be waiting for the room. returns the item, which was perhaps
 * in an envelope */
struct value_words mailbox_popped(mw_tasklet *t, struct value_words item);

/* It has left its body for something that comes from outside the mesh, and has not been resumed. */
static inline bool tasklet_waits_outside(const mw_tasklet *t)
{
    return t->kind == TASKLET_COROUTINE && (t->state == TASKLET_WAITING || t->state == TASKLET_WOKEN) &&
           t->coroutine->wait_kind >= WAIT_IO;
}

/* One of the tasklet's bytes, looked at alone: a compiler that joins two into one wide load makes it wait for the
 * narrow store before it. */
static inline uint8_t byte_alone(uint8_t byte)
{
    __asm__("" : "+r"(byte));
    return byte;
}

/* The same for a count of the mailbox, which would be joined with head: not left to -fno-tree-slp-vectorize, which an optimization over
 * the whole of a program does not know. */
static inline uint32_t count_alone(uint32_t count)
{
    __asm__("" : "+r"(count));
    return count;
}

/* Write a condition as a word, also where a compiler sees that one byte alone changes. */
static inline void condition_set(mw_tasklet *t, uint32_t condition)
{
    __asm__("" : "+r"(condition));
    t->condition = condition;
}

/* Parked, and nothing is to be attended to. */
static inline bool tasklet_is_calm(const mw_tasklet *t)
{
    return byte_alone(t->state) == TASKLET_IDLE && byte_alone(t->attention) == 0;
}

/* Put it into the ready set, where it is not. The first one is only noted: where one sends to another and is done, as in a ring or between
 * two, nobody else ever is ready. returns 0, for whoever does this last and needs no frame then */
static inline int tasklet_mark_last(mw_tasklet *t)
{
    struct mw_scheduler *m = t->mesh;
    size_t word;
    uint64_t old;

    condition_set(t, t->condition | CONDITION_READY);
    if (m->only != MESH_MANY) {
        if (UNLIKELY(m->only != NULL))
            return mesh_mark_second(t);
        m->only = t;
        return UNLIKELY(!m->is_running) && (m->on_ready || m->tasklet) ? mesh_became_ready(m) : 0;
    }
    m->ready_count++;
    word = t->position >> 6;
    old = m->ready[word];
    m->ready[word] = old | UINT64_C(1) << (t->position & 63);
    return old == 0 && m->level_count > 1 ? mesh_mark_above(m, (uint32_t)word) : 0;
}

static inline void tasklet_mark(mw_tasklet *t)
{
    (void)tasklet_mark_last(t); /* 0 */
}

/* Take who stands at a position out of the ready set, in which he is: in a bit, or as the only one. */
static inline void mesh_take_out(struct mw_scheduler *m, size_t position)
{
    size_t word = position >> 6;
    uint64_t left = m->ready[word] & ~(UINT64_C(1) << (position & 63));

    m->ready[word] = left;
    if (left == 0 && m->level_count > 1)
        mesh_unmark_above(m, (uint32_t)word);
    if (UNLIKELY(--m->ready_count == 0)) {
        m->ready_count = 1;
        m->only = NULL;
    }
}

/* Take it out of the ready set to visit it at once, as mesh_next does: until then its own note of being in the set is wrong, so that
 * what its visit begins with, a waiting sender's item put into its mailbox, does not mark it again. */
static inline void tasklet_take_out(mw_tasklet *t)
{
    struct mw_scheduler *m = t->mesh;

    if (m->only == MESH_MANY)
        mesh_take_out(m, t->position);
    else
        m->only = NULL; /* it was the only one */
}

static inline void tasklet_unmark(mw_tasklet *t)
{
    t->quiet &= (uint8_t)~QUIET_READY;
    tasklet_take_out(t);
}

/* The next ready one of this pass, taken out of the ready set; NULL: the pass is over. It is to be visited at once:
 * until then its own note of being in the set is wrong. */
static inline mw_tasklet *mesh_next(struct mw_scheduler *m)
{
    uint32_t word = m->cursor >> 6, position;
    mw_tasklet *only = m->only;
    uint64_t bits;

    if (only != MESH_MANY) {
        if (!only || only->position < m->cursor)
            return NULL;
        m->only = NULL;
        m->cursor = only->position + 1;
        return only;
    }
    if (word >= m->word_count)
        return NULL;
    bits = m->ready[word] & ~UINT64_C(0) << (m->cursor & 63);
    if (!bits) {
        if (word + 1 >= m->word_count || (word = mesh_scan(m, word + 1)) == UINT32_MAX)
            return NULL;
        bits = m->ready[word];
    }
    position = word << 6 | (uint32_t)__builtin_ctzll(bits);
    mesh_take_out(m, position);
    m->cursor = position + 1;
    return m->members[position];
}

/* Whether an item is a plain one, and there is a place for it at once. */
static inline bool mailbox_fits(const mw_tasklet *t, struct value_words item)
{
    return t->count < t->plain_room && words_are_plain(item);
}

/* Store one that fits. returns 0, as tasklet_mark_last */
static inline int mailbox_lay(mw_tasklet *t, struct value_words item)
{
    uint32_t count = count_alone(t->count);

    value_store(&t->items[(t->head + count) & t->mask], item);
    t->count = count + 1;
    return t->condition & CONDITION_QUIET ? 0 : tasklet_mark_last(t);
}

/* Store it where it fits. false: it is not that simple */
static inline bool mailbox_store(mw_tasklet *t, struct value_words item)
{
    if (UNLIKELY(!mailbox_fits(t, item)))
        return false;
    (void)mailbox_lay(t, item); /* 0 */
    return true;
}

/* Last of its members; there is room. */
static inline void mesh_add(struct mw_scheduler *m, mw_tasklet *t)
{
    uint32_t position = m->top;

    m->top = position + 1;
    m->members[position] = t;
    m->member_count++;
    m->has_fresh = true;
    t->mesh = m;
    t->position = position;
}

/* The first queued item; there is one. */
static inline struct value_words mailbox_pop(mw_tasklet *t)
{
    struct value_words item = value_words(&t->items[t->head & t->mask]);
    uint32_t count = count_alone(t->count);

    t->head++;
    t->count = count - 1;
    if (UNLIKELY(words_are_heap(item) || count >= t->capacity))
        return mailbox_popped(t, item);
    return item;
}

#endif
