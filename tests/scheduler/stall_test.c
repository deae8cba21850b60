/* A tasklet that does not come back is named while it still runs.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static mw_stall last;
static int reports;
static atomic_bool was_said;

static void note_stall(void *context, const mw_stall *stall)
{
    CHECK(context == &last);
    pthread_mutex_lock(&lock);
    last = *stall;
    reports++;
    pthread_mutex_unlock(&lock);
    atomic_store(&was_said, true);
}

/* What was said since the last time. returns how often */
static int take_reports(mw_stall *ret)
{
    int count;

    pthread_mutex_lock(&lock);
    count = reports;
    reports = 0;
    *ret = last;
    pthread_mutex_unlock(&lock);
    atomic_store(&was_said, false);
    return count;
}

/* Until it is said, or a minute: on a machine with nothing free the watch has to wait for its turn. */
static int spin(mw_tasklet *self, void *scope, mw_value item)
{
    int64_t give_up_ns = mw_now_ns() + INT64_C(60000000000);

    (void)self, (void)scope, (void)item;
    while (!atomic_load(&was_said) && mw_now_ns() < give_up_ns)
        usleep(1000);
    return 0;
}

static int spin_in_coroutine(mw_tasklet *self, void *scope)
{
    mw_value item;

    while (mw_receive(self, &item))
        (void)spin(self, scope, item);
    return 0;
}

static int be_quick(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self, (void)scope, (void)item;
    usleep(100);
    return 0;
}

static void watch_all_of_5_ms(void)
{
    CHECK_INT(mw_watch_stalls(&(mw_stall_options){.warn_ns = 5000000, .report = note_stall, .context = &last}), 0);
}

static void who_does_not_come_back_is_named_while_it_runs(void)
{
    const mw_tasklet_options options = {.size = sizeof options, .name = "spinner", .file = "here.c", .line = 12};
    uint64_t before = mw_stall_count();
    mw_scheduler *s = mw_taskmaster_new(), *previous = mw_scheduler_enter(s);
    mw_tasklet *spinners[] = {mw_tasklet_open(NULL, spin, &options), mw_tasklet_open(spin_in_coroutine, NULL, &options)};
    mw_stall stall;
    int i;

    mw_scheduler_leave(previous);
    watch_all_of_5_ms();
    for (i = 0; i < 2; i++) {
        (void)take_reports(&stall);
        CHECK_INT(mw_send(spinners[i], mw_int(1)), 0);
        (void)mw_scheduler_turn(s);
        CHECK_INT(take_reports(&stall), 1); /* once for each */
        CHECK_TEXT(stall.name, "spinner");
        CHECK_TEXT(stall.file, "here.c");
        CHECK_INT(stall.line, 12);
        CHECK(stall.running_ns >= 5000000);
    }
    mw_unwatch_stalls();
    CHECK_INT(mw_stall_count() - before, 2);
    mw_scheduler_free(s);
}

static void many_quick_items_are_no_stall_and_nobody_watched_is_none(void)
{
    mw_tasklet_options options = {.size = sizeof options, .name = "quick"};
    mw_scheduler *s = mw_taskmaster_new(), *previous = mw_scheduler_enter(s);
    mw_tasklet *quick = mw_tasklet_open(NULL, be_quick, &options);
    mw_stall stall;
    int i;

    mw_scheduler_leave(previous);
    (void)take_reports(&stall);
    CHECK_INT(mw_watch_stalls(&(mw_stall_options){.warn_ns = INT64_C(20000000000), .report = note_stall, .context = &last}), 0);
    for (i = 0; i < 500; i++)
        CHECK_INT(mw_send(quick, mw_int(i)), 0);
    (void)mw_scheduler_turn(s); /* 50 ms and more, but never long with one */
    CHECK_INT(take_reports(&stall), 0);
    mw_unwatch_stalls();
    mw_unwatch_stalls();
    mw_scheduler_free(s);
}

static void who_never_comes_back_ends_the_process_where_that_is_wanted(void)
{
    int status;
    pid_t child;

    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        const mw_tasklet_options options = {.size = sizeof options, .name = "spinner"};
        mw_tasklet *t = mw_tasklet_open(NULL, spin, &options);

        signal(SIGABRT, SIG_DFL);
        (void)mw_watch_stalls(&(mw_stall_options){.warn_ns = 1000000, .abort_ns = 20000000});
        (void)mw_send(t, mw_int(1));
        (void)mw_run();
        _exit(0);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), SIGABRT);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(who_never_comes_back_ends_the_process_where_that_is_wanted), /* forks: before there is another thread */
        TEST(who_does_not_come_back_is_named_while_it_runs),
        TEST(many_quick_items_are_no_stall_and_nobody_watched_is_none),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
