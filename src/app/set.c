/* setAttr: one by one or all or none, with conditions, and done once where a key says so.
 * Not how a value is checked and set; that is exposable's. Read next: call.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/keys.h"
#include "app/print.h"
#include "app/protocol.h"
#include "base/hash.h"

/* What a setAttr asks for. */
struct set_request {
    mw_value values;    /* a map */
    mw_value if_rev;    /* a map, or null */
    mw_value key;       /* a text, or null */
    bool is_atomic;
};

/* ---- params ------------------------------------------------------------------------------------------------ */

static int read_member(mw_value key, mw_value value, struct set_request *r, struct mw_error *ret_error)
{
    size_t byte_count;

    if (app_is_text(&key, "values"))
        return 0;
    if (app_is_text(&key, "if_rev")) {
        if (mw_kind_of(value) != MW_MAP)
            return mw_fail(ret_error, RPC_PARAMS, "\"if_rev\" is an object of revisions, whole numbers: {\"a\":7}");
        r->if_rev = value;
        return 0;
    }
    if (app_is_text(&key, "atomic")) {
        if (mw_get_bool(value, &r->is_atomic) < 0)
            return mw_fail(ret_error, RPC_PARAMS, "\"atomic\" is true or false");
        return 0;
    }
    if (app_is_text(&key, "key")) {
        if (mw_kind_of(value) != MW_TEXT || !mw_get_text(&value, &byte_count) || byte_count < 1 || byte_count > KEYS_BYTES)
            return mw_fail(ret_error, RPC_PARAMS, "\"key\" is a string of 1 to %d bytes", KEYS_BYTES);
        r->key = value;
        return 0;
    }
    return mw_fail(ret_error, RPC_PARAMS, "beside \"values\" there are \"if_rev\", \"key\" and \"atomic\"");
}

static int check_conditions(const struct set_request *r, struct mw_error *ret_error)
{
    size_t i;

    for (i = 0; i < mw_map_count(r->if_rev); i++) {
        const mw_value *name, *value = mw_map_at(r->if_rev, i, &name);
        size_t byte_count;
        const char *text = mw_get_text(name, &byte_count);
        int64_t revision;
        int err = call_read_revision(*value, "if_rev", &revision, ret_error);

        if (err < 0)
            return err;
        if (!mw_map_get_n(r->values, text, byte_count))
            return mw_fail(ret_error, RPC_PARAMS, "\"if_rev\" names what \"values\" does not set");
    }
    return 0;
}

/* The short form is an object of values; the long one has "values", which then is an object itself. */
static int read_params(mw_value params, struct set_request *r, struct mw_error *ret_error)
{
    const mw_value *values = mw_map_get(params, "values");
    size_t i;
    int err = 0;

    *r = (struct set_request){.values = params};
    if (mw_kind_of(params) != MW_MAP)
        return mw_fail(ret_error, RPC_PARAMS, "expected an object of values: {\"a\":10}, or {\"values\":{\"a\":10}}");
    if (values && mw_kind_of(*values) == MW_MAP) {
        r->values = *values;
        for (i = 0; i < mw_map_count(params) && err == 0; i++) {
            const mw_value *key, *value = mw_map_at(params, i, &key);

            err = read_member(*key, *value, r, ret_error);
        }
    }
    for (i = 0; i < mw_map_count(r->values) && err == 0; i++) {
        const mw_value *name;

        (void)mw_map_at(r->values, i, &name);
        err = names_check(*name, "a name", ret_error);
    }
    return err == 0 ? check_conditions(r, ret_error) : err;
}

/* How often each name is looked up: checked and set; where all or none are, twice more, to be put back and to be told. */
static size_t steps_of(const struct set_request *r)
{
    return mw_map_count(r->values) * (r->is_atomic ? 4 : 2);
}

/* ---- one name ------------------------------------------------------------------------------------------------- */

/* Its index, whoever asks; negative: there is none of that name. */
static int attribute_of(const struct rpc_call *call, mw_value name)
{
    size_t byte_count;
    const char *text = mw_get_text(&name, &byte_count);

    return mw_exposable_find(call->instance->exposable, text, byte_count);
}

/* Every check of a set: 0, or the code of the refusal. Rights are judged first, on the value: a predicate may look at it. */
static int check_one(struct rpc_call *call, const struct set_request *r, mw_value name, mw_value value, size_t *ret_index,
                     struct mw_error *why)
{
    const mw_view view = client_view(call->client);
    int index = attribute_of(call, name);
    const mw_value *wanted;
    size_t byte_count;
    const char *text = mw_get_text(&name, &byte_count);
    int64_t revision, looked;
    int err;

    if (index < 0)
        return -EACCES; /* as for one that is denied: names cannot be probed */
    *ret_index = (size_t)index;
    err = mw_view_check_at(&view, (size_t)index, value, why);
    if (err < 0)
        return err;
    wanted = mw_map_get_n(r->if_rev, text, byte_count);
    if (!wanted)
        return 0;
    (void)mw_get_int(*wanted, &revision); /* it has been checked */
    looked = mw_exposable_look(call->instance->exposable, (size_t)index, NULL);
    if (looked == -ENODATA)
        looked = mw_exposable_revision(call->instance->exposable, (size_t)index);
    if (looked < 0)
        return (int)looked;
    return looked == revision ? 0 : APP_CONFLICT;
}

static int set_one(struct rpc_call *call, size_t index, mw_value value, struct mw_error *why)
{
    mw_instance *instance = call->instance;
    const mw_view view = client_view(call->client);
    mw_scheduler *outside = instance_enter(instance);
    int err = mw_view_set_at(&view, index, value, why);

    instance_leave(instance, outside);
    return err;
}

static int restore_one(struct rpc_call *call, size_t index, mw_value value, struct mw_error *why)
{
    mw_scheduler *outside = instance_enter(call->instance);
    int err = mw_exposable_set(call->instance->exposable, index, value, why);

    instance_leave(call->instance, outside);
    return err;
}

/* It is done. */
static void note_set(struct rpc_call *call, mw_value name, size_t index)
{
    call_note_revision(call, index, mw_exposable_revision(call->instance->exposable, index));
    call_audit(call, name);
    watch_tell_each(call->instance, index);
}

static void set_each(struct rpc_call *call, const struct set_request *r)
{
    struct mw_error *why = &call->scratch->reason;
    size_t i, index = 0;

    for (i = 0; i < mw_map_count(r->values); i++) {
        const mw_value *name, *value = mw_map_at(r->values, i, &name);
        int err;

        why->text[0] = '\0';
        err = check_one(call, r, *name, *value, &index, why);
        if (err == 0)
            err = set_one(call, index, *value, why);
        if (err < 0)
            call_refuse(call, *name, err, why->text);
        else
            note_set(call, *name, index);
    }
}

/* ---- all or none ---------------------------------------------------------------------------------------------------- */

static const char others_refused[] = "not set: it was all or none, and another was refused";

/* Nothing has been set yet; what each name would get. returns how many are refused */
static size_t refuse_all(struct rpc_call *call, const struct set_request *r)
{
    struct mw_error *why = &call->scratch->reason;
    size_t refused = 0, i, index;
    int pass;

    /* Checks have no effects: the first pass counts, the second, if need be, notes. */
    for (pass = 0; pass < 2 && (pass == 0 || refused > 0); pass++)
        for (i = 0; i < mw_map_count(r->values); i++) {
            const mw_value *name, *value = mw_map_at(r->values, i, &name);
            int err;

            why->text[0] = '\0';
            err = check_one(call, r, *name, *value, &index, why);
            if (pass == 0)
                refused += err < 0;
            else
                call_refuse(call, *name, err < 0 ? err : -ECANCELED, err < 0 ? why->text : others_refused);
        }
    return refused;
}

/* What the first `count` attributes are now, to be put back. returned owned; MW_MISSING */
static mw_value remember_all(struct rpc_call *call, const struct set_request *r)
{
    mw_value old = mw_list_new();
    size_t i;

    for (i = 0; i < mw_map_count(r->values); i++) {
        const mw_value *name, *value;
        int index;

        (void)mw_map_at(r->values, i, &name);
        index = attribute_of(call, *name);
        /* One that cannot be read cannot be put back: opaque stands for it. */
        if (index < 0 || mw_exposable_look(call->instance->exposable, (size_t)index, &value) < 0) {
            if (mw_list_append(&old, mw_opaque(NULL, NULL)) < 0)
                goto failed;
        } else if (mw_list_append(&old, mw_share(*value)) < 0) {
            goto failed;
        }
    }
    return old;
failed:
    mw_release(old);
    return (mw_value){.kind = MW_MISSING};
}

/* A setter refused what had passed every check: undo those before it, the last first, whatever rights and predicates say of
 * the way back. */
static void put_back(struct rpc_call *call, const struct set_request *r, mw_value old, size_t count)
{
    struct app *app = call->instance->app;

    while (count-- > 0) {
        struct mw_error why = {0};
        const mw_value *name, *was = mw_list_at(old, count);
        int index;

        (void)mw_map_at(r->values, count, &name);
        index = attribute_of(call, *name);
        if (index < 0 || mw_kind_of(*was) == MW_OPAQUE || restore_one(call, (size_t)index, *was, &why) < 0)
            app_log(app, "setAttr of app \"%s\": \"%s\" could not be put back after another was refused: %s", app->name,
                    mw_get_text(name, NULL), why.text[0] ? why.text : "it cannot be read, or not be set");
    }
}

static int set_all(struct rpc_call *call, const struct set_request *r, struct mw_error *ret_error)
{
    size_t count = mw_map_count(r->values), done, i;
    struct mw_error why = {0}; /* kept while others are put back */
    mw_value old;
    int err = 0;

    if (refuse_all(call, r) > 0)
        return 0;
    old = remember_all(call, r);
    if (mw_kind_of(old) == MW_MISSING)
        return mw_fail(ret_error, RPC_INTERNAL, "out of memory; nothing was set");
    for (done = 0; done < count && err == 0; done += err == 0) {
        const mw_value *name, *value = mw_map_at(r->values, done, &name);
        int index = attribute_of(call, *name);

        err = index < 0 ? index : set_one(call, (size_t)index, *value, &why); /* a setter may have changed the rights */
    }
    if (err < 0)
        put_back(call, r, old, done);
    for (i = 0; i < count; i++) {
        const mw_value *name;
        int index;

        (void)mw_map_at(r->values, i, &name);
        index = attribute_of(call, *name);
        if (err < 0)
            call_refuse(call, *name, i == done ? err : -ECANCELED, i == done ? why.text : others_refused);
        else if (index >= 0)
            note_set(call, *name, (size_t)index);
    }
    mw_release(old);
    return 0;
}

/* ---- once ------------------------------------------------------------------------------------------------------------ */

static uint64_t fingerprint(struct rpc_call *call)
{
    struct mw_buffer *b = &call->scratch->details; /* not in use yet */
    uint64_t hash;

    print_value(b, call->params);
    hash = mw_hash(b->data, b->count);
    print_rewind(b, 0);
    return hash;
}

static void remember(struct rpc_call *call, const struct set_request *r, uint64_t hash, size_t from)
{
    mw_instance *instance = call->instance;
    const struct mw_buffer *out = &call->scratch->out;
    int err;

    if (out->error)
        return;
    if (!instance->keys)
        instance->keys = keys_new();
    err = instance->keys ? keys_remember(instance->keys, mw_client_user(call->client), r->key, hash,
                                         (const char *)out->data + from, out->count - from)
                         : -ENOMEM;
    if (err != 0)
        instance->app->stats.keys_forgotten++;
}

int rpc_set_attributes(struct rpc_call *call, struct mw_error *ret_error)
{
    struct mw_buffer *out = &call->scratch->out;
    struct set_request request;
    const mw_value *before;
    size_t from = out->count, byte_count;
    uint64_t hash = 0;
    const char *text;
    int err = read_params(call->params, &request, ret_error);

    if (err < 0)
        return err;
    app_worked(call->instance->app, steps_of(&request));
    if (mw_kind_of(request.key) != MW_NULL) {
        hash = fingerprint(call);
        err = keys_find(call->instance->keys, mw_client_user(call->client), request.key, hash, &before);
        if (err == -EEXIST)
            return mw_fail(ret_error, RPC_PARAMS, "this \"key\" was used for another setAttr: make a new one for each");
        if (err > 0) {
            text = mw_get_text(before, &byte_count);
            (void)mw_buffer_append(out, text, byte_count);
            return 0;
        }
    }
    if (!request.is_atomic)
        set_each(call, &request);
    else if ((err = set_all(call, &request, ret_error)) < 0)
        return err;
    print_literal(out, "{");
    call_print_notes(call);
    if (mw_kind_of(request.key) != MW_NULL)
        remember(call, &request, hash, from);
    return 0;
}
