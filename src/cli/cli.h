/* The words of the command line: one function each, which returns the exit code: 0 done, 1 failed, 2 wrong usage.
 * All that they do lies in the libraries. Read next: main.c.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <meshwork/server.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* words: those behind "serve", "config", "user" and "policy". */
int cli_serve(int word_count, char **words);
int cli_config(int word_count, char **words);
int cli_user(int word_count, char **words);
int cli_policy(int word_count, char **words);

/* What the words of serve and of config say: settings go into the server at once. */
struct cli_words {
    mw_server *server;
    bool is_quiet;
    bool has_flags_ended; /* "--" was there */
    bool wants_help;
    const char *dirs[64];
    size_t dir_count;
};
/* Prints what is wrong with them. */
int cli_read_words(struct cli_words *w, int word_count, char **words);
/* The environment, then the folders: the current one where none was named. returns as mw_server_mount_dir */
int cli_mount(struct cli_words *w, struct mw_error *ret_error);
int cli_fail(int code, const struct mw_error *error); /* prints the error; returns code */
/* For mw_server_on_log. */
void cli_print_line(void *context, const mw_log_line *line);

void cli_print_help(void);
void cli_print_serve_help(void);
void cli_print_config_help(void);
void cli_print_user_help(void);
void cli_print_policy_help(void);

#endif
