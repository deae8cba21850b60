/* What the programs of this directory share: which figures are wanted, medians, and lines "NAME<tab>VALUE" on stdout for run.py.
 * usage of each: core-PROGRAM [FIGURE...]; without a name all of its figures
 * SPDX-License-Identifier: MIT */
#ifndef BENCHES_CORE_BENCH_H
#define BENCHES_CORE_BENCH_H

#include <meshwork/scheduler.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BENCH_RUNS = 7 };

static inline void bench_check(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static inline bool bench_wants(int argc, char **argv, const char *figure)
{
    int i;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], figure) == 0)
            return true;
    }
    return argc < 2;
}

static inline void bench_print(const char *figure, double value)
{
    printf("%s\t%.2f\n", figure, value);
    (void)fflush(stdout);
}

static inline int bench_by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median of some runs, each of which returns nanoseconds per operation. What a run gives back stays with the process, and one run goes
 * before them, as with the peers' own heaps: else the kernel's page faults (10 us each where the machine is a virtual one) are most of what
 * is measured. */
static inline void bench_median(int argc, char **argv, const char *figure, double (*run)(void))
{
    double ns[BENCH_RUNS];
    int i;

    if (!bench_wants(argc, argv, figure))
        return;
    (void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
    (void)run();
    for (i = 0; i < BENCH_RUNS; i++)
        ns[i] = run();
    qsort(ns, BENCH_RUNS, sizeof(ns[0]), bench_by_size);
    bench_print(figure, ns[BENCH_RUNS / 2]);
}

static inline double bench_since(int64_t start_ns, double operations)
{
    return (double)(mw_now_ns() - start_ns) / operations;
}

#endif
