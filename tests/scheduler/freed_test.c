/* What is done to a tasklet that has been freed ends a checked build's process, with its name. Of other builds this says nothing.
 * SPDX-License-Identifier: MIT */
#include "../freed.h"
#include "meshes.h"

#ifdef MW_CHECKED

static void use_send(mw_tasklet *t)
{
    (void)mw_send(t, mw_int(1));
}

static void use_next(mw_tasklet *t)
{
    (void)mw_next(t);
}

static void use_receive(mw_tasklet *t)
{
    mw_value item;

    (void)mw_receive(t, &item);
}

static void use_close(mw_tasklet *t)
{
    (void)mw_close(t);
}

static void use_free(mw_tasklet *t)
{
    mw_tasklet_free(t);
}

static void use_name(mw_tasklet *t)
{
    (void)mw_tasklet_name(t);
}

static void use_add(mw_tasklet *t)
{
    (void)mw_scheduler_add(mw_implicit_scheduler(), t);
}

static void use_rescope(mw_tasklet *t)
{
    (void)mw_rescope(t, (mw_scope){0});
}

static void use_offer(mw_tasklet *t)
{
    mw_value item = mw_int(1);

    CHECK(mw_offer(t, &item) != 0); /* a freed one is not even refused */
}

static void use_address(mw_tasklet *t)
{
    CHECK(mw_tasklet_address(t) == NULL);
}

static void use_question(mw_tasklet *t)
{
    CHECK(mw_question_keep(t) == NULL);
}

static void whatever_is_done_to_a_freed_tasklet_ends_the_process_with_its_name(void)
{
    check_use(use_send, "mw_send", 0);
    check_use(use_next, "mw_next", 0);
    check_use(use_receive, "mw_receive", 0);
    check_use(use_close, "mw_close", 0);
    check_use(use_free, "mw_tasklet_free", 0);
    check_use(use_name, "mw_tasklet_name", 0);
    check_use(use_add, "mw_scheduler_add", 0);
    check_use(use_rescope, "mw_rescope", 0);
    check_use(use_offer, "mw_offer", 0);
    check_use(use_address, "mw_tasklet_address", 0);
    check_use(use_question, "mw_question_keep", 0);
}

static void it_is_remembered_while_others_come_and_go(void)
{
    check_use(use_send, "mw_send", 60);
}

#endif

/* What a release sees of it. */
static mw_tasklet *ending;

static void note_name(void *diary)
{
    note(diary, "%s ", mw_tasklet_name(ending));
}

static void while_its_scope_is_released_it_has_not_been_freed_yet(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};

    ending = mw_tasklet_open(NULL, swallow_item,
                             &(mw_tasklet_options){.size = sizeof(mw_tasklet_options), .name = "ending", .scope = {&d, note_name}});
    mw_tasklet_free(ending);
    CHECK_TEXT(read_diary(&d), "ending ");
    close_mesh(&m);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
#ifdef MW_CHECKED
        TEST(whatever_is_done_to_a_freed_tasklet_ends_the_process_with_its_name),
        TEST(it_is_remembered_while_others_come_and_go),
#endif
        TEST(while_its_scope_is_released_it_has_not_been_freed_yet),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
