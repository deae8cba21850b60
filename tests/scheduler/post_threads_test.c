/* Posting from several threads at once: nothing is lost, overtaken or left asleep.
 * Read next: conservation_test.c for the long one.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "scheduler/host.h"

enum { POSTERS = 3, PER_POSTER = 20000 };

struct poster {
    pthread_t thread;
    mw_address *to;
    int index, count;
};

static void *post_all(void *context)
{
    struct poster *p = context;
    int i;

    for (i = 0; i < p->count; i++) {
        mw_value item = mw_int((int64_t)p->index << 32 | i);

        while (mw_post_offer(p->to, &item) == -EAGAIN)
            (void)sched_yield();
    }
    mw_address_unref(p->to);
    return NULL;
}

static void start_posters(struct poster posters[POSTERS], mw_tasklet *t, int count)
{
    int i;

    for (i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.to = mw_tasklet_address(t), .index = i, .count = count};
        CHECK_INT(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
}

static void join_posters(struct poster posters[POSTERS])
{
    int i;

    for (i = 0; i < POSTERS; i++)
        CHECK_INT(pthread_join(posters[i].thread, NULL), 0);
}

struct tally {
    int64_t next[POSTERS]; /* of each poster */
    int64_t count;
};

static int tally_item(mw_tasklet *self, void *scope, mw_value item)
{
    struct tally *tally = scope;
    int64_t poster = item.as.integer >> 32, number = item.as.integer & 0xffffffff;

    (void)self;
    CHECK(poster >= 0 && poster < POSTERS);
    CHECK_INT(number, tally->next[poster]);
    tally->next[poster]++;
    tally->count++;
    return 0;
}

static void items_of_many_threads_arrive_each_in_order_none_lost(void)
{
    struct mesh m = open_mesh();
    struct tally tally = {.count = 0};
    mw_tasklet *a = mw_handler_new(tally_item, &tally);
    struct poster posters[POSTERS];

    start_posters(posters, a, PER_POSTER);
    while (tally.count < POSTERS * PER_POSTER) {
        CHECK_INT(mw_scheduler_wait(m.s, mw_now_ns() + INT64_C(20000000000)), 1);
        CHECK(mw_scheduler_run(m.s) >= 0);
    }
    join_posters(posters);
    close_mesh(&m);
}

/* The tasklet goes to and fro between two meshes of this thread, closes and opens again, while they post. */
static void neither_moves_nor_restarts_lose_or_reorder_what_is_posted(void)
{
    struct mesh m = open_mesh(), n = open_mesh();
    struct tally tally = {.count = 0};
    mw_tasklet *a = mw_handler_new(tally_item, &tally);
    struct poster posters[POSTERS];
    int64_t give_up_ns = mw_now_ns() + INT64_C(30000000000);
    int round = 0;

    start_posters(posters, a, PER_POSTER / 2);
    while (tally.count < POSTERS * (PER_POSTER / 2) && mw_now_ns() < give_up_ns) {
        CHECK_INT(mw_scheduler_add(++round % 2 ? m.s : n.s, a), 0);
        if (round % 7 == 0)
            CHECK_INT(mw_restart(a, true), 0);
        (void)mw_scheduler_turn(m.s);
        (void)mw_scheduler_turn(n.s);
        (void)sched_yield(); /* where one core, or valgrind, has all threads */
    }
    CHECK_INT(tally.count, POSTERS * (PER_POSTER / 2));
    CHECK_INT(mw_scheduler_stats(m.s).posts_dropped + mw_scheduler_stats(n.s).posts_dropped, 0);
    join_posters(posters);
    close_mesh(&n);
    close_mesh(&m);
}

static void freeing_under_posters_ends_them_cleanly(void)
{
    int round;

    for (round = 0; round < 50; round++) {
        struct mesh m = open_mesh();
        struct tally tally = {.count = 0};
        mw_tasklet *a = mw_handler_new(tally_item, &tally);
        struct poster posters[POSTERS];

        start_posters(posters, a, 2000); /* they stop at -EPIPE for the rest */
        (void)mw_scheduler_turn(m.s);
        if (round % 2)
            mw_tasklet_free(a);
        close_mesh(&m);
        join_posters(posters);
    }
}

/* ---- two threads, each with a mesh ---------------------------------------------------------------------------- */
struct side {
    pthread_t thread;
    mw_scheduler *s;
    mw_address *other;
    atomic_bool *is_over;
    int64_t rounds;
};

static int return_ball(mw_tasklet *self, void *scope, mw_value item)
{
    struct side *side = scope;

    (void)self;
    side->rounds = item.as.integer;
    if (item.as.integer == 0) {
        atomic_store(side->is_over, true);
        return mw_post(side->other, mw_int(-1)); /* so that it wakes and looks */
    }
    return item.as.integer > 0 ? mw_post(side->other, mw_int(item.as.integer - 1)) : 0;
}

static void *serve(void *context)
{
    struct side *side = context;

    while (!atomic_load(side->is_over)) {
        if (mw_scheduler_wait(side->s, mw_now_ns() + INT64_C(20000000000)) != 1)
            break; /* a wake-up was lost: the test sees that rounds are missing */
        (void)mw_scheduler_run(side->s);
    }
    return NULL;
}

static void a_ball_goes_to_and_fro_between_two_sleepers(void)
{
    enum { ROUNDS = 20000 };
    atomic_bool is_over = false;
    struct side sides[2];
    mw_tasklet *t[2];
    int64_t began_ns = mw_now_ns();
    int i;

    for (i = 0; i < 2; i++) {
        mw_scheduler *previous;

        sides[i] = (struct side){.s = mw_taskmaster_new(), .is_over = &is_over};
        previous = mw_scheduler_enter(sides[i].s);
        t[i] = mw_handler_new(return_ball, &sides[i]);
        mw_scheduler_leave(previous);
    }
    sides[0].other = mw_tasklet_address(t[1]);
    sides[1].other = mw_tasklet_address(t[0]);
    CHECK_INT(mw_post(sides[1].other, mw_int(ROUNDS)), 0);
    for (i = 0; i < 2; i++)
        CHECK_INT(pthread_create(&sides[i].thread, NULL, serve, &sides[i]), 0);
    for (i = 0; i < 2; i++)
        CHECK_INT(pthread_join(sides[i].thread, NULL), 0);
    CHECK(atomic_load(&is_over));
    CHECK(mw_now_ns() - began_ns < INT64_C(20000000000));
    for (i = 0; i < 2; i++) {
        mw_address_unref(sides[i].other);
        mw_scheduler_free(sides[i].s);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(items_of_many_threads_arrive_each_in_order_none_lost),
        TEST(neither_moves_nor_restarts_lose_or_reorder_what_is_posted),
        TEST(freeing_under_posters_ends_them_cleanly),
        TEST(a_ball_goes_to_and_fro_between_two_sleepers),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
