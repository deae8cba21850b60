/* The planned end of a server: readyz fails, then the listeners close, then the WebSockets, one after the other, so that those who come
 * back do not come all at once.
 * Not the quick stop; that is in server.c. Read next: drain.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_DRAIN_H
#define SERVER_DRAIN_H

#include "server/server_priv.h"

void drain_begin(mw_server *server);
/* On a reactor: no further connection, no further request, and its WebSockets close from now on. */
void drain_begin_closing(struct reactor *r, int64_t now_ns);
/* Close who is due. returns when it is to be called again; MW_FOREVER: nobody is left */
int64_t drain_close_due(struct reactor *r, int64_t now_ns);
/* On the server's own: close who is due; end the server at the deadline. returns when it is to be called again */
int64_t drain_turn(mw_server *server, int64_t now_ns);
/* Whether it still only gives notice: then it goes on also where nobody is connected. */
bool drain_has_yet_to_close(const mw_server *server);

#endif
