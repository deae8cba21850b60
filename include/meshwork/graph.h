/* The live graph of a mesh: who sends to whom, and how much, learned from its traffic while somebody wants to know.
 * Not what each tasklet does; that is mw_scheduler_dump. Read next: examples/10-graph.c, docs/debugging.md.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_GRAPH_H
#define MESHWORK_GRAPH_H

#include <meshwork/scheduler.h>

MW_BEGIN_DECLS

/* Learn from now on who sends to whom in a mesh and in those nested in it, also those that come later. Until then, and after
 * mw_graph_stop, a send knows nothing of it; meanwhile each takes the road of those that find the mailbox full, which counts it. All
 * memory is taken here: 450 KiB, for 2,048 tasklets and 8,192 pairs; what exceeds that is counted as missed.
 * every    one send in so many is looked at, left to chance; 1 to 65,535; 1: each. 64 is a good choice
 * returns  0; -EINVAL; -EBUSY it is being learned; -ENOMEM
 * context  the mesh's own thread, also inside a body */
MW_EXPORT int mw_graph_start(mw_scheduler *s, unsigned every);
/* Forget what was learned. returns 0; -ENOENT nothing is being learned; -EBUSY a mesh around s learns, and s as its part; -EINVAL */
MW_EXPORT int mw_graph_stop(mw_scheduler *s);

/* What was learned so far, as a value:
 * {"every": N, "sends": N, "missed": N, "nodes": [{"id": "0x..", "name": .., "kind": .., "queued": N, "processed": N}], "edges":
 * [{"from": I, "to": I, "sends": N, "bytes": N}]}. Edges point into the list of nodes; numbers of sends and of bytes (of what items hold on the
 * heap) are estimates: what was seen, times every. The first node is the world outside of the mesh, {"name": "outside"}. Those who have gone are one
 * node for each name, {"name": .., "gone": true}.
 * returns  owned; MW_MISSING: nothing is being learned, or out of memory. context: the mesh's own thread */
MW_EXPORT MW_MUST_USE mw_value mw_graph(const mw_scheduler *s);
/* The same as a line of JSON, and for Graphviz: mw_graph_dot | dot -Tsvg. returns a text, as above */
MW_EXPORT MW_MUST_USE mw_value mw_graph_json(const mw_scheduler *s);
MW_EXPORT MW_MUST_USE mw_value mw_graph_dot(const mw_scheduler *s);

MW_END_DECLS

#endif
