/* The questions of benches/core, asked of State Threads 1.9: threads of its own, a ring of items and a condition per mailbox. It has no yield, so no bare
 * switch is measured.
 * usage: threads-peer [FIGURE...]. SPDX-License-Identifier: MIT */
#include <st.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 5, PLACES = 1024, RING = 503, FAN = 100, ITEMS = 400000 };

struct mailbox {
    int64_t items[PLACES];
    unsigned head, count;
    st_cond_t has_item, has_room;
};

static struct mailbox boxes[RING];
static st_cond_t done;
static int done_count;

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void put(struct mailbox *m, int64_t item)
{
    while (m->count == PLACES)
        st_cond_wait(m->has_room);
    m->items[(m->head + m->count++) % PLACES] = item;
    if (m->count == 1)
        st_cond_signal(m->has_item);
}

static int64_t take(struct mailbox *m)
{
    while (m->count == 0)
        st_cond_wait(m->has_item);
    if (m->count-- == PLACES)
        st_cond_broadcast(m->has_room);
    return m->items[m->head++ % PLACES];
}

static void begin(int count)
{
    int i;

    memset(boxes, 0, sizeof(boxes));
    for (i = 0; i < count; i++) {
        boxes[i].has_item = st_cond_new();
        boxes[i].has_room = st_cond_new();
    }
    done = st_cond_new();
    done_count = 0;
}

static void start(void *(*body)(void *), void *argument)
{
    if (!st_thread_create(body, argument, 0, 65536))
        exit(1);
}

static void end(void)
{
    done_count++;
    st_cond_signal(done);
}

static double wait_for(int count, double since)
{
    while (done_count < count)
        st_cond_wait(done);
    return (now() - since) / ITEMS;
}

static int ring_count;

static void *hop(void *argument)
{
    struct mailbox *m = argument, *next = m + 1 == boxes + ring_count ? boxes : m + 1;
    int64_t left;

    while ((left = take(m)) > 0)
        put(next, left - 1);
    put(next, -1); /* all end */
    end();
    return NULL;
}

static double ring_of(int count)
{
    double since;
    int i;

    ring_count = count;
    begin(count);
    for (i = 0; i < count; i++)
        start(hop, &boxes[i]);
    since = now();
    put(&boxes[0], ITEMS);
    return wait_for(count, since);
}

static double ping_pong(void)
{
    return ring_of(2);
}

static double ring(void)
{
    return ring_of(RING);
}

static void *produce(void *argument)
{
    intptr_t i, count = (intptr_t)argument;

    for (i = 0; i < count; i++)
        put(&boxes[0], 1);
    return NULL;
}

static void *forward(void *argument)
{
    int i;

    (void)argument;
    for (i = 0; i < ITEMS; i++)
        put(&boxes[1], take(&boxes[0]));
    return NULL;
}

static int swallowed_each;

static void *swallow(void *argument)
{
    int i;

    for (i = 0; i < swallowed_each; i++)
        take(argument);
    end();
    return NULL;
}

static double pipeline(void)
{
    double since = now();

    begin(2);
    swallowed_each = ITEMS;
    start(swallow, &boxes[1]);
    start(forward, NULL);
    start(produce, (void *)(intptr_t)ITEMS);
    return wait_for(1, since);
}

static double fan_in(void)
{
    double since = now();
    int i;

    begin(1);
    swallowed_each = ITEMS;
    start(swallow, &boxes[0]);
    for (i = 0; i < FAN; i++)
        start(produce, (void *)(intptr_t)(ITEMS / FAN));
    return wait_for(1, since);
}

static void *spread(void *argument)
{
    int i, j;

    (void)argument;
    for (i = 0; i < ITEMS / FAN; i++) {
        for (j = 0; j < FAN; j++)
            put(&boxes[j], 1);
    }
    return NULL;
}

static double fan_out(void)
{
    double since = now();
    int i;

    begin(FAN);
    swallowed_each = ITEMS / FAN;
    for (i = 0; i < FAN; i++)
        start(swallow, &boxes[i]);
    start(spread, NULL);
    return wait_for(FAN, since);
}

static void *nothing(void *argument)
{
    return argument;
}

static double lives(void)
{
    double since = now();
    int i;

    for (i = 0; i < ITEMS; i++) {
        st_thread_t t = st_thread_create(nothing, NULL, 1, 65536);

        if (!t || st_thread_join(t, NULL) < 0)
            exit(1);
    }
    return (now() - since) / ITEMS;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        double (*measure)(void);
    } figures[] = {{"ping-pong", ping_pong}, {"ring", ring}, {"pipeline", pipeline},
                   {"fan-in", fan_in}, {"fan-out", fan_out}, {"make", lives}};
    double values[RUNS];
    size_t f;
    int i, is_wanted;

    if (st_init() < 0)
        return 1;
    for (f = 0; f < sizeof(figures) / sizeof(figures[0]); f++) {
        for (i = 1, is_wanted = argc < 2; i < argc; i++)
            is_wanted |= strcmp(argv[i], figures[f].name) == 0;
        if (!is_wanted)
            continue;
        for (i = 0; i < RUNS; i++)
            values[i] = figures[f].measure();
        qsort(values, RUNS, sizeof(values[0]), by_size);
        printf("%s\t%.2f\n", figures[f].name, values[RUNS / 2]);
    }
    return 0;
}
