/* A program that is one tasklet: how it begins, whose thread it has, what ends it.
 * Read next: src/runtime/main.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>

#include <meshwork/runtime.h>

#include "base/memory.h"
#include "check.h"

#define MS INT64_C(1000000)

static struct {
    pthread_t thread;
    int runs, close_paths;
    mw_tasklet *first;
} seen;

static int waits(mw_tasklet *self, void *scope)
{
    (void)scope;
    (void)mw_sleep_until(self, MW_FOREVER);
    seen.close_paths++;
    return 0;
}

static int returns_what_it_is_given(mw_tasklet *self, void *scope)
{
    seen.runs++;
    seen.thread = pthread_self();
    if (!mw_tasklet_new(waits, NULL))
        return -ENOMEM;
    (void)mw_sleep_until(self, mw_clock(self) + MS);
    return *(int *)scope;
}

static void a_program_ends_when_its_first_tasklet_returns_and_the_others_are_closed_then(void)
{
    int result = 0;

    memset(&seen, 0, sizeof(seen));
    CHECK_INT(mw_runtime_main(returns_what_it_is_given, &result, NULL), 0);
    CHECK_INT(seen.runs, 1);
    CHECK_INT(seen.close_paths, 1);
    CHECK(pthread_equal(seen.thread, pthread_self()));
}

static void what_the_first_tasklet_fails_with_is_given_back_with_its_name(void)
{
    struct mw_error error = {0};
    int result = -EPROTO;

    CHECK_INT(mw_runtime_main(returns_what_it_is_given, &result, &error), -EPROTO);
    CHECK_TEXT(error.text, "run 'returns_what_it_is_given': it failed: the peer broke the protocol");
}

static int frees_the_first(mw_tasklet *self, void *scope)
{
    (void)self;
    (void)scope;
    mw_tasklet_free(seen.first);
    return 0;
}

static int is_freed_by_another(mw_tasklet *self, void *scope)
{
    seen.first = self;
    return mw_tasklet_new(frees_the_first, NULL) ? waits(self, scope) : -ENOMEM;
}

static void a_program_ends_when_its_first_tasklet_is_freed(void)
{
    memset(&seen, 0, sizeof(seen));
    CHECK_INT(mw_runtime_main(is_freed_by_another, NULL, NULL), 0);
    CHECK_INT(seen.close_paths, 1);
}

static int fails_twice(mw_tasklet *self, void *scope)
{
    const struct mw_supervision rules = {.size = sizeof(rules), .restarts = 5, .backoff_first_ns = MS};

    (void)scope;
    if (seen.runs++ == 0)
        CHECK_INT(mw_supervise(self, &rules), 0);
    return seen.runs < 3 ? -EIO : 0;
}

static void a_first_tasklet_that_is_supervised_may_fail_and_begin_again(void)
{
    memset(&seen, 0, sizeof(seen));
    CHECK_INT(mw_runtime_main(fails_twice, NULL, NULL), 0);
    CHECK_INT(seen.runs, 3);
}

static void programs_follow_each_other_on_one_thread(void)
{
    int result = 0, i;

    for (i = 0; i < 10; i++)
        CHECK_INT(mw_runtime_main(returns_what_it_is_given, &result, NULL), 0);
}

static void a_program_without_a_body_is_refused(void)
{
    struct mw_error error = {0};

    CHECK_INT(mw_runtime_main_at(NULL, NULL, "nothing", __FILE__, __LINE__, &error), -EINVAL);
    CHECK_TEXT(error.text, "run a program: body is NULL");
}

static int runs_another(mw_tasklet *self, void *scope)
{
    int err = mw_runtime_main(returns_what_it_is_given, scope, NULL);

    return err < 0 ? err : mw_sleep_until(self, mw_clock(self) + MS);
}

static void a_program_within_a_body_runs_while_those_around_it_wait(void)
{
    int result = 0;

    memset(&seen, 0, sizeof(seen));
    CHECK_INT(mw_runtime_main(runs_another, &result, NULL), 0);
    CHECK_INT(seen.runs, 1);
}

/* Each of its requests for memory fails once; it ends each time, and says why when it could not begin. */
static void a_program_without_memory_ends_and_says_so(void)
{
    struct mw_error error;
    int result = 0, err = -ENOMEM;
    int64_t n;

    for (n = 1; err < 0 && n < 1000; n++) {
        error = (struct mw_error){0};
        mw_memory_fail_at(n, false);
        err = mw_runtime_main(returns_what_it_is_given, &result, &error);
        mw_memory_fail_at(0, false);
        CHECK(err == 0 || err == -ENOMEM || err == -EAGAIN);
        CHECK(err == 0 || strncmp(error.text, "run 'returns_what_it_is_given': ", 32) == 0 || strncmp(error.text, "open a runtime: ", 16) == 0 ||
              strncmp(error.text, "start worker ", 13) == 0);
    }
    CHECK_INT(err, 0);
    CHECK(n > 10);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_program_ends_when_its_first_tasklet_returns_and_the_others_are_closed_then),
        TEST(what_the_first_tasklet_fails_with_is_given_back_with_its_name),
        TEST(a_program_ends_when_its_first_tasklet_is_freed),
        TEST(a_first_tasklet_that_is_supervised_may_fail_and_begin_again),
        TEST(programs_follow_each_other_on_one_thread),
        TEST(a_program_without_a_body_is_refused),
        TEST(a_program_within_a_body_runs_while_those_around_it_wait),
        TEST(a_program_without_memory_ends_and_says_so),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
