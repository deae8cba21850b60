/* Orders of a taskmaster, pausing and stepping, its trace, and runs that chance decides.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include "base/memory.h"

/* ---- orders --------------------------------------------------------------------------------------------- */
/* Three that hand on: a to b to c. */
struct row {
    struct diary d;
    struct link links[3];
    mw_tasklet *t[3];
};

static void make_row(struct row *r)
{
    static const char *const names[] = {"a", "b", "c"};
    int i;

    *r = (struct row){.d = {.count = 0}};
    for (i = 0; i < 3; i++) {
        r->links[i] = (struct link){&r->d, names[i], NULL};
        r->t[i] = mw_handler_new_at(link_handler, &r->links[i], names[i], __FILE__, __LINE__);
        CHECK(r->t[i] != NULL);
        if (i > 0)
            r->links[i - 1].target = r->t[i];
    }
}

static void item_by_item_all_take_turns(void)
{
    struct mesh m = open_mesh();
    struct row r;

    make_row(&r);
    CHECK_INT(mw_scheduler_set_order(m.s, MW_ORDER_ITEMS), 0);
    send_ints(r.t[0], 1, 3);
    CHECK_INT(mw_scheduler_run(m.s), 9);
    CHECK_TEXT(read_diary(&r.d), "a1 b1 c1 a2 b2 c2 a3 b3 c3 ");
    send_ints(r.t[0], 1, 2);
    while (mw_scheduler_turn(m.s) > 0)
        note(&r.d, "| ");
    CHECK_TEXT(read_diary(&r.d), "a1 b1 c1 | a2 b2 c2 ");
    close_mesh(&m);
}

static void newest_first_whoever_was_made_last_comes_first(void)
{
    struct mesh m = open_mesh();
    struct row r;

    make_row(&r);
    CHECK_INT(mw_scheduler_set_order(m.s, MW_ORDER_NEWEST), 0);
    send_ints(r.t[0], 1, 2);
    send_ints(r.t[1], 3, 3);
    send_ints(r.t[2], 4, 4);
    CHECK_INT(mw_scheduler_run(m.s), 2 * 3 + 2 + 1);
    CHECK_TEXT(read_diary(&r.d), "c4 b3 c3 a1 a2 b1 b2 c1 c2 ");
    close_mesh(&m);
}

static void newest_first_the_oldest_still_gets_its_share(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    mw_tasklet *a = mw_handler_new(link_handler, &one);
    int64_t count = 0;
    mw_tasklet *greedy = mw_handler_new(send_to_itself, &count);

    CHECK_INT(mw_scheduler_set_order(m.s, MW_ORDER_NEWEST), 0);
    CHECK_INT(mw_scheduler_set_budget(m.s, 80), 0);
    send_ints(greedy, 1, 1);
    send_ints(a, 1, 3);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_TEXT(read_diary(&d), "a1 a2 a3 ");
    CHECK(count >= 70 && count <= 80);
    close_mesh(&m);
}

/* The item of one that waits is put into the mailbox while that is being visited. */
static void one_that_waits_for_room_goes_on_whatever_the_order(void)
{
    int way;

    for (way = 0; way < 6; way++) {
        mw_scheduler *s = way >= 4 ? mw_priority_scheduler_new(way == 4) : mw_taskmaster_new(), *previous = mw_scheduler_enter(s);
        struct diary d = {0}, sent = {0};
        mw_tasklet *target, *sender;
        struct link l = {&sent, "s", NULL};

        if (way < 3)
            CHECK_INT(mw_scheduler_set_order(s, (enum mw_order)way), 0);
        else if (way == 3)
            CHECK_INT(mw_scheduler_set_seed(s, 5), 0);
        target = open_writer(&d, false, (mw_tasklet_options){.mailbox_items = 2});
        l.target = target;
        sender = mw_tasklet_new(link_body, &l);
        send_ints(sender, 1, 200);
        CHECK_INT(mw_scheduler_run(s), 400);
        CHECK_INT(mw_tasklet_stats(target).processed, 200);
        CHECK_INT(mw_scheduler_stats(s).ready, 0);
        mw_scheduler_leave(previous);
        mw_scheduler_free(s);
    }
}

static void the_order_may_change_between_turns(void)
{
    struct mesh m = open_mesh();
    struct row r;
    enum mw_order order;

    make_row(&r);
    for (order = MW_ORDER_ROUNDS; order <= MW_ORDER_NEWEST; order = (enum mw_order)(order + 1)) {
        CHECK_INT(mw_scheduler_set_order(m.s, order), 0);
        send_ints(r.t[0], 1, 1);
        CHECK_INT(mw_scheduler_run(m.s), 3);
        CHECK_TEXT(read_diary(&r.d), "a1 b1 c1 ");
    }
    CHECK_INT(mw_scheduler_set_order(m.s, (enum mw_order)7), -EINVAL);
    CHECK_INT(mw_scheduler_set_order(NULL, MW_ORDER_ITEMS), -EINVAL);
    close_mesh(&m);
}

static void a_priority_scheduler_has_its_own_order(void)
{
    mw_scheduler *s = mw_priority_scheduler_new(false);

    CHECK_INT(mw_scheduler_set_order(s, MW_ORDER_NEWEST), -ENOTSUP);
    CHECK_INT(mw_scheduler_set_seed(s, 1), -ENOTSUP);
    mw_scheduler_free(s);
}

/* ---- pausing ------------------------------------------------------------------------------------------- */
static void a_paused_scheduler_runs_nothing_and_keeps_what_is_sent(void)
{
    struct mesh m = open_mesh();
    struct row r;

    make_row(&r);
    CHECK_INT(mw_scheduler_pause(m.s), 0);
    CHECK(mw_scheduler_is_paused(m.s));
    send_ints(r.t[0], 1, 2);
    CHECK(mw_scheduler_is_idle(m.s));
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_TEXT(read_diary(&r.d), "");
    CHECK_INT(mw_next(r.t[0]), 1); /* verbs still run the one */
    CHECK_TEXT(read_diary(&r.d), "a1 ");
    CHECK_INT(mw_scheduler_resume(m.s), 0);
    CHECK_INT(mw_scheduler_run(m.s), 5);
    CHECK_TEXT(read_diary(&r.d), "a2 b1 b2 c1 c2 ");
    close_mesh(&m);
}

static void count_call(void *context)
{
    ++*(int *)context;
}

static void resuming_tells_a_loop_that_something_is_ready(void)
{
    struct mesh m = open_mesh();
    struct row r;
    int calls = 0;

    make_row(&r);
    mw_scheduler_on_ready(m.s, count_call, &calls);
    CHECK_INT(mw_scheduler_pause(m.s), 0);
    send_ints(r.t[0], 1, 1);
    CHECK_INT(calls, 0);
    CHECK_INT(mw_scheduler_resume(m.s), 0);
    CHECK_INT(calls, 1);
    CHECK_INT(mw_scheduler_resume(m.s), 0);
    CHECK_INT(calls, 1);
    mw_scheduler_on_ready(m.s, NULL, NULL);
    close_mesh(&m);
}

static void a_step_is_one_turn_of_a_paused_scheduler(void)
{
    struct mesh m = open_mesh();
    struct row r;

    make_row(&r);
    CHECK_INT(mw_scheduler_set_order(m.s, MW_ORDER_ITEMS), 0);
    send_ints(r.t[0], 1, 2);
    mw_scheduler_pause(m.s);
    CHECK_INT(mw_scheduler_step(m.s), 1);
    CHECK_TEXT(read_diary(&r.d), "a1 b1 c1 ");
    CHECK(mw_scheduler_is_paused(m.s));
    CHECK_INT(mw_scheduler_step(m.s), 0);
    CHECK_TEXT(read_diary(&r.d), "a2 b2 c2 ");
    CHECK_INT(mw_scheduler_step(m.s), 0);
    CHECK_INT(mw_scheduler_step(NULL), -EINVAL);
    CHECK_INT(mw_scheduler_pause(NULL), -EINVAL);
    CHECK_INT(mw_scheduler_resume(NULL), -EINVAL);
    CHECK(!mw_scheduler_is_paused(NULL));
    close_mesh(&m);
}

static int pause_at_two(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)self;
    if (item.as.integer == 2)
        keep(d, mw_scheduler_pause((mw_scheduler *)(void *)d->other));
    return 0;
}

static void from_inside_a_body_it_holds_from_the_next_receive_on(void)
{
    int is_handler, incremental;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        for (incremental = 0; incremental < 3; incremental++) {
            struct mesh m = open_mesh();
            struct diary d = {.inside = pause_at_two};
            mw_scheduler *s = incremental < 2 ? mw_priority_scheduler_new(incremental) : m.s, *previous = mw_scheduler_enter(s);
            mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});

            d.other = (mw_tasklet *)(void *)s;
            CHECK_INT(mw_start(t), 0);
            (void)read_diary(&d);
            send_ints(t, 1, 4);
            CHECK(mw_scheduler_run(s) >= 2);
            if (!is_handler)
                CHECK_TEXT(read_diary(&d), "1 2 ");
            CHECK_INT(d.results[0], 0);
            CHECK_INT(mw_scheduler_resume(s), 0);
            CHECK(mw_scheduler_run(s) >= 0);
            CHECK_INT(mw_tasklet_stats(t).processed, 4);
            mw_scheduler_leave(previous);
            if (s != m.s)
                mw_scheduler_free(s);
            close_mesh(&m);
        }
    }
}

static void a_nested_one_may_be_paused_alone(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL}, two = {&d, "b", NULL};
    mw_scheduler *inner = mw_taskmaster_new(), *previous;
    mw_tasklet *a = mw_handler_new(link_handler, &one), *b;

    CHECK(mw_scheduler_tasklet(inner) != NULL);
    previous = mw_scheduler_enter(inner);
    b = mw_handler_new(link_handler, &two);
    mw_scheduler_leave(previous);
    mw_scheduler_pause(inner);
    send_ints(a, 1, 1);
    send_ints(b, 2, 2);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_INT(mw_scheduler_step(inner), 0);
    send_ints(b, 3, 3);
    CHECK(mw_scheduler_is_idle(m.s));
    mw_scheduler_resume(inner);
    CHECK(!mw_scheduler_is_idle(m.s));
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(read_diary(&d), "a1 b2 b3 ");
    mw_scheduler_free(inner);
    close_mesh(&m);
}

/* ---- the trace ------------------------------------------------------------------------------------------- */
static void note_line(void *context, const struct mw_trace_event *event)
{
    mw_value text = mw_trace_text(event);

    note(context, "%s\n", mw_get_text(&text, NULL));
    mw_release(text);
}

static void a_taskmaster_tells_what_it_does(void)
{
    struct mesh m = open_mesh();
    struct row r;
    struct diary lines = {0};

    make_row(&r);
    CHECK_INT(mw_scheduler_on_trace(m.s, note_line, &lines), 0);
    send_ints(r.t[0], 1, 2);
    CHECK_INT(mw_scheduler_run(m.s), 6);
    CHECK_TEXT(read_diary(&r.d), "a1 a2 b1 b2 c1 c2 ");
    CHECK_TEXT(read_diary(&lines), "Scheduler executes a\n"
                                   "    1 <-- processing this data\n    2 <-- processing this data\n"
                                   "Scheduler executes b\n"
                                   "    1 <-- processing this data\n    2 <-- processing this data\n"
                                   "Scheduler executes c\n"
                                   "    1 <-- processing this data\n    2 <-- processing this data\n");
    CHECK_INT(mw_scheduler_set_order(m.s, MW_ORDER_ITEMS), 0);
    send_ints(r.t[2], 1, 2);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(read_diary(&lines), "Scheduler executes c\n"
                                   "    1 <-- processing just this data\n    2\n"
                                   "Scheduler puts c back into the round.\n"
                                   "Scheduler executes c\n"
                                   "    2 <-- processing just this data\n");
    mw_close(r.t[2]);
    CHECK_TEXT(read_diary(&lines), "c closes.\n");
    CHECK_INT(mw_scheduler_on_trace(m.s, NULL, NULL), 0);
    send_ints(r.t[0], 1, 1);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(read_diary(&lines), "");
    close_mesh(&m);
}

static void note_json(void *context, const struct mw_trace_event *event)
{
    mw_value text = mw_trace_json(event);

    note(context, "%s\n", mw_get_text(&text, NULL));
    mw_release(text);
}

static int64_t always_7(void *context)
{
    (void)context;
    return 7;
}

static int fail(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self, (void)scope, (void)item;
    return -EIO;
}

static void the_trace_is_there_for_programs_too(void)
{
    struct mesh m = open_mesh();
    struct diary lines = {0};
    mw_tasklet *t = mw_handler_new_at(fail, NULL, "a \"b\"", __FILE__, __LINE__);

    CHECK_INT(mw_scheduler_set_clock(m.s, always_7, NULL), 0);
    CHECK_INT(mw_scheduler_on_trace(m.s, note_json, &lines), 0);
    CHECK_INT(mw_send(t, mw_text("x")), 0);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(read_diary(&lines),
               "{\"event\":\"executes\",\"turn\":0,\"time_ns\":7,\"tasklet\":\"a \\\"b\\\"\",\"items\":1}\n"
               "{\"event\":\"item\",\"turn\":0,\"time_ns\":7,\"tasklet\":\"a \\\"b\\\"\",\"items\":1,\"index\":0,\"processed\":true,"
               "\"item\":\"x\"}\n"
               "{\"event\":\"fails\",\"turn\":0,\"time_ns\":7,\"tasklet\":\"a \\\"b\\\"\",\"items\":0,\"code\":-5}\n");
    mw_scheduler_on_trace(m.s, NULL, NULL);
    close_mesh(&m);
}

struct meddler {
    enum mw_trace_kind at;
    int count;
};

static void free_what_is_told(void *context, const struct mw_trace_event *event)
{
    struct meddler *meddler = context;

    if (event->kind == meddler->at) {
        meddler->count++;
        mw_tasklet_free(event->tasklet);
    }
}

static void whoever_listens_may_free_the_tasklet(void)
{
    int at;

    for (at = MW_TRACE_EXECUTES; at <= MW_TRACE_FAILS; at++) {
        struct mesh m = open_mesh();
        struct meddler meddler = {(enum mw_trace_kind)at, 0};
        struct diary d = {0};
        struct link one = {&d, "a", NULL};
        mw_tasklet *t = at == MW_TRACE_FAILS ? mw_handler_new(fail, NULL) : mw_handler_new(link_handler, &one);

        CHECK_INT(mw_scheduler_set_order(m.s, MW_ORDER_ITEMS), 0);
        CHECK_INT(mw_scheduler_on_trace(m.s, free_what_is_told, &meddler), 0);
        send_ints(t, 1, 2);
        if (at == MW_TRACE_CLOSES)
            CHECK_INT(mw_close(t), 0);
        CHECK(mw_scheduler_run(m.s) >= 0);
        CHECK_INT(mw_scheduler_stats(m.s).tasklets, 0);
        CHECK_INT(meddler.count, 1);
        close_mesh(&m);
    }
}

/* ---- chance ------------------------------------------------------------------------------------------------ */
struct hash {
    uint64_t sum;
    int64_t now_ns;
};

static void hash_event(void *context, const struct mw_trace_event *event)
{
    struct hash *h = context;
    mw_value text = mw_trace_json(event);
    const char *at = mw_get_text(&text, NULL);

    for (; *at; at++)
        h->sum = (h->sum ^ (uint8_t)*at) * UINT64_C(1099511628211);
    mw_release(text);
}

static int64_t hash_clock(void *context)
{
    return ((struct hash *)context)->now_ns;
}

static int hash_idle(void *context, int64_t deadline_ns)
{
    if (deadline_ns == MW_FOREVER)
        return -ECANCELED;
    ((struct hash *)context)->now_ns = deadline_ns;
    return 0;
}

static int hand_on_after_a_while(mw_tasklet *self, void *scope)
{
    struct link *l = scope;
    mw_value item;

    while (mw_receive(self, &item)) {
        if (item.as.integer % 3 == 0)
            (void)mw_sleep_until(self, mw_clock(self) + item.as.integer);
        if (item.as.integer > 0)
            mw_send(l->target, mw_int(item.as.integer - 1));
    }
    return 0;
}

/* A mesh of rings with sleepers, run under a seed: the hash of its trace. */
static uint64_t run_seed(uint64_t seed)
{
    enum { RINGS = 3, LINKS = 4 };
    struct mesh m = open_mesh();
    struct hash h = {.sum = UINT64_C(14695981039346656037)};
    struct link links[RINGS][LINKS];
    mw_tasklet *t[RINGS][LINKS];
    int r, i;

    CHECK_INT(mw_scheduler_set_clock(m.s, hash_clock, &h), 0);
    mw_scheduler_on_idle(m.s, hash_idle, &h);
    CHECK_INT(mw_scheduler_set_seed(m.s, seed), 0);
    CHECK_INT(mw_scheduler_on_trace(m.s, hash_event, &h), 0);
    for (r = 0; r < RINGS; r++)
        for (i = 0; i < LINKS; i++) {
            t[r][i] = mw_tasklet_new(hand_on_after_a_while, &links[r][i]);
            if (i > 0)
                links[r][i - 1].target = t[r][i];
        }
    for (r = 0; r < RINGS; r++) {
        links[r][LINKS - 1].target = t[(r + 1) % RINGS][0];
        send_ints(t[r][0], 20, 30);
    }
    CHECK_INT(mw_scheduler_run(m.s), RINGS * (21 + 31) * 11 / 2);
    mw_scheduler_on_trace(m.s, NULL, NULL);
    close_mesh(&m);
    return h.sum;
}

static void the_same_seed_gives_the_same_trace(void)
{
    uint64_t seed, last = 0;

    for (seed = 1; seed <= 20; seed++) {
        uint64_t hash = run_seed(seed);

        CHECK(hash == run_seed(seed));
        CHECK(hash != last); /* and another seed another */
        last = hash;
    }
}

static void chance_leaves_the_order_between_two_as_it_is(void)
{
    uint64_t seed;

    for (seed = 1; seed <= 1000; seed++) {
        struct mesh m = open_mesh();
        struct diary d = {0};
        struct link one = {&d, "", NULL}, two = {&d, "", NULL}, last = {&d, "", NULL};
        mw_tasklet *a = mw_handler_new(link_handler, &one), *b = mw_handler_new(link_handler, &two);

        last.d = &(struct diary){0};
        one.target = two.target = mw_handler_new(link_handler, &last);
        CHECK_INT(mw_scheduler_set_seed(m.s, seed), 0);
        send_ints(a, 10, 19);
        send_ints(b, 20, 29);
        CHECK_INT(mw_scheduler_run(m.s), 40);
        CHECK_TEXT(last.d->text, d.text); /* it arrives as it was sent */
        close_mesh(&m);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(item_by_item_all_take_turns),
        TEST(newest_first_whoever_was_made_last_comes_first),
        TEST(newest_first_the_oldest_still_gets_its_share),
        TEST(one_that_waits_for_room_goes_on_whatever_the_order),
        TEST(the_order_may_change_between_turns),
        TEST(a_priority_scheduler_has_its_own_order),
        TEST(a_paused_scheduler_runs_nothing_and_keeps_what_is_sent),
        TEST(resuming_tells_a_loop_that_something_is_ready),
        TEST(a_step_is_one_turn_of_a_paused_scheduler),
        TEST(from_inside_a_body_it_holds_from_the_next_receive_on),
        TEST(a_nested_one_may_be_paused_alone),
        TEST(a_taskmaster_tells_what_it_does),
        TEST(the_trace_is_there_for_programs_too),
        TEST(whoever_listens_may_free_the_tasklet),
        TEST(the_same_seed_gives_the_same_trace),
        TEST(chance_leaves_the_order_between_two_as_it_is),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
