/* HTTP on a connection: requests come in, the route hook decides, answers go out in order.
 * Not how an answer is written; that is answer.c. Not the grammar; that is codec/. Read next: answer.c, stream.c.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "codec/handshake.h"
#include "codec/url.h"
#include "edge/exchange.h"

#define MS_NS INT64_C(1000000)

/* Requests under way at the same moment are few, as most come in one piece. */
enum { EXCHANGES_POOLED = 16 };

static const char continue_line[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* ---- life: as long as a request is under way ---------------------------------------------------------- */
static struct exchange *exchange_take(struct edge *e)
{
    struct exchange *x = e->exchanges;

    if (x) {
        e->exchanges = x->next;
        e->exchange_count--;
        return x;
    }
    x = mw_alloc_zeroed(1, sizeof *x);
    if (x)
        http_parser_init(&x->parser, &e->http_limits);
    return x;
}

static void exchange_wait_no_more(struct exchange *x)
{
    if (x->later)
        x->later->connection = NULL;
    x->later = NULL;
}

void exchange_free(struct exchange *x)
{
    if (!x)
        return;
    exchange_wait_no_more(x);
    http_parser_clear(&x->parser);
    mw_free(x);
}

static void exchange_renew(struct exchange *x)
{
    http_parser_next(&x->parser);
    x->has_body = x->is_whole = false;
}

void exchange_give(struct edge_connection *c)
{
    struct edge *e = c->edge;
    struct exchange *x = c->exchange;

    if (!x)
        return;
    c->exchange = NULL;
    if (e->exchange_count == EXCHANGES_POOLED) {
        exchange_free(x);
        return;
    }
    if (c->state != CONNECTION_IDLE) { /* else exchange_next did both */
        exchange_wait_no_more(x);
        exchange_renew(x);
    }
    x->next = e->exchanges;
    e->exchanges = x;
    e->exchange_count++;
}

void exchanges_trim(struct edge *e)
{
    struct exchange *x;

    for (x = e->exchanges; x; x = x->next)
        http_parser_trim(&x->parser);
}

void exchanges_clear(struct edge *e)
{
    struct exchange *x;

    while ((x = e->exchanges) != NULL) {
        e->exchanges = x->next;
        exchange_free(x);
    }
}

bool exchange_may_hear(const struct edge_connection *c)
{
    return !c->output_pause && c->unsent < edge_limit(c->edge, EDGE_LIMIT_PIPELINED) &&
           !output_has_file(&c->output);
}

/* ---- the request as the hook sees it ----------------------------------------------------------------- */
/* The terminated text of a slice of the parser's head: what follows a value there is white space or CR, which
 * nobody looks at any more. */
static const char *terminated(struct exchange *x, struct http_text text)
{
    char *head = (char *)x->parser.head.data;
    size_t at;

    if (text.count == 0)
        return "";
    at = (size_t)(text.bytes - head);
    head[at + text.count] = '\0';
    return head + at;
}

const char *edge_request_field(const struct edge_request *request, const char *name)
{
    struct exchange *x = request->head;
    const struct http_field *field = http_find(&x->parser.request, name, NULL);

    return field ? terminated(x, field->value) : NULL;
}

const char *edge_request_field_before(const struct edge_request *request, const char *name, const char *later)
{
    struct exchange *x = request->head;
    const struct http_field *field = NULL, *found = NULL;

    while ((field = http_find(&x->parser.request, name, field)) != NULL) {
        if (later && field->value.bytes == later)
            break;
        found = field;
    }
    return found ? terminated(x, found->value) : NULL;
}

bool edge_request_knows(const struct edge_request *request, const char *etag)
{
    const struct exchange *x = request->head;

    return http_lists_etag(&x->parser.request, etag);
}

bool edge_request_takes(const struct edge_request *request, const char *coding)
{
    const struct exchange *x = request->head;

    return http_takes_coding(&x->parser.request, coding);
}

bool edge_request_offers(const struct edge_request *request, const char *subprotocol)
{
    const struct exchange *x = request->head;
    const struct http_field *field = NULL;
    size_t count = strlen(subprotocol);
    struct http_text list, element;

    while ((field = http_find(&x->parser.request, "Sec-WebSocket-Protocol", field)) != NULL) {
        list = field->value;
        while (http_next_element(&list, &element)) {
            if (element.count == count && memcmp(element.bytes, subprotocol, count) == 0)
                return true;
        }
    }
    return false;
}

bool edge_request_offers_any(const struct edge_request *request)
{
    const struct exchange *x = request->head;

    return http_find(&x->parser.request, "Sec-WebSocket-Protocol", NULL) != NULL;
}

static void copy_text(char *ret, size_t room, struct http_text text)
{
    size_t count = text.count < room ? text.count : room - 1;

    if (count > 0)
        memcpy(ret, text.bytes, count);
    ret[count] = '\0';
}

static bool is_repeated(const struct http_request *request, const char *name)
{
    const struct http_field *first = http_find(request, name, NULL);

    return first && http_find(request, name, first);
}

/* Fill the request, or say with which status it is refused unasked. */
static int exchange_describe(struct edge_connection *c, struct edge_request *ret, const char **ret_reason)
{
    static const char *const alone[] = {"Origin", "Cookie", "Authorization", "Content-Type"};
    struct exchange *x = c->exchange;
    struct edge *e = c->edge;
    const struct http_request *request = &x->parser.request;
    size_t i;
    int count;

    for (i = 0; i < MW_COUNT(alone); i++) {
        if (is_repeated(request, alone[i])) {
            *ret_reason = "a field that must be alone is repeated";
            return 400;
        }
    }
    if (request->host.count >= HOST_BYTES) {
        *ret_reason = "the host's name is too long";
        return 400;
    }
    count = url_decode_path(request->path.bytes, request->path.count, e->path, ret_reason);
    if (count < 0)
        return count == -ENOENT ? 404 : 400;
    copy_text(e->query, edge_limit(e, EDGE_LIMIT_REQUEST_LINE) + 1, request->query);
    copy_text(e->host, sizeof e->host, request->host);
    *ret = (struct edge_request){
        .method = request->method < HTTP_METHOD_PUT ? (enum edge_method)request->method : EDGE_OTHER,
        .path = e->path,
        .query = e->query,
        .host = e->host,
        .host_port = request->port,
        .peer = peer_text(&c->address, e->request_peer),
        .is_loopback = peer_is_loopback(&c->address),
        .is_tls = c->tls != NULL,
        .has_body = x->has_body,
        .is_whole = x->is_whole,
        .body = x->is_whole ? x->parser.body.data : NULL,
        .body_count = x->is_whole ? x->parser.body.count : 0,
        .port = c->port,
        .listener_context = c->listener_context,
        .head = x,
    };
    return 0;
}

void exchange_tell(struct edge_connection *c, int status, int64_t body_bytes)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"};
    const struct http_parser *parser = &c->exchange->parser;
    bool is_known = parser->failure.status == 0;
    const struct edge_request request = {.peer = peer_text(&c->address, c->edge->request_peer),
                                         .is_loopback = peer_is_loopback(&c->address),
                                         .head = c->exchange};
    struct edge_access access = {.peer = peer_text(&c->address, c->edge->peer),
                                 .method = is_known ? methods[parser->request.method] : "-",
                                 .path = is_known ? parser->request.path.bytes : "",
                                 .path_count = is_known ? parser->request.path.count : 0,
                                 .status = status,
                                 .body_bytes = body_bytes,
                                 .is_tls = c->tls != NULL,
                                 .request = is_known ? &request : NULL};

    c->edge->hooks.answered(c->edge->context, &access);
}

/* ---- asking the hook --------------------------------------------------------------------------------- */
static_assert((int)EDGE_GET == (int)HTTP_METHOD_GET && (int)EDGE_HEAD == (int)HTTP_METHOD_HEAD &&
                  (int)EDGE_POST == (int)HTTP_METHOD_POST && (int)EDGE_OPTIONS == (int)HTTP_METHOD_OPTIONS,
              "the methods have the same numbers in both rooms");

static void exchange_collect(struct edge_connection *c)
{
    struct exchange *x = c->exchange;

    if (x->is_whole) { /* the hook asks for what it has: its fault, not the client's */
        answer_refuse(c, 500, NULL);
        return;
    }
    if (x->parser.request.expects_continue && x->parser.request.minor_version > 0)
        (void)connection_queue(c, continue_line, sizeof continue_line - 1, NULL, 0);
    x->body_ns = edge_now(c->edge);
    if (c->state != CONNECTION_DEAD)
        connection_enter(c, CONNECTION_BODY);
}

/* Whether the body is to come before the answer, also where nobody wants it: it may be malformed, and a client that is
 * told nothing of that takes its next request for heard. Who waits for "100 Continue" is told at once. */
static bool exchange_hears_out(const struct edge_connection *c)
{
    const struct exchange *x = c->exchange;

    return !x->is_whole && !(x->parser.request.expects_continue && x->parser.request.minor_version > 0);
}

static void exchange_discard(struct edge_connection *c)
{
    c->exchange->parser.discards_body = true;
    exchange_collect(c);
}

static void exchange_refuse(struct edge_connection *c, int status, const char *reason)
{
    if (exchange_hears_out(c))
        exchange_discard(c);
    else
        answer_refuse(c, status, reason);
}

static void exchange_upgrade(struct edge_connection *c, const struct edge_answer *answer, struct handshake *h)
{
    struct edge *e = c->edge;
    char agreed[DEFLATE_ANSWER_BYTES];
    struct extension *extension =
        e->extensions ? extension_agree(e->extensions, &c->exchange->parser.request, agreed) : NULL;

    h->protocol = answer->subprotocol;
    e->head.count = 0;
    if (handshake_write(&e->head, h, edge_date(e), extension ? agreed : NULL) < 0) {
        mw_buffer_clear(&e->head); /* the error is sticky */
        connection_drop(c);
    } else {
        e->stats.status[1]++;
        if (e->hooks.answered)
            exchange_tell(c, 101, 0);
        (void)connection_queue(c, e->head.data, e->head.count, NULL, 0);
    }
    stream_open(c, answer->connection, extension);
}

static void exchange_wait(struct edge_connection *c, struct edge_later *later)
{
    if (!c->exchange->is_whole || !later) { /* the hook's fault */
        answer_refuse(c, 500, NULL);
        return;
    }
    c->exchange->later = later;
    later->connection = c;
    connection_enter(c, CONNECTION_WAITING);
}

/* Whatever the hook would do for another method. */
static void exchange_disallow(struct edge *e, struct edge_answer *io)
{
    if (io->kind == EDGE_REFUSE || io->kind == EDGE_MOVE)
        return;
    if (io->kind == EDGE_UPGRADE)
        e->hooks.closed(io->connection, 1006);
    mw_release(io->body);
    *io = (struct edge_answer){.kind = EDGE_REFUSE, .status = 405, .allow = io->allow};
}

void exchange_ask(struct edge_connection *c, struct edge_later *later)
{
    struct exchange *x = c->exchange;
    struct edge *e = c->edge;
    struct edge_request request;
    struct edge_answer answer = {.kind = EDGE_REFUSE};
    struct handshake h;
    const char *reason = NULL;
    bool wants_upgrade = handshake_is_wanted(&x->parser.request);
    int status;

    e->host[0] = '\0'; /* the last request's */
    if (x->parser.request.method == HTTP_METHOD_OPTIONS && http_text_is(x->parser.request.path, "*") &&
        !c->is_websocket_only) {
        if (exchange_hears_out(c))
            exchange_discard(c);
        else
            answer_options(c, HTTP_ALLOW_ALL);
        return;
    }
    status = wants_upgrade && x->has_body ? 400 : exchange_describe(c, &request, &reason);
    if (status == 0 && wants_upgrade && e->is_closing)
        status = 503;
    else if (status == 0 && wants_upgrade)
        status = handshake_check(&x->parser.request, NULL, 0, &h, &reason);
    else if (status == 0 && c->is_websocket_only)
        status = 426;
    if (status != 0) {
        exchange_refuse(c, status, reason);
        return;
    }
    request.is_upgrade = wants_upgrade;
    request.later = later;
    e->hooks.route(e->context, &request, &answer);
    if (request.method == EDGE_OTHER)
        exchange_disallow(e, &answer);
    if (c->state == CONNECTION_DEAD)
        mw_release(answer.body);
    else if (answer.kind == EDGE_COLLECT)
        exchange_collect(c);
    else if (answer.kind == EDGE_LATER)
        exchange_wait(c, answer.later);
    else if (answer.kind == EDGE_MOVE && e->hooks.moved) {
        x->to = answer.to;
        connection_enter(c, CONNECTION_MOVING);
    } else if (answer.kind == EDGE_UPGRADE && wants_upgrade)
        exchange_upgrade(c, &answer, &h);
    else if (answer.kind != EDGE_UPGRADE && exchange_hears_out(c)) {
        mw_release(answer.body);
        exchange_discard(c);
    } else
        answer_give(c, &request, &answer);
}

void edge_later_done(struct edge_later *later)
{
    struct edge_connection *c = later->connection;

    later->connection = NULL;
    if (!c)
        return;
    c->exchange->later = NULL;
    if (c->state != CONNECTION_WAITING) /* it is on its way out */
        return;
    connection_enter(c, CONNECTION_BODY);
    exchange_ask(c, later);
    connection_asked(c);
    connection_is_due(c);
}

/* ---- events ------------------------------------------------------------------------------------------ */
static void exchange_failed(struct edge_connection *c)
{
    static const int limits[] = {
        [HTTP_LIMIT_NONE] = -1,
        [HTTP_LIMIT_REQUEST_LINE_BYTES] = EDGE_LIMIT_REQUEST_LINE,
        [HTTP_LIMIT_HEAD_BYTES] = EDGE_LIMIT_HEADERS,
        [HTTP_LIMIT_FIELD_BYTES] = EDGE_LIMIT_FIELD,
        [HTTP_LIMIT_FIELD_COUNT] = EDGE_LIMIT_FIELDS,
        [HTTP_LIMIT_BODY_BYTES] = EDGE_LIMIT_BODY,
    };
    const struct http_failure *failure = &c->exchange->parser.failure;

    if (limits[failure->limit] >= 0)
        edge_hit(c->edge, (enum edge_limit)limits[failure->limit]);
    else
        c->edge->stats.bad_requests++;
    c->exchange->is_whole = false; /* nothing behind it can be trusted: close */
    answer_refuse(c, failure->status, failure->reason);
}

static void exchange_event(struct edge_connection *c, enum http_event event)
{
    struct exchange *x = c->exchange;

    switch (event) {
    case HTTP_EVENT_MORE:
        if (c->state == CONNECTION_IDLE && http_parser_is_midway(&x->parser))
            connection_enter(c, CONNECTION_HEAD);
        return;
    case HTTP_EVENT_HEAD:
        x->has_body = true;
        x->is_whole = false;
        exchange_ask(c, NULL);
        return;
    case HTTP_EVENT_DONE:
        x->is_whole = true;
        exchange_ask(c, NULL);
        return;
    case HTTP_EVENT_FAILED:
        exchange_failed(c);
        return;
    }
}

void exchange_next(struct edge_connection *c)
{
    exchange_renew(c->exchange);
    connection_enter(c, CONNECTION_IDLE);
}

size_t exchange_feed(struct edge_connection *c, const uint8_t *bytes, size_t byte_count)
{
    size_t at = 0;
    enum http_event event;

    if (!c->exchange)
        c->exchange = exchange_take(c->edge);
    if (!c->exchange) {
        connection_drop(c);
        return byte_count;
    }
    while (at < byte_count && connection_may_hear(c) && !c->stream && !share_is_over(c->edge)) {
        at += http_parse(&c->exchange->parser, bytes + at, byte_count - at, &event);
        exchange_event(c, event);
    }
    return at;
}

/* ---- time -------------------------------------------------------------------------------------------- */
void exchange_flushed(struct edge_connection *c)
{
    if (c->unsent == 0)
        return;
    c->unsent = 0;
    if (c->state == CONNECTION_IDLE)
        connection_enter(c, CONNECTION_IDLE); /* the wait for the next request begins now */
}

void exchange_late(struct edge_connection *c)
{
    if (c->state == CONNECTION_IDLE && (c->rest || !output_is_empty(&c->output))) {
        connection_enter(c, CONNECTION_IDLE); /* it is we who are busy; a stall has its own limit */
        return;
    }
    if (c->state == CONNECTION_IDLE) {
        edge_hit(c->edge, EDGE_LIMIT_KEEP_ALIVE);
        connection_leave(c);
        return;
    }
    edge_hit(c->edge, EDGE_LIMIT_HEADER_TIME);
    answer_refuse(c, 408, "the request took too long to arrive");
}

void exchange_sweep(struct edge_connection *c, int64_t now_ns)
{
    const struct exchange *x = c->exchange;
    int64_t age_ns;

    if (c->state != CONNECTION_BODY || c->rest || !connection_may_hear(c))
        return;
    age_ns = now_ns - x->body_ns;
    if (age_ns < (int64_t)edge_limit(c->edge, EDGE_LIMIT_BODY_GRACE) * MS_NS)
        return;
    if ((double)x->parser.body_seen <
        (double)edge_limit(c->edge, EDGE_LIMIT_BODY_RATE) * (double)age_ns / 1e9) {
        edge_hit(c->edge, EDGE_LIMIT_BODY_RATE);
        answer_refuse(c, 408, "the body arrives too slowly");
    }
}

size_t exchange_unfinished(const struct edge_connection *c)
{
    return c->exchange && c->state == CONNECTION_BODY ? c->exchange->parser.body.count : 0;
}

void exchange_give_up(struct edge_connection *c)
{
    mw_buffer_clear(&c->exchange->parser.body);
    answer_refuse(c, 503, "too many requests are under way, and this one is large");
}

void exchange_ended(struct edge_connection *c)
{
    if (output_is_empty(&c->output))
        connection_drop(c);
    else
        connection_leave(c);
}
