/* HTTP between exchange.c, which reads requests, and answer.c, which writes answers.
 * Not for others in this room; they see edge_priv.h.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_EXCHANGE_H
#define EDGE_EXCHANGE_H

#include "edge/edge_priv.h"

struct exchange {
    struct exchange *next; /* in the pool */
    struct http_parser parser;
    int64_t body_ns;     /* when collecting the body began */
    struct edge_later *later; /* of the request under way: what it waits for; NULL: nothing */
    void *to;            /* CONNECTION_MOVING: where, as the hook said */
    bool has_body;       /* of the request under way */
    bool is_whole;       /* it is all here: another may follow */
};

/* Make ready for the next request. */
void exchange_next(struct edge_connection *c);

/* Each queues one answer and goes on with the next request, or leaves the connection. */
/* takes answer->body */
void answer_give(struct edge_connection *c, const struct edge_request *request, struct edge_answer *answer);
/* reason  constant text; NULL: the status says it all */
void answer_refuse(struct edge_connection *c, int status, const char *reason);
void answer_options(struct edge_connection *c, const char *allow);

#endif
