/* Fuzz target F8: what Cookie and Authorization fields show. room: server
 * Input: a line for each. In both, byte 1 stands for the secret of a session that is open, 2 for that of one that was, 3 for the server's token.
 * Oracles: the cookie is the one that splitting at semicolons finds; a session is found by the secret of an open one and by nothing else; the token
 * is taken where it stands alone behind its scheme and nowhere else.
 * SPDX-License-Identifier: MIT */
#include "slices.h"

#include <strings.h>
#include <unistd.h>

#include "server/credentials.h"
#include "server/token.h"
#include "users/sessions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char cookie_name[] = "mw-8000", token_text[] = "0123456789abcdef0123456789abcdef";

static struct {
    struct sessions sessions;
    char open[SESSION_SECRET_BYTES], ended[SESSION_SECRET_BYTES];
    struct token token;
} known;

static void know(void)
{
    static const struct sessions_limits limits = {.idle_ns = 1000, .absolute_ns = 1000, .per_user = 4, .most = 4};
    char path[] = "/tmp/credentials-fuzz-XXXXXX";
    int fd = mkstemp(path);
    struct session_key key;

    PROMISE(fd >= 0 && write(fd, token_text, strlen(token_text)) == (ssize_t)strlen(token_text) && close(fd) == 0);
    PROMISE(token_read(&known.token, path, NULL) == 0 && unlink(path) == 0);
    sessions_init(&known.sessions, &limits);
    PROMISE(sessions_open(&known.sessions, "bob", 1, 0, known.ended, &key) == 0);
    sessions_close(&known.sessions, &key);
    PROMISE(sessions_open(&known.sessions, "bob", 1, 0, known.open, &key) == 0);
}

/* A field as it would come, without NUL and line ends, in memory that ends with it. */
static char *field_of(const uint8_t *bytes, size_t count)
{
    char *field = malloc(count * SESSION_SECRET_BYTES + 1), *exact;
    size_t used = 0, i;

    PROMISE(field != NULL);
    for (i = 0; i < count; i++) {
        const char *secret = bytes[i] == 1 ? known.open : bytes[i] == 2 ? known.ended : bytes[i] == 3 ? token_text : NULL;

        if (secret)
            used += (size_t)sprintf(field + used, "%s", secret);
        else if (bytes[i] != 0)
            field[used++] = (char)bytes[i];
    }
    field[used] = '\0';
    exact = strdup(field);
    PROMISE(exact != NULL);
    free(field);
    return exact;
}

/* The first cookie of the name that is as long as a secret. NULL: none; free */
static char *cookie_by_splitting(const char *cookies)
{
    char *copy = strdup(cookies), *rest = copy, *pair, *found = NULL;

    PROMISE(copy != NULL);
    while (!found && (pair = strsep(&rest, ";")) != NULL) {
        char *value;

        pair += strspn(pair, " ");
        value = strchr(pair, '=');
        if (!value)
            continue;
        *value++ = '\0';
        if (strcmp(pair, cookie_name) == 0 && strlen(value) == SESSION_SECRET_BYTES - 1)
            found = strdup(value);
    }
    free(copy);
    return found;
}

static void check_cookies(const char *cookies)
{
    char secret[SESSION_SECRET_BYTES], *wanted = cookie_by_splitting(cookies);
    bool is_found = credentials_cookie(cookies, cookie_name, SESSION_SECRET_BYTES - 1, secret);

    PROMISE(is_found == (wanted != NULL));
    if (is_found) {
        PROMISE(strcmp(secret, wanted) == 0);
        PROMISE((sessions_find(&known.sessions, secret, 1) != NULL) == (strcmp(secret, known.open) == 0));
    }
    free(wanted);
}

static void check_authorization(const char *field)
{
    const char *shown = credentials_bearer(field);
    bool is_bearer = strlen(field) >= 7 && strncasecmp(field, "bearer ", 7) == 0;

    PROMISE((shown != NULL) == is_bearer);
    PROMISE(!shown || (shown >= field + 7 && shown <= field + strlen(field) && *shown != ' '));
    PROMISE(token_is_shown(&known.token, field) == (shown && strcmp(shown, token_text) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    size_t first = line ? (size_t)(line - data) : size;
    char *cookies, *authorization;

    if (!known.token.is_set)
        know();
    cookies = field_of(data, first);
    authorization = field_of(data + first, size - first);
    check_cookies(cookies);
    check_authorization(authorization + (*authorization == '\n'));
    free(authorization);
    free(cookies);
    return 0;
}
