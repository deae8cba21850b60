/* Requests and answers over real sockets: order, keep-alive, limits, refusals.
 * Not files; those are in files_test.c. Read next: harness.h.
 * SPDX-License-Identifier: MIT */
#include "harness.h"

static void a_body_is_answered_with_its_length_and_type(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    r = client_get(&c, "/body?x=1&y=2");
    CHECK_INT(r.status, 200);
    check_has(r.head, "Content-Type: application/json\r\n");
    check_has(r.head, "Content-Length: 13\r\n");
    check_has(r.head, "\r\nDate: ");
    CHECK_BYTES(r.body, r.body_count, "{\"answer\":42}", 13);
    CHECK_TEXT(w.last_query, "x=1&y=2");
    CHECK_TEXT(w.last_host, "localhost:-1");
    r = client_get(&c, "/nothing");
    CHECK_INT(r.status, 404);
    CHECK_BYTES(r.body, r.body_count, "404 Not Found\n", 14);
    CHECK_INT(edge_stats(w.edge).requests, 2);
    CHECK_INT(edge_stats(w.edge).status[4], 1);
    client_close(&c);
    world_close(&w);
}

static void head_is_answered_without_a_body(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    client_say(&c, "HEAD /big HTTP/1.1\r\nHost: h\r\n\r\n");
    r = client_response_to(&c, true);
    CHECK_INT(r.status, 200);
    check_has(r.head, "Content-Length: 300000\r\n");
    r = client_get(&c, "/body"); /* nothing of a body lay between */
    CHECK_INT(r.body_count, 13);
    client_close(&c);
    world_close(&w);
}

static void a_large_body_arrives_whole(void)
{
    struct world w;
    struct client c;
    struct response r;
    size_t count;
    const char *big;

    world_init(&w);
    world_open(&w);
    big = mw_get_text(&w.big, &count);
    client_open(&c, &w);
    r = client_get(&c, "/big");
    CHECK_BYTES(r.body, r.body_count, big, count);
    client_close(&c);
    world_close(&w);
}

static void pipelined_requests_are_answered_in_order(void)
{
    struct world w;
    struct client c;
    struct mw_buffer out;
    int i;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_REQUESTS] = 1000;
    world_open(&w);
    client_open(&c, &w);
    mw_buffer_init(&out, 1 << 20);
    for (i = 0; i < 100; i++)
        CHECK_INT(mw_buffer_printf(&out, "GET /%s HTTP/1.1\r\nHost: h\r\n\r\n",
                                   i % 7 == 3 ? "big"
                                   : i % 2    ? "body"
                                              : "none"),
                  0);
    client_send(&c, out.data, out.count);
    mw_buffer_clear(&out);
    for (i = 0; i < 100; i++) {
        struct response r = client_response(&c);

        CHECK_INT(r.status, i % 7 == 3 || i % 2 ? 200 : 404);
        CHECK_INT(r.body_count, i % 7 == 3 ? 300000 : i % 2 ? 13 : 14);
    }
    client_close(&c);
    world_close(&w);
}

static void sixteen_pipelined_requests_are_answered_in_one_write(void)
{
    struct world w;
    struct client c;
    char out[1024] = "";
    int i;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    for (i = 0; i < 16; i++)
        strcat(out, "GET /body HTTP/1.1\r\nHost: h\r\n\r\n");
    client_say(&c, out);
    for (i = 0; i < 16; i++)
        CHECK_INT(client_response(&c).status, 200);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_PIPELINED], 1);
    CHECK_INT(edge_stats(w.edge).writes, 1);
    client_close(&c);
    world_close(&w);
}

static void a_request_may_arrive_byte_by_byte(void)
{
    static const char request[] =
        "POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-Test:  yes \r\n\r\nhello";
    struct world w;
    struct client c;
    struct response r;
    size_t i;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    for (i = 0; i < sizeof request - 1; i++) {
        client_send(&c, request + i, 1);
        client_step(&c);
    }
    r = client_response(&c);
    CHECK_BYTES(r.body, r.body_count, "hello", 5);
    CHECK_TEXT(w.last_field, "yes");
    CHECK_INT(w.routes, 2); /* once for the head, once with the body */
    client_close(&c);
    world_close(&w);
}

static void a_chunked_body_is_collected(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    client_say(&c, "POST /post HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                   "chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
                   "GET /body HTTP/1.1\r\nHost: h\r\n\r\n");
    r = client_response(&c);
    CHECK_BYTES(r.body, r.body_count, "abcdefg", 7);
    CHECK_INT(client_response(&c).body_count, 13);
    client_close(&c);
    world_close(&w);
}

static void an_expecting_client_is_told_to_continue(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    client_say(&c, "POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    r = client_response(&c);
    CHECK_INT(r.status, 100);
    client_say(&c, "ok");
    r = client_response(&c);
    CHECK_BYTES(r.body, r.body_count, "ok", 2);
    client_close(&c);
    world_close(&w);
}

static void an_unwanted_body_is_heard_out_before_its_request_is_refused(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    client_say(&c, "POST /body2 HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nGET /bo");
    CLIENT_UNTIL(&c, w.routes == 1);
    CHECK_INT(c.in.count, 0);
    client_say(&c, "dyGET /body HTTP/1.1\r\nHost: h\r\n\r\n");
    r = client_response(&c);
    CHECK_INT(r.status, 404);
    check_has_not(r.head, "Connection: close\r\n");
    r = client_response(&c);
    CHECK_BYTES(r.body, r.body_count, "{\"answer\":42}", 13);
    client_close(&c);
    world_close(&w);
}

/* Refused with this status on a connection of its own, which then ends. */
static void check_is_refused(struct world *w, const char *request, int status)
{
    struct client c;
    struct response r;

    client_open(&c, w);
    client_say(&c, request);
    r = client_response(&c);
    CHECK_INT(r.status, status);
    check_has(r.head, "Connection: close\r\n");
    CLIENT_UNTIL(&c, c.has_ended);
    client_close(&c);
}

static void a_malformed_body_is_refused_whatever_its_request_would_get(void)
{
    static const struct {
        const char *request;
        int status;
    } rows[] = {
        {"GET /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400},
        {"POST /only-get HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!!\r\n0\r\n\r\n", 400},
        {"POST /file/../.. HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;\r\nhello\r\n0\r\n\r\n", 400},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400},
        {"GET /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n", 413}, /* its limit is 1 MiB - 1 */
    };
    struct world w;
    size_t i;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_BODY] = (1 << 20) - 1;
    world_open(&w);
    for (i = 0; i < MW_COUNT(rows); i++)
        check_is_refused(&w, rows[i].request, rows[i].status);
    world_close(&w);
}

static void who_waits_for_100_continue_is_refused_at_once(void)
{
    struct world w;

    world_init(&w);
    world_open(&w);
    check_is_refused(&w, "POST /only-get HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", 405);
    world_close(&w);
}

static void a_method_that_no_resource_has_is_refused_whatever_its_hook_says(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    client_say(&c, "PUT /body HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nno");
    r = client_response(&c);
    CHECK_INT(r.status, 405);
    check_has(r.head, "Allow: GET, HEAD\r\n");
    check_has_not(r.head, "Connection: close\r\n");
    client_say(&c, "DELETE /file/a HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_INT(client_response(&c).status, 405);
    CHECK_INT(client_get(&c, "/body").status, 200);
    client_close(&c);
    world_close(&w);
}

static void what_is_malformed_or_too_long_is_refused(void)
{
    static const struct {
        const char *request;
        int status;
        int limit; /* whose hits it counts; -1: none */
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400, -1},               /* no Host */
        {"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400, -1},   /* space before the colon */
        {"GET / HTTP/1.1\nHost: h\n\n", 400, -1},          /* bare LF */
        {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400, -1}, /* no escape */
        {"GET / HTTP/1.1\r\nHost: h\r\nOrigin: http://a\r\nOrigin: http://b\r\n\r\n", 400, -1},
        {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501, -1},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505, -1},
        {"POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n", 413, EDGE_LIMIT_BODY},
        {"POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
         -1},
    };
    struct world w;
    size_t i;

    world_init(&w);
    world_open(&w);
    for (i = 0; i < MW_COUNT(rows); i++) {
        check_is_refused(&w, rows[i].request, rows[i].status);
        if (rows[i].limit >= 0)
            CHECK_INT(edge_limits_of(w.edge)->hits[rows[i].limit], 1);
    }
    world_close(&w);
}

/* RFC 9111 §4.2.2: caches may keep a 404, 414 or 501 that says nothing about it. */
static void no_cache_keeps_what_the_edge_itself_refuses(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    r = client_get(&c, "//two/slashes");
    CHECK_INT(r.status, 404);
    check_has(r.head, "Cache-Control: no-store\r\n");
    check_has(r.head, "X-Content-Type-Options: nosniff\r\n");
    client_close(&c);
    world_close(&w);
}

static void a_long_request_line_and_long_headers_count_as_limits(void)
{
    struct world w;
    struct client c;
    struct mw_buffer out;
    int i;

    world_init(&w);
    world_open(&w);
    mw_buffer_init(&out, 1 << 20);
    client_open(&c, &w);
    CHECK_INT(mw_buffer_printf(&out, "GET /%05000d HTTP/1.1\r\nHost: h\r\n\r\n", 1), 0);
    client_send(&c, out.data, out.count);
    CHECK_INT(client_response(&c).status, 414);
    client_close(&c);

    out.count = 0;
    client_open(&c, &w);
    CHECK_INT(mw_buffer_printf(&out, "GET / HTTP/1.1\r\nHost: h\r\n"), 0);
    for (i = 0; i < 70; i++)
        CHECK_INT(mw_buffer_printf(&out, "X-%d: y\r\n", i), 0);
    CHECK_INT(mw_buffer_append_text(&out, "\r\n"), 0);
    client_send(&c, out.data, out.count);
    CHECK_INT(client_response(&c).status, 431);
    client_close(&c);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_REQUEST_LINE], 1);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_FIELDS], 1);
    mw_buffer_clear(&out);
    world_close(&w);
}

static void http_1_0_closes_unless_asked_to_keep(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    client_say(&c, "GET /body HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    r = client_response(&c);
    check_has(r.head, "Connection: keep-alive\r\n");
    client_say(&c, "GET /body HTTP/1.0\r\n\r\n");
    r = client_response(&c);
    check_has(r.head, "Connection: close\r\n");
    CLIENT_UNTIL(&c, c.has_ended);
    client_close(&c);
    world_close(&w);
}

static void the_last_allowed_request_says_close(void)
{
    struct world w;
    struct client c;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_REQUESTS] = 2;
    world_open(&w);
    client_open(&c, &w);
    check_has_not(client_get(&c, "/body").head, "Connection");
    check_has(client_get(&c, "/body").head, "Connection: close\r\n");
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_REQUESTS], 1);
    CLIENT_UNTIL(&c, c.has_ended);
    client_close(&c);
    world_close(&w);
}

static void a_request_may_be_answered_later(void)
{
    struct world w;
    struct client c, other;
    struct response r;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    client_open(&other, &w);
    client_say(&c, "GET /later/0?x=1 HTTP/1.1\r\nHost: h\r\nX-Test: kept\r\n\r\nGET /body HTTP/1.1\r\nHost: h\r\n\r\n");
    CLIENT_UNTIL(&c, w.later[0].connection != NULL);
    client_say(&other, "GET /later/1 HTTP/1.1\r\nHost: h\r\n\r\n");
    CLIENT_UNTIL(&other, w.later[1].connection != NULL);
    edge_later_done(&w.later[1]);
    r = client_response(&other);
    CHECK_BYTES(r.body, r.body_count, "it was 1", 8);
    CHECK_INT(w.routes, 3); /* the one behind the first waits with it */
    edge_later_done(&w.later[0]);
    r = client_response(&c);
    CHECK_BYTES(r.body, r.body_count, "it was 0", 8);
    r = client_response(&c);
    CHECK_BYTES(r.body, r.body_count, "{\"answer\":42}", 13);
    CHECK_INT(w.routes, 5);
    edge_later_done(&w.later[0]); /* nobody waits any more */
    CHECK_INT(w.routes, 5);
    client_close(&c);
    client_close(&other);
    world_close(&w);
}

static void who_waits_gets_an_answer_at_the_end_too_or_is_forgotten(void)
{
    struct world w;
    struct client c, other;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    client_open(&other, &w);
    client_say(&c, "GET /later/0 HTTP/1.1\r\nHost: h\r\n\r\n");
    client_say(&other, "GET /later/1 HTTP/1.1\r\nHost: h\r\n\r\n");
    CLIENT_UNTIL(&c, w.later[0].connection && w.later[1].connection);
    edge_close_all(w.edge, 1001, "stopping");
    edge_later_done(&w.later[0]);
    check_has(client_response(&c).head, "Connection: close\r\n");
    CLIENT_UNTIL(&c, c.has_ended);
    edge_free(w.edge);
    w.edge = NULL;
    CHECK(w.later[1].connection == NULL);
    edge_later_done(&w.later[1]);
    client_close(&c);
    client_close(&other);
    world_close(&w);
}

static void a_wrong_method_is_told_what_is_allowed(void)
{
    struct world w;
    struct client c;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    check_has(client_get(&c, "/only-get").head, "Allow: GET, HEAD\r\n");
    client_say(&c, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    {
        struct response r = client_response(&c);

        CHECK_INT(r.status, 204);
        check_has(r.head, "Allow: GET, HEAD, POST, OPTIONS\r\n");
        check_has_not(r.head, "Content-Length");
    }
    client_close(&c);
    world_close(&w);
}

static void slow_heads_and_idle_connections_end_by_themselves(void)
{
    struct world w;
    struct client slow, idle;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_HEADER_TIME] = 40;
    w.limits.value[EDGE_LIMIT_KEEP_ALIVE] = 40;
    world_open(&w);
    client_open(&slow, &w);
    client_open(&idle, &w);
    client_say(&slow, "GET / HT");
    CHECK_INT(client_response(&slow).status, 408);
    CLIENT_UNTIL(&idle, idle.has_ended);
    CHECK_INT(idle.in.count, 0);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_HEADER_TIME], 1);
    client_close(&slow);
    client_close(&idle);
    world_close(&w);
}

static void a_body_that_trickles_is_given_up_wanted_or_not(void)
{
    static const char *const paths[] = {"post", "only-get"};
    struct world w;
    struct client c;
    size_t i;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_BODY_GRACE] = 40;
    world_open(&w);
    for (i = 0; i < MW_COUNT(paths); i++) {
        char request[100];

        snprintf(request, sizeof request, "POST /%s HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nx", paths[i]);
        client_open(&c, &w);
        client_say(&c, request);
        CHECK_INT(client_response(&c).status, 408);
        CLIENT_UNTIL(&c, c.has_ended);
        CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_BODY_RATE], i + 1);
        client_close(&c);
    }
    world_close(&w);
}

/* What a hook does wrong is the server's fault and harms nobody. */
static void a_hook_that_answers_nonsense_is_survived(void)
{
    struct world w;
    struct client c;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    CHECK_INT(client_get(&c, "/collect-what-is-whole").status, 500);
    client_close(&c);
    client_open(&c, &w);
    CHECK_INT(client_get(&c, "/upgrade-unasked").status, 426);
    CHECK_INT(w.seats[0].closed_count, 1);
    client_close(&c);
    client_open(&c, &w);
    client_say(&c, "GET /bad-header HTTP/1.1\r\nHost: h\r\n\r\n");
    CLIENT_UNTIL(&c, c.has_ended);
    CHECK_INT(c.in.count, 0); /* nothing is sent rather than a header of somebody's making */
    client_close(&c);
    client_open(&c, &w);
    CHECK_INT(client_get(&c, "/body").status, 200);
    client_close(&c);
    world_close(&w);
}

static void an_upgrade_with_a_body_is_refused(void)
{
    struct world w;
    struct client c;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    client_say(
        &c,
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nhello");
    CHECK_INT(client_response(&c).status, 400);
    client_close(&c);
    client_open(&c, &w);
    client_say(&c, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    {
        struct response r = client_response(&c);

        CHECK_INT(r.status, 426);
        check_has(r.head, "Sec-WebSocket-Version: 13\r\n");
    }
    CHECK_INT(w.routes, 0);
    client_close(&c);
    world_close(&w);
}

static void a_client_that_shuts_its_side_still_gets_its_answer(void)
{
    struct world w;
    struct client c;
    struct response r;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    client_say(&c, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_INT(shutdown(c.fd, SHUT_WR), 0);
    r = client_response(&c);
    CHECK_INT(r.body_count, 300000);
    CLIENT_UNTIL(&c, c.has_ended);
    client_close(&c);
    world_close(&w);
}

static void a_client_that_vanishes_is_forgotten(void)
{
    struct world w;
    struct client gone, stays;

    world_init(&w);
    world_open(&w);
    client_open(&stays, &w);
    client_open(&gone, &w);
    client_say(&gone, "POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
    CLIENT_UNTIL(&gone, w.routes == 1);
    client_close(&gone);
    CLIENT_UNTIL(&stays, edge_stats(w.edge).connections == 1);
    CHECK_INT(client_get(&stays, "/body").status, 200);
    client_close(&stays);
    world_close(&w);
}

static void a_websocket_only_listener_asks_for_the_upgrade(void)
{
    static const char *const addresses[] = {"127.0.0.1"};
    struct world w;
    struct client c;
    struct response r;
    struct edge_listen listen = {.addresses = addresses, .address_count = 1, .is_websocket_only = true};
    uint16_t port;

    world_init(&w);
    world_open(&w);
    CHECK_INT(edge_listen(w.edge, &listen, &port, NULL), 0);
    client_open_at(&c, &w, port);
    r = client_get(&c, "/body");
    CHECK_INT(r.status, 426);
    check_has(r.head, "Upgrade: websocket\r\n");
    CHECK_INT(w.routes, 0);
    client_close(&c);
    client_open_at(&c, &w, port);
    (void)client_upgrade(&c);
    client_close(&c);
    world_close(&w);
}

static void connections_past_the_limit_are_turned_away(void)
{
    struct world w;
    struct client first, second;

    world_init(&w);
    w.limits.value[EDGE_LIMIT_CONNECTIONS] = 1;
    world_open(&w);
    client_open(&first, &w);
    CHECK_INT(client_get(&first, "/body").status, 200);
    client_open(&second, &w);
    CHECK_INT(client_response(&second).status, 503);
    CLIENT_UNTIL(&second, second.has_ended);
    CHECK_INT(edge_limits_of(w.edge)->hits[EDGE_LIMIT_CONNECTIONS], 1);
    CHECK_INT(edge_stats(w.edge).refused, 1);
    CHECK_INT(client_get(&first, "/body").status, 200);
    client_close(&first);
    client_close(&second);
    world_close(&w);
}

static void closing_all_lets_answers_out_and_takes_no_more(void)
{
    struct world w;
    struct client c, idle;

    world_init(&w);
    world_open(&w);
    client_open(&c, &w);
    client_open(&idle, &w);
    CHECK_INT(client_get(&c, "/body").status, 200);
    edge_stop_listening(w.edge);
    edge_close_all(w.edge, 1001, "going away");
    CLIENT_UNTIL(&c, c.has_ended);
    client_close(&c);
    CLIENT_UNTIL(&idle, idle.has_ended);
    client_close(&idle);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_body_is_answered_with_its_length_and_type),
        TEST(head_is_answered_without_a_body),
        TEST(a_large_body_arrives_whole),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(sixteen_pipelined_requests_are_answered_in_one_write),
        TEST(a_request_may_arrive_byte_by_byte),
        TEST(a_chunked_body_is_collected),
        TEST(an_expecting_client_is_told_to_continue),
        TEST(an_unwanted_body_is_heard_out_before_its_request_is_refused),
        TEST(a_malformed_body_is_refused_whatever_its_request_would_get),
        TEST(who_waits_for_100_continue_is_refused_at_once),
        TEST(a_method_that_no_resource_has_is_refused_whatever_its_hook_says),
        TEST(what_is_malformed_or_too_long_is_refused),
        TEST(no_cache_keeps_what_the_edge_itself_refuses),
        TEST(a_long_request_line_and_long_headers_count_as_limits),
        TEST(http_1_0_closes_unless_asked_to_keep),
        TEST(the_last_allowed_request_says_close),
        TEST(a_request_may_be_answered_later),
        TEST(who_waits_gets_an_answer_at_the_end_too_or_is_forgotten),
        TEST(a_wrong_method_is_told_what_is_allowed),
        TEST(slow_heads_and_idle_connections_end_by_themselves),
        TEST(a_body_that_trickles_is_given_up_wanted_or_not),
        TEST(a_hook_that_answers_nonsense_is_survived),
        TEST(an_upgrade_with_a_body_is_refused),
        TEST(a_client_that_shuts_its_side_still_gets_its_answer),
        TEST(a_client_that_vanishes_is_forgotten),
        TEST(a_websocket_only_listener_asks_for_the_upgrade),
        TEST(connections_past_the_limit_are_turned_away),
        TEST(closing_all_lets_answers_out_and_takes_no_more),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
