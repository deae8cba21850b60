/* The dump as JSON, for programs: one object per mesh, nested meshes within their tasklets. As careful as dump.c: no memory, no lock.
 * Not the table for people; that is dump.c. Read next: everywhere.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "scheduler/dump.h"
#include "scheduler/scheduler_priv.h"

static uint64_t since(int64_t now_ns, int64_t since_ns)
{
    return now_ns > since_ns ? (uint64_t)(now_ns - since_ns) : 0;
}

static void json_wait(struct dump_out *o, const struct dump_wait *wait, int64_t now_ns)
{
    out_key(o, "waits");
    out_byte(o, '{');
    out_key_quoted(o, "for", wait->what);
    if (wait->on) {
        out_key_id(o, "id", wait->on);
        out_key_quoted(o, "name", mw_tasklet_name(wait->on));
    }
    out_key_number(o, "ns", since(now_ns, wait->since_ns));
    out_byte(o, '}');
}

static void json_queue(struct dump_out *o, const mw_tasklet *t, int64_t now_ns)
{
    int64_t since_ns;

    out_key(o, "queue");
    out_byte(o, '{');
    out_key_number(o, "items", t->count);
    out_key_number(o, "capacity", tasklet_capacity(t));
    out_key_number(o, "bytes", mailbox_bytes(t));
    out_key_number(o, "capacity_bytes", t->side ? t->side->mailbox_bytes : MAILBOX_BYTES_DEFAULT);
    if (tasklet_oldest_since(t, &since_ns))
        out_key_number(o, "oldest_ns", since(now_ns, since_ns));
    out_byte(o, '}');
}

static void json_stack(struct dump_out *o, const mw_tasklet *t)
{
    struct dump_stack stack = dump_stack(t);

    if (stack.bytes == 0)
        return;
    out_key(o, "stack");
    out_byte(o, '{');
    if (stack.used > 0)
        out_key_number(o, "used", stack.used);
    out_key_number(o, "bytes", stack.bytes);
    out_byte(o, '}');
}

static void json_tasklet(struct dump_out *o, const mw_tasklet *t, int64_t now_ns)
{
    struct dump_wait wait;

    out_key_id(o, "id", t);
    out_key_quoted(o, "name", mw_tasklet_name(t));
    out_key_quoted(o, "kind", dump_kind_names[t->kind]);
    out_key_quoted(o, "state", dump_state(t));
    if (t->attention & FINISHING && t->state != TASKLET_CLOSED)
        out_key_bool(o, "finishing", true);
    if (dump_wait(t, &wait))
        json_wait(o, &wait, now_ns);
    json_queue(o, t, now_ns);
    json_stack(o, t);
    out_key_number(o, "processed", t->processed);
    if (t->side) {
        out_key_number(o, "refused", t->side->refused);
        out_key_number(o, "dropped", t->side->dropped);
        out_key_number(o, "failures", t->side->failures);
    }
    if (t->site->file) {
        out_key_quoted(o, "file", t->site->file);
        out_key_number(o, "line", t->site->line > 0 ? (uint64_t)t->site->line : 0);
    }
}

void dump_mesh_json(struct dump_out *o, const mw_scheduler *s, size_t depth)
{
    int64_t now_ns = dump_now(s);
    size_t shown = 0;
    uint32_t i;

    out_byte(o, '{');
    out_key_quoted(o, "scheduler", s->order ? "priority" : "taskmaster");
    out_key_id(o, "id", s);
    out_key_number(o, "tasklets", s->member_count);
    out_key_number(o, "ready", mesh_ready_count(s));
    out_key_number(o, "turns", s->turns);
    out_key_number(o, "processed", s->processed);
    out_key_bool(o, "running", s->is_running);
    out_key_bool(o, "paused", s->is_paused);
    out_key_number(o, "due_later", s->timers.count);
    out_key(o, "members");
    out_byte(o, '[');
    for (i = 0; i < s->top && shown < DUMP_TASKLETS_MOST; i++) {
        const mw_tasklet *t = s->members[i];

        if (!t)
            continue;
        out_text(o, shown++ > 0 ? ",\n{" : "\n{");
        json_tasklet(o, t, now_ns);
        if (t->kind == TASKLET_MESH && t->scope && depth < DUMP_INDENT_MOST) {
            out_key(o, "mesh");
            dump_mesh_json(o, t->scope, depth + 1);
        }
        out_byte(o, '}');
    }
    out_byte(o, ']');
    if (s->member_count > shown)
        out_key_number(o, "left_out", s->member_count - shown);
    out_byte(o, '}');
}

int mw_scheduler_dump_json(const mw_scheduler *s, int fd)
{
    struct dump_out o = {.fd = fd};

    if (!s)
        return -EINVAL;
    dump_mesh_json(&o, s, 0);
    out_byte(&o, '\n');
    out_flush(&o);
    return 0;
}

void mw_dump_json(int fd)
{
    struct dump_out o = {.fd = fd};
    const mw_scheduler *roots[2];
    size_t i;

    dump_here(roots);
    out_byte(&o, '[');
    for (i = 0; i < MW_COUNT(roots); i++) {
        if (!roots[i])
            continue;
        if (o.last == '}')
            out_text(&o, ",\n");
        dump_mesh_json(&o, roots[i], 0);
    }
    out_text(&o, "]\n");
    out_flush(&o);
}
