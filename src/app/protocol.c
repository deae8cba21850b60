/* meshwork.v1: JSON-RPC 2.0 requests and batches in, answers out, and hello.
 * Not what the methods do; that is in methods.c, set.c and call.c. Read next: methods.c.
 * SPDX-License-Identifier: MIT */
#include "app/protocol.h"

#include <errno.h>
#include <string.h>

#include "app/print.h"
#include "app/request.h"
#include "base/build.h"

#define EXACT_LIMIT 9007199254740992.0 /* 2^53: beyond it a double no longer counts */

#define NAMED(text) .name = (text), .name_bytes = sizeof(text) - 1
static const struct rpc_method methods[] = {
    {NAMED("getAttr"), .run = rpc_get_attributes, .takes_names = true},
    {NAMED("setAttr"), .run = rpc_set_attributes},
    {NAMED("watch"), .run = rpc_watch, .needs_connection = true},
    {NAMED("resume"), .run = rpc_resume, .needs_connection = true},
    {NAMED("unwatch"), .run = rpc_unwatch, .needs_connection = true},
    {NAMED("describe"), .run = rpc_describe},
    {NAMED("rights"), .run = rpc_rights, .takes_names = true},
    {NAMED("call"), .run = rpc_call_command},
    {NAMED("send"), .run = rpc_send},
    {NAMED("explain"), .run = rpc_explain},
    {NAMED("login"), .run = rpc_login, .needs_connection = true, .needs_no_login = true},
};
#undef NAMED

/* ---- errors ------------------------------------------------------------------------------------------ */

static const char *error_message(int code)
{
    switch ((enum rpc_error)code) {
#define RPC_CASE(name, number, message)                                                                              \
    case name:                                                                                                       \
        return message;
        RPC_ERRORS(RPC_CASE)
#undef RPC_CASE
    }
    return "internal error";
}

int rpc_no_memory(struct mw_error *ret_error)
{
    return mw_fail(ret_error, RPC_INTERNAL, "out of memory");
}

static void print_head(struct mw_buffer *b, mw_value id)
{
    print_literal(b, "{\"jsonrpc\":\"2.0\",\"id\":");
    print_value(b, id);
}

/* In place of whatever has been printed since mark. */
static void print_failure(struct app *app, struct mw_buffer *b, size_t mark, mw_value id, int code, const char *reason)
{
    app->stats.request_errors++;
    print_rewind(b, mark);
    print_head(b, id);
    print_literal(b, ",\"error\":{\"code\":");
    print_int(b, code);
    print_literal(b, ",\"message\":");
    print_c_text(b, error_message(code));
    if (reason && reason[0]) {
        print_literal(b, ",\"data\":");
        print_c_text(b, reason);
    }
    print_literal(b, "}}");
}

void rpc_print_failure(struct app *app, struct mw_buffer *b, mw_value id, int code, const char *reason)
{
    print_failure(app, b, b->count, id, code, reason);
}

/* ---- one request ---------------------------------------------------------------------------------------- */

/* A number or a string; null too, which JSON-RPC allows. A number is echoed as it came only where it is exact. */
static int read_id(mw_value id, struct envelope *e, struct mw_error *ret_error)
{
    double number;

    e->has_id = true;
    switch (mw_kind_of(id)) {
    case MW_REAL:
        (void)mw_get_real(id, &number); /* it is one */
        if (number > EXACT_LIMIT || number < -EXACT_LIMIT)
            return mw_fail(ret_error, RPC_REQUEST, "\"id\": a number beyond 2^53 cannot be echoed exactly; use a string");
        e->id = id;
        return 0;
    case MW_NULL:
    case MW_INT:
    case MW_TEXT:
        e->id = id;
        return 0;
    case MW_BOOL:
    case MW_BYTES:
    case MW_LIST:
    case MW_MAP:
    case MW_OPAQUE:
    case MW_MISSING:
        break;
    }
    return mw_fail(ret_error, RPC_REQUEST, "\"id\" is a number or a string; this is a %s", mw_kind_name(mw_kind_of(id)));
}

const struct rpc_method *rpc_method_find(const char *name, size_t name_bytes)
{
    size_t i;

    for (i = 0; i < MW_COUNT(methods); i++)
        if (methods[i].name_bytes == name_bytes && memcmp(methods[i].name, name, name_bytes) == 0)
            return &methods[i];
    return NULL;
}

static int find_method(const mw_value *name, struct envelope *e, struct mw_error *ret_error)
{
    size_t byte_count;
    const char *text = mw_get_text(name, &byte_count);

    e->method = rpc_method_find(text, byte_count);
    if (e->method)
        return 0;
    return mw_fail(ret_error, RPC_METHOD, "there are getAttr, setAttr, watch, resume, unwatch, describe, rights, call, send, explain, login");
}

static int read_envelope(mw_value request, struct envelope *e, struct mw_error *ret_error)
{
    const mw_value *id, *method, *params;
    int err = 0;

    if (mw_kind_of(request) != MW_MAP)
        return mw_fail(ret_error, RPC_REQUEST, "a request is an object: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":...}");
    id = mw_map_get_n(request, "id", 2);
    method = mw_map_get_n(request, "method", 6);
    params = mw_map_get_n(request, "params", 6);
    if (id)
        err = read_id(*id, e, ret_error);
    if (err < 0)
        return err;
    if (!app_is_text(mw_map_get_n(request, "jsonrpc", 7), "2.0"))
        return mw_fail(ret_error, RPC_REQUEST, "\"jsonrpc\" is to be \"2.0\"");
    if (!method || mw_kind_of(*method) != MW_TEXT)
        return mw_fail(ret_error, RPC_REQUEST, "\"method\" is to be a string");
    if (params) {
        e->params = *params;
        e->has_params = true;
    }
    err = find_method(method, e, ret_error);
    if (err < 0)
        return err;
    if (params && mw_kind_of(*params) != MW_LIST && mw_kind_of(*params) != MW_MAP)
        return mw_fail(ret_error, RPC_PARAMS, "\"params\" is a list or an object; this is a %s",
                       mw_kind_name(mw_kind_of(*params)));
    return 0;
}

int rpc_check_answer(const struct rpc_call *call, struct mw_error *ret_error)
{
    const struct mw_buffer *out = &call->scratch->out;
    struct app *app = call->instance->app;

    if (out->error == -ENOMEM)
        return rpc_no_memory(ret_error);
    if (out->error == -EMSGSIZE || out->count - call->begin > app->answer_bytes) {
        app->stats.answers_too_large++;
        return mw_fail(ret_error, RPC_TOO_LARGE, "the answer is longer than %zu bytes: ask for less at once", app->answer_bytes);
    }
    if (out->error)
        return mw_fail(ret_error, RPC_INTERNAL, "the answer has no form in JSON");
    return 0;
}

static int run_method(mw_client *client, const struct envelope *e, struct scratch *s, struct mw_error *ret_error)
{
    struct rpc_call call = {.client = client, .instance = client->instance, .scratch = s, .params = e->params,
                            .has_params = e->has_params, .names = e->has_names ? e->names : NULL, .name_count = e->name_count,
                            .method = e->method->name,
                            .id = e->has_id && e->is_alone ? &e->id : NULL, .is_alone = e->is_alone,
                            .begin = s->out.count};
    struct app *app = client->instance->app;
    int err;

    if (client->must_log_in && !e->method->needs_no_login) {
        app->stats.unauthenticated++;
        return mw_fail(ret_error, RPC_UNAUTHENTICATED, "this app wants a login first: the method login, or POST /_mw/login");
    }
    if (e->method->needs_connection && client->is_post)
        return mw_fail(ret_error, RPC_METHOD, "%s needs a WebSocket: by POST nothing can be sent later", e->method->name);
    print_rewind(&s->revs, 0);
    print_rewind(&s->errors, 0);
    print_rewind(&s->details, 0);
    print_rewind(&s->decisions, 0);
    err = e->method->run(&call, ret_error);
    if (err != 0)
        return err;
    return rpc_check_answer(&call, ret_error);
}

/* Answer one request behind what out holds, unless err says what is wrong with it. A notification adds nothing, whatever comes of it. */
static void answer_envelope(mw_client *client, const struct envelope *e, int err, struct scratch *s)
{
    struct app *app = client->instance->app;
    size_t mark = s->out.count;

    app->stats.requests++;
    if (err == 0) {
        print_head(&s->out, e->id);
        print_literal(&s->out, ",\"result\":");
        err = run_method(client, e, s, &s->why);
        print_literal(&s->out, "}");
    }
    if (err < 0)
        print_failure(app, &s->out, mark, e->id, err, s->why.text);
    if (err == RPC_LATER || (!e->has_id && err != RPC_REQUEST)) /* what is no request gets an answer also without an id */
        print_rewind(&s->out, mark);
}

static void answer(mw_client *client, mw_value request, struct scratch *s)
{
    struct envelope e = {.is_alone = s->out.count == 0};
    int err;

    s->why.text[0] = '\0';
    err = read_envelope(request, &e, &s->why);
    answer_envelope(client, &e, err, s);
}

/* ---- messages --------------------------------------------------------------------------------------------- */

static void answer_batch(mw_client *client, mw_value batch, struct scratch *s)
{
    struct app *app = client->instance->app;
    size_t count = mw_list_count(batch), i;

    if (count == 0) {
        print_failure(app, &s->out, 0, mw_null(), RPC_REQUEST, "a batch has at least one request");
        return;
    }
    if (count > app->options.limits[APP_LIMIT_BATCH]) {
        app->stats.batches_refused++;
        app_limit_hit(app, APP_LIMIT_BATCH);
        (void)mw_fail(&s->why, RPC_TOO_LARGE, "a batch has at most %zu requests; none of these %zu was run", app->options.limits[APP_LIMIT_BATCH],
                      count);
        print_failure(app, &s->out, 0, mw_null(), RPC_TOO_LARGE, s->why.text);
        return;
    }
    (void)mw_buffer_append_byte(&s->out, '[');
    for (i = 0; i < count && !client->is_closing && !client->is_gone; i++) {
        size_t mark = s->out.count;

        if (mark > 1)
            (void)mw_buffer_append_byte(&s->out, ',');
        if (mark > app->answer_bytes) { /* what came before fills the message */
            const mw_value *id = mw_map_get_n(*mw_list_at(batch, i), "id", 2);

            app->stats.answers_too_large++;
            print_failure(app, &s->out, s->out.count, id ? *id : mw_null(), RPC_TOO_LARGE,
                          "not run: the answers before it fill the message");
            continue;
        }
        answer(client, *mw_list_at(batch, i), s);
        if (s->out.count <= mark + 1)
            print_rewind(&s->out, mark); /* a notification, and the comma before it */
    }
    if (s->out.count == 1)
        print_rewind(&s->out, 0);
    else
        (void)mw_buffer_append_byte(&s->out, ']');
}

void protocol_value(mw_client *client, mw_value borrows, struct scratch *scratch)
{
    if (mw_kind_of(borrows) == MW_LIST)
        answer_batch(client, borrows, scratch);
    else
        answer(client, borrows, scratch);
}

void protocol_text(mw_client *client, const void *bytes, size_t byte_count, struct scratch *scratch)
{
    struct app *app = client->instance->app;
    const struct mw_json_limits limits = app_json_limits(app);
    struct request request MW_UNINITIALIZED;
    mw_value message;
    int err;

    app_worked(app, byte_count / APP_WORK_BYTES);
    scratch->why.text[0] = '\0';
    if (request_read(bytes, byte_count, &limits, &request)) {
        answer_envelope(client, &request.envelope, 0, scratch); /* nothing is wrong with it */
        request_clear(&request);
        return;
    }
    err = app_parse(app, bytes, byte_count, &message, &scratch->why);
    if (err == 0) {
        protocol_value(client, message, scratch);
        mw_release(message);
        return;
    }
    err = err == -EMSGSIZE ? RPC_TOO_LARGE : err == -ENOMEM ? RPC_INTERNAL : RPC_PARSE;
    print_failure(app, &scratch->out, 0, mw_null(), err, scratch->why.text);
}

void protocol_binary(mw_client *client, struct scratch *scratch)
{
    print_failure(client->instance->app, &scratch->out, 0, mw_null(), RPC_REQUEST,
                  "meshwork.v1 is JSON in text messages; this one is binary");
}

int protocol_send(mw_client *client, struct scratch *scratch)
{
    if (scratch->out.error) { /* not even the refusal found room */
        client_abort(client);
        return -ENOMEM;
    }
    return scratch->out.count > 0 ? client_put(client, MW_FRAME_TEXT, scratch->out.data, scratch->out.count) : 0;
}

/* ---- hello --------------------------------------------------------------------------------------------------- */

static void print_who(const mw_client *client, struct mw_buffer *b)
{
    print_literal(b, "\"user\":");
    if (client->user)
        print_c_text(b, client->user);
    else
        print_literal(b, "null");
    print_literal(b, ",\"roles\":");
    print_value(b, client->audience->roles);
}

void protocol_roles(const mw_client *client, struct mw_buffer *b)
{
    print_literal(b, "{\"jsonrpc\":\"2.0\",\"method\":\"roles\",\"params\":{");
    print_who(client, b);
    print_literal(b, "}}");
}

void protocol_hello(mw_client *client, const char *session, struct mw_buffer *b)
{
    const struct app *app = client->instance->app;
    size_t byte_count;
    const char *rights = mw_get_text(&client->audience->rights, &byte_count);

    print_literal(b, "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"app\":");
    print_c_text(b, app->name);
    print_literal(b, ",\"session\":");
    print_c_text(b, session);
    print_literal(b, ",\"epoch\":");
    print_c_text(b, client->instance->epoch);
    print_literal(b, ",");
    print_who(client, b);
    print_literal(b, ",\"rights\":");
    (void)mw_buffer_append(b, rights, byte_count);
    print_literal(b, ",\"limits\":{\"message_bytes\":");
    print_int(b, (int64_t)app->options.message_bytes);
    print_literal(b, ",\"messages_per_s\":");
    print_int(b, (int64_t)app->options.messages_per_s);
    print_literal(b, "},\"ping_s\":");
    print_int(b, app->options.ping_s);
    print_literal(b, "}}");
}

/* ---- by POST --------------------------------------------------------------------------------------------------- */

static int answer_post(mw_instance *instance, const struct app_identity *who, const void *bytes, size_t byte_count,
                       mw_value *ret_answer)
{
    struct app *app = instance->app;
    struct scratch *s = scratch_take(app);
    mw_client *client = s ? client_new(instance, APP_MANNER_V1, NULL, NULL, who) : NULL;
    int err = client ? 0 : -ENOMEM;

    if (client) {
        client->is_post = true;
        client_pin(client);
        protocol_text(client, bytes, byte_count, s);
        if (!mw_list_is_empty(&instance->watched_slots))
            instance_touch(instance);
        client_end(client);
        client_unpin(client);
        err = s->out.error ? -ENOMEM : 0;
    } else {
        instance_lost_client(instance);
    }
    if (err == 0) {
        *ret_answer = s->out.count > 0 ? print_as_text(&s->out) : mw_null();
        err = mw_kind_of(*ret_answer) == MW_MISSING ? -ENOMEM : 0;
    }
    if (s)
        scratch_give(app, s);
    return err;
}

int app_rpc(struct app *app, const struct app_identity *who, const void *borrows, size_t byte_count, mw_value *ret_answer)
{
    struct mw_error why = {0};
    mw_instance *instance;
    int err = instance_for(app, who && who->user ? who->user : "", &instance, &why);

    if (err < 0) {
        app_log_failure(app, &app->stats.opens_failed, "an instance", err, why.text);
        return err == -ENOMEM ? err : -EIO;
    }
    app->stats.messages++;
    instance_pin(instance);
    err = answer_post(instance, who, borrows, byte_count, ret_answer);
    instance_unpin(instance);
    return err;
}
