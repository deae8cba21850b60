/* Logins: a name and a password are judged on another thread, few at a time, and what waits is told the outcome.
 * Not who is in; that is gate.h. Read next: login.c, then route_login.c for those that come by POST.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_LOGIN_H
#define SERVER_LOGIN_H

#include "server/server_priv.h"

/* One that is under way. */
struct login {
    struct mw_link link;        /* in gate.logins while it waits for its turn */
    struct reactor *reactor;    /* on which it is judged, and told */
    struct poller_job *job;     /* judges it; NULL once its turn has come */
    struct edge_later later;    /* by POST: the request that waits */
    struct bridge *bridge;      /* by the method: the connection that waits; NULL: by POST, or it has gone */
    bool is_by_post;
    bool is_right;
    int64_t since;              /* of the password that it was judged by */
    char user[MW_USER_NAME_BYTES + 1], address[GATE_ADDRESS_BYTES];
    char password[MW_PASSWORD_MOST_BYTES + 2]; /* cut behind the longest: longer ones are wrong */
    char hash[MW_PASSWORD_HASH_BYTES]; /* "": there is no such user */
};

/* Begin one.
 * ret          it ends by edge_later_done for a POST, whose hook then calls login_free; by the method it ends by itself
 * ret_wait_ns  how long to wait before the next try, where it is put off
 * returns      0; -EAGAIN too many tries; -EBUSY too many wait to be judged; -ENOTSUP there are no users; -ENOMEM; ret_error has text for people */
int login_begin(struct reactor *r, const char *user, const char *password, const char *address, struct bridge *bridge,
                struct login **ret, int64_t *ret_wait_ns, struct mw_error *ret_error);
void login_free(struct login *login);
/* Start those of a reactor whose turn has come: once per pass. */
void login_start(struct reactor *r);
/* Drop those of a reactor that still wait: nobody will be told. */
void login_forget(struct reactor *r);
/* The user who is in, where it was right and still is.
 * ret      owned: mw_free
 * returns  0; -EACCES nobody; -ENOMEM */
int login_user(const struct login *login, mw_user **ret);
/* What is said where it did not come to a login. */
const char *login_reason(int err);

/* app_options.login; context is a reactor, connection a bridge. */
int login_by_method(void *context, void *connection, const char *user, const char *password, struct mw_error *ret_error);

#endif
