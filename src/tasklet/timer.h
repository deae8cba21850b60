/* The clock of a mesh, and what is due when: a heap of entries that lie in their owners.
 * Not what becomes of whoever waits; that is later.c. Read next: timer.c, later.c.
 * SPDX-License-Identifier: MIT */
#ifndef TASKLET_TIMER_H
#define TASKLET_TIMER_H

#include <meshwork/base.h>

struct mw_scheduler;

/* Embedded in its owner; zeroed but for due. */
struct mesh_timer {
    void (*due)(struct mesh_timer *timer); /* called once, by a turn of the mesh that it is set in; no longer set then. It may
                                              wake and send, and free its owner; it runs no body */
    uint32_t place; /* in the heap, from 1; 0: not set */
};

/* Set, or set anew. Equal deadlines are due in the order of setting. Nothing is allocated once the heap has been as large.
 * deadline_ns  of mesh_now; what has passed is due at the next turn; MW_FOREVER stops it
 * returns      0; -ENOMEM: as before */
int mesh_timer_set(struct mw_scheduler *m, struct mesh_timer *timer, int64_t deadline_ns);
void mesh_timer_stop(struct mw_scheduler *m, struct mesh_timer *timer); /* also one that is not set */
/* Set in another mesh from now on, as it is in this one. to has room: mesh_timers_reserve */
void mesh_timer_move(struct mw_scheduler *from, struct mw_scheduler *to, struct mesh_timer *timer);
int mesh_timers_reserve(struct mw_scheduler *m, uint32_t more); /* so that so many can be set; 0, -ENOMEM */
int64_t mesh_timers_next(const struct mw_scheduler *m);         /* the next deadline; MW_FOREVER: none */
/* Call what is due by now. */
void mesh_timers_run(struct mw_scheduler *m);

/* The time of this turn, read when it began; outside a turn, the time. Of the mesh's own clock where it has one. */
int64_t mesh_now(struct mw_scheduler *m);
/* Read the clock: a turn begins. */
void mesh_read_clock(struct mw_scheduler *m);

#endif
