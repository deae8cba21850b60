/* Numeric addresses, and networks of them such as 10.0.0.0/8.
 * Not names; those are in hosts.h. Read next: network.c.
 * SPDX-License-Identifier: MIT */
#ifndef SETTINGS_NETWORK_H
#define SETTINGS_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d. false: it is neither, "1.2.3.4:80" or a name, say */
bool address_parse(const char *text, uint8_t ret[16]);

struct network {
    uint8_t bytes[16]; /* of its first address */
    unsigned bits;     /* 0 to 128: how many of them all have in common */
};
/* An address (then it is a network of one), or ADDRESS/BITS without a bit behind these. */
bool network_parse(const char *text, struct network *ret);
bool network_has(const struct network *network, const uint8_t address[16]);

#endif
