/* The priority scheduler: rounds, put-back, ties, turns, the trace.
 * Not what happens in the middle of a round; that is priority_change_test.c.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include "base/memory.h"

/* ---- rounds -------------------------------------------------------------------------------------------------- */
static void the_lowest_number_runs_first(void)
{
    struct mesh m = open_priorities(false);
    struct diary d = {0};
    struct link a = {&d, "a", NULL}, b = {&d, "b", NULL}, c = {&d, "c", NULL}, e = {&d, "e", NULL}, f = {&d, "f", NULL};

    new_link(&a, 1000, 2);
    new_link(&b, INT32_MIN, 1);
    new_link(&c, 1, 1);
    new_link(&f, INT32_MAX, 1);
    send_ints(mw_tasklet_new(link_body, &e), 1, 2); /* 0, for nobody has said otherwise */
    CHECK_INT(mw_scheduler_run(m.s), 7);
    CHECK_TEXT(d.text, "b1 e1 e2 c1 a1 a2 f1 ");
    CHECK(mw_scheduler_is_idle(m.s));
    CHECK_INT(mw_scheduler_stats(m.s).processed, 7);
    close_mesh(&m);
}

static void equal_priorities_run_in_the_order_of_their_queueing(void)
{
    struct mesh m = open_priorities(true);
    struct diary d = {0};
    struct link a = {&d, "a", NULL}, b = {&d, "b", NULL}, c = {&d, "c", NULL};

    new_link(&a, 5, 3);
    new_link(&b, 5, 2);
    new_link(&c, 5, 3);
    CHECK_INT(mw_scheduler_run(m.s), 8);
    CHECK_TEXT(d.text, "a1 b1 c1 a2 b2 c2 a3 c3 ");
    close_mesh(&m);
}

/* Who ran, by number of making, one after the other. */
struct throng {
    int ran[2000], count;
};
struct one_of_throng {
    struct throng *throng;
    int number;
};

static int join_throng(mw_tasklet *self, void *scope, mw_value item)
{
    struct one_of_throng *one = scope;

    (void)self;
    mw_release(item);
    one->throng->ran[one->throng->count++] = one->number;
    return 0;
}

static mw_tasklet *new_of_throng(struct throng *throng, struct one_of_throng *one, int number, int priority)
{
    mw_tasklet *t;

    *one = (struct one_of_throng){throng, number};
    t = mw_handler_new(join_throng, one);
    CHECK_INT(mw_set_priority(t, priority), 0);
    return t;
}

/* That they ran by priority, and of equal ones those who were made earlier first. */
static void check_order(const struct throng *throng, const int *priorities)
{
    int i;

    for (i = 1; i < throng->count; i++) {
        int before = throng->ran[i - 1], now = throng->ran[i];

        CHECK(priorities[before] < priorities[now] || (priorities[before] == priorities[now] && before < now));
    }
}

static void a_throng_of_any_size_and_range_of_priorities_runs_in_order(void)
{
    static const struct {
        int size, idle; /* how many have an item, and how many more have none */
        int range, step; /* priorities: so many different ones, so far apart, about 0 */
    } rows[] = {{24, 31, 10, 1}, {25, 30, 10, 1}, {100, 100, 300, 7}, {511, 513, 70000, 1}, {512, 600, 70000, 1}, {600, 700, 1000, 1}, {600, 601, 3, 1 << 29},
                {900, 1000, 1500, 1000003}, {25, 0, 10, 1}, {64, 0, 5, 1}, {65, 0, 70000, 1}, {2000, 0, 1500, 1000003}, {3, 1900, 10, 1}};
    static struct one_of_throng ones[2000];
    static int priorities[2000];
    size_t row;

    for (row = 0; row < MW_COUNT(rows); row++) {
        struct mesh m = open_priorities(false);
        struct throng throng = {.count = 0};
        int all = rows[row].size + rows[row].idle, i, round;
        static mw_tasklet *tasklets[2000];

        for (i = 0; i < all; i++) {
            priorities[i] = (int)((int64_t)i * 7919 % rows[row].range - rows[row].range / 2) * rows[row].step;
            tasklets[i] = new_of_throng(&throng, &ones[i], i, priorities[i]);
        }
        for (round = 0; round < 4; round++) {
            throng.count = 0;
            for (i = 0; i < rows[row].size; i++)
                mw_send(tasklets[(i * 3 + round) % all], mw_int(1)); /* each once, as 3 divides none of the sums */
            CHECK_INT(mw_scheduler_run(m.s), rows[row].size);
            CHECK(throng.count == rows[row].size);
            check_order(&throng, priorities);
        }
        close_mesh(&m);
    }
}

static void who_comes_or_goes_or_has_another_priority_takes_its_new_place_after_any_number_of_rounds(void)
{
    enum { SIZE = 200, ROUNDS = 60 };
    struct mesh m = open_priorities(false);
    static struct one_of_throng ones[SIZE];
    static mw_tasklet *tasklets[SIZE];
    static int priorities[SIZE];
    struct throng throng = {.count = 0};
    int i, round, last = 0;

    for (i = 0; i < SIZE; i++)
        tasklets[i] = new_of_throng(&throng, &ones[i], i, priorities[i] = i * 37 % SIZE);
    for (round = 0; round < ROUNDS; round++) {
        throng.count = 0;
        for (i = 0; i < SIZE; i++)
            mw_send(tasklets[i], mw_int(1));
        CHECK_INT(mw_scheduler_run(m.s), SIZE);
        for (i = 1; i < SIZE; i++)
            CHECK(priorities[throng.ran[i - 1]] <= priorities[throng.ran[i]]);
        if (round % 5 == 1) { /* the one who was last becomes the first */
            last = throng.ran[SIZE - 1];
            CHECK_INT(mw_set_priority(tasklets[last], priorities[last] = -round), 0);
        } else if (round % 5 == 3) { /* another comes in his place, and stands in the middle */
            mw_tasklet_free(tasklets[last]);
            tasklets[last] = new_of_throng(&throng, &ones[last], last, priorities[last] = SIZE / 2);
        }
    }
    close_mesh(&m);
}

static void what_is_sent_to_those_outside_the_round_waits_for_the_next(void)
{
    struct mesh m = open_priorities(false);
    struct diary d = {0};
    struct link a = {&d, "a", NULL}, b = {&d, "b", NULL}, urgent = {&d, "u", NULL};

    a.target = new_link(&urgent, -10, 0);
    new_link(&a, 1, 2);
    new_link(&b, 2, 1);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_TEXT(read_diary(&d), "a1 a2 b1 ");
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_TEXT(read_diary(&d), "u1 u2 ");
    close_mesh(&m);
}

static void what_is_sent_to_those_in_the_round_is_processed_in_it(void)
{
    struct mesh m = open_priorities(false);
    struct diary d = {0};
    struct link a = {&d, "a", NULL}, b = {&d, "b", NULL};

    a.target = new_link(&b, 2, 1);
    new_link(&a, 1, 2);
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_TEXT(d.text, "a1 a2 b1 b1 b2 ");
    close_mesh(&m);
}

static void set_ups_run_before_the_round_and_bring_nobody_into_it(void)
{
    struct mesh m = open_priorities(false);
    struct diary one = {0}, two = {0};
    struct link a = {&one, "a", NULL}, b = {&two, "b", NULL};
    mw_tasklet *late = mw_tasklet_new(writer, &one);

    mw_set_priority(late, 1000);
    a.target = late;
    new_link(&a, 1, 1);
    new_link(&b, 2000, 1);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_TEXT(one.text, "setup a1 ");
    CHECK_TEXT(two.text, "b1 ");
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_TEXT(one.text, "setup a1 1 ");
    close_mesh(&m);
}


/* ---- turns --------------------------------------------------------------------------------------------------------- */
static void where_turns_end_shows_neither_in_what_is_done_nor_in_the_order(void)
{
    int incremental;
    size_t budget;

    for (incremental = 0; incremental < 2; incremental++) {
        char whole[2048] = "";

        for (budget = 4096; budget >= 40; budget = budget > 64 ? 64 : budget - 1) {
            struct mesh m = open_priorities(incremental);
            struct diary d = {0};
            struct link sink = {&d, "s", NULL}, left = {&d, "l", NULL}, right = {&d, "r", NULL};
            mw_tasklet *s = mw_tasklet_new(link_body, &sink), *l = new_link(&left, 3, 20);
            mw_tasklet *r = mw_tasklet_new(link_body, &right);

            left.target = right.target = s;
            mw_set_priority(s, 2);
            send_ints(r, 1, 20);
            mw_scheduler_set_budget(m.s, budget);
            while (mw_scheduler_turn(m.s) > 0)
                continue;
            if (budget == 4096)
                memcpy(whole, d.text, sizeof(whole));
            CHECK_TEXT(d.text, whole);
            CHECK_INT(mw_tasklet_stats(s).processed, 40);
            CHECK_INT(mw_tasklet_stats(l).processed, 20);
            close_mesh(&m);
        }
    }
}

static void one_that_refills_itself_for_ever_starves_nobody(void)
{
    int incremental;

    for (incremental = 0; incremental < 2; incremental++) {
        struct mesh m = open_priorities(incremental);
        struct diary d = {0};
        struct link a = {&d, "a", NULL};
        int64_t count = 0;
        mw_tasklet *busy = mw_handler_new(send_to_itself, &count);

        mw_set_priority(busy, -1);
        send_ints(busy, 1, 1);
        new_link(&a, 5, 1);
        mw_scheduler_set_budget(m.s, 10);
        CHECK_INT(mw_scheduler_turn(m.s), 1);
        CHECK_INT(count, 10);
        CHECK_INT(mw_scheduler_turn(m.s), 1);
        CHECK_TEXT(d.text, "a1 ");
        mw_clear(busy);
        close_mesh(&m);
    }
}

static void take_note(void *context)
{
    ++*(int *)context;
}

static void a_loop_is_told_once_when_there_is_work(void)
{
    struct mesh m = open_priorities(false);
    struct diary d = {0};
    struct link a = {&d, "a", NULL};
    int told = 0;
    mw_tasklet *t = new_link(&a, 1, 0);

    mw_scheduler_on_ready(m.s, take_note, &told);
    send_ints(t, 1, 2);
    CHECK_INT(told, 1);
    CHECK(!mw_scheduler_is_idle(m.s));
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    send_ints(t, 3, 3);
    CHECK_INT(told, 2);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    close_mesh(&m);
}

static int end_all(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    (void)item;
    mw_scheduler_free(scope);
    return (int)mw_scheduler_run(scope) == -EBUSY ? 0 : -EINVAL;
}

static void a_scheduler_freed_by_its_own_tasklet_ends_when_the_run_is_over(void)
{
    int64_t before = mw_memory_stats().live_blocks;
    struct mesh m = open_priorities(true);
    struct diary d = {0};
    struct link a = {&d, "a", NULL};

    send_ints(mw_handler_new(end_all, m.s), 1, 1);
    new_link(&a, 1, 1);
    mw_scheduler_leave(m.previous);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(d.text, "a1 ");
    CHECK_INT(mw_memory_stats().live_blocks, before);
}

/* ---- the trace ------------------------------------------------------------------------------------------------------- */
static void note_trace(void *context, const struct mw_trace_event *e)
{
    mw_value line = mw_trace_text(e);

    note(context, "%s|", mw_get_text(&line, NULL));
    mw_release(line);
}

static void the_trace_tells_what_runs_on_what_and_what_is_put_back(void)
{
    struct mesh m = open_priorities(true);
    struct diary d = {0}, quiet = {0};
    mw_tasklet *t = mw_handler_new(write_item, &quiet);

    mw_set_priority(t, -3);
    send_ints(t, 1, 1);
    mw_tasklet_set_name(t, "tee");
    mw_send(t, mw_opaque(&d, NULL));
    CHECK_INT(mw_scheduler_on_trace(m.s, note_trace, &d), 0);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(read_diary(&d),
               "Scheduler executes tee on priority -3|    1 <-- processing just this data|    <opaque>|"
               "Scheduler puts tee back into priority queue.|"
               "Scheduler executes tee on priority -3|    <opaque> <-- processing just this data|");
    CHECK_INT(mw_scheduler_on_trace(m.s, NULL, NULL), 0);
    send_ints(t, 1, 1);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(d.text, "");
    close_mesh(&m);
}

struct meddler {
    enum mw_trace_kind at;
    struct diary *d;
};
static void free_what_is_told(void *context, const struct mw_trace_event *e)
{
    struct meddler *m = context;

    note(m->d, "%d ", (int)e->kind);
    if (e->kind == m->at)
        mw_tasklet_free(e->tasklet);
}

static void whoever_listens_may_free_the_tasklet(void)
{
    static const char *const want[] = {"0 3 ", "0 1 3 ", "a1 0 1 1 1 2 3 "};
    int at;

    for (at = MW_TRACE_EXECUTES; at <= MW_TRACE_PUTS_BACK; at++) {
        struct mesh m = open_priorities(true);
        struct diary d = {0}, seen = {0};
        struct link a = {&d, "a", NULL};
        struct meddler meddler = {(enum mw_trace_kind)at, &seen};

        new_link(&a, 1, 3);
        mw_scheduler_on_trace(m.s, free_what_is_told, &meddler);
        CHECK_INT(mw_scheduler_run(m.s), at == MW_TRACE_PUTS_BACK);
        note(&d, "%s", seen.text);
        CHECK_TEXT(d.text, want[at]);
        CHECK_INT(mw_scheduler_stats(m.s).tasklets, 0);
        close_mesh(&m);
    }
}

static void wrong_arguments_are_answered(void)
{
    struct mesh m = open_mesh();
    mw_tasklet *t = mw_tasklet_new(NULL, NULL);
    int priority;

    CHECK_INT(mw_scheduler_on_trace(NULL, note_trace, NULL), -EINVAL);
    CHECK_INT(mw_set_priority(NULL, 1), -EINVAL);
    CHECK_INT(mw_set_priority_function(t, NULL, NULL), -EINVAL);
    CHECK_INT(mw_set_priority_function(NULL, scripted, NULL), -EINVAL);
    CHECK_INT(mw_get_priority(NULL, &priority), -EINVAL);
    CHECK_INT(mw_get_priority(t, NULL), -EINVAL);
    close_mesh(&m);
}

/* ---- memory -------------------------------------------------------------------------------------------------------------- */
static void once_warm_nothing_is_allocated(void)
{
    int incremental, round, i;

    for (incremental = 0; incremental < 2; incremental++) {
        struct mesh m = open_priorities(incremental);
        struct diary d = {0};
        struct link a = {&d, "", NULL};
        mw_tasklet *t[200];
        int64_t warm = 0;

        for (i = 0; i < 200; i++) {
            t[i] = mw_handler_new(link_handler, &a);
            mw_set_priority(t[i], i * 7919 % 200);
        }
        for (round = 0; round < 4; round++) {
            warm = mw_memory_stats().allocations;
            for (i = 0; i < 200; i++)
                send_ints(t[i], 1, 3);
            CHECK_INT(mw_scheduler_run(m.s), 600);
        }
        CHECK_INT(mw_memory_stats().allocations, warm);
        close_mesh(&m);
    }
}

static void build_and_run(void)
{
    mw_scheduler *s = mw_priority_scheduler_new(true), *previous;
    struct diary d = {0};
    struct link a = {&d, "", NULL};
    int i;

    if (!s)
        return;
    previous = mw_scheduler_enter(s);
    for (i = 0; i < 70; i++) {
        mw_tasklet *t = i % 9 ? mw_handler_new(link_handler, &a) : mw_tasklet_new(link_body, &a);

        (void)mw_set_priority(t, i % 5);
        (void)mw_send(t, mw_int(i));
        (void)mw_send(t, mw_int(i));
    }
    CHECK(mw_scheduler_run(s) >= 0);
    CHECK(mw_scheduler_is_idle(s));
    mw_scheduler_leave(previous);
    mw_scheduler_free(s);
}

static void every_allocation_may_fail(void)
{
    int64_t made, n, before;

    mw_thread_end();
    before = mw_memory_stats().live_blocks;
    (void)mw_memory_fail_at(0, false);
    build_and_run();
    made = mw_memory_fail_at(0, false);
    CHECK(made > 70);
    for (n = 1; n <= made; n++) {
        mw_thread_end();
        (void)mw_memory_fail_at(n, false);
        build_and_run();
        (void)mw_memory_fail_at(0, false);
        mw_thread_end();
        CHECK_INT(mw_memory_stats().live_blocks, before);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(the_lowest_number_runs_first),
        TEST(equal_priorities_run_in_the_order_of_their_queueing),
        TEST(a_throng_of_any_size_and_range_of_priorities_runs_in_order),
        TEST(who_comes_or_goes_or_has_another_priority_takes_its_new_place_after_any_number_of_rounds),
        TEST(what_is_sent_to_those_outside_the_round_waits_for_the_next),
        TEST(what_is_sent_to_those_in_the_round_is_processed_in_it),
        TEST(set_ups_run_before_the_round_and_bring_nobody_into_it),
        TEST(where_turns_end_shows_neither_in_what_is_done_nor_in_the_order),
        TEST(one_that_refills_itself_for_ever_starves_nobody),
        TEST(a_loop_is_told_once_when_there_is_work),
        TEST(a_scheduler_freed_by_its_own_tasklet_ends_when_the_run_is_over),
        TEST(the_trace_tells_what_runs_on_what_and_what_is_put_back),
        TEST(whoever_listens_may_free_the_tasklet),
        TEST(wrong_arguments_are_answered),
        TEST(once_warm_nothing_is_allocated),
        TEST(every_allocation_may_fail),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
