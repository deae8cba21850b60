/* Values: making, sharing, dropping and reading them.
 * Not lists and maps; those are in container.c and map.c. Read next: container.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/base_priv.h"
#include "base/build.h"
#include "base/memory.h"
#include "base/opaque.h"

_Static_assert((int)SHORT_TEXT_BYTES == (int)MW_SHORT_TEXT_BYTES, "one bound");
_Static_assert(sizeof(mw_value) == 16, "a value travels in two registers");
_Static_assert(offsetof(mw_value, short_room) == SHORT_TEXT_BYTES, "a full short text ends in short_room, which is 0");

/* ---- make ----------------------------------------------------------------------------------- */
static mw_value value_of_bytes(enum mw_kind kind, const void *bytes, size_t byte_count)
{
    struct text_block *block;
    size_t total;

    if (!mw_add_size(byte_count, sizeof(*block) + 1, &total))
        return value_missing();
    block = mw_alloc(total);
    if (!block)
        return value_missing();
    atomic_init(&block->head.references, 1);
    block->byte_count = byte_count;
    if (byte_count > 0)
        memcpy(block->bytes, bytes, byte_count);
    block->bytes[byte_count] = '\0';
    return value_of_block(block, kind);
}

mw_value mw_text_n(const char *borrows, size_t byte_count)
{
    return byte_count > SHORT_TEXT_BYTES ? value_of_bytes(MW_TEXT, borrows, byte_count)
                                         : mw_short_text(borrows, byte_count);
}

mw_value mw_text(const char *borrows_c_string)
{
    return borrows_c_string ? mw_text_n(borrows_c_string, strlen(borrows_c_string)) : mw_null();
}

mw_value mw_bytes(const void *borrows, size_t byte_count)
{
    mw_value v;

    if (byte_count > SHORT_TEXT_BYTES)
        return value_of_bytes(MW_BYTES, borrows, byte_count);
    v = mw_short_text(borrows, byte_count);
    v.kind = MW_BYTES;
    return v;
}

mw_value mw_opaque(void *takes, void (*release)(void *))
{
    struct opaque_block *block = mw_alloc(sizeof(*block));

    if (!block) {
        if (release)
            release(takes);
        return value_missing();
    }
    atomic_init(&block->head.references, 1);
    block->pointer = takes;
    block->release = release;
    return value_of_block(block, MW_OPAQUE);
}

bool mw_opaque_is(mw_value v, void (*release)(void *))
{
    return v.kind == MW_OPAQUE && v.is_heap && ((struct opaque_block *)v.as.heap)->release == release;
}

/* ---- references ------------------------------------------------------------------------------- */
void mw_share_heap(mw_value borrows)
{
    struct value_block *block = borrows.as.heap;

    atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
}

/* Drop one reference; true: it was the last. Whoever holds the only one needs no atomic step. */
static bool block_drop(struct value_block *block)
{
    return !block_is_shared(block) ||
           atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1;
}

/* Free a block without references. A container waits instead, in a chain through the dead blocks themselves: however
 * deep they nest, that takes neither stack nor memory. */
static void value_bury(mw_value v, struct items_block **waiting)
{
    struct items_block *items = v.as.heap;
    struct opaque_block *opaque = v.as.heap;

    if (v.kind == MW_LIST || v.kind == MW_MAP) {
        items->next = *waiting;
        *waiting = items;
        return;
    }
    if (v.kind == MW_OPAQUE && opaque->release)
        opaque->release(opaque->pointer);
    mw_free(v.as.heap);
}

void mw_release_heap(mw_value takes)
{
    struct items_block *waiting = NULL;

    if (block_drop(takes.as.heap))
        value_bury(takes, &waiting);
    while (waiting) {
        struct items_block *items = waiting;

        waiting = items->next;
        for (size_t i = 0; i < items->count; i++)
            if (items->values[i].is_heap && block_drop(items->values[i].as.heap))
                value_bury(items->values[i], &waiting);
        mw_free(items->index);
        mw_free(items);
    }
}

/* ---- read --------------------------------------------------------------------------------------- */
const char *mw_kind_name(enum mw_kind kind)
{
    static const char *const names[] = {
        [MW_NULL] = "null",   [MW_BOOL] = "bool", [MW_INT] = "int", [MW_REAL] = "real",     [MW_TEXT] = "text",
        [MW_BYTES] = "bytes", [MW_LIST] = "list", [MW_MAP] = "map", [MW_OPAQUE] = "opaque", [MW_MISSING] = "missing",
    };

    return (size_t)kind < MW_COUNT(names) ? names[kind] : "unknown";
}

int mw_get_bool(mw_value v, bool *ret)
{
    if (v.kind != MW_BOOL)
        return -EINVAL;
    *ret = v.as.boolean;
    return 0;
}

int mw_get_int(mw_value v, int64_t *ret)
{
    const double most = 9007199254740992.0; /* 2^53: beyond it a real has lost its last digits */

    if (v.kind == MW_INT) {
        *ret = v.as.integer;
        return 0;
    }
    /* NaN fails the first comparison. Not trunc(): it is a call into libm at -O0 and with clang, which the core goes
     * without; so near to zero the way over an integer is as exact. */
    if (v.kind != MW_REAL || !(v.as.real >= -most && v.as.real <= most) || v.as.real != (double)(int64_t)v.as.real)
        return -EINVAL;
    *ret = (int64_t)v.as.real;
    return 0;
}

int mw_get_real(mw_value v, double *ret)
{
    if (v.kind == MW_REAL)
        *ret = v.as.real;
    else if (v.kind == MW_INT)
        *ret = (double)v.as.integer;
    else
        return -EINVAL;
    return 0;
}

const char *mw_get_text(const mw_value *v, size_t *ret_byte_count)
{
    const struct text_block *block;

    if (v->kind != MW_TEXT && v->kind != MW_BYTES)
        return NULL;
    if (!v->is_heap) {
        if (ret_byte_count)
            *ret_byte_count = (size_t)(SHORT_TEXT_BYTES - v->short_room);
        return (const char *)v;
    }
    block = v->as.heap;
    if (ret_byte_count)
        *ret_byte_count = block->byte_count;
    return block->bytes;
}

void *mw_get_opaque(mw_value v)
{
    return v.kind == MW_OPAQUE ? ((struct opaque_block *)v.as.heap)->pointer : NULL;
}
