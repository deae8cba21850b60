/* Load for a WebSocket or HTTP server: N connections, each keeping D requests on the way, for some seconds; or one that says what all of
 * them are to hear (broadcast: what is counted is what was heard), or connections that are upgraded and dropped (handshake), or echoes in
 * Socket.IO's envelope (socketio). Prints one JSON line. Not a conformance test; it checks only that each answer is the right one. Read next: run.py.
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024, BUCKETS = 4096 };
enum kind { KIND_ECHO, KIND_GETATTR, KIND_GET, KIND_BROADCAST, KIND_HANDSHAKE, KIND_SOCKETIO };
#define MOST_WARM_UP_NS 10000000000
static const char *const kinds[] = {"echo", "getattr", "get", "broadcast", "handshake", "socketio"};

struct options {
    int port, connections, depth;
    size_t bytes; /* of an echo's payload */
    double warmup_s, seconds;
    enum kind kind;
    const char *path;
};

struct connection {
    int fd;
    uint8_t *partial; /* an incomplete frame's first bytes */
    size_t partial_count;
    size_t unread;    /* of a response's body, past what has come */
    size_t pending;   /* bytes of requests still to be written */
    size_t offset;    /* into the current request frame, when a write was cut */
    int64_t sent_ns;  /* when the oldest unanswered batch left; depth 1: the request */
};

struct load {
    struct options options;
    uint8_t *frames; /* depth copies of the one request; a frame is masked */
    size_t frame_bytes;
    uint8_t *payload;
    size_t payload_bytes;
    uint8_t *read_buffer;
    int epoll;
    uint64_t answers, others, all; /* counted; not asked for; with those of the warm-up */
    struct connection *speaker;    /* of a broadcast */
    int64_t unheard;               /* how often the oldest one under way is still to be heard */
    bool is_counting;
    uint32_t latency[BUCKETS]; /* of 10 us each; the last holds all beyond */
};

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "failed");
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *must_have(size_t bytes)
{
    void *p = calloc(1, bytes);

    if (!p)
        die("memory");
    return p;
}

/* ---- the request ----------------------------------------------------------------------- */
static void load_make_gets(struct load *l)
{
    char request[512];

    l->frame_bytes = (size_t)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
                                      l->options.path, l->options.port);
    l->frames = must_have(l->frame_bytes * (size_t)l->options.depth);
    for (int d = 0; d < l->options.depth; d++)
        memcpy(l->frames + (size_t)d * l->frame_bytes, request, l->frame_bytes);
}

/* An event of Socket.IO (protocol 5 over Engine.IO 4): what an echo's payload is wrapped in. */
static const char socketio_begin[] = "42[\"message\",\"", socketio_end[] = "\"]";

static void load_make_frames(struct load *l)
{
    static const char getattr[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"a\"]}";
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t head[14];
    size_t n = 0, i, count;

    if (l->options.kind == KIND_GET) {
        load_make_gets(l);
        return;
    }
    l->payload_bytes = l->options.kind == KIND_GETATTR ? sizeof(getattr) - 1 : l->options.bytes;
    if (l->options.kind == KIND_SOCKETIO)
        l->payload_bytes += sizeof(socketio_begin) - 1 + sizeof(socketio_end) - 1;
    l->payload = must_have(l->payload_bytes + 1);
    for (i = 0; i < l->payload_bytes; i++)
        l->payload[i] = l->options.kind == KIND_GETATTR ? (uint8_t)getattr[i] : (uint8_t)('a' + i % 26);
    if (l->options.kind == KIND_BROADCAST) /* JSON, which some servers want */
        l->payload[0] = l->payload[l->payload_bytes - 1] = '"';
    if (l->options.kind == KIND_SOCKETIO) {
        memcpy(l->payload, socketio_begin, sizeof(socketio_begin) - 1);
        memcpy(l->payload + l->payload_bytes - (sizeof(socketio_end) - 1), socketio_end, sizeof(socketio_end) - 1);
    }
    count = l->payload_bytes;
    head[n++] = 0x81;
    if (count < 126) {
        head[n++] = (uint8_t)(0x80 | count);
    } else if (count < 65536) {
        head[n++] = 0x80 | 126;
        head[n++] = (uint8_t)(count >> 8);
        head[n++] = (uint8_t)count;
    } else {
        head[n++] = 0x80 | 127;
        for (i = 0; i < 8; i++)
            head[n++] = (uint8_t)((uint64_t)count >> (56 - 8 * i));
    }
    memcpy(head + n, mask, 4);
    n += 4;
    l->frame_bytes = n + count;
    l->frames = must_have(l->frame_bytes * (size_t)l->options.depth);
    for (int d = 0; d < l->options.depth; d++) {
        uint8_t *frame = l->frames + (size_t)d * l->frame_bytes;

        memcpy(frame, head, n);
        for (i = 0; i < count; i++)
            frame[n + i] = l->payload[i] ^ mask[i % 4];
    }
}

/* ---- a connection ------------------------------------------------------------------------ */
/* The next message of a few bytes, which is all that comes so early, is to begin with this. */
static void expect_message(int fd, const char *begin)
{
    uint8_t head[4], text[1024];
    size_t count;

    if (recv(fd, head, 2, MSG_WAITALL) != 2)
        die("read the first message");
    count = head[1];
    if (count == 126 && recv(fd, head + 2, 2, MSG_WAITALL) == 2)
        count = (size_t)head[2] << 8 | head[3];
    if (count > sizeof(text) || recv(fd, text, count, MSG_WAITALL) != (ssize_t)count)
        die("read the first message");
    if (count < strlen(begin) || memcmp(text, begin, strlen(begin)) != 0) {
        fprintf(stderr, "load: instead of %s came: %.*s\n", begin, (int)count, (const char *)text);
        exit(1);
    }
}

static void socketio_connect(int fd)
{
    static const uint8_t connect_packet[] = {0x81, 0x82, 0, 0, 0, 0, '4', '0'};

    expect_message(fd, "0{");
    if (send(fd, connect_packet, sizeof(connect_packet), MSG_NOSIGNAL) != (ssize_t)sizeof(connect_packet))
        die("connect to the namespace");
    expect_message(fd, "40{");
}

static int connection_open(const struct options *o)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
    char request[512], answer[2048];
    size_t got = 0;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (o->kind == KIND_GET)
        return fd;
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: localhost:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
             o->path, o->port, o->kind == KIND_GETATTR ? "Sec-WebSocket-Protocol: meshwork.v1\r\n" : "");
    if (write(fd, request, strlen(request)) != (ssize_t)strlen(request))
        die("write the handshake");
    /* Byte by byte, so that no frame behind the head is swallowed. */
    while (got < sizeof(answer) - 1 && read(fd, answer + got, 1) == 1) {
        answer[++got] = 0;
        if (got >= 4 && memcmp(answer + got - 4, "\r\n\r\n", 4) == 0)
            break;
    }
    if (strncmp(answer, "HTTP/1.1 101", 12) != 0) {
        fprintf(stderr, "load: no upgrade:\n%s\n", answer);
        exit(1);
    }
    if (o->kind == KIND_SOCKETIO)
        socketio_connect(fd);
    return fd;
}

/* Write what is pending; requests are all alike, so any run of them is a prefix of the prepared ones. */
static void connection_write(struct load *l, struct connection *c)
{
    while (c->pending > 0) {
        size_t whole = l->frame_bytes * (size_t)l->options.depth - c->offset;
        size_t n = c->pending < whole ? c->pending : whole;
        ssize_t sent = send(c->fd, l->frames + c->offset, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            return; /* goes on with the next answer: the peer must drain us first */
        if (sent < 0 && l->options.kind == KIND_GET)
            return; /* the server has hung up, which the next read says */
        if (sent < 0)
            die("send");
        c->pending -= (size_t)sent;
        c->offset = (c->offset + (size_t)sent) % l->frame_bytes;
    }
}

static void load_check(struct load *l, const uint8_t *payload, size_t count, int *answers)
{
    if (l->options.kind == KIND_GETATTR) {
        if (!memmem(payload, count, "\"result\"", 8)) {
            l->others++;
            return;
        }
    } else if (count != l->payload_bytes || memcmp(payload, l->payload, count) != 0) {
        errno = 0;
        die("an echo that differs");
    }
    (*answers)++;
}

/* Take responses from the front, of the last one also a part of the body; returns how many bytes were used. */
static size_t load_parse_responses(struct connection *c, const uint8_t *bytes, size_t count, int *answers)
{
    static const char length_name[] = "\r\nContent-Length: ";
    size_t used = c->unread < count ? c->unread : count;

    *answers += used > 0 && used == c->unread;
    c->unread -= used;

    for (;;) {
        const uint8_t *p = bytes + used, *end = memmem(p, count - used, "\r\n\r\n", 4), *length;
        size_t whole;

        if (!end)
            return used;
        length = memmem(p, (size_t)(end - p), length_name, sizeof(length_name) - 1);
        if (memcmp(p, "HTTP/1.1 200", 12) != 0 || !length) {
            fprintf(stderr, "load: no 200 with a Content-Length:\n%.*s\n", (int)(end - p), (const char *)p);
            exit(1);
        }
        whole = (size_t)(end - p) + 4 + strtoul((const char *)length + sizeof(length_name) - 1, NULL, 10);
        if (whole > count - used) {
            c->unread = whole - (count - used);
            return count;
        }
        (*answers)++;
        used += whole;
    }
}

/* Take whole frames from the front; returns how many bytes were used. */
static size_t load_parse_frames(struct load *l, const uint8_t *bytes, size_t count, int *answers)
{
    size_t used = 0;

    for (;;) {
        const uint8_t *p = bytes + used;
        size_t left = count - used, head = 2;
        uint64_t payload;

        if (left < 2)
            return used;
        payload = p[1] & 0x7f;
        if (payload == 126) {
            head = 4;
            if (left < head)
                return used;
            payload = (uint64_t)p[2] << 8 | p[3];
        } else if (payload == 127) {
            head = 10;
            if (left < head)
                return used;
            payload = 0;
            for (int i = 2; i < 10; i++)
                payload = payload << 8 | p[i];
        }
        if (left - head < payload)
            return used;
        if ((p[0] & 0x0f) == 8) {
            errno = 0;
            die("the server closed");
        }
        if ((p[0] & 0x0f) <= 2)
            load_check(l, p + head, (size_t)payload, answers);
        used += head + (size_t)payload;
    }
}

static void connection_say(struct load *l, struct connection *c, size_t times)
{
    c->pending += times * l->frame_bytes;
    connection_write(l, c);
}

/* Be watched, and send the first requests. */
static void connection_start(struct load *l, struct connection *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

    epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event);
    c->sent_ns = now_ns();
    c->offset = c->pending = 0;
    if (l->options.kind != KIND_BROADCAST)
        connection_say(l, c, (size_t)l->options.depth);
}

/* Some servers end a connection after so many requests, which cannot be turned off. */
static void connection_again(struct load *l, struct connection *c)
{
    close(c->fd);
    c->fd = connection_open(&l->options);
    c->partial_count = c->unread = 0;
    connection_start(l, c);
}

/* Once all have heard the oldest broadcast, another one is said. */
static void load_heard(struct load *l, int times)
{
    int64_t now = now_ns(), bucket;

    l->all += (uint64_t)times;
    l->answers += l->is_counting ? (uint64_t)times : 0;
    for (l->unheard -= times; l->unheard <= 0; l->unheard += l->options.connections) {
        bucket = (now - l->speaker->sent_ns) / 10000;
        if (l->is_counting)
            l->latency[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
        l->speaker->sent_ns = now;
        connection_say(l, l->speaker, 1);
    }
}

static void connection_read(struct load *l, struct connection *c)
{
    ssize_t n;
    size_t count, used;
    int answers = 0;

    memcpy(l->read_buffer, c->partial, c->partial_count);
    n = recv(c->fd, l->read_buffer + c->partial_count, READ_BYTES - c->partial_count, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 && l->options.kind == KIND_GET) {
        connection_again(l, c);
        return;
    }
    if (n <= 0)
        die("the server hung up");
    count = c->partial_count + (size_t)n;
    used = l->options.kind == KIND_GET ? load_parse_responses(c, l->read_buffer, count, &answers)
                                       : load_parse_frames(l, l->read_buffer, count, &answers);
    c->partial_count = count - used;
    memcpy(c->partial, l->read_buffer + used, c->partial_count);
    if (answers > 0 && l->speaker) {
        load_heard(l, answers);
    } else if (answers > 0) {
        int64_t now = now_ns();

        l->all += (uint64_t)answers;
        if (l->is_counting) {
            int64_t bucket = (now - c->sent_ns) / 10000;

            l->answers += (uint64_t)answers;
            l->latency[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
        }
        c->sent_ns = now;
        c->pending += (size_t)answers * l->frame_bytes;
    }
    connection_write(l, c);
}

/* ---- the run ------------------------------------------------------------------------------- */
static double percentile_us(const struct load *l, double part)
{
    uint64_t all = 0, seen = 0;

    for (int i = 0; i < BUCKETS; i++)
        all += l->latency[i];
    for (int i = 0; i < BUCKETS; i++) {
        seen += l->latency[i];
        if ((double)seen >= part * (double)all)
            return (i + 1) * 10.0;
    }
    return 0;
}

static void load_print(const struct load *l, int64_t counted_ns)
{
    printf("{\"per_s\": %.0f, \"p50_us\": %.0f, \"p99_us\": %.0f, \"others\": %" PRIu64 ", \"all\": %" PRIu64 "}\n",
           (double)l->answers / ((double)counted_ns / 1e9), percentile_us(l, 0.5), percentile_us(l, 0.99), l->others, l->all);
}

static void load_run(struct load *l, struct connection *connections)
{
    struct epoll_event events[256];
    int64_t start = now_ns(), counted_from = start + (int64_t)(l->options.warmup_s * 1e9);
    int64_t end = INT64_MAX, last_answer = start, now;
    /* While the first windows of many connections with much on the way open, the kernel probes closed ones for seconds; what a
     * server does from then on is what is asked about. */
    uint64_t warm = 4 * (uint64_t)l->options.connections * (uint64_t)l->options.depth;

    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < l->options.connections; i++)
        connection_start(l, &connections[i]);
    if (l->options.kind == KIND_BROADCAST) {
        l->speaker = &connections[0];
        l->unheard = l->options.connections;
        connection_say(l, l->speaker, (size_t)l->options.depth);
    }
    while ((now = now_ns()) < end) {
        /* Never asleep: it has a core to itself, and what its own waking took would be measured as the server's. */
        int n = epoll_wait(l->epoll, events, 256, 0);

        if (!l->is_counting && ((now >= counted_from && l->all >= warm) || now - start > MOST_WARM_UP_NS)) {
            l->is_counting = true;
            counted_from = now;
            end = now + (int64_t)(l->options.seconds * 1e9);
        }
        if (n > 0)
            last_answer = now;
        if (now - last_answer > 1000000000) {
            errno = 0;
            die("no answer for a second");
        }
        for (int i = 0; i < n; i++)
            connection_read(l, events[i].data.ptr);
    }
    load_print(l, now - counted_from);
}

/* ---- handshakes ------------------------------------------------------------------------------ */
/* Connect, and ask to be upgraded. */
static int handshake_begin(const struct load *l)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->options.port)};
    const struct linger at_once = {.l_onoff = 1}; /* no port is left waiting */
    const struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        send(fd, l->frames, l->frame_bytes, MSG_NOSIGNAL) != (ssize_t)l->frame_bytes)
        die("begin a handshake");
    return fd;
}

static void handshake_end(int fd)
{
    char answer[2048] = "";
    size_t count = 0;
    ssize_t n = 1;

    while (n > 0 && !memmem(answer, count, "\r\n\r\n", 4)) {
        n = recv(fd, answer + count, sizeof(answer) - 1 - count, 0);
        count += n > 0 ? (size_t)n : 0;
    }
    if (strncmp(answer, "HTTP/1.1 101", 12) != 0) {
        fprintf(stderr, "load: no upgrade:\n%s\n", answer);
        exit(1);
    }
    close(fd);
}

/* As many at once as there are to be connections, then the next as many. */
static void load_shake_hands(struct load *l)
{
    int64_t start = now_ns(), counted_from = start + (int64_t)(l->options.warmup_s * 1e9), now;
    int64_t end = counted_from + (int64_t)(l->options.seconds * 1e9);
    int *fds = must_have(sizeof(*fds) * (size_t)l->options.connections);
    char request[512];

    l->frame_bytes = (size_t)snprintf(request, sizeof(request),
                                      "GET %s HTTP/1.1\r\nHost: localhost:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                                      l->options.path, l->options.port);
    l->frames = (uint8_t *)request;
    while ((now = now_ns()) < end) {
        for (int i = 0; i < l->options.connections; i++)
            fds[i] = handshake_begin(l);
        for (int i = 0; i < l->options.connections; i++)
            handshake_end(fds[i]);
        l->all += (uint64_t)l->options.connections;
        if (now >= counted_from)
            l->answers += (uint64_t)l->options.connections;
    }
    load_print(l, now - counted_from);
}

static enum kind kind_of(const char *word)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(word, kinds[i]) == 0)
            return (enum kind)i;
    fprintf(stderr, "load: there is no --kind %s\n", word);
    exit(2);
}

static struct options options_parse(int argc, char **argv)
{
    struct options o = {.connections = 1, .depth = 1, .bytes = 20, .warmup_s = 0.3, .seconds = 1, .path = "/"};

    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];

        if (strcmp(name, "--port") == 0)
            o.port = atoi(value);
        else if (strcmp(name, "--connections") == 0)
            o.connections = atoi(value);
        else if (strcmp(name, "--depth") == 0)
            o.depth = atoi(value);
        else if (strcmp(name, "--bytes") == 0)
            o.bytes = (size_t)atol(value);
        else if (strcmp(name, "--seconds") == 0)
            o.seconds = atof(value);
        else if (strcmp(name, "--path") == 0)
            o.path = value;
        else if (strcmp(name, "--kind") == 0)
            o.kind = kind_of(value);
        else
            o.port = 0, i = argc;
    }
    if (o.port <= 0 || o.connections < 1 || o.depth < 1 || o.bytes < 1 || o.bytes > READ_BYTES / 4) {
        fprintf(stderr, "usage: load --port N [--kind echo|getattr|get|broadcast|handshake|socketio] [--path /] [--connections N] [--depth N]\n"
                        "            [--bytes 1..%d] [--seconds S]\n", READ_BYTES / 4);
        exit(2);
    }
    return o;
}

int main(int argc, char **argv)
{
    struct load l = {.options = options_parse(argc, argv)};
    struct connection *connections = must_have(sizeof(*connections) * (size_t)l.options.connections);
    struct rlimit descriptors;

    if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
        descriptors.rlim_cur = descriptors.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &descriptors); /* where there are too few, socket() says so */
    }
    if (l.options.kind == KIND_HANDSHAKE) {
        load_shake_hands(&l);
        return 0;
    }
    load_make_frames(&l);
    l.read_buffer = must_have(READ_BYTES);
    for (int i = 0; i < l.options.connections; i++) {
        connections[i].fd = connection_open(&l.options);
        connections[i].partial = must_have(READ_BYTES / 2);
    }
    load_run(&l, connections);
    return 0;
}
