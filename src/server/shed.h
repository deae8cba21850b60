/* What goes first when memory runs short, and what stays: new connections, connections without a role, new watches and conflation, the
 * largest client; never an acknowledged write.
 * Not the bounds of a single peer; those are the limits. Read next: shed.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_SHED_H
#define SERVER_SHED_H

#include <meshwork/base.h>

struct mw_server;
struct reactor;

/* In the order in which they come, each with all before it. */
enum shed_level { SHED_NOTHING, SHED_CONNECTIONS, SHED_IDLE, SHED_WATCHES, SHED_LARGEST, SHED_LEVELS };

/* Connections closed and clients dropped, ever. */
struct shed_counts {
    uint64_t closed_idle, dropped_largest;
};

struct shed {
    enum shed_level level;
    int64_t look_at_ns;
    struct shed_counts counts;             /* of the server's own thread */
    uint64_t entered[SHED_LEVELS];         /* how often each level was entered from below */
};

/* Look how much is in use, at most ten times a second, and do what its level asks for. */
void shed_look(struct mw_server *server, int64_t now_ns);
/* A reactor does from now on what a level asks for at all times. On its thread. */
void shed_follow(struct reactor *r, enum shed_level level);
const char *shed_word(enum shed_level level); /* "connections" */

#endif
