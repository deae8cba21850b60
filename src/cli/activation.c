/* LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES.
 * SPDX-License-Identifier: MIT */
#include "cli/activation.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_FD = 3, FDS_MOST = 256 };

/* The next of names that are parted by ':'. */
static bool is_ws(const char **io_names)
{
    const char *name = *io_names;
    size_t count = name ? strcspn(name, ":") : 0;

    if (name)
        *io_names = name[count] == ':' ? name + count + 1 : name + count;
    return count == 2 && strncmp(name, "ws", 2) == 0;
}

int activation_take(mw_server *server, struct mw_error *ret_error)
{
    const char *pid = getenv("LISTEN_PID"), *count_text = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
    long i, count = count_text && pid && strtol(pid, NULL, 10) == getpid() ? strtol(count_text, NULL, 10) : 0;
    int err = 0;

    for (i = 0; i < count && i < FDS_MOST && err == 0; i++) {
        (void)fcntl((int)(FIRST_FD + i), F_SETFD, FD_CLOEXEC); /* one that is none is found out by the server */
        err = mw_server_take_listener(server, (int)(FIRST_FD + i), is_ws(&names), ret_error);
    }
    (void)unsetenv("LISTEN_PID"); /* fails for a bad name alone, as do the next */
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return err;
}
