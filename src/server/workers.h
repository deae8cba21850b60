/* Further threads, each with a reactor: they accept connections, answer requests for files, and run those apps of which each client or each
 * user has an instance of its own. Whatever else comes goes to the server's own thread, where every app is.
 * Read next: worker.c for what one does, workers.c for how they are kept.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_WORKERS_H
#define SERVER_WORKERS_H

#include <meshwork/scheduler.h>
#include <pthread.h>
#include <stdatomic.h>

#include "server/reactor.h"

struct gathered;

/* How far an end has come, for them: a later one includes those before. */
enum workers_phase {
    WORKERS_RUN,
    WORKERS_FINISH, /* no further connection, no further request; WebSockets close one after the other */
    WORKERS_STOP,   /* all close now */
    WORKERS_END,
};

/* What a worker tells of an app that runs on it. */
struct worker_app {
    struct app_stats stats;
    struct gathered *gathered; /* of its meshes; NULL: it does not run here */
};

struct server_worker {
    struct reactor reactor;    /* the thread's own, once that runs */
    pthread_t thread;
    bool is_running;
    /* The thread's own: what of the orders it has followed, and when it looks through its meshes again. */
    enum workers_phase phase;
    uint64_t tls_seen, idle_seen, guests_seen, largest_seen;
    uint64_t *policies_seen;   /* by app */
    int64_t gather_at_ns;
    uint64_t gathered_turns;   /* of its apps when it did so last */
    struct gathered *scratch;
    /* The server's own thread's, which looks whether this one goes on. */
    uint64_t pulse_seen;       /* poller_pulse at its last look ... */
    int64_t pulse_ns;          /* ... and when it first saw that */
    bool is_hung;
    atomic_int dump_fd;        /* owned; asked for: a dump to it; -1: not */
    /* As of its last pass, of meshes at most a second old; under the lock. */
    struct edge_stats stats;
    uint64_t hits[EDGE_LIMIT_COUNT];
    struct shed_counts shed;
    struct worker_app *apps;
};

struct server_workers {
    struct server_worker *each; /* NULL: the server's own thread is the only one */
    size_t count;
    pthread_mutex_t lock;       /* of what workers tell, of each reactor's `come` and of the orders */
    atomic_int phase;           /* enum workers_phase */
    uint64_t hangs;             /* how often one was found hung */
    bool watches_stalls;        /* their tasklets are watched like those of the server's own thread */
    mw_stall_options stalls;
    /* Orders: each number grows when there is a new one. */
    struct tls_context *tls;    /* owned; to be used from now on */
    uint64_t tls_order, idle_order, guests_order, largest_order;
    uint64_t *policies_orders;  /* by app */
    enum shed_level shed_level;
    const struct server_worker *drops_largest; /* whose client is to go */
    pthread_mutex_t dump_lock;  /* one dump after the other */
};

/* Make those that --workers asks for, not yet running. ret 0, or why not. */
int workers_open(struct mw_server *server, const struct edge_options *options, struct mw_error *ret_error);
/* Listen where the server listens: with options of its own edge's, or on a copy of its descriptor. */
int workers_listen(struct mw_server *server, const struct edge_listen *options, struct mw_error *ret_error);
int workers_listen_on(struct mw_server *server, int borrows_fd, const struct edge_listen *options, struct mw_error *ret_error);
/* Open their apps, and let them run. The server's own thread has its apps. */
int workers_start(struct mw_server *server, struct mw_error *ret_error);
/* End their threads and free all. */
void workers_close(struct mw_server *server);

/* Where the instance of an app is that a client of this user (NULL: anonymous) who came in at r belongs to. */
struct reactor *workers_home(struct reactor *r, const struct mounted *m, const char *user);
/* A connection that has left another reactor's edge, for this one's. Any thread. */
void workers_bring(struct reactor *to, struct edge_connection *c);
void workers_take(struct reactor *r); /* what has come for it until now; on its thread, in each turn */
/* Where m's app.ini has changed since *io_seen, have the app of a worker take its policies; on that worker. */
void mounted_follow(struct mounted *m, struct reactor *r, uint64_t *io_seen);

/* On the server's own thread: */
void workers_finish(struct mw_server *server);
void workers_stop(struct mw_server *server);
void workers_set_tls(struct mw_server *server, struct tls_context *tls); /* the server's own edge, too */
void workers_set_shed_level(struct mw_server *server, enum shed_level level);
void workers_close_idle(struct mw_server *server);
void workers_drop_largest(struct mw_server *server); /* of all reactors, the server's own among them */
void workers_look_at_guests(struct mw_server *server); /* the server's own reactor, too */
void workers_dump(struct mw_server *server, int fd);
/* An app.ini that holds from now on, in place of the one that m had: that is returned, for nobody uses it any more. */
struct ini_document *workers_set_ini(struct mw_server *server, struct mounted *m, struct ini_document *takes);

/* Of all reactors of the server; a pass old for those of workers. */
struct edge_stats server_edge_stats(struct mw_server *server);
uint64_t server_limit_hits(struct mw_server *server, enum edge_limit limit);
struct app_stats server_app_stats(struct mw_server *server, size_t index);
void server_add_gathered(struct mw_server *server, size_t index, struct gathered *io); /* of workers' meshes */
struct shed_counts server_shed_counts(struct mw_server *server);

/* ---- worker.c ---- */
/* The edge's hooks of a worker: its context is the reactor. */
extern const struct edge_hooks worker_hooks;
void *worker_run(void *context); /* a thread's: context is a struct server_worker */
/* Whoever wakes a worker only wants it to look. */
void worker_woken(void *context);
/* The route hook of a worker's edge; context is its reactor. */
void route_on_worker(void *context, const struct edge_request *request, struct edge_answer *answer);

#endif
