/* A pipeline over two cores: numbers are made on one worker, squared there, and added up on another. Between the two everything
 * goes by an address; each mesh is touched by its own thread alone, so nothing here needs a lock.
 * Read next: 09-chat.c. SPDX-License-Identifier: MIT */
#include <meshwork/runtime.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { NUMBERS = 1000000 };

/* Sends 1 to NUMBERS, then null. The squarer's mailbox is full most of the time: then it waits. */
static int make(mw_tasklet *self, void *scope)
{
    mw_tasklet *target = scope;
    int64_t i;

    (void)self;
    for (i = 1; i <= NUMBERS; i++)
        if (mw_send(target, mw_int(i)) < 0)
            return 0; /* closed */
    return mw_send(target, mw_null());
}

/* Posts squares to the other worker. Where that has no room it lets others run, and tries again. */
static int square(mw_tasklet *self, void *scope)
{
    mw_address *target = scope;
    mw_value item;

    while (mw_receive(self, &item)) {
        if (item.kind == MW_INT)
            item = mw_int(item.as.integer * item.as.integer % 1000);
        while (mw_post_offer(target, &item) == -EAGAIN)
            if (mw_sleep_until(self, 0) < 0) /* a time that has passed: now, but after the others */
                break;
    }
    return 0;
}

struct total {
    mw_runtime *runtime;
    int64_t sum, count;
};

static int add(mw_tasklet *self, void *scope, mw_value item)
{
    struct total *total = scope;

    (void)self;
    if (item.kind != MW_INT) { /* the end of the stream */
        printf("%" PRId64 " numbers, together %" PRId64 "\n", total->count, total->sum);
        mw_runtime_stop(total->runtime);
        return 0;
    }
    total->sum += item.as.integer;
    total->count++;
    return 0;
}

int main(void)
{
    struct total total = {.sum = 0};
    struct mw_error error = {0};
    mw_scheduler *front, *back, *outside;
    mw_address *adder;

    if (mw_runtime_open(&(mw_runtime_options){.size = sizeof(mw_runtime_options), .workers = 2}, &total.runtime, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    back = mw_runtime_mesh(total.runtime, 1); /* ours until it is started */
    outside = mw_scheduler_enter(back);
    adder = mw_tasklet_address(mw_handler_new(add, &total));

    front = mw_runtime_mesh(total.runtime, 0);
    mw_scheduler_enter(front);
    if (!mw_tasklet_new(make, mw_tasklet_new(square, adder)))
        return 1;
    mw_scheduler_leave(outside);

    mw_runtime_start(total.runtime, back);
    mw_runtime_start(total.runtime, front);
    mw_runtime_wait(total.runtime); /* until add says so */
    mw_runtime_close(total.runtime, NULL);
    mw_address_unref(adder);
    return 0;
}
