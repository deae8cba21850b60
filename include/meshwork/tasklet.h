/* Tasklets: a coroutine or a handler, with a name, a mailbox and an end.
 * Not what drives many of them; that is scheduler.h. Read next: examples/01-tasklet.c.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_TASKLET_H
#define MESHWORK_TASKLET_H

#include <meshwork/value.h>

MW_BEGIN_DECLS

typedef struct mw_tasklet mw_tasklet;

/* A coroutine body: set-up, then a loop around mw_receive, then the close path.
 *
 * returns  0; negative: it failed, its tasklet is closed, its siblings go on
 */
typedef int mw_body(mw_tasklet *self, void *scope);
/* A handler body: called once per item, has no stack of its own, may not wait.
 *
 * takes_item  owned by the handler
 * returns     0; negative: it failed, as above
 */
typedef int mw_handler(mw_tasklet *self, void *scope, mw_value takes_item);

/* What a body is given. release (may be NULL) gets data after the close path of the body that had it. */
typedef struct mw_scope {
    void *data;
    void (*release)(void *data) MW_OPTIONAL;
} mw_scope;

/* What happens to an item that finds the mailbox full. Each case is counted. */
enum mw_overflow {
    MW_BLOCK,       /* a coroutine that sends waits; outside any tasklet -EAGAIN */
    MW_REFUSE,      /* -EAGAIN */
    MW_DROP_OLDEST,
    MW_DROP_NEWEST,
    MW_KEEP_LATEST, /* the newest queued item is replaced */
};

/* Stacks of less than a page, by these names only (.stack_bytes = MW_STACK_1K): a million parked coroutines of 1.2 KB each. They have no guard. 16
 * bytes at their end are looked at each time their body stops running, and where these have changed the process is ended with the tasklet's name: by then
 * a neighbour may have been written to. For bodies that hand on plain values (1K) or text as well (2K), and call nothing of unknown depth: no printf, no
 * first call through lazy binding (link with -z now), no signal handler without SA_ONSTACK. Where the switch is not ours (ucontext), and under sanitizers,
 * they are as large as others. */
#define MW_STACK_1K ((size_t)0 - 1024)
#define MW_STACK_2K ((size_t)0 - 2048)

typedef struct mw_tasklet_options {
    size_t size;                      /* sizeof(mw_tasklet_options): lets fields be added later */
    const char *name MW_OPTIONAL;     /* copied; NULL: made of file and line */
    const char *file MW_OPTIONAL;     /* where it was created; constant strings */
    int line MW_OPTIONAL;
    mw_scope scope MW_OPTIONAL;
    void (*closed)(mw_tasklet *self, void *scope) MW_OPTIONAL; /* a handler's close path; may be NULL */
    size_t mailbox_items MW_OPTIONAL; /* 1 to 2^24; 0: 1,024 */
    size_t mailbox_bytes MW_OPTIONAL; /* heap bytes held by queued items; 0: 1 MiB */
    enum mw_overflow overflow MW_OPTIONAL;
    size_t stack_bytes MW_OPTIONAL;   /* coroutines: 4 KiB to 8 MiB, rounded up to pages, or MW_STACK_1K, MW_STACK_2K; 0: 64 KiB */
    size_t scope_bytes MW_OPTIONAL;   /* scope.data is so many bytes, to 1 MiB, which are copied as for mw_handler_new_own; 0: it is the scope itself */
} mw_tasklet_options;

/* Make a tasklet. With a body it is a coroutine, with a handler it is one, with neither it is
 * the null tasklet, which swallows and counts whatever is sent to it. It joins the mesh that runs on this
 * thread, else the thread's implicit scheduler.
 *
 * options  may be NULL; borrowed during the call, but the scope in them is taken: released when the call fails
 * returns  owned: mw_tasklet_free; NULL: out of memory or wrong options (mw_scheduler_last_error says which)
 * context  the mesh's own thread
 */
MW_EXPORT MW_MUST_USE mw_tasklet *mw_tasklet_open(mw_body *body, mw_handler *handler,
                                                  const mw_tasklet_options *options);
/* Close (the body's close path runs), drop the queue, free. From inside its own body: once the body has
 * returned. Accepts NULL. */
MW_EXPORT void mw_tasklet_free(mw_tasklet *t);

/* The short forms; they record the function's name and where they stand. scope is a plain pointer, borrowed
 * while the tasklet uses it. */
MW_EXPORT MW_MUST_USE mw_tasklet *mw_tasklet_new_at(mw_body *body, void *scope, const char *name,
                                                    const char *file, int line);
MW_EXPORT MW_MUST_USE mw_tasklet *mw_handler_new_at(mw_handler *handler, void *scope, const char *name,
                                                    const char *file, int line);
#define mw_tasklet_new(body, scope) mw_tasklet_new_at((body), (scope), #body, __FILE__, __LINE__)
#define mw_handler_new(handler, scope) mw_handler_new_at((handler), (scope), #handler, __FILE__, __LINE__)

/* The same with a scope of its own: a copy of *state, which lies in one piece with the tasklet and goes when it is freed. For those that are made in
 * numbers, each with a few values to know: no allocation apart, and nothing to release. After a set or rescope it stays as it is, unused; after a restart
 * the body finds it as the one before left it.
 *
 * state        borrowed during the call; aligned for any type where it lies afterwards
 * state_bytes  1 to 1,048,576. Up to 256 they are pooled with their tasklets
 * returns      owned: mw_tasklet_free; NULL: out of memory, or wrong arguments (mw_scheduler_last_error says which)
 * context      the mesh's own thread
 *
 * mw_handler_new_own(count, &(struct counter){.step = 2}) */
MW_EXPORT MW_MUST_USE mw_tasklet *mw_tasklet_new_own_at(mw_body *body, const void *state, size_t state_bytes,
                                                        const char *name, const char *file, int line);
MW_EXPORT MW_MUST_USE mw_tasklet *mw_handler_new_own_at(mw_handler *handler, const void *state, size_t state_bytes,
                                                        const char *name, const char *file, int line);
#define mw_tasklet_new_own(body, ...) mw_tasklet_new_own_at((body), (__VA_ARGS__), sizeof *(__VA_ARGS__), #body, __FILE__, __LINE__)
#define mw_handler_new_own(handler, ...) mw_handler_new_own_at((handler), (__VA_ARGS__), sizeof *(__VA_ARGS__), #handler, __FILE__, __LINE__)

/* ---- the verbs ---------------------------------------------------------------
 * context: the mesh's own thread, inside or outside a body, unless one says otherwise. */

/* Queue an item; does nothing else.
 * returns  0; -EAGAIN full; -EPIPE closed and full, or freed; -ECANCELED the sender itself is being closed
 *          while it waits for room; -ENOMEM. Takes the item in every case. */
MW_EXPORT int mw_send(mw_tasklet *t, mw_value takes);
/* As mw_send, but never waits, and takes only on success: *io is then mw_null(), else untouched. */
MW_EXPORT MW_MUST_USE int mw_offer(mw_tasklet *t, mw_value *io);
/* Hand this very item over now, ahead of the queue.
 * returns  0; -EAGAIN its body waits elsewhere; -EBUSY its body is running; -EPIPE closed. Takes in every case. */
MW_EXPORT int mw_pass(mw_tasklet *t, mw_value takes);
/* Run the set-up now, as far as the first receive. 0 also when it has run. */
MW_EXPORT int mw_start(mw_tasklet *t);

/* Wait for the next item of the mailbox.
 *
 * ret_item  returned owned (mw_release); untouched when the result is false
 * returns   true with an item; false once self is being closed: leave the loop, undo, return
 * context   inside self's own coroutine body; suspends while the mailbox is empty
 */
MW_EXPORT bool mw_receive(mw_tasklet *self, mw_value *ret_item);
/* Take the next queued item without waiting; also in a close path. */
MW_EXPORT bool mw_take(mw_tasklet *self, mw_value *ret_item);

/* Process the first queued item. returns 1 handed over, 0 nothing to do (also when closed: nothing is lost),
 * negative: -EAGAIN, -EBUSY as mw_pass, or what the body returned. */
MW_EXPORT int mw_next(mw_tasklet *t);
/* As mw_next, and gives out the item that was processed: returned owned, shared with the body. */
MW_EXPORT int mw_next_item(mw_tasklet *t, mw_value *ret_item);
/* Process the item queued last. */
MW_EXPORT int mw_last(mw_tasklet *t);
/* Process all until the queue is empty, what arrives meanwhile included. returns how many (those that the body took by
 * itself with mw_take included), or negative. */
MW_EXPORT int mw_flush(mw_tasklet *t);
/* Drop what is queued. returns how many. */
MW_EXPORT int mw_clear(mw_tasklet *t);

/* The next four take effect when the body returns, if called from inside it. A scope given to a call that fails
 * is released. */
/* New body, new scope, queue emptied, open again. body NULL: the null tasklet. The macros give it the new function's
 * name, unless it was named by hand; a name is a constant string. */
MW_EXPORT int mw_set(mw_tasklet *t, mw_body *body, mw_scope takes);
MW_EXPORT int mw_set_handler(mw_tasklet *t, mw_handler *handler, mw_scope takes);
MW_EXPORT int mw_set_as(mw_tasklet *t, const char *name, mw_body *body, mw_scope takes);
MW_EXPORT int mw_set_handler_as(mw_tasklet *t, const char *name, mw_handler *handler, mw_scope takes);
#define mw_set(t, body, ...) mw_set_as((t), #body, (body), __VA_ARGS__)
#define mw_set_handler(t, handler, ...) mw_set_handler_as((t), #handler, (handler), __VA_ARGS__)
/* Same body, new scope, queue kept, open again. Order: old close path, old scope released, new body. */
MW_EXPORT int mw_rescope(mw_tasklet *t, mw_scope takes);
/* Same body, same scope, open again. */
MW_EXPORT int mw_restart(mw_tasklet *t, bool keep_queue);
/* Run the close path and stay closed: sends queue up for a rescope, nothing is processed. */
MW_EXPORT int mw_close(mw_tasklet *t);
/* No more items: close when the queue is empty. Unlike that of mw_close, its close path may still wait: what is sent last finds room. */
MW_EXPORT int mw_finish(mw_tasklet *t);
MW_EXPORT bool mw_is_closed(const mw_tasklet *t);

/* ---- at a time --------------------------------------------------------------------
 * Times are those of mw_clock, in nanoseconds. A time that has passed is now. Kept to the turn: late by what runs before. */

/* The clock of t's mesh: that of mw_now_ns, unless the mesh has another one. Inside a turn, the time when it began. */
MW_EXPORT int64_t mw_clock(const mw_tasklet *t);
/* Suspend until a time; others run meanwhile. MW_FOREVER: until it is closed.
 * returns  0; -ECANCELED self is being closed; -ENOTSUP in a handler, which mw_send_at serves; -EINVAL not inside
 *          self's own body; -ENOMEM
 * context  inside self's own coroutine body; suspends */
MW_EXPORT int mw_sleep_until(mw_tasklet *self, int64_t deadline_ns);
/* Send an item at a time. Nobody waits for room then: where the mailbox blocks it is taken above the capacity, up to
 * twice, and past that refused and counted. When t is freed before, it is dropped. Takes in every case.
 * returns  a number greater than 0, for mw_unsend; -EPIPE finished or freed; -EINVAL, MW_FOREVER too; -ENOMEM */
MW_EXPORT int64_t mw_send_at(mw_tasklet *t, mw_value takes, int64_t deadline_ns);
/* Take such an item back. returns 1; 0 it has been sent; -EINVAL */
MW_EXPORT int mw_unsend(mw_tasklet *t, int64_t id);

/* ---- questions ----------------------------------------------------------------------
 * context: the mesh's own thread. */

/* Send an item to t and wait for what it answers (mw_answer). To t it is an item like any other.
 *
 * deadline_ns  a time of mw_clock; MW_FOREVER: none. Waiting for room in t's mailbox comes on top
 * ret_answer   returned owned; untouched on failure
 * returns      0; -ETIMEDOUT; -EPIPE t is closed, finished or the null tasklet, or closes, fails or drops the item before it has
 *              answered; -ENODATA t went on to the next item without an answer; -ECANCELED the asker is being closed; -EDEADLK
 *              it asks itself; -ENOTSUP in a handler, which mw_ask_to serves; -EINVAL outside any body; -EAGAIN, -ENOMEM as
 *              mw_send. Takes in every case.
 * context      inside a coroutine body; suspends */
MW_EXPORT int mw_ask(mw_tasklet *t, mw_value takes, int64_t deadline_ns, mw_value *ret_answer);
/* The same by message, for handlers and from outside: told is sent {"id": ID, "answer": ANSWER}, or {"id": ID, "error": CODE} with a code as
 * mw_ask gives it, above a full mailbox if need be. Nobody waits for room in t: past twice its capacity -EAGAIN.
 * returns  ID, greater than 0; or negative, as mw_ask. Takes in every case. */
MW_EXPORT int64_t mw_ask_to(mw_tasklet *t, mw_value takes, int64_t deadline_ns, mw_tasklet *told);
/* Answer the question that the item in self's hand came with.
 * returns  0; -ENOENT no question came with it, or it has been answered or kept; -EPIPE nobody waits for the answer any longer;
 *          -ENOMEM. Takes in every case.
 * context  inside self's own body */
MW_EXPORT int mw_answer(mw_tasklet *self, mw_value takes);

/* A question that is answered later than its item is done with. */
typedef struct mw_question mw_question;
/* Keep the question of the item in self's hand. Items may go on coming; it is answered, or dropped, once.
 * returns  owned: mw_question_answer or mw_question_drop; NULL: no question came with it
 * context  inside self's own body */
MW_EXPORT MW_MUST_USE mw_question *mw_question_keep(mw_tasklet *self);
/* Answer it. Takes both. returns 0; -EPIPE nobody waits any longer; -EINVAL; -ENOMEM */
MW_EXPORT int mw_question_answer(mw_question *takes_question, mw_value takes);
MW_EXPORT void mw_question_drop(mw_question *takes_question); /* whoever asked gets -ENODATA; accepts NULL */

/* ---- when it fails -------------------------------------------------------------------- */

/* Restart a tasklet that fails. Its queue is kept, also what is sent meanwhile; the item that it had in hand when it failed is set aside; the
 * failure hook is told each time. One that fails more often stays closed. Costs a reference per item. */
struct mw_supervision {
    size_t size;                          /* sizeof(struct mw_supervision) */
    uint32_t restarts MW_OPTIONAL;        /* so many in a window; 0: it is not supervised */
    int64_t window_ns MW_OPTIONAL;        /* 0: a minute */
    int64_t backoff_first_ns MW_OPTIONAL; /* before the first restart of a window, doubled with each; 0: 100 ms */
    int64_t backoff_most_ns MW_OPTIONAL;  /* 0: 10 s */
};
/* rules  copied; NULL: no longer supervised, what was set aside is dropped
 * returns 0; -EINVAL; -ENOMEM. context: the mesh's own thread */
MW_EXPORT int mw_supervise(mw_tasklet *t, const struct mw_supervision *rules);
/* Take the item that was set aside longest. 16 are kept, the newest; those before are dropped and counted.
 * ret_item  returned owned. returns false: there is none */
MW_EXPORT bool mw_take_set_aside(mw_tasklet *t, mw_value *ret_item);

/* Have told sent {"closed": NAME, "id": ID, "code": CODE} each time that watched closes: by itself (0), because it failed (negative, once it is
 * given up where it is supervised) or because it is freed (0). At once if it is closed now. Above a full mailbox if need be. Ends
 * with either of them.
 * returns  ID, greater than 0; -EINVAL; -ENOMEM. context: the mesh's own thread */
MW_EXPORT int64_t mw_monitor(mw_tasklet *watched, mw_tasklet *told);
/* returns 1; 0 there is no such monitor (any more); -EINVAL */
MW_EXPORT int mw_unmonitor(mw_tasklet *told, int64_t id);

/* ---- from other threads ------------------------------------------------------------
 * A mw_tasklet * is for its mesh's own thread. Other threads hold an address: reference-counted, good as long as somebody holds it,
 * also when the tasklet has gone. A tasklet keeps its address wherever it moves. */

typedef struct mw_address mw_address;
/* The address of t, made when first asked for.
 * returns  owned: mw_address_unref; NULL: out of memory, or t is NULL or being freed
 * context  the mesh's own thread */
MW_EXPORT MW_MUST_USE mw_address *mw_tasklet_address(mw_tasklet *t);
/* Another reference. context: any thread. Accepts NULL, which it returns. */
MW_EXPORT mw_address *mw_address_ref(mw_address *address);
MW_EXPORT void mw_address_unref(mw_address *address); /* any thread; accepts NULL */
/* Send an item from any thread, without waiting. What one thread posts to one address arrives in that order. As many items as
 * the mailbox's capacity may be under way or queued beyond it; what has been accepted is queued, and lost only when the
 * tasklet is freed or finished first (posts_dropped in the scheduler's stats). A mesh that sleeps is woken.
 * returns  0; -EAGAIN no room there now, or in the inbox of its mesh; -EPIPE the tasklet is gone; -EINVAL; -ENOMEM an item
 *          that is MW_MISSING. Takes in every case.
 * context  any thread; no lock is taken, nothing is allocated */
MW_EXPORT int mw_post(mw_address *address, mw_value takes);
/* As mw_post, but takes only on success: *io is then mw_null(), else untouched. */
MW_EXPORT MW_MUST_USE int mw_post_offer(mw_address *address, mw_value *io);

/* ---- about one ---------------------------------------------------------------- */
MW_EXPORT const char *mw_tasklet_name(const mw_tasklet *t); /* borrowed until renamed or freed */
MW_EXPORT int mw_tasklet_set_name(mw_tasklet *t, const char *name); /* copied */
MW_EXPORT void *mw_tasklet_scope(const mw_tasklet *t);

/* How urgent a tasklet is to a priority scheduler (scheduler.h): an int, lower first, or a function that gives one, or
 * another function, to 16 of them. Others do not ask. */
typedef struct mw_priority mw_priority;
/* Gives the priority of t: the mesh waits for it, so it only looks and computes. It is asked again each
 * time t is queued for a round. It must not free t. */
typedef mw_priority mw_priority_function(mw_tasklet *t, void *context);
struct mw_priority {
    int value;                      /* where function is NULL */
    int error;                      /* negative: it cannot be told; 0 */
    mw_priority_function *function; /* asked for it; may be NULL */
    void *context;                  /* the function's; borrowed while t has it */
};
/* Give a tasklet a priority; each is 0 at first. From the next time on that it is queued for a round.
 * returns 0, -EINVAL, -ENOMEM: as before */
MW_EXPORT int mw_set_priority(mw_tasklet *t, int priority);
/* The same with a function. context: borrowed until another priority is set or t is freed. */
MW_EXPORT int mw_set_priority_function(mw_tasklet *t, mw_priority_function *function, void *context);
/* Ask for the priority now.
 * returns 0; -EINVAL; -ELOOP functions that give functions, more than 16 deep; or the error that a function gave */
MW_EXPORT int mw_get_priority(mw_tasklet *t, int *ret_priority);

struct mw_tasklet_stats {
    size_t queued_items, capacity_items;
    uint64_t processed; /* items handed to the body */
    uint64_t refused;   /* items that found the mailbox full and were refused */
    uint64_t dropped;   /* by an overflow policy, by clear, set, restart or free */
    uint64_t swallowed; /* by the null tasklet */
    uint64_t failures;  /* bodies that returned < 0 */
    uint64_t late_results; /* bodies that returned < 0 after a close was asked for */
};
MW_EXPORT struct mw_tasklet_stats mw_tasklet_stats(const mw_tasklet *t);

MW_END_DECLS

#endif
