/* permessage-deflate (RFC 7692): what is agreed on, messages made smaller and large again; and gzip for whole files.
 * Not frames, those are websocket.h; not who wants what compressed, that is edge/. Read next: deflate.c, deflate_offer.c.
 * SPDX-License-Identifier: MIT */
#ifndef CODEC_DEFLATE_H
#define CODEC_DEFLATE_H

#include "base/buffer.h"
#include "codec/http.h"

enum {
    DEFLATE_BITS_LEAST = 8, /* windows of 256 bytes to 32 KiB (RFC 7692 §7.1.2) */
    DEFLATE_BITS_MOST = 15,
    DEFLATE_ANSWER_BYTES = 160
};

/* ---- what is agreed on ------------------------------------------------------------------------------------ */

/* What a server is ready for. */
struct deflate_options {
    uint8_t window_bits; /* 8 to 15: the largest window that we ask for, in either direction */
    bool keeps_context;  /* a message may refer to those before it; where the client wants that too */
};

/* What both sides keep to. */
struct deflate_terms {
    uint8_t server_bits, client_bits; /* 8 to 15: of what each sends */
    bool server_keeps_context, client_keeps_context;
};

/* Take the first offer of permessage-deflate that can be met. An offer with a parameter that is unknown, repeated or out
 * of its range is declined (RFC 7692 §7.1), not an error.
 *
 * request     its Sec-WebSocket-Extensions are well-formed: handshake_check has seen them
 * ret_answer  the value for the 101's Sec-WebSocket-Extensions, terminated
 * returns     true; false: there is none, and nothing is set
 * context     any thread, as the whole of this file; one stream belongs to one thread at a time
 */
bool deflate_agree(const struct http_request *request, const struct deflate_options *options,
                   struct deflate_terms *ret, char ret_answer[DEFLATE_ANSWER_BYTES]);

/* ---- messages --------------------------------------------------------------------------------------------- */

/* Makes messages smaller: about 56 KiB with 12 bits. */
struct deflater;
/* bits  8 to 15; with 8 messages over 256 bytes are never made smaller: zlib has no such window
 * returns 0, -ENOMEM; deflater_free */
int deflater_new(unsigned bits, bool keeps_context, struct deflater **ret);
void deflater_free(struct deflater *d); /* accepts NULL */
/* Compress one message.
 *
 * out      emptied first; the payload of a frame with RSV1; its limit is the most that is useful, at least byte_count - 1
 * returns  1: out is smaller than the message; 0: it would not be, or memory ran out: send the message as it is. Nothing
 *          later refers to it then
 */
int deflater_write(struct deflater *d, const void *bytes, size_t byte_count, struct mw_buffer *out);

/* Makes messages large again: about 40 KiB with 15 bits once used. */
struct inflater;
/* bits     8 to 15: the window that the sender keeps to; a larger one does no harm
 * returns  0, -ENOMEM; inflater_free */
int inflater_new(unsigned bits, bool keeps_context, struct inflater **ret);
void inflater_free(struct inflater *f); /* accepts NULL */

struct inflate_limits {
    size_t message_bytes; /* the most that may come out, inclusive */
    size_t ratio;         /* so many times the bytes that went in, but never less than DEFLATE_RATIO_FROM bytes */
};
enum { DEFLATE_RATIO_FROM = 64 * 1024 };
enum inflate_result {
    INFLATE_DONE,
    INFLATE_BROKEN,    /* no deflate data, or its end is missing */
    INFLATE_TOO_BIG,   /* more than message_bytes */
    INFLATE_TOO_DENSE, /* more than the ratio */
    INFLATE_NO_MEMORY
};
/* Inflate one whole message. It stops as soon as a limit is passed: no more than message_bytes and a step is ever held.
 *
 * bytes  the payloads of the message's frames, without the 00 00 ff ff that the sender has taken off
 * out    emptied first; the message, when DONE; after any other result the stream is of no more use
 */
enum inflate_result inflater_read(struct inflater *f, const void *bytes, size_t byte_count,
                                  const struct inflate_limits *limits, struct mw_buffer *out);

/* ---- files ------------------------------------------------------------------------------------------------ */

/* Compress as one gzip member (RFC 1952), without a name and a time: the same bytes give the same.
 *
 * out      appended to; its limit is the most that is useful
 * returns  0, -EMSGSIZE it would be larger than that, -ENOMEM
 */
int gzip_write(const void *bytes, size_t byte_count, struct mw_buffer *out);

#endif
