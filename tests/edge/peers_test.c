/* Connections per address: how many, how fast, and what is forgotten.
 * SPDX-License-Identifier: MIT */
#include "edge/peers.h"

#include <arpa/inet.h>

#include "check.h"

#define SECOND_NS INT64_C(1000000000)

static struct peer_address v4(uint32_t n)
{
    struct peer_address a = {{[10] = 0xff, [11] = 0xff}};

    a.bytes[12] = (uint8_t)(n >> 24);
    a.bytes[13] = (uint8_t)(n >> 16);
    a.bytes[14] = (uint8_t)(n >> 8);
    a.bytes[15] = (uint8_t)n;
    return a;
}

static enum peers_verdict enter(struct peers *peers, struct peer_address address, uint64_t most,
                                uint64_t per_s, int64_t now_ns)
{
    enum peers_verdict verdict = PEERS_WELCOME;

    CHECK_INT(peers_enter(peers, &address, most, per_s, now_ns, &verdict), 0);
    return verdict;
}

static void each_address_has_its_own_count(void)
{
    struct peers peers = {.slots = NULL};
    struct peer_address a = v4(0x0a000001), b = v4(0x0a000002);

    CHECK_INT(enter(&peers, a, 2, 100, 1), PEERS_WELCOME);
    CHECK_INT(enter(&peers, a, 2, 100, 1), PEERS_WELCOME);
    CHECK_INT(enter(&peers, a, 2, 100, 1), PEERS_TOO_MANY);
    CHECK_INT(enter(&peers, b, 2, 100, 1), PEERS_WELCOME);
    peers_leave(&peers, &a);
    CHECK_INT(enter(&peers, a, 2, 100, 1), PEERS_WELCOME);
    peers_clear(&peers);
}

static void the_rate_fills_again_with_time(void)
{
    struct peers peers = {.slots = NULL};
    struct peer_address a = v4(0x0a000001);
    int i;

    for (i = 0; i < 5; i++)
        CHECK_INT(enter(&peers, a, 100, 5, SECOND_NS), PEERS_WELCOME);
    CHECK_INT(enter(&peers, a, 100, 5, SECOND_NS), PEERS_TOO_FAST);
    CHECK_INT(enter(&peers, a, 100, 5, SECOND_NS + SECOND_NS / 5), PEERS_WELCOME);
    CHECK_INT(enter(&peers, a, 100, 5, SECOND_NS + SECOND_NS / 5), PEERS_TOO_FAST);
    peers_clear(&peers);
}

static void addresses_without_connections_are_forgotten(void)
{
    struct peers peers = {.slots = NULL};
    struct peer_address kept = v4(0xffffffff);
    uint32_t i;

    CHECK_INT(enter(&peers, kept, 1, 5, 1), PEERS_WELCOME);
    for (i = 0; i < 100000; i++) {
        struct peer_address a = v4(i);

        CHECK_INT(enter(&peers, a, 1, 5, (int64_t)i * SECOND_NS), PEERS_WELCOME);
        peers_leave(&peers, &a);
    }
    CHECK(peers.capacity <= 128);
    CHECK_INT(enter(&peers, kept, 1, 5, (int64_t)i * SECOND_NS), PEERS_TOO_MANY);
    peers_clear(&peers);
}

static void many_addresses_at_once_are_all_kept(void)
{
    struct peers peers = {.slots = NULL};
    uint32_t i;

    for (i = 0; i < 5000; i++)
        CHECK_INT(enter(&peers, v4(i), 1, 5, 1), PEERS_WELCOME);
    for (i = 0; i < 5000; i++)
        CHECK_INT(enter(&peers, v4(i), 1, 5, 1), PEERS_TOO_MANY);
    peers_clear(&peers);
}

static void loopback_is_told_from_the_rest(void)
{
    static const struct peer_address none = {{0}}, six = {{[15] = 1}}, other = {{0xfd, [15] = 1}};
    struct peer_address a = v4(0x7f000001), b = v4(0x7fffffff), c = v4(0x80000001);
    char text[PEER_TEXT_BYTES];

    CHECK(peer_is_loopback(&a) && peer_is_loopback(&b) && peer_is_loopback(&six) && peer_is_loopback(&none));
    CHECK(!peer_is_loopback(&c) && !peer_is_loopback(&other));
    CHECK_TEXT(peer_text(&a, text), "127.0.0.1");
    CHECK_TEXT(peer_text(&six, text), "::1");
    CHECK_TEXT(peer_text(&other, text), "fd00::1");
    CHECK_TEXT(peer_text(&none, text), "");
}

static void an_ipv4_address_is_printed_as_the_system_prints_it(void)
{
    uint32_t i;

    for (i = 0; i < 1024; i++) {
        uint32_t number = i < 256 ? i << 24 | i << 16 | i << 8 | i : i * 2654435761U;
        struct peer_address address = v4(number);
        struct in_addr in = {.s_addr = htonl(number)};
        char text[PEER_TEXT_BYTES], want[INET_ADDRSTRLEN];

        CHECK(inet_ntop(AF_INET, &in, want, sizeof want) != NULL);
        CHECK_TEXT(peer_text(&address, text), want);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(each_address_has_its_own_count),
        TEST(the_rate_fills_again_with_time),
        TEST(addresses_without_connections_are_forgotten),
        TEST(many_addresses_at_once_are_all_kept),
        TEST(loopback_is_told_from_the_rest),
        TEST(an_ipv4_address_is_printed_as_the_system_prints_it),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
