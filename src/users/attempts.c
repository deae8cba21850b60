/* Attempts in a table of fixed size, of which the oldest near by gives way.
 * SPDX-License-Identifier: MIT */
#include "users/attempts.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define SECOND_NS INT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)
#define WAIT_MOST_NS (15 * MINUTE_NS)
/* After so many failures each further one doubles the wait, from a second on. */
enum { FREE_FAILURES = 3, DOUBLINGS_MOST = 20 };

void attempts_clear(struct attempts *a)
{
    mw_free(a->entries);
    *a = (struct attempts){0};
}

static uint64_t key_of(const char *user, const char *address)
{
    char text[512];
    size_t user_count = user ? strlen(user) + 1 : 0, address_count = strlen(address);
    uint64_t key;

    if (user_count > 256)
        user_count = 256;
    if (address_count > 128)
        address_count = 128;
    if (user)
        memcpy(text, user, user_count);
    memcpy(text + user_count, address, address_count);
    key = mw_hash(text, user_count + address_count);
    return key ? key : 1;
}

static bool is_in_use(const struct attempts_entry *e, int64_t now_ns)
{
    return e->key != 0 && (now_ns - e->minute_ns < MINUTE_NS || now_ns < e->until_ns);
}

/* Its own, a free one, or that of the one who tried longest ago. */
static struct attempts_entry *entry_of(struct attempts *a, uint64_t key, int64_t now_ns)
{
    struct attempts_entry *set = &a->entries[(key % (ATTEMPTS_PLACES / ATTEMPTS_WAYS)) * ATTEMPTS_WAYS], *oldest = set;
    size_t i;

    for (i = 0; i < ATTEMPTS_WAYS; i++)
        if (set[i].key == key)
            return &set[i];
    for (i = 0; i < ATTEMPTS_WAYS; i++) {
        if (!is_in_use(&set[i], now_ns)) {
            oldest = &set[i];
            break;
        }
        if (set[i].minute_ns < oldest->minute_ns)
            oldest = &set[i];
    }
    a->forgotten += is_in_use(oldest, now_ns);
    *oldest = (struct attempts_entry){.key = key, .minute_ns = now_ns};
    return oldest;
}

/* 0, or how long to wait. */
static int64_t wait_of(struct attempts_entry *e, uint32_t most, int64_t now_ns)
{
    if (now_ns - e->minute_ns >= MINUTE_NS) {
        e->minute_ns = now_ns;
        e->count = 0;
    }
    if (now_ns < e->until_ns)
        return e->until_ns - now_ns;
    return e->count >= most ? e->minute_ns + MINUTE_NS - now_ns : 0;
}

int64_t attempts_try(struct attempts *a, const struct attempts_limits *limits, const char *user, const char *address,
                     int64_t now_ns)
{
    struct attempts_entry *of_user, *of_address;
    int64_t wait_ns;

    if (!a->entries)
        a->entries = mw_alloc_zeroed(ATTEMPTS_PLACES, sizeof(*a->entries));
    if (!a->entries)
        return -ENOMEM;
    if (limits->per_address > 0) {
        of_address = entry_of(a, key_of(NULL, address), now_ns);
        wait_ns = wait_of(of_address, limits->per_address, now_ns);
        if (wait_ns > 0) {
            a->put_off_of_address++;
            return wait_ns;
        }
        of_address->count++;
    }
    of_user = entry_of(a, key_of(user, address), now_ns);
    wait_ns = wait_of(of_user, limits->per_user, now_ns);
    if (wait_ns > 0) {
        a->put_off_of_user++;
        return wait_ns;
    }
    of_user->count++;
    return 0;
}

void attempts_done(struct attempts *a, const char *user, const char *address, int64_t now_ns, bool is_right)
{
    struct attempts_entry *e;
    uint32_t doublings;
    int64_t wait_ns;

    if (!a->entries)
        return;
    e = entry_of(a, key_of(user, address), now_ns);
    if (is_right) {
        e->failures = e->count = 0;
        e->until_ns = 0;
        return;
    }
    if (++e->failures <= FREE_FAILURES)
        return;
    doublings = e->failures - FREE_FAILURES - 1;
    wait_ns = SECOND_NS << (doublings < DOUBLINGS_MOST ? doublings : DOUBLINGS_MOST);
    e->until_ns = now_ns + (wait_ns < WAIT_MOST_NS ? wait_ns : WAIT_MOST_NS);
}
