/* Supervision and monitors: what comes back, what is set aside, who is told.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include "base/memory.h"

static int64_t now_ns;

static int64_t read_time(void *context)
{
    (void)context;
    return now_ns;
}

static int pass_time(void *context, int64_t deadline_ns)
{
    (void)context;
    if (deadline_ns == MW_FOREVER)
        return -ECANCELED;
    now_ns = deadline_ns;
    return 0;
}

/* Time is the test's, and moves on to what is due. */
static struct mesh open_timed(void)
{
    struct mesh m = open_mesh();

    now_ns = 1000;
    CHECK_INT(mw_scheduler_set_clock(m.s, read_time, NULL), 0);
    mw_scheduler_on_idle(m.s, pass_time, NULL);
    return m;
}

/* Fails on negative items. */
static int fail_on_negative(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)d, (void)self;
    return item.kind == MW_INT && item.as.integer < 0 ? -1 : 0;
}

static struct mw_supervision rules_of(uint32_t restarts)
{
    return (struct mw_supervision){.size = sizeof(struct mw_supervision), .restarts = restarts, .window_ns = 1000000,
                                   .backoff_first_ns = 1000, .backoff_most_ns = 4000};
}

static void note_failure(void *context, mw_tasklet *t, int code)
{
    note(context, "(%s %d @%d) ", mw_tasklet_name(t), code, (int)now_ns);
}

static void one_that_fails_is_restarted_with_its_queue_and_the_item_set_aside(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct mesh m = open_timed();
        struct diary d = {.inside = fail_on_negative, .result = -EIO}, failures = {0};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});
        struct mw_supervision rules = rules_of(5);
        mw_value item;

        mw_scheduler_on_failure(m.s, note_failure, &failures);
        CHECK_INT(mw_supervise(t, &rules), 0);
        send_ints(t, 1, 2);
        send_ints(t, -3, -3);
        send_ints(t, 4, 5);
        CHECK(mw_scheduler_run(m.s) == 5);
        CHECK_TEXT(read_diary(&d), is_handler ? "1 2 -3 close 4 5 " : "setup 1 2 -3 setup 4 5 ");
        CHECK_INT(now_ns, 2000);
        CHECK_TEXT(read_diary(&failures), "(writer -5 @1000) ");
        CHECK(mw_take_set_aside(t, &item));
        CHECK_INT(item.as.integer, -3);
        CHECK(!mw_take_set_aside(t, &item));
        CHECK_INT(mw_tasklet_stats(t).failures, 1);
        close_mesh(&m);
    }
}

static void backing_off_doubles_up_to_a_most_and_starts_anew_in_a_new_window(void)
{
    struct mesh m = open_timed();
    struct diary d = {.inside = fail_on_negative, .result = -EIO}, failures = {0};
    mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){0});
    struct mw_supervision rules = rules_of(100);

    mw_scheduler_on_failure(m.s, note_failure, &failures);
    CHECK_INT(mw_supervise(t, &rules), 0);
    send_ints(t, -5, -1);
    CHECK_INT(mw_scheduler_run(m.s), 5);
    CHECK_TEXT(read_diary(&failures), "(writer -5 @1000) (writer -5 @2000) (writer -5 @4000) (writer -5 @8000) (writer -5 @12000) ");
    now_ns = 2000000;
    send_ints(t, -2, -1);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(read_diary(&failures), "(writer -5 @2000000) (writer -5 @2001000) ");
    close_mesh(&m);
}

static void one_that_fails_too_often_stays_closed_and_keeps_its_queue(void)
{
    struct mesh m = open_timed();
    struct diary d = {.inside = fail_on_negative, .result = -EIO}, told = {0};
    mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){0}), *watcher = mw_handler_new(write_item, &told);
    struct mw_supervision rules = rules_of(2);
    mw_value item;
    int i;

    CHECK_INT(mw_supervise(t, &rules), 0);
    CHECK_INT(mw_monitor(t, watcher), 1);
    send_ints(t, -3, 1);
    CHECK(mw_scheduler_run(m.s) >= 3);
    CHECK(mw_is_closed(t));
    CHECK_INT(mw_tasklet_stats(t).queued_items, 2);
    CHECK_TEXT(read_diary(&told), "{\"closed\":\"writer\",\"id\":1,\"code\":-5} "); /* once, at the end */
    for (i = -3; i < 0; i++) {
        CHECK(mw_take_set_aside(t, &item));
        CHECK_INT(item.as.integer, i);
    }
    CHECK(!mw_take_set_aside(t, &item));
    CHECK_INT(mw_restart(t, true), 0); /* somebody has mended it */
    CHECK_INT(mw_scheduler_run(m.s), 2);
    close_mesh(&m);
}

static void while_it_waits_sends_queue_and_block_as_ever(void)
{
    struct mesh m = open_timed();
    struct diary d = {.inside = fail_on_negative, .result = -EIO}, sent = {0};
    mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){.mailbox_items = 2}), *sender;
    struct mw_supervision rules = rules_of(5);
    struct link l = {&sent, "s", NULL};

    CHECK_INT(mw_supervise(t, &rules), 0);
    l.target = t;
    sender = mw_tasklet_new(link_body, &l);
    send_ints(sender, -1, 6); /* more than there is room for: it waits for room, also while t is down */
    CHECK(mw_scheduler_run(m.s) > 0);
    CHECK_TEXT(read_diary(&d), "-1 close 0 1 2 3 4 5 6 ");
    CHECK_INT(mw_tasklet_stats(t).capacity_items, 2);
    CHECK_INT(mw_send(t, mw_int(1)), 0);
    CHECK_INT(mw_send(t, mw_int(2)), 0);
    CHECK_INT(mw_send(t, mw_int(3)), -EAGAIN);
    close_mesh(&m);
}

static void a_close_while_it_waits_is_final(void)
{
    struct mesh m = open_timed();
    struct diary d = {.inside = fail_on_negative, .result = -EIO}, told = {0};
    mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){0}), *watcher = mw_handler_new(write_item, &told);
    struct mw_supervision rules = rules_of(5);

    CHECK_INT(mw_supervise(t, &rules), 0);
    CHECK(mw_monitor(t, watcher) > 0);
    send_ints(t, -1, -1);
    while (mw_scheduler_turn(m.s) > 0)
        ;
    CHECK_INT(mw_scheduler_deadline(m.s), 2000);
    CHECK_INT(mw_close(t), 0);
    CHECK_INT(mw_scheduler_deadline(m.s), MW_FOREVER);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(read_diary(&told), "{\"closed\":\"writer\",\"id\":1,\"code\":0} ");
    mw_tasklet_free(t); /* nothing new: it was closed */
    CHECK_INT(mw_scheduler_run(m.s), 0);
    close_mesh(&m);
}

static void the_end_of_a_stream_is_kept_through_a_restart(void)
{
    enum { BEFORE, MEANWHILE, EMPTY, CASES };
    static const char *const diaries[2][CASES] = {{"setup 1 -2 setup 3 close ", "setup 1 -2 setup 3 close ", "setup 1 -2 "},
                                                  {"1 -2 close 3 close ", "1 -2 close 3 close ", "1 -2 close "}};
    int is_handler, when;

    for (is_handler = 0; is_handler < 2; is_handler++)
        for (when = 0; when < CASES; when++) {
            struct mesh m = open_timed();
            struct diary d = {.inside = fail_on_negative, .result = -EIO}, told = {0};
            mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0}), *watcher = mw_handler_new(write_item, &told);
            struct mw_supervision rules = rules_of(5);

            CHECK_INT(mw_supervise(t, &rules), 0);
            CHECK(mw_monitor(t, watcher) > 0);
            send_ints(t, 1, 1);
            send_ints(t, -2, -2);
            send_ints(t, 3, 3);
            if (when == BEFORE)
                CHECK_INT(mw_finish(t), 0);
            while (mw_scheduler_turn(m.s) > 0)
                ;
            if (when != BEFORE) /* it is down */
                CHECK_INT(mw_finish(t), 0);
            if (when == EMPTY)
                CHECK_INT(mw_clear(t), 1);
            CHECK_INT(mw_send(t, mw_int(4)), -EPIPE);
            CHECK(mw_scheduler_run(m.s) > 0);
            CHECK_TEXT(read_diary(&d), diaries[is_handler][when]);
            CHECK_TEXT(read_diary(&told), "{\"closed\":\"writer\",\"id\":1,\"code\":0} ");
            CHECK(mw_is_closed(t));
            close_mesh(&m);
        }
}

static void the_last_item_of_a_stream_can_fail_too(void)
{
    static const char *const diaries[] = {"setup 1 -2 ", "1 -2 close "};
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct mesh m = open_timed();
        struct diary d = {.inside = fail_on_negative, .result = -EIO}, told = {0}, failures = {0};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0}), *watcher = mw_handler_new(write_item, &told);
        struct mw_supervision rules = rules_of(5);
        mw_value item;

        mw_scheduler_on_failure(m.s, note_failure, &failures);
        CHECK_INT(mw_supervise(t, &rules), 0);
        CHECK(mw_monitor(t, watcher) > 0);
        send_ints(t, 1, 1);
        send_ints(t, -2, -2);
        CHECK_INT(mw_finish(t), 0);
        CHECK(mw_scheduler_run(m.s) > 0);
        CHECK_TEXT(read_diary(&d), diaries[is_handler]);
        CHECK_TEXT(read_diary(&failures), "(writer -5 @1000) ");
        CHECK(mw_take_set_aside(t, &item) && item.as.integer == -2);
        CHECK_TEXT(read_diary(&told), "{\"closed\":\"writer\",\"id\":1,\"code\":0} ");
        CHECK_INT(mw_tasklet_stats(t).failures, 1);
        CHECK_INT(mw_tasklet_stats(t).late_results, 0);
        close_mesh(&m);
    }
}

static void items_set_aside_are_bounded_and_heap_items_are_shared(void)
{
    struct mesh m = open_timed();
    struct diary d = {.inside = fail_on_negative, .result = -EIO};
    mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){0});
    struct mw_supervision rules = rules_of(100);
    int64_t live = mw_memory_stats().live_blocks;
    mw_value item;
    int i;

    CHECK_INT(mw_supervise(t, &rules), 0);
    for (i = 1; i <= 20; i++)
        send_ints(t, -i, -i);
    CHECK_INT(mw_scheduler_run(m.s), 20);
    CHECK(mw_take_set_aside(t, &item));
    CHECK_INT(item.as.integer, -5); /* four were dropped */
    CHECK_INT(mw_tasklet_stats(t).dropped, 4);
    CHECK_INT(mw_send(t, mw_text("a text that is longer than what fits inside")), 0);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_INT(mw_supervise(t, NULL), 0);
    CHECK(!mw_take_set_aside(t, &item));
    send_ints(t, -1, -1);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK(mw_is_closed(t));
    CHECK(mw_memory_stats().live_blocks <= live + 3);
    close_mesh(&m);
}

static void moved_while_it_waits_it_comes_back_there(void)
{
    struct mesh m = open_timed(), n;
    struct diary d = {.inside = fail_on_negative, .result = -EIO};
    mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){0});
    struct mw_supervision rules = rules_of(5);

    CHECK_INT(mw_supervise(t, &rules), 0);
    send_ints(t, -1, 1);
    while (mw_scheduler_turn(m.s) > 0)
        ;
    n = open_mesh();
    CHECK_INT(mw_scheduler_set_clock(n.s, read_time, NULL), 0);
    mw_scheduler_on_idle(n.s, pass_time, NULL);
    CHECK_INT(mw_scheduler_add(n.s, t), 0);
    CHECK_INT(mw_scheduler_deadline(m.s), MW_FOREVER);
    CHECK_INT(mw_scheduler_run(n.s), 2);
    CHECK_TEXT(read_diary(&d), "-1 close 0 1 ");
    close_mesh(&n);
    close_mesh(&m);
}

static void wrong_rules_are_refused(void)
{
    struct mesh m = open_timed();
    mw_tasklet *t = mw_tasklet_new(NULL, NULL);
    struct mw_supervision rules = rules_of(1);
    mw_value item;

    CHECK_INT(mw_supervise(NULL, &rules), -EINVAL);
    rules.size = 3;
    CHECK_INT(mw_supervise(t, &rules), -EINVAL);
    rules = rules_of(1);
    rules.window_ns = -1;
    CHECK_INT(mw_supervise(t, &rules), -EINVAL);
    rules = rules_of(1);
    rules.backoff_most_ns = 10;
    CHECK_INT(mw_supervise(t, &rules), -EINVAL);
    rules = (struct mw_supervision){.size = offsetof(struct mw_supervision, window_ns), .restarts = 3}; /* an older header's */
    CHECK_INT(mw_supervise(t, &rules), 0);
    CHECK(!mw_take_set_aside(NULL, &item));
    CHECK(!mw_take_set_aside(t, NULL));
    close_mesh(&m);
}

/* ---- monitors ---------------------------------------------------------------------------------------------- */
static void each_close_is_told_whatever_its_reason(void)
{
    struct mesh m = open_timed();
    struct diary d = {.inside = fail_on_negative, .result = -EIO}, told = {0};
    mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){.name = "t"}), *watcher = mw_handler_new(write_item, &told);

    CHECK_INT(mw_monitor(t, watcher), 1);
    CHECK_INT(mw_close(t), 0);
    CHECK_INT(mw_restart(t, false), 0);
    send_ints(t, -1, -1);
    CHECK_INT(mw_scheduler_run(m.s), 3);
    CHECK_TEXT(read_diary(&told), "{\"closed\":\"t\",\"id\":1,\"code\":0} {\"closed\":\"t\",\"id\":1,\"code\":-5} ");
    CHECK_INT(mw_restart(t, false), 0); /* a restart alone is no close */
    CHECK_INT(mw_restart(t, false), 0);
    mw_tasklet_free(t);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(read_diary(&told), "{\"closed\":\"t\",\"id\":1,\"code\":0} ");
    CHECK_INT(mw_unmonitor(watcher, 1), 0);
    close_mesh(&m);
}

static void a_monitor_on_one_that_is_closed_tells_at_once(void)
{
    struct mesh m = open_timed();
    struct diary told = {0};
    mw_tasklet *t = mw_handler_new_at(write_item, NULL, "t", __FILE__, __LINE__), *watcher = mw_handler_new(write_item, &told);

    CHECK_INT(mw_close(t), 0);
    CHECK_INT(mw_monitor(t, watcher), 1);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(read_diary(&told), "{\"closed\":\"t\",\"id\":1,\"code\":0} ");
    close_mesh(&m);
}

static void a_monitor_ends_when_asked_or_with_who_is_told(void)
{
    struct mesh m = open_timed();
    struct diary told = {0};
    mw_tasklet *t = mw_handler_new_at(write_item, NULL, "t", __FILE__, __LINE__);
    mw_tasklet *one = mw_handler_new(write_item, &told), *two = mw_handler_new(write_item, &told);

    CHECK_INT(mw_monitor(t, one), 1);
    CHECK_INT(mw_monitor(t, one), 2);
    CHECK_INT(mw_monitor(t, two), 3);
    CHECK_INT(mw_unmonitor(one, 1), 1);
    CHECK_INT(mw_unmonitor(one, 1), 0);
    mw_tasklet_free(two);
    CHECK_INT(mw_close(t), 0);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(read_diary(&told), "{\"closed\":\"t\",\"id\":2,\"code\":0} ");
    CHECK_INT(mw_monitor(t, t), -EINVAL);
    CHECK_INT(mw_monitor(NULL, t), -EINVAL);
    CHECK_INT(mw_monitor(t, NULL), -EINVAL);
    CHECK_INT(mw_unmonitor(NULL, 1), -EINVAL);
    CHECK_INT(mw_unmonitor(t, 0), -EINVAL);
    close_mesh(&m);
}

static void without_memory_nobody_is_monitored_or_supervised(void)
{
    struct mesh m = open_timed();
    struct diary told = {0};
    struct mw_supervision rules = rules_of(3);
    mw_tasklet *t = mw_handler_new(write_item, &told), *one = mw_handler_new(write_item, &told);
    int64_t n, id = -ENOMEM;
    int err = -ENOMEM;

    for (n = 1; id < 0 || err < 0; n++) {
        mw_memory_fail_at(n, true);
        if (id < 0)
            id = mw_monitor(t, one);
        else
            err = mw_supervise(t, &rules);
        mw_memory_fail_at(0, false);
        if (id > 0 && err == -ENOMEM && n > 3)
            n = 0;
        CHECK(id > 0 || id == -ENOMEM);
    }
    CHECK_INT(mw_send(t, mw_int(1)), 0);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    close_mesh(&m);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(one_that_fails_is_restarted_with_its_queue_and_the_item_set_aside),
        TEST(backing_off_doubles_up_to_a_most_and_starts_anew_in_a_new_window),
        TEST(one_that_fails_too_often_stays_closed_and_keeps_its_queue),
        TEST(while_it_waits_sends_queue_and_block_as_ever),
        TEST(a_close_while_it_waits_is_final),
        TEST(the_end_of_a_stream_is_kept_through_a_restart),
        TEST(the_last_item_of_a_stream_can_fail_too),
        TEST(items_set_aside_are_bounded_and_heap_items_are_shared),
        TEST(moved_while_it_waits_it_comes_back_there),
        TEST(wrong_rules_are_refused),
        TEST(each_close_is_told_whatever_its_reason),
        TEST(a_monitor_on_one_that_is_closed_tells_at_once),
        TEST(a_monitor_ends_when_asked_or_with_who_is_told),
        TEST(without_memory_nobody_is_monitored_or_supervised),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
