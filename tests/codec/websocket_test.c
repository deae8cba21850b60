/* The frame codec: the vectors in slices, zero-copy, memory, and writing.
 * SPDX-License-Identifier: MIT */
#include "codec/websocket.h"

#include "vectors.h"

/* ---- vectors ------------------------------------------------------------------------------------------- */

static struct websocket_limits vector_limits;
static struct websocket_decoder vector_decoder;

static void show_event(const struct websocket_event *event, struct mw_buffer *out)
{
    switch (event->kind) {
    case WEBSOCKET_EVENT_NONE:
        return;
    case WEBSOCKET_EVENT_MESSAGE:
        mw_buffer_printf(out, "%s%s ", event->opcode == WEBSOCKET_TEXT ? "text" : "binary",
                         event->is_compressed ? " compressed" : "");
        break;
    case WEBSOCKET_EVENT_PING:
        mw_buffer_append_text(out, "ping ");
        break;
    case WEBSOCKET_EVENT_PONG:
        mw_buffer_append_text(out, "pong ");
        break;
    case WEBSOCKET_EVENT_CLOSE:
        mw_buffer_printf(out, "close %d ", event->code);
        break;
    case WEBSOCKET_EVENT_ERROR:
        mw_buffer_printf(out, "error %d %s%s", event->code, event->reason,
                         event->limit == WEBSOCKET_LIMIT_NONE            ? ""
                         : event->limit == WEBSOCKET_LIMIT_MESSAGE_BYTES ? " [message_bytes]"
                                                                         : " [fragments]");
        CHECK(strlen(event->reason) <= WEBSOCKET_REASON_MAX);
        break;
    }
    CHECK(event->bytes != NULL);
    vector_show(out, event->bytes, event->byte_count);
    mw_buffer_append_text(out, "\n");
}

/* "@frame 81 text", "@frame 81 mask=00000000 text", "@frame 81 unmasked text": a whole frame with its
 * length in the shortest form. */
static void frame_directive(const char *line, struct mw_buffer *in)
{
    uint8_t header[WEBSOCKET_HEADER_MAX], mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    struct mw_buffer payload;
    const char *text;
    char *end;
    bool is_masked = true;
    size_t header_bytes, i;
    unsigned long first;

    CHECK(strncmp(line, "@frame ", 7) == 0);
    first = strtoul(line + 7, &end, 16);
    text = *end == ' ' ? end + 1 : end;
    if (strncmp(text, "unmasked", 8) == 0) {
        is_masked = false;
        text += 8 + (text[8] == ' ');
    } else if (strncmp(text, "mask=", 5) == 0) {
        unsigned long bits = strtoul(text + 5, &end, 16);

        for (i = 0; i < 4; i++)
            mask[i] = (uint8_t)(bits >> (24 - 8 * i));
        text = *end == ' ' ? end + 1 : end;
    }
    mw_buffer_init(&payload, 64 * 1024 * 1024);
    vector_decode(text, strlen(text), &payload);
    header_bytes = websocket_header(header, WEBSOCKET_TEXT, payload.count);
    header[0] = (uint8_t)first;
    header[1] |= is_masked ? 0x80 : 0;
    mw_buffer_append(in, header, header_bytes);
    if (is_masked)
        mw_buffer_append(in, mask, 4);
    for (i = 0; i < payload.count; i++)
        mw_buffer_append_byte(in, (uint8_t)(payload.data[i] ^ (is_masked ? mask[i % 4] : 0)));
    mw_buffer_clear(&payload);
}

static void vector_begin(const struct vector *v)
{
    vector_limits = (struct websocket_limits){.message_bytes = (size_t)vector_setting(v, "message_bytes", 0),
                                              .fragment_count = (size_t)vector_setting(v, "fragments", 0),
                                              .is_client = vector_setting(v, "client", 0) != 0};
    websocket_decoder_init(&vector_decoder, &vector_limits);
    vector_decoder.allows_rsv1 = vector_setting(v, "rsv1", 0) != 0;
}

static void vector_feed(uint8_t *bytes, size_t byte_count, struct mw_buffer *out)
{
    struct websocket_event event;
    size_t at = 0;

    while (at < byte_count) {
        size_t used = websocket_decode(&vector_decoder, bytes + at, byte_count - at, &event);

        CHECK(used > 0 && used <= byte_count - at);
        CHECK(event.kind != WEBSOCKET_EVENT_NONE || used == byte_count - at);
        show_event(&event, out);
        at += used;
    }
}

static void vector_end(struct mw_buffer *out)
{
    if (websocket_decoder_is_midway(&vector_decoder))
        mw_buffer_append_text(out, "midway\n");
    websocket_decoder_clear(&vector_decoder);
}

static const struct vector_subject subject = {"websocket", frame_directive, vector_begin, vector_feed,
                                              vector_end};

static void every_vector_gives_its_events_however_it_is_cut(void)
{
    CHECK(vectors_run(&subject, VECTOR_SEEDS) >= 100);
}

/* ---- in place ------------------------------------------------------------------------------------------ */

static const struct websocket_limits defaults = {0};
static const uint8_t test_mask[4] = {1, 2, 3, 0xff};

static void a_whole_message_lies_where_it_was_received(void)
{
    struct websocket_decoder d;
    struct websocket_event event;
    struct mw_buffer wire;
    int64_t allocations;
    int i;

    mw_buffer_init(&wire, 1 << 20);
    for (i = 0; i < 3; i++)
        CHECK_INT(
            websocket_write_masked(&wire, WEBSOCKET_TEXT, true, test_mask, "hello, gr\xc3\xbc\xc3\x9f", 13),
            0);
    websocket_decoder_init(&d, &defaults);
    allocations = mw_memory_stats().allocations;
    for (i = 0; i < 3; i++) {
        CHECK_INT(websocket_decode(&d, wire.data + 19 * i, wire.count - 19 * (size_t)i, &event), 19);
        CHECK_INT(event.kind, WEBSOCKET_EVENT_MESSAGE);
        CHECK(event.bytes == wire.data + 19 * i + 6);
        CHECK_BYTES(event.bytes, event.byte_count, "hello, gr\xc3\xbc\xc3\x9f", 13);
    }
    CHECK_INT(mw_memory_stats().allocations, allocations);
    websocket_decoder_clear(&d);
    mw_buffer_clear(&wire);
}

static void every_length_is_unmasked_right_at_every_alignment(void)
{
    struct websocket_decoder d;
    struct websocket_event event;
    uint8_t plain[300], room[400];
    struct mw_buffer wire;
    size_t length, shift, i;

    for (i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 7 + 1);
    websocket_decoder_init(&d, &defaults);
    mw_buffer_init(&wire, 4096);
    for (length = 0; length < sizeof plain; length++) {
        for (shift = 0; shift < 8; shift++) {
            wire.count = 0;
            CHECK_INT(websocket_write_masked(&wire, WEBSOCKET_BINARY, true, test_mask, plain, length), 0);
            memcpy(room + shift, wire.data, wire.count);
            CHECK_INT(websocket_decode(&d, room + shift, wire.count, &event), wire.count);
            CHECK_INT(event.kind, WEBSOCKET_EVENT_MESSAGE);
            CHECK_BYTES(event.bytes, event.byte_count, plain, length);
        }
    }
    mw_buffer_clear(&wire);
    websocket_decoder_clear(&d);
}

/* ---- memory -------------------------------------------------------------------------------------------- */

/* Feed a message of 3 frames in pieces of 7 bytes; returns the last event. */
static struct websocket_event feed_fragmented(struct websocket_decoder *d, size_t byte_count)
{
    struct websocket_event event = {0}, last = {0};
    struct mw_buffer wire;
    uint8_t *payload = mw_alloc_zeroed(1, byte_count + 1);
    size_t third = byte_count / 3, at = 0;

    if (!payload)
        return (struct websocket_event){.kind = WEBSOCKET_EVENT_ERROR};
    mw_buffer_init(&wire, SIZE_MAX);
    websocket_write_masked(&wire, WEBSOCKET_BINARY, false, test_mask, payload, third);
    websocket_write_masked(&wire, WEBSOCKET_CONTINUATION, false, test_mask, payload, third);
    websocket_write_masked(&wire, WEBSOCKET_PING, true, test_mask, "ping", 4);
    websocket_write_masked(&wire, WEBSOCKET_CONTINUATION, true, test_mask, payload, byte_count - 2 * third);
    while (at < wire.count) {
        size_t piece = wire.count - at < 7 ? wire.count - at : 7, from = 0;

        while (from < piece) {
            from += websocket_decode(d, wire.data + at + from, piece - from, &event);
            if (event.kind != WEBSOCKET_EVENT_NONE)
                last = event;
        }
        at += piece;
    }
    mw_buffer_clear(&wire);
    mw_free(payload);
    return last;
}

static void a_failed_allocation_closes_with_1011_and_leaks_nothing(void)
{
    int64_t before = mw_memory_stats().live_blocks, n;
    bool is_done = false;

    for (n = 1; !is_done; n++) {
        struct websocket_decoder d;
        struct websocket_event last;

        CHECK(n < 1000);
        websocket_decoder_init(&d, &defaults);
        mw_memory_fail_at(n, false);
        last = feed_fragmented(&d, 40000);
        mw_memory_fail_at(0, false);
        is_done = last.kind == WEBSOCKET_EVENT_MESSAGE && last.byte_count == 40000;
        if (last.kind == WEBSOCKET_EVENT_ERROR && last.code != 0)
            CHECK_INT(last.code, WEBSOCKET_SERVER_FAULT);
        websocket_decoder_clear(&d);
        CHECK_INT(mw_memory_stats().live_blocks, before);
    }
    CHECK(n > 3);
}

static void a_large_message_gives_its_memory_back(void)
{
    struct websocket_decoder d;
    struct websocket_event event;
    int64_t before = mw_memory_stats().live_bytes;
    uint8_t ping[] = {0x89, 0x80, 0, 0, 0, 0};

    websocket_decoder_init(&d, &defaults);
    event = feed_fragmented(&d, 600000);
    CHECK_INT(event.byte_count, 600000);
    CHECK(mw_memory_stats().live_bytes >= before + 600000);
    CHECK_INT(websocket_decode(&d, ping, sizeof ping, &event), sizeof ping);
    CHECK_INT(event.kind, WEBSOCKET_EVENT_PING);
    CHECK_INT(mw_memory_stats().live_bytes, before);
    websocket_decoder_clear(&d);
}

static void a_quiet_decoder_holds_no_memory_once_trimmed(void)
{
    struct websocket_decoder d;
    int64_t before = mw_memory_stats().live_bytes;

    websocket_decoder_init(&d, &defaults);
    CHECK_INT(feed_fragmented(&d, 300).byte_count, 300);
    CHECK(mw_memory_stats().live_bytes > before);
    websocket_decoder_trim(&d);
    CHECK_INT(mw_memory_stats().live_bytes, before);
    websocket_decoder_clear(&d);
    CHECK(sizeof d <= 128); /* it lies in every connection */
}

static void a_promised_length_alone_takes_little_memory(void)
{
    static const struct websocket_limits large = {.message_bytes = 64 << 20};
    struct websocket_decoder d;
    struct websocket_event event;
    int64_t before = mw_memory_stats().live_bytes;
    uint8_t bytes[] = {0x82, 0xff, 0, 0, 0, 0, 2, 0, 0, 0, 1, 2, 3, 4, 5};

    websocket_decoder_init(&d, &large);
    CHECK_INT(websocket_decode(&d, bytes, sizeof bytes, &event), sizeof bytes);
    CHECK_INT(event.kind, WEBSOCKET_EVENT_NONE);
    CHECK(mw_memory_stats().live_bytes <= before + 32 * 1024);
    websocket_decoder_clear(&d);
}

static void a_limit_can_change_between_messages(void)
{
    static const struct websocket_limits small = {.message_bytes = 10};
    struct websocket_decoder d;
    struct websocket_event event;
    uint8_t frame[] = {0x82, 0x8b, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

    websocket_decoder_init(&d, &defaults);
    CHECK_INT(websocket_decode(&d, frame, sizeof frame, &event), sizeof frame);
    CHECK_INT(event.kind, WEBSOCKET_EVENT_MESSAGE);
    websocket_decoder_limit(&d, &small);
    websocket_decode(&d, frame, sizeof frame, &event);
    CHECK_INT(event.kind, WEBSOCKET_EVENT_ERROR);
    CHECK_INT(event.code, WEBSOCKET_TOO_BIG);
    CHECK_INT(event.limit, WEBSOCKET_LIMIT_MESSAGE_BYTES);
    websocket_decoder_clear(&d);
}

static void a_limit_lowered_inside_a_frame_ends_its_message(void)
{
    static const struct websocket_limits small = {.message_bytes = 1000};
    static const uint8_t head[] = {0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0};
    struct websocket_decoder d;
    struct websocket_event event;
    static uint8_t bytes[40000];

    memcpy(bytes, head, sizeof head);
    websocket_decoder_init(&d, &defaults);
    websocket_decode(&d, bytes, 100, &event);
    CHECK_INT(event.kind, WEBSOCKET_EVENT_NONE);
    websocket_decoder_limit(&d, &small);
    websocket_decode(&d, bytes + 100, sizeof bytes - 100, &event);
    CHECK_INT(event.kind, WEBSOCKET_EVENT_ERROR);
    CHECK_INT(event.code, WEBSOCKET_TOO_BIG);
    websocket_decoder_clear(&d);
}

static void close_codes_are_those_of_the_registry(void)
{
    unsigned code;

    for (code = 0; code <= 65535; code++) {
        bool want =
            (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code < 5000);

        CHECK_INT(websocket_is_code_valid(code), want);
    }
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static void headers_have_the_shortest_form(void)
{
    static const struct {
        uint64_t payload;
        size_t count;
        uint8_t want[10];
    } rows[] = {
        {0, 2, {0x81, 0}},
        {125, 2, {0x81, 125}},
        {126, 4, {0x81, 126, 0, 126}},
        {65535, 4, {0x81, 126, 0xff, 0xff}},
        {65536, 10, {0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
        {UINT64_C(0x0102030405060708), 10, {0x81, 127, 1, 2, 3, 4, 5, 6, 7, 8}},
    };
    uint8_t header[WEBSOCKET_HEADER_MAX];
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++)
        CHECK_BYTES(header, websocket_header(header, WEBSOCKET_TEXT, rows[i].payload), rows[i].want,
                    rows[i].count);
}

static void a_close_frame_is_cut_between_characters(void)
{
    struct mw_buffer out;
    char reason[200] = "";
    int i;

    mw_buffer_init(&out, 1000);
    CHECK_INT(websocket_write_close(&out, 1001, "bye"), 0);
    CHECK_BYTES(out.data, out.count,
                "\x88\x05\x03\xe9"
                "bye",
                7);
    out.count = 0;
    CHECK_INT(websocket_write_close(&out, WEBSOCKET_NO_CODE, "never sent"), 0);
    CHECK_BYTES(out.data, out.count, "\x88\0", 2);
    out.count = 0;
    CHECK_INT(websocket_write_close(&out, 1000, NULL), 0);
    CHECK_BYTES(out.data, out.count, "\x88\x02\x03\xe8", 4);
    for (i = 0; i < 62; i++)
        memcpy(reason + 2 * i, "\xc3\xa9", 2); /* 124 bytes: the last character must go, whole */
    out.count = 0;
    CHECK_INT(websocket_write_close(&out, 1000, reason), 0);
    CHECK_INT(out.count, 2 + 2 + 122);
    mw_buffer_clear(&out);
}

static void what_is_written_reads_back_in_the_other_role(void)
{
    static const struct websocket_limits client = {.is_client = true};
    static const size_t lengths[] = {0, 1, 125, 126, 65535, 65536, 200000};
    struct websocket_decoder d;
    struct websocket_event event;
    struct mw_buffer out;
    size_t i;

    mw_buffer_init(&out, 1 << 20);
    for (i = 0; i < MW_COUNT(lengths); i++) {
        uint8_t *payload = mw_alloc(lengths[i] + 1);

        memset(payload, 'x', lengths[i]);
        out.count = 0;
        CHECK_INT(websocket_write(&out, WEBSOCKET_TEXT, payload, lengths[i]), 0);
        websocket_decoder_init(&d, &client);
        CHECK_INT(websocket_decode(&d, out.data, out.count, &event), out.count);
        CHECK_INT(event.kind, WEBSOCKET_EVENT_MESSAGE);
        CHECK_BYTES(event.bytes, event.byte_count, payload, lengths[i]);
        websocket_decoder_clear(&d);
        mw_free(payload);
    }
    mw_buffer_clear(&out);
}

static void writing_into_a_full_buffer_fails_and_leaves_it(void)
{
    struct mw_buffer out;

    mw_buffer_init(&out, 10);
    CHECK_INT(websocket_write(&out, WEBSOCKET_TEXT, "12345678", 8), 0);
    CHECK(websocket_write(&out, WEBSOCKET_TEXT, "", 0) < 0);
    CHECK_INT(out.count, 10);
    mw_buffer_clear(&out);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(every_vector_gives_its_events_however_it_is_cut),
        TEST(a_whole_message_lies_where_it_was_received),
        TEST(every_length_is_unmasked_right_at_every_alignment),
        TEST(a_failed_allocation_closes_with_1011_and_leaks_nothing),
        TEST(a_large_message_gives_its_memory_back),
        TEST(a_quiet_decoder_holds_no_memory_once_trimmed),
        TEST(a_promised_length_alone_takes_little_memory),
        TEST(a_limit_can_change_between_messages),
        TEST(a_limit_lowered_inside_a_frame_ends_its_message),
        TEST(close_codes_are_those_of_the_registry),
        TEST(headers_have_the_shortest_form),
        TEST(a_close_frame_is_cut_between_characters),
        TEST(what_is_written_reads_back_in_the_other_role),
        TEST(writing_into_a_full_buffer_fails_and_leaves_it),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
