/* Printing without memory, locks or stdio, and the dump of a mesh as a table and as JSON. For this room's files.
 * Read next: out.c, dump.c.
 * SPDX-License-Identifier: MIT */
#ifndef SCHEDULER_DUMP_H
#define SCHEDULER_DUMP_H

#include <meshwork/scheduler.h>

/* A mesh may have a million; who looks wants the first of them. */
enum { DUMP_TASKLETS_MOST = 1000, DUMP_INDENT_MOST = 64 };

/* ---- out.c ------------------------------------------------------------------------------------------------ */
struct dump_out {
    int fd;
    size_t count, column;
    char last; /* byte that was put out; 0: none was */
    char line[256];
};
void out_flush(struct dump_out *o);
void out_byte(struct dump_out *o, char byte);
void out_text(struct dump_out *o, const char *text);
void out_name(struct dump_out *o, const mw_tasklet *t); /* control characters become '?' */
void out_number(struct dump_out *o, uint64_t number);
void out_hex(struct dump_out *o, uint64_t number);
void out_bytes(struct dump_out *o, uint64_t bytes); /* 512, 1.5K, 64K, 8M */
void out_duration(struct dump_out *o, int64_t ns);
void out_place(struct dump_out *o, const mw_tasklet *t); /* where it was made: file and line */
void out_to(struct dump_out *o, size_t column); /* spaces, one at least */
void out_quoted(struct dump_out *o, const char *text); /* as JSON */
void out_key(struct dump_out *o, const char *key);
void out_key_number(struct dump_out *o, const char *key, uint64_t number);
void out_key_quoted(struct dump_out *o, const char *key, const char *text);
void out_key_bool(struct dump_out *o, const char *key, bool is);
void out_key_id(struct dump_out *o, const char *key, const void *thing);

/* ---- dump.c ----------------------------------------------------------------------------------------------- */
extern const char *const dump_kind_names[];
struct dump_wait {
    const char *what;
    const mw_tasklet *on; /* NULL: no tasklet */
    int64_t since_ns;
};
bool dump_wait(const mw_tasklet *t, struct dump_wait *ret); /* false: it waits for nothing, but perhaps for items */
const char *dump_state(const mw_tasklet *t);
struct dump_stack {
    uint64_t used, bytes; /* used 0: not known, as it runs; bytes 0: it has none */
};
struct dump_stack dump_stack(const mw_tasklet *t); /* what a parked coroutine holds: from its stack pointer up */
int64_t dump_now(const mw_scheduler *s);
void dump_here(const mw_scheduler *ret_roots[2]); /* of this thread; NULL: none */
void dump_mesh(struct dump_out *o, const mw_scheduler *s, size_t indent);

/* ---- dump_json.c ------------------------------------------------------------------------------------------ */
void dump_mesh_json(struct dump_out *o, const mw_scheduler *s, size_t depth);

/* ---- everywhere.c ----------------------------------------------------------------------------------------- */
/* Another thread has asked for a dump of s: give it, where s is a root. */
void dump_answer(mw_scheduler *s);

#endif
