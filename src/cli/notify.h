/* What systemd wants to hear from a service: sd_notify(3), spoken here, as it is one datagram.
 * Silent where nobody listens. Read next: notify.c.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_NOTIFY_H
#define CLI_NOTIFY_H

#include <meshwork/base.h>

struct notify {
    int fd;              /* connected to NOTIFY_SOCKET; -1: nobody listens */
    int64_t watchdog_ns; /* how often it must hear from us; MW_FOREVER: it does not watch */
    int64_t alive_at_ns; /* when to say so next */
};

/* Take NOTIFY_SOCKET and WATCHDOG_USEC out of the environment: no child is to speak for us. */
void notify_open(struct notify *n);
void notify_close(struct notify *n);
/* One message: "NAME=VALUE" lines. Never waits; one that does not fit is lost. */
void notify_say(const struct notify *n, const char *format, ...) MW_PRINTF(2, 3);
/* Whether it is time to call notify_alive. */
bool notify_is_due(const struct notify *n);
/* The loop has made progress: tell of it, and feed the watchdog unless workers hang. */
void notify_alive(struct notify *n, size_t connection_count, size_t hung_workers);
/* How long the loop may sleep before it must call notify_alive. */
int64_t notify_period_ns(const struct notify *n);

#endif
