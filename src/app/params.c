/* The params of a command: checking what a caller gave against its table.
 * Not which command; that is call.c. Read next: call.c.
 * SPDX-License-Identifier: MIT */
#include "app/params.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/protocol.h"
#include "base/utf8.h"
#include "exposable/attribute.h"

#define WANTED_BYTES 256

/* ---- the table ------------------------------------------------------------------------------------------ */

static const char *param_fault(const mw_param *p)
{
    const size_t byte_count = p->name ? strlen(p->name) : 0;
    mw_attribute a = param_attribute(p);
    const bool is_any = p->kind == MW_NULL;

    if (byte_count < 1 || byte_count > APP_NAME_BYTES || !mw_utf8_is_valid(p->name, byte_count))
        return "its name has 1 to 256 bytes of UTF-8";
    if (is_any)
        return p->range.is_set || p->choice_count > 0 || p->max_bytes > 0 ? "any kind takes no range, choices or max_bytes" : NULL;
    return attribute_value_fault(&a);
}

const char *params_fault(const mw_command *command, size_t *ret_index)
{
    size_t i, j;

    *ret_index = 0;
    if (command->param_count > APP_PARAMS)
        return "more than 64 params";
    if (command->param_count > 0 && !command->params)
        return "param_count is set, but there are no params";
    for (i = 0; i < command->param_count; i++) {
        const char *fault = param_fault(&command->params[i]);

        *ret_index = i;
        for (j = 0; !fault && j < i; j++)
            if (strcmp(command->params[i].name, command->params[j].name) == 0)
                fault = "is declared twice";
        if (fault)
            return fault;
    }
    return NULL;
}

/* ---- what a caller gave ------------------------------------------------------------------------------------ */

/* {"level":...,"colour"?:...}, as far as there is room. */
static const char *wanted(const mw_command *command, char text[WANTED_BYTES])
{
    size_t i, used = 0;

    if (command->param_count == 0)
        return "no args";
    for (i = 0; i < command->param_count && used < WANTED_BYTES; i++) {
        int more = snprintf(text + used, WANTED_BYTES - used, "%s\"%s\"%s:...", i > 0 ? "," : "{", command->params[i].name,
                            command->params[i].is_optional ? "?" : "");

        used += more > 0 ? (size_t)more : 0;
    }
    if (used + 1 < WANTED_BYTES)
        memcpy(text + used, "}", 2);
    return text;
}

static int shape_failed(const mw_command *command, const char *name, const char *what, struct mw_error *ret_error)
{
    char text[WANTED_BYTES];

    return mw_fail(ret_error, RPC_PARAMS, "%s%s%s; \"args\" of %s: %s", name ? name : "", name ? " " : "", what, command->name,
                   wanted(command, text));
}

/* What was given for the param at this place. NULL: nothing */
static const mw_value *given_for(mw_value args, const mw_param *p, size_t index)
{
    const mw_value *given = mw_kind_of(args) == MW_LIST ? mw_list_at(args, index) : mw_map_get(args, p->name);

    return given && p->is_optional && mw_kind_of(*given) == MW_NULL ? NULL : given;
}

static int check_names(const mw_command *command, mw_value args, struct mw_error *ret_error)
{
    size_t i, j;

    if (mw_list_count(args) > command->param_count)
        return shape_failed(command, NULL, "too many", ret_error);
    for (i = 0; i < mw_map_count(args); i++) {
        const mw_value *key;

        (void)mw_map_at(args, i, &key);
        for (j = 0; j < command->param_count && !app_is_text(key, command->params[j].name); j++)
            continue;
        if (j == command->param_count)
            return shape_failed(command, mw_get_text(key, NULL), "is none of its params", ret_error);
    }
    return 0;
}

static int read_one(const mw_param *p, mw_value given, mw_value *io_map, struct mw_error *ret_error)
{
    const mw_attribute a = param_attribute(p);
    mw_value accepted = mw_null();
    int err = 0;

    if (p->kind == MW_NULL)
        accepted = mw_share(given);
    else
        err = attribute_accept(&a, given, &accepted, ret_error);
    if (err == -ENOMEM || (err == 0 && mw_map_set(io_map, p->name, accepted) < 0))
        return rpc_no_memory(ret_error);
    return err < 0 ? RPC_VALUE : 0;
}

int params_read(const mw_command *command, mw_value borrows_args, mw_value *ret, struct mw_error *ret_error)
{
    const enum mw_kind kind = mw_kind_of(borrows_args);
    mw_value map;
    size_t i;
    int err;

    if (kind != MW_MAP && kind != MW_LIST && kind != MW_NULL)
        return shape_failed(command, NULL, "want an object or a list", ret_error);
    err = check_names(command, borrows_args, ret_error);
    map = mw_map_new();
    for (i = 0; i < command->param_count && err == 0; i++) {
        const mw_param *p = &command->params[i];
        const mw_value *given = given_for(borrows_args, p, i);

        if (given)
            err = read_one(p, *given, &map, ret_error);
        else if (!p->is_optional)
            err = shape_failed(command, p->name, "is missing", ret_error);
    }
    if (err < 0) {
        mw_release(map);
        return err;
    }
    *ret = map;
    return 0;
}
