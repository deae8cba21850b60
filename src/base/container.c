/* Lists and maps: arrays that grow, copied when somebody else holds them too.
 * Not how they compare or print; that is equal.c and print.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base_priv.h"
#include "base/hash.h"
#include "base/memory.h"

enum {
    FIRST_CAPACITY = 4,
    SMALL_MAP = 8, /* up to this many keys are looked for one by one */
    MOST_ENTRIES = 1 << 30,
};

mw_value mw_list_new(void)
{
    struct list_block *list = value_block_new(MW_LIST, sizeof(*list));

    if (!list)
        return value_missing();
    list->count = list->capacity = 0;
    list->items = NULL;
    return value_of_block(&list->head);
}

mw_value mw_map_new(void)
{
    struct map_block *map = value_block_new(MW_MAP, sizeof(*map));

    if (!map)
        return value_missing();
    map->count = map->capacity = map->index_capacity = 0;
    map->entries = NULL;
    map->index = NULL;
    return value_of_block(&map->head);
}

void container_free(struct value_block *block)
{
    if (block->kind == MW_LIST) {
        mw_free(((struct list_block *)block)->items);
    } else {
        mw_free(((struct map_block *)block)->entries);
        mw_free(((struct map_block *)block)->index);
    }
}

static bool container_is_shared(const struct value_block *block)
{
    return atomic_load_explicit(&block->references, memory_order_acquire) > 1;
}

/* Make room for one more element. *array and *capacity are untouched on failure. */
static int container_grow(void **array, size_t *capacity, size_t count, size_t element_bytes)
{
    size_t wanted = *capacity ? *capacity * 2 : FIRST_CAPACITY, bytes;
    void *grown;

    if (count < *capacity)
        return 0;
    if (count >= MOST_ENTRIES || !mw_multiply_size(wanted, element_bytes, &bytes))
        return -ENOMEM;
    grown = mw_resize(*array, bytes);
    if (!grown)
        return -ENOMEM;
    *array = grown;
    *capacity = wanted;
    return 0;
}

/* ---- lists ---------------------------------------------------------------------------------------- */
size_t mw_list_count(mw_value list)
{
    return list.kind == MW_LIST ? list_of(list)->count : 0;
}

const mw_value *mw_list_at(mw_value list, size_t index)
{
    return index < mw_list_count(list) ? &list_of(list)->items[index] : NULL;
}

/* Make *list the only reference to its block. */
static int list_own(mw_value *list)
{
    struct list_block *old = list_of(*list), *copy;
    mw_value fresh;

    if (!container_is_shared(&old->head))
        return 0;
    fresh = mw_list_new();
    if (fresh.kind == MW_MISSING)
        return -ENOMEM;
    copy = list_of(fresh);
    if (old->count > 0) {
        copy->items = mw_alloc(old->count * sizeof(mw_value));
        if (!copy->items) {
            mw_release(fresh);
            return -ENOMEM;
        }
        copy->capacity = copy->count = old->count;
        for (size_t i = 0; i < old->count; i++)
            copy->items[i] = mw_share(old->items[i]);
    }
    mw_release(*list);
    *list = fresh;
    return 0;
}

int mw_list_append(mw_value *list, mw_value takes)
{
    struct list_block *block;
    int err = list->kind != MW_LIST ? -EINVAL : takes.kind == MW_MISSING ? -ENOMEM : list_own(list);
    void *items;

    if (err < 0)
        goto out;
    block = list_of(*list);
    items = block->items;
    err = container_grow(&items, &block->capacity, block->count, sizeof(mw_value));
    if (err < 0)
        goto out;
    block->items = items;
    block->items[block->count++] = takes;
    return 0;
out:
    mw_release(takes);
    return err;
}

/* ---- maps ------------------------------------------------------------------------------------------- */
static bool map_key_is(const struct map_entry *entry, const char *key, size_t key_bytes)
{
    size_t count;
    const char *text = mw_get_text(&entry->key, &count);

    return count == key_bytes && memcmp(text, key, key_bytes) == 0;
}

/* The slot of the index that holds this key, or the free one where it belongs. */
static size_t map_slot(const struct map_block *map, const char *key, size_t key_bytes)
{
    size_t slot = mw_hash(key, key_bytes) & (map->index_capacity - 1);

    while (map->index[slot] && !map_key_is(&map->entries[map->index[slot] - 1], key, key_bytes))
        slot = (slot + 1) & (map->index_capacity - 1);
    return slot;
}

/* The entry's place, or -1. */
static int64_t map_find(const struct map_block *map, const char *key, size_t key_bytes)
{
    if (map->index)
        return (int64_t)map->index[map_slot(map, key, key_bytes)] - 1;
    for (size_t i = 0; i < map->count; i++)
        if (map_key_is(&map->entries[i], key, key_bytes))
            return (int64_t)i;
    return -1;
}

static void map_fill_index(struct map_block *map)
{
    memset(map->index, 0, map->index_capacity * sizeof(*map->index));
    for (size_t i = 0; i < map->count; i++) {
        size_t count;
        const char *text = mw_get_text(&map->entries[i].key, &count);

        map->index[map_slot(map, text, count)] = (uint32_t)(i + 1);
    }
}

/* Keep the index at most half full, for one key more than there are. */
static int map_grow_index(struct map_block *map)
{
    size_t capacity = map->index_capacity ? map->index_capacity : (size_t)SMALL_MAP * 2;
    uint32_t *index;

    if (map->count < SMALL_MAP || (map->index && (map->count + 1) * 2 <= map->index_capacity))
        return 0;
    while ((map->count + 1) * 2 > capacity)
        capacity *= 2;
    index = mw_alloc(capacity * sizeof(*index));
    if (!index)
        return -ENOMEM;
    mw_free(map->index);
    map->index = index;
    map->index_capacity = capacity;
    map_fill_index(map);
    return 0;
}

size_t mw_map_count(mw_value map)
{
    return map.kind == MW_MAP ? map_of(map)->count : 0;
}

const mw_value *mw_map_get_n(mw_value map, const char *key, size_t key_bytes)
{
    int64_t at = map.kind == MW_MAP ? map_find(map_of(map), key, key_bytes) : -1;

    return at < 0 ? NULL : &map_of(map)->entries[at].value;
}

const mw_value *mw_map_get(mw_value map, const char *key)
{
    return mw_map_get_n(map, key, strlen(key));
}

const mw_value *mw_map_at(mw_value map, size_t index, const mw_value **ret_key)
{
    if (index >= mw_map_count(map))
        return NULL;
    if (ret_key)
        *ret_key = &map_of(map)->entries[index].key;
    return &map_of(map)->entries[index].value;
}

static int map_own(mw_value *map)
{
    struct map_block *old = map_of(*map), *copy;
    mw_value fresh;
    int err;

    if (!container_is_shared(&old->head))
        return 0;
    fresh = mw_map_new();
    if (fresh.kind == MW_MISSING)
        return -ENOMEM;
    copy = map_of(fresh);
    if (old->count > 0) {
        copy->entries = mw_alloc(old->count * sizeof(*copy->entries));
        if (!copy->entries) {
            mw_release(fresh);
            return -ENOMEM;
        }
        copy->capacity = copy->count = old->count;
        for (size_t i = 0; i < old->count; i++) {
            copy->entries[i].key = mw_share(old->entries[i].key);
            copy->entries[i].value = mw_share(old->entries[i].value);
        }
    }
    err = map_grow_index(copy);
    if (err < 0) {
        mw_release(fresh);
        return err;
    }
    mw_release(*map);
    *map = fresh;
    return 0;
}

static int map_add(struct map_block *map, const char *key, size_t key_bytes, mw_value value)
{
    mw_value key_value = mw_text_n(key, key_bytes);
    void *entries = map->entries;
    int err = key_value.kind == MW_MISSING ? -ENOMEM : map_grow_index(map);

    if (err == 0)
        err = container_grow(&entries, &map->capacity, map->count, sizeof(*map->entries));
    map->entries = entries;
    if (err < 0) {
        mw_release(key_value);
        return err;
    }
    if (map->index)
        map->index[map_slot(map, key, key_bytes)] = (uint32_t)(map->count + 1);
    map->entries[map->count++] = (struct map_entry){.key = key_value, .value = value};
    return 0;
}

int mw_map_set_n(mw_value *map, const char *key, size_t key_bytes, mw_value takes)
{
    int err = map->kind != MW_MAP ? -EINVAL : takes.kind == MW_MISSING ? -ENOMEM : map_own(map);
    int64_t at;

    if (err < 0)
        goto out;
    at = map_find(map_of(*map), key, key_bytes);
    if (at >= 0) {
        mw_value *place = &map_of(*map)->entries[at].value;
        mw_value old = *place;

        *place = takes;
        mw_release(old);
        return 0;
    }
    err = map_add(map_of(*map), key, key_bytes, takes);
    if (err == 0)
        return 0;
out:
    mw_release(takes);
    return err;
}

int mw_map_set(mw_value *map, const char *key, mw_value takes)
{
    return mw_map_set_n(map, key, strlen(key), takes);
}

int mw_map_remove(mw_value *map, const char *key)
{
    struct map_block *block;
    struct map_entry gone;
    int64_t at;
    int err;

    if (map->kind != MW_MAP)
        return -EINVAL;
    if (map_find(map_of(*map), key, strlen(key)) < 0)
        return -ENOENT;
    err = map_own(map);
    if (err < 0)
        return err;
    block = map_of(*map);
    at = map_find(block, key, strlen(key));
    gone = block->entries[at];
    memmove(&block->entries[at], &block->entries[at + 1],
            (block->count - (size_t)at - 1) * sizeof(*block->entries));
    block->count--;
    if (block->index)
        map_fill_index(block);
    mw_release(gone.key);
    mw_release(gone.value);
    return 0;
}
