/* The server inside another program: its life, its turns, its stop, and what a host must be able to rely on.
 * Sockets of this process on a free port; what is served to whom is proved by tests/scenario/.
 * SPDX-License-Identifier: MIT */
#include <meshwork/server.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "check.h"

enum { TURNS_MAX = 1000 };

struct thermostat {
    double target_c;
};
static const mw_attribute attributes[] = {
    {MW_FIELD(struct thermostat, target_c), .kind = MW_REAL, .marks = MW_EXPOSED},
};

static struct {
    int opened, closed;
    struct thermostat *state;
} seen;

static int open_app(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    (void)instance;
    (void)ret_error;
    seen.opened++;
    seen.state = state;
    seen.state->target_c = 21.5;
    return 0;
}

static void close_app(mw_instance *instance, void *state)
{
    (void)instance;
    (void)state;
    seen.closed++;
}

static int refuse_to_open(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    (void)instance;
    (void)state;
    return mw_fail(ret_error, -EIO, "the motor does not answer");
}

static const mw_app thermostat = {
    .abi = MW_ABI,
    .size = sizeof(mw_app),
    .name = "thermostat",
    .state_bytes = sizeof(struct thermostat),
    .attributes = attributes,
    .attribute_count = MW_COUNT(attributes),
    .open = open_app,
    .close = close_app,
};

/* A server on a free port with the app above. */
static mw_server *start(void)
{
    mw_server *server = mw_server_new();
    struct mw_error error = {0};

    seen.opened = seen.closed = 0;
    CHECK(server != NULL);
    CHECK_INT(mw_server_set(server, "port", "0", &error), 0);
    CHECK_INT(mw_server_mount(server, "lab", NULL, &thermostat, &error), 0);
    CHECK_TEXT(mw_server_url(server, 0), "");
    if (mw_server_start(server, &error) < 0)
        fprintf(stderr, "    %s\n", error.text);
    CHECK_INT(error.code, 0);
    CHECK(mw_server_port(server) > 0);
    return server;
}

static int connect_to(const mw_server *server)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)mw_server_port(server))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(fd >= 0);
    CHECK_INT(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    CHECK_INT(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Send a request and turn the server until the answer is whole: what came, terminated. */
static const char *ask(mw_server *server, const char *request, char *answer, size_t room)
{
    int fd = connect_to(server), turns;
    size_t count = 0;

    CHECK_INT(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    for (turns = 0; turns < TURNS_MAX; turns++) {
        ssize_t got = recv(fd, answer + count, room - 1 - count, 0);

        if (got == 0)
            break;
        if (got > 0)
            count += (size_t)got;
        else
            CHECK_INT(mw_server_turn(server, INT64_C(10000000)), 1);
    }
    close(fd);
    answer[count] = '\0';
    return answer;
}

static const char rpc[] = "POST /_mw/rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                          "Connection: close\r\nContent-Length: 65\r\n\r\n"
                          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"target_c\"]}";

static void a_host_turns_it_from_a_loop_of_its_own(void)
{
    mw_server *server = start();
    char answer[4096];
    struct pollfd poll_fd = {.fd = mw_server_fd(server), .events = POLLIN};

    CHECK_INT(seen.opened, 1);
    CHECK(poll_fd.fd >= 0);
    CHECK(strstr(ask(server, rpc, answer, sizeof answer), "\"target_c\":21.5") != NULL);
    seen.state->target_c = 23.0; /* the host's own thread is the mesh's thread */
    CHECK(strstr(ask(server, rpc, answer, sizeof answer), "\"target_c\":23") != NULL);
    /* Whoever connects makes the descriptor readable. */
    while (poll(&poll_fd, 1, 0) > 0)
        CHECK_INT(mw_server_turn(server, 0), 1);
    close(connect_to(server));
    CHECK_INT(poll(&poll_fd, 1, 10000), 1);
    CHECK_INT(mw_server_turn(server, 0), 1);
    mw_server_free(server);
    CHECK_INT(seen.closed, 1);
}

static void a_turn_with_a_time_out_comes_back_without_anything_to_do(void)
{
    mw_server *server = start();
    int64_t before_ns = mw_now_ns();

    while (mw_now_ns() - before_ns < INT64_C(5000000))
        CHECK_INT(mw_server_turn(server, INT64_C(1000000)), 1);
    CHECK_INT(mw_server_turn(server, 0), 1);
    mw_server_free(server);
}

static void *stop_it(void *context)
{
    mw_server_stop(context);
    return NULL;
}

static void another_thread_can_stop_it(void)
{
    mw_server *server = start();
    pthread_t thread;

    CHECK_INT(pthread_create(&thread, NULL, stop_it, server), 0);
    CHECK_INT(mw_server_run(server), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(mw_server_turn(server, MW_FOREVER), 0); /* ended stays ended */
    mw_server_stop(server);
    mw_server_free(server);
    CHECK_INT(seen.closed, 1);
}

static mw_server *signalled;

static void on_signal(int number)
{
    (void)number;
    mw_server_stop(signalled);
}

static void a_signal_handler_can_stop_it(void)
{
    mw_server *server = start();

    signalled = server;
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK_INT(mw_server_run(server), 0);
    CHECK(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
    mw_server_free(server);
}

static void a_stop_before_the_start_is_not_forgotten(void)
{
    mw_server *server = mw_server_new();

    CHECK_INT(mw_server_set(server, "port", "0", NULL), 0);
    CHECK_INT(mw_server_mount(server, "lab", NULL, &thermostat, NULL), 0);
    mw_server_stop(server);
    CHECK_INT(mw_server_start(server, NULL), 0);
    CHECK_INT(mw_server_run(server), 0);
    mw_server_free(server);
}

static void what_comes_too_late_or_too_early_is_refused(void)
{
    mw_server *server = mw_server_new();
    struct mw_error error = {0};

    CHECK_INT(mw_server_turn(server, 0), -EINVAL);
    CHECK_INT(mw_server_fd(server), -1);
    CHECK_INT(mw_server_start(server, &error), -EINVAL); /* no app */
    mw_server_free(server);
    server = start();
    CHECK_INT(mw_server_set(server, "port", "1", &error), -EBUSY);
    CHECK_INT(mw_server_mount(server, "more", NULL, &thermostat, &error), -EBUSY);
    CHECK_INT(mw_server_start(server, &error), -EBUSY);
    CHECK(mw_server_app_name(server, 1) == NULL && mw_server_url(server, 1) == NULL);
    mw_server_free(server);
    mw_server_free(NULL);
}

static void an_app_that_does_not_open_leaves_nothing_listening(void)
{
    mw_app broken = thermostat;
    mw_server *server = mw_server_new();
    struct mw_error error = {0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET};

    broken.open = refuse_to_open;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(mw_server_set(server, "port", "0", &error), 0);
    CHECK_INT(mw_server_mount(server, "lab", NULL, &thermostat, &error), 0);
    CHECK_INT(mw_server_mount(server, "broken", NULL, &broken, &error), 0);
    CHECK(mw_server_start(server, &error) < 0);
    CHECK(strstr(error.text, "the motor does not answer") != NULL);
    to.sin_port = htons((uint16_t)mw_server_port(server));
    CHECK(to.sin_port == 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) < 0);
    close(fd);
    mw_server_free(server);
}

static void names_that_cannot_be_in_a_url_are_refused(void)
{
    static const char *const bad[] = {"", "a/b", "..", ".hidden", "_mw", "a\nb", "a\\b", "\xff",
                                      "a name that is much longer than any name of an app needs to be, really"};
    mw_server *server = mw_server_new();
    size_t i;

    for (i = 0; i < MW_COUNT(bad); i++)
        CHECK_INT(mw_server_mount(server, bad[i], NULL, &thermostat, NULL), -EINVAL);
    CHECK_INT(mw_server_mount(server, "same", NULL, &thermostat, NULL), 0);
    CHECK_INT(mw_server_mount(server, "same", NULL, &thermostat, NULL), -EEXIST);
    CHECK_INT(mw_server_app_count(server), 1);
    mw_server_free(server);
}

/* Set, mount, start and stop with the n-th allocation failing, for every n: an error or success, never a leak. */
static void any_failed_allocation_is_a_clean_error(void)
{
    int64_t n, live = mw_memory_stats().live_blocks;
    bool has_failed = true;

    for (n = 1; has_failed && n < 10000; n++) {
        mw_server *server;
        int err = 0;

        (void)mw_memory_fail_at(n, false);
        server = mw_server_new();
        has_failed = !server;
        if (server) {
            err = mw_server_set(server, "port", "0", NULL);
            if (err == 0)
                err = mw_server_set(server, "host", "lab.example.org", NULL);
            if (err == 0)
                err = mw_server_mount(server, "lab", NULL, &thermostat, NULL);
            if (err == 0)
                err = mw_server_mount(server, "more", NULL, &thermostat, NULL);
            if (err == 0)
                err = mw_server_start(server, NULL);
            if (err == 0) {
                mw_server_stop(server);
                err = mw_server_run(server);
            }
            has_failed = err < 0;
            if (err < 0 && err != -ENOMEM)
                fprintf(stderr, "    allocation %lld: %s\n", (long long)n, mw_strerror(err));
            CHECK(err == 0 || err == -ENOMEM);
        }
        (void)mw_memory_fail_at(0, false);
        mw_server_free(server);
        mw_thread_end();
        CHECK_INT(mw_memory_stats().live_blocks, live);
    }
    CHECK(n > 10 && n < 10000);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_host_turns_it_from_a_loop_of_its_own),
        TEST(a_turn_with_a_time_out_comes_back_without_anything_to_do),
        TEST(another_thread_can_stop_it),
        TEST(a_signal_handler_can_stop_it),
        TEST(a_stop_before_the_start_is_not_forgotten),
        TEST(what_comes_too_late_or_too_early_is_refused),
        TEST(an_app_that_does_not_open_leaves_nothing_listening),
        TEST(names_that_cannot_be_in_a_url_are_refused),
        TEST(any_failed_allocation_is_a_clean_error),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
