/* meshwork serve: flags into settings, folders into apps, signals into a stop.
 * What it serves and how is the library's; this file has the process's own matters. Read next: server/server.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <meshwork/scheduler.h>
#include <meshwork/server.h>

#include "cli/cli.h"

static mw_server *running; /* for the signal handler alone, as is the next */
static volatile sig_atomic_t was_told_to_stop;

struct serve {
    mw_server *server;
    bool is_quiet;
    bool has_flags_ended; /* "--" was there */
    bool wants_help;
    const char *dirs[64];
    size_t dir_count;
};

static int fail(int code, const struct mw_error *error)
{
    fprintf(stderr, "meshwork: %s\n", error->text);
    return code;
}

/* ---- the command line ----------------------------------------------------------------------------------- */

static const mw_setting *find_setting(const char *name, size_t name_bytes)
{
    const mw_setting *setting;
    size_t i;

    for (i = 0; (setting = mw_server_setting_at(i)) != NULL; i++)
        if (strlen(setting->name) == name_bytes && strncmp(setting->name, name, name_bytes) == 0)
            return setting;
    return NULL;
}

static int refuse_flag(const char *word)
{
    const char *nearest = NULL;
    char name[64];

    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    if (strncmp(name, "--", 2) == 0)
        nearest = mw_server_setting_nearest(name + 2);
    if (nearest)
        fprintf(stderr, "meshwork: %s is no flag; the nearest is --%s (`meshwork serve --help` lists them)\n", name,
                nearest);
    else
        fprintf(stderr, "meshwork: %s is no flag; `meshwork serve --help` lists them\n", name);
    return CLI_USAGE;
}

/* One flag. next: the word behind it, NULL: none. ret_used_next: whether that was its value. */
static int read_flag(struct serve *s, const char *word, const char *next, bool *ret_used_next)
{
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t name_bytes = equals ? (size_t)(equals - name) : strlen(name);
    const mw_setting *setting = word[1] == '-' ? find_setting(name, name_bytes) : NULL;
    const char *value = equals ? equals + 1 : next;
    struct mw_error error = {0};

    *ret_used_next = false;
    if (!setting)
        return refuse_flag(word);
    if (setting->kind == MW_SETTING_FLAG && !equals)
        value = "yes";
    if (!value) {
        fprintf(stderr, "meshwork: --%s wants a value: --%s %s\n", setting->name, setting->name, setting->argument);
        return CLI_USAGE;
    }
    *ret_used_next = value == next;
    if (mw_server_set(s->server, setting->name, value, &error) < 0)
        return fail(CLI_USAGE, &error);
    return CLI_DONE;
}

static int read_word(struct serve *s, const char *word, const char *next, bool *ret_used_next)
{
    *ret_used_next = false;
    if (word[0] == '-' && word[1] != '\0' && !s->has_flags_ended) {
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
            s->wants_help = true;
        else if (strcmp(word, "--quiet") == 0)
            s->is_quiet = true;
        else if (strcmp(word, "--") == 0)
            s->has_flags_ended = true;
        else
            return read_flag(s, word, next, ret_used_next);
        return CLI_DONE;
    }
    if (s->dir_count == MW_COUNT(s->dirs)) {
        fprintf(stderr, "meshwork: more than %zu folders\n", MW_COUNT(s->dirs));
        return CLI_USAGE;
    }
    s->dirs[s->dir_count++] = word;
    return CLI_DONE;
}

static int read_words(struct serve *s, int word_count, char **words)
{
    int i, code = CLI_DONE;

    for (i = 0; i < word_count && code == CLI_DONE && !s->wants_help; i++) {
        bool used_next = false;

        code = read_word(s, words[i], i + 1 < word_count ? words[i + 1] : NULL, &used_next);
        i += used_next;
    }
    return code;
}

/* ---- the process -------------------------------------------------------------------------------------------- */

static void print_line(void *context, enum mw_log_source source, const char *line)
{
    (void)context;
    fprintf(stderr, "%s%s\n", source == MW_LOG_COMPILER ? "" : "meshwork: ", line);
}

static void stop_on_signal(int number)
{
    int err = errno;

    (void)number;
    was_told_to_stop = 1;
    mw_server_stop(running);
    errno = err;
}

static void dump_on_signal(int number)
{
    int err = errno;

    (void)number;
    mw_server_dump(running, STDERR_FILENO);
    errno = err;
}

static void handle_signals(void)
{
    static const int stopping[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_flags = SA_RESTART}, before = {0};
    size_t i;

    sigemptyset(&action.sa_mask);
    action.sa_handler = stop_on_signal;
    /* nohup's ignored SIGHUP stays so; but a shell that starts us with & ignores SIGINT, and a script's kill -INT means
     * us all the same. */
    for (i = 0; i < MW_COUNT(stopping); i++)
        if (stopping[i] != SIGHUP || (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN))
            (void)sigaction(stopping[i], &action, NULL); /* these signals always can be handled */
    action.sa_handler = dump_on_signal;
    (void)sigaction(SIGQUIT, &action, NULL); /* as above: Ctrl-\ */
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL); /* as above; whoever reads our lines may go, clients may not suffer */
}

/* Each client is a descriptor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* what was there before will do */
    }
}

/* Whether no server of this user has said its hints before. */
static bool is_first_start(void)
{
    char dir[PATH_MAX - 16], path[PATH_MAX];
    int fd;

    if (mw_server_cache_dir(dir, sizeof dir, NULL) < 0)
        return false;
    (void)snprintf(path, sizeof path, "%s/hints-said", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    (void)close(fd); /* nothing was written */
    return true;
}

static void print_hints(const mw_server *server)
{
    int port = mw_server_port(server);

    printf("A remote machine? ssh -L %d:localhost:%d HOST\n", port, port);
    if (access("run", X_OK) == 0 && access("examples/hello", R_OK) == 0)
        puts("Your own app? cp -r examples/hello ~/myapp && ./run ~/myapp");
    else
        puts("Your own app? A folder with an app.html: meshwork serve FOLDER");
}

static void print_urls(const struct serve *s)
{
    size_t i;

    for (i = 0; i < mw_server_app_count(s->server); i++)
        printf("meshwork: %s at %s\n", mw_server_app_name(s->server, i), mw_server_url(s->server, i));
    if (mw_server_ws_port(s->server) != 0 && !s->is_quiet)
        printf("meshwork: WebSockets also at port %d\n", mw_server_ws_port(s->server));
    if (!s->is_quiet && is_first_start())
        print_hints(s->server);
    (void)fflush(stdout); /* whoever does not read it wants none of it */
}

static int mount_and_start(struct serve *s)
{
    struct mw_error error = {0};
    size_t i;
    int err = mw_server_read_environment(s->server, &error);

    if (s->dir_count == 0)
        s->dirs[s->dir_count++] = ".";
    for (i = 0; err == 0 && i < s->dir_count; i++)
        err = mw_server_mount_dir(s->server, s->dirs[i], &error);
    if (err == 0)
        err = mw_server_start(s->server, &error);
    if (err < 0 && was_told_to_stop) /* Ctrl-C ended the compiler too: that is no failure */
        return CLI_DONE;
    return err < 0 ? fail(CLI_FAILED, &error) : CLI_DONE;
}

static int serve(struct serve *s)
{
    int code, err;

    raise_descriptor_limit();
    (void)mw_catch_faults(); /* without it a fault is what it was */
    mw_server_on_log(s->server, print_line, NULL);
    running = s->server;
    handle_signals();
    code = mount_and_start(s);
    if (code != CLI_DONE || was_told_to_stop)
        return code;
    if (geteuid() == 0) /* not before: what went wrong is to be the one line */
        fputs("meshwork: running as root, which no app needs: a plain user is safer\n", stderr);
    print_urls(s);
    err = mw_server_run(s->server);
    if (err < 0)
        fprintf(stderr, "meshwork: the event loop failed: %s\n", mw_strerror(err));
    return err < 0 ? CLI_FAILED : CLI_DONE;
}

int cli_serve(int word_count, char **words)
{
    struct serve s = {.server = mw_server_new()};
    int code;

    if (!s.server) {
        fputs("meshwork: out of memory\n", stderr);
        return CLI_FAILED;
    }
    code = read_words(&s, word_count, words);
    if (code == CLI_DONE && s.wants_help)
        cli_print_serve_help();
    else if (code == CLI_DONE)
        code = serve(&s);
    /* A signal that comes now must find no freed server. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGQUIT, SIG_IGN);
    mw_server_free(s.server);
    return code;
}
