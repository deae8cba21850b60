/* The questions of benches/core, asked of libdill: coroutines and channels, which hold nothing: sender and receiver meet.
 * usage: dill-peer [FIGURE...]. SPDX-License-Identifier: MIT */
#include <libdill.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 5, RING = 503, FAN = 100, ITEMS = 400000 };

static double now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(int result)
{
    if (result >= 0)
        return;
    perror("libdill");
    exit(1);
}

static coroutine void yields_for(int count)
{
    while (count-- > 0)
        must(yield());
}

static double yields(void)
{
    double start = now_ns();
    int both = bundle();

    must(both);
    must(bundle_go(both, yields_for(ITEMS / 2)));
    must(bundle_go(both, yields_for(ITEMS / 2)));
    must(bundle_wait(both, -1));
    must(hclose(both));
    return (now_ns() - start) / ITEMS;
}

static coroutine void hop(int in, int out, int done)
{
    int left;

    while (chrecv(in, &left, sizeof left, -1) == 0) {
        if (left == 0) {
            must(chsend(done, &left, sizeof left, -1));
            return;
        }
        left--;
        if (chsend(out, &left, sizeof left, -1) < 0)
            return;
    }
}

static double ring_of(int count)
{
    int ends[RING][2], done[2], all = bundle(), i, left = ITEMS;
    double start, ns;

    must(all);
    must(chmake(done));
    for (i = 0; i < count; i++)
        must(chmake(ends[i]));
    for (i = 0; i < count; i++)
        must(bundle_go(all, hop(ends[i][1], ends[(i + 1) % count][0], done[0])));
    start = now_ns();
    must(chsend(ends[0][0], &left, sizeof left, -1));
    must(chrecv(done[1], &left, sizeof left, -1));
    ns = (now_ns() - start) / ITEMS;
    must(hclose(all)); /* those that wait are cancelled */
    for (i = 0; i < count; i++) {
        must(hclose(ends[i][0]));
        must(hclose(ends[i][1]));
    }
    must(hclose(done[0]));
    must(hclose(done[1]));
    return ns;
}

static double ping_pong(void)
{
    return ring_of(2);
}

static double ring(void)
{
    return ring_of(RING);
}

static coroutine void swallow(int in, int count)
{
    int item;

    while (count-- > 0)
        must(chrecv(in, &item, sizeof item, -1));
}

static coroutine void produce(int out, int count)
{
    int item = 1;

    while (count-- > 0)
        must(chsend(out, &item, sizeof item, -1));
}

static coroutine void forward(int in, int out, int count)
{
    int item;

    while (count-- > 0) {
        must(chrecv(in, &item, sizeof item, -1));
        must(chsend(out, &item, sizeof item, -1));
    }
}

static coroutine void spread(int (*ends)[2], int count)
{
    int i, item = 1;

    while (count-- > 0)
        for (i = 0; i < FAN; i++)
            must(chsend(ends[i][0], &item, sizeof item, -1));
}

/* Wait until all are done, then free them and the channels. */
static double finish(int all, int (*ends)[2], int end_count, double start)
{
    double ns;
    int i;

    must(bundle_wait(all, -1));
    ns = (now_ns() - start) / ITEMS;
    must(hclose(all));
    for (i = 0; i < end_count; i++) {
        must(hclose(ends[i][0]));
        must(hclose(ends[i][1]));
    }
    return ns;
}

static double pipeline(void)
{
    double start = now_ns();
    int ends[2][2], all = bundle();

    must(all);
    must(chmake(ends[0]));
    must(chmake(ends[1]));
    must(bundle_go(all, swallow(ends[1][1], ITEMS)));
    must(bundle_go(all, forward(ends[0][1], ends[1][0], ITEMS)));
    must(bundle_go(all, produce(ends[0][0], ITEMS)));
    return finish(all, ends, 2, start);
}

static double fan_in(void)
{
    double start = now_ns();
    int ends[1][2], all = bundle(), i;

    must(all);
    must(chmake(ends[0]));
    must(bundle_go(all, swallow(ends[0][1], ITEMS)));
    for (i = 0; i < FAN; i++)
        must(bundle_go(all, produce(ends[0][0], ITEMS / FAN)));
    return finish(all, ends, 1, start);
}

static double fan_out(void)
{
    double start = now_ns();
    int ends[FAN][2], all = bundle(), i;

    must(all);
    for (i = 0; i < FAN; i++) {
        must(chmake(ends[i]));
        must(bundle_go(all, swallow(ends[i][1], ITEMS / FAN)));
    }
    must(bundle_go(all, spread(ends, ITEMS / FAN)));
    return finish(all, ends, FAN, start);
}

static coroutine void nothing(void)
{
}

static double lives(void)
{
    double start = now_ns();
    int i;

    for (i = 0; i < ITEMS; i++) {
        int one = go(nothing());

        must(one);
        must(hclose(one));
    }
    return (now_ns() - start) / ITEMS;
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
    } figures[] = {{"switch", yields}, {"ping-pong", ping_pong}, {"ring", ring}, {"pipeline", pipeline},
                   {"fan-in", fan_in}, {"fan-out", fan_out}, {"make", lives}};
    double values[RUNS];
    size_t f;
    int i, is_wanted;

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
