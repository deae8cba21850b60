/* The priority scheduler: priorities that are functions, and what happens to those that wait in a round for their turn.
 * Read next: src/scheduler/round.c.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

/* ---- functions ------------------------------------------------------------------------------------------------- */
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

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_function_is_asked_again_at_each_put_back),
        TEST(functions_may_give_functions_sixteen_deep),
        TEST(a_priority_that_cannot_be_told_is_reported_and_comes_last),
        TEST(a_function_that_frees_its_tasklet_does_no_harm),
        TEST(functions_that_free_and_make_others_do_no_harm),
        TEST(those_in_the_queue_may_be_freed_moved_closed_and_changed),
        TEST(one_that_restarts_itself_is_put_back_with_what_it_has),
        TEST(a_round_survives_that_positions_change),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
