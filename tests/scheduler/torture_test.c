/* Each verb, from anywhere on a tasklet in any state, with each of its allocations failing in turn: it either does what it does with memory, or says
 * so and leaves all as it was; with memory again it works. Nothing is lost of it afterwards.
 * SPDX-License-Identifier: MIT */
#include "verbs.h"

/* What can be seen of a stage from outside. */
static void look(const struct stage *g, char *ret_text, size_t room)
{
    const mw_tasklet *all[] = {g->target, g->caller, g->third};
    struct mw_scheduler_stats s = mw_scheduler_stats(g->s), other = mw_scheduler_stats(g->other);
    size_t at = 0, i;

    at += (size_t)snprintf(ret_text, room, "%zu %zu %d %d | ", s.tasklets, other.tasklets, g->scopes, mw_graph_stop((mw_scheduler *)g->s));
    for (i = 0; i < MW_COUNT(all); i++) {
        struct mw_tasklet_stats stats = mw_tasklet_stats(all[i]);

        at += (size_t)snprintf(ret_text + at, room - at, "%s %d %zu/%zu %d %d %d %p | ", mw_tasklet_name(all[i]), mw_is_closed(all[i]),
                               stats.queued_items, stats.capacity_items, (int)stats.processed, (int)stats.dropped, (int)stats.failures,
                               mw_tasklet_scope(all[i]));
    }
}

/* Once with memory that fails; where that was said, once more with memory. */
static void call_failing(struct stage *g, mw_tasklet *t)
{
    int result;

    look(g, g->before, sizeof(g->before));
    (void)mw_memory_fail_at(g->fail_at, false);
    result = g->verb->call(g, t);
    g->fail_at = mw_memory_fail_at(0, false); /* how many it made */
    g->results[g->result_count++] = result;
    if (result != -ENOMEM)
        return;
    look(g, g->after, sizeof(g->after));
    if (strcmp(g->after, g->before) != 0) {
        fprintf(stderr, "    %s without memory changed\n    %s\n    to\n    %s\n", g->verb->name, g->before, g->after);
        mw_test_fail();
    }
    g->results[g->result_count++] = g->verb->call(g, t);
}

static void call_plainly(struct stage *g, mw_tasklet *t)
{
    g->results[g->result_count++] = g->verb->call(g, t);
}

/* returns how many allocations there were while the verb was at work; 0: the n-th was not among them */
static int64_t fail_one(const struct verb *verb, enum shape shape, enum cell cell, int64_t n, int want)
{
    struct stage g;
    int64_t made;
    int last;

    stage_open(&g, shape, verb);
    g.act = call_failing;
    g.fail_at = n;
    stage_run(&g, cell);
    CHECK(g.result_count > 0);
    made = g.fail_at;
    last = g.results[g.result_count - 1];
    if (last != want) {
        fprintf(stderr, "    %s, cell %d of %s, allocation %d: %d, want %d\n", verb->name, (int)cell, shape == HANDLER ? "a handler" : "a coroutine",
                (int)n, last, want);
        mw_test_fail();
    }
    stage_close(&g);
    return made >= n ? made : 0;
}

static int answer_of(const struct verb *verb, enum shape shape, enum cell cell)
{
    struct stage g;

    stage_open(&g, shape, verb);
    g.act = call_plainly;
    stage_run(&g, cell);
    stage_close(&g);
    return g.results[0];
}

static void torture(enum shape shape, bool has_priorities)
{
    int64_t before, failed = 0;
    size_t i;
    int cell;

    stage_has_priorities = has_priorities;
    mw_thread_end();
    before = mw_memory_stats().live_blocks;
    for (i = 0; i < MW_COUNT(stage_verbs); i++) {
        for (cell = 0; cell < CELLS; cell++) {
            int want = answer_of(&stage_verbs[i], shape, (enum cell)cell);
            int64_t n = 1;

            mw_thread_end(); /* no stack and no ring is pooled: everybody has to ask for memory */
            while (fail_one(&stage_verbs[i], shape, (enum cell)cell, n, want) > 0) {
                mw_thread_end();
                n++;
                failed++;
            }
        }
    }
    mw_thread_end();
    CHECK_INT(mw_memory_stats().live_blocks, before);
    CHECK(failed > 200); /* it is about something */
}

static void a_verb_on_a_coroutine_without_memory_leaves_all_as_it_was(void)
{
    torture(COROUTINE, false);
}

static void a_verb_on_a_handler_without_memory_leaves_all_as_it_was(void)
{
    torture(HANDLER, false);
}

static void in_a_priority_scheduler_as_well(void)
{
    torture(COROUTINE, true);
    torture(HANDLER, true);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_verb_on_a_coroutine_without_memory_leaves_all_as_it_was),
        TEST(a_verb_on_a_handler_without_memory_leaves_all_as_it_was),
        TEST(in_a_priority_scheduler_as_well),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
