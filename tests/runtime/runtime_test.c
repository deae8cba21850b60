/* Workers: meshes that talk, sleep, end and overflow on them.
 * Not what they wait for outside; that is stream_test.c, offload_test.c and process_test.c. Read next: src/runtime/worker.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "stage.h"

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
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
