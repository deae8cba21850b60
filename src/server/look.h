/* Whether a file has changed: what it looks like as one number.
 * Not what is in it. Read next: look.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_LOOK_H
#define SERVER_LOOK_H

#include <stdint.h>

/* A number that differs once the file is written or replaced. 0: it cannot be looked at, as while it is being replaced */
uint64_t look_at_file(const char *path);

#endif
