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

void login_free(struct login *login)
{
    OPENSSL_cleanse(login->password, sizeof login->password);
    poller_job_free(login->job);
    mw_free(login);
}

int login_user(const struct login *login, mw_user **ret)
{
    mw_user *user = NULL;
    int err = login->is_right ? gate_user(login->reactor->server, login->user, &user) : -EACCES;

    if (err == 0 && user->since == login->since) {
        *ret = user;
        return 0;
    }
    mw_free(user);
    return err == -ENOMEM ? err : -EACCES;
}

/* Whoever reads that the password is wrong sets a new one, or gives up: that is said only where it is so. */
const char *login_reason(int err)
{
    return err == -EACCES ? "wrong name or password" : "out of memory: try again";
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
    mw_user *user = NULL;
    int err = login_user(login, &user);

    if (bridge)
        bridge_logged_in(bridge, user, err, login_reason(err));
    mw_free(user);
    login_free(login);
}

static void judged(void *context)
{
    struct login *login = context;
    struct reactor *r = login->reactor;
    mw_server *server = r->server;
    struct gate *gate = &server->gate;
    bool is_right = login->is_right;

    r->host.works--;
    OPENSSL_cleanse(login->password, sizeof login->password);
    gate_lock(gate);
    gate->working--;
    attempts_done(&gate->attempts, login->user, login->address, mw_now_ns(), is_right);
    if (is_right)
        gate->right++;
    else
        gate->wrong++;
    gate_unlock(gate);
    audit_write(&server->audit, "login", (struct audit_fact[]){{.key = "user", .text = login->user}, {.key = "peer", .text = login->address},
                {.key = "outcome", .text = is_right ? "right" : "wrong"}}, 3);
    log_at(&server->log, is_right ? MW_LOG_INFO : MW_LOG_NOTICE, "login of '%s' from %s: %s", login->user, login->address,
           is_right ? "right" : "wrong");
    if (!login->is_by_post)
        tell_bridge(login);
    else if (login->later.connection)
        edge_later_done(&login->later);
    else
        login_free(login);
    login_start(r);
}

/* The first that waits for this reactor; NULL: none. With the lock. */
static struct login *first_of(struct gate *gate, const struct reactor *r)
{
    struct mw_link *at;

    for (at = gate->logins.head.next; at != &gate->logins.head; at = at->next)
        if (MW_CONTAINER_OF(at, struct login, link)->reactor == r)
            return MW_CONTAINER_OF(at, struct login, link);
    return NULL;
}

static struct login *take_one(struct reactor *r, bool must_have_room)
{
    struct gate *gate = &r->server->gate;
    struct login *login = NULL, *next = NULL;

    gate_lock(gate);
    if (!must_have_room || gate->working < AT_ONCE)
        login = first_of(gate, r);
    if (login) {
        mw_link_remove(&login->link);
        gate->waiting--;
        gate->working += must_have_room;
    }
    if (gate->working < AT_ONCE && !mw_list_is_empty(&gate->logins))
        next = MW_CONTAINER_OF(gate->logins.head.next, struct login, link);
    if (next && next->reactor != r) /* its poller is another thread's */
        reactor_wake(next->reactor);
    gate_unlock(gate);
    return login;
}

void login_start(struct reactor *r)
{
    struct login *login;

    if (atomic_load(&r->server->gate.waiting) == 0) /* as in nearly every pass */
        return;
    while ((login = take_one(r, true)) != NULL) {
        struct poller_job *job = login->job;

        login->job = NULL;
        r->host.works++;
        poller_job_start(job);
    }
}

void login_forget(struct reactor *r)
{
    struct login *login;

    while ((login = take_one(r, false)) != NULL)
        login_free(login);
}

/* With the lock, as the next. */
static int refuse_busy(struct reactor *r, int64_t *ret_wait_ns, struct mw_error *ret_error)
{
    edge_count_hit(r->edge, EDGE_LIMIT_LOGIN_QUEUE);
    r->server->gate.put_off++;
    *ret_wait_ns = 5 * SECOND_NS;
    return mw_fail(ret_error, -EBUSY, "too many logins at once: try again in some seconds");
}

static int check_tries(struct reactor *r, const char *user, const char *address, bool is_loopback, int64_t *ret_wait_ns,
                       struct mw_error *ret_error)
{
    mw_server *server = r->server;
    const uint64_t *limits = server->settings.limits.value;
    bool counts = !is_loopback || server->settings.values[SETTING_PER_IP_LOOPBACK].flag;
    const struct attempts_limits tries = {.per_user = (uint32_t)limits[EDGE_LIMIT_LOGINS_PER_USER],
                                          .per_address = counts ? (uint32_t)limits[EDGE_LIMIT_LOGINS_PER_IP] : 0};
    int64_t wait_ns = attempts_try(&server->gate.attempts, &tries, user, address, mw_now_ns());

    if (wait_ns < 0)
        return mw_fail(ret_error, (int)wait_ns, "out of memory");
    if (wait_ns == 0)
        return 0;
    server->gate.put_off++;
    *ret_wait_ns = wait_ns;
    return mw_fail(ret_error, -EAGAIN, "too many tries: try again in %" PRId64 " s", (wait_ns + SECOND_NS - 1) / SECOND_NS);
}

/* Put one in the queue. With the lock. */
static void enqueue(struct login *login)
{
    struct gate *gate = &login->reactor->server->gate;
    const mw_user *known;

    gate_look_at_users(login->reactor->server);
    known = mw_users_find(gate->users, login->user);
    if (known) {
        login->since = known->since;
        (void)snprintf(login->hash, sizeof login->hash, "%s", known->password_hash ? known->password_hash : "");
    }
    gate->waiting++;
    mw_list_push_back(&gate->logins, &login->link);
}

int login_begin(struct reactor *r, const char *user, const char *password, const char *address, struct bridge *bridge,
                struct login **ret, int64_t *ret_wait_ns, struct mw_error *ret_error)
{
    bool is_loopback = strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
    struct gate *gate = &r->server->gate;
    struct login *login;
    int err;

    *ret_wait_ns = 0;
    if (!gate->users)
        return mw_fail(ret_error, -ENOTSUP, "this server has no users");
    gate_lock(gate);
    if (gate->waiting >= r->server->settings.limits.value[EDGE_LIMIT_LOGIN_QUEUE])
        err = refuse_busy(r, ret_wait_ns, ret_error);
    else
        err = check_tries(r, user, address, is_loopback, ret_wait_ns, ret_error);
    gate_unlock(gate);
    if (err < 0)
        return err;
    login = mw_alloc_zeroed(1, sizeof *login);
    if (!login || poller_job_new(r->poller, judge, judged, login, &login->job) < 0) { /* now: later there is nobody to tell */
        mw_free(login);
        return mw_fail(ret_error, -ENOMEM, "out of memory");
    }
    login->reactor = r;
    login->bridge = bridge;
    login->is_by_post = !bridge;
    (void)snprintf(login->user, sizeof login->user, "%s", user);
    (void)snprintf(login->address, sizeof login->address, "%s", address);
    (void)snprintf(login->password, sizeof login->password, "%s", password);
    gate_lock(gate);
    enqueue(login);
    gate_unlock(gate);
    login_start(r);
    *ret = login;
    return 0;
}

int login_by_method(void *context, void *connection, const char *user, const char *password, struct mw_error *ret_error)
{
    struct bridge *bridge = connection;
    struct bridge_more *more;
    int64_t wait_ns;

    if (bridge->is_overheard)
        return mw_fail(ret_error, -EACCES, "not over plain HTTP from another machine: everyone on the way could read the password");
    more = bridge_more_of(bridge);
    if (!more)
        return mw_fail(ret_error, -ENOMEM, "out of memory");
    return login_begin(context, user, password, bridge_address(bridge), bridge, &more->login, &wait_ns, ret_error);
}
