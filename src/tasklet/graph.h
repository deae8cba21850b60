/* Who sends to whom: what a mesh learns of its traffic while somebody wants to know, from a sample of the sends.
 * Not how it is printed; that is scheduler/graph.c. Read next: graph.c.
 * SPDX-License-Identifier: MIT */
#ifndef TASKLET_GRAPH_H
#define TASKLET_GRAPH_H

#include <meshwork/tasklet.h>

#define GRAPH_NODES_MOST 2048u
#define GRAPH_EDGES_MOST 8192u
#define GRAPH_NONE UINT32_MAX
enum { GRAPH_NAME_BYTES = 48, GRAPH_BUCKETS = 1024 };

struct graph_node {
    const mw_tasklet *tasklet; /* NULL: the world outside, or all who had this name and have gone */
    uint32_t next;             /* in its bucket, or of those who have gone */
    uint32_t out;              /* the first edge from here */
    bool is_used;
    char name[GRAPH_NAME_BYTES]; /* when it was noted first; UTF-8 */
};
struct graph_edge {
    uint32_t to;               /* a node */
    uint32_t next;             /* from the same node, or of the unused */
    uint64_t seen, bytes;      /* of the sends that were looked at */
};
struct graph {
    uint32_t left;             /* sends until the next that is looked at */
    uint32_t every;            /* one in so many is, on the average */
    uint64_t chance;           /* the state of the choices */
    const mw_tasklet *waiter;  /* who sent, where that is not who runs; NULL as a rule */
    uint32_t references;       /* meshes that share it */
    uint32_t node_count, edge_count; /* places used so far */
    uint32_t free_nodes, free_edges; /* given back */
    uint32_t gone;             /* the first of those */
    uint64_t seen, missed;     /* sends that were looked at; those of them for which there was no place */
    uint32_t buckets[GRAPH_BUCKETS];
    struct graph_node nodes[GRAPH_NODES_MOST]; /* the first is the world outside */
    struct graph_edge edges[GRAPH_EDGES_MOST];
};

struct mw_scheduler;

struct graph *graph_new(uint32_t every); /* NULL: out of memory */
/* From now on what is sent in m, and in those nested in it that have no graph of their own, is learned in g. */
void mesh_graph_join(struct mw_scheduler *m, struct graph *g);
/* No longer; m and those in it that share its graph. Frees it with the last. */
void mesh_graph_leave(struct mw_scheduler *m);
/* An item for t is queued; the turn of this one has come to be looked at. */
void graph_note(struct graph *g, const mw_tasklet *t, size_t bytes);
/* t is being freed, or leaves for a mesh that does not share g: only its name stays. */
void graph_forget(struct graph *g, const mw_tasklet *t);

#endif
