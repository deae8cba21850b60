/* Allocation: the counters, the failure on demand and the fill of checked builds around libc's malloc.
 * Not growing bytes; those are buffer.c. Read next: buffer.c.
 * SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef MW_CHECKED
#define MEMORY_IS_FILLED true
#else
#define MEMORY_IS_FILLED false
#endif

enum {
    MEMORY_SLOTS = 64,
    MEMORY_FRESH = 0xa5, /* what a block holds before it is written */
    MEMORY_FREED = 0xdd,
};

/* Counters of one thread, on a cache line of their own. A thread that frees what another allocated goes
 * below zero; only the sums mean something. */
struct memory_slot {
    _Alignas(64) _Atomic int64_t live_bytes;
    _Atomic int64_t live_blocks;
    _Atomic int64_t allocations;
};

/* The first threads have a slot each and add without a locked instruction; all later ones share the last. */
static struct memory_slot memory_slots[MEMORY_SLOTS];
static _Atomic unsigned memory_slots_used;

struct memory_thread {
    struct memory_slot *slot;
    int64_t since;   /* allocations since the last mw_memory_fail_at */
    int64_t fail_in; /* 0: not at all; 1: the next one */
    bool fail_for_ever;
};
static _Thread_local __attribute__((tls_model("initial-exec"))) struct memory_thread memory_thread;

static struct memory_slot *memory_slot(void)
{
    struct memory_thread *me = &memory_thread;

    if (!me->slot) {
        unsigned n = atomic_load_explicit(&memory_slots_used, memory_order_relaxed);

        while (n < MEMORY_SLOTS - 1 && !atomic_compare_exchange_weak_explicit(
                                           &memory_slots_used, &n, n + 1, memory_order_relaxed, memory_order_relaxed))
            ;
        me->slot = &memory_slots[n];
    }
    return me->slot;
}

static void memory_count(int64_t bytes, int64_t blocks, int64_t allocations)
{
    struct memory_slot *s = memory_slot();

    if (s == &memory_slots[MEMORY_SLOTS - 1]) {
        atomic_fetch_add_explicit(&s->live_bytes, bytes, memory_order_relaxed);
        atomic_fetch_add_explicit(&s->live_blocks, blocks, memory_order_relaxed);
        atomic_fetch_add_explicit(&s->allocations, allocations, memory_order_relaxed);
        return;
    }
    /* One writer: a plain add that readers on other threads see whole. */
    atomic_store_explicit(&s->live_bytes, atomic_load_explicit(&s->live_bytes, memory_order_relaxed) + bytes,
                          memory_order_relaxed);
    atomic_store_explicit(&s->live_blocks, atomic_load_explicit(&s->live_blocks, memory_order_relaxed) + blocks,
                          memory_order_relaxed);
    atomic_store_explicit(&s->allocations,
                          atomic_load_explicit(&s->allocations, memory_order_relaxed) + allocations,
                          memory_order_relaxed);
}

/* Whether this request is the one that a test wants to fail. */
static bool memory_fails(void)
{
    struct memory_thread *me = &memory_thread;

    me->since++;
    if (me->fail_in == 0)
        return false;
    if (me->fail_in > 1) {
        me->fail_in--;
        return false;
    }
    if (!me->fail_for_ever)
        me->fail_in = 0;
    return true;
}

static int64_t memory_size(void *block)
{
    return (int64_t)malloc_usable_size(block);
}

void *mw_alloc(size_t bytes)
{
    void *block;

    if (memory_fails())
        return NULL;
    block = malloc(bytes ? bytes : 1);
    if (!block)
        return NULL;
    if (MEMORY_IS_FILLED)
        memset(block, MEMORY_FRESH, bytes);
    memory_count(memory_size(block), 1, 1);
    return block;
}

void *mw_alloc_aligned(size_t alignment, size_t bytes)
{
    void *block = NULL;

    if (memory_fails() || posix_memalign(&block, alignment, bytes ? bytes : 1) != 0)
        return NULL;
    if (MEMORY_IS_FILLED)
        memset(block, MEMORY_FRESH, bytes);
    memory_count(memory_size(block), 1, 1);
    return block;
}

static char *map(size_t bytes)
{
    void *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mapping == MAP_FAILED ? NULL : mapping;
}

void *mw_map_aligned(size_t bytes)
{
    char *mapping, *aligned;
    size_t before;

    if (memory_fails() || (mapping = map(bytes)) == NULL)
        return NULL;
    before = -(uintptr_t)mapping & (bytes - 1);
    if (before > 0) { /* mappings follow one another as a rule: so the next ones lie right at once */
        (void)munmap(mapping, bytes);
        mapping = map(2 * bytes);
        if (!mapping)
            return NULL;
        before = -(uintptr_t)mapping & (bytes - 1);
        aligned = mapping + before;
        if (before > 0)
            (void)munmap(mapping, before);
        (void)munmap(aligned + bytes, bytes - before);
        mapping = aligned;
    }
    memory_count((int64_t)bytes, 1, 1);
    return mapping;
}

void mw_unmap(void *mapping, size_t bytes)
{
    memory_count(-(int64_t)bytes, -1, 0);
    (void)munmap(mapping, bytes);
}

void *mw_alloc_zeroed(size_t count, size_t size)
{
    size_t bytes;
    void *block;

    if (memory_fails() || !mw_multiply_size(count, size, &bytes))
        return NULL;
    block = calloc(1, bytes ? bytes : 1);
    if (block)
        memory_count(memory_size(block), 1, 1);
    return block;
}

void *mw_resize(void *block, size_t bytes)
{
    int64_t before;
    void *moved;

    if (!block)
        return mw_alloc(bytes);
    if (memory_fails())
        return NULL;
    before = memory_size(block);
    moved = realloc(block, bytes ? bytes : 1);
    if (!moved)
        return NULL;
    if (MEMORY_IS_FILLED && (size_t)before < bytes)
        memset((char *)moved + before, MEMORY_FRESH, bytes - (size_t)before);
    memory_count(memory_size(moved) - before, 0, 1);
    return moved;
}

void mw_free(void *block)
{
    int64_t bytes;

    if (!block)
        return;
    bytes = memory_size(block);
    if (MEMORY_IS_FILLED) {
        memset(block, MEMORY_FREED, (size_t)bytes);
        __asm__ volatile("" : : "r"(block) : "memory"); /* or the compiler drops a fill that nobody reads */
    }
    memory_count(-bytes, -1, 0);
    free(block);
}

char *mw_copy_text(const char *text)
{
    size_t bytes;
    char *copy;

    if (!text)
        return NULL;
    bytes = strlen(text) + 1;
    copy = mw_alloc(bytes);
    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}

int64_t mw_memory_fail_at(int64_t n, bool for_ever)
{
    struct memory_thread *me = &memory_thread;
    int64_t since = me->since;

    me->since = 0;
    me->fail_in = n > 0 ? n : 0;
    me->fail_for_ever = for_ever;
    return since;
}

struct mw_memory_stats mw_memory_stats(void)
{
    struct mw_memory_stats sum = {0};

    for (size_t i = 0; i < MEMORY_SLOTS; i++) {
        sum.live_bytes += atomic_load_explicit(&memory_slots[i].live_bytes, memory_order_relaxed);
        sum.live_blocks += atomic_load_explicit(&memory_slots[i].live_blocks, memory_order_relaxed);
        sum.allocations += atomic_load_explicit(&memory_slots[i].allocations, memory_order_relaxed);
    }
    return sum;
}
