/* The frame decoder: headers judged as early as their bytes allow, payloads unmasked where they lie, messages
 * assembled only when they come in pieces. Frame writing is in websocket_write.c. Read next:
 * edge/connection.c.
 * SPDX-License-Identifier: MIT */
#include "codec/websocket.h"

#include <errno.h>
#include <string.h>

#include "base/word.h"

enum {
    DEFAULT_MESSAGE_BYTES = 1024 * 1024,
    DEFAULT_FRAGMENTS = 1024,
    RESERVE_BYTES = 16 * 1024, /* taken at once for a payload in pieces; the rest as it comes */
    KEEP_BYTES = 16 * 1024     /* a larger store goes back after its message */
};

enum decoder_state { DECODER_HEADER, DECODER_PAYLOAD, DECODER_ENDED };

static const uint8_t no_bytes[1];
static const uint64_t high_bits = UINT64_C(0x8080808080808080);

static size_t limit_message_bytes(const struct websocket_limits *limits)
{
    return limits->message_bytes ? limits->message_bytes : DEFAULT_MESSAGE_BYTES;
}

static size_t limit_fragments(const struct websocket_limits *limits)
{
    return limits->fragment_count ? limits->fragment_count : DEFAULT_FRAGMENTS;
}

/* The store's maximum. A limit so large that it cannot be exceeded stays what it is. */
static size_t store_limit(const struct websocket_limits *limits)
{
    size_t bytes = limit_message_bytes(limits);

    return bytes > SIZE_MAX - WEBSOCKET_CONTROL_MAX ? SIZE_MAX : bytes + WEBSOCKET_CONTROL_MAX;
}

void websocket_decoder_init(struct websocket_decoder *d, const struct websocket_limits *limits)
{
    *d = (struct websocket_decoder){.limits = limits, .state = DECODER_HEADER};
    mw_buffer_init(&d->store, store_limit(limits));
}

void websocket_decoder_clear(struct websocket_decoder *d)
{
    const struct websocket_limits *limits = d->limits;

    if (!limits)
        return; /* never initialised */
    mw_buffer_clear(&d->store);
    websocket_decoder_init(d, limits);
}

void websocket_decoder_limit(struct websocket_decoder *d, const struct websocket_limits *limits)
{
    d->limits = limits;
    d->store.limit = store_limit(limits);
}

static void store_unlend(struct websocket_decoder *d)
{
    d->is_store_lent = false;
    d->store.count = d->message_count;
    if (d->message_count == 0 && d->store.capacity > KEEP_BYTES)
        mw_buffer_clear(&d->store);
}

void websocket_decoder_trim(struct websocket_decoder *d)
{
    if (d->is_store_lent)
        store_unlend(d);
    if (d->store.count == 0)
        mw_buffer_clear(&d->store);
}

bool websocket_decoder_is_midway(const struct websocket_decoder *d)
{
    return d->state != DECODER_ENDED &&
           (d->fragment_count > 0 || d->header_count > 0 || d->state == DECODER_PAYLOAD);
}

bool websocket_is_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* Unmask in place.
 *
 * returns  all the result's bytes or-ed together: no high bit set means that all is ASCII
 */
static uint64_t unmask(uint8_t *bytes, size_t count, const uint8_t mask[4])
{
    const uint8_t *end = bytes + count;
    uint32_t half, four;
    uint64_t both, eight, some = 0;

    memcpy(&half, mask, sizeof half);
    both = (uint64_t)half << 32 | half;
    if (count >= 2 * sizeof(mw_lanes)) {
        mw_lanes seen = {0};

        do {
            mw_lanes first, second;

            memcpy(&first, bytes, sizeof first);
            memcpy(&second, bytes + sizeof first, sizeof second);
            first ^= both;
            second ^= both;
            seen |= first | second;
            memcpy(bytes, &first, sizeof first);
            memcpy(bytes + sizeof first, &second, sizeof second);
            bytes += 2 * sizeof(mw_lanes);
        } while ((size_t)(end - bytes) >= 2 * sizeof(mw_lanes));
        some = mw_lanes_or(seen);
    }
    for (; end - bytes >= 8; bytes += 8) {
        memcpy(&eight, bytes, sizeof eight);
        eight ^= both;
        some |= eight;
        memcpy(bytes, &eight, sizeof eight);
    }
    if (end - bytes >= 4) {
        memcpy(&four, bytes, sizeof four);
        four ^= half;
        some |= four;
        memcpy(bytes, &four, sizeof four);
        bytes += 4;
    }
    for (; bytes < end; bytes++) {
        *bytes ^= *mask++;
        some |= *bytes;
    }
    return some;
}

/* So that mask[0] is for the byte after these. */
static void mask_rotate(uint8_t mask[4], size_t count)
{
    uint8_t old[4];
    size_t i;

    memcpy(old, mask, sizeof old);
    for (i = 0; i < 4; i++)
        mask[i] = old[(i + count) & 3];
}

/* ---- events -------------------------------------------------------------------------------------------- */

static void event_error(struct websocket_event *ret, enum websocket_code code, enum websocket_limit limit,
                        const char *reason)
{
    *ret = (struct websocket_event){.kind = WEBSOCKET_EVENT_ERROR,
                                    .code = (uint16_t)code,
                                    .limit = limit,
                                    .bytes = no_bytes,
                                    .reason = reason};
}

static void decoder_end(struct websocket_decoder *d)
{
    d->state = DECODER_ENDED;
    d->fragment_count = 0;
    d->message_count = 0;
    mw_buffer_clear(&d->store);
}

static void event_fail(struct websocket_decoder *d, struct websocket_event *ret, enum websocket_code code,
                       enum websocket_limit limit, const char *reason)
{
    decoder_end(d);
    event_error(ret, code, limit, reason);
}

/* Judge a close frame's payload (RFC 6455 §5.5.1, §7.4). */
static void event_close(struct websocket_decoder *d, struct websocket_event *ret, const uint8_t *bytes,
                        size_t count)
{
    unsigned code = WEBSOCKET_NO_CODE;

    if (count == 1) {
        event_fail(d, ret, WEBSOCKET_PROTOCOL_ERROR, WEBSOCKET_LIMIT_NONE, "close frame with half a code");
        return;
    }
    if (count >= 2) {
        code = (unsigned)bytes[0] << 8 | bytes[1];
        if (!websocket_is_code_valid(code)) {
            event_fail(d, ret, WEBSOCKET_PROTOCOL_ERROR, WEBSOCKET_LIMIT_NONE,
                       "close frame with an invalid code");
            return;
        }
        bytes += 2;
        count -= 2;
        if (!mw_utf8_is_valid(bytes, count)) {
            event_fail(d, ret, WEBSOCKET_BAD_DATA, WEBSOCKET_LIMIT_NONE, "close reason is not UTF-8");
            return;
        }
    }
    d->state = DECODER_ENDED;
    d->fragment_count = 0;
    d->message_count = 0;
    *ret = (struct websocket_event){
        .kind = WEBSOCKET_EVENT_CLOSE, .code = (uint16_t)code, .bytes = bytes, .byte_count = count};
}

static void event_control(struct websocket_decoder *d, struct websocket_event *ret,
                          enum websocket_opcode opcode, const uint8_t *bytes, size_t count)
{
    if (opcode == WEBSOCKET_CLOSE) {
        event_close(d, ret, bytes, count);
        return;
    }
    *ret = (struct websocket_event){.kind = opcode == WEBSOCKET_PING ? WEBSOCKET_EVENT_PING
                                                                     : WEBSOCKET_EVENT_PONG,
                                    .bytes = bytes,
                                    .byte_count = count};
}

static void event_message(struct websocket_decoder *d, struct websocket_event *ret, const uint8_t *bytes,
                          size_t count)
{
    *ret = (struct websocket_event){.kind = WEBSOCKET_EVENT_MESSAGE,
                                    .opcode = (enum websocket_opcode)d->message_opcode,
                                    .is_compressed = d->message_is_compressed,
                                    .bytes = bytes,
                                    .byte_count = count};
    d->fragment_count = 0;
    d->message_count = 0;
}

/* ---- headers ------------------------------------------------------------------------------------------- */

static bool opcode_is_control(unsigned opcode)
{
    return opcode >= 8;
}

/* Judge a header's first two bytes (RFC 6455 §5.2, §5.4, §5.5).
 *
 * returns  NULL, or what is wrong
 */
static const char *header_fault(const struct websocket_decoder *d, unsigned first, unsigned second)
{
    unsigned opcode = first & 0xfU;
    bool is_final = first & 0x80U;

    if (opcode > WEBSOCKET_PONG || (opcode > WEBSOCKET_BINARY && opcode < WEBSOCKET_CLOSE))
        return "reserved opcode";
    if (first & 0x30U)
        return "reserved bit set";
    if ((first & 0x40U) && (!d->allows_rsv1 || (opcode != WEBSOCKET_TEXT && opcode != WEBSOCKET_BINARY)))
        return "reserved bit set";
    if (!(second & 0x80U) && !d->limits->is_client)
        return "frame is not masked";
    if ((second & 0x80U) && d->limits->is_client)
        return "frame is masked";
    if (opcode_is_control(opcode)) {
        if (!is_final)
            return "control frame in fragments";
        return (second & 0x7fU) > WEBSOCKET_CONTROL_MAX ? "control frame too long" : NULL;
    }
    if (opcode == WEBSOCKET_CONTINUATION)
        return d->fragment_count == 0 ? "continuation of no message" : NULL;
    return d->fragment_count > 0 ? "new message inside another" : NULL;
}

/* How many bytes a header has, by its second. */
static size_t header_length(unsigned second)
{
    unsigned length = second & 0x7fU;

    return 2 + (size_t)(length == 126 ? 2 : length == 127 ? 8 : 0) + (second & 0x80U ? 4 : 0);
}

/* Read the payload length of a whole header. false: not in the fewest bytes, or over 63 bits. */
static bool header_payload(const uint8_t *header, uint64_t *ret)
{
    unsigned length = header[1] & 0x7fU;
    uint64_t value = 0;
    int i;

    if (length < 126) {
        *ret = length;
        return true;
    }
    for (i = 0; i < (length == 126 ? 2 : 8); i++)
        value = value << 8 | header[2 + i];
    *ret = value;
    return length == 126 ? value >= 126 : value > 0xffff && !(value >> 63);
}

/* Is this one fragment more than is allowed? An empty one that only ends its message is not counted: that is how
 * senders close one whose length is a multiple of the fragments'. */
static bool fragment_is_too_many(const struct websocket_decoder *d, unsigned opcode, uint64_t payload)
{
    bool only_ends = opcode == WEBSOCKET_CONTINUATION && payload == 0 && d->header[0] & 0x80U;

    return d->fragment_count >= limit_fragments(d->limits) && !only_ends;
}

/* Take the gathered header: from here on the payload is expected. false: a fault, *ret is set. */
static bool frame_begin(struct websocket_decoder *d, struct websocket_event *ret)
{
    unsigned opcode = d->header[0] & 0xfU;
    size_t header_bytes = d->header_count;
    uint64_t payload;

    if (!header_payload(d->header, &payload)) {
        event_fail(d, ret, WEBSOCKET_PROTOCOL_ERROR, WEBSOCKET_LIMIT_NONE,
                   "payload length not in its shortest form");
        return false;
    }
    if (!opcode_is_control(opcode)) {
        if (payload > limit_message_bytes(d->limits) ||
            d->message_count > limit_message_bytes(d->limits) - payload) {
            event_fail(d, ret, WEBSOCKET_TOO_BIG, WEBSOCKET_LIMIT_MESSAGE_BYTES, "message too big");
            return false;
        }
        if (fragment_is_too_many(d, opcode, payload)) {
            event_fail(d, ret, WEBSOCKET_TOO_BIG, WEBSOCKET_LIMIT_FRAGMENTS, "message in too many fragments");
            return false;
        }
        if (opcode != WEBSOCKET_CONTINUATION) {
            d->message_opcode = (uint8_t)opcode;
            d->message_is_compressed = d->header[0] & 0x40U;
        }
        d->fragment_count++;
    }
    if (d->limits->is_client)
        memset(d->mask, 0, sizeof d->mask);
    else
        memcpy(d->mask, d->header + header_bytes - 4, sizeof d->mask);
    d->remaining = payload;
    d->header_count = 0;
    d->state = DECODER_PAYLOAD;
    return true;
}

/* Gather header bytes.
 *
 * returns  how many were used; the state says whether the header is complete
 */
static size_t header_feed(struct websocket_decoder *d, const uint8_t *bytes, size_t count,
                          struct websocket_event *ret)
{
    size_t used = 0;

    while (used < count) {
        d->header[d->header_count++] = bytes[used++];
        if (d->header_count == 2) {
            const char *fault = header_fault(d, d->header[0], d->header[1]);

            if (fault) {
                event_fail(d, ret, WEBSOCKET_PROTOCOL_ERROR, WEBSOCKET_LIMIT_NONE, fault);
                return used;
            }
        }
        if (d->header_count >= 2 && d->header_count == header_length(d->header[1])) {
            (void)frame_begin(d, ret); /* a fault is in *ret and in the state */
            return used;
        }
    }
    return used;
}

/* ---- payloads ------------------------------------------------------------------------------------------ */

/* Go on checking the text of a message. is_ascii  what unmask found out about these bytes */
static bool text_feed(struct websocket_decoder *d, const uint8_t *bytes, size_t count, bool is_ascii)
{
    if (d->message_opcode != WEBSOCKET_TEXT || d->message_is_compressed)
        return true;
    if (is_ascii && mw_utf8_is_complete(&d->utf8))
        return true;
    return mw_utf8_feed(&d->utf8, bytes, count);
}

/* Keep a piece of payload until the rest of its frame or message is there. */
static bool store_append(struct websocket_decoder *d, const uint8_t *bytes, size_t count)
{
    size_t want = d->remaining > RESERVE_BYTES ? RESERVE_BYTES : (size_t)d->remaining;

    if (want < count)
        want = count;
    if (want == 0)
        return true;
    return mw_buffer_reserve(&d->store, want) == 0 && mw_buffer_append(&d->store, bytes, count) == 0;
}

static void store_fail(struct websocket_decoder *d, struct websocket_event *ret)
{
    if (d->store.error == -EMSGSIZE) /* only where the limit was lowered inside a frame */
        event_fail(d, ret, WEBSOCKET_TOO_BIG, WEBSOCKET_LIMIT_MESSAGE_BYTES, "message too big");
    else
        event_fail(d, ret, WEBSOCKET_SERVER_FAULT, WEBSOCKET_LIMIT_NONE, "out of memory");
}

/* The frame's payload is complete; its last piece lies at bytes and, where the frame came in more than
 * one, the pieces before it in the store. */
static void frame_end(struct websocket_decoder *d, const uint8_t *bytes, size_t count,
                      struct websocket_event *ret)
{
    unsigned opcode = d->header[0] & 0xfU;
    bool is_final = d->header[0] & 0x80U;
    size_t store_begin = opcode_is_control(opcode) ? d->message_count : 0;
    bool is_stored = d->store.count > store_begin;

    d->state = DECODER_HEADER;
    if (!opcode_is_control(opcode) && is_final && !mw_utf8_is_complete(&d->utf8)) {
        event_fail(d, ret, WEBSOCKET_BAD_DATA, WEBSOCKET_LIMIT_NONE, "text is not UTF-8");
        return;
    }
    if (is_stored || !is_final) {
        if (!store_append(d, bytes, count)) {
            store_fail(d, ret);
            return;
        }
        if (!is_final) {
            d->message_count = d->store.count;
            return;
        }
        bytes = d->store.data + store_begin;
        count = d->store.count - store_begin;
        d->is_store_lent = true;
    }
    if (opcode_is_control(opcode))
        event_control(d, ret, (enum websocket_opcode)opcode, bytes, count);
    else
        event_message(d, ret, bytes, count);
}

/* Unmask, check and keep what has come of a frame's payload.
 *
 * returns  how many bytes were used
 */
static size_t payload_feed(struct websocket_decoder *d, uint8_t *bytes, size_t count,
                           struct websocket_event *ret)
{
    bool is_control = opcode_is_control(d->header[0] & 0xfU);
    bool is_ascii;

    if (count > d->remaining)
        count = (size_t)d->remaining;
    is_ascii = (unmask(bytes, count, d->mask) & high_bits) == 0;
    mask_rotate(d->mask, count);
    if (!is_control && !text_feed(d, bytes, count, is_ascii)) {
        event_fail(d, ret, WEBSOCKET_BAD_DATA, WEBSOCKET_LIMIT_NONE, "text is not UTF-8");
        return count;
    }
    if (count == d->remaining) {
        d->remaining = 0;
        frame_end(d, count > 0 ? bytes : no_bytes, count, ret);
        return count;
    }
    if (!store_append(d, bytes, count)) {
        store_fail(d, ret);
        return count;
    }
    d->remaining -= count;
    return count;
}

/* ---- the way in ---------------------------------------------------------------------------------------- */

static size_t decode_any(struct websocket_decoder *d, uint8_t *bytes, size_t byte_count,
                         struct websocket_event *ret)
{
    size_t used = 0;

    *ret = (struct websocket_event){.kind = WEBSOCKET_EVENT_NONE, .bytes = no_bytes};
    if (d->is_store_lent)
        store_unlend(d);
    while (used < byte_count && ret->kind == WEBSOCKET_EVENT_NONE) {
        if (d->state == DECODER_ENDED)
            return byte_count;
        if (d->state == DECODER_HEADER)
            used += header_feed(d, bytes + used, byte_count - used, ret);
        if (d->state == DECODER_PAYLOAD) /* also with no byte left: a payload may be empty */
            used += payload_feed(d, bytes + used, byte_count - used, ret);
    }
    return used;
}

/* ret_event's fields one by one: as one assignment they would be put together elsewhere first, which every message paid for. */
size_t websocket_decode_whole(const struct websocket_limits *limits, uint8_t *bytes, size_t byte_count,
                              struct websocket_event *ret_event)
{
    size_t header_bytes = 6, payload;
    bool is_ascii;

    if (byte_count < 8 || (bytes[0] != 0x81 && bytes[0] != 0x82) || bytes[1] < 0x80 || bytes[1] > 0x80 + 126 ||
        limits->is_client)
        return 0;
    payload = bytes[1] & 0x7fU;
    if (payload == 126) {
        payload = (size_t)bytes[2] << 8 | bytes[3];
        header_bytes = 8;
        if (payload < 126)
            return 0;
    }
    if (payload > byte_count - header_bytes || payload > limit_message_bytes(limits))
        return 0;
    is_ascii = (unmask(bytes + header_bytes, payload, bytes + header_bytes - 4) & high_bits) == 0;
    ret_event->kind = WEBSOCKET_EVENT_MESSAGE;
    ret_event->opcode = (enum websocket_opcode)(bytes[0] & 0xfU);
    ret_event->is_compressed = false;
    ret_event->code = 0;
    ret_event->limit = WEBSOCKET_LIMIT_NONE;
    ret_event->bytes = bytes + header_bytes;
    ret_event->byte_count = payload;
    ret_event->reason = NULL;
    if (bytes[0] == 0x81 && !is_ascii && !mw_utf8_is_valid(bytes + header_bytes, payload))
        event_error(ret_event, WEBSOCKET_BAD_DATA, WEBSOCKET_LIMIT_NONE, "text is not UTF-8");
    return header_bytes + payload;
}

size_t websocket_decode(struct websocket_decoder *d, uint8_t *bytes, size_t byte_count,
                        struct websocket_event *ret_event)
{
    size_t used = 0;

    if (d->state == DECODER_HEADER && d->header_count == 0 && d->fragment_count == 0 && !d->is_store_lent)
        used = websocket_decode_whole(d->limits, bytes, byte_count, ret_event);
    if (used == 0)
        return decode_any(d, bytes, byte_count, ret_event);
    if (ret_event->kind == WEBSOCKET_EVENT_ERROR)
        decoder_end(d);
    return used;
}
