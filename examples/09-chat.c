/* A chat over TCP: everybody hears what anybody says. Two coroutines per guest, one at the door, and not a callback.
 * usage: 09-chat [PORT]   then in other terminals: nc localhost PORT. SPDX-License-Identifier: MIT */
#include <meshwork/runtime.h>

#include <stdio.h>
#include <stdlib.h>

enum { GUESTS = 100, LINE = 512 };
static struct guest {
    mw_stream *stream; /* NULL: the seat is free */
    mw_tasklet *ears;
} guests[GUESTS];

/* Who listens slowly holds up nobody: its lines queue up here, and the oldest go. */
static int hear(mw_tasklet *self, void *stream)
{
    mw_value line;

    while (mw_receive(self, &line)) {
        size_t count;
        const char *bytes = mw_get_text(&line, &count);

        (void)mw_write(self, stream, bytes, count, MW_FOREVER); /* has the guest left, then its read says so, too */
        mw_release(line);
    }
    return 0;
}

static int speak(mw_tasklet *self, void *scope)
{
    struct guest *me = scope;
    const mw_tasklet_options ears = {.size = sizeof ears, .name = "hear", .scope.data = me->stream, .overflow = MW_DROP_OLDEST};
    char line[LINE];
    ssize_t count;

    me->ears = mw_tasklet_open(hear, NULL, &ears);
    while (me->ears && (count = mw_read(self, me->stream, line, sizeof line, MW_FOREVER)) > 0)
        for (int i = 0; i < GUESTS; i++)
            if (guests[i].ears)
                (void)mw_send(guests[i].ears, mw_bytes(line, (size_t)count));
    mw_tasklet_free(me->ears);
    mw_stream_close(me->stream);
    *me = (struct guest){0};
    mw_tasklet_free(self); /* once it has returned */
    return 0;
}

static int door(mw_tasklet *self, void *port)
{
    struct mw_error error;
    mw_stream *listener, *stream;

    if (mw_listen(self, "127.0.0.1", *(int *)port, &listener, port, &error) < 0)
        return fprintf(stderr, "%s\n", error.text), -1;
    (void)(printf("chat at port %d\n", *(int *)port), fflush(stdout));
    while (mw_accept(self, listener, MW_FOREVER, &stream) == 0) {
        int i = 0;

        while (i < GUESTS && guests[i].stream)
            i++;
        if (i < GUESTS && mw_tasklet_new(speak, &guests[i]))
            guests[i].stream = stream; /* speak begins after this */
        else
            mw_stream_close(stream); /* the house is full */
    }
    mw_stream_close(listener);
    return 0;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 7000;

    return mw_runtime_main(door, &port, NULL) < 0; /* door says why */
}
