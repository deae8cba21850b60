/* An app on this server: its folder and app.ini looked at, its back end compiled, loaded and opened.
 * Not its policies; those are in mounted_policies.c. Not what its files are asked for; that is route.c. Read next: ../compile/compile.c.
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/load.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "codec/url.h"
#include "compile/compile.h"
#include "server/look.h"
#include "server/offline.h"
#include "server/server_priv.h"
#include "settings/ini.h"
#include "settings/words.h"

enum { APP_NAME_BYTES_MAX = 64 };

/* ---- names ------------------------------------------------------------------------------------------ */

/* A name is printed, logged and part of a URL: short, printable, no path. */
static bool is_good_name(const char *name)
{
    size_t i, count = strlen(name);

    if (count == 0 || count > APP_NAME_BYTES_MAX || name[0] == '.' || !mw_utf8_is_valid(name, count))
        return false;
    for (i = 0; i < count; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '/' || name[i] == '\\')
            return false;
    return strcmp(name, "_mw") != 0; /* the server's own */
}

static int copy_name(const char *name, const char *what, char **ret, struct mw_error *ret_error)
{
    if (!is_good_name(name))
        return mw_fail(ret_error, -EINVAL, "%s '%s' cannot name an app: want 1 to %d bytes without /, \\ and control "
                       "characters, not beginning with a dot, not _mw", what, name, APP_NAME_BYTES_MAX);
    mw_free(*ret);
    *ret = mw_copy_text(name);
    return *ret ? 0 : mw_fail(ret_error, -ENOMEM, "mount '%s': out of memory", name);
}

/* The last part of a folder's path, also of "." */
static int name_after_folder(struct mounted *m, struct mw_error *ret_error)
{
    char path[PATH_MAX];
    const char *last;
    int err;

    if (!realpath(m->dir, path))
        return mw_fail(ret_error, -errno, "app folder '%s': %s", m->dir, strerror(errno));
    last = strrchr(path, '/') + 1;
    err = copy_name(*last != '\0' ? last : "root", "app folder", &m->folder, ret_error);
    return err < 0 ? err : copy_name(m->folder, "app folder", &m->name, ret_error);
}

/* ---- the folder --------------------------------------------------------------------------------------- */

bool mounted_can_read(const struct mounted *m, const char *file)
{
    struct stat status;

    return m->root_fd >= 0 && fstatat(m->root_fd, file, &status, 0) == 0 && S_ISREG(status.st_mode) &&
           faccessat(m->root_fd, file, R_OK, AT_EACCESS) == 0;
}

static bool has(const struct mounted *m, const char *file)
{
    struct stat status;

    return fstatat(m->root_fd, file, &status, 0) == 0;
}

static int open_folder(struct mounted *m, struct mw_error *ret_error)
{
    int err;

    m->root_fd = open(m->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* readable, so that an unreadable one is told now */
    if (m->root_fd >= 0)
        return 0;
    err = -errno;
    if (err == -ENOENT)
        return mw_fail(ret_error, err, "app folder '%s': there is no such folder; make one with an app.html in it",
                       m->dir);
    if (err == -ENOTDIR)
        return mw_fail(ret_error, err, "app folder '%s' is a file; name the folder that it lies in", m->dir);
    if (err == -EACCES)
        return mw_fail(ret_error, err, "app folder '%s' cannot be read by this user: chmod u+rx it, or run as its "
                       "owner", m->dir);
    return mw_fail(ret_error, err, "app folder '%s': %s", m->dir, strerror(-err));
}

/* Something must be there to serve, and what is there must be readable. */
static int look_into_folder(struct mounted *m, struct mw_error *ret_error)
{
    static const char *const names[] = {"app.html", "index.html", "app.c", "app.so", "app.ini"};
    bool is_app = m->descriptor != NULL;
    size_t i;

    for (i = 0; i < MW_COUNT(names); i++) {
        if (!has(m, names[i]))
            continue;
        is_app = is_app || strcmp(names[i], "app.ini") != 0;
        if (!mounted_can_read(m, names[i]))
            return mw_fail(ret_error, -EACCES, "'%s/%s' cannot be read: it has to be a file that this user may read",
                           m->dir, names[i]);
    }
    if (!is_app)
        return mw_fail(ret_error, -ENOENT, "app folder '%s' has nothing to serve: put an app.html (or index.html) or "
                       "an app.c into it", m->dir);
    m->has_page = has(m, "app.html") || has(m, "index.html");
    m->has_source = !m->descriptor && (has(m, "app.c") || has(m, "app.so"));
    return 0;
}

/* ---- [app] ----------------------------------------------------------------------------------------------- */

/* "/echo, /more": further paths that take an upgrade. */
static int read_ws_paths(struct mounted *m, const struct ini_entry *entry, struct mw_error *ret_error)
{
    char *copy = mw_copy_text(entry->value), *rest = copy, *path;
    int err = copy ? 0 : mw_fail(ret_error, -ENOMEM, "read '%s': out of memory", m->ini->file);

    while (err == 0 && (path = strsep(&rest, ", \t")) != NULL) {
        if (*path == '\0')
            continue;
        if (*path != '/' || path[1] == '\0' || strncmp(path, "/_mw", 4) == 0 || !url_is_servable(path))
            err = ini_document_fail(m->ini, entry->line, ret_error, -EINVAL,
                                    "ws_paths: '%s' is no path such as /echo", path);
        else if (m->ws_path_count == MOUNTED_WS_PATHS_MAX)
            err = ini_document_fail(m->ini, entry->line, ret_error, -EINVAL, "ws_paths: more than %d",
                                    MOUNTED_WS_PATHS_MAX);
        else if (!(m->ws_paths[m->ws_path_count] = mw_copy_text(path + 1)))
            err = mw_fail(ret_error, -ENOMEM, "read '%s': out of memory", m->ini->file);
        else
            m->ws_path_count++;
    }
    mw_free(copy);
    return err;
}

static int read_require_login(struct mounted *m, const struct ini_entry *entry, struct mw_error *ret_error)
{
    bool flag;

    if (words_flag(entry->value, &flag) < 0)
        return ini_document_fail(m->ini, entry->line, ret_error, -EINVAL, "require_login wants yes or no");
    m->requires_login = flag;
    return 0;
}

static int read_app_entry(struct mounted *m, const struct ini_entry *entry, struct mw_error *ret_error)
{
    if (strcmp(entry->key, "ws_paths") == 0)
        return read_ws_paths(m, entry, ret_error);
    if (strcmp(entry->key, "require_login") == 0)
        return read_require_login(m, entry, ret_error);
    if (strcmp(entry->key, "name") != 0)
        return ini_document_fail(m->ini, entry->line, ret_error, -ENOENT,
                                 "[app] has no key '%s' (it has name, require_login, ws_paths)", entry->key);
    if (!is_good_name(entry->value))
        return ini_document_fail(m->ini, entry->line, ret_error, -EINVAL, "'%s' cannot name an app", entry->value);
    return copy_name(entry->value, "name", &m->name, ret_error);
}

/* Others read the other sections. */
static int read_entry(struct mounted *m, const struct ini_section *section, const struct ini_entry *entry, struct mw_error *ret_error)
{
    static const struct {
        const char *kind;
        int (*read)(struct mounted *m, const struct ini_entry *entry, struct mw_error *ret_error);
    } ours[] = {{"app", read_app_entry}, {"cache", mounted_read_cache}, {"headers", mounted_read_header}};
    size_t i;

    for (i = 0; i < MW_COUNT(ours); i++)
        if (strcmp(section->kind, ours[i].kind) == 0)
            return ours[i].read(m, entry, ret_error);
    return 0;
}

static int read_ini(struct mounted *m, struct mw_error *ret_error)
{
    char path[PATH_MAX];
    size_t i, j;
    int err;

    if ((size_t)snprintf(path, sizeof path, "%s/app.ini", m->dir) >= sizeof path)
        return mw_fail(ret_error, -ENAMETOOLONG, "app folder '%s': the name is too long", m->dir);
    m->ini_path = mw_copy_text(path);
    if (!m->ini_path)
        return mw_fail(ret_error, -ENOMEM, "mount '%s': out of memory", m->dir);
    m->ini_seen = look_at_file(path);
    if (!has(m, "app.ini"))
        return mounted_make_headers(m, ret_error);
    err = ini_document_read(path, &m->ini, ret_error);
    for (i = 0; err == 0 && i < m->ini->section_count; i++) {
        const struct ini_section *section = &m->ini->sections[i];

        for (j = 0; err == 0 && j < section->entry_count; j++)
            err = read_entry(m, section, &section->entries[j], ret_error);
    }
    return err < 0 ? err : mounted_make_headers(m, ret_error);
}

/* The last of them is what holds, but ws_paths add; each line is shown. */
static bool show_entries(const struct mounted *m, const char *kind, const char *key,
                         void (*each)(void *context, const mw_setting_state *state), void *context)
{
    bool is_there = false;
    size_t i, j;

    for (i = 0; m->ini && i < m->ini->section_count; i++) {
        const struct ini_section *section = &m->ini->sections[i];

        for (j = 0; strcmp(section->kind, kind) == 0 && j < section->entry_count; j++) {
            const struct ini_entry *entry = &section->entries[j];
            char origin[PATH_MAX + 32];

            if (strcmp(entry->key, key) != 0)
                continue;
            (void)snprintf(origin, sizeof origin, "%s: line %d", m->ini->file, entry->line);
            each(context, &(mw_setting_state){.section = kind, .app = m->folder, .name = key, .value = entry->value,
                                              .origin = origin});
            is_there = true;
        }
    }
    return is_there;
}

void mounted_each_setting(const struct mounted *m, void (*each)(void *context, const mw_setting_state *state),
                          void *context)
{
    static const struct {
        const char *key, *otherwise;
    } keys[] = {{"name", NULL}, {"require_login", "no"}, {"ws_paths", NULL}};
    size_t i;

    for (i = 0; i < MW_COUNT(keys); i++) {
        const char *value = strcmp(keys[i].key, "name") == 0 ? m->name : keys[i].otherwise;

        if (!show_entries(m, "app", keys[i].key, each, context))
            each(context, &(mw_setting_state){.section = "app", .app = m->folder, .name = keys[i].key, .value = value,
                                              .origin = "default"});
    }
    for (i = 0; i < MOUNTED_FOLDERS; i++) {
        const char *folder = mounted_folder_name((enum mounted_folder)i);

        if (!show_entries(m, "cache", folder, each, context))
            each(context, &(mw_setting_state){.section = "cache", .app = m->folder, .name = folder, .value = "no-cache",
                                              .origin = "default"});
    }
    for (i = 0; i < MOUNTED_HEADERS; i++)
        if (!show_entries(m, "headers", mounted_header_key(i), each, context))
            each(context, &(mw_setting_state){.section = "headers", .app = m->folder, .name = mounted_header_key(i),
                                              .value = mounted_header_usual(i), .origin = "default"});
}

/* ---- life -------------------------------------------------------------------------------------------------- */

/* "demo///" is "demo"; what messages say is what was typed otherwise. */
static char *copy_dir(const char *dir)
{
    char *copy = mw_copy_text(dir);
    size_t count = copy ? strlen(copy) : 0;

    while (count > 1 && copy[count - 1] == '/')
        copy[--count] = '\0';
    return copy;
}

static int fill(struct mounted *m, const char *name, const char *dir, struct mw_error *ret_error)
{
    int err = 0;

    if (dir) {
        m->dir = copy_dir(dir);
        err = m->dir ? open_folder(m, ret_error) : mw_fail(ret_error, -ENOMEM, "mount '%s': out of memory", dir);
        if (err == 0)
            err = look_into_folder(m, ret_error);
    }
    if (err == 0 && !name)
        err = name_after_folder(m, ret_error);
    if (err == 0 && name)
        err = copy_name(name, "the name", &m->folder, ret_error);
    if (err == 0 && dir)
        err = read_ini(m, ret_error);
    if (err == 0 && name)
        err = copy_name(name, "the name", &m->name, ret_error);
    return err;
}

int mounted_new(struct mw_server *server, const char *name, const char *dir, const mw_app *descriptor,
                struct mounted **ret, struct mw_error *ret_error)
{
    struct mounted *m = mw_alloc_zeroed(1, sizeof *m);
    int err;

    if (!m)
        return mw_fail(ret_error, -ENOMEM, "mount an app: out of memory");
    m->server = server;
    m->root_fd = -1;
    m->descriptor = descriptor;
    err = fill(m, name, dir, ret_error);
    if (err < 0) {
        mounted_free(m);
        return err;
    }
    *ret = m;
    return 0;
}

void mounted_free(struct mounted *m)
{
    size_t i;

    if (!m)
        return;
    app_free(m->app);
    app_together_free(m->together);
    offline_free(m->offline);
    ini_document_free(m->ini);
    if (m->root_fd >= 0)
        (void)close(m->root_fd); /* nothing was written through it */
    for (i = 0; i < m->ws_path_count; i++)
        mw_free(m->ws_paths[i]);
    for (i = 0; i < MOUNTED_HEADERS; i++)
        mw_free(m->header_values[i]);
    mw_free(m->headers);
    mw_free(m->ini_path);
    mw_free(m->source_path);
    mw_free(m->name);
    mw_free(m->folder);
    mw_free(m->dir);
    mw_free(m->base);
    mw_free(m->url);
    mw_free(m);
}

/* ---- the back end --------------------------------------------------------------------------------------------- */

static void say_compiler_line(void *context, const char *line)
{
    struct mounted *m = context;

    log_compiler_line(&m->server->log, line);
}

/* A page without its back end says nothing but that all is denied. */
static void tell_of_cpp(const struct mounted *m)
{
    static const char *const names[] = {"app.cpp", "app.cc", "app.cxx"};
    size_t i;

    for (i = 0; m->dir && !m->descriptor && !m->has_source && i < MW_COUNT(names); i++)
        if (has(m, names[i]))
            log_at(&m->server->log, MW_LOG_WARNING, "'%s/%s' is not compiled, as only an app.c is: build it into an app.so beside it",
                   m->dir, names[i]);
}

int mounted_load(struct mounted *m, struct mw_error *ret_error)
{
    char source[PATH_MAX], *object = NULL;
    const struct compile_options compile = {.source = source, .say = say_compiler_line, .context = m};
    struct mw_error why = {0};
    bool is_built = m->has_source && !has(m, "app.c");
    int err = 0;

    tell_of_cpp(m);
    if (!m->has_source || m->descriptor) /* mw_server_check was there before */
        return 0;
    if ((size_t)snprintf(source, sizeof source, "%s/%s", m->dir, is_built ? "app.so" : "app.c") >= sizeof source)
        return mw_fail(ret_error, -ENAMETOOLONG, "app folder '%s': the name is too long", m->dir);
    mw_free(m->source_path); /* of a load that failed */
    m->source_path = mw_copy_text(source); /* out of memory: its changes are not said */
    m->source_seen = look_at_file(source);
    if (!is_built)
        err = compile_app(&compile, &object, ret_error);
    if (err < 0)
        return err;
    err = app_load(is_built ? source : object, &m->descriptor, &why);
    if (err < 0)
        (void)mw_fail(ret_error, err, "load '%s': %s", source, why.text);
    mw_free(object);
    return err;
}
