/* The loop: readiness, timers, wakes, turns. Real descriptors, no waiting but for them.
 * SPDX-License-Identifier: MIT */
#include "runtime/poller.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "check.h"
#include "runtime/linger.h"

struct counts {
    struct poller *poller;
    struct poller_watch *watch;
    struct poller_timer *timer;
    int ready, events, due, woken, turns, again;
    int64_t due_at_ns;
};

static void on_ready(void *context, int events)
{
    struct counts *c = context;

    c->ready++;
    c->events |= events;
}
static void on_due(void *context)
{
    struct counts *c = context;

    c->due++;
    c->due_at_ns = mw_now_ns();
}
static void on_woken(void *context)
{
    ((struct counts *)context)->woken++;
}
static void on_turn(void *context)
{
    struct counts *c = context;

    c->turns++;
    if (c->again-- > 0)
        poller_again(c->poller);
}

static void what_is_ready_is_said_and_no_more_than_was_asked_for(void)
{
    struct counts c = {0};
    int pair[2];

    CHECK_INT(poller_open(&c.poller), 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(poller_watch(c.poller, pair[0], POLLER_READ, on_ready, &c, &c.watch), 0);
    poller_run_once(c.poller, false);
    CHECK_INT(c.ready, 0);
    CHECK_INT(write(pair[1], "x", 1), 1);
    poller_run_once(c.poller, true);
    CHECK_INT(c.ready, 1);
    CHECK_INT(c.events, POLLER_READ);
    poller_run_once(c.poller, false); /* level-triggered: it is still there */
    CHECK_INT(c.ready, 2);
    poller_want(c.watch, POLLER_READ | POLLER_WRITE);
    poller_run_once(c.poller, false);
    CHECK_INT(c.events, POLLER_READ | POLLER_WRITE);
    poller_want(c.watch, 0);
    poller_run_once(c.poller, false);
    CHECK_INT(c.ready, 3);
    poller_unwatch(c.watch);
    close(pair[0]);
    close(pair[1]);
    poller_close(c.poller);
}

static void what_cannot_be_waited_for_is_refused(void)
{
    struct counts c = {0};
    int pair[2];
    FILE *plain = tmpfile();

    CHECK_INT(poller_open(&c.poller), 0);
    CHECK(plain != NULL);
    CHECK_INT(poller_watch(c.poller, fileno(plain), POLLER_READ, on_ready, &c, &c.watch), -EPERM);
    CHECK_INT(poller_watch(c.poller, 9999, POLLER_READ, on_ready, &c, &c.watch), -EBADF);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(poller_watch(c.poller, pair[0], POLLER_READ, on_ready, &c, &c.watch), 0);
    CHECK_INT(poller_watch(c.poller, pair[0], POLLER_READ, on_ready, &c, &c.watch), -EEXIST);
    fclose(plain);
    poller_close(c.poller);
    close(pair[0]);
    close(pair[1]);
}

static void unwatch_in_its_own_callback(void *context, int events)
{
    struct counts *c = context;

    (void)events;
    c->ready++;
    poller_unwatch(c->watch);
}

static void no_callback_comes_after_unwatch(void)
{
    struct counts c = {0};
    int pair[2];

    CHECK_INT(poller_open(&c.poller), 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(poller_watch(c.poller, pair[0], POLLER_WRITE, unwatch_in_its_own_callback, &c, &c.watch), 0);
    poller_run_once(c.poller, true);
    poller_run_once(c.poller, false);
    CHECK_INT(c.ready, 1);
    close(pair[0]);
    close(pair[1]);
    poller_close(c.poller);
}

static struct poller_watch *two[2];

static void unwatch_the_other(void *context, int events)
{
    struct counts *c = context;

    (void)events;
    c->ready++;
    poller_unwatch(two[0]);
    poller_unwatch(two[1]);
}

static void no_callback_comes_to_one_that_another_has_unwatched_in_the_same_pass(void)
{
    struct counts c = {0};
    int pair[2];

    CHECK_INT(poller_open(&c.poller), 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(poller_watch(c.poller, pair[0], POLLER_WRITE, unwatch_the_other, &c, &two[0]), 0);
    CHECK_INT(poller_watch(c.poller, pair[1], POLLER_WRITE, unwatch_the_other, &c, &two[1]), 0);
    poller_run_once(c.poller, true);
    poller_run_once(c.poller, false);
    CHECK_INT(c.ready, 1);
    close(pair[0]);
    close(pair[1]);
    poller_close(c.poller);
}

static void who_waits_for_nothing_hears_of_no_end_and_lets_the_loop_sleep(void)
{
    struct counts c = {0};
    int pair[2], passes = 0;

    CHECK_INT(poller_open(&c.poller), 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(poller_watch(c.poller, pair[0], 0, on_ready, &c, &c.watch), 0);
    CHECK_INT(poller_timer_new(c.poller, on_due, &c, &c.timer), 0);
    close(pair[1]);
    poller_timer_set(c.timer, mw_now_ns() + 20000000);
    for (; c.due == 0; passes++)
        poller_run_once(c.poller, true);
    CHECK(passes < 10);
    CHECK_INT(c.ready, 0);
    poller_want(c.watch, POLLER_READ); /* now it does */
    poller_run_once(c.poller, true);
    CHECK_INT(c.ready, 1);
    poller_unwatch(c.watch);
    close(pair[0]);
    poller_close(c.poller);
}

static void a_timer_fires_once_and_never_early(void)
{
    struct counts c = {0};
    int64_t deadline_ns = mw_now_ns() + 3500000;

    CHECK_INT(poller_open(&c.poller), 0);
    CHECK_INT(poller_timer_new(c.poller, on_due, &c, &c.timer), 0);
    poller_timer_set(c.timer, deadline_ns);
    while (c.due == 0)
        poller_run_once(c.poller, true);
    CHECK(c.due_at_ns >= deadline_ns);
    poller_run_once(c.poller, false);
    CHECK_INT(c.due, 1);
    poller_timer_set(c.timer, mw_now_ns() - 1);
    while (c.due == 1)
        poller_run_once(c.poller, true);
    poller_timer_set(c.timer, mw_now_ns());
    poller_timer_set(c.timer, MW_FOREVER);
    poller_run_once(c.poller, false);
    CHECK_INT(c.due, 2);
    CHECK_INT(poller_timeout_ms(c.poller), -1);
    poller_timer_free(c.timer);
    poller_close(c.poller);
}

static void *wake_from_outside(void *wake)
{
    poller_wake(wake);
    return NULL;
}

static void a_wake_from_another_thread_ends_the_sleep(void)
{
    struct counts c = {0};
    struct poller_wake *wake;
    pthread_t thread;

    CHECK_INT(poller_open(&c.poller), 0);
    CHECK_INT(poller_wake_new(c.poller, on_woken, &c, &wake), 0);
    CHECK_INT(pthread_create(&thread, NULL, wake_from_outside, wake), 0);
    while (c.woken == 0)
        poller_run_once(c.poller, true);
    CHECK_INT(pthread_join(thread, NULL), 0);
    poller_wake_free(wake);
    poller_close(c.poller);
}

static void a_turn_follows_whatever_ran_and_nothing_else(void)
{
    struct counts c = {0};
    struct poller_wake *wake;

    CHECK_INT(poller_open(&c.poller), 0);
    poller_on_turn(c.poller, on_turn, &c);
    CHECK_INT(poller_wake_new(c.poller, on_woken, &c, &wake), 0);
    CHECK_INT(poller_timer_new(c.poller, on_due, &c, &c.timer), 0);
    poller_run_once(c.poller, false);
    CHECK_INT(c.turns, 0);
    poller_wake(wake);
    poller_run_once(c.poller, true);
    CHECK_INT(c.turns, 1);
    poller_timer_set(c.timer, mw_now_ns() + 1);
    while (c.due == 0)
        poller_run_once(c.poller, true);
    CHECK_INT(c.turns, 2);
    poller_timer_free(c.timer);
    poller_wake_free(wake);
    poller_close(c.poller);
}

static void asking_again_gives_another_turn_without_sleep(void)
{
    struct counts c = {.again = 3};
    int i;

    CHECK_INT(poller_open(&c.poller), 0);
    poller_on_turn(c.poller, on_turn, &c);
    poller_again(c.poller);
    CHECK_INT(poller_timeout_ms(c.poller), 0);
    for (i = 1; i <= 4; i++) {
        poller_run_once(c.poller, true);
        CHECK_INT(c.turns, i);
    }
    CHECK_INT(poller_timeout_ms(c.poller), -1);
    poller_close(c.poller);
}

static void stop_on_turn(void *context)
{
    struct counts *c = context;

    c->turns++;
    poller_stop(c->poller);
}

static void run_goes_on_until_stopped(void)
{
    struct counts c = {0};

    CHECK_INT(poller_open(&c.poller), 0);
    poller_on_turn(c.poller, stop_on_turn, &c);
    poller_again(c.poller);
    poller_run(c.poller);
    CHECK_INT(c.turns, 1);
    poller_close(c.poller);
    poller_close(NULL);
}

static void a_host_may_drive_it_from_its_own_loop(void)
{
    struct counts c = {0};
    struct pollfd host;
    int pair[2];

    CHECK_INT(poller_open(&c.poller), 0);
    poller_on_turn(c.poller, on_turn, &c);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(poller_watch(c.poller, pair[0], POLLER_READ, on_ready, &c, &c.watch), 0);
    CHECK_INT(poller_timeout_ms(c.poller), 0); /* it has yet to run once */
    poller_run_once(c.poller, false);
    CHECK_INT(poller_timeout_ms(c.poller), -1);
    host = (struct pollfd){.fd = poller_fd(c.poller), .events = POLLIN};
    CHECK_INT(poll(&host, 1, 0), 0);
    CHECK(!poller_has_ready(c.poller));
    CHECK_INT(write(pair[1], "x", 1), 1);
    CHECK_INT(poll(&host, 1, -1), 1);
    CHECK(poller_has_ready(c.poller));
    poller_run_once(c.poller, false);
    CHECK_INT(c.ready, 1);
    CHECK_INT(c.turns, 1);
    poller_close(c.poller);
    close(pair[0]);
    close(pair[1]);
}

static void looking_before_a_sleep_is_given_up_the_longer_the_more_often_it_was_in_vain(void)
{
    struct lingering l = {0};
    unsigned misses, skipped;

    for (misses = 1; misses <= LINGER_MISSES + 2; misses++) {
        CHECK(linger_may(&l));
        linger_note(&l, false);
        for (skipped = 0; !linger_may(&l); skipped++)
            continue;
        CHECK_INT(skipped, 1 << (misses < LINGER_MISSES ? misses : LINGER_MISSES));
    }
    linger_note(&l, true);
    CHECK(linger_may(&l)); /* it has paid once: the next time, too, perhaps */
}

struct seen {
    struct poller *poller;
    uint64_t in_wake, in_turn;
};
static void look_when_woken(void *context)
{
    struct seen *seen = context;

    seen->in_wake = poller_pulse(seen->poller);
}
static void look_in_turn(void *context)
{
    struct seen *seen = context;

    seen->in_turn = poller_pulse(seen->poller);
}

static void its_pulse_is_odd_while_it_is_awake_and_differs_from_pass_to_pass(void)
{
    struct seen seen = {0};
    struct poller_wake *wake;
    uint64_t before;

    CHECK_INT(poller_open(&seen.poller), 0);
    poller_on_turn(seen.poller, look_in_turn, &seen);
    CHECK_INT(poller_wake_new(seen.poller, look_when_woken, &seen, &wake), 0);
    poller_wake(wake);
    poller_run_once(seen.poller, true);
    CHECK_INT(seen.in_wake & 1, 1);
    CHECK_INT(seen.in_turn, seen.in_wake);
    before = seen.in_turn;
    poller_wake(wake);
    poller_run_once(seen.poller, true);
    CHECK_INT(seen.in_turn & 1, 1);
    CHECK(seen.in_turn > before);
    poller_close(seen.poller);
}

struct sleeper {
    struct poller *poller;
    struct poller_wake *wake;
    atomic_bool may_end;
};
static void *wake_once_it_sleeps(void *context)
{
    struct sleeper *s = context;

    while (poller_pulse(s->poller) & 1)
        (void)sched_yield();
    atomic_store(&s->may_end, true);
    poller_wake(s->wake);
    return NULL;
}
static void woken_from_its_sleep(void *context)
{
    (void)context;
}

static void another_thread_sees_that_it_sleeps(void)
{
    struct sleeper s = {.poller = NULL};
    pthread_t thread;

    CHECK_INT(poller_open(&s.poller), 0);
    CHECK_INT(poller_wake_new(s.poller, woken_from_its_sleep, &s, &s.wake), 0);
    poller_run_once(s.poller, false); /* it has been awake, and is */
    CHECK_INT(poller_pulse(s.poller) & 1, 1);
    CHECK_INT(pthread_create(&thread, NULL, wake_once_it_sleeps, &s), 0);
    while (!atomic_load(&s.may_end))
        poller_run_once(s.poller, true);
    CHECK_INT(pthread_join(thread, NULL), 0);
    poller_close(s.poller);
}

static void close_frees_what_is_still_open(void)
{
    struct counts c = {0};
    struct poller_wake *wake;
    int64_t before = mw_memory_stats().live_blocks;
    int pair[2];

    CHECK_INT(poller_open(&c.poller), 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(poller_watch(c.poller, pair[0], POLLER_READ, on_ready, &c, &c.watch), 0);
    CHECK_INT(poller_wake_new(c.poller, on_woken, &c, &wake), 0);
    CHECK_INT(poller_timer_new(c.poller, on_due, &c, &c.timer), 0);
    poller_timer_set(c.timer, mw_now_ns());
    poller_close(c.poller);
    CHECK_INT(c.due, 0);
    CHECK_INT(mw_memory_stats().live_blocks, before);
    close(pair[0]);
    close(pair[1]);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(what_is_ready_is_said_and_no_more_than_was_asked_for),
        TEST(what_cannot_be_waited_for_is_refused),
        TEST(no_callback_comes_after_unwatch),
        TEST(no_callback_comes_to_one_that_another_has_unwatched_in_the_same_pass),
        TEST(who_waits_for_nothing_hears_of_no_end_and_lets_the_loop_sleep),
        TEST(a_timer_fires_once_and_never_early),
        TEST(a_wake_from_another_thread_ends_the_sleep),
        TEST(a_turn_follows_whatever_ran_and_nothing_else),
        TEST(asking_again_gives_another_turn_without_sleep),
        TEST(run_goes_on_until_stopped),
        TEST(a_host_may_drive_it_from_its_own_loop),
        TEST(looking_before_a_sleep_is_given_up_the_longer_the_more_often_it_was_in_vain),
        TEST(its_pulse_is_odd_while_it_is_awake_and_differs_from_pass_to_pass),
        TEST(another_thread_sees_that_it_sleeps),
        TEST(close_frees_what_is_still_open),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
