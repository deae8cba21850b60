/* Files that suspend only the tasklet, and whose bytes are whose when a wait ends early. Some system calls are this test's own: they wait at a gate, or
 * fail, when they are told to.
 * Read next: src/runtime/file.c, src/runtime/replace.c.
 * SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <meshwork/runtime.h>

#include "base/memory.h"
#include "bodies.h"
#include "check.h"

#define MS INT64_C(1000000)
#define LONG (INT64_C(20000) * MS) /* never waited for when all is well */

static atomic_bool gate_is_shut; /* reads, writes and syncs on other threads wait before it */
static atomic_int write_code;    /* of every write; 0: it works */

static void pass_gate(void)
{
    while (atomic_load(&gate_is_shut))
        usleep(200);
}

ssize_t pread(int fd, void *ret_bytes, size_t room, off_t offset)
{
    pass_gate();
    return syscall(SYS_pread64, fd, ret_bytes, room, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t byte_count, off_t offset)
{
    pass_gate();
    if (atomic_load(&write_code)) {
        errno = atomic_load(&write_code);
        return -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, byte_count, offset);
}

int fsync(int fd)
{
    pass_gate();
    return (int)syscall(SYS_fsync, fd);
}

/* ---- a worker and a directory ---------------------------------------------------------------------------- */
static struct {
    mw_runtime *rt;
    atomic_int left;
    int results[32], count;
    char directory[64], path[128];
    struct mw_error error;
    _Atomic(mw_file *) file;
    mw_tasklet *other;
} seen;

static void keep(int64_t result)
{
    if (seen.count < (int)MW_COUNT(seen.results))
        seen.results[seen.count++] = (int)result;
}

static void done(void)
{
    if (atomic_fetch_sub(&seen.left, 1) == 1)
        mw_runtime_stop(seen.rt);
}

static void begin(size_t workers, int left)
{
    memset(&seen, 0, sizeof(seen));
    (void)snprintf(seen.directory, sizeof(seen.directory), "/tmp/mw-file-test-XXXXXX");
    CHECK(mkdtemp(seen.directory) != NULL);
    (void)snprintf(seen.path, sizeof(seen.path), "%s/file", seen.directory);
    atomic_init(&seen.left, left);
    CHECK_INT(mw_runtime_open(&(mw_runtime_options){.size = sizeof(mw_runtime_options), .workers = workers}, &seen.rt, NULL), 0);
}

static void give(size_t worker, mw_body *one, mw_body *two)
{
    give_bodies(seen.rt, worker, one, two, &seen.other);
}

/* Names in the directory; removes all. */
static int clear_directory(void)
{
    DIR *d = opendir(seen.directory);
    struct dirent *at;
    int count = 0;

    while (d && (at = readdir(d)) != NULL)
        if (at->d_name[0] != '.' || strlen(at->d_name) > 2)
            count += unlinkat(dirfd(d), at->d_name, 0) == 0;
    if (d)
        closedir(d);
    (void)rmdir(seen.directory);
    return count;
}

static void wait_for_end(void)
{
    mw_runtime_wait(seen.rt);
    mw_runtime_close(seen.rt, NULL);
}

static void run_bodies(mw_body *one, mw_body *two)
{
    begin(1, two ? 2 : 1);
    give(0, one, two);
    wait_for_end();
}

static void check_results(const int *want, size_t count)
{
    size_t i;

    CHECK_INT(seen.count, count);
    for (i = 0; i < count; i++)
        CHECK_INT(seen.results[i], want[i]);
}

static mw_file *open_file(mw_tasklet *self)
{
    mw_file *file = NULL;

    if (mw_file_open(self, seen.path, O_RDWR | O_CREAT, 0600, mw_clock(self) + LONG, &file, &seen.error) < 0)
        fprintf(stderr, "%s\n", seen.error.text);
    return file;
}

static void wait_for_works(mw_tasklet *self)
{
    while (mw_worker_stats(self).works > 0)
        if (mw_sleep_until(self, mw_clock(self) + MS) < 0)
            break;
}

/* ---- reading and writing --------------------------------------------------------------------------------- */
static int write_and_read(mw_tasklet *self, void *scope)
{
    mw_file *file = open_file(self);
    char bytes[16] = "";

    (void)scope;
    keep(mw_file_write(self, file, "hello there", 11, 0, MW_FOREVER));
    keep(mw_file_write(self, file, "HERE", 4, 6, MW_FOREVER));
    keep(mw_file_write(self, file, NULL, 0, 0, MW_FOREVER));
    keep(mw_file_sync(self, file, MW_FOREVER));
    keep(mw_file_size(self, file, MW_FOREVER));
    keep(mw_file_read(self, file, bytes, 5, 6, MW_FOREVER));
    keep(strcmp(bytes, "HEREe"));
    keep(mw_file_read(self, file, bytes, sizeof(bytes), 11, MW_FOREVER));
    mw_file_close(file);
    mw_file_close(NULL);
    done();
    return 0;
}

static void what_is_written_at_an_offset_is_read_there(void)
{
    static const int want[] = {0, 0, 0, 0, 11, 5, 0, 0};

    run_bodies(write_and_read, NULL);
    check_results(want, MW_COUNT(want));
    CHECK_INT(clear_directory(), 1);
}

enum { MUCH = 1000000 };

static int write_much(mw_tasklet *self, void *scope)
{
    mw_file *file = open_file(self);
    char *bytes = malloc(MUCH);
    mw_value all = mw_null();
    size_t i, count = 0;

    (void)scope;
    for (i = 0; bytes && i < MUCH; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    keep(mw_file_write(self, file, bytes, MUCH, 0, MW_FOREVER));
    mw_file_close(file);
    keep(mw_file_load(self, seen.path, MUCH, MW_FOREVER, &all, &seen.error)); /* as many as there are */
    keep(memcmp(mw_get_text(&all, &count), bytes, MUCH));
    keep((int64_t)count);
    mw_release(all);
    keep(mw_file_load(self, seen.path, MUCH - 1, MW_FOREVER, &all, &seen.error));
    free(bytes);
    done();
    return 0;
}

static void what_takes_several_pieces_is_written_and_loaded_whole_and_a_limit_is_kept(void)
{
    static const int want[] = {0, 0, 0, MUCH, -EMSGSIZE};

    run_bodies(write_much, NULL);
    CHECK(strstr(seen.error.text, "more than the 999999 bytes") != NULL);
    check_results(want, MW_COUNT(want));
    CHECK_INT(clear_directory(), 1);
}

static int load_odd_ones(mw_tasklet *self, void *scope)
{
    mw_value all = mw_null();
    size_t count = 77;

    (void)scope;
    mw_file_close(open_file(self));
    keep(mw_file_load(self, seen.path, 10, MW_FOREVER, &all, NULL));
    keep(mw_get_text(&all, &count) != NULL);
    keep((int64_t)count);
    mw_release(all);
    keep(mw_file_load(self, "/proc/self/status", 100000, MW_FOREVER, &all, NULL)); /* its size is said to be 0 */
    keep(mw_get_text(&all, &count) != NULL && count > 100);
    mw_release(all);
    keep(mw_file_load(self, "/proc/self/status", 100, MW_FOREVER, &all, NULL));
    done();
    return 0;
}

static void an_empty_file_and_one_that_tells_no_size_are_loaded(void)
{
    static const int want[] = {0, 1, 0, 0, 1, -EMSGSIZE};

    run_bodies(load_odd_ones, NULL);
    check_results(want, MW_COUNT(want));
    CHECK_INT(clear_directory(), 1);
}

static int count_while_it_reads(mw_tasklet *self, void *scope)
{
    int i;

    (void)scope;
    for (i = 0; i < 100; i++)
        if (mw_sleep_until(self, 0) < 0)
            break;
    keep(i);
    atomic_store(&gate_is_shut, false);
    done();
    return 0;
}

static int read_at_gate(mw_tasklet *self, void *scope)
{
    mw_file *file = open_file(self);
    char byte;

    (void)scope;
    atomic_store(&gate_is_shut, true);
    keep(mw_file_read(self, file, &byte, 1, 0, mw_clock(self) + LONG));
    mw_file_close(file);
    done();
    return 0;
}

static int read_then_count(mw_tasklet *self, void *scope)
{
    while (!atomic_load(&gate_is_shut)) /* until the other one reads */
        if (mw_sleep_until(self, 0) < 0)
            break;
    return count_while_it_reads(self, scope);
}

static void while_a_file_lets_one_wait_the_others_go_on(void)
{
    static const int want[] = {100, 0};

    run_bodies(read_at_gate, read_then_count);
    check_results(want, MW_COUNT(want));
    CHECK_INT(clear_directory(), 1);
}

/* ---- waits that end early -------------------------------------------------------------------------------- */
static int read_too_late(mw_tasklet *self, void *scope)
{
    mw_file *file = open_file(self);
    char bytes[8] = "xxxxxxx";

    (void)scope;
    keep(mw_file_write(self, file, "secret", 6, 0, MW_FOREVER));
    atomic_store(&gate_is_shut, true);
    keep(mw_file_read(self, file, bytes, 6, 0, mw_clock(self) + 2 * MS));
    mw_file_close(file); /* it stays open until the read has come back */
    atomic_store(&gate_is_shut, false);
    wait_for_works(self);
    keep(strcmp(bytes, "xxxxxxx"));
    done();
    return 0;
}

static void a_read_whose_wait_has_ended_leaves_the_callers_bytes_alone(void)
{
    static const int want[] = {0, -ETIMEDOUT, 0};

    run_bodies(read_too_late, NULL);
    check_results(want, MW_COUNT(want));
    CHECK_INT(clear_directory(), 1);
}

static int write_too_late(mw_tasklet *self, void *scope)
{
    mw_file *file = open_file(self);
    char bytes[8] = "first", found[8] = "";

    (void)scope;
    atomic_store(&gate_is_shut, true);
    keep(mw_file_write(self, file, bytes, 5, 0, mw_clock(self) + 2 * MS));
    memset(bytes, '?', 5); /* ours again */
    keep(mw_file_write(self, file, "later", 5, 0, mw_clock(self) + LONG)); /* the first could come after it */
    atomic_store(&gate_is_shut, false);
    wait_for_works(self);
    keep(mw_file_read(self, file, found, 5, 0, MW_FOREVER));
    keep(strcmp(found, "first"));
    keep(mw_file_write(self, file, "later", 5, 0, mw_clock(self) + LONG));
    mw_file_close(file);
    done();
    return 0;
}

static void a_write_whose_wait_has_ended_has_bytes_of_its_own_and_lets_no_other_past(void)
{
    static const int want[] = {-ETIMEDOUT, -EBUSY, 5, 0, 0};

    run_bodies(write_too_late, NULL);
    check_results(want, MW_COUNT(want));
    CHECK_INT(clear_directory(), 1);
}

static int write_until_closed(mw_tasklet *self, void *scope)
{
    mw_file *file = open_file(self);
    char bytes[5] = "whole";

    (void)scope;
    atomic_store(&gate_is_shut, true);
    atomic_store(&seen.file, file);
    keep(mw_file_write(self, file, bytes, 5, 0, MW_FOREVER));
    memset(bytes, '?', 5);
    keep(mw_file_write(self, file, bytes, 5, 0, MW_FOREVER)); /* at once */
    mw_file_close(file);
    done();
    return 0;
}

static int close_writer(mw_tasklet *self, void *scope)
{
    mw_value all = mw_null();
    size_t count;

    (void)scope;
    while (!atomic_load(&seen.file))
        if (mw_sleep_until(self, 0) < 0)
            break;
    mw_close(seen.other);
    atomic_store(&gate_is_shut, false);
    wait_for_works(self);
    keep(mw_file_load(self, seen.path, 100, MW_FOREVER, &all, NULL));
    keep(memcmp(mw_get_text(&all, &count), "whole", 5));
    mw_release(all);
    done();
    return 0;
}

static void a_tasklet_that_is_closed_leaves_its_write_to_be_finished_by_itself(void)
{
    static const int want[] = {-ECANCELED, -ECANCELED, 0, 0};

    run_bodies(close_writer, write_until_closed);
    check_results(want, MW_COUNT(want));
    CHECK_INT(clear_directory(), 1);
}

/* ---- replacing ------------------------------------------------------------------------------------------- */
static int replace_one(mw_tasklet *self, void *scope)
{
    mw_value all = mw_null();
    struct stat now;
    size_t count;

    (void)scope;
    keep(mw_file_replace(self, seen.path, "first", 5, 0640, MW_FOREVER, &seen.error));
    keep(mw_file_replace(self, seen.path, "second one", 10, 0604, MW_FOREVER, &seen.error));
    keep(stat(seen.path, &now) == 0 ? (int)(now.st_mode & 07777) : -1);
    keep(mw_file_load(self, seen.path, 100, MW_FOREVER, &all, NULL));
    keep(memcmp(mw_get_text(&all, &count), "second one", 10));
    mw_release(all);
    keep(mw_file_replace(self, seen.path, NULL, 0, 0600, MW_FOREVER, &seen.error));
    keep(stat(seen.path, &now) == 0 ? (int)now.st_size : -1);
    done();
    return 0;
}

static void a_file_is_replaced_with_the_rights_that_were_asked_for(void)
{
    static const int want[] = {0, 0, 0604, 0, 0, 0, 0};
    mode_t before = umask(0077);

    run_bodies(replace_one, NULL);
    (void)umask(before);
    check_results(want, MW_COUNT(want));
    CHECK_INT(clear_directory(), 1); /* and nothing beside it */
}

static int replace_too_late(mw_tasklet *self, void *scope)
{
    mw_value all = mw_null();
    size_t count = 0;

    (void)scope;
    keep(mw_file_replace(self, seen.path, "old", 3, 0600, MW_FOREVER, &seen.error));
    atomic_store(&gate_is_shut, true);
    keep(mw_file_replace(self, seen.path, "new", 3, 0600, mw_clock(self) + 2 * MS, &seen.error));
    atomic_store(&gate_is_shut, false);
    wait_for_works(self);
    keep(mw_file_load(self, seen.path, 100, MW_FOREVER, &all, NULL));
    keep(memcmp(mw_get_text(&all, &count), "old", 3));
    mw_release(all);
    done();
    return 0;
}

static void a_replacement_whose_wait_has_ended_is_given_up_and_the_old_file_stays(void)
{
    static const int want[] = {0, -ETIMEDOUT, 0, 0};

    run_bodies(replace_too_late, NULL);
    check_results(want, MW_COUNT(want));
    CHECK_INT(clear_directory(), 1);
}

/* ---- what goes wrong ------------------------------------------------------------------------------------- */
static int try_wrong_ones(mw_tasklet *self, void *scope)
{
    char fifo[160], byte;
    mw_value all;
    mw_file *file = open_file(self), *none = NULL;

    (void)scope;
    (void)snprintf(fifo, sizeof(fifo), "%s.fifo", seen.path);
    keep(mkfifo(fifo, 0600));
    keep(mw_file_open(self, fifo, O_RDONLY, 0, MW_FOREVER, &none, &seen.error) == -ESPIPE && strstr(seen.error.text, "mw_stream_open"));
    keep(mw_file_open(self, seen.directory, O_RDONLY, 0, MW_FOREVER, &none, &seen.error) == -EISDIR);
    keep(mw_file_open(self, "/no/such", O_RDONLY, 0, MW_FOREVER, &none, &seen.error) == -ENOENT &&
         strcmp(seen.error.text, "open '/no/such': no such file or directory") == 0);
    keep(mw_file_open(self, NULL, O_RDONLY, 0, MW_FOREVER, &none, &seen.error) == -EINVAL);
    keep(mw_file_open(self, seen.path, O_RDONLY, 0, MW_FOREVER, NULL, NULL) == -EINVAL);
    keep(mw_file_open(self, seen.path, O_RDONLY, 010000, MW_FOREVER, &none, NULL) == -EINVAL);
    keep(mw_file_open(NULL, seen.path, O_RDONLY, 0, MW_FOREVER, &none, NULL) == -EINVAL);
    keep(none == NULL);
    keep(mw_file_read(self, file, &byte, 0, 0, MW_FOREVER) == -EINVAL && mw_file_read(self, file, &byte, 1, -1, MW_FOREVER) == -EINVAL &&
         mw_file_read(self, file, NULL, 1, 0, MW_FOREVER) == -EINVAL && mw_file_read(self, NULL, &byte, 1, 0, MW_FOREVER) == -EINVAL);
    keep(mw_file_write(self, NULL, "a", 1, 0, MW_FOREVER) == -EINVAL && mw_file_write(self, file, NULL, 1, 0, MW_FOREVER) == -EINVAL &&
         mw_file_write(self, file, "a", 1, INT64_MAX, MW_FOREVER) == -EFBIG);
    keep(mw_file_size(self, NULL, MW_FOREVER) == -EINVAL && mw_file_sync(NULL, file, MW_FOREVER) == -EINVAL);
    atomic_store(&write_code, ENOSPC);
    keep(mw_file_write(self, file, "a", 1, 0, MW_FOREVER) == -ENOSPC);
    atomic_store(&write_code, 0);
    keep(mw_file_write(self, file, "a", 1, 0, MW_FOREVER) == 0); /* it is not taken for one that is under way */
    keep(mw_file_load(self, "/no/such", 1, MW_FOREVER, &all, &seen.error) == -ENOENT && mw_file_load(self, seen.path, 0, MW_FOREVER, &all, NULL) == -EINVAL);
    keep(mw_file_replace(self, "/no/such/file", "a", 1, 0600, MW_FOREVER, &seen.error) == -ENOENT &&
         strcmp(seen.error.text, "replace '/no/such/file': no such directory") == 0);
    keep(mw_file_replace(self, "", "a", 1, 0600, MW_FOREVER, NULL) == -EINVAL && mw_file_replace(self, NULL, "a", 1, 0600, MW_FOREVER, NULL) == -EINVAL);
    mw_file_close(file);
    done();
    return 0;
}

static void what_cannot_be_done_is_named_with_the_reason(void)
{
    int i;

    run_bodies(try_wrong_ones, NULL);
    CHECK_INT(clear_directory(), 2);
    CHECK_INT(seen.count, 17);
    CHECK_INT(seen.results[0], 0);
    for (i = 1; i < seen.count; i++)
        CHECK_INT(seen.results[i], 1);
}

static int hold_for_other(mw_tasklet *self, void *scope)
{
    mw_file *file = open_file(self);

    (void)scope;
    atomic_store(&seen.file, file);
    while (atomic_load(&seen.left) > 1)
        if (mw_sleep_until(self, mw_clock(self) + MS) < 0)
            break;
    mw_file_close(file);
    done();
    return 0;
}

static int use_others(mw_tasklet *self, void *scope)
{
    (void)scope;
    while (!atomic_load(&seen.file))
        if (mw_sleep_until(self, mw_clock(self) + MS) < 0)
            break;
    keep(mw_file_size(self, atomic_load(&seen.file), MW_FOREVER));
    keep(mw_file_write(self, atomic_load(&seen.file), "a", 1, 0, MW_FOREVER));
    done();
    return 0;
}

static void a_tasklet_of_another_worker_cannot_use_it(void)
{
    static const int want[] = {-EINVAL, -EINVAL};

    begin(2, 2);
    give(0, hold_for_other, NULL);
    give(1, use_others, NULL);
    wait_for_end();
    check_results(want, MW_COUNT(want));
    CHECK_INT(clear_directory(), 1);
}

static int all_at_once(mw_tasklet *self)
{
    mw_file *file;
    mw_value all;
    int err = mw_file_open(self, seen.path, O_RDWR | O_CREAT, 0600, MW_FOREVER, &file, NULL);

    if (err == 0) {
        err = mw_file_write(self, file, "bytes enough to lie outside of a value", 38, 0, MW_FOREVER);
        mw_file_close(file);
    }
    if (err == 0)
        err = mw_file_load(self, seen.path, 100, MW_FOREVER, &all, NULL);
    if (err == 0) {
        mw_release(all);
        err = mw_file_replace(self, seen.path, "new", 3, 0600, MW_FOREVER, NULL);
    }
    return err;
}

static int without_memory(mw_tasklet *self, void *scope)
{
    int64_t n;
    int err = -ENOMEM, others = 0;

    (void)scope;
    for (n = 1; n < 100 && err < 0; n++) {
        (void)mw_memory_fail_at(n, false);
        err = all_at_once(self);
        (void)mw_memory_fail_at(0, false);
        others += err != 0 && err != -ENOMEM;
    }
    keep(err);
    keep(others);
    keep(n > 15);
    done();
    return 0;
}

static void without_memory_each_says_so_and_leaves_nothing(void)
{
    static const int want[] = {0, 0, 1};
    int64_t live = mw_memory_stats().live_blocks;

    run_bodies(without_memory, NULL);
    check_results(want, MW_COUNT(want));
    CHECK_INT(mw_memory_stats().live_blocks, live);
    CHECK_INT(clear_directory(), 1);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(what_is_written_at_an_offset_is_read_there),
        TEST(what_takes_several_pieces_is_written_and_loaded_whole_and_a_limit_is_kept),
        TEST(an_empty_file_and_one_that_tells_no_size_are_loaded),
        TEST(while_a_file_lets_one_wait_the_others_go_on),
        TEST(a_read_whose_wait_has_ended_leaves_the_callers_bytes_alone),
        TEST(a_write_whose_wait_has_ended_has_bytes_of_its_own_and_lets_no_other_past),
        TEST(a_tasklet_that_is_closed_leaves_its_write_to_be_finished_by_itself),
        TEST(a_file_is_replaced_with_the_rights_that_were_asked_for),
        TEST(a_replacement_whose_wait_has_ended_is_given_up_and_the_old_file_stays),
        TEST(what_cannot_be_done_is_named_with_the_reason),
        TEST(a_tasklet_of_another_worker_cannot_use_it),
        TEST(without_memory_each_says_so_and_leaves_nothing),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
