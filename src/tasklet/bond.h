/* Whoever outside a mesh does something for a tasklet, and has to know when that is freed. Exported for the runtime, not installed.
 * Not monitors, which tell other tasklets of its close; those are monitor.c.
 * SPDX-License-Identifier: MIT */
#ifndef TASKLET_BOND_H
#define TASKLET_BOND_H

#include <meshwork/tasklet.h>

#include "base/list.h"

struct mw_bond {
    struct mw_link link; /* in the tasklet's side */
    void (*gone)(struct mw_bond *bond); /* the tasklet is being freed; the bond is over already */
};

/* Until gone is called or mw_link_remove ends it. context: the mesh's own thread. 0; -EINVAL it is being freed, -ENOMEM */
MW_EXPORT int mw_bond_begin(mw_tasklet *t, struct mw_bond *bond, void (*gone)(struct mw_bond *bond));

#endif
