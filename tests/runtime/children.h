/* What the tests of child processes share: a worker, what its bodies found out, ways to start a child.
 * The system call is these tests' own, and fails for pidfd_open when it is told to.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_RUNTIME_CHILDREN_H
#define TESTS_RUNTIME_CHILDREN_H

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <meshwork/runtime.h>

#include "bodies.h"
#include "check.h"

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

__attribute__((unused)) static void keep(int result)
{
    if (seen.count < (int)MW_COUNT(seen.results))
        seen.results[seen.count++] = result;
}

__attribute__((unused)) static void done(void)
{
    if (atomic_fetch_sub(&seen.left, 1) == 1)
        mw_runtime_stop(seen.rt);
}

__attribute__((unused)) static int children(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0; /* else there is none, and no zombie either */
}

__attribute__((unused)) static void begin(size_t workers, int left)
{
    memset(&seen, 0, sizeof(seen));
    atomic_init(&seen.left, left);
    CHECK_INT(mw_runtime_open(&(mw_runtime_options){.size = sizeof(mw_runtime_options), .workers = workers}, &seen.rt, NULL), 0);
}

__attribute__((unused)) static void give(size_t worker, mw_body *one, mw_body *two)
{
    give_bodies(seen.rt, worker, one, two, &seen.other);
}

__attribute__((unused)) static void end(void)
{
    mw_runtime_wait(seen.rt);
    mw_runtime_close(seen.rt, &seen.report);
    CHECK_INT(children(), 0);
}

/* One coroutine or two on a worker, until each has said that it is done. No child is left, and no zombie. */
__attribute__((unused)) static void run_bodies(mw_body *one, mw_body *two)
{
    begin(1, two ? 2 : 1);
    give(0, one, two);
    end();
}

/* ---- children -------------------------------------------------------------------------------------------- */
__attribute__((unused)) static mw_process *start_as(mw_tasklet *self, const mw_process_options *like, const char *const *argv)
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
__attribute__((unused)) static mw_process *start_shell(mw_tasklet *self, const char *line)
{
    return start_as(self, &(mw_process_options){.input = MW_STDIO_NULL, .output = MW_STDIO_PIPE},
                    (const char *const[]){"sh", "-c", line, NULL});
}

/* What it says on a stream until that ends, to seen.text. */
__attribute__((unused)) static void read_all(mw_tasklet *self, mw_stream *from)
{
    ssize_t n;

    while (from && seen.text_count + 1 < sizeof(seen.text) &&
           (n = mw_read(self, from, seen.text + seen.text_count, sizeof(seen.text) - 1 - seen.text_count, mw_clock(self) + LONG)) > 0)
        seen.text_count += (size_t)n;
}

__attribute__((unused)) static int wait_for(mw_tasklet *self, mw_process *p)
{
    return mw_process_wait(self, p, mw_clock(self) + LONG, &seen.status);
}

#endif
