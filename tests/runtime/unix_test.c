/* Listening on Unix sockets: what is replaced, what is left alone, who may come, what is removed.
 * Read next: src/runtime/listen_unix.c.
 * SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <meshwork/runtime.h>

#include "base/memory.h"
#include "check.h"

#define MS INT64_C(1000000)
#define LONG (INT64_C(20000) * MS) /* never waited for when all is well */

static struct {
    mw_runtime *rt;
    char directory[64], path[96];
    int results[16], count;
    char text[600];
} seen;

static void keep(int result)
{
    if (seen.count < 16)
        seen.results[seen.count++] = result;
}

static size_t files_left(void)
{
    DIR *directory = opendir(seen.directory);
    size_t count = 0;

    CHECK(directory != NULL);
    while (readdir(directory))
        count++;
    (void)closedir(directory);
    return count - 2; /* . and .. */
}

static void begin(void)
{
    memset(&seen, 0, sizeof(seen));
    memcpy(seen.directory, "/tmp/mw-unix-XXXXXX", sizeof("/tmp/mw-unix-XXXXXX"));
    CHECK(mkdtemp(seen.directory) != NULL);
    (void)snprintf(seen.path, sizeof(seen.path), "%s/door", seen.directory);
}

/* One coroutine on a worker until it has ended. */
static void run_body_with(mw_body *body, void *scope)
{
    mw_scheduler *mesh, *outside;

    CHECK_INT(mw_runtime_open(&(mw_runtime_options){.size = sizeof(mw_runtime_options), .workers = 1}, &seen.rt, NULL), 0);
    mesh = mw_runtime_mesh(seen.rt, 0);
    outside = mw_scheduler_enter(mesh);
    CHECK(mw_tasklet_new(body, scope) != NULL);
    mw_scheduler_leave(outside);
    CHECK_INT(mw_runtime_start(seen.rt, mesh), 0);
    mw_runtime_wait(seen.rt);
    mw_runtime_close(seen.rt, NULL);
}

static void run_body(mw_body *body)
{
    run_body_with(body, NULL);
}

static void end(void)
{
    CHECK_INT(files_left(), 0);
    CHECK_INT(rmdir(seen.directory), 0);
}

/* A socket with a name on which nobody listens any more. */
static void leave_a_stale_socket(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(at.sun_path, seen.path, strlen(seen.path));
    CHECK_INT(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    CHECK_INT(listen(fd, 1), 0);
    (void)close(fd);
}

/* Listen, come in oneself, say a byte. */
static void meet(mw_tasklet *self)
{
    struct mw_error error = {0};
    mw_stream *door = NULL, *guest = NULL, *host = NULL;
    char byte = 0;

    keep(mw_listen_unix(self, seen.path, 0600, &door, &error));
    memcpy(seen.text, error.text, sizeof(error.text) < sizeof(seen.text) ? sizeof(error.text) : sizeof(seen.text));
    if (!door)
        return;
    keep(mw_connect_unix(self, seen.path, mw_clock(self) + LONG, &guest, NULL));
    keep(mw_accept(self, door, mw_clock(self) + LONG, &host));
    keep(mw_write(self, guest, "x", 1, mw_clock(self) + LONG));
    keep((int)mw_read(self, host, &byte, 1, mw_clock(self) + LONG));
    keep(byte);
    mw_stream_close(guest);
    mw_stream_close(host);
    mw_stream_close(door);
}

static int meet_and_end(mw_tasklet *self, void *scope)
{
    (void)scope;
    meet(self);
    mw_runtime_stop(seen.rt);
    return 0;
}

static void check_met(void)
{
    static const int want[] = {0, 0, 0, 0, 1, 'x'};
    size_t i;

    CHECK_INT(seen.count, MW_COUNT(want));
    for (i = 0; i < MW_COUNT(want); i++)
        CHECK_INT(seen.results[i], want[i]);
}

static void who_connects_by_the_path_is_let_in_and_the_close_removes_it(void)
{
    begin();
    run_body(meet_and_end);
    check_met();
    end();
}

static void a_socket_that_a_dead_program_left_is_replaced(void)
{
    begin();
    leave_a_stale_socket();
    CHECK_INT(files_left(), 1);
    run_body(meet_and_end);
    check_met();
    end();
}

static void a_file_that_is_no_socket_is_left_alone(void)
{
    FILE *file;

    begin();
    file = fopen(seen.path, "w");
    CHECK(file != NULL);
    (void)fclose(file);
    run_body(meet_and_end);
    CHECK_INT(seen.results[0], -EEXIST);
    CHECK(strstr(seen.text, seen.path) && strstr(seen.text, "is left alone"));
    CHECK_INT(files_left(), 1);
    CHECK_INT(unlink(seen.path), 0);
    end();
}

static int listen_twice(mw_tasklet *self, void *scope)
{
    mw_stream *door = NULL;

    (void)scope;
    keep(mw_listen_unix(self, seen.path, 0600, &door, NULL));
    meet(self);
    keep((int)files_left());
    mw_stream_close(door);
    mw_runtime_stop(seen.rt);
    return 0;
}

static void where_somebody_listens_a_second_one_is_refused(void)
{
    begin();
    run_body(listen_twice);
    CHECK_INT(seen.results[0], 0);
    CHECK_INT(seen.results[1], -EADDRINUSE);
    CHECK_INT(seen.results[2], 1); /* the first one's */
    CHECK(strstr(seen.text, "another program listens there") != NULL);
    end();
}

/* Programs that replace one dead socket at the same moment, and what they see; shared among the processes. */
enum { RIVALS = 3, RACES = 500 };
static struct race {
    atomic_int begun, answered, ended, closed; /* counts on from race to race */
    atomic_int results[RIVALS];
} *race;

static void wait_for(const atomic_int *count, int want)
{
    while (atomic_load(count) < want)
        (void)sched_yield();
}

static int race_for_the_door(mw_tasklet *self, void *scope)
{
    atomic_int *result = scope;
    mw_stream *door;
    int i;

    for (i = 1; i <= RACES; i++) {
        door = NULL;
        wait_for(&race->begun, i);
        atomic_store(result, mw_listen_unix(self, seen.path, 0600, &door, NULL));
        atomic_fetch_add(&race->answered, 1);
        wait_for(&race->ended, i);
        mw_stream_close(door);
        atomic_fetch_add(&race->closed, 1);
    }
    mw_runtime_stop(seen.rt);
    return 0;
}

static bool is_let_in(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

    memcpy(at.sun_path, seen.path, strlen(seen.path));
    err = connect(fd, (const struct sockaddr *)&at, sizeof(at));
    (void)close(fd);
    return err == 0;
}

static void of_three_programs_that_replace_a_dead_socket_at_once_one_has_it(void)
{
    pid_t rivals[RIVALS];
    int i, k, winners, status;

    begin();
    race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(race != MAP_FAILED);
    for (k = 0; k < RIVALS; k++) {
        rivals[k] = fork();
        CHECK(rivals[k] >= 0);
        if (rivals[k] == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a race that is not over has no end */
            run_body_with(race_for_the_door, &race->results[k]);
            _exit(0);
        }
    }
    for (i = 1; i <= RACES; i++) {
        leave_a_stale_socket();
        atomic_store(&race->begun, i);
        wait_for(&race->answered, i * RIVALS);
        for (k = 0, winners = 0; k < RIVALS; k++) {
            winners += atomic_load(&race->results[k]) == 0;
            CHECK(atomic_load(&race->results[k]) == 0 || atomic_load(&race->results[k]) == -EADDRINUSE);
        }
        CHECK_INT(winners, 1);
        CHECK(is_let_in());
        atomic_store(&race->ended, i);
        wait_for(&race->closed, i * RIVALS);
        CHECK_INT(files_left(), 0);
    }
    for (k = 0; k < RIVALS; k++) {
        CHECK_INT(waitpid(rivals[k], &status, 0), rivals[k]);
        CHECK_INT(status, 0);
    }
    CHECK_INT(munmap(race, sizeof(*race)), 0);
    end();
}

static int listen_with_rights(mw_tasklet *self, void *scope)
{
    static const unsigned modes[] = {0600, 0660, 0666};
    mw_stream *door;
    struct stat is;
    size_t i;

    (void)scope;
    for (i = 0; i < MW_COUNT(modes); i++) {
        keep(mw_listen_unix(self, seen.path, modes[i], &door, NULL));
        keep(stat(seen.path, &is) == 0 ? (int)(is.st_mode & 07777) : -errno);
        mw_stream_close(door);
    }
    mw_runtime_stop(seen.rt);
    return 0;
}

static void its_rights_are_those_asked_for_whatever_the_umask(void)
{
    mode_t before = umask(077);

    begin();
    run_body(listen_with_rights);
    (void)umask(before);
    CHECK_INT(seen.results[1], 0600);
    CHECK_INT(seen.results[3], 0660);
    CHECK_INT(seen.results[5], 0666);
    end();
}

static int close_after_another_came(mw_tasklet *self, void *scope)
{
    mw_stream *door;

    (void)scope;
    keep(mw_listen_unix(self, seen.path, 0600, &door, NULL));
    keep(unlink(seen.path)); /* somebody who knows better */
    leave_a_stale_socket();
    mw_stream_close(door);
    keep((int)files_left());
    mw_runtime_stop(seen.rt);
    return 0;
}

static void a_close_does_not_remove_what_another_has_put_there(void)
{
    begin();
    run_body(close_after_another_came);
    CHECK_INT(seen.results[1], 0);
    CHECK_INT(seen.results[2], 1);
    CHECK_INT(unlink(seen.path), 0);
    end();
}

static int try_wrong_paths(mw_tasklet *self, void *scope)
{
    char too_long[200], last[108];
    struct mw_error error = {0};
    mw_stream *door;

    (void)scope;
    memset(too_long, 'x', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    memset(last, 'x', sizeof(last) - 1);
    last[sizeof(last) - 1] = '\0';
    keep(mw_listen_unix(self, too_long, 0600, &door, NULL));
    keep(mw_listen_unix(self, "", 0600, &door, NULL));
    keep(mw_listen_unix(self, NULL, 0600, &door, NULL));
    keep(mw_listen_unix(self, seen.path, 0, &door, NULL));
    keep(mw_listen_unix(self, seen.path, 01777, &door, NULL));
    keep(mw_listen_unix(self, seen.path, 0600, NULL, NULL));
    keep(mw_listen_unix(self, "/no/such/place/door", 0600, &door, &error));
    keep(strstr(error.text, "listen at '/no/such/place/door': no such directory") != NULL);
    keep(mw_listen_unix(self, last, 0600, &door, NULL)); /* 107 bytes, in the directory we are in */
    mw_stream_close(door);
    keep(access(last, F_OK) < 0 ? -errno : 0);
    mw_runtime_stop(seen.rt);
    return 0;
}

static void wrong_paths_are_refused_and_the_longest_works(void)
{
    static const int want[] = {-ENAMETOOLONG, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -ENOENT, 1, 0, -ENOENT};
    char before[512];
    size_t i;

    begin();
    CHECK(getcwd(before, sizeof(before)) && chdir(seen.directory) == 0);
    run_body(try_wrong_paths);
    CHECK_INT(chdir(before), 0);
    for (i = 0; i < MW_COUNT(want); i++)
        CHECK_INT(seen.results[i], want[i]);
    end();
}

static int listen_without_memory(mw_tasklet *self, void *scope)
{
    mw_stream *door;
    int64_t n;
    int err = -ENOMEM;

    (void)scope;
    for (n = 1; n < 20 && err == -ENOMEM; n++) {
        (void)mw_memory_fail_at(n, false);
        err = mw_listen_unix(self, seen.path, 0600, &door, NULL);
        (void)mw_memory_fail_at(0, false);
        if (err == -ENOMEM)
            keep((int)files_left());
    }
    keep(err);
    if (err == 0)
        mw_stream_close(door);
    mw_runtime_stop(seen.rt);
    return 0;
}

static void without_memory_nothing_is_left_in_the_directory(void)
{
    int i;

    begin();
    run_body(listen_without_memory);
    CHECK(seen.count >= 3);
    for (i = 0; i < seen.count; i++)
        CHECK_INT(seen.results[i], 0);
    end();
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(who_connects_by_the_path_is_let_in_and_the_close_removes_it),
        TEST(a_socket_that_a_dead_program_left_is_replaced),
        TEST(a_file_that_is_no_socket_is_left_alone),
        TEST(where_somebody_listens_a_second_one_is_refused),
        TEST(of_three_programs_that_replace_a_dead_socket_at_once_one_has_it),
        TEST(its_rights_are_those_asked_for_whatever_the_umask),
        TEST(a_close_does_not_remove_what_another_has_put_there),
        TEST(wrong_paths_are_refused_and_the_longest_works),
        TEST(without_memory_nothing_is_left_in_the_directory),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
