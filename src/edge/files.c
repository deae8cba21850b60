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
#include <unistd.h>

#include "codec/url.h"

enum { OPEN_TRIES = 8 };

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
    ret->byte_count = (uint64_t)st.st_size;
    ret->modified_s = st.st_mtim.tv_sec;
    ret->device = st.st_dev;
    (void)snprintf(ret->etag, sizeof ret->etag, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"",
                   (uint64_t)st.st_mtim.tv_sec * UINT64_C(1000000000) + (uint64_t)st.st_mtim.tv_nsec,
                   (uint64_t)st.st_size, (uint64_t)st.st_ino);
    return 0;
}

void file_tag_gzipped(struct file *file)
{
    static const char suffix[] = "-gz\"";
    size_t quote = strlen(file->etag) - 1;

    static_assert(sizeof "\"0123456789abcdef-0123456789abcdef-0123456789abcdef-gz\"" <= FILE_ETAG_BYTES,
                  "three numbers, two quotes and the suffix fit");
    memcpy(file->etag + quote, suffix, sizeof suffix);
}

bool file_is_known(const struct file *file, struct http_text if_none_match,
                   struct http_text if_modified_since)
{
    int64_t since_s;

    if (!if_none_match.bytes)
        return if_modified_since.bytes && http_parse_date(if_modified_since, &since_s) &&
               file->modified_s <= since_s;
    return http_lists_etag(if_none_match, file->etag);
}

bool file_is_same(const struct file *file, struct http_text if_range)
{
    int64_t since_s;

    if (if_range.count > 0 && (if_range.bytes[0] == '"' || if_range.bytes[0] == 'W'))
        return http_lists_etag_strongly(if_range, file->etag);
    return http_parse_date(if_range, &since_s) && file->modified_s == since_s;
}
