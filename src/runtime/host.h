/* What a mesh's host is to the calls of this room: a poller and how much work is out. One per worker; the server has one too.
 * Read next: worker.c, stream.c, offload.c.
 * SPDX-License-Identifier: MIT */
#ifndef RUNTIME_HOST_H
#define RUNTIME_HOST_H

#include <meshwork/runtime.h>

#include "runtime/poller.h"
#include "scheduler/host.h"

enum { OFFLOAD_MOST = 1024 };

struct runtime_host {
    struct poller *poller;
    uint32_t works; /* functions on other threads that have not come back */
};

/* The host of self, where it may suspend. returns 0; -EINVAL, -ENOTSUP, -ECANCELED */
int host_of(const mw_tasklet *self, struct runtime_host **ret);

#endif
