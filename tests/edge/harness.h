/* A whole edge on loopback with scripted hooks, and clients that share its thread: nothing waits but for the other.
 * Not a fake kernel: the sockets are real. Read next: edge_test.c.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_EDGE_HARNESS_H
#define TEST_EDGE_HARNESS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "check.h"
#include "codec/websocket.h"
#include "edge/edge.h"

#define UNUSED __attribute__((unused))
enum { PATIENCE_S = 10, SEATS = 64 };

/* What the hooks saw of one WebSocket. */
struct seat {
    struct world *world;
    struct edge_connection *connection; /* NULL: not open (any more) */
    int messages, closed_count, code, last_send;
    size_t last_count;
    enum edge_kind last_kind;
    char last[256]; /* the first bytes of the last message */
};

struct world {
    struct poller *poller;
    struct edge *edge;
    struct edge_limits limits;
    uint16_t port;
    char folder[64];
    int root_fd;
    bool echoes;
    bool deflates, deflates_with_context;
    struct edge_together *together; /* NULL: it counts alone */
    struct edge_later later[2]; /* of /later/0 and /later/1 */
    int routes, turns;
    void (*in_turn)(struct world *w); /* called in the next turn; NULL: nothing */
    char last_path[256], last_query[256], last_host[256], last_field[256];
    struct seat seats[SEATS];
    size_t seat_count;
    mw_value big;
    uint64_t steps_by_letter[128]; /* what a message that begins so takes */
    char heard[64];                /* the first letter of each message, in the order in which they were heard */
    size_t heard_count;
    char mover;                    /* a message that begins so has its connection leave; 0: none */
    struct edge_connection *gone;  /* that has left last, and that nobody has taken */
};

/* ---- hooks ------------------------------------------------------------------------------------------- */
UNUSED static void world_upgrade(struct world *w, const struct edge_request *request, struct edge_answer *answer)
{
    struct seat *seat = &w->seats[w->seat_count++ % SEATS];

    *seat = (struct seat){.world = w};
    answer->kind = EDGE_UPGRADE;
    answer->connection = seat;
    answer->subprotocol = edge_request_offers(request, "meshwork.v1") ? "meshwork.v1" : NULL;
}

UNUSED static void world_route(void *context, const struct edge_request *request, struct edge_answer *answer)
{
    struct world *w = context;
    const char *path = request->path, *field = edge_request_field(request, "x-test");

    w->routes++;
    snprintf(w->last_path, sizeof w->last_path, "%s", path);
    snprintf(w->last_query, sizeof w->last_query, "%s", request->query);
    snprintf(w->last_host, sizeof w->last_host, "%s:%d", request->host, request->host_port);
    snprintf(w->last_field, sizeof w->last_field, "%s", field ? field : "(none)");
    if (strcmp(path, "/ws") == 0 && request->is_upgrade) {
        world_upgrade(w, request, answer);
    } else if (strncmp(path, "/file/", 6) == 0) {
        answer->kind = EDGE_FILES;
        answer->headers = "Cache-Control: no-cache\r\n";
        answer->places[0] = (struct edge_place){.root_fd = w->root_fd, .path = path + 6};
    } else if (strncmp(path, "/site/", 6) == 0) {
        answer->kind = EDGE_FILES;
        answer->index = "index.html";
        answer->places[0] = (struct edge_place){.root_fd = w->root_fd, .folder = "missing", .path = path + 6};
        answer->places[1] = (struct edge_place){.root_fd = w->root_fd, .path = path + 6};
    } else if (strncmp(path, "/css/", 5) == 0) {
        answer->kind = EDGE_FILES;
        answer->places[0] = (struct edge_place){.root_fd = w->root_fd, .folder = "missing", .path = path + 5};
        answer->places[1] = (struct edge_place){.root_fd = w->root_fd, .folder = "css", .path = path + 5};
    } else if (strcmp(path, "/body") == 0) {
        answer->kind = EDGE_BODY;
        answer->media_type = "application/json";
        answer->body = mw_text("{\"answer\":42}");
    } else if (strcmp(path, "/big") == 0) {
        answer->kind = EDGE_BODY;
        answer->body = mw_share(w->big);
    } else if (strncmp(path, "/public/", 8) == 0) { /* so many letters, which may be packed */
        answer->kind = EDGE_BODY;
        answer->may_pack = true;
        answer->body = mw_text_n(mw_get_text(&w->big, NULL), (size_t)atoi(path + 8));
    } else if (strcmp(path, "/post") == 0 && request->method == EDGE_POST) {
        answer->kind = request->is_whole ? EDGE_BODY : EDGE_COLLECT;
        if (request->is_whole)
            answer->body = mw_text_n(request->body_count ? request->body : "", request->body_count);
    } else if (strncmp(path, "/later/", 7) == 0) {
        answer->kind = request->later ? EDGE_BODY : EDGE_LATER;
        if (request->later)
            answer->body = mw_text(request->later == &w->later[0] ? "it was 0" : "it was 1");
        else
            answer->later = &w->later[path[7] - '0'];
    } else if (strcmp(path, "/collect-what-is-whole") == 0) {
        answer->kind = EDGE_COLLECT;
    } else if (strcmp(path, "/upgrade-unasked") == 0) {
        world_upgrade(w, request, answer);
    } else if (strcmp(path, "/bad-header") == 0) {
        answer->kind = EDGE_BODY;
        answer->media_type = "text/html\r\nX-Injected: yes";
        answer->body = mw_text("x");
    } else if (strcmp(path, "/only-get") == 0) {
        answer->status = 405;
    }
}

UNUSED static void world_opened(void *connection, struct edge_connection *edge_connection)
{
    ((struct seat *)connection)->connection = edge_connection;
}

UNUSED static void world_message(void *connection, enum edge_kind kind, const void *bytes, size_t byte_count)
{
    struct seat *seat = connection;
    size_t kept = byte_count < sizeof seat->last ? byte_count : sizeof seat->last - 1;
    struct world *w = seat->world;

    seat->messages++;
    if (kept > 0 && w->heard_count < sizeof w->heard - 1)
        w->heard[w->heard_count++] = *(const char *)bytes;
    if (kept > 0 && *(const uint8_t *)bytes < 128)
        edge_worked(w->edge, w->steps_by_letter[*(const uint8_t *)bytes]);
    seat->last_kind = kind;
    seat->last_count = byte_count;
    memcpy(seat->last, bytes, kept);
    seat->last[kept] = '\0';
    if (seat->world->echoes)
        seat->last_send = edge_connection_send(seat->connection, kind, bytes, byte_count);
    if (kept > 0 && w->mover && seat->last[0] == w->mover)
        CHECK_INT(edge_connection_move(seat->connection), 0);
}

UNUSED static void world_closed(void *connection, int code)
{
    struct seat *seat = connection;

    seat->closed_count++;
    seat->code = code;
    seat->connection = NULL;
}

UNUSED static void world_left(void *connection, struct edge_connection *edge_connection)
{
    struct seat *seat = connection;

    CHECK(seat->connection == edge_connection);
    seat->world->gone = edge_connection;
    seat->connection = NULL;
}

UNUSED static bool world_turn(void *context, int64_t now_ns)
{
    struct world *w = context;
    void (*in_turn)(struct world *) = w->in_turn;

    (void)now_ns;
    w->turns++;
    w->in_turn = NULL;
    if (in_turn)
        in_turn(w);
    return false;
}

/* ---- the world --------------------------------------------------------------------------------------- */
UNUSED static void world_write_file(struct world *w, const char *name, const void *bytes, size_t byte_count)
{
    int fd = openat(w->root_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    CHECK(fd >= 0);
    CHECK_INT(write(fd, bytes, byte_count), byte_count);
    close(fd);
}

UNUSED static void world_init(struct world *w)
{
    *w = (struct world){.echoes = true};
    edge_limits_init(&w->limits);
}

UNUSED static void world_open(struct world *w)
{
    static const struct edge_hooks hooks = {.route = world_route,
                                            .opened = world_opened,
                                            .message = world_message,
                                            .closed = world_closed,
                                            .turn = world_turn,
                                            .left = world_left,
                                            .came = world_opened};
    static const char *const addresses[] = {"127.0.0.1"};
    struct edge_listen listen = {.addresses = addresses, .address_count = 1};
    struct edge_options options = {.hooks = &hooks,
                                   .context = w,
                                   .limits = &w->limits,
                                   .together = w->together,
                                   .deflates = w->deflates,
                                   .deflates_with_context = w->deflates_with_context};
    struct mw_error error = {.text = ""};
    char *text = mw_alloc(300000);
    size_t i;

    for (i = 0; i < 300000; i++)
        text[i] = (char)('a' + i % 26);
    w->big = mw_text_n(text, 300000);
    mw_free(text);
    snprintf(w->folder, sizeof w->folder, "/tmp/edge_test.XXXXXX");
    CHECK(mkdtemp(w->folder) != NULL);
    w->root_fd = open(w->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CHECK(w->root_fd >= 0);
    CHECK_INT(poller_open(&w->poller), 0);
    options.poller = w->poller;
    CHECK_INT(edge_open(&options, &w->edge, &error), 0);
    CHECK_INT(edge_listen(w->edge, &listen, &w->port, &error), 0);
    CHECK(w->port != 0);
}

UNUSED static void world_close(struct world *w)
{
    char command[128];

    edge_free(w->edge);
    poller_close(w->poller);
    close(w->root_fd);
    mw_release(w->big);
    snprintf(command, sizeof command, "rm -rf '%s'", w->folder);
    CHECK_INT(system(command), 0);
}

/* ---- clients ----------------------------------------------------------------------------------------- */
struct client {
    struct world *world;
    int fd;
    struct mw_buffer in;
    size_t at; /* frames before it have been taken */
    bool has_ended, is_deaf /* takes nothing from its socket */;
    struct websocket_limits limits;
    struct websocket_decoder decoder;
};

UNUSED static void client_read(struct client *c)
{
    char bytes[65536];
    ssize_t n;

    while (!c->has_ended && !c->is_deaf) {
        n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0) {
            CHECK_INT(mw_buffer_append(&c->in, bytes, (size_t)n), 0);
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        c->has_ended = true;
    }
}

/* Let both sides go on once; wait a moment where neither has anything to do. */
UNUSED static void client_step(struct client *c)
{
    struct pollfd fds[2] = {{.fd = poller_fd(c->world->poller), .events = POLLIN},
                            {.fd = c->has_ended || c->is_deaf ? -1 : c->fd, .events = POLLIN}};
    int timeout_ms = poller_timeout_ms(c->world->poller);

    if (timeout_ms < 0 || timeout_ms > 20)
        timeout_ms = 20;
    poll(fds, 2, timeout_ms);
    poller_run_once(c->world->poller, false);
    client_read(c);
}

#define CLIENT_UNTIL(c, condition)                                                                                    \
    do {                                                                                                              \
        int64_t give_up_ns = mw_now_ns() + PATIENCE_S * INT64_C(1000000000);                                          \
        bool is_met = (condition);                                                                                    \
        while (!is_met && mw_now_ns() < give_up_ns) {                                                                 \
            client_step(c);                                                                                           \
            is_met = (condition);                                                                                     \
        }                                                                                                             \
        if (!is_met)                                                                                                  \
            CHECK_FAILED_("%s did not come to be\n", #condition);                                                     \
    } while (0)

UNUSED static void client_open_at(struct client *c, struct world *w, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *c = (struct client){.world = w};
    mw_buffer_init(&c->in, 64U << 20);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(c->fd >= 0);
    CHECK_INT(connect(c->fd, (struct sockaddr *)&to, sizeof to), 0);
    CHECK_INT(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
    c->limits = (struct websocket_limits){.message_bytes = 64U << 20, .is_client = true};
    websocket_decoder_init(&c->decoder, &c->limits);
}

UNUSED static void client_open(struct client *c, struct world *w)
{
    client_open_at(c, w, w->port);
}

UNUSED static void client_close(struct client *c)
{
    close(c->fd);
    mw_buffer_clear(&c->in);
    websocket_decoder_clear(&c->decoder);
}

UNUSED static void client_send(struct client *c, const void *bytes, size_t byte_count)
{
    size_t at = 0;
    int64_t give_up_ns = mw_now_ns() + PATIENCE_S * INT64_C(1000000000);

    while (at < byte_count && mw_now_ns() < give_up_ns) {
        ssize_t n = send(c->fd, (const char *)bytes + at, byte_count - at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0)
            at += (size_t)n;
        else
            client_step(c);
    }
    CHECK_INT(at, byte_count);
}

UNUSED static void client_say(struct client *c, const char *text)
{
    client_send(c, text, strlen(text));
}

UNUSED static const char *client_text(struct client *c)
{
    CHECK_INT(mw_buffer_append_byte(&c->in, 0), 0);
    c->in.count--;
    return (const char *)c->in.data;
}

/* ---- HTTP -------------------------------------------------------------------------------------------- */
struct response {
    int status;
    char head[4096]; /* with the empty line */
    const char *body;
    size_t body_count;
};

UNUSED static bool response_parse(struct client *c, bool is_head, struct response *ret, size_t *ret_used)
{
    const char *text = client_text(c) + c->at, *end = strstr(text, "\r\n\r\n"), *length;
    size_t head_count;

    if (!end)
        return false;
    head_count = (size_t)(end - text) + 4;
    CHECK(head_count < sizeof ret->head);
    memcpy(ret->head, text, head_count);
    ret->head[head_count] = '\0';
    CHECK_INT(sscanf(ret->head, "HTTP/1.1 %d ", &ret->status), 1);
    length = strstr(ret->head, "Content-Length: ");
    ret->body_count = length && !is_head ? strtoull(length + 16, NULL, 10) : 0;
    ret->body = text + head_count;
    *ret_used = head_count + ret->body_count;
    return c->in.count - c->at >= *ret_used;
}

/* Wait for the next response; its body is borrowed until the client reads again. */
UNUSED static struct response client_response_to(struct client *c, bool is_head)
{
    struct response r = {0};
    size_t used = 0;

    CLIENT_UNTIL(c, response_parse(c, is_head, &r, &used));
    c->at += used;
    return r;
}

UNUSED static struct response client_response(struct client *c)
{
    return client_response_to(c, false);
}

UNUSED static struct response client_get(struct client *c, const char *path)
{
    char request[8192];

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    client_say(c, request);
    return client_response(c);
}

UNUSED static void check_has(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fprintf(stderr, "    \"%s\" is not in\n%s\n", part, text);
        mw_test_fail();
    }
}

UNUSED static void check_has_not(const char *text, const char *part)
{
    if (strstr(text, part)) {
        fprintf(stderr, "    \"%s\" is in\n%s\n", part, text);
        mw_test_fail();
    }
}

/* ---- WebSocket --------------------------------------------------------------------------------------- */
UNUSED static struct seat *client_upgrade(struct client *c)
{
    size_t seat = c->world->seat_count;
    struct response r;

    client_say(c, "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    r = client_response(c);
    CHECK_INT(r.status, 101);
    check_has(r.head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    CHECK_INT(c->world->seat_count, seat + 1);
    return &c->world->seats[seat % SEATS];
}

UNUSED static void frame_append(struct mw_buffer *out, int opcode, bool is_final, const void *bytes, size_t byte_count)
{
    static const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};

    CHECK_INT(websocket_write_masked(out, (enum websocket_opcode)opcode, is_final, mask, bytes, byte_count), 0);
}

UNUSED static void client_frame(struct client *c, int opcode, bool is_final, const void *bytes, size_t byte_count)
{
    struct mw_buffer out;

    mw_buffer_init(&out, 64U << 20);
    frame_append(&out, opcode, is_final, bytes, byte_count);
    client_send(c, out.data, out.count);
    mw_buffer_clear(&out);
}

UNUSED static bool client_decode(struct client *c, struct websocket_event *ret)
{
    *ret = (struct websocket_event){.kind = WEBSOCKET_EVENT_NONE};
    if (c->at < c->in.count)
        c->at += websocket_decode(&c->decoder, c->in.data + c->at, c->in.count - c->at, ret);
    return ret->kind != WEBSOCKET_EVENT_NONE;
}

/* Wait for the next event from the server; its bytes are borrowed until the client reads again. */
UNUSED static struct websocket_event client_event(struct client *c)
{
    struct websocket_event event;

    CLIENT_UNTIL(c, client_decode(c, &event));
    return event;
}

UNUSED static void check_message(struct client *c, int opcode, const void *bytes, size_t byte_count)
{
    struct websocket_event event = client_event(c);

    CHECK_INT(event.kind, WEBSOCKET_EVENT_MESSAGE);
    CHECK_INT(event.opcode, opcode);
    CHECK_BYTES(event.bytes, event.byte_count, bytes, byte_count);
}

#endif
