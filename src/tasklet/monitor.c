/* Monitors: a tasklet is told by an item when another one closes; bonds: somebody outside is told by a call when it is freed.
 * Not restarting it; that is supervise.c. Read next: ../scheduler/scheduler.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/memory.h"
#include "tasklet/bond.h"
#include "tasklet/tasklet_priv.h"

struct monitor {
    struct mw_link watched_link, told_link;
    mw_tasklet *watched, *told;
    int64_t id;
};

static void monitor_free(struct monitor *m)
{
    mw_link_remove(&m->watched_link);
    mw_link_remove(&m->told_link);
    mw_free(m);
}

/* {"closed": "parser", "id": 3, "code": -5}, above a full mailbox if need be. */
static void monitor_tell(const struct monitor *m, int code)
{
    mw_value message = mw_map_new();
    int err = mw_map_set(&message, "closed", mw_text(mw_tasklet_name(m->watched)));

    if (err == 0)
        err = mw_map_set(&message, "id", mw_int(m->id));
    if (err == 0)
        err = mw_map_set(&message, "code", mw_int(code));
    if (err == 0)
        err = mailbox_put_above(m->told, message);
    if (err == 0)
        return;
    mw_release(message);
    tasklet_count_refused(m->told);
}

void monitors_tell(mw_tasklet *watched, int code)
{
    struct mw_link *at;

    for (at = watched->side ? watched->side->monitors.head.next : NULL; at && at != &watched->side->monitors.head; at = at->next)
        monitor_tell(MW_CONTAINER_OF(at, struct monitor, watched_link), code);
}

void monitors_forget(mw_tasklet *t)
{
    if (!t->side)
        return;
    while (!mw_list_is_empty(&t->side->monitors))
        monitor_free(MW_CONTAINER_OF(t->side->monitors.head.next, struct monitor, watched_link));
    while (!mw_list_is_empty(&t->side->monitored))
        monitor_free(MW_CONTAINER_OF(t->side->monitored.head.next, struct monitor, told_link));
}

int64_t mw_monitor(mw_tasklet *watched, mw_tasklet *told)
{
    struct monitor *m;

    TASKLET_CHECK(watched);
    TASKLET_CHECK(told);
    if (!watched || !told || watched == told || (watched->attention | told->attention) & ASKED_FREE)
        return -EINVAL;
    if (!tasklet_side(watched) || !tasklet_side(told))
        return -ENOMEM;
    m = mw_alloc_zeroed(1, sizeof(*m));
    if (!m)
        return -ENOMEM;
    m->watched = watched;
    m->told = told;
    m->id = ++told->mesh->later_id;
    mw_list_push_back(&watched->side->monitors, &m->watched_link);
    mw_list_push_back(&told->side->monitored, &m->told_link);
    if (watched->state == TASKLET_CLOSED && !tasklet_will_restart(watched))
        monitor_tell(m, 0);
    return m->id;
}

int mw_unmonitor(mw_tasklet *told, int64_t id)
{
    struct mw_link *at;

    TASKLET_CHECK(told);
    if (!told || id <= 0)
        return -EINVAL;
    for (at = told->side ? told->side->monitored.head.next : NULL; at && at != &told->side->monitored.head; at = at->next) {
        struct monitor *m = MW_CONTAINER_OF(at, struct monitor, told_link);

        if (m->id == id) {
            monitor_free(m);
            return 1;
        }
    }
    return 0;
}

/* ---- bonds ---------------------------------------------------------------------------------------- */
int mw_bond_begin(mw_tasklet *t, struct mw_bond *bond, void (*gone)(struct mw_bond *bond))
{
    if (!t || t->attention & ASKED_FREE)
        return -EINVAL;
    if (!tasklet_side(t))
        return -ENOMEM;
    bond->gone = gone;
    mw_list_push_back(&t->side->bonds, &bond->link);
    return 0;
}

void bonds_end(mw_tasklet *t)
{
    struct mw_link *link;

    while (t->side && (link = mw_list_pop_front(&t->side->bonds)) != NULL) {
        struct mw_bond *bond = MW_CONTAINER_OF(link, struct mw_bond, link);

        bond->gone(bond);
    }
}
