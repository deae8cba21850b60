/* The priority scheduler: rounds, put-back, ties, priorities that are functions, what happens to those in the queue, the
 * trace; and random meshes against the blog's own loop.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include "base/memory.h"

static struct mesh open_priorities(bool incremental)
{
    struct mesh m = {.s = mw_priority_scheduler_new(incremental)};

    CHECK(m.s != NULL);
    m.previous = mw_scheduler_enter(m.s);
    return m;
}

/* A link with a name, a priority, and items from 1 on. */
static mw_tasklet *new_link(struct link *l, int priority, int items)
{
    mw_tasklet *t = mw_handler_new(link_handler, l);

    CHECK(t != NULL);
    CHECK_INT(mw_set_priority(t, priority), 0);
    send_ints(t, 1, items);
    return t;
}

/* ---- rounds -------------------------------------------------------------------------------------------------- */
static void the_lowest_number_runs_first(void)
{
    struct mesh m = open_priorities(false);
    struct diary d = {0};
    struct link a = {&d, "a", NULL}, b = {&d, "b", NULL}, c = {&d, "c", NULL}, e = {&d, "e", NULL}, f = {&d, "f", NULL};

    new_link(&a, 1000, 2);
    new_link(&b, INT32_MIN, 1);
    new_link(&c, 1, 1);
    new_link(&f, INT32_MAX, 1);
    send_ints(mw_tasklet_new(link_body, &e), 1, 2); /* 0, for nobody has said otherwise */
    CHECK_INT(mw_scheduler_run(m.s), 7);
    CHECK_TEXT(d.text, "b1 e1 e2 c1 a1 a2 f1 ");
    CHECK(mw_scheduler_is_idle(m.s));
    CHECK_INT(mw_scheduler_stats(m.s).processed, 7);
    close_mesh(&m);
}

static void equal_priorities_run_in_the_order_of_their_queueing(void)
{
    struct mesh m = open_priorities(true);
    struct diary d = {0};
    struct link a = {&d, "a", NULL}, b = {&d, "b", NULL}, c = {&d, "c", NULL};

    new_link(&a, 5, 3);
    new_link(&b, 5, 2);
    new_link(&c, 5, 3);
    CHECK_INT(mw_scheduler_run(m.s), 8);
    CHECK_TEXT(d.text, "a1 b1 c1 a2 b2 c2 a3 c3 ");
    close_mesh(&m);
}

/* Who ran, by number of making, one after the other. */
struct throng {
    int ran[2000], count;
};
struct one_of_throng {
    struct throng *throng;
    int number;
};

static int join_throng(mw_tasklet *self, void *scope, mw_value item)
{
    struct one_of_throng *one = scope;

    (void)self;
    mw_release(item);
    one->throng->ran[one->throng->count++] = one->number;
    return 0;
}

static mw_tasklet *new_of_throng(struct throng *throng, struct one_of_throng *one, int number, int priority)
{
    mw_tasklet *t;

    *one = (struct one_of_throng){throng, number};
    t = mw_handler_new(join_throng, one);
    CHECK_INT(mw_set_priority(t, priority), 0);
    return t;
}

/* That they ran by priority, and of equal ones those who were made earlier first. */
static void check_order(const struct throng *throng, const int *priorities)
{
    int i;

    for (i = 1; i < throng->count; i++) {
        int before = throng->ran[i - 1], now = throng->ran[i];

        CHECK(priorities[before] < priorities[now] || (priorities[before] == priorities[now] && before < now));
    }
}

static void a_throng_of_any_size_and_range_of_priorities_runs_in_order(void)
{
    static const struct {
        int size, idle; /* how many have an item, and how many more have none */
        int range, step; /* priorities: so many different ones, so far apart, about 0 */
    } rows[] = {{24, 31, 10, 1}, {25, 30, 10, 1}, {100, 100, 300, 7}, {511, 513, 70000, 1}, {512, 600, 70000, 1}, {600, 700, 1000, 1}, {600, 601, 3, 1 << 29},
                {900, 1000, 1500, 1000003}, {25, 0, 10, 1}, {64, 0, 5, 1}, {65, 0, 70000, 1}, {2000, 0, 1500, 1000003}, {3, 1900, 10, 1}};
    static struct one_of_throng ones[2000];
    static int priorities[2000];
    size_t row;

    for (row = 0; row < MW_COUNT(rows); row++) {
        struct mesh m = open_priorities(false);
        struct throng throng = {.count = 0};
        int all = rows[row].size + rows[row].idle, i, round;
        static mw_tasklet *tasklets[2000];

        for (i = 0; i < all; i++) {
            priorities[i] = (int)((int64_t)i * 7919 % rows[row].range - rows[row].range / 2) * rows[row].step;
            tasklets[i] = new_of_throng(&throng, &ones[i], i, priorities[i]);
        }
        for (round = 0; round < 4; round++) {
            throng.count = 0;
            for (i = 0; i < rows[row].size; i++)
                mw_send(tasklets[(i * 3 + round) % all], mw_int(1)); /* each once, as 3 divides none of the sums */
            CHECK_INT(mw_scheduler_run(m.s), rows[row].size);
            CHECK(throng.count == rows[row].size);
            check_order(&throng, priorities);
        }
        close_mesh(&m);
    }
}

static void who_comes_or_goes_or_has_another_priority_takes_its_new_place_after_any_number_of_rounds(void)
{
    enum { SIZE = 200, ROUNDS = 60 };
    struct mesh m = open_priorities(false);
    static struct one_of_throng ones[SIZE];
    static mw_tasklet *tasklets[SIZE];
    static int priorities[SIZE];
    struct throng throng = {.count = 0};
    int i, round, last = 0;

    for (i = 0; i < SIZE; i++)
        tasklets[i] = new_of_throng(&throng, &ones[i], i, priorities[i] = i * 37 % SIZE);
    for (round = 0; round < ROUNDS; round++) {
        throng.count = 0;
        for (i = 0; i < SIZE; i++)
            mw_send(tasklets[i], mw_int(1));
        CHECK_INT(mw_scheduler_run(m.s), SIZE);
        for (i = 1; i < SIZE; i++)
            CHECK(priorities[throng.ran[i - 1]] <= priorities[throng.ran[i]]);
        if (round % 5 == 1) { /* the one who was last becomes the first */
            last = throng.ran[SIZE - 1];
            CHECK_INT(mw_set_priority(tasklets[last], priorities[last] = -round), 0);
        } else if (round % 5 == 3) { /* another comes in his place, and stands in the middle */
            mw_tasklet_free(tasklets[last]);
            tasklets[last] = new_of_throng(&throng, &ones[last], last, priorities[last] = SIZE / 2);
        }
    }
    close_mesh(&m);
}

static void what_is_sent_to_those_outside_the_round_waits_for_the_next(void)
{
    struct mesh m = open_priorities(false);
    struct diary d = {0};
    struct link a = {&d, "a", NULL}, b = {&d, "b", NULL}, urgent = {&d, "u", NULL};

    a.target = new_link(&urgent, -10, 0);
    new_link(&a, 1, 2);
    new_link(&b, 2, 1);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_TEXT(read_diary(&d), "a1 a2 b1 ");
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_TEXT(read_diary(&d), "u1 u2 ");
    close_mesh(&m);
}

static void what_is_sent_to_those_in_the_round_is_processed_in_it(void)
{
    struct mesh m = open_priorities(false);
    struct diary d = {0};
    struct link a = {&d, "a", NULL}, b = {&d, "b", NULL};

    a.target = new_link(&b, 2, 1);
    new_link(&a, 1, 2);
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_TEXT(d.text, "a1 a2 b1 b1 b2 ");
    close_mesh(&m);
}

static void set_ups_run_before_the_round_and_bring_nobody_into_it(void)
{
    struct mesh m = open_priorities(false);
    struct diary one = {0}, two = {0};
    struct link a = {&one, "a", NULL}, b = {&two, "b", NULL};
    mw_tasklet *late = mw_tasklet_new(writer, &one);

    mw_set_priority(late, 1000);
    a.target = late;
    new_link(&a, 1, 1);
    new_link(&b, 2000, 1);
    CHECK_INT(mw_scheduler_turn(m.s), 1);
    CHECK_TEXT(one.text, "setup a1 ");
    CHECK_TEXT(two.text, "b1 ");
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_TEXT(one.text, "setup a1 1 ");
    close_mesh(&m);
}

/* ---- functions ------------------------------------------------------------------------------------------------- */
struct script {
    const int *next;
    int asked;
};
static mw_priority scripted(mw_tasklet *t, void *context)
{
    struct script *script = context;

    CHECK(t != NULL);
    script->asked++;
    return (mw_priority){.value = *script->next++};
}

static void a_function_is_asked_again_at_each_put_back(void)
{
    static const int numbers[] = {1, 3, 5};
    struct mesh m = open_priorities(true);
    struct diary d = {0};
    struct script script = {numbers, 0};
    struct link a = {&d, "a", NULL}, b = {&d, "b", NULL}, c = {&d, "c", NULL};

    CHECK_INT(mw_set_priority_function(new_link(&a, 0, 3), scripted, &script), 0);
    new_link(&b, 2, 1);
    new_link(&c, 4, 1);
    CHECK_INT(mw_scheduler_run(m.s), 5);
    CHECK_TEXT(d.text, "a1 b1 a2 c1 a3 ");
    CHECK_INT(script.asked, 3);
    close_mesh(&m);
}

/* Gives itself until the count is used up. */
static mw_priority nested(mw_tasklet *t, void *context)
{
    int *left = context;

    (void)t;
    if (--*left > 0)
        return (mw_priority){.function = nested, .context = context};
    return (mw_priority){.value = 7};
}

static void functions_may_give_functions_sixteen_deep(void)
{
    struct mesh m = open_priorities(false);
    mw_tasklet *t = mw_tasklet_new(NULL, NULL);
    int left = 16, priority = 0;

    CHECK_INT(mw_get_priority(t, &priority), 0);
    CHECK_INT(priority, 0);
    CHECK_INT(mw_set_priority_function(t, nested, &left), 0);
    CHECK_INT(mw_get_priority(t, &priority), 0);
    CHECK_INT(priority, 7);
    left = 17;
    priority = 3;
    CHECK_INT(mw_get_priority(t, &priority), -ELOOP);
    CHECK_INT(priority, 3);
    CHECK_INT(mw_set_priority(t, -4), 0);
    CHECK_INT(mw_get_priority(t, &priority), 0);
    CHECK_INT(priority, -4);
    close_mesh(&m);
}

static mw_priority unknown(mw_tasklet *t, void *context)
{
    (void)t;
    (void)context;
    return (mw_priority){.error = -EIO};
}
static void note_failure(void *context, mw_tasklet *t, int code)
{
    note(context, "%s:%s ", mw_tasklet_name(t), code == -EIO ? "EIO" : code == -ELOOP ? "ELOOP" : "?");
}

static void a_priority_that_cannot_be_told_is_reported_and_comes_last(void)
{
    struct mesh m = open_priorities(false);
    struct diary d = {0};
    struct link a = {&d, "a", NULL}, b = {&d, "b", NULL}, c = {&d, "c", NULL};
    int left = 1000;
    mw_tasklet *t = new_link(&a, 0, 1), *loops = new_link(&b, 0, 1);

    mw_scheduler_on_failure(m.s, note_failure, &d);
    mw_tasklet_set_name(t, "one");
    mw_tasklet_set_name(loops, "two");
    mw_set_priority_function(t, unknown, NULL);
    mw_set_priority_function(loops, nested, &left);
    new_link(&c, 1000000, 1);
    CHECK_INT(mw_scheduler_run(m.s), 3);
    CHECK_TEXT(d.text, "one:EIO two:ELOOP c1 a1 b1 ");
    CHECK_INT(mw_scheduler_stats(m.s).failures, 2);
    CHECK_TEXT(mw_scheduler_last_error(m.s)->text,
               "the priority of tasklet 'two' cannot be told: functions give functions, more than 16 deep");
    CHECK(!mw_is_closed(t));
    close_mesh(&m);
}

static mw_priority free_it(mw_tasklet *t, void *context)
{
    (void)context;
    mw_tasklet_free(t);
    return (mw_priority){.value = 1};
}

static void a_function_that_frees_its_tasklet_does_no_harm(void)
{
    struct mesh m = open_priorities(false);
    struct diary d = {0};
    struct link a = {&d, "a", NULL}, b = {&d, "b", NULL};

    mw_set_priority_function(new_link(&a, 0, 1), free_it, NULL);
    new_link(&b, 1, 1);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(d.text, "b1 ");
    close_mesh(&m);
}

/* Frees the one that was queued before and makes another, so that more are queued than there are places. */
struct chain {
    mw_tasklet *before;
    struct link *scope;
    int left;
};
static mw_priority replace_the_one_before(mw_tasklet *t, void *context)
{
    struct chain *c = context;

    if (c->left > 0) {
        mw_tasklet *made = mw_handler_new(link_handler, c->scope);

        c->left--;
        CHECK_INT(mw_set_priority_function(made, replace_the_one_before, c), 0);
        send_ints(made, 1, 1);
        mw_tasklet_free(c->before);
        c->before = t;
    }
    return (mw_priority){.value = c->left % 7};
}

static void functions_that_free_and_make_others_do_no_harm(void)
{
    int incremental;

    for (incremental = 0; incremental < 2; incremental++) {
        struct mesh m = open_priorities(incremental);
        struct diary d = {0};
        struct link a = {&d, "a", NULL};
        struct chain c = {NULL, &a, 1000};

        mw_set_priority_function(new_link(&a, 0, 1), replace_the_one_before, &c);
        CHECK(mw_scheduler_run(m.s) >= 1);
        CHECK_INT(c.left, 0);
        CHECK(mw_scheduler_is_idle(m.s));
        close_mesh(&m);
    }
}

/* ---- those in the queue ---------------------------------------------------------------------------------------- */
enum change { FREE, MOVE, CLOSE, CLEAR, SET, FINISH, RESTART, CHANGES };
struct changer {
    enum change change;
    mw_tasklet *target;
    mw_scheduler *elsewhere;
    struct link *scope;
};
static int change_target(mw_tasklet *self, void *scope, mw_value item)
{
    struct changer *c = scope;

    (void)self;
    mw_release(item);
    switch (c->change) {
    case FREE:
        mw_tasklet_free(c->target);
        /* Another one, perhaps where that one was: it is not in the round. */
        send_ints(mw_handler_new(link_handler, c->scope), 9, 9);
        return 0;
    case MOVE:
        return mw_scheduler_add(c->elsewhere, c->target);
    case CLOSE:
        return mw_close(c->target);
    case CLEAR:
        return mw_clear(c->target) == 2 ? 0 : -EINVAL;
    case SET:
        return mw_set_handler(c->target, link_handler, (mw_scope){.data = c->scope});
    case FINISH:
        return mw_finish(c->target);
    case RESTART:
        return mw_restart(c->target, true);
    case CHANGES:
        break;
    }
    return -EINVAL;
}

static void those_in_the_queue_may_be_freed_moved_closed_and_changed(void)
{
    static const char *const in_round[CHANGES] = {"b1 ", "b1 ", "b1 ", "b1 ", "b1 ", "a1 a2 b1 ", "a1 a2 b1 "};
    static const char *const after[CHANGES] = {"x9 ", "a1 a2 ", "", "", "", "", ""};
    int change;

    for (change = 0; change < CHANGES; change++) {
        struct mesh m = open_priorities(false);
        mw_scheduler *other = mw_priority_scheduler_new(true);
        struct diary d = {0};
        struct link a = {&d, "a", NULL}, b = {&d, "b", NULL}, x = {&d, "x", NULL};
        struct changer c = {.change = (enum change)change, .elsewhere = other, .scope = &x};
        mw_tasklet *changer = mw_handler_new(change_target, &c);

        c.target = new_link(&a, 1, 2);
        new_link(&b, 2, 1);
        send_ints(changer, 1, 1);
        CHECK_INT(mw_scheduler_turn(m.s), change == FREE);
        CHECK_TEXT(read_diary(&d), in_round[change]);
        CHECK_INT(mw_scheduler_run(m.s), change == FREE);
        (void)mw_scheduler_run(other);
        CHECK_TEXT(read_diary(&d), after[change]);
        CHECK_INT(mw_scheduler_stats(m.s).failures, 0);
        if (change == FINISH)
            CHECK(mw_is_closed(c.target));
        mw_scheduler_free(other);
        close_mesh(&m);
    }
}

static int restart_itself(mw_tasklet *self, void *scope, mw_value item)
{
    note(scope, "%d ", (int)item.as.integer);
    return item.as.integer == 1 ? mw_restart(self, true) : 0;
}

static void one_that_restarts_itself_is_put_back_with_what_it_has(void)
{
    struct mesh m = open_priorities(false);
    struct diary d = {0};
    mw_tasklet *t = mw_handler_new(restart_itself, &d);

    send_ints(t, 1, 3);
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_TEXT(d.text, "1 2 3 ");
    close_mesh(&m);
}

/* Makes many tasklets and frees most, so that positions grow and are closed up while a round is under way. */
struct crowd {
    mw_tasklet *members[300];
    struct link *scope;
};
static int crowd_and_thin(mw_tasklet *self, void *scope, mw_value item)
{
    struct crowd *c = scope;
    int i;

    (void)self;
    for (i = 0; i < 60; i++) {
        mw_tasklet_free(c->members[i]);
        c->members[i] = NULL;
    }
    for (i = 60; i < 300; i++)
        c->members[i] = mw_handler_new(link_handler, c->scope);
    for (i = 60; i < 300; i += 1 + (i % 7 == 0)) {
        mw_tasklet_free(c->members[i]);
        c->members[i] = NULL;
    }
    for (i = 0; i < 200; i++)
        mw_tasklet_free(mw_tasklet_new(NULL, NULL));
    mw_release(item);
    return 0;
}

static void a_round_survives_that_positions_change(void)
{
    struct mesh m = open_priorities(true);
    struct diary d = {0};
    static struct crowd c;
    struct link a = {&d, "a", NULL}, b = {&d, "b", NULL}, e = {&d, "e", NULL};
    mw_tasklet *boss;
    int i;

    c = (struct crowd){.scope = &e};
    for (i = 0; i < 60; i++)
        c.members[i] = new_link(&e, 1, 1);
    boss = mw_handler_new(crowd_and_thin, &c);
    new_link(&a, 3, 2);
    new_link(&b, 2, 2);
    mw_set_priority(boss, -1);
    send_ints(boss, 1, 1);
    CHECK_INT(mw_scheduler_turn(m.s), 0); /* all in this round */
    CHECK_TEXT(d.text, "b1 b2 a1 a2 ");
    CHECK_INT(mw_scheduler_stats(m.s).processed, 5);
    close_mesh(&m);
}

/* ---- turns --------------------------------------------------------------------------------------------------------- */
static void where_turns_end_shows_neither_in_what_is_done_nor_in_the_order(void)
{
    int incremental;
    size_t budget;

    for (incremental = 0; incremental < 2; incremental++) {
        char whole[2048] = "";

        for (budget = 4096; budget >= 40; budget = budget > 64 ? 64 : budget - 1) {
            struct mesh m = open_priorities(incremental);
            struct diary d = {0};
            struct link sink = {&d, "s", NULL}, left = {&d, "l", NULL}, right = {&d, "r", NULL};
            mw_tasklet *s = mw_tasklet_new(link_body, &sink), *l = new_link(&left, 3, 20);
            mw_tasklet *r = mw_tasklet_new(link_body, &right);

            left.target = right.target = s;
            mw_set_priority(s, 2);
            send_ints(r, 1, 20);
            mw_scheduler_set_budget(m.s, budget);
            while (mw_scheduler_turn(m.s) > 0)
                continue;
            if (budget == 4096)
                memcpy(whole, d.text, sizeof(whole));
            CHECK_TEXT(d.text, whole);
            CHECK_INT(mw_tasklet_stats(s).processed, 40);
            CHECK_INT(mw_tasklet_stats(l).processed, 20);
            close_mesh(&m);
        }
    }
}

static void one_that_refills_itself_for_ever_starves_nobody(void)
{
    int incremental;

    for (incremental = 0; incremental < 2; incremental++) {
        struct mesh m = open_priorities(incremental);
        struct diary d = {0};
        struct link a = {&d, "a", NULL};
        int64_t count = 0;
        mw_tasklet *busy = mw_handler_new(send_to_itself, &count);

        mw_set_priority(busy, -1);
        send_ints(busy, 1, 1);
        new_link(&a, 5, 1);
        mw_scheduler_set_budget(m.s, 10);
        CHECK_INT(mw_scheduler_turn(m.s), 1);
        CHECK_INT(count, 10);
        CHECK_INT(mw_scheduler_turn(m.s), 1);
        CHECK_TEXT(d.text, "a1 ");
        mw_clear(busy);
        close_mesh(&m);
    }
}

static void take_note(void *context)
{
    ++*(int *)context;
}

static void a_loop_is_told_once_when_there_is_work(void)
{
    struct mesh m = open_priorities(false);
    struct diary d = {0};
    struct link a = {&d, "a", NULL};
    int told = 0;
    mw_tasklet *t = new_link(&a, 1, 0);

    mw_scheduler_on_ready(m.s, take_note, &told);
    send_ints(t, 1, 2);
    CHECK_INT(told, 1);
    CHECK(!mw_scheduler_is_idle(m.s));
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    send_ints(t, 3, 3);
    CHECK_INT(told, 2);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    close_mesh(&m);
}

static int end_all(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    (void)item;
    mw_scheduler_free(scope);
    return (int)mw_scheduler_run(scope) == -EBUSY ? 0 : -EINVAL;
}

static void a_scheduler_freed_by_its_own_tasklet_ends_when_the_run_is_over(void)
{
    int64_t before = mw_memory_stats().live_blocks;
    struct mesh m = open_priorities(true);
    struct diary d = {0};
    struct link a = {&d, "a", NULL};

    send_ints(mw_handler_new(end_all, m.s), 1, 1);
    new_link(&a, 1, 1);
    mw_scheduler_leave(m.previous);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(d.text, "a1 ");
    CHECK_INT(mw_memory_stats().live_blocks, before);
}

/* ---- the trace ------------------------------------------------------------------------------------------------------- */
static void note_trace(void *context, const struct mw_trace_event *e)
{
    mw_value line = mw_trace_text(e);

    note(context, "%s|", mw_get_text(&line, NULL));
    mw_release(line);
}

static void the_trace_tells_what_runs_on_what_and_what_is_put_back(void)
{
    struct mesh m = open_priorities(true);
    struct diary d = {0}, quiet = {0};
    mw_tasklet *t = mw_handler_new(write_item, &quiet);

    mw_set_priority(t, -3);
    send_ints(t, 1, 1);
    mw_tasklet_set_name(t, "tee");
    mw_send(t, mw_opaque(&d, NULL));
    CHECK_INT(mw_scheduler_on_trace(m.s, note_trace, &d), 0);
    CHECK_INT(mw_scheduler_run(m.s), 2);
    CHECK_TEXT(read_diary(&d),
               "Scheduler executes tee on priority -3|    1 <-- processing just this data|    <opaque>|"
               "Scheduler puts tee back into priority queue.|"
               "Scheduler executes tee on priority -3|    <opaque> <-- processing just this data|");
    CHECK_INT(mw_scheduler_on_trace(m.s, NULL, NULL), 0);
    send_ints(t, 1, 1);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    CHECK_TEXT(d.text, "");
    close_mesh(&m);
}

struct meddler {
    enum mw_trace_kind at;
    struct diary *d;
};
static void free_what_is_told(void *context, const struct mw_trace_event *e)
{
    struct meddler *m = context;

    note(m->d, "%d ", (int)e->kind);
    if (e->kind == m->at)
        mw_tasklet_free(e->tasklet);
}

static void whoever_listens_may_free_the_tasklet(void)
{
    static const char *const want[] = {"0 3 ", "0 1 3 ", "a1 0 1 1 1 2 3 "};
    int at;

    for (at = MW_TRACE_EXECUTES; at <= MW_TRACE_PUTS_BACK; at++) {
        struct mesh m = open_priorities(true);
        struct diary d = {0}, seen = {0};
        struct link a = {&d, "a", NULL};
        struct meddler meddler = {(enum mw_trace_kind)at, &seen};

        new_link(&a, 1, 3);
        mw_scheduler_on_trace(m.s, free_what_is_told, &meddler);
        CHECK_INT(mw_scheduler_run(m.s), at == MW_TRACE_PUTS_BACK);
        note(&d, "%s", seen.text);
        CHECK_TEXT(d.text, want[at]);
        CHECK_INT(mw_scheduler_stats(m.s).tasklets, 0);
        close_mesh(&m);
    }
}

static void wrong_arguments_are_answered(void)
{
    struct mesh m = open_mesh();
    mw_tasklet *t = mw_tasklet_new(NULL, NULL);
    int priority;

    CHECK_INT(mw_scheduler_on_trace(NULL, note_trace, NULL), -EINVAL);
    CHECK_INT(mw_set_priority(NULL, 1), -EINVAL);
    CHECK_INT(mw_set_priority_function(t, NULL, NULL), -EINVAL);
    CHECK_INT(mw_set_priority_function(NULL, scripted, NULL), -EINVAL);
    CHECK_INT(mw_get_priority(NULL, &priority), -EINVAL);
    CHECK_INT(mw_get_priority(t, NULL), -EINVAL);
    close_mesh(&m);
}

/* ---- memory -------------------------------------------------------------------------------------------------------------- */
static void once_warm_nothing_is_allocated(void)
{
    int incremental, round, i;

    for (incremental = 0; incremental < 2; incremental++) {
        struct mesh m = open_priorities(incremental);
        struct diary d = {0};
        struct link a = {&d, "", NULL};
        mw_tasklet *t[200];
        int64_t warm = 0;

        for (i = 0; i < 200; i++) {
            t[i] = mw_handler_new(link_handler, &a);
            mw_set_priority(t[i], i * 7919 % 200);
        }
        for (round = 0; round < 4; round++) {
            warm = mw_memory_stats().allocations;
            for (i = 0; i < 200; i++)
                send_ints(t[i], 1, 3);
            CHECK_INT(mw_scheduler_run(m.s), 600);
        }
        CHECK_INT(mw_memory_stats().allocations, warm);
        close_mesh(&m);
    }
}

static void build_and_run(void)
{
    mw_scheduler *s = mw_priority_scheduler_new(true), *previous;
    struct diary d = {0};
    struct link a = {&d, "", NULL};
    int i;

    if (!s)
        return;
    previous = mw_scheduler_enter(s);
    for (i = 0; i < 70; i++) {
        mw_tasklet *t = i % 9 ? mw_handler_new(link_handler, &a) : mw_tasklet_new(link_body, &a);

        (void)mw_set_priority(t, i % 5);
        (void)mw_send(t, mw_int(i));
        (void)mw_send(t, mw_int(i));
    }
    CHECK(mw_scheduler_run(s) >= 0);
    CHECK(mw_scheduler_is_idle(s));
    mw_scheduler_leave(previous);
    mw_scheduler_free(s);
}

static void every_allocation_may_fail(void)
{
    int64_t made, n, before;

    mw_thread_end();
    before = mw_memory_stats().live_blocks;
    (void)mw_memory_fail_at(0, false);
    build_and_run();
    made = mw_memory_fail_at(0, false);
    CHECK(made > 70);
    for (n = 1; n <= made; n++) {
        mw_thread_end();
        (void)mw_memory_fail_at(n, false);
        build_and_run();
        (void)mw_memory_fail_at(0, false);
        mw_thread_end();
        CHECK_INT(mw_memory_stats().live_blocks, before);
    }
}

/* ---- against the blog's loop ------------------------------------------------------------------------------------------------ */
enum { NODES = 90, ITEMS = 60, LOG = 100000 };
struct world {
    int64_t queues[NODES][2048]; /* the model's */
    int heads[NODES], tails[NODES], priorities[NODES];
    uint64_t seeds[NODES];
    int64_t log[LOG];
    size_t count;
    mw_tasklet *nodes[NODES];
};
struct node {
    struct world *w;
    int id;
};

static uint64_t next_random(uint64_t *seed)
{
    return (*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407)) >> 33;
}

static int next_priority(struct world *w, int id)
{
    int kind = id % 3;

    return kind == 0 ? w->priorities[id] : (int)(next_random(&w->seeds[id]) % 10) - 5;
}

/* What a node does with an item, in both worlds: it notes it and sends smaller ones on. */
static void node_work(struct world *w, int id, int64_t item, void (*send)(struct world *w, int to, int64_t item))
{
    CHECK(w->count < LOG);
    w->log[w->count++] = id * 1000 + item;
    while (item > 0) {
        uint64_t draw = next_random(&w->seeds[id]);

        item -= 1 + (int64_t)(draw & 15);
        if (item > 0)
            send(w, (int)(draw >> 8) % NODES, item);
    }
}

static void send_to_model(struct world *w, int to, int64_t item)
{
    CHECK(w->tails[to] < 2048);
    w->queues[to][w->tails[to]++] = item;
}
static void send_to_mesh(struct world *w, int to, int64_t item)
{
    CHECK_INT(mw_send(w->nodes[to], mw_int(item)), 0);
}

static int node_handler(mw_tasklet *self, void *scope, mw_value item)
{
    struct node *n = scope;

    (void)self;
    node_work(n->w, n->id, item.as.integer, send_to_mesh);
    return 0;
}
static int node_body(mw_tasklet *self, void *scope)
{
    mw_value item;

    while (mw_receive(self, &item))
        (void)node_handler(self, scope, item);
    return 0;
}
static mw_priority node_priority(mw_tasklet *t, void *context)
{
    struct node *n = context;

    (void)t;
    return (mw_priority){.value = next_priority(n->w, n->id)};
}

/* The blog's flush: fill, process until the queue is empty, until a fill gives nothing. The queue is an unsorted list. */
static void run_model(struct world *w, bool incremental)
{
    struct {
        int priority, order, id;
    } queue[NODES];
    int count, order, i, least;

    for (;;) {
        count = order = 0;
        for (i = 0; i < NODES; i++) {
            if (w->heads[i] < w->tails[i]) {
                queue[count].priority = next_priority(w, i);
                queue[count].order = order++;
                queue[count++].id = i;
            }
        }
        if (count == 0)
            return;
        while (count > 0) {
            int id;

            for (least = 0, i = 1; i < count; i++) {
                if (queue[i].priority < queue[least].priority ||
                    (queue[i].priority == queue[least].priority && queue[i].order < queue[least].order))
                    least = i;
            }
            id = queue[least].id;
            queue[least] = queue[--count];
            do
                node_work(w, id, w->queues[id][w->heads[id]++], send_to_model);
            while (!incremental && w->heads[id] < w->tails[id]);
            if (w->heads[id] < w->tails[id]) {
                queue[count].priority = next_priority(w, id);
                queue[count].order = order++;
                queue[count++].id = id;
            }
        }
    }
}

static void reset_world(struct world *w, uint64_t seed)
{
    int i;

    memset(w, 0, sizeof(*w));
    for (i = 0; i < NODES; i++) {
        w->seeds[i] = seed * 1000 + (uint64_t)i;
        w->priorities[i] = (int)(next_random(&seed) % 10) - 5;
    }
}

static void random_meshes_run_as_in_the_blogs_loop(void)
{
    static struct world want, got;
    static struct node scopes[NODES];
    uint64_t seed;
    int i;

    for (seed = 1; seed <= 60; seed++) {
        bool incremental = seed & 1;
        struct mesh m = open_priorities(incremental);
        uint64_t draw = seed;

        reset_world(&want, seed);
        reset_world(&got, seed);
        for (i = 0; i < NODES; i++) {
            scopes[i] = (struct node){&got, i};
            got.nodes[i] = i % 7 ? mw_handler_new(node_handler, &scopes[i]) : mw_tasklet_new(node_body, &scopes[i]);
            if (i % 3)
                mw_set_priority_function(got.nodes[i], node_priority, &scopes[i]);
            else
                mw_set_priority(got.nodes[i], got.priorities[i]);
        }
        for (i = 0; i < ITEMS; i++) {
            int to = (int)(next_random(&draw) % NODES);
            int64_t item = (int64_t)(next_random(&draw) % 40) + 1;

            send_to_model(&want, to, item);
            send_to_mesh(&got, to, item);
        }
        run_model(&want, incremental);
        if (seed % 4 < 2) {
            CHECK_INT(mw_scheduler_run(m.s), want.count);
        } else {
            mw_scheduler_set_budget(m.s, 100 + seed); /* in turns; more than any of them has in a round */
            while (mw_scheduler_turn(m.s) > 0)
                continue;
        }
        CHECK_INT(got.count, want.count);
        CHECK(memcmp(got.log, want.log, want.count * sizeof(got.log[0])) == 0);
        CHECK(want.count > ITEMS);
        close_mesh(&m);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(the_lowest_number_runs_first),
        TEST(equal_priorities_run_in_the_order_of_their_queueing),
        TEST(a_throng_of_any_size_and_range_of_priorities_runs_in_order),
        TEST(who_comes_or_goes_or_has_another_priority_takes_its_new_place_after_any_number_of_rounds),
        TEST(what_is_sent_to_those_outside_the_round_waits_for_the_next),
        TEST(what_is_sent_to_those_in_the_round_is_processed_in_it),
        TEST(set_ups_run_before_the_round_and_bring_nobody_into_it),
        TEST(a_function_is_asked_again_at_each_put_back),
        TEST(functions_may_give_functions_sixteen_deep),
        TEST(a_priority_that_cannot_be_told_is_reported_and_comes_last),
        TEST(a_function_that_frees_its_tasklet_does_no_harm),
        TEST(functions_that_free_and_make_others_do_no_harm),
        TEST(those_in_the_queue_may_be_freed_moved_closed_and_changed),
        TEST(one_that_restarts_itself_is_put_back_with_what_it_has),
        TEST(a_round_survives_that_positions_change),
        TEST(where_turns_end_shows_neither_in_what_is_done_nor_in_the_order),
        TEST(one_that_refills_itself_for_ever_starves_nobody),
        TEST(a_loop_is_told_once_when_there_is_work),
        TEST(a_scheduler_freed_by_its_own_tasklet_ends_when_the_run_is_over),
        TEST(the_trace_tells_what_runs_on_what_and_what_is_put_back),
        TEST(whoever_listens_may_free_the_tasklet),
        TEST(wrong_arguments_are_answered),
        TEST(once_warm_nothing_is_allocated),
        TEST(every_allocation_may_fail),
        TEST(random_meshes_run_as_in_the_blogs_loop),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
