/* The params of commands: what a caller gives is checked before the command is called.
 * Not who may call; that is protocol_test.c.
 * SPDX-License-Identifier: MIT */
#include "app/session.h"

#define CALL(args) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"call\",\"params\":{\"name\":\"move\",\"args\":" args "}}"
#define CALL_PLAIN(name) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"call\",\"params\":{\"name\":\"" name "\"}}"
#define FAILURE(code, message, data) \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":" code ",\"message\":\"" message "\",\"data\":\"" data "\"}}"
#define WANTED "\\\"args\\\" of move: {\\\"axis\\\":...,\\\"to\\\":...,\\\"note\\\"?:...,\\\"extra\\\"?:...}"

static int calls;

/* What it was called with. */
static int echo(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    (void)client, (void)ret_error;
    calls++;
    *ret = mw_share(args);
    return 0;
}

static const mw_choice axes[] = {{.name = "x"}, {.name = "y"}};
static const mw_param move_params[] = {
    {.name = "axis", .kind = MW_TEXT, .choices = axes, .choice_count = 2, .doc = "Which way"},
    {.name = "to", .kind = MW_REAL, .range = MW_RANGE(-10, 10), .unit = "mm"},
    {.name = "note", .kind = MW_TEXT, .max_bytes = 8, .is_optional = true},
    {.name = "extra", .is_optional = true}, /* of any kind */
};
static const mw_command commands[] = {
    {.name = "move", .doc = "Go there", .call = echo, .params = move_params, .param_count = MW_COUNT(move_params)},
    {.name = "stop", .call = echo, .params = move_params, .param_count = 0}, /* takes none */
    {.name = "any", .call = echo},
};
static const mw_rule rules[] = {{.right = MW_CALLABLE, .regex = "."}};
static const mw_policy_table policies[] = {{"all", rules, 1}};

static mw_app descriptor(const mw_command *table, size_t count)
{
    return (mw_app){.abi = MW_ABI, .size = sizeof(mw_app), .name = "table", .commands = table, .command_count = count,
                    .policies = policies, .policy_count = 1};
}

static void start(void)
{
    static const char *const names[] = {"all"};
    static const struct app_role role = {.name = "anonymous", .policies = names, .policy_count = 1};
    const mw_app app = descriptor(commands, MW_COUNT(commands));
    struct app_options options = session_options(&app);

    options.policies.roles = &role;
    options.policies.role_count = 1;
    session_start_with(&options);
    session_connect_v1(0);
    calls = 0;
}

static void args_come_by_name_or_in_order_each_of_its_kind(void)
{
    static const struct {
        const char *request, *want;
    } rows[] = {
        {CALL("{\"to\":5,\"axis\":\"x\"}"), RESULT("{\"axis\":\"x\",\"to\":5.0}")},
        {CALL("[\"y\",-10]"), RESULT("{\"axis\":\"y\",\"to\":-10.0}")},
        {CALL("[\"y\",0.5,\"slowly\",[1,2]]"), RESULT("{\"axis\":\"y\",\"to\":0.5,\"note\":\"slowly\",\"extra\":[1,2]}")},
        {CALL("{\"to\":1,\"axis\":\"x\",\"note\":null}"), RESULT("{\"axis\":\"x\",\"to\":1.0}")},
        {CALL_PLAIN("stop"), RESULT("{}")},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"call\",\"params\":{\"name\":\"any\",\"args\":[1,\"a\"]}}", RESULT("[1,\"a\"]")},
    };
    size_t i;

    start();
    for (i = 0; i < MW_COUNT(rows); i++) {
        session_say(0, rows[i].request);
        CHECK_NEXT(0, rows[i].want);
    }
    session_end();
}

static void args_that_do_not_fit_are_refused_and_the_command_is_not_called(void)
{
    static const struct {
        const char *request, *want;
    } rows[] = {
        {CALL("null"), FAILURE("-32602", "invalid params", "axis is missing; " WANTED)},
        {CALL("{\"axis\":\"x\"}"), FAILURE("-32602", "invalid params", "to is missing; " WANTED)},
        {CALL("{\"axis\":\"x\",\"to\":1,\"speed\":2}"), FAILURE("-32602", "invalid params", "speed is none of its params; " WANTED)},
        {CALL("[\"x\",1,\"n\",2,3]"), FAILURE("-32602", "invalid params", "too many; " WANTED)},
        {CALL("7"), FAILURE("-32602", "invalid params", "want an object or a list; " WANTED)},
        {CALL("{\"axis\":\"z\",\"to\":1}"), FAILURE("-32004", "invalid value", "axis: one of x, y wanted")},
        {CALL("{\"axis\":\"x\",\"to\":11}"), FAILURE("-32004", "invalid value", "to: not within -10 to 10 mm")},
        {CALL("{\"axis\":\"x\",\"to\":\"1\"}"), FAILURE("-32004", "invalid value", "to: text given, real wanted")},
        {CALL("{\"axis\":\"x\",\"to\":null}"), FAILURE("-32004", "invalid value", "to: null given, real wanted")},
        {CALL("[\"x\",1,\"far too long\"]"), FAILURE("-32004", "invalid value", "note: 12 bytes are more than 8")},
    };
    size_t i;

    start();
    for (i = 0; i < MW_COUNT(rows); i++) {
        session_say(0, rows[i].request);
        CHECK_NEXT(0, rows[i].want);
    }
    CHECK_INT(calls, 0);
    session_end();
}

static void describe_tells_the_params(void)
{
    start();
    session_say(0, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"describe\",\"params\":[]}");
    CHECK_NEXT(0, RESULT("{\"attributes\":{},\"commands\":{"
                         "\"move\":{\"rights\":\"call\",\"doc\":\"Go there\",\"params\":{"
                         "\"axis\":{\"kind\":\"text\",\"choices\":[\"x\",\"y\"],\"doc\":\"Which way\"},"
                         "\"to\":{\"kind\":\"real\",\"unit\":\"mm\",\"min\":-10.0,\"max\":10.0},"
                         "\"note\":{\"kind\":\"text\",\"max_bytes\":8,\"optional\":true},"
                         "\"extra\":{\"kind\":\"any\",\"optional\":true}}},"
                         "\"stop\":{\"rights\":\"call\",\"params\":{}},\"any\":{\"rights\":\"call\"}},\"tasklets\":{}}"));
    session_end();
}

static void a_table_of_params_that_makes_no_sense_is_refused(void)
{
    static const mw_param twice[] = {{.name = "a", .kind = MW_INT}, {.name = "a", .kind = MW_INT}}, nameless[] = {{.kind = MW_INT}},
                          ranged[] = {{.name = "a", .kind = MW_TEXT, .range = MW_RANGE(0, 1)}},
                          any[] = {{.name = "a", .range = MW_RANGE(0, 1)}};
    static const struct {
        mw_command command;
        const char *want;
    } rows[] = {
        {{.name = "go", .call = echo, .params = twice, .param_count = 2},
         "app \"machine\": command \"go\", param 1 \"a\": is declared twice"},
        {{.name = "go", .call = echo, .params = nameless, .param_count = 1},
         "app \"machine\": command \"go\", param 0: its name has 1 to 256 bytes of UTF-8"},
        {{.name = "go", .call = echo, .params = ranged, .param_count = 1},
         "app \"machine\": command \"go\", param 0 \"a\": a range is for int and real"},
        {{.name = "go", .call = echo, .params = any, .param_count = 1},
         "app \"machine\": command \"go\", param 0 \"a\": any kind takes no range, choices or max_bytes"},
        {{.name = "go", .call = echo, .param_count = 1},
         "app \"machine\": command \"go\", param 0: param_count is set, but there are no params"},
        {{.name = "go", .call = echo, .params = twice, .param_count = 65},
         "app \"machine\": command \"go\", param 0 \"a\": more than 64 params"},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        const mw_app app = descriptor(&rows[i].command, 1);
        const struct app_options options = session_options(&app);
        struct mw_error error = {0};

        session_end();
        CHECK_INT(app_open(&options, &session.app, &error), -EINVAL);
        CHECK_TEXT(error.text, rows[i].want);
    }
}

static const struct mw_test tests[] = {
    TEST(args_come_by_name_or_in_order_each_of_its_kind),
    TEST(args_that_do_not_fit_are_refused_and_the_command_is_not_called),
    TEST(describe_tells_the_params),
    TEST(a_table_of_params_that_makes_no_sense_is_refused),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
