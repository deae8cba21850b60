/* Finds the library's own file and the headers that belong to it.
 * Not the compiling; that is in compile.c.
 * SPDX-License-Identifier: MIT */
#include "compile/place.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

/* The file that an address of this process was loaded from, links resolved; "" where it cannot be told. */
static void file_of(const void *address, char ret[PATH_MAX])
{
    Dl_info info;

    ret[0] = '\0';
    if (dladdr(address, &info) == 0 || !info.dli_fname)
        return;
    /* The program itself is known by what it was called as, which says nothing without its $PATH. */
    if (!strchr(info.dli_fname, '/') || !realpath(info.dli_fname, ret))
        if (!realpath("/proc/self/exe", ret))
            ret[0] = '\0';
}

static bool is_program(const char *path)
{
    char program[PATH_MAX];

    return !realpath("/proc/self/exe", program) || strcmp(program, path) == 0;
}

static int find_include_dir(const char *library, struct place *ret, struct mw_error *ret_error)
{
    /* A build tree; a build directory inside the source; PREFIX/lib; PREFIX/lib/x86_64-linux-gnu. */
    static const char *const around[] = {"include", "../include", "../../include"};
    char dir[PATH_MAX], candidate[PATH_MAX + 32];
    size_t i;

    (void)snprintf(dir, sizeof dir, "%s", library);
    (void)dirname(dir); /* GNU's and POSIX's both end dir at the last slash of an absolute path */
    for (i = 0; i < MW_COUNT(around); i++) {
        (void)snprintf(candidate, sizeof candidate, "%s/%s/meshwork/app.h", dir, around[i]);
        if (access(candidate, R_OK) != 0)
            continue;
        candidate[strlen(candidate) - strlen("/meshwork/app.h")] = '\0';
        ret->include_dir = mw_copy_text(candidate);
        return ret->include_dir ? 0 : mw_fail(ret_error, -ENOMEM, "find Meshwork's headers: out of memory");
    }
    return mw_fail(ret_error, -ENOENT,
                   "find Meshwork's headers: no meshwork/app.h in include, ../include or ../../include of '%s'; "
                   "install the headers beside the library",
                   dir);
}

int place_find(struct place *ret, struct mw_error *ret_error)
{
    struct place found = {0};
    static const char here;
    void *(*core_function)(size_t) = mw_alloc;
    const void *core_address;
    char library[PATH_MAX], core[PATH_MAX];
    int err;

    static_assert(sizeof core_function == sizeof core_address, "POSIX has one size of pointer");
    memcpy(&core_address, &core_function, sizeof core_address);
    file_of(&here, library);
    file_of(core_address, core);
    err = find_include_dir(library, &found, ret_error);
    if (err < 0)
        return err;
    if (!is_program(library))
        found.library = mw_copy_text(library);
    if (!is_program(core))
        found.core = mw_copy_text(core);
    if ((!is_program(library) && !found.library) || (!is_program(core) && !found.core)) {
        place_clear(&found);
        return mw_fail(ret_error, -ENOMEM, "find Meshwork's library: out of memory");
    }
    *ret = found;
    return 0;
}

void place_clear(struct place *place)
{
    mw_free(place->include_dir);
    mw_free(place->library);
    mw_free(place->core);
    *place = (struct place){0};
}
