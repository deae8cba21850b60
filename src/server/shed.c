/* The levels of shedding: when each begins, and what it does.
 * SPDX-License-Identifier: MIT */
#include "server/shed.h"

#include <inttypes.h>

#include "server/server_priv.h"

#define LOOK_NS INT64_C(100000000)

static const struct {
    const char *word, *what;
    unsigned percent; /* of memory_bytes, from which on */
} levels[SHED_LEVELS] = {
    [SHED_NOTHING] = {"nothing", "nothing is shed", 0},
    [SHED_CONNECTIONS] = {"connections", "new connections are refused", 70},
    [SHED_IDLE] = {"idle", "connections that wait for a request or for a login are closed", 85},
    [SHED_WATCHES] = {"watches", "new watches are refused, slow readers get the newest values only", 92},
    [SHED_LARGEST] = {"largest", "the client for which most is held is dropped", 95},
};

const char *shed_word(enum shed_level level)
{
    return levels[level].word;
}

/* A level is left a little below where it is entered: at its border nothing flutters. */
static enum shed_level level_of(const struct shed *shed, uint64_t used, uint64_t most)
{
    enum shed_level level = SHED_LARGEST;

    for (; level > SHED_NOTHING; level--) {
        unsigned percent = levels[level].percent - (level <= shed->level ? 3 : 0);

        if (used >= most / 100 * percent)
            break;
    }
    return level;
}

static void enter(struct mw_server *server, enum shed_level level, uint64_t used, uint64_t most)
{
    struct shed *shed = &server->shed;
    size_t i;

    for (i = shed->level + 1; i <= level; i++)
        shed->entered[i]++;
    shed->level = level;
    shed_follow(&server->reactor, level);
    workers_set_shed_level(server, level);
    log_at(&server->log, level > SHED_NOTHING ? MW_LOG_WARNING : MW_LOG_NOTICE,
           "memory: %" PRIu64 " of %" PRIu64 " bytes are in use: %s", used, most, levels[level].what);
}

void shed_follow(struct reactor *r, enum shed_level level)
{
    size_t i;

    r->shed_level = level;
    edge_set_full(r->edge, level >= SHED_CONNECTIONS, EDGE_LIMIT_MEMORY);
    for (i = 0; i < r->server->app_count; i++)
        if (r->apps[i])
            app_refuse_watches(r->apps[i], level >= SHED_WATCHES);
}

void shed_look(struct mw_server *server, int64_t now_ns)
{
    struct shed *shed = &server->shed;
    uint64_t used, most = server->settings.limits.value[EDGE_LIMIT_MEMORY];
    enum shed_level level;

    if (now_ns < shed->look_at_ns)
        return;
    shed->look_at_ns = now_ns + LOOK_NS;
    used = (uint64_t)mw_memory_stats().live_bytes;
    level = level_of(shed, used, most);
    if (level != shed->level)
        enter(server, level, used, most);
    if (level >= SHED_IDLE) {
        shed->counts.closed_idle += edge_close_idle(server->reactor.edge) + gate_close_strangers(&server->reactor);
        workers_close_idle(server);
    }
    if (level >= SHED_LARGEST)
        workers_drop_largest(server);
}
