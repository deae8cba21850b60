/* The gate: who a request is from, by cookie, bearer token or trusted proxy; who is logged in; who may not be any more.
 * Not how a password gets here; that is login.c. Not what a user may do; that is the app's. Read next: gate.c, login.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_GATE_H
#define SERVER_GATE_H

#include <meshwork/server.h>
#include <meshwork/users.h>
#include <pthread.h>
#include <stdatomic.h>

#include "app/mount.h"
#include "base/list.h"
#include "edge/edge.h"
#include "users/attempts.h"
#include "users/sessions.h"

struct mounted;
struct bridge;
struct reactor;

enum { GATE_COOKIE_BYTES = 32, GATE_ADDRESS_BYTES = 64 };

/* Of one server; zeroed, gate_init, then gate_open. Every thread of the server comes here: whatever touches what is below has the lock. No
 * app is called with it. */
struct gate {
    pthread_mutex_t lock;
    mw_users *users;          /* NULL: nobody can log in; which of the two does not change while the server runs */
    char *sessions_path;              /* where sessions lie between two runs; NULL: nowhere */
    struct sessions sessions;
    struct attempts attempts;
    struct mw_list logins;    /* waiting for their turn */
    atomic_size_t waiting;    /* how many; changed with the lock */
    size_t working;
    atomic_size_t session_count; /* of sessions; changed with the lock */
    struct mw_list strangers; /* bridges that have yet to log in, and have to */
    uint64_t right, wrong, put_off; /* logins */
    uint64_t revoked, dropped; /* connections closed because a right to be there ended; too slow when rights were lost */
};

/* Who a request is from: guest_clear. */
struct guest {
    mw_user *user;            /* owned: as the gate knew it; NULL: has not logged in */
    struct session_key key;
    bool has_session;
    bool is_local;            /* with --dev, a program of this machine without a proxy */
    char token[MW_TOKEN_ID_BYTES]; /* id of the token that it showed; "": none */
    int64_t until_ns;         /* of mw_now_ns: what it showed ends then; MW_FOREVER: no time is set */
};

void guest_clear(struct guest *guest);

void gate_init(struct gate *gate);
static inline void gate_lock(struct gate *gate)
{
    (void)pthread_mutex_lock(&gate->lock); /* of the usual kind and initialised: neither fails */
}
static inline void gate_unlock(struct gate *gate)
{
    (void)pthread_mutex_unlock(&gate->lock);
}
/* Open the users of the state directory. 0; negative: a broken file and the like, with ret_error */
int gate_open(mw_server *server, struct mw_error *ret_error);
/* Say of each role that users have and no app.ini does, once: nobody but who mistyped it would know why a user may do nothing. On the server's own
 * thread. */
void gate_tell_stray_roles(mw_server *server);
/* Whether users and their directory are in order, without taking them; says the same of their roles. */
int gate_check(mw_server *server, struct mw_error *ret_error);
void gate_close(mw_server *server); /* no login works any more, until gate_open */
void gate_free(struct gate *gate);

/* What the command line has changed meanwhile holds from now on. With the lock. */
void gate_look_at_users(mw_server *server);
/* ret      guest_clear, also where it failed
 * returns  0; -EACCES it shows a token or a proxy's word that is not good; -ENOMEM */
int gate_identify(mw_server *server, const struct edge_request *request, struct guest *ret);
/* Who has this name.
 * ret      a copy: mw_free
 * returns  0; -ENOENT nobody; -ENOMEM */
int gate_user(mw_server *server, const char *name, mw_user **ret);
/* As apps see it; what is in it is lent until this reactor asks again. user NULL: anonymous */
struct app_identity gate_identity(struct reactor *r, const struct mounted *m, const mw_user *user, bool is_local);
/* app_options.identify; context is a reactor. */
int gate_find(void *context, const char *user, struct app_identity *ret);
/* A program of this machine, with no proxy in front: who is behind one shows only by what it adds. */
bool gate_is_local(const struct edge_request *request);
/* Whether what a browser keeps for us can be read along on its way: plain HTTP from elsewhere. */
bool gate_is_overheard(const mw_server *server, const struct edge_request *request);
/* Say once that a proxy seems to stand in front which is not believed: then all who come through it have one address. */
void gate_tell_of_proxy(mw_server *server, const struct edge_request *request);
/* From where a request comes, also through a trusted proxy. */
void gate_address(const mw_server *server, const struct edge_request *request, char ret_address[GATE_ADDRESS_BYTES]);

/* How often a limit was reached that is judged here, whichever thread asked: those of tries at logging in and of sessions. 0 of others. */
uint64_t gate_limit_hits(mw_server *server, enum edge_limit limit);
/* A new session for who has logged in, in place of the one that the request shows, if any: a secret that was there before the login is
 * worth nothing afterwards.
 * ret_line  its Set-Cookie line
 * returns   0; -ENOMEM */
int gate_open_session(mw_server *server, const struct edge_request *request, const mw_user *user, char *ret_line, size_t room);
/* End the session that a request shows, if any, with its connections. ret_line: the Set-Cookie line that has it forgotten */
void gate_end_session(mw_server *server, const struct edge_request *request, char *ret_line, size_t room);

/* A bridge comes, has logged in or goes: whether the gate looks at it from now on. */
void gate_enter(struct bridge *bridge);
void gate_leave(struct bridge *bridge);
/* Whether as many from where this request comes have yet to log in as may. */
bool gate_is_one_too_many(struct reactor *r, const struct edge_request *request);
/* Close those of a reactor who have yet to log in: when memory runs short. returns how many */
uint64_t gate_close_strangers(struct reactor *r);
/* Once per pass of a reactor: look at the users' file, close who may not be here any more, tell who has other roles.
 * returns when to look again; MW_FOREVER: nobody is here whom it is about */
int64_t gate_turn(struct reactor *r, int64_t now_ns);
#endif
