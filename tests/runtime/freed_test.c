/* The calls of this room, of a tasklet that is NULL or has been freed. SPDX-License-Identifier: MIT */
#include "../freed.h"

#include <meshwork/runtime.h>

#include <errno.h>
#include <fcntl.h>

/* Each with arguments that are right but for the tasklet. A stream, a file and a process are never looked at: nowhere. */
static char nowhere[8];

static int return_arg(void *arg)
{
    (void)arg;
    return 0;
}

static int answer_null(void *arg, mw_value *ret_answer)
{
    (void)arg, (void)ret_answer;
    return 0;
}

static int use_connect(mw_tasklet *t)
{
    mw_stream *s;

    return mw_connect(t, "127.0.0.1", 1, MW_FOREVER, &s, NULL);
}

static int use_connect_unix(mw_tasklet *t)
{
    mw_stream *s;

    return mw_connect_unix(t, "/nowhere", MW_FOREVER, &s, NULL);
}

static int use_listen(mw_tasklet *t)
{
    mw_stream *s;

    return mw_listen(t, "127.0.0.1", 0, &s, NULL, NULL);
}

static int use_listen_unix(mw_tasklet *t)
{
    mw_stream *s;

    return mw_listen_unix(t, "/nowhere/door", 0600, &s, NULL);
}

static int use_accept(mw_tasklet *t)
{
    mw_stream *s;

    return mw_accept(t, (mw_stream *)(void *)nowhere, MW_FOREVER, &s);
}

static int use_stream_open(mw_tasklet *t)
{
    mw_stream *s;

    return mw_stream_open(t, -1, &s);
}

static int use_read(mw_tasklet *t)
{
    char byte;

    return (int)mw_read(t, (mw_stream *)(void *)nowhere, &byte, 1, MW_FOREVER);
}

static int use_write(mw_tasklet *t)
{
    return mw_write(t, (mw_stream *)(void *)nowhere, "x", 1, MW_FOREVER);
}

static int use_wait_readable(mw_tasklet *t)
{
    return mw_wait_readable(t, (mw_stream *)(void *)nowhere, MW_FOREVER);
}

static int use_wait_writable(mw_tasklet *t)
{
    return mw_wait_writable(t, (mw_stream *)(void *)nowhere, MW_FOREVER);
}

static int use_spawn(mw_tasklet *t)
{
    const char *const argv[] = {"true", NULL};
    mw_process *p;

    return mw_spawn(t, &(mw_process_options){.size = sizeof(mw_process_options), .argv = argv}, &p, NULL);
}

static int use_process_wait(mw_tasklet *t)
{
    mw_process_status status;

    return mw_process_wait(t, (mw_process *)(void *)nowhere, MW_FOREVER, &status);
}

static int use_file_open(mw_tasklet *t)
{
    mw_file *file;

    return mw_file_open(t, "/dev/null", O_RDONLY, 0, MW_FOREVER, &file, NULL);
}

static int use_file_read(mw_tasklet *t)
{
    char byte;

    return (int)mw_file_read(t, (mw_file *)(void *)nowhere, &byte, 1, 0, MW_FOREVER);
}

static int use_file_write(mw_tasklet *t)
{
    return mw_file_write(t, (mw_file *)(void *)nowhere, "x", 1, 0, MW_FOREVER);
}

static int use_file_size(mw_tasklet *t)
{
    return (int)mw_file_size(t, (mw_file *)(void *)nowhere, MW_FOREVER);
}

static int use_file_sync(mw_tasklet *t)
{
    return mw_file_sync(t, (mw_file *)(void *)nowhere, MW_FOREVER);
}

static int use_file_load(mw_tasklet *t)
{
    mw_value all;

    return mw_file_load(t, "/dev/null", 1, MW_FOREVER, &all, NULL);
}

static int use_file_replace(mw_tasklet *t)
{
    return mw_file_replace(t, "/nowhere/file", "x", 1, 0600, MW_FOREVER, NULL);
}

static int use_offload(mw_tasklet *t)
{
    return mw_offload(t, return_arg, NULL, NULL, MW_FOREVER);
}

static int use_offload_to(mw_tasklet *t)
{
    return (int)mw_offload_to(t, answer_null, NULL, NULL, MW_FOREVER);
}

static int use_signal_to(mw_tasklet *t)
{
    return mw_signal_to(t, SIGUSR1);
}

static int use_unsignal(mw_tasklet *t)
{
    return mw_unsignal(t, SIGUSR1);
}

static int use_worker_stats(mw_tasklet *t)
{
    return mw_worker_stats(t).works > 0 ? 0 : -EINVAL; /* nobody's: zeros */
}

static const struct {
    const char *name;
    int (*use)(mw_tasklet *t);
} calls[] = {
    {"mw_connect", use_connect}, {"mw_connect_unix", use_connect_unix}, {"mw_listen", use_listen}, {"mw_listen_unix", use_listen_unix},
    {"mw_accept", use_accept}, {"mw_stream_open", use_stream_open}, {"mw_read", use_read}, {"mw_write", use_write},
    {"mw_wait_readable", use_wait_readable}, {"mw_wait_writable", use_wait_writable},
    {"mw_spawn", use_spawn}, {"mw_process_wait", use_process_wait}, {"mw_file_open", use_file_open}, {"mw_file_read", use_file_read},
    {"mw_file_write", use_file_write}, {"mw_file_size", use_file_size}, {"mw_file_sync", use_file_sync}, {"mw_file_load", use_file_load},
    {"mw_file_replace", use_file_replace}, {"mw_offload", use_offload}, {"mw_offload_to", use_offload_to},
    {"mw_signal_to", use_signal_to}, {"mw_unsignal", use_unsignal}, {"mw_worker_stats", use_worker_stats},
};

static void every_call_refuses_a_tasklet_that_is_null(void)
{
    size_t i;

    for (i = 0; i < MW_COUNT(calls); i++) {
        if (calls[i].use(NULL) != -EINVAL)
            fprintf(stderr, "    %s\n", calls[i].name);
        CHECK_INT(calls[i].use(NULL), -EINVAL);
    }
}

#ifdef MW_CHECKED
static size_t called;

static void use_called(mw_tasklet *t)
{
    (void)calls[called].use(t);
}

static void every_call_names_a_tasklet_that_has_been_freed(void)
{
    for (called = 0; called < MW_COUNT(calls); called++)
        check_use(use_called, calls[called].name, 0);
}
#endif

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(every_call_refuses_a_tasklet_that_is_null),
#ifdef MW_CHECKED
        TEST(every_call_names_a_tasklet_that_has_been_freed),
#endif
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
