/* Fuzz target F15: bytes as a program of verbs, from outside and from inside bodies, over schedulers of each kind, with memory that fails. room: scheduler
 * Oracles: every item is released once and handled at most once; every set-up has one close path, every scope one release; when a run is over,
 * nobody is left who could go on; memory is as it was before.
 * SPDX-License-Identifier: MIT */
#include <meshwork/graph.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 8, MESHES = 3, QUESTIONS = 4, STEPS_MOST = 400 };

static struct {
    const uint8_t *at, *end;
    mw_tasklet *slots[SLOTS];
    mw_scheduler *meshes[MESHES];
    mw_question *questions[QUESTIONS];
    mw_address *address;
    int64_t now_ns, later_id;
    int64_t live_items, live_scopes, open_bodies;
    int steps, depth;
} f;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static unsigned byte(void)
{
    return f.at < f.end ? *f.at++ : 0;
}

/* ---- items ---------------------------------------------------------------------------------------------- */
struct item {
    bool is_handled;
};

static void item_free(void *data)
{
    f.live_items--;
    mw_free(data);
}

/* Mostly something that is counted; now and then what travels in other ways. */
static mw_value make_item(unsigned how)
{
    struct item *item;

    if (how % 4 == 1)
        return mw_int(how);
    if (how % 16 == 2)
        return mw_text("a text that is longer than what fits inside");
    item = mw_alloc_zeroed(1, sizeof(*item));
    if (!item)
        return mw_null();
    f.live_items++;
    return mw_opaque(item, item_free);
}

static void take_note(mw_value borrows)
{
    struct item *item = mw_get_opaque(borrows);

    if (!item)
        return;
    must(!item->is_handled);
    item->is_handled = true;
}

/* ---- bodies --------------------------------------------------------------------------------------------- */
static void act(mw_tasklet *self);

static void scope_free(void *data)
{
    f.live_scopes--;
    mw_free(data);
}

static mw_scope make_scope(void)
{
    int *data = mw_alloc_zeroed(1, sizeof(*data));

    if (!data)
        return (mw_scope){NULL, NULL};
    f.live_scopes++;
    return (mw_scope){data, scope_free};
}

static int handle(mw_tasklet *self, mw_value takes)
{
    unsigned more = byte() % 3;

    take_note(takes);
    while (more-- > 0)
        act(self);
    mw_release(takes);
    return byte() == 99 ? -EIO : 0;
}

static int coroutine(mw_tasklet *self, void *scope)
{
    mw_value item;
    int result = 0;

    (void)scope;
    f.open_bodies++;
    while (result == 0 && mw_receive(self, &item))
        result = handle(self, item);
    if (byte() % 8 == 1)
        act(self);
    f.open_bodies--;
    return result;
}

static int handler(mw_tasklet *self, void *scope, mw_value takes_item)
{
    (void)scope;
    return handle(self, takes_item);
}

static void closed(mw_tasklet *self, void *scope)
{
    (void)scope;
    if (byte() % 8 == 1)
        act(self);
}

/* ---- verbs ---------------------------------------------------------------------------------------------- */
static void open_slot(unsigned i)
{
    unsigned how = byte();
    mw_tasklet_options o = {.size = sizeof(o), .scope = make_scope(), .mailbox_items = how % 5, .overflow = (enum mw_overflow)(how / 5 % 5)};
    mw_scheduler *before = mw_scheduler_enter(f.meshes[how % MESHES]);

    if (how & 64)
        o.closed = closed;
    o.stack_bytes = how & 32 ? MW_STACK_2K : 256 << 10; /* sanitizers need much, and give a small one 64 KiB */
    f.slots[i] = mw_tasklet_open(how & 128 ? NULL : coroutine, how & 128 ? handler : NULL, &o);
    mw_scheduler_leave(before);
}

static void free_slot(unsigned i)
{
    mw_tasklet *t = f.slots[i];

    f.slots[i] = NULL;
    mw_tasklet_free(t);
}

static void move_items(mw_tasklet *t, unsigned how)
{
    mw_value item = how % 16 < 3 || how % 16 == 15 ? make_item(byte()) : mw_null(), kept;
    int result;

    switch (how % 16) {
    case 0: (void)mw_send(t, item); return;
    case 1: (void)mw_pass(t, item); return;
    case 2:
        result = mw_offer(t, &item);
        must(result <= 0);
        mw_release(item);
        return;
    case 3: (void)mw_next(t); return;
    case 4: (void)mw_last(t); return;
    case 5: (void)mw_flush(t); return;
    case 6: (void)mw_clear(t); return;
    case 7: (void)mw_start(t); return;
    case 8:
        if (mw_next_item(t, &kept) == 1)
            mw_release(kept);
        return;
    case 9:
        if (mw_take_set_aside(t, &kept))
            mw_release(kept);
        return;
    case 15: f.later_id = mw_send_at(t, item, f.now_ns + byte() % 4); return;
    default: (void)mw_unsend(t, f.later_id); return;
    }
}

static void change_body(mw_tasklet *t, unsigned how)
{
    static const struct mw_supervision rules = {.size = sizeof(rules), .restarts = 2, .backoff_first_ns = 1};

    switch (how % 10) {
    case 0: (void)mw_close(t); return;
    case 1: (void)mw_finish(t); return;
    case 2: (void)mw_restart(t, byte() & 1); return;
    case 3: (void)mw_rescope(t, make_scope()); return;
    case 4: (void)mw_set(t, coroutine, make_scope()); return;
    case 5: (void)mw_set_handler(t, handler, make_scope()); return;
    case 6: (void)mw_set(t, NULL, (mw_scope){NULL, NULL}); return;
    case 7: (void)mw_supervise(t, byte() & 1 ? &rules : NULL); return;
    case 8: (void)mw_set_priority(t, (int)byte() - 128); return;
    default: (void)mw_tasklet_set_name(t, "renamed"); return;
    }
}

static void ask_and_answer(mw_tasklet *self, mw_tasklet *t, unsigned how)
{
    mw_question **question = &f.questions[how / 8 % QUESTIONS], *kept;
    mw_value answer;

    switch (how % 8) {
    case 0:
        if (mw_ask(t, make_item(byte()), byte() & 1 ? MW_FOREVER : f.now_ns + 3, &answer) == 0)
            mw_release(answer);
        return;
    case 1: (void)mw_ask_to(t, make_item(byte()), f.now_ns + 3, f.slots[byte() % SLOTS]); return;
    case 2: (void)mw_answer(self, make_item(byte())); return;
    case 3:
        kept = mw_question_keep(self);
        mw_question_drop(*question);
        *question = kept;
        return;
    case 4:
        kept = *question;
        *question = NULL;
        (void)mw_question_answer(kept, make_item(byte()));
        return;
    case 5: (void)mw_sleep_until(self, f.now_ns + byte() % 8); return;
    case 6: (void)mw_monitor(t, f.slots[byte() % SLOTS]); return;
    default:
        if (mw_take(self, &answer)) {
            take_note(answer);
            mw_release(answer);
        }
        return;
    }
}

static void drive(mw_tasklet *self, mw_tasklet *t, unsigned how)
{
    mw_scheduler *s = f.meshes[how / 16 % MESHES];

    switch (how % 16) {
    case 0: (void)mw_scheduler_turn(s); return;
    case 1: (void)mw_scheduler_step(s); return;
    case 2: (void)mw_scheduler_pause(s); return;
    case 3: (void)mw_scheduler_resume(s); return;
    case 4: (void)mw_scheduler_add(s, t); return;
    case 5: (void)mw_scheduler_add(s, mw_scheduler_tasklet(f.meshes[byte() % MESHES])); return;
    case 6: (void)mw_scheduler_set_order(s, (enum mw_order)(byte() % 3)); return;
    case 7: (void)mw_scheduler_set_seed(s, byte()); return;
    case 8: (void)mw_scheduler_set_budget(s, 1 + byte() % 8); return;
    case 9: (void)mw_graph_start(s, 1 + byte() % 2); return;
    case 10: (void)mw_graph_stop(s); return;
    case 11:
        mw_address_unref(f.address);
        f.address = mw_tasklet_address(t);
        return;
    case 12: (void)mw_post(f.address, make_item(byte())); return;
    case 13: (void)mw_memory_fail_at(byte() % 8, false); return;
    case 14: f.now_ns += byte() % 8; return;
    default:
        if (!self)
            (void)mw_scheduler_run(s);
        return;
    }
}

/* One verb. self: whose body does it; NULL: none. */
static void act(mw_tasklet *self)
{
    unsigned what = byte(), i = what / 8 % SLOTS;
    mw_tasklet *t = f.slots[i];

    if (f.at >= f.end || f.depth > 12 || f.steps++ > STEPS_MOST)
        return;
    f.depth++;
    switch (what % 8) {
    case 0:
    case 1:
    case 2: move_items(t, byte()); break;
    case 3: change_body(t, byte()); break;
    case 4: ask_and_answer(self, t, byte()); break;
    case 5: drive(self, t, byte()); break;
    case 6: free_slot(i); break;
    default:
        if (!t)
            open_slot(i);
        break;
    }
    f.depth--;
}

/* ---- a program ------------------------------------------------------------------------------------------ */
static int64_t read_clock(void *context)
{
    (void)context;
    return f.now_ns;
}

static int move_clock(void *context, int64_t deadline_ns)
{
    (void)context;
    if (deadline_ns == MW_FOREVER)
        return -1;
    f.now_ns = deadline_ns > f.now_ns ? deadline_ns : f.now_ns;
    return 0;
}

static void begin(void)
{
    unsigned i;

    f.meshes[0] = mw_taskmaster_new();
    f.meshes[1] = mw_priority_scheduler_new(true);
    f.meshes[2] = mw_priority_scheduler_new(false);
    for (i = 0; i < MESHES; i++) {
        must(f.meshes[i] != NULL);
        must(mw_scheduler_set_clock(f.meshes[i], read_clock, NULL) == 0);
        mw_scheduler_on_idle(f.meshes[i], move_clock, NULL);
    }
    (void)mw_scheduler_enter(f.meshes[0]);
    for (i = 0; i < SLOTS / 2; i++)
        open_slot(i);
}

static bool all_are_idle(void)
{
    unsigned i;

    for (i = 0; i < MESHES; i++)
        if (!mw_scheduler_is_idle(f.meshes[i]))
            return false;
    return true;
}

/* Whatever the program has left, all runs until nothing can, and says so. One mesh may give work to another. */
static void run_out(void)
{
    unsigned i, rounds;

    (void)mw_memory_fail_at(0, false);
    for (i = 0; i < MESHES; i++)
        (void)mw_scheduler_resume(f.meshes[i]);
    for (rounds = 0; rounds < 100 && (rounds == 0 || !all_are_idle()); rounds++)
        for (i = 0; i < MESHES; i++)
            must(mw_scheduler_run(f.meshes[i]) != -EBUSY);
    must(all_are_idle());
}

static void dump_nowhere(void)
{
    static int fd = -1;

    if (fd < 0)
        fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)mw_scheduler_dump(f.meshes[0], fd);
    (void)mw_scheduler_dump_json(f.meshes[1], fd);
    mw_release(mw_graph_json(f.meshes[0]));
    mw_release(mw_graph_dot(f.meshes[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mw_memory_stats before;
    unsigned i;

    mw_thread_end();
    before = mw_memory_stats();
    memset(&f, 0, sizeof(f));
    f.at = data;
    f.end = data + size;
    begin();
    while (f.at < f.end && f.steps < STEPS_MOST)
        act(NULL);
    f.at = f.end; /* bodies do nothing of their own any more */
    dump_nowhere();
    run_out();
    for (i = 0; i < QUESTIONS / 2; i++)
        mw_question_drop(f.questions[i]);
    mw_scheduler_leave(NULL);
    for (i = 0; i < MESHES; i++)
        mw_scheduler_free(f.meshes[i]);
    for (i = QUESTIONS / 2; i < QUESTIONS; i++)
        mw_question_drop(f.questions[i]); /* its asker is gone */
    mw_address_unref(f.address);
    must(f.live_items == 0 && f.live_scopes == 0 && f.open_bodies == 0);
    mw_thread_end();
    must(mw_memory_stats().live_blocks == before.live_blocks);
    return 0;
}
