/* Files over HTTP, and the ways out of a folder that must not exist.
 * Read next: harness.h.
 * SPDX-License-Identifier: MIT */
#include "edge/files.h"

#include "harness.h"

static void a_small_file_is_served_with_its_validators(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    world_write_file(&w, "page.html", "<p>Hello.</p>", 13);
    client_open(&c, &w);
    r = client_get(&c, "/file/page.html");
    CHECK_INT(r.status, 200);
    CHECK_BYTES(r.body, r.body_count, "<p>Hello.</p>", 13);
    check_has(r.head, "Content-Type: text/html; charset=utf-8\r\n");
    check_has(r.head, "\r\nETag: \"");
    check_has(r.head, "\r\nLast-Modified: ");
    check_has(r.head, "\r\nCache-Control: no-cache\r\n");
    check_has_not(r.head, "Content-Disposition");
    CHECK_INT(edge_stats(w.edge).writes, 1);
    client_say(&c, "HEAD /file/page.html HTTP/1.1\r\nHost: h\r\n\r\n");
    r = client_response_to(&c, true);
    check_has(r.head, "Content-Length: 13\r\n");
    client_close(&c);
    world_close(&w);
}

static void a_folder_is_shown_by_its_index(void)
{
    static const struct {
        const char *path;
        int status;
        const char *head; /* what it has to hold */
    } rows[] = {
        {"/site/docs/", 200, "Content-Type: text/html; charset=utf-8\r\n"},
        {"/site/docs/index.html", 200, "Content-Length: 4\r\n"},
        {"/site/docs", 308, "\r\nLocation: /site/docs/\r\n"},
        {"/site/docs?a=b&c", 308, "\r\nLocation: /site/docs/?a=b&c\r\n"},
        {"/site/a%20b%3C", 308, "\r\nLocation: /site/a%20b%3C/\r\n"},
        {"/site/bare/", 404, ""},
        {"/site/bare", 404, ""},
        {"/site/docs/index.html/", 404, ""},
        {"/site/", 404, ""},
        {"/file/docs", 404, ""}, /* not everywhere */
        {"/file/docs/", 404, ""},
    };
    struct world w;
    struct client c;
    size_t i;

    world_init(&w);
    world_open(&w);
    CHECK_INT(mkdirat(w.root_fd, "docs", 0755), 0);
    CHECK_INT(mkdirat(w.root_fd, "a b<", 0755), 0);
    CHECK_INT(mkdirat(w.root_fd, "bare", 0755), 0);
    world_write_file(&w, "docs/index.html", "docs", 4);
    world_write_file(&w, "a b</index.html", "more", 4);
    client_open(&c, &w);
    for (i = 0; i < MW_COUNT(rows); i++) {
        struct response r = client_get(&c, rows[i].path);

        if (r.status != rows[i].status)
            fprintf(stderr, "    %s\n", rows[i].path);
        CHECK_INT(r.status, rows[i].status);
        check_has(r.head, rows[i].head);
    }
    client_say(&c, "OPTIONS /site/docs/ HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_INT(client_response(&c).status, 204);
    client_close(&c);
    world_close(&w);
}

static void an_empty_file_is_a_file(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    world_write_file(&w, "empty.css", "", 0);
    client_open(&c, &w);
    r = client_get(&c, "/file/empty.css");
    CHECK_INT(r.status, 200);
    check_has(r.head, "Content-Length: 0\r\n");
    CHECK_INT(client_get(&c, "/body").status, 200);
    client_close(&c);
    world_close(&w);
}

static void a_known_file_is_not_sent_again(void)
{
    static const char *const known[] = {"If-None-Match: %s", "If-None-Match: \"other\", W/%s",
                                        "If-None-Match: *", "If-Modified-Since: %s"};
    struct world w;
    struct client c;
    struct response r;
    char etag[80], modified[80], line[200], request[400];
    size_t i;

    world_init(&w);
    world_open(&w);
    world_write_file(&w, "a.js", "1;", 2);
    client_open(&c, &w);
    r = client_get(&c, "/file/a.js");
    CHECK_INT(sscanf(strstr(r.head, "ETag: "), "ETag: %79[^\r]", etag), 1);
    CHECK_INT(sscanf(strstr(r.head, "Last-Modified: "), "Last-Modified: %79[^\r]", modified), 1);
    for (i = 0; i < MW_COUNT(known); i++) {
        const char *at = strstr(known[i], "%s");

        snprintf(line, sizeof line, "%.*s%s", at ? (int)(at - known[i]) : 100, known[i],
                 !at      ? ""
                 : i == 3 ? modified
                          : etag);
        snprintf(request, sizeof request, "GET /file/a.js HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", line);
        client_say(&c, request);
        r = client_response(&c);
        CHECK_INT(r.status, 304);
        check_has(r.head, etag);
        check_has_not(r.head, "Content-Length");
    }
    client_say(&c, "GET /file/a.js HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"other\"\r\nIf-Modified-Since: "
                   "Sun, 06 Nov 2094 08:49:37 GMT\r\n\r\n");
    CHECK_INT(client_response(&c).status, 200); /* the tag decides where there is one */
    client_close(&c);
    world_close(&w);
}

static void a_large_file_arrives_whole_and_keeps_its_place_in_the_order(void)
{
    enum { BYTES = 3000000 };
    struct world w;
    struct client c;
    struct response r;
    char *bytes = mw_alloc(BYTES);
    size_t i;

    for (i = 0; i < BYTES; i++)
        bytes[i] = (char)('A' + i * 7 % 53);
    world_init(&w);
    world_open(&w);
    world_write_file(&w, "large.bin", bytes, BYTES);
    client_open(&c, &w);
    client_say(&c, "GET /body HTTP/1.1\r\nHost: h\r\n\r\nGET /file/large.bin HTTP/1.1\r\nHost: h\r\n\r\n"
                   "GET /body HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_INT(client_response(&c).body_count, 13);
    r = client_response(&c);
    CHECK_INT(r.body_count, BYTES);
    CHECK(memcmp(r.body, bytes, BYTES) == 0);
    CHECK_INT(client_response(&c).body_count, 13);
    client_close(&c);
    world_close(&w);
    mw_free(bytes);
}

static void a_file_that_shrinks_under_way_ends_the_connection(void)
{
    enum { BYTES = 8000000 };
    struct world w;
    struct client c;
    char *bytes = mw_alloc(BYTES);

    memset(bytes, 'x', BYTES);
    world_init(&w);
    world_open(&w);
    world_write_file(&w, "large.bin", bytes, BYTES);
    client_open(&c, &w);
    c.is_deaf = true;
    client_say(&c, "GET /file/large.bin HTTP/1.1\r\nHost: h\r\n\r\n");
    CLIENT_UNTIL(&c, edge_stats(w.edge).requests == 1);
    world_write_file(&w, "large.bin", "short", 5);
    c.is_deaf = false;
    CLIENT_UNTIL(&c, c.has_ended);
    CHECK(c.in.count < BYTES);
    client_close(&c);
    world_close(&w);
    mw_free(bytes);
}

static void an_unknown_extension_is_an_attachment(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    world_write_file(&w, "thing.xyzzy", "?", 1);
    client_open(&c, &w);
    r = client_get(&c, "/file/thing.xyzzy");
    check_has(r.head, "Content-Type: application/octet-stream\r\n");
    check_has(r.head, "Content-Disposition: attachment\r\n");
    client_close(&c);
    world_close(&w);
}

static void the_first_place_that_has_the_file_gives_it(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    CHECK_INT(mkdirat(w.root_fd, "css", 0755), 0);
    world_write_file(&w, "css/a.css", "b{}", 3);
    client_open(&c, &w);
    r = client_get(&c, "/css/a.css");
    CHECK_BYTES(r.body, r.body_count, "b{}", 3);
    client_close(&c);
    world_close(&w);
}

static void files_take_get_and_head_only(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    world_write_file(&w, "a.css", "b{}", 3);
    client_open(&c, &w);
    client_say(&c, "POST /file/a.css HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    r = client_response(&c);
    CHECK_INT(r.status, 405);
    check_has(r.head, "Allow: GET, HEAD, OPTIONS\r\n");
    client_say(&c, "OPTIONS /file/a.css HTTP/1.1\r\nHost: h\r\n\r\n");
    r = client_response(&c);
    CHECK_INT(r.status, 204);
    check_has(r.head, "Allow: GET, HEAD, OPTIONS\r\n");
    client_close(&c);
    world_close(&w);
}

/* Everything a folder may hold that is not to be given out. */
static void lay_traps(struct world *w)
{
    CHECK_INT(mkdirat(w->root_fd, "css", 0755), 0);
    CHECK_INT(mkdirat(w->root_fd, "css/sub", 0755), 0);
    world_write_file(w, "app.c", "secret", 6);
    world_write_file(w, ".hidden", "secret", 6);
    world_write_file(w, "css/a.css", "b{}", 3);
    CHECK_INT(symlinkat("../app.c", w->root_fd, "css/out.css"), 0);
    CHECK_INT(symlinkat("/etc/passwd", w->root_fd, "css/absolute.css"), 0);
    CHECK_INT(symlinkat("..", w->root_fd, "css/up"), 0);
    CHECK_INT(symlinkat("a.css", w->root_fd, "css/inside.css"), 0);
    CHECK_INT(mkfifoat(w->root_fd, "css/fifo.css", 0644), 0);
}

static const char *const ways_out[] = {
    "/css/../app.c",
    "/css/%2e%2e/app.c",
    "/css/..%2fapp.c",
    "/css/..\\app.c",
    "/css/out.css",
    "/css/absolute.css",
    "/css/up/app.c",
    "/css/fifo.css",
    "/css/sub",
    "/css/sub/",
    "/css/",
    "/css//a.css",
    "/file/.hidden",
    "/file/css",
    "/file//etc/passwd",
    "/file/%2fetc/passwd",
    "/css/a.css/",
    "/css/a.css/x",
    "/css/./a.css",
    "/css/%252e%252e/app.c",
    "/css/..;/app.c",
};

static void no_path_leads_out_of_the_folder(void)
{
    struct world w;
    struct client c;
    size_t i;

    world_init(&w);
    world_open(&w);
    lay_traps(&w);
    client_open(&c, &w);
    CHECK_INT(client_get(&c, "/css/a.css").status, 200);
    CHECK_INT(client_get(&c, "/css/inside.css").status, 200);
    for (i = 0; i < MW_COUNT(ways_out); i++) {
        struct response r = client_get(&c, ways_out[i]);

        if (r.status != 404)
            fprintf(stderr, "    %s gets %d\n", ways_out[i], r.status);
        CHECK_INT(r.status, 404);
        check_has_not(r.body, "secret");
    }
    client_close(&c);
    world_close(&w);
}

/* What an old kernel gets instead of openat2. */
static void step_by_step_no_link_is_followed(void)
{
    static const char *const refused[] = {"css/out.css",
                                          "css/absolute.css",
                                          "css/up/app.c",
                                          "css/inside.css",
                                          "../x",
                                          "css//a.css",
                                          "/etc/passwd",
                                          ".",
                                          "",
                                          "css/",
                                          ".hidden"};
    struct world w;
    size_t i;
    int fd;

    world_init(&w);
    world_open(&w);
    lay_traps(&w);
    for (i = 0; i < MW_COUNT(refused); i++) {
        fd = file_open_by_steps(w.root_fd, refused[i], O_RDONLY);
        if (fd >= 0)
            fprintf(stderr, "    %s is opened\n", refused[i]);
        CHECK(fd < 0);
    }
    fd = file_open_by_steps(w.root_fd, "css/a.css", O_RDONLY);
    CHECK(fd >= 0);
    close(fd);
    fd = file_open_by_steps(w.root_fd, "app.c", O_RDONLY);
    CHECK(fd >= 0);
    close(fd);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_small_file_is_served_with_its_validators),
        TEST(a_folder_is_shown_by_its_index),
        TEST(an_empty_file_is_a_file),
        TEST(a_known_file_is_not_sent_again),
        TEST(a_large_file_arrives_whole_and_keeps_its_place_in_the_order),
        TEST(a_file_that_shrinks_under_way_ends_the_connection),
        TEST(an_unknown_extension_is_an_attachment),
        TEST(the_first_place_that_has_the_file_gives_it),
        TEST(files_take_get_and_head_only),
        TEST(no_path_leads_out_of_the_folder),
        TEST(step_by_step_no_link_is_followed),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
