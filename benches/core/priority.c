/* What does it cost to run a thousand tasklets by priority? ns per tasklet of a round in which each has an item and a priority of its own, the
 * sending included; handlers. Read next: idle.c. SPDX-License-Identifier: MIT */
#include "bench.h"

enum { TASKLETS = 1000, ROUNDS = 500 };

static int count_it(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    *(int64_t *)scope += item.as.integer;
    return 0;
}

static double rounds(void)
{
    static mw_tasklet *tasklets[TASKLETS];
    mw_scheduler *s = mw_priority_scheduler_new(false), *outside = mw_scheduler_enter(s);
    int64_t sum = 0, start = 0;
    double ns;
    int i, round;

    for (i = 0; i < TASKLETS; i++) {
        tasklets[i] = mw_handler_new(count_it, &sum);
        mw_set_priority(tasklets[i], i * 7919 % TASKLETS); /* 7919 is prime: each number once */
    }
    mw_scheduler_leave(outside);
    for (round = -10; round < ROUNDS; round++) {
        if (round == 0)
            start = mw_now_ns();
        for (i = 0; i < TASKLETS; i++)
            mw_send(tasklets[i], mw_int(1));
        mw_scheduler_run(s);
    }
    ns = bench_since(start, (double)TASKLETS * ROUNDS);
    bench_check(sum == (int64_t)TASKLETS * (ROUNDS + 10), "items are missing");
    mw_scheduler_free(s);
    return ns;
}

int main(int argc, char **argv)
{
    bench_median(argc, argv, "priority", rounds);
    mw_thread_end();
    return 0;
}
