/* JSON straight into a buffer: what answers and notifications are made of.
 * Not the printer of values; that is base/print.c. Read next: protocol.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_PRINT_H
#define APP_PRINT_H

#include <meshwork/exposable.h>

#include <string.h>

#include "base/buffer.h"
#include "base/print.h"
#include "exposable/outgoing.h"

/* A buffer keeps its first failure, so a run of prints is checked once, at its end. */

/* A constant piece of JSON. */
#define print_literal(buffer, literal) ((void)mw_buffer_append((buffer), "" literal, sizeof(literal) - 1))

/* A comma, unless the object or list has just begun (or the buffer is empty). */
static inline void print_comma(struct mw_buffer *b)
{
    if (b->count > 0 && b->data[b->count - 1] != '{' && b->data[b->count - 1] != '[')
        (void)mw_buffer_append_byte(b, ',');
}

/* Back to an earlier length, and to a buffer that takes more. */
static inline void print_rewind(struct mw_buffer *b, size_t count)
{
    b->count = count;
    b->error = 0;
}

/* What has been printed, as a text. returned owned: mw_release; MW_MISSING where the buffer failed, or no memory */
static inline mw_value print_as_text(const struct mw_buffer *b)
{
    const mw_value missing = {.kind = MW_MISSING};

    return b->error ? missing : mw_text_n((const char *)b->data, b->count);
}

static inline void print_int(struct mw_buffer *b, int64_t i)
{
    (void)mw_print_int(b, i);
}
/* A value. What has no JSON form sets the buffer's error to -EINVAL, nested too deep to -EMSGSIZE. */
static inline void print_value(struct mw_buffer *b, mw_value borrows)
{
    int err;

    if (mw_kind_of(borrows) == MW_INT) {
        print_int(b, borrows.as.integer);
        return;
    }
    err = mw_print_json(b, borrows);
    if (err < 0 && !b->error)
        b->error = err;
}
/* A JSON string; valid whoever wrote the bytes. */
static inline void print_text(struct mw_buffer *b, const char *bytes, size_t byte_count)
{
    (void)mw_print_json_text(b, bytes, byte_count);
}
static inline void print_c_text(struct mw_buffer *b, const char *c_string)
{
    print_text(b, c_string, strlen(c_string));
}
/* The name of a member, with its colon. */
static inline void print_name(struct mw_buffer *b, mw_value borrows_name)
{
    print_value(b, borrows_name);
    (void)mw_buffer_append_byte(b, ':');
}
/* The value of an attribute: an int beyond +-2^53 as a string, a float with its own digits. */
static inline void print_attribute(struct mw_buffer *b, const mw_attribute *attribute, mw_value borrows)
{
    mw_value wire;

    if (attribute->element_bytes == 0 && !outgoing_is_float(attribute) && (mw_kind_of(borrows) != MW_INT || outgoing_is_exact(borrows.as.integer))) {
        print_value(b, borrows); /* the others have another form out there */
        return;
    }
    wire = mw_attribute_wire(attribute, borrows);
    print_value(b, wire);
    mw_release(wire);
}

#endif
