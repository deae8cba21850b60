/* The seam between a mesh and what brings it input, output and other threads' work.
 * SPDX-License-Identifier: MIT */
#include "scheduler/host.h"

#include <errno.h>

#include "scheduler/scheduler_priv.h"

void mw_scheduler_set_host(mw_scheduler *s, void *host)
{
    s->host = host;
}

void *mw_tasklet_host(const mw_tasklet *t)
{
    const mw_scheduler *m;

    for (m = t ? t->mesh : NULL; m; m = mesh_parent(m)) {
        if (m->host)
            return m->host;
    }
    return NULL;
}

int mw_outside_check(const mw_tasklet *self)
{
    return tasklet_may_wait(self);
}

int mw_outside_wait(mw_tasklet *self, enum mw_outside what, int64_t deadline_ns)
{
    static const enum tasklet_wait waits[] = {
        [MW_OUTSIDE_IO] = WAIT_IO, [MW_OUTSIDE_WORK] = WAIT_WORK, [MW_OUTSIDE_PROCESS] = WAIT_PROCESS,
    };

    return tasklet_wait_until(self, waits[what], NULL, deadline_ns, -ETIMEDOUT);
}

void mw_outside_wake(mw_tasklet *t, int result)
{
    if (t->state == TASKLET_WAITING) /* else its deadline has come first: that counts */
        tasklet_wake(t, result);
}

mw_tasklet *mw_scheduler_count_queued(const mw_scheduler *s, uint64_t *ret_items, size_t *ret_waiting)
{
    mw_tasklet *fullest = NULL;
    uint32_t i;

    *ret_items = 0;
    *ret_waiting = 0;
    for (i = 0; i < s->top; i++) {
        mw_tasklet *t = s->members[i], *within = NULL;
        uint64_t items = 0;
        size_t waiting = 0;

        if (!t)
            continue;
        if (t->kind == TASKLET_MESH && t->scope)
            within = mw_scheduler_count_queued(t->scope, &items, &waiting);
        *ret_items += t->count + items;
        *ret_waiting += (t->state == TASKLET_WAITING) + waiting;
        if (t->count > (fullest ? fullest->count : 0))
            fullest = t;
        if (within && within->count > (fullest ? fullest->count : 0))
            fullest = within;
    }
    return fullest;
}
