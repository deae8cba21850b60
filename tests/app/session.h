/* What the tests of the app room share: an app under test, its clients, comparison of JSON as values.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_APP_SESSION_H
#define TEST_APP_SESSION_H

#include <meshwork/json.h>

#include "check.h"
#include "fake/sink.h"

/* What a client of meshwork.v1 says, and is told. */
#define REQUEST(method, params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":" params "}"
#define RESULT(result) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}"
#define CHANGED(values, revs) "{\"jsonrpc\":\"2.0\",\"method\":\"changed\",\"params\":{\"values\":" values ",\"revs\":" revs "}}"

#define SESSION_CLIENTS 6

struct session {
    struct app *app;
    struct fake_sink sinks[SESSION_CLIENTS];
    mw_client *clients[SESSION_CLIENTS];
    char log[4096];   /* lines, each with a newline */
    int wakes;
    int64_t now_ns;
    uint8_t random_byte;
};
static struct session session;

static inline void session_log(void *context, const char *line)
{
    struct session *s = context;
    size_t used = strlen(s->log);

    (void)snprintf(s->log + used, sizeof(s->log) - used, "%s\n", line);
}

static inline void session_wake(void *context)
{
    ((struct session *)context)->wakes++;
}

static inline void session_random(void *context, void *ret_bytes, size_t byte_count)
{
    memset(ret_bytes, ++((struct session *)context)->random_byte, byte_count);
}

static inline struct app_options session_options(const mw_app *descriptor)
{
    return (struct app_options){.name = "machine", .descriptor = descriptor, .message_bytes = 1048576,
                                .messages_per_s = 500, .ping_s = 30, .wake = session_wake, .log = session_log,
                                .random = session_random, .context = &session};
}

static inline void session_end(void)
{
    size_t i;

    app_free(session.app);
    for (i = 0; i < SESSION_CLIENTS; i++)
        fake_sink_clear(&session.sinks[i]);
    memset(&session, 0, sizeof(session));
}

/* A test that failed left its session behind. */
static inline void session_start_with(const struct app_options *options)
{
    struct mw_error error = {0};
    int err;

    session_end();
    err = app_open(options, &session.app, &error);
    if (err < 0)
        fprintf(stderr, "    %s\n", error.text);
    CHECK_INT(err, 0);
}

static inline void session_start(const mw_app *descriptor)
{
    struct app_options options = session_options(descriptor);

    session_start_with(&options);
}

static inline int session_try_connect(size_t at, enum app_manner manner, struct mw_error *ret_error)
{
    struct fake_sink *sink = &session.sinks[at];
    int err;

    sink->read = sink->count; /* what an earlier client left unread */
    err = app_client_open(session.app, manner, &fake_sink, sink, NULL, &session.clients[at], ret_error);
    sink->client = err == 0 ? session.clients[at] : NULL;
    return err;
}

static inline void session_connect(size_t at, enum app_manner manner)
{
    CHECK_INT(session_try_connect(at, manner, NULL), 0);
}

/* In v1, past hello. */
static inline void session_connect_v1(size_t at)
{
    session_connect(at, APP_MANNER_V1);
    CHECK(fake_sink_next(&session.sinks[at]) != NULL);
}

static inline void session_say(size_t at, const char *text)
{
    app_client_message(session.clients[at], MW_FRAME_TEXT, text, strlen(text));
}

static inline void session_leave(size_t at)
{
    app_client_closed(session.clients[at]);
    session.clients[at] = NULL;
    session.sinks[at].client = NULL;
}

/* Turns until nothing is ready; 1 ms of the test's own time goes by. */
static inline void session_turn(void)
{
    int turns = 0;

    session.now_ns += 1000000;
    while (app_turn(session.app, session.now_ns) && ++turns < 1000)
        continue;
    CHECK(turns < 1000);
}

/* How many members there are to compare: ids of denials are passed over where want does not speak of them. */
static inline size_t json_member_count(mw_value got, mw_value want)
{
    return mw_map_count(got) - (mw_map_get(got, "decisions") && !mw_map_get(want, "decisions"));
}

/* Whether got is what want says. In want, the text "*" stands for anything and "#" for a positive int. */
static inline bool json_matches(mw_value want, mw_value got)
{
    const char *text = mw_get_text(&want, NULL);
    int64_t number;
    size_t i;

    if (text && strcmp(text, "*") == 0)
        return true;
    if (text && strcmp(text, "#") == 0)
        return mw_get_int(got, &number) == 0 && number > 0;
    if (mw_kind_of(want) != mw_kind_of(got))
        return false;
    if (mw_kind_of(want) == MW_LIST) {
        if (mw_list_count(want) != mw_list_count(got))
            return false;
        for (i = 0; i < mw_list_count(want); i++)
            if (!json_matches(*mw_list_at(want, i), *mw_list_at(got, i)))
                return false;
        return true;
    }
    if (mw_kind_of(want) == MW_MAP) {
        if (mw_map_count(want) != json_member_count(got, want))
            return false;
        for (i = 0; i < mw_map_count(want); i++) {
            const mw_value *key, *value = mw_map_at(want, i, &key);
            size_t key_bytes;
            const char *name = mw_get_text(key, &key_bytes);
            const mw_value *other = mw_map_get_n(got, name, key_bytes);

            if (!other || !json_matches(*value, *other))
                return false;
        }
        return true;
    }
    return mw_equal(want, got);
}

static inline void check_json(const char *file, int line, const char *got, const char *want)
{
    mw_value got_value = {0}, want_value = {0};
    bool same;

    if (got == NULL || want == NULL) {
        mw_check_text(file, line, "message", got, want);
        return;
    }
    if (mw_json_parse(want, strlen(want), NULL, &want_value, NULL) < 0) {
        fprintf(stderr, "%s:%d: the wanted text is no JSON: %s\n", file, line, want);
        mw_test_fail();
    }
    if (mw_json_parse(got, strlen(got), NULL, &got_value, NULL) < 0) {
        fprintf(stderr, "%s:%d: what came is no JSON: %s\n", file, line, got);
        mw_test_fail();
    }
    same = json_matches(want_value, got_value);
    mw_release(want_value);
    mw_release(got_value);
    if (same)
        return;
    fprintf(stderr, "%s:%d: %s: got\n    %s, want\n    %s\n", file, line, mw_test_state.name, got, want);
    mw_test_fail();
}
#define CHECK_JSON(got, want) check_json(__FILE__, __LINE__, (got), (want))
/* The next message that client `at` got. want NULL: none. */
#define CHECK_NEXT(at, want) check_json(__FILE__, __LINE__, fake_sink_next(&session.sinks[at]), (want))

#endif
