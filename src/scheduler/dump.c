/* What a program is doing: a line per tasklet, written as it goes. Allocates nothing, takes no lock of its own and calls nothing but
 * write(2), so that a fault handler may use it.
 * Not when it is asked for; that is fault.c and whoever calls mw_dump. Read next: fault.c.
 * SPDX-License-Identifier: MIT */
#include "scheduler/dump.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "scheduler/scheduler_priv.h"

/* ---- printing ------------------------------------------------------------------------------------------- */
static void out_flush(struct dump_out *o)
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

static void out_byte(struct dump_out *o, char byte)
{
    if (o->count == sizeof(o->line))
        out_flush(o);
    o->line[o->count++] = byte;
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

static void out_to(struct dump_out *o, size_t column)
{
    do
        out_byte(o, ' ');
    while (o->column < column);
}

/* 512, 1.5K, 64K, 8M */
static void out_bytes(struct dump_out *o, uint64_t bytes)
{
    const char *unit = "";

    if (bytes >= 10240 * 1024) {
        bytes /= 1024 * 1024;
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

static void out_ago(struct dump_out *o, int64_t now_ns, int64_t since_ns)
{
    int64_t ms = (now_ns - since_ns) / 1000000;

    out_text(o, " for ");
    if (ms < 10000) {
        out_number(o, ms > 0 ? (uint64_t)ms : 0);
        out_text(o, " ms");
    } else {
        out_number(o, (uint64_t)ms / 1000);
        out_text(o, " s");
    }
}

void out_place(struct dump_out *o, const mw_tasklet *t)
{
    const char *file = t->site->file ? t->site->file : "?", *slash = strrchr(file, '/');

    out_text(o, slash ? slash + 1 : file);
    out_byte(o, ':');
    out_number(o, t->site->line > 0 ? (uint64_t)t->site->line : 0);
}

/* ---- a tasklet ------------------------------------------------------------------------------------------ */
static const char *const kind_names[] = {
    [TASKLET_NULL] = "null", [TASKLET_COROUTINE] = "coroutine", [TASKLET_HANDLER] = "handler", [TASKLET_MESH] = "scheduler",
};

static void out_state(struct dump_out *o, const mw_tasklet *t, int64_t now_ns)
{
    const struct coroutine *c = t->kind == TASKLET_COROUTINE ? t->coroutine : NULL;

    if (t->state == TASKLET_WAITING && c) {
        out_text(o, "waits for ");
        out_text(o, tasklet_wait_names[c->wait_kind]);
        if (c->wait_kind <= WAIT_ANSWER && c->wait_on) {
            out_text(o, " '");
            out_name(o, c->wait_on);
            out_byte(o, '\'');
        }
        out_ago(o, now_ns, c->wait_since_ns);
    } else if (t->state == TASKLET_WAITING) {
        out_text(o, "stalled: it sent above a capacity");
    } else if (tasklet_will_restart(t)) {
        out_text(o, "failed, will be restarted");
    } else {
        out_text(o, tasklet_state_names[t->state]);
    }
    if (t->attention & FINISHING && t->state != TASKLET_CLOSED)
        out_text(o, ", finishing");
}

/* Of a coroutine that is parked: from its stack pointer up. */
static void out_stack(struct dump_out *o, const mw_tasklet *t)
{
    const struct coroutine *c = t->kind == TASKLET_COROUTINE ? t->coroutine : NULL;
    const char *top;

    if (!c) {
        out_byte(o, '-');
        return;
    }
    top = c->stack->low + c->stack->bytes;
#if !COROUTINE_UCONTEXT
    if (t->state != TASKLET_RUNNING && t->state != TASKLET_ENDED) {
        out_bytes(o, (uint64_t)(top - (const char *)c->sp));
        out_byte(o, '/');
    }
#endif
    out_bytes(o, (uint64_t)(top - c->stack->low) + sizeof(*c->stack));
}

static void out_tasklet(struct dump_out *o, const mw_tasklet *t, size_t indent, int64_t now_ns)
{
    out_to(o, indent + 2);
    out_name(o, t);
    out_to(o, indent + 26);
    out_text(o, kind_names[t->kind]);
    out_to(o, indent + 37);
    out_number(o, t->count);
    out_byte(o, '/');
    out_number(o, tasklet_capacity(t));
    out_to(o, indent + 51);
    out_stack(o, t);
    out_to(o, indent + 65);
    out_number(o, t->processed);
    out_to(o, indent + 77);
    out_place(o, t);
    out_to(o, indent + 101);
    out_state(o, t, now_ns);
    out_byte(o, '\n');
}

/* ---- a mesh ------------------------------------------------------------------------------------------------ */
void dump_mesh(struct dump_out *o, const mw_scheduler *s, size_t indent)
{
    size_t shown = 0;
    uint32_t i;

    while (o->column < indent)
        out_byte(o, ' ');
    out_text(o, s->order ? "priority scheduler, " : "taskmaster, ");
    out_number(o, s->member_count);
    out_text(o, " tasklets, ");
    out_number(o, s->ready_count);
    out_text(o, " ready, ");
    out_number(o, s->turns);
    out_text(o, " turns");
    out_text(o, s->is_running ? ", running" : s->is_paused ? ", paused" : "");
    if (s->timers.count > 0) {
        out_text(o, ", ");
        out_number(o, s->timers.count);
        out_text(o, " due later");
    }
    out_byte(o, '\n');
    if (s->member_count > 0 && indent < 2)
        out_text(o, "  name                    kind       queue         stack         processed   made at                 state\n");
    for (i = 0; i < s->top && shown < DUMP_TASKLETS_MOST; i++) {
        const mw_tasklet *t = s->members[i];

        if (!t)
            continue;
        shown++;
        out_tasklet(o, t, indent, s->now_ns);
        if (t->kind == TASKLET_MESH && t->scope && indent < DUMP_INDENT_MOST)
            dump_mesh(o, t->scope, indent + 4);
    }
    if (s->member_count > shown) {
        out_to(o, indent + 2);
        out_text(o, "and ");
        out_number(o, s->member_count - shown);
        out_text(o, " more\n");
    }
}

int mw_scheduler_dump(const mw_scheduler *s, int fd)
{
    struct dump_out o = {.fd = fd};

    if (!s)
        return -EINVAL;
    dump_mesh(&o, s, 0);
    out_flush(&o);
    return 0;
}

void mw_dump(int fd)
{
    struct dump_out o = {.fd = fd};
    const mw_scheduler *running = mw_thread.mesh, *implicit = mw_thread.implicit, *parent;

    while (running && (parent = mesh_parent(running)) != NULL)
        running = parent;
    if (running)
        dump_mesh(&o, running, 0);
    if (implicit && implicit != running && !mesh_parent(implicit))
        dump_mesh(&o, implicit, 0);
    if (!running && !implicit)
        out_text(&o, "no mesh runs on this thread\n");
    out_flush(&o);
}
