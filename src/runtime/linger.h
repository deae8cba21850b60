/* Whether it pays to look for a while before sleeping: each look in vain doubles the number of sleeps before the next one.
 * Not the looking; that is poller.c and worker.c. Read next: worker.c.
 * SPDX-License-Identifier: MIT */
#ifndef RUNTIME_LINGER_H
#define RUNTIME_LINGER_H

#include <stdbool.h>

/* A sleep and its end cost some 15 us: nobody looks for longer than that costs. */
enum { LINGER_NS = 20000, LINGER_MISSES = 8, LINGER_SETTLED = 4 };

/* All zeros at first. */
struct lingering {
    unsigned misses; /* how often in a row it was in vain, up to LINGER_MISSES */
    unsigned skip;   /* how many sleeps to go without */
};

/* Before a sleep. false: not this time */
static inline bool linger_may(struct lingering *l)
{
    if (l->skip == 0)
        return true;
    l->skip--;
    return false;
}

/* Somebody has come or gone: next will be another one. Slept through, several come together and cost less than each awaited. */
static inline void linger_unsettle(struct lingering *l)
{
    if (l->skip < LINGER_SETTLED)
        l->skip = LINGER_SETTLED;
}

/* It may, and has: was anything found? */
static inline void linger_note(struct lingering *l, bool has_found)
{
    if (has_found)
        l->misses = 0;
    else if (l->misses < LINGER_MISSES)
        l->misses++;
    l->skip = has_found ? 0 : 1u << l->misses;
}

#endif
