/* What a request wants of a representation: ranges, codings, entity tags; a row per rule of RFC 9110.
 * Read next: src/codec/http_select.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/buffer.h"
#include "check.h"
#include "codec/http.h"

static struct http_text text_of(const char *c_string)
{
    return (struct http_text){c_string, strlen(c_string)};
}

/* What http_parse_ranges says, as text: "0+5 9+1", or the number. */
static const char *ranges_of(const char *field, uint64_t byte_count, int most)
{
    static char line[400];
    struct http_range ranges[HTTP_RANGES_MOST];
    int count = http_parse_ranges(text_of(field), byte_count, most, ranges), i, at = 0;

    if (count <= 0) {
        snprintf(line, sizeof line, "%s", count == 0 ? "ignored" : count == -ERANGE ? "none" : count == -E2BIG ? "many" : "?");
        return line;
    }
    for (i = 0; i < count; i++)
        at += snprintf(line + at, sizeof line - (size_t)at, "%s%" PRIu64 "+%" PRIu64, i ? " " : "", ranges[i].first,
                       ranges[i].count);
    return line;
}

static const struct {
    const char *field;
    uint64_t byte_count;
    const char *want, *note;
} ranges[] = {
    {"bytes=0-4", 10, "0+5", "both ends are included"},
    {"bytes=0-0", 10, "0+1", "one byte"},
    {"bytes=5-", 10, "5+5", "to the end"},
    {"bytes=-3", 10, "7+3", "so many of the end"},
    {"bytes=-30", 10, "0+10", "more than there are: all"},
    {"bytes=9-9", 10, "9+1", "the last one"},
    {"bytes=5-99", 10, "5+5", "an end past the last byte is the last byte"},
    {"bytes=5-99999999999999999999999", 10, "5+5", "also one past 64 bits"},
    {"Bytes=0-1", 10, "0+2", "a unit's case does not matter"},
    {"bytes=0-1, 4-5", 10, "0+2 4+2", "a list"},
    {"bytes=4-5,0-1", 10, "4+2 0+2", "in the order of the asking"},
    {"bytes=,0-1, ,", 10, "0+2", "empty elements are passed over"},
    {"bytes=0-1,10-", 10, "0+2", "those that name nothing are left out"},
    {"bytes=0-1,1-2", 10, "0+2 1+2", "small overlaps do no harm"},
    {"bytes=0-,0-,0-", 10, "ignored", "more than the whole is asked for: the whole"},
    {"bytes=10-", 10, "none", "behind the end"},
    {"bytes=-0", 10, "none", "nothing of the end"},
    {"bytes=10-,-0", 10, "none", "none of a list"},
    {"bytes=99999999999999999999999-", 10, "none", "a start past 64 bits"},
    {"bytes=5-4", 10, "ignored", "ends before it begins: no range"},
    {"bytes=0-1,5-4", 10, "ignored", "one that is none spoils the list"},
    {"bytes=-", 10, "ignored", "a dash alone"},
    {"bytes=", 10, "ignored", "nothing"},
    {"bytes", 10, "ignored", "not even ="},
    {"bytes=a-b", 10, "ignored", "no digits"},
    {"bytes=0 - 4", 10, "ignored", "white space inside"},
    {"bytes=0x0-4", 10, "ignored", "hexadecimal"},
    {"bytes=+0-4", 10, "ignored", "a sign"},
    {"bytes=0-4-5", 10, "ignored", "two dashes"},
    {"lines=0-4", 10, "ignored", "another unit"},
    {"bytes=0-", 0, "ignored", "an empty file is sent as it is"},
    {"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7", 10, "0+1 1+1 2+1 3+1 4+1 5+1 6+1 7+1", "eight"},
    {"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8", 10, "many", "nine"},
};

static void a_range_names_bytes_as_rfc_9110_says(void)
{
    size_t i;

    for (i = 0; i < MW_COUNT(ranges); i++) {
        const char *got = ranges_of(ranges[i].field, ranges[i].byte_count, HTTP_RANGES_MOST);

        if (strcmp(got, ranges[i].want) != 0)
            fprintf(stderr, "    %s: %s\n", ranges[i].field, ranges[i].note);
        CHECK_TEXT(got, ranges[i].want);
    }
    CHECK_INT(http_parse_ranges((struct http_text){0}, 10, 8, (struct http_range[HTTP_RANGES_MOST]){{0}}), 0);
}

static void fewer_ranges_may_be_allowed(void)
{
    CHECK_TEXT(ranges_of("bytes=0-0,2-2", 10, 1), "many");
    CHECK_TEXT(ranges_of("bytes=0-0", 10, 1), "0+1");
}

static const struct {
    const char *fields, *coding;
    bool want;
} codings[] = {
    {"", "gzip", false},
    {"Accept-Encoding: gzip\r\n", "gzip", true},
    {"Accept-Encoding: gzip\r\n", "br", false},
    {"Accept-Encoding: deflate, GZip;q=0.5, br\r\n", "gzip", true},
    {"Accept-Encoding: br;q=1.0, gzip;q=0\r\n", "gzip", false},
    {"Accept-Encoding: gzip ; q=0.000\r\n", "gzip", false},
    {"Accept-Encoding: gzip;q=0.001\r\n", "gzip", true},
    {"Accept-Encoding: *\r\n", "br", true},
    {"Accept-Encoding: *;q=0\r\n", "br", false},
    {"Accept-Encoding: *;q=0, br\r\n", "br", true},
    {"Accept-Encoding: br;q=0, *\r\n", "br", false},
    {"Accept-Encoding:\r\n", "gzip", false},
    {"Accept-Encoding: gzipx, xgzip\r\n", "gzip", false},
    {"Accept-Encoding: deflate\r\nAccept-Encoding: gzip\r\n", "gzip", true},
    {"Accept-Encoding: identity, gzip;q=0.5\r\n", "gzip", false},
    {"Accept-Encoding: gzip;q=0.999\r\nAccept-Encoding: identity\r\n", "gzip", false},
    {"Accept-Encoding: identity;q=0.5, gzip;q=0.5\r\n", "gzip", true},
    {"Accept-Encoding: identity;q=0.049, gzip;q=0.05\r\n", "gzip", true},
    {"Accept-Encoding: identity;q=0, gzip;q=0\r\n", "gzip", false},
    {"Accept-Encoding: identity;q=0.5, *;q=0.4\r\n", "gzip", false},
    {"Accept-Encoding: gzip;q=2\r\n", "gzip", true},
    {"Accept-Encoding: gzip;q=0.0000009\r\n", "gzip", false},
};

static void a_coding_is_taken_where_its_weight_is_not_zero_nor_below_that_of_none(void)
{
    size_t i;

    for (i = 0; i < MW_COUNT(codings); i++) {
        struct http_parser parser;
        enum http_event event;
        char request[300];
        bool takes;

        snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", codings[i].fields);
        http_parser_init(&parser, NULL);
        (void)http_parse(&parser, request, strlen(request), &event);
        CHECK_INT(event, HTTP_EVENT_DONE);
        takes = http_takes_coding(&parser.request, codings[i].coding);
        http_parser_clear(&parser);
        if (takes != codings[i].want)
            fprintf(stderr, "    %s for %s\n", codings[i].coding, codings[i].fields);
        CHECK_INT(takes, codings[i].want);
    }
}

static bool tags_hold(const char *fields, bool (*holds)(const struct http_request *, const char *))
{
    struct http_parser parser;
    enum http_event event;
    char request[300];
    bool they_do;

    snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
    http_parser_init(&parser, NULL);
    (void)http_parse(&parser, request, strlen(request), &event);
    CHECK_INT(event, HTTP_EVENT_DONE);
    they_do = holds(&parser.request, "\"a\"");
    http_parser_clear(&parser);
    return they_do;
}

static void a_weak_tag_equals_none_by_strong_comparison(void)
{
    CHECK(tags_hold("If-None-Match: \"x\", W/\"a\"\r\n", http_lists_etag));
    CHECK(!tags_hold("If-Match: \"x\", W/\"a\"\r\n", http_matches_etag));
    CHECK(tags_hold("If-Match: \"x\", \"a\"\r\n", http_matches_etag));
    CHECK(tags_hold("If-Match: *\r\n", http_matches_etag));
}

static void tags_may_stand_on_several_lines(void)
{
    CHECK(tags_hold("If-None-Match: \"x\"\r\nIf-None-Match: \"y\", \"a\"\r\n", http_lists_etag));
    CHECK(tags_hold("If-Match: \"x\"\r\nIf-Match: \"a\"\r\n", http_matches_etag));
    CHECK(!tags_hold("If-Match: \"x\"\r\nIf-None-Match: \"a\"\r\n", http_matches_etag));
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_range_names_bytes_as_rfc_9110_says),
        TEST(fewer_ranges_may_be_allowed),
        TEST(a_coding_is_taken_where_its_weight_is_not_zero_nor_below_that_of_none),
        TEST(a_weak_tag_equals_none_by_strong_comparison),
        TEST(tags_may_stand_on_several_lines),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
