/* Files: the pool of threads reads and writes them, as no file can be waited for. Each call has a copy of its bytes of its own, so that nothing of
 * the caller's is touched once the call has returned, however early.
 * Not pipes and devices; those are streams. Replacing a whole file is replace.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "runtime/host.h"

enum { PIECE_BYTES = 256 * 1024 }; /* that a thread takes at a time */

struct mw_file {
    struct runtime_host *host;
    struct poller_job *closing; /* made at the beginning, so that closing cannot fail */
    int fd;
    unsigned uses;              /* calls in it, and pieces of work that are out: it outlives its close until they have come back */
    bool is_written;            /* by a call, or by what is left of one */
    bool is_closed;
};

/* ---- a piece of work ---------------------------------------------------------------------------------------- */
enum work_kind { WORK_READ, WORK_WRITE, WORK_SIZE, WORK_SYNC };

struct work {
    struct mw_file *file;
    enum work_kind kind;
    int64_t offset, result; /* of the kernel: bytes, or an error */
    size_t count;
    char bytes[];
};

static int64_t read_bytes(int fd, char *ret_bytes, size_t room, int64_t offset)
{
    ssize_t n;

    while ((n = pread(fd, ret_bytes, room, offset)) < 0 && errno == EINTR)
        ;
    return n < 0 ? -errno : n;
}

static int64_t write_bytes(int fd, const char *bytes, size_t byte_count, int64_t offset)
{
    size_t done = 0;

    while (done < byte_count) {
        ssize_t n = pwrite(fd, bytes + done, byte_count - done, offset + (int64_t)done);

        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* On another thread. What the kernel says stays inside: the work is the caller's again then. */
static int work_run(void *arg)
{
    struct work *w = arg;
    struct stat now;

    switch (w->kind) {
    case WORK_READ:
        w->result = read_bytes(w->file->fd, w->bytes, w->count, w->offset);
        break;
    case WORK_WRITE:
        w->result = write_bytes(w->file->fd, w->bytes, w->count, w->offset);
        break;
    case WORK_SIZE:
        w->result = fstat(w->file->fd, &now) < 0 ? -errno : now.st_size;
        break;
    case WORK_SYNC:
        w->result = fsync(w->file->fd) < 0 ? -errno : 0;
        break;
    }
    return 0;
}

/* ---- the end of a file -------------------------------------------------------------------------------------- */
static void close_run(void *context)
{
    (void)close(((struct mw_file *)context)->fd); /* who wants to know what became of it calls mw_file_sync before */
}

static void close_done(void *context)
{
    struct mw_file *file = context;

    file->host->works--;
    mw_free(file);
}

static void file_leave(struct mw_file *file)
{
    if (--file->uses > 0 || !file->is_closed)
        return;
    file->host->works++; /* more than may be out, at worst: it ends something */
    poller_job_start(file->closing);
}

void mw_file_close(mw_file *file)
{
    if (!file || file->is_closed)
        return;
    file->is_closed = true;
    file->uses++;
    file_leave(file);
}

/* On the mesh's thread: it has come back. */
static void work_free(void *arg)
{
    struct work *w = arg;

    if (w->kind == WORK_WRITE)
        w->file->is_written = false;
    file_leave(w->file);
    mw_free(w);
}

/* ---- calls -------------------------------------------------------------------------------------------------- */
/* Have a piece done. bytes: what to write, or where to put what was read */
static int64_t work_do(mw_tasklet *self, struct mw_file *file, const struct work *what, char *io_bytes, int64_t deadline_ns)
{
    bool has_bytes = what->kind == WORK_READ || what->kind == WORK_WRITE;
    struct work *w = mw_alloc(sizeof(*w) + (has_bytes ? what->count : 0));
    int64_t result;
    int err;

    if (!w)
        return -ENOMEM;
    *w = *what;
    w->file = file;
    if (w->kind == WORK_WRITE && w->count > 0)
        memcpy(w->bytes, io_bytes, w->count);
    file->uses++;
    file->is_written = file->is_written || w->kind == WORK_WRITE;
    err = mw_offload(self, work_run, w, work_free, deadline_ns);
    if (err < 0)
        return err; /* it has been freed, or will be when it comes back */
    result = w->result;
    if (w->kind == WORK_READ && result > 0 && io_bytes)
        memcpy(io_bytes, w->bytes, (size_t)result);
    work_free(w);
    return result;
}

static int file_check(const mw_tasklet *self, const struct mw_file *file)
{
    struct runtime_host *host;
    int err = file ? host_of(self, &host) : -EINVAL;

    return err < 0 ? err : host == file->host ? 0 : -EINVAL; /* another worker's */
}

/* One that is done in a piece, and changes nothing. */
static int64_t do_alone(mw_tasklet *self, struct mw_file *file, const struct work *what, char *ret_bytes, int64_t deadline_ns)
{
    int64_t result = file_check(self, file);

    if (result < 0)
        return result;
    file->uses++;
    result = work_do(self, file, what, ret_bytes, deadline_ns);
    file_leave(file);
    return result;
}

ssize_t mw_file_read(mw_tasklet *self, mw_file *file, void *ret_bytes, size_t room, int64_t offset, int64_t deadline_ns)
{
    LIVE_CHECK(self);
    struct work what = {.kind = WORK_READ, .offset = offset, .count = room < PIECE_BYTES ? room : PIECE_BYTES};

    return ret_bytes && room > 0 && offset >= 0 ? (ssize_t)do_alone(self, file, &what, ret_bytes, deadline_ns) : -EINVAL;
}

int64_t mw_file_size(mw_tasklet *self, mw_file *file, int64_t deadline_ns)
{
    LIVE_CHECK(self);
    return do_alone(self, file, &(struct work){.kind = WORK_SIZE}, NULL, deadline_ns);
}

int mw_file_sync(mw_tasklet *self, mw_file *file, int64_t deadline_ns)
{
    LIVE_CHECK(self);
    return (int)do_alone(self, file, &(struct work){.kind = WORK_SYNC}, NULL, deadline_ns);
}

int mw_file_write(mw_tasklet *self, mw_file *file, const void *bytes, size_t byte_count, int64_t offset, int64_t deadline_ns)
{
    LIVE_CHECK(self);
    char *at = (char *)(uintptr_t)bytes; /* which is read only */
    int64_t end, result = (bytes || byte_count == 0) && offset >= 0 ? file_check(self, file) : -EINVAL;

    if (result == 0 && (byte_count > INT64_MAX || __builtin_add_overflow(offset, (int64_t)byte_count, &end)))
        result = -EFBIG;
    if (result == 0 && file->is_written)
        result = -EBUSY;
    if (result < 0)
        return (int)result;
    file->uses++;
    while (result == 0 && byte_count > 0) {
        struct work what = {.kind = WORK_WRITE, .offset = offset, .count = byte_count < PIECE_BYTES ? byte_count : PIECE_BYTES};

        result = file->is_closed ? -ECANCELED : work_do(self, file, &what, at, deadline_ns);
        at += what.count;
        offset += (int64_t)what.count;
        byte_count -= what.count;
    }
    file_leave(file);
    return (int)result;
}

/* ---- opening ------------------------------------------------------------------------------------------------ */
struct opening {
    char *path;
    int flags, fd, result;
    unsigned mode;
};

static int open_run(void *arg)
{
    struct opening *o = arg;
    struct stat found;

    /* Not waiting for the other end of a named pipe, which a thread of the pool would do for ever. */
    o->fd = open(o->path, o->flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, (mode_t)o->mode);
    if (o->fd < 0 || fstat(o->fd, &found) < 0)
        o->result = -errno;
    else if (!S_ISREG(found.st_mode))
        o->result = S_ISDIR(found.st_mode) ? -EISDIR : -ESPIPE;
    return 0;
}

static void opening_free(void *arg)
{
    struct opening *o = arg;

    if (o->fd >= 0)
        (void)close(o->fd); /* nothing was written by it */
    mw_free(o->path);
    mw_free(o);
}

static int open_path(mw_tasklet *self, const char *path, int flags, unsigned mode, int64_t deadline_ns, int *ret_fd)
{
    struct opening *o = mw_alloc_zeroed(1, sizeof(*o));
    int err;

    if (!o)
        return -ENOMEM;
    *o = (struct opening){.path = mw_copy_text(path), .flags = flags, .fd = -1, .mode = mode};
    if (!o->path) {
        opening_free(o);
        return -ENOMEM;
    }
    err = mw_offload(self, open_run, o, opening_free, deadline_ns);
    if (err < 0)
        return err; /* it has been freed, or will be when it comes back */
    err = o->result;
    if (err == 0) {
        *ret_fd = o->fd;
        o->fd = -1;
    }
    opening_free(o);
    return err;
}

static int file_open(mw_tasklet *self, const char *path, int flags, unsigned mode, int64_t deadline_ns, mw_file **ret)
{
    struct runtime_host *host;
    struct mw_file *file;
    int err = host_of(self, &host);

    if (err < 0)
        return err;
    file = mw_alloc_zeroed(1, sizeof(*file));
    if (!file)
        return -ENOMEM;
    file->host = host;
    err = poller_job_new(host->poller, close_run, close_done, file, &file->closing);
    if (err == 0)
        err = open_path(self, path, flags, mode, deadline_ns, &file->fd);
    if (err < 0) {
        poller_job_free(file->closing);
        mw_free(file);
        return err;
    }
    *ret = file;
    return 0;
}

static const char *why(int err)
{
    switch (err) {
    case -ENOENT:
        return "no such file or directory";
    case -EEXIST:
        return "there is one already";
    case -ESPIPE:
        return "no file but a pipe, a socket or a device: mw_stream_open";
    case -EAGAIN:
        return "1024 functions are out already";
    default:
        return mw_strerror(err);
    }
}

int mw_file_open(mw_tasklet *self, const char *path, int flags, unsigned mode, int64_t deadline_ns, mw_file **ret, struct mw_error *ret_error)
{
    LIVE_CHECK(self);
    int err = path && ret && mode <= 07777 ? file_open(self, path, flags, mode, deadline_ns, ret) : -EINVAL;

    return err < 0 ? mw_fail(ret_error, err, "open '%s': %s", path ? path : "(NULL)", why(err)) : 0;
}

/* ---- a whole one -------------------------------------------------------------------------------------------- */
static int load(mw_tasklet *self, mw_file *file, struct mw_buffer *b, int64_t deadline_ns)
{
    int64_t n = mw_file_size(self, file, deadline_ns);

    if (n > 0 && (uint64_t)n > b->limit)
        return -EMSGSIZE; /* before any of it is read; and it may grow meanwhile */
    if (n < 0)
        return (int)n;
    for (;;) {
        char beyond; /* tells, when the buffer is full, whether that is all */
        size_t room = b->limit - b->count < PIECE_BYTES ? b->limit - b->count : PIECE_BYTES;
        int err = mw_buffer_reserve(b, room);

        if (err < 0)
            return err;
        n = mw_file_read(self, file, room > 0 ? (void *)(b->data + b->count) : &beyond, room > 0 ? room : 1, (int64_t)b->count, deadline_ns);
        if (n > 0 && room == 0)
            return -EMSGSIZE;
        if (n <= 0)
            return (int)n;
        b->count += (size_t)n;
    }
}

int mw_file_load(mw_tasklet *self, const char *path, size_t most_bytes, int64_t deadline_ns, mw_value *ret, struct mw_error *ret_error)
{
    LIVE_CHECK(self);
    struct mw_buffer b;
    mw_file *file = NULL;
    mw_value all;
    int err = path && ret && most_bytes > 0 && most_bytes <= INT32_MAX ? 0 : -EINVAL;

    if (err < 0)
        return mw_fail(ret_error, err, "read '%s': want a path, where to put it, and 1 to 2147483647 bytes", path ? path : "(NULL)");
    err = mw_file_open(self, path, O_RDONLY, 0, deadline_ns, &file, ret_error);
    if (err < 0)
        return err;
    mw_buffer_init(&b, most_bytes);
    err = load(self, file, &b, deadline_ns);
    mw_file_close(file);
    if (err == 0) {
        all = mw_bytes(b.data ? (const char *)b.data : "", b.count);
        if (mw_kind_of(all) == MW_BYTES)
            *ret = all;
        else
            err = -ENOMEM;
    }
    mw_buffer_clear(&b);
    if (err == -EMSGSIZE)
        return mw_fail(ret_error, err, "read '%s': more than the %zu bytes asked for at most", path, most_bytes);
    return err < 0 ? mw_fail(ret_error, err, "read '%s': %s", path, why(err)) : 0;
}
