/* Judging passwords beside the loop.
 * SPDX-License-Identifier: MIT */
#include "server/login.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { AT_ONCE = 2 }; /* each takes 19 MiB and a processor */

#define SECOND_NS INT64_C(1000000000)

static void start_next(mw_server *server);

void login_free(struct login *login)
{
    OPENSSL_cleanse(login->password, sizeof login->password);
    poller_job_free(login->job);
    mw_free(login);
}

const mw_user *login_user(const struct login *login)
{
    const mw_user *user = login->is_right ? mw_users_find(login->server->gate.users, login->user) : NULL;

    return user && user->since == login->since ? user : NULL;
}

/* On another thread. */
static void judge(void *context)
{
    struct login *login = context;

    login->is_right = mw_password_matches(login->hash[0] ? login->hash : NULL, login->password);
}

static void tell_bridge(struct login *login)
{
    struct bridge *bridge = login->bridge;
    const mw_user *user = login_user(login);

    if (bridge)
        bridge_logged_in(bridge, user, user ? 0 : -EACCES, "wrong name or password");
    login_free(login);
}

static void judged(void *context)
{
    struct login *login = context;
    mw_server *server = login->server;
    bool is_right = login->is_right;

    server->host.works--;
    server->gate.working--;
    OPENSSL_cleanse(login->password, sizeof login->password);
    attempts_done(&server->gate.attempts, login->user, login->address, mw_now_ns(), is_right);
    audit_write(&server->audit, "login", (struct audit_fact[]){{.key = "user", .text = login->user}, {.key = "peer", .text = login->address},
                {.key = "outcome", .text = is_right ? "right" : "wrong"}}, 3);
    if (is_right)
        server->gate.right++;
    else
        server->gate.wrong++;
    log_at(&server->log, is_right ? MW_LOG_INFO : MW_LOG_NOTICE, "login of '%s' from %s: %s", login->user, login->address,
           is_right ? "right" : "wrong");
    if (!login->is_by_post)
        tell_bridge(login);
    else if (login->later.connection)
        edge_later_done(&login->later);
    else
        login_free(login);
    start_next(server);
}

static void start_next(mw_server *server)
{
    struct gate *gate = &server->gate;
    struct mw_link *link;

    while (gate->working < AT_ONCE && (link = mw_list_pop_front(&gate->logins)) != NULL) {
        struct login *login = MW_CONTAINER_OF(link, struct login, link);

        gate->waiting--;
        gate->working++;
        server->host.works++;
        poller_job_start(login->job);
        login->job = NULL;
    }
}

static int refuse_busy(mw_server *server, int64_t *ret_wait_ns, struct mw_error *ret_error)
{
    edge_count_hit(server->edge, EDGE_LIMIT_LOGIN_QUEUE);
    server->gate.put_off++;
    *ret_wait_ns = 5 * SECOND_NS;
    return mw_fail(ret_error, -EAGAIN, "too many logins at once: try again in some seconds");
}

static int check_tries(mw_server *server, const char *user, const char *address, bool is_loopback, int64_t *ret_wait_ns,
                       struct mw_error *ret_error)
{
    const uint64_t *limits = server->settings.limits.value;
    bool counts = !is_loopback || server->settings.values[SETTING_PER_IP_LOOPBACK].flag;
    const struct attempts_limits tries = {.per_user = (uint32_t)limits[EDGE_LIMIT_LOGINS_PER_USER],
                                          .per_address = counts ? (uint32_t)limits[EDGE_LIMIT_LOGINS_PER_IP] : 0};
    int64_t wait_ns = attempts_try(&server->gate.attempts, &tries, user, address, mw_now_ns());

    if (wait_ns < 0)
        return mw_fail(ret_error, (int)wait_ns, "out of memory");
    if (wait_ns == 0)
        return 0;
    edge_count_hit(server->edge, EDGE_LIMIT_LOGINS_PER_USER);
    server->gate.put_off++;
    *ret_wait_ns = wait_ns;
    return mw_fail(ret_error, -EAGAIN, "too many tries: try again in %" PRId64 " s", (wait_ns + SECOND_NS - 1) / SECOND_NS);
}

int login_begin(mw_server *server, const char *user, const char *password, const char *address, struct bridge *bridge,
                struct login **ret, int64_t *ret_wait_ns, struct mw_error *ret_error)
{
    bool is_loopback = strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
    const mw_user *known;
    struct login *login;
    int err;

    *ret_wait_ns = 0;
    if (!server->gate.users)
        return mw_fail(ret_error, -ENOTSUP, "this server has no users");
    if (server->gate.waiting >= server->settings.limits.value[EDGE_LIMIT_LOGIN_QUEUE])
        return refuse_busy(server, ret_wait_ns, ret_error);
    err = check_tries(server, user, address, is_loopback, ret_wait_ns, ret_error);
    if (err < 0)
        return err;
    login = mw_alloc_zeroed(1, sizeof *login);
    if (!login || poller_job_new(server->poller, judge, judged, login, &login->job) < 0) { /* now: later there is nobody to tell */
        mw_free(login);
        return mw_fail(ret_error, -ENOMEM, "out of memory");
    }
    login->server = server;
    login->bridge = bridge;
    login->is_by_post = !bridge;
    (void)snprintf(login->user, sizeof login->user, "%s", user);
    (void)snprintf(login->address, sizeof login->address, "%s", address);
    (void)snprintf(login->password, sizeof login->password, "%s", password);
    gate_look_at_users(server);
    known = mw_users_find(server->gate.users, user);
    if (known) {
        login->since = known->since;
        (void)snprintf(login->hash, sizeof login->hash, "%s", known->password_hash ? known->password_hash : "");
    }
    server->gate.waiting++;
    mw_list_push_back(&server->gate.logins, &login->link);
    start_next(server);
    *ret = login;
    return 0;
}

int login_by_method(void *context, void *connection, const char *user, const char *password, struct mw_error *ret_error)
{
    struct bridge *bridge = connection;
    int64_t wait_ns;

    if (bridge->is_overheard)
        return mw_fail(ret_error, -EACCES, "not over plain HTTP from another machine: everyone on the way could read the password");
    return login_begin(context, user, password, bridge->address, bridge, &bridge->login, &wait_ns, ret_error);
}
