/* The method explain: why somebody may do something with a name, or may not. For who holds the grant `explain`.
 * Not the reasons themselves; those are exposable's. Read next: mw_view_explain.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/print.h"
#include "app/protocol.h"
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
                       "send, watch or hear");
    return 0;
}

static int find_user(struct rpc_call *call, const char *user, struct app_identity *ret, struct mw_error *ret_error)
{
    const struct app_options *options = &call->instance->app->options;

    if (options->identify && options->identify(options->context, user, ret) == 0)
        return 0;
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

int rpc_explain(struct rpc_call *call, struct mw_error *ret_error)
{
    mw_client *client = call->client;
    struct mw_buffer *out = &call->scratch->out;
    mw_value trail = mw_null();
    struct app_identity who;
    struct question q;
    int err = read_question(call->params, &q, ret_error);

    if (err < 0)
        return err;
    if (!(client->audience->grants & APP_GRANT_EXPLAIN)) {
        call->instance->app->stats.denied++;
        return mw_fail(ret_error, RPC_DENIED, "explain is for roles with grants = explain");
    }
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
    print_literal(out, "{\"outcome\":");
    print_c_text(out, outcome_word(err));
    print_literal(out, ",\"trail\":");
    print_value(out, trail);
    print_literal(out, "}");
    mw_release(trail);
    return 0;
}
