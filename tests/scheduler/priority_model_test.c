/* The priority scheduler: random meshes run in it as in the blog's own loop.
 * Read next: priority_test.c.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

enum { NODES = 90, ITEMS = 60, LOG = 100000 };
struct world {
    int64_t queues[NODES][2048]; /* the model's */
    int heads[NODES], tails[NODES], priorities[NODES];
    uint64_t seeds[NODES];
    int64_t log[LOG];
    size_t count;
    mw_tasklet *nodes[NODES];
};
struct node {
    struct world *w;
    int id;
};

static uint64_t next_random(uint64_t *seed)
{
    return (*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407)) >> 33;
}

static int next_priority(struct world *w, int id)
{
    int kind = id % 3;

    return kind == 0 ? w->priorities[id] : (int)(next_random(&w->seeds[id]) % 10) - 5;
}

/* What a node does with an item, in both worlds: it notes it and sends smaller ones on. */
static void node_work(struct world *w, int id, int64_t item, void (*send)(struct world *w, int to, int64_t item))
{
    CHECK(w->count < LOG);
    w->log[w->count++] = id * 1000 + item;
    while (item > 0) {
        uint64_t draw = next_random(&w->seeds[id]);

        item -= 1 + (int64_t)(draw & 15);
        if (item > 0)
            send(w, (int)(draw >> 8) % NODES, item);
    }
}

static void send_to_model(struct world *w, int to, int64_t item)
{
    CHECK(w->tails[to] < 2048);
    w->queues[to][w->tails[to]++] = item;
}
static void send_to_mesh(struct world *w, int to, int64_t item)
{
    CHECK_INT(mw_send(w->nodes[to], mw_int(item)), 0);
}

static int node_handler(mw_tasklet *self, void *scope, mw_value item)
{
    struct node *n = scope;

    (void)self;
    node_work(n->w, n->id, item.as.integer, send_to_mesh);
    return 0;
}
static int node_body(mw_tasklet *self, void *scope)
{
    mw_value item;

    while (mw_receive(self, &item))
        (void)node_handler(self, scope, item);
    return 0;
}
static mw_priority node_priority(mw_tasklet *t, void *context)
{
    struct node *n = context;

    (void)t;
    return (mw_priority){.value = next_priority(n->w, n->id)};
}

/* The blog's flush: fill, process until the queue is empty, until a fill gives nothing. The queue is an unsorted list. */
static void run_model(struct world *w, bool incremental)
{
    struct {
        int priority, order, id;
    } queue[NODES];
    int count, order, i, least;

    for (;;) {
        count = order = 0;
        for (i = 0; i < NODES; i++) {
            if (w->heads[i] < w->tails[i]) {
                queue[count].priority = next_priority(w, i);
                queue[count].order = order++;
                queue[count++].id = i;
            }
        }
        if (count == 0)
            return;
        while (count > 0) {
            int id;

            for (least = 0, i = 1; i < count; i++) {
                if (queue[i].priority < queue[least].priority ||
                    (queue[i].priority == queue[least].priority && queue[i].order < queue[least].order))
                    least = i;
            }
            id = queue[least].id;
            queue[least] = queue[--count];
            do
                node_work(w, id, w->queues[id][w->heads[id]++], send_to_model);
            while (!incremental && w->heads[id] < w->tails[id]);
            if (w->heads[id] < w->tails[id]) {
                queue[count].priority = next_priority(w, id);
                queue[count].order = order++;
                queue[count++].id = id;
            }
        }
    }
}

static void reset_world(struct world *w, uint64_t seed)
{
    int i;

    memset(w, 0, sizeof(*w));
    for (i = 0; i < NODES; i++) {
        w->seeds[i] = seed * 1000 + (uint64_t)i;
        w->priorities[i] = (int)(next_random(&seed) % 10) - 5;
    }
}

static void random_meshes_run_as_in_the_blogs_loop(void)
{
    static struct world want, got;
    static struct node scopes[NODES];
    uint64_t seed;
    int i;

    for (seed = 1; seed <= 60; seed++) {
        bool incremental = seed & 1;
        struct mesh m = open_priorities(incremental);
        uint64_t draw = seed;

        reset_world(&want, seed);
        reset_world(&got, seed);
        for (i = 0; i < NODES; i++) {
            scopes[i] = (struct node){&got, i};
            got.nodes[i] = i % 7 ? mw_handler_new(node_handler, &scopes[i]) : mw_tasklet_new(node_body, &scopes[i]);
            if (i % 3)
                mw_set_priority_function(got.nodes[i], node_priority, &scopes[i]);
            else
                mw_set_priority(got.nodes[i], got.priorities[i]);
        }
        for (i = 0; i < ITEMS; i++) {
            int to = (int)(next_random(&draw) % NODES);
            int64_t item = (int64_t)(next_random(&draw) % 40) + 1;

            send_to_model(&want, to, item);
            send_to_mesh(&got, to, item);
        }
        run_model(&want, incremental);
        if (seed % 4 < 2) {
            CHECK_INT(mw_scheduler_run(m.s), want.count);
        } else {
            mw_scheduler_set_budget(m.s, 100 + seed); /* in turns; more than any of them has in a round */
            while (mw_scheduler_turn(m.s) > 0)
                continue;
        }
        CHECK_INT(got.count, want.count);
        CHECK(memcmp(got.log, want.log, want.count * sizeof(got.log[0])) == 0);
        CHECK(want.count > ITEMS);
        close_mesh(&m);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(random_meshes_run_as_in_the_blogs_loop),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
