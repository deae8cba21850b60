/* Child processes: started, waited for, signalled; each is reaped as soon as it has ended, whether anybody waits for it or not.
 * Not what goes over its pipes; that is stream.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "runtime/stream.h"

#define LOOK_NS INT64_C(10000000) /* how often one is looked at that the kernel does not tell about */

struct mw_process {
    struct runtime_host *host;
    struct mw_process *next, **at; /* of the host's; *at is this one */
    pid_t pid;
    int pidfd;                  /* readable when it has ended; -1: the kernel gave none, a timer looks. Both are there until it is reaped */
    struct poller_watch *watch; /* of pidfd */
    struct poller_timer *timer;
    mw_stream *streams[3];      /* our ends of its pipes */
    mw_tasklet *waiter;         /* whose call waits, from its beginning to its end; NULL: nobody's */
    bool waiter_waits;
    bool has_ended, is_closed;
    int result;                 /* of reaping it: 0; -ECHILD */
    mw_process_status status;
};

/* ---- the end of one ---------------------------------------------------------------------------------------- */
/* Stop looking at it: it has been reaped, or never will be. */
static void process_forget(struct mw_process *p)
{
    poller_unwatch(p->watch);
    poller_timer_free(p->timer);
    p->watch = NULL;
    p->timer = NULL;
    if (p->pidfd >= 0)
        (void)close(p->pidfd); /* it has told all it had to */
    p->pidfd = -1;
}

/* Whoever has come last of its end, its close and the call that waits for it frees it. */
static void process_free_if_done(struct mw_process *p)
{
    if (!p->has_ended || !p->is_closed || p->waiter)
        return;
    *p->at = p->next;
    if (p->next)
        p->next->at = p->at;
    mw_free(p);
}

static void wake_waiter(struct mw_process *p, int result)
{
    if (p->waiter_waits)
        mw_outside_wake(p->waiter, result);
    p->waiter_waits = false;
}

static void process_end(struct mw_process *p, int result)
{
    process_forget(p);
    p->has_ended = true;
    p->result = result;
    p->host->running--;
    wake_waiter(p, 0);
    process_free_if_done(p);
}

static int process_reap(const struct mw_process *p, siginfo_t *ret)
{
    if (p->pidfd >= 0 && waitid(P_PIDFD, (id_t)p->pidfd, ret, WEXITED | WNOHANG) == 0)
        return 0;
    if (p->pidfd >= 0 && errno != EINVAL) /* Linux 5.3 has pidfds, but does not reap by them */
        return -errno;
    return waitid(P_PID, (id_t)p->pid, ret, WEXITED | WNOHANG) < 0 ? -errno : 0;
}

static void process_look(void *context)
{
    struct mw_process *p = context;
    siginfo_t info = {0};
    int err = process_reap(p, &info);

    if (err == 0 && info.si_pid == 0) { /* not yet */
        if (p->timer)
            poller_timer_set(p->timer, mw_now_ns() + LOOK_NS);
        return;
    }
    if (err == 0 && info.si_code == CLD_EXITED)
        p->status = (mw_process_status){.code = info.si_status};
    else
        p->status = (mw_process_status){.code = -1, .signal = info.si_status};
    process_end(p, err);
}

static void pidfd_ready(void *context, int events)
{
    (void)events;
    process_look(context);
}

/* ---- starting ----------------------------------------------------------------------------------------------- */
/* What it takes until the program runs. */
struct start {
    int theirs[3]; /* their ends of the pipes; -1: none */
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
};

/* A pipe for the child's descriptor number. Its end must not lie where another one is to be put. */
static int open_pipe(struct mw_process *p, struct start *start, int number)
{
    int ends[2], theirs, ours, err;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    theirs = ends[number == STDIN_FILENO ? 0 : 1];
    ours = ends[number == STDIN_FILENO ? 1 : 0];
    start->theirs[number] = fcntl(theirs, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    err = start->theirs[number] < 0 ? -errno : 0;
    (void)close(theirs); /* there is another one, or an error */
    if (err < 0) {
        (void)close(ours); /* it was never used */
        return err;
    }
    err = stream_new(p->host, ours, &p->streams[number]);
    if (err == 0)
        p->streams[number]->held = &p->streams[number];
    return err;
}

/* What the child does with its descriptor number before the program begins. 0, -ENOMEM, -EMFILE and the like */
static int prepare_stdio(struct mw_process *p, struct start *start, int number, enum mw_stdio kind)
{
    int err;

    switch (kind) {
    case MW_STDIO_INHERIT:
        return 0;
    case MW_STDIO_NULL:
        return -posix_spawn_file_actions_addopen(&start->actions, number, "/dev/null", number == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
    case MW_STDIO_PIPE:
        err = open_pipe(p, start, number);
        return err < 0 ? err : -posix_spawn_file_actions_adddup2(&start->actions, start->theirs[number], number);
    case MW_STDIO_STDOUT:
        return -posix_spawn_file_actions_adddup2(&start->actions, STDOUT_FILENO, number);
    }
    return -EINVAL;
}

/* Every signal as at the beginning of the world: what this thread blocks and this program handles or ignores is its own affair. */
static int prepare_signals(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int err;

    (void)sigemptyset(&none); /* with such arguments none of these fails */
    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGKILL);
    (void)sigdelset(&all, SIGSTOP);
    err = -posix_spawnattr_setsigmask(attributes, &none);
    if (err == 0)
        err = -posix_spawnattr_setsigdefault(attributes, &all);
    return err < 0 ? err : -posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int start_prepared(struct mw_process *p, struct start *start, const mw_process_options *o)
{
    int err = prepare_stdio(p, start, STDIN_FILENO, o->input);

    if (err == 0)
        err = prepare_stdio(p, start, STDOUT_FILENO, o->output);
    if (err == 0)
        err = prepare_stdio(p, start, STDERR_FILENO, o->error);
    if (err == 0 && o->directory)
        err = -posix_spawn_file_actions_addchdir_np(&start->actions, o->directory);
    if (err == 0)
        err = -posix_spawn_file_actions_addclosefrom_np(&start->actions, STDERR_FILENO + 1);
    if (err == 0)
        err = prepare_signals(&start->attributes);
    if (err == 0) /* it writes to neither: the types are older than const */
        err = -posix_spawnp(&p->pid, o->argv[0], &start->actions, &start->attributes, (char *const *)(uintptr_t)o->argv,
                            o->environment ? (char *const *)(uintptr_t)o->environment : environ);
    return err;
}

static int process_start(struct mw_process *p, const mw_process_options *o)
{
    struct start start = {.theirs = {-1, -1, -1}};
    int err = -posix_spawn_file_actions_init(&start.actions), i;

    if (err < 0)
        return err;
    err = -posix_spawnattr_init(&start.attributes);
    if (err == 0) {
        err = start_prepared(p, &start, o);
        (void)posix_spawnattr_destroy(&start.attributes); /* neither fails */
    }
    (void)posix_spawn_file_actions_destroy(&start.actions);
    for (i = 0; i < 3; i++)
        if (start.theirs[i] >= 0)
            (void)close(start.theirs[i]); /* the child has its own */
    return err;
}

/* It runs, and must not be lost for the want of a descriptor: where the kernel gives no pidfd, or it cannot be watched, the timer looks. */
static void watch_process(struct mw_process *p)
{
    p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (p->pidfd >= 0 && poller_watch(p->host->poller, p->pidfd, POLLER_READ, pidfd_ready, p, &p->watch) == 0) {
        poller_timer_free(p->timer);
        p->timer = NULL;
        return;
    }
    poller_timer_set(p->timer, mw_now_ns());
}

static void close_streams(struct mw_process *p)
{
    int i;

    for (i = 0; i < 3; i++)
        mw_stream_close(p->streams[i]); /* which takes itself out */
}

static int process_open(struct runtime_host *host, const mw_process_options *o, mw_process **ret)
{
    struct mw_process *p;
    int err;

    if (host->running >= PROCESSES_MOST) {
        host->processes_refused++;
        return -EAGAIN;
    }
    p = mw_alloc_zeroed(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->host = host;
    p->pidfd = -1;
    err = poller_timer_new(host->poller, process_look, p, &p->timer);
    if (err == 0)
        err = process_start(p, o);
    if (err < 0) {
        close_streams(p);
        process_forget(p);
        mw_free(p);
        return err;
    }
    p->at = &host->processes;
    p->next = host->processes;
    if (p->next)
        p->next->at = &p->next;
    host->processes = p;
    host->running++;
    host->processes_started++;
    watch_process(p);
    *ret = p;
    return 0;
}

static bool is_stdio(enum mw_stdio kind, enum mw_stdio most)
{
    return (int)kind >= 0 && kind <= most;
}

static const char *why(int err, const mw_process_options *o)
{
    struct stat found;

    switch (err) {
    case -ENOENT:
        if (o->directory && stat(o->directory, &found) < 0)
            return "no such directory";
        return strchr(o->argv[0], '/') ? "no such program, or the interpreter that its first line names is missing" : "no such program in PATH";
    case -EACCES:
        return "not permitted: no program, or the way to it is closed";
    case -EAGAIN:
        return "1024 run already on this worker, or as many as the user may have (ulimit -u)";
    default:
        return mw_strerror(err);
    }
}

int mw_spawn(mw_tasklet *self, const mw_process_options *o, mw_process **ret, struct mw_error *ret_error)
{
    LIVE_CHECK(self);
    struct runtime_host *host;
    int err;

    if (!o || !ret || o->size != sizeof(*o) || !o->argv || !o->argv[0])
        return mw_fail(ret_error, -EINVAL, "start a program: want options with .size = sizeof(mw_process_options) and .argv, and where to put it");
    if (!is_stdio(o->input, MW_STDIO_PIPE) || !is_stdio(o->output, MW_STDIO_PIPE) || !is_stdio(o->error, MW_STDIO_STDOUT))
        return mw_fail(ret_error, -EINVAL, "start '%s': its input and output can be inherited, null or a pipe, its error also standard output",
                       o->argv[0]);
    err = host_of(self, &host);
    if (err == 0)
        err = process_open(host, o, ret);
    if (err == 0)
        return 0;
    return mw_fail(ret_error, err, "start '%s'%s%s%s: %s", o->argv[0], o->directory ? " in '" : "", o->directory ? o->directory : "",
                   o->directory ? "'" : "", why(err, o));
}

/* ---- while it runs -------------------------------------------------------------------------------------------- */
mw_stream *mw_process_stdin(const mw_process *p)
{
    return p ? p->streams[STDIN_FILENO] : NULL;
}

mw_stream *mw_process_stdout(const mw_process *p)
{
    return p ? p->streams[STDOUT_FILENO] : NULL;
}

mw_stream *mw_process_stderr(const mw_process *p)
{
    return p ? p->streams[STDERR_FILENO] : NULL;
}

pid_t mw_process_pid(const mw_process *p)
{
    return p ? p->pid : -1;
}

int mw_process_wait(mw_tasklet *self, mw_process *p, int64_t deadline_ns, mw_process_status *ret)
{
    LIVE_CHECK(self);
    struct runtime_host *host;
    int err = p && ret ? host_of(self, &host) : -EINVAL;

    if (err == 0 && host != p->host)
        err = -EINVAL; /* another worker's */
    if (err == 0 && p->waiter)
        err = -EBUSY;
    if (err < 0)
        return err;
    if (!p->has_ended) {
        p->waiter = self;
        p->waiter_waits = true;
        err = mw_outside_wait(self, MW_OUTSIDE_PROCESS, deadline_ns);
        p->waiter = NULL;
        p->waiter_waits = false;
        if (p->is_closed) {
            process_free_if_done(p);
            return -ECANCELED;
        }
        if (err < 0 && !(err == -ETIMEDOUT && p->has_ended)) /* both at the same time: the end counts */
            return err;
    }
    if (p->result < 0)
        return p->result;
    *ret = p->status;
    return 0;
}

int mw_process_kill(mw_process *p, int signal)
{
    if (!p)
        return -EINVAL;
    if (p->has_ended) /* its number may be another's by now */
        return -ESRCH;
    return (p->pidfd >= 0 ? (int)syscall(SYS_pidfd_send_signal, p->pidfd, signal, NULL, 0) : kill(p->pid, signal)) < 0 ? -errno : 0;
}

/* returns  0, or why it cannot be killed: it has become another user's */
static int process_close(struct mw_process *p)
{
    int err = p->has_ended ? 0 : mw_process_kill(p, SIGKILL);

    close_streams(p);
    p->is_closed = true;
    wake_waiter(p, -ECANCELED);
    process_free_if_done(p);
    return err == -ESRCH ? 0 : err;
}

void mw_process_close(mw_process *p)
{
    if (p && !p->is_closed)
        (void)process_close(p); /* whoever cannot be killed is reaped when it ends */
}

size_t processes_end(struct runtime_host *host)
{
    struct mw_process *p, *next;
    size_t count = 0;

    for (p = host->processes; p; p = next) {
        next = p->next;
        count += !p->has_ended && !p->is_closed;
        if (process_close(p) < 0)
            process_end(p, -EPERM); /* not ours to wait for: it may run for ever */
    }
    return count;
}
