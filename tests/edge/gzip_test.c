/* Files compressed as they are asked for: who gets them so, how they are tagged, what is kept.
 * Not packed siblings; those are in ranges_test.c.
 * SPDX-License-Identifier: MIT */
#include <time.h>
#include <zlib.h>

#include "edge/gzip_cache.h"
#include "harness.h"

enum { PAGE_BYTES = 5000 };
static const struct timespec settled[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

/* Words that depend on a number. */
static void write_page(struct world *w, const char *name, unsigned number, size_t byte_count)
{
    char *text = mw_alloc(byte_count + 64);
    size_t at = 0;

    CHECK(text != NULL);
    while (at < byte_count)
        at += (size_t)snprintf(text + at, 64, "<p>speed %u of %u</p>\n", number, (unsigned)at);
    world_write_file(w, name, text, byte_count);
    CHECK_INT(utimensat(w->root_fd, name, settled, 0), 0);
    mw_free(text);
}

struct scene {
    struct world world;
    struct client client;
};

static void scene_prepare(struct scene *s)
{
    world_init(&s->world);
}

static void scene_open(struct scene *s)
{
    world_open(&s->world);
    write_page(&s->world, "a.html", 1, PAGE_BYTES);
    client_open(&s->client, &s->world);
}

static void scene_close(struct scene *s)
{
    client_close(&s->client);
    world_close(&s->world);
}

static struct response ask_for(struct scene *s, const char *method, const char *path, const char *fields)
{
    char request[1000];

    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, path, fields);
    client_say(&s->client, request);
    return client_response_to(&s->client, strcmp(method, "HEAD") == 0);
}

static struct response ask(struct scene *s, const char *method, const char *name, const char *fields)
{
    char path[100];

    snprintf(path, sizeof path, "/file/%s", name);
    return ask_for(s, method, path, fields);
}

static void take_tag(const struct response *r, char ret[120])
{
    const char *at = strstr(r->head, "ETag: ");

    CHECK(at != NULL);
    CHECK_INT(sscanf(at, "ETag: %119[^\r]", ret), 1);
}

static void check_gzip(const struct response *r, const char *want, size_t want_count)
{
    uint8_t back[PAGE_BYTES + 1];
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)r->body, .avail_in = (unsigned)r->body_count,
                  .next_out = back, .avail_out = sizeof back};

    CHECK_INT(inflateInit2(&z, 16 + 15), Z_OK);
    CHECK_INT(inflate(&z, Z_FINISH), Z_STREAM_END);
    CHECK_INT(z.avail_in, 0);
    CHECK_INT(inflateEnd(&z), Z_OK);
    CHECK_BYTES(back, sizeof back - z.avail_out, want, want_count);
}

#define GZIP "Accept-Encoding: br, gzip\r\n"

/* ---- answers -------------------------------------------------------------------------------------------- */
static void who_takes_gzip_gets_it_under_a_tag_of_its_own(void)
{
    struct scene s;
    struct response r;
    char plain[120], gzip[120], fields[200], page[PAGE_BYTES];
    int i;

    scene_prepare(&s);
    scene_open(&s);
    r = ask(&s, "GET", "a.html", "");
    CHECK_INT(r.body_count, PAGE_BYTES);
    memcpy(page, r.body, PAGE_BYTES);
    check_has(r.head, "Vary: Accept-Encoding\r\n");
    check_has_not(r.head, "Content-Encoding");
    take_tag(&r, plain);
    for (i = 0; i < 3; i++) {
        r = ask(&s, "GET", "a.html", GZIP);
        CHECK_INT(r.status, 200);
        check_has(r.head, "Content-Encoding: gzip\r\n");
        check_has(r.head, "Content-Type: text/html; charset=utf-8\r\n");
        check_has(r.head, "Vary: Accept-Encoding\r\n");
        check_has(r.head, "Cache-Control: no-cache\r\n"); /* the hook's */
        check_has_not(r.head, "Accept-Ranges");
        CHECK(r.body_count < PAGE_BYTES / 3);
        check_gzip(&r, page, PAGE_BYTES);
        take_tag(&r, gzip);
        CHECK(strcmp(gzip, plain) != 0);
    }
    snprintf(fields, sizeof fields, GZIP "If-None-Match: %s\r\n", gzip);
    r = ask(&s, "GET", "a.html", fields);
    CHECK_INT(r.status, 304);
    check_has(r.head, gzip);
    check_has_not(r.head, "Content-Encoding");
    snprintf(fields, sizeof fields, GZIP "If-None-Match: %s\r\n", plain); /* it has the other one */
    CHECK_INT(ask(&s, "GET", "a.html", fields).status, 200);
    snprintf(fields, sizeof fields, "If-None-Match: %s\r\n", gzip);
    CHECK_INT(ask(&s, "GET", "a.html", fields).status, 200);
    snprintf(fields, sizeof fields, GZIP "If-Match: %s\r\n", gzip);
    CHECK_INT(ask(&s, "GET", "a.html", fields).status, 200);
    CHECK_INT(edge_stats(s.world.edge).gzip_made, 1);
    CHECK_INT(edge_stats(s.world.edge).gzip_files, 1);
    CHECK_INT(edge_stats(s.world.edge).gzip_answers, 5);
    scene_close(&s);
}

static void head_says_the_length_of_the_gzip(void)
{
    struct scene s;
    struct response r;
    char length[64];

    scene_prepare(&s);
    scene_open(&s);
    r = ask(&s, "GET", "a.html", GZIP);
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", r.body_count);
    r = ask(&s, "HEAD", "a.html", GZIP);
    check_has(r.head, length);
    check_has(r.head, "Content-Encoding: gzip\r\n");
    CHECK_INT(ask(&s, "GET", "a.html", "").status, 200); /* nothing followed the head */
    scene_close(&s);
}

static void a_part_is_of_the_file_itself(void)
{
    struct scene s;
    struct response r;

    scene_prepare(&s);
    scene_open(&s);
    r = ask(&s, "GET", "a.html", GZIP "Range: bytes=0-2\r\n");
    CHECK_INT(r.status, 206);
    check_has_not(r.head, "Content-Encoding");
    CHECK_BYTES(r.body, r.body_count, "<p>", 3);
    scene_close(&s);
}

static void what_is_small_large_new_or_no_text_goes_as_it_is(void)
{
    static const struct {
        const char *name;
        size_t byte_count;
    } files[] = {{"small.html", 1023}, {"large.html", 20001}, {"picture.png", PAGE_BYTES}};
    const struct timespec ahead[2] = {{.tv_sec = time(NULL) + 3600}, {.tv_sec = time(NULL) + 3600}};
    struct scene s;
    struct response r;
    size_t i;

    scene_prepare(&s);
    s.world.limits.value[EDGE_LIMIT_GZIP_FILE] = 20000;
    scene_open(&s);
    for (i = 0; i < MW_COUNT(files); i++) {
        write_page(&s.world, files[i].name, 1, files[i].byte_count);
        r = ask(&s, "GET", files[i].name, GZIP);
        CHECK_INT(r.body_count, files[i].byte_count);
        check_has_not(r.head, "Content-Encoding");
    }
    CHECK_INT(utimensat(s.world.root_fd, "a.html", ahead, 0), 0); /* may be written once more without a sign of it */
    r = ask(&s, "GET", "a.html", GZIP);
    CHECK_INT(r.body_count, PAGE_BYTES);
    CHECK_INT(ask(&s, "GET", "a.html", "Accept-Encoding: gzip;q=0\r\n").body_count, PAGE_BYTES);
    CHECK_INT(edge_stats(s.world.edge).gzip_made, 0);
    CHECK_INT(edge_limits_of(s.world.edge)->hits[EDGE_LIMIT_GZIP_FILE], 1);
    scene_close(&s);
}

static void what_does_not_shrink_is_looked_at_once(void)
{
    uint8_t noise[3000];
    struct scene s;
    struct response r;
    uint32_t random = 1;
    size_t i;

    for (i = 0; i < sizeof noise; i++) {
        random = random * 1664525U + 1013904223U;
        noise[i] = (uint8_t)(random >> 24);
    }
    scene_prepare(&s);
    scene_open(&s);
    world_write_file(&s.world, "a.wasm", noise, sizeof noise);
    CHECK_INT(utimensat(s.world.root_fd, "a.wasm", settled, 0), 0);
    for (i = 0; i < 3; i++) {
        r = ask(&s, "GET", "a.wasm", GZIP);
        CHECK_BYTES(r.body, r.body_count, noise, sizeof noise);
        check_has_not(r.head, "Content-Encoding");
        check_has(r.head, "Accept-Ranges: bytes\r\n");
    }
    CHECK_INT(edge_stats(s.world.edge).gzip_made, 1);
    scene_close(&s);
}

static void a_file_that_changes_is_compressed_again(void)
{
    struct scene s;
    struct response r;
    char page[PAGE_BYTES];

    scene_prepare(&s);
    s.world.limits.value[EDGE_LIMIT_FILE_CACHE_TIME] = 0;
    scene_open(&s);
    CHECK_INT(ask(&s, "GET", "a.html", GZIP).status, 200);
    write_page(&s.world, "a.html", 2, PAGE_BYTES - 1);
    r = ask(&s, "GET", "a.html", "");
    memcpy(page, r.body, PAGE_BYTES - 1);
    r = ask(&s, "GET", "a.html", GZIP);
    check_gzip(&r, page, PAGE_BYTES - 1);
    CHECK_INT(edge_stats(s.world.edge).gzip_made, 2);
    scene_close(&s);
}

static void a_body_of_1_KiB_is_gzipped_where_the_hook_allows_it(void)
{
    char letters[PAGE_BYTES], length[64];
    struct scene s;
    struct response r;

    scene_prepare(&s);
    scene_open(&s);
    r = ask_for(&s, "GET", "/public/1023", GZIP);
    CHECK_INT(r.body_count, 1023);
    check_has_not(r.head, "Vary");
    r = ask_for(&s, "GET", "/public/5000", "");
    CHECK_INT(r.body_count, PAGE_BYTES);
    check_has_not(r.head, "Content-Encoding");
    check_has(r.head, "Vary: Accept-Encoding\r\n"); /* another client would have got something else */
    memcpy(letters, r.body, PAGE_BYTES);
    r = ask_for(&s, "GET", "/public/5000", GZIP);
    check_has(r.head, "Content-Encoding: gzip\r\n");
    check_has(r.head, "Vary: Accept-Encoding\r\n");
    CHECK(r.body_count < PAGE_BYTES / 3);
    check_gzip(&r, letters, PAGE_BYTES);
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", r.body_count);
    r = ask_for(&s, "HEAD", "/public/5000", GZIP);
    check_has(r.head, length);
    r = ask_for(&s, "GET", "/big", GZIP); /* it says nothing of that one: there may be a secret in it */
    CHECK_INT(r.body_count, 300000);
    check_has_not(r.head, "Content-Encoding");
    check_has_not(r.head, "Vary");
    CHECK_INT(edge_stats(s.world.edge).gzip_bodies, 2);
    CHECK_INT(edge_stats(s.world.edge).gzip_bytes, 0); /* none is kept */
    scene_close(&s);
}

static void a_body_that_is_long_goes_as_it_is(void)
{
    struct scene s;
    struct response r;

    scene_prepare(&s);
    s.world.limits.value[EDGE_LIMIT_GZIP_FILE] = 20000;
    scene_open(&s);
    r = ask_for(&s, "GET", "/public/20001", GZIP);
    CHECK_INT(r.body_count, 20001);
    check_has_not(r.head, "Content-Encoding");
    CHECK_INT(edge_limits_of(s.world.edge)->hits[EDGE_LIMIT_GZIP_FILE], 1);
    CHECK(ask_for(&s, "GET", "/public/20000", GZIP).body_count < 2000);
    scene_close(&s);
}

static void with_a_cache_of_0_nothing_is_compressed(void)
{
    struct scene s;

    scene_prepare(&s);
    s.world.limits.value[EDGE_LIMIT_GZIP_CACHE] = 0;
    scene_open(&s);
    CHECK_INT(ask(&s, "GET", "a.html", GZIP).body_count, PAGE_BYTES);
    CHECK_INT(ask_for(&s, "GET", "/public/5000", GZIP).body_count, PAGE_BYTES);
    scene_close(&s);
}

/* ---- the cache ------------------------------------------------------------------------------------------ */
static void open_page(struct world *w, unsigned number, size_t byte_count, struct file *ret)
{
    const struct edge_place place = {.root_fd = w->root_fd, .path = "page.html"};

    write_page(w, "page.html", number, byte_count);
    CHECK_INT(file_open(&place, ret), 0);
    snprintf(ret->etag, sizeof ret->etag, "\"%u\"", number);
}

static bool get(struct gzip_cache *cache, const struct file *file, int64_t now_ns)
{
    mw_value bytes = mw_null();
    bool is_there = gzip_cache_get(cache, file, now_ns, &bytes);

    if (is_there)
        mw_release(bytes);
    return is_there;
}

static uint64_t evicted; /* by whichever cache of the test was full */

static void the_cache_stays_within_its_bound_and_drops_what_is_oldest(void)
{
    struct world w;
    struct gzip_cache *cache;
    struct file file;
    unsigned i;

    world_init(&w);
    world_open(&w);
    evicted = 0;
    CHECK_INT(gzip_cache_open(10000, &evicted, &cache), 0);
    for (i = 1; i <= 30; i++) {
        open_page(&w, i, PAGE_BYTES, &file);
        CHECK(get(cache, &file, 0));
        CHECK(gzip_cache_stats(cache).bytes <= 10000);
        snprintf(file.etag, sizeof file.etag, "\"1\""); /* the first is asked for all the time */
        CHECK(get(cache, &file, 0));
        close(file.fd);
    }
    CHECK_INT(gzip_cache_stats(cache).made, 30);
    CHECK(gzip_cache_stats(cache).files > 1 && gzip_cache_stats(cache).files < 20);
    open_page(&w, 2, PAGE_BYTES, &file);
    CHECK(get(cache, &file, 0));
    close(file.fd);
    CHECK_INT(gzip_cache_stats(cache).made, 31); /* the second had to go */
    CHECK_INT(evicted, 31 - gzip_cache_stats(cache).files);
    gzip_cache_free(cache);
    world_close(&w);
}

static void what_is_larger_than_the_cache_is_compressed_and_not_kept(void)
{
    struct world w;
    struct gzip_cache *cache;
    struct file file;

    world_init(&w);
    world_open(&w);
    CHECK_INT(gzip_cache_open(100, &evicted, &cache), 0);
    open_page(&w, 1, PAGE_BYTES, &file);
    CHECK(get(cache, &file, 0));
    CHECK_INT(gzip_cache_stats(cache).files, 0);
    CHECK_INT(gzip_cache_stats(cache).bytes, 0);
    close(file.fd);
    gzip_cache_free(cache);
    world_close(&w);
}

static void no_more_is_compressed_in_a_second_than_may_be(void)
{
    enum { LARGE_BYTES = GZIP_BYTES_PER_S / 3 };
    const int64_t second_ns = INT64_C(1000000000);
    struct world w;
    struct gzip_cache *cache;
    struct file file;
    char letters[4096] = "";
    mw_value bytes;
    unsigned i;

    world_init(&w);
    world_open(&w);
    CHECK_INT(gzip_cache_open(1 << 20, &evicted, &cache), 0);
    open_page(&w, 1, LARGE_BYTES, &file);
    for (i = 1; i <= 4; i++) {
        snprintf(file.etag, sizeof file.etag, "\"%u\"", i);
        CHECK(get(cache, &file, 100 + i) == (i <= 3));
    }
    snprintf(file.etag, sizeof file.etag, "\"3\"");
    CHECK(get(cache, &file, 200)); /* what is kept costs nothing */
    CHECK(!gzip_cache_pack(cache, letters, sizeof letters, 200, &bytes)); /* bodies have the same bound */
    snprintf(file.etag, sizeof file.etag, "\"4\"");
    CHECK(get(cache, &file, 101 + second_ns));
    close(file.fd);
    gzip_cache_free(cache);
    world_close(&w);
}

static void each_allocation_may_fail(void)
{
    struct world w;
    struct file file;
    int64_t n;
    bool is_there = false;

    world_init(&w);
    world_open(&w);
    open_page(&w, 1, PAGE_BYTES, &file);
    for (n = 1; !is_there; n++) {
        struct gzip_cache *cache = NULL;

        CHECK(n < 100);
        mw_memory_fail_at(n, true);
        if (gzip_cache_open(1 << 20, &evicted, &cache) == 0)
            is_there = get(cache, &file, 0);
        mw_memory_fail_at(0, false);
        gzip_cache_free(cache);
    }
    CHECK(n > 4);
    close(file.fd);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(who_takes_gzip_gets_it_under_a_tag_of_its_own),
        TEST(head_says_the_length_of_the_gzip),
        TEST(a_part_is_of_the_file_itself),
        TEST(what_is_small_large_new_or_no_text_goes_as_it_is),
        TEST(what_does_not_shrink_is_looked_at_once),
        TEST(a_file_that_changes_is_compressed_again),
        TEST(a_body_of_1_KiB_is_gzipped_where_the_hook_allows_it),
        TEST(a_body_that_is_long_goes_as_it_is),
        TEST(with_a_cache_of_0_nothing_is_compressed),
        TEST(the_cache_stays_within_its_bound_and_drops_what_is_oldest),
        TEST(what_is_larger_than_the_cache_is_compressed_and_not_kept),
        TEST(no_more_is_compressed_in_a_second_than_may_be),
        TEST(each_allocation_may_fail),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
