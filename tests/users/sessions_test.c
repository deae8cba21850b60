/* Sessions and attempts: how long they last and how many there may be. The clock is the test's.
 * SPDX-License-Identifier: MIT */
#include "users/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "check.h"
#include "users/attempts.h"
#include "users/sessions_file.h"

#define MINUTE INT64_C(60000000000)

static const struct sessions_limits limits = {.idle_ns = 30 * MINUTE, .absolute_ns = 720 * MINUTE, .per_user = 3, .most = 1000};

static void a_secret_finds_its_session_and_no_other_does(void)
{
    struct sessions s;
    struct session_key key, other_key;
    char secret[SESSION_SECRET_BYTES], other[SESSION_SECRET_BYTES];

    sessions_init(&s, &limits);
    CHECK(sessions_find(&s, "none", 0) == NULL);
    CHECK_INT(sessions_open(&s, "bob", 7, 0, secret, &key), 0);
    CHECK_INT(sessions_open(&s, "eve", 8, 0, other, &other_key), 0);
    CHECK_INT(strlen(secret), 64);
    CHECK(strcmp(secret, other) != 0);
    CHECK_TEXT(sessions_find(&s, secret, 1)->user, "bob");
    CHECK_INT(sessions_find(&s, secret, 1)->since, 7);
    CHECK_TEXT(sessions_of_key(&s, &other_key, 1)->user, "eve");
    sessions_close(&s, &key);
    CHECK(sessions_find(&s, secret, 1) == NULL);
    CHECK_TEXT(sessions_find(&s, other, 1)->user, "eve");
    sessions_close(&s, &key); /* twice is once */
    CHECK_INT(s.count, 1);
    sessions_clear(&s);
}

static void it_ends_unused_or_old(void)
{
    struct sessions s;
    struct session_key key;
    char secret[SESSION_SECRET_BYTES];
    int64_t now;

    sessions_init(&s, &limits);
    CHECK_INT(sessions_open(&s, "bob", 1, 0, secret, &key), 0);
    CHECK(sessions_find(&s, secret, 30 * MINUTE - 1) != NULL); /* looking is no use of it */
    CHECK(sessions_find(&s, secret, 30 * MINUTE) == NULL);
    CHECK_INT(s.ended_idle, 1);
    CHECK_INT(sessions_open(&s, "bob", 1, 0, secret, &key), 0);
    for (now = 0; now < 719 * MINUTE; now += 20 * MINUTE) {
        CHECK(sessions_find(&s, secret, now) != NULL);
        sessions_use(&s, &key, now);
    }
    CHECK(sessions_find(&s, secret, 720 * MINUTE) == NULL);
    CHECK_INT(s.ended_old, 1);
    CHECK_INT(s.count, 0);
    sessions_clear(&s);
}

static void of_one_too_many_the_one_unused_for_longest_goes(void)
{
    struct sessions s;
    struct sessions_limits few = {.idle_ns = 30 * MINUTE, .absolute_ns = 720 * MINUTE, .per_user = 3, .most = 5};
    struct session_key keys[8];
    char secret[SESSION_SECRET_BYTES];
    int i;

    sessions_init(&s, &few);
    for (i = 0; i < 3; i++)
        CHECK_INT(sessions_open(&s, "bob", 1, i, secret, &keys[i]), 0);
    sessions_use(&s, &keys[0], 10);
    CHECK_INT(sessions_open(&s, "bob", 1, 11, secret, &keys[3]), 0);
    CHECK(sessions_of_key(&s, &keys[1], 11) == NULL);
    CHECK(sessions_of_key(&s, &keys[0], 11) != NULL);
    CHECK_INT(sessions_open(&s, "eve", 1, 12, secret, &keys[4]), 0);
    CHECK_INT(sessions_open(&s, "eve", 1, 13, secret, &keys[5]), 0);
    CHECK_INT(sessions_open(&s, "joe", 1, 14, secret, &keys[6]), 0); /* the sixth of all */
    CHECK(sessions_of_key(&s, &keys[2], 14) == NULL);
    CHECK_INT(s.count, 5);
    CHECK_INT(s.pushed_out_of_user, 1);
    CHECK_INT(s.pushed_out_of_all, 1);
    sessions_clear(&s);
}

static bool is_not_eve(void *context, const struct session *session)
{
    ++*(int *)context;
    return strcmp(session->user, "eve") != 0;
}

static void thousands_are_kept_and_swept(void)
{
    struct sessions s;
    struct sessions_limits many = {.idle_ns = 30 * MINUTE, .absolute_ns = 720 * MINUTE, .per_user = 10000, .most = 10000};
    static struct session_key keys[3000];
    char secret[SESSION_SECRET_BYTES];
    int asked = 0, i;

    sessions_init(&s, &many);
    for (i = 0; i < 3000; i++)
        CHECK_INT(sessions_open(&s, i % 3 ? "bob" : "eve", 1, i, secret, &keys[i]), 0);
    sessions_sweep(&s, 3000, is_not_eve, &asked);
    CHECK_INT(asked, 3000);
    CHECK_INT(s.count, 2000);
    for (i = 0; i < 3000; i++)
        CHECK((sessions_of_key(&s, &keys[i], 3000) != NULL) == (i % 3 != 0));
    sessions_sweep(&s, 30 * MINUTE + 1500, NULL, NULL);
    CHECK_INT(s.count, 1000); /* those of 1501 to 2999 but every third */
    sessions_clear(&s);
}

/* ---- attempts ---------------------------------------------------------------------------------------------- */

static const struct attempts_limits few = {.per_user = 5, .per_address = 60};

static void without_memory_a_login_opens_no_session_and_ends_none(void)
{
    struct sessions s;
    struct session_key key;
    char first[SESSION_SECRET_BYTES], secret[SESSION_SECRET_BYTES];
    size_t refused = 0, i;
    int64_t n;
    int err;

    sessions_init(&s, &limits);
    CHECK_INT(sessions_open(&s, "bob", 1, 0, first, &key), 0);
    for (i = 1; s.count < 100; i++) { /* the buckets grow on the way */
        char user[16];

        (void)snprintf(user, sizeof user, "user%zu", i);
        for (n = 1, err = -ENOMEM; err < 0; n++) {
            (void)mw_memory_fail_at(n, false);
            err = sessions_open(&s, user, 1, 1, secret, &key);
            (void)mw_memory_fail_at(0, false);
            CHECK(err == 0 || err == -ENOMEM);
            CHECK_INT(s.count, err == 0 ? i + 1 : i);
            refused += err < 0;
        }
        CHECK_TEXT(sessions_find(&s, secret, 1)->user, user);
    }
    CHECK(refused > 2 * 99); /* where the buckets grow, one more */
    CHECK_TEXT(sessions_find(&s, first, 1)->user, "bob");
    sessions_clear(&s);
}

static void five_tries_a_minute_for_a_name_from_an_address(void)
{
    struct attempts a = {0};
    int i;

    for (i = 0; i < 5; i++)
        CHECK_INT(attempts_try(&a, &few, "bob", "1.2.3.4", i), 0);
    CHECK_INT(attempts_try(&a, &few, "bob", "1.2.3.4", 5), MINUTE - 5);
    CHECK_INT(attempts_try(&a, &few, "eve", "1.2.3.4", 5), 0); /* another name, */
    CHECK_INT(attempts_try(&a, &few, "bob", "1.2.3.5", 5), 0); /* or from elsewhere */
    CHECK_INT(attempts_try(&a, &few, "bob", "1.2.3.4", MINUTE), 0);
    CHECK_INT(a.put_off_of_user, 1);
    CHECK_INT(a.put_off_of_address, 0);
    attempts_clear(&a);
}

static void sixty_tries_a_minute_from_an_address_whatever_the_name(void)
{
    struct attempts a = {0};
    const struct attempts_limits names_alone = {.per_user = 5};
    char name[16];
    int i;

    for (i = 0; i < 60; i++) {
        (void)snprintf(name, sizeof name, "user%d", i);
        CHECK_INT(attempts_try(&a, &few, name, "1.2.3.4", i), 0);
    }
    CHECK_INT(attempts_try(&a, &few, "one more", "1.2.3.4", 60), MINUTE - 60);
    CHECK_INT(attempts_try(&a, &few, "one more", "::1", 60), 0);
    CHECK_INT(attempts_try(&a, &names_alone, "one more", "1.2.3.4", 60), 0);
    CHECK_INT(a.put_off_of_user, 0);
    CHECK_INT(a.put_off_of_address, 1);
    attempts_clear(&a);
}

static void each_failure_past_the_third_doubles_the_wait_and_a_success_ends_it(void)
{
    struct attempts a = {0};
    const struct attempts_limits many = {.per_user = 1000, .per_address = 1000};
    int64_t now = 0, wait, second = INT64_C(1000000000);
    int i;

    for (i = 0; i < 3; i++) {
        CHECK_INT(attempts_try(&a, &many, "bob", "::1", now), 0);
        attempts_done(&a, "bob", "::1", now, false);
    }
    for (wait = second; wait <= 512 * second; wait *= 2) {
        CHECK_INT(attempts_try(&a, &many, "bob", "::1", now), 0);
        attempts_done(&a, "bob", "::1", now, false);
        CHECK_INT(attempts_try(&a, &many, "bob", "::1", now + 1), wait - 1);
        now += wait;
    }
    attempts_done(&a, "bob", "::1", now, false);
    CHECK_INT(attempts_try(&a, &many, "bob", "::1", now), 15 * MINUTE); /* and no longer */
    attempts_done(&a, "bob", "::1", now, true);
    CHECK_INT(attempts_try(&a, &many, "bob", "::1", now), 0);
    attempts_clear(&a);
}

static void a_flood_of_names_makes_others_forgotten_but_not_more_memory(void)
{
    struct attempts a = {0};
    int64_t before;
    char name[24];
    int i;

    CHECK_INT(attempts_try(&a, &few, "bob", "::1", 0), 0);
    before = mw_memory_stats().live_bytes;
    for (i = 0; i < 300000; i++) {
        (void)snprintf(name, sizeof name, "user%d", i);
        CHECK_INT(attempts_try(&a, &(struct attempts_limits){.per_user = 5}, name, "::1", i), 0);
    }
    CHECK_INT(mw_memory_stats().live_bytes, before);
    CHECK(a.forgotten > 200000);
    attempts_clear(&a);
}

/* ---- over a restart ------------------------------------------------------------------------------------------------- */

static char path[64];

static void in_a_directory(void)
{
    (void)snprintf(path, sizeof path, "/tmp/meshwork-sessions-XXXXXX");
    CHECK(mkdtemp(path) != NULL);
    (void)snprintf(path + strlen(path), sizeof path - strlen(path), "/sessions");
}

static void out_of_it(void)
{
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    CHECK_INT(rmdir(path), 0); /* nothing else was left */
}

static void sessions_go_on_after_a_restart_with_the_time_that_has_passed(void)
{
    struct sessions before, after;
    struct session_key key;
    char bob[SESSION_SECRET_BYTES], eve[SESSION_SECRET_BYTES];
    struct stat about;

    in_a_directory();
    sessions_init(&before, &limits);
    CHECK_INT(sessions_open(&before, "bob", 7, 0, bob, &key), 0);
    CHECK_INT(sessions_open(&before, "eve", 8, 100 * MINUTE, eve, &key), 0);
    sessions_use(&before, &key, 110 * MINUTE);
    CHECK_INT(sessions_save(&before, path, 110 * MINUTE, 5000, NULL), 0);
    CHECK_INT(stat(path, &about), 0);
    CHECK_INT((int)(about.st_mode & 0777), 0600);
    sessions_clear(&before);

    sessions_init(&after, &limits); /* ten minutes later, on a machine that has just come up */
    CHECK_INT((int)sessions_load(&after, path, MINUTE, 5000 + 600, NULL), 2);
    CHECK(access(path, F_OK) < 0); /* once */
    CHECK(sessions_find(&after, bob, MINUTE) == NULL); /* two hours unused */
    CHECK_TEXT(sessions_find(&after, eve, MINUTE)->user, "eve");
    CHECK_INT(sessions_find(&after, eve, MINUTE)->since, 8);
    CHECK(sessions_find(&after, eve, 21 * MINUTE) == NULL); /* ten before, and twenty now */
    CHECK_INT((int)sessions_load(&after, path, MINUTE, 5600, NULL), 0);
    sessions_clear(&after);
    out_of_it();
}

static void a_clock_that_was_put_back_makes_no_session_younger(void)
{
    struct sessions s;
    struct session_key key;
    char secret[SESSION_SECRET_BYTES];

    in_a_directory();
    sessions_init(&s, &limits);
    CHECK_INT(sessions_open(&s, "bob", 7, 0, secret, &key), 0);
    CHECK_INT(sessions_save(&s, path, 20 * MINUTE, 5000, NULL), 0);
    sessions_clear(&s);
    CHECK_INT((int)sessions_load(&s, path, 0, 4000, NULL), 1);
    CHECK(sessions_find(&s, secret, 10 * MINUTE - 1) != NULL);
    CHECK(sessions_find(&s, secret, 10 * MINUTE) == NULL);
    sessions_clear(&s);
    out_of_it();
}

static void a_file_that_is_wrong_lets_nobody_in(void)
{
#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    static const char *const rows[] = {"", "sessions 2 5000\n", "nonsense\n", "sessions 1 5000\n" KEY " bob 7 10\n", "sessions 1 5000\n" KEY " bob 7 10 11\n",
                                       "sessions 1 5000\n" KEY " bob 7 -1 -1\n", "sessions 1 5000\n" KEY " bob 7 10 10", "sessions 1 5000\n" KEY " bob 7 10 10 1\n",
                                       "sessions 1 5000\n" KEY "0 bob 7 10 10\n", "sessions 1 5000\nxx" KEY " bob 7 10 10\n", "sessions 1 5000\n" KEY " b,b 7 10 10\n",
                                       "sessions 1 5000\n" KEY " bob 7 99999999999999999999 10\n"};
    struct sessions s;
    struct mw_error error;
    size_t i;

    sessions_init(&s, &limits);
    for (i = 0; i < MW_COUNT(rows); i++) {
        FILE *file;

        in_a_directory();
        file = fopen(path, "w");
        CHECK(file && fputs(rows[i], file) >= 0 && fclose(file) == 0 && chmod(path, 0600) == 0);
        CHECK_INT((int)sessions_load(&s, path, MINUTE, 5000, &error), -EINVAL);
        CHECK_INT((int)s.count, 0);
        out_of_it();
    }
    in_a_directory();
    CHECK_INT(sessions_save(&s, path, 0, 5000, NULL), 0);
    CHECK_INT(chmod(path, 0644), 0);
    CHECK_INT((int)sessions_load(&s, path, MINUTE, 5000, &error), -EPERM);
    out_of_it();
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_secret_finds_its_session_and_no_other_does),
        TEST(it_ends_unused_or_old),
        TEST(of_one_too_many_the_one_unused_for_longest_goes),
        TEST(thousands_are_kept_and_swept),
        TEST(without_memory_a_login_opens_no_session_and_ends_none),
        TEST(five_tries_a_minute_for_a_name_from_an_address),
        TEST(sixty_tries_a_minute_from_an_address_whatever_the_name),
        TEST(each_failure_past_the_third_doubles_the_wait_and_a_success_ends_it),
        TEST(a_flood_of_names_makes_others_forgotten_but_not_more_memory),
        TEST(sessions_go_on_after_a_restart_with_the_time_that_has_passed),
        TEST(a_clock_that_was_put_back_makes_no_session_younger),
        TEST(a_file_that_is_wrong_lets_nobody_in),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
