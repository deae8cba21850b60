/* What the edges of one program count together.
 * Read next: listener.c.
 * SPDX-License-Identifier: MIT */
#include "edge/together.h"

#include <errno.h>

#include "base/memory.h"
#include "edge/edge.h"

void together_init(struct edge_together *t)
{
    atomic_init(&t->connections, 0);
    atomic_init(&t->handshakes, 0);
    (void)pthread_mutex_init(&t->lock, NULL); /* never fails with default attributes */
    t->peers = (struct peers){.slots = NULL};
}

void together_clear(struct edge_together *t)
{
    peers_clear(&t->peers);
    (void)pthread_mutex_destroy(&t->lock);
}

bool together_reserve(atomic_size_t *count, uint64_t most)
{
    size_t before = atomic_load(count);

    while (before < most)
        if (atomic_compare_exchange_weak(count, &before, before + 1))
            return true;
    return false;
}

void together_give_back(atomic_size_t *count)
{
    atomic_fetch_sub(count, 1);
}

int together_enter(struct edge_together *t, const struct peer_address *address, uint64_t most, uint64_t per_s, int64_t now_ns,
                   enum peers_verdict *ret)
{
    int err;

    (void)pthread_mutex_lock(&t->lock);
    err = peers_enter(&t->peers, address, most, per_s, now_ns, ret);
    (void)pthread_mutex_unlock(&t->lock);
    return err;
}

void together_leave(struct edge_together *t, const struct peer_address *address)
{
    (void)pthread_mutex_lock(&t->lock);
    peers_leave(&t->peers, address);
    (void)pthread_mutex_unlock(&t->lock);
}

/* ---- for the host ---------------------------------------------------------------------------------------- */
struct edge_together *edge_together_new(void)
{
    struct edge_together *t = mw_alloc_zeroed(1, sizeof *t);

    if (t)
        together_init(t);
    return t;
}

void edge_together_free(struct edge_together *t)
{
    if (!t)
        return;
    together_clear(t);
    mw_free(t);
}

size_t edge_together_connections(const struct edge_together *t)
{
    return atomic_load(&t->connections);
}
