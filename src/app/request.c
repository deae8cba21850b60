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

struct reader {
    const char *p, *end;
    const struct mw_json_limits *limits;
    unsigned seen; /* SEEN_ bits */
};

static inline void skip_space(struct reader *r)
{
    while (r->p < r->end && (uint8_t)*r->p <= ' ' && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
        r->p++;
}

static inline bool take_byte(struct reader *r, char byte)
{
    skip_space(r);
    if (r->p == r->end || *r->p != byte)
        return false;
    r->p++;
    return true;
}

/* A constant piece of text, whole. */
#define take(r, literal) take_bytes((r), "" literal, sizeof(literal) - 1)
static inline bool take_bytes(struct reader *r, const char *bytes, size_t byte_count)
{
    if ((size_t)(r->end - r->p) < byte_count || memcmp(r->p, bytes, byte_count) != 0)
        return false;
    r->p += byte_count;
    return true;
}

/* A key that has not been seen, its colon, and white space. */
static inline bool take_colon(struct reader *r, unsigned key)
{
    if ((r->seen & key) || !take_byte(r, ':'))
        return false;
    r->seen |= key;
    skip_space(r);
    return r->p < r->end;
}

/* At its quote. returned owned */
static inline bool read_text(struct reader *r, mw_value *ret)
{
    const char *from = r->p + 1, *to;

    if (json_short_text(&r->p, r->end, ret))
        return true;
    to = json_skip_plain(from, r->end);
    if (to == r->end || *to != '"')
        return false;
    *ret = mw_text_n(from, (size_t)(to - from));
    r->p = to + 1;
    return mw_kind_of(*ret) != MW_MISSING;
}

/* ---- members ---------------------------------------------------------------------------------------------- */

static bool read_id(struct reader *r, struct request *ret)
{
    const char *from = r->p;
    int64_t number = 0;

    ret->has_id = true;
    if (*from == '"')
        return read_text(r, &ret->id);
    for (; r->p < r->end && *r->p >= '0' && *r->p <= '9' && r->p - from < ID_DIGITS; r->p++)
        number = number * 10 + (*r->p - '0');
    ret->id = mw_int(number);
    return r->p > from && (*from != '0' || r->p == from + 1); /* whatever else follows is no comma and no brace */
}

static bool read_method(struct reader *r, struct request *ret)
{
    const char *from = r->p + 1, *to;

    if (*r->p != '"')
        return false;
    to = json_skip_plain(from, r->end);
    if (to == r->end || *to != '"')
        return false;
    ret->method = rpc_method_find(from, (size_t)(to - from));
    r->p = to + 1;
    return ret->method != NULL;
}

static void release_names(struct request *request)
{
    size_t i;

    for (i = 0; i < request->name_count; i++)
        mw_release(request->names[i]);
    request->name_count = 0;
}

/* A list of few names, at its bracket. false: it is another list */
static bool read_names(struct reader *r, struct request *ret)
{
    r->p++;
    if (take_byte(r, ']'))
        return true;
    do {
        const char *from;

        skip_space(r);
        from = r->p;
        if (from == r->end || *from != '"' || ret->name_count == REQUEST_NAMES || !read_text(r, &ret->names[ret->name_count]))
            return false;
        ret->name_count++;
        if (r->p - from < 3 || r->p - from > 2 + APP_NAME_BYTES)
            return false;
    } while (take_byte(r, ','));
    return take_byte(r, ']');
}

static bool read_params(struct reader *r, struct request *ret)
{
    const char *from = r->p;

    if (*from != '[' && *from != '{')
        return false;
    ret->has_params = true;
    if (*from == '[' && ret->method && ret->method->takes_names) {
        ret->has_names = read_names(r, ret);
        if (ret->has_names)
            return true;
        release_names(ret);
    }
    return json_parse_member(from, (size_t)(r->end - from), r->limits, OUTER_TOKENS, &ret->params, &r->p) == 0;
}

static bool read_member(struct reader *r, struct request *ret)
{
    skip_space(r);
    if (take(r, "\"jsonrpc\""))
        return take_colon(r, SEEN_VERSION) && take(r, "\"2.0\"");
    if (take(r, "\"id\""))
        return take_colon(r, SEEN_ID) && read_id(r, ret);
    if (take(r, "\"method\""))
        return take_colon(r, SEEN_METHOD) && read_method(r, ret);
    if (take(r, "\"params\""))
        return take_colon(r, SEEN_PARAMS) && read_params(r, ret);
    return false;
}

/* ---- all of it ------------------------------------------------------------------------------------------- */

static bool read_members(struct reader *r, struct request *ret)
{
    if (!take_byte(r, '{'))
        return false;
    do {
        if (!read_member(r, ret))
            return false;
    } while (take_byte(r, ','));
    if (!take_byte(r, '}'))
        return false;
    skip_space(r);
    return r->p == r->end && (r->seen & (SEEN_VERSION | SEEN_METHOD)) == (SEEN_VERSION | SEEN_METHOD);
}

bool request_read(const char *text, size_t byte_count, const struct mw_json_limits *limits, struct request *ret)
{
    struct reader r = {.p = text, .end = byte_count ? text + byte_count : text, .limits = limits};

    if (limits->depth < 2 || limits->keys < 4 || limits->tokens < OUTER_TOKENS + 1 + REQUEST_NAMES)
        return false; /* whether it is within such limits is not looked at here */
    ret->method = NULL;
    ret->id = ret->params = mw_null();
    ret->has_id = ret->has_params = ret->has_names = false;
    ret->name_count = 0;
    if (read_members(&r, ret))
        return true;
    request_clear(ret);
    return false;
}

void request_clear(struct request *request)
{
    release_names(request);
    mw_release(request->params);
    mw_release(request->id);
}
