/* The negotiation of permessage-deflate: offers judged, the first that can be met taken, the answer written
 * (RFC 7692 §5, §7.1).
 * Not the grammar of offers; that is handshake.c. Read next: deflate.c.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "codec/deflate.h"
#include "codec/handshake.h"

/* One offer, read. Bits: 0 not said; client_bits 15 where it is said without a value. */
struct offered {
    unsigned server_bits, client_bits;
    bool server_drops_context, client_drops_context;
};

/* 8 to 15, without leading zeros; 0: it is none. */
static unsigned read_bits(struct http_text text)
{
    unsigned bits = 0;
    size_t i;

    if (text.count == 0 || text.count > 2 || text.bytes[0] == '0')
        return 0;
    for (i = 0; i < text.count; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return 0;
        bits = bits * 10 + (unsigned)(text.bytes[i] - '0');
    }
    return bits >= DEFLATE_BITS_LEAST && bits <= DEFLATE_BITS_MOST ? bits : 0;
}

/* A parameter without value, said once. */
static bool take_word(const struct handshake_param *param, bool *io_is_said)
{
    if (*io_is_said || param->value.bytes)
        return false;
    *io_is_said = true;
    return true;
}

static bool take_bits(const struct handshake_param *param, unsigned *io_bits)
{
    if (*io_bits != 0)
        return false;
    *io_bits = read_bits(param->value);
    return *io_bits != 0;
}

static bool read_param(const struct handshake_param *param, struct offered *io)
{
    if (http_text_is(param->name, "server_no_context_takeover"))
        return take_word(param, &io->server_drops_context);
    if (http_text_is(param->name, "client_no_context_takeover"))
        return take_word(param, &io->client_drops_context);
    if (http_text_is(param->name, "server_max_window_bits"))
        return take_bits(param, &io->server_bits);
    if (!http_text_is(param->name, "client_max_window_bits"))
        return false;
    if (param->value.bytes)
        return take_bits(param, &io->client_bits);
    if (io->client_bits != 0)
        return false;
    io->client_bits = DEFLATE_BITS_MOST;
    return true;
}

static bool read_offer(const struct handshake_offer *offer, struct offered *ret)
{
    size_t i;

    *ret = (struct offered){0};
    if (!http_text_is(offer->name, "permessage-deflate"))
        return false;
    for (i = 0; i < offer->param_count; i++)
        if (!read_param(&offer->params[i], ret))
            return false;
    return true;
}

static unsigned lesser(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* What holds. A client that says nothing of its window may use any, and is told of none (§7.1.2.2). */
static void settle(const struct offered *offered, const struct deflate_options *options, struct deflate_terms *ret)
{
    unsigned server_bits = offered->server_bits ? offered->server_bits : DEFLATE_BITS_MOST;

    *ret = (struct deflate_terms){
        .server_bits = (uint8_t)lesser(server_bits, options->window_bits),
        .client_bits = (uint8_t)(offered->client_bits ? lesser(offered->client_bits, options->window_bits)
                                                      : (unsigned)DEFLATE_BITS_MOST),
        .server_keeps_context = options->keeps_context && !offered->server_drops_context,
        .client_keeps_context = options->keeps_context && !offered->client_drops_context,
    };
}

static void write_answer(const struct offered *offered, const struct deflate_terms *terms, char ret[DEFLATE_ANSWER_BYTES])
{
    char server[32] = "", client[32] = "";

    if (offered->server_bits || terms->server_bits < DEFLATE_BITS_MOST)
        (void)snprintf(server, sizeof server, "; server_max_window_bits=%d", terms->server_bits);
    if (offered->client_bits)
        (void)snprintf(client, sizeof client, "; client_max_window_bits=%d", terms->client_bits);
    (void)snprintf(ret, DEFLATE_ANSWER_BYTES, "permessage-deflate%s%s%s%s",
                   terms->server_keeps_context ? "" : "; server_no_context_takeover",
                   terms->client_keeps_context ? "" : "; client_no_context_takeover", server, client);
}

bool deflate_agree(const struct http_request *request, const struct deflate_options *options,
                   struct deflate_terms *ret, char ret_answer[DEFLATE_ANSWER_BYTES])
{
    const struct http_field *field = NULL;
    struct handshake_offer offer;
    struct offered offered;

    while ((field = http_find(request, "sec-websocket-extensions", field)) != NULL) {
        struct http_text rest = field->value;

        while (handshake_next_offer(&rest, &offer) > 0) {
            if (!read_offer(&offer, &offered))
                continue;
            settle(&offered, options, ret);
            write_answer(&offered, ret, ret_answer);
            return true;
        }
    }
    return false;
}
