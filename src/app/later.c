/* Calls whose answers come later: who waits for them, and what is said when they come, or do not.
 * Not how a command is run; that is call.c. Read next: call.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "app/print.h"
#include "app/protocol.h"
#include "base/memory.h"

struct mw_call {
    struct mw_link link;   /* in the instance's calls */
    mw_instance *instance; /* NULL: it has ended */
    mw_client *client;     /* NULL: nobody waits any more */
    mw_value id;           /* MW_MISSING: it was a notification */
};

mw_call *mw_call_later(mw_client *client)
{
    struct rpc_call *current = client->instance->app->call;
    mw_call *call;

    if (!current || current->client != client || current->is_later || !current->is_alone || client->is_post ||
        client->later_calls == APP_LATER_CALLS)
        return NULL;
    call = mw_alloc_zeroed(1, sizeof(*call));
    if (!call)
        return NULL;
    *call = (mw_call){.instance = client->instance, .client = client};
    call->id = current->id ? mw_share(*current->id) : (mw_value){.kind = MW_MISSING};
    mw_list_push_back(&client->instance->calls, &call->link);
    client->later_calls++;
    current->is_later = true;
    current->later = call;
    return call;
}

static bool is_awaited(const mw_call *call)
{
    return call->client && client_is_reachable(call->client) && mw_kind_of(call->id) != MW_MISSING;
}

mw_client *mw_call_client(const mw_call *call)
{
    return is_awaited(call) ? call->client : NULL;
}

/* ---- ends ------------------------------------------------------------------------------------------------------- */

/* Nobody waits for it any more. */
static void close_call(mw_call *call)
{
    if (call->client)
        call->client->later_calls--;
    call->client = NULL;
    mw_release(call->id);
    call->id.kind = MW_MISSING;
}

bool call_forget(mw_call *call)
{
    bool was_awaited = call && call->client;

    if (was_awaited)
        close_call(call);
    return was_awaited;
}

void calls_leave(mw_client *client)
{
    struct mw_link *at = client->instance->calls.head.next;

    for (; client->later_calls > 0; at = at->next)
        if (MW_CONTAINER_OF(at, mw_call, link)->client == client)
            close_call(MW_CONTAINER_OF(at, mw_call, link));
}

void calls_clear(mw_instance *instance)
{
    struct mw_link *at;

    while ((at = mw_list_pop_front(&instance->calls)) != NULL)
        MW_CONTAINER_OF(at, mw_call, link)->instance = NULL; /* its clients have gone already */
}

/* ---- answers ------------------------------------------------------------------------------------------------------ */

/* The code of an answer that cannot be sent; 0: it can. */
static int check(const struct app *app, const struct mw_buffer *out)
{
    if (out->error == -ENOMEM)
        return -ENOMEM;
    if (out->error == -EMSGSIZE || out->count > app->answer_bytes)
        return -EMSGSIZE;
    return out->error ? -EINVAL : 0;
}

static int say(mw_client *client, struct scratch *s)
{
    int err;

    client_pin(client);
    err = protocol_send(client, s); /* a failure closes it */
    client_unpin(client);
    return err < 0 ? -EPIPE : 0;
}

static int say_failure(const mw_call *call, int rpc_code, const char *reason)
{
    struct app *app = call->instance->app;
    struct scratch *s = scratch_take(app);
    int err;

    if (!s) {
        client_abort(call->client);
        return -ENOMEM;
    }
    rpc_print_failure(app, &s->out, call->id, rpc_code, reason);
    err = say(call->client, s);
    scratch_give(app, s);
    return err;
}

void calls_give_up(mw_client *client)
{
    struct mw_link *at = client->instance->calls.head.next;

    for (; client->later_calls > 0 && at != &client->instance->calls.head; at = at->next) {
        mw_call *call = MW_CONTAINER_OF(at, mw_call, link);

        if (call->client != client)
            continue;
        if (is_awaited(call))
            (void)say_failure(call, RPC_UNKNOWN, "this connection is another user's before the answer"); /* who is gone needs none */
        close_call(call);
    }
}

static int answer(const mw_call *call, mw_value value, struct scratch *s)
{
    struct app *app = call->instance->app;
    int err;

    print_literal(&s->out, "{\"jsonrpc\":\"2.0\",\"id\":");
    print_value(&s->out, call->id);
    print_literal(&s->out, ",\"result\":");
    print_value(&s->out, value);
    print_literal(&s->out, "}");
    err = check(app, &s->out);
    if (err == 0)
        return say(call->client, s);
    print_rewind(&s->out, 0);
    rpc_print_failure(app, &s->out, call->id, rpc_error_of(err == -EINVAL ? -EIO : err), err == -EINVAL ? "the answer has no form in JSON" : mw_strerror(err));
    (void)say(call->client, s); /* what went wrong with the answer is what is told */
    return err;
}

int mw_call_answer(mw_call *call, mw_value value)
{
    mw_instance *instance = call->instance;
    struct scratch *s;
    int err = -EPIPE;

    if (!is_awaited(call)) {
        mw_release(value);
        return -EPIPE;
    }
    if (mw_kind_of(value) == MW_MISSING) {
        (void)mw_call_fail(call, -ENOMEM, NULL); /* the value says what has failed */
        return -ENOMEM;
    }
    instance_pin(instance);
    s = scratch_take(instance->app);
    if (s) {
        err = answer(call, value, s);
        scratch_give(instance->app, s);
    } else {
        client_abort(call->client);
        err = -ENOMEM;
    }
    close_call(call);
    mw_release(value);
    instance_unpin(instance);
    return err;
}

int mw_call_fail(mw_call *call, int code, const char *format, ...)
{
    mw_instance *instance = call->instance;
    struct mw_error why = {0};
    int err, failed = code < 0 ? code : -EINVAL;
    va_list arguments;

    if (!instance || !is_awaited(call))
        return -EPIPE;
    if (format) {
        va_start(arguments, format);
        (void)vsnprintf(why.text, sizeof(why.text), format, arguments); /* one too long is cut */
        va_end(arguments);
    }
    instance_pin(instance);
    err = say_failure(call, rpc_error_of(failed), why.text[0] ? why.text : mw_strerror(failed));
    close_call(call);
    instance_unpin(instance);
    return code < 0 ? err : -EINVAL;
}

void mw_call_free(void *takes)
{
    mw_call *call = takes;
    struct rpc_call *current;

    if (!call)
        return;
    current = call->instance ? call->instance->app->call : NULL;
    (void)mw_call_fail(call, -EIO, "the back end has not answered"); /* where nobody waits, nobody is told */
    if (current && current->later == call) /* its command still runs */
        current->later = NULL;
    close_call(call);
    mw_link_remove(&call->link);
    mw_free(call);
}
