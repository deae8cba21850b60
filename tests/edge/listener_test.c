/* Listening: ports taken and chosen, both families, descriptors running out.
 * Read next: harness.h.
 * SPDX-License-Identifier: MIT */
#include <sys/resource.h>

#include "harness.h"

static const char *const v4[] = {"127.0.0.1"};
static const char *const both[] = {"127.0.0.1", "::1"};

static void a_taken_port_is_refused_with_its_address(void)
{
    struct world w;
    struct edge_listen listen = {.addresses = v4, .address_count = 1};
    struct mw_error error = {.text = ""};
    uint16_t port = 7;

    world_init(&w);
    world_open(&w);
    listen.port = w.port;
    CHECK_INT(edge_listen(w.edge, &listen, &port, &error), -EADDRINUSE);
    CHECK_INT(port, 7);
    CHECK_TEXT(error.text[0] ? strrchr(error.text, 58) : "", ": the port is in use");
    check_has(error.text, "127.0.0.1");
    listen.is_shared = true; /* sharing does not mean joining whoever is there */
    CHECK_INT(edge_listen(w.edge, &listen, &port, &error), -EADDRINUSE);
    CHECK_INT(edge_stats(w.edge).listeners, 1);
    world_close(&w);
}

static void workers_of_ours_may_share_a_port(void)
{
    struct world w;
    struct edge_listen listen = {.addresses = v4, .address_count = 1, .is_shared = true};
    uint16_t port, again;

    world_init(&w);
    world_open(&w);
    CHECK_INT(edge_listen(w.edge, &listen, &port, NULL), 0);
    listen.port = port;
    CHECK_INT(edge_listen(w.edge, &listen, &again, NULL), -EADDRINUSE);
    listen.is_further = true;
    CHECK_INT(edge_listen(w.edge, &listen, &again, NULL), 0);
    CHECK_INT(again, port);
    world_close(&w);
}

static void all_addresses_have_the_same_port(void)
{
    struct world w;
    struct edge_listen listen = {.addresses = both, .address_count = 2, .may_lack_ipv6 = true};
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct client c;
    uint16_t port;
    int fd;

    world_init(&w);
    world_open(&w);
    CHECK_INT(edge_listen(w.edge, &listen, &port, NULL), 0);
    CHECK(port != 0);
    client_open_at(&c, &w, port);
    CHECK_INT(client_get(&c, "/body").status, 200);
    client_close(&c);
    if (edge_stats(w.edge).listeners == 3) { /* the machine has IPv6 */
        client_open_at(&c, &w, port);
        close(c.fd);
        fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        to.sin6_port = htons(port);
        CHECK_INT(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
        c.fd = fd;
        CHECK_INT(client_get(&c, "/body").status, 200);
        client_close(&c);
    }
    world_close(&w);
}

static void a_bad_address_is_refused_and_nothing_stays_open(void)
{
    static const char *const bad[] = {"127.0.0.1", "localhost"}, *const foreign[] = {"127.0.0.1",
                                                                                     "192.0.2.1"};
    struct edge_listen listen = {.addresses = bad, .address_count = 2};
    struct mw_error error = {.text = ""};
    struct world w;
    uint16_t port;

    world_init(&w);
    world_open(&w);
    CHECK_INT(edge_listen(w.edge, &listen, &port, &error), -EINVAL);
    check_has(error.text, "'localhost'");
    listen.addresses = foreign;
    CHECK_INT(edge_listen(w.edge, &listen, &port, &error), -EADDRNOTAVAIL);
    check_has(error.text, "192.0.2.1");
    listen.address_count = 0;
    CHECK_INT(edge_listen(w.edge, &listen, &port, &error), -EINVAL);
    CHECK_INT(edge_stats(w.edge).listeners, 1);
    world_close(&w);
}

static void a_stopped_listener_frees_its_port(void)
{
    struct world w;
    struct edge_listen listen = {.addresses = v4, .address_count = 1};
    uint16_t port;

    world_init(&w);
    world_open(&w);
    edge_stop_listening(w.edge);
    listen.port = w.port;
    CHECK_INT(edge_listen(w.edge, &listen, &port, NULL), 0);
    CHECK_INT(port, w.port);
    world_close(&w);
}

static void a_connected_socket_can_be_adopted(void)
{
    struct world w;
    struct client c;
    int pair[2];

    world_init(&w);
    world_open(&w);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(edge_adopt(w.edge, pair[0], false, NULL), 0);
    client_open(&c, &w);
    close(c.fd);
    c.fd = pair[1];
    CHECK_INT(client_get(&c, "/body").status, 200);
    client_close(&c);
    CHECK_INT(edge_adopt(w.edge, 9999, false, NULL), -EBADF);
    world_close(&w);
}

/* Take all descriptors but those that are in use. returns how many were taken */
static int exhaust(int *taken, int most)
{
    int count = 0, fd;

    while (count < most && (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        taken[count++] = fd;
    return count;
}

static void without_descriptors_those_who_come_are_turned_away(void)
{
    enum { MOST = 128 };
    struct world w;
    struct client first, second;
    struct rlimit before, low;
    int taken[MOST], count;

    world_init(&w);
    world_open(&w);
    client_open(&first, &w);
    CHECK_INT(client_get(&first, "/body").status, 200);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 64;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &low), 0);
    count = exhaust(taken, MOST);
    CHECK(count > 0 && count < MOST);
    close(taken[--count]); /* for the client's own end */
    client_open(&second, &w);
    CHECK_INT(client_response(&second).status, 503);
    CLIENT_UNTIL(&second, second.has_ended);
    CHECK(edge_limits_of(w.edge)->hits[EDGE_LIMIT_DESCRIPTORS] > 0);
    CHECK_INT(client_get(&first, "/body").status, 200); /* others notice nothing */
    while (count > 0)
        close(taken[--count]);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    client_close(&second);
    client_open(&second, &w);
    CHECK_INT(client_get(&second, "/body").status, 200); /* and once there are some again, all is well */
    client_close(&first);
    client_close(&second);
    world_close(&w);
}

/* Every allocation may fail: a clean error or a clean close, nothing leaks. */
static void any_allocation_may_fail(void)
{
    int64_t n, blocks;

    for (n = 1; n < 200; n++) {
        struct world w;
        struct client c;
        int i;

        blocks = mw_memory_stats().live_blocks;
        world_init(&w);
        world_open(&w);
        world_write_file(&w, "a.css", "b{}", 3);
        client_open(&c, &w);
        client_say(&c, "GET /file/a.css HTTP/1.1\r\nHost: h\r\n\r\nGET /big HTTP/1.1\r\nHost: h\r\n\r\n"
                       "POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                       "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                       "\x01\x84zzzz\x1b\x16\x16\x15");
        CHECK_INT(mw_buffer_reserve(&c.in, 1 << 20), 0);
        (void)mw_memory_fail_at(n, false);
        for (i = 0; i < 40; i++)
            poller_run_once(w.poller, false);
        (void)mw_memory_fail_at(0, false);
        client_read(&c);
        client_close(&c);
        for (i = 0; i < 3; i++)
            poller_run_once(w.poller, false);
        world_close(&w);
        CHECK_INT(mw_memory_stats().live_blocks, blocks);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_taken_port_is_refused_with_its_address),
        TEST(workers_of_ours_may_share_a_port),
        TEST(all_addresses_have_the_same_port),
        TEST(a_bad_address_is_refused_and_nothing_stays_open),
        TEST(a_stopped_listener_frees_its_port),
        TEST(a_connected_socket_can_be_adopted),
        TEST(without_descriptors_those_who_come_are_turned_away),
        TEST(any_allocation_may_fail),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
