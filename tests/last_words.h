/* What a process says as it dies, in a child of the test's.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_LAST_WORDS_H
#define TESTS_LAST_WORDS_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* Run die(context), which does not return, in a child, and check that it ends by SIGABRT and that want is the first line it writes to stderr.
 * Only the first: an emulator says of its own that the program was aborted. */
__attribute__((unused)) static void check_last_words(void (*die)(void *context), void *context, const char *want)
{
    char said[1000] = "";
    int ends[2], status = 0;
    ssize_t n;
    pid_t child;

    CHECK_INT(pipe(ends), 0);
    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        die(context);
        _exit(3);
    }
    close(ends[1]);
    n = read(ends[0], said, sizeof(said) - 1);
    close(ends[0]);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(n > 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    said[strcspn(said, "\n")] = '\0';
    CHECK_TEXT(said, want);
}

#endif
