/* Decides what a request gets: which app, which of its files, an upgrade, the server's own pages, or a refusal.
 * Opens no file and writes no byte; that is edge/. Read next: ../settings/hosts.c for who may ask, bridge.c for what follows.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "codec/http.h"
#include "codec/url.h"
#include "server/assets.h"
#include "server/metrics.h"
#include "server/route.h"

/* ---- what goes with answers ------------------------------------------------------------------------- */

#define HEADERS_ALWAYS                                                                                            \
    "X-Content-Type-Options: nosniff\r\n"                                                                         \
    "Referrer-Policy: no-referrer\r\n"                                                                            \
    "Cross-Origin-Resource-Policy: same-origin\r\n"
#define HEADERS_PAGE                                                                                              \
    HEADERS_ALWAYS                                                                                                \
    "Cross-Origin-Opener-Policy: same-origin\r\n"                                                                 \
    "X-Frame-Options: DENY\r\n"
#define HEADERS_OWN                                                                                               \
    HEADERS_PAGE                                                                                                  \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "    \
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "          \
    "require-trusted-types-for 'script'\r\n"                                                                      \
    "Cross-Origin-Embedder-Policy: require-corp\r\n"                                                              \
    "Permissions-Policy: camera=(), microphone=(), geolocation=()\r\n"
#define HEADERS_UNSTORED "Cache-Control: no-store\r\n"
#define HEADERS_CHECKED "Cache-Control: no-cache\r\n" /* kept, but asked about each time */

#define ALLOW_READ "GET, HEAD, OPTIONS"
#define HTML "text/html; charset=utf-8"

/* A format with a text in one or two places; MW_MISSING when memory ran out. */
static mw_value text_with(const char *format, const char *word)
{
    mw_value word_value = mw_text(word), text = mw_format(format, word_value, word_value);

    mw_release(word_value);
    return text;
}

void route_refuse(struct edge_answer *answer, int status, mw_value takes_text)
{
    answer->kind = EDGE_REFUSE;
    answer->status = status;
    answer->headers = HEADERS_ALWAYS HEADERS_UNSTORED;
    answer->body = mw_kind_of(takes_text) == MW_MISSING ? mw_null() : takes_text;
}

static void refuse_unsaid(struct edge_answer *answer, int status)
{
    route_refuse(answer, status, mw_null());
}

static void answer_body(struct edge_answer *answer, int status, const char *headers, const char *media_type,
                        mw_value takes_body)
{
    if (mw_kind_of(takes_body) == MW_MISSING) {
        refuse_unsaid(answer, 503);
        return;
    }
    answer->kind = EDGE_BODY;
    answer->status = status;
    answer->headers = headers;
    answer->media_type = media_type;
    answer->body = takes_body;
}

void route_answer_own(struct edge_answer *answer, int status, const char *media_type, mw_value takes_body)
{
    answer_body(answer, status, HEADERS_OWN HEADERS_UNSTORED, media_type, takes_body);
}

/* Without any secret in it, so it may be compressed. */
static void answer_public(struct edge_answer *answer, const char *media_type, mw_value takes_body)
{
    route_answer_own(answer, 200, media_type, takes_body);
    answer->may_pack = true;
}

/* ---- who may ask ---------------------------------------------------------------------------------------- */

/* Whether the page that sends this may: false has set the answer. A page's origin is known by its browser; who sends
 * none is no page, and gets in where it brings nobody's cookie. */
static bool origin_may(struct mw_server *server, const struct edge_request *request, struct edge_answer *answer)
{
    const char *origin = edge_request_field(request, "Origin");

    if (origin && hosts_allows_origin(&server->hosts, origin))
        return true;
    if (!origin && !edge_request_field(request, "Cookie"))
        return true;
    if (origin)
        route_refuse(answer, 403, text_with("403: pages of {} may not talk to this server; if it is reached by that name, "
                                      "start it with --host {}\n", origin));
    else
        route_refuse(answer, 403, mw_text("403: a cookie without an Origin\n"));
    if (server->is_dev)
        log_line(&server->log, "403 to %s: origin '%s'", request->peer, origin ? origin : "");
    return false;
}

static bool host_may(struct mw_server *server, const struct edge_request *request, struct edge_answer *answer)
{
    char called[300], port[16] = "";

    /* Only HTTP/1.0 can leave the host out; no browser does, so no page can be behind it. */
    if (request->host[0] == '\0' || hosts_knows(&server->hosts, request->host, request->host_port))
        return true;
    /* With the port: a tunnel or a container shows another one than ours, and then the name alone would not help. */
    if (request->host_port >= 0)
        (void)snprintf(port, sizeof port, ":%d", request->host_port);
    (void)snprintf(called, sizeof called, "%s%s", request->host, port);
    route_refuse(answer, 421, text_with("421: this server is not known as {}; if it is reached by that name, start it "
                                  "with --host {}\n", called));
    if (server->is_dev)
        log_line(&server->log, "421 to %s: host '%s'", request->peer, called);
    return false;
}

/* ---- which app ------------------------------------------------------------------------------------------ */

/* The app whose base a path lies under. ret_rest: what follows the base; NULL: the path is the base without its last
 * '/'. */
static struct mounted *find_app(const struct mw_server *server, const char *path, const char **ret_rest)
{
    size_t i;

    for (i = 0; i < server->app_count; i++) {
        struct mounted *m = server->apps[i];
        size_t count = strlen(m->base);

        if (strncmp(path, m->base, count) == 0) {
            *ret_rest = path + count;
            return m;
        }
        if (strncmp(path, m->base, count - 1) == 0 && path[count - 1] == '\0') {
            *ret_rest = NULL;
            return m;
        }
    }
    return NULL;
}

/* ---- who it is ------------------------------------------------------------------------------------------ */

/* false has set the answer: it shows a token that is nobody's. ret: guest_clear in any case */
static bool identify(struct mw_server *server, const struct edge_request *request, struct guest *ret,
                     struct edge_answer *answer)
{
    int err = gate_identify(server, request, ret);

    if (err == 0)
        return true;
    if (err == -ENOMEM) {
        refuse_unsaid(answer, 503);
        return false;
    }
    route_refuse(answer, 401, mw_text("401: this token, or the user that the proxy names, is not known here; it may have ended\n"));
    answer->headers = HEADERS_ALWAYS HEADERS_UNSTORED "WWW-Authenticate: Bearer\r\n";
    return false;
}

static void refuse_unknown(struct edge_answer *answer)
{
    route_refuse(answer, 401, mw_text("401: this app wants a login: POST /_mw/login, or Authorization: Bearer and a token\n"));
    answer->headers = HEADERS_ALWAYS HEADERS_UNSTORED "WWW-Authenticate: Bearer\r\n";
}

/* true has set the answer: the app's instance for this guest is on another thread. */
static bool goes_home(struct reactor *r, const struct mounted *m, const struct guest *guest, struct edge_answer *answer)
{
    struct reactor *home = workers_home(r, m, guest->user ? guest->user->name : NULL);

    if (home == r)
        return false;
    answer->kind = EDGE_MOVE;
    answer->to = home;
    return true;
}

void route_moved(void *context, void *to, struct edge_connection *c)
{
    (void)context;
    workers_bring(to, c);
}

/* ---- WebSockets ----------------------------------------------------------------------------------------- */

static bool is_upgrade_path(const struct mounted *m, const char *rest)
{
    size_t i;

    if (!rest || *rest == '\0')
        return true;
    for (i = 0; i < m->ws_path_count; i++)
        if (strcmp(m->ws_paths[i], rest) == 0)
            return true;
    return false;
}

/* An upgrade by this guest, at whichever app it is. */
static void upgrade(struct reactor *r, struct mounted *m, const struct edge_request *request, const struct guest *guest,
                    struct edge_answer *answer)
{
    bool is_v1 = edge_request_offers(request, "meshwork.v1");

    if (m->requires_login && !guest->user && !is_v1) { /* there is no method by which it could log in */
        refuse_unknown(answer);
        return;
    }
    if (goes_home(r, m, guest, answer))
        return;
    if (m->requires_login && !guest->user && gate_is_one_too_many(r, request)) {
        refuse_unsaid(answer, 503);
        return;
    }
    answer->connection = bridge_new(r, m, is_v1 ? APP_MANNER_V1 : APP_MANNER_PLAIN, request, guest);
    if (!answer->connection) {
        refuse_unsaid(answer, 503);
        return;
    }
    answer->kind = EDGE_UPGRADE;
    answer->subprotocol = is_v1 ? "meshwork.v1" : NULL;
}

static void route_upgrade(struct reactor *r, const struct edge_request *request, struct edge_answer *answer)
{
    mw_server *server = r->server;
    const char *rest = NULL;
    struct mounted *m = find_app(server, request->path, &rest);
    struct guest guest;

    gate_tell_of_proxy(server, request);
    if (!origin_may(server, request, answer))
        return;
    /* On the port that is for WebSockets alone, any path of an app will do. */
    if (!m || (!is_upgrade_path(m, rest) && !request->listener_context)) {
        refuse_unsaid(answer, 404);
        return;
    }
    if (server->state != SERVER_RUNNING) {
        refuse_unsaid(answer, 503);
        answer->headers = HEADERS_ALWAYS HEADERS_UNSTORED "Retry-After: 5\r\n";
        return;
    }
    if (identify(server, request, &guest, answer))
        upgrade(r, m, request, &guest, answer);
    guest_clear(&guest);
}

/* ---- the server's own: /_mw/ ---------------------------------------------------------------------------- */

/* RFC 9110 §15.5.16 and §12.5.3: which coding would have been accepted is said. */
bool route_is_coded(const struct edge_request *request, struct edge_answer *answer)
{
    const char *coding = edge_request_field(request, "Content-Encoding");

    if (!coding || coding[0] == '\0' || strcasecmp(coding, "identity") == 0)
        return false;
    route_refuse(answer, 415, mw_text("415: want the body as it is, without a Content-Encoding\n"));
    answer->headers = HEADERS_ALWAYS HEADERS_UNSTORED "Accept-Encoding: identity\r\n";
    return true;
}

/* "application/json", perhaps with parameters. */
static bool is_json(const char *media_type)
{
    static const char json[] = "application/json";
    size_t count = strlen(json);

    if (!media_type || strncasecmp(media_type, json, count) != 0)
        return false;
    media_type += count;
    return media_type[strspn(media_type, " \t")] == '\0' || media_type[strspn(media_type, " \t")] == ';';
}

static void answer_rpc(struct reactor *r, struct mounted *m, const struct edge_request *request, const struct guest *guest,
                       struct edge_answer *answer)
{
    mw_value text = mw_null();
    struct app_identity who;
    int err;

    if (m->requires_login && !guest->user) {
        refuse_unknown(answer);
        return;
    }
    if (goes_home(r, m, guest, answer))
        return;
    who = gate_identity(r, m, guest->user, guest->is_local);
    gate_address(r->server, request, r->rpc_address);
    err = app_rpc(r->apps[m->index], &who, request->body, request->body_count, &text);
    if (err < 0)
        refuse_unsaid(answer, 503);
    else if (mw_kind_of(text) == MW_NULL)
        answer_body(answer, 204, HEADERS_ALWAYS HEADERS_UNSTORED, NULL, mw_text(""));
    else
        answer_body(answer, 200, HEADERS_ALWAYS HEADERS_UNSTORED, "application/json", text);
}

static void route_rpc(struct reactor *r, struct mounted *m, const struct edge_request *request, struct edge_answer *answer)
{
    struct guest guest;

    if (request->method != EDGE_POST) {
        refuse_unsaid(answer, 405);
        answer->allow = "POST, OPTIONS";
        return;
    }
    if (!origin_may(m->server, request, answer))
        return;
    if (!is_json(edge_request_field(request, "Content-Type"))) {
        route_refuse(answer, 415, mw_text("415: want one JSON-RPC request or batch as application/json\n"));
        answer->headers = HEADERS_ALWAYS HEADERS_UNSTORED "Accept: application/json\r\n";
        return;
    }
    if (route_is_coded(request, answer))
        return;
    if (!request->is_whole) {
        answer->kind = EDGE_COLLECT;
        return;
    }
    if (identify(m->server, request, &guest, answer))
        answer_rpc(r, m, request, &guest, answer);
    guest_clear(&guest);
}

static void route_asset(struct mw_server *server, const struct asset *asset, const struct edge_request *request,
                        struct edge_answer *answer)
{
    bool is_gzipped, is_known;
    mw_value bytes = asset_give(server->asset_forms, asset, edge_request_takes(request, "gzip"), &is_gzipped);
    int tag_count = (int)strlen(asset->tag) - 1; /* without its last quote: another form has another tag */
    char tag[64];

    (void)snprintf(tag, sizeof tag, "%.*s%s\"", tag_count, asset->tag, is_gzipped ? "-gz" : "");
    is_known = edge_request_knows(request, tag);
    (void)snprintf(server->text, sizeof server->text, "%s%sETag: %s\r\nVary: Accept-Encoding\r\n%s", HEADERS_OWN,
                   server->is_dev ? HEADERS_UNSTORED : HEADERS_CHECKED, tag,
                   is_gzipped && !is_known ? "Content-Encoding: gzip\r\n" : ""); /* all of known length: fits */
    if (is_known) {
        mw_release(bytes);
        answer_body(answer, 304, server->text, NULL, mw_text(""));
    } else {
        answer_body(answer, 200, server->text, "text/javascript; charset=utf-8", bytes);
    }
}

static void route_metrics(struct mw_server *server, const struct edge_request *request, struct edge_answer *answer)
{
    mw_value text;

    if (gate_is_local(request) || token_is_shown(&server->metrics_token, edge_request_field(request, "Authorization"))) {
        if (metrics_print(server, &text) < 0)
            refuse_unsaid(answer, 503);
        else
            answer_public(answer, "text/plain; version=0.0.4; charset=utf-8", text);
    } else if (server->metrics_token.is_set) {
        route_refuse(answer, 401, mw_text("401: want Authorization: Bearer and the token of --metrics-token\n"));
        answer->headers = HEADERS_ALWAYS HEADERS_UNSTORED "WWW-Authenticate: Bearer\r\n";
    } else {
        route_refuse(answer, 403, mw_text("403: metrics are for programs of this machine; --metrics-token FILE lets others in\n"));
    }
}

static void route_ready(const struct mw_server *server, struct edge_answer *answer)
{
    bool is_ready = server_is_ready(server);

    answer_body(answer, is_ready ? 200 : 503, HEADERS_OWN HEADERS_UNSTORED, NULL,
                mw_text(is_ready                          ? "ok\n"
                        : server->state == SERVER_RUNNING ? "not ready: memory runs short\n"
                                                          : "not ready: the server is stopping\n"));
}

/* name: what follows "/_mw/" */
static void route_own(struct reactor *r, struct mounted *m, const char *name, const struct edge_request *request,
                      struct edge_answer *answer)
{
    const struct asset *asset = asset_find(name);

    if (strcmp(name, "rpc") == 0) {
        route_rpc(r, m, request, answer);
        return;
    }
    if (strcmp(name, "login") == 0 || strcmp(name, "logout") == 0) {
        if (request->method == EDGE_POST && !origin_may(m->server, request, answer))
            return;
        if (strcmp(name, "login") == 0)
            route_login(m->server, request, answer);
        else
            route_logout(m->server, request, answer);
        return;
    }
    if (!asset && strcmp(name, "healthz") != 0 && strcmp(name, "readyz") != 0 && strcmp(name, "metrics") != 0) {
        refuse_unsaid(answer, 404);
        return;
    }
    if (request->method == EDGE_POST) {
        refuse_unsaid(answer, 405);
        answer->allow = ALLOW_READ;
        return;
    }
    if (asset)
        route_asset(m->server, asset, request, answer);
    else if (strcmp(name, "metrics") == 0)
        route_metrics(m->server, request, answer);
    else if (strcmp(name, "readyz") == 0)
        route_ready(m->server, answer);
    else
        answer_body(answer, 200, HEADERS_OWN HEADERS_UNSTORED, NULL, mw_text("ok\n"));
}

/* ---- files ---------------------------------------------------------------------------------------------- */

/* The home page cannot be read: say so to whoever looks at the page, who may be the one that can help. */
static void answer_no_home(const struct mounted *m, struct edge_answer *answer)
{
    const char *why = m->has_page ? "The home page could not be read: its folder has no app.html and no index.html "
                                    "that this server may open."
                                  : "This app has no page, only a back end.";

    answer_body(answer, m->has_page ? 500 : 404, HEADERS_OWN HEADERS_UNSTORED, HTML,
                text_with("<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>No home page</title>\n"
                          "<h1>No home page</h1>\n<p>{}</p>\n</html>\n", why));
}

static const char *const homes[MOUNTED_HOMES] = {"app.html", "index.html"};

/* Which of them can be read, a bit for each. As with files in memory, a look is good for as long as file_cache_ms says. */
static unsigned look_for_homes(struct mounted *m)
{
    int64_t now_ns = mw_now_ns(),
            fresh_ns = (int64_t)m->server->settings.limits.value[EDGE_LIMIT_FILE_CACHE_TIME] * INT64_C(1000000);
    unsigned seen = atomic_load_explicit(&m->homes, memory_order_relaxed);
    size_t i;

    if (seen != 0 && now_ns - atomic_load_explicit(&m->homes_ns, memory_order_relaxed) < fresh_ns)
        return seen;
    for (i = 0, seen = 0; i < MW_COUNT(homes); i++)
        seen |= mounted_can_read(m, homes[i]) ? 1U << i : 0;
    atomic_store_explicit(&m->homes, seen, memory_order_relaxed);
    atomic_store_explicit(&m->homes_ns, now_ns, memory_order_relaxed);
    return seen;
}

static void route_home(struct mounted *m, struct edge_answer *answer)
{
    unsigned readable = look_for_homes(m);
    size_t i, count = 0;

    for (i = 0; i < MW_COUNT(homes); i++)
        if (readable & 1U << i)
            answer->places[count++] = (struct edge_place){m->root_fd, NULL, homes[i]};
    if (count == 0) {
        answer_no_home(m, answer);
        return;
    }
    answer->kind = EDGE_FILES;
    answer->headers = m->headers;
    answer->cache_control = mounted_cache_control(m, MOUNTED_PAGE);
}

static void route_file(const struct mounted *m, const char *rest, struct edge_answer *answer)
{
    static const enum mounted_folder folders[] = {MOUNTED_CSS, MOUNTED_JS, MOUNTED_IMAGES, MOUNTED_FONTS};
    enum mounted_folder folder = MOUNTED_PUBLIC;
    size_t i, count = 0;

    refuse_unsaid(answer, 404);
    if (m->root_fd < 0 || !url_is_servable(rest - 1))
        return;
    for (i = 0; i < MW_COUNT(folders); i++) {
        const char *name = mounted_folder_name(folders[i]);
        size_t name_count = strlen(name);

        if (strncmp(rest, name, name_count) != 0 || rest[name_count] != '/' || rest[strlen(rest) - 1] == '/')
            continue;
        folder = folders[i];
        answer->places[count++] = (struct edge_place){m->root_fd, name, rest + name_count + 1};
    }
    answer->places[count] = (struct edge_place){m->root_fd, "public", rest};
    answer->kind = EDGE_FILES;
    answer->index = count == 0 ? "index.html" : NULL;
    answer->headers = m->headers;
    answer->cache_control = mounted_cache_control(m, folder);
}

/* ---- all together --------------------------------------------------------------------------------------- */

static void redirect_to_base(struct mw_server *server, const struct mounted *m, struct edge_answer *answer)
{
    struct mw_buffer line;

    mw_buffer_init(&line, sizeof server->text - 1);
    (void)mw_buffer_append_text(&line, HEADERS_ALWAYS "Location: "); /* an error sticks and is looked at once */
    (void)url_encode_path(&line, m->base);
    (void)mw_buffer_append(&line, "\r\n", 3);
    if (line.error) {
        refuse_unsaid(answer, 404);
    } else {
        (void)snprintf(server->text, sizeof server->text, "%s", (const char *)line.data);
        refuse_unsaid(answer, 308);
        answer->headers = server->text;
    }
    mw_buffer_clear(&line);
}

static void route_get(struct mw_server *server, struct mounted *m, const char *rest, struct edge_answer *answer)
{
    if (!rest)
        redirect_to_base(server, m, answer);
    else if (*rest == '\0')
        route_home(m, answer);
    else
        route_file(m, rest, answer);
}

/* Whether a POST is a request to an app whose users are spread over all threads. */
static bool is_for_user_here(const struct reactor *r, const struct mounted *m, const char *rest)
{
    const struct app *app = r->apps[m->index];

    return app && app_instance_mode(app) == MW_INSTANCE_PER_USER && rest && strcmp(rest, "_mw/rpc") == 0;
}

/* Files, and apps that run there too. Whatever says more is for the server's own thread. */
void route_on_worker(void *context, const struct edge_request *request, struct edge_answer *answer)
{
    struct reactor *r = context;
    mw_server *server = r->server;
    const char *rest = NULL;
    struct mounted *m = NULL;

    answer->kind = EDGE_MOVE;
    answer->to = &server->reactor;
    if (request->host[0] == '\0' || hosts_knows(&server->hosts, request->host, request->host_port))
        m = find_app(server, request->path, &rest);
    if (!m)
        return;
    if (request->is_upgrade && r->apps[m->index]) {
        answer->kind = EDGE_REFUSE;
        route_upgrade(r, request, answer);
        return;
    }
    if (request->method == EDGE_POST && is_for_user_here(r, m, rest)) {
        answer->kind = EDGE_REFUSE;
        route_rpc(r, m, request, answer);
        return;
    }
    if (request->is_upgrade || (request->method != EDGE_GET && request->method != EDGE_HEAD) || !rest || strncmp(rest, "_mw/", 4) == 0)
        return;
    answer->kind = EDGE_REFUSE;
    route_get(server, m, rest, answer);
}

static const char *allow_of(const char *rest)
{
    if (rest && strcmp(rest, "_mw/login") == 0)
        return "GET, HEAD, POST, OPTIONS";
    return rest && (strcmp(rest, "_mw/rpc") == 0 || strcmp(rest, "_mw/logout") == 0) ? "POST, OPTIONS" : ALLOW_READ;
}

void route_request(void *context, const struct edge_request *request, struct edge_answer *answer)
{
    static const char own[] = "_mw/";
    struct reactor *r = context;
    struct mw_server *server = r->server;
    const char *rest = NULL;
    struct mounted *m;

    if (!host_may(server, request, answer))
        return;
    if (request->is_upgrade) {
        route_upgrade(r, request, answer);
        return;
    }
    m = find_app(server, request->path, &rest);
    if (!m && strncmp(request->path + 1, own, strlen(own)) == 0 && strcmp(request->path + 1, "_mw/rpc") != 0) {
        m = server->apps[0]; /* where there are several apps, what is no app's own is at the root as well */
        rest = request->path + 1;
    }
    if (request->method == EDGE_OPTIONS) {
        answer_body(answer, 204, HEADERS_ALWAYS, NULL, mw_text(""));
        answer->allow = allow_of(rest);
        return;
    }
    if (request->method == EDGE_OTHER && (m || strcmp(request->path, "/") == 0)) {
        refuse_unsaid(answer, 405);
        answer->allow = allow_of(rest);
        return;
    }
    if (m && rest && strncmp(rest, own, strlen(own)) == 0) {
        route_own(r, m, rest + strlen(own), request, answer);
    } else if (!m && strcmp(request->path, "/") != 0) {
        refuse_unsaid(answer, 404);
    } else if (request->method == EDGE_POST) {
        refuse_unsaid(answer, 405);
        answer->allow = ALLOW_READ;
    } else if (m) {
        route_get(server, m, rest, answer);
    } else {
        answer_public(answer, HTML, mw_share(server->front_page));
    }
}

/* ---- at start ------------------------------------------------------------------------------------------- */

void route_append_escaped(struct mw_buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            (void)mw_buffer_append_text(out, "&lt;");
            break;
        case '>':
            (void)mw_buffer_append_text(out, "&gt;");
            break;
        case '&':
            (void)mw_buffer_append_text(out, "&amp;");
            break;
        case '"':
            (void)mw_buffer_append_text(out, "&quot;");
            break;
        default:
            (void)mw_buffer_append_byte(out, (uint8_t)*text);
        }
    }
}

/* Where there are several apps, / lists them. Errors stick in the buffer. */
static int make_front_page(struct mw_server *server)
{
    struct mw_buffer page;
    size_t i;
    int err;

    mw_buffer_init(&page, (size_t)1 << 20);
    (void)mw_buffer_append_text(&page, "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
                                       "<title>Meshwork</title>\n<h1>Apps</h1>\n<ul>\n");
    for (i = 0; i < server->app_count; i++) {
        (void)mw_buffer_append_text(&page, "<li><a href=\"");
        (void)url_encode_path(&page, server->apps[i]->base);
        (void)mw_buffer_append_text(&page, "\">");
        route_append_escaped(&page, server->apps[i]->name);
        (void)mw_buffer_append_text(&page, "</a></li>\n");
    }
    (void)mw_buffer_append_text(&page, "</ul>\n</html>\n");
    err = page.error;
    if (err == 0) {
        server->front_page = mw_text_n((const char *)page.data, page.count);
        err = mw_kind_of(server->front_page) == MW_MISSING ? -ENOMEM : 0;
    }
    mw_buffer_clear(&page);
    return err;
}

int route_prepare(struct mw_server *server)
{
    size_t i;

    for (i = 0; i < server->app_count; i++) {
        struct mounted *m = server->apps[i];
        struct mw_buffer base;

        mw_buffer_init(&base, 1024);
        (void)mw_buffer_append_byte(&base, '/'); /* errors stick and are looked at once */
        if (server->app_count > 1) {
            (void)mw_buffer_append_text(&base, m->folder);
            (void)mw_buffer_append_byte(&base, '/');
        }
        (void)mw_buffer_append_byte(&base, 0);
        m->base = base.error ? NULL : mw_copy_text((const char *)base.data);
        mw_buffer_clear(&base);
        if (!m->base)
            return -ENOMEM;
    }
    return server->app_count > 1 ? make_front_page(server) : 0;
}
