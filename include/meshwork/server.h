/* The server as a library: settings, apps, start, run, stop. `meshwork serve` is a thin user of it, and any C program
 * can host an app with it: no loop takeover, no signal handler, no print, no exit.
 * Not the app's own side; that is app.h. Read next: docs/server.md.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_SERVER_H
#define MESHWORK_SERVER_H

#include <meshwork/app.h>

MW_BEGIN_DECLS

typedef struct mw_server mw_server;

/* ---- settings ----------------------------------------------------------------------------- */
enum mw_setting_kind {
    MW_SETTING_FLAG,   /* yes or no; on the command line it stands alone */
    MW_SETTING_NUMBER, /* an integer, with K, M or G for 1024, 1024^2 or 1024^3 where is_size */
    MW_SETTING_TEXT,
    MW_SETTING_LIST,   /* text; giving it again adds */
    MW_SETTING_LIMIT,  /* NAME=VALUE, one of mw_server_limit_at */
};

/* One setting: the flag --NAME, the key NAME of [server] in app.ini, the variable MESHWORK_NAME. */
typedef struct mw_setting {
    const char *name;          /* "ws-port" */
    enum mw_setting_kind kind;
    bool is_size;              /* a number that takes K, M, G */
    int64_t min, max;          /* of a number */
    const char *argument;      /* what the help calls the value; NULL for MW_SETTING_FLAG */
    const char *default_value; /* as text; NULL: none */
    const char *doc;           /* one line */
} mw_setting;
/* The settings in the order of the help. NULL past the end. context: any thread */
MW_EXPORT const mw_setting *mw_server_setting_at(size_t index);

/* The name nearest to a word that is none; NULL: none is near. context: any thread */
MW_EXPORT const char *mw_server_setting_nearest(const char *word);

/* One limit: --limit NAME=VALUE, [limits] NAME, MESHWORK_LIMIT_NAME. */
typedef struct mw_limit {
    const char *name; /* "message_bytes" */
    int64_t default_value, min, max;
    const char *doc; /* one line, with the unit */
} mw_limit;
/* The limits in the order of the help. NULL past the end. context: any thread */
MW_EXPORT bool mw_server_limit_at(size_t index, mw_limit *ret);

/* ---- life ------------------------------------------------------------------------------------
 * Unless it says otherwise, a call belongs to the one thread that made the server. */
/* returns  owned: mw_server_free; NULL: out of memory */
MW_EXPORT MW_MUST_USE mw_server *mw_server_new(void);
/* Close every connection and listener, run every app's `close`, free. Accepts NULL. */
MW_EXPORT void mw_server_free(mw_server *server);

/* Who speaks in a line of the log. */
enum mw_log_source {
    MW_LOG_SERVER,   /* an app's failure, a refused upgrade, a raised limit */
    MW_LOG_COMPILER, /* what the compiler printed about an app.c, line by line, untouched where log-format is plain */
    MW_LOG_ACCESS,   /* a request that was answered, a WebSocket that ended; where log-level is info or debug */
};
/* How important a line is: the numbers of syslog(3). */
enum mw_log_level { MW_LOG_ERROR = 3, MW_LOG_WARNING, MW_LOG_NOTICE, MW_LOG_INFO, MW_LOG_DEBUG };
/* A line of the log. Borrowed during the call. */
typedef struct mw_log_line {
    enum mw_log_source source;
    enum mw_log_level level;
    bool is_plain;    /* log-format is plain */
    const char *text; /* without newline, in the form of log-format */
} mw_log_line;
/* Where the log goes. Without it, nowhere.
 * log  with several workers called on the thread of any; never twice at once */
MW_EXPORT void mw_server_on_log(mw_server *server, void (*log)(void *context, const mw_log_line *line), void *context);
/* Add an event to it, as log-format has it.
 * text  borrowed */
MW_EXPORT void mw_server_log(mw_server *server, enum mw_log_level level, const char *text);

/* Set what a flag would set; wins over app.ini and the environment, whichever is read first.
 * name   a flag's word without the dashes: "port", "limit"
 * value  "8000", "message_bytes=16M"; for a flag "yes" or "no"; copied
 * returns  0; -ENOENT no such setting (the text names the nearest); -EINVAL bad value; -EBUSY started; -ENOMEM */
MW_EXPORT int mw_server_set(mw_server *server, const char *name, const char *value, struct mw_error *ret_error);
/* What a limit is set to; -1: there is no such limit */
MW_EXPORT int64_t mw_server_limit_value(const mw_server *server, const char *name);
/* What a setting that is a text is set to; borrowed until it is set again. NULL: nothing, or no such setting */
MW_EXPORT const char *mw_server_setting_text(const mw_server *server, const char *name);
/* Take MESHWORK_* from the environment. Wins over app.ini, not over mw_server_set. returns as mw_server_set. */
MW_EXPORT int mw_server_read_environment(mw_server *server, struct mw_error *ret_error);

/* Mount an app folder: app.html or index.html, css/ js/ images/ fonts/ public/, app.c or app.so, app.ini. A single
 * app is at /; where there are several, each is at /<folder name>/ and / lists them.
 * returns  0; -ENOENT, -ENOTDIR, -EACCES the folder or what it needs; -EINVAL app.ini or settings; -EEXIST two apps
 *          of one name; -EBUSY started; -ENOMEM. Compiling and loading come with mw_server_start. */
MW_EXPORT int mw_server_mount_dir(mw_server *server, const char *dir, struct mw_error *ret_error);
/* Mount a back end of this program.
 * name        of the app and, where there are several, of its folder in the URL; copied
 * dir         its files (app.html, app.ini ...); an app.c or app.so in it is not looked at. NULL: none
 * descriptor  borrowed until the server is freed */
MW_EXPORT int mw_server_mount(mw_server *server, const char *name, const char *dir, const mw_app *descriptor,
                              struct mw_error *ret_error);

/* Look at everything that mw_server_start looks at, without starting: settings that do not go together, the certificate,
 * policies and roles (back ends are compiled and loaded for that, but not opened). No port is tried. What does no harm but
 * says nothing, such as a policy for a name that is no attribute, is a line of the log.
 * returns  0, or what mw_server_start would */
MW_EXPORT int mw_server_check(mw_server *server, struct mw_error *ret_error);

/* ---- policies, looked at ---------------------------------------------------------------------
 * On a server that is mounted and not started. Back ends are compiled and loaded, for their attributes, commands and policies, but none
 * of their code runs. */
/* Take policies and roles of an app from another file than its app.ini. Before mw_server_open_policies. */
MW_EXPORT int mw_server_use_policies(mw_server *server, size_t index, const char *file, struct mw_error *ret_error);
/* returns  0; as mw_server_check */
MW_EXPORT int mw_server_open_policies(mw_server *server, struct mw_error *ret_error);
/* Whether somebody with these roles has one right to a name, and why.
 * right      one enum mw_right bit
 * ret_trail  as of mw_view_explain, predicates taken to hold; returned owned; may be NULL
 * returns    0 denied, 1 allowed, 2 it hangs on a predicate; -ENOENT no such app; -ENOMEM */
MW_EXPORT int mw_server_explain(mw_server *server, size_t index, const char *const *roles, size_t role_count, int right,
                                const char *name, mw_value *ret_trail);
/* The roles of an app, `anonymous` among them; its attributes, then its commands, with what they can be used for (enum mw_right
 * bits). NULL past the end */
MW_EXPORT const char *mw_server_role_at(const mw_server *server, size_t index, size_t role);
MW_EXPORT const char *mw_server_name_at(const mw_server *server, size_t index, size_t name, int *ret_rights);
/* Tell of rules and roles that say nothing, or more than was meant.
 * tell     borrows one line, without a newline
 * returns  how many; -ENOENT; -ENOMEM */
MW_EXPORT int mw_server_lint(mw_server *server, size_t index, void (*tell)(void *context, const char *line), void *context,
                             struct mw_error *ret_error);

/* What a setting is set to, and by whom. Borrowed during the call that shows it. */
typedef struct mw_setting_state {
    const char *section; /* of app.ini: "server", "limits", "app" */
    const char *app;     /* of "app": whose; the pointer is the same for all of its settings. Else NULL */
    const char *name;    /* "ws_port" */
    const char *value;   /* as app.ini has it; a list with commas; NULL: none */
    const char *origin;  /* "default", "flag", "environment", "demo/app.ini: line 3", "follows from messages_per_s" */
} mw_setting_state;
/* Show every setting and limit in the order of the help, then those of each app. Short forms of limits are left out: what
 * they set is the limit. */
MW_EXPORT void mw_server_each_setting(mw_server *server, void (*each)(void *context, const mw_setting_state *state),
                                      void *context);

/* Use a TCP socket that listens already, as of socket activation, instead of the port that the settings name. Takes the descriptor in
 * every case.
 * returns  0; -ENOSPC more than 8; -EBUSY started. Whether it is such a socket is said when it is listened on. */
MW_EXPORT int mw_server_take_listener(mw_server *server, int takes_fd, bool is_websocket_only, struct mw_error *ret_error);
/* What mw_server_start does first: read certificate and token, take the ports. For a host that gives up rights in between. When it
 * fails nothing listens; free the server.
 * returns  0; -EADDRINUSE; -EACCES off loopback without `plaintext`; ... */
MW_EXPORT int mw_server_listen(mw_server *server, struct mw_error *ret_error);
/* Listen, where that was not done before, then compile and load what has to be, and open every app. When it fails nothing listens; free the server.
 * returns    0; -EADDRINUSE; -EACCES off loopback without `plaintext`; what an app's `open` returned; ... */
MW_EXPORT int mw_server_start(mw_server *server, struct mw_error *ret_error);

/* Where users and other state of this server are: `state`, else $STATE_DIRECTORY, else $XDG_STATE_HOME/meshwork/APP or
 * ~/.local/state/meshwork/APP, APP being the name of the app mounted first. It need not be there yet (mw_users_open).
 * room     of ret_path, in bytes
 * returns  0; -ENOENT no home, or no app; -ENAMETOOLONG */
MW_EXPORT int mw_server_state_dir(const mw_server *server, char *ret_path, size_t room, struct mw_error *ret_error);

/* Find, or make, the private directory of compiled apps: $XDG_CACHE_HOME/meshwork or ~/.cache/meshwork, mode 0700.
 * room     of ret_path, in bytes
 * returns  0; -EPERM it is open to others; -ENAMETOOLONG; what the kernel said
 * context  any thread */
MW_EXPORT int mw_server_cache_dir(char *ret_path, size_t room, struct mw_error *ret_error);

/* ---- what runs ---------------------------------------------------------------------------------- */
MW_EXPORT size_t mw_server_app_count(const mw_server *server);
/* Of app `index`; borrowed until the server is freed; the URL is "" before the start. NULL past the end. */
MW_EXPORT const char *mw_server_app_name(const mw_server *server, size_t index);
MW_EXPORT const char *mw_server_url(const mw_server *server, size_t index);
/* The bound port; 0 before the start. */
MW_EXPORT int mw_server_port(const mw_server *server);
/* The bound port of --ws-port; 0: none. */
MW_EXPORT int mw_server_ws_port(const mw_server *server);

/* Serve until it was asked to end and has.
 * returns  0, or negative: the poller failed */
MW_EXPORT int mw_server_run(mw_server *server);
/* Three ways to ask it to end, each more urgent than the one before, which it may follow.
 * context  any thread, signal-safe, as often as one likes */
/* For a planned restart: /_mw/readyz fails and no WebSocket is opened; after drain_notice_ms nothing more is accepted, and every
 * WebSocket hears bye and is closed (1012), one after the other, over drain_spread_ms at most; what is left after drain_ms is
 * dropped. */
MW_EXPORT void mw_server_drain(mw_server *server);
/* Say bye, close (1001), wait up to a second for what is under way. */
MW_EXPORT void mw_server_stop(mw_server *server);
/* Wait for nothing: connections are dropped by mw_server_free. */
MW_EXPORT void mw_server_end(mw_server *server);

/* Let a mw_server_turn that waits return. context: any thread, signal-safe */
MW_EXPORT void mw_server_wake(mw_server *server);

/* Read certificate, key, metrics token, and the policies and roles of every app.ini anew; clients stay, and are told where their
 * rights differ. What cannot be taken is said in the log, and what was there stays.
 * returns  0; what kept one from being taken; -EBUSY it does not run */
MW_EXPORT int mw_server_reload(mw_server *server, struct mw_error *ret_error);
/* Connections now, WebSockets among them. */
MW_EXPORT size_t mw_server_connection_count(const mw_server *server);

/* How many of its further threads (`workers`) hang: each that is in the same turn of its loop as when this was asked last; one that waits for something
 * to do does not. For a watchdog that is to hear of progress: ask at the interval at which it is fed, and feed it where the answer is 0. The log has
 * the name of each that hangs, and later that it goes on; meshwork_worker_hangs_total counts them. The first time: 0. */
MW_EXPORT size_t mw_server_hung_workers(mw_server *server);

/* Ask it to write what the tasklets of all apps are doing, in its next pass (mw_scheduler_dump).
 * fd  borrowed until then. context: any thread, signal-safe */
MW_EXPORT void mw_server_dump(mw_server *server, int fd);

/* For a host with a loop of its own: poll this descriptor for reading, with mw_server_timeout_ns at most, then
 * call mw_server_turn(server, 0). It stays the same while the server runs. */
MW_EXPORT int mw_server_fd(const mw_server *server);
/* How long the host may sleep: nanoseconds from now, 0: turn at once, MW_FOREVER: until the descriptor says so. */
MW_EXPORT int64_t mw_server_timeout_ns(const mw_server *server);
/* Wait up to timeout_ns (0: not at all, MW_FOREVER) for something to do and do it.
 * returns  1 goes on; 0 it was stopped and has ended; negative: the poller failed */
MW_EXPORT int mw_server_turn(mw_server *server, int64_t timeout_ns);

MW_END_DECLS

#endif
