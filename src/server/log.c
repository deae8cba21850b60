/* Lines for people, bounded.
 * SPDX-License-Identifier: MIT */
#include "server/log.h"

#include <inttypes.h>
#include <stdio.h>

enum { LINES_AT_ONCE = 100, LINES_PER_S = 20, LINE_BYTES = 1024 };

void log_init(struct log *log)
{
    *log = (struct log){.room = LINES_AT_ONCE, .filled_ns = mw_now_ns()};
}

static void refill(struct log *log)
{
    int64_t now = mw_now_ns(), lines = (now - log->filled_ns) / (INT64_C(1000000000) / LINES_PER_S);

    if (lines <= 0)
        return;
    log->filled_ns = now;
    log->room = lines > LINES_AT_ONCE - (int64_t)log->room ? LINES_AT_ONCE : log->room + (uint32_t)lines;
}

static void say_left_out(struct log *log)
{
    char line[96];

    if (log->left_out == 0)
        return;
    (void)snprintf(line, sizeof line, "%" PRIu64 " lines were left out: more than %d a second", log->left_out,
                   LINES_PER_S);
    log->left_out = 0;
    log->write(log->context, MW_LOG_SERVER, line);
}

void log_line(struct log *log, const char *format, ...)
{
    char line[LINE_BYTES], *at;
    va_list arguments;

    if (!log->write)
        return;
    refill(log);
    if (log->room == 0) {
        log->left_out++;
        log->left_out_in_all++;
        return;
    }
    log->room--;
    say_left_out(log);
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments); /* a line too long is cut */
    va_end(arguments);
    for (at = line; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?'; /* a peer's text starts no line of its own and drives no terminal */
    log->write(log->context, MW_LOG_SERVER, line);
}

void log_compiler_line(struct log *log, const char *line)
{
    if (log->write)
        log->write(log->context, MW_LOG_COMPILER, line);
}
