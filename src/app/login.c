/* The method login: a name and a password go to the host, whose answer comes later.
 * Not how a password is judged; that is the host's. Read next: client.c for what a client is afterwards.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/print.h"
#include "app/protocol.h"

#define NAME_BYTES_MAX 64
#define PASSWORD_BYTES_MAX 256

static const char expected[] = "expected {\"user\":\"bob\",\"password\":\"...\"}";

/* A text without NUL, or NULL. */
static const char *read_text(mw_value params, const char *member, size_t bytes_max)
{
    const mw_value *given = mw_map_get(params, member);
    size_t byte_count;
    const char *text = given && mw_kind_of(*given) == MW_TEXT ? mw_get_text(given, &byte_count) : NULL;

    return text && byte_count > 0 && byte_count <= bytes_max && strlen(text) == byte_count ? text : NULL;
}

int rpc_login(struct rpc_call *call, struct mw_error *ret_error)
{
    mw_client *client = call->client;
    struct app *app = call->instance->app;
    const char *user = read_text(call->params, "user", NAME_BYTES_MAX);
    const char *password = read_text(call->params, "password", PASSWORD_BYTES_MAX);

    if (!user || !password || mw_map_count(call->params) != 2)
        return mw_fail(ret_error, RPC_PARAMS, expected);
    if (!call->id)
        return mw_fail(ret_error, RPC_REQUEST, "login stands alone, with an id: its answer comes later");
    if (client->is_logging_in)
        return mw_fail(ret_error, RPC_OVERLOADED, "a login of this connection is under way");
    if (!app->options.login)
        return mw_fail(ret_error, RPC_UNAUTHENTICATED, "this server has no users");
    if (client_put_aside(client, mw_share(*call->id)) < 0)
        return rpc_no_memory(ret_error);
    if (app->options.login(app->options.context, client->connection, user, password, ret_error) < 0) {
        client_drop_aside(client);
        return RPC_OVERLOADED;
    }
    client->is_logging_in = true;
    return RPC_LATER;
}

static int login_error(int err)
{
    switch (err) {
    case -EACCES:
        return RPC_UNAUTHENTICATED;
    case -EAGAIN:
        return RPC_OVERLOADED;
    default:
        return RPC_INTERNAL;
    }
}

static void print_login(struct mw_buffer *b, const mw_client *client)
{
    size_t byte_count;
    const char *rights = mw_get_text(&client->audience->rights, &byte_count);

    print_literal(b, "{\"jsonrpc\":\"2.0\",\"id\":");
    print_value(b, *client->aside);
    print_literal(b, ",\"result\":{\"user\":");
    print_c_text(b, mw_client_user((mw_client *)(uintptr_t)client)); /* looked at only */
    print_literal(b, ",\"roles\":");
    print_value(b, client->audience->roles);
    print_literal(b, ",\"rights\":");
    (void)mw_buffer_append(b, rights, byte_count);
    print_literal(b, "}}");
}

void app_client_login_done(mw_client *client, int err, const char *reason)
{
    struct app *app = client->instance->app;
    struct scratch *s;

    if (!client->is_logging_in || !client_is_reachable(client))
        return;
    s = scratch_take(app);
    if (!s) {
        client_abort(client);
        return;
    }
    if (err < 0)
        rpc_print_failure(app, &s->out, *client->aside, login_error(err), reason);
    else
        print_login(&s->out, client);
    client->is_logging_in = false;
    client_drop_aside(client);
    client_pin(client);
    (void)protocol_send(client, s); /* a failure closes it */
    client_unpin(client);
    scratch_give(app, s);
}
