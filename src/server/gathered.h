/* What the tasklets of an app's meshes do, added up by name: for metrics. At most 64 names for each app, so that what peers make cannot
 * grow what is told.
 * Read next: gathered.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_GATHERED_H
#define SERVER_GATHERED_H

#include "app/mount.h"

enum { GATHERED_NAMES_MAX = 64, GATHERED_NAME_BYTES = 64 };

/* All tasklets of one name, in all meshes of an app. */
struct gathered_name {
    char name[GATHERED_NAME_BYTES]; /* a long one is cut */
    uint64_t tasklets, queued, capacity, processed, refused, dropped, failures;
};

struct gathered {
    struct mw_scheduler_stats mesh; /* sums */
    struct gathered_name named[GATHERED_NAMES_MAX + 1]; /* the last: all others */
    size_t named_count, last, seen;
};

/* Look through an app's meshes, on their thread: 50,000 tasklets at most, about 2 ms. */
void gathered_fill(struct gathered *ret, const struct app *app);
/* Add what was gathered on another thread. */
void gathered_add(struct gathered *io, const struct gathered *more);

#endif
