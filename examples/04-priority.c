/* Tasklets with priorities: the scheduler runs the most urgent first, and flushes it. Prints what the blog prints.
 * Not one item at a time; that is 05-incremental.c. Read next: 05-incremental.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <stdio.h>

/* Priorities as the blog's run happened to draw them from random.randint(1, 20). */
struct script {
    const int *next;
};

static mw_priority scripted(mw_tasklet *t, void *context)
{
    struct script *script = context;

    (void)t;
    return (mw_priority){.value = *script->next++};
}

/* ---- bodies ------------------------------------------------------------------------------------ */
struct echo {
    mw_tasklet *target;
    const char *suffix;
};

static int echoer(mw_tasklet *self, void *scope)
{
    struct echo *echo = scope;
    mw_value i;

    while (mw_receive(self, &i)) {
        mw_send(echo->target, mw_format("{}, {}", i, mw_text(echo->suffix)));
        mw_release(i);
    }
    return 0;
}

static int sink(mw_tasklet *self, void *scope)
{
    mw_value i;

    (void)scope;
    while (mw_receive(self, &i)) {
        printf("Sink got: %s\n", mw_get_text(&i, NULL));
        mw_release(i);
    }
    return 0;
}

/* ---- the example ---------------------------------------------------------------------------------- */
int main(void)
{
    static const int drawn[] = {15, 8};
    struct script script = {drawn};
    mw_scheduler *scheduler = mw_priority_scheduler_new(false);
    mw_tasklet *s, *e1, *e2;

    if (!scheduler)
        return 1;
    mw_scheduler_enter(scheduler); /* what is made from here on belongs to it */
    s = mw_tasklet_new(sink, NULL);
    e1 = mw_tasklet_new(echoer, (&(struct echo){s, "world!"}));
    e2 = mw_tasklet_new(echoer, (&(struct echo){s, "womb!"}));
    mw_tasklet_set_name(e1, "echoer_world");
    mw_tasklet_set_name(e2, "echoer_womb");
    mw_set_priority(s, 1000); /* low: the lower the number, the more urgent */
    mw_set_priority_function(e1, scripted, &script);
    mw_set_priority_function(e2, scripted, &script);

    mw_send(e1, mw_text("Hello")); /* queue up some work on echoer_world */
    mw_send(e1, mw_text("Bonjour"));
    mw_send(e1, mw_text("Ola"));
    mw_send(e2, mw_text("Goodbye")); /* and on echoer_womb */
    mw_send(e2, mw_text("Au revoir"));
    mw_send(e2, mw_text("Ciao"));

    mw_scheduler_on_trace(scheduler, mw_trace_print, stdout);
    mw_scheduler_run(scheduler);

    mw_scheduler_free(scheduler); /* and with it the tasklets */
    return 0;
}
