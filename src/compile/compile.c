/* Compiles an app.c, or finds what was compiled before.
 *
 * A build is known by two keys. The first says how it is built: compiler, flags, library, which app.c. Under it lies
 * the list of files that the compiler read last time. The second is over the content of these files. So an edited
 * header counts as well as an edited app.c, and nothing is compiled to find that out.
 * Not the cache's files; those are in cache.c.
 * SPDX-License-Identifier: MIT */
#include "compile/compile.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <meshwork/app.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "compile/cache.h"
#include "compile/place.h"
#include "compile/process.h"

static const char compile_flags[] = "-std=gnu17 -O2 -g -fPIC -fvisibility=hidden -fno-strict-aliasing -Wall";
static const char link_flags[] = "-shared -Wl,-z,relro,-z,now,-z,noexecstack";
enum { OUTPUT_LIMIT_BYTES = 1 << 20 };

struct compile {
    const struct compile_options *options;
    struct mw_error *ret_error;
    struct place place;
    char *cache;                     /* directory */
    char *compiler;                  /* path of the program */
    struct process_command driver;   /* the words of $CC */
    char key[CACHE_KEY_BYTES];       /* how it is built */
    char base[PATH_MAX - 8];         /* of this run's scratch files, which nobody else has; a suffix fits behind */
    struct timespec started;
};

static void compile_clear(struct compile *c)
{
    place_clear(&c->place);
    process_command_clear(&c->driver);
    mw_free(c->cache);
    mw_free(c->compiler);
}

/* ---- with what ------------------------------------------------------------------------------------------ */

static int find_compiler(struct compile *c)
{
    static const char *const usual[] = {"cc", "gcc", "clang"};
    const char *set = getenv("CC");
    size_t i;
    int err = -ENOENT;

    process_command_add_words(&c->driver, set);
    if (c->driver.word_count > 0) {
        err = process_find(c->driver.words[0], &c->compiler);
        if (err == -ENOENT)
            return mw_fail(c->ret_error, err, "compile '%s': CC says '%s', which is no program here",
                           c->options->source, c->driver.words[0]);
    }
    for (i = 0; c->driver.word_count == 0 && err == -ENOENT && i < MW_COUNT(usual); i++)
        err = process_find(usual[i], &c->compiler);
    if (err == -ENOENT)
        return mw_fail(c->ret_error, err, "compile '%s': no C compiler here (cc, gcc or clang); install one: "
                       "apt install gcc libc6-dev", c->options->source);
    if (c->driver.word_count == 0 && err == 0)
        process_command_add(&c->driver, c->compiler);
    if (err == 0)
        err = c->driver.error;
    return err == 0 ? 0 : mw_fail(c->ret_error, err, "find a compiler: %s", mw_strerror(err));
}

static void add_driver(const struct compile *c, struct process_command *command)
{
    size_t i;

    for (i = 0; i < c->driver.word_count; i++)
        process_command_add(command, c->driver.words[i]);
}

/* The key of how: another compiler, other flags, another library give another build. */
static int make_key(struct compile *c)
{
    struct cache_digest *d = NULL;
    struct stat status;
    char identity[256], source[PATH_MAX];
    const char *const environment[] = {getenv("CFLAGS"), getenv("LDLIBS")};
    const char *parts[] = {"meshwork build 1", identity, compile_flags, link_flags, c->place.include_dir,
                           c->place.library ? c->place.library : "", c->place.core ? c->place.core : "", source,
                           environment[0] ? environment[0] : "", environment[1] ? environment[1] : ""};
    size_t i;
    int err;

    if (!realpath(c->options->source, source))
        return mw_fail(c->ret_error, -errno, "compile '%s': %s", c->options->source, strerror(errno));
    if (stat(c->compiler, &status) < 0)
        return mw_fail(c->ret_error, -errno, "look at the compiler '%s': %s", c->compiler, strerror(errno));
    /* What an update of the compiler changes; asking it for its version would take longer than all the rest. */
    (void)snprintf(identity, sizeof identity, "abi %u, compiler of %jd bytes, %jd.%09ld", MW_ABI,
                   (intmax_t)status.st_size, (intmax_t)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    err = cache_digest_new(&d);
    for (i = 0; err == 0 && i < MW_COUNT(parts); i++)
        err = cache_digest_text(d, parts[i]);
    for (i = 0; err == 0 && i < c->driver.word_count; i++)
        err = cache_digest_text(d, c->driver.words[i]);
    if (err == 0)
        err = cache_digest_key(d, c->key);
    cache_digest_free(d);
    return err == 0 ? 0 : mw_fail(c->ret_error, err, "key the build of '%s': %s", c->options->source,
                                  mw_strerror(err));
}

/* ---- what was compiled before ------------------------------------------------------------------------------ */

struct content {
    struct cache_digest *digest;
    struct timespec before; /* a file changed since then may differ from what was compiled */
    bool is_stable;
};

static int add_content(void *context, const char *path)
{
    struct content *content = context;
    struct stat status;

    if (stat(path, &status) < 0)
        return -errno;
    if (status.st_mtim.tv_sec > content->before.tv_sec ||
        (status.st_mtim.tv_sec == content->before.tv_sec && status.st_mtim.tv_nsec >= content->before.tv_nsec))
        content->is_stable = false;
    if (cache_digest_text(content->digest, path) < 0)
        return -EIO;
    return cache_digest_file(content->digest, path);
}

/* The path of the build that belongs to a list of files as they are now.
 * ret_is_stable  may be NULL; false: one of them changed while it was compiled */
static int object_path(const struct compile *c, const char *rule_path, char ret[PATH_MAX], bool *ret_is_stable)
{
    struct content content = {.before = c->started, .is_stable = true};
    struct mw_buffer rule;
    char key[CACHE_KEY_BYTES];
    int err = cache_read_file(rule_path, OUTPUT_LIMIT_BYTES, &rule);

    if (err < 0)
        return err;
    err = mw_buffer_append_byte(&rule, 0);
    if (err == 0)
        err = cache_digest_new(&content.digest);
    if (err == 0)
        err = cache_each_dependency((const char *)rule.data, add_content, &content);
    if (err == 0)
        err = cache_digest_key(content.digest, key);
    cache_digest_free(content.digest);
    mw_buffer_clear(&rule);
    if (err < 0)
        return err;
    if ((size_t)snprintf(ret, PATH_MAX, "%s/%s-%s.so", c->cache, c->key, key) >= PATH_MAX)
        return -ENAMETOOLONG;
    if (ret_is_stable)
        *ret_is_stable = content.is_stable;
    return 0;
}

static bool is_own_file(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid();
}

/* ---- compiling -------------------------------------------------------------------------------------------- */

/* Pass on what the compiler has printed, line by line. returns whether it has printed anything */
static bool say_output(const struct compile *c, const char *path)
{
    struct mw_buffer output;
    char *rest, *line;
    bool is_said;

    if (cache_read_file(path, OUTPUT_LIMIT_BYTES, &output) < 0)
        return false;
    is_said = output.count > 0;
    if (mw_buffer_append_byte(&output, 0) == 0) {
        rest = (char *)output.data;
        while (c->options->say && (line = strsep(&rest, "\n")) != NULL)
            if (rest || *line != '\0')
                c->options->say(c->options->context, line);
    }
    mw_buffer_clear(&output);
    return is_said;
}

static const char *scratch(const struct compile *c, const char *suffix, char ret[PATH_MAX])
{
    (void)snprintf(ret, PATH_MAX, "%s%s", c->base, suffix);
    return ret;
}

static int run_step(const struct compile *c, struct process_command *command, const char *step)
{
    char output[PATH_MAX];
    int status = 0, err = process_run(c->compiler, command, scratch(c, ".log", output), &status);
    bool is_said;

    process_command_clear(command);
    if (err < 0)
        return mw_fail(c->ret_error, err, "%s '%s': run '%s': %s", step, c->options->source, c->compiler,
                       mw_strerror(err));
    is_said = say_output(c, output);
    if (status > 128)
        return mw_fail(c->ret_error, -ENOEXEC, "%s '%s': '%s' was ended by signal %d", step, c->options->source,
                       c->compiler, status - 128);
    if (status != 0 && !is_said) /* what it prints goes there, too */
        return mw_fail(c->ret_error, -ENOEXEC, "%s '%s': %s failed without a word; is there room left in the cache (%s)?", step,
                       c->options->source, c->driver.words[0], c->base);
    if (status != 0)
        return mw_fail(c->ret_error, -ENOEXEC, "%s '%s': correct what %s says above", step, c->options->source,
                       c->driver.words[0]);
    return 0;
}

static int run_compiler(const struct compile *c)
{
    struct process_command command = {0};
    char path[PATH_MAX];

    add_driver(c, &command);
    process_command_add_words(&command, compile_flags);
    process_command_add(&command, "-I");
    process_command_add(&command, c->place.include_dir);
    process_command_add_words(&command, getenv("CFLAGS"));
    process_command_add_words(&command, "-MMD -MT app -MF");
    process_command_add(&command, scratch(c, ".d", path));
    process_command_add_words(&command, "-c -o");
    process_command_add(&command, scratch(c, ".o", path));
    process_command_add(&command, c->options->source);
    return run_step(c, &command, "compile");
}

static int run_linker(const struct compile *c)
{
    struct process_command command = {0};
    char path[PATH_MAX];

    add_driver(c, &command);
    process_command_add_words(&command, link_flags);
    process_command_add(&command, "-o");
    process_command_add(&command, scratch(c, ".so", path));
    process_command_add(&command, scratch(c, ".o", path));
    if (c->place.library && c->place.core) {
        process_command_add(&command, "-Wl,-z,defs"); /* what is missing is said now, not at its first use */
        process_command_add(&command, c->place.library);
        process_command_add(&command, c->place.core);
    }
    process_command_add_words(&command, getenv("LDLIBS"));
    process_command_add(&command, "-lm");
    return run_step(c, &command, "link");
}

static void remove_scratch(const struct compile *c)
{
    static const char *const suffixes[] = {".d", ".o", ".so", ".log"};
    char path[PATH_MAX];
    size_t i;

    for (i = 0; i < MW_COUNT(suffixes); i++)
        (void)unlink(scratch(c, suffixes[i], path)); /* what was renamed or never made is not there */
}

/* Older builds of this app.c: a running server keeps what it has mapped. */
static void remove_older(const struct compile *c, const char *object)
{
    const char *name = strrchr(object, '/') + 1;
    DIR *dir = opendir(c->cache);
    struct dirent *entry;
    char path[PATH_MAX];

    while (dir && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, c->key, strlen(c->key)) != 0 || entry->d_name[strlen(c->key)] != '-' ||
            strcmp(entry->d_name, name) == 0)
            continue;
        if ((size_t)snprintf(path, sizeof path, "%s/%s", c->cache, entry->d_name) < sizeof path)
            (void)unlink(path); /* another server may have been faster */
    }
    if (dir)
        (void)closedir(dir); /* was only read */
}

/* Put a fresh build where the next start finds it: the object first, then the list that leads to it. */
static int keep(const struct compile *c, const char *rule, char object[PATH_MAX])
{
    char path[PATH_MAX];
    bool is_stable = false;
    int err = object_path(c, scratch(c, ".d", path), object, &is_stable);

    if (err < 0)
        return err;
    if (rename(scratch(c, ".so", path), object) < 0)
        return -errno;
    if (is_stable && rename(scratch(c, ".d", path), rule) < 0)
        return -errno;
    remove_older(c, object);
    return 0;
}

static int build(struct compile *c, const char *rule, char object[PATH_MAX])
{
    int err;

    if ((size_t)snprintf(c->base, sizeof c->base, "%s/build-%ld-%" PRId64, c->cache, (long)getpid(), mw_now_ns()) >=
        sizeof c->base)
        return mw_fail(c->ret_error, -ENAMETOOLONG, "compile '%s': the cache's name is too long", c->options->source);
    err = run_compiler(c);
    if (err == 0)
        err = run_linker(c);
    if (err == 0) {
        err = keep(c, rule, object);
        if (err < 0)
            err = mw_fail(c->ret_error, err, "put the build of '%s' into '%s': %s", c->options->source, c->cache,
                          mw_strerror(err));
    }
    remove_scratch(c);
    return err;
}

int compile_app(const struct compile_options *options, char **ret_object, struct mw_error *ret_error)
{
    struct compile c = {.options = options, .ret_error = ret_error};
    char rule[PATH_MAX], object[PATH_MAX];
    int err = access(options->source, R_OK) < 0 ? -errno : 0;

    if (err < 0)
        return mw_fail(ret_error, err, "read '%s': %s", options->source, strerror(-err));
    (void)clock_gettime(CLOCK_REALTIME_COARSE, &c.started); /* the clock that stamps files; it cannot fail */
    err = cache_open(&c.cache, ret_error);
    if (err == 0)
        err = place_find(&c.place, ret_error);
    if (err == 0)
        err = find_compiler(&c);
    if (err == 0)
        err = make_key(&c);
    if (err == 0 && (size_t)snprintf(rule, sizeof rule, "%s/%s.d", c.cache, c.key) >= sizeof rule)
        err = mw_fail(ret_error, -ENAMETOOLONG, "compile '%s': the cache's name is too long", options->source);
    if (err == 0 && (!is_own_file(rule) || object_path(&c, rule, object, NULL) < 0 || !is_own_file(object)))
        err = build(&c, rule, object);
    if (err == 0) {
        *ret_object = mw_copy_text(object);
        if (!*ret_object)
            err = mw_fail(ret_error, -ENOMEM, "compile '%s': out of memory", options->source);
    }
    compile_clear(&c);
    return err;
}
