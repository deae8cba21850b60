/* Who comes when in a round of priorities: three sources, of which the lowest key is taken. A rank that is kept from round to round, with a
 * bit for each of the round; a run that was sorted for this round alone, where the rank does not hold; a heap of those put back.
 * Not what is done with them; that is priority.c. Read next: round.c.
 * SPDX-License-Identifier: MIT */
#ifndef SCHEDULER_ROUND_H
#define SCHEDULER_ROUND_H

#include "scheduler/scheduler_priv.h"

enum { DIGIT_MOST = 1024, /* values of a digit, while sorting */
       ARITY = 4 };       /* four children are one line of the cache */

/* In the queue of a round: the priority above, a ticket below, so that equal ones come in the order of their queueing. */
struct entry {
    uint64_t key;
    union {
        uint64_t position; /* of its tasklet in the mesh */
        mw_tasklet *tasklet; /* while positions change */
    };
};
struct seat {
    uint32_t ticket; /* of its entry in the run or the heap; 0: has none */
    uint32_t used;   /* of the budget, in this round */
};
struct priorities {
    /* Those who stood in the mesh when it was made, by priority; equal ones in the order of their making. The low half of a key is its tasklet's
     * position + 1, which serves as its ticket. */
    uint64_t *rank;
    uint32_t *rank_of;        /* by position: its place in the rank, where it has one */
    uint64_t *in_round;       /* a bit for each of the rank, and a word without any behind them */
    uint32_t word, word_count; /* of in_round: those before have no bits left; in all, in this round */
    uint32_t ranked;          /* how many have a rank */
    bool is_ranked;           /* the rank holds: nobody came and no priority changed since */
    uint64_t worth;           /* how many were sorted without it since then */

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

static inline struct priorities *priorities_of(const mw_scheduler *s)
{
    return s->private_data;
}

/* ---- round.c ---------------------------------------------------------------------------------------------- */
/* Sort the run. The heap is empty. */
void run_sort(struct priorities *p);
/* Of the run and the heap the first who has not left meanwhile, and how much of his budget he has used. false: nobody is left */
bool queue_pop(const mw_scheduler *s, uint64_t *ret_key, mw_tasklet **ret, uint32_t *ret_used);
/* Put t back, by a new ticket. */
void heap_put(struct priorities *p, const mw_tasklet *t, int priority, uint32_t used);
/* Somebody came, or a priority changed: the rank does not hold from the next round on. */
void rank_outdate(struct priorities *p);
/* Before a round: whether it can be taken from the rank, which is made anew where that is worth it. The queue is empty. */
bool rank_hold(mw_scheduler *s);

/* What the mesh tells: see struct mesh_order. */
int priorities_grow(mw_scheduler *s, uint32_t capacity);
void priorities_compact(mw_scheduler *s, bool is_done);
void priorities_leave(mw_scheduler *s, mw_tasklet *t);
void priorities_clear(mw_scheduler *s);

/* ---- inline --------------------------------------------------------------------------------------------------- */
static inline uint64_t key_make(int priority, uint32_t ticket)
{
    return (uint64_t)((uint32_t)priority ^ UINT32_C(0x80000000)) << 32 | ticket;
}

static inline int key_priority(uint64_t key)
{
    return (int)((uint32_t)(key >> 32) ^ UINT32_C(0x80000000));
}

static inline uint32_t rank_position(uint64_t key)
{
    return (uint32_t)key - 1;
}

static inline struct entry entry_make(struct priorities *p, const mw_tasklet *t, int priority, uint32_t used)
{
    struct seat *seat = &p->seats[t->position];

    p->ticket++;
    seat->ticket = p->ticket;
    seat->used = used;
    return (struct entry){.key = key_make(priority, p->ticket), .position = t->position};
}

/* Whether anybody of the rank is left in this round; then p->word says where. */
static inline bool rank_has_more(struct priorities *p)
{
    for (; p->word < p->word_count; p->word++) {
        if (p->in_round[p->word])
            return true;
    }
    return false;
}

static inline bool queue_is_empty(struct priorities *p)
{
    return p->count == 0 && p->run_at == p->run_count && !rank_has_more(p);
}

/* The first of the rank, unless somebody in the heap comes before. While the rank has more, there is no run. false: take it from the queue */
static inline bool rank_pop(struct priorities *p, uint64_t *ret_key)
{
    uint64_t bits, key;

    if (!rank_has_more(p))
        return false;
    bits = p->in_round[p->word];
    key = p->rank[p->word << 6 | (uint32_t)__builtin_ctzll(bits)];
    if (UNLIKELY(p->count > 0) && p->heap[0].key < key)
        return false;
    p->in_round[p->word] = bits & (bits - 1);
    *ret_key = key;
    return true;
}

#endif
