/* The mailbox: a ring that begins inside the tasklet, grows when it must and goes back to the mesh when idle;
 * bounded in items and bytes. Not who waits for room; that is room.c. Read next: room.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "tasklet/graph.h"
#include "tasklet/tasklet_priv.h"

/* What an entry costs beside its bytes: the header of a reference-counted block. */
#define ENTRY_BYTES ((size_t)24)
/* How far nested lists and maps are counted: more would cost stack that a small coroutine has not. */
#define COUNTED_DEPTH 4

static size_t bytes_within(const mw_value *v, int depth)
{
    size_t sum = ENTRY_BYTES, i, count = 0;

    if (!v->is_heap)
        return 0;
    switch (mw_kind_of(*v)) {
    case MW_TEXT:
    case MW_BYTES:
        mw_get_text(v, &count);
        return sum + count;
    case MW_LIST:
        count = mw_list_count(*v);
        sum += count * sizeof(mw_value);
        for (i = 0; i < count && depth > 0; i++)
            sum += bytes_within(mw_list_at(*v, i), depth - 1);
        return sum;
    case MW_MAP:
        count = mw_map_count(*v);
        sum += count * 2 * sizeof(mw_value);
        for (i = 0; i < count && depth > 0; i++) {
            const mw_value *key, *value = mw_map_at(*v, i, &key);

            sum += bytes_within(key, 0) + bytes_within(value, depth - 1);
        }
        return sum;
    case MW_NULL:
    case MW_BOOL:
    case MW_INT:
    case MW_REAL:
    case MW_OPAQUE:
    case MW_MISSING:
        break;
    }
    return sum;
}

size_t mailbox_item_bytes(mw_value item)
{
    const mw_value *within = item.is_heap ? item_within(&item) : &item;

    return item.is_heap ? bytes_within(within, COUNTED_DEPTH) + (within != &item ? ENTRY_BYTES : 0) : 0;
}

size_t mailbox_bytes(const mw_tasklet *t)
{
    if (t->mask > 0)
        return t->ring_bytes;
    return t->count > 0 ? mailbox_item_bytes(t->first) : 0;
}

static size_t bytes_limit(const mw_tasklet *t)
{
    return t->side ? t->side->mailbox_bytes : MAILBOX_BYTES_DEFAULT;
}

/* An item larger than the whole limit finds room in an empty mailbox: else it would wait for ever. */
bool mailbox_has_room(const mw_tasklet *t, size_t bytes)
{
    return t->count < tasklet_capacity(t) && (!bytes || !t->count || mailbox_bytes(t) + bytes <= bytes_limit(t));
}

void mailbox_update_room(mw_tasklet *t)
{
    uint32_t places = t->mask + 1;

    if (t->kind == TASKLET_NULL || t->attention & (FINISHING | ASKED_FREE) || t->mesh->graph)
        t->plain_room = 0;
    else
        t->plain_room = places < tasklet_capacity(t) ? places : tasklet_capacity(t);
}

static int mailbox_grow(mw_tasklet *t)
{
    uint32_t places = t->mask + 1, more = t->items == &t->first ? mesh_ring_first(t->mesh) : places * 2, i;
    mw_value *items = mesh_ring_take(t->mesh, more);
    size_t bytes = mailbox_bytes(t);

    if (!items)
        return -ENOMEM;
    for (i = 0; i < t->count; i++)
        items[i] = t->items[(t->head + i) & t->mask];
    if (t->items != &t->first)
        mesh_ring_give(t->mesh, t->items, places);
    t->items = items;
    t->ring_bytes = bytes;
    t->head = 0;
    t->mask = more - 1;
    mailbox_update_room(t);
    return 0;
}

void mailbox_rest(mw_tasklet *t)
{
    if (t->items == &t->first)
        return;
    mesh_ring_give(t->mesh, t->items, t->mask + 1);
    t->items = &t->first;
    t->head = t->mask = 0;
    mailbox_update_room(t);
}

static inline void count_for_graph(const mw_tasklet *t, size_t bytes)
{
    struct graph *g = t->mesh->graph;

    if (UNLIKELY(g != NULL) && --g->left == 0)
        graph_note(g, t, bytes);
}

int mailbox_push(mw_tasklet *t, mw_value item, size_t bytes)
{
    int err;

    if (t->count > t->mask && (err = mailbox_grow(t)) < 0)
        return err;
    t->items[(t->head + t->count) & t->mask] = item;
    t->count++;
    if (t->mask > 0)
        t->ring_bytes += bytes;
    count_for_graph(t, bytes);
    if (!t->quiet)
        tasklet_mark(t);
    return 0;
}

struct value_words mailbox_popped(mw_tasklet *t, struct value_words item)
{
    mw_value opened;

    if (words_are_heap(item)) {
        if (t->mask > 0)
            t->ring_bytes -= mailbox_item_bytes(value_of(item));
        if (UNLIKELY(item_is_envelope(value_of(item)))) {
            opened = envelope_open(t, value_of(item));
            item = value_words(&opened);
        }
    }
    if (t->side && t->side->supervised)
        supervised_popped(t, value_of(item));
    if (t->side)
        room_made(t);
    return item;
}

static void drop_one(mw_tasklet *t, bool is_oldest)
{
    mw_value item;

    t->count--;
    item = t->items[(t->head + (is_oldest ? 0 : t->count)) & t->mask];
    t->head += is_oldest;
    if (t->mask > 0)
        t->ring_bytes -= mailbox_item_bytes(item);
    mw_release(item);
}

size_t mailbox_drop_all(mw_tasklet *t)
{
    size_t count = t->count, i;

    if (count > 0 && t->mesh->ages.count > 0)
        ages_forget(t);
    for (i = 0; i < count && t->count > 0; i++)
        drop_one(t, true);
    if (t->count == 0)
        mailbox_rest(t);
    return i;
}

void tasklet_count_refused(mw_tasklet *t)
{
    struct tasklet_side *side = tasklet_side(t);

    if (side)
        side->refused++;
}

/* It does not fit: what the tasklet's policy says. 1: there is room now; 0: the item is taken care of. */
static int mailbox_overflow(mw_tasklet *t, mw_value item, size_t bytes)
{
    struct tasklet_side *side = t->side;

    if (t->state == TASKLET_CLOSED && !tasklet_will_restart(t))
        return -EPIPE;
    switch (side ? (enum mw_overflow)side->overflow : MW_BLOCK) {
    case MW_BLOCK:
    case MW_REFUSE:
        return -EAGAIN;
    case MW_DROP_NEWEST:
        side->dropped++;
        mw_release(item);
        return 0;
    case MW_DROP_OLDEST:
    case MW_KEEP_LATEST:
        do {
            side->dropped++;
            drop_one(t, side->overflow == MW_DROP_OLDEST);
        } while (!mailbox_has_room(t, bytes));
        return 1;
    }
    return -EINVAL;
}

int mailbox_put(mw_tasklet *t, mw_value item)
{
    size_t bytes;
    int err;

    if (t->kind == TASKLET_NULL) {
        count_for_graph(t, 0);
        t->processed++;
        mw_release(item);
        return 0;
    }
    if (t->attention & (FINISHING | ASKED_FREE))
        return -EPIPE;
    bytes = mailbox_item_bytes(item);
    if (!mailbox_has_room(t, bytes) || (bytes && t->side && !mw_list_is_empty(&t->side->waiters))) {
        err = mailbox_overflow(t, item, bytes);
        if (err <= 0)
            return err;
    }
    return mailbox_push(t, item, bytes);
}

bool mailbox_is_overfull(const mw_tasklet *t, size_t bytes)
{
    return t->count >= 2 * (size_t)tasklet_capacity(t) ||
           (bytes && t->count && mailbox_bytes(t) + bytes > 2 * bytes_limit(t));
}

int mailbox_put_above(mw_tasklet *t, mw_value item)
{
    size_t bytes = mailbox_item_bytes(item);
    int err = mailbox_put(t, item);

    if (err != -EAGAIN || (t->side && t->side->overflow != MW_BLOCK) || mailbox_is_overfull(t, bytes))
        return err;
    return mailbox_push(t, item, bytes);
}
