/* A WebSocket that goes from one edge to another between two messages: what was said before arrives before, and nothing is lost on the way.
 * Not what a server moves, and not several threads; that is a scenario. Read next: harness.h, move_test.c.
 * SPDX-License-Identifier: MIT */
#include "codec/deflate.h"

#include "harness.h"

enum { LONG_BYTES = 300000 };

/* Two edges on one thread, and a client that is with the first until it has been taken by the second. */
struct way {
    struct world from, to;
    struct edge_together *together;
    struct client client;
    struct seat *seat;
};

static void way_prepare(struct way *w)
{
    *w = (struct way){.seat = NULL};
    w->together = edge_together_new();
    CHECK(w->together != NULL);
    world_init(&w->from);
    world_init(&w->to);
    w->from.together = w->to.together = w->together;
}

static void way_open(struct way *w)
{
    world_open(&w->from);
    world_open(&w->to);
    client_open(&w->client, &w->from);
    w->seat = client_upgrade(&w->client);
}

static void way_close(struct way *w)
{
    client_close(&w->client);
    world_close(&w->from);
    world_close(&w->to);
    CHECK_INT(edge_together_connections(w->together), 0);
    edge_together_free(w->together);
}

/* It has left: the other edge takes it. */
static void way_take(struct way *w)
{
    CLIENT_UNTIL(&w->client, w->from.gone != NULL);
    CHECK_INT(edge_stats(w->from.edge).websockets, 0);
    w->seat->world = &w->to;
    w->client.world = &w->to;
    edge_take(w->to.edge, w->from.gone);
    CHECK(w->seat->connection != NULL);
    CHECK_INT(edge_stats(w->to.edge).websockets, 1);
}

static void way_go(struct way *w)
{
    CHECK_INT(edge_connection_move(w->seat->connection), 0);
    way_take(w);
}

static void it_is_heard_and_answered_where_it_came_to(void)
{
    struct way w;

    way_prepare(&w);
    way_open(&w);
    client_frame(&w.client, WEBSOCKET_TEXT, true, "here", 4);
    check_message(&w.client, WEBSOCKET_TEXT, "here", 4);
    way_go(&w);
    client_frame(&w.client, WEBSOCKET_TEXT, true, "there", 5);
    check_message(&w.client, WEBSOCKET_TEXT, "there", 5);
    CHECK_INT(edge_stats(w.from.edge).messages_in, 1);
    CHECK_INT(edge_stats(w.to.edge).messages_in, 1);
    CHECK_INT(edge_stats(w.from.edge).moved_out, 1);
    CHECK_INT(edge_stats(w.to.edge).moved_in, 1);
    client_frame(&w.client, WEBSOCKET_CLOSE, true, "\x03\xe8", 2);
    CLIENT_UNTIL(&w.client, w.seat->closed_count == 1);
    CHECK_INT(w.seat->code, 1000);
    way_close(&w);
}

static void what_came_behind_the_message_that_moves_it_goes_along(void)
{
    struct way w;
    struct mw_buffer out;

    way_prepare(&w);
    w.from.mover = 'g';
    way_open(&w);
    mw_buffer_init(&out, 1 << 20);
    frame_append(&out, WEBSOCKET_TEXT, true, "go", 2);
    frame_append(&out, WEBSOCKET_TEXT, true, "behind", 6);
    frame_append(&out, WEBSOCKET_BINARY, false, "in ", 3);
    client_send(&w.client, out.data, out.count);
    way_take(&w);
    check_message(&w.client, WEBSOCKET_TEXT, "go", 2);
    check_message(&w.client, WEBSOCKET_TEXT, "behind", 6);
    client_frame(&w.client, WEBSOCKET_CONTINUATION, true, "parts", 5);
    check_message(&w.client, WEBSOCKET_BINARY, "in parts", 8);
    CHECK_TEXT(w.from.heard, "g");
    CHECK_TEXT(w.to.heard, "bi");
    mw_buffer_clear(&out);
    way_close(&w);
}

static void what_has_come_of_a_message_is_not_lost(void)
{
    struct way w;
    static char text[LONG_BYTES];

    way_prepare(&w);
    w.to.limits.value[EDGE_LIMIT_MESSAGE] = LONG_BYTES + 3; /* it is the other edge's that holds from now on */
    way_open(&w);
    memset(text, 'x', sizeof text);
    client_frame(&w.client, WEBSOCKET_TEXT, false, text, sizeof text);
    CLIENT_UNTIL(&w.client, edge_stats(w.from.edge).bytes_in > sizeof text);
    way_go(&w);
    client_frame(&w.client, WEBSOCKET_CONTINUATION, true, "end", 3);
    CLIENT_UNTIL(&w.client, w.seat->messages == 1);
    CHECK_INT(w.seat->last_count, sizeof text + 3);
    client_frame(&w.client, WEBSOCKET_TEXT, false, text, sizeof text);
    client_frame(&w.client, WEBSOCKET_CONTINUATION, true, "end.", 4);
    CLIENT_UNTIL(&w.client, w.seat->closed_count == 1);
    CHECK_INT(w.seat->code, 1009);
    way_close(&w);
}

static void what_is_queued_for_a_slow_reader_leaves_first(void)
{
    struct way w;
    static char text[LONG_BYTES];
    int i;

    way_prepare(&w);
    w.from.limits.value[EDGE_LIMIT_OUTPUT_HARD] = 64 << 20;
    way_open(&w);
    memset(text, 'x', sizeof text);
    w.client.is_deaf = true;
    for (i = 0; i < 40; i++)
        CHECK_INT(edge_connection_send(w.seat->connection, EDGE_TEXT, text, sizeof text), 0);
    CHECK_INT(edge_connection_move(w.seat->connection), 0);
    CHECK_INT(edge_connection_move(w.seat->connection), -EPIPE); /* once is enough */
    CHECK_INT(edge_connection_send(w.seat->connection, EDGE_TEXT, "late", 4), -EPIPE);
    for (i = 0; i < 5; i++)
        client_step(&w.client);
    CHECK(w.from.gone == NULL);
    w.client.is_deaf = false;
    way_take(&w);
    CHECK_INT(edge_connection_send(w.seat->connection, EDGE_TEXT, "after", 5), 0);
    for (i = 0; i < 40; i++)
        check_message(&w.client, WEBSOCKET_TEXT, text, sizeof text);
    check_message(&w.client, WEBSOCKET_TEXT, "after", 5);
    way_close(&w);
}

static void who_goes_away_while_it_waits_is_told_to_the_edge_it_was_leaving(void)
{
    struct way w;
    static char text[LONG_BYTES];
    int i;

    way_prepare(&w);
    w.from.limits.value[EDGE_LIMIT_OUTPUT_HARD] = 64 << 20;
    w.from.limits.value[EDGE_LIMIT_OUTPUT_STALL] = 60;
    way_open(&w);
    w.client.is_deaf = true;
    for (i = 0; i < 40; i++)
        CHECK_INT(edge_connection_send(w.seat->connection, EDGE_TEXT, text, sizeof text), 0);
    CHECK_INT(edge_connection_move(w.seat->connection), 0);
    CLIENT_UNTIL(&w.client, w.seat->closed_count == 1);
    CHECK(w.from.gone == NULL);
    way_close(&w);
}

static void one_that_is_being_closed_does_not_go(void)
{
    struct way w;

    way_prepare(&w);
    way_open(&w);
    edge_connection_close(w.seat->connection, 4001, "enough");
    CHECK_INT(edge_connection_move(w.seat->connection), -EPIPE);
    CHECK_INT(client_event(&w.client).code, 4001);
    way_close(&w);
}

static void one_that_nobody_takes_is_closed_and_says_whose_it_was(void)
{
    struct way w;

    way_prepare(&w);
    way_open(&w);
    CHECK_INT(edge_connection_move(w.seat->connection), 0);
    CLIENT_UNTIL(&w.client, w.from.gone != NULL);
    CHECK(edge_discard(w.together, w.from.gone) == w.seat);
    CLIENT_UNTIL(&w.client, w.client.has_ended);
    CHECK_INT(w.seat->closed_count, 0);
    way_close(&w);
}

static void its_pace_is_the_same_afterwards(void)
{
    struct way w;
    int i;

    way_prepare(&w);
    w.from.limits.value[EDGE_LIMIT_BURST] = w.to.limits.value[EDGE_LIMIT_BURST] = 4;
    w.from.limits.value[EDGE_LIMIT_MESSAGES] = w.to.limits.value[EDGE_LIMIT_MESSAGES] = 1;
    way_open(&w);
    for (i = 0; i < 5; i++)
        client_frame(&w.client, WEBSOCKET_TEXT, true, "m", 1);
    for (i = 0; i < 4; i++)
        check_message(&w.client, WEBSOCKET_TEXT, "m", 1);
    CHECK_INT(edge_limits_of(w.from.edge)->hits[EDGE_LIMIT_MESSAGES], 1);
    way_go(&w); /* it has waited for its pace, and still has to */
    for (i = 0; i < 5 && edge_limits_of(w.to.edge)->hits[EDGE_LIMIT_MESSAGES] == 0; i++)
        client_step(&w.client);
    CHECK_INT(edge_limits_of(w.to.edge)->hits[EDGE_LIMIT_MESSAGES], 1);
    check_message(&w.client, WEBSOCKET_TEXT, "m", 1);
    way_close(&w);
}

/* ---- permessage-deflate ---------------------------------------------------------------------------------------- */
static void say_compressed(struct client *c, struct deflater *deflater, struct mw_buffer *small, const char *text)
{
    struct mw_buffer out;

    CHECK(deflater_write(deflater, text, strlen(text), small));
    mw_buffer_init(&out, 1 << 20);
    frame_append(&out, WEBSOCKET_TEXT, true, small->data, small->count);
    out.data[0] |= WEBSOCKET_RSV1;
    client_send(c, out.data, out.count);
    mw_buffer_clear(&out);
}

static size_t hear_compressed(struct client *c, struct inflater *inflater, struct mw_buffer *large, const char *text)
{
    static const struct inflate_limits wide = {64U << 20, 1032};
    struct websocket_event event = client_event(c);

    CHECK(event.is_compressed);
    CHECK_INT(inflater_read(inflater, event.bytes, event.byte_count, &wide, large), INFLATE_DONE);
    CHECK_BYTES(large->data, large->count, text, strlen(text));
    return event.byte_count;
}

static void both_sides_go_on_with_what_they_remember_of_messages(void)
{
    static const char text[] = "Each message after the first is little more than a reference to the one before it, where that is remembered.";
    struct deflater *deflater;
    struct inflater *inflater;
    struct mw_buffer small, large;
    struct response r;
    size_t first;
    struct way w;

    way_prepare(&w);
    w.from.deflates = w.to.deflates = w.from.deflates_with_context = w.to.deflates_with_context = true;
    w.from.limits.value[EDGE_LIMIT_DEFLATE_FROM] = w.to.limits.value[EDGE_LIMIT_DEFLATE_FROM] = 16;
    world_open(&w.from);
    world_open(&w.to);
    mw_buffer_init(&small, 1 << 20);
    mw_buffer_init(&large, 0);
    CHECK_INT(deflater_new(12, true, &deflater), 0);
    CHECK_INT(inflater_new(15, true, &inflater), 0);
    client_open(&w.client, &w.from);
    client_say(&w.client, "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                          "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n");
    r = client_response(&w.client);
    CHECK_INT(r.status, 101);
    w.client.decoder.allows_rsv1 = true;
    w.seat = &w.from.seats[0];
    say_compressed(&w.client, deflater, &small, text);
    first = hear_compressed(&w.client, inflater, &large, text);
    way_go(&w);
    CHECK_INT(edge_stats(w.from.edge).deflating, 0);
    CHECK_INT(edge_stats(w.to.edge).deflating, 1);
    say_compressed(&w.client, deflater, &small, text);
    CHECK(hear_compressed(&w.client, inflater, &large, text) < first / 2);
    deflater_free(deflater);
    inflater_free(inflater);
    mw_buffer_clear(&small);
    mw_buffer_clear(&large);
    way_close(&w);
}

static const struct mw_test tests[] = {
    TEST(it_is_heard_and_answered_where_it_came_to),
    TEST(what_came_behind_the_message_that_moves_it_goes_along),
    TEST(what_has_come_of_a_message_is_not_lost),
    TEST(what_is_queued_for_a_slow_reader_leaves_first),
    TEST(who_goes_away_while_it_waits_is_told_to_the_edge_it_was_leaving),
    TEST(one_that_is_being_closed_does_not_go),
    TEST(one_that_nobody_takes_is_closed_and_says_whose_it_was),
    TEST(its_pace_is_the_same_afterwards),
    TEST(both_sides_go_on_with_what_they_remember_of_messages),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
