/* A program that explains itself: deadlocks by name, faults in children of this test.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

static char said[65536];

static void check_said(const char *part)
{
    if (!strstr(said, part)) {
        fprintf(stderr, "    \"%s\" is not in\n%s\n", part, said);
        mw_test_fail();
    }
}

static int sleep_for_ever(mw_tasklet *self, void *scope)
{
    (void)scope;
    return mw_sleep_until(self, MW_FOREVER) == -ECANCELED ? 0 : -1;
}

/* ---- deadlocks -------------------------------------------------------------------------------------------- */
struct partner {
    mw_tasklet *other;
    int result;
};

static int ask_other(mw_tasklet *self, void *scope)
{
    struct partner *p = scope;
    mw_value item, answer;

    while (mw_receive(self, &item))
        p->result = mw_ask(p->other, mw_int(1), MW_FOREVER, &answer);
    return 0;
}

static void note_failure(void *context, mw_tasklet *t, int code)
{
    note(context, "%s %d ", mw_tasklet_name(t), code);
}

static void asks_in_a_ring_are_reported_by_name(void)
{
    struct mesh m = open_mesh();
    struct diary failures = {0};
    struct partner one = {0}, two = {0}, three = {0};
    mw_tasklet *a = mw_tasklet_new_at(ask_other, &one, "a", __FILE__, __LINE__);
    mw_tasklet *b = mw_tasklet_new_at(ask_other, &two, "b", __FILE__, __LINE__);
    mw_tasklet *c = mw_tasklet_new_at(ask_other, &three, "c", __FILE__, __LINE__);
    struct mw_error error = {0};

    one.other = b;
    two.other = c;
    three.other = a;
    mw_scheduler_on_failure(m.s, note_failure, &failures);
    send_ints(a, 1, 1);
    send_ints(b, 1, 1);
    send_ints(c, 1, 1);
    CHECK_INT(mw_scheduler_run(m.s), -EDEADLK);
    CHECK_TEXT(mw_scheduler_last_error(m.s)->text,
               "deadlock: 'a' waits for an answer of 'b', 'b' waits for an answer of 'c', 'c' waits for an answer of 'a'");
    CHECK_TEXT(read_diary(&failures), "a -35 ");
    CHECK_INT(mw_scheduler_run(m.s), -EDEADLK); /* still; told once */
    CHECK_TEXT(read_diary(&failures), "");
    CHECK(mw_scheduler_find_deadlock(m.s, &error) == a);
    CHECK_INT(error.code, -EDEADLK);
    CHECK_INT(mw_close(b), 0); /* opens the ring */
    CHECK(mw_scheduler_run(m.s) >= 0);
    CHECK_INT(one.result, -EPIPE);
    CHECK(mw_scheduler_find_deadlock(m.s, NULL) == NULL);
    CHECK(mw_scheduler_find_deadlock(NULL, NULL) == NULL);
    close_mesh(&m);
}

static int send_three(mw_tasklet *self, void *scope)
{
    struct partner *p = scope;
    mw_value item;
    int i;

    while (mw_receive(self, &item))
        for (i = 0; i < 3; i++)
            p->result = mw_send(p->other, item);
    return 0;
}

static void two_that_wait_for_room_in_each_other_are_reported(void)
{
    struct mesh m = open_mesh();
    struct partner one = {0}, two = {0};
    mw_tasklet_options o = {.size = sizeof(o), .mailbox_items = 1, .name = "left", .scope = {.data = &one}};
    mw_tasklet *left = mw_tasklet_open(send_three, NULL, &o), *right;

    o.name = "right";
    o.scope.data = &two;
    right = mw_tasklet_open(send_three, NULL, &o);
    one.other = right;
    two.other = left;
    send_ints(left, 1, 1);
    send_ints(right, 1, 1);
    CHECK_INT(mw_scheduler_run(m.s), -EDEADLK);
    CHECK(strstr(mw_scheduler_last_error(m.s)->text, "'left' waits for room in 'right'") != NULL);
    close_mesh(&m);
}

static void those_who_merely_wait_are_quiet(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    struct partner one = {0};
    mw_tasklet *a = mw_tasklet_new(ask_other, &one);

    one.other = open_writer(&d, false, (mw_tasklet_options){0});
    CHECK_INT(mw_scheduler_run(m.s), 0);
    send_ints(a, 1, 1);
    CHECK(mw_scheduler_run(m.s) > 0); /* the writer has gone on: -ENODATA */
    CHECK_INT(one.result, -ENODATA);
    (void)!mw_tasklet_new(sleep_for_ever, NULL);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    close_mesh(&m);
}

/* ---- faults ------------------------------------------------------------------------------------------------- */
/* Run in a child; what it says on stderr in said. returns the signal that ended it; negative: none did */
static int in_child(void (*body)(void))
{
    FILE *file = tmpfile();
    size_t count;
    int status = 0;
    pid_t child;

    CHECK(file != NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)dup2(fileno(file), STDERR_FILENO);
        body();
        _exit(0);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    rewind(file);
    count = fread(said, 1, sizeof(said) - 1, file);
    said[count] = '\0';
    fclose(file);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static int64_t descend(volatile char *above, int64_t depth)
{
    volatile char room[512];

    room[0] = above ? above[0] : 1;
    room[511] = room[0];
    return depth > 1000000 ? room[511] : descend(room, depth + 1) + room[0];
}

static int overflow(mw_tasklet *self, void *scope)
{
    mw_value item;

    (void)scope;
    while (mw_receive(self, &item))
        if (descend(NULL, 0) == 42)
            return 1;
    return 0;
}

static size_t stack_bytes;

static void overflow_in_a_mesh(void)
{
    mw_tasklet_options o = {.size = sizeof(o), .name = "parser", .stack_bytes = stack_bytes, .file = "parser.c", .line = 12};
    struct mesh m = open_mesh();
    struct diary d = {0};
    mw_tasklet *t;

    (void)!mw_handler_new_at(write_item, &d, "bystander", __FILE__, __LINE__);
    t = mw_tasklet_open(overflow, NULL, &o);
    if (!t || mw_catch_faults() < 0)
        _exit(3);
    (void)mw_send(t, mw_int(1));
    (void)mw_scheduler_run(m.s);
}

static int touch_nowhere(mw_tasklet *self, void *scope, mw_value item)
{
    volatile uintptr_t nowhere = (uintptr_t)item.as.integer; /* so that no compiler knows it */

    (void)self, (void)scope;
    *(volatile int *)nowhere = 1;
    return 0;
}

static void fault_in_a_handler(void)
{
    struct mesh m = open_mesh();
    mw_tasklet *t = mw_handler_new_at(touch_nowhere, NULL, "clumsy", "clumsy.c", 3);

    if (mw_catch_faults() < 0)
        _exit(3);
    (void)mw_send(t, mw_int(0x1234));
    (void)mw_scheduler_run(m.s);
}

static void abort_outside(void)
{
    if (mw_catch_faults() < 0)
        _exit(3);
    abort();
}

static void ignore(int number)
{
    (void)number;
    _exit(7);
}

static void fault_of_somebody_elses(void)
{
    (void)signal(SIGSEGV, ignore);
    if (mw_catch_faults() < 0)
        _exit(3);
    (void)touch_nowhere(NULL, NULL, mw_int(0x10));
}

static bool can_catch(void)
{
    int code = in_child(abort_outside);

    return code != -3; /* sanitizers and valgrind have their own ways */
}

static void an_overflow_names_the_tasklet_and_its_stack(void)
{
    if (!can_catch())
        return;
    stack_bytes = 0;
    CHECK_INT(in_child(overflow_in_a_mesh), SIGSEGV);
    check_said("meshwork: tasklet 'parser' overflowed its 64 KiB stack (made at parser.c:12); give it more by .stack_bytes\n");
    check_said("bystander"); /* and the rest of the mesh */
    stack_bytes = 4096;
    CHECK_INT(in_child(overflow_in_a_mesh), SIGSEGV);
    check_said("tasklet 'parser' overflowed its 4 KiB stack");
}

static void a_fault_names_the_signal_the_address_and_the_tasklet(void)
{
    if (!can_catch())
        return;
    CHECK_INT(in_child(fault_in_a_handler), SIGSEGV);
    check_said("meshwork: SIGSEGV at address 0x1234 in tasklet 'clumsy' (made at clumsy.c:3)\n");
    check_said("clumsy                  handler");
    CHECK_INT(in_child(abort_outside), SIGABRT);
    check_said("meshwork: SIGABRT outside any tasklet\n");
}

static void a_handler_that_is_there_stays(void)
{
    if (!can_catch())
        return;
    CHECK_INT(in_child(fault_of_somebody_elses), -7);
    CHECK_TEXT(said, "");
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(asks_in_a_ring_are_reported_by_name),
        TEST(two_that_wait_for_room_in_each_other_are_reported),
        TEST(those_who_merely_wait_are_quiet),
        TEST(an_overflow_names_the_tasklet_and_its_stack),
        TEST(a_fault_names_the_signal_the_address_and_the_tasklet),
        TEST(a_handler_that_is_there_stays),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
