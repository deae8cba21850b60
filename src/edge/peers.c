/* The table of addresses: linear probing, swept of entries that say nothing before it grows.
 * Read next: listener.c.
 * SPDX-License-Identifier: MIT */
#include "edge/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/memory.h"

struct peer {
    struct peer_address address;
    int64_t since_ns; /* when the bucket was last filled */
    uint32_t tokens;
    uint32_t count; /* connections now */
    bool is_used;
};

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool peer_is_loopback(const struct peer_address *address)
{
    static const uint8_t loopback[16] = {[15] = 1}, none[16] = {0};

    if (memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix) == 0)
        return address->bytes[12] == 127;
    return memcmp(address->bytes, loopback, 16) == 0 || memcmp(address->bytes, none, 16) == 0;
}

/* As inet_ntop does, which goes by way of printf and is asked for every request. */
static void print_v4(const uint8_t bytes[4], char *ret)
{
    int i;

    for (i = 0; i < 4; i++) {
        uint8_t n = bytes[i];

        if (i > 0)
            *ret++ = '.';
        if (n >= 100)
            *ret++ = (char)('0' + n / 100);
        if (n >= 10)
            *ret++ = (char)('0' + n / 10 % 10);
        *ret++ = (char)('0' + n % 10);
    }
    *ret = '\0';
}

const char *peer_text(const struct peer_address *address, char ret[PEER_TEXT_BYTES])
{
    static const uint8_t none[16] = {0};
    bool is_mapped = memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix) == 0;

    ret[0] = '\0';
    if (memcmp(address->bytes, none, 16) == 0)
        return ret;
    if (is_mapped)
        print_v4(address->bytes + 12, ret);
    else
        (void)inet_ntop(AF_INET6, address->bytes, ret, PEER_TEXT_BYTES);
    return ret;
}

void peers_clear(struct peers *peers)
{
    mw_free(peers->slots);
    *peers = (struct peers){.slots = NULL};
}

static size_t peers_slot(const struct peers *peers, const struct peer_address *address)
{
    uint64_t a, b, h;

    memcpy(&a, address->bytes, 8);
    memcpy(&b, address->bytes + 8, 8);
    h = (a ^ peers->key[0]) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
    h = (h ^ b ^ peers->key[1]) * UINT64_C(0xbf58476d1ce4e5b9);
    h ^= h >> 32;
    return (size_t)h & (peers->capacity - 1);
}

/* The entry of an address, or the free slot where it would lie. */
static struct peer *peers_find(const struct peers *peers, const struct peer_address *address)
{
    size_t at = peers_slot(peers, address);

    while (peers->slots[at].is_used && memcmp(&peers->slots[at].address, address, sizeof *address) != 0)
        at = (at + 1) & (peers->capacity - 1);
    return &peers->slots[at];
}

/* Into a fresh table, without those that have no connection and whose bucket has had a second to fill. */
static int peers_rebuild(struct peers *peers, size_t capacity, int64_t now_ns)
{
    struct peers fresh = {.capacity = capacity};
    size_t i;

    fresh.slots = mw_alloc_zeroed(capacity, sizeof *fresh.slots);
    if (!fresh.slots)
        return -ENOMEM;
    if (getrandom(fresh.key, sizeof fresh.key, GRND_NONBLOCK) != (ssize_t)sizeof fresh.key)
        fresh.key[0] = (uint64_t)now_ns ^ (uint64_t)(uintptr_t)fresh.slots; /* early in boot */
    for (i = 0; i < peers->capacity; i++) {
        const struct peer *p = &peers->slots[i];

        if (!p->is_used || (p->count == 0 && now_ns - p->since_ns > INT64_C(1000000000)))
            continue;
        *peers_find(&fresh, &p->address) = *p;
        fresh.count++;
    }
    mw_free(peers->slots);
    *peers = fresh;
    return 0;
}

static int peers_make_room(struct peers *peers, int64_t now_ns)
{
    int err;

    if (peers->capacity && peers->count < peers->capacity / 2)
        return 0;
    err = peers_rebuild(peers, peers->capacity ? peers->capacity : 64, now_ns);
    if (err == 0 && peers->count >= peers->capacity / 2)
        err = peers_rebuild(peers, peers->capacity * 2, now_ns);
    return err;
}

int peers_enter(struct peers *peers, const struct peer_address *address, uint64_t most, uint64_t per_s,
                int64_t now_ns, enum peers_verdict *ret)
{
    int err = peers_make_room(peers, now_ns);
    struct peer *p;
    int64_t age_ns;
    double gained;

    if (err < 0)
        return err;
    p = peers_find(peers, address);
    if (!p->is_used) {
        *p = (struct peer){
            .address = *address, .since_ns = now_ns, .tokens = (uint32_t)per_s, .is_used = true};
        peers->count++;
    }
    age_ns = now_ns - p->since_ns;
    gained = (double)age_ns * (double)per_s / 1e9;
    if (gained >= 1.0) {
        p->tokens = gained + p->tokens >= (double)per_s ? (uint32_t)per_s : p->tokens + (uint32_t)gained;
        p->since_ns = now_ns;
    }
    *ret = p->count >= most ? PEERS_TOO_MANY : p->tokens == 0 ? PEERS_TOO_FAST : PEERS_WELCOME;
    if (*ret == PEERS_WELCOME) {
        p->tokens--;
        p->count++;
    }
    return 0;
}

void peers_leave(struct peers *peers, const struct peer_address *address)
{
    struct peer *p;

    if (!peers->capacity)
        return;
    p = peers_find(peers, address);
    if (p->is_used && p->count > 0)
        p->count--;
}
