/* What the route hook decided, as an HTTP answer: a line of refusal, a body, a file.
 * Not when it is asked; that is exchange.c. Read next: files.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codec/media.h"
#include "edge/exchange.h"
#include "edge/files.h"

enum { FILE_IN_MEMORY_BYTES = 65536, NO_LENGTH = -1 };

/* A head as it goes out. Texts NULL: left out. */
struct head {
    int status;
    const char *media_type;
    int64_t length; /* NO_LENGTH: none */
    const char *allow;
    const char *headers; /* further lines */
    const struct file *file;
    bool is_attachment;
    bool must_close;
};

static bool may_keep(const struct edge_connection *c, const struct head *head)
{
    const struct exchange *x = c->exchange;

    return !head->must_close && x->is_whole && x->parser.request.keeps_alive && !c->edge->is_closing &&
           !c->has_ended && x->answered + 1 < edge_limit(c->edge, EDGE_LIMIT_REQUESTS);
}

static const char *connection_value(const struct edge_connection *c, const struct head *head, bool keeps)
{
    if (head->status == 426)
        return keeps ? "Upgrade" : "close, Upgrade";
    if (!keeps)
        return "close";
    return c->exchange->parser.request.minor_version == 0 ? "keep-alive" : NULL;
}

static void head_write_file(struct mw_buffer *out, const struct file *file)
{
    char date[HTTP_DATE_BYTES];

    http_write_field(out, "ETag", file->etag);
    http_format_date(date, file->modified_s);
    http_write_field(out, "Last-Modified", date);
}

/* Write the head into the edge's scratch. false: no memory, c is dropped. */
static bool head_write(struct edge_connection *c, const struct head *head, bool keeps)
{
    struct mw_buffer *out = &c->edge->head;
    const char *connection = connection_value(c, head, keeps);

    out->count = 0;
    http_write_status(out, head->status, edge_date(c->edge));
    if (head->media_type)
        http_write_field(out, "Content-Type", head->media_type);
    if (head->length != NO_LENGTH)
        http_write_length(out, (uint64_t)head->length);
    if (head->file)
        head_write_file(out, head->file);
    if (head->is_attachment)
        http_write_field(out, "Content-Disposition", "attachment");
    if (head->allow)
        http_write_field(out, "Allow", head->allow);
    if (head->status == 426) {
        http_write_field(out, "Upgrade", "websocket");
        http_write_field(out, "Sec-WebSocket-Version", "13");
    }
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

/* The answer is queued: count it and go on, or leave. */
static void answer_done(struct edge_connection *c, int status, bool keeps)
{
    struct edge *e = c->edge;

    e->stats.requests++;
    e->stats.status[status / 100]++;
    if (c->state == CONNECTION_DEAD)
        return;
    if (++c->exchange->answered == edge_limit(e, EDGE_LIMIT_REQUESTS))
        edge_hit(e, EDGE_LIMIT_REQUESTS);
    if (++c->exchange->unsent == edge_limit(e, EDGE_LIMIT_PIPELINED))
        edge_hit(e, EDGE_LIMIT_PIPELINED);
    if (keeps)
        exchange_next(c);
    else
        connection_leave(c);
}

static bool is_head_request(const struct edge_connection *c)
{
    return c->exchange->is_whole && c->exchange->parser.request.method == HTTP_METHOD_HEAD;
}

/* Queue a whole answer whose body lies in memory. A value is borrowed and shared where it is long. */
static void answer_bytes(struct edge_connection *c, struct head *head, const char *bytes, size_t byte_count,
                         const mw_value *value)
{
    struct mw_buffer *out = &c->edge->head;
    bool keeps = may_keep(c, head);

    head->length = head->status == 204 || head->status == 304 ? NO_LENGTH : (int64_t)byte_count;
    if (!head_write(c, head, keeps))
        return;
    if (is_head_request(c) || head->length == NO_LENGTH)
        (void)connection_queue(c, out->data, out->count, NULL, 0);
    else if (value)
        (void)connection_queue_value(c, out->data, out->count, *value);
    else
        (void)connection_queue(c, out->data, out->count, bytes, byte_count);
    answer_done(c, head->status, keeps);
}

/* ---- refusals ---------------------------------------------------------------------------------------- */
static void refuse(struct edge_connection *c, struct head *head, const char *reason)
{
    char line[256];
    int count = snprintf(line, sizeof line, "%d %s%s%s\n", head->status, http_status_text(head->status),
                         reason ? ": " : "", reason ? reason : "");

    head->media_type = "text/plain; charset=utf-8";
    answer_bytes(c, head, line, count < (int)sizeof line ? (size_t)count : sizeof line - 1, NULL);
}

void answer_refuse(struct edge_connection *c, int status, const char *reason)
{
    struct head head = {
        .status = status, .must_close = status != 404, .allow = status == 405 ? HTTP_ALLOW_ALL : NULL};

    refuse(c, &head, reason);
}

void answer_options(struct edge_connection *c, const char *allow)
{
    struct head head = {.status = 204, .allow = allow};

    answer_bytes(c, &head, NULL, 0, NULL);
}

/* ---- files ------------------------------------------------------------------------------------------- */
/* Find the first place that is a file. 0, -ENOENT, or why none could be opened. */
static int places_open(const struct edge_place *places, struct file *ret, const char **ret_path)
{
    int err = -ENOENT;
    size_t i;

    for (i = 0; i < EDGE_PLACES && places[i].path && err == -ENOENT; i++) {
        err = file_open(&places[i], ret);
        *ret_path = places[i].path;
    }
    return err;
}

/* Read a small file behind the head in one chunk, so that both leave in one write. false: it could not be read. */
static bool queue_small_file(struct edge_connection *c, const struct file *file)
{
    const struct mw_buffer *head = &c->edge->head;
    size_t before = c->output.queued, count = (size_t)file->byte_count;
    uint8_t *room = output_room(&c->output, &c->edge->pool, head->count + count);

    if (!room || pread(file->fd, room + head->count, count, 0) != (ssize_t)count)
        return false;
    memcpy(room, head->data, head->count);
    output_added(&c->output, head->count + count);
    connection_queued(c, before);
    return true;
}

/* takes the file's descriptor. false: no memory */
static bool queue_large_file(struct edge_connection *c, const struct file *file)
{
    const struct mw_buffer *head = &c->edge->head;

    if (connection_queue(c, head->data, head->count, NULL, 0) < 0) {
        (void)close(file->fd);
        return false;
    }
    return output_file(&c->output, file->fd, file->byte_count) == 0;
}

/* takes file->fd */
static void answer_file(struct edge_connection *c, struct head *head, const struct file *file)
{
    const struct mw_buffer *out = &c->edge->head;
    bool keeps = may_keep(c, head), is_queued;

    head->length = (int64_t)file->byte_count;
    if (!head_write(c, head, keeps)) {
        (void)close(file->fd);
        return;
    }
    if (!is_head_request(c) && file->byte_count > FILE_IN_MEMORY_BYTES) {
        is_queued = queue_large_file(c, file);
    } else {
        is_queued = is_head_request(c) ? connection_queue(c, out->data, out->count, NULL, 0) == 0
                                       : queue_small_file(c, file);
        (void)close(file->fd); /* opened for reading: nothing to lose */
    }
    if (is_queued)
        answer_done(c, head->status, keeps);
    else
        connection_drop(c); /* the file became shorter meanwhile, or memory ran out */
}

/* The file is found: all of it, or that the client has it already. takes file->fd */
static void answer_found(struct edge_connection *c, const struct edge_answer *a, const char *path,
                         const struct file *file)
{
    const struct http_request *wire = &c->exchange->parser.request;
    struct media_type media = media_type_of(path);
    struct head head = {.status = 200, .headers = a->headers, .must_close = a->must_close, .file = file};

    if (file_is_known(file, http_value(wire, "If-None-Match"), http_value(wire, "If-Modified-Since"))) {
        (void)close(file->fd);
        head.status = 304;
        answer_bytes(c, &head, NULL, 0, NULL);
        return;
    }
    head.media_type = a->media_type ? a->media_type : media.name;
    head.is_attachment = !a->media_type && !media.is_known;
    answer_file(c, &head, file);
}

static void answer_files(struct edge_connection *c, const struct edge_request *request,
                         const struct edge_answer *a, struct head *head)
{
    const char *path = "";
    struct file file;
    int err;

    if (request->method == EDGE_POST) {
        head->status = 405;
        head->allow = a->allow ? a->allow : "GET, HEAD, OPTIONS";
        refuse(c, head, NULL);
        return;
    }
    err = places_open(a->places, &file, &path);
    if (err < 0) {
        head->status = err == -ENOENT ? 404 : 503;
        refuse(c, head, NULL);
    } else if (request->method == EDGE_OPTIONS) {
        (void)close(file.fd);
        answer_options(c, a->allow ? a->allow : "GET, HEAD, OPTIONS");
    } else {
        answer_found(c, a, path, &file);
    }
}

/* ---- what the hook said ------------------------------------------------------------------------------ */
static void answer_body(struct edge_connection *c, const struct edge_answer *a, struct head *head)
{
    size_t count = 0;
    const char *bytes = mw_get_text(&a->body, &count);

    head->media_type = a->media_type ? a->media_type : bytes ? "text/plain; charset=utf-8" : NULL;
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
    struct head head = {.headers = a->headers, .allow = a->allow, .must_close = a->must_close};
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
            refuse(c, &head, NULL);
        break;
    case EDGE_UPGRADE: /* no upgrade was asked for */
        c->edge->hooks.closed(a->connection, 1006);
        head.status = 426;
        refuse(c, &head, NULL);
        break;
    case EDGE_COLLECT: /* exchange.c's */
        break;
    }
    mw_release(a->body);
}
