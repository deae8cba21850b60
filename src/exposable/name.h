/* Names of attributes, commands, tasklets and channels: which are legal, and finding one among many.
 * Not who may use them; that is policy.c. Read next: attribute.h.
 * SPDX-License-Identifier: MIT */
#ifndef EXPOSABLE_NAME_H
#define EXPOSABLE_NAME_H

#include <meshwork/base.h>

#include "base/word.h"

#define NAME_BYTES 256 /* longest */

/* Say what is wrong with a name. returns NULL: nothing; else words that follow the name ("holds a comma"). */
const char *name_fault(const char *name, size_t name_bytes);

/* A name as messages may show it: cut at 60 bytes, control characters and broken UTF-8 as '?'. returns out. */
#define NAME_SHOWN_BYTES 64
const char *name_show(char out[NAME_SHOWN_BYTES], const char *name, size_t name_bytes);

/* What a table finds a name by. Not keyed: its names are chosen by who writes the app or its policies, and who asks for others makes no table
 * longer. */
static inline uint32_t name_hash(const char *name, size_t name_bytes)
{
    uint64_t hash = name_bytes * UINT64_C(0xff51afd7ed558ccd);
    size_t at;

    for (at = 0; at < name_bytes; at += 8) {
        hash = (hash ^ mw_word_of(name + at, name_bytes - at)) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return (uint32_t)hash;
}

/* Names to indices, by open addressing at most half full. Names are borrowed. */
struct name_table {
    struct name_slot *slots; /* NULL while empty */
    size_t slot_count;       /* a power of two */
    size_t count;
};
#define NAME_NONE UINT32_MAX

/* Make room for count names in all. 0, or -ENOMEM with the table as it was. */
int name_table_reserve(struct name_table *t, size_t count);
/* Add a name that is not there yet; room has been reserved. */
void name_table_add(struct name_table *t, const char *borrows_name, size_t name_bytes, uint32_t index);
/* returns the index, or NAME_NONE */
uint32_t name_table_find(const struct name_table *t, const char *name, size_t name_bytes);
/* The same for who asks several tables: with its name_hash. */
uint32_t name_table_find_hashed(const struct name_table *t, const char *name, size_t name_bytes, uint32_t hash);
void name_table_empty(struct name_table *t); /* keeps the room */
void name_table_clear(struct name_table *t); /* frees */

#endif
