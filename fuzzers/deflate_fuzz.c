/* room: codec. permessage-deflate both ways (F6): whatever comes is inflated within its limits or refused, twice the same; and
 * whatever is deflated is smaller and inflates to what it was, message after message.
 * Input: a byte of settings, then messages, cut as the bytes say.
 * SPDX-License-Identifier: MIT */
#include "slices.h"
#include "codec/deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 200000 };

static void check_inflate(const uint8_t *bytes, size_t count, const struct inflate_limits *limits)
{
    struct inflater *f;
    struct mw_buffer once, again;
    enum inflate_result first, second;

    mw_buffer_init(&once, 0);
    mw_buffer_init(&again, 0);
    PROMISE(inflater_new(DEFLATE_BITS_MOST, false, &f) == 0);
    first = inflater_read(f, bytes, count, limits, &once);
    PROMISE(once.count <= limits->message_bytes + 1 && once.capacity <= limits->message_bytes + 1);
    PROMISE(first != INFLATE_NO_MEMORY);
    PROMISE(first != INFLATE_DONE || once.count <= limits->message_bytes);
    PROMISE(first != INFLATE_DONE || once.count <= DEFLATE_RATIO_FROM || once.count <= count * limits->ratio);
    PROMISE(first != INFLATE_TOO_DENSE || once.count > DEFLATE_RATIO_FROM);
    second = inflater_read(f, bytes, count, limits, &again); /* nothing of the first may be left */
    PROMISE(first == second);
    PROMISE(first != INFLATE_DONE ||
            (once.count == again.count && (once.count == 0 || memcmp(once.data, again.data, once.count) == 0)));
    inflater_free(f);
    mw_buffer_clear(&once);
    mw_buffer_clear(&again);
}

static void check_round_trip(const uint8_t *data, size_t size, unsigned bits, bool keeps_context)
{
    static const struct inflate_limits wide = {1 << 30, 1032};
    struct deflater *d;
    struct inflater *f;
    struct mw_buffer small, large;
    uint32_t random = size;
    size_t at = 0;

    mw_buffer_init(&small, 1 << 20);
    mw_buffer_init(&large, 0);
    PROMISE(deflater_new(bits, keeps_context, &d) == 0);
    PROMISE(inflater_new(bits, keeps_context, &f) == 0);
    while (at < size) {
        size_t count = data[at] % 4 == 0 ? slices_next(2, &random, size - at) : size - at;

        if (deflater_write(d, data + at, count, &small)) {
            PROMISE(small.count < count);
            PROMISE(inflater_read(f, small.data, small.count, &wide, &large) == INFLATE_DONE);
            PROMISE(large.count == count && memcmp(large.data, data + at, count) == 0);
        }
        at += count;
    }
    deflater_free(d);
    inflater_free(f);
    mw_buffer_clear(&small);
    mw_buffer_clear(&large);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct inflate_limits limits = {MESSAGE_MAX, 1032};
    unsigned settings;

    if (size == 0)
        return 0;
    settings = data[0];
    if (settings & 8U)
        limits.ratio = 100;
    if (settings & 16U)
        limits.message_bytes = 1 + (settings >> 5) * 300;
    check_inflate(data + 1, size - 1, &limits);
    check_round_trip(data + 1, size - 1, DEFLATE_BITS_LEAST + (settings & 7U), settings & 16U);
    return 0;
}
