/* How the clients of an edge share its thread: what may be done for one at a time, and the queue of those that have had that.
 * Not how much anything takes; whoever does it says so (edge_worked). Read next: connection.c.
 * SPDX-License-Identifier: MIT */
#include "edge/edge_priv.h"

/* From everybody together so many shares are taken in one pass as bytes come, before further connections wait for the next. */
enum { PASS_SHARES = 8, FORGIVEN_SHARES = 16, PASS_HELLOS = 8, HANDSHAKE_STEPS = 1024 };
/* Who has sent so much of a message or a body waits with those that had their share: what it is about to ask for may be as long. */
enum { LARGE_BYTES = 131072 };

static uint64_t share_of(const struct edge *e)
{
    return edge_limit(e, EDGE_LIMIT_SHARE);
}

void edge_worked(struct edge *e, uint64_t steps)
{
    e->work += steps;
}

/* ---- accounts ---------------------------------------------------------------------------------------- */
uint64_t share_begin(struct edge *e)
{
    e->share_end = e->work + share_of(e);
    return e->work;
}

void share_account(struct edge_connection *c, uint64_t begun)
{
    struct edge *e = c->edge;
    const uint64_t used = e->work - begun;

    e->spent += used;
    if (used >= share_of(e)) {
        edge_hit(e, EDGE_LIMIT_SHARE);
        c->debt = used / share_of(e) < UINT8_MAX ? (uint8_t)(used / share_of(e)) : UINT8_MAX;
    } else if (used > 0 && connection_unfinished(c) >= LARGE_BYTES) {
        c->debt = 1;
    }
}

void share_begin_turn(struct edge *e)
{
    e->turn_end = e->work + share_of(e);
}

size_t share_writes(const struct edge *e)
{
    return (size_t)(share_of(e) / WORK_WRITE); /* at least one */
}

bool edge_has_room(const struct edge *e)
{
    return e->work < e->turn_end && e->told_count < share_writes(e);
}

void share_forgive(struct edge_connection *c)
{
    if (!c->rest) /* else it pays */
        c->debt = c->debt > FORGIVEN_SHARES ? (uint8_t)(c->debt - FORGIVEN_SHARES) : 0;
}

bool share_must_wait(const struct edge_connection *c)
{
    const struct edge *e = c->edge;

    return c->debt > 0 || e->spent >= PASS_SHARES * share_of(e);
}

/* ---- turns ------------------------------------------------------------------------------------------- */
void share_queue(struct edge_connection *c)
{
    struct edge *e = c->edge;

    if (mw_link_is_linked(&c->rest->waiting))
        return;
    mw_list_push_back(c->debt > 0 ? &e->indebted : &e->waiting, &c->rest->waiting);
    poller_again(e->poller);
}

static struct edge_connection *connection_at(struct mw_link *waiting)
{
    return MW_CONTAINER_OF(waiting, struct rest, waiting)->owner;
}

/* Those without a debt, in the order in which they came, as long as the pass has room. Who comes to wait meanwhile is for the next. */
static void feed_waiting(struct edge *e)
{
    struct mw_link mark = {0}, *at;

    mw_list_push_back(&e->waiting, &mark);
    while (e->spent < PASS_SHARES * share_of(e) && (at = mw_list_pop_front(&e->waiting)) != NULL && at != &mark)
        connection_feed_rest(connection_at(at));
    mw_link_remove(&mark);
}

/* One of those with a debt: whoever comes with little to do waits for one of them, not for all. They pay off their debts together, as much as
 * the smallest is, so that of two the one that does half as much comes twice as often. */
static void feed_indebted(struct edge *e)
{
    struct mw_link *at, *next = NULL;
    uint8_t least = UINT8_MAX;

    for (at = e->indebted.head.next; at != &e->indebted.head; at = at->next) {
        if (next && connection_at(at)->debt >= least)
            continue;
        next = at;
        least = connection_at(at)->debt;
    }
    if (!next)
        return;
    for (at = e->indebted.head.next; at != &e->indebted.head; at = at->next)
        connection_at(at)->debt = (uint8_t)(connection_at(at)->debt - least);
    mw_link_remove(next);
    connection_feed_rest(connection_at(next));
}

size_t share_guests(const struct edge *e)
{
    return e->greeters < PASS_HELLOS ? PASS_HELLOS - e->greeters : 0;
}

/* Those whose hello has come. As no more are let in than are answered in a pass, they are few: in a storm the others wait with the kernel, where
 * they are no handshake under way, of which the oldest would have to go. Those here stay ready, so who is passed over is named again. */
static void greet(struct edge *e)
{
    struct mw_link *at, *next;
    size_t count = 0;

    for (at = e->connections.head.next; e->greeters > 0 && at != &e->connections.head; at = next) {
        struct edge_connection *c = MW_CONTAINER_OF(at, struct edge_connection, link);

        next = at->next;
        if (!c->greets)
            continue;
        if (count++ == PASS_HELLOS) {
            e->stats.put_off++;
            poller_again(e->poller);
            return;
        }
        e->spent += HANDSHAKE_STEPS;
        e->greeters--;
        c->greets = false;
        connection_shake_hands(c);
    }
}

void share_feed(struct edge *e)
{
    e->spent = 0;
    greet(e);
    feed_waiting(e);
    feed_indebted(e);
    if (!mw_list_is_empty(&e->waiting) || !mw_list_is_empty(&e->indebted))
        poller_again(e->poller);
}
