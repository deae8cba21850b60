/* The opening handshake: the vectors in slices, the key of the RFC, the answer, extension offers.
 * SPDX-License-Identifier: MIT */
#include "codec/handshake.h"

#include "vectors.h"

static const char *const supported[] = {"meshwork.v1", "second"};

/* ---- vectors ------------------------------------------------------------------------------------------- */

static struct http_parser vector_parser;
static bool is_judged;

static void vector_begin(const struct vector *v)
{
    (void)v;
    http_parser_init(&vector_parser, NULL);
    is_judged = false;
}

static void judge(const struct http_request *request, struct mw_buffer *out)
{
    struct handshake h;
    const char *reason = NULL;
    int status;

    is_judged = true;
    if (!handshake_is_wanted(request)) {
        mw_buffer_append_text(out, "not wanted\n");
        return;
    }
    status = handshake_check(request, supported, MW_COUNT(supported), &h, &reason);
    if (status != 0) {
        mw_buffer_printf(out, "refused %d %s\n", status, reason);
        return;
    }
    mw_buffer_printf(out, "accept %s\n", h.accept);
    if (h.protocol)
        mw_buffer_printf(out, "protocol %s\n", h.protocol);
    else
        mw_buffer_append_text(out, h.has_protocol_offer ? "no protocol of those offered\n" : "no protocol\n");
    mw_buffer_printf(out, "extensions %zu\n", h.extension_count);
}

static void vector_feed(uint8_t *bytes, size_t byte_count, struct mw_buffer *out)
{
    enum http_event event = HTTP_EVENT_MORE;
    size_t at = 0;

    while (at < byte_count && !is_judged) {
        at += http_parse(&vector_parser, bytes + at, byte_count - at, &event);
        if (event == HTTP_EVENT_FAILED) {
            mw_buffer_printf(out, "failed %d %s\n", vector_parser.failure.status,
                             vector_parser.failure.reason);
            is_judged = true;
        } else if (event == HTTP_EVENT_DONE) {
            judge(&vector_parser.request, out);
        }
    }
}

static void vector_end(struct mw_buffer *out)
{
    if (!is_judged)
        mw_buffer_append_text(out, "midway\n");
    http_parser_clear(&vector_parser);
}

static const struct vector_subject subject = {"handshake", NULL, vector_begin, vector_feed, vector_end};

static void every_vector_is_accepted_or_refused(void)
{
    CHECK(vectors_run(&subject, VECTOR_SEEDS) >= 40);
}

/* ---- the rest ------------------------------------------------------------------------------------------ */

static void the_key_of_the_rfc_gives_its_accept(void)
{
    char accept[HANDSHAKE_ACCEPT_BYTES];

    CHECK_INT(handshake_accept("dGhlIHNhbXBsZSBub25jZQ==", accept), 0);
    CHECK_TEXT(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455 §1.3 */
}

static void the_answer_is_a_101(void)
{
    struct handshake h = {.accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", .protocol = "meshwork.v1"};
    struct mw_buffer out;

    mw_buffer_init(&out, 1000);
    CHECK_INT(handshake_write(&out, &h, NULL, "permessage-deflate"), 0);
    mw_buffer_append(&out, "", 1);
    CHECK_TEXT((const char *)out.data,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
               "Sec-WebSocket-Protocol: meshwork.v1\r\n"
               "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    mw_buffer_clear(&out);
}

static void an_answer_that_does_not_fit_is_an_error(void)
{
    struct handshake h = {.accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="};
    struct mw_buffer out;
    int64_t n;
    int err = -ENOMEM;

    mw_buffer_init(&out, 60);
    CHECK_INT(handshake_write(&out, &h, NULL, NULL), -EMSGSIZE);
    mw_buffer_clear(&out);
    mw_buffer_init(&out, 1000);
    for (n = 1; err == -ENOMEM; n++) {
        mw_memory_fail_at(n, false);
        err = handshake_write(&out, &h, NULL, NULL);
        mw_memory_fail_at(0, false);
        mw_buffer_clear(&out);
    }
    CHECK_INT(err, 0);
    CHECK(n > 2);
}

static struct http_text text_of(const char *c_string)
{
    return (struct http_text){c_string, strlen(c_string)};
}

static void offers_are_read_in_order(void)
{
    struct http_text rest =
        text_of(" permessage-deflate ; client_max_window_bits=\"10\"; server_no_context_takeover ,, x-b");
    struct handshake_offer offer;

    CHECK_INT(handshake_next_offer(&rest, &offer), 1);
    CHECK(http_text_is(offer.name, "permessage-deflate"));
    CHECK_INT(offer.param_count, 2);
    CHECK(http_text_is(offer.params[0].name, "client_max_window_bits"));
    CHECK(http_text_is(offer.params[0].value, "10"));
    CHECK(http_text_is(offer.params[1].name, "server_no_context_takeover"));
    CHECK(offer.params[1].value.bytes == NULL);
    CHECK_INT(handshake_next_offer(&rest, &offer), 1);
    CHECK(http_text_is(offer.name, "x-b"));
    CHECK_INT(offer.param_count, 0);
    CHECK_INT(handshake_next_offer(&rest, &offer), 0);
}

static void too_many_parameters_are_refused(void)
{
    struct handshake_offer offer;
    struct http_text rest = text_of("a;1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16");

    CHECK_INT(handshake_next_offer(&rest, &offer), 1);
    CHECK_INT(offer.param_count, HANDSHAKE_PARAMS_MAX);
    rest = text_of("a;1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17");
    CHECK_INT(handshake_next_offer(&rest, &offer), -EMSGSIZE);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(every_vector_is_accepted_or_refused),
        TEST(the_key_of_the_rfc_gives_its_accept),
        TEST(the_answer_is_a_101),
        TEST(an_answer_that_does_not_fit_is_an_error),
        TEST(offers_are_read_in_order),
        TEST(too_many_parameters_are_refused),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
