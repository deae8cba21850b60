/* A scheduler as a tasklet: nesting, moving, freeing in any order.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include "base/memory.h"

/* A scheduler that is part of the mesh opened last. */
static mw_scheduler *open_inner(void)
{
    mw_scheduler *inner = mw_taskmaster_new();
    mw_tasklet *t = mw_scheduler_tasklet(inner);

    CHECK(t != NULL);
    CHECK(mw_scheduler_tasklet(inner) == t); /* one per scheduler */
    CHECK_TEXT(mw_tasklet_name(t), "scheduler");
    return inner;
}

static mw_tasklet *link_in(mw_scheduler *s, struct link *l)
{
    mw_scheduler *previous = mw_scheduler_enter(s);
    mw_tasklet *t = mw_handler_new(link_handler, l);

    mw_scheduler_leave(previous);
    CHECK(t != NULL);
    return t;
}

static void it_is_ready_while_any_of_its_tasklets_is(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL}, two = {&d, "b", NULL};
    mw_scheduler *inner = open_inner();
    mw_tasklet *a = mw_handler_new(link_handler, &one), *b = link_in(inner, &two);

    CHECK(mw_scheduler_is_idle(m.s));
    send_ints(b, 1, 2);
    CHECK(!mw_scheduler_is_idle(m.s));
    send_ints(a, 3, 3);
    CHECK_INT(mw_scheduler_run(m.s), 3);
    CHECK_TEXT(read_diary(&d), "b1 b2 a3 "); /* the inner one was made first */
    CHECK(mw_scheduler_is_idle(m.s));
    CHECK_INT(mw_scheduler_stats(inner).processed, 2);
    close_mesh(&m);
    mw_scheduler_free(inner);
}

static void what_was_ready_before_it_was_nested_runs_too(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link two = {&d, "b", NULL};
    mw_scheduler *inner = mw_taskmaster_new();

    send_ints(link_in(inner, &two), 1, 2);
    CHECK(mw_scheduler_is_idle(m.s));
    CHECK(mw_scheduler_tasklet(inner) != NULL);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(read_diary(&d), "b1 b2 ");
    mw_scheduler_free(inner);
    close_mesh(&m);
}

static void items_cross_the_border_both_ways(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL}, two = {&d, "b", NULL}, three = {&d, "c", NULL};
    mw_scheduler *inner = open_inner();
    mw_tasklet *a = mw_tasklet_new(link_body, &one), *b = link_in(inner, &two);

    one.target = b;
    two.target = mw_handler_new(link_handler, &three);
    send_ints(a, 1, 2);
    CHECK_INT(mw_scheduler_run(m.s), 6);
    CHECK_TEXT(read_diary(&d), "a1 a2 b1 b2 c1 c2 ");
    close_mesh(&m);
    mw_scheduler_free(inner);
}

static void whatever_is_sent_to_it_stands_for_a_turn(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link two = {&d, "b", NULL};
    mw_scheduler *inner = open_inner();
    mw_tasklet *t = mw_scheduler_tasklet(inner), *b = link_in(inner, &two);

    send_ints(b, 1, 1);
    CHECK_INT(mw_send(t, mw_text("a text that is longer than what fits inside")), 0);
    CHECK_INT(mw_next(t), 1);
    CHECK_TEXT(read_diary(&d), "b1 ");
    CHECK_INT(mw_next(t), 0);
    send_ints(b, 2, 2);
    CHECK_INT(mw_pass(t, mw_int(0)), 0);
    CHECK_TEXT(read_diary(&d), "b2 ");
    send_ints(b, 3, 3);
    send_ints(t, 0, 3);
    CHECK_INT(mw_flush(t), 4);
    CHECK_TEXT(read_diary(&d), "b3 ");
    send_ints(b, 4, 4);
    send_ints(t, 0, 3);
    CHECK_INT(mw_scheduler_run(m.s), 1); /* its own items are none of the mesh's work */
    CHECK_TEXT(read_diary(&d), "b4 ");
    CHECK_INT(mw_tasklet_stats(t).queued_items, 0);
    close_mesh(&m);
    mw_scheduler_free(inner);
}

static void the_smaller_of_both_budgets_holds(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link two = {&d, "b", NULL};
    mw_scheduler *inner = open_inner();
    mw_tasklet *b = link_in(inner, &two);

    send_ints(b, 1, 7);
    CHECK_INT(mw_scheduler_set_budget(m.s, 3), 0);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_TEXT(read_diary(&d), "b1 b2 b3 ");
    CHECK_INT(mw_scheduler_set_budget(inner, 2), 0);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_TEXT(read_diary(&d), "b4 b5 ");
    CHECK_INT(mw_scheduler_run(m.s), 2);
    close_mesh(&m);
    mw_scheduler_free(inner);
}

static void one_that_refills_itself_starves_nobody_around(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    mw_scheduler *inner = open_inner(), *previous;
    int64_t count = 0;
    mw_tasklet *greedy, *a = mw_handler_new(link_handler, &one);

    previous = mw_scheduler_enter(inner);
    greedy = mw_handler_new(send_to_itself, &count);
    mw_scheduler_leave(previous);
    send_ints(greedy, 1, 1);
    send_ints(a, 1, 1);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_TEXT(read_diary(&d), "a1 ");
    CHECK(count > 0);
    close_mesh(&m);
    mw_scheduler_free(inner);
}

static void a_scheduler_in_itself_is_refused(void)
{
    struct mesh m = open_mesh();
    mw_scheduler *a = mw_taskmaster_new(), *b = mw_taskmaster_new(), *c = mw_taskmaster_new();
    mw_tasklet *ta = mw_scheduler_tasklet(a), *tb = mw_scheduler_tasklet(b), *tc = mw_scheduler_tasklet(c);

    CHECK_INT(mw_scheduler_add(a, ta), -ELOOP);
    CHECK(strstr(mw_scheduler_last_error(a)->text, "part of itself") != NULL);
    CHECK_INT(mw_scheduler_add(a, tb), 0);
    CHECK_INT(mw_scheduler_add(b, tc), 0);
    CHECK_INT(mw_scheduler_add(c, ta), -ELOOP);
    CHECK_INT(mw_scheduler_add(b, ta), -ELOOP);
    CHECK_INT(mw_scheduler_add(m.s, tc), 0); /* out again */
    CHECK_INT(mw_scheduler_add(c, ta), 0);
    CHECK(mw_scheduler_tasklet(m.s) == NULL); /* it would join itself */
    CHECK(mw_scheduler_tasklet(NULL) == NULL);
    mw_scheduler_free(a);
    mw_scheduler_free(b);
    mw_scheduler_free(c);
    close_mesh(&m);
}

static void nesting_has_a_bottom(void)
{
    enum { MANY = 80 };
    struct mesh m = open_mesh();
    mw_scheduler *s[MANY];
    int i, depth = 0;

    for (i = 0; i < MANY; i++) {
        s[i] = mw_taskmaster_new();
        CHECK(mw_scheduler_tasklet(s[i]) != NULL);
        if (i > 0 && depth == i - 1 && mw_scheduler_add(s[i - 1], mw_scheduler_tasklet(s[i])) == 0)
            depth = i;
    }
    CHECK_INT(depth, 62); /* 63 of them, and the one that they all stand in */
    for (i = MANY - 1; i >= 0; i--)
        mw_scheduler_free(s[i]);
    /* Nor is it reached from the inside out. */
    for (i = 0; i < MANY; i++) {
        s[i] = mw_taskmaster_new();
        CHECK(mw_scheduler_tasklet(s[i]) != NULL);
        if (i > 0 && i <= 63)
            CHECK_INT(mw_scheduler_add(s[i], mw_scheduler_tasklet(s[i - 1])), i < 63 ? 0 : -ELOOP);
    }
    for (i = 0; i < MANY; i++)
        mw_scheduler_free(s[i]);
    close_mesh(&m);
}

static void either_may_be_freed_first(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link two = {&d, "b", NULL};
    mw_scheduler *inner = open_inner();
    mw_tasklet *b = link_in(inner, &two);

    mw_tasklet_free(mw_scheduler_tasklet(inner)); /* it stands alone again */
    send_ints(b, 1, 1);
    CHECK(mw_scheduler_is_idle(m.s));
    CHECK_INT(mw_scheduler_run(inner), 1);
    CHECK(mw_scheduler_tasklet(inner) != NULL);
    send_ints(b, 2, 2);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    mw_scheduler_free(inner);
    CHECK_INT(mw_scheduler_stats(m.s).tasklets, 0);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    inner = open_inner();
    b = link_in(inner, &two);
    close_mesh(&m); /* the outer one first */
    send_ints(b, 3, 3);
    CHECK_INT(mw_scheduler_run(inner), 1);
    CHECK_TEXT(read_diary(&d), "b1 b2 b3 ");
    mw_scheduler_free(inner);
}

static int free_scheduler(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)self, (void)item;
    mw_scheduler_free((mw_scheduler *)(void *)d->other);
    return 0;
}

static void one_of_its_bodies_may_free_it(void)
{
    struct mesh m = open_mesh();
    struct diary d = {.inside = free_scheduler};
    mw_scheduler *inner = open_inner(), *previous = mw_scheduler_enter(inner);
    mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){0});

    mw_scheduler_leave(previous);
    d.other = (mw_tasklet *)(void *)inner;
    send_ints(t, 1, 2);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_INT(mw_scheduler_stats(m.s).tasklets, 0);
    CHECK_TEXT(read_diary(&d), "1 2 close ");
    close_mesh(&m);
}

static void closed_it_rests_and_restarted_it_goes_on(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link two = {&d, "b", NULL};
    mw_scheduler *inner = open_inner();
    mw_tasklet *t = mw_scheduler_tasklet(inner), *b = link_in(inner, &two);

    CHECK_INT(mw_close(t), 0);
    send_ints(b, 1, 1);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(mw_restart(t, true), 0);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(read_diary(&d), "b1 ");
    CHECK_INT(mw_set(t, NULL, (mw_scope){0}), -ENOTSUP);
    CHECK_INT(mw_rescope(t, (mw_scope){0}), -ENOTSUP);
    close_mesh(&m);
    mw_scheduler_free(inner);
}

static void a_priority_scheduler_nests_and_is_nested(void)
{
    struct diary d = {0};
    struct link one = {&d, "a", NULL}, two = {&d, "b", NULL};
    mw_scheduler *outer = mw_priority_scheduler_new(false), *inner = mw_priority_scheduler_new(true);
    mw_scheduler *previous = mw_scheduler_enter(outer);
    mw_tasklet *t = mw_scheduler_tasklet(inner), *a = mw_handler_new(link_handler, &one), *b = link_in(inner, &two);

    CHECK_INT(mw_set_priority(t, 2), 0);
    CHECK_INT(mw_set_priority(a, 1), 0);
    send_ints(b, 1, 2);
    send_ints(a, 3, 3);
    CHECK_INT(mw_scheduler_run(outer), 3);
    CHECK_TEXT(read_diary(&d), "a3 b1 b2 ");
    CHECK_INT(mw_set_priority(t, 0), 0);
    send_ints(b, 1, 2);
    send_ints(a, 3, 3);
    CHECK_INT(mw_scheduler_run(outer), 3);
    CHECK_TEXT(read_diary(&d), "b1 b2 a3 ");
    mw_scheduler_leave(previous);
    mw_scheduler_free(inner);
    mw_scheduler_free(outer);
}

static int64_t read_time(void *context)
{
    return *(int64_t *)context;
}

static int sleep_until_scope(mw_tasklet *self, void *scope)
{
    struct link *l = scope;

    CHECK_INT(mw_sleep_until(self, 2000), 0);
    note(l->d, "%s@%d ", l->name, (int)mw_clock(self));
    return 0;
}

static void times_are_those_of_the_whole_mesh(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    int64_t now_ns = 1000;
    mw_scheduler *inner = open_inner(), *innermost = mw_taskmaster_new(), *previous;

    CHECK_INT(mw_scheduler_set_clock(m.s, read_time, &now_ns), 0);
    CHECK_INT(mw_scheduler_add(inner, mw_scheduler_tasklet(innermost)), 0);
    previous = mw_scheduler_enter(innermost);
    (void)!mw_tasklet_new(sleep_until_scope, &one);
    mw_scheduler_leave(previous);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(mw_scheduler_deadline(m.s), 2000);
    now_ns = 3000;
    CHECK(!mw_scheduler_is_idle(m.s));
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_TEXT(read_diary(&d), "a@3000 ");
    mw_scheduler_free(innermost);
    mw_scheduler_free(inner);
    close_mesh(&m);
}

static void moved_it_takes_its_times_along(void)
{
    struct mesh m = open_mesh(), n;
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    mw_scheduler *inner = open_inner();
    int64_t due_ns = mw_now_ns() + 2000000;

    CHECK(mw_send_at(link_in(inner, &one), mw_int(1), due_ns) > 0);
    CHECK_INT(mw_scheduler_deadline(m.s), due_ns);
    n = open_mesh();
    CHECK_INT(mw_scheduler_add(n.s, mw_scheduler_tasklet(inner)), 0);
    CHECK_INT(mw_scheduler_deadline(m.s), MW_FOREVER);
    CHECK_INT(mw_scheduler_deadline(n.s), due_ns);
    CHECK_INT(mw_scheduler_run(n.s), 1);
    CHECK_TEXT(read_diary(&d), "a1 ");
    close_mesh(&n);
    mw_scheduler_free(inner);
    close_mesh(&m);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(it_is_ready_while_any_of_its_tasklets_is),
        TEST(what_was_ready_before_it_was_nested_runs_too),
        TEST(items_cross_the_border_both_ways),
        TEST(whatever_is_sent_to_it_stands_for_a_turn),
        TEST(the_smaller_of_both_budgets_holds),
        TEST(one_that_refills_itself_starves_nobody_around),
        TEST(a_scheduler_in_itself_is_refused),
        TEST(nesting_has_a_bottom),
        TEST(either_may_be_freed_first),
        TEST(one_of_its_bodies_may_free_it),
        TEST(closed_it_rests_and_restarted_it_goes_on),
        TEST(a_priority_scheduler_nests_and_is_nested),
        TEST(times_are_those_of_the_whole_mesh),
        TEST(moved_it_takes_its_times_along),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
