/* Runs another program to its end.
 * SPDX-License-Identifier: MIT */
#include "compile/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

void process_command_clear(struct process_command *c)
{
    size_t i;

    for (i = 0; i < c->word_count; i++)
        mw_free(c->words[i]);
    *c = (struct process_command){0};
}

void process_command_add(struct process_command *c, const char *word)
{
    if (c->error)
        return;
    if (c->word_count == PROCESS_WORDS_MAX) {
        c->error = -E2BIG;
        return;
    }
    c->words[c->word_count] = mw_copy_text(word);
    if (!c->words[c->word_count])
        c->error = -ENOMEM;
    else
        c->word_count++;
}

void process_command_add_words(struct process_command *c, const char *text)
{
    char *copy, *rest, *word;

    if (!text || c->error)
        return;
    copy = rest = mw_copy_text(text);
    if (!copy)
        c->error = -ENOMEM;
    while (rest && (word = strsep(&rest, " \t\n")) != NULL)
        if (*word != '\0')
            process_command_add(c, word);
    mw_free(copy);
}

static bool is_program(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

int process_find(const char *name, char **ret_path)
{
    const char *at = getenv("PATH"), *end;
    char path[PATH_MAX];

    if (strchr(name, '/')) {
        if (!is_program(name))
            return -ENOENT;
        *ret_path = mw_copy_text(name);
        return *ret_path ? 0 : -ENOMEM;
    }
    for (at = at ? at : "/usr/local/bin:/usr/bin:/bin"; *at != '\0'; at = *end == ':' ? end + 1 : end) {
        end = strchrnul(at, ':');
        if (*at != '/' || (size_t)snprintf(path, sizeof path, "%.*s/%s", (int)(end - at), at, name) >= sizeof path)
            continue; /* nothing is run from wherever we happen to be */
        if (is_program(path)) {
            *ret_path = mw_copy_text(path);
            return *ret_path ? 0 : -ENOMEM;
        }
    }
    return -ENOENT;
}

/* The child starts with no signal blocked or ignored, whatever its parent does with them. */
static int set_signals(posix_spawnattr_t *attributes)
{
    sigset_t none, usual;
    int err;

    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGINT);
    sigaddset(&usual, SIGTERM);
    sigaddset(&usual, SIGCHLD);
    err = posix_spawnattr_setsigmask(attributes, &none);
    if (err == 0)
        err = posix_spawnattr_setsigdefault(attributes, &usual);
    if (err == 0)
        err = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return err;
}

static int set_files(posix_spawn_file_actions_t *actions, const char *output_path)
{
    int err = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

    if (err == 0)
        err = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, output_path, O_WRONLY | O_CREAT | O_TRUNC,
                                               0600);
    if (err == 0)
        err = posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO);
    return err;
}

int process_run(const char *program, const struct process_command *c, const char *output_path, int *ret_status)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t child = -1;
    int err, status = 0;

    if (c->error)
        return c->error;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail where there is nothing in it */
        return -ENOMEM;
    }
    err = set_signals(&attributes);
    if (err == 0)
        err = set_files(&actions, output_path);
    if (err == 0)
        err = posix_spawn(&child, program, &actions, &attributes, c->words, environ);
    (void)posix_spawnattr_destroy(&attributes); /* as above */
    (void)posix_spawn_file_actions_destroy(&actions);
    if (err != 0)
        return -err;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -errno; /* the host ignores SIGCHLD, or waits for all its children: nothing is known */
    *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return 0;
}
