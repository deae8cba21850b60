/* Where this library lies on the disk, and from there its headers: what compiling an app.c needs.
 * Not the compiling; that is in compile.c.
 * SPDX-License-Identifier: MIT */
#ifndef COMPILE_PLACE_H
#define COMPILE_PLACE_H

#include <meshwork/base.h>

struct place {
    char *include_dir; /* holds meshwork/app.h */
    char *library;     /* libmeshwork's file; NULL: it is linked statically into the program */
    char *core;        /* libmeshwork-core's file; NULL likewise */
};

/* Look around the running library: a build tree (include/ beside it) and an installed prefix are both known.
 * returns  0: place_clear it; -ENOENT no headers, with the places looked at; -ENOMEM */
int place_find(struct place *ret, struct mw_error *ret_error);
void place_clear(struct place *place);

#endif
