/* The settings of a server as one table, and where each value came from: default < app.ini < environment < flag.
 * Not what they do; that is the room server. Not app.ini's text; that is ini.h. Read next: settings.c.
 * SPDX-License-Identifier: MIT */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include <meshwork/server.h>

#include "edge/limits.h"
#include "settings/ini.h"

enum { SETTING_WORKERS_MOST = 256 };

/* Numbers of the table's rows; settings.c has the names. */
enum setting {
    SETTING_PORT,
    SETTING_BIND,
    SETTING_WS_PORT,
    SETTING_HOST,
    SETTING_PLAINTEXT,
    SETTING_CERT,
    SETTING_KEY,
    SETTING_SELF_SIGNED,
    SETTING_USER,
    SETTING_STATE,
    SETTING_TRUSTED_PROXY,
    SETTING_PROXY_USER_HEADER,
    SETTING_INSECURE_COOKIE,
    SETTING_KEEP_SESSIONS,
    SETTING_AUDIT,
    SETTING_METRICS_TOKEN,
    SETTING_LOG_LEVEL,
    SETTING_LOG_FORMAT,
    SETTING_LIMIT,
    SETTING_MAX_MESSAGE,
    SETTING_MAX_FRAGMENTS,
    SETTING_RATE,
    SETTING_DEFLATE,
    SETTING_DEFLATE_CONTEXT,
    SETTING_PER_IP_LOOPBACK,
    SETTING_WORKERS,
    SETTING_DEV,
    SETTING_COUNT
};

/* In the order of precedence. */
enum setting_source { SETTING_BY_DEFAULT, SETTING_BY_INI, SETTING_BY_ENVIRONMENT, SETTING_BY_FLAG };

struct setting_value {
    enum setting_source source;
    int64_t number; /* of MW_SETTING_NUMBER */
    bool flag;
    char **texts;   /* of MW_SETTING_LIST and MW_SETTING_TEXT; owned */
    size_t text_count;
    char *place;    /* "demo/app.ini: line 3"; owned; NULL: not from a file */
};

struct settings {
    struct setting_value values[SETTING_COUNT];
    struct edge_limits limits; /* what the edge gets */
    struct {
        enum setting_source source;
        char *place;
    } limit_origins[EDGE_LIMIT_COUNT];
};

void settings_init(struct settings *s);
void settings_clear(struct settings *s);

/* Where a value comes from, for precedence and for messages. */
struct setting_origin {
    enum setting_source source;
    const struct ini_document *document; /* of SETTING_BY_INI */
    int line;
};

/* Set one by name ('-' and '_' are the same). A value of lower precedence than the one there is checked and dropped.
 * A list's value adds to those of the same source. Two settings files that differ are an error, as one server cannot
 * do both.
 * returns 0; -ENOENT unknown; -EINVAL or -ERANGE; -EEXIST the files differ; -ENOMEM */
int settings_set(struct settings *s, const struct setting_origin *origin, const char *name, const char *value,
                 struct mw_error *ret_error);
int settings_set_limit(struct settings *s, const struct setting_origin *origin, const char *name, const char *value,
                       struct mw_error *ret_error);

/* The [server], [limits] and [tls] sections of a document. A file that [tls] names is looked for beside the document. */
int settings_read_ini(struct settings *s, const struct ini_document *document, struct mw_error *ret_error);
/* MESHWORK_NAME and MESHWORK_LIMIT_NAME of an environment in the form of environ. An unknown MESHWORK_* is an error. */
int settings_read_environment(struct settings *s, char *const *environment, struct mw_error *ret_error);

/* What follows from the settings together: a burst that fits the rate. Once, before the limits are used. */
void settings_settle(struct settings *s);
/* Whether they make sense beside each other. 0; -EINVAL, ret_error says which does not, and where it is said */
int settings_agree(const struct settings *s, struct mw_error *ret_error);
/* Show every setting and limit but short forms. */
void settings_each(const struct settings *s, void (*each)(void *context, const mw_setting_state *state), void *context);
/* The number of the word that a setting with choices has. */
size_t settings_choice(const struct settings *s, enum setting which);
bool settings_is_short(enum setting which); /* for a limit */
bool settings_is_set(const struct settings *s, enum setting which);

/* The nearest name of a table to one that is not in it; NULL: none is near. is_limit: among the limits */
const char *settings_nearest(const char *name, bool is_limit);

#endif
