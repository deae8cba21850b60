/* Opening a file beneath a folder, and the validators that HTTP caches compare (RFC 9110 §8.8, §13).
 * Not its way to the client; that is answer_files.c. Read next: files.c.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_FILES_H
#define EDGE_FILES_H

#include "codec/http.h"
#include "edge/edge.h"

enum { FILE_ETAG_BYTES = 56 };

struct file {
    int fd;
    uint64_t byte_count;
    int64_t modified_s;
    uint64_t device;
    char etag[FILE_ETAG_BYTES]; /* strong: changes with content, for all that mtime, size and inode tell */
};

/* Open a regular file. No step leaves the folder.
 *
 * returns  0, ret->fd the caller's; -ENOENT nothing that is given out (missing, a folder, a device, outside, a
 *          dot-file, no right to read); -EMFILE, -ENFILE, -ENOMEM, -EIO
 */
int file_open(const struct edge_place *place, struct file *ret);

/* Tag it as its own gzipped form, which is another representation. */
void file_tag_gzipped(struct file *file);

/* Open beneath a directory, as openat2 with RESOLVE_BENEATH does; step by step and without symbolic links where the
 * kernel has no openat2. flags  as of open. returns a descriptor or a negative errno name */
int file_open_beneath(int dir_fd, const char *path, int flags);
int file_open_by_steps(int dir_fd, const char *path, int flags);

/* Whether the client has this very file: If-None-Match decides where it is there, else If-Modified-Since. Texts may
 * be absent. */
bool file_is_known(const struct file *file, struct http_text if_none_match, struct http_text if_modified_since);
/* Whether If-Range names this very file: its tag, or its time to the second (RFC 9110 §13.1.5). */
bool file_is_same(const struct file *file, struct http_text if_range);

#endif
