/* What the files of the JSON parser share: its state, and how a failure is noted.
 * SPDX-License-Identifier: MIT */
#ifndef CODEC_JSON_PRIV_H
#define CODEC_JSON_PRIV_H

#include <errno.h>

#include "codec/json_limit.h"

enum { JSON_DEPTH_MOST = 64, JSON_FEW_VALUES = 16 };

struct json_parser {
    const char *start, *p, *end;
    struct mw_json_limits limits;
    size_t tokens; /* values and keys so far */
    size_t depth;  /* open lists and maps */
    uint64_t maps; /* a bit per open level, the innermost lowest: it is a map */
    /* Values that have no container yet: those of the outermost open one first. */
    mw_value *values;
    size_t count, capacity;
    bool is_member; /* something may follow the value */
    enum json_limit limit; /* that was reached, where that is the failure */
    const char *reason; /* of the failure */
    const char *reason_at;
    uint32_t first[JSON_DEPTH_MOST]; /* per open level: where its values begin */
    mw_value few[JSON_FEW_VALUES];
};

/* Note why and where; returns code. */
static inline int json_fail(struct json_parser *j, int code, const char *reason, const char *at)
{
    j->reason = reason;
    j->reason_at = at;
    return code;
}

/* The same of a limit that was reached. */
static inline int json_exceed(struct json_parser *j, enum json_limit limit, const char *reason, const char *at)
{
    j->limit = limit;
    return json_fail(j, -EMSGSIZE, reason, at);
}

/* A string begins at p (its quote); p is moved behind it. ret: text, returned owned. 0, -EPROTO, -ENOMEM. */
int json_string(struct json_parser *j, mw_value *ret);
/* A number begins at p (a digit or a minus). 0, -EPROTO, -EMSGSIZE. */
int json_number(struct json_parser *j, mw_value *ret);

#endif
