/* A program that is one tasklet and what that makes: a runtime of one worker, the calling thread, for as long as the tasklet is open.
 * Not a place in somebody's loop; that is embed.c. Read next: examples/09-chat.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "runtime/worker.h"

struct program {
    mw_runtime *rt;
    int result;
};

/* The first tasklet has closed, and does not come back. */
static int first_closed(mw_tasklet *self, void *scope, mw_value item)
{
    struct program *p = scope;
    const mw_value *code = mw_map_get(item, "code");

    (void)self;
    p->result = code ? (int)code->as.integer : 0;
    mw_release(item);
    mw_runtime_stop(p->rt);
    return 0;
}

/* returns  borrowed, who is told when the first one closes; NULL: out of memory */
static mw_tasklet *program_begin(struct program *p, mw_body *body, void *scope, const char *name, const char *file, int line)
{
    mw_scheduler *mesh = mw_runtime_mesh(p->rt, 0), *outside;
    mw_tasklet *first, *watcher;

    if (!mesh)
        return NULL;
    outside = mw_scheduler_enter(mesh);
    first = mw_tasklet_new_at(body, scope, name, file, line);
    watcher = mw_handler_new(first_closed, p);
    mw_scheduler_leave(outside);
    return first && watcher && mw_monitor(first, watcher) > 0 && mw_runtime_start(p->rt, mesh) == 0 ? watcher : NULL;
}

int mw_runtime_main_at(mw_body *body, void *scope, const char *name, const char *file, int line, struct mw_error *ret_error)
{
    mw_runtime_options options = {.size = sizeof(options), .workers = 1, .is_embedded = true};
    struct program p = {.result = 0};
    mw_tasklet *watcher;
    int err;

    if (!body)
        return mw_fail(ret_error, -EINVAL, "run a program: body is NULL");
    err = mw_runtime_open(&options, &p.rt, ret_error);
    if (err < 0)
        return err;
    watcher = program_begin(&p, body, scope, name, file, line);
    if (!watcher) {
        mw_runtime_close(p.rt, NULL);
        return mw_fail(ret_error, -ENOMEM, "run '%s': out of memory", name);
    }
    do
        err = mw_runtime_turn(p.rt, MW_FOREVER);
    while (err == 1 && mw_tasklet_stats(watcher).refused == 0); /* else there was no memory to say that it has closed */
    mw_runtime_close(p.rt, NULL);
    if (err != 0)
        return mw_fail(ret_error, err < 0 ? err : -ENOMEM, "run '%s': %s", name, mw_strerror(err < 0 ? err : -ENOMEM));
    return p.result < 0 ? mw_fail(ret_error, p.result, "run '%s': it failed: %s", name, mw_strerror(p.result)) : 0;
}
