/* One connection to a back end: made, connected, given messages, ended; and how bytes reach it.
 * Not what is said to it; that is protocol.c and say.c. Read next: protocol.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/json.h>

#include <errno.h>
#include <string.h>

#include "app/app_priv.h"
#include "app/print.h"
#include "base/memory.h"
#include "scheduler/fault.h"

#define CLOSE_FAULT 1011
#define SESSION_DIGITS 32

/* ---- pins: what is used stays until its last user leaves ------------------------------------------------- */

void client_end(mw_client *client)
{
    if (client->is_gone)
        return;
    client->is_gone = true;
    client->sink = NULL;
    if (client->pins == 0) {
        client_finish(client);
        return;
    }
    client->connection = NULL; /* it does not outlive this call */
}

mw_client *client_walk(mw_instance *instance, mw_client *previous)
{
    struct mw_link *link = previous ? previous->link.next : instance->clients.head.next;
    mw_client *client = NULL;

    if (link != &instance->clients.head) {
        client = MW_CONTAINER_OF(link, mw_client, link);
        client_pin(client); /* before the previous one goes: its `disconnect` may end this one */
    }
    if (previous)
        client_unpin(previous);
    return client;
}

/* ---- make and end ------------------------------------------------------------------------------------------ */

static const char *const anonymous_roles[] = {APP_ANONYMOUS};
static const struct app_identity anonymous = {.roles = anonymous_roles, .role_count = 1};

/* As this client's. 0; -ENOMEM: it is who it was */
static int take_identity(mw_client *client, const struct app_identity *who)
{
    mw_instance *instance = client->instance;
    bool must_log_in = instance->app->options.require_login && !who->user;
    struct audience *audience = audience_join(instance, who->roles, must_log_in ? 0 : who->role_count);
    char *user = who->user ? mw_copy_text(who->user) : NULL;

    if (!audience || (who->user && !user)) {
        if (audience)
            audience_leave(instance, audience);
        mw_free(user);
        return -ENOMEM;
    }
    if (client->audience)
        audience_leave(instance, client->audience);
    mw_free(client->user);
    client->audience = audience;
    client->user = user;
    client->must_log_in = must_log_in;
    return 0;
}

mw_client *client_new(mw_instance *instance, enum app_manner manner, const struct app_sink *sink, void *connection,
                      const struct app_identity *who)
{
    struct app *app = instance->app;
    size_t bytes;
    mw_client *client;

    if (!mw_add_size(sizeof(*client), app->descriptor.client_bytes, &bytes))
        return NULL;
    client = mw_alloc_zeroed(1, bytes);
    if (!client)
        return NULL;
    client->instance = instance;
    client->manner = (uint8_t)manner;
    client->sink = sink;
    client->connection = connection;
    client->is_greeted = manner != APP_MANNER_V1;
    watch_init(client);
    watch_follow_rights(instance); /* so that hello says what holds now, and those before are told */
    if (take_identity(client, who ? who : &anonymous) < 0) {
        mw_free(client);
        return NULL;
    }
    mw_list_push_back(&instance->clients, &client->link);
    instance->client_count++;
    return client;
}

int client_put_aside(mw_client *client, mw_value takes)
{
    client->aside = mw_alloc(sizeof(*client->aside));
    if (!client->aside) {
        mw_release(takes);
        return -ENOMEM;
    }
    *client->aside = takes;
    return 0;
}

void client_drop_aside(mw_client *client)
{
    if (client->aside)
        mw_release(*client->aside);
    mw_free(client->aside);
    client->aside = NULL;
}

void client_finish(mw_client *client)
{
    mw_instance *instance = client->instance;
    const mw_app *d = &instance->app->descriptor;

    client->pins++; /* once is enough, whatever `disconnect` calls */
    instance_pin(instance);
    watch_remove_all(client);
    calls_leave(client);
    if (client->is_connected && d->disconnect) {
        mw_scheduler *outside = instance_enter(instance);
        struct fault_doing doing = mw_fault_doing((struct fault_doing){"in the app's disconnect", NULL});

        d->disconnect(client, client->state);
        (void)mw_fault_doing(doing);
        instance_leave(instance, outside);
    }
    if (client->is_connected)
        instance->app->stats.clients--;
    mw_link_remove(&client->link);
    instance->client_count--;
    audience_leave(instance, client->audience);
    client_drop_aside(client);
    mw_free(client->user);
    mw_free(client);
    instance_lost_client(instance);
    instance_unpin(instance);
}

int client_connect(mw_client *client, struct mw_error *ret_error)
{
    mw_instance *instance = client->instance;
    const mw_app *d = &instance->app->descriptor;
    struct mw_error why = {0};
    int err = 0;

    if (d->connect) {
        mw_scheduler *outside = instance_enter(instance);
        struct fault_doing doing = mw_fault_doing((struct fault_doing){"in the app's connect", NULL});

        err = d->connect(client, client->state, &why);
        (void)mw_fault_doing(doing);
        instance_leave(instance, outside);
    }
    if (err < 0) {
        instance->app->stats.connects_refused++;
        return mw_fail(ret_error, -EACCES, "%s", why.text[0] ? why.text : "the app refused the connection");
    }
    client->is_connected = true;
    instance->app->stats.clients++;
    return 0;
}

void client_abort(mw_client *client)
{
    const struct app_sink *sink = client->sink;

    if (!client_is_reachable(client))
        return;
    client->is_closing = true;
    sink->close(client->connection, CLOSE_FAULT, "out of memory");
}

/* ---- bytes out ------------------------------------------------------------------------------------------------ */

/* After a sink that failed: nothing may be missing in silence, so the connection ends. */
static int sink_failed(mw_client *client, int err)
{
    if (err >= 0)
        return 0;
    client->instance->app->stats.unsent++;
    if (err == -EPIPE || err == -ENOBUFS) /* it knows already */
        client->is_closing = true;
    else
        client_abort(client);
    return err;
}

/* What `connect` says waits for hello, which the server says first. */
static int hold(mw_client *client, mw_value takes_text)
{
    if (mw_kind_of(takes_text) == MW_MISSING)
        return -ENOMEM;
    if (client->aside && mw_list_count(*client->aside) >= APP_HELD_MESSAGES) {
        mw_release(takes_text);
        client->instance->app->stats.unsent++;
        return -ENOBUFS;
    }
    if (!client->aside && client_put_aside(client, mw_list_new()) < 0) {
        mw_release(takes_text);
        return -ENOMEM;
    }
    return mw_list_append(client->aside, takes_text);
}

int client_put(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count)
{
    int err;

    if (!client_is_reachable(client))
        return -EPIPE;
    if (!client->is_greeted)
        return hold(client, kind == MW_FRAME_TEXT ? mw_text_n(bytes, byte_count) : mw_bytes(bytes, byte_count));
    client_pin(client);
    err = sink_failed(client, client->sink->send(client->connection, kind, bytes, byte_count));
    client_unpin(client);
    return err;
}

int client_put_shared(mw_client *client, mw_value borrows_text)
{
    size_t byte_count;
    const char *bytes = mw_get_text(&borrows_text, &byte_count);
    enum mw_frame kind = mw_kind_of(borrows_text) == MW_BYTES ? MW_FRAME_BINARY : MW_FRAME_TEXT;
    int err;

    if (!bytes)
        return -ENOMEM;
    if (!client_is_reachable(client))
        return -EPIPE;
    if (!client->is_greeted)
        return hold(client, mw_share(borrows_text));
    if (!client->sink->send_shared)
        return client_put(client, kind, bytes, byte_count);
    client_pin(client);
    err = sink_failed(client, client->sink->send_shared(client->connection, kind, borrows_text));
    client_unpin(client);
    return err;
}

/* ---- open: the server's side -------------------------------------------------------------------- */

/* Hello, then what `connect` had to say. */
static int greet(mw_client *client)
{
    struct app *app = client->instance->app;
    struct scratch *s;
    char session[SESSION_DIGITS + 1];
    mw_value *held;
    size_t i;
    int err;

    watch_follow_rights(client->instance); /* `connect` may have changed some */
    s = app_random_hex(app, session, SESSION_DIGITS) < 0 ? NULL : scratch_take(app);
    if (!s)
        return -ENOMEM;
    held = client->aside;
    client->is_greeted = true;
    client->aside = NULL;
    protocol_hello(client, session, &s->out);
    err = s->out.error ? -ENOMEM : client_put(client, MW_FRAME_TEXT, s->out.data, s->out.count);
    for (i = 0; held && i < mw_list_count(*held) && err == 0; i++)
        err = client_put_shared(client, *mw_list_at(*held, i));
    if (held)
        mw_release(*held);
    mw_free(held);
    scratch_give(app, s);
    return err == -ENOMEM ? err : 0; /* other failures close the connection through the sink */
}

static int open_in(mw_instance *instance, mw_client *client, mw_client **ret, struct mw_error *ret_error)
{
    int err = client->must_log_in ? 0 : client_connect(client, ret_error);

    if (err == 0 && client->is_gone) /* its connection went while `connect` ran */
        err = mw_fail(ret_error, -EPIPE, "the connection is gone");
    else if (err == 0 && client->manner == APP_MANNER_V1 && !client->is_closing && greet(client) < 0)
        err = app_no_memory(instance->app->name, ret_error);
    if (err < 0) {
        client_end(client);
        return err;
    }
    *ret = client;
    return 0;
}

int app_client_open(struct app *app, enum app_manner manner, const struct app_sink *borrows, void *connection,
                    const struct app_identity *who, mw_client **ret, struct mw_error *ret_error)
{
    mw_instance *instance;
    mw_client *client;
    int err = instance_for(app, who && who->user ? who->user : "", &instance, ret_error);

    if (err < 0) {
        if (ret_error)
            app_log_failure(app, &app->stats.opens_failed, "an instance", err, ret_error->text);
        return err == -ENOMEM ? err : -EIO; /* -EACCES is for `connect` */
    }
    instance_pin(instance);
    client = client_new(instance, manner, borrows, connection, who);
    if (client) {
        client_pin(client);
        err = open_in(instance, client, ret, ret_error);
        client_unpin(client);
    } else {
        instance_lost_client(instance);
        err = app_no_memory(app->name, ret_error);
    }
    instance_unpin(instance);
    return err;
}

/* ---- somebody else from now on ------------------------------------------------------------------------------------ */

mw_value app_client_depart(mw_client *client)
{
    mw_value login = {.kind = MW_MISSING};

    if (client->is_logging_in) {
        login = *client->aside;
        mw_free(client->aside);
        client->aside = NULL;
    }
    calls_give_up(client);
    client_end(client); /* it says nothing more: its sink is another's now */
    return login;
}

void app_client_arrive(mw_client *client, mw_value takes_login)
{
    if (mw_kind_of(takes_login) == MW_MISSING)
        return;
    client_drop_aside(client); /* what hello should have come before, where it is being closed already */
    if (client_put_aside(client, takes_login) < 0)
        client_abort(client);
    else
        client->is_logging_in = true;
}

/* Its user has an instance of their own: there another client takes its place. */
static int move(mw_client **io_client, const struct app_identity *who, struct mw_error *ret_error)
{
    mw_client *before = *io_client;
    struct app *app = before->instance->app;
    const struct app_sink *sink = before->sink;
    void *connection = before->connection;
    enum app_manner manner = (enum app_manner)before->manner;
    mw_value login = app_client_depart(before);
    int err;

    *io_client = NULL;
    err = app_client_open(app, manner, sink, connection, who, io_client, ret_error);
    if (*io_client)
        app_client_arrive(*io_client, login);
    else
        mw_release(login);
    return err;
}

/* The same user, with other roles. */
static void tell_roles(mw_client *client)
{
    struct app *app = client->instance->app;
    struct scratch *s;

    if (client->manner != APP_MANNER_V1 || !client->is_greeted)
        return;
    s = scratch_take(app);
    if (s)
        protocol_roles(client, &s->out);
    if (!s || s->out.error) /* no memory just now: it hears of them when it comes back */
        client_abort(client);
    else
        (void)client_put(client, MW_FRAME_TEXT, s->out.data, s->out.count); /* a failure closes it */
    if (s)
        scratch_give(app, s);
}

static int identify(mw_client *client, const struct app_identity *who, struct mw_error *ret_error)
{
    const struct audience *before = client->audience;
    bool was_out = client->must_log_in;
    int err = take_identity(client, who);

    if (err < 0)
        return app_no_memory(client->instance->app->name, ret_error);
    if (was_out && !client->must_log_in && !client->is_connected)
        err = client_connect(client, ret_error);
    if (err < 0 || client->audience == before) /* a pointer that is compared only */
        return err;
    if (!client->is_logging_in) /* else the answer says it */
        tell_roles(client);
    watch_follow_identity(client);
    return err;
}

int app_client_identify(mw_client **io_client, const struct app_identity *who, struct mw_error *ret_error)
{
    mw_client *client = *io_client;
    mw_instance *instance = client->instance;
    int err;

    if (!who)
        who = &anonymous;
    if (!client_is_reachable(client))
        return mw_fail(ret_error, -EPIPE, "the connection is gone");
    if (instance->user && strcmp(instance->user, who->user ? who->user : "") != 0)
        return move(io_client, who, ret_error);
    instance_pin(instance);
    client_pin(client);
    err = identify(client, who, ret_error);
    instance_touch(instance);
    client_unpin(client);
    instance_unpin(instance);
    return err;
}

/* ---- messages, close: the server's side ------------------------------------------------------------------------- */

static void receive_raw(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count)
{
    mw_instance *instance = client->instance;
    struct app *app = instance->app;
    mw_scheduler *outside = instance_enter(instance);
    struct fault_doing doing = mw_fault_doing((struct fault_doing){"in the app's receive_raw", NULL});
    int err = app->descriptor.receive_raw(client, kind, bytes, byte_count);

    (void)mw_fault_doing(doing);
    instance_leave(instance, outside);
    if (err < 0)
        app_log_failure(app, &app->receive_failures, "receive_raw", err, NULL);
}

static bool is_rpc(mw_value message)
{
    return app_is_text(mw_map_get_n(message, "jsonrpc", 7), "2.0");
}

/* A request of JSON-RPC, or a batch of nothing else: everything else is the app's own. */
static bool is_rpc_or_batch(mw_value message)
{
    size_t count = mw_list_count(message), i;

    for (i = 0; i < count; i++)
        if (!is_rpc(*mw_list_at(message, i)))
            return false;
    return count > 0 || is_rpc(message);
}

static void answer_value(mw_client *client, mw_value message)
{
    struct app *app = client->instance->app;
    struct scratch *s = scratch_take(app);

    if (!s) {
        client_abort(client);
        return;
    }
    protocol_value(client, message, s);
    (void)protocol_send(client, s);
    scratch_give(app, s);
}

static void receive_plain(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count)
{
    mw_instance *instance = client->instance;
    struct app *app = instance->app;
    mw_value message;
    int err;

    app_worked(app, byte_count / APP_WORK_BYTES);
    err = kind == MW_FRAME_TEXT ? app_parse(app, bytes, byte_count, &message, NULL) : -EPROTO;
    if (err < 0) {
        app->stats.ignored_messages++;
        return;
    }
    if (is_rpc_or_batch(message)) {
        answer_value(client, message);
    } else if (app->descriptor.receive) {
        mw_scheduler *outside = instance_enter(instance);
        struct fault_doing doing = mw_fault_doing((struct fault_doing){"in the app's receive", NULL});

        err = app->descriptor.receive(client, message);
        (void)mw_fault_doing(doing);
        instance_leave(instance, outside);
        if (err < 0)
            app_log_failure(app, &app->receive_failures, "receive", err, NULL);
    } else {
        app->stats.ignored_messages++;
    }
    mw_release(message);
}

static void receive_v1(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count)
{
    struct app *app = client->instance->app;
    struct scratch *s = scratch_take(app);

    if (!s) {
        client_abort(client);
        return;
    }
    if (kind == MW_FRAME_TEXT)
        protocol_text(client, bytes, byte_count, s);
    else
        protocol_binary(client, s);
    (void)protocol_send(client, s);
    scratch_give(app, s);
}

void app_client_message(mw_client *client, enum mw_frame kind, const void *borrows, size_t byte_count)
{
    mw_instance *instance = client->instance;
    struct app *app = instance->app;

    if (!client_is_reachable(client))
        return;
    app->stats.messages++;
    instance_pin(instance);
    client_pin(client);
    if (client->manner == APP_MANNER_V1)
        receive_v1(client, kind, borrows, byte_count);
    else if (app->descriptor.receive_raw)
        receive_raw(client, kind, borrows, byte_count);
    else
        receive_plain(client, kind, borrows, byte_count);
    if (!mw_list_is_empty(&instance->watched_slots)) /* a getAttr may have seen what nobody was told yet */
        instance_touch(instance);
    client_unpin(client);
    instance_unpin(instance);
}

void app_client_closed(mw_client *client)
{
    if (client)
        client_end(client);
}
