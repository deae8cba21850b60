/* room: codec. Frames from a peer, in any pieces (F5): the events do not depend on the cuts, every call makes
 * progress, memory stays within the limits, what is text is UTF-8, what came in can be written and read
 * again.
 * Input: a byte of settings, a byte for the cuts, one for failing allocations, then what is on the wire.
 * SPDX-License-Identifier: MIT */
#include "slices.h"
#include "codec/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_BYTES = 3000, FRAGMENTS = 5, BUDGET_BYTES = 2 * (MESSAGE_BYTES + 125) + 16 * 1024 + 4096 };

/* Write the message as the other side would, and read that. */
static void check_round_trip(const struct websocket_limits *limits, const struct websocket_event *event)
{
    static const uint8_t mask[4] = {0x9a, 0x01, 0xfe, 0x55};
    struct websocket_decoder d;
    struct websocket_event again;
    struct mw_buffer wire;

    mw_buffer_init(&wire, 1 << 20);
    if (limits->is_client)
        PROMISE(websocket_write(&wire, event->opcode, event->bytes, event->byte_count) == 0);
    else
        PROMISE(
            websocket_write_masked(&wire, event->opcode, true, mask, event->bytes, event->byte_count) == 0);
    websocket_decoder_init(&d, limits);
    PROMISE(websocket_decode(&d, wire.data, wire.count, &again) == wire.count);
    PROMISE(again.kind == WEBSOCKET_EVENT_MESSAGE && again.opcode == event->opcode);
    PROMISE(again.byte_count == event->byte_count);
    PROMISE(again.byte_count == 0 || memcmp(again.bytes, event->bytes, again.byte_count) == 0);
    websocket_decoder_clear(&d);
    mw_buffer_clear(&wire);
}

static void check_event(const struct websocket_limits *limits, const struct websocket_event *event)
{
    PROMISE(event->bytes != NULL);
    if (event->kind == WEBSOCKET_EVENT_MESSAGE) {
        PROMISE(event->byte_count <= limits->message_bytes);
        if (!event->is_compressed) {
            PROMISE(event->opcode != WEBSOCKET_TEXT || mw_utf8_is_valid(event->bytes, event->byte_count));
            check_round_trip(limits, event);
        }
    } else {
        PROMISE(event->byte_count <= WEBSOCKET_CONTROL_MAX);
    }
    if (event->kind == WEBSOCKET_EVENT_ERROR)
        PROMISE(websocket_is_code_valid(event->code) && strlen(event->reason) <= WEBSOCKET_REASON_MAX);
    if (event->kind == WEBSOCKET_EVENT_CLOSE)
        PROMISE(event->code == WEBSOCKET_NO_CODE || websocket_is_code_valid(event->code));
}

/* Feed it all; returns the hash of the events. */
static uint64_t run(const struct websocket_limits *limits, bool allows_rsv1, const uint8_t *data, size_t size,
                    uint32_t seed, bool is_checked)
{
    struct websocket_decoder d;
    uint64_t hash = 1;
    uint32_t state = seed;
    int64_t before = mw_memory_stats().live_bytes;
    bool is_over = false;
    size_t at = 0;

    websocket_decoder_init(&d, limits);
    d.allows_rsv1 = allows_rsv1;
    while (at < size) {
        size_t count = slices_next(seed, &state, size - at), from = 0;
        uint8_t *piece = malloc(count); /* not counted as the decoder's */

        PROMISE(piece != NULL);
        memcpy(piece, data + at, count);
        while (from < count) {
            struct websocket_event event;
            size_t used = websocket_decode(&d, piece + from, count - from, &event);

            PROMISE(used > 0 && used <= count - from);
            PROMISE(mw_memory_stats().live_bytes - before <= BUDGET_BYTES);
            from += used;
            if (event.kind == WEBSOCKET_EVENT_NONE) {
                PROMISE(from == count);
                continue;
            }
            PROMISE(!is_over);
            if (is_checked)
                check_event(limits, &event);
            is_over = event.kind == WEBSOCKET_EVENT_ERROR || event.kind == WEBSOCKET_EVENT_CLOSE;
            slices_note_number(&hash, (uint64_t)event.kind << 32 | (uint64_t)event.code << 8);
            slices_note_number(&hash, (uint64_t)event.opcode);
            slices_note_number(&hash, (uint64_t)event.limit << 1 | event.is_compressed);
            slices_note(&hash, event.bytes, event.byte_count);
        }
        memset(piece, 0xdd, count);
        free(piece);
        at += count;
    }
    slices_note_number(&hash, websocket_decoder_is_midway(&d));
    websocket_decoder_clear(&d);
    PROMISE(mw_memory_stats().live_bytes == before);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct websocket_limits limits = {.message_bytes = MESSAGE_BYTES, .fragment_count = FRAGMENTS};
    bool allows_rsv1;
    uint64_t hash;

    if (size < 3)
        return 0;
    limits.is_client = data[0] & 1;
    allows_rsv1 = data[0] & 2;
    hash = run(&limits, allows_rsv1, data + 3, size - 3, 0, true);
    PROMISE(run(&limits, allows_rsv1, data + 3, size - 3, 1, false) == hash);
    PROMISE(run(&limits, allows_rsv1, data + 3, size - 3, 2 + data[1], false) == hash);
    if (data[2] > 0) {
        mw_memory_fail_at(data[2], data[2] & 1);
        (void)run(&limits, allows_rsv1, data + 3, size - 3, 2 + data[1], false); /* no crash, no leak */
        mw_memory_fail_at(0, false);
    }
    return 0;
}
