/* Allocation: what is counted, what fails on demand, what arithmetic refuses; the monotonic clock.
 * SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <pthread.h>

#include "check.h"

static void a_block_is_counted_until_it_is_freed(void)
{
    struct mw_memory_stats before = mw_memory_stats(), during, after;
    void *block = mw_alloc(1000);

    CHECK(block != NULL);
    during = mw_memory_stats();
    CHECK_INT(during.live_blocks - before.live_blocks, 1);
    CHECK_INT(during.allocations - before.allocations, 1);
    CHECK(during.live_bytes - before.live_bytes >= 1000 && during.live_bytes - before.live_bytes < 1100);
    mw_free(block);
    after = mw_memory_stats();
    CHECK_INT(after.live_blocks, before.live_blocks);
    CHECK_INT(after.live_bytes, before.live_bytes);
    CHECK_INT(after.allocations - before.allocations, 1);
}

static void a_resized_block_keeps_its_bytes_and_is_one_block(void)
{
    struct mw_memory_stats before = mw_memory_stats();
    char *block = mw_resize(NULL, 4);

    CHECK(block != NULL);
    memcpy(block, "abc", 4);
    block = mw_resize(block, 100000);
    CHECK_TEXT(block, "abc");
    CHECK_INT(mw_memory_stats().live_blocks - before.live_blocks, 1);
    CHECK(mw_memory_stats().live_bytes - before.live_bytes >= 100000);
    block = mw_resize(block, 0);
    CHECK(block != NULL);
    CHECK(mw_memory_stats().live_bytes - before.live_bytes < 100000);
    mw_free(block);
    CHECK_INT(mw_memory_stats().live_bytes, before.live_bytes);
}

static void a_mapping_lies_at_a_multiple_of_its_size_zeroed_and_counted(void)
{
    struct mw_memory_stats before = mw_memory_stats();
    enum { BYTES = 65536, MAPPINGS = 5 };
    char *mappings[MAPPINGS];
    int i;

    for (i = 0; i < MAPPINGS; i++) {
        mappings[i] = mw_map_aligned(BYTES);
        CHECK(mappings[i] != NULL);
        CHECK_INT((uintptr_t)mappings[i] % BYTES, 0);
        CHECK(mappings[i][0] == 0 && mappings[i][BYTES - 1] == 0);
        memset(mappings[i], 1, BYTES);
    }
    CHECK_INT(mw_memory_stats().live_bytes - before.live_bytes, MAPPINGS * BYTES);
    (void)mw_memory_fail_at(1, false);
    CHECK(mw_map_aligned(BYTES) == NULL);
    for (i = 0; i < MAPPINGS; i++)
        mw_unmap(mappings[i], BYTES);
    CHECK_INT(mw_memory_stats().live_bytes, before.live_bytes);
}

static void no_bytes_give_a_block_all_the_same(void)
{
    void *a = mw_alloc(0), *b = mw_alloc_zeroed(0, 8), *c = mw_alloc_zeroed(8, 0);

    CHECK(a && b && c);
    mw_free(a);
    mw_free(b);
    mw_free(c);
    mw_free(NULL);
}

static void zeroed_memory_is_zero(void)
{
    unsigned char *block = mw_alloc_zeroed(64, 64);

    CHECK(block != NULL);
    for (int i = 0; i < 64 * 64; i++)
        CHECK_INT(block[i], 0);
    mw_free(block);
}

static void a_product_that_overflows_is_out_of_memory(void)
{
    volatile size_t most = SIZE_MAX;
    size_t sum = 7;

    CHECK(mw_alloc_zeroed(most / 2, 3) == NULL);
    CHECK(!mw_add_size(most, 1, &sum) || sum == 0);
    CHECK(!mw_multiply_size(most, 2, &sum) || sum == SIZE_MAX - 1);
    CHECK(mw_add_size(most - 1, 1, &sum));
    CHECK(sum == SIZE_MAX);
}

static void the_nth_request_fails_once(void)
{
    void *a, *c;

    (void)mw_memory_fail_at(2, false);
    a = mw_alloc(1);
    CHECK(a != NULL);
    CHECK(mw_alloc(1) == NULL);
    c = mw_alloc_zeroed(1, 1);
    CHECK(c != NULL);
    CHECK_INT(mw_memory_fail_at(0, false), 3);
    mw_free(a);
    mw_free(c);
}

static void from_the_nth_request_on_all_fail_when_asked_to(void)
{
    char *block = mw_alloc(1);

    (void)mw_memory_fail_at(1, true);
    CHECK(mw_alloc(1) == NULL);
    CHECK(mw_alloc_zeroed(1, 1) == NULL);
    CHECK(mw_resize(block, 2000) == NULL); /* and block stays */
    CHECK(mw_copy_text("x") == NULL);
    CHECK_INT(mw_memory_fail_at(0, false), 4);
    mw_free(block);
    block = mw_alloc(1);
    CHECK(block != NULL);
    mw_free(block);
}

static void *allocate_elsewhere(void *argument)
{
    (void)argument;
    return mw_alloc(10);
}

static void a_failure_is_asked_for_on_one_thread_only(void)
{
    pthread_t other;
    void *block = NULL;

    (void)mw_memory_fail_at(1, true);
    CHECK_INT(pthread_create(&other, NULL, allocate_elsewhere, NULL), 0);
    CHECK_INT(pthread_join(other, &block), 0);
    (void)mw_memory_fail_at(0, false);
    CHECK(block != NULL);
    mw_free(block);
}

static void *churn(void *argument)
{
    for (int i = 0; i < 500; i++)
        mw_free(mw_alloc((size_t)i));
    return argument;
}

/* More threads than have counters of their own. */
static void the_counters_are_exact_over_many_threads(void)
{
    struct mw_memory_stats before = mw_memory_stats(), after;
    enum { ROUNDS = 25, AT_ONCE = 4 };

    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[AT_ONCE];
        void *block = NULL;
        pthread_t maker;

        for (int i = 0; i < AT_ONCE; i++)
            CHECK_INT(pthread_create(&threads[i], NULL, churn, NULL), 0);
        CHECK_INT(pthread_create(&maker, NULL, allocate_elsewhere, NULL), 0);
        CHECK_INT(pthread_join(maker, &block), 0);
        mw_free(block); /* on another thread than it came from */
        for (int i = 0; i < AT_ONCE; i++)
            CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    after = mw_memory_stats();
    CHECK_INT(after.live_blocks, before.live_blocks);
    CHECK_INT(after.live_bytes, before.live_bytes);
    CHECK_INT(after.allocations - before.allocations, ROUNDS * (AT_ONCE * 500 + 1));
}

static void a_checked_build_fills_fresh_memory(void)
{
#ifdef MW_CHECKED
    unsigned char *block = mw_alloc(8);

    CHECK(block != NULL);
    for (int i = 0; i < 8; i++)
        CHECK_INT(block[i], 0xa5);
    block = mw_resize(block, 4000);
    CHECK(block != NULL);
    CHECK_INT(block[3999], 0xa5);
    mw_free(block);
#endif
}

static void a_copied_text_is_its_own(void)
{
    char text[] = "abc", *copy = mw_copy_text(text);

    text[0] = 'x';
    CHECK_TEXT(copy, "abc");
    CHECK(mw_copy_text(NULL) == NULL);
    mw_free(copy);
}

static void the_clock_never_goes_back(void)
{
    int64_t before = mw_now_ns();

    for (int i = 0; i < 1000; i++) {
        int64_t now = mw_now_ns();

        CHECK(now >= before);
        before = now;
    }
    CHECK(before > 0 && before < MW_FOREVER);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_block_is_counted_until_it_is_freed),
        TEST(a_resized_block_keeps_its_bytes_and_is_one_block),
        TEST(a_mapping_lies_at_a_multiple_of_its_size_zeroed_and_counted),
        TEST(no_bytes_give_a_block_all_the_same),
        TEST(zeroed_memory_is_zero),
        TEST(a_product_that_overflows_is_out_of_memory),
        TEST(the_nth_request_fails_once),
        TEST(from_the_nth_request_on_all_fail_when_asked_to),
        TEST(a_failure_is_asked_for_on_one_thread_only),
        TEST(the_counters_are_exact_over_many_threads),
        TEST(a_checked_build_fills_fresh_memory),
        TEST(a_copied_text_is_its_own),
        TEST(the_clock_never_goes_back),
    };

    return mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
