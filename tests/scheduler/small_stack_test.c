/* Stacks of less than a page: asked for by name, what fits on them, what they cost, and how an overflow is found.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include "base/memory.h"
#include "last_words.h"
#include "tasklet/tasklet_priv.h"

static mw_tasklet *open_on(size_t stack_bytes, mw_body *body, void *scope)
{
    return mw_tasklet_open(body, NULL,
                           &(mw_tasklet_options){.size = sizeof(mw_tasklet_options), .scope = {.data = scope}, .stack_bytes = stack_bytes,
                                                 .file = "small.c", .line = 5});
}

/* Under tools that need more, all stacks are as large as usual. */
static bool has_small(void)
{
    return !COROUTINE_UCONTEXT && !COROUTINE_ASAN && !COROUTINE_TSAN;
}

struct counter {
    int64_t sum;
    mw_tasklet *target;
    int closes, waits;
};

static int add_up(mw_tasklet *self, void *scope)
{
    struct counter *c = scope;
    mw_value item;

    while (mw_receive(self, &item)) {
        c->sum += item.as.integer;
        if (c->target)
            mw_send(c->target, item);
    }
    c->closes++;
    return 0;
}

static void a_small_one_hands_on_what_comes(void)
{
    static const size_t sizes[] = {MW_STACK_1K, MW_STACK_2K};
    size_t i;

    for (i = 0; i < MW_COUNT(sizes); i++) {
        struct mesh m = open_mesh();
        struct counter last = {0}, first = {0};
        mw_tasklet *t;

        first.target = open_on(sizes[i], add_up, &last);
        t = open_on(sizes[i], add_up, &first);
        CHECK_INT(mw_tasklet_stats(t).capacity_items, 1024);
        send_ints(t, 1, 100);
        CHECK_INT(mw_scheduler_run(m.s), 200);
        CHECK_INT(last.sum, 5050);
        if (has_small())
            CHECK_INT(t->coroutine->stack->bytes + sizeof(struct stack), (size_t)0 - sizes[i]);
        CHECK_INT(mw_restart(t, false), 0); /* the next body has as much */
        CHECK_INT(first.closes, 1);
        send_ints(t, 1, 1);
        CHECK_INT(mw_flush(t), 1);
        if (has_small())
            CHECK_INT(t->coroutine->stack->bytes + sizeof(struct stack), (size_t)0 - sizes[i]);
        close_mesh(&m);
    }
}

static void only_the_names_are_taken_no_small_number_is(void)
{
    struct mesh m = open_mesh();
    struct counter c = {0};

    CHECK(open_on(1024, add_up, &c) == NULL);
    CHECK(open_on(2048, add_up, &c) == NULL);
    CHECK(open_on(1, add_up, &c) == NULL);
    CHECK(open_on((size_t)0 - 1000, add_up, &c) == NULL);
    CHECK_INT(mw_scheduler_stats(m.s).tasklets, 0);
    close_mesh(&m);
}

static void one_keeps_its_size_where_it_moves_and_with_another_body(void)
{
    struct mesh m = open_mesh();
    mw_scheduler *other = mw_taskmaster_new();
    struct counter c = {0};
    mw_tasklet *t = open_on(MW_STACK_1K, add_up, &c), *beside = mw_tasklet_new_at(add_up, &c, NULL, "small.c", 5);

    CHECK_INT(mw_scheduler_add(other, t), 0);
    CHECK_INT(mw_set(t, add_up, (mw_scope){.data = &c}), 0);
    CHECK_INT(mw_start(t), 0);
    CHECK_INT(mw_start(beside), 0);
    if (has_small())
        CHECK_INT(t->coroutine->stack->bytes + sizeof(struct stack), 1024);
    CHECK(beside->coroutine->stack->bytes + sizeof(struct stack) >= 65536); /* made at the same place, with a usual one */
    mw_scheduler_free(other);
    close_mesh(&m);
}

static void so_does_one_of_some_pages(void)
{
    struct mesh m = open_mesh();
    mw_scheduler *other = mw_taskmaster_new();
    struct counter c = {0};
    mw_tasklet *t = open_on(3 * 65536 - 100, add_up, &c);

    CHECK_INT(mw_scheduler_add(other, t), 0);
    CHECK_INT(mw_set(t, add_up, (mw_scope){.data = &c}), 0);
    CHECK_INT(mw_start(t), 0);
    CHECK(t->coroutine->stack->bytes + sizeof(struct stack) >= 3 * 65536);
    CHECK(t->coroutine->stack->bytes < 4 * 65536);
    mw_scheduler_free(other);
    close_mesh(&m);
}

static int sleep_and_ask(mw_tasklet *self, void *scope)
{
    struct counter *c = scope;
    mw_value item, answer;

    while (mw_receive(self, &item)) {
        c->waits += mw_sleep_until(self, mw_clock(self) + 1000) == 0;
        if (mw_ask(c->target, item, MW_FOREVER, &answer) == 0)
            c->sum += answer.as.integer;
    }
    return 0;
}

static int answer_twice_as_much(mw_tasklet *self, void *scope)
{
    struct counter *c = scope;
    mw_value item;

    while (mw_receive(self, &item))
        if (item.as.integer != 3)
            c->sum += mw_answer(self, mw_int(item.as.integer * 2)) == 0; /* to 3 it goes on without an answer */
    return 0;
}

static void small_ones_sleep_ask_and_answer(void)
{
    struct mesh m = open_mesh();
    struct counter asks = {0}, answers = {0};
    mw_tasklet *t = open_on(MW_STACK_2K, sleep_and_ask, &asks);

    asks.target = open_on(MW_STACK_2K, answer_twice_as_much, &answers);
    send_ints(t, 1, 4);
    CHECK(mw_scheduler_run(m.s) >= 8);
    CHECK_INT(asks.waits, 4);
    CHECK_INT(asks.sum, 2 + 4 + 8);
    CHECK_INT(answers.sum, 3);
    close_mesh(&m);
}

static void an_idle_one_holds_less_than_a_kilobyte_and_a_fifth(void)
{
    enum { MANY = 20000 };
    struct mesh m = open_mesh();
    struct counter c = {0};
    int64_t blocks = mw_memory_stats().live_bytes;
    size_t stacks = 0;
    int i;

    for (i = 0; i < MANY && has_small(); i++) {
        mw_tasklet *t = open_on(MW_STACK_1K, add_up, &c);

        CHECK_INT(mw_start(t), 0);
        stacks += t->coroutine->stack->bytes + sizeof(struct stack);
    }
    CHECK(((size_t)(mw_memory_stats().live_bytes - blocks) + stacks) / MANY <= 1200);
    CHECK_INT(mw_thread.stacks.live_small, has_small() ? MANY : 0); /* no guard: none of the mappings that a process may have */
    close_mesh(&m);
    CHECK_INT(mw_thread.stacks.live_small, 0);
    CHECK_INT(mw_thread.stacks.live, mw_thread.stacks.spare_count);
}

static void an_idle_one_of_a_page_holds_little_beside_it(void)
{
    enum { MANY = 5000 };
    struct mesh m = open_mesh();
    struct counter c = {0};
    int64_t blocks = mw_memory_stats().live_bytes;
    int i;

    for (i = 0; i < MANY; i++)
        CHECK_INT(mw_start(open_on(STACK_BYTES_LEAST, add_up, &c)), 0);
    CHECK((mw_memory_stats().live_bytes - blocks) / MANY <= 320); /* of which a checked build takes most */
    close_mesh(&m);
}

/* ---- too much ------------------------------------------------------------------------------------------- */
static int64_t descend(volatile char *above, int depth)
{
    volatile char room[64];

    size_t i;

    for (i = 0; i < sizeof(room); i++)
        room[i] = above ? above[i] : (char)depth;
    return depth == 0 ? room[0] : descend(room, depth - 1) + room[1];
}

static int go_deep(mw_tasklet *self, void *scope)
{
    struct counter *c = scope;
    mw_value item;

    while (mw_receive(self, &item)) {
        c->sum += descend(NULL, (int)item.as.integer);
        if (item.as.integer > 2)
            (void)mw_sleep_until(self, MW_FOREVER);
    }
    return 0;
}

enum way { BY_RUN, BY_NEXT, BY_CLOSE };

static void overflow(void *context)
{
    const int way = *(const int *)context;
    struct mesh m = open_mesh();
    struct counter c = {0}, unhurt = {0};
    mw_tasklet *t;
    int i;

    for (i = 0; i < 32; i++) /* theirs lie below, and are written to */
        (void)mw_start(open_on(MW_STACK_1K, add_up, &unhurt));
    t = mw_tasklet_open(go_deep, NULL,
                        &(mw_tasklet_options){.size = sizeof(mw_tasklet_options), .name = "deep", .scope = {.data = &c},
                                              .stack_bytes = MW_STACK_1K, .file = "small.c", .line = 9});
    (void)mw_start(t);
    (void)mw_send(t, mw_int(1)); /* so much fits */
    (void)mw_scheduler_run(m.s);
    if (way == BY_CLOSE)
        memset(t->coroutine->stack->low, 0, 8); /* somebody else's doing: found at its end as well */
    (void)mw_send(t, mw_int(20));
    if (way == BY_RUN)
        (void)mw_scheduler_run(m.s);
    else if (way == BY_NEXT)
        (void)mw_next(t);
    else
        (void)mw_close(t);
    _exit(3);
}

/* Under valgrind a child says more than we do. */
static bool can_overflow(void)
{
#if COROUTINE_VALGRIND
    if (RUNNING_ON_VALGRIND)
        return false;
#endif
    return has_small();
}

static void an_overflow_ends_the_process_with_the_tasklets_name(void)
{
    int way;

    if (!can_overflow())
        return;
    for (way = BY_RUN; way <= BY_CLOSE; way++)
        check_last_words(overflow, &way,
                         "meshwork: tasklet 'deep' overflowed its stack of 1024 bytes (made at small.c:9); give it more by .stack_bytes");
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_small_one_hands_on_what_comes),
        TEST(only_the_names_are_taken_no_small_number_is),
        TEST(one_keeps_its_size_where_it_moves_and_with_another_body),
        TEST(so_does_one_of_some_pages),
        TEST(small_ones_sleep_ask_and_answer),
        TEST(an_idle_one_holds_less_than_a_kilobyte_and_a_fifth),
        TEST(an_idle_one_of_a_page_holds_little_beside_it),
        TEST(an_overflow_ends_the_process_with_the_tasklets_name),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
