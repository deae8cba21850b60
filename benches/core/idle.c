/* What does an idle tasklet hold? Bytes of resident memory of each of many: handlers, and coroutines parked in mw_receive on
 * guarded stacks of 4 KiB, and on the smallest, of 1 KiB without a guard. Read next: skynet.c. SPDX-License-Identifier: MIT */
#include "bench.h"

#include <sys/wait.h>
#include <unistd.h>

enum { HANDLERS = 1000000, COROUTINES = 100000 };

static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;

    bench_check(file && fscanf(file, "%*d %ld", &pages) == 1, "no /proc/self/statm");
    (void)fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static int swallow_item(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    (void)scope;
    mw_release(item);
    return 0;
}

static int swallow(mw_tasklet *self, void *scope)
{
    mw_value item;

    (void)scope;
    while (mw_receive(self, &item))
        mw_release(item);
    return 0;
}

/* In a process each, so that neither is given what the other has left. */
static void idle(const char *figure, mw_handler *handler, mw_body *body, size_t stack_bytes, int count)
{
    mw_scheduler *s = mw_taskmaster_new(), *outside = mw_scheduler_enter(s);
    mw_tasklet_options options = {.size = sizeof(options), .stack_bytes = stack_bytes};
    double before = resident_bytes();
    int i;

    if (fork() != 0) {
        (void)wait(NULL);
        mw_scheduler_leave(outside);
        mw_scheduler_free(s);
        return;
    }

    for (i = 0; i < count; i++) {
        mw_tasklet *t = handler ? mw_handler_new(handler, NULL) : mw_tasklet_open(body, NULL, &options);

        bench_check(t && mw_start(t) == 0, "no tasklet");
    }
    bench_print(figure, (resident_bytes() - before) / count);
    _exit(0);
}

int main(int argc, char **argv)
{
    if (bench_wants(argc, argv, "idle-handler"))
        idle("idle-handler", swallow_item, NULL, 0, HANDLERS);
    if (bench_wants(argc, argv, "idle-coroutine"))
        idle("idle-coroutine", NULL, swallow, 4096, COROUTINES);
    if (bench_wants(argc, argv, "idle-small"))
        idle("idle-small", NULL, swallow, MW_STACK_1K, COROUTINES);
    mw_thread_end();
    return 0;
}
