/* Four edges on four threads that accept at the same moment: what they count together is never passed, and all of it can be used.
 * Not what one edge refuses; that is limits_test.c. Read next: ../../src/edge/together.h.
 * SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "edge/together.h"
#include "harness.h"
#include "tls/tls.h"

enum { DOORS = 4, AT_EACH = 4, VISITORS = DOORS * AT_EACH, ROOM = 5, ROUNDS = 40 };

static struct edge_limits limits;
static struct edge_together *together;
static struct tls_context *tls; /* NULL: plain */
static atomic_bool must_end;
static atomic_int waiting; /* doors that are awake and look at none who has come */
static atomic_bool are_let_in;

/* An edge of which each round finds all of its visitors there when it begins to accept. */
struct door {
    struct poller *poller;
    struct poller_wake *wake;
    struct edge *edge;
    pthread_t thread;
    uint16_t port;
};
static struct door doors[DOORS];

static void door_route(void *context, const struct edge_request *request, struct edge_answer *answer)
{
    (void)context, (void)request;
    answer->kind = EDGE_BODY;
    answer->body = mw_text("here");
}

static void hold(void *context)
{
    (void)context;
    atomic_fetch_add(&waiting, 1);
    while (!atomic_load(&are_let_in))
        (void)sched_yield();
    atomic_fetch_sub(&waiting, 1);
}

static void *door_run(void *context)
{
    struct door *door = context;

    while (!atomic_load(&must_end))
        poller_run_once(door->poller, true);
    edge_free(door->edge);
    poller_wake_free(door->wake);
    poller_close(door->poller);
    return NULL;
}

static void start(void)
{
    static const char *const addresses[] = {"127.0.0.1"};
    const struct edge_hooks hooks = {.route = door_route};
    const struct edge_listen listen = {.addresses = addresses, .address_count = 1, .is_tls = tls != NULL};
    size_t i;

    atomic_store(&must_end, false);
    together = edge_together_new();
    CHECK(together != NULL);
    for (i = 0; i < DOORS; i++) {
        struct door *door = &doors[i];
        struct edge_options options = {.hooks = &hooks, .limits = &limits, .together = together};

        CHECK_INT(poller_open(&door->poller), 0);
        options.poller = door->poller;
        CHECK_INT(poller_wake_new(door->poller, hold, door, &door->wake), 0);
        CHECK_INT(edge_open(&options, &door->edge, NULL), 0);
        if (tls)
            edge_set_tls(door->edge, tls);
        CHECK_INT(edge_listen(door->edge, &listen, &door->port, NULL), 0);
        CHECK_INT(pthread_create(&door->thread, NULL, door_run, door), 0);
    }
}

static void end(void)
{
    size_t i;

    atomic_store(&must_end, true);
    atomic_store(&are_let_in, true);
    for (i = 0; i < DOORS; i++)
        poller_wake(doors[i].wake);
    for (i = 0; i < DOORS; i++)
        CHECK_INT(pthread_join(doors[i].thread, NULL), 0);
    CHECK_INT(edge_together_connections(together), 0);
    edge_together_free(together);
}

/* All come while no door looks; then all doors look at once. */
static void come_all_at_once(int *ret_fds)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    size_t i;

    atomic_store(&are_let_in, false);
    for (i = 0; i < DOORS; i++)
        poller_wake(doors[i].wake);
    while (atomic_load(&waiting) < DOORS)
        (void)sched_yield();
    for (i = 0; i < VISITORS; i++) {
        const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(doors[i % DOORS].port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

        ret_fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(ret_fds[i] >= 0);
        (void)setsockopt(ret_fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        CHECK_INT(connect(ret_fds[i], (const struct sockaddr *)&to, sizeof to), 0);
    }
    atomic_store(&are_let_in, true);
}

static void wait_for_connections(size_t count)
{
    int64_t until_ns = mw_now_ns() + PATIENCE_S * INT64_C(1000000000);

    while (edge_together_connections(together) != count && mw_now_ns() < until_ns)
        (void)sched_yield();
    CHECK_INT(edge_together_connections(together), count);
}

static void leave_all(const int *fds)
{
    size_t i;

    for (i = 0; i < VISITORS; i++)
        close(fds[i]);
    wait_for_connections(0);
}

static bool is_let_in(int fd)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    char answer[512] = "";

    (void)send(fd, request, sizeof request - 1, MSG_NOSIGNAL); /* who was refused may be gone */
    return recv(fd, answer, sizeof answer - 1, 0) > 0 && strncmp(answer, "HTTP/1.1 200 ", 13) == 0;
}

static void connections_are_as_many_as_the_limit_says_whoever_accepts(void)
{
    int round, fds[VISITORS];
    size_t i;

    edge_limits_init(&limits);
    limits.value[EDGE_LIMIT_CONNECTIONS] = ROOM;
    start();
    for (round = 0; round < ROUNDS; round++) {
        size_t inside = 0;

        come_all_at_once(fds);
        for (i = 0; i < VISITORS; i++)
            inside += is_let_in(fds[i]);
        CHECK_INT(inside, ROOM);
        leave_all(fds);
    }
    end();
}

/* Wait until as many have been turned away as found no room. */
static void wait_for_refusals(int *fds)
{
    struct pollfd ends[VISITORS];
    size_t i, refused = 0;

    for (i = 0; i < VISITORS; i++)
        ends[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    while (refused < VISITORS - ROOM) {
        CHECK(poll(ends, VISITORS, PATIENCE_S * 1000) > 0); /* 0: more were let in than there is room for */
        for (i = 0; i < VISITORS; i++)
            if (ends[i].fd >= 0 && ends[i].revents) {
                ends[i].fd = -1;
                refused++;
            }
    }
}

/* Nobody says anything, so a handshake that was begun stays under way. */
static void handshakes_are_as_many_as_the_limit_says_whoever_accepts(void)
{
    static const char *const names[] = {"localhost"};
    char folder[] = "/tmp/together_test.XXXXXX", certificate[64], key[64];
    int round, fds[VISITORS];

    CHECK(mkdtemp(folder) != NULL);
    snprintf(certificate, sizeof certificate, "%s/crt", folder);
    snprintf(key, sizeof key, "%s/key", folder);
    CHECK_INT(tls_make_self_signed(certificate, key, names, 1, NULL), 0);
    CHECK_INT(tls_context_load(certificate, key, &tls, NULL), 0);
    edge_limits_init(&limits);
    limits.value[EDGE_LIMIT_TLS_HANDSHAKES] = ROOM;
    limits.value[EDGE_LIMIT_TLS_TIME] = 60000;
    start();
    for (round = 0; round < ROUNDS; round++) {
        come_all_at_once(fds);
        wait_for_refusals(fds);
        wait_for_connections(ROOM);
        leave_all(fds);
    }
    end();
    tls_context_unref(tls);
    tls = NULL;
    (void)unlink(certificate);
    (void)unlink(key);
    (void)rmdir(folder);
}

static void what_is_given_back_can_be_reserved_again(void)
{
    atomic_size_t count = 0;

    CHECK(together_reserve(&count, 2));
    CHECK(together_reserve(&count, 2));
    CHECK(!together_reserve(&count, 2));
    CHECK(!together_reserve(&count, 1)); /* a limit that has become smaller */
    together_give_back(&count);
    CHECK(together_reserve(&count, 2));
    CHECK(!together_reserve(&count, 0));
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(connections_are_as_many_as_the_limit_says_whoever_accepts),
        TEST(handshakes_are_as_many_as_the_limit_says_whoever_accepts),
        TEST(what_is_given_back_can_be_reserved_again),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
