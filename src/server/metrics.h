/* What the server counts, as Prometheus reads it (text exposition format 0.0.4).
 * Not who may read it; that is route.c. Read next: metrics.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "server/server_priv.h"

/* The text, and what it takes counts as work of whoever asks (edge_worked).
 * ret      a text, returned owned; untouched on failure
 * returns  0, -ENOMEM, -EMSGSIZE */
int metrics_print(mw_server *server, mw_value *ret);

#endif
