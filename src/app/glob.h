/* Globs of attribute names: "motor.*", "valve[1-4]".
 * Not regexes; those are exposable's. Read next: glob.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_GLOB_H
#define APP_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a name is one: it has a '*' or a '['. */
bool glob_is(const char *text, size_t byte_count);
/* Whether a glob is about a name, all of it. '*' is any run of bytes, also none, also with dots; "[a-c]" one of a set, "[!a-c]" one that is
 * not; a '[' that nothing closes is itself. Takes at most pattern_bytes * name_bytes steps. */
bool glob_matches(const char *pattern, size_t pattern_bytes, const char *name, size_t name_bytes);

#endif
