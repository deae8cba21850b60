/* Coroutines alone: the switch, what it preserves, stacks and their pool.
 * SPDX-License-Identifier: MIT */
#include "coroutine/coroutine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "check.h"
#include "coroutine/thread.h"

struct visit {
    struct coroutine *c;
    int passed[8], passes;
    int stage;
    uintptr_t address;
    double real;
};

static int note_three(void *argument)
{
    struct visit *v = argument;

    v->stage = 1;
    v->passed[v->passes++] = coroutine_leave(v->c);
    v->stage = 2;
    v->passed[v->passes++] = coroutine_leave(v->c);
    v->stage = 3;
    return v->stage;
}

static void a_coroutine_runs_between_leaves_and_gets_what_is_passed(void)
{
    struct visit v = {0};

    CHECK_INT(coroutine_new(STACK_BYTES_DEFAULT, &v.c, NULL), 0);
    CHECK_INT(v.stage, 0);
    coroutine_begin(v.c, note_three, &v);
    CHECK_INT(v.stage, 1);
    coroutine_enter(v.c, 42);
    CHECK_INT(v.stage, 2);
    coroutine_enter(v.c, -5);
    CHECK_INT(v.stage, 3);
    CHECK_INT(v.passes, 2);
    CHECK_INT(v.passed[0], 42);
    CHECK_INT(v.passed[1], -5);
    CHECK_INT(v.c->result, 3);
    coroutine_free(v.c);
}

static void one_that_is_entered_for_the_last_time_may_still_leave(void)
{
    struct visit v = {0};

    CHECK_INT(coroutine_new(STACK_BYTES_DEFAULT, &v.c, NULL), 0);
    coroutine_begin(v.c, note_three, &v);
    CHECK_INT(v.stage, 1);
    coroutine_enter_last(v.c, 42);
    CHECK_INT(v.stage, 2);
    coroutine_enter_last(v.c, -5);
    CHECK_INT(v.stage, 3);
    CHECK_INT(v.passed[0], 42);
    CHECK_INT(v.passed[1], -5);
    CHECK_INT(v.c->result, 3);
    coroutine_free(v.c);
}

static void a_coroutine_that_was_never_begun_can_be_freed(void)
{
    struct visit v = {0};

    CHECK_INT(coroutine_new(STACK_BYTES_DEFAULT, &v.c, NULL), 0);
    coroutine_free(v.c);
    CHECK_INT(v.stage, 0);
    coroutine_free(NULL);
}

static bool leave_as_bool(struct visit *v)
{
    return coroutine_leave_bool(v->c);
}

static int note_bools(void *argument)
{
    struct visit *v = argument;

    while (leave_as_bool(v))
        v->stage++;
    v->stage = -v->stage;
    return v->stage;
}

static void a_function_that_ends_in_a_leave_returns_what_is_passed(void)
{
    struct visit v = {0};
    int i;

    CHECK_INT(coroutine_new(STACK_BYTES_DEFAULT, &v.c, NULL), 0);
    coroutine_begin(v.c, note_bools, &v);
    for (i = 0; i < 5; i++)
        coroutine_enter(v.c, 1);
    CHECK_INT(v.stage, 5);
    coroutine_enter(v.c, 0);
    CHECK_INT(v.stage, -5);
    coroutine_free(v.c);
}

static int look_at_stack(void *argument)
{
    struct visit *v = argument;
    char here[64];

    memset(here, 1, sizeof(here));
    v->address = (uintptr_t)(void *)here;
    v->stage = snprintf(here, sizeof(here), "%.3f %s", v->real, "needs an aligned stack");
    coroutine_leave(v->c);
    return 0;
}

static void a_body_runs_on_its_own_aligned_stack(void)
{
    struct visit v = {.real = 1.5};

    CHECK_INT(coroutine_new(STACK_BYTES_DEFAULT, &v.c, NULL), 0);
    coroutine_begin(v.c, look_at_stack, &v);
#if !COROUTINE_ASAN /* there the array lies on a fake stack */
    CHECK(coroutine_has_address(v.c, (const void *)v.address));
#endif
    CHECK(!coroutine_has_address(v.c, &v));
    CHECK_INT(v.stage, (int)strlen("1.500 needs an aligned stack"));
    coroutine_enter(v.c, 0);
    coroutine_free(v.c);
}

/* Values that the compiler keeps in callee-saved registers, integer and floating point, over a switch. */
static uint64_t mix(struct coroutine *c, uint64_t seed, bool is_inside)
{
    uint64_t a = seed, b = seed * 3, d = seed * 5, e = seed * 7, f = seed * 11;
    double x = (double)seed, y = x * 2, z = x * 4;
    int i;

    for (i = 0; i < 100; i++) {
        if (is_inside)
            coroutine_leave(c);
        else
            coroutine_enter(c, i);
        a += b ^ (uint64_t)i;
        b += d;
        d ^= e;
        e += f;
        f -= a;
        x += y;
        y -= z;
        z += x / 1024;
    }
    return a ^ b ^ d ^ e ^ f ^ (uint64_t)(int64_t)(x + y + z);
}

static uint64_t mix_alone(uint64_t seed)
{
    uint64_t a = seed, b = seed * 3, d = seed * 5, e = seed * 7, f = seed * 11;
    double x = (double)seed, y = x * 2, z = x * 4;
    int i;

    for (i = 0; i < 100; i++) {
        a += b ^ (uint64_t)i;
        b += d;
        d ^= e;
        e += f;
        f -= a;
        x += y;
        y -= z;
        z += x / 1024;
    }
    return a ^ b ^ d ^ e ^ f ^ (uint64_t)(int64_t)(x + y + z);
}

struct mixing {
    struct coroutine *c;
    uint64_t result;
};

static int mix_inside(void *argument)
{
    struct mixing *m = argument;

    coroutine_leave(m->c);
    m->result = mix(m->c, 1234567, true);
    return 0;
}

static void registers_survive_the_switch_on_both_sides(void)
{
    struct mixing m = {0};
    uint64_t outside;

    CHECK_INT(coroutine_new(STACK_BYTES_DEFAULT, &m.c, NULL), 0);
    coroutine_begin(m.c, mix_inside, &m);
    outside = mix(m.c, 7654321, false);
    coroutine_enter(m.c, 0);
    CHECK_INT(outside, mix_alone(7654321));
    CHECK_INT(m.result, mix_alone(1234567));
    coroutine_free(m.c);
}

struct nest {
    struct coroutine *own;
    struct nest *inner;
    int depth;
};

static int go_deeper(void *argument)
{
    struct nest *n = argument;

    if (n->inner) {
        coroutine_begin(n->inner->own, go_deeper, n->inner);
        n->depth = n->inner->depth + 1;
    } else {
        n->depth = 1;
    }
    coroutine_leave(n->own);
    if (n->inner)
        coroutine_enter_last(n->inner->own, 0);
    return 0;
}

static void coroutines_enter_each_other_in_a_chain(void)
{
    struct nest nests[20] = {{0}};
    int i;

    for (i = 0; i < 20; i++) {
        nests[i].inner = i ? &nests[i - 1] : NULL;
        CHECK_INT(coroutine_new(STACK_BYTES_DEFAULT, &nests[i].own, NULL), 0);
    }
    coroutine_begin(nests[19].own, go_deeper, &nests[19]);
    CHECK_INT(nests[19].depth, 20);
    coroutine_enter(nests[19].own, 0);
    for (i = 0; i < 20; i++)
        coroutine_free(nests[i].own);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

static void a_stack_that_is_given_back_is_handed_out_again(void)
{
    struct stack *first, *second;

    CHECK_INT(stack_take(65536, &first, NULL), 0);
    stack_give(first);
    CHECK_INT(stack_take(65536, &second, NULL), 0);
    CHECK(first == second);
    stack_give(second);
}

static void stacks_of_different_sizes_have_their_own_pools(void)
{
    struct stack *small, *large, *again;

    CHECK_INT(stack_take(4096, &small, NULL), 0);
    CHECK_INT(stack_take(1 << 20, &large, NULL), 0);
    CHECK(small->bytes <= 4096 || sysconf(_SC_PAGESIZE) > 4096);
    CHECK(large->bytes > (1 << 20) - 128);
    memset(large->low, 1, large->bytes);
    memset(small->low, 1, small->bytes);
    stack_give(small);
    stack_give(large);
    CHECK_INT(stack_take(4000 + 96, &again, NULL), 0);
    CHECK(again == small);
    stack_give(again);
}

static void a_stack_of_a_wrong_size_is_refused(void)
{
    struct stack *s = NULL;
    struct mw_error error = {0};

    CHECK_INT(stack_take(4095, &s, &error), -EINVAL);
    CHECK_TEXT(error.text, "coroutine stack of 4095 bytes: 4096 to 8388608 are possible");
    CHECK_INT(stack_take(STACK_BYTES_MOST + 1, &s, NULL), -EINVAL);
    CHECK(s == NULL);
}

static void at_the_cap_a_stack_is_refused_with_the_reason_and_counted(void)
{
    struct stack *stacks[4] = {NULL};
    struct mw_error error = {0};
    uint64_t refused = mw_thread.stacks.refused;

    mw_thread.stacks.most = mw_thread.stacks.live + 3;
    CHECK_INT(stack_take(65536, &stacks[0], NULL), 0);
    CHECK_INT(stack_take(65536, &stacks[1], NULL), 0);
    CHECK_INT(stack_take(65536, &stacks[2], NULL), 0);
    CHECK_INT(stack_take(65536, &stacks[3], &error), -ENOMEM);
    CHECK(strstr(error.text, "the cap that was set is reached") != NULL);
    CHECK_INT(mw_thread.stacks.refused, refused + 1);
    stack_give(stacks[0]);
    CHECK_INT(stack_take(65536, &stacks[3], NULL), 0);
    mw_thread.stacks.most = 0;
    stack_give(stacks[1]);
    stack_give(stacks[2]);
    stack_give(stacks[3]);
}

static void many_stacks_come_and_go_and_the_pool_shrinks(void)
{
    enum { COUNT = 1000 };
    struct stack *stacks[COUNT];
    struct mw_memory_stats before = mw_memory_stats();
    int i;

    coroutine_pool_clear();
    for (i = 0; i < COUNT; i++) {
        CHECK_INT(stack_take(16384, &stacks[i], NULL), 0);
        stacks[i]->low[0] = (char)i;
        stacks[i]->low[stacks[i]->bytes - 1] = (char)i;
    }
    for (i = 0; i < COUNT; i++)
        CHECK_INT(stacks[i]->low[0], (char)i);
    for (i = 0; i < COUNT; i++)
        stack_give(stacks[i]);
    CHECK(mw_thread.stacks.live == 0);
    coroutine_pool_clear();
    CHECK(mw_memory_stats().live_blocks <= before.live_blocks);
}

static void a_stack_outlives_the_clearing_of_its_pool(void)
{
    struct stack *s;

    coroutine_pool_clear();
    CHECK_INT(stack_take(8192, &s, NULL), 0);
    coroutine_pool_clear();
    memset(s->low, 7, s->bytes);
    stack_give(s);
}

static void every_failing_allocation_is_an_error_and_leaks_nothing(void)
{
    struct mw_memory_stats before;
    int64_t n;

    coroutine_pool_clear();
    before = mw_memory_stats();
    for (n = 1; n < 10; n++) {
        struct stack *s = NULL;
        int err;

        mw_memory_fail_at(n, false);
        err = stack_take(65536, &s, NULL);
        mw_memory_fail_at(0, false);
        if (err == 0)
            stack_give(s);
        else
            CHECK_INT(err, -ENOMEM);
        coroutine_pool_clear();
        CHECK_INT(mw_memory_stats().live_blocks, before.live_blocks);
        if (err == 0)
            break;
    }
    CHECK(n > 1 && n < 10);
}

#if !COROUTINE_ASAN && !COROUTINE_TSAN
static int overflow(struct visit *v, int depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    if (depth > 0)
        return overflow(v, depth - 1) + frame[0];
    return frame[0];
}

static int overflow_inside(void *argument)
{
    struct visit *v = argument;

    v->stage = overflow(v, 1 << 20);
    return 0;
}

/* In a child: does running past the end of a stack hit the guard, not the neighbour? */
static void check_guard(enum stack_guard guard)
{
    int status = 0;
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        struct visit v = {0};

        coroutine_pool_clear();
        mw_thread.stacks.guard = guard;
        if (coroutine_new(4096, &v.c, NULL) < 0)
            _exit(3);
        signal(SIGSEGV, SIG_DFL);
        coroutine_begin(v.c, overflow_inside, &v);
        _exit(4);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS));
}

static void an_overflowing_stack_hits_its_guard(void)
{
    check_guard(STACK_GUARD_UNKNOWN);
    check_guard(STACK_GUARD_PROTECTED);
}
#endif

static void *run_one_elsewhere(void *argument)
{
    struct visit *v = argument;

    if (coroutine_new(STACK_BYTES_DEFAULT, &v->c, NULL) < 0)
        return NULL;
    coroutine_begin(v->c, note_three, v);
    coroutine_enter(v->c, 1);
    coroutine_enter(v->c, 2);
    coroutine_free(v->c);
    coroutine_pool_clear();
    return v;
}

static void each_thread_has_its_own_stacks(void)
{
    struct visit v = {0};
    pthread_t thread;
    void *result = NULL;

    CHECK_INT(pthread_create(&thread, NULL, run_one_elsewhere, &v), 0);
    CHECK_INT(pthread_join(thread, &result), 0);
    CHECK(result == &v);
    CHECK_INT(v.stage, 3);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_coroutine_runs_between_leaves_and_gets_what_is_passed),
        TEST(one_that_is_entered_for_the_last_time_may_still_leave),
        TEST(a_coroutine_that_was_never_begun_can_be_freed),
        TEST(a_function_that_ends_in_a_leave_returns_what_is_passed),
        TEST(a_body_runs_on_its_own_aligned_stack),
        TEST(registers_survive_the_switch_on_both_sides),
        TEST(coroutines_enter_each_other_in_a_chain),
        TEST(a_stack_that_is_given_back_is_handed_out_again),
        TEST(stacks_of_different_sizes_have_their_own_pools),
        TEST(a_stack_of_a_wrong_size_is_refused),
        TEST(at_the_cap_a_stack_is_refused_with_the_reason_and_counted),
        TEST(many_stacks_come_and_go_and_the_pool_shrinks),
        TEST(a_stack_outlives_the_clearing_of_its_pool),
        TEST(every_failing_allocation_is_an_error_and_leaks_nothing),
#if !COROUTINE_ASAN && !COROUTINE_TSAN
        TEST(an_overflowing_stack_hits_its_guard),
#endif
        TEST(each_thread_has_its_own_stacks),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
