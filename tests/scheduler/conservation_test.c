/* A million hops of items between two threads, while those that carry them are restarted, closed, rewired and put to sleep: each token
 * makes all of its hops, once. Fewer where a sanitizer or an emulator looks on. usage: [HOPS], as for a soak of ten
 * million: on a machine with nothing free a hop may cost a time slice
 * SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "meshes.h"

#if !defined(__x86_64__)
enum { HOPS = 20000 }; /* most likely in an emulator */
#elif defined(MW_CHECKED) || defined(__SANITIZE_THREAD__)
enum { HOPS = 100000 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum { HOPS = 100000 };
#else
enum { HOPS = 1000000 };
#endif
#else
enum { HOPS = 1000000 };
#endif

/* So that some do, however few hops there are. */
enum { SLEEPS_ONE_IN = HOPS < 1000000 ? 256 : 4096 };
enum { SIDES = 2, CARRIERS = 16, TOKENS = 1000 };

struct carrier {
    struct side *side;
    mw_tasklet *self;
    mw_address *others[CARRIERS]; /* of the other side */
    uint32_t chance;
    int64_t handled;
};

struct side {
    pthread_t thread;
    mw_scheduler *s;
    struct carrier carriers[CARRIERS];
    uint8_t arrived[TOKENS];
    int64_t hops, retries, closes, restarts, rescopes, sleeps, dropped;
    atomic_int *left;
};

static uint32_t toss(struct carrier *c)
{
    c->chance = c->chance * UINT32_C(1664525) + UINT32_C(1013904223);
    return c->chance >> 8;
}

/* A token: its number above, the hops that it has yet to make below. Hand it to the other side; where that has no room now, to
 * somebody here, who tries again. */
static void hand_on(struct carrier *c, mw_value item)
{
    struct side *side = c->side;
    int64_t token = item.as.integer >> 32, hops = item.as.integer & 0xffffffff;
    mw_value next = mw_int(token << 32 | (hops - 1));

    if (hops == 0) {
        CHECK(token >= 0 && token < TOKENS);
        side->arrived[token]++;
        atomic_fetch_sub(side->left, 1);
        return;
    }
    if (mw_post_offer(c->others[toss(c) % CARRIERS], &next) == 0) {
        side->hops++;
        return;
    }
    side->retries++;
    (void)sched_yield(); /* the other side may wait for this processor */
    CHECK_INT(mw_send(side->carriers[toss(c) % CARRIERS].self, item), 0);
}

/* What a carrier does to itself and to others, now and then. */
static void meddle(struct carrier *c, mw_tasklet *self)
{
    struct side *side = c->side;
    struct carrier *other = &side->carriers[toss(c) % CARRIERS];

    switch (toss(c) % 512) {
    case 0:
        side->restarts += mw_restart(self, true) == 0;
        break;
    case 1:
        side->rescopes += mw_rescope(self, (mw_scope){.data = c}) == 0;
        break;
    case 2:
        side->closes += mw_close(self) == 0;
        break;
    case 3:
        if (other->self != self)
            side->closes += mw_close(other->self) == 0;
        break;
    default:
        break;
    }
    if (mw_is_closed(other->self))
        side->restarts += mw_restart(other->self, true) == 0;
}

static int carry_by_handler(mw_tasklet *self, void *scope, mw_value item)
{
    struct carrier *c = scope;

    hand_on(c, item);
    meddle(c, self);
    return 0;
}

static int carry_by_coroutine(mw_tasklet *self, void *scope)
{
    struct carrier *c = scope;
    mw_value item;

    while (mw_receive(self, &item)) {
        hand_on(c, item);
        meddle(c, self);
        if (toss(c) % SLEEPS_ONE_IN == 0)
            c->side->sleeps += mw_sleep_until(self, mw_clock(self) + 1000) == 0;
    }
    return 0;
}

static void *serve(void *context)
{
    struct side *side = context;
    int64_t give_up_ns = mw_now_ns() + INT64_C(240000000000); /* on a busy machine: a time slice for a hop */
    int i;

    while (atomic_load(side->left) > 0 && mw_now_ns() < give_up_ns) {
        for (i = 0; i < CARRIERS; i++) /* whoever was closed by the last one that ran */
            if (mw_is_closed(side->carriers[i].self))
                (void)mw_restart(side->carriers[i].self, true);
        (void)mw_scheduler_wait(side->s, mw_now_ns() + 2000000); /* so that the end is seen */
        (void)mw_scheduler_turn(side->s);
    }
    side->dropped = (int64_t)mw_scheduler_stats(side->s).posts_dropped;
    mw_scheduler_free(side->s); /* here, where the stacks of its coroutines are */
    mw_thread_end();
    return NULL;
}

static void open_side(struct side *side, atomic_int *left)
{
    mw_scheduler *previous;
    mw_tasklet_options options = {.size = sizeof(options), .mailbox_items = 4 * TOKENS, .stack_bytes = 16384};
    int i;

    *side = (struct side){.s = mw_taskmaster_new(), .left = left};
    CHECK_INT(mw_scheduler_set_inbox(side->s, 64), 0); /* smaller than what is on its way: it is full at times */
    previous = mw_scheduler_enter(side->s);
    for (i = 0; i < CARRIERS; i++) {
        struct carrier *c = &side->carriers[i];

        c->side = side;
        c->chance = (uint32_t)i * 77 + (uint32_t)(uintptr_t)side;
        options.scope.data = c;
        c->self = mw_tasklet_open(i % 2 ? carry_by_coroutine : NULL, i % 2 ? NULL : carry_by_handler, &options);
        CHECK(c->self != NULL);
    }
    mw_scheduler_leave(previous);
}

static int64_t hops_wanted = HOPS;

static void each_token_makes_all_of_its_hops_once(void)
{
    static struct side sides[SIDES];
    atomic_int left = TOKENS;
    int64_t hops_each = hops_wanted / TOKENS, hops = 0;
    int i, k, token;

    for (i = 0; i < SIDES; i++)
        open_side(&sides[i], &left);
    for (i = 0; i < SIDES; i++)
        for (k = 0; k < CARRIERS; k++)
            for (token = 0; token < CARRIERS; token++)
                sides[i].carriers[k].others[token] = mw_tasklet_address(sides[1 - i].carriers[token].self);
    for (token = 0; token < TOKENS; token++)
        CHECK_INT(mw_send(sides[token % SIDES].carriers[token % CARRIERS].self, mw_int((int64_t)token << 32 | hops_each)), 0);
    for (i = 0; i < SIDES; i++)
        CHECK_INT(pthread_create(&sides[i].thread, NULL, serve, &sides[i]), 0);
    for (i = 0; i < SIDES; i++)
        CHECK_INT(pthread_join(sides[i].thread, NULL), 0);
    CHECK_INT(atomic_load(&left), 0);
    for (token = 0; token < TOKENS; token++)
        CHECK_INT(sides[0].arrived[token] + sides[1].arrived[token], 1);
    for (i = 0; i < SIDES; i++) {
        hops += sides[i].hops;
        CHECK(sides[i].closes > 0 && sides[i].restarts > 0 && sides[i].rescopes > 0 && sides[i].sleeps > 0);
        CHECK(hops_wanted < 1000000 || sides[i].retries > 0);
        CHECK_INT(sides[i].dropped, 0);
        fprintf(stderr, "    side %d: %" PRId64 " hops, %" PRId64 " found no room, %" PRId64 " closes, %" PRId64 " restarts, %" PRId64
                " rescopes, %" PRId64 " sleeps\n", i, sides[i].hops, sides[i].retries, sides[i].closes, sides[i].restarts,
                sides[i].rescopes, sides[i].sleeps);
    }
    CHECK_INT(hops, hops_each * TOKENS);
    for (i = 0; i < SIDES; i++)
        for (k = 0; k < CARRIERS * CARRIERS; k++)
            mw_address_unref(sides[i].carriers[k / CARRIERS].others[k % CARRIERS]);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(each_token_makes_all_of_its_hops_once),
    };

    if (argc == 2 && atoll(argv[1]) > 0) {
        hops_wanted = atoll(argv[1]);
        argc = 1;
    }
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
