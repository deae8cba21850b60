/* The seam between a mesh and what brings it input, output and other threads' work.
 * SPDX-License-Identifier: MIT */
#include "scheduler/host.h"

#include <errno.h>

#include "scheduler/scheduler_priv.h"
#include "tasklet/address.h"

#ifdef MW_CHECKED
void mw_tasklet_check(const mw_tasklet *t, const char *function)
{
    tasklet_check(t, function);
}
#endif

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

int mw_scheduler_has_posts(const mw_scheduler *s, uint32_t count)
{
    return s->inbox && !s->is_paused ? inbox_has(s->inbox, count) : -ENOENT;
}

void mw_scheduler_take_posts(mw_scheduler *s)
{
    if (s->inbox)
        mesh_take_posts(s);
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

int64_t mw_outside_ask(mw_tasklet *told, int64_t deadline_ns, struct mw_question **ret)
{
    return question_outside(told, deadline_ns, ret);
}

void mw_outside_answer(struct mw_question *question, int result, mw_value takes)
{
    question_answer_outside(question, result, takes);
}

struct mw_tasklet_look mw_tasklet_look(const mw_tasklet *t)
{
    return (struct mw_tasklet_look){.items = t->count, .is_waiting = t->state == TASKLET_WAITING, .file = t->site->file, .line = t->site->line};
}
