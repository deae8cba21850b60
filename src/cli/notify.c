/* Datagrams to the service manager.
 * SPDX-License-Identifier: MIT */
#include "cli/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 512 };
#define STATUS_NS INT64_C(5000000000)

/* A path, or with '@' in front a name in the abstract space. -1: none that could be spoken to */
static int connect_to(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t count = strlen(path);
    int fd;

    if ((path[0] != '/' && path[0] != '@') || count >= sizeof to.sun_path)
        return -1;
    memcpy(to.sun_path, path, count);
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + count)) < 0) {
        (void)close(fd); /* nothing was sent */
        fd = -1;
    }
    return fd;
}

/* WATCHDOG_USEC, unless it is meant for another process. */
static int64_t read_watchdog(void)
{
    const char *period = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    long long us = period ? strtoll(period, NULL, 10) : 0;

    if (us <= 0 || us > INT64_MAX / 1000 || (pid && strtoll(pid, NULL, 10) != getpid()))
        return MW_FOREVER;
    return us * 1000;
}

void notify_open(struct notify *n)
{
    const char *path = getenv("NOTIFY_SOCKET");

    *n = (struct notify){.fd = path ? connect_to(path) : -1, .watchdog_ns = read_watchdog()};
    (void)unsetenv("NOTIFY_SOCKET"); /* fails for a bad name alone, as do the next */
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        (void)close(n->fd); /* datagrams are sent already */
    n->fd = -1;
}

void notify_say(const struct notify *n, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list arguments;
    int count;

    if (n->fd < 0)
        return;
    va_start(arguments, format);
    count = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (count > 0 && count < (int)sizeof message)
        (void)send(n->fd, message, (size_t)count, MSG_NOSIGNAL | MSG_DONTWAIT); /* a manager that is away is no failure of ours */
}

int64_t notify_period_ns(const struct notify *n)
{
    if (n->fd < 0)
        return MW_FOREVER;
    return n->watchdog_ns == MW_FOREVER ? MW_FOREVER : n->watchdog_ns / 3;
}

bool notify_is_due(const struct notify *n)
{
    return n->fd >= 0 && mw_now_ns() >= n->alive_at_ns;
}

void notify_alive(struct notify *n, size_t connection_count, size_t hung_workers)
{
    int64_t period_ns = notify_period_ns(n);

    n->alive_at_ns = mw_now_ns() + (period_ns < STATUS_NS ? period_ns * 3 / 4 : STATUS_NS);
    if (hung_workers > 0)
        notify_say(n, "STATUS=%zu connections; workers that hang: %zu", connection_count, hung_workers);
    else
        notify_say(n, "%sSTATUS=%zu connections", n->watchdog_ns == MW_FOREVER ? "" : "WATCHDOG=1\n", connection_count);
}
