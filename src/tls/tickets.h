/* The keys of TLS session tickets (RFC 8446 §4.6.1): a new one every 12 hours, the last one still opens what it closed.
 * Not the handshake; that is tls.c. Read next: tickets.c.
 * SPDX-License-Identifier: MIT */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <meshwork/base.h>

enum { TICKET_NAME_BYTES = 16, TICKET_KEY_BYTES = 32, TICKET_ROTATION_S = 43200 };

struct ticket_key {
    uint8_t name[TICKET_NAME_BYTES];   /* stands in the ticket, in the clear */
    uint8_t cipher[TICKET_KEY_BYTES];  /* AES-256 */
    uint8_t mac[TICKET_KEY_BYTES];     /* HMAC-SHA-256 */
    int64_t made_ns;
    bool is_set;
};
/* Zero-initialise. Used by one thread at a time. */
struct ticket_keys {
    struct ticket_key current, last;
};

/* Forget keys that are too old, make a new one where it is time. 0, -EAGAIN: no randomness, the keys are as they were */
int ticket_keys_turn(struct ticket_keys *keys, int64_t now_ns);
/* The key of this name that still opens tickets; NULL: there is none. Borrowed until the next turn. */
const struct ticket_key *ticket_keys_find(const struct ticket_keys *keys, const uint8_t name[TICKET_NAME_BYTES]);
/* Overwrite them. */
void ticket_keys_clear(struct ticket_keys *keys);

#endif
