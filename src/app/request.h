/* A request in the form that most clients write, read in one pass.
 * Read next: request.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_REQUEST_H
#define APP_REQUEST_H

#include <meshwork/json.h>

struct rpc_method;

/* So many names are kept without a list. */
enum { REQUEST_NAMES = 16 };

struct request {
    const struct rpc_method *method;
    mw_value id;       /* a whole number or a text; null: it is a notification */
    bool has_id;
    bool has_params;
    mw_value params;   /* a list or an object; null where it has names */
    size_t name_count; /* distinct or not, each of 1 to 256 bytes */
    bool has_names;    /* its params are a list of them; only of a method that takes names */
    mw_value names[REQUEST_NAMES];
};

/* Read a request that has `jsonrpc`, a `method` that there is, and perhaps an `id` and `params`, each once, in any order, nothing else and
 * nothing odd about them: json_parse within these limits would give the same.
 * ret      request_clear, on success
 * returns  false: it is of another form, or wrong, or there is no memory; parse it */
bool request_read(const char *text, size_t byte_count, const struct mw_json_limits *limits, struct request *ret);
void request_clear(struct request *request);

#endif
