/* How long does a tree of a million take? Skynet: each node makes ten children, a leaf answers with its number, a node adds up the answers
 * of its children and is done; 1,111,111 tasklets in all. Made last first, as workers run; milliseconds and the peak of resident memory in MB, of
 * handlers and of coroutines with stacks of 4 KiB. Read next: cores.c. SPDX-License-Identifier: MIT */
#include "bench.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEAVES = 1000000, CHILDREN = 10, RUNS = 3 };

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
    struct node n = {.parent = parent, .number = number, .size = size, .left = CHILDREN};
    mw_tasklet_options options = {.size = sizeof(options), .stack_bytes = 4096, .scope.data = &n, .scope_bytes = sizeof(n)};

    return are_coroutines ? mw_tasklet_open(node_body, NULL, &options) : mw_handler_new_own(node_handler, &n);
}

static void answer(const struct node *n, int64_t sum)
{
    if (n->parent)
        (void)mw_send(n->parent, mw_int(sum)); /* it has room for ten */
    else
        result = sum;
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

static double tree(void)
{
    mw_scheduler *s = mw_taskmaster_new(), *outside = mw_scheduler_enter(s);
    int64_t start = mw_now_ns();
    mw_tasklet *root;
    double ms;

    (void)mw_scheduler_set_order(s, MW_ORDER_NEWEST); /* a taskmaster has every order */
    root = node_new(NULL, 0, LEAVES);
    if (!are_coroutines)
        (void)mw_send(root, mw_null()); /* it has room */
    (void)mw_scheduler_run(s);
    ms = (double)(mw_now_ns() - start) / 1e6;
    bench_check(result == (int64_t)LEAVES * (LEAVES - 1) / 2, "a wrong sum");
    mw_scheduler_leave(outside);
    mw_scheduler_free(s);
    return ms;
}

/* In a process each: the peak is its own. */
static void run(int argc, char **argv, const char *figure, const char *peak_figure)
{
    struct rusage usage;
    double ms[RUNS];
    int i;

    if (!bench_wants(argc, argv, figure) && !bench_wants(argc, argv, peak_figure))
        return;
    if (fork() != 0) {
        (void)wait(NULL);
        return;
    }
    are_coroutines = strcmp(figure, "skynet-coroutines") == 0;
    for (i = 0; i < RUNS; i++)
        ms[i] = tree();
    qsort(ms, RUNS, sizeof(ms[0]), bench_by_size);
    (void)getrusage(RUSAGE_SELF, &usage);
    bench_print(figure, ms[RUNS / 2]);
    bench_print(peak_figure, (double)usage.ru_maxrss / 1024);
    _exit(0);
}

int main(int argc, char **argv)
{
    run(argc, argv, "skynet-handlers", "skynet-handlers-peak");
    run(argc, argv, "skynet-coroutines", "skynet-coroutines-peak");
    return 0;
}
