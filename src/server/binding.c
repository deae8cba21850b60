/* Addresses, ports and URLs.
 * SPDX-License-Identifier: MIT */
#include "server/binding.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "codec/url.h"

/* ---- addresses -------------------------------------------------------------------------------------- */

static int add_address(struct binding *b, const char *address, struct mw_error *ret_error)
{
    size_t i;

    for (i = 0; i < b->address_count; i++)
        if (strcmp(b->addresses[i], address) == 0)
            return 0;
    if (b->address_count == BINDING_ADDRESSES_MAX)
        return mw_fail(ret_error, -EINVAL, "--bind: more than %d addresses", BINDING_ADDRESSES_MAX);
    b->addresses[b->address_count++] = address;
    return 0;
}

/* Whether an address is numeric, and is this machine's alone. returns 0, -EINVAL */
static int judge_address(const char *address, bool *ret_is_loopback, bool *ret_is_any)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, address, &v4) == 1) {
        *ret_is_loopback = (ntohl(v4.s_addr) >> 24) == 127;
        *ret_is_any = v4.s_addr == htonl(INADDR_ANY);
        return 0;
    }
    if (inet_pton(AF_INET6, address, &v6) == 1) {
        *ret_is_loopback = IN6_IS_ADDR_LOOPBACK(&v6);
        *ret_is_any = IN6_IS_ADDR_UNSPECIFIED(&v6);
        return 0;
    }
    return -EINVAL;
}

static int add_word(struct binding *b, const char *word, struct mw_error *ret_error)
{
    static const char *const loopback[] = {"127.0.0.1", "::1"}, *const any[] = {"0.0.0.0", "::"};
    const char *const *pair = NULL;
    bool is_loopback, is_any;
    int err;

    if (strcmp(word, "loopback") == 0 || strcmp(word, "localhost") == 0)
        pair = loopback;
    else if (strcmp(word, "any") == 0 || strcmp(word, "*") == 0)
        pair = any;
    if (pair) {
        b->may_lack_ipv6 = true;
        err = add_address(b, pair[0], ret_error);
        return err < 0 ? err : add_address(b, pair[1], ret_error);
    }
    if (judge_address(word, &is_loopback, &is_any) < 0)
        return mw_fail(ret_error, -EINVAL, "--bind '%s': want loopback, any, or a numeric address", word);
    return add_address(b, word, ret_error);
}

static int add_known_names(const struct settings *settings, const struct binding *b, struct hosts *hosts,
                           bool is_any, struct mw_error *ret_error)
{
    const struct setting_value *names = &settings->values[SETTING_HOST];
    size_t i;
    int err = hosts_add_own(hosts, ret_error);

    for (i = 0; err == 0 && i < names->text_count; i++)
        err = hosts_add(hosts, names->texts[i], ret_error);
    for (i = 0; err == 0 && i < b->address_count; i++)
        err = hosts_add(hosts, b->addresses[i], ret_error);
    if (err == 0 && is_any)
        err = hosts_add_interfaces(hosts, ret_error);
    return err;
}

int binding_make(const struct settings *settings, struct binding *ret, struct hosts *hosts,
                 struct mw_error *ret_error)
{
    const struct setting_value *bind = &settings->values[SETTING_BIND], *names = &settings->values[SETTING_HOST];
    const char *abroad = NULL;
    bool is_any_of_all = false, is_loopback = true, is_any = false;
    size_t i;
    int err = 0;

    *ret = (struct binding){.url_host = "localhost", .is_tls = certificate_is_wanted(settings)};
    if (ret->is_tls)
        hosts->scheme = "https";
    for (i = 0; err == 0 && i < bind->text_count; i++)
        err = add_word(ret, bind->texts[i], ret_error);
    if (err == 0 && bind->text_count == 0)
        err = add_word(ret, "loopback", ret_error);
    if (err < 0)
        return err;
    for (i = 0; i < ret->address_count; i++) {
        (void)judge_address(ret->addresses[i], &is_loopback, &is_any); /* was judged when it was added */
        is_any_of_all = is_any_of_all || is_any;
        if (!is_loopback && !abroad)
            abroad = ret->addresses[i];
    }
    if (abroad && !ret->is_tls && !settings->values[SETTING_PLAINTEXT].flag)
        return mw_fail(ret_error, -EACCES, "bind %s: off loopback everything would go in the clear; give a certificate "
                       "by --cert and --key, or say --plaintext if that is meant", abroad);
    if (abroad && names->text_count > 0)
        ret->url_host = names->texts[0];
    else if (abroad && !is_any_of_all)
        ret->url_host = abroad;
    return add_known_names(settings, ret, hosts, is_any_of_all, ret_error);
}

/* ---- listening ---------------------------------------------------------------------------------------- */

/* The workers at the same port, which may have been a free one. */
static int listen_elsewhere(struct mw_server *server, const struct edge_listen *options, uint16_t port, struct mw_error *ret_error)
{
    struct edge_listen further = *options;

    further.port = port;
    return workers_listen(server, &further, ret_error);
}

static int listen_on(const struct binding *b, struct mw_server *server, enum setting which, const char *flag,
                     bool is_websocket_only, uint16_t *ret_port, struct mw_error *ret_error)
{
    uint16_t port = (uint16_t)server->settings.values[which].number;
    const struct edge_listen options = {.addresses = b->addresses,
                                        .address_count = b->address_count,
                                        .port = port,
                                        .is_websocket_only = is_websocket_only,
                                        .is_shared = server->workers.count > 0 && !is_websocket_only,
                                        .may_lack_ipv6 = b->may_lack_ipv6,
                                        .is_tls = b->is_tls,
                                        .context = is_websocket_only ? server : NULL};
    int err = edge_listen(server->reactor.edge, &options, ret_port, ret_error);

    if (err == -EADDRINUSE)
        return mw_fail(ret_error, err, "port %u is taken; take another: --%s %u", port, flag,
                       port < 65535 ? port + 1u : port - 1u);
    if (err == -EACCES)
        return mw_fail(ret_error, err, "port %u needs more rights than this user has; take one from 1024 up: --%s 8000",
                       port, flag);
    if (err == 0 && options.is_shared)
        err = listen_elsewhere(server, &options, *ret_port, ret_error);
    if (err == 0)
        hosts_add_port(&server->hosts, *ret_port);
    return err;
}

/* A socket that listens already: nobody may hear it who would not hear one of ours. */
static int judge_given(const struct binding *b, struct mw_server *server, int fd, struct mw_error *ret_error)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t size = sizeof bound;
    char text[INET6_ADDRSTRLEN] = "";
    bool is_loopback = false, is_any = false;

    if (getsockname(fd, &bound.any, &size) < 0 || (bound.any.sa_family != AF_INET && bound.any.sa_family != AF_INET6))
        return 0; /* the edge says what is wrong with it */
    if (bound.any.sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &bound.v4.sin_addr, text, sizeof text);
    else
        (void)inet_ntop(AF_INET6, &bound.v6.sin6_addr, text, sizeof text);
    (void)judge_address(text, &is_loopback, &is_any); /* it is one */
    if (!is_loopback && !b->is_tls && !server->settings.values[SETTING_PLAINTEXT].flag)
        return mw_fail(ret_error, -EACCES, "listen on descriptor %d at %s: off loopback everything would go in the clear; give "
                       "a certificate by --cert and --key, or say --plaintext if that is meant", fd, text);
    return is_any ? hosts_add_interfaces(&server->hosts, ret_error) : hosts_add(&server->hosts, text, ret_error);
}

static int listen_on_given(const struct binding *b, struct mw_server *server, struct mw_error *ret_error)
{
    size_t i;
    int err = 0;

    for (i = 0; err == 0 && i < server->given_count; i++) {
        bool is_websocket_only = server->given[i].is_websocket_only;
        const struct edge_listen options = {.is_websocket_only = is_websocket_only,
                                            .is_tls = b->is_tls,
                                            .context = is_websocket_only ? server : NULL};
        uint16_t port = 0, *first = is_websocket_only ? &server->ws_port : &server->port;
        int fd = server->given[i].fd;

        err = judge_given(b, server, fd, ret_error);
        if (err < 0)
            break;
        server->given[i].fd = -1;
        err = edge_listen_on(server->reactor.edge, fd, &options, &port, ret_error);
        if (err == 0 && !is_websocket_only) /* the edge has it, and it stays open */
            err = workers_listen_on(server, fd, &options, ret_error);
        if (err == 0)
            hosts_add_port(&server->hosts, port);
        if (err == 0 && *first == 0)
            *first = port;
    }
    return err;
}

int binding_listen(const struct binding *b, struct mw_server *server, struct mw_error *ret_error)
{
    int err;

    if (server->given_count > 0)
        return listen_on_given(b, server, ret_error);
    err = listen_on(b, server, SETTING_PORT, "port", false, &server->port, ret_error);

    if (err == 0 && settings_is_set(&server->settings, SETTING_WS_PORT))
        err = listen_on(b, server, SETTING_WS_PORT, "ws-port", true, &server->ws_port, ret_error);
    return err;
}

/* ---- URLs ------------------------------------------------------------------------------------------------ */

/* "https://NAME:PORT" of what people type: a name as --host has it may say scheme and port itself. */
static void append_origin(struct mw_buffer *out, const char *host, uint16_t port, bool is_tls)
{
    bool has_scheme = strstr(host, "://") != NULL, is_ipv6 = !has_scheme && host[0] != '[' && strchr(host, ':') &&
                                                            strchr(host, ':') != strrchr(host, ':');
    bool has_port = host[0] == '[' ? strstr(host, "]:") != NULL : !is_ipv6 && !has_scheme && strchr(host, ':');

    (void)mw_buffer_printf(out, "%s%s%s%s", has_scheme ? "" : is_tls ? "https://" : "http://", is_ipv6 ? "[" : "", host,
                           is_ipv6 ? "]" : ""); /* errors stick and are looked at once */
    if (!has_scheme && !has_port && port != (is_tls ? 443 : 80))
        (void)mw_buffer_printf(out, ":%u", port);
}

int binding_make_urls(const struct binding *b, struct mw_server *server)
{
    size_t i;

    for (i = 0; i < server->app_count; i++) {
        struct mw_buffer url;

        mw_buffer_init(&url, 4096);
        append_origin(&url, b->url_host, server->port, b->is_tls);
        (void)url_encode_path(&url, server->apps[i]->base); /* errors stick and are looked at once */
        (void)mw_buffer_append_byte(&url, 0);
        server->apps[i]->url = url.error ? NULL : mw_copy_text((const char *)url.data);
        mw_buffer_clear(&url);
        if (!server->apps[i]->url)
            return -ENOMEM;
    }
    return 0;
}
