/* The server: joins settings, apps, edge and poller; start, run, stop.
 * Not what a request gets; that is route.c. Not how an app is found; that is mounted.c. Read next: route.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "compile/cache.h"
#include "server/binding.h"
#include "server/drain.h"
#include "server/server_priv.h"

#define STOP_NS INT64_C(1000000000)        /* what is not gone so long after a stop is dropped */
#define LOOK_LIMITS_NS INT64_C(1000000000) /* between two looks at which limits were reached */
#define LOOK_FILES_NS INT64_C(500000000)   /* with --dev: between two looks whether an app.ini has changed */

/* ---- life ----------------------------------------------------------------------------------------------- */

/* Nothing listens any more, and nobody is connected. */
static void close_edge(mw_server *server)
{
    workers_close(server);
    edge_free(server->reactor.edge); /* every bridge is closed by this, and its client with it */
    server->reactor.edge = NULL;
    edge_together_free(server->together);
    server->together = NULL;
}

mw_server *mw_server_new(void)
{
    mw_server *server = mw_alloc_zeroed(1, sizeof *server);

    if (!server)
        return NULL;
    settings_init(&server->settings);
    log_init(&server->log);
    hosts_init(&server->hosts);
    gate_init(&server->gate);
    reactor_init(&server->reactor, server);
    atomic_init(&server->dump_fd, -1);
    server->turn_until_ns = MW_FOREVER;
    return server;
}

void mw_server_free(mw_server *server)
{
    size_t i;

    if (!server)
        return;
    close_edge(server);
    reactor_close(&server->reactor);
    for (i = 0; i < server->app_count; i++)
        mounted_free(server->apps[i]);
    gate_close(server);
    gate_free(&server->gate);
    proxies_close(&server->proxies);
    audit_close(&server->audit);
    certificate_close(&server->certificate);
    for (i = 0; i < server->given_count; i++)
        if (server->given[i].fd >= 0)
            (void)close(server->given[i].fd); /* nobody came to it */
    mw_release(server->front_page);
    asset_forms_clear(server->asset_forms);
    hosts_clear(&server->hosts);
    log_close(&server->log);
    settings_clear(&server->settings);
    mw_free(server);
}

void mw_server_on_log(mw_server *server, void (*log)(void *context, const mw_log_line *line), void *context)
{
    server->log.write = log;
    server->log.context = context;
}

void mw_server_log(mw_server *server, enum mw_log_level level, const char *text)
{
    log_at(&server->log, level, "%s", text);
}

int server_refuse_started(const mw_server *server, const char *what, struct mw_error *ret_error)
{
    return server->state == SERVER_NEW ? 0 : mw_fail(ret_error, -EBUSY, "%s: the server runs already", what);
}

int mw_server_set(mw_server *server, const char *name, const char *value, struct mw_error *ret_error)
{
    static const struct setting_origin origin = {.source = SETTING_BY_FLAG};
    int err = server_refuse_started(server, name, ret_error);

    return err < 0 ? err : settings_set(&server->settings, &origin, name, value, ret_error);
}

int mw_server_read_environment(mw_server *server, struct mw_error *ret_error)
{
    int err = server_refuse_started(server, "read the environment", ret_error);

    return err < 0 ? err : settings_read_environment(&server->settings, environ, ret_error);
}

const char *mw_server_setting_text(const mw_server *server, const char *name)
{
    const mw_setting *row;
    size_t i;

    for (i = 0; (row = mw_server_setting_at(i)) != NULL; i++)
        if (strcmp(row->name, name) == 0 && row->kind == MW_SETTING_TEXT && server->settings.values[i].text_count > 0)
            return server->settings.values[i].texts[0];
    return NULL;
}

int64_t mw_server_limit_value(const mw_server *server, const char *name)
{
    int limit = edge_limit_find(name);

    return limit < 0 ? -1 : (int64_t)server->settings.limits.value[limit];
}

const char *mw_server_setting_nearest(const char *word)
{
    return settings_nearest(word, false);
}

int mw_server_cache_dir(char *ret_path, size_t room, struct mw_error *ret_error)
{
    char *dir = NULL;
    int err = cache_open(&dir, ret_error);

    if (err == 0 && strlen(dir) >= room)
        err = mw_fail(ret_error, -ENAMETOOLONG, "the cache '%s': the name is too long", dir);
    if (err == 0)
        memcpy(ret_path, dir, strlen(dir) + 1);
    mw_free(dir);
    return err;
}

/* ---- mounting ------------------------------------------------------------------------------------------- */

static int add_app(mw_server *server, struct mounted *takes, struct mw_error *ret_error)
{
    size_t i;
    int err = 0;

    for (i = 0; err == 0 && i < server->app_count; i++)
        if (strcmp(server->apps[i]->folder, takes->folder) == 0)
            err = mw_fail(ret_error, -EEXIST, "two apps would be at /%s/: rename one of the folders", takes->folder);
    if (err == 0 && server->app_count == SERVER_APPS_MAX)
        err = mw_fail(ret_error, -ENOSPC, "more than %d apps on one server", SERVER_APPS_MAX);
    if (err == 0 && takes->ini)
        err = settings_read_ini(&server->settings, takes->ini, ret_error);
    if (err < 0)
        mounted_free(takes);
    else
        takes->index = server->app_count++;
    if (err == 0)
        server->apps[takes->index] = takes;
    return err;
}

int mw_server_mount_dir(mw_server *server, const char *dir, struct mw_error *ret_error)
{
    struct mounted *m = NULL;
    int err = server_refuse_started(server, "mount an app", ret_error);

    if (err == 0)
        err = mounted_new(server, NULL, dir, NULL, &m, ret_error);
    return err != 0 ? err : add_app(server, m, ret_error);
}

int mw_server_mount(mw_server *server, const char *name, const char *dir, const mw_app *descriptor,
                    struct mw_error *ret_error)
{
    struct mounted *m = NULL;
    int err = server_refuse_started(server, "mount an app", ret_error);

    if (err == 0)
        err = mounted_new(server, name, dir, descriptor, &m, ret_error);
    return err != 0 ? err : add_app(server, m, ret_error);
}

/* ---- the loop ------------------------------------------------------------------------------------------- */

static void begin_stop(mw_server *server)
{
    server->state = SERVER_STOPPING;
    server->stop_at_ns = poller_now(server->reactor.poller) + STOP_NS;
    workers_stop(server);
    reactor_stop(&server->reactor);
}

static void dump_all(mw_server *server, int fd)
{
    struct server_workers *w = &server->workers;

    if (w->count > 0)
        (void)pthread_mutex_lock(&w->dump_lock);
    reactor_dump(&server->reactor, fd);
    if (w->count > 0)
        (void)pthread_mutex_unlock(&w->dump_lock);
    workers_dump(server, fd);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void follow_wish(mw_server *server)
{
    int wish = atomic_load(&server->wish);

    if (wish == SERVER_ENDS && server->state >= SERVER_RUNNING)
        server->state = SERVER_ENDED;
    else if (wish == SERVER_STOPS && (server->state == SERVER_RUNNING || server->state == SERVER_DRAINING))
        begin_stop(server);
    else if (wish == SERVER_DRAINS && server->state == SERVER_RUNNING)
        drain_begin(server);
}

static void woken(void *context)
{
    mw_server *server = ((struct reactor *)context)->server;
    int dump_fd = atomic_exchange(&server->dump_fd, -1);

    if (dump_fd >= 0 && server->state != SERVER_ENDED)
        dump_all(server, dump_fd);
    follow_wish(server);
}

/* A limit that was reached is said: the first time, and whenever that has become twice as often. */
static void say_reached_limits(mw_server *server, int64_t now_ns)
{
    const struct edge_limits *limits = edge_limits_of(server->reactor.edge);
    uint64_t hits;
    size_t i;

    if (now_ns < server->look_limits_at_ns && server->state < SERVER_STOPPING)
        return;
    server->look_limits_at_ns = now_ns + LOOK_LIMITS_NS;
    for (; server->stalls_seen < mw_stall_count(); server->stalls_seen++)
        edge_count_hit(server->reactor.edge, EDGE_LIMIT_TASKLET_WARN);
    for (i = 0; i < EDGE_LIMIT_COUNT; i++) {
        const struct edge_limit_info *info = edge_limit_info((enum edge_limit)i);

        hits = server_limit_hits(server, (enum edge_limit)i);
        if (hits == 0 || hits < 2 * server->said_hits[i])
            continue;
        server->said_hits[i] = hits;
        log_at(&server->log, MW_LOG_WARNING, "limit %s = %" PRIu64 " was reached (count %" PRIu64 "): %s", info->name,
                 limits->value[i], hits, info->then);
    }
}

/* When to look again. */
static int64_t look_at_files(mw_server *server, int64_t now_ns)
{
    size_t i;

    if (!server->is_dev)
        return MW_FOREVER;
    if (now_ns >= server->look_files_at_ns) {
        server->look_files_at_ns = now_ns + LOOK_FILES_NS;
        for (i = 0; i < server->app_count; i++)
            mounted_look(server->apps[i]);
    }
    return server->look_files_at_ns;
}

void server_audit(void *context, const struct app_deed *deed)
{
    struct reactor *r = context;
    const struct bridge *bridge = deed->connection;

    audit_write(&r->server->audit, deed->decision ? "denied" : "done", (struct audit_fact[]){
                {.key = "app", .text = deed->app}, {.key = "user", .text = deed->user},
                {.key = "peer", .text = bridge ? bridge_address(bridge) : r->rpc_address}, {.key = "method", .text = deed->method},
                {.key = "name", .text = deed->name, .text_bytes = deed->name_bytes},
                {.key = "decision", .text = deed->decision}}, 6);
}

void server_flush_audit(mw_server *server)
{
    int err = audit_flush(&server->audit);

    if (err < 0)
        log_at(&server->log, MW_LOG_ERROR, "the audit log '%s' takes nothing, lines are lost: %s", server->audit.path,
               mw_strerror(err));
}

/* What ends, and when. returns when to be called again */
static int64_t look_at_end(mw_server *server, int64_t now_ns)
{
    int64_t due_ns = MW_FOREVER;

    if (server->state == SERVER_DRAINING)
        due_ns = earlier(drain_turn(server, now_ns), server->stop_at_ns);
    if (server->state == SERVER_STOPPING) {
        if (edge_together_connections(server->together) == 0 || now_ns >= server->stop_at_ns)
            server->state = SERVER_ENDED;
        due_ns = server->stop_at_ns;
    }
    return due_ns;
}

/* The edge's turn hook: all that was read has been handed over, nothing is written yet. */
static bool turn(void *context, int64_t now_ns)
{
    struct reactor *r = context;
    mw_server *server = r->server;
    int64_t due_ns = server->turn_until_ns;
    bool is_more;

    server->turns++;
    workers_take(r);
    shed_look(server, now_ns);
    due_ns = earlier(due_ns, look_at_files(server, now_ns));
    is_more = reactor_turn(r, now_ns, &due_ns);
    if (certificate_look(&server->certificate, now_ns, &server->log))
        workers_set_tls(server, server->certificate.context);
    if (server->shed.level > SHED_NOTHING) /* memory may be freed with nobody's coming */
        due_ns = earlier(due_ns, server->shed.look_at_ns);
    if (server->certificate.context)
        due_ns = earlier(due_ns, server->certificate.look_at_ns);
    due_ns = earlier(due_ns, look_at_end(server, now_ns));
    say_reached_limits(server, now_ns);
    server_flush_audit(server);
    alarm_set(&r->other_alarm, due_ns);
    return is_more;
}

bool server_is_ready(const mw_server *server)
{
    return server->state == SERVER_RUNNING && server->shed.level == SHED_NOTHING;
}

int mw_server_turn(mw_server *server, int64_t timeout_ns)
{
    if (server->state < SERVER_RUNNING)
        return -EINVAL;
    if (server->state == SERVER_ENDED)
        return 0;
    atomic_store(&server->reactor.thread, (unsigned long)pthread_self());
    if (timeout_ns > 0 && timeout_ns != MW_FOREVER) {
        server->turn_until_ns = mw_now_ns() + timeout_ns;
        if (server->turn_until_ns < server->reactor.other_alarm.due_ns)
            alarm_set(&server->reactor.other_alarm, server->turn_until_ns);
    }
    poller_run_once(server->reactor.poller, timeout_ns > 0);
    server->turn_until_ns = MW_FOREVER;
    if (server->state >= SERVER_DRAINING && edge_together_connections(server->together) == 0 && !drain_has_yet_to_close(server))
        server->state = SERVER_ENDED;
    return server->state == SERVER_ENDED ? 0 : 1;
}

int mw_server_run(mw_server *server)
{
    int err;

    do
        err = mw_server_turn(server, MW_FOREVER);
    while (err == 1);
    return err;
}

void mw_server_wake(mw_server *server)
{
    struct poller_wake *wake = atomic_load(&server->reactor.wake);

    if (wake)
        poller_wake(wake);
}

static void ask_for(mw_server *server, int wish)
{
    int before = atomic_load(&server->wish);

    while (before < wish && !atomic_compare_exchange_weak(&server->wish, &before, wish))
        ;
    mw_server_wake(server);
}

void mw_server_drain(mw_server *server)
{
    ask_for(server, SERVER_DRAINS);
}

void mw_server_stop(mw_server *server)
{
    ask_for(server, SERVER_STOPS);
}

void mw_server_end(mw_server *server)
{
    ask_for(server, SERVER_ENDS);
}

void mw_server_dump(mw_server *server, int fd)
{
    atomic_store(&server->dump_fd, fd);
    mw_server_wake(server);
}

int mw_server_fd(const mw_server *server)
{
    return server->reactor.poller ? poller_fd(server->reactor.poller) : -1;
}

int64_t mw_server_timeout_ns(const mw_server *server)
{
    int timeout_ms = server->reactor.poller ? poller_timeout_ms(server->reactor.poller) : -1;

    return timeout_ms < 0 ? MW_FOREVER : timeout_ms * INT64_C(1000000);
}

/* ---- start ---------------------------------------------------------------------------------------------- */

static void answered(void *context, const struct edge_access *access)
{
    struct reactor *r = context;
    char address[PROXY_ADDRESS_BYTES];
    struct edge_access told = *access;

    if (access->request && r->server->proxies.count > 0) {
        proxies_address(&r->server->proxies, access->request, address);
        told.peer = address;
    }
    log_access(&r->server->log, &told);
}

/* Read only while the server runs, so by any thread. */
static bool is_shared_address(void *context, const uint8_t address[16])
{
    const struct reactor *r = context;

    return proxies_trust(&r->server->proxies, address);
}

/* As the settings say, from now on. */
static void settle_log(mw_server *server)
{
    server->log.level = MW_LOG_ERROR + (enum mw_log_level)settings_choice(&server->settings, SETTING_LOG_LEVEL);
    server->log.format = (enum log_format)settings_choice(&server->settings, SETTING_LOG_FORMAT);
}

static int open_edge(mw_server *server, struct mw_error *ret_error)
{
    static const struct edge_hooks hooks = {.route = route_request,
                                            .opened = bridge_opened,
                                            .message = bridge_message,
                                            .closed = bridge_closed,
                                            .answered = answered,
                                            .is_shared_address = is_shared_address,
                                            .turn = turn,
                                            .moved = route_moved,
                                            .left = bridge_left,
                                            .came = bridge_came};
    struct edge_options options = {.poller = server->reactor.poller,
                                         .hooks = &hooks,
                                         .context = &server->reactor,
                                         .limits = &server->settings.limits,
                                         .tls = server->certificate.context,
                                         .is_strict_tls = !server->settings.values[SETTING_SELF_SIGNED].flag,
                                         .deflates = server->settings.values[SETTING_DEFLATE].flag,
                                         .deflates_with_context = server->settings.values[SETTING_DEFLATE_CONTEXT].flag,
                                         .per_ip_loopback = server->settings.values[SETTING_PER_IP_LOOPBACK].flag};

    struct edge_hooks wanted = hooks;
    int err;

    proxies_close(&server->proxies);
    if (proxies_open(&server->proxies, &server->settings) < 0)
        return mw_fail(ret_error, -ENOMEM, "open the edge: out of memory");
    if (server->log.level < MW_LOG_INFO)
        wanted.answered = NULL; /* it costs nothing then */
    options.hooks = &wanted;
    server->together = edge_together_new();
    if (!server->together)
        return mw_fail(ret_error, -ENOMEM, "open the edge: out of memory");
    options.together = server->together;
    err = edge_open(&options, &server->reactor.edge, ret_error);
    return err < 0 ? err : workers_open(server, &options, ret_error);
}

/* What is allowed beyond the default is said, as it widens what a peer can make us hold. */
static void say_raised_limits(mw_server *server)
{
    size_t i;

    for (i = 0; i < EDGE_LIMIT_COUNT; i++) {
        const struct edge_limit_info *info = edge_limit_info((enum edge_limit)i);

        if (server->settings.limits.value[i] > info->value)
            log_line(&server->log, "limit %s is raised to %" PRIu64 " (default %" PRIu64 ")", info->name,
                     server->settings.limits.value[i], info->value);
    }
}

static void say_dev(mw_server *server)
{
    if (server->is_dev)
        log_line(&server->log, "dev: browsers are told to keep no file, app.ini's policies hold once saved, clients and refusals are printed here");
}

int server_read_token(mw_server *server, struct token *token, struct mw_error *ret_error)
{
    const struct setting_value *value = &server->settings.values[SETTING_METRICS_TOKEN];

    return value->text_count > 0 ? token_read(token, value->texts[0], ret_error) : 0;
}

int mw_server_take_listener(mw_server *server, int takes_fd, bool is_websocket_only, struct mw_error *ret_error)
{
    int err = server_refuse_started(server, "take a listener", ret_error);

    if (err == 0 && server->given_count == SERVER_GIVEN_MAX)
        err = mw_fail(ret_error, -ENOSPC, "more than %d sockets were handed over", SERVER_GIVEN_MAX);
    if (err < 0) {
        (void)close(takes_fd); /* nothing was done with it */
        return err;
    }
    server->given[server->given_count].fd = takes_fd;
    server->given[server->given_count++].is_websocket_only = is_websocket_only;
    return 0;
}

static int listen_all(mw_server *server, struct mw_error *ret_error)
{
    struct binding binding;
    int err = binding_make(&server->settings, &binding, &server->hosts, ret_error);

    if (err == 0)
        err = certificate_open(&server->certificate, &server->settings, &server->hosts, ret_error);
    if (err == 0) {
        certificate_tell_time(&server->certificate, &server->log);
        err = server_read_token(server, &server->metrics_token, ret_error);
    }
    if (err == 0)
        err = reactor_open(&server->reactor, woken, ret_error);
    if (err == 0)
        err = open_edge(server, ret_error);
    if (err == 0)
        err = binding_listen(&binding, server, ret_error);
    if (err == 0 && (route_prepare(server) < 0 || binding_make_urls(&binding, server) < 0))
        err = mw_fail(ret_error, -ENOMEM, "start: out of memory");
    return err;
}

/* It can be started once more. returns err */
static int undo_start(mw_server *server, int err)
{
    close_edge(server);
    reactor_close(&server->reactor);
    gate_close(server);
    audit_close(&server->audit);
    server->state = SERVER_NEW;
    return err;
}

int mw_server_listen(mw_server *server, struct mw_error *ret_error)
{
    int err = server_refuse_started(server, "listen", ret_error);

    if (err < 0)
        return err;
    if (server->app_count == 0)
        return mw_fail(ret_error, -EINVAL, "start: no app is mounted");
    err = settings_agree(&server->settings, ret_error);
    if (err < 0)
        return err;
    settings_settle(&server->settings);
    settle_log(server);
    server->is_dev = server->settings.values[SETTING_DEV].flag;
    if (server->is_dev) /* what is saved is what the next request gets */
        server->settings.limits.value[EDGE_LIMIT_FILE_CACHE_TIME] = 0;
    atomic_store(&server->reactor.thread, (unsigned long)pthread_self());
    say_raised_limits(server);
    say_dev(server);
    err = listen_all(server, ret_error);
    if (err < 0)
        return undo_start(server, err);
    server->state = SERVER_LISTENING;
    return 0;
}

int mw_server_start(mw_server *server, struct mw_error *ret_error)
{
    size_t i;
    int err = 0;

    /* The port is taken before any app is opened: an `open` may move real equipment. */
    if (server->state != SERVER_LISTENING)
        err = mw_server_listen(server, ret_error);
    if (err < 0)
        return err;
    err = gate_open(server, ret_error);
    if (err == 0 && server->settings.values[SETTING_AUDIT].text_count > 0)
        err = audit_open(&server->audit, server->settings.values[SETTING_AUDIT].texts[0], ret_error);
    for (i = 0; err == 0 && i < server->app_count; i++)
        err = mounted_load(server->apps[i], ret_error);
    for (i = 0; err == 0 && i < server->app_count; i++)
        err = mounted_open(server->apps[i], &server->reactor, ret_error);
    if (err == 0)
        gate_tell_stray_roles(server);
    server->state = SERVER_RUNNING; /* workers look at it */
    server->started_s = (int64_t)time(NULL);
    if (err == 0)
        err = workers_start(server, ret_error);
    if (err < 0)
        return undo_start(server, err);
    if (atomic_load(&server->wish) != SERVER_GOES_ON) /* asked for while nothing could be woken */
        poller_wake(atomic_load(&server->reactor.wake));
    return 0;
}

/* ---- reload ------------------------------------------------------------------------------------------------ */

/* What one part could not take is said; io_first keeps the first. err: what came of it, 0: nothing to keep */
static void note_kept(mw_server *server, int err, const struct mw_error *why, struct mw_error *io_first)
{
    if (err >= 0)
        return;
    log_at(&server->log, MW_LOG_ERROR, "reload: what was there stays: %s", why->text);
    if (io_first->code == 0)
        *io_first = *why;
}

int mw_server_reload(mw_server *server, struct mw_error *ret_error)
{
    struct mw_error why = {0}, first = {0};
    size_t i;

    if (server->state != SERVER_RUNNING)
        return mw_fail(ret_error, -EBUSY, "reload: the server does not run");
    note_kept(server, server_read_token(server, &server->metrics_token, &why), &why, &first);
    note_kept(server, certificate_reload(&server->certificate, &server->log, &why), &why, &first);
    if (server->certificate.context)
        workers_set_tls(server, server->certificate.context);
    note_kept(server, audit_reopen(&server->audit, &why), &why, &first);
    for (i = 0; i < server->app_count; i++)
        note_kept(server, mounted_reload(server->apps[i], &why), &why, &first);
    gate_tell_stray_roles(server);
    if (first.code == 0)
        log_line(&server->log, "reloaded");
    return first.code == 0 ? 0 : mw_fail(ret_error, first.code, "%s", first.text);
}

/* ---- what runs ------------------------------------------------------------------------------------------ */

size_t mw_server_app_count(const mw_server *server)
{
    return server->app_count;
}

const char *mw_server_app_name(const mw_server *server, size_t index)
{
    return index < server->app_count ? server->apps[index]->name : NULL;
}

const char *mw_server_url(const mw_server *server, size_t index)
{
    if (index >= server->app_count)
        return NULL;
    return server->apps[index]->url ? server->apps[index]->url : "";
}

int mw_server_port(const mw_server *server)
{
    return server->port;
}

int mw_server_ws_port(const mw_server *server)
{
    return server->ws_port;
}

size_t mw_server_connection_count(const mw_server *server)
{
    return server->together ? edge_together_connections(server->together) : 0;
}
