/* Running another program to its end, its output in a file: what compiling needs.
 * Not daemons, not pipes. Read next: compile.c.
 * SPDX-License-Identifier: MIT */
#ifndef COMPILE_PROCESS_H
#define COMPILE_PROCESS_H

#include <meshwork/base.h>

enum { PROCESS_WORDS_MAX = 128 };

/* A command line, word by word; no shell sees it. */
struct process_command {
    char *words[PROCESS_WORDS_MAX + 1]; /* owned; NULL behind the last */
    size_t word_count;
    int error; /* sticky: -E2BIG or -ENOMEM of the first add that failed */
};

void process_command_clear(struct process_command *c); /* ready to be filled anew */
void process_command_add(struct process_command *c, const char *word);
/* Add the words of a text, parted by white space; NULL adds nothing. */
void process_command_add_words(struct process_command *c, const char *text);

/* Find a program as a shell would: in $PATH, or where its name holds a '/', there.
 * ret_path  returned owned: mw_free
 * returns   0, -ENOENT, -ENOMEM */
int process_find(const char *name, char **ret_path);

/* Run a command, wait for its end. Its input is empty, its output and error output go to a file, made anew.
 * program     path of the program
 * ret_status  its exit status; 128 and the number where a signal ended it
 * returns     0, or why it could not be run */
int process_run(const char *program, const struct process_command *c, const char *output_path, int *ret_status);

#endif
