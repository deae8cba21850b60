/* The method explain: why somebody may do something with a name, or may not. For who holds the grant `explain`.
 * Not the reasons themselves; those are exposable's. Read next: mw_view_explain.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/print.h"
#include "app/protocol.h"
#include "base/memory.h"
#include "exposable/decision.h"

static const struct {
    const char *word;
    int right;
} ops[] = {{"get", MW_GETTABLE}, {"watch", MW_GETTABLE}, {"set", MW_SETTABLE}, {"call", MW_CALLABLE}, {"send", MW_CALLABLE},
           {"hear", MW_HEARABLE}};

static int outcome_of(const mw_view *view, int right, const char *name, size_t name_bytes)
{
    int index = mw_exposable_find(view->exposable, name, name_bytes);
    struct decided d = index >= 0 ? decision_at(view, (size_t)index) : decision_of_name(view, name, name_bytes);

    if (d.asks & right)
        return APP_DEPENDS;
    return d.sure & right ? APP_ALLOWED : APP_DENIED;
}

/* In an audience of its own, for as long as this takes. */
static int explain_in(mw_instance *instance, const struct app_identity *who, int right, const char *name, size_t name_bytes,
                      mw_value *ret_trail)
{
    struct audience *audience = audience_join(instance, who->roles, who->role_count);
    mw_view view;
    int outcome;

    if (!audience)
        return -ENOMEM;
    view = audience->view;
    view.user = who->user;
    outcome = outcome_of(&view, right, name, name_bytes);
    if (ret_trail && mw_view_explain(&view, right, name, name_bytes, ret_trail) == -ENOMEM)
        outcome = -ENOMEM;
    audience_leave(instance, audience);
    return outcome;
}

int app_explain(struct app *app, const struct app_identity *who, int right, const char *name, size_t name_bytes,
                mw_value *ret_trail)
{
    if (mw_list_is_empty(&app->instances))
        return -ENOENT;
    return explain_in(MW_CONTAINER_OF(app->instances.head.next, mw_instance, link), who, right, name, name_bytes, ret_trail);
}

/* ---- the method --------------------------------------------------------------------------------------- */

struct question {
    const char *name, *user; /* user NULL: of who asks */
    size_t name_bytes;
    int right;
};

static const char *text_of(const mw_value *value, size_t *ret_bytes)
{
    const char *text = value && mw_kind_of(*value) == MW_TEXT ? mw_get_text(value, ret_bytes) : NULL;

    return text && strlen(text) == *ret_bytes ? text : NULL;
}

static int read_question(mw_value params, struct question *ret, struct mw_error *ret_error)
{
    const mw_value *user = mw_map_get(params, "user");
    size_t bytes, i;
    const char *op = text_of(mw_map_get(params, "op"), &bytes);

    *ret = (struct question){.name = text_of(mw_map_get(params, "name"), &ret->name_bytes), .user = text_of(user, &bytes)};
    if (ret->name)
        ret->name_bytes = strlen(ret->name);
    for (i = 0; op && i < MW_COUNT(ops); i++)
        if (strcmp(ops[i].word, op) == 0)
            ret->right = ops[i].right;
    if (!ret->name || ret->right == 0 || (user && !ret->user) || mw_map_count(params) != (user ? 3U : 2U))
        return mw_fail(ret_error, RPC_PARAMS, "expected {\"name\":\"a\",\"op\":\"get\"}, perhaps with \"user\":\"bob\"; op is get, set, call, "
                       "send, watch or hear. Or {\"decision\":\"k3f9\"}, as a denial has it");
    return 0;
}

static int find_user(struct rpc_call *call, const char *user, struct app_identity *ret, struct mw_error *ret_error)
{
    const struct app_options *options = &call->instance->app->options;

    int err = options->identify ? options->identify(options->context, user, ret) : -ENOENT;

    if (err == 0)
        return 0;
    if (err == -ENOMEM)
        return rpc_no_memory(ret_error);
    return mw_fail(ret_error, RPC_PARAMS, "there is no user of that name");
}

static const char *outcome_word(int outcome)
{
    switch ((enum app_outcome)outcome) {
    case APP_ALLOWED:
        return "allowed";
    case APP_DEPENDS:
        return "depends";
    case APP_DENIED:
        break;
    }
    return "denied";
}

/* The end of an answer whose beginning was printed. */
static void print_outcome(struct mw_buffer *out, int outcome, mw_value takes_trail)
{
    print_literal(out, "\"outcome\":");
    print_c_text(out, outcome_word(outcome));
    print_literal(out, ",\"trail\":");
    print_value(out, takes_trail);
    print_literal(out, "}");
    mw_release(takes_trail);
}

/* ---- a denial by its id ------------------------------------------------------------------------------------ */

static int right_of_method(const char *method)
{
    if (strcmp(method, "setAttr") == 0)
        return MW_SETTABLE;
    return strcmp(method, "call") == 0 || strcmp(method, "send") == 0 ? MW_CALLABLE : MW_GETTABLE;
}

/* Who was denied, as who that was then. returns as explain_in */
static int explain_denial(mw_instance *instance, const struct denial *d, mw_value *ret_trail)
{
    const size_t role_count = mw_list_count(d->roles);
    const char **roles = mw_alloc_zeroed(role_count + 1, sizeof(*roles));
    struct app_identity who = {.user = mw_get_text(&d->user, NULL), .roles = roles, .role_count = role_count};
    size_t i, name_bytes;
    const char *name = mw_get_text(&d->name, &name_bytes);
    int outcome;

    if (!roles)
        return -ENOMEM;
    for (i = 0; i < role_count; i++)
        roles[i] = mw_get_text(mw_list_at(d->roles, i), NULL);
    outcome = explain_in(instance, &who, right_of_method(d->method), name, name_bytes, ret_trail);
    mw_free(roles);
    return outcome;
}

static int answer_denial(struct rpc_call *call, mw_value id, struct mw_error *ret_error)
{
    struct denial d;
    struct mw_buffer *out = &call->scratch->out;
    mw_value trail = mw_null();
    int outcome;

    if (!denials_find(&call->instance->app->together->denials, mw_get_text(&id, NULL), &d))
        return mw_fail(ret_error, RPC_PARAMS, "there is no decision of that id, or it is forgotten: the last %d denials are kept",
                       DENIALS_KEPT);
    outcome = explain_denial(call->instance, &d, &trail);
    if (outcome < 0) {
        denial_clear(&d);
        return rpc_no_memory(ret_error);
    }
    print_literal(out, "{\"user\":");
    print_value(out, d.user);
    print_literal(out, ",\"roles\":");
    print_value(out, d.roles);
    print_literal(out, ",\"method\":");
    print_c_text(out, d.method);
    print_literal(out, ",\"name\":");
    print_value(out, d.name);
    print_literal(out, ",\"at\":");
    print_int(out, d.at_s);
    print_literal(out, ",");
    print_outcome(out, outcome, trail);
    denial_clear(&d);
    return 0;
}

int rpc_explain(struct rpc_call *call, struct mw_error *ret_error)
{
    mw_client *client = call->client;
    const mw_value *id = mw_map_get(call->params, "decision");
    const bool is_about_denial = id && mw_map_count(call->params) == 1 && mw_kind_of(*id) == MW_TEXT;
    mw_value trail = mw_null();
    struct app_identity who = {0};
    struct question q = {0};
    int err = is_about_denial ? 0 : read_question(call->params, &q, ret_error);

    if (err < 0)
        return err;
    if (!(client->audience->grants & APP_GRANT_EXPLAIN)) {
        call->instance->app->stats.denied++;
        return mw_fail(ret_error, RPC_DENIED, "explain is for roles with grants = explain");
    }
    if (is_about_denial)
        return answer_denial(call, *id, ret_error);
    if (q.user) {
        err = find_user(call, q.user, &who, ret_error);
        if (err == 0)
            err = explain_in(call->instance, &who, q.right, q.name, q.name_bytes, &trail);
    } else {
        const mw_view view = client_view(client);

        err = outcome_of(&view, q.right, q.name, q.name_bytes);
        if (mw_view_explain(&view, q.right, q.name, q.name_bytes, &trail) == -ENOMEM)
            err = -ENOMEM;
    }
    if (err == -ENOMEM)
        return rpc_no_memory(ret_error);
    if (err < 0)
        return err;
    print_literal(&call->scratch->out, "{");
    print_outcome(&call->scratch->out, err, trail);
    return 0;
}
