/* WebSocket frames in both directions (RFC 6455 §5 to §8): bytes in, events out, and frame headers written.
 * Not the opening handshake, that is handshake.h; not sockets, those are in edge/. Read next: websocket.c.
 * SPDX-License-Identifier: MIT */
#ifndef CODEC_WEBSOCKET_H
#define CODEC_WEBSOCKET_H

#include <meshwork/base.h>

#include "base/buffer.h"
#include "base/utf8.h"

enum websocket_opcode { /* RFC 6455 §5.2; text and binary have the numbers of enum mw_frame */
    WEBSOCKET_CONTINUATION = 0x0,
    WEBSOCKET_TEXT = 0x1,
    WEBSOCKET_BINARY = 0x2,
    WEBSOCKET_CLOSE = 0x8,
    WEBSOCKET_PING = 0x9,
    WEBSOCKET_PONG = 0xA
};
enum { WEBSOCKET_RSV1 = 0x40 }; /* of a header's first byte: the message is compressed (RFC 7692 §6) */

enum websocket_code { /* RFC 6455 §7.4.1 and the IANA registry */
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_NO_CODE = 1005, /* said of a close frame without code; never on the wire */
    WEBSOCKET_BAD_DATA = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_SERVER_FAULT = 1011,
    WEBSOCKET_RESTARTING = 1012,
    WEBSOCKET_TRY_LATER = 1013
};

enum { WEBSOCKET_CONTROL_MAX = 125, WEBSOCKET_REASON_MAX = 123, WEBSOCKET_HEADER_MAX = 10 };

/* What all connections of one kind have in common; borrowed by their decoders, so it outlives them. */
struct websocket_limits {
    size_t message_bytes;  /* largest message, assembled; 0 means 1 MiB */
    size_t fragment_count; /* most frames of one message but for an empty last one; this many are good; 0: 1,024 */
    bool is_client;        /* the decoder reads what a server sends: unmasked */
};

enum websocket_event_kind {
    WEBSOCKET_EVENT_NONE, /* all bytes are used; feed more when they come */
    WEBSOCKET_EVENT_MESSAGE,
    WEBSOCKET_EVENT_PING,
    WEBSOCKET_EVENT_PONG,
    WEBSOCKET_EVENT_CLOSE, /* answer with a close frame, then close; what follows is swallowed */
    WEBSOCKET_EVENT_ERROR  /* send a close frame with code and reason, then close; likewise */
};

/* Which limit an error event reports, for the caller's counters. */
enum websocket_limit { WEBSOCKET_LIMIT_NONE, WEBSOCKET_LIMIT_MESSAGE_BYTES, WEBSOCKET_LIMIT_FRAGMENTS };

/* bytes is borrowed until the next call with the same decoder, or until the bytes that were fed are
 * overwritten, whichever comes first: a message that arrived in one piece lies where it was received. */
struct websocket_event {
    enum websocket_event_kind kind;
    enum websocket_opcode opcode; /* message: text or binary */
    bool is_compressed;           /* message: RSV1 was set; the text is then not yet checked for UTF-8 */
    uint16_t code;                /* close: the peer's code, 1005 if none; error: the code to send */
    enum websocket_limit limit;   /* error */
    const uint8_t *bytes;         /* payload; close: the reason text; never NULL */
    size_t byte_count;
    const char *reason;           /* error: a constant of at most 123 bytes, for the close frame; else NULL */
};

/* The caller's storage; the fields belong to websocket.c. */
struct websocket_decoder {
    const struct websocket_limits *limits;
    struct mw_buffer store;   /* the message so far, then the control frame so far */
    uint64_t remaining;       /* of the current frame's payload */
    size_t message_count;     /* bytes of the message so far, at the front of store */
    struct mw_utf8 utf8;      /* of the text so far */
    uint32_t fragment_count;  /* frames of the message so far; 0: none begun */
    uint8_t mask[4];          /* rotated: [0] is for the next byte */
    uint8_t header[14];
    uint8_t header_count;     /* bytes of header gathered */
    uint8_t state;            /* enum decoder_state in websocket.c */
    uint8_t message_opcode;
    bool message_is_compressed;
    bool allows_rsv1;         /* permessage-deflate was negotiated: set by the caller after init */
    bool is_store_lent;       /* the last event's bytes lie in store: empty it first thing */
};

/* Make ready for a connection's first frame. Allocates nothing.
 *
 * limits   borrowed until clear; may be changed between calls with websocket_decoder_limit
 * context  one thread at a time, as the whole of this file
 */
void websocket_decoder_init(struct websocket_decoder *d, const struct websocket_limits *limits);
void websocket_decoder_clear(struct websocket_decoder *d);
/* Go on with other limits (after a login, say). They hold for the message in progress too. */
void websocket_decoder_limit(struct websocket_decoder *d, const struct websocket_limits *limits);
/* Give back memory that only a next message would need: for connections that have gone quiet. An event's
 * bytes end with it. */
void websocket_decoder_trim(struct websocket_decoder *d);
/* Whether a message is under way (for the assembly deadline): begun and not yet an event. */
bool websocket_decoder_is_midway(const struct websocket_decoder *d);

/* Read received bytes up to the next event.
 *
 * bytes      unmasked in place; nothing of them is needed after the call but what an event points at
 * ret_event  always set
 * returns    how many bytes were used; all of them when the event is NONE. Call again with the rest until
 *            none is left
 *
 *     while (at < count) {
 *         at += websocket_decode(d, bytes + at, count - at, &event);
 *         ... a message may end with the last byte: look at event.kind every time
 *     }
 *
 * Faults are found as early as the bytes allow (text: at the first byte that no UTF-8 can have there);
 * lengths are compared with the limits before anything is added. Out of memory: an error event with 1011.
 */
size_t websocket_decode(struct websocket_decoder *d, uint8_t *bytes, size_t byte_count,
                        struct websocket_event *ret_event);

/* The road that nearly every message takes: one masked frame, whole, with its header at the first byte and no message under way.
 * No decoder is needed for it, and none of one is told.
 *
 * returns  bytes used, *ret_event a message or an error; 0: it is something else or not yet whole, nothing is set or changed, and a
 *          decoder is to be asked
 */
size_t websocket_decode_whole(const struct websocket_limits *limits, uint8_t *bytes, size_t byte_count,
                              struct websocket_event *ret_event);

/* Whether a close code may stand in a close frame: 1000–1003, 1007–1014, 3000–4999. */
bool websocket_is_code_valid(unsigned code);

/* ---- writing ------------------------------------------------------------------------------------------- */

/* Write the header of a whole, unmasked frame: what a server sends.
 *
 * returns  its bytes, 2 to 10
 */
static inline size_t websocket_header(uint8_t ret[WEBSOCKET_HEADER_MAX], enum websocket_opcode opcode,
                                      uint64_t payload_bytes)
{
    int i;

    ret[0] = (uint8_t)(0x80U | (unsigned)opcode);
    if (payload_bytes < 126) {
        ret[1] = (uint8_t)payload_bytes;
        return 2;
    }
    if (payload_bytes <= 0xffff) {
        ret[1] = 126;
        ret[2] = (uint8_t)(payload_bytes >> 8);
        ret[3] = (uint8_t)payload_bytes;
        return 4;
    }
    ret[1] = 127;
    for (i = 0; i < 8; i++)
        ret[2 + i] = (uint8_t)(payload_bytes >> (56 - 8 * i));
    return 10;
}

/* How long that header is. */
static inline size_t websocket_header_bytes(uint64_t payload_bytes)
{
    return payload_bytes < 126 ? 2 : payload_bytes <= 0xffff ? 4 : 10;
}

/* Append a whole frame. 0, -ENOMEM, -EMSGSIZE (the buffer as it was, but for its sticky error). */
int websocket_write(struct mw_buffer *out, enum websocket_opcode opcode, const void *bytes,
                    size_t byte_count);

/* Append a close frame.
 *
 * code    1005 or 0: an empty one
 * reason  UTF-8, may be NULL; cut to 123 bytes between two characters
 */
int websocket_write_close(struct mw_buffer *out, unsigned code, const char *reason);

/* Append a frame as a client sends it, masked: for tests, benchmarks and our own command line. */
int websocket_write_masked(struct mw_buffer *out, enum websocket_opcode opcode, bool is_final,
                           const uint8_t mask[4], const void *bytes, size_t byte_count);

#endif
