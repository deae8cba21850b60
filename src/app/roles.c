/* Who may do what: the policies and roles of an app, and per instance the audience that a role makes.
 * Not the decisions themselves; those are exposable's. Read next: protocol.c.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "app/app_priv.h"
#include "app/print.h"
#include "base/memory.h"

static const char marked[] = "marked"; /* the attributes' own marks, as a policy */
static const char anonymous[] = "anonymous";

/* ---- policies ---------------------------------------------------------------------------------------- */

static const mw_policy *find_policy(const struct app *app, const char *name)
{
    size_t i;

    for (i = 0; i < app->policy_count; i++)
        if (strcmp(mw_policy_name(app->policies[i]), name) == 0)
            return app->policies[i];
    return NULL;
}

static int check_file_policies(const struct app *app, struct mw_error *ret_error)
{
    size_t i;

    for (i = 0; i < app->policy_count; i++) {
        const char *name = mw_policy_name(app->policies[i]);

        if (strcmp(name, marked) == 0)
            return mw_fail(ret_error, -EINVAL,
                           "app \"%s\": policy \"marked\" is the attributes' own marks; give yours another name", app->name);
        if (find_policy(app, name) != app->policies[i])
            return mw_fail(ret_error, -EEXIST, "app \"%s\": policy \"%s\" is given twice", app->name, name);
    }
    return 0;
}

static int make_policy(struct app *app, const mw_policy_table *table, struct mw_error *ret_error)
{
    mw_policy *policy;
    struct mw_error why = {0};
    size_t i;
    int err;

    if (table->rule_count > 0 && !table->rules)
        return mw_fail(ret_error, -EINVAL, "app \"%s\": policy \"%s\": rule_count is %zu, but there is no table",
                       app->name, table->name, table->rule_count);
    policy = mw_policy_new(table->name);
    err = policy ? 0 : -ENOMEM;
    for (i = 0; err == 0 && i < table->rule_count; i++) {
        err = mw_rule_check(&table->rules[i], &why);
        if (err == 0)
            err = mw_policy_add(policy, &table->rules[i]);
    }
    if (err < 0) {
        mw_policy_free(policy);
        return mw_fail(ret_error, err, "app \"%s\": policy \"%s\": rule %zu: %s", app->name, table->name, i,
                       why.text[0] ? why.text : mw_strerror(err));
    }
    app->policies[app->policy_count++] = policy;
    return 0;
}

/* Those declared in C, behind those of the file, which win. */
static int add_declared_policies(struct app *app, struct mw_error *ret_error)
{
    const mw_app *d = &app->descriptor;
    mw_policy **more = mw_resize(app->policies, (app->policy_count + d->policy_count + 1) * sizeof(*more));
    size_t i;

    if (!more)
        return app_no_memory(app->name, ret_error);
    app->policies = more;
    for (i = 0; i < d->policy_count; i++) {
        int err;

        if (strcmp(d->policies[i].name, marked) == 0)
            return mw_fail(ret_error, -EINVAL,
                           "app \"%s\": policy \"marked\" is the attributes' own marks; give yours another name", app->name);
        if (find_policy(app, d->policies[i].name)) {
            app_log(app, "policy \"%s\" of app \"%s\": the one in app.ini replaces the back end's", d->policies[i].name,
                    app->name);
            continue;
        }
        err = make_policy(app, &d->policies[i], ret_error);
        if (err < 0)
            return err;
    }
    return 0;
}

/* ---- roles --------------------------------------------------------------------------------------------- */

static int make_role(struct app *app, const struct app_role *given, struct mw_error *ret_error)
{
    struct role *role = &app->roles[app->role_count];
    size_t i;

    for (i = 0; i < app->role_count; i++)
        if (strcmp(app->roles[i].name, given->name) == 0)
            return mw_fail(ret_error, -EEXIST, "app \"%s\": role \"%s\" is given twice", app->name, given->name);
    role->name = mw_copy_text(given->name);
    role->policies = mw_alloc_zeroed(given->policy_count + 1, sizeof(*role->policies));
    app->role_count++; /* half-built ones are cleared too */
    if (!role->name || !role->policies)
        return app_no_memory(app->name, ret_error);
    for (i = 0; i < given->policy_count; i++) {
        const mw_policy *policy = find_policy(app, given->policies[i]);

        if (!policy && strcmp(given->policies[i], marked) != 0)
            return mw_fail(ret_error, -ENOENT,
                           "app \"%s\": role \"%s\" names policy \"%s\", which is neither in app.ini nor in the back end",
                           app->name, given->name, given->policies[i]);
        role->policies[role->policy_count++] = policy;
    }
    return 0;
}

int roles_read(struct app *app, const struct app_options *options, struct mw_error *ret_error)
{
    static const char *const marked_only[] = {marked};
    const struct app_role unless_told_otherwise = {.name = anonymous, .policies = marked_only, .policy_count = 1};
    int err = check_file_policies(app, ret_error);
    size_t i;

    if (err == 0)
        err = add_declared_policies(app, ret_error);
    if (err < 0)
        return err;
    app->roles = mw_alloc_zeroed(options->role_count + 1, sizeof(*app->roles));
    if (!app->roles)
        return app_no_memory(app->name, ret_error);
    for (i = 0; i < options->role_count; i++) {
        err = make_role(app, &options->roles[i], ret_error);
        if (err < 0)
            return err;
        if (strcmp(options->roles[i].name, anonymous) == 0)
            app->anonymous = &app->roles[i];
    }
    if (app->anonymous)
        return 0;
    err = make_role(app, &unless_told_otherwise, ret_error);
    if (err == 0)
        app->anonymous = &app->roles[app->role_count - 1];
    return err;
}

void roles_clear(struct app *app)
{
    size_t i;

    for (i = 0; i < app->role_count; i++) {
        mw_free(app->roles[i].name);
        mw_free(app->roles[i].policies);
    }
    mw_free(app->roles);
    app->roles = NULL;
    app->role_count = 0;
}

/* ---- audiences --------------------------------------------------------------------------------------------- */

const char *rights_word(int rights)
{
    static const char *const words[] = {"", "get", "set", "get set", "call", "get call", "set call", "get set call"};

    static_assert(MW_GETTABLE == 1 && MW_SETTABLE == 2 && MW_CALLABLE == 4, "the words are in the order of the bits");
    return words[rights & (MW_EXPOSED | MW_CALLABLE)];
}

int audience_rights_at(const mw_instance *instance, const struct audience *audience, size_t index)
{
    return mw_view_rights_at(&audience->view, index) & MW_EXPOSED &
           mw_attribute_offers(mw_exposable_attribute(instance->exposable, index));
}

const mw_command *audience_command(const mw_instance *instance, const struct audience *audience, const char *name,
                                   size_t name_bytes)
{
    const mw_command *command = descriptor_command(&instance->app->descriptor, name, name_bytes);

    return command && mw_view_may(&audience->view, MW_CALLABLE, name, name_bytes) ? command : NULL;
}

const struct exposed_tasklet *audience_tasklet(const mw_instance *instance, const struct audience *audience,
                                               const char *name, size_t name_bytes)
{
    const struct exposed_tasklet *exposed = instance_tasklet(instance, name, name_bytes);

    return exposed && mw_view_may(&audience->view, MW_CALLABLE, name, name_bytes) ? exposed : NULL;
}

const struct exposed_tasklet *audience_tasklet_at(const mw_instance *instance, const struct audience *audience,
                                                  size_t index, const mw_value **ret_name)
{
    size_t name_bytes;
    const char *name;

    (void)mw_map_at(instance->tasklets, index, ret_name);
    name = mw_get_text(*ret_name, &name_bytes);
    return audience_tasklet(instance, audience, name, name_bytes);
}

int audience_rights(const mw_instance *instance, const struct audience *audience, const char *name, size_t name_bytes)
{
    int index = mw_exposable_find(instance->exposable, name, name_bytes);
    int rights = index < 0 ? 0 : audience_rights_at(instance, audience, (size_t)index);

    if (audience_command(instance, audience, name, name_bytes) || audience_tasklet(instance, audience, name, name_bytes))
        rights |= MW_CALLABLE;
    return rights;
}

/* One map for attributes, commands and tasklets: a name that is attribute and command has the rights of both. */
static size_t print_rights(const mw_instance *instance, const struct audience *audience, struct mw_buffer *b)
{
    const mw_app *d = &instance->app->descriptor;
    size_t named = 0, i;

    (void)mw_buffer_append_byte(b, '{');
    for (i = 0; i < d->attribute_count && named <= APP_HELLO_RIGHTS; i++) {
        const char *name = d->attributes[i].name;
        int rights = audience_rights_at(instance, audience, i);

        if (audience_command(instance, audience, name, strlen(name)))
            rights |= MW_CALLABLE;
        if (rights == 0)
            continue;
        named++;
        print_comma(b);
        app_print_key(instance->app, b, i);
        print_c_text(b, rights_word(rights));
    }
    for (i = 0; i < d->command_count && named <= APP_HELLO_RIGHTS; i++) {
        const char *name = d->commands[i].name;

        if (!audience_command(instance, audience, name, strlen(name)) ||
            mw_exposable_find(instance->exposable, name, strlen(name)) >= 0)
            continue;
        named++;
        print_comma(b);
        print_c_text(b, name);
        print_literal(b, ":\"call\"");
    }
    for (i = 0; i < mw_map_count(instance->tasklets) && named <= APP_HELLO_RIGHTS; i++) {
        const mw_value *name;

        if (!audience_tasklet_at(instance, audience, i, &name))
            continue;
        named++;
        print_comma(b);
        print_name(b, *name);
        print_literal(b, "\"call\"");
    }
    (void)mw_buffer_append_byte(b, '}');
    return named;
}

static mw_value rights_text(const mw_instance *instance, const struct audience *audience)
{
    struct mw_buffer b;
    mw_value text;

    mw_buffer_init(&b, SIZE_MAX);
    if (print_rights(instance, audience, &b) > APP_HELLO_RIGHTS) {
        print_rewind(&b, 0);
        print_literal(&b, "null");
    }
    text = print_as_text(&b);
    mw_buffer_clear(&b);
    return text;
}

bool audience_is_stale(const mw_instance *instance, const struct audience *audience)
{
    return audience->stamp != mw_view_stamp(&audience->view) || audience->exposures != instance->exposures;
}

int audience_refresh(mw_instance *instance, struct audience *audience)
{
    const struct role *role = &instance->app->roles[audience - instance->audiences];
    mw_value text;
    bool differs;

    if (audience->is_made && !audience_is_stale(instance, audience))
        return 0;
    audience->role = role;
    audience->view = mw_view_of(instance->exposable, role->policies, role->policy_count);
    text = rights_text(instance, audience);
    if (mw_kind_of(text) == MW_MISSING)
        return -ENOMEM;
    differs = !mw_equal(text, audience->rights);
    mw_release(audience->rights);
    audience->rights = text;
    audience->stamp = mw_view_stamp(&audience->view);
    audience->exposures = instance->exposures;
    audience->is_made = true;
    return differs;
}

void audience_clear(struct audience *audience)
{
    mw_release(audience->rights);
}
