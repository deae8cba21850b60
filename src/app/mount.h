/* A mounted app, seen from the server: clients come, messages go in, answers come out through a sink.
 * Knows no socket; the server joins it to the edge. Read next: app.c, then protocol.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_MOUNT_H
#define APP_MOUNT_H

#include <meshwork/app.h>

#include "base/buffer.h"

/* What a role may do beside attributes, commands and channels: the words of its `grants`, as bits. */
enum app_grant {
    APP_GRANT_EXPLAIN = 1,
    APP_GRANT_LIST_NAMES = 2,
    APP_GRANT_MESH_VIEW = 4,
    APP_GRANT_MESH_STEP = 8,
    APP_GRANT_MESH_REWIRE = 16,
    APP_GRANT_USERS = 32,
};

/* A role of app.ini: which policies its holders have. */
struct app_role {
    const char *name;
    const char *const *policies; /* names; "marked" stands for the attributes' own marks */
    size_t policy_count;
    unsigned grants;             /* enum app_grant bits */
};

/* What app.ini says about rights. */
struct app_policies {
    mw_policy **policies;         /* taken, but for the array, in any case */
    size_t policy_count;
    const struct app_role *roles; /* borrowed during the call */
    size_t role_count;
};

/* Who a client is. */
struct app_identity {
    const char *user;          /* NULL: has not logged in */
    const char *const *roles;  /* names; one that the app does not know gives nothing */
    size_t role_count;
};

/* What a client did, or was denied: for the audit log. All borrowed during the call. */
struct app_deed {
    const char *app, *user;    /* user NULL: has not logged in */
    const char *method;        /* "getAttr", "setAttr", "watch", "call", "send", "explain" */
    const char *name;          /* of the attribute, command or tasklet; not terminated */
    size_t name_bytes;
    const char *decision;      /* the id of a denial, which its answer had; NULL: it was done: a set, a call, an item queued */
    void *connection;          /* of its sink; NULL: by POST */
};

/* What an app bounds, and by default. */
#define APP_LIMITS(X)                                                                                    \
    X(CLIENT_WATCHES, 10000) /* of one client */                                                         \
    X(WATCHES, 1000000)      /* of all clients of the app */                                             \
    X(GLOBS, 64)             /* of one request */                                                        \
    X(BATCH, 64)             /* requests in one batch */                                                 \
    X(JSON_DEPTH, 64)        /* of a message, as struct mw_json_limits has them */                       \
    X(JSON_TOKENS, 65536)                                                                                \
    X(JSON_KEYS, 4096)
enum app_limit {
#define X(id, value) APP_LIMIT_##id,
    APP_LIMITS(X)
#undef X
    APP_LIMIT_COUNT
};

struct app_options {
    const char *name;          /* of the mount: the folder's name or app.ini's; copied */
    const mw_app *descriptor;  /* NULL: an app of files alone, whose clients are answered but reach nothing */
    struct app_policies policies;
    bool require_login;        /* who has not logged in reaches nothing, and the back end does not hear of it */
    /* The method `login`: judge a password. The answer comes by app_client_login_done, not before this has returned, unless
     * the connection has gone by then. NULL: there are no users.
     * connection  of the sink
     * returns     0; negative: not now, with ret_error saying why and when */
    int (*login)(void *context, void *connection, const char *user, const char *password, struct mw_error *ret_error);
    /* Where a client comes from, and what stood behind the '?' of its URL. Borrowed until asked again; "": nothing. NULL: nobody knows
     * connection  of the sink; NULL: of the request by POST that is being answered */
    const char *(*address)(void *context, void *connection);
    const char *(*query)(void *context, void *connection); /* not by POST */
    void (*audit)(void *context, const struct app_deed *borrows); /* NULL: nobody wants to know */
    /* For the method `explain`: who a user is. ret is lent until the next call.
     * returns  0; -ENOENT there is no such user; -ENOMEM. NULL: there are none */
    int (*identify)(void *context, const char *user, struct app_identity *ret);
    size_t message_bytes;      /* said in hello */
    size_t messages_per_s;
    int64_t ping_s;
    size_t limits[APP_LIMIT_COUNT]; /* 0: the default */
    void (*limit_hit)(void *context, enum app_limit limit); /* one was reached, and what asked for more refused; may be NULL */
    /* So many steps are being done for the client that is heard just now, where they are many: a step is about as long as looking up a
     * name. What more it asks for may then wait for others. NULL: nobody waits */
    void (*worked)(void *context, size_t steps);
    /* Whether more clients may be told of changes in this turn. NULL: all may */
    bool (*has_room)(void *context);
    void (*wake)(void *context); /* the app has become ready: call app_turn soon; may be NULL */
    void (*log)(void *context, const char *line); /* a failed body, a failed callback; may be NULL */
    void *context;
    struct app_together *together; /* borrowed; NULL: it stands for itself */
    void *host;                /* who runs the meshes, for mw_read and its like (runtime/host.h); NULL: they give -ENOTSUP */
    void (*random)(void *context, void *ret_bytes, size_t byte_count); /* NULL: the kernel's; tests script it */
};

/* What several apps have together that stand for one, each on a thread of its own. */
struct app_together;
struct app_together *app_together_new(void); /* NULL: out of memory */
void app_together_free(struct app_together *together); /* no app uses it any more; accepts NULL */

struct app;
/* Open the back end: state, mesh, `open` callback. 0; negative with ret_error. */
int app_open(const struct app_options *options, struct app **ret, struct mw_error *ret_error);
/* Disconnect every client (without touching their sinks), run `close`, free. Accepts NULL. Not inside a callback of it. */
void app_free(struct app *app);
const char *app_name(const struct app *app);
enum mw_instance_mode app_instance_mode(const struct app *app);

/* How messages leave. The connection is the server's; it outlives the client or says so by app_client_closed. */
struct app_sink {
    /* Queue one message; none of the app's callbacks comes from inside. 0, -EPIPE gone, -ENOBUFS over the hard limit
     * (the connection is then being closed). */
    int (*send)(void *connection, enum mw_frame kind, const void *borrows, size_t byte_count);
    /* The same for bytes that many share: text or bytes, a reference is made where that is cheaper than a copy. */
    int (*send_shared)(void *connection, enum mw_frame kind, mw_value borrows);
    void (*close)(void *connection, int code, const char *reason);
    /* Whether its reader is so slow that `changed` should wait for it; it then gets only the newest values. Call
     * app_client_drained when that is over. NULL: never. */
    bool (*is_behind)(void *connection);
    /* It has been told other rights: what was queued before may be more than it may see now. NULL: nobody cares */
    void (*rights_changed)(void *connection);
};

enum app_manner { APP_MANNER_V1, APP_MANNER_PLAIN };

/* Other policies and roles hold from now on: clients are told of their rights. Not inside a callback of the app.
 * returns 0; negative with ret_error: those before still hold */
int app_set_policies(struct app *app, const struct app_policies *takes, struct mw_error *ret_error);
/* Whether app.ini has a role of this name. */
bool app_has_role(const struct app *app, const char *name);
const char *app_role_at(const struct app *app, size_t index); /* `anonymous` is among them; NULL past the end */

/* What the policies of somebody's roles say of a name, without a client: for tools. */
enum app_outcome { APP_DENIED, APP_ALLOWED, APP_DEPENDS /* on a predicate */ };
/* right  one enum mw_right bit
 * ret_trail  as of mw_view_explain, in an instance that is open; returned owned; may be NULL
 * returns    an enum app_outcome; -ENOENT no instance is open; -ENOMEM */
int app_explain(struct app *app, const struct app_identity *who, int right, const char *name, size_t name_bytes,
                mw_value *ret_trail);

/* A client has connected: runs `connect`, says hello in v1. Where it has to log in first, `connect` waits for that.
 * sink     lives as long as the client
 * who      borrowed during the call; NULL: anonymous
 * returns  0; -EACCES the app refused (close 1008, its reason in ret_error); -EIO the instance of this user or client could
 *          not be opened (close 1011; said in the log); -EPIPE the connection ended meanwhile; -ENOMEM (1011) */
int app_client_open(struct app *app, enum app_manner manner, const struct app_sink *borrows, void *connection,
                    const struct app_identity *who, mw_client **ret, struct mw_error *ret_error);
/* A client is somebody else from now on, or has other roles: it is told its rights. In an app with an instance per user
 * another client takes its place, and is told hello. Not inside a callback of the app.
 * io_client  the client, then the one that took its place; NULL where that could not be opened
 * who        borrowed during the call; NULL: anonymous
 * returns    as app_client_open; with -ENOMEM where no other took its place it is who it was, and must be closed */
int app_client_identify(mw_client **io_client, const struct app_identity *who, struct mw_error *ret_error);
/* A client ends here, because its user's instance is in another app of those that stand for this one.
 * returns  what app_client_arrive wants to know there: returned owned, mw_release; null where it does not log in just now */
mw_value app_client_depart(mw_client *client);
/* The client that was opened in its place waits for the answer to `login` that the other one waited for.
 * takes_login  of app_client_depart. Without memory the client is being closed */
void app_client_arrive(mw_client *client, mw_value takes_login);
/* Answer the method `login` of this client, for which the host has meanwhile called app_client_identify.
 * err     0 it is in; -EACCES not; -EAGAIN too many tries, or too much to do
 * reason  for the front end; NULL: none */
void app_client_login_done(mw_client *client, int err, const char *reason);
/* One whole message. Answers go to the sink, perhaps before this returns. */
void app_client_message(mw_client *client, enum mw_frame kind, const void *borrows, size_t byte_count);
/* Its connection is no longer behind (app_sink.is_behind). */
void app_client_drained(mw_client *client);
/* The connection is gone: unwatch, run `disconnect`, free the client. */
void app_client_closed(mw_client *client);
/* Tell every client `bye` before a planned close. */
void app_say_bye(struct app *app, const char *reason);
/* Tell one client. */
void app_client_say_bye(mw_client *client, const char *reason);

/* POST _mw/rpc: one request or batch. who: as above. ret_answer: a text value, returned owned; null where
 * nothing is to be answered (notifications only). */
int app_rpc(struct app *app, const struct app_identity *who, const void *borrows, size_t byte_count, mw_value *ret_answer);

/* One loop pass: due ticks, a turn of the mesh, comparison of what is watched, `changed` to watchers.
 * returns true when more is ready at once */
bool app_turn(struct app *app, int64_t now_ns);
/* When the next tick is due: absolute monotonic ns, MW_FOREVER: never. */
int64_t app_next_deadline(const struct app *app);

/* Write what the tasklets of every instance are doing, as mw_scheduler_dump does. */
void app_dump(const struct app *app, int fd);

/* Whether further watches are refused (-32006) for now: the server is short of memory. */
void app_refuse_watches(struct app *app, bool is_refused);

/* Call each for the mesh of every instance; it changes none. */
void app_each_mesh(const struct app *app, void (*each)(void *context, const mw_scheduler *mesh), void *context);

/* Counters for metrics and tests. */
struct app_stats {
    uint64_t messages, requests, ignored_messages /* plain: unparsable or binary */, denied, broadcasts, body_failures;
    size_t clients, watches;
    size_t instances;
    uint64_t request_errors;   /* requests answered with an error */
    uint64_t changes_sent;     /* messages `changed` */
    uint64_t conflated;        /* changes passed over for slow readers, who were told how many */
    uint64_t ticks_skipped;    /* because the one before had not run, or the turn came late */
    uint64_t connects_refused; /* by `connect` */
    uint64_t unauthenticated;  /* requests before a login that is required */
    uint64_t opens_failed;     /* of an instance for a user or a client */
    uint64_t watches_refused;  /* over the limit of a client or of the app */
    uint64_t sends, sends_refused; /* items for exposed tasklets: queued; found no room or a closed one */
    uint64_t batches_refused;  /* of too many calls */
    uint64_t answers_too_large;
    uint64_t keys_forgotten;   /* idempotency keys pushed out before their time */
    uint64_t denials_forgotten; /* whose ids lead nowhere any more: pushed out by 1,024 later ones, or without memory */
    uint64_t unsent;           /* messages that found no memory or no room */
    uint64_t turns;            /* of its instances */
};
struct app_stats app_stats(const struct app *app);
void app_stats_add(struct app_stats *io, const struct app_stats *more);

#endif
