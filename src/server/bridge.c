/* Joins a connection of the edge to a client of an app: messages one way, answers the other.
 * Knows neither frames nor what is in the messages. Read next: route.c, which makes bridges.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "server/login.h"

/* Of what was queued when rights were lost, nothing leaves later (promises, P15: within a second). */
#define HURRY_NS INT64_C(900000000)

static_assert((int)EDGE_TEXT == (int)MW_FRAME_TEXT && (int)EDGE_BINARY == (int)MW_FRAME_BINARY,
              "the edge and the app number the kinds of message alike");

struct bridge *bridge_new(struct mounted *m, enum app_manner manner, const struct edge_request *request,
                          const struct guest *guest)
{
    struct bridge *bridge = mw_alloc_zeroed(1, sizeof *bridge);

    if (!bridge)
        return NULL;
    bridge->mounted = m;
    bridge->manner = manner;
    bridge->until_ns = guest->until_ns;
    bridge->is_local = guest->is_local;
    bridge->is_overheard = gate_is_overheard(m->server, request);
    gate_address(m->server, request, bridge->address);
    if (!guest->user)
        return bridge;
    bridge->user = mw_copy_text(guest->user->name);
    bridge->since = guest->user->since;
    bridge->key = guest->key;
    bridge->has_session = guest->has_session;
    memcpy(bridge->token, guest->token, sizeof bridge->token);
    if (!bridge->user) {
        mw_free(bridge);
        return NULL;
    }
    return bridge;
}

bool bridge_is_one_too_many(struct mw_server *server, const struct edge_request *request)
{
    char address[GATE_ADDRESS_BYTES];
    struct mw_link *link;
    uint64_t count = 0;

    if (request->is_loopback && !server->settings.values[SETTING_PER_IP_LOOPBACK].flag)
        return false;
    gate_address(server, request, address);
    for (link = server->bridges.head.next; link != &server->bridges.head; link = link->next) {
        const struct bridge *bridge = MW_CONTAINER_OF(link, struct bridge, link);

        count += bridge->is_guest && !bridge->user && strcmp(bridge->address, address) == 0;
    }
    if (count < server->settings.limits.value[EDGE_LIMIT_UNAUTHENTICATED])
        return false;
    edge_count_hit(server->edge, EDGE_LIMIT_UNAUTHENTICATED);
    return true;
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
    size_t bytes = (size_t)server->settings.limits.value[EDGE_LIMIT_OUTPUT_PAUSE];

    return server->shed.level >= SHED_WATCHES ? bytes / 16 : bytes;
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

/* ---- who may stay ------------------------------------------------------------------------------------ */

static uint64_t hash_roles(const mw_user *user)
{
    uint64_t hash = 1;
    size_t i;

    for (i = 0; i < user->role_count; i++)
        hash = hash * UINT64_C(0x9e3779b97f4a7c15) + mw_hash(user->roles[i], strlen(user->roles[i]));
    return hash;
}

static void enter_gate(struct bridge *bridge)
{
    struct mw_server *server = bridge->mounted->server;

    if (bridge->is_guest)
        return;
    bridge->is_guest = true;
    if (server->gate.guests++ == 0)
        server->gate.look_at_ns = 0; /* in this turn; from then on now and again */
}

void bridge_leave_gate(struct bridge *bridge)
{
    if (!bridge->is_guest)
        return;
    bridge->is_guest = false;
    bridge->mounted->server->gate.guests--;
}

/* Who its client is from now on; where the app will not have it, its connection ends. */
static int identify(struct bridge *bridge, const mw_user *user)
{
    struct mw_server *server = bridge->mounted->server;
    const struct app_identity who = gate_identity(server, bridge->mounted, user, bridge->is_local);
    struct mw_error error = {0};
    int err = app_client_identify(&bridge->client, &who, &error);

    bridge->roles_seen = hash_roles(user);
    if (err == -EACCES)
        edge_connection_close(bridge->edge, 1008, error.text);
    else if (err < 0 && err != -EPIPE)
        edge_connection_close(bridge->edge, 1011, "the server could not open this app for you");
    return err;
}

void bridge_follow_roles(struct bridge *bridge, const mw_user *user)
{
    if (hash_roles(user) == bridge->roles_seen)
        return;
    (void)identify(bridge, user); /* what went wrong has closed it */
}

void bridge_logged_in(struct bridge *bridge, const mw_user *user, int err, const char *reason)
{
    struct mw_server *server = bridge->mounted->server;
    char *name = user ? mw_copy_text(user->name) : NULL;

    bridge->login = NULL;
    if (!bridge->client)
        return;
    if (err == 0 && !name)
        err = -ENOMEM;
    if (err == 0) {
        mw_free(bridge->user);
        bridge->user = name;
        bridge->since = user->since;
        bridge->has_session = false;
        bridge->token[0] = '\0';
        bridge->until_ns = mw_now_ns() + (int64_t)server->settings.limits.value[EDGE_LIMIT_SESSION_LIFE] * INT64_C(1000000);
        enter_gate(bridge);
        if (identify(bridge, user) < 0)
            return;
    }
    if (bridge->client)
        app_client_login_done(bridge->client, err, reason);
}

void bridge_hurry(struct bridge *bridge)
{
    struct mw_server *server = bridge->mounted->server;
    size_t queued = edge_connection_queued(bridge->edge);

    if (queued == 0)
        return;
    mw_link_remove(&bridge->hurry_link);
    bridge->hurry_until = edge_connection_written(bridge->edge) + queued;
    bridge->hurry_ns = poller_now(server->poller) + HURRY_NS;
    mw_list_push_back(&server->hurried, &bridge->hurry_link);
}

int64_t bridge_look_hurried(struct mw_server *server, int64_t now_ns)
{
    struct mw_link *link, *next;

    for (link = server->hurried.head.next; link != &server->hurried.head; link = next) {
        struct bridge *bridge = MW_CONTAINER_OF(link, struct bridge, hurry_link);

        next = link->next;
        if (edge_connection_written(bridge->edge) >= bridge->hurry_until) {
            mw_link_remove(link);
        } else if (now_ns >= bridge->hurry_ns) {
            mw_link_remove(link);
            server->gate.dropped++;
            edge_connection_drop(bridge->edge);
        } else {
            return bridge->hurry_ns;
        }
    }
    return MW_FOREVER;
}

/* Its client's rights are others now. */
static void sink_rights_changed(void *connection)
{
    bridge_hurry(connection);
}

static const struct app_sink sink = {
    .send = sink_send, .send_shared = sink_send_shared, .close = sink_close, .is_behind = sink_is_behind,
    .rights_changed = sink_rights_changed};

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
    const mw_user *user = bridge->user ? mw_users_find(m->server->gate.users, bridge->user) : NULL;
    const struct app_identity who = gate_identity(m->server, m, user, bridge->is_local);
    int err;

    bridge->edge = edge_connection;
    bridge->opened_ns = poller_now(m->server->poller);
    mw_list_push_back(&m->server->bridges, &bridge->link);
    if (m->server->is_dev)
        log_line(&m->server->log, "%s: a client from %s (%s)", m->name, edge_connection_peer(edge_connection),
                 manner_name(bridge->manner));
    err = app_client_open(m->app, bridge->manner, &sink, bridge, &who, &bridge->client, &error);
    if (err == 0) {
        bridge->roles_seen = user ? hash_roles(user) : 0;
        if (user || m->requires_login)
            enter_gate(bridge);
        return;
    }
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
    struct mw_server *server = bridge->mounted->server;

    bridge->is_used = true;
    if (bridge->is_guest && !bridge->user && byte_count > server->settings.limits.value[EDGE_LIMIT_LOGIN_MESSAGE]) {
        edge_count_hit(server->edge, EDGE_LIMIT_LOGIN_MESSAGE);
        edge_connection_close(bridge->edge, 1009, "too long before a login");
        return;
    }
    if (bridge->client)
        app_client_message(bridge->client, (enum mw_frame)kind, borrows, byte_count);
}

void bridge_closed(void *connection, int code)
{
    struct bridge *bridge = connection;
    struct mounted *m = bridge->mounted;

    mw_link_remove(&bridge->link);
    mw_link_remove(&bridge->behind_link);
    mw_link_remove(&bridge->hurry_link);
    bridge_leave_gate(bridge);
    if (bridge->login)
        bridge->login->bridge = NULL;
    if (bridge->client)
        app_client_closed(bridge->client);
    if (bridge->edge)
        log_websocket(&m->server->log, m->name, edge_connection_peer(bridge->edge), code,
                      poller_now(m->server->poller) - bridge->opened_ns);
    if (m->server->is_dev && bridge->edge)
        log_line(&m->server->log, "%s: a client went (%d)", m->name, code);
    mw_free(bridge->user);
    mw_free(bridge);
}
