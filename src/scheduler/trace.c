/* The trace of a scheduler as lines of text, as the blog's outputs have them.
 * Not when something is told; that is priority.c. Read next: ../../examples/05-incremental.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <stdio.h>

#include "base/print.h"
#include "scheduler/scheduler_priv.h"

enum { LINE_LIMIT_BYTES = 64 * 1024 * 1024 };

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
        (void)mw_buffer_printf(&b, "Scheduler executes %s on priority %d", name, event->priority);
        break;
    case MW_TRACE_ITEM:
        print_item(&b, event);
        break;
    case MW_TRACE_PUTS_BACK:
        (void)mw_buffer_printf(&b, "Scheduler puts %s back into priority queue.", name);
        break;
    }
    if (!b.error)
        text = mw_text_n((const char *)b.data, b.count);
    mw_buffer_clear(&b);
    return text;
}

void mw_trace_print(void *file, const struct mw_trace_event *event)
{
    mw_value text = mw_trace_text(event);

    fprintf(file, "%s\n", text.kind == MW_TEXT ? mw_get_text(&text, NULL) : "Scheduler has no memory for this line.");
    mw_release(text);
}
