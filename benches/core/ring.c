/* What does a message cost that is answered before the next is sent? ns per message of two that play ping-pong, of coroutines and of
 * handlers, and per hop around a ring of 503 coroutines. Read next: pipeline.c. SPDX-License-Identifier: MIT */
#include "bench.h"

enum { MESSAGES = 1000000, RING = 503 };

struct player {
    mw_tasklet *target;
    int64_t left;
};

static int bounce_handler(mw_tasklet *self, void *scope, mw_value item)
{
    struct player *p = scope;

    (void)self;
    return p->left-- > 0 ? mw_send(p->target, item) : 0;
}

static int bounce(mw_tasklet *self, void *scope)
{
    struct player *p = scope;
    mw_value item;

    while (mw_receive(self, &item)) {
        if (p->left-- > 0)
            mw_send(p->target, item);
    }
    return 0;
}

static double ring_of(int count, bool are_handlers)
{
    mw_scheduler *s = mw_taskmaster_new(), *outside = mw_scheduler_enter(s);
    static struct player players[RING];
    int64_t start;
    double ns;
    int i;

    for (i = 0; i < count; i++) {
        players[i].left = MESSAGES / count;
        players[(i + count - 1) % count].target =
            are_handlers ? mw_handler_new(bounce_handler, &players[i]) : mw_tasklet_new(bounce, &players[i]);
    }
    mw_scheduler_leave(outside);
    mw_scheduler_run(s); /* set-ups */
    start = mw_now_ns();
    mw_send(players[0].target, mw_int(1));
    mw_scheduler_run(s);
    ns = bench_since(start, MESSAGES);
    mw_scheduler_free(s);
    return ns;
}

static double ping_pong(void)
{
    return ring_of(2, false);
}

static double ping_pong_handlers(void)
{
    return ring_of(2, true);
}

static double ring(void)
{
    return ring_of(RING, false);
}

int main(int argc, char **argv)
{
    bench_median(argc, argv, "ping-pong", ping_pong);
    bench_median(argc, argv, "ping-pong-handlers", ping_pong_handlers);
    bench_median(argc, argv, "ring", ring);
    mw_thread_end();
    return 0;
}
