/* Tasklets with a scope of their own: a copy that lies with them.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include <stdalign.h>
#include <stddef.h>

#include "base/memory.h"

struct counter {
    struct diary *d;
    int64_t sum, step;
};

static int count_steps(mw_tasklet *self, void *scope, mw_value item)
{
    struct counter *c = scope;

    (void)self;
    c->sum += item.as.integer * c->step;
    note(c->d, "%d ", (int)c->sum);
    return 0;
}

static int count_steps_on_a_stack(mw_tasklet *self, void *scope)
{
    mw_value item;

    while (mw_receive(self, &item))
        (void)count_steps(self, scope, item); /* 0 */
    return 0;
}

static void what_a_tasklet_was_given_as_its_own_is_a_copy(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct counter c = {.d = &d, .step = 2};
    mw_tasklet *handler = mw_handler_new_own(count_steps, &c), *coroutine;

    c.step = 10;
    coroutine = mw_tasklet_new_own(count_steps_on_a_stack, &c);
    c.step = 1000;
    CHECK(handler && coroutine);
    CHECK_TEXT(mw_tasklet_name(handler), "count_steps");
    send_ints(handler, 1, 2);
    send_ints(coroutine, 1, 2);
    CHECK_INT(mw_scheduler_run(m.s), 4);
    CHECK_TEXT(read_diary(&d), "2 6 10 30 ");
    CHECK_INT(c.sum, 0);
    CHECK(mw_tasklet_scope(handler) != (void *)&c);
    close_mesh(&m);
}

static void a_literal_may_be_its_own(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    mw_tasklet *t = mw_handler_new_own(count_steps, &(struct counter){.d = &d, .step = 3, .sum = 1});

    CHECK(t != NULL);
    CHECK_INT(mw_pass(t, mw_int(1)), 0);
    CHECK_TEXT(read_diary(&d), "4 ");
    close_mesh(&m);
}

static void a_restart_finds_it_as_it_was_left_and_a_rescope_leaves_it(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct counter other = {.d = &d, .step = 100};
    mw_tasklet *t = mw_handler_new_own(count_steps, &(struct counter){.d = &d, .step = 1});
    void *own = mw_tasklet_scope(t);

    CHECK_INT(mw_pass(t, mw_int(5)), 0);
    CHECK_INT(mw_restart(t, false), 0);
    CHECK(mw_tasklet_scope(t) == own);
    CHECK_INT(mw_pass(t, mw_int(1)), 0);
    CHECK_TEXT(read_diary(&d), "5 6 ");
    CHECK_INT(mw_rescope(t, (mw_scope){.data = &other}), 0);
    CHECK(mw_tasklet_scope(t) == (void *)&other);
    CHECK_INT(mw_pass(t, mw_int(1)), 0);
    CHECK_TEXT(read_diary(&d), "100 ");
    CHECK_INT(((struct counter *)own)->sum, 6);
    CHECK_INT(mw_set(t, count_steps_on_a_stack, (mw_scope){.data = own}), 0); /* by another name, and with its own again */
    CHECK_INT(mw_pass(t, mw_int(1)), 0);
    CHECK_TEXT(read_diary(&d), "7 ");
    close_mesh(&m);
}

static void release_of_the_copy(void *data)
{
    struct counter *c = data;

    note(c->d, "release of %d ", (int)c->sum);
}

static void options_give_one_its_own_too_and_release_is_told_of_the_copy(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct counter c = {.d = &d, .step = 1};
    mw_tasklet_options o = {.size = sizeof(o), .name = "own", .scope = {&c, release_of_the_copy}, .scope_bytes = sizeof(c), .stack_bytes = 8192};
    mw_tasklet *t = mw_tasklet_open(count_steps_on_a_stack, NULL, &o), *handler = mw_tasklet_open(NULL, count_steps, &o);

    CHECK(t && handler);
    CHECK_INT(mw_pass(t, mw_int(8)), 0);
    mw_tasklet_free(t);
    CHECK_TEXT(read_diary(&d), "8 release of 8 ");
    mw_tasklet_free(handler);
    CHECK_TEXT(read_diary(&d), "release of 0 ");
    o.stack_bytes = 1; /* wrong: what the call took is released */
    CHECK(mw_tasklet_open(count_steps_on_a_stack, NULL, &o) == NULL);
    CHECK_TEXT(read_diary(&d), "release of 0 ");
    close_mesh(&m);
}

static int check_bytes(mw_tasklet *self, void *scope, mw_value item)
{
    const unsigned char *bytes = scope;
    int64_t i;

    (void)self;
    for (i = 0; i < item.as.integer; i++)
        CHECK_INT(bytes[i], i * 7 % 251);
    return 0;
}

static void any_size_to_a_mebibyte_comes_and_goes(void)
{
    static const size_t sizes[] = {1, 7, 8, 9, 63, 64, 65, 128, 200, 256, 257, 4000, 1 << 20};
    static unsigned char bytes[1 << 20];
    struct mesh m = open_mesh();
    mw_tasklet *t[MW_COUNT(sizes)];
    size_t i, round;

    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 7 % 251);
    for (round = 0; round < 3; round++) {
        for (i = 0; i < MW_COUNT(sizes); i++) {
            t[i] = mw_handler_new_own_at(check_bytes, bytes, sizes[i], "check", __FILE__, 1); /* all in one place of the program */
            CHECK(t[i] != NULL);
            CHECK_INT((intptr_t)mw_tasklet_scope(t[i]) % (intptr_t)alignof(max_align_t), 0);
        }
        for (i = 0; i < MW_COUNT(sizes); i++)
            CHECK_INT(mw_send(t[i], mw_int((int64_t)sizes[i])), 0);
        CHECK_INT(mw_scheduler_run(m.s), MW_COUNT(sizes));
        for (i = 0; i < MW_COUNT(sizes); i++)
            mw_tasklet_free(t[(i + round) % MW_COUNT(sizes)]);
    }
    close_mesh(&m);
}

static void it_goes_along_into_another_mesh(void)
{
    struct mesh m = open_mesh();
    mw_scheduler *other = mw_taskmaster_new();
    struct diary d = {0};
    mw_tasklet *t = mw_handler_new_own(count_steps, &(struct counter){.d = &d, .step = 1});
    int64_t before;
    int i;

    CHECK_INT(mw_send(t, mw_int(4)), 0);
    CHECK_INT(mw_scheduler_add(other, t), 0);
    CHECK_INT(mw_scheduler_run(other), 1);
    CHECK_TEXT(read_diary(&d), "4 ");
    mw_tasklet_free(t); /* there */
    before = mw_memory_stats().live_blocks;
    for (i = 0; i < 1000; i++) {
        t = mw_handler_new_own(count_steps, &(struct counter){.d = &d});
        CHECK(t != NULL);
        CHECK_INT(mw_scheduler_add(other, t), 0);
        mw_tasklet_free(t);
    }
    CHECK(mw_memory_stats().live_blocks - before < 600); /* what is pooled there has an end */
    mw_scheduler_free(other);
    close_mesh(&m);
}

static void what_cannot_be_ones_own_is_refused_with_a_reason(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct counter c = {.d = &d};

    CHECK(mw_handler_new_own_at(count_steps, NULL, sizeof(c), "x", NULL, 0) == NULL);
    CHECK_TEXT(mw_scheduler_last_error(m.s)->text, "open tasklet 'x': a scope of its own is made of 1 byte to 1 MiB");
    CHECK(mw_handler_new_own_at(count_steps, &c, 0, "x", NULL, 0) == NULL);
    CHECK(mw_tasklet_new_own_at(count_steps_on_a_stack, &c, ((size_t)1 << 20) + 1, "x", NULL, 0) == NULL);
    CHECK(mw_tasklet_new_own_at(NULL, &c, sizeof(c), "x", NULL, 0) == NULL);
    CHECK_TEXT(mw_scheduler_last_error(m.s)->text, "open tasklet 'x': a scope of its own wants a body or a handler");
    close_mesh(&m);
}

static void without_memory_there_is_none_and_nothing_is_lost(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct counter c = {.d = &d};
    mw_tasklet *t = NULL;
    int64_t n;

    for (n = 1; !t; n++) {
        (void)mw_memory_fail_at(n, false);
        t = mw_handler_new_own(count_steps, &c);
        (void)mw_memory_fail_at(0, false);
        CHECK(t || n < 10);
    }
    CHECK(n > 2); /* it failed once */
    close_mesh(&m);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(what_a_tasklet_was_given_as_its_own_is_a_copy),
        TEST(a_literal_may_be_its_own),
        TEST(a_restart_finds_it_as_it_was_left_and_a_rescope_leaves_it),
        TEST(options_give_one_its_own_too_and_release_is_told_of_the_copy),
        TEST(any_size_to_a_mebibyte_comes_and_goes),
        TEST(it_goes_along_into_another_mesh),
        TEST(what_cannot_be_ones_own_is_refused_with_a_reason),
        TEST(without_memory_there_is_none_and_nothing_is_lost),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
