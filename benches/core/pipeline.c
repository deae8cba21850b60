/* What does an item cost on its way through others? ns per item of a pipeline of three coroutines, of a hundred that send to one (fan-in) and
 * of one that sends to a hundred (fan-out). Read next: make.c. SPDX-License-Identifier: MIT */
#include "bench.h"

enum { ITEMS = 1000000, FAN = 100 };

static int produce(mw_tasklet *self, void *scope)
{
    mw_tasklet **target = scope;
    int i;

    for (i = 0; i < ITEMS; i++)
        mw_send(*target, mw_int(1));
    (void)self;
    return 0;
}

static int produce_share(mw_tasklet *self, void *scope)
{
    mw_tasklet **target = scope;
    int i;

    for (i = 0; i < ITEMS / FAN; i++)
        mw_send(*target, mw_int(1));
    (void)self;
    return 0;
}

static int spread(mw_tasklet *self, void *scope)
{
    mw_tasklet **targets = scope;
    int i, j;

    for (i = 0; i < ITEMS / FAN; i++) {
        for (j = 0; j < FAN; j++)
            mw_send(targets[j], mw_int(1));
    }
    (void)self;
    return 0;
}

static int forward(mw_tasklet *self, void *scope)
{
    mw_tasklet **target = scope;
    mw_value item;

    while (mw_receive(self, &item))
        mw_send(*target, item);
    return 0;
}

static int swallow(mw_tasklet *self, void *scope)
{
    int64_t *sum = scope;
    mw_value item;

    while (mw_receive(self, &item))
        *sum += item.as.integer;
    return 0;
}

static double run(mw_scheduler *s, mw_scheduler *outside, const int64_t *sum)
{
    int64_t start;
    double ns;

    mw_scheduler_leave(outside);
    start = mw_now_ns();
    mw_scheduler_run(s);
    ns = bench_since(start, ITEMS);
    bench_check(*sum == ITEMS, "items are missing");
    mw_scheduler_free(s);
    return ns;
}

static double pipeline(void)
{
    mw_scheduler *s = mw_taskmaster_new(), *outside = mw_scheduler_enter(s);
    mw_tasklet *stages[3];
    int64_t sum = 0;

    stages[2] = mw_tasklet_new(swallow, &sum);
    stages[1] = mw_tasklet_new(forward, &stages[2]);
    stages[0] = mw_tasklet_new(produce, &stages[1]);
    return run(s, outside, &sum);
}

static double fan_in(void)
{
    mw_scheduler *s = mw_taskmaster_new(), *outside = mw_scheduler_enter(s);
    mw_tasklet *sink, *source;
    int64_t sum = 0;
    int i;

    sink = mw_tasklet_new(swallow, &sum);
    for (i = 0; i < FAN; i++) {
        source = mw_tasklet_new(produce_share, &sink);
        bench_check(source != NULL, "no tasklet");
    }
    return run(s, outside, &sum);
}

static double fan_out(void)
{
    mw_scheduler *s = mw_taskmaster_new(), *outside = mw_scheduler_enter(s);
    mw_tasklet *sinks[FAN], *source;
    int64_t sum = 0;
    int i;

    for (i = 0; i < FAN; i++)
        sinks[i] = mw_tasklet_new(swallow, &sum);
    source = mw_tasklet_new(spread, sinks);
    bench_check(source != NULL, "no tasklet");
    return run(s, outside, &sum);
}

int main(int argc, char **argv)
{
    bench_median(argc, argv, "pipeline", pipeline);
    bench_median(argc, argv, "fan-in", fan_in);
    bench_median(argc, argv, "fan-out", fan_out);
    mw_thread_end();
    return 0;
}
