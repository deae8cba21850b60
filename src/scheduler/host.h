/* What a runtime above needs of a mesh: to find itself again from a tasklet, and to suspend and wake one for something that comes from
 * outside. Exported for the other library, not installed. Read next: host.c.
 * SPDX-License-Identifier: MIT */
#ifndef SCHEDULER_HOST_H
#define SCHEDULER_HOST_H

#include <meshwork/scheduler.h>

/* Who runs a mesh, and those nested in it; borrowed, NULL: nobody has said. */
MW_EXPORT void mw_scheduler_set_host(mw_scheduler *s, void *host);
MW_EXPORT void *mw_tasklet_host(const mw_tasklet *t);

/* In checked builds, of what a caller of a function above gives, which may be NULL: one that has been freed ends the process, with its name. */
#ifdef MW_CHECKED
MW_EXPORT void mw_tasklet_check(const mw_tasklet *t, const char *function);
#define LIVE_CHECK(t) mw_tasklet_check((t), __func__)
#else
#define LIVE_CHECK(t) ((void)0)
#endif

/* This thread gives it to another one, which has not run it yet. */
MW_EXPORT void mw_scheduler_hand_over(mw_scheduler *s);

/* For a loop that looks for posts a while before it sleeps, on the mesh's own thread. As mw_scheduler_turn, but what is posted meanwhile is left for
 * the next turn, and nobody is told that it sleeps. Adds up the items that were handed over. returns 1 more is ready; 0; -EBUSY */
MW_EXPORT int mw_scheduler_turn_awake(mw_scheduler *s, uint64_t *io_items);
/* Whether so many items, 1 and up, have been posted that no turn has taken. returns 1; 0 fewer; -ENOENT none can be: no tasklet of the mesh has
 * an address, or it is paused */
MW_EXPORT int mw_scheduler_has_posts(const mw_scheduler *s, uint32_t count);
/* The loop is about to sleep: whoever posts from now on calls the hook of mw_scheduler_on_post. true: it must not, something has been posted */
MW_EXPORT bool mw_scheduler_is_roused(mw_scheduler *s);

/* Bring what was posted so far into the mailboxes it is for. context: the mesh's own thread, outside its turns */
MW_EXPORT void mw_scheduler_take_posts(mw_scheduler *s);

enum mw_outside { MW_OUTSIDE_IO, MW_OUTSIDE_WORK, MW_OUTSIDE_PROCESS };
/* Whether self may suspend now: 0; -EINVAL not inside its body, -ENOTSUP a handler, -ECANCELED it is being closed */
MW_EXPORT int mw_outside_check(const mw_tasklet *self);
/* Suspend self until mw_outside_wake. returns what that passes; -ETIMEDOUT, -ECANCELED, -ENOMEM
 * context  inside self's body, after mw_outside_check */
MW_EXPORT int mw_outside_wait(mw_tasklet *self, enum mw_outside what, int64_t deadline_ns);
/* End such a wait, once. context: the mesh's own thread, outside any body */
MW_EXPORT void mw_outside_wake(mw_tasklet *t, int result);

struct mw_question;
/* Somebody outside answers, once, with mw_outside_answer; told is sent {"id": ID, "answer": ANSWER} then, or {"id": ID, "error": CODE}: -ETIMEDOUT
 * at the deadline. Where told is gone by then, nobody is. context: the mesh's own thread. returns ID; -EINVAL, -ENOMEM */
MW_EXPORT int64_t mw_outside_ask(mw_tasklet *told, int64_t deadline_ns, struct mw_question **ret);
/* result  negative: the CODE. takes the answer, MW_MISSING too: -ENOMEM. context: the same thread, also when the mesh is gone */
MW_EXPORT void mw_outside_answer(struct mw_question *question, int result, mw_value takes);

/* What a runtime's end says of a tasklet. */
struct mw_tasklet_look {
    size_t items;     /* queued */
    bool is_waiting;  /* for something other than its queue */
    const char *file; /* where it was made; NULL: nobody said */
    int line;
};
MW_EXPORT struct mw_tasklet_look mw_tasklet_look(const mw_tasklet *t);

#endif
