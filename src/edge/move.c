/* A connection goes to another edge: with its request, what was received behind it, and its TLS. In between it belongs to nobody.
 * Not who decides that; that is the route hook. Read next: edge.h.
 * SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "base/memory.h"
#include "edge/edge_priv.h"
#include "edge/exchange.h"

void connection_detach(struct edge_connection *c)
{
    struct edge *e = c->edge;

    poller_unwatch(c->watch);
    c->watch = NULL;
    mw_link_remove(&c->due);
    mw_link_remove(&c->link);
    e->stats.connections--;
    e->stats.moved_out++;
    if (c->rest) {
        e->rest_bytes -= c->rest->count;
        mw_link_remove(&c->rest->waiting);
    }
    mw_list_push_back(&e->moving, &c->link);
}

void edge_hand_over(struct edge *e)
{
    struct mw_link *at;

    while ((at = mw_list_pop_front(&e->moving)) != NULL)
        e->hooks.moved(e->context, MW_CONTAINER_OF(at, struct edge_connection, link));
}

void edge_discard(struct edge_together *together, struct edge_connection *c)
{
    if (c->is_counted)
        together_leave(together, &c->address);
    together_give_back(&together->connections);
    tls_free(c->tls);
    (void)close(c->fd); /* a socket: its request is not answered */
    exchange_free(c->exchange);
    mw_free(c->rest);
    mw_free(c);
}

void edge_take(struct edge *e, struct edge_connection *c)
{
    if (poller_watch(e->poller, c->fd, 0, connection_ready, c, &c->watch) < 0) {
        e->stats.refused++;
        edge_discard(e->together, c);
        return;
    }
    c->edge = e;
    c->exchange->parser.limits = &e->http_limits;
    c->debt = 0;
    mw_list_push_back(&e->connections, &c->link);
    e->stats.connections++;
    e->stats.moved_in++;
    e->rest_bytes += c->rest ? c->rest->count : 0;
    edge_watch_deadlines(e);
    connection_enter(c, CONNECTION_HEAD);
    connection_is_due(c);
    exchange_ask(c, NULL);
    connection_asked(c);
}
