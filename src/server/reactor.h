/* One thread's part of the server: its event loop, its edge, the apps that run there and the connections that use them. The server's own
 * thread has one, and each further worker. Nothing here is for another thread but `wake`, and what says so.
 * Not the threads; those are workers.h. Read next: reactor.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_REACTOR_H
#define SERVER_REACTOR_H

#include <meshwork/users.h>
#include <stdatomic.h>

#include "app/mount.h"
#include "base/list.h"
#include "edge/edge.h"
#include "runtime/host.h"
#include "server/gate.h"
#include "server/shed.h"

struct mw_server;
struct mounted;

/* Connections that have left their edges for another, in the order of their coming. */
struct arrivals {
    struct edge_connection **each;
    size_t count, room;
};

/* A timer that is set in every turn, mostly to what it is set to. */
struct alarm {
    struct poller_timer *timer;
    int64_t due_ns; /* MW_FOREVER: not set */
};

struct reactor {
    struct mw_server *server;
    struct poller *poller;
    _Atomic(struct poller_wake *) wake; /* from any thread */
    atomic_ulong thread;          /* pthread_t that runs it */
    struct runtime_host host;     /* of the meshes of its apps */
    struct edge *edge;
    struct arrivals come;         /* for this edge; under the workers' lock */
    struct arrivals taken;        /* its own: an empty one, for its next turn */
    struct app **apps;            /* by struct mounted's index; NULL: that app does not run here */
    struct alarm app_alarm;       /* the next tick of any app */
    struct alarm other_alarm;     /* whatever else is due */
    struct mw_list bridges;       /* in the order of their coming */
    struct mw_list behind;        /* bridges whose reader is slow */
    struct mw_list hurried;       /* bridges with rights lost while something was queued, in the order of hurry_ns */
    size_t guests;                /* bridges that the gate looks at: logged in, or yet to log in */
    int64_t look_at_ns;           /* when the gate looks at them again */
    enum shed_level shed_level;   /* as it was told last */
    int64_t drain_at_ns;          /* while draining: when the next WebSocket is closed */
    int64_t drain_step_ns;        /* from one to the next; negative: none was closed yet */
    const char *role_names[MW_USER_ROLES_MOST + 2]; /* lent by gate_identity */
    mw_user *found;               /* lent by gate_find; NULL: nothing */
    char rpc_address[GATE_ADDRESS_BYTES]; /* of the request by POST that is being answered */
};

/* Its lists and numbers; nothing is opened. */
void reactor_init(struct reactor *r, struct mw_server *server);
/* Its event loop.
 * woken    on its thread, whenever somebody woke it; context is the reactor
 * returns  0; -ENOMEM, -EMFILE and the like. reactor_close in any case */
int reactor_open(struct reactor *r, void (*woken)(void *context), struct mw_error *ret_error);
/* Accept nothing any more, and close all connections: 1001. On its thread. */
void reactor_stop(struct reactor *r);
/* Its apps, and what they have out. Its edge has been freed. On its thread, or once that has ended. */
void reactor_end(struct reactor *r);
/* The same where that was not done, then its event loop: once its thread has ended. */
void reactor_close(struct reactor *r);
/* A turn will follow, soon: from any thread while it is open. context is the reactor; an app's wake hook. */
void reactor_wake(void *context);
/* Its share of a pass of its loop: connections that are behind, the gate, the apps.
 * io_due_ns  becomes when it wants the next turn, where that is earlier
 * returns    true: more is ready at once */
bool reactor_turn(struct reactor *r, int64_t now_ns, int64_t *io_due_ns);
/* Write what the tasklets of its apps are doing. On its thread. */
void reactor_dump(struct reactor *r, int fd);
/* Be called again then at the latest. */
void alarm_set(struct alarm *alarm, int64_t due_ns);

#endif
