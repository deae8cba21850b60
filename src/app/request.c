/* A request as most clients write it, read in one pass: its envelope becomes no map, a short list of names no list.
 * Not what is of another form or wrong: that is parsed as any JSON, and protocol.c says what is wrong. Read next: protocol.c.
 * SPDX-License-Identifier: MIT */
#include "app/request.h"

#include <string.h>

#include "app/protocol.h"
#include "base/hint.h"
#include "codec/json_limit.h"
#include "codec/json_plain.h"

enum {
    ID_DIGITS = 15,  /* each such number is exact everywhere */
    OUTER_TOKENS = 8, /* the object, four keys, and the values of three of them */
    SEEN_VERSION = 1,
    SEEN_ID = 2,
    SEEN_METHOD = 4,
    SEEN_PARAMS = 8,
};

/* What is read, and how far. Readers are given where they stand and return what follows, or NULL where it is of another form: a place that
 * is passed by value stays in a register. */
struct span {
    const char *end;
    const struct mw_json_limits *limits;
};

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && (uint8_t)*p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static inline const char *take_byte(const char *p, const char *end, char byte)
{
    p = skip_space(p, end);
    return p < end && *p == byte ? p + 1 : NULL;
}

/* A constant piece of text, whole. */
#define take(p, end, literal) take_bytes((p), (end), "" literal, sizeof(literal) - 1)
static inline const char *take_bytes(const char *p, const char *end, const char *bytes, size_t byte_count)
{
    return (size_t)(end - p) >= byte_count && memcmp(p, bytes, byte_count) == 0 ? p + byte_count : NULL;
}

/* A string without escapes, at its quote. *ret_count bytes stand behind that. */
static inline const char *read_plain(const char *p, const char *end, size_t *ret_count)
{
    const char *to = json_skip_plain(p + 1, end);

    *ret_count = (size_t)(to - p) - 1;
    return to < end && *to == '"' ? to + 1 : NULL;
}

/* The same as a value. returned owned */
static inline const char *read_text(const char *p, const char *end, mw_value *ret)
{
    const char *from = p;
    size_t byte_count;

    if (json_short_text(&p, end, ret))
        return p;
    p = read_plain(from, end, &byte_count);
    if (!p)
        return NULL;
    *ret = mw_text_n(from + 1, byte_count);
    return mw_kind_of(*ret) != MW_MISSING ? p : NULL;
}

/* ---- members ---------------------------------------------------------------------------------------------- */

static inline const char *read_id(const char *p, const char *end, struct envelope *ret)
{
    const char *from = p;
    int64_t number = 0;

    ret->has_id = true;
    if (*p == '"')
        return read_text(p, end, &ret->id);
    for (; p < end && *p >= '0' && *p <= '9' && p - from < ID_DIGITS; p++)
        number = number * 10 + (*p - '0');
    ret->id = mw_int(number);
    return p > from && (*from != '0' || p == from + 1) ? p : NULL; /* whatever else follows is no comma and no brace */
}

static inline const char *read_method(const char *p, const char *end, struct envelope *ret)
{
    const char *name = p + 1;
    size_t name_bytes;

    p = *p == '"' ? read_plain(p, end, &name_bytes) : NULL;
    if (!p)
        return NULL;
    ret->method = rpc_method_find(name, name_bytes);
    return ret->method ? p : NULL;
}

static void release_names(struct request *request)
{
    size_t i;

    for (i = 0; i < request->envelope.name_count; i++)
        mw_release(request->names[i]);
    request->envelope.name_count = 0;
}

/* A list of few names, behind its bracket. */
static inline const char *read_names(const char *p, const char *end, struct request *ret)
{
    size_t *count = &ret->envelope.name_count;
    const char *from;

    p = skip_space(p, end);
    if (p < end && *p == ']')
        return p + 1;
    for (;;) {
        from = skip_space(p, end);
        if (from == end || *from != '"' || *count == REQUEST_NAMES)
            return NULL;
        p = read_text(from, end, &ret->names[*count]);
        if (!p)
            return NULL;
        ++*count;
        if (p - from < 3 || p - from > 2 + APP_NAME_BYTES)
            return NULL;
        p = skip_space(p, end);
        if (p == end || *p != ',')
            return p < end && *p == ']' ? p + 1 : NULL;
        p++;
    }
}

static const char *read_params(const char *p, const struct span *span, struct request *ret)
{
    struct envelope *e = &ret->envelope;
    const char *from = p;

    if (*p != '[' && *p != '{')
        return NULL;
    e->has_params = true;
    if (*p == '[' && e->method && e->method->takes_names) {
        p = read_names(p + 1, span->end, ret);
        e->has_names = p != NULL;
        if (p)
            return p;
        release_names(ret);
    }
    return json_parse_member(from, (size_t)(span->end - from), span->limits, OUTER_TOKENS, &e->params, &p) == 0 ? p : NULL;
}

/* A key that may stand in a request. *ret: its bit */
static inline const char *read_key(const char *p, const char *end, unsigned *ret)
{
    switch (end - p > 1 ? p[1] : 0) { /* behind its quote */
    case 'j':
        *ret = SEEN_VERSION;
        return take(p, end, "\"jsonrpc\"");
    case 'i':
        *ret = SEEN_ID;
        return take(p, end, "\"id\"");
    case 'm':
        *ret = SEEN_METHOD;
        return take(p, end, "\"method\"");
    case 'p':
        *ret = SEEN_PARAMS;
        return take(p, end, "\"params\"");
    default:
        return NULL;
    }
}

static inline const char *read_member_value(const char *p, unsigned key, const struct span *span, struct request *ret)
{
    switch (key) {
    case SEEN_VERSION:
        return take(p, span->end, "\"2.0\"");
    case SEEN_ID:
        return read_id(p, span->end, &ret->envelope);
    case SEEN_METHOD:
        return read_method(p, span->end, &ret->envelope);
    default:
        return read_params(p, span, ret);
    }
}

/* ---- all of it ------------------------------------------------------------------------------------------- */

/* io_seen  SEEN_ bits of the keys so far */
static inline const char *read_member(const char *p, const struct span *span, unsigned *io_seen, struct request *ret)
{
    unsigned key = 0;

    p = read_key(skip_space(p, span->end), span->end, &key);
    if (!p || (*io_seen & key))
        return NULL;
    *io_seen |= key;
    p = take_byte(p, span->end, ':');
    if (!p)
        return NULL;
    p = skip_space(p, span->end);
    return p < span->end ? read_member_value(p, key, span, ret) : NULL;
}

static bool read_members(const char *p, const struct span *span, struct request *ret)
{
    const char *usual = take(p, span->end, "{\"jsonrpc\":\"2.0\","); /* so it begins nearly always, and not in parts */
    unsigned seen = usual ? SEEN_VERSION : 0;

    p = usual ? usual : take_byte(p, span->end, '{');
    for (;;) {
        p = p ? read_member(p, span, &seen, ret) : NULL;
        if (!p)
            return false;
        p = skip_space(p, span->end);
        if (p == span->end || *p != ',')
            break;
        p++;
    }
    if (p == span->end || *p != '}' || skip_space(p + 1, span->end) != span->end)
        return false;
    return (seen & (SEEN_VERSION | SEEN_METHOD)) == (SEEN_VERSION | SEEN_METHOD);
}

bool request_read(const char *text, size_t byte_count, const struct mw_json_limits *limits, struct request *ret)
{
    const struct span span = {.end = byte_count ? text + byte_count : text, .limits = limits};

    if (limits->depth < 2 || limits->keys < 4 || limits->tokens < OUTER_TOKENS + 1 + REQUEST_NAMES)
        return false; /* whether it is within such limits is not looked at here */
    ret->envelope = (struct envelope){.is_alone = true, .names = ret->names};
    if (read_members(text, &span, ret))
        return true;
    request_clear(ret);
    return false;
}

void request_clear(struct request *request)
{
    release_names(request);
    mw_release(request->envelope.params);
    mw_release(request->envelope.id);
}
