/* Sessions written at the end and read at the next start: "sessions 1 SECONDS", then a line each of KEY USER SINCE AGE IDLE, both in ms.
 * SPDX-License-Identifier: MIT */
#include "users/sessions_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <meshwork/users.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MS_NS INT64_C(1000000)
#define LINE_BYTES 512
#define MOST_MS (INT64_MAX / MS_NS / 4)

/* ---- writing -------------------------------------------------------------------------------------------------- */

static void print_session(FILE *file, const struct session *session, int64_t now_ns)
{
    size_t i;

    for (i = 0; i < sizeof session->key.bytes; i++)
        (void)fprintf(file, "%02x", session->key.bytes[i]); /* an error stays, and is looked at once */
    (void)fprintf(file, " %s %" PRId64 " %" PRId64 " %" PRId64 "\n", session->user, session->since, (now_ns - session->opened_ns) / MS_NS,
                  (now_ns - session->used_ns) / MS_NS);
}

int sessions_save(const struct sessions *s, const char *path, int64_t now_ns, int64_t now_s, struct mw_error *ret_error)
{
    char fresh[PATH_MAX + 8];
    const struct session *session;
    FILE *file;
    size_t i;
    int fd, err = 0;

    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    (void)unlink(fresh);
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        err = -errno;
        if (fd >= 0)
            (void)close(fd); /* nothing was written */
        return mw_fail(ret_error, err, "write '%s': %s", fresh, strerror(-err));
    }
    (void)fprintf(file, "sessions 1 %" PRId64 "\n", now_s);
    for (i = 0; i < s->bucket_count; i++)
        for (session = s->buckets[i]; session; session = session->next)
            print_session(file, session, now_ns);
    if (ferror(file))
        err = -EIO;
    if (fclose(file) != 0 && err == 0)
        err = -errno;
    if (err == 0 && rename(fresh, path) < 0)
        err = -errno;
    if (err == 0)
        return 0;
    (void)unlink(fresh);
    return mw_fail(ret_error, err, "write '%s': %s", path, strerror(-err));
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static bool parse_key(const char *hex, struct session_key *ret)
{
    static const char digits[] = "0123456789abcdef";
    size_t i;

    if (strlen(hex) != 2 * sizeof ret->bytes)
        return false;
    for (i = 0; i < 2 * sizeof ret->bytes; i++) {
        const char *digit = strchr(digits, hex[i]);

        if (!digit)
            return false;
        ret->bytes[i / 2] = (uint8_t)(ret->bytes[i / 2] << 4 | (digit - digits));
    }
    return true;
}

/* 0; -EINVAL it is no session; -ENOMEM */
static int parse_line(struct sessions *s, const char *line, int64_t now_ns, int64_t away_ms)
{
    char hex[2 * sizeof(struct session_key) + 1], user[MW_USER_NAME_BYTES + 1], end = '\0';
    struct session session = {.user = user};
    int64_t age_ms, idle_ms;

    static_assert(sizeof hex == 65 && sizeof user == 65, "as the format has it");
    if (sscanf(line, "%64s %64s %" SCNd64 " %" SCNd64 " %" SCNd64 "%c", hex, user, &session.since, &age_ms, &idle_ms, &end) != 6 || end != '\n' || !parse_key(hex, &session.key) ||
        age_ms < 0 || idle_ms < 0 || age_ms > MOST_MS || idle_ms > age_ms || mw_user_name_check(user, "user", NULL) < 0)
        return -EINVAL;
    session.opened_ns = now_ns - (age_ms + away_ms) * MS_NS;
    session.used_ns = now_ns - (idle_ms + away_ms) * MS_NS;
    return sessions_restore(s, &session, now_ns);
}

static int64_t read_all(struct sessions *s, FILE *file, const char *path, int64_t now_ns, int64_t now_s, struct mw_error *ret_error)
{
    char line[LINE_BYTES];
    int64_t then_s = 0, away_s, count = 0;
    int number = 1, err;

    if (!fgets(line, sizeof line, file) || sscanf(line, "sessions 1 %" SCNd64, &then_s) != 1)
        return mw_fail_at(ret_error, -EINVAL, path, 1, 0, "no sessions of this version");
    away_s = now_s > then_s ? now_s - then_s : 0; /* a clock that was put back has let no time pass */
    if (away_s > MOST_MS / 1000)
        away_s = MOST_MS / 1000;
    while (fgets(line, sizeof line, file)) {
        number++;
        err = parse_line(s, line, now_ns, away_s * 1000);
        if (err < 0)
            return mw_fail_at(ret_error, err, path, number, 0, "%s", err == -ENOMEM ? "out of memory" : "no session: it and what follows is passed over");
        count++;
    }
    return count;
}

int64_t sessions_load(struct sessions *s, const char *path, int64_t now_ns, int64_t now_s, struct mw_error *ret_error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    FILE *file = NULL;
    int64_t count;

    if (fd < 0)
        return errno == ENOENT ? 0 : mw_fail(ret_error, -errno, "read '%s': %s", path, strerror(errno));
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077) != 0)
        count = mw_fail(ret_error, -EPERM, "'%s' has to be a file of this user's that nobody else can read", path);
    else if (unlink(path) < 0)
        count = mw_fail(ret_error, -errno, "remove '%s': %s", path, strerror(errno));
    else if (!(file = fdopen(fd, "r")))
        count = mw_fail(ret_error, -ENOMEM, "read '%s': out of memory", path);
    else
        count = read_all(s, file, path, now_ns, now_s, ret_error);
    if (file)
        (void)fclose(file); /* nothing was written */
    else
        (void)close(fd);
    return count;
}
