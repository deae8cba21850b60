/* Sessions over a planned restart: what is kept of them, as a text file of the user's own.
 * Read next: sessions_file.c.
 * SPDX-License-Identifier: MIT */
#ifndef USERS_SESSIONS_FILE_H
#define USERS_SESSIONS_FILE_H

#include "users/sessions.h"

/* Write them all: hashes of secrets, which open nothing. now_s: of the clock on the wall, which goes on between two boots
 * returns 0; what the kernel said, and then there is no file */
int sessions_save(const struct sessions *s, const char *path, int64_t now_ns, int64_t now_s, struct mw_error *ret_error);
/* Take those that a file holds, with the time that has passed since, and remove it first: after a crash none comes back that was ended meanwhile.
 * returns how many; 0 also where there is no file; -EPERM it is not this user's alone; -EINVAL, -ENOMEM: those before the line that is wrong are taken */
int64_t sessions_load(struct sessions *s, const char *path, int64_t now_ns, int64_t now_s, struct mw_error *ret_error);

#endif
