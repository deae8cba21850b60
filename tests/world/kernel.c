/* Sockets, clock and random numbers of the world. A descriptor of its sockets is one of the real kernel's, of /dev/null: so it has a number that
 * nobody else has, and can be closed and asked for its flags.
 * SPDX-License-Identifier: MIT */
#include "kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "runtime/poller.h"

enum { DESCRIPTORS = 4096, PORT_FIRST = 8000, PIECE_BYTES = 65536, INTO_BYTES = 65536 };
#define CLOCK_BEGIN_NS INT64_C(1000000000000) /* of the monotonic clock */
#define WALL_BEGIN_S INT64_C(1767225600)      /* 2026-01-01 */

/* Bytes on their way in one direction. */
struct pipe {
    uint8_t *bytes;
    size_t count, room;
};

struct kernel_socket {
    int fd; /* -1: the server has closed it */
    bool is_listener, is_left, is_reset, has_finished /* the other end */, has_shut /* the server */;
    uint16_t port;
    uint32_t address; /* of the other end */
    struct pipe in, out; /* as the server sees it */
    struct kernel_socket *waiting; /* of a listener: to be accepted, first come first; of those: the next */
};

static struct {
    struct chance *chance;
    struct kernel_socket *of[DESCRIPTORS];
    int64_t now_ns;
    uint64_t random;
    uint16_t next_port;
    bool is_rough, has_run_out;
} kernel;

int __real_close(int fd);
int __real_bind(int fd, const struct sockaddr *address, socklen_t size);
int __real_listen(int fd, int backlog);
int __real_socket(int domain, int type, int protocol);
int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
ssize_t __real_recv(int fd, void *bytes, size_t room, int flags);
ssize_t __real_send(int fd, const void *bytes, size_t byte_count, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __real_sendfile(int out, int in, off_t *offset, size_t byte_count);
int __real_shutdown(int fd, int how);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int __real_getsockname(int fd, struct sockaddr *address, socklen_t *size);
int __real_getpeername(int fd, struct sockaddr *address, socklen_t *size);

static struct kernel_socket *socket_at(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS ? kernel.of[fd] : NULL;
}

/* ---- the world ------------------------------------------------------------------------------------------------ */
void kernel_begin(struct chance *chance)
{
    memset(&kernel, 0, sizeof kernel);
    kernel.chance = chance;
    kernel.now_ns = CLOCK_BEGIN_NS;
    kernel.random = chance->state;
    kernel.next_port = PORT_FIRST;
}

static void socket_free(struct kernel_socket *s)
{
    free(s->in.bytes);
    free(s->out.bytes);
    free(s);
}

void kernel_end(void)
{
    kernel.chance = NULL;
}

int64_t kernel_now_ns(void)
{
    return kernel.now_ns;
}

void kernel_let_pass(int64_t ns)
{
    kernel.now_ns += ns;
}

void kernel_be_rough(bool is_rough)
{
    kernel.is_rough = is_rough;
}

void kernel_run_out(bool has_run_out)
{
    kernel.has_run_out = has_run_out;
}

size_t kernel_held(void)
{
    size_t count = 0;
    int fd;

    for (fd = 0; fd < DESCRIPTORS; fd++)
        count += kernel.of[fd] != NULL;
    return count;
}

struct chance *kernel_chance(void)
{
    return kernel.chance;
}

static bool one_in(size_t n)
{
    return kernel.is_rough && chance_one_in(kernel.chance, n);
}

/* As many as could be, or now and then fewer; never none. */
static size_t perhaps_fewer(size_t count)
{
    return count > 1 && one_in(6) ? 1 + chance_below(kernel.chance, count) : count;
}

/* ---- the other end ---------------------------------------------------------------------------------------------- */
static size_t pipe_put(struct pipe *p, const void *bytes, size_t byte_count)
{
    size_t count = byte_count < p->room - p->count ? byte_count : p->room - p->count;

    memcpy(p->bytes + p->count, bytes, count);
    p->count += count;
    return count;
}

static size_t pipe_take(struct pipe *p, void *bytes, size_t room)
{
    size_t count = room < p->count ? room : p->count;

    memcpy(bytes, p->bytes, count);
    memmove(p->bytes, p->bytes + count, p->count - count);
    p->count -= count;
    return count;
}

static struct kernel_socket *socket_new(size_t in_room, size_t out_room)
{
    struct kernel_socket *s = calloc(1, sizeof *s);

    if (!s)
        abort();
    s->fd = -1;
    s->in = (struct pipe){malloc(in_room), 0, in_room};
    s->out = (struct pipe){malloc(out_room), 0, out_room};
    if (!s->in.bytes || !s->out.bytes)
        abort();
    return s;
}

struct kernel_socket *kernel_connect(uint16_t port, uint32_t address, size_t window)
{
    struct kernel_socket *s, **last;
    int fd;

    for (fd = 0; fd < DESCRIPTORS; fd++)
        if (kernel.of[fd] && kernel.of[fd]->is_listener && kernel.of[fd]->port == port)
            break;
    if (fd == DESCRIPTORS)
        return NULL;
    s = socket_new(INTO_BYTES, window);
    s->port = port;
    s->address = address;
    for (last = &kernel.of[fd]->waiting; *last; last = &(*last)->waiting)
        ;
    *last = s;
    return s;
}

size_t kernel_put(struct kernel_socket *s, const void *bytes, size_t byte_count)
{
    return s->is_reset || s->has_finished ? 0 : pipe_put(&s->in, bytes, byte_count);
}

size_t kernel_take(struct kernel_socket *s, void *bytes, size_t room)
{
    return pipe_take(&s->out, bytes, room);
}

bool kernel_has_ended(const struct kernel_socket *s)
{
    return s->out.count == 0 && (s->is_reset || s->has_shut);
}

void kernel_finish(struct kernel_socket *s)
{
    s->has_finished = true;
}

void kernel_leave(struct kernel_socket *s, bool is_reset)
{
    s->is_left = s->has_finished = true;
    s->is_reset = s->is_reset || is_reset;
    if (s->fd < 0 && s->has_shut)
        socket_free(s);
}

/* ---- readiness ---------------------------------------------------------------------------------------------------- */
int kernel_ready(int fd, int wanted)
{
    const struct kernel_socket *s = socket_at(fd);
    int events = 0;

    if (!s)
        return -1;
    if (s->is_listener)
        return s->waiting ? wanted & POLLER_READ : 0;
    if (s->in.count > 0 || s->has_finished || s->is_reset)
        events |= POLLER_READ;
    if (s->out.count < s->out.room || s->is_left || s->is_reset)
        events |= POLLER_WRITE;
    return events & wanted;
}

/* ---- calls of the server ------------------------------------------------------------------------------------------ */
static int fail(int error)
{
    errno = error;
    return -1;
}

/* Give a socket a descriptor. */
static int socket_enter(struct kernel_socket *s)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd < 0 || fd >= DESCRIPTORS)
        abort();
    s->fd = fd;
    kernel.of[fd] = s;
    return fd;
}

int __wrap_socket(int domain, int type, int protocol)
{
    if (!kernel.chance || (domain != AF_INET && domain != AF_INET6))
        return __real_socket(domain, type, protocol);
    return socket_enter(socket_new(1, 1));
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    struct kernel_socket *s = socket_at(fd);
    in_port_t port;

    if (!s)
        return __real_bind(fd, address, size);
    port = address->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                                          : ((const struct sockaddr_in *)(const void *)address)->sin_port;
    s->port = port ? ntohs(port) : kernel.next_port++;
    return 0;
}

int __wrap_listen(int fd, int backlog)
{
    struct kernel_socket *s = socket_at(fd);

    if (!s)
        return __real_listen(fd, backlog);
    s->is_listener = true;
    return 0;
}

static void give_address(const struct kernel_socket *s, struct sockaddr *ret, socklen_t *io_size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(s->port), .sin_addr.s_addr = htonl(s->address)};

    if (!ret)
        return;
    memcpy(ret, &address, *io_size < sizeof address ? *io_size : sizeof address);
    *io_size = sizeof address;
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    struct kernel_socket *s = socket_at(fd), *came;

    if (!s)
        return __real_accept4(fd, address, size, flags);
    came = s->waiting;
    if (!came)
        return fail(EAGAIN);
    if (kernel.has_run_out)
        return fail(EMFILE);
    s->waiting = came->waiting;
    came->waiting = NULL;
    if (one_in(40)) { /* it gave up while it waited */
        came->is_reset = came->has_shut = true;
        if (came->is_left)
            socket_free(came);
        return fail(ECONNABORTED);
    }
    give_address(came, address, size);
    return socket_enter(came);
}

ssize_t __wrap_recv(int fd, void *bytes, size_t room, int flags)
{
    struct kernel_socket *s = socket_at(fd);

    if (!s)
        return __real_recv(fd, bytes, room, flags);
    if (one_in(60))
        return fail(chance_one_in(kernel.chance, 2) ? EINTR : EAGAIN);
    if (s->is_reset)
        return fail(ECONNRESET);
    if (s->in.count == 0)
        return s->has_finished ? 0 : fail(EAGAIN);
    room = room < s->in.count ? room : s->in.count;
    return (ssize_t)pipe_take(&s->in, bytes, perhaps_fewer(room));
}

static ssize_t socket_write(struct kernel_socket *s, const void *bytes, size_t byte_count)
{
    size_t room = s->out.room - s->out.count;

    if (s->is_reset || s->is_left)
        return fail(s->is_reset ? ECONNRESET : EPIPE);
    if (room == 0 || one_in(40))
        return fail(room > 0 && chance_one_in(kernel.chance, 2) ? EINTR : EAGAIN);
    return (ssize_t)pipe_put(&s->out, bytes, perhaps_fewer(byte_count < room ? byte_count : room));
}

ssize_t __wrap_send(int fd, const void *bytes, size_t byte_count, int flags)
{
    struct kernel_socket *s = socket_at(fd);

    return s ? socket_write(s, bytes, byte_count) : __real_send(fd, bytes, byte_count, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    static uint8_t piece[PIECE_BYTES];
    struct kernel_socket *s = socket_at(fd);
    size_t count = 0, i;

    if (!s)
        return __real_sendmsg(fd, message, flags);
    for (i = 0; i < message->msg_iovlen && count < sizeof piece; i++) {
        const struct iovec *part = &message->msg_iov[i];
        size_t part_count = part->iov_len < sizeof piece - count ? part->iov_len : sizeof piece - count;

        memcpy(piece + count, part->iov_base, part_count);
        count += part_count;
    }
    return socket_write(s, piece, count);
}

ssize_t __wrap_sendfile(int out, int in, off_t *offset, size_t byte_count)
{
    static uint8_t piece[PIECE_BYTES];
    struct kernel_socket *s = socket_at(out);
    ssize_t count;

    if (!s)
        return __real_sendfile(out, in, offset, byte_count);
    count = pread(in, piece, byte_count < sizeof piece ? byte_count : sizeof piece, *offset);
    if (count <= 0)
        return count;
    count = socket_write(s, piece, (size_t)count);
    if (count > 0)
        *offset += count;
    return count;
}

int __wrap_shutdown(int fd, int how)
{
    struct kernel_socket *s = socket_at(fd);

    if (!s)
        return __real_shutdown(fd, how);
    if (how != SHUT_RD)
        s->has_shut = true;
    return 0;
}

int __wrap_close(int fd)
{
    struct kernel_socket *s = socket_at(fd), *next;

    if (s) {
        kernel.of[fd] = NULL;
        s->fd = -1;
        s->has_shut = true;
        for (; s->waiting; s->waiting = next) { /* nobody will accept them */
            next = s->waiting->waiting;
            s->waiting->waiting = NULL;
            s->waiting->is_reset = s->waiting->has_shut = true;
            if (s->waiting->is_left)
                socket_free(s->waiting);
        }
        if (s->is_listener || s->is_left || s->in.room == 1) /* else the other end frees it */
            socket_free(s);
    }
    return __real_close(fd);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    return socket_at(fd) ? 0 : __real_setsockopt(fd, level, name, value, size);
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    const struct kernel_socket *s = socket_at(fd);

    if (!s)
        return __real_getsockname(fd, address, size);
    give_address(s, address, size);
    return 0;
}

int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
    const struct kernel_socket *s = socket_at(fd);

    if (!s)
        return __real_getpeername(fd, address, size);
    give_address(s, address, size);
    return 0;
}

/* ---- clock and random numbers ---------------------------------------------------------------------------------------- */
int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
    if (!kernel.chance)
        return __real_clock_gettime(id, ret);
    ret->tv_sec = kernel.now_ns / SECOND_NS + (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE ? WALL_BEGIN_S : 0);
    ret->tv_nsec = kernel.now_ns % SECOND_NS;
    return 0;
}

time_t __real_time(time_t *ret);
time_t __wrap_time(time_t *ret)
{
    time_t now = kernel.chance ? (time_t)(kernel.now_ns / SECOND_NS + WALL_BEGIN_S) : __real_time(NULL);

    if (ret)
        *ret = now;
    return now;
}

static void fill(void *bytes, size_t byte_count)
{
    struct chance random = {.state = kernel.random};
    uint8_t *at = bytes;

    while (byte_count-- > 0)
        *at++ = (uint8_t)chance_bits(&random);
    kernel.random = random.state;
}

ssize_t __wrap_getrandom(void *bytes, size_t byte_count, unsigned flags)
{
    (void)flags;
    fill(bytes, byte_count);
    return (ssize_t)byte_count;
}

int __wrap_RAND_bytes(unsigned char *bytes, int byte_count)
{
    fill(bytes, (size_t)byte_count);
    return 1;
}

/* ---- passwords: judged once for real, remembered after that; Argon2id takes as long as a whole run of the world ------------ */
enum { JUDGED = 8 };

int __real_crypto_pwhash_str_verify(const char *hash, const char *password, unsigned long long byte_count);
int __wrap_crypto_pwhash_str_verify(const char *hash, const char *password, unsigned long long byte_count)
{
    static struct {
        char hash[128], password[64];
        int result;
    } judged[JUDGED];
    static size_t next;
    size_t i;

    for (i = 0; i < JUDGED; i++)
        if (judged[i].password[0] && strcmp(judged[i].hash, hash) == 0 && strcmp(judged[i].password, password) == 0)
            return judged[i].result;
    i = next++ % JUDGED;
    (void)snprintf(judged[i].hash, sizeof judged[i].hash, "%s", hash);
    (void)snprintf(judged[i].password, sizeof judged[i].password, "%s", password);
    judged[i].result = __real_crypto_pwhash_str_verify(hash, password, byte_count);
    return judged[i].result;
}
