/* What the files of this room share: a scheduler is the mesh of the tasklet room, and who runs next.
 * The public contract is meshwork/scheduler.h. Read next: taskmaster.c.
 * SPDX-License-Identifier: MIT */
#ifndef SCHEDULER_SCHEDULER_PRIV_H
#define SCHEDULER_SCHEDULER_PRIV_H

#include <meshwork/scheduler.h>

#include "tasklet/mesh.h"
#include "tasklet/tasklet_priv.h"

/* Between the passes of a run that has no end of its own: what is due meanwhile is not forgotten, and the clock is not read for
 * each pass. */
static inline void scheduler_look_at_clock(mw_scheduler *s, uint32_t passes)
{
    if (UNLIKELY(s->timers.count > 0) && passes % 64 == 0) {
        mesh_read_clock(s);
        mesh_timers_run(s);
    }
}

#endif
