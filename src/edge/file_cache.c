/* A map from places to what lies there: a file's bytes, or nothing. What was asked for longest ago goes first.
 * Not how a file is opened, and what refuses it; that is files.c. Read next: answer_files.c.
 * SPDX-License-Identifier: MIT */
#include "edge/file_cache.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"

enum { KEY_BYTES = 8192, BYTES_PER_BUCKET = 4096, BUCKETS_LEAST = 64, BUCKETS_MOST = 65536, MISSING_SHARE = 8 };

struct entry {
    struct mw_link bucket, used; /* of cache.buckets and of one of cache.used */
    uint64_t hash;
    int64_t checked_ns;          /* when it was looked at last */
    struct file file;            /* fd is -1; bytes null: there is no such file */
    size_t cost;                 /* bytes that keeping it takes */
    size_t key_count;
    char key[];                  /* see key_of */
};

/* Files and names that are none are kept apart: whoever asks for many names that do not exist drives out no file. */
struct kept {
    struct mw_list used; /* the one asked for last at the end */
    size_t bytes, count, bytes_most;
};

struct file_cache {
    struct file_cache_limits limits;
    struct file_cache_stats stats;
    struct kept files, missing;
    size_t bucket_mask;
    char key[KEY_BYTES]; /* scratch */
    struct mw_list buckets[];
};

/* ---- life -------------------------------------------------------------------------------------------- */
static size_t buckets_for(size_t limit_bytes)
{
    size_t count = BUCKETS_LEAST;

    while (count < BUCKETS_MOST && count * BYTES_PER_BUCKET < limit_bytes)
        count *= 2;
    return count;
}

int file_cache_open(const struct file_cache_limits *limits, struct file_cache **ret)
{
    size_t count = buckets_for(limits->bytes), i;
    struct file_cache *cache = mw_alloc_zeroed(1, sizeof *cache + count * sizeof cache->buckets[0]);

    if (!cache)
        return -ENOMEM;
    cache->limits = *limits;
    cache->missing.bytes_most = limits->bytes / MISSING_SHARE;
    cache->files.bytes_most = limits->bytes - cache->missing.bytes_most;
    cache->bucket_mask = count - 1;
    mw_list_init(&cache->files.used);
    mw_list_init(&cache->missing.used);
    for (i = 0; i < count; i++)
        mw_list_init(&cache->buckets[i]);
    *ret = cache;
    return 0;
}

static bool entry_is_file(const struct entry *entry)
{
    return mw_kind_of(entry->file.bytes) == MW_BYTES;
}

static struct kept *kept_with(struct file_cache *cache, const struct entry *entry)
{
    return entry_is_file(entry) ? &cache->files : &cache->missing;
}

static void entry_drop(struct file_cache *cache, struct entry *entry)
{
    struct kept *kept = kept_with(cache, entry);

    kept->bytes -= entry->cost;
    kept->count--;
    mw_link_remove(&entry->bucket);
    mw_link_remove(&entry->used);
    mw_release(entry->file.bytes);
    mw_free(entry);
}

static void drop_oldest(struct file_cache *cache, struct kept *kept)
{
    entry_drop(cache, MW_CONTAINER_OF(kept->used.head.next, struct entry, used));
}

void file_cache_free(struct file_cache *cache)
{
    if (!cache)
        return;
    while (cache->files.count > 0)
        drop_oldest(cache, &cache->files);
    while (cache->missing.count > 0)
        drop_oldest(cache, &cache->missing);
    mw_free(cache);
}

struct file_cache_stats file_cache_stats(const struct file_cache *cache)
{
    struct file_cache_stats stats = {.files = 0};

    if (!cache)
        return stats;
    stats = cache->stats;
    stats.files = cache->files.count;
    stats.missing = cache->missing.count;
    stats.bytes = cache->files.bytes + cache->missing.bytes;
    return stats;
}

/* ---- finding ----------------------------------------------------------------------------------------- */
/* The directory's descriptor, the folder and the path, into cache.key. 0: too long to be kept */
static size_t key_of(struct file_cache *cache, const struct edge_place *place)
{
    size_t folder_count = place->folder ? strlen(place->folder) + 1 : 0, path_count = strlen(place->path);
    size_t at = sizeof place->root_fd;

    if (folder_count > KEY_BYTES / 4 || path_count > KEY_BYTES / 2)
        return 0;
    memcpy(cache->key, &place->root_fd, at);
    cache->key[at++] = place->folder ? '/' : '.';
    if (folder_count > 0)
        memcpy(cache->key + at, place->folder, folder_count); /* with its terminator */
    at += folder_count;
    memcpy(cache->key + at, place->path, path_count);
    return at + path_count;
}

static struct mw_list *bucket_for(struct file_cache *cache, uint64_t hash)
{
    return &cache->buckets[hash & cache->bucket_mask];
}

static struct entry *find(struct file_cache *cache, uint64_t hash, size_t key_count)
{
    struct mw_list *bucket = bucket_for(cache, hash);
    struct mw_link *at;

    for (at = bucket->head.next; at != &bucket->head; at = at->next) {
        struct entry *entry = MW_CONTAINER_OF(at, struct entry, bucket);

        if (entry->hash == hash && entry->key_count == key_count && memcmp(entry->key, cache->key, key_count) == 0)
            return entry;
    }
    return NULL;
}

/* What an entry says, as the one that was asked for last. */
static int entry_give(struct file_cache *cache, struct entry *entry, struct file *ret)
{
    mw_link_remove(&entry->used);
    mw_list_push_back(&kept_with(cache, entry)->used, &entry->used);
    if (!entry_is_file(entry))
        return -ENOENT;
    *ret = entry->file;
    (void)mw_share(ret->bytes);
    return 0;
}

/* ---- keeping ----------------------------------------------------------------------------------------- */
/* Keep a file with its bytes, or without: that there is none. Not where there is no room or no memory for it. */
static void keep(struct file_cache *cache, uint64_t hash, size_t key_count, const struct file *file, int64_t now_ns)
{
    struct entry *entry = mw_alloc_zeroed(1, sizeof *entry + key_count);
    struct kept *kept;
    size_t count = 0;

    if (!entry)
        return;
    entry->file.bytes = mw_null();
    if (file) {
        entry->file = *file;
        (void)mw_share(file->bytes);
        (void)mw_get_text(&file->bytes, &count);
    }
    kept = kept_with(cache, entry);
    entry->hash = hash;
    entry->checked_ns = now_ns;
    entry->cost = sizeof *entry + key_count + count;
    entry->key_count = key_count;
    memcpy(entry->key, cache->key, key_count);
    if (entry->cost > kept->bytes_most) {
        mw_release(entry->file.bytes);
        mw_free(entry);
        return;
    }
    while (kept->bytes + entry->cost > kept->bytes_most) {
        drop_oldest(cache, kept);
        *cache->limits.evicted += file != NULL;
    }
    kept->bytes += entry->cost;
    kept->count++;
    mw_list_push_back(bucket_for(cache, hash), &entry->bucket);
    mw_list_push_back(&kept->used, &entry->used);
}

/* The same file, and nobody has written to it: the time of its last change of any kind cannot be set by a program. */
static bool is_unchanged(const struct entry *entry, const struct file *file)
{
    return entry_is_file(entry) && entry->file.device == file->device && entry->file.changed_ns == file->changed_ns &&
           strcmp(entry->file.etag, file->etag) == 0;
}

int file_cache_find(struct file_cache *cache, const struct edge_place *place, int64_t now_ns, struct file *ret)
{
    size_t key_count = cache ? key_of(cache, place) : 0;
    uint64_t hash;
    struct entry *entry;
    int err;

    if (key_count == 0)
        return file_open(place, ret);
    hash = mw_hash(cache->key, key_count);
    entry = find(cache, hash, key_count);
    if (entry && now_ns - entry->checked_ns < cache->limits.fresh_ns) {
        cache->stats.found++;
        return entry_give(cache, entry, ret);
    }
    err = file_open(place, ret);
    if (entry && err == 0 && is_unchanged(entry, ret)) {
        file_close(ret);
        cache->stats.checked++;
        entry->checked_ns = now_ns;
        return entry_give(cache, entry, ret);
    }
    if (entry)
        entry_drop(cache, entry);
    if (err == -ENOENT) {
        keep(cache, hash, key_count, NULL, now_ns);
    } else if (err == 0 && ret->byte_count > cache->limits.file_bytes) {
        cache->stats.too_large++;
    } else if (err == 0 && file_is_settled(ret) && file_load(ret)) {
        keep(cache, hash, key_count, ret, now_ns);
    }
    return err;
}
