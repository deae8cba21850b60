/* Replacing a whole file: a new one beside it, written and synced by the pool of threads, takes its name at the end. Whoever opens it finds the old
 * one or the new one, also after a crash, and never a part.
 * Not writing into a file; that is file.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "runtime/host.h"

#define FRESH ".mwXXXXXX" /* what the new one's name ends in, until it has its own */

struct replacement {
    struct replacement **waited_for; /* NULL once it is gone: in the call that waits; NULL: that has returned */
    atomic_bool is_given_up;         /* by then; looked at before the last step */
    int result;
    unsigned mode;
    char *path, *fresh;
    size_t byte_count;
    char bytes[];
};

/* ---- on another thread -------------------------------------------------------------------------------------- */
static int write_fresh(int fd, const struct replacement *r)
{
    size_t done = 0;

    while (done < r->byte_count) {
        ssize_t n = write(fd, r->bytes + done, r->byte_count - done);

        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return fchmod(fd, (mode_t)r->mode) < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* So that the name lasts as the bytes do. */
static int sync_directory(char *path)
{
    char *slash = strrchr(path, '/');
    int fd, err;

    if (slash)
        slash[slash == path ? 1 : 0] = '\0';
    fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? 0 : -errno; /* one may write in it and not look into it */
    err = fsync(fd) < 0 && errno != EINVAL ? -errno : 0; /* some file systems cannot */
    (void)close(fd); /* nothing was written by it */
    return err;
}

static int replace(struct replacement *r)
{
    int fd = mkostemp(r->fresh, O_CLOEXEC), err;

    if (fd < 0)
        return -errno;
    err = write_fresh(fd, r);
    if (close(fd) < 0 && err == 0)
        err = -errno;
    if (err == 0 && atomic_load(&r->is_given_up))
        err = -ECANCELED;
    if (err == 0 && rename(r->fresh, r->path) < 0)
        err = -errno;
    if (err < 0) {
        (void)unlink(r->fresh); /* ours alone */
        return err;
    }
    return sync_directory(r->fresh);
}

static int replace_run(void *arg)
{
    struct replacement *r = arg;

    r->result = replace(r);
    return 0;
}

/* ---- the call ----------------------------------------------------------------------------------------------- */
static void replacement_free(void *arg)
{
    struct replacement *r = arg;

    if (r->waited_for)
        *r->waited_for = NULL;
    mw_free(r->path);
    mw_free(r->fresh);
    mw_free(r);
}

static struct replacement *replacement_new(const char *path, const void *bytes, size_t byte_count, unsigned mode)
{
    size_t room, path_count = strlen(path);
    struct replacement *r = mw_add_size(sizeof(*r), byte_count, &room) ? mw_alloc(room) : NULL;

    if (!r)
        return NULL;
    *r = (struct replacement){.mode = mode, .byte_count = byte_count, .path = mw_copy_text(path), .fresh = mw_alloc(path_count + sizeof(FRESH))};
    if (!r->path || !r->fresh) {
        replacement_free(r);
        return NULL;
    }
    memcpy(r->fresh, path, path_count);
    memcpy(r->fresh + path_count, FRESH, sizeof(FRESH));
    if (byte_count > 0)
        memcpy(r->bytes, bytes, byte_count);
    return r;
}

static int replace_by_other(mw_tasklet *self, struct replacement *takes_r, int64_t deadline_ns)
{
    struct replacement *r = takes_r, *left = takes_r; /* NULL once it has been freed */
    int err;

    r->waited_for = &left; /* cppcheck-suppress nullPointerRedundantCheck; it is left that becomes NULL */
    err = mw_offload(self, replace_run, r, replacement_free, deadline_ns);
    if (err < 0 && left) { /* it is still out: freed when it comes back */
        atomic_store(&left->is_given_up, true);
        left->waited_for = NULL;
    }
    if (err < 0)
        return err;
    err = r->result;
    r->waited_for = NULL;
    replacement_free(r);
    return err;
}

int mw_file_replace(mw_tasklet *self, const char *path, const void *bytes, size_t byte_count, unsigned mode, int64_t deadline_ns,
                    struct mw_error *ret_error)
{
    LIVE_CHECK(self);
    struct replacement *r;
    struct runtime_host *host;
    int err = path && *path && (bytes || byte_count == 0) && mode <= 07777 ? host_of(self, &host) : -EINVAL;

    if (err == 0) {
        r = replacement_new(path, bytes, byte_count, mode);
        err = r ? replace_by_other(self, r, deadline_ns) : -ENOMEM;
    }
    if (err == -ENOENT)
        return mw_fail(ret_error, err, "replace '%s': no such directory", path);
    return err < 0 ? mw_fail(ret_error, err, "replace '%s': %s", path ? path : "(NULL)", mw_strerror(err)) : 0;
}
