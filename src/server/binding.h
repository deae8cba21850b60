/* Where the server listens: addresses from the settings, whether they may be in plaintext, and the URLs that follow.
 * Not the sockets; those are in edge/. Read next: server.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_BINDING_H
#define SERVER_BINDING_H

#include "server/server_priv.h"

enum { BINDING_ADDRESSES_MAX = 8 };

struct binding {
    const char *addresses[BINDING_ADDRESSES_MAX]; /* numeric; borrowed from the settings, or constants */
    size_t address_count;
    bool may_lack_ipv6;
    bool is_tls;
    const char *url_host; /* what people type: "localhost", an address, or the first --host; borrowed */
};

/* Read bind and host. Fills hosts with every name the server will be known by.
 * returns 0; -EINVAL no such address; -EACCES off loopback without plaintext; -ENOMEM */
int binding_make(const struct settings *settings, struct binding *ret, struct hosts *hosts,
                 struct mw_error *ret_error);
/* Listen on all, and on the port for WebSockets where there is one. Sets the server's ports.
 * returns 0; -EADDRINUSE with the way out; what else the edge said */
int binding_listen(const struct binding *binding, struct mw_server *server, struct mw_error *ret_error);
/* Give every app its URL. returns 0, -ENOMEM */
int binding_make_urls(const struct binding *binding, struct mw_server *server);

#endif
