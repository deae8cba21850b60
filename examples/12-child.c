/* A program beside this one: what it is told and what it says go through two coroutines, so that neither pipe can fill up and stop both.
 * Then a file is replaced in one step and read again; nobody else on this worker waits for any of it. SPDX-License-Identifier: MIT */
#include <meshwork/runtime.h>

#include <stdio.h>
#include <stdlib.h>

static struct {
    mw_runtime *runtime;
    mw_process *sort;
} here;

static int teller(mw_tasklet *self, void *scope)
{
    mw_stream *to = mw_process_stdin(here.sort);
    int i;

    (void)scope;
    for (i = 0; i < 5; i++) {
        char line[32];
        int count = snprintf(line, sizeof line, "%d green bottles\n", (i * 3 + 1) % 5);

        if (mw_write(self, to, line, (size_t)count, MW_FOREVER) < 0)
            break;
    }
    mw_stream_close(to); /* no more comes: it can begin */
    return 0;
}

static int keep(mw_tasklet *self, const char *bytes, size_t count, struct mw_error *ret_error)
{
    const char *path = "/tmp/meshwork-12-child";
    mw_value found;
    int err = mw_file_replace(self, path, bytes, count, 0600, MW_FOREVER, ret_error);

    if (err == 0)
        err = mw_file_load(self, path, 4096, MW_FOREVER, &found, ret_error);
    if (err < 0)
        return err;
    printf("%s", mw_get_text(&found, NULL));
    mw_release(found);
    return remove(path);
}

static int listener(mw_tasklet *self, void *scope)
{
    const char *const argv[] = {"sort", "-r", NULL};
    const mw_process_options options = {.size = sizeof options, .argv = argv, .input = MW_STDIO_PIPE, .output = MW_STDIO_PIPE};
    mw_process_status status = {.code = -1};
    struct mw_error error = {0};
    char said[256];
    size_t count = 0;
    ssize_t n;
    int err = mw_spawn(self, &options, &here.sort, &error);

    (void)scope;
    if (err == 0 && !mw_tasklet_new(teller, NULL)) /* it joins this mesh */
        return -1;
    if (err == 0) {
        while (count < sizeof said && (n = mw_read(self, mw_process_stdout(here.sort), said + count, sizeof said - count, MW_FOREVER)) > 0)
            count += (size_t)n;
        err = mw_process_wait(self, here.sort, MW_FOREVER, &status);
        mw_process_close(here.sort);
    }
    if (err == 0)
        err = keep(self, said, count, &error);
    if (err < 0)
        printf("%s\n", error.text);
    else
        printf("sort returned %d\n", status.code);
    mw_runtime_stop(here.runtime);
    return err;
}

int main(void)
{
    struct mw_error error = {0};
    mw_scheduler *mesh, *outside;

    if (mw_runtime_open(NULL, &here.runtime, &error) < 0 || !(mesh = mw_runtime_mesh(here.runtime, 0)))
        return fprintf(stderr, "%s\n", error.text), 1;
    outside = mw_scheduler_enter(mesh);
    if (!mw_tasklet_new(listener, NULL))
        return 1;
    mw_scheduler_leave(outside);
    (void)mw_runtime_start(here.runtime, mesh);
    mw_runtime_wait(here.runtime);
    mw_runtime_close(here.runtime, NULL);
    return 0;
}
