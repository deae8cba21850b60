/* What does a switch of stacks cost? ns from a resumer into a coroutine, or back: half of a round trip. The bare switch is no public call;
 * this is what lies under every visit of a coroutine. Built only where the inside of the core can be linked.
 * Read next: send.c. SPDX-License-Identifier: MIT */
#include "bench.h"

#include "coroutine/coroutine.h"

enum { SWITCHES = 4000000 };

static int leave_for_ever(void *argument)
{
    struct coroutine **c = argument;

    for (;;)
        coroutine_leave(*c);
}

static double switches(void)
{
    struct coroutine *c = NULL;
    int64_t start;
    int i;

    bench_check(coroutine_new(STACK_BYTES_DEFAULT, &c, NULL) == 0, "no coroutine");
    coroutine_begin(c, leave_for_ever, &c);
    start = mw_now_ns();
    for (i = 0; i < SWITCHES / 2; i++)
        coroutine_enter(c, 0);
    return bench_since(start, SWITCHES); /* the stack is given up with the program */
}

int main(int argc, char **argv)
{
    bench_median(argc, argv, "switch", switches);
    return 0;
}
