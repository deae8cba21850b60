/* Addresses and networks of them, as --trusted-proxy takes them.
 * SPDX-License-Identifier: MIT */
#include "settings/network.h"

#include <meshwork/base.h>

#include "check.h"

static void a_network_has_what_begins_as_it_does(void)
{
    static const struct {
        const char *network, *address;
        bool has;
    } rows[] = {
        {"10.0.0.7", "10.0.0.7", true},
        {"10.0.0.7", "10.0.0.8", false},
        {"10.0.0.7", "::ffff:10.0.0.7", true}, /* the same one */
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"172.16.0.0/12", "172.31.255.255", true},
        {"172.16.0.0/12", "172.32.0.0", false},
        {"0.0.0.0/0", "203.0.113.1", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"192.0.2.1/32", "192.0.2.1", true},
        {"fc00::/7", "fd12::1", true},
        {"fc00::/7", "fe00::1", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::/0", "10.0.0.1", true},
        {"::0:1", "::1", true}, /* however it is written */
    };
    struct network network;
    uint8_t address[16];
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        CHECK(network_parse(rows[i].network, &network));
        CHECK(address_parse(rows[i].address, address));
        CHECK_INT(network_has(&network, address), rows[i].has);
    }
}

static void what_is_no_network_is_refused(void)
{
    static const char *const rows[] = {"",        "localhost",    "10.0.0",       "10.0.0.0/",    "10.0.0.0/33", "10.0.0.0/-1",
                                       "/8",      "10.0.0.0/8 ",  "10.0.0.0/0008", "10.1.0.0/8",   "::1/127",     "fc00::/129",
                                       "fc00::1/7", "10.0.0.0/8/8", "1.2.3.4:80",   "[::1]",        "fe80::1%eth0"};
    struct network network = {.bits = 7};
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++)
        CHECK(!network_parse(rows[i], &network));
    CHECK_INT((int)network.bits, 7); /* untouched */
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_network_has_what_begins_as_it_does),
        TEST(what_is_no_network_is_refused),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
