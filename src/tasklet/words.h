/* A value on its way: as the two words of its 16 bytes, in registers, and what can be told from these alone.
 * Not what a value is; that is meshwork/value.h. Read next: mailbox.c.
 * SPDX-License-Identifier: MIT */
#ifndef TASKLET_WORDS_H
#define TASKLET_WORDS_H

#include <meshwork/value.h>

#include <assert.h>
#include <string.h>

/* A value as the two registers in which it travels. It is loaded and stored word by word: one wide load behind two
 * narrow stores waits until both have reached the cache (12 ns). The empty asm keeps the compiler from joining them. */
struct value_words {
    uint64_t low, high;
};

static inline struct value_words value_words(const mw_value *from)
{
    struct value_words w;

    memcpy(&w.low, from, sizeof(w.low));
    memcpy(&w.high, (const char *)from + sizeof(w.low), sizeof(w.high));
    __asm__("" : "+r"(w.low), "+r"(w.high));
    return w;
}

static inline void value_store(mw_value *to, struct value_words w)
{
    memcpy(to, &w.low, sizeof(w.low));
    memcpy((char *)to + sizeof(w.low), &w.high, sizeof(w.high));
}

static inline mw_value value_of(struct value_words w)
{
    mw_value v;

    value_store(&v, w);
    return v;
}

/* Neither on the heap nor missing: its last two bytes are is_heap and kind. */
static inline bool words_are_plain(struct value_words w)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (w.high & 0xffff) < MW_MISSING;
#else
    static_assert(MW_MISSING == 9, "the last kind");
    return (uint16_t)__builtin_bswap64(w.high) < MW_MISSING; /* is_heap above, kind below */
#endif
}

static inline bool words_are_heap(struct value_words w)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (w.high & 0xff00) != 0;
#else
    return (w.high >> 48 & 0xff) != 0;
#endif
}

#endif
