/* Making connections: to a name, to an address, to a Unix socket; listening and accepting.
 * Not what goes over them; that is stream.c.
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "runtime/stream.h"

enum { BACKLOG = 1024 };
#define SHORTAGE_NS INT64_C(100000000) /* until accept tries again */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

/* ---- names ---------------------------------------------------------------------------------------------- */
static bool read_numeric(const char *host, int port, union address *ret, socklen_t *ret_bytes)
{
    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons((uint16_t)port);
        *ret_bytes = sizeof(ret->v4);
        return true;
    }
    if (inet_pton(AF_INET6, host, &ret->v6.sin6_addr) == 1) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons((uint16_t)port);
        *ret_bytes = sizeof(ret->v6);
        return true;
    }
    return false;
}

/* A name that another thread looks up. */
struct lookup {
    char *host;
    struct addrinfo *found;
};

static int lookup_run(void *arg)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct lookup *l = arg;

    return getaddrinfo(l->host, NULL, &hints, &l->found) == 0 && l->found ? 0 : -ENOENT;
}

static void lookup_free(void *arg)
{
    struct lookup *l = arg;

    if (l->found)
        freeaddrinfo(l->found);
    mw_free(l->host);
    mw_free(l);
}

/* ---- connecting ------------------------------------------------------------------------------------------- */
static int socket_error(int fd)
{
    socklen_t size = sizeof(int);
    int err = 0;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0 ? -errno : -err;
}

static int connect_to(mw_tasklet *self, struct runtime_host *host, const union address *to, socklen_t bytes, int64_t deadline_ns,
                      mw_stream **ret)
{
    static const int one = 1;
    int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;
    bool is_under_way;
    struct mw_stream *s = NULL;

    if (fd < 0)
        return -errno;
    if (to->any.sa_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* not worth failing for */
    err = connect(fd, &to->any, bytes) < 0 ? -errno : 0;
    is_under_way = err == -EINPROGRESS;
    if (err < 0 && !is_under_way) {
        (void)close(fd); /* it is connected to nobody */
        return err;
    }
    err = stream_new(host, fd, &s);
    if (err < 0)
        return err;
    if (is_under_way) {
        (void)stream_take(self, s, POLLER_WRITE); /* it is new: nobody else's */
        err = stream_wait(self, s, POLLER_WRITE, deadline_ns);
        if (err == 0)
            err = socket_error(s->fd);
        stream_leave(s, POLLER_WRITE);
    }
    if (err < 0) {
        mw_stream_close(s);
        return err;
    }
    *ret = s;
    return 0;
}

/* Each address of a name in turn. */
static int connect_by_name(mw_tasklet *self, struct runtime_host *host, const char *name, int port, int64_t deadline_ns, mw_stream **ret)
{
    struct lookup *l = mw_alloc_zeroed(1, sizeof(*l));
    const struct addrinfo *at;
    int err;

    if (l)
        l->host = mw_copy_text(name);
    if (!l || !l->host) {
        mw_free(l);
        return -ENOMEM;
    }
    err = mw_offload(self, lookup_run, l, lookup_free, deadline_ns);
    if (err < 0)
        return err; /* l has been released, or will be when the lookup is over */
    err = -ENOENT;
    for (at = l->found; at && err != -ETIMEDOUT && err != -ECANCELED; at = at->ai_next) {
        union address to;

        if (at->ai_addrlen > sizeof(to))
            continue;
        memcpy(&to, at->ai_addr, at->ai_addrlen);
        if (to.any.sa_family == AF_INET6)
            to.v6.sin6_port = htons((uint16_t)port);
        else
            to.v4.sin_port = htons((uint16_t)port);
        err = connect_to(self, host, &to, at->ai_addrlen, deadline_ns, ret);
        if (err == 0)
            break;
    }
    lookup_free(l);
    return err;
}

int mw_connect(mw_tasklet *self, const char *host, int port, int64_t deadline_ns, mw_stream **ret, struct mw_error *ret_error)
{
    LIVE_CHECK(self);
    struct runtime_host *here;
    union address to;
    socklen_t bytes;
    int err = host && ret && port > 0 && port <= 65535 ? host_of(self, &here) : -EINVAL;

    if (err == 0 && read_numeric(host, port, &to, &bytes))
        err = connect_to(self, here, &to, bytes, deadline_ns, ret);
    else if (err == 0)
        err = connect_by_name(self, here, host, port, deadline_ns, ret);
    return err < 0 ? mw_fail(ret_error, err, "connect to %s port %d: %s", host ? host : "(NULL)", port, mw_strerror(err)) : 0;
}

int mw_connect_unix(mw_tasklet *self, const char *path, int64_t deadline_ns, mw_stream **ret, struct mw_error *ret_error)
{
    LIVE_CHECK(self);
    struct runtime_host *here;
    union address to = {.local = {.sun_family = AF_UNIX}};
    size_t count = path ? strlen(path) : 0;
    int err = path && ret ? host_of(self, &here) : -EINVAL;

    if (err == 0 && (count == 0 || count >= sizeof(to.local.sun_path)))
        err = -ENAMETOOLONG;
    if (err == 0) {
        memcpy(to.local.sun_path, path, count + 1);
        err = connect_to(self, here, &to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + count + 1), deadline_ns, ret);
    }
    return err < 0 ? mw_fail(ret_error, err, "connect to '%s': %s", path ? path : "(NULL)", mw_strerror(err)) : 0;
}

/* ---- listening ---------------------------------------------------------------------------------------------- */
static int listen_at(const union address *at, socklen_t bytes)
{
    static const int one = 1;
    int fd = socket(at->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 && bind(fd, &at->any, bytes) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    err = -errno;
    (void)close(fd); /* nobody can have come */
    return err;
}

static int port_of(int fd)
{
    union address bound = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t size = sizeof bound;

    if (getsockname(fd, &bound.any, &size) < 0)
        return 0;
    return ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
}

int mw_listen(mw_tasklet *self, const char *address, int port, mw_stream **ret, int *ret_port, struct mw_error *ret_error)
{
    LIVE_CHECK(self);
    struct runtime_host *here;
    union address at;
    socklen_t bytes;
    int err = address && ret && port >= 0 && port <= 65535 ? host_of(self, &here) : -EINVAL, fd = -1;

    if (err == 0 && !read_numeric(address, port, &at, &bytes))
        err = -EINVAL;
    if (err == 0)
        err = fd = listen_at(&at, bytes);
    if (err >= 0)
        err = stream_new(here, fd, ret);
    if (err < 0)
        return mw_fail(ret_error, err, "listen at %s port %d: %s", address ? address : "(NULL)", port, mw_strerror(err));
    if (ret_port)
        *ret_port = port_of((*ret)->fd);
    return 0;
}

static bool is_shortage(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

/* The listener stays readable while there is no descriptor for who has come: to wait for that would be to turn in circles. */
static int wait_out_shortage(mw_tasklet *self, struct mw_stream *listener, int err, int64_t deadline_ns)
{
    int64_t now_ns = mw_clock(self);
    int result;

    if (now_ns >= deadline_ns)
        return err;
    listener->shortages++;
    result = mw_sleep_until(self, deadline_ns - now_ns < SHORTAGE_NS ? deadline_ns : now_ns + SHORTAGE_NS);
    return result < 0 ? result : listener->is_closed ? -ECANCELED : 0;
}

int mw_accept(mw_tasklet *self, mw_stream *listener, int64_t deadline_ns, mw_stream **ret)
{
    LIVE_CHECK(self);
    static const int one = 1;
    int err = ret ? stream_check(self, listener) : -EINVAL, fd = -1;

    if (err == 0)
        err = stream_take(self, listener, POLLER_READ);
    if (err < 0)
        return err;
    err = stream_let_others(self, listener);
    while (err == 0 && (fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0) {
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        err = -errno;
        if (err == -EAGAIN)
            err = stream_wait(self, listener, POLLER_READ, deadline_ns);
        else if (is_shortage(err))
            err = wait_out_shortage(self, listener, err, deadline_ns);
    }
    if (err == 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* a Unix socket has none */
        err = stream_new(listener->host, fd, ret);
    }
    stream_leave(listener, POLLER_READ);
    return err;
}

uint64_t mw_stream_shortages(const mw_stream *listener)
{
    return listener ? listener->shortages : 0;
}
