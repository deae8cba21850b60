/* Calls that are answered later: by whom, to whom, once, and what becomes of those that never are.
 * Read next: ../../src/app/later.c.
 * SPDX-License-Identifier: MIT */
#include "app/machine.h"
#include "base/memory.h"

#define MOST 256 /* calls of one client that wait */
#define CALL(id, name) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"call\",\"params\":{\"name\":\"" name "\"}}"
#define RESULT_OF(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"
#define FAILURE(id, code, message, data)                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" message "\",\"data\":\"" data "\"}}"

static const char *const roles[] = {"anonymous"};

/* What the commands took upon themselves. */
static mw_call *calls[MOST];
static size_t call_count;
static int refused;

static int take(mw_client *client)
{
    mw_call *call = mw_call_later(client);

    refused += call == NULL;
    if (call)
        calls[call_count++] = call;
    return call ? 0 : -EAGAIN;
}

static int call_wait(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    (void)args, (void)ret, (void)ret_error;
    return take(client);
}

static int call_twice(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    (void)args, (void)ret, (void)ret_error;
    (void)take(client);
    CHECK(mw_call_later(client) == NULL);
    return 0;
}

static int call_break(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    (void)args, (void)ret;
    (void)take(client);
    return mw_fail(ret_error, -EBUSY, "the axis moves");
}

static int call_at_once(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    (void)args, (void)ret_error;
    (void)take(client);
    CHECK_INT(mw_call_answer(calls[0], mw_text("here")), 0);
    CHECK(mw_call_client(calls[0]) == NULL);
    CHECK_INT(mw_call_answer(calls[0], mw_text("twice")), -EPIPE);
    *ret = mw_text("an answer that nobody asked for");
    return 0;
}

/* It lies in the mailbox of a tasklet that swallows nothing, until that ends. */
static int call_queue(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    mw_call *call = mw_call_later(client);
    mw_tasklet *t = mw_tasklet_new(NULL, NULL);

    (void)args, (void)ret, (void)ret_error;
    return mw_send(t, mw_opaque(call, mw_call_free)) < 0 ? -EIO : 0;
}

static const mw_command commands[] = {{.name = "wait", .call = call_wait}, {.name = "twice", .call = call_twice}, {.name = "break", .call = call_break},
                                      {.name = "at_once", .call = call_at_once}, {.name = "queue", .call = call_queue}};
static const mw_rule rules[] = {{.right = MW_CALLABLE, .name = "wait"}, {.right = MW_CALLABLE, .name = "twice"}, {.right = MW_CALLABLE, .name = "break"},
                                {.right = MW_CALLABLE, .name = "at_once"}, {.right = MW_CALLABLE, .name = "queue"}};
static const mw_policy_table policies[] = {{"operate", rules, MW_COUNT(rules)}};

/* The back end gives them back when all is over, which is not too late. */
static void finish(void)
{
    session_end();
    while (call_count > 0)
        mw_call_free(calls[--call_count]);
}

static void start_mode(enum mw_instance_mode mode)
{
    mw_app descriptor = machine_descriptor();

    descriptor.instance = mode;
    descriptor.commands = commands;
    descriptor.command_count = MW_COUNT(commands);
    descriptor.policies = policies;
    call_count = 0;
    refused = 0;
    machine_start_with(&descriptor);
    session_connect_v1(0);
}

static void start(void)
{
    start_mode(MW_INSTANCE_ONE);
}

static void an_answer_comes_when_there_is_one_and_others_come_before_it(void)
{
    start();
    session_say(0, CALL("1", "wait"));
    session_say(0, CALL("\"two\"", "wait"));
    CHECK_NEXT(0, NULL);
    session_say(0, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"getAttr\",\"params\":[\"a\"]}");
    CHECK_NEXT(0, RESULT_OF("3", "{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    CHECK(mw_call_client(calls[1]) == session.clients[0]);
    CHECK_INT(mw_call_answer(calls[1], mw_int(7)), 0);
    CHECK_NEXT(0, RESULT_OF("\"two\"", "7"));
    CHECK_INT(mw_call_answer(calls[0], mw_null()), 0);
    CHECK_NEXT(0, RESULT_OF("1", "null"));
    CHECK_NEXT(0, NULL);
    finish();
}

static void a_failure_says_why(void)
{
    start();
    session_say(0, CALL("1", "wait"));
    session_say(0, CALL("2", "wait"));
    session_say(0, CALL("3", "wait"));
    CHECK_INT(mw_call_fail(calls[0], -EBUSY, "axis %c moves", 'x'), 0);
    CHECK_NEXT(0, FAILURE("1", "-32006", "overloaded", "axis x moves"));
    CHECK_INT(mw_call_fail(calls[1], -EIO, NULL), 0);
    CHECK_NEXT(0, FAILURE("2", "-32603", "internal error", "*"));
    CHECK_INT(mw_call_fail(calls[2], 0, "no code"), -EINVAL);
    CHECK_NEXT(0, FAILURE("3", "-32004", "invalid value", "no code"));
    CHECK_INT(app_stats(session.app).request_errors, 3);
    finish();
}

static void a_command_may_answer_at_once_after_all(void)
{
    start();
    session_say(0, CALL("1", "at_once"));
    CHECK_NEXT(0, RESULT_OF("1", "\"here\""));
    CHECK_NEXT(0, NULL);
    finish();
}

static void a_command_that_fails_after_all_has_answered(void)
{
    start();
    session_say(0, CALL("1", "break"));
    CHECK_NEXT(0, FAILURE("1", "-32006", "overloaded", "the axis moves"));
    CHECK_INT(mw_call_answer(calls[0], mw_int(1)), -EPIPE);
    CHECK_NEXT(0, NULL);
    finish();
}

static void a_call_is_taken_once(void)
{
    start();
    session_say(0, CALL("1", "twice"));
    CHECK(mw_call_later(session.clients[0]) == NULL); /* no call is being made */
    CHECK_INT(mw_call_answer(calls[0], mw_int(1)), 0);
    CHECK_NEXT(0, RESULT_OF("1", "1"));
    finish();
}

static void what_cannot_be_answered_later_says_so(void)
{
    const struct app_identity nobody = {.roles = roles, .role_count = 1};
    mw_value answer = mw_null();
    int i;

    start();
    session_say(0, "[" CALL("1", "wait") "," CALL("2", "wait") "]"); /* whose answers come together, in order */
    CHECK_INT(refused, 2);
    CHECK(fake_sink_next(&session.sinks[0]) != NULL);
    CHECK_INT(app_rpc(session.app, &nobody, CALL("1", "wait"), strlen(CALL("1", "wait")), &answer), 0);
    CHECK_JSON(mw_get_text(&answer, NULL), FAILURE("1", "-32006", "overloaded", "*"));
    mw_release(answer);
    CHECK_INT(refused, 3);
    for (i = 0; i < MOST; i++)
        session_say(0, CALL("1", "wait"));
    CHECK_INT(refused, 3);
    session_say(0, CALL("257", "wait"));
    CHECK_INT(refused, 4);
    CHECK_NEXT(0, FAILURE("257", "-32006", "overloaded", "*"));
    CHECK_INT(mw_call_answer(calls[0], mw_null()), 0);
    mw_call_free(calls[0]);
    calls[0] = calls[--call_count];
    session_say(0, CALL("258", "wait")); /* there is room again */
    CHECK_INT(refused, 4);
    finish();
}

static void a_notification_is_answered_by_nothing(void)
{
    start();
    session_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"call\",\"params\":{\"name\":\"wait\"}}");
    CHECK_INT(call_count, 1);
    CHECK_INT(mw_call_answer(calls[0], mw_int(1)), -EPIPE);
    CHECK_NEXT(0, NULL);
    finish();
}

static void whose_client_has_gone_is_answered_to_nobody(void)
{
    start();
    session_connect_v1(1);
    session_say(0, CALL("1", "wait"));
    session_say(1, CALL("1", "wait"));
    session_say(0, CALL("2", "wait"));
    session_leave(0);
    CHECK(mw_call_client(calls[0]) == NULL);
    CHECK_INT(mw_call_answer(calls[0], mw_text("a text that is long enough to be on the heap")), -EPIPE);
    CHECK_INT(mw_call_answer(calls[1], mw_int(1)), 0);
    CHECK_NEXT(1, RESULT_OF("1", "1"));
    CHECK_INT(mw_call_fail(calls[2], -EIO, NULL), -EPIPE);
    finish();
}

static void whoever_becomes_another_user_with_an_instance_of_their_own_is_told_that_nothing_is_known(void)
{
    const struct app_identity bob = {.user = "bob", .roles = roles, .role_count = 1};
    const char *hello;

    start_mode(MW_INSTANCE_PER_USER);
    session_say(0, CALL("1", "wait"));
    CHECK_INT(app_client_identify(&session.clients[0], &bob, NULL), 0);
    session.sinks[0].client = session.clients[0];
    CHECK_NEXT(0, FAILURE("1", "-32007", "outcome unknown", "*"));
    hello = fake_sink_next(&session.sinks[0]);
    CHECK(hello && strstr(hello, "\"hello\""));
    CHECK_INT(mw_call_answer(calls[0], mw_int(1)), -EPIPE);
    CHECK_NEXT(0, NULL);
    finish();
}

static void one_that_is_given_back_without_an_answer_has_failed(void)
{
    start();
    session_say(0, CALL("1", "wait"));
    mw_call_free(calls[0]);
    calls[0] = NULL;
    CHECK_NEXT(0, FAILURE("1", "-32603", "internal error", "the back end has not answered"));
    mw_call_free(NULL);
    session_say(0, CALL("2", "queue")); /* the null tasklet swallows it */
    session_turn();
    CHECK_NEXT(0, FAILURE("2", "-32603", "internal error", "the back end has not answered"));
    finish();
}

static void one_may_be_given_back_when_its_instance_has_ended(void)
{
    start_mode(MW_INSTANCE_PER_CLIENT);
    session_say(0, CALL("1", "wait"));
    session_say(0, CALL("2", "wait"));
    session_leave(0);
    CHECK_INT(seen.closes, 1);
    CHECK_INT(mw_call_answer(calls[0], mw_int(1)), -EPIPE);
    finish();
}

static void an_answer_that_cannot_be_sent_is_told_as_a_failure(void)
{
    mw_value text = mw_null();
    char *long_text = mw_alloc(2000001);

    memset(long_text, 'x', 2000000);
    long_text[2000000] = '\0';
    start();
    session_say(0, CALL("1", "wait"));
    session_say(0, CALL("2", "wait"));
    session_say(0, CALL("3", "wait"));
    CHECK_INT(mw_call_answer(calls[0], mw_opaque(&text, NULL)), -EINVAL);
    CHECK_NEXT(0, FAILURE("1", "-32603", "internal error", "the answer has no form in JSON"));
    CHECK_INT(mw_call_answer(calls[1], mw_text(long_text)), -EMSGSIZE);
    CHECK_NEXT(0, FAILURE("2", "-32010", "too large", "*"));
    CHECK_INT(mw_call_answer(calls[2], (mw_value){.kind = MW_MISSING}), -ENOMEM);
    CHECK_NEXT(0, FAILURE("3", "-32603", "internal error", "*"));
    mw_free(long_text);
    finish();
}

static const struct mw_test tests[] = {
    TEST(an_answer_comes_when_there_is_one_and_others_come_before_it),
    TEST(a_failure_says_why),
    TEST(a_command_may_answer_at_once_after_all),
    TEST(a_command_that_fails_after_all_has_answered),
    TEST(a_call_is_taken_once),
    TEST(what_cannot_be_answered_later_says_so),
    TEST(a_notification_is_answered_by_nothing),
    TEST(whose_client_has_gone_is_answered_to_nobody),
    TEST(whoever_becomes_another_user_with_an_instance_of_their_own_is_told_that_nothing_is_known),
    TEST(one_that_is_given_back_without_an_answer_has_failed),
    TEST(one_may_be_given_back_when_its_instance_has_ended),
    TEST(an_answer_that_cannot_be_sent_is_told_as_a_failure),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
