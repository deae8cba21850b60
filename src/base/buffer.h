/* A growing run of bytes with a maximum: what codecs write into and sockets read into.
 * Not shared payloads; those are mw_value. Read next: utf8.h.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <meshwork/base.h>

#include <string.h>

#include "base/hint.h"

struct mw_buffer {
    uint8_t *data;     /* NULL while empty and fresh */
    size_t count;      /* bytes in use */
    size_t capacity;   /* bytes allocated */
    size_t limit;      /* count never passes it */
    int error;         /* sticky: -ENOMEM or -EMSGSIZE of the first append that failed; later appends do nothing */
};

MW_EXPORT void mw_buffer_init(struct mw_buffer *b, size_t limit_bytes);
MW_EXPORT void mw_buffer_clear(struct mw_buffer *b); /* frees; ready to be used again with the same limit */
/* Make room for more bytes behind count: 0, -ENOMEM, -EMSGSIZE. Grows by doubling. */
MW_EXPORT int mw_buffer_reserve(struct mw_buffer *b, size_t more_bytes);
MW_EXPORT int mw_buffer_append_slowly(struct mw_buffer *b, const void *bytes, size_t byte_count);
/* 0; -ENOMEM, -EMSGSIZE. One call per piece of text that goes out: where there is room, no call at all. */
static inline int mw_buffer_append(struct mw_buffer *b, const void *bytes, size_t byte_count)
{
    if (UNLIKELY(b->error || byte_count - 1 >= b->capacity - b->count)) /* no bytes, which memcpy would want at some address, too */
        return mw_buffer_append_slowly(b, bytes, byte_count);
    memcpy(b->data + b->count, bytes, byte_count);
    b->count += byte_count;
    return 0;
}
MW_EXPORT int mw_buffer_append_text(struct mw_buffer *b, const char *c_string);
MW_EXPORT int mw_buffer_printf(struct mw_buffer *b, const char *format, ...) MW_PRINTF(2, 3);
/* Drop the first bytes. */
MW_EXPORT void mw_buffer_consume(struct mw_buffer *b, size_t byte_count);

static inline int mw_buffer_append_byte(struct mw_buffer *b, uint8_t byte)
{
    if (b->count < b->capacity && !b->error) {
        b->data[b->count++] = byte;
        return 0;
    }
    return mw_buffer_append(b, &byte, 1);
}

#endif
