/* Names in requests, and the notes of an answer that has one entry per name.
 * Not the methods; those are in methods.c and set.c. Read next: methods.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/print.h"
#include "app/protocol.h"
#include "base/hint.h"
#include "base/word.h"

/* A list so short is searched for repetitions as it is; a longer one through a map. */
#define SHORT_LIST 32

/* ---- lists of names ------------------------------------------------------------------------------------ */

int names_check(mw_value name, const char *what, struct mw_error *ret_error)
{
    size_t byte_count;

    if (mw_kind_of(name) != MW_TEXT)
        return mw_fail(ret_error, RPC_PARAMS, "%s is to be a string; this is a %s", what, mw_kind_name(mw_kind_of(name)));
    (void)mw_get_text(&name, &byte_count);
    if (byte_count < 1 || byte_count > APP_NAME_BYTES)
        return mw_fail(ret_error, RPC_PARAMS, "%s has 1 to 256 bytes; this one has %zu", what, byte_count);
    return 0;
}

int names_open(struct names *names, mw_value borrows_list, struct mw_error *ret_error)
{
    size_t count = mw_list_count(borrows_list), i;

    *names = (struct names){.list = borrows_list, .count = count};
    if (mw_kind_of(borrows_list) != MW_LIST)
        return mw_fail(ret_error, RPC_PARAMS, "expected a list of names: [\"a\",\"b\"]");
    for (i = 0; i < count; i++) {
        int err = names_check(*mw_list_at(borrows_list, i), "a name", ret_error);

        if (err < 0)
            return err;
    }
    if (count > SHORT_LIST)
        names->seen = mw_map_new();
    return 0;
}

int names_open_call(struct names *names, const struct rpc_call *call, struct mw_error *ret_error)
{
    app_worked(call->instance->app, call->names ? call->name_count : mw_list_count(call->params));
    if (!call->names)
        return names_open(names, call->params, ret_error);
    *names = (struct names){.given = call->names, .count = call->name_count};
    return 0;
}

static inline const mw_value *name_at(const struct names *names, size_t index)
{
    return names->given ? &names->given[index] : mw_list_at(names->list, index);
}

/* One of 64 bits, by the first and the last eight bytes: names of one request differ there as a rule. */
static uint64_t mark_of(const char *text, size_t byte_count)
{
    uint64_t first = mw_word_of(text, byte_count), last = byte_count > 8 ? mw_word_of(text + byte_count - 8, 8) : 0;

    return UINT64_C(1) << ((first * UINT64_C(0x9e3779b97f4a7c15) ^ last * UINT64_C(0xff51afd7ed558ccd)) >> 58);
}

/* returns 1 it came before, 0 it did not, -ENOMEM */
COLD static int came_before(struct names *names, size_t index)
{
    const mw_value *name = name_at(names, index);
    size_t byte_count, i;
    const char *text;
    uint64_t mark;

    if (mw_kind_of(names->seen) == MW_NULL) {
        text = mw_get_text(name, &byte_count);
        mark = mark_of(text, byte_count);
        if (!(names->marks & mark)) {
            names->marks |= mark;
            return 0;
        }
        for (i = 0; i < index; i++)
            if (mw_equal(*name_at(names, i), *name))
                return 1;
        return 0;
    }
    text = mw_get_text(name, &byte_count);
    if (mw_map_get_n(names->seen, text, byte_count))
        return 1;
    return mw_map_set_n(&names->seen, text, byte_count, mw_bool(true));
}

int names_next(struct names *names, const mw_value **ret_name)
{
    while (names->next < names->count) {
        size_t index = names->next++;
        int before = names->count == 1 ? 0 : came_before(names, index);

        if (before < 0)
            return before;
        if (before)
            continue;
        *ret_name = name_at(names, index);
        return 1;
    }
    return 0;
}

void names_close(struct names *names)
{
    mw_release(names->seen);
    names->seen = mw_null();
}

/* ---- notes ------------------------------------------------------------------------------------------------ */

int call_find(const struct rpc_call *call, mw_value name, int right)
{
    size_t byte_count;
    const char *text = mw_get_text(&name, &byte_count);
    int index = mw_exposable_find(call->instance->exposable, text, byte_count);
    const mw_view view = client_view(call->client);

    /* A name that does not exist gets the answer of one that is denied: names cannot be probed. */
    if (index < 0 || !mw_view_may_at(&view, right, (size_t)index, NULL))
        return -EACCES;
    return index;
}

/* These words say all; a reason might say more than the client may know. */
static bool speaks_for_itself(int code)
{
    return code == -EACCES || code == -ENOENT || code == -EROFS || code == -ENODATA || code == APP_CONFLICT;
}

void call_refuse(struct rpc_call *call, mw_value name, int code, const char *reason)
{
    struct mw_buffer *errors = &call->scratch->errors, *details = &call->scratch->details, *decisions = &call->scratch->decisions;
    char id[DENIAL_ID_BYTES];

    if (code == -EACCES) {
        call_deny(call, name, id);
        print_comma(decisions);
        print_name(decisions, name);
        print_c_text(decisions, id);
    }
    print_comma(errors);
    print_name(errors, name);
    print_c_text(errors, code == APP_CONFLICT ? "conflict" : mw_refusal_word(code));
    if (!reason || !reason[0] || speaks_for_itself(code))
        return;
    print_comma(details);
    print_name(details, name);
    print_c_text(details, reason);
}

static void audit(const struct rpc_call *call, mw_value name, const char *decision)
{
    const struct app *app = call->instance->app;
    struct app_deed deed = {.app = app->name, .user = call->client->user, .method = call->method, .decision = decision,
                            .connection = call->client->connection};

    if (!app->options.audit)
        return;
    deed.name = mw_get_text(&name, &deed.name_bytes);
    app->options.audit(app->options.context, &deed);
}

void call_audit(const struct rpc_call *call, mw_value name)
{
    audit(call, name, NULL);
}

/* Where the ids of an app start: no secret, but another place each time, so that an old one does not seem to be a new one. */
static uint64_t first_number(const mw_instance *instance)
{
    return strtoull(instance->epoch, NULL, 16) & 0xfffff;
}

void call_deny(const struct rpc_call *call, mw_value name, char ret_id[DENIAL_ID_BYTES])
{
    struct app *app = call->instance->app;
    const mw_client *client = call->client;
    struct denial denial = {.user = client->user ? mw_text(client->user) : mw_null(), .roles = client->audience->roles, .name = name,
                            .method = call->method, .at_s = (int64_t)time(NULL)};

    app->stats.denied++;
    app->stats.denials_forgotten += denials_note(&app->together->denials, first_number(call->instance), &denial, ret_id);
    mw_release(denial.user);
    audit(call, name, ret_id);
}

int call_deny_all(const struct rpc_call *call, mw_value name, const char *why, struct mw_error *ret_error)
{
    char id[DENIAL_ID_BYTES];

    call_deny(call, name, id);
    return mw_fail(ret_error, RPC_DENIED, "%s (decision %s)", why, id);
}

void call_note_revision(struct rpc_call *call, size_t index, int64_t revision)
{
    struct mw_buffer *revs = &call->scratch->revs;

    print_comma(revs);
    app_print_key(call->instance->app, revs, index);
    print_int(revs, revision);
}

int call_read_revision(mw_value given, const char *member, int64_t *ret, struct mw_error *ret_error)
{
    if (mw_get_int(given, ret) < 0)
        return mw_fail(ret_error, RPC_PARAMS, "\"%s\" is an object of revisions, whole numbers: {\"a\":7}", member);
    return 0;
}

static inline void print_part(struct mw_buffer *out, const struct mw_buffer *part)
{
    if (UNLIKELY(part->error && !out->error))
        out->error = part->error;
    if (part->count > 0)
        (void)mw_buffer_append(out, part->data, part->count);
}

void call_print_notes(struct rpc_call *call)
{
    struct scratch *s = call->scratch;

    print_literal(&s->out, "\"revs\":{");
    print_part(&s->out, &s->revs);
    if (s->errors.count == 0 && !s->errors.error) { /* then there is nothing to add */
        print_literal(&s->out, "},\"errors\":{}}");
        return;
    }
    print_literal(&s->out, "},\"errors\":{");
    print_part(&s->out, &s->errors);
    if (s->details.count > 0) {
        print_literal(&s->out, "},\"details\":{");
        print_part(&s->out, &s->details);
    }
    if (s->decisions.count > 0) {
        print_literal(&s->out, "},\"decisions\":{");
        print_part(&s->out, &s->decisions);
    }
    print_literal(&s->out, "}}");
}
