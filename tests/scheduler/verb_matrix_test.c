/* Each verb from outside, from another tasklet and from inside its own body, on a tasklet in each state, after a close, and twice: none crashes, and
 * each answers what the table says. With MATRIX_PRINT in the environment the table is printed as it is now.
 * SPDX-License-Identifier: MIT */
#include "verbs.h"

#include <stdlib.h>

static void call_twice(struct stage *g, mw_tasklet *t)
{
    do
        g->results[g->result_count++] = g->verb->call(g, t);
    while (g->result_count < 2 && !g->verb->is_last && g->target);
}

/* What verbs answer, in words as short as the table needs. */
static const char *word_of(int result)
{
    static const struct {
        int code;
        const char *word;
    } words[] = {
        {-EAGAIN, "again"}, {-EBUSY, "busy"}, {-EPIPE, "pipe"}, {-EINVAL, "inval"}, {-ENOTSUP, "notsup"}, {-ECANCELED, "canceled"},
        {-ENOENT, "noent"}, {-ENODATA, "nodata"}, {-ETIMEDOUT, "timedout"}, {-EDEADLK, "deadlk"}, {-ENOMEM, "nomem"},
        {0, "0"}, {1, "1"}, {2, "2"},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(words); i++)
        if (words[i].code == result)
            return words[i].word;
    return "?";
}

static const char *row_of(const struct verb *verb, enum shape shape)
{
    static char row[400];
    size_t at = 0;
    int cell;

    for (cell = 0; cell < CELLS; cell++) {
        struct stage g;

        stage_open(&g, shape, verb);
        g.act = call_twice;
        stage_run(&g, (enum cell)cell);
        CHECK(g.result_count > 0);
        at += (size_t)snprintf(row + at, sizeof(row) - at, "%s%s", cell == 0 ? "" : cell == OTHER_FRESH || cell == SELF_RUNNING ? " | " : " ",
                               word_of(g.results[0]));
        if (g.result_count > 1 && g.results[1] != g.results[0])
            at += (size_t)snprintf(row + at, sizeof(row) - at, "/%s", word_of(g.results[1]));
        stage_close(&g);
    }
    return row;
}

/* Columns: from outside on one that is fresh, idle, full (two items), closed | from another tasklet, the same | from its own body in its loop, in its
 * close path. "a/b": the second call answers b; else both the same. */
static const struct {
    const char *verb, *coroutine, *handler;
} want[] = {
    {"send",
     "0 0 again 0 | 0 0 0 0 | 0 0",
     "0 0 again 0 | 0 0 0 0 | 0 0"},
    {"offer",
     "0 0 again 0 | 0 0 again 0 | 0 0",
     "0 0 again 0 | 0 0 again 0 | 0 0"},
    {"pass",
     "0 0 0 pipe | 0 0 0 pipe | busy busy",
     "0 0 0 pipe | 0 0 0 pipe | busy busy"},
    {"start",
     "0 0 0 pipe | 0 0 0 pipe | 0 0",
     "0 0 0 pipe | 0 0 0 pipe | 0 0"},
    {"next",
     "0 0 1 0 | 0 0 1 0 | busy busy",
     "0 0 1 0 | 0 0 1 0 | busy busy"},
    {"next_item",
     "0 0 1 0 | 0 0 1 0 | busy busy",
     "0 0 1 0 | 0 0 1 0 | busy busy"},
    {"last",
     "0 0 1 0 | 0 0 1 0 | busy busy",
     "0 0 1 0 | 0 0 1 0 | busy busy"},
    {"flush",
     "0 0 2/0 0 | 0 0 2/0 0 | busy busy",
     "0 0 2/0 0 | 0 0 2/0 0 | busy busy"},
    {"clear",
     "0 0 2/0 0 | 0 0 2/0 0 | 0 0",
     "0 0 2/0 0 | 0 0 2/0 0 | 0 0"},
    {"take",
     "0 0 1 0 | 0 0 1 0 | 0 0",
     "0 0 1 0 | 0 0 1 0 | 0 0"},
    {"set",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"set_handler",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"set null",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"rescope",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"restart",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"restart, kept",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"close",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"finish",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"sleep",
     "inval inval inval inval | inval inval inval inval | 0 canceled",
     "inval inval inval inval | inval inval inval inval | notsup notsup"},
    {"send_at, unsend",
     "1 1 1 1 | 1 1 1 1 | 1 1",
     "1 1 1 1 | 1 1 1 1 | 1 1"},
    {"send_at",
     "1 1 1 1 | 1 1 1 1 | 1 1",
     "1 1 1 1 | 1 1 1 1 | 1 1"},
    {"ask",
     "inval inval inval inval | nodata nodata nodata pipe | deadlk canceled",
     "inval inval inval inval | nodata nodata nodata pipe | notsup notsup"},
    {"ask_to",
     "1 1 1 pipe | 1 1 1 pipe | 1 1",
     "1 1 1 pipe | 1 1 1 pipe | 1 1"},
    {"answer",
     "noent noent noent noent | noent noent noent noent | noent noent",
     "noent noent noent noent | noent noent noent noent | noent noent"},
    {"question_keep",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"supervise",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"monitor",
     "1 1 1 1 | 1 1 1 1 | 1 1",
     "1 1 1 1 | 1 1 1 1 | 1 1"},
    {"address, post",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"set_name",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"set_priority",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"add",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"pause, resume",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"turn",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"step",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"new",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"nest",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"graph",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"new scheduler",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"set_order",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"dump",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"trace",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
    {"free",
     "0 0 0 0 | 0 0 0 0 | 0 0",
     "0 0 0 0 | 0 0 0 0 | 0 0"},
};

static void check_rows(enum shape shape)
{
    size_t i;

    CHECK_INT(MW_COUNT(want), MW_COUNT(stage_verbs));
    for (i = 0; i < MW_COUNT(stage_verbs); i++) {
        CHECK_TEXT(want[i].verb, stage_verbs[i].name);
        CHECK_TEXT(row_of(&stage_verbs[i], shape), shape == HANDLER ? want[i].handler : want[i].coroutine);
    }
}

static void every_verb_on_a_coroutine_answers_as_the_table_says(void)
{
    check_rows(COROUTINE);
}

static void every_verb_on_a_handler_answers_as_the_table_says(void)
{
    check_rows(HANDLER);
}

/* No answer depends on the kind of scheduler. */
static void in_a_priority_scheduler_they_answer_the_same(void)
{
    stage_has_priorities = true;
    check_rows(COROUTINE);
    check_rows(HANDLER);
    stage_has_priorities = false;
}

static void nothing_is_left_of_any_call(void)
{
    int64_t before;
    size_t i;
    int shape;

    mw_thread_end();
    before = mw_memory_stats().live_blocks;
    for (i = 0; i < MW_COUNT(stage_verbs); i++)
        for (shape = 0; shape < SHAPES; shape++)
            (void)row_of(&stage_verbs[i], (enum shape)shape);
    mw_thread_end();
    CHECK_INT(mw_memory_stats().live_blocks, before);
}

static void print_all(void)
{
    size_t i;

    for (i = 0; i < MW_COUNT(stage_verbs); i++) {
        printf("    {\"%s\",\n     \"%s\",\n", stage_verbs[i].name, row_of(&stage_verbs[i], COROUTINE));
        printf("     \"%s\"},\n", row_of(&stage_verbs[i], HANDLER));
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(every_verb_on_a_coroutine_answers_as_the_table_says),
        TEST(every_verb_on_a_handler_answers_as_the_table_says),
        TEST(in_a_priority_scheduler_they_answer_the_same),
        TEST(nothing_is_left_of_any_call),
    };

    if (getenv("MATRIX_PRINT"))
        return print_all(), 0;
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
