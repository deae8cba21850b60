/* SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF"), keyed once per process from the kernel.
 * Not for secrets; OpenSSL does those.
 * SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#include "base/hint.h"
#include "base/word.h"

static struct {
    pthread_once_t once;
    atomic_bool is_made; /* the key; so that a hash after the first makes no call */
    uint64_t key[2];
} hash_process = {.once = PTHREAD_ONCE_INIT};

static void hash_make_key(void)
{
    const void *of_the_kernel = (const void *)(uintptr_t)getauxval(AT_RANDOM);

    if (getrandom(hash_process.key, sizeof(hash_process.key), GRND_NONBLOCK) != (ssize_t)sizeof(hash_process.key)) {
        /* Early at boot, or forbidden: the 16 random bytes that every process gets at its start. */
        if (of_the_kernel)
            memcpy(hash_process.key, of_the_kernel, sizeof(hash_process.key));
        hash_process.key[0] ^= (uint64_t)mw_now_ns();
    }
    atomic_store_explicit(&hash_process.is_made, true, memory_order_release);
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

uint64_t mw_hash_keyed(const uint64_t key[2], const void *bytes, size_t byte_count)
{
    const uint8_t *p = bytes;
    uint64_t v[4], word;
    size_t left = byte_count;

    v[0] = UINT64_C(0x736f6d6570736575) ^ key[0];
    v[1] = UINT64_C(0x646f72616e646f6d) ^ key[1];
    v[2] = UINT64_C(0x6c7967656e657261) ^ key[0];
    v[3] = UINT64_C(0x7465646279746573) ^ key[1];
    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        v[3] ^= word;
        hash_round(v);
        v[0] ^= word;
    }
    word = mw_word_of(p, left) | (uint64_t)byte_count << 56;
    v[3] ^= word;
    hash_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    hash_round(v);
    hash_round(v);
    hash_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t mw_hash(const void *bytes, size_t byte_count)
{
    if (UNLIKELY(!atomic_load_explicit(&hash_process.is_made, memory_order_acquire)))
        (void)pthread_once(&hash_process.once, hash_make_key); /* fails for no valid argument */
    return mw_hash_keyed(hash_process.key, bytes, byte_count);
}
