/* Giving up root: groups, group, user, in this order, and a look whether it worked.
 * SPDX-License-Identifier: MIT */
#include "cli/become.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct passwd *find(const char *name)
{
    const struct passwd *found = getpwnam(name);
    char *end;
    unsigned long number;

    if (found || name[0] < '0' || name[0] > '9')
        return found;
    number = strtoul(name, &end, 10);
    return *end == '\0' && number < UINT32_MAX ? getpwuid((uid_t)number) : NULL;
}

/* One that is not root's; NULL: ret_error says why there is none */
static const struct passwd *find_plain(const char *name, struct mw_error *ret_error)
{
    const struct passwd *user = find(name);

    if (!user)
        (void)mw_fail(ret_error, -ENOENT, "--user '%s': there is no such user", name);
    else if (user->pw_uid == 0)
        (void)mw_fail(ret_error, -EINVAL, "--user '%s' is root: name a plain user", name);
    return user && user->pw_uid != 0 ? user : NULL;
}

int user_check(const char *name, struct mw_error *ret_error)
{
    return find_plain(name, ret_error) ? 0 : -ENOENT;
}

int user_become(const char *name, struct mw_error *ret_error)
{
    const struct passwd *user = find_plain(name, ret_error);
    uid_t uid;

    if (!user)
        return -ENOENT;
    uid = user->pw_uid;
    if (geteuid() == uid && getuid() == uid)
        return 0;
    if (geteuid() != 0)
        return mw_fail(ret_error, -EPERM, "--user '%s': only root can become somebody else", name);
    if (initgroups(user->pw_name, user->pw_gid) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
        setresuid(uid, uid, uid) < 0)
        return mw_fail(ret_error, -EPERM, "--user '%s': %s", name, strerror(errno));
    if (setuid(0) == 0 || geteuid() != uid || getuid() != uid) /* never, but the rest relies on it */
        return mw_fail(ret_error, -EPERM, "--user '%s': root could not be given up", name);
    if (setenv("HOME", user->pw_dir, 1) < 0 || unsetenv("XDG_CACHE_HOME") < 0)
        return mw_fail(ret_error, -ENOMEM, "--user '%s': out of memory", name);
    return 0;
}
