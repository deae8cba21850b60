/* What the files of this room share: the edge, its connections, and who calls whom.
 * Not for other rooms; they see edge.h. Read next: connection.c.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_EDGE_PRIV_H
#define EDGE_EDGE_PRIV_H

#include "base/list.h"
#include "codec/http.h"
#include "codec/websocket.h"
#include "edge/edge.h"
#include "edge/extension.h"
#include "edge/output.h"
#include "edge/together.h"
#include "edge/peers.h"

enum { READ_BYTES = 524288, HOST_BYTES = 256, OK_LINE_BYTES = 64 };
enum { CLOSE_NONE = 1006 }; /* RFC 6455 §7.1.5: gone without a close frame */

struct edge {
    struct edge_hooks hooks;
    void *context;
    struct poller *poller;
    struct edge_limits limits;
    struct http_limits http_limits;           /* the same, as the codecs want them */
    struct websocket_limits websocket_limits;
    struct mw_list listeners, connections;    /* the latter: first those that shake hands, the newest of them first */
    struct mw_list due;                       /* connections with something to do at the end of the pass */
    struct mw_list told;                      /* those for which all there is to do is to write what they have not asked for: so many a pass */
    size_t told_count;                        /* of them */
    struct mw_link due_mark;                  /* among them during a step: behind those of this step */
    struct mw_list throttled;                 /* streams over their message rate */
    struct mw_list waiting, indebted;         /* rests of connections that wait for their turn; the latter had more than a share: share.c */
    uint64_t work;                            /* steps done for anybody */
    size_t hearing, coming;                   /* bytes of the message that is being heard, 0: none is; and how many lie behind it */
    uint64_t share_end;                       /* of work: once it is here, who is being fed has had its share */
    uint64_t turn_end;                        /* of work: once it is here, the turn has had its share */
    uint64_t spent;                           /* steps since those that wait had their turn */
    size_t greeters;                          /* connections that greet */
    struct poller_timer *sweep;               /* deadlines; set while there are connections */
    struct poller_timer *throttle;            /* when the throttled may go on */
    int64_t sweep_ns;                         /* period */
    struct output_pool pool;
    struct exchange *exchanges;               /* pooled, EXCHANGES_POOLED at most */
    size_t exchange_count;                    /* of them */
    struct tls_context *tls;                  /* NULL: no listener speaks TLS */
    struct file_cache *file_cache;            /* NULL: no file is held in memory */
    struct gzip_cache *gzip_cache;            /* NULL: no file is compressed as one serves */
    struct extensions *extensions;            /* NULL: permessage-deflate is not spoken */
    struct edge_together *together, alone;    /* together: that of several edges, or alone */
    struct mw_list moving;                    /* connections that have left for another edge in this pass, by link */
    size_t rest_bytes;                        /* held in edge_connection.rest, of all */
    struct edge_stats stats;
    struct mw_buffer head;                    /* scratch: the response head being written */
    uint8_t *read_buffer;                     /* READ_BYTES; what is left of a read moves to the connection */
    char *path;                               /* scratch: room for a decoded path */
    char *query;                              /* scratch: room for a query */
    char host[HOST_BYTES];                    /* scratch, as the next two */
    char request_peer[PEER_TEXT_BYTES], peer[PEER_TEXT_BYTES];
    int64_t answer_bytes;                     /* of the head written last: its body's; NO_LENGTH counts as 0 */
    char date[HTTP_DATE_BYTES];
    char ok_line[OK_LINE_BYTES];              /* the status line of 200, and date as a line */
    int64_t date_s;                           /* of both; 0: none yet */
    int reserve_fd;                           /* given up to accept and refuse when no other is left; -1: lost */
    bool is_full;                             /* nobody may enter ... */
    enum edge_limit full_limit;               /* ... for this limit */
    bool per_ip_loopback, is_strict_tls;
    bool is_closing;   /* no request follows the one that is being answered */
    bool accepts_rest; /* no descriptor was left: the listeners are not watched until the next sweep */
    bool is_swept;     /* the sweep is set */
};

/* The life of a connection. What each waits for, and how long: connection.c. */
enum connection_state {
    CONNECTION_IDLE,    /* HTTP, between requests */
    CONNECTION_HEAD,    /* HTTP, a request has begun */
    CONNECTION_BODY,    /* HTTP, its body is being collected */
    CONNECTION_WAITING, /* HTTP, the hook has yet to answer (EDGE_LATER) */
    CONNECTION_MOVING,  /* another edge is to answer, or to hear it: it goes once what is queued is written */
    CONNECTION_TLS,     /* the handshake that comes before all others */
    CONNECTION_OPEN,    /* WebSocket */
    CONNECTION_CLOSING, /* WebSocket: our close frame is queued, the peer's awaited */
    CONNECTION_LEAVING, /* nothing is read any more; what is queued is to be written */
    CONNECTION_LINGER,  /* all is written, our side shut: the peer's end is awaited */
    CONNECTION_DEAD,    /* to be buried at the end of the pass */
};

struct file_cache;
struct gzip_cache;
struct exchange; /* HTTP: exchange.c */
struct stream;   /* WebSocket: stream.c */

struct rest {
    struct mw_link waiting; /* edge.waiting or edge.indebted: may be fed when it is its turn */
    struct edge_connection *owner;
    uint32_t at, count; /* of bytes: how many have been fed, and how many there are. None at all: what waits is in the socket */
    uint8_t bytes[];
};

/* Of one that waits for a request this is all there is but for 32 bytes of the poller's, so it is kept small. */
struct edge_connection {
    struct mw_link link; /* edge.connections */
    struct mw_link due;  /* edge.due or edge.told */
    struct edge *edge;
    struct poller_watch *watch;
    struct output output;
    struct exchange *exchange; /* HTTP: while a request is under way */
    struct stream *stream;     /* from the upgrade on */
    struct tls *tls;           /* NULL: in the clear */
    void *listener_context;
    struct rest *rest;         /* received, not yet fed: reading pauses while it is there */
    uint64_t written;          /* bytes, ever */
    int fd;                    /* -1: dead */
    uint32_t deadline;         /* ticks: of the state; 0: none */
    uint32_t progress;         /* ticks: when output last moved, or began to wait */
    struct peer_address address;
    uint32_t answered;         /* requests, ever */
    uint16_t unsent;           /* answers queued since the queue was last empty */
    uint16_t port;
    uint8_t state;             /* enum connection_state */
    bool is_websocket_only, is_counted /* in peers */, is_app_paused;
    uint8_t output_pause; /* 0; 1 more is queued than output_pause_bytes; 2 and that was counted */
    uint8_t debt; /* shares that it had and has to wait for: share.c */
    bool has_ended;  /* the peer has shut its side */
    bool wants_write : 1; /* the TLS handshake waits for the socket to take more */
    bool is_told : 1; /* in edge.told */
    bool greets : 1;  /* CONNECTION_TLS: its hello has come, at least in part, and waits for its turn */
};

/* ---- edge.c ------------------------------------------------------------------------------------------ */
const char *edge_date(struct edge *edge);
const char *edge_ok_line(struct edge *edge);
int64_t edge_now(const struct edge *edge);
static inline uint64_t edge_limit(const struct edge *edge, enum edge_limit limit)
{
    return edge->limits.value[limit];
}
static inline void edge_hit(struct edge *edge, enum edge_limit limit)
{
    edge->limits.hits[limit]++;
}
/* Times of which a connection keeps several are coarse, in ticks of 2^20 ns, and take half the room: an age is right to two ticks, up to
 * 26 days. Never 0. */
enum { EDGE_TICK_BITS = 20 };
static inline uint32_t edge_ticks(int64_t ns)
{
    return (uint32_t)((uint64_t)ns >> EDGE_TICK_BITS) | 1;
}
static inline int64_t edge_age_ns(int64_t now_ns, uint32_t ticks)
{
    return (int64_t)(int32_t)(edge_ticks(now_ns) - ticks) * (1 << EDGE_TICK_BITS);
}
/* Arm the sweep; it runs while there are connections. */
void edge_watch_deadlines(struct edge *edge);

/* ---- connection.c ------------------------------------------------------------------------------------ */
struct accepted {
    int fd;
    struct peer_address address;
    bool is_counted;
    bool is_websocket_only;
    bool is_tls;
    uint16_t port;
    void *listener_context;
};
/* takes the descriptor, and the room that was reserved for it, in every case. 0, -ENOMEM, -EPERM ... */
int connection_new(struct edge *edge, const struct accepted *accepted);
void connection_enter(struct edge_connection *c, enum connection_state state);
/* Have c looked at at the end of the pass: flushed, fed its rest, buried. */
void connection_is_due(struct edge_connection *c);
/* It has more to be written. Where nothing else makes it due in this pass, it takes its turn with all who have not asked for what they are told. */
void connection_is_told(struct edge_connection *c);
void connection_forget_due(struct edge_connection *c);
/* Bytes of a body or a message that has come in part. */
size_t connection_unfinished(const struct edge_connection *c);
/* Write what is queued, then shut: nothing more is read. */
void connection_leave(struct edge_connection *c);
/* Drop at once. */
void connection_drop(struct edge_connection *c);
bool connection_may_hear(const struct edge_connection *c);
/* Its exchange has asked, and nobody is inside it any more: where no request is under way, it goes back to the pool. */
void connection_asked(struct edge_connection *c);
void connection_feed_rest(struct edge_connection *c); /* it is its turn */
void connection_shake_hands(struct edge_connection *c); /* likewise */
/* Called at the end of a pass, in this order. */
void connection_flush(struct edge_connection *c);
void connection_bury(struct edge_connection *c); /* a dead one: frees */
/* Deadlines have passed? Called once per sweep. */
void connection_sweep(struct edge_connection *c, int64_t now_ns);
/* Queue a head and what follows it: a copy, or a reference where the value is long. -ENOMEM: c is dropped. */
int connection_queue(struct edge_connection *c, const void *head, size_t head_count, const void *bytes,
                     size_t byte_count);
int connection_queue_value(struct edge_connection *c, const void *head, size_t head_count, mw_value borrows);
/* Account for what was put into c->output since it held `before` bytes. */
void connection_queued(struct edge_connection *c, size_t before);

void connection_ready(void *context, int events); /* its poller's: context is the connection */

/* ---- share.c -------------------------------------------------------------------------------------------
 * Work is counted in steps: a name looked up, a message to one of many, so many bytes that come or are queued, that are inflated or deflated. */
enum { WORK_BYTES = 4096, WORK_INFLATED_BYTES = 128, WORK_DEFLATED_BYTES = 64, WORK_WRITE = 16 /* steps: of a system call that writes */ };
/* Whether who is being fed has had its share: it is to stop after this message or request. */
static inline bool share_is_over(const struct edge *edge)
{
    return edge->work >= edge->share_end;
}
/* A connection is going to be fed. returns what share_account wants to know when that is over */
uint64_t share_begin(struct edge *edge);
void share_account(struct edge_connection *c, uint64_t begun);
/* Whether what comes now is to wait in the queue: it has had more than its share, or all have in this pass. */
bool share_must_wait(const struct edge_connection *c);
void share_queue(struct edge_connection *c); /* it has a rest */
void share_feed(struct edge *edge);          /* those whose turn it is; at the end of a pass */
void share_forgive(struct edge_connection *c); /* once per sweep: some of its debt */
void share_begin_turn(struct edge *edge);
size_t share_writes(const struct edge *edge); /* how many of edge.told are written in a pass */
size_t share_guests(const struct edge *edge); /* how many may be let in now that will want a handshake */

/* ---- move.c ------------------------------------------------------------------------------------------- */
/* It belongs to this edge no more, nor is it anybody else's before edge_hand_over. */
void connection_detach(struct edge_connection *c);
void edge_hand_over(struct edge *edge); /* at the end of a pass: nobody holds on to those that go */

/* ---- exchange.c: HTTP -------------------------------------------------------------------------------- */
/* What a request needs while it is under way. An idle connection has none. */
void exchange_free(struct exchange *x); /* accepts NULL */
void exchange_give(struct edge_connection *c); /* to the pool */
void exchanges_trim(struct edge *edge); /* once per sweep: the pooled hold no text of requests */
void exchanges_clear(struct edge *edge);
/* A request's head is there, or all of it, or what it waited for: have it answered.
 * later  NULL, or what it waited for */
void exchange_ask(struct edge_connection *c, struct edge_later *later);
/* returns bytes used; the rest is for later, or for the stream where c is one by then */
size_t exchange_feed(struct edge_connection *c, const uint8_t *bytes, size_t byte_count);
bool exchange_may_hear(const struct edge_connection *c);
void exchange_flushed(struct edge_connection *c);            /* all that was queued has left */
/* Bytes of a body that has come in part; and give it up, with the connection. */
size_t exchange_unfinished(const struct edge_connection *c);
void exchange_give_up(struct edge_connection *c);
void exchange_late(struct edge_connection *c);               /* the state's deadline has passed */
void exchange_sweep(struct edge_connection *c, int64_t now_ns);
void exchange_ended(struct edge_connection *c);              /* the peer sends no more */

/* Tell who keeps an access log. body_bytes  of the answer */
void exchange_tell(struct edge_connection *c, int status, int64_t body_bytes);

/* ---- stream.c: WebSocket ----------------------------------------------------------------------------- */
/* Become a stream, the 101 being queued. Calls opened, or closed where that fails.
 * extension  taken in every case; NULL: messages come and go as they are */
void stream_open(struct edge_connection *c, void *connection, struct extension *takes_extension);
void stream_free(struct stream *s);
void *stream_discard(struct stream *s);                      /* of no edge; returns the app's; accepts NULL */
size_t stream_feed(struct edge_connection *c, uint8_t *bytes, size_t byte_count);
bool stream_may_hear(const struct edge_connection *c);
void stream_late(struct edge_connection *c);
void stream_sweep(struct edge_connection *c, int64_t now_ns);
void stream_ended(struct edge_connection *c);
/* Tell the app that it is over: once. */
void stream_notify(struct edge_connection *c);
void stream_unthrottle(struct edge *edge);
/* All clients together hold too much: the one that holds most goes. */
void stream_evict_largest(struct edge *edge);
/* Bytes of a message that has come in part. */
size_t stream_unfinished(const struct edge_connection *c);
/* Give up a message that has come in part, and the connection. */
void stream_give_up(struct edge_connection *c);

/* ---- listener.c -------------------------------------------------------------------------------------- */
void listeners_close(struct edge *edge);
void listeners_want(struct edge *edge, bool wants);

#endif
