/* The file of users: read, looked at, changed as a whole so that it is either the one before or the one after.
 * Not its text; that is table.c. Not passwords; those are in password.c. Read next: table.h.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/memory.h"
#include "users/table.h"

static const struct mw_directory_use state_use = {"state directory", "who may log in is written there", "name another by --state"};

/* What the file looked like when it was read; all zero: there was none. */
struct seen {
    ino_t inode;
    off_t size;
    struct timespec modified;
};

struct mw_users {
    char *dir, *path;
    struct seen seen;
    struct table table;
};

/* ---- reading -------------------------------------------------------------------------------------------- */

/* Read what an open file has. */
static int read_all(int fd, const char *path, struct table *ret, struct mw_error *ret_error)
{
    struct mw_buffer text;
    ssize_t n = 1;
    int err = 0;

    mw_buffer_init(&text, TABLE_FILE_BYTES);
    while (err == 0 && n > 0) {
        err = mw_buffer_reserve(&text, 4096);
        n = err == 0 ? read(fd, text.data + text.count, text.capacity - text.count) : 0;
        if (n > 0)
            text.count += (size_t)n;
        else if (n < 0)
            err = -errno;
    }
    if (err < 0)
        (void)mw_fail(ret_error, err, "read '%s': %s", path, err == -EMSGSIZE ? "more than 16 MiB" : strerror(-err));
    else
        err = table_parse((const char *)text.data, text.count, path, ret, ret_error);
    OPENSSL_cleanse(text.data, text.count);
    mw_buffer_clear(&text);
    return err;
}

/* 0 with an empty table where there is no file. */
static int read_file(const mw_users *users, struct table *ret, struct seen *ret_seen, struct mw_error *ret_error)
{
    int fd = open(users->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err;
    struct stat status;

    *ret = (struct table){0};
    *ret_seen = (struct seen){0};
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return mw_fail(ret_error, -errno, "read '%s': %s", users->path, strerror(errno));
    if (fstat(fd, &status) < 0)
        err = mw_fail(ret_error, -errno, "look at '%s': %s", users->path, strerror(errno));
    else if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077) != 0)
        err = mw_fail(ret_error, -EPERM, "'%s' has to be a file of this user's that nobody else can read: chmod 600 it",
                      users->path);
    else
        err = read_all(fd, users->path, ret, ret_error);
    if (err == 0)
        *ret_seen = (struct seen){status.st_ino, status.st_size, status.st_mtim};
    (void)close(fd); /* nothing was written */
    return err;
}

/* A directory that is missing has nobody in it. */
static int check_dir(const mw_users *users, struct mw_error *ret_error)
{
    if (access(users->dir, F_OK) < 0 && errno == ENOENT)
        return 0;
    return mw_directory_check(users->dir, &state_use, ret_error);
}

static int read_anew(mw_users *users, struct mw_error *ret_error)
{
    struct table fresh = {0};
    struct seen seen;
    int err = check_dir(users, ret_error);

    if (err == 0)
        err = read_file(users, &fresh, &seen, ret_error);
    if (err < 0)
        return err;
    table_clear(&users->table);
    users->table = fresh;
    users->seen = seen;
    return 0;
}

int mw_users_open(const char *state_dir, mw_users **ret, struct mw_error *ret_error)
{
    mw_users *users = mw_alloc_zeroed(1, sizeof(*users));
    char path[PATH_MAX];
    int err = 0;

    if ((size_t)snprintf(path, sizeof path, "%s/users", state_dir) >= sizeof path - 8)
        err = mw_fail(ret_error, -ENAMETOOLONG, "the state directory '%s': the name is too long", state_dir);
    if (users) {
        users->dir = mw_copy_text(state_dir);
        users->path = mw_copy_text(path);
    }
    if (!users || !users->dir || !users->path)
        err = mw_fail(ret_error, -ENOMEM, "open '%s': out of memory", path);
    else if (err == 0)
        err = read_anew(users, ret_error);
    if (err < 0) {
        mw_users_free(users);
        return err;
    }
    *ret = users;
    return 0;
}

void mw_users_free(mw_users *users)
{
    if (!users)
        return;
    table_clear(&users->table);
    mw_free(users->dir);
    mw_free(users->path);
    mw_free(users);
}

int mw_users_look(mw_users *users, struct mw_error *ret_error)
{
    struct stat status;
    struct seen seen = {0};
    int err;

    if (stat(users->path, &status) == 0)
        seen = (struct seen){status.st_ino, status.st_size, status.st_mtim};
    if (seen.inode == users->seen.inode && seen.size == users->seen.size &&
        seen.modified.tv_sec == users->seen.modified.tv_sec && seen.modified.tv_nsec == users->seen.modified.tv_nsec)
        return 0;
    err = read_anew(users, ret_error);
    if (err < 0)
        users->seen = seen; /* once is enough, until it changes again */
    return err < 0 ? err : 1;
}

const mw_user *mw_users_find(const mw_users *users, const char *name)
{
    return table_find(&users->table, name);
}

size_t mw_users_count(const mw_users *users)
{
    return users->table.user_count;
}

const mw_user *mw_users_at(const mw_users *users, size_t index)
{
    return index < users->table.user_count ? &users->table.users[index] : NULL;
}

/* ---- changing --------------------------------------------------------------------------------------------- */

/* Another process waits meanwhile. returns a descriptor, or a negative errno name */
static int lock(const mw_users *users, struct mw_error *ret_error)
{
    char path[PATH_MAX + 8];
    int fd;

    (void)snprintf(path, sizeof path, "%s.lock", users->path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return mw_fail(ret_error, -errno, "lock '%s': %s", path, strerror(errno));
    while (flock(fd, LOCK_EX) < 0) {
        int err = -errno;

        if (err == -EINTR)
            continue;
        (void)close(fd); /* nothing was written */
        return mw_fail(ret_error, err, "lock '%s': %s", path, strerror(-err));
    }
    return fd;
}

static int write_all(int fd, const uint8_t *bytes, size_t byte_count)
{
    while (byte_count > 0) {
        ssize_t n = write(fd, bytes, byte_count);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            bytes += n;
            byte_count -= (size_t)n;
        }
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* The name in the directory has to last too. */
static int sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

    if (fd < 0)
        return -errno;
    err = fsync(fd) < 0 ? -errno : 0;
    (void)close(fd); /* nothing was written through it */
    return err;
}

static int write_file(const mw_users *users, const struct table *t, struct mw_error *ret_error)
{
    char path[PATH_MAX + 8];
    struct mw_buffer text;
    bool is_renamed;
    int fd = -1, err;

    (void)snprintf(path, sizeof path, "%s.new", users->path);
    mw_buffer_init(&text, TABLE_FILE_BYTES);
    table_print(t, &text);
    err = text.error;
    if (err == 0) {
        (void)unlink(path); /* of one who was killed while it held the lock */
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        err = fd < 0 ? -errno : write_all(fd, text.data, text.count);
    }
    if (fd >= 0 && close(fd) < 0 && err == 0)
        err = -errno;
    if (err == 0 && rename(path, users->path) < 0)
        err = -errno;
    is_renamed = err == 0;
    if (is_renamed)
        err = sync_dir(users->dir);
    else if (fd >= 0)
        (void)unlink(path); /* of no use to anybody */
    OPENSSL_cleanse(text.data, text.count);
    mw_buffer_clear(&text);
    if (err < 0)
        return mw_fail(ret_error, err, "write '%s': %s; %s", users->path, strerror(-err),
                       is_renamed ? "it is changed, but may be as it was after a crash" : "it is as it was");
    return 0;
}

/* What is to be done to the table that the file has now. */
struct change {
    int (*apply)(struct table *t, const struct change *c, struct mw_error *ret_error);
    const char *name;
    const char *const *roles;
    size_t role_count;
    const char *hash;
    const struct table_token *token;
};

static int64_t now_s(void)
{
    return (int64_t)time(NULL);
}

static void drop_ended_tokens(struct table *t)
{
    size_t i;

    for (i = t->token_count; i-- > 0;)
        if (t->tokens[i].ends_s <= now_s())
            table_remove_token(t, i);
}

static int change(mw_users *users, const struct change *c, struct mw_error *ret_error)
{
    struct table fresh = {0};
    struct seen seen;
    int fd, err = mw_directory_make(users->dir, &state_use, ret_error);

    if (err < 0)
        return err;
    fd = lock(users, ret_error);
    if (fd < 0)
        return fd;
    err = read_file(users, &fresh, &seen, ret_error);
    if (err == 0)
        err = c->apply(&fresh, c, ret_error);
    if (err == -ENOMEM)
        (void)mw_fail(ret_error, err, "change '%s': out of memory", users->path);
    if (err == 0) {
        drop_ended_tokens(&fresh);
        err = write_file(users, &fresh, ret_error);
    }
    table_clear(&fresh);
    if (err == 0)
        err = read_anew(users, ret_error);
    (void)close(fd); /* unlocks */
    return err;
}

static int find(struct table *t, const char *name, mw_user **ret, struct mw_error *ret_error)
{
    *ret = table_find(t, name);
    return *ret ? 0 : mw_fail(ret_error, -ENOENT, "there is no user '%s'", name);
}

static int check_roles(const char *const *roles, size_t role_count, struct mw_error *ret_error)
{
    size_t i;
    int err = role_count > MW_USER_ROLES_MOST ? mw_fail(ret_error, -EINVAL, "more than %d roles", MW_USER_ROLES_MOST) : 0;

    for (i = 0; err == 0 && i < role_count; i++)
        err = mw_user_name_check(roles[i], "role", ret_error);
    return err;
}

/* A number that no earlier password had: microseconds, as revisions are. */
static int64_t since_now(int64_t before)
{
    struct timespec now = {0};
    int64_t us;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* it cannot fail */
    us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    return us > before ? us : before + 1;
}

static int apply_add(struct table *t, const struct change *c, struct mw_error *ret_error)
{
    const mw_user user = {.name = c->name, .roles = c->roles, .role_count = c->role_count, .password_hash = c->hash,
                          .since = since_now(0)};
    int err = table_add_user(t, &user);

    return err == -EEXIST ? mw_fail(ret_error, err, "there is a user '%s' already", c->name) : err;
}

static int apply_remove(struct table *t, const struct change *c, struct mw_error *ret_error)
{
    mw_user *user;
    int err = find(t, c->name, &user, ret_error);

    if (err == 0)
        table_remove_user(t, (size_t)(user - t->users));
    return err;
}

static int apply_roles(struct table *t, const struct change *c, struct mw_error *ret_error)
{
    mw_user *user;
    int err = find(t, c->name, &user, ret_error);

    return err < 0 ? err : table_set_roles(user, c->roles, c->role_count);
}

static int apply_password(struct table *t, const struct change *c, struct mw_error *ret_error)
{
    mw_user *user;
    int err = find(t, c->name, &user, ret_error);

    return err < 0 ? err : table_set_password(user, c->hash, since_now(user->since));
}

static int apply_token(struct table *t, const struct change *c, struct mw_error *ret_error)
{
    mw_user *user;
    int err = find(t, c->name, &user, ret_error);

    return err < 0 ? err : table_add_token(t, c->token);
}

static int apply_revoke(struct table *t, const struct change *c, struct mw_error *ret_error)
{
    size_t i;

    for (i = 0; i < t->token_count; i++)
        if (strcmp(t->tokens[i].id, c->name) == 0) {
            table_remove_token(t, i);
            return 0;
        }
    return mw_fail(ret_error, -ENOENT, "there is no token '%s'", c->name);
}

int mw_users_add(mw_users *users, const char *name, const char *const *roles, size_t role_count, const char *password,
                 struct mw_error *ret_error)
{
    char hash[MW_PASSWORD_HASH_BYTES];
    const struct change c = {.apply = apply_add, .name = name, .roles = roles, .role_count = role_count,
                             .hash = password ? hash : NULL};
    int err = mw_user_name_check(name, "user", ret_error);

    if (err == 0)
        err = check_roles(roles, role_count, ret_error);
    if (err == 0 && password)
        err = mw_password_hash(password, hash, ret_error);
    return err < 0 ? err : change(users, &c, ret_error);
}

int mw_users_remove(mw_users *users, const char *name, struct mw_error *ret_error)
{
    const struct change c = {.apply = apply_remove, .name = name};

    return change(users, &c, ret_error);
}

int mw_users_set_roles(mw_users *users, const char *name, const char *const *roles, size_t role_count,
                       struct mw_error *ret_error)
{
    const struct change c = {.apply = apply_roles, .name = name, .roles = roles, .role_count = role_count};
    int err = check_roles(roles, role_count, ret_error);

    return err < 0 ? err : change(users, &c, ret_error);
}

int mw_users_set_password(mw_users *users, const char *name, const char *password, struct mw_error *ret_error)
{
    char hash[MW_PASSWORD_HASH_BYTES];
    const struct change c = {.apply = apply_password, .name = name, .hash = password ? hash : NULL};
    int err = password ? mw_password_hash(password, hash, ret_error) : 0;

    return err < 0 ? err : change(users, &c, ret_error);
}

/* ---- tokens ------------------------------------------------------------------------------------------------ */

static int random_hex(char *ret_text, size_t digit_count)
{
    uint8_t bytes[32];
    size_t i;

    if (getrandom(bytes, digit_count / 2, 0) != (ssize_t)(digit_count / 2))
        return -EIO;
    for (i = 0; i < digit_count / 2; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return 0;
}

static void hash_token(const char *token, uint8_t ret_hash[TABLE_HASH_BYTES])
{
    (void)SHA256((const unsigned char *)token, strlen(token), ret_hash); /* never fails for bytes in memory */
}

int mw_users_issue_token(mw_users *users, const char *name, int64_t life_s, char ret_token[MW_TOKEN_BYTES],
                         struct mw_error *ret_error)
{
    struct table_token token = {.user = (char *)(uintptr_t)name}; /* copied */
    const struct change c = {.apply = apply_token, .name = name, .token = &token};

    if (life_s < 1 || life_s > MW_TOKEN_MOST_S)
        return mw_fail(ret_error, -ERANGE, "a token lives for 1 second to 365 days");
    if (random_hex(ret_token, MW_TOKEN_BYTES - 1) < 0 || random_hex(token.id, MW_TOKEN_ID_BYTES - 1) < 0)
        return mw_fail(ret_error, -EIO, "make a token: the kernel gives no random bytes");
    token.ends_s = now_s() + life_s;
    hash_token(ret_token, token.hash);
    return change(users, &c, ret_error);
}

int mw_users_revoke_token(mw_users *users, const char *id, struct mw_error *ret_error)
{
    const struct change c = {.apply = apply_revoke, .name = id};

    return change(users, &c, ret_error);
}

size_t mw_users_token_count(const mw_users *users)
{
    return users->table.token_count;
}

mw_token mw_users_token_at(const mw_users *users, size_t index)
{
    const struct table_token *token;

    if (index >= users->table.token_count)
        return (mw_token){0};
    token = &users->table.tokens[index];
    return (mw_token){.id = token->id, .user = token->user, .ends_s = token->ends_s};
}

bool mw_users_has_token(const mw_users *users, const char *id, int64_t now)
{
    size_t i;

    for (i = 0; i < users->table.token_count; i++)
        if (strcmp(users->table.tokens[i].id, id) == 0)
            return users->table.tokens[i].ends_s > now;
    return false;
}

const mw_user *mw_users_by_token(const mw_users *users, const char *token, int64_t now, mw_token *ret_token)
{
    uint8_t hash[TABLE_HASH_BYTES];
    const struct table_token *found;

    hash_token(token, hash);
    found = table_find_token(&users->table, hash);
    if (!found || CRYPTO_memcmp(found->hash, hash, sizeof hash) != 0 || found->ends_s <= now)
        return NULL;
    if (ret_token)
        *ret_token = (mw_token){.id = found->id, .user = found->user, .ends_s = found->ends_s};
    return table_find(&users->table, found->user);
}
