/* Listening sockets: bound all or none, accepting until a limit says no.
 * Not what becomes of a connection; that is connection.c. Read next: connection.c.
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "edge/edge_priv.h"

enum { LISTEN_ADDRESSES = 8, ACCEPTS_PER_PASS = 64, BACKLOG = 1024, PORT_TRIES = 16, SEND_BYTES = 212992 };
enum { NOT_SENT_BYTES = 16384 };

/* Said to one who comes when there is no room: best effort, then closed. */
static const char full_answer[] =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
    "Connection: close\r\n\r\n";

struct listener {
    struct mw_link link;
    struct edge *edge;
    struct poller_watch *watch;
    void *context;
    int fd;
    uint16_t port;
    bool is_websocket_only;
    bool is_tls;
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* ---- accepting --------------------------------------------------------------------------------------- */
static struct peer_address address_of(const union address *from)
{
    struct peer_address address = {{0}};

    if (from->any.sa_family == AF_INET) {
        address.bytes[10] = address.bytes[11] = 0xff;
        memcpy(address.bytes + 12, &from->v4.sin_addr, 4);
    } else if (from->any.sa_family == AF_INET6) {
        memcpy(address.bytes, &from->v6.sin6_addr, 16);
    }
    return address;
}

/* In TLS there is nothing that could be said before the handshake. */
static void refuse(struct edge *e, int fd, bool is_tls)
{
    e->stats.refused++;
    if (!is_tls)
        (void)send(fd, full_answer, sizeof full_answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(fd);
}

int edge_enter_address(struct edge *e, const uint8_t bytes[16])
{
    enum peers_verdict verdict = PEERS_WELCOME;
    struct peer_address address;
    int err;

    memcpy(address.bytes, bytes, sizeof address.bytes);
    if (peer_is_loopback(&address) && !e->per_ip_loopback)
        return 0;
    err = together_enter(e->together, &address, edge_limit(e, EDGE_LIMIT_PER_IP), edge_limit(e, EDGE_LIMIT_ACCEPTS), edge_now(e), &verdict);
    if (err < 0)
        return err;
    if (verdict != PEERS_WELCOME)
        edge_hit(e, verdict == PEERS_TOO_MANY ? EDGE_LIMIT_PER_IP : EDGE_LIMIT_ACCEPTS);
    return verdict == PEERS_WELCOME ? 1 : -EAGAIN;
}

void edge_leave_address(struct edge_together *together, const uint8_t bytes[16])
{
    struct peer_address address;

    memcpy(address.bytes, bytes, sizeof address.bytes);
    together_leave(together, &address);
}

/* Whether one more may come from this address; counts it there. */
static bool address_may_enter(struct edge *e, struct accepted *accepted)
{
    int entered;

    if (e->hooks.is_shared_address && e->hooks.is_shared_address(e->context, accepted->address.bytes))
        return true;
    entered = edge_enter_address(e, accepted->address.bytes);
    accepted->is_counted = entered == 1;
    return entered >= 0;
}

/* Whether there is room for one more, also from this address; reserves it. The last room is not held, even for a moment, by one whose address
 * may not enter, as it would keep somebody else out. */
static bool may_enter(struct edge *e, struct accepted *accepted)
{
    uint64_t most = edge_limit(e, EDGE_LIMIT_CONNECTIONS);

    if (e->is_closing)
        return false;
    if (e->is_full) {
        edge_hit(e, e->full_limit);
        return false;
    }
    if (atomic_load(&e->together->connections) < most) {
        if (!address_may_enter(e, accepted))
            return false;
        if (together_reserve(&e->together->connections, most))
            return true;
        if (accepted->is_counted)
            together_leave(e->together, &accepted->address);
    }
    edge_hit(e, EDGE_LIMIT_CONNECTIONS);
    return false;
}

static void listener_enter(struct listener *l, int fd, const union address *from)
{
    struct accepted accepted = {.fd = fd,
                                .address = address_of(from),
                                .is_websocket_only = l->is_websocket_only,
                                .is_tls = l->is_tls,
                                .port = l->port,
                                .listener_context = l->context};

    if (may_enter(l->edge, &accepted))
        (void)connection_new(l->edge, &accepted); /* on failure it has closed and counted it */
    else
        refuse(l->edge, fd, l->is_tls);
}

/* No descriptor is left: without this the listener would stay ready and the loop spin. The one in reserve is given
 * up for as long as it takes to accept and refuse. Without one the kernel does not even say whether somebody waits.
 * 1: refused one; 0: nobody waits; -1: not even that helped */
static int listener_shed(struct listener *l)
{
    struct edge *e = l->edge;
    int fd, err;

    if (e->reserve_fd >= 0)
        (void)close(e->reserve_fd);
    fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    err = fd < 0 ? errno : 0;
    if (fd >= 0)
        refuse(e, fd, l->is_tls);
    e->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (e->reserve_fd >= 0 && err == EAGAIN)
        return 0;
    edge_hit(e, EDGE_LIMIT_DESCRIPTORS);
    return fd >= 0 && e->reserve_fd >= 0 ? 1 : -1;
}

static void listener_ready(void *context, int events)
{
    struct listener *l = context;
    size_t most = l->is_tls ? share_guests(l->edge) : ACCEPTS_PER_PASS, i;

    (void)events;
    for (i = 0; i < most; i++) {
        union address from = {.any = {.sa_family = AF_UNSPEC}};
        socklen_t size = sizeof from;
        int fd = accept4(l->fd, &from.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            listener_enter(l, fd, &from);
            continue;
        }
        if (errno == ECONNABORTED || errno == EINTR)
            continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            int shed = listener_shed(l);

            if (shed > 0)
                continue;
            if (shed < 0)
                listeners_want(l->edge, false); /* the sweep tries again */
        }
        return;
    }
}

void listeners_want(struct edge *e, bool wants)
{
    struct mw_link *at;

    for (at = e->listeners.head.next; at != &e->listeners.head; at = at->next)
        poller_want(MW_CONTAINER_OF(at, struct listener, link)->watch, wants ? POLLER_READ : 0);
    e->accepts_rest = !wants;
    if (!wants)
        edge_watch_deadlines(e);
}

/* ---- binding ----------------------------------------------------------------------------------------- */
static int parse_address(const char *text, union address *ret)
{
    *ret = (union address){.v6 = {.sin6_family = AF_INET6}};
    if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1)
        return 0;
    *ret = (union address){.v4 = {.sin_family = AF_INET}};
    if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1)
        return 0;
    return -EINVAL;
}

static socklen_t address_size(const union address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

static void set_port(union address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons(port);
    else
        address->v4.sin_port = htons(port);
}

/* Accepted sockets inherit all of this. None is worth failing for. */
static void set_options(const struct edge *e, int fd)
{
    static const int one = 1, send_bytes = SEND_BYTES, not_sent_bytes = NOT_SENT_BYTES;
    const unsigned stall_ms = (unsigned)edge_limit(e, EDGE_LIMIT_OUTPUT_STALL);

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent_bytes, sizeof not_sent_bytes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall_ms, sizeof stall_ms);
}

/* A bound socket, or a negative errno name. */
static int bind_one(const union address *address, bool is_shared)
{
    static const int one = 1;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int err = 0;

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        (is_shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0) ||
        (address->any.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0) ||
        bind(fd, &address->any, address_size(address)) < 0)
        err = -errno;
    if (err == 0)
        return fd;
    (void)close(fd);
    return err;
}

/* Bound and listening. With is_shared another program's port would be joined silently if that shares too: a plain bind
 * finds out first. */
static int listen_one(const struct edge *e, const struct edge_listen *options, const union address *address)
{
    int fd, err;

    if (options->is_shared && !options->is_further) {
        fd = bind_one(address, false);
        if (fd < 0)
            return fd;
        (void)close(fd); /* never listened: nobody can have come */
    }
    fd = bind_one(address, options->is_shared);
    if (fd < 0)
        return fd;
    set_options(e, fd);
    if (listen(fd, BACKLOG) == 0)
        return fd;
    err = -errno;
    (void)close(fd);
    return err;
}

static uint16_t port_of(int fd)
{
    union address bound = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t size = sizeof bound;

    if (getsockname(fd, &bound.any, &size) < 0)
        return 0;
    return ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
}

static bool is_lack_of_ipv6(int err)
{
    return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL || err == -EPROTONOSUPPORT;
}

static void close_all(int *fds, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
        fds[i] = -1;
    }
}

/* One try at all addresses with one port. fds: -1 where IPv6 lacks. *ret_failed: the address to blame */
static int listen_all(const struct edge *e, const struct edge_listen *options, const union address *addresses,
                      int *fds, uint16_t *ret_port, const char **ret_failed)
{
    uint16_t port = options->port;
    size_t i, opened = 0;

    for (i = 0; i < options->address_count; i++) {
        union address address = addresses[i];

        set_port(&address, port);
        fds[i] = listen_one(e, options, &address);
        if (fds[i] >= 0) {
            opened++;
            port = port_of(fds[i]);
        } else if (!options->may_lack_ipv6 || address.any.sa_family != AF_INET6 || !is_lack_of_ipv6(fds[i]) ||
                   (i + 1 == options->address_count && opened == 0)) {
            int err = fds[i];

            *ret_failed = options->addresses[i];
            close_all(fds, i);
            return err;
        }
    }
    *ret_port = port;
    return 0;
}

static void listener_free(struct listener *l)
{
    if (!l)
        return;
    poller_unwatch(l->watch);
    if (l->fd >= 0)
        (void)close(l->fd);
    if (mw_link_is_linked(&l->link))
        l->edge->stats.listeners--;
    mw_link_remove(&l->link);
    mw_free(l);
}

/* takes the descriptor */
static int listener_new(struct edge *e, const struct edge_listen *options, int fd, uint16_t port)
{
    struct listener *l = mw_alloc_zeroed(1, sizeof *l);
    int err;

    if (!l) {
        (void)close(fd);
        return -ENOMEM;
    }
    *l = (struct listener){.edge = e,
                           .context = options->context,
                           .fd = fd,
                           .port = port,
                           .is_websocket_only = options->is_websocket_only,
                           .is_tls = options->is_tls};
    err = poller_watch(e->poller, fd, POLLER_READ, listener_ready, l, &l->watch);
    if (err < 0) {
        listener_free(l);
        return err;
    }
    mw_list_push_back(&e->listeners, &l->link);
    e->stats.listeners++;
    return 0;
}

static int adopt_all(struct edge *e, const struct edge_listen *options, int *fds, uint16_t port)
{
    size_t i, added = 0;
    int err = 0;

    for (i = 0; i < options->address_count && err == 0; i++) {
        if (fds[i] < 0)
            continue;
        err = listener_new(e, options, fds[i], port);
        fds[i] = -1;
        added += err == 0;
    }
    if (err == 0)
        return 0;
    while (added-- > 0)
        listener_free(MW_CONTAINER_OF(e->listeners.head.previous, struct listener, link));
    close_all(fds, options->address_count);
    return err;
}

static const char *reason_of(int err)
{
    const char *text;

    switch (err) {
    case -EADDRINUSE:
        return "the port is in use";
    case -EADDRNOTAVAIL:
        return "this machine has no such address";
    case -EACCES:
        return "not permitted (ports below 1024 need a privilege)";
    default:
        text = strerrordesc_np(-err);
        return text ? text : mw_strerror(err);
    }
}

int edge_listen(struct edge *e, const struct edge_listen *options, uint16_t *ret_port,
                struct mw_error *ret_error)
{
    union address addresses[LISTEN_ADDRESSES];
    int fds[LISTEN_ADDRESSES] = {0}, err, tries = 0;
    const char *failed = "";
    uint16_t port = 0;
    size_t i;

    if (options->address_count == 0 || options->address_count > LISTEN_ADDRESSES)
        return mw_fail(ret_error, -EINVAL, "listen: 1 to %d addresses, not %zu", LISTEN_ADDRESSES,
                       options->address_count);
    if (options->is_tls && !e->tls)
        return mw_fail(ret_error, -EINVAL, "listen with TLS: the edge has no certificate");
    for (i = 0; i < options->address_count; i++) {
        if (parse_address(options->addresses[i], &addresses[i]) < 0)
            return mw_fail(ret_error, -EINVAL, "listen on '%s': no numeric address", options->addresses[i]);
    }
    /* A port that is free at one address may be taken at the next: then another is tried. */
    do {
        err = listen_all(e, options, addresses, fds, &port, &failed);
    } while (err == -EADDRINUSE && options->port == 0 && ++tries < PORT_TRIES);
    if (err < 0)
        return mw_fail(ret_error, err, "listen on %s port %u: %s", failed, options->port, reason_of(err));
    err = adopt_all(e, options, fds, port);
    if (err < 0)
        return mw_fail(ret_error, err, "watch the listener on port %u: %s", port, reason_of(err));
    if (ret_port)
        *ret_port = port;
    return 0;
}

int edge_listen_on(struct edge *e, int takes_fd, const struct edge_listen *options, uint16_t *ret_port,
                   struct mw_error *ret_error)
{
    union address bound = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t size = sizeof bound, int_size = sizeof(int);
    int accepts = 0, flags = fcntl(takes_fd, F_GETFL), err;

    if (flags < 0 || getsockopt(takes_fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &int_size) < 0 || !accepts ||
        getsockname(takes_fd, &bound.any, &size) < 0 ||
        (bound.any.sa_family != AF_INET && bound.any.sa_family != AF_INET6) || (options->is_tls && !e->tls)) {
        (void)mw_fail(ret_error, -EINVAL, "listen on descriptor %d: want a TCP socket that listens", takes_fd);
        if (flags >= 0)
            (void)close(takes_fd);
        return -EINVAL;
    }
    (void)fcntl(takes_fd, F_SETFL, flags | O_NONBLOCK);
    (void)fcntl(takes_fd, F_SETFD, FD_CLOEXEC);
    set_options(e, takes_fd);
    *ret_port = port_of(takes_fd);
    err = listener_new(e, options, takes_fd, *ret_port);
    return err < 0 ? mw_fail(ret_error, err, "watch the listener on descriptor %d: %s", takes_fd, reason_of(err)) : 0;
}

void listeners_close(struct edge *e)
{
    while (!mw_list_is_empty(&e->listeners))
        listener_free(MW_CONTAINER_OF(e->listeners.head.next, struct listener, link));
}

void edge_stop_listening(struct edge *e)
{
    listeners_close(e);
}

int edge_adopt(struct edge *e, int takes_fd, bool is_websocket_only, void *listener_context)
{
    union address from = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t size = sizeof from;
    int flags = fcntl(takes_fd, F_GETFL);
    struct accepted accepted = {.fd = takes_fd,
                                .is_websocket_only = is_websocket_only,
                                .port = port_of(takes_fd),
                                .listener_context = listener_context};

    if (flags < 0)
        return -errno;
    (void)fcntl(takes_fd, F_SETFL, flags | O_NONBLOCK);
    (void)fcntl(takes_fd, F_SETFD, FD_CLOEXEC);
    if (getpeername(takes_fd, &from.any, &size) == 0)
        accepted.address = address_of(&from);
    if (may_enter(e, &accepted))
        return connection_new(e, &accepted);
    refuse(e, takes_fd, false);
    return -EAGAIN;
}
