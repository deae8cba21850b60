/* What the files that answer requests share.
 * Not for others in this room. Read next: route.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include "base/buffer.h"
#include "server/server_priv.h"

/* A refusal with a line of text; null: the usual one. */
void route_refuse(struct edge_answer *answer, int status, mw_value takes_text);
/* Whether the body comes in a coding (gzip and the like), which none here may: true has set the answer. */
bool route_is_coded(const struct edge_request *request, struct edge_answer *answer);
/* A page or an answer of the server's own, which nobody stores. takes_body MW_MISSING: 503 */
void route_answer_own(struct edge_answer *answer, int status, const char *media_type, mw_value takes_body);
/* Text as it goes into HTML. Errors stick in the buffer. */
void route_append_escaped(struct mw_buffer *out, const char *text);

/* ---- route_login.c ------------------------------------------------------------------------------------ */
void route_login(mw_server *server, const struct edge_request *request, struct edge_answer *answer);
void route_logout(mw_server *server, const struct edge_request *request, struct edge_answer *answer);

#endif
