/* permessage-deflate on an edge: what is agreed on, messages both ways, bombs, broadcasts, context.
 * Not deflate itself; that is tests/codec/deflate_test.c.
 * SPDX-License-Identifier: MIT */
#include "codec/deflate.h"

#include "harness.h"

#define OFFER "permessage-deflate; client_max_window_bits"

/* A world, one client in it and what the client deflates with. */
struct talk {
    struct world world;
    struct client client;
    struct seat *seat;
    struct deflater *deflater;
    struct inflater *inflater;
    struct mw_buffer small, large;
    char head[4096]; /* of the 101 */
};

static void talk_upgrade(struct talk *t, struct client *c, const char *offer)
{
    char request[1024];
    struct response r;

    snprintf(request, sizeof request,
             "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
             "Sec-WebSocket-Extensions: %s\r\n\r\n", offer);
    client_say(c, request);
    r = client_response(c);
    CHECK_INT(r.status, 101);
    snprintf(t->head, sizeof t->head, "%s", r.head);
    c->decoder.allows_rsv1 = true;
    t->seat = &t->world.seats[(t->world.seat_count - 1) % SEATS];
}

static void talk_prepare(struct talk *t)
{
    *t = (struct talk){.deflater = NULL};
    world_init(&t->world);
    t->world.deflates = true;
    mw_buffer_init(&t->small, 1 << 20);
    mw_buffer_init(&t->large, 0);
}

static void talk_open(struct talk *t, const char *offer)
{
    bool has_context = t->world.deflates_with_context;

    world_open(&t->world);
    CHECK_INT(deflater_new(12, has_context, &t->deflater), 0);
    CHECK_INT(inflater_new(15, has_context, &t->inflater), 0);
    client_open(&t->client, &t->world);
    talk_upgrade(t, &t->client, offer);
}

static void talk_close(struct talk *t)
{
    client_close(&t->client);
    world_close(&t->world);
    deflater_free(t->deflater);
    inflater_free(t->inflater);
    mw_buffer_clear(&t->small);
    mw_buffer_clear(&t->large);
}

/* A text that shrinks to a sixth or so; mw_free. */
static char *make_text(size_t byte_count)
{
    struct mw_buffer text;
    unsigned i;

    mw_buffer_init(&text, byte_count + 64);
    for (i = 0; text.count < byte_count; i++)
        CHECK_INT(mw_buffer_printf(&text, "{\"speed\":%u,\"target\":20}", i * i), 0);
    text.data[byte_count] = '\0';
    return (char *)text.data;
}

/* Send the frames of a compressed message: cut into so many. */
static void send_compressed(struct client *c, enum websocket_opcode opcode, const uint8_t *bytes, size_t count, size_t parts)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    struct mw_buffer out;
    size_t i, at = 0;

    mw_buffer_init(&out, 64U << 20);
    for (i = 0; i < parts; i++) {
        size_t begin = out.count, part = i + 1 == parts ? count - at : count / parts;

        CHECK_INT(websocket_write_masked(&out, i == 0 ? opcode : WEBSOCKET_CONTINUATION, i + 1 == parts, mask, bytes + at, part), 0);
        if (i == 0)
            out.data[begin] |= WEBSOCKET_RSV1;
        at += part;
    }
    client_send(c, out.data, out.count);
    mw_buffer_clear(&out);
}

static void send_text(struct talk *t, const char *text, size_t parts)
{
    CHECK(deflater_write(t->deflater, text, strlen(text), &t->small));
    send_compressed(&t->client, WEBSOCKET_TEXT, t->small.data, t->small.count, parts);
}

/* Wait for a message and inflate it. returns the bytes of its payload */
static size_t check_compressed(struct talk *t, struct client *c, const char *text)
{
    static const struct inflate_limits wide = {64U << 20, 1032};
    struct websocket_event event = client_event(c);

    CHECK_INT(event.kind, WEBSOCKET_EVENT_MESSAGE);
    CHECK(event.is_compressed);
    CHECK(event.byte_count < strlen(text));
    CHECK_INT(inflater_read(t->inflater, event.bytes, event.byte_count, &wide, &t->large), INFLATE_DONE);
    CHECK_BYTES(t->large.data, t->large.count, text, strlen(text));
    return event.byte_count;
}

static void check_closed(struct client *c, int code)
{
    struct websocket_event event = client_event(c);

    CHECK_INT(event.kind, WEBSOCKET_EVENT_CLOSE);
    CHECK_INT(event.code, code);
}

/* ---- agreeing ------------------------------------------------------------------------------------------ */
static void who_offers_is_answered_without_context_and_with_small_windows(void)
{
    struct talk t;

    talk_prepare(&t);
    talk_open(&t, OFFER);
    check_has(t.head, "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                      "client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12\r\n");
    CHECK_INT(edge_stats(t.world.edge).deflating, 1);
    talk_close(&t);
}

static void unless_it_is_asked_for_the_offer_is_declined(void)
{
    struct talk t;

    talk_prepare(&t);
    t.world.deflates = false;
    talk_open(&t, OFFER);
    check_has_not(t.head, "Extensions");
    CHECK_INT(edge_stats(t.world.edge).deflating, 0);
    send_compressed(&t.client, WEBSOCKET_TEXT, (const uint8_t *)"\0", 1, 1);
    check_closed(&t.client, WEBSOCKET_PROTOCOL_ERROR);
    talk_close(&t);
}

static void an_offer_that_cannot_be_met_leaves_messages_as_they_are(void)
{
    struct talk t;
    char *text = make_text(5000);

    talk_prepare(&t);
    talk_open(&t, "permessage-deflate; server_max_window_bits=99");
    check_has_not(t.head, "Extensions");
    client_frame(&t.client, WEBSOCKET_TEXT, true, text, 5000);
    check_message(&t.client, WEBSOCKET_TEXT, text, 5000);
    talk_close(&t);
    mw_free(text);
}

/* ---- messages ------------------------------------------------------------------------------------------ */
static void messages_come_and_go_compressed(void)
{
    static const size_t counts[] = {1024, 5000, 65536, 262144 /* the largest */};
    struct talk t;
    struct edge_stats stats;
    size_t i, sum = 0;

    talk_prepare(&t);
    talk_open(&t, OFFER);
    for (i = 0; i < MW_COUNT(counts); i++) {
        char *text = make_text(counts[i]);

        send_text(&t, text, 1 + i);
        (void)check_compressed(&t, &t.client, text);
        mw_free(text);
        sum += counts[i];
    }
    stats = edge_stats(t.world.edge);
    CHECK_INT(stats.inflated, MW_COUNT(counts));
    CHECK_INT(stats.deflated, MW_COUNT(counts));
    CHECK_INT(stats.inflated_bytes, sum);
    CHECK_INT(stats.deflated_from_bytes, sum);
    CHECK(stats.deflated_bytes < sum / 3 && stats.inflated_from_bytes < sum / 3);
    CHECK_INT(stats.messages_in, MW_COUNT(counts));
    talk_close(&t);
}

static void what_is_small_or_does_not_shrink_goes_as_it_is(void)
{
    struct talk t;
    char *text = make_text(1023);
    uint8_t noise[4096];
    uint32_t random = 1;
    size_t i;

    talk_prepare(&t);
    talk_open(&t, OFFER);
    send_text(&t, text, 1);
    check_message(&t.client, WEBSOCKET_TEXT, text, 1023);
    for (i = 0; i < sizeof noise; i++) {
        random = random * 1664525U + 1013904223U;
        noise[i] = (uint8_t)(random >> 24);
    }
    client_frame(&t.client, WEBSOCKET_BINARY, true, noise, sizeof noise);
    check_message(&t.client, WEBSOCKET_BINARY, noise, sizeof noise);
    CHECK_INT(edge_stats(t.world.edge).deflated, 0);
    talk_close(&t);
    mw_free(text);
}

/* Nobody else is served while one is compressed. */
static void what_is_larger_than_the_limit_goes_as_it_is_and_is_counted(void)
{
    enum { MOST = 5000 };
    struct talk t;
    char *text = make_text(MOST + 1);
    mw_value value = mw_text(text);

    talk_prepare(&t);
    t.world.limits.value[EDGE_LIMIT_DEFLATE_MOST] = MOST;
    talk_open(&t, OFFER);
    send_text(&t, text, 1);
    check_message(&t.client, WEBSOCKET_TEXT, text, MOST + 1);
    CHECK_INT(edge_connection_send_shared(t.seat->connection, EDGE_TEXT, value), 0);
    check_message(&t.client, WEBSOCKET_TEXT, text, MOST + 1);
    CHECK_INT(edge_limits_of(t.world.edge)->hits[EDGE_LIMIT_DEFLATE_MOST], 2);
    text[MOST] = '\0';
    send_text(&t, text, 1);
    (void)check_compressed(&t, &t.client, text);
    CHECK_INT(edge_stats(t.world.edge).deflated, 1);
    mw_release(value);
    mw_free(text);
    talk_close(&t);
}

static void an_empty_message_may_come_compressed(void)
{
    struct talk t;

    talk_prepare(&t);
    talk_open(&t, OFFER);
    send_compressed(&t.client, WEBSOCKET_TEXT, (const uint8_t *)"\0", 1, 1);
    check_message(&t.client, WEBSOCKET_TEXT, "", 0);
    talk_close(&t);
}

/* ---- faults -------------------------------------------------------------------------------------------- */
static void a_message_is_as_large_as_it_is_when_inflated(void)
{
    struct talk t;
    char *text = make_text(10001);

    talk_prepare(&t);
    t.world.limits.value[EDGE_LIMIT_MESSAGE] = 10000;
    talk_open(&t, OFFER);
    text[10000] = '\0';
    send_text(&t, text, 1);
    (void)check_compressed(&t, &t.client, text);
    text[10000] = 'x';
    send_text(&t, text, 1);
    check_closed(&t.client, WEBSOCKET_TOO_BIG);
    CHECK_INT(edge_limits_of(t.world.edge)->hits[EDGE_LIMIT_MESSAGE], 1);
    CHECK_INT(t.seat->messages, 1);
    talk_close(&t);
    mw_free(text);
}

static void a_bomb_is_stopped_by_its_ratio(void)
{
    struct talk t;
    char *zeros = mw_alloc_zeroed(1, 100000);

    talk_prepare(&t);
    talk_open(&t, OFFER);
    CHECK(deflater_write(t.deflater, zeros, 100000, &t.small));
    CHECK(t.small.count * 100 < 100000);
    send_compressed(&t.client, WEBSOCKET_BINARY, t.small.data, t.small.count, 1);
    check_closed(&t.client, WEBSOCKET_TOO_BIG);
    CHECK_INT(edge_limits_of(t.world.edge)->hits[EDGE_LIMIT_DEFLATE_RATIO], 1);
    CHECK_INT(t.seat->messages, 0);
    talk_close(&t);
    mw_free(zeros);
}

/* A few bytes may be much to inflate, and to deflate again. */
static void what_is_inflated_and_deflated_counts_as_work(void)
{
    char *text = make_text(100000);
    struct talk t;

    talk_prepare(&t);
    t.world.limits.value[EDGE_LIMIT_SHARE] = 100000 / 128 + 100000 / 64;
    talk_open(&t, OFFER);
    send_text(&t, text, 1);
    (void)check_compressed(&t, &t.client, text);
    CHECK_INT(edge_limits_of(t.world.edge)->hits[EDGE_LIMIT_SHARE], 1);
    t.world.echoes = false;
    send_text(&t, text, 1);
    CLIENT_UNTIL(&t.client, t.seat->messages == 2);
    CHECK_INT(edge_limits_of(t.world.edge)->hits[EDGE_LIMIT_SHARE], 1); /* to inflate it is a third of a share */
    talk_close(&t);
    mw_free(text);
}

static void what_cannot_be_inflated_is_closed_with_1007(void)
{
    struct talk t;

    talk_prepare(&t);
    talk_open(&t, OFFER);
    send_compressed(&t.client, WEBSOCKET_BINARY, (const uint8_t *)"\xff\xff\xff", 3, 1);
    check_closed(&t.client, WEBSOCKET_BAD_DATA);
    CHECK_INT(edge_stats(t.world.edge).protocol_errors, 1);
    talk_close(&t);
}

static void text_is_checked_once_it_is_inflated(void)
{
    struct talk t;

    talk_prepare(&t);
    talk_open(&t, OFFER);
    CHECK(deflater_write(t.deflater, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, &t.small));
    send_compressed(&t.client, WEBSOCKET_BINARY, t.small.data, t.small.count, 1);
    check_message(&t.client, WEBSOCKET_BINARY, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
    send_compressed(&t.client, WEBSOCKET_TEXT, t.small.data, t.small.count, 1);
    check_closed(&t.client, WEBSOCKET_BAD_DATA);
    talk_close(&t);
}

static void rsv1_belongs_to_the_first_frame_of_a_message(void)
{
    static const uint8_t frames[] = {0x41, 0x81, 0, 0, 0, 0, 0x00, 0xc0, 0x80, 0, 0, 0, 0};
    struct talk t;

    talk_prepare(&t);
    talk_open(&t, OFFER);
    client_send(&t.client, frames, sizeof frames);
    check_closed(&t.client, WEBSOCKET_PROTOCOL_ERROR);
    talk_close(&t);
}

/* ---- many, and context --------------------------------------------------------------------------------- */
static void what_many_get_is_the_same_for_all_with_the_same_window(void)
{
    struct talk t;
    struct client others[3];
    static const char *const offers[] = {OFFER, "permessage-deflate; server_max_window_bits=9", "x"};
    char *text = make_text(40000);
    mw_value value;
    size_t i;

    talk_prepare(&t);
    talk_open(&t, OFFER);
    for (i = 0; i < MW_COUNT(others); i++) {
        client_open(&others[i], &t.world);
        talk_upgrade(&t, &others[i], offers[i]);
    }
    value = mw_text(text);
    for (i = 0; i < t.world.seat_count; i++)
        CHECK_INT(edge_connection_send_shared(t.world.seats[i].connection, EDGE_TEXT, value), 0);
    mw_release(value);
    (void)check_compressed(&t, &t.client, text);
    (void)check_compressed(&t, &others[0], text);
    (void)check_compressed(&t, &others[1], text);
    check_message(&others[2], WEBSOCKET_TEXT, text, 40000);
    CHECK_INT(edge_stats(t.world.edge).deflated, 3);
    for (i = 0; i < MW_COUNT(others); i++)
        client_close(&others[i]);
    talk_close(&t);
    mw_free(text);
}

static void with_context_what_was_said_before_costs_little(void)
{
    struct talk t;
    char text[1501]; /* twice this fits into the window */
    uint32_t random = 1;
    size_t i, first;
    mw_value value;

    for (i = 0; i < sizeof text / 2; i++) {
        random = random * 1664525U + 1013904223U;
        snprintf(text + 2 * i, 3, "%02x", random >> 24);
    }
    talk_prepare(&t);
    t.world.deflates_with_context = true;
    talk_open(&t, "permessage-deflate");
    check_has(t.head, "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12\r\n");
    send_text(&t, text, 1);
    first = check_compressed(&t, &t.client, text);
    send_text(&t, text, 2);
    CHECK(check_compressed(&t, &t.client, text) < first / 2);
    value = mw_text(text);
    CHECK_INT(edge_connection_send_shared(t.seat->connection, EDGE_TEXT, value), 0);
    mw_release(value);
    CHECK(check_compressed(&t, &t.client, text) < first / 2);
    talk_close(&t);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(who_offers_is_answered_without_context_and_with_small_windows),
        TEST(unless_it_is_asked_for_the_offer_is_declined),
        TEST(an_offer_that_cannot_be_met_leaves_messages_as_they_are),
        TEST(messages_come_and_go_compressed),
        TEST(what_is_small_or_does_not_shrink_goes_as_it_is),
        TEST(what_is_larger_than_the_limit_goes_as_it_is_and_is_counted),
        TEST(an_empty_message_may_come_compressed),
        TEST(a_message_is_as_large_as_it_is_when_inflated),
        TEST(a_bomb_is_stopped_by_its_ratio),
        TEST(what_is_inflated_and_deflated_counts_as_work),
        TEST(what_cannot_be_inflated_is_closed_with_1007),
        TEST(text_is_checked_once_it_is_inflated),
        TEST(rsv1_belongs_to_the_first_frame_of_a_message),
        TEST(what_many_get_is_the_same_for_all_with_the_same_window),
        TEST(with_context_what_was_said_before_costs_little),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
