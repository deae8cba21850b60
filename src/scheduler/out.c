/* Printing as it goes, a line at a time: allocates nothing, takes no lock and calls nothing but write(2), so that a fault handler may use it.
 * Not what is printed; that is dump.c and dump_json.c. Read next: dump.c.
 * SPDX-License-Identifier: MIT */
#include "scheduler/dump.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "scheduler/scheduler_priv.h"

void out_flush(struct dump_out *o)
{
    size_t at = 0;

    while (at < o->count) {
        ssize_t n = write(o->fd, o->line + at, o->count - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* nobody reads it */
        at += (size_t)n;
    }
    o->count = 0;
}

void out_byte(struct dump_out *o, char byte)
{
    if (o->count == sizeof(o->line))
        out_flush(o);
    o->line[o->count++] = byte;
    o->last = byte;
    o->column++;
    if (byte == '\n') {
        o->column = 0;
        out_flush(o);
    }
}

void out_text(struct dump_out *o, const char *text)
{
    for (; *text; text++)
        out_byte(o, *text);
}

void out_name(struct dump_out *o, const mw_tasklet *t)
{
    const char *name = mw_tasklet_name(t);

    for (; *name; name++)
        out_byte(o, (unsigned char)*name < ' ' ? '?' : *name);
}

void out_number(struct dump_out *o, uint64_t number)
{
    char digits[24];
    size_t i = sizeof(digits);

    do
        digits[--i] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (i < sizeof(digits))
        out_byte(o, digits[i++]);
}

void out_hex(struct dump_out *o, uint64_t number)
{
    int shift = 60;

    out_text(o, "0x");
    while (shift > 0 && !(number >> shift & 15))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        out_byte(o, "0123456789abcdef"[number >> shift & 15]);
}

void out_to(struct dump_out *o, size_t column)
{
    do
        out_byte(o, ' ');
    while (o->column < column);
}

/* 512, 1.5K, 64K, 8M */
void out_bytes(struct dump_out *o, uint64_t bytes)
{
    const char *unit = "";

    if (bytes >= (size_t)10240 * 1024) {
        bytes /= (size_t)1024 * 1024;
        unit = "M";
    } else if (bytes >= 10240) {
        bytes /= 1024;
        unit = "K";
    } else if (bytes >= 1024) {
        out_number(o, bytes / 1024);
        out_byte(o, '.');
        bytes = bytes % 1024 * 10 / 1024;
        unit = "K";
    }
    out_number(o, bytes);
    out_text(o, unit);
}

/* 0 ms, 9999 ms, 10 s */
void out_duration(struct dump_out *o, int64_t ns)
{
    int64_t ms = ns > 0 ? ns / 1000000 : 0;

    out_number(o, (uint64_t)(ms < 10000 ? ms : ms / 1000));
    out_text(o, ms < 10000 ? " ms" : " s");
}

void out_place(struct dump_out *o, const mw_tasklet *t)
{
    const char *file = t->site->file ? t->site->file : "?", *slash = strrchr(file, '/');

    out_text(o, slash ? slash + 1 : file);
    out_byte(o, ':');
    out_number(o, t->site->line > 0 ? (uint64_t)t->site->line : 0);
}

/* ---- JSON ------------------------------------------------------------------------------------------------- */
/* What is no UTF-8 is replaced as a whole, byte by byte: a name is for people. */
void out_quoted(struct dump_out *o, const char *text)
{
    bool is_utf8 = mw_utf8_is_valid(text, strlen(text));

    out_byte(o, '"');
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte == '"' || byte == '\\') {
            out_byte(o, '\\');
            out_byte(o, *text);
        } else if (byte < ' ' || byte == 127) {
            out_text(o, "\\u00");
            out_byte(o, "0123456789abcdef"[byte >> 4]);
            out_byte(o, "0123456789abcdef"[byte & 15]);
        } else {
            out_byte(o, byte < 128 || is_utf8 ? *text : '?');
        }
    }
    out_byte(o, '"');
}

/* "key": behind whatever comes before it in its object. */
void out_key(struct dump_out *o, const char *key)
{
    if (o->last != '{')
        out_byte(o, ',');
    out_byte(o, '"');
    out_text(o, key);
    out_text(o, "\":");
}

void out_key_number(struct dump_out *o, const char *key, uint64_t number)
{
    out_key(o, key);
    out_number(o, number);
}

void out_key_quoted(struct dump_out *o, const char *key, const char *text)
{
    out_key(o, key);
    out_quoted(o, text);
}

void out_key_bool(struct dump_out *o, const char *key, bool is)
{
    out_key(o, key);
    out_text(o, is ? "true" : "false");
}

void out_key_id(struct dump_out *o, const char *key, const void *thing)
{
    out_key(o, key);
    out_byte(o, '"');
    out_hex(o, (uint64_t)(uintptr_t)thing);
    out_byte(o, '"');
}
