/* The log: events for people, bounded, so that a peer that provokes them fills no disk; and a line per request, for who asks.
 * As plain text, logfmt or JSON. Where lines go is the host's business (mw_server_on_log). Read next: log.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <meshwork/server.h>

#include <pthread.h>
#include <stdatomic.h>

#include "edge/edge.h"

enum log_format { LOG_PLAIN, LOG_LOGFMT, LOG_JSON };

struct log {
    void (*write)(void *context, const mw_log_line *line); /* NULL: nowhere */
    pthread_mutex_t write_lock; /* also of what follows; recursive, as write may log */
    void *context;
    enum mw_log_level level; /* less important ones are not written */
    enum log_format format;
    int64_t filled_ns;   /* when room was last added */
    uint32_t room;       /* lines that may still be written at once */
    uint64_t left_out;   /* since the last line; said with the next */
    _Atomic uint64_t left_out_in_all; /* any thread may read it */
};

void log_init(struct log *log);
void log_close(struct log *log);
/* All of these from any thread.
 * One event of level notice; it is tamed (log_tame). At most 100 at once and 20 a second in the long run. */
void log_line(struct log *log, const char *format, ...) MW_PRINTF(2, 3);
void log_at(struct log *log, enum mw_log_level level, const char *format, ...) MW_PRINTF(3, 4);
/* Put '?' for whatever in a peer's text starts a line, drives a terminal or turns a line round; the length stays. */
void log_tame(char *text, size_t byte_count);
/* A line of the compiler's: plain as it is, and not counted. */
void log_compiler_line(struct log *log, const char *line);

/* A request was answered, a WebSocket ended: level info, not bounded. */
void log_access(struct log *log, const struct edge_access *access);
/* code  the close code; open_ns  how long it was open */
void log_websocket(struct log *log, const char *app, const char *peer, int code, int64_t open_ns);

#endif
