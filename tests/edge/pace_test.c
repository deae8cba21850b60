/* WebSockets over real sockets: pace, back-pressure, silence.
 * Read next: harness.h.
 * SPDX-License-Identifier: MIT */
#include "harness.h"

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

static void when_too_much_has_come_in_part_the_largest_is_told_to_try_later(void)
{
    static uint8_t part[120000];
    struct world w;
    struct client message, body, small;
    struct seat *message_seat, *small_seat;
    struct websocket_event event;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_INPUT_ALL] = 65536;
    w.limits.value[EDGE_LIMIT_BODY_GRACE] = 40; /* the sweep comes often */
    w.limits.value[EDGE_LIMIT_BODY_RATE] = 1;
    world_open(&w);
    client_open(&small, &w);
    small_seat = client_upgrade(&small);
    client_frame(&small, WEBSOCKET_TEXT, false, "begun", 5);
    client_open(&message, &w);
    message_seat = client_upgrade(&message);
    memcpy(part, "\x82\xff\0\0\0\0\0\2\0\0\0\0\0\0", 14);
    client_send(&message, part, sizeof part);
    event = client_event(&message);
    CHECK_INT(event.kind, WEBSOCKET_EVENT_CLOSE);
    CHECK_INT(event.code, 1013);
    CLIENT_UNTIL(&message, message_seat->closed_count == 1);
    CHECK_INT(message_seat->code, 1013);
    client_close(&message);
    client_open(&body, &w);
    client_say(&body, "POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n");
    client_send(&body, part, sizeof part);
    CHECK_INT(client_response(&body).status, 503);
    CLIENT_UNTIL(&body, body.has_ended);
    client_close(&body);
    CHECK_INT(small_seat->closed_count, 0);
    CHECK(edge_limits_of(w.edge)->hits[EDGE_LIMIT_INPUT_ALL] == 2);
    client_close(&small);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_slow_reader_is_closed_at_the_hard_limit),
        TEST(one_message_larger_than_the_limit_enters_an_empty_queue),
        TEST(a_client_that_does_not_read_is_not_read_from),
        TEST(over_the_message_rate_reading_pauses_and_nothing_is_lost),
        TEST(too_many_control_frames_close),
        TEST(a_silent_peer_is_pinged_then_dropped),
        TEST(a_message_that_takes_too_long_closes),
        TEST(a_broadcast_shares_its_payload),
        TEST(a_paused_connection_is_heard_later),
        TEST(much_that_stays_queued_for_too_long_closes),
        TEST(a_reader_that_takes_nothing_is_dropped),
        TEST(when_all_hold_too_much_the_largest_goes),
        TEST(when_too_much_has_come_in_part_the_largest_is_told_to_try_later),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
