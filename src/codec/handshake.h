/* The server's side of the WebSocket opening handshake (RFC 6455 §4.2): a parsed request in, a 101 out.
 * Not who may connect: Origin and Host are judged in edge/. Read next: handshake.c.
 * SPDX-License-Identifier: MIT */
#ifndef CODEC_HANDSHAKE_H
#define CODEC_HANDSHAKE_H

#include "codec/http.h"

#define HANDSHAKE_PROTOCOL_V1 "meshwork.v1"
enum { HANDSHAKE_ACCEPT_BYTES = 29, HANDSHAKE_OFFERS_MAX = 16, HANDSHAKE_PARAMS_MAX = 16 };

struct handshake {
    char accept[HANDSHAKE_ACCEPT_BYTES]; /* Sec-WebSocket-Accept, terminated */
    const char *protocol;                /* the one of `supported` that was chosen; NULL: none */
    bool has_protocol_offer;             /* the client named sub-protocols */
    size_t extension_count;              /* offers, all well-formed; handshake_next_offer reads them */
};

/* Whether a request asks for a WebSocket, well or badly: Upgrade names it or a Sec-WebSocket-Key is there.
 * Such a request gets a 101 or an error, never a page. */
bool handshake_is_wanted(const struct http_request *request);

/* Judge the request of one who wants a WebSocket.
 *
 * supported   sub-protocols in the server's order of preference, borrowed by ret; names compare with case
 * ret         filled on success only
 * ret_reason  a constant text, on failure only; may be NULL
 * returns     0, or the HTTP status to refuse with: 400, 426 (the version is not 13), 500 (libcrypto failed)
 */
int handshake_check(const struct http_request *request, const char *const *supported, size_t supported_count,
                    struct handshake *ret, const char **ret_reason);

/* Append the 101 response.
 *
 * date       as http_write_status
 * extension  value for Sec-WebSocket-Extensions; NULL: none was agreed on
 * returns    0, -ENOMEM, -EMSGSIZE
 */
int handshake_write(struct mw_buffer *out, const struct handshake *h, const char *date,
                    const char *extension);

/* ---- extension offers, for whoever negotiates them ----------------------------------------------------- */

struct handshake_param {
    struct http_text name;
    struct http_text value; /* without quotes; bytes NULL: there is none */
};
struct handshake_offer {
    struct http_text name;
    size_t param_count;
    struct handshake_param params[HANDSHAKE_PARAMS_MAX];
};

/* Take the next offer off the front of a Sec-WebSocket-Extensions value.
 *
 * returns  1 an offer, 0 none left, -EPROTO malformed, -EMSGSIZE too many parameters
 */
int handshake_next_offer(struct http_text *io, struct handshake_offer *ret);

/* The accept value for a key. key  24 characters; returns 0, -EIO libcrypto failed */
int handshake_accept(const char *key, char ret[HANDSHAKE_ACCEPT_BYTES]);

#endif
