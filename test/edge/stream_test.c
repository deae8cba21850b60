/* WebSockets over real sockets: messages, closing, pace, back-pressure.
 * Not the framing's every case; that is codec's. Read next: harness.h.
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
    mw_buffer_append_text(&script, "GET /body HTTP/1.1\r\nHost: h\r\n\r\n"
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
    client_frame(&c, WEBSOCKET_CLOSE, true, "\x0f\xa1" "bye", 5);
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

static void a_slow_reader_is_closed_at_the_hard_limit(void)
{
    struct world w;
    struct client c;
    struct seat *seat;
    struct websocket_event event;
    mw_value payload;
    int sent = 0, result = 0, received = 0;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    payload = mw_share(w.big);
    c.is_deaf = true;
    while (result == 0 && sent < 100000) {
        result = edge_connection_send_shared(seat->connection, EDGE_TEXT, payload);
        sent += result == 0;
        client_step(&c);
        CHECK(edge_stats(w.edge).queued_bytes <= 1048576 + 65536 + 1000);
    }
    mw_release(payload);
    CHECK_INT(result, -ENOBUFS);
    CHECK_INT(edge_connection_send(seat->connection, EDGE_TEXT, "x", 1), -EPIPE);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_OUTPUT_HARD], 1);
    c.is_deaf = false;
    while ((event = client_event(&c)).kind == WEBSOCKET_EVENT_MESSAGE) {
        CHECK_INT(event.byte_count, 300000);
        received++;
    }
    CHECK_INT(received, sent); /* what was accepted arrives */
    CHECK_INT(event.kind, WEBSOCKET_EVENT_CLOSE);
    CHECK_INT(event.code, 1013);
    client_frame(&c, WEBSOCKET_CLOSE, true, "\x03\xf5", 2);
    CLIENT_UNTIL(&c, c.has_ended);
    CHECK_INT(seat->code, 1013);
    client_close(&c);
    CLIENT_UNTIL(&c, edge_stats(w.edge).queued_bytes == 0);
    world_close(&w);
}

static void one_message_larger_than_the_limit_enters_an_empty_queue(void)
{
    enum { BYTES = 3000000 };
    struct world w;
    struct client c;
    struct seat *seat;
    char *bytes = mw_alloc(BYTES);

    memset(bytes, 'x', BYTES);
    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    CHECK_INT(edge_connection_send(seat->connection, EDGE_BINARY, bytes, BYTES), 0);
    CHECK_INT(edge_connection_send(seat->connection, EDGE_BINARY, bytes, 1), -ENOBUFS);
    check_message(&c, WEBSOCKET_BINARY, bytes, BYTES);
    CHECK_INT(client_event(&c).code, 1013);
    client_close(&c);
    world_close(&w);
    mw_free(bytes);
}

/* An echo client that writes much before it reads: reading pauses instead of dropping it. */
static void a_client_that_does_not_read_is_not_read_from(void)
{
    enum { MESSAGES = 3000, BYTES = 1000 };
    struct world w;
    struct client c;
    struct mw_buffer out;
    char text[BYTES];
    size_t at = 0;
    int i;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_BURST] = 100000;
    world_open(&w);
    client_open(&c, &w);
    (void)client_upgrade(&c);
    memset(text, 'e', sizeof text);
    mw_buffer_init(&out, 16U << 20);
    for (i = 0; i < MESSAGES; i++)
        frame_append(&out, WEBSOCKET_TEXT, true, text, sizeof text);
    c.is_deaf = true;
    for (i = 0; i < 2000 && at < out.count; i++) { /* until neither side takes anything any more */
        ssize_t n = send(c.fd, out.data + at, out.count - at, MSG_NOSIGNAL | MSG_DONTWAIT);

        at += n > 0 ? (size_t)n : 0;
        poller_run_once(w.poller, false);
    }
    CHECK(edge_stats(w.edge).queued_bytes <= 65536 + 65536 + 2048);
    c.is_deaf = false;
    client_send(&c, out.data + at, out.count - at);
    for (i = 0; i < MESSAGES; i++)
        check_message(&c, WEBSOCKET_TEXT, text, sizeof text);
    mw_buffer_clear(&out);
    client_close(&c);
    world_close(&w);
}

static void over_the_message_rate_reading_pauses_and_nothing_is_lost(void)
{
    struct world w;
    struct client c;
    struct seat *seat;
    struct mw_buffer out;
    char text[8];
    int i;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_MESSAGES] = 1000;
    w.limits.value[EDGE_LIMIT_BURST] = 10;
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    mw_buffer_init(&out, 1 << 20);
    for (i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "%d", i);
        frame_append(&out, WEBSOCKET_TEXT, true, text, strlen(text));
    }
    client_send(&c, out.data, out.count);
    mw_buffer_clear(&out);
    CLIENT_UNTIL(&c, seat->messages > 0);
    CHECK(seat->messages < 100);
    for (i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "%d", i);
        check_message(&c, WEBSOCKET_TEXT, text, strlen(text));
    }
    CHECK(edge_limits_of(w.edge)->hits[EDGE_LIMIT_MESSAGES] > 0);
    CHECK_INT(seat->closed_count, 0);
    client_close(&c);
    world_close(&w);
}

static void too_many_control_frames_close(void)
{
    struct world w;
    struct client c;
    struct websocket_event event;
    struct mw_buffer out;
    int i;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    (void)client_upgrade(&c);
    mw_buffer_init(&out, 1 << 20);
    for (i = 0; i < 51; i++)
        frame_append(&out, WEBSOCKET_PING, true, "", 0);
    client_send(&c, out.data, out.count);
    mw_buffer_clear(&out);
    for (i = 0; i < 50; i++)
        CHECK_INT(client_event(&c).kind, WEBSOCKET_EVENT_PONG);
    event = client_event(&c);
    CHECK_INT(event.code, 1008);
    CLIENT_UNTIL(&c, c.has_ended);
    client_close(&c);
    world_close(&w);
}

static void a_silent_peer_is_pinged_then_dropped(void)
{
    struct world w;
    struct client c;
    struct seat *seat;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_PING] = 40;
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    CHECK_INT(client_event(&c).kind, WEBSOCKET_EVENT_PING);
    client_frame(&c, WEBSOCKET_PONG, true, "", 0);
    CHECK_INT(client_event(&c).kind, WEBSOCKET_EVENT_PING);
    CHECK_INT(client_event(&c).kind, WEBSOCKET_EVENT_PING);
    CLIENT_UNTIL(&c, c.has_ended);
    CHECK_INT(seat->code, 1006);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_PONGS], 1);
    client_close(&c);
    world_close(&w);
}

static void a_message_that_takes_too_long_closes(void)
{
    struct world w;
    struct client c;
    struct seat *seat;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_ASSEMBLY] = 40;
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    client_frame(&c, WEBSOCKET_TEXT, false, "never", 5);
    CHECK_INT(client_event(&c).code, 1008);
    CLIENT_UNTIL(&c, seat->closed_count == 1);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_ASSEMBLY], 1);
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

static void a_broadcast_shares_its_payload(void)
{
    enum { CLIENTS = 20 };
    struct world w;
    struct client clients[CLIENTS];
    struct seat *seats[CLIENTS];
    int64_t before, after;
    size_t count;
    const char *big;
    int i;

    world_init(&w);
    world_open(&w);
    big = mw_get_text(&w.big, &count);
    for (i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], &w);
        seats[i] = client_upgrade(&clients[i]);
    }
    before = mw_memory_stats().live_bytes;
    for (i = 0; i < CLIENTS; i++)
        CHECK_INT(edge_connection_send_shared(seats[i]->connection, EDGE_TEXT, w.big), 0);
    after = mw_memory_stats().live_bytes;
    CHECK(after - before < CLIENTS * 1024);
    CHECK_INT(edge_connection_send_shared(seats[0]->connection, EDGE_TEXT, mw_int(1)), -EINVAL);
    for (i = 0; i < CLIENTS; i++) {
        check_message(&clients[i], WEBSOCKET_TEXT, big, count);
        client_close(&clients[i]);
    }
    world_close(&w);
}

static void a_paused_connection_is_heard_later(void)
{
    struct world w;
    struct client c;
    struct seat *seat;
    int i;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    edge_connection_pause(seat->connection, true);
    for (i = 0; i < 5; i++)
        client_step(&c);
    client_frame(&c, WEBSOCKET_TEXT, true, "later", 5);
    for (i = 0; i < 5; i++)
        client_step(&c);
    CHECK_INT(seat->messages, 0);
    edge_connection_pause(seat->connection, false);
    check_message(&c, WEBSOCKET_TEXT, "later", 5);
    client_close(&c);
    world_close(&w);
}

static void much_that_stays_queued_for_too_long_closes(void)
{
    struct world w;
    struct client c;
    struct seat *seat;
    struct websocket_event event;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_OUTPUT_TIME] = 40;
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    c.is_deaf = true;
    while (edge_connection_queued(seat->connection) <= 300000) {
        CHECK_INT(edge_connection_send_shared(seat->connection, EDGE_TEXT, w.big), 0);
        client_step(&c);
    }
    CLIENT_UNTIL(&c, edge_limits_of(w.edge)->hits[EDGE_LIMIT_OUTPUT_SOFT] == 1);
    c.is_deaf = false;
    while ((event = client_event(&c)).kind == WEBSOCKET_EVENT_MESSAGE)
        CHECK_INT(event.byte_count, 300000);
    CHECK_INT(event.code, 1013);
    client_close(&c);
    world_close(&w);
}

static void a_reader_that_takes_nothing_is_dropped(void)
{
    struct world w;
    struct client c;
    struct seat *seat;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_OUTPUT_STALL] = 40;
    world_open(&w);
    client_open(&c, &w);
    seat = client_upgrade(&c);
    c.is_deaf = true;
    while (edge_connection_queued(seat->connection) <= 100000 && seat->closed_count == 0) {
        CHECK_INT(edge_connection_send_shared(seat->connection, EDGE_TEXT, w.big), 0);
        client_step(&c);
    }
    CLIENT_UNTIL(&c, seat->closed_count == 1);
    CHECK_INT(seat->code, 1006);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_OUTPUT_STALL], 1);
    client_close(&c);
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

static void when_all_hold_too_much_the_largest_goes(void)
{
    struct world w;
    struct client hog, small;
    struct seat *hog_seat, *small_seat;
    int i;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_OUTPUT_ALL] = 1000000;
    world_open(&w);
    client_open(&hog, &w);
    hog_seat = client_upgrade(&hog);
    client_open(&small, &w);
    small_seat = client_upgrade(&small);
    hog.is_deaf = true;
    for (i = 0; i < 20 && edge_stats(w.edge).queued_bytes + 300000 <= 1000000; i++) {
        CHECK_INT(edge_connection_send_shared(hog_seat->connection, EDGE_TEXT, w.big), 0);
        client_step(&small);
    }
    CHECK_INT(edge_connection_send_shared(small_seat->connection, EDGE_TEXT, w.big), 0);
    CLIENT_UNTIL(&small, hog_seat->closed_count == 1);
    CHECK_INT(hog_seat->code, 1013);
    CHECK_INT(client_event(&small).byte_count, 300000);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_OUTPUT_ALL], 1);
    client_close(&hog);
    client_close(&small);
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
        TEST(a_slow_reader_is_closed_at_the_hard_limit),
        TEST(one_message_larger_than_the_limit_enters_an_empty_queue),
        TEST(a_client_that_does_not_read_is_not_read_from),
        TEST(over_the_message_rate_reading_pauses_and_nothing_is_lost),
        TEST(too_many_control_frames_close),
        TEST(a_silent_peer_is_pinged_then_dropped),
        TEST(a_message_that_takes_too_long_closes),
        TEST(a_client_that_vanishes_mid_message_is_forgotten),
        TEST(a_broadcast_shares_its_payload),
        TEST(a_paused_connection_is_heard_later),
        TEST(much_that_stays_queued_for_too_long_closes),
        TEST(a_reader_that_takes_nothing_is_dropped),
        TEST(a_close_code_that_may_not_be_sent_becomes_1011),
        TEST(when_all_hold_too_much_the_largest_goes),
        TEST(closing_all_says_why),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
