/* mw_json_parse that also says which limit was reached, for those who count.
 * SPDX-License-Identifier: MIT */
#ifndef CODEC_JSON_LIMIT_H
#define CODEC_JSON_LIMIT_H

#include <meshwork/json.h>

enum json_limit { JSON_LIMIT_DEPTH, JSON_LIMIT_TOKENS, JSON_LIMIT_KEYS, JSON_LIMIT_LENGTH /* of a key or a number */ };

/* ret_limit  set where the result is -EMSGSIZE; NULL: nobody counts */
int json_parse(const char *text, size_t byte_count, const struct mw_json_limits *limits, mw_value *ret, enum json_limit *ret_limit,
               struct mw_error *ret_error);

#endif
