/* Where tasklets lie: the first of a mesh on the heap, the others in slabs of some hundreds, which cost them no header each and go back to
 * the kernel when they are empty. Not what is in a tasklet; that is tasklet_priv.h. Read next: slab.c.
 * SPDX-License-Identifier: MIT */
#ifndef TASKLET_SLAB_H
#define TASKLET_SLAB_H

#include <meshwork/tasklet.h>

#include "base/list.h"

/* How many tasklets of a mesh lie on the heap before there is a slab: most meshes need none. */
#define SLAB_MEMBERS 256u

struct mw_scheduler;
struct slab;

#ifdef MW_CHECKED
#define FREED_KEPT 64u /* so that a use of them is seen */
#endif

struct slabs {
    struct mw_list with_room; /* struct slab by link: those of this mesh in which somebody still finds place */
    struct slab *spare;       /* an empty one, so that a number that goes to and fro asks the kernel only once; NULL */
    bool are_off;             /* whoever is made from now on lies on the heap: valgrind is to see each by itself, or one has moved away from a slab, and a
                                 mesh that makes them for others would leave a slab for each that it keeps */
#ifdef MW_CHECKED
    mw_tasklet *freed[FREED_KEPT]; /* that were freed last, and are not used again yet; NULL */
    uint32_t freed_at;             /* where the next one goes */
#endif
};

/* Room for one more tasklet of m, where none is pooled; undefined. NULL: out of memory */
mw_tasklet *slab_take(struct mw_scheduler *m);
/* What slab_take or block_take gave, with t->mesh as it was last. */
void slab_give(mw_tasklet *t);
/* t is about to move from one mesh to the other, both of this thread. */
void slab_move(const mw_tasklet *t, struct mw_scheduler *from, const struct mw_scheduler *to);
/* The mesh is being freed, its tasklets are. */
void slabs_clear(struct mw_scheduler *m);

#endif
