/* The words behind a command: flags into settings, folders into a list.
 * Which flags there are says the library's table. Read next: serve.c.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

int cli_fail(int code, const struct mw_error *error)
{
    fprintf(stderr, "meshwork: %s\n", error->text);
    return code;
}

/* Whether what is written to stderr goes to the journal (systemd.exec(5), JOURNAL_STREAM). */
static bool goes_to_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &status) == 0 &&
           status.st_dev == device && status.st_ino == inode;
}

void cli_print_line(void *context, const mw_log_line *line)
{
    (void)context;
    if (goes_to_journal()) /* it knows who speaks, and takes the level from a prefix */
        fprintf(stderr, "<%d>%s\n", (int)line->level, line->text);
    else
        fprintf(stderr, "%s%s\n", line->is_plain && line->source == MW_LOG_SERVER ? "meshwork: " : "", line->text);
}

/* ---- the command line ----------------------------------------------------------------------------------- */

static const mw_setting *find_setting(const char *name, size_t name_bytes)
{
    const mw_setting *setting;
    size_t i;

    for (i = 0; (setting = mw_server_setting_at(i)) != NULL; i++)
        if (strlen(setting->name) == name_bytes && strncmp(setting->name, name, name_bytes) == 0)
            return setting;
    return NULL;
}

static int refuse_flag(const char *word)
{
    const char *nearest = NULL;
    char name[64];

    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    if (strncmp(name, "--", 2) == 0)
        nearest = mw_server_setting_nearest(name + 2);
    if (nearest)
        fprintf(stderr, "meshwork: %s is no flag; the nearest is --%s (`meshwork serve --help` lists them)\n", name,
                nearest);
    else
        fprintf(stderr, "meshwork: %s is no flag; `meshwork serve --help` lists them\n", name);
    return CLI_USAGE;
}

static int refuse_value(const char *word)
{
    fprintf(stderr, "meshwork: %.*s takes no value\n", (int)strcspn(word, "="), word);
    return CLI_USAGE;
}

/* One flag. next: the word behind it, NULL: none. ret_used_next: whether that was its value. */
static int read_flag(struct cli_words *w, const char *word, const char *next, bool *ret_used_next)
{
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t name_bytes = equals ? (size_t)(equals - name) : strlen(name);
    const mw_setting *setting = word[1] == '-' ? find_setting(name, name_bytes) : NULL;
    const char *value = equals ? equals + 1 : next;
    struct mw_error error = {0};

    *ret_used_next = false;
    if (!setting)
        return refuse_flag(word);
    if (setting->kind == MW_SETTING_FLAG && !equals)
        value = "yes";
    if (!value) {
        fprintf(stderr, "meshwork: --%s wants a value: --%s %s\n", setting->name, setting->name, setting->argument);
        return CLI_USAGE;
    }
    *ret_used_next = value == next;
    if (mw_server_set(w->server, setting->name, value, &error) < 0)
        return cli_fail(CLI_USAGE, &error);
    return CLI_DONE;
}

static int read_word(struct cli_words *w, const char *word, const char *next, bool *ret_used_next)
{
    *ret_used_next = false;
    if (word[0] == '-' && word[1] != '\0' && !w->has_flags_ended) {
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
            w->wants_help = true;
        else if (strcmp(word, "--quiet") == 0)
            w->is_quiet = true;
        else if (strncmp(word, "--quiet=", 8) == 0 || strncmp(word, "--help=", 7) == 0)
            return refuse_value(word);
        else if (strcmp(word, "--") == 0)
            w->has_flags_ended = true;
        else
            return read_flag(w, word, next, ret_used_next);
        return CLI_DONE;
    }
    if (w->dir_count == MW_COUNT(w->dirs)) {
        fprintf(stderr, "meshwork: more than %zu folders\n", MW_COUNT(w->dirs));
        return CLI_USAGE;
    }
    w->dirs[w->dir_count++] = word;
    return CLI_DONE;
}

int cli_read_words(struct cli_words *w, int word_count, char **words)
{
    int i, code = CLI_DONE;

    for (i = 0; i < word_count && code == CLI_DONE && !w->wants_help; i++) {
        bool used_next = false;

        code = read_word(w, words[i], i + 1 < word_count ? words[i + 1] : NULL, &used_next);
        i += used_next;
    }
    return code;
}

int cli_mount(struct cli_words *w, struct mw_error *ret_error)
{
    size_t i;
    int err = mw_server_read_environment(w->server, ret_error);

    if (w->dir_count == 0)
        w->dirs[w->dir_count++] = ".";
    for (i = 0; err == 0 && i < w->dir_count; i++)
        err = mw_server_mount_dir(w->server, w->dirs[i], ret_error);
    return err;
}
