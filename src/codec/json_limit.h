/* mw_json_parse that also says which limit was reached, for those who count; and of one member alone.
 * SPDX-License-Identifier: MIT */
#ifndef CODEC_JSON_LIMIT_H
#define CODEC_JSON_LIMIT_H

#include <meshwork/json.h>

enum json_limit { JSON_LIMIT_DEPTH, JSON_LIMIT_TOKENS, JSON_LIMIT_KEYS, JSON_LIMIT_LENGTH /* of a key or a number */ };

/* ret_limit  set where the result is -EMSGSIZE; NULL: nobody counts */
int json_parse(const char *text, size_t byte_count, const struct mw_json_limits *limits, mw_value *ret, enum json_limit *ret_limit,
               struct mw_error *ret_error);

/* One value inside an object, with something behind it.
 * before   values and keys that count already: at least the object and this value's key
 * ret_end  behind the value, and behind white space
 * returns  as json_parse; what is wrong is not explained: parse the whole text for that */
int json_parse_member(const char *text, size_t byte_count, const struct mw_json_limits *limits, size_t before, mw_value *ret,
                      const char **ret_end);

#endif
