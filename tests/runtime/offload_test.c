/* Long work on other threads, for which only the tasklet waits.
 * Read next: src/runtime/offload.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <unistd.h>

#include "stage.h"

static atomic_bool may_go_on;
static atomic_int releases;

static int add_one(void *arg)
{
    return ++*(int *)arg;
}

static int block(void *arg)
{
    (void)arg;
    while (!atomic_load(&may_go_on))
        usleep(100);
    return 5;
}

static void count_release(void *arg)
{
    (void)arg;
    atomic_fetch_add(&releases, 1);
    done();
}

static int offload_some(mw_tasklet *self, void *scope)
{
    int number = 41;

    (void)scope;
    keep(mw_offload(self, add_one, &number, NULL, MW_FOREVER));
    keep(number);
    keep(mw_offload(self, block, NULL, count_release, mw_clock(self) + 2 * MS)); /* it goes on without us */
    atomic_store(&may_go_on, true);
    keep(mw_offload(self, NULL, NULL, NULL, MW_FOREVER));
    done();
    return 0;
}

static void long_work_runs_elsewhere_and_may_be_left(void)
{
    atomic_store(&may_go_on, false);
    atomic_store(&releases, 0);
    begin(1, 2);
    run_bodies(offload_some, NULL);
    end(NULL);
    CHECK_INT(seen.results[0], 42);
    CHECK_INT(seen.results[1], 42);
    CHECK_INT(seen.results[2], -ETIMEDOUT);
    CHECK_INT(seen.results[3], -EINVAL);
    CHECK_INT(atomic_load(&releases), 1);
}

static atomic_bool has_come_back;

/* And a little longer, so that an end that does not wait is found out. */
static int block_until_left(void *arg)
{
    int result = block(arg);

    usleep(20000);
    atomic_store(&has_come_back, true);
    return result;
}

static int offload_and_end(mw_tasklet *self, void *scope)
{
    (void)scope;
    done();
    keep(mw_offload(self, block_until_left, NULL, NULL, MW_FOREVER));
    atomic_store(&may_go_on, true); /* it has been left, and is still out */
    return 0;
}

static void an_end_waits_for_functions_that_are_out(void)
{
    atomic_store(&may_go_on, false);
    atomic_store(&has_come_back, false);
    begin(1, 1);
    run_bodies(offload_and_end, NULL);
    end(NULL);
    CHECK_INT(seen.results[0], -ECANCELED);
    CHECK(atomic_load(&has_come_back));
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(long_work_runs_elsewhere_and_may_be_left),
        TEST(an_end_waits_for_functions_that_are_out),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
