/* Parts of files, packed files, and requests that go on only under a condition (RFC 9110 §13, §14).
 * Not what the fields mean alone; that is codec/select_test.c. Read next: harness.h.
 * SPDX-License-Identifier: MIT */
#include "harness.h"

/* Ask for /file/NAME with further field lines, each with its CRLF. */
static struct response ask(struct client *c, const char *method, const char *name, const char *fields)
{
    char request[1000];

    snprintf(request, sizeof request, "%s /file/%s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, name, fields);
    client_say(c, request);
    return client_response_to(c, strcmp(method, "HEAD") == 0);
}

/* The value of a field of a response. */
static const char *value_of(const struct response *r, const char *name, char ret[120])
{
    const char *at = strstr(r->head, name);

    CHECK(at != NULL);
    CHECK_INT(sscanf(at + strlen(name), ": %119[^\r]", ret), 1);
    return ret;
}

struct scene {
    struct world world;
    struct client client;
};

static void scene_open(struct scene *s, const char *name, const void *bytes, size_t byte_count)
{
    world_init(&s->world);
    world_open(&s->world);
    world_write_file(&s->world, name, bytes, byte_count);
    client_open(&s->client, &s->world);
}

static void scene_close(struct scene *s)
{
    client_close(&s->client);
    world_close(&s->world);
}

static void one_range_is_sent_alone(void)
{
    struct scene s;
    struct response r;

    scene_open(&s, "a.txt", "0123456789", 10);
    r = ask(&s.client, "GET", "a.txt", "Range: bytes=2-4\r\n");
    CHECK_INT(r.status, 206);
    check_has(r.head, "Content-Range: bytes 2-4/10\r\n");
    check_has(r.head, "Content-Type: text/plain; charset=utf-8\r\n");
    check_has(r.head, "Accept-Ranges: bytes\r\n");
    check_has(r.head, "\r\nETag: ");
    CHECK_BYTES(r.body, r.body_count, "234", 3);
    CHECK_INT(ask(&s.client, "GET", "a.txt", "").status, 200); /* the connection goes on */
    scene_close(&s);
}

static void a_range_behind_the_end_is_416_with_the_length(void)
{
    struct scene s;
    struct response r;

    scene_open(&s, "a.txt", "0123456789", 10);
    r = ask(&s.client, "GET", "a.txt", "Range: bytes=10-\r\n");
    CHECK_INT(r.status, 416);
    check_has(r.head, "Content-Range: bytes */10\r\n");
    CHECK_INT(ask(&s.client, "GET", "a.txt", "").status, 200);
    scene_close(&s);
}

static void what_is_no_range_is_passed_over(void)
{
    struct scene s;

    scene_open(&s, "a.txt", "0123456789", 10);
    CHECK_INT(ask(&s.client, "GET", "a.txt", "Range: lines=1-2\r\n").status, 200);
    CHECK_INT(ask(&s.client, "GET", "a.txt", "Range: bytes=4-2\r\n").status, 200);
    CHECK_INT(ask(&s.client, "GET", "a.txt", "Range: bytes=1-2\r\nRange: bytes=3-4\r\n").status, 200);
    CHECK_INT(ask(&s.client, "HEAD", "a.txt", "Range: bytes=1-2\r\n").status, 200); /* GET only, §14.2 */
    scene_close(&s);
}

/* Take one part off a multipart body: its Content-Range and its bytes must follow. */
static const char *check_part(const char *at, const char *boundary, const char *range, const char *bytes, size_t byte_count)
{
    char want[300];

    snprintf(want, sizeof want, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: %s\r\n\r\n", boundary,
             range);
    CHECK_BYTES(at, strlen(want), want, strlen(want));
    at += strlen(want);
    CHECK_BYTES(at, byte_count, bytes, byte_count);
    CHECK_BYTES(at + byte_count, 2, "\r\n", 2);
    return at + byte_count + 2;
}

static void several_ranges_are_a_multipart_body(void)
{
    struct scene s;
    struct response r;
    char type[120], end[140];
    const char *at, *boundary;

    scene_open(&s, "a.txt", "0123456789", 10);
    r = ask(&s.client, "GET", "a.txt", "Range: bytes=0-1, 7-, 4-4\r\n");
    CHECK_INT(r.status, 206);
    check_has_not(r.head, "Content-Range");
    boundary = strstr(value_of(&r, "Content-Type", type), "multipart/byteranges; boundary=");
    CHECK(boundary == type);
    boundary += strlen("multipart/byteranges; boundary=");
    at = check_part(r.body, boundary, "bytes 0-1/10", "01", 2);
    at = check_part(at, boundary, "bytes 7-9/10", "789", 3);
    at = check_part(at, boundary, "bytes 4-4/10", "4", 1);
    snprintf(end, sizeof end, "--%s--\r\n", boundary);
    CHECK_BYTES(at, (size_t)(r.body + r.body_count - at), end, strlen(end));
    CHECK_INT(ask(&s.client, "GET", "a.txt", "").status, 200);
    scene_close(&s);
}

static void more_than_eight_ranges_get_the_whole_and_are_counted(void)
{
    struct scene s;
    struct response r;

    scene_open(&s, "a.txt", "0123456789", 10);
    r = ask(&s.client, "GET", "a.txt", "Range: bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8\r\n");
    CHECK_INT(r.status, 200);
    CHECK_INT(r.body_count, 10);
    CHECK_INT(edge_limits_of(s.world.edge)->hits[EDGE_LIMIT_RANGES], 1);
    scene_close(&s);
}

static void ranges_of_a_large_file_come_in_order(void)
{
    enum { BYTES = 3000000, PART = 900000 };
    char *bytes = mw_alloc(BYTES), type[120];
    struct scene s;
    struct response r;
    const char *boundary, *at;
    size_t i;

    for (i = 0; i < BYTES; i++)
        bytes[i] = (char)('A' + i * 7 % 53);
    scene_open(&s, "large.txt", bytes, BYTES);
    r = ask(&s.client, "GET", "large.txt", "Range: bytes=1000-900999\r\n");
    CHECK_INT(r.status, 206);
    CHECK_INT(r.body_count, PART);
    CHECK(memcmp(r.body, bytes + 1000, PART) == 0);
    r = ask(&s.client, "GET", "large.txt", "Range: bytes=2000000-2899999,5-900004\r\n");
    CHECK_INT(r.status, 206);
    boundary = value_of(&r, "Content-Type", type) + strlen("multipart/byteranges; boundary=");
    at = check_part(r.body, boundary, "bytes 2000000-2899999/3000000", bytes + 2000000, PART);
    (void)check_part(at, boundary, "bytes 5-900004/3000000", bytes + 5, PART);
    CHECK_INT(client_get(&s.client, "/body").body_count, 13);
    scene_close(&s);
    mw_free(bytes);
}

static void if_range_sends_the_whole_when_the_file_is_another(void)
{
    struct scene s;
    struct response r;
    char etag[120], modified[120], fields[400];

    scene_open(&s, "a.txt", "0123456789", 10);
    r = ask(&s.client, "GET", "a.txt", "");
    (void)value_of(&r, "ETag", etag);
    (void)value_of(&r, "Last-Modified", modified);
    snprintf(fields, sizeof fields, "Range: bytes=0-1\r\nIf-Range: %s\r\n", etag);
    CHECK_INT(ask(&s.client, "GET", "a.txt", fields).status, 206);
    snprintf(fields, sizeof fields, "Range: bytes=0-1\r\nIf-Range: %s\r\n", modified);
    CHECK_INT(ask(&s.client, "GET", "a.txt", fields).status, 206);
    snprintf(fields, sizeof fields, "Range: bytes=0-1\r\nIf-Range: W/%s\r\n", etag); /* strong comparison */
    CHECK_INT(ask(&s.client, "GET", "a.txt", fields).status, 200);
    CHECK_INT(ask(&s.client, "GET", "a.txt", "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n").status, 200);
    snprintf(fields, sizeof fields, "Range: bytes=0-1\r\nIf-Range: %s, \"other\"\r\n", etag); /* one tag, no list */
    CHECK_INT(ask(&s.client, "GET", "a.txt", fields).status, 200);
    CHECK_INT(ask(&s.client, "GET", "a.txt", "Range: bytes=0-1\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n").status, 200);
    scene_close(&s);
}

static void a_precondition_that_fails_is_412(void)
{
    struct scene s;
    struct response r;
    char etag[120], fields[400];

    scene_open(&s, "a.txt", "0123456789", 10);
    r = ask(&s.client, "GET", "a.txt", "");
    (void)value_of(&r, "ETag", etag);
    snprintf(fields, sizeof fields, "If-Match: \"x\", %s\r\n", etag);
    CHECK_INT(ask(&s.client, "GET", "a.txt", fields).status, 200);
    CHECK_INT(ask(&s.client, "GET", "a.txt", "If-Match: *\r\n").status, 200);
    CHECK_INT(ask(&s.client, "GET", "a.txt", "If-Match: \"x\"\r\n").status, 412);
    CHECK_INT(ask(&s.client, "GET", "a.txt", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n").status, 412);
    CHECK_INT(ask(&s.client, "GET", "a.txt", "If-Unmodified-Since: Sun, 06 Nov 2095 08:49:37 GMT\r\n").status, 200);
    snprintf(fields, sizeof fields, "If-Match: %s\r\nIf-None-Match: %s\r\n", etag, etag); /* §13.2.2: both, in order */
    CHECK_INT(ask(&s.client, "GET", "a.txt", fields).status, 304);
    CHECK_INT(ask(&s.client, "GET", "a.txt", "").status, 200);
    scene_close(&s);
}

static void a_packed_sibling_is_sent_to_who_takes_it(void)
{
    struct scene s;
    struct response r;
    char plain[120], gzip[120];

    scene_open(&s, "a.js", "let plain;", 10);
    world_write_file(&s.world, "a.js.gz", "(gzip)", 6);
    world_write_file(&s.world, "a.js.br", "(br)", 4);
    r = ask(&s.client, "GET", "a.js", "");
    CHECK_BYTES(r.body, r.body_count, "let plain;", 10);
    check_has(r.head, "Vary: Accept-Encoding\r\n");
    check_has_not(r.head, "Content-Encoding");
    (void)value_of(&r, "ETag", plain);
    r = ask(&s.client, "GET", "a.js", "Accept-Encoding: gzip\r\n");
    CHECK_BYTES(r.body, r.body_count, "(gzip)", 6);
    check_has(r.head, "Content-Encoding: gzip\r\n");
    check_has(r.head, "Content-Type: text/javascript; charset=utf-8\r\n");
    check_has(r.head, "Vary: Accept-Encoding\r\n");
    CHECK(strcmp(value_of(&r, "ETag", gzip), plain) != 0);
    r = ask(&s.client, "GET", "a.js", "Accept-Encoding: gzip, deflate, br, zstd\r\n");
    CHECK_BYTES(r.body, r.body_count, "(br)", 4);
    check_has(r.head, "Content-Encoding: br\r\n");
    r = ask(&s.client, "GET", "a.js", "Accept-Encoding: gzip\r\nRange: bytes=1-4\r\n"); /* of the packed bytes */
    CHECK_BYTES(r.body, r.body_count, "gzip", 4);
    scene_close(&s);
}

static void a_packed_sibling_older_than_its_file_is_forgotten(void)
{
    static const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    struct scene s;
    struct response r;

    scene_open(&s, "a.js", "let newer;", 10);
    world_write_file(&s.world, "a.js.gz", "(gzip)", 6);
    CHECK_INT(utimensat(s.world.root_fd, "a.js.gz", old, 0), 0);
    r = ask(&s.client, "GET", "a.js", "Accept-Encoding: gzip\r\n");
    CHECK_BYTES(r.body, r.body_count, "let newer;", 10);
    check_has_not(r.head, "Content-Encoding");
    scene_close(&s);
}

static void what_does_not_shrink_does_not_vary(void)
{
    struct scene s;
    struct response r;

    scene_open(&s, "a.png", "png", 3);
    world_write_file(&s.world, "a.png.gz", "(gzip)", 6);
    r = ask(&s.client, "GET", "a.png", "Accept-Encoding: gzip\r\n");
    CHECK_BYTES(r.body, r.body_count, "png", 3);
    check_has_not(r.head, "Vary");
    scene_close(&s);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(one_range_is_sent_alone),
        TEST(a_range_behind_the_end_is_416_with_the_length),
        TEST(what_is_no_range_is_passed_over),
        TEST(several_ranges_are_a_multipart_body),
        TEST(more_than_eight_ranges_get_the_whole_and_are_counted),
        TEST(ranges_of_a_large_file_come_in_order),
        TEST(if_range_sends_the_whole_when_the_file_is_another),
        TEST(a_precondition_that_fails_is_412),
        TEST(a_packed_sibling_is_sent_to_who_takes_it),
        TEST(a_packed_sibling_older_than_its_file_is_forgotten),
        TEST(what_does_not_shrink_does_not_vary),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
