/* Who is here, and who has to go: connections of users who may not be here any more, or have other roles now; those who have yet to log in.
 * Not who a request is from; that is gate.c. Read next: bridge.c.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <time.h>

#include "server/server_priv.h"

#define LOOK_NS INT64_C(500000000)
#define SWEEP_NS INT64_C(60000000000)
#define MS_NS INT64_C(1000000)

static uint64_t limit_of(const mw_server *server, enum edge_limit limit)
{
    return server->settings.limits.value[limit];
}

/* ---- coming and going ------------------------------------------------------------------------------------ */

void gate_enter(struct bridge *bridge)
{
    struct reactor *r = bridge->reactor;
    struct gate *gate = &r->server->gate;
    struct bridge_more *more = bridge->more;

    if (more->user || !mw_link_is_linked(&more->stranger_link)) {
        gate_lock(gate);
        if (more->user)
            mw_link_remove(&more->stranger_link);
        else
            mw_list_push_back(&gate->strangers, &more->stranger_link);
        gate_unlock(gate);
    }
    if (bridge->is_guest)
        return;
    bridge->is_guest = true;
    if (r->guests++ == 0)
        r->look_at_ns = 0; /* in this turn; from then on now and again */
}

void gate_leave(struct bridge *bridge)
{
    struct gate *gate = &bridge->reactor->server->gate;

    if (!bridge->is_guest)
        return;
    bridge->is_guest = false;
    bridge->reactor->guests--;
    gate_lock(gate);
    mw_link_remove(&bridge->more->stranger_link);
    gate_unlock(gate);
}

bool gate_is_one_too_many(struct reactor *r, const struct edge_request *request)
{
    struct gate *gate = &r->server->gate;
    char address[GATE_ADDRESS_BYTES];
    struct mw_link *link;
    uint64_t count = 0;

    gate_address(r->server, request, address);
    if ((strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0) && !r->server->settings.values[SETTING_PER_IP_LOOPBACK].flag)
        return false;
    gate_lock(gate);
    for (link = gate->strangers.head.next; link != &gate->strangers.head; link = link->next)
        count += strcmp(MW_CONTAINER_OF(link, struct bridge_more, stranger_link)->address, address) == 0;
    gate_unlock(gate);
    if (count < limit_of(r->server, EDGE_LIMIT_UNAUTHENTICATED))
        return false;
    edge_count_hit(r->edge, EDGE_LIMIT_UNAUTHENTICATED);
    return true;
}

/* ---- looking --------------------------------------------------------------------------------------------- */

static void let_out(struct bridge *bridge, const char *reason)
{
    mw_server *server = bridge->reactor->server;

    gate_lock(&server->gate);
    server->gate.revoked++;
    gate_unlock(&server->gate);
    audit_write(&server->audit, "revoked", (struct audit_fact[]){{.key = "app", .text = bridge->mounted->name},
                {.key = "user", .text = bridge->more->user}, {.key = "peer", .text = bridge_address(bridge)}, {.key = "reason", .text = reason}}, 4);
    gate_leave(bridge);
    edge_connection_close(bridge->edge, 4001, reason);
    bridge_hurry(bridge);
}

/* With the lock. NULL: it may stay */
static const char *why_not(mw_server *server, const struct bridge_more *more, const mw_user *user, int64_t now_ns)
{
    if (!user)
        return "this user is no more";
    if (user->since != more->since)
        return "the password is another now: log in again";
    if (now_ns >= more->until_ns || (more->has_session && !sessions_of_key(&server->gate.sessions, &more->key, now_ns)))
        return "the login has run out";
    if (more->token[0] && !mw_users_has_token(server->gate.users, more->token, (int64_t)time(NULL)))
        return "the token has been revoked";
    return NULL;
}

static void look_at_stranger(struct bridge *bridge, int64_t now_ns)
{
    struct reactor *r = bridge->reactor;

    if (now_ns - bridge->opened_ns < (int64_t)limit_of(r->server, EDGE_LIMIT_LOGIN_TIME) * MS_NS)
        return;
    edge_count_hit(r->edge, EDGE_LIMIT_LOGIN_TIME);
    let_out(bridge, "no login came in time");
}

static void look_at_guest(struct bridge *bridge, int64_t now_ns)
{
    mw_server *server = bridge->reactor->server;
    struct gate *gate = &server->gate;
    const struct bridge_more *more = bridge->more;
    const mw_user *user;
    const char *reason;
    bool has_other_roles;

    gate_lock(gate);
    if (more->has_session && bridge->is_used)
        sessions_use(&gate->sessions, &more->key, now_ns);
    user = mw_users_find(gate->users, more->user);
    reason = why_not(server, more, user, now_ns);
    has_other_roles = !reason && bridge_has_other_roles(bridge, user);
    gate_unlock(gate);
    bridge->is_used = false;
    if (reason)
        let_out(bridge, reason);
    else if (has_other_roles)
        bridge_follow_roles(bridge);
}

uint64_t gate_close_strangers(struct reactor *r)
{
    struct mw_link *link;
    uint64_t count = 0;

    for (link = r->bridges.head.next; r->guests > 0 && link != &r->bridges.head; link = link->next) {
        struct bridge *bridge = MW_CONTAINER_OF(link, struct bridge, link);

        if (!bridge->is_guest || bridge->more->user)
            continue;
        gate_leave(bridge);
        edge_connection_close(bridge->edge, 1013, "short of memory: try again later");
        count++;
    }
    return count;
}

int64_t gate_turn(struct reactor *r, int64_t now_ns)
{
    struct gate *gate = &r->server->gate;
    struct mw_link *link, *next;
    const bool is_own = r == &r->server->reactor; /* one is enough to have the sessions that have run out forgotten */

    if (r->guests == 0 && (!is_own || atomic_load(&gate->session_count) == 0))
        return MW_FOREVER;
    if (now_ns < r->look_at_ns)
        return r->look_at_ns;
    r->look_at_ns = now_ns + (r->guests > 0 ? LOOK_NS : SWEEP_NS); /* alone, sessions only have to end some time */
    gate_lock(gate);
    gate_look_at_users(r->server);
    if (is_own)
        sessions_sweep(&gate->sessions, now_ns, NULL, NULL);
    atomic_store(&gate->session_count, gate->sessions.count);
    gate_unlock(gate);
    for (link = r->bridges.head.next; link != &r->bridges.head; link = next) {
        struct bridge *bridge = MW_CONTAINER_OF(link, struct bridge, link);

        next = link->next;
        if (bridge->is_guest && bridge->client && bridge->more->user)
            look_at_guest(bridge, now_ns);
        else if (bridge->is_guest && bridge->client)
            look_at_stranger(bridge, now_ns);
    }
    return r->look_at_ns;
}
