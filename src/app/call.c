/* The methods of meshwork.v1 that reach code: call runs a command, send queues an item for a tasklet.
 * Not what may be sent to; that is in tasklets.c. Read next: watch.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/params.h"
#include "app/print.h"
#include "app/protocol.h"
#include "scheduler/fault.h"

/* ---- params: a name, and what is given to it ---------------------------------------------------------- */

/* The two members; the second may be absent. */
struct shape {
    const char *name, *given;
    const char *name_shown; /* in a reason */
    const char *expected;
};

static int read_params(mw_value params, const struct shape *shape, mw_value *ret_name, mw_value *ret_given,
                       struct mw_error *ret_error)
{
    const mw_value *name = mw_map_get(params, shape->name), *given = mw_map_get(params, shape->given);
    size_t members = (name ? 1u : 0u) + (given ? 1u : 0u);

    if (!name || mw_map_count(params) != members)
        return mw_fail(ret_error, RPC_PARAMS, "expected %s", shape->expected);
    *ret_name = *name;
    *ret_given = given ? *given : mw_null();
    return names_check(*name, shape->name_shown, ret_error);
}

/* ---- call -------------------------------------------------------------------------------------------------- */

enum rpc_error rpc_error_of(int code)
{
    switch (code) {
    case -EINVAL:
    case -ERANGE:
        return RPC_VALUE;
    case -EACCES:
    case -EPERM:
        return RPC_DENIED;
    case -EAGAIN:
    case -EBUSY:
        return RPC_OVERLOADED;
    case -EMSGSIZE:
        return RPC_TOO_LARGE;
    default:
        return RPC_INTERNAL;
    }
}

/* A client by POST is connected when a command first needs it. */
static int run_command(struct rpc_call *call, const mw_command *command, mw_value args, struct mw_error *ret_error)
{
    mw_client *client = call->client;
    struct mw_error why = {0};
    mw_scheduler *outside;
    struct fault_doing doing;
    mw_value result = mw_null(), checked = mw_null();
    struct rpc_call *outer;
    int err;

    if (client->is_post && !client->is_connected) {
        err = client_connect(client, &why);
        if (err < 0)
            return mw_fail(ret_error, RPC_DENIED, "%s", why.text);
    }
    if (command->params) {
        err = params_read(command, args, &checked, ret_error);
        if (err < 0)
            return err;
        args = checked;
    }
    outer = call->instance->app->call;
    call->instance->app->call = call;
    outside = instance_enter(call->instance);
    doing = mw_fault_doing((struct fault_doing){"in the command", command->name});
    err = command->call(client, args, &result, &why);
    (void)mw_fault_doing(doing);
    instance_leave(call->instance, outside);
    call->instance->app->call = outer;
    mw_release(checked);
    if (call->is_later && (err >= 0 || !call_forget(call->later))) {
        mw_release(result);
        return RPC_LATER;
    }
    if (err < 0) {
        mw_release(result); /* it may have had one before it failed */
        return mw_fail(ret_error, rpc_error_of(err), "%s", why.text[0] ? why.text : mw_strerror(err));
    }
    if (mw_kind_of(result) == MW_MISSING)
        return rpc_no_memory(ret_error);
    print_value(&call->scratch->out, result);
    mw_release(result);
    return 0;
}

int rpc_call_command(struct rpc_call *call, struct mw_error *ret_error)
{
    static const struct shape shape = {"name", "args", "\"name\"",
                                       "{\"name\":\"reset\"} or {\"name\":\"reset\",\"args\":...}"};
    const mw_command *command;
    mw_value name = mw_null(), args = mw_null();
    size_t byte_count;
    const char *text;
    int err = read_params(call->params, &shape, &name, &args, ret_error);

    if (err < 0)
        return err;
    text = mw_get_text(&name, &byte_count);
    command = client_command(call->client, text, byte_count);
    if (!command)
        return call_deny_all(call, name, "this user may not call a command of that name, or there is none", ret_error);
    err = run_command(call, command, args, ret_error);
    if (err >= 0)
        call_audit(call, name);
    return err;
}

/* ---- send -------------------------------------------------------------------------------------------------- */

/* A closed tasklet queues what others of its mesh send, for its next scope. A front end is told instead: it cannot
 * know whether there will be one. */
static int offer(struct rpc_call *call, mw_tasklet *tasklet, mw_value item, struct mw_error *ret_error)
{
    mw_value shared = mw_share(item);
    int err = mw_is_closed(tasklet) ? -EPIPE : mw_offer(tasklet, &shared);

    if (err == 0)
        return 0;
    mw_release(shared);
    call->instance->app->stats.sends_refused++;
    switch (err) {
    case -EAGAIN:
        return mw_fail(ret_error, RPC_OVERLOADED, "its queue is full: send it again later");
    case -EPIPE:
        return mw_fail(ret_error, RPC_CLOSING, "that tasklet is closed");
    default:
        return mw_fail(ret_error, RPC_INTERNAL, "%s", mw_strerror(err));
    }
}

int rpc_send(struct rpc_call *call, struct mw_error *ret_error)
{
    static const struct shape shape = {"to", "item", "\"to\"", "{\"to\":\"doubler\",\"item\":...}"};
    const struct exposed_tasklet *exposed;
    mw_value name = mw_null(), item = mw_null();
    size_t byte_count;
    const char *text;
    int err = read_params(call->params, &shape, &name, &item, ret_error);

    if (err < 0)
        return err;
    text = mw_get_text(&name, &byte_count);
    exposed = client_tasklet(call->client, text, byte_count);
    if (!exposed)
        return call_deny_all(call, name, "this user may not send to a tasklet of that name, or there is none", ret_error);
    if (call->client->is_post && call->instance->app->descriptor.instance == MW_INSTANCE_PER_CLIENT)
        return mw_fail(ret_error, RPC_METHOD, "send needs a WebSocket here: by POST this back end ends with the answer");
    err = offer(call, exposed->tasklet, item, ret_error);
    if (err < 0)
        return err;
    call->instance->app->stats.sends++;
    call_audit(call, name);
    print_literal(&call->scratch->out, "true");
    return 0;
}
