/* What the files of this room share: a scheduler is the mesh of the tasklet room, and who runs next.
 * The public contract is meshwork/scheduler.h. Read next: taskmaster.c.
 * SPDX-License-Identifier: MIT */
#ifndef SCHEDULER_SCHEDULER_PRIV_H
#define SCHEDULER_SCHEDULER_PRIV_H

#include <meshwork/scheduler.h>

#include "tasklet/address.h"
#include "tasklet/mesh.h"
#include "tasklet/tasklet_priv.h"

/* ---- run.c ------------------------------------------------------------------------------------------------ */
/* Run what is due and ready: a turn, or until nothing is. returns items handed over, or -EBUSY */
int64_t scheduler_go(mw_scheduler *s, bool is_bounded);
/* ---- deadlock.c ------------------------------------------------------------------------------------------- */
/* Nothing is ready: if some wait for each other in a ring, tell the failure hook, once, with the names in last_error. */
void scheduler_look_for_deadlock(mw_scheduler *s);
bool scheduler_is_deadlocked(mw_scheduler *s); /* whether one that was found is still there */

/* ---- taskmaster.c ----------------------------------------------------------------------------------------- */
uint64_t taskmaster_turn(mw_scheduler *s);
uint64_t taskmaster_run(mw_scheduler *s); /* all turns, in the order of rounds */

/* ---- watched.c: the taskmaster where somebody listens, or chance decides ------------------------------------- */
/* As taskmaster_turn, saying what it does. */
uint64_t watched_turn(mw_scheduler *s);

/* ---- trace.c ---------------------------------------------------------------------------------------------- */
/* Say what happens to t, which s->held must be: whoever listens may do anything, also to t. Then look whether it is still
 * held. is_incremental: the run is for its first item alone */
void scheduler_tell(mw_scheduler *s, enum mw_trace_kind kind, mw_tasklet *t, int priority, bool is_incremental);

/* ---- inline ------------------------------------------------------------------------------------------------- */
/* In a run that has no end of its own, so many passes or visits apart: what is due or posted meanwhile is not forgotten, and the clock is not read
 * each time. */
enum { PASSES_PER_LOOK = 64,
       VISITS_PER_LOOK = 256 };
static inline void scheduler_look_at_clock(mw_scheduler *s)
{
    if (s->inbox)
        mesh_take_posts(s);
    if (s->timers.count > 0) {
        mesh_read_clock(s);
        mesh_timers_run(s);
    }
}

/* Does it stand in the ready set with something to do, and nothing in its way? */
static inline bool is_runnable(const mw_tasklet *t)
{
    return t->quiet & QUIET_READY && (LIKELY(t->count > 0) || tasklet_is_due(t)) &&
           (t->state == TASKLET_IDLE || t->state == TASKLET_FRESH || t->state == TASKLET_WOKEN);
}

#endif
