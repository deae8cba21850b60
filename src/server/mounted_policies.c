/* An app's policies and roles: read from its app.ini, at start and whenever that has changed.
 * Not what the sections mean; that is ../settings/policies.c. Read next: ../settings/policies.h.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/fault.h"
#include "server/login.h"
#include "server/look.h"
#include "server/server_priv.h"
#include "settings/ini.h"
#include "settings/policies.h"

/* ---- reading ------------------------------------------------------------------------------------------- */

static void app_said(void *context, const char *line)
{
    struct reactor *r = context;

    log_line(&r->server->log, "%s", line);
}

static int read_policies(struct mounted *m, struct policies *ret, struct mw_error *ret_error)
{
    if (!m->ini)
        return 0;
    return policies_from_ini(m->ini, m->descriptor, ret, ret_error);
}

int mounted_check(struct mounted *m, struct mw_error *ret_error)
{
    struct policies policies = {0};
    int err = read_policies(m, &policies, ret_error);

    if (err == 0 && m->ini)
        policies_tell_strays(m->ini, m->descriptor, app_said, &m->server->reactor);
    policies_clear(&policies);
    return err;
}

bool mounted_has_role(const struct mounted *m, const char *name)
{
    size_t i;

    for (i = 0; m->ini && i < m->ini->section_count; i++)
        if (strcmp(m->ini->sections[i].kind, "role") == 0 && strcmp(m->ini->sections[i].name, name) == 0)
            return true;
    return false;
}

/* ---- while it runs ------------------------------------------------------------------------------------- */

/* Whether a section counts only at start. */
static bool is_for_start(const struct ini_section *section)
{
    return strcmp(section->kind, "policy") != 0 && strcmp(section->kind, "role") != 0;
}

static const struct ini_section *next_for_start(const struct ini_document *d, size_t *io_at)
{
    while (d && *io_at < d->section_count)
        if (is_for_start(&d->sections[(*io_at)++]))
            return &d->sections[*io_at - 1];
    return NULL;
}

static bool is_same_section(const struct ini_section *a, const struct ini_section *b)
{
    size_t i;

    if (strcmp(a->kind, b->kind) != 0 || a->entry_count != b->entry_count)
        return false;
    for (i = 0; i < a->entry_count; i++)
        if (strcmp(a->entries[i].key, b->entries[i].key) != 0 || strcmp(a->entries[i].value, b->entries[i].value) != 0)
            return false;
    return true;
}

/* Whether they say the same about what counts only at start. NULL: says nothing. */
static bool is_same_for_start(const struct ini_document *a, const struct ini_document *b)
{
    size_t at_a = 0, at_b = 0;

    for (;;) {
        const struct ini_section *in_a = next_for_start(a, &at_a), *in_b = next_for_start(b, &at_b);

        if (!in_a || !in_b)
            return !in_a && !in_b;
        if (!is_same_section(in_a, in_b))
            return false;
    }
}

/* Give an app those made of a document. Clears them. */
static int give_policies(struct app *app, struct policies *policies, struct mw_error *ret_error)
{
    const struct app_policies given = policies_give(policies);
    int err = app_set_policies(app, &given, ret_error);

    policies_clear(policies);
    return err;
}

static int take_policies(struct mounted *m, const struct ini_document *document, struct mw_error *ret_error)
{
    struct policies policies = {0};
    int err = document ? policies_from_ini(document, m->descriptor, &policies, ret_error) : 0;

    return err < 0 ? err : give_policies(m->server->reactor.apps[m->index], &policies, ret_error);
}

int mounted_reload(struct mounted *m, struct mw_error *ret_error)
{
    struct ini_document *document = NULL;
    uint64_t seen = m->ini_path ? look_at_file(m->ini_path) : 0;
    int err = 0;

    if (!m->ini_path)
        return 0;
    m->ini_seen = seen;
    if (seen != 0)
        err = ini_document_read(m->ini_path, &document, ret_error);
    if (err == 0)
        err = take_policies(m, document, ret_error);
    audit_write(&m->server->audit, "policies", (struct audit_fact[]){{.key = "app", .text = m->name},
                {.key = "outcome", .text = err < 0 ? "kept" : "taken"}}, 2);
    if (err < 0) {
        ini_document_free(document);
        return err;
    }
    if (!is_same_for_start(m->ini, document))
        log_at(&m->server->log, MW_LOG_WARNING, "'%s': what it says beside [policy] and [role] counts from the next start",
               m->ini_path);
    ini_document_free(workers_set_ini(m->server, m, document));
    if (document)
        policies_tell_strays(document, m->descriptor, app_said, &m->server->reactor);
    return 0;
}

/* A page that does what its back end did before puzzles whoever has just saved it. */
static void look_at_source(struct mounted *m)
{
    uint64_t seen = m->source_path ? look_at_file(m->source_path) : 0;

    if (seen == 0 || seen == m->source_seen) /* 0: it is being replaced */
        return;
    m->source_seen = seen;
    log_line(&m->server->log, "%s: '%s' has changed: start again to have it taken", m->name, m->source_path);
}

void mounted_look(struct mounted *m)
{
    struct mw_error error = {0};

    look_at_source(m);
    if (!m->ini_path || look_at_file(m->ini_path) == m->ini_seen)
        return;
    if (mounted_reload(m, &error) == 0)
        log_line(&m->server->log, "%s: took the policies of '%s'", m->name, m->ini_path);
    else
        log_at(&m->server->log, MW_LOG_ERROR, "%s: the policies from before stay: %s", m->name, error.text);
}

/* ---- on workers ---------------------------------------------------------------------------------------- */

void mounted_follow(struct mounted *m, struct reactor *r, uint64_t *io_seen)
{
    struct server_workers *w = &m->server->workers;
    struct policies policies = {0};
    struct mw_error error = {0};
    uint64_t order;
    int err = 0;

    (void)pthread_mutex_lock(&w->lock); /* the document is replaced under it */
    order = w->policies_orders[m->index];
    if (order != *io_seen && m->ini)
        err = policies_from_ini(m->ini, m->descriptor, &policies, &error);
    (void)pthread_mutex_unlock(&w->lock);
    if (order == *io_seen)
        return;
    if (err == 0)
        err = give_policies(r->apps[m->index], &policies, &error);
    if (err == 0)
        *io_seen = order;
    else
        log_at(&m->server->log, MW_LOG_ERROR, "%s: on a worker the policies from before stay for now: %s", m->name, error.text);
}

/* ---- at start -------------------------------------------------------------------------------------------- */

/* What the table of limits calls those of an app. */
static const enum edge_limit app_limits[APP_LIMIT_COUNT] = {
    [APP_LIMIT_CLIENT_WATCHES] = EDGE_LIMIT_WATCHES_PER_CLIENT, [APP_LIMIT_WATCHES] = EDGE_LIMIT_WATCHES,
    [APP_LIMIT_GLOBS] = EDGE_LIMIT_GLOBS,                       [APP_LIMIT_BATCH] = EDGE_LIMIT_BATCH,
    [APP_LIMIT_JSON_DEPTH] = EDGE_LIMIT_JSON_DEPTH,             [APP_LIMIT_JSON_TOKENS] = EDGE_LIMIT_JSON_TOKENS,
    [APP_LIMIT_JSON_KEYS] = EDGE_LIMIT_JSON_KEYS,
};

static void count_limit(void *context, enum app_limit limit)
{
    const struct reactor *r = context;

    edge_count_hit(r->edge, app_limits[limit]);
}

static void count_work(void *context, size_t steps)
{
    const struct reactor *r = context;

    edge_worked(r->edge, steps);
}

static const char *address_of(void *context, void *connection)
{
    const struct reactor *r = context;

    return connection ? bridge_address(connection) : r->rpc_address;
}

static const char *query_of(void *context, void *connection)
{
    (void)context;
    return bridge_query(connection);
}

static bool has_room(void *context)
{
    const struct reactor *r = context;

    return edge_has_room(r->edge);
}

int mounted_open(struct mounted *m, struct reactor *r, struct mw_error *ret_error)
{
    const uint64_t *limits = m->server->settings.limits.value;
    struct policies policies = {0};
    bool is_one_of_several = m->server->workers.count > 0;
    struct app_options options = {.name = m->name,
                                  .descriptor = m->descriptor,
                                  .message_bytes = (size_t)limits[EDGE_LIMIT_MESSAGE],
                                  .messages_per_s = (size_t)limits[EDGE_LIMIT_MESSAGES],
                                  .ping_s = (int64_t)(limits[EDGE_LIMIT_PING] / 1000),
                                  .require_login = m->requires_login,
                                  .login = login_by_method,
                                  .identify = gate_find,
                                  .audit = m->server->audit.path ? server_audit : NULL,
                                  .limit_hit = count_limit,
                                  .worked = count_work,
                                  .has_room = has_room,
                                  .address = address_of,
                                  .query = query_of,
                                  .wake = reactor_wake,
                                  .host = &r->host,
                                  .together = m->together,
                                  .log = app_said,
                                  .context = r};
    struct fault_doing doing;
    size_t i;
    int err;

    if (is_one_of_several && !m->together)
        options.together = m->together = app_together_new();
    if (is_one_of_several && !m->together)
        return mw_fail(ret_error, -ENOMEM, "open '%s': out of memory", m->name);
    err = read_policies(m, &policies, ret_error);
    if (err < 0)
        return err;
    for (i = 0; i < APP_LIMIT_COUNT; i++)
        options.limits[i] = (size_t)limits[app_limits[i]];
    options.policies = policies_give(&policies);
    (void)snprintf(m->server->doing, sizeof m->server->doing, "while the back end of '%s' was being opened", m->name);
    doing = mw_fault_doing((struct fault_doing){m->server->doing, NULL});
    err = app_open(&options, &r->apps[m->index], ret_error);
    (void)mw_fault_doing(doing); /* it was ours */
    if (err == 0 && m->ini && r == &m->server->reactor) /* once is enough */
        policies_tell_strays(m->ini, m->descriptor, app_said, &m->server->reactor);
    policies_clear(&policies);
    return err;
}
