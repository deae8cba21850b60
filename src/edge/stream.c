/* A WebSocket connection: frames to messages for the app, messages to frames, the rules of pace and of closing.
 * Not the frames' bytes; that is codec/websocket.c. Not the opening; that is exchange.c. Read next: edge.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "edge/stream.h"

#define SECOND_NS INT64_C(1000000000)
#define MS_NS INT64_C(1000000)
enum { THROTTLE_MS = 20, ROOM_ABOVE_MESSAGE = 65536, LARGE_BYTES = 16384, KIB = 1024 };

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- life -------------------------------------------------------------------------------------------- */
void stream_open(struct edge_connection *c, void *connection, struct extension *takes_extension)
{
    struct edge *e = c->edge;
    struct stream *s = c->state == CONNECTION_DEAD ? NULL : mw_alloc_zeroed(1, sizeof *s);

    if (!s) {
        extension_free(takes_extension);
        connection_drop(c);
        e->hooks.closed(connection, CLOSE_NONE);
        return;
    }
    s->extension = takes_extension;
    e->stats.deflating += takes_extension != NULL;
    s->owner = c;
    s->connection = connection;
    s->code = CLOSE_NONE;
    s->tokens_ns = edge_now(e);
    s->heard = s->second = edge_ticks(s->tokens_ns);
    s->tokens = (uint32_t)edge_limit(e, EDGE_LIMIT_BURST);
    c->stream = s;
    e->stats.upgrades++;
    e->stats.websockets++;
    connection_enter(c, CONNECTION_OPEN);
    connection_is_due(c);
    e->hooks.opened(connection, c);
}

static void stream_drop_decoder(struct stream *s)
{
    if (s->decoder)
        websocket_decoder_clear(s->decoder);
    mw_free(s->decoder);
    s->decoder = NULL;
}

void *stream_discard(struct stream *s)
{
    void *connection = s ? s->connection : NULL;

    if (!s)
        return NULL;
    extension_free(s->extension);
    stream_drop_decoder(s);
    mw_free(s);
    return connection;
}

void stream_free(struct stream *s)
{
    mw_link_remove(&s->throttled);
    s->owner->edge->stats.deflating -= s->extension != NULL;
    (void)stream_discard(s); /* the app has been told */
}

void stream_notify(struct edge_connection *c)
{
    struct stream *s = c->stream;

    if (!s || s->is_notified)
        return;
    s->is_notified = true;
    c->edge->hooks.closed(s->connection, s->code);
}

/* ---- sending ----------------------------------------------------------------------------------------- */
static int stream_control(struct edge_connection *c, enum websocket_opcode opcode, const void *bytes,
                          size_t byte_count)
{
    uint8_t header[WEBSOCKET_HEADER_MAX];

    return connection_queue(c, header, websocket_header(header, opcode, byte_count), bytes, byte_count);
}

/* Queue a close frame. code 1005: one without code. */
static void stream_say_close(struct edge_connection *c, unsigned code, const char *reason)
{
    uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    struct mw_buffer frame;

    mw_buffer_init(&frame, WEBSOCKET_HEADER_MAX + WEBSOCKET_CONTROL_MAX);
    if (websocket_write_close(&frame, code, reason) < 0) /* no memory for a reason: the code alone */
        (void)stream_control(c, WEBSOCKET_CLOSE, payload, code == WEBSOCKET_NO_CODE ? 0 : 2);
    else
        (void)connection_queue(c, frame.data, frame.count, NULL, 0);
    mw_buffer_clear(&frame);
}

/* We have found a fault: say so, then go without waiting for the peer's answer. */
static void stream_fail(struct edge_connection *c, unsigned code, const char *reason)
{
    if (c->state == CONNECTION_OPEN) {
        c->stream->code = (uint16_t)code;
        stream_say_close(c, code, reason);
    }
    connection_leave(c);
}

size_t stream_unfinished(const struct edge_connection *c)
{
    return c->stream->decoder ? c->stream->decoder->store.count : 0;
}

void stream_give_up(struct edge_connection *c)
{
    stream_drop_decoder(c->stream);
    stream_fail(c, WEBSOCKET_TRY_LATER, "too many messages are under way, and this one is large");
}

void edge_connection_close(struct edge_connection *c, int code, const char *reason)
{
    if (c->state != CONNECTION_OPEN)
        return;
    if (code < 0 || !websocket_is_code_valid((unsigned)code)) /* the app's fault, and that is what is said */
        code = WEBSOCKET_SERVER_FAULT;
    c->stream->code = (uint16_t)code;
    c->stream->closing = edge_ticks(edge_now(c->edge));
    stream_say_close(c, (unsigned)code, reason);
    if (c->state == CONNECTION_OPEN)
        connection_enter(c, CONNECTION_CLOSING);
}

void stream_evict_largest(struct edge *e)
{
    struct edge_connection *largest = NULL;
    struct mw_link *at;

    for (at = e->connections.head.next; at != &e->connections.head; at = at->next) {
        struct edge_connection *c = MW_CONTAINER_OF(at, struct edge_connection, link);

        if (!largest || c->output.queued + connection_unfinished(c) > largest->output.queued + connection_unfinished(largest))
            largest = c;
    }
    if (!largest)
        return;
    if (largest->stream)
        largest->stream->code = WEBSOCKET_TRY_LATER;
    e->stats.queued_bytes -= largest->output.queued;
    output_clear(&largest->output, &e->pool);
    connection_drop(largest);
}

/* 0, or why a message may not be queued; then the connection is being closed. */
static int stream_admit(struct edge_connection *c, size_t byte_count)
{
    struct edge *e = c->edge;
    uint64_t hard = edge_limit(e, EDGE_LIMIT_OUTPUT_HARD), message = edge_limit(e, EDGE_LIMIT_MESSAGE);

    if (c->state != CONNECTION_OPEN)
        return -EPIPE;
    if (hard < message + ROOM_ABOVE_MESSAGE)
        hard = message + ROOM_ABOVE_MESSAGE;
    if (c->output.queued > 0 && c->output.queued + byte_count > hard) {
        edge_hit(e, EDGE_LIMIT_OUTPUT_HARD);
        edge_connection_close(c, WEBSOCKET_TRY_LATER, "too slow: more is queued for you than may be");
        return -ENOBUFS;
    }
    if (e->stats.queued_bytes > 0 &&
        e->stats.queued_bytes + byte_count > edge_limit(e, EDGE_LIMIT_OUTPUT_ALL)) {
        edge_hit(e, EDGE_LIMIT_OUTPUT_ALL);
        stream_evict_largest(e);
    }
    return c->state == CONNECTION_OPEN ? 0 : -ENOBUFS;
}

/* A large message is written at once as far as the socket takes it: it fills packets of its own anyway, and is not
 * copied first. What does not fit is queued. */
static int stream_send_large(struct edge_connection *c, enum edge_kind kind, unsigned flags, const uint8_t *bytes,
                             size_t byte_count)
{
    struct edge *e = c->edge;
    uint8_t header[WEBSOCKET_HEADER_MAX];
    size_t header_count = websocket_header(header, (enum websocket_opcode)kind, byte_count), written;
    ssize_t n;

    header[0] |= (uint8_t)flags;
    n = c->tls ? 0 : output_write_now(&c->output, c->fd, header, header_count, bytes, byte_count);
    written = n > 0 ? (size_t)n : 0;
    if (n < 0) {
        connection_drop(c);
        return -EPIPE;
    }
    if (written > 0) {
        e->stats.writes++;
        e->stats.bytes_out += written;
        e->work += written / WORK_BYTES;
        c->written += written;
    }
    if (written == header_count + byte_count)
        return 0;
    if (written < header_count)
        return connection_queue(c, header + written, header_count - written, bytes, byte_count);
    written -= header_count;
    return connection_queue(c, NULL, 0, bytes + written, byte_count - written);
}

static bool may_deflate(struct edge_connection *c, size_t byte_count)
{
    struct edge *e = c->edge;

    if (c->state != CONNECTION_OPEN || !c->stream->extension || byte_count < edge_limit(e, EDGE_LIMIT_DEFLATE_FROM))
        return false;
    if (byte_count <= edge_limit(e, EDGE_LIMIT_DEFLATE_MOST))
        return true;
    edge_hit(e, EDGE_LIMIT_DEFLATE_MOST); /* nobody else is served while one is compressed */
    return false;
}

static void count_deflated(struct edge *e, size_t from_bytes, size_t byte_count)
{
    e->stats.deflated++;
    e->stats.deflated_from_bytes += from_bytes;
    e->stats.deflated_bytes += byte_count;
}

/* How much is likely to follow these bytes: as much for each that is heard as for the message that is heard now. */
static size_t stream_more(const struct edge *e, size_t byte_count)
{
    return e->hearing > 0 && byte_count < LARGE_BYTES ? e->coming * byte_count / e->hearing : 0;
}

/* Behind what is queued, header and all where they will be sent from. */
static int stream_queue(struct edge_connection *c, enum edge_kind kind, unsigned flags, const void *bytes, size_t byte_count)
{
    size_t before = c->output.queued, header_count = websocket_header_bytes(byte_count);
    uint8_t *at = output_room(&c->output, &c->edge->pool, header_count + byte_count, stream_more(c->edge, header_count + byte_count));

    if (!at) {
        connection_drop(c);
        return -ENOMEM;
    }
    (void)websocket_header(at, (enum websocket_opcode)kind, byte_count);
    at[0] |= (uint8_t)flags;
    if (byte_count > 0)
        memcpy(at + header_count, bytes, byte_count);
    output_added(&c->output, header_count + byte_count);
    connection_queued(c, before);
    return 0;
}

/* may_shrink  false: as it is, whatever was agreed on */
static int stream_send(struct edge_connection *c, enum edge_kind kind, const void *bytes, size_t byte_count,
                       bool may_shrink)
{
    size_t from_bytes = byte_count;
    bool is_deflated = may_shrink && may_deflate(c, byte_count) &&
                       extension_deflate(c->edge->extensions, c->stream->extension, &bytes, &byte_count);
    unsigned flags = is_deflated ? WEBSOCKET_RSV1 : 0;
    int err = stream_admit(c, byte_count);

    if (err < 0)
        return err;
    if (is_deflated)
        count_deflated(c->edge, from_bytes, byte_count);
    if (c->stream->extension)
        c->edge->work += from_bytes / WORK_DEFLATED_BYTES; /* also where it came to nothing */
    c->edge->stats.messages_out++;
    if (byte_count >= LARGE_BYTES)
        return stream_send_large(c, kind, flags, bytes, byte_count);
    return stream_queue(c, kind, flags, bytes, byte_count);
}

/* The road of what is sent while more is queued already and none of the limits is near. false: it is not that */
static bool stream_send_behind(struct edge_connection *c, enum edge_kind kind, const void *bytes, size_t byte_count)
{
    struct edge *e = c->edge;
    size_t header_count = websocket_header_bytes(byte_count), more = header_count + byte_count;
    uint8_t *at;

    if (c->state != CONNECTION_OPEN || c->stream->extension || c->output.queued == 0 ||
        c->output.queued + more > edge_limit(e, EDGE_LIMIT_OUTPUT_PAUSE) ||
        c->output.queued + more > edge_limit(e, EDGE_LIMIT_OUTPUT_HARD) ||
        e->stats.queued_bytes + more > edge_limit(e, EDGE_LIMIT_OUTPUT_ALL))
        return false;
    at = output_behind(&c->output, more);
    if (!at)
        return false;
    (void)websocket_header(at, (enum websocket_opcode)kind, byte_count);
    if (byte_count > 0)
        memcpy(at + header_count, bytes, byte_count);
    e->stats.queued_bytes += more;
    e->stats.messages_out++;
    return true;
}

/* What is for one client may answer it, with words of its own beside what others must not know. Where encryption keeps that
 * from them, its length must not tell it (CRIME, BREACH). */
int edge_connection_send(struct edge_connection *c, enum edge_kind kind, const void *borrows, size_t byte_count)
{
    if (byte_count < LARGE_BYTES && stream_send_behind(c, kind, borrows, byte_count))
        return 0;
    return stream_send(c, kind, borrows, byte_count, !c->tls);
}

int edge_connection_send_shared(struct edge_connection *c, enum edge_kind kind, mw_value borrows)
{
    uint8_t header[WEBSOCKET_HEADER_MAX];
    size_t byte_count, from_bytes, header_count;
    const char *bytes = mw_get_text(&borrows, &byte_count);
    bool is_deflated;
    int err;

    if (!bytes)
        return -EINVAL;
    from_bytes = byte_count;
    is_deflated = may_deflate(c, byte_count);
    if (is_deflated && extension_keeps_context(c->stream->extension))
        return stream_send(c, kind, bytes, byte_count, true);
    is_deflated = is_deflated &&
                  extension_deflate_shared(c->edge->extensions, c->stream->extension, borrows, &borrows) &&
                  mw_get_text(&borrows, &byte_count);
    err = stream_admit(c, byte_count);
    if (err < 0)
        return err;
    header_count = websocket_header(header, (enum websocket_opcode)kind, byte_count);
    if (is_deflated) {
        header[0] |= WEBSOCKET_RSV1;
        count_deflated(c->edge, from_bytes, byte_count);
    }
    c->edge->stats.messages_out++;
    return connection_queue_value(c, header, header_count, borrows);
}

/* ---- pace -------------------------------------------------------------------------------------------- */
/* How many messages may come now, refilled by the clock. */
static uint32_t stream_tokens(const struct edge *e, struct stream *s)
{
    uint64_t burst = edge_limit(e, EDGE_LIMIT_BURST), rate = edge_limit(e, EDGE_LIMIT_MESSAGES);
    int64_t now_ns = edge_now(e);
    double gained = (double)(now_ns - s->tokens_ns) * (double)rate / 1e9;

    if (gained >= 1.0) {
        s->tokens = gained + s->tokens >= (double)burst ? (uint32_t)burst : s->tokens + (uint32_t)gained;
        s->tokens_ns = now_ns;
    }
    return s->tokens;
}

static void stream_throttle(struct edge *e, struct stream *s)
{
    if (mw_list_is_empty(&e->throttled))
        poller_timer_set(e->throttle, edge_now(e) + THROTTLE_MS * MS_NS);
    mw_list_push_back(&e->throttled, &s->throttled);
    edge_hit(e, EDGE_LIMIT_MESSAGES);
}

void stream_unthrottle(struct edge *e)
{
    uint64_t enough =
        least(edge_limit(e, EDGE_LIMIT_MESSAGES) * THROTTLE_MS / 1000 + 1, edge_limit(e, EDGE_LIMIT_BURST));
    struct mw_link *at = e->throttled.head.next;

    while (at != &e->throttled.head) {
        struct stream *s = MW_CONTAINER_OF(at, struct stream, throttled);

        at = at->next;
        if (stream_tokens(e, s) < enough)
            continue;
        mw_link_remove(&s->throttled);
        connection_is_due(s->owner);
    }
    if (!mw_list_is_empty(&e->throttled))
        poller_timer_set(e->throttle, edge_now(e) + THROTTLE_MS * MS_NS);
}

/* In any state; the hook of two of them only. */
static inline bool stream_hears(const struct edge_connection *c)
{
    if (c->state != CONNECTION_OPEN)
        return c->state == CONNECTION_CLOSING; /* only the peer's close is waited for */
    return !c->is_app_paused && !c->output_pause && !mw_link_is_linked(&c->stream->throttled);
}

bool stream_may_hear(const struct edge_connection *c)
{
    return stream_hears(c);
}

void edge_connection_pause(struct edge_connection *c, bool is_paused)
{
    c->is_app_paused = is_paused;
    connection_is_due(c);
}

/* ---- receiving --------------------------------------------------------------------------------------- */
/* false: the connection has been told why not */
static bool stream_inflate(struct edge_connection *c, const struct websocket_event *event, const void **ret_bytes,
                           size_t *ret_count)
{
    struct edge *e = c->edge;
    const struct inflate_limits limits = {edge_limit(e, EDGE_LIMIT_MESSAGE), edge_limit(e, EDGE_LIMIT_DEFLATE_RATIO)};

    switch (extension_inflate(e->extensions, c->stream->extension, event->bytes, event->byte_count, &limits, ret_bytes,
                              ret_count)) {
    case INFLATE_DONE:
        e->work += *ret_count / WORK_INFLATED_BYTES;
        e->stats.inflated++;
        e->stats.inflated_from_bytes += event->byte_count;
        e->stats.inflated_bytes += *ret_count;
        if (event->opcode != WEBSOCKET_TEXT || mw_utf8_is_valid(*ret_bytes, *ret_count))
            return true;
        e->stats.protocol_errors++;
        stream_fail(c, WEBSOCKET_BAD_DATA, "text is not UTF-8");
        return false;
    case INFLATE_BROKEN:
        e->stats.protocol_errors++;
        stream_fail(c, WEBSOCKET_BAD_DATA, "the message cannot be inflated");
        return false;
    case INFLATE_TOO_BIG:
        edge_hit(e, EDGE_LIMIT_MESSAGE);
        stream_fail(c, WEBSOCKET_TOO_BIG, "message too big");
        return false;
    case INFLATE_TOO_DENSE:
        edge_hit(e, EDGE_LIMIT_DEFLATE_RATIO);
        stream_fail(c, WEBSOCKET_TOO_BIG, "the message grows too much");
        return false;
    case INFLATE_NO_MEMORY:
        break;
    }
    stream_fail(c, WEBSOCKET_SERVER_FAULT, "out of memory");
    return false;
}

static void stream_message(struct edge_connection *c, const struct websocket_event *event)
{
    struct stream *s = c->stream;
    struct edge *e = c->edge;
    const void *bytes = event->bytes;
    size_t byte_count = event->byte_count;

    s->message = 0;
    if (c->state != CONNECTION_OPEN) /* we have said goodbye */
        return;
    if (event->is_compressed && !stream_inflate(c, event, &bytes, &byte_count))
        return;
    e->stats.messages_in++;
    s->tokens--;
    e->hooks.message(s->connection, (enum edge_kind)event->opcode, bytes, byte_count);
}

/* A ping or a pong. */
static void stream_control_came(struct edge_connection *c, const struct websocket_event *event)
{
    struct stream *s = c->stream;
    int64_t now_ns = edge_now(c->edge);

    if (edge_age_ns(now_ns, s->second) >= SECOND_NS) {
        s->second = edge_ticks(now_ns);
        s->controls = 0;
    }
    if (++s->controls > edge_limit(c->edge, EDGE_LIMIT_CONTROLS)) {
        edge_hit(c->edge, EDGE_LIMIT_CONTROLS);
        stream_fail(c, WEBSOCKET_POLICY, "too many control frames");
        return;
    }
    if (event->kind == WEBSOCKET_EVENT_PING && c->state == CONNECTION_OPEN)
        (void)stream_control(c, WEBSOCKET_PONG, event->bytes, event->byte_count);
}

static void stream_error(struct edge_connection *c, const struct websocket_event *event)
{
    struct edge *e = c->edge;

    if (event->limit == WEBSOCKET_LIMIT_MESSAGE_BYTES)
        edge_hit(e, EDGE_LIMIT_MESSAGE);
    else if (event->limit == WEBSOCKET_LIMIT_FRAGMENTS)
        edge_hit(e, EDGE_LIMIT_FRAGMENTS);
    else
        e->stats.protocol_errors++;
    stream_fail(c, event->code, event->reason);
}

static void stream_event(struct edge_connection *c, const struct websocket_decoder *decoder,
                         const struct websocket_event *event)
{
    struct stream *s = c->stream;

    switch (event->kind) {
    case WEBSOCKET_EVENT_NONE:
        if (!s->message && websocket_decoder_is_midway(decoder))
            s->message = edge_ticks(edge_now(c->edge));
        return;
    case WEBSOCKET_EVENT_MESSAGE:
        stream_message(c, event);
        return;
    case WEBSOCKET_EVENT_PING:
    case WEBSOCKET_EVENT_PONG:
        stream_control_came(c, event);
        return;
    case WEBSOCKET_EVENT_CLOSE: /* RFC 6455 §5.5.1: answer with the same code, or leave if this is the answer */
        if (c->state == CONNECTION_OPEN) {
            s->code = event->code;
            stream_say_close(c, event->code, NULL);
        }
        connection_leave(c);
        return;
    case WEBSOCKET_EVENT_ERROR:
        stream_error(c, event);
        return;
    }
}

/* Of a frame or a message that is under way, keep what has come until the rest does. */
static void stream_keep(struct edge_connection *c, struct websocket_decoder *fresh)
{
    struct stream *s = c->stream;

    if (websocket_decoder_is_midway(fresh))
        s->decoder = mw_alloc(sizeof *s->decoder);
    if (s->decoder) {
        *s->decoder = *fresh;
        return;
    }
    if (websocket_decoder_is_midway(fresh))
        stream_fail(c, WEBSOCKET_SERVER_FAULT, "out of memory");
    websocket_decoder_clear(fresh);
}

/* Something else than a whole message, or a part of one: up to the next event. */
static size_t stream_feed_part(struct edge_connection *c, uint8_t *bytes, size_t byte_count)
{
    struct stream *s = c->stream;
    struct websocket_decoder fresh, *decoder = s->decoder;
    struct websocket_event event;
    size_t used;

    if (!decoder) {
        websocket_decoder_init(&fresh, &c->edge->websocket_limits);
        fresh.allows_rsv1 = s->extension != NULL;
        decoder = &fresh;
    }
    used = websocket_decode(decoder, bytes, byte_count, &event);
    stream_event(c, decoder, &event);
    if (decoder == &fresh)
        stream_keep(c, &fresh);
    return used;
}

size_t stream_feed(struct edge_connection *c, uint8_t *bytes, size_t byte_count)
{
    struct stream *s = c->stream;
    struct edge *e = c->edge;
    size_t at = 0;

    s->heard = edge_ticks(edge_now(e));
    s->pings = 0;
    while (at < byte_count && stream_hears(c) && !share_is_over(e)) {
        struct websocket_event event;
        size_t used = 0;

        if (s->tokens == 0 && stream_tokens(e, s) == 0 && c->state == CONNECTION_OPEN) {
            stream_throttle(e, s);
            break;
        }
        if (!s->decoder)
            used = websocket_decode_whole(&e->websocket_limits, bytes + at, byte_count - at, &event);
        e->hearing = used;
        e->coming = byte_count - at - used;
        if (used == 0)
            used = stream_feed_part(c, bytes + at, byte_count - at);
        else if (event.kind == WEBSOCKET_EVENT_MESSAGE)
            stream_message(c, &event);
        else
            stream_error(c, &event);
        at += used;
    }
    e->hearing = 0;
    return at;
}

/* The peer has shut its side without a close frame. */
void stream_ended(struct edge_connection *c)
{
    connection_drop(c);
}

/* ---- deadlines --------------------------------------------------------------------------------------- */
/* The peer's close does not come. While it still takes what is queued it is given time, but no more than a stall. */
void stream_late(struct edge_connection *c)
{
    int64_t now_ns = edge_now(c->edge);
    int64_t closing_ns = (int64_t)edge_limit(c->edge, EDGE_LIMIT_CLOSING) * MS_NS;
    int64_t stall_ns = (int64_t)edge_limit(c->edge, EDGE_LIMIT_OUTPUT_STALL) * MS_NS;

    if (!output_is_empty(&c->output) && edge_age_ns(now_ns, c->progress) < closing_ns &&
        edge_age_ns(now_ns, c->stream->closing) < stall_ns) {
        c->deadline = edge_ticks(now_ns + closing_ns);
        return;
    }
    edge_hit(c->edge, EDGE_LIMIT_CLOSING);
    connection_drop(c);
}

/* Over the soft limit for too long, and not reading fast enough to matter? */
static void stream_sweep_soft(struct edge_connection *c, int64_t now_ns)
{
    struct stream *s = c->stream;
    uint64_t soft = edge_limit(c->edge, EDGE_LIMIT_OUTPUT_SOFT);

    if (c->output.queued <= soft) {
        s->soft = 0;
        return;
    }
    if (!s->soft || (uint32_t)(c->written / KIB) - s->soft_written >= soft / KIB) {
        s->soft = edge_ticks(now_ns);
        s->soft_written = (uint32_t)(c->written / KIB);
        return;
    }
    if (edge_age_ns(now_ns, s->soft) < (int64_t)edge_limit(c->edge, EDGE_LIMIT_OUTPUT_TIME) * MS_NS)
        return;
    edge_hit(c->edge, EDGE_LIMIT_OUTPUT_SOFT);
    edge_connection_close(c, WEBSOCKET_TRY_LATER, "too slow: much has been queued for you for too long");
}

static void stream_sweep_ping(struct edge_connection *c, int64_t now_ns)
{
    struct stream *s = c->stream;
    int64_t ping_ns = (int64_t)edge_limit(c->edge, EDGE_LIMIT_PING) * MS_NS;

    if (edge_age_ns(now_ns, s->heard) < ping_ns * (int64_t)(s->pings + 1))
        return;
    if (s->pings >= edge_limit(c->edge, EDGE_LIMIT_PONGS)) {
        edge_hit(c->edge, EDGE_LIMIT_PONGS);
        connection_drop(c);
        return;
    }
    s->pings++;
    (void)stream_control(c, WEBSOCKET_PING, NULL, 0);
}

void stream_sweep(struct edge_connection *c, int64_t now_ns)
{
    struct stream *s = c->stream;

    if (c->state != CONNECTION_OPEN)
        return;
    stream_sweep_soft(c, now_ns);
    if (c->state != CONNECTION_OPEN)
        return;
    if (c->rest || !connection_may_hear(c)) { /* it is we who do not listen: no fault of the peer's */
        s->heard = edge_ticks(now_ns);
        s->message = s->message ? edge_ticks(now_ns) : 0;
        return;
    }
    if (s->message && edge_age_ns(now_ns, s->message) > (int64_t)edge_limit(c->edge, EDGE_LIMIT_ASSEMBLY) * MS_NS) {
        edge_hit(c->edge, EDGE_LIMIT_ASSEMBLY);
        stream_fail(c, WEBSOCKET_POLICY, "the message took too long");
        return;
    }
    if (s->decoder && !websocket_decoder_is_midway(s->decoder))
        stream_drop_decoder(s);
    stream_sweep_ping(c, now_ns);
}
