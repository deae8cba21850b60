/* The proxies in front that are believed, and from where they say that a request comes.
 * Read next: proxies.c, gate.h.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_PROXIES_H
#define SERVER_PROXIES_H

#include <meshwork/base.h>

#include "edge/edge.h"
#include "settings/network.h"
#include "settings/settings.h"

enum { PROXY_ADDRESS_BYTES = 46 };

/* Zero-initialise: none is believed. */
struct proxies {
    struct network *networks;
    size_t count;
};
/* Those that the settings name, which have been checked. 0; -ENOMEM */
int proxies_open(struct proxies *p, const struct settings *settings);
void proxies_close(struct proxies *p);

bool proxies_trust(const struct proxies *p, const uint8_t address[16]);
/* Whether a proxy that is believed sends this request. */
bool proxies_sent(const struct proxies *p, const struct edge_request *request);
/* From where a request comes: whoever is at the other end; of a proxy that is believed, the last in its X-Forwarded-For that is none itself. What
 * stands before that one may be anybody's invention. */
void proxies_address(const struct proxies *p, const struct edge_request *request, char ret[PROXY_ADDRESS_BYTES]);
/* The last of a field's values: what the proxy next to us has put there, on the last line of that name where it adds one to what it was
 * sent. NULL: there is none. borrowed during the request */
const char *proxies_last_word(const struct edge_request *request, const char *name);

#endif
