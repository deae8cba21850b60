/* The runtime: worker threads that run meshes, and input, output and long work that suspend only the tasklet.
 * Not tasklets and meshes; those are in tasklet.h and scheduler.h. In the library meshwork, not in meshwork-core.
 * Read next: examples/08-pipeline.c, examples/09-chat.c.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_RUNTIME_H
#define MESHWORK_RUNTIME_H

#include <sys/types.h>

#include <meshwork/scheduler.h>

MW_BEGIN_DECLS

/* ---- workers ---------------------------------------------------------------------------------------
 * A worker is a thread with an event loop. It runs the meshes that were given to it; each stays with its worker. Between meshes
 * everything goes by mw_post. */
typedef struct mw_runtime mw_runtime;

typedef struct mw_runtime_options {
    size_t size;                  /* sizeof(mw_runtime_options) */
    size_t workers MW_OPTIONAL;   /* 1 to 1,024; 0: one per processor that this process may use */
    bool is_embedded MW_OPTIONAL; /* worker 0 has no thread of its own: it is the thread that calls mw_runtime_turn or mw_runtime_run */
} mw_runtime_options;

/* Start the workers; they sleep until they are given a mesh. Signals come to none of their threads.
 * options  may be NULL; borrowed during the call
 * returns  0; -EINVAL; -ENOMEM, -EAGAIN no thread; ret_error says which */
MW_EXPORT int mw_runtime_open(const mw_runtime_options *options, mw_runtime **ret, struct mw_error *ret_error);
MW_EXPORT size_t mw_runtime_worker_count(const mw_runtime *rt);
/* Make a mesh that a worker will run: a taskmaster that runs whoever was made last first (MW_ORDER_NEWEST). Until mw_runtime_start it is the
 * caller's: enter it, make its tasklets and their addresses.
 * worker   0 and up; SIZE_MAX: the one that has the fewest
 * returns  borrowed from rt; NULL: out of memory, or no such worker. context: any thread, but not a worker's, unless that is the host's and outside any body */
MW_EXPORT MW_MUST_USE mw_scheduler *mw_runtime_mesh(mw_runtime *rt, size_t worker);
/* Hand it to its worker, whose thread alone touches it from now on; others hold addresses.
 * returns 0; -EINVAL not one of rt's, or started before */
MW_EXPORT int mw_runtime_start(mw_runtime *rt, mw_scheduler *mesh);
/* Let mw_runtime_wait, mw_runtime_run and mw_runtime_turn return, from now on. context: any thread, a body too; signal-safe */
MW_EXPORT void mw_runtime_stop(mw_runtime *rt);
/* Wait for mw_runtime_stop. context: any thread but a worker's */
MW_EXPORT void mw_runtime_wait(mw_runtime *rt);

/* ---- worker 0 on a thread of the host's ---------------------------------------------------------------
 * Of a runtime that is_embedded. Whichever thread calls one of these first, mw_runtime_fd aside, is worker 0 for good; it also closes the runtime. Outside bodies it may
 * send to the tasklets of its meshes directly: a turn then runs them. */
/* Be worker 0 until mw_runtime_stop.
 * returns  0; -EBUSY another thread is worker 0, or it was called from inside a body; -ENOTSUP worker 0 has a thread of its own; -EINVAL */
MW_EXPORT int mw_runtime_run(mw_runtime *rt);
/* For a host with a loop of its own (poll, epoll, GLib, Qt): watch this descriptor for reading, sleep for mw_runtime_timeout_ns at most, then call
 * mw_runtime_turn(rt, 0). It stays the same while rt does, and stays the runtime's: nothing is read from it.
 * returns  -1: not embedded. context: any thread */
MW_EXPORT int mw_runtime_fd(const mw_runtime *rt);
/* How long the host may sleep: nanoseconds from now, 0: turn at once, MW_FOREVER: until the descriptor says so, or rt is not embedded or
 * another thread's. It holds until the next turn, or until the host sends to a tasklet directly: ask each time before you sleep. */
MW_EXPORT int64_t mw_runtime_timeout_ns(mw_runtime *rt);
/* Wait up to timeout_ns (0: not at all, MW_FOREVER) for something to do, and do it.
 * returns  1 goes on; 0 it was stopped; negative as mw_runtime_run */
MW_EXPORT int mw_runtime_turn(mw_runtime *rt, int64_t timeout_ns);

/* ---- a program that is tasklets and nothing else ------------------------------------------------------------ */
/* Run body as the first tasklet of a runtime with one worker, the calling thread, until it has closed: by returning, or by failing (for good, where it is
 * supervised). The tasklets that it has made are closed then, their close paths run. What it makes joins its mesh; processes, streams and signals are its own.
 * scope    borrowed during the call
 * returns  0; negative: what body returned, or why it could not begin: -EINVAL, -ENOMEM, -EMFILE; ret_error says which
 * context  any thread; inside a body those around it wait until it has ended */
MW_EXPORT int mw_runtime_main_at(mw_body *body, void *scope, const char *name, const char *file, int line, struct mw_error *ret_error);
#define mw_runtime_main(body, scope, ret_error) mw_runtime_main_at((body), (scope), #body, __FILE__, __LINE__, (ret_error))

/* What was still there when a runtime ended. */
struct mw_runtime_report {
    size_t meshes, tasklets;
    uint64_t queued_items;  /* in mailboxes */
    size_t waiting;         /* tasklets that were suspended */
    char fullest[64];       /* the name of the tasklet with the most; "" where there was none */
    size_t fullest_items;
    size_t processes;       /* children that still ran, and were killed */
};
/* A tasklet of those, and how many items it had. */
typedef struct mw_tasklet_left {
    const char *name, *file; /* where it was made; NULL: nobody said */
    int line;
    size_t items;
    bool is_closed;
} mw_tasklet_left;
/* What one mesh still had, with all that is nested in it. */
typedef struct mw_mesh_left {
    const mw_scheduler *mesh; /* to be looked at: mw_scheduler_each, mw_scheduler_dump */
    size_t worker;            /* that ran it; SIZE_MAX: it was never started */
    size_t tasklets, waiting;
    uint64_t queued_items;
    size_t queued_tasklets;   /* who had them */
    size_t fullest_count;     /* of these, the 16 that had the most, or all */
    const mw_tasklet_left *fullest; /* the most first */
} mw_mesh_left;
/* Be told of each mesh when the runtime ends, just before its tasklets are closed: mw_runtime_on_left(rt, mw_mesh_left_print, stderr). NULL: no longer.
 * left     called on the thread that ran the mesh, never twice at once; it borrows, and calls nothing that changes the mesh or the runtime
 * context  before mw_runtime_close, on the thread that calls that */
MW_EXPORT void mw_runtime_on_left(mw_runtime *rt, void (*left)(void *context, const mw_mesh_left *borrows), void *context);
/* Print it, in 18 lines at most; where nothing was queued and nobody waited, nothing.
 * file  a FILE *, borrowed */
MW_EXPORT void mw_mesh_left_print(void *file, const mw_mesh_left *left);
/* End the workers: each finishes its turn, closes its tasklets (close paths run, waits end with -ECANCELED), frees its meshes and ends their child
 * processes. Returns when all threads have ended. Accepts NULL.
 * ret_report  what was dropped by it; may be NULL
 * context     any thread but a worker's; where it is embedded, the one that is worker 0, outside any body */
MW_EXPORT void mw_runtime_close(mw_runtime *rt, struct mw_runtime_report *ret_report);

/* ---- streams -----------------------------------------------------------------------------------------
 * Connections, listeners and pipes. Every call that waits suspends self, and nobody else. Where none says otherwise:
 * deadline_ns  a time of mw_clock; MW_FOREVER: none
 * returns      -ETIMEDOUT; -ECANCELED self is being closed, or the stream was closed meanwhile; -EBUSY another tasklet reads (or
 *              writes) it; -ENOTSUP in a handler, or no worker runs this mesh; -EINVAL; else what the kernel said
 * context      inside self's own coroutine body, of a mesh that a worker runs */
typedef struct mw_stream mw_stream;

/* Connect to a name or an address and a port, by TCP; names are looked up on another thread.
 * returns 0, *ret returned owned: mw_stream_close; -ENOENT no such name; ret_error says what was attempted */
MW_EXPORT int mw_connect(mw_tasklet *self, const char *host, int port, int64_t deadline_ns, mw_stream **ret,
                         struct mw_error *ret_error);
/* The same to a Unix socket. */
MW_EXPORT int mw_connect_unix(mw_tasklet *self, const char *path, int64_t deadline_ns, mw_stream **ret, struct mw_error *ret_error);
/* Listen at a numeric address ("127.0.0.1", "::"). Does not suspend.
 * port      0: a free one
 * ret_port  the port; may be NULL
 * returns   0; -EADDRINUSE, -EACCES, -EADDRNOTAVAIL; ret_error says where */
MW_EXPORT int mw_listen(mw_tasklet *self, const char *address, int port, mw_stream **ret, int *ret_port, struct mw_error *ret_error);
/* Listen on a Unix socket. Does not suspend.
 *
 * path      up to 107 bytes; its directory has to have room for a name of some 15 more, which is there for a moment. A socket that a dead program left
 *           there is replaced; one that is listened on is not (asking costs that program a connection that ends at once). Removed by
 *           mw_stream_close, unless another stands in its place by then
 * mode      who may connect: 0600 the same user, 0660 his group too, 0666 all; whatever the umask. Directories on the way count too
 * returns   0; -EADDRINUSE another program listens there; -EEXIST what is there is no socket; -ENAMETOOLONG; -EACCES, -ENOENT;
 *           ret_error says where, why and what to do */
MW_EXPORT int mw_listen_unix(mw_tasklet *self, const char *path, unsigned mode, mw_stream **ret, struct mw_error *ret_error);
/* Wait for the next connection. *ret returned owned. Where the process or the system has no descriptor or memory left for it, it stays in the queue and is
 * tried again every 100 ms: the listener goes on when there is room again.
 * returns  also -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: so it was when the deadline came */
MW_EXPORT int mw_accept(mw_tasklet *self, mw_stream *listener, int64_t deadline_ns, mw_stream **ret);
/* How often mw_accept has had to wait for a descriptor or memory at this listener. context: the mesh's own thread */
MW_EXPORT uint64_t mw_stream_shortages(const mw_stream *listener);
/* Make a stream of a descriptor that one can wait for: a pipe, a socket, a terminal, a serial port. Takes it, also on failure; sets
 * O_NONBLOCK. returns 0; -EPERM it is none, a file for instance; -EBADF, -ENOMEM. Does not suspend. */
MW_EXPORT int mw_stream_open(mw_tasklet *self, int takes_fd, mw_stream **ret);
/* Read what there is, at least a byte. returns bytes; 0 the other side has ended; negative */
MW_EXPORT ssize_t mw_read(mw_tasklet *self, mw_stream *stream, void *ret_bytes, size_t room, int64_t deadline_ns);
/* Write all. returns 0; negative: an unknown part of it was written; -EPIPE the other side is gone. Never raises SIGPIPE. */
MW_EXPORT int mw_write(mw_tasklet *self, mw_stream *stream, const void *bytes, size_t byte_count, int64_t deadline_ns);
/* The descriptor of a stream, for calls that have no word here: recvfrom and sendto on a socket for datagrams, what another library does with its own. It
 * stays the stream's; it is non-blocking, and where it says EAGAIN one waits with one of the next two.
 * returns borrowed until the stream is closed; -1: it is. context: the mesh's own thread */
MW_EXPORT int mw_stream_fd(const mw_stream *stream);
/* Suspend until there is something to read, an end or an error included. Counts as reading: -EBUSY another tasklet reads. returns 0; negative */
MW_EXPORT int mw_wait_readable(mw_tasklet *self, mw_stream *stream, int64_t deadline_ns);
/* The same for room to write. */
MW_EXPORT int mw_wait_writable(mw_tasklet *self, mw_stream *stream, int64_t deadline_ns);
/* No more will be written; reading goes on. Sockets only. */
MW_EXPORT int mw_shutdown(mw_stream *stream);
/* Close. Whoever waits for it gets -ECANCELED. Accepts NULL. context: the mesh's own thread */
MW_EXPORT void mw_stream_close(mw_stream *stream);

/* ---- child processes ----------------------------------------------------------------------------------
 * A program that runs beside this one, its input and output streams here. It is reaped as soon as it has ended, whether anybody waits for it or not.
 * It starts with every signal unblocked and at its default, and with no descriptor of this process but 0, 1 and 2. */
typedef struct mw_process mw_process;

/* What a child has for its standard input, output or error. */
enum mw_stdio {
    MW_STDIO_INHERIT, /* what this process has */
    MW_STDIO_NULL,    /* /dev/null */
    MW_STDIO_PIPE,    /* a pipe, whose other end is a stream here */
    MW_STDIO_STDOUT,  /* of its standard error only: where its standard output goes */
};

typedef struct mw_process_options {
    size_t size;                                /* sizeof(mw_process_options) */
    const char *const *argv;                    /* the program and its arguments, then NULL. Without a slash the program is looked for in this process's PATH */
    const char *const *environment MW_OPTIONAL; /* "NAME=value" each, then NULL; NULL: this process's */
    const char *directory MW_OPTIONAL;          /* where it works, and where its path begins if that is relative; NULL: where this process does */
    enum mw_stdio input MW_OPTIONAL, output MW_OPTIONAL, error MW_OPTIONAL;
} mw_process_options;

/* Start a program. Does not suspend: the thread waits until the program has been found and loaded, some 0.5 ms.
 *
 * options  borrowed during the call
 * returns  0, *ret returned owned: mw_process_close; -ENOENT no such program or directory; -EACCES; -EMFILE, -ENFILE no descriptor for a pipe;
 *          -EAGAIN 1,024 run already on this worker, or as many as the user may have; -E2BIG arguments and environment too long;
 *          ret_error says which program, and why
 * context  as the streams */
MW_EXPORT int mw_spawn(mw_tasklet *self, const mw_process_options *options, mw_process **ret, struct mw_error *ret_error);
/* This end of a pipe: what one writes to stdin, reads from stdout and stderr. The process's, which closes it with itself; mw_stream_close before
 * that tells the child that no more comes, or that nobody reads.
 * returns borrowed; NULL: no pipe, or closed. context: the mesh's own thread, as the next three */
MW_EXPORT mw_stream *mw_process_stdin(const mw_process *process);
MW_EXPORT mw_stream *mw_process_stdout(const mw_process *process);
MW_EXPORT mw_stream *mw_process_stderr(const mw_process *process);
/* The kernel's number of it, for logs; another process's once it has ended. */
MW_EXPORT pid_t mw_process_pid(const mw_process *process);

/* How a child has ended. */
typedef struct mw_process_status {
    int code;   /* 0 to 255: what it returned; -1: a signal ended it */
    int signal; /* that one; 0: none */
} mw_process_status;

/* Wait until it has ended; at once where it has. Any number of times, by one tasklet at a time. Whoever holds its pipes has them still: read what
 * it left there before or after.
 *
 * deadline_ns  as for streams. It goes on running when that has come
 * returns      0, however it has ended; -ETIMEDOUT; -ECANCELED self or the process is being closed; -EBUSY another tasklet waits; -ECHILD somebody
 *              else in this program took its status, by waitpid(-1, ...) or by ignoring SIGCHLD; -ENOTSUP, -EINVAL as for streams
 * context      inside self's own coroutine body, of a mesh that a worker runs; suspends */
MW_EXPORT int mw_process_wait(mw_tasklet *self, mw_process *process, int64_t deadline_ns, mw_process_status *ret);
/* Send it a signal; never another process, whatever its number.
 * returns 0; -ESRCH it has ended; -EPERM it runs as another user; -EINVAL no such signal. context: the mesh's own thread */
MW_EXPORT int mw_process_kill(mw_process *process, int signal);
/* Close its streams, and kill it (SIGKILL) if it still runs: who wants to give it time sends SIGTERM and waits first. It is reaped in the background,
 * and by mw_runtime_close at the latest. Its own children are not ours to kill. Whoever waits for it gets -ECANCELED. Accepts NULL.
 * context: the mesh's own thread */
MW_EXPORT void mw_process_close(mw_process *process);

/* ---- files -----------------------------------------------------------------------------------------------
 * A file is always ready and may take long all the same, so the threads of mw_offload read and write it, with copies of the bytes. Whatever ends a
 * wait, a deadline or a close, nothing of the caller's is touched after the call has returned. Deadlines, results and contexts as with streams, and
 * -EAGAIN 1,024 functions are out already. */
typedef struct mw_file mw_file;

/* Open a regular file.
 * flags    as of open(2): O_RDONLY, O_RDWR | O_CREAT ...; where the wait ends early it may still be made or cut to nothing
 * mode     0 to 07777: of one that is made, less the umask
 * returns  0, *ret returned owned: mw_file_close; -ENOENT, -EACCES, -EEXIST, -EISDIR; -ESPIPE a pipe or a device; ret_error says which and why */
MW_EXPORT int mw_file_open(mw_tasklet *self, const char *path, int flags, unsigned mode, int64_t deadline_ns, mw_file **ret,
                           struct mw_error *ret_error);
/* Read from an offset what there is, 256 KiB at most.
 * returns bytes; 0 the end */
MW_EXPORT ssize_t mw_file_read(mw_tasklet *self, mw_file *file, void *ret_bytes, size_t room, int64_t offset, int64_t deadline_ns);
/* Write all at an offset (O_APPEND: at the end, wherever that is), by one at a time.
 * returns 0; negative: an unknown part of it was written, or is being written still; -EBUSY another one writes, or what is left of a write whose wait
 * ended early; -ENOSPC, -EFBIG, -EBADF opened for reading */
MW_EXPORT int mw_file_write(mw_tasklet *self, mw_file *file, const void *bytes, size_t byte_count, int64_t offset, int64_t deadline_ns);
MW_EXPORT int64_t mw_file_size(mw_tasklet *self, mw_file *file, int64_t deadline_ns); /* in bytes; negative */
/* Wait until what was written is on the disk. returns 0; -EIO and the like: some of it may be lost, whatever a second call says */
MW_EXPORT int mw_file_sync(mw_tasklet *self, mw_file *file, int64_t deadline_ns);
/* Close, in the background. Reads and writes that are under way are done first, but of a write that takes several goes no further one is begun: -ECANCELED.
 * Accepts NULL. context: the mesh's own thread */
MW_EXPORT void mw_file_close(mw_file *file);
/* Read a whole file.
 * most_bytes  1 to 2147483647
 * returns     0, *ret a value of kind MW_BYTES, returned owned; -EMSGSIZE it has more; as mw_file_open, mw_file_read */
MW_EXPORT int mw_file_load(mw_tasklet *self, const char *path, size_t most_bytes, int64_t deadline_ns, mw_value *ret, struct mw_error *ret_error);
/* Make a file have just these bytes: in a new one beside it ("PATH.mwXXXXXX" for the time) that is synced and takes its name. Others find the old one or
 * the new one, never a part, also after a crash. A symbolic link is replaced, not what it points to.
 * mode     0 to 07777, whatever the umask
 * returns  0; -ETIMEDOUT, -ECANCELED: the old one stays, unless the new one was just taking its name; -ENOENT no such directory; -EACCES, -ENOSPC;
 *          ret_error says which and why */
MW_EXPORT int mw_file_replace(mw_tasklet *self, const char *path, const void *bytes, size_t byte_count, unsigned mode, int64_t deadline_ns,
                              struct mw_error *ret_error);

/* ---- work elsewhere ------------------------------------------------------------------------------------- */
/* Run a function that blocks or takes long on a pool of threads, and wait for it.
 *
 * arg      the caller's where the result is 0 or more: run has left in it what it found. Where the result is negative, whatever the
 *          reason, arg is given to release, once, on the mesh's thread: before this returns, or where the wait ended before
 *          the function (which is not stopped) when that has come back
 * release  may be NULL: then arg must outlive the function by other means
 * returns  what run returned; -ETIMEDOUT, -ECANCELED; -EAGAIN 1,024 wait already; -ENOTSUP, -EINVAL, -ENOMEM
 * context  inside self's own coroutine body, of a mesh that a worker runs; suspends */
MW_EXPORT int mw_offload(mw_tasklet *self, int (*run)(void *arg), void *arg, void (*release)(void *arg), int64_t deadline_ns);

/* What a worker has out. */
struct mw_worker_stats {
    size_t works;               /* functions of mw_offload */
    uint64_t works_refused;     /* as 1,024 waited already */
    size_t processes;           /* children that have not ended */
    uint64_t processes_started;
    uint64_t processes_refused; /* as 1,024 ran already */
};
/* returns of the worker that runs this mesh; zeros: none does. context: the mesh's own thread */
MW_EXPORT struct mw_worker_stats mw_worker_stats(const mw_tasklet *self);

/* The same by message, for handlers and from outside: told is sent {"id": ID, "answer": ANSWER}, or {"id": ID, "error": CODE}, above a full mailbox if need
 * be. Freed meanwhile, it is sent nothing; the function is never stopped.
 *
 * run          leaves the answer in *ret_answer (null at first) and returns 0 or more; or returns a negative CODE
 * arg          taken in every case: given to release once, on the mesh's thread, when the function has come back, or at once where this fails
 * release      may be NULL
 * deadline_ns  a time of mw_clock, when told gets -ETIMEDOUT if there is no answer yet; MW_FOREVER: none
 * returns      ID, greater than 0; -EAGAIN 1,024 wait already; -ENOTSUP no worker runs told's mesh; -EINVAL, also when it is being freed; -ENOMEM
 * context      the mesh's own thread; does not suspend */
MW_EXPORT int64_t mw_offload_to(mw_tasklet *told, int (*run)(void *arg, mw_value *ret_answer), void *arg, void (*release)(void *arg),
                                int64_t deadline_ns);

/* ---- signals ---------------------------------------------------------------------------------------------- */
/* Have a signal of the process come to told as an item, {"signal": 15}, each time it comes, until mw_unsignal or told is freed; above a full mailbox if
 * need be, past twice its capacity refused and counted. Each tasklet that asks gets its own. What the signal would have done it does no longer; when nobody asks any
 * more it has its default again. It is caught in the threads that do not block it, which those of the library do.
 *
 * returns  0; -EBUSY the program handles it by itself; -EEXIST told has it already; -EINVAL no such signal, or one that is never an item: SIGKILL, SIGSTOP, faults
 *          (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT); -ENOTSUP no worker runs told's mesh; -ENOMEM, -EMFILE
 * context  the mesh's own thread; does not suspend */
MW_EXPORT int mw_signal_to(mw_tasklet *told, int signal);
/* Not any longer; what has come stays queued. returns 1; 0 it had not asked; -EINVAL */
MW_EXPORT int mw_unsignal(mw_tasklet *told, int signal);

MW_END_DECLS

#endif
