/* Reads a back end's descriptor: is it one that fits, and does it make sense?
 * Not the policies and roles; those are in roles.c. Read next: app.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/app_priv.h"
#include "app/params.h"
#include "base/utf8.h"

/* The shortest tick: below it, a loop pass is what limits. */
#define TICK_MIN_NS INT64_C(1000000)
#define STATE_MAX_BYTES ((size_t)1 << 40)

static const mw_app no_back_end = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "none"};

static int check_name(const char *app_name, const char *what, const char *name, struct mw_error *ret_error)
{
    size_t byte_count = name ? strlen(name) : 0;

    if (byte_count < 1 || byte_count > APP_NAME_BYTES)
        return mw_fail(ret_error, -EINVAL, "app \"%s\": a %s's name has 1 to %d bytes", app_name, what, APP_NAME_BYTES);
    if (!mw_utf8_is_valid(name, byte_count))
        return mw_fail(ret_error, -EINVAL, "app \"%s\": a %s's name is no UTF-8", app_name, what);
    return 0;
}

/* A table of `count` elements whose first field is the name: each has one, no two the same. */
static int check_names(const char *app_name, const char *what, const void *table, size_t count, size_t element_bytes,
                       struct mw_error *ret_error)
{
    mw_value seen = mw_map_new();
    int err = 0;
    size_t i;

    if (count > 0 && !table) {
        err = mw_fail(ret_error, -EINVAL, "app \"%s\": %s_count is %zu, but there is no table", app_name, what, count);
        goto out;
    }
    for (i = 0; i < count && err == 0; i++) {
        const char *name;

        memcpy(&name, (const char *)table + i * element_bytes, sizeof(name));
        err = check_name(app_name, what, name, ret_error);
        if (err == 0 && mw_map_get(seen, name))
            err = mw_fail(ret_error, -EINVAL, "app \"%s\": %s \"%s\" is declared twice", app_name, what, name);
        if (err == 0 && mw_map_set(&seen, name, mw_bool(true)) < 0)
            err = app_no_memory(app_name, ret_error);
    }
out:
    mw_release(seen);
    return err;
}

static int check_shape(const mw_app *app, const char *app_name, struct mw_error *ret_error)
{
    if (app->abi == 0)
        return mw_fail(ret_error, -ENOEXEC, "app \"%s\" does not say its ABI: begin with .abi = MW_ABI, .size = sizeof(mw_app)", app_name);
    if (app->abi != MW_ABI)
        return mw_fail(ret_error, -ENOEXEC, "app \"%s\" is built for ABI %u of Meshwork, this is ABI %u: build it again",
                       app_name, (unsigned)app->abi, MW_ABI);
    if (app->size > sizeof(mw_app))
        return mw_fail(ret_error, -ENOEXEC,
                       "app \"%s\" is built for a newer Meshwork: its descriptor has %u bytes, this one knows %zu",
                       app_name, (unsigned)app->size, sizeof(mw_app));
    if (app->size < offsetof(mw_app, instance))
        return mw_fail(ret_error, -EINVAL, "app \"%s\": the descriptor's size is %u; write .size = sizeof(mw_app)",
                       app_name, (unsigned)app->size);
    return 0;
}

static int check_numbers(const mw_app *app, const char *app_name, struct mw_error *ret_error)
{
    int mode = (int)app->instance;

    if (mode != MW_INSTANCE_ONE && mode != MW_INSTANCE_PER_USER && mode != MW_INSTANCE_PER_CLIENT)
        return mw_fail(ret_error, -EINVAL, "app \"%s\": instance %d is no mw_instance_mode", app_name, mode);
    if (app->tick_ns != 0 && app->tick_ns < TICK_MIN_NS)
        return mw_fail(ret_error, -EINVAL, "app \"%s\": tick_ns is %lld; it is 0 (none) or at least 1000000 (1 ms)",
                       app_name, (long long)app->tick_ns);
    if (app->tick_ns != 0 && !app->tick)
        return mw_fail(ret_error, -EINVAL, "app \"%s\": tick_ns is set, but there is no tick", app_name);
    if (app->tick_ns == 0 && app->tick)
        return mw_fail(ret_error, -EINVAL, "app \"%s\": there is a tick, but tick_ns is 0: write how often, .tick_ns = 1000000000",
                       app_name);
    if (app->state_bytes > STATE_MAX_BYTES || app->client_bytes > STATE_MAX_BYTES)
        return mw_fail(ret_error, -EINVAL, "app \"%s\": state_bytes or client_bytes is beyond reason", app_name);
    if (app->state && mode != MW_INSTANCE_ONE)
        return mw_fail(ret_error, -EINVAL, "app \"%s\": state is one object, so there can be one instance: leave it out, or write "
                       ".instance = MW_INSTANCE_ONE", app_name);
    if (app->receive && app->receive_raw)
        return mw_fail(ret_error, -EINVAL, "app \"%s\": receive and receive_raw: choose one", app_name);
    return 0;
}

static int check_commands(const mw_app *app, const char *app_name, struct mw_error *ret_error)
{
    size_t i;
    int err = check_names(app_name, "command", app->commands, app->command_count, sizeof(mw_command), ret_error);

    for (i = 0; i < app->command_count && err == 0; i++) {
        const mw_command *command = &app->commands[i];
        size_t param;
        const char *fault = params_fault(command, &param), *name = fault && command->params ? command->params[param].name : NULL;

        if (!command->call)
            err = mw_fail(ret_error, -EINVAL, "app \"%s\": command \"%s\" has no function", app_name, command->name);
        else if (fault)
            err = mw_fail(ret_error, -EINVAL, "app \"%s\": command \"%s\", param %zu%s%s%s: %s", app_name, command->name, param,
                          name ? " \"" : "", name ? name : "", name ? "\"" : "", fault);
    }
    return err;
}

static int check_predicates(const mw_app *app, const char *app_name, struct mw_error *ret_error)
{
    size_t i;
    int err = check_names(app_name, "predicate", app->predicates, app->predicate_count, sizeof(mw_predicate), ret_error);

    for (i = 0; i < app->predicate_count && err == 0; i++)
        if (!app->predicates[i].ask)
            err = mw_fail(ret_error, -EINVAL, "app \"%s\": predicate \"%s\" has no function", app_name,
                          app->predicates[i].name);
    return err;
}

static int check_attributes(const mw_app *app, const char *app_name, struct mw_error *ret_error)
{
    struct mw_error why = {0};
    size_t i;
    int err;

    if (app->attribute_count > 0 && !app->attributes)
        return mw_fail(ret_error, -EINVAL, "app \"%s\": attribute_count is %zu, but there is no table", app_name,
                       app->attribute_count);
    err = mw_attributes_check(app->attributes, app->attribute_count, app->state_bytes, &why);
    if (err < 0)
        return mw_fail(ret_error, err, "app \"%s\": %s", app_name, why.text[0] ? why.text : mw_strerror(err));
    for (i = 0; app->state_bytes == 0 && !app->state && i < app->attribute_count; i++)
        if (app->attributes[i].field_bytes > 0)
            return mw_fail(ret_error, -EINVAL, "app \"%s\": attribute '%s' is a field, but state_bytes is 0: write "
                           ".state_bytes = sizeof(struct ...)", app_name, app->attributes[i].name);
    return 0;
}

/* Rights go by names, so a name is that of one thing. */
static int check_commands_are_no_attributes(const mw_app *app, const char *app_name, struct mw_error *ret_error)
{
    mw_value names = mw_map_new();
    int err = 0;
    size_t i;

    for (i = 0; i < app->command_count && err == 0; i++)
        if (mw_map_set(&names, app->commands[i].name, mw_null()) < 0)
            err = app_no_memory(app_name, ret_error);
    for (i = 0; app->command_count > 0 && i < app->attribute_count && err == 0; i++)
        if (mw_map_get(names, app->attributes[i].name))
            err = mw_fail(ret_error, -EINVAL, "app \"%s\": '%s' is an attribute and a command: name one of them otherwise", app_name,
                          app->attributes[i].name);
    mw_release(names);
    return err;
}

int descriptor_read(const mw_app *borrows, const char *app_name, mw_app *ret, struct mw_error *ret_error)
{
    const mw_app *given = borrows ? borrows : &no_back_end;
    mw_app app = {0};
    int err = check_shape(given, app_name, ret_error);

    if (err < 0)
        return err;
    memcpy(&app, given, given->size);
    err = check_name(app_name, "back end", app.name, ret_error);
    if (err == 0)
        err = check_numbers(&app, app_name, ret_error);
    if (err == 0)
        err = check_commands(&app, app_name, ret_error);
    if (err == 0)
        err = check_names(app_name, "policy", app.policies, app.policy_count, sizeof(mw_policy_table), ret_error);
    if (err == 0)
        err = check_predicates(&app, app_name, ret_error);
    if (err < 0)
        return err;
    err = check_attributes(&app, app_name, ret_error);
    if (err == 0)
        err = check_commands_are_no_attributes(&app, app_name, ret_error);
    if (err == 0)
        *ret = app;
    return err;
}

const mw_command *descriptor_command(const mw_app *descriptor, const char *name, size_t name_bytes)
{
    size_t i;

    for (i = 0; i < descriptor->command_count; i++)
        if (strlen(descriptor->commands[i].name) == name_bytes && memcmp(descriptor->commands[i].name, name, name_bytes) == 0)
            return &descriptor->commands[i];
    return NULL;
}
