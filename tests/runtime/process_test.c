/* Child processes: what goes in and out, and what they have from us.
 * Not their ends, nor what cannot be started; those are process_end_test.c, process_start_test.c. Read next: src/runtime/process.c.
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdlib.h>

#include "children.h"

static void shout(mw_tasklet *self)
{
    mw_process *p = start_as(self, &(mw_process_options){.input = MW_STDIO_PIPE, .output = MW_STDIO_PIPE},
                             (const char *const[]){"tr", "a-z", "A-Z", NULL});

    keep(mw_write(self, mw_process_stdin(p), "hello", 5, MW_FOREVER));
    mw_stream_close(mw_process_stdin(p)); /* no more comes */
    keep(mw_process_stdin(p) == NULL);
    keep(mw_process_stderr(p) == NULL);
    read_all(self, mw_process_stdout(p));
    keep(wait_for(self, p));
    mw_process_close(p);
}

static int shout_and_be_done(mw_tasklet *self, void *scope)
{
    (void)scope;
    shout(self);
    done();
    return 0;
}

static void a_child_is_written_to_and_read_from(void)
{
    run_bodies(shout_and_be_done, NULL);
    CHECK_INT(seen.count, 4);
    CHECK_INT(seen.results[0], 0);
    CHECK_INT(seen.results[1], 1);
    CHECK_INT(seen.results[2], 1);
    CHECK_INT(seen.results[3], 0);
    CHECK_TEXT(seen.text, "HELLO");
    CHECK_INT(seen.status.code, 0);
    CHECK_INT(seen.status.signal, 0);
}

static int show_surroundings(mw_tasklet *self, void *scope)
{
    static const char *const environment[] = {"MESH=work", NULL};
    mw_process *p;

    (void)scope;
    p = start_as(self, &(mw_process_options){.environment = environment, .output = MW_STDIO_PIPE}, (const char *const[]){"env", NULL});
    read_all(self, mw_process_stdout(p));
    mw_process_close(p);
    p = start_as(self, &(mw_process_options){.directory = "/usr", .output = MW_STDIO_PIPE},
                 (const char *const[]){"sh", "-c", "pwd -P; echo $0 $1 $HOME_OF_TEST", "zero", "one", NULL});
    read_all(self, mw_process_stdout(p));
    mw_process_close(p);
    done();
    return 0;
}

static void its_arguments_its_environment_and_its_directory_are_those_given(void)
{
    CHECK_INT(setenv("HOME_OF_TEST", "inherited", 1), 0);
    run_bodies(show_surroundings, NULL);
    CHECK_TEXT(seen.text, "MESH=work\n/usr\nzero one inherited\n");
}

static int mix_outputs(mw_tasklet *self, void *scope)
{
    static const char *const argv[] = {"sh", "-c", "cat; echo out; echo err >&2", NULL};
    mw_process *p;

    (void)scope;
    p = start_as(self, &(mw_process_options){.input = MW_STDIO_NULL, .output = MW_STDIO_PIPE, .error = MW_STDIO_STDOUT}, argv);
    read_all(self, mw_process_stdout(p));
    mw_process_close(p);
    p = start_as(self, &(mw_process_options){.input = MW_STDIO_NULL, .output = MW_STDIO_NULL, .error = MW_STDIO_PIPE}, argv);
    keep(mw_process_stdout(p) == NULL);
    read_all(self, mw_process_stderr(p));
    mw_process_close(p);
    done();
    return 0;
}

static void its_error_comes_by_itself_or_with_its_output(void)
{
    run_bodies(mix_outputs, NULL);
    CHECK_INT(seen.results[0], 1);
    CHECK_TEXT(seen.text, "out\nerr\nerr\n");
}

/* ---- much, both ways ------------------------------------------------------------------------------------- */
enum { MUCH = 1 << 20, CHUNK = 8192 };

static char byte_at(size_t i)
{
    return (char)(i * 7 + i / 251);
}

static int write_much(mw_tasklet *self, void *scope)
{
    char *bytes = malloc(MUCH);
    size_t i;

    (void)scope;
    while (!atomic_load(&seen.process))
        if (mw_sleep_until(self, 0) < 0)
            break;
    for (i = 0; bytes && i < MUCH; i++)
        bytes[i] = byte_at(i);
    keep(mw_write(self, mw_process_stdin(atomic_load(&seen.process)), bytes, MUCH, mw_clock(self) + LONG));
    mw_stream_close(mw_process_stdin(atomic_load(&seen.process)));
    free(bytes);
    done();
    return 0;
}

static int read_much(mw_tasklet *self, void *scope)
{
    mw_process *p = start_as(self, &(mw_process_options){.input = MW_STDIO_PIPE, .output = MW_STDIO_PIPE}, (const char *const[]){"cat", NULL});
    char bytes[CHUNK];
    size_t count = 0, wrong = 0;
    ssize_t n, i;

    (void)scope;
    atomic_store(&seen.process, p);
    while ((n = mw_read(self, mw_process_stdout(p), bytes, sizeof(bytes), mw_clock(self) + LONG)) > 0)
        for (i = 0; i < n; i++)
            wrong += bytes[i] != byte_at(count++);
    keep((int)n);
    keep((int)count);
    keep((int)wrong);
    keep(wait_for(self, p));
    while (atomic_load(&seen.left) > 1) /* the other one still holds its input */
        if (mw_sleep_until(self, 0) < 0)
            break;
    mw_process_close(p);
    done();
    return 0;
}

static void a_megabyte_goes_through_a_child_while_one_tasklet_writes_and_another_reads(void)
{
    int i, sum = 0;

    run_bodies(read_much, write_much);
    CHECK_INT(seen.count, 5);
    for (i = 0; i < 5; i++)
        sum += seen.results[i];
    CHECK_INT(sum, MUCH); /* all others are 0, in whichever order */
}

static int write_to_nobody(mw_tasklet *self, void *scope)
{
    mw_process *p = start_as(self, &(mw_process_options){.input = MW_STDIO_PIPE}, (const char *const[]){"true", NULL});

    (void)scope;
    keep(wait_for(self, p));
    keep(mw_write(self, mw_process_stdin(p), "hello", 5, mw_clock(self) + LONG));
    mw_process_close(p);
    done();
    return 0;
}

static void writing_to_a_child_that_has_gone_is_an_error_and_no_signal(void)
{
    run_bodies(write_to_nobody, NULL);
    CHECK_INT(seen.results[0], 0);
    CHECK_INT(seen.results[1], -EPIPE);
}

/* ---- what a child has from us ---------------------------------------------------------------------------- */
static int list_descriptors(mw_tasklet *self, void *scope)
{
    mw_process *p = start_as(self, &(mw_process_options){.input = MW_STDIO_PIPE, .output = MW_STDIO_PIPE, .error = MW_STDIO_PIPE},
                             (const char *const[]){"ls", "/proc/self/fd", NULL});

    (void)scope;
    read_all(self, mw_process_stdout(p));
    read_all(self, mw_process_stderr(p));
    mw_process_close(p);
    done();
    return 0;
}

static void a_child_has_no_descriptor_but_its_three(void)
{
    int low = fcntl(1, F_DUPFD, 20), high = fcntl(1, F_DUPFD, 400); /* a host that does not mark its own */

    CHECK(low >= 20 && high >= 400);
    run_bodies(list_descriptors, NULL);
    close(low);
    close(high);
    CHECK_TEXT(seen.text, "0\n1\n2\n3\n"); /* the last is the directory that ls reads */
}

static int shout_without_stdin(mw_tasklet *self, void *scope)
{
    int kept = fcntl(0, F_DUPFD_CLOEXEC, 10);

    (void)scope;
    close(0); /* the next pipe lies there */
    shout(self);
    keep(dup2(kept, 0));
    close(kept);
    done();
    return 0;
}

static void where_we_have_no_standard_input_a_child_has_its_pipes_all_the_same(void)
{
    run_bodies(shout_without_stdin, NULL);
    CHECK_INT(seen.results[4], 0);
    CHECK_TEXT(seen.text, "HELLO");
}

static int show_signals(mw_tasklet *self, void *scope)
{
    sigset_t some, before;
    mw_process *p;

    (void)scope;
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &some, &before);
    p = start_as(self, &(mw_process_options){.output = MW_STDIO_PIPE},
                 (const char *const[]){"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status", NULL});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    read_all(self, mw_process_stdout(p));
    mw_process_close(p);
    done();
    return 0;
}

static void a_child_has_every_signal_unblocked_and_at_its_default(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    uint64_t ignored;

    CHECK_INT(sigaction(SIGUSR1, &ignore, &before), 0);
    run_bodies(show_signals, NULL);
    CHECK_INT(sigaction(SIGUSR1, &before, NULL), 0);
    CHECK(strstr(seen.text, "SigBlk:\t0000000000000000\nSigIgn:\t") == seen.text);
    ignored = strtoull(strstr(seen.text, "SigIgn:\t") + 8, NULL, 16);
    CHECK_INT(ignored & ~(UINT64_C(3) << 31), 0); /* but 32 and 33, which the C library keeps for its threads and leaves ignored */
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_child_is_written_to_and_read_from),
        TEST(its_arguments_its_environment_and_its_directory_are_those_given),
        TEST(its_error_comes_by_itself_or_with_its_output),
        TEST(a_megabyte_goes_through_a_child_while_one_tasklet_writes_and_another_reads),
        TEST(writing_to_a_child_that_has_gone_is_an_error_and_no_signal),
        TEST(a_child_has_no_descriptor_but_its_three),
        TEST(where_we_have_no_standard_input_a_child_has_its_pipes_all_the_same),
        TEST(a_child_has_every_signal_unblocked_and_at_its_default),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
