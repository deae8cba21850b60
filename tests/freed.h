/* What is done to a tasklet that has been freed, in a process of its own: a checked build's ends with the tasklet's name.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_FREED_H
#define TESTS_FREED_H

#include <meshwork/scheduler.h>

#include "last_words.h"

__attribute__((unused)) static int swallow_item(mw_tasklet *self, void *scope, mw_value takes_item)
{
    (void)self;
    (void)scope;
    mw_release(takes_item);
    return 0;
}

#ifdef MW_CHECKED

struct freed_use {
    void (*use)(mw_tasklet *t);
    int others;
};

/* Use a tasklet whose life is over, of which others have been freed since. */
static void use_freed(void *context)
{
    const struct freed_use *how = context;
    mw_scheduler *s = mw_taskmaster_new();
    mw_tasklet *t;
    int i;

    (void)mw_scheduler_enter(s);
    for (i = 0; i < 100; i++) /* so that it lies in a slab, where there are any */
        (void)mw_handler_new(swallow_item, NULL);
    t = mw_handler_new_at(swallow_item, NULL, "gone", "freed.c", 9);
    mw_tasklet_free(t);
    for (i = 0; i < how->others; i++)
        mw_tasklet_free(mw_handler_new(swallow_item, NULL));
    how->use(t);
    _exit(0);
}

__attribute__((unused)) static void check_use(void (*use)(mw_tasklet *t), const char *function, int others)
{
    struct freed_use how = {use, others};
    char want[100];

    (void)snprintf(want, sizeof(want), "meshwork: %s of tasklet 'gone', made at freed.c:9, which has been freed", function);
    check_last_words(use_freed, &how, want);
}

#endif

#endif
