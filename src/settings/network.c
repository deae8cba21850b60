/* Numeric addresses, and networks of them: read and compared.
 * SPDX-License-Identifier: MIT */
#include "settings/network.h"

#include <arpa/inet.h>
#include <string.h>

#define V4_BITS 96 /* of ::ffff:0:0/96, before those of an IPv4 address */

bool address_parse(const char *text, uint8_t ret[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t bytes[16];

    if (inet_pton(AF_INET6, text, bytes) == 1) {
        memcpy(ret, bytes, 16);
        return true;
    }
    if (inet_pton(AF_INET, text, bytes) != 1)
        return false;
    memcpy(ret, mapped, 12);
    memcpy(ret + 12, bytes, 4);
    return true;
}

static bool bits_parse(const char *text, unsigned most, unsigned *ret)
{
    unsigned bits = 0;
    size_t i;

    for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 3; i++)
        bits = bits * 10 + (unsigned)(text[i] - '0');
    if (i == 0 || text[i] != '\0' || bits > most)
        return false;
    *ret = bits;
    return true;
}

bool network_parse(const char *text, struct network *ret)
{
    const char *slash = strchr(text, '/');
    char address[INET6_ADDRSTRLEN];
    struct network network = {.bits = 128};
    const bool is_v4 = !strchr(text, ':');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    unsigned i;

    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!address_parse(address, network.bytes) || (slash && !bits_parse(slash + 1, is_v4 ? 32 : 128, &network.bits)))
        return false;
    if (slash && is_v4)
        network.bits += V4_BITS;
    for (i = network.bits; i < 128; i++)
        if (network.bytes[i / 8] & 0x80 >> i % 8)
            return false;
    *ret = network;
    return true;
}

bool network_has(const struct network *network, const uint8_t address[16])
{
    const unsigned whole = network->bits / 8, rest = network->bits % 8;

    return memcmp(network->bytes, address, whole) == 0 &&
           (rest == 0 || (network->bytes[whole] ^ address[whole]) >> (8 - rest) == 0);
}
