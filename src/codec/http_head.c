/* What a request's head means: the request line judged by ourselves, the field lines split by llhttp and then
 * judged by the rules that it does not keep (names, Host, body framing, persistence). Read next: http_body.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <llhttp.h>
#include <string.h>

#include "base/memory.h"
#include "codec/http_priv.h"

static const char malformed_field[] = "malformed header field";
static const char malformed_length[] = "malformed Content-Length";
static const char malformed_target[] = "malformed request target";

/* ---- request line -------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum http_method method;
} known_methods[] = {{"GET", HTTP_METHOD_GET},
                     {"HEAD", HTTP_METHOD_HEAD},
                     {"POST", HTTP_METHOD_POST},
                     {"OPTIONS", HTTP_METHOD_OPTIONS},
                     {"PUT", HTTP_METHOD_PUT},
                     {"DELETE", HTTP_METHOD_DELETE},
                     {"PATCH", HTTP_METHOD_PATCH},
                     {"TRACE", HTTP_METHOD_TRACE}};

static bool text_equals(struct http_text text, const char *c_string)
{
    size_t count = strlen(c_string);

    return text.count == count && memcmp(text.bytes, c_string, count) == 0;
}

static enum http_method method_of(struct http_text name)
{
    size_t i;

    for (i = 0; i < MW_COUNT(known_methods); i++) {
        if (text_equals(name, known_methods[i].name))
            return known_methods[i].method;
    }
    return HTTP_METHOD_UNKNOWN;
}

static bool read_version(struct http_parser *p, struct http_text version)
{
    if (version.count != 8 || memcmp(version.bytes, "HTTP/", 5) != 0 ||
        !http_is_digit((uint8_t)version.bytes[5]) || version.bytes[6] != '.' ||
        !http_is_digit((uint8_t)version.bytes[7]))
        return http_refuse(p, 400, "malformed HTTP version");
    if (version.bytes[5] != '1' || version.bytes[7] > '1')
        return http_refuse(p, 505, "HTTP version not supported");
    p->request.minor_version = version.bytes[7] - '0';
    return true;
}

bool http_read_authority(struct http_text text, struct http_text *ret_host, int *ret_port)
{
    size_t at = 0;
    int port = -1;

    if (text.count > 0 && text.bytes[0] == '[') {
        for (at = 1; at < text.count && text.bytes[at] != ']'; at++) {
            uint8_t byte = (uint8_t)text.bytes[at];

            if (!http_is_digit(byte) && !((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f') && byte != ':' &&
                byte != '.')
                return false;
        }
        if (at >= text.count || at < 3)
            return false;
        at++;
    } else {
        while (at < text.count &&
               (http_is_digit((uint8_t)text.bytes[at]) || http_is_alpha((uint8_t)text.bytes[at]) ||
                memchr("-._~", text.bytes[at], 4)))
            at++;
    }
    if (at == 0 || (at < text.count && text.bytes[at] != ':'))
        return false;
    *ret_host = (struct http_text){text.bytes, at};
    if (at < text.count) {
        size_t digits = text.count - at - 1;

        if (digits > 5)
            return false;
        for (at++; at < text.count; at++) {
            if (!http_is_digit((uint8_t)text.bytes[at]))
                return false;
            port = (port < 0 ? 0 : port) * 10 + (text.bytes[at] - '0');
        }
        if (port > 65535)
            return false;
    }
    *ret_port = port;
    return true;
}

/* Cut a target "path?query" in two. */
static void split_query(struct http_request *request, struct http_text target)
{
    const char *mark = memchr(target.bytes, '?', target.count);

    request->path = target;
    request->query = (struct http_text){0};
    if (mark) {
        request->path.count = (size_t)(mark - target.bytes);
        request->query = (struct http_text){mark + 1, target.count - request->path.count - 1};
    }
}

/* "http://host:port/path?query" (RFC 9112 §3.2.2). false: the text is none */
static bool read_absolute(struct http_request *request, struct http_text target)
{
    size_t scheme = 0, authority = 0;
    struct http_text rest;

    if (target.count > 7 && http_same_letters(target.bytes, "http://", 7))
        scheme = 7;
    else if (target.count > 8 && http_same_letters(target.bytes, "https://", 8))
        scheme = 8;
    if (scheme == 0)
        return false;
    rest = (struct http_text){target.bytes + scheme, target.count - scheme};
    while (authority < rest.count && rest.bytes[authority] != '/' && rest.bytes[authority] != '?')
        authority++;
    if (!http_read_authority((struct http_text){rest.bytes, authority}, &request->host, &request->port))
        return false;
    rest.bytes += authority;
    rest.count -= authority;
    split_query(request, rest);
    if (request->path.count == 0) {
        bool is_asterisk = request->method == HTTP_METHOD_OPTIONS && !request->query.bytes;

        request->path = (struct http_text){is_asterisk ? "*" : "/", 1};
    }
    request->is_absolute = true;
    return true;
}

static bool read_target(struct http_parser *p)
{
    struct http_request *request = &p->request;
    struct http_text target = request->target;

    if (memchr(target.bytes, '#', target.count))
        return http_refuse(p, 400, "fragment in the request target");
    if (target.bytes[0] == '/') {
        split_query(request, target);
        return true;
    }
    if (text_equals(target, "*")) {
        request->path = target;
        return request->method == HTTP_METHOD_OPTIONS || http_refuse(p, 400, "'*' is for OPTIONS");
    }
    /* The authority form, of CONNECT (RFC 9112 §3.2.3), which is not implemented. */
    if (request->method == HTTP_METHOD_UNKNOWN && http_read_authority(target, &request->host, &request->port))
        return true;
    return read_absolute(request, target) || http_refuse(p, 400, malformed_target);
}

bool http_read_request_line(struct http_parser *p, size_t line_bytes)
{
    const char *line = (const char *)p->head.data + p->line_at;
    const char *first = memchr(line, ' ', line_bytes), *second;
    struct http_text method, version;

    if (!first)
        return http_refuse(p, 400, "malformed request line");
    method = (struct http_text){line, (size_t)(first - line)};
    if (!http_is_token(method))
        return http_refuse(p, 400, "malformed method");
    first++;
    second = memchr(first, ' ', line_bytes - (size_t)(first - line));
    if (!second)
        return http_refuse(p, 400, "request line without HTTP version");
    if (second == first)
        return http_refuse(p, 400, "two spaces in the request line");
    version = (struct http_text){second + 1, line_bytes - (size_t)(second + 1 - line)};
    p->request.target = (struct http_text){first, (size_t)(second - first)};
    p->request.port = -1;
    p->line_base = p->head.data;
    p->request.method = method_of(method);
    return read_version(p, version) && read_target(p);
}

/* ---- fields, by llhttp --------------------------------------------------------------------------------- */

/* The fields that mean something here, as the splitting meets them. */
struct split {
    struct http_parser *p;
    size_t count;
    const struct http_field *host, *length, *coding;
    bool has_two_hosts, has_expect, has_connection;
    const char *fault;
};

/* Notice a field by its name. NULL, or what is wrong with one that framing hangs on. */
static const char *notice_field(struct split *split, const struct http_field *field)
{
    switch (field->name.count) {
    case 4:
        if (http_text_is(field->name, "host")) {
            split->has_two_hosts = split->host != NULL;
            split->host = field;
        }
        return NULL;
    case 6:
        split->has_expect |= http_text_is(field->name, "expect");
        return NULL;
    case 10:
        split->has_connection |= http_text_is(field->name, "connection");
        return NULL;
    case 14:
        if (!http_text_is(field->name, "content-length"))
            return NULL;
        if (split->length)
            return "more than one Content-Length";
        split->length = field;
        break;
    case 17:
        if (!http_text_is(field->name, "transfer-encoding"))
            return NULL;
        if (split->coding)
            return "Transfer-Encoding other than chunked";
        split->coding = field;
        break;
    default:
        return NULL;
    }
    return split->length && split->coding ? "both Transfer-Encoding and Content-Length" : NULL;
}

/* A field's name, as one span: the head is fed in one piece. */
static int split_name(llhttp_t *llhttp, const char *at, size_t count)
{
    struct split *split = llhttp->data;
    struct http_field *field = split->p->fields + split->count;
    struct http_text name = {at, count};

    if (split->count == split->p->line_count || !http_is_token(name) || at[count] != ':') {
        split->fault = malformed_field; /* at[count] is in the head: the empty line lies behind every name */
        return HPE_USER;
    }
    split->count++;
    *field = (struct http_field){name, {at + count + 1, 0}};
    split->fault = notice_field(split, field);
    return split->fault ? HPE_USER : 0;
}

static int split_value(llhttp_t *llhttp, const char *at, size_t count)
{
    struct split *split = llhttp->data;

    if (split->count == 0)
        return HPE_USER;
    while (count > 0 && (at[0] == ' ' || at[0] == '\t')) {
        at++;
        count--;
    }
    while (count > 0 && (at[count - 1] == ' ' || at[count - 1] == '\t'))
        count--;
    split->p->fields[split->count - 1].value = (struct http_text){at, count};
    return 0;
}

/* The body is not llhttp's: it takes what http_body.c refuses. */
static int split_stop(llhttp_t *llhttp)
{
    (void)llhttp;
    return HPE_PAUSED;
}

static const llhttp_settings_t split_settings = {
    .on_header_field = split_name, .on_header_value = split_value, .on_headers_complete = split_stop};

/* llhttp's own texts differ from version to version. */
static const char *split_reason(llhttp_errno_t err)
{
    if (err == HPE_INVALID_CONTENT_LENGTH)
        return malformed_length;
    if (err == HPE_INVALID_TRANSFER_ENCODING)
        return "Transfer-Encoding other than chunked";
    return err == HPE_INVALID_URL ? malformed_target : malformed_field;
}

static bool split_fields(struct http_parser *p, struct split *split)
{
    static const char known_line[] = "GET / HTTP/1.1\r\n"; /* in place of one with a method that llhttp may not know */
    size_t from = p->request.method == HTTP_METHOD_UNKNOWN ? p->fields_at : 0;
    llhttp_t llhttp;
    llhttp_errno_t err;

    llhttp_init(&llhttp, HTTP_REQUEST, &split_settings);
    llhttp.data = split;
    if (from > 0)
        (void)llhttp_execute(&llhttp, known_line, sizeof known_line - 1); /* what it thinks of it comes with the next */
    err = llhttp_execute(&llhttp, (const char *)p->head.data + from, p->head.count - from);
    if (split->fault)
        return http_refuse(p, 400, split->fault);
    if (err != HPE_PAUSED)
        return http_refuse(p, 400, split_reason(err));
    if (split->count != p->line_count)
        return http_refuse(p, 400, malformed_field);
    p->request.fields = p->fields;
    p->request.field_count = split->count;
    return true;
}

/* Room for as many fields as there are lines. */
static bool reserve_fields(struct http_parser *p)
{
    size_t capacity = (p->line_count + 15) & ~(size_t)15, bytes;
    void *grown;

    if (p->line_count <= p->field_capacity)
        return true;
    if (!mw_multiply_size(capacity, sizeof *p->fields, &bytes) || !(grown = mw_resize(p->fields, bytes)))
        return http_refuse(p, 500, "out of memory");
    p->fields = grown;
    p->field_capacity = capacity;
    return true;
}

/* ---- what the fields say ------------------------------------------------------------------------------- */

/* RFC 9112 §3.2: exactly one in 1.1, at most one in 1.0, well-formed; an absolute target goes before it. */
static bool read_host(struct http_parser *p, const struct split *split)
{
    struct http_request *request = &p->request;
    const struct http_field *field = split->host;
    struct http_text host;
    int port;

    if (!field)
        return request->minor_version == 0 || http_refuse(p, 400, "Host is missing");
    if (split->has_two_hosts)
        return http_refuse(p, 400, "more than one Host");
    if (!http_read_authority(field->value, &host, &port))
        return http_refuse(p, 400, field->value.count == 0 ? "Host is empty" : "malformed Host");
    if (!request->is_absolute) {
        request->host = host;
        request->port = port;
    }
    return true;
}

static bool read_content_length(struct http_parser *p, struct http_text value)
{
    uint64_t length = 0;
    size_t i;

    for (i = 0; i < value.count; i++) {
        unsigned digit = (unsigned)((uint8_t)value.bytes[i] - '0');

        if (digit > 9)
            break;
        if (__builtin_mul_overflow(length, (uint64_t)10, &length) ||
            __builtin_add_overflow(length, digit, &length))
            break;
    }
    if (value.count == 0 || i < value.count)
        return http_refuse(p, 400, malformed_length);
    if (length > http_limits_of(p).body_bytes)
        return http_refuse_limit(p, 413, HTTP_LIMIT_BODY_BYTES, "body too large");
    p->request.content_length = length;
    return true;
}

/* RFC 9112 §6. That there is one length or one coding, and not both, was seen to while the fields were
 * split. */
static bool read_framing(struct http_parser *p, const struct split *split)
{
    struct http_request *request = &p->request;

    if (split->coding) {
        if (request->minor_version == 0)
            return http_refuse(p, 400, "Transfer-Encoding in HTTP/1.0");
        if (!http_text_is(split->coding->value, "chunked"))
            return http_refuse(p, 400, "Transfer-Encoding other than chunked");
        request->is_chunked = true;
        return true;
    }
    if (split->length)
        return read_content_length(p, split->length->value);
    if (request->method == HTTP_METHOD_POST && request->minor_version == 0)
        return http_refuse(p, 411, "POST without Content-Length");
    return true;
}

/* RFC 9110 §10.1.1: 1.0 knows no expectations, of others there is one. */
static bool read_expect(struct http_parser *p, const struct split *split)
{
    struct http_request *request = &p->request;
    const struct http_field *field = NULL;

    if (!split->has_expect || request->minor_version == 0)
        return true;
    while ((field = http_find(request, "expect", field)) != NULL) {
        if (!http_text_is(field->value, "100-continue"))
            return http_refuse(p, 417, "unknown expectation");
        request->expects_continue = request->is_chunked || request->content_length > 0;
    }
    return true;
}

static void read_persistence(struct http_request *request, const struct split *split)
{
    bool closes = split->has_connection && http_has_token(request, "connection", "close");

    if (request->minor_version == 0) {
        request->keeps_alive =
            split->has_connection && !closes && http_has_token(request, "connection", "keep-alive");
        return;
    }
    request->keeps_alive = !closes;
    request->is_upgrade = split->has_connection && http_has_token(request, "connection", "upgrade") &&
                          http_find(request, "upgrade", NULL) != NULL;
}

bool http_read_head(struct http_parser *p)
{
    struct split split = {.p = p};

    p->line_at = 0;
    /* The head is complete and stays where it is. If it moved while it grew, the request line's texts did
     * not. */
    if (p->line_base != p->head.data && !http_read_request_line(p, p->fields_at - 2))
        return false;
    if (!reserve_fields(p) || !split_fields(p, &split) || !read_host(p, &split) || !read_framing(p, &split) ||
        !read_expect(p, &split))
        return false;
    /* Last: a malformed head gets its 400 whatever the method (RFC 9112 §3.2, RFC 9110 §9.1). */
    if (p->request.method == HTTP_METHOD_UNKNOWN)
        return http_refuse(p, 501, "unknown method");
    read_persistence(&p->request, &split);
    return true;
}
