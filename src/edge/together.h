/* What the edges of one program count together: connections, and how many each address has. One lock, taken where a connection comes
 * or goes. Read next: together.c.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_TOGETHER_H
#define EDGE_TOGETHER_H

#include <pthread.h>
#include <stdatomic.h>

#include "edge/peers.h"

struct edge_together {
    atomic_size_t connections; /* those between two edges included */
    atomic_size_t handshakes;  /* of TLS, under way */
    pthread_mutex_t lock;      /* of peers */
    struct peers peers;
};

void together_init(struct edge_together *t);
void together_clear(struct edge_together *t); /* no edge uses it any more */
/* One more of what is counted, unless there are `most` already; whoever asks at the same moment, there never are more. Given back by
 * together_give_back. */
bool together_reserve(atomic_size_t *count, uint64_t most);
void together_give_back(atomic_size_t *count);
/* As peers_enter and peers_leave. */
int together_enter(struct edge_together *t, const struct peer_address *address, uint64_t most, uint64_t per_s, int64_t now_ns,
                   enum peers_verdict *ret);
void together_leave(struct edge_together *t, const struct peer_address *address);

#endif
