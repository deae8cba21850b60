/* Work on other threads, while the tasklet waits.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/memory.h"
#include "runtime/host.h"

/* A function that is out. Belongs to done, which frees it. */
struct offload {
    struct runtime_host *host;
    mw_tasklet *waits; /* NULL: no longer */
    int (*run)(void *arg);
    void (*release)(void *arg);
    void *arg;
    int result;
};

static void offload_run(void *context)
{
    struct offload *o = context;

    o->result = o->run(o->arg);
}

static void offload_done(void *context)
{
    struct offload *o = context;

    o->host->works--;
    if (o->waits) {
        mw_outside_wake(o->waits, 0); /* the result is read where it waits */
        o->host = NULL;               /* the waiter frees it */
        return;
    }
    if (o->release)
        o->release(o->arg);
    mw_free(o);
}

/* returns  as mw_offload. *ret_is_out: it has not come back, and release is its own affair */
static int offload(mw_tasklet *self, int (*run)(void *arg), void *arg, void (*release)(void *arg), int64_t deadline_ns, bool *ret_is_out)
{
    struct runtime_host *host;
    struct offload *o;
    int err = run ? host_of(self, &host) : -EINVAL, result;

    if (err < 0)
        return err;
    if (host->works >= OFFLOAD_MOST) {
        host->works_refused++;
        return -EAGAIN;
    }
    o = mw_alloc_zeroed(1, sizeof(*o));
    if (!o)
        return -ENOMEM;
    *o = (struct offload){.host = host, .waits = self, .run = run, .release = release, .arg = arg};
    err = poller_work(host->poller, offload_run, offload_done, o);
    if (err < 0) {
        mw_free(o);
        return err;
    }
    host->works++;
    err = mw_outside_wait(self, MW_OUTSIDE_WORK, deadline_ns);
    if (o->host) {
        o->waits = NULL;
        *ret_is_out = true;
        return err;
    }
    result = o->result; /* it is done, whatever else has come at the same time */
    mw_free(o);
    return err < 0 ? err : result;
}

int mw_offload(mw_tasklet *self, int (*run)(void *arg), void *arg, void (*release)(void *arg), int64_t deadline_ns)
{
    LIVE_CHECK(self);
    bool is_out = false;
    int result = offload(self, run, arg, release, deadline_ns, &is_out);

    if (result < 0 && !is_out && release)
        release(arg);
    return result;
}
