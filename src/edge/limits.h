/* All limits that can be set, as one table: name, unit, default, range; what is set now, and how often each was reached.
 * Those of rooms that know nothing of edges are handed to them by the server. Read next: edge.h.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_LIMITS_H
#define EDGE_LIMITS_H

#include <meshwork/base.h>

/* enumerator, name (as in `--limit NAME=VALUE`), default, least, most, what happens when it is reached.
 * No value means "unlimited". */
#define EDGE_LIMITS(X)                                                                                        \
    X(CONNECTIONS, "connections", 10000, 1, 1000000, "503, close; less where few descriptors may be open")    \
    X(PER_IP, "connections_per_ip", 256, 1, 1000000, "503, close")                                            \
    X(ACCEPTS, "accepts_per_s", 200, 1, 1000000, "per address: 503, close")                                   \
    X(DESCRIPTORS, "descriptors", 1, 1, 1, "no descriptor is left: 503, close")                               \
    X(REQUEST_LINE, "request_line_bytes", 4096, 64, 65536, "414, close")                                      \
    X(HEADERS, "header_bytes", 16384, 256, 1048576, "431, close")                                             \
    X(FIELDS, "header_fields", 64, 4, 1024, "431, close")                                                     \
    X(FIELD, "header_field_bytes", 8192, 64, 1048576, "431, close")                                           \
    X(BODY, "body_bytes", 1048576, 1, 1073741824, "413, close")                                               \
    X(BODY_RATE, "body_bytes_per_s", 500, 1, 1048576, "slower than this after body_grace_ms: 408, close")     \
    X(BODY_GRACE, "body_grace_ms", 5000, 10, 600000, "see body_bytes_per_s")                                  \
    X(HEADER_TIME, "header_ms", 10000, 10, 600000, "the head of a request takes longer: 408, close")          \
    X(TLS_TIME, "tls_ms", 5000, 10, 600000, "a TLS handshake takes longer: dropped")                          \
    X(TLS_HANDSHAKES, "tls_handshakes", 256, 1, 1000000, "under way at once: the oldest is dropped")           \
    X(KEEP_ALIVE, "keep_alive_ms", 60000, 10, 86400000, "no request for so long: close")                      \
    X(REQUESTS, "keep_alive_requests", 1000, 1, 1000000000, "the last answer says Connection: close")         \
    X(PIPELINED, "pipelined_requests", 16, 1, 1024, "reading pauses until answers have left")                 \
    X(RANGES, "ranges", 8, 1, 8, "of one request: more are passed over, all of the file is sent")           \
    X(GZIP_FILE, "gzip_file_bytes", 524288, 1, 16777216, "larger files are not compressed as they are served") \
    X(GZIP_CACHE, "gzip_cache_bytes", 8388608, 0, 1073741824,                                                \
      "what was asked for longest ago goes; 0: no file is compressed")                                      \
    X(FILE_CACHE, "file_cache_bytes", 16777216, 0, 1099511627776,                                             \
      "files in memory, of each worker: what was asked for longest ago goes; 0: none is held")                \
    X(FILE_CACHE_FILE, "file_cache_file_bytes", 65536, 1, 1073741824, "a larger file is opened each time")    \
    X(FILE_CACHE_TIME, "file_cache_ms", 1000, 0, 3600000, "so long after a look at a file it is looked at again")\
    X(MESSAGE, "message_bytes", 1048576, 1, 1073741824, "close 1009")                                         \
    X(FRAGMENTS, "message_fragments", 1024, 1, 1048576, "close 1009")                                         \
    X(DEFLATE_RATIO, "deflate_ratio", 100, 2, 1032, "a message over 64K grows by more when inflated: close 1009")  \
    X(DEFLATE_FROM, "deflate_from_bytes", 1024, 1, 1073741824, "smaller messages are sent as they are")           \
    X(DEFLATE_MOST, "deflate_most_bytes", 262144, 0, 16777216, "larger messages are sent as they are")            \
    X(ASSEMBLY, "message_ms", 30000, 10, 3600000, "a message takes longer to arrive: close 1008")             \
    X(MESSAGES, "messages_per_s", 500, 1, 1000000000, "reading pauses; nothing is lost")                      \
    X(BURST, "messages_burst", 1000, 1, 1000000000, "how many messages may come ahead of the rate")           \
    X(SHARE, "share_steps", 2048, 16, 1000000000,                                                              \
      "done for one client at once, names looked up and the like: it goes on once others had their turn")       \
    X(CONTROLS, "controls_per_s", 50, 1, 1000000, "close 1008")                                               \
    X(PING, "ping_ms", 30000, 10, 86400000, "silent for so long: a ping is sent")                             \
    X(PONGS, "pings_missed", 2, 1, 100, "the connection is dropped (1006)")                                   \
    X(CLOSING, "close_ms", 5000, 10, 600000, "the peer does not answer a close: dropped")                     \
    X(OUTPUT_PAUSE, "output_pause_bytes", 65536, 1024, 1073741824, "reading pauses until the peer has read")  \
    X(OUTPUT_SOFT, "output_soft_bytes", 262144, 1024, 1073741824, "for longer than output_soft_ms: close 1013")\
    X(OUTPUT_TIME, "output_soft_ms", 10000, 10, 600000, "see output_soft_bytes")                              \
    X(OUTPUT_HARD, "output_hard_bytes", 1048576, 1024, 1073741824,                                            \
      "or message_bytes + 64K where that is more: close 1013")                                                \
    X(OUTPUT_STALL, "output_stall_ms", 30000, 10, 3600000, "the peer takes nothing for so long: dropped")     \
    X(OUTPUT_ALL, "output_total_bytes", 268435456, 65536, 1099511627776, "of all clients: close 1013")   \
    X(INPUT_ALL, "input_total_bytes", 134217728, 65536, 1099511627776,                                        \
      "of bodies and messages that have come in part, of all clients: who holds most is closed, 503 or 1013") \
    X(WATCHES_PER_CLIENT, "watches_per_client", 10000, 1, 10000000, "the request is refused, -32010")          \
    X(WATCHES, "watches", 1000000, 1, 1000000000, "of all clients of an app: the request is refused, -32006")  \
    X(GLOBS, "watch_globs", 64, 1, 100000, "of one request: it is refused, -32010")                            \
    X(BATCH, "batch_requests", 64, 1, 100000, "none of the batch is run, -32010")                              \
    X(JSON_DEPTH, "json_depth", 64, 2, 64, "levels of a message: it is refused, -32010")                       \
    X(JSON_TOKENS, "json_tokens", 65536, 16, 4294967295, "values and keys of a message: it is refused, -32010")\
    X(JSON_KEYS, "json_keys", 4096, 4, 1000000000, "of one object in a message: it is refused, -32010")        \
    X(LOGINS_PER_USER, "logins_per_user", 5, 1, 1000000, "a minute, for one name from one address: put off")   \
    X(LOGINS_PER_IP, "logins_per_ip", 60, 1, 1000000, "a minute, from one address: put off")                  \
    X(LOGIN_QUEUE, "login_queue", 64, 1, 100000, "logins that wait to be judged: a further one is put off")    \
    X(LOGIN_TIME, "login_ms", 5000, 10, 600000, "where a login is required, none has come: close 4001")        \
    X(LOGIN_MESSAGE, "login_message_bytes", 4096, 64, 1048576, "of a message before a required login: close 1009")\
    X(UNAUTHENTICATED, "unauthenticated_per_ip", 32, 1, 1000000, "that have yet to log in: 503")               \
    X(SESSIONS, "sessions", 100000, 1, 10000000, "the session unused for longest ends")                        \
    X(SESSIONS_PER_USER, "sessions_per_user", 16, 1, 1000000, "the user's session unused for longest ends")    \
    X(SESSION_IDLE, "session_idle_ms", 1800000, 1000, 31536000000, "a session unused for so long ends")        \
    X(SESSION_LIFE, "session_ms", 43200000, 1000, 31536000000, "so long after its login a session ends")       \
    X(MEMORY, "memory_bytes", 536870912, 16777216, 1099511627776,                                             \
      "of the library and its apps: from 70 % on load is shed, see docs/operations.md")                       \
    X(TASKLET_WARN, "tasklet_warn_ms", 100, 1, 86400000, "a tasklet runs longer with one item: it is named")   \
    X(TASKLET_ABORT, "tasklet_abort_ms", 5000, 0, 86400000, "so long: the process is ended, SIGABRT; 0: never")\
    X(DRAIN_NOTICE, "drain_notice_ms", 1000, 0, 600000, "how long readyz fails before a drain closes anything")\
    X(DRAIN_SPREAD, "drain_spread_ms", 10000, 0, 600000, "a drain closes WebSockets over at most so long")    \
    X(DRAIN, "drain_ms", 25000, 0, 3600000, "what is left of a drain after so long is dropped")

enum edge_limit {
#define X(id, name, value, least, most, then) EDGE_LIMIT_##id,
    EDGE_LIMITS(X)
#undef X
    EDGE_LIMIT_COUNT
};

struct edge_limit_info {
    const char *name;
    uint64_t value, least, most; /* default and range; units are in the name */
    const char *then;            /* what happens when it is reached */
};
/* The table's row; never NULL for a valid enumerator. */
const struct edge_limit_info *edge_limit_info(enum edge_limit limit);

/* A set of limits: what an edge works with. hits is written by the edge that holds the set. */
struct edge_limits {
    uint64_t value[EDGE_LIMIT_COUNT];
    uint64_t hits[EDGE_LIMIT_COUNT];
};
void edge_limits_init(struct edge_limits *limits); /* the defaults, no hits */

/* returns the enumerator, or -ENOENT: no limit of the edge has this name (it may be another room's) */
int edge_limit_find(const char *name);
/* Set by name. returns 0, -ENOENT, -ERANGE out of the table's range; ret_error says the range */
int edge_limit_set(struct edge_limits *limits, const char *name, uint64_t value, struct mw_error *ret_error);
/* As edge_limit_set, from text: digits, then perhaps K, M or G (1024ⁿ). -EINVAL: no such number */
int edge_limit_parse(struct edge_limits *limits, const char *name, const char *text, struct mw_error *ret_error);

#endif
