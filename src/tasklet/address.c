/* Addresses and credits: how other threads reach a tasklet, and how many items of theirs it has room for.
 * Not the ring; that is inbox.c. Read next: ../scheduler/run.c.
 * SPDX-License-Identifier: MIT
 *
 * A post takes a credit of its address, then a place in the inbox of the mesh's root; a credit comes
 * back when the mailbox holds no more than its capacity. So a mailbox holds twice its capacity at most, and whatever was
 * accepted is delivered. Posters count what they have posted, the mesh how much may be; they look there only when they have come to
 * what it was when they looked last. Above the capacity credits come back a quarter of it at a time, so that they seldom look.
 *
 * A body that posts to one address again and again takes several credits at once, where there are many: one locked operation less for most
 * of its posts. What it has not used goes back at the end of the turn.
 *
 * When an address leads elsewhere, or nowhere, it first says so and then reads which tickets of the old inbox are given out: a
 * writer that has one of these and saw the old inbox is waited for, a later one sees the new and gives its place back
 * unused. So nothing is left behind, and what one sender posts arrives in the order of posting. */
#include "tasklet/address.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/memory.h"
#include "tasklet/tasklet_priv.h"

enum {
    CLAIM_CREDITS = 32, /* at once */
    CLAIM_ROW = 4,      /* from so many posts in a row on */
    CLAIM_ROOM = 128,   /* and only while so many are left: those that lie claimed must not be what others lack */
};

struct mw_address {
    /* Posters'. */
    atomic_uint references;
    atomic_uint_least64_t posted;   /* items so far, and those that are being tried */
    atomic_uint_least64_t limit;    /* granted, as one of them saw it last */
    _Atomic(struct inbox *) inbox;  /* where it leads; NULL: the tasklet is gone */
    /* The mesh's own thread's from here on, on a cache line that posters do not write. */
    _Alignas(64) atomic_uint_least64_t granted; /* how many items may be posted, since it was made */
    mw_tasklet *tasklet;            /* NULL: gone */
    struct mw_link link;            /* in its mesh's addresses */
    uint32_t owed;                  /* credits that come back when the mailbox has room */
    uint32_t held_count, held_room;
    struct inbox **held;            /* each with a reference: where a writer may still be on its way to */
};

/* ---- references ----------------------------------------------------------------------------------------- */
mw_address *mw_address_ref(mw_address *address)
{
    if (address)
        atomic_fetch_add_explicit(&address->references, 1, memory_order_relaxed);
    return address;
}

void mw_address_unref(mw_address *address)
{
    uint32_t i;

    if (!address || atomic_fetch_sub(&address->references, 1) > 1)
        return;
    for (i = 0; i < address->held_count; i++)
        inbox_unref(address->held[i]);
    mw_free(address->held);
    mw_free(address);
}

/* ---- posting: any thread ------------------------------------------------------------------------------------ */
/* Whether there are more credits than count. */
static inline bool credits_reach(mw_address *address, uint64_t count)
{
    uint64_t granted;

    if (LIKELY(count < atomic_load_explicit(&address->limit, memory_order_relaxed)))
        return true;
    granted = atomic_load_explicit(&address->granted, memory_order_relaxed);
    if (count >= granted)
        return false;
    atomic_store_explicit(&address->limit, granted, memory_order_relaxed);
    return true;
}

void address_unclaim(struct mw_thread *thread)
{
    mw_address *address = thread->posted_to;

    if (thread->claimed > 0) {
        atomic_fetch_sub(&address->posted, thread->claimed);
        mw_address_unref(address);
    }
    thread->claimed = 0;
    thread->posted_to = NULL;
}

/* From those claimed, or of a new claim: in a turn of a mesh, which has an end. false: it has to be taken by itself */
static COLD bool credit_by_claim(struct mw_thread *thread, mw_address *address)
{
    if (thread->posted_to == address && thread->claimed > 0) { /* the last one */
        thread->claimed = 0;
        mw_address_unref(address); /* the caller has one, too */
        return true;
    }
    if (!thread->mesh || !thread->mesh->is_running) /* a verb runs it, perhaps of a host that never runs the mesh */
        return false;
    if (thread->posted_to != address) {
        address_unclaim(thread);
        thread->posted_to = address;
        thread->posted_in_row = 0;
    }
    if (++thread->posted_in_row < CLAIM_ROW ||
        !credits_reach(address, atomic_load_explicit(&address->posted, memory_order_relaxed) + CLAIM_ROOM))
        return false;
    atomic_fetch_add(&address->posted, CLAIM_CREDITS);
    thread->claimed = CLAIM_CREDITS - 1;
    (void)mw_address_ref(address);
    return true;
}

static COLD int credit_refuse(mw_address *address)
{
    atomic_fetch_sub(&address->posted, 1);
    return atomic_load(&address->inbox) ? -EAGAIN : -EPIPE;
}

static inline int credit_take(mw_address *address)
{
    struct mw_thread *thread = &mw_thread;

    if (LIKELY(thread->posted_to == address && thread->claimed > 1)) {
        thread->claimed--;
        return 0;
    }
    if (thread->current && credit_by_claim(thread, address))
        return 0;
    return LIKELY(credits_reach(address, atomic_fetch_add(&address->posted, 1))) ? 0 : credit_refuse(address);
}

static inline int post_words(mw_address *address, struct value_words item)
{
    struct inbox *inbox;
    int err = credit_take(address);

    if (UNLIKELY(err < 0))
        return err;
    do {
        inbox = atomic_load(&address->inbox);
        err = LIKELY(inbox != NULL) ? inbox_put(inbox, address, item, &address->inbox) : -EPIPE;
    } while (UNLIKELY(err == -ESTALE));
    if (UNLIKELY(err < 0))
        atomic_fetch_sub(&address->posted, 1);
    return err;
}

HOT int mw_post_offer(mw_address *address, mw_value *io)
{
    int err;

    if (!address || !io)
        return -EINVAL;
    if (io->kind == MW_MISSING)
        return -ENOMEM;
    err = post_words(address, value_words(io));
    if (err == 0)
        *io = mw_null();
    return err;
}

HOT int mw_post(mw_address *address, mw_value takes)
{
    struct value_words item = value_words(&takes);
    int err;

    if (UNLIKELY(!address || (!words_are_plain(item) && !words_are_heap(item))))
        err = address ? -ENOMEM : -EINVAL;
    else
        err = post_words(address, item);
    if (UNLIKELY(err < 0))
        mw_release(value_of(item));
    return err;
}

/* ---- delivering ------------------------------------------------------------------------------------------------- */
static void credits_give(mw_address *address, uint32_t count)
{
    uint64_t granted = atomic_load_explicit(&address->granted, memory_order_relaxed); /* nobody else writes it */

    if (count > 0)
        atomic_store_explicit(&address->granted, granted + count, memory_order_release);
}

void address_room(mw_tasklet *t)
{
    mw_address *a = t->side->address;
    uint32_t above = t->count > tasklet_capacity(t) ? t->count - tasklet_capacity(t) : 0, back;

    if (a->owed <= above)
        return;
    back = a->owed - above;
    if (above > 0 && back < tasklet_capacity(t) / 4) /* the rest comes with the capacity, which somebody will reach who takes items */
        return;
    a->owed = above;
    credits_give(a, back);
}

/* Into the mailbox, or dropped and counted. returns credits that come back at once */
static COLD uint32_t deliver_slowly(struct mw_scheduler *m, mw_address *a, mw_value item)
{
    mw_tasklet *t = a->tasklet;
    int err = t ? mailbox_put(t, item) : -EPIPE;

    if ((err == -EAGAIN || err == -EPIPE) && t && !(t->attention & (FINISHING | ASKED_FREE)))
        err = mailbox_push(t, item, mailbox_item_bytes(item)); /* full: it had a credit */
    if (err < 0) {
        mw_release(item);
        m->posts_dropped++;
        return 1;
    }
    if (t->count <= tasklet_capacity(t))
        return 1;
    a->owed++;
    return 0;
}

static inline uint32_t deliver(struct mw_scheduler *m, mw_address *a, struct value_words item)
{
    mw_tasklet *t = a->tasklet;

    return LIKELY(t && mailbox_store(t, item)) ? 1 : deliver_slowly(m, a, value_of(item));
}

HOT void mesh_take_posts(struct mw_scheduler *m)
{
    struct inbox *inbox = m->inbox;
    uint64_t end = inbox->head + inbox->mask + 1; /* not for ever: who posts faster than we take must not keep us here */
    mw_address *a, *last = NULL;
    struct value_words item;
    uint32_t back = 0;

    while (inbox->head != end && inbox_take(inbox, &a, &item)) {
        if (UNLIKELY(!a))
            continue;
        if (a != last) {
            if (last)
                credits_give(last, back);
            last = a;
            back = 0;
        }
        back += deliver(m, a, item);
    }
    if (last)
        credits_give(last, back);
}

/* Take every ticket that was given out so far: writers that have one are on their way. */
static void inbox_settle(struct mw_scheduler *m, struct inbox *inbox)
{
    uint64_t tail = inbox_tail(inbox);
    struct value_words item;
    mw_address *a;

    while (inbox->head < tail) {
        if (!inbox_take(inbox, &a, &item))
            (void)sched_yield(); /* it always succeeds */
        else if (a)
            credits_give(a, deliver(m, a, item));
    }
}

/* ---- where addresses lead ------------------------------------------------------------------------------------------ */
static struct mw_scheduler *root_of(struct mw_scheduler *m)
{
    struct mw_scheduler *parent;

    while ((parent = mesh_parent(m)) != NULL)
        m = parent;
    return m;
}

int mesh_reserve_inboxes(struct mw_scheduler *m)
{
    for (; m; m = mesh_parent(m)) {
        struct inbox *inbox = m->inbox ? NULL : inbox_new(m->inbox_items ? m->inbox_items : INBOX_ITEMS_DEFAULT);

        if (m->inbox)
            continue;
        if (!inbox)
            return -ENOMEM;
        inbox->posted = m->posted;
        inbox->posted_context = m->posted_context;
        (void)pthread_mutex_lock(&mesh_registry.lock); /* one of the default kind fails only where memory is broken */
        m->inbox = inbox;
        (void)pthread_mutex_unlock(&mesh_registry.lock);
        if (m->posted && !m->is_running) /* its loop may sleep already */
            (void)inbox_fall_asleep(m->inbox, INBOX_IN_LOOP);
    }
    return 0;
}

static int address_hold(mw_address *a, struct inbox *inbox)
{
    struct inbox **held;
    uint32_t i;

    for (i = 0; i < a->held_count; i++) {
        if (a->held[i] == inbox)
            return 0;
    }
    if (a->held_count == a->held_room) {
        held = mw_resize(a->held, (a->held_room + 4) * sizeof(*held));
        if (!held)
            return -ENOMEM;
        a->held = held;
        a->held_room += 4;
    }
    a->held[a->held_count++] = inbox_ref(inbox);
    return 0;
}

/* Those of m and of all meshes around it, which are there: wherever they part, it leads to one of these. */
static int address_hold_around(mw_address *a, struct mw_scheduler *m)
{
    int err = 0;

    for (; m && err == 0; m = mesh_parent(m))
        err = address_hold(a, m->inbox);
    return err;
}

/* The thread has both the old mesh and the new. */
static void address_lead(mw_address *a, struct mw_scheduler *m, struct inbox *inbox)
{
    struct inbox *before = atomic_exchange(&a->inbox, inbox);

    if (before != inbox)
        inbox_settle(m, before);
}

void mesh_reroute(struct mw_scheduler *m)
{
    struct mw_scheduler *root = root_of(m);
    struct mw_link *at;
    uint32_t i;

    for (at = m->addresses.head.next; at != &m->addresses.head; at = at->next)
        address_lead(MW_CONTAINER_OF(at, struct mw_address, link), m, root->inbox);
    for (i = 0; i < m->top; i++) {
        if (m->members[i] && m->members[i]->kind == TASKLET_MESH && m->members[i]->scope)
            mesh_reroute(m->members[i]->scope);
    }
}

int mesh_reserve_routes(struct mw_scheduler *m, struct mw_scheduler *s)
{
    struct mw_link *at;
    uint32_t i;
    int err = m->inbox ? mesh_reserve_inboxes(s) : 0;

    if (!m->inbox) /* then nobody in it has an address */
        return 0;
    for (at = m->addresses.head.next; at != &m->addresses.head && err == 0; at = at->next)
        err = address_hold_around(MW_CONTAINER_OF(at, struct mw_address, link), s);
    for (i = 0; i < m->top && err == 0; i++) {
        if (m->members[i] && m->members[i]->kind == TASKLET_MESH && m->members[i]->scope)
            err = mesh_reserve_routes(m->members[i]->scope, s);
    }
    return err;
}

int address_reserve(mw_tasklet *t, struct mw_scheduler *s)
{
    int err;

    if (t->kind == TASKLET_MESH && t->scope && (err = mesh_reserve_routes(t->scope, s)) < 0)
        return err;
    if (!t->side || !t->side->address)
        return 0;
    err = mesh_reserve_inboxes(s);
    return err < 0 ? err : address_hold_around(t->side->address, s);
}

void address_move(mw_tasklet *t)
{
    mw_address *a = t->side ? t->side->address : NULL;

    if (t->kind == TASKLET_MESH && t->scope)
        mesh_reroute(t->scope);
    if (!a)
        return;
    mw_link_remove(&a->link);
    mw_list_push_back(&t->mesh->addresses, &a->link);
    address_lead(a, t->mesh, root_of(t->mesh)->inbox);
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */
static mw_address *address_new(mw_tasklet *t)
{
    mw_address *a;

    if (mesh_reserve_inboxes(t->mesh) < 0)
        return NULL;
    a = mw_alloc_aligned(_Alignof(struct mw_address), sizeof(*a));
    if (!a)
        return NULL;
    memset(a, 0, sizeof(*a));
    atomic_init(&a->references, 1);
    atomic_init(&a->granted, tasklet_capacity(t));
    atomic_init(&a->limit, tasklet_capacity(t));
    a->tasklet = t;
    if (address_hold_around(a, t->mesh) < 0) {
        mw_address_unref(a);
        return NULL;
    }
    atomic_store(&a->inbox, root_of(t->mesh)->inbox);
    mw_list_push_back(&t->mesh->addresses, &a->link);
    return a;
}

mw_address *mw_tasklet_address(mw_tasklet *t)
{
    TASKLET_CHECK(t);
    struct tasklet_side *side = t && !(t->attention & ASKED_FREE) ? tasklet_side(t) : NULL;

    if (!side)
        return NULL;
    if (!side->address)
        side->address = address_new(t);
    return mw_address_ref(side->address);
}

void address_forget(mw_tasklet *t)
{
    mw_address *a = t->side ? t->side->address : NULL;
    struct inbox *before;

    if (!a)
        return;
    t->side->address = NULL;
    a->tasklet = NULL; /* what is still on its way is dropped */
    mw_link_remove(&a->link);
    before = atomic_exchange(&a->inbox, NULL);
    inbox_settle(t->mesh, before);
    mw_address_unref(a);
}
