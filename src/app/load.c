/* Loads a built back end: dlopen, the one symbol, its ABI.
 * Not the checks of what it declares; those are in descriptor.c. Read next: app.c.
 * SPDX-License-Identifier: MIT */
#include "app/load.h"

#include <dlfcn.h>
#include <errno.h>

int app_load(const char *path, const mw_app **ret, struct mw_error *ret_error)
{
    /* Never closed, also when something is wrong with it: its constructors have run. */
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const mw_app *app;

    if (!object) {
        const char *why = dlerror();

        return mw_fail(ret_error, -ENOEXEC, "cannot load the back end '%s': %s", path, why ? why : "no reason given");
    }
    app = dlsym(object, MW_APP_SYMBOL);
    if (!app)
        return mw_fail(ret_error, -ENOEXEC,
                       "the back end '%s' exports no descriptor: add MW_EXPORT const mw_app %s = {...}", path,
                       MW_APP_SYMBOL);
    if (app->abi == 0)
        return mw_fail(ret_error, -ENOEXEC,
                       "the back end '%s' does not say its ABI: begin %s with .abi = MW_ABI, .size = sizeof(mw_app)", path,
                       MW_APP_SYMBOL);
    if (app->abi != MW_ABI)
        return mw_fail(ret_error, -ENOEXEC,
                       "the back end '%s' is built for ABI %u of Meshwork, this is ABI %u: build it again", path,
                       (unsigned)app->abi, MW_ABI);
    *ret = app;
    return 0;
}
