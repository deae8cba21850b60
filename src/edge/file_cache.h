/* Small files held in memory, and names that are no file: what was found a moment ago is not looked for again.
 * Not their gzipped forms; those are in gzip_cache.h. Read next: file_cache.c.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_FILE_CACHE_H
#define EDGE_FILE_CACHE_H

#include "edge/files.h"

struct file_cache;

struct file_cache_limits {
    size_t bytes;      /* of all that is kept, with what keeping takes; an eighth of it for names that are no file */
    size_t file_bytes; /* of one file: a larger one is opened each time */
    int64_t fresh_ns;  /* how long what was found is believed; 0: never, but its bytes are kept */
    uint64_t *evicted; /* counts here the files that are dropped for another's sake */
};
/* 0, -ENOMEM */
int file_cache_open(const struct file_cache_limits *limits, struct file_cache **ret);
void file_cache_free(struct file_cache *cache); /* accepts NULL */

/* As file_open, but ret->bytes may be there instead of ret->fd. Whatever was found longer ago than fresh_ns is opened
 * anew, with all that file_open refuses, and its bytes are kept on only where it is the same file, unchanged.
 *
 * cache   NULL: that is file_open
 * ret     the caller's: file_close
 * returns as file_open; that there is no such file is remembered too */
int file_cache_find(struct file_cache *cache, const struct edge_place *place, int64_t now_ns, struct file *ret);

struct file_cache_stats {
    size_t files, missing, bytes; /* kept now; missing: names that are no file */
    uint64_t found;               /* answered without a look at the folder */
    uint64_t checked;             /* found longer ago, looked at and unchanged */
    uint64_t too_large;           /* not kept: larger than file_bytes */
};
struct file_cache_stats file_cache_stats(const struct file_cache *cache); /* NULL: none */

#endif
