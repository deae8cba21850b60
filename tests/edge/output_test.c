/* The output queue: order, partial writes, sharing, files.
 * SPDX-License-Identifier: MIT */
#include "edge/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "check.h"

static int open_filled(const char *bytes, size_t byte_count)
{
    char path[] = "/tmp/output_test.XXXXXX";
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(write(fd, bytes, byte_count), byte_count);
    return fd;
}

/* Write to one end and read from the other until the queue is empty. */
static void drain(struct output *o, struct output_pool *pool, int pair[2], struct mw_buffer *in)
{
    char bytes[50000];
    uint64_t written;
    unsigned calls;
    int result;
    ssize_t n;

    do {
        result = output_write(o, pool, pair[0], &written, &calls);
        CHECK(result >= 0);
        while ((n = recv(pair[1], bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
            CHECK_INT(mw_buffer_append(in, bytes, (size_t)n), 0);
    } while (result == 0);
}

static void what_is_queued_leaves_in_its_order(void)
{
    struct output o = {.first = NULL};
    struct output_pool pool = {.free = {NULL}};
    struct mw_buffer in, want;
    char *large = mw_alloc(200000);
    mw_value text;
    uint8_t *room;
    int pair[2], i, fd;

    memset(large, 'L', 200000);
    text = mw_text_n(large, 5000);
    mw_buffer_init(&in, 64U << 20);
    mw_buffer_init(&want, 64U << 20);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    for (i = 0; i < 60; i++) {
        CHECK_INT(output_copy(&o, &pool, "head", 4, "body", 4), 0);
        CHECK_INT(output_copy(&o, &pool, large, (size_t)i * 3000 + 1, NULL, 0), 0);
        CHECK_INT(output_share(&o, &pool, "s", 1, text, (size_t)i), 0);
        CHECK_INT(output_share(&o, &pool, NULL, 0, mw_text("short"), 0), 0);
        fd = open_filled(large, 1000);
        CHECK_INT(output_file(&o, fd, false, 10, 400), 0);
        CHECK_INT(output_file(&o, fd, true, 0, 600), 0);
        room = output_room(&o, &pool, 3, 0);
        CHECK(room != NULL);
        memcpy(room, "end", 3);
        output_added(&o, 3);
        mw_buffer_printf(&want, "headbody%.*ss%.*sshort%.*send", i * 3000 + 1, large, 5000 - i, large, 1000,
                         large);
    }
    CHECK(output_has_file(&o));
    drain(&o, &pool, pair, &in);
    CHECK(output_is_empty(&o));
    CHECK_INT(o.queued, 0);
    CHECK_INT(in.count, want.count);
    CHECK(memcmp(in.data, want.data, in.count) == 0);
    output_pool_clear(&pool);
    mw_buffer_clear(&in);
    mw_buffer_clear(&want);
    mw_release(text);
    mw_free(large);
    close(pair[0]);
    close(pair[1]);
}

static void a_small_message_needs_a_small_chunk_and_warm_queues_allocate_nothing(void)
{
    struct output o = {.first = NULL};
    struct output_pool pool = {.free = {NULL}};
    struct mw_buffer in;
    int64_t before = mw_memory_stats().live_bytes, allocations;
    int pair[2], i;

    mw_buffer_init(&in, 1 << 20);
    CHECK_INT(mw_buffer_reserve(&in, 100000), 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(output_copy(&o, &pool, "x", 1, "y", 1), 0);
    CHECK(mw_memory_stats().live_bytes - before - (int64_t)in.capacity < 600);
    drain(&o, &pool, pair, &in);
    allocations = mw_memory_stats().allocations;
    for (i = 0; i < 100; i++) {
        CHECK_INT(output_copy(&o, &pool, "x", 1, "y", 1), 0);
        drain(&o, &pool, pair, &in);
    }
    CHECK_INT(mw_memory_stats().allocations, allocations);
    output_pool_clear(&pool);
    mw_buffer_clear(&in);
    CHECK_INT(mw_memory_stats().live_bytes, before);
    close(pair[0]);
    close(pair[1]);
}

/* Behind what is queued first there is room for as much as was said to follow, whatever that is. */
static void what_is_likely_to_follow_lies_in_one_piece(void)
{
    static const size_t more[] = {0, 100, 2000, 60000};
    struct output_pool pool = {.free = {NULL}};
    size_t i;

    for (i = 0; i < MW_COUNT(more); i++) {
        struct output o = {.first = NULL};

        CHECK(output_room(&o, &pool, 10, more[i]) != NULL);
        output_added(&o, 10);
        CHECK(more[i] == 0 || output_behind(&o, more[i]) != NULL);
        output_clear(&o, &pool);
    }
    for (i = 0; i < 3; i++) { /* more than any piece has room for, and than can be counted */
        struct output o = {.first = NULL};

        CHECK(output_room(&o, &pool, 100000 * i + 10, SIZE_MAX - i) != NULL);
        output_added(&o, 100000 * i + 10);
        CHECK_INT(o.queued, 100000 * i + 10);
        output_clear(&o, &pool);
    }
    output_pool_clear(&pool);
}

static void a_copy_of_what_comes_first_is_what_would_be_written(void)
{
    struct output o = {.first = NULL};
    struct output_pool pool = {.free = {NULL}};
    mw_value text = mw_text("a text that is long enough to lie on the heap");
    uint8_t bytes[1000];
    char got[1000] = "";
    size_t at = 0;
    ssize_t n;
    int fd = open_filled("0123456789", 10);

    CHECK_INT(output_copy(&o, &pool, "head ", 5, "body ", 5), 0);
    CHECK_INT(output_share(&o, &pool, NULL, 0, text, 2), 0);
    CHECK_INT(output_file(&o, fd, false, 2, 3), 0);
    CHECK_INT(output_copy(&o, &pool, " and ", 5, NULL, 0), 0);
    CHECK_INT(output_file(&o, fd, true, 0, 2), 0);
    CHECK_INT(output_copy(&o, &pool, ".", 1, NULL, 0), 0);
    while ((n = output_peek(&o, &pool, bytes, 7)) > 0) { /* one byte fewer than was copied is sent each time */
        memcpy(got + at, bytes, (size_t)n);
        n -= n > 1;
        output_drop(&o, &pool, (size_t)n);
        at += (size_t)n;
    }
    CHECK_INT(n, 0);
    CHECK(output_is_empty(&o));
    CHECK_INT(o.queued, 0);
    CHECK_TEXT(got, "head body text that is long enough to lie on the heap234 and 01.");
    CHECK_INT(output_file(&o, open_filled("abc", 3), true, 0, 4), 0);
    CHECK_INT(output_peek(&o, &pool, bytes, sizeof bytes), -EIO); /* shorter than it said */
    output_clear(&o, &pool);
    output_pool_clear(&pool);
    mw_release(text);
}

static void a_broken_socket_raises_no_signal(void)
{
    struct output o = {.first = NULL};
    struct output_pool pool = {.free = {NULL}};
    uint64_t written;
    unsigned calls;
    int pair[2];

    (void)signal(SIGPIPE, SIG_DFL); /* it would end this program */
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    close(pair[1]);
    CHECK_INT(output_copy(&o, &pool, "x", 1, NULL, 0), 0);
    CHECK_INT(output_write(&o, &pool, pair[0], &written, &calls), -EPIPE);
    output_clear(&o, &pool);
    CHECK_INT(output_file(&o, open_filled("abc", 3), true, 0, 3), 0);
    CHECK_INT(output_write(&o, &pool, pair[0], &written, &calls), -EPIPE);
    output_clear(&o, &pool);
    CHECK_INT(output_write_now(&o, pair[0], "x", 1, "y", 1), -EPIPE);
    output_pool_clear(&pool);
    close(pair[0]);
}

static void a_file_shorter_than_it_said_is_an_error(void)
{
    struct output o = {.first = NULL};
    struct output_pool pool = {.free = {NULL}};
    uint64_t written;
    unsigned calls;
    int pair[2];

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(output_file(&o, open_filled("abc", 3), true, 0, 4), 0);
    CHECK_INT(output_write(&o, &pool, pair[0], &written, &calls), -EIO);
    output_clear(&o, &pool);
    output_pool_clear(&pool);
    close(pair[0]);
    close(pair[1]);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(what_is_queued_leaves_in_its_order),
        TEST(a_small_message_needs_a_small_chunk_and_warm_queues_allocate_nothing),
        TEST(what_is_likely_to_follow_lies_in_one_piece),
        TEST(a_copy_of_what_comes_first_is_what_would_be_written),
        TEST(a_broken_socket_raises_no_signal),
        TEST(a_file_shorter_than_it_said_is_an_error),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
