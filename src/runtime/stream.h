/* The inside of a stream, for this room's files.
 * SPDX-License-Identifier: MIT */
#ifndef RUNTIME_STREAM_H
#define RUNTIME_STREAM_H

#include "runtime/host.h"

struct mw_stream {
    struct runtime_host *host;
    struct poller_watch *watch;
    int fd;
    mw_tasklet *reader, *writer; /* whose call reads and writes, from its beginning to its end; NULL: nobody's */
    bool reader_waits, writer_waits;
    unsigned uses; /* calls in it: it outlives its close until they have returned */
    bool is_closed;
    struct stream_name *name; /* what its close removes: a Unix listener's path; NULL: nothing */
    struct mw_stream **held;  /* where its process holds it, NULL from its close on; NULL: no process does */
    unsigned unbroken;        /* calls in a row that the kernel did not make wait */
    uint64_t shortages;       /* how often accept had to wait for a descriptor */
};

/* takes the descriptor, also on failure; makes it non-blocking. 0; -EPERM nothing that can be waited for, -EBADF, -ENOMEM */
int stream_new(struct runtime_host *host, int takes_fd, struct mw_stream **ret);
/* What every call begins with: self may suspend, and its worker is the one that watches s. 0; -EINVAL, -ENOTSUP, -ECANCELED */
int stream_check(const mw_tasklet *self, const struct mw_stream *s);
/* Begin to read or write (POLLER_READ, POLLER_WRITE). 0; -EBUSY another call does. stream_leave ends it, and frees a stream that was
 * closed meanwhile. */
int stream_take(mw_tasklet *self, struct mw_stream *s, int event);
void stream_leave(struct mw_stream *s, int event);
/* Between the two: suspend self until the descriptor is ready. 0; -ETIMEDOUT, -ECANCELED: also when s was closed */
int stream_wait(mw_tasklet *self, struct mw_stream *s, int event, int64_t deadline_ns);

/* Between the two, before each try: who is never made to wait lets the others run now and then. 0; as stream_wait */
int stream_let_others(mw_tasklet *self, struct mw_stream *s);

/* Remove the file that a Unix listener made, unless another stands in its place, and free. Accepts NULL. */
void stream_name_remove(struct stream_name *name);

#endif
