/* Writing answers: what answer.c and answer_files.c share.
 * Not for others in this room; they see exchange.h.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_ANSWER_H
#define EDGE_ANSWER_H

#include "edge/exchange.h"
#include "edge/files.h"

enum { NO_LENGTH = -1 };
enum { PACK_FROM_BYTES = 1024 }; /* less is not worth compressing: it is one packet either way */

/* A head as it goes out. Texts NULL: left out. */
struct answer_head {
    int status;
    const char *media_type;
    int64_t length; /* NO_LENGTH: none */
    const char *allow;
    const char *location;
    const char *headers; /* further lines */
    const char *cache_control;
    const struct file *file;
    const char *coding;        /* of what is sent: "br", "gzip" */
    const char *content_range; /* of the file */
    bool lacks_ranges;         /* of what is sent no part can be asked for */
    bool varies;               /* another Accept-Encoding might have got something else */
    bool is_attachment;
    bool must_close;
};

/* The parts of which an answer is made, in this order: may it keep the connection, its head into the edge's scratch
 * (false: no memory, c is dropped), what is queued, that it is queued. */
bool answer_may_keep(const struct edge_connection *c, const struct answer_head *head);
bool answer_write_head(struct edge_connection *c, const struct answer_head *head, bool keeps);
void answer_done(struct edge_connection *c, int status, bool keeps);
bool answer_is_to_head(const struct edge_connection *c); /* lengths as for GET, no body */

/* Queue a whole answer whose body lies in memory. A value is borrowed and shared where it is long. */
void answer_bytes(struct edge_connection *c, struct answer_head *head, const char *bytes, size_t byte_count,
                  const mw_value *value);
/* Queue a whole answer that is a line of text: the status, and reason where there is one. */
void answer_line(struct edge_connection *c, struct answer_head *head, const char *reason);

/* ---- answer_files.c ---------------------------------------------------------------------------------- */
/* The first of the hook's places that is a file, as far and in the form that the request asks for it. */
void answer_files(struct edge_connection *c, const struct edge_request *request, const struct edge_answer *a,
                  struct answer_head *head);

#endif
