/* A mesh: tasklets that send to each other along paths that branch and return, and the taskmaster that drives them.
 *
 *     start -> branch -> doubler  ---------> sink        usage: 03-mesh [SEED]
 *       ^        |-----> tripler  -----------> |
 *       |        '-----> recycler -----------> '
 *       '----------------'   (perhaps back to the start)
 *
 * Not one tasklet's verbs; those are in 01-tasklet.c. Read next: 04-priority.c. SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <stdio.h>
#include <stdlib.h>

/* A coin whose every toss follows from the seed, so that a run can be repeated (splitmix64). With seed 2 it falls as
 * the blog's fell. */
struct coin {
    uint64_t state;
};

static bool toss(struct coin *coin)
{
    uint64_t z = coin->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) & 1;
}

/* ---- bodies ---------------------------------------------------------------------------------------- */
static int start(mw_tasklet *self, void *scope)
{
    mw_tasklet *target = scope;
    mw_value i;

    while (mw_receive(self, &i))
        mw_send(target, mw_int(i.as.integer + 1));
    return 0;
}

struct paths {
    mw_tasklet *left, *right, *chance;
    struct coin *coin;
};

static int branch(mw_tasklet *self, void *scope)
{
    struct paths *to = scope;
    mw_value i;

    while (mw_receive(self, &i)) {
        if (i.as.integer % 2 == 0)
            mw_send(to->left, i);
        else if (toss(to->coin))
            mw_send(to->chance, i);
        else
            mw_send(to->right, i);
    }
    return 0;
}

static int doubler(mw_tasklet *self, void *scope)
{
    mw_tasklet *target = scope;
    mw_value i;

    while (mw_receive(self, &i))
        mw_send(target, mw_format("2x{}", i));
    return 0;
}

static int tripler(mw_tasklet *self, void *scope)
{
    mw_tasklet *target = scope;
    mw_value i;

    while (mw_receive(self, &i))
        mw_send(target, mw_format("3x{}", i));
    return 0;
}

struct returns {
    mw_tasklet *beginning, *sink;
    struct coin *coin;
};

static int recycler(mw_tasklet *self, void *scope)
{
    struct returns *to = scope;
    mw_value i;

    while (mw_receive(self, &i))
        mw_send(toss(to->coin) ? to->beginning : to->sink, i);
    return 0;
}

static int sink(mw_tasklet *self, void *scope)
{
    mw_value i;

    (void)scope;
    while (mw_receive(self, &i)) {
        mw_value line = mw_format("Sink got: {}", i);

        puts(mw_get_text(&line, NULL));
        mw_release(line);
        mw_release(i);
    }
    return 0;
}

/* ---- the mesh ------------------------------------------------------------------------------------------ */
int main(int argc, char **argv)
{
    struct coin coin = {.state = argc > 1 ? strtoull(argv[1], NULL, 10) : 2};
    mw_scheduler *taskmaster = mw_taskmaster_new();
    mw_tasklet *s, *d, *t, *b, *a, *r;

    if (!taskmaster)
        return 1;
    mw_scheduler_enter(taskmaster); /* what is made from here on belongs to it */
    s = mw_tasklet_new(sink, NULL);
    d = mw_tasklet_new(doubler, s);
    t = mw_tasklet_new(tripler, s);
    b = mw_tasklet_new(NULL, NULL); /* a placeholder: r needs a, a needs b, b needs r */
    a = mw_tasklet_new(start, b);
    r = mw_tasklet_new(recycler, (&(struct returns){.beginning = a, .sink = s, .coin = &coin}));
    mw_set(b, branch, (mw_scope){&(struct paths){.left = d, .right = t, .chance = r, .coin = &coin}, NULL});

    mw_send(a, mw_int(0)); /* queue up some stuff */
    mw_send(a, mw_int(1));
    mw_send(a, mw_int(2));
    mw_send(a, mw_int(3));
    mw_scheduler_run(taskmaster); /* interleave */

    mw_send(a, mw_int(10)); /* queue up some more */
    mw_send(a, mw_int(11));
    mw_scheduler_run(taskmaster);

    mw_scheduler_free(taskmaster); /* and with it the tasklets */
    return 0;
}
