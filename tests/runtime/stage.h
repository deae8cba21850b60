/* A runtime per test, what the bodies on its workers found out, and their end.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_RUNTIME_STAGE_H
#define TESTS_RUNTIME_STAGE_H

#include <stdatomic.h>

#include <meshwork/runtime.h>

#include "check.h"

#define MS INT64_C(1000000)
#define LONG (INT64_C(20000) * MS) /* never waited for when all is well */

/* What bodies of a test found out; read when the runtime has ended. */
static struct {
    mw_runtime *rt;
    int results[16], count;
    int port;
    char text[600];
    size_t text_count;
    mw_stream *shared;
    mw_tasklet *other;
    atomic_int left;
} seen;

__attribute__((unused)) static void keep(int result)
{
    if (seen.count < 16)
        seen.results[seen.count++] = result;
}

/* One of those that a test waits for is done. */
__attribute__((unused)) static void done(void)
{
    if (atomic_fetch_sub(&seen.left, 1) == 1)
        mw_runtime_stop(seen.rt);
}

__attribute__((unused)) static void begin(size_t workers, int left)
{
    mw_runtime_options options = {.size = sizeof(options), .workers = workers};
    struct mw_error error = {0};

    memset(&seen, 0, sizeof(seen));
    atomic_init(&seen.left, left);
    CHECK_INT(mw_runtime_open(&options, &seen.rt, &error), 0);
    CHECK_INT(mw_runtime_worker_count(seen.rt), workers);
}

__attribute__((unused)) static void end(struct mw_runtime_report *ret_report)
{
    mw_runtime_wait(seen.rt);
    mw_runtime_close(seen.rt, ret_report);
}

/* A coroutine that does one thing on a worker, with a tasklet beside it that is made first (or NULL). */
__attribute__((unused)) static void run_bodies(mw_body *one, mw_body *two)
{
    mw_scheduler *mesh = mw_runtime_mesh(seen.rt, 0), *outside = mw_scheduler_enter(mesh);

    CHECK(mesh != NULL);
    if (two)
        CHECK((seen.other = mw_tasklet_new(two, NULL)) != NULL);
    CHECK(mw_tasklet_new(one, NULL) != NULL);
    mw_scheduler_leave(outside);
    CHECK_INT(mw_runtime_start(seen.rt, mesh), 0);
}

#endif
