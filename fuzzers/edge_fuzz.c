/* F10, its first part: a whole edge over a socket pair; bytes choose what clients say, in which pieces, and what the hooks
 * do with it. Oracle: nothing crashes, every connection ends, nothing stays queued, `closed` is called once per stream.
 * room: edge
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/edge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t byte_count);

enum { SEATS = 4, ROUNDS = 40 };

struct seat {
    struct edge_connection *connection;
    bool is_taken;
};

struct world {
    struct poller *poller;
    struct edge *edge;
    int folder;
    struct seat seats[SEATS];
    mw_value big;
};

static void route(void *context, const struct edge_request *request, struct edge_answer *answer)
{
    struct world *w = context;
    const char *what = request->path + 1;
    size_t i;

    (void)edge_request_field(request, "origin");
    if (request->is_upgrade && *what != 'r') {
        for (i = 0; i < SEATS && w->seats[i].is_taken; i++)
            ;
        if (i == SEATS)
            return;
        w->seats[i] = (struct seat){.is_taken = true};
        answer->kind = EDGE_UPGRADE;
        answer->connection = &w->seats[i];
        answer->subprotocol = edge_request_offers(request, "meshwork.v1") ? "meshwork.v1" : NULL;
    } else if (*what == 'f') {
        answer->kind = EDGE_FILES;
        answer->index = "index.html";
        answer->places[0] = (struct edge_place){.root_fd = w->folder, .path = what + 1};
    } else if (*what == 'b') {
        answer->kind = EDGE_BODY;
        answer->body = mw_share(w->big);
    } else if (*what == 'p') {
        answer->kind = request->is_whole ? EDGE_BODY : EDGE_COLLECT;
        if (request->is_whole)
            answer->body = mw_text_n(request->body_count ? request->body : "", request->body_count);
    } else if (*what == 'c') {
        answer->must_close = true;
    }
}

static void opened(void *connection, struct edge_connection *edge_connection)
{
    ((struct seat *)connection)->connection = edge_connection;
}

/* The first byte of a message says what the app does about it. */
static void message(void *connection, enum edge_kind kind, const void *bytes, size_t byte_count)
{
    struct seat *seat = connection;
    uint8_t what = byte_count ? *(const uint8_t *)bytes : 0;

    if (what == 'x')
        edge_connection_close(seat->connection, 1000 + (byte_count > 1 ? ((const uint8_t *)bytes)[1] : 0), "asked");
    else if (what == 'p')
        edge_connection_pause(seat->connection, true);
    else if (what != 's')
        (void)edge_connection_send(seat->connection, kind, bytes, byte_count);
    if (what == 'b') {
        mw_value value = mw_text_n(bytes, byte_count);

        (void)edge_connection_send_shared(seat->connection, EDGE_BINARY, value);
        mw_release(value);
    }
}

static void closed(void *connection, int code)
{
    struct seat *seat = connection;

    (void)code;
    if (!seat->is_taken)
        abort();
    *seat = (struct seat){.is_taken = false};
}

static bool turn(void *context, int64_t now_ns)
{
    (void)context;
    (void)now_ns;
    return false;
}

static struct world *world_get(void)
{
    static struct world w;
    static const struct edge_hooks hooks = {
        .route = route, .opened = opened, .message = message, .closed = closed, .turn = turn};
    struct edge_options options = {.hooks = &hooks, .context = &w, .deflates = true, .deflates_with_context = true};
    struct edge_limits limits;
    char text[70000];

    if (w.edge)
        return &w;
    memset(text, 'b', sizeof text);
    w.big = mw_text_n(text, sizeof text);
    w.folder = open("/usr/share", O_PATH | O_DIRECTORY | O_CLOEXEC);
    edge_limits_init(&limits);
    limits.value[EDGE_LIMIT_MESSAGE] = 4096;
    limits.value[EDGE_LIMIT_OUTPUT_PAUSE] = 2048;
    limits.value[EDGE_LIMIT_BURST] = 5;
    limits.value[EDGE_LIMIT_DEFLATE_FROM] = 16;
    limits.value[EDGE_LIMIT_MESSAGES] = 1000000;
    options.limits = &limits;
    if (poller_open(&w.poller) < 0)
        abort();
    options.poller = w.poller;
    if (edge_open(&options, &w.edge, NULL) < 0)
        abort();
    return &w;
}

static void drink(int fd)
{
    char bytes[65536];

    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

/* The first byte: how the rest is cut, whether the client reads meanwhile, how it ends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t byte_count)
{
    struct world *w = world_get();
    size_t at = 1, step;
    int pair[2], i;

    if (byte_count < 2)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0 ||
        edge_adopt(w->edge, pair[0], data[0] & 0x80, NULL) < 0)
        abort();
    step = (size_t)1 << (data[0] & 0x0f);
    for (i = 0; at < byte_count && i < 4000; i++) {
        size_t count = step < byte_count - at ? step : byte_count - at;
        ssize_t n = send(pair[1], data + at, count, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0)
            at += (size_t)n;
        poller_run_once(w->poller, false);
        if (data[0] & 0x10)
            drink(pair[1]);
        if (n < 0 && !(data[0] & 0x10))
            break;
    }
    if (data[0] & 0x20) {
        (void)shutdown(pair[1], SHUT_WR);
        for (i = 0; i < 3; i++) {
            poller_run_once(w->poller, false);
            drink(pair[1]);
        }
    }
    close(pair[1]);
    for (i = 0; i < SEATS; i++) {
        if (w->seats[i].connection)
            edge_connection_pause(w->seats[i].connection, false);
    }
    for (i = 0; i < ROUNDS && edge_stats(w->edge).connections > 0; i++) {
        poller_run_once(w->poller, false);
        if (i >= ROUNDS / 2) /* one that waits for a bucket to fill */
            usleep(2000);
    }
    if (edge_stats(w->edge).connections != 0 || edge_stats(w->edge).queued_bytes != 0 ||
        edge_stats(w->edge).websockets != 0)
        abort();
    return 0;
}
