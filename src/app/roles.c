/* The policies of an app, and the roles that name them: made at open, and anew when app.ini has changed.
 * Not what a client's roles let it do; that is audience.c. Read next: audience.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/app_priv.h"
#include "base/memory.h"

static const char marked[] = "marked"; /* the attributes' own marks, as a policy */

/* ---- policies ---------------------------------------------------------------------------------------- */

static const mw_policy *find_policy(const struct role_table *table, const char *name)
{
    size_t i;

    for (i = 0; i < table->policy_count; i++)
        if (strcmp(mw_policy_name(table->policies[i]), name) == 0)
            return table->policies[i];
    return NULL;
}

static int check_file_policies(const struct app *app, const struct role_table *table, struct mw_error *ret_error)
{
    size_t i;

    for (i = 0; i < table->policy_count; i++) {
        const char *name = mw_policy_name(table->policies[i]);

        if (strcmp(name, marked) == 0)
            return mw_fail(ret_error, -EINVAL,
                           "app \"%s\": policy \"marked\" is the attributes' own marks; give yours another name", app->name);
        if (find_policy(table, name) != table->policies[i])
            return mw_fail(ret_error, -EEXIST, "app \"%s\": policy \"%s\" is given twice", app->name, name);
    }
    return 0;
}

static int make_policy(struct app *app, struct role_table *ret, const mw_policy_table *table, struct mw_error *ret_error)
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
    ret->policies[ret->policy_count++] = policy;
    return 0;
}

/* Those declared in C, behind those of the file, which win. */
static int add_declared_policies(struct app *app, struct role_table *table, struct mw_error *ret_error)
{
    const mw_app *d = &app->descriptor;
    size_t i;

    for (i = 0; i < d->policy_count; i++) {
        int err;

        if (strcmp(d->policies[i].name, marked) == 0)
            return mw_fail(ret_error, -EINVAL,
                           "app \"%s\": policy \"marked\" is the attributes' own marks; give yours another name", app->name);
        if (find_policy(table, d->policies[i].name)) {
            app_log(app, "policy \"%s\" of app \"%s\": the one in app.ini replaces the back end's", d->policies[i].name,
                    app->name);
            continue;
        }
        err = make_policy(app, table, &d->policies[i], ret_error);
        if (err < 0)
            return err;
    }
    return 0;
}

/* ---- roles --------------------------------------------------------------------------------------------- */

static int make_role(struct app *app, struct role_table *table, const struct app_role *given, struct mw_error *ret_error)
{
    struct role *role = &table->roles[table->role_count];
    size_t i;

    if (roles_find(table, given->name, strlen(given->name)))
        return mw_fail(ret_error, -EEXIST, "app \"%s\": role \"%s\" is given twice", app->name, given->name);
    role->name = mw_copy_text(given->name);
    role->grants = given->grants;
    role->policies = mw_alloc_zeroed(given->policy_count + 1, sizeof(*role->policies));
    table->role_count++; /* half-built ones are cleared too */
    if (!role->name || !role->policies)
        return app_no_memory(app->name, ret_error);
    for (i = 0; i < given->policy_count; i++) {
        const mw_policy *policy = find_policy(table, given->policies[i]);

        if (!policy && strcmp(given->policies[i], marked) != 0)
            return mw_fail(ret_error, -ENOENT,
                           "app \"%s\": role \"%s\" names policy \"%s\", which is neither in app.ini nor in the back end",
                           app->name, given->name, given->policies[i]);
        role->policies[role->policy_count++] = policy;
    }
    return 0;
}

const struct role *roles_find(const struct role_table *table, const char *name, size_t name_bytes)
{
    size_t i;

    for (i = 0; i < table->role_count; i++)
        if (strlen(table->roles[i].name) == name_bytes && memcmp(table->roles[i].name, name, name_bytes) == 0)
            return &table->roles[i];
    return NULL;
}

static int make_roles(struct app *app, struct role_table *table, const struct app_role *roles, size_t count,
                      struct mw_error *ret_error)
{
    static const char *const marked_only[] = {marked};
    const struct app_role unless_told_otherwise = {.name = APP_ANONYMOUS, .policies = marked_only, .policy_count = 1};
    size_t i;
    int err = 0;

    for (i = 0; err == 0 && i < count; i++)
        err = make_role(app, table, &roles[i], ret_error);
    if (err == 0 && !roles_find(table, APP_ANONYMOUS, strlen(APP_ANONYMOUS)))
        err = make_role(app, table, &unless_told_otherwise, ret_error);
    return err;
}

/* The policies find their owner. 0; -ENOMEM: they are freed */
static int take_policies(const struct app *app, const struct app_policies *takes, struct role_table *table)
{
    size_t i;

    table->policies = mw_alloc_zeroed(takes->policy_count + app->descriptor.policy_count + 1, sizeof(mw_policy *));
    table->roles = mw_alloc_zeroed(takes->role_count + 1, sizeof(*table->roles));
    for (i = 0; i < takes->policy_count; i++) {
        if (table->policies && table->roles)
            table->policies[table->policy_count++] = takes->policies[i];
        else
            mw_policy_free(takes->policies[i]);
    }
    return table->policies && table->roles ? 0 : -ENOMEM;
}

int roles_make(struct app *app, const struct app_policies *takes, struct role_table *ret, struct mw_error *ret_error)
{
    struct role_table table = {0};
    int err = take_policies(app, takes, &table);

    if (err < 0)
        (void)app_no_memory(app->name, ret_error); /* says so */
    else
        err = check_file_policies(app, &table, ret_error);
    if (err == 0)
        err = add_declared_policies(app, &table, ret_error);
    if (err == 0)
        err = make_roles(app, &table, takes->roles, takes->role_count, ret_error);
    if (err < 0)
        roles_clear(&table);
    else
        *ret = table;
    return err;
}

void roles_clear(struct role_table *table)
{
    size_t i;

    for (i = 0; i < table->role_count; i++) {
        mw_free(table->roles[i].name);
        mw_free(table->roles[i].policies);
    }
    for (i = 0; i < table->policy_count; i++)
        mw_policy_free(table->policies[i]);
    mw_free(table->roles);
    mw_free(table->policies);
    *table = (struct role_table){0};
}

int app_set_policies(struct app *app, const struct app_policies *takes, struct mw_error *ret_error)
{
    struct role_table before = app->roles, table;
    mw_instance *instance;
    int err = roles_make(app, takes, &table, ret_error);

    if (err < 0)
        return err;
    app->roles = table;
    app->roles_generation++;
    for (instance = instance_walk(app, NULL); instance; instance = instance_walk(app, instance)) {
        watch_follow_rights(instance); /* every view is made anew: none may hold on to what is freed below */
        instance_touch(instance);
    }
    roles_clear(&before);
    return 0;
}
