/* What does the core cost per operation? ns per switch, per item handled, per message of a ping-pong, per hop of a ring,
 * per tasklet made and freed. Best and median of 21 runs; run it pinned: taskset -c 1 build/bench/core-switch.
 * Not the peers beside us; their figures are in the docs. SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <stdio.h>
#include <stdlib.h>

#include "coroutine/coroutine.h"

enum { ROUNDS = 400000, RUNS = 21, RING = 503, FAN = 100 };

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(const char *what, double (*run)(void))
{
    double ns[RUNS];
    int i;

    for (i = 0; i < RUNS; i++)
        ns[i] = run();
    qsort(ns, RUNS, sizeof(ns[0]), by_size);
    printf("%-40s best %7.2f ns, median %7.2f ns\n", what, ns[0], ns[RUNS / 2]);
}

static double since(int64_t start, double operations)
{
    return (double)(mw_now_ns() - start) / operations;
}

/* ---- switch ------------------------------------------------------------------------------------ */
static void leave_for_ever(void *argument)
{
    struct coroutine **c = argument;

    for (;;)
        coroutine_leave(*c);
}

static double run_switch(void)
{
    struct coroutine *c = NULL;
    int64_t start;
    int i;

    if (coroutine_new(STACK_BYTES_DEFAULT, leave_for_ever, &c, &c, NULL) < 0)
        exit(1);
    coroutine_enter(c, 0);
    start = mw_now_ns();
    for (i = 0; i < ROUNDS; i++)
        coroutine_enter(c, 0);
    return since(start, 2.0 * ROUNDS); /* the stack is given up with the program */
}

/* ---- handlers ------------------------------------------------------------------------------------ */
static int count_it(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    *(int64_t *)scope += item.as.integer;
    return 0;
}

static double run_send_next(void)
{
    int64_t sum = 0, start;
    mw_tasklet *t = mw_handler_new(count_it, &sum);
    double ns;
    int i;

    start = mw_now_ns();
    for (i = 0; i < ROUNDS; i++) {
        mw_send(t, mw_int(i));
        mw_next(t);
    }
    ns = since(start, ROUNDS);
    mw_tasklet_free(t);
    return ns;
}

static double run_send_flush(void)
{
    int64_t sum = 0, start;
    mw_tasklet *t = mw_handler_new(count_it, &sum);
    double ns;
    int i, j;

    start = mw_now_ns();
    for (i = 0; i < ROUNDS / 1000; i++) {
        for (j = 0; j < 1000; j++)
            mw_send(t, mw_int(i));
        mw_flush(t);
    }
    ns = since(start, ROUNDS);
    mw_tasklet_free(t);
    return ns;
}

struct peer {
    mw_tasklet *target;
    int64_t left;
};

static int bounce_handler(mw_tasklet *self, void *scope, mw_value item)
{
    struct peer *p = scope;

    (void)self;
    return p->left-- > 0 ? mw_send(p->target, item) : 0;
}

static int bounce(mw_tasklet *self, void *scope)
{
    struct peer *p = scope;
    mw_value item;

    while (mw_receive(self, &item)) {
        if (p->left-- > 0)
            mw_send(p->target, item);
    }
    return 0;
}

static double run_ring_of(int count, bool is_handler)
{
    mw_scheduler *s = mw_taskmaster_new(), *previous = mw_scheduler_enter(s);
    static struct peer peers[RING];
    int64_t start;
    double ns;
    int i;

    for (i = 0; i < count; i++) {
        peers[i].left = ROUNDS / count;
        peers[(i + count - 1) % count].target =
            is_handler ? mw_handler_new(bounce_handler, &peers[i]) : mw_tasklet_new(bounce, &peers[i]);
    }
    mw_scheduler_leave(previous);
    mw_scheduler_run(s);
    start = mw_now_ns();
    mw_send(peers[0].target, mw_int(1));
    mw_scheduler_run(s);
    ns = since(start, ROUNDS);
    mw_scheduler_free(s);
    return ns;
}

static double run_ping_pong(void)
{
    return run_ring_of(2, false);
}

static double run_ping_pong_handlers(void)
{
    return run_ring_of(2, true);
}

static double run_ring(void)
{
    return run_ring_of(RING, false);
}

/* ---- pipeline, fan ------------------------------------------------------------------------------- */
static int forward(mw_tasklet *self, void *scope)
{
    mw_tasklet **target = scope;
    mw_value item;

    while (mw_receive(self, &item))
        mw_send(*target, item);
    return 0;
}

static int produce(mw_tasklet *self, void *scope)
{
    mw_tasklet **target = scope;
    int i;

    for (i = 0; i < ROUNDS; i++)
        mw_send(*target, mw_int(i));
    (void)self;
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

static double run_pipeline(void)
{
    mw_scheduler *s = mw_taskmaster_new(), *previous = mw_scheduler_enter(s);
    mw_tasklet *stages[3];
    int64_t sum = 0, start;
    double ns;

    stages[2] = mw_tasklet_new(swallow, &sum);
    stages[1] = mw_tasklet_new(forward, &stages[2]);
    stages[0] = mw_tasklet_new(produce, &stages[1]);
    mw_scheduler_leave(previous);
    start = mw_now_ns();
    mw_scheduler_run(s);
    ns = since(start, ROUNDS);
    mw_scheduler_free(s);
    return ns;
}

static int produce_some(mw_tasklet *self, void *scope)
{
    mw_tasklet **target = scope;
    int i;

    for (i = 0; i < ROUNDS / FAN; i++)
        mw_send(*target, mw_int(i));
    (void)self;
    return 0;
}

static double run_fan_in(void)
{
    mw_scheduler *s = mw_taskmaster_new(), *previous = mw_scheduler_enter(s);
    int64_t sum = 0, start;
    mw_tasklet *sink;
    double ns;
    int i;

    sink = mw_tasklet_new(swallow, &sum);
    for (i = 0; i < FAN; i++)
        (void)!mw_tasklet_new(produce_some, &sink);
    mw_scheduler_leave(previous);
    start = mw_now_ns();
    mw_scheduler_run(s);
    ns = since(start, ROUNDS);
    mw_scheduler_free(s);
    return ns;
}

static int spread(mw_tasklet *self, void *scope)
{
    mw_tasklet **targets = scope;
    int i;

    for (i = 0; i < ROUNDS; i++)
        mw_send(targets[i % FAN], mw_int(i));
    (void)self;
    return 0;
}

static double run_fan_out(void)
{
    mw_scheduler *s = mw_taskmaster_new(), *previous = mw_scheduler_enter(s);
    mw_tasklet *sinks[FAN];
    int64_t sum = 0, start;
    double ns;
    int i;

    for (i = 0; i < FAN; i++)
        sinks[i] = mw_tasklet_new(swallow, &sum);
    (void)!mw_tasklet_new(spread, sinks);
    mw_scheduler_leave(previous);
    start = mw_now_ns();
    mw_scheduler_run(s);
    ns = since(start, ROUNDS);
    mw_scheduler_free(s);
    return ns;
}

/* ---- make and free ---------------------------------------------------------------------------------- */
static double run_make_coroutine(void)
{
    int64_t start, sum = 0;
    int i;

    start = mw_now_ns();
    for (i = 0; i < ROUNDS; i++) {
        mw_tasklet *t = mw_tasklet_new(swallow, &sum);

        mw_start(t);
        mw_tasklet_free(t);
    }
    return since(start, (double)ROUNDS);
}

static double run_make_handler(void)
{
    int64_t start, sum = 0;
    int i;

    start = mw_now_ns();
    for (i = 0; i < ROUNDS; i++)
        mw_tasklet_free(mw_handler_new(count_it, &sum));
    return since(start, (double)ROUNDS);
}

int main(void)
{
    measure("coroutine switch", run_switch);
    measure("handler: send + next per item", run_send_next);
    measure("handler: send + flush per item", run_send_flush);
    measure("ping-pong of coroutines per message", run_ping_pong);
    measure("ping-pong of handlers per message", run_ping_pong_handlers);
    measure("ring of 503 coroutines per hop", run_ring);
    measure("pipeline of 3 coroutines per item", run_pipeline);
    measure("fan-in 100 to 1 per item", run_fan_in);
    measure("fan-out 1 to 100 per item", run_fan_out);
    measure("coroutine: make, start, close, free", run_make_coroutine);
    measure("handler: make, free", run_make_handler);
    mw_thread_end();
    return 0;
}
