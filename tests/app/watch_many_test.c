/* Watching where there are ten thousand names: limits, the length of messages, and what is said of the time it takes.
 * Read next: watch_test.c.
 * SPDX-License-Identifier: MIT */
#include "app/machine.h"

#define FAILURE(code, message) \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":" code ",\"message\":\"" message "\",\"data\":\"*\"}}"

#define MANY 10050
static char many_names[MANY][8];
static mw_attribute many_attributes[MANY];

static int many_open(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    (void)ret_error;
    seen.instance = instance;
    seen.machine = state;
    return 0;
}

static void start_many(void)
{
    mw_app descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "many", .state_bytes = MANY * sizeof(int64_t),
                         .attributes = many_attributes, .attribute_count = MANY, .open = many_open};
    int i;

    for (i = 0; i < MANY; i++) {
        (void)snprintf(many_names[i], sizeof(many_names[i]), "n%d", i);
        many_attributes[i] = (mw_attribute){.name = many_names[i], .offset = (size_t)i * 8, .field_bytes = 8,
                                            .kind = MW_INT, .marks = MW_EXPOSED};
    }
    memset(&seen, 0, sizeof(seen));
    session_start(&descriptor);
}

/* 64 globs of so many bytes. */
static void watch_globs(size_t at, const char *method, int bytes)
{
    static char request[64 * 300];
    size_t used = (size_t)snprintf(request, sizeof(request), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":[", method);
    int i;

    for (i = 0; i < 64; i++)
        used += (size_t)snprintf(request + used, sizeof(request) - used, "%s\"*%0*d\"", i > 0 ? "," : "", bytes - 1, i);
    (void)snprintf(request + used, sizeof(request) - used, "]}");
    session_say(at, request);
}

static void globs_that_are_long_are_refused_where_there_are_many_names(void)
{
    start_many();
    session_connect_v1(0);
    watch_globs(0, "watch", 50);
    CHECK_NEXT(0, RESULT("{\"values\":{},\"revs\":{},\"errors\":{}}"));
    watch_globs(0, "watch", 250);
    CHECK_NEXT(0, FAILURE("-32010", "too large"));
    CHECK_INT(app_stats(session.app).watches_refused, 1);
    watch_globs(0, "unwatch", 250); /* nothing is watched that they would be compared with */
    CHECK_NEXT(0, RESULT("true"));
    session_end();
}

/* watch n names from the first on. */
static void watch_many(size_t at, int first, int n)
{
    static char request[256 * 1024];
    size_t used = (size_t)snprintf(request, sizeof(request), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"watch\",\"params\":[");
    int i;

    for (i = first; i < first + n; i++)
        used += (size_t)snprintf(request + used, sizeof(request) - used, "%s\"n%d\"", i > first ? "," : "", i);
    (void)snprintf(request + used, sizeof(request) - used, "]}");
    session_say(at, request);
}

static size_t steps_told;

static void note_steps(void *context, size_t steps)
{
    (void)context;
    steps_told += steps;
}

/* So that the server can let others have their turn before what comes next. */
static void what_takes_long_is_told_while_it_is_done(void)
{
    const struct {
        const char *request;
        size_t least, most;
    } cases[] = {
        {REQUEST("getAttr", "[\"n1\",\"n2\"]"), 0, 0},
        {REQUEST("describe", "[]"), MANY, MANY},
        {REQUEST("watch", "[\"x*\"]"), 2 * MANY / 256, 2 * MANY / 256 + 1},
        {"[" REQUEST("describe", "[]") "," REQUEST("describe", "[]") "]", 2 * MANY, 2 * MANY},
    };
    struct app_options options;
    mw_app descriptor;
    size_t i;

    start_many();
    descriptor = (mw_app){.abi = MW_ABI, .size = sizeof(mw_app), .name = "many", .state_bytes = MANY * sizeof(int64_t),
                          .attributes = many_attributes, .attribute_count = MANY};
    options = session_options(&descriptor);
    options.worked = note_steps;
    session_start_with(&options);
    session_connect_v1(0);
    for (i = 0; i < MW_COUNT(cases); i++) {
        steps_told = 0;
        session_say(0, cases[i].request);
        CHECK(steps_told >= cases[i].least && steps_told <= cases[i].most);
    }
    steps_told = 0;
    watch_many(0, 0, 1000);
    CHECK(steps_told >= 2000 && steps_told <= 2100); /* read and watched, and the message itself */
    session_end();
}

static void a_client_watches_at_most_10000(void)
{
    start_many();
    session_connect_v1(0);
    watch_many(0, 0, 10001);
    CHECK_NEXT(0, FAILURE("-32010", "too large"));
    CHECK_INT(app_stats(session.app).watches, 0);
    CHECK_INT(app_stats(session.app).watches_refused, 1);
    watch_many(0, 0, 10000);
    CHECK(fake_sink_next(&session.sinks[0]) != NULL);
    CHECK_INT(app_stats(session.app).watches, 10000);
    watch_many(0, 9000, 1000); /* those it has cost nothing */
    CHECK_NEXT(0, RESULT("\"*\""));
    watch_many(0, 10000, 1);
    CHECK_NEXT(0, FAILURE("-32010", "too large"));
    session_end();
}

static void many_changes_go_out_in_messages_of_bounded_length(void)
{
    size_t messages = 0;
    const char *text;
    int i;

    start_many();
    session_connect_v1(0);
    watch_many(0, 0, 10000);
    CHECK(fake_sink_next(&session.sinks[0]) != NULL);
    for (i = 0; i < 10000; i++)
        ((int64_t *)(void *)seen.machine)[i] = i + 1;
    session_turn();
    while ((text = fake_sink_next(&session.sinks[0])) != NULL) {
        messages++;
        CHECK(strlen(text) < 512 * 1024);
    }
    CHECK(messages >= 2 && messages < 100);
    session_turn();
    CHECK_NEXT(0, NULL);
    session_end();
}

static void above_1000_names_hello_has_no_rights(void)
{
    start_many();
    session_connect(0, APP_MANNER_V1);
    CHECK(strstr(fake_sink_next(&session.sinks[0]), "\"rights\":null,") != NULL);
    mw_unexpose(mw_instance_exposable(seen.instance), "n7", MW_EXPOSED);
    session_turn();
    CHECK_NEXT(0, NULL); /* still too many to say */
    session_end();
}

static void unwatching_in_any_order_leaves_the_rest(void)
{
    char request[128];
    int i;

    start_many();
    session_connect_v1(0);
    for (i = 0; i < 300; i++)
        watch_many(0, (i * 7919) % 300, 1);
    CHECK_INT(app_stats(session.app).watches, 300);
    for (i = 0; i < 299; i++) {
        (void)snprintf(request, sizeof(request), "{\"jsonrpc\":\"2.0\",\"method\":\"unwatch\",\"params\":[\"n%d\"]}", (i * 7907) % 299);
        session_say(0, request);
        CHECK_INT(app_stats(session.app).watches, 299 - i);
    }
    while (fake_sink_next(&session.sinks[0]))
        continue;
    ((int64_t *)(void *)seen.machine)[299] = 5;
    ((int64_t *)(void *)seen.machine)[298] = 5;
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"n299\":5}", "{\"n299\":\"#\"}"));
    session_end();
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(globs_that_are_long_are_refused_where_there_are_many_names),
        TEST(what_takes_long_is_told_while_it_is_done),
        TEST(a_client_watches_at_most_10000),
        TEST(many_changes_go_out_in_messages_of_bounded_length),
        TEST(above_1000_names_hello_has_no_rights),
        TEST(unwatching_in_any_order_leaves_the_rest),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
