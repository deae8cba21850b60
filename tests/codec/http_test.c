/* HTTP: the vectors in slices, looking up, writing, dates, memory.
 * SPDX-License-Identifier: MIT */
#include "codec/http.h"

#include "vectors.h"

/* ---- vectors ------------------------------------------------------------------------------------------- */

static const char *const method_names[] = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"};
static const char *const limit_names[] = {
    "", "request_line_bytes", "head_bytes", "field_bytes", "field_count", "body_bytes"};

static struct http_limits vector_limits;
static struct http_parser vector_parser;
static bool is_upgraded;
static bool is_failed;

static void show_line(struct mw_buffer *out, const char *name, struct http_text text)
{
    if (!text.bytes)
        return;
    mw_buffer_append_text(out, name);
    vector_show(out, text.bytes, text.count);
    mw_buffer_append_text(out, "\n");
}

static void show_head(const struct http_request *r, struct mw_buffer *out)
{
    size_t i;

    mw_buffer_printf(out, "request %s ", method_names[r->method]);
    vector_show(out, r->target.bytes, r->target.count);
    mw_buffer_printf(out, " HTTP/1.%d\n", r->minor_version);
    show_line(out, "path ", r->path);
    show_line(out, "query ", r->query);
    if (r->host.bytes && r->port >= 0)
        mw_buffer_printf(out, "host %.*s port %d\n", (int)r->host.count, r->host.bytes, r->port);
    else
        show_line(out, "host ", r->host);
    for (i = 0; i < r->field_count; i++) {
        vector_show(out, r->fields[i].name.bytes, r->fields[i].name.count);
        mw_buffer_append_text(out, ": ");
        vector_show(out, r->fields[i].value.bytes, r->fields[i].value.count);
        mw_buffer_append_text(out, "\n");
    }
}

static void show_event(struct http_parser *p, enum http_event event, struct mw_buffer *out)
{
    const struct http_request *r = &p->request;

    switch (event) {
    case HTTP_EVENT_MORE:
        return;
    case HTTP_EVENT_HEAD:
        if (r->is_chunked)
            mw_buffer_append_text(out, "body-follows chunked");
        else
            mw_buffer_printf(out, "body-follows %d", (int)r->content_length);
        mw_buffer_append_text(out, r->expects_continue ? " expects-continue\n" : "\n");
        return;
    case HTTP_EVENT_DONE:
        show_head(r, out);
        if (p->body.count > 0 || r->is_chunked) {
            mw_buffer_append_text(out, "body ");
            vector_show(out, p->body.data, p->body.count);
            mw_buffer_append_text(out, "\n");
        }
        mw_buffer_append_text(out, r->is_upgrade ? "upgrade\n" : "");
        mw_buffer_append_text(out, r->keeps_alive ? "keep-alive\n" : "close\n");
        is_upgraded = r->is_upgrade;
        return;
    case HTTP_EVENT_FAILED:
        is_failed = true;
        mw_buffer_printf(out, "failed %d %s", p->failure.status, p->failure.reason);
        if (p->failure.limit != HTTP_LIMIT_NONE)
            mw_buffer_printf(out, " [%s]", limit_names[p->failure.limit]);
        mw_buffer_append_text(out, "\n");
        return;
    }
}

static struct mw_buffer rest;

static void vector_begin(const struct vector *v)
{
    vector_limits =
        (struct http_limits){.request_line_bytes = (size_t)vector_setting(v, "request_line_bytes", 0),
                             .head_bytes = (size_t)vector_setting(v, "head_bytes", 0),
                             .field_bytes = (size_t)vector_setting(v, "field_bytes", 0),
                             .field_count = (size_t)vector_setting(v, "field_count", 0),
                             .body_bytes = (size_t)vector_setting(v, "body_bytes", 0)};
    http_parser_init(&vector_parser, &vector_limits);
    is_upgraded = is_failed = false;
    mw_buffer_init(&rest, 1 << 20);
}

static void vector_feed(uint8_t *bytes, size_t byte_count, struct mw_buffer *out)
{
    enum http_event event;
    size_t at = 0;

    while (at < byte_count) {
        size_t used;

        if (is_failed)
            return;
        if (is_upgraded) {
            mw_buffer_append(&rest, bytes + at, byte_count - at);
            return;
        }
        used = http_parse(&vector_parser, bytes + at, byte_count - at, &event);
        CHECK(used <= byte_count - at);
        CHECK(used > 0 || event == HTTP_EVENT_FAILED);
        CHECK(event != HTTP_EVENT_MORE || used == byte_count - at);
        show_event(&vector_parser, event, out);
        at += used;
        if (event == HTTP_EVENT_DONE && !is_upgraded)
            http_parser_next(&vector_parser);
    }
}

static void vector_end(struct mw_buffer *out)
{
    if (http_parser_is_midway(&vector_parser))
        mw_buffer_append_text(out, "midway\n");
    if (rest.count > 0)
        show_line(out, "rest ", (struct http_text){(const char *)rest.data, rest.count});
    mw_buffer_clear(&rest);
    http_parser_clear(&vector_parser);
}

static const struct vector_subject subject = {"http", NULL, vector_begin, vector_feed, vector_end};

static void every_vector_gives_its_events_however_it_is_cut(void)
{
    CHECK(vectors_run(&subject, VECTOR_SEEDS) >= 80);
}

/* ---- parser -------------------------------------------------------------------------------------------- */

static enum http_event parse_text(struct http_parser *p, const char *text, size_t *ret_used)
{
    enum http_event event;
    size_t used = http_parse(p, text, strlen(text), &event);

    if (ret_used)
        *ret_used = used;
    return event;
}

static void the_bytes_behind_a_request_are_left_alone(void)
{
    static const char two[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n";
    struct http_parser p;
    size_t used, again;

    http_parser_init(&p, NULL);
    CHECK_INT(parse_text(&p, two, &used), HTTP_EVENT_DONE);
    CHECK_INT(used, (sizeof two - 1) / 2);
    CHECK_BYTES(p.request.path.bytes, p.request.path.count, "/a", 2);
    CHECK_INT(parse_text(&p, two + used, &again), HTTP_EVENT_DONE); /* not before http_parser_next */
    CHECK_INT(again, 0);
    http_parser_next(&p);
    CHECK_INT(parse_text(&p, two + used, &again), HTTP_EVENT_DONE);
    CHECK_BYTES(p.request.path.bytes, p.request.path.count, "/b", 2);
    http_parser_clear(&p);
}

static void fields_are_found_whatever_their_case(void)
{
    struct http_parser p;
    const struct http_field *field;

    http_parser_init(&p, NULL);
    CHECK_INT(parse_text(&p,
                         "GET / HTTP/1.1\r\nHOST: x\r\nx-one: 1\r\nX-Two: a, b\r\nX-ONE: 2\r\n"
                         "X-Three: \" a\\\", b\" ,,c ,\r\n\r\n",
                         NULL),
              HTTP_EVENT_DONE);
    field = http_find(&p.request, "X-One", NULL);
    CHECK(field != NULL);
    CHECK_BYTES(field->value.bytes, field->value.count, "1", 1);
    field = http_find(&p.request, "X-One", field);
    CHECK(field != NULL);
    CHECK_BYTES(field->value.bytes, field->value.count, "2", 1);
    CHECK(http_find(&p.request, "X-One", field) == NULL);
    CHECK(http_value(&p.request, "x-one").bytes != NULL && http_value(&p.request, "x-one").count == 0);
    CHECK(http_value(&p.request, "x-four").bytes == NULL);
    CHECK(http_text_is(http_value(&p.request, "x-two"), "A, B"));
    CHECK(http_has_token(&p.request, "x-two", "B"));
    CHECK(!http_has_token(&p.request, "x-two", "a, b"));
    CHECK(http_has_token(&p.request, "x-three", "\" a\\\", b\""));
    CHECK(http_has_token(&p.request, "x-three", "c"));
    CHECK(!http_has_token(&p.request, "x-three", ""));
    CHECK(!http_has_token(&p.request, "x-four", "c"));
    http_parser_clear(&p);
}

static void a_head_that_outgrows_its_buffer_keeps_its_texts(void)
{
    char text[9000];
    struct http_parser p;
    enum http_event event;
    int count, i;

    count = snprintf(text, sizeof text, "GET /path?query HTTP/1.1\r\nHost: example.org:81\r\n");
    for (i = 0; i < 50; i++)
        count += snprintf(text + count, sizeof text - (size_t)count, "X-Field-%d: %0100d\r\n", i, i);
    count += snprintf(text + count, sizeof text - (size_t)count, "\r\n");
    http_parser_init(&p, NULL);
    for (i = 0; i < count; i++)
        CHECK_INT(http_parse(&p, text + i, 1, &event), 1);
    CHECK_INT(event, HTTP_EVENT_DONE);
    CHECK(p.request.target.bytes >= (const char *)p.head.data &&
          p.request.target.bytes < (const char *)p.head.data + p.head.count);
    CHECK_BYTES(p.request.query.bytes, p.request.query.count, "query", 5);
    CHECK_INT(p.request.port, 81);
    CHECK_INT(p.request.field_count, 51);
    http_parser_clear(&p);
}

static void a_second_request_allocates_nothing(void)
{
    static const char text[] = "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    struct http_parser p;
    enum http_event event;
    int64_t allocations = 0;
    int i;

    http_parser_init(&p, NULL);
    for (i = 0; i < 3; i++) {
        size_t used = http_parse(&p, text, sizeof text - 1, &event);

        CHECK_INT(event, HTTP_EVENT_HEAD);
        http_parse(&p, text + used, sizeof text - 1 - used, &event);
        CHECK_INT(event, HTTP_EVENT_DONE);
        CHECK_BYTES(p.body.data, p.body.count, "hello", 5);
        http_parser_next(&p);
        if (i == 0)
            allocations = mw_memory_stats().allocations;
    }
    CHECK_INT(mw_memory_stats().allocations, allocations);
    http_parser_clear(&p);
}

static void a_waiting_parser_holds_no_memory_once_trimmed(void)
{
    int64_t before = mw_memory_stats().live_bytes;
    struct http_parser p;

    http_parser_init(&p, NULL);
    CHECK(!http_parser_is_midway(&p));
    CHECK_INT(parse_text(&p, "GET / HTTP/1.1\r\n", NULL), HTTP_EVENT_MORE);
    CHECK(http_parser_is_midway(&p));
    http_parser_trim(&p); /* does nothing: a request is under way */
    CHECK_INT(parse_text(&p, "Host: x\r\n\r\n", NULL), HTTP_EVENT_DONE);
    http_parser_next(&p);
    CHECK(mw_memory_stats().live_bytes > before);
    http_parser_trim(&p);
    CHECK_INT(mw_memory_stats().live_bytes, before);
    http_parser_clear(&p);
}

static void a_failed_allocation_is_500_and_leaks_nothing(void)
{
    static const char text[] =
        "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    int64_t before = mw_memory_stats().live_blocks, n;
    bool is_done = false;

    for (n = 1; !is_done; n++) {
        enum http_event event = HTTP_EVENT_MORE;
        struct http_parser p;
        size_t at;

        CHECK(n < 100);
        http_parser_init(&p, NULL);
        mw_memory_fail_at(n, n % 2 == 0);
        for (at = 0; at < sizeof text - 1 && event != HTTP_EVENT_FAILED; at++)
            http_parse(&p, text + at, 1, &event);
        mw_memory_fail_at(0, false);
        is_done = event == HTTP_EVENT_DONE;
        if (!is_done) {
            CHECK_INT(event, HTTP_EVENT_FAILED);
            CHECK_INT(p.failure.status, 500);
        }
        http_parser_clear(&p);
        CHECK_INT(mw_memory_stats().live_blocks, before);
    }
    CHECK(n > 3);
}

static void a_promised_body_alone_takes_little_memory(void)
{
    int64_t before = mw_memory_stats().live_bytes;
    struct http_parser p;

    http_parser_init(&p, NULL);
    CHECK_INT(parse_text(&p, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n", NULL),
              HTTP_EVENT_HEAD);
    CHECK_INT(parse_text(&p, "x", NULL), HTTP_EVENT_MORE);
    CHECK(mw_memory_stats().live_bytes < before + 40 * 1024);
    http_parser_clear(&p);
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static const char *terminated(struct mw_buffer *out)
{
    mw_buffer_append(out, "", 1);
    return out->data ? (const char *)out->data : "";
}

static void a_response_head_is_written(void)
{
    struct mw_buffer out;

    mw_buffer_init(&out, 1000);
    http_write_status(&out, 404, "Sun, 06 Nov 1994 08:49:37 GMT");
    http_write_field(&out, "X-Empty", "");
    http_write_length(&out, UINT64_MAX);
    http_write_end(&out);
    CHECK_TEXT(terminated(&out),
               "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Empty: \r\n"
               "Content-Length: 18446744073709551615\r\n\r\n");
    CHECK_INT(out.error, 0);
    mw_buffer_clear(&out);
}

static void a_value_cannot_smuggle_a_field(void)
{
    static const char *const bad[] = {"a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\x01", "\x7f"};
    struct mw_buffer out;
    size_t i;

    for (i = 0; i < MW_COUNT(bad); i++) {
        mw_buffer_init(&out, 1000);
        http_write_field(&out, "Location", bad[i]);
        CHECK_INT(out.error, -EINVAL);
        CHECK_INT(out.count, 0);
        mw_buffer_clear(&out);
    }
    mw_buffer_init(&out, 1000);
    http_write_field_text(&out, "X", (struct http_text){"a\0b", 3});
    CHECK_INT(out.error, -EINVAL);
    mw_buffer_clear(&out);
    http_write_field(&out, "X\r\nY", "b");
    CHECK_INT(out.error, -EINVAL);
    mw_buffer_clear(&out);
    http_write_field(&out, "", "b");
    CHECK_INT(out.error, -EINVAL);
    mw_buffer_clear(&out);
}

/* Whichever byte it is, wherever it stands, and whatever stands beside it. */
static void a_value_is_written_but_for_control_characters(void)
{
    static const char beside[] = {'a', '\t', ' ', '\x80', '\xff'};
    char value[20];
    struct mw_buffer out;
    size_t place, k;
    int byte;

    for (byte = 0; byte < 256; byte++) {
        const bool is_good = (byte >= 0x20 && byte != 0x7f) || byte == '\t';

        for (place = 0; place < sizeof value; place++) {
            for (k = 0; k < MW_COUNT(beside); k++) {
                memset(value, beside[k], sizeof value);
                value[place] = (char)byte;
                mw_buffer_init(&out, 1000);
                http_write_field_text(&out, "X", (struct http_text){value, sizeof value});
                CHECK_INT(out.error, is_good ? 0 : -EINVAL);
                CHECK_INT(out.count, is_good ? 5 + sizeof value : 0);
                mw_buffer_clear(&out);
            }
        }
    }
}

static void a_number_without_a_name_is_unknown(void)
{
    struct mw_buffer out;

    CHECK_TEXT(http_status_text(299), "Unknown");
    mw_buffer_init(&out, 100);
    http_write_status(&out, 42, NULL);
    CHECK_INT(out.error, -EINVAL);
    mw_buffer_clear(&out);
}

/* ---- dates --------------------------------------------------------------------------------------------- */

static void dates_read_back_what_they_print(void)
{
    static const struct {
        int64_t unix_s;
        const char *text;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},          {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},  {1709164799, "Wed, 28 Feb 2024 23:59:59 GMT"},
        {1709251199, "Thu, 29 Feb 2024 23:59:59 GMT"}, {4102444800, "Fri, 01 Jan 2100 00:00:00 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"}, {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    char text[HTTP_DATE_BYTES];
    int64_t back, s;
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        http_format_date(text, rows[i].unix_s);
        CHECK_TEXT(text, rows[i].text);
        CHECK(http_parse_date((struct http_text){text, 29}, 0, &back));
        CHECK_INT(back, rows[i].unix_s);
    }
    for (s = 0; s < INT64_C(253402300800); s += INT64_C(86400) * 97 + 12345) {
        http_format_date(text, s);
        CHECK(http_parse_date((struct http_text){text, 29}, 0, &back));
        CHECK_INT(back, s);
    }
    http_format_date(text, -1);
    CHECK_TEXT(text, rows[0].text);
}

static void a_date_in_an_obsolete_form_is_read(void)
{
    static const struct {
        int64_t now_s, unix_s;
        const char *text;
    } rows[] = {
        {0, 784111777, "Sun Nov  6 08:49:37 1994"},
        {0, 951782400, "Tue Feb 29 00:00:00 2000"},
        {1796083200, 784111777, "Sunday, 06-Nov-94 08:49:37 GMT"}, /* in 2026 */
        {1796083200, 1796083200, "Tuesday, 01-Dec-26 00:00:00 GMT"},
        {1796083200, 3373920000, "Monday, 30-Nov-76 00:00:00 GMT"}, /* not more than 50 years ahead */
        {1796083200, 221702400, "Monday, 10-Jan-77 00:00:00 GMT"},   /* 2077 would be */
        {1796083200, 946684799, "Friday, 31-Dec-99 23:59:59 GMT"},
        {4102444800, 4102444800, "Friday, 01-Jan-00 00:00:00 GMT"}, /* in 2100 */
    };
    int64_t back;
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        CHECK(http_parse_date((struct http_text){rows[i].text, strlen(rows[i].text)}, rows[i].now_s, &back));
        CHECK_INT(back, rows[i].unix_s);
    }
}

static void a_malformed_date_is_none(void)
{
    static const char *const bad[] = {
        "",
        "Sun, 06 Nov 1994 08:49:37 GM",
        "Sunday, 06-Nov-94 08:49:37 UTC",
        "Sunday, 6-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Monday, 06-Nov-94 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "sunday, 06-Nov-94 08:49:37 GMT",
        "Sunnyday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 06 08:49:37 1994",
        "Sun Nov 6  08:49:37 1994",
        "Mon Nov  6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94 1",
        "Sun, Nov 6 08:49:37 1994",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Wed, 31 Feb 2024 00:00:00 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
    };
    int64_t back;
    size_t i;

    for (i = 0; i < MW_COUNT(bad); i++)
        CHECK(!http_parse_date((struct http_text){bad[i], strlen(bad[i])}, 1796083200, &back));
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(every_vector_gives_its_events_however_it_is_cut),
        TEST(the_bytes_behind_a_request_are_left_alone),
        TEST(fields_are_found_whatever_their_case),
        TEST(a_head_that_outgrows_its_buffer_keeps_its_texts),
        TEST(a_second_request_allocates_nothing),
        TEST(a_waiting_parser_holds_no_memory_once_trimmed),
        TEST(a_failed_allocation_is_500_and_leaks_nothing),
        TEST(a_promised_body_alone_takes_little_memory),
        TEST(a_response_head_is_written),
        TEST(a_value_cannot_smuggle_a_field),
        TEST(a_value_is_written_but_for_control_characters),
        TEST(a_number_without_a_name_is_unknown),
        TEST(dates_read_back_what_they_print),
        TEST(a_date_in_an_obsolete_form_is_read),
        TEST(a_malformed_date_is_none),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
