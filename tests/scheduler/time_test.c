/* Sleeping, sending at a time, and how a run waits for it: on a clock of the test's own.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include "base/memory.h"

/* A mesh whose time the test sets; while it runs, idling moves the time on to what is due next. */
struct timed_mesh {
    struct mesh m;
    int64_t now_ns;
    int waits;
};

static int64_t read_time(void *context)
{
    return ((struct timed_mesh *)context)->now_ns;
}

static int pass_time(void *context, int64_t deadline_ns)
{
    struct timed_mesh *t = context;

    t->waits++;
    if (deadline_ns == MW_FOREVER)
        return -ECANCELED;
    t->now_ns = deadline_ns;
    return 0;
}

static void open_timed(struct timed_mesh *t)
{
    *t = (struct timed_mesh){.m = open_mesh(), .now_ns = 1000};
    CHECK_INT(mw_scheduler_set_clock(t->m.s, read_time, t), 0);
    mw_scheduler_on_idle(t->m.s, pass_time, t);
}

static void set_time(struct timed_mesh *t, int64_t now_ns)
{
    t->now_ns = now_ns;
    while (mw_scheduler_turn(t->m.s) > 0)
        ;
}

struct sleeper {
    struct diary *d;
    const char *name;
    int64_t deadlines_ns[8]; /* up to the first 0 */
};

static int sleep_often(mw_tasklet *self, void *scope)
{
    struct sleeper *s = scope;
    size_t i;

    for (i = 0; s->deadlines_ns[i]; i++) {
        int err = mw_sleep_until(self, s->deadlines_ns[i]);

        note(s->d, "%s@%d%s ", s->name, (int)mw_clock(self), err < 0 ? "!" : "");
        keep(s->d, err);
        if (err < 0)
            return 0;
    }
    return 0;
}

static void a_sleeper_goes_on_at_its_time_and_others_run_meanwhile(void)
{
    struct diary d = {0};
    struct sleeper one = {&d, "a", {2000, 4000}}, two = {&d, "b", {3000}};
    struct link other = {&d, "c", NULL};
    struct timed_mesh t;
    mw_tasklet *c;

    open_timed(&t);
    (void)!mw_tasklet_new(sleep_often, &one);
    (void)!mw_tasklet_new(sleep_often, &two);
    c = mw_handler_new(link_handler, &other);
    CHECK_INT(mw_scheduler_deadline(t.m.s), MW_FOREVER);
    set_time(&t, 1000);
    CHECK_INT(mw_scheduler_deadline(t.m.s), 2000);
    CHECK(mw_scheduler_is_idle(t.m.s));
    send_ints(c, 1, 1);
    set_time(&t, 1999);
    CHECK_TEXT(read_diary(&d), "c1 ");
    set_time(&t, 2000);
    CHECK_TEXT(read_diary(&d), "a@2000 ");
    set_time(&t, 5000);
    CHECK_TEXT(read_diary(&d), "a@5000 b@5000 "); /* both are due: then in the order of the mesh */
    close_mesh(&t.m);
}

static void equal_times_come_in_the_order_of_asking(void)
{
    struct diary d = {0};
    struct sleeper s[5];
    struct timed_mesh t;
    int i;

    open_timed(&t);
    for (i = 0; i < 5; i++) {
        s[i] = (struct sleeper){&d, (const char *[]){"a", "b", "c", "d", "e"}[i], {2000}};
        (void)!mw_tasklet_new(sleep_often, &s[i]);
    }
    set_time(&t, 1000);
    set_time(&t, 2000);
    CHECK_TEXT(read_diary(&d), "a@2000 b@2000 c@2000 d@2000 e@2000 ");
    close_mesh(&t.m);
}

static void a_run_waits_for_who_sleeps_and_ends_when_nobody_does(void)
{
    struct diary d = {0};
    struct sleeper one = {&d, "a", {2000, 4000}};
    struct timed_mesh t;

    open_timed(&t);
    (void)!mw_tasklet_new(sleep_often, &one);
    CHECK_INT(mw_scheduler_run(t.m.s), 0);
    CHECK_TEXT(read_diary(&d), "a@2000 a@4000 ");
    CHECK_INT(t.waits, 2);
    close_mesh(&t.m);
}

static void without_a_hook_a_run_sleeps_in_real_time(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct sleeper one = {&d, "a", {mw_now_ns() + 2000000}};

    (void)!mw_tasklet_new(sleep_often, &one);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(d.result_count, 1);
    CHECK_INT(d.results[0], 0);
    CHECK(mw_now_ns() >= one.deadlines_ns[0]);
    close_mesh(&m);
}

static void a_time_that_has_passed_lets_the_others_run_once(void)
{
    struct diary d = {0};
    struct sleeper one = {&d, "a", {1, 1, 1}};
    struct link other = {&d, "c", NULL};
    struct timed_mesh t;

    open_timed(&t);
    (void)!mw_tasklet_new(sleep_often, &one);
    send_ints(mw_handler_new(link_handler, &other), 1, 1);
    set_time(&t, 1000);
    CHECK_TEXT(read_diary(&d), "c1 a@1000 a@1000 a@1000 ");
    close_mesh(&t.m);
}

enum { PLAYERS = 5 };

struct player {
    mw_tasklet *next;
    struct timed_mesh *time;
    int *left; /* throws, of all */
};

static int throw_on(mw_tasklet *self, void *scope, mw_value item)
{
    struct player *p = scope;

    (void)self;
    p->time->now_ns += 10;
    return *p->left > 0 && --*p->left > 0 ? mw_send(p->next, item) : 0;
}

static int end_the_game(mw_tasklet *self, void *scope, mw_value item)
{
    int *left = scope;

    (void)self;
    CHECK(*left > 0);
    *left = -(int)item.as.integer;
    return 0;
}

/* A run of them has no end of its own. Also where one alone is ever ready. */
static void those_that_play_for_ever_keep_no_time_from_coming(void)
{
    int balls, i;

    for (balls = 1; balls <= PLAYERS; balls += 2) {
        struct player players[PLAYERS];
        struct timed_mesh t;
        mw_tasklet *end;
        int left = 1000000;

        open_timed(&t);
        for (i = 0; i < PLAYERS; i++) {
            players[i].time = &t;
            players[i].left = &left;
            players[(i + PLAYERS - 1) % PLAYERS].next = mw_handler_new(throw_on, &players[i]);
        }
        end = mw_handler_new(end_the_game, &left);
        for (i = 0; i < balls; i++)
            CHECK_INT(mw_send(players[i].next, mw_int(1)), 0);
        CHECK(mw_send_at(end, mw_int(7), 5000) > 0);
        CHECK(mw_scheduler_run(t.m.s) > 0);
        CHECK_INT(left, -7);
        close_mesh(&t.m);
    }
}

static void a_close_ends_a_sleep(void)
{
    struct diary d = {0};
    struct sleeper one = {&d, "a", {MW_FOREVER, MW_FOREVER}};
    struct timed_mesh t;
    mw_tasklet *a;

    open_timed(&t);
    a = mw_tasklet_new(sleep_often, &one);
    set_time(&t, 1000);
    CHECK_INT(mw_scheduler_deadline(t.m.s), MW_FOREVER);
    CHECK_INT(mw_next(a), -EAGAIN); /* it waits elsewhere */
    CHECK_INT(mw_close(a), 0);
    CHECK_TEXT(read_diary(&d), "a@1000! ");
    CHECK_INT(d.results[0], -ECANCELED);
    CHECK_INT(mw_restart(a, false), 0);
    one.deadlines_ns[0] = 5000;
    set_time(&t, 1000);
    mw_tasklet_free(a);
    CHECK_INT(mw_scheduler_deadline(t.m.s), MW_FOREVER);
    close_mesh(&t.m);
}

static int sleep_in_a_handler(mw_tasklet *self, void *scope, mw_value item)
{
    struct diary *d = scope;

    (void)item;
    keep(d, mw_sleep_until(self, 5000));
    keep(d, mw_sleep_until(d->other, 5000)); /* somebody else */
    return 0;
}

static void a_handler_and_a_stranger_cannot_sleep(void)
{
    struct diary d = {0};
    struct timed_mesh t;
    mw_tasklet *a;

    open_timed(&t);
    d.other = mw_tasklet_new(writer, &d);
    a = mw_handler_new(sleep_in_a_handler, &d);
    send_ints(a, 1, 1);
    set_time(&t, 1000);
    CHECK_INT(d.results[0], -ENOTSUP);
    CHECK_INT(d.results[1], -EINVAL);
    CHECK_INT(mw_sleep_until(a, 5000), -EINVAL);
    CHECK_INT(mw_sleep_until(NULL, 5000), -EINVAL);
    close_mesh(&t.m);
}

static void an_item_sent_at_a_time_comes_then(void)
{
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    struct timed_mesh t;
    mw_tasklet *a;
    int64_t second;

    open_timed(&t);
    a = mw_handler_new(link_handler, &one);
    CHECK(mw_send_at(a, mw_int(3), 3000) > 0);
    second = mw_send_at(a, mw_int(2), 2000);
    CHECK(mw_send_at(a, mw_int(4), 2500) > 0);
    CHECK(mw_send_at(a, mw_int(1), 0) > 0); /* now */
    CHECK_INT(mw_tasklet_stats(a).queued_items, 0);
    set_time(&t, 1000);
    CHECK_TEXT(read_diary(&d), "a1 ");
    CHECK_INT(mw_unsend(a, second), 1);
    CHECK_INT(mw_unsend(a, second), 0);
    CHECK_INT(mw_scheduler_run(t.m.s), 2);
    CHECK_TEXT(read_diary(&d), "a4 a3 ");
    close_mesh(&t.m);
}

static void what_cannot_be_sent_at_a_time_is_refused_and_released(void)
{
    struct diary d = {0};
    struct timed_mesh t;
    mw_tasklet *a;
    int64_t live = mw_memory_stats().live_bytes;

    open_timed(&t);
    a = mw_handler_new(write_item, &d);
    CHECK_INT(mw_send_at(NULL, mw_text("a text that is longer than what fits inside"), 1), -EINVAL);
    CHECK_INT(mw_send_at(a, mw_text("a text that is longer than what fits inside"), MW_FOREVER), -EINVAL);
    CHECK_INT(mw_unsend(a, 7), 0);
    CHECK_INT(mw_unsend(a, 0), -EINVAL);
    CHECK_INT(mw_unsend(NULL, 1), -EINVAL);
    CHECK(mw_send_at(a, mw_text("a text that is longer than what fits inside"), 2000) > 0); /* dropped with its target */
    CHECK_INT(mw_finish(a), 0);
    CHECK_INT(mw_send_at(a, mw_int(1), 1), -EPIPE);
    mw_tasklet_free(a);
    CHECK_INT(mw_scheduler_run(t.m.s), 0);
    close_mesh(&t.m);
    CHECK_INT(mw_memory_stats().live_bytes, live);
}

static void a_full_mailbox_takes_timed_items_up_to_twice_its_capacity(void)
{
    struct diary d = {0};
    struct timed_mesh t;
    mw_tasklet_options narrow = {.size = sizeof(narrow), .mailbox_items = 2};
    mw_tasklet *a;
    int i;

    open_timed(&t);
    a = open_writer(&d, true, narrow);
    send_ints(a, 1, 2);
    for (i = 3; i <= 5; i++)
        CHECK(mw_send_at(a, mw_int(i), 2000) > 0);
    mw_close(a); /* so that nothing is processed */
    CHECK_INT(mw_restart(a, true), 0);
    t.now_ns = 2000;
    CHECK(!mw_scheduler_is_idle(t.m.s));
    CHECK_INT(mw_tasklet_stats(a).queued_items, 4);
    CHECK_INT(mw_tasklet_stats(a).refused, 1);
    close_mesh(&t.m);
}

static void count_call(void *context)
{
    ++*(int *)context;
}

static void the_ready_hook_tells_of_an_earlier_deadline(void)
{
    struct diary d = {0};
    struct timed_mesh t;
    mw_tasklet *a;
    int calls = 0;

    open_timed(&t);
    a = mw_handler_new(write_item, &d);
    mw_scheduler_on_ready(t.m.s, count_call, &calls);
    CHECK(mw_send_at(a, mw_int(1), 3000) > 0);
    CHECK_INT(calls, 1);
    CHECK(mw_send_at(a, mw_int(1), 4000) > 0);
    CHECK_INT(calls, 1);
    CHECK(mw_send_at(a, mw_int(1), 2000) > 0);
    CHECK_INT(calls, 2);
    CHECK_INT(mw_scheduler_deadline(t.m.s), 2000);
    close_mesh(&t.m);
}

static void who_moves_to_another_mesh_takes_its_times_along(void)
{
    struct diary d = {0};
    struct sleeper one = {&d, "a", {2000}};
    struct link two = {&d, "b", NULL};
    struct timed_mesh t, u;
    mw_tasklet *a, *b;

    open_timed(&t);
    a = mw_tasklet_new(sleep_often, &one);
    b = mw_handler_new(link_handler, &two);
    CHECK(mw_send_at(b, mw_int(1), 3000) > 0);
    set_time(&t, 1000);
    open_timed(&u);
    CHECK_INT(mw_scheduler_add(u.m.s, a), 0);
    CHECK_INT(mw_scheduler_add(u.m.s, b), 0);
    CHECK_INT(mw_scheduler_deadline(t.m.s), MW_FOREVER);
    CHECK_INT(mw_scheduler_deadline(u.m.s), 2000);
    set_time(&u, 3000);
    CHECK_TEXT(read_diary(&d), "a@3000 b1 ");
    close_mesh(&u.m);
    close_mesh(&t.m);
}

static void a_clock_is_not_changed_under_who_waits_by_it(void)
{
    struct diary d = {0};
    struct timed_mesh t;
    mw_tasklet *a;

    open_timed(&t);
    a = mw_handler_new(write_item, &d);
    CHECK(mw_send_at(a, mw_int(1), 3000) > 0);
    CHECK_INT(mw_scheduler_set_clock(t.m.s, NULL, NULL), -EBUSY);
    CHECK_INT(mw_scheduler_set_clock(NULL, NULL, NULL), -EINVAL);
    close_mesh(&t.m);
}

/* ---- many ------------------------------------------------------------------------------------------------- */
struct crowd {
    uint32_t seed;
    int64_t last_ns;
    int count;
};

static int check_order(mw_tasklet *self, void *scope, mw_value item)
{
    struct crowd *c = scope;

    CHECK(item.as.integer >= c->last_ns);
    CHECK(item.as.integer <= mw_clock(self));
    c->last_ns = item.as.integer;
    c->count++;
    return 0;
}

static uint32_t random_of(uint32_t *seed)
{
    *seed = *seed * UINT32_C(1664525) + UINT32_C(1013904223);
    return *seed >> 8;
}

static void many_times_come_in_order_whatever_was_taken_back(void)
{
    enum { MANY = 20000 };
    struct crowd c = {.seed = 7};
    struct timed_mesh t;
    mw_tasklet *a;
    int i, taken_back = 0;

    open_timed(&t);
    a = mw_handler_new(check_order, &c);
    for (i = 0; i < MANY; i++) {
        int64_t at_ns = 2000 + random_of(&c.seed) % 100000, id = mw_send_at(a, mw_int(at_ns), at_ns);

        CHECK(id > 0);
        if (random_of(&c.seed) % 50 == 0)
            taken_back += mw_unsend(a, id);
    }
    CHECK_INT(mw_scheduler_run(t.m.s), MANY - taken_back);
    CHECK_INT(c.count, MANY - taken_back);
    CHECK(taken_back > 100);
    close_mesh(&t.m);
}

static int swallow(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self, (void)scope;
    mw_release(item);
    return 0;
}

static int sleep_and_sleep(mw_tasklet *self, void *scope)
{
    int *rounds = scope;

    while (mw_sleep_until(self, mw_clock(self) + 10) == 0)
        ++*rounds;
    return 0;
}

static void once_warm_sleeping_and_timed_sends_allocate_nothing(void)
{
    struct timed_mesh t;
    int rounds = 0, i;
    int64_t allocations;
    mw_tasklet *a;

    open_timed(&t);
    (void)!mw_tasklet_new(sleep_and_sleep, &rounds);
    a = mw_handler_new(swallow, NULL);
    CHECK(mw_send_at(a, mw_int(0), 0) > 0);
    set_time(&t, 1000);
    set_time(&t, 1010);
#if !defined(MW_CHECKED)
    allocations = mw_memory_stats().allocations;
    for (i = 2; i < 100; i++) {
        CHECK(mw_send_at(a, mw_int(i), 0) > 0);
        set_time(&t, 1000 + i * 10);
    }
    CHECK_INT(mw_memory_stats().allocations, allocations);
    CHECK_INT(rounds, 99);
#else
    (void)allocations, (void)i; /* pools are off there, so that use after free is found */
#endif
    close_mesh(&t.m);
}

static void without_memory_a_time_is_refused_and_all_is_as_before(void)
{
    struct diary d = {0};
    struct timed_mesh t;
    mw_tasklet *a;
    int64_t n, id = -ENOMEM;

    open_timed(&t);
    a = mw_handler_new(write_item, &d);
    for (n = 1; id < 0; n++) {
        mw_memory_fail_at(n, false);
        id = mw_send_at(a, mw_int(1), 2000);
        mw_memory_fail_at(0, false);
        CHECK(id == -ENOMEM || id > 0);
        if (id < 0)
            CHECK_INT(mw_scheduler_deadline(t.m.s), MW_FOREVER);
    }
    CHECK(n > 2);
    CHECK_INT(mw_scheduler_run(t.m.s), 1);
    close_mesh(&t.m);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_sleeper_goes_on_at_its_time_and_others_run_meanwhile),
        TEST(equal_times_come_in_the_order_of_asking),
        TEST(a_run_waits_for_who_sleeps_and_ends_when_nobody_does),
        TEST(without_a_hook_a_run_sleeps_in_real_time),
        TEST(a_time_that_has_passed_lets_the_others_run_once),
        TEST(those_that_play_for_ever_keep_no_time_from_coming),
        TEST(a_close_ends_a_sleep),
        TEST(a_handler_and_a_stranger_cannot_sleep),
        TEST(an_item_sent_at_a_time_comes_then),
        TEST(what_cannot_be_sent_at_a_time_is_refused_and_released),
        TEST(a_full_mailbox_takes_timed_items_up_to_twice_its_capacity),
        TEST(the_ready_hook_tells_of_an_earlier_deadline),
        TEST(who_moves_to_another_mesh_takes_its_times_along),
        TEST(a_clock_is_not_changed_under_who_waits_by_it),
        TEST(many_times_come_in_order_whatever_was_taken_back),
        TEST(once_warm_sleeping_and_timed_sends_allocate_nothing),
        TEST(without_memory_a_time_is_refused_and_all_is_as_before),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
