/* The priority scheduler: rounds over those that have items, the most urgent first, put back while items remain.
 * A tasklet in the round keeps its ready bit; the queue says when it comes, and its seat which entry of the queue
 * is its own: who has left has none. Not the lines of the trace; those are in trace.c. Read next: ../../examples/04-priority.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/scheduler.h>

#include <errno.h>
#include <limits.h>

#include "base/memory.h"
#include "scheduler/scheduler_priv.h"
#include "tasklet/run.h"

enum { PRIORITY_DEPTH = 16, /* functions that give functions */
       SORT_BY_INSERTION = 24,
       SORT_WIDELY = 512,   /* from so many on a digit has ten bits, of fewer eight */
       DIGIT_MOST = 1024,
       ARITY = 4 };         /* four children are one line of the cache */

/* In the queue of a round: the priority above, a ticket below, so that equal ones come in the order of their queueing. */
struct entry {
    uint64_t key;
    union {
        uint64_t position; /* of its tasklet in the mesh */
        mw_tasklet *tasklet; /* while positions change */
    };
};
struct seat {
    uint32_t ticket; /* of its entry in the queue; 0: not in the round */
    uint32_t used;   /* of the budget, in this round */
};
struct priorities {
    struct entry *run;  /* those who were there at the beginning of the round, sorted at once */
    struct entry *heap; /* those who were put back */
    struct seat *seats; /* by position */
    uint32_t run_at, run_count; /* of the run, have been taken; in all */
    uint32_t count, ticket;     /* in the heap; the last one given in this round */
    bool is_incremental;
    bool is_setting_up;     /* set-ups before a round go on in the next turn */
    bool is_cut;            /* the visit of held goes on in the next turn */
    uint32_t set_ups_left;
    uint32_t held_used;     /* of s->held */
    uint32_t counts[DIGIT_MOST]; /* while sorting: here, as the stack may be a small one */
};

static struct priorities *priorities_of(const mw_scheduler *s)
{
    return s->private_data;
}

/* ---- the queue ----------------------------------------------------------------------------------------- */
static struct entry entry_make(struct priorities *p, const mw_tasklet *t, int priority, uint32_t used)
{
    struct entry e = {.position = t->position};

    p->ticket++;
    p->seats[t->position] = (struct seat){.ticket = p->ticket, .used = used};
    e.key = (uint64_t)((uint32_t)priority ^ UINT32_C(0x80000000)) << 32 | p->ticket;
    return e;
}

/* By insertion, where that is less work than counting. */
static void run_insert(struct entry *run, uint32_t count)
{
    uint32_t i, at;

    for (i = 1; i < count; i++) {
        struct entry e = run[i];

        for (at = i; at > 0 && run[at - 1].key > e.key; at--)
            run[at] = run[at - 1];
        run[at] = e;
    }
}

/* By counting, a digit of the priority after the other, from the lowest bit in which they differ to the highest: tickets are in order
 * already and stay so. A few nanoseconds for each, where a heap costs tens; a thousand different priorities are one digit. The heap,
 * which is empty, lends its place. */
static void run_sort(struct priorities *p)
{
    uint32_t digit_bits = p->run_count < SORT_WIDELY ? 8 : 10, mask = (UINT32_C(1) << digit_bits) - 1, i;
    uint64_t differing = 0;
    int shift;

    if (p->run_count <= SORT_BY_INSERTION) {
        run_insert(p->run, p->run_count);
        return;
    }
    for (i = 1; i < p->run_count; i++)
        differing |= p->run[i].key ^ p->run[0].key;
    differing = differing >> 32 << 32; /* tickets are not looked at */
    while (differing) {
        struct entry *from = p->run, *to = p->heap;
        uint32_t sum = 0;

        shift = __builtin_ctzll(differing);
        differing &= ~((uint64_t)mask << shift);
        memset(p->counts, 0, (mask + 1) * sizeof(p->counts[0]));
        for (i = 0; i < p->run_count; i++)
            p->counts[from[i].key >> shift & mask]++;
        for (i = 0; i <= mask; i++) {
            uint32_t count = p->counts[i];

            p->counts[i] = sum;
            sum += count;
        }
        for (i = 0; i < p->run_count; i++)
            to[p->counts[from[i].key >> shift & mask]++] = from[i];
        p->run = to;
        p->heap = from;
    }
}

static void heap_push(struct priorities *p, struct entry e)
{
    uint32_t at = p->count++;

    while (at > 0 && p->heap[(at - 1) / ARITY].key > e.key) {
        p->heap[at] = p->heap[(at - 1) / ARITY];
        at = (at - 1) / ARITY;
    }
    p->heap[at] = e;
}

static bool queue_is_empty(const struct priorities *p)
{
    return p->count == 0 && p->run_at == p->run_count;
}

static struct entry heap_pop(struct priorities *p)
{
    struct entry first = p->heap[0], last = p->heap[--p->count];
    uint32_t at = 0, child;

    while ((child = at * ARITY + 1) < p->count) {
        uint32_t end = child + ARITY < p->count ? child + ARITY : p->count, least = child;

        while (++child < end)
            least = p->heap[child].key < p->heap[least].key ? child : least;
        if (p->heap[least].key >= last.key)
            break;
        p->heap[at] = p->heap[least];
        at = least;
    }
    p->heap[at] = last;
    return first;
}

static struct entry queue_pop(struct priorities *p)
{
    if (p->run_at < p->run_count && (p->count == 0 || p->run[p->run_at].key < p->heap[0].key))
        return p->run[p->run_at++];
    return heap_pop(p);
}

/* ---- what the mesh tells ------------------------------------------------------------------------------- */
static int priorities_grow(mw_scheduler *s, uint32_t capacity)
{
    struct priorities *p = priorities_of(s);
    struct entry *heap = mw_resize(p->heap, capacity * sizeof(*heap)), *run;
    struct seat *seats;

    if (!heap)
        return -ENOMEM;
    p->heap = heap;
    run = mw_resize(p->run, capacity * sizeof(*run));
    if (!run)
        return -ENOMEM;
    p->run = run;
    seats = mw_resize(p->seats, capacity * sizeof(*seats));
    if (!seats)
        return -ENOMEM;
    p->seats = seats;
    memset(seats + s->capacity, 0, (capacity - s->capacity) * sizeof(*seats));
    return 0;
}

/* Before: entries name their tasklets, those of who has left nobody. After: the new positions. */
static void entries_compact(const mw_scheduler *s, struct entry *entries, uint32_t count, bool is_done)
{
    const struct seat *seats = priorities_of(s)->seats;
    uint32_t i;

    for (i = 0; i < count; i++) {
        struct entry *e = &entries[i];

        if (is_done) /* nobody's finds no seat with its ticket, wherever it points */
            e->position = e->tasklet ? e->tasklet->position : 0;
        else
            e->tasklet = seats[e->position].ticket == (uint32_t)e->key ? s->members[e->position] : NULL;
    }
}

static void priorities_compact(mw_scheduler *s, bool is_done)
{
    struct priorities *p = priorities_of(s);
    uint32_t i, to = 0;

    entries_compact(s, p->heap, p->count, is_done);
    entries_compact(s, p->run + p->run_at, p->run_count - p->run_at, is_done);
    if (is_done)
        return;
    for (i = 0; i < s->top; i++) { /* as the members will move */
        struct seat seat = p->seats[i];

        p->seats[i].ticket = 0;
        if (s->members[i])
            p->seats[to++] = seat;
    }
}

static void priorities_leave(mw_scheduler *s, mw_tasklet *t)
{
    struct priorities *p = priorities_of(s);

    p->seats[t->position].ticket = 0;
}

static void priorities_clear(mw_scheduler *s)
{
    struct priorities *p = priorities_of(s);

    mw_free(p->run);
    mw_free(p->heap);
    mw_free(p->seats);
    mw_free(p);
}

/* ---- asking and telling ---------------------------------------------------------------------------------- */
/* 0, or a negative number. With s: stops (-ECANCELED) when t has left meanwhile. */
static int priority_ask(const mw_scheduler *s, mw_tasklet *t, int *ret_priority)
{
    mw_priority now = t->side ? t->side->priority : (mw_priority){0};
    int depth;

    for (depth = 0; now.error >= 0; depth++) {
        if (!now.function) {
            *ret_priority = now.value;
            return 0;
        }
        if (depth == PRIORITY_DEPTH)
            return -ELOOP;
        now = now.function(t, now.context);
        if (s && s->held != t)
            return -ECANCELED;
    }
    return now.error;
}

static COLD void report_priority(mw_scheduler *s, mw_tasklet *t, int code)
{
    (void)mw_fail(&s->last_error, code, "the priority of tasklet '%s' cannot be told: %s", mw_tasklet_name(t),
                  code == -ELOOP ? "functions give functions, more than 16 deep" : mw_strerror(code));
    s->failures++;
    if (s->on_failure)
        s->on_failure(s->failure_context, t, code);
}

/* For a place in the round. false: t has left meanwhile. */
static bool held_priority(mw_scheduler *s, mw_tasklet *t, int *ret_priority)
{
    int err;

    if (!t->side || !t->side->priority.function) {
        *ret_priority = t->side ? t->side->priority.value : 0;
        return true;
    }
    s->held = t;
    err = priority_ask(s, t, ret_priority);
    if (err < 0 && s->held == t) {
        *ret_priority = INT_MAX;
        report_priority(s, t, err);
    }
    return s->held == t;
}

static bool is_only_fresh(const mw_tasklet *t)
{
    return t->state == TASKLET_FRESH && t->count == 0;
}

/* ---- a round ----------------------------------------------------------------------------------------------- */
/* The next ready one behind the cursor; it stays in the ready set. */
static mw_tasklet *ready_next(mw_scheduler *s)
{
    uint32_t word = s->cursor >> 6;
    uint64_t bits;

    if (word >= s->word_count)
        return NULL;
    bits = s->ready[word] & ~UINT64_C(0) << (s->cursor & 63);
    if (!bits) {
        if (word + 1 >= s->word_count || (word = mesh_scan(s, word + 1)) == UINT32_MAX)
            return NULL;
        bits = s->ready[word];
    }
    s->cursor = (word << 6 | (uint32_t)__builtin_ctzll(bits)) + 1;
    return s->members[s->cursor - 1];
}

/* One call of a scheduler. */
struct going {
    struct mw_thread *thread;
    mw_tasklet *outer;
    uint64_t left, sum; /* of what it may do; items handed over */
};

static void going_count(struct going *g, uint64_t handled)
{
    uint64_t cost = handled ? handled : 1; /* a run without an item costs as much as one */

    g->sum += handled;
    g->left -= cost < g->left ? cost : g->left;
}

/* Set-ups that are due, of those without items: a body is ready to send before the first round, as if it had been
 * begun when it was made. true: done, as far as it may go before this round */
static bool round_set_up(mw_scheduler *s, struct going *g)
{
    struct priorities *p = priorities_of(s);
    mw_tasklet *t = NULL;

    if (!p->is_setting_up) {
        if (!s->has_fresh)
            return true;
        s->has_fresh = false;
        s->cursor = 0;
        p->is_setting_up = true;
        p->set_ups_left = s->member_count; /* those that make others do not keep the round waiting for ever */
    }
    while (g->left > 0 && p->set_ups_left > 0) {
        t = ready_next(s);
        if (!t)
            break;
        if (!is_runnable(t) || !is_only_fresh(t))
            continue;
        p->set_ups_left--;
        tasklet_take_out(t);
        going_count(g, tasklet_visit(g->thread, g->outer, t, 0)); /* as far as its first receive */
    }
    if (t && p->set_ups_left > 0)
        return false;
    if (t)
        s->has_fresh = true;
    p->is_setting_up = false;
    return true;
}

static void round_fill(mw_scheduler *s)
{
    struct priorities *p = priorities_of(s);
    mw_tasklet *t;
    int priority = 0, last = INT_MIN;
    bool is_sorted = true;

    p->ticket = p->run_at = p->run_count = 0;
    s->cursor = 0;
    while ((t = ready_next(s)) != NULL) {
        if (!is_runnable(t))
            tasklet_unmark(t);
        else if (is_only_fresh(t))
            s->has_fresh = true; /* its set-up runs before the next round */
        else if (p->run_count == s->capacity) /* functions free and make tasklets: these wait for the next round */
            break;
        else if (held_priority(s, t, &priority)) {
            p->run[p->run_count++] = entry_make(p, t, priority, 0);
            is_sorted = is_sorted && priority >= last;
            last = priority;
        }
    }
    s->held = NULL;
    if (!is_sorted)
        run_sort(p);
}

/* The first of the round that still has something to do; NULL: the round is over. */
static mw_tasklet *round_next(mw_scheduler *s, int *ret_priority, uint32_t *ret_used)
{
    struct priorities *p = priorities_of(s);

    while (!queue_is_empty(p)) {
        struct entry e = queue_pop(p);
        struct seat *seat = &p->seats[e.position];
        mw_tasklet *t = s->members[e.position];

        if (seat->ticket != (uint32_t)e.key)
            continue;
        seat->ticket = 0;
        if (p->run_at < p->run_count) /* they lie in another order than they run in: the next one is fetched meanwhile */
            __builtin_prefetch(s->members[p->run[p->run_at].position]);
        if (!is_runnable(t) || is_only_fresh(t))
            continue;
        *ret_priority = (int)((uint32_t)(e.key >> 32) ^ UINT32_C(0x80000000));
        *ret_used = seat->used;
        return t;
    }
    return NULL;
}

static void put_back(mw_scheduler *s, mw_tasklet *t, uint32_t used)
{
    struct priorities *p = priorities_of(s);
    int priority = 0;

    if (!held_priority(s, t, &priority))
        return;
    if (UNLIKELY(s->trace != NULL)) {
        scheduler_tell(s, MW_TRACE_PUTS_BACK, t, priority, p->is_incremental);
        if (s->held != t)
            return;
    }
    if (p->ticket < UINT32_MAX) /* else it comes in the next round: four thousand million in one is much */
        heap_push(p, entry_make(p, t, priority, used));
}

/* Visit t, which is held and runnable, and see to what becomes of it. */
static void round_visit(mw_scheduler *s, struct going *g, mw_tasklet *t, uint32_t used)
{
    struct priorities *p = priorities_of(s);
    uint64_t allowance = p->is_incremental ? 1 : s->budget > used ? s->budget - used : 1, handled;

    if (allowance > g->left)
        allowance = g->left;
    tasklet_take_out(t);
    handled = tasklet_visit(g->thread, g->outer, t, (uint32_t)allowance);
    going_count(g, handled);
    if (s->held != t)
        return;
    if (is_runnable(t) && !is_only_fresh(t) && t->kind != TASKLET_MESH) { /* a mesh has a turn in each round: so what it sends
                                                                             to somebody more urgent is not behind all that it has */
        uint64_t all = used + (handled ? handled : 1);

        if (all < s->budget && !p->is_incremental && handled >= allowance) { /* it was the turn's that ran out */
            p->is_cut = true;
            p->held_used = (uint32_t)all;
            return;
        }
        if (all < s->budget) /* else it has had its share of this round */
            put_back(s, t, (uint32_t)all);
    }
    s->held = NULL;
}

static void round_run(mw_scheduler *s, struct going *g)
{
    struct priorities *p = priorities_of(s);
    mw_tasklet *t;
    uint32_t used;
    int priority;

    if (p->is_cut) {
        p->is_cut = false;
        t = s->held;
        if (t && is_runnable(t) && !is_only_fresh(t))
            round_visit(s, g, t, p->held_used);
        else
            s->held = NULL;
    }
    while (g->left > 0 && LIKELY(!s->is_paused) && (t = round_next(s, &priority, &used)) != NULL) {
        s->held = t;
        if (UNLIKELY(s->trace != NULL)) {
            scheduler_tell(s, MW_TRACE_EXECUTES, t, priority, p->is_incremental);
            if (s->held != t || !is_runnable(t)) {
                s->held = NULL;
                continue;
            }
        }
        round_visit(s, g, t, used);
    }
}

/* A turn is what is left of a round, or a whole one; a run is all of them. */
static uint64_t priorities_go(mw_scheduler *s, bool is_bounded)
{
    struct priorities *p = priorities_of(s);
    struct going g = {.thread = &mw_thread, .outer = mw_thread.current, .left = is_bounded ? s->budget : UINT64_MAX};
    uint32_t rounds = 0;

    do {
        if (queue_is_empty(p) && !p->is_cut) {
            if (!round_set_up(s, &g))
                break;
            round_fill(s);
        }
        round_run(s, &g);
        if (!is_bounded)
            scheduler_look_at_clock(s, ++rounds);
    } while (!is_bounded && s->ready_count > 0 && !s->is_paused);
    return g.sum;
}

/* ---- the public ones ------------------------------------------------------------------------------------------- */
mw_scheduler *mw_priority_scheduler_new(bool incremental)
{
    static const struct mesh_order order = {priorities_go, priorities_grow, priorities_compact, priorities_leave,
                                            priorities_clear};
    struct priorities *p = mw_alloc_zeroed(1, sizeof(*p));
    mw_scheduler *s = p ? mesh_new() : NULL;

    if (!s) {
        mw_free(p);
        return NULL;
    }
    p->is_incremental = incremental;
    p->run = mw_alloc_zeroed(s->capacity, sizeof(*p->run));
    p->heap = mw_alloc_zeroed(s->capacity, sizeof(*p->heap));
    p->seats = mw_alloc_zeroed(s->capacity, sizeof(*p->seats));
    s->private_data = p;
    s->order = &order;
    if (!p->run || !p->heap || !p->seats) {
        mesh_free(s);
        return NULL;
    }
    return s;
}

static int priority_set(mw_tasklet *t, mw_priority priority)
{
    struct tasklet_side *side = t ? tasklet_side(t) : NULL;

    if (!side)
        return t ? -ENOMEM : -EINVAL;
    side->priority = priority;
    return 0;
}

int mw_set_priority(mw_tasklet *t, int priority)
{
    return priority_set(t, (mw_priority){.value = priority});
}

int mw_set_priority_function(mw_tasklet *t, mw_priority_function *function, void *context)
{
    if (!function)
        return -EINVAL;
    return priority_set(t, (mw_priority){.function = function, .context = context});
}

int mw_get_priority(mw_tasklet *t, int *ret_priority)
{
    if (!t || !ret_priority)
        return -EINVAL;
    return priority_ask(NULL, t, ret_priority);
}
