/* What the fuzz targets of the codecs share: cutting input in ways that the input itself decides, a running
 * hash of what came out, and how a broken promise is told.
 * SPDX-License-Identifier: MIT */
#ifndef FUZZ_SLICES_H
#define FUZZ_SLICES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* A promise: stays in every build. */
#define PROMISE(condition)                                                                        \
    ((condition) ? (void)0                                                                        \
                 : (fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition), abort()))

/* What came out so far: FNV-1a. */
static inline void slices_note(uint64_t *io_hash, const void *bytes, size_t count)
{
    const uint8_t *from = bytes;
    size_t i;

    for (i = 0; i < count; i++)
        *io_hash = (*io_hash ^ from[i]) * UINT64_C(1099511628211);
    *io_hash = (*io_hash ^ count) * UINT64_C(1099511628211);
}

static inline void slices_note_number(uint64_t *io_hash, uint64_t number)
{
    slices_note(io_hash, &number, sizeof number);
}

/* How many bytes come next. seed 0: all; 1: one; else as its random sequence says, mostly few. */
static inline size_t slices_next(uint32_t seed, uint32_t *io_state, size_t left)
{
    uint32_t random;

    if (seed == 0)
        return left;
    if (seed == 1)
        return 1;
    *io_state = *io_state * 1664525U + 1013904223U;
    random = *io_state >> 8;
    if (random % 3 != 0 && left > 12)
        left = 12;
    return 1 + (random >> 4) % left;
}

#endif
