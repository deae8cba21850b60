/* Regular expressions of policies: PCRE2 with limits, so that none is slow, none grows, and an error is seen.
 * Not what a match means; that is policy.c. Read next: policy.c.
 * SPDX-License-Identifier: MIT */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "exposable/regex.h"

#include <errno.h>
#include <pcre2.h>
#include <string.h>

#include "base/memory.h"
#include "exposable/name.h"

#define MATCH_STEPS 20000
#define MATCH_DEPTH 1000
#define MATCH_HEAP_KIB 256
#define NESTED_GROUPS 50

struct regex {
    pcre2_code *code;
    pcre2_general_context *memory;
    pcre2_match_context *limits; /* only read by a match */
    size_t prefix_bytes;         /* a name that begins otherwise does not match; 0: not known */
    char prefix[REGEX_BYTES];
};

static void *take_memory(size_t bytes, void *context)
{
    (void)context;
    return mw_alloc(bytes);
}

static void give_memory(void *block, void *context)
{
    (void)context;
    mw_free(block);
}

/* ---- what its text shows ------------------------------------------------------------------------------ */

static bool is_literal(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == ':';
}

/* The literal characters behind a leading ^: most rules have some, and comparing them is cheaper than a search. */
static void find_prefix(struct regex *regex, const char *pattern, size_t pattern_bytes)
{
    size_t at = 1, count = 0, last = 0;

    if (pattern[0] != '^' || memchr(pattern, '|', pattern_bytes))
        return;
    while (at < pattern_bytes) {
        bool is_escaped = pattern[at] == '\\' && at + 1 < pattern_bytes && strchr("./-_:", pattern[at + 1]);

        if (!is_escaped && !is_literal(pattern[at]))
            break;
        last = count;
        regex->prefix[count++] = pattern[at + is_escaped];
        at += 1u + is_escaped;
    }
    /* The character before a quantifier need not be there. */
    regex->prefix_bytes = at < pattern_bytes && strchr("*?{+", pattern[at]) ? last : count;
}

/* ---- make ---------------------------------------------------------------------------------------------- */

static int compile(struct regex *regex, const char *pattern, size_t pattern_bytes, struct mw_error *ret_error)
{
    pcre2_compile_context *context = pcre2_compile_context_create(regex->memory);
    PCRE2_UCHAR said[128];
    PCRE2_SIZE at = 0;
    int code = 0;

    if (!context)
        return mw_fail(ret_error, -ENOMEM, "out of memory");
    (void)pcre2_set_parens_nest_limit(context, NESTED_GROUPS);
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, pattern_bytes,
                                PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY, &code, &at,
                                context);
    pcre2_compile_context_free(context);
    if (regex->code)
        return 0;
    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
        return mw_fail(ret_error, -ENOMEM, "out of memory");
    if (pcre2_get_error_message(code, said, sizeof said) < 0)
        said[0] = '\0';
    return mw_fail(ret_error, -EINVAL, "is no regex: %s, at its byte %zu", (const char *)said, (size_t)at + 1);
}

static int check_features(const struct regex *regex, struct mw_error *ret_error)
{
    uint32_t most_back = 0, lookbehind = 0;

    (void)pcre2_pattern_info(regex->code, PCRE2_INFO_BACKREFMAX, &most_back);      /* neither can fail: */
    (void)pcre2_pattern_info(regex->code, PCRE2_INFO_MAXLOOKBEHIND, &lookbehind); /* the code is there, the questions are known */
    if (most_back > 0)
        return mw_fail(ret_error, -EINVAL, "refers back to a group, which is refused here: it can take very long");
    if (lookbehind > 1)
        return mw_fail(ret_error, -EINVAL, "looks back, which is refused here: say what stands before instead");
    return 0;
}

int regex_new(const char *pattern, size_t pattern_bytes, struct regex **ret, struct mw_error *ret_error)
{
    struct regex *regex;
    int err;

    if (pattern_bytes == 0)
        return mw_fail(ret_error, -EINVAL, "is an empty regex");
    if (pattern_bytes > REGEX_BYTES)
        return mw_fail(ret_error, -EINVAL, "is longer than 512 bytes");
    regex = mw_alloc_zeroed(1, sizeof(*regex));
    if (!regex)
        return mw_fail(ret_error, -ENOMEM, "out of memory");
    regex->memory = pcre2_general_context_create(take_memory, give_memory, NULL);
    regex->limits = regex->memory ? pcre2_match_context_create(regex->memory) : NULL;
    if (regex->limits) {
        (void)pcre2_set_match_limit(regex->limits, MATCH_STEPS); /* these three always give 0 */
        (void)pcre2_set_depth_limit(regex->limits, MATCH_DEPTH);
        (void)pcre2_set_heap_limit(regex->limits, MATCH_HEAP_KIB);
        err = compile(regex, pattern, pattern_bytes, ret_error);
    } else {
        err = mw_fail(ret_error, -ENOMEM, "out of memory");
    }
    if (err == 0)
        err = check_features(regex, ret_error);
    if (err < 0) {
        regex_free(regex);
        return err;
    }
    find_prefix(regex, pattern, pattern_bytes);
    *ret = regex;
    return 0;
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    pcre2_match_context_free(regex->limits);
    pcre2_general_context_free(regex->memory);
    mw_free(regex);
}

/* ---- match --------------------------------------------------------------------------------------------------- */

int regex_match(const struct regex *regex, const char *name, size_t name_bytes)
{
    pcre2_match_data *data;
    int found;

    if (name_bytes < regex->prefix_bytes || memcmp(name, regex->prefix, regex->prefix_bytes) != 0)
        return 0;
    data = pcre2_match_data_create(1, regex->memory);
    if (!data)
        return -ENOMEM;
    found = pcre2_match(regex->code, (PCRE2_SPTR)name, name_bytes, 0, 0, data, regex->limits);
    pcre2_match_data_free(data);
    if (found == PCRE2_ERROR_NOMATCH)
        return 0;
    return found >= 0 ? 1 : found == PCRE2_ERROR_NOMEMORY ? -ENOMEM : -EPROTO;
}
