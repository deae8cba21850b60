/* Reading a token and comparing it.
 * SPDX-License-Identifier: MIT */
#include "server/token.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/credentials.h"

enum { TOKEN_LEAST = 16, TOKEN_MOST = 256, FILE_MOST = 512 };

/* The bytes of a file that is not everybody's. returns how many, or a negative errno name */
static ssize_t file_read(const char *path, char room[FILE_MOST])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    ssize_t count;

    if (fd < 0)
        return -errno;
    count = fstat(fd, &status);
    if (count == 0 && (!S_ISREG(status.st_mode) || status.st_mode & S_IROTH))
        count = -EPERM;
    else if (count < 0 || (count = read(fd, room, FILE_MOST)) < 0)
        count = -errno;
    (void)close(fd); /* nothing was written */
    return count;
}

int token_read(struct token *token, const char *path, struct mw_error *ret_error)
{
    char bytes[FILE_MOST] = "", *at = bytes;
    ssize_t count = file_read(path, bytes), i;

    if (count == -EPERM)
        return mw_fail(ret_error, -EPERM, "token '%s' has to be a file that not everybody can read: chmod 600 '%s'", path,
                       path);
    if (count < 0)
        return mw_fail(ret_error, (int)count, "token '%s': %s", path, strerror((int)-count));
    for (; count > 0 && isspace((unsigned char)at[count - 1]); count--)
        ;
    for (; count > 0 && isspace((unsigned char)*at); count--)
        at++;
    for (i = 0; i < count && (unsigned char)at[i] > 0x20 && (unsigned char)at[i] < 0x7f; i++)
        ;
    if (i < count || count < TOKEN_LEAST || count > TOKEN_MOST)
        return mw_fail(ret_error, -EINVAL, "token '%s': want %d to %d visible characters, such as `openssl rand -hex 32` "
                       "prints", path, TOKEN_LEAST, TOKEN_MOST);
    (void)SHA256((const unsigned char *)at, (size_t)count, token->hash); /* never fails for bytes in memory */
    OPENSSL_cleanse(bytes, sizeof bytes);
    token->is_set = true;
    return 0;
}

bool token_is_shown(const struct token *token, const char *field)
{
    const char *shown = token->is_set ? credentials_bearer(field) : NULL;
    uint8_t hash[sizeof token->hash];

    if (!shown)
        return false;
    (void)SHA256((const unsigned char *)shown, strlen(shown), hash); /* as above */
    return CRYPTO_memcmp(hash, token->hash, sizeof hash) == 0;
}
