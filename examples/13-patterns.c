/* What one writes with channels elsewhere: several sources and a timeout, a pool of workers and the wait for all of them, a tree that is cancelled, a
 * limit on a rate. The clock is the example's own, so that it takes no time and always prints the same.
 * Read next: docs/channels.md. SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <inttypes.h>
#include <stdio.h>

#define MS INT64_C(1000000)

static int64_t now_ns;

static int64_t own_clock(void *context)
{
    (void)context;
    return now_ns;
}

/* Nothing is ready before that time: so let it be that time. */
static int skip_ahead(void *context, int64_t deadline_ns)
{
    (void)context;
    now_ns = deadline_ns;
    return 0;
}

/* ---- several sources and a timeout: one mailbox, and items that say what they are ------------------------------------- */
struct source {
    mw_tasklet *to;
    const char *name;
    int64_t every_ns;
};

static int source(mw_tasklet *self, void *scope)
{
    struct source *me = scope;
    int64_t i;

    for (i = 1; mw_sleep_until(self, mw_clock(self) + me->every_ns) == 0; i++) {
        mw_value item = mw_map_new();

        (void)mw_map_set(&item, me->name, mw_int(i));
        if (mw_send(me->to, item) < 0)
            break;
    }
    return 0;
}

static int wait_for_either(mw_tasklet *self, void *scope)
{
    struct source sources[] = {{self, "apples", 20 * MS}, {self, "pears", 30 * MS}};
    mw_tasklet *made[] = {mw_tasklet_new(source, &sources[0]), mw_tasklet_new(source, &sources[1])};
    mw_value item;
    size_t i;

    (void)scope;
    (void)mw_send_at(self, mw_text("timeout"), mw_clock(self) + 70 * MS);
    while (mw_receive(self, &item)) {
        mw_value line = mw_format("{} ms: {}", mw_int(mw_clock(self) / MS), item);
        bool is_timeout = mw_kind_of(item) == MW_TEXT;

        puts(mw_get_text(&line, NULL));
        mw_release(line);
        mw_release(item);
        if (is_timeout)
            break;
    }
    for (i = 0; i < MW_COUNT(made); i++)
        mw_tasklet_free(made[i]); /* their sleep ends with -ECANCELED */
    return 0;
}

/* ---- a pool, and the wait for all of it ------------------------------------------------------------------------------------- */
static int work(mw_tasklet *self, void *scope)
{
    int64_t *sum = scope; /* one thread: nothing to lock */
    mw_value item;

    while (mw_receive(self, &item)) {
        (void)mw_sleep_until(self, mw_clock(self) + 10 * MS);
        *sum += item.as.integer;
    }
    return 0;
}

static int pool(mw_tasklet *self, void *scope)
{
    mw_tasklet *workers[4];
    int64_t sum = 0, began_ns = mw_clock(self);
    mw_value closed;
    size_t i;

    (void)scope;
    for (i = 0; i < MW_COUNT(workers); i++) {
        workers[i] = mw_tasklet_new(work, &sum);
        if (!workers[i] || mw_monitor(workers[i], self) < 0) /* tell me when it is done */
            return -1;
    }
    for (i = 1; i <= 100; i++)
        (void)mw_send(workers[i % MW_COUNT(workers)], mw_int((int64_t)i));
    for (i = 0; i < MW_COUNT(workers); i++)
        (void)mw_finish(workers[i]); /* no more comes */
    for (i = 0; i < MW_COUNT(workers) && mw_receive(self, &closed); i++)
        mw_release(closed);
    printf("the sum of 1 to 100 is %" PRId64 ", by four in %" PRId64 " ms\n", sum, (mw_clock(self) - began_ns) / MS);
    for (i = 0; i < MW_COUNT(workers); i++)
        mw_tasklet_free(workers[i]);
    return 0;
}

/* ---- who is cancelled cancels his own ----------------------------------------------------------------------------------------- */
static int leaf(mw_tasklet *self, void *name)
{
    int err = mw_sleep_until(self, MW_FOREVER);

    printf("  %s: %s\n", (const char *)name, mw_strerror(err));
    return 0;
}

static int branch(mw_tasklet *self, void *scope)
{
    char left[] = "left leaf", right[] = "right leaf";
    mw_tasklet *leaves[] = {mw_tasklet_new(leaf, left), mw_tasklet_new(leaf, right)};
    mw_value item;

    (void)scope;
    while (mw_receive(self, &item))
        mw_release(item);
    puts("  branch: undoes what it has done"); /* however it ended */
    mw_tasklet_free(leaves[0]);
    mw_tasklet_free(leaves[1]);
    return 0;
}

static int cancel(mw_tasklet *self, void *scope)
{
    mw_tasklet *t = mw_tasklet_new(branch, NULL);

    (void)scope;
    (void)mw_sleep_until(self, mw_clock(self) + 5 * MS);
    puts("cancelled:");
    mw_tasklet_free(t);
    return 0;
}

/* ---- at most one in 20 ms; who sends more waits ------------------------------------------------------------------------------- */
static int print(mw_tasklet *self, void *scope, mw_value item)
{
    (void)scope;
    printf("passed %" PRId64 " at %" PRId64 " ms\n", item.as.integer, mw_clock(self) / MS);
    return 0;
}

static int limit(mw_tasklet *self, void *to)
{
    mw_value item;

    while (mw_receive(self, &item) && mw_send(to, item) == 0 && mw_sleep_until(self, mw_clock(self) + 20 * MS) == 0)
        continue;
    return 0;
}

static int hurry(mw_tasklet *self, void *scope)
{
    const mw_tasklet_options narrow = {.size = sizeof narrow, .name = "limit", .scope.data = mw_handler_new(print, NULL), .mailbox_items = 1};
    mw_tasklet *limiter = mw_tasklet_open(limit, NULL, &narrow);
    int64_t i;

    (void)self, (void)scope;
    for (i = 1; i <= 4; i++)
        (void)mw_send(limiter, mw_int(i)); /* waits while it is full */
    return limiter ? mw_finish(limiter) : -1;
}

int main(void)
{
    mw_body *const bodies[] = {wait_for_either, pool, cancel, hurry};
    size_t i;

    for (i = 0; i < MW_COUNT(bodies); i++) {
        mw_scheduler *mesh = mw_taskmaster_new(), *outside;

        if (!mesh || mw_scheduler_set_clock(mesh, own_clock, NULL) < 0)
            return 1;
        now_ns = 0;
        mw_scheduler_on_idle(mesh, skip_ahead, NULL);
        outside = mw_scheduler_enter(mesh);
        if (!mw_tasklet_new(bodies[i], NULL) || mw_scheduler_run(mesh) < 0)
            return 1;
        mw_scheduler_leave(outside);
        mw_scheduler_free(mesh);
    }
    return 0;
}
