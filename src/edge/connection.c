/* A client's connection: its socket, its states and their deadlines, its way into and out of a pass.
 * Not what the bytes mean; that is exchange.c (HTTP) and stream.c (WebSocket). Read next: exchange.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "edge/edge_priv.h"

enum { NO_LIMIT = -1, SHARE_FROM_BYTES = 1024, RECORD_BYTES = 16384 /* the most that a TLS record holds */ };
/* Once unfed bytes of all connections are so many, each is read in small steps: 10,000 that send faster than they
 * may cost tens of MiB, not hundreds. */
enum { REST_MANY_BYTES = 16 << 20, READ_LITTLE_BYTES = 4096 };
/* Answers of so many bytes are written when what was read is dealt with, not at the end of the pass: while they are in the processor's cache,
 * and what they lay in serves the next connection. For less, one write together with what the turn adds is better. */
enum { WRITE_NOW_BYTES = 4096 };

static void connection_tls_late(struct edge_connection *c);

/* What each state waits for, and at most how long. */
static const struct {
    int limit;                               /* enum edge_limit, in ms; NO_LIMIT: other rules hold */
    void (*late)(struct edge_connection *c); /* its deadline has passed */
    bool (*may_hear)(const struct edge_connection *c); /* NULL: reads nothing */
} states[] = {
    [CONNECTION_IDLE] = {EDGE_LIMIT_KEEP_ALIVE, exchange_late, exchange_may_hear},
    [CONNECTION_HEAD] = {EDGE_LIMIT_HEADER_TIME, exchange_late, exchange_may_hear},
    [CONNECTION_BODY] = {NO_LIMIT, NULL, exchange_may_hear},
    [CONNECTION_WAITING] = {NO_LIMIT, NULL, NULL},
    [CONNECTION_MOVING] = {NO_LIMIT, NULL, NULL},
    [CONNECTION_TLS] = {EDGE_LIMIT_TLS_TIME, connection_tls_late, NULL},
    [CONNECTION_OPEN] = {NO_LIMIT, NULL, stream_may_hear},
    [CONNECTION_CLOSING] = {EDGE_LIMIT_CLOSING, stream_late, stream_may_hear},
    [CONNECTION_LEAVING] = {NO_LIMIT, NULL, NULL},
    [CONNECTION_LINGER] = {EDGE_LIMIT_CLOSING, connection_drop, NULL},
    [CONNECTION_DEAD] = {NO_LIMIT, NULL, NULL},
};

void connection_enter(struct edge_connection *c, enum connection_state state)
{
    if (c->state == CONNECTION_TLS) {
        c->edge->stats.tls_handshakes--;
        c->edge->greeters -= c->greets;
        c->greets = false;
        together_give_back(&c->edge->together->handshakes);
    }
    c->state = (uint8_t)state;
    c->deadline = states[state].limit == NO_LIMIT
                      ? 0
                      : edge_ticks(edge_now(c->edge) + (int64_t)c->edge->limits.value[states[state].limit] * 1000000);
}

void connection_forget_due(struct edge_connection *c)
{
    mw_link_remove(&c->due);
    c->edge->told_count -= c->is_told;
    c->is_told = false;
}

void connection_is_due(struct edge_connection *c)
{
    if (c->is_told)
        connection_forget_due(c);
    if (mw_link_is_linked(&c->due))
        return;
    mw_list_push_back(&c->edge->due, &c->due);
    poller_again(c->edge->poller); /* whoever caused it, the turn comes before the loop sleeps */
}

void connection_is_told(struct edge_connection *c)
{
    if (mw_link_is_linked(&c->due))
        return;
    mw_list_push_back(&c->edge->told, &c->due);
    c->is_told = true;
    c->edge->told_count++;
    poller_again(c->edge->poller);
}

bool connection_may_hear(const struct edge_connection *c)
{
    return states[c->state].may_hear && states[c->state].may_hear(c);
}

/* ---- the end ----------------------------------------------------------------------------------------- */
void connection_leave(struct edge_connection *c)
{
    if (c->state >= CONNECTION_LEAVING)
        return;
    connection_enter(c, CONNECTION_LEAVING);
    connection_is_due(c);
}

void connection_drop(struct edge_connection *c)
{
    if (c->state == CONNECTION_DEAD)
        return;
    connection_enter(c, CONNECTION_DEAD);
    poller_unwatch(c->watch);
    c->watch = NULL;
    tls_free(c->tls);
    c->tls = NULL;
    (void)close(c->fd); /* a socket: what it could not deliver is lost either way */
    c->fd = -1;
    connection_is_due(c);
}

static void connection_read(struct edge_connection *c);

static void connection_drop_rest(struct edge_connection *c)
{
    if (!c->rest)
        return;
    c->edge->rest_bytes -= c->rest->count;
    mw_link_remove(&c->rest->waiting);
    mw_free(c->rest);
    c->rest = NULL;
}

void connection_bury(struct edge_connection *c)
{
    struct edge *e = c->edge;

    stream_notify(c);
    connection_forget_due(c);
    mw_link_remove(&c->link);
    e->stats.connections--;
    together_give_back(&e->together->connections);
    e->stats.queued_bytes -= c->output.queued;
    output_clear(&c->output, &e->pool);
    if (c->is_counted)
        together_leave(e->together, &c->address);
    exchange_give(c);
    if (c->stream) {
        e->stats.websockets--;
        stream_free(c->stream);
    }
    connection_drop_rest(c);
    mw_free(c);
}

/* ---- reading ----------------------------------------------------------------------------------------- */
void connection_asked(struct edge_connection *c)
{
    if (c->stream || c->state == CONNECTION_IDLE || c->state >= CONNECTION_LEAVING)
        exchange_give(c);
}

/* Feed bytes to whatever the connection is by now. returns how many were used */
static size_t connection_consume(struct edge_connection *c, uint8_t *bytes, size_t byte_count)
{
    struct edge *e = c->edge;
    const uint64_t begun = share_begin(e);
    size_t at = 0;

    while (at < byte_count && connection_may_hear(c) && !share_is_over(e)) {
        if (c->stream) {
            at += stream_feed(c, bytes + at, byte_count - at);
            continue;
        }
        at += exchange_feed(c, bytes + at, byte_count - at);
        connection_asked(c);
    }
    e->work += at / WORK_BYTES;
    share_account(c, begun);
    return c->state >= CONNECTION_LEAVING ? byte_count : at;
}

/* byte_count 0: there is something to be read */
static void connection_keep_rest(struct edge_connection *c, const uint8_t *bytes, size_t byte_count)
{
    c->rest = mw_alloc(sizeof *c->rest + byte_count);
    if (!c->rest) {
        connection_drop(c);
        return;
    }
    *c->rest = (struct rest){.owner = c, .count = (uint32_t)byte_count};
    if (byte_count > 0)
        memcpy(c->rest->bytes, bytes, byte_count);
    c->edge->rest_bytes += byte_count;
}

void connection_feed_rest(struct edge_connection *c)
{
    struct rest *rest = c->rest;

    if (rest->count == 0 && connection_may_hear(c)) {
        connection_drop_rest(c);
        connection_read(c);
        connection_is_due(c);
        return;
    }
    rest->at += (uint32_t)connection_consume(c, rest->bytes + rest->at, rest->count - rest->at);
    if (rest->at == rest->count)
        connection_drop_rest(c);
    connection_is_due(c);
}

static void connection_ended(struct edge_connection *c)
{
    c->has_ended = true;
    if (c->state >= CONNECTION_LEAVING)
        connection_drop(c);
    else if (c->stream)
        stream_ended(c);
    else
        exchange_ended(c);
}

/* returns bytes; 0 the peer has ended; -EAGAIN nothing now; another negative: broken. While a connection lingers, what
 * still comes is of no interest to anybody, decrypted or not. */
static ssize_t connection_receive(struct edge_connection *c, uint8_t *ret_bytes, size_t room)
{
    ssize_t n;

    if (c->tls && c->state != CONNECTION_LINGER)
        return tls_read(c->tls, ret_bytes, room);
    n = recv(c->fd, ret_bytes, room, MSG_DONTWAIT);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
}

static void connection_read(struct edge_connection *c)
{
    struct edge *e = c->edge;
    ssize_t n = connection_receive(c, e->read_buffer, e->rest_bytes < REST_MANY_BYTES ? READ_BYTES : READ_LITTLE_BYTES);
    size_t used;

    if (n == -EAGAIN)
        return;
    connection_is_due(c); /* whatever happened: look at it once at the end of the pass */
    if (n < 0) {
        connection_drop(c);
        return;
    }
    if (n == 0) {
        connection_ended(c);
        return;
    }
    e->stats.bytes_in += (uint64_t)n;
    used = connection_consume(c, e->read_buffer, (size_t)n);
    if (used < (size_t)n)
        connection_keep_rest(c, e->read_buffer + used, (size_t)n - used);
    if (c->output.queued >= WRITE_NOW_BYTES && c->state == CONNECTION_OPEN)
        connection_flush(c);
}

/* ---- TLS --------------------------------------------------------------------------------------------- */
/* Said in the clear to one who speaks plain HTTP where TLS is spoken: best effort, then closed. */
static const char plain_answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                   "Content-Length: 53\r\nConnection: close\r\n\r\n"
                                   "400 Bad Request: this port speaks TLS: use https://.\n";

void connection_shake_hands(struct edge_connection *c)
{
    struct edge *e = c->edge;
    enum tls_step step = tls_handshake(c->tls);

    c->wants_write = step == TLS_WANTS_WRITE;
    connection_is_due(c);
    switch (step) {
    case TLS_WANTS_READ:
    case TLS_WANTS_WRITE:
        return;
    case TLS_DONE:
        e->stats.tls_opened++;
        mw_link_remove(&c->link);
        mw_list_push_back(&e->connections, &c->link);
        connection_enter(c, CONNECTION_IDLE);
        connection_read(c); /* the first request may have come with the last of the handshake */
        return;
    case TLS_PLAIN:
        e->stats.tls_plain++;
        (void)recv(c->fd, e->read_buffer, READ_BYTES, MSG_DONTWAIT); /* unread, it would make a reset of the close */
        (void)send(c->fd, plain_answer, sizeof plain_answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        connection_drop(c);
        return;
    case TLS_BROKEN:
        e->stats.tls_failed++;
        connection_drop(c);
        return;
    }
}

static void connection_tls_late(struct edge_connection *c)
{
    edge_hit(c->edge, EDGE_LIMIT_TLS_TIME);
    c->edge->stats.tls_failed++;
    connection_drop(c);
}

/* As output_write does, in records. */
static int connection_write_tls(struct edge_connection *c, uint64_t *ret_written, unsigned *ret_calls)
{
    struct edge *e = c->edge;
    uint8_t record[RECORD_BYTES];
    ssize_t n;

    *ret_written = 0;
    *ret_calls = 0;
    while ((n = output_peek(&c->output, &e->pool, record, sizeof record)) > 0) {
        n = tls_write(c->tls, record, (size_t)n);
        ++*ret_calls;
        if (n == -EAGAIN)
            return 0;
        if (n < 0)
            return (int)n;
        output_drop(&c->output, &e->pool, (size_t)n);
        *ret_written += (uint64_t)n;
    }
    return n < 0 ? (int)n : 1;
}

/* It is not its turn: what has come stays where it is. */
static void connection_put_off(struct edge_connection *c)
{
    c->edge->stats.put_off++;
    connection_keep_rest(c, NULL, 0);
    connection_is_due(c);
}

void connection_ready(void *context, int events)
{
    struct edge_connection *c = context;

    if (c->state == CONNECTION_TLS && tls_has_signed(c->tls)) {
        connection_shake_hands(c); /* little is left to do, and then it keeps nobody's place any more */
        return;
    }
    if (c->state == CONNECTION_TLS) {
        c->edge->greeters += !c->greets;
        c->greets = true;
        poller_again(c->edge->poller); /* for the end of the pass */
        return;
    }
    if (events & POLLER_WRITE)
        connection_is_due(c);
    if (!(events & POLLER_READ))
        return;
    if (!c->rest && connection_may_hear(c) && share_must_wait(c))
        connection_put_off(c);
    else
        connection_read(c);
}

/* ---- writing ----------------------------------------------------------------------------------------- */
void connection_queued(struct edge_connection *c, size_t before)
{
    if (before == 0)
        c->progress = edge_ticks(edge_now(c->edge));
    c->edge->stats.queued_bytes += c->output.queued - before;
    c->edge->work += (c->output.queued - before) / WORK_BYTES;
    if (!c->output_pause && c->output.queued > edge_limit(c->edge, EDGE_LIMIT_OUTPUT_PAUSE))
        c->output_pause = 1;
    connection_is_told(c);
}

int connection_queue(struct edge_connection *c, const void *head, size_t head_count, const void *bytes,
                     size_t byte_count)
{
    size_t before = c->output.queued;

    if (output_copy(&c->output, &c->edge->pool, head, head_count, bytes, byte_count) < 0) {
        connection_drop(c);
        return -ENOMEM;
    }
    connection_queued(c, before);
    return 0;
}

int connection_queue_value(struct edge_connection *c, const void *head, size_t head_count, mw_value borrows)
{
    size_t before = c->output.queued, count = 0;
    const char *text = mw_get_text(&borrows, &count);

    if (count < SHARE_FROM_BYTES) /* copying is cheaper than one more entry of the gathered write */
        return connection_queue(c, head, head_count, text, count);
    if (output_share(&c->output, &c->edge->pool, head, head_count, borrows, 0) < 0) {
        connection_drop(c);
        return -ENOMEM;
    }
    connection_queued(c, before);
    return 0;
}

/* Wait for what the state allows. */
static void connection_want(struct edge_connection *c)
{
    bool may_hear = c->state == CONNECTION_LINGER || c->state == CONNECTION_TLS || connection_may_hear(c);

    if (!c->rest && c->tls && connection_may_hear(c) && !c->has_ended && tls_has_pending(c->tls))
        connection_keep_rest(c, NULL, 0); /* what was decrypted already, no poll tells of */
    if (c->state == CONNECTION_DEAD)
        return;
    if (c->rest && may_hear)
        share_queue(c);
    poller_want(c->watch, (may_hear && !c->rest && !c->has_ended ? POLLER_READ : 0) |
                              (output_is_empty(&c->output) && !c->wants_write ? 0 : POLLER_WRITE));
}

static void connection_emptied(struct edge_connection *c)
{
    if (!c->stream)
        exchange_flushed(c);
    if (c->state == CONNECTION_MOVING)
        connection_detach(c);
    if (c->state != CONNECTION_LEAVING)
        return;
    if (c->tls)
        tls_end(c->tls);
    if (c->has_ended || shutdown(c->fd, SHUT_WR) < 0)
        connection_drop(c);
    else
        connection_enter(c, CONNECTION_LINGER);
}

void connection_flush(struct edge_connection *c)
{
    struct edge *e = c->edge;
    size_t before = c->output.queued;
    uint64_t written;
    unsigned calls;
    int result = 1;

    if (c->state == CONNECTION_DEAD)
        return;
    if (!output_is_empty(&c->output)) {
        result = c->tls ? connection_write_tls(c, &written, &calls)
                        : output_write(&c->output, &e->pool, c->fd, &written, &calls);
        e->stats.queued_bytes -= before - c->output.queued;
        e->stats.writes += calls;
        e->stats.bytes_out += written;
        c->written += written;
        if (written > 0)
            c->progress = edge_ticks(edge_now(e));
    }
    if (c->output_pause && c->output.queued <= edge_limit(e, EDGE_LIMIT_OUTPUT_PAUSE) / 2) {
        c->output_pause = 0;
    } else if (c->output_pause == 1) {
        c->output_pause = 2;
        edge_hit(e, EDGE_LIMIT_OUTPUT_PAUSE);
    }
    if (result < 0)
        connection_drop(c);
    else if (result == 1)
        connection_emptied(c);
    if (c->state != CONNECTION_DEAD && c->watch) /* else it has left for another edge */
        connection_want(c);
}

size_t edge_connection_queued(const struct edge_connection *c)
{
    return c->output.queued;
}

uint64_t edge_connection_written(const struct edge_connection *c)
{
    return c->written;
}

void edge_connection_drop(struct edge_connection *c)
{
    connection_drop(c);
}

const char *edge_connection_peer(const struct edge_connection *c)
{
    return peer_text(&c->address, c->edge->peer);
}

/* ---- life -------------------------------------------------------------------------------------------- */
size_t connection_unfinished(const struct edge_connection *c)
{
    if (c->state >= CONNECTION_LEAVING)
        return 0;
    return c->stream ? stream_unfinished(c) : exchange_unfinished(c);
}

void connection_sweep(struct edge_connection *c, int64_t now_ns)
{
    struct edge *e = c->edge;
    /* A stream that is over holds what it has queued for no longer than a close may take. */
    enum edge_limit stall =
        c->stream && c->state != CONNECTION_OPEN && c->state != CONNECTION_MOVING ? EDGE_LIMIT_CLOSING : EDGE_LIMIT_OUTPUT_STALL;

    if (c->state == CONNECTION_DEAD)
        return;
    share_forgive(c);
    if (!output_is_empty(&c->output) && edge_age_ns(now_ns, c->progress) > (int64_t)edge_limit(e, stall) * 1000000) {
        edge_hit(e, stall);
        connection_drop(c);
        return;
    }
    if (c->stream)
        stream_sweep(c, now_ns);
    else
        exchange_sweep(c, now_ns);
    if (c->deadline && edge_age_ns(now_ns, c->deadline) >= 0 && states[c->state].late)
        states[c->state].late(c);
}

/* Those that shake hands are at the front, the newest first. */
static struct edge_connection *oldest_handshake(struct edge *e)
{
    struct edge_connection *oldest = NULL;
    struct mw_link *at;

    for (at = e->connections.head.next; at != &e->connections.head; at = at->next) {
        struct edge_connection *c = MW_CONTAINER_OF(at, struct edge_connection, link);

        if (c->state == CONNECTION_TLS)
            oldest = c;
        else if (c->state != CONNECTION_DEAD)
            break;
    }
    return oldest;
}

/* Who begins a handshake and says no more would keep everybody else out for tls_ms. One that gets on is done long before it is the oldest. */
static bool connection_may_shake_hands(struct edge *e)
{
    const uint64_t most = edge_limit(e, EDGE_LIMIT_TLS_HANDSHAKES);
    struct edge_connection *oldest;

    if (together_reserve(&e->together->handshakes, most))
        return true;
    edge_hit(e, EDGE_LIMIT_TLS_HANDSHAKES);
    oldest = oldest_handshake(e);
    if (!oldest) /* they are other edges' */
        return false;
    e->stats.tls_failed++;
    connection_drop(oldest);
    return together_reserve(&e->together->handshakes, most);
}

int connection_new(struct edge *e, const struct accepted *accepted)
{
    struct edge_connection *c = mw_alloc_zeroed(1, sizeof *c);
    bool shakes_hands = false;
    int err = -ENOMEM;

    if (c && accepted->is_tls)
        shakes_hands = connection_may_shake_hands(e);
    if (shakes_hands)
        c->tls = tls_new(e->tls, accepted->fd);
    if (c && (c->tls || !accepted->is_tls))
        err = poller_watch(e->poller, accepted->fd, POLLER_READ, connection_ready, c, &c->watch);
    if (err < 0) {
        if (accepted->is_counted)
            together_leave(e->together, &accepted->address);
        together_give_back(&e->together->connections);
        if (shakes_hands)
            together_give_back(&e->together->handshakes);
        if (c)
            tls_free(c->tls);
        mw_free(c);
        (void)close(accepted->fd);
        e->stats.refused++;
        return err;
    }
    c->edge = e;
    c->fd = accepted->fd;
    c->address = accepted->address;
    c->port = accepted->port;
    c->is_counted = accepted->is_counted;
    c->is_websocket_only = accepted->is_websocket_only;
    c->listener_context = accepted->listener_context;
    connection_enter(c, c->tls ? CONNECTION_TLS : CONNECTION_IDLE);
    e->stats.tls_handshakes += c->state == CONNECTION_TLS;
    if (c->tls)
        mw_list_push_front(&e->connections, &c->link);
    else
        mw_list_push_back(&e->connections, &c->link);
    e->stats.connections++;
    e->stats.accepted++;
    edge_watch_deadlines(e);
    return 0;
}
