/* How child processes end: waiting for that, signals, closing, and that none is left behind.
 * Read next: src/runtime/process.c.
 * SPDX-License-Identifier: MIT */
#include "children.h"

/* ---- what is told of an end ------------------------------------------------------------------------------ */
static int end_in_two_ways(mw_tasklet *self, void *scope)
{
    static const char *const lines[] = {"exit 42", "kill -9 $$"};
    size_t i;

    (void)scope;
    for (i = 0; i < MW_COUNT(lines); i++) {
        mw_process *p = start_shell(self, lines[i]);

        keep(wait_for(self, p));
        keep(seen.status.code);
        keep(seen.status.signal);
        mw_process_close(p);
    }
    done();
    return 0;
}

static void what_a_child_returned_or_which_signal_ended_it_is_told(void)
{
    static const int want[] = {0, 42, 0, 0, -1, SIGKILL};
    size_t i;

    run_bodies(end_in_two_ways, NULL);
    CHECK_INT(seen.count, MW_COUNT(want));
    for (i = 0; i < MW_COUNT(want); i++)
        CHECK_INT(seen.results[i], want[i]);
}

static int wait_again_and_again(mw_tasklet *self, void *scope)
{
    mw_process *p = start_shell(self, "exit 7");
    int i;

    (void)scope;
    for (i = 0; i < 3; i++) {
        seen.status.code = 0;
        keep(wait_for(self, p));
        keep(seen.status.code);
    }
    keep(mw_process_wait(self, p, 0, &seen.status)); /* the deadline is long over */
    keep(mw_process_kill(p, SIGTERM));
    mw_process_close(p);
    done();
    return 0;
}

static void whoever_waits_again_is_told_the_same_and_a_signal_finds_nobody(void)
{
    static const int want[] = {0, 7, 0, 7, 0, 7, 0, -ESRCH};
    size_t i;

    run_bodies(wait_again_and_again, NULL);
    CHECK_INT(seen.count, MW_COUNT(want));
    for (i = 0; i < MW_COUNT(want); i++)
        CHECK_INT(seen.results[i], want[i]);
}

/* ---- waiting, signals, closing --------------------------------------------------------------------------- */
static int wait_in_vain(mw_tasklet *self, void *scope)
{
    mw_process *p = start_shell(self, "exec sleep 1000");

    (void)scope;
    keep(mw_process_wait(self, p, mw_clock(self) + 2 * MS, &seen.status));
    keep(mw_process_kill(p, 0)); /* it is still there */
    keep(mw_process_kill(p, 10000));
    keep(mw_process_kill(p, SIGTERM));
    keep(wait_for(self, p));
    keep(seen.status.signal);
    mw_process_close(p);
    done();
    return 0;
}

static void a_deadline_ends_the_wait_and_not_the_child(void)
{
    static const int want[] = {-ETIMEDOUT, 0, -EINVAL, 0, 0, SIGTERM};
    size_t i;

    run_bodies(wait_in_vain, NULL);
    CHECK_INT(seen.count, MW_COUNT(want));
    for (i = 0; i < MW_COUNT(want); i++)
        CHECK_INT(seen.results[i], want[i]);
}

static int close_who_does_not_listen(mw_tasklet *self, void *scope)
{
    mw_process *p = start_shell(self, "trap '' TERM; echo ready; exec sleep 1000");
    char byte;

    (void)scope;
    keep(mw_read(self, mw_process_stdout(p), &byte, 1, mw_clock(self) + LONG) == 1); /* from now on it ignores it */
    keep(mw_process_kill(p, SIGTERM));
    keep(mw_process_wait(self, p, mw_clock(self) + 5 * MS, &seen.status));
    mw_process_close(p);
    while (mw_worker_stats(self).processes > 0) /* reaped in the background */
        if (mw_sleep_until(self, mw_clock(self) + MS) < 0)
            break;
    keep(children());
    done();
    return 0;
}

static void a_child_that_ignores_sigterm_is_killed_by_the_close_and_reaped(void)
{
    run_bodies(close_who_does_not_listen, NULL);
    CHECK_INT(seen.count, 4);
    CHECK_INT(seen.results[0], 1);
    CHECK_INT(seen.results[1], 0);
    CHECK_INT(seen.results[2], -ETIMEDOUT);
    CHECK_INT(seen.results[3], 0);
    CHECK_INT(seen.report.processes, 0);
}

static int never_wait(mw_tasklet *self, void *scope)
{
    mw_process *p = start_shell(self, "exit 3");

    (void)scope;
    while (mw_worker_stats(self).processes > 0)
        if (mw_sleep_until(self, mw_clock(self) + MS) < 0)
            break;
    keep(children());
    keep(wait_for(self, p));
    keep(seen.status.code);
    mw_process_close(p);
    keep((int)mw_worker_stats(self).processes_started);
    done();
    return 0;
}

static void a_child_for_which_nobody_waits_is_reaped_and_its_end_is_kept(void)
{
    run_bodies(never_wait, NULL);
    CHECK_INT(seen.results[0], 0);
    CHECK_INT(seen.results[1], 0);
    CHECK_INT(seen.results[2], 3);
    CHECK_INT(seen.results[3], 1);
}

static int wait_for_other(mw_tasklet *self, void *scope)
{
    mw_process_status status = {.code = -7};

    (void)scope;
    while (!atomic_load(&seen.process))
        if (mw_sleep_until(self, 0) < 0)
            break;
    atomic_store(&seen.is_waiting, true);
    keep(mw_process_wait(self, atomic_load(&seen.process), mw_clock(self) + LONG, &status));
    keep(status.code);
    done();
    return 0;
}

/* Closed while it waits: its close path closes the process. */
static int hold_until_closed(mw_tasklet *self, void *scope)
{
    mw_process *p = start_shell(self, "exec sleep 1000");
    mw_process_status status;

    (void)scope;
    atomic_store(&seen.process, p);
    keep(mw_process_wait(self, p, MW_FOREVER, &status));
    keep(mw_process_wait(self, p, MW_FOREVER, &status)); /* at once */
    mw_process_close(p);
    done();
    return 0;
}

static int close_other(mw_tasklet *self, void *scope)
{
    (void)scope;
    while (!atomic_load(&seen.process))
        if (mw_sleep_until(self, 0) < 0)
            break;
    (void)mw_sleep_until(self, 0);
    mw_close(seen.other);
    done();
    return 0;
}

static void the_wait_of_a_tasklet_that_is_closed_ends_and_its_close_path_ends_the_child(void)
{
    run_bodies(close_other, hold_until_closed);
    CHECK_INT(seen.count, 2);
    CHECK_INT(seen.results[0], -ECANCELED);
    CHECK_INT(seen.results[1], -ECANCELED);
    CHECK_INT(seen.report.processes, 0);
}

static int close_under_other(mw_tasklet *self, void *scope)
{
    mw_process *p = start_shell(self, "exec sleep 1000");
    mw_process_status status;

    (void)scope;
    atomic_store(&seen.process, p);
    while (!atomic_load(&seen.is_waiting))
        if (mw_sleep_until(self, 0) < 0)
            break;
    keep(mw_process_wait(self, p, MW_FOREVER, &status));
    mw_process_close(p);
    done();
    return 0;
}

static void one_tasklet_waits_at_a_time_and_a_close_by_another_ends_that(void)
{
    run_bodies(close_under_other, wait_for_other);
    CHECK_INT(seen.count, 3);
    CHECK_INT(seen.results[0], -EBUSY);
    CHECK_INT(seen.results[1], -ECANCELED);
    CHECK_INT(seen.results[2], -7);
}

static int hold_for_another_worker(mw_tasklet *self, void *scope)
{
    mw_process *p = start_shell(self, "exec sleep 1000");

    (void)scope;
    atomic_store(&seen.process, p);
    while (atomic_load(&seen.left) > 1)
        if (mw_sleep_until(self, mw_clock(self) + MS) < 0)
            break;
    mw_process_close(p);
    done();
    return 0;
}

static void a_tasklet_of_another_worker_cannot_wait_for_it(void)
{
    begin(2, 2);
    give(0, hold_for_another_worker, NULL);
    give(1, wait_for_other, NULL);
    end();
    CHECK_INT(seen.results[0], -EINVAL);
    CHECK_INT(seen.results[1], -7);
}

static int leave_some(mw_tasklet *self, void *scope)
{
    mw_process *p;

    (void)scope;
    (void)start_shell(self, "exec sleep 1000");
    (void)start_shell(self, "trap '' TERM HUP INT; exec sleep 1000");
    p = start_shell(self, "exit 0");
    keep(wait_for(self, p)); /* ended, and not closed */
    done();
    return 0;
}

static void children_that_are_left_at_the_end_of_a_runtime_are_killed_reaped_and_reported(void)
{
    int64_t live = mw_memory_stats().live_blocks;

    run_bodies(leave_some, NULL);
    CHECK_INT(seen.report.processes, 2);
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

static int wait_and_be_seen(mw_tasklet *self, void *scope)
{
    mw_process *p = start_shell(self, "exec sleep 1000");
    mw_process_status status;

    (void)scope;
    atomic_store(&seen.process, p);
    keep(mw_process_wait(self, p, MW_FOREVER, &status));
    mw_process_close(p);
    return 0;
}

static int dump(mw_tasklet *self, void *scope)
{
    FILE *file = tmpfile();

    (void)scope;
    while (!atomic_load(&seen.process))
        if (mw_sleep_until(self, 0) < 0)
            break;
    (void)mw_sleep_until(self, 0);
    if (file) {
        mw_dump(fileno(file));
        rewind(file);
        seen.text_count = fread(seen.text, 1, sizeof(seen.text) - 1, file);
        fclose(file);
    }
    done();
    return 0;
}

static void a_dump_says_who_waits_for_a_process(void)
{
    begin(1, 1);
    give(0, dump, wait_and_be_seen);
    end();
    CHECK(strstr(seen.text, "waits for a process") != NULL);
}

/* ---- a kernel without pidfds ----------------------------------------------------------------------------- */
static void without_a_pidfd_children_are_waited_for_killed_and_reaped_all_the_same(void)
{
    static const int codes[] = {ENOSYS, EMFILE};
    size_t i;

    for (i = 0; i < MW_COUNT(codes); i++) {
        atomic_store(&pidfd_code, codes[i]);
        what_a_child_returned_or_which_signal_ended_it_is_told();
        a_deadline_ends_the_wait_and_not_the_child();
        a_child_that_ignores_sigterm_is_killed_by_the_close_and_reaped();
        children_that_are_left_at_the_end_of_a_runtime_are_killed_reaped_and_reported();
        atomic_store(&pidfd_code, 0);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(what_a_child_returned_or_which_signal_ended_it_is_told),
        TEST(whoever_waits_again_is_told_the_same_and_a_signal_finds_nobody),
        TEST(a_deadline_ends_the_wait_and_not_the_child),
        TEST(a_child_that_ignores_sigterm_is_killed_by_the_close_and_reaped),
        TEST(a_child_for_which_nobody_waits_is_reaped_and_its_end_is_kept),
        TEST(the_wait_of_a_tasklet_that_is_closed_ends_and_its_close_path_ends_the_child),
        TEST(one_tasklet_waits_at_a_time_and_a_close_by_another_ends_that),
        TEST(a_tasklet_of_another_worker_cannot_wait_for_it),
        TEST(children_that_are_left_at_the_end_of_a_runtime_are_killed_reaped_and_reported),
        TEST(a_dump_says_who_waits_for_a_process),
        TEST(without_a_pidfd_children_are_waited_for_killed_and_reaped_all_the_same),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
