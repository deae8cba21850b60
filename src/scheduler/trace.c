/* The trace of a scheduler: the hook, and what it tells as lines of text, as the blog's outputs have them, or as JSON.
 * Not when something is told; that is priority.c and watched.c. Read next: ../../examples/05-incremental.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/print.h"
#include "scheduler/scheduler_priv.h"

enum { LINE_LIMIT_BYTES = 64 * 1024 * 1024 };

/* ---- telling -------------------------------------------------------------------------------------------- */
/* While its callbacks run: whoever listens may free t, once that is over. */
static void tell_end(mw_scheduler *s, mw_tasklet *t, int code)
{
    struct mw_trace_event e = {.kind = code < 0 ? MW_TRACE_FAILS : MW_TRACE_CLOSES, .code = code, .tasklet = t,
                               .item_count = t->count, .time_ns = s->now_ns, .turn = s->turns};

    s->trace(s->trace_context, &e);
}

int mw_scheduler_on_trace(mw_scheduler *s, mw_trace *trace, void *context)
{
    if (!s)
        return -EINVAL;
    s->trace = trace;
    s->trace_context = context;
    s->on_end = trace ? tell_end : NULL;
    return 0;
}

COLD void scheduler_tell(mw_scheduler *s, enum mw_trace_kind kind, mw_tasklet *t, int priority, bool is_incremental)
{
    struct mw_trace_event e = {.kind = kind, .is_incremental = is_incremental, .has_priority = s->order != NULL,
                               .priority = priority, .tasklet = t, .item_count = t->count, .time_ns = s->now_ns,
                               .turn = s->turns};

    s->trace(s->trace_context, &e);
    if (kind != MW_TRACE_EXECUTES)
        return;
    e.kind = MW_TRACE_ITEM;
    for (; s->trace && s->held == t && e.index < e.item_count && e.index < t->count; e.index++) {
        mw_value item = mw_share(*item_within(&t->items[(t->head + e.index) & t->mask]));

        e.item = &item;
        e.is_processed = !is_incremental || e.index == 0;
        s->trace(s->trace_context, &e);
        mw_release(item);
    }
}

/* ---- as text -------------------------------------------------------------------------------------------- */
static void print_item(struct mw_buffer *b, const struct mw_trace_event *event)
{
    size_t before;

    (void)mw_buffer_append_text(b, "    ");
    before = b->count;
    if (mw_print_json(b, *event->item) < 0 && !b->error) {
        b->count = before; /* it has no JSON: say what it is */
        (void)mw_buffer_printf(b, "<%s>", mw_kind_name(mw_kind_of(*event->item)));
    }
    if (event->is_processed)
        (void)mw_buffer_append_text(b, event->is_incremental ? " <-- processing just this data" : " <-- processing this data");
}

mw_value mw_trace_text(const struct mw_trace_event *event)
{
    const char *name = mw_tasklet_name(event->tasklet);
    struct mw_buffer b;
    mw_value text = {.kind = MW_MISSING};

    mw_buffer_init(&b, LINE_LIMIT_BYTES);
    switch (event->kind) {
    case MW_TRACE_EXECUTES:
        (void)mw_buffer_printf(&b, event->has_priority ? "Scheduler executes %s on priority %d" : "Scheduler executes %s", name,
                               event->priority);
        break;
    case MW_TRACE_ITEM:
        print_item(&b, event);
        break;
    case MW_TRACE_PUTS_BACK:
        (void)mw_buffer_printf(&b, "Scheduler puts %s back into %s.", name, event->has_priority ? "priority queue" : "the round");
        break;
    case MW_TRACE_CLOSES:
        (void)mw_buffer_printf(&b, "%s closes.", name);
        break;
    case MW_TRACE_FAILS:
        (void)mw_buffer_printf(&b, "%s fails: %s", name, mw_strerror(event->code));
        break;
    }
    if (!b.error)
        text = mw_text_n((const char *)b.data, b.count);
    mw_buffer_clear(&b);
    return text;
}

/* ---- as JSON -------------------------------------------------------------------------------------------- */
static const char *const trace_names[] = {
    [MW_TRACE_EXECUTES] = "executes", [MW_TRACE_ITEM] = "item",   [MW_TRACE_PUTS_BACK] = "puts_back",
    [MW_TRACE_CLOSES] = "closes",     [MW_TRACE_FAILS] = "fails",
};

static void print_members(struct mw_buffer *b, const struct mw_trace_event *event)
{
    (void)mw_buffer_printf(b, ",\"items\":%zu", event->item_count);
    if (event->has_priority)
        (void)mw_buffer_printf(b, ",\"priority\":%d", event->priority);
    if (event->kind == MW_TRACE_FAILS)
        (void)mw_buffer_printf(b, ",\"code\":%d", event->code);
    if (event->kind == MW_TRACE_ITEM) {
        size_t before;

        (void)mw_buffer_printf(b, ",\"index\":%zu,\"processed\":%s,\"item\":", event->index,
                               event->is_processed ? "true" : "false");
        before = b->count;
        if (mw_print_json(b, *event->item) < 0 && !b->error) {
            b->count = before; /* it has no JSON */
            (void)mw_buffer_append_text(b, "null");
        }
    }
    (void)mw_buffer_append_text(b, "}");
}

mw_value mw_trace_json(const struct mw_trace_event *event)
{
    mw_value name = mw_text(mw_tasklet_name(event->tasklet)), text = {.kind = MW_MISSING};
    struct mw_buffer b;

    mw_buffer_init(&b, LINE_LIMIT_BYTES);
    (void)mw_buffer_printf(&b, "{\"event\":\"%s\",\"turn\":%" PRIu64 ",\"time_ns\":%" PRId64 ",\"tasklet\":", trace_names[event->kind],
                           event->turn, event->time_ns);
    if (name.kind == MW_MISSING || mw_print_json(&b, name) < 0)
        b.error = b.error ? b.error : -ENOMEM;
    print_members(&b, event);
    if (!b.error)
        text = mw_text_n((const char *)b.data, b.count);
    mw_buffer_clear(&b);
    mw_release(name);
    return text;
}

void mw_trace_print_json(void *file, const struct mw_trace_event *event)
{
    mw_value text = mw_trace_json(event);

    fprintf(file, "%s\n", text.kind == MW_TEXT ? mw_get_text(&text, NULL) : "{\"event\":\"out of memory\"}");
    mw_release(text);
}

/* ---- to files --------------------------------------------------------------------------------------------- */
void mw_trace_print(void *file, const struct mw_trace_event *event)
{
    mw_value text;

    if (event->kind == MW_TRACE_CLOSES) /* the blog's outputs have no such lines */
        return;
    text = mw_trace_text(event);

    fprintf(file, "%s\n", text.kind == MW_TEXT ? mw_get_text(&text, NULL) : "Scheduler has no memory for this line.");
    mw_release(text);
}
