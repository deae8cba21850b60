/* Lines for people, bounded: a peer that provokes them fills no disk.
 * Where they go is the host's business (mw_server_on_log). Read next: server.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <meshwork/server.h>

struct log {
    void (*write)(void *context, enum mw_log_source source, const char *line); /* NULL: nowhere */
    void *context;
    int64_t filled_ns;   /* when room was last added */
    uint32_t room;       /* lines that may still be written at once */
    uint64_t left_out;   /* since the last line; said with the next */
    uint64_t left_out_in_all;
};

void log_init(struct log *log);
/* One line; control characters in it become '?'. At most 100 at once and 20 a second in the long run. */
void log_line(struct log *log, const char *format, ...) MW_PRINTF(2, 3);
/* A line of the compiler's, as it is and not counted. */
void log_compiler_line(struct log *log, const char *line);

#endif
