/* What the files of base share: the blocks behind values.
 * Nobody else looks inside a value; include/meshwork/value.h is for that. Read next: value.c.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_BASE_PRIV_H
#define BASE_BASE_PRIV_H

#include <meshwork/value.h>
#include <stdatomic.h>

enum { SHORT_TEXT_BYTES = 13 };

/* Head of every heap block of a value. */
struct value_block {
    _Atomic size_t references;
    struct value_block *next; /* while it waits to be freed: see value_drop */
    uint8_t kind;
};
struct text_block { /* MW_TEXT and MW_BYTES */
    struct value_block head;
    size_t byte_count;
    char bytes[]; /* and a NUL */
};
struct opaque_block {
    struct value_block head;
    void *pointer;
    void (*release)(void *);
};
struct list_block {
    struct value_block head;
    size_t count, capacity;
    mw_value *items;
};
struct map_entry {
    mw_value key; /* MW_TEXT */
    mw_value value;
};
struct map_block {
    struct value_block head;
    size_t count, capacity;
    struct map_entry *entries; /* in the order in which the keys came */
    uint32_t *index;           /* entry + 1 by hash, open addressing; NULL while the map is small */
    size_t index_capacity;     /* a power of two, more than the count; 0 without an index */
};

static inline mw_value value_of_block(struct value_block *block)
{
    mw_value v = mw_null();

    v.as.heap = block;
    v.is_heap = 1;
    v.kind = block->kind;
    return v;
}
static inline mw_value value_missing(void)
{
    mw_value v = mw_null();

    v.kind = MW_MISSING;
    return v;
}
/* The caller has looked at the kind. */
static inline struct list_block *list_of(mw_value v)
{
    return v.as.heap;
}
static inline struct map_block *map_of(mw_value v)
{
    return v.as.heap;
}

/* Allocate a block with one reference; NULL: out of memory. */
void *value_block_new(enum mw_kind kind, size_t bytes);
/* Free the arrays of a list or map whose elements are gone already. */
void container_free(struct value_block *block);

#endif
