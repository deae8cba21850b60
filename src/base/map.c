/* Maps: keys in the order in which they came, found one by one while they are few, by hash when they are many.
 * Not how their blocks grow; that is container.c. Read next: equal.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base_priv.h"
#include "base/build.h"
#include "base/hash.h"
#include "base/memory.h"

enum {
    SMALL_MAP = 8, /* up to this many keys are looked for one by one */
    NO_ENTRY = -1,
};

/* A key that is looked for. */
struct map_key {
    const char *text;
    size_t byte_count;
    mw_value short_text; /* where it is short: two words to compare */
};

static struct map_key map_key(const char *text, size_t byte_count)
{
    struct map_key key = {.text = text, .byte_count = byte_count};

    if (byte_count <= SHORT_TEXT_BYTES)
        key.short_text = mw_short_text(text, byte_count);
    return key;
}

static bool short_is_same(const mw_value *a, const mw_value *b)
{
    uint64_t x[2], y[2];

    memcpy(x, a, sizeof(x));
    memcpy(y, b, sizeof(y));
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

bool text_is_same(const mw_value *a, const mw_value *b)
{
    const struct text_block *x, *y;

    if (!a->is_heap || !b->is_heap)
        return short_is_same(a, b);
    x = a->as.heap;
    y = b->as.heap;
    return x == y || (x->byte_count == y->byte_count && memcmp(x->bytes, y->bytes, x->byte_count) == 0);
}

static bool map_key_is(const mw_value *have, const struct map_key *key)
{
    const struct text_block *block;

    if (key->byte_count <= SHORT_TEXT_BYTES)
        return short_is_same(have, &key->short_text);
    if (!have->is_heap)
        return false;
    block = have->as.heap;
    return block->byte_count == key->byte_count && memcmp(block->bytes, key->text, key->byte_count) == 0;
}

/* ---- the index ---------------------------------------------------------------------------------------- */
/* Half of a hash is enough: it is kept in the slot, so that neither growing nor most misses touch a key. */
static uint32_t map_hash(const char *text, size_t byte_count)
{
    return (uint32_t)(mw_hash(text, byte_count) >> 32);
}

static uint32_t map_hash_of(const mw_value *key)
{
    size_t count;
    const char *text = mw_get_text(key, &count);

    return map_hash(text, count);
}

static void index_put(struct map_index *index, uint32_t hash, size_t entry)
{
    size_t slot = hash & index->mask;

    while (index->slots[slot])
        slot = (slot + 1) & index->mask;
    index->slots[slot] = (uint64_t)hash << 32 | (uint32_t)(entry + 1);
}

static struct map_index *index_new(size_t entries)
{
    size_t slots = 16;
    struct map_index *index;

    while (slots / 4 * 3 < entries)
        slots *= 2;
    index = mw_alloc_zeroed(1, sizeof(*index) + slots * sizeof(index->slots[0]));
    if (index)
        index->mask = slots - 1;
    return index;
}

/* Make the index fit for one entry more than the map has. 0; -ENOMEM with the index as it was. */
static int index_make_room(struct items_block *map)
{
    size_t entries = map->count / 2 + 1;
    struct map_index *old = map->index, *index;

    if (entries <= SMALL_MAP || (old && entries <= (old->mask + 1) / 4 * 3))
        return 0;
    index = index_new(entries);
    if (!index)
        return -ENOMEM;
    if (old) {
        for (size_t slot = 0; slot <= old->mask; slot++)
            if (old->slots[slot])
                index_put(index, (uint32_t)(old->slots[slot] >> 32), (uint32_t)old->slots[slot] - 1);
    } else {
        for (size_t i = 0; i < map->count; i += 2)
            index_put(index, map_hash_of(&map->values[i]), i / 2);
    }
    mw_free(old);
    map->index = index;
    return 0;
}

static int64_t index_slot_of(const struct items_block *map, const struct map_key *key)
{
    const struct map_index *index = map->index;
    uint32_t hash = map_hash(key->text, key->byte_count);
    size_t slot = hash & index->mask;

    for (; index->slots[slot]; slot = (slot + 1) & index->mask) {
        size_t entry = (uint32_t)index->slots[slot] - 1;

        if (index->slots[slot] >> 32 == hash && map_key_is(&map->values[2 * entry], key))
            return (int64_t)slot;
    }
    return NO_ENTRY;
}

/* Take a slot out; what had to step over it moves up. Then the entries behind the one that goes have other numbers. */
static void index_remove(struct map_index *index, size_t slot)
{
    uint32_t gone = (uint32_t)index->slots[slot];
    size_t hole = slot;

    for (size_t next = (hole + 1) & index->mask; index->slots[next]; next = (next + 1) & index->mask) {
        size_t home = (index->slots[next] >> 32) & index->mask;

        if (((next - home) & index->mask) >= ((next - hole) & index->mask)) {
            index->slots[hole] = index->slots[next];
            hole = next;
        }
    }
    index->slots[hole] = 0;
    for (slot = 0; slot <= index->mask; slot++)
        index->slots[slot] -= (uint32_t)index->slots[slot] > gone;
}

/* ---- finding -------------------------------------------------------------------------------------------- */
/* The entry's number, or NO_ENTRY. */
static int64_t map_find(const struct items_block *map, const struct map_key *key)
{
    if (!map)
        return NO_ENTRY;
    if (map->index) {
        int64_t slot = index_slot_of(map, key);

        return slot < 0 ? NO_ENTRY : (int64_t)(uint32_t)map->index->slots[slot] - 1;
    }
    for (size_t i = 0; i < map->count; i += 2)
        if (map_key_is(&map->values[i], key))
            return (int64_t)(i / 2);
    return NO_ENTRY;
}

mw_value mw_map_new(void)
{
    return mw_value_of_words(0, MW_MAP);
}

size_t mw_map_count(mw_value map)
{
    return map.kind == MW_MAP ? items_count(map) / 2 : 0;
}

const mw_value *mw_map_get_n(mw_value map, const char *key, size_t key_bytes)
{
    struct map_key wanted;
    int64_t entry;

    if (map.kind != MW_MAP || !map.is_heap)
        return NULL;
    wanted = map_key(key, key_bytes);
    entry = map_find(items_of(map), &wanted);
    return entry < 0 ? NULL : &items_of(map)->values[2 * entry + 1];
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
        *ret_key = &items_of(map)->values[2 * index];
    return &items_of(map)->values[2 * index + 1];
}

/* ---- changing --------------------------------------------------------------------------------------------- */
static int map_replace(mw_value *map, size_t entry, mw_value value)
{
    mw_value *place, old;
    int err = items_own(map, 0);

    if (err < 0)
        return err;
    place = &((struct items_block *)map->as.heap)->values[2 * entry + 1];
    old = *place;
    *place = value;
    mw_release(old);
    return 0;
}

static int map_add(mw_value *map, const struct map_key *key, mw_value value)
{
    mw_value key_value = mw_text_n(key->text, key->byte_count);
    int err = key_value.kind == MW_MISSING ? -ENOMEM : items_own(map, 2);
    struct items_block *block;

    if (err == 0)
        err = index_make_room(map->as.heap);
    if (err < 0) {
        mw_release(key_value);
        return err;
    }
    block = map->as.heap;
    if (block->index)
        index_put(block->index, map_hash(key->text, key->byte_count), block->count / 2);
    block->values[block->count++] = key_value;
    block->values[block->count++] = value;
    return 0;
}

int mw_map_set_n(mw_value *map, const char *key, size_t key_bytes, mw_value takes)
{
    int err = map->kind != MW_MAP ? -EINVAL : takes.kind == MW_MISSING ? -ENOMEM : 0;

    if (err == 0) {
        struct map_key wanted = map_key(key, key_bytes);
        int64_t entry = map_find(items_of(*map), &wanted);

        err = entry < 0 ? map_add(map, &wanted, takes) : map_replace(map, (size_t)entry, takes);
    }
    if (err < 0)
        mw_release(takes);
    return err;
}

int mw_map_set(mw_value *map, const char *key, mw_value takes)
{
    return mw_map_set_n(map, key, strlen(key), takes);
}

int mw_map_remove_n(mw_value *map, const char *key, size_t key_bytes)
{
    struct map_key wanted = map_key(key, key_bytes);
    struct items_block *block;
    mw_value *gone, gone_key, gone_value;
    int64_t entry;
    int err;

    if (map->kind != MW_MAP)
        return -EINVAL;
    entry = map_find(items_of(*map), &wanted);
    if (entry < 0)
        return -ENOENT;
    err = items_own(map, 0);
    if (err < 0)
        return err;
    block = map->as.heap;
    if (block->index)
        index_remove(block->index, (size_t)index_slot_of(block, &wanted));
    gone = &block->values[2 * entry];
    gone_key = gone[0];
    gone_value = gone[1];
    block->count -= 2;
    memmove(gone, gone + 2, (block->count - 2 * (size_t)entry) * sizeof(mw_value));
    mw_release(gone_key);
    mw_release(gone_value);
    return 0;
}

int mw_map_remove(mw_value *map, const char *key)
{
    return mw_map_remove_n(map, key, strlen(key));
}

/* ---- from a row of pairs ------------------------------------------------------------------------------------ */
/* The entry that has this key already, or NO_ENTRY. */
static int64_t map_find_value(const struct items_block *map, const mw_value *key, uint32_t hash)
{
    const struct map_index *index = map->index;

    if (!index) {
        for (size_t i = 0; i < map->count; i += 2)
            if (short_is_same(&map->values[i], key) || (key->is_heap && text_is_same(&map->values[i], key)))
                return (int64_t)(i / 2);
        return NO_ENTRY;
    }
    for (size_t slot = hash & index->mask; index->slots[slot]; slot = (slot + 1) & index->mask) {
        size_t entry = (uint32_t)index->slots[slot] - 1;

        if (index->slots[slot] >> 32 == hash && text_is_same(&map->values[2 * entry], key))
            return (int64_t)entry;
    }
    return NO_ENTRY;
}

int mw_map_of_pairs(const mw_value *takes, size_t count, mw_value *ret)
{
    struct items_block *block;

    if (count == 0) {
        *ret = mw_map_new();
        return 0;
    }
    block = items_new(count);
    if (block && count / 2 > SMALL_MAP)
        block->index = index_new(count / 2);
    if (!block || (count / 2 > SMALL_MAP && !block->index)) {
        mw_free(block);
        return -ENOMEM;
    }
    /* From here on nothing fails: the values change hands one by one. */
    for (size_t i = 0; i + 1 < count; i += 2) {
        uint32_t hash = block->index ? map_hash_of(&takes[i]) : 0;
        int64_t entry = map_find_value(block, &takes[i], hash);

        if (entry >= 0) {
            mw_release(takes[i]);
            mw_release(block->values[2 * entry + 1]);
            block->values[2 * entry + 1] = takes[i + 1];
            continue;
        }
        if (block->index)
            index_put(block->index, hash, block->count / 2);
        block->values[block->count++] = takes[i];
        block->values[block->count++] = takes[i + 1];
    }
    *ret = value_of_block(block, MW_MAP);
    return 0;
}
