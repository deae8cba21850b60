/* How long does a tree of a million take? Skynet: each node makes ten children, a leaf answers with its number, a node adds up the answers
 * of its children and is done; 1,111,111 tasklets in all. Made last first, as workers run; seconds and peak memory, of handlers and of
 * coroutines with stacks of 4 KiB. usage: core-skynet [handlers|coroutines]
 * Not the peers beside us. SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

enum { LEAVES = 1000000, CHILDREN = 10, RUNS = 5 };

struct node {
    mw_tasklet *parent;
    int64_t number, size, sum;
    int left;
};

static mw_body node_body;
static mw_handler node_handler;
static bool are_coroutines;
static int64_t result;

static mw_tasklet *node_new(mw_tasklet *parent, int64_t number, int64_t size)
{
    mw_tasklet_options options = {.size = sizeof(options), .stack_bytes = 4096, .name = NULL};
    struct node *n = mw_alloc_zeroed(1, sizeof(*n));

    if (!n)
        exit(1);
    *n = (struct node){.parent = parent, .number = number, .size = size, .left = CHILDREN};
    options.scope.data = n;
    return are_coroutines ? mw_tasklet_open(node_body, NULL, &options) : mw_handler_new(node_handler, n);
}

static void answer(struct node *n, int64_t sum)
{
    if (n->parent)
        (void)mw_send(n->parent, mw_int(sum)); /* it has room for ten */
    else
        result = sum;
    mw_free(n);
}

static void branch(mw_tasklet *self, struct node *n)
{
    int i;

    for (i = 0; i < CHILDREN; i++) {
        int64_t size = n->size / CHILDREN;
        mw_tasklet *child = node_new(self, n->number + i * size, size);

        if (!child || (!are_coroutines && mw_send(child, mw_null()) < 0))
            exit(1);
    }
}

static int node_handler(mw_tasklet *self, void *scope, mw_value item)
{
    struct node *n = scope;

    if (item.kind == MW_NULL && n->size > 1) {
        branch(self, n);
        return 0;
    }
    n->sum += item.kind == MW_NULL ? n->number : item.as.integer;
    if (item.kind == MW_NULL || --n->left == 0) {
        answer(n, n->sum);
        mw_tasklet_free(self);
    }
    return 0;
}

static int node_body(mw_tasklet *self, void *scope)
{
    struct node *n = scope;
    mw_value item;
    int64_t sum = n->number;

    if (n->size > 1) {
        sum = 0;
        branch(self, n);
        while (n->left-- > 0 && mw_receive(self, &item))
            sum += item.as.integer;
    }
    answer(n, sum);
    mw_tasklet_free(self);
    return 0;
}

static void run(const char *what)
{
    struct rusage usage;
    double best = 1e9;
    int i;

    for (i = 0; i < RUNS; i++) {
        mw_scheduler *s = mw_taskmaster_new(), *outside = mw_scheduler_enter(s);
        int64_t start = mw_now_ns();
        mw_tasklet *root;
        double seconds;

        (void)mw_scheduler_set_order(s, MW_ORDER_NEWEST); /* a taskmaster has every order */
        root = node_new(NULL, 0, LEAVES);
        if (!are_coroutines)
            (void)mw_send(root, mw_null()); /* it has room */
        (void)mw_scheduler_run(s);
        seconds = (double)(mw_now_ns() - start) / 1e9;
        best = seconds < best ? seconds : best;
        if (result != (int64_t)LEAVES * (LEAVES - 1) / 2)
            exit(1);
        mw_scheduler_leave(outside);
        mw_scheduler_free(s);
    }
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("skynet of a million, %-12s best of %d %7.3f s, peak %5.1f MB\n", what, RUNS, best, (double)usage.ru_maxrss / 1024);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"handlers", "coroutines"};
    int i;

    for (i = 0; i < 2; i++) {
        if (argc > 1 && strcmp(argv[1], kinds[i]) != 0)
            continue;
        (void)fflush(stdout);
        if (fork() == 0) { /* a process each: the peak is its own */
            are_coroutines = i == 1;
            run(kinds[i]);
            (void)fflush(stdout);
            _exit(0);
        }
        (void)wait(NULL);
    }
    return 0;
}
