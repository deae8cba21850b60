/* Connections that go from one edge to another, each on its own thread: nothing of a request is lost on the way.
 * Not what a server moves; that is a scenario. Read next: harness.h.
 * SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>

#include "harness.h"

enum { BETWEEN_MOST = 16 };

/* An edge that answers /file/ itself and sends all else to the world's. */
struct door {
    struct world *world;
    struct poller *poller;
    struct poller_wake *end, *come; /* come: the world's */
    struct edge *edge;
    pthread_t thread;
    uint16_t port;
    atomic_bool must_end, discards;
    atomic_int answered;
    pthread_mutex_t lock;
    struct edge_connection *between[BETWEEN_MOST]; /* under the lock */
    size_t between_count;
    struct edge_together *together;
};
static struct door door;

static void door_route(void *context, const struct edge_request *request, struct edge_answer *answer)
{
    (void)context;
    answer->kind = EDGE_MOVE;
    answer->to = &door;
    if (strncmp(request->path, "/file/", 6) != 0)
        return;
    answer->kind = EDGE_FILES;
    answer->places[0] = (struct edge_place){.root_fd = door.world->root_fd, .path = request->path + 6};
    atomic_fetch_add(&door.answered, 1);
}

static void bring_to_world(struct edge_connection *c)
{
    pthread_mutex_lock(&door.lock);
    CHECK(door.between_count < BETWEEN_MOST);
    door.between[door.between_count++] = c;
    pthread_mutex_unlock(&door.lock);
    poller_wake(door.come);
}

static void door_moved(void *context, void *to, struct edge_connection *c)
{
    (void)context;
    CHECK(to == &door);
    if (atomic_load(&door.discards))
        CHECK(edge_discard(door.together, c) == NULL);
    else
        bring_to_world(c);
}

/* On the world's thread. */
static void come(void *context)
{
    struct edge_connection *c;

    (void)context;
    do {
        pthread_mutex_lock(&door.lock);
        c = door.between_count > 0 ? door.between[--door.between_count] : NULL;
        pthread_mutex_unlock(&door.lock);
        if (c)
            edge_take(door.world->edge, c);
    } while (c);
}

static void nothing(void *context)
{
    (void)context;
}

static void *door_run(void *context)
{
    (void)context;
    while (!atomic_load(&door.must_end))
        poller_run_once(door.poller, true);
    edge_free(door.edge);
    poller_wake_free(door.end);
    poller_close(door.poller);
    return NULL;
}

static void start(struct world *w)
{
    static const char *const addresses[] = {"127.0.0.1"};
    const struct edge_hooks hooks = {.route = door_route, .moved = door_moved};
    const struct edge_listen listen = {.addresses = addresses, .address_count = 1};
    struct edge_options options = {.hooks = &hooks, .limits = &w->limits, .per_ip_loopback = true};

    door = (struct door){.world = w, .lock = PTHREAD_MUTEX_INITIALIZER};
    door.together = edge_together_new();
    CHECK(door.together != NULL);
    w->together = door.together;
    world_open(w);
    options.together = door.together;
    CHECK_INT(poller_wake_new(w->poller, come, NULL, &door.come), 0);
    CHECK_INT(poller_open(&door.poller), 0);
    CHECK_INT(poller_wake_new(door.poller, nothing, NULL, &door.end), 0);
    options.poller = door.poller;
    CHECK_INT(edge_open(&options, &door.edge, NULL), 0);
    CHECK_INT(edge_listen(door.edge, &listen, &door.port, NULL), 0);
    CHECK_INT(pthread_create(&door.thread, NULL, door_run, NULL), 0);
}

static void end(struct world *w)
{
    atomic_store(&door.must_end, true);
    poller_wake(door.end);
    CHECK_INT(pthread_join(door.thread, NULL), 0);
    come(NULL);
    poller_wake_free(door.come);
    world_close(w);
    CHECK_INT(edge_together_connections(door.together), 0);
    edge_together_free(door.together);
}

static void a_request_that_moves_is_answered_with_its_body_and_what_follows_it(void)
{
    struct world w;
    struct client c;
    struct response r;
    char head[128], body[100000];
    size_t at;

    world_init(&w);
    start(&w);
    client_open_at(&c, &w, door.port);
    memset(body, 'b', sizeof body);
    snprintf(head, sizeof head, "POST /post HTTP/1.1\r\nHost: h\r\nX-Test: kept\r\nContent-Length: %zu\r\n\r\n", sizeof body);
    client_say(&c, head);
    for (at = 0; at < sizeof body; at += 20000) { /* it moves in the middle of this */
        client_send(&c, body + at, 20000);
        client_step(&c);
    }
    r = client_response(&c);
    CHECK_INT(r.status, 200);
    CHECK_BYTES(r.body, r.body_count, body, sizeof body);
    CHECK_TEXT(w.last_field, "kept");
    client_say(&c, "GET /body HTTP/1.1\r\nHost: h\r\n\r\n");
    r = client_response(&c);
    CHECK_BYTES(r.body, r.body_count, "{\"answer\":42}", 13);
    client_close(&c);
    end(&w);
}

static void an_upgrade_moves_with_the_frames_behind_it(void)
{
    struct world w;
    struct client c;
    struct mw_buffer out;

    world_init(&w);
    start(&w);
    client_open_at(&c, &w, door.port);
    mw_buffer_init(&out, 1 << 20);
    CHECK_INT(mw_buffer_append_text(&out, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"), 0);
    frame_append(&out, WEBSOCKET_TEXT, true, "early", 5);
    client_send(&c, out.data, out.count);
    CHECK_INT(client_response(&c).status, 101);
    check_message(&c, WEBSOCKET_TEXT, "early", 5);
    client_frame(&c, WEBSOCKET_TEXT, true, "later", 5);
    check_message(&c, WEBSOCKET_TEXT, "later", 5);
    CHECK_INT(edge_stats(w.edge).websockets, 1);
    CHECK_INT(edge_stats(w.edge).moved_in, 1);
    mw_buffer_clear(&out);
    client_close(&c);
    end(&w);
}

static void a_stream_that_moved_is_pinged_and_dropped_as_any(void)
{
    struct world w;
    struct client c;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_PING] = 40;
    start(&w);
    client_open_at(&c, &w, door.port);
    client_say(&c, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    CHECK_INT(client_response(&c).status, 101);
    CHECK_INT(edge_stats(w.edge).moved_in, 1);
    CHECK_INT(client_event(&c).kind, WEBSOCKET_EVENT_PING);
    CLIENT_UNTIL(&c, c.has_ended);
    client_close(&c);
    end(&w);
}

static void what_was_asked_for_before_is_answered_before(void)
{
    struct world w;
    struct client c;
    struct response r;
    int round;

    world_init(&w);
    start(&w);
    world_write_file(&w, "a.txt", "file", 4);
    for (round = 0; round < 20; round++) {
        client_open_at(&c, &w, door.port);
        client_say(&c, "GET /file/a.txt HTTP/1.1\r\nHost: h\r\n\r\nGET /file/a.txt HTTP/1.1\r\nHost: h\r\n\r\n"
                       "GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /file/a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
        r = client_response(&c);
        CHECK_BYTES(r.body, r.body_count, "file", 4);
        r = client_response(&c);
        CHECK_BYTES(r.body, r.body_count, "file", 4);
        r = client_response(&c);
        CHECK_INT(r.body_count, 300000);
        r = client_response(&c); /* it stays where it went */
        CHECK_BYTES(r.body, r.body_count, "file", 4);
        CHECK_INT(atomic_load(&door.answered), 2 * (round + 1));
        client_close(&c);
    }
    end(&w);
}

static void connections_are_counted_together(void)
{
    struct world w;
    struct client clients[4];
    size_t i;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_CONNECTIONS] = 3;
    start(&w);
    for (i = 0; i < 3; i++) {
        client_open_at(&clients[i], &w, i == 2 ? w.port : door.port);
        CHECK_INT(client_get(&clients[i], i == 0 ? "/file/missing" : "/body").status, i == 0 ? 404 : 200);
    }
    CHECK_INT(edge_together_connections(door.together), 3);
    client_open(&clients[3], &w); /* its own edge has two */
    CHECK_INT(client_response(&clients[3]).status, 503);
    for (i = 0; i < 4; i++)
        client_close(&clients[i]);
    end(&w);
}

static void one_that_nobody_takes_is_closed(void)
{
    struct world w;
    struct client c;

    world_init(&w);
    start(&w);
    atomic_store(&door.discards, true);
    client_open_at(&c, &w, door.port);
    client_say(&c, "GET /body HTTP/1.1\r\nHost: h\r\n\r\n");
    CLIENT_UNTIL(&c, c.has_ended);
    CHECK_INT(c.in.count, 0);
    client_close(&c);
    end(&w);
}

static const struct mw_test tests[] = {
    TEST(a_request_that_moves_is_answered_with_its_body_and_what_follows_it),
    TEST(an_upgrade_moves_with_the_frames_behind_it),
    TEST(a_stream_that_moved_is_pinged_and_dropped_as_any),
    TEST(what_was_asked_for_before_is_answered_before),
    TEST(connections_are_counted_together),
    TEST(one_that_nobody_takes_is_closed),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
