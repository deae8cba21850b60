/* Slabs of tasklets. A slab belongs to the mesh that filled it, and only that mesh's thread looks into it. Tasklets that moved away meanwhile
 * are not put back: whoever frees them, on whatever thread, only counts them, and the last of them frees the slab.
 * Not the pool of the few on the heap; that is block_take. Read next: mesh.c.
 * SPDX-License-Identifier: MIT */
#include "tasklet/slab.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "coroutine/tools.h"
#include "tasklet/tasklet_priv.h"

#define SLAB_BYTES ((size_t)64 << 10) /* and at a multiple of it, so that a tasklet's address tells its slab */

/* Blocks of the heap lie at multiples of 16, tasklets in a slab 8 beside: so the address tells that too. AddressSanitizer is to see each
 * tasklet by itself. */
#if UINTPTR_MAX > UINT32_MAX && !COROUTINE_ASAN
#define HAS_SLABS true
static_assert(alignof(max_align_t) >= 16 && sizeof(mw_tasklet) % 16 == 0 && alignof(mw_tasklet) <= 8, "the address tells where a tasklet lies");
#else
#define HAS_SLABS false
#endif

struct place {
    struct place *next;
};

struct slab {
    struct mw_link link;      /* while it has room */
    struct place *free;
    uint32_t used, live, away; /* places used so far; of those, are out; are out and belong to another mesh now */
    _Atomic(struct mw_scheduler *) mesh; /* NULL: all that is out is away */
    _Atomic int64_t gone;     /* of those away, have been freed; less those that were away when mesh became NULL */
};

enum { SLAB_FIRST = (sizeof(struct slab) + 15) / 16 * 16 + 8,
       SLAB_PLACES = (SLAB_BYTES - SLAB_FIRST) / sizeof(mw_tasklet) };

static bool is_in_slab(const mw_tasklet *t)
{
    return HAS_SLABS && (uintptr_t)t & 8;
}

static struct slab *slab_of(const mw_tasklet *t)
{
    return (struct slab *)((uintptr_t)t & ~(uintptr_t)(SLAB_BYTES - 1));
}

static struct slab *slab_new(struct mw_scheduler *m)
{
    struct slab *s = m->slabs.spare ? m->slabs.spare : mw_map_aligned(SLAB_BYTES);

    m->slabs.spare = NULL;
    if (!s)
        return NULL;
    atomic_store_explicit(&s->mesh, m, memory_order_relaxed);
    mw_list_push_front(&m->slabs.with_room, &s->link);
    return s;
}

COLD mw_tasklet *slab_take(struct mw_scheduler *m)
{
    struct slab *s;
    struct place *place;

    if (!HAS_SLABS || m->member_count < SLAB_MEMBERS || m->slabs.are_off)
        return mw_alloc(sizeof(mw_tasklet));
    s = mw_list_is_empty(&m->slabs.with_room) ? slab_new(m)
                                              : MW_CONTAINER_OF(m->slabs.with_room.head.next, struct slab, link);
    if (!s)
        return NULL;
    place = s->free;
    if (place)
        s->free = place->next;
    else
        place = (struct place *)(void *)((char *)s + SLAB_FIRST + s->used++ * sizeof(mw_tasklet));
    s->live++;
    if (!s->free && s->used == SLAB_PLACES)
        mw_link_remove(&s->link);
    return (mw_tasklet *)(void *)place;
}

/* Nothing of the mesh's own is left in it. */
static void slab_leave(struct mw_scheduler *m, struct slab *s)
{
    int64_t away = s->away;

    mw_link_remove(&s->link);
    if (away == 0 && !m->slabs.spare) {
        m->slabs.spare = s;
        return;
    }
    atomic_store_explicit(&s->mesh, NULL, memory_order_relaxed);
    if (atomic_fetch_sub_explicit(&s->gone, away, memory_order_acq_rel) == away)
        mw_unmap(s, SLAB_BYTES);
}

static COLD void place_give(mw_tasklet *t)
{
    struct slab *s = slab_of(t);
    struct place *place = (struct place *)(void *)t;
    struct mw_scheduler *m = t->mesh;

    if (atomic_load_explicit(&s->mesh, memory_order_relaxed) != m) {
        if (atomic_fetch_add_explicit(&s->gone, 1, memory_order_acq_rel) == -1)
            mw_unmap(s, SLAB_BYTES);
        return;
    }
    place->next = s->free;
    s->free = place;
    s->live--;
    if (s->live == s->away)
        slab_leave(m, s);
    else if (!mw_link_is_linked(&s->link))
        mw_list_push_front(&m->slabs.with_room, &s->link);
}

static inline void memory_give(mw_tasklet *t)
{
    if (UNLIKELY(is_in_slab(t)))
        place_give(t);
    else if (LIKELY(t->site->own_class == 0))
        block_give(&t->mesh->tasklets, t); /* not by way of the site, for which whoever takes it next would wait */
    else if (LIKELY(t->site->pool))
        block_give(t->site->pool, t);
    else
        mw_free(t);
}

#ifdef MW_CHECKED

#define LIFE_LIVES UINT64_C(0x6c69766573206f6e)
#define LIFE_FREED UINT64_C(0x6672656564206974)

/* Of what nobody is to touch; of what lies behind it no more than is known by its site. */
static size_t freed_bytes(const mw_tasklet *t)
{
    return t->site->own_class < OWN_LARGE ? tasklet_bytes_with(t->site->own_class * OWN_STEP) : sizeof(*t);
}

static void freed_open(const mw_tasklet *t)
{
    tools_memory_open(t, sizeof(*t)); /* so that its site can be asked for the rest */
    tools_memory_open(t, freed_bytes(t));
}

void tasklet_begins(mw_tasklet *t)
{
    t->life = LIFE_LIVES;
}

void tasklet_check(const mw_tasklet *t, const char *function)
{
    if (!t || t->life == LIFE_LIVES)
        return;
    if (t->life == LIFE_FREED) {
        freed_open(t); /* its mesh is there, and so is the site */
        fprintf(stderr, "meshwork: %s of tasklet '%s', made at %s:%d, which has been freed\n", function,
                t->site->name ? t->site->name : t->site->made_name, t->site->file ? t->site->file : "?", t->site->line);
    } else {
        fprintf(stderr, "meshwork: %s of what is no tasklet, or has been freed\n", function);
    }
    abort();
}

/* returns the one that was freed longest ago, to be given back; NULL: there are not so many yet */
static mw_tasklet *freed_keep(mw_tasklet *t)
{
    struct slabs *slabs = &t->mesh->slabs;
    mw_tasklet **at = &slabs->freed[slabs->freed_at++ % FREED_KEPT], *before = *at;

    t->life = LIFE_FREED;
    tools_memory_shut((char *)t + offsetof(mw_tasklet, items), freed_bytes(t) - offsetof(mw_tasklet, items));
    *at = t;
    if (before)
        freed_open(before);
    return before;
}

static void freed_clear(struct slabs *slabs)
{
    uint32_t i;

    for (i = 0; i < FREED_KEPT; i++) {
        if (!slabs->freed[i])
            continue;
        freed_open(slabs->freed[i]);
        memory_give(slabs->freed[i]);
        slabs->freed[i] = NULL;
    }
}

#else

static mw_tasklet *freed_keep(mw_tasklet *t)
{
    return t;
}

static void freed_clear(const struct slabs *slabs)
{
    (void)slabs;
}

#endif

void slab_give(mw_tasklet *t)
{
    t = freed_keep(t);
    if (t)
        memory_give(t);
}

void slab_move(const mw_tasklet *t, struct mw_scheduler *from, const struct mw_scheduler *to)
{
    struct slab *s = slab_of(t);
    const struct mw_scheduler *owner;

    if (!is_in_slab(t))
        return;
    owner = atomic_load_explicit(&s->mesh, memory_order_relaxed);
    if (owner == to) {
        s->away--; /* it has come home */
    } else if (owner == from) {
        from->slabs.are_off = true;
        if (++s->away == s->live)
            slab_leave(from, s);
    }
}

void slabs_clear(struct mw_scheduler *m)
{
    freed_clear(&m->slabs);
    if (m->slabs.spare)
        mw_unmap(m->slabs.spare, SLAB_BYTES);
    m->slabs.spare = NULL;
}
