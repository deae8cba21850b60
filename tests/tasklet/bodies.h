/* Bodies that write down what happens to them, for the tests of this room and of the scheduler.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_TASKLET_BODIES_H
#define TEST_TASKLET_BODIES_H

#include <meshwork/tasklet.h>

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "check.h"

/* What happened, in words with a space behind each. */
struct diary {
    char text[2048];
    size_t count;
    int result;         /* what the body returns */
    int results[64];    /* what verbs called inside returned */
    int result_count;
    mw_tasklet *self, *other;
    int (*inside)(struct diary *d, mw_tasklet *self, mw_value item); /* per item; may be NULL */
    int (*at_close)(struct diary *d, mw_tasklet *self);
};

__attribute__((unused)) MW_PRINTF(2, 3) static void note(struct diary *d, const char *format, ...)
{
    va_list arguments;
    int count;

    va_start(arguments, format);
    count = vsnprintf(d->text + d->count, sizeof(d->text) - d->count, format, arguments);
    va_end(arguments);
    if (count > 0 && d->count + (size_t)count < sizeof(d->text))
        d->count += (size_t)count;
}

/* What was noted since the last look. */
__attribute__((unused)) static const char *read_diary(struct diary *d)
{
    static char copy[2048];

    memcpy(copy, d->text, sizeof(copy));
    d->text[0] = '\0';
    d->count = 0;
    return copy;
}

__attribute__((unused)) static void keep(struct diary *d, int result)
{
    if (d->result_count < 64)
        d->results[d->result_count++] = result;
}

/* A checked build keeps those that were freed last, so that a use of them is seen: as many as it ever will, from now on. */
__attribute__((unused)) static void fill_freed(void)
{
    int i;

    for (i = 0; i < 100; i++)
        mw_tasklet_free(mw_tasklet_new(NULL, NULL));
}

__attribute__((unused)) static void note_item(struct diary *d, mw_value item)
{
    mw_value text = mw_format("{} ", item);

    note(d, "%s", mw_get_text(&text, NULL));
    mw_release(text);
}

/* A coroutine: "setup", its items, "close". */
__attribute__((unused)) static int writer(mw_tasklet *self, void *scope)
{
    struct diary *d = scope;
    mw_value item;

    note(d, "setup ");
    while (mw_receive(self, &item)) {
        note_item(d, item);
        if (d->inside && d->inside(d, self, item) < 0) {
            mw_release(item);
            return d->result;
        }
        mw_release(item);
    }
    note(d, "close ");
    if (d->at_close)
        return d->at_close(d, self);
    return d->result;
}

/* The same as a handler. */
__attribute__((unused)) static int write_item(mw_tasklet *self, void *scope, mw_value item)
{
    struct diary *d = scope;
    int err = 0;

    note_item(d, item);
    if (d->inside && d->inside(d, self, item) < 0)
        err = d->result;
    mw_release(item);
    return err;
}

__attribute__((unused)) static void write_close(mw_tasklet *self, void *scope)
{
    struct diary *d = scope;

    note(d, "close ");
    if (d->at_close)
        d->at_close(d, self);
}

__attribute__((unused)) static void note_release(void *data)
{
    note(data, "release ");
}

/* A writer, coroutine or handler, with the handler's close path. */
__attribute__((unused)) static mw_tasklet *open_writer(struct diary *d, bool is_handler, mw_tasklet_options options)
{
    mw_tasklet *t;

    options.size = sizeof(options);
    options.name = options.name ? options.name : "writer";
    options.scope.data = d;
    options.closed = is_handler ? write_close : NULL;
    t = mw_tasklet_open(is_handler ? NULL : writer, is_handler ? write_item : NULL, &options);
    CHECK(t != NULL);
    return t;
}

__attribute__((unused)) static void send_ints(mw_tasklet *t, int from, int to)
{
    int i;

    for (i = from; i <= to; i++)
        CHECK_INT(mw_send(t, mw_int(i)), 0);
}

#endif
