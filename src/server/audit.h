/* The audit log: who was let in, who was refused what, who changed what; one line of JSON each, in a file of its own.
 * Not the log for people; that is log.h. Read next: audit.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_AUDIT_H
#define SERVER_AUDIT_H

#include <meshwork/base.h>
#include <pthread.h>

#include "base/buffer.h"

/* Zeroed is closed: events go nowhere. Any thread, from audit_open until audit_close. */
struct audit {
    char *path;          /* NULL: closed */
    pthread_mutex_t lock; /* of what follows */
    int fd;
    struct mw_buffer pending; /* lines of this pass */
    int64_t filled_ns;   /* when room was last added */
    uint32_t room;       /* lines that may still be written at once */
    uint64_t left_out;   /* since the last line; said with the next */
    uint64_t lines, lost; /* since start: written; neither written nor said, as the disk would not take them, or past the room */
    bool is_failing;     /* it has been said that the file takes nothing */
};

/* One fact of an event. text NULL: left out */
struct audit_fact {
    const char *key, *text;
    size_t text_bytes; /* 0: up to its NUL */
};

/* Append to a file, made 0600 where it is missing. returns 0; what the kernel said, with the name in ret_error */
int audit_open(struct audit *a, const char *path, struct mw_error *ret_error);
/* The same file by name once more: it has been moved away. returns as audit_open; what was open stays */
int audit_reopen(struct audit *a, struct mw_error *ret_error);
/* Whether one could be opened there, by this user: makes no file. 0; negative with ret_error */
int audit_check(const char *path, struct mw_error *ret_error);
void audit_close(struct audit *a);
/* {"time":"2026-11-27T01:40:00.123Z","event":EVENT,KEY:TEXT,...}. At most 5,000 lines at once and 1,000 a second; how many were left out is
 * said in the file. Kept until audit_flush. */
void audit_write(struct audit *a, const char *event, const struct audit_fact *facts, size_t fact_count);
/* Write what is kept: once per pass. returns 0; negative the first time that the file takes nothing */
int audit_flush(struct audit *a);
void audit_counts(struct audit *a, uint64_t *ret_lines, uint64_t *ret_lost);

#endif
