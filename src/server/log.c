/* Events, bounded, and accesses, in one of three forms.
 * SPDX-License-Identifier: MIT */
#include "server/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"

enum { LINES_AT_ONCE = 100, LINES_PER_S = 20, LINE_BYTES = 1024, ROOM_BYTES = 8192, NUMBER_BYTES = 32, STAMP_BYTES = 40 };

void log_init(struct log *log)
{
    pthread_mutexattr_t recursive;

    *log = (struct log){.level = MW_LOG_NOTICE, .room = LINES_AT_ONCE, .filled_ns = mw_now_ns()};
    (void)pthread_mutexattr_init(&recursive); /* none of these has a way to fail */
    (void)pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&log->write_lock, &recursive);
    (void)pthread_mutexattr_destroy(&recursive);
}

void log_close(struct log *log)
{
    (void)pthread_mutex_destroy(&log->write_lock);
}

static void write_line(struct log *log, const mw_log_line *line)
{
    (void)pthread_mutex_lock(&log->write_lock);
    log->write(log->context, line);
    (void)pthread_mutex_unlock(&log->write_lock);
}

static const char *level_name(enum mw_log_level level)
{
    switch (level) {
    case MW_LOG_ERROR:
        return "error";
    case MW_LOG_WARNING:
        return "warning";
    case MW_LOG_NOTICE:
        return "notice";
    case MW_LOG_INFO:
        return "info";
    case MW_LOG_DEBUG:
        break;
    }
    return "debug";
}

/* ---- a peer's text --------------------------------------------------------------------------------------- */

/* How many bytes the character here has that starts a line, drives a terminal (U+009B is ESC [ to one) or turns a line
 * round; 0: it is none of these. */
static size_t wild_bytes(const char *bytes, size_t count)
{
    const unsigned char *at = (const unsigned char *)bytes;

    if (at[0] < 0x20 || at[0] == 0x7f)
        return 1;
    if (at[0] == 0xc2 && count >= 2 && at[1] >= 0x80 && at[1] < 0xa0)
        return 2; /* U+0080 to U+009F */
    if (at[0] != 0xe2 || count < 3)
        return 0;
    if (at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae)
        return 3; /* U+2028, U+2029: ends of lines and paragraphs; U+202A to U+202E: directions */
    return at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9 ? 3 : 0; /* U+2066 to U+2069: the same */
}

void log_tame(char *text, size_t byte_count)
{
    size_t i, wild;

    for (i = 0; i < byte_count; i += wild ? wild : 1) {
        wild = wild_bytes(text + i, byte_count - i);
        memset(text + i, '?', wild);
    }
}

/* ---- form --------------------------------------------------------------------------------------------- */

/* A line as it grows; what does not fit is left out, so long as the line stays well-formed. */
struct form {
    enum log_format format;
    size_t count;
    char text[ROOM_BYTES];
};

static void form_bytes(struct form *f, const char *bytes, size_t count)
{
    if (count > sizeof f->text - 1 - f->count)
        return;
    memcpy(f->text + f->count, bytes, count);
    f->count += count;
}

static void form_text(struct form *f, const char *text)
{
    form_bytes(f, text, strlen(text));
}

/* Quoted for logfmt and JSON alike. What is no UTF-8, as a path of a request may be, becomes '?'. */
static void form_quoted(struct form *f, const char *bytes, size_t count)
{
    size_t i, wild;

    form_text(f, "\"");
    for (i = 0; i < count && f->count < (size_t)LINE_BYTES * 4; i += wild ? wild : 1) {
        wild = wild_bytes(bytes + i, count - i);
        if (bytes[i] == '"' || bytes[i] == '\\')
            form_text(f, "\\");
        form_bytes(f, wild ? "?" : &bytes[i], 1);
    }
    form_text(f, "\"");
}

static void form_key(struct form *f, const char *key)
{
    const char *between = f->format == LOG_JSON ? "," : " ";

    form_text(f, f->count > 0 && f->text[f->count - 1] != '{' ? between : "");
    if (f->format == LOG_JSON)
        form_text(f, "\"");
    form_text(f, key);
    form_text(f, f->format == LOG_JSON ? "\":" : "=");
}

static void field_text_n(struct form *f, const char *key, const char *bytes, size_t count)
{
    char copy[LINE_BYTES * 2] = "";
    size_t i;

    if (count > sizeof copy)
        count = sizeof copy;
    if (count > 0)
        memcpy(copy, bytes, count);
    if (!mw_utf8_is_valid(copy, count)) /* also where it was cut within a character */
        for (i = 0; i < count; i++)
            if ((unsigned char)copy[i] >= 0x80)
                copy[i] = '?';
    form_key(f, key);
    form_quoted(f, copy, count);
}

static void field_text(struct form *f, const char *key, const char *text)
{
    field_text_n(f, key, text, strlen(text));
}

static void field_number(struct form *f, const char *key, int64_t number)
{
    char text[NUMBER_BYTES];

    (void)snprintf(text, sizeof text, "%" PRId64, number);
    form_key(f, key);
    form_text(f, text);
}

static void form_begin(struct form *f, enum log_format format, enum mw_log_level level, const char *event)
{
    struct timespec now;
    struct tm utc;
    char stamp[STAMP_BYTES] = "";
    size_t count = 0;

    f->format = format;
    f->count = 0;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* it is there */
    if (gmtime_r(&now.tv_sec, &utc))
        count = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(stamp + count, sizeof stamp - count, ".%03dZ", (int)(now.tv_nsec / 1000000));
    form_text(f, format == LOG_JSON ? "{" : "");
    field_text(f, "time", stamp);
    field_text(f, "level", level_name(level));
    field_text(f, "event", event);
}

static void form_write(struct log *log, struct form *f, enum mw_log_source source, enum mw_log_level level)
{
    form_text(f, f->format == LOG_JSON ? "}" : "");
    f->text[f->count] = '\0';
    write_line(log, &(mw_log_line){.source = source, .level = level, .is_plain = f->format == LOG_PLAIN,
                                             .text = f->text});
}

/* ---- events --------------------------------------------------------------------------------------------- */

static void write_event(struct log *log, enum mw_log_source source, enum mw_log_level level, const char *text)
{
    struct form form;

    if (log->format == LOG_PLAIN) {
        write_line(log, &(mw_log_line){.source = source, .level = level, .is_plain = true, .text = text});
        return;
    }
    form_begin(&form, log->format, level, source == MW_LOG_COMPILER ? "compiler" : "server");
    field_text(&form, "message", text);
    form_write(log, &form, source, level);
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
    write_event(log, MW_LOG_SERVER, MW_LOG_WARNING, line);
}

/* With the lock. */
MW_PRINTF(3, 0)
static void say_bounded(struct log *log, enum mw_log_level level, const char *format, va_list arguments)
{
    char line[LINE_BYTES];

    refill(log);
    if (log->room == 0) {
        log->left_out++;
        log->left_out_in_all++;
        return;
    }
    log->room--;
    say_left_out(log);
    (void)vsnprintf(line, sizeof line, format, arguments); /* a line too long is cut */
    log_tame(line, strlen(line));
    write_event(log, MW_LOG_SERVER, level, line);
}

MW_PRINTF(3, 0)
static void say(struct log *log, enum mw_log_level level, const char *format, va_list arguments)
{
    if (!log->write || level > log->level) /* both are set before others may log */
        return;
    (void)pthread_mutex_lock(&log->write_lock);
    say_bounded(log, level, format, arguments);
    (void)pthread_mutex_unlock(&log->write_lock);
}

void log_line(struct log *log, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(log, MW_LOG_NOTICE, format, arguments);
    va_end(arguments);
}

void log_at(struct log *log, enum mw_log_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(log, level, format, arguments);
    va_end(arguments);
}

void log_compiler_line(struct log *log, const char *line)
{
    if (log->write)
        write_event(log, MW_LOG_COMPILER, MW_LOG_NOTICE, line);
}

/* ---- accesses ------------------------------------------------------------------------------------------- */

static bool wants_accesses(const struct log *log)
{
    return log->write && log->level >= MW_LOG_INFO;
}

void log_access(struct log *log, const struct edge_access *access)
{
    if (!wants_accesses(log))
        return;

    struct form form = {.format = log->format}; /* not before: it is long, and all of it is cleared */
    char end[2 * NUMBER_BYTES];

    if (log->format == LOG_PLAIN) {
        form_text(&form, access->peer[0] ? access->peer : "-");
        form_text(&form, " ");
        form_text(&form, access->method);
        form_text(&form, " ");
        form_quoted(&form, access->path, access->path_count);
        (void)snprintf(end, sizeof end, " %d %" PRId64, access->status, access->body_bytes);
        form_text(&form, end);
    } else {
        form_begin(&form, log->format, MW_LOG_INFO, "request");
        field_text(&form, "peer", access->peer);
        field_text(&form, "method", access->method);
        field_text_n(&form, "path", access->path, access->path_count);
        field_number(&form, "status", access->status);
        field_number(&form, "bytes", access->body_bytes);
        field_text(&form, "scheme", access->is_tls ? "https" : "http");
    }
    form_write(log, &form, MW_LOG_ACCESS, MW_LOG_INFO);
}

void log_websocket(struct log *log, const char *app, const char *peer, int code, int64_t open_ns)
{
    if (!wants_accesses(log))
        return;

    struct form form = {.format = log->format}; /* not before: it is long, and all of it is cleared */
    char end[3 * NUMBER_BYTES];

    if (log->format == LOG_PLAIN) {
        form_text(&form, peer[0] ? peer : "-");
        form_text(&form, " WebSocket of ");
        form_quoted(&form, app, strlen(app));
        (void)snprintf(end, sizeof end, " closed %d after %" PRId64 " ms", code, open_ns / 1000000);
        form_text(&form, end);
    } else {
        form_begin(&form, log->format, MW_LOG_INFO, "websocket_closed");
        field_text(&form, "peer", peer);
        field_text(&form, "app", app);
        field_number(&form, "code", code);
        field_number(&form, "open_ms", open_ns / 1000000);
    }
    form_write(log, &form, MW_LOG_ACCESS, MW_LOG_INFO);
}
