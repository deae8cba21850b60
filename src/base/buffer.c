/* A growing run of bytes with a maximum.
 * Not shared payloads; those are mw_value. Read next: utf8.c.
 * SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void mw_buffer_init(struct mw_buffer *b, size_t limit_bytes)
{
    *b = (struct mw_buffer){.limit = limit_bytes};
}

void mw_buffer_clear(struct mw_buffer *b)
{
    mw_free(b->data);
    mw_buffer_init(b, b->limit);
}

int mw_buffer_reserve(struct mw_buffer *b, size_t more_bytes)
{
    size_t wanted, capacity;
    uint8_t *data;

    if (b->error)
        return b->error;
    if (more_bytes <= b->capacity - b->count)
        return 0;
    if (!mw_add_size(b->count, more_bytes, &wanted) || wanted > b->limit)
        return b->error = -EMSGSIZE;
    capacity = b->capacity < 64 ? 64 : b->capacity;
    while (capacity < wanted)
        capacity = capacity > b->limit / 2 ? b->limit : capacity * 2;
    if (capacity > b->limit)
        capacity = b->limit;
    data = mw_resize(b->data, capacity);
    if (!data)
        return b->error = -ENOMEM;
    b->data = data;
    b->capacity = capacity;
    return 0;
}

int mw_buffer_append(struct mw_buffer *b, const void *bytes, size_t byte_count)
{
    /* Not beyond the limit even where the capacity would allow it. */
    if (b->error || byte_count > b->limit - b->count || byte_count > b->capacity - b->count) {
        int err = mw_buffer_reserve(b, byte_count);

        if (err < 0)
            return err;
    }
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
    char text[512];
    va_list arguments;
    int n, err;

    va_start(arguments, format);
    n = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (n < 0)
        return b->error = -EINVAL;
    if ((size_t)n < sizeof(text))
        return mw_buffer_append(b, text, (size_t)n);
    err = mw_buffer_reserve(b, (size_t)n + 1); /* vsnprintf writes its NUL too */
    if (err < 0)
        return err;
    va_start(arguments, format);
    (void)vsnprintf((char *)b->data + b->count, (size_t)n + 1, format, arguments);
    va_end(arguments);
    b->count += (size_t)n;
    return 0;
}

void mw_buffer_consume(struct mw_buffer *b, size_t byte_count)
{
    if (byte_count > b->count)
        byte_count = b->count;
    b->count -= byte_count;
    if (b->count > 0)
        memmove(b->data, b->data + byte_count, b->count);
}
