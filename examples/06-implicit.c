/* The implicit scheduler: whatever is made outside a mesh belongs to it. mw_run() runs all there is, also what comes by
 * itself later; mw_step() one turn, for a loop of one's own.
 * Not meshes of their own; those are in 03-mesh.c. Read next: 07-nested.c. SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <stdio.h>

static int printer(mw_tasklet *self, void *scope)
{
    mw_value item;

    (void)scope;
    while (mw_receive(self, &item)) {
        mw_value line = mw_format("printer got: {}", item); /* borrows */

        puts(mw_get_text(&line, NULL));
        mw_release(line);
        mw_release(item);
    }
    return 0;
}

/* A clock that waits in the middle of its loop. Others run meanwhile; nobody else has to know. */
static int clock_body(mw_tasklet *self, void *scope)
{
    mw_tasklet *target = scope;
    int64_t next_ns = mw_clock(self);
    int i;

    for (i = 1; i <= 3; i++) {
        next_ns += 10000000; /* 10 ms */
        if (mw_sleep_until(self, next_ns) < 0)
            return 0; /* closed while it slept */
        mw_send(target, mw_format("tick {}", mw_int(i)));
    }
    mw_send_at(target, mw_text("the clock has stopped"), next_ns + 10000000); /* sent by nobody: it is over by then */
    return 0;
}

int main(void)
{
    mw_tasklet *p = mw_tasklet_new(printer, NULL); /* joins the implicit scheduler, as the next does */
    mw_tasklet *clock = mw_tasklet_new(clock_body, p);

    if (!p || !clock)
        return 1; /* out of memory */
    mw_send(p, mw_text("hello"));
    puts("Nothing has happened yet...");

    mw_step();
    puts("One turn is over; the clock sleeps.");

    mw_run(); /* until nothing is ready and nobody sleeps */
    puts("Nothing is left to be done.");

    mw_thread_end(); /* frees the implicit scheduler and its tasklets */
    return 0;
}
