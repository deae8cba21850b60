/* Two keys: the one that closes tickets, and the one before it. Whoever gets at the memory gets what a day's tickets hold, no more.
 * Not who may resume; that is tls.c. Read next: tls.c.
 * SPDX-License-Identifier: MIT */
#include "tls/tickets.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#define ROTATION_NS (TICKET_ROTATION_S * INT64_C(1000000000))

static bool make(struct ticket_key *ret, int64_t now_ns)
{
    *ret = (struct ticket_key){.made_ns = now_ns, .is_set = true};
    return RAND_bytes(ret->name, sizeof ret->name) == 1 && RAND_priv_bytes(ret->cipher, sizeof ret->cipher) == 1 &&
           RAND_priv_bytes(ret->mac, sizeof ret->mac) == 1;
}

int ticket_keys_turn(struct ticket_keys *keys, int64_t now_ns)
{
    struct ticket_key fresh;

    if (keys->last.is_set && now_ns - keys->last.made_ns >= 2 * ROTATION_NS)
        OPENSSL_cleanse(&keys->last, sizeof keys->last);
    if (keys->current.is_set && now_ns - keys->current.made_ns < ROTATION_NS)
        return 0;
    if (!make(&fresh, now_ns)) {
        OPENSSL_cleanse(&fresh, sizeof fresh);
        return -EAGAIN;
    }
    /* One that nobody has used for a second day opens nothing any more. */
    if (keys->current.is_set && now_ns - keys->current.made_ns < 2 * ROTATION_NS)
        keys->last = keys->current;
    else
        OPENSSL_cleanse(&keys->last, sizeof keys->last);
    keys->current = fresh;
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return 0;
}

const struct ticket_key *ticket_keys_find(const struct ticket_keys *keys, const uint8_t name[TICKET_NAME_BYTES])
{
    if (keys->current.is_set && memcmp(keys->current.name, name, TICKET_NAME_BYTES) == 0)
        return &keys->current;
    return keys->last.is_set && memcmp(keys->last.name, name, TICKET_NAME_BYTES) == 0 ? &keys->last : NULL;
}

void ticket_keys_clear(struct ticket_keys *keys)
{
    OPENSSL_cleanse(keys, sizeof *keys);
}
