/* room: codec. Field lines of an opening handshake (F4): whatever they hold, it is accepted by the rules or
 * refused with a status, and the answer is one response head. The same bytes are also read as extension
 * offers.
 * Input: field lines, put behind a good request line and Host.
 * SPDX-License-Identifier: MIT */
#include "slices.h"
#include "codec/deflate.h"
#include "codec/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_offers(const char *bytes, size_t count)
{
    struct http_text rest = {bytes, count};
    struct handshake_offer offer;
    size_t left = count, i;
    int got;

    while ((got = handshake_next_offer(&rest, &offer)) > 0) {
        PROMISE(rest.count < left);
        PROMISE(rest.bytes + rest.count == bytes + count);
        left = rest.count;
        PROMISE(http_is_token(offer.name) && offer.param_count <= HANDSHAKE_PARAMS_MAX);
        for (i = 0; i < offer.param_count; i++) {
            PROMISE(http_is_token(offer.params[i].name));
            PROMISE(!offer.params[i].value.bytes || http_is_token(offer.params[i].value));
        }
    }
}

/* What is agreed on is within what was asked for, and its answer is itself an offer that gives the same terms. */
static void check_agreement(const struct http_request *request)
{
    static const struct deflate_options options[] = {{12, false}, {15, true}, {9, true}};
    char answer[DEFLATE_ANSWER_BYTES], again[DEFLATE_ANSWER_BYTES];
    struct deflate_terms terms, same;
    struct http_field field = {{"sec-websocket-extensions", 24}, {answer, 0}};
    struct http_request echo = {.fields = &field, .field_count = 1};
    size_t i;

    for (i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (!deflate_agree(request, &options[i], &terms, answer))
            continue;
        PROMISE(terms.server_bits >= 8 && terms.server_bits <= options[i].window_bits);
        PROMISE(terms.client_bits >= 8 && terms.client_bits <= 15);
        PROMISE(options[i].keeps_context || !(terms.server_keeps_context || terms.client_keeps_context));
        field.value.count = strlen(answer);
        PROMISE(deflate_agree(&echo, &options[i], &same, again));
        PROMISE(strcmp(answer, again) == 0 && memcmp(&terms, &same, sizeof terms) == 0);
    }
}

static void check_handshake(const struct http_request *request)
{
    static const char *const supported[] = {HANDSHAKE_PROTOCOL_V1};
    const char *reason = NULL;
    struct handshake h;
    struct mw_buffer out;
    size_t i, ends = 0;
    int status = handshake_check(request, supported, 1, &h, &reason);

    if (status != 0) {
        PROMISE((status == 400 || status == 426) && reason != NULL);
        return;
    }
    PROMISE(handshake_is_wanted(request));
    check_agreement(request);
    PROMISE(request->method == HTTP_METHOD_GET && request->minor_version == 1);
    PROMISE(http_text_is(http_value(request, "sec-websocket-version"), "13"));
    PROMISE(http_value(request, "sec-websocket-key").count == 24);
    PROMISE(strlen(h.accept) == HANDSHAKE_ACCEPT_BYTES - 1);
    mw_buffer_init(&out, 1000);
    PROMISE(handshake_write(&out, &h, NULL, NULL) == 0);
    for (i = 0; i + 4 <= out.count; i++)
        ends += memcmp(out.data + i, "\r\n\r\n", 4) == 0;
    PROMISE(ends == 1 && memcmp(out.data + out.count - 4, "\r\n\r\n", 4) == 0);
    mw_buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char front[] = "GET / HTTP/1.1\r\nHost: x\r\n", back[] = "\r\n\r\n";
    char *exact = malloc(size + 1);
    struct http_parser p;
    struct mw_buffer wire;
    enum http_event event;
    size_t at = 0;

    PROMISE(exact != NULL);
    if (size > 0)
        memcpy(exact, data, size);
    check_offers(exact, size);
    free(exact);
    mw_buffer_init(&wire, 1 << 20);
    mw_buffer_append(&wire, front, sizeof front - 1);
    mw_buffer_append(&wire, data, size);
    mw_buffer_append(&wire, back, sizeof back - 1);
    if (!wire.error) {
        http_parser_init(&p, NULL);
        do
            at += http_parse(&p, wire.data + at, wire.count - at, &event);
        while (event == HTTP_EVENT_HEAD);
        if (event == HTTP_EVENT_DONE)
            check_handshake(&p.request);
        http_parser_clear(&p);
    }
    mw_buffer_clear(&wire);
    return 0;
}
