/* The methods of meshwork.v1 that read and describe.
 * Not those that watch, set or reach code; those are in methods_watch.c, set.c and call.c. Read next: methods_watch.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/params.h"
#include "app/print.h"
#include "app/protocol.h"

/* ---- getAttr, and what watch answers --------------------------------------------------------------------- */

/* The getter failed: say why, and log it. */
static void refuse_unreadable(struct rpc_call *call, mw_value name, size_t index, int code)
{
    struct app *app = call->instance->app;
    const mw_view view = client_view(call->client);
    struct mw_error why = {0};
    mw_value value;

    if (code == -ENODATA) { /* write-only is no failure */
        call_refuse(call, name, code, NULL);
        return;
    }
    /* A look keeps no reason: ask again, for that alone. */
    if (mw_view_get_at(&view, index, &value, &why) == 0)
        mw_release(value);
    app_log_failure(app, &app->getter_failures, app->descriptor.attributes[index].name, code, why.text);
    call_refuse(call, name, code == -EACCES || code == -ENOENT || code == -EROFS ? -EIO : code, why.text);
}

int64_t call_read_one(struct rpc_call *call, mw_value name, const int64_t *known, size_t *ret_index)
{
    struct mw_buffer *out = &call->scratch->out;
    int index = call_find(call, name, MW_GETTABLE);
    const mw_value *value;
    int64_t revision;

    if (index < 0) {
        call_refuse(call, name, -EACCES, NULL);
        return -EACCES;
    }
    *ret_index = (size_t)index;
    revision = mw_exposable_look(call->instance->exposable, (size_t)index, &value);
    if (revision < 0) {
        refuse_unreadable(call, name, (size_t)index, (int)revision);
        return revision;
    }
    call_note_revision(call, (size_t)index, revision);
    if (known && *known == revision)
        return revision;
    print_comma(out);
    app_print_key(call->instance->app, out, (size_t)index);
    print_attribute(out, mw_exposable_attribute(call->instance->exposable, (size_t)index), *value);
    return revision;
}

int rpc_get_attributes(struct rpc_call *call, struct mw_error *ret_error)
{
    struct names names;
    const mw_value *name;
    size_t index;
    int err = names_open_call(&names, call, ret_error);

    if (err < 0)
        return err;
    print_literal(&call->scratch->out, "{\"values\":{");
    while ((err = names_next(&names, &name)) > 0)
        (void)call_read_one(call, *name, NULL, &index); /* what is refused is in the answer */
    print_literal(&call->scratch->out, "},");
    call_print_notes(call);
    names_close(&names);
    return err < 0 ? rpc_no_memory(ret_error) : 0;
}

/* ---- describe, rights ------------------------------------------------------------------------------------------- */

/* Ints of 64 bits travel as strings beyond +-2^53, so they have a name of their own. */
static const char *kind_word(const mw_attribute *a)
{
    const uint32_t bytes = a->element_bytes > 0 ? a->element_bytes : a->field_bytes;

    if (a->kind == MW_NULL)
        return "any";
    if (a->kind == MW_INT && (bytes == 8 || bytes == 0))
        return "int64";
    return mw_kind_name(a->kind);
}

static void print_text_member(struct mw_buffer *b, const char *name_with_colon, const char *text)
{
    if (!text)
        return;
    (void)mw_buffer_append_byte(b, ',');
    (void)mw_buffer_append_text(b, name_with_colon);
    print_c_text(b, text);
}

/* A bound of an int is printed as one. */
static void print_bound(struct mw_buffer *b, const char *name_with_colon, const mw_attribute *a, double bound)
{
    (void)mw_buffer_append_byte(b, ',');
    (void)mw_buffer_append_text(b, name_with_colon);
    if (a->kind == MW_INT && bound > -9.2e18 && bound < 9.2e18)
        print_attribute(b, a, mw_int((int64_t)bound));
    else
        print_value(b, mw_real(bound));
}

static void print_choices(struct mw_buffer *b, const mw_attribute *a)
{
    size_t i;

    print_literal(b, ",\"choices\":[");
    for (i = 0; i < a->choice_count; i++) {
        print_comma(b);
        if (a->kind == MW_INT)
            print_attribute(b, a, mw_int(a->choices[i].number));
        else
            print_c_text(b, a->choices[i].name);
    }
    print_literal(b, "]");
}

/* What values it takes: {"kind":...,"min":... without the end of the object. */
static void print_shape(struct mw_buffer *b, const mw_attribute *a)
{
    mw_attribute cell = *a;

    cell.element_bytes = 0;
    print_literal(b, "{\"kind\":");
    if (a->element_bytes > 0) {
        print_literal(b, "\"list\",\"count\":");
        print_int(b, a->field_bytes / a->element_bytes);
        print_text_member(b, "\"of\":", kind_word(a));
    } else {
        print_c_text(b, kind_word(a));
    }
    print_text_member(b, "\"unit\":", a->unit);
    if (a->range.is_set) {
        print_bound(b, "\"min\":", &cell, a->range.min);
        print_bound(b, "\"max\":", &cell, a->range.max);
    }
    if (a->choice_count > 0)
        print_choices(b, &cell);
    if (a->max_bytes > 0) {
        print_literal(b, ",\"max_bytes\":");
        print_int(b, a->max_bytes);
    }
}

static void describe_attribute(struct rpc_call *call, size_t index)
{
    const mw_attribute *a = mw_exposable_attribute(call->instance->exposable, index);
    int rights = audience_rights_at(call->instance, call->client->audience, index);
    struct mw_buffer *b = &call->scratch->out;

    if (rights == 0)
        return;
    print_comma(b);
    app_print_key(call->instance->app, b, index);
    print_shape(b, a);
    print_text_member(b, "\"rights\":", rights_word(rights));
    print_text_member(b, "\"doc\":", a->doc);
    print_literal(b, "}");
}

/* What can be called, but for its params and the end of the object. */
static void print_callable(struct mw_buffer *b, const char *doc)
{
    print_literal(b, "{\"rights\":\"call\"");
    print_text_member(b, "\"doc\":", doc);
}

static void describe_params(struct mw_buffer *b, const mw_command *command)
{
    size_t i;

    print_literal(b, ",\"params\":{");
    for (i = 0; i < command->param_count; i++) {
        const mw_param *p = &command->params[i];
        const mw_attribute a = param_attribute(p);

        print_comma(b);
        print_c_text(b, p->name);
        (void)mw_buffer_append_byte(b, ':');
        print_shape(b, &a);
        if (p->is_optional)
            print_literal(b, ",\"optional\":true");
        print_text_member(b, "\"doc\":", p->doc);
        print_literal(b, "}");
    }
    print_literal(b, "}");
}

static void describe_command(struct rpc_call *call, const mw_command *command)
{
    struct mw_buffer *b = &call->scratch->out;

    if (!audience_command(call->instance, call->client->audience, command->name, strlen(command->name)))
        return;
    print_comma(b);
    print_c_text(b, command->name);
    (void)mw_buffer_append_byte(b, ':');
    print_callable(b, command->doc);
    if (command->params)
        describe_params(b, command);
    print_literal(b, "}");
}

static void describe_tasklet(struct rpc_call *call, size_t index)
{
    struct mw_buffer *b = &call->scratch->out;
    const mw_value *name;
    const struct exposed_tasklet *exposed = audience_tasklet_at(call->instance, call->client->audience, index, &name);

    if (!exposed)
        return;
    print_comma(b);
    print_name(b, *name);
    print_callable(b, exposed->doc);
    print_literal(b, "}");
}

int rpc_describe(struct rpc_call *call, struct mw_error *ret_error)
{
    const mw_app *d = &call->instance->app->descriptor;
    struct mw_buffer *b = &call->scratch->out;
    size_t i;

    if (mw_list_count(call->params) > 0 || mw_map_count(call->params) > 0)
        return mw_fail(ret_error, RPC_PARAMS, "describe takes no params: []");
    app_worked(call->instance->app, d->attribute_count + d->command_count);
    print_literal(b, "{\"attributes\":{");
    for (i = 0; i < d->attribute_count; i++)
        describe_attribute(call, i);
    print_literal(b, "},\"commands\":{");
    for (i = 0; i < d->command_count; i++)
        describe_command(call, &d->commands[i]);
    print_literal(b, "},\"tasklets\":{");
    for (i = 0; i < mw_map_count(call->instance->tasklets); i++)
        describe_tasklet(call, i);
    print_literal(b, "}}");
    return 0;
}

static void print_rights_of(struct rpc_call *call, mw_value name)
{
    struct mw_buffer *b = &call->scratch->out;
    size_t byte_count;
    const char *text = mw_get_text(&name, &byte_count);

    print_comma(b);
    print_name(b, name);
    print_c_text(b, rights_word(audience_rights(call->instance, call->client->audience, text, byte_count)));
}

int rpc_rights(struct rpc_call *call, struct mw_error *ret_error)
{
    struct names names;
    const mw_value *name;
    int err = names_open_call(&names, call, ret_error);

    if (err < 0)
        return err;
    print_literal(&call->scratch->out, "{");
    while ((err = names_next(&names, &name)) > 0)
        print_rights_of(call, *name);
    print_literal(&call->scratch->out, "}");
    names_close(&names);
    return err < 0 ? rpc_no_memory(ret_error) : 0;
}
