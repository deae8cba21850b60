/* JSON text to mw_value (RFC 8259), in one pass, without recursion, within limits.
 * Not strings and numbers; those are in json_scalar.c. Not printing; that is base/print.c, and mw_json_print at the
 * end only calls it. Read next: include/meshwork/json.h.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <meshwork/json.h>
#include <string.h>

#include "base/build.h"
#include "base/memory.h"
#include "base/print.h"
#include "base/real.h"
#include "codec/json_priv.h"

enum {
    TOKENS_DEFAULT = 65536,
    KEYS_DEFAULT = 4096,
    KEY_BYTES_DEFAULT = 256,
    NUMBER_BYTES_DEFAULT = 256,
    PRINT_BYTES_MOST = 256 * 1024 * 1024,
};

static const char out_of_memory[] = "out of memory", ends_too_early[] = "ends too early";

/* ---- values without a container yet ----------------------------------------------------------------------- */
static int json_grow(struct json_parser *j)
{
    bool is_few = j->values == j->few;
    mw_value *grown = mw_resize(is_few ? NULL : j->values, j->capacity * 2 * sizeof(*grown));

    if (!grown)
        return json_fail(j, -ENOMEM, out_of_memory, j->p);
    if (is_few)
        memcpy(grown, j->few, sizeof(j->few));
    j->values = grown;
    j->capacity *= 2;
    return 0;
}

/* Where the next value goes; it counts once count is raised. Written in place: a value that passes through a local
 * is loaded back before its stores have reached the cache. NULL: out of memory, which is noted. */
static inline mw_value *json_slot(struct json_parser *j)
{
    return j->count == j->capacity && json_grow(j) < 0 ? NULL : &j->values[j->count];
}

/* ---- structure -------------------------------------------------------------------------------------------- */
static inline void json_skip_space(struct json_parser *j)
{
    const char *p = j->p;

    while (p < j->end && (uint8_t)*p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    j->p = p;
}

static int json_count_token(struct json_parser *j)
{
    if (j->tokens == j->limits.tokens)
        return json_exceed(j, JSON_LIMIT_TOKENS, "too many values", j->p);
    j->tokens++;
    return 0;
}

/* A key and its colon. */
static int json_key(struct json_parser *j)
{
    const char *at;
    mw_value *key;
    size_t count;
    int err;

    json_skip_space(j);
    at = j->p;
    if (at == j->end)
        return json_fail(j, -EPROTO, ends_too_early, at);
    if (*at != '"')
        return json_fail(j, -EPROTO, "no string as key", at);
    err = json_count_token(j);
    if (err < 0)
        return err;
    if ((j->count - j->first[j->depth - 1]) / 2 == j->limits.keys)
        return json_exceed(j, JSON_LIMIT_KEYS, "too many keys in an object", at);
    key = json_slot(j);
    if (!key)
        return -ENOMEM;
    err = json_string(j, key);
    if (err < 0)
        return err;
    j->count++;
    /* Between the quotes it is no shorter than without its escapes. */
    if ((size_t)(j->p - at) - 2 > j->limits.key_bytes && mw_get_text(key, &count) && count > j->limits.key_bytes)
        return json_exceed(j, JSON_LIMIT_LENGTH, "key too long", at);
    json_skip_space(j);
    if (j->p == j->end || *j->p != ':')
        return json_fail(j, -EPROTO, "no ':' after a key", j->p);
    j->p++;
    return 0;
}

/* A list or map begins. returns 0: and ends, being empty; 1: a value is to come */
static int json_open(struct json_parser *j, bool is_map, mw_value *slot)
{
    int err;

    if (j->depth == j->limits.depth)
        return json_exceed(j, JSON_LIMIT_DEPTH, "nested too deep", j->p);
    j->p++;
    json_skip_space(j);
    if (j->p < j->end && *j->p == (is_map ? '}' : ']')) {
        j->p++;
        j->count++;
        *slot = mw_value_of_words(0, is_map ? MW_MAP : MW_LIST);
        return 0;
    }
    j->first[j->depth++] = (uint32_t)j->count;
    j->maps = j->maps << 1 | is_map;
    err = is_map ? json_key(j) : 0;
    return err < 0 ? err : 1;
}

/* The innermost list or map ends: its values become one. */
static int json_close(struct json_parser *j)
{
    size_t first = j->first[j->depth - 1];
    const mw_value *values = j->values + first;
    mw_value whole;
    int err = j->maps & 1 ? mw_map_of_pairs(values, j->count - first, &whole)
                          : mw_list_of_values(values, j->count - first, &whole);

    if (err < 0)
        return json_fail(j, err, out_of_memory, j->p);
    j->p++;
    j->depth--;
    j->maps >>= 1;
    j->values[first] = whole; /* it had at least one value, so there is room */
    j->count = first + 1;
    return 0;
}

static inline int json_word(struct json_parser *j, const char *word, size_t byte_count)
{
    if ((size_t)(j->end - j->p) < byte_count || memcmp(j->p, word, byte_count) != 0)
        return json_fail(j, -EPROTO, "no JSON value", j->p);
    j->p += byte_count;
    return 0;
}

/* A value without parts. */
static inline int json_scalar(struct json_parser *j, mw_value *ret)
{
    switch (*j->p) {
    case '"':
        return json_string(j, ret);
    case 't':
        *ret = mw_bool(true);
        return json_word(j, "true", 4);
    case 'f':
        *ret = mw_bool(false);
        return json_word(j, "false", 5);
    case 'n':
        *ret = mw_null();
        return json_word(j, "null", 4);
    default:
        if (*j->p == '-' || (*j->p >= '0' && *j->p <= '9'))
            return json_number(j, ret);
        return json_fail(j, -EPROTO, "no JSON value", j->p);
    }
}

/* A value. returns 0: it is whole; 1: a list or map has begun, and a value is to come */
static int json_value(struct json_parser *j)
{
    mw_value *slot;
    int err;

    json_skip_space(j);
    if (j->p == j->end)
        return json_fail(j, -EPROTO, ends_too_early, j->p);
    err = json_count_token(j);
    if (err < 0)
        return err;
    slot = json_slot(j);
    if (!slot)
        return -ENOMEM;
    if (*j->p == '{' || *j->p == '[')
        return json_open(j, *j->p == '{', slot);
    err = json_scalar(j, slot);
    j->count += err == 0;
    return err;
}

/* Behind a value: commas and ends. returns 0: the text ends; 1: a value is to come */
static int json_after_value(struct json_parser *j)
{
    for (;;) {
        bool is_map = j->maps & 1;
        int err;

        json_skip_space(j);
        if (j->depth == 0)
            return j->p == j->end || j->is_member ? 0 : json_fail(j, -EPROTO, "something after the value", j->p);
        if (j->p == j->end)
            return json_fail(j, -EPROTO, ends_too_early, j->p);
        if (*j->p == ',') {
            j->p++;
            err = is_map ? json_key(j) : 0;
            return err < 0 ? err : 1;
        }
        if (*j->p != (is_map ? '}' : ']'))
            return json_fail(j, -EPROTO, is_map ? "no ',' or '}' after a value" : "no ',' or ']' after a value", j->p);
        err = json_close(j);
        if (err < 0)
            return err;
    }
}

/* ---- all together ----------------------------------------------------------------------------------------- */
static int json_explain(const struct json_parser *j, int err, struct mw_error *ret_error)
{
    int line = 1, column = 1;

    if (!ret_error)
        return err;
    for (const char *p = j->start; p < j->reason_at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    (void)mw_fail(ret_error, err, "JSON: %s at line %d, column %d", j->reason, line, column); /* err, which we have */
    ret_error->line = line;
    ret_error->column = column;
    return err;
}

static size_t json_limit(size_t asked, size_t by_default, size_t most)
{
    size_t limit = asked ? asked : by_default;

    return limit > most ? most : limit;
}

static void json_set_limits(struct mw_json_limits *l, const struct mw_json_limits *asked)
{
    const struct mw_json_limits none = {0};

    asked = asked ? asked : &none;
    l->depth = json_limit(asked->depth, JSON_DEPTH_MOST, JSON_DEPTH_MOST);
    l->tokens = json_limit(asked->tokens, TOKENS_DEFAULT, UINT32_MAX);
    l->keys = json_limit(asked->keys, KEYS_DEFAULT, SIZE_MAX);
    l->key_bytes = json_limit(asked->key_bytes, KEY_BYTES_DEFAULT, SIZE_MAX);
    l->number_bytes = json_limit(asked->number_bytes, NUMBER_BYTES_DEFAULT, MW_REAL_TEXT_BYTES);
}

static inline void json_begin(struct json_parser *j, const char *text, size_t byte_count, const struct mw_json_limits *limits)
{
    j->start = j->p = text;
    j->end = byte_count ? text + byte_count : text;
    j->tokens = j->depth = j->count = 0;
    j->maps = 0;
    j->is_member = false;
    j->reason = NULL;
    j->reason_at = text;
    j->values = j->few;
    j->capacity = JSON_FEW_VALUES;
    json_set_limits(&j->limits, limits);
}

/* From the first byte to the last. 0 with *ret; or why not, with nothing left behind */
static int json_run(struct json_parser *j, mw_value *ret)
{
    int more;

    do {
        more = json_value(j);
        if (more == 0)
            more = json_after_value(j);
    } while (more > 0);
    if (more == 0) {
        *ret = j->values[0];
    } else {
        while (j->count > 0)
            mw_release(j->values[--j->count]);
    }
    if (j->values != j->few)
        mw_free(j->values);
    return more;
}

int json_parse(const char *text, size_t byte_count, const struct mw_json_limits *limits, mw_value *ret, enum json_limit *ret_limit,
               struct mw_error *ret_error)
{
    struct json_parser j MW_UNINITIALIZED; /* all but its arrays is set by json_begin */
    int err;

    json_begin(&j, text, byte_count, limits);
    err = json_run(&j, ret);
    if (err == -EMSGSIZE && ret_limit)
        *ret_limit = j.limit;
    return err < 0 ? json_explain(&j, err, ret_error) : 0;
}

int json_parse_member(const char *text, size_t byte_count, const struct mw_json_limits *limits, size_t before, mw_value *ret,
                      const char **ret_end)
{
    struct json_parser j MW_UNINITIALIZED;
    int err;

    json_begin(&j, text, byte_count, limits);
    j.is_member = true;
    j.limits.depth--; /* the object it is in */
    if (before > j.limits.tokens)
        return -EMSGSIZE;
    j.tokens = before;
    err = json_run(&j, ret);
    *ret_end = j.p;
    return err;
}

int mw_json_parse(const char *text, size_t byte_count, const struct mw_json_limits *limits, mw_value *ret, struct mw_error *ret_error)
{
    return json_parse(text, byte_count, limits, ret, NULL, ret_error);
}

mw_value mw_json_print(mw_value borrows)
{
    struct mw_buffer b;
    mw_value v = mw_null();

    mw_buffer_init(&b, PRINT_BYTES_MOST);
    if (mw_print_json(&b, borrows) == 0)
        v = mw_text_n((const char *)b.data, b.count);
    else
        v.kind = MW_MISSING;
    mw_buffer_clear(&b);
    return v;
}
