/* Learning who sends to whom. Off, a send does not know of it: on, plain_room is 0 for all, so that sends take the slower road, on which they
 * are counted down to the next that is looked at. Gaps are left to chance, as senders that take turns would otherwise be seen one by one.
 * Not how it is printed; that is scheduler/graph.c. Read next: mailbox.c.
 * SPDX-License-Identifier: MIT */
#include "tasklet/graph.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "tasklet/tasklet_priv.h"

/* ---- nodes ---------------------------------------------------------------------------------------------- */
static uint32_t *bucket_of(struct graph *g, const mw_tasklet *t)
{
    uint64_t mixed = (uint64_t)(uintptr_t)t * UINT64_C(0x9e3779b97f4a7c15);

    return &g->buckets[mixed >> 32 & (GRAPH_BUCKETS - 1)];
}

/* As much of the name as fits, of whole characters; what is no UTF-8 as question marks. */
static void copy_name(char *ret, const char *name)
{
    size_t count = strlen(name), i;

    count = count < GRAPH_NAME_BYTES ? count : GRAPH_NAME_BYTES - 1;
    memcpy(ret, name, count);
    for (i = 0; i < 3 && count == GRAPH_NAME_BYTES - 1 && !mw_utf8_is_valid(ret, count - i); i++)
        ;
    if (mw_utf8_is_valid(ret, count - i))
        count -= i;
    else
        for (i = 0; i < count; i++)
            ret[i] = (unsigned char)ret[i] < 128 ? ret[i] : '?';
    for (i = 0; i < count; i++)
        ret[i] = (unsigned char)ret[i] < ' ' || ret[i] == 127 ? '?' : ret[i];
    ret[count] = '\0';
}

static uint32_t node_find(struct graph *g, const mw_tasklet *t)
{
    uint32_t at = *bucket_of(g, t);

    while (at != GRAPH_NONE && g->nodes[at].tasklet != t)
        at = g->nodes[at].next;
    return at;
}

static uint32_t node_add(struct graph *g, const mw_tasklet *t)
{
    uint32_t at = g->free_nodes, *bucket = bucket_of(g, t);

    if (at != GRAPH_NONE)
        g->free_nodes = g->nodes[at].next;
    else if (g->node_count < GRAPH_NODES_MOST)
        at = g->node_count++;
    else
        return GRAPH_NONE;
    g->nodes[at] = (struct graph_node){.tasklet = t, .next = *bucket, .out = GRAPH_NONE, .is_used = true};
    copy_name(g->nodes[at].name, mw_tasklet_name(t));
    *bucket = at;
    return at;
}

static uint32_t node_of(struct graph *g, const mw_tasklet *t)
{
    uint32_t at = node_find(g, t);

    return at != GRAPH_NONE ? at : node_add(g, t);
}

/* ---- edges ---------------------------------------------------------------------------------------------- */
/* The edge comes first in its list: who sends much is found at once. */
static struct graph_edge *edge_of(struct graph *g, uint32_t from, uint32_t to)
{
    uint32_t *link = &g->nodes[from].out, at;

    while (*link != GRAPH_NONE && g->edges[*link].to != to)
        link = &g->edges[*link].next;
    at = *link;
    if (at != GRAPH_NONE) {
        *link = g->edges[at].next;
    } else if (g->free_edges != GRAPH_NONE) {
        at = g->free_edges;
        g->free_edges = g->edges[at].next;
        g->edges[at] = (struct graph_edge){.to = to};
    } else if (g->edge_count < GRAPH_EDGES_MOST) {
        at = g->edge_count++;
        g->edges[at] = (struct graph_edge){.to = to};
    } else {
        return NULL;
    }
    g->edges[at].next = g->nodes[from].out;
    g->nodes[from].out = at;
    return &g->edges[at];
}

void graph_note(struct graph *g, const mw_tasklet *t, size_t bytes)
{
    const mw_tasklet *sender = g->waiter ? g->waiter : mw_thread.current;
    uint32_t from = 0, to;
    struct graph_edge *edge;

    g->chance ^= g->chance << 13;
    g->chance ^= g->chance >> 7;
    g->chance ^= g->chance << 17;
    g->left = 1 + (uint32_t)((g->chance >> 32) % (2 * g->every - 1)); /* every, on the average */
    g->seen++;
    to = node_of(g, t);
    if (sender && sender->mesh->graph == g)
        from = node_of(g, sender);
    edge = from != GRAPH_NONE && to != GRAPH_NONE ? edge_of(g, from, to) : NULL;
    if (!edge) {
        g->missed++;
        return;
    }
    edge->seen++;
    edge->bytes += bytes;
}

/* ---- those who have gone -------------------------------------------------------------------------------- */
/* What was counted for one node is from now on counted for another. */
static void edges_merge(struct graph *g, uint32_t from, uint32_t gone, uint32_t into)
{
    uint32_t *link = &g->nodes[from].out, at;
    struct graph_edge moved, *edge;

    while (*link != GRAPH_NONE && g->edges[*link].to != gone)
        link = &g->edges[*link].next;
    at = *link;
    if (at == GRAPH_NONE)
        return;
    moved = g->edges[at];
    *link = moved.next;
    g->edges[at].next = g->free_edges;
    g->free_edges = at;
    edge = edge_of(g, from, into);
    assert(edge); /* there is a place: the one just given back */
    edge->seen += moved.seen;
    edge->bytes += moved.bytes;
}

static void node_merge(struct graph *g, uint32_t gone, uint32_t into)
{
    uint32_t i, at;

    for (i = 0; i < g->node_count; i++)
        if (g->nodes[i].is_used)
            edges_merge(g, i, gone, into);
    while ((at = g->nodes[gone].out) != GRAPH_NONE) {
        struct graph_edge moved = g->edges[at], *edge;

        g->nodes[gone].out = moved.next;
        g->edges[at].next = g->free_edges;
        g->free_edges = at;
        edge = edge_of(g, into, moved.to);
        assert(edge);
        edge->seen += moved.seen;
        edge->bytes += moved.bytes;
    }
    g->nodes[gone] = (struct graph_node){.next = g->free_nodes};
    g->free_nodes = gone;
}

void graph_forget(struct graph *g, const mw_tasklet *t)
{
    uint32_t *link = bucket_of(g, t), at, other;

    while (*link != GRAPH_NONE && g->nodes[*link].tasklet != t)
        link = &g->nodes[*link].next;
    at = *link;
    if (at == GRAPH_NONE)
        return;
    *link = g->nodes[at].next;
    for (other = g->gone; other != GRAPH_NONE; other = g->nodes[other].next) {
        if (strcmp(g->nodes[other].name, g->nodes[at].name) == 0) {
            node_merge(g, at, other);
            return;
        }
    }
    g->nodes[at].tasklet = NULL;
    g->nodes[at].next = g->gone;
    g->gone = at;
}

/* ---- on and off ----------------------------------------------------------------------------------------- */
struct graph *graph_new(uint32_t every)
{
    struct graph *g = mw_alloc(sizeof(*g));

    if (!g)
        return NULL;
    memset(g, 0, offsetof(struct graph, buckets));
    memset(g->buckets, 0xff, sizeof(g->buckets)); /* GRAPH_NONE */
    g->left = 1;
    g->every = every;
    g->chance = UINT64_C(0x2545f4914f6cdd1d);
    g->free_nodes = g->free_edges = g->gone = GRAPH_NONE;
    g->nodes[g->node_count++] = (struct graph_node){.next = GRAPH_NONE, .out = GRAPH_NONE, .is_used = true, .name = "outside"};
    return g;
}

static struct mw_scheduler *mesh_within(const mw_tasklet *t)
{
    return t && t->kind == TASKLET_MESH ? t->scope : NULL;
}

/* Recursion ends: nesting does, at 64. */
void mesh_graph_join(struct mw_scheduler *m, struct graph *g)
{
    uint32_t i;

    if (m->graph || !g)
        return;
    m->graph = g;
    g->references++;
    for (i = 0; i < m->top; i++) {
        if (m->members[i])
            mailbox_update_room(m->members[i]);
        if (mesh_within(m->members[i]))
            mesh_graph_join(mesh_within(m->members[i]), g);
    }
}

void mesh_graph_leave(struct mw_scheduler *m)
{
    struct graph *g = m->graph;
    uint32_t i;

    if (!g)
        return;
    m->graph = NULL;
    for (i = 0; i < m->top; i++) {
        if (!m->members[i])
            continue;
        mailbox_update_room(m->members[i]);
        graph_forget(g, m->members[i]);
        if (mesh_within(m->members[i]) && mesh_within(m->members[i])->graph == g)
            mesh_graph_leave(mesh_within(m->members[i]));
    }
    if (--g->references == 0)
        mw_free(g);
}
