/* A runtime in a program that has a loop of its own: worker 0 on its thread, driven by poll(2).
 * Read next: src/runtime/embed.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <meshwork/runtime.h>

#include "base/memory.h"
#include "check.h"

#define MS INT64_C(1000000)
#define LONG (INT64_C(20000) * MS) /* never waited for when all is well */

static struct {
    mw_runtime *rt;
    pthread_t ran_on[2];
    atomic_int left; /* until the runtime is stopped */
    int port, count, result;
    int64_t sum;
    mw_scheduler *mesh;
    char text[64];
    size_t text_count;
} seen;

static void begin(size_t workers, int left)
{
    mw_runtime_options options = {.size = sizeof(options), .workers = workers, .is_embedded = true};
    struct mw_error error = {0};

    memset(&seen, 0, sizeof(seen));
    atomic_init(&seen.left, left);
    CHECK_INT(mw_runtime_open(&options, &seen.rt, &error), 0);
    CHECK_INT(mw_runtime_worker_count(seen.rt), workers);
}

static void end(void)
{
    mw_runtime_close(seen.rt, NULL);
    mw_thread_end();
}

static void done(void)
{
    if (atomic_fetch_sub(&seen.left, 1) == 1)
        mw_runtime_stop(seen.rt);
}

/* A mesh of a worker with one tasklet, started. */
static mw_scheduler *start_mesh(size_t worker, mw_body *body, mw_handler *handler, void *scope, mw_tasklet **ret, mw_address **ret_address)
{
    mw_scheduler *mesh = mw_runtime_mesh(seen.rt, worker), *outside = mw_scheduler_enter(mesh);
    mw_tasklet *t = handler ? mw_handler_new(handler, scope) : mw_tasklet_new(body, scope);

    CHECK(mesh && t);
    if (ret)
        *ret = t;
    if (ret_address)
        CHECK((*ret_address = mw_tasklet_address(t)) != NULL);
    mw_scheduler_leave(outside);
    CHECK_INT(mw_runtime_start(seen.rt, mesh), 0);
    return mesh;
}

/* What a program with a loop of its own does: sleeps for both its own descriptor (-1: it has none) and the runtime's.
 * returns false: the runtime was stopped */
static bool one_pass(int own_fd, bool *ret_own)
{
    struct pollfd fds[] = {{.fd = mw_runtime_fd(seen.rt), .events = POLLIN}, {.fd = own_fd, .events = POLLIN}};
    int64_t timeout_ns = mw_runtime_timeout_ns(seen.rt);
    int err;

    if (timeout_ns > LONG)
        timeout_ns = LONG;
    err = poll(fds, 2, (int)((timeout_ns + MS - 1) / MS));
    CHECK(err > 0 || timeout_ns < LONG); /* else something has come, and nobody was told */
    if (ret_own)
        *ret_own = fds[1].revents != 0;
    err = mw_runtime_turn(seen.rt, 0);
    CHECK(err == 0 || err == 1);
    return err == 1;
}

/* ---- in the place of a thread ------------------------------------------------------------------------------- */
static int note_thread(mw_tasklet *self, void *scope)
{
    (void)self;
    *(pthread_t *)scope = pthread_self();
    done();
    return 0;
}

static void the_thread_that_runs_it_is_worker_0_until_it_is_stopped(void)
{
    size_t i;

    begin(2, 2);
    for (i = 0; i < 2; i++)
        (void)start_mesh(i, note_thread, NULL, &seen.ran_on[i], NULL, NULL);
    CHECK_INT(mw_runtime_run(seen.rt), 0);
    CHECK(pthread_equal(seen.ran_on[0], pthread_self()));
    CHECK(!pthread_equal(seen.ran_on[1], pthread_self()));
    CHECK_INT(mw_runtime_run(seen.rt), 0); /* it stays so */
    CHECK_INT(mw_runtime_turn(seen.rt, MW_FOREVER), 0);
    CHECK_INT(mw_runtime_timeout_ns(seen.rt), 0);
    end();
}

static void stop_it(int signal)
{
    (void)signal;
    mw_runtime_stop(seen.rt);
}

static int raise_a_signal(mw_tasklet *self, void *scope)
{
    (void)scope;
    if (mw_sleep_until(self, mw_clock(self) + MS) == 0)
        (void)raise(SIGUSR1);
    return 0;
}

static void a_signal_handler_may_stop_it(void)
{
    void (*before)(int) = signal(SIGUSR1, stop_it);

    begin(1, 1);
    (void)start_mesh(0, raise_a_signal, NULL, NULL, NULL, NULL);
    CHECK_INT(mw_runtime_run(seen.rt), 0);
    (void)signal(SIGUSR1, before);
    end();
}

static int wait_for_the_end(mw_tasklet *self, void *scope)
{
    (void)scope;
    done();
    seen.result = mw_sleep_until(self, MW_FOREVER);
    seen.ran_on[0] = pthread_self();
    return 0;
}

static int never_run(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self, (void)scope, (void)item;
    return 0;
}

static void its_end_runs_close_paths_here_and_leaves_this_threads_own_tasklets_alone(void)
{
    mw_tasklet *own = mw_handler_new(never_run, NULL);
    struct mw_runtime_report report;

    begin(1, 1);
    (void)start_mesh(0, wait_for_the_end, NULL, NULL, NULL, NULL);
    CHECK_INT(mw_runtime_run(seen.rt), 0);
    mw_runtime_close(seen.rt, &report);
    CHECK_INT(seen.result, -ECANCELED);
    CHECK(pthread_equal(seen.ran_on[0], pthread_self()));
    CHECK_INT(report.meshes, 1);
    CHECK_INT(report.waiting, 1);
    CHECK_INT(mw_send(own, mw_int(1)), 0);
    CHECK_INT(mw_run(), 1);
    mw_thread_end();
}

static void what_was_posted_and_never_run_is_reported_too(void)
{
    struct mw_runtime_report report;
    mw_address *to;

    begin(1, 1);
    (void)start_mesh(0, NULL, never_run, NULL, NULL, &to);
    CHECK_INT(mw_post(to, mw_int(1)), 0);
    CHECK_INT(mw_post(to, mw_int(2)), 0);
    mw_runtime_close(seen.rt, &report);
    CHECK_INT(report.queued_items, 2);
    CHECK_TEXT(report.fullest, "handler");
    CHECK_INT(mw_post(to, mw_int(3)), -EPIPE);
    mw_address_unref(to);
}

/* ---- in a loop of one's own ------------------------------------------------------------------------------------ */
enum { POSTERS = 3, POSTS = 2000 };

static int add(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self, (void)scope;
    seen.sum += item.as.integer;
    if (++seen.count == POSTERS * POSTS)
        done();
    return 0;
}

static void *post_all(void *context)
{
    mw_address *to = context;
    int64_t i;

    for (i = 1; i <= POSTS; i++)
        while (mw_post(to, mw_int(i)) == -EAGAIN)
            (void)usleep(50);
    return NULL;
}

static int sleep_often(mw_tasklet *self, void *scope)
{
    int64_t until_ns;
    int i;

    (void)scope;
    for (i = 0; i < 20; i++) {
        until_ns = mw_clock(self) + MS;
        if (mw_sleep_until(self, until_ns) < 0 || mw_now_ns() < until_ns)
            return 0;
    }
    seen.result = 1;
    done();
    return 0;
}

static int serve(mw_tasklet *self, void *scope)
{
    mw_stream *listener, *guest;
    mw_address *to = scope;
    char bytes[64];
    int port;
    ssize_t n;

    if (mw_listen(self, "127.0.0.1", 0, &listener, &port, NULL) < 0)
        return -1;
    (void)mw_post(to, mw_int(port));
    if (mw_accept(self, listener, MW_FOREVER, &guest) == 0) {
        while ((n = mw_read(self, guest, bytes, sizeof bytes, MW_FOREVER)) > 0)
            if (mw_write(self, guest, bytes, (size_t)n, MW_FOREVER) < 0)
                break;
        mw_stream_close(guest);
    }
    mw_stream_close(listener);
    done();
    return 0;
}

static int talk(mw_tasklet *self, void *scope)
{
    mw_value port;
    mw_stream *s;
    ssize_t n;

    (void)scope;
    if (!mw_receive(self, &port) || mw_connect(self, "127.0.0.1", (int)port.as.integer, MW_FOREVER, &s, NULL) < 0)
        return -1;
    (void)mw_sleep_until(self, mw_clock(self) + MS); /* by now the host sleeps, and the descriptor alone can wake it */
    (void)mw_write(self, s, "hello there", 11, MW_FOREVER);
    (void)mw_shutdown(s);
    while ((n = mw_read(self, s, seen.text + seen.text_count, sizeof seen.text - seen.text_count, MW_FOREVER)) > 0)
        seen.text_count += (size_t)n;
    mw_stream_close(s);
    done();
    return 0;
}

/* The host's own input: a byte each 200 us from a thread of its own. */
static void *write_bytes(void *context)
{
    int i;

    for (i = 0; i < 20; i++) {
        (void)usleep(200);
        if (write(*(int *)context, "x", 1) != 1)
            return context;
    }
    return NULL;
}

static void a_loop_that_polls_its_descriptor_serves_posts_times_and_sockets_beside_its_own_input(void)
{
    mw_address *adder, *talker;
    pthread_t posters[POSTERS], writer;
    int ends[2], own_bytes = 0, i;
    bool is_own, goes_on = true;
    char byte;

    begin(2, 4); /* all posts, all sleeps, both ends of the talk */
    CHECK_INT(pipe(ends), 0);
    (void)start_mesh(0, NULL, add, NULL, NULL, &adder);
    (void)start_mesh(0, sleep_often, NULL, NULL, NULL, NULL);
    (void)start_mesh(0, talk, NULL, NULL, NULL, &talker);
    (void)start_mesh(1, serve, NULL, talker, NULL, NULL);
    for (i = 0; i < POSTERS; i++)
        CHECK_INT(pthread_create(&posters[i], NULL, post_all, adder), 0);
    CHECK_INT(pthread_create(&writer, NULL, write_bytes, &ends[1]), 0);
    while (goes_on || own_bytes < 20) {
        goes_on = one_pass(ends[0], &is_own);
        if (is_own)
            own_bytes += (int)read(ends[0], &byte, 1);
    }
    for (i = 0; i < POSTERS; i++)
        CHECK_INT(pthread_join(posters[i], NULL), 0);
    CHECK_INT(pthread_join(writer, NULL), 0);
    CHECK_INT(seen.sum, (int64_t)POSTERS * POSTS * (POSTS + 1) / 2);
    CHECK_INT(seen.result, 1);
    CHECK_BYTES(seen.text, seen.text_count, "hello there", 11);
    end();
    mw_address_unref(adder);
    mw_address_unref(talker);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Passes until there is nothing to do at once. */
static int64_t settle(void)
{
    int64_t timeout_ns;

    while ((timeout_ns = mw_runtime_timeout_ns(seen.rt)) == 0)
        CHECK_INT(mw_runtime_turn(seen.rt, 0), 1);
    return timeout_ns;
}

static int count_items(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self, (void)scope, (void)item;
    seen.count++;
    return 0;
}

static void what_the_host_sends_directly_is_run_by_the_next_turn(void)
{
    mw_tasklet *counter;

    begin(1, 1);
    (void)start_mesh(0, NULL, count_items, NULL, &counter, NULL);
    while (one_pass(-1, NULL) && mw_runtime_timeout_ns(seen.rt) == 0)
        ;
    CHECK_INT(settle(), MW_FOREVER);
    CHECK_INT(mw_send(counter, mw_int(1)), 0); /* this thread is its mesh's */
    CHECK_INT(seen.count, 0);
    CHECK_INT(mw_runtime_timeout_ns(seen.rt), 0);
    CHECK_INT(mw_runtime_turn(seen.rt, 0), 1);
    CHECK_INT(seen.count, 1);
    CHECK_INT(settle(), MW_FOREVER);
    end();
}

static int sleep_until_then(mw_tasklet *self, void *scope)
{
    seen.result = mw_sleep_until(self, *(int64_t *)scope);
    done();
    return 0;
}

static void the_time_left_counts_from_when_it_is_asked_for(void)
{
    int64_t then_ns = mw_now_ns() + 40 * MS;

    begin(1, 1);
    (void)start_mesh(0, sleep_until_then, NULL, &then_ns, NULL, NULL);
    (void)one_pass(-1, NULL);
    while (mw_now_ns() < then_ns + MS) /* the host is busy with other things */
        ;
    CHECK_INT(mw_runtime_timeout_ns(seen.rt), 0);
    while (mw_runtime_turn(seen.rt, 0) == 1)
        ;
    CHECK_INT(seen.result, 0);
    end();
}

static void a_turn_with_a_time_out_comes_back_without_anything_to_do(void)
{
    int64_t then_ns = mw_now_ns() + 20 * MS;

    begin(1, 1);
    (void)start_mesh(0, sleep_until_then, NULL, &then_ns, NULL, NULL);
    seen.result = 1;
    while (mw_runtime_turn(seen.rt, MS) == 1)
        ;
    CHECK_INT(seen.result, 0); /* and what is due comes at its time */
    CHECK_INT(mw_runtime_turn(seen.rt, -1), 0);
    end();
}

/* ---- bad input ---------------------------------------------------------------------------------------------------- */
static int turn_from_inside(mw_tasklet *self, void *scope)
{
    (void)self, (void)scope;
    seen.result = mw_runtime_turn(seen.rt, 0);
    done();
    return 0;
}

static void *turn_it_too(void *context)
{
    *(int *)context = mw_runtime_turn(seen.rt, 0);
    CHECK_INT(mw_runtime_timeout_ns(seen.rt), MW_FOREVER);
    return NULL;
}

static void a_turn_is_refused_from_inside_a_body_and_to_another_thread(void)
{
    pthread_t other;
    int result = 0;

    begin(1, 1);
    (void)start_mesh(0, turn_from_inside, NULL, NULL, NULL, NULL);
    CHECK_INT(mw_runtime_run(seen.rt), 0);
    CHECK_INT(seen.result, -EBUSY);
    CHECK_INT(pthread_create(&other, NULL, turn_it_too, &result), 0);
    CHECK_INT(pthread_join(other, NULL), 0);
    CHECK_INT(result, -EBUSY);
    end();
}

static void workers_with_threads_of_their_own_are_not_turned(void)
{
    mw_runtime_options options = {.size = sizeof(options), .workers = 1};

    CHECK_INT(mw_runtime_open(&options, &seen.rt, NULL), 0);
    CHECK_INT(mw_runtime_run(seen.rt), -ENOTSUP);
    CHECK_INT(mw_runtime_turn(seen.rt, 0), -ENOTSUP);
    CHECK_INT(mw_runtime_fd(seen.rt), -1);
    CHECK_INT(mw_runtime_timeout_ns(seen.rt), MW_FOREVER);
    CHECK_INT(mw_runtime_run(NULL), -EINVAL);
    CHECK_INT(mw_runtime_turn(NULL, 0), -EINVAL);
    CHECK_INT(mw_runtime_fd(NULL), -1);
    CHECK_INT(mw_runtime_timeout_ns(NULL), MW_FOREVER);
    end();
}

static void options_of_an_older_program_are_read_and_those_of_a_newer_one_refused(void)
{
    struct {
        mw_runtime_options known;
        uint64_t unknown;
    } newer = {.known = {.size = sizeof(newer), .workers = 1}};
    mw_runtime_options older = {.size = offsetof(mw_runtime_options, is_embedded), .workers = 1, .is_embedded = true};
    struct mw_error error = {0};

    CHECK_INT(mw_runtime_open(&older, &seen.rt, &error), 0);
    CHECK_INT(mw_runtime_fd(seen.rt), -1); /* what it does not know is as if it were not set */
    mw_runtime_close(seen.rt, NULL);
    CHECK_INT(mw_runtime_open(&newer.known, &seen.rt, &error), -EINVAL);
    CHECK(strstr(error.text, "this library knows up to") != NULL);
    older.size--;
    CHECK_INT(mw_runtime_open(&older, &seen.rt, &error), -EINVAL);
}

static void without_memory_none_is_opened_and_nothing_leaks(void)
{
    mw_runtime_options options = {.size = sizeof(options), .workers = 2, .is_embedded = true};
    int64_t live = mw_memory_stats().live_blocks, n;
    int err = -ENOMEM;

    for (n = 1; err < 0 && n < 50; n++) {
        mw_memory_fail_at(n, false);
        err = mw_runtime_open(&options, &seen.rt, NULL);
        mw_memory_fail_at(0, false);
        if (err < 0)
            CHECK_INT(mw_memory_stats().live_blocks, live);
    }
    CHECK(n > 4);
    mw_runtime_close(seen.rt, NULL); /* never turned */
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(the_thread_that_runs_it_is_worker_0_until_it_is_stopped),
        TEST(a_signal_handler_may_stop_it),
        TEST(its_end_runs_close_paths_here_and_leaves_this_threads_own_tasklets_alone),
        TEST(what_was_posted_and_never_run_is_reported_too),
        TEST(a_loop_that_polls_its_descriptor_serves_posts_times_and_sockets_beside_its_own_input),
        TEST(what_the_host_sends_directly_is_run_by_the_next_turn),
        TEST(the_time_left_counts_from_when_it_is_asked_for),
        TEST(a_turn_with_a_time_out_comes_back_without_anything_to_do),
        TEST(a_turn_is_refused_from_inside_a_body_and_to_another_thread),
        TEST(workers_with_threads_of_their_own_are_not_turned),
        TEST(options_of_an_older_program_are_read_and_those_of_a_newer_one_refused),
        TEST(without_memory_none_is_opened_and_nothing_leaks),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
