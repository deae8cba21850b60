/* Values made by those who make many: short text in registers, containers from values in a row.
 * For parsers; everybody else uses meshwork/value.h. Read next: codec/json.c.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_BUILD_H
#define BASE_BUILD_H

#include <meshwork/value.h>

#include "base/word.h"

/* The most bytes that mw_short_text takes. */
enum { MW_SHORT_TEXT_BYTES = 13 };

/* Text from its two words, which are 0 behind it. */
static inline mw_value mw_short_text_of_words(const uint64_t words[2], size_t byte_count)
{
    mw_value v;

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t whole[2] = {words[0],
                               words[1] | (uint64_t)(MW_SHORT_TEXT_BYTES - byte_count) << 40 | (uint64_t)MW_TEXT << 56};

    memcpy(&v, whole, sizeof(v)); /* assembled in registers: see mw_value_of_words */
#else
    memcpy(&v, words, sizeof(v));
    v.short_room = (uint8_t)(MW_SHORT_TEXT_BYTES - byte_count);
    v.kind = MW_TEXT;
#endif
    return v;
}

/* Text of up to 13 bytes: no heap, no failure. */
static inline mw_value mw_short_text(const char *bytes, size_t byte_count)
{
    const uint64_t words[2] = {mw_word_of(bytes, byte_count),
                               byte_count > 8 ? mw_word_of(bytes + 8, byte_count - 8) : 0};

    return mw_short_text_of_words(words, byte_count);
}

/* Make a list of values, or a map of keys and values in turn (keys are text; a key that comes again
 * replaces the earlier one's value).
 *
 * takes     the values, not the array; on success only
 * count     values, keys included
 * ret       returned owned (mw_release)
 * returns   0; -ENOMEM
 * context   any thread
 */
MW_EXPORT int mw_list_of_values(const mw_value *takes, size_t count, mw_value *ret);
MW_EXPORT int mw_map_of_pairs(const mw_value *takes, size_t count, mw_value *ret);

#endif
