/* The server's certificate: from the settings, made for development, and taken anew when its files change.
 * Not TLS itself; that is tls/tls.h. Read next: certificate.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_CERTIFICATE_H
#define SERVER_CERTIFICATE_H

#include "server/log.h"
#include "settings/hosts.h"
#include "settings/settings.h"
#include "tls/tls.h"

struct certificate {
    struct tls_context *context; /* NULL: the server speaks no TLS */
    char *certificate_path, *key_path;
    uint64_t seen;               /* what the files looked like when they were last loaded */
    int64_t look_at_ns;          /* when to look at them again */
};

/* Whether the settings ask for TLS. */
bool certificate_is_wanted(const struct settings *settings);
/* Load what the settings name; with self-signed, make it first where it is missing, ends within a day or is not for all of hosts.
 * returns  0, also where none is wanted; -EINVAL settings that do not go together; what tls_context_load said */
int certificate_open(struct certificate *c, const struct settings *settings, const struct hosts *hosts,
                     struct mw_error *ret_error);
/* Say of one that is loaded that clients will refuse it: it has ended, or does not hold yet. */
void certificate_tell_time(const struct certificate *c, struct log *log);
void certificate_close(struct certificate *c); /* zeroed or opened */
/* Load the files anew, changed or not. returns 0, also where there is no certificate; what tls_context_load said, and the one from
 * before stays */
int certificate_reload(struct certificate *c, struct log *log, struct mw_error *ret_error);
/* Look whether the files have changed, at most every two seconds, and load them then. What cannot be loaded is logged, and
 * the certificate from before stays.
 * returns  true: c->context is another one */
bool certificate_look(struct certificate *c, int64_t now_ns, struct log *log);

#endif
