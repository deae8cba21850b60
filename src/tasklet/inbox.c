/* A ring of slots with tickets (Vyukov's bounded queue), many writers and one reader; and sleeping on a futex.
 *
 * Falling asleep loses no wake-up: the reader says that it sleeps and then looks at the tickets; a writer takes its ticket and
 * then looks whether the reader sleeps. All four are sequentially consistent, so one of them sees the other. The
 * writer fills its slot after that: a reader that sees a ticket without an item stays awake. tests/tasklet/interleaving_test.c
 * tries every order of these steps.
 * Read next: address.c.
 * SPDX-License-Identifier: MIT */
#include "tasklet/inbox.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

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
    atomic_init(&inbox->sleep, INBOX_AWAKE);
    atomic_init(&inbox->rousing, 0);
    inbox->head = 0;
    for (i = 0; i < count; i++)
        atomic_init(&inbox->slots[i].sequence, i);
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

/* A ticket and its slot; NULL: full. */
static struct inbox_slot *slot_take(struct inbox *inbox, uint64_t *ret_ticket)
{
    uint64_t ticket = atomic_load_explicit(&inbox->tail, memory_order_relaxed);

    for (;;) {
        struct inbox_slot *slot = &inbox->slots[ticket & inbox->mask];
        uint64_t sequence = atomic_load_explicit(&slot->sequence, memory_order_acquire);

        if (sequence < ticket)
            return NULL; /* the reader has not come round to it */
        if (sequence > ticket)
            ticket = atomic_load_explicit(&inbox->tail, memory_order_relaxed);
        else if (atomic_compare_exchange_weak(&inbox->tail, &ticket, ticket + 1)) {
            *ret_ticket = ticket;
            return slot;
        }
    }
}

int inbox_put(struct inbox *inbox, struct mw_address *address, mw_value item,
              bool (*is_here)(const struct mw_address *address, const struct inbox *inbox))
{
    uint64_t ticket;
    struct inbox_slot *slot = slot_take(inbox, &ticket);
    unsigned sleep = INBOX_AWAKE;
    bool is_meant;

    if (!slot)
        return -EAGAIN;
    if (atomic_load(&inbox->sleep) != INBOX_AWAKE)
        sleep = inbox_claim_sleep(inbox);
    is_meant = is_here(address, inbox);
    slot->address = is_meant ? address : NULL;
    slot->item = item;
    atomic_store_explicit(&slot->sequence, ticket + 1, memory_order_release);
    inbox_rouse(inbox, sleep);
    return is_meant ? 0 : -ESTALE;
}

/* ---- the reader ------------------------------------------------------------------------------------------------ */
bool inbox_take(struct inbox *inbox, struct mw_address **ret_address, mw_value *ret_item)
{
    struct inbox_slot *slot = &inbox->slots[inbox->head & inbox->mask];

    if (atomic_load_explicit(&slot->sequence, memory_order_acquire) != inbox->head + 1)
        return false;
    *ret_address = slot->address;
    *ret_item = slot->item;
    atomic_store_explicit(&slot->sequence, inbox->head + inbox->mask + 1, memory_order_release);
    inbox->head++;
    return true;
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
