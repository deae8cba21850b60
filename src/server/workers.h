/* Further threads that accept connections and answer requests for files; whatever else comes goes to the server's own thread,
 * where the apps are. Read next: workers.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_WORKERS_H
#define SERVER_WORKERS_H

#include <pthread.h>
#include <stdatomic.h>

#include "edge/edge.h"

enum { WORKERS_MOST = 256 };

struct mw_server;

/* How far an end has come, for them: a later one includes those before. */
enum workers_phase { WORKERS_RUN, WORKERS_FINISH /* no further connection, no further request */, WORKERS_END };

struct server_worker {
    struct mw_server *server;
    struct poller *poller; /* with its edge the thread's own, once that runs */
    struct poller_wake *wake;
    struct edge *edge;
    pthread_t thread;
    bool is_running;
    /* The thread's own: what of the orders below it has followed. */
    enum workers_phase phase;
    uint64_t tls_seen, idle_seen, full_seen;
    /* As of its last pass; under the lock. */
    struct edge_stats stats;
    uint64_t hits[EDGE_LIMIT_COUNT];
};

/* Connections that have left their edges, in the order of their coming. */
struct workers_queue {
    struct edge_connection **each;
    size_t count, room;
};

struct server_workers {
    struct server_worker *each; /* NULL: the server's own thread is the only one */
    size_t count;
    pthread_mutex_t lock;       /* of stats, hits, come and the orders */
    struct workers_queue come;  /* for the server's own thread */
    struct workers_queue taken; /* that thread's own: an empty one, for its next turn */
    atomic_int phase;           /* enum workers_phase */
    /* Orders: each number grows when there is a new one. */
    struct tls_context *tls;    /* owned; to be used from now on */
    uint64_t tls_order, idle_order, full_order;
    bool is_full;
    enum edge_limit full_limit;
};

/* Make those that --workers asks for, not yet running. ret 0, or why not. */
int workers_open(struct mw_server *server, const struct edge_options *options, struct mw_error *ret_error);
/* Listen where the server listens: with options of its own edge's, or on a copy of its descriptor. */
int workers_listen(struct mw_server *server, const struct edge_listen *options, struct mw_error *ret_error);
int workers_listen_on(struct mw_server *server, int borrows_fd, const struct edge_listen *options, struct mw_error *ret_error);
/* Let them run. */
int workers_start(struct mw_server *server, struct mw_error *ret_error);
/* End their threads and free all. */
void workers_close(struct mw_server *server);

/* On the server's own thread: */
void workers_take(struct mw_server *server); /* what has come for it until now; in each turn */
void workers_finish(struct mw_server *server);
void workers_set_tls(struct mw_server *server, struct tls_context *tls); /* the server's own edge, too */
void workers_set_full(struct mw_server *server, bool is_full, enum edge_limit limit);
void workers_close_idle(struct mw_server *server);
/* Of all edges of the server; a pass old for those of workers. */
struct edge_stats server_edge_stats(struct mw_server *server);
uint64_t server_limit_hits(struct mw_server *server, enum edge_limit limit);

/* The route hook of a worker's edge; context is its struct server_worker. */
void route_file_request(void *context, const struct edge_request *request, struct edge_answer *answer);

#endif
