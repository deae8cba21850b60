/* The taskmaster: the order of running, turns, the budget, nothing lost on the way.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

static void run_flushes_each_in_the_order_of_adding_until_none_has_anything_left(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct mesh m = open_mesh();
        struct diary d = {0};
        struct link sink = {&d, "s", NULL}, left = {&d, "l", NULL}, right = {&d, "r", NULL};
        mw_tasklet *s, *l, *r;

        s = is_handler ? mw_handler_new(link_handler, &sink) : mw_tasklet_new(link_body, &sink);
        l = is_handler ? mw_handler_new(link_handler, &left) : mw_tasklet_new(link_body, &left);
        r = is_handler ? mw_handler_new(link_handler, &right) : mw_tasklet_new(link_body, &right);
        left.target = right.target = s;
        send_ints(r, 1, 2); /* ready first, but later in the order */
        send_ints(l, 3, 4);
        CHECK_INT(mw_scheduler_run(m.s), 8);
        CHECK_TEXT(d.text, "l3 l4 r1 r2 s3 s4 s1 s2 ");
        CHECK_INT(mw_scheduler_run(m.s), 0);
        CHECK(mw_scheduler_is_idle(m.s));
        close_mesh(&m);
    }
}

static void set_ups_run_at_the_first_turn(void)
{
    struct mesh m = open_mesh();
    struct diary one = {0}, two = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &one);

    (void)!mw_tasklet_new(writer, &two);
    CHECK(!mw_scheduler_is_idle(m.s));
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_TEXT(read_diary(&one), "setup ");
    CHECK_TEXT(two.text, "setup ");
    CHECK(mw_scheduler_is_idle(m.s));
    mw_restart(t, false);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_TEXT(read_diary(&one), "close setup ");
    close_mesh(&m);
}

static void a_turn_is_one_pass_and_says_whether_more_is_ready(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL}, two = {&d, "b", NULL};
    mw_tasklet *a = mw_handler_new(link_handler, &one), *b = mw_handler_new(link_handler, &two);

    two.target = a;
    send_ints(b, 1, 1);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_TEXT(d.text, "b1 ");
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_TEXT(d.text, "b1 a1 ");
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_INT(mw_scheduler_stats(m.s).turns, 3);
    CHECK_INT(mw_scheduler_stats(m.s).processed, 2);
    close_mesh(&m);
}

static void one_that_refills_itself_for_ever_starves_nobody(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    int64_t count = 0;
    mw_tasklet *busy = mw_handler_new(send_to_itself, &count), *t = mw_handler_new(write_item, &d);

    mw_scheduler_set_budget(m.s, 10);
    send_ints(busy, 1, 1);
    send_ints(t, 1, 2);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_INT(count, 10);
    CHECK_TEXT(d.text, "");
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_TEXT(d.text, "1 2 ");
    mw_clear(busy);
    CHECK_INT(mw_scheduler_set_budget(m.s, 0), -EINVAL);
    close_mesh(&m);
}

static void one_that_a_turn_leaves_has_the_rest_of_its_budget_in_the_next_though_it_alone_is_ready(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL}, two = {&d, "b", NULL}, three = {&d, "c", NULL};
    mw_tasklet *a = mw_handler_new(link_handler, &one), *b = mw_handler_new(link_handler, &two);

    CHECK_INT(mw_scheduler_set_budget(m.s, 8), 0);
    send_ints(a, 1, 3);
    send_ints(b, 1, 10);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_TEXT(read_diary(&d), "a1 a2 a3 b1 b2 b3 b4 b5 ");
    two.target = mw_handler_new(link_handler, &three);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_TEXT(read_diary(&d), "b6 b7 b8 c6 c7 c8 ");
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_TEXT(read_diary(&d), "b9 b10 c9 c10 ");
    close_mesh(&m);
}

static void the_only_one_that_is_ready_stays_so_while_positions_change(void)
{
    enum { MANY = 200 };
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL}, two = {&d, "b", NULL};
    mw_tasklet *a = mw_handler_new(link_handler, &one), *many[MANY];
    int i;

    send_ints(a, 1, 1);
    for (i = 0; i < MANY; i++)
        many[i] = mw_handler_new(link_handler, &two);
    CHECK_INT(mw_scheduler_stats(m.s).ready, 1);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    mw_tasklet_free(a);
    send_ints(many[MANY - 1], 2, 2); /* behind a's place, which nobody has now */
    send_ints(many[MANY - 2], 1, 1);
    CHECK_INT(mw_scheduler_stats(m.s).ready, 2);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(d.text, "a1 b1 b2 ");
    CHECK_INT(mw_scheduler_stats(m.s).ready, 0);
    close_mesh(&m);
}

static void where_turns_end_shows_in_no_output(void)
{
    size_t budget;
    char whole[2048] = "";

    for (budget = 4096; budget > 0; budget = budget > 64 ? 64 : budget - 1) {
        struct mesh m = open_mesh();
        struct diary d = {0};
        struct link sink = {&d, "s", NULL}, left = {&d, "l", NULL}, right = {&d, "r", NULL};
        mw_tasklet *s = mw_tasklet_new(link_body, &sink), *l = mw_handler_new(link_handler, &left);
        mw_tasklet *r = mw_tasklet_new(link_body, &right);

        left.target = right.target = s;
        send_ints(r, 1, 20);
        send_ints(l, 21, 40);
        /* No visit is longer than 40: budgets from there on must not show. */
        mw_scheduler_set_budget(m.s, budget);
        while (mw_scheduler_turn(m.s) > 0)
            continue;
        if (budget == 4096)
            memcpy(whole, d.text, sizeof(whole));
        if (budget >= 40)
            CHECK_TEXT(d.text, whole);
        CHECK_INT(mw_tasklet_stats(s).processed, 40);
        close_mesh(&m);
    }
}

/* ---- against the blog's own loop ------------------------------------------------------------------------------- */
enum { NODES = 150 };
struct node {
    int id;
    uint64_t seed;
    mw_tasklet **nodes;
    int64_t *log;
    size_t *count;
};

static int node_handler(mw_tasklet *self, void *scope, mw_value item)
{
    struct node *n = scope;
    int64_t left = item.as.integer;

    (void)self;
    if (*n->count < 200000)
        n->log[(*n->count)++] = n->id * 1000 + left;
    while (left > 0) {
        n->seed = n->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        left -= 1 + (int64_t)(n->seed >> 60);
        if (left > 0)
            mw_send(n->nodes[(n->seed >> 33) % NODES], mw_int(left));
    }
    return 0;
}

static void make_nodes(struct node *nodes, mw_tasklet **tasklets, int64_t *log, size_t *count)
{
    int i;

    for (i = 0; i < NODES; i++) {
        nodes[i] = (struct node){.id = i, .seed = (uint64_t)i * 77 + 5, .nodes = tasklets, .log = log, .count = count};
        tasklets[i] = mw_handler_new(node_handler, &nodes[i]);
    }
    for (i = 0; i < NODES; i += 7)
        send_ints(tasklets[i], 30, 40);
}

static void the_order_is_that_of_the_blogs_loop_over_all(void)
{
    static struct node nodes[2][NODES];
    static mw_tasklet *tasklets[2][NODES];
    static int64_t logs[2][200000];
    size_t counts[2] = {0, 0};
    struct mesh m = open_mesh();
    bool any = true;
    int i;

    make_nodes(nodes[0], tasklets[0], logs[0], &counts[0]);
    while (any) {
        any = false;
        for (i = 0; i < NODES; i++)
            any = mw_flush(tasklets[0][i]) > 0 || any;
    }
    CHECK(mw_scheduler_is_idle(m.s));
    close_mesh(&m);
    m = open_mesh();
    make_nodes(nodes[1], tasklets[1], logs[1], &counts[1]);
    CHECK_INT(mw_scheduler_run(m.s), counts[0]);
    close_mesh(&m);
    CHECK(counts[0] > 1000);
    CHECK_INT(counts[1], counts[0]);
    CHECK(memcmp(logs[0], logs[1], counts[0] * sizeof(logs[0][0])) == 0);
}

/* ---- waiting for room under a scheduler -------------------------------------------------------------------------------- */
enum { PRODUCERS = 7, ITEMS = 500 };
struct producer {
    mw_tasklet *target;
    int id;
};

static int produce(mw_tasklet *self, void *scope)
{
    struct producer *p = scope;
    int i;

    (void)self;
    for (i = 0; i < ITEMS; i++) {
        int err = mw_send(p->target, mw_int(p->id * ITEMS + i));

        if (err < 0)
            return err;
    }
    return 0;
}

struct consumer {
    int next[PRODUCERS];
    int count, disorder;
};

static int consume(mw_tasklet *self, void *scope, mw_value item)
{
    struct consumer *c = scope;
    int id = (int)item.as.integer / ITEMS, i = (int)item.as.integer % ITEMS;

    (void)self;
    c->disorder += c->next[id] != i;
    c->next[id] = i + 1;
    c->count++;
    return 0;
}

static int relay(mw_tasklet *self, void *scope)
{
    mw_value item;

    while (mw_receive(self, &item)) {
        int err = mw_send(scope, item);

        if (err < 0)
            return err;
    }
    return 0;
}

static int relay_handler(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    return mw_send(scope, item);
}

static void nothing_is_lost_or_overtaken_through_small_mailboxes(void)
{
    size_t capacity;

    for (capacity = 1; capacity < 20; capacity += 3) {
        struct mesh m = open_mesh();
        struct consumer c = {0};
        struct producer producers[PRODUCERS];
        mw_tasklet_options o = {.size = sizeof(o), .mailbox_items = capacity};
        mw_tasklet *sink, *first, *second;
        int i;

        o.scope.data = &c;
        sink = mw_tasklet_open(NULL, consume, &o);
        o.scope.data = sink;
        second = mw_tasklet_open(NULL, relay_handler, &o);
        o.scope.data = second;
        first = mw_tasklet_open(relay, NULL, &o);
        for (i = 0; i < PRODUCERS; i++) {
            producers[i] = (struct producer){.target = i % 2 ? first : second, .id = i};
            (void)!mw_tasklet_new(produce, &producers[i]);
        }
        mw_scheduler_run(m.s);
        CHECK_INT(c.count, PRODUCERS * ITEMS);
        CHECK_INT(c.disorder, 0);
        CHECK_INT(mw_scheduler_stats(m.s).failures, 0);
        close_mesh(&m);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(run_flushes_each_in_the_order_of_adding_until_none_has_anything_left),
        TEST(set_ups_run_at_the_first_turn),
        TEST(a_turn_is_one_pass_and_says_whether_more_is_ready),
        TEST(one_that_refills_itself_for_ever_starves_nobody),
        TEST(one_that_a_turn_leaves_has_the_rest_of_its_budget_in_the_next_though_it_alone_is_ready),
        TEST(the_only_one_that_is_ready_stays_so_while_positions_change),
        TEST(where_turns_end_shows_in_no_output),
        TEST(the_order_is_that_of_the_blogs_loop_over_all),
        TEST(nothing_is_lost_or_overtaken_through_small_mailboxes),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
