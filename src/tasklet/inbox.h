/* The way into a mesh from other threads: a bounded ring that many fill and the mesh's own thread empties, and how that
 * thread sleeps until somebody does. No lock; nothing is allocated per message.
 * Not whom an item is for and whether there is room; that is address.c. Read next: inbox.c.
 * SPDX-License-Identifier: MIT */
#ifndef TASKLET_INBOX_H
#define TASKLET_INBOX_H

#include <stdatomic.h>

#include "tasklet/words.h"

#define INBOX_ITEMS_DEFAULT 4096u
#define INBOX_ITEMS_MOST (1u << 20)

struct mw_address;

struct inbox_slot {
    atomic_uint_least64_t filled; /* its ticket + 1, once the item is there */
    struct mw_address *address;   /* NULL: given back unused */
    mw_value item;
};

enum inbox_sleep {
    INBOX_AWAKE,
    INBOX_IN_KERNEL, /* in inbox_sleep_until */
    INBOX_IN_LOOP,   /* in a loop of somebody's own, which posted wakes */
};

/* Each line of the cache is written by one side: writers', the reader's, or by whoever falls asleep and wakes up. */
struct inbox {
    atomic_uint references;
    uint32_t mask;
    void (*posted)(void *context); /* on the poster's thread; as the next, never changed once writers may be there */
    void *posted_context;
    _Alignas(64) atomic_uint_least64_t tail; /* writers': the next ticket */
    atomic_uint_least64_t limit;   /* writers': tickets below it have a place, as one of them saw last */
    _Alignas(64) atomic_uint sleep; /* enum inbox_sleep: how the mesh's thread sleeps or is about to; a futex */
    atomic_uint rousing;           /* posters that are about to call posted, or in it */
    _Alignas(64) uint64_t head;    /* the mesh's thread's alone: the next to be taken */
    atomic_uint_least64_t taken;   /* head, as writers may see it */
    _Alignas(64) struct inbox_slot slots[];
};

/* items  rounded up to a power of two; NULL: out of memory */
struct inbox *inbox_new(uint32_t items);
struct inbox *inbox_ref(struct inbox *inbox);
void inbox_unref(struct inbox *inbox); /* accepts NULL */

/* Put an item in for an address, whose leads says where it leads: looked at once a place is taken.
 * returns  0 taken; -EAGAIN full; -ESTALE the address leads elsewhere by now: nothing was put in
 * context  any thread, which holds a reference to address */
int inbox_put(struct inbox *inbox, struct mw_address *address, struct value_words item, const _Atomic(struct inbox *) *leads);

/* Wake the reader, where it sleeps, though nothing is there: it looks around and falls asleep again. Any thread that keeps the inbox. */
void inbox_rouse_reader(struct inbox *inbox);

/* ---- the mesh's own thread ---------------------------------------------------------------------- */
/* The next item. false: none is there yet. *ret_address NULL: a place that was given back unused */
bool inbox_take(struct inbox *inbox, struct mw_address **ret_address, struct value_words *ret_item);
/* Whether so many items are there at least; count 1 and up */
bool inbox_has(const struct inbox *inbox, uint32_t count);
/* Every ticket given so far; those below head have been taken. */
uint64_t inbox_tail(struct inbox *inbox);
/* Announce that the thread is about to sleep. false: something is there or on its way, it must not. */
bool inbox_fall_asleep(struct inbox *inbox, enum inbox_sleep how);
/* The mesh ends: nobody calls posted any more when this returns. Gives its reference back; accepts NULL. */
void inbox_close(struct inbox *inbox);
void inbox_wake_up(struct inbox *inbox); /* it does not sleep after all, or no longer */
/* Sleep, having fallen asleep INBOX_IN_KERNEL, until somebody posts or a deadline of mw_now_ns. Wakes up. */
void inbox_sleep_until(struct inbox *inbox, int64_t deadline_ns);

#endif
