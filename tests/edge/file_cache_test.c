/* Files held in memory: what is kept, for how long it is believed, what goes when there is no room.
 * Not their gzipped forms; those are in gzip_test.c. Read next: harness.h.
 * SPDX-License-Identifier: MIT */
#include "edge/file_cache.h"

#include "harness.h"

#define SECOND_NS INT64_C(1000000000)

/* Time stamps long past: what has just been written is not kept. */
static const struct timespec settled[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

static void write_settled(struct world *w, const char *name, const void *bytes, size_t byte_count)
{
    world_write_file(w, name, bytes, byte_count);
    CHECK_INT(utimensat(w->root_fd, name, settled, 0), 0);
}

/* ---- the cache alone, on a clock of the test's ------------------------------------------------------------ */
struct shelf {
    struct world world; /* for its folder */
    struct file_cache *cache;
    int64_t now_ns;
    uint64_t evicted;
};

static void shelf_open(struct shelf *s, size_t bytes, size_t file_bytes)
{
    struct file_cache_limits limits = {.bytes = bytes, .file_bytes = file_bytes, .fresh_ns = SECOND_NS, .evicted = &s->evicted};

    *s = (struct shelf){.now_ns = 5 * SECOND_NS};
    world_init(&s->world);
    world_open(&s->world);
    CHECK_INT(file_cache_open(&limits, &s->cache), 0);
}

static void shelf_close(struct shelf *s)
{
    file_cache_free(s->cache);
    world_close(&s->world);
}

static int find(struct shelf *s, const char *folder, const char *path, struct file *ret)
{
    struct edge_place place = {.root_fd = s->world.root_fd, .folder = folder, .path = path};

    return file_cache_find(s->cache, &place, s->now_ns, ret);
}

/* Find it, and see that it holds this text; whether it came out of memory. */
static bool check_finds(struct shelf *s, const char *path, const char *want)
{
    char got[100];
    struct file file;
    bool is_in_memory;

    CHECK_INT(find(s, NULL, path, &file), 0);
    CHECK_INT(file.byte_count, strlen(want));
    CHECK(file_read(&file, 0, strlen(want), got));
    CHECK_BYTES(got, strlen(want), want, strlen(want));
    is_in_memory = file.fd < 0;
    file_close(&file);
    return is_in_memory;
}

static void check_finds_none(struct shelf *s, const char *path)
{
    struct file file;

    CHECK_INT(find(s, NULL, path, &file), -ENOENT);
}

static void a_file_is_opened_once_within_the_time_that_it_is_believed(void)
{
    struct shelf s;

    shelf_open(&s, 1 << 20, 1000);
    write_settled(&s.world, "a.css", "one", 3);
    CHECK(check_finds(&s, "a.css", "one"));
    CHECK_INT(file_cache_stats(s.cache).found, 0);
    s.now_ns += SECOND_NS - 1;
    CHECK(check_finds(&s, "a.css", "one"));
    CHECK_INT(file_cache_stats(s.cache).found, 1);
    CHECK_INT(file_cache_stats(s.cache).files, 1);
    s.now_ns += 1; /* a look, and the bytes stay */
    CHECK(check_finds(&s, "a.css", "one"));
    CHECK_INT(file_cache_stats(s.cache).checked, 1);
    CHECK(check_finds(&s, "a.css", "one"));
    CHECK_INT(file_cache_stats(s.cache).found, 2);
    shelf_close(&s);
}

static void replace_by_rename(struct shelf *s)
{
    write_settled(&s->world, "b.css", "two", 3);
    CHECK_INT(renameat(s->world.root_fd, "b.css", s->world.root_fd, "a.css"), 0);
}

/* Same inode, size and time of modification. Some file systems' clocks move on every few milliseconds only. */
static void write_over(struct shelf *s)
{
    struct stat before, after;

    CHECK_INT(fstatat(s->world.root_fd, "a.css", &before, 0), 0);
    do {
        write_settled(&s->world, "a.css", "two", 3);
        CHECK_INT(fstatat(s->world.root_fd, "a.css", &after, 0), 0);
    } while (after.st_ctim.tv_sec == before.st_ctim.tv_sec && after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
}

static void link_to_another(struct shelf *s)
{
    CHECK_INT(unlinkat(s->world.root_fd, "a.css", 0), 0);
    write_settled(&s->world, "b.css", "two", 3);
    CHECK_INT(symlinkat("b.css", s->world.root_fd, "a.css"), 0);
}

static void a_change_is_seen_once_the_time_is_over(void)
{
    static void (*const changes[])(struct shelf *) = {replace_by_rename, write_over, link_to_another};
    struct shelf s;
    size_t i;

    for (i = 0; i < MW_COUNT(changes); i++) {
        shelf_open(&s, 1 << 20, 1000);
        write_settled(&s.world, "a.css", "one", 3);
        CHECK(check_finds(&s, "a.css", "one"));
        changes[i](&s);
        s.now_ns += SECOND_NS - 1;
        (void)check_finds(&s, "a.css", "one");
        s.now_ns += 1;
        (void)check_finds(&s, "a.css", "two");
        CHECK_INT(file_cache_stats(s.cache).files, 1);
        shelf_close(&s);
    }
}

static void lose(struct shelf *s)
{
    CHECK_INT(unlinkat(s->world.root_fd, "a.css", 0), 0);
}

static void forbid(struct shelf *s)
{
    CHECK_INT(unlinkat(s->world.root_fd, "a.css", 0), 0);
    CHECK_INT(symlinkat("/etc/passwd", s->world.root_fd, "a.css"), 0);
}

static void become_a_folder(struct shelf *s)
{
    CHECK_INT(unlinkat(s->world.root_fd, "a.css", 0), 0);
    CHECK_INT(mkdirat(s->world.root_fd, "a.css", 0755), 0);
}

static void what_is_no_file_of_the_folder_any_more_goes(void)
{
    static void (*const changes[])(struct shelf *) = {lose, forbid, become_a_folder};
    struct shelf s;
    size_t i;

    for (i = 0; i < MW_COUNT(changes); i++) {
        shelf_open(&s, 1 << 20, 1000);
        write_settled(&s.world, "a.css", "one", 3);
        CHECK(check_finds(&s, "a.css", "one"));
        changes[i](&s);
        s.now_ns += SECOND_NS;
        check_finds_none(&s, "a.css");
        CHECK_INT(file_cache_stats(s.cache).files, 0);
        CHECK_INT(file_cache_stats(s.cache).missing, 1);
        shelf_close(&s);
    }
}

static void a_name_that_is_no_file_is_looked_for_once_and_found_when_it_is_made(void)
{
    struct shelf s;

    shelf_open(&s, 1 << 20, 1000);
    check_finds_none(&s, "a.css");
    check_finds_none(&s, "a.css");
    CHECK_INT(file_cache_stats(s.cache).found, 1);
    write_settled(&s.world, "a.css", "one", 3);
    s.now_ns += SECOND_NS;
    CHECK(check_finds(&s, "a.css", "one"));
    CHECK_INT(file_cache_stats(s.cache).missing, 0);
    shelf_close(&s);
}

static void what_was_just_written_or_is_large_is_opened_each_time(void)
{
    struct shelf s;

    shelf_open(&s, 1 << 20, 3);
    world_write_file(&s.world, "new.css", "one", 3);
    CHECK(!check_finds(&s, "new.css", "one"));
    CHECK(!check_finds(&s, "new.css", "one"));
    write_settled(&s.world, "large.css", "four", 4);
    CHECK(!check_finds(&s, "large.css", "four"));
    CHECK(!check_finds(&s, "large.css", "four"));
    CHECK_INT(file_cache_stats(s.cache).too_large, 2);
    write_settled(&s.world, "small.css", "one", 3);
    CHECK(check_finds(&s, "small.css", "one"));
    write_settled(&s.world, "empty.css", "", 0);
    CHECK(check_finds(&s, "empty.css", ""));
    CHECK_INT(file_cache_stats(s.cache).files, 2);
    shelf_close(&s);
}

static void without_a_time_it_is_believed_never_and_its_bytes_stay(void)
{
    uint64_t evicted = 0;
    struct file_cache_limits limits = {.bytes = 1 << 20, .file_bytes = 1000, .evicted = &evicted};
    struct shelf s;

    shelf_open(&s, 1 << 20, 1000);
    file_cache_free(s.cache);
    CHECK_INT(file_cache_open(&limits, &s.cache), 0);
    write_settled(&s.world, "a.css", "one", 3);
    CHECK(check_finds(&s, "a.css", "one"));
    CHECK(check_finds(&s, "a.css", "one"));
    CHECK_INT(file_cache_stats(s.cache).checked, 1);
    replace_by_rename(&s);
    CHECK(check_finds(&s, "a.css", "two"));
    shelf_close(&s);
}

static void the_budget_holds_and_what_was_asked_for_longest_ago_goes(void)
{
    enum { FILES = 40, FILE_BYTES = 1000, BUDGET = 16000 };
    char text[FILE_BYTES + 1], name[16];
    struct shelf s;
    int i;

    memset(text, 'x', FILE_BYTES);
    text[FILE_BYTES] = '\0';
    shelf_open(&s, BUDGET, FILE_BYTES);
    write_settled(&s.world, "a.css", "one", 3);
    for (i = 0; i < FILES; i++) {
        struct file file;

        CHECK(check_finds(&s, "a.css", "one")); /* asked for all the time: it stays */
        snprintf(name, sizeof name, "%d.css", i);
        write_settled(&s.world, name, text, FILE_BYTES);
        CHECK_INT(find(&s, NULL, name, &file), 0);
        CHECK_INT(mw_kind_of(file.bytes), MW_BYTES);
        file_close(&file);
        CHECK(file_cache_stats(s.cache).bytes <= BUDGET);
    }
    CHECK_INT(file_cache_stats(s.cache).found, FILES - 1);
    CHECK(file_cache_stats(s.cache).files > 5);
    CHECK_INT(s.evicted, FILES + 1 - file_cache_stats(s.cache).files);
    shelf_close(&s);
}

static void names_that_are_no_file_drive_out_none(void)
{
    char name[16];
    struct shelf s;
    int i;

    shelf_open(&s, 20000, 1000);
    write_settled(&s.world, "a.css", "one", 3);
    CHECK(check_finds(&s, "a.css", "one"));
    for (i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "%d.css", i);
        check_finds_none(&s, name);
    }
    CHECK(file_cache_stats(s.cache).missing > 1 && file_cache_stats(s.cache).missing < 100);
    CHECK_INT(s.evicted, 0);
    CHECK(check_finds(&s, "a.css", "one"));
    CHECK_INT(file_cache_stats(s.cache).found, 1);
    shelf_close(&s);
}

static void a_file_larger_than_the_budget_is_given_and_not_kept(void)
{
    struct shelf s;

    shelf_open(&s, 100, 1000);
    write_settled(&s.world, "a.css", "one", 3);
    CHECK(check_finds(&s, "a.css", "one"));
    CHECK_INT(file_cache_stats(s.cache).files, 0);
    CHECK_INT(file_cache_stats(s.cache).bytes, 0);
    check_finds_none(&s, "b.css");
    CHECK_INT(file_cache_stats(s.cache).missing, 0);
    shelf_close(&s);
}

static void folders_and_paths_are_not_mistaken_for_one_another(void)
{
    struct shelf s;
    struct file file;

    shelf_open(&s, 1 << 20, 1000);
    CHECK_INT(mkdirat(s.world.root_fd, "css", 0755), 0);
    write_settled(&s.world, "css/a.css", "one", 3);
    write_settled(&s.world, "a.css", "two", 3);
    CHECK(check_finds(&s, "a.css", "two"));
    CHECK(check_finds(&s, "css/a.css", "one"));
    CHECK_INT(find(&s, "css", "a.css", &file), 0);
    CHECK(file_cache_stats(s.cache).files == 3);
    file_close(&file);
    shelf_close(&s);
}

static void each_allocation_may_fail(void)
{
    struct file_cache_limits limits = {.bytes = 1 << 20, .file_bytes = 1000};
    struct shelf s;
    int64_t n;
    bool is_kept = false;

    shelf_open(&s, 1 << 20, 1000);
    file_cache_free(s.cache);
    limits.evicted = &s.evicted;
    write_settled(&s.world, "a.css", "one", 3);
    for (n = 1; !is_kept; n++) {
        CHECK(n < 100);
        s.cache = NULL;
        mw_memory_fail_at(n, true);
        if (file_cache_open(&limits, &s.cache) == 0)
            (void)check_finds(&s, "a.css", "one"); /* from the disk, where there is no memory for it */
        mw_memory_fail_at(0, false);
        is_kept = file_cache_stats(s.cache).files == 1;
        file_cache_free(s.cache);
    }
    CHECK(n > 3);
    s.cache = NULL;
    shelf_close(&s);
}

/* ---- answers ---------------------------------------------------------------------------------------------- */
static struct response ask(struct client *c, const char *method, const char *name, const char *fields)
{
    char request[1000];

    snprintf(request, sizeof request, "%s /file/%s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, name, fields);
    client_say(c, request);
    return client_response_to(c, strcmp(method, "HEAD") == 0);
}

/* The same requests of a file on the disk and in memory get the same answers. */
static void an_answer_out_of_memory_is_the_same_as_from_the_disk(void)
{
    enum { FILE_BYTES = 10000 };
    static const char *const fields[] = {
        "", "Range: bytes=10-19\r\n", "Range: bytes=0-\r\n", "Range: bytes=-5\r\n", "Range: bytes=20000-\r\n",
        "If-None-Match: *\r\n", "If-Match: \"other\"\r\n", "If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n",
        "If-Range: \"other\"\r\nRange: bytes=0-1\r\n", "Accept-Encoding: gzip\r\n", "Accept-Encoding: br\r\n",
        "Connection: close\r\n"};
    static const char *const names[] = {"a.css", "b.png"};
    struct world worlds[2];
    uint8_t text[FILE_BYTES];
    size_t i, n, which;

    for (i = 0; i < FILE_BYTES; i++)
        text[i] = (uint8_t)(i * 7 % 251);
    for (which = 0; which < 2; which++) {
        world_init(&worlds[which]);
        worlds[which].limits.value[EDGE_LIMIT_FILE_CACHE] = which == 0 ? 0 : 1 << 20;
        worlds[which].limits.value[EDGE_LIMIT_GZIP_CACHE] = 0;
        world_open(&worlds[which]);
    }
    close(worlds[1].root_fd); /* both serve the same files: tags tell them apart by inode */
    worlds[1].root_fd = fcntl(worlds[0].root_fd, F_DUPFD_CLOEXEC, 0);
    write_settled(&worlds[0], "a.css", text, FILE_BYTES);
    write_settled(&worlds[0], "a.css.br", "brotli", 6);
    write_settled(&worlds[0], "a.css.gz", "gzipped", 7);
    write_settled(&worlds[0], "b.png", text, FILE_BYTES / 4);
    for (n = 0; n < MW_COUNT(names); n++) {
        for (i = 0; i < 2 * MW_COUNT(fields); i++) {
            const char *method = i % 2 == 0 ? "GET" : "HEAD";
            struct response r[3];
            struct client clients[3];
            char *body;

            for (which = 0; which < 3; which++) {
                char *date;

                client_open(&clients[which], &worlds[which > 0]);
                r[which] = ask(&clients[which], method, names[n], fields[i / 2]);
                date = strstr(r[which].head, "Date: ");
                CHECK(date != NULL);
                memset(date + 6, '-', 29); /* a second may have passed */
            }
            for (which = 1; which < 3; which++) {
                body = mw_alloc(r[0].body_count + 1);
                CHECK(body != NULL);
                memcpy(body, r[0].body, r[0].body_count);
                CHECK_INT(r[which].status, r[0].status);
                CHECK_TEXT(r[which].head, r[0].head);
                CHECK_BYTES(r[which].body, r[which].body_count, body, r[0].body_count);
                mw_free(body);
            }
            for (which = 0; which < 3; which++)
                client_close(&clients[which]);
        }
    }
    CHECK(edge_stats(worlds[1].edge).cached_files == 4);
    CHECK_INT(edge_stats(worlds[0].edge).cached_files, 0);
    world_close(&worlds[1]);
    world_close(&worlds[0]);
}

static void requests_at_once_leave_in_one_write(void)
{
    static const char *const names[] = {"a.css", "b.css"};
    static const size_t counts[] = {1024, 5000};
    enum { AT_ONCE = 8 };
    char text[5000], requests[AT_ONCE * 60] = "";
    struct world w;
    struct client c;
    struct response r;
    size_t n;
    int i;

    memset(text, 'x', sizeof text);
    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    for (n = 0; n < MW_COUNT(names); n++) {
        uint64_t before;

        write_settled(&w, names[n], text, counts[n]);
        CHECK_INT(ask(&c, "GET", names[n], "").body_count, counts[n]);
        before = edge_stats(w.edge).writes;
        requests[0] = '\0';
        for (i = 0; i < AT_ONCE; i++)
            snprintf(requests + strlen(requests), sizeof requests - strlen(requests),
                     "GET /file/%s HTTP/1.1\r\nHost: h\r\n\r\n", names[n]);
        client_say(&c, requests);
        for (i = 0; i < AT_ONCE; i++) {
            r = client_response(&c);
            CHECK_INT(r.status, 200);
            CHECK_BYTES(r.body, r.body_count, text, counts[n]);
        }
        CHECK_INT(edge_stats(w.edge).writes, before + 1);
    }
    client_close(&c);
    world_close(&w);
}

static bool answers_with(struct client *c, const char *fields, const char *want)
{
    struct response r = ask(c, "GET", "a.css", fields);

    return r.body_count == strlen(want) && memcmp(r.body, want, strlen(want)) == 0;
}

static void a_client_gets_what_changed_before_long(void)
{
    struct world w;
    struct client c;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_FILE_CACHE_TIME] = 5;
    w.limits.value[EDGE_LIMIT_REQUESTS] = 1000000; /* it asks until the answer is another */
    world_open(&w);
    client_open(&c, &w);
    write_settled(&w, "a.css", "one", 3);
    CHECK(answers_with(&c, "", "one"));
    write_settled(&w, "b.css", "two", 3);
    CHECK_INT(renameat(w.root_fd, "b.css", w.root_fd, "a.css"), 0);
    CLIENT_UNTIL(&c, answers_with(&c, "", "two"));
    CHECK(answers_with(&c, "Accept-Encoding: gzip\r\n", "two"));
    write_settled(&w, "a.css.gz", "packed", 6); /* a sibling that was not there */
    CLIENT_UNTIL(&c, answers_with(&c, "Accept-Encoding: gzip\r\n", "packed"));
    CHECK_INT(unlinkat(w.root_fd, "a.css.gz", 0), 0);
    CLIENT_UNTIL(&c, answers_with(&c, "Accept-Encoding: gzip\r\n", "two"));
    CHECK_INT(unlinkat(w.root_fd, "a.css", 0), 0);
    CLIENT_UNTIL(&c, ask(&c, "GET", "a.css", "").status == 404);
    write_settled(&w, "a.css", "three", 5);
    CLIENT_UNTIL(&c, answers_with(&c, "", "three"));
    client_close(&c);
    world_close(&w);
}

static void the_limits_of_the_edge_are_the_caches(void)
{
    struct world w;
    struct client c;
    char name[16];
    int i;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_FILE_CACHE] = 5000;
    w.limits.value[EDGE_LIMIT_FILE_CACHE_FILE] = 100;
    world_open(&w);
    client_open(&c, &w);
    for (i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "%d.css", i);
        write_settled(&w, name, "some style", 10);
        CHECK_INT(ask(&c, "GET", name, "").body_count, 10);
    }
    CHECK(edge_stats(w.edge).cached_bytes <= 5000);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_FILE_CACHE], 30 - edge_stats(w.edge).cached_files);
    write_settled(&w, "large.css", mw_get_text(&w.big, NULL), 200000);
    CHECK_INT(ask(&c, "GET", "large.css", "").body_count, 200000); /* by sendfile */
    CHECK_INT(edge_stats(w.edge).cache_too_large, 1);
    client_close(&c);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_file_is_opened_once_within_the_time_that_it_is_believed),
        TEST(a_change_is_seen_once_the_time_is_over),
        TEST(what_is_no_file_of_the_folder_any_more_goes),
        TEST(a_name_that_is_no_file_is_looked_for_once_and_found_when_it_is_made),
        TEST(what_was_just_written_or_is_large_is_opened_each_time),
        TEST(without_a_time_it_is_believed_never_and_its_bytes_stay),
        TEST(the_budget_holds_and_what_was_asked_for_longest_ago_goes),
        TEST(names_that_are_no_file_drive_out_none),
        TEST(a_file_larger_than_the_budget_is_given_and_not_kept),
        TEST(folders_and_paths_are_not_mistaken_for_one_another),
        TEST(each_allocation_may_fail),
        TEST(an_answer_out_of_memory_is_the_same_as_from_the_disk),
        TEST(requests_at_once_leave_in_one_write),
        TEST(a_client_gets_what_changed_before_long),
        TEST(the_limits_of_the_edge_are_the_caches),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
