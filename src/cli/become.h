/* Giving up root. Read next: become.c.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_BECOME_H
#define CLI_BECOME_H

#include <meshwork/base.h>

/* Become a user for good, with that user's groups and HOME.
 * name     or number, of the user database
 * returns  0; -ENOENT there is no such user, or it is root; -EPERM this process may not: it is not root's */
int user_become(const char *name, struct mw_error *ret_error);
/* Whether root could: 0, -ENOENT. Changes nothing */
int user_check(const char *name, struct mw_error *ret_error);

#endif
