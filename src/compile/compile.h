/* An app.c made into a shared object that can be loaded: with the system's compiler, into the cache, once.
 * Not the loading; that is app/load.h. Read next: cache.h.
 * SPDX-License-Identifier: MIT */
#ifndef COMPILE_COMPILE_H
#define COMPILE_COMPILE_H

#include <meshwork/base.h>

struct compile_options {
    const char *source; /* path of the app.c, as people know it: messages say it so */
    /* What the compiler printed, line by line. May be NULL */
    void (*say)(void *context, const char *line);
    void *context;
};

/* Compile a back end, unless a build of the same content, flags, compiler and ABI is in the cache.
 *
 * The compiler is $CC, else cc, gcc or clang; $CFLAGS and $LDLIBS are added. What the file includes counts as content.
 *
 * ret_object  path of the shared object, returned owned: mw_free
 * returns     0; -ENOEXEC the compiler or the linker found errors (it has said which); -ENOENT no compiler, no headers;
 *             what was in the way otherwise; ret_error is one line that says how to go on
 */
int compile_app(const struct compile_options *options, char **ret_object, struct mw_error *ret_error);

#endif
