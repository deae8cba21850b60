/* Known names and allowed origins.
 * Not what a request gets; that is route.c.
 * SPDX-License-Identifier: MIT */
#include "settings/hosts.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/memory.h"

enum { NAME_BYTES = 256 };

void hosts_init(struct hosts *h)
{
    *h = (struct hosts){.scheme = "http"};
}

void hosts_clear(struct hosts *h)
{
    size_t i;

    for (i = 0; i < h->name_count; i++)
        mw_free(h->names[i].name);
    hosts_init(h);
}

/* ---- reading a name ------------------------------------------------------------------------------ */

static int default_port(const char *scheme)
{
    return strcmp(scheme, "https") == 0 ? 443 : 80;
}

/* The digits of a port, 1 to 65535; -1: none. */
static int parse_port(const char *text)
{
    int port = 0;

    if (*text == '\0')
        return -1;
    for (; *text != '\0'; text++) {
        if (!isdigit((unsigned char)*text))
            return -1;
        port = port * 10 + (*text - '0');
        if (port > 65535)
            return -1;
    }
    return port > 0 ? port : -1;
}

/* A DNS name or an IPv4 address: what a browser can send, lower case. */
static bool is_name(const char *text)
{
    const char *at;

    for (at = text; *at != '\0'; at++)
        if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) && !strchr("-._", *at))
            return false;
    return at != text && *text != '.' && *text != '-';
}

/* Make the one form that browsers print of an IPv6 address: "[::1]". */
static bool normalise_ipv6(char name[NAME_BYTES])
{
    struct in6_addr address;
    char bare[NAME_BYTES];
    size_t count = strlen(name);

    if (name[0] == '[' && count > 2 && name[count - 1] == ']')
        (void)snprintf(bare, sizeof bare, "%.*s", (int)(count - 2), name + 1);
    else
        (void)snprintf(bare, sizeof bare, "%s", name);
    if (inet_pton(AF_INET6, bare, &address) != 1)
        return false;
    name[0] = '[';
    if (!inet_ntop(AF_INET6, &address, name + 1, NAME_BYTES - 2))
        return false;
    count = strlen(name);
    name[count] = ']';
    name[count + 1] = '\0';
    return true;
}

/* Take ":PORT" off the end; 0: there was none; -1: it is malformed. A bare IPv6 address has none. */
static int split_port(char *name)
{
    char *colon = strrchr(name, ':');
    int port;

    if (!colon || (name[0] != '[' && strchr(name, ':') != colon) || (name[0] == '[' && colon[-1] != ']'))
        return 0;
    port = parse_port(colon + 1);
    *colon = '\0';
    return port;
}

static int add_name(struct hosts *h, const char *name, int port, const char *scheme, struct mw_error *ret_error)
{
    size_t i;
    char *copy;

    for (i = 0; i < h->name_count; i++)
        if (strcmp(h->names[i].name, name) == 0 && h->names[i].port == port &&
            strcmp(h->names[i].scheme, scheme) == 0)
            return 0;
    if (h->name_count == HOSTS_NAMES_MAX)
        return mw_fail(ret_error, -ENOSPC, "host '%s': more than %d names", name, HOSTS_NAMES_MAX);
    copy = mw_copy_text(name);
    if (!copy)
        return mw_fail(ret_error, -ENOMEM, "host '%s': out of memory", name);
    h->names[h->name_count++] = (struct hosts_name){copy, port, scheme};
    return 0;
}

/* What a text says. ret_scheme  NULL: none
 * returns  the port; 0 where none is said and the scheme has none; -1: it is no name */
static int read_name(const char *text, char ret_name[NAME_BYTES], const char **ret_scheme)
{
    const char *from = text;
    size_t i;
    int port;

    *ret_scheme = NULL;
    if (strncasecmp(from, "http://", 7) == 0) {
        from += 7;
        *ret_scheme = "http";
    } else if (strncasecmp(from, "https://", 8) == 0) {
        from += 8;
        *ret_scheme = "https";
    }
    for (i = 0; from[i] != '\0' && i + 3 < NAME_BYTES; i++)
        ret_name[i] = (char)tolower((unsigned char)from[i]);
    ret_name[i] = '\0';
    port = from[i] == '\0' ? split_port(ret_name) : -1;
    if (port < 0 || !(is_name(ret_name) || normalise_ipv6(ret_name)))
        return -1;
    return port == 0 && *ret_scheme ? default_port(*ret_scheme) : port; /* the scheme's own, not ours */
}

bool hosts_is_name(const char *text)
{
    char name[NAME_BYTES];
    const char *scheme;

    return read_name(text, name, &scheme) >= 0;
}

int hosts_add(struct hosts *h, const char *text, struct mw_error *ret_error)
{
    char name[NAME_BYTES];
    const char *scheme;
    int port = read_name(text, name, &scheme);

    if (port < 0)
        return mw_fail(ret_error, -EINVAL, "host '%s' is no name", text);
    return add_name(h, name, port, scheme ? scheme : h->scheme, ret_error);
}

int hosts_add_own(struct hosts *h, struct mw_error *ret_error)
{
    static const char *const always[] = {"localhost", "127.0.0.1", "::1"};
    char machine[NAME_BYTES] = "";
    size_t i;
    int err = 0;

    for (i = 0; err == 0 && i < MW_COUNT(always); i++)
        err = hosts_add(h, always[i], ret_error);
    if (err == 0 && gethostname(machine, sizeof machine - 1) == 0 && hosts_add(h, machine, NULL) == -ENOMEM)
        err = mw_fail(ret_error, -ENOMEM, "know the machine's name: out of memory"); /* an odd name is left out */
    return err;
}

int hosts_add_interfaces(struct hosts *h, struct mw_error *ret_error)
{
    struct ifaddrs *all = NULL, *one;
    int err = 0;

    if (getifaddrs(&all) < 0)
        return mw_fail(ret_error, -errno, "list this machine's addresses: %s", strerror(errno));
    for (one = all; one && err == 0; one = one->ifa_next) {
        char text[INET6_ADDRSTRLEN] = "";

        if (!one->ifa_addr || !(one->ifa_flags & IFF_UP))
            continue;
        if (one->ifa_addr->sa_family == AF_INET)
            (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)one->ifa_addr)->sin_addr, text,
                            sizeof text);
        else if (one->ifa_addr->sa_family == AF_INET6)
            (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)one->ifa_addr)->sin6_addr, text,
                            sizeof text);
        if (text[0] != '\0')
            err = hosts_add(h, text, ret_error);
    }
    freeifaddrs(all);
    return err == -ENOSPC ? 0 : err; /* a machine of a hundred addresses is told the rest by --host */
}

void hosts_add_port(struct hosts *h, uint16_t port)
{
    if (h->port_count < HOSTS_PORTS_MAX)
        h->ports[h->port_count++] = port;
}

/* ---- judging -------------------------------------------------------------------------------------- */

/* Whether port (-1: not said) is one that a known name may come with. */
static bool port_fits(const struct hosts *h, const struct hosts_name *name, int port)
{
    size_t i;

    if (port == -1)
        return true;
    if (name->port != 0)
        return port == name->port;
    for (i = 0; i < h->port_count; i++)
        if (port == h->ports[i])
            return true;
    return false;
}

bool hosts_knows(const struct hosts *h, const char *name, int port)
{
    size_t i;

    for (i = 0; i < h->name_count; i++)
        if (strcasecmp(name, h->names[i].name) == 0 && port_fits(h, &h->names[i], port))
            return true;
    return false;
}

/* The rest of an origin behind scheme://NAME: ":PORT", or nothing where it is the scheme's own port. */
static bool origin_port_is(const char *rest, int port, const char *scheme)
{
    char want[16] = "";

    if (port != default_port(scheme))
        (void)snprintf(want, sizeof want, ":%d", port);
    return strcmp(rest, want) == 0;
}

static bool name_allows(const struct hosts *h, const struct hosts_name *name, const char *rest)
{
    size_t i;

    if (name->port != 0)
        return origin_port_is(rest, name->port, name->scheme);
    for (i = 0; i < h->port_count; i++)
        if (origin_port_is(rest, h->ports[i], name->scheme))
            return true;
    return false;
}

bool hosts_allows_origin(const struct hosts *h, const char *origin)
{
    size_t i;

    for (i = 0; i < h->name_count; i++) {
        const struct hosts_name *name = &h->names[i];
        size_t scheme_count = strlen(name->scheme), count = strlen(name->name);

        if (strncmp(origin, name->scheme, scheme_count) != 0 || strncmp(origin + scheme_count, "://", 3) != 0)
            continue;
        if (strncmp(origin + scheme_count + 3, name->name, count) == 0 &&
            name_allows(h, name, origin + scheme_count + 3 + count))
            return true;
    }
    return false;
}
