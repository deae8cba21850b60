/* The live graph: who sends to whom, with whatever verb, how much of it a sample sees, and who has gone.
 * SPDX-License-Identifier: MIT */
#include <meshwork/graph.h>

#include "meshes.h"

#include "base/memory.h"

/* The graph in words: "a->b:3 b->c:3 ", edges in the order of the nodes, those of one node by their targets' numbers. */
static const char *edges_of(const mw_scheduler *s)
{
    static char text[4096];
    mw_value graph = mw_graph(s);
    const mw_value *nodes = mw_map_get(graph, "nodes"), *edges = mw_map_get(graph, "edges");
    size_t at = 0, from, to, i;

    text[0] = '\0';
    for (from = 0; nodes && from < mw_list_count(*nodes); from++) {
        for (to = 0; to < mw_list_count(*nodes); to++) {
            for (i = 0; i < mw_list_count(*edges); i++) {
                mw_value edge = *mw_list_at(*edges, i);

                if (mw_map_get(edge, "from")->as.integer != (int64_t)from || mw_map_get(edge, "to")->as.integer != (int64_t)to)
                    continue;
                at += (size_t)snprintf(text + at, sizeof(text) - at, "%s->%s:%d ",
                                       mw_get_text(mw_map_get(*mw_list_at(*nodes, from), "name"), NULL),
                                       mw_get_text(mw_map_get(*mw_list_at(*nodes, to), "name"), NULL),
                                       (int)mw_map_get(edge, "sends")->as.integer);
            }
        }
    }
    mw_release(graph);
    return text;
}

static int64_t number_of(const mw_scheduler *s, const char *key)
{
    mw_value graph = mw_graph(s);
    int64_t number = -1;

    if (graph.kind == MW_MAP)
        number = mw_map_get(graph, key)->as.integer;
    mw_release(graph);
    return number;
}

static mw_tasklet *make(struct link *l)
{
    return mw_handler_new_at(link_handler, l, l->name, __FILE__, __LINE__);
}

static void a_chain_is_drawn_as_it_sends(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL}, two = {&d, "b", NULL}, three = {&d, "c", NULL};
    mw_tasklet *a = make(&one);

    one.target = mw_tasklet_new_at(link_body, &two, "b", __FILE__, __LINE__);
    two.target = make(&three);
    send_ints(a, 1, 1); /* nobody looks yet */
    CHECK_INT(mw_graph_start(m.s, 1), 0);
    send_ints(a, 2, 5);
    CHECK(mw_scheduler_run(m.s) > 0);
    CHECK_TEXT(edges_of(m.s), "outside->a:4 a->b:5 b->c:5 ");
    CHECK_INT(number_of(m.s, "sends"), 14);
    CHECK_INT(number_of(m.s, "missed"), 0);
    CHECK_INT(mw_graph_stop(m.s), 0);
    send_ints(a, 6, 7);
    CHECK(mw_scheduler_run(m.s) > 0);
    CHECK_TEXT(edges_of(m.s), "");
    CHECK_TEXT(read_diary(&d), "a1 a2 a3 a4 a5 b1 b2 b3 b4 b5 c1 c2 c3 c4 c5 a6 a7 b6 b7 c6 c7 ");
    close_mesh(&m);
}

struct all_verbs {
    mw_tasklet *to, *null;
    mw_value answer;
};

static int answer_all(mw_tasklet *self, void *scope, mw_value item)
{
    (void)scope;
    mw_release(item);
    (void)mw_answer(self, mw_int(1));
    return 0;
}

static int use_all_verbs(mw_tasklet *self, void *scope)
{
    struct all_verbs *v = scope;
    mw_value item;

    while (mw_receive(self, &item)) {
        mw_value offered = mw_text("a text that is longer than what fits inside");

        CHECK_INT(mw_send(v->to, mw_int(1)), 0);
        CHECK_INT(mw_offer(v->to, &offered), 0);
        CHECK_INT(mw_pass(v->to, mw_int(3)), 0);
        CHECK_INT(mw_send(v->null, mw_int(4)), 0);
        CHECK_INT(mw_ask(v->to, mw_int(5), MW_FOREVER, &v->answer), 0);
    }
    return 0;
}

static void every_way_of_sending_counts(void)
{
    struct mesh m = open_mesh();
    struct all_verbs v = {.to = mw_handler_new_at(answer_all, NULL, "to", __FILE__, __LINE__), .null = mw_tasklet_new(NULL, NULL)};
    mw_tasklet *from = mw_tasklet_new_at(use_all_verbs, &v, "from", __FILE__, __LINE__);
    mw_address *address = mw_tasklet_address(from);
    mw_value graph;

    CHECK_INT(mw_graph_start(m.s, 1), 0);
    CHECK_INT(mw_post(address, mw_int(1)), 0);
    CHECK(mw_scheduler_run(m.s) > 0);
    CHECK_INT(v.answer.as.integer, 1);
    CHECK_TEXT(edges_of(m.s), "outside->from:1 from->to:4 from->null:1 ");
    graph = mw_graph(m.s);
    CHECK(mw_map_get(*mw_list_at(*mw_map_get(graph, "edges"), 1), "bytes")->as.integer > 40);
    mw_release(graph);
    mw_address_unref(address);
    close_mesh(&m);
}

static int send_three(mw_tasklet *self, void *scope)
{
    struct link *l = scope;
    mw_value item;
    int i;

    while (mw_receive(self, &item))
        for (i = 0; i < 3; i++)
            mw_send(l->target, mw_int(i));
    return 0;
}

static void an_item_that_waited_for_room_is_its_senders(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    mw_tasklet *narrow = open_writer(&d, true, (mw_tasklet_options){.name = "narrow", .mailbox_items = 1});
    struct link l = {&d, "x", narrow};
    mw_tasklet *sender = mw_tasklet_new_at(send_three, &l, "sender", __FILE__, __LINE__);

    CHECK_INT(mw_graph_start(m.s, 1), 0);
    send_ints(sender, 1, 1);
    CHECK(mw_scheduler_run(m.s) > 0);
    CHECK_TEXT(edges_of(m.s), "outside->sender:1 sender->narrow:3 ");
    close_mesh(&m);
}

static void a_sample_estimates_and_no_pattern_of_sending_hides(void)
{
    enum { ROUNDS = 20000, TARGETS = 4, EVERY = 8 };
    struct mesh m = open_mesh();
    mw_tasklet *to[TARGETS];
    mw_value graph;
    const mw_value *edges;
    int i;

    for (i = 0; i < TARGETS; i++)
        to[i] = mw_tasklet_new(NULL, NULL);
    CHECK_INT(mw_graph_start(m.s, EVERY), 0);
    for (i = 0; i < ROUNDS * TARGETS; i++)
        CHECK_INT(mw_send(to[i % TARGETS], mw_int(i)), 0); /* a stride of 8 would see the first alone */
    graph = mw_graph(m.s);
    edges = mw_map_get(graph, "edges");
    CHECK_INT(mw_list_count(*edges), TARGETS);
    for (i = 0; i < TARGETS; i++) {
        int64_t sends = mw_map_get(*mw_list_at(*edges, (size_t)i), "sends")->as.integer;

        CHECK(sends > ROUNDS * 8 / 10);
        CHECK(sends < ROUNDS * 12 / 10);
    }
    mw_release(graph);
    close_mesh(&m);
}

static void those_who_have_gone_are_one_for_each_name(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link sink = {&d, "sink", NULL}, worker = {&d, "worker", make(&sink)};
    mw_value graph, dot;
    int i;

    CHECK_INT(mw_graph_start(m.s, 1), 0);
    for (i = 0; i < 5; i++) {
        mw_tasklet *t = make(&worker);

        send_ints(t, 1, 2);
        CHECK(mw_scheduler_run(m.s) > 0);
        mw_tasklet_free(t);
    }
    CHECK_TEXT(edges_of(m.s), "outside->worker:10 worker->sink:10 ");
    graph = mw_graph(m.s);
    CHECK_INT(mw_list_count(*mw_map_get(graph, "nodes")), 3);
    CHECK(mw_map_get(*mw_list_at(*mw_map_get(graph, "nodes"), 1), "gone")->as.boolean);
    mw_release(graph);
    dot = mw_graph_dot(m.s);
    CHECK(strstr(mw_get_text(&dot, NULL), "[label=\"worker (gone)\", style=dashed];") != NULL);
    mw_release(dot);
    mw_tasklet_free(worker.target); /* now nobody is left */
    CHECK_TEXT(edges_of(m.s), "outside->worker:10 worker->sink:10 ");
    close_mesh(&m);
}

static void those_who_talk_to_each_other_and_go_stay_in_the_sums(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    int i;

    CHECK_INT(mw_graph_start(m.s, 1), 0);
    for (i = 0; i < 3; i++) { /* twins: two of one name, each of which sends to the other */
        struct link left = {&d, "twin", NULL}, right = {&d, "twin", NULL};
        mw_tasklet *one = make(&left), *two = make(&right);

        left.target = two;
        send_ints(one, 1, 4);
        CHECK(mw_scheduler_run(m.s) > 0);
        mw_tasklet_free(one);
        mw_tasklet_free(two);
    }
    CHECK_TEXT(edges_of(m.s), "outside->twin:12 twin->twin:12 ");
    close_mesh(&m);
}

static void meshes_within_are_part_of_it_and_leave_with_their_tasklet(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    mw_scheduler *inner = mw_taskmaster_new(), *late = mw_taskmaster_new(), *previous;
    struct link deep = {&d, "deep", NULL}, top = {&d, "top", NULL}, stray = {&d, "stray", NULL};
    mw_tasklet *t;

    CHECK(mw_scheduler_tasklet(inner) != NULL);
    previous = mw_scheduler_enter(inner);
    top.target = make(&deep);
    mw_scheduler_leave(previous);
    t = make(&top);
    CHECK_INT(mw_graph_start(m.s, 1), 0);
    CHECK_INT(mw_graph_start(m.s, 1), -EBUSY);
    CHECK_INT(mw_graph_start(inner, 1), -EBUSY);
    CHECK_INT(mw_graph_stop(inner), -EBUSY);
    CHECK(mw_scheduler_tasklet(late) != NULL); /* one that comes later is, too */
    previous = mw_scheduler_enter(late);
    deep.target = make(&stray);
    mw_scheduler_leave(previous);
    send_ints(t, 1, 2);
    CHECK(mw_scheduler_run(m.s) > 0);
    CHECK_TEXT(edges_of(m.s), "outside->top:2 top->deep:2 deep->stray:2 ");
    CHECK_TEXT(edges_of(late), "outside->top:2 top->deep:2 deep->stray:2 ");
    mw_tasklet_free(mw_scheduler_tasklet(late)); /* it stands alone again */
    CHECK_TEXT(edges_of(late), "");
    send_ints(deep.target, 1, 1);
    CHECK(mw_scheduler_run(late) > 0);
    CHECK_TEXT(edges_of(m.s), "outside->top:2 top->deep:2 deep->stray:2 ");
    mw_scheduler_free(late);
    mw_scheduler_free(inner);
    CHECK_TEXT(edges_of(m.s), "outside->top:2 top->deep:2 deep->stray:2 ");
    close_mesh(&m);
}

static void whoever_moves_to_another_mesh_is_learned_there(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    mw_scheduler *other = mw_taskmaster_new();
    struct link one = {&d, "one", NULL}, two = {&d, "two", NULL};
    mw_tasklet *t = make(&one), *plain = make(&two);

    CHECK_INT(mw_graph_start(m.s, 1), 0);
    CHECK_INT(mw_graph_start(other, 1), 0);
    send_ints(t, 1, 1);
    CHECK_INT(mw_scheduler_add(other, t), 0);
    send_ints(t, 2, 3);
    CHECK_TEXT(edges_of(m.s), "outside->one:1 ");
    CHECK_TEXT(edges_of(other), "outside->one:2 ");
    CHECK_INT(mw_graph_stop(other), 0);
    CHECK_INT(mw_scheduler_add(other, plain), 0); /* to where nobody learns */
    send_ints(plain, 1, 1);
    CHECK_INT(mw_scheduler_add(m.s, plain), 0);
    send_ints(plain, 1, 1);
    CHECK_TEXT(edges_of(m.s), "outside->one:1 outside->two:1 ");
    mw_scheduler_free(other);
    close_mesh(&m);
}

static void what_exceeds_its_tables_is_counted_as_missed(void)
{
    enum { MANY = 3000 };
    struct mesh m = open_mesh();
    int64_t allocations;
    mw_tasklet *t[MANY];
    int i;

    for (i = 0; i < MANY; i++)
        t[i] = mw_tasklet_new(NULL, NULL);
    CHECK_INT(mw_graph_start(m.s, 1), 0);
    allocations = mw_memory_stats().allocations;
    for (i = 0; i < MANY; i++)
        CHECK_INT(mw_send(t[i], mw_int(1)), 0);
    CHECK_INT(mw_memory_stats().allocations, allocations);
    CHECK_INT(number_of(m.s, "sends"), MANY);
    CHECK_INT(number_of(m.s, "missed"), MANY - 2047); /* one is the world outside */
    for (i = 0; i < MANY; i++)
        mw_tasklet_free(t[i]); /* each gives its place back; one is left */
    CHECK_TEXT(edges_of(m.s), "outside->null:2047 ");
    close_mesh(&m);
}

static void names_are_cut_and_made_fit_to_print(void)
{
    struct mesh m = open_mesh();
    mw_tasklet *t = mw_tasklet_new(NULL, NULL), *bad = mw_tasklet_new(NULL, NULL), *quoted = mw_tasklet_new(NULL, NULL);
    mw_value dot, json;

    CHECK_INT(mw_tasklet_set_name(t, "0123456789012345678901234567890123456789012345\u00e4\u00e4"), 0);
    CHECK_INT(mw_tasklet_set_name(bad, "b\xff\n"), 0);
    CHECK_INT(mw_tasklet_set_name(quoted, "a \"b\" \\"), 0);
    CHECK_INT(mw_graph_start(m.s, 1), 0);
    CHECK_INT(mw_send(t, mw_int(1)), 0);
    CHECK_INT(mw_send(bad, mw_int(1)), 0);
    CHECK_INT(mw_send(quoted, mw_int(1)), 0);
    CHECK_TEXT(edges_of(m.s),
               "outside->0123456789012345678901234567890123456789012345:1 outside->b\?\?:1 outside->a \"b\" \\:1 ");
    dot = mw_graph_dot(m.s);
    CHECK(strstr(mw_get_text(&dot, NULL), "label=\"a \\\"b\\\" \\\\\\n1 processed, 0 queued\"") != NULL);
    json = mw_graph_json(m.s);
    CHECK(strstr(mw_get_text(&json, NULL), "\"name\":\"a \\\"b\\\" \\\\\"") != NULL);
    mw_release(dot);
    mw_release(json);
    close_mesh(&m);
}

static void wrong_arguments_and_missing_memory_are_answered(void)
{
    struct mesh m = open_mesh();
    mw_tasklet *t = mw_tasklet_new(NULL, NULL);
    int i;

    CHECK_INT(mw_graph_start(NULL, 1), -EINVAL);
    CHECK_INT(mw_graph_start(m.s, 0), -EINVAL);
    CHECK_INT(mw_graph_start(m.s, 65536), -EINVAL);
    CHECK_INT(mw_graph_stop(NULL), -EINVAL);
    CHECK_INT(mw_graph_stop(m.s), -ENOENT);
    CHECK_INT(mw_graph(NULL).kind, MW_MISSING);
    CHECK_INT(mw_graph_json(m.s).kind, MW_MISSING);
    CHECK_INT(mw_graph_dot(m.s).kind, MW_MISSING);
    (void)mw_memory_fail_at(1, true);
    CHECK_INT(mw_graph_start(m.s, 1), -ENOMEM);
    (void)mw_memory_fail_at(0, false);
    CHECK_INT(mw_graph_start(m.s, 1), 0);
    CHECK_INT(mw_send(t, mw_int(1)), 0);
    for (i = 1;; i++) {
        mw_value json;
        bool is_there;

        (void)mw_memory_fail_at(i, true);
        json = mw_graph_json(m.s);
        (void)mw_memory_fail_at(0, false);
        is_there = json.kind == MW_TEXT;
        mw_release(json);
        if (is_there)
            break;
    }
    CHECK(i > 5);
    close_mesh(&m);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_chain_is_drawn_as_it_sends),
        TEST(every_way_of_sending_counts),
        TEST(an_item_that_waited_for_room_is_its_senders),
        TEST(a_sample_estimates_and_no_pattern_of_sending_hides),
        TEST(those_who_have_gone_are_one_for_each_name),
        TEST(those_who_talk_to_each_other_and_go_stay_in_the_sums),
        TEST(meshes_within_are_part_of_it_and_leave_with_their_tasklet),
        TEST(whoever_moves_to_another_mesh_is_learned_there),
        TEST(what_exceeds_its_tables_is_counted_as_missed),
        TEST(names_are_cut_and_made_fit_to_print),
        TEST(wrong_arguments_and_missing_memory_are_answered),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
