/* The one way to memory: counted, able to fail on demand, bounded arithmetic.
 * Not pools of stacks; those are in coroutine/. Read next: buffer.h.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <meshwork/base.h>

/* Allocate, uninitialised (filled with a pattern in checked builds). NULL: out of memory. 0 bytes gives a block. */
MW_EXPORT void *mw_alloc(size_t bytes);
/* The same at an address that is a multiple of a power of two. */
void *mw_alloc_aligned(size_t alignment, size_t bytes);
/* Zeroed bytes, a power of two of them from 4,096 up, at a multiple of their number, straight from the kernel: for pools that give whole pieces back.
 * NULL: out of memory */
void *mw_map_aligned(size_t bytes);
void mw_unmap(void *mapping, size_t bytes);
/* Allocate count * size zeroed bytes; NULL also when the product overflows. */
MW_EXPORT void *mw_alloc_zeroed(size_t count, size_t size);
/* As realloc; on failure the old block stays. */
MW_EXPORT void *mw_resize(void *block, size_t bytes);
MW_EXPORT void mw_free(void *block); /* accepts NULL */
MW_EXPORT char *mw_copy_text(const char *borrows); /* of a C string; NULL: out of memory, or NULL given */

/* Tests: let the n-th allocation from now on fail (1: the next), on this thread; with for_ever all after it too.
 * 0 turns it off. returns how many allocations were made since the last call. */
MW_EXPORT int64_t mw_memory_fail_at(int64_t n, bool for_ever);

/* Sums and products of sizes from outside. true: it fits, and *ret is set. */
static inline bool mw_add_size(size_t a, size_t b, size_t *ret)
{
    return !__builtin_add_overflow(a, b, ret);
}
static inline bool mw_multiply_size(size_t a, size_t b, size_t *ret)
{
    return !__builtin_mul_overflow(a, b, ret);
}

#endif
