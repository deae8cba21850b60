/* A connection goes to another edge: with its request or its WebSocket, what was received behind it, and its TLS. In between it belongs to nobody.
 * Not who decides that; that is the route hook, or whoever calls edge_connection_move. Read next: edge.h.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <unistd.h>

#include "base/memory.h"
#include "edge/exchange.h"
#include "edge/stream.h"

static void stream_depart(struct edge_connection *c)
{
    struct edge *e = c->edge;

    mw_link_remove(&c->stream->throttled);
    e->stats.websockets--;
    e->stats.deflating -= c->stream->extension != NULL;
}

static void stream_arrive(struct edge_connection *c)
{
    struct stream *s = c->stream;
    struct edge *e = c->edge;

    e->stats.websockets++;
    e->stats.deflating += s->extension != NULL;
    if (s->decoder)
        websocket_decoder_limit(s->decoder, &e->websocket_limits);
    connection_enter(c, CONNECTION_OPEN);
    e->hooks.came(s->connection, c);
}

void connection_detach(struct edge_connection *c)
{
    struct edge *e = c->edge;

    poller_unwatch(c->watch);
    c->watch = NULL;
    connection_forget_due(c);
    mw_link_remove(&c->link);
    e->stats.connections--;
    e->stats.moved_out++;
    if (c->rest) {
        e->rest_bytes -= c->rest->count;
        mw_link_remove(&c->rest->waiting);
    }
    if (c->stream)
        stream_depart(c);
    mw_list_push_back(&e->moving, &c->link);
}

int edge_connection_move(struct edge_connection *c)
{
    if (c->state != CONNECTION_OPEN)
        return -EPIPE;
    connection_enter(c, CONNECTION_MOVING);
    connection_is_due(c);
    return 0;
}

void edge_hand_over(struct edge *e)
{
    struct mw_link *at;

    while ((at = mw_list_pop_front(&e->moving)) != NULL) {
        struct edge_connection *c = MW_CONTAINER_OF(at, struct edge_connection, link);

        if (c->stream)
            e->hooks.left(c->stream->connection, c);
        else
            e->hooks.moved(e->context, c->exchange->to, c);
    }
}

void *edge_discard(struct edge_together *together, struct edge_connection *c)
{
    void *connection = stream_discard(c->stream);

    if (c->is_counted)
        together_leave(together, &c->address);
    together_give_back(&together->connections);
    tls_free(c->tls);
    (void)close(c->fd); /* a socket: its request is not answered */
    exchange_free(c->exchange);
    mw_free(c->rest);
    mw_free(c);
    return connection;
}

void edge_take(struct edge *e, struct edge_connection *c)
{
    if (poller_watch(e->poller, c->fd, 0, connection_ready, c, &c->watch) < 0) {
        void *connection = edge_discard(e->together, c);

        e->stats.refused++;
        if (connection)
            e->hooks.closed(connection, CLOSE_NONE);
        return;
    }
    c->edge = e;
    c->debt = 0;
    mw_list_push_back(&e->connections, &c->link);
    e->stats.connections++;
    e->stats.moved_in++;
    e->rest_bytes += c->rest ? c->rest->count : 0;
    edge_watch_deadlines(e);
    connection_is_due(c);
    if (c->stream) {
        stream_arrive(c);
        return;
    }
    c->exchange->parser.limits = &e->http_limits;
    connection_enter(c, CONNECTION_HEAD);
    exchange_ask(c, NULL);
    connection_asked(c);
}
