/* Opening a file beneath a folder, and the validators that HTTP caches compare (RFC 9110 §8.8, §13).
 * Not its way to the client; that is answer_files.c. Read next: files.c.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_FILES_H
#define EDGE_FILES_H

#include "codec/http.h"
#include "edge/edge.h"

enum { FILE_ETAG_BYTES = 56, FILE_LINES_BYTES = 192 };

struct file {
    int fd;         /* -1: the content is in bytes */
    mw_value bytes; /* the content; null: it is to be read */
    uint64_t byte_count;
    int64_t modified_s;
    int64_t changed_ns; /* when content, rights or links changed last, as the file system says */
    uint64_t device;
    char etag[FILE_ETAG_BYTES]; /* strong: changes with content, for all that mtime, size and inode tell */
    uint8_t line_count;         /* 0: not written yet */
    char lines[FILE_LINES_BYTES]; /* the header lines that say all this of the whole file */
};

/* Open a regular file. No step leaves the folder.
 *
 * returns  0, ret->fd the caller's (file_close); -ENOENT nothing that is given out (missing, a folder, a device, outside, a
 *          dot-file, no right to read); -EMFILE, -ENFILE, -ENOMEM, -EIO
 */
int file_open(const struct edge_place *place, struct file *ret);
void file_close(struct file *file); /* also what has only bytes */

/* Whether its time stamp will tell of a further write: one that has just been written may be so once more before the clock
 * of its file system moves on. */
bool file_is_settled(const struct file *file);
/* Read an open file into memory and close it. false: left as it was. It changed meanwhile, cannot be read, or memory ran out */
bool file_load(struct file *file);
/* Copy a part of it. false: it became shorter, or cannot be read */
bool file_read(const struct file *file, uint64_t first, size_t byte_count, void *ret_bytes);

/* Tag it as its own gzipped form, which is another representation. */
void file_tag_gzipped(struct file *file);

/* Open beneath a directory, as openat2 with RESOLVE_BENEATH does; step by step and without symbolic links where the
 * kernel has no openat2. flags  as of open. returns a descriptor or a negative errno name */
int file_open_beneath(int dir_fd, const char *path, int flags);
int file_open_by_steps(int dir_fd, const char *path, int flags);

/* Whether the request is for another state of the file than this: If-Match decides where it is there, else
 * If-Unmodified-Since. */
bool file_is_unwanted(const struct file *file, const struct http_request *request);
/* Whether the client has this very file: If-None-Match decides where it is there, else If-Modified-Since. */
bool file_is_known(const struct file *file, const struct http_request *request);
/* Whether If-Range names this very file: its tag, or its time to the second (RFC 9110 §13.1.5); or is not there. */
bool file_is_same(const struct file *file, const struct http_request *request);

#endif
