/* A whole server under a scripted world: its sockets, its clock and its random numbers come from a seed, and so does what people do, what breaks
 * and in which order. Whoever receives a word judges it. The same seed is the same run, to the last byte.
 * usage: world_test [SENTENCE...] | world_test --seeds FIRST COUNT | world_test --tell SEED
 * SPDX-License-Identifier: MIT */
#include "check.h"

#include <stdlib.h>

#include "world.h"

enum { SEEDS = 100, SEEDS_TWICE = 20 };

static struct world world;

static uint64_t run_seed(uint64_t seed)
{
    world_run(&world, (struct chance){.state = seed}, WORLD_STEPS);
    if (world.wrong[0])
        fprintf(stderr, "    seed %" PRIu64 ": %s\n    see it: %s --tell %" PRIu64 "\n", seed, world.wrong, mw_test_state.program, seed);
    return world.hash;
}

static void a_hundred_worlds_have_nothing_to_complain_of(void)
{
    uint64_t seed;

    for (seed = 1; seed <= SEEDS; seed++) {
        (void)run_seed(seed);
        CHECK_TEXT(world.wrong, "");
    }
}

/* As long as the worlds are made in the same way, these find what they found. */
static void worlds_that_once_went_wrong_do_no_more(void)
{
    static const uint64_t seeds[] = {1796137301 /* without memory for its name, a user was let in as nobody in particular */};
    size_t i;

    for (i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        (void)run_seed(seeds[i]);
        CHECK_TEXT(world.wrong, "");
    }
}

static void the_same_seed_is_the_same_run_to_the_last_byte(void)
{
    uint64_t seed, first, before = 0;

    for (seed = 1000; seed < 1000 + SEEDS_TWICE; seed++) {
        first = run_seed(seed);
        CHECK_INT(run_seed(seed), first);
        CHECK(first != before);
        before = first;
    }
}

static int run_seeds(const char *first, const char *count)
{
    uint64_t seed = strtoull(first, NULL, 10), left = strtoull(count, NULL, 10);
    int failed = 0;

    for (; left > 0; left--, seed++) {
        (void)run_seed(seed);
        failed += world.wrong[0] != '\0';
    }
    return failed;
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_hundred_worlds_have_nothing_to_complain_of),
        TEST(worlds_that_once_went_wrong_do_no_more),
        TEST(the_same_seed_is_the_same_run_to_the_last_byte),
    };
    int result;

    mw_test_state.program = argv[0];
    world_prepare(&world);
    if (argc == 4 && strcmp(argv[1], "--seeds") == 0) {
        result = run_seeds(argv[2], argv[3]);
        printf("%d of %s worlds went wrong\n", result, argv[3]);
    } else if (argc == 3 && strcmp(argv[1], "--tell") == 0) {
        world.is_told = true;
        result = run_seeds(argv[2], "1");
    } else {
        result = mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
    }
    world_clean_up(&world);
    return result > 0;
}
