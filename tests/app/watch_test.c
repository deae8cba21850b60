/* Watching across clients: what is told, to whom, when, and what is withheld.
 * SPDX-License-Identifier: MIT */
#include "app/glob.h"
#include "app/machine.h"
#include "base/memory.h"

#define FAILURE(code, message) \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":" code ",\"message\":\"" message "\",\"data\":\"*\"}}"
#define LAG(count) "{\"jsonrpc\":\"2.0\",\"method\":\"lag\",\"params\":{\"conflated\":" count "}}"

/* A fresh machine, with so many clients of v1. */
static void start(size_t clients)
{
    size_t i;

    machine_start();
    for (i = 0; i < clients; i++)
        session_connect_v1(i);
}

static void watch(size_t at, const char *params)
{
    char request[512];

    (void)snprintf(request, sizeof(request), REQUEST("watch", "%s"), params);
    session_say(at, request);
    CHECK(fake_sink_next(&session.sinks[at]) != NULL);
}

static void a_watch_answers_what_a_get_answers(void)
{
    start(1);
    session_say(0, REQUEST("watch", "[\"a\",\"b\",\"secret\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{\"b\":\"denied\",\"secret\":\"write_only\"}}"));
    CHECK_INT(app_stats(session.app).watches, 1);
    session_turn();
    CHECK_NEXT(0, NULL);
    session_end();
}

static void a_set_by_one_client_is_told_to_the_others_in_the_same_pass(void)
{
    int wakes;

    start(3);
    watch(0, "[\"a\",\"speed\"]");
    watch(1, "[\"a\"]");
    session_turn();
    wakes = session.wakes;
    session_say(2, REQUEST("setAttr", "{\"a\":10}"));
    CHECK(session.wakes > wakes);
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"a\":10}", "{\"a\":\"#\"}"));
    CHECK_NEXT(1, CHANGED("{\"a\":10}", "{\"a\":\"#\"}"));
    CHECK_NEXT(0, NULL);
    CHECK(fake_sink_next(&session.sinks[2]) != NULL);
    CHECK_NEXT(2, NULL);
    session_turn();
    CHECK_NEXT(0, NULL);
    session_end();
}

static void who_sets_is_told_as_well(void)
{
    start(1);
    watch(0, "[\"a\"]");
    session_say(0, REQUEST("setAttr", "{\"a\":10}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"a\":10}", "{\"a\":\"#\"}"));
    session_end();
}

static void what_the_back_end_changes_by_itself_is_noticed(void)
{
    start(1);
    watch(0, "[\"a\",\"c\",\"name\"]");
    seen.machine->c = 33;
    (void)snprintf(seen.machine->name, sizeof(seen.machine->name), "mill");
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"c\":33,\"name\":\"mill\"}", "{\"c\":\"#\",\"name\":\"#\"}"));
    CHECK_NEXT(0, NULL);
    session_end();
}

static void only_the_newest_value_is_told(void)
{
    start(2);
    watch(0, "[\"a\"]");
    session_say(1, REQUEST("setAttr", "{\"a\":10}"));
    session_say(1, REQUEST("setAttr", "{\"a\":11}"));
    session_say(1, REQUEST("setAttr", "{\"a\":12}"));
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"a\":12}", "{\"a\":\"#\"}"));
    CHECK_NEXT(0, NULL);
    session_end();
}

static void a_value_that_went_and_came_back_between_two_looks_is_no_change(void)
{
    start(1);
    watch(0, "[\"a\"]");
    seen.machine->a = 50;
    seen.machine->a = 1;
    session_turn();
    CHECK_NEXT(0, NULL);
    session_end();
}

static void a_get_in_between_hides_no_change(void)
{
    start(2);
    watch(0, "[\"a\"]");
    seen.machine->a = 50;
    session_say(1, REQUEST("getAttr", "[\"a\"]"));
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"a\":50}", "{\"a\":\"#\"}"));
    session_end();
}

static void a_second_watch_of_a_name_is_one_watch(void)
{
    start(1);
    watch(0, "[\"a\",\"a\"]");
    watch(0, "[\"a\"]");
    CHECK_INT(app_stats(session.app).watches, 1);
    seen.machine->a = 2;
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"a\":2}", "{\"a\":\"#\"}"));
    CHECK_NEXT(0, NULL);
    session_end();
}

static void after_unwatch_nothing_is_told(void)
{
    start(1);
    watch(0, "[\"a\",\"c\",\"speed\"]");
    session_say(0, REQUEST("unwatch", "[\"c\",\"b\",\"nothing\",\"big\"]"));
    CHECK_NEXT(0, RESULT("true"));
    CHECK_INT(app_stats(session.app).watches, 2);
    seen.machine->c = 33;
    session_turn();
    CHECK_NEXT(0, NULL);
    seen.machine->a = 2;
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"a\":2}", "{\"a\":\"#\"}"));
    session_say(0, REQUEST("unwatch", "[]"));
    CHECK_NEXT(0, RESULT("true"));
    CHECK_INT(app_stats(session.app).watches, 0);
    seen.machine->a = 3;
    session_turn();
    CHECK_NEXT(0, NULL);
    session_end();
}

static void a_known_value_is_left_out(void)
{
    char request[256];
    mw_value answer;
    int64_t revision = 0;
    const char *text;

    start(1);
    session_say(0, REQUEST("watch", "{\"names\":[\"a\"]}"));
    text = fake_sink_next(&session.sinks[0]);
    CHECK_INT(mw_json_parse(text, strlen(text), NULL, &answer, NULL), 0);
    CHECK_INT(mw_get_int(*mw_map_get(*mw_map_get(*mw_map_get(answer, "result"), "revs"), "a"), &revision), 0);
    mw_release(answer);
    (void)snprintf(request, sizeof(request), REQUEST("watch", "{\"names\":[\"a\",\"c\"],\"known\":{\"a\":%lld},\"mode\":\"latest\"}"),
                   (long long)revision);
    session_say(0, request);
    CHECK_NEXT(0, RESULT("{\"values\":{\"c\":3},\"revs\":{\"a\":\"#\",\"c\":\"#\"},\"errors\":{}}"));
    seen.machine->a = 2;
    session_say(0, request);
    CHECK_NEXT(0, RESULT("{\"values\":{\"a\":2,\"c\":3},\"revs\":{\"a\":\"#\",\"c\":\"#\"},\"errors\":{}}"));
    session_turn();
    CHECK_NEXT(0, NULL); /* it has just been told */
    session_end();
}

static void rights_are_judged_again_at_delivery(void)
{
    start(1);
    watch(0, "[\"a\",\"c\"]");
    mw_unexpose(mw_instance_exposable(seen.instance), "a", MW_EXPOSED);
    seen.machine->a = 9;
    seen.machine->c = 33;
    session_turn();
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"rights\",\"params\":\"*\"}");
    CHECK_NEXT(0, CHANGED("{\"c\":33}", "{\"c\":\"#\"}"));
    seen.machine->a = 10;
    session_turn();
    CHECK_NEXT(0, NULL);
    session_end();
}

static void what_was_withheld_is_told_when_the_right_comes_back(void)
{
    start(1);
    watch(0, "[\"a\"]");
    mw_unexpose(mw_instance_exposable(seen.instance), "a", MW_GETTABLE);
    seen.machine->a = 9;
    session_turn();
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"rights\",\"params\":\"*\"}");
    CHECK_NEXT(0, NULL);
    mw_expose(mw_instance_exposable(seen.instance), "a", MW_GETTABLE);
    session_turn();
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"rights\",\"params\":\"*\"}");
    CHECK_NEXT(0, CHANGED("{\"a\":9}", "{\"a\":\"#\"}"));
    session_end();
}

static void changed_rights_are_said_at_once(void)
{
    start(2);
    session_connect(2, APP_MANNER_PLAIN);
    mw_expose(mw_instance_exposable(seen.instance), "b", MW_GETTABLE);
    session_turn();
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"rights\",\"params\":{\"a\":\"get set\",\"b\":\"get\",\"c\":\"get\","
                  "\"speed\":\"get set\",\"name\":\"get set\",\"big\":\"get set\",\"is_on\":\"get set\",\"serial\":\"get\","
                  "\"secret\":\"set\",\"faulty\":\"get\",\"picky\":\"get set\",\"reset\":\"call\",\"add\":\"call\","
                  "\"fail\":\"call\",\"opaque\":\"call\"}}");
    CHECK_NEXT(1, "{\"jsonrpc\":\"2.0\",\"method\":\"rights\",\"params\":\"*\"}");
    CHECK_NEXT(2, NULL);
    session_say(0, REQUEST("getAttr", "[\"b\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"b\":2},\"revs\":{\"b\":\"#\"},\"errors\":{}}"));
    mw_expose(mw_instance_exposable(seen.instance), "b", MW_GETTABLE); /* it is already */
    session_turn();
    CHECK_NEXT(0, NULL);
    session_end();
}

static void what_is_exposed_for_a_time_is_told_and_taken_back_when_its_time_is_over(void)
{
    const int64_t until_ns = 500000000;

    start(1);
    session_turn();
    CHECK_INT(mw_expose_until(mw_instance_exposable(seen.instance), "b", MW_GETTABLE, until_ns), 0);
    session_turn();
    CHECK(strstr(fake_sink_next(&session.sinks[0]), "\"b\":\"get\"") != NULL);
    watch(0, "[\"b\"]");
    CHECK_INT(app_next_deadline(session.app), until_ns); /* whoever sleeps until then is not late */
    session.now_ns = until_ns - 2000000;
    session_turn();
    CHECK_NEXT(0, NULL);
    seen.machine->b = 77;
    session_turn(); /* it is time now: what changed meanwhile is not told any more */
    CHECK(strstr(fake_sink_next(&session.sinks[0]), "\"b\"") == NULL);
    CHECK_NEXT(0, NULL);
    session_say(0, REQUEST("getAttr", "[\"b\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{},\"revs\":{},\"errors\":{\"b\":\"denied\"}}"));
    session_end();
}

static void a_new_client_does_not_keep_the_others_from_being_told(void)
{
    start(1);
    mw_expose(mw_instance_exposable(seen.instance), "b", MW_GETTABLE);
    session_connect(1, APP_MANNER_V1);
    CHECK(strstr(fake_sink_next(&session.sinks[1]), "\"b\":\"get\"") != NULL);
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"rights\",\"params\":\"*\"}");
    session_turn();
    CHECK_NEXT(1, NULL);
    session_end();
}

static void an_attribute_that_fails_is_watched_until_it_works(void)
{
    start(1);
    session_say(0, REQUEST("watch", "[\"faulty\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{},\"revs\":{},\"errors\":{\"faulty\":\"failed\"},\"details\":\"*\"}"));
    CHECK_INT(app_stats(session.app).watches, 1);
    session_turn();
    session_turn();
    CHECK_NEXT(0, NULL);
    CHECK(strstr(session.log, "faulty of app \"machine\" failed") != NULL);
    session_end();
}

/* Read by a getter that fails when it is called the fails_at-th time from now. */
static int64_t flaky_value;
static int fails_at;

static int get_flaky(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error)
{
    (void)object;
    (void)attribute;
    if (fails_at > 0 && --fails_at == 0)
        return mw_fail(ret_error, -EIO, "no answer");
    *ret = mw_int(flaky_value);
    return 0;
}

static void start_flaky(void)
{
    static const mw_attribute flaky[] = {{.name = "flaky", .kind = MW_INT, .get = get_flaky, .marks = MW_GETTABLE}};
    mw_app descriptor = machine_descriptor();

    descriptor.attributes = flaky;
    descriptor.attribute_count = 1;
    flaky_value = 1;
    fails_at = 0;
    machine_start_with(&descriptor);
    session_connect_v1(0);
    session_connect_v1(1);
}

static void a_change_is_told_whichever_look_fails(void)
{
    static const char one[] = CHANGED("{\"flaky\":2}", "{\"flaky\":\"#\"}");
    int n;

    for (n = 1; n < 6; n++) {
        start_flaky();
        watch(0, "[\"flaky\"]");
        watch(1, "[\"flaky\"]");
        session_turn();
        flaky_value = 2;
        fails_at = n;
        session_turn();
        session_turn();
        CHECK_NEXT(0, one);
        CHECK_NEXT(1, one);
    }
    session_end();
}

static void who_watches_while_it_fails_is_told_when_it_works(void)
{
    start_flaky();
    watch(0, "[\"flaky\"]");
    session_turn();
    fails_at = 1;
    watch(1, "[\"flaky\"]"); /* the value is in no answer */
    fails_at = 0;
    session_turn();
    CHECK_NEXT(0, NULL);
    CHECK_NEXT(1, CHANGED("{\"flaky\":1}", "{\"flaky\":\"#\"}"));
    session_turn();
    CHECK_NEXT(1, NULL);
    session_end();
}

static void a_slow_reader_is_told_later_and_only_the_newest(void)
{
    start(2);
    watch(0, "[\"a\",\"c\"]");
    session.sinks[0].is_behind = true;
    session_say(1, REQUEST("setAttr", "{\"a\":10}"));
    session_turn();
    session_say(1, REQUEST("setAttr", "{\"a\":11}"));
    seen.machine->c = 33;
    session_turn();
    CHECK_NEXT(0, NULL);
    session.sinks[0].is_behind = false;
    app_client_drained(session.clients[0]);
    session_turn();
    CHECK_NEXT(0, LAG("1")); /* of a */
    CHECK_NEXT(0, CHANGED("{\"a\":11,\"c\":33}", "{\"a\":\"#\",\"c\":\"#\"}"));
    CHECK_NEXT(0, NULL);
    session_say(1, REQUEST("setAttr", "{\"a\":12}"));
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"a\":12}", "{\"a\":\"#\"}")); /* said once */
    CHECK_INT(app_stats(session.app).conflated, 1);
    session_end();
}

static void who_wants_all_changes_gets_them_however_slow(void)
{
    start(2);
    watch(0, "{\"names\":[\"a\"],\"mode\":\"all\"}");
    watch(0, "[\"c\"]");
    session.sinks[0].is_behind = true;
    session_say(1, REQUEST("setAttr", "{\"a\":10}"));
    session_turn();
    session_say(1, REQUEST("setAttr", "{\"a\":11}"));
    seen.machine->c = 33;
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"a\":10}", "{\"a\":\"#\"}"));
    CHECK_NEXT(0, CHANGED("{\"a\":11}", "{\"a\":\"#\"}"));
    CHECK_NEXT(0, NULL); /* c waits */
    session.sinks[0].is_behind = false;
    app_client_drained(session.clients[0]);
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"c\":33}", "{\"c\":\"#\"}"));
    CHECK_NEXT(0, NULL);
    session_end();
}

/* Let so much of the test's time go by. */
static void wait_ms(int64_t ms)
{
    session.now_ns += ms * 1000000;
    session_turn();
}

static void a_rate_is_kept_and_the_newest_comes_when_it_is_due(void)
{
    start(2);
    session_turn();
    watch(0, "{\"names\":[\"a\"],\"max_hz\":10}");
    watch(1, "[\"a\"]");
    session_say(1, REQUEST("setAttr", "{\"a\":10}"));
    CHECK(fake_sink_next(&session.sinks[1]) != NULL);
    session_turn();
    CHECK_NEXT(1, CHANGED("{\"a\":10}", "{\"a\":\"#\"}"));
    CHECK_NEXT(0, NULL); /* it got the value with the answer just now */
    CHECK(app_next_deadline(session.app) <= session.now_ns + 100000000);
    session_say(1, REQUEST("setAttr", "{\"a\":11}"));
    wait_ms(50);
    CHECK_NEXT(0, NULL);
    wait_ms(50);
    CHECK_NEXT(0, CHANGED("{\"a\":11}", "{\"a\":\"#\"}"));
    CHECK_INT(app_next_deadline(session.app), MW_FOREVER);
    wait_ms(200);
    seen.machine->a = 12;
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"a\":12}", "{\"a\":\"#\"}")); /* long enough after the last */
    session_turn();
    CHECK_NEXT(0, NULL);
    CHECK_INT(app_stats(session.app).conflated, 0); /* as it wished */
    session_end();
}

static void a_glob_is_about_the_names_that_one_may_read(void)
{
    start(1);
    session_say(0, REQUEST("watch", "[\"[ab]\",\"s*\",\"c\"]")); /* b and secret are there, but not for us to read */
    CHECK_NEXT(0, RESULT("{\"values\":{\"c\":3,\"a\":1,\"speed\":2.5,\"serial\":77},"
                         "\"revs\":{\"c\":\"#\",\"a\":\"#\",\"speed\":\"#\",\"serial\":\"#\"},\"errors\":{\"secret\":\"write_only\"}}"));
    seen.machine->speed = 3.5;
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"speed\":3.5}", "{\"speed\":\"#\"}"));
    session_say(0, REQUEST("unwatch", "[\"s*\"]"));
    CHECK_NEXT(0, RESULT("true"));
    CHECK_INT(app_stats(session.app).watches, 2);
    session_say(0, REQUEST("watch", "[\"nothing.*\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{},\"revs\":{},\"errors\":{}}"));
    session_end();
}

static void one_request_has_at_most_64_globs(void)
{
    char request[1024] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"watch\",\"params\":[\"*0\"";
    int i;

    start(1);
    for (i = 1; i < 65; i++)
        (void)snprintf(request + strlen(request), sizeof(request) - strlen(request), ",\"*%d\"", i);
    (void)snprintf(request + strlen(request), sizeof(request) - strlen(request), "]}");
    session_say(0, request);
    CHECK_NEXT(0, FAILURE("-32010", "too large"));
    CHECK_INT(app_stats(session.app).watches_refused, 1);
    session_end();
}

/* One that is there among 50,000 that are denied: the refusals alone are longer than a message. */
static void a_request_whose_answer_is_too_long_watches_nothing(void)
{
    static char request[1300000];
    size_t used, i;

    start(1);
    session_say(0, REQUEST("watch", "[\"speed\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"speed\":2.5},\"revs\":{\"speed\":\"#\"},\"errors\":{}}"));
    used = (size_t)snprintf(request, sizeof(request), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"watch\",\"params\":[\"a\",\"speed\"");
    for (i = 0; i < 50000; i++)
        used += (size_t)snprintf(request + used, sizeof(request) - used, ",\"n%016zu\"", i);
    (void)snprintf(request + used, sizeof(request) - used, "]}");
    seen.machine->speed = 3.5;
    session_say(0, request);
    CHECK_NEXT(0, FAILURE("-32010", "too large"));
    CHECK_INT(app_stats(session.app).watches, 1);
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"speed\":3.5}", "{\"speed\":\"#\"}")); /* the answer that was not sent told nobody */
    session_end();
}

static void a_request_without_memory_watches_nothing(void)
{
    bool was_watched = false;
    const char *said;
    int64_t n, failed = 0;

    for (n = 1; n <= 20; n++) {
        start(1);
        (void)mw_memory_fail_at(n, false);
        session_say(0, REQUEST("watch", "[\"a\",\"c\",\"speed\"]"));
        (void)mw_memory_fail_at(0, false);
        said = fake_sink_next(&session.sinks[0]);
        was_watched = said && strstr(said, "\"result\"");
        failed += !was_watched;
        if (said) /* else even the answer failed, which ends the connection */
            CHECK_INT(app_stats(session.app).watches, was_watched ? 3 : 0);
        session_end();
    }
    CHECK(was_watched); /* twenty are enough */
    CHECK(failed > 2);
}

static void who_comes_back_gets_what_differs(void)
{
    char request[512], epoch[32], *at;
    long long a = 0, c = 0;
    const char *said;

    start(0);
    session_connect(0, APP_MANNER_V1);
    said = fake_sink_next(&session.sinks[0]);
    at = strstr(said, "\"epoch\":\"");
    CHECK(at != NULL && sscanf(at, "\"epoch\":\"%31[0-9a-f]\"", epoch) == 1);
    session_say(0, REQUEST("watch", "[\"a\",\"c\"]"));
    said = fake_sink_next(&session.sinks[0]);
    CHECK(sscanf(strstr(said, "\"revs\""), "\"revs\":{\"a\":%lld,\"c\":%lld}", &a, &c) == 2);
    session_leave(0);
    seen.machine->c = 4;
    session_connect_v1(0);
    (void)snprintf(request, sizeof(request), REQUEST("resume", "{\"session\":\"s\",\"epoch\":\"%s\",\"watch\":{\"a\":%lld,\"c\":%lld}}"),
                   epoch, a, c);
    session_say(0, request);
    CHECK_NEXT(0, RESULT("{\"resumed\":true,\"gaps\":false,\"values\":{\"c\":4},\"revs\":{\"a\":\"#\",\"c\":\"#\"},\"errors\":{}}"));
    seen.machine->a = 5;
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"a\":5}", "{\"a\":\"#\"}"));
    (void)snprintf(request, sizeof(request), REQUEST("resume", "{\"session\":\"s\",\"epoch\":\"0\",\"watch\":{\"a\":%lld}}"), a);
    session_say(0, request); /* of an instance that is no more */
    CHECK_NEXT(0, RESULT("{\"resumed\":false,\"gaps\":false,\"values\":{\"a\":5},\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    session_end();
}

static void globs_match_as_they_do_everywhere(void)
{
    static const struct {
        const char *pattern, *name;
        bool matches;
    } cases[] = {
        {"*", "anything", true}, {"*", "", true}, {"motor.*", "motor.speed", true}, {"motor.*", "motor", false},
        {"*speed", "motor.speed", true}, {"m*r*d", "motor.speed", true}, {"m*r*x", "motor.speed", false}, {"**", "a", true},
        {"a*", "b", false}, {"[a-c]", "b", true}, {"[a-c]", "d", false}, {"[!a-c]", "d", true}, {"[!a-c]", "b", false},
        {"[abc]x", "bx", true}, {"[]]", "]", true}, {"[a", "[a", true}, {"[", "[", true}, {"x[1-3]*", "x2y", true}, {"[a-]", "-", true},
        {"*[0-9]", "v12", true}, {"*aaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}, {"*[x]*", "box", true},
        {"*[!x]*", "xx", false}, {"*x[", "ax[", true}, {"[]a]*z", "]z", true},
    };
    struct glob glob;
    size_t i;

    for (i = 0; i < MW_COUNT(cases); i++) {
        const char *pattern = cases[i].pattern, *name = cases[i].name;

        glob_init(&glob, pattern, strlen(pattern));
        if (glob_matches(pattern, strlen(pattern), name, strlen(name)) != cases[i].matches ||
            glob_takes(&glob, name, strlen(name), glob_bytes(name, strlen(name))) != cases[i].matches)
            CHECK_FAILED_("'%s' and '%s'\n", pattern, name);
    }
}

static void a_client_that_leaves_takes_its_watches_along(void)
{
    start(2);
    watch(0, "[\"a\",\"c\"]");
    watch(1, "[\"a\"]");
    session_say(1, REQUEST("setAttr", "{\"a\":10}"));
    session_leave(0);
    CHECK_INT(app_stats(session.app).watches, 1);
    CHECK(fake_sink_next(&session.sinks[1]) != NULL);
    session_turn();
    CHECK_NEXT(1, CHANGED("{\"a\":10}", "{\"a\":\"#\"}"));
    session_end();
}

static void a_client_may_end_while_the_others_are_told(void)
{
    size_t i;

    start(4);
    for (i = 0; i < 4; i++)
        watch(i, "[\"a\"]");
    session.sinks[1].fail_with = -ENOBUFS;
    session.sinks[1].ends_at_once = true;
    seen.machine->a = 7;
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"a\":7}", "{\"a\":\"#\"}"));
    CHECK_NEXT(2, CHANGED("{\"a\":7}", "{\"a\":\"#\"}"));
    CHECK_NEXT(3, CHANGED("{\"a\":7}", "{\"a\":\"#\"}"));
    CHECK_INT(seen.disconnects, 1);
    CHECK_INT(app_stats(session.app).clients, 3);
    CHECK_INT(app_stats(session.app).watches, 3);
    session_end();
}

static void plain_clients_may_watch_too(void)
{
    start(0);
    session_connect(0, APP_MANNER_PLAIN);
    session_say(0, REQUEST("watch", "[\"a\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    seen.machine->a = 2;
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"a\":2}", "{\"a\":\"#\"}"));
    session_end();
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_watch_answers_what_a_get_answers),
        TEST(a_set_by_one_client_is_told_to_the_others_in_the_same_pass),
        TEST(who_sets_is_told_as_well),
        TEST(what_the_back_end_changes_by_itself_is_noticed),
        TEST(only_the_newest_value_is_told),
        TEST(a_value_that_went_and_came_back_between_two_looks_is_no_change),
        TEST(a_get_in_between_hides_no_change),
        TEST(a_second_watch_of_a_name_is_one_watch),
        TEST(after_unwatch_nothing_is_told),
        TEST(a_known_value_is_left_out),
        TEST(rights_are_judged_again_at_delivery),
        TEST(what_was_withheld_is_told_when_the_right_comes_back),
        TEST(changed_rights_are_said_at_once),
        TEST(what_is_exposed_for_a_time_is_told_and_taken_back_when_its_time_is_over),
        TEST(a_new_client_does_not_keep_the_others_from_being_told),
        TEST(an_attribute_that_fails_is_watched_until_it_works),
        TEST(a_change_is_told_whichever_look_fails),
        TEST(who_watches_while_it_fails_is_told_when_it_works),
        TEST(a_slow_reader_is_told_later_and_only_the_newest),
        TEST(who_wants_all_changes_gets_them_however_slow),
        TEST(a_rate_is_kept_and_the_newest_comes_when_it_is_due),
        TEST(a_glob_is_about_the_names_that_one_may_read),
        TEST(one_request_has_at_most_64_globs),
        TEST(a_request_whose_answer_is_too_long_watches_nothing),
        TEST(a_request_without_memory_watches_nothing),
        TEST(who_comes_back_gets_what_differs),
        TEST(globs_match_as_they_do_everywhere),
        TEST(a_client_that_leaves_takes_its_watches_along),
        TEST(a_client_may_end_while_the_others_are_told),
        TEST(plain_clients_may_watch_too),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
