/* A bridge goes to another reactor, with its connection: who has logged in on it has an instance of their own there. What was queued for it leaves
 * first, so the old instance is heard out before the new one says hello.
 * Not how the connection goes; that is ../edge/move.c. Read next: workers.c for where a user is.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "server/server_priv.h"

int bridge_depart(struct bridge *bridge, struct reactor *to)
{
    struct bridge_more *more = bridge->more; /* from the login on */

    if (edge_connection_move(bridge->edge) < 0)
        return -EPIPE;
    more->to = to;
    more->login_id = app_client_depart(bridge->client);
    bridge->client = NULL;
    gate_leave(bridge); /* whom it is for now is looked at where it arrives */
    return 0;
}

void bridge_left(void *connection, struct edge_connection *edge_connection)
{
    struct bridge *bridge = connection;
    struct bridge_more *more = bridge->more;

    mw_link_remove(&bridge->link);
    mw_link_remove(&more->behind_link);
    mw_link_remove(&more->hurry_link); /* nothing is queued any more */
    bridge->edge = NULL;
    bridge->reactor = more->to;
    workers_bring(more->to, edge_connection);
}

void bridge_came(void *connection, struct edge_connection *edge_connection)
{
    struct bridge *bridge = connection;
    struct bridge_more *more = bridge->more;

    bridge->edge = edge_connection;
    mw_list_push_back(&bridge->reactor->bridges, &bridge->link); /* also during a drain, which comes to it */
    if (bridge->reactor->server->state >= SERVER_STOPPING) {
        edge_connection_close(edge_connection, 1001, "stopping");
        return;
    }
    bridge_open_client(bridge);
    if (!bridge->client)
        return;
    app_client_arrive(bridge->client, more->login_id);
    more->login_id.kind = MW_MISSING;
    app_client_login_done(bridge->client, 0, NULL);
}
