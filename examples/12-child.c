/* A program beside this one: what it is told and what it says go through two coroutines, so that neither pipe can fill up and stop both.
 * Then a file is replaced in one step and read again; nobody else on this worker waits for any of it. SPDX-License-Identifier: MIT */
#include <meshwork/runtime.h>

#include <stdio.h>

static int teller(mw_tasklet *self, void *scope)
{
    mw_stream *to = scope;
    int i;

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
    mw_process *sort;
    char said[256];
    size_t count = 0;
    ssize_t n;
    int err = mw_spawn(self, &options, &sort, &error);

    (void)scope;
    if (err == 0 && !mw_tasklet_new(teller, mw_process_stdin(sort))) /* it joins this mesh */
        return -1;
    if (err == 0) {
        while (count < sizeof said && (n = mw_read(self, mw_process_stdout(sort), said + count, sizeof said - count, MW_FOREVER)) > 0)
            count += (size_t)n;
        err = mw_process_wait(self, sort, MW_FOREVER, &status);
        mw_process_close(sort);
    }
    if (err == 0)
        err = keep(self, said, count, &error);
    if (err < 0)
        fprintf(stderr, "%s\n", error.text);
    else
        printf("sort returned %d\n", status.code);
    return err;
}

int main(void)
{
    return mw_runtime_main(listener, NULL, NULL) < 0; /* listener says why */
}
