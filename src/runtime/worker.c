/* Workers: threads that each run a poller and the meshes that were given to them, in the poller's turn.
 * Not a worker on a thread of the host's; that is embed.c. Not input and output; those are stream.c and offload.c. Read next: embed.c.
 * SPDX-License-Identifier: MIT */
#include "runtime/worker.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "base/processor.h"
#include "base/signals.h"
#include "scheduler/fault.h"

enum {
    WORKERS_MOST = 1024,
    ROUNDS_MOST = 8,   /* of the meshes, before the kernel is asked again */
    ROUNDS_NS = 100000, /* and none begins later than this */
    POSTS_MANY = 32,    /* worth a round at once */
    POSTS_NS = 400,     /* between two looks for fewer */
};

struct worker_mesh {
    struct mw_link link;     /* in its worker's given, then in its meshes */
    struct mw_link all_link; /* in the runtime's meshes, until it is started */
    struct worker *worker;
    mw_scheduler *s;
};

/* ---- a worker's thread ---------------------------------------------------------------------------------- */
static void take_given(struct worker *w)
{
    struct mw_link *link;

    if (!atomic_load_explicit(&w->has_given, memory_order_acquire)) /* whoever sets it wakes this thread after that */
        return;
    (void)pthread_mutex_lock(&w->runtime->lock);
    atomic_store_explicit(&w->has_given, false, memory_order_relaxed);
    while ((link = mw_list_pop_front(&w->given)) != NULL)
        mw_list_push_back(&w->meshes, link);
    (void)pthread_mutex_unlock(&w->runtime->lock);
}

/* Each mesh one turn. returns whether one has more to do; *ret_due_ns: when the first of the others has. Counts items */
static bool round_of_meshes(struct worker *w, int64_t *ret_due_ns, uint64_t *io_items)
{
    struct mw_link *at;
    bool has_more = false;

    *ret_due_ns = MW_FOREVER;
    for (at = w->meshes.head.next; at != &w->meshes.head; at = at->next) {
        struct worker_mesh *m = MW_CONTAINER_OF(at, struct worker_mesh, link);
        int64_t due_ns;

        has_more = mw_scheduler_turn_awake(m->s, io_items) > 0 || has_more;
        due_ns = mw_scheduler_deadline(m->s);
        *ret_due_ns = due_ns < *ret_due_ns ? due_ns : *ret_due_ns;
    }
    return has_more;
}

/* Whether one of the meshes has so many posts: 1, 0, or negative where nobody can post to any. */
static int has_posts(const struct worker *w, uint32_t count)
{
    struct mw_link *at;
    int most = -ENOENT;

    for (at = w->meshes.head.next; at != &w->meshes.head && most < 1; at = at->next) {
        int has = mw_scheduler_has_posts(MW_CONTAINER_OF(at, struct worker_mesh, link)->s, count);

        most = has > most ? has : most;
    }
    return most;
}

/* It runs, or will in a moment. */
static bool is_awake(struct worker *w)
{
    return poller_pulse(w->host.poller) & 1 || atomic_load_explicit(&w->is_roused, memory_order_relaxed);
}

static bool is_another_awake(const struct worker *w)
{
    const mw_runtime *rt = w->runtime;
    size_t i;

    for (i = 0; i < rt->worker_count; i++)
        if (&rt->workers[i] != w && is_awake(&rt->workers[i]))
            return true;
    return false;
}

/* Nothing is left to do but what others post. While one of them runs on another processor, it is waited for a little: a look takes away the
 * lines of the cache that it writes, so it had better find many items; and a sleep would cost both of them more. returns whether something
 * has been posted */
static bool await_posts(struct worker *w, int64_t due_ns)
{
    int64_t now_ns, end_ns, look_ns;
    int has = has_posts(w, POSTS_MANY);

    if (has != 0)
        return has > 0;
    if (!w->runtime->may_linger || !w->has_begun || !is_another_awake(w) || !linger_may(&w->linger))
        return has_posts(w, 1) > 0;
    now_ns = mw_now_ns();
    end_ns = due_ns - now_ns < LINGER_NS ? due_ns : now_ns + LINGER_NS;
    do {
        for (look_ns = now_ns + POSTS_NS; now_ns < look_ns; now_ns = mw_now_ns())
            cpu_relax();
        has = has_posts(w, 1);
    } while (!has && now_ns < end_ns && is_another_awake(w) && !poller_has_ready(w->host.poller));
    if (has || now_ns >= end_ns)
        linger_note(&w->linger, has);
    return has;
}

static bool is_roused(const struct worker *w)
{
    struct mw_link *at;

    for (at = w->meshes.head.next; at != &w->meshes.head; at = at->next)
        if (mw_scheduler_is_roused(MW_CONTAINER_OF(at, struct worker_mesh, link)->s))
            return true;
    return false;
}

/* Asking the kernel costs as much as a hundred items. So a busy mesh goes on for some rounds; neither for ever nor for long, since
 * those who wait for a descriptor or a wake-up come after. Where there is one processor, and all that bodies do is look again and again
 * whether there is room, it goes to whoever could make some. */
static void turn(void *context)
{
    struct worker *w = context;
    int64_t due_ns, until_ns;
    uint64_t items = 0;
    bool has_more;
    int rounds = 0;

    if (atomic_load(&w->runtime->must_end)) {
        poller_stop(w->host.poller);
        return;
    }
    atomic_store_explicit(&w->is_roused, false, memory_order_relaxed); /* its pulse says so from here on */
    take_given(w);
    until_ns = mw_now_ns() + ROUNDS_NS;
    do
        has_more = round_of_meshes(w, &due_ns, &items) || await_posts(w, due_ns);
    while (has_more && ++rounds < ROUNDS_MOST && mw_now_ns() < until_ns);
    if (has_more && items == 0 && !w->runtime->may_linger)
        (void)sched_yield(); /* it always succeeds */
    if (has_more || is_roused(w))
        poller_again(w->host.poller);
    worker_wake_at(w, due_ns);
}

void worker_wake_at(struct worker *w, int64_t deadline_ns)
{
    if (w->timer_ns == deadline_ns)
        return;
    w->timer_ns = deadline_ns;
    poller_timer_set(w->timer, deadline_ns);
}

/* Being awake is all: the turn follows. */
static void woken(void *context)
{
    (void)context;
}

static void timer_due(void *context)
{
    ((struct worker *)context)->timer_ns = MW_FOREVER; /* it fires once */
}

/* From inside a send, on the worker's own thread. */
static void mesh_ready(void *context)
{
    poller_again(((struct worker_mesh *)context)->worker->host.poller);
}

/* From any thread. */
static void mesh_posted(void *context)
{
    struct worker *w = ((struct worker_mesh *)context)->worker;

    atomic_store_explicit(&w->is_roused, true, memory_order_relaxed);
    poller_wake(w->wake);
}

static void worker_end(struct worker *w)
{
    struct mw_link *link;

    poller_on_turn(w->host.poller, NULL, NULL);
    take_given(w);
    while ((link = mw_list_pop_front(&w->meshes)) != NULL) {
        struct worker_mesh *m = MW_CONTAINER_OF(link, struct worker_mesh, link);

        count_left(w->runtime, (size_t)(w - w->runtime->workers), m->s, &w->report);
        mw_scheduler_free(m->s); /* here, where the stacks of its coroutines are */
        mw_free(m);
    }
    w->report.processes = host_end(&w->host);
}

static void *worker_main(void *context)
{
    struct worker *w = context;

    mw_fault_follow();
    poller_again(w->host.poller); /* whatever was given before the first pass */
    poller_run(w->host.poller);
    worker_end(w);
    mw_thread_end();
    return NULL;
}

/* ---- a runtime ---------------------------------------------------------------------------------------------- */
static size_t processor_count(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    return CPU_COUNT(&set) > 0 ? (size_t)CPU_COUNT(&set) : 1;
}

static int worker_open(mw_runtime *rt, struct worker *w)
{
    int err;

    w->runtime = rt;
    mw_list_init(&w->meshes);
    mw_list_init(&w->given);
    w->timer_ns = MW_FOREVER;
    err = poller_open(&w->host.poller);
    if (err == 0)
        err = poller_wake_new(w->host.poller, woken, w, &w->wake);
    if (err == 0)
        err = poller_timer_new(w->host.poller, timer_due, w, &w->timer);
    if (err < 0)
        return err;
    poller_on_turn(w->host.poller, turn, w);
    if (rt->is_embedded && w == rt->workers)
        return 0;
    err = -pthread_create(&w->thread, NULL, worker_main, w);
    w->has_begun = err == 0;
    return err;
}

static void stop_waiting(void *context)
{
    mw_runtime *rt = context;

    poller_stop(rt->poller);
}

/* Options of a program built against an older header are shorter: what it does not know is as if 0. */
static int read_options(mw_runtime_options *ret, const mw_runtime_options *options, struct mw_error *ret_error)
{
    *ret = (mw_runtime_options){.size = sizeof(*ret)};
    if (!options)
        return 0;
    if (options->size < offsetof(mw_runtime_options, is_embedded) || options->size > sizeof(*ret))
        return mw_fail(ret_error, -EINVAL, "open a runtime: the options' size is %zu, this library knows up to %zu: write .size = sizeof(mw_runtime_options)",
                       options->size, sizeof(*ret));
    memcpy(ret, options, options->size);
    if (ret->workers > WORKERS_MOST)
        return mw_fail(ret_error, -EINVAL, "open a runtime: want 1 to %d workers", WORKERS_MOST);
    return 0;
}

static mw_runtime *runtime_new(const mw_runtime_options *options)
{
    mw_runtime *rt = mw_alloc_zeroed(1, sizeof(*rt));

    if (!rt)
        return NULL;
    rt->is_embedded = options->is_embedded;
    rt->may_linger = processor_count() > 1;
    rt->worker_count = options->workers ? options->workers : processor_count();
    rt->workers = mw_alloc_zeroed(rt->worker_count, sizeof(*rt->workers));
    if (!rt->workers) {
        mw_free(rt);
        return NULL;
    }
    (void)pthread_mutex_init(&rt->lock, NULL); /* with default attributes it cannot fail */
    (void)pthread_mutex_init(&rt->left_lock, NULL);
    mw_list_init(&rt->waiting);
    return rt;
}

int mw_runtime_open(const mw_runtime_options *options, mw_runtime **ret, struct mw_error *ret_error)
{
    mw_runtime_options read;
    sigset_t before;
    mw_runtime *rt;
    size_t count, i;
    int err;

    if (!ret)
        return mw_fail(ret_error, -EINVAL, "open a runtime: ret is NULL");
    err = read_options(&read, options, ret_error);
    if (err < 0)
        return err;
    rt = runtime_new(&read);
    if (!rt)
        return mw_fail(ret_error, -ENOMEM, "open a runtime: out of memory");
    count = rt->worker_count;
    rt->worker_count = 0; /* as many as have been opened, the last of them perhaps in part */
    err = poller_open(&rt->poller);
    if (err == 0)
        err = poller_wake_new(rt->poller, stop_waiting, rt, &rt->stop);
    mw_signals_hold_back(&before);
    for (i = 0; i < count && err == 0; i++) {
        rt->worker_count = i + 1;
        err = worker_open(rt, &rt->workers[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err < 0) {
        mw_runtime_close(rt, NULL);
        return mw_fail(ret_error, err, "start worker %zu: %s", i, mw_strerror(err));
    }
    *ret = rt;
    return 0;
}

size_t mw_runtime_worker_count(const mw_runtime *rt)
{
    return rt ? rt->worker_count : 0;
}

static struct worker *least_busy(mw_runtime *rt)
{
    struct worker *least = &rt->workers[0];
    size_t i;

    for (i = 1; i < rt->worker_count; i++)
        if (rt->workers[i].mesh_count < least->mesh_count)
            least = &rt->workers[i];
    return least;
}

mw_scheduler *mw_runtime_mesh(mw_runtime *rt, size_t worker)
{
    struct worker_mesh *m;

    if (!rt || (worker != SIZE_MAX && worker >= rt->worker_count))
        return NULL;
    m = mw_alloc_zeroed(1, sizeof(*m));
    if (!m)
        return NULL;
    m->s = mw_taskmaster_new();
    if (!m->s) {
        mw_free(m);
        return NULL;
    }
    (void)pthread_mutex_lock(&rt->lock);
    m->worker = worker == SIZE_MAX ? least_busy(rt) : &rt->workers[worker];
    m->worker->mesh_count++;
    mw_list_push_back(&rt->waiting, &m->all_link);
    (void)pthread_mutex_unlock(&rt->lock);
    (void)mw_scheduler_set_order(m->s, MW_ORDER_NEWEST); /* a taskmaster has every order */
    (void)mw_scheduler_on_post(m->s, mesh_posted, m);    /* it has no address yet */
    mw_scheduler_set_host(m->s, &m->worker->host);
    return m->s;
}

int mw_runtime_start(mw_runtime *rt, mw_scheduler *mesh)
{
    struct worker_mesh *found = NULL;
    struct mw_link *at;

    if (!rt || !mesh)
        return -EINVAL;
    (void)pthread_mutex_lock(&rt->lock);
    for (at = rt->waiting.head.next; at != &rt->waiting.head && !found; at = at->next)
        if (MW_CONTAINER_OF(at, struct worker_mesh, all_link)->s == mesh)
            found = MW_CONTAINER_OF(at, struct worker_mesh, all_link);
    if (found) {
        mw_link_remove(&found->all_link);
        mw_scheduler_on_ready(mesh, mesh_ready, found);
        mw_scheduler_hand_over(mesh);
        mw_list_push_back(&found->worker->given, &found->link);
        atomic_store_explicit(&found->worker->has_given, true, memory_order_release);
    }
    (void)pthread_mutex_unlock(&rt->lock);
    if (!found)
        return -EINVAL;
    poller_wake(found->worker->wake);
    return 0;
}

void mw_runtime_stop(mw_runtime *rt)
{
    atomic_store(&rt->must_stop, true);
    poller_wake(rt->stop);
    if (rt->is_embedded)
        poller_wake(rt->workers[0].wake);
}

void mw_runtime_wait(mw_runtime *rt)
{
    while (!atomic_load(&rt->must_stop))
        poller_run(rt->poller);
}

static void report_add(struct mw_runtime_report *sum, const struct mw_runtime_report *more)
{
    sum->meshes += more->meshes;
    sum->tasklets += more->tasklets;
    sum->queued_items += more->queued_items;
    sum->waiting += more->waiting;
    sum->processes += more->processes;
    if (more->fullest_items <= sum->fullest_items)
        return;
    sum->fullest_items = more->fullest_items;
    memcpy(sum->fullest, more->fullest, sizeof(sum->fullest));
}

void mw_runtime_close(mw_runtime *rt, struct mw_runtime_report *ret_report)
{
    struct mw_runtime_report sum = {0};
    struct mw_link *link;
    size_t i;

    if (!rt)
        return;
    atomic_store(&rt->must_end, true);
    for (i = 0; i < rt->worker_count; i++)
        if (rt->workers[i].has_begun)
            poller_wake(rt->workers[i].wake);
    for (i = 0; i < rt->worker_count; i++) {
        struct worker *w = &rt->workers[i];

        if (w->has_begun)
            (void)pthread_join(w->thread, NULL); /* it is joined nowhere else */
        else if (w->host.poller)
            worker_end(w); /* the caller's: this is its thread */
        report_add(&sum, &w->report);
    }
    while ((link = mw_list_pop_front(&rt->waiting)) != NULL) { /* never started: still the caller's thread's */
        struct worker_mesh *m = MW_CONTAINER_OF(link, struct worker_mesh, all_link);

        count_left(rt, SIZE_MAX, m->s, &sum);
        mw_scheduler_free(m->s);
        mw_free(m);
    }
    for (i = 0; i < rt->worker_count; i++) { /* after all meshes: nobody posts to a worker any more */
        poller_timer_free(rt->workers[i].timer);
        poller_wake_free(rt->workers[i].wake);
        poller_close(rt->workers[i].host.poller);
    }
    poller_wake_free(rt->stop);
    poller_close(rt->poller);
    (void)pthread_mutex_destroy(&rt->lock); /* nobody holds it */
    (void)pthread_mutex_destroy(&rt->left_lock);
    mw_free(rt->workers);
    mw_free(rt);
    if (ret_report)
        *ret_report = sum;
}
