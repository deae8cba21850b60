/* Lines of JSON, gathered and appended.
 * SPDX-License-Identifier: MIT */
#include "server/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/print.h"
#include "server/log.h"

#define SECOND_NS INT64_C(1000000000)
enum { LINES_AT_ONCE = 5000, LINES_PER_S = 1000, PENDING_BYTES = 8 << 20 };

static int open_file(const char *path, int *ret_fd, struct mw_error *ret_error)
{
    *ret_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return *ret_fd < 0 ? mw_fail(ret_error, -errno, "open the audit log '%s': %s", path, strerror(errno)) : 0;
}

int audit_check(const char *path, struct mw_error *ret_error)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), err = fd < 0 ? -errno : 0;

    if (fd >= 0)
        (void)close(fd); /* nothing was written */
    if (err == -ENOENT) {
        (void)snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
        err = access(folder, W_OK | X_OK) == 0 ? 0 : -errno;
    }
    return err == 0 ? 0 : mw_fail(ret_error, err, "open the audit log '%s': %s", path, strerror(-err));
}

int audit_open(struct audit *a, const char *path, struct mw_error *ret_error)
{
    int err = open_file(path, &a->fd, ret_error);

    if (err < 0)
        return err;
    a->path = mw_copy_text(path);
    if (!a->path) {
        (void)close(a->fd); /* nothing was written */
        return mw_fail(ret_error, -ENOMEM, "open the audit log '%s': out of memory", path);
    }
    (void)pthread_mutex_init(&a->lock, NULL); /* never fails with default attributes */
    mw_buffer_init(&a->pending, PENDING_BYTES);
    a->room = LINES_AT_ONCE;
    a->filled_ns = mw_now_ns();
    return 0;
}

void audit_close(struct audit *a)
{
    if (!a->path)
        return;
    (void)audit_flush(a); /* what fails is lost with the server */
    (void)pthread_mutex_destroy(&a->lock);
    (void)close(a->fd);
    mw_buffer_clear(&a->pending);
    mw_free(a->path);
    *a = (struct audit){0};
}

/* ---- lines ---------------------------------------------------------------------------------------------- */

static bool take_room(struct audit *a)
{
    int64_t now_ns = mw_now_ns(), lines = (now_ns - a->filled_ns) / (SECOND_NS / LINES_PER_S);

    if (lines > 0) {
        a->filled_ns = now_ns;
        a->room = lines > LINES_AT_ONCE - (int64_t)a->room ? LINES_AT_ONCE : a->room + (uint32_t)lines;
    }
    if (a->room == 0) {
        a->left_out++;
        a->lost++;
        return false;
    }
    a->room--;
    return true;
}

static void begin(struct mw_buffer *b, const char *event)
{
    struct timespec now = {0};
    struct tm utc;
    char stamp[40] = "";
    size_t count = 0;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* it is there */
    if (gmtime_r(&now.tv_sec, &utc))
        count = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(stamp + count, sizeof stamp - count, ".%03dZ", (int)(now.tv_nsec / 1000000));
    (void)mw_buffer_printf(b, "{\"time\":\"%s\",\"event\":\"%s\"", stamp, event);
}

/* A line that does not fit is taken back whole. */
static void end(struct audit *a, size_t before)
{
    (void)mw_buffer_append_text(&a->pending, "}\n");
    if (!a->pending.error) {
        a->lines++;
        return;
    }
    a->pending.count = before;
    a->pending.error = 0;
    a->lost++;
}

static void say_left_out(struct audit *a)
{
    size_t before = a->pending.count;

    if (a->left_out == 0)
        return;
    begin(&a->pending, "left_out");
    (void)mw_buffer_printf(&a->pending, ",\"lines\":%" PRIu64, a->left_out);
    a->left_out = 0;
    end(a, before);
}

/* With the lock. */
static void write_line(struct audit *a, const char *event, const struct audit_fact *facts, size_t fact_count)
{
    size_t before, i;

    if (!take_room(a))
        return;
    say_left_out(a);
    before = a->pending.count;
    begin(&a->pending, event);
    for (i = 0; i < fact_count; i++) {
        if (!facts[i].text)
            continue;
        (void)mw_buffer_printf(&a->pending, ",\"%s\":", facts[i].key);
        (void)mw_print_json_text(&a->pending, facts[i].text, facts[i].text_bytes ? facts[i].text_bytes : strlen(facts[i].text));
    }
    if (!a->pending.error)
        log_tame((char *)a->pending.data + before, a->pending.count - before); /* who reads it with `tail -f` has a terminal */
    end(a, before);
}

void audit_write(struct audit *a, const char *event, const struct audit_fact *facts, size_t fact_count)
{
    if (!a->path)
        return;
    (void)pthread_mutex_lock(&a->lock); /* initialised: neither fails */
    write_line(a, event, facts, fact_count);
    (void)pthread_mutex_unlock(&a->lock);
}

/* ---- the file ----------------------------------------------------------------------------------------------- */

/* With the lock. */
static int flush(struct audit *a)
{
    size_t at = 0;
    ssize_t n = 1;
    int err;

    while (at < a->pending.count && n > 0) {
        n = write(a->fd, a->pending.data + at, a->pending.count - at);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            at += (size_t)n;
    }
    err = n < 0 ? -errno : 0;
    for (; at < a->pending.count; at++)
        a->lost += a->pending.data[at] == '\n';
    a->pending.count = 0;
    if (err == 0 || a->is_failing) {
        a->is_failing = err < 0;
        return 0;
    }
    a->is_failing = true;
    return err;
}

int audit_flush(struct audit *a)
{
    int err;

    if (!a->path)
        return 0;
    (void)pthread_mutex_lock(&a->lock);
    err = flush(a);
    (void)pthread_mutex_unlock(&a->lock);
    return err;
}

int audit_reopen(struct audit *a, struct mw_error *ret_error)
{
    int fd, err = a->path ? open_file(a->path, &fd, ret_error) : 0;

    if (!a->path || err < 0)
        return err;
    (void)pthread_mutex_lock(&a->lock);
    (void)flush(a);     /* to the one before; what fails is counted */
    (void)close(a->fd); /* a log: nobody waits for the disk */
    a->fd = fd;
    a->is_failing = false;
    (void)pthread_mutex_unlock(&a->lock);
    return 0;
}

void audit_counts(struct audit *a, uint64_t *ret_lines, uint64_t *ret_lost)
{
    *ret_lines = *ret_lost = 0;
    if (!a->path)
        return;
    (void)pthread_mutex_lock(&a->lock);
    *ret_lines = a->lines;
    *ret_lost = a->lost;
    (void)pthread_mutex_unlock(&a->lock);
}
