/* WebSockets over real sockets: messages and closing.
 * Not the framing's every case; that is codec's. Read next: harness.h, pace_test.c.
 * SPDX-License-Identifier: MIT */
#include "harness.h"

static void a_message_is_echoed(void)
{
    struct world w;
    struct client c;
    struct seat *seat;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    CHECK(seat->connection != NULL);
    client_frame(&c, WEBSOCKET_TEXT, true, "Hello.", 6);
    check_message(&c, WEBSOCKET_TEXT, "Hello.", 6);
    client_frame(&c, WEBSOCKET_BINARY, true, "\0\xff", 2);
    check_message(&c, WEBSOCKET_BINARY, "\0\xff", 2);
    client_frame(&c, WEBSOCKET_TEXT, true, "", 0);
    check_message(&c, WEBSOCKET_TEXT, "", 0);
    CHECK_INT(edge_stats(w.edge).messages_in, 3);
    CHECK_INT(edge_stats(w.edge).messages_out, 3);
    CHECK_INT(edge_stats(w.edge).websockets, 1);
    client_close(&c);
    world_close(&w);
    CHECK_INT(seat->closed_count, 1);
}

static void frames_right_behind_the_upgrade_are_heard(void)
{
    struct world w;
    struct client c;
    struct mw_buffer out;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    mw_buffer_init(&out, 1 << 20);
    mw_buffer_append_text(&out, "GET /body HTTP/1.1\r\nHost: h\r\n\r\n"
                                "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                "Sec-WebSocket-Protocol: other, meshwork.v1\r\n\r\n");
    frame_append(&out, WEBSOCKET_TEXT, true, "early", 5);
    client_send(&c, out.data, out.count);
    mw_buffer_clear(&out);
    CHECK_INT(client_response(&c).status, 200);
    {
        struct response r = client_response(&c);

        CHECK_INT(r.status, 101);
        check_has(r.head, "Sec-WebSocket-Protocol: meshwork.v1\r\n");
    }
    check_message(&c, WEBSOCKET_TEXT, "early", 5);
    client_close(&c);
    world_close(&w);
}

static void fragments_and_controls_between_them_make_one_message(void)
{
    struct world w;
    struct client c;
    struct websocket_event event;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    (void)client_upgrade(&c);
    client_frame(&c, WEBSOCKET_TEXT, false, "one ", 4);
    client_frame(&c, WEBSOCKET_PING, true, "p", 1);
    client_frame(&c, WEBSOCKET_CONTINUATION, false, "two ", 4);
    client_frame(&c, WEBSOCKET_CONTINUATION, true, "three", 5);
    event = client_event(&c);
    CHECK_INT(event.kind, WEBSOCKET_EVENT_PONG);
    CHECK_BYTES(event.bytes, event.byte_count, "p", 1);
    check_message(&c, WEBSOCKET_TEXT, "one two three", 13);
    client_close(&c);
    world_close(&w);
}

static void frames_may_arrive_byte_by_byte(void)
{
    struct world w;
    struct client c;
    struct mw_buffer out;
    size_t i;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    (void)client_upgrade(&c);
    mw_buffer_init(&out, 1 << 20);
    frame_append(&out, WEBSOCKET_TEXT, false, "slow", 4);
    frame_append(&out, WEBSOCKET_CONTINUATION, true, "ly \xc3\xa9", 5);
    for (i = 0; i < out.count; i++) {
        client_send(&c, out.data + i, 1);
        client_step(&c);
    }
    mw_buffer_clear(&out);
    check_message(&c, WEBSOCKET_TEXT, "slowly \xc3\xa9", 9);
    client_close(&c);
    world_close(&w);
}

/* One conversation, cut into packets in many ways: what comes back is the same. */
static void cuts_between_packets_do_not_matter(void)
{
    struct world w;
    struct mw_buffer script;
    uint32_t seed;

    mw_buffer_init(&script, 1 << 20);
    mw_buffer_append_text(&script,
                          "GET /body HTTP/1.1\r\nHost: h\r\n\r\n"
                          "POST /post HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
                          "HEAD /big HTTP/1.1\r\nHost: h\r\n\r\n"
                          "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    CHECK_INT(mw_buffer_reserve(&script, 4096), 0); /* a part of it is a payload: it must not move */
    frame_append(&script, WEBSOCKET_TEXT, false, "caf\xc3", 4);
    frame_append(&script, WEBSOCKET_PING, true, "p", 1);
    frame_append(&script, WEBSOCKET_CONTINUATION, true, "\xa9", 1);
    frame_append(&script, WEBSOCKET_BINARY, true, script.data, 300);
    frame_append(&script, WEBSOCKET_CLOSE, true, "\x03\xe8", 2);
    world_init(&w);
    world_open(&w);
    for (seed = 1; seed <= 40; seed++) {
        struct client c;
        struct websocket_event event;
        uint32_t random = seed;
        size_t at, cut;

        client_open(&c, &w);
        for (at = 0; at < script.count; at += cut) {
            random = random * 1664525U + 1013904223U;
            cut = 1 + (random >> 16) % (1U << (seed % 10));
            cut = cut < script.count - at ? cut : script.count - at;
            client_send(&c, script.data + at, cut);
            client_step(&c);
        }
        CHECK_INT(client_response(&c).body_count, 13);
        CHECK_INT(client_response(&c).body_count, 7);
        CHECK_INT(client_response_to(&c, true).status, 200);
        CHECK_INT(client_response(&c).status, 101);
        CHECK_INT(client_event(&c).kind, WEBSOCKET_EVENT_PONG);
        check_message(&c, WEBSOCKET_TEXT, "caf\xc3\xa9", 5);
        check_message(&c, WEBSOCKET_BINARY, script.data, 300);
        event = client_event(&c);
        CHECK_INT(event.kind, WEBSOCKET_EVENT_CLOSE);
        CHECK_INT(event.code, 1000);
        CLIENT_UNTIL(&c, c.has_ended);
        client_close(&c);
    }
    world_close(&w);
    mw_buffer_clear(&script);
}

static void replies_to_one_read_leave_in_one_write(void)
{
    struct world w;
    struct client c;
    struct mw_buffer out;
    uint64_t writes;
    int i;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    (void)client_upgrade(&c);
    writes = edge_stats(w.edge).writes;
    mw_buffer_init(&out, 1 << 20);
    for (i = 0; i < 100; i++)
        frame_append(&out, WEBSOCKET_TEXT, true, "depth", 5);
    client_send(&c, out.data, out.count);
    mw_buffer_clear(&out);
    for (i = 0; i < 100; i++)
        check_message(&c, WEBSOCKET_TEXT, "depth", 5);
    CHECK_INT(edge_stats(w.edge).writes - writes, 1);
    client_close(&c);
    world_close(&w);
}

static void the_largest_message_passes_and_a_larger_one_closes(void)
{
    struct world w;
    struct client c;
    struct seat *seat;
    struct websocket_event event;
    char *bytes = mw_alloc(1048577);

    memset(bytes, 'm', 1048577);
    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    client_frame(&c, WEBSOCKET_BINARY, true, bytes, 1048576);
    check_message(&c, WEBSOCKET_BINARY, bytes, 1048576);
    client_frame(&c, WEBSOCKET_BINARY, true, bytes, 1048577);
    event = client_event(&c);
    CHECK_INT(event.kind, WEBSOCKET_EVENT_CLOSE);
    CHECK_INT(event.code, 1009);
    CLIENT_UNTIL(&c, c.has_ended);
    CHECK_INT(seat->closed_count, 1);
    CHECK_INT(seat->code, 1009);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_MESSAGE], 1);
    client_close(&c);
    world_close(&w);
    mw_free(bytes);
}

static void a_broken_rule_gets_its_close_code(void)
{
    static const struct {
        const char *note, *bytes;
        size_t byte_count;
        int code;
    } rows[] = {
        {"unmasked", "\x81\x02hi", 4, 1002},
        {"reserved bit", "\xc1\x82\0\0\0\0hi", 8, 1002},
        {"reserved opcode", "\x83\x82\0\0\0\0hi", 8, 1002},
        {"fragmented ping", "\x09\x80\0\0\0\0", 6, 1002},
        {"continuation of nothing", "\x80\x80\0\0\0\0", 6, 1002},
        {"bad UTF-8", "\x81\x82\0\0\0\0\xff\xfe", 8, 1007},
        {"close with a bad code", "\x88\x82\0\0\0\0\x03\xed", 8, 1002},
        {"a length with its top bit set", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14, 1002},
    };
    struct world w;
    size_t i;

    world_init(&w);
    world_open(&w);
    for (i = 0; i < MW_COUNT(rows); i++) {
        struct client c;
        struct seat *seat;
        struct websocket_event event;

        client_open(&c, &w);
        seat = client_upgrade(&c);
        client_send(&c, rows[i].bytes, rows[i].byte_count);
        client_send(&c, rows[i].bytes, rows[i].byte_count); /* what follows is swallowed */
        event = client_event(&c);
        if (event.kind != WEBSOCKET_EVENT_CLOSE || event.code != rows[i].code)
            fprintf(stderr, "    %s\n", rows[i].note);
        CHECK_INT(event.kind, WEBSOCKET_EVENT_CLOSE);
        CHECK_INT(event.code, rows[i].code);
        CLIENT_UNTIL(&c, c.has_ended);
        CHECK_INT(seat->closed_count, 1);
        CHECK_INT(seat->code, rows[i].code);
        client_close(&c);
    }
    CHECK_INT(edge_stats(w.edge).protocol_errors, MW_COUNT(rows));
    world_close(&w);
}

static void a_close_is_answered_with_the_same_code(void)
{
    struct world w;
    struct client c;
    struct seat *seat;
    struct websocket_event event;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    client_frame(&c, WEBSOCKET_CLOSE, true,
                 "\x0f\xa1"
                 "bye",
                 5);
    event = client_event(&c);
    CHECK_INT(event.kind, WEBSOCKET_EVENT_CLOSE);
    CHECK_INT(event.code, 4001);
    CLIENT_UNTIL(&c, c.has_ended);
    CHECK_INT(seat->code, 4001);
    client_close(&c);

    client_open(&c, &w);
    seat = client_upgrade(&c);
    client_frame(&c, WEBSOCKET_CLOSE, true, "", 0);
    event = client_event(&c);
    CHECK_INT(event.code, 1005);
    CLIENT_UNTIL(&c, c.has_ended);
    CHECK_INT(seat->code, 1005);
    client_close(&c);
    CLIENT_UNTIL(&c, edge_stats(w.edge).connections == 0);
    world_close(&w);
}

static void the_server_closes_and_waits_for_the_answer(void)
{
    struct world w;
    struct client c;
    struct seat *seat;
    struct websocket_event event;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    CHECK_INT(edge_connection_send(seat->connection, EDGE_TEXT, "last words", 10), 0);
    edge_connection_close(seat->connection, 1001, "going away");
    edge_connection_close(seat->connection, 1011, "twice is once");
    CHECK_INT(edge_connection_send(seat->connection, EDGE_TEXT, "too late", 8), -EPIPE);
    check_message(&c, WEBSOCKET_TEXT, "last words", 10);
    event = client_event(&c);
    CHECK_INT(event.code, 1001);
    CHECK_BYTES(event.bytes, event.byte_count, "going away", 10);
    client_frame(&c, WEBSOCKET_TEXT, true, "unheard", 7);
    CHECK_INT(seat->closed_count, 0);
    client_frame(&c, WEBSOCKET_CLOSE, true, "\x03\xe9", 2);
    CLIENT_UNTIL(&c, c.has_ended);
    CHECK_INT(seat->messages, 0);
    CHECK_INT(seat->closed_count, 1);
    CHECK_INT(seat->code, 1001);
    client_close(&c);
    world_close(&w);
}

static void a_close_without_answer_ends_by_itself(void)
{
    struct world w;
    struct client c;
    struct seat *seat;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_CLOSING] = 40;
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    edge_connection_close(seat->connection, 1000, NULL);
    CLIENT_UNTIL(&c, c.has_ended);
    CHECK_INT(seat->closed_count, 1);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_CLOSING], 1);
    client_close(&c);
    world_close(&w);
}

/* Between messages a connection holds nothing for the next one. */
static void what_a_message_under_way_took_is_given_back(void)
{
    enum { PAYLOAD_BYTES = 50000, FIRST_BYTES = 20000 };
    struct world w;
    struct client c;
    struct seat *seat;
    struct mw_buffer frame;
    int64_t quiet, between;
    char *text = mw_alloc(PAYLOAD_BYTES);

    CHECK(text != NULL);
    memset(text, 'x', PAYLOAD_BYTES);
    world_init(&w);
    w.limits.value[EDGE_LIMIT_BODY_GRACE] = 40; /* looks around every 10 ms */
    world_open(&w);
    w.echoes = false;
    client_open(&c, &w);
    CHECK_INT(mw_buffer_reserve(&c.in, 4096), 0);
    seat = client_upgrade(&c);
    mw_buffer_init(&frame, 1 << 20);
    frame_append(&frame, WEBSOCKET_TEXT, true, text, PAYLOAD_BYTES);
    quiet = mw_memory_stats().live_bytes;
    client_send(&c, frame.data, FIRST_BYTES);
    CLIENT_UNTIL(&c, mw_memory_stats().live_bytes > quiet + FIRST_BYTES / 2);
    between = mw_memory_stats().live_blocks;
    client_send(&c, frame.data + FIRST_BYTES, frame.count - FIRST_BYTES);
    CLIENT_UNTIL(&c, seat->messages == 1);
    CHECK_INT(seat->last_count, PAYLOAD_BYTES);
    CLIENT_UNTIL(&c, mw_memory_stats().live_bytes <= quiet);
    CHECK(mw_memory_stats().live_blocks <= between - 2); /* the bytes, what decodes them, and by now the text of the upgrade */
    mw_buffer_clear(&frame);
    mw_free(text);
    client_close(&c);
    world_close(&w);
}

static void a_client_that_vanishes_mid_message_is_forgotten(void)
{
    struct world w;
    struct client gone, stays;
    struct seat *seat;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};

    world_init(&w);
    world_open(&w);
    client_open(&stays, &w);
    (void)client_upgrade(&stays);
    client_open(&gone, &w);
    seat = client_upgrade(&gone);
    client_send(&gone, "\x81\xfe\x10\x00\0\0\0\0half", 12);
    client_step(&gone);
    setsockopt(gone.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    client_close(&gone);
    CLIENT_UNTIL(&stays, seat->closed_count == 1);
    CHECK_INT(seat->code, 1006);
    CHECK_INT(edge_stats(w.edge).connections, 1);
    client_frame(&stays, WEBSOCKET_TEXT, true, "still here", 10);
    check_message(&stays, WEBSOCKET_TEXT, "still here", 10);
    client_close(&stays);
    world_close(&w);
}

static void a_close_code_that_may_not_be_sent_becomes_1011(void)
{
    static const int codes[] = {0, -1, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70000};
    struct world w;
    size_t i;

    world_init(&w);
    world_open(&w);
    for (i = 0; i < MW_COUNT(codes); i++) {
        struct client c;
        struct seat *seat;

        client_open(&c, &w);
        seat = client_upgrade(&c);
        edge_connection_close(seat->connection, codes[i], NULL);
        CHECK_INT(client_event(&c).code, 1011);
        client_close(&c);
    }
    world_close(&w);
}

static void closing_all_says_why(void)
{
    struct world w;
    struct client c;
    struct seat *seat;
    struct websocket_event event;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    edge_close_all(w.edge, 1012, "restarting");
    event = client_event(&c);
    CHECK_INT(event.code, 1012);
    client_frame(&c, WEBSOCKET_CLOSE, true, "\x03\xf4", 2);
    CLIENT_UNTIL(&c, c.has_ended);
    CHECK_INT(seat->closed_count, 1);
    client_close(&c);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_message_is_echoed),
        TEST(frames_right_behind_the_upgrade_are_heard),
        TEST(fragments_and_controls_between_them_make_one_message),
        TEST(frames_may_arrive_byte_by_byte),
        TEST(cuts_between_packets_do_not_matter),
        TEST(replies_to_one_read_leave_in_one_write),
        TEST(the_largest_message_passes_and_a_larger_one_closes),
        TEST(a_broken_rule_gets_its_close_code),
        TEST(a_close_is_answered_with_the_same_code),
        TEST(the_server_closes_and_waits_for_the_answer),
        TEST(a_close_without_answer_ends_by_itself),
        TEST(what_a_message_under_way_took_is_given_back),
        TEST(a_client_that_vanishes_mid_message_is_forgotten),
        TEST(a_close_code_that_may_not_be_sent_becomes_1011),
        TEST(closing_all_says_why),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
