/* The queue of a priority round: sorting it, ranking a whole mesh, those who are put back, and what happens to both when positions change.
 * Not the rounds; those are priority.c. Read next: priority.c.
 * SPDX-License-Identifier: MIT */
#include "scheduler/round.h"

#include <errno.h>

#include "base/memory.h"

enum { SORT_BY_INSERTION = 24,
       SORT_WIDELY = 512 }; /* from so many on a digit has ten bits, of fewer eight */

/* A round is taken from the rank where, of so many, one has something to do: looking through the bits of the others costs less than sorting. */
enum { RANKED_MOST_PER_READY = 1024 };

/* ---- the run ------------------------------------------------------------------------------------------- */
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
void run_sort(struct priorities *p)
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

/* ---- those who are put back ---------------------------------------------------------------------------- */
static void heap_push(struct priorities *p, struct entry e)
{
    uint32_t at = p->count++;

    while (at > 0 && p->heap[(at - 1) / ARITY].key > e.key) {
        p->heap[at] = p->heap[(at - 1) / ARITY];
        at = (at - 1) / ARITY;
    }
    p->heap[at] = e;
}

void heap_put(struct priorities *p, const mw_tasklet *t, int priority, uint32_t used)
{
    if (p->ticket < UINT32_MAX) /* else it comes in the next round: four thousand million in one is much */
        heap_push(p, entry_make(p, t, priority, used));
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

bool queue_pop(const mw_scheduler *s, uint64_t *ret_key, mw_tasklet **ret, uint32_t *ret_used)
{
    struct priorities *p = priorities_of(s);

    while (p->run_at < p->run_count || p->count > 0) {
        bool is_of_run = p->run_at < p->run_count && (p->count == 0 || p->run[p->run_at].key < p->heap[0].key);
        struct entry e = is_of_run ? p->run[p->run_at++] : heap_pop(p);
        struct seat *seat = &p->seats[e.position];

        if (seat->ticket != (uint32_t)e.key)
            continue; /* it has left, and another sits there perhaps */
        seat->ticket = 0;
        if (p->run_at < p->run_count) /* they lie in another order than they run in: the next one is fetched meanwhile */
            __builtin_prefetch(s->members[p->run[p->run_at].position]);
        *ret_key = e.key;
        *ret = s->members[e.position];
        *ret_used = seat->used;
        return true;
    }
    return false;
}

/* ---- the rank ------------------------------------------------------------------------------------------- */
void rank_outdate(struct priorities *p)
{
    p->is_ranked = false;
    p->worth = 0;
}

/* Everybody, by priority. false: somebody's is a function, which has to be asked for each round. */
static bool rank_make(const mw_scheduler *s)
{
    struct priorities *p = priorities_of(s);
    uint32_t position, i;

    p->run_count = 0;
    for (position = 0; position < s->top; position++) {
        const mw_tasklet *t = s->members[position];

        if (!t)
            continue;
        if (t->side && t->side->priority.function) {
            p->run_count = 0;
            return false;
        }
        p->run[p->run_count++] = (struct entry){.key = key_make(t->side ? t->side->priority.value : 0, position + 1), .position = position};
    }
    run_sort(p);
    for (i = 0; i < p->run_count; i++) {
        p->rank[i] = p->run[i].key;
        p->rank_of[p->run[i].position] = i;
    }
    p->ranked = p->run_count;
    p->run_count = 0;
    return true;
}

bool rank_hold(mw_scheduler *s)
{
    struct priorities *p = priorities_of(s);

    if (s->top / RANKED_MOST_PER_READY > mesh_ready_count(s))
        return false;
    if (LIKELY(p->is_ranked))
        return true;
    /* Made when as many have been sorted as it takes to rank them all: a mesh in which somebody comes in each round costs twice at most. */
    p->worth += mesh_ready_count(s);
    if (p->worth < s->member_count)
        return false;
    p->worth = 0;
    p->is_ranked = rank_make(s);
    return p->is_ranked;
}

/* Positions will change: what is left of the round goes on as a run. */
static void rank_spill(struct priorities *p)
{
    while (rank_has_more(p)) {
        uint64_t key = p->rank[p->word << 6 | (uint32_t)__builtin_ctzll(p->in_round[p->word])];
        struct seat *seat = &p->seats[rank_position(key)];

        p->in_round[p->word] &= p->in_round[p->word] - 1;
        seat->ticket = (uint32_t)key;
        seat->used = 0;
        p->run[p->run_count++] = (struct entry){.key = key, .position = rank_position(key)};
    }
}

static void rank_leave(struct priorities *p, uint32_t position)
{
    uint32_t rank = p->rank_of[position];

    if (rank < p->ranked && rank_position(p->rank[rank]) == position) /* else it came later, and has none */
        p->in_round[rank >> 6] &= ~(UINT64_C(1) << (rank & 63));
}

/* ---- what the mesh tells ------------------------------------------------------------------------------- */
/* The larger array, with what was in it; NULL: out of memory, and *io is as it was. */
static void *array_grow(void *io, size_t count, size_t bytes)
{
    void *array = NULL;

    memcpy(&array, io, sizeof(array));
    array = mw_resize(array, count * bytes);
    if (array)
        memcpy(io, &array, sizeof(array));
    return array;
}

int priorities_grow(mw_scheduler *s, uint32_t capacity)
{
    struct priorities *p = priorities_of(s);
    uint32_t before = p->seats ? s->capacity : 0;

    if (!array_grow(&p->heap, capacity, sizeof(*p->heap)) || !array_grow(&p->run, capacity, sizeof(*p->run)) ||
        !array_grow(&p->rank, capacity, sizeof(*p->rank)) || !array_grow(&p->rank_of, capacity, sizeof(*p->rank_of)) ||
        !array_grow(&p->in_round, (capacity + 63) / 64 + 1, sizeof(*p->in_round)) || !array_grow(&p->seats, capacity, sizeof(*p->seats)))
        return -ENOMEM;
    memset(p->seats + before, 0, (capacity - before) * sizeof(*p->seats));
    memset(p->rank_of + before, 0, (capacity - before) * sizeof(*p->rank_of));
    if (before == 0)
        p->in_round[0] = 0;
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

void priorities_compact(mw_scheduler *s, bool is_done)
{
    struct priorities *p = priorities_of(s);
    uint32_t i, to = 0;

    if (!is_done) {
        rank_spill(p);
        rank_outdate(p);
    }
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

void priorities_leave(mw_scheduler *s, mw_tasklet *t)
{
    struct priorities *p = priorities_of(s);

    p->seats[t->position].ticket = 0;
    rank_leave(p, t->position);
}

void priorities_clear(mw_scheduler *s)
{
    struct priorities *p = priorities_of(s);

    mw_free(p->rank);
    mw_free(p->rank_of);
    mw_free(p->in_round);
    mw_free(p->run);
    mw_free(p->heap);
    mw_free(p->seats);
    mw_free(p);
}

