/* A worker without a thread of its own: worker 0 of a runtime in whoever's thread calls it, in his loop or in its place.
 * Not what it does in a pass; that is worker.c. Read next: examples/11-host-loop.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "runtime/worker.h"

/* Worker 0 is whoever comes first, for good: coroutines that have begun on a thread stay there.
 * returns 0; -EINVAL, -ENOTSUP, -EBUSY */
static int take_worker_0(mw_runtime *rt)
{
    unsigned long me = (unsigned long)pthread_self(), nobody = 0;

    if (!rt)
        return -EINVAL;
    if (!rt->is_embedded)
        return -ENOTSUP;
    if (!atomic_compare_exchange_strong(&rt->caller, &nobody, me) && nobody != me)
        return -EBUSY; /* it is another thread's */
    return rt->is_turning ? -EBUSY : 0;
}

int mw_runtime_turn(mw_runtime *rt, int64_t timeout_ns)
{
    int err = take_worker_0(rt);
    struct worker *w;
    int64_t now_ns;

    if (err < 0)
        return err;
    if (atomic_load(&rt->must_stop))
        return 0;
    w = &rt->workers[0];
    if (timeout_ns > 0 && timeout_ns != MW_FOREVER) {
        now_ns = mw_now_ns();
        if (timeout_ns < w->timer_ns - now_ns)
            worker_wake_at(w, now_ns + timeout_ns); /* its turn sets it anew */
    }
    rt->is_turning = true;
    poller_run_once(w->host.poller, timeout_ns > 0);
    rt->is_turning = false;
    return atomic_load(&rt->must_stop) ? 0 : 1;
}

int mw_runtime_run(mw_runtime *rt)
{
    int err;

    do
        err = mw_runtime_turn(rt, MW_FOREVER);
    while (err == 1);
    return err;
}

int mw_runtime_fd(const mw_runtime *rt)
{
    return rt && rt->is_embedded ? poller_fd(rt->workers[0].host.poller) : -1;
}

int64_t mw_runtime_timeout_ns(mw_runtime *rt)
{
    int timeout_ms;

    if (take_worker_0(rt) < 0)
        return MW_FOREVER;
    timeout_ms = atomic_load(&rt->must_stop) ? 0 : poller_timeout_ms(rt->workers[0].host.poller);
    return timeout_ms < 0 ? MW_FOREVER : timeout_ms * INT64_C(1000000);
}
