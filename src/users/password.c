/* Passwords into hashes and back to yes or no, by libsodium.
 * SPDX-License-Identifier: MIT */
#include <meshwork/users.h>

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

enum { PASSES = 2, MEMORY_BYTES = 19456 * 1024 };

static_assert(MW_PASSWORD_HASH_BYTES >= crypto_pwhash_STRBYTES, "a hash fits");

/* A hash of a password that nobody knows: judging it takes what judging a user's takes (promises, case 18). */
static const char nobodys[] = "$argon2id$v=19$m=19456,t=2,p=1$bsQyYxgkmiBYEe/Xvk0wOA$Oy/loPVcT5MmH5BUfACQyg7xrr4/QliBZlYbtnNBbK8";

int mw_password_hash(const char *password, char ret_hash[MW_PASSWORD_HASH_BYTES], struct mw_error *ret_error)
{
    size_t byte_count = strlen(password);

    if (byte_count < MW_PASSWORD_LEAST_BYTES || byte_count > MW_PASSWORD_MOST_BYTES)
        return mw_fail(ret_error, -EINVAL, "a password has %d to %d bytes; this one has %zu", MW_PASSWORD_LEAST_BYTES,
                       MW_PASSWORD_MOST_BYTES, byte_count);
    if (sodium_init() < 0 || crypto_pwhash_str_alg(ret_hash, password, byte_count, PASSES, MEMORY_BYTES,
                                                   crypto_pwhash_ALG_ARGON2ID13) != 0)
        return mw_fail(ret_error, -ENOMEM, "hash a password: no 19 MiB of memory");
    return 0;
}

bool mw_password_matches(const char *hash, const char *password)
{
    size_t byte_count = strlen(password);
    bool is_right = sodium_init() >= 0 && crypto_pwhash_str_verify(hash ? hash : nobodys, password,
                                                                   byte_count < MW_PASSWORD_MOST_BYTES ? byte_count
                                                                                                       : MW_PASSWORD_MOST_BYTES) == 0;

    return is_right && hash && byte_count <= MW_PASSWORD_MOST_BYTES;
}
