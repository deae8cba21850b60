/* What the files of this room share: a scheduler is the mesh of the tasklet room, and who runs next.
 * The public contract is meshwork/scheduler.h. Read next: taskmaster.c.
 * SPDX-License-Identifier: MIT */
#ifndef SCHEDULER_SCHEDULER_PRIV_H
#define SCHEDULER_SCHEDULER_PRIV_H

#include <meshwork/scheduler.h>

#include "tasklet/mesh.h"
#include "tasklet/tasklet_priv.h"

#endif
