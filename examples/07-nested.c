/* Meshes in meshes: a scheduler is a tasklet of another one, ready while any of its own is. Here the urgent ones of a small
 * controller stand beside a mesh of slower work, which gets its turn when they have nothing to do.
 *
 *     priority scheduler:  alarm 0, control 1, and at 10 [taskmaster: parse -> report]
 *
 * Read next: 08-pipeline.c. SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <stdio.h>

/* Prints what it gets, with the name it goes by. */
static int print(mw_tasklet *self, void *scope, mw_value item)
{
    mw_value line = mw_format("{}: {}", mw_text(mw_tasklet_name(self)), item);

    (void)scope;
    puts(mw_get_text(&line, NULL));
    mw_release(line);
    mw_release(item);
    return 0;
}

/* Slow work that finds something urgent: its alarm comes before whatever else waits in the slow mesh. */
struct parser {
    mw_tasklet *report, *alarm;
};

static int parse(mw_tasklet *self, void *scope, mw_value item)
{
    struct parser *p = scope;

    (void)self;
    if (item.as.integer == 2)
        mw_send(p->alarm, mw_text("two!"));
    return mw_send(p->report, item); /* takes */
}

int main(void)
{
    mw_scheduler *all = mw_priority_scheduler_new(true), *slow = mw_taskmaster_new();
    mw_scheduler *outside = mw_scheduler_enter(all); /* what is made now belongs to it */
    mw_tasklet *alarm = mw_handler_new_at(print, NULL, "alarm", __FILE__, __LINE__);
    mw_tasklet *control = mw_handler_new_at(print, NULL, "control", __FILE__, __LINE__);
    mw_tasklet *mesh = mw_scheduler_tasklet(slow); /* stands for all in slow */
    struct parser parser = {.alarm = alarm};
    mw_tasklet *parse_tasklet;

    mw_set_priority(control, 1);
    mw_set_priority(mesh, 10);

    mw_scheduler_enter(slow);
    parse_tasklet = mw_handler_new(parse, &parser);
    parser.report = mw_handler_new_at(print, NULL, "report", __FILE__, __LINE__);
    mw_scheduler_leave(outside);

    mw_scheduler_set_budget(slow, 1); /* items per turn: then the urgent ones are looked at again */

    mw_send(parse_tasklet, mw_int(1));
    mw_send(parse_tasklet, mw_int(2));
    mw_send(parse_tasklet, mw_int(3));
    mw_send(control, mw_text("valve open"));
    mw_scheduler_run(all);

    puts("The slow mesh is paused; the rest goes on.");
    mw_scheduler_pause(slow);
    mw_send(parse_tasklet, mw_int(4));
    mw_send(control, mw_text("valve closed"));
    mw_scheduler_run(all);
    puts("It is resumed.");
    mw_scheduler_resume(slow);
    mw_scheduler_run(all);

    mw_scheduler_free(slow);
    mw_scheduler_free(all);
    return 0;
}
