/* Listening on a Unix socket: a name in the file system that never points at a socket on which nobody listens, if we can help it.
 * Not TCP, and not accepting; those are connect.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "runtime/stream.h"

enum { BACKLOG = 1024, SPARE_NAMES = 100, LOCK_TRIES = 100 };

/* What a listener's close removes: just the file that it made, whatever stands there by then. */
struct stream_name {
    dev_t device;
    ino_t inode;
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
};

/* ---- one at a time ----------------------------------------------------------------------------------------- */
static int directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (int)(slash - path) + 1 : 0;
}

/* Have path's directory to oneself among those who put sockets there and take them away: each looks at what is there and then does
 * something about it. Somebody who has it has it for some 50 us. One who may not read the directory goes without, and so does who has not got it
 * after 100 ms: better a race than no server.
 * returns a descriptor to close; -1 */
static int directory_lock(const char *path)
{
    const struct timespec while_others_have_it = {.tv_nsec = 1000000};
    char directory[sizeof((struct stream_name *)NULL)->path];
    int fd, tries;

    (void)snprintf(directory, sizeof(directory), "%.*s.", directory_length(path), path);
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (tries = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || tries >= LOCK_TRIES) {
            (void)close(fd);
            return -1;
        }
        (void)nanosleep(&while_others_have_it, NULL); /* a signal only makes us look earlier */
    }
    return fd;
}

static void directory_unlock(int fd)
{
    if (fd >= 0)
        (void)close(fd); /* which lets go of it */
}

void stream_name_remove(struct stream_name *name)
{
    struct stat now;
    int lock;

    if (!name)
        return;
    lock = directory_lock(name->path);
    if (lstat(name->path, &now) == 0 && now.st_dev == name->device && now.st_ino == name->inode)
        (void)unlink(name->path); /* somebody may have taken its directory away: then there is nothing to remove */
    directory_unlock(lock);
    mw_free(name);
}

/* ---- names beside the path --------------------------------------------------------------------------------- */
/* A name for a moment in path's directory: the sockets appear under their own name only when they are ready. */
static int spare_name(const char *path, unsigned number, struct sockaddr_un *ret)
{
    int n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%.*s.mw%lx.%x", directory_length(path), path, (unsigned long)getpid(), number);

    ret->sun_family = AF_UNIX;
    return n < (int)sizeof(ret->sun_path) ? 0 : -ENAMETOOLONG;
}

/* returns 0 somebody listens at it; -ECONNREFUSED nobody does; else why that cannot be told */
static int is_listened_at(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;

    if (fd < 0)
        return -errno;
    err = connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 ? -errno : 0;
    (void)close(fd); /* nothing was said */
    return err == -EAGAIN || err == -EPROTOTYPE ? 0 : err; /* its queue is full; it is of another kind, and in use */
}

/* Take away a socket whose listener has died. It is moved aside first, and asked again there: another one that starts at the same time, and had
 * no lock, may have put its own in the place of the dead one. returns 0; -EADDRINUSE, -EEXIST no socket */
static int remove_stale(const struct sockaddr_un *at)
{
    struct sockaddr_un aside;
    struct stat found;
    int err;

    if (lstat(at->sun_path, &found) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(found.st_mode))
        return -EEXIST;
    err = is_listened_at(at);
    if (err != -ECONNREFUSED)
        return err == 0 ? -EADDRINUSE : err == -ENOENT ? 0 : err;
    err = spare_name(at->sun_path, SPARE_NAMES, &aside);
    if (err < 0)
        return err;
    if (rename(at->sun_path, aside.sun_path) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (is_listened_at(&aside) == 0) {
        err = link(aside.sun_path, at->sun_path) < 0 ? -errno : -EADDRINUSE; /* if a third one has come meanwhile, it stays */
        err = err == -EEXIST ? -EADDRINUSE : err;
    } else {
        err = 0;
    }
    (void)unlink(aside.sun_path); /* ours alone */
    return err;
}

/* ---- listening --------------------------------------------------------------------------------------------- */
static int bind_spare(int fd, const char *path, struct sockaddr_un *ret_spare)
{
    unsigned i;
    int err = -EADDRINUSE;

    for (i = 0; i < SPARE_NAMES && err == -EADDRINUSE; i++) { /* one that died here may have left some, in another container with our pid */
        err = spare_name(path, i, ret_spare);
        if (err == 0 && bind(fd, (const struct sockaddr *)ret_spare, sizeof(*ret_spare)) < 0)
            err = -errno;
    }
    return err;
}

/* Give the socket, which is listened on already, its name. */
static int put_in_place(const struct sockaddr_un *spare, const struct sockaddr_un *at)
{
    int tries, err = 0;

    for (tries = 0; tries < 3; tries++) {
        if (link(spare->sun_path, at->sun_path) == 0)
            return 0;
        if (errno != EEXIST)
            return -errno;
        err = remove_stale(at);
        if (err < 0)
            return err;
    }
    return -EADDRINUSE; /* others are at it too, and faster */
}

static int listen_at(const struct sockaddr_un *at, unsigned mode, struct stream_name *ret_name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;
    struct sockaddr_un spare;
    struct stat made = {0};
    int lock;

    if (fd < 0)
        return -errno;
    lock = directory_lock(at->sun_path);
    err = bind_spare(fd, at->sun_path, &spare);
    if (err == 0) {
        /* Its rights before it listens: nobody comes in through the moment between. */
        if (chmod(spare.sun_path, (mode_t)mode) < 0 || listen(fd, BACKLOG) < 0 || lstat(spare.sun_path, &made) < 0)
            err = -errno;
        else
            err = put_in_place(&spare, at);
        (void)unlink(spare.sun_path); /* it has its own name, or none */
    }
    directory_unlock(lock);
    if (err < 0) {
        (void)close(fd); /* nobody can have come */
        return err;
    }
    ret_name->device = made.st_dev;
    ret_name->inode = made.st_ino;
    memcpy(ret_name->path, at->sun_path, sizeof(ret_name->path));
    return fd;
}

static const char *why(int err)
{
    switch (err) {
    case -EADDRINUSE:
        return "another program listens there; end it, or take another path";
    case -EEXIST:
        return "something that is no socket is there, and is left alone; remove it, or take another path";
    case -ENOENT:
        return "no such directory; make it first";
    case -ENAMETOOLONG:
        return "too long for a Unix socket; take a shorter path, or one from the directory you are in";
    default:
        return mw_strerror(err);
    }
}

int mw_listen_unix(mw_tasklet *self, const char *path, unsigned mode, mw_stream **ret, struct mw_error *ret_error)
{
    LIVE_CHECK(self);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct stream_name *name = NULL;
    struct runtime_host *here;
    int err = path && *path && ret && mode > 0 && mode <= 0777 ? host_of(self, &here) : -EINVAL, fd = -1;

    if (err == 0 && strlen(path) >= sizeof(at.sun_path))
        err = -ENAMETOOLONG;
    if (err == 0 && !(name = mw_alloc_zeroed(1, sizeof(*name))))
        err = -ENOMEM;
    if (err == 0) {
        memcpy(at.sun_path, path, strlen(path));
        err = fd = listen_at(&at, mode, name);
    }
    if (err < 0) {
        mw_free(name);
        return mw_fail(ret_error, err, "listen at '%s': %s", path ? path : "(NULL)", why(err));
    }
    err = stream_new(here, fd, ret);
    if (err < 0) {
        stream_name_remove(name);
        return mw_fail(ret_error, err, "listen at '%s': %s", path, mw_strerror(err));
    }
    (*ret)->name = name;
    return 0;
}
