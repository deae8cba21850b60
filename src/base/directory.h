/* Directories of this user's alone: where they lie, that they are there, that nobody else gets in.
 * Not what is kept in them. Read next: directory.c.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_DIRECTORY_H
#define BASE_DIRECTORY_H

#include <meshwork/base.h>

#define MW_HOME_BYTES 5120

/* The user's home: $HOME where that is a path, else what the system says; kept in scratch or the environment. NULL: none */
MW_EXPORT const char *mw_home(char scratch[MW_HOME_BYTES]);

/* What a directory is for, in messages. */
struct mw_directory_use {
    const char *noun;   /* "cache" */
    const char *danger; /* "what lies in it is run as code" */
    const char *way_out; /* "set XDG_CACHE_HOME to a directory of yours" */
};
/* Make a directory and those above it that are missing, all 0700, then check it.
 * returns  0; as mw_directory_check; what the kernel said */
MW_EXPORT int mw_directory_make(const char *path, const struct mw_directory_use *use, struct mw_error *ret_error);
/* Say whether a directory is this user's alone.
 * returns  0; -ENOENT; -ENOTDIR; -EPERM another's, or open to others */
MW_EXPORT int mw_directory_check(const char *path, const struct mw_directory_use *use, struct mw_error *ret_error);

#endif
