/* Streams: a descriptor, who waits to read it and who to write it.
 * Not making connections; that is connect.c. Read next: connect.c.
 * SPDX-License-Identifier: MIT */
#include "runtime/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

#define UNBROKEN_MOST 64

static void stream_want(struct mw_stream *s)
{
    poller_want(s->watch, (s->reader_waits ? POLLER_READ : 0) | (s->writer_waits ? POLLER_WRITE : 0));
}

static void stream_ready(void *context, int events)
{
    struct mw_stream *s = context;
    mw_tasklet *reader = events & POLLER_READ && s->reader_waits ? s->reader : NULL;
    mw_tasklet *writer = events & POLLER_WRITE && s->writer_waits ? s->writer : NULL;

    if (reader)
        s->reader_waits = false;
    if (writer)
        s->writer_waits = false;
    stream_want(s);
    if (reader)
        mw_outside_wake(reader, 0);
    if (writer)
        mw_outside_wake(writer, 0);
}

int stream_new(struct runtime_host *host, int takes_fd, struct mw_stream **ret)
{
    struct mw_stream *s = mw_alloc_zeroed(1, sizeof(*s));
    int flags = fcntl(takes_fd, F_GETFL), err = flags < 0 ? -errno : s ? 0 : -ENOMEM;

    if (err == 0 && !(flags & O_NONBLOCK) && fcntl(takes_fd, F_SETFL, flags | O_NONBLOCK) < 0)
        err = -errno;
    if (err == 0)
        err = poller_watch(host->poller, takes_fd, 0, stream_ready, s, &s->watch);
    if (err < 0) {
        mw_free(s);
        (void)close(takes_fd); /* it was never used */
        return err;
    }
    s->host = host;
    s->fd = takes_fd;
    *ret = s;
    return 0;
}

int stream_take(mw_tasklet *self, struct mw_stream *s, int event)
{
    mw_tasklet **seat = event == POLLER_READ ? &s->reader : &s->writer;

    if (*seat)
        return -EBUSY;
    *seat = self;
    s->uses++;
    return 0;
}

void stream_leave(struct mw_stream *s, int event)
{
    *(event == POLLER_READ ? &s->reader : &s->writer) = NULL;
    if (--s->uses == 0 && s->is_closed)
        mw_free(s);
}

int stream_wait(mw_tasklet *self, struct mw_stream *s, int event, int64_t deadline_ns)
{
    bool *waits = event == POLLER_READ ? &s->reader_waits : &s->writer_waits;
    int err;

    s->unbroken = 0;
    *waits = true;
    stream_want(s);
    err = mw_outside_wait(self, MW_OUTSIDE_IO, deadline_ns);
    if (s->is_closed)
        return -ECANCELED;
    *waits = false;
    stream_want(s);
    return err;
}

int stream_let_others(mw_tasklet *self, struct mw_stream *s)
{
    int err;

    if (++s->unbroken <= UNBROKEN_MOST)
        return 0;
    s->unbroken = 0;
    err = mw_sleep_until(self, 0); /* a time that has passed: now, but after the others */
    return s->is_closed ? -ECANCELED : err;
}

int stream_check(const mw_tasklet *self, const struct mw_stream *s)
{
    struct runtime_host *host;
    int err = s ? host_of(self, &host) : -EINVAL;

    return err < 0 ? err : host == s->host ? 0 : -EINVAL; /* it is watched by another worker */
}

int mw_stream_open(mw_tasklet *self, int takes_fd, mw_stream **ret)
{
    LIVE_CHECK(self);
    struct runtime_host *host;
    int err = ret ? host_of(self, &host) : -EINVAL;

    if (err < 0) {
        (void)close(takes_fd); /* it was never used */
        return err;
    }
    return stream_new(host, takes_fd, ret);
}

ssize_t mw_read(mw_tasklet *self, mw_stream *s, void *ret_bytes, size_t room, int64_t deadline_ns)
{
    LIVE_CHECK(self);
    int err = ret_bytes && room > 0 ? stream_check(self, s) : -EINVAL;
    ssize_t n = -1;

    if (err == 0)
        err = stream_take(self, s, POLLER_READ);
    if (err < 0)
        return err;
    err = stream_let_others(self, s);
    while (err == 0 && (n = read(s->fd, ret_bytes, room)) < 0)
        if (errno != EINTR)
            err = errno == EAGAIN ? stream_wait(self, s, POLLER_READ, deadline_ns) : -errno;
    stream_leave(s, POLLER_READ);
    return err < 0 ? err : n;
}

static int wait_until_ready(mw_tasklet *self, mw_stream *s, int event, int64_t deadline_ns)
{
    struct pollfd what = {.events = event == POLLER_READ ? POLLIN : POLLOUT};
    int err = stream_check(self, s);

    if (err == 0)
        err = stream_take(self, s, event);
    if (err < 0)
        return err;
    err = stream_let_others(self, s);
    what.fd = s->fd;
    if (err == 0 && poll(&what, 1, 0) == 0)
        err = stream_wait(self, s, event, deadline_ns);
    stream_leave(s, event);
    return err;
}

int mw_wait_readable(mw_tasklet *self, mw_stream *s, int64_t deadline_ns)
{
    LIVE_CHECK(self);
    return wait_until_ready(self, s, POLLER_READ, deadline_ns);
}

int mw_wait_writable(mw_tasklet *self, mw_stream *s, int64_t deadline_ns)
{
    LIVE_CHECK(self);
    return wait_until_ready(self, s, POLLER_WRITE, deadline_ns);
}

int mw_stream_fd(const mw_stream *s)
{
    return s && !s->is_closed ? s->fd : -1;
}

/* To what is no socket. The SIGPIPE of a pipe that nobody reads would end the program: it is held back, and taken away unless one was there
 * before. It comes to the thread that writes (POSIX, write). */
static ssize_t write_without_signal(int fd, const char *bytes, size_t byte_count)
{
    const struct timespec at_once = {0};
    sigset_t sigpipe, pending, before;
    ssize_t n;
    int err;

    (void)sigemptyset(&sigpipe); /* with such arguments none of these fails */
    (void)sigaddset(&sigpipe, SIGPIPE);
    (void)sigpending(&pending);
    (void)pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    n = write(fd, bytes, byte_count);
    err = errno;
    if (n < 0 && err == EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&sigpipe, NULL, &at_once) < 0 && errno == EINTR)
            ;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = err;
    return n;
}

static ssize_t write_some(const struct mw_stream *s, const char *bytes, size_t byte_count)
{
    ssize_t n = send(s->fd, bytes, byte_count, MSG_NOSIGNAL | MSG_DONTWAIT);

    return n < 0 && errno == ENOTSOCK ? write_without_signal(s->fd, bytes, byte_count) : n;
}

int mw_write(mw_tasklet *self, mw_stream *s, const void *bytes, size_t byte_count, int64_t deadline_ns)
{
    LIVE_CHECK(self);
    const char *at = bytes;
    int err = bytes || byte_count == 0 ? stream_check(self, s) : -EINVAL;

    if (err == 0)
        err = stream_take(self, s, POLLER_WRITE); /* until all is written: nobody's bytes come between */
    if (err < 0)
        return err;
    if (byte_count > 0)
        err = stream_let_others(self, s);
    while (err == 0 && byte_count > 0) {
        ssize_t n = write_some(s, at, byte_count);

        if (n >= 0) {
            at += n;
            byte_count -= (size_t)n;
        } else if (errno != EINTR) {
            err = errno == EAGAIN ? stream_wait(self, s, POLLER_WRITE, deadline_ns) : errno == ECONNRESET ? -EPIPE : -errno;
        }
    }
    stream_leave(s, POLLER_WRITE);
    return err;
}

int mw_shutdown(mw_stream *s)
{
    if (!s)
        return -EINVAL;
    return shutdown(s->fd, SHUT_WR) < 0 ? -errno : 0;
}

void mw_stream_close(mw_stream *s)
{
    mw_tasklet *reader, *writer;

    if (!s || s->is_closed)
        return;
    reader = s->reader_waits ? s->reader : NULL;
    writer = s->writer_waits ? s->writer : NULL;
    poller_unwatch(s->watch);
    if (s->held)
        *s->held = NULL;
    stream_name_remove(s->name); /* first: whoever finds the name finds somebody listening */
    (void)close(s->fd); /* what it could not deliver is lost either way */
    s->is_closed = true;
    s->reader_waits = s->writer_waits = false;
    if (s->uses == 0) {
        mw_free(s);
        return;
    }
    if (reader) /* the last of the calls frees it */
        mw_outside_wake(reader, -ECANCELED);
    if (writer)
        mw_outside_wake(writer, -ECANCELED);
}
