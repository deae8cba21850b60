/* Looking through meshes, and sums by name.
 * SPDX-License-Identifier: MIT */
#include "server/gathered.h"

#include <stdio.h>
#include <string.h>

enum { TASKLETS_MOST = 50000 };

/* The sums of a name; those of all others where there are too many. */
static struct gathered_name *find(struct gathered *g, const char *name)
{
    size_t i;

    if (g->last < g->named_count && strncmp(g->named[g->last].name, name, GATHERED_NAME_BYTES - 1) == 0)
        return &g->named[g->last];
    for (i = 0; i < g->named_count; i++)
        if (strncmp(g->named[i].name, name, GATHERED_NAME_BYTES - 1) == 0)
            break;
    if (i == g->named_count && i < GATHERED_NAMES_MAX)
        (void)snprintf(g->named[g->named_count++].name, GATHERED_NAME_BYTES, "%s", name);
    g->last = i;
    return &g->named[i];
}

static bool add_tasklet(void *context, const mw_tasklet *t)
{
    struct gathered *g = context;
    const struct mw_tasklet_stats stats = mw_tasklet_stats(t);
    struct gathered_name *named;

    if (++g->seen > TASKLETS_MOST)
        return false;
    named = find(g, mw_tasklet_name(t));
    named->tasklets++;
    named->queued += stats.queued_items;
    named->capacity += stats.capacity_items;
    named->processed += stats.processed;
    named->refused += stats.refused;
    named->dropped += stats.dropped;
    named->failures += stats.failures;
    return true;
}

static void add_mesh(struct mw_scheduler_stats *io, const struct mw_scheduler_stats *more)
{
    io->tasklets += more->tasklets;
    io->ready += more->ready;
    io->turns += more->turns;
    io->processed += more->processed;
    io->failures += more->failures;
    io->late_results += more->late_results;
    io->posts_dropped += more->posts_dropped;
}

static void look_through(void *context, const mw_scheduler *mesh)
{
    struct gathered *g = context;
    const struct mw_scheduler_stats stats = mw_scheduler_stats(mesh);

    add_mesh(&g->mesh, &stats);
    (void)mw_scheduler_each(mesh, add_tasklet, g); /* false: enough were looked at */
}

void gathered_fill(struct gathered *ret, const struct app *app)
{
    memset(ret, 0, sizeof *ret);
    app_each_mesh(app, look_through, ret);
}

void gathered_add(struct gathered *io, const struct gathered *more)
{
    size_t i;

    add_mesh(&io->mesh, &more->mesh);
    for (i = 0; i <= GATHERED_NAMES_MAX; i++) {
        const struct gathered_name *from = &more->named[i];
        struct gathered_name *to = i < more->named_count ? find(io, from->name) : &io->named[GATHERED_NAMES_MAX];

        to->tasklets += from->tasklets;
        to->queued += from->queued;
        to->capacity += from->capacity;
        to->processed += from->processed;
        to->refused += from->refused;
        to->dropped += from->dropped;
        to->failures += from->failures;
    }
}
