/* What does a life cost? ns to make and free a handler, and to make, begin, close and free a coroutine, on pooled memory.
 * Read next: priority.c. SPDX-License-Identifier: MIT */
#include "bench.h"

enum { LIVES = 500000 };

static int swallow_item(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    *(int64_t *)scope += item.as.integer;
    return 0;
}

static int swallow(mw_tasklet *self, void *scope)
{
    mw_value item;

    while (mw_receive(self, &item))
        *(int64_t *)scope += item.as.integer;
    return 0;
}

static double make_handlers(void)
{
    int64_t start = mw_now_ns(), sum = 0;
    int i;

    for (i = 0; i < LIVES; i++)
        mw_tasklet_free(mw_handler_new(swallow_item, &sum));
    return bench_since(start, LIVES);
}

static double make_coroutines(void)
{
    int64_t start = mw_now_ns(), sum = 0;
    int i;

    for (i = 0; i < LIVES; i++) {
        mw_tasklet *t = mw_tasklet_new(swallow, &sum);

        mw_start(t);
        mw_tasklet_free(t);
    }
    return bench_since(start, LIVES);
}

int main(int argc, char **argv)
{
    bench_median(argc, argv, "make-handler", make_handlers);
    bench_median(argc, argv, "make-coroutine", make_coroutines);
    mw_thread_end();
    return 0;
}
