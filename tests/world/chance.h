/* Where a run of the world takes its choices from: the bytes of a fuzzer as long as there are any, then a seed.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_CHANCE_H
#define WORLD_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
    uint64_t state; /* of splitmix64 */
    const uint8_t *bytes;
    size_t left;
};

static inline uint64_t chance_bits(struct chance *c)
{
    uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    if (c->left > 0) {
        c->left--;
        z = *c->bytes++ * UINT64_C(0x0101010101010101);
    }
    return z;
}
/* 0 to below - 1. */
static inline size_t chance_below(struct chance *c, size_t below)
{
    return below > 1 ? (size_t)(chance_bits(c) >> 16) % below : 0;
}
static inline bool chance_one_in(struct chance *c, size_t n)
{
    return chance_below(c, n) == n - 1;
}

#endif
