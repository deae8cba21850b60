/* A chat over TCP: everybody hears what anybody says. A coroutine per guest that reads, one at the door, and not a callback.
 * usage: 09-chat [PORT]   then in other terminals: nc localhost PORT. SPDX-License-Identifier: MIT */
#include <meshwork/runtime.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { GUESTS = 100, LINE = 512 };
static struct {
    mw_stream *guests[GUESTS];
    int port;
    mw_runtime *runtime;
} room;

static void say(mw_tasklet *self, const char *line, size_t count)
{
    for (int i = 0; i < GUESTS; i++) { /* who does not listen for a second has left */
        mw_stream *s = room.guests[i];

        if (s && mw_write(self, s, line, count, mw_clock(self) + 1000000000) == -ETIMEDOUT && room.guests[i] == s)
            (void)mw_shutdown(s);
    }
}

static int guest(mw_tasklet *self, void *scope)
{
    mw_stream **seat = scope;
    char line[LINE];
    ssize_t count;

    while ((count = mw_read(self, *seat, line, sizeof line, MW_FOREVER)) > 0)
        say(self, line, (size_t)count);
    mw_stream_close(*seat);
    *seat = NULL;
    mw_tasklet_free(self); /* once it has returned */
    return 0;
}

static int door(mw_tasklet *self, void *scope)
{
    struct mw_error error = {0};
    mw_stream *listener, *stream;

    if (mw_listen(self, "127.0.0.1", *(int *)scope, &listener, &room.port, &error) < 0)
        return fprintf(stderr, "%s\n", error.text), exit(1), -1;
    printf("chat at port %d\n", room.port);
    (void)fflush(stdout);
    while (mw_accept(self, listener, MW_FOREVER, &stream) == 0) {
        int i = 0;

        while (i < GUESTS && room.guests[i])
            i++;
        if (i == GUESTS || !(room.guests[i] = stream, mw_tasklet_new(guest, &room.guests[i])))
            mw_stream_close(stream); /* the house is full */
    }
    mw_stream_close(listener);
    return 0;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 7000;

    if (mw_runtime_open(&(mw_runtime_options){.size = sizeof(mw_runtime_options), .workers = 1}, &room.runtime, NULL) < 0)
        return 1;
    mw_scheduler *mesh = mw_runtime_mesh(room.runtime, 0), *outside = mw_scheduler_enter(mesh);
    mw_tasklet *at_the_door = mw_tasklet_new(door, &port);
    mw_scheduler_leave(outside);
    if (at_the_door && mw_runtime_start(room.runtime, mesh) == 0)
        mw_runtime_wait(room.runtime);
    mw_runtime_close(room.runtime, NULL);
    return 0;
}
