/* Files beneath a folder: openat2, so that the kernel itself refuses every way out.
 * Not which folders are served; the route hook says so. Read next: exchange.c.
 * SPDX-License-Identifier: MIT */
#include "edge/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "codec/url.h"

enum { OPEN_TRIES = 8, SETTLED_S = 2 };

int file_open_by_steps(int dir_fd, const char *path, int flags)
{
    int at = dir_fd, next;
    char segment[256];

    for (;;) {
        size_t count = strcspn(path, "/");
        bool is_last = path[count] == '\0';

        if (count == 0 || count >= sizeof segment || path[0] == '.') {
            next = -ENOENT;
        } else {
            memcpy(segment, path, count);
            segment[count] = '\0';
            next = openat(at, segment, O_NOFOLLOW | O_CLOEXEC | (is_last ? flags : O_PATH | O_DIRECTORY));
            next = next < 0 ? -errno : next;
        }
        if (at != dir_fd)
            (void)close(at); /* O_PATH: nothing to lose */
        if (next < 0 || is_last)
            return next;
        at = next;
        path += count + 1;
    }
}

int file_open_beneath(int dir_fd, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int tries, err = 0;

    for (tries = 0; tries < OPEN_TRIES; tries++) {
        long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);

        if (fd >= 0)
            return (int)fd;
        err = errno;
        /* An old kernel, or a sandbox that does not know the call. */
        if (err == ENOSYS || (err == EPERM && tries == 0))
            return file_open_by_steps(dir_fd, path, flags);
        if (err != EAGAIN && err != EINTR) /* EAGAIN: something was renamed on the way */
            break;
    }
    return -err;
}

/* Which failures are ours; all others mean that no such file is given out. */
static int file_error(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -EIO ? err : -ENOENT;
}

static int file_open_fd(const struct edge_place *place)
{
    int folder, fd;

    if (!url_is_servable(place->path))
        return -ENOENT;
    /* O_NONBLOCK: a fifo must not hold the loop. It means nothing for a regular file. */
    if (!place->folder)
        return file_open_beneath(place->root_fd, place->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    folder = file_open_beneath(place->root_fd, place->folder, O_PATH | O_DIRECTORY);
    if (folder < 0)
        return folder;
    fd = file_open_beneath(folder, place->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    (void)close(folder);
    return fd;
}

/* Past 64 bits it wraps: a file system may say anything. */
static int64_t time_ns(const struct timespec *at)
{
    return (int64_t)((uint64_t)at->tv_sec * UINT64_C(1000000000) + (uint64_t)at->tv_nsec);
}

int file_open(const struct edge_place *place, struct file *ret)
{
    int fd = file_open_fd(place);
    struct stat st;

    if (fd < 0)
        return file_error(fd);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return -ENOENT;
    }
    ret->fd = fd;
    ret->bytes = mw_null();
    ret->line_count = 0;
    ret->byte_count = (uint64_t)st.st_size;
    ret->modified_s = st.st_mtim.tv_sec;
    ret->changed_ns = time_ns(&st.st_ctim);
    ret->device = st.st_dev;
    (void)snprintf(ret->etag, sizeof ret->etag, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"",
                   (uint64_t)time_ns(&st.st_mtim), (uint64_t)st.st_size, (uint64_t)st.st_ino);
    return 0;
}

void file_close(struct file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd); /* opened for reading: nothing to lose */
    file->fd = -1;
    mw_release(file->bytes);
    file->bytes = mw_null();
}

/* ---- content ----------------------------------------------------------------------------------------- */
bool file_is_settled(const struct file *file)
{
    return (int64_t)time(NULL) - file->modified_s >= SETTLED_S;
}

bool file_read(const struct file *file, uint64_t first, size_t byte_count, void *ret_bytes)
{
    size_t count = 0;
    const char *bytes = mw_get_text(&file->bytes, &count);

    if (!bytes)
        return pread(file->fd, ret_bytes, byte_count, (off_t)first) == (ssize_t)byte_count;
    if (first > count || byte_count > count - first)
        return false;
    if (byte_count > 0)
        memcpy(ret_bytes, bytes + first, byte_count);
    return true;
}

static void write_lines(struct file *file)
{
    char date[HTTP_DATE_BYTES];
    int count;

    http_format_date(date, file->modified_s);
    count = snprintf(file->lines, sizeof file->lines,
                     "Content-Length: %" PRIu64 "\r\nETag: %s\r\nLast-Modified: %s\r\nAccept-Ranges: bytes\r\n",
                     file->byte_count, file->etag, date);
    file->line_count = count > 0 && count < FILE_LINES_BYTES ? (uint8_t)count : 0;
}

bool file_load(struct file *file)
{
    size_t count = (size_t)file->byte_count;
    char *content = mw_alloc(count + 1); /* an empty file is one too */
    mw_value bytes = mw_null();
    struct stat st;

    if (content && file_read(file, 0, count, content) && fstat(file->fd, &st) == 0 &&
        time_ns(&st.st_ctim) == file->changed_ns)
        bytes = mw_bytes(content, count);
    mw_free(content);
    if (mw_kind_of(bytes) != MW_BYTES)
        return false;
    (void)close(file->fd);
    file->fd = -1;
    file->bytes = bytes;
    write_lines(file);
    return true;
}

/* ---- validators -------------------------------------------------------------------------------------- */
void file_tag_gzipped(struct file *file)
{
    static const char suffix[] = "-gz\"";
    size_t quote = strlen(file->etag) - 1;

    static_assert(sizeof "\"0123456789abcdef-0123456789abcdef-0123456789abcdef-gz\"" <= FILE_ETAG_BYTES,
                  "three numbers, two quotes and the suffix fit");
    memcpy(file->etag + quote, suffix, sizeof suffix);
    file->line_count = 0;
}

/* false: there is no such field, or no date in it */
static bool read_date(const struct http_request *request, const char *name, int64_t *ret_unix_s)
{
    struct http_text text = http_value(request, name);

    return text.count > 0 && http_parse_date(text, (int64_t)time(NULL), ret_unix_s);
}

bool file_is_unwanted(const struct file *file, const struct http_request *request)
{
    int64_t since_s;

    if (http_find(request, "If-Match", NULL))
        return !http_matches_etag(request, file->etag);
    return read_date(request, "If-Unmodified-Since", &since_s) && file->modified_s > since_s;
}

bool file_is_known(const struct file *file, const struct http_request *request)
{
    int64_t since_s;

    if (http_find(request, "If-None-Match", NULL))
        return http_lists_etag(request, file->etag);
    return read_date(request, "If-Modified-Since", &since_s) && file->modified_s <= since_s;
}

bool file_is_same(const struct file *file, const struct http_request *request)
{
    struct http_text if_range = http_value(request, "If-Range");
    int64_t since_s;

    if (!if_range.bytes)
        return true;
    if (if_range.count == strlen(file->etag) && memcmp(if_range.bytes, file->etag, if_range.count) == 0)
        return true;
    return read_date(request, "If-Range", &since_s) && file->modified_s == since_s;
}
