/* What the route hook decided, as an HTTP answer: a line of refusal, a body.
 * Not when it is asked; that is exchange.c. Read next: answer_files.c.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "edge/answer.h"
#include "edge/gzip_cache.h"

bool answer_may_keep(const struct edge_connection *c, const struct answer_head *head)
{
    const struct exchange *x = c->exchange;

    return !head->must_close && x->is_whole && x->parser.request.keeps_alive && !c->edge->is_closing &&
           !c->has_ended && c->answered + 1 < edge_limit(c->edge, EDGE_LIMIT_REQUESTS);
}

static const char *connection_value(const struct edge_connection *c, const struct answer_head *head, bool keeps)
{
    if (head->status == 426)
        return keeps ? "Upgrade" : "close, Upgrade";
    if (!keeps)
        return "close";
    return c->exchange->parser.request.minor_version == 0 ? "keep-alive" : NULL;
}

/* What is said of the file itself: held with it, where all of it goes out. */
static void head_write_validators(struct mw_buffer *out, const struct answer_head *head)
{
    const struct file *file = head->file;
    char date[HTTP_DATE_BYTES];

    if (head->status == 200 && !head->lacks_ranges && file->line_count > 0) {
        (void)mw_buffer_append(out, file->lines, file->line_count); /* errors stick, here and below */
        return;
    }
    if (head->length != NO_LENGTH)
        http_write_length(out, (uint64_t)head->length);
    http_write_field(out, "ETag", file->etag);
    http_format_date(date, file->modified_s);
    http_write_field(out, "Last-Modified", date);
    if (!head->lacks_ranges)
        http_write_field(out, "Accept-Ranges", "bytes");
}

static void head_write_file(struct mw_buffer *out, const struct answer_head *head)
{
    head_write_validators(out, head);
    if (head->content_range)
        http_write_field(out, "Content-Range", head->content_range);
}

/* RFC 6797 §7.2; a name says it for all its ports, so never for localhost. */
static bool is_told_to_stay(const struct edge_connection *c)
{
    const char *host = c->edge->host;

    return c->tls && c->edge->is_strict_tls && host[0] != '\0' &&
           !http_text_is((struct http_text){host, strlen(host)}, "localhost");
}

bool answer_write_head(struct edge_connection *c, const struct answer_head *head, bool keeps)
{
    struct mw_buffer *out = &c->edge->head;
    const char *connection = connection_value(c, head, keeps);

    c->edge->answer_bytes = head->length == NO_LENGTH || answer_is_to_head(c) ? 0 : head->length;
    out->count = 0;
    if (head->status == 200)
        (void)mw_buffer_append_text(out, edge_ok_line(c->edge));
    else
        http_write_status(out, head->status, edge_date(c->edge));
    if (head->media_type)
        http_write_field(out, "Content-Type", head->media_type);
    if (head->file)
        head_write_file(out, head);
    else if (head->length != NO_LENGTH)
        http_write_length(out, (uint64_t)head->length);
    if (head->coding)
        http_write_field(out, "Content-Encoding", head->coding);
    if (head->varies)
        http_write_field(out, "Vary", "Accept-Encoding");
    if (head->cache_control)
        http_write_field(out, "Cache-Control", head->cache_control);
    if (head->is_attachment)
        http_write_field(out, "Content-Disposition", "attachment");
    if (head->allow)
        http_write_field(out, "Allow", head->allow);
    if (head->location)
        http_write_field(out, "Location", head->location);
    if (head->status == 426) {
        http_write_field(out, "Upgrade", "websocket");
        http_write_field(out, "Sec-WebSocket-Version", "13");
    }
    if (is_told_to_stay(c))
        http_write_field(out, "Strict-Transport-Security", "max-age=63072000");
    if (connection)
        http_write_field(out, "Connection", connection);
    if (head->headers)
        (void)mw_buffer_append_text(out, head->headers);
    http_write_end(out);
    if (!out->error)
        return true;
    mw_buffer_clear(out); /* the error is sticky */
    connection_drop(c);
    return false;
}

void answer_done(struct edge_connection *c, int status, bool keeps)
{
    struct edge *e = c->edge;

    e->stats.requests++;
    e->stats.status[status / 100]++;
    if (e->hooks.answered)
        exchange_tell(c, status, e->answer_bytes);
    if (c->state == CONNECTION_DEAD)
        return;
    if (++c->answered == edge_limit(e, EDGE_LIMIT_REQUESTS))
        edge_hit(e, EDGE_LIMIT_REQUESTS);
    if (++c->unsent == edge_limit(e, EDGE_LIMIT_PIPELINED))
        edge_hit(e, EDGE_LIMIT_PIPELINED);
    if (keeps)
        exchange_next(c);
    else
        connection_leave(c);
}

bool answer_is_to_head(const struct edge_connection *c)
{
    return c->exchange->is_whole && c->exchange->parser.request.method == HTTP_METHOD_HEAD;
}

void answer_bytes(struct edge_connection *c, struct answer_head *head, const char *bytes, size_t byte_count,
                         const mw_value *value)
{
    struct mw_buffer *out = &c->edge->head;
    bool keeps = answer_may_keep(c, head);

    head->length = head->status == 204 || head->status == 304 ? NO_LENGTH : (int64_t)byte_count;
    if (!answer_write_head(c, head, keeps))
        return;
    if (answer_is_to_head(c) || head->length == NO_LENGTH)
        (void)connection_queue(c, out->data, out->count, NULL, 0);
    else if (value)
        (void)connection_queue_value(c, out->data, out->count, *value);
    else
        (void)connection_queue(c, out->data, out->count, bytes, byte_count);
    answer_done(c, head->status, keeps);
}

/* ---- refusals ---------------------------------------------------------------------------------------- */
void answer_line(struct edge_connection *c, struct answer_head *head, const char *reason)
{
    char line[256];
    int count = snprintf(line, sizeof line, "%d %s%s%s\n", head->status, http_status_text(head->status),
                         reason ? ": " : "", reason ? reason : "");

    head->media_type = "text/plain; charset=utf-8";
    answer_bytes(c, head, line, count < (int)sizeof line ? (size_t)count : sizeof line - 1, NULL);
}

void answer_refuse(struct edge_connection *c, int status, const char *reason)
{
    struct answer_head head = {
        .status = status, .must_close = status != 404, .cache_control = "no-store", .headers = "X-Content-Type-Options: nosniff\r\n"};

    answer_line(c, &head, reason);
}

void answer_options(struct edge_connection *c, const char *allow)
{
    struct answer_head head = {.status = 204, .allow = allow};

    answer_bytes(c, &head, NULL, 0, NULL);
}

/* ---- what the hook said ------------------------------------------------------------------------------ */
/* Put the body's gzipped form in its place, where the hook allows it, the client takes it and there is something to gain. */
static bool pack_body(struct edge_connection *c, struct edge_answer *a, size_t byte_count)
{
    struct edge *e = c->edge;
    mw_value packed;

    if (!e->gzip_cache || !http_takes_coding(&c->exchange->parser.request, "gzip"))
        return false;
    if (byte_count > edge_limit(e, EDGE_LIMIT_GZIP_FILE)) {
        edge_hit(e, EDGE_LIMIT_GZIP_FILE);
        return false;
    }
    if (!gzip_cache_pack(e->gzip_cache, mw_get_text(&a->body, NULL), byte_count, edge_now(e), &packed))
        return false;
    mw_release(a->body);
    a->body = packed;
    return true;
}

static void answer_body(struct edge_connection *c, struct edge_answer *a, struct answer_head *head)
{
    size_t count = 0;
    const char *bytes = mw_get_text(&a->body, &count);

    head->media_type = a->media_type ? a->media_type : bytes ? "text/plain; charset=utf-8" : NULL;
    head->varies = a->may_pack && count >= PACK_FROM_BYTES;
    if (head->varies && pack_body(c, a, count)) {
        head->coding = "gzip";
        bytes = mw_get_text(&a->body, &count);
    }
    answer_bytes(c, head, bytes, count, bytes ? &a->body : NULL);
}

/* A final status; one that is none is the hook's fault. */
static int known_status(int status, int otherwise)
{
    if (status == 0)
        return otherwise;
    return status >= 200 && status <= 599 ? status : 500;
}

void answer_give(struct edge_connection *c, const struct edge_request *request, struct edge_answer *a)
{
    struct answer_head head = {.headers = a->headers,
                               .cache_control = a->kind == EDGE_FILES && a->cache_control ? "no-store" : NULL,
                               .allow = a->allow,
                               .must_close = a->must_close};
    bool has_text = mw_get_text(&a->body, NULL) != NULL;

    switch (a->kind) {
    case EDGE_FILES:
        answer_files(c, request, a, &head);
        break;
    case EDGE_BODY:
        head.status = known_status(a->status, 200);
        answer_body(c, a, &head);
        break;
    case EDGE_REFUSE:
        head.status = known_status(a->status, 404);
        if (head.status == 405 && !head.allow)
            head.allow = "GET, HEAD";
        if (has_text)
            answer_body(c, a, &head);
        else
            answer_line(c, &head, NULL);
        break;
    case EDGE_UPGRADE: /* no upgrade was asked for */
        c->edge->hooks.closed(a->connection, 1006);
        head.status = 426;
        answer_line(c, &head, NULL);
        break;
    case EDGE_COLLECT: /* these are exchange.c's */
    case EDGE_LATER:
        break;
    case EDGE_MOVE: /* there is no hook that would take it */
        head.status = 500;
        answer_line(c, &head, NULL);
        break;
    }
    mw_release(a->body);
}
