/* Frames written into a buffer: whole ones as a server sends them, masked ones as a client does.
 * Not the decoder, that is websocket.c. Read next: handshake.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "codec/websocket.h"

int websocket_write(struct mw_buffer *out, enum websocket_opcode opcode, const void *bytes, size_t byte_count)
{
    size_t most;
    int err;

    if (!mw_add_size(WEBSOCKET_HEADER_MAX, byte_count, &most))
        return -EMSGSIZE;
    if (out->error || out->capacity - out->count < most) {
        err = mw_buffer_reserve(out, websocket_header_bytes(byte_count) + byte_count);
        if (err < 0)
            return err;
    }
    out->count += websocket_header(out->data + out->count, opcode, byte_count);
    if (byte_count > 0)
        memcpy(out->data + out->count, bytes, byte_count);
    out->count += byte_count;
    return 0;
}

/* How much of a text fits into so many bytes without cutting a character. */
static size_t text_cut(const char *text, size_t max)
{
    size_t count = strlen(text);

    if (count <= max)
        return count;
    count = max;
    while (count > 0 && ((unsigned char)text[count] & 0xc0U) == 0x80U)
        count--;
    return count;
}

int websocket_write_close(struct mw_buffer *out, unsigned code, const char *reason)
{
    uint8_t payload[WEBSOCKET_CONTROL_MAX];
    size_t reason_bytes = reason ? text_cut(reason, WEBSOCKET_REASON_MAX) : 0;

    if (code == 0 || code == WEBSOCKET_NO_CODE)
        return websocket_write(out, WEBSOCKET_CLOSE, NULL, 0);
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    if (reason_bytes > 0)
        memcpy(payload + 2, reason, reason_bytes);
    return websocket_write(out, WEBSOCKET_CLOSE, payload, 2 + reason_bytes);
}

int websocket_write_masked(struct mw_buffer *out, enum websocket_opcode opcode, bool is_final,
                           const uint8_t mask[4], const void *bytes, size_t byte_count)
{
    uint8_t header[WEBSOCKET_HEADER_MAX + 4];
    size_t header_bytes = websocket_header(header, opcode, byte_count);
    const uint8_t *from = bytes;
    size_t all, i;
    int err;

    if (!is_final)
        header[0] &= 0x7f;
    header[1] |= 0x80;
    memcpy(header + header_bytes, mask, 4);
    header_bytes += 4;
    if (!mw_add_size(header_bytes, byte_count, &all))
        return -EMSGSIZE;
    err = mw_buffer_reserve(out, all);
    if (err < 0)
        return err;
    (void)mw_buffer_append(out, header, header_bytes); /* room is there for both */
    for (i = 0; i < byte_count; i++)
        out->data[out->count + i] = (uint8_t)(from[i] ^ mask[i & 3]);
    out->count += byte_count;
    return 0;
}
