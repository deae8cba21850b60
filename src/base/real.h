/* Reals to decimal text and back, exactly, whatever the locale.
 * Not the grammar around them; that is codec/json.c. Read next: real.c.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_REAL_H
#define BASE_REAL_H

#include <meshwork/base.h>

enum {
    MW_REAL_BYTES = 32,        /* room for any printed real */
    MW_REAL_TEXT_BYTES = 1024, /* the longest number that is read */
};

/* Print a finite real with the fewest digits that read back as the same bits, as JavaScript prints it, but with ".0"
 * behind a whole one, so that it reads back as a real.
 *
 * ret      no NUL behind
 * returns  how many bytes
 * context  any thread
 */
MW_EXPORT size_t mw_real_print(double finite, char ret[MW_REAL_BYTES]);

/* Read a decimal number: the nearest double, ties to even.
 *
 * text     as JSON's grammar has it (RFC 8259 §6), checked already, at most MW_REAL_TEXT_BYTES long
 * returns  0 or an infinity of its sign where it lies outside of double's range
 * context  any thread
 */
MW_EXPORT double mw_real_read(const char *text, size_t byte_count);

/* ---- shared by real.c and powers.c --------------------------------------------------------------- */
enum { REAL_POWER_LEAST = -342, REAL_POWER_MOST = 324, REAL_POWER_EXACT_MOST = 55 };
extern const uint64_t real_powers[REAL_POWER_MOST - REAL_POWER_LEAST + 1][2];

#endif
