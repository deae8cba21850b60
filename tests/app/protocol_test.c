/* meshwork.v1 as a client sees it: for each request the exact answer, compared as values.
 * SPDX-License-Identifier: MIT */
#include "app/machine.h"

struct exchange {
    const char *note, *request, *answer; /* answer NULL: none comes */
};

/* Each on a connection of its own to a fresh app. */
static void exchange_all(const struct exchange *rows, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        machine_start();
        session_connect_v1(0);
        session_say(0, rows[i].request);
        check_json(__FILE__, __LINE__, fake_sink_next(&session.sinks[0]), rows[i].answer);
        if (fake_sink_next(&session.sinks[0]) != NULL || session.sinks[0].close_code != 0) {
            fprintf(stderr, "    %s: more was said, or it was closed\n", rows[i].note);
            mw_test_fail();
        }
        session_end();
    }
}
#define EXCHANGE(rows) exchange_all((rows), MW_COUNT(rows))

#define FAILURE(id, code, message) \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" message "\",\"data\":\"*\"}}"
#define BAD_PARAMS FAILURE("1", "-32602", "invalid params")

static void the_server_speaks_first(void)
{
    machine_start();
    session_connect(0, APP_MANNER_V1);
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"app\":\"machine\","
                  "\"session\":\"02020202020202020202020202020202\",\"epoch\":\"0101010101010101\",\"user\":null,"
                  "\"roles\":[\"anonymous\"],\"rights\":{\"a\":\"get set\",\"c\":\"get\",\"speed\":\"get set\","
                  "\"name\":\"get set\",\"big\":\"get set\",\"is_on\":\"get set\",\"serial\":\"get\",\"secret\":\"set\","
                  "\"faulty\":\"get\",\"picky\":\"get set\",\"reset\":\"call\",\"add\":\"call\",\"fail\":\"call\","
                  "\"opaque\":\"call\"},\"limits\":{\"message_bytes\":1048576,\"messages_per_s\":500},\"ping_s\":30}}");
    CHECK_NEXT(0, NULL);
    session_end();
}

static void getAttr_has_one_entry_per_name(void)
{
    static const struct exchange rows[] = {
        {"one", REQUEST("getAttr", "[\"a\"]"), RESULT("{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{}}")},
        {"several", REQUEST("getAttr", "[\"c\",\"b\",\"a\"]"),
         RESULT("{\"values\":{\"c\":3,\"a\":1},\"revs\":{\"c\":\"#\",\"a\":\"#\"},\"errors\":{\"b\":\"denied\"}}")},
        {"none", REQUEST("getAttr", "[]"), RESULT("{\"values\":{},\"revs\":{},\"errors\":{}}")},
        {"twice", REQUEST("getAttr", "[\"a\",\"b\",\"a\",\"b\"]"),
         RESULT("{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{\"b\":\"denied\"}}")},
        {"twice in a long list", REQUEST("getAttr", "[\"a\",\"b\",\"a\",\"b\",\"a\",\"a\",\"b\",\"b\",\"b\",\"a\"]"),
         RESULT("{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{\"b\":\"denied\"}}")},
        {"kinds", REQUEST("getAttr", "[\"speed\",\"name\",\"is_on\"]"),
         RESULT("{\"values\":{\"speed\":2.5,\"name\":\"lathe\",\"is_on\":false},"
                "\"revs\":{\"speed\":\"#\",\"name\":\"#\",\"is_on\":\"#\"},\"errors\":{}}")},
    };
    EXCHANGE(rows);
}

static void a_name_that_does_not_exist_is_denied_like_any_other(void)
{
    static const struct exchange rows[] = {
        {"get", REQUEST("getAttr", "[\"nothing\",\"A\",\"reset\"]"),
         RESULT("{\"values\":{},\"revs\":{},\"errors\":{\"nothing\":\"denied\",\"A\":\"denied\",\"reset\":\"denied\"}}")},
        {"a name that JSON escapes", REQUEST("getAttr", "[\"x\\\"\\n\\u00e9\"]"),
         RESULT("{\"values\":{},\"revs\":{},\"errors\":{\"x\\\"\\n\\u00e9\":\"denied\"}}")},
        {"set", REQUEST("setAttr", "{\"nothing\":1}"), RESULT("{\"revs\":{},\"errors\":{\"nothing\":\"denied\"}}")},
        {"set, of another kind", REQUEST("setAttr", "{\"b\":\"text\"}"), RESULT("{\"revs\":{},\"errors\":{\"b\":\"denied\"}}")},
    };
    EXCHANGE(rows);
}

static void what_cannot_be_read_says_why(void)
{
    static const struct exchange rows[] = {
        {"no getter", REQUEST("getAttr", "[\"secret\"]"), RESULT("{\"values\":{},\"revs\":{},\"errors\":{\"secret\":\"write_only\"}}")},
        {"the getter fails", REQUEST("getAttr", "[\"faulty\",\"a\"]"),
         RESULT("{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{\"faulty\":\"failed\"},"
                "\"details\":{\"faulty\":\"the sensor does not answer\"}}")},
    };
    EXCHANGE(rows);
}

static void a_set_answers_per_name(void)
{
    static const struct exchange rows[] = {
        {"one", REQUEST("setAttr", "{\"a\":10}"), RESULT("{\"revs\":{\"a\":\"#\"},\"errors\":{}}")},
        {"the long form", REQUEST("setAttr", "{\"values\":{\"a\":10}}"), RESULT("{\"revs\":{\"a\":\"#\"},\"errors\":{}}")},
        {"nothing", REQUEST("setAttr", "{}"), RESULT("{\"revs\":{},\"errors\":{}}")},
        {"several", REQUEST("setAttr", "{\"a\":10,\"b\":20,\"c\":30,\"serial\":1}"),
         RESULT("{\"revs\":{\"a\":\"#\"},\"errors\":{\"b\":\"denied\",\"c\":\"denied\",\"serial\":\"read_only\"}}")},
        {"out of range", REQUEST("setAttr", "{\"speed\":101}"),
         RESULT("{\"revs\":{},\"errors\":{\"speed\":\"invalid\"},\"details\":{\"speed\":\"*\"}}")},
        {"wrong kind", REQUEST("setAttr", "{\"a\":\"ten\",\"is_on\":true}"),
         RESULT("{\"revs\":{\"is_on\":\"#\"},\"errors\":{\"a\":\"invalid\"},\"details\":{\"a\":\"*\"}}")},
        {"null is no value", REQUEST("setAttr", "{\"a\":null}"),
         RESULT("{\"revs\":{},\"errors\":{\"a\":\"invalid\"},\"details\":{\"a\":\"*\"}}")},
        {"the setter refuses", REQUEST("setAttr", "{\"picky\":3}"),
         RESULT("{\"revs\":{},\"errors\":{\"picky\":\"invalid\"},\"details\":{\"picky\":\"even numbers only\"}}")},
        {"the setter fails", REQUEST("setAttr", "{\"picky\":13}"),
         RESULT("{\"revs\":{},\"errors\":{\"picky\":\"failed\"},\"details\":{\"picky\":\"the motor does not answer\"}}")},
        {"write-only", REQUEST("setAttr", "{\"secret\":5}"), RESULT("{\"revs\":{\"secret\":\"#\"},\"errors\":{}}")},
    };
    EXCHANGE(rows);
}

static void a_set_that_is_refused_changes_nothing(void)
{
    machine_start();
    session_connect_v1(0);
    session_say(0, REQUEST("setAttr", "{\"b\":20,\"c\":30,\"speed\":-1,\"picky\":5,\"a\":10}"));
    CHECK(fake_sink_next(&session.sinks[0]) != NULL);
    CHECK_INT(seen.machine->a, 10);
    CHECK_INT(seen.machine->b, 2);
    CHECK_INT(seen.machine->c, 3);
    CHECK(fabs(seen.machine->speed - 2.5) < 1e-9);
    CHECK_INT(seen.machine->picky, 0);
    session_end();
}

static void ints_beyond_2_to_the_53_travel_as_strings(void)
{
    machine_start();
    session_connect_v1(0);
    session_say(0, REQUEST("setAttr", "{\"big\":\"9223372036854775807\"}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{\"big\":\"#\"},\"errors\":{}}"));
    CHECK_INT(seen.machine->big, INT64_MAX);
    session_say(0, REQUEST("getAttr", "[\"big\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"big\":\"9223372036854775807\"},\"revs\":{\"big\":\"#\"},\"errors\":{}}"));
    session_say(0, REQUEST("setAttr", "{\"big\":9007199254740992}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{\"big\":\"#\"},\"errors\":{}}"));
    session_say(0, REQUEST("getAttr", "[\"big\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"big\":9007199254740992},\"revs\":{\"big\":\"#\"},\"errors\":{}}"));
    session_say(0, REQUEST("setAttr", "{\"big\":-9007199254740993}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{\"big\":\"#\"},\"errors\":{}}"));
    session_say(0, REQUEST("getAttr", "[\"big\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"big\":\"-9007199254740993\"},\"revs\":{\"big\":\"#\"},\"errors\":{}}"));
    session_say(0, REQUEST("setAttr", "{\"big\":\"9223372036854775808\"}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{},\"errors\":{\"big\":\"invalid\"},\"details\":{\"big\":\"*\"}}"));
    session_end();
}

/* The revision of `a`, read by a getAttr. */
static int64_t revision_of_a(void)
{
    mw_value answer;
    const char *text;
    int64_t revision = 0;

    session_say(0, REQUEST("getAttr", "[\"a\"]"));
    text = fake_sink_next(&session.sinks[0]);
    CHECK(text != NULL);
    CHECK_INT(mw_json_parse(text, strlen(text), NULL, &answer, NULL), 0);
    CHECK_INT(mw_get_int(*mw_map_get(*mw_map_get(*mw_map_get(answer, "result"), "revs"), "a"), &revision), 0);
    mw_release(answer);
    return revision;
}

static void if_rev_lets_only_the_first_of_two_win(void)
{
    char request[256];
    int64_t revision;

    machine_start();
    session_connect_v1(0);
    revision = revision_of_a();
    (void)snprintf(request, sizeof(request), REQUEST("setAttr", "{\"values\":{\"a\":10},\"if_rev\":{\"a\":%lld}}"),
                   (long long)revision);
    session_say(0, request);
    CHECK_NEXT(0, RESULT("{\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    session_say(0, request);
    CHECK_NEXT(0, RESULT("{\"revs\":{},\"errors\":{\"a\":\"conflict\"}}"));
    CHECK_INT(seen.machine->a, 10);
    CHECK(revision_of_a() > revision);
    session_end();
}

static void a_change_by_the_back_end_is_a_conflict_too(void)
{
    char request[256];

    machine_start();
    session_connect_v1(0);
    (void)snprintf(request, sizeof(request), REQUEST("setAttr", "{\"values\":{\"a\":10},\"if_rev\":{\"a\":%lld}}"),
                   (long long)revision_of_a());
    seen.machine->a = 5;
    session_say(0, request);
    CHECK_NEXT(0, RESULT("{\"revs\":{},\"errors\":{\"a\":\"conflict\"}}"));
    CHECK_INT(seen.machine->a, 5);
    session_end();
}

static void atomic_sets_all_or_none(void)
{
    static const struct exchange rows[] = {
        {"all", REQUEST("setAttr", "{\"values\":{\"a\":10,\"speed\":50},\"atomic\":true}"),
         RESULT("{\"revs\":{\"a\":\"#\",\"speed\":\"#\"},\"errors\":{}}")},
        {"one is denied", REQUEST("setAttr", "{\"values\":{\"a\":10,\"b\":1},\"atomic\":true}"),
         RESULT("{\"revs\":{},\"errors\":{\"a\":\"failed\",\"b\":\"denied\"},\"details\":{\"a\":\"*\"}}")},
        {"one is invalid", REQUEST("setAttr", "{\"values\":{\"speed\":1000,\"a\":10},\"atomic\":true}"),
         RESULT("{\"revs\":{},\"errors\":{\"speed\":\"invalid\",\"a\":\"failed\"},\"details\":{\"speed\":\"*\",\"a\":\"*\"}}")},
        {"one is in conflict", REQUEST("setAttr", "{\"values\":{\"a\":10,\"c\":1,\"speed\":2},\"if_rev\":{\"speed\":1},\"atomic\":true}"),
         RESULT("{\"revs\":{},\"errors\":{\"a\":\"failed\",\"c\":\"denied\",\"speed\":\"conflict\"},\"details\":{\"a\":\"*\"}}")},
        {"not atomic", REQUEST("setAttr", "{\"values\":{\"a\":10,\"b\":1},\"atomic\":false}"),
         RESULT("{\"revs\":{\"a\":\"#\"},\"errors\":{\"b\":\"denied\"}}")},
    };
    EXCHANGE(rows);

    machine_start();
    session_connect_v1(0);
    session_say(0, REQUEST("setAttr", "{\"values\":{\"a\":10,\"b\":1},\"atomic\":true}"));
    CHECK_INT(seen.machine->a, 1);
    session_end();
}

static void atomic_puts_back_what_a_setter_refuses_late(void)
{
    machine_start();
    session_connect_v1(0);
    session_say(0, REQUEST("setAttr", "{\"values\":{\"a\":10,\"picky\":13,\"speed\":50},\"atomic\":true}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{},\"errors\":{\"a\":\"failed\",\"picky\":\"failed\",\"speed\":\"failed\"},"
                         "\"details\":{\"a\":\"*\",\"picky\":\"the motor does not answer\",\"speed\":\"*\"}}"));
    CHECK_INT(seen.machine->a, 1);
    CHECK(fabs(seen.machine->speed - 2.5) < 1e-9);
    session_say(0, REQUEST("setAttr", "{\"values\":{\"secret\":10,\"picky\":13},\"atomic\":true}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{},\"errors\":{\"secret\":\"failed\",\"picky\":\"failed\"},\"details\":\"*\"}"));
    CHECK(strstr(session.log, "\"secret\" could not be put back") != NULL);
    session_end();
}

static void a_key_is_used_once(void)
{
    machine_start();
    session_connect_v1(0);
    session_say(0, REQUEST("setAttr", "{\"values\":{\"a\":10},\"key\":\"k1\"}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    seen.machine->a = 11;
    session_say(0, REQUEST("setAttr", "{\"values\":{\"a\":10},\"key\":\"k1\"}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    CHECK_INT(seen.machine->a, 11);
    session_say(0, REQUEST("setAttr", "{\"values\":{\"a\":12},\"key\":\"k1\"}"));
    CHECK_NEXT(0, BAD_PARAMS);
    session_say(0, REQUEST("setAttr", "{\"values\":{\"a\":12},\"key\":\"k2\"}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    CHECK_INT(seen.machine->a, 12);
    /* Another connection: what a client that lost its connection asks again. */
    session_connect_v1(1);
    session_say(1, REQUEST("setAttr", "{\"values\":{\"a\":12},\"key\":\"k2\"}"));
    CHECK_NEXT(1, RESULT("{\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    session_end();
}

static void the_oldest_keys_are_forgotten(void)
{
    char request[256];
    int i;

    machine_start();
    session_connect_v1(0);
    for (i = 0; i < 257; i++) {
        (void)snprintf(request, sizeof(request), REQUEST("setAttr", "{\"values\":{\"a\":1},\"key\":\"k%d\"}"), i);
        session_say(0, request);
    }
    CHECK_INT(app_stats(session.app).keys_forgotten, 1);
    seen.machine->a = 7;
    session_say(0, REQUEST("setAttr", "{\"values\":{\"a\":1},\"key\":\"k256\"}"));
    CHECK_INT(seen.machine->a, 7);
    session_say(0, REQUEST("setAttr", "{\"values\":{\"a\":1},\"key\":\"k0\"}"));
    CHECK_INT(seen.machine->a, 1);
    session_end();
}

static void describe_tells_what_this_user_can_see(void)
{
    static const struct exchange rows[] = {
        {"all of it", REQUEST("describe", "[]"),
         RESULT("{\"attributes\":{\"a\":{\"kind\":\"int64\",\"rights\":\"get set\"},\"c\":{\"kind\":\"int\",\"rights\":\"get\"},"
                "\"speed\":{\"kind\":\"real\",\"unit\":\"m/s\",\"min\":0.0,\"max\":100.0,\"rights\":\"get set\",\"doc\":\"How \\\"fast\\\" it is\"},"
                "\"name\":{\"kind\":\"text\",\"rights\":\"get set\"},\"big\":{\"kind\":\"int64\",\"rights\":\"get set\"},"
                "\"is_on\":{\"kind\":\"bool\",\"rights\":\"get set\"},\"serial\":{\"kind\":\"int\",\"rights\":\"get\"},"
                "\"secret\":{\"kind\":\"int64\",\"rights\":\"set\"},\"faulty\":{\"kind\":\"int64\",\"rights\":\"get\"},"
                "\"picky\":{\"kind\":\"int64\",\"rights\":\"get set\"}},"
                "\"commands\":{\"reset\":{\"rights\":\"call\",\"doc\":\"Start again\"},\"add\":{\"rights\":\"call\"},"
                "\"fail\":{\"rights\":\"call\"},\"opaque\":{\"rights\":\"call\"}},\"tasklets\":{}}")},
        {"with params", REQUEST("describe", "[\"a\"]"), BAD_PARAMS},
    };
    EXCHANGE(rows);
}

static void rights_tells_what_is_allowed_for_each_name(void)
{
    static const struct exchange rows[] = {
        {"several", REQUEST("rights", "[\"a\",\"b\",\"c\",\"serial\",\"secret\",\"reset\",\"nothing\",\"hidden\"]"),
         RESULT("{\"a\":\"get set\",\"b\":\"\",\"c\":\"get\",\"serial\":\"get\",\"secret\":\"set\",\"reset\":\"call\","
                "\"nothing\":\"\",\"hidden\":\"\"}")},
        {"none", REQUEST("rights", "[]"), RESULT("{}")},
    };
    EXCHANGE(rows);
}

static void a_command_answers_what_it_answers(void)
{
    static const struct exchange rows[] = {
        {"without args", REQUEST("call", "{\"name\":\"reset\"}"), RESULT("true")},
        {"with args", REQUEST("call", "{\"name\":\"add\",\"args\":[2,3]}"), RESULT("5")},
        {"bad args", REQUEST("call", "{\"name\":\"add\",\"args\":[2]}"),
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32004,\"message\":\"invalid value\",\"data\":\"two numbers to add\"}}"},
        {"it fails", REQUEST("call", "{\"name\":\"fail\"}"), FAILURE("1", "-32603", "internal error")},
        {"it is busy", REQUEST("call", "{\"name\":\"fail\",\"args\":-11}"), FAILURE("1", "-32006", "overloaded")},
        {"it forbids", REQUEST("call", "{\"name\":\"fail\",\"args\":-13}"), FAILURE("1", "-32001", "denied")},
        {"its answer is no JSON", REQUEST("call", "{\"name\":\"opaque\"}"), FAILURE("1", "-32603", "internal error")},
        {"not callable", REQUEST("call", "{\"name\":\"hidden\"}"), FAILURE("1", "-32001", "denied")},
        {"callable, but there is none", REQUEST("call", "{\"name\":\"nothing\"}"), FAILURE("1", "-32001", "denied")},
        {"no command at all", REQUEST("call", "{\"name\":\"what\"}"), FAILURE("1", "-32001", "denied")},
        {"an attribute is none", REQUEST("call", "{\"name\":\"a\"}"), FAILURE("1", "-32001", "denied")},
        {"no name", REQUEST("call", "{\"args\":1}"), BAD_PARAMS},
        {"a list", REQUEST("call", "[\"reset\"]"), BAD_PARAMS},
        {"a member too many", REQUEST("call", "{\"name\":\"reset\",\"arguments\":1}"), BAD_PARAMS},
        {"a name that is none", REQUEST("call", "{\"name\":7}"), BAD_PARAMS},
    };
    EXCHANGE(rows);
}

/* What stays allocated after a request: what the session kept of its answer. */
static int64_t blocks_kept(const char *request, const char *answer)
{
    int64_t before = mw_memory_stats().live_blocks;

    session_say(0, request);
    CHECK_NEXT(0, answer);
    return mw_memory_stats().live_blocks - before;
}

static void the_answer_of_a_command_that_failed_is_released(void)
{
    int64_t of_one_that_answers;

    machine_start();
    session_connect_v1(0);
    of_one_that_answers = blocks_kept(REQUEST("call", "{\"name\":\"reset\"}"), RESULT("true"));
    CHECK_INT(blocks_kept(REQUEST("call", "{\"name\":\"fail\"}"), FAILURE("1", "-32603", "internal error")), of_one_that_answers);
    session_end();
}

static void ids_are_echoed(void)
{
    static const struct exchange rows[] = {
        {"a string", "{\"jsonrpc\":\"2.0\",\"id\":\"x\\u0000y\",\"method\":\"rights\",\"params\":[]}",
         "{\"jsonrpc\":\"2.0\",\"id\":\"x\\u0000y\",\"result\":{}}"},
        {"an empty string", "{\"jsonrpc\":\"2.0\",\"id\":\"\",\"method\":\"rights\",\"params\":[]}",
         "{\"jsonrpc\":\"2.0\",\"id\":\"\",\"result\":{}}"},
        {"zero", "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"rights\",\"params\":[]}", "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}"},
        {"negative", "{\"jsonrpc\":\"2.0\",\"id\":-5,\"method\":\"rights\",\"params\":[]}", "{\"jsonrpc\":\"2.0\",\"id\":-5,\"result\":{}}"},
        {"64 bits", "{\"jsonrpc\":\"2.0\",\"id\":9223372036854775807,\"method\":\"rights\",\"params\":[]}",
         "{\"jsonrpc\":\"2.0\",\"id\":9223372036854775807,\"result\":{}}"},
        {"a fraction", "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"rights\",\"params\":[]}", "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"result\":{}}"},
        {"null, which is no notification", "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"rights\",\"params\":[]}",
         "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}"},
        {"too large to be exact", "{\"jsonrpc\":\"2.0\",\"id\":12345678901234567890,\"method\":\"rights\",\"params\":[]}",
         FAILURE("null", "-32600", "invalid request")},
        {"a bool", "{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"rights\",\"params\":[]}", FAILURE("null", "-32600", "invalid request")},
        {"a list", "{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"rights\",\"params\":[]}", FAILURE("null", "-32600", "invalid request")},
        {"an object", "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"rights\",\"params\":[]}", FAILURE("null", "-32600", "invalid request")},
    };
    EXCHANGE(rows);
}

static void a_bad_message_gets_an_error_never_silence(void)
{
    static const struct exchange rows[] = {
        {"no JSON", "{\"jsonrpc\":", FAILURE("null", "-32700", "parse error")},
        {"nothing", "", FAILURE("null", "-32700", "parse error")},
        {"two texts", "{} {}", FAILURE("null", "-32700", "parse error")},
        {"bad UTF-8", "\"\xff\"", FAILURE("null", "-32700", "parse error")},
        {"a number", "7", FAILURE("null", "-32600", "invalid request")},
        {"a string", "\"getAttr\"", FAILURE("null", "-32600", "invalid request")},
        {"null", "null", FAILURE("null", "-32600", "invalid request")},
        {"an empty object", "{}", FAILURE("null", "-32600", "invalid request")},
        {"no version", "{\"id\":1,\"method\":\"rights\",\"params\":[]}", FAILURE("1", "-32600", "invalid request")},
        {"another version", "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"rights\",\"params\":[]}", FAILURE("1", "-32600", "invalid request")},
        {"a number for a version", "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"rights\",\"params\":[]}", FAILURE("1", "-32600", "invalid request")},
        {"no method", "{\"jsonrpc\":\"2.0\",\"id\":1}", FAILURE("1", "-32600", "invalid request")},
        {"a method that is no string", "{\"jsonrpc\":\"2.0\",\"method\":1,\"params\":\"bar\"}", FAILURE("null", "-32600", "invalid request")},
        {"an unknown method", REQUEST("getattr", "[]"), FAILURE("1", "-32601", "method not found")},
        {"a method with a NUL", REQUEST("getAttr\\u0000", "[]"), FAILURE("1", "-32601", "method not found")},
        {"one of a later version", REQUEST("mesh.graph", "{}"), FAILURE("1", "-32601", "method not found")},
        {"params of no structure", REQUEST("getAttr", "\"a\""), BAD_PARAMS},
        {"deeper than 64 levels",
         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
         FAILURE("null", "-32010", "too large")},
    };
    EXCHANGE(rows);
}

static void wrong_params_are_told_what_was_expected(void)
{
    static const struct exchange rows[] = {
        {"none", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\"}", BAD_PARAMS},
        {"an object", REQUEST("getAttr", "{\"a\":1}"), BAD_PARAMS},
        {"no text", REQUEST("getAttr", "[\"a\",1]"), BAD_PARAMS},
        {"an empty name", REQUEST("getAttr", "[\"\"]"), BAD_PARAMS},
        {"a set of a list", REQUEST("setAttr", "[\"a\"]"), BAD_PARAMS},
        {"a set of an empty name", REQUEST("setAttr", "{\"\":1}"), BAD_PARAMS},
        {"if_rev of no object", REQUEST("setAttr", "{\"values\":{\"a\":1},\"if_rev\":7}"), BAD_PARAMS},
        {"if_rev of no number", REQUEST("setAttr", "{\"values\":{\"a\":1},\"if_rev\":{\"a\":\"x\"}}"), BAD_PARAMS},
        {"if_rev of another name", REQUEST("setAttr", "{\"values\":{\"a\":1},\"if_rev\":{\"c\":7}}"), BAD_PARAMS},
        {"atomic of no bool", REQUEST("setAttr", "{\"values\":{\"a\":1},\"atomic\":1}"), BAD_PARAMS},
        {"an empty key", REQUEST("setAttr", "{\"values\":{\"a\":1},\"key\":\"\"}"), BAD_PARAMS},
        {"a key of no text", REQUEST("setAttr", "{\"values\":{\"a\":1},\"key\":1}"), BAD_PARAMS},
        {"an unknown member", REQUEST("setAttr", "{\"values\":{\"a\":1},\"atomc\":true}"), BAD_PARAMS},
        {"watch of nothing", REQUEST("watch", "{}"), BAD_PARAMS},
        {"watch of all changes at a rate", REQUEST("watch", "{\"names\":[\"a\"],\"mode\":\"all\",\"max_hz\":1}"), BAD_PARAMS},
        {"watch in no mode", REQUEST("watch", "{\"names\":[\"a\"],\"mode\":\"some\"}"), BAD_PARAMS},
        {"watch at no rate", REQUEST("watch", "{\"names\":[\"a\"],\"max_hz\":0}"), BAD_PARAMS},
        {"watch at a rate of text", REQUEST("watch", "{\"names\":[\"a\"],\"max_hz\":\"fast\"}"), BAD_PARAMS},
        {"resume of nothing", REQUEST("resume", "{}"), BAD_PARAMS},
        {"resume of no revisions", REQUEST("resume", "{\"session\":\"s\",\"epoch\":\"e\",\"watch\":{\"a\":true}}"), BAD_PARAMS},
        {"resume of a list", REQUEST("resume", "{\"session\":\"s\",\"epoch\":\"e\",\"watch\":[\"a\"]}"), BAD_PARAMS},
        {"known of no object", REQUEST("watch", "{\"names\":[\"a\"],\"known\":[]}"), BAD_PARAMS},
        {"known of no number", REQUEST("watch", "{\"names\":[\"a\"],\"known\":{\"a\":true}}"), BAD_PARAMS},
        {"an unknown member of watch", REQUEST("watch", "{\"names\":[\"a\"],\"rate\":1}"), BAD_PARAMS},
        {"unwatch of nothing", REQUEST("unwatch", "{}"), BAD_PARAMS},
    };
    EXCHANGE(rows);
}

static void a_name_has_at_most_256_bytes(void)
{
    char name[258], request[400];

    machine_start();
    session_connect_v1(0);
    memset(name, 'n', 257);
    name[257] = '\0';
    (void)snprintf(request, sizeof(request), REQUEST("getAttr", "[\"%s\"]"), name);
    session_say(0, request);
    CHECK_NEXT(0, BAD_PARAMS);
    (void)snprintf(request, sizeof(request), REQUEST("getAttr", "[\"%s\"]"), name + 1);
    session_say(0, request);
    CHECK_NEXT(0, RESULT("{\"values\":{},\"revs\":{},\"errors\":\"*\"}"));
    session_end();
}

static void a_notification_is_executed_and_not_answered(void)
{
    machine_start();
    session_connect_v1(0);
    session_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"setAttr\",\"params\":{\"a\":10}}");
    session_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"getAttr\",\"params\":[\"a\"]}");
    session_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"what\"}");
    session_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"getAttr\",\"params\":7}");
    CHECK_NEXT(0, NULL);
    CHECK_INT(seen.machine->a, 10);
    session_end();
}

static void a_batch_runs_and_answers_in_order(void)
{
    static const struct exchange rows[] = {
        {"two", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"setAttr\",\"params\":{\"a\":10}},"
                "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"getAttr\",\"params\":[\"a\"]}]",
         "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"revs\":{\"a\":\"#\"},\"errors\":{}}},"
         "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"values\":{\"a\":10},\"revs\":{\"a\":\"#\"},\"errors\":{}}}]"},
        {"one", "[" REQUEST("rights", "[]") "]", "[" RESULT("{}") "]"},
        {"a notification among them", "[{\"jsonrpc\":\"2.0\",\"method\":\"setAttr\",\"params\":{\"a\":4}}," REQUEST("rights", "[]")
                                      ",{\"jsonrpc\":\"2.0\",\"method\":\"x\"}," REQUEST("rights", "[]") "]",
         "[" RESULT("{}") "," RESULT("{}") "]"},
        {"notifications alone", "[{\"jsonrpc\":\"2.0\",\"method\":\"setAttr\",\"params\":{\"a\":4}},{\"jsonrpc\":\"2.0\",\"method\":\"x\"}]", NULL},
        {"what is no request", "[1," REQUEST("rights", "[]") ",[]]",
         "[" FAILURE("null", "-32600", "invalid request") "," RESULT("{}") "," FAILURE("null", "-32600", "invalid request") "]"},
        {"empty", "[]", FAILURE("null", "-32600", "invalid request")},
    };
    EXCHANGE(rows);
}

/* A batch of n requests. */
static const char *batch_of(int n)
{
    static char text[16384];
    size_t used = 0;
    int i;

    for (i = 0; i < n; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%c" REQUEST("rights", "[]"), i == 0 ? '[' : ',');
    (void)snprintf(text + used, sizeof(text) - used, "]");
    return text;
}

static void a_batch_has_at_most_64_calls(void)
{
    machine_start();
    session_connect_v1(0);
    session_say(0, batch_of(64));
    CHECK(strlen(fake_sink_next(&session.sinks[0])) > 64 * 30);
    session_say(0, batch_of(65));
    CHECK_NEXT(0, FAILURE("null", "-32010", "too large"));
    CHECK_INT(app_stats(session.app).batches_refused, 1);
    session_end();
}

static void an_answer_longer_than_its_limit_is_refused(void)
{
    static const char text[] = REQUEST("call", "{\"name\":\"add\",\"args\":[1,2]}");
    static char request[1200000];
    size_t used, i;

    machine_start();
    session_connect_v1(0);
    /* 60,000 names of 18 bytes that are all denied: each comes back with 9 more. */
    used = (size_t)snprintf(request, sizeof(request), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[");
    for (i = 0; i < 50000; i++)
        used += (size_t)snprintf(request + used, sizeof(request) - used, "%s\"n%016zu\"", i ? "," : "", i);
    (void)snprintf(request + used, sizeof(request) - used, "]}");
    session_say(0, request);
    CHECK_NEXT(0, FAILURE("1", "-32010", "too large"));
    CHECK_INT(app_stats(session.app).answers_too_large, 1);
    session_say(0, text); /* and it goes on */
    CHECK_NEXT(0, RESULT("3"));
    session_end();
}

static void a_batch_whose_answers_fill_the_message_stops_and_says_so(void)
{
    static char request[4000000];
    mw_value answers, error;
    size_t used = 0, i, n;
    int64_t code = 0;
    const char *text;

    machine_start();
    session_connect_v1(0);
    /* 63 times 100 long names that are all denied, and a set. */
    for (i = 0; i < 63; i++) {
        used += (size_t)snprintf(request + used, sizeof(request) - used,
                                 "%c{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"getAttr\",\"params\":[", i ? ',' : '[', i);
        for (n = 0; n < 100; n++)
            used += (size_t)snprintf(request + used, sizeof(request) - used, "%s\"%0250zu\"", n ? "," : "", n);
        used += (size_t)snprintf(request + used, sizeof(request) - used, "]}");
    }
    (void)snprintf(request + used, sizeof(request) - used, "," REQUEST("setAttr", "{\"a\":9}") "]");
    session_say(0, request);
    text = fake_sink_next(&session.sinks[0]);
    CHECK(text != NULL);
    CHECK(strlen(text) < 1400000);
    CHECK_INT(mw_json_parse(text, strlen(text), NULL, &answers, NULL), 0);
    CHECK_INT(mw_list_count(answers), 64);
    CHECK(mw_map_get(*mw_list_at(answers, 0), "result") != NULL);
    error = *mw_map_get(*mw_list_at(answers, 63), "error");
    CHECK_INT(mw_get_int(*mw_map_get(error, "code"), &code), 0);
    CHECK_INT(code, -32010);
    CHECK_INT(seen.machine->a, 1); /* it was not run */
    mw_release(answers);
    session_end();
}

static void binary_is_refused_in_v1(void)
{
    machine_start();
    session_connect_v1(0);
    app_client_message(session.clients[0], MW_FRAME_BINARY, "{}", 2);
    CHECK_NEXT(0, FAILURE("null", "-32600", "invalid request"));
    session_end();
}

static void a_files_only_app_says_hello_and_denies(void)
{
    session_start(NULL);
    session_connect(0, APP_MANNER_V1);
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"app\":\"machine\",\"session\":\"*\","
                  "\"epoch\":\"*\",\"user\":null,\"roles\":[\"anonymous\"],\"rights\":{},\"limits\":\"*\",\"ping_s\":30}}");
    session_say(0, REQUEST("getAttr", "[\"a\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{},\"revs\":{},\"errors\":{\"a\":\"denied\"}}"));
    session_say(0, REQUEST("describe", "[]"));
    CHECK_NEXT(0, RESULT("{\"attributes\":{},\"commands\":{},\"tasklets\":{}}"));
    session_connect(1, APP_MANNER_PLAIN);
    session_say(1, "{\"x\":1}");
    CHECK_NEXT(1, NULL);
    CHECK_INT(app_stats(session.app).ignored_messages, 1);
    session_turn();
    session_end();
}

/* One request by POST. want NULL: nothing is to be answered. */
static void check_post(int line, const char *request, const char *want)
{
    mw_value answer;

    CHECK_INT(app_rpc(session.app, NULL, request, strlen(request), &answer), 0);
    check_json(__FILE__, line, mw_get_text(&answer, NULL), want);
    mw_release(answer);
}

static void a_post_gets_the_same_answers(void)
{
    machine_start();
    check_post(__LINE__, REQUEST("getAttr", "[\"a\",\"b\"]"),
               RESULT("{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{\"b\":\"denied\"}}"));
    check_post(__LINE__, REQUEST("setAttr", "{\"a\":4}"), RESULT("{\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    check_post(__LINE__, "[" REQUEST("rights", "[\"a\"]") "]", "[" RESULT("{\"a\":\"get set\"}") "]");
    check_post(__LINE__, "{", FAILURE("null", "-32700", "parse error"));
    check_post(__LINE__, "{\"jsonrpc\":\"2.0\",\"method\":\"setAttr\",\"params\":{\"a\":5}}", NULL);
    CHECK_INT(seen.machine->a, 5);
    CHECK_INT(seen.connects, 0);
    CHECK_INT(app_stats(session.app).clients, 0);
    session_end();
}

static void a_post_cannot_watch(void)
{
    machine_start();
    check_post(__LINE__, REQUEST("watch", "[\"a\"]"), FAILURE("1", "-32601", "method not found"));
    check_post(__LINE__, REQUEST("unwatch", "[]"), FAILURE("1", "-32601", "method not found"));
    session_end();
}

static void a_command_by_post_has_a_client_that_connects_for_it(void)
{
    machine_start();
    check_post(__LINE__, "[" REQUEST("call", "{\"name\":\"reset\"}") "," REQUEST("call", "{\"name\":\"reset\"}") "]",
               "[" RESULT("true") "," RESULT("true") "]");
    CHECK_INT(seen.connects, 1);
    CHECK_INT(seen.disconnects, 1);
    seen.connect_result = -EACCES;
    check_post(__LINE__, REQUEST("call", "{\"name\":\"reset\"}"), FAILURE("1", "-32001", "denied"));
    CHECK_INT(seen.disconnects, 1);
    session_end();
}

static int broadcast_from_setter(void)
{
    return mw_broadcast(seen.instance, NULL, mw_text("set")) < 0 ? -EIO : 0;
}
static void a_setter_may_talk_while_it_sets(void)
{
    machine_start();
    session_connect_v1(0);
    seen.on_set = broadcast_from_setter;
    session_say(0, REQUEST("setAttr", "{\"a\":3,\"picky\":2}"));
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"broadcast\",\"params\":{\"channel\":null,\"data\":\"set\"}}");
    CHECK_NEXT(0, RESULT("{\"revs\":{\"a\":\"#\",\"picky\":\"#\"},\"errors\":{}}"));
    session_end();
}

static int close_from_setter(void)
{
    return mw_client_close(session.clients[0], 1000, "enough");
}
static void a_batch_ends_where_its_client_is_closed(void)
{
    machine_start();
    session_connect_v1(0);
    session.sinks[0].ends_at_once = true;
    seen.on_set = close_from_setter;
    session_say(0, "[" REQUEST("setAttr", "{\"picky\":2}") "," REQUEST("setAttr", "{\"a\":9}") "]");
    CHECK_NEXT(0, NULL);
    CHECK_INT(seen.machine->a, 1);
    CHECK_INT(session.sinks[0].close_code, 1000);
    CHECK_INT(seen.disconnects, 1);
    session_end();
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(the_server_speaks_first),
        TEST(getAttr_has_one_entry_per_name),
        TEST(a_name_that_does_not_exist_is_denied_like_any_other),
        TEST(what_cannot_be_read_says_why),
        TEST(a_set_answers_per_name),
        TEST(a_set_that_is_refused_changes_nothing),
        TEST(ints_beyond_2_to_the_53_travel_as_strings),
        TEST(if_rev_lets_only_the_first_of_two_win),
        TEST(a_change_by_the_back_end_is_a_conflict_too),
        TEST(atomic_sets_all_or_none),
        TEST(atomic_puts_back_what_a_setter_refuses_late),
        TEST(a_key_is_used_once),
        TEST(the_oldest_keys_are_forgotten),
        TEST(describe_tells_what_this_user_can_see),
        TEST(rights_tells_what_is_allowed_for_each_name),
        TEST(a_command_answers_what_it_answers),
        TEST(the_answer_of_a_command_that_failed_is_released),
        TEST(ids_are_echoed),
        TEST(a_bad_message_gets_an_error_never_silence),
        TEST(wrong_params_are_told_what_was_expected),
        TEST(a_name_has_at_most_256_bytes),
        TEST(a_notification_is_executed_and_not_answered),
        TEST(a_batch_runs_and_answers_in_order),
        TEST(a_batch_has_at_most_64_calls),
        TEST(an_answer_longer_than_its_limit_is_refused),
        TEST(a_batch_whose_answers_fill_the_message_stops_and_says_so),
        TEST(binary_is_refused_in_v1),
        TEST(a_files_only_app_says_hello_and_denies),
        TEST(a_post_gets_the_same_answers),
        TEST(a_post_cannot_watch),
        TEST(a_command_by_post_has_a_client_that_connects_for_it),
        TEST(a_setter_may_talk_while_it_sets),
        TEST(a_batch_ends_where_its_client_is_closed),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
