/* The methods of meshwork.v1 that watch: watch, resume, unwatch.
 * Not how changes are found and told; that is watch.c. Read next: watch.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/glob.h"
#include "app/print.h"
#include "app/protocol.h"
#include "base/memory.h"

#define WATCH_HZ_LEAST 0.001
#define WATCH_HZ_MOST 1000.0
#define GLOB_BYTES_PER_STEP 256 /* of globs, compared with names in the time in which one is looked up */
#define GLOBS_TAKE_MOST ((size_t)32 << 20) /* bytes of all globs of a request times names: some 20 ms at worst */

/* ---- params ----------------------------------------------------------------------------------------------- */

struct watch_request {
    mw_value names;       /* owned where it has been expanded */
    mw_value known;       /* null: none */
    bool is_expanded;
    struct watch_manner manner;
};

/* A rate as an interval. */
static int read_rate(mw_value value, struct watch_request *r, struct mw_error *ret_error)
{
    double hz;

    if (mw_get_real(value, &hz) < 0 || !(hz >= WATCH_HZ_LEAST && hz <= WATCH_HZ_MOST))
        return mw_fail(ret_error, RPC_PARAMS, "\"max_hz\" is a number of 0.001 to 1000: so many changes a second at most");
    r->manner.interval_ns = (int64_t)(1e9 / hz);
    return 0;
}

static int read_mode(mw_value value, struct watch_request *r, struct mw_error *ret_error)
{
    r->manner.is_all = app_is_text(&value, "all");
    if (r->manner.is_all || app_is_text(&value, "latest"))
        return 0;
    return mw_fail(ret_error, RPC_PARAMS, "\"mode\" is to be \"latest\" or \"all\"");
}

static int read_watch_member(mw_value key, mw_value value, struct watch_request *r, struct mw_error *ret_error)
{
    if (app_is_text(&key, "names")) {
        r->names = value;
        return 0;
    }
    if (app_is_text(&key, "known")) {
        if (mw_kind_of(value) != MW_MAP)
            return mw_fail(ret_error, RPC_PARAMS, "\"known\" is an object of revisions, whole numbers: {\"a\":7}");
        r->known = value;
        return 0;
    }
    if (app_is_text(&key, "mode"))
        return read_mode(value, r, ret_error);
    if (app_is_text(&key, "max_hz"))
        return read_rate(value, r, ret_error);
    return mw_fail(ret_error, RPC_PARAMS, "watch takes a list of names, or \"names\", \"known\", \"mode\" and \"max_hz\"");
}

static int read_watch_params(mw_value params, struct watch_request *r, struct mw_error *ret_error)
{
    size_t i;

    *r = (struct watch_request){.names = params};
    if (mw_kind_of(params) != MW_MAP)
        return 0;
    r->names = mw_null();
    for (i = 0; i < mw_map_count(params); i++) {
        const mw_value *key, *value = mw_map_at(params, i, &key);
        int err = read_watch_member(*key, *value, r, ret_error);

        if (err < 0)
            return err;
    }
    if (r->manner.is_all && r->manner.interval_ns > 0)
        return mw_fail(ret_error, RPC_PARAMS, "\"mode\":\"all\" leaves nothing out, so it takes no \"max_hz\"");
    for (i = 0; i < mw_map_count(r->known); i++) {
        int64_t revision;
        int err = call_read_revision(*mw_map_at(r->known, i, NULL), "known", &revision, ret_error);

        if (err < 0)
            return err;
    }
    return 0;
}

/* ---- globs ---------------------------------------------------------------------------------------------- */

/* Those of a request. */
struct globs {
    struct glob *each; /* owned; NULL: there are none */
    size_t count;
};

static void globs_clear(struct globs *g)
{
    mw_free(g->each);
    *g = (struct globs){0};
}

static size_t count_globs(mw_value names, size_t *ret_bytes)
{
    size_t count = 0, i, byte_count;

    *ret_bytes = 0;
    for (i = 0; i < mw_list_count(names); i++) {
        const char *text = mw_get_text(mw_list_at(names, i), &byte_count);

        if (!glob_is(text, byte_count))
            continue;
        count++;
        *ret_bytes += byte_count;
    }
    return count;
}

/* Too many globs in one request, or too long ones, which is to compare each with so many names? 0, or an rpc_error. */
static int check_globs(struct rpc_call *call, size_t glob_count, size_t glob_bytes, size_t name_count, struct mw_error *ret_error)
{
    struct app *app = call->instance->app;

    if (glob_count > app->options.limits[APP_LIMIT_GLOBS]) {
        app_limit_hit(app, APP_LIMIT_GLOBS);
        return mw_fail(ret_error, RPC_TOO_LARGE, "at most %zu globs in one request; these are %zu", app->options.limits[APP_LIMIT_GLOBS],
                       glob_count);
    }
    if (glob_bytes > GLOBS_TAKE_MOST / (name_count + 1)) {
        app_limit_hit(app, APP_LIMIT_GLOBS);
        return mw_fail(ret_error, RPC_TOO_LARGE, "globs of %zu bytes in one request are too long to be compared with %zu names", glob_bytes,
                       name_count);
    }
    app_worked(app, glob_bytes * name_count / GLOB_BYTES_PER_STEP);
    return 0;
}

/* Take the globs out of a list of names, to be compared with so many names. 0, or an rpc_error */
static int read_globs(struct rpc_call *call, mw_value names, size_t name_count, struct globs *ret, struct mw_error *ret_error)
{
    size_t all_bytes, i, byte_count, count = count_globs(names, &all_bytes);
    int err = count > 0 ? check_globs(call, count, all_bytes, name_count, ret_error) : 0;

    *ret = (struct globs){0};
    if (count == 0 || err < 0)
        return err;
    ret->each = mw_alloc(count * sizeof *ret->each);
    if (!ret->each)
        return rpc_no_memory(ret_error);
    for (i = 0; i < mw_list_count(names); i++) {
        const char *text = mw_get_text(mw_list_at(names, i), &byte_count);

        if (glob_is(text, byte_count))
            glob_init(&ret->each[ret->count++], text, byte_count);
    }
    return 0;
}

static bool any_takes(const struct globs *globs, const char *name)
{
    const size_t name_bytes = strlen(name);
    const uint64_t bytes = glob_bytes(name, name_bytes);
    size_t i;

    for (i = 0; i < globs->count; i++)
        if (glob_takes(&globs->each[i], name, name_bytes, bytes))
            return true;
    return false;
}

/* Append the attributes that this client may read and a glob is about. */
static int append_matches(struct rpc_call *call, const struct globs *globs, mw_value *list)
{
    const mw_view view = client_view(call->client);
    const mw_app *d = &call->instance->app->descriptor;
    size_t i;
    int err = 0;

    for (i = 0; i < d->attribute_count && err == 0; i++)
        if (any_takes(globs, d->attributes[i].name) && mw_view_may_at(&view, MW_GETTABLE, i, NULL))
            err = mw_list_append(list, mw_text(d->attributes[i].name));
    return err;
}

/* In place of globs the names that they are about. Those that cannot be read are left out: names cannot be probed. */
static int expand_globs(struct rpc_call *call, struct watch_request *r, struct mw_error *ret_error)
{
    struct globs globs;
    size_t i, byte_count;
    mw_value list;
    int err = read_globs(call, r->names, call->instance->app->descriptor.attribute_count, &globs, ret_error);

    if (err < 0)
        call->instance->app->stats.watches_refused++;
    if (err < 0 || globs.count == 0)
        return err;
    list = mw_list_new();
    for (i = 0; i < mw_list_count(r->names) && err == 0; i++) {
        const mw_value *name = mw_list_at(r->names, i);
        const char *text = mw_get_text(name, &byte_count);

        if (!glob_is(text, byte_count))
            err = mw_list_append(&list, mw_share(*name));
    }
    if (err == 0)
        err = append_matches(call, &globs, &list);
    globs_clear(&globs);
    if (err < 0) {
        mw_release(list);
        return rpc_no_memory(ret_error);
    }
    r->names = list;
    r->is_expanded = true;
    return 0;
}

/* ---- watch ------------------------------------------------------------------------------------------------ */

/* How many watches this list would add. Counted only where it could matter. */
static int count_new(struct rpc_call *call, mw_value list, size_t *ret_count, struct mw_error *ret_error)
{
    struct names names;
    const mw_value *name;
    int err = names_open(&names, list, ret_error);

    *ret_count = 0;
    while (err >= 0 && (err = names_next(&names, &name)) > 0) {
        int index = call_find(call, *name, MW_GETTABLE);

        if (index >= 0 && !watch_has(call->client, (size_t)index))
            ++*ret_count;
    }
    names_close(&names);
    return err == -ENOMEM ? rpc_no_memory(ret_error) : err;
}

/* All of a request is watched or nothing. */
static int check_limits(struct rpc_call *call, mw_value list, struct mw_error *ret_error)
{
    struct app *app = call->instance->app;
    struct app_stats *stats = &app->stats;
    const size_t most = app->options.limits[APP_LIMIT_CLIENT_WATCHES], most_of_all = app->options.limits[APP_LIMIT_WATCHES];
    size_t more = mw_list_count(list), watches = call->client->watcher->count,
           of_all = atomic_load_explicit(&app->together->watches, memory_order_relaxed);
    int err;

    if (app->refuses_watches) {
        stats->watches_refused++;
        return mw_fail(ret_error, RPC_OVERLOADED, "the server is short of memory: no further watch for now");
    }
    if (watches + more <= most && of_all + more <= most_of_all)
        return 0;
    err = count_new(call, list, &more, ret_error);
    if (err < 0)
        return err;
    if (watches + more > most) {
        stats->watches_refused++;
        app_limit_hit(app, APP_LIMIT_CLIENT_WATCHES);
        return mw_fail(ret_error, RPC_TOO_LARGE, "a client watches at most %zu attributes; %zu are watched, this adds %zu", most, watches, more);
    }
    if (of_all + more > most_of_all) {
        stats->watches_refused++;
        app_limit_hit(app, APP_LIMIT_WATCHES);
        return mw_fail(ret_error, RPC_OVERLOADED, "all clients together watch at most %zu attributes", most_of_all);
    }
    return 0;
}

/* Print one, and note that it is to be watched. 0, -ENOMEM */
static int read_one(struct rpc_call *call, const struct watch_request *r, mw_value name)
{
    struct watch_read read = {0};
    size_t byte_count;
    const char *text = mw_get_text(&name, &byte_count);
    const mw_value *known_revision = mw_map_get_n(r->known, text, byte_count);
    int64_t known_int = 0, revision;

    if (known_revision)
        (void)mw_get_int(*known_revision, &known_int); /* it has been checked */
    revision = call_read_one(call, name, known_revision ? &known_int : NULL, &read.index);
    if (revision == -EACCES || revision == -ENODATA)
        return 0; /* nothing to be told of, ever or until its rights change: then one asks again */
    read.revision = revision > 0 ? revision : 0;
    return mw_buffer_append(&call->scratch->reads, &read, sizeof read);
}

/* Answer with the values of all names, and watch them from now on: once the answer is whole, so that who is refused is neither told of
 * changes, nor taken to know values that went nowhere. */
static int watch_all(struct rpc_call *call, const struct watch_request *r, struct mw_error *ret_error)
{
    struct mw_buffer *reads = &call->scratch->reads;
    struct names names;
    const mw_value *name;
    int err = names_open(&names, r->names, ret_error);

    if (err == 0)
        err = check_limits(call, r->names, ret_error);
    if (err < 0) {
        names_close(&names);
        return err;
    }
    app_worked(call->instance->app, 2 * mw_list_count(r->names)); /* read, then watched */
    print_rewind(reads, 0);
    print_literal(&call->scratch->out, "\"values\":{");
    while ((err = names_next(&names, &name)) > 0) {
        err = read_one(call, r, *name);
        if (err < 0)
            break;
    }
    print_literal(&call->scratch->out, "},");
    call_print_notes(call);
    names_close(&names);
    if (err == 0)
        err = rpc_check_answer(call, ret_error);
    if (err == 0 && reads->count > 0)
        err = watch_add(call->client, (struct watch_read *)(void *)reads->data, reads->count / sizeof(struct watch_read), &r->manner);
    return err == -ENOMEM ? rpc_no_memory(ret_error) : err;
}

int rpc_watch(struct rpc_call *call, struct mw_error *ret_error)
{
    struct watch_request request;
    struct names names;
    int err = read_watch_params(call->params, &request, ret_error);

    if (err == 0) {
        err = names_open(&names, request.names, ret_error);
        names_close(&names);
    }
    if (err == 0)
        err = expand_globs(call, &request, ret_error);
    if (err < 0)
        return err;
    print_literal(&call->scratch->out, "{");
    err = watch_all(call, &request, ret_error);
    if (request.is_expanded)
        mw_release(request.names);
    return err;
}

/* ---- resume ------------------------------------------------------------------------------------------------ */

/* {"session":...,"epoch":...,"watch":{"a":7}}: the names as a list, owned. */
static int read_resume(mw_value params, struct watch_request *r, const mw_value **ret_epoch, struct mw_error *ret_error)
{
    const mw_value *watched = mw_map_get(params, "watch"), *session = mw_map_get(params, "session");
    mw_value names;
    size_t i;
    int err = 0;

    *ret_epoch = mw_map_get(params, "epoch");
    if (!watched || mw_kind_of(*watched) != MW_MAP || !*ret_epoch || mw_kind_of(**ret_epoch) != MW_TEXT || !session ||
        mw_kind_of(*session) != MW_TEXT || mw_map_count(params) != 3)
        return mw_fail(ret_error, RPC_PARAMS, "expected {\"session\":\"...\",\"epoch\":\"...\",\"watch\":{\"a\":7}}, as hello and "
                       "what is watched had them");
    names = mw_list_new();
    for (i = 0; i < mw_map_count(*watched) && err == 0; i++) {
        const mw_value *key, *value = mw_map_at(*watched, i, &key);
        int64_t revision;

        err = call_read_revision(*value, "watch", &revision, ret_error);
        if (err == 0 && mw_list_append(&names, mw_share(*key)) < 0)
            err = rpc_no_memory(ret_error);
    }
    if (err < 0) {
        mw_release(names);
        return err;
    }
    *r = (struct watch_request){.names = names, .known = *watched};
    return 0;
}

/* By state, not by what was sent: so it cannot have expired. In another epoch revisions say nothing, and all is told anew. */
int rpc_resume(struct rpc_call *call, struct mw_error *ret_error)
{
    struct watch_request request = {0};
    const mw_value *epoch = NULL;
    bool is_same;
    int err = read_resume(call->params, &request, &epoch, ret_error);

    if (err < 0)
        return err;
    is_same = app_is_text(epoch, call->instance->epoch);
    if (!is_same)
        request.known = mw_null();
    print_literal(&call->scratch->out, "{\"resumed\":");
    print_value(&call->scratch->out, mw_bool(is_same));
    print_literal(&call->scratch->out, ",\"gaps\":false,");
    err = watch_all(call, &request, ret_error);
    mw_release(request.names);
    return err;
}

/* ---- unwatch ------------------------------------------------------------------------------------------------ */

/* Those of its watches that a glob is about. */
static void unwatch_matches(mw_client *client, const struct globs *globs)
{
    size_t i;

    for (i = globs->count > 0 ? client->watcher->count : 0; i-- > 0;) {
        size_t index = client->watcher->watches[i]->index;

        if (any_takes(globs, client->instance->app->descriptor.attributes[index].name))
            watch_mark(client, index);
    }
}

int rpc_unwatch(struct rpc_call *call, struct mw_error *ret_error)
{
    mw_value list = call->params;
    struct names names;
    struct globs globs = {0};
    size_t i;
    int err = names_open(&names, list, ret_error);

    names_close(&names);
    if (err == 0)
        err = read_globs(call, list, call->client->watcher->count, &globs, ret_error);
    if (err < 0)
        return err;
    app_worked(call->instance->app, mw_list_count(list));
    if (mw_list_count(list) == 0)
        watch_remove_all(call->client);
    unwatch_matches(call->client, &globs);
    globs_clear(&globs);
    for (i = 0; i < mw_list_count(list); i++) {
        size_t byte_count;
        const char *text = mw_get_text(mw_list_at(list, i), &byte_count);
        int index = mw_exposable_find(call->instance->exposable, text, byte_count);

        if (index >= 0)
            watch_mark(call->client, (size_t)index);
    }
    watch_remove_marked(call->client);
    print_literal(&call->scratch->out, "true");
    return 0;
}
