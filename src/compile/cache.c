/* The cache directory, its keys, and the lists of what a build was made of.
 * Not the compiling; that is compile.c.
 * SPDX-License-Identifier: MIT */
#include "compile/cache.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/memory.h"

/* ---- the directory ---------------------------------------------------------------------------------- */

int cache_open(char **ret_dir, struct mw_error *ret_error)
{
    static const struct mw_directory_use use = {"cache", "what lies in it is run as code",
                                                "set XDG_CACHE_HOME to a directory of yours"};
    char dir[PATH_MAX], scratch[MW_HOME_BYTES];
    const char *xdg = getenv("XDG_CACHE_HOME"), *base = xdg && *xdg == '/' ? xdg : mw_home(scratch);
    int err, count;

    if (!base)
        return mw_fail(ret_error, -ENOENT, "find a cache for compiled apps: no home; set XDG_CACHE_HOME");
    count = snprintf(dir, sizeof dir, "%s%s/meshwork", base, base == xdg ? "" : "/.cache");
    if (count < 0 || (size_t)count >= sizeof dir)
        return mw_fail(ret_error, -ENAMETOOLONG, "find a cache for compiled apps: the name of the home is too long");
    err = mw_directory_make(dir, &use, ret_error);
    if (err < 0)
        return err;
    *ret_dir = mw_copy_text(dir);
    return *ret_dir ? 0 : mw_fail(ret_error, -ENOMEM, "find the cache: out of memory");
}

/* ---- keys --------------------------------------------------------------------------------------------- */

struct cache_digest {
    EVP_MD_CTX *context;
};

int cache_digest_new(struct cache_digest **ret)
{
    struct cache_digest *d = mw_alloc_zeroed(1, sizeof *d);

    if (!d)
        return -ENOMEM;
    d->context = EVP_MD_CTX_new();
    if (!d->context || EVP_DigestInit_ex(d->context, EVP_sha256(), NULL) != 1) {
        cache_digest_free(d);
        return -ENOMEM;
    }
    *ret = d;
    return 0;
}

void cache_digest_free(struct cache_digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->context);
    mw_free(d);
}

static int digest_part(struct cache_digest *d, const void *bytes, size_t byte_count)
{
    uint64_t count = byte_count;

    return EVP_DigestUpdate(d->context, &count, sizeof count) == 1 &&
                   EVP_DigestUpdate(d->context, bytes, byte_count) == 1
               ? 0
               : -EIO;
}

int cache_digest_text(struct cache_digest *d, const char *text)
{
    return digest_part(d, text, strlen(text));
}

int cache_digest_file(struct cache_digest *d, const char *path)
{
    struct mw_buffer content;
    int err = cache_read_file(path, (size_t)64 << 20, &content);

    if (err < 0)
        return err;
    err = digest_part(d, content.data, content.count);
    mw_buffer_clear(&content);
    return err;
}

int cache_digest_key(struct cache_digest *d, char ret_key[CACHE_KEY_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned count = 0;
    size_t i;

    if (EVP_DigestFinal_ex(d->context, digest, &count) != 1 || count < (CACHE_KEY_BYTES - 1) / 2)
        return -EIO;
    for (i = 0; i < (CACHE_KEY_BYTES - 1) / 2; i++)
        (void)snprintf(ret_key + 2 * i, 3, "%02x", digest[i]);
    return 0;
}

/* ---- files ---------------------------------------------------------------------------------------------- */

int cache_read_file(const char *path, size_t limit_bytes, struct mw_buffer *ret)
{
    FILE *file = fopen(path, "re");
    char piece[16384];
    size_t count;
    int err = 0;

    mw_buffer_init(ret, limit_bytes);
    if (!file)
        return -errno;
    while (err == 0 && (count = fread(piece, 1, sizeof piece, file)) > 0)
        err = mw_buffer_append(ret, piece, count);
    if (err == 0 && ferror(file))
        err = -EIO; /* a directory reads like this too */
    (void)fclose(file); /* was only read */
    if (err < 0)
        mw_buffer_clear(ret);
    return err;
}

/* Copy the next name of a make rule, undoing make's escapes: "\ " a space, "\#", "$$", "\<newline>" white space.
 * returns what follows; NULL: the name does not fit */
static const char *next_name(const char *at, char *name, size_t room)
{
    size_t count = 0;

    while (*at == ' ' || *at == '\t' || *at == '\n' || (*at == '\\' && at[1] == '\n'))
        at += *at == '\\' ? 2 : 1;
    while (*at != '\0' && *at != ' ' && *at != '\t' && *at != '\n') {
        if (*at == '\\' && at[1] == '\n')
            break;
        if ((*at == '\\' && (at[1] == ' ' || at[1] == '#' || at[1] == '\\')) || (*at == '$' && at[1] == '$'))
            at++;
        if (count + 1 == room)
            return NULL;
        name[count++] = *at++;
    }
    name[count] = '\0';
    return at;
}

int cache_each_dependency(const char *rule, int (*take)(void *context, const char *path), void *context)
{
    const char *at = strstr(rule, ": ");
    char name[PATH_MAX];
    int err;

    if (!at)
        return -EPROTO;
    for (at += 2; *at != '\0';) {
        at = next_name(at, name, sizeof name);
        if (!at)
            return -EPROTO;
        if (name[0] == '\0')
            continue;
        err = take(context, name);
        if (err != 0)
            return err;
    }
    return 0;
}
