/* Joins a connection of the edge to a client of an app: messages one way, answers the other.
 * Knows neither frames nor what is in the messages. Read next: route.c, which makes bridges.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>

#include "base/memory.h"
#include "server/server_priv.h"

static_assert((int)EDGE_TEXT == (int)MW_FRAME_TEXT && (int)EDGE_BINARY == (int)MW_FRAME_BINARY,
              "the edge and the app number the kinds of message alike");

struct bridge *bridge_new(struct mounted *m, enum app_manner manner)
{
    struct bridge *bridge = mw_alloc_zeroed(1, sizeof *bridge);

    if (!bridge)
        return NULL;
    bridge->mounted = m;
    bridge->manner = manner;
    return bridge;
}

/* ---- from the app to the edge ----------------------------------------------------------------------- */

static int sink_send(void *connection, enum mw_frame kind, const void *borrows, size_t byte_count)
{
    struct bridge *bridge = connection;

    return edge_connection_send(bridge->edge, (enum edge_kind)kind, borrows, byte_count);
}

static int sink_send_shared(void *connection, enum mw_frame kind, mw_value borrows)
{
    struct bridge *bridge = connection;

    return edge_connection_send_shared(bridge->edge, (enum edge_kind)kind, borrows);
}

static void sink_close(void *connection, int code, const char *reason)
{
    struct bridge *bridge = connection;

    edge_connection_close(bridge->edge, code, reason);
}

static size_t behind_bytes(const struct mw_server *server)
{
    return (size_t)server->settings.limits.value[EDGE_LIMIT_OUTPUT_PAUSE];
}

static bool sink_is_behind(void *connection)
{
    struct bridge *bridge = connection;
    struct mw_server *server = bridge->mounted->server;

    if (edge_connection_queued(bridge->edge) <= behind_bytes(server))
        return false;
    if (!mw_link_is_linked(&bridge->behind_link))
        mw_list_push_back(&server->behind, &bridge->behind_link);
    return true;
}

static const struct app_sink sink = {
    .send = sink_send, .send_shared = sink_send_shared, .close = sink_close, .is_behind = sink_is_behind};

void bridge_look_behind(struct mw_server *server)
{
    struct mw_link *link = server->behind.head.next, *next;

    for (; link != &server->behind.head; link = next) {
        struct bridge *bridge = MW_CONTAINER_OF(link, struct bridge, behind_link);

        next = link->next;
        if (edge_connection_queued(bridge->edge) > behind_bytes(server) / 2)
            continue;
        mw_link_remove(link);
        if (bridge->client)
            app_client_drained(bridge->client);
    }
}

void bridge_drain(struct bridge *bridge)
{
    mw_link_remove(&bridge->link);
    if (bridge->client)
        app_client_say_bye(bridge->client, "restarting");
    edge_connection_close(bridge->edge, 1012, "restarting");
}

/* ---- from the edge to the app ------------------------------------------------------------------------- */

static const char *manner_name(enum app_manner manner)
{
    return manner == APP_MANNER_V1 ? "meshwork.v1" : "plain";
}

void bridge_opened(void *connection, struct edge_connection *edge_connection)
{
    struct bridge *bridge = connection;
    struct mounted *m = bridge->mounted;
    struct mw_error error = {0};
    int err;

    bridge->edge = edge_connection;
    bridge->opened_ns = poller_now(m->server->poller);
    mw_list_push_back(&m->server->bridges, &bridge->link);
    if (m->server->is_dev)
        log_line(&m->server->log, "%s: a client from %s (%s)", m->name, edge_connection_peer(edge_connection),
                 manner_name(bridge->manner));
    err = app_client_open(m->app, bridge->manner, &sink, bridge, NULL, &bridge->client, &error);
    if (err == 0)
        return;
    bridge->client = NULL;
    if (err == -EACCES) {
        edge_connection_close(edge_connection, 1008, error.text);
        if (m->server->is_dev)
            log_line(&m->server->log, "%s: refused a client: %s", m->name, error.text);
    } else if (err != -EPIPE) {
        edge_connection_close(edge_connection, 1011, "the server could not open this app for you");
    }
}

void bridge_message(void *connection, enum edge_kind kind, const void *borrows, size_t byte_count)
{
    struct bridge *bridge = connection;

    if (bridge->client)
        app_client_message(bridge->client, (enum mw_frame)kind, borrows, byte_count);
}

void bridge_closed(void *connection, int code)
{
    struct bridge *bridge = connection;
    struct mounted *m = bridge->mounted;

    mw_link_remove(&bridge->link);
    mw_link_remove(&bridge->behind_link);
    if (bridge->client)
        app_client_closed(bridge->client);
    if (bridge->edge)
        log_websocket(&m->server->log, m->name, edge_connection_peer(bridge->edge), code,
                      poller_now(m->server->poller) - bridge->opened_ns);
    if (m->server->is_dev && bridge->edge)
        log_line(&m->server->log, "%s: a client went (%d)", m->name, code);
    mw_free(bridge);
}
