/* Proxies: whom to believe, and what.
 * SPDX-License-Identifier: MIT */
#include "server/proxies.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

int proxies_open(struct proxies *p, const struct settings *settings)
{
    static const char *const loopback[] = {"127.0.0.0/8", "::1"};
    const struct setting_value *given = &settings->values[SETTING_TRUSTED_PROXY];
    size_t i, j;

    if (given->text_count == 0)
        return 0;
    p->networks = mw_alloc_zeroed(given->text_count * MW_COUNT(loopback), sizeof *p->networks);
    if (!p->networks)
        return -ENOMEM;
    for (i = 0; i < given->text_count; i++) {
        const bool is_word = strcmp(given->texts[i], "loopback") == 0;

        for (j = 0; j < (is_word ? MW_COUNT(loopback) : 1); j++)
            p->count += network_parse(is_word ? loopback[j] : given->texts[i], &p->networks[p->count]);
    }
    return 0;
}

void proxies_close(struct proxies *p)
{
    mw_free(p->networks);
    *p = (struct proxies){.networks = NULL};
}

bool proxies_trust(const struct proxies *p, const uint8_t address[16])
{
    size_t i;

    for (i = 0; i < p->count; i++)
        if (network_has(&p->networks[i], address))
            return true;
    return false;
}

bool proxies_sent(const struct proxies *p, const struct edge_request *request)
{
    uint8_t address[16];

    return p->count > 0 && address_parse(request->peer, address) && proxies_trust(p, address);
}

/* One that may have a port behind it, and brackets around it. */
static bool element_parse(const char *text, size_t count, uint8_t ret[16])
{
    char address[PROXY_ADDRESS_BYTES];
    const char *end = text + count, *colon;

    while (text < end && (*text == ' ' || *text == '\t'))
        text++;
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (text < end && *text == '[') {
        const char *close = memchr(text, ']', (size_t)(end - text));

        text++;
        end = close ? close : text;
    } else {
        colon = memchr(text, ':', (size_t)(end - text));
        if (colon && memchr(text, '.', (size_t)(colon - text))) /* 1.2.3.4:80 */
            end = colon;
    }
    if ((size_t)(end - text) >= sizeof address)
        return false;
    memcpy(address, text, (size_t)(end - text));
    address[end - text] = '\0';
    return address_parse(address, ret);
}

static void print_address(const uint8_t address[16], char ret[PROXY_ADDRESS_BYTES])
{
    static const struct network v4 = {.bytes = {[10] = 0xff, [11] = 0xff}, .bits = 96};
    const bool is_v4 = network_has(&v4, address);

    (void)inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? address + 12 : address, ret, PROXY_ADDRESS_BYTES);
}

/* Go back through the elements of a line. returns whether to go on with the line before */
static bool go_back(const struct proxies *p, const char *line, uint8_t io_address[16])
{
    const char *end = line + strlen(line);

    for (;;) {
        const char *comma = memrchr(line, ',', (size_t)(end - line)), *at = comma ? comma + 1 : line;

        if (!element_parse(at, (size_t)(end - at), io_address)) /* "unknown": who said it is the last that we know */
            return false;
        if (!proxies_trust(p, io_address))
            return false;
        if (!comma)
            return true;
        end = comma;
    }
}

void proxies_address(const struct proxies *p, const struct edge_request *request, char ret[PROXY_ADDRESS_BYTES])
{
    const char *line = NULL;
    uint8_t address[16];

    if (!proxies_sent(p, request)) {
        size_t count = strnlen(request->peer, PROXY_ADDRESS_BYTES - 1);

        memcpy(ret, request->peer, count);
        ret[count] = '\0';
        return;
    }
    (void)address_parse(request->peer, address);
    do
        line = edge_request_field_before(request, "X-Forwarded-For", line);
    while (line && go_back(p, line, address));
    print_address(address, ret);
}

const char *proxies_last_word(const struct edge_request *request, const char *name)
{
    const char *line = edge_request_field_before(request, name, NULL), *last = line ? strrchr(line, ',') : NULL;

    last = last ? last + 1 : line;
    return last ? last + strspn(last, " \t") : NULL;
}
