/* Keyed hashing of names from outside: SipHash-1-3 with a key of this process, so that nobody can aim collisions.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <meshwork/base.h>

/* Hash bytes under the process's random key. context: any thread */
MW_EXPORT uint64_t mw_hash(const void *bytes, size_t byte_count);
/* The same under a key of the caller's. context: any thread */
MW_EXPORT uint64_t mw_hash_keyed(const uint64_t key[2], const void *bytes, size_t byte_count);

#endif
