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
    int64_t now_ns = poller_now(server->poller);

    server->state = SERVER_DRAINING;
    server->drain_at_ns = now_ns + limit_ns(server, EDGE_LIMIT_DRAIN_NOTICE);
    server->drain_step_ns = -1;
    server->stop_at_ns = now_ns + limit_ns(server, EDGE_LIMIT_DRAIN);
    log_line(&server->log, "draining: %zu connections, %zu of them WebSockets", edge_together_connections(server->together),
             edge_stats(server->edge).websockets);
}

/* All who would come back at once are spread over some time. */
static void begin_closing(mw_server *server)
{
    int64_t count = (int64_t)edge_stats(server->edge).websockets, spread_ns = limit_ns(server, EDGE_LIMIT_DRAIN_SPREAD);

    server->drain_step_ns = count == 0 || spread_ns / count > DRAIN_STEP_NS ? DRAIN_STEP_NS : spread_ns / count;
    edge_stop_listening(server->edge);
    edge_finish_requests(server->edge);
    workers_finish(server);
}

int64_t drain_turn(mw_server *server, int64_t now_ns)
{
    if (now_ns >= server->drain_at_ns && server->drain_step_ns < 0)
        begin_closing(server);
    while (now_ns >= server->drain_at_ns && !mw_list_is_empty(&server->bridges)) {
        bridge_drain(MW_CONTAINER_OF(server->bridges.head.next, struct bridge, link));
        server->drain_at_ns += server->drain_step_ns;
    }
    if (now_ns >= server->stop_at_ns && edge_together_connections(server->together) > 0)
        edge_count_hit(server->edge, EDGE_LIMIT_DRAIN);
    if (now_ns >= server->stop_at_ns)
        server->state = SERVER_ENDED;
    return server->drain_step_ns >= 0 && mw_list_is_empty(&server->bridges) ? MW_FOREVER : server->drain_at_ns;
}

bool drain_has_yet_to_close(const mw_server *server)
{
    return server->state == SERVER_DRAINING && server->drain_step_ns < 0;
}
