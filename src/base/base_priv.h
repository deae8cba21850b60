/* What the files of base share: the blocks behind values.
 * Nobody else looks inside a value; include/meshwork/value.h is for that. Read next: value.c.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_BASE_PRIV_H
#define BASE_BASE_PRIV_H

#include <meshwork/value.h>
#include <stdatomic.h>

enum { SHORT_TEXT_BYTES = 13 };

/* Head of every heap block of a value; the kind is in the values that refer to it. */
struct value_block {
    _Atomic size_t references;
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

/* Where the keys of a large map are: open addressing, linear probing, at most three quarters full. */
struct map_index {
    size_t mask;      /* slots less one; their number is a power of two */
    uint64_t slots[]; /* the upper half of the key's hash, then entry number + 1; 0: free */
};
/* MW_LIST: the elements. MW_MAP: key, value, key, value ... in the order in which the keys came.
 * An empty container that never held anything has no block. */
struct items_block {
    struct value_block head;
    size_t count; /* values, keys included */
    union {
        size_t capacity;         /* of values */
        struct items_block *next; /* while it waits to be freed: see value_bury */
    };
    struct map_index *index; /* NULL for lists and small maps */
    mw_value values[];
};

static inline mw_value value_missing(void)
{
    return mw_value_of_words(0, MW_MISSING);
}
static inline mw_value value_of_block(void *block, enum mw_kind kind)
{
    mw_value v;

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && UINTPTR_MAX == UINT64_MAX
    const uint64_t words[2] = {(uint64_t)(uintptr_t)block, (uint64_t)kind << 56 | UINT64_C(1) << 48};

    memcpy(&v, words, sizeof(v)); /* assembled in registers: see mw_value_of_words */
#else
    v = mw_value_of_words(0, kind);
    v.as.heap = block;
    v.is_heap = 1;
#endif
    return v;
}
/* The caller has looked at the kind. NULL: empty. */
static inline struct items_block *items_of(mw_value v)
{
    return v.is_heap ? v.as.heap : NULL;
}
static inline size_t items_count(mw_value v)
{
    return v.is_heap ? ((struct items_block *)v.as.heap)->count : 0;
}
static inline bool block_is_shared(struct value_block *block)
{
    return atomic_load_explicit(&block->references, memory_order_acquire) > 1;
}

/* A block for that many values, none in it yet, with one reference; NULL: out of memory. */
struct items_block *items_new(size_t capacity);
/* Make *container the only reference to a block with room for more values. 0; -ENOMEM with the content as it was. */
int items_own(mw_value *container, size_t more);

/* Whether two texts are the same. Short and heap text never are: the length decides which one it is. */
bool text_is_same(const mw_value *a, const mw_value *b);

#endif
