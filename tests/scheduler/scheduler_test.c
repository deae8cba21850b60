/* Schedulers: hooks, membership, freeing, the implicit one, failing memory.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include <pthread.h>

#include "base/memory.h"
#include "coroutine/coroutine.h"
#include "coroutine/thread.h"

/* ---- hooks ------------------------------------------------------------------------------------------------------ */
static void count_call(void *context)
{
    ++*(int *)context;
}

static void the_ready_hook_is_called_when_idle_becomes_ready_and_not_while_it_runs(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct link one = {&d, "a", NULL}, two = {&d, "b", NULL};
    mw_tasklet *a = mw_handler_new(link_handler, &one), *b = mw_handler_new(link_handler, &two);
    int calls = 0;

    two.target = a;
    mw_scheduler_on_ready(m.s, count_call, &calls);
    send_ints(b, 1, 3);
    CHECK_INT(calls, 1);
    mw_scheduler_run(m.s);
    CHECK_INT(calls, 1);
    send_ints(a, 1, 1);
    CHECK_INT(calls, 2);
    mw_scheduler_run(m.s);
    (void)!mw_tasklet_new(link_body, &one); /* its set-up is work too */
    CHECK_INT(calls, 3);
    mw_scheduler_on_ready(m.s, NULL, NULL);
    close_mesh(&m);
}

static int forward(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    return mw_send(scope, item);
}

static int swallow(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    (void)scope;
    mw_release(item);
    return 0;
}

/* It was ready when the verb ran it; ready or not, it waits until its target has room. */
static void a_handler_that_a_verb_ran_into_a_full_mailbox_is_not_run_before_there_is_room(void)
{
    struct mesh m = open_mesh();
    mw_scheduler *elsewhere = mw_taskmaster_new();
    mw_tasklet_options narrow = {.size = sizeof(narrow), .name = "narrow", .mailbox_items = 2};
    mw_tasklet *target = mw_tasklet_open(NULL, swallow, &narrow), *sender = mw_handler_new(forward, target);

    CHECK_INT(mw_scheduler_add(elsewhere, target), 0);
    send_ints(sender, 1, 5);
    for (int i = 0; i < 3; i++)
        CHECK_INT(mw_next(sender), 1);
    CHECK_INT(mw_tasklet_stats(target).queued_items, 3); /* one above its capacity: the sender is held */
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(mw_tasklet_stats(sender).processed, 3);
    CHECK_INT(mw_scheduler_run(elsewhere), 3);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_INT(mw_scheduler_run(elsewhere), 2);
    mw_scheduler_free(elsewhere);
    close_mesh(&m);
}

struct failures {
    int count, code;
    char name[64];
    bool restarts, frees;
};

static void note_failure(void *context, mw_tasklet *t, int code)
{
    struct failures *f = context;

    f->count++;
    f->code = code;
    snprintf(f->name, sizeof(f->name), "%s", mw_tasklet_name(t));
    if (f->restarts)
        mw_restart(t, true);
    if (f->frees)
        mw_tasklet_free(t);
}

static int fail_at_two(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)d;
    (void)self;
    return item.as.integer == 2 ? -1 : 0;
}

static void a_failure_closes_one_is_reported_with_its_name_and_the_siblings_go_on(void)
{
    int is_handler;

    for (is_handler = 0; is_handler < 2; is_handler++) {
        struct mesh m = open_mesh();
        struct diary bad = {.inside = fail_at_two, .result = -EIO}, good = {0};
        struct failures f = {0};
        mw_tasklet *b = open_writer(&bad, is_handler, (mw_tasklet_options){.name = "parser"});
        mw_tasklet *g = mw_handler_new(write_item, &good);

        mw_scheduler_on_failure(m.s, note_failure, &f);
        send_ints(b, 1, 3);
        send_ints(g, 1, 3);
        CHECK_INT(mw_scheduler_run(m.s), 5);
        CHECK_INT(f.count, 1);
        CHECK_INT(f.code, -EIO);
        CHECK_TEXT(f.name, "parser");
        CHECK(mw_is_closed(b));
        CHECK_INT(mw_tasklet_stats(b).queued_items, 1);
        CHECK_TEXT(good.text, "1 2 3 ");
        CHECK_INT(mw_scheduler_stats(m.s).failures, 1);
        CHECK(strstr(mw_scheduler_last_error(m.s)->text, "tasklet 'parser' failed") != NULL);
        close_mesh(&m);
    }
}

static void the_failure_hook_may_restart_or_free_the_tasklet(void)
{
    int way;

    for (way = 0; way < 4; way++) {
        struct mesh m = open_mesh();
        struct diary bad = {.inside = fail_at_two, .result = -EIO};
        struct failures f = {.restarts = way < 2, .frees = way >= 2};
        mw_tasklet *b = open_writer(&bad, way & 1, (mw_tasklet_options){0});

        mw_scheduler_on_failure(m.s, note_failure, &f);
        send_ints(b, 1, 3);
        CHECK_INT(mw_scheduler_run(m.s), way < 2 ? 3 : 2);
        CHECK_INT(f.count, 1);
        close_mesh(&m);
    }
}

static void a_coroutine_that_gets_no_stack_fails_with_the_reason_and_keeps_its_queue(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct failures f = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    mw_scheduler_on_failure(m.s, note_failure, &f);
    send_ints(t, 1, 1);
    coroutine_pool_clear(); /* what is pooled counts */
    mw_thread.stacks.most = 1;
    mw_thread.stacks.live++;
    CHECK_INT(mw_scheduler_run(m.s), 0);
    mw_thread.stacks.most = 0;
    mw_thread.stacks.live--;
    CHECK_INT(f.code, -ENOMEM);
    CHECK(strstr(mw_scheduler_last_error(m.s)->text, "the cap that was set is reached") != NULL);
    CHECK(strstr(mw_scheduler_last_error(m.s)->text, "tasklet 'writer'") != NULL);
    CHECK_INT(mw_tasklet_stats(t).queued_items, 1);
    mw_restart(t, true);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(d.text, "setup 1 ");
    close_mesh(&m);
}

/* ---- membership ----------------------------------------------------------------------------------------------------- */
static int make_one(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)self;
    (void)item;
    (void)!mw_tasklet_new(writer, d->other);
    return 0;
}

static void a_tasklet_made_in_a_body_joins_the_mesh_that_runs(void)
{
    int by_verb;

    for (by_verb = 0; by_verb < 2; by_verb++) {
        struct mesh m = open_mesh();
        struct diary made = {0}, d = {.inside = make_one, .other = (mw_tasklet *)(void *)&made};
        mw_tasklet *t = mw_tasklet_new(writer, &d);

        mw_scheduler_leave(m.previous);
        send_ints(t, 1, 1);
        if (by_verb)
            CHECK_INT(mw_next(t), 1);
        CHECK_INT(mw_scheduler_run(m.s), by_verb ? 0 : 1);
        CHECK_INT(mw_scheduler_stats(m.s).tasklets, 2);
        CHECK_TEXT(made.text, "setup ");
        mw_scheduler_free(m.s);
    }
}

static void adding_to_another_scheduler_moves_a_tasklet_with_what_is_queued(void)
{
    struct mesh m = open_mesh();
    mw_scheduler *other = mw_taskmaster_new();
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    send_ints(t, 1, 3);
    CHECK_INT(mw_scheduler_add(other, t), 0);
    CHECK_INT(mw_scheduler_add(other, t), 0);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(mw_scheduler_stats(m.s).tasklets, 0);
    CHECK_INT(mw_scheduler_run(other), 3);
    CHECK_TEXT(d.text, "setup 1 2 3 ");
    CHECK_TEXT(mw_tasklet_name(t), "writer");
    close_mesh(&m);
    send_ints(t, 4, 4);
    CHECK_INT(mw_scheduler_run(other), 1);
    CHECK_INT(mw_scheduler_add(other, NULL), -EINVAL);
    CHECK_INT(mw_scheduler_add(NULL, t), -EINVAL);
    mw_scheduler_free(other);
}

static void one_that_waits_for_room_may_move_and_its_item_stays_with_it(void)
{
    struct mesh m = open_mesh();
    mw_scheduler *other = mw_taskmaster_new();
    struct diary target = {0}, d = {0};
    mw_tasklet *to = open_writer(&target, true, (mw_tasklet_options){.mailbox_items = 1});
    struct link l = {&d, "s", to};
    mw_tasklet *t = mw_tasklet_new(link_body, &l);

    send_ints(to, 0, 0);
    send_ints(t, 1, 3);
    CHECK_INT(mw_next(t), 1); /* to is full: it waits with 1 in its hand */
    CHECK_INT(mw_next(t), -EAGAIN);
    CHECK_INT(mw_scheduler_add(other, t), 0);
    CHECK_INT(mw_scheduler_run(other), 0); /* it waits there as well */
    CHECK_TEXT(read_diary(&d), "s1 ");
    CHECK_INT(mw_scheduler_run(m.s), 2); /* makes room, takes the item, and wakes it in the other scheduler */
    CHECK_TEXT(read_diary(&target), "0 1 ");
    CHECK(mw_scheduler_is_idle(m.s));
    CHECK(!mw_scheduler_is_idle(other));
    CHECK_INT(mw_scheduler_run(other), 2); /* sends 2, and waits again with 3 */
    CHECK_TEXT(read_diary(&d), "s2 s3 ");
    CHECK_INT(mw_scheduler_add(m.s, t), 0); /* and back */
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(read_diary(&target), "2 3 ");
    CHECK_INT(mw_scheduler_stats(other).tasklets, 0);
    mw_scheduler_free(other);
    close_mesh(&m);
}

static void one_that_waits_for_room_may_move_and_be_closed_or_see_its_target_go(void)
{
    struct mesh m = open_mesh();
    mw_scheduler *other = mw_taskmaster_new();
    struct diary target = {0}, d = {0};
    int round;

    for (round = 0; round < 3; round++) {
        mw_tasklet *to = open_writer(&target, true, (mw_tasklet_options){.mailbox_items = 1});
        struct link l = {&d, "s", to};
        mw_tasklet *t = mw_tasklet_new(link_body, &l);

        send_ints(to, 0, 0);
        send_ints(t, 1, 1);
        CHECK_INT(mw_next(t), 1);
        CHECK_INT(mw_scheduler_add(other, t), 0);
        if (round == 0)
            CHECK_INT(mw_close(t), 0);
        if (round == 1)
            mw_tasklet_free(to);
        CHECK(mw_scheduler_run(other) >= 0);
        if (round < 2)
            CHECK_INT(mw_next(t), 0); /* it waits no longer */
        mw_tasklet_free(t); /* in the third round while it waits */
        if (round != 1)
            mw_tasklet_free(to);
    }
    CHECK_TEXT(d.text, "s1 s1 s1 ");
    mw_scheduler_free(other);
    close_mesh(&m);
}

static int send_the_rest(struct diary *d, mw_tasklet *self)
{
    int i;

    for (i = 1; i <= 3; i++)
        keep(d, mw_send(d->other, mw_int(i)));
    keep(d, mw_sleep_until(self, mw_clock(self) + 1));
    return 0;
}

static void the_close_path_of_one_that_is_finished_may_wait(void)
{
    int is_idle;

    for (is_idle = 0; is_idle < 2; is_idle++) { /* or has an item yet */
        struct mesh m = open_mesh();
        struct diary target = {0}, d = {.at_close = send_the_rest};
        mw_tasklet *t = mw_tasklet_new(writer, &d);

        d.other = open_writer(&target, true, (mw_tasklet_options){.mailbox_items = 1});
        CHECK_INT(mw_start(t), 0);
        if (!is_idle)
            send_ints(t, 7, 7);
        CHECK_INT(mw_finish(t), 0);
        CHECK_INT(mw_is_closed(t), false);
        CHECK(mw_scheduler_run(m.s) >= 3);
        CHECK_TEXT(target.text, "1 2 3 ");
        CHECK_TEXT(d.text, is_idle ? "setup close " : "setup 7 close ");
        CHECK_INT(d.result_count, 4);
        CHECK_INT(d.results[2], 0);
        CHECK_INT(d.results[3], 0);
        CHECK(mw_is_closed(t));
        close_mesh(&m);
    }
}

static void closed_while_it_waits_there_it_waits_no_longer(void)
{
    struct mesh m = open_mesh();
    struct diary target = {0}, d = {.at_close = send_the_rest};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    d.other = open_writer(&target, true, (mw_tasklet_options){.mailbox_items = 1});
    CHECK_INT(mw_start(t), 0);
    CHECK_INT(mw_finish(t), 0);
    CHECK(!mw_is_closed(t));
    CHECK_INT(mw_close(t), 0);
    CHECK(mw_is_closed(t));
    CHECK_INT(d.results[0], 0);
    CHECK_INT(d.results[1], -ECANCELED);
    CHECK_INT(d.results[3], -ECANCELED);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(target.text, "1 ");
    close_mesh(&m);
}

static mw_scheduler *move_target;
static int move_self(struct diary *d, mw_tasklet *self, mw_value item)
{
    if (item.as.integer == 2)
        keep(d, mw_scheduler_add(move_target, self));
    return 0;
}

static void a_tasklet_may_move_itself_while_it_runs(void)
{
    struct mesh m = open_mesh();
    struct diary d = {.inside = move_self};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    move_target = mw_taskmaster_new();
    send_ints(t, 1, 4);
    CHECK_INT(mw_scheduler_run(m.s), 4);
    CHECK_INT(d.results[0], 0);
    CHECK_INT(mw_scheduler_stats(m.s).tasklets, 0);
    send_ints(t, 5, 5);
    CHECK(mw_scheduler_is_idle(m.s));
    CHECK_INT(mw_scheduler_run(move_target), 1);
    close_mesh(&m);
    mw_scheduler_free(move_target);
}

static void thousands_of_members_come_and_go(void)
{
    enum { COUNT = 9000 };
    struct mesh m = open_mesh();
    static mw_tasklet *t[COUNT];
    int64_t sum = 0, expected = 0, round;
    int i;

    for (round = 0; round < 4; round++) {
        for (i = 0; i < COUNT; i++) {
            if (!t[i])
                t[i] = mw_handler_new(send_to_itself, &sum);
        }
        for (i = 0; i < COUNT; i += 1 + (i * 31) % 700) {
            if (mw_send(t[i], mw_int(1)) == 0)
                expected++;
        }
        CHECK_INT(mw_scheduler_turn(m.s), 1);
        for (i = 0; i < COUNT; i++) {
            mw_clear(t[i]);
            if ((i * 7919 + round) % 5 != 0) {
                mw_tasklet_free(t[i]);
                t[i] = NULL;
            }
        }
        CHECK(mw_scheduler_is_idle(m.s));
    }
    CHECK(expected > 0 && sum > 0);
    for (i = 0; i < COUNT; i++) {
        if (t[i])
            CHECK_INT(mw_send(t[i], mw_int(i)), 0);
    }
    close_mesh(&m);
    memset(t, 0, sizeof(t));
}

static int join_the_end(struct diary *d, mw_tasklet *self)
{
    return mw_send(d->other, mw_format("{} has closed", mw_text(mw_tasklet_name(self))));
}

static void free_closes_all_in_the_order_of_making_before_any_is_gone(void)
{
    struct mesh m = open_mesh();
    struct diary sink = {0}, d = {.at_close = join_the_end};
    mw_tasklet *s = open_writer(&sink, false, (mw_tasklet_options){.scope.release = note_release});
    mw_tasklet *t = open_writer(&d, false, (mw_tasklet_options){.scope.release = note_release});

    d.other = s;
    mw_start(s);
    mw_start(t);
    close_mesh(&m);
    CHECK_TEXT(sink.text, "setup close release ");
    CHECK_TEXT(d.text, "setup close release ");
}

static void free_tasklet(void *t)
{
    mw_tasklet_free(t);
}

static void free_lets_a_scope_free_the_tasklet_that_it_owns(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(NULL, NULL);

    mw_set(t, writer, (mw_scope){mw_tasklet_new(writer, &d), free_tasklet});
    mw_clear(t);
    mw_tasklet_set_name(t, "owner");
    close_mesh(&m);
    CHECK_TEXT(d.text, "");
}

static mw_scheduler *running;
static int call_scheduler(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)self;
    (void)item;
    keep(d, (int)mw_scheduler_run(running));
    keep(d, mw_scheduler_turn(running));
    return 0;
}

static void a_scheduler_that_runs_is_busy(void)
{
    struct mesh m = open_mesh();
    struct diary d = {.inside = call_scheduler};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    running = m.s;
    send_ints(t, 1, 1);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_INT(d.results[0], -EBUSY);
    CHECK_INT(d.results[1], -EBUSY);
    close_mesh(&m);
}

static void a_body_may_run_another_scheduler(void)
{
    struct mesh outer = open_mesh(), inner = open_mesh();
    struct diary d = {.inside = call_scheduler}, in = {0};
    mw_tasklet *t, *i = mw_tasklet_new(writer, &in);

    mw_scheduler_leave(outer.s);
    t = mw_tasklet_new(writer, &d);
    running = inner.s;
    send_ints(i, 1, 3);
    send_ints(t, 1, 2);
    CHECK_INT(mw_scheduler_run(outer.s), 2);
    CHECK_INT(d.results[0], 3);
    CHECK_TEXT(in.text, "setup 1 2 3 ");
    mw_scheduler_leave(NULL);
    mw_scheduler_free(outer.s);
    mw_scheduler_free(inner.s);
}

static int free_scheduler(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)d;
    (void)self;
    if (item.as.integer == 1)
        mw_scheduler_free(running);
    return 0;
}

static void free_from_inside_a_body_waits_until_the_run_is_over(void)
{
    struct mesh m = open_mesh();
    struct diary d = {.inside = free_scheduler};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    running = m.s;
    mw_scheduler_leave(m.previous);
    send_ints(t, 1, 2);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(d.text, "setup 1 2 close ");
}

/* ---- the implicit scheduler -------------------------------------------------------------------------------------------- */
static int turn_inside(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)item;
    note(d, "( ");
    keep(d, mw_scheduler_turn(d->other ? move_target : NULL));
    keep(d, mw_next(self));
    note(d, ") ");
    return 0;
}

static void a_turn_from_inside_a_body_that_a_verb_runs_leaves_that_body_alone(void)
{
    struct mesh m = open_mesh();
    struct diary d = {.inside = turn_inside};
    mw_tasklet *t = open_writer(&d, true, (mw_tasklet_options){0});

    d.other = t;
    move_target = m.s;
    send_ints(t, 1, 2);
    CHECK_INT(mw_next(t), 1); /* it was ready, and is run by hand */
    CHECK_TEXT(read_diary(&d), "1 ( ) ");
    CHECK_INT(d.results[0], 0);
    CHECK_INT(d.results[1], -EBUSY);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(read_diary(&d), "2 ( ) ");
    CHECK_INT(d.results[2], -EBUSY); /* now its scheduler runs it */
    close_mesh(&m);
}

static void one_that_becomes_the_null_tasklet_before_its_set_up_has_none(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d); /* ready, for its set-up */

    CHECK_INT(mw_set(t, NULL, (mw_scope){0}), 0);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    send_ints(t, 1, 3);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(mw_tasklet_stats(t).swallowed, 3);
    CHECK_TEXT(d.text, "");
    close_mesh(&m);
}

static void a_tasklet_made_outside_any_mesh_is_in_the_implicit_scheduler(void)
{
    struct diary d = {0};
    mw_tasklet *t = mw_tasklet_new(writer, &d);

    send_ints(t, 1, 2);
    CHECK_INT(mw_step(), 0);
    CHECK_TEXT(read_diary(&d), "setup 1 2 ");
    send_ints(t, 3, 3);
    CHECK_INT(mw_run(), 1);
    CHECK_INT(mw_run(), 0);
    CHECK_TEXT(read_diary(&d), "3 ");
    CHECK(mw_implicit_scheduler() != NULL);
    mw_thread_end(); /* frees t */
    CHECK_TEXT(read_diary(&d), "close ");
}

static void *live_on_a_thread(void *argument)
{
    struct diary *d = argument;
    mw_tasklet *t = mw_tasklet_new(writer, d);

    send_ints(t, 1, 100);
    mw_run();
    mw_thread_end();
    return d;
}

static void each_thread_has_its_own_implicit_scheduler(void)
{
    struct diary diaries[3] = {{{0}, 0, 0, {0}, 0, NULL, NULL, NULL, NULL}};
    pthread_t threads[3];
    int i;

    for (i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, live_on_a_thread, &diaries[i]), 0);
    for (i = 0; i < 3; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
        CHECK_INT(strncmp(diaries[i].text, "setup 1 2 3 ", 12), 0);
        CHECK(strstr(diaries[i].text, "99 100 close ") != NULL);
    }
}

static void everything_is_given_back_when_a_thread_ends(void)
{
    int64_t before;
    struct diary d = {0};
    int i;

    mw_thread_end();
    before = mw_memory_stats().live_blocks;
    for (i = 0; i < 30; i++)
        send_ints(mw_tasklet_new(writer, &d), 1, 30);
    mw_run();
    send_ints(mw_tasklet_new(writer, &d), 1, 30);
    mw_thread_end();
    CHECK_INT(mw_memory_stats().live_blocks, before);
}

static void build_and_run_a_mesh(void)
{
    mw_scheduler *s = mw_taskmaster_new(), *previous;
    struct diary d = {0};
    mw_tasklet *one, *two;

    if (!s)
        return;
    previous = mw_scheduler_enter(s);
    one = mw_tasklet_new(writer, &d);
    two = mw_handler_new(write_item, &d);
    mw_scheduler_leave(previous);
    if (one)
        mw_send(one, mw_int(1));
    if (two)
        mw_send(two, mw_int(2));
    mw_scheduler_run(s);
    mw_scheduler_free(s);
}

static void every_failing_allocation_is_survived(void)
{
    int64_t n, made, before;

    mw_thread_end();
    build_and_run_a_mesh();
    mw_thread_end();
    before = mw_memory_stats().live_blocks;
    mw_memory_fail_at(0, false);
    build_and_run_a_mesh();
    made = mw_memory_fail_at(0, false);
    CHECK(made > 5);
    for (n = 1; n <= made; n++) {
        mw_thread_end();
        mw_memory_fail_at(n, false);
        build_and_run_a_mesh();
        mw_memory_fail_at(0, false);
        mw_thread_end();
        CHECK_INT(mw_memory_stats().live_blocks, before);
    }
}

static void null_is_answered(void)
{
    CHECK_INT(mw_scheduler_run(NULL), -EINVAL);
    CHECK_INT(mw_scheduler_turn(NULL), -EINVAL);
    CHECK_INT(mw_scheduler_set_budget(NULL, 1), -EINVAL);
    CHECK(mw_scheduler_is_idle(NULL));
    CHECK(mw_scheduler_last_error(NULL) == NULL);
    CHECK_INT(mw_scheduler_stats(NULL).tasklets, 0);
    mw_scheduler_on_ready(NULL, NULL, NULL);
    mw_scheduler_on_failure(NULL, NULL, NULL);
    mw_scheduler_free(NULL);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(the_ready_hook_is_called_when_idle_becomes_ready_and_not_while_it_runs),
        TEST(a_handler_that_a_verb_ran_into_a_full_mailbox_is_not_run_before_there_is_room),
        TEST(a_failure_closes_one_is_reported_with_its_name_and_the_siblings_go_on),
        TEST(the_failure_hook_may_restart_or_free_the_tasklet),
        TEST(a_coroutine_that_gets_no_stack_fails_with_the_reason_and_keeps_its_queue),
        TEST(a_tasklet_made_in_a_body_joins_the_mesh_that_runs),
        TEST(adding_to_another_scheduler_moves_a_tasklet_with_what_is_queued),
        TEST(one_that_waits_for_room_may_move_and_its_item_stays_with_it),
        TEST(one_that_waits_for_room_may_move_and_be_closed_or_see_its_target_go),
        TEST(the_close_path_of_one_that_is_finished_may_wait),
        TEST(closed_while_it_waits_there_it_waits_no_longer),
        TEST(a_tasklet_may_move_itself_while_it_runs),
        TEST(thousands_of_members_come_and_go),
        TEST(free_closes_all_in_the_order_of_making_before_any_is_gone),
        TEST(free_lets_a_scope_free_the_tasklet_that_it_owns),
        TEST(a_scheduler_that_runs_is_busy),
        TEST(a_body_may_run_another_scheduler),
        TEST(free_from_inside_a_body_waits_until_the_run_is_over),
        TEST(a_turn_from_inside_a_body_that_a_verb_runs_leaves_that_body_alone),
        TEST(one_that_becomes_the_null_tasklet_before_its_set_up_has_none),
        TEST(a_tasklet_made_outside_any_mesh_is_in_the_implicit_scheduler),
        TEST(each_thread_has_its_own_implicit_scheduler),
        TEST(everything_is_given_back_when_a_thread_ends),
        TEST(every_failing_allocation_is_survived),
        TEST(null_is_answered),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
