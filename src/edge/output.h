/* What a connection has yet to send: a queue of chunks that hold bytes, share a value or stand for a file.
 * Knows no protocol. Read next: output.c, connection.c.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_OUTPUT_H
#define EDGE_OUTPUT_H

#include <meshwork/value.h>
#include <sys/types.h>

struct output_chunk;

/* Emptied chunks, kept for the next message: one pool per edge. Zero-initialise. */
struct output_pool {
    struct output_chunk *free[4]; /* by size class */
    size_t free_count[4];
};
void output_pool_clear(struct output_pool *pool);

/* Zero-initialise. */
struct output {
    struct output_chunk *first, *last;
    size_t queued; /* bytes held or shared; a file's bytes do not count, they lie on the disk */
};

static inline bool output_is_empty(const struct output *o)
{
    return o->first == NULL;
}
/* Whether a file waits in the queue. */
bool output_has_file(const struct output *o);

/* Append copies of two runs of bytes (a header and its payload), or neither. 0, -ENOMEM */
int output_copy(struct output *o, struct output_pool *pool, const void *head, size_t head_count, const void *bytes,
                size_t byte_count);
/* Room at the end for bytes that the caller is about to write there; output_added says that they are. NULL: no memory
 * more  how many are likely to be queued behind them: what lies in one piece is written for less */
uint8_t *output_room(struct output *o, struct output_pool *pool, size_t byte_count, size_t more);
void output_added(struct output *o, size_t byte_count);
/* The same in one call where bytes are queued already and room is behind them; what is written there counts at once. NULL: not so */
uint8_t *output_behind(struct output *o, size_t byte_count);
/* Append a copy of a head and a reference to a text or bytes value from offset on. 0, -ENOMEM */
int output_share(struct output *o, struct output_pool *pool, const void *head, size_t head_count, mw_value borrows,
                 size_t offset);
/* Append a run of a file's bytes. With is_last the descriptor is taken, also on failure; without, it is borrowed until
 * the run of the same file that comes with is_last: both leave the queue in this order. 0, -ENOMEM */
int output_file(struct output *o, int fd, bool is_last, uint64_t first, uint64_t byte_count);

/* Write as much as a socket takes now.
 *
 * ret_written  bytes, also when it fails; ret_calls  system calls
 * returns      1 empty; 0 the socket is full; negative: it is broken (-EPIPE, -ECONNRESET), or -EIO a file that
 *              became shorter
 */
int output_write(struct output *o, struct output_pool *pool, int fd, uint64_t *ret_written, unsigned *ret_calls);
/* For a way out that wants bytes and not the queue (TLS): copy what is first in it, of memory and files, up to room bytes,
 * and take off the front what of it has been sent.
 * returns bytes copied, 0 the queue is empty; -EIO a file that became shorter or cannot be read */
ssize_t output_peek(struct output *o, struct output_pool *pool, uint8_t *ret_bytes, size_t room);
void output_drop(struct output *o, struct output_pool *pool, size_t byte_count);
/* Write past an empty queue: a large message need not be copied first.
 * returns bytes written, 0 where the socket is full or the queue is not empty; negative: it is broken */
ssize_t output_write_now(const struct output *o, int fd, const void *head, size_t head_count, const void *bytes,
                         size_t byte_count);
/* Drop what is queued. */
void output_clear(struct output *o, struct output_pool *pool);

#endif
