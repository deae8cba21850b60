/* Growing bytes: reserve, append, print, consume, with a maximum and a sticky error.
 * Not who writes into it. Read next: utf8.c.
 * SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { BUFFER_FIRST = 64 };

void mw_buffer_init(struct mw_buffer *b, size_t limit_bytes)
{
    *b = (struct mw_buffer){.limit = limit_bytes};
}

void mw_buffer_clear(struct mw_buffer *b)
{
    if (!b)
        return;
    mw_free(b->data);
    mw_buffer_init(b, b->limit);
}

int mw_buffer_reserve(struct mw_buffer *b, size_t more_bytes)
{
    size_t want, capacity;
    uint8_t *data;

    if (b->error)
        return b->error;
    if (more_bytes <= b->capacity - b->count && b->capacity > 0)
        return 0;
    if (!mw_add_size(b->count, more_bytes, &want) || want > b->limit)
        return b->error = -EMSGSIZE;
    capacity = b->capacity > b->limit / 2 ? b->limit : b->capacity * 2;
    if (capacity < BUFFER_FIRST)
        capacity = b->limit < BUFFER_FIRST ? b->limit : BUFFER_FIRST;
    if (capacity < want)
        capacity = want;
    data = mw_resize(b->data, capacity);
    if (!data)
        return b->error = -ENOMEM;
    b->data = data;
    b->capacity = capacity;
    return 0;
}

int mw_buffer_append_slowly(struct mw_buffer *b, const void *bytes, size_t byte_count)
{
    int result = mw_buffer_reserve(b, byte_count);

    if (result < 0)
        return result;
    if (byte_count > 0)
        memcpy(b->data + b->count, bytes, byte_count);
    b->count += byte_count;
    return 0;
}

int mw_buffer_append_text(struct mw_buffer *b, const char *c_string)
{
    return mw_buffer_append(b, c_string, strlen(c_string));
}

int mw_buffer_printf(struct mw_buffer *b, const char *format, ...)
{
    va_list args;
    char small[128];
    int length, result;

    va_start(args, format);
    length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (length < 0)
        return b->error = b->error ? b->error : -EINVAL;
    if ((size_t)length < sizeof small)
        return mw_buffer_append(b, small, (size_t)length);

    /* vsnprintf writes a NUL behind: print into room of our own, so that the limit counts text alone. */
    char *large = mw_alloc((size_t)length + 1);
    if (!large)
        return b->error = b->error ? b->error : -ENOMEM;
    va_start(args, format);
    (void)vsnprintf(large, (size_t)length + 1, format, args); /* length is known */
    va_end(args);
    result = mw_buffer_append(b, large, (size_t)length);
    mw_free(large);
    return result;
}

void mw_buffer_consume(struct mw_buffer *b, size_t byte_count)
{
    if (byte_count == 0)
        return;
    if (byte_count >= b->count) {
        b->count = 0;
        return;
    }
    memmove(b->data, b->data + byte_count, b->count - byte_count);
    b->count -= byte_count;
}
