/* Clients in their three manners: what reaches the back end, what it says, and what happens when they end.
 * SPDX-License-Identifier: MIT */
#include "app/machine.h"

#define BROADCAST(channel, data) \
    "{\"jsonrpc\":\"2.0\",\"method\":\"broadcast\",\"params\":{\"channel\":" channel ",\"data\":" data "}}"

static mw_value parsed(const char *json)
{
    mw_value value;

    CHECK_INT(mw_json_parse(json, strlen(json), NULL, &value, NULL), 0);
    return value;
}

/* ---- plain ------------------------------------------------------------------------------------------------ */

static void plain_has_no_hello(void)
{
    machine_start();
    session_connect(0, APP_MANNER_PLAIN);
    CHECK_NEXT(0, NULL);
    CHECK_INT(seen.connects, 1);
    session_end();
}

static void plain_gives_every_json_text_to_the_back_end(void)
{
    static const char *const texts[] = {"{\"content\":\"I am alive!\"}", "[1,2]", "7", "null", "\"x\"", "[]",
                                        "{\"jsonrpc\":\"1.0\"}", "{\"jsonrpc\":2}", "[{\"jsonrpc\":\"2.0\"},1]"};
    size_t i;

    machine_start();
    session_connect(0, APP_MANNER_PLAIN);
    for (i = 0; i < MW_COUNT(texts); i++) {
        session_say(0, texts[i]);
        CHECK_INT(seen.receives, (int)i + 1);
        CHECK_TEXT(seen.last_message, texts[i]);
    }
    CHECK_NEXT(0, NULL);
    CHECK_INT(app_stats(session.app).ignored_messages, 0);
    session_end();
}

static void plain_ignores_and_counts_what_is_no_json(void)
{
    machine_start();
    session_connect(0, APP_MANNER_PLAIN);
    session_say(0, "hello");
    session_say(0, "");
    session_say(0, "{");
    app_client_message(session.clients[0], MW_FRAME_BINARY, "{}", 2);
    CHECK_INT(seen.receives, 0);
    CHECK_INT(app_stats(session.app).ignored_messages, 4);
    CHECK_INT(session.sinks[0].close_code, 0);
    session_say(0, "{}");
    CHECK_INT(seen.receives, 1);
    session_end();
}

static void plain_answers_requests_of_json_rpc(void)
{
    machine_start();
    session_connect(0, APP_MANNER_PLAIN);
    session_say(0, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"a\"]}");
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{}}}");
    session_say(0, "{\"jsonrpc\":\"2.0\",\"id\":1}");
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,\"message\":\"invalid request\",\"data\":\"*\"}}");
    session_say(0, "[{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"rights\",\"params\":[]}]");
    CHECK_NEXT(0, "[{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}]");
    CHECK_INT(seen.receives, 0);
    session_end();
}

static int reply_hello_world(mw_client *client, mw_value message)
{
    mw_value answer = mw_map_new(), lines = mw_list_new();

    CHECK_INT(mw_list_append(&lines, mw_text("Hello.")), 0);
    CHECK_INT(mw_list_append(&lines, mw_text("World.")), 0);
    CHECK_INT(mw_map_set(&answer, "lines", lines), 0);
    return mw_reply(client, message, answer);
}

static void a_reply_carries_the_message_id(void)
{
    machine_start();
    session_connect(0, APP_MANNER_PLAIN);
    seen.on_receive = reply_hello_world;
    session_say(0, "{\"msgId\":12,\"commandText\":\"hi\"}");
    CHECK_TEXT(fake_sink_next(&session.sinks[0]), "{\"msgId\":12,\"lines\":[\"Hello.\",\"World.\"]}");
    session_say(0, "{\"msgId\":{\"any\":[1]}}");
    CHECK_NEXT(0, "{\"msgId\":{\"any\":[1]},\"lines\":[\"Hello.\",\"World.\"]}");
    session_say(0, "{\"no\":\"id\"}");
    CHECK_NEXT(0, "{\"lines\":[\"Hello.\",\"World.\"]}");
    session_say(0, "[]");
    CHECK_NEXT(0, "{\"lines\":[\"Hello.\",\"World.\"]}");
    session_end();
}

static void a_reply_is_a_map_and_its_own_message_id_gives_way(void)
{
    mw_value request, answer;

    machine_start();
    session_connect(0, APP_MANNER_PLAIN);
    request = parsed("{\"msgId\":1}");
    CHECK_INT(mw_reply(session.clients[0], request, mw_int(7)), -EINVAL);
    answer = parsed("{\"x\":1,\"msgId\":99}");
    CHECK_INT(mw_reply(session.clients[0], request, answer), 0);
    CHECK_TEXT(fake_sink_next(&session.sinks[0]), "{\"msgId\":1,\"x\":1}");
    mw_release(request);
    session_end();
}

static void a_receive_that_fails_is_logged_and_the_connection_stays(void)
{
    int i;

    machine_start();
    session_connect(0, APP_MANNER_PLAIN);
    seen.receive_result = -EIO;
    for (i = 0; i < 5; i++)
        session_say(0, "{}");
    CHECK_INT(session.sinks[0].close_code, 0);
    CHECK(strstr(session.log, "receive of app \"machine\" failed") != NULL);
    CHECK(strstr(session.log, "(4 times so far)") != NULL);
    CHECK(strstr(session.log, "(5 times so far)") == NULL);
    session_end();
}

/* ---- raw ---------------------------------------------------------------------------------------------------- */

static int echo(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count)
{
    return mw_client_send_raw(client, kind, bytes, byte_count);
}

static void raw_gets_every_message_untouched(void)
{
    mw_app descriptor = machine_descriptor();
    size_t byte_count;
    const char *bytes;

    descriptor.receive = NULL;
    descriptor.receive_raw = echo;
    machine_start_with(&descriptor);
    session_connect(0, APP_MANNER_PLAIN);
    session_say(0, "no JSON");
    CHECK_TEXT(fake_sink_next(&session.sinks[0]), "no JSON");
    session_say(0, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"a\"]}");
    CHECK_TEXT(fake_sink_next(&session.sinks[0]), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"a\"]}");
    app_client_message(session.clients[0], MW_FRAME_BINARY, "a\0\xff", 3);
    CHECK_INT(mw_kind_of(session.sinks[0].messages[2]), MW_BYTES);
    bytes = mw_get_text(&session.sinks[0].messages[2], &byte_count);
    CHECK_BYTES(bytes, byte_count, "a\0\xff", 3);
    session_connect_v1(1); /* v1 is v1 in such an app too */
    session_say(1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rights\",\"params\":[]}");
    CHECK_NEXT(1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    session_end();
}

static void raw_text_is_utf_8(void)
{
    machine_start();
    session_connect(0, APP_MANNER_PLAIN);
    CHECK_INT(mw_client_send_raw(session.clients[0], MW_FRAME_TEXT, "\xc3", 1), -EINVAL);
    CHECK_INT(mw_client_send_raw(session.clients[0], (enum mw_frame)8, "x", 1), -EINVAL);
    CHECK_INT(mw_client_send_raw(session.clients[0], MW_FRAME_TEXT, NULL, 0), 0);
    CHECK_TEXT(fake_sink_next(&session.sinks[0]), "");
    session_end();
}

/* ---- what the back end says ------------------------------------------------------------------------------------ */

static void a_broadcast_reaches_all_in_their_manner(void)
{
    machine_start();
    session_connect_v1(0);
    session_connect_v1(1);
    session_connect(2, APP_MANNER_PLAIN);
    CHECK_INT(mw_broadcast(seen.instance, NULL, parsed("{\"number\":7}")), 3);
    CHECK_NEXT(0, BROADCAST("null", "{\"number\":7}"));
    CHECK_NEXT(1, BROADCAST("null", "{\"number\":7}"));
    CHECK_TEXT(fake_sink_next(&session.sinks[2]), "{\"number\":7}");
    CHECK_INT(session.sinks[0].shared_count, 1); /* printed once, shared by all */
    session_end();
}

static void a_named_channel_reaches_only_those_who_may_hear_it(void)
{
    machine_start();
    session_connect_v1(0);
    session_connect(1, APP_MANNER_PLAIN);
    CHECK_INT(mw_broadcast(seen.instance, "news", mw_int(1)), 2);
    CHECK_NEXT(0, BROADCAST("\"news\"", "1"));
    CHECK_TEXT(fake_sink_next(&session.sinks[1]), "1");
    CHECK_INT(mw_broadcast(seen.instance, "secrets", mw_int(1)), 0);
    CHECK_NEXT(0, NULL);
    CHECK_INT(mw_broadcast(seen.instance, "", mw_int(1)), -EINVAL);
    session_end();
}

static int asked;

static bool is_number(void *context, mw_client *client)
{
    asked++;
    return ((struct visitor *)mw_client_state(client))->number == *(int64_t *)context;
}

static void a_broadcast_to_some_reaches_those_of_them_who_may_hear_it(void)
{
    int64_t room = 7, empty = 8;
    size_t i;

    machine_start();
    for (i = 0; i < 3; i++) {
        session_connect_v1(i);
        ((struct visitor *)mw_client_state(session.clients[i]))->number = i == 1 ? 6 : room;
    }
    CHECK_INT(mw_broadcast_to(seen.instance, "news", mw_int(1), is_number, &room), 2);
    CHECK_NEXT(0, BROADCAST("\"news\"", "1"));
    CHECK_NEXT(1, NULL);
    CHECK_NEXT(2, BROADCAST("\"news\"", "1"));
    CHECK_INT(session.sinks[0].shared_count, 1); /* printed once */
    CHECK_INT(mw_broadcast_to(seen.instance, NULL, mw_int(2), is_number, &empty), 0);
    CHECK_INT(mw_broadcast_to(seen.instance, NULL, mw_int(3), NULL, NULL), 3);
    asked = 0;
    CHECK_INT(mw_broadcast_to(seen.instance, "secrets", mw_int(4), is_number, &room), 0);
    CHECK_INT(asked, 0);
    session_end();
}

static bool never_asked_of(void *context, mw_client *client)
{
    (void)client;
    (*(int *)context)++;
    return true;
}

static int tell_all_who_have_come(mw_client *client)
{
    int count = 0;

    CHECK_INT(mw_broadcast_to(mw_client_instance(client), NULL, mw_int(1), never_asked_of, &count), seen.visitors_now - 1);
    CHECK_INT(count, seen.visitors_now - 1); /* not of the one that is just connecting */
    return 0;
}

static void whoever_is_still_connecting_is_in_no_room(void)
{
    machine_start();
    seen.on_connect = tell_all_who_have_come;
    session_connect_v1(0);
    session_connect_v1(1);
    session_connect_v1(2);
    CHECK_INT(seen.connects, 3);
    session_end();
}

static void a_message_to_one_has_no_channel(void)
{
    machine_start();
    session_connect_v1(0);
    session_connect(1, APP_MANNER_PLAIN);
    CHECK_INT(mw_client_send(session.clients[0], mw_text("only you")), 0);
    CHECK_INT(mw_client_send(session.clients[1], mw_text("only you")), 0);
    CHECK_NEXT(0, BROADCAST("null", "\"only you\""));
    CHECK_TEXT(fake_sink_next(&session.sinks[1]), "\"only you\"");
    session_end();
}

static void what_has_no_json_is_not_sent(void)
{
    machine_start();
    session_connect_v1(0);
    session_connect(1, APP_MANNER_PLAIN);
    CHECK_INT(mw_client_send(session.clients[0], mw_opaque(&seen, NULL)), -EINVAL);
    CHECK_INT(mw_broadcast(seen.instance, NULL, mw_opaque(&seen, NULL)), -EINVAL);
    CHECK_INT(mw_broadcast(seen.instance, NULL, (mw_value){.kind = MW_MISSING}), -ENOMEM);
    CHECK_INT(mw_client_send(session.clients[1], (mw_value){.kind = MW_MISSING}), -ENOMEM);
    CHECK_NEXT(0, NULL);
    CHECK_NEXT(1, NULL);
    CHECK_INT(session.sinks[0].close_code, 0);
    session_end();
}

static int say_welcome(mw_client *client)
{
    CHECK_INT(mw_client_send(client, mw_text("welcome")), 0);
    CHECK_INT(mw_broadcast(mw_client_instance(client), NULL, mw_text("somebody came")), seen.visitors_now);
    return 0;
}

static void hello_comes_before_what_connect_says(void)
{
    machine_start();
    seen.on_connect = say_welcome;
    session_connect(0, APP_MANNER_V1);
    CHECK(strstr(fake_sink_next(&session.sinks[0]), "\"method\":\"hello\"") != NULL);
    CHECK_NEXT(0, BROADCAST("null", "\"welcome\""));
    CHECK_NEXT(0, BROADCAST("null", "\"somebody came\""));
    session_connect(1, APP_MANNER_PLAIN);
    CHECK_TEXT(fake_sink_next(&session.sinks[1]), "\"welcome\"");
    CHECK_NEXT(0, BROADCAST("null", "\"somebody came\""));
    session_end();
}

static int say_too_much(mw_client *client)
{
    int i;

    for (i = 0; i < 64; i++)
        CHECK_INT(mw_client_send(client, mw_int(i)), 0);
    CHECK_INT(mw_client_send(client, mw_int(64)), -ENOBUFS);
    return 0;
}

static void connect_may_say_64_things_before_hello(void)
{
    machine_start();
    seen.on_connect = say_too_much;
    session_connect(0, APP_MANNER_V1);
    CHECK_INT(session.sinks[0].count, 65);
    CHECK_INT(app_stats(session.app).unsent, 1);
    session_end();
}

static void bye_is_said_to_v1_alone(void)
{
    machine_start();
    session_connect_v1(0);
    session_connect(1, APP_MANNER_PLAIN);
    app_say_bye(session.app, "restarting");
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"bye\",\"params\":{\"reason\":\"restarting\",\"retry_ms\":[0,3000]}}");
    CHECK_NEXT(1, NULL);
    session_end();
}

/* ---- ends --------------------------------------------------------------------------------------------------------- */

static void a_client_has_state_from_connect_to_disconnect(void)
{
    machine_start();
    session_connect_v1(0);
    session_connect_v1(1);
    CHECK_INT(((struct visitor *)mw_client_state(session.clients[0]))->number, 100);
    session_say(0, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"call\",\"params\":{\"name\":\"reset\"}}");
    CHECK_INT(((struct visitor *)mw_client_state(session.clients[0]))->number, 101);
    CHECK_INT(((struct visitor *)mw_client_state(session.clients[1]))->number, 100);
    CHECK_TEXT(mw_client_user(session.clients[0]), "");
    CHECK(mw_client_instance(session.clients[0]) == seen.instance);
    CHECK(((uintptr_t)mw_client_state(session.clients[0]) & (_Alignof(max_align_t) - 1)) == 0);
    session_leave(0);
    CHECK_INT(seen.disconnects, 1);
    CHECK_INT(app_stats(session.app).clients, 1);
    session_end();
}

static void a_refused_client_is_told_why_and_never_disconnects(void)
{
    struct mw_error error = {0};

    machine_start();
    seen.connect_result = -EACCES;
    CHECK_INT(session_try_connect(0, APP_MANNER_V1, &error), -EACCES);
    CHECK_TEXT(error.text, "not today");
    CHECK_INT(seen.disconnects, 0);
    CHECK_INT(session.sinks[0].count, 0);
    CHECK_INT(app_stats(session.app).clients, 0);
    CHECK_INT(app_stats(session.app).connects_refused, 1);
    session_end();
}

static int close_then_talk(mw_client *client, mw_value message)
{
    (void)message;
    CHECK_INT(mw_client_close(client, 4000, "enough"), 0);
    CHECK_INT(mw_client_close(client, 4000, "enough"), -EPIPE);
    CHECK_INT(mw_client_send(client, mw_text("still there?")), -EPIPE);
    CHECK_INT(mw_client_send_raw(client, MW_FRAME_TEXT, "x", 1), -EPIPE);
    CHECK_INT(mw_reply(client, mw_null(), mw_map_new()), -EPIPE);
    CHECK_INT(((struct visitor *)mw_client_state(client))->number, 100);
    return 0;
}

static void a_client_closed_in_receive_may_still_be_named(void)
{
    int at_once;

    for (at_once = 0; at_once < 2; at_once++) {
        machine_start();
        session_connect(0, APP_MANNER_PLAIN);
        session.sinks[0].ends_at_once = at_once == 1;
        seen.on_receive = close_then_talk;
        session_say(0, "{}");
        CHECK_INT(session.sinks[0].close_code, 4000);
        CHECK_TEXT(session.sinks[0].close_reason, "enough");
        CHECK_INT(seen.disconnects, at_once);
        CHECK_TEXT(seen.events, at_once ? "open connect receive disconnect " : "open connect receive ");
        if (!at_once) {
            session_say(0, "{}"); /* what was still on its way is not delivered */
            CHECK_INT(seen.receives, 1);
            session_leave(0);
        }
        session_end();
    }
}

static void a_close_has_a_code_that_an_app_may_use(void)
{
    static const int codes[] = {0, 999, 1001, 1002, 1005, 1006, 1011, 2999, 5000, -1};
    char reason[125];
    size_t i;

    machine_start();
    session_connect(0, APP_MANNER_PLAIN);
    for (i = 0; i < MW_COUNT(codes); i++)
        CHECK_INT(mw_client_close(session.clients[0], codes[i], NULL), -EINVAL);
    memset(reason, 'r', 124);
    reason[124] = '\0';
    CHECK_INT(mw_client_close(session.clients[0], 1000, reason), -EINVAL);
    CHECK_INT(mw_client_close(session.clients[0], 1000, "\xff"), -EINVAL);
    CHECK_INT(mw_client_close(session.clients[0], 1008, reason + 1), 0);
    CHECK_INT(session.sinks[0].close_code, 1008);
    session_end();
}

static void a_sink_that_fails_is_spoken_to_no_more(void)
{
    machine_start();
    session_connect_v1(0);
    session.sinks[0].fail_with = -ENOBUFS;
    CHECK_INT(mw_client_send(session.clients[0], mw_int(1)), -ENOBUFS);
    session.sinks[0].fail_with = 0;
    CHECK_INT(mw_client_send(session.clients[0], mw_int(1)), -EPIPE);
    CHECK_INT(session.sinks[0].close_code, 0); /* it closes itself */
    session_connect_v1(1);
    session.sinks[1].fail_with = -ENOMEM;
    CHECK_INT(mw_client_send(session.clients[1], mw_int(1)), -ENOMEM);
    CHECK_INT(session.sinks[1].close_code, 1011); /* what is missing must not be missed in silence */
    CHECK_INT(app_stats(session.app).unsent, 2);
    session_end();
}

/* ---- callbacks in the middle of each other ------------------------------------------------------------------------- */

static void close_the_others(mw_client *client)
{
    size_t i;

    for (i = 0; i < 4; i++)
        if (session.clients[i] && session.clients[i] != client && session.sinks[i].client) {
            session.sinks[i].client = NULL; /* once */
            app_client_closed(session.clients[i]);
        }
}

static void disconnects_may_end_everybody_in_a_broadcast(void)
{
    size_t i;

    machine_start();
    for (i = 0; i < 4; i++)
        session_connect(i, APP_MANNER_PLAIN);
    session.sinks[1].fail_with = -EPIPE;
    session.sinks[1].ends_at_once = true;
    seen.on_disconnect = close_the_others;
    CHECK_INT(mw_broadcast(seen.instance, NULL, mw_int(1)), 1);
    CHECK_INT(seen.disconnects, 4);
    CHECK_INT(app_stats(session.app).clients, 0);
    session_end();
}

static void tell_the_others(mw_client *client)
{
    (void)mw_broadcast(mw_client_instance(client), NULL, mw_text("somebody left"));
}

static void a_disconnect_may_tell_the_others(void)
{
    machine_start();
    session_connect(0, APP_MANNER_PLAIN);
    session_connect(1, APP_MANNER_PLAIN);
    seen.on_disconnect = tell_the_others;
    session_leave(0);
    CHECK_TEXT(fake_sink_next(&session.sinks[1]), "\"somebody left\"");
    CHECK_INT(session.sinks[0].count, 0);
    session_end();
}

static int close_in_connect(mw_client *client)
{
    return mw_client_close(client, 4001, NULL);
}

static void a_client_closed_in_connect_gets_no_hello(void)
{
    machine_start();
    seen.on_connect = close_in_connect;
    session_connect(0, APP_MANNER_V1);
    CHECK_INT(session.sinks[0].count, 0);
    CHECK_INT(session.sinks[0].close_code, 4001);
    session_leave(0);
    CHECK_INT(seen.disconnects, 1);
    session_end();
}

static int broadcast_in_receive(mw_client *client, mw_value message)
{
    return mw_broadcast(mw_client_instance(client), NULL, mw_share(message)) < 0 ? -EIO : 0;
}

static void a_chat_reaches_everyone(void)
{
    machine_start();
    session_connect(0, APP_MANNER_PLAIN);
    session_connect(1, APP_MANNER_PLAIN);
    seen.on_receive = broadcast_in_receive;
    session_say(0, "{\"hi\":1}");
    CHECK_TEXT(fake_sink_next(&session.sinks[0]), "{\"hi\":1}");
    CHECK_TEXT(fake_sink_next(&session.sinks[1]), "{\"hi\":1}");
    session_end();
}

static int expose_b(mw_client *client, mw_value message)
{
    (void)message;
    mw_expose(mw_instance_exposable(mw_client_instance(client)), "b", MW_GETTABLE);
    return 0;
}

static void what_a_message_changes_in_rights_is_said_in_every_mode(void)
{
    static const enum mw_instance_mode modes[] = {MW_INSTANCE_ONE, MW_INSTANCE_PER_USER};
    size_t i;

    for (i = 0; i < MW_COUNT(modes); i++) {
        mw_app descriptor = machine_descriptor();

        descriptor.instance = modes[i];
        machine_start_with(&descriptor);
        session_connect_v1(0);
        session_connect(1, APP_MANNER_PLAIN);
        session_turn();
        seen.on_receive = expose_b;
        session_say(1, "{}");
        session_turn();
        CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"rights\",\"params\":\"*\"}");
        session_end();
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(plain_has_no_hello),
        TEST(plain_gives_every_json_text_to_the_back_end),
        TEST(plain_ignores_and_counts_what_is_no_json),
        TEST(plain_answers_requests_of_json_rpc),
        TEST(a_reply_carries_the_message_id),
        TEST(a_reply_is_a_map_and_its_own_message_id_gives_way),
        TEST(a_receive_that_fails_is_logged_and_the_connection_stays),
        TEST(raw_gets_every_message_untouched),
        TEST(raw_text_is_utf_8),
        TEST(a_broadcast_reaches_all_in_their_manner),
        TEST(a_named_channel_reaches_only_those_who_may_hear_it),
        TEST(a_broadcast_to_some_reaches_those_of_them_who_may_hear_it),
        TEST(whoever_is_still_connecting_is_in_no_room),
        TEST(a_message_to_one_has_no_channel),
        TEST(what_has_no_json_is_not_sent),
        TEST(hello_comes_before_what_connect_says),
        TEST(connect_may_say_64_things_before_hello),
        TEST(bye_is_said_to_v1_alone),
        TEST(a_client_has_state_from_connect_to_disconnect),
        TEST(a_refused_client_is_told_why_and_never_disconnects),
        TEST(a_client_closed_in_receive_may_still_be_named),
        TEST(a_close_has_a_code_that_an_app_may_use),
        TEST(a_sink_that_fails_is_spoken_to_no_more),
        TEST(disconnects_may_end_everybody_in_a_broadcast),
        TEST(a_disconnect_may_tell_the_others),
        TEST(a_client_closed_in_connect_gets_no_hello),
        TEST(a_chat_reaches_everyone),
        TEST(what_a_message_changes_in_rights_is_said_in_every_mode),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
