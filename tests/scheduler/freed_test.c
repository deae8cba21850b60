/* What is done to a tasklet that has been freed ends a checked build's process, with its name. Of other builds this says nothing.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int swallow_item(mw_tasklet *self, void *scope, mw_value takes_item)
{
    (void)self;
    (void)scope;
    mw_release(takes_item);
    return 0;
}

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

/* In a child: use a tasklet whose life is over, of which others have been freed since. */
static _Noreturn void use_freed(void (*use)(mw_tasklet *t), int others)
{
    mw_scheduler *s = mw_taskmaster_new();
    mw_tasklet *t;
    int i;

    (void)mw_scheduler_enter(s);
    for (i = 0; i < 100; i++) /* so that it lies in a slab, where there are any */
        (void)mw_handler_new(swallow_item, NULL);
    t = mw_handler_new_at(swallow_item, NULL, "gone", "freed.c", 9);
    mw_tasklet_free(t);
    for (i = 0; i < others; i++)
        mw_tasklet_free(mw_handler_new(swallow_item, NULL));
    use(t);
    _exit(0);
}

static void check_use(void (*use)(mw_tasklet *t), const char *function, int others)
{
    char said[1000] = "", want[100];
    int ends[2], status = 0;
    ssize_t n;
    pid_t child;

    CHECK_INT(pipe(ends), 0);
    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        use_freed(use, others);
    }
    close(ends[1]);
    n = read(ends[0], said, sizeof(said) - 1);
    close(ends[0]);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(n > 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    said[strcspn(said, "\n")] = '\0';
    (void)snprintf(want, sizeof(want), "meshwork: %s of tasklet 'gone', made at freed.c:9, which has been freed", function);
    CHECK_TEXT(said, want);
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
