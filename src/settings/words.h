/* What people write in settings: numbers with suffixes, yes and no, and the nearest of the words they may have meant.
 * Not which settings there are; those are in settings.h.
 * SPDX-License-Identifier: MIT */
#ifndef SETTINGS_WORDS_H
#define SETTINGS_WORDS_H

#include <meshwork/base.h>

/* A decimal integer, nothing around it; with takes_suffix one of K M G (1024, 1024^2, 1024^3, either case) may end
 * it. returns 0; -EINVAL no such number; -ERANGE beyond int64_t */
int words_number(const char *text, bool takes_suffix, int64_t *ret);

/* yes, no, on, off, true, false, 1, 0. returns 0; -EINVAL another word */
int words_flag(const char *text, bool *ret);

/* How many letters have to be added, dropped, changed or swapped to make one word of the other; '-' and '_' are the
 * same, and so are a and A. Words longer than 64 bytes are as far apart as can be. */
size_t words_distance(const char *a, const char *b);

/* The same word but for '-' and '_'. */
bool words_match(const char *a, const char *b);

#endif
