/* Files compressed as they are first asked for, kept in memory within a bound.
 * Not whether a file is worth it; that is answer_files.c. Read next: gzip_cache.c.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_GZIP_CACHE_H
#define EDGE_GZIP_CACHE_H

#include <meshwork/value.h>

#include "edge/files.h"

struct gzip_cache;
/* limit_bytes  of all that is kept, with what keeping takes
 * evicted      counts here the files that are dropped for another's sake
 * returns 0, -ENOMEM */
int gzip_cache_open(size_t limit_bytes, uint64_t *evicted, struct gzip_cache **ret);
void gzip_cache_free(struct gzip_cache *cache); /* accepts NULL */

/* The gzipped content of a file that is open or in memory: kept from before, or made now. Files are told apart by device and tag, so one that
 * changes is another.
 *
 * now_ns  bounds what is made: GZIP_BYTES_PER_S of files
 * ret     returned owned: bytes
 * returns false: send the file as it is. It would not become smaller by an eighth (which is remembered), it cannot be read,
 *         too much was compressed within this second, or memory ran out */
bool gzip_cache_get(struct gzip_cache *cache, const struct file *file, int64_t now_ns, mw_value *ret);
/* The same for bytes that are made for one answer: compressed within the same bound, and not kept. */
bool gzip_cache_pack(struct gzip_cache *cache, const void *bytes, size_t byte_count, int64_t now_ns, mw_value *ret);
enum { GZIP_BYTES_PER_S = 4 << 20 };

struct gzip_stats {
    size_t bytes, files; /* kept now */
    uint64_t made;       /* files compressed */
    uint64_t bodies;     /* answers compressed that are no files */
};
struct gzip_stats gzip_cache_stats(const struct gzip_cache *cache); /* NULL: none */

#endif
