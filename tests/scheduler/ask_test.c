/* Asking and answering: by coroutines that wait, by message, late, never, and by those who go away meanwhile.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include "base/memory.h"

/* One that asks for each item it gets, and notes what comes of it. */
struct asker {
    struct diary d;
    mw_tasklet *callee;
    int64_t deadline_ns;
};

static int ask_each(mw_tasklet *self, void *scope)
{
    struct asker *a = scope;
    mw_value item, answer = mw_null();

    while (mw_receive(self, &item)) {
        int err = mw_ask(a->callee, item, a->deadline_ns, &answer);

        keep(&a->d, err);
        if (err < 0)
            note(&a->d, "!%d ", err);
        else
            note_item(&a->d, answer);
        if (err == 0)
            mw_release(answer);
    }
    return 0;
}

enum manner { ANSWERS, ANSWERS_TWICE, FORGETS, KEEPS, FAILS, CLOSES, RESTARTS };

struct callee {
    enum manner manner;
    int results[4], count;
    mw_question *kept;
};

static int be_asked(struct callee *c, mw_tasklet *self, mw_value item)
{
    switch (c->manner) {
    case ANSWERS:
        (void)mw_answer(self, mw_int(item.as.integer * 10));
        return 0;
    case ANSWERS_TWICE:
        c->results[0] = mw_answer(self, mw_int(item.as.integer * 10));
        c->results[1] = mw_answer(self, mw_int(7));
        return 0;
    case FORGETS:
        return 0;
    case KEEPS:
        mw_question_drop(c->kept);
        c->kept = mw_question_keep(self);
        c->results[0] = mw_answer(self, mw_int(7)); /* no longer in its hand */
        return 0;
    case FAILS:
        return -EIO;
    case CLOSES:
        return mw_close(self);
    case RESTARTS:
        return mw_restart(self, true);
    }
    return 0;
}

static int callee_handler(mw_tasklet *self, void *scope, mw_value item)
{
    return be_asked(scope, self, item);
}

static int callee_body(mw_tasklet *self, void *scope)
{
    mw_value item;
    int err;

    while (mw_receive(self, &item))
        if ((err = be_asked(scope, self, item)) < 0)
            return err;
    return 0;
}

static const struct {
    enum manner manner;
    const char *want;
} rows[] = {
    {ANSWERS, "10 20 30 "},        {ANSWERS_TWICE, "10 20 30 "},
    {FORGETS, "!-61 !-61 !-61 "},  {FAILS, "!-32 !-32 !-32 "},
    {CLOSES, "!-32 !-32 !-32 "},   {RESTARTS, "!-32 !-32 !-32 "},
};

static void an_answer_comes_back_or_the_reason_why_there_is_none(void)
{
    size_t i;
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        for (i = 0; i < MW_COUNT(rows); i++) {
            struct mesh m = open_mesh();
            struct callee c = {.manner = rows[i].manner};
            struct asker a = {.callee = is_handler ? mw_handler_new(callee_handler, &c) : mw_tasklet_new(callee_body, &c),
                              .deadline_ns = MW_FOREVER};
            mw_tasklet *t = mw_tasklet_new(ask_each, &a);

            send_ints(t, 1, 3);
            CHECK(mw_scheduler_run(m.s) >= 3);
            CHECK_TEXT(read_diary(&a.d), rows[i].want);
            if (c.manner == ANSWERS_TWICE) {
                CHECK_INT(c.results[0], 0);
                CHECK_INT(c.results[1], -ENOENT);
            }
            close_mesh(&m);
        }
    }
}

static void to_who_is_asked_it_is_an_item_like_any_other(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct asker a = {.callee = open_writer(&d, false, (mw_tasklet_options){0}), .deadline_ns = MW_FOREVER};
    mw_tasklet *t = mw_tasklet_new(ask_each, &a);

    CHECK_INT(mw_send(t, mw_text("a text that is longer than what fits inside")), 0);
    CHECK(mw_scheduler_run(m.s) > 0);
    CHECK_TEXT(read_diary(&d), "setup a text that is longer than what fits inside ");
    CHECK_INT(mw_tasklet_stats(a.callee).processed, 1);
    close_mesh(&m);
}

static void a_kept_question_is_answered_later(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct mesh m = open_mesh();
        struct callee c = {.manner = KEEPS};
        struct asker a = {.callee = is_handler ? mw_handler_new(callee_handler, &c) : mw_tasklet_new(callee_body, &c),
                          .deadline_ns = MW_FOREVER};
        mw_tasklet *t = mw_tasklet_new(ask_each, &a);

        send_ints(t, 1, 1);
        CHECK(mw_scheduler_run(m.s) > 0);
        CHECK_TEXT(read_diary(&a.d), "");
        CHECK_INT(c.results[0], -ENOENT);
        CHECK(c.kept != NULL);
        CHECK_INT(mw_question_answer(c.kept, mw_text("late")), 0);
        c.kept = NULL;
        CHECK(mw_scheduler_run(m.s) >= 0);
        CHECK_TEXT(read_diary(&a.d), "late ");
        send_ints(t, 2, 2);
        CHECK(mw_scheduler_run(m.s) > 0);
        mw_question_drop(c.kept);
        c.kept = NULL;
        CHECK(mw_scheduler_run(m.s) >= 0);
        CHECK_TEXT(read_diary(&a.d), "!-61 ");
        close_mesh(&m);
    }
}

static void an_answer_that_nobody_waits_for_is_said_to_be(void)
{
    struct mesh m = open_mesh();
    struct callee c = {.manner = KEEPS};
    struct asker a = {.callee = mw_handler_new(callee_handler, &c), .deadline_ns = MW_FOREVER};
    mw_tasklet *t = mw_tasklet_new(ask_each, &a);

    send_ints(t, 1, 1);
    CHECK(mw_scheduler_run(m.s) > 0);
    CHECK_INT(mw_close(t), 0);
    CHECK_INT(a.d.results[0], -ECANCELED);
    CHECK_INT(mw_question_answer(c.kept, mw_text("a text that is longer than what fits inside")), -EPIPE);
    CHECK_INT(mw_answer(a.callee, mw_int(1)), -ENOENT);
    CHECK_INT(mw_answer(NULL, mw_int(1)), -EINVAL);
    CHECK_INT(mw_question_answer(NULL, mw_int(1)), -EINVAL);
    CHECK(mw_question_keep(a.callee) == NULL);
    mw_question_drop(NULL);
    close_mesh(&m);
}

static int64_t read_time(void *context)
{
    return *(int64_t *)context;
}

static void a_deadline_ends_the_wait(void)
{
    struct mesh m = open_mesh();
    struct callee c = {.manner = KEEPS};
    struct asker a = {.callee = mw_handler_new(callee_handler, &c), .deadline_ns = 2000};
    mw_tasklet *t = mw_tasklet_new(ask_each, &a);
    int64_t now_ns = 1000;

    CHECK_INT(mw_scheduler_set_clock(m.s, read_time, &now_ns), 0);
    send_ints(t, 1, 1);
    CHECK(mw_scheduler_run(m.s) > 0);
    CHECK_INT(mw_scheduler_deadline(m.s), 2000);
    now_ns = 2000;
    CHECK(mw_scheduler_run(m.s) >= 0);
    CHECK_INT(a.d.results[0], -ETIMEDOUT);
    CHECK_INT(mw_question_answer(c.kept, mw_int(1)), -EPIPE);
    c.kept = NULL;
    c.manner = ANSWERS;
    a.deadline_ns = 3000;
    send_ints(t, 2, 2);
    CHECK(mw_scheduler_run(m.s) > 0);
    CHECK_INT(a.d.results[1], 0);
    CHECK_INT(mw_scheduler_deadline(m.s), MW_FOREVER); /* answered: it is no longer due */
    close_mesh(&m);
}

static void those_in_the_queue_of_one_that_closes_get_no_answer_and_stay_items(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct asker a = {.callee = open_writer(&d, true, (mw_tasklet_options){0}), .deadline_ns = MW_FOREVER};
    mw_tasklet *t = mw_tasklet_new(ask_each, &a);

    CHECK_INT(mw_start(t), 0);
    send_ints(t, 1, 1);
    CHECK_INT(mw_next(t), 1); /* it has asked */
    CHECK_INT(mw_tasklet_stats(a.callee).queued_items, 1);
    CHECK_INT(mw_close(a.callee), 0);
    CHECK(mw_scheduler_run(m.s) >= 0);
    CHECK_INT(a.d.results[0], -EPIPE);
    CHECK_INT(mw_tasklet_stats(a.callee).queued_items, 1);
    CHECK_INT(mw_restart(a.callee, true), 0);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(read_diary(&d), "1 ");
    close_mesh(&m);
}

static void a_cleared_or_freed_queue_answers_by_an_error(void)
{
    int is_freed;

    for (is_freed = 0; is_freed < 2; is_freed++) {
        struct mesh m = open_mesh();
        struct callee c = {.manner = ANSWERS};
        struct asker a = {.callee = mw_handler_new(callee_handler, &c), .deadline_ns = MW_FOREVER};
        mw_tasklet *t = mw_tasklet_new(ask_each, &a);

        send_ints(t, 1, 1);
        CHECK_INT(mw_next(t), 1);
        if (is_freed)
            mw_tasklet_free(a.callee);
        else
            CHECK_INT(mw_clear(a.callee), 1);
        CHECK(mw_scheduler_run(m.s) >= 0);
        CHECK_INT(a.d.results[0], -EPIPE);
        close_mesh(&m);
    }
}

static void what_cannot_be_asked_is_refused(void)
{
    struct mesh m = open_mesh();
    struct callee c = {.manner = ANSWERS};
    mw_tasklet *closed = mw_handler_new(callee_handler, &c), *targets[3];
    static const int want[] = {-EPIPE, -EPIPE, -EINVAL};
    mw_value answer;
    size_t i;

    CHECK_INT(mw_close(closed), 0);
    targets[0] = closed;
    targets[1] = mw_tasklet_new(NULL, NULL);
    targets[2] = NULL;
    for (i = 0; i < MW_COUNT(targets); i++) {
        struct asker a = {.callee = targets[i], .deadline_ns = MW_FOREVER};
        mw_tasklet *t = mw_tasklet_new(ask_each, &a);

        CHECK_INT(mw_send(t, mw_text("a text that is longer than what fits inside")), 0);
        CHECK(mw_scheduler_run(m.s) > 0);
        CHECK_INT(a.d.results[0], want[i]);
        mw_tasklet_free(t);
    }
    CHECK_INT(mw_ask(closed, mw_int(1), MW_FOREVER, &answer), -EINVAL); /* outside any body */
    close_mesh(&m);
}

static int ask_itself(mw_tasklet *self, void *scope)
{
    mw_value answer;

    keep(scope, mw_ask(self, mw_int(1), MW_FOREVER, &answer));
    keep(scope, mw_ask(self, mw_int(1), MW_FOREVER, NULL));
    return 0;
}

static int ask_in_a_handler(mw_tasklet *self, void *scope, mw_value item)
{
    mw_value answer;

    (void)self;
    keep(scope, mw_ask(((struct diary *)scope)->other, item, MW_FOREVER, &answer));
    return 0;
}

static void nobody_asks_itself_and_no_handler_waits(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct callee c = {.manner = ANSWERS};

    (void)!mw_tasklet_new(ask_itself, &d);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    d.other = mw_handler_new(callee_handler, &c);
    send_ints(mw_handler_new(ask_in_a_handler, &d), 1, 1);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_INT(d.results[0], -EDEADLK);
    CHECK_INT(d.results[1], -EINVAL);
    CHECK_INT(d.results[2], -ENOTSUP);
    close_mesh(&m);
}

static void who_asks_may_have_to_wait_for_room_first(void)
{
    struct mesh m = open_mesh();
    struct callee c = {.manner = ANSWERS};
    mw_tasklet_options narrow = {.size = sizeof(narrow), .mailbox_items = 1, .scope = {.data = &c}};
    struct asker a[4];
    mw_tasklet *callee = mw_tasklet_open(NULL, callee_handler, &narrow);
    int i;

    for (i = 0; i < 4; i++) {
        mw_tasklet *t;

        a[i] = (struct asker){.callee = callee, .deadline_ns = MW_FOREVER};
        t = mw_tasklet_new(ask_each, &a[i]);
        send_ints(t, i, i);
    }
    CHECK(mw_scheduler_run(m.s) > 0);
    for (i = 0; i < 4; i++)
        CHECK_INT(a[i].d.results[0], 0);
    close_mesh(&m);
}

/* ---- by message ------------------------------------------------------------------------------------------ */
static int note_json(mw_tasklet *self, void *scope, mw_value item)
{
    return write_item(self, scope, item);
}

static void by_message_the_answer_is_an_item(void)
{
    static const struct {
        enum manner manner;
        const char *want;
    } answers[] = {{ANSWERS, "{\"id\":1,\"answer\":50} "}, {FORGETS, "{\"id\":1,\"error\":-61} "}, {FAILS, "{\"id\":1,\"error\":-32} "}};
    size_t i;

    for (i = 0; i < MW_COUNT(answers); i++) {
        struct mesh m = open_mesh();
        struct diary d = {0};
        struct callee c = {.manner = answers[i].manner};
        mw_tasklet *callee = mw_handler_new(callee_handler, &c), *told = mw_handler_new(note_json, &d);

        CHECK_INT(mw_ask_to(callee, mw_int(5), MW_FOREVER, told), 1);
        CHECK_INT(mw_scheduler_run(m.s), 2);
        CHECK_TEXT(read_diary(&d), answers[i].want);
        close_mesh(&m);
    }
}

static void by_message_a_deadline_is_told_and_a_late_answer_is_not(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct callee c = {.manner = KEEPS};
    mw_tasklet *callee = mw_handler_new(callee_handler, &c), *told = mw_handler_new(note_json, &d);
    int64_t now_ns = 1000;

    CHECK_INT(mw_scheduler_set_clock(m.s, read_time, &now_ns), 0);
    CHECK_INT(mw_ask_to(callee, mw_int(5), 2000, told), 1);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    now_ns = 3000;
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(read_diary(&d), "{\"id\":1,\"error\":-110} ");
    CHECK_INT(mw_question_answer(c.kept, mw_int(1)), -EPIPE);
    c.kept = NULL;
    CHECK_INT(mw_ask_to(callee, mw_int(6), 9000, told), 2);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    mw_tasklet_free(told); /* before the answer */
    CHECK_INT(mw_scheduler_deadline(m.s), MW_FOREVER);
    CHECK_INT(mw_question_answer(c.kept, mw_int(1)), -EPIPE);
    CHECK_INT(mw_ask_to(callee, mw_int(1), MW_FOREVER, NULL), -EINVAL);
    CHECK_INT(mw_ask_to(NULL, mw_int(1), MW_FOREVER, callee), -EINVAL);
    close_mesh(&m);
}

static void by_message_a_mailbox_that_drops_the_item_is_told_at_once(void)
{
    static const mw_tasklet_options narrow = {.size = sizeof(narrow), .name = "narrow", .mailbox_items = 1, .overflow = MW_DROP_NEWEST};
    struct mesh m = open_mesh();
    struct diary d = {0};
    mw_tasklet *callee = mw_tasklet_open(NULL, note_json, &narrow), *told = mw_handler_new(note_json, &d);

    CHECK_INT(mw_scheduler_pause(m.s), 0);
    CHECK_INT(mw_send(callee, mw_int(1)), 0);
    CHECK_INT(mw_ask_to(callee, mw_int(2), MW_FOREVER, told), 1);
    CHECK_INT(mw_tasklet_stats(told).queued_items, 1);
    CHECK_INT(mw_next(told), 1);
    CHECK_TEXT(read_diary(&d), "{\"id\":1,\"error\":-32} ");
    close_mesh(&m);
}

static void without_memory_nothing_is_asked_and_nothing_is_lost(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct callee c = {.manner = ANSWERS};
    mw_tasklet *callee = mw_handler_new(callee_handler, &c), *told = mw_handler_new(note_json, &d);
    int64_t id = -ENOMEM, n, live;

    for (n = 1; id < 0; n++) {
        live = mw_memory_stats().live_blocks;
        mw_memory_fail_at(n, false);
        id = mw_ask_to(callee, mw_int(5), 2000, told);
        mw_memory_fail_at(0, false);
        if (id < 0) {
            CHECK_INT(id, -ENOMEM);
            CHECK(mw_memory_stats().live_blocks <= live + 3); /* two side blocks and a heap of timers stay */
            CHECK_INT(mw_tasklet_stats(callee).queued_items, 0);
        }
    }
    CHECK(n > 4);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    close_mesh(&m);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(an_answer_comes_back_or_the_reason_why_there_is_none),
        TEST(to_who_is_asked_it_is_an_item_like_any_other),
        TEST(a_kept_question_is_answered_later),
        TEST(an_answer_that_nobody_waits_for_is_said_to_be),
        TEST(a_deadline_ends_the_wait),
        TEST(those_in_the_queue_of_one_that_closes_get_no_answer_and_stay_items),
        TEST(a_cleared_or_freed_queue_answers_by_an_error),
        TEST(what_cannot_be_asked_is_refused),
        TEST(nobody_asks_itself_and_no_handler_waits),
        TEST(who_asks_may_have_to_wait_for_room_first),
        TEST(by_message_the_answer_is_an_item),
        TEST(by_message_a_deadline_is_told_and_a_late_answer_is_not),
        TEST(by_message_a_mailbox_that_drops_the_item_is_told_at_once),
        TEST(without_memory_nothing_is_asked_and_nothing_is_lost),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
