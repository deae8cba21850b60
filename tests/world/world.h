/* A whole server in a world of our own: kernel.h is below it, people.h around it, and one number says all that happens.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_WORLD_H
#define WORLD_WORLD_H

#include <meshwork/server.h>

#include "kernel.h"

enum { WORLD_PORT = 8000, WORLD_NOTE_BYTES = 32 };
#define WORLD_SECRET "hush-hush" /* of an attribute that no policy names: whoever receives these bytes got what is not his */
#define WORLD_PASSWORD "correct horse"

/* What the back end holds. */
struct plant {
    int64_t level, count;
    char note[WORLD_NOTE_BYTES];
    char secret[16];
    int64_t news; /* the number of the next broadcast */
};

struct world {
    struct chance chance;
    mw_server *server;
    struct plant *plant; /* NULL: not open */
    char folder[64], state[80];
    char token[128];     /* of the operator */
    uint64_t hash;       /* of all that people received, and when */
    bool is_faulty;      /* allocations fail now and then: whoever is told of an internal error, or dropped, has no reason to complain */
    bool is_short;       /* limits are low, or descriptors lack: likewise dropped */
    bool has_leapt;      /* the clock has moved by seconds at once: a request that was under way took too long */
    bool has_ended;      /* the server was told to */
    bool is_told;        /* of each step: world_tell prints */
    char wrong[400];     /* what should not have happened; empty: nothing */
};

/* Note what should not have happened; the first is kept, and the run ends. */
void world_say_wrong(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_tell(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_note(struct world *w, const void *bytes, size_t byte_count); /* into the hash */

/* Make what all runs share: folders, files, users. The same every time but for the token. */
void world_prepare(struct world *w);
void world_clean_up(struct world *w);
/* One run. chance says everything; w->wrong says whether all was well.
 * steps  how often somebody does something before all falls quiet */
enum { WORLD_STEPS = 2000, WORLD_STEPS_FEW = 300 };
void world_run(struct world *w, struct chance chance, int steps);

#endif
