/* The words of the command line: one function each, which returns the exit code: 0 done, 1 failed, 2 wrong usage.
 * All that they do lies in the libraries. Read next: main.c.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_CLI_H
#define CLI_CLI_H

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* words: those behind "serve". */
int cli_serve(int word_count, char **words);

void cli_print_help(void);
void cli_print_serve_help(void);

#endif
