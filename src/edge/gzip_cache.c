/* A map from files to their gzipped bytes; what was asked for longest ago goes first.
 * Not gzip itself; that is codec/deflate.h. Read next: answer_files.c.
 * SPDX-License-Identifier: MIT */
#include "edge/gzip_cache.h"

#include <errno.h>
#include <string.h>

#include "base/list.h"
#include "base/memory.h"
#include "codec/deflate.h"

#define SECOND_NS INT64_C(1000000000)
enum { BUCKETS = 256 };

struct entry {
    struct mw_link bucket, used; /* of cache.buckets and cache.used */
    uint64_t device;
    char etag[FILE_ETAG_BYTES];
    size_t cost;                 /* bytes that keeping it takes */
    mw_value bytes;              /* null: the file does not shrink */
};

struct gzip_cache {
    size_t limit_bytes;
    uint64_t *evicted;
    struct gzip_stats stats;
    int64_t second_ns; /* when the second began that spent_bytes counts */
    size_t spent_bytes;
    struct mw_list used; /* of all entries, the one asked for last at the end */
    struct mw_list buckets[BUCKETS];
};

int gzip_cache_open(size_t limit_bytes, uint64_t *evicted, struct gzip_cache **ret)
{
    struct gzip_cache *cache = mw_alloc_zeroed(1, sizeof *cache);
    size_t i;

    if (!cache)
        return -ENOMEM;
    cache->limit_bytes = limit_bytes;
    cache->evicted = evicted;
    cache->second_ns = INT64_MIN / 2;
    mw_list_init(&cache->used);
    for (i = 0; i < BUCKETS; i++)
        mw_list_init(&cache->buckets[i]);
    *ret = cache;
    return 0;
}

static void entry_drop(struct gzip_cache *cache, struct entry *entry)
{
    cache->stats.bytes -= entry->cost;
    cache->stats.files--;
    mw_link_remove(&entry->bucket);
    mw_link_remove(&entry->used);
    mw_release(entry->bytes);
    mw_free(entry);
}

static struct entry *oldest(struct gzip_cache *cache)
{
    return MW_CONTAINER_OF(cache->used.head.next, struct entry, used);
}

void gzip_cache_free(struct gzip_cache *cache)
{
    if (!cache)
        return;
    while (!mw_list_is_empty(&cache->used))
        entry_drop(cache, oldest(cache));
    mw_free(cache);
}

struct gzip_stats gzip_cache_stats(const struct gzip_cache *cache)
{
    return cache ? cache->stats : (struct gzip_stats){.bytes = 0};
}

/* FNV-1a. Whoever could choose tags so that they collide has the files, and the bound is small. */
static struct mw_list *bucket_for(struct gzip_cache *cache, const char *etag)
{
    uint32_t hash = 2166136261U;

    for (; *etag; etag++)
        hash = (hash ^ (uint8_t)*etag) * 16777619U;
    return &cache->buckets[hash % BUCKETS];
}

static struct entry *find(struct gzip_cache *cache, const struct file *file)
{
    struct mw_list *bucket = bucket_for(cache, file->etag);
    struct mw_link *at;

    for (at = bucket->head.next; at != &bucket->head; at = at->next) {
        struct entry *entry = MW_CONTAINER_OF(at, struct entry, bucket);

        if (entry->device == file->device && strcmp(entry->etag, file->etag) == 0) {
            mw_link_remove(&entry->used);
            mw_list_push_back(&cache->used, &entry->used);
            return entry;
        }
    }
    return NULL;
}

/* takes bytes, also where there is no room */
static void keep(struct gzip_cache *cache, const struct file *file, mw_value takes_bytes)
{
    struct entry *entry = mw_alloc_zeroed(1, sizeof *entry);
    size_t count = 0;

    (void)mw_get_text(&takes_bytes, &count);
    if (!entry || sizeof *entry + count > cache->limit_bytes) {
        mw_free(entry);
        mw_release(takes_bytes);
        return;
    }
    entry->device = file->device;
    memcpy(entry->etag, file->etag, sizeof entry->etag);
    entry->cost = sizeof *entry + count;
    entry->bytes = takes_bytes;
    while (cache->stats.bytes + entry->cost > cache->limit_bytes) {
        entry_drop(cache, oldest(cache));
        ++*cache->evicted;
    }
    cache->stats.bytes += entry->cost;
    cache->stats.files++;
    mw_list_push_back(bucket_for(cache, entry->etag), &entry->bucket);
    mw_list_push_back(&cache->used, &entry->used);
}

/* 0; -EMSGSIZE: it would not shrink by an eighth; -ENOMEM. ret: owned bytes, else null or MW_MISSING */
static int pack(const void *plain, size_t count, mw_value *ret)
{
    struct mw_buffer packed;
    int err;

    mw_buffer_init(&packed, count - count / 8);
    err = gzip_write(plain, count, &packed);
    *ret = err == 0 ? mw_bytes(packed.data, packed.count) : mw_null();
    mw_buffer_clear(&packed);
    return err == 0 && mw_kind_of(*ret) != MW_BYTES ? -ENOMEM : err;
}

/* Read and compress. false: it could not be read, or memory ran out. ret: bytes, or null where they would not shrink */
static bool make(const struct file *file, mw_value *ret)
{
    size_t count = (size_t)file->byte_count;
    uint8_t *plain = mw_alloc(count);
    int err = -ENOMEM;

    *ret = mw_null();
    if (plain && file_read(file, 0, count, plain))
        err = pack(plain, count, ret);
    mw_free(plain);
    return err == 0 || err == -EMSGSIZE;
}

/* Whether the second that now_ns lies in has room for so much work. */
static bool may_spend(struct gzip_cache *cache, uint64_t byte_count, int64_t now_ns)
{
    if (now_ns - cache->second_ns >= SECOND_NS) {
        cache->second_ns = now_ns;
        cache->spent_bytes = 0;
    }
    if (byte_count > GZIP_BYTES_PER_S - cache->spent_bytes)
        return false;
    cache->spent_bytes += (size_t)byte_count;
    return true;
}

bool gzip_cache_get(struct gzip_cache *cache, const struct file *file, int64_t now_ns, mw_value *ret)
{
    const struct entry *entry = find(cache, file);
    mw_value bytes;

    if (entry) {
        *ret = mw_share(entry->bytes);
        return mw_kind_of(*ret) == MW_BYTES;
    }
    if (!may_spend(cache, file->byte_count, now_ns) || !make(file, &bytes))
        return false;
    cache->stats.made++;
    *ret = mw_share(bytes);
    keep(cache, file, bytes);
    return mw_kind_of(*ret) == MW_BYTES;
}

bool gzip_cache_pack(struct gzip_cache *cache, const void *bytes, size_t byte_count, int64_t now_ns, mw_value *ret)
{
    if (!may_spend(cache, byte_count, now_ns) || pack(bytes, byte_count, ret) < 0)
        return false;
    cache->stats.bodies++;
    return true;
}
