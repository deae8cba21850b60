/* The gate: who a request is from, by cookie, bearer token or trusted proxy; who is logged in; who may not be any more.
 * Not how a password gets here; that is login.c. Not what a user may do; that is the app's. Read next: gate.c, login.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_GATE_H
#define SERVER_GATE_H

#include <meshwork/server.h>
#include <meshwork/users.h>

#include "app/mount.h"
#include "base/list.h"
#include "edge/edge.h"
#include "users/attempts.h"
#include "users/sessions.h"

struct mounted;
struct bridge;

enum { GATE_COOKIE_BYTES = 32, GATE_ADDRESS_BYTES = 64 };

/* Of one server; zeroed, then gate_open. */
struct gate {
    mw_users *users;          /* NULL: nobody can log in */
    struct sessions sessions;
    struct attempts attempts;
    struct mw_list logins;    /* waiting for their turn */
    size_t waiting, working;
    int64_t look_at_ns;       /* when to look at users and at who is logged in again */
    size_t guests;            /* bridges that a look is about: logged in, or yet to log in */
    const char *role_names[MW_USER_ROLES_MOST + 2]; /* lent by gate_identity */
    uint64_t right, wrong, put_off; /* logins */
    uint64_t revoked, dropped; /* connections closed because a right to be there ended; too slow when rights were lost */
};

/* Who a request is from. */
struct guest {
    const mw_user *user;      /* NULL: has not logged in; borrowed until the gate is asked again */
    struct session_key key;
    bool has_session;
    bool is_local;            /* with --dev, a program of this machine without a proxy */
    char token[MW_TOKEN_ID_BYTES]; /* id of the token that it showed; "": none */
    int64_t until_ns;         /* of mw_now_ns: what it showed ends then; MW_FOREVER: no time is set */
};

/* Open the users of the state directory. 0; negative: a broken file and the like, with ret_error */
int gate_open(mw_server *server, struct mw_error *ret_error);
/* Whether users and their directory are in order, without taking them. */
int gate_check(const mw_server *server, struct mw_error *ret_error);
void gate_close(mw_server *server); /* no login works any more */

/* What the command line has changed meanwhile holds from now on. */
void gate_look_at_users(mw_server *server);
/* returns 0; -EACCES it shows a token or a proxy's word that is not good */
int gate_identify(mw_server *server, const struct edge_request *request, struct guest *ret);
/* As apps see it; what is in it is lent until the gate is asked again. user NULL: anonymous */
struct app_identity gate_identity(mw_server *server, const struct mounted *m, const mw_user *user, bool is_local);
/* app_options.identify; context is the server. */
int gate_find(void *context, const char *user, struct app_identity *ret);
/* A program of this machine, with no proxy in front: who is behind one shows only by what it adds. */
bool gate_is_local(const struct edge_request *request);
/* Whether what a browser keeps for us can be read along on its way: plain HTTP from elsewhere. */
bool gate_is_overheard(const mw_server *server, const struct edge_request *request);
/* The Set-Cookie line of a session, or (secret NULL) of its end. */
void gate_print_cookie(const mw_server *server, const struct edge_request *request, const char *secret, char *ret_line,
                       size_t room);
/* From where a request comes, also through a trusted proxy. */
void gate_address(const mw_server *server, const struct edge_request *request, char ret_address[GATE_ADDRESS_BYTES]);

/* Close those who have yet to log in: when memory runs short. returns how many */
uint64_t gate_close_strangers(mw_server *server);
/* Once per pass: look at the users' file, close who may not be here any more, tell who has other roles.
 * returns when to look again; MW_FOREVER: nobody is here whom it is about */
int64_t gate_turn(mw_server *server, int64_t now_ns);

#endif
