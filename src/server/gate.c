/* Who is who at the door, and who has to go.
 * SPDX-License-Identifier: MIT */
#include "server/gate.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/directory.h"
#include "base/hash.h"
#include "base/memory.h"
#include "server/server_priv.h"

#define LOOK_NS INT64_C(500000000)
#define SWEEP_NS INT64_C(60000000000)
#define SECOND_NS INT64_C(1000000000)
#define MS_NS INT64_C(1000000)

static uint64_t limit_of(const mw_server *server, enum edge_limit limit)
{
    return server->settings.limits.value[limit];
}

/* ---- the state directory ---------------------------------------------------------------------------- */

int mw_server_state_dir(const mw_server *server, char *ret_path, size_t room, struct mw_error *ret_error)
{
    const char *given = mw_server_setting_text(server, "state"), *systemds = getenv("STATE_DIRECTORY");
    const char *xdg = getenv("XDG_STATE_HOME"), *app = server->app_count > 0 ? server->apps[0]->name : NULL, *base;
    char scratch[MW_HOME_BYTES];
    int count;

    if (given) {
        count = snprintf(ret_path, room, "%s", given);
    } else if (systemds && *systemds == '/') {
        count = snprintf(ret_path, room, "%.*s", (int)strcspn(systemds, ":"), systemds); /* the first, where there are several */
    } else {
        base = xdg && *xdg == '/' ? xdg : mw_home(scratch);
        if (!base || !app)
            return mw_fail(ret_error, -ENOENT, "find a state directory: %s; name one by --state",
                           app ? "this user has no home" : "no app is mounted");
        count = snprintf(ret_path, room, "%s%s/meshwork/%s", base, base == xdg ? "" : "/.local/state", app);
    }
    if (count < 0 || (size_t)count >= room)
        return mw_fail(ret_error, -ENAMETOOLONG, "find a state directory: the name is too long");
    return 0;
}

static bool requires_login(const mw_server *server)
{
    size_t i;

    for (i = 0; i < server->app_count; i++)
        if (server->apps[i]->requires_login)
            return true;
    return false;
}

/* Without a directory there are no users, which is an error only where somebody has to log in. */
static int open_users(const mw_server *server, mw_users **ret, struct mw_error *ret_error)
{
    char dir[PATH_MAX];
    struct mw_error why = {0};
    int err = mw_server_state_dir(server, dir, sizeof dir, &why);

    *ret = NULL;
    if (err == -ENOENT && !requires_login(server))
        return 0;
    return err < 0 ? mw_fail(ret_error, err, "%s", why.text) : mw_users_open(dir, ret, ret_error);
}

int gate_open(mw_server *server, struct mw_error *ret_error)
{
    const struct sessions_limits limits = {.idle_ns = (int64_t)limit_of(server, EDGE_LIMIT_SESSION_IDLE) * MS_NS,
                                           .absolute_ns = (int64_t)limit_of(server, EDGE_LIMIT_SESSION_LIFE) * MS_NS,
                                           .per_user = limit_of(server, EDGE_LIMIT_SESSIONS_PER_USER),
                                           .most = limit_of(server, EDGE_LIMIT_SESSIONS)};
    int err = open_users(server, &server->gate.users, ret_error);

    sessions_init(&server->gate.sessions, &limits);
    if (err == 0 && requires_login(server) && mw_users_count(server->gate.users) == 0)
        log_at(&server->log, MW_LOG_WARNING, "an app requires a login, and there is nobody who could: meshwork user add NAME");
    return err;
}

int gate_check(const mw_server *server, struct mw_error *ret_error)
{
    mw_users *users = NULL;
    int err = open_users(server, &users, ret_error);

    mw_users_free(users);
    return err;
}

void gate_close(mw_server *server)
{
    mw_users_free(server->gate.users);
    sessions_clear(&server->gate.sessions);
    attempts_clear(&server->gate.attempts);
}

void gate_look_at_users(mw_server *server)
{
    struct mw_error error = {0};

    int looked = server->gate.users ? mw_users_look(server->gate.users, &error) : 0;

    if (looked < 0)
        log_at(&server->log, MW_LOG_ERROR, "the users from before stay: %s", error.text);
    if (looked != 0)
        audit_write(&server->audit, "users", (struct audit_fact[]){{.key = "outcome", .text = looked < 0 ? "kept" : "taken"}}, 1);
}

/* ---- where a request comes from --------------------------------------------------------------------------- */

bool gate_is_local(const struct edge_request *request)
{
    static const char *const forwarding[] = {"Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"};
    size_t i;

    for (i = 0; i < MW_COUNT(forwarding); i++)
        if (edge_request_field(request, forwarding[i]))
            return false;
    return request->is_loopback;
}

/* Whether a proxy that we believe sends this. */
static bool is_from_proxy(const mw_server *server, const struct edge_request *request)
{
    const struct setting_value *proxies = &server->settings.values[SETTING_TRUSTED_PROXY];
    size_t i;

    for (i = 0; i < proxies->text_count; i++)
        if (strcmp(proxies->texts[i], request->peer) == 0 || (request->is_loopback && strcmp(proxies->texts[i], "loopback") == 0))
            return true;
    return false;
}

void gate_address(const mw_server *server, const struct edge_request *request, char ret_address[GATE_ADDRESS_BYTES])
{
    const char *list = is_from_proxy(server, request) ? edge_request_field(request, "X-Forwarded-For") : NULL;
    const char *last = list ? strrchr(list, ',') : NULL;

    last = last ? last + 1 : list; /* what our proxy has added; those before it may be anybody's invention */
    if (last)
        last += strspn(last, " \t");
    (void)snprintf(ret_address, GATE_ADDRESS_BYTES, "%s", last && *last ? last : request->peer);
}

static bool is_secure(const mw_server *server, const struct edge_request *request)
{
    const char *scheme = is_from_proxy(server, request) ? edge_request_field(request, "X-Forwarded-Proto") : NULL;

    return request->is_tls || (scheme && strcasecmp(scheme, "https") == 0);
}

bool gate_is_overheard(const mw_server *server, const struct edge_request *request)
{
    return !is_secure(server, request) && !gate_is_local(request) && !server->settings.values[SETTING_INSECURE_COOKIE].flag;
}

/* ---- cookies --------------------------------------------------------------------------------------------------- */

/* Ports of one machine share its cookies, so in the clear the port is in the name. */
static const char *cookie_name(const mw_server *server, const struct edge_request *request, char scratch[GATE_COOKIE_BYTES])
{
    if (is_secure(server, request))
        return "__Host-mw";
    (void)snprintf(scratch, GATE_COOKIE_BYTES, "mw-%u", request->port);
    return scratch;
}

void gate_print_cookie(const mw_server *server, const struct edge_request *request, const char *secret, char *ret_line,
                       size_t room)
{
    char scratch[GATE_COOKIE_BYTES];

    (void)snprintf(ret_line, room, "Set-Cookie: %s=%s; Path=/; HttpOnly; SameSite=Strict%s%s\r\n",
                   cookie_name(server, request, scratch), secret ? secret : "", secret ? "" : "; Max-Age=0",
                   is_secure(server, request) ? "; Secure" : "");
}

/* The session's secret among "a=1; mw-8000=...; b=2" (RFC 6265 §4.2.1). false: there is none, or none that is one of ours */
static bool find_secret(const char *cookies, const char *name, char ret_secret[SESSION_SECRET_BYTES])
{
    size_t name_count = strlen(name), count;

    while (cookies && *cookies != '\0') {
        cookies += strspn(cookies, "; ");
        count = strcspn(cookies, ";");
        if (count == name_count + SESSION_SECRET_BYTES && cookies[name_count] == '=' &&
            strncmp(cookies, name, name_count) == 0) {
            memcpy(ret_secret, cookies + name_count + 1, SESSION_SECRET_BYTES - 1);
            ret_secret[SESSION_SECRET_BYTES - 1] = '\0';
            return true;
        }
        cookies += count;
    }
    return false;
}

/* ---- who it is ------------------------------------------------------------------------------------------------- */

static int by_token(mw_server *server, const char *field, struct guest *ret)
{
    static const char scheme[] = "Bearer ";
    int64_t now_s = (int64_t)time(NULL);
    mw_token token = {0};

    if (strncasecmp(field, scheme, strlen(scheme)) != 0)
        return -EACCES;
    field += strlen(scheme);
    field += strspn(field, " ");
    ret->user = mw_users_by_token(server->gate.users, field, now_s, &token);
    if (!ret->user)
        return -EACCES;
    ret->until_ns = mw_now_ns() + (token.ends_s - now_s) * SECOND_NS;
    (void)snprintf(ret->token, sizeof ret->token, "%s", token.id);
    return 0;
}

/* A session that has ended leaves its browser anonymous: it can log in again. */
static void by_cookie(mw_server *server, const struct edge_request *request, struct guest *ret)
{
    char scratch[GATE_COOKIE_BYTES], secret[SESSION_SECRET_BYTES];
    int64_t now_ns = mw_now_ns();
    const struct session *session;
    const mw_user *user;

    if (!find_secret(edge_request_field(request, "Cookie"), cookie_name(server, request, scratch), secret))
        return;
    session = sessions_find(&server->gate.sessions, secret, now_ns);
    user = session ? mw_users_find(server->gate.users, session->user) : NULL;
    if (!user || user->since != session->since)
        return;
    ret->user = user;
    ret->key = session->key;
    ret->has_session = true;
    sessions_use(&server->gate.sessions, &ret->key, now_ns);
}

int gate_identify(mw_server *server, const struct edge_request *request, struct guest *ret)
{
    const struct setting_value *header = &server->settings.values[SETTING_PROXY_USER_HEADER];
    const char *bearer = edge_request_field(request, "Authorization"), *name;

    *ret = (struct guest){.until_ns = MW_FOREVER, .is_local = server->is_dev && gate_is_local(request)};
    if (!server->gate.users)
        return 0;
    gate_look_at_users(server);
    name = header->text_count > 0 && is_from_proxy(server, request) ? edge_request_field(request, header->texts[0]) : NULL;
    if (name) {
        ret->user = mw_users_find(server->gate.users, name);
        return ret->user ? 0 : -EACCES;
    }
    if (bearer)
        return by_token(server, bearer, ret);
    by_cookie(server, request, ret);
    return 0;
}

struct app_identity gate_identity(mw_server *server, const struct mounted *m, const mw_user *user, bool is_local)
{
    const char **names = server->gate.role_names;
    size_t count = 0, i;

    if (!user)
        names[count++] = "anonymous";
    for (i = 0; user && i < user->role_count && i < MW_USER_ROLES_MOST; i++)
        names[count++] = user->roles[i];
    if (is_local && app_has_role(m->app, "local"))
        names[count++] = "local";
    return (struct app_identity){.user = user ? user->name : NULL, .roles = names, .role_count = count};
}

int gate_find(void *context, const char *user, struct app_identity *ret)
{
    mw_server *server = context;
    const mw_user *found = server->gate.users ? mw_users_find(server->gate.users, user) : NULL;

    if (!found)
        return -ENOENT;
    *ret = (struct app_identity){.user = found->name, .roles = found->roles, .role_count = found->role_count};
    return 0;
}

/* ---- who is here ------------------------------------------------------------------------------------------------- */

static void let_out(mw_server *server, struct bridge *bridge, const char *reason)
{
    server->gate.revoked++;
    audit_write(&server->audit, "revoked", (struct audit_fact[]){{.key = "app", .text = bridge->mounted->name},
                {.key = "user", .text = bridge->user}, {.key = "peer", .text = bridge->address}, {.key = "reason", .text = reason}}, 4);
    bridge_leave_gate(bridge);
    edge_connection_close(bridge->edge, 4001, reason);
    bridge_hurry(bridge);
}

static const char *why_not(mw_server *server, const struct bridge *bridge, const mw_user *user, int64_t now_ns)
{
    if (!user)
        return "this user is no more";
    if (user->since != bridge->since)
        return "the password is another now: log in again";
    if (now_ns >= bridge->until_ns || (bridge->has_session && !sessions_of_key(&server->gate.sessions, &bridge->key, now_ns)))
        return "the login has run out";
    if (bridge->token[0] && !mw_users_has_token(server->gate.users, bridge->token, (int64_t)time(NULL)))
        return "the token has been revoked";
    return NULL;
}

static void look_at_guest(mw_server *server, struct bridge *bridge, int64_t now_ns)
{
    const mw_user *user;
    const char *reason;

    if (!bridge->user) {
        if (now_ns - bridge->opened_ns < (int64_t)limit_of(server, EDGE_LIMIT_LOGIN_TIME) * MS_NS)
            return;
        edge_count_hit(server->edge, EDGE_LIMIT_LOGIN_TIME);
        let_out(server, bridge, "no login came in time");
        return;
    }
    if (bridge->has_session && bridge->is_used)
        sessions_use(&server->gate.sessions, &bridge->key, now_ns);
    bridge->is_used = false;
    user = mw_users_find(server->gate.users, bridge->user);
    reason = why_not(server, bridge, user, now_ns);
    if (reason)
        let_out(server, bridge, reason);
    else
        bridge_follow_roles(bridge, user);
}

uint64_t gate_close_strangers(mw_server *server)
{
    struct mw_link *link;
    uint64_t count = 0;

    for (link = server->bridges.head.next; server->gate.guests > 0 && link != &server->bridges.head; link = link->next) {
        struct bridge *bridge = MW_CONTAINER_OF(link, struct bridge, link);

        if (!bridge->is_guest || bridge->user)
            continue;
        bridge_leave_gate(bridge);
        edge_connection_close(bridge->edge, 1013, "short of memory: try again later");
        count++;
    }
    return count;
}

int64_t gate_turn(mw_server *server, int64_t now_ns)
{
    struct gate *gate = &server->gate;
    struct mw_link *link, *next;

    if (gate->guests == 0 && gate->sessions.count == 0)
        return MW_FOREVER;
    if (now_ns < gate->look_at_ns)
        return gate->look_at_ns;
    gate->look_at_ns = now_ns + (gate->guests > 0 ? LOOK_NS : SWEEP_NS); /* alone, sessions only have to end some time */
    gate_look_at_users(server);
    for (link = server->bridges.head.next; link != &server->bridges.head; link = next) {
        struct bridge *bridge = MW_CONTAINER_OF(link, struct bridge, link);

        next = link->next;
        if (bridge->is_guest && bridge->client)
            look_at_guest(server, bridge, now_ns);
    }
    sessions_sweep(&gate->sessions, now_ns, NULL, NULL);
    return gate->look_at_ns;
}
