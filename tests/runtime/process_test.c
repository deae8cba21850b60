/* Child processes: what goes in and out, how they end, and that none is left behind.
 * The system call is this test's own, and fails for pidfd_open when it is told to.
 * Read next: src/runtime/process.c.
 * SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <meshwork/runtime.h>

#include "base/memory.h"
#include "bodies.h"
#include "check.h"
#include "runtime/host.h"

#define MS INT64_C(1000000)
#define LONG (INT64_C(20000) * MS) /* never waited for when all is well */

static atomic_int pidfd_code; /* of every pidfd_open; 0: it works */

/* As the C library's, by way of which the kernel is asked for what that has no function for. */
long syscall(long number, ...)
{
    static _Atomic(long (*)(long, ...)) real;
    va_list rest;
    long a, b, c, d;

    va_start(rest, number);
    a = va_arg(rest, long);
    b = va_arg(rest, long);
    c = va_arg(rest, long);
    d = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_pidfd_open && atomic_load(&pidfd_code)) {
        errno = atomic_load(&pidfd_code);
        return -1;
    }
    if (!atomic_load(&real)) {
        void *found = dlsym(RTLD_NEXT, "syscall");
        long (*function)(long, ...);

        memcpy(&function, &found, sizeof(function));
        atomic_store(&real, function);
    }
    return atomic_load(&real)(number, a, b, c, d);
}

/* ---- a worker -------------------------------------------------------------------------------------------- */
/* What bodies of a test found out; read when the runtime has ended. */
static struct {
    mw_runtime *rt;
    atomic_int left;
    int results[24], count;
    char text[600];
    size_t text_count;
    struct mw_error error;
    mw_process_status status;
    _Atomic(mw_process *) process;
    atomic_bool is_waiting; /* or about to, without a turn between */
    mw_tasklet *other;
    struct mw_runtime_report report;
} seen;

static void keep(int result)
{
    if (seen.count < (int)MW_COUNT(seen.results))
        seen.results[seen.count++] = result;
}

static void done(void)
{
    if (atomic_fetch_sub(&seen.left, 1) == 1)
        mw_runtime_stop(seen.rt);
}

static int children(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0; /* else there is none, and no zombie either */
}

static void begin(size_t workers, int left)
{
    memset(&seen, 0, sizeof(seen));
    atomic_init(&seen.left, left);
    CHECK_INT(mw_runtime_open(&(mw_runtime_options){.size = sizeof(mw_runtime_options), .workers = workers}, &seen.rt, NULL), 0);
}

static void give(size_t worker, mw_body *one, mw_body *two)
{
    give_bodies(seen.rt, worker, one, two, &seen.other);
}

static void end(void)
{
    mw_runtime_wait(seen.rt);
    mw_runtime_close(seen.rt, &seen.report);
    CHECK_INT(children(), 0);
}

/* One coroutine or two on a worker, until each has said that it is done. No child is left, and no zombie. */
static void run_bodies(mw_body *one, mw_body *two)
{
    begin(1, two ? 2 : 1);
    give(0, one, two);
    end();
}

/* ---- children -------------------------------------------------------------------------------------------- */
static mw_process *start_as(mw_tasklet *self, const mw_process_options *like, const char *const *argv)
{
    mw_process_options options = *like;
    mw_process *p = NULL;

    options.size = sizeof(options);
    options.argv = argv;
    if (mw_spawn(self, &options, &p, &seen.error) < 0)
        fprintf(stderr, "%s\n", seen.error.text);
    return p;
}

/* A line of the shell, its output a stream. */
static mw_process *start_shell(mw_tasklet *self, const char *line)
{
    return start_as(self, &(mw_process_options){.input = MW_STDIO_NULL, .output = MW_STDIO_PIPE},
                    (const char *const[]){"sh", "-c", line, NULL});
}

/* What it says on a stream until that ends, to seen.text. */
static void read_all(mw_tasklet *self, mw_stream *from)
{
    ssize_t n;

    while (from && seen.text_count + 1 < sizeof(seen.text) &&
           (n = mw_read(self, from, seen.text + seen.text_count, sizeof(seen.text) - 1 - seen.text_count, mw_clock(self) + LONG)) > 0)
        seen.text_count += (size_t)n;
}

static int wait_for(mw_tasklet *self, mw_process *p)
{
    return mw_process_wait(self, p, mw_clock(self) + LONG, &seen.status);
}

static void shout(mw_tasklet *self)
{
    mw_process *p = start_as(self, &(mw_process_options){.input = MW_STDIO_PIPE, .output = MW_STDIO_PIPE},
                             (const char *const[]){"tr", "a-z", "A-Z", NULL});

    keep(mw_write(self, mw_process_stdin(p), "hello", 5, MW_FOREVER));
    mw_stream_close(mw_process_stdin(p)); /* no more comes */
    keep(mw_process_stdin(p) == NULL);
    keep(mw_process_stderr(p) == NULL);
    read_all(self, mw_process_stdout(p));
    keep(wait_for(self, p));
    mw_process_close(p);
}

static int shout_and_be_done(mw_tasklet *self, void *scope)
{
    (void)scope;
    shout(self);
    done();
    return 0;
}

static void a_child_is_written_to_and_read_from(void)
{
    run_bodies(shout_and_be_done, NULL);
    CHECK_INT(seen.count, 4);
    CHECK_INT(seen.results[0], 0);
    CHECK_INT(seen.results[1], 1);
    CHECK_INT(seen.results[2], 1);
    CHECK_INT(seen.results[3], 0);
    CHECK_TEXT(seen.text, "HELLO");
    CHECK_INT(seen.status.code, 0);
    CHECK_INT(seen.status.signal, 0);
}

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

static int show_surroundings(mw_tasklet *self, void *scope)
{
    static const char *const environment[] = {"MESH=work", NULL};
    mw_process *p;

    (void)scope;
    p = start_as(self, &(mw_process_options){.environment = environment, .output = MW_STDIO_PIPE}, (const char *const[]){"env", NULL});
    read_all(self, mw_process_stdout(p));
    mw_process_close(p);
    p = start_as(self, &(mw_process_options){.directory = "/usr", .output = MW_STDIO_PIPE},
                 (const char *const[]){"sh", "-c", "pwd -P; echo $0 $1 $HOME_OF_TEST", "zero", "one", NULL});
    read_all(self, mw_process_stdout(p));
    mw_process_close(p);
    done();
    return 0;
}

static void its_arguments_its_environment_and_its_directory_are_those_given(void)
{
    CHECK_INT(setenv("HOME_OF_TEST", "inherited", 1), 0);
    run_bodies(show_surroundings, NULL);
    CHECK_TEXT(seen.text, "MESH=work\n/usr\nzero one inherited\n");
}

static int mix_outputs(mw_tasklet *self, void *scope)
{
    static const char *const argv[] = {"sh", "-c", "cat; echo out; echo err >&2", NULL};
    mw_process *p;

    (void)scope;
    p = start_as(self, &(mw_process_options){.input = MW_STDIO_NULL, .output = MW_STDIO_PIPE, .error = MW_STDIO_STDOUT}, argv);
    read_all(self, mw_process_stdout(p));
    mw_process_close(p);
    p = start_as(self, &(mw_process_options){.input = MW_STDIO_NULL, .output = MW_STDIO_NULL, .error = MW_STDIO_PIPE}, argv);
    keep(mw_process_stdout(p) == NULL);
    read_all(self, mw_process_stderr(p));
    mw_process_close(p);
    done();
    return 0;
}

static void its_error_comes_by_itself_or_with_its_output(void)
{
    run_bodies(mix_outputs, NULL);
    CHECK_INT(seen.results[0], 1);
    CHECK_TEXT(seen.text, "out\nerr\nerr\n");
}

/* ---- much, both ways ------------------------------------------------------------------------------------- */
enum { MUCH = 1 << 20, CHUNK = 8192 };

static char byte_at(size_t i)
{
    return (char)(i * 7 + i / 251);
}

static int write_much(mw_tasklet *self, void *scope)
{
    char *bytes = malloc(MUCH);
    size_t i;

    (void)scope;
    while (!atomic_load(&seen.process))
        if (mw_sleep_until(self, 0) < 0)
            break;
    for (i = 0; bytes && i < MUCH; i++)
        bytes[i] = byte_at(i);
    keep(mw_write(self, mw_process_stdin(atomic_load(&seen.process)), bytes, MUCH, mw_clock(self) + LONG));
    mw_stream_close(mw_process_stdin(atomic_load(&seen.process)));
    free(bytes);
    done();
    return 0;
}

static int read_much(mw_tasklet *self, void *scope)
{
    mw_process *p = start_as(self, &(mw_process_options){.input = MW_STDIO_PIPE, .output = MW_STDIO_PIPE}, (const char *const[]){"cat", NULL});
    char bytes[CHUNK];
    size_t count = 0, wrong = 0;
    ssize_t n, i;

    (void)scope;
    atomic_store(&seen.process, p);
    while ((n = mw_read(self, mw_process_stdout(p), bytes, sizeof(bytes), mw_clock(self) + LONG)) > 0)
        for (i = 0; i < n; i++)
            wrong += bytes[i] != byte_at(count++);
    keep((int)n);
    keep((int)count);
    keep((int)wrong);
    keep(wait_for(self, p));
    while (atomic_load(&seen.left) > 1) /* the other one still holds its input */
        if (mw_sleep_until(self, 0) < 0)
            break;
    mw_process_close(p);
    done();
    return 0;
}

static void a_megabyte_goes_through_a_child_while_one_tasklet_writes_and_another_reads(void)
{
    int i, sum = 0;

    run_bodies(read_much, write_much);
    CHECK_INT(seen.count, 5);
    for (i = 0; i < 5; i++)
        sum += seen.results[i];
    CHECK_INT(sum, MUCH); /* all others are 0, in whichever order */
}

static int write_to_nobody(mw_tasklet *self, void *scope)
{
    mw_process *p = start_as(self, &(mw_process_options){.input = MW_STDIO_PIPE}, (const char *const[]){"true", NULL});

    (void)scope;
    keep(wait_for(self, p));
    keep(mw_write(self, mw_process_stdin(p), "hello", 5, mw_clock(self) + LONG));
    mw_process_close(p);
    done();
    return 0;
}

static void writing_to_a_child_that_has_gone_is_an_error_and_no_signal(void)
{
    run_bodies(write_to_nobody, NULL);
    CHECK_INT(seen.results[0], 0);
    CHECK_INT(seen.results[1], -EPIPE);
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

/* ---- what a child has from us ---------------------------------------------------------------------------- */
static int list_descriptors(mw_tasklet *self, void *scope)
{
    mw_process *p = start_as(self, &(mw_process_options){.input = MW_STDIO_PIPE, .output = MW_STDIO_PIPE, .error = MW_STDIO_PIPE},
                             (const char *const[]){"ls", "/proc/self/fd", NULL});

    (void)scope;
    read_all(self, mw_process_stdout(p));
    read_all(self, mw_process_stderr(p));
    mw_process_close(p);
    done();
    return 0;
}

static void a_child_has_no_descriptor_but_its_three(void)
{
    int low = fcntl(1, F_DUPFD, 20), high = fcntl(1, F_DUPFD, 400); /* a host that does not mark its own */

    CHECK(low >= 20 && high >= 400);
    run_bodies(list_descriptors, NULL);
    close(low);
    close(high);
    CHECK_TEXT(seen.text, "0\n1\n2\n3\n"); /* the last is the directory that ls reads */
}

static int shout_without_stdin(mw_tasklet *self, void *scope)
{
    int kept = fcntl(0, F_DUPFD_CLOEXEC, 10);

    (void)scope;
    close(0); /* the next pipe lies there */
    shout(self);
    keep(dup2(kept, 0));
    close(kept);
    done();
    return 0;
}

static void where_we_have_no_standard_input_a_child_has_its_pipes_all_the_same(void)
{
    run_bodies(shout_without_stdin, NULL);
    CHECK_INT(seen.results[4], 0);
    CHECK_TEXT(seen.text, "HELLO");
}

static int show_signals(mw_tasklet *self, void *scope)
{
    sigset_t some, before;
    mw_process *p;

    (void)scope;
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &some, &before);
    p = start_as(self, &(mw_process_options){.output = MW_STDIO_PIPE},
                 (const char *const[]){"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status", NULL});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    read_all(self, mw_process_stdout(p));
    mw_process_close(p);
    done();
    return 0;
}

static void a_child_has_every_signal_unblocked_and_at_its_default(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    uint64_t ignored;

    CHECK_INT(sigaction(SIGUSR1, &ignore, &before), 0);
    run_bodies(show_signals, NULL);
    CHECK_INT(sigaction(SIGUSR1, &before, NULL), 0);
    CHECK(strstr(seen.text, "SigBlk:\t0000000000000000\nSigIgn:\t") == seen.text);
    ignored = strtoull(strstr(seen.text, "SigIgn:\t") + 8, NULL, 16);
    CHECK_INT(ignored & ~(UINT64_C(3) << 31), 0); /* but 32 and 33, which the C library keeps for its threads and leaves ignored */
}

/* ---- what goes wrong ------------------------------------------------------------------------------------- */
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
        without_memory_nothing_is_started_and_nothing_left();
        atomic_store(&pidfd_code, 0);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_child_is_written_to_and_read_from),
        TEST(what_a_child_returned_or_which_signal_ended_it_is_told),
        TEST(whoever_waits_again_is_told_the_same_and_a_signal_finds_nobody),
        TEST(its_arguments_its_environment_and_its_directory_are_those_given),
        TEST(its_error_comes_by_itself_or_with_its_output),
        TEST(a_megabyte_goes_through_a_child_while_one_tasklet_writes_and_another_reads),
        TEST(writing_to_a_child_that_has_gone_is_an_error_and_no_signal),
        TEST(a_deadline_ends_the_wait_and_not_the_child),
        TEST(a_child_that_ignores_sigterm_is_killed_by_the_close_and_reaped),
        TEST(a_child_for_which_nobody_waits_is_reaped_and_its_end_is_kept),
        TEST(the_wait_of_a_tasklet_that_is_closed_ends_and_its_close_path_ends_the_child),
        TEST(one_tasklet_waits_at_a_time_and_a_close_by_another_ends_that),
        TEST(a_tasklet_of_another_worker_cannot_wait_for_it),
        TEST(children_that_are_left_at_the_end_of_a_runtime_are_killed_reaped_and_reported),
        TEST(a_dump_says_who_waits_for_a_process),
        TEST(a_child_has_no_descriptor_but_its_three),
        TEST(where_we_have_no_standard_input_a_child_has_its_pipes_all_the_same),
        TEST(a_child_has_every_signal_unblocked_and_at_its_default),
        TEST(what_cannot_be_started_is_named_with_the_reason),
        TEST(a_handler_cannot_start_one),
        TEST(without_memory_nothing_is_started_and_nothing_left),
        TEST(without_descriptors_the_error_says_so_and_none_is_lost),
        TEST(one_more_than_a_worker_may_have_is_refused_and_counted),
        TEST(where_the_program_ignores_sigchld_the_status_is_said_to_be_lost),
        TEST(without_a_pidfd_children_are_waited_for_killed_and_reaped_all_the_same),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
