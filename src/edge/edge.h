/* The edge: from sockets to requests and messages, one per worker. Knows no app: hooks decide.
 * Not the bytes' grammar; that is codec/. Not what is served where; that is server/. Read next: connection.c.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H

#include <meshwork/value.h>

#include "edge/limits.h"
#include "runtime/poller.h"
#include "tls/tls.h"

/* Everything here belongs to the poller's thread. */
struct edge;
/* One client's connection. Valid for the server from `opened` until `closed` has returned. */
struct edge_connection;

/* ---- a request, as the route hook sees it ------------------------------------------------------------ */
/* "OPTIONS *" is answered by the edge. EDGE_OTHER: PUT, DELETE, PATCH or TRACE, for which a hook says what is allowed instead; whatever it answers
 * but a refusal becomes 405. */
enum edge_method { EDGE_GET, EDGE_HEAD, EDGE_POST, EDGE_OPTIONS, EDGE_OTHER };

/* Borrowed by the hook until it returns. Texts are NUL-terminated and hold no NUL; "" where absent. */
struct edge_request {
    enum edge_method method;
    const char *path;  /* decoded once, normalised, starts with '/', holds no "." or ".." segment, no '\' */
    const char *query; /* as it came, without the '?' */
    const char *host;  /* as it came, without port: "name", "[::1]"; never "" but in HTTP/1.0 */
    int host_port;     /* 0 to 65535; -1: not said */
    const char *peer;  /* numeric address, without port */
    bool is_loopback;  /* the peer is 127.0.0.0/8 or ::1 */
    bool is_tls;       /* it came over TLS */
    bool is_upgrade;   /* asks for a WebSocket, and the handshake is in order (RFC 6455 §4.2.1) */
    bool has_body;     /* a body follows or is here */
    bool is_whole;     /* the body, if any, is here */
    const void *body;
    size_t body_count;
    uint16_t port;     /* of the listener it came in by */
    void *listener_context;
    struct edge_later *later; /* what the hook had it wait for, now done; NULL: this is the first time */
    void *head;        /* the edge's own, for edge_request_field */
};
/* A header field by its name in any case: its value, without white space at the ends; NULL: not there. Where there are
 * several, the first; Origin, Cookie, Authorization and Content-Type are never there twice (400). */
const char *edge_request_field(const struct edge_request *request, const char *name);
/* The same from the end, for what each station on the way adds to.
 * later  NULL: the last; else the one before that value */
const char *edge_request_field_before(const struct edge_request *request, const char *name, const char *later);
/* Whether the client has what has this entity tag: If-None-Match lists it (RFC 9110 §13.1.2). */
bool edge_request_knows(const struct edge_request *request, const char *etag);
/* Whether the client takes a content coding (RFC 9110 §12.5.3). */
bool edge_request_takes(const struct edge_request *request, const char *coding);
/* Whether the client offers this WebSocket sub-protocol. */
bool edge_request_offers(const struct edge_request *request, const char *subprotocol);
/* Whether any sub-protocol is offered. */
bool edge_request_offers_any(const struct edge_request *request);

/* ---- what the route hook answers --------------------------------------------------------------------- */
enum edge_answer_kind {
    EDGE_REFUSE,  /* status, and a line of text that names it; what an answer is when the hook sets nothing: 404 */
    EDGE_BODY,    /* status, media_type, body */
    EDGE_FILES,   /* the first of places that is a regular file; 404 if none is */
    EDGE_UPGRADE, /* 101, then a WebSocket */
    EDGE_COLLECT, /* is_whole is false: read the body, then ask again */
    EDGE_LATER,   /* is_whole is true: ask again when edge_later_done is called; nothing more is read until then */
    EDGE_MOVE,    /* another edge is to answer it: the hook `moved` gets the connection and `to`, and that edge's hook the request */
};

/* What a request waits for, embedded in the hook's own. It outlives the wait. */
struct edge_later {
    struct edge_connection *connection; /* the edge's; NULL: nobody waits any more */
};

/* A file: path beneath folder beneath root_fd. No step leaves the folder: not by "..", not by a symbolic link. */
struct edge_place {
    int root_fd;        /* borrowed during the hook; a directory, O_PATH suffices */
    const char *folder; /* beneath root_fd, must be a directory there; NULL: root_fd itself */
    const char *path;   /* beneath folder, without leading '/'; no segment that begins with '.' */
};
enum { EDGE_PLACES = 4 };

/* Zeroed when the hook is called. All texts are borrowed until the next call of any hook of this edge. */
struct edge_answer {
    enum edge_answer_kind kind;
    int status;              /* EDGE_REFUSE and EDGE_BODY: 200 to 599; 0 means 404 and 200 */
    const char *headers;     /* further header lines, each ending in "\r\n"; NULL: none */
    const char *allow;       /* 405 and OPTIONS: for the Allow header, "GET, HEAD"; NULL: that */
    const char *media_type;  /* EDGE_BODY: NULL is "text/plain; charset=utf-8". EDGE_FILES: NULL: by extension */
    mw_value body;           /* EDGE_BODY: text or bytes; the edge takes it. EDGE_REFUSE: instead of the usual line */
    bool may_pack;           /* EDGE_BODY: gzipped where it has 1 KiB or more and the client takes it. Never for what has a secret in it beside
                                something that others can choose: its length would tell of the secret (BREACH) */
    bool must_close;         /* close the connection after this answer */
    struct edge_place places[EDGE_PLACES]; /* EDGE_FILES: tried in order; ends at the first without path */
    const char *index;         /* EDGE_FILES: "index.html": where a path ends in '/', this file of that folder is meant, and who asks for the
                                  folder without the '/' is sent there (308). NULL: folders are no files */
    const char *cache_control; /* EDGE_FILES: of the file (200, 206, 304); whatever else is answered says no-store. NULL:
                                  neither says anything */
    const char *subprotocol; /* EDGE_UPGRADE: one that was offered; NULL: none */
    struct edge_later *later; /* EDGE_LATER */
    void *to;                /* EDGE_MOVE: for the hook `moved`; outlives the request */
    void *connection;        /* EDGE_UPGRADE: what the other hooks get; from now on `closed` is called once for it */
};

/* The kind of a message (RFC 6455 §5.6). */
enum edge_kind { EDGE_TEXT = 1, EDGE_BINARY = 2 };

/* A request that has been answered, or became a WebSocket. Borrowed during the call. */
struct edge_access {
    const char *peer;        /* numeric address; "" where there is none */
    const char *method;      /* "GET"; "-" where the head was none */
    const char *path;        /* as it came, still escaped, not terminated, without the query, which may hold secrets */
    size_t path_count;
    int status;
    int64_t body_bytes;      /* of the answer */
    bool is_tls;
    const struct edge_request *request; /* for edge_request_field, and peer, is_loopback; nothing else is in it. NULL: the head was none */
};

struct edge_hooks {
    /* Decide what a request gets. POST is answered 405 by the edge only if the hook says so. An upgrade that the
     * hook answers otherwise gets that answer. Asked when the head is there, and once more behind the body: what is
     * answered to a head alone (is_whole is false) counts only where its client waits for "100 Continue". */
    void (*route)(void *context, const struct edge_request *request, struct edge_answer *answer);
    /* The upgrade is done; sending is allowed from here on. */
    void (*opened)(void *connection, struct edge_connection *edge_connection);
    /* One whole message; text is valid UTF-8. */
    void (*message)(void *connection, enum edge_kind kind, const void *borrows, size_t byte_count);
    /* The connection is gone, or never came to be. Once, never from inside another call of the edge but edge_free.
     * code  the close code received or sent; 1006: gone without one */
    void (*closed)(void *connection, int code);
    /* A request has its answer, which is queued. May be NULL */
    void (*answered)(void *context, const struct edge_access *access);
    /* Whether many come through this address (IPv6, or IPv4 as ::ffff:a.b.c.d), so that the limits per address do not hold for it. May be NULL */
    bool (*is_shared_address)(void *context, const uint8_t address[16]);
    /* Once per loop pass, after all that was read was handed over and before output is written.
     * returns true: more is ready, come again without sleeping. May be NULL */
    bool (*turn)(void *context, int64_t now_ns);
    /* EDGE_MOVE: the connection has left this edge, in the same pass or once what was queued for it before is written. It is handed to
     * another edge's thread, for edge_take, or is discarded (edge_discard). May be NULL: then no hook answers EDGE_MOVE
     * to  of the answer */
    void (*moved)(void *context, void *to, struct edge_connection *edge_connection);
    /* edge_connection_move: the WebSocket has left this edge, and nothing may be said on it before `came`. Handed on as above. May be NULL: then
     * none is moved */
    void (*left)(void *connection, struct edge_connection *edge_connection);
    /* A WebSocket that has left another edge is this one's from now on (edge_take). May be NULL: then none comes */
    void (*came)(void *connection, struct edge_connection *edge_connection);
};

/* What a request waited for is done: the hook is asked again, with request->later. Nothing happens where the connection has gone.
 * Not from inside a hook. */
void edge_later_done(struct edge_later *later);

/* ---- several edges, one per worker -------------------------------------------------------------------- */
/* What they count together: connections in all and by address. It outlives them. NULL: out of memory */
struct edge_together *edge_together_new(void);
void edge_together_free(struct edge_together *together); /* accepts NULL */
size_t edge_together_connections(const struct edge_together *together); /* any thread; those between two edges included */
/* Have a WebSocket leave for another edge: once what is queued for it is written; from now on nothing more is, and nothing read. What has come of
 * a message, and what the messages before it were compressed with, goes along.
 * returns  0, and either `left` or `closed` follows; -EPIPE it is being closed */
int edge_connection_move(struct edge_connection *c);
/* Take a connection that has left another edge, and answer its request, or hear it; on this edge's thread, also from inside its turn hook. */
void edge_take(struct edge *edge, struct edge_connection *c);
/* Close one that has left an edge, which none will take. Any thread.
 * returns  what the hooks got of a WebSocket, for which `closed` does not come; else NULL */
void *edge_discard(struct edge_together *together, struct edge_connection *c);

/* ---- an edge ----------------------------------------------------------------------------------------- */
struct edge_options {
    struct poller *poller;           /* borrowed; the edge takes its turn hook */
    const struct edge_hooks *hooks;  /* copied */
    void *context;                   /* of route and turn */
    const struct edge_limits *limits; /* copied; NULL: the defaults */
    struct tls_context *tls;         /* of listeners that speak TLS; referenced; NULL: none does */
    bool is_strict_tls;              /* over TLS browsers are told to come over TLS for two years (RFC 6797), but where they
                                        call the server localhost: other servers share that name */
    bool deflates;                   /* speak permessage-deflate (RFC 7692) with clients that offer it */
    bool deflates_with_context;      /* a message may refer to those before it: smaller, but some 70 KiB for each client, and
                                        what one message holds shows in the length of another */
    bool per_ip_loopback;            /* the limits per address hold for loopback peers too */
    struct edge_together *together;  /* borrowed; NULL: this edge counts alone */
};
/* returns 0, -ENOMEM, -EMFILE; ret_error says what was attempted */
int edge_open(const struct edge_options *options, struct edge **ret, struct mw_error *ret_error);
/* Take another certificate for connections that come from now on; those there are keep theirs. Only where the edge has
 * one. Referenced. */
void edge_set_tls(struct edge *edge, struct tls_context *tls);
/* Close the listeners and drop every connection (each `closed` hook runs), free. Accepts NULL. Not from inside a
 * hook. */
void edge_free(struct edge *edge);

struct edge_listen {
    const char *const *addresses; /* numeric: "127.0.0.1", "::1", "0.0.0.0", "::" (IPv6 only) */
    size_t address_count;         /* 1 to 8 */
    uint16_t port;                /* 0: a free one, the same for all addresses */
    bool is_shared;               /* several workers listen (SO_REUSEPORT); another program's port stays refused */
    bool is_further;              /* with is_shared: a worker of ours listens there already */
    bool is_websocket_only;       /* whatever is no upgrade gets 426 */
    bool is_tls;                  /* with the edge's certificate, which it must have */
    bool may_lack_ipv6;           /* where the machine has no IPv6, the other addresses suffice */
    void *context;                /* becomes request.listener_context */
};
/* Count one more from an address, under the limits per address, where that of its connection is shared by many (is_shared_address).
 * returns 1 counted: edge_leave_address; 0 welcome, and these limits do not hold for it; -EAGAIN too many, or too fast; -ENOMEM; context: the edge's
 * thread */
int edge_enter_address(struct edge *edge, const uint8_t address[16]);
void edge_leave_address(struct edge_together *together, const uint8_t address[16]); /* any thread */

/* Bind, listen and accept.
 * ret_port  the port all have
 * returns   0; -EADDRINUSE, -EACCES (a port below 1024), -EADDRNOTAVAIL, -EINVAL no numeric address; ret_error says
 *           which address and why. On failure nothing stays open. */
int edge_listen(struct edge *edge, const struct edge_listen *options, uint16_t *ret_port,
                struct mw_error *ret_error);
/* Accept from a TCP socket that listens already: socket activation. takes the descriptor in every case.
 * options  is_websocket_only, is_tls and context count
 * returns  0; -EINVAL it is no such socket; -ENOMEM */
int edge_listen_on(struct edge *edge, int takes_fd, const struct edge_listen *options, uint16_t *ret_port,
                   struct mw_error *ret_error);
/* Accept nothing any more: for a drain. Connections stay. */
void edge_stop_listening(struct edge *edge);
/* Serve a connected stream socket as if it had been accepted: socket activation, tests. takes the descriptor. */
int edge_adopt(struct edge *edge, int takes_fd, bool is_websocket_only, void *listener_context);
/* Let no HTTP request follow those under way: connections that wait for one are closed, the others after their answer;
 * WebSockets stay. */
void edge_finish_requests(struct edge *edge);
/* Close all: WebSockets with a code (1001, 1012), others once their answers have left. */
void edge_close_all(struct edge *edge, int code, const char *reason);

/* ---- sending -----------------------------------------------------------------------------------------
 * Queued; all that a pass has queued leaves in one write at its end.
 * returns 0; -EPIPE closing or gone; -ENOBUFS over a limit: the connection is being closed (1013); -ENOMEM: likewise */
int edge_connection_send(struct edge_connection *c, enum edge_kind kind, const void *borrows, size_t byte_count);
/* As above; value is a text or bytes: where it is long, the queue holds a reference instead of a copy. -EINVAL: neither */
int edge_connection_send_shared(struct edge_connection *c, enum edge_kind kind, mw_value borrows);
/* Start the closing handshake after what is queued. code  1000 to 1014 but 1004 to 1006, or 3000 to 4999, else it becomes
 * 1011; reason  cut to 123 bytes; may be NULL. Twice is once. */
void edge_connection_close(struct edge_connection *c, int code, const char *reason);
/* End it now: what is queued does not leave. `closed` comes at the end of the pass (1006, unless a close was sent). */
void edge_connection_drop(struct edge_connection *c);
/* Bytes that the kernel has taken, ever: what is queued now has left once it has grown by edge_connection_queued. */
uint64_t edge_connection_written(const struct edge_connection *c);
/* Bytes queued and not yet taken by the kernel. */
size_t edge_connection_queued(const struct edge_connection *c);
/* Hear nothing from this client until told otherwise: back-pressure from the app. */
void edge_connection_pause(struct edge_connection *c, bool is_paused);
const char *edge_connection_peer(const struct edge_connection *c); /* numeric address; borrowed until the next call */

/* ---- counters ---------------------------------------------------------------------------------------- */
struct edge_stats {
    size_t connections, websockets, listeners;   /* now */
    uint64_t queued_bytes;                       /* now, of all connections */
    uint64_t unfinished_bytes;                   /* at the last sweep: of bodies and messages that have come in part */
    uint64_t accepted, refused, requests, upgrades;
    uint64_t moved_out, moved_in;                /* to and from other edges */
    uint64_t put_off;                            /* times that a connection with something to say had to wait for its turn */
    uint64_t told_later;                         /* passes that left some who had not asked for what they are told to a later one */
    uint64_t messages_in, messages_out, bytes_in, bytes_out;
    uint64_t writes;                             /* system calls that wrote */
    uint64_t bad_requests, protocol_errors;      /* malformed HTTP; WebSocket closes 1002, 1007 */
    uint64_t status[6];                          /* answers by class: [2] is 2xx */
    size_t tls_handshakes;                       /* now under way */
    uint64_t tls_opened, tls_failed, tls_plain;  /* handshakes: done, broken, from who spoke plain HTTP */
    size_t gzip_files, gzip_bytes;               /* now kept: files compressed as they were asked for */
    uint64_t gzip_made, gzip_answers;            /* how many were compressed, and answers with one of them */
    uint64_t gzip_bodies;                        /* answers compressed that are no files */
    size_t cached_files, cached_missing, cached_bytes; /* now kept: files in memory, names that are no file, what both take */
    uint64_t cache_found, cache_checked;         /* how often a look at the folder was spared, or found a file unchanged */
    uint64_t cache_too_large;                    /* how often a file was too large to be held */
    size_t deflating;                            /* now: WebSockets with permessage-deflate */
    uint64_t deflated, deflated_from_bytes, deflated_bytes; /* messages that left smaller; their bytes before and after */
    uint64_t inflated, inflated_from_bytes, inflated_bytes; /* messages that came compressed; likewise */
};
struct edge_stats edge_stats(const struct edge *edge);
void edge_stats_add(struct edge_stats *io, const struct edge_stats *more); /* of several edges: the sum */
/* Shed load: refuse connections while is_full, counted for a limit; close those that wait for a request; drop the one for which most is
 * queued (code 1013). The last two return how many that were. */
void edge_set_full(struct edge *edge, bool is_full, enum edge_limit limit);
size_t edge_close_idle(struct edge *edge);
size_t edge_drop_largest(struct edge *edge);
/* Count what is being done for the client that is heard just now, from inside a hook: a step is about as long as looking up a name takes.
 * Bytes are counted by the edge itself. Once it is share_steps, further messages of that client wait for others' turns. */
void edge_worked(struct edge *edge, uint64_t steps);
/* From inside the turn hook: whether more may be done for clients that have asked for nothing just now. Else it is better left for the next turn: the
 * steps of this one are share_steps already, or as many wait to be written as are in one pass. What is sent all the same waits there, too. */
bool edge_has_room(const struct edge *edge);
/* Count that a limit was reached which its user keeps, not the edge. */
void edge_count_hit(struct edge *edge, enum edge_limit limit);
/* Current values and hits; borrowed, live. */
const struct edge_limits *edge_limits_of(const struct edge *edge);

#endif
