/* The verbs that end a body or put another in its place: close, finish, set, rescope, restart, free.
 * SPDX-License-Identifier: MIT */
#include "bodies.h"

#include "base/memory.h"
#include "coroutine/coroutine.h"

static void close_runs_the_close_path_once_and_keeps_the_queue(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {0};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});

        send_ints(t, 1, 3);
        CHECK_INT(mw_next(t), 1);
        read_diary(&d);
        CHECK_INT(mw_close(t), 0);
        CHECK_TEXT(read_diary(&d), "close ");
        CHECK(mw_is_closed(t));
        CHECK_INT(mw_close(t), 0);
        CHECK_TEXT(read_diary(&d), "");
        CHECK_INT(mw_tasklet_stats(t).queued_items, 2);
        mw_tasklet_free(t);
        CHECK_TEXT(read_diary(&d), "");
    }
}

static void closing_a_body_that_never_ran_runs_nothing(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {0};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});

        send_ints(t, 1, 3);
        CHECK_INT(mw_close(t), 0);
        CHECK(mw_is_closed(t));
        CHECK_TEXT(d.text, "");
        mw_tasklet_free(t);
        CHECK_TEXT(d.text, "");
    }
}

static void free_runs_the_close_path_and_then_releases_the_scope(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {0};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){.scope.release = note_release});

        send_ints(t, 1, 2);
        CHECK_INT(mw_next(t), 1);
        read_diary(&d);
        mw_tasklet_free(t);
        CHECK_TEXT(d.text, "close release ");
    }
}

static void a_scope_outlives_a_close_for_a_restart_needs_it(void)
{
    struct diary d = {0};
    mw_tasklet *t = open_writer(&d, false, (mw_tasklet_options){.scope.release = note_release});

    mw_start(t);
    mw_close(t);
    CHECK_TEXT(read_diary(&d), "setup close ");
    mw_restart(t, false);
    mw_start(t);
    CHECK_TEXT(read_diary(&d), "setup ");
    mw_tasklet_free(t);
    CHECK_TEXT(read_diary(&d), "close release ");
}

static void rescope_runs_old_close_path_then_release_then_the_new_body_and_keeps_the_queue(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {0};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){.scope.release = note_release});

        send_ints(t, 1, 3);
        mw_next(t);
        read_diary(&d);
        CHECK_INT(mw_rescope(t, (mw_scope){&d, NULL}), 0);
        CHECK_INT(mw_flush(t), 2);
        CHECK_TEXT(read_diary(&d), is_handler ? "close release 2 3 " : "close release setup 2 3 ");
        mw_tasklet_free(t);
        CHECK_TEXT(read_diary(&d), "close ");
    }
}

static void rescope_opens_a_closed_tasklet_again(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    mw_start(t);
    mw_close(t);
    send_ints(t, 14, 14);
    read_diary(&d);
    CHECK_INT(mw_rescope(t, (mw_scope){&d, note_release}), 0);
    CHECK(!mw_is_closed(t));
    CHECK_INT(mw_next(t), 1);
    CHECK_TEXT(read_diary(&d), "setup 14 ");
    mw_tasklet_free(t);
}

static void restart_empties_the_queue_or_keeps_it_on_request(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    mw_start(t);
    send_ints(t, 1, 2);
    CHECK_INT(mw_restart(t, true), 0);
    CHECK_INT(mw_next(t), 1);
    CHECK_TEXT(read_diary(&d), "setup close setup 1 ");
    CHECK_INT(mw_restart(t, false), 0);
    CHECK_INT(mw_tasklet_stats(t).queued_items, 0);
    CHECK_INT(mw_tasklet_stats(t).dropped, 1);
    CHECK_INT(mw_next(t), 0);
    CHECK_TEXT(read_diary(&d), "close setup ");
    mw_tasklet_free(t);
}

static void set_puts_a_new_body_and_scope_in_place_and_empties_the_queue(void)
{
    struct diary one = {0}, two = {0};
    mw_tasklet *t = open_writer(&one, false, (mw_tasklet_options){.scope.release = note_release});

    mw_start(t);
    send_ints(t, 1, 2);
    CHECK_INT(mw_set_handler(t, write_item, (mw_scope){&two, note_release}), 0);
    CHECK_TEXT(read_diary(&one), "setup close release ");
    CHECK(mw_tasklet_scope(t) == &two);
    CHECK_INT(mw_tasklet_stats(t).queued_items, 0);
    send_ints(t, 3, 4);
    CHECK_INT(mw_flush(t), 2);
    CHECK_INT(mw_set(t, writer, (mw_scope){&one, NULL}), 0);
    CHECK_TEXT(read_diary(&two), "3 4 release ");
    send_ints(t, 5, 5);
    CHECK_INT(mw_next(t), 1);
    CHECK_TEXT(read_diary(&one), "setup 5 ");
    CHECK_INT(mw_set(t, NULL, (mw_scope){0}), 0);
    CHECK_TEXT(read_diary(&one), "close ");
    send_ints(t, 6, 7);
    CHECK_INT(mw_tasklet_stats(t).queued_items, 0);
    mw_tasklet_free(t);
}

static void set_opens_a_closed_tasklet_again(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    mw_close(t);
    CHECK_INT(mw_set(t, writer, (mw_scope){&d, NULL}), 0);
    CHECK(!mw_is_closed(t));
    CHECK_INT(mw_pass(t, mw_int(1)), 0);
    CHECK_TEXT(d.text, "setup 1 ");
    mw_tasklet_free(t);
}

/* ---- finish ----------------------------------------------------------------------------------------------- */
static void finish_closes_when_the_queue_is_empty_and_takes_no_more_items(void)
{
    int is_handler, verb;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        for (verb = 0; verb < 2; verb++) {
            struct diary d = {0};
            mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});

            mw_start(t);
            read_diary(&d);
            send_ints(t, 1, 2);
            CHECK_INT(mw_finish(t), 0);
            CHECK(!mw_is_closed(t));
            CHECK_INT(mw_send(t, mw_int(3)), -EPIPE);
            CHECK_INT(mw_pass(t, mw_int(3)), -EPIPE);
            if (verb == 0) {
                CHECK_INT(mw_flush(t), 2);
            } else {
                CHECK_INT(mw_next(t), 1);
                CHECK(!mw_is_closed(t));
                CHECK_INT(mw_next(t), 1);
            }
            CHECK_TEXT(read_diary(&d), "1 2 close ");
            CHECK(mw_is_closed(t));
            CHECK_INT(mw_send(t, mw_int(3)), -EPIPE);
            CHECK_INT(mw_restart(t, true), 0);
            CHECK_INT(mw_send(t, mw_int(3)), 0);
            mw_tasklet_free(t);
        }
    }
}

static void finish_with_an_empty_queue_closes_at_once(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    mw_start(t);
    CHECK_INT(mw_finish(t), 0);
    CHECK_TEXT(d.text, "setup close ");
    CHECK(mw_is_closed(t));
    mw_tasklet_free(t);
}

static void a_finished_tasklet_that_is_cleared_closes(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    mw_start(t);
    send_ints(t, 1, 2);
    mw_finish(t);
    CHECK_INT(mw_clear(t), 2);
    CHECK(mw_is_closed(t));
    CHECK_TEXT(d.text, "setup close ");
    mw_tasklet_free(t);
}

/* ---- from inside the body ----------------------------------------------------------------------------------- */
static int close_self(struct diary *d, mw_tasklet *self, mw_value item)
{
    if (item.as.integer == 2) {
        keep(d, mw_close(self));
        keep(d, mw_is_closed(self));
        note(d, "asked ");
    }
    return 0;
}

static void close_from_inside_takes_effect_when_the_body_returns(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {.inside = close_self};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});

        mw_start(t);
        read_diary(&d);
        send_ints(t, 1, 4);
        CHECK_INT(mw_flush(t), 2);
        CHECK_TEXT(read_diary(&d), "1 2 asked close ");
        CHECK_INT(d.results[0], 0);
        CHECK_INT(d.results[1], false);
        CHECK(mw_is_closed(t));
        CHECK_INT(mw_tasklet_stats(t).queued_items, 2);
        CHECK_INT(mw_tasklet_stats(t).failures, 0);
        mw_tasklet_free(t);
    }
}

static int restart_self(struct diary *d, mw_tasklet *self, mw_value item)
{
    if (item.as.integer == 2)
        keep(d, mw_restart(self, true));
    return 0;
}

static void restart_from_inside_opens_again_when_the_body_has_returned(void)
{
    struct diary d = {.inside = restart_self};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    send_ints(t, 1, 3);
    CHECK_INT(mw_flush(t), 2);
    CHECK_TEXT(read_diary(&d), "setup 1 2 close ");
    CHECK(!mw_is_closed(t));
    CHECK_INT(mw_flush(t), 1);
    CHECK_TEXT(read_diary(&d), "setup 3 ");
    mw_tasklet_free(t);
}

static int rescope_self(struct diary *d, mw_tasklet *self, mw_value item)
{
    if (item.as.integer == 1) {
        keep(d, mw_rescope(self, (mw_scope){d, note_release})); /* replaced before it was used */
        keep(d, mw_rescope(self, (mw_scope){d->other, NULL}));
        note(d, "asked ");
    }
    return 0;
}

static void rescope_from_inside_takes_effect_when_the_body_returns_and_the_last_one_counts(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary two = {0}, one = {.inside = rescope_self, .other = (mw_tasklet *)(void *)&two};
        mw_tasklet *t = open_writer(&one, is_handler, (mw_tasklet_options){.scope.release = note_release});

        mw_start(t);
        read_diary(&one);
        send_ints(t, 1, 2);
        CHECK_INT(mw_flush(t), 1);
        CHECK_TEXT(read_diary(&one), "1 release asked close release ");
        CHECK_INT(mw_flush(t), 1);
        CHECK_TEXT(read_diary(&two), is_handler ? "2 " : "setup 2 ");
        mw_tasklet_free(t);
    }
}

static int set_self(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)item;
    keep(d, mw_set_handler(self, write_item, (mw_scope){d->other, NULL}));
    return 0;
}

static void set_from_inside_takes_effect_when_the_body_returns(void)
{
    struct diary two = {0}, one = {.inside = set_self, .other = (mw_tasklet *)(void *)&two};
    mw_tasklet *t = mw_tasklet_new(writer, &one);

    send_ints(t, 1, 2);
    CHECK_INT(mw_flush(t), 1);
    CHECK_TEXT(read_diary(&one), "setup 1 close ");
    CHECK_INT(mw_tasklet_stats(t).queued_items, 0);
    send_ints(t, 3, 3);
    CHECK_INT(mw_flush(t), 1);
    CHECK_TEXT(read_diary(&two), "3 ");
    mw_tasklet_free(t);
}

static int free_self(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)item;
    note(d, "freed ");
    mw_tasklet_free(self);
    keep(d, mw_send(self, mw_int(1)));
    keep(d, mw_close(self));
    return 0;
}

static void free_from_inside_takes_effect_when_the_body_returns(void)
{
    int row;

    for (row = 0; row < 4; row++) {
        bool is_handler = row & 1, is_plain = row & 2; /* nothing queued, no release function, no name of its own */
        struct diary d = {.inside = free_self};
        mw_tasklet_options plain = {.size = sizeof(plain), .scope.data = &d, .closed = is_handler ? write_close : NULL};
        mw_tasklet *t = is_plain ? mw_tasklet_open(is_handler ? NULL : writer, is_handler ? write_item : NULL, &plain)
                                 : open_writer(&d, is_handler, (mw_tasklet_options){.scope.release = note_release});

        mw_start(t);
        read_diary(&d);
        send_ints(t, 1, is_plain ? 1 : 2);
        CHECK_INT(mw_next(t), 1);
        CHECK_TEXT(read_diary(&d), is_plain ? "1 freed close " : "1 freed close release ");
        CHECK_INT(d.results[0], -EPIPE);
        CHECK_INT(d.results[1], -EPIPE);
    }
}

static int free_other(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)self;
    (void)item;
    mw_tasklet_free(d->other);
    return 0;
}

static int run_other(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)self;
    (void)item;
    keep(d, mw_next(d->other));
    note(d, "back ");
    return 0;
}

static void free_of_a_body_below_on_the_chain_waits_until_it_has_returned(void)
{
    struct diary below = {.inside = run_other}, above = {.inside = free_other};
    mw_tasklet *a = open_writer(&below, false, (mw_tasklet_options){.scope.release = note_release});
    mw_tasklet *b = mw_tasklet_new(writer, &above);

    below.other = b;
    above.other = a;
    send_ints(b, 1, 1);
    send_ints(a, 1, 2);
    CHECK_INT(mw_flush(a), 1);
    CHECK_TEXT(below.text, "setup 1 back close release ");
    mw_tasklet_free(b);
}

static int close_other(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)self;
    (void)item;
    keep(d, mw_close(d->other));
    note(d, "closed ");
    return 0;
}

static void closing_another_tasklet_from_inside_a_body_runs_its_close_path_at_once(void)
{
    struct diary d = {.inside = close_other}, other = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d), *o = mw_tasklet_new(writer, &other);

    mw_start(o);
    d.other = o;
    send_ints(t, 1, 1);
    CHECK_INT(mw_flush(t), 1);
    CHECK_TEXT(other.text, "setup close ");
    CHECK_TEXT(d.text, "setup 1 closed ");
    mw_tasklet_free(t);
    mw_tasklet_free(o);
}

static int restart_at_close(struct diary *d, mw_tasklet *self)
{
    if (d->result_count == 0)
        keep(d, mw_restart(self, true));
    return -EIO;
}

static void a_close_path_may_ask_for_a_restart(void)
{
    struct diary d = {.at_close = restart_at_close};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    mw_start(t);
    CHECK_INT(mw_close(t), 0);
    CHECK(!mw_is_closed(t));
    mw_start(t);
    CHECK_TEXT(read_diary(&d), "setup close setup ");
    CHECK_INT(mw_close(t), 0);
    CHECK(mw_is_closed(t));
    mw_tasklet_free(t);
}

static int fail_at_close(struct diary *d, mw_tasklet *self)
{
    (void)d;
    (void)self;
    return -EIO;
}

static int fail_at_first(mw_tasklet *self, void *scope)
{
    mw_value item;

    (void)scope;
    if (mw_receive(self, &item))
        mw_release(item);
    return -EIO;
}

static void a_result_returned_after_a_close_was_asked_for_is_no_failure(void)
{
    struct diary d = {.at_close = fail_at_close};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    mw_start(t);
    CHECK_INT(mw_close(t), 0);
    CHECK_INT(mw_tasklet_stats(t).failures, 0);
    CHECK_INT(mw_tasklet_stats(t).late_results, 1);
    mw_tasklet_free(t);
}

/* Of one that is to finish: a failure as long as it has not been told that no more comes. */
static void a_result_returned_before_the_end_was_told_is_a_failure(void)
{
    struct diary d = {.at_close = fail_at_close};
    int idle, with_last;

    for (idle = 0; idle < 2; idle++)
        for (with_last = 0; with_last < 2; with_last++) {
            mw_tasklet *t = mw_tasklet_new(with_last ? fail_at_first : writer, &d);

            if (idle)
                mw_start(t); /* so that it sits in its receive */
            CHECK_INT(mw_send(t, mw_int(1)), 0);
            if (!idle)
                CHECK_INT(mw_finish(t), 0);
            (void)mw_flush(t);
            if (idle && !with_last)
                CHECK_INT(mw_finish(t), 0);
            CHECK(mw_is_closed(t));
            CHECK_INT(mw_tasklet_stats(t).failures, with_last);
            CHECK_INT(mw_tasklet_stats(t).late_results, !with_last);
            mw_tasklet_free(t);
        }
}

/* A scope that owns another tasklet, as the blog's sinks are owned. */
static void free_tasklet(void *t)
{
    mw_tasklet_free(t);
}

static int pass_on(mw_tasklet *self, void *scope)
{
    mw_value item;

    while (mw_receive(self, &item))
        mw_pass(scope, item);
    return mw_pass(scope, mw_int(-1));
}

static void a_scope_may_own_the_target(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(NULL, NULL);

    mw_set(t, pass_on, (mw_scope){mw_tasklet_new(writer, &d), free_tasklet});
    send_ints(t, 1, 2);
    CHECK_INT(mw_flush(t), 2);
    mw_rescope(t, (mw_scope){mw_tasklet_new(writer, &d), free_tasklet});
    CHECK_TEXT(read_diary(&d), "setup 1 2 -1 close ");
    send_ints(t, 3, 3);
    CHECK_INT(mw_flush(t), 1);
    mw_tasklet_free(t);
    CHECK_TEXT(read_diary(&d), "setup 3 -1 close ");
}

static int released_count;
static void ask_while_released(void *data)
{
    mw_tasklet **t = data;

    released_count++;
    mw_send(*t, mw_int(1));
    mw_close(*t);
}

static void a_release_function_may_call_verbs_on_its_tasklet(void)
{
    struct diary d = {0};
    mw_tasklet *t = NULL;

    released_count = 0;
    t = mw_tasklet_open(writer, NULL, &(mw_tasklet_options){.size = sizeof(mw_tasklet_options), .scope = {&d, NULL}});
    CHECK_INT(mw_rescope(t, (mw_scope){&t, ask_while_released}), 0);
    CHECK_INT(mw_rescope(t, (mw_scope){&d, NULL}), 0);
    CHECK_INT(released_count, 1);
    CHECK(mw_is_closed(t));
    CHECK_INT(mw_tasklet_stats(t).queued_items, 1);
    mw_tasklet_free(t);
}

static void a_scope_given_to_a_call_that_fails_is_released(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, NULL);

    mw_memory_fail_at(1, true);
    CHECK_INT(mw_rescope(t, (mw_scope){&d, note_release}), -ENOMEM);
    CHECK_INT(mw_set(t, writer, (mw_scope){&d, note_release}), -ENOMEM);
    mw_memory_fail_at(0, false);
    CHECK_INT(mw_rescope(NULL, (mw_scope){&d, note_release}), -EINVAL);
    CHECK(mw_tasklet_open(writer, write_item,
                          &(mw_tasklet_options){.size = sizeof(mw_tasklet_options), .scope = {&d, note_release}}) == NULL);
    CHECK_TEXT(d.text, "release release release release ");
    mw_tasklet_free(t);
}

static void closing_restarting_and_freeing_need_no_memory(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    mw_start(t);
    mw_memory_fail_at(1, true);
    CHECK_INT(mw_close(t), 0);
    CHECK_INT(mw_restart(t, true), 0);
    CHECK_INT(mw_start(t), 0);
    mw_tasklet_free(t);
    mw_memory_fail_at(0, false);
    CHECK_TEXT(d.text, "setup close setup close ");
}

static void without_memory_for_a_stack_a_verb_says_so_and_the_tasklet_stays_as_it_was(void)
{
    struct diary d = {0};
    mw_tasklet *t;

    coroutine_pool_clear();
    t = mw_tasklet_new(writer, &d);
    send_ints(t, 1, 1);
    mw_memory_fail_at(1, true);
    CHECK_INT(mw_next(t), -ENOMEM);
    CHECK_INT(mw_start(t), -ENOMEM);
    mw_memory_fail_at(0, false);
    CHECK_TEXT(d.text, "");
    CHECK_INT(mw_next(t), 1);
    CHECK_TEXT(d.text, "setup 1 ");
    mw_tasklet_free(t);
}

static int note_close(mw_tasklet *self, void *scope)
{
    mw_value item;

    while (mw_receive(self, &item))
        mw_release(item);
    *(int *)scope += 1;
    return -EIO; /* nobody hears of it: it was being freed */
}

/* Nothing beside the tasklet to see to: the short road of a free. */
static void a_plain_coroutine_that_is_freed_runs_its_close_path_and_leaves_nothing(void)
{
    static const int queued[] = {0, 3};
    int64_t live_bytes = 0;
    int closed = 0, lives = 0, round;
    size_t row;

    fill_freed();
    for (round = 0; round < 3; round++) {
        for (row = 0; row < MW_COUNT(queued); row++) {
            mw_tasklet *t = mw_tasklet_new(note_close, &closed);
            int i;

            for (i = 0; i < queued[row]; i++)
                mw_send(t, mw_text("Too long a text to lie within a value."));
            CHECK_INT(mw_start(t), 0);
            if (round == 2)
                CHECK_INT(mw_close(t), 0);
            mw_tasklet_free(t);
            CHECK_INT(closed, ++lives);
        }
        if (round == 0) /* what is pooled from now on stays as it is */
            live_bytes = mw_memory_stats().live_bytes;
        CHECK(round == 2 || mw_memory_stats().live_bytes == live_bytes);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(close_runs_the_close_path_once_and_keeps_the_queue),
        TEST(closing_a_body_that_never_ran_runs_nothing),
        TEST(free_runs_the_close_path_and_then_releases_the_scope),
        TEST(a_scope_outlives_a_close_for_a_restart_needs_it),
        TEST(rescope_runs_old_close_path_then_release_then_the_new_body_and_keeps_the_queue),
        TEST(rescope_opens_a_closed_tasklet_again),
        TEST(restart_empties_the_queue_or_keeps_it_on_request),
        TEST(set_puts_a_new_body_and_scope_in_place_and_empties_the_queue),
        TEST(set_opens_a_closed_tasklet_again),
        TEST(finish_closes_when_the_queue_is_empty_and_takes_no_more_items),
        TEST(finish_with_an_empty_queue_closes_at_once),
        TEST(a_finished_tasklet_that_is_cleared_closes),
        TEST(close_from_inside_takes_effect_when_the_body_returns),
        TEST(restart_from_inside_opens_again_when_the_body_has_returned),
        TEST(rescope_from_inside_takes_effect_when_the_body_returns_and_the_last_one_counts),
        TEST(set_from_inside_takes_effect_when_the_body_returns),
        TEST(a_plain_coroutine_that_is_freed_runs_its_close_path_and_leaves_nothing),
        TEST(free_from_inside_takes_effect_when_the_body_returns),
        TEST(free_of_a_body_below_on_the_chain_waits_until_it_has_returned),
        TEST(closing_another_tasklet_from_inside_a_body_runs_its_close_path_at_once),
        TEST(a_close_path_may_ask_for_a_restart),
        TEST(a_result_returned_after_a_close_was_asked_for_is_no_failure),
        TEST(a_result_returned_before_the_end_was_told_is_a_failure),
        TEST(a_scope_may_own_the_target),
        TEST(a_release_function_may_call_verbs_on_its_tasklet),
        TEST(a_scope_given_to_a_call_that_fails_is_released),
        TEST(closing_restarting_and_freeing_need_no_memory),
        TEST(without_memory_for_a_stack_a_verb_says_so_and_the_tasklet_stays_as_it_was),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
