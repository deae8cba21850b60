/* What a mesh's host is to the calls of this room: a poller and how much work is out. One per worker; the server has one too.
 * Read next: worker.c, stream.c, process.c, offload.c.
 * SPDX-License-Identifier: MIT */
#ifndef RUNTIME_HOST_H
#define RUNTIME_HOST_H

#include <meshwork/runtime.h>

#include "runtime/poller.h"
#include "scheduler/host.h"

enum { OFFLOAD_MOST = 1024, PROCESSES_MOST = 1024 };

/* All zeros but the poller at first. */
struct runtime_host {
    struct poller *poller;
    struct signal_to *signals; /* of signal.c */
    uint32_t works; /* functions on other threads that have not come back */
    uint64_t works_refused;
    struct mw_process *processes; /* not both ended and closed */
    size_t running;               /* of these: not ended */
    uint64_t processes_started, processes_refused;
};

/* The host of self, where it may suspend. returns 0; -EINVAL, -ENOTSUP, -ECANCELED */
int host_of(const mw_tasklet *self, struct runtime_host **ret);

/* When its meshes are gone: kill the children that are left, wait for these and for the functions that are out.
 * returns how many children had not ended and been given up by nobody */
size_t host_end(struct runtime_host *host);

/* Of process.c, for host_end: close all that are left and forget whoever cannot be killed. */
size_t processes_end(struct runtime_host *host);

#endif
