/* What the files of this room share: a scheduler is the mesh of the tasklet room, and who runs next.
 * The public contract is meshwork/scheduler.h. Read next: taskmaster.c.
 * SPDX-License-Identifier: MIT */
#ifndef SCHEDULER_SCHEDULER_PRIV_H
#define SCHEDULER_SCHEDULER_PRIV_H

#include <meshwork/scheduler.h>

#include "tasklet/mesh.h"
#include "tasklet/tasklet_priv.h"

/* Go over the ready ones in the order of their adding, flushing each, at most so many passes.
 * is_bounded  stop when the budget of a turn is used
 * returns     items handed over */
uint64_t taskmaster_passes(mw_scheduler *s, bool is_bounded);

#endif
