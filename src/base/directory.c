/* Private directories.
 * SPDX-License-Identifier: MIT */
#include "base/directory.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *mw_home(char scratch[MW_HOME_BYTES])
{
    const char *set = getenv("HOME");
    struct passwd user, *found = NULL;

    if (set && *set == '/')
        return set;
    return getpwuid_r(geteuid(), &user, scratch, MW_HOME_BYTES, &found) == 0 && found ? user.pw_dir : NULL;
}

/* All private (XDG base directories say 0700). */
static int make_all(char *path)
{
    char *slash;

    for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST && access(path, X_OK) < 0) {
            int err = -errno;

            *slash = '/';
            return err;
        }
        *slash = '/';
    }
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int mw_directory_make(const char *path, const struct mw_directory_use *use, struct mw_error *ret_error)
{
    char copy[PATH_MAX];
    int err;

    if (strlen(path) >= sizeof copy)
        return mw_fail(ret_error, -ENAMETOOLONG, "the %s '%s': the name is too long", use->noun, path);
    memcpy(copy, path, strlen(path) + 1);
    err = make_all(copy);
    if (err < 0)
        return mw_fail(ret_error, err, "make the %s '%s': %s; %s", use->noun, path, strerror(-err), use->way_out);
    return mw_directory_check(path, use, ret_error);
}

static int not_ours(const char *path, uid_t owner, const struct mw_directory_use *use, struct mw_error *ret_error)
{
    char scratch[MW_HOME_BYTES];
    struct passwd user, *found = NULL;

    if (getpwuid_r(owner, &user, scratch, sizeof scratch, &found) == 0 && found)
        return mw_fail(ret_error, -EPERM, "the %s '%s' belongs to another user; do this as that one (sudo -u %s), or %s", use->noun, path,
                       user.pw_name, use->way_out);
    return mw_fail(ret_error, -EPERM, "the %s '%s' belongs to another user; %s", use->noun, path, use->way_out);
}

int mw_directory_check(const char *path, const struct mw_directory_use *use, struct mw_error *ret_error)
{
    struct stat status;

    if (lstat(path, &status) < 0)
        return mw_fail(ret_error, -errno, "look at the %s '%s': %s", use->noun, path, strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return mw_fail(ret_error, -ENOTDIR, "the %s '%s' is no directory; move it away", use->noun, path);
    if (status.st_uid != geteuid())
        return not_ours(path, status.st_uid, use, ret_error);
    if ((status.st_mode & 077) != 0)
        return mw_fail(ret_error, -EPERM, "the %s '%s' is open to others, and %s: chmod 700 it", use->noun, path, use->danger);
    return 0;
}
