/* Work on other threads whose answer comes as an item: for those who have no stack to wait on.
 * Not waiting for it; that is offload.c. Read next: signal.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/memory.h"
#include "runtime/host.h"

/* A function that is out. Belongs to done, which frees it. */
struct offload_to {
    struct runtime_host *host;
    struct mw_question *question; /* that it answers */
    int (*run)(void *arg, mw_value *ret_answer);
    void (*release)(void *arg);
    void *arg;
    int result;
    mw_value answer;
};

static void run_elsewhere(void *context)
{
    struct offload_to *o = context;

    o->result = o->run(o->arg, &o->answer);
}

static void come_back(void *context)
{
    struct offload_to *o = context;

    o->host->works--;
    if (o->release)
        o->release(o->arg);
    mw_outside_answer(o->question, o->result, o->answer);
    mw_free(o);
}

static int64_t offload_to(struct runtime_host *host, mw_tasklet *told, const struct offload_to *what, int64_t deadline_ns)
{
    struct offload_to *o = mw_alloc_zeroed(1, sizeof(*o));
    struct poller_job *job = NULL;
    int64_t id = o ? poller_job_new(host->poller, run_elsewhere, come_back, o, &job) : -ENOMEM;

    if (id == 0)
        id = mw_outside_ask(told, deadline_ns, &o->question);
    if (id < 0) {
        poller_job_free(job);
        mw_free(o);
        return id;
    }
    o->host = host;
    o->run = what->run;
    o->arg = what->arg;
    o->release = what->release;
    o->answer = mw_null();
    host->works++;
    poller_job_start(job);
    return id;
}

int64_t mw_offload_to(mw_tasklet *told, int (*run)(void *arg, mw_value *ret_answer), void *arg, void (*release)(void *arg), int64_t deadline_ns)
{
    LIVE_CHECK(told);
    const struct offload_to what = {.run = run, .arg = arg, .release = release};
    struct runtime_host *host = told && run ? mw_tasklet_host(told) : NULL;
    int64_t id;

    if (!told || !run)
        id = -EINVAL;
    else if (!host)
        id = -ENOTSUP;
    else if (host->works < OFFLOAD_MOST)
        id = offload_to(host, told, &what, deadline_ns);
    else
        id = -EAGAIN;
    if (id == -EAGAIN)
        host->works_refused++;
    if (id < 0 && release)
        release(arg);
    return id;
}
