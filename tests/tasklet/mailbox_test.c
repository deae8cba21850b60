/* The mailbox: bounds, overflow policies, who waits for room and how it ends.
 * SPDX-License-Identifier: MIT */
#include "bodies.h"

#include "base/memory.h"

static const char LONG_TEXT[] = "a text that is too long for the value itself";

static mw_tasklet *open_small(struct diary *d, bool is_handler, size_t items, enum mw_overflow overflow)
{
    return open_writer(d, is_handler, (mw_tasklet_options){.mailbox_items = items, .overflow = overflow});
}

static void a_mailbox_holds_1024_items_unless_told_otherwise(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    CHECK_INT(mw_tasklet_stats(t).capacity_items, 1024);
    send_ints(t, 1, 1024);
    CHECK_INT(mw_send(t, mw_int(1025)), -EAGAIN);
    CHECK_INT(mw_tasklet_stats(t).queued_items, 1024);
    CHECK_INT(mw_tasklet_stats(t).refused, 1);
    mw_tasklet_free(t);
}

static void a_mailbox_of_one_item_works(void)
{
    struct diary d = {0};
    mw_tasklet *t = open_small(&d, true, 1, MW_BLOCK);

    CHECK_INT(mw_send(t, mw_int(1)), 0);
    CHECK_INT(mw_send(t, mw_int(2)), -EAGAIN);
    CHECK_INT(mw_next(t), 1);
    CHECK_INT(mw_send(t, mw_int(3)), 0);
    CHECK_INT(mw_flush(t), 1);
    CHECK_TEXT(d.text, "1 3 ");
    mw_tasklet_free(t);
}

static void items_come_out_in_order_while_the_ring_grows_and_wraps(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);
    int64_t in = 0, out = 0;
    unsigned random = 7;
    int round;

    for (round = 0; round < 2000; round++) {
        int count = (int)((random = random * 1103515245u + 12345u) >> 16) % 40, i;
        mw_value item;

        for (i = 0; i < count && in - out < 1024; i++)
            CHECK_INT(mw_send(t, mw_int(in++)), 0);
        for (i = 0; i < count - 1 && mw_take(t, &item); i++)
            CHECK_INT(item.as.integer, out++);
    }
    CHECK_INT(mw_tasklet_stats(t).queued_items, in - out);
    mw_tasklet_free(t);
}

/* ---- overflow policies ------------------------------------------------------------------------------------ */
static void each_policy_does_what_it_says_when_the_mailbox_is_full(void)
{
    static const struct {
        enum mw_overflow overflow;
        int result;
        uint64_t refused, dropped;
        const char *kept;
    } cases[] = {
        {MW_BLOCK, -EAGAIN, 2, 0, "setup 1 2 3 "},
        {MW_REFUSE, -EAGAIN, 2, 0, "setup 1 2 3 "},
        {MW_DROP_OLDEST, 0, 0, 2, "setup 3 4 5 "},
        {MW_DROP_NEWEST, 0, 0, 2, "setup 1 2 3 "},
        {MW_KEEP_LATEST, 0, 0, 2, "setup 1 2 5 "},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(cases); i++) {
        struct diary d = {0};
        mw_tasklet *t = open_small(&d, false, 3, cases[i].overflow);

        send_ints(t, 1, 3);
        CHECK_INT(mw_send(t, mw_int(4)), cases[i].result);
        CHECK_INT(mw_send(t, mw_int(5)), cases[i].result);
        CHECK_INT(mw_tasklet_stats(t).queued_items, 3);
        CHECK_INT(mw_tasklet_stats(t).refused, cases[i].refused);
        CHECK_INT(mw_tasklet_stats(t).dropped, cases[i].dropped);
        CHECK_INT(mw_flush(t), 3);
        CHECK_TEXT(d.text, cases[i].kept);
        mw_tasklet_free(t);
    }
}

static void a_closed_full_mailbox_answers_epipe_whatever_its_policy(void)
{
    int overflow;

    for (overflow = MW_BLOCK; overflow <= MW_KEEP_LATEST; overflow++) {
        struct diary d = {0};
        mw_tasklet *t = open_small(&d, false, 2, (enum mw_overflow)overflow);
        mw_value item = mw_text(LONG_TEXT);

        mw_close(t);
        send_ints(t, 1, 2);
        CHECK_INT(mw_send(t, mw_int(3)), -EPIPE);
        CHECK_INT(mw_offer(t, &item), -EPIPE);
        CHECK_TEXT(mw_get_text(&item, NULL), LONG_TEXT);
        mw_release(item);
        CHECK_INT(mw_tasklet_stats(t).queued_items, 2);
        mw_tasklet_free(t);
    }
}

static void offer_takes_on_success_only(void)
{
    struct diary d = {0};
    mw_tasklet *t = open_small(&d, false, 2, MW_BLOCK);
    mw_value item = mw_text(LONG_TEXT);

    CHECK_INT(mw_offer(t, &item), 0);
    CHECK_INT(mw_kind_of(item), MW_NULL);
    item = mw_text(LONG_TEXT);
    CHECK_INT(mw_offer(t, &item), 0);
    item = mw_text(LONG_TEXT);
    CHECK_INT(mw_offer(t, &item), -EAGAIN);
    CHECK_TEXT(mw_get_text(&item, NULL), LONG_TEXT);
    CHECK_INT(mw_tasklet_stats(t).refused, 1);
    CHECK_INT(mw_next(t), 1);
    CHECK_INT(mw_offer(t, &item), 0);
    mw_tasklet_free(t);
}

/* ---- bytes -------------------------------------------------------------------------------------------------- */
static mw_value bytes_of(size_t count)
{
    char *block = mw_alloc_zeroed(1, count);
    mw_value v = mw_bytes(block, count);

    mw_free(block);
    return v;
}

static void a_mailbox_is_bounded_in_bytes_too(void)
{
    struct diary d = {0};
    mw_tasklet *t = open_writer(&d, false, (mw_tasklet_options){.mailbox_bytes = 10000});

    CHECK_INT(mw_send(t, bytes_of(4000)), 0);
    CHECK_INT(mw_send(t, bytes_of(4000)), 0);
    CHECK_INT(mw_send(t, bytes_of(4000)), -EAGAIN);
    CHECK_INT(mw_send(t, mw_int(1)), 0); /* holds no bytes */
    CHECK_INT(mw_clear(t), 3);
    CHECK_INT(mw_send(t, bytes_of(4000)), 0);
    mw_tasklet_free(t);
}

static void an_item_larger_than_the_whole_limit_finds_room_in_an_empty_mailbox(void)
{
    struct diary d = {0};
    mw_tasklet *t = open_writer(&d, false, (mw_tasklet_options){.mailbox_bytes = 1000});

    CHECK_INT(mw_send(t, bytes_of(4000)), 0);
    CHECK_INT(mw_send(t, bytes_of(100)), -EAGAIN);
    CHECK_INT(mw_clear(t), 1);
    CHECK_INT(mw_send(t, bytes_of(100)), 0);
    mw_tasklet_free(t);
}

static void lists_and_maps_count_with_what_is_in_them(void)
{
    struct diary d = {0};
    mw_tasklet *t = open_writer(&d, false, (mw_tasklet_options){.mailbox_bytes = 10000});
    mw_value list = mw_list_new(), map = mw_map_new();

    mw_list_append(&list, bytes_of(3000));
    mw_list_append(&list, bytes_of(3000));
    mw_map_set(&map, "list", list);
    CHECK_INT(mw_send(t, mw_share(map)), 0);
    CHECK_INT(mw_send(t, map), -EAGAIN);
    mw_tasklet_free(t);
}

static void drop_oldest_makes_as_much_room_as_the_bytes_need(void)
{
    struct diary d = {0};
    mw_tasklet *t =
        open_writer(&d, false, (mw_tasklet_options){.mailbox_bytes = 10000, .overflow = MW_DROP_OLDEST});

    CHECK_INT(mw_send(t, bytes_of(4000)), 0);
    CHECK_INT(mw_send(t, bytes_of(4000)), 0);
    CHECK_INT(mw_send(t, bytes_of(9000)), 0);
    CHECK_INT(mw_tasklet_stats(t).queued_items, 1);
    CHECK_INT(mw_tasklet_stats(t).dropped, 2);
    mw_tasklet_free(t);
}

/* ---- a coroutine that sends waits ----------------------------------------------------------------------------- */
static int send_three_times(struct diary *d, mw_tasklet *self, mw_value item)
{
    int i;

    (void)self;
    for (i = 0; i < 3; i++) {
        int err = mw_send(d->other, mw_int(item.as.integer * 10 + i));

        note(d, "sent%s ", err < 0 ? mw_strerror(err) : "");
        keep(d, err);
    }
    return 0;
}

static void a_coroutine_that_sends_to_a_full_mailbox_waits_until_there_is_room(void)
{
    struct diary target = {0}, d = {.inside = send_three_times};
    mw_tasklet *to = open_small(&target, false, 1, MW_BLOCK);
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    d.other = to;
    mw_start(to);
    read_diary(&target);
    send_ints(t, 1, 2);
    CHECK_INT(mw_next(t), 1); /* the item was handed over; its body now waits */
    CHECK_TEXT(read_diary(&d), "setup 1 sent ");
    CHECK_INT(mw_next(t), -EAGAIN);
    CHECK_INT(mw_flush(t), -EAGAIN);
    CHECK_INT(mw_last(t), -EAGAIN);
    CHECK_INT(mw_pass(t, mw_int(9)), -EAGAIN);
    CHECK_INT(mw_tasklet_stats(t).queued_items, 1);
    CHECK_INT(mw_next(to), 1); /* makes room: the waiting item moves in, in order */
    CHECK_INT(mw_tasklet_stats(to).queued_items, 1);
    CHECK_INT(mw_next(t), -EAGAIN); /* went on, and waits again */
    CHECK_TEXT(read_diary(&d), "sent ");
    CHECK_INT(mw_flush(to), 2);
    CHECK_TEXT(read_diary(&target), "10 11 12 ");
    CHECK_INT(mw_next(t), 1); /* finishes the first item, is handed the second, waits */
    CHECK_TEXT(read_diary(&d), "sent 2 sent ");
    mw_tasklet_free(t);
    mw_tasklet_free(to);
}

static void waiting_senders_are_served_first_come_first_served_and_none_slips_in(void)
{
    struct diary target = {0}, senders[3];
    mw_tasklet *to = open_small(&target, true, 1, MW_BLOCK), *t[3];
    int i;

    mw_send(to, mw_int(0));
    for (i = 0; i < 3; i++) {
        senders[i] = (struct diary){.inside = send_three_times, .other = to};
        t[i] = mw_tasklet_new(writer, &senders[i]);
        send_ints(t[i], i + 1, i + 1);
        CHECK_INT(mw_next(t[i]), 1);
    }
    CHECK_INT(mw_next(to), 1);
    CHECK_INT(mw_send(to, mw_int(99)), -EAGAIN);
    CHECK_INT(mw_next(to), 1);
    CHECK_INT(mw_next(to), 1);
    CHECK_INT(mw_next(to), 1);
    CHECK_INT(mw_next(to), 0);
    CHECK_TEXT(target.text, "0 10 20 30 ");
    for (i = 0; i < 3; i++)
        mw_tasklet_free(t[i]);
    mw_tasklet_free(to);
}

static void a_waiting_sender_that_is_closed_gets_ecanceled_at_once(void)
{
    struct diary target = {0}, d = {.inside = send_three_times};
    mw_tasklet *to = open_small(&target, false, 1, MW_BLOCK);
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    d.other = to;
    send_ints(t, 1, 1);
    CHECK_INT(mw_next(t), 1);
    CHECK_INT(mw_close(t), 0);
    CHECK_INT(d.results[0], 0);
    CHECK_INT(d.results[1], -ECANCELED);
    CHECK_INT(d.results[2], -ECANCELED);
    CHECK(strstr(d.text, "close ") != NULL);
    CHECK(mw_is_closed(t));
    CHECK_INT(mw_flush(to), 1);
    mw_tasklet_free(t);
    mw_tasklet_free(to);
}

static void a_sender_whose_wait_has_ended_learns_of_the_close_at_its_next_wait(void)
{
    struct diary target = {0}, d = {.inside = send_three_times};
    mw_tasklet *to = open_small(&target, true, 1, MW_BLOCK);
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    d.other = to;
    send_ints(t, 1, 1);
    CHECK_INT(mw_next(t), 1);
    CHECK_INT(mw_next(to), 1); /* its second item moves in */
    CHECK_INT(mw_close(t), 0);
    CHECK_INT(d.results[1], 0);
    CHECK_INT(d.results[2], -ECANCELED);
    CHECK_INT(mw_flush(to), 1);
    CHECK_TEXT(target.text, "10 11 ");
    mw_tasklet_free(t);
    mw_tasklet_free(to);
}

static void a_waiting_sender_gets_epipe_when_the_mailbox_closes(void)
{
    int is_free;

    for (is_free = 0; is_free < 2; is_free++) {
        struct diary target = {0}, d = {.inside = send_three_times};
        mw_tasklet *to = open_small(&target, false, 1, MW_BLOCK);
        mw_tasklet *t = mw_tasklet_new(writer, &d);

        d.other = to;
        send_ints(t, 1, 1);
        CHECK_INT(mw_next(t), 1);
        if (is_free)
            mw_tasklet_free(to);
        else
            mw_close(to);
        d.other = mw_tasklet_new(NULL, NULL);
        CHECK_INT(mw_next(t), 0);
        CHECK_INT(d.results[1], -EPIPE);
        CHECK_INT(d.results[2], 0);
        mw_tasklet_free(t);
        mw_tasklet_free(d.other);
        if (!is_free)
            mw_tasklet_free(to);
    }
}

static int send_to_self(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)item;
    keep(d, mw_send(self, mw_text(LONG_TEXT)));
    return 0;
}

static void a_coroutine_that_would_wait_for_itself_is_told_so(void)
{
    struct diary d = {.inside = send_to_self};
    mw_tasklet *t = open_small(&d, false, 2, MW_BLOCK);

    mw_start(t);
    send_ints(t, 1, 2);
    CHECK_INT(mw_next(t), 1);
    CHECK_INT(d.results[0], 0);
    CHECK_INT(mw_next(t), 1);
    CHECK_INT(d.results[1], 0);
    send_ints(t, 3, 2);
    CHECK_INT(mw_pass(t, mw_int(1)), 0);
    CHECK_INT(d.results[2], -EDEADLK);
    mw_tasklet_free(t);
}

static int pass_through(mw_tasklet *self, void *scope)
{
    mw_value item;

    while (mw_receive(self, &item))
        mw_send(scope, item);
    return 0;
}

static void a_wait_may_hold_content_on_the_heap(void)
{
    struct diary target = {0};
    mw_tasklet *to = open_writer(&target, true, (mw_tasklet_options){.mailbox_bytes = 100});
    mw_tasklet *t = mw_tasklet_new(pass_through, NULL);

    mw_rescope(t, (mw_scope){.data = to});
    mw_send(t, mw_text(LONG_TEXT));
    mw_send(t, mw_text(LONG_TEXT));
    mw_send(t, mw_text(LONG_TEXT));
    CHECK_INT(mw_flush(t), 2);
    CHECK_INT(mw_flush(t), -EAGAIN);
    CHECK_INT(mw_flush(to), 2);
    CHECK_INT(mw_flush(t), 1);
    CHECK_INT(mw_flush(to), 1);
    mw_send(to, mw_text(LONG_TEXT));
    mw_send(t, mw_text(LONG_TEXT));
    CHECK_INT(mw_flush(t), 1);
    mw_tasklet_free(t); /* with an item in its hand */
    mw_tasklet_free(to);
}

static void finish_lets_waiting_items_in_first(void)
{
    struct diary target = {0}, d = {.inside = send_three_times};
    mw_tasklet *to = open_small(&target, true, 1, MW_BLOCK);
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    d.other = to;
    send_ints(t, 1, 1);
    CHECK_INT(mw_next(t), 1);
    mw_finish(to);
    CHECK_INT(mw_flush(to), 2);
    CHECK(mw_is_closed(to));
    CHECK_TEXT(target.text, "10 11 close ");
    mw_start(t);
    CHECK_INT(mw_next(t), 0);
    CHECK_INT(d.results[1], 0);
    CHECK_INT(d.results[2], -EPIPE);
    mw_tasklet_free(t);
    mw_tasklet_free(to);
}

/* ---- a handler that sends goes above the capacity ----------------------------------------------------------------- */
static void a_handler_exceeds_a_full_mailbox_and_is_not_run_again_until_there_is_room(void)
{
    struct diary target = {0}, d = {.inside = send_three_times};
    mw_tasklet *to = open_small(&target, true, 2, MW_BLOCK);
    mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){0});

    d.other = to;
    send_ints(t, 1, 2);
    CHECK_INT(mw_flush(t), 1);
    CHECK_TEXT(read_diary(&d), "1 sent sent sent ");
    CHECK_INT(mw_tasklet_stats(to).queued_items, 3);
    CHECK_INT(mw_next(t), -EAGAIN);
    CHECK_INT(mw_flush(t), -EAGAIN);
    CHECK_INT(mw_pass(t, mw_int(9)), -EAGAIN);
    CHECK_INT(mw_next(to), 1);
    CHECK_INT(mw_next(t), -EAGAIN); /* two in it, still full */
    CHECK_INT(mw_next(to), 1);
    CHECK_INT(mw_next(t), 1);
    CHECK_INT(mw_flush(to), 4);
    CHECK_TEXT(target.text, "10 11 12 20 21 22 ");
    mw_tasklet_free(t);
    mw_tasklet_free(to);
}

static int send_often(struct diary *d, mw_tasklet *self, mw_value item)
{
    int i;

    (void)self;
    for (i = 0; i < item.as.integer; i++)
        keep(d, mw_send(d->other, mw_int(i)));
    return 0;
}

static void a_handler_that_sends_beyond_twice_the_capacity_has_failed(void)
{
    struct diary target = {0}, d = {.inside = send_often};
    mw_tasklet *to = open_small(&target, true, 2, MW_BLOCK);
    mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){0});

    d.other = to;
    send_ints(t, 5, 5);
    CHECK_INT(mw_next(t), -EAGAIN);
    CHECK_INT(d.results[3], 0);
    CHECK_INT(d.results[4], -EAGAIN);
    CHECK_INT(mw_tasklet_stats(to).queued_items, 4);
    CHECK_INT(mw_tasklet_stats(to).refused, 1);
    CHECK_INT(mw_tasklet_stats(t).failures, 1);
    CHECK(mw_is_closed(t));
    mw_tasklet_free(t);
    mw_tasklet_free(to);
}

static void a_stalled_handler_runs_again_when_what_it_waited_for_closes(void)
{
    int is_free;

    for (is_free = 0; is_free < 2; is_free++) {
        struct diary target = {0}, d = {.inside = send_often};
        mw_tasklet *to = open_small(&target, true, 1, MW_BLOCK);
        mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){0});

        d.other = to;
        send_ints(t, 2, 2);
        send_ints(t, 0, 0);
        CHECK_INT(mw_next(t), 1);
        CHECK_INT(mw_next(t), -EAGAIN);
        if (is_free)
            mw_tasklet_free(to);
        else
            mw_close(to);
        CHECK_INT(mw_next(t), 1);
        mw_tasklet_free(t);
        if (!is_free)
            mw_tasklet_free(to);
    }
}

static void a_stalled_handler_can_be_closed_restarted_and_freed(void)
{
    struct diary target = {0}, d = {.inside = send_often};
    mw_tasklet *to = open_small(&target, true, 1, MW_BLOCK);
    mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){0});

    d.other = to;
    send_ints(t, 2, 2);
    CHECK_INT(mw_next(t), 1);
    CHECK_INT(mw_close(t), 0);
    CHECK(strstr(d.text, "close ") != NULL);
    CHECK_INT(mw_restart(t, false), 0);
    send_ints(t, 0, 0);
    CHECK_INT(mw_next(t), 1);
    send_ints(t, 1, 1);
    CHECK_INT(mw_next(t), -EAGAIN); /* a third one would be beyond twice the capacity */
    CHECK_INT(mw_restart(t, true), 0);
    mw_tasklet_free(t);
    CHECK_INT(mw_flush(to), 2);
    mw_tasklet_free(to);
}

static int send_to_self_again(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)d;
    return item.as.integer > 0 ? mw_send(self, mw_int(item.as.integer - 1)) : 0;
}

static void a_handler_that_fills_itself_goes_on(void)
{
    struct diary d = {.inside = send_to_self_again};
    mw_tasklet *t = open_small(&d, true, 1, MW_BLOCK);

    send_ints(t, 5, 5);
    CHECK_INT(mw_flush(t), 6);
    CHECK_TEXT(d.text, "5 4 3 2 1 0 ");
    mw_tasklet_free(t);
}

static void items_that_lie_in_the_queue_are_released_with_it(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);
    int64_t before = mw_memory_stats().live_blocks;
    int i;

    for (i = 0; i < 100; i++)
        mw_send(t, mw_text(LONG_TEXT));
    mw_clear(t);
    mw_send(t, mw_text(LONG_TEXT));
    mw_set_handler(t, write_item, (mw_scope){&d, NULL});
    mw_send(t, mw_text(LONG_TEXT));
    mw_restart(t, false);
    mw_send(t, mw_text(LONG_TEXT));
    mw_tasklet_free(t);
    CHECK(mw_memory_stats().live_blocks <= before + 8); /* rings that the mesh keeps */
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_mailbox_holds_1024_items_unless_told_otherwise),
        TEST(a_mailbox_of_one_item_works),
        TEST(items_come_out_in_order_while_the_ring_grows_and_wraps),
        TEST(each_policy_does_what_it_says_when_the_mailbox_is_full),
        TEST(a_closed_full_mailbox_answers_epipe_whatever_its_policy),
        TEST(offer_takes_on_success_only),
        TEST(a_mailbox_is_bounded_in_bytes_too),
        TEST(an_item_larger_than_the_whole_limit_finds_room_in_an_empty_mailbox),
        TEST(lists_and_maps_count_with_what_is_in_them),
        TEST(drop_oldest_makes_as_much_room_as_the_bytes_need),
        TEST(a_coroutine_that_sends_to_a_full_mailbox_waits_until_there_is_room),
        TEST(waiting_senders_are_served_first_come_first_served_and_none_slips_in),
        TEST(a_waiting_sender_that_is_closed_gets_ecanceled_at_once),
        TEST(a_sender_whose_wait_has_ended_learns_of_the_close_at_its_next_wait),
        TEST(a_waiting_sender_gets_epipe_when_the_mailbox_closes),
        TEST(a_coroutine_that_would_wait_for_itself_is_told_so),
        TEST(a_wait_may_hold_content_on_the_heap),
        TEST(finish_lets_waiting_items_in_first),
        TEST(a_handler_exceeds_a_full_mailbox_and_is_not_run_again_until_there_is_room),
        TEST(a_handler_that_sends_beyond_twice_the_capacity_has_failed),
        TEST(a_stalled_handler_runs_again_when_what_it_waited_for_closes),
        TEST(a_stalled_handler_can_be_closed_restarted_and_freed),
        TEST(a_handler_that_fills_itself_goes_on),
        TEST(items_that_lie_in_the_queue_are_released_with_it),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
