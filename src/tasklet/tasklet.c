/* Making and freeing tasklets, and what can be asked about one.
 * Not what they do; that is verbs.c and change.c. Read next: ../scheduler/scheduler.c.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "tasklet/address.h"
#include "tasklet/graph.h"
#include "tasklet/tasklet_priv.h"

enum { CLEARED_AT_ONCE = 64,
       OWN_BYTES_MOST = 1 << 20 };

#if UINTPTR_MAX > UINT32_MAX && !defined(MW_CHECKED)
static_assert(sizeof(struct mw_tasklet) <= 112, "an idle handler stays small");
#endif

const char *const tasklet_state_names[] = {
    [TASKLET_FRESH] = "fresh",     [TASKLET_IDLE] = "idle",   [TASKLET_WAITING] = "waiting",
    [TASKLET_WOKEN] = "woken",     [TASKLET_RUNNING] = "running", [TASKLET_CLOSED] = "closed",
};

const char *const tasklet_wait_names[] = {
    [WAIT_ROOM] = "room in", [WAIT_ANSWER] = "an answer of", [WAIT_TIME] = "a time",
    [WAIT_IO] = "input or output", [WAIT_WORK] = "work elsewhere", [WAIT_PROCESS] = "a process",
};

struct tasklet_side *tasklet_side(mw_tasklet *t)
{
    struct tasklet_side *side = t->side;

    if (side)
        return side;
    side = mw_alloc_zeroed(1, sizeof(*side));
    if (!side)
        return NULL;
    side->mailbox_bytes = MAILBOX_BYTES_DEFAULT;
    mw_list_init(&side->waiters);
    mw_list_init(&side->stalled);
    mw_list_init(&side->stalls);
    mw_list_init(&side->later);
    mw_list_init(&side->asked);
    mw_list_init(&side->bonds);
    mw_list_init(&side->monitors);
    mw_list_init(&side->monitored);
    return t->side = side;
}

/* Apart from those who have none, so that these need no registers saved for it. */
static COLD void side_free(mw_tasklet *t)
{
    later_forget(t);
    questions_forget(t);
    bonds_end(t);
    monitors_forget(t);
    supervised_free(t);
    address_forget(t);
    mw_free(t->side->name);
    mw_free(t->side);
    t->side = NULL;
}

/* What is left: not its scope, which its owner may still have to be given. */
void tasklet_destroy(mw_tasklet *t)
{
    struct mw_scheduler *m = t->mesh;

    if (t->mask > 0)
        mailbox_rest(t);
    if (UNLIKELY(t->side != NULL))
        side_free(t);
    if (UNLIKELY(m->graph != NULL))
        graph_forget(m->graph, t);
    mesh_remove(t);
    slab_give(t);
}

/* The first state of one that lies somewhere. m has room for it. */
static inline void tasklet_lay_out(mw_tasklet *t, struct mw_scheduler *m, struct site *site, enum tasklet_kind kind, union tasklet_run run, void *scope)
{
    /* In two parts: for all of it at once gcc takes a rep stos, which takes 15 ns. */
    memset(t, 0, CLEARED_AT_ONCE);
    memset((char *)t + CLEARED_AT_ONCE, 0, sizeof(*t) - CLEARED_AT_ONCE);
    tasklet_begins(t);
    t->condition = CONDITION_OF(TASKLET_FRESH, kind, 0, 0);
    t->run = run;
    t->scope = scope;
    t->site = site;
    t->capacity = MAILBOX_ITEMS_DEFAULT;
    t->items = &t->first;
    t->plain_room = kind == TASKLET_NULL || m->graph ? 0 : 1;
    mesh_add(m, t);
    if (kind == TASKLET_COROUTINE)
        tasklet_mark(t); /* its set-up runs at the first turn */
}

static COLD mw_tasklet *tasklet_make_slowly(enum tasklet_kind kind, union tasklet_run run, void *scope, size_t own_bytes, const char *name,
                                            const char *file, int line)
{
    struct mw_scheduler *m = mesh_here();
    struct site *site = m ? mesh_site(m, name, file, line, own_class_of(own_bytes)) : NULL;
    mw_tasklet *t = NULL;

    if (site && mesh_reserve(m) == 0) {
        t = site->pool && site->pool->first ? block_take(site->pool, tasklet_bytes_with(own_bytes))
            : own_bytes == 0                    ? slab_take(m)
                                                : mw_alloc(tasklet_bytes_with(own_bytes));
    }
    if (t)
        tasklet_lay_out(t, m, site, kind, run, scope);
    return t;
}

/* Where the last one was made in the same place of the program, and there is room everywhere, without a call. */
static inline mw_tasklet *tasklet_make(enum tasklet_kind kind, union tasklet_run run, void *scope, size_t own_bytes, const char *name,
                                       const char *file, int line)
{
    struct mw_thread *thread = &mw_thread;
    struct mw_scheduler *m = thread->mesh ? thread->mesh : thread->implicit;
    struct block_pool *pool;
    mw_tasklet *t;

    if (UNLIKELY(!m || m->top >= m->capacity || !mesh_site_is_recent(m, name, file, line, own_class_of(own_bytes))))
        return tasklet_make_slowly(kind, run, scope, own_bytes, name, file, line);
    pool = own_bytes == 0 ? &m->tasklets : m->recent_site->pool;
    if (UNLIKELY(!pool || !pool->first))
        return tasklet_make_slowly(kind, run, scope, own_bytes, name, file, line);
    t = block_take(pool, tasklet_bytes_with(own_bytes));
    tasklet_lay_out(t, m, m->recent_site, kind, run, scope);
    return t;
}

mw_tasklet *mw_tasklet_new_at(mw_body *body, void *scope, const char *name, const char *file, int line)
{
    union tasklet_run run = {.body = body};

    return body ? tasklet_make(TASKLET_COROUTINE, run, scope, 0, name, file, line)
                : tasklet_make_slowly(TASKLET_NULL, run, scope, 0, "null", file, line);
}

mw_tasklet *mw_handler_new_at(mw_handler *handler, void *scope, const char *name, const char *file, int line)
{
    union tasklet_run run = {.handler = handler};

    return handler ? tasklet_make(TASKLET_HANDLER, run, scope, 0, name, file, line)
                   : tasklet_make_slowly(TASKLET_NULL, run, scope, 0, "null", file, line);
}

/* Say where mw_scheduler_last_error shows it; who gets NULL has nothing else to go by. */
static COLD void note_fault(const char *name, const char *fault)
{
    struct mw_scheduler *m = mesh_here();

    if (m)
        (void)mw_fail(&m->last_error, -EINVAL, "open tasklet '%s': %s", name ? name : "", fault);
}

/* Its scope is the memory behind it. The copy is made word by word, as what is copied has just been written so: one wide load behind two narrow stores
 * waits (words.h). */
static inline mw_tasklet *tasklet_own(mw_tasklet *t, const void *state, size_t state_bytes)
{
    const char *from = state;
    char *to;
    size_t at;

    if (UNLIKELY(!t))
        return NULL;
    to = (char *)t + OWN_AT;
    for (at = 0; at + sizeof(uint64_t) <= state_bytes; at += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, from + at, sizeof(word));
        __asm__("" : "+r"(word)); /* nor may the compiler join them */
        memcpy(to + at, &word, sizeof(word));
    }
    memcpy(to + at, from + at, state_bytes - at);
    t->scope = to;
    return t;
}

/* Whether that much can be a tasklet's own; else says so. */
static inline bool may_own(bool has_body, const void *state, size_t state_bytes, const char *name)
{
    if (LIKELY(has_body && state && state_bytes - 1 < OWN_BYTES_MOST))
        return true;
    note_fault(name, has_body ? "a scope of its own is made of 1 byte to 1 MiB" : "a scope of its own wants a body or a handler");
    return false;
}

mw_tasklet *mw_tasklet_new_own_at(mw_body *body, const void *state, size_t state_bytes, const char *name, const char *file, int line)
{
    union tasklet_run run = {.body = body};

    if (!may_own(body != NULL, state, state_bytes, name))
        return NULL;
    return tasklet_own(tasklet_make(TASKLET_COROUTINE, run, NULL, state_bytes, name, file, line), state, state_bytes);
}

mw_tasklet *mw_handler_new_own_at(mw_handler *handler, const void *state, size_t state_bytes, const char *name, const char *file, int line)
{
    union tasklet_run run = {.handler = handler};

    if (!may_own(handler != NULL, state, state_bytes, name))
        return NULL;
    return tasklet_own(tasklet_make(TASKLET_HANDLER, run, NULL, state_bytes, name, file, line), state, state_bytes);
}

/* A stack of less than a page, asked for by name; 0: it is not. */
static uint32_t small_stack(const mw_tasklet_options *o)
{
    return o->stack_bytes == MW_STACK_1K   ? (uint32_t)STACK_BYTES_SMALL
           : o->stack_bytes == MW_STACK_2K ? (uint32_t)STACK_BYTES_SMALL_2
                                           : 0;
}

/* What its stack will have, in whole pages where it is not a small one; 0: the default. */
static uint32_t stack_bytes_of(const mw_tasklet_options *o)
{
    uint32_t whole = (uint32_t)((o->stack_bytes + STACK_BYTES_LEAST - 1) / STACK_BYTES_LEAST * STACK_BYTES_LEAST);

    return small_stack(o) ? small_stack(o) : whole == STACK_BYTES_DEFAULT ? 0 : whole;
}

/* What is wrong with options; NULL: nothing */
static const char *options_fault(const mw_tasklet_options *o)
{
    if (o->mailbox_items > MAILBOX_ITEMS_MOST)
        return ".mailbox_items is beyond 2^24";
    if (o->overflow < MW_BLOCK || o->overflow > MW_KEEP_LATEST)
        return ".overflow is no mw_overflow";
    if (o->stack_bytes != 0 && !small_stack(o) && (o->stack_bytes < STACK_BYTES_LEAST || o->stack_bytes > STACK_BYTES_MOST))
        return ".stack_bytes is neither within 4 KiB to 8 MiB nor MW_STACK_1K or MW_STACK_2K";
    return NULL;
}

/* What goes to the side block; the hot fields are set. */
static int options_apply(mw_tasklet *t, const mw_tasklet_options *o)
{
    struct tasklet_side *side;
    uint32_t stack_bytes = stack_bytes_of(o);

    if (o->mailbox_items)
        t->capacity = (uint32_t)o->mailbox_items;
    if (stack_bytes) { /* told by the site, as a side block is a third of the smallest stack */
        struct site *site = mesh_site_sized(t->mesh, t->site->name, t->site->file, t->site->line, t->site->own_class, stack_bytes);

        if (!site)
            return -ENOMEM;
        t->site = site;
    }
    if (!o->name && !o->scope.release && !o->mailbox_bytes && o->overflow == MW_BLOCK)
        return 0;
    side = tasklet_side(t);
    if (!side)
        return -ENOMEM;
    if (o->name && !(side->name = mw_copy_text(o->name)))
        return -ENOMEM;
    if (o->mailbox_bytes)
        side->mailbox_bytes = o->mailbox_bytes;
    side->overflow = (uint8_t)o->overflow;
    side->release = o->scope.release;
    return 0;
}

/* Options of a program built against an older header are shorter: what it does not know is as if 0. */
static bool options_read(mw_tasklet_options *ret, const mw_tasklet_options *options)
{
    *ret = (mw_tasklet_options){.size = sizeof(*ret)};
    if (!options)
        return true;
    if (options->size < offsetof(mw_tasklet_options, scope) || options->size > sizeof(*ret))
        return false;
    memcpy(ret, options, options->size);
    return true;
}

static mw_tasklet *tasklet_open(mw_body *body, mw_handler *handler, const mw_tasklet_options *o)
{
    const char *fault = body && handler ? "it is given a body and a handler" : options_fault(o);
    mw_tasklet *t;

    if (fault) {
        note_fault(o->name, fault);
        return NULL;
    }
    if (o->scope_bytes)
        t = handler ? mw_handler_new_own_at(handler, o->scope.data, o->scope_bytes, NULL, o->file, o->line)
                    : mw_tasklet_new_own_at(body, o->scope.data, o->scope_bytes, NULL, o->file, o->line);
    else
        t = handler ? mw_handler_new_at(handler, o->scope.data, NULL, o->file, o->line)
                    : mw_tasklet_new_at(body, o->scope.data, NULL, o->file, o->line);
    if (!t)
        return NULL;
    if (options_apply(t, o) < 0) {
        tasklet_destroy(t);
        return NULL;
    }
    if (handler)
        t->closed = o->closed;
    return t;
}

mw_tasklet *mw_tasklet_open(mw_body *body, mw_handler *handler, const mw_tasklet_options *options)
{
    mw_tasklet_options o;
    mw_tasklet *t;

    if (!options_read(&o, options)) {
        note_fault(NULL, "its options have no size that is known: write .size = sizeof(mw_tasklet_options)");
        return NULL;
    }
    t = tasklet_open(body, handler, &o);
    if (!t && o.scope.release)
        o.scope.release(o.scope.data);
    return t;
}

/* ---- about one ---------------------------------------------------------------------------------- */
const char *mw_tasklet_name(const mw_tasklet *t)
{
    TASKLET_CHECK(t);
    if (!t)
        return "none";
    if (t->side && t->side->name)
        return t->side->name;
    return t->site->name ? t->site->name : t->site->made_name;
}

int mw_tasklet_set_name(mw_tasklet *t, const char *name)
{
    struct tasklet_side *side;
    char *copy;

    TASKLET_CHECK(t);
    if (!t || !name)
        return -EINVAL;
    side = tasklet_side(t);
    copy = side ? mw_copy_text(name) : NULL;
    if (!copy)
        return -ENOMEM;
    mw_free(side->name);
    side->name = copy;
    return 0;
}

void *mw_tasklet_scope(const mw_tasklet *t)
{
    TASKLET_CHECK(t);
    return t ? t->scope : NULL;
}

bool mw_is_closed(const mw_tasklet *t)
{
    TASKLET_CHECK(t);
    return !t || t->state == TASKLET_CLOSED;
}

struct mw_tasklet_stats mw_tasklet_stats(const mw_tasklet *t)
{
    struct mw_tasklet_stats stats = {0};

    TASKLET_CHECK(t);
    if (!t)
        return stats;
    stats.queued_items = t->count;
    stats.capacity_items = tasklet_capacity(t);
    if (t->kind == TASKLET_NULL)
        stats.swallowed = t->processed;
    else
        stats.processed = t->processed;
    if (t->side) {
        stats.refused = t->side->refused;
        stats.dropped = t->side->dropped;
        stats.failures = t->side->failures;
        stats.late_results = t->side->late_results;
    }
    return stats;
}
