/* Tasklets: bodies with a queue, and every verb once. Prints what the blog's example of 2012 prints.
 * Not many of them at once; that is 03-mesh.c. Read next: 02-recursion.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/tasklet.h>

#include <stdio.h>

/* ---- bodies ------------------------------------------------------------------------------------ */
static int doubler(mw_tasklet *self, void *scope)
{
    mw_tasklet *target = scope; /* set-up: runs once */
    mw_value i;

    while (mw_receive(self, &i)) { /* behaviour: once per item */
        mw_pass(target, mw_format("2x{}", i));
        mw_release(i);
    }
    return mw_pass(target, mw_text("Doubler has closed."));
}

static int tripler(mw_tasklet *self, void *scope)
{
    mw_tasklet *target = scope;
    mw_value i;

    while (mw_receive(self, &i)) {
        mw_pass(target, mw_format("3x{}", i));
        mw_release(i);
    }
    return mw_pass(target, mw_text("Tripler has closed."));
}

static int sink(mw_tasklet *self, void *scope)
{
    mw_value i;

    (void)scope;
    while (mw_receive(self, &i)) {
        printf("Sink got: %s\n", mw_get_text(&i, NULL));
        mw_release(i);
    }
    printf("Sink has closed.\n");
    return 0;
}

static int new_sink(mw_tasklet *self, void *scope)
{
    mw_value i;

    (void)scope;
    while (mw_receive(self, &i)) {
        printf("New Sink got: %s\n", mw_get_text(&i, NULL));
        mw_release(i);
    }
    return 0;
}

/* A scope that owns its target: when the scope goes, the target is closed and freed. */
static void free_target(void *target)
{
    mw_tasklet_free(target);
}

static mw_scope into(mw_tasklet *target)
{
    return (mw_scope){.data = target, .release = free_target};
}

/* ---- the example ---------------------------------------------------------------------------------- */
int main(void)
{
    mw_tasklet *task = mw_tasklet_new(NULL, NULL);
    mw_value pending;

    if (!task)
        return 1;
    mw_set(task, doubler, into(mw_tasklet_new(sink, NULL)));
    mw_send(task, mw_int(1)); /* queued up */
    mw_send(task, mw_int(2));

    printf("Nothing has happened yet...\n");

    while (mw_next_item(task, &pending) == 1) /* one after the other, to exhaustion; you can look at what was sent */
        mw_release(pending);

    printf("Okay, done pending jobs in task\n");
    mw_close(task);

    printf("All done\n\n");

    if (mw_is_closed(task))
        mw_set(task, tripler, into(mw_tasklet_new(sink, NULL))); /* now it is something else */

    mw_send(task, mw_int(4));
    mw_send(task, mw_int(5));
    mw_flush(task); /* all that is queued; nothing if nothing is */

    mw_send(task, mw_int(6));
    mw_next(task); /* the next that is queued: 6 */
    mw_send(task, mw_int(7));
    mw_next(task);

    mw_send(task, mw_int(8));
    mw_send(task, mw_int(9));
    mw_last(task); /* the one queued last: 9 */
    mw_next(task); /* 8 */
    mw_next(task); /* nothing to do */

    mw_send(task, mw_int(10));
    mw_send(task, mw_int(11));
    mw_clear(task); /* drops what is queued */

    mw_send(task, mw_int(12));
    mw_flush(task);

    mw_rescope(task, into(mw_tasklet_new(new_sink, NULL))); /* the same body, with another target */
    mw_send(task, mw_int(13));
    mw_next(task);
    mw_close(task);
    mw_send(task, mw_int(14)); /* waits in the queue, in case it opens again */
    mw_next(task);             /* nothing happens here */
    mw_restart(task, false);   /* opens again, with an empty queue */
    mw_send(task, mw_int(15));
    mw_next(task);

    mw_tasklet_free(task);
    return 0;
}
