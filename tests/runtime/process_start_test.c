/* Child processes that cannot be started: wrong arguments, too many, no memory, no descriptors.
 * Read next: src/runtime/process.c.
 * SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "base/memory.h"
#include "runtime/host.h"

#include "children.h" /* whose done would shadow a parameter there */

static int start_wrongly(mw_tasklet *self, void *scope)
{
    static const char *const argv[] = {"true", NULL}, *const none[] = {NULL};
    static const struct {
        const char *program, *directory, *text;
        int want;
    } rows[] = {
        {"no-such-program-anywhere", NULL, "start 'no-such-program-anywhere': no such program in PATH", -ENOENT},
        {"/no/such/program", NULL, "start '/no/such/program': no such program", -ENOENT},
        {"true", "/no/such", "start 'true' in '/no/such': no such directory", -ENOENT},
        {"/etc/passwd", NULL, "start '/etc/passwd': not permitted", -EACCES},
        {"true", "/etc/passwd", "start 'true' in '/etc/passwd': Not a directory", -ENOTDIR},
    };
    const mw_process_options good = {.size = sizeof(good), .argv = argv};
    mw_process_options bad;
    mw_process *p = NULL;
    size_t i;

    (void)scope;
    for (i = 0; i < MW_COUNT(rows); i++) {
        bad = (mw_process_options){.size = sizeof(bad), .argv = (const char *const[]){rows[i].program, NULL}, .directory = rows[i].directory,
                                   .input = MW_STDIO_PIPE, .output = MW_STDIO_PIPE};
        keep(mw_spawn(self, &bad, &p, &seen.error) == rows[i].want && strstr(seen.error.text, rows[i].text) == seen.error.text);
    }
    keep(mw_spawn(self, NULL, &p, NULL) == -EINVAL);
    keep(mw_spawn(self, &good, NULL, &seen.error) == -EINVAL);
    keep(mw_spawn(NULL, &good, &p, NULL) == -EINVAL);
    bad = good;
    bad.size = 3;
    keep(mw_spawn(self, &bad, &p, NULL) == -EINVAL);
    bad = good;
    bad.argv = none;
    keep(mw_spawn(self, &bad, &p, NULL) == -EINVAL);
    bad = good;
    bad.output = MW_STDIO_STDOUT; /* of its error only */
    keep(mw_spawn(self, &bad, &p, &seen.error) == -EINVAL && strstr(seen.error.text, "start 'true'") == seen.error.text);
    keep(p == NULL);
    keep(mw_process_wait(self, NULL, MW_FOREVER, &seen.status) == -EINVAL);
    keep(mw_process_kill(NULL, SIGTERM) == -EINVAL);
    keep(!mw_process_stdin(NULL) && !mw_process_stdout(NULL) && !mw_process_stderr(NULL) && mw_process_pid(NULL) == -1);
    mw_process_close(NULL);
    p = start_as(self, &good, argv);
    keep(mw_process_pid(p) > 0);
    keep(mw_process_wait(self, p, MW_FOREVER, NULL) == -EINVAL);
    mw_process_close(p);
    done();
    return 0;
}

static void what_cannot_be_started_is_named_with_the_reason(void)
{
    int i;

    run_bodies(start_wrongly, NULL);
    CHECK_INT(seen.count, 17);
    for (i = 0; i < seen.count; i++)
        CHECK_INT(seen.results[i], 1);
}

static int start_in_handler(mw_tasklet *self, void *scope, mw_value item)
{
    static const char *const argv[] = {"true", NULL};
    mw_process *p;

    (void)scope, (void)item;
    keep(mw_spawn(self, &(mw_process_options){.size = sizeof(mw_process_options), .argv = argv}, &p, NULL));
    done();
    return 0;
}

static void a_handler_cannot_start_one(void)
{
    mw_scheduler *mesh, *outside;

    begin(1, 1);
    mesh = mw_runtime_mesh(seen.rt, 0);
    outside = mw_scheduler_enter(mesh);
    CHECK_INT(mw_send(mw_handler_new(start_in_handler, NULL), mw_int(1)), 0);
    mw_scheduler_leave(outside);
    CHECK_INT(mw_runtime_start(seen.rt, mesh), 0);
    end();
    CHECK_INT(seen.results[0], -ENOTSUP);
}

static int open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int count = 0;

    while (d && readdir(d))
        count++;
    if (d)
        closedir(d);
    return count;
}

static int try_start(mw_tasklet *self)
{
    mw_process *p = NULL;
    int err = mw_spawn(self,
                       &(mw_process_options){.size = sizeof(mw_process_options), .argv = (const char *const[]){"true", NULL},
                                             .input = MW_STDIO_PIPE, .output = MW_STDIO_PIPE, .error = MW_STDIO_PIPE},
                       &p, &seen.error);

    if (err == 0)
        err = wait_for(self, p);
    mw_process_close(p);
    return err;
}

static int start_without_memory(mw_tasklet *self, void *scope)
{
    int64_t n;
    int err = -ENOMEM, before = open_descriptors();

    (void)scope;
    for (n = 1; n < 40 && err == -ENOMEM; n++) {
        mw_process *p = NULL;

        (void)mw_memory_fail_at(n, false);
        err = mw_spawn(self,
                       &(mw_process_options){.size = sizeof(mw_process_options), .argv = (const char *const[]){"true", NULL},
                                             .input = MW_STDIO_PIPE, .output = MW_STDIO_PIPE, .error = MW_STDIO_PIPE},
                       &p, &seen.error);
        (void)mw_memory_fail_at(0, false);
        keep(err == -ENOMEM ? open_descriptors() - before : wait_for(self, p));
        mw_process_close(p);
    }
    keep((int)n);
    keep(err);
    done();
    return 0;
}

static void without_memory_nothing_is_started_and_nothing_left(void)
{
    int64_t live = mw_memory_stats().live_blocks;
    int i;

    run_bodies(start_without_memory, NULL);
    CHECK(seen.count >= 8);
    for (i = 0; i < seen.count - 2; i++)
        CHECK_INT(seen.results[i], 0);
    CHECK(seen.results[seen.count - 2] > 5); /* so many allocations, each of which has failed */
    CHECK_INT(seen.results[seen.count - 1], 0);
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

/* The kernel without pidfds that process_end_test.c knows, too. */
static void without_a_pidfd_nor_memory_nothing_is_started_and_nothing_left(void)
{
    atomic_store(&pidfd_code, ENOSYS);
    without_memory_nothing_is_started_and_nothing_left();
    atomic_store(&pidfd_code, 0);
}

static int start_without_descriptors(mw_tasklet *self, void *scope)
{
    struct rlimit before, none;
    int open_before = open_descriptors(), spare, err = -EMFILE, next = fcntl(0, F_DUPFD, 3);

    (void)scope;
    (void)getrlimit(RLIMIT_NOFILE, &before);
    close(next);
    for (spare = 0; spare < 12 && err == -EMFILE; spare++) { /* so many more may be opened */
        none = before;
        none.rlim_cur = (rlim_t)(next + spare);
        (void)setrlimit(RLIMIT_NOFILE, &none);
        err = try_start(self);
        (void)setrlimit(RLIMIT_NOFILE, &before);
        if (err == -EMFILE)
            keep(open_descriptors() - open_before);
    }
    keep(err);
    done();
    return 0;
}

static void without_descriptors_the_error_says_so_and_none_is_lost(void)
{
    int i;

    run_bodies(start_without_descriptors, NULL);
    CHECK(seen.count >= 5);
    for (i = 0; i < seen.count; i++)
        CHECK_INT(seen.results[i], 0);
    CHECK(strstr(seen.error.text, "start 'true': Too many open files") != NULL);
}

static int start_too_many(mw_tasklet *self, void *scope)
{
    struct runtime_host *host;
    size_t running;

    (void)scope;
    keep(host_of(self, &host));
    running = host->running;
    host->running = PROCESSES_MOST;
    keep(try_start(self));
    host->running = running;
    keep((int)mw_worker_stats(self).processes_refused);
    keep(try_start(self));
    keep((int)mw_worker_stats(self).processes_started);
    done();
    return 0;
}

static void one_more_than_a_worker_may_have_is_refused_and_counted(void)
{
    static const int want[] = {0, -EAGAIN, 1, 0, 1};
    size_t i;

    run_bodies(start_too_many, NULL);
    for (i = 0; i < MW_COUNT(want); i++)
        CHECK_INT(seen.results[i], want[i]);
    CHECK(strstr(seen.error.text, "1024 run already") != NULL);
}

static int lose_to_the_host(mw_tasklet *self, void *scope)
{
    (void)scope;
    keep(try_start(self));
    done();
    return 0;
}

static void where_the_program_ignores_sigchld_the_status_is_said_to_be_lost(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;

    CHECK_INT(sigaction(SIGCHLD, &ignore, &before), 0);
    run_bodies(lose_to_the_host, NULL);
    CHECK_INT(sigaction(SIGCHLD, &before, NULL), 0);
    CHECK_INT(seen.results[0], -ECHILD);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(what_cannot_be_started_is_named_with_the_reason),
        TEST(a_handler_cannot_start_one),
        TEST(without_memory_nothing_is_started_and_nothing_left),
        TEST(without_descriptors_the_error_says_so_and_none_is_lost),
        TEST(one_more_than_a_worker_may_have_is_refused_and_counted),
        TEST(where_the_program_ignores_sigchld_the_status_is_said_to_be_lost),
        TEST(without_a_pidfd_nor_memory_nothing_is_started_and_nothing_left),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
