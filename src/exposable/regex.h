/* Regular expressions of policies: PCRE2 with limits, so that none is slow, none grows, and an error is seen.
 * Not what a match means; that is policy.c. Read next: regex.c.
 * SPDX-License-Identifier: MIT */
#ifndef EXPOSABLE_REGEX_H
#define EXPOSABLE_REGEX_H

#include <meshwork/base.h>

#define REGEX_BYTES 512 /* longest pattern */

struct regex;

/* Compile a pattern, without its slashes: UTF-8, searched within a name, case-sensitive.
 * returns  0; -EINVAL with a reason that follows the pattern: no regex, longer than 512 bytes, or one that looks back more
 *          than a character or refers back, which no limit keeps fast; -ENOMEM
 * ret      returned owned: regex_free; afterwards it may be matched by many threads at once */
int regex_new(const char *pattern, size_t pattern_bytes, struct regex **ret, struct mw_error *ret_error);
void regex_free(struct regex *regex); /* accepts NULL */
/* Search it within a name. 1 found, 0 not; negative: a limit (20,000 steps), no UTF-8, or no memory: whoever asks denies. */
int regex_match(const struct regex *regex, const char *name, size_t name_bytes);

#endif
