/* Who is who at the door.
 * Not who has to go; that is gate_here.c.
 * SPDX-License-Identifier: MIT */
#include "server/gate.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/hash.h"
#include "base/memory.h"
#include "server/credentials.h"
#include "server/server_priv.h"
#include "users/sessions_file.h"

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

void gate_init(struct gate *gate)
{
    (void)pthread_mutex_init(&gate->lock, NULL); /* never fails with default attributes */
    mw_list_init(&gate->logins);
    mw_list_init(&gate->strangers);
}

/* What goes wrong here costs logins, no start. */
static void load_sessions(mw_server *server)
{
    struct gate *gate = &server->gate;
    char dir[PATH_MAX], path[PATH_MAX];
    struct mw_error error = {0};

    if (!gate->users || mw_server_state_dir(server, dir, sizeof dir, NULL) < 0 ||
        (size_t)snprintf(path, sizeof path, "%s/sessions", dir) >= sizeof path)
        return;
    if (!server->settings.values[SETTING_KEEP_SESSIONS].flag) {
        (void)unlink(path); /* of a run that kept them: a later one is not to believe in what is older than this one */
        return;
    }
    gate->sessions_path = mw_copy_text(path);
    if (sessions_load(&gate->sessions, path, mw_now_ns(), (int64_t)time(NULL), &error) < 0)
        log_at(&server->log, MW_LOG_WARNING, "sessions of before: %s", error.text);
    atomic_store(&gate->session_count, gate->sessions.count);
}

static void save_sessions(mw_server *server)
{
    struct gate *gate = &server->gate;
    struct mw_error error = {0};

    if (gate->sessions_path && gate->sessions.count > 0 &&
        sessions_save(&gate->sessions, gate->sessions_path, mw_now_ns(), (int64_t)time(NULL), &error) < 0)
        log_at(&server->log, MW_LOG_WARNING, "sessions end: %s", error.text);
    mw_free(gate->sessions_path);
    gate->sessions_path = NULL;
}

int gate_open(mw_server *server, struct mw_error *ret_error)
{
    const struct sessions_limits limits = {.idle_ns = (int64_t)limit_of(server, EDGE_LIMIT_SESSION_IDLE) * MS_NS,
                                           .absolute_ns = (int64_t)limit_of(server, EDGE_LIMIT_SESSION_LIFE) * MS_NS,
                                           .per_user = limit_of(server, EDGE_LIMIT_SESSIONS_PER_USER),
                                           .most = limit_of(server, EDGE_LIMIT_SESSIONS)};
    int err = open_users(server, &server->gate.users, ret_error);

    sessions_init(&server->gate.sessions, &limits);
    if (err == 0)
        load_sessions(server);
    if (err == 0 && requires_login(server) && mw_users_count(server->gate.users) == 0)
        log_at(&server->log, MW_LOG_WARNING, "an app requires a login, and there is nobody who could: meshwork user add NAME");
    return err;
}

static bool is_role_of_an_app(const mw_server *server, const char *name)
{
    size_t i;

    for (i = 0; i < server->app_count; i++)
        if (mounted_has_role(server->apps[i], name))
            return true;
    return false;
}

static void tell_stray_roles(mw_server *server, const mw_users *users)
{
    const size_t count = users ? mw_users_count(users) : 0;
    mw_value told = mw_map_new();
    size_t i, k;

    for (i = 0; i < count; i++) {
        const mw_user *user = mw_users_at(users, i);

        for (k = 0; k < user->role_count; k++)
            if (!is_role_of_an_app(server, user->roles[k]) && !mw_map_get(told, user->roles[k])) {
                (void)mw_map_set(&told, user->roles[k], mw_null()); /* out of memory: it is said again */
                log_at(&server->log, MW_LOG_WARNING, "user '%s' has the role '%s', which gives nothing: no app here has [role %s] in its app.ini",
                       user->name, user->roles[k], user->roles[k]);
            }
    }
    mw_release(told);
}

void gate_tell_stray_roles(mw_server *server)
{
    gate_lock(&server->gate);
    gate_look_at_users(server); /* nobody may have come since they were changed */
    tell_stray_roles(server, server->gate.users);
    gate_unlock(&server->gate);
}

int gate_check(mw_server *server, struct mw_error *ret_error)
{
    mw_users *users = NULL;
    int err = open_users(server, &users, ret_error);

    tell_stray_roles(server, users);
    mw_users_free(users);
    return err;
}

void gate_close(mw_server *server)
{
    save_sessions(server);
    mw_users_free(server->gate.users);
    sessions_clear(&server->gate.sessions);
    attempts_clear(&server->gate.attempts);
    server->gate.users = NULL;
}

void gate_free(struct gate *gate)
{
    (void)pthread_mutex_destroy(&gate->lock);
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

void gate_address(const mw_server *server, const struct edge_request *request, char ret_address[GATE_ADDRESS_BYTES])
{
    proxies_address(&server->proxies, request, ret_address);
}

void gate_tell_of_proxy(mw_server *server, const struct edge_request *request)
{
    static const char *const near[] = {"127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"};
    struct network network;
    uint8_t address[16];
    bool is_near = false;
    size_t i;

    if (atomic_load_explicit(&server->has_told_of_proxy, memory_order_relaxed) || !edge_request_field(request, "X-Forwarded-For") ||
        proxies_sent(&server->proxies, request) || !address_parse(request->peer, address))
        return;
    for (i = 0; !is_near && i < MW_COUNT(near); i++)
        is_near = network_parse(near[i], &network) && network_has(&network, address);
    if (!is_near || atomic_exchange(&server->has_told_of_proxy, true))
        return;
    log_line(&server->log, "%s sends X-Forwarded-For, and is not believed: if it is your proxy, say --trusted-proxy %s; until then "
             "all who come through it share its address, and the limits per address", request->peer,
             request->is_loopback ? "loopback" : request->peer);
}

static bool is_secure(const mw_server *server, const struct edge_request *request)
{
    const char *scheme = proxies_sent(&server->proxies, request) ? proxies_last_word(request, "X-Forwarded-Proto") : NULL;

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

/* The Set-Cookie line of a session, or (secret NULL) of its end. */
static void print_cookie(const mw_server *server, const struct edge_request *request, const char *secret, char *ret_line, size_t room)
{
    char scratch[GATE_COOKIE_BYTES];

    (void)snprintf(ret_line, room, "Set-Cookie: %s=%s; Path=/; HttpOnly; SameSite=Strict%s%s\r\n",
                   cookie_name(server, request, scratch), secret ? secret : "", secret ? "" : "; Max-Age=0",
                   is_secure(server, request) ? "; Secure" : "");
}

/* ---- who it is ------------------------------------------------------------------------------------------------- */

/* One block, which nobody changes: its password hash stays where it is. NULL: out of memory */
static mw_user *copy_user(const mw_user *user)
{
    size_t name_bytes = strlen(user->name) + 1, bytes = sizeof *user + name_bytes + (user->role_count + 1) * sizeof(char *), i;
    const char **roles;
    mw_user *copy;
    char *at;

    for (i = 0; i < user->role_count; i++)
        bytes += strlen(user->roles[i]) + 1;
    copy = mw_alloc(bytes);
    if (!copy)
        return NULL;
    roles = (const char **)(void *)(copy + 1);
    at = (char *)&roles[user->role_count + 1];
    *copy = (mw_user){.name = memcpy(at, user->name, name_bytes), .roles = roles, .role_count = user->role_count, .since = user->since};
    at += name_bytes;
    for (i = 0; i < user->role_count; i++) {
        size_t role_bytes = strlen(user->roles[i]) + 1;

        roles[i] = memcpy(at, user->roles[i], role_bytes);
        at += role_bytes;
    }
    roles[i] = NULL;
    return copy;
}

static int by_token(mw_server *server, const char *field, struct guest *ret)
{
    const char *shown = credentials_bearer(field);
    int64_t now_s = (int64_t)time(NULL);
    mw_token token = {0};
    const mw_user *user;

    gate_look_at_users(server);
    user = shown ? mw_users_by_token(server->gate.users, shown, now_s, &token) : NULL;
    if (!user)
        return -EACCES;
    ret->user = copy_user(user);
    if (!ret->user)
        return -ENOMEM;
    ret->until_ns = mw_now_ns() + (token.ends_s - now_s) * SECOND_NS;
    (void)snprintf(ret->token, sizeof ret->token, "%s", token.id);
    return 0;
}

/* A session that has ended leaves its browser anonymous: it can log in again. */
static int by_cookie(mw_server *server, const struct edge_request *request, struct guest *ret)
{
    const char *cookies = edge_request_field(request, "Cookie");
    char scratch[GATE_COOKIE_BYTES], secret[SESSION_SECRET_BYTES];
    const struct session *session;
    const mw_user *user;
    int64_t now_ns;

    if (!cookies || !credentials_cookie(cookies, cookie_name(server, request, scratch), sizeof secret - 1, secret))
        return 0;
    gate_look_at_users(server);
    now_ns = mw_now_ns();
    session = sessions_find(&server->gate.sessions, secret, now_ns);
    user = session ? mw_users_find(server->gate.users, session->user) : NULL;
    if (!user || user->since != session->since)
        return 0;
    ret->user = copy_user(user);
    if (!ret->user)
        return -ENOMEM;
    ret->key = session->key;
    ret->has_session = true;
    sessions_use(&server->gate.sessions, &ret->key, now_ns);
    return 0;
}

/* With the lock. Who shows nothing is nobody, whatever the file of users says: it is not looked at then. */
static int identify(mw_server *server, const struct edge_request *request, struct guest *ret)
{
    const struct setting_value *header = &server->settings.values[SETTING_PROXY_USER_HEADER];
    const char *bearer = edge_request_field(request, "Authorization"), *name;
    const mw_user *user;

    name = header->text_count > 0 && proxies_sent(&server->proxies, request) ? edge_request_field(request, header->texts[0]) : NULL;
    if (name && name != edge_request_field_before(request, header->texts[0], NULL))
        return -EACCES; /* twice: one of them is the client's own */
    if (name) {
        gate_look_at_users(server);
        user = mw_users_find(server->gate.users, name);
        ret->user = user ? copy_user(user) : NULL;
        return ret->user ? 0 : user ? -ENOMEM : -EACCES;
    }
    return bearer ? by_token(server, bearer, ret) : by_cookie(server, request, ret);
}

int gate_identify(mw_server *server, const struct edge_request *request, struct guest *ret)
{
    int err;

    *ret = (struct guest){.until_ns = MW_FOREVER, .is_local = server->is_dev && gate_is_local(request)};
    if (!server->gate.users)
        return 0;
    gate_lock(&server->gate);
    err = identify(server, request, ret);
    gate_unlock(&server->gate);
    return err;
}

void guest_clear(struct guest *guest)
{
    mw_free(guest->user);
    guest->user = NULL;
}

int gate_user(mw_server *server, const char *name, mw_user **ret)
{
    const mw_user *found;
    mw_user *copy;

    if (!server->gate.users)
        return -ENOENT;
    gate_lock(&server->gate);
    found = mw_users_find(server->gate.users, name);
    copy = found ? copy_user(found) : NULL;
    gate_unlock(&server->gate);
    if (!copy)
        return found ? -ENOMEM : -ENOENT; /* a pointer that is compared only */
    *ret = copy;
    return 0;
}

struct app_identity gate_identity(struct reactor *r, const struct mounted *m, const mw_user *user, bool is_local)
{
    const char **names = r->role_names;
    size_t count = 0, i;

    if (!user)
        names[count++] = "anonymous";
    for (i = 0; user && i < user->role_count && i < MW_USER_ROLES_MOST; i++)
        names[count++] = user->roles[i];
    if (is_local && app_has_role(r->apps[m->index], "local"))
        names[count++] = "local";
    return (struct app_identity){.user = user ? user->name : NULL, .roles = names, .role_count = count};
}

int gate_find(void *context, const char *user, struct app_identity *ret)
{
    struct reactor *r = context;
    int err;

    mw_free(r->found);
    r->found = NULL;
    err = gate_user(r->server, user, &r->found);
    if (err < 0)
        return err;
    *ret = (struct app_identity){.user = r->found->name, .roles = r->found->roles, .role_count = r->found->role_count};
    return 0;
}

/* ---- sessions ---------------------------------------------------------------------------------------------------- */

static void end_session(struct gate *gate, const struct session_key *key)
{
    gate_lock(gate);
    sessions_close(&gate->sessions, key);
    atomic_store(&gate->session_count, gate->sessions.count);
    gate_unlock(gate);
}

uint64_t gate_limit_hits(mw_server *server, enum edge_limit limit)
{
    struct gate *gate = &server->gate;
    uint64_t hits = 0;

    gate_lock(gate);
    if (limit == EDGE_LIMIT_LOGINS_PER_USER)
        hits = gate->attempts.put_off_of_user;
    else if (limit == EDGE_LIMIT_LOGINS_PER_IP)
        hits = gate->attempts.put_off_of_address;
    else if (limit == EDGE_LIMIT_SESSIONS_PER_USER)
        hits = gate->sessions.pushed_out_of_user;
    else if (limit == EDGE_LIMIT_SESSIONS)
        hits = gate->sessions.pushed_out_of_all;
    gate_unlock(gate);
    return hits;
}

int gate_open_session(mw_server *server, const struct edge_request *request, const mw_user *user, char *ret_line, size_t room)
{
    struct gate *gate = &server->gate;
    char secret[SESSION_SECRET_BYTES];
    struct session_key key;
    struct guest before;
    int err;

    if (gate_identify(server, request, &before) == 0 && before.has_session)
        end_session(gate, &before.key);
    guest_clear(&before);
    gate_lock(gate);
    err = sessions_open(&gate->sessions, user->name, user->since, mw_now_ns(), secret, &key);
    atomic_store(&gate->session_count, gate->sessions.count);
    gate_unlock(gate);
    if (err == 0)
        print_cookie(server, request, secret, ret_line, room);
    return err;
}

void gate_end_session(mw_server *server, const struct edge_request *request, char *ret_line, size_t room)
{
    struct guest guest;

    if (gate_identify(server, request, &guest) == 0 && guest.has_session) {
        char address[GATE_ADDRESS_BYTES];

        gate_address(server, request, address);
        audit_write(&server->audit, "logout", (struct audit_fact[]){{.key = "user", .text = guest.user->name},
                    {.key = "peer", .text = address}}, 2);
        end_session(&server->gate, &guest.key);
        workers_look_at_guests(server); /* its connections go in this turn */
    }
    guest_clear(&guest);
    print_cookie(server, request, NULL, ret_line, room);
}
