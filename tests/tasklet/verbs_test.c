/* The verbs that move items: one sentence of the contract, one test.
 * SPDX-License-Identifier: MIT */
#include "bodies.h"

#include "base/memory.h"
#include "tasklet/mesh.h"

static void a_send_queues_and_does_nothing_else(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    CHECK_INT(mw_send(t, mw_int(1)), 0);
    CHECK_TEXT(d.text, "");
    CHECK_INT(mw_tasklet_stats(t).queued_items, 1);
    mw_tasklet_free(t);
}

static void the_set_up_runs_once_at_the_first_verb(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    CHECK_INT(mw_next(t), 0);
    CHECK_TEXT(read_diary(&d), "setup ");
    send_ints(t, 1, 1);
    CHECK_INT(mw_next(t), 1);
    CHECK_TEXT(read_diary(&d), "1 ");
    mw_tasklet_free(t);
}

static void start_runs_the_set_up_at_once_and_only_once(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    send_ints(t, 1, 1);
    CHECK_INT(mw_start(t), 0);
    CHECK_TEXT(d.text, "setup ");
    CHECK_INT(mw_start(t), 0);
    CHECK_TEXT(d.text, "setup ");
    CHECK_INT(mw_tasklet_stats(t).queued_items, 1);
    mw_close(t);
    CHECK_INT(mw_start(t), -EPIPE);
    mw_tasklet_free(t);
}

static void next_processes_the_first_item(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {0};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});

        mw_start(t);
        read_diary(&d);
        send_ints(t, 1, 3);
        CHECK_INT(mw_next(t), 1);
        CHECK_TEXT(read_diary(&d), "1 ");
        CHECK_INT(mw_next(t), 1);
        CHECK_INT(mw_next(t), 1);
        CHECK_TEXT(read_diary(&d), "2 3 ");
        CHECK_INT(mw_next(t), 0);
        CHECK_INT(mw_tasklet_stats(t).processed, 3);
        mw_tasklet_free(t);
    }
}

static void last_processes_the_last_item(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {0};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});

        mw_start(t);
        read_diary(&d);
        send_ints(t, 8, 10);
        CHECK_INT(mw_last(t), 1);
        CHECK_INT(mw_next(t), 1);
        CHECK_INT(mw_last(t), 1);
        CHECK_TEXT(read_diary(&d), "10 8 9 ");
        CHECK_INT(mw_last(t), 0);
        mw_tasklet_free(t);
    }
}

static void next_item_gives_out_what_was_processed(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {0};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});
        mw_value item = mw_int(-1);

        mw_send(t, mw_text("a text that is too long for the value itself"));
        CHECK_INT(mw_next_item(t, &item), 1);
        CHECK_TEXT(mw_get_text(&item, NULL), "a text that is too long for the value itself");
        mw_release(item);
        item = mw_int(-1);
        CHECK_INT(mw_next_item(t, &item), 0);
        CHECK_INT(item.as.integer, -1);
        mw_tasklet_free(t);
    }
}

static int send_next_number(struct diary *d, mw_tasklet *self, mw_value item)
{
    if (item.as.integer < 3)
        keep(d, mw_send(self, mw_int(item.as.integer + 1)));
    return 0;
}

static void flush_processes_all_what_arrives_meanwhile_included(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {.inside = send_next_number};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});

        mw_start(t);
        read_diary(&d);
        send_ints(t, 0, 1);
        CHECK_INT(mw_flush(t), 7);
        CHECK_TEXT(read_diary(&d), "0 1 1 2 2 3 3 ");
        CHECK_INT(mw_flush(t), 0);
        mw_tasklet_free(t);
    }
}

static void clear_drops_what_is_queued_and_counts_it(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    send_ints(t, 1, 20);
    mw_send(t, mw_text("a text that is too long for the value itself"));
    CHECK_INT(mw_clear(t), 21);
    CHECK_INT(mw_clear(t), 0);
    CHECK_INT(mw_flush(t), 0);
    CHECK_TEXT(d.text, "setup ");
    CHECK_INT(mw_tasklet_stats(t).dropped, 21);
    mw_tasklet_free(t);
}

static void pass_hands_over_now_ahead_of_the_queue(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {0};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});

        mw_start(t);
        read_diary(&d);
        send_ints(t, 1, 1);
        CHECK_INT(mw_pass(t, mw_int(2)), 0);
        CHECK_TEXT(read_diary(&d), "2 ");
        CHECK_INT(mw_flush(t), 1);
        CHECK_TEXT(read_diary(&d), "1 ");
        mw_close(t);
        CHECK_INT(mw_pass(t, mw_text("a text that is too long for the value itself")), -EPIPE);
        mw_tasklet_free(t);
    }
}

static void pass_to_a_body_that_never_ran_runs_its_set_up_first(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    CHECK_INT(mw_pass(t, mw_int(7)), 0);
    CHECK_TEXT(d.text, "setup 7 ");
    mw_tasklet_free(t);
}

static int return_at_once(mw_tasklet *self, void *scope)
{
    (void)self;
    return *(int *)scope;
}

static void a_body_that_returns_closes_its_tasklet_and_keeps_its_queue(void)
{
    int result = 0;
    mw_tasklet *t = mw_tasklet_new(return_at_once, &result);

    send_ints(t, 1, 2);
    CHECK_INT(mw_next(t), 0);
    CHECK(mw_is_closed(t));
    CHECK_INT(mw_tasklet_stats(t).queued_items, 2);
    CHECK_INT(mw_tasklet_stats(t).failures, 0);
    CHECK_INT(mw_pass(t, mw_int(1)), -EPIPE);
    mw_tasklet_free(t);
}

static void a_set_up_that_fails_is_what_the_verb_returns(void)
{
    int result = -EIO;
    mw_tasklet *t = mw_tasklet_new(return_at_once, &result);

    CHECK_INT(mw_pass(t, mw_text("a text that is too long for the value itself")), -EIO);
    CHECK(mw_is_closed(t));
    CHECK_INT(mw_tasklet_stats(t).failures, 1);
    CHECK_INT(mw_restart(t, true), 0);
    CHECK_INT(mw_start(t), -EIO);
    CHECK_INT(mw_restart(t, true), 0);
    CHECK_INT(mw_flush(t), -EIO);
    CHECK_INT(mw_tasklet_stats(t).failures, 3);
    mw_tasklet_free(t);
}

static int fail_at_two(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)d;
    (void)self;
    return item.as.integer == 2 ? -1 : 0;
}

static void a_body_that_fails_closes_its_tasklet_and_keeps_the_rest_of_its_queue(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {.inside = fail_at_two, .result = -EIO};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});

        mw_start(t);
        read_diary(&d);
        send_ints(t, 1, 4);
        CHECK_INT(mw_flush(t), -EIO);
        CHECK_TEXT(read_diary(&d), is_handler ? "1 2 close " : "1 2 ");
        CHECK(mw_is_closed(t));
        CHECK_INT(mw_tasklet_stats(t).queued_items, 2);
        CHECK_INT(mw_tasklet_stats(t).failures, 1);
        CHECK_INT(mw_next(t), 0);
        mw_tasklet_free(t);
    }
}

static void next_on_a_closed_tasklet_does_nothing_and_loses_nothing(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    send_ints(t, 1, 1);
    mw_close(t);
    CHECK_INT(mw_next(t), 0);
    CHECK_INT(mw_last(t), 0);
    CHECK_INT(mw_flush(t), 0);
    CHECK_INT(mw_send(t, mw_int(2)), 0);
    CHECK_INT(mw_tasklet_stats(t).queued_items, 2);
    mw_restart(t, true);
    CHECK_INT(mw_flush(t), 2);
    CHECK_TEXT(d.text, "setup 1 2 ");
    mw_tasklet_free(t);
}

/* ---- the null tasklet ----------------------------------------------------------------------------- */
static void the_null_tasklet_swallows_all_and_counts_it(void)
{
    mw_tasklet *t = mw_tasklet_new(NULL, NULL);
    mw_value item = mw_text("a text that is too long for the value itself");
    int i;

    for (i = 0; i < 5000; i++)
        CHECK_INT(mw_send(t, mw_int(i)), 0);
    CHECK_INT(mw_pass(t, mw_share(item)), 0);
    CHECK_INT(mw_offer(t, &item), 0);
    CHECK_INT(mw_kind_of(item), MW_NULL);
    CHECK_INT(mw_next(t), 0);
    CHECK_INT(mw_last(t), 0);
    CHECK_INT(mw_flush(t), 0);
    CHECK_INT(mw_clear(t), 0);
    CHECK_INT(mw_start(t), 0);
    CHECK_INT(mw_tasklet_stats(t).swallowed, 5002);
    CHECK_INT(mw_tasklet_stats(t).processed, 0);
    CHECK_TEXT(mw_tasklet_name(t), "null");
    CHECK(!mw_is_closed(t));
    CHECK_INT(mw_close(t), 0);
    CHECK(mw_is_closed(t));
    CHECK_INT(mw_restart(t, false), 0);
    CHECK(!mw_is_closed(t));
    mw_tasklet_free(t);
}

/* ---- inside a body ------------------------------------------------------------------------------------ */
static int call_verbs_on_self(struct diary *d, mw_tasklet *self, mw_value item)
{
    mw_value got;

    (void)item;
    keep(d, mw_next(self));
    keep(d, mw_last(self));
    keep(d, mw_flush(self));
    keep(d, mw_pass(self, mw_int(9)));
    keep(d, mw_next_item(self, &got));
    return 0;
}

static void a_verb_on_a_running_body_is_busy_and_takes_nothing_off_the_queue(void)
{
    int is_handler, i;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {.inside = call_verbs_on_self};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});

        send_ints(t, 1, 2);
        CHECK_INT(mw_next(t), 1);
        CHECK_INT(d.result_count, 5);
        for (i = 0; i < 5; i++)
            CHECK_INT(d.results[i], -EBUSY);
        CHECK_INT(mw_tasklet_stats(t).queued_items, 1);
        mw_tasklet_free(t);
    }
}

static int call_verbs_on_other(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)self;
    keep(d, mw_send(d->other, mw_share(item)));
    keep(d, mw_next(d->other));
    keep(d, mw_pass(d->other, mw_int(100)));
    keep(d, mw_send(d->other, mw_int(200)));
    keep(d, mw_send(d->other, mw_int(300)));
    keep(d, mw_flush(d->other));
    return 0;
}

static void verbs_work_on_another_tasklet_from_inside_a_body(void)
{
    int kinds;

    for (kinds = 0; kinds < 4; kinds++) {
        struct diary inner = {0}, outer = {.inside = call_verbs_on_other};
        mw_tasklet *a = open_writer(&outer, kinds & 1, (mw_tasklet_options){0});
        mw_tasklet *b = open_writer(&inner, kinds & 2, (mw_tasklet_options){0});

        mw_start(a);
        mw_start(b);
        read_diary(&inner);
        outer.other = b;
        send_ints(a, 1, 2);
        CHECK_INT(mw_flush(a), 2);
        CHECK_TEXT(read_diary(&inner), "1 100 200 300 2 100 200 300 ");
        CHECK_INT(outer.results[1], 1);
        CHECK_INT(outer.results[5], 2);
        mw_tasklet_free(a);
        mw_tasklet_free(b);
    }
}

static int call_the_one_below(struct diary *d, mw_tasklet *self, mw_value item)
{
    mw_value got;

    (void)self;
    (void)item;
    keep(d, mw_next(d->other));
    keep(d, mw_close(d->other));
    keep(d, mw_restart(d->other, true));
    keep(d, mw_set(d->other, writer, (mw_scope){.data = d, .release = note_release}));
    keep(d, mw_receive(d->other, &got)); /* not its own body */
    return 0;
}

static void a_verb_on_a_body_below_on_the_chain_is_busy_too(void)
{
    struct diary below = {.inside = call_verbs_on_other}, above = {.inside = call_the_one_below};
    mw_tasklet *a = mw_tasklet_new(writer, &below), *b = mw_tasklet_new(writer, &above);

    below.other = b;
    above.other = a;
    send_ints(a, 1, 5);
    CHECK_INT(mw_next(a), 1);
    CHECK_INT(above.results[0], -EBUSY);
    CHECK_INT(above.results[1], -EBUSY);
    CHECK_INT(above.results[2], -EBUSY);
    CHECK_INT(above.results[3], -EBUSY);
    CHECK_INT(above.results[4], false);
    CHECK(strstr(above.text, "release") != NULL); /* a scope given to a call that fails is released */
    CHECK_INT(mw_tasklet_stats(a).queued_items, 4);
    CHECK(!mw_is_closed(a));
    mw_tasklet_free(a);
    mw_tasklet_free(b);
}

static void what_runs_on_top_leaves_the_items_of_a_flushed_body_below_alone(void)
{
    struct diary below = {.inside = call_verbs_on_other}, above = {.inside = call_the_one_below};
    mw_tasklet *a = mw_tasklet_new(writer, &below), *b = mw_tasklet_new(writer, &above);

    below.other = b;
    above.other = a;
    send_ints(a, 1, 3);
    CHECK_INT(mw_flush(a), 3);
    CHECK_TEXT(read_diary(&below), "setup 1 2 3 ");
    mw_tasklet_free(a);
    mw_tasklet_free(b);
}

static int take_all(struct diary *d, mw_tasklet *self, mw_value item)
{
    mw_value more;

    (void)item;
    while (mw_take(self, &more)) {
        note(d, "took-");
        note_item(d, more);
        mw_release(more);
    }
    return 0;
}

static void take_drains_without_waiting(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {.inside = take_all};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});
        mw_value item;

        mw_start(t);
        read_diary(&d);
        send_ints(t, 1, 3);
        CHECK_INT(mw_next(t), 1);
        CHECK_TEXT(read_diary(&d), "1 took-2 took-3 ");
        CHECK(!mw_take(t, &item));
        CHECK_INT(mw_tasklet_stats(t).processed, 3);
        mw_tasklet_free(t);
    }
}

static int take_at_close(struct diary *d, mw_tasklet *self)
{
    return take_all(d, self, mw_null());
}

static void take_drains_in_a_close_path(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct diary d = {.at_close = take_at_close};
        mw_tasklet *t = open_writer(&d, is_handler, (mw_tasklet_options){0});

        send_ints(t, 1, 1);
        mw_flush(t);
        read_diary(&d);
        send_ints(t, 2, 3);
        mw_close(t);
        CHECK_TEXT(read_diary(&d), "close took-2 took-3 ");
        mw_tasklet_free(t);
    }
}

static void receive_outside_its_own_body_answers_false(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);
    mw_value item = mw_int(5);

    send_ints(t, 1, 1);
    CHECK(!mw_receive(t, &item));
    mw_start(t);
    CHECK(!mw_receive(t, &item));
    CHECK(!mw_receive(NULL, &item));
    CHECK_INT(item.as.integer, 5);
    CHECK_INT(mw_tasklet_stats(t).queued_items, 1);
    mw_tasklet_free(t);
}

/* ---- names, options, bad input ------------------------------------------------------------------------- */
static void a_tasklet_is_named_after_its_function_unless_told_otherwise(void)
{
    mw_tasklet *t = mw_tasklet_new(writer, NULL), *h = mw_handler_new(write_item, NULL);
    mw_tasklet *nameless = mw_tasklet_open(NULL, write_item, NULL);
    mw_tasklet *placed = mw_tasklet_open(
        writer, NULL, &(mw_tasklet_options){.size = sizeof(mw_tasklet_options), .file = "/x/mesh.c", .line = 12});

    CHECK_TEXT(mw_tasklet_name(t), "writer");
    CHECK_TEXT(mw_tasklet_name(h), "write_item");
    CHECK_TEXT(mw_tasklet_name(placed), "mesh.c:12");
    CHECK(mw_tasklet_name(nameless)[0] != '\0');
    CHECK_INT(mw_set_handler(t, write_item, (mw_scope){0}), 0);
    CHECK_TEXT(mw_tasklet_name(t), "write_item");
    CHECK_INT(mw_tasklet_set_name(t, "echoer_world"), 0);
    CHECK_INT(mw_set(t, writer, (mw_scope){0}), 0);
    CHECK_TEXT(mw_tasklet_name(t), "echoer_world");
    CHECK_INT(mw_tasklet_set_name(t, NULL), -EINVAL);
    mw_tasklet_free(t);
    mw_tasklet_free(h);
    mw_tasklet_free(nameless);
    mw_tasklet_free(placed);
}

static void wrong_options_make_no_tasklet(void)
{
    static const struct {
        const char *said;
        mw_tasklet_options options;
    } cases[] = {
        {"open tasklet '': its options have no size that is known: write .size = sizeof(mw_tasklet_options)", {.size = 0}},
        {"no size that is known", {.size = sizeof(mw_tasklet_options) + 1}}, /* of a header to come */
        {"open tasklet 'many': .mailbox_items is beyond 2^24", {.name = "many", .size = sizeof(mw_tasklet_options), .mailbox_items = (1u << 24) + 1}},
        {".stack_bytes is neither within 4 KiB to 8 MiB", {.size = sizeof(mw_tasklet_options), .stack_bytes = 4095}},
        {".stack_bytes is neither within 4 KiB to 8 MiB", {.size = sizeof(mw_tasklet_options), .stack_bytes = (8u << 20) + 1}},
        {".overflow is no mw_overflow", {.size = sizeof(mw_tasklet_options), .overflow = (enum mw_overflow)17}},
    };
    const struct mw_error *error = &mesh_here()->last_error; /* what mw_scheduler_last_error shows */
    size_t i;

    for (i = 0; i < MW_COUNT(cases); i++) {
        CHECK(mw_tasklet_open(writer, NULL, &cases[i].options) == NULL);
        CHECK_INT(error->code, -EINVAL);
        CHECK(strstr(error->text, cases[i].said) != NULL);
    }
    CHECK(mw_tasklet_open(writer, write_item, NULL) == NULL);
    CHECK(strstr(error->text, "a body and a handler") != NULL);
}

static void null_is_refused_by_every_verb(void)
{
    mw_value item = mw_text("a text that is too long for the value itself");

    CHECK_INT(mw_send(NULL, mw_share(item)), -EINVAL);
    CHECK_INT(mw_pass(NULL, mw_share(item)), -EINVAL);
    CHECK_INT(mw_offer(NULL, &item), -EINVAL);
    CHECK_INT(mw_start(NULL), -EINVAL);
    CHECK_INT(mw_next(NULL), -EINVAL);
    CHECK_INT(mw_last(NULL), -EINVAL);
    CHECK_INT(mw_flush(NULL), -EINVAL);
    CHECK_INT(mw_clear(NULL), -EINVAL);
    CHECK_INT(mw_close(NULL), -EINVAL);
    CHECK_INT(mw_finish(NULL), -EINVAL);
    CHECK_INT(mw_restart(NULL, false), -EINVAL);
    CHECK_INT(mw_rescope(NULL, (mw_scope){0}), -EINVAL);
    CHECK_INT(mw_set(NULL, writer, (mw_scope){0}), -EINVAL);
    CHECK(!mw_take(NULL, &item));
    CHECK(mw_is_closed(NULL));
    CHECK(mw_tasklet_scope(NULL) == NULL);
    CHECK_INT(mw_tasklet_stats(NULL).queued_items, 0);
    mw_tasklet_free(NULL);
    mw_release(item);
}

static void a_value_that_could_not_be_made_is_out_of_memory(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);
    mw_value missing = mw_null();

    missing.kind = MW_MISSING;
    CHECK_INT(mw_send(t, missing), -ENOMEM);
    CHECK_INT(mw_offer(t, &missing), -ENOMEM);
    CHECK_INT(mw_pass(t, missing), -ENOMEM);
    CHECK_INT(mw_tasklet_stats(t).queued_items, 0);
    mw_tasklet_free(t);
}

/* ---- memory -------------------------------------------------------------------------------------------- */
static int hand_on(mw_tasklet *self, void *scope)
{
    mw_tasklet **target = scope;
    mw_value item;

    while (mw_receive(self, &item))
        mw_send(*target, item);
    return 0;
}

static int swallow_item(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    *(int64_t *)scope += item.as.integer;
    return 0;
}

static void nothing_is_allocated_per_item_once_warm(void)
{
    int64_t sum = 0, warm = 0;
    mw_tasklet *sink = mw_handler_new(swallow_item, &sum);
    mw_tasklet *t = mw_tasklet_new(hand_on, &sink);
    int round, i;

    for (round = 0; round < 50; round++) {
        for (i = 0; i < 1000; i++)
            mw_send(t, mw_int(i));
        CHECK_INT(mw_flush(t), 1000);
        CHECK_INT(mw_flush(sink), 1000);
        if (round == 0)
            warm = mw_memory_stats().allocations;
    }
    CHECK_INT(mw_memory_stats().allocations, warm);
    CHECK_INT(sum, 50 * 499500);
    mw_tasklet_free(t);
    mw_tasklet_free(sink);
}

static void one_queued_item_needs_no_memory_at_all(void)
{
    int64_t sum = 0, before;
    mw_tasklet *t = mw_handler_new(swallow_item, &sum);

    before = mw_memory_stats().allocations;
    mw_send(t, mw_int(4));
    mw_next(t);
    CHECK_INT(mw_memory_stats().allocations, before);
    CHECK_INT(sum, 4);
    mw_tasklet_free(t);
}

/* The whole life of two tasklets, with every allocation failing in turn. */
static void live_and_die(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_open(
        writer, NULL, &(mw_tasklet_options){.size = sizeof(mw_tasklet_options), .name = "x", .scope = {&d, NULL}});
    mw_tasklet *sink = t ? mw_tasklet_new(writer, &d) : NULL;
    int i;

    if (sink) {
        for (i = 0; i < 40; i++)
            mw_send(t, mw_format("a text that is too long for the value itself: {}", mw_int(i)));
        mw_flush(t);
        mw_rescope(t, (mw_scope){&d, NULL});
        mw_tasklet_set_name(t, "y");
        mw_send(t, mw_int(1));
        mw_start(sink);
        mw_next(t);
        mw_set_handler(t, write_item, (mw_scope){&d, NULL});
        mw_clear(t);
    }
    mw_tasklet_free(t);
    mw_tasklet_free(sink);
}

static void every_failing_allocation_leaves_whole_objects_and_no_leak(void)
{
    int64_t n, made, before;

    fill_freed();
    live_and_die(); /* warm: what the mesh and the stack pool keep */
    mw_memory_fail_at(0, false);
    live_and_die();
    made = mw_memory_fail_at(0, false);
    before = mw_memory_stats().live_blocks;
    for (n = 1; n <= made; n++) {
        mw_memory_fail_at(n, n % 2 == 0);
        live_and_die();
        mw_memory_fail_at(0, false);
        live_and_die(); /* what the mesh pools is there again */
        CHECK(mw_memory_stats().live_blocks <= before + 8);
    }
    CHECK(made > 10);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_send_queues_and_does_nothing_else),
        TEST(the_set_up_runs_once_at_the_first_verb),
        TEST(start_runs_the_set_up_at_once_and_only_once),
        TEST(next_processes_the_first_item),
        TEST(last_processes_the_last_item),
        TEST(next_item_gives_out_what_was_processed),
        TEST(flush_processes_all_what_arrives_meanwhile_included),
        TEST(clear_drops_what_is_queued_and_counts_it),
        TEST(pass_hands_over_now_ahead_of_the_queue),
        TEST(pass_to_a_body_that_never_ran_runs_its_set_up_first),
        TEST(a_body_that_returns_closes_its_tasklet_and_keeps_its_queue),
        TEST(a_set_up_that_fails_is_what_the_verb_returns),
        TEST(a_body_that_fails_closes_its_tasklet_and_keeps_the_rest_of_its_queue),
        TEST(next_on_a_closed_tasklet_does_nothing_and_loses_nothing),
        TEST(the_null_tasklet_swallows_all_and_counts_it),
        TEST(a_verb_on_a_running_body_is_busy_and_takes_nothing_off_the_queue),
        TEST(verbs_work_on_another_tasklet_from_inside_a_body),
        TEST(a_verb_on_a_body_below_on_the_chain_is_busy_too),
        TEST(what_runs_on_top_leaves_the_items_of_a_flushed_body_below_alone),
        TEST(take_drains_without_waiting),
        TEST(take_drains_in_a_close_path),
        TEST(receive_outside_its_own_body_answers_false),
        TEST(a_tasklet_is_named_after_its_function_unless_told_otherwise),
        TEST(wrong_options_make_no_tasklet),
        TEST(null_is_refused_by_every_verb),
        TEST(a_value_that_could_not_be_made_is_out_of_memory),
        TEST(nothing_is_allocated_per_item_once_warm),
        TEST(one_queued_item_needs_no_memory_at_all),
        TEST(every_failing_allocation_leaves_whole_objects_and_no_leak),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
