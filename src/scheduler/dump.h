/* Printing without memory, locks or stdio, and the dump of a mesh. For this room's files.
 * SPDX-License-Identifier: MIT */
#ifndef SCHEDULER_DUMP_H
#define SCHEDULER_DUMP_H

#include <meshwork/scheduler.h>

/* A mesh may have a million; who looks wants the first of them. */
enum { DUMP_TASKLETS_MOST = 1000, DUMP_INDENT_MOST = 64 };

struct dump_out {
    int fd;
    size_t count, column;
    char line[256];
};
void out_text(struct dump_out *o, const char *text);
void out_name(struct dump_out *o, const mw_tasklet *t); /* control characters become '?' */
void out_number(struct dump_out *o, uint64_t number);
void out_hex(struct dump_out *o, uint64_t number);
void out_place(struct dump_out *o, const mw_tasklet *t); /* where it was made: file and line */
void dump_mesh(struct dump_out *o, const mw_scheduler *s, size_t indent);

#endif
