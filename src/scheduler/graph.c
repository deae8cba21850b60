/* The live graph as others see it: switched on and off, as a value, as JSON, and for Graphviz.
 * Not how it is learned; that is ../tasklet/graph.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/graph.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "scheduler/dump.h"
#include "scheduler/scheduler_priv.h"
#include "tasklet/graph.h"

enum { EVERY_MOST = 65535, TEXT_LIMIT_BYTES = 16 << 20 };

int mw_graph_start(mw_scheduler *s, unsigned every)
{
    struct graph *g;

    if (!s || every < 1 || every > EVERY_MOST)
        return -EINVAL;
    if (s->graph)
        return -EBUSY;
    g = graph_new(every);
    if (!g)
        return -ENOMEM;
    mesh_graph_join(s, g);
    return 0;
}

int mw_graph_stop(mw_scheduler *s)
{
    const mw_scheduler *parent = s ? mesh_parent(s) : NULL;

    if (!s)
        return -EINVAL;
    if (!s->graph)
        return -ENOENT;
    if (parent && parent->graph == s->graph)
        return -EBUSY;
    mesh_graph_leave(s);
    return 0;
}

/* ---- as a value ----------------------------------------------------------------------------------------- */
/* Without memory the map is released and becomes MW_MISSING, which further calls leave so. */
static void put(mw_value *io_map, const char *key, mw_value takes)
{
    if (io_map->kind != MW_MISSING && mw_map_set(io_map, key, takes) == 0)
        return;
    if (io_map->kind == MW_MISSING)
        mw_release(takes);
    mw_release(*io_map);
    *io_map = (mw_value){.kind = MW_MISSING};
}

static void append(mw_value *io_list, mw_value takes)
{
    if (io_list->kind != MW_MISSING && takes.kind != MW_MISSING && mw_list_append(io_list, takes) == 0)
        return;
    if (io_list->kind == MW_MISSING)
        mw_release(takes);
    mw_release(*io_list);
    *io_list = (mw_value){.kind = MW_MISSING};
}

static int64_t estimate(const struct graph *g, uint64_t seen)
{
    return (int64_t)(seen * g->every);
}

static mw_value node_value(const struct graph_node *node)
{
    const mw_tasklet *t = node->tasklet;
    mw_value map = mw_map_new();
    char id[24];

    put(&map, "name", mw_text(node->name));
    if (!t)
        return map;
    (void)snprintf(id, sizeof(id), "0x%" PRIxPTR, (uintptr_t)t);
    put(&map, "id", mw_text(id));
    put(&map, "kind", mw_text(dump_kind_names[t->kind]));
    put(&map, "queued", mw_int(t->count));
    put(&map, "processed", mw_int((int64_t)t->processed));
    return map;
}

/* The numbers of nodes in the list, as some places are unused. */
static mw_value nodes_value(const struct graph *g, uint32_t *ret_numbers)
{
    mw_value list = mw_list_new();
    uint32_t i, number = 0;

    for (i = 0; i < g->node_count; i++) {
        const struct graph_node *node = &g->nodes[i];
        mw_value map;

        if (!node->is_used)
            continue;
        ret_numbers[i] = number++;
        map = node_value(node);
        if (i > 0 && !node->tasklet)
            put(&map, "gone", mw_bool(true));
        append(&list, map);
    }
    return list;
}

static mw_value edges_value(const struct graph *g, const uint32_t *numbers)
{
    mw_value list = mw_list_new();
    uint32_t i, at;

    for (i = 0; i < g->node_count; i++) {
        if (!g->nodes[i].is_used)
            continue;
        for (at = g->nodes[i].out; at != GRAPH_NONE; at = g->edges[at].next) {
            const struct graph_edge *edge = &g->edges[at];
            mw_value map = mw_map_new();

            put(&map, "from", mw_int(numbers[i]));
            put(&map, "to", mw_int(numbers[edge->to]));
            put(&map, "sends", mw_int(estimate(g, edge->seen)));
            put(&map, "bytes", mw_int(estimate(g, edge->bytes)));
            append(&list, map);
        }
    }
    return list;
}

mw_value mw_graph(const mw_scheduler *s)
{
    const struct graph *g = s ? s->graph : NULL;
    uint32_t *numbers = g ? mw_alloc(g->node_count * sizeof(*numbers)) : NULL; /* not on a stack that may be small */
    mw_value map = mw_map_new();

    if (!numbers)
        return (mw_value){.kind = MW_MISSING};
    put(&map, "every", mw_int(g->every));
    put(&map, "sends", mw_int(estimate(g, g->seen)));
    put(&map, "missed", mw_int(estimate(g, g->missed)));
    put(&map, "nodes", nodes_value(g, numbers));
    put(&map, "edges", edges_value(g, numbers));
    mw_free(numbers);
    return map;
}

mw_value mw_graph_json(const mw_scheduler *s)
{
    mw_value map = mw_graph(s), text = mw_format("{}", map);

    mw_release(map);
    return text;
}

/* ---- for Graphviz --------------------------------------------------------------------------------------- */
static void print_quoted(struct mw_buffer *b, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            (void)mw_buffer_append_byte(b, '\\');
        (void)mw_buffer_append_byte(b, (uint8_t)*text);
    }
}

static void print_node(struct mw_buffer *b, const struct graph_node *node, uint32_t number)
{
    const mw_tasklet *t = node->tasklet;

    (void)mw_buffer_printf(b, "  n%" PRIu32 " [label=\"", number);
    print_quoted(b, node->name);
    if (t)
        (void)mw_buffer_printf(b, "\\n%" PRIu64 " processed, %" PRIu32 " queued\"", t->processed, t->count);
    else
        (void)mw_buffer_append_text(b, number == 0 ? "\", shape=plaintext" : " (gone)\", style=dashed");
    if (t && t->kind == TASKLET_HANDLER)
        (void)mw_buffer_append_text(b, ", shape=box");
    (void)mw_buffer_append_text(b, "];\n");
}

/* Ten times the traffic is a line one point wider. */
static unsigned width_of(int64_t sends)
{
    unsigned width = 1;

    for (; sends >= 10 && width < 10; sends /= 10)
        width++;
    return width;
}

static void print_edges(struct mw_buffer *b, const struct graph *g, uint32_t from)
{
    uint32_t at;

    for (at = g->nodes[from].out; at != GRAPH_NONE; at = g->edges[at].next) {
        int64_t sends = estimate(g, g->edges[at].seen);

        (void)mw_buffer_printf(b, "  n%" PRIu32 " -> n%" PRIu32 " [label=\"%" PRId64 "\", penwidth=%u];\n", from, g->edges[at].to, sends,
                               width_of(sends));
    }
}

mw_value mw_graph_dot(const mw_scheduler *s)
{
    const struct graph *g = s ? s->graph : NULL;
    mw_value text = {.kind = MW_MISSING};
    struct mw_buffer b;
    uint32_t i;

    if (!g)
        return text;
    mw_buffer_init(&b, TEXT_LIMIT_BYTES);
    (void)mw_buffer_append_text(&b, "digraph mesh {\n  rankdir=LR;\n");
    for (i = 0; i < g->node_count; i++) {
        if (g->nodes[i].is_used && (i > 0 || g->nodes[i].out != GRAPH_NONE))
            print_node(&b, &g->nodes[i], i);
    }
    for (i = 0; i < g->node_count; i++) {
        if (g->nodes[i].is_used)
            print_edges(&b, g, i);
    }
    (void)mw_buffer_append_text(&b, "}\n");
    if (!b.error)
        text = mw_text_n((const char *)b.data, b.count);
    mw_buffer_clear(&b);
    return text;
}
