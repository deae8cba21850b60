/* What a mesh still has when its worker ends: counted, and shown.
 * Not the end itself; that is worker.c. Read next: worker.c.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/worker.h"

enum { FULLEST_MOST = 16, NAME_MOST = 63 };

struct count {
    mw_mesh_left left;
    mw_tasklet_left fullest[FULLEST_MOST];
};

/* Among the fullest, if it is one of them. Equal ones stand in the order of their making. */
static void insert(struct count *c, const mw_tasklet_left *new)
{
    size_t at = c->left.fullest_count;

    while (at > 0 && c->fullest[at - 1].items < new->items)
        at--;
    if (at == FULLEST_MOST)
        return;
    if (c->left.fullest_count < FULLEST_MOST)
        c->left.fullest_count++;
    memmove(&c->fullest[at + 1], &c->fullest[at], (c->left.fullest_count - at - 1) * sizeof(*new));
    c->fullest[at] = *new;
}

static bool count_one(void *context, const mw_tasklet *t)
{
    struct mw_tasklet_look look = mw_tasklet_look(t);
    struct count *c = context;

    c->left.tasklets++;
    c->left.waiting += look.is_waiting;
    if (look.items == 0)
        return true;
    c->left.queued_items += look.items;
    c->left.queued_tasklets++;
    insert(c, &(mw_tasklet_left){.name = mw_tasklet_name(t), .file = look.file, .line = look.line, .items = look.items,
                                 .is_closed = mw_is_closed(t)});
    return true;
}

void count_left(mw_runtime *rt, size_t worker, mw_scheduler *s, struct mw_runtime_report *report)
{
    struct count c = {.left = {.mesh = s, .worker = worker, .fullest = c.fullest}};

    mw_scheduler_take_posts(s); /* they are dropped with the rest */
    (void)mw_scheduler_each(s, count_one, &c); /* each says true */
    report->meshes++;
    report->tasklets += c.left.tasklets;
    report->queued_items += c.left.queued_items;
    report->waiting += c.left.waiting;
    if (c.left.fullest_count > 0 && c.fullest[0].items > report->fullest_items) {
        report->fullest_items = c.fullest[0].items;
        (void)snprintf(report->fullest, sizeof(report->fullest), "%s", c.fullest[0].name);
    }
    if (!rt->on_left)
        return;
    (void)pthread_mutex_lock(&rt->left_lock); /* of default attributes: fails only where memory is broken */
    rt->on_left(rt->left_context, &c.left);
    (void)pthread_mutex_unlock(&rt->left_lock);
}

void mw_runtime_on_left(mw_runtime *rt, void (*left)(void *context, const mw_mesh_left *borrows), void *context)
{
    if (!rt)
        return;
    rt->on_left = left;
    rt->left_context = context;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static const char *last_part(const char *file)
{
    const char *slash = file ? strrchr(file, '/') : NULL;

    return slash ? slash + 1 : file ? file : "?";
}

/* As far as can be: whoever cannot be told is not told. */
static void print_tasklet(FILE *file, const mw_tasklet_left *t)
{
    const char *name;

    (void)fputs("  ", file);
    for (name = t->name; *name && name - t->name < NAME_MOST; name++)
        (void)fputc((unsigned char)*name < ' ' ? '?' : *name, file);
    (void)fprintf(file, " (%s:%d): %zu item%s%s\n", last_part(t->file), t->line, t->items, plural(t->items), t->is_closed ? ", closed" : "");
}

void mw_mesh_left_print(void *file, const mw_mesh_left *left)
{
    size_t i;

    if (!file || !left || left->queued_items + left->waiting == 0)
        return;
    if (left->worker == SIZE_MAX)
        (void)fputs("a mesh that was never started", file);
    else
        (void)fprintf(file, "a mesh of worker %zu", left->worker);
    (void)fprintf(file, ", %zu tasklet%s: %" PRIu64 " item%s queued, %zu wait%s\n", left->tasklets, plural(left->tasklets), left->queued_items,
                  plural(left->queued_items), left->waiting, left->waiting == 1 ? "s" : "");
    for (i = 0; i < left->fullest_count; i++)
        print_tasklet(file, &left->fullest[i]);
    if (left->queued_tasklets > left->fullest_count)
        (void)fprintf(file, "  and %zu more\n", left->queued_tasklets - left->fullest_count);
}
