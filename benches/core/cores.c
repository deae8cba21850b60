/* What does an item cost from one core to another? ns per item of a pipeline over two workers (made on one, forwarded and counted on the other),
 * of a hundred on one worker that post to one on the other (fan-in), per message of a talking pair that shares a worker, and of one
 * that does not (across-2).
 * Needs the runtime. SPDX-License-Identifier: MIT */
#include <meshwork/runtime.h>

#include <errno.h>

#include "bench.h"

enum { ITEMS = 2000000, FAN = 100 };

struct end {
    mw_runtime *runtime;
    int64_t count, stop_ns;
};

static int count_it(mw_tasklet *self, void *scope, mw_value item)
{
    struct end *end = scope;

    (void)self;
    end->count += item.as.integer;
    if (end->count < ITEMS)
        return 0;
    end->stop_ns = mw_now_ns();
    mw_runtime_stop(end->runtime);
    return 0;
}

static int forward(mw_tasklet *self, void *scope)
{
    mw_value item;

    while (mw_receive(self, &item))
        mw_send(scope, item);
    return 0;
}

struct source {
    mw_address *target;
    int64_t items;
};

static int post_all(mw_tasklet *self, void *scope)
{
    const struct source *source = scope;
    int64_t i;

    for (i = 0; i < source->items; i++) {
        while (mw_post(source->target, mw_int(1)) == -EAGAIN) {
            if (mw_sleep_until(self, 0) < 0) /* let others run */
                return 0;
        }
    }
    return 0;
}

static double over_two(int sources, bool has_stage)
{
    struct end end = {0};
    struct source source = {.items = ITEMS / sources};
    struct mw_error error = {0};
    mw_scheduler *front, *back, *outside;
    mw_tasklet *t;
    int64_t start;
    int i;

    bench_check(mw_runtime_open(&(mw_runtime_options){.size = sizeof(mw_runtime_options), .workers = 2}, &end.runtime, &error) == 0,
                error.text);
    back = mw_runtime_mesh(end.runtime, 1);
    outside = mw_scheduler_enter(back);
    t = mw_handler_new(count_it, &end);
    if (has_stage)
        t = mw_tasklet_new(forward, t);
    source.target = mw_tasklet_address(t);
    front = mw_runtime_mesh(end.runtime, 0);
    mw_scheduler_enter(front);
    for (i = 0; i < sources; i++)
        bench_check((t = mw_tasklet_new(post_all, &source)) != NULL, "no tasklet");
    mw_scheduler_leave(outside);
    start = mw_now_ns();
    mw_runtime_start(end.runtime, back);
    mw_runtime_start(end.runtime, front);
    mw_runtime_wait(end.runtime);
    mw_runtime_close(end.runtime, NULL);
    mw_address_unref(source.target);
    return (double)(end.stop_ns - start) / ITEMS;
}

static double pipeline(void)
{
    return over_two(1, true);
}

static double fan_in(void)
{
    return over_two(FAN, false);
}

struct player {
    struct end *end;
    mw_tasklet *target;
    int64_t left;
};

static int bounce(mw_tasklet *self, void *scope)
{
    struct player *p = scope;
    mw_value item;

    while (mw_receive(self, &item)) {
        if (p->left-- > 0)
            mw_send(p->target, item);
        else
            count_it(self, p->end, mw_int(ITEMS));
    }
    return 0;
}

static double pair(void)
{
    struct end end = {0};
    struct player players[2] = {{&end, NULL, ITEMS / 2}, {&end, NULL, ITEMS / 2}};
    struct mw_error error = {0};
    mw_scheduler *mesh, *outside;
    int64_t start;
    int i;

    bench_check(mw_runtime_open(&(mw_runtime_options){.size = sizeof(mw_runtime_options), .workers = 2}, &end.runtime, &error) == 0,
                error.text);
    mesh = mw_runtime_mesh(end.runtime, SIZE_MAX);
    outside = mw_scheduler_enter(mesh);
    for (i = 0; i < 2; i++)
        players[1 - i].target = mw_tasklet_new(bounce, &players[i]);
    mw_send(players[0].target, mw_int(1));
    mw_scheduler_leave(outside);
    start = mw_now_ns();
    mw_runtime_start(end.runtime, mesh);
    mw_runtime_wait(end.runtime);
    mw_runtime_close(end.runtime, NULL);
    return (double)(end.stop_ns - start) / ITEMS;
}

enum { BALLS = 100000 };

struct wall {
    struct end *end;
    mw_address *target;
};

static int hit(mw_tasklet *self, void *scope, mw_value item)
{
    struct wall *wall = scope;

    if (item.as.integer > 0)
        return mw_post(wall->target, mw_int(item.as.integer - 1));
    return count_it(self, wall->end, mw_int(ITEMS));
}

static double across(void)
{
    struct end end = {0};
    struct wall walls[2] = {{&end, NULL}, {&end, NULL}};
    struct mw_error error = {0};
    mw_scheduler *meshes[2], *outside;
    int64_t start;
    size_t i;

    bench_check(mw_runtime_open(&(mw_runtime_options){.size = sizeof(mw_runtime_options), .workers = 2}, &end.runtime, &error) == 0,
                error.text);
    for (i = 0; i < 2; i++) {
        meshes[i] = mw_runtime_mesh(end.runtime, i);
        outside = mw_scheduler_enter(meshes[i]);
        walls[1 - i].target = mw_tasklet_address(mw_handler_new(hit, &walls[i]));
        mw_scheduler_leave(outside);
    }
    bench_check(mw_post(walls[0].target, mw_int(BALLS)) == 0, "no room");
    start = mw_now_ns();
    for (i = 0; i < 2; i++)
        mw_runtime_start(end.runtime, meshes[i]);
    mw_runtime_wait(end.runtime);
    mw_runtime_close(end.runtime, NULL);
    for (i = 0; i < 2; i++)
        mw_address_unref(walls[i].target);
    return (double)(end.stop_ns - start) / BALLS;
}

int main(int argc, char **argv)
{
    bench_median(argc, argv, "pipeline-2", pipeline);
    bench_median(argc, argv, "fan-in-2", fan_in);
    bench_median(argc, argv, "pair-2", pair);
    bench_median(argc, argv, "across-2", across);
    return 0;
}
