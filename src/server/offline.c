/* What policies say, without a server that runs.
 * SPDX-License-Identifier: MIT */
#include "server/offline.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "settings/ini.h"

/* ---- a descriptor without code ------------------------------------------------------------------------- */

static int read_nothing(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error)
{
    (void)object;
    (void)ret;
    return mw_fail(ret_error, -EIO, "%s: nothing runs", attribute->name);
}

static int refuse(void *object, const mw_attribute *attribute, mw_value borrows, struct mw_error *ret_error)
{
    (void)object;
    (void)borrows;
    return mw_fail(ret_error, -EIO, "%s: nothing runs", attribute->name);
}

/* What hangs on a predicate is told as that, whatever it says. */
static int hold(const mw_access *borrows)
{
    (void)borrows;
    return 1;
}

static int copy_attributes(struct offline *o, const mw_app *d)
{
    size_t i;

    o->attributes = mw_alloc_zeroed(d->attribute_count + 1, sizeof(*o->attributes));
    if (!o->attributes)
        return -ENOMEM;
    for (i = 0; i < d->attribute_count; i++) {
        o->attributes[i] = d->attributes[i];
        if (d->attributes[i].get)
            o->attributes[i].get = read_nothing;
        if (d->attributes[i].set)
            o->attributes[i].set = refuse;
    }
    o->descriptor.attributes = o->attributes;
    return 0;
}

static int copy_predicates(struct offline *o, const mw_app *d)
{
    size_t i;

    o->predicates = mw_alloc_zeroed(d->predicate_count + 1, sizeof(*o->predicates));
    if (!o->predicates)
        return -ENOMEM;
    for (i = 0; i < d->predicate_count; i++)
        o->predicates[i] = (mw_predicate){.name = d->predicates[i].name, .ask = hold};
    o->descriptor.predicates = o->predicates;
    return 0;
}

static const mw_predicate held = {.name = "a predicate", .ask = hold};

/* The one of the same name among ours. */
static const mw_predicate *our_predicate(const struct offline *o, const mw_predicate *theirs)
{
    size_t i;

    for (i = 0; theirs && i < o->descriptor.predicate_count; i++)
        if (theirs->name && strcmp(o->predicates[i].name, theirs->name) == 0)
            return &o->predicates[i];
    return theirs ? &held : NULL;
}

static int copy_policies(struct offline *o, const mw_app *d)
{
    size_t count = 0, i, k;

    for (i = 0; i < d->policy_count; i++)
        count += d->policies[i].rules ? d->policies[i].rule_count : 0;
    o->policies = mw_alloc_zeroed(d->policy_count + 1, sizeof(*o->policies));
    o->rules = mw_alloc_zeroed(count + 1, sizeof(*o->rules));
    if (!o->policies || !o->rules)
        return -ENOMEM;
    for (i = 0, count = 0; i < d->policy_count; i++) {
        o->policies[i] = d->policies[i];
        if (!d->policies[i].rules)
            continue; /* app_open says what is wrong with it */
        o->policies[i].rules = &o->rules[count];
        for (k = 0; k < d->policies[i].rule_count; k++) {
            o->rules[count] = d->policies[i].rules[k];
            o->rules[count].predicate = our_predicate(o, o->rules[count].predicate);
            count++;
        }
    }
    o->descriptor.policies = o->policies;
    return 0;
}

static struct offline *offline_new(const mw_app *d)
{
    struct offline *o = mw_alloc_zeroed(1, sizeof(*o));

    if (!o)
        return NULL;
    o->descriptor = *d;
    o->descriptor.instance = MW_INSTANCE_ONE;
    o->descriptor.tick_ns = 0;
    o->descriptor.open = NULL;
    o->descriptor.close = NULL;
    o->descriptor.tick = NULL;
    if (copy_attributes(o, d) < 0 || copy_predicates(o, d) < 0 || copy_policies(o, d) < 0) {
        offline_free(o);
        return NULL;
    }
    return o;
}

void offline_free(struct offline *o)
{
    if (!o)
        return;
    mw_free(o->attributes);
    mw_free(o->predicates);
    mw_free(o->policies);
    mw_free(o->rules);
    mw_free(o);
}

/* ---- opening -------------------------------------------------------------------------------------------- */

static int open_app(struct mounted *m, struct mw_error *ret_error)
{
    struct policies policies = {0};
    struct app_options options = {.name = m->name, .descriptor = m->offline ? &m->offline->descriptor : NULL,
                                  .message_bytes = 1048576};
    int err = m->ini ? policies_from_ini(m->ini, options.descriptor, &policies, ret_error) : 0;

    if (err < 0)
        return err;
    options.policies = policies_give(&policies);
    err = app_open(&options, &m->app, ret_error);
    policies_clear(&policies);
    return err;
}

int offline_open(struct mounted *m, struct mw_error *ret_error)
{
    bool is_ours = m->descriptor && m->descriptor->abi == MW_ABI && m->descriptor->size >= sizeof(*m->descriptor);

    if (m->descriptor && !is_ours)
        return mw_fail(ret_error, -EINVAL, "'%s': its back end is of another version of the library", m->name);
    if (m->descriptor) {
        m->offline = offline_new(m->descriptor);
        if (!m->offline)
            return mw_fail(ret_error, -ENOMEM, "'%s': out of memory", m->name);
    }
    return open_app(m, ret_error);
}

int mw_server_use_policies(mw_server *server, size_t index, const char *file, struct mw_error *ret_error)
{
    struct ini_document *document = NULL;
    int err;

    if (server->state != SERVER_NEW || index >= server->app_count)
        return mw_fail(ret_error, -EINVAL, "read '%s': there is no such app, or it runs already", file);
    err = ini_document_read(file, &document, ret_error);
    if (err < 0)
        return err;
    ini_document_free(server->apps[index]->ini);
    server->apps[index]->ini = document;
    return 0;
}

int mw_server_open_policies(mw_server *server, struct mw_error *ret_error)
{
    size_t i;
    int err = server->state == SERVER_NEW ? 0 : mw_fail(ret_error, -EBUSY, "look at policies: the server runs already");

    for (i = 0; err == 0 && i < server->app_count; i++) {
        err = mounted_load(server->apps[i], ret_error);
        if (err == 0)
            err = offline_open(server->apps[i], ret_error);
    }
    return err;
}

/* ---- questions -------------------------------------------------------------------------------------------- */

static const struct mounted *opened(const mw_server *server, size_t index)
{
    return index < server->app_count && server->apps[index]->app ? server->apps[index] : NULL;
}

int mw_server_explain(mw_server *server, size_t index, const char *const *roles, size_t role_count, int right, const char *name,
                      mw_value *ret_trail)
{
    const struct mounted *m = opened(server, index);
    const struct app_identity who = {.user = NULL, .roles = roles, .role_count = role_count};

    return m ? app_explain(m->app, &who, right, name, strlen(name), ret_trail) : -ENOENT;
}

const char *mw_server_role_at(const mw_server *server, size_t index, size_t role)
{
    const struct mounted *m = opened(server, index);

    return m ? app_role_at(m->app, role) : NULL;
}

const char *mw_server_name_at(const mw_server *server, size_t index, size_t name, int *ret_rights)
{
    const struct mounted *m = opened(server, index);
    const mw_app *d = m && m->offline ? &m->offline->descriptor : NULL;

    if (!d)
        return NULL;
    if (name < d->attribute_count) {
        *ret_rights = mw_attribute_offers(&d->attributes[name]);
        return d->attributes[name].name;
    }
    name -= d->attribute_count;
    *ret_rights = MW_CALLABLE;
    return name < d->command_count ? d->commands[name].name : NULL;
}
