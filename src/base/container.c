/* Blocks of lists and maps: they grow, and are copied when somebody else holds them too. And the lists themselves.
 * Not how maps find their keys; that is map.c. Not how they compare or print; that is equal.c and print.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base_priv.h"
#include "base/build.h"
#include "base/memory.h"

enum { FIRST_CAPACITY = 4 };
/* Entry numbers of a map fit its index, and sizes never overflow. */
static const size_t most_values = (size_t)1 << 31;

static size_t items_bytes(size_t capacity)
{
    return sizeof(struct items_block) + capacity * sizeof(mw_value);
}

struct items_block *items_new(size_t capacity)
{
    struct items_block *block = capacity <= most_values ? mw_alloc(items_bytes(capacity)) : NULL;

    if (!block)
        return NULL;
    atomic_init(&block->head.references, 1);
    block->count = 0;
    block->capacity = capacity;
    block->index = NULL;
    return block;
}

static int index_copy(const struct map_index *old, struct map_index **ret)
{
    size_t bytes;

    if (!old)
        return 0;
    bytes = sizeof(*old) + (old->mask + 1) * sizeof(old->slots[0]);
    *ret = mw_alloc(bytes);
    if (!*ret)
        return -ENOMEM;
    memcpy(*ret, old, bytes);
    return 0;
}

/* The content of a block that others hold too, in one of our own: this level only. */
static int items_copy(mw_value *container, size_t capacity)
{
    const struct items_block *old = container->as.heap; /* shared, so there is one */
    struct items_block *copy = items_new(capacity);

    if (!copy || index_copy(old->index, &copy->index) < 0) {
        mw_free(copy);
        return -ENOMEM;
    }
    for (size_t i = 0; i < old->count; i++)
        copy->values[i] = mw_share(old->values[i]);
    copy->count = old->count;
    mw_release(*container);
    *container = value_of_block(copy, mw_kind_of(*container));
    return 0;
}

int items_own(mw_value *container, size_t more)
{
    struct items_block *block = items_of(*container);
    size_t have = block ? block->capacity : 0, want = (block ? block->count : 0) + more;
    bool is_shared = block && block_is_shared(&block->head);

    if (!is_shared && want <= have)
        return 0;
    if (want > have) {
        size_t doubled = have < FIRST_CAPACITY ? FIRST_CAPACITY : have * 2;

        want = want < doubled ? doubled : want;
    }
    if (is_shared)
        return items_copy(container, want);
    if (want > most_values)
        return -ENOMEM;
    if (block) {
        block = mw_resize(block, items_bytes(want));
        if (block)
            block->capacity = want;
    } else {
        block = items_new(want);
    }
    if (!block)
        return -ENOMEM;
    *container = value_of_block(block, mw_kind_of(*container));
    return 0;
}

/* ---- lists ---------------------------------------------------------------------------------------- */
mw_value mw_list_new(void)
{
    return mw_value_of_words(0, MW_LIST);
}

size_t mw_list_count(mw_value list)
{
    return list.kind == MW_LIST ? items_count(list) : 0;
}

const mw_value *mw_list_at(mw_value list, size_t index)
{
    return index < mw_list_count(list) ? &items_of(list)->values[index] : NULL;
}

int mw_list_append(mw_value *list, mw_value takes)
{
    struct items_block *block;
    int err = list->kind != MW_LIST ? -EINVAL : takes.kind == MW_MISSING ? -ENOMEM : items_own(list, 1);

    if (err < 0) {
        mw_release(takes);
        return err;
    }
    block = list->as.heap; /* with room, so there is one */
    block->values[block->count++] = takes;
    return 0;
}

int mw_list_of_values(const mw_value *takes, size_t count, mw_value *ret)
{
    struct items_block *block;

    if (count == 0) {
        *ret = mw_list_new();
        return 0;
    }
    block = items_new(count);
    if (!block)
        return -ENOMEM;
    memcpy(block->values, takes, count * sizeof(mw_value));
    block->count = count;
    *ret = value_of_block(block, MW_LIST);
    return 0;
}
