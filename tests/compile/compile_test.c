/* Compiling an app.c into the cache: what is compiled again and what is not, and how errors are told.
 * Runs the system's compiler on files of a few lines in a directory of its own.
 * SPDX-License-Identifier: MIT */
#include "compile/compile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "check.h"
#include "compile/cache.h"

static const char good[] = "#include <meshwork/app.h>\n#include \"part.h\"\n"
                           "MW_EXPORT const mw_app mw_app_descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), "
                           ".name = NAME};\n";

/* A directory with an app in it and a cache beside it. */
struct room {
    char dir[64], source[96], header[96], cache[96], said[4096];
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

    CHECK(file != NULL);
    fputs(text, file);
    CHECK_INT(fclose(file), 0);
    /* Long ago: what was changed while it is compiled is not kept, and a test is fast. */
    CHECK_INT(utimensat(AT_FDCWD, path, old, 0), 0);
}

static void enter(struct room *r)
{
    *r = (struct room){0};
    (void)snprintf(r->dir, sizeof r->dir, "%s/meshwork-test-XXXXXX", P_tmpdir);
    CHECK(mkdtemp(r->dir) != NULL);
    (void)snprintf(r->source, sizeof r->source, "%s/app.c", r->dir);
    (void)snprintf(r->header, sizeof r->header, "%s/part.h", r->dir);
    (void)snprintf(r->cache, sizeof r->cache, "%s/cache", r->dir);
    CHECK_INT(setenv("XDG_CACHE_HOME", r->cache, 1), 0);
    CHECK_INT(unsetenv("CC"), 0);
    CHECK_INT(unsetenv("CFLAGS"), 0);
    CHECK_INT(unsetenv("LDLIBS"), 0);
    write_file(r->source, good);
    write_file(r->header, "#define NAME \"first\"\n");
}

static void remove_all(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    while (d && (entry = readdir(d)) != NULL) {
        char path[512];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (unlink(path) < 0)
            remove_all(path);
    }
    if (d)
        (void)closedir(d);
    (void)rmdir(dir);
}

static void leave(struct room *r)
{
    remove_all(r->dir);
}

static void say(void *context, const char *line)
{
    struct room *r = context;
    size_t count = strlen(r->said);

    (void)snprintf(r->said + count, sizeof r->said - count, "%s\n", line);
}

/* 0 and the object's path, or the error. */
static int compile(struct room *r, char object[512], struct mw_error *error)
{
    const struct compile_options options = {.source = r->source, .say = say, .context = r};
    char *path = NULL;
    int err;

    *error = (struct mw_error){0};
    r->said[0] = '\0';
    err = compile_app(&options, &path, error);
    if (err < 0 && error->text[0] == '\0')
        fprintf(stderr, "    no reason given\n");
    (void)snprintf(object, 512, "%s", path ? path : "");
    mw_free(path);
    return err;
}

static ino_t inode(const char *path)
{
    struct stat status;

    CHECK_INT(stat(path, &status), 0);
    return status.st_ino;
}

static size_t count_files(const char *dir, const char *suffix)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    size_t count = 0;

    while (d && (entry = readdir(d)) != NULL) {
        size_t length = strlen(entry->d_name), wanted = strlen(suffix);

        count += length >= wanted && strcmp(entry->d_name + length - wanted, suffix) == 0;
    }
    if (d)
        (void)closedir(d);
    return count;
}

static void an_unchanged_app_is_compiled_once(void)
{
    struct room r;
    struct mw_error error;
    char first[512], second[512];
    ino_t before;

    enter(&r);
    if (compile(&r, first, &error) < 0)
        fprintf(stderr, "    %s\n%s", error.text, r.said);
    CHECK_INT(error.code, 0);
    before = inode(first);
    CHECK_INT(compile(&r, second, &error), 0);
    CHECK_TEXT(second, first);
    CHECK_INT(inode(second), before);
    leave(&r);
}

static void a_change_of_the_app_or_of_what_it_includes_is_compiled(void)
{
    struct room r;
    struct mw_error error;
    char first[512], second[512], third[512], dir[128];

    enter(&r);
    CHECK_INT(compile(&r, first, &error), 0);
    write_file(r.header, "#define NAME \"second\"\n");
    CHECK_INT(compile(&r, second, &error), 0);
    CHECK(strcmp(first, second) != 0);
    write_file(r.source, "#include <meshwork/app.h>\nMW_EXPORT const mw_app mw_app_descriptor = {.name = \"third\"};\n");
    CHECK_INT(compile(&r, third, &error), 0);
    CHECK(strcmp(third, second) != 0);
    /* Older builds of the same app do not pile up, and nothing is left lying about. */
    (void)snprintf(dir, sizeof dir, "%s/meshwork", r.cache);
    CHECK_INT(count_files(dir, ".so"), 1);
    CHECK_INT(count_files(dir, ".d"), 1);
    CHECK_INT(count_files(dir, ".o") + count_files(dir, ".log"), 0);
    leave(&r);
}

static void other_flags_give_another_build(void)
{
    struct room r;
    struct mw_error error;
    char first[512], second[512];

    enter(&r);
    CHECK_INT(compile(&r, first, &error), 0);
    CHECK_INT(setenv("CFLAGS", "-DANYTHING", 1), 0);
    CHECK_INT(compile(&r, second, &error), 0);
    CHECK(strcmp(first, second) != 0);
    leave(&r);
}

static void an_error_is_shown_as_the_compiler_printed_it(void)
{
    struct room r;
    struct mw_error error;
    char object[512];

    enter(&r);
    write_file(r.source, "int f(void)\n{\n    return undeclared_name;\n}\n");
    CHECK_INT(compile(&r, object, &error), -ENOEXEC);
    CHECK(strstr(r.said, "app.c:3:") != NULL);
    CHECK(strstr(r.said, "undeclared_name") != NULL);
    CHECK(strstr(error.text, "compile '") == error.text);
    CHECK(strchr(error.text, '\n') == NULL);
    leave(&r);
}

static void a_warning_is_shown_and_does_not_stop(void)
{
    struct room r;
    struct mw_error error;
    char object[512];

    enter(&r);
    write_file(r.source, "static int unused(void) { return 1; }\n");
    CHECK_INT(compile(&r, object, &error), 0);
    CHECK(strstr(r.said, "unused") != NULL);
    leave(&r);
}

static void no_compiler_is_told_with_what_to_install(void)
{
    struct room r;
    struct mw_error error;
    char object[512], *path = strdup(getenv("PATH"));

    enter(&r);
    CHECK_INT(setenv("PATH", "/nowhere", 1), 0);
    CHECK_INT(compile(&r, object, &error), -ENOENT);
    CHECK(strstr(error.text, "apt install") != NULL);
    CHECK_INT(setenv("PATH", path, 1), 0);
    CHECK_INT(setenv("CC", "no-such-compiler -m64", 1), 0);
    CHECK_INT(compile(&r, object, &error), -ENOENT);
    CHECK(strstr(error.text, "no-such-compiler") != NULL);
    free(path);
    leave(&r);
}

static void a_cache_that_others_can_write_is_refused(void)
{
    struct room r;
    struct mw_error error;
    char object[512], dir[128];

    enter(&r);
    CHECK_INT(compile(&r, object, &error), 0);
    (void)snprintf(dir, sizeof dir, "%s/meshwork", r.cache);
    CHECK_INT(chmod(dir, 0777), 0);
    CHECK_INT(compile(&r, object, &error), -EPERM);
    CHECK(strstr(error.text, "chmod 700") != NULL);
    leave(&r);
}

static void a_cache_is_made_private(void)
{
    struct room r;
    struct stat status;
    char *dir = NULL;

    enter(&r);
    CHECK_INT(cache_open(&dir, NULL), 0);
    CHECK_INT(stat(dir, &status), 0);
    CHECK_INT(status.st_mode & 07777, 0700);
    mw_free(dir);
    leave(&r);
}

static int take_name(void *context, const char *path)
{
    char *all = context;

    strncat(all, path, 255 - strlen(all));
    strncat(all, "|", 255 - strlen(all));
    return 0;
}

static void a_rule_of_make_is_read_with_its_escapes(void)
{
    char all[256] = "";

    CHECK_INT(cache_each_dependency("app: a.c b\\ c.h \\\n  d$$e.h \\\n f\\#g.h\n", take_name, all), 0);
    CHECK_TEXT(all, "a.c|b c.h|d$e.h|f#g.h|");
    CHECK_INT(cache_each_dependency("no rule", take_name, all), -EPROTO);
    CHECK_INT(cache_each_dependency("", take_name, all), -EPROTO);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(an_unchanged_app_is_compiled_once),
        TEST(a_change_of_the_app_or_of_what_it_includes_is_compiled),
        TEST(other_flags_give_another_build),
        TEST(an_error_is_shown_as_the_compiler_printed_it),
        TEST(a_warning_is_shown_and_does_not_stop),
        TEST(no_compiler_is_told_with_what_to_install),
        TEST(a_cache_that_others_can_write_is_refused),
        TEST(a_cache_is_made_private),
        TEST(a_rule_of_make_is_read_with_its_escapes),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
