/* Loads a built back end.
 * Not how it is compiled; that is the server's cache. Read next: load.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_LOAD_H
#define APP_LOAD_H

#include <meshwork/app.h>

/* Load a shared object and find its descriptor. It is never unloaded: its code may be on stacks and in queues.
 *
 * path     with a slash in it, or the linker searches elsewhere; a file loaded before gives what it gave before
 * ret      the descriptor, valid for the rest of the process
 * returns  0; -ENOEXEC cannot be loaded, exports no descriptor, or is built for another ABI: the reason is one line
 * context  any thread, one at a time; runs the object's constructors
 */
int app_load(const char *path, const mw_app **ret, struct mw_error *ret_error);

#endif
