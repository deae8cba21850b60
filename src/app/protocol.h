/* Inside meshwork.v1: a request that is being answered, the errors there are, the methods.
 * Not the seam to the server; that is mount.h. Read next: protocol.c, methods.c, set.c, call.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_PROTOCOL_H
#define APP_PROTOCOL_H

#include "app/app_priv.h"

/* Errors of a request: name, code, message. */
#define RPC_ERRORS(X)                                                                                                \
    X(RPC_PARSE, -32700, "parse error")                                                                              \
    X(RPC_REQUEST, -32600, "invalid request")                                                                        \
    X(RPC_METHOD, -32601, "method not found")                                                                        \
    X(RPC_PARAMS, -32602, "invalid params")                                                                          \
    X(RPC_INTERNAL, -32603, "internal error")                                                                        \
    X(RPC_DENIED, -32001, "denied")                                                                                  \
    X(RPC_VALUE, -32004, "invalid value")                                                                            \
    X(RPC_OVERLOADED, -32006, "overloaded")                                                                          \
    X(RPC_UNKNOWN, -32007, "outcome unknown")                                                                        \
    X(RPC_UNAUTHENTICATED, -32008, "not authenticated")                                                                          \
    X(RPC_CLOSING, -32009, "closing")                                                                                \
    X(RPC_TOO_LARGE, -32010, "too large")
#define RPC_ENUMERATOR(name, code, message) name = (code),
enum rpc_error { RPC_ERRORS(RPC_ENUMERATOR) };
#undef RPC_ENUMERATOR

int rpc_no_memory(struct mw_error *ret_error); /* says so: RPC_INTERNAL */
/* {"jsonrpc":"2.0","id":...,"error":{...}} at the end. reason: may be NULL */
void rpc_print_failure(struct app *app, struct mw_buffer *b, mw_value id, int code, const char *reason);

/* Beside the errno names of a refusal: "conflict", the revision is another. Outside errno's range. */
#define APP_CONFLICT (-100000)

/* One request being answered. */
struct rpc_call {
    mw_client *client;
    mw_instance *instance;
    struct scratch *scratch;
    mw_value params;  /* borrowed; null where the request has none */
    bool has_params;
    const mw_value *names; /* NULL; or what there is in place of params: borrowed, each a name by names_check */
    size_t name_count;
    const char *method;
    const mw_value *id; /* NULL: a notification, or one of a batch */
    bool is_alone;      /* it is none of a batch */
    bool is_later;      /* a command has taken its answer upon itself ... */
    mw_call *later;     /* ... with this; NULL: it has been answered since */
    size_t begin;       /* where its answer begins in scratch->out */
};

/* The code of a command's own failure. */
enum rpc_error rpc_error_of(int code);

/* What a method returns that is answered later: nothing is said now. */
#define RPC_LATER 1

/* Answer a call: print the result as JSON into scratch->out.
 * returns  0, RPC_LATER, or an rpc_error with ret_error's text saying what was expected or why; what was printed is then dropped */
typedef int rpc_run(struct rpc_call *call, struct mw_error *ret_error);
struct rpc_method {
    const char *name;
    size_t name_bytes;
    rpc_run *run;
    bool needs_connection; /* has no meaning for a request by POST */
    bool needs_no_login;   /* may come first where a login is required */
    bool takes_names;      /* its params are names alone: names_open_call reads them */
};
const struct rpc_method *rpc_method_find(const char *name, size_t name_bytes); /* NULL: there is none */

/* Whether what was printed can be sent. For methods that must not do what they answered unless it can; the others are checked when they
 * return. returns 0, or an rpc_error with ret_error's text */
int rpc_check_answer(const struct rpc_call *call, struct mw_error *ret_error);

rpc_run rpc_get_attributes, rpc_describe, rpc_rights; /* methods.c */
rpc_run rpc_watch, rpc_resume, rpc_unwatch; /* methods_watch.c */
rpc_run rpc_set_attributes; /* set.c */
rpc_run rpc_call_command, rpc_send; /* call.c */
rpc_run rpc_login; /* login.c */
rpc_run rpc_explain; /* explain.c */

/* ---- results of one entry per name -------------------------------------------------------------------- */

/* The distinct names of a list, in order. */
struct names {
    mw_value list;  /* borrowed */
    const mw_value *given; /* borrowed, in place of a list; NULL: the list */
    size_t count, next;
    uint64_t marks; /* of short lists: a bit for what came, which another name may have too */
    mw_value seen;  /* of long lists: a map of what came */
};
/* Check that this is a list of names. 0, RPC_PARAMS */
int names_open(struct names *names, mw_value borrows_list, struct mw_error *ret_error);
/* The same of the names that are a call's params. */
int names_open_call(struct names *names, const struct rpc_call *call, struct mw_error *ret_error);
/* returns  1 with the next name; 0 at the end; -ENOMEM */
int names_next(struct names *names, const mw_value **ret_name);
void names_close(struct names *names);
/* Check one name: a text of 1 to 256 bytes. what: for the reason. 0, RPC_PARAMS */
int names_check(mw_value name, const char *what, struct mw_error *ret_error);

/* Put one name into the answer.
 * known    NULL, or the revision whose value the client has
 * returns  its revision; negative: it was refused, and the answer says so */
int64_t call_read_one(struct rpc_call *call, mw_value name, const int64_t *known, size_t *ret_index);
/* The index of the attribute of this name, when this client has the right to it; else negative. */
int call_find(const struct rpc_call *call, mw_value name, int right);
/* Note a name that was refused: its word (mw_refusal_word's of code), and under "details" the reason, if any. */
void call_refuse(struct rpc_call *call, mw_value name, int code, const char *reason);
/* Tell the audit log that this was done with a name. */
void call_audit(const struct rpc_call *call, mw_value name);
/* Count a denial, note it for who asks why, tell the audit log. ret_id: what the answer is to say */
void call_deny(const struct rpc_call *call, mw_value name, char ret_id[DENIAL_ID_BYTES]);
/* The same for a request that is refused as a whole. returns RPC_DENIED */
int call_deny_all(const struct rpc_call *call, mw_value name, const char *why, struct mw_error *ret_error);
void call_note_revision(struct rpc_call *call, size_t index, int64_t revision);
/* A revision as a client writes it. 0, or RPC_PARAMS */
int call_read_revision(mw_value given, const char *member, int64_t *ret, struct mw_error *ret_error);
/* Print what was noted: "revs":{...},"errors":{...}, and "details" and "decisions" where there are any; then the closing brace. */
void call_print_notes(struct rpc_call *call);

#endif
