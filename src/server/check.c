/* The settings looked at without starting: checked, and shown with where they come from.
 * Not the table itself; that is ../settings/settings.c. Read next: server.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "server/binding.h"
#include "server/server_priv.h"

static int check_certificate(mw_server *server, const struct hosts *hosts, struct mw_error *ret_error)
{
    struct certificate certificate = {0};
    int err = certificate_open(&certificate, &server->settings, hosts, ret_error);

    if (err == 0)
        certificate_tell_time(&certificate, &server->log);
    certificate_close(&certificate);
    return err;
}

int mw_server_check(mw_server *server, struct mw_error *ret_error)
{
    struct binding binding;
    struct hosts hosts;
    struct token token = {0};
    size_t i;
    int err = server_refuse_started(server, "check", ret_error);

    if (err < 0)
        return err;
    err = settings_agree(&server->settings, ret_error);
    if (err < 0)
        return err;
    settings_settle(&server->settings);
    hosts_init(&hosts);
    err = binding_make(&server->settings, &binding, &hosts, ret_error);
    if (err == 0)
        err = check_certificate(server, &hosts, ret_error);
    if (err == 0)
        err = server_read_token(server, &token, ret_error);
    if (err == 0 && server->settings.values[SETTING_AUDIT].text_count > 0)
        err = audit_check(server->settings.values[SETTING_AUDIT].texts[0], ret_error);
    if (err == 0)
        err = gate_check(server, ret_error);
    for (i = 0; err == 0 && i < server->app_count; i++) {
        err = mounted_load(server->apps[i], ret_error);
        if (err == 0)
            err = mounted_check(server->apps[i], ret_error);
    }
    hosts_clear(&hosts);
    return err;
}

struct showing {
    mw_server *server;
    void (*each)(void *context, const mw_setting_state *state);
    void *context;
};

/* Where users are is worth knowing, above all where nobody has said it. */
static void show(void *context, const mw_setting_state *state)
{
    const struct showing *s = context;
    mw_setting_state told = *state;
    char dir[PATH_MAX];

    if (!state->value && strcmp(state->section, "server") == 0 && strcmp(state->name, "state") == 0 &&
        mw_server_state_dir(s->server, dir, sizeof dir, NULL) == 0)
        told.value = dir;
    s->each(s->context, &told);
}

void mw_server_each_setting(mw_server *server, void (*each)(void *context, const mw_setting_state *state), void *context)
{
    size_t i;

    settings_settle(&server->settings);
    settings_each(&server->settings, show, &(struct showing){server, each, context});
    for (i = 0; i < server->app_count; i++)
        mounted_each_setting(server->apps[i], each, context);
}
