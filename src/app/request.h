/* A request in the form that most clients write, read in one pass.
 * Read next: request.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_REQUEST_H
#define APP_REQUEST_H

#include <meshwork/json.h>

struct rpc_method;

/* So many names are kept without a list. */
enum { REQUEST_NAMES = 16 };

/* What a request says about itself. */
struct envelope {
    const struct rpc_method *method;
    mw_value id;       /* a number or a text; null where there is none, or none that can be echoed */
    bool has_id;       /* else it is a notification */
    bool has_params;
    bool has_names;    /* its params are a list of names, and those are all there is of them */
    bool is_alone;     /* not one of a batch */
    mw_value params;   /* null where it has names */
    const mw_value *names; /* each of 1 to 256 bytes, distinct or not */
    size_t name_count;
};

struct request {
    struct envelope envelope;
    mw_value names[REQUEST_NAMES]; /* only of a method that takes names */
};

/* Read a request that has `jsonrpc`, a `method` that there is, and perhaps an `id` and `params`, each once, in any order, nothing else and
 * nothing odd about them: json_parse within these limits would give the same.
 * ret      request_clear, on success
 * returns  false: it is of another form, or wrong, or there is no memory; parse it */
bool request_read(const char *text, size_t byte_count, const struct mw_json_limits *limits, struct request *ret);
void request_clear(struct request *request);

#endif
