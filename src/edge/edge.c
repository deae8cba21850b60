/* An edge: what a worker's connections have in common, and the pass that feeds, asks, flushes and buries them.
 * Not a single connection; that is connection.c. Read next: connection.c.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "edge/edge_priv.h"
#include "edge/file_cache.h"
#include "edge/gzip_cache.h"

#define MS_NS INT64_C(1000000)
enum { SWEEP_LONGEST_MS = 1000, SWEEP_SHORTEST_MS = 10, HEAD_BYTES = 65536, DEFLATE_BITS = 12 };

/* ---- time -------------------------------------------------------------------------------------------- */
int64_t edge_now(const struct edge *e)
{
    return poller_now(e->poller);
}

const char *edge_date(struct edge *e)
{
    int64_t now_s = (int64_t)time(NULL);

    if (now_s != e->date_s) {
        http_format_date(e->date, now_s);
        (void)snprintf(e->ok_line, sizeof e->ok_line, "HTTP/1.1 200 OK\r\nDate: %s\r\n", e->date);
        e->date_s = now_s;
    }
    return e->date;
}

const char *edge_ok_line(struct edge *e)
{
    (void)edge_date(e);
    return e->ok_line;
}

/* Often enough that the shortest of the times is kept within a quarter of itself. */
static int64_t sweep_period(const struct edge_limits *limits)
{
    static const enum edge_limit times[] = {
        EDGE_LIMIT_BODY_GRACE, EDGE_LIMIT_HEADER_TIME, EDGE_LIMIT_KEEP_ALIVE,  EDGE_LIMIT_ASSEMBLY,
        EDGE_LIMIT_PING,       EDGE_LIMIT_CLOSING,     EDGE_LIMIT_OUTPUT_TIME, EDGE_LIMIT_OUTPUT_STALL,
        EDGE_LIMIT_TLS_TIME};
    uint64_t ms = SWEEP_LONGEST_MS;
    size_t i;

    for (i = 0; i < MW_COUNT(times); i++) {
        if (limits->value[times[i]] / 4 < ms)
            ms = limits->value[times[i]] / 4;
    }
    return (int64_t)(ms < SWEEP_SHORTEST_MS ? SWEEP_SHORTEST_MS : ms) * MS_NS;
}

void edge_watch_deadlines(struct edge *e)
{
    if (e->is_swept)
        return;
    e->is_swept = true;
    poller_timer_set(e->sweep, edge_now(e) + e->sweep_ns);
}

/* Give up those of at least so many bytes, until the rest is within the limit. */
static void give_up_unfinished(struct edge *e, uint64_t *io_total, size_t least)
{
    struct mw_link *at;

    for (at = e->connections.head.next; at != &e->connections.head && *io_total > edge_limit(e, EDGE_LIMIT_INPUT_ALL);
         at = at->next) {
        struct edge_connection *c = MW_CONTAINER_OF(at, struct edge_connection, link);
        size_t bytes = connection_unfinished(c);

        if (bytes < least)
            continue;
        edge_hit(e, EDGE_LIMIT_INPUT_ALL);
        *io_total -= bytes;
        if (c->stream)
            stream_give_up(c);
        else
            exchange_give_up(c);
    }
}

/* What comes in part and never ends would fill the memory, and others would be shed for it. Those who hold most go first; how
 * much that is, is halved until enough have gone: few rounds, however many there are. */
static void sweep_unfinished(struct edge *e)
{
    struct mw_link *at;
    uint64_t total = 0;
    size_t largest = 0;

    for (at = e->connections.head.next; at != &e->connections.head; at = at->next) {
        size_t bytes = connection_unfinished(MW_CONTAINER_OF(at, struct edge_connection, link));

        total += bytes;
        largest = bytes > largest ? bytes : largest;
    }
    for (; largest > 0 && total > edge_limit(e, EDGE_LIMIT_INPUT_ALL); largest /= 2)
        give_up_unfinished(e, &total, largest);
    e->stats.unfinished_bytes = total;
}

static void sweep_due(void *context)
{
    struct edge *e = context;
    int64_t now_ns = edge_now(e);
    struct mw_link *at;

    e->is_swept = false;
    for (at = e->connections.head.next; at != &e->connections.head; at = at->next)
        connection_sweep(MW_CONTAINER_OF(at, struct edge_connection, link), now_ns);
    sweep_unfinished(e);
    exchanges_trim(e);
    if (e->accepts_rest)
        listeners_want(e, true);
    if (!mw_list_is_empty(&e->connections))
        edge_watch_deadlines(e);
}

static void throttle_due(void *context)
{
    stream_unthrottle(context);
}

/* ---- the pass ---------------------------------------------------------------------------------------- */
/* The dead are buried only from here, where no other call is under way that might hold on to them. returns whether it lives */
static bool settle(struct edge_connection *c)
{
    if (c->stream && c->state >= CONNECTION_LEAVING)
        stream_notify(c);
    if (c->state != CONNECTION_DEAD)
        return true;
    connection_bury(c);
    return false;
}

/* Do a step for all that are due now; those that the step makes due again wait for the next step. */
static void for_all_due(struct edge *e, void (*step)(struct edge_connection *c), bool is_last)
{
    struct mw_link *at;
    struct edge_connection *c;

    mw_list_push_back(&e->due, &e->due_mark);
    for (at = mw_list_pop_front(&e->due); at && at != &e->due_mark; at = mw_list_pop_front(&e->due)) {
        c = MW_CONTAINER_OF(at, struct edge_connection, due);
        if (step)
            step(c);
        if (settle(c) && !is_last && !mw_link_is_linked(&c->due))
            mw_list_push_back(&e->due, &c->due); /* for the next step of this turn: no further turn is asked for */
    }
}

/* What many are told at once leaves over several passes, in which others are heard and answered. */
static void flush_told(struct edge *e)
{
    size_t count = share_writes(e);

    for (; count > 0 && !mw_list_is_empty(&e->told); count--) {
        struct edge_connection *c = MW_CONTAINER_OF(e->told.head.next, struct edge_connection, due);

        connection_forget_due(c);
        connection_flush(c);
        (void)settle(c);
    }
    if (mw_list_is_empty(&e->told))
        return;
    e->stats.told_later++;
    poller_again(e->poller);
}

static void edge_turn(void *context)
{
    struct edge *e = context;

    for_all_due(e, NULL, false);
    share_begin_turn(e);
    if (e->hooks.turn && e->hooks.turn(e->context, edge_now(e)))
        poller_again(e->poller);
    for_all_due(e, connection_flush, true);
    flush_told(e);
    edge_hand_over(e);
    if (e->extensions)
        extensions_trim(e->extensions);
    share_feed(e); /* last: what is written is not held up by those that take long */
}

/* Some descriptors are kept for files, logs and whatever the host has: where few may be open, fewer may connect. */
static void limit_by_descriptors(struct edge_limits *limits)
{
    struct rlimit descriptors;
    const uint64_t kept = 256;
    uint64_t room;

    if (getrlimit(RLIMIT_NOFILE, &descriptors) < 0 || descriptors.rlim_cur == RLIM_INFINITY)
        return;
    room = descriptors.rlim_cur > 2 * kept ? descriptors.rlim_cur - kept : descriptors.rlim_cur / 2;
    if (limits->value[EDGE_LIMIT_CONNECTIONS] > room)
        limits->value[EDGE_LIMIT_CONNECTIONS] = room > 0 ? room : 1;
}

/* ---- life -------------------------------------------------------------------------------------------- */
static void edge_take_limits(struct edge *e, const struct edge_limits *limits)
{
    if (limits)
        e->limits = *limits;
    else
        edge_limits_init(&e->limits);
    limit_by_descriptors(&e->limits);
    e->http_limits = (struct http_limits){
        .request_line_bytes = edge_limit(e, EDGE_LIMIT_REQUEST_LINE),
        .head_bytes = edge_limit(e, EDGE_LIMIT_HEADERS),
        .field_bytes = edge_limit(e, EDGE_LIMIT_FIELD),
        .field_count = edge_limit(e, EDGE_LIMIT_FIELDS),
        .body_bytes = edge_limit(e, EDGE_LIMIT_BODY),
    };
    e->websocket_limits = (struct websocket_limits){
        .message_bytes = edge_limit(e, EDGE_LIMIT_MESSAGE),
        .fragment_count = edge_limit(e, EDGE_LIMIT_FRAGMENTS),
    };
    e->sweep_ns = sweep_period(&e->limits);
}

static int edge_open_caches(struct edge *e)
{
    const struct file_cache_limits files = {
        .bytes = edge_limit(e, EDGE_LIMIT_FILE_CACHE),
        .file_bytes = edge_limit(e, EDGE_LIMIT_FILE_CACHE_FILE),
        .fresh_ns = (int64_t)edge_limit(e, EDGE_LIMIT_FILE_CACHE_TIME) * MS_NS,
        .evicted = &e->limits.hits[EDGE_LIMIT_FILE_CACHE],
    };
    int err = files.bytes > 0 ? file_cache_open(&files, &e->file_cache) : 0;

    if (err == 0 && edge_limit(e, EDGE_LIMIT_GZIP_CACHE) > 0)
        err = gzip_cache_open(edge_limit(e, EDGE_LIMIT_GZIP_CACHE), &e->limits.hits[EDGE_LIMIT_GZIP_CACHE], &e->gzip_cache);
    return err;
}

static int edge_make_room(struct edge *e, const struct edge_options *options)
{
    const struct deflate_options deflate = {.window_bits = DEFLATE_BITS, .keeps_context = options->deflates_with_context};
    size_t line_bytes = edge_limit(e, EDGE_LIMIT_REQUEST_LINE) + 1;
    int err;

    e->read_buffer = mw_alloc(READ_BYTES);
    e->path = mw_alloc(line_bytes);
    e->query = mw_alloc(line_bytes);
    if (!e->read_buffer || !e->path || !e->query)
        return -ENOMEM;
    err = edge_open_caches(e);
    if (err == 0 && options->deflates)
        err = extensions_open(&deflate, &e->extensions);
    if (err == 0)
        err = poller_timer_new(e->poller, sweep_due, e, &e->sweep);
    if (err == 0)
        err = poller_timer_new(e->poller, throttle_due, e, &e->throttle);
    if (err < 0)
        return err;
    e->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return e->reserve_fd < 0 ? -errno : 0;
}

int edge_open(const struct edge_options *options, struct edge **ret, struct mw_error *ret_error)
{
    struct edge *e = mw_alloc_zeroed(1, sizeof *e);
    int err;

    if (!e)
        return mw_fail(ret_error, -ENOMEM, "open an edge: out of memory");
    e->hooks = *options->hooks;
    e->context = options->context;
    e->poller = options->poller;
    e->per_ip_loopback = options->per_ip_loopback;
    e->is_strict_tls = options->is_strict_tls;
    e->tls = options->tls ? tls_context_ref(options->tls) : NULL;
    e->reserve_fd = -1;
    mw_list_init(&e->listeners);
    mw_list_init(&e->connections);
    mw_list_init(&e->due);
    mw_list_init(&e->told);
    mw_list_init(&e->throttled);
    mw_list_init(&e->waiting);
    mw_list_init(&e->indebted);
    mw_list_init(&e->moving);
    together_init(&e->alone);
    e->together = options->together ? options->together : &e->alone;
    mw_buffer_init(&e->head, HEAD_BYTES);
    edge_take_limits(e, options->limits);
    err = edge_make_room(e, options);
    if (err < 0) {
        edge_free(e);
        return mw_fail(ret_error, err, "open an edge: %s", mw_strerror(err));
    }
    poller_on_turn(e->poller, edge_turn, e);
    *ret = e;
    return 0;
}

void edge_free(struct edge *e)
{
    if (!e)
        return;
    e->is_closing = true;
    poller_on_turn(e->poller, NULL, NULL);
    listeners_close(e);
    while (!mw_list_is_empty(&e->connections)) {
        struct edge_connection *c = MW_CONTAINER_OF(e->connections.head.next, struct edge_connection, link);

        connection_drop(c);
        connection_bury(c);
    }
    poller_timer_free(e->sweep);
    poller_timer_free(e->throttle);
    if (e->reserve_fd >= 0)
        (void)close(e->reserve_fd);
    tls_context_unref(e->tls);
    extensions_free(e->extensions);
    file_cache_free(e->file_cache);
    gzip_cache_free(e->gzip_cache);
    output_pool_clear(&e->pool);
    exchanges_clear(e);
    together_clear(&e->alone);
    mw_buffer_clear(&e->head);
    mw_free(e->read_buffer);
    mw_free(e->path);
    mw_free(e->query);
    mw_free(e);
}

void edge_set_tls(struct edge *e, struct tls_context *tls)
{
    struct tls_context *before = e->tls;

    e->tls = tls_context_ref(tls);
    tls_context_unref(before);
}

void edge_finish_requests(struct edge *e)
{
    struct mw_link *at;

    e->is_closing = true;
    for (at = e->connections.head.next; at != &e->connections.head; at = at->next) {
        struct edge_connection *c = MW_CONTAINER_OF(at, struct edge_connection, link);

        if (c->state == CONNECTION_TLS)
            connection_drop(c);
        else if (!c->stream && c->state == CONNECTION_IDLE && !c->rest)
            connection_leave(c);
    }
    poller_again(e->poller);
}

void edge_close_all(struct edge *e, int code, const char *reason)
{
    struct mw_link *at;

    edge_finish_requests(e);
    for (at = e->connections.head.next; at != &e->connections.head; at = at->next) {
        struct edge_connection *c = MW_CONTAINER_OF(at, struct edge_connection, link);

        if (c->stream)
            edge_connection_close(c, code, reason);
    }
}

/* ---- shedding ---------------------------------------------------------------------------------------- */
void edge_set_full(struct edge *e, bool is_full, enum edge_limit limit)
{
    e->is_full = is_full;
    e->full_limit = limit;
}

size_t edge_close_idle(struct edge *e)
{
    struct mw_link *at;
    size_t count = 0;

    for (at = e->connections.head.next; at != &e->connections.head; at = at->next) {
        struct edge_connection *c = MW_CONTAINER_OF(at, struct edge_connection, link);

        if (c->stream || c->state != CONNECTION_IDLE || c->rest || !output_is_empty(&c->output))
            continue;
        connection_leave(c);
        count++;
    }
    return count;
}

size_t edge_drop_largest(struct edge *e)
{
    if (e->stats.queued_bytes + e->stats.unfinished_bytes == 0)
        return 0; /* nobody holds anything */
    stream_evict_largest(e);
    return 1;
}

/* ---- counters ---------------------------------------------------------------------------------------- */
struct edge_stats edge_stats(const struct edge *e)
{
    struct edge_stats stats = e->stats;
    struct gzip_stats gzip = gzip_cache_stats(e->gzip_cache);
    struct file_cache_stats files = file_cache_stats(e->file_cache);

    stats.gzip_files = gzip.files;
    stats.gzip_bytes = gzip.bytes;
    stats.gzip_made = gzip.made;
    stats.gzip_bodies = gzip.bodies;
    stats.cached_files = files.files;
    stats.cached_missing = files.missing;
    stats.cached_bytes = files.bytes;
    stats.cache_found = files.found;
    stats.cache_checked = files.checked;
    stats.cache_too_large = files.too_large;
    return stats;
}

static_assert(sizeof(size_t) < 8 || sizeof(struct edge_stats) == 48 * sizeof(uint64_t), "a new counter is to be added up here, too");

void edge_stats_add(struct edge_stats *io, const struct edge_stats *more)
{
    size_t i;

    io->connections += more->connections;
    io->websockets += more->websockets;
    io->listeners += more->listeners;
    io->queued_bytes += more->queued_bytes;
    io->unfinished_bytes += more->unfinished_bytes;
    io->accepted += more->accepted;
    io->refused += more->refused;
    io->requests += more->requests;
    io->upgrades += more->upgrades;
    io->moved_out += more->moved_out;
    io->moved_in += more->moved_in;
    io->put_off += more->put_off;
    io->told_later += more->told_later;
    io->messages_in += more->messages_in;
    io->messages_out += more->messages_out;
    io->bytes_in += more->bytes_in;
    io->bytes_out += more->bytes_out;
    io->writes += more->writes;
    io->bad_requests += more->bad_requests;
    io->protocol_errors += more->protocol_errors;
    for (i = 0; i < MW_COUNT(io->status); i++)
        io->status[i] += more->status[i];
    io->tls_handshakes += more->tls_handshakes;
    io->tls_opened += more->tls_opened;
    io->tls_failed += more->tls_failed;
    io->tls_plain += more->tls_plain;
    io->gzip_files += more->gzip_files;
    io->gzip_bytes += more->gzip_bytes;
    io->gzip_made += more->gzip_made;
    io->gzip_bodies += more->gzip_bodies;
    io->gzip_answers += more->gzip_answers;
    io->cached_files += more->cached_files;
    io->cached_missing += more->cached_missing;
    io->cached_bytes += more->cached_bytes;
    io->cache_found += more->cache_found;
    io->cache_checked += more->cache_checked;
    io->cache_too_large += more->cache_too_large;
    io->deflating += more->deflating;
    io->deflated += more->deflated;
    io->deflated_from_bytes += more->deflated_from_bytes;
    io->deflated_bytes += more->deflated_bytes;
    io->inflated += more->inflated;
    io->inflated_from_bytes += more->inflated_from_bytes;
    io->inflated_bytes += more->inflated_bytes;
}

void edge_count_hit(struct edge *e, enum edge_limit limit)
{
    edge_hit(e, limit);
}

const struct edge_limits *edge_limits_of(const struct edge *e)
{
    return &e->limits;
}
