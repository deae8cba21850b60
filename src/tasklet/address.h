/* Addresses: how other threads reach a tasklet, wherever it moves, and how many items of theirs it has room for.
 * The public contract is meshwork/tasklet.h. Read next: address.c, inbox.h.
 * SPDX-License-Identifier: MIT */
#ifndef TASKLET_ADDRESS_H
#define TASKLET_ADDRESS_H

#include "tasklet/inbox.h"
#include "tasklet/mesh.h"

/* Deliver what other threads have posted, as much as was there at the beginning. Only where the mesh has an inbox; one that
 * stands in another mesh has its root do it. */
void mesh_take_posts(struct mw_scheduler *m);
/* Make the inboxes of m and of all meshes around it. 0, -ENOMEM */
int mesh_reserve_inboxes(struct mw_scheduler *m);
/* The addresses of m, and of the meshes in it, lead to its root's inbox from now on. The inboxes are there. */
void mesh_reroute(struct mw_scheduler *m);
/* The inboxes around s are there, and the addresses of m and of the meshes in it keep hold of them. 0, -ENOMEM */
int mesh_reserve_routes(struct mw_scheduler *m, struct mw_scheduler *s);

/* For one tasklet that moves: the same. */
int address_reserve(mw_tasklet *t, struct mw_scheduler *s);
void address_move(mw_tasklet *t); /* it is in its new mesh */
/* An item has left the mailbox, or several: those who post may have room again. t has an address. */
void address_room(mw_tasklet *t);
/* The turn is over: what this thread has claimed and not used goes back to its address. */
void address_unclaim(struct mw_thread *thread);
void address_forget(mw_tasklet *t); /* it is being freed */

#endif
