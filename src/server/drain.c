/* A drain: the order in which everything closes, and when.
 * Read next: server.c, which calls it in each turn.
 * SPDX-License-Identifier: MIT */
#include "server/drain.h"

#define DRAIN_STEP_NS INT64_C(2000000)     /* between two closes of a drain, at most: few clients need no 10 s */

static int64_t limit_ns(const mw_server *server, enum edge_limit limit)
{
    return (int64_t)server->settings.limits.value[limit] * 1000000;
}

void drain_begin(mw_server *server)
{
    int64_t now_ns = poller_now(server->reactor.poller);

    server->state = SERVER_DRAINING;
    server->reactor.drain_at_ns = now_ns + limit_ns(server, EDGE_LIMIT_DRAIN_NOTICE);
    server->stop_at_ns = now_ns + limit_ns(server, EDGE_LIMIT_DRAIN);
    log_line(&server->log, "draining: %zu connections, %zu of them WebSockets", edge_together_connections(server->together),
             server_edge_stats(server).websockets);
}

/* All who would come back at once are spread over some time. */
void drain_begin_closing(struct reactor *r, int64_t now_ns)
{
    int64_t count = (int64_t)edge_stats(r->edge).websockets, spread_ns = limit_ns(r->server, EDGE_LIMIT_DRAIN_SPREAD);

    r->drain_at_ns = now_ns;
    r->drain_step_ns = count == 0 || spread_ns / count > DRAIN_STEP_NS ? DRAIN_STEP_NS : spread_ns / count;
    edge_stop_listening(r->edge);
    edge_finish_requests(r->edge);
}

int64_t drain_close_due(struct reactor *r, int64_t now_ns)
{
    while (r->drain_step_ns >= 0 && now_ns >= r->drain_at_ns && !mw_list_is_empty(&r->bridges)) {
        bridge_drain(MW_CONTAINER_OF(r->bridges.head.next, struct bridge, link));
        r->drain_at_ns += r->drain_step_ns;
    }
    return r->drain_step_ns >= 0 && mw_list_is_empty(&r->bridges) ? MW_FOREVER : r->drain_at_ns;
}

int64_t drain_turn(mw_server *server, int64_t now_ns)
{
    if (now_ns >= server->reactor.drain_at_ns && server->reactor.drain_step_ns < 0) {
        drain_begin_closing(&server->reactor, now_ns);
        workers_finish(server);
    }
    if (now_ns >= server->stop_at_ns && edge_together_connections(server->together) > 0)
        edge_count_hit(server->reactor.edge, EDGE_LIMIT_DRAIN);
    if (now_ns >= server->stop_at_ns)
        server->state = SERVER_ENDED;
    return drain_close_due(&server->reactor, now_ns);
}

bool drain_has_yet_to_close(const mw_server *server)
{
    return server->state == SERVER_DRAINING && server->reactor.drain_step_ns < 0;
}
