/* Names of attributes, commands, tasklets and channels: which are legal, and finding one among many.
 * Not who may use them; that is policy.c. Read next: attribute.c.
 * SPDX-License-Identifier: MIT */
#include "exposable/name.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

const char *name_fault(const char *name, size_t name_bytes)
{
    size_t i;

    if (name_bytes == 0)
        return "is empty";
    if (name_bytes > NAME_BYTES)
        return "is longer than 256 bytes";
    for (i = 0; i < name_bytes; i++) {
        unsigned char byte = (unsigned char)name[i];

        if (byte == ' ')
            return "holds a space";
        if (byte < 0x20 || byte == 0x7f)
            return "holds a control character";
        if (strchr(",/@=*[]", byte)) /* never with a NUL: a control character */
            return "holds one of , / @ = * [ ]";
    }
    if (!mw_utf8_is_valid(name, name_bytes))
        return "is no UTF-8";
    return NULL;
}

const char *name_show(char out[NAME_SHOWN_BYTES], const char *name, size_t name_bytes)
{
    const size_t room = NAME_SHOWN_BYTES - 4; /* "..." and the NUL */
    size_t n = name_bytes <= room ? name_bytes : room;
    size_t i;

    /* Cut between two characters. */
    while (n < name_bytes && n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80)
        n--;
    for (i = 0; i < n; i++) {
        out[i] = name[i];
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            out[i] = '?';
    }
    if (!mw_utf8_is_valid(out, n))
        for (i = 0; i < n; i++)
            if ((unsigned char)out[i] >= 0x80)
                out[i] = '?';
    memcpy(out + n, n < name_bytes ? "..." : "", n < name_bytes ? 4 : 1);
    return out;
}

/* ---- the table --------------------------------------------------------------------------------- */
struct name_slot {
    const char *name; /* NULL: free */
    uint32_t hash;
    uint32_t index;
    size_t name_bytes;
};

static void slots_put(struct name_slot *slots, size_t slot_count, const struct name_slot *slot)
{
    size_t at = slot->hash & (slot_count - 1); /* tables stay below 2^32 slots: 32 bits of the hash do */

    while (slots[at].name)
        at = (at + 1) & (slot_count - 1);
    slots[at] = *slot;
}

int name_table_reserve(struct name_table *t, size_t count)
{
    struct name_slot *slots;
    size_t slot_count = 8;
    size_t i;

    if (count <= t->slot_count / 2)
        return 0;
    while (slot_count / 2 < count)
        if (!mw_multiply_size(slot_count, 2, &slot_count))
            return -ENOMEM;
    slots = mw_alloc_zeroed(slot_count, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (i = 0; i < t->slot_count; i++)
        if (t->slots[i].name)
            slots_put(slots, slot_count, &t->slots[i]);
    mw_free(t->slots);
    t->slots = slots;
    t->slot_count = slot_count;
    return 0;
}

void name_table_add(struct name_table *t, const char *borrows_name, size_t name_bytes, uint32_t index)
{
    struct name_slot slot = {
        .name = borrows_name,
        .hash = name_hash(borrows_name, name_bytes),
        .index = index,
        .name_bytes = name_bytes,
    };

    slots_put(t->slots, t->slot_count, &slot);
    t->count++;
}

static inline uint32_t slots_find(const struct name_table *t, const char *name, size_t name_bytes, uint32_t hash)
{
    const struct name_slot *slot;
    size_t at;

    for (at = hash & (t->slot_count - 1); (slot = &t->slots[at])->name; at = (at + 1) & (t->slot_count - 1))
        if (slot->hash == hash && slot->name_bytes == name_bytes &&
            memcmp(slot->name, name, name_bytes) == 0)
            return slot->index;
    return NAME_NONE;
}

uint32_t name_table_find_hashed(const struct name_table *t, const char *name, size_t name_bytes, uint32_t hash)
{
    return t->count > 0 ? slots_find(t, name, name_bytes, hash) : NAME_NONE;
}

uint32_t name_table_find(const struct name_table *t, const char *name, size_t name_bytes)
{
    if (t->count == 0 || name_bytes == 0 || name_bytes > NAME_BYTES)
        return NAME_NONE;
    return slots_find(t, name, name_bytes, name_hash(name, name_bytes));
}

void name_table_empty(struct name_table *t)
{
    if (t->slots)
        memset(t->slots, 0, t->slot_count * sizeof(*t->slots));
    t->count = 0;
}

void name_table_clear(struct name_table *t)
{
    mw_free(t->slots);
    *t = (struct name_table){0};
}
