/* The edge's limits: the table, and setting one by name.
 * Not what happens when one is reached; that is where it is reached. Read next: edge.c.
 * SPDX-License-Identifier: MIT */
#include "edge/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct edge_limit_info limit_table[EDGE_LIMIT_COUNT] = {
#define X(id, name, value, least, most, then) [EDGE_LIMIT_##id] = {name, value, least, most, then},
    EDGE_LIMITS(X)
#undef X
};

const struct edge_limit_info *edge_limit_info(enum edge_limit limit)
{
    return &limit_table[limit];
}

void edge_limits_init(struct edge_limits *limits)
{
    size_t i;

    *limits = (struct edge_limits){.value = {0}};
    for (i = 0; i < EDGE_LIMIT_COUNT; i++)
        limits->value[i] = limit_table[i].value;
}

int edge_limit_find(const char *name)
{
    int i;

    for (i = 0; i < EDGE_LIMIT_COUNT; i++) {
        if (strcmp(limit_table[i].name, name) == 0)
            return i;
    }
    return -ENOENT;
}

int edge_limit_set(struct edge_limits *limits, const char *name, uint64_t value, struct mw_error *ret_error)
{
    int i = edge_limit_find(name);

    if (i < 0)
        return mw_fail(ret_error, -ENOENT, "limit '%s': there is no such limit", name);
    if (value < limit_table[i].least || value > limit_table[i].most)
        return mw_fail(ret_error, -ERANGE, "limit '%s': %" PRIu64 " is not within %" PRIu64 " to %" PRIu64,
                       name, value, limit_table[i].least, limit_table[i].most);
    limits->value[i] = value;
    return 0;
}

/* 0, or -EINVAL: not digits with at most one suffix, or past 64 bits. */
static int parse_count(const char *text, uint64_t *ret)
{
    static const char suffixes[] = "KMG";
    const char *suffix;
    uint64_t n = 0;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(n, 10U, &n) || __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
            return -EINVAL;
    }
    if (*text) {
        suffix = strchr(suffixes, *text >= 'a' ? *text - 'a' + 'A' : *text);
        if (!suffix || text[1] ||
            __builtin_mul_overflow(n, UINT64_C(1) << (10 * (suffix - suffixes + 1)), &n))
            return -EINVAL;
    }
    *ret = n;
    return 0;
}

int edge_limit_parse(struct edge_limits *limits, const char *name, const char *text,
                     struct mw_error *ret_error)
{
    uint64_t value;

    if (edge_limit_find(name) < 0)
        return mw_fail(ret_error, -ENOENT, "limit '%s': there is no such limit", name);
    if (parse_count(text, &value) < 0)
        return mw_fail(ret_error, -EINVAL, "limit '%s': '%s' is no number (digits, then perhaps K, M or G)",
                       name, text);
    return edge_limit_set(limits, name, value, ret_error);
}
