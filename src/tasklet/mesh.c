/* Members of a mesh by position, the ready bits above them, pooled rings, call sites.
 * Not the order of running; that is scheduler/. Read next: mailbox.c.
 * SPDX-License-Identifier: MIT */
#include "tasklet/mesh.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tasklet/address.h"
#include "tasklet/graph.h"
#include "tasklet/tasklet_priv.h"

#define POSITIONS_MOST (UINT32_C(1) << 24)

/* ---- ready bits ------------------------------------------------------------------------- */
COLD int mesh_mark_above(struct mw_scheduler *m, uint32_t word)
{
    uint32_t level;

    for (level = 1; level < m->level_count; level++) {
        uint64_t *at = &m->levels[level][word >> 6], old = *at;

        *at = old | UINT64_C(1) << (word & 63);
        if (old)
            return 0;
        word >>= 6;
    }
    return 0;
}

COLD void mesh_unmark_above(struct mw_scheduler *m, uint32_t word)
{
    uint32_t level;

    for (level = 1; level < m->level_count; level++) {
        uint64_t *at = &m->levels[level][word >> 6];

        *at &= ~(UINT64_C(1) << (word & 63));
        if (*at)
            return;
        word >>= 6;
    }
}

void mesh_spread(struct mw_scheduler *m)
{
    uint32_t position;

    if (!mesh_has_only(m))
        return;
    position = m->only->position;
    m->only = MESH_MANY;
    m->ready[position >> 6] = UINT64_C(1) << (position & 63); /* nobody else is ready */
    (void)mesh_mark_above(m, position >> 6); /* 0 */
}

COLD int mesh_mark_second(const mw_tasklet *t)
{
    struct mw_scheduler *m = t->mesh;
    uint32_t word = t->position >> 6;

    mesh_spread(m);
    m->ready_count++;
    m->ready[word] |= UINT64_C(1) << (t->position & 63);
    return mesh_mark_above(m, word);
}

/* Up until a level has a bit at or behind the place, then down along first bits. */
uint32_t mesh_scan(const struct mw_scheduler *m, uint32_t word)
{
    uint32_t level, count = m->word_count;

    for (level = 1; level < m->level_count && word < count; level++) {
        uint64_t bits = m->levels[level][word >> 6] & ~UINT64_C(0) << (word & 63);

        if (bits) {
            word = (word & ~UINT32_C(63)) | (uint32_t)__builtin_ctzll(bits);
            while (--level > 0)
                word = word << 6 | (uint32_t)__builtin_ctzll(m->levels[level][word]);
            return word;
        }
        word = (word >> 6) + 1;
        count = (count + 63) >> 6;
    }
    return UINT32_MAX;
}

uint32_t mesh_highest(struct mw_scheduler *m)
{
    uint32_t level = m->level_count, word;
    uint64_t bits;

    if (mesh_has_only(m))
        return m->only->position;
    word = (m->top - 1) >> 6; /* who was made last is ready as a rule: then above him is nobody to look for */
    bits = m->ready[word];
    if (LIKELY(bits != 0))
        return word << 6 | (63u ^ (uint32_t)__builtin_clzll(bits));
    word = 0;
    while (level-- > 0)
        word = word << 6 | (63u ^ (uint32_t)__builtin_clzll(m->levels[level][word]));
    return word;
}

/* ---- a mesh in a mesh ---------------------------------------------------------------------- */
struct mw_scheduler *mesh_parent(const struct mw_scheduler *m)
{
    return m->tasklet ? m->tasklet->mesh : NULL;
}

void tasklet_nudge(mw_tasklet *t)
{
    if (!t->quiet && t->state == TASKLET_IDLE)
        tasklet_mark(t);
}

COLD int mesh_became_ready(struct mw_scheduler *m)
{
    if (m->is_paused)
        return 0;
    if (m->on_ready)
        m->on_ready(m->ready_context);
    if (m->tasklet)
        tasklet_nudge(m->tasklet);
    return 0;
}

static void parent_due(struct mesh_timer *timer)
{
    struct mw_scheduler *m = MW_CONTAINER_OF(timer, struct mw_scheduler, parent_timer);

    tasklet_nudge(m->tasklet);
}

/* Without memory for the entry it is visited at once, and says no when nothing is due. */
static void mesh_set_parent_timer(struct mw_scheduler *m)
{
    m->parent_timer.due = parent_due;
    if (mesh_timer_set(m->tasklet->mesh, &m->parent_timer, m->is_paused ? MW_FOREVER : mesh_timers_next(m)) < 0)
        tasklet_nudge(m->tasklet);
}

void mesh_tell_parent(struct mw_scheduler *m)
{
    if (!m->tasklet)
        return;
    mesh_set_parent_timer(m);
    if (mesh_is_ready(m) && !m->is_paused)
        tasklet_nudge(m->tasklet);
}

void mesh_is_due_earlier(struct mw_scheduler *m)
{
    if (m->is_running || m->is_paused)
        return;
    if (m->on_ready)
        m->on_ready(m->ready_context);
    if (m->tasklet)
        mesh_set_parent_timer(m);
}

void mesh_count_outside(struct mw_scheduler *m, int change)
{
    for (; m; m = mesh_parent(m))
        m->outside_waits += (uint32_t)change;
}

void mesh_detach(mw_tasklet *t)
{
    struct mw_scheduler *m = t->scope;

    if (!m)
        return;
    mesh_timer_stop(t->mesh, &m->parent_timer);
    mesh_count_outside(t->mesh, -(int)m->outside_waits);
    if (m->graph && m->graph == t->mesh->graph)
        mesh_graph_leave(m);
    m->tasklet = NULL;
    t->scope = NULL;
    mesh_reroute(m);
}

bool tasklet_is_due(const mw_tasklet *t)
{
    return t->count > 0 || t->state == TASKLET_WOKEN ||
           (t->state == TASKLET_FRESH && t->kind == TASKLET_COROUTINE) ||
           (t->kind == TASKLET_MESH && t->scope && mesh_has_ready(t->scope));
}

bool mesh_has_ready(struct mw_scheduler *m)
{
    if (m->inbox && !m->is_paused)
        mesh_take_posts(m);
    return mesh_has_due(m);
}

bool mesh_has_due(struct mw_scheduler *m)
{
    if (m->is_paused)
        return false;
    mesh_timers_run(m);
    mesh_spread(m);
    while (mesh_is_ready(m)) {
        uint32_t word = m->ready[0] ? 0 : mesh_scan(m, 1);
        mw_tasklet *t = m->members[word << 6 | (uint32_t)__builtin_ctzll(m->ready[word])];

        if (tasklet_is_due(t))
            return true;
        tasklet_unmark(t);
    }
    return false;
}

/* ---- members ------------------------------------------------------------------------------ */
/* Bits for a number of positions, all levels in one block; the lowest first. */
static int ready_lay_out(struct mw_scheduler *m, uint32_t capacity)
{
    uint32_t words[MESH_LEVELS], level = 0, total = 0, above = capacity;
    uint64_t *block;

    do {
        above = (above + 63) >> 6;
        words[level++] = above;
        total += above;
    } while (above > 1 && level < MESH_LEVELS);
    block = mw_alloc_zeroed(total, sizeof(*block));
    if (!block)
        return -ENOMEM;
    mw_free(m->ready);
    m->ready = block;
    m->word_count = words[0];
    m->level_count = level;
    for (level = 0; level < m->level_count; level++) {
        m->levels[level] = block;
        block += words[level];
    }
    return 0;
}

static void ready_put_back(struct mw_scheduler *m)
{
    uint32_t position;

    m->only = NULL;
    m->ready_count = 1;
    for (position = 0; position < m->top; position++) {
        mw_tasklet *t = m->members[position];

        if (!t || !(t->quiet & QUIET_READY))
            continue;
        m->ready[position >> 6] |= UINT64_C(1) << (position & 63);
        (void)mesh_mark_above(m, position >> 6); /* 0 */
        m->ready_count += m->only != NULL;
        m->only = MESH_MANY;
    }
}

/* Close the gaps; everybody keeps his place in the order. */
static void mesh_compact(struct mw_scheduler *m)
{
    uint32_t from, to = 0, cursor = 0;

    if (m->order)
        m->order->compact(m, false);
    ages_clear(m);
    for (from = 0; from < m->top; from++) {
        if (from == m->cursor)
            cursor = to;
        if (!m->members[from])
            continue;
        m->members[to] = m->members[from];
        m->members[to]->position = to;
        to++;
    }
    m->cursor = m->cursor >= m->top ? to : cursor;
    m->top = to;
    memset(m->ready, 0, m->word_count * sizeof(*m->ready));
    for (from = 1; from < m->level_count; from++)
        memset(m->levels[from], 0, (((size_t)m->word_count >> (6 * (from - 1))) + 63) / 64 * sizeof(uint64_t));
    ready_put_back(m);
    if (m->order)
        m->order->compact(m, true);
}

static COLD int mesh_grow(struct mw_scheduler *m)
{
    uint32_t capacity = m->capacity ? m->capacity * 2 : 64;
    mw_tasklet **members;
    int err;

    if (m->member_count <= m->top / 2 && m->top >= 64) {
        mesh_compact(m);
        return 0;
    }
    if (capacity > POSITIONS_MOST)
        return -ENOMEM;
    err = m->order ? m->order->grow(m, capacity) : 0;
    if (err == 0)
        err = ages_grow(m, capacity);
    if (err < 0)
        return err;
    members = mw_resize(m->members, capacity * sizeof(*members));
    if (!members)
        return -ENOMEM;
    m->members = members;
    err = ready_lay_out(m, capacity);
    if (err < 0)
        return err;
    m->capacity = capacity;
    ready_put_back(m);
    return 0;
}

int mesh_reserve(struct mw_scheduler *m)
{
    return m->top < m->capacity ? 0 : mesh_grow(m);
}

void mesh_remove(struct mw_tasklet *t)
{
    struct mw_scheduler *m = t->mesh;
    uint32_t top;

    if (t->quiet & QUIET_READY)
        tasklet_unmark(t);
    if (m->held == t)
        m->held = NULL;
    if (m->order)
        m->order->leave(m, t);
    if (UNLIKELY(m->ages.count > 0))
        ages_forget(t);
    m->members[t->position] = NULL;
    m->member_count--;
    top = t->position;
    if (top + 1 != m->top)
        return;
    while (top > 0 && !m->members[top - 1])
        top--;
    m->top = top;
}

struct site *mesh_site(struct mw_scheduler *m, const char *name, const char *file, int line, uint32_t own_class)
{
    struct site *site;

    if (mesh_site_is_recent(m, name, file, line, own_class))
        return m->recent_site;
    site = mesh_site_sized(m, name, file, line, own_class, 0);
    return site ? m->recent_site = site : NULL;
}

struct site *mesh_site_like(struct mw_scheduler *m, const struct site *site, const char *name)
{
    return mesh_site_sized(m, name, site->file, site->line, site->own_class, site->stack_bytes);
}

COLD struct site *mesh_site_sized(struct mw_scheduler *m, const char *name, const char *file, int line, uint32_t own_class, uint32_t stack_bytes)
{
    struct site *site;

    for (site = m->sites; site; site = site->next) {
        if (site->line == line && site->file == file && site->name == name && site->own_class == own_class && site->stack_bytes == stack_bytes)
            return site;
    }
    site = mw_alloc_zeroed(1, sizeof(*site));
    if (!site)
        return NULL;
    *site = (struct site){.next = m->sites, .name = name, .file = file, .line = line, .own_class = own_class, .stack_bytes = stack_bytes};
    site->pool = own_class == 0 ? &m->tasklets : own_class < OWN_LARGE ? &m->owners[own_class - 1] : NULL;
    if (!name) {
        const char *slash = file ? strrchr(file, '/') : NULL;

        snprintf(site->made_name, sizeof(site->made_name), "%s:%d", slash ? slash + 1 : file ? file : "tasklet",
                 line);
    }
    return m->sites = site;
}

/* ---- rings ------------------------------------------------------------------------------------ */
static unsigned ring_class(uint32_t count)
{
    return (unsigned)__builtin_ctz(count) - (unsigned)__builtin_ctz(RING_LEAST);
}

mw_value *mesh_ring_take(struct mw_scheduler *m, uint32_t count)
{
    unsigned class = ring_class(count);
    struct ring *ring = class < RING_CLASSES ? m->rings[class] : NULL;

    if (!ring)
        return mw_alloc((size_t)count * sizeof(mw_value));
    m->rings[class] = ring->next;
    m->ring_bytes -= (size_t)count * sizeof(mw_value);
    return (mw_value *)(void *)ring;
}

void mesh_ring_give(struct mw_scheduler *m, mw_value *items, uint32_t count)
{
    unsigned class = ring_class(count);
    size_t bytes = (size_t)count * sizeof(mw_value);
    struct ring *ring = (struct ring *)(void *)items;

    if (class >= RING_CLASSES || m->ring_bytes + bytes > RING_POOL_BYTES) {
        mw_free(items);
        return;
    }
    ring->next = m->rings[class];
    m->rings[class] = ring;
    m->ring_bytes += bytes;
    m->ring_last = (uint8_t)class;
}

/* ---- blocks that come and go ---------------------------------------------------------------------- */
static void pool_clear(struct block_pool *pool)
{
    struct ring *block;

    while ((block = pool->first) != NULL) {
        pool->first = block->next;
        mw_free(block);
    }
}

/* ---- making and freeing --------------------------------------------------------------------------- */
struct mesh_registry mesh_registry = {
    PTHREAD_MUTEX_INITIALIZER,
    {{&mesh_registry.meshes.head, &mesh_registry.meshes.head}},
};

static void registry_add(struct mw_scheduler *m)
{
    (void)pthread_mutex_lock(&mesh_registry.lock); /* one of the default kind fails only where memory is broken */
    mw_list_push_back(&mesh_registry.meshes, &m->registry_link);
    (void)pthread_mutex_unlock(&mesh_registry.lock);
}

static void registry_remove(struct mw_scheduler *m)
{
    (void)pthread_mutex_lock(&mesh_registry.lock); /* as above */
    mw_link_remove(&m->registry_link);
    (void)pthread_mutex_unlock(&mesh_registry.lock);
}

struct mw_scheduler *mesh_new(void)
{
    struct mw_scheduler *m = mw_alloc_zeroed(1, sizeof(*m));
    unsigned class;

    if (!m)
        return NULL;
    m->budget = MESH_BUDGET_DEFAULT;
    m->ready_count = 1;
    atomic_init(&m->owner, &mw_thread);
    mw_list_init(&m->addresses);
    mw_list_init(&m->slabs.with_room);
    m->slabs.are_off = tools_are_watching();
    m->tasklets.most = m->slabs.are_off ? 0 : BLOCKS_POOLED;
    m->laters.most = BLOCKS_POOLED;
    for (class = 0; class < OWN_CLASSES; class++)
        m->owners[class].most = m->tasklets.most;
    if (mesh_grow(m) < 0) {
        mesh_free(m);
        return NULL;
    }
    registry_add(m);
    return m;
}

void mesh_free(struct mw_scheduler *m)
{
    struct site *site;
    struct ring *block;
    unsigned class;

    if (!m)
        return;
    registry_remove(m);
    mesh_graph_leave(m);
    if (m->order)
        m->order->clear(m);
    slabs_clear(m);
    pool_clear(&m->tasklets);
    pool_clear(&m->laters);
    for (class = 0; class < OWN_CLASSES; class++)
        pool_clear(&m->owners[class]);
    while ((site = m->sites) != NULL) {
        m->sites = site->next;
        mw_free(site);
    }
    for (class = 0; class < RING_CLASSES; class++) {
        while ((block = m->rings[class]) != NULL) {
            m->rings[class] = block->next;
            mw_free(block);
        }
    }
    inbox_close(m->inbox);
    ages_free(m);
    mw_free(m->timers.heap);
    mw_free(m->members);
    mw_free(m->ready);
    mw_free(m);
}

struct mw_scheduler *mesh_here(void)
{
    struct mw_thread *thread = &mw_thread;

    if (thread->mesh)
        return thread->mesh;
    if (!thread->implicit)
        thread->implicit = mesh_new();
    return thread->implicit;
}
