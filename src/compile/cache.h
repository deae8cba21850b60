/* The directory of compiled back ends: ~/.cache/meshwork, private, keyed by content.
 * Not the compiling; that is compile.c. Read next: cache.c.
 * SPDX-License-Identifier: MIT */
#ifndef COMPILE_CACHE_H
#define COMPILE_CACHE_H

#include <meshwork/base.h>

#include "base/buffer.h"

/* Find the cache directory, and make it where it is missing: $XDG_CACHE_HOME/meshwork, else ~/.cache/meshwork. It
 * has mode 0700 and is this user's own: what lies in it is loaded as code.
 * ret_dir  returned owned: mw_free
 * returns  0; -EPERM somebody else could write there; -ENOENT no home; what the kernel said; -ENOMEM */
int cache_open(char **ret_dir, struct mw_error *ret_error);

/* ---- keys ------------------------------------------------------------------------------------------ */
enum { CACHE_KEY_BYTES = 33 }; /* 32 hexadecimal digits and a NUL */

/* SHA-256 over parts, cut to a key. Each part's length goes in, so that no two lists of parts read the same. */
struct cache_digest;
int cache_digest_new(struct cache_digest **ret); /* 0, -ENOMEM */
void cache_digest_free(struct cache_digest *d);  /* accepts NULL */
int cache_digest_text(struct cache_digest *d, const char *text);
/* A file's content. returns 0, or why it cannot be read (-ENOENT) */
int cache_digest_file(struct cache_digest *d, const char *path);
int cache_digest_key(struct cache_digest *d, char ret_key[CACHE_KEY_BYTES]);

/* ---- what a build was made of ------------------------------------------------------------------------ */
/* The list of files that a compiler read, as `cc -MMD` writes it (make's syntax): "x.o: a.c b\ c.h \<newline> d.h".
 * Calls take for each name. Stops at the first that is not 0, and returns it; -EPROTO: not that syntax. */
int cache_each_dependency(const char *rule, int (*take)(void *context, const char *path), void *context);

/* A whole small file. returns 0 (mw_buffer_clear it), -EMSGSIZE, or why it cannot be read */
int cache_read_file(const char *path, size_t limit_bytes, struct mw_buffer *ret);

#endif
