/* Coroutines put on a worker, for tests of what such may wait for.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_RUNTIME_BODIES_H
#define TESTS_RUNTIME_BODIES_H

#include <meshwork/runtime.h>

#include "check.h"

/* One coroutine, or two, in a mesh of their own that the worker runs from now on. ret_two  where there are two: the second */
static inline void give_bodies(mw_runtime *rt, size_t worker, mw_body *one, mw_body *two, mw_tasklet **ret_two)
{
    mw_scheduler *mesh = mw_runtime_mesh(rt, worker), *outside = mw_scheduler_enter(mesh);

    if (two)
        CHECK((*ret_two = mw_tasklet_new(two, NULL)) != NULL);
    CHECK(mw_tasklet_new(one, NULL) != NULL);
    mw_scheduler_leave(outside);
    CHECK_INT(mw_runtime_start(rt, mesh), 0);
}

#endif
