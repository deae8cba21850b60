/* Ages of queued items, to the turn: notes that a mesh makes of how far queues reach.
 * Read next: age.c.
 * SPDX-License-Identifier: MIT */
#ifndef TASKLET_AGE_H
#define TASKLET_AGE_H

#include <meshwork/tasklet.h>

struct mw_scheduler;

/* The items of a tasklet that are numbered below until were queued at since_ns or before. */
struct age_note {
    const mw_tasklet *tasklet; /* NULL: there is none */
    uint64_t until;
    int64_t since_ns;
};
struct ages {
    struct age_note *notes;    /* by position, as far as mask goes: a thousand at most */
    uint32_t mask, count;      /* count: of those that are there */
    uint32_t cursor;           /* the position to be looked at next */
    int64_t next_ns;           /* not before then */
};

int ages_grow(struct mw_scheduler *m, uint32_t capacity); /* before there are so many positions; 0, -ENOMEM */
void ages_clear(struct mw_scheduler *m);      /* positions are about to change */
void ages_free(struct mw_scheduler *m);
void ages_forget(const mw_tasklet *t);        /* its queue is dropped, or it leaves */
/* At the beginning of a turn, where next_ns has come: look at the next 128 members. */
void ages_note(struct mw_scheduler *m);
/* Since when at least its oldest item has been queued. false: not known, as it came since the last note, or there is none. Signal-safe */
bool tasklet_oldest_since(const mw_tasklet *t, int64_t *ret_ns);

#endif
