/* How many connections each address has, and how fast it opens them: for the limits per address.
 * Read next: peers.c, listener.c.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_PEERS_H
#define EDGE_PEERS_H

#include <meshwork/base.h>

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d; all zero: a peer without an address (a socket pair). */
struct peer_address {
    uint8_t bytes[16];
};
bool peer_is_loopback(const struct peer_address *address);
enum { PEER_TEXT_BYTES = 46 };
/* Numeric, "" for one without an address. returns ret */
const char *peer_text(const struct peer_address *address, char ret[PEER_TEXT_BYTES]);

struct peer;
/* A table by address. Zero-initialise. An entry lives as long as it has connections or a rate to remember. */
struct peers {
    struct peer *slots; /* open addressing, capacity a power of two */
    size_t capacity, count;
    uint64_t key[2];    /* of the hash; random, so that nobody can choose colliding addresses */
};
void peers_clear(struct peers *peers);

enum peers_verdict { PEERS_WELCOME, PEERS_TOO_MANY, PEERS_TOO_FAST };
/* A connection comes. most  at once; per_s  rate, as many in one burst. Counted only where welcome.
 * ret  untouched on failure. returns 0, -ENOMEM */
int peers_enter(struct peers *peers, const struct peer_address *address, uint64_t most, uint64_t per_s,
                int64_t now_ns, enum peers_verdict *ret);
/* A connection that was welcome is gone. */
void peers_leave(struct peers *peers, const struct peer_address *address);

#endif
