/* What comes to a tasklet as an item: answers of long work, signals.
 * Read next: src/runtime/offload_to.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include <meshwork/runtime.h>

#include "base/memory.h"
#include "check.h"

#define MS INT64_C(1000000)

/* Everything but the long work itself happens on the test's thread, which is worker 0. */
static struct {
    mw_runtime *rt;
    mw_scheduler *mesh;
    mw_tasklet *told;
    int64_t ids[8], answers[8], errors[8], signals[8];
    int count;
    atomic_bool may_go_on;
    int releases;
    pthread_t ran_on, released_on;
} seen;

static int64_t number_of(mw_value map, const char *key, int64_t otherwise)
{
    const mw_value *v = mw_map_get(map, key);
    int64_t number;

    return v && mw_get_int(*v, &number) == 0 ? number : otherwise;
}

static int note(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self, (void)scope;
    seen.ids[seen.count] = number_of(item, "id", 0);
    seen.answers[seen.count] = number_of(item, "answer", -1);
    seen.errors[seen.count] = number_of(item, "error", 0);
    seen.signals[seen.count] = number_of(item, "signal", 0);
    seen.count++;
    mw_release(item);
    return 0;
}

static mw_tasklet *new_handler(void)
{
    mw_scheduler *outside = mw_scheduler_enter(seen.mesh);
    mw_tasklet *t = mw_handler_new(note, NULL);

    mw_scheduler_leave(outside);
    CHECK(t != NULL);
    return t;
}

static void begin(void)
{
    mw_runtime_options options = {.size = sizeof(options), .workers = 1, .is_embedded = true};

    memset(&seen, 0, sizeof(seen));
    CHECK_INT(mw_runtime_open(&options, &seen.rt, NULL), 0);
    CHECK((seen.mesh = mw_runtime_mesh(seen.rt, 0)) != NULL);
    seen.told = new_handler();
    CHECK_INT(mw_runtime_start(seen.rt, seen.mesh), 0);
}

static void end(void)
{
    mw_runtime_close(seen.rt, NULL);
    mw_thread_end();
}

static void turn_until(int count)
{
    while (seen.count < count)
        CHECK_INT(mw_runtime_turn(seen.rt, MW_FOREVER), 1);
}

static void settle(void)
{
    while (mw_runtime_timeout_ns(seen.rt) == 0)
        CHECK_INT(mw_runtime_turn(seen.rt, 0), 1);
}

/* ---- long work ------------------------------------------------------------------------------------------------- */
static int twice(void *arg, mw_value *ret_answer)
{
    seen.ran_on = pthread_self();
    *ret_answer = mw_int(*(int *)arg * 2);
    return 0;
}

static int say_nothing(void *arg, mw_value *ret_answer)
{
    (void)arg, (void)ret_answer;
    return 0;
}

static int fail_with_an_answer(void *arg, mw_value *ret_answer)
{
    (void)arg;
    *ret_answer = mw_text("which is more than sixteen bytes long, and must be given back");
    return -ENOENT;
}

static int run_out_of_memory(void *arg, mw_value *ret_answer)
{
    (void)arg;
    *ret_answer = (mw_value){.kind = MW_MISSING};
    return 0;
}

static int block(void *arg, mw_value *ret_answer)
{
    (void)arg;
    while (!atomic_load(&seen.may_go_on))
        (void)usleep(100);
    *ret_answer = mw_int(5);
    return 0;
}

static void release(void *arg)
{
    (void)arg;
    seen.releases++;
    seen.released_on = pthread_self();
}

static void a_handler_gets_the_answer_of_long_work_as_an_item(void)
{
    int number = 21;
    int64_t id;

    begin();
    id = mw_offload_to(seen.told, twice, &number, release, MW_FOREVER);
    CHECK(id > 0);
    turn_until(1);
    CHECK_INT(seen.ids[0], id);
    CHECK_INT(seen.answers[0], 42);
    CHECK_INT(seen.errors[0], 0);
    CHECK_INT(seen.releases, 1);
    CHECK(!pthread_equal(seen.ran_on, pthread_self()));
    CHECK(pthread_equal(seen.released_on, pthread_self()));
    end();
}

static void work_that_fails_is_told_with_its_code(void)
{
    int64_t id;

    begin();
    id = mw_offload_to(seen.told, fail_with_an_answer, NULL, NULL, MW_FOREVER);
    turn_until(1);
    CHECK_INT(seen.ids[0], id);
    CHECK_INT(seen.errors[0], -ENOENT);
    CHECK(mw_offload_to(seen.told, run_out_of_memory, NULL, release, MW_FOREVER) > id);
    turn_until(2);
    CHECK_INT(seen.errors[1], -ENOMEM);
    CHECK(mw_offload_to(seen.told, say_nothing, NULL, release, MW_FOREVER) > id);
    turn_until(3);
    CHECK_INT(seen.errors[2], 0);
    CHECK_INT(seen.releases, 2);
    end();
}

static void at_the_deadline_it_is_told_so_and_of_the_answer_no_more(void)
{
    int64_t id;

    begin();
    id = mw_offload_to(seen.told, block, NULL, release, mw_now_ns() + MS);
    turn_until(1);
    CHECK_INT(seen.ids[0], id);
    CHECK_INT(seen.errors[0], -ETIMEDOUT);
    CHECK_INT(seen.releases, 0); /* it is not stopped */
    atomic_store(&seen.may_go_on, true);
    while (seen.releases == 0)
        CHECK_INT(mw_runtime_turn(seen.rt, MW_FOREVER), 1);
    settle();
    CHECK_INT(seen.count, 1);
    end();
}

static void the_answer_for_one_that_was_freed_is_dropped(void)
{
    begin();
    CHECK(mw_offload_to(seen.told, block, NULL, release, MW_FOREVER) > 0);
    settle();
    mw_tasklet_free(seen.told);
    atomic_store(&seen.may_go_on, true);
    while (seen.releases == 0)
        CHECK_INT(mw_runtime_turn(seen.rt, MW_FOREVER), 1);
    settle();
    CHECK_INT(seen.count, 0);
    end();
}

static void the_end_waits_for_the_function_and_releases_its_argument(void)
{
    begin();
    CHECK(mw_offload_to(seen.told, block, NULL, release, MW_FOREVER) > 0);
    atomic_store(&seen.may_go_on, true);
    end();
    CHECK_INT(seen.releases, 1);
    CHECK_INT(seen.count, 0);
}

static void an_answer_comes_above_a_full_mailbox(void)
{
    int number = 1, i;

    begin();
    CHECK_INT(mw_scheduler_pause(seen.mesh), 0);
    for (i = 0; i < 1024; i++)
        CHECK_INT(mw_send(seen.told, mw_null()), 0);
    CHECK(mw_offload_to(seen.told, twice, &number, release, MW_FOREVER) > 0);
    while (seen.releases == 0)
        CHECK_INT(mw_runtime_turn(seen.rt, MW_FOREVER), 1);
    CHECK_INT(mw_tasklet_stats(seen.told).queued_items, 1025);
    end();
}

static void one_more_than_may_wait_is_refused_and_counted(void)
{
    int i;

    begin();
    for (i = 0; i < 1024; i++)
        CHECK(mw_offload_to(seen.told, block, NULL, release, MW_FOREVER) > 0);
    CHECK_INT(mw_offload_to(seen.told, block, NULL, release, MW_FOREVER), -EAGAIN);
    CHECK_INT(seen.releases, 1);
    CHECK_INT(mw_worker_stats(seen.told).works, 1024);
    CHECK_INT(mw_worker_stats(seen.told).works_refused, 1);
    atomic_store(&seen.may_go_on, true);
    end();
    CHECK_INT(seen.releases, 1025);
}

static void what_cannot_be_offloaded_is_released_at_once(void)
{
    mw_tasklet *t = mw_handler_new(note, NULL);
    int64_t n, id = -1;

    begin();
    CHECK_INT(mw_offload_to(t, twice, NULL, release, MW_FOREVER), -ENOTSUP); /* no worker runs it */
    CHECK_INT(mw_offload_to(NULL, twice, NULL, release, MW_FOREVER), -EINVAL);
    CHECK_INT(mw_offload_to(seen.told, NULL, NULL, release, MW_FOREVER), -EINVAL);
    CHECK_INT(mw_offload_to(NULL, twice, NULL, NULL, MW_FOREVER), -EINVAL);
    CHECK_INT(seen.releases, 3);
    for (n = 1; id < 0 && n < 20; n++) {
        mw_memory_fail_at(n, false);
        id = mw_offload_to(seen.told, say_nothing, NULL, release, mw_now_ns() + 1000000 * MS);
        mw_memory_fail_at(0, false);
        CHECK(id > 0 || id == -ENOMEM);
        CHECK_INT(seen.releases, id < 0 ? 3 + n : 3 + n - 1);
    }
    CHECK(n > 3);
    turn_until(1);
    CHECK_INT(seen.ids[0], id);
    end();
}

/* ---- signals ------------------------------------------------------------------------------------------------------ */
static bool has_default(int number)
{
    struct sigaction now;

    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_DFL;
}

static void a_signal_comes_as_an_item_to_everybody_who_asked(void)
{
    mw_tasklet *other;

    begin();
    other = new_handler();
    CHECK_INT(mw_signal_to(seen.told, SIGUSR1), 0);
    CHECK_INT(mw_signal_to(seen.told, SIGUSR2), 0);
    CHECK_INT(mw_signal_to(other, SIGUSR1), 0);
    CHECK_INT(kill(getpid(), SIGUSR1), 0);
    turn_until(2);
    CHECK_INT(seen.signals[0], SIGUSR1);
    CHECK_INT(seen.signals[1], SIGUSR1);
    CHECK_INT(kill(getpid(), SIGUSR2), 0);
    turn_until(3);
    CHECK_INT(seen.signals[2], SIGUSR2);
    CHECK_INT(mw_unsignal(seen.told, SIGUSR1), 1);
    CHECK_INT(mw_unsignal(seen.told, SIGUSR1), 0);
    CHECK_INT(kill(getpid(), SIGUSR1), 0);
    turn_until(4);
    settle();
    CHECK_INT(seen.count, 4); /* for the other one alone */
    end();
    CHECK(has_default(SIGUSR1));
    CHECK(has_default(SIGUSR2));
}

static void when_nobody_asks_any_more_a_signal_has_its_default_again(void)
{
    mw_tasklet *other;

    begin();
    other = new_handler();
    CHECK_INT(mw_signal_to(seen.told, SIGUSR1), 0);
    CHECK_INT(mw_signal_to(other, SIGUSR1), 0);
    CHECK_INT(mw_unsignal(other, SIGUSR1), 1);
    CHECK(!has_default(SIGUSR1));
    mw_tasklet_free(seen.told);
    CHECK(has_default(SIGUSR1));
    end();
}

static void take_it(int number)
{
    (void)number;
}

static void a_signal_that_the_program_handles_is_left_to_it(void)
{
    struct sigaction now;

    begin();
    CHECK(signal(SIGUSR1, take_it) == SIG_DFL);
    CHECK_INT(mw_signal_to(seen.told, SIGUSR1), -EBUSY);
    CHECK_INT(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler == take_it);
    CHECK(signal(SIGUSR1, SIG_DFL) == take_it);
    CHECK_INT(mw_signal_to(seen.told, SIGUSR1), 0);
    CHECK_INT(mw_signal_to(seen.told, SIGUSR1), -EEXIST);
    end();
}

static void what_is_no_signal_for_items_is_refused(void)
{
    static const int never[] = {0, -1, 65, 1000, 32, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}; /* 32 is libc's own */
    mw_tasklet *t = mw_handler_new(note, NULL);
    int64_t n, live;
    size_t i;
    int err = -1;

    begin();
    for (i = 0; i < MW_COUNT(never); i++)
        CHECK_INT(mw_signal_to(seen.told, never[i]), -EINVAL);
    CHECK_INT(mw_signal_to(NULL, SIGUSR1), -EINVAL);
    CHECK_INT(mw_signal_to(t, SIGUSR1), -ENOTSUP);
    CHECK_INT(mw_unsignal(seen.told, SIGUSR1), 0);
    CHECK_INT(mw_unsignal(t, SIGUSR1), 0);
    CHECK_INT(mw_unsignal(NULL, SIGUSR1), -EINVAL);
    CHECK_INT(mw_unsignal(seen.told, 0), -EINVAL);
    live = mw_memory_stats().live_blocks;
    for (n = 1; err < 0 && n < 20; n++) {
        mw_memory_fail_at(n, false);
        err = mw_signal_to(seen.told, SIGUSR1);
        mw_memory_fail_at(0, false);
        CHECK(err == 0 || err == -ENOMEM);
        if (err < 0)
            CHECK(has_default(SIGUSR1));
    }
    CHECK(n > 3);
    CHECK(mw_memory_stats().live_blocks > live);
    end();
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_handler_gets_the_answer_of_long_work_as_an_item),
        TEST(work_that_fails_is_told_with_its_code),
        TEST(at_the_deadline_it_is_told_so_and_of_the_answer_no_more),
        TEST(the_answer_for_one_that_was_freed_is_dropped),
        TEST(the_end_waits_for_the_function_and_releases_its_argument),
        TEST(an_answer_comes_above_a_full_mailbox),
        TEST(one_more_than_may_wait_is_refused_and_counted),
        TEST(what_cannot_be_offloaded_is_released_at_once),
        TEST(a_signal_comes_as_an_item_to_everybody_who_asked),
        TEST(when_nobody_asks_any_more_a_signal_has_its_default_again),
        TEST(a_signal_that_the_program_handles_is_left_to_it),
        TEST(what_is_no_signal_for_items_is_refused),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
