/* Globs of attribute names: "motor.*", "valve[1-4]".
 * Not regexes; those are exposable's. Read next: glob.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_GLOB_H
#define APP_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a name is one: it has a '*' or a '['. */
bool glob_is(const char *text, size_t byte_count);
/* Whether a glob is about a name, all of it. '*' is any run of bytes, also none, also with dots; "[a-c]" one of a set, "[!a-c]" one that is
 * not; a '[' that nothing closes is itself. Takes at most pattern_bytes * name_bytes steps. */
bool glob_matches(const char *pattern, size_t pattern_bytes, const char *name, size_t name_bytes);

/* A glob that is to be compared with many names. */
struct glob {
    const char *text; /* borrowed */
    size_t byte_count;
    uint64_t needs;   /* bytes that a name must have, as glob_bytes has them */
};
void glob_init(struct glob *g, const char *borrows, size_t byte_count);
/* Which bytes are in a name: a bit for each, of those that differ by 64 the same one. */
uint64_t glob_bytes(const char *name, size_t name_bytes);
/* As glob_matches. bytes: glob_bytes of the name, by which most names are told apart without a look at them */
static inline bool glob_takes(const struct glob *g, const char *name, size_t name_bytes, uint64_t bytes)
{
    return (g->needs & ~bytes) == 0 && glob_matches(g->text, g->byte_count, name, name_bytes);
}

#endif
