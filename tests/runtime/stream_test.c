/* Streams: sockets and pipes that suspend only the tasklet.
 * Read next: src/runtime/stream.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "stage.h"

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

/* ---- descriptors and datagrams --------------------------------------------------------------------------------- */

static int answer_datagrams(mw_tasklet *self, void *scope)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_bytes = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), i;
    mw_stream *s;

    (void)scope;
    if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0 || getsockname(fd, (struct sockaddr *)&at, &at_bytes) < 0 ||
        mw_stream_open(self, fd, &s) < 0)
        return -1;
    CHECK_INT(mw_stream_fd(s), fd);
    seen.port = ntohs(at.sin_port);
    for (i = 0; i < 3; i++) {
        struct sockaddr_in from;
        socklen_t from_bytes = sizeof from;
        char bytes[64];
        ssize_t n;

        while ((n = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_bytes)) < 0 && errno == EAGAIN)
            if (mw_wait_readable(self, s, mw_clock(self) + LONG) < 0)
                break;
        CHECK_INT(mw_wait_writable(self, s, mw_clock(self) + LONG), 0);
        CHECK(n > 0 && sendto(fd, bytes, (size_t)n, 0, (const struct sockaddr *)&from, from_bytes) == n);
    }
    keep(mw_wait_readable(self, s, mw_clock(self)));
    mw_stream_close(s);
    done();
    return 0;
}

static int send_datagrams(mw_tasklet *self, void *scope)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), i;
    mw_stream *s;

    (void)scope;
    while (seen.port == 0)
        if (mw_sleep_until(self, 0) < 0)
            return 0;
    to.sin_port = htons((uint16_t)seen.port);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0 || mw_stream_open(self, fd, &s) < 0)
        return -1;
    for (i = 0; i < 3; i++) { /* connected to one peer, it is a stream like another */
        char bytes[64];

        CHECK_INT(mw_write(self, s, "abc", (size_t)i + 1, mw_clock(self) + LONG), 0);
        CHECK_INT((int)mw_read(self, s, bytes, sizeof bytes, mw_clock(self) + LONG), i + 1);
    }
    mw_stream_close(s);
    done();
    return 0;
}

static void datagrams_go_by_ones_own_calls_and_only_the_tasklet_waits(void)
{
    begin(1, 2);
    run_bodies(send_datagrams, answer_datagrams);
    end(NULL);
    CHECK_INT(seen.results[0], -ETIMEDOUT);
}

static int others_turns;

static int count_turns(mw_tasklet *self, void *scope)
{
    (void)scope;
    while (mw_sleep_until(self, 0) == 0)
        others_turns++;
    return 0;
}

static int read_byte_by_byte(mw_tasklet *self, void *scope)
{
    static char all[40000];
    char byte;
    int ends[2], before, n = 0;
    mw_stream *from, *to;
    mw_tasklet *other = mw_tasklet_new(count_turns, NULL);

    (void)scope;
    if (pipe2(ends, O_CLOEXEC) < 0 || mw_stream_open(self, ends[0], &from) < 0 || mw_stream_open(self, ends[1], &to) < 0 || !other)
        return -1;
    keep(mw_write(self, to, all, sizeof all, mw_clock(self) + LONG)); /* all of it is there: no read has to wait */
    mw_stream_close(to);
    before = others_turns;
    while (mw_read(self, from, &byte, 1, mw_clock(self) + LONG) > 0)
        n++;
    seen.port = n;
    CHECK(others_turns - before > 100);
    mw_stream_close(from);
    mw_close(other);
    done();
    return 0;
}

static void who_is_never_made_to_wait_lets_others_run(void)
{
    begin(1, 1);
    run_bodies(read_byte_by_byte, NULL);
    end(NULL);
    CHECK_INT(seen.results[0], 0);
    CHECK_INT(seen.port, 40000);
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

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(two_coroutines_talk_over_tcp_and_nobody_else_waits),
        TEST(what_cannot_be_connected_says_why),
        TEST(a_deadline_ends_a_read_and_what_is_there_is_read_at_once),
        TEST(one_reads_at_a_time_and_a_close_wakes_who_waits),
        TEST(a_stream_of_another_worker_is_refused),
        TEST(who_does_not_read_makes_the_writer_wait_and_who_is_gone_is_epipe),
        TEST(a_pipe_that_nobody_reads_is_epipe_and_no_signal),
        TEST(nobody_writes_between_the_parts_of_a_write),
        TEST(datagrams_go_by_ones_own_calls_and_only_the_tasklet_waits),
        TEST(who_is_never_made_to_wait_lets_others_run),
        TEST(handlers_and_meshes_without_a_worker_cannot_wait_for_input),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
