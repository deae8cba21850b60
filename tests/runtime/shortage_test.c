/* What the runtime does when the system has nothing left to give: no descriptor for whoever has come, no way to watch a socket. The system calls
 * are this test's own, and fail when they are told to.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <meshwork/runtime.h>

#include "base/memory.h"
#include "check.h"

#define MS INT64_C(1000000)
#define LONG (INT64_C(20000) * MS) /* never waited for when all is well */

static atomic_int accepts_fail, accept_code; /* so many, with this */
static atomic_int flags_code;                /* of the next F_GETFL; 0: it works */
static atomic_int accept_calls;

int accept4(int fd, __SOCKADDR_ARG ret_address, socklen_t *io_bytes, int flags)
{
    atomic_fetch_add(&accept_calls, 1);
    if (atomic_load(&accepts_fail) > 0) {
        atomic_fetch_sub(&accepts_fail, 1);
        errno = atomic_load(&accept_code);
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, ret_address.__sockaddr__, io_bytes, flags);
}

int fcntl(int fd, int command, ...)
{
    va_list arguments;
    long argument;

    va_start(arguments, command);
    argument = va_arg(arguments, long);
    va_end(arguments);
    if (command == F_GETFL && atomic_load(&flags_code)) {
        errno = atomic_exchange(&flags_code, 0);
        return -1;
    }
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

/* ---- a worker ------------------------------------------------------------------------------------------- */
static struct {
    mw_runtime *rt;
    atomic_int left;
    int results[16], count;
    int port;
    mw_stream *listener;
    int listened, connected, accepted; /* where two bodies say something, and who is first is not what is asked */
    uint64_t shortages;
} seen;

static void keep(int result)
{
    if (seen.count < 16)
        seen.results[seen.count++] = result;
}

static void done(void)
{
    if (atomic_fetch_sub(&seen.left, 1) == 1)
        mw_runtime_stop(seen.rt);
}

/* One coroutine or two on a worker, until so many have said that they are done. */
static void run_bodies(mw_body *one, mw_body *two, int left)
{
    mw_scheduler *mesh, *outside;

    memset(&seen, 0, sizeof(seen));
    atomic_store(&accept_calls, 0);
    atomic_init(&seen.left, left);
    CHECK_INT(mw_runtime_open(&(mw_runtime_options){.size = sizeof(mw_runtime_options), .workers = 1}, &seen.rt, NULL), 0);
    mesh = mw_runtime_mesh(seen.rt, 0);
    outside = mw_scheduler_enter(mesh);
    if (two)
        CHECK(mw_tasklet_new(two, NULL) != NULL);
    CHECK(mw_tasklet_new(one, NULL) != NULL);
    mw_scheduler_leave(outside);
    CHECK_INT(mw_runtime_start(seen.rt, mesh), 0);
    mw_runtime_wait(seen.rt);
    mw_runtime_close(seen.rt, NULL);
}

enum { FAILURES = 2 };

/* ---- no descriptor -------------------------------------------------------------------------------------- */
static int guest(mw_tasklet *self, void *scope)
{
    mw_stream *s;

    (void)scope;
    (void)mw_sleep_until(self, mw_clock(self) + MS); /* the other one listens by then: it was made after us, and runs first */
    seen.connected = mw_connect(self, "127.0.0.1", seen.port, mw_clock(self) + LONG, &s, NULL);
    mw_stream_close(s);
    done();
    return 0;
}

static int crowded_door(mw_tasklet *self, void *scope)
{
    mw_stream *s;

    (void)scope;
    seen.listened = mw_listen(self, "127.0.0.1", 0, &seen.listener, &seen.port, NULL);
    atomic_store(&accept_code, EMFILE);
    atomic_store(&accepts_fail, FAILURES);
    seen.accepted = mw_accept(self, seen.listener, mw_clock(self) + LONG, &s);
    mw_stream_close(s);
    seen.shortages = mw_stream_shortages(seen.listener);
    mw_stream_close(seen.listener);
    done();
    return 0;
}

static void a_door_goes_on_when_there_are_descriptors_again(void)
{
    run_bodies(crowded_door, guest, 2);
    CHECK_INT(seen.listened, 0);
    CHECK_INT(seen.connected, 0);
    CHECK_INT(seen.accepted, 0); /* let in ... */
    CHECK_INT(seen.shortages, FAILURES); /* ... and each try in vain is counted */
    CHECK_INT(atomic_load(&accepts_fail), 0);
    CHECK(atomic_load(&accept_calls) > FAILURES);
    CHECK(atomic_load(&accept_calls) < 10); /* it does not turn in circles meanwhile */
}

static int door_with_a_deadline(mw_tasklet *self, void *scope)
{
    static const int codes[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EINVAL};
    mw_stream *s;
    size_t i;

    (void)scope;
    keep(mw_listen(self, "127.0.0.1", 0, &seen.listener, &seen.port, NULL));
    for (i = 0; i < MW_COUNT(codes); i++) {
        atomic_store(&accept_code, codes[i]);
        atomic_store(&accepts_fail, 1000);
        keep(mw_accept(self, seen.listener, mw_clock(self) + MS, &s));
    }
    atomic_store(&accepts_fail, 0);
    mw_stream_close(seen.listener);
    done();
    return 0;
}

static void at_the_deadline_the_shortage_is_what_is_said(void)
{
    run_bodies(door_with_a_deadline, NULL, 1);
    CHECK_INT(seen.results[1], -EMFILE);
    CHECK_INT(seen.results[2], -ENFILE);
    CHECK_INT(seen.results[3], -ENOBUFS);
    CHECK_INT(seen.results[4], -ENOMEM);
    CHECK_INT(seen.results[5], -EINVAL); /* that is no shortage: at once */
}

static int close_the_door(mw_tasklet *self, void *scope)
{
    (void)scope;
    (void)mw_sleep_until(self, mw_clock(self) + MS);
    mw_stream_close(seen.listener);
    done();
    return 0;
}

static int door_that_is_closed(mw_tasklet *self, void *scope)
{
    mw_stream *s;

    (void)scope;
    keep(mw_listen(self, "127.0.0.1", 0, &seen.listener, &seen.port, NULL));
    atomic_store(&accept_code, EMFILE);
    atomic_store(&accepts_fail, 1000);
    keep(mw_accept(self, seen.listener, MW_FOREVER, &s));
    atomic_store(&accepts_fail, 0);
    done();
    return 0;
}

static void a_door_may_be_closed_while_it_waits_for_descriptors(void)
{
    run_bodies(door_that_is_closed, close_the_door, 2);
    CHECK_INT(seen.results[1], -ECANCELED);
}

/* ---- no way to watch ------------------------------------------------------------------------------------ */
static int connect_unwatched(mw_tasklet *self, void *scope)
{
    struct mw_error error = {0};
    mw_stream *s;

    (void)scope;
    keep(mw_listen(self, "127.0.0.1", 0, &seen.listener, &seen.port, NULL));
    atomic_store(&flags_code, EPERM);
    keep(mw_connect(self, "127.0.0.1", seen.port, mw_clock(self) + LONG, &s, &error));
    keep(strstr(error.text, mw_strerror(-EPERM)) != NULL);
    mw_stream_close(seen.listener);
    done();
    return 0;
}

static void why_a_connection_cannot_be_watched_is_said_as_it_is(void)
{
    run_bodies(connect_unwatched, NULL, 1);
    CHECK_INT(seen.results[0], 0);
    CHECK_INT(seen.results[1], -EPERM);
    CHECK_INT(seen.results[2], 1);
}

/* ---- whose the argument is ------------------------------------------------------------------------------ */
static atomic_int releases;

static void count_release(void *arg)
{
    (void)arg;
    atomic_fetch_add(&releases, 1);
}

static int give(void *arg)
{
    return *(int *)arg;
}

static int offload_each(mw_tasklet *self, void *scope)
{
    static const int results[] = {0, 7, -EIO, -ECANCELED, -ETIMEDOUT};
    mw_value item;
    size_t i;

    (void)scope;
    for (i = 0; i < MW_COUNT(results); i++) {
        int arg = results[i];

        keep(mw_offload(self, give, &arg, count_release, MW_FOREVER));
        keep(atomic_exchange(&releases, 0));
    }
    keep(mw_offload(self, NULL, NULL, count_release, MW_FOREVER));
    keep(atomic_exchange(&releases, 0));
    done();
    while (mw_receive(self, &item))
        continue;
    keep(mw_offload(self, give, NULL, count_release, MW_FOREVER)); /* it is being closed */
    keep(atomic_exchange(&releases, 0));
    return 0;
}

static void the_argument_is_released_just_where_the_result_is_negative(void)
{
    static const int want[] = {0, 0, 7, 0, -EIO, 1, -ECANCELED, 1, -ETIMEDOUT, 1, -EINVAL, 1, -ECANCELED, 1};
    size_t i;

    run_bodies(offload_each, NULL, 1);
    CHECK_INT(seen.count, MW_COUNT(want));
    for (i = 0; i < MW_COUNT(want); i++)
        CHECK_INT(seen.results[i], want[i]);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_door_goes_on_when_there_are_descriptors_again),
        TEST(at_the_deadline_the_shortage_is_what_is_said),
        TEST(a_door_may_be_closed_while_it_waits_for_descriptors),
        TEST(why_a_connection_cannot_be_watched_is_said_as_it_is),
        TEST(the_argument_is_released_just_where_the_result_is_negative),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
