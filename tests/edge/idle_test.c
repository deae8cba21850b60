/* What a connection that says nothing has allocated. The bounds are to be lowered where less suffices, and raised for a reason.
 * Not what an app adds. Read next: harness.h.
 * SPDX-License-Identifier: MIT */
#include "harness.h"

/* Kept: the connection, what watches its socket (in slabs), and of a WebSocket its pace and its deadlines. */
enum { HTTP_BYTES = 230, WEBSOCKET_BYTES = 330 };
enum { CLIENTS = 50 };

static void idle_open(struct client *c, struct world *w, bool is_websocket)
{
    client_open(c, w);
    if (is_websocket)
        (void)client_upgrade(c);
    else
        CHECK_INT(client_get(c, "/body").status, 200);
    mw_buffer_clear(&c->in); /* the client's own is not what is counted */
    c->at = 0;
}

/* The first of them makes what all share. */
static void check_idle(bool is_websocket, int64_t bytes_of_each)
{
    struct world w;
    struct client first, clients[CLIENTS];
    int64_t before;
    int i;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_BODY_GRACE] = 40; /* what was needed for a request is given back within 10 ms */
    world_open(&w);
    idle_open(&first, &w, is_websocket);
    before = mw_memory_stats().live_bytes;
    for (i = 0; i < CLIENTS; i++)
        idle_open(&clients[i], &w, is_websocket);
    CLIENT_UNTIL(&first, mw_memory_stats().live_bytes <= before + CLIENTS * bytes_of_each);
    CHECK_INT(edge_stats(w.edge).connections, CLIENTS + 1);
    for (i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
    client_close(&first);
    world_close(&w);
}

static void an_idle_http_connection_takes_little(void)
{
    check_idle(false, HTTP_BYTES);
}

static void an_idle_websocket_takes_little(void)
{
    check_idle(true, WEBSOCKET_BYTES);
}

static void what_a_request_under_way_took_is_given_back(void)
{
    static const char half[] = "GET /body HTTP/1.1\r\nHost: ";
    struct world w;
    struct client c;
    uint64_t heard;
    int64_t busy;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_BODY_GRACE] = 40;
    world_open(&w);
    client_open(&c, &w);
    CHECK_INT(mw_buffer_reserve(&c.in, 4096), 0);
    CHECK_INT(client_get(&c, "/body").status, 200);
    heard = edge_stats(w.edge).bytes_in;
    client_say(&c, half);
    CLIENT_UNTIL(&c, edge_stats(w.edge).bytes_in == heard + strlen(half));
    busy = mw_memory_stats().live_bytes;
    client_say(&c, "localhost\r\n\r\n");
    CHECK_INT(client_response(&c).status, 200);
    CLIENT_UNTIL(&c, mw_memory_stats().live_bytes < busy);
    client_close(&c);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(an_idle_http_connection_takes_little),
        TEST(an_idle_websocket_takes_little),
        TEST(what_a_request_under_way_took_is_given_back),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
