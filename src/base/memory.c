/* Allocation: counted, failing on demand, filled with a pattern in checked builds.
 * Not pools; each room keeps its own. Read next: buffer.c.
 * SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Shared by all threads; relaxed, because nothing is ordered by them. */
static struct {
    _Atomic int64_t live_bytes, allocations, frees;
} memory_counters;

/* The test hook, per thread so that tests in parallel threads do not meet. */
static _Thread_local struct {
    int64_t until_failure; /* 1: the next fails; 0: off */
    int64_t count;
    bool is_for_ever, has_failed;
} memory_faults;

static bool memory_must_fail(void)
{
    memory_faults.count++;
    if (memory_faults.until_failure == 0)
        return false;
    if (memory_faults.has_failed)
        return memory_faults.is_for_ever;
    if (--memory_faults.until_failure > 0)
        return false;
    memory_faults.has_failed = true;
    memory_faults.until_failure = memory_faults.is_for_ever; /* stays on, or goes off */
    return true;
}

static void *memory_note_new(void *block)
{
    if (!block)
        return NULL;
    atomic_fetch_add_explicit(&memory_counters.live_bytes, (int64_t)malloc_usable_size(block),
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&memory_counters.allocations, 1, memory_order_relaxed);
    return block;
}

void *mw_alloc(size_t bytes)
{
    void *block;

    if (memory_must_fail())
        return NULL;
    block = malloc(bytes ? bytes : 1);
#ifdef MW_CHECKED
    if (block)
        memset(block, 0xa5, bytes);
#endif
    return memory_note_new(block);
}

void *mw_alloc_zeroed(size_t count, size_t size)
{
    if (memory_must_fail())
        return NULL;
    return memory_note_new(calloc(count ? count : 1, size ? size : 1));
}

void *mw_resize(void *block, size_t bytes)
{
    int64_t before;
    void *moved;

    if (!block)
        return mw_alloc(bytes);
    if (memory_must_fail())
        return NULL;
    before = (int64_t)malloc_usable_size(block);
    moved = realloc(block, bytes ? bytes : 1);
    if (!moved)
        return NULL;
    atomic_fetch_add_explicit(&memory_counters.live_bytes, (int64_t)malloc_usable_size(moved) - before,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&memory_counters.allocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&memory_counters.frees, 1, memory_order_relaxed);
    return moved;
}

void mw_free(void *block)
{
    if (!block)
        return;
    atomic_fetch_sub_explicit(&memory_counters.live_bytes, (int64_t)malloc_usable_size(block),
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&memory_counters.frees, 1, memory_order_relaxed);
    free(block);
}

char *mw_copy_text(const char *borrows)
{
    size_t bytes;
    char *copy;

    if (!borrows)
        return NULL;
    bytes = strlen(borrows) + 1;
    copy = mw_alloc(bytes);
    if (copy)
        memcpy(copy, borrows, bytes);
    return copy;
}

int64_t mw_memory_fail_at(int64_t n, bool for_ever)
{
    int64_t count = memory_faults.count;

    memory_faults.until_failure = n;
    memory_faults.is_for_ever = for_ever;
    memory_faults.has_failed = false;
    memory_faults.count = 0;
    return count;
}

struct mw_memory_stats mw_memory_stats(void)
{
    struct mw_memory_stats stats;

    stats.live_bytes = atomic_load_explicit(&memory_counters.live_bytes, memory_order_relaxed);
    stats.allocations = atomic_load_explicit(&memory_counters.allocations, memory_order_relaxed);
    stats.live_blocks = stats.allocations - atomic_load_explicit(&memory_counters.frees, memory_order_relaxed);
    return stats;
}
