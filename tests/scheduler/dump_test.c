/* Dumps: what they say of each tasklet, as a table and as JSON, of one mesh and of all of the process.
 * SPDX-License-Identifier: MIT */
#include "meshes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static char said[1 << 18];

/* What a function writes to a descriptor; as text in said. */
static const char *written(void (*write_to)(int fd, void *context), void *context)
{
    FILE *file = tmpfile();
    size_t count;

    CHECK(file != NULL);
    write_to(fileno(file), context);
    rewind(file);
    count = fread(said, 1, sizeof(said) - 1, file);
    said[count] = '\0';
    fclose(file);
    return said;
}

static void check_said(const char *part)
{
    if (!strstr(said, part)) {
        fprintf(stderr, "    \"%s\" is not in\n%s\n", part, said);
        mw_test_fail();
    }
}

static void dump_scheduler(int fd, void *context)
{
    CHECK_INT(mw_scheduler_dump(context, fd), 0);
}

static int64_t read_time(void *context)
{
    return *(int64_t *)context;
}

static int sleep_for_ever(mw_tasklet *self, void *scope)
{
    (void)scope;
    return mw_sleep_until(self, MW_FOREVER) == -ECANCELED ? 0 : -1;
}

static void a_dump_says_of_each_what_it_is_and_what_it_waits_for(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    int64_t now_ns = 1000000;
    mw_scheduler *inner = mw_taskmaster_new(), *previous;
    mw_tasklet *narrow = open_writer(&d, true, (mw_tasklet_options){.name = "narrow", .mailbox_items = 1}), *sender;
    struct link l = {&d, "x", narrow};

    CHECK_INT(mw_scheduler_set_clock(m.s, read_time, &now_ns), 0);
    sender = mw_tasklet_new_at(link_body, &l, "sender", "/some/where/file.c", 17);
    (void)!mw_tasklet_new_at(sleep_for_ever, NULL, "sleeper", __FILE__, __LINE__);
    CHECK(mw_scheduler_tasklet(inner) != NULL);
    previous = mw_scheduler_enter(inner);
    (void)!mw_handler_new_at(write_item, &d, "in\nside", __FILE__, __LINE__);
    mw_scheduler_leave(previous);
    CHECK_INT(mw_scheduler_run(m.s), 0);
    CHECK_INT(mw_close(narrow), 0);
    CHECK_INT(mw_restart(narrow, false), 0);
    send_ints(narrow, 1, 1);
    CHECK_INT(mw_send(sender, mw_int(2)), 0);
    CHECK_INT(mw_next(sender), 1); /* it finds no room */
    now_ns += 25000000;
    CHECK_INT(mw_scheduler_pause(inner), 0);
    CHECK_INT(mw_scheduler_pause(m.s), 0);
    CHECK_INT(mw_scheduler_step(m.s), 0); /* reads the clock; narrow runs */
    (void)written(dump_scheduler, m.s);
    check_said("taskmaster, 4 tasklets, ");
    check_said(", paused");
    check_said("  sender                  coroutine  0/1024        -        ");
    check_said("file.c:17");
    check_said("  narrow                  handler    ");
    check_said("sleeper");
    check_said("waits for a time for 25 ms");
    check_said("scheduler");
    check_said("in?side"); /* a name cannot make lines */
    CHECK_INT(mw_scheduler_dump(NULL, 1), -EINVAL);
    mw_scheduler_free(inner);
    close_mesh(&m);
}

static void dump_all(int fd, void *context)
{
    (void)context;
    mw_dump(fd);
}

static int dump_inside(struct diary *d, mw_tasklet *self, mw_value item)
{
    (void)d, (void)self, (void)item;
    (void)written(dump_all, NULL);
    return 0;
}

static void from_inside_a_body_the_running_mesh_is_dumped(void)
{
    struct mesh m = open_mesh();
    struct diary d = {.inside = dump_inside};
    mw_tasklet *t = open_writer(&d, false, (mw_tasklet_options){.name = "nosy"});

    send_ints(t, 1, 1);
    CHECK_INT(mw_scheduler_run(m.s), 1);
    check_said("running");
    check_said("nosy");
    close_mesh(&m);
    mw_thread_end();
    (void)written(dump_all, NULL);
    check_said("no mesh runs on this thread");
}

/* ---- ages --------------------------------------------------------------------------------------------- */
#define MS INT64_C(1000000)

/* Sleeps first: its queue grows meanwhile. */
static int sleep_then_drain(mw_tasklet *self, void *scope)
{
    mw_value item;

    (void)mw_sleep_until(self, *(int64_t *)scope);
    while (mw_receive(self, &item))
        mw_release(item);
    return 0;
}

static void dump_json(int fd, void *context)
{
    CHECK_INT(mw_scheduler_dump_json(context, fd), 0);
}

static void an_item_that_waits_ages_from_turn_to_turn(void)
{
    struct mesh m = open_mesh();
    int64_t now_ns = 1000 * MS, wake_ns = 2000 * MS;
    mw_tasklet *t = mw_tasklet_new_at(sleep_then_drain, &wake_ns, "late", __FILE__, __LINE__);

    CHECK_INT(mw_scheduler_set_clock(m.s, read_time, &now_ns), 0);
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_INT(mw_send(t, mw_int(1)), 0);
    (void)written(dump_scheduler, m.s);
    check_said("coroutine  1/1024        -        "); /* no turn has seen it */
    now_ns += 5 * MS;
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    now_ns += 30 * MS;
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_INT(mw_send(t, mw_int(2)), 0);
    (void)written(dump_scheduler, m.s);
    check_said("coroutine  2/1024        30 ms    ");
    (void)written(dump_json, m.s);
    check_said("\"queue\":{\"items\":2,\"capacity\":1024,\"bytes\":0,\"capacity_bytes\":1048576,\"oldest_ns\":30000000}");
    CHECK_INT(mw_clear(t), 2);
    CHECK_INT(mw_send(t, mw_int(3)), 0);
    (void)written(dump_scheduler, m.s);
    check_said("coroutine  1/1024        -        "); /* another one */
    now_ns = wake_ns;
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    (void)written(dump_scheduler, m.s);
    check_said("coroutine  0/1024        -        ");
    close_mesh(&m);
}

static void where_the_oldest_are_dropped_the_age_is_that_of_those_who_are_left(void)
{
    struct mesh m = open_mesh();
    int64_t now_ns = 1000 * MS, wake_ns = 2000 * MS;
    mw_tasklet *t = mw_tasklet_open(sleep_then_drain, NULL,
                                    &(mw_tasklet_options){.size = sizeof(mw_tasklet_options),
                                                          .scope = {.data = &wake_ns},
                                                          .mailbox_items = 2,
                                                          .overflow = MW_DROP_OLDEST});

    CHECK_INT(mw_scheduler_set_clock(m.s, read_time, &now_ns), 0);
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    now_ns += 5 * MS;
    send_ints(t, 1, 2);
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    now_ns += 7 * MS;
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    send_ints(t, 3, 3); /* 1 is dropped; 2 is as old */
    (void)written(dump_scheduler, m.s);
    check_said("2/2           7 ms ");
    send_ints(t, 4, 4);
    (void)written(dump_scheduler, m.s);
    check_said("2/2           - ");
    close_mesh(&m);
}

static void whoever_is_made_where_another_was_has_an_age_of_its_own(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    int64_t now_ns = 1000 * MS;
    mw_tasklet *t;
    int i;

    CHECK_INT(mw_scheduler_set_clock(m.s, read_time, &now_ns), 0);
    for (i = 0; i < 2; i++) {
        t = open_writer(&d, true, (mw_tasklet_options){.name = "t"});
        CHECK_INT(mw_close(t), 0);
        send_ints(t, 1, 1);
        (void)written(dump_scheduler, m.s);
        check_said("1/1024        - ");
        CHECK_INT(mw_scheduler_turn(m.s), 0);
        now_ns += 9 * MS;
        (void)written(dump_scheduler, m.s);
        check_said("1/1024        0 ms "); /* its clock stands between turns */
        mw_tasklet_free(t);
    }
    close_mesh(&m);
}

static void in_a_mesh_of_thousands_the_oldest_keep_their_notes(void)
{
    enum { MANY = 5000 };
    struct mesh m = open_mesh();
    int64_t now_ns = 1000 * MS;
    mw_tasklet *first = NULL;
    int i;

    CHECK_INT(mw_scheduler_set_clock(m.s, read_time, &now_ns), 0);
    for (i = 0; i < MANY; i++) {
        mw_tasklet *t = mw_handler_new_at(send_to_itself, NULL, "one", __FILE__, __LINE__);

        first = first ? first : t;
        CHECK_INT(mw_close(t), 0);
        CHECK_INT(mw_send(t, mw_int(i)), 0);
    }
    for (i = 0; i < 100; i++) {
        CHECK_INT(mw_scheduler_turn(m.s), 0);
        now_ns += MS;
    }
    (void)written(dump_scheduler, m.s);
    check_said("1/1024        99 ms ");
    check_said("and 4000 more");
    mw_tasklet_free(first);
    (void)written(dump_scheduler, m.s);
    check_said("4999 tasklets");
    close_mesh(&m);
}

/* ---- JSON --------------------------------------------------------------------------------------------- */
static void the_same_comes_as_json(void)
{
    struct mesh m = open_mesh();
    struct diary d = {0};
    int64_t now_ns = 1000 * MS;
    mw_scheduler *inner = mw_priority_scheduler_new(false), *previous;
    mw_tasklet *narrow = open_writer(&d, true, (mw_tasklet_options){.name = "a \"b\"\\\n\xff", .mailbox_items = 1}), *sender;
    struct link l = {&d, "x", narrow};
    char want[200];

    CHECK_INT(mw_scheduler_set_clock(m.s, read_time, &now_ns), 0);
    sender = mw_handler_new_at(link_handler, &l, "sender", "file.c", 17);
    CHECK(mw_scheduler_tasklet(inner) != NULL);
    previous = mw_scheduler_enter(inner);
    (void)!mw_handler_new_at(write_item, &d, "inside", __FILE__, __LINE__);
    mw_scheduler_leave(previous);
    CHECK_INT(mw_scheduler_turn(m.s), 0);
    CHECK_INT(mw_close(narrow), 0);
    CHECK_INT(mw_restart(narrow, false), 0);
    CHECK_INT(mw_scheduler_pause(m.s), 0);
    send_ints(sender, 1, 2);
    CHECK_INT(mw_next(sender), 1);
    CHECK_INT(mw_next(sender), 1); /* above the capacity: it is stalled */
    now_ns += 4 * MS;
    CHECK_INT(mw_finish(narrow), 0);
    (void)written(dump_json, m.s);
    check_said("{\"scheduler\":\"taskmaster\",\"id\":\"0x");
    check_said("\"paused\":true,\"due_later\":0,\"members\":[\n{\"id\":\"0x");
    check_said("\"name\":\"a \\\"b\\\"\\\\\\u000a?\",\"kind\":\"handler\"");
    check_said("\"finishing\":true");
    snprintf(want, sizeof(want), "\"state\":\"stalled\",\"waits\":{\"for\":\"room in\",\"id\":\"%p\",", (void *)narrow);
    check_said(want);
    check_said("\"file\":\"file.c\",\"line\":17}");
    check_said("\"mesh\":{\"scheduler\":\"priority\"");
    check_said("\"name\":\"inside\"");
    CHECK_INT(mw_scheduler_dump_json(NULL, 1), -EINVAL);
    (void)written(dump_scheduler, m.s);
    check_said("stalled: waits for room in 'a \"b\"");
    mw_scheduler_free(inner);
    close_mesh(&m);
}

static void dump_here_json(int fd, void *context)
{
    (void)context;
    mw_dump_json(fd);
}

static void of_a_thread_without_a_mesh_the_json_is_an_empty_list(void)
{
    mw_thread_end();
    CHECK_TEXT(written(dump_here_json, NULL), "[]\n");
}

/* ---- all meshes --------------------------------------------------------------------------------------- */
struct other_thread {
    pthread_t thread;
    mw_scheduler *s;
    atomic_int must_end, is_there;
    bool can_be_woken;
    const char *name;
};

static int stay(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self, (void)scope, (void)item;
    return 0;
}

static void *run_mesh(void *context)
{
    struct other_thread *o = context;
    mw_scheduler *previous;
    mw_tasklet *t;

    o->s = mw_taskmaster_new();
    previous = mw_scheduler_enter(o->s);
    t = mw_handler_new_at(stay, NULL, o->name, __FILE__, __LINE__);
    mw_scheduler_leave(previous);
    (void)t;
    (void)mw_scheduler_run(o->s);
    atomic_store(&o->is_there, 1);
    while (!atomic_load(&o->must_end)) { /* it looks up now and then whether to end */
        if (o->can_be_woken)
            (void)mw_scheduler_wait(o->s, mw_now_ns() + 20 * MS);
        else
            (void)usleep(1000);
    }
    mw_scheduler_free(o->s);
    return NULL;
}

static void start_other(struct other_thread *o)
{
    CHECK_INT(pthread_create(&o->thread, NULL, run_mesh, o), 0);
    while (!atomic_load(&o->is_there))
        (void)usleep(100);
}

static void end_other(struct other_thread *o)
{
    atomic_store(&o->must_end, 1);
    CHECK_INT(pthread_join(o->thread, NULL), 0);
}

static int silent;

static void dump_everything(int fd, void *context)
{
    silent = mw_dump_all(fd, *(int64_t *)context);
}

static void dump_everything_json(int fd, void *context)
{
    silent = mw_dump_all_json(fd, *(int64_t *)context);
}

static void a_dump_of_all_has_the_meshes_of_other_threads_which_write_it_themselves(void)
{
    struct mesh m = open_mesh();
    struct other_thread other = {.can_be_woken = true, .name = "far"};
    int64_t long_ns = 20000 * MS;

    (void)!mw_handler_new_at(stay, NULL, "near", __FILE__, __LINE__);
    start_other(&other);
    (void)written(dump_everything, &long_ns);
    CHECK_INT(silent, 0);
    check_said("  near ");
    check_said("  far ");
    (void)written(dump_everything_json, &long_ns);
    CHECK_INT(silent, 0);
    CHECK_INT(said[0], '[');
    check_said("\"name\":\"far\"");
    check_said("}]}]\n");
    end_other(&other);
    close_mesh(&m);
}

static void whoever_does_not_answer_in_time_is_named(void)
{
    struct other_thread other = {.name = "deaf"};
    int64_t short_ns = 3 * MS;
    char want[100];

    start_other(&other);
    (void)written(dump_everything, &short_ns);
    CHECK_INT(silent, 1);
    snprintf(want, sizeof(want), "mesh %p does not answer", (void *)other.s);
    check_said(want);
    (void)written(dump_everything_json, &short_ns);
    snprintf(want, sizeof(want), "{\"id\":\"%p\",\"silent\":true}]\n", (void *)other.s);
    check_said(want);
    CHECK_INT(mw_dump_all(1, -1), -EINVAL);
    end_other(&other);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_dump_says_of_each_what_it_is_and_what_it_waits_for),
        TEST(from_inside_a_body_the_running_mesh_is_dumped),
        TEST(an_item_that_waits_ages_from_turn_to_turn),
        TEST(where_the_oldest_are_dropped_the_age_is_that_of_those_who_are_left),
        TEST(whoever_is_made_where_another_was_has_an_age_of_its_own),
        TEST(in_a_mesh_of_thousands_the_oldest_keep_their_notes),
        TEST(the_same_comes_as_json),
        TEST(of_a_thread_without_a_mesh_the_json_is_an_empty_list),
        TEST(a_dump_of_all_has_the_meshes_of_other_threads_which_write_it_themselves),
        TEST(whoever_does_not_answer_in_time_is_named),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
