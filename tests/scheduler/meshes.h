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

/* ---- of the priority scheduler ------------------------------------------------------------------------- */
__attribute__((unused)) static struct mesh open_priorities(bool incremental)
{
    struct mesh m = {.s = mw_priority_scheduler_new(incremental)};

    CHECK(m.s != NULL);
    m.previous = mw_scheduler_enter(m.s);
    return m;
}

/* A link with a name, a priority, and items from 1 on. */
__attribute__((unused)) static mw_tasklet *new_link(struct link *l, int priority, int items)
{
    mw_tasklet *t = mw_handler_new(link_handler, l);

    CHECK(t != NULL);
    CHECK_INT(mw_set_priority(t, priority), 0);
    send_ints(t, 1, items);
    return t;
}

/* A priority that is another number each time it is asked for. */
struct script {
    const int *next;
    int asked;
};

__attribute__((unused)) static mw_priority scripted(mw_tasklet *t, void *context)
{
    struct script *script = context;

    CHECK(t != NULL);
    script->asked++;
    return (mw_priority){.value = *script->next++};
}

#endif
