/* Fuzz target F14: settings as flags, environment and files give them; names of hosts; origins. room: settings
 * Oracles: a value that is refused changes nothing and is told in one line; what is accepted is in its range; of two
 * sources the higher holds in either order; a host's name that was accepted is known, and nothing longer is.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings/hosts.h"
#include "settings/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_ranges(const struct settings *s)
{
    size_t i;

    for (i = 0; i < SETTING_COUNT; i++) {
        const mw_setting *setting = mw_server_setting_at(i);

        if (setting->kind == MW_SETTING_NUMBER && s->values[i].source != SETTING_BY_DEFAULT)
            must(s->values[i].number >= setting->min && s->values[i].number <= setting->max);
    }
    for (i = 0; i < EDGE_LIMIT_COUNT; i++) {
        const struct edge_limit_info *info = edge_limit_info((enum edge_limit)i);

        must(s->limits.value[i] >= info->least && s->limits.value[i] <= info->most);
    }
}

/* One flag; when it is refused nothing has changed. */
static int set(struct settings *s, enum setting_source source, const char *name, const char *value)
{
    const struct setting_origin origin = {.source = source};
    struct edge_limits before = s->limits;
    int64_t port = s->values[SETTING_PORT].number;
    struct mw_error error = {0};
    int err = settings_set(s, &origin, name, value, &error);

    if (err < 0) {
        must(error.code == err && error.text[0] != '\0');
        must(memcmp(&before, &s->limits, sizeof before) == 0 && port == s->values[SETTING_PORT].number);
    }
    check_ranges(s);
    return err;
}

static void try_settings(const char *name, const char *value)
{
    struct settings up, down;
    char variable[600], *environment[] = {variable, NULL};
    int err_up, err_down;

    settings_init(&up);
    settings_init(&down);
    err_up = set(&up, SETTING_BY_ENVIRONMENT, name, value);
    err_down = set(&down, SETTING_BY_FLAG, name, value);
    must(err_up == err_down);
    (void)set(&up, SETTING_BY_FLAG, "port", "1234"); /* always good */
    (void)set(&down, SETTING_BY_FLAG, "port", "1234");
    must(up.values[SETTING_PORT].number == 1234 && down.values[SETTING_PORT].number == 1234);
    (void)set(&up, SETTING_BY_ENVIRONMENT, "port", value);
    must(up.values[SETTING_PORT].number == 1234);
    (void)snprintf(variable, sizeof variable, "MESHWORK_%.200s=%.300s", name, value);
    (void)settings_read_environment(&up, environment, NULL); /* any result, but no crash */
    settings_settle(&up);
    check_ranges(&up);
    settings_clear(&up);
    settings_clear(&down);
}

static void try_host(const char *text, const char *origin)
{
    struct hosts h;
    struct mw_error error = {0};
    char longer[1200];

    hosts_init(&h);
    hosts_add_port(&h, 8000);
    if (hosts_add(&h, text, &error) < 0) {
        must(h.name_count == 0 && error.text[0] != '\0' && !hosts_allows_origin(&h, origin));
    } else {
        const struct hosts_name *name = &h.names[0];
        int port = name->port ? name->port : 8000;

        must(hosts_knows(&h, name->name, port) && hosts_knows(&h, name->name, -1));
        must(!hosts_knows(&h, name->name, port == 1 ? 2 : port - 1) || port == 0);
        (void)snprintf(longer, sizeof longer, "%sx", name->name);
        must(!hosts_knows(&h, longer, -1));
        if (hosts_allows_origin(&h, origin))
            must(strncmp(origin, name->scheme, strlen(name->scheme)) == 0 && strstr(origin, name->name) != NULL);
        (void)snprintf(longer, sizeof longer, "%sx", origin);
        must(!hosts_allows_origin(&h, origin) || !hosts_allows_origin(&h, longer));
    }
    hosts_clear(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[1024], *value;

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    value = strchr(text, '\n');
    if (!value)
        return 0;
    *value++ = '\0';
    try_settings(text, value);
    try_host(text, value);
    return 0;
}
