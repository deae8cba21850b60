/* Pools of guarded stacks: chunks of equal stacks are mapped at once, guards are set when a stack is first used.
 * Not what runs on them; that is coroutine.c. Read next: coroutine.c.
 * SPDX-License-Identifier: MIT */
#include "coroutine/stack.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/list.h"
#include "base/memory.h"
#include "coroutine/thread.h"
#include "coroutine/tools.h"

/* Since Linux 6.13; in no header of Debian 12. */
#define ADVICE_GUARD_INSTALL 102
#define ADVICE_OF_NOBODY 0x7fffffff

#define CHUNK_STACKS 64
#define CHUNK_STACKS_SMALL 1024
/* What small stacks end with. */
#define CANARY_LOW UINT64_C(0x9d3e5a7bc1f08624)
#define CANARY_HIGH UINT64_C(0x41b7e2c86d950fa3)
#define CHUNK_BYTES ((size_t)16 << 20)
/* Chunks without a stack in use are unmapped beyond this many free stacks of a class. */
#define CLASS_KEEP ((size_t)256)

struct stack_class {
    struct stack_class *next;
    size_t bytes;         /* of a stack with its struct, without its guard */
    struct stack *free;
    size_t free_count;
    struct mw_list chunks;
    struct stack_chunk *fresh; /* has stacks that were never used; NULL: none has */
};

struct stack_chunk {
    struct mw_link link;
    struct stack_class *class; /* NULL: its thread has ended */
    char *mapping;
    size_t mapping_bytes, slot_bytes;
    uint32_t slots, used;  /* slots used so far, in order of address */
    uint32_t live;         /* of those, how many are out */
};

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static bool is_small(size_t bytes)
{
    return bytes < STACK_BYTES_LEAST;
}

/* In front of each slot of so many bytes. */
static size_t guard_bytes(size_t slot_bytes)
{
    return is_small(slot_bytes) ? 0 : page_bytes();
}

bool stack_is_intact(const struct stack *s)
{
    uint64_t words[2];

    if (!stack_is_small(s))
        return true;
    memcpy(words, s->low, sizeof(words));
    return words[0] == CANARY_LOW && words[1] == CANARY_HIGH;
}

static void canary_set(struct stack *s)
{
    static const uint64_t words[2] = {CANARY_LOW, CANARY_HIGH};

    if (stack_is_small(s))
        memcpy(s->low, words, sizeof(words));
}

/* qemu-user answers 0 to any advice and guards nothing: believe it only where nonsense is refused. */
static enum stack_guard guard_find(char *page, size_t bytes)
{
    if (madvise(page, bytes, ADVICE_OF_NOBODY) == 0 || errno != EINVAL)
        return STACK_GUARD_PROTECTED;
    if (madvise(page, bytes, ADVICE_GUARD_INSTALL) < 0)
        return STACK_GUARD_PROTECTED;
    return STACK_GUARD_MARKED;
}

static int guard_set(struct stack_pool *pool, char *page, size_t bytes)
{
    if (pool->guard == STACK_GUARD_UNKNOWN)
        pool->guard = guard_find(page, bytes);
    if (pool->guard == STACK_GUARD_MARKED && madvise(page, bytes, ADVICE_GUARD_INSTALL) == 0)
        return 0;
    /* Also where the one before was refused, as for locked memory. */
    return mprotect(page, bytes, PROT_NONE) < 0 ? -errno : 0;
}

static struct stack_class *class_find(struct stack_pool *pool, size_t bytes)
{
    struct stack_class **at, *class;

    for (at = &pool->recent; (class = *at) != NULL; at = &class->next) {
        if (class->bytes != bytes)
            continue;
        *at = class->next; /* to the front */
        class->next = pool->recent;
        return pool->recent = class;
    }
    class = mw_alloc_zeroed(1, sizeof(*class));
    if (!class)
        return NULL;
    class->bytes = bytes;
    mw_list_init(&class->chunks);
    class->next = pool->recent;
    return pool->recent = class;
}

static void chunk_unmap(struct stack_chunk *chunk)
{
    size_t guard = guard_bytes(chunk->slot_bytes);
    uint32_t i;

    for (i = 0; i < chunk->used; i++) {
        char *end = chunk->mapping + (size_t)(i + 1) * chunk->slot_bytes;
        struct stack *s = (struct stack *)(void *)(end - sizeof(struct stack));

        tools_stack_deregister(s->valgrind_id);
        tools_stack_forget(end - chunk->slot_bytes + guard, chunk->slot_bytes - guard);
    }
    if (chunk->class) {
        mw_link_remove(&chunk->link);
        if (chunk->class->fresh == chunk)
            chunk->class->fresh = NULL;
    }
    munmap(chunk->mapping, chunk->mapping_bytes);
    mw_free(chunk);
}

static int chunk_map(struct stack_class *class)
{
    struct stack_chunk *chunk = mw_alloc_zeroed(1, sizeof(*chunk));
    size_t slot_bytes = class->bytes + guard_bytes(class->bytes);
    size_t slots = CHUNK_BYTES / slot_bytes, most = is_small(class->bytes) ? CHUNK_STACKS_SMALL : CHUNK_STACKS;
    void *mapping;

    if (!chunk)
        return -ENOMEM;
    slots = slots < 1 ? 1 : slots > most ? most : slots;
    chunk->mapping_bytes = slots * slot_bytes;
    mapping = mmap(NULL, chunk->mapping_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED) {
        int err = -errno;

        mw_free(chunk);
        return err;
    }
    /* A huge page would make one touched stack cost 2 MiB. Refused where the kernel has none: as well. */
    (void)madvise(mapping, chunk->mapping_bytes, MADV_NOHUGEPAGE);
    chunk->mapping = mapping;
    chunk->slot_bytes = slot_bytes;
    chunk->slots = (uint32_t)slots;
    chunk->class = class;
    mw_list_push_back(&class->chunks, &chunk->link);
    class->fresh = chunk;
    return 0;
}

/* The next never used stack of a class, with its guard. */
static int class_make(struct stack_pool *pool, struct stack_class *class, struct stack **ret)
{
    size_t guard = guard_bytes(class->bytes);
    struct stack_chunk *chunk;
    struct stack *s;
    char *slot;
    int err;

    if (!class->fresh && (err = chunk_map(class)) < 0)
        return err;
    chunk = class->fresh;
    assert(chunk);
    slot = chunk->mapping + (size_t)chunk->used * chunk->slot_bytes;
    err = guard ? guard_set(pool, slot, guard) : 0;
    if (err < 0) {
        if (chunk->used == 0)
            chunk_unmap(chunk);
        return err;
    }
    if (++chunk->used == chunk->slots)
        class->fresh = NULL;
    s = (struct stack *)(void *)(slot + chunk->slot_bytes - sizeof(struct stack));
    s->low = slot + guard;
    s->bytes = (size_t)((char *)s - s->low);
    s->chunk = chunk;
    s->next = NULL;
    s->valgrind_id = tools_stack_register(s->low, s->low + class->bytes);
    *ret = s;
    return 0;
}

static int stack_refuse(struct stack_pool *pool, int err, struct mw_error *ret_error)
{
    pool->refused++;
    return mw_fail(ret_error, err == -EAGAIN ? -ENOMEM : err,
                   "coroutine stack number %zu: %s; run fewer at once, make them handlers, or %s", pool->live + 1,
                   pool->most && pool->live >= pool->most        ? "the cap that was set is reached"
                   : pool->live >= STACK_LIMIT_PROTECTED         ? "guard pages have used up the mappings of a process"
                                                                 : mw_strerror(err),
                   pool->guard == STACK_GUARD_MARKED ? "give the process more memory"
                                                     : "use Linux 6.13 or later, whose guards need no mapping");
}

/* How many at once, small ones included: those need no mappings. */
static size_t pool_most(const struct stack_pool *pool)
{
    if (pool->most)
        return pool->most;
    return pool->guard == STACK_GUARD_PROTECTED ? STACK_LIMIT_PROTECTED + pool->live_small : SIZE_MAX;
}

static int stack_take_slow(size_t whole, struct stack **ret, struct mw_error *ret_error)
{
    struct stack_pool *pool = &mw_thread.stacks;
    struct stack_class *class;
    struct stack *s = NULL;
    int err = 0;

    if (pool->live >= pool_most(pool) && (pool->most || !is_small(whole)))
        return stack_refuse(pool, -ENOMEM, ret_error);
    class = class_find(pool, whole);
    if (!class)
        return stack_refuse(pool, -ENOMEM, ret_error);
    if (class->free) {
        s = class->free;
        class->free = s->next;
        class->free_count--;
    } else if ((err = class_make(pool, class, &s)) < 0) {
        return stack_refuse(pool, err, ret_error);
    }
    s->chunk->live++;
    pool->live++;
    pool->live_small += is_small(whole);
    canary_set(s);
    *ret = s;
    return 0;
}

int stack_take(size_t bytes, struct stack **ret, struct mw_error *ret_error)
{
    struct stack_pool *pool = &mw_thread.stacks;
    struct stack_class *class = pool->recent;
    struct stack *s;
    size_t page;

    if (bytes == STACK_BYTES_SMALL || bytes == STACK_BYTES_SMALL_2)
        return stack_take_slow(bytes, ret, ret_error);
    if (bytes < STACK_BYTES_LEAST || bytes > STACK_BYTES_MOST)
        return mw_fail(ret_error, -EINVAL, "coroutine stack of %zu bytes: 4096 to 8388608 are possible", bytes);
    /* The straight road: the same size as last time, and one is pooled. */
    if (class && class->free && class->bytes == bytes && pool->live < pool_most(pool)) {
        s = class->free;
        class->free = s->next;
        class->free_count--;
        s->chunk->live++;
        pool->live++;
        *ret = s;
        return 0;
    }
    page = page_bytes();
    return stack_take_slow((bytes + page - 1) / page * page, ret, ret_error);
}

static void class_trim(struct stack_class *class, struct stack_chunk *chunk)
{
    struct stack **at = &class->free;

    while (*at) {
        if ((*at)->chunk == chunk) {
            *at = (*at)->next;
            class->free_count--;
        } else {
            at = &(*at)->next;
        }
    }
    chunk_unmap(chunk);
}

void stack_give(struct stack *s)
{
    struct stack_chunk *chunk;
    struct stack_class *class;

    if (!s)
        return;
    chunk = s->chunk;
    class = chunk->class;
    tools_stack_forget(s->low, s->bytes);
    chunk->live--;
    if (!class) { /* its thread's pool has been cleared */
        if (chunk->live == 0)
            chunk_unmap(chunk);
        return;
    }
    mw_thread.stacks.live--;
    if (stack_is_small(s))
        mw_thread.stacks.live_small--;
    s->next = class->free;
    class->free = s;
    if (++class->free_count > CLASS_KEEP && chunk->live == 0)
        class_trim(class, chunk);
}

void stack_pool_clear(void)
{
    struct stack_pool *pool = &mw_thread.stacks;
    struct stack_class *class;

    while ((class = pool->recent) != NULL) {
        struct mw_link *link;

        pool->recent = class->next;
        class->free = NULL;
        class->fresh = NULL;
        while ((link = mw_list_pop_front(&class->chunks)) != NULL) {
            struct stack_chunk *chunk = MW_CONTAINER_OF(link, struct stack_chunk, link);

            chunk->class = NULL;
            if (chunk->live == 0)
                chunk_unmap(chunk);
        }
        mw_free(class);
    }
    *pool = (struct stack_pool){.most = pool->most};
}
