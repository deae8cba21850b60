/* The names this server answers to, and the origins whose pages may talk to it: the fences against DNS rebinding and
 * cross-site WebSocket hijacking.
 * Not cookies and sessions. Read next: ../server/route.c.
 * SPDX-License-Identifier: MIT */
#ifndef SETTINGS_HOSTS_H
#define SETTINGS_HOSTS_H

#include <meshwork/base.h>

enum { HOSTS_NAMES_MAX = 128, HOSTS_PORTS_MAX = 4 };

/* One name under which browsers reach the server. */
struct hosts_name {
    char *name;       /* lower case; "[::1]" where it is IPv6 */
    int port;         /* where the outside sees another port than ours; 0: ours */
    const char *scheme; /* "http" or "https": what the outside speaks */
};

struct hosts {
    struct hosts_name names[HOSTS_NAMES_MAX];
    size_t name_count;
    uint16_t ports[HOSTS_PORTS_MAX]; /* of the listeners */
    size_t port_count;
    const char *scheme; /* of names that do not say: what the listeners speak */
};

void hosts_init(struct hosts *h);
void hosts_clear(struct hosts *h);

/* Add a name: "lab.example.org", "10.0.0.5", "[::1]" or "::1", each perhaps with ":PORT", perhaps with "http://" or
 * "https://" in front. One that is there already is added once.
 * returns 0; -EINVAL no such name, with the reason; -ENOSPC too many; -ENOMEM */
int hosts_add(struct hosts *h, const char *text, struct mw_error *ret_error);
/* What a server on loopback is called anyway: localhost, 127.0.0.1, [::1], the machine's name. */
bool hosts_is_name(const char *text); /* which hosts_add would take */
int hosts_add_own(struct hosts *h, struct mw_error *ret_error);
/* The addresses of this machine's interfaces: for a listener on all of them. */
int hosts_add_interfaces(struct hosts *h, struct mw_error *ret_error);
void hosts_add_port(struct hosts *h, uint16_t port);

/* Whether what a Host field names is ours. Letters compare without case (RFC 9110 §4.2.3).
 * name  "localhost", "[::1]"; port  0 to 65535; -1: not said, which fits any */
bool hosts_knows(const struct hosts *h, const char *name, int port);
/* Whether an Origin field is, byte for byte, one of ours: scheme://NAME[:PORT] of any listener. */
bool hosts_allows_origin(const struct hosts *h, const char *origin);

#endif
