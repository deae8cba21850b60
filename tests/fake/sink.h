/* A scripted connection for clients of an app: keeps what is sent, fails when told to, closes as a server would.
 * SPDX-License-Identifier: MIT */
#ifndef FAKE_SINK_H
#define FAKE_SINK_H

#include <errno.h>
#include <string.h>

#include "app/mount.h"

#define FAKE_SINK_MESSAGES 512

struct fake_sink {
    mw_value messages[FAKE_SINK_MESSAGES]; /* text or bytes, as they came; owned */
    size_t count;                          /* sent so far; those past the array are only counted */
    size_t read;                           /* given out by fake_sink_next */
    size_t shared_count;                   /* of them by send_shared */
    int close_code;                        /* 0: not closed */
    char close_reason[128];
    int fail_with;                         /* negative: what send returns */
    bool is_behind;
    bool ends_at_once;                     /* app_client_closed from inside close, and from inside a failed send */
    mw_client *client;
};

static inline int fake_sink_keep(struct fake_sink *s, mw_value takes)
{
    if (s->fail_with < 0) {
        mw_release(takes);
        if (s->ends_at_once)
            app_client_closed(s->client);
        return s->fail_with;
    }
    if (mw_kind_of(takes) == MW_MISSING)
        return -ENOMEM;
    if (s->count < FAKE_SINK_MESSAGES)
        s->messages[s->count] = takes;
    else
        mw_release(takes);
    s->count++;
    return 0;
}

static inline int fake_sink_send(void *connection, enum mw_frame kind, const void *bytes, size_t byte_count)
{
    return fake_sink_keep(connection, kind == MW_FRAME_TEXT ? mw_text_n(bytes, byte_count) : mw_bytes(bytes, byte_count));
}

static inline int fake_sink_send_shared(void *connection, enum mw_frame kind, mw_value borrows)
{
    struct fake_sink *s = connection;
    int err = fake_sink_keep(s, mw_share(borrows));

    (void)kind;
    s->shared_count += err == 0;
    return err;
}

static inline void fake_sink_close(void *connection, int code, const char *reason)
{
    struct fake_sink *s = connection;

    s->close_code = code;
    (void)snprintf(s->close_reason, sizeof(s->close_reason), "%s", reason ? reason : "");
    if (s->ends_at_once)
        app_client_closed(s->client);
}

static inline bool fake_sink_is_behind(void *connection)
{
    return ((struct fake_sink *)connection)->is_behind;
}

static const struct app_sink fake_sink = {.send = fake_sink_send, .send_shared = fake_sink_send_shared,
                                          .close = fake_sink_close, .is_behind = fake_sink_is_behind};

/* The next message not yet given out; NULL: none. Borrowed until fake_sink_clear. */
static inline const char *fake_sink_next(struct fake_sink *s)
{
    if (s->read >= s->count || s->read >= FAKE_SINK_MESSAGES)
        return NULL;
    return mw_get_text(&s->messages[s->read++], NULL);
}

static inline void fake_sink_clear(struct fake_sink *s)
{
    size_t i;

    for (i = 0; i < s->count && i < FAKE_SINK_MESSAGES; i++)
        mw_release(s->messages[i]);
    memset(s, 0, sizeof(*s));
}

#endif
