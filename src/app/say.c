/* What a back end says to its clients: replies, messages, broadcasts, a close.
 * Not answers to requests; those are in protocol.c. Read next: watch.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/app_priv.h"
#include "app/print.h"
#include "base/utf8.h"

#define CLOSE_REASON_BYTES 123 /* RFC 6455 §5.5: 125 less the code */
#define BYE_RETRY_MS 3000

/* A message in the form that a client of this manner gets. channel NULL: none named. */
static int print_message(struct mw_buffer *b, enum app_manner manner, const char *channel, mw_value message)
{
    if (manner == APP_MANNER_PLAIN) {
        print_value(b, message);
        return b->error;
    }
    print_literal(b, "{\"jsonrpc\":\"2.0\",\"method\":\"broadcast\",\"params\":{\"channel\":");
    if (channel)
        print_c_text(b, channel);
    else
        print_literal(b, "null");
    print_literal(b, ",\"data\":");
    print_value(b, message);
    print_literal(b, "}}");
    return b->error;
}

/* ---- to one ---------------------------------------------------------------------------------------------- */

int mw_client_send(mw_client *client, mw_value message)
{
    struct app *app = client->instance->app;
    struct scratch *s;
    int err;

    if (mw_kind_of(message) == MW_MISSING)
        return -ENOMEM;
    if (!client_is_reachable(client)) {
        mw_release(message);
        return -EPIPE;
    }
    s = scratch_take(app);
    err = s ? print_message(&s->out, client->manner, NULL, message) : -ENOMEM;
    mw_release(message);
    if (err == 0)
        err = client_put(client, MW_FRAME_TEXT, s->out.data, s->out.count);
    if (s)
        scratch_give(app, s);
    return err;
}

/* {msgId, ...answer}: the request's msgId first, and it wins. */
static mw_value with_message_id(const mw_value *message_id, mw_value answer)
{
    mw_value reply = mw_map_new();
    size_t i;
    int err = mw_map_set(&reply, "msgId", mw_share(*message_id));

    for (i = 0; i < mw_map_count(answer) && err == 0; i++) {
        const mw_value *key, *value = mw_map_at(answer, i, &key);
        size_t key_bytes;
        const char *name = mw_get_text(key, &key_bytes);

        if (app_is_text(key, "msgId"))
            continue;
        err = mw_map_set_n(&reply, name, key_bytes, mw_share(*value));
    }
    if (err == 0)
        return reply;
    mw_release(reply);
    return (mw_value){.kind = MW_MISSING};
}

int mw_reply(mw_client *client, mw_value request, mw_value answer)
{
    const mw_value *message_id = mw_map_get(request, "msgId");
    mw_value reply;

    if (mw_kind_of(answer) != MW_MAP) {
        int err = mw_kind_of(answer) == MW_MISSING ? -ENOMEM : -EINVAL;

        mw_release(answer);
        return err;
    }
    if (!message_id)
        return mw_client_send(client, answer);
    reply = with_message_id(message_id, answer);
    mw_release(answer);
    return mw_kind_of(reply) == MW_MISSING ? -ENOMEM : mw_client_send(client, reply);
}

int mw_client_send_raw(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count)
{
    if (kind != MW_FRAME_TEXT && kind != MW_FRAME_BINARY)
        return -EINVAL;
    if (kind == MW_FRAME_TEXT && !mw_utf8_is_valid(bytes, byte_count))
        return -EINVAL;
    return client_put(client, kind, bytes, byte_count);
}

int mw_client_close(mw_client *client, int code, const char *reason)
{
    const struct app_sink *sink = client->sink;

    if (code != 1000 && code != 1008 && (code < 3000 || code > 4999))
        return -EINVAL;
    if (reason && (strlen(reason) > CLOSE_REASON_BYTES || !mw_utf8_is_valid(reason, strlen(reason))))
        return -EINVAL;
    if (!client_is_reachable(client))
        return -EPIPE;
    client->is_closing = true; /* from now on the client is spoken to no more; its end comes from the server */
    sink->close(client->connection, code, reason);
    return 0;
}

/* ---- to all ------------------------------------------------------------------------------------------------- */

/* One broadcast under way: printed at most once per manner, judged at most once per audience, unless its
 * predicates may say other things about another user. */
struct broadcast {
    const char *channel;
    mw_value message;
    bool (*is_for)(void *context, mw_client *client); /* NULL: for all */
    void *context;
    mw_value printed[2]; /* by manner; null: not yet */
    int err;             /* why it could not be printed */
    const struct audience *judged;
    bool is_heard; /* by that audience */
};

/* The message as this manner gets it, borrowed. NULL: b->err says why not. */
static const mw_value *printed_for(struct broadcast *b, struct app *app, enum app_manner manner)
{
    mw_value *printed = &b->printed[manner];
    struct scratch *s;

    if (mw_kind_of(*printed) != MW_NULL)
        return printed;
    s = scratch_take(app);
    if (!s) {
        b->err = -ENOMEM;
        return NULL;
    }
    b->err = print_message(&s->out, manner, b->channel, b->message);
    if (b->err == 0) {
        *printed = print_as_text(&s->out);
        b->err = mw_kind_of(*printed) == MW_MISSING ? -ENOMEM : 0;
    }
    scratch_give(app, s);
    return b->err == 0 ? printed : NULL;
}

static bool is_heard_by(struct broadcast *b, const mw_client *client)
{
    const mw_view view = client_view(client);

    if (!b->channel)
        return true;
    if (client_is_special(client))
        return mw_view_may(&view, MW_HEARABLE, b->channel, strlen(b->channel));
    if (b->judged != client->audience) {
        b->judged = client->audience;
        b->is_heard = mw_view_may(&view, MW_HEARABLE, b->channel, strlen(b->channel));
    }
    return b->is_heard;
}

static bool is_chosen(const struct broadcast *b, mw_client *client)
{
    return !b->is_for || (client->is_connected && b->is_for(b->context, client));
}

static int broadcast_to_all(mw_instance *instance, struct broadcast *b)
{
    struct app *app = instance->app;
    mw_client *client;
    int sent = 0;

    for (client = client_walk(instance, NULL); client; client = client_walk(instance, client)) {
        const mw_value *text;

        if (!client_is_reachable(client) || client->must_log_in || !is_heard_by(b, client) || !is_chosen(b, client))
            continue;
        text = printed_for(b, app, client->manner);
        if (!text) {
            client_unpin(client);
            return b->err;
        }
        if (client_put_shared(client, *text) == 0)
            sent++;
    }
    return sent;
}

int mw_broadcast(mw_instance *instance, const char *channel, mw_value message)
{
    return mw_broadcast_to(instance, channel, message, NULL, NULL);
}

int mw_broadcast_to(mw_instance *instance, const char *channel, mw_value message, bool (*is_for)(void *context, mw_client *client),
                    void *context)
{
    struct broadcast b = {.channel = channel, .message = message, .is_for = is_for, .context = context};
    size_t channel_bytes = channel ? strlen(channel) : 1;
    int result;

    if (mw_kind_of(message) == MW_MISSING)
        return -ENOMEM;
    if (channel_bytes < 1 || channel_bytes > APP_NAME_BYTES) {
        mw_release(message);
        return -EINVAL;
    }
    instance_pin(instance);
    instance->app->stats.broadcasts++;
    app_worked(instance->app, instance->client_count);
    result = broadcast_to_all(instance, &b);
    mw_release(b.printed[0]);
    mw_release(b.printed[1]);
    mw_release(message);
    instance_unpin(instance);
    return result;
}

static void print_bye(struct mw_buffer *b, const char *reason)
{
    print_literal(b, "{\"jsonrpc\":\"2.0\",\"method\":\"bye\",\"params\":{\"reason\":");
    print_c_text(b, reason);
    print_literal(b, ",\"retry_ms\":[0,");
    print_int(b, BYE_RETRY_MS);
    print_literal(b, "]}}");
}

void app_client_say_bye(mw_client *client, const char *reason)
{
    struct app *app = client->instance->app;
    struct scratch *s = client->manner == APP_MANNER_V1 && client_is_reachable(client) ? scratch_take(app) : NULL;

    if (!s)
        return; /* the close code says it too */
    print_bye(&s->out, reason);
    if (s->out.error == 0)
        (void)client_put(client, MW_FRAME_TEXT, s->out.data, s->out.count); /* who is gone needs no farewell */
    scratch_give(app, s);
}

void app_say_bye(struct app *app, const char *reason)
{
    struct scratch *s = scratch_take(app);
    mw_instance *instance;
    mw_value text;

    if (!s)
        return; /* the close code says it too */
    print_bye(&s->out, reason);
    text = print_as_text(&s->out);
    scratch_give(app, s);
    if (mw_kind_of(text) == MW_MISSING)
        return;
    for (instance = instance_walk(app, NULL); instance; instance = instance_walk(app, instance)) {
        mw_client *client;

        for (client = client_walk(instance, NULL); client; client = client_walk(instance, client))
            if (client->manner == APP_MANNER_V1)
                (void)client_put_shared(client, text); /* who is gone needs no farewell */
    }
    mw_release(text);
}

/* ---- about a client -------------------------------------------------------------------------------------------- */

void *mw_client_state(mw_client *client)
{
    return client->state;
}

mw_instance *mw_client_instance(mw_client *client)
{
    return client->instance;
}

const char *mw_client_user(mw_client *client)
{
    return client->user ? client->user : "";
}

bool mw_client_has_role(mw_client *client, const char *role)
{
    size_t count = mw_list_count(client->audience->roles), i;

    for (i = 0; i < count; i++)
        if (app_is_text(mw_list_at(client->audience->roles, i), role))
            return true;
    return false;
}

const char *mw_client_address(mw_client *client)
{
    const struct app_options *options = &client->instance->app->options;

    if (!options->address || (!client->connection && !client->is_post))
        return "";
    return options->address(options->context, client->connection);
}

const char *mw_client_query(mw_client *client)
{
    const struct app_options *options = &client->instance->app->options;

    return options->query && client->connection ? options->query(options->context, client->connection) : "";
}

bool mw_client_is_behind(mw_client *client)
{
    return client_is_reachable(client) && client->sink->is_behind && client->sink->is_behind(client->connection);
}

int mw_each_client(mw_instance *instance, int (*each)(void *context, mw_client *client), void *context)
{
    mw_client *client;
    int result = 0;

    instance_pin(instance);
    for (client = client_walk(instance, NULL); client; client = client_walk(instance, client)) {
        if (!client->is_connected || client->is_gone || client->is_post)
            continue;
        result = each(context, client);
        if (result == 0)
            continue;
        client_unpin(client);
        break;
    }
    instance_unpin(instance);
    return result;
}
