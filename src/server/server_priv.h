/* What the files of this room share: the server, its mounted apps, the bridges from connections to clients.
 * Not the public face; that is meshwork/server.h. Read next: server.c, mounted.c, route.c, bridge.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_SERVER_PRIV_H
#define SERVER_SERVER_PRIV_H

#include <meshwork/server.h>
#include <stdatomic.h>

#include "app/mount.h"
#include "base/list.h"
#include "edge/edge.h"
#include "server/assets.h"
#include "server/audit.h"
#include "server/certificate.h"
#include "server/gate.h"
#include "server/log.h"
#include "server/proxies.h"
#include "server/reactor.h"
#include "server/token.h"
#include "server/workers.h"
#include "settings/hosts.h"
#include "settings/settings.h"

enum { SERVER_APPS_MAX = 64, SERVER_GIVEN_MAX = 8, MOUNTED_WS_PATHS_MAX = 16 };

/* What of an app is served as files; each may be kept by browsers for another time ([cache]). */
enum mounted_folder { MOUNTED_PAGE, MOUNTED_CSS, MOUNTED_JS, MOUNTED_IMAGES, MOUNTED_FONTS, MOUNTED_PUBLIC, MOUNTED_FOLDERS };
enum { MOUNTED_CACHE_BYTES = 48 };

enum { MOUNTED_HOMES = 2, MOUNTED_HEADERS = 7 };
/* ---- an app folder, or an app of the host's ------------------------------------------------------------ */
struct mounted {
    struct mw_server *server;
    size_t index;                 /* among the server's apps */
    char *name;                   /* app.ini's, else the folder's: what people read */
    char *folder;                 /* its part of the URL where there are several */
    char *dir;                    /* as it was given; NULL: no files */
    char *base;                   /* "/" or "/hello/"; NULL before the start */
    char *url;                    /* "" before the start */
    int root_fd;                  /* of dir; -1: none */
    struct ini_document *ini;     /* NULL: none */
    char *ini_path;               /* where it is, or would be; NULL: there is no folder */
    uint64_t ini_seen;            /* look_at_file's of it when it was read last */
    char *source_path;            /* of the app.c or app.so that runs; NULL: none */
    uint64_t source_seen;         /* look_at_file's of it before it was loaded, or when its change was said */
    char *ws_paths[MOUNTED_WS_PATHS_MAX]; /* further upgrade paths beneath base, without leading '/' */
    size_t ws_path_count;
    bool requires_login;
    char cache_control[MOUNTED_FOLDERS][MOUNTED_CACHE_BYTES]; /* as app.ini says; "": it says nothing */
    char *header_values[MOUNTED_HEADERS]; /* as app.ini says; NULL: it says nothing */
    char *headers;                /* of its pages and files */
    const mw_app *descriptor;     /* NULL: files alone */
    atomic_uint homes;            /* which home pages could be read, a bit for each ... */
    _Atomic int64_t homes_ns;     /* ... and when that was looked at; by whichever worker was asked first */
    bool has_page;                /* app.html or index.html was there when it was mounted */
    bool has_source;              /* app.c or app.so lies there and is to be used */
    struct app_together *together; /* of its apps on several reactors; NULL: it runs on the server's own alone */
    struct app *app;              /* where policies are all that is asked for; else NULL, and reactors have it */
    struct offline *offline;      /* its back end without code, where policies are all that is asked for; else NULL */
};

/* Read a folder: that it is one, what is in it, its app.ini. name NULL: from app.ini, else the folder's own.
 * returns 0, or why not, with the way out */
int mounted_new(struct mw_server *server, const char *name, const char *dir, const mw_app *descriptor,
                struct mounted **ret, struct mw_error *ret_error);
/* Compile and load the back end where there is one to be loaded. */
int mounted_load(struct mounted *m, struct mw_error *ret_error);
/* Judge its policies and roles, without opening it. */
int mounted_check(struct mounted *m, struct mw_error *ret_error);
/* ---- mounted_cache.c: [cache] */
const char *mounted_folder_name(enum mounted_folder folder); /* in [cache]; but for the page also in the file system */
int mounted_read_cache(struct mounted *m, const struct ini_entry *entry, struct mw_error *ret_error);
/* What answers with a file of that folder have for Cache-Control. Borrowed from m. */
const char *mounted_cache_control(const struct mounted *m, enum mounted_folder folder);

/* ---- mounted_headers.c: [headers] */
const char *mounted_header_key(size_t index);
const char *mounted_header_usual(size_t index); /* what is sent without it; NULL: nothing */
int mounted_read_header(struct mounted *m, const struct ini_entry *entry, struct mw_error *ret_error);
/* Once all of app.ini has been read. */
int mounted_make_headers(struct mounted *m, struct mw_error *ret_error);

/* Show what its [app], [cache] and [headers] say. */
void mounted_each_setting(const struct mounted *m, void (*each)(void *context, const mw_setting_state *state),
                          void *context);
/* Open the back end on a reactor: policies, state, mesh. */
int mounted_open(struct mounted *m, struct reactor *r, struct mw_error *ret_error);
/* Whether its app.ini has a role of this name. On the server's own thread. */
bool mounted_has_role(const struct mounted *m, const char *name);
/* Take the policies and roles that its app.ini has now. returns 0; negative: those before still hold */
int mounted_reload(struct mounted *m, struct mw_error *ret_error);
/* The same where the file has changed; says in the log what came of it, and that an app.c has changed, which counts from the next start. */
void mounted_look(struct mounted *m);
void mounted_free(struct mounted *m); /* accepts NULL */
/* Whether a file lies directly in the app's folder and can be read. */
bool mounted_can_read(const struct mounted *m, const char *file);

/* ---- a WebSocket connection and the client it is to the app ------------------------------------------------ */
/* What most have no use for: of one who has logged in or has to, who came through a proxy, who reads slowly. */
struct bridge_more {
    struct bridge *bridge;
    char address[GATE_ADDRESS_BYTES]; /* where it comes from, also through a trusted proxy; "": the connection's */
    char *user;                   /* owned; NULL: has not logged in */
    char *query;                  /* owned: of the URL; NULL: there was none */
    int64_t since, until_ns;      /* of the user's password; when what it showed ends */
    struct session_key key;       /* of the session that it came with, if it has_session */
    bool has_session;
    bool is_counted;              /* its address, under the limits per address: that of its connection is shared by many */
    char token[MW_TOKEN_ID_BYTES]; /* that it came with; "": none */
    uint64_t roles_seen;          /* a hash of the user's roles, as the app was told them */
    struct login *login;          /* under way; NULL: none */
    struct reactor *to;           /* where it goes, once what is queued for it is written */
    mw_value login_id;            /* owned: of the one that is to be answered when it has come to another reactor; MW_MISSING: none */
    uint64_t hurry_until;         /* edge_connection_written at which nothing is left of what was queued when it lost rights */
    int64_t hurry_ns;             /* by when */
    struct mw_link hurry_link;    /* in the reactor's list until then */
    struct mw_link behind_link;   /* in the reactor's list while its reader is slow */
    struct mw_link stranger_link; /* in the gate's list until it has logged in, where it has to; under the gate's lock */
};

/* Of one that says nothing this is all there is, so it is kept small. */
struct bridge {
    struct mw_link link;          /* in the reactor's list from the upgrade on, until a drain closes it */
    struct reactor *reactor;      /* on which all of it happens */
    struct mounted *mounted;
    struct edge_connection *edge; /* NULL until the upgrade is done, and between two reactors */
    mw_client *client;            /* NULL: not open, or refused */
    struct bridge_more *more;     /* owned; NULL: nothing of it */
    int64_t opened_ns;
    uint8_t manner;               /* enum app_manner */
    bool is_guest;                /* the gate looks at it: logged in, or yet to log in */
    bool is_local, is_overheard;  /* of its request, as gate.h has them */
    bool is_used;                 /* a message came since the gate looked last */
};

/* guest: who asks for it; borrowed. NULL: out of memory */
struct bridge *bridge_new(struct reactor *r, struct mounted *m, enum app_manner manner, const struct edge_request *request,
                          const struct guest *guest);
/* Its further part, made now where there was none. NULL: out of memory */
struct bridge_more *bridge_more_of(struct bridge *bridge);
static inline const char *bridge_user(const struct bridge *bridge)
{
    return bridge->more ? bridge->more->user : NULL;
}
/* Where it comes from, also through a trusted proxy. After the upgrade; borrowed until this reactor asks again */
const char *bridge_address(const struct bridge *bridge);
const char *bridge_query(const struct bridge *bridge); /* "": there was none */
/* Its login has been judged: user is borrowed, NULL where err says why not. */
void bridge_logged_in(struct bridge *bridge, const mw_user *user, int err, const char *reason);
/* Whether its user's roles are others now than the app was told. */
bool bridge_has_other_roles(const struct bridge *bridge, const mw_user *user);
/* Tell the app. */
void bridge_follow_roles(struct bridge *bridge);
/* What is queued now is gone within a second, or the connection is: it may be more than its user may see by now. */
void bridge_hurry(struct bridge *bridge);
/* Drop those who were too slow. returns when to look again; MW_FOREVER: never */
int64_t bridge_look_hurried(struct reactor *r, int64_t now_ns);
/* The edge's hooks; connection is a bridge. */
void bridge_opened(void *connection, struct edge_connection *edge_connection);
void bridge_message(void *connection, enum edge_kind kind, const void *borrows, size_t byte_count);
void bridge_closed(void *connection, int code);
/* ---- bridge_move.c */
/* Have it go to the reactor where its user's instance is. returns 0; -EPIPE it is being closed */
int bridge_depart(struct bridge *bridge, struct reactor *to);
/* The edge's hooks: on the thread that it leaves, and on the one to which it comes. */
void bridge_left(void *connection, struct edge_connection *edge_connection);
void bridge_came(void *connection, struct edge_connection *edge_connection);
/* ---- bridge.c again */
/* Let the app have its client. */
void bridge_open_client(struct bridge *bridge);
/* Say bye and close: for a drain. Unlinks it. */
void bridge_drain(struct bridge *bridge);
/* Look again at those who were behind: call app_client_drained for whoever caught up. */
void bridge_look_behind(struct reactor *r);

/* ---- the server ----------------------------------------------------------------------------------------------- */
enum server_state { SERVER_NEW, SERVER_LISTENING, SERVER_RUNNING, SERVER_DRAINING, SERVER_STOPPING, SERVER_ENDED };
/* How it was asked to end; a later one is the more urgent. */
enum server_wish { SERVER_GOES_ON, SERVER_DRAINS, SERVER_STOPS, SERVER_ENDS };

struct mw_server {
    _Atomic(enum server_state) state; /* set by its own thread */
    struct settings settings;
    struct log log;
    struct hosts hosts;
    struct mounted *apps[SERVER_APPS_MAX];
    size_t app_count;
    uint16_t port, ws_port;       /* bound; 0: none */
    struct {
        int fd;                   /* -1: the edge has it */
        bool is_websocket_only;
    } given[SERVER_GIVEN_MAX];    /* sockets of the host's that listen */
    size_t given_count;
    bool is_dev;
    struct reactor reactor;       /* of the server's own thread: every app runs there */
    struct edge_together *together; /* what the edges of all workers count together */
    struct server_workers workers;
    struct certificate certificate;
    struct token metrics_token;   /* not set: local programs alone read the metrics */
    int64_t started_s;            /* of time(NULL) */
    uint64_t turns;               /* passes of the loop */
    struct shed shed;
    int64_t look_limits_at_ns;    /* at which limits were reached */
    int64_t look_files_at_ns;     /* with --dev: whether an app.ini has changed */
    uint64_t stalls_seen;         /* of mw_stall_count */
    uint64_t said_hits[EDGE_LIMIT_COUNT]; /* how often each had been reached when that was last said */
    int64_t stop_at_ns;           /* SERVER_DRAINING, SERVER_STOPPING: what is not gone by then is dropped */
    int64_t turn_until_ns;        /* of a mw_server_turn under way; MW_FOREVER: none */
    struct gate gate;
    struct proxies proxies;
    atomic_bool has_told_of_proxy; /* that one who is not believed seems to stand in front */
    struct audit audit;
    struct asset_form asset_forms[ASSETS_MOST];
    mw_value front_page;          /* the list of apps; null where there is one app */
    char doing[160];              /* what a fault report says of the thread */
    char text[2048];              /* header lines that a route hook lends */
    atomic_int wish;              /* enum server_wish */
    atomic_int dump_fd;           /* asked for: a dump to it; -1: not */
};

/* 0 where it is new; -EBUSY: `what` is not to be done to one that runs. */
int server_refuse_started(const mw_server *server, const char *what, struct mw_error *ret_error);
/* The token that the settings name, if any. returns as token_read */
int server_read_token(mw_server *server, struct token *token, struct mw_error *ret_error);
/* What /_mw/readyz says: whether new clients are welcome. */
bool server_is_ready(const mw_server *server);
/* An app's audit hook; context is a reactor. */
void server_audit(void *context, const struct app_deed *deed);
/* Write what the audit log has kept: once per pass of any reactor. */
void server_flush_audit(mw_server *server);

/* The edge's route hook; context is the server's own reactor. */
void route_request(void *context, const struct edge_request *request, struct edge_answer *answer);
/* The edge's hook; to is a reactor. */
void route_moved(void *context, void *to, struct edge_connection *c);
/* Make what routing needs at start: bases, the front page. returns 0, -ENOMEM */
int route_prepare(struct mw_server *server);

#endif
