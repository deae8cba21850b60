/* The queue of what is to be sent, and the one place that writes to a connection's socket.
 * Not when to write; that is connection.c. Read next: connection.c.
 * SPDX-License-Identifier: MIT */
#include "edge/output.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

/* Messages are copied together into chunks of four sizes, which are pooled; what is larger has a chunk of its own.
 * Most clients of a broadcast need the smallest only; the next holds the head before a shared file, the largest a read of
 * 64 KiB echoed, or a small file. */
static const size_t class_room[] = {448, 1472, 16320, 66560};
/* How much of each stays pooled: of the smallest, a broadcast to ten thousand. */
static const size_t class_pooled[] = {8 << 20, 1 << 20, 1 << 20, 1 << 20};
enum { CLASSES = MW_COUNT(class_room), IOV_MAX_COUNT = 64, FILE_STEP = 1 << 18 };
enum { CLASS_SMALLEST, CLASS_GATHERING = 2 };

struct output_chunk {
    struct output_chunk *next;
    size_t start, end, room; /* of data, which is sent first */
    mw_value value;          /* then this, from value_at on; null: nothing */
    size_t value_at;
    int fd; /* then this file; -1: none */
    bool owns_fd;
    uint64_t file_at, file_left;
    uint8_t data[];
};

/* CLASSES: none, it needs a chunk of its own. Where more is likely to be put behind it, a larger one is taken at once. */
static size_t class_for(size_t bytes, bool is_alone)
{
    size_t size_class = is_alone ? CLASS_SMALLEST : CLASS_GATHERING;

    while (size_class < CLASSES && class_room[size_class] < bytes)
        size_class++;
    return size_class;
}

/* more  bytes that are likely to be put behind these */
static struct output_chunk *chunk_new(struct output_pool *pool, size_t bytes, size_t more, bool is_alone)
{
    const size_t most = class_room[CLASSES - 1], likely = bytes >= most || more > most - bytes ? most : bytes + more;
    size_t size_class = class_for(bytes < likely ? likely : bytes, is_alone), room = size_class < CLASSES ? class_room[size_class] : bytes;
    struct output_chunk *chunk = size_class < CLASSES ? pool->free[size_class] : NULL;

    if (chunk) {
        pool->free[size_class] = chunk->next;
        pool->free_count[size_class]--;
    } else {
        chunk = mw_alloc(sizeof *chunk + room);
        if (!chunk)
            return NULL;
    }
    *chunk = (struct output_chunk){.room = room, .value = mw_null(), .fd = -1};
    return chunk;
}

static void chunk_free(struct output_pool *pool, struct output_chunk *chunk)
{
    size_t size_class = class_for(chunk->room, true);

    mw_release(chunk->value);
    if (chunk->fd >= 0 && chunk->owns_fd)
        (void)close(chunk->fd); /* opened for reading: nothing to lose */
    if (size_class == CLASSES || chunk->room != class_room[size_class] ||
        pool->free_count[size_class] >= class_pooled[size_class] / class_room[size_class]) {
        mw_free(chunk);
        return;
    }
    chunk->next = pool->free[size_class];
    pool->free[size_class] = chunk;
    pool->free_count[size_class]++;
}

void output_pool_clear(struct output_pool *pool)
{
    size_t size_class;

    for (size_class = 0; size_class < CLASSES; size_class++) {
        while (pool->free[size_class]) {
            struct output_chunk *chunk = pool->free[size_class];

            pool->free[size_class] = chunk->next;
            mw_free(chunk);
        }
        pool->free_count[size_class] = 0;
    }
}

static void output_push(struct output *o, struct output_chunk *chunk)
{
    if (o->last)
        o->last->next = chunk;
    else
        o->first = chunk;
    o->last = chunk;
}

/* Nothing but bytes lies behind what is in it, and so many more have room. */
static inline bool chunk_has_room(const struct output_chunk *chunk, size_t bytes)
{
    return chunk->fd < 0 && mw_kind_of(chunk->value) == MW_NULL && chunk->room - chunk->end >= bytes;
}

/* A chunk at the end with room for that many bytes.
 * is_alone  nothing else will be put into it, should it be a new one */
static struct output_chunk *output_tail(struct output *o, struct output_pool *pool, size_t bytes, size_t more, bool is_alone)
{
    struct output_chunk *tail = o->last;

    if (tail && chunk_has_room(tail, bytes))
        return tail;
    tail = chunk_new(pool, bytes, more, is_alone);
    if (tail)
        output_push(o, tail);
    return tail;
}

static void chunk_append(struct output *o, struct output_chunk *chunk, const void *bytes, size_t byte_count)
{
    if (byte_count == 0)
        return;
    memcpy(chunk->data + chunk->end, bytes, byte_count);
    chunk->end += byte_count;
    o->queued += byte_count;
}

int output_copy(struct output *o, struct output_pool *pool, const void *head, size_t head_count,
                const void *bytes, size_t byte_count)
{
    struct output_chunk *chunk;
    size_t total;

    if (!mw_add_size(head_count, byte_count, &total) || total > SIZE_MAX / 2)
        return -ENOMEM;
    chunk = output_tail(o, pool, total, 0, o->first == NULL);
    if (!chunk)
        return -ENOMEM;
    chunk_append(o, chunk, head, head_count);
    chunk_append(o, chunk, bytes, byte_count);
    return 0;
}

uint8_t *output_room(struct output *o, struct output_pool *pool, size_t byte_count, size_t more)
{
    struct output_chunk *chunk = output_tail(o, pool, byte_count, more, o->first == NULL);

    return chunk ? chunk->data + chunk->end : NULL;
}

void output_added(struct output *o, size_t byte_count)
{
    o->last->end += byte_count;
    o->queued += byte_count;
}

uint8_t *output_behind(struct output *o, size_t byte_count)
{
    struct output_chunk *tail = o->last;
    uint8_t *at;

    if (!tail || !chunk_has_room(tail, byte_count))
        return NULL;
    at = tail->data + tail->end;
    tail->end += byte_count;
    o->queued += byte_count;
    return at;
}

int output_share(struct output *o, struct output_pool *pool, const void *head, size_t head_count,
                 mw_value borrows, size_t offset)
{
    struct output_chunk *chunk = output_tail(o, pool, head_count, 0, true);
    size_t count = 0;

    if (!chunk)
        return -ENOMEM;
    (void)mw_get_text(&borrows, &count);
    chunk_append(o, chunk, head, head_count);
    chunk->value = mw_share(borrows);
    chunk->value_at = offset;
    o->queued += count - offset;
    return 0;
}

int output_file(struct output *o, int fd, bool is_last, uint64_t first, uint64_t byte_count)
{
    struct output_chunk *chunk;

    if (o->last && o->last->fd < 0 && mw_kind_of(o->last->value) == MW_NULL) {
        chunk = o->last;
    } else {
        chunk = mw_alloc(sizeof *chunk);
        if (!chunk) {
            if (is_last)
                (void)close(fd);
            return -ENOMEM;
        }
        *chunk = (struct output_chunk){.value = mw_null(), .fd = -1};
        output_push(o, chunk);
    }
    chunk->fd = fd;
    chunk->owns_fd = is_last;
    chunk->file_at = first;
    chunk->file_left = byte_count;
    return 0;
}

bool output_has_file(const struct output *o)
{
    const struct output_chunk *chunk;

    for (chunk = o->first; chunk; chunk = chunk->next) {
        if (chunk->fd >= 0)
            return true;
    }
    return false;
}

static void output_pop(struct output *o, struct output_pool *pool)
{
    struct output_chunk *chunk = o->first;

    o->first = chunk->next;
    if (!o->first)
        o->last = NULL;
    chunk_free(pool, chunk);
}

void output_clear(struct output *o, struct output_pool *pool)
{
    while (o->first)
        output_pop(o, pool);
    o->queued = 0;
}

/* What of a chunk lies in memory, as up to two runs. */
static size_t chunk_runs(const struct output_chunk *chunk, struct iovec iov[2])
{
    size_t n = 0, count = 0;
    const char *text;

    if (chunk->end > chunk->start)
        iov[n++] = (struct iovec){(void *)(uintptr_t)(chunk->data + chunk->start), chunk->end - chunk->start};
    text = mw_get_text(&chunk->value, &count);
    if (text && count > chunk->value_at)
        iov[n++] = (struct iovec){(void *)(uintptr_t)(text + chunk->value_at), count - chunk->value_at};
    return n;
}

/* Runs of memory up to the first file; *ret_more: that file follows. */
static size_t output_gather(const struct output *o, struct iovec iov[IOV_MAX_COUNT], bool *ret_more)
{
    const struct output_chunk *chunk;
    size_t n = 0;

    *ret_more = false;
    for (chunk = o->first; chunk && n + 2 <= IOV_MAX_COUNT; chunk = chunk->next) {
        n += chunk_runs(chunk, iov + n);
        if (chunk->fd >= 0) {
            *ret_more = true;
            break;
        }
    }
    return n;
}

/* Take written bytes off the front. */
static void output_advance(struct output *o, struct output_pool *pool, size_t written)
{
    o->queued -= written;
    while (o->first) {
        struct output_chunk *chunk = o->first;
        size_t in_data = chunk->end - chunk->start, in_value = 0;

        if (mw_get_text(&chunk->value, &in_value))
            in_value -= chunk->value_at;
        if (written < in_data) {
            chunk->start += written;
            return;
        }
        chunk->start = chunk->end;
        written -= in_data;
        if (written < in_value) {
            chunk->value_at += written;
            return;
        }
        chunk->value_at += in_value;
        written -= in_value;
        if (chunk->fd >= 0)
            return;
        output_pop(o, pool);
    }
}

/* sendfile knows no MSG_NOSIGNAL: a SIGPIPE of ours is held back and taken away, one of the host's stays. */
static ssize_t send_file_quietly(int to, int from, off_t *io_at, size_t bytes)
{
    static const struct timespec at_once = {0, 0};
    sigset_t pipe_only, before, pending;
    ssize_t n;
    int err;

    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)sigpending(&pending);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    n = sendfile(to, from, io_at, bytes);
    err = errno;
    if (n < 0 && err == EPIPE && !sigismember(&pending, SIGPIPE))
        (void)sigtimedwait(&pipe_only, NULL, &at_once);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = err;
    return n;
}

/* 1: this file has been sent, 0: the socket is full, negative: broken. */
static int chunk_send_file(struct output_chunk *chunk, int fd, uint64_t *io_written, unsigned *io_calls)
{
    while (chunk->file_left > 0) {
        off_t at = (off_t)chunk->file_at;
        size_t step = chunk->file_left < FILE_STEP ? (size_t)chunk->file_left : FILE_STEP;
        ssize_t n = send_file_quietly(fd, chunk->fd, &at, step);

        ++*io_calls;
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (n == 0)
            return -EIO; /* shorter than its length said */
        chunk->file_at += (uint64_t)n;
        chunk->file_left -= (uint64_t)n;
        *io_written += (uint64_t)n;
    }
    return 1;
}

/* ---- for a way out that wants bytes --------------------------------------------------------------------- */
/* Copy what of a chunk comes first, up to room bytes. */
static ssize_t chunk_copy(const struct output_chunk *chunk, uint8_t *ret_bytes, size_t room)
{
    struct iovec runs[2];
    size_t n = chunk_runs(chunk, runs), i, copied = 0;

    for (i = 0; i < n && copied < room; i++) {
        size_t count = runs[i].iov_len < room - copied ? runs[i].iov_len : room - copied;

        memcpy(ret_bytes + copied, runs[i].iov_base, count);
        copied += count;
    }
    if (copied < room && chunk->fd >= 0 && chunk->file_left > 0) {
        size_t count = chunk->file_left < room - copied ? (size_t)chunk->file_left : room - copied;

        if (pread(chunk->fd, ret_bytes + copied, count, (off_t)chunk->file_at) != (ssize_t)count)
            return -EIO;
        copied += count;
    }
    return (ssize_t)copied;
}

ssize_t output_peek(struct output *o, struct output_pool *pool, uint8_t *ret_bytes, size_t room)
{
    const struct output_chunk *chunk;
    size_t copied = 0;

    output_drop(o, pool, 0); /* chunks that hold nothing any more */
    for (chunk = o->first; chunk && copied < room; chunk = chunk->next) {
        ssize_t n = chunk_copy(chunk, ret_bytes + copied, room - copied);

        if (n < 0)
            return n;
        copied += (size_t)n;
    }
    return (ssize_t)copied;
}

void output_drop(struct output *o, struct output_pool *pool, size_t byte_count)
{
    struct output_chunk *chunk;

    while ((chunk = o->first) != NULL) {
        struct iovec runs[2];
        size_t n = chunk_runs(chunk, runs), in_memory = 0, of_file = 0, i;

        for (i = 0; i < n; i++)
            in_memory += runs[i].iov_len;
        if (byte_count < in_memory) {
            output_advance(o, pool, byte_count);
            return;
        }
        o->queued -= in_memory;
        byte_count -= in_memory;
        chunk->start = chunk->end;
        mw_release(chunk->value);
        chunk->value = mw_null();
        if (chunk->fd >= 0) {
            of_file = chunk->file_left < byte_count ? (size_t)chunk->file_left : byte_count;
            chunk->file_at += of_file;
            chunk->file_left -= of_file;
            byte_count -= of_file;
            if (chunk->file_left > 0)
                return;
        }
        output_pop(o, pool);
    }
}

ssize_t output_write_now(const struct output *o, int fd, const void *head, size_t head_count,
                         const void *bytes, size_t byte_count)
{
    struct iovec iov[2] = {{(void *)(uintptr_t)head, head_count}, {(void *)(uintptr_t)bytes, byte_count}};
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
    ssize_t written;

    if (o->first)
        return 0;
    written = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    return written;
}

/* 1: all that was gathered is written, 0: the socket is full, negative: broken. */
static int output_send(struct output *o, struct output_pool *pool, int fd, struct iovec *iov, size_t n,
                       bool has_more, uint64_t *io_written)
{
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = n};
    size_t total = 0, i;
    ssize_t written;

    for (i = 0; i < n; i++)
        total += iov[i].iov_len;
    written = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT | (has_more ? MSG_MORE : 0));
    if (written < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    *io_written += (uint64_t)written;
    output_advance(o, pool, (size_t)written);
    return (size_t)written == total;
}

/* All that was gathered, or a file. As output_send. */
static int output_write_many(struct output *o, struct output_pool *pool, int fd, uint64_t *ret_written, unsigned *ret_calls)
{
    while (o->first) {
        struct iovec iov[IOV_MAX_COUNT];
        bool has_more;
        size_t n = output_gather(o, iov, &has_more);
        int done = 1;

        if (n > 0) {
            ++*ret_calls;
            done = output_send(o, pool, fd, iov, n, has_more, ret_written);
        } else if (o->first->fd >= 0) {
            done = chunk_send_file(o->first, fd, ret_written, ret_calls);
            if (done == 1)
                output_pop(o, pool);
        } else {
            output_pop(o, pool); /* an empty chunk */
        }
        if (done <= 0)
            return done;
    }
    return 1;
}

/* Nearly always the queue is one chunk of bytes: that is a plain send, without an array of runs, which costs the kernel less too. */
int output_write(struct output *o, struct output_pool *pool, int fd, uint64_t *ret_written, unsigned *ret_calls)
{
    const struct output_chunk *chunk = o->first;
    size_t count;
    ssize_t written;

    *ret_written = 0;
    *ret_calls = 0;
    if (!chunk || chunk->next || chunk->fd >= 0 || mw_kind_of(chunk->value) != MW_NULL || chunk->end == chunk->start)
        return output_write_many(o, pool, fd, ret_written, ret_calls);
    count = chunk->end - chunk->start;
    *ret_calls = 1;
    written = send(fd, chunk->data + chunk->start, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    *ret_written = (uint64_t)written;
    if ((size_t)written < count) {
        output_advance(o, pool, (size_t)written);
        return 0;
    }
    o->queued -= count;
    output_pop(o, pool);
    return 1;
}
