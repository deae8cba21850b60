/* The opening handshake judged and answered (RFC 6455 §4.2, §9.1). Whoever wants a WebSocket and asks for it
 * badly is told so; nothing is repaired. Read next: websocket.c.
 * SPDX-License-Identifier: MIT */
#include "codec/handshake.h"

#define OPENSSL_SUPPRESS_DEPRECATED /* SHA1_Init and what follows: SHA1 itself looks for who can do it each time, three times as long */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#include "codec/http_priv.h"

enum { KEY_BYTES = 24 }; /* base64 of 16 */

static int refuse(const char **ret_reason, int status, const char *reason)
{
    if (ret_reason)
        *ret_reason = reason;
    return status;
}

bool handshake_is_wanted(const struct http_request *request)
{
    return http_has_token(request, "Upgrade", "websocket") || http_find(request, "Sec-WebSocket-Key", NULL);
}

/* ---- key ----------------------------------------------------------------------------------------------- */

int handshake_accept(const char *key, char ret[HANDSHAKE_ACCEPT_BYTES])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 §1.3 */
    uint8_t digest[SHA_DIGEST_LENGTH];
    SHA_CTX sha;

    if (!SHA1_Init(&sha) || !SHA1_Update(&sha, key, KEY_BYTES) || !SHA1_Update(&sha, guid, sizeof guid - 1) ||
        !SHA1_Final(digest, &sha))
        return -EIO; /* a libcrypto that refuses SHA-1 */
    (void)EVP_EncodeBlock((uint8_t *)ret, digest, sizeof digest); /* 28 characters and a terminator */
    return 0;
}

static bool is_key(struct http_text text)
{
    size_t i;

    if (text.count != KEY_BYTES || text.bytes[KEY_BYTES - 2] != '=' || text.bytes[KEY_BYTES - 1] != '=')
        return false;
    for (i = 0; i < KEY_BYTES - 2; i++) {
        uint8_t byte = (uint8_t)text.bytes[i];

        if (!http_is_digit(byte) && !http_is_alpha(byte) && byte != '+' && byte != '/')
            return false;
    }
    return true;
}

/* ---- sub-protocols ------------------------------------------------------------------------------------- */

/* Gather the offers of all Sec-WebSocket-Protocol lines.
 *
 * returns  how many; -EPROTO malformed, named twice or too many
 */
static int read_protocols(const struct http_request *request, struct http_text offers[HANDSHAKE_OFFERS_MAX])
{
    const struct http_field *field = NULL;
    int count = 0, i;

    while ((field = http_find(request, "Sec-WebSocket-Protocol", field)) != NULL) {
        struct http_text rest = field->value, offer;
        int before = count;

        while (http_next_element(&rest, &offer)) {
            if (count == HANDSHAKE_OFFERS_MAX || !http_is_token(offer))
                return -EPROTO;
            for (i = 0; i < count; i++) {
                if (offers[i].count == offer.count && memcmp(offers[i].bytes, offer.bytes, offer.count) == 0)
                    return -EPROTO;
            }
            offers[count++] = offer;
        }
        if (count == before)
            return -EPROTO; /* the field is there and says nothing */
    }
    return count;
}

static const char *choose_protocol(const struct http_text *offers, int offer_count,
                                   const char *const *supported, size_t supported_count)
{
    size_t s;
    int i;

    for (s = 0; s < supported_count; s++) {
        for (i = 0; i < offer_count; i++) {
            if (offers[i].count == strlen(supported[s]) &&
                memcmp(offers[i].bytes, supported[s], offers[i].count) == 0)
                return supported[s];
        }
    }
    return NULL;
}

/* ---- extension offers ---------------------------------------------------------------------------------- */

static void skip_space(struct http_text *io)
{
    while (io->count > 0 && (io->bytes[0] == ' ' || io->bytes[0] == '\t')) {
        io->bytes++;
        io->count--;
    }
}

static bool take_byte(struct http_text *io, char byte)
{
    if (io->count == 0 || io->bytes[0] != byte)
        return false;
    io->bytes++;
    io->count--;
    return true;
}

static bool take_token(struct http_text *io, struct http_text *ret)
{
    *ret = (struct http_text){io->bytes, 0};
    while (io->count > 0 && http_is_token_byte((uint8_t)io->bytes[0])) {
        io->bytes++;
        io->count--;
        ret->count++;
    }
    return ret->count > 0;
}

/* A parameter's value: a token, or a token in quotes. Quoted pairs are refused: no token needs one. */
static bool take_value(struct http_text *io, struct http_text *ret)
{
    bool is_quoted = take_byte(io, '"');

    return take_token(io, ret) && (!is_quoted || take_byte(io, '"'));
}

/* "; name", "; name=value", behind the semicolon. */
static bool take_param(struct http_text *io, struct handshake_param *ret)
{
    ret->value = (struct http_text){0};
    skip_space(io);
    if (!take_token(io, &ret->name))
        return false;
    skip_space(io);
    if (take_byte(io, '=')) {
        skip_space(io);
        if (!take_value(io, &ret->value))
            return false;
        skip_space(io);
    }
    return true;
}

int handshake_next_offer(struct http_text *io, struct handshake_offer *ret)
{
    ret->param_count = 0;
    do {
        skip_space(io);
    } while (take_byte(io, ',')); /* empty elements are passed over (RFC 9110 §5.6.1) */
    if (io->count == 0)
        return 0;
    if (!take_token(io, &ret->name))
        return -EPROTO;
    skip_space(io);
    while (take_byte(io, ';')) {
        if (ret->param_count == HANDSHAKE_PARAMS_MAX)
            return -EMSGSIZE;
        if (!take_param(io, &ret->params[ret->param_count++]))
            return -EPROTO;
    }
    return io->count == 0 || take_byte(io, ',') ? 1 : -EPROTO;
}

/* Count the offers of all Sec-WebSocket-Extensions lines; -EPROTO malformed or too many. */
static int count_extensions(const struct http_request *request)
{
    const struct http_field *field = NULL;
    struct handshake_offer offer;
    int count = 0, got;

    while ((field = http_find(request, "Sec-WebSocket-Extensions", field)) != NULL) {
        struct http_text rest = field->value;
        int before = count;

        while ((got = handshake_next_offer(&rest, &offer)) > 0) {
            if (++count > HANDSHAKE_OFFERS_MAX)
                return -EPROTO;
        }
        if (got < 0 || count == before)
            return -EPROTO;
    }
    return count;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

/* What must hold of the request itself (RFC 6455 §4.2.1, 1 to 4). NULL, or what is wrong. */
static const char *request_fault(const struct http_request *request)
{
    if (request->method != HTTP_METHOD_GET)
        return "a WebSocket is asked for with GET";
    if (request->minor_version < 1)
        return "a WebSocket is asked for with HTTP/1.1";
    if (!http_has_token(request, "Upgrade", "websocket"))
        return "Upgrade does not name websocket";
    if (!http_has_token(request, "Connection", "Upgrade"))
        return "Connection does not name Upgrade";
    if (request->is_chunked || request->content_length > 0)
        return "an upgrade has no body";
    return NULL;
}

int handshake_check(const struct http_request *request, const char *const *supported, size_t supported_count,
                    struct handshake *ret, const char **ret_reason)
{
    const char *fault = request_fault(request);
    struct http_text key = http_value(request, "Sec-WebSocket-Key"), offers[HANDSHAKE_OFFERS_MAX];
    const struct http_field *version = http_find(request, "Sec-WebSocket-Version", NULL);
    int protocol_count, extension_count;

    if (fault)
        return refuse(ret_reason, 400, fault);
    if (version && http_find(request, "Sec-WebSocket-Version", version))
        return refuse(ret_reason, 400, "more than one Sec-WebSocket-Version");
    if (!version || !http_text_is(version->value, "13"))
        return refuse(ret_reason, 426, "Sec-WebSocket-Version is not 13");
    if (!is_key(key))
        return refuse(ret_reason, 400, "Sec-WebSocket-Key is not one key of 16 bytes");
    protocol_count = read_protocols(request, offers);
    if (protocol_count < 0)
        return refuse(ret_reason, 400, "malformed Sec-WebSocket-Protocol");
    extension_count = count_extensions(request);
    if (extension_count < 0)
        return refuse(ret_reason, 400, "malformed Sec-WebSocket-Extensions");
    if (handshake_accept(key.bytes, ret->accept) < 0)
        return refuse(ret_reason, 500, "libcrypto has no SHA-1");
    ret->protocol = choose_protocol(offers, protocol_count, supported, supported_count);
    ret->has_protocol_offer = protocol_count > 0;
    ret->extension_count = (size_t)extension_count;
    return 0;
}

int handshake_write(struct mw_buffer *out, const struct handshake *h, const char *date, const char *extension)
{
    static const char fields[] = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";

    http_write_status(out, 101, date);
    (void)mw_buffer_append(out, fields, sizeof fields - 1); /* errors stick */
    (void)mw_buffer_append(out, h->accept, sizeof h->accept - 1);
    (void)mw_buffer_append(out, "\r\n", 2);
    if (h->protocol)
        http_write_field(out, "Sec-WebSocket-Protocol", h->protocol);
    if (extension)
        http_write_field(out, "Sec-WebSocket-Extensions", extension);
    http_write_end(out);
    return out->error;
}
