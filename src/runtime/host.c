/* What runs a mesh, found from one of its tasklets, and its end.
 * Not the loops themselves; those are worker.c and the server's. Read next: stream.c.
 * SPDX-License-Identifier: MIT */
#include "runtime/host.h"

#include <errno.h>

int host_of(const mw_tasklet *self, struct runtime_host **ret)
{
    int err = mw_outside_check(self);

    if (err < 0)
        return err;
    *ret = mw_tasklet_host(self);
    return *ret ? 0 : -ENOTSUP;
}

size_t host_end(struct runtime_host *host)
{
    size_t killed = processes_end(host);

    while (host->works > 0 || host->processes) /* they come back to this poller */
        poller_run_once(host->poller, true);
    return killed;
}

struct mw_worker_stats mw_worker_stats(const mw_tasklet *self)
{
    LIVE_CHECK(self);
    const struct runtime_host *host = mw_tasklet_host(self);

    if (!host)
        return (struct mw_worker_stats){0};
    return (struct mw_worker_stats){
        .works = host->works,
        .works_refused = host->works_refused,
        .processes = host->running,
        .processes_started = host->processes_started,
        .processes_refused = host->processes_refused,
    };
}
