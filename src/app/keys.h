/* Idempotency keys: the answers of the last sets that carried one, so that a set sent twice is done once.
 * Not what a set does; that is methods.c. Read next: keys.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_KEYS_H
#define APP_KEYS_H

#include <meshwork/value.h>

#define KEYS_BYTES 128                     /* of one key */
#define KEYS_REMEMBERED 256                /* of one instance; the oldest goes first */
#define KEYS_ANSWER_BYTES ((size_t)16384)  /* a longer answer is not remembered */

struct keys;
struct keys *keys_new(void); /* returned owned: keys_free; NULL: out of memory */
void keys_free(struct keys *keys); /* accepts NULL */

/* The answer that was given to this user's key.
 * fingerprint  mw_hash of what was asked, so that a key used again for something else is noticed
 * returns  1 with *ret_answer a borrowed text; 0 not known; -EEXIST the key was used for something else */
int keys_find(const struct keys *keys, const char *user, mw_value borrows_key, uint64_t fingerprint,
              const mw_value **ret_answer);
/* Remember an answer. answer: JSON, copied.
 * returns  1 something was forgotten for it; 0; -EMSGSIZE too long to be remembered; -ENOMEM */
int keys_remember(struct keys *keys, const char *user, mw_value borrows_key, uint64_t fingerprint, const char *answer,
                  size_t byte_count);

#endif
