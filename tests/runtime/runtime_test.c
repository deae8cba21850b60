/* Workers and what suspends a tasklet for the world outside: sockets, pipes, other threads.
 * Read next: src/runtime/worker.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <meshwork/runtime.h>

#include "base/memory.h"
#include "check.h"

#define MS INT64_C(1000000)
#define LONG (INT64_C(20000) * MS) /* never waited for when all is well */

/* What bodies of a test found out; read when the runtime has ended. */
static struct {
    mw_runtime *rt;
    int results[16], count;
    int port;
    char text[600];
    size_t text_count;
    mw_stream *shared;
    mw_tasklet *other;
    atomic_int left;
} seen;

static void keep(int result)
{
    if (seen.count < 16)
        seen.results[seen.count++] = result;
}

/* One of those that a test waits for is done. */
static void done(void)
{
    if (atomic_fetch_sub(&seen.left, 1) == 1)
        mw_runtime_stop(seen.rt);
}

static void begin(size_t workers, int left)
{
    mw_runtime_options options = {.size = sizeof(options), .workers = workers};
    struct mw_error error = {0};

    memset(&seen, 0, sizeof(seen));
    atomic_init(&seen.left, left);
    CHECK_INT(mw_runtime_open(&options, &seen.rt, &error), 0);
    CHECK_INT(mw_runtime_worker_count(seen.rt), workers);
}

static void end(struct mw_runtime_report *ret_report)
{
    mw_runtime_wait(seen.rt);
    mw_runtime_close(seen.rt, ret_report);
}

/* A coroutine that does one thing on a worker, with a tasklet beside it that is made first (or NULL). */
static void run_bodies(mw_body *one, mw_body *two)
{
    mw_scheduler *mesh = mw_runtime_mesh(seen.rt, 0), *outside = mw_scheduler_enter(mesh);

    CHECK(mesh != NULL);
    if (two)
        CHECK((seen.other = mw_tasklet_new(two, NULL)) != NULL);
    CHECK(mw_tasklet_new(one, NULL) != NULL);
    mw_scheduler_leave(outside);
    CHECK_INT(mw_runtime_start(seen.rt, mesh), 0);
}

/* ---- workers ------------------------------------------------------------------------------------------- */
static int hand_on(mw_tasklet *self, void *scope, mw_value item)
{
    mw_address **target = scope;

    (void)self;
    if (item.as.integer == 0) {
        done();
        return 0;
    }
    return mw_post(*target, mw_int(item.as.integer - 1));
}

static void meshes_on_two_workers_talk_by_posting(void)
{
    mw_address *to[2];
    mw_scheduler *mesh[2];
    int i;

    begin(2, 1);
    for (i = 0; i < 2; i++) {
        mw_scheduler *outside;

        mesh[i] = mw_runtime_mesh(seen.rt, (size_t)i);
        outside = mw_scheduler_enter(mesh[i]);
        to[i] = mw_tasklet_address(mw_handler_new(hand_on, &to[1 - i]));
        mw_scheduler_leave(outside);
    }
    CHECK_INT(mw_post(to[0], mw_int(10000)), 0); /* before it is started */
    for (i = 0; i < 2; i++)
        CHECK_INT(mw_runtime_start(seen.rt, mesh[i]), 0);
    end(NULL);
    for (i = 0; i < 2; i++) {
        CHECK_INT(mw_post(to[i], mw_int(1)), -EPIPE);
        mw_address_unref(to[i]);
    }
}

static int stay_for_ever(mw_tasklet *self, void *scope)
{
    (void)scope;
    done();
    return mw_sleep_until(self, MW_FOREVER) == -ECANCELED ? 0 : -1;
}

static void a_dump_of_all_wakes_workers_that_sleep(void)
{
    FILE *file = tmpfile();
    mw_scheduler *mesh;
    size_t count;
    char said[4096] = "";
    int i;

    begin(2, 2);
    for (i = 0; i < 2; i++) {
        mw_scheduler *outside;

        mesh = mw_runtime_mesh(seen.rt, (size_t)i);
        outside = mw_scheduler_enter(mesh);
        CHECK(mw_tasklet_new_at(stay_for_ever, NULL, i == 0 ? "first" : "second", __FILE__, __LINE__) != NULL);
        mw_scheduler_leave(outside);
        CHECK_INT(mw_runtime_start(seen.rt, mesh), 0); /* no address, no inbox: woken by its worker's own means */
    }
    CHECK(file != NULL);
    mw_runtime_wait(seen.rt);
    CHECK_INT(mw_dump_all(fileno(file), LONG), 0);
    rewind(file);
    count = fread(said, 1, sizeof(said) - 1, file);
    said[count] = '\0';
    fclose(file);
    CHECK(strstr(said, "  first ") != NULL);
    CHECK(strstr(said, "  second ") != NULL);
    CHECK(strstr(said, "waits for a time for ") != NULL);
    end(NULL);
}

static int sleep_a_little(mw_tasklet *self, void *scope)
{
    int64_t until_ns = mw_clock(self) + 3 * MS;

    (void)scope;
    keep(mw_sleep_until(self, until_ns));
    keep(mw_now_ns() >= until_ns);
    done();
    return 0;
}

static void a_worker_keeps_the_times_of_its_meshes(void)
{
    begin(1, 1);
    run_bodies(sleep_a_little, NULL);
    end(NULL);
    CHECK_INT(seen.results[0], 0);
    CHECK_INT(seen.results[1], 1);
}

/* Never done: sends itself the next item. */
static int go_on(mw_tasklet *self, void *scope, mw_value item)
{
    (void)scope;
    return mw_send(self, item);
}

static int say_and_end(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self, (void)scope;
    keep((int)item.as.integer);
    done();
    return 0;
}

static void beside_a_mesh_that_is_never_done_times_posts_and_the_end_come_through(void)
{
    mw_scheduler *busy, *outside;
    mw_address *to;
    mw_tasklet *t;

    begin(1, 2);
    busy = mw_runtime_mesh(seen.rt, 0);
    outside = mw_scheduler_enter(busy);
    t = mw_handler_new(go_on, NULL);
    CHECK_INT(mw_send(t, mw_int(1)), 0);
    to = mw_tasklet_address(mw_handler_new(say_and_end, NULL));
    mw_scheduler_leave(outside);
    CHECK_INT(mw_runtime_start(seen.rt, busy), 0);
    run_bodies(sleep_a_little, NULL);
    CHECK_INT(mw_post(to, mw_int(77)), 0);
    end(NULL);
    CHECK_INT(seen.count, 3);
    CHECK_INT(seen.results[0] + seen.results[1] + seen.results[2], 78); /* in whichever order: slept 0, in time 1, posted 77 */
    mw_address_unref(to);
}

static int sleep_for_ever(mw_tasklet *self, void *scope)
{
    (void)scope;
    done();
    keep(mw_sleep_until(self, MW_FOREVER));
    return 0;
}

static void what_is_left_at_the_end_is_reported_and_close_paths_run(void)
{
    struct mw_runtime_report report;
    mw_tasklet *closed, *null;
    mw_scheduler *mesh, *outside;

    begin(1, 1);
    mesh = mw_runtime_mesh(seen.rt, SIZE_MAX);
    outside = mw_scheduler_enter(mesh);
    closed = mw_handler_new_at(hand_on, NULL, "full", __FILE__, __LINE__);
    null = mw_tasklet_new(NULL, NULL);
    CHECK(closed && null && mw_tasklet_new(sleep_for_ever, NULL));
    CHECK_INT(mw_close(closed), 0);
    CHECK_INT(mw_send(closed, mw_int(1)), 0);
    CHECK_INT(mw_send(closed, mw_int(2)), 0);
    mw_scheduler_leave(outside);
    CHECK_INT(mw_runtime_start(seen.rt, mesh), 0);
    CHECK_INT(mw_runtime_start(seen.rt, mesh), -EINVAL);
    (void)!mw_runtime_mesh(seen.rt, 0); /* never started */
    end(&report);
    CHECK_INT(seen.results[0], -ECANCELED);
    CHECK_INT(report.meshes, 2);
    CHECK_INT(report.tasklets, 3);
    CHECK_INT(report.queued_items, 2);
    CHECK_INT(report.waiting, 1);
    CHECK_TEXT(report.fullest, "full");
    CHECK_INT(report.fullest_items, 2);
}

/* A mesh of one that waits and closed ones named t0, t1 ... which have 0, 1, 2 ... items; nested: within another. */
static mw_scheduler *mesh_with_queues(size_t worker, size_t count, bool is_nested)
{
    mw_scheduler *mesh = mw_runtime_mesh(seen.rt, worker), *outside = mw_scheduler_enter(mesh), *inner = is_nested ? mw_taskmaster_new() : NULL;
    mw_tasklet *t;
    char name[8];
    size_t i, n;

    CHECK(mesh != NULL);
    if (inner)
        CHECK(mw_scheduler_tasklet(inner) != NULL);
    for (i = 0; i < count; i++) {
        t = mw_handler_new_at(hand_on, NULL, "t", "/some/where.c", 7);
        (void)snprintf(name, sizeof name, "t%zu", i);
        CHECK(t && mw_tasklet_set_name(t, name) == 0);
        if (inner)
            CHECK_INT(mw_scheduler_add(inner, t), 0);
        CHECK_INT(mw_close(t), 0);
        for (n = 0; n < i; n++)
            CHECK_INT(mw_send(t, mw_int(1)), 0);
    }
    CHECK(mw_tasklet_new(stay_for_ever, NULL) != NULL);
    mw_scheduler_leave(outside);
    return mesh;
}

static struct {
    FILE *file;
    size_t meshes, items, waiting, tasklets, most;
    bool is_wrong;
} told;

static void tell_left(void *context, const mw_mesh_left *left)
{
    told.is_wrong |= context != &told || left->fullest_count > 16 || left->fullest_count > left->queued_tasklets ||
                     mw_scheduler_stats(left->mesh).tasklets == 0;
    told.meshes++;
    told.items += left->queued_items;
    told.waiting += left->waiting;
    told.tasklets += left->tasklets;
    if (left->fullest_count > 0 && left->fullest[0].items > told.most)
        told.most = left->fullest[0].items;
    mw_mesh_left_print(told.file, left);
}

static void each_mesh_that_ends_is_told_of_with_the_tasklets_that_had_most(void)
{
    char said[4096] = "";
    struct mw_runtime_report report;
    size_t count;

    memset(&told, 0, sizeof(told));
    told.file = tmpfile();
    CHECK(told.file != NULL);
    begin(2, 2);
    mw_runtime_on_left(seen.rt, tell_left, &told);
    CHECK_INT(mw_runtime_start(seen.rt, mesh_with_queues(0, 20, false)), 0);
    CHECK_INT(mw_runtime_start(seen.rt, mesh_with_queues(1, 3, true)), 0);
    (void)mesh_with_queues(1, 2, false); /* never started: its coroutine has not begun to wait */
    end(&report);
    rewind(told.file);
    count = fread(said, 1, sizeof(said) - 1, told.file);
    said[count] = '\0';
    fclose(told.file);
    CHECK(!told.is_wrong);
    CHECK_INT(told.meshes, 3);
    CHECK_INT(told.items, 190 + 3 + 1);
    CHECK_INT(told.waiting, 2);
    CHECK_INT(told.tasklets, 21 + 5 + 3);
    CHECK_INT(told.most, 19);
    CHECK_INT(report.queued_items, told.items);
    CHECK_INT(report.tasklets, told.tasklets);
    CHECK_TEXT(report.fullest, "t19");
    CHECK(strstr(said, "a mesh of worker 0, 21 tasklets: 190 items queued, 1 waits\n  t19 (where.c:7): 19 items, closed\n  t18 ") != NULL);
    CHECK(strstr(said, "  t4 (where.c:7): 4 items, closed\n  and 3 more\n") != NULL);
    CHECK(strstr(said, "a mesh of worker 1, 5 tasklets: 3 items queued, 1 waits\n  t2 (where.c:7): 2 items, closed\n  t1 (where.c:7): 1 item, closed\n") != NULL);
    CHECK(strstr(said, "a mesh that was never started, 3 tasklets: 1 item queued, 0 wait\n  t1 (where.c:7): 1 item, closed\n") != NULL);
}

static void of_a_mesh_that_has_nothing_nothing_is_printed(void)
{
    const mw_mesh_left left = {.tasklets = 5};
    FILE *file = tmpfile();

    CHECK(file != NULL);
    mw_mesh_left_print(file, &left);
    mw_mesh_left_print(file, NULL);
    mw_mesh_left_print(NULL, &left);
    mw_runtime_on_left(NULL, tell_left, NULL);
    CHECK_INT(ftell(file), 0);
    fclose(file);
}

static void wrong_arguments_are_answered(void)
{
    mw_runtime_options options = {.size = 3};
    struct mw_error error = {0};
    mw_runtime *rt;

    CHECK_INT(mw_runtime_open(&options, &rt, &error), -EINVAL);
    options = (mw_runtime_options){.size = sizeof(options), .workers = 100000};
    CHECK_INT(mw_runtime_open(&options, &rt, &error), -EINVAL);
    CHECK(strstr(error.text, "1 to 1024 workers") != NULL);
    CHECK_INT(mw_runtime_open(NULL, NULL, NULL), -EINVAL);
    CHECK_INT(mw_runtime_open(NULL, &rt, NULL), 0); /* one per processor */
    CHECK(mw_runtime_worker_count(rt) >= 1);
    CHECK(mw_runtime_mesh(rt, 100000) == NULL);
    CHECK(mw_runtime_mesh(NULL, 0) == NULL);
    CHECK_INT(mw_runtime_start(rt, NULL), -EINVAL);
    CHECK_INT(mw_runtime_start(rt, mw_implicit_scheduler()), -EINVAL);
    mw_runtime_close(rt, NULL);
    mw_runtime_close(NULL, NULL);
    CHECK_INT(mw_runtime_worker_count(NULL), 0);
    mw_thread_end();
}

static void without_memory_no_runtime_and_no_leak(void)
{
    mw_runtime_options options = {.size = sizeof(options), .workers = 1};
    int64_t live = mw_memory_stats().live_blocks, n;
    mw_runtime *rt = NULL;
    int err = -ENOMEM;

    for (n = 1; err < 0 && n < 50; n++) {
        mw_memory_fail_at(n, false);
        err = mw_runtime_open(&options, &rt, NULL);
        mw_memory_fail_at(0, false);
        if (err < 0)
            CHECK_INT(mw_memory_stats().live_blocks, live);
    }
    CHECK(n > 4);
    mw_runtime_close(rt, NULL);
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

static void take_note(int signal)
{
    keep(signal);
}

static void signals_are_left_to_the_threads_of_the_program(void)
{
    const struct timespec most = {.tv_sec = LONG / 1000000000};
    void (*before)(int) = signal(SIGUSR2, take_note);
    sigset_t set;

    begin(1, 1);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK_INT(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_INT(kill(getpid(), SIGUSR2), 0); /* would go to a worker that takes it */
    CHECK_INT(sigtimedwait(&set, NULL, &most), SIGUSR2);
    CHECK_INT(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    (void)signal(SIGUSR2, before);
    mw_runtime_stop(seen.rt);
    end(NULL);
    CHECK_INT(seen.count, 0);
}

/* ---- streams ------------------------------------------------------------------------------------------- */
static int serve_once(mw_tasklet *self, void *scope)
{
    struct mw_error error = {0};
    mw_stream *listener, *guest;
    char bytes[64];
    ssize_t n;

    (void)scope;
    if (mw_listen(self, "127.0.0.1", 0, &listener, &seen.port, &error) < 0)
        return -1;
    if (mw_accept(self, listener, mw_clock(self) + LONG, &guest) == 0) {
        while ((n = mw_read(self, guest, bytes, sizeof bytes, mw_clock(self) + LONG)) > 0)
            if (mw_write(self, guest, bytes, (size_t)n, mw_clock(self) + LONG) < 0)
                break;
        mw_stream_close(guest);
    }
    mw_stream_close(listener);
    done();
    return 0;
}

static int talk_to(mw_tasklet *self, const char *host)
{
    mw_stream *s;
    struct mw_error error = {0};
    ssize_t n;
    int err;

    while (seen.port == 0) /* until the other one listens */
        if (mw_sleep_until(self, 0) < 0)
            return 0;
    err = mw_connect(self, host, seen.port, mw_clock(self) + LONG, &s, &error);
    keep(err);
    if (err < 0) {
        done(); /* so that the test ends, and says why it failed */
        return err;
    }
    keep(mw_write(self, s, "hello ", 6, mw_clock(self) + LONG));
    keep(mw_write(self, s, "there", 5, mw_clock(self) + LONG));
    keep(mw_shutdown(s));
    while ((n = mw_read(self, s, seen.text + seen.text_count, sizeof seen.text - seen.text_count, mw_clock(self) + LONG)) > 0)
        seen.text_count += (size_t)n;
    keep((int)n);
    mw_stream_close(s);
    done();
    return 0;
}

static int talk(mw_tasklet *self, void *scope)
{
    (void)scope;
    return talk_to(self, "127.0.0.1");
}

static int talk_by_name(mw_tasklet *self, void *scope)
{
    (void)scope;
    return talk_to(self, "localhost");
}

static void two_coroutines_talk_over_tcp_and_nobody_else_waits(void)
{
    int i, named;

    for (named = 0; named < 2; named++) {
        begin(1, 2);
        run_bodies(named ? talk_by_name : talk, serve_once);
        end(NULL);
        for (i = 0; i < 5; i++)
            CHECK_INT(seen.results[i], 0);
        CHECK_BYTES(seen.text, seen.text_count, "hello there", 11);
    }
}

static int refused(mw_tasklet *self, void *scope)
{
    struct mw_error error = {0};
    mw_stream *s;

    (void)scope;
    keep(mw_connect(self, "127.0.0.1", 1, mw_clock(self) + LONG, &s, &error)); /* nobody listens there */
    (void)snprintf(seen.text, sizeof seen.text, "%s", error.text);
    keep(mw_connect(self, "no-such-name.invalid", 1, mw_clock(self) + LONG, &s, &error));
    keep(mw_connect(self, "127.0.0.1", 70000, MW_FOREVER, &s, NULL));
    keep(mw_connect(self, NULL, 1, MW_FOREVER, &s, NULL));
    keep(mw_connect_unix(self, "/no/such/socket", MW_FOREVER, &s, &error));
    keep(mw_listen(self, "localhost", 0, &s, NULL, &error)); /* no numeric address */
    keep(mw_listen(self, "192.0.2.1", 0, &s, NULL, &error)); /* not ours */
    keep(mw_stream_open(self, -1, &s));
    keep(mw_stream_open(self, open("/etc/passwd", O_RDONLY | O_CLOEXEC), &s));
    keep((int)mw_read(self, NULL, seen.text, 1, MW_FOREVER));
    done();
    return 0;
}

static void what_cannot_be_connected_says_why(void)
{
    static const int want[] = {-ECONNREFUSED, -ENOENT, -EINVAL, -EINVAL, -ENOENT, -EINVAL, -EADDRNOTAVAIL, -EBADF, -EPERM, -EINVAL};
    size_t i;

    begin(1, 1);
    run_bodies(refused, NULL);
    end(NULL);
    for (i = 0; i < MW_COUNT(want); i++)
        CHECK_INT(seen.results[i], want[i]);
    CHECK(strncmp(seen.text, "connect to 127.0.0.1 port 1: ", 29) == 0);
}

static int wait_in_vain(mw_tasklet *self, void *scope)
{
    mw_stream *s;
    int pair[2];
    char byte;

    (void)scope;
    if (pipe2(pair, O_CLOEXEC) < 0 || mw_stream_open(self, pair[0], &s) < 0)
        return -1;
    keep((int)mw_read(self, s, &byte, 1, mw_clock(self) + 2 * MS));
    keep((int)mw_read(self, s, &byte, 1, mw_clock(self) - 1));
    keep((int)write(pair[1], "x", 1));
    keep((int)mw_read(self, s, &byte, 1, mw_clock(self) - 1)); /* what is there needs no time */
    (void)close(pair[1]);
    keep((int)mw_read(self, s, &byte, 1, MW_FOREVER));
    mw_stream_close(s);
    mw_stream_close(NULL);
    done();
    return 0;
}

static void a_deadline_ends_a_read_and_what_is_there_is_read_at_once(void)
{
    static const int want[] = {-ETIMEDOUT, -ETIMEDOUT, 1, 1, 0};
    size_t i;

    begin(1, 1);
    run_bodies(wait_in_vain, NULL);
    end(NULL);
    for (i = 0; i < MW_COUNT(want); i++)
        CHECK_INT(seen.results[i], want[i]);
}

static int read_shared(mw_tasklet *self, void *scope)
{
    char byte;

    (void)scope;
    while (!seen.shared)
        if (mw_sleep_until(self, 0) < 0)
            return 0;
    keep((int)mw_read(self, seen.shared, &byte, 1, MW_FOREVER)); /* closed under it */
    done();
    return 0;
}

static int close_shared(mw_tasklet *self, void *scope)
{
    int pair[2];
    char byte;

    (void)scope;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || mw_stream_open(self, pair[0], &seen.shared) < 0)
        return -1;
    (void)mw_sleep_until(self, mw_clock(self) + 2 * MS);
    keep((int)mw_read(self, seen.shared, &byte, 1, MW_FOREVER)); /* the other one reads it */
    keep(mw_write(self, seen.shared, "x", 1, MW_FOREVER));       /* writing is another matter */
    mw_stream_close(seen.shared);
    (void)close(pair[1]);
    done();
    return 0;
}

static void one_reads_at_a_time_and_a_close_wakes_who_waits(void)
{
    begin(1, 2);
    run_bodies(close_shared, read_shared);
    end(NULL);
    CHECK_INT(seen.results[0], -EBUSY);
    CHECK_INT(seen.results[1], 0);
    CHECK_INT(seen.results[2], -ECANCELED);
}

static atomic_bool does_listen;

static int listen_here(mw_tasklet *self, void *scope)
{
    (void)scope;
    keep(mw_listen(self, "127.0.0.1", 0, &seen.shared, NULL, NULL));
    atomic_store(&does_listen, true);
    done();
    (void)mw_sleep_until(self, MW_FOREVER); /* the runtime's end wakes us */
    mw_stream_close(seen.shared);
    return 0;
}

static int use_from_elsewhere(mw_tasklet *self, void *scope)
{
    mw_stream *s;
    char byte;

    (void)scope;
    while (!atomic_load(&does_listen))
        if (mw_sleep_until(self, 0) < 0)
            return 0;
    keep(mw_accept(self, seen.shared, mw_clock(self) + 2 * MS, &s));
    keep((int)mw_read(self, seen.shared, &byte, 1, mw_clock(self) + 2 * MS));
    keep(mw_accept(self, NULL, MW_FOREVER, &s));
    done();
    return 0;
}

static void a_stream_of_another_worker_is_refused(void)
{
    static mw_body *const bodies[] = {listen_here, use_from_elsewhere};
    static const int want[] = {0, -EINVAL, -EINVAL, -EINVAL};
    size_t i;

    atomic_store(&does_listen, false);
    begin(2, 2);
    for (i = 0; i < MW_COUNT(bodies); i++) {
        mw_scheduler *mesh = mw_runtime_mesh(seen.rt, i), *outside = mw_scheduler_enter(mesh);

        CHECK(mw_tasklet_new(bodies[i], NULL) != NULL);
        mw_scheduler_leave(outside);
        CHECK_INT(mw_runtime_start(seen.rt, mesh), 0);
    }
    mw_runtime_wait(seen.rt);
    for (i = 0; i < MW_COUNT(want); i++)
        CHECK_INT(seen.results[i], want[i]);
    mw_runtime_close(seen.rt, NULL);
}

static int write_much(mw_tasklet *self, void *scope)
{
    static char bytes[1 << 20];
    mw_stream *s;
    int pair[2];

    (void)scope;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || mw_stream_open(self, pair[0], &s) < 0)
        return -1;
    keep(mw_write(self, s, bytes, sizeof bytes, mw_clock(self) + 2 * MS)); /* nobody reads */
    (void)close(pair[1]);
    keep(mw_write(self, s, bytes, 1, MW_FOREVER)); /* and no SIGPIPE */
    mw_stream_close(s);
    done();
    return 0;
}

static void who_does_not_read_makes_the_writer_wait_and_who_is_gone_is_epipe(void)
{
    begin(1, 1);
    run_bodies(write_much, NULL);
    end(NULL);
    CHECK_INT(seen.results[0], -ETIMEDOUT);
    CHECK_INT(seen.results[1], -EPIPE);
}

static int shared_end; /* the other end of seen.shared */

static int write_all_of_it(mw_tasklet *self, void *scope)
{
    static char bytes[1 << 20];
    int pair[2];

    (void)scope;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || mw_stream_open(self, pair[0], &seen.shared) < 0)
        return -1;
    shared_end = pair[1];
    keep(mw_write(self, seen.shared, bytes, sizeof bytes, MW_FOREVER));
    done();
    return 0;
}

static int write_between(mw_tasklet *self, void *scope)
{
    static char bytes[1 << 20];

    (void)scope;
    while (!seen.shared)
        if (mw_sleep_until(self, 0) < 0)
            return 0;
    keep(read(shared_end, bytes, sizeof bytes) > 0);             /* now there is room, and nobody was told yet */
    keep(mw_write(self, seen.shared, "between", 7, MW_FOREVER)); /* the other one is not done */
    mw_stream_close(seen.shared);
    (void)close(shared_end);
    done();
    return 0;
}

static int write_to_nobody(mw_tasklet *self, void *scope)
{
    mw_stream *s = NULL;
    int fds[2], left_pending;
    sigset_t pending;

    (void)scope;
    CHECK_INT(pipe(fds), 0);
    CHECK_INT(mw_stream_open(self, fds[1], &s), 0);
    keep(mw_write(self, s, "x", 1, MW_FOREVER));
    close(fds[0]);
    keep(mw_write(self, s, "x", 1, MW_FOREVER));
    sigpending(&pending);
    left_pending = sigismember(&pending, SIGPIPE);
    keep(left_pending);
    mw_stream_close(s);
    done();
    return 0;
}

static void a_pipe_that_nobody_reads_is_epipe_and_no_signal(void)
{
    void (*before)(int) = signal(SIGPIPE, SIG_DFL);

    begin(1, 1);
    run_bodies(write_to_nobody, NULL);
    end(NULL);
    CHECK_INT(seen.results[0], 0);
    CHECK_INT(seen.results[1], -EPIPE);
    CHECK_INT(seen.results[2], 0);
    (void)signal(SIGPIPE, before);
}

static void nobody_writes_between_the_parts_of_a_write(void)
{
    begin(1, 2);
    run_bodies(write_all_of_it, write_between);
    end(NULL);
    CHECK_INT(seen.results[0], 1);
    CHECK_INT(seen.results[1], -EBUSY);
    CHECK_INT(seen.results[2], -ECANCELED);
}

static int try_in_a_handler(mw_tasklet *self, void *scope, mw_value item)
{
    mw_stream *s;
    char byte;

    (void)scope, (void)item;
    keep((int)mw_read(self, seen.shared, &byte, 1, MW_FOREVER));
    keep(mw_connect(self, "127.0.0.1", 1, MW_FOREVER, &s, NULL));
    return 0;
}

static int try_without_a_worker(mw_tasklet *self, void *scope)
{
    mw_stream *s;

    (void)scope;
    keep(mw_connect(self, "127.0.0.1", 1, MW_FOREVER, &s, NULL));
    keep(mw_stream_open(self, open("/dev/null", O_RDONLY | O_CLOEXEC), &s));
    return 0;
}

static void handlers_and_meshes_without_a_worker_cannot_wait_for_input(void)
{
    mw_scheduler *mesh = mw_taskmaster_new(), *outside = mw_scheduler_enter(mesh);
    mw_tasklet *t = mw_handler_new(try_in_a_handler, NULL);

    memset(&seen, 0, sizeof(seen));
    seen.shared = (mw_stream *)(void *)&seen;
    CHECK(mw_tasklet_new(try_without_a_worker, NULL) != NULL);
    CHECK_INT(mw_send(t, mw_int(1)), 0);
    CHECK_INT(mw_scheduler_run(mesh), 1);
    CHECK_INT(seen.results[0], -ENOTSUP);
    CHECK_INT(seen.results[1], -ENOTSUP);
    CHECK_INT(seen.results[2], -ENOTSUP);
    CHECK_INT(seen.results[3], -ENOTSUP);
    mw_scheduler_leave(outside);
    mw_scheduler_free(mesh);
}

/* ---- work elsewhere --------------------------------------------------------------------------------------- */
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

/* ---- faults ----------------------------------------------------------------------------------------------- */
static int descend(volatile char *above, int depth)
{
    volatile char room[512];

    room[0] = above ? above[1] : (char)depth;
    room[1] = (char)depth;
    return depth > 1000000 ? room[511] : descend(room, depth + 1) + room[0];
}

static int overflow(mw_tasklet *self, void *scope)
{
    (void)self, (void)scope;
    return descend(NULL, 0) == 42;
}

/* Ends by a signal; what is said goes to fd. */
static void overflow_on_a_worker(int fd)
{
    if (dup2(fd, STDERR_FILENO) < 0 || mw_catch_faults() < 0)
        _exit(3);
    begin(1, 1);
    run_bodies(overflow, NULL);
    mw_runtime_wait(seen.rt);
    _exit(4);
}

static void an_overflow_on_a_worker_is_named_too(void)
{
    char said[65536] = "";
    int ends[2], status;
    size_t count = 0;
    ssize_t n;
    pid_t child;

    CHECK_INT(pipe(ends), 0);
    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0)
        overflow_on_a_worker(ends[1]);
    close(ends[1]);
    while (count < sizeof said - 1 && (n = read(ends[0], said + count, sizeof said - 1 - count)) > 0)
        count += (size_t)n;
    said[count] = '\0';
    close(ends[0]);
    CHECK_INT(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
        return; /* sanitizers and valgrind have their own ways */
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), SIGSEGV);
    if (!strstr(said, "overflowed its 64 KiB stack"))
        CHECK_FAILED_("it said only: %s\n", said);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(an_overflow_on_a_worker_is_named_too), /* forks: before there are other threads */
        TEST(meshes_on_two_workers_talk_by_posting),
        TEST(a_worker_keeps_the_times_of_its_meshes),
        TEST(beside_a_mesh_that_is_never_done_times_posts_and_the_end_come_through),
        TEST(a_dump_of_all_wakes_workers_that_sleep),
        TEST(what_is_left_at_the_end_is_reported_and_close_paths_run),
        TEST(each_mesh_that_ends_is_told_of_with_the_tasklets_that_had_most),
        TEST(of_a_mesh_that_has_nothing_nothing_is_printed),
        TEST(signals_are_left_to_the_threads_of_the_program),
        TEST(wrong_arguments_are_answered),
        TEST(without_memory_no_runtime_and_no_leak),
        TEST(two_coroutines_talk_over_tcp_and_nobody_else_waits),
        TEST(what_cannot_be_connected_says_why),
        TEST(a_deadline_ends_a_read_and_what_is_there_is_read_at_once),
        TEST(one_reads_at_a_time_and_a_close_wakes_who_waits),
        TEST(a_stream_of_another_worker_is_refused),
        TEST(who_does_not_read_makes_the_writer_wait_and_who_is_gone_is_epipe),
        TEST(a_pipe_that_nobody_reads_is_epipe_and_no_signal),
        TEST(nobody_writes_between_the_parts_of_a_write),
        TEST(handlers_and_meshes_without_a_worker_cannot_wait_for_input),
        TEST(long_work_runs_elsewhere_and_may_be_left),
        TEST(an_end_waits_for_functions_that_are_out),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
