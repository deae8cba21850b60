/* A ring of slots with tickets, many writers and one reader; and sleeping on a futex. Read next: address.c.
 * SPDX-License-Identifier: MIT
 *
 * A place is free once the reader has passed it. Writers look how far it is only when they have come to where it was when they
 * looked last, and the reader marks nothing in the slots: so in a ring that is not full each line of the cache goes from the writer
 * to the reader and no line comes back.
 *
 * Falling asleep loses no wake-up: the reader says that it sleeps and then looks at the tickets; a writer takes its ticket and
 * then looks whether the reader sleeps. All four are sequentially consistent, so one of them sees the other. The
 * writer fills its slot after that: a reader that sees a ticket without an item stays awake. tests/tasklet/interleaving_test.c
 * tries every order of these steps. */
#include "tasklet/inbox.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/hint.h"
#include "base/memory.h"
#include "base/processor.h"

/* So many slots ahead of what is written a line is fetched. A store to one that the reader has just read takes as long as ten posts, and the
 * next locked operation waits for it. */
enum { FETCHED_AHEAD = 8 };

struct inbox *inbox_new(uint32_t items)
{
    uint32_t count = 16, i;
    struct inbox *inbox;

    while (count < items && count < INBOX_ITEMS_MOST)
        count *= 2;
    inbox = mw_alloc_aligned(64, sizeof(*inbox) + (size_t)count * sizeof(inbox->slots[0]));
    if (!inbox)
        return NULL;
    atomic_init(&inbox->references, 1);
    inbox->mask = count - 1;
    inbox->posted = NULL;
    inbox->posted_context = NULL;
    atomic_init(&inbox->tail, 0);
    atomic_init(&inbox->limit, count);
    atomic_init(&inbox->sleep, INBOX_AWAKE);
    atomic_init(&inbox->rousing, 0);
    inbox->head = 0;
    atomic_init(&inbox->taken, 0);
    for (i = 0; i < count; i++)
        atomic_init(&inbox->slots[i].filled, 0);
    return inbox;
}

struct inbox *inbox_ref(struct inbox *inbox)
{
    atomic_fetch_add_explicit(&inbox->references, 1, memory_order_relaxed);
    return inbox;
}

void inbox_unref(struct inbox *inbox)
{
    if (inbox && atomic_fetch_sub(&inbox->references, 1) == 1)
        mw_free(inbox);
}

/* ---- writers ------------------------------------------------------------------------------------------------ */
/* Only one of those who see it asleep gets how. inbox_rouse wakes the sleeper then, once the item is there: a reader that is woken
 * sooner finds a ticket without an item and can only spin. */
static unsigned inbox_claim_sleep(struct inbox *inbox)
{
    unsigned sleep;

    if (inbox->posted) /* before the claim: inbox_close either sees it or leaves nothing to claim */
        atomic_fetch_add(&inbox->rousing, 1);
    sleep = atomic_exchange(&inbox->sleep, INBOX_AWAKE);
    if (inbox->posted && sleep != INBOX_IN_LOOP)
        atomic_fetch_sub(&inbox->rousing, 1);
    return sleep;
}

static void inbox_rouse(struct inbox *inbox, unsigned sleep)
{
    if (sleep == INBOX_IN_LOOP) {
        inbox->posted(inbox->posted_context);
        atomic_fetch_sub(&inbox->rousing, 1);
    } else if (sleep == INBOX_IN_KERNEL) {
        (void)syscall(SYS_futex, &inbox->sleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0); /* it cannot fail */
    }
}

void inbox_rouse_reader(struct inbox *inbox)
{
    if (atomic_load(&inbox->sleep) != INBOX_AWAKE)
        inbox_rouse(inbox, inbox_claim_sleep(inbox));
}

/* Look how far the reader is. false: it has not come round to this ticket's place. Another writer may have seen more, and its limit be
 * overwritten: then somebody looks again. */
static bool limit_raise(struct inbox *inbox, uint64_t ticket)
{
    uint64_t limit = atomic_load_explicit(&inbox->taken, memory_order_acquire) + inbox->mask + 1;

    if (ticket >= limit)
        return false;
    atomic_store_explicit(&inbox->limit, limit, memory_order_release); /* who reads it may write where the reader has read */
    return true;
}

int inbox_put(struct inbox *inbox, struct mw_address *address, struct value_words item, const _Atomic(struct inbox *) *leads)
{
    uint64_t ticket = atomic_load_explicit(&inbox->tail, memory_order_relaxed);
    unsigned sleep = INBOX_AWAKE;
    struct inbox_slot *slot;
    bool is_meant;

    do {
        if (UNLIKELY(ticket >= atomic_load_explicit(&inbox->limit, memory_order_acquire)) && !limit_raise(inbox, ticket))
            return -EAGAIN;
    } while (!atomic_compare_exchange_weak(&inbox->tail, &ticket, ticket + 1));
    cpu_prefetch_to_write(&inbox->slots[(ticket + FETCHED_AHEAD) & inbox->mask]);
    if (UNLIKELY(atomic_load(&inbox->sleep) != INBOX_AWAKE))
        sleep = inbox_claim_sleep(inbox);
    is_meant = atomic_load(leads) == inbox;
    slot = &inbox->slots[ticket & inbox->mask];
    slot->address = is_meant ? address : NULL;
    value_store(&slot->item, item);
    atomic_store_explicit(&slot->filled, ticket + 1, memory_order_release);
    if (UNLIKELY(sleep != INBOX_AWAKE))
        inbox_rouse(inbox, sleep);
    return LIKELY(is_meant) ? 0 : -ESTALE;
}

/* ---- the reader ------------------------------------------------------------------------------------------------ */
bool inbox_take(struct inbox *inbox, struct mw_address **ret_address, struct value_words *ret_item)
{
    uint64_t next = inbox->head + 1;
    const struct inbox_slot *slot = &inbox->slots[inbox->head & inbox->mask];

    if (atomic_load_explicit(&slot->filled, memory_order_acquire) != next)
        return false;
    *ret_address = slot->address;
    *ret_item = value_words(&slot->item);
    inbox->head = next;
    atomic_store_explicit(&inbox->taken, next, memory_order_release);
    return true;
}

bool inbox_has(const struct inbox *inbox, uint32_t count)
{
    uint64_t last = inbox->head + count;

    return atomic_load_explicit(&inbox->slots[(last - 1) & inbox->mask].filled, memory_order_relaxed) == last;
}

uint64_t inbox_tail(struct inbox *inbox)
{
    return atomic_load(&inbox->tail);
}

bool inbox_fall_asleep(struct inbox *inbox, enum inbox_sleep how)
{
    /* An exchange and no store: qemu 7.2 lets a sequentially consistent load overtake such a store (it takes STLR, LDAR
     * for release and acquire), and then a wake-up is lost. x86 stores so by an exchange anyway. */
    (void)atomic_exchange(&inbox->sleep, how);
    if (atomic_load(&inbox->tail) == inbox->head)
        return true;
    inbox_wake_up(inbox);
    return false;
}

void inbox_close(struct inbox *inbox)
{
    if (!inbox)
        return;
    (void)atomic_exchange(&inbox->sleep, INBOX_AWAKE); /* from here on nobody has anything to claim */
    while (atomic_load(&inbox->rousing) > 0)
        (void)sched_yield(); /* it always succeeds */
    inbox_unref(inbox);
}

void inbox_wake_up(struct inbox *inbox)
{
    if (atomic_load_explicit(&inbox->sleep, memory_order_relaxed) != INBOX_AWAKE) /* writers look at its line for each item */
        atomic_store_explicit(&inbox->sleep, INBOX_AWAKE, memory_order_relaxed);
}

void inbox_sleep_until(struct inbox *inbox, int64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000), .tv_nsec = (long)(deadline_ns % 1000000000)};

    while (atomic_load(&inbox->sleep) != INBOX_AWAKE) {
        /* An absolute time of the monotonic clock, which only the bitset form takes. Other results than these two: look again. */
        if (syscall(SYS_futex, &inbox->sleep, FUTEX_WAIT_BITSET_PRIVATE, INBOX_IN_KERNEL, deadline_ns == MW_FOREVER ? NULL : &until, NULL,
                    FUTEX_BITSET_MATCH_ANY) < 0 &&
            errno == ETIMEDOUT)
            break;
    }
    inbox_wake_up(inbox);
}
