/* Posting from other threads, seen from the one that is posted to: addresses, room, order, moving, ends, and sleeping until somebody posts.
 * Not several at once; that is post_threads_test.c. Not credits; those are in post_credits_test.c.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include "base/memory.h"
#include "scheduler/host.h"
#include "tasklet/inbox.h"

static void a_posted_item_arrives_in_the_next_turn(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    mw_tasklet *a = mw_handler_new(link_handler, &one);
    mw_address *to = mw_tasklet_address(a);

    CHECK(to != NULL);
    CHECK_INT(mw_post(to, mw_int(1)), 0);
    CHECK_INT(mw_post(to, mw_int(2)), 0);
    CHECK_INT(mw_tasklet_stats(a).queued_items, 0);
    CHECK(!mw_scheduler_is_idle(m.s));
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(read_diary(&d), "a1 a2 ");
    mw_address_unref(to);
    close_mesh(&m);
}

static void a_tasklet_has_one_address(void)
{
    struct mesh m = open_mesh();
    mw_tasklet *a = mw_tasklet_new(NULL, NULL);
    mw_address *one = mw_tasklet_address(a), *two = mw_tasklet_address(a);

    CHECK(one == two);
    CHECK(mw_address_ref(one) == one);
    mw_address_unref(one);
    mw_address_unref(one);
    mw_address_unref(two);
    mw_address_unref(NULL);
    CHECK(mw_address_ref(NULL) == NULL);
    CHECK(mw_tasklet_address(NULL) == NULL);
    CHECK_INT(mw_post(NULL, mw_int(1)), -EINVAL);
    CHECK_INT(mw_post(one, (mw_value){.kind = MW_MISSING}), -ENOMEM);
    close_mesh(&m);
}

static void posts_find_as_much_room_as_the_mailbox_holds_and_get_it_back(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    mw_tasklet *a = open_writer(&d, true, (mw_tasklet_options){.mailbox_items = 3});
    mw_address *to = mw_tasklet_address(a);
    mw_value fourth = mw_text("a text that is longer than what fits inside");
    int i;

    for (i = 1; i <= 3; i++)
        CHECK_INT(mw_post(to, mw_int(i)), 0);
    CHECK_INT(mw_post_offer(to, &fourth), -EAGAIN);
    CHECK_INT(fourth.kind, MW_TEXT); /* still ours */
    CHECK_INT(mw_post(to, mw_share(fourth)), -EAGAIN); /* this one is not */
    CHECK_INT(mw_scheduler_run(m.s), 3);
    CHECK_INT(mw_post_offer(to, &fourth), 0);
    CHECK_INT(fourth.kind, MW_NULL);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    mw_address_unref(to);
    close_mesh(&m);
}

static void what_was_accepted_is_queued_beyond_the_capacity_and_blocks_further_posts(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    mw_tasklet *a = open_writer(&d, true, (mw_tasklet_options){.mailbox_items = 3});
    mw_address *to = mw_tasklet_address(a);
    int i;

    send_ints(a, 1, 3);
    for (i = 4; i <= 6; i++)
        CHECK_INT(mw_post(to, mw_int(i)), 0);
    CHECK(!mw_scheduler_is_idle(m.s)); /* they are taken by looking */
    CHECK_INT(mw_tasklet_stats(a).queued_items, 6);
    CHECK_INT(mw_post(to, mw_int(7)), -EAGAIN);
    CHECK_INT(mw_next(a), 1);
    CHECK_INT(mw_post(to, mw_int(7)), 0); /* one has left: room for one */
    CHECK_INT(mw_post(to, mw_int(8)), -EAGAIN);
    CHECK_INT(mw_clear(a), 5);
    CHECK_INT(mw_post(to, mw_int(8)), 0);
    CHECK_INT(mw_post(to, mw_int(9)), 0);
    CHECK_INT(mw_post(to, mw_int(10)), -EAGAIN);
    CHECK_INT(mw_scheduler_run(m.s), 3);
    CHECK_TEXT(read_diary(&d), "1 7 8 9 ");
    for (i = 0; i < 3; i++)
        CHECK_INT(mw_post(to, mw_int(i)), 0);
    CHECK_INT(mw_post(to, mw_int(3)), -EAGAIN);
    mw_address_unref(to);
    close_mesh(&m);
}

static int drop_item(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self, (void)scope;
    mw_release(item);
    return 0;
}

/* Post until there is no room. returns how many found some */
static uint64_t post_what_fits(mw_address *to)
{
    uint64_t count = 0;

    while (mw_post(to, mw_int((int64_t)count)) == 0)
        count++;
    return count;
}

static void above_the_capacity_room_comes_back_a_quarter_at_a_time_and_all_of_it_with_the_capacity(void)
{
    static const uint32_t capacities[] = {1, 2, 3, 4, 7, 8, 100};
    size_t i;

    for (i = 0; i < MW_COUNT(capacities); i++) {
        const uint32_t capacity = capacities[i], quarter = capacity < 8 ? 1 : capacity / 4;
        const mw_tasklet_options options = {.size = sizeof(options), .mailbox_items = capacity};
        struct mesh m = open_mesh();
        mw_tasklet *a = mw_tasklet_open(NULL, drop_item, &options);
        mw_address *to = mw_tasklet_address(a);
        uint32_t k;

        send_ints(a, 1, (int)capacity);
        CHECK_INT(post_what_fits(to), capacity);
        CHECK(!mw_scheduler_is_idle(m.s)); /* they are taken by looking */
        for (k = 1; k < quarter; k++) {
            CHECK_INT(mw_next(a), 1);
            CHECK_INT(post_what_fits(to), 0);
        }
        CHECK_INT(mw_next(a), 1);
        CHECK_INT(post_what_fits(to), quarter);
        CHECK(mw_scheduler_run(m.s) > 0);
        CHECK_INT(post_what_fits(to), capacity); /* none was kept */
        mw_address_unref(to);
        close_mesh(&m);
    }
}

static void overflow_policies_hold_for_posts(void)
{
    static const struct {
        enum mw_overflow overflow;
        const char *want;
    } rows[] = {{MW_DROP_OLDEST, "2 3 "}, {MW_DROP_NEWEST, "1 2 "}, {MW_KEEP_LATEST, "1 3 "}, {MW_REFUSE, "1 2 3 "}};
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        struct mesh m = open_mesh();
        struct diary d = {0};
        mw_tasklet *a = open_writer(&d, true, (mw_tasklet_options){.mailbox_items = 2, .overflow = rows[i].overflow});
        mw_address *to = mw_tasklet_address(a);

        send_ints(a, 1, 2);
        CHECK_INT(mw_post(to, mw_int(3)), 0);
        CHECK(mw_scheduler_run(m.s) >= 2);
        CHECK_TEXT(read_diary(&d), rows[i].want);
        mw_address_unref(to);
        close_mesh(&m);
    }
}

static void an_inbox_is_bounded_for_all_of_a_mesh(void)
{
    struct mesh m = open_mesh();
    mw_tasklet *a, *b;
    mw_address *to_a, *to_b;
    int i;

    CHECK_INT(mw_scheduler_set_inbox(m.s, 15), -EINVAL);
    CHECK_INT(mw_scheduler_set_inbox(NULL, 16), -EINVAL);
    CHECK_INT(mw_scheduler_set_inbox(m.s, 17), 0); /* 32 */
    a = mw_tasklet_new(NULL, NULL);
    b = mw_tasklet_new(NULL, NULL);
    to_a = mw_tasklet_address(a);
    to_b = mw_tasklet_address(b);
    CHECK_INT(mw_scheduler_set_inbox(m.s, 64), -EBUSY);
    for (i = 0; i < 32; i++)
        CHECK_INT(mw_post(i % 2 ? to_a : to_b, mw_int(i)), 0);
    CHECK_INT(mw_post(to_a, mw_int(i)), -EAGAIN);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(mw_tasklet_stats(a).swallowed, 16);
    CHECK_INT(mw_post(to_a, mw_int(i)), 0);
    mw_address_unref(to_a);
    mw_address_unref(to_b);
    close_mesh(&m);
}

static void an_address_outlives_its_tasklet_and_its_mesh(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    mw_tasklet *a = mw_handler_new(write_item, &d), *b = mw_handler_new(write_item, &d);
    mw_address *to_a = mw_tasklet_address(a), *to_b = mw_tasklet_address(b);
    int64_t live;

    CHECK_INT(mw_post(to_a, mw_text("a text that is longer than what fits inside")), 0);
    mw_tasklet_free(a); /* with an item on its way */
    CHECK_INT(mw_scheduler_stats(m.s).posts_dropped, 1);
    CHECK_INT(mw_post(to_a, mw_int(1)), -EPIPE);
    CHECK_INT(mw_post(to_b, mw_text("a text that is longer than what fits inside")), 0);
    close_mesh(&m);
    CHECK_INT(mw_post(to_b, mw_int(1)), -EPIPE);
    live = mw_memory_stats().live_blocks;
    mw_address_unref(to_a);
    mw_address_unref(to_b);
    CHECK(mw_memory_stats().live_blocks < live);
}

static void closed_it_keeps_posts_and_finished_it_drops_them(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    mw_tasklet *a = open_writer(&d, true, (mw_tasklet_options){.mailbox_items = 2});
    mw_address *to = mw_tasklet_address(a);

    CHECK_INT(mw_close(a), 0);
    CHECK_INT(mw_post(to, mw_int(1)), 0);
    CHECK_INT(mw_post(to, mw_int(2)), 0);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(mw_restart(a, true), 0);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(read_diary(&d), "1 2 ");
    CHECK_INT(mw_post(to, mw_int(3)), 0);
    CHECK_INT(mw_finish(a), 0);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(mw_scheduler_stats(m.s).posts_dropped, 1);
    mw_address_unref(to);
    close_mesh(&m);
}

static void moved_it_keeps_its_address_and_the_order(void)
{
    struct mesh m = open_mesh(), n;
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    mw_tasklet *a = mw_handler_new(link_handler, &one);
    mw_address *to = mw_tasklet_address(a);

    CHECK_INT(mw_post(to, mw_int(1)), 0);
    n = open_mesh();
    CHECK_INT(mw_scheduler_add(n.s, a), 0);
    CHECK_INT(mw_post(to, mw_int(2)), 0);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(mw_scheduler_run(n.s), 2);
    CHECK_TEXT(read_diary(&d), "a1 a2 ");
    CHECK_INT(mw_post(to, mw_int(3)), 0);
    CHECK_INT(mw_scheduler_add(m.s, a), 0); /* and back */
    CHECK_INT(mw_post(to, mw_int(4)), 0);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(read_diary(&d), "a3 a4 ");
    close_mesh(&n);
    close_mesh(&m);
    CHECK_INT(mw_post(to, mw_int(5)), -EPIPE);
    mw_address_unref(to);
}

static void nested_its_posts_go_through_the_mesh_around_it(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    mw_scheduler *inner = mw_taskmaster_new(), *previous = mw_scheduler_enter(inner);
    mw_tasklet *a = mw_handler_new(link_handler, &one);
    mw_address *to = mw_tasklet_address(a);

    mw_scheduler_leave(previous);
    CHECK_INT(mw_post(to, mw_int(1)), 0);
    CHECK(mw_scheduler_tasklet(inner) != NULL);
    CHECK_INT(mw_post(to, mw_int(2)), 0);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_INT(mw_post(to, mw_int(3)), 0);
    mw_tasklet_free(mw_scheduler_tasklet(inner)); /* alone again */
    CHECK_INT(mw_post(to, mw_int(4)), 0);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(mw_scheduler_run(inner), 2);
    CHECK_TEXT(read_diary(&d), "a1 a2 a3 a4 ");
    CHECK(mw_scheduler_tasklet(inner) != NULL);
    CHECK_INT(mw_post(to, mw_int(5)), 0);
    close_mesh(&m); /* the mesh around it goes, with an item on its way */
    CHECK_INT(mw_scheduler_run(inner), 1);
    CHECK_TEXT(read_diary(&d), "a5 ");
    mw_scheduler_free(inner);
    mw_address_unref(to);
}

static void count_call(void *context)
{
    ++*(int *)context;
}

static void a_loop_is_told_once_per_sleep(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    mw_tasklet *a = mw_handler_new(link_handler, &one);
    mw_address *to;
    int calls = 0;

    CHECK_INT(mw_scheduler_on_post(m.s, count_call, &calls), 0);
    to = mw_tasklet_address(a);
    CHECK_INT(mw_scheduler_on_post(m.s, NULL, NULL), -EBUSY);
    CHECK_INT(mw_scheduler_on_post(NULL, NULL, NULL), -EINVAL);
    CHECK_INT(mw_post(to, mw_int(1)), 0); /* before the first turn */
    CHECK_INT(calls, 1);
    CHECK_INT(mw_post(to, mw_int(2)), 0);
    CHECK_INT(calls, 1);
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_INT(mw_post(to, mw_int(3)), 0);
    CHECK_INT(calls, 2);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_INT(mw_scheduler_pause(m.s), 0);
    CHECK_INT(mw_post(to, mw_int(4)), 0);
    CHECK_INT(mw_scheduler_turn(m.s), 0); /* paused: no reason to spin */
    CHECK_INT(mw_scheduler_resume(m.s), 0);
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_TEXT(read_diary(&d), "a1 a2 a3 a4 ");
    CHECK_INT(mw_post(to, mw_int(5)), 0);
    CHECK_INT(calls, 4);
    mw_address_unref(to);
    close_mesh(&m);
}


static void a_turn_that_stays_awake_leaves_later_posts_and_tells_nobody_to_wake_it(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    mw_tasklet *a = mw_handler_new(link_handler, &one);
    mw_address *to;
    uint64_t items = 5;
    int calls = 0;

    CHECK_INT(mw_scheduler_has_posts(m.s, 1), -ENOENT); /* nobody has an address */
    CHECK_INT(mw_scheduler_on_post(m.s, count_call, &calls), 0);
    to = mw_tasklet_address(a);
    CHECK_INT(mw_scheduler_turn_awake(m.s, &items), 0);
    CHECK_INT(mw_post(to, mw_int(1)), 0);
    CHECK_INT(mw_post(to, mw_int(2)), 0);
    CHECK_INT(calls, 0);
    CHECK_INT(mw_scheduler_has_posts(m.s, 2), 1);
    CHECK_INT(mw_scheduler_has_posts(m.s, 3), 0);
    CHECK_INT(mw_scheduler_has_posts(m.s, INBOX_ITEMS_DEFAULT + 1), 0);
    CHECK(mw_scheduler_is_roused(m.s));
    CHECK_INT(mw_scheduler_turn_awake(m.s, &items), 0);
    CHECK_TEXT(read_diary(&d), "a1 a2 ");
    CHECK_INT(items, 7);
    CHECK(!mw_scheduler_is_roused(m.s)); /* asleep from here on */
    CHECK_INT(mw_post(to, mw_int(3)), 0);
    CHECK_INT(calls, 1);
    CHECK_INT(mw_scheduler_pause(m.s), 0);
    CHECK_INT(mw_scheduler_has_posts(m.s, 1), -ENOENT);
    mw_address_unref(to);
    close_mesh(&m);
}

static void a_wait_ends_at_its_deadline_or_with_what_is_due(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    mw_tasklet *a = mw_handler_new(link_handler, &one);
    int64_t until_ns = mw_now_ns() + 2000000;

    CHECK_INT(mw_scheduler_wait(m.s, until_ns), 0);
    CHECK(mw_now_ns() >= until_ns);
    send_ints(a, 1, 1);
    CHECK_INT(mw_scheduler_wait(m.s, MW_FOREVER), 1); /* at once */
    CHECK_INT(mw_scheduler_run(m.s), 1);
    until_ns = mw_now_ns() + 2000000;
    CHECK(mw_send_at(a, mw_int(2), until_ns) > 0);
    CHECK_INT(mw_scheduler_wait(m.s, MW_FOREVER), 1);
    CHECK(mw_now_ns() >= until_ns);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_INT(mw_scheduler_wait(NULL, 0), -EINVAL);
    CHECK_INT(mw_scheduler_pause(m.s), 0);
    CHECK_INT(mw_scheduler_wait(m.s, 0), -EAGAIN);
    close_mesh(&m);
}

static void without_memory_there_is_no_address_and_all_is_as_before(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    mw_tasklet *a = mw_handler_new(link_handler, &one);
    mw_address *to = NULL;
    int64_t n;

    for (n = 1; !to; n++) {
        mw_memory_fail_at(n, false);
        to = mw_tasklet_address(a);
        mw_memory_fail_at(0, false);
        send_ints(a, 1, 1);
        CHECK_INT(mw_scheduler_run(m.s), 1);
    }
    CHECK(n > 4); /* the side block, the inbox, the address, what it holds */
    mw_address_unref(to);
    close_mesh(&m);
}

static void a_move_without_memory_leaves_it_where_it_was(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL};
    mw_tasklet *a = mw_handler_new(link_handler, &one);
    mw_address *to = mw_tasklet_address(a);
    mw_scheduler *other = mw_taskmaster_new();
    int64_t n;
    int err = -ENOMEM;

    for (n = 1; err < 0; n++) {
        CHECK_INT(mw_post(to, mw_int((int)n)), 0);
        mw_memory_fail_at(n, false);
        err = mw_scheduler_add(other, a);
        mw_memory_fail_at(0, false);
        CHECK_INT(mw_scheduler_run(m.s), err < 0);
    }
    CHECK_INT(mw_scheduler_run(other), 1);
    CHECK(n > 2);
    mw_address_unref(to);
    mw_scheduler_free(other);
    close_mesh(&m);
}

static void once_warm_posting_allocates_nothing(void)
{
    struct mesh m = open_mesh();
    mw_tasklet *a = mw_tasklet_new(NULL, NULL);
    mw_address *to = mw_tasklet_address(a);
    int64_t allocations = mw_memory_stats().allocations;
    int i;

    for (i = 0; i < 10000; i++) {
        CHECK_INT(mw_post(to, mw_int(i)), 0);
        if (i % 100 == 99)
            CHECK_INT(mw_scheduler_turn(m.s), 0);
    }
    CHECK_INT(mw_memory_stats().allocations, allocations);
    mw_address_unref(to);
    close_mesh(&m);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_posted_item_arrives_in_the_next_turn),
        TEST(a_tasklet_has_one_address),
        TEST(posts_find_as_much_room_as_the_mailbox_holds_and_get_it_back),
        TEST(what_was_accepted_is_queued_beyond_the_capacity_and_blocks_further_posts),
        TEST(above_the_capacity_room_comes_back_a_quarter_at_a_time_and_all_of_it_with_the_capacity),
        TEST(overflow_policies_hold_for_posts),
        TEST(an_inbox_is_bounded_for_all_of_a_mesh),
        TEST(an_address_outlives_its_tasklet_and_its_mesh),
        TEST(closed_it_keeps_posts_and_finished_it_drops_them),
        TEST(moved_it_keeps_its_address_and_the_order),
        TEST(nested_its_posts_go_through_the_mesh_around_it),
        TEST(a_loop_is_told_once_per_sleep),
        TEST(a_turn_that_stays_awake_leaves_later_posts_and_tells_nobody_to_wake_it),
        TEST(a_wait_ends_at_its_deadline_or_with_what_is_due),
        TEST(without_memory_there_is_no_address_and_all_is_as_before),
        TEST(a_move_without_memory_leaves_it_where_it_was),
        TEST(once_warm_posting_allocates_nothing),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
