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

struct bridge_more *bridge_more_of(struct bridge *bridge)
{
    if (bridge->more)
        return bridge->more;
    bridge->more = mw_alloc_zeroed(1, sizeof *bridge->more);
    if (bridge->more) {
        bridge->more->bridge = bridge;
        bridge->more->login_id.kind = MW_MISSING;
    }
    return bridge->more;
}

static void discount_address(struct bridge *bridge)
{
    uint8_t address[16];

    if (bridge->more->is_counted && address_parse(bridge->more->address, address))
        edge_leave_address(bridge->reactor->server->together, address);
}

static void drop_more(struct bridge *bridge)
{
    if (bridge->more) {
        discount_address(bridge);
        mw_release(bridge->more->login_id);
        mw_free(bridge->more->query);
        mw_free(bridge->more->user);
    }
    mw_free(bridge->more);
    bridge->more = NULL;
}

/* Who comes through a proxy is one of those that come from there, as who comes without. false: too many, or no memory */
static bool count_address(struct bridge *bridge)
{
    uint8_t address[16];
    int entered = address_parse(bridge->more->address, address) ? edge_enter_address(bridge->reactor->edge, address) : 0;

    bridge->more->is_counted = entered == 1;
    return entered >= 0;
}

/* Note whom it is for, and from where, as far as its connection does not say so. false: no memory */
static bool take_guest(struct bridge *bridge, const struct edge_request *request, const struct guest *guest)
{
    char address[GATE_ADDRESS_BYTES];
    struct bridge_more *more;

    gate_address(bridge->reactor->server, request, address);
    if (!guest->user && !bridge->mounted->requires_login && strcmp(address, request->peer) == 0 && request->query[0] == '\0')
        return true;
    more = bridge_more_of(bridge);
    if (!more)
        return false;
    memcpy(more->address, address, sizeof more->address);
    if (request->query[0] != '\0')
        more->query = mw_copy_text(request->query);
    if ((request->query[0] != '\0' && !more->query) || (strcmp(address, request->peer) != 0 && !count_address(bridge))) {
        drop_more(bridge);
        return false;
    }
    if (!guest->user)
        return true;
    more->until_ns = guest->until_ns;
    more->since = guest->user->since;
    more->key = guest->key;
    more->has_session = guest->has_session;
    memcpy(more->token, guest->token, sizeof more->token);
    more->user = mw_copy_text(guest->user->name);
    if (more->user)
        return true;
    drop_more(bridge);
    return false;
}

struct bridge *bridge_new(struct reactor *r, struct mounted *m, enum app_manner manner, const struct edge_request *request,
                          const struct guest *guest)
{
    struct bridge *bridge = mw_alloc_zeroed(1, sizeof *bridge);

    if (!bridge)
        return NULL;
    bridge->reactor = r;
    bridge->mounted = m;
    bridge->manner = (uint8_t)manner;
    bridge->is_local = guest->is_local;
    bridge->is_overheard = gate_is_overheard(r->server, request);
    if (!take_guest(bridge, request, guest)) {
        mw_free(bridge);
        return NULL;
    }
    return bridge;
}

const char *bridge_query(const struct bridge *bridge)
{
    return bridge->more && bridge->more->query ? bridge->more->query : "";
}

const char *bridge_address(const struct bridge *bridge)
{
    return bridge->more && bridge->more->address[0] ? bridge->more->address : edge_connection_peer(bridge->edge);
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

static size_t behind_bytes(const struct reactor *r)
{
    size_t bytes = (size_t)r->server->settings.limits.value[EDGE_LIMIT_OUTPUT_PAUSE];

    return r->shed_level >= SHED_WATCHES ? bytes / 16 : bytes;
}

static bool sink_is_behind(void *connection)
{
    struct bridge *bridge = connection;
    struct reactor *r = bridge->reactor;
    struct bridge_more *more;

    if (edge_connection_queued(bridge->edge) <= behind_bytes(r))
        return false;
    more = bridge_more_of(bridge);
    if (!more) /* nobody would say that it has caught up; the edge's limits hold */
        return false;
    if (!mw_link_is_linked(&more->behind_link))
        mw_list_push_back(&r->behind, &more->behind_link);
    return true;
}

void bridge_look_behind(struct reactor *r)
{
    struct mw_link *link = r->behind.head.next, *next;

    for (; link != &r->behind.head; link = next) {
        struct bridge *bridge = MW_CONTAINER_OF(link, struct bridge_more, behind_link)->bridge;

        next = link->next;
        if (edge_connection_queued(bridge->edge) > behind_bytes(r) / 2)
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

/* Who its client is from now on; where the app will not have it, its connection ends. */
static int identify(struct bridge *bridge, const mw_user *user)
{
    const struct app_identity who = gate_identity(bridge->reactor, bridge->mounted, user, bridge->is_local);
    struct mw_error error = {0};
    int err = app_client_identify(&bridge->client, &who, &error);

    bridge->more->roles_seen = hash_roles(user);
    if (err == -EACCES)
        edge_connection_close(bridge->edge, 1008, error.text);
    else if (err < 0 && err != -EPIPE)
        edge_connection_close(bridge->edge, 1011, "the server could not open this app for you");
    return err;
}

bool bridge_has_other_roles(const struct bridge *bridge, const mw_user *user)
{
    return hash_roles(user) != bridge->more->roles_seen;
}

void bridge_follow_roles(struct bridge *bridge)
{
    mw_user *user = NULL;

    if (gate_user(bridge->reactor->server, bridge->more->user, &user) == 0) /* else it is looked at again */
        (void)identify(bridge, user); /* what went wrong has closed it */
    mw_free(user);
}

void bridge_logged_in(struct bridge *bridge, const mw_user *user, int err, const char *reason)
{
    struct mw_server *server = bridge->reactor->server;
    struct bridge_more *more = bridge->more; /* from the login on */
    char *name = user ? mw_copy_text(user->name) : NULL;
    struct reactor *home;

    more->login = NULL;
    if (!bridge->client) {
        mw_free(name);
        return;
    }
    if (err == 0 && !name)
        err = -ENOMEM;
    if (err == 0) {
        mw_free(more->user);
        more->user = name;
        more->since = user->since;
        more->has_session = false;
        more->token[0] = '\0';
        more->until_ns = mw_now_ns() + (int64_t)server->settings.limits.value[EDGE_LIMIT_SESSION_LIFE] * INT64_C(1000000);
        home = workers_home(bridge->reactor, bridge->mounted, name);
        if (home != bridge->reactor) {
            (void)bridge_depart(bridge, home); /* else it is over */
            return;
        }
        gate_enter(bridge);
        if (identify(bridge, user) < 0)
            return;
    }
    if (bridge->client)
        app_client_login_done(bridge->client, err, reason);
}

void bridge_hurry(struct bridge *bridge)
{
    struct reactor *r = bridge->reactor;
    size_t queued = edge_connection_queued(bridge->edge);
    struct bridge_more *more;

    if (queued == 0)
        return;
    more = bridge_more_of(bridge);
    if (!more) { /* nobody would look whether it hurries */
        edge_connection_drop(bridge->edge);
        return;
    }
    mw_link_remove(&more->hurry_link);
    more->hurry_until = edge_connection_written(bridge->edge) + queued;
    more->hurry_ns = poller_now(r->poller) + HURRY_NS;
    mw_list_push_back(&r->hurried, &more->hurry_link);
}

int64_t bridge_look_hurried(struct reactor *r, int64_t now_ns)
{
    struct mw_link *link, *next;

    for (link = r->hurried.head.next; link != &r->hurried.head; link = next) {
        const struct bridge_more *more = MW_CONTAINER_OF(link, struct bridge_more, hurry_link);
        struct bridge *bridge = more->bridge;

        next = link->next;
        if (edge_connection_written(bridge->edge) >= more->hurry_until) {
            mw_link_remove(link);
        } else if (now_ns >= more->hurry_ns) {
            mw_link_remove(link);
            gate_lock(&r->server->gate);
            r->server->gate.dropped++;
            gate_unlock(&r->server->gate);
            edge_connection_drop(bridge->edge);
        } else {
            return more->hurry_ns;
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

void bridge_open_client(struct bridge *bridge)
{
    struct mounted *m = bridge->mounted;
    struct reactor *r = bridge->reactor;
    struct mw_error error = {0};
    mw_user *user = NULL;
    int err = bridge_user(bridge) ? gate_user(r->server, bridge_user(bridge), &user) : 0; /* who has just been removed is nobody else for that */

    if (err == 0) {
        const struct app_identity who = gate_identity(r, m, user, bridge->is_local);

        err = app_client_open(r->apps[m->index], (enum app_manner)bridge->manner, &sink, bridge, &who, &bridge->client, &error);
    }
    if (bridge->more)
        bridge->more->roles_seen = err == 0 && user ? hash_roles(user) : 0;
    mw_free(user);
    if (err == 0) {
        if (bridge_user(bridge) || m->requires_login)
            gate_enter(bridge);
        return;
    }
    bridge->client = NULL;
    if (err == -EACCES) {
        edge_connection_close(bridge->edge, 1008, error.text);
        if (m->server->is_dev)
            log_line(&m->server->log, "%s: refused a client: %s", m->name, error.text);
    } else if (err == -ENOENT) {
        edge_connection_close(bridge->edge, 4001, "this user is no more");
    } else if (err != -EPIPE) {
        edge_connection_close(bridge->edge, 1011, "the server could not open this app for you");
    }
}

void bridge_opened(void *connection, struct edge_connection *edge_connection)
{
    struct bridge *bridge = connection;
    const struct mounted *m = bridge->mounted;
    struct reactor *r = bridge->reactor;

    bridge->edge = edge_connection;
    bridge->opened_ns = poller_now(r->poller);
    mw_list_push_back(&r->bridges, &bridge->link);
    if (m->server->is_dev)
        log_line(&m->server->log, "%s: a client from %s (%s)", m->name, bridge_address(bridge),
                 manner_name((enum app_manner)bridge->manner));
    bridge_open_client(bridge);
}

void bridge_message(void *connection, enum edge_kind kind, const void *borrows, size_t byte_count)
{
    struct bridge *bridge = connection;
    struct mw_server *server = bridge->reactor->server;

    bridge->is_used = true;
    if (bridge->is_guest && !bridge_user(bridge) && byte_count > server->settings.limits.value[EDGE_LIMIT_LOGIN_MESSAGE]) {
        edge_count_hit(bridge->reactor->edge, EDGE_LIMIT_LOGIN_MESSAGE);
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
    struct bridge_more *more = bridge->more;

    mw_link_remove(&bridge->link);
    if (more) {
        mw_link_remove(&more->behind_link);
        mw_link_remove(&more->hurry_link);
        gate_leave(bridge);
        if (more->login)
            more->login->bridge = NULL;
    }
    if (bridge->client)
        app_client_closed(bridge->client);
    if (bridge->edge)
        log_websocket(&m->server->log, m->name, bridge_address(bridge), code,
                      poller_now(bridge->reactor->poller) - bridge->opened_ns);
    if (m->server->is_dev && bridge->edge)
        log_line(&m->server->log, "%s: a client went (%d)", m->name, code);
    drop_more(bridge);
    mw_free(bridge);
}
