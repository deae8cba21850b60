/* What the tests of this room share: a mesh per test, links that note and hand on.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_SCHEDULER_MESHES_H
#define TEST_SCHEDULER_MESHES_H

#include <meshwork/scheduler.h>

#include "../tasklet/bodies.h"

/* A mesh of its own per test; what is made between open and close belongs to it. */
struct mesh {
    mw_scheduler *s, *previous;
};

__attribute__((unused)) static struct mesh open_mesh(void)
{
    struct mesh m = {.s = mw_taskmaster_new()};

    CHECK(m.s != NULL);
    m.previous = mw_scheduler_enter(m.s);
    return m;
}

__attribute__((unused)) static void close_mesh(struct mesh *m)
{
    mw_scheduler_leave(m->previous);
    mw_scheduler_free(m->s);
}

struct link {
    struct diary *d;
    const char *name;
    mw_tasklet *target;
};

__attribute__((unused)) static int link_body(mw_tasklet *self, void *scope)
{
    struct link *l = scope;
    mw_value item;

    while (mw_receive(self, &item)) {
        note(l->d, "%s%d ", l->name, (int)item.as.integer);
        if (l->target)
            mw_send(l->target, item);
    }
    return 0;
}

__attribute__((unused)) static int link_handler(mw_tasklet *self, void *scope, mw_value item)
{
    struct link *l = scope;

    (void)self;
    note(l->d, "%s%d ", l->name, (int)item.as.integer);
    if (l->target)
        mw_send(l->target, item);
    return 0;
}

/* Refills itself for ever. */
__attribute__((unused)) static int send_to_itself(mw_tasklet *self, void *scope, mw_value item)
{
    ++*(int64_t *)scope;
    return mw_send(self, item);
}

#endif
