/* Messages through zlib, one at a time, within limits; and gzip.
 * Not the negotiation; that is deflate_offer.c. Read next: edge/stream.c.
 * SPDX-License-Identifier: MIT */
#include "codec/deflate.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"

enum {
    TAIL_BYTES = 4,         /* 00 00 ff ff: the end of a sync flush, which is not sent (RFC 7692 §7.2.1) */
    STEP_BYTES = 4096,      /* the room of a buffer grows by at least so much */
    MESSAGE_LEVEL = 1,      /* the fastest: a message is compressed while others wait */
    MESSAGE_MEMORY = 6,     /* zlib's: 32 KiB of hash and buffer beside the window */
    FILE_LEVEL = 4, /* twice as fast as 5, five times as 6, for a few per cent */
    GZIP_BITS = 16 + 15,
    SMALLEST_WINDOW_BITS = 9, /* zlib's, of a raw stream */
    WINDOW_8_BYTES = 256
};
static const uint8_t tail[TAIL_BYTES] = {0x00, 0x00, 0xff, 0xff};

static void *take_memory(void *opaque, unsigned count, unsigned size)
{
    size_t bytes;

    (void)opaque;
    return mw_multiply_size(count, size, &bytes) ? mw_alloc(bytes) : NULL;
}

static void give_memory(void *opaque, void *block)
{
    (void)opaque;
    mw_free(block);
}

/* Show zlib the room behind count, more of it where there is none: at most what its counters hold. false: the buffer is at its limit, or no memory */
static bool offer_room(z_stream *z, struct mw_buffer *out, size_t want)
{
    size_t left = out->limit - out->count, room = out->capacity - out->count;

    if (room == 0 && (left == 0 || mw_buffer_reserve(out, want < left ? want : left) < 0))
        return false;
    room = out->capacity - out->count;
    if (room > left)
        room = left;
    if (room > UINT_MAX)
        room = UINT_MAX;
    z->next_out = out->data + out->count;
    z->avail_out = (unsigned)room;
    return room > 0;
}

static void take_room(const z_stream *z, struct mw_buffer *out)
{
    out->count = (size_t)(z->next_out - out->data);
}

/* ---- smaller ---------------------------------------------------------------------------------------------- */

struct deflater {
    z_stream z;
    unsigned bits;
    bool keeps_context;
};

int deflater_new(unsigned bits, bool keeps_context, struct deflater **ret)
{
    struct deflater *d = mw_alloc_zeroed(1, sizeof *d);
    unsigned window = bits < SMALLEST_WINDOW_BITS ? SMALLEST_WINDOW_BITS : bits;

    if (!d)
        return -ENOMEM;
    d->bits = bits;
    d->keeps_context = keeps_context && bits >= SMALLEST_WINDOW_BITS;
    d->z.zalloc = take_memory;
    d->z.zfree = give_memory;
    if (deflateInit2(&d->z, MESSAGE_LEVEL, Z_DEFLATED, -(int)window, MESSAGE_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        mw_free(d);
        return -ENOMEM;
    }
    *ret = d;
    return 0;
}

void deflater_free(struct deflater *d)
{
    if (!d)
        return;
    (void)deflateEnd(&d->z); /* says that a stream was cut short: it always is */
    mw_free(d);
}

/* All of the bytes, then a sync flush. false: out is full, or memory ran out */
static bool deflate_all(struct deflater *d, const void *bytes, size_t byte_count, struct mw_buffer *out)
{
    const uint8_t *from = bytes;
    size_t want = byte_count / 4 + STEP_BYTES;

    d->z.avail_in = 0;
    do {
        if (d->z.avail_in == 0) {
            d->z.next_in = (uint8_t *)(uintptr_t)from;
            d->z.avail_in = byte_count > UINT_MAX ? UINT_MAX : (unsigned)byte_count;
            from += d->z.avail_in;
            byte_count -= d->z.avail_in;
        }
        if (!offer_room(&d->z, out, want) || deflate(&d->z, byte_count == 0 ? Z_SYNC_FLUSH : Z_NO_FLUSH) == Z_STREAM_ERROR)
            return false;
        take_room(&d->z, out);
    } while (d->z.avail_in > 0 || byte_count > 0 || d->z.avail_out == 0);
    return true;
}

int deflater_write(struct deflater *d, const void *bytes, size_t byte_count, struct mw_buffer *out)
{
    bool is_smaller = false;
    size_t limit = out->limit;

    out->count = 0;
    out->error = 0;
    if (byte_count > TAIL_BYTES && (d->bits >= SMALLEST_WINDOW_BITS || byte_count <= WINDOW_8_BYTES)) {
        out->limit = limit < byte_count + TAIL_BYTES - 1 ? limit : byte_count + TAIL_BYTES - 1;
        is_smaller = deflate_all(d, bytes, byte_count, out) && out->count >= TAIL_BYTES;
        out->limit = limit;
    }
    if (is_smaller)
        out->count -= TAIL_BYTES;
    if (!is_smaller || !d->keeps_context)
        (void)deflateReset(&d->z); /* fails for a stream that is none */
    out->error = 0;
    return is_smaller;
}

/* ---- large again -------------------------------------------------------------------------------------------- */

struct inflater {
    z_stream z;
    bool keeps_context;
};

int inflater_new(unsigned bits, bool keeps_context, struct inflater **ret)
{
    struct inflater *f = mw_alloc_zeroed(1, sizeof *f);

    if (!f)
        return -ENOMEM;
    f->keeps_context = keeps_context;
    f->z.zalloc = take_memory;
    f->z.zfree = give_memory;
    if (inflateInit2(&f->z, -(int)bits) != Z_OK) {
        mw_free(f);
        return -ENOMEM;
    }
    *ret = f;
    return 0;
}

void inflater_free(struct inflater *f)
{
    if (!f)
        return;
    (void)inflateEnd(&f->z);
    mw_free(f);
}

/* Inflate a run of bytes to its end, over the ends of streams inside it (RFC 7692 §7.2.3.4): what follows one may still
 * refer to what came before, so the window stays. out's limit is one byte more than may come out. */
static enum inflate_result inflate_run(struct inflater *f, const uint8_t *bytes, unsigned count, struct mw_buffer *out)
{
    size_t want = out->count + 4 * (size_t)count + STEP_BYTES; /* of zlib's usual texts most need no second step */
    int result;

    f->z.next_in = (uint8_t *)(uintptr_t)bytes;
    f->z.avail_in = count;
    do {
        if (!offer_room(&f->z, out, want))
            return out->error == -ENOMEM ? INFLATE_NO_MEMORY : INFLATE_TOO_BIG;
        result = inflate(&f->z, Z_SYNC_FLUSH);
        take_room(&f->z, out);
        if (result == Z_STREAM_END)
            (void)inflateResetKeep(&f->z); /* fails for a stream that is none */
        else if (result == Z_MEM_ERROR)
            return INFLATE_NO_MEMORY;
        else if (result != Z_OK && result != Z_BUF_ERROR)
            return INFLATE_BROKEN;
        want = out->count < STEP_BYTES ? STEP_BYTES : out->count;
    } while (f->z.avail_in > 0 || f->z.avail_out == 0);
    return INFLATE_DONE;
}

/* Whether the last thing read was a block's end, on a byte's border, of a stream that goes on. */
static bool is_between_blocks(const z_stream *z)
{
    enum { UNUSED_BITS = 63, LAST_BLOCK = 64, BLOCK_END = 128 };

    return (z->data_type & (UNUSED_BITS | LAST_BLOCK | BLOCK_END)) == BLOCK_END;
}

static enum inflate_result inflate_message(struct inflater *f, const uint8_t *bytes, size_t byte_count,
                                           struct mw_buffer *out)
{
    enum inflate_result result = INFLATE_DONE;

    while (byte_count > 0 && result == INFLATE_DONE) {
        unsigned count = byte_count > INT_MAX ? INT_MAX : (unsigned)byte_count;

        result = inflate_run(f, bytes, count, out);
        bytes += count;
        byte_count -= count;
    }
    if (result == INFLATE_DONE)
        result = inflate_run(f, tail, TAIL_BYTES, out);
    if (result == INFLATE_DONE && !is_between_blocks(&f->z))
        result = INFLATE_BROKEN;
    return result;
}

enum inflate_result inflater_read(struct inflater *f, const void *bytes, size_t byte_count,
                                  const struct inflate_limits *limits, struct mw_buffer *out)
{
    enum inflate_result result;
    size_t dense;
    bool is_dense;

    out->count = 0;
    out->error = 0;
    if (byte_count == 0) /* not what §7.2.3.6 says of an empty message, but what some zlibs leave of one */
        return INFLATE_DONE;
    if (!mw_multiply_size(byte_count, limits->ratio, &dense))
        dense = SIZE_MAX;
    if (dense < DEFLATE_RATIO_FROM)
        dense = DEFLATE_RATIO_FROM;
    is_dense = dense < limits->message_bytes;
    out->limit = is_dense ? dense : limits->message_bytes;
    out->limit += out->limit < SIZE_MAX; /* the byte too many, by which it is known */
    if (!f->keeps_context)
        (void)inflateReset(&f->z); /* fails for a stream that is none */
    result = inflate_message(f, bytes, byte_count, out);
    if (result == INFLATE_DONE && out->count == out->limit)
        result = INFLATE_TOO_BIG;
    return result == INFLATE_TOO_BIG && is_dense ? INFLATE_TOO_DENSE : result;
}

/* ---- files ------------------------------------------------------------------------------------------------- */

int gzip_write(const void *bytes, size_t byte_count, struct mw_buffer *out)
{
    z_stream z = {.zalloc = take_memory, .zfree = give_memory};
    size_t want = byte_count / 3 + STEP_BYTES;
    int result = Z_OK;

    if (byte_count > UINT_MAX)
        return -EMSGSIZE;
    if (deflateInit2(&z, FILE_LEVEL, Z_DEFLATED, GZIP_BITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    z.next_in = (uint8_t *)(uintptr_t)bytes;
    z.avail_in = (unsigned)byte_count;
    while (result == Z_OK && offer_room(&z, out, want)) {
        result = deflate(&z, Z_FINISH);
        take_room(&z, out);
    }
    (void)deflateEnd(&z); /* says that a stream was cut short */
    if (result == Z_STREAM_END)
        return 0;
    return out->error == -ENOMEM ? -ENOMEM : -EMSGSIZE;
}
