/* permessage-deflate: the vectors, what is agreed on, round trips with and without context, and gzip.
 * SPDX-License-Identifier: MIT */
#include "codec/deflate.h"

#include <zlib.h>

#include "vectors.h"

/* ---- vectors ------------------------------------------------------------------------------------------- */
static const char *const result_names[] = {[INFLATE_DONE] = "done",           [INFLATE_BROKEN] = "broken",
                                           [INFLATE_TOO_BIG] = "too big",     [INFLATE_TOO_DENSE] = "too dense",
                                           [INFLATE_NO_MEMORY] = "no memory"};
static struct mw_buffer payload;
static struct inflate_limits vector_limits;

static void vector_begin(const struct vector *v)
{
    mw_buffer_init(&payload, 1 << 20);
    vector_limits = (struct inflate_limits){(size_t)vector_setting(v, "message_bytes", 1 << 20),
                                            (size_t)vector_setting(v, "ratio", 1032)};
}

static void vector_feed(uint8_t *bytes, size_t byte_count, struct mw_buffer *out)
{
    (void)out;
    CHECK_INT(mw_buffer_append(&payload, bytes, byte_count), 0);
}

static void vector_end(struct mw_buffer *out)
{
    struct inflater *f;
    struct mw_buffer message;
    enum inflate_result result;

    mw_buffer_init(&message, 0);
    CHECK_INT(inflater_new(DEFLATE_BITS_MOST, false, &f), 0);
    result = inflater_read(f, payload.data, payload.count, &vector_limits, &message);
    CHECK(message.count <= vector_limits.message_bytes + 1 && message.capacity <= vector_limits.message_bytes + 1);
    mw_buffer_append_text(out, result_names[result]);
    if (result == INFLATE_DONE) {
        mw_buffer_append_text(out, " ");
        vector_show(out, message.data, message.count);
    }
    mw_buffer_append_text(out, "\n");
    mw_buffer_clear(&message);
    mw_buffer_clear(&payload);
    inflater_free(f);
}

static const struct vector_subject subject = {"deflate", NULL, vector_begin, vector_feed, vector_end};

static void every_vector_is_inflated_or_refused(void)
{
    CHECK(vectors_run(&subject, 1) >= 24);
}

/* ---- what is agreed on ----------------------------------------------------------------------------------- */
static bool agree(const char *fields, const struct deflate_options *options, struct deflate_terms *ret,
                  char answer[DEFLATE_ANSWER_BYTES])
{
    struct http_parser p;
    struct mw_buffer wire;
    enum http_event event = HTTP_EVENT_MORE;
    bool is_agreed;

    mw_buffer_init(&wire, 8192);
    mw_buffer_printf(&wire, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", fields);
    http_parser_init(&p, NULL);
    CHECK_INT(http_parse(&p, wire.data, wire.count, &event), wire.count);
    CHECK_INT(event, HTTP_EVENT_DONE);
    is_agreed = deflate_agree(&p.request, options, ret, answer);
    http_parser_clear(&p);
    mw_buffer_clear(&wire);
    return is_agreed;
}

#define EXTENSIONS "Sec-WebSocket-Extensions: "
#define PMD "permessage-deflate"
#define NO_CONTEXT "; server_no_context_takeover; client_no_context_takeover"

static const struct {
    const char *offers, *answer; /* NULL: none is agreed on */
} agreements[] = {
    /* ours: no context, windows of 12 bits */
    {PMD, PMD NO_CONTEXT "; server_max_window_bits=12"},
    {PMD "; client_max_window_bits", PMD NO_CONTEXT "; server_max_window_bits=12; client_max_window_bits=12"},
    {PMD "; client_max_window_bits=15", PMD NO_CONTEXT "; server_max_window_bits=12; client_max_window_bits=12"},
    {PMD "; client_max_window_bits=9", PMD NO_CONTEXT "; server_max_window_bits=12; client_max_window_bits=9"},
    {PMD "; server_max_window_bits=15", PMD NO_CONTEXT "; server_max_window_bits=12"},
    {PMD "; server_max_window_bits=8", PMD NO_CONTEXT "; server_max_window_bits=8"},
    {PMD "; server_max_window_bits=\"10\"", PMD NO_CONTEXT "; server_max_window_bits=10"},
    {PMD "; server_no_context_takeover; client_no_context_takeover", PMD NO_CONTEXT "; server_max_window_bits=12"},
    {"Permessage-Deflate", PMD NO_CONTEXT "; server_max_window_bits=12"},
    /* others are passed over, the first that can be met is taken */
    {"x-webkit-deflate-frame, " PMD, PMD NO_CONTEXT "; server_max_window_bits=12"},
    {PMD "; unknown, " PMD "; server_max_window_bits=10, " PMD, PMD NO_CONTEXT "; server_max_window_bits=10"},
    {"x\r\n" EXTENSIONS PMD, PMD NO_CONTEXT "; server_max_window_bits=12"},
    /* declined */
    {"x-webkit-deflate-frame", NULL},
    {"permessage-deflate2", NULL},
    {PMD "; unknown", NULL},
    {PMD "; server_no_context_takeover=1", NULL},
    {PMD "; client_no_context_takeover=\"true\"", NULL},
    {PMD "; server_no_context_takeover; server_no_context_takeover", NULL},
    {PMD "; client_no_context_takeover; client_no_context_takeover", NULL},
    {PMD "; server_max_window_bits", NULL},
    {PMD "; server_max_window_bits=7", NULL},
    {PMD "; server_max_window_bits=16", NULL},
    {PMD "; server_max_window_bits=08", NULL},
    {PMD "; server_max_window_bits=1", NULL},
    {PMD "; server_max_window_bits=100", NULL},
    {PMD "; server_max_window_bits=1a", NULL},
    {PMD "; server_max_window_bits=10; server_max_window_bits=10", NULL},
    {PMD "; client_max_window_bits=0", NULL},
    {PMD "; client_max_window_bits; client_max_window_bits", NULL},
    {PMD "; client_max_window_bits=10; client_max_window_bits", NULL},
    {PMD "; client_max_window_bits; client_max_window_bits=10", NULL},
};

static void the_first_offer_that_can_be_met_is_taken(void)
{
    const struct deflate_options ours = {.window_bits = 12};
    struct deflate_terms terms;
    char fields[512], answer[DEFLATE_ANSWER_BYTES];
    size_t i;

    for (i = 0; i < MW_COUNT(agreements); i++) {
        bool is_agreed;

        snprintf(fields, sizeof fields, EXTENSIONS "%s\r\n", agreements[i].offers);
        is_agreed = agree(fields, &ours, &terms, answer);
        if (is_agreed != (agreements[i].answer != NULL))
            CHECK_FAILED_("%s was %s\n", agreements[i].offers, is_agreed ? "taken" : "declined");
        if (is_agreed)
            CHECK_TEXT(answer, agreements[i].answer);
    }
    CHECK(!agree("", &ours, &terms, answer));
}

static void the_terms_are_what_the_answer_says(void)
{
    const struct deflate_options ours = {.window_bits = 12}, widest = {.window_bits = 15, .keeps_context = true};
    struct deflate_terms terms;
    char answer[DEFLATE_ANSWER_BYTES];

    CHECK(agree(EXTENSIONS PMD "; client_max_window_bits=10; server_max_window_bits=9\r\n", &ours, &terms, answer));
    CHECK_INT(terms.server_bits, 9);
    CHECK_INT(terms.client_bits, 10);
    CHECK(!terms.server_keeps_context && !terms.client_keeps_context);
    CHECK(agree(EXTENSIONS PMD "\r\n", &widest, &terms, answer));
    CHECK_TEXT(answer, PMD);
    CHECK_INT(terms.server_bits, 15);
    CHECK_INT(terms.client_bits, 15); /* it was not asked, so it may use any */
    CHECK(terms.server_keeps_context && terms.client_keeps_context);
    CHECK(agree(EXTENSIONS PMD "; server_no_context_takeover; client_max_window_bits\r\n", &widest, &terms, answer));
    CHECK_TEXT(answer, PMD "; server_no_context_takeover; client_max_window_bits=15");
    CHECK(!terms.server_keeps_context && terms.client_keeps_context);
    CHECK(agree(EXTENSIONS PMD "; client_no_context_takeover\r\n", &widest, &terms, answer));
    CHECK_TEXT(answer, PMD "; client_no_context_takeover");
    CHECK(terms.server_keeps_context && !terms.client_keeps_context);
}

/* ---- round trips ------------------------------------------------------------------------------------------ */
static const struct inflate_limits wide = {64U << 20, 1032};

/* Words, so that it shrinks; each call goes on where the last stopped. */
static void write_words(struct mw_buffer *out, size_t byte_count, uint32_t *io_random)
{
    static const char *const words[] = {"speed ", "target ", "{\"reading_c\":", "21.5,", "null]\n"};

    out->count = 0;
    while (out->count < byte_count)
        CHECK_INT(mw_buffer_append_text(out, words[vector_random(io_random) % MW_COUNT(words)]), 0);
    out->count = byte_count;
}

static void round_trip(unsigned bits, bool keeps_context)
{
    static const size_t counts[] = {5, 100, 256, 257, 1024, 5000, 70000, 3, 300000};
    struct mw_buffer message, small, large;
    struct deflater *d;
    struct inflater *f;
    uint32_t random = 7;
    size_t i;

    mw_buffer_init(&message, 1 << 20);
    mw_buffer_init(&small, 1 << 20);
    mw_buffer_init(&large, 0);
    CHECK_INT(deflater_new(bits, keeps_context, &d), 0);
    CHECK_INT(inflater_new(bits, keeps_context, &f), 0);
    for (i = 0; i < MW_COUNT(counts); i++) {
        bool is_smaller;

        write_words(&message, counts[i], &random);
        is_smaller = deflater_write(d, message.data, message.count, &small);
        CHECK(is_smaller == (counts[i] >= 100 && (bits > 8 || counts[i] <= 256)));
        if (!is_smaller)
            continue;
        CHECK(small.count < message.count);
        CHECK_INT(inflater_read(f, small.data, small.count, &wide, &large), INFLATE_DONE);
        CHECK_BYTES(large.data, large.count, message.data, message.count);
    }
    deflater_free(d);
    inflater_free(f);
    mw_buffer_clear(&message);
    mw_buffer_clear(&small);
    mw_buffer_clear(&large);
}

static void what_is_deflated_inflates_again_in_every_window(void)
{
    unsigned bits;

    for (bits = DEFLATE_BITS_LEAST; bits <= DEFLATE_BITS_MOST; bits++) {
        round_trip(bits, false);
        round_trip(bits, true);
    }
}

static void what_would_not_shrink_is_left_as_it_is(void)
{
    uint8_t noise[4096];
    struct mw_buffer small, large;
    struct deflater *d;
    struct inflater *f;
    uint32_t random = 1;
    size_t i;

    for (i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(vector_random(&random) >> 8);
    mw_buffer_init(&small, 1 << 20);
    mw_buffer_init(&large, 0);
    CHECK_INT(deflater_new(15, true, &d), 0);
    CHECK_INT(inflater_new(15, true, &f), 0);
    CHECK(!deflater_write(d, noise, sizeof noise, &small));
    CHECK(!deflater_write(d, "", 0, &small));
    /* The peer has never seen the noise: nothing may refer to it, though the stream keeps its context. */
    memcpy(noise + 2048, noise, 2048);
    CHECK(deflater_write(d, noise, sizeof noise, &small));
    CHECK(small.count > 2048);
    CHECK_INT(inflater_read(f, small.data, small.count, &wide, &large), INFLATE_DONE);
    CHECK_BYTES(large.data, large.count, noise, sizeof noise);
    CHECK(deflater_write(d, noise, sizeof noise, &small));
    CHECK(small.count < 100);
    CHECK_INT(inflater_read(f, small.data, small.count, &wide, &large), INFLATE_DONE);
    CHECK_BYTES(large.data, large.count, noise, sizeof noise);
    deflater_free(d);
    inflater_free(f);
    mw_buffer_clear(&small);
    mw_buffer_clear(&large);
}

static void with_context_a_message_refers_to_those_before_it(void)
{
    static const uint8_t first[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, again[] = {0xf2, 0x00, 0x11, 0x00, 0x00};
    struct mw_buffer large; /* RFC 7692 §7.2.3.2 */
    struct inflater *f;

    mw_buffer_init(&large, 0);
    CHECK_INT(inflater_new(15, true, &f), 0);
    CHECK_INT(inflater_read(f, first, sizeof first, &wide, &large), INFLATE_DONE);
    CHECK_BYTES(large.data, large.count, "Hello", 5);
    CHECK_INT(inflater_read(f, again, sizeof again, &wide, &large), INFLATE_DONE);
    CHECK_BYTES(large.data, large.count, "Hello", 5);
    inflater_free(f);
    mw_buffer_clear(&large);
}

static void without_context_a_broken_message_spoils_none_after_it(void)
{
    static const uint8_t good[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, bad[] = {0xf2, 0x48, 0xff, 0xff, 0xff};
    struct mw_buffer large;
    struct inflater *f;

    mw_buffer_init(&large, 0);
    CHECK_INT(inflater_new(15, false, &f), 0);
    CHECK_INT(inflater_read(f, bad, sizeof bad, &wide, &large), INFLATE_BROKEN);
    CHECK_INT(inflater_read(f, good, sizeof good, &wide, &large), INFLATE_DONE);
    CHECK_BYTES(large.data, large.count, "Hello", 5);
    inflater_free(f);
    mw_buffer_clear(&large);
}

static void each_allocation_may_fail(void)
{
    struct mw_buffer message, small, large;
    uint32_t random = 7;
    int64_t n;
    int passed = 0;

    mw_buffer_init(&message, 1 << 20);
    write_words(&message, 20000, &random);
    for (n = 1; passed == 0; n++) {
        struct deflater *d = NULL;
        struct inflater *f = NULL;
        int err;

        CHECK(n < 100);
        mw_buffer_init(&small, 1 << 20);
        mw_buffer_init(&large, 0);
        mw_memory_fail_at(n, true);
        err = deflater_new(12, false, &d);
        if (err == 0 && deflater_write(d, message.data, message.count, &small)) {
            err = inflater_new(12, false, &f);
            if (err == 0)
                passed = inflater_read(f, small.data, small.count, &wide, &large) == INFLATE_DONE;
        }
        mw_memory_fail_at(0, false);
        CHECK(err == 0 || err == -ENOMEM);
        deflater_free(d);
        inflater_free(f);
        mw_buffer_clear(&small);
        mw_buffer_clear(&large);
    }
    CHECK(n > 5);
    mw_buffer_clear(&message);
}

/* ---- gzip --------------------------------------------------------------------------------------------------- */
static void gzip_makes_a_member_that_others_can_read(void)
{
    struct mw_buffer message, small;
    uint8_t back[70000];
    z_stream z = {0};
    uint32_t random = 7;

    mw_buffer_init(&message, 1 << 20);
    mw_buffer_init(&small, 1 << 20);
    write_words(&message, sizeof back, &random);
    CHECK_INT(gzip_write(message.data, message.count, &small), 0);
    CHECK(small.count < message.count / 3);
    CHECK_INT(inflateInit2(&z, 16 + 15), Z_OK);
    z.next_in = small.data;
    z.avail_in = (unsigned)small.count;
    z.next_out = back;
    z.avail_out = sizeof back;
    CHECK_INT(inflate(&z, Z_FINISH), Z_STREAM_END);
    CHECK_INT(inflateEnd(&z), Z_OK);
    CHECK_BYTES(back, sizeof back - z.avail_out, message.data, message.count);
    mw_buffer_clear(&small);
    mw_buffer_init(&small, 100);
    CHECK_INT(gzip_write(message.data, message.count, &small), -EMSGSIZE);
    mw_buffer_clear(&small);
    mw_buffer_clear(&message);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(every_vector_is_inflated_or_refused),
        TEST(the_first_offer_that_can_be_met_is_taken),
        TEST(the_terms_are_what_the_answer_says),
        TEST(what_is_deflated_inflates_again_in_every_window),
        TEST(what_would_not_shrink_is_left_as_it_is),
        TEST(with_context_a_message_refers_to_those_before_it),
        TEST(without_context_a_broken_message_spoils_none_after_it),
        TEST(each_allocation_may_fail),
        TEST(gzip_makes_a_member_that_others_can_read),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
