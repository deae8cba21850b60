/* The table of settings, and how a value gets in.
 * Not how text becomes a number; that is words.c. Read next: settings_show.c.
 * SPDX-License-Identifier: MIT */
#include "settings/settings.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "codec/http.h"
#include "settings/hosts.h"
#include "settings/network.h"
#include "settings/words.h"

#define ENVIRONMENT_PREFIX "MESHWORK_"
enum { LIST_ENTRIES_MAX = 64, NAME_MAX_BYTES = 64, PATH_BYTES_MAX = 4096 };

struct setting_row {
    mw_setting setting;
    const char *limit; /* the limit that this is a short form of; NULL: none */
    const char *const *choices; /* the words that a text may be; NULL: any */
    const char *(*fault)(const char *text); /* what is wanted instead of this text, or this entry of a list; NULL: nothing. NULL: any is fine */
    bool is_file;      /* a file: app.ini names it beside itself */
};

/* In the order of enum mw_log_level and enum log_format. */
static const char *const log_levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const log_formats[] = {"plain", "logfmt", "json", NULL};

static const char *fault_of_bind(const char *text)
{
    static const char *const words[] = {"loopback", "localhost", "any", "*"};
    uint8_t bytes[16];
    size_t i;

    for (i = 0; i < MW_COUNT(words); i++)
        if (strcmp(text, words[i]) == 0)
            return NULL;
    return address_parse(text, bytes) ? NULL : "want loopback, any, or a numeric address";
}

static const char *fault_of_host(const char *text)
{
    return hosts_is_name(text) ? NULL : "want NAME, NAME:PORT, an address, or https://NAME where a proxy speaks TLS";
}

static const char *fault_of_proxy(const char *text)
{
    struct network network;

    return strcmp(text, "loopback") == 0 || network_parse(text, &network)
               ? NULL
               : "want loopback, a numeric address, or a network of them such as 10.0.0.0/8";
}

static const char *fault_of_field_name(const char *text)
{
    return http_is_token((struct http_text){text, strlen(text)}) ? NULL : "want the name of a header field, such as X-Remote-User";
}

/* The order is the help's and enum setting's. */
static const struct setting_row rows[SETTING_COUNT] = {
    [SETTING_PORT] = {.setting = {.name = "port", .kind = MW_SETTING_NUMBER, .min = 0, .max = 65535, .argument = "N",
                       .default_value = "8000", .doc = "the port; 0 takes a free one"}},
    [SETTING_BIND] = {.setting = {.name = "bind", .kind = MW_SETTING_LIST, .argument = "ADDRESS", .default_value = "loopback",
                       .doc = "where to listen: loopback, any, or a numeric address; may be repeated"},
                      .fault = fault_of_bind},
    [SETTING_WS_PORT] = {.setting = {.name = "ws-port", .kind = MW_SETTING_NUMBER, .min = 0, .max = 65535, .argument = "N",
                          .doc = "a second port, for WebSockets only; 0 takes a free one"}},
    [SETTING_HOST] = {.setting = {.name = "host", .kind = MW_SETTING_LIST, .argument = "NAME",
                       .doc = "a further name that browsers reach the server by: NAME, NAME:PORT or "
                              "https://NAME; may be repeated"},
                      .fault = fault_of_host},
    [SETTING_PLAINTEXT] = {.setting = {.name = "plaintext", .kind = MW_SETTING_FLAG, .default_value = "no",
                            .doc = "allow --bind off loopback without TLS: everyone on the way can read along"}},
    [SETTING_CERT] = {.setting = {.name = "cert", .kind = MW_SETTING_TEXT, .argument = "FILE",
                       .doc = "speak TLS with this certificate (PEM; the server's own first, then its chain)"},
                      .is_file = true},
    [SETTING_KEY] = {.setting = {.name = "key", .kind = MW_SETTING_TEXT, .argument = "FILE",
                      .doc = "the certificate's key (PEM, no passphrase, not readable by everybody)"}, .is_file = true},
    [SETTING_SELF_SIGNED] = {.setting = {.name = "self-signed", .kind = MW_SETTING_FLAG, .default_value = "no",
                              .doc = "with --dev: speak TLS with a certificate made here, which browsers warn of"}},
    [SETTING_USER] = {.setting = {.name = "user", .kind = MW_SETTING_TEXT, .argument = "NAME",
                                  .doc = "as root: become this user once the ports are taken, before any back end is looked at"}},
    [SETTING_STATE] = {.setting = {.name = "state", .kind = MW_SETTING_TEXT, .argument = "DIR",
                                   .doc = "where users are kept (default $STATE_DIRECTORY, else ~/.local/state/meshwork/APP)"},
                       .is_file = true},
    [SETTING_TRUSTED_PROXY] = {.setting = {.name = "trusted-proxy", .kind = MW_SETTING_LIST, .argument = "ADDRESS",
                                .doc = "believe what this proxy says of addresses, https and users: loopback, a numeric address, or a network "
                                       "of them (10.0.0.0/8); may be repeated"},
                               .fault = fault_of_proxy},
    [SETTING_PROXY_USER_HEADER] = {.setting = {.name = "proxy-user-header", .kind = MW_SETTING_TEXT, .argument = "NAME",
                                    .doc = "the header in which a trusted proxy says who is logged in"},
                                   .fault = fault_of_field_name},
    [SETTING_INSECURE_COOKIE] = {.setting = {.name = "insecure-cookie", .kind = MW_SETTING_FLAG, .default_value = "no",
                                  .doc = "allow logins over plain HTTP from other machines: everyone on the way can become the user"}},
    [SETTING_KEEP_SESSIONS] = {.setting = {.name = "keep-sessions", .kind = MW_SETTING_FLAG, .default_value = "no",
                                .doc = "who is logged in stays so over a planned restart: hashes lie in the state directory meanwhile"}},
    [SETTING_AUDIT] = {.setting = {.name = "audit", .kind = MW_SETTING_TEXT, .argument = "FILE",
                                   .doc = "append a line of JSON for each login, denial and change to this file"},
                       .is_file = true},
    [SETTING_METRICS_TOKEN] = {.setting = {.name = "metrics-token", .kind = MW_SETTING_TEXT, .argument = "FILE",
                                .doc = "let other machines read /_mw/metrics that show the token in this file"},
                               .is_file = true},
    [SETTING_LOG_LEVEL] = {.setting = {.name = "log-level", .kind = MW_SETTING_TEXT, .argument = "LEVEL",
                                       .default_value = "notice",
                                       .doc = "what stderr gets: error, warning, notice, info (each request too), debug"},
                           .choices = log_levels},
    [SETTING_LOG_FORMAT] = {.setting = {.name = "log-format", .kind = MW_SETTING_TEXT, .argument = "FORM",
                                        .default_value = "plain", .doc = "of its lines: plain, logfmt or json"},
                            .choices = log_formats},
    [SETTING_LIMIT] = {.setting = {.name = "limit", .kind = MW_SETTING_LIMIT, .argument = "NAME=VALUE",
                        .doc = "set a limit (see below); may be repeated"}},
    [SETTING_MAX_MESSAGE] = {.setting = {.name = "max-message", .kind = MW_SETTING_NUMBER, .is_size = true, .min = 1,
                              .max = INT64_C(1) << 30, .argument = "BYTES", .default_value = "1M",
                              .doc = "the same as --limit message_bytes="}, .limit = "message_bytes"},
    [SETTING_MAX_FRAGMENTS] = {.setting = {.name = "max-fragments", .kind = MW_SETTING_NUMBER, .is_size = true, .min = 1,
                                .max = INT64_C(1) << 20, .argument = "N", .default_value = "1024",
                                .doc = "the same as --limit message_fragments="}, .limit = "message_fragments"},
    [SETTING_RATE] = {.setting = {.name = "rate", .kind = MW_SETTING_NUMBER, .is_size = true, .min = 1, .max = 1000000000,
                       .argument = "N", .default_value = "500", .doc = "the same as --limit messages_per_s="},
                      .limit = "messages_per_s"},
    [SETTING_DEFLATE] = {.setting = {.name = "deflate", .kind = MW_SETTING_FLAG, .default_value = "no",
                          .doc = "compress WebSocket messages for clients that offer permessage-deflate"}},
    [SETTING_DEFLATE_CONTEXT] = {.setting = {.name = "deflate-context", .kind = MW_SETTING_FLAG, .default_value = "no",
                                  .doc = "with --deflate: a message may refer to those before it; some 70K for each client"}},
    [SETTING_PER_IP_LOOPBACK] = {.setting = {.name = "per-ip-loopback", .kind = MW_SETTING_FLAG, .default_value = "no",
                                  .doc = "limits per address hold for this machine's own clients too"}},
    [SETTING_WORKERS] = {.setting = {.name = "workers", .kind = MW_SETTING_NUMBER, .min = 0, .max = SETTING_WORKERS_MOST, .argument = "N",
                          .default_value = "1",
                          .doc = "threads that accept connections and serve files, the apps' among them; 0: one per processor"}},
    [SETTING_DEV] = {.setting = {.name = "dev", .kind = MW_SETTING_FLAG, .default_value = "no",
                      .doc = "for work on an app: files are never cached, clients and refusals are printed"}},
};

const mw_setting *mw_server_setting_at(size_t index)
{
    return index < SETTING_COUNT ? &rows[index].setting : NULL;
}

bool mw_server_limit_at(size_t index, mw_limit *ret)
{
    size_t i;

    for (i = 0; i < EDGE_LIMIT_COUNT; i++) {
        const struct edge_limit_info *info = edge_limit_info((enum edge_limit)i);

        if (info->least == info->most || index-- > 0)
            continue; /* a counter that cannot be set is no setting */
        *ret = (mw_limit){.name = info->name, .default_value = (int64_t)info->value, .min = (int64_t)info->least,
                          .max = (int64_t)info->most, .doc = info->then};
        return true;
    }
    return false;
}

static const struct setting_row *find_row(const char *name)
{
    size_t i;

    for (i = 0; i < SETTING_COUNT; i++)
        if (words_match(rows[i].setting.name, name))
            return &rows[i];
    return NULL;
}

void settings_init(struct settings *s)
{
    *s = (struct settings){0};
    s->values[SETTING_PORT].number = 8000;
    s->values[SETTING_WORKERS].number = 1;
    edge_limits_init(&s->limits);
}

static void value_clear(struct setting_value *value)
{
    size_t i;

    for (i = 0; i < value->text_count; i++)
        mw_free(value->texts[i]);
    mw_free(value->texts);
    mw_free(value->place);
    *value = (struct setting_value){0};
}

void settings_clear(struct settings *s)
{
    size_t i;

    for (i = 0; i < SETTING_COUNT; i++)
        value_clear(&s->values[i]);
    for (i = 0; i < EDGE_LIMIT_COUNT; i++)
        mw_free(s->limit_origins[i].place);
    settings_init(s);
}

bool settings_is_set(const struct settings *s, enum setting which)
{
    return s->values[which].source != SETTING_BY_DEFAULT;
}

size_t settings_choice(const struct settings *s, enum setting which)
{
    const struct setting_value *value = &s->values[which];
    const char *word = value->text_count > 0 ? value->texts[0] : rows[which].setting.default_value;
    size_t i;

    for (i = 0; rows[which].choices[i] && strcmp(rows[which].choices[i], word) != 0; i++)
        ;
    return i; /* it was looked at when it was set */
}

bool settings_is_short(enum setting which)
{
    return rows[which].limit != NULL;
}

const char *settings_nearest(const char *name, bool is_limit)
{
    const char *nearest = NULL, *candidate;
    size_t i, least = SIZE_MAX;

    for (i = 0; i < (is_limit ? (size_t)EDGE_LIMIT_COUNT : (size_t)SETTING_COUNT); i++) {
        size_t distance;

        candidate = is_limit ? edge_limit_info((enum edge_limit)i)->name : rows[i].setting.name;
        distance = words_distance(name, candidate);
        if (distance < least) {
            least = distance;
            nearest = candidate;
        }
    }
    /* Further than half of the word, it is another word. */
    return least <= (strlen(name) + 1) / 2 ? nearest : NULL;
}

/* ---- messages ------------------------------------------------------------------------------------ */

static void print_upper(char *out, size_t room, const char *prefix, const char *name)
{
    size_t i, at = (size_t)snprintf(out, room, "%s", prefix);

    for (i = 0; name[i] != '\0' && at + 1 < room; i++, at++)
        out[at] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    out[at < room ? at : room - 1] = '\0';
}

/* Say what is wrong with a setting, under the name it has where it came from. */
static int setting_fail(const struct setting_origin *origin, const char *name, bool is_limit,
                        struct mw_error *ret_error, int code, const char *what)
{
    char shown[2 * NAME_MAX_BYTES];

    switch (origin->source) {
    case SETTING_BY_INI:
        return ini_document_fail(origin->document, origin->line, ret_error, code, "%s %s", name, what);
    case SETTING_BY_ENVIRONMENT:
        print_upper(shown, sizeof shown, is_limit ? ENVIRONMENT_PREFIX "LIMIT_" : ENVIRONMENT_PREFIX, name);
        return mw_fail(ret_error, code, "environment: %s %s", shown, what);
    case SETTING_BY_DEFAULT:
    case SETTING_BY_FLAG:
        break;
    }
    return mw_fail(ret_error, code, "--%s%s %s", is_limit ? "limit " : "", name, what);
}

static int fail_unknown(const struct setting_origin *origin, const char *name, bool is_limit,
                        struct mw_error *ret_error)
{
    const char *nearest = settings_nearest(name, is_limit), *noun = is_limit ? "limit" : "setting";
    char shown[2 * NAME_MAX_BYTES], what[4 * NAME_MAX_BYTES];

    if (origin->source == SETTING_BY_ENVIRONMENT)
        print_upper(shown, sizeof shown, is_limit ? ENVIRONMENT_PREFIX "LIMIT_" : ENVIRONMENT_PREFIX,
                    nearest ? nearest : "");
    else
        (void)snprintf(shown, sizeof shown, "%s%s", origin->source == SETTING_BY_FLAG && !is_limit ? "--" : "",
                       nearest ? nearest : "");
    if (nearest)
        (void)snprintf(what, sizeof what, "is no %s; the nearest is %s", noun, shown);
    else
        (void)snprintf(what, sizeof what, "is no %s; `meshwork serve --help` lists them", noun);
    return setting_fail(origin, name, is_limit, ret_error, -ENOENT, what);
}

/* ---- precedence ------------------------------------------------------------------------------------ */

static int remember_place(const struct setting_origin *origin, char **place)
{
    char text[512];

    mw_free(*place);
    *place = NULL;
    if (origin->source != SETTING_BY_INI)
        return 0;
    (void)snprintf(text, sizeof text, "%s: line %d", origin->document->file, origin->line);
    *place = mw_copy_text(text);
    return *place ? 0 : -ENOMEM;
}

static int fail_differing(const struct setting_origin *origin, const char *name, bool is_limit, const char *place,
                          struct mw_error *ret_error)
{
    char what[600];

    (void)snprintf(what, sizeof what, "differs from %s, and one server can do only one of them; a flag decides",
                   place ? place : "what was said before");
    return setting_fail(origin, name, is_limit, ret_error, -EEXIST, what);
}

/* ---- kinds of value ---------------------------------------------------------------------------------- */

static int check_number(const mw_setting *row, const struct setting_origin *origin, const char *text, int64_t *ret,
                        struct mw_error *ret_error)
{
    char what[256];
    int err = words_number(text, row->is_size, ret);

    if (err == 0 && *ret >= row->min && *ret <= row->max)
        return 0;
    (void)snprintf(what, sizeof what, "'%.60s': want a number from %" PRId64 " to %" PRId64 "%s", text, row->min,
                   row->max, row->is_size ? ", also with K, M or G behind it" : "");
    return setting_fail(origin, row->name, false, ret_error, err == 0 ? -ERANGE : err, what);
}

static int check_text(const mw_setting *row, const struct setting_origin *origin, const char *text, struct mw_error *ret_error)
{
    const struct setting_row *whole = find_row(row->name);
    const char *wanted = whole && whole->fault ? whole->fault(text) : NULL;
    char what[256];

    if (*text == '\0')
        return setting_fail(origin, row->name, false, ret_error, -EINVAL, "is empty");
    if (!wanted)
        return 0;
    (void)snprintf(what, sizeof what, "'%.60s': %s", text, wanted);
    return setting_fail(origin, row->name, false, ret_error, -EINVAL, what);
}

static int list_add(struct setting_value *value, const mw_setting *row, const struct setting_origin *origin,
                    const char *text, struct mw_error *ret_error)
{
    char **texts;
    int err = check_text(row, origin, text, ret_error);

    if (err < 0)
        return err;
    if (value->text_count == LIST_ENTRIES_MAX)
        return setting_fail(origin, row->name, false, ret_error, -ERANGE, "is given more than 64 times");
    texts = mw_resize(value->texts, (value->text_count + 1) * sizeof *texts);
    if (!texts)
        return mw_fail(ret_error, -ENOMEM, "set %s: out of memory", row->name);
    value->texts = texts;
    texts[value->text_count] = mw_copy_text(text);
    if (!texts[value->text_count])
        return mw_fail(ret_error, -ENOMEM, "set %s: out of memory", row->name);
    value->text_count++;
    return 0;
}

/* "a, b" of a list setting is two entries. */
static int list_set(struct setting_value *value, const mw_setting *row, const struct setting_origin *origin,
                    const char *text, struct mw_error *ret_error)
{
    char *copy = mw_copy_text(text), *rest = copy, *part;
    int err = copy ? 0 : mw_fail(ret_error, -ENOMEM, "set %s: out of memory", row->name);

    while (err == 0 && (part = strsep(&rest, ",")) != NULL) {
        size_t count;

        part += strspn(part, " \t");
        for (count = strlen(part); count > 0 && isspace((unsigned char)part[count - 1]);)
            part[--count] = '\0';
        err = list_add(value, row, origin, part, ret_error);
    }
    mw_free(copy);
    return err;
}

static int text_set(struct setting_value *value, const mw_setting *row, const struct setting_origin *origin,
                    const char *text, struct mw_error *ret_error)
{
    if (value->source == SETTING_BY_INI && origin->source == SETTING_BY_INI && value->text_count > 0 &&
        strcmp(value->texts[0], text) != 0)
        return fail_differing(origin, row->name, false, value->place, ret_error);
    while (value->text_count > 0)
        mw_free(value->texts[--value->text_count]);
    return list_add(value, row, origin, text, ret_error);
}

static int flag_set(struct setting_value *value, const mw_setting *row, const struct setting_origin *origin,
                    bool flag, struct mw_error *ret_error)
{
    if (value->source == SETTING_BY_INI && origin->source == SETTING_BY_INI && value->flag != flag)
        return fail_differing(origin, row->name, false, value->place, ret_error);
    value->flag = flag;
    return 0;
}

static int number_set(struct setting_value *value, const mw_setting *row, const struct setting_origin *origin,
                      int64_t number, struct mw_error *ret_error)
{
    if (value->source == SETTING_BY_INI && origin->source == SETTING_BY_INI && value->number != number)
        return fail_differing(origin, row->name, false, value->place, ret_error);
    value->number = number;
    return 0;
}

static int check_choice(const struct setting_row *row, const struct setting_origin *origin, const char *text,
                        struct mw_error *ret_error)
{
    char what[256];
    size_t i, at;

    for (i = 0; row->choices[i]; i++)
        if (strcmp(row->choices[i], text) == 0)
            return 0;
    at = (size_t)snprintf(what, sizeof what, "'%.60s': want", text);
    for (i = 0; row->choices[i]; i++)
        at += (size_t)snprintf(what + at, sizeof what - at, "%s %s", i == 0 ? "" : row->choices[i + 1] ? "," : " or",
                               row->choices[i]); /* short words: they fit */
    return setting_fail(origin, row->setting.name, false, ret_error, -EINVAL, what);
}

static int value_set(struct setting_value *value, const mw_setting *row, const struct setting_origin *origin,
                     const char *text, struct mw_error *ret_error)
{
    struct setting_value unused = {0}, *target = origin->source < value->source ? &unused : value;
    int64_t number = 0;
    bool flag = false;
    int err = 0;

    if (row->kind == MW_SETTING_NUMBER)
        err = check_number(row, origin, text, &number, ret_error);
    else if (row->kind == MW_SETTING_FLAG && words_flag(text, &flag) < 0)
        err = setting_fail(origin, row->name, false, ret_error, -EINVAL, "wants yes or no");
    if (err < 0)
        return err;
    if (origin->source > target->source && target == value)
        value_clear(value);
    if (row->kind == MW_SETTING_NUMBER)
        err = number_set(target, row, origin, number, ret_error);
    else if (row->kind == MW_SETTING_FLAG)
        err = flag_set(target, row, origin, flag, ret_error);
    else if (row->kind == MW_SETTING_TEXT)
        err = text_set(target, row, origin, text, ret_error);
    else
        err = list_set(target, row, origin, text, ret_error);
    if (err == 0 && target == value) {
        value->source = origin->source;
        if (remember_place(origin, &value->place) < 0)
            err = mw_fail(ret_error, -ENOMEM, "set %s: out of memory", row->name);
    }
    value_clear(&unused);
    return err;
}

int settings_set_limit(struct settings *s, const struct setting_origin *origin, const char *name, const char *text,
                       struct mw_error *ret_error)
{
    int index = edge_limit_find(name);
    const struct edge_limit_info *info;
    char what[256];
    int64_t number = 0;
    int err;

    if (index < 0)
        return fail_unknown(origin, name, true, ret_error);
    info = edge_limit_info((enum edge_limit)index);
    err = words_number(text, true, &number);
    if (err < 0 || number < 0 || (uint64_t)number < info->least || (uint64_t)number > info->most) {
        (void)snprintf(what, sizeof what,
                       "'%.60s': want a number from %" PRIu64 " to %" PRIu64 ", also with K, M or G behind it", text,
                       info->least, info->most);
        return setting_fail(origin, name, true, ret_error, err == 0 ? -ERANGE : err, what);
    }
    if (origin->source < s->limit_origins[index].source)
        return 0;
    if (origin->source == SETTING_BY_INI && s->limit_origins[index].source == SETTING_BY_INI &&
        s->limits.value[index] != (uint64_t)number)
        return fail_differing(origin, name, true, s->limit_origins[index].place, ret_error);
    s->limits.value[index] = (uint64_t)number;
    s->limit_origins[index].source = origin->source;
    if (remember_place(origin, &s->limit_origins[index].place) < 0)
        return mw_fail(ret_error, -ENOMEM, "set %s: out of memory", name);
    return 0;
}

/* "NAME=VALUE" */
static int set_limit_pair(struct settings *s, const struct setting_origin *origin, const char *pair,
                          struct mw_error *ret_error)
{
    const char *equals = strchr(pair, '=');
    char name[NAME_MAX_BYTES];

    if (!equals || equals == pair || equals - pair >= NAME_MAX_BYTES)
        return setting_fail(origin, "limit", false, ret_error, -EINVAL, "wants NAME=VALUE, such as message_bytes=1M");
    (void)snprintf(name, sizeof name, "%.*s", (int)(equals - pair), pair);
    return settings_set_limit(s, origin, name, equals + 1, ret_error);
}

int settings_set(struct settings *s, const struct setting_origin *origin, const char *name, const char *value,
                 struct mw_error *ret_error)
{
    const struct setting_row *row = find_row(name);
    int err;

    if (!row)
        return fail_unknown(origin, name, false, ret_error);
    if (row == &rows[SETTING_LIMIT])
        return set_limit_pair(s, origin, value, ret_error);
    err = row->choices ? check_choice(row, origin, value, ret_error) : 0;
    if (err == 0)
        err = value_set(&s->values[row - rows], &row->setting, origin, value, ret_error);
    if (err == 0 && row->limit)
        err = settings_set_limit(s, origin, row->limit, value, ret_error);
    return err;
}

/* ---- where values come from ----------------------------------------------------------------------------- */

/* A file is looked for beside the document. */
static int read_entry(struct settings *s, const struct ini_document *document, const struct ini_entry *entry,
                      struct mw_error *ret_error)
{
    const struct setting_row *row = find_row(entry->key);
    struct setting_origin origin = {SETTING_BY_INI, document, entry->line};
    const char *slash = strrchr(document->file, '/');
    char path[PATH_BYTES_MAX];
    int dir_count = slash && entry->value[0] != '/' ? (int)(slash - document->file) + 1 : 0;

    if (!row || !row->is_file || entry->value[0] == '\0')
        return settings_set(s, &origin, entry->key, entry->value, ret_error);
    if (snprintf(path, sizeof path, "%.*s%s", dir_count, document->file, entry->value) >= (int)sizeof path)
        return ini_document_fail(document, entry->line, ret_error, -ENAMETOOLONG, "%s is too long", entry->key);
    return settings_set(s, &origin, entry->key, path, ret_error);
}

static int read_tls(struct settings *s, const struct ini_document *document, const struct ini_entry *entry,
                    struct mw_error *ret_error)
{
    if (strcmp(entry->key, "cert") != 0 && strcmp(entry->key, "key") != 0)
        return ini_document_fail(document, entry->line, ret_error, -ENOENT, "[tls] has no key %s (cert, key)", entry->key);
    return read_entry(s, document, entry, ret_error);
}

int settings_read_ini(struct settings *s, const struct ini_document *document, struct mw_error *ret_error)
{
    size_t i, j;

    for (i = 0; i < document->section_count; i++) {
        const struct ini_section *section = &document->sections[i];
        bool is_limits = strcmp(section->kind, "limits") == 0, is_tls = strcmp(section->kind, "tls") == 0;

        if (!is_limits && !is_tls && strcmp(section->kind, "server") != 0)
            continue;
        for (j = 0; j < section->entry_count; j++) {
            const struct ini_entry *entry = &section->entries[j];
            struct setting_origin origin = {SETTING_BY_INI, document, entry->line};
            int err = is_tls      ? read_tls(s, document, entry, ret_error)
                      : is_limits ? settings_set_limit(s, &origin, entry->key, entry->value, ret_error)
                                  : read_entry(s, document, entry, ret_error);

            if (err < 0)
                return err;
        }
    }
    return 0;
}

static int read_variable(struct settings *s, const char *variable, struct mw_error *ret_error)
{
    static const struct setting_origin origin = {.source = SETTING_BY_ENVIRONMENT};
    static const char limit_prefix[] = "limit_";
    const char *equals = strchr(variable, '=');
    char name[NAME_MAX_BYTES] = "";
    size_t i, count;

    if (!equals)
        return 0;
    variable += strlen(ENVIRONMENT_PREFIX);
    count = (size_t)(equals - variable);
    if (equals < variable || count >= sizeof name)
        count = sizeof name - 1; /* no setting has so long a name: it will not be found */
    for (i = 0; i < count; i++)
        name[i] = (char)tolower((unsigned char)variable[i]);
    name[count] = '\0';
    if (strncmp(name, limit_prefix, strlen(limit_prefix)) == 0)
        return settings_set_limit(s, &origin, name + strlen(limit_prefix), equals + 1, ret_error);
    return settings_set(s, &origin, name, equals + 1, ret_error);
}

int settings_read_environment(struct settings *s, char *const *environment, struct mw_error *ret_error)
{
    for (; environment && *environment; environment++) {
        int err;

        if (strncmp(*environment, ENVIRONMENT_PREFIX, strlen(ENVIRONMENT_PREFIX)) != 0)
            continue;
        err = read_variable(s, *environment, ret_error);
        if (err < 0)
            return err;
    }
    return 0;
}

void settings_settle(struct settings *s)
{
    uint64_t rate = s->limits.value[EDGE_LIMIT_MESSAGES], most = edge_limit_info(EDGE_LIMIT_BURST)->most;

    if (s->limit_origins[EDGE_LIMIT_BURST].source == SETTING_BY_DEFAULT &&
        s->limit_origins[EDGE_LIMIT_MESSAGES].source != SETTING_BY_DEFAULT)
        s->limits.value[EDGE_LIMIT_BURST] = rate > most / 2 ? most : 2 * rate;
}

/* Say what is wrong with a setting that has been taken. */
static int fail_taken(const struct settings *s, enum setting which, const char *what, struct mw_error *ret_error)
{
    const struct setting_value *value = &s->values[which];
    const struct setting_origin origin = {.source = value->source};

    if (value->source == SETTING_BY_INI && value->place)
        return mw_fail(ret_error, -EINVAL, "%s: %s %s", value->place, rows[which].setting.name, what);
    return setting_fail(&origin, rows[which].setting.name, false, ret_error, -EINVAL, what);
}

int settings_agree(const struct settings *s, struct mw_error *ret_error)
{
    const struct setting_value *values = s->values;
    char what[128];

    if (values[SETTING_CERT].text_count != values[SETTING_KEY].text_count) {
        enum setting lonely = values[SETTING_CERT].text_count > 0 ? SETTING_CERT : SETTING_KEY;

        return fail_taken(s, lonely, lonely == SETTING_CERT ? "wants --key too" : "wants --cert too", ret_error);
    }
    if (values[SETTING_WS_PORT].number != 0 && values[SETTING_WS_PORT].number == values[SETTING_PORT].number) {
        (void)snprintf(what, sizeof what, "%" PRId64 " is --port's already; take another", values[SETTING_WS_PORT].number);
        return fail_taken(s, SETTING_WS_PORT, what, ret_error);
    }
    if (values[SETTING_DEFLATE_CONTEXT].flag && !values[SETTING_DEFLATE].flag)
        return fail_taken(s, SETTING_DEFLATE_CONTEXT, "wants --deflate too", ret_error);
    if (values[SETTING_PROXY_USER_HEADER].text_count > 0 && values[SETTING_TRUSTED_PROXY].text_count == 0)
        return fail_taken(s, SETTING_PROXY_USER_HEADER, "wants --trusted-proxy too: from others it is not believed", ret_error);
    return 0;
}
