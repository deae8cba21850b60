/* What does an item cost a handler? ns per mw_send and mw_next of it; one at a time, and a thousand queued and then flushed.
 * Read next: pingpong.c. SPDX-License-Identifier: MIT */
#include "bench.h"

enum { ITEMS = 2000000, QUEUED = 1000 };

static int count_it(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    *(int64_t *)scope += item.as.integer;
    return 0;
}

static double send_next(void)
{
    int64_t sum = 0, start = mw_now_ns();
    mw_tasklet *t = mw_handler_new(count_it, &sum);
    double ns;
    int i;

    for (i = 0; i < ITEMS; i++) {
        mw_send(t, mw_int(1));
        mw_next(t);
    }
    ns = bench_since(start, ITEMS);
    bench_check(sum == ITEMS, "items are missing");
    mw_tasklet_free(t);
    return ns;
}

static double send_flush(void)
{
    int64_t sum = 0, start = mw_now_ns();
    mw_tasklet *t = mw_handler_new(count_it, &sum);
    double ns;
    int i, j;

    for (i = 0; i < ITEMS / QUEUED; i++) {
        for (j = 0; j < QUEUED; j++)
            mw_send(t, mw_int(1));
        mw_flush(t);
    }
    ns = bench_since(start, ITEMS);
    bench_check(sum == ITEMS, "items are missing");
    mw_tasklet_free(t);
    return ns;
}

int main(int argc, char **argv)
{
    bench_median(argc, argv, "send-next", send_next);
    bench_median(argc, argv, "send-flush", send_flush);
    mw_thread_end();
    return 0;
}
