/* meshwork config: the settings that a `meshwork serve` with the same words would have, checked or printed.
 * Starts nothing: no port is opened, no back end is run. Read next: serve.c.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/become.h"
#include "cli/cli.h"

static int usage(const char *word)
{
    if (word)
        fprintf(stderr, "meshwork: config has no word '%s'; there are check and print\n", word);
    else
        fputs("meshwork: config wants a word: check or print\n", stderr);
    return CLI_USAGE;
}

/* A section begins, or an app. */
static bool is_another(const mw_setting_state *state, const mw_setting_state *before)
{
    return !before->section || strcmp(state->section, before->section) != 0 || state->app != before->app;
}

static void print_state(void *context, const mw_setting_state *state)
{
    mw_setting_state *before = context;

    if (is_another(state, before)) {
        printf("%s[%s]", before->section ? "\n" : "", state->section);
        printf(state->app ? " of %s\n" : "\n", state->app);
    }
    printf("%-22s %-24s %s\n", state->name, state->value ? state->value : "-", state->origin);
    *before = *state;
}

static int check(struct cli_words *w)
{
    struct mw_error error = {0};
    size_t i;
    int err = cli_mount(w, &error);
    const char *user = mw_server_setting_text(w->server, "user");

    if (err == 0)
        err = mw_server_check(w->server, &error);
    if (err == 0 && user)
        err = user_check(user, &error);
    if (err < 0)
        return cli_fail(CLI_FAILED, &error);
    for (i = 0; !w->is_quiet && i < mw_server_app_count(w->server); i++)
        printf("meshwork: the settings of %s are in order\n", mw_server_app_name(w->server, i));
    return CLI_DONE;
}

static int print(struct cli_words *w)
{
    struct mw_error error = {0};
    mw_setting_state before = {0};

    if (cli_mount(w, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    mw_server_each_setting(w->server, print_state, &before);
    return CLI_DONE;
}

int cli_config(int word_count, char **words)
{
    struct cli_words w = {0};
    bool is_check = word_count > 0 && strcmp(words[0], "check") == 0;
    int code;

    if (word_count > 0 && (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0)) {
        cli_print_config_help();
        return CLI_DONE;
    }
    if (word_count == 0 || (!is_check && strcmp(words[0], "print") != 0))
        return usage(word_count > 0 ? words[0] : NULL);
    w.server = mw_server_new();
    if (!w.server) {
        fputs("meshwork: out of memory\n", stderr);
        return CLI_FAILED;
    }
    mw_server_on_log(w.server, cli_print_line, NULL);
    code = cli_read_words(&w, word_count - 1, words + 1);
    if (code == CLI_DONE && w.wants_help)
        cli_print_config_help();
    else if (code == CLI_DONE)
        code = is_check ? check(&w) : print(&w);
    mw_server_free(w.server);
    return code;
}
