/* SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF"), keyed once per process from the kernel.
 * Not for secrets; OpenSSL does those.
 * SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

static struct {
    pthread_once_t once;
    uint64_t key[2];
} hash_process = {.once = PTHREAD_ONCE_INIT};

static void hash_make_key(void)
{
    /* Without entropy at boot the clock and an address still differ from run to run. */
    if (getrandom(hash_process.key, sizeof(hash_process.key), GRND_NONBLOCK) !=
        (ssize_t)sizeof(hash_process.key)) {
        hash_process.key[0] = (uint64_t)mw_now_ns();
        hash_process.key[1] = (uint64_t)(uintptr_t)&hash_process;
    }
}

static inline uint64_t hash_rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void hash_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = hash_rotate(v[1], 13) ^ v[0];
    v[0] = hash_rotate(v[0], 32);
    v[2] += v[3];
    v[3] = hash_rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = hash_rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = hash_rotate(v[1], 17) ^ v[2];
    v[2] = hash_rotate(v[2], 32);
}

uint64_t mw_hash(const void *bytes, size_t byte_count)
{
    const uint8_t *p = bytes;
    uint64_t v[4], word = 0;
    size_t left = byte_count;

    (void)pthread_once(&hash_process.once, hash_make_key);
    v[0] = UINT64_C(0x736f6d6570736575) ^ hash_process.key[0];
    v[1] = UINT64_C(0x646f72616e646f6d) ^ hash_process.key[1];
    v[2] = UINT64_C(0x6c7967656e657261) ^ hash_process.key[0];
    v[3] = UINT64_C(0x7465646279746573) ^ hash_process.key[1];
    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        v[3] ^= word;
        hash_round(v);
        v[0] ^= word;
    }
    word = 0;
    if (left > 0)
        memcpy(&word, p, left);
    word |= (uint64_t)byte_count << 56;
    v[3] ^= word;
    hash_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    hash_round(v);
    hash_round(v);
    hash_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
