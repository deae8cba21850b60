/* What a program is doing: a line per tasklet, written as it goes. Allocates nothing, takes no lock of its own and calls nothing but
 * write(2) and the system's clock, so that a fault handler may use it.
 * Not when it is asked for; that is fault.c, everywhere.c and whoever calls mw_dump. Read next: dump_json.c.
 * SPDX-License-Identifier: MIT */
#include "scheduler/dump.h"

#include <errno.h>

#include "scheduler/scheduler_priv.h"

/* ---- a tasklet ------------------------------------------------------------------------------------------ */
const char *const dump_kind_names[] = {
    [TASKLET_NULL] = "null", [TASKLET_COROUTINE] = "coroutine", [TASKLET_HANDLER] = "handler", [TASKLET_MESH] = "scheduler",
};

/* A mesh that nobody runs keeps the time of its last turn: the system's clock says how long that has been. A clock of its own may
 * not be one to call from a fault. */
int64_t dump_now(const mw_scheduler *s)
{
    const mw_scheduler *parent;

    while ((parent = mesh_parent(s)) != NULL)
        s = parent;
    return s->clock ? s->now_ns : mw_now_ns();
}

bool dump_wait(const mw_tasklet *t, struct dump_wait *ret)
{
    const struct coroutine *c = t->kind == TASKLET_COROUTINE ? t->coroutine : NULL;
    const struct stall *stall = c || t->state != TASKLET_WAITING ? NULL : tasklet_first_stall(t);

    if (t->state == TASKLET_WAITING && c)
        *ret = (struct dump_wait){tasklet_wait_names[c->wait_kind], c->wait_kind <= WAIT_ANSWER ? c->wait_on : NULL, c->wait_since_ns};
    else if (stall)
        *ret = (struct dump_wait){tasklet_wait_names[WAIT_ROOM], stall->target, stall->since_ns};
    else
        return false;
    return true;
}

const char *dump_state(const mw_tasklet *t)
{
    if (tasklet_will_restart(t))
        return "failed, will be restarted";
    return t->kind >= TASKLET_HANDLER && t->state == TASKLET_WAITING ? "stalled" : tasklet_state_names[t->state];
}

static void out_state(struct dump_out *o, const mw_tasklet *t, int64_t now_ns)
{
    struct dump_wait wait;

    if (!dump_wait(t, &wait)) {
        out_text(o, dump_state(t));
    } else {
        out_text(o, t->kind >= TASKLET_HANDLER ? "stalled: waits for " : "waits for ");
        out_text(o, wait.what);
        if (wait.on) {
            out_text(o, " '");
            out_name(o, wait.on);
            out_byte(o, '\'');
        }
        out_text(o, " for ");
        out_duration(o, now_ns - wait.since_ns);
    }
    if (t->attention & FINISHING && t->state != TASKLET_CLOSED)
        out_text(o, ", finishing");
}

struct dump_stack dump_stack(const mw_tasklet *t)
{
    const struct coroutine *c = t->kind == TASKLET_COROUTINE ? t->coroutine : NULL;
    struct dump_stack stack = {0};
    const char *top;

    if (!c)
        return stack;
    top = c->stack->low + c->stack->bytes;
    stack.bytes = (uint64_t)(top - c->stack->low) + sizeof(*c->stack);
#if !COROUTINE_UCONTEXT
    if (t->state != TASKLET_RUNNING)
        stack.used = (uint64_t)(top - (const char *)c->sp);
#endif
    return stack;
}

static void out_stack(struct dump_out *o, const mw_tasklet *t)
{
    struct dump_stack stack = dump_stack(t);

    if (stack.used > 0) {
        out_bytes(o, stack.used);
        out_byte(o, '/');
    }
    if (stack.bytes > 0)
        out_bytes(o, stack.bytes);
    else
        out_byte(o, '-');
}

static void out_tasklet(struct dump_out *o, const mw_tasklet *t, size_t indent, int64_t now_ns)
{
    int64_t since_ns;

    out_to(o, indent + 2);
    out_name(o, t);
    out_to(o, indent + 26);
    out_text(o, dump_kind_names[t->kind]);
    out_to(o, indent + 37);
    out_number(o, t->count);
    out_byte(o, '/');
    out_number(o, tasklet_capacity(t));
    out_to(o, indent + 51);
    if (tasklet_oldest_since(t, &since_ns))
        out_duration(o, now_ns - since_ns);
    else
        out_byte(o, '-');
    out_to(o, indent + 60);
    out_stack(o, t);
    out_to(o, indent + 72);
    out_number(o, t->processed);
    out_to(o, indent + 83);
    out_place(o, t);
    out_to(o, indent + 103);
    out_hex(o, (uint64_t)(uintptr_t)t);
    out_to(o, indent + 118);
    out_state(o, t, now_ns);
    out_byte(o, '\n');
}

/* ---- a mesh ------------------------------------------------------------------------------------------------ */
void dump_mesh(struct dump_out *o, const mw_scheduler *s, size_t indent)
{
    int64_t now_ns = dump_now(s);
    size_t shown = 0;
    uint32_t i;

    while (o->column < indent)
        out_byte(o, ' ');
    out_text(o, s->order ? "priority scheduler, " : "taskmaster, ");
    out_number(o, s->member_count);
    out_text(o, " tasklets, ");
    out_number(o, mesh_ready_count(s));
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
        out_text(o, "  name                    kind       queue         oldest   stack       processed  made at             id             state\n");
    for (i = 0; i < s->top && shown < DUMP_TASKLETS_MOST; i++) {
        const mw_tasklet *t = s->members[i];

        if (!t)
            continue;
        shown++;
        out_tasklet(o, t, indent, now_ns);
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

/* The roots that this thread is known to have. */
void dump_here(const mw_scheduler *ret_roots[2])
{
    const mw_scheduler *running = mw_thread.mesh, *implicit = mw_thread.implicit, *parent;

    while (running && (parent = mesh_parent(running)) != NULL)
        running = parent;
    ret_roots[0] = running;
    ret_roots[1] = implicit && implicit != running && !mesh_parent(implicit) ? implicit : NULL;
}

void mw_dump(int fd)
{
    struct dump_out o = {.fd = fd};
    const mw_scheduler *roots[2];
    size_t i;

    dump_here(roots);
    for (i = 0; i < MW_COUNT(roots); i++) {
        if (roots[i])
            dump_mesh(&o, roots[i], 0);
    }
    if (!roots[0] && !roots[1])
        out_text(&o, "no mesh runs on this thread\n");
    out_flush(&o);
}
