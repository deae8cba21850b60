/* What is done to a tasklet that has been freed, in a process of its own: a checked build's ends with the tasklet's name.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_FREED_H
#define TESTS_FREED_H

#include <meshwork/scheduler.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

__attribute__((unused)) static int swallow_item(mw_tasklet *self, void *scope, mw_value takes_item)
{
    (void)self;
    (void)scope;
    mw_release(takes_item);
    return 0;
}

#ifdef MW_CHECKED

/* In a child: use a tasklet whose life is over, of which others have been freed since. */
static _Noreturn void use_freed(void (*use)(mw_tasklet *t), int others)
{
    mw_scheduler *s = mw_taskmaster_new();
    mw_tasklet *t;
    int i;

    (void)mw_scheduler_enter(s);
    for (i = 0; i < 100; i++) /* so that it lies in a slab, where there are any */
        (void)mw_handler_new(swallow_item, NULL);
    t = mw_handler_new_at(swallow_item, NULL, "gone", "freed.c", 9);
    mw_tasklet_free(t);
    for (i = 0; i < others; i++)
        mw_tasklet_free(mw_handler_new(swallow_item, NULL));
    use(t);
    _exit(0);
}

__attribute__((unused)) static void check_use(void (*use)(mw_tasklet *t), const char *function, int others)
{
    char said[1000] = "", want[100];
    int ends[2], status = 0;
    ssize_t n;
    pid_t child;

    CHECK_INT(pipe(ends), 0);
    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        use_freed(use, others);
    }
    close(ends[1]);
    n = read(ends[0], said, sizeof(said) - 1);
    close(ends[0]);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(n > 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    said[strcspn(said, "\n")] = '\0';
    (void)snprintf(want, sizeof(want), "meshwork: %s of tasklet 'gone', made at freed.c:9, which has been freed", function);
    CHECK_TEXT(said, want);
}

#endif

#endif
