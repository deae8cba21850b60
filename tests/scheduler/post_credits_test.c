/* Credits: how many posts an address takes, of which a body takes several at once and gives back what it has not used.
 * Read next: src/tasklet/address.c.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include <pthread.h>

static int swallow(mw_tasklet *self, void *scope, mw_value takes_item)
{
    (void)self, (void)scope;
    mw_release(takes_item);
    return 0;
}

struct posting {
    mw_address *to, *and_to; /* where there are two: by turns */
    int count;               /* posts; negative: as many as find room */
    int posted, of_another;  /* found room: its own, and of another thread before its turn ends */
    bool lets_another_post, drops_address;
};

static int post_while_there_is_room(mw_address *to)
{
    int count = 0;

    while (mw_post(to, mw_int(1)) == 0)
        count++;
    return count;
}

static void *post_from_another_thread(void *context)
{
    struct posting *p = context;

    p->of_another = post_while_there_is_room(p->to);
    return NULL;
}

static int post_in_a_row(mw_tasklet *self, void *scope, mw_value item)
{
    struct posting *p = scope;
    pthread_t another;
    int i;

    (void)self, (void)item;
    for (i = 0; i != p->count && mw_post(p->and_to && i % 2 ? p->and_to : p->to, mw_int(i)) == 0; i++)
        p->posted++;
    if (p->lets_another_post) {
        CHECK_INT(pthread_create(&another, NULL, post_from_another_thread, p), 0);
        CHECK_INT(pthread_join(another, NULL), 0);
    }
    if (p->drops_address)
        mw_address_unref(p->to);
    return 0;
}

/* One mesh posts as it is told, to an address of another one that does not run. */
static void check_posts(struct posting *p, size_t capacity, void (*check)(struct posting *p, mw_tasklet *target))
{
    struct mesh m = open_mesh();
    mw_tasklet *poster = mw_handler_new(post_in_a_row, p), *target;
    mw_scheduler *other = mw_taskmaster_new(), *outside = mw_scheduler_enter(other);

    target = mw_tasklet_open(NULL, swallow, &(mw_tasklet_options){.size = sizeof(mw_tasklet_options), .mailbox_items = capacity});
    mw_scheduler_leave(outside);
    p->to = mw_tasklet_address(target);
    CHECK_INT(mw_send(poster, mw_int(0)), 0);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    check(p, target);
    mw_scheduler_free(other);
    close_mesh(&m);
}

static void check_rest(struct posting *p, mw_tasklet *target)
{
    (void)target;
    CHECK_INT(p->posted, 200);
    CHECK_INT(post_while_there_is_room(p->to), 1024 - 200);
    mw_address_unref(p->to);
}

static void what_a_body_has_not_used_of_its_credits_is_there_for_others_after_its_turn(void)
{
    check_posts(&(struct posting){.count = 200}, 1024, check_rest);
}

static void check_all(struct posting *p, mw_tasklet *target)
{
    (void)target;
    CHECK_INT(p->posted, 1024);
    CHECK_INT(mw_post(p->to, mw_int(1)), -EAGAIN);
    mw_address_unref(p->to);
}

static void a_body_that_posts_alone_finds_all_the_room_there_is(void)
{
    check_posts(&(struct posting){.count = -1}, 1024, check_all);
}

static void check_few(struct posting *p, mw_tasklet *target)
{
    (void)target;
    CHECK_INT(p->posted, 10);
    CHECK_INT(p->of_another, 90);
    mw_address_unref(p->to);
}

static void of_few_credits_none_lie_unused_while_another_looks_for_them(void)
{
    check_posts(&(struct posting){.count = 10, .lets_another_post = true}, 100, check_few);
}

static void check_many(struct posting *p, mw_tasklet *target)
{
    (void)target;
    CHECK_INT(p->posted, 10);
    CHECK(p->of_another > 1024 - 10 - 32 && p->of_another < 1024 - 10); /* some were claimed, and not used yet */
    CHECK_INT(post_while_there_is_room(p->to), 1024 - 10 - p->of_another);
    mw_address_unref(p->to);
}

static void of_many_credits_a_body_that_posts_in_a_row_has_a_few_in_hand_until_its_turn_ends(void)
{
    check_posts(&(struct posting){.count = 10, .lets_another_post = true}, 1024, check_many);
}

static void check_dropped(struct posting *p, mw_tasklet *target)
{
    mw_address *again = mw_tasklet_address(target);

    CHECK_INT(post_while_there_is_room(again), 1024 - p->posted);
    mw_address_unref(again);
}

static void an_address_may_be_dropped_while_credits_of_it_are_in_hand(void)
{
    int64_t live = mw_memory_stats().live_blocks;

    check_posts(&(struct posting){.count = 10, .drops_address = true}, 1024, check_dropped);
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

static void posts_to_two_addresses_by_turns_take_a_credit_each(void)
{
    struct mesh m = open_mesh();
    struct posting p = {.count = 100, .lets_another_post = true};
    mw_tasklet *poster = mw_handler_new(post_in_a_row, &p);
    mw_scheduler *other = mw_taskmaster_new(), *outside = mw_scheduler_enter(other);

    p.to = mw_tasklet_address(mw_handler_new(swallow, NULL));
    p.and_to = mw_tasklet_address(mw_handler_new(swallow, NULL));
    mw_scheduler_leave(outside);
    CHECK_INT(mw_send(poster, mw_int(0)), 0);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_INT(p.posted, 100);
    CHECK_INT(p.of_another, 1024 - 50);
    CHECK_INT(post_while_there_is_room(p.and_to), 1024 - 50);
    mw_address_unref(p.to);
    mw_address_unref(p.and_to);
    mw_scheduler_free(other);
    close_mesh(&m);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(what_a_body_has_not_used_of_its_credits_is_there_for_others_after_its_turn),
        TEST(a_body_that_posts_alone_finds_all_the_room_there_is),
        TEST(of_few_credits_none_lie_unused_while_another_looks_for_them),
        TEST(of_many_credits_a_body_that_posts_in_a_row_has_a_few_in_hand_until_its_turn_ends),
        TEST(an_address_may_be_dropped_while_credits_of_it_are_in_hand),
        TEST(posts_to_two_addresses_by_turns_take_a_credit_each),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
