/* Many tasklets: what each takes, that their memory goes when they go, and that one outlives the mesh whose slab it lies in.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include <pthread.h>

#include "base/memory.h"

enum { MANY = 20000,
       PLACE_BYTES = 8, /* of each, in its mesh */
       REST_BYTES = 256 << 10 }; /* a slab that is spare, one or two of which some are kept, the few on the heap, and what rounding leaves of the places */

static int swallow_item(mw_tasklet *self, void *scope, mw_value takes_item)
{
    (void)self;
    (void)scope;
    mw_release(takes_item);
    return 0;
}

static mw_tasklet *make_one(void)
{
    mw_tasklet *t = mw_handler_new(swallow_item, NULL);

    CHECK(t != NULL);
    return t;
}

static int64_t live_bytes(void)
{
    return mw_memory_stats().live_bytes;
}

#if !defined(MW_CHECKED)
static void an_idle_handler_takes_128_bytes_at_most(void)
{
    struct mesh m = open_mesh();
    int64_t before = live_bytes();
    int i;

    for (i = 0; i < 1 << 18; i++) /* a power of two, as there are as many places */
        (void)make_one();
    CHECK((live_bytes() - before) / i <= 128);
    close_mesh(&m);
}
#endif

/* In which order n of them are freed: each of 0 to n - 1 once. */
static int in_order(int i, int n)
{
    (void)n;
    return i;
}

static int in_reverse(int i, int n)
{
    return n - 1 - i;
}

__attribute__((unused)) static int here_and_there(int i, int n)
{
    return (int)((int64_t)i * 7919 % n); /* a prime that n is no multiple of */
}

static void their_memory_goes_when_they_go_in_whatever_order(void)
{
    static int (*const orders[])(int, int) = {
        in_order,
        in_reverse,
#if !defined(MW_CHECKED) /* which keeps those that were freed last: here and there they keep a slab each */
        here_and_there,
#endif
    };
    static mw_tasklet *tasklets[MANY];
    size_t order;

    for (order = 0; order < MW_COUNT(orders); order++) {
        struct mesh m = open_mesh();
        int64_t before = live_bytes();
        int i;

        for (i = 0; i < MANY; i++)
            tasklets[i] = make_one();
        CHECK(live_bytes() - before > (int64_t)MANY * 112);
        for (i = 0; i < MANY; i++)
            mw_tasklet_free(tasklets[orders[order](i, MANY)]);
        CHECK(live_bytes() - before < 2 * MANY * PLACE_BYTES + REST_BYTES);
        close_mesh(&m);
    }
}

static void places_that_became_free_are_used_again(void)
{
    static mw_tasklet *tasklets[MANY];
    struct mesh m = open_mesh();
    int64_t full;
    int i, round;

    for (i = 0; i < MANY; i++)
        tasklets[i] = make_one();
    full = live_bytes();
    for (round = 0; round < 5; round++) {
        for (i = round; i < MANY; i += 3)
            mw_tasklet_free(tasklets[i]);
        for (i = round; i < MANY; i += 3)
            tasklets[i] = make_one();
    }
    CHECK(live_bytes() <= full + REST_BYTES + 2 * MANY * PLACE_BYTES); /* places in the mesh are closed up only when it grows */
    close_mesh(&m);
}

static void a_tasklet_outlives_the_mesh_in_whose_slab_it_lies(void)
{
    static mw_tasklet *tasklets[MANY];
    int64_t before = live_bytes();
    struct mesh first = open_mesh();
    mw_scheduler *second = mw_taskmaster_new();
    struct diary d = {0};
    int i;

    for (i = 0; i < MANY; i++)
        tasklets[i] = i == MANY - 1 ? mw_tasklet_new(writer, &d) : make_one();
    for (i = 0; i < MANY; i += 2)
        CHECK_INT(mw_scheduler_add(second, tasklets[i + 1]), 0);
    for (i = 0; i < MANY; i += 4) /* home again */
        CHECK_INT(mw_scheduler_add(first.s, tasklets[i + 1]), 0);
    for (i = 0; i < MANY; i += 8) /* freed while its slab's mesh is there */
        mw_tasklet_free(tasklets[i + 3]);
    (void)make_one();
    close_mesh(&first);
    CHECK_INT(mw_send(tasklets[MANY - 1], mw_int(7)), 0);
    CHECK_INT(mw_scheduler_run(second), 1);
    CHECK_TEXT(read_diary(&d), "setup 7 ");
    mw_scheduler_free(second);
    mw_thread_end(); /* the pool of stacks */
    CHECK_INT(live_bytes(), before);
}

/* The same, freed by two threads at once. */
static void *free_there(void *scheduler)
{
    mw_scheduler_free(scheduler);
    mw_thread_end();
    return NULL;
}

static void two_threads_free_what_lies_in_one_slab(void)
{
    int64_t before = live_bytes();
    int round, i;

    for (round = 0; round < 20; round++) {
        struct mesh here = open_mesh();
        mw_scheduler *there = mw_taskmaster_new();
        mw_tasklet *tasklets[2000];
        pthread_t thread;

        for (i = 0; i < 2000; i++)
            tasklets[i] = make_one();
        for (i = 0; i < 2000; i += 2)
            CHECK_INT(mw_scheduler_add(there, tasklets[i]), 0);
        CHECK_INT(pthread_create(&thread, NULL, free_there, there), 0);
        close_mesh(&here);
        CHECK_INT(pthread_join(thread, NULL), 0);
    }
    CHECK_INT(live_bytes(), before);
}

static void without_memory_nothing_is_made_and_all_goes_on(void)
{
    struct mesh m = open_mesh();
    int i, made = 0;

    for (i = 0; i < 3000; i++) {
        (void)mw_memory_fail_at(i % 2, false);
        made += mw_handler_new(swallow_item, NULL) != NULL;
    }
    (void)mw_memory_fail_at(0, false);
    CHECK(made >= 1500);
    CHECK_INT(mw_scheduler_stats(m.s).tasklets, made);
    close_mesh(&m);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
#if !defined(MW_CHECKED)
        TEST(an_idle_handler_takes_128_bytes_at_most),
#endif
        TEST(their_memory_goes_when_they_go_in_whatever_order),
        TEST(places_that_became_free_are_used_again),
        TEST(a_tasklet_outlives_the_mesh_in_whose_slab_it_lies),
        TEST(two_threads_free_what_lies_in_one_slab),
        TEST(without_memory_nothing_is_made_and_all_goes_on),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
