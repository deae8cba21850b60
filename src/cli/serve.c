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
#include <termios.h>
#include <unistd.h>

#include <meshwork/scheduler.h>
#include <meshwork/server.h>

#include "cli/activation.h"
#include "cli/cli.h"
#include "cli/notify.h"
#include "cli/become.h"

/* For the signal handlers. */
static mw_server *running;
static volatile sig_atomic_t was_told_to_end, was_told_to_reload, is_of_a_terminal;

/* ---- the process -------------------------------------------------------------------------------------------- */

/* Ctrl-C is answered at once, SIGTERM by a drain; the second of either ends it. */
static void end_on_signal(int number)
{
    int err = errno;

    if (was_told_to_end++)
        mw_server_end(running);
    else if (number == SIGTERM)
        mw_server_drain(running);
    else
        mw_server_stop(running);
    errno = err;
}

/* A terminal that was closed is none any more: its server ends with it. */
static void reload_on_signal(int number)
{
    struct termios settings;
    int err = errno;

    if (is_of_a_terminal && tcgetattr(STDIN_FILENO, &settings) < 0) {
        end_on_signal(number);
    } else {
        was_told_to_reload = 1;
        mw_server_wake(running);
    }
    errno = err;
}

static void dump_on_signal(int number)
{
    int err = errno;

    (void)number;
    mw_server_dump(running, STDERR_FILENO);
    errno = err;
}

static void handle(int number, void (*handler)(int number))
{
    struct sigaction action = {.sa_flags = SA_RESTART, .sa_handler = handler};

    sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL); /* those below always can be handled */
}

static void handle_signals(void)
{
    struct sigaction before = {0};

    is_of_a_terminal = isatty(STDIN_FILENO);
    /* A shell that starts us with & ignores SIGINT, and a script's kill -INT means us all the same. */
    handle(SIGINT, end_on_signal);
    handle(SIGTERM, end_on_signal);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) /* nohup's stays ignored */
        handle(SIGHUP, reload_on_signal);
    handle(SIGQUIT, dump_on_signal); /* Ctrl-\ */
    handle(SIGPIPE, SIG_IGN); /* whoever reads our lines may go, clients may not suffer */
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

static void print_urls(const struct cli_words *w)
{
    size_t i;

    for (i = 0; i < mw_server_app_count(w->server); i++)
        printf("meshwork: %s at %s\n", mw_server_app_name(w->server, i), mw_server_url(w->server, i));
    if (mw_server_ws_port(w->server) != 0 && !w->is_quiet)
        printf("meshwork: WebSockets also at port %d\n", mw_server_ws_port(w->server));
    if (!w->is_quiet && is_first_start())
        print_hints(w->server);
    (void)fflush(stdout); /* whoever does not read it wants none of it */
}

/* On the watch's own thread: it stands while the loop does. */
static void print_stall(void *context, const mw_stall *stall)
{
    const char *slash = strrchr(stall->file, '/');

    (void)context;
    fprintf(stderr, "meshwork: tasklet '%s' (made at %s:%d) has been running for %d ms with one item: all else on its thread waits for it\n", stall->name,
            slash ? slash + 1 : stall->file, stall->line, (int)(stall->running_ns / 1000000));
}

static void watch_stalls(const mw_server *server)
{
    const mw_stall_options options = {.warn_ns = mw_server_limit_value(server, "tasklet_warn_ms") * 1000000,
                                      .abort_ns = mw_server_limit_value(server, "tasklet_abort_ms") * 1000000,
                                      .report = print_stall};

    (void)mw_watch_stalls(&options); /* without it a stall is what it was */
}

static int mount_and_start(struct cli_words *w)
{
    struct mw_error error = {0};
    const char *user;
    int err = activation_take(w->server, &error);

    if (err == 0)
        err = cli_mount(w, &error);
    if (err == 0)
        err = mw_server_listen(w->server, &error);
    user = mw_server_setting_text(w->server, "user");
    if (err == 0 && user)
        err = user_become(user, &error);
    if (err == 0) {
        watch_stalls(w->server); /* before: workers are watched from their start */
        err = mw_server_start(w->server, &error);
    }
    if (err < 0 && was_told_to_end) /* Ctrl-C ended the compiler too: that is no failure */
        return CLI_DONE;
    return err < 0 ? cli_fail(CLI_FAILED, &error) : CLI_DONE;
}

static void reload(struct cli_words *w, const struct notify *n)
{
    was_told_to_reload = 0;
    notify_say(n, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(mw_now_ns() / 1000));
    (void)mw_server_reload(w->server, NULL); /* it has said in the log what could not be taken */
    notify_say(n, "READY=1");
}

/* mw_server_run, with the service manager told of what goes on. */
static int run(struct cli_words *w, struct notify *n)
{
    bool has_said_end = false;
    int err;

    notify_say(n, "READY=1\nMAINPID=%ld\nSTATUS=serving %s", (long)getpid(), mw_server_url(w->server, 0));
    do {
        err = mw_server_turn(w->server, notify_period_ns(n));
        if (was_told_to_end && !has_said_end) {
            has_said_end = true;
            notify_say(n, "STOPPING=1\nSTATUS=draining");
        }
        if (was_told_to_reload)
            reload(w, n);
        if (notify_is_due(n))
            notify_alive(n, mw_server_connection_count(w->server), mw_server_hung_workers(w->server));
    } while (err == 1);
    if (err < 0)
        fprintf(stderr, "meshwork: the event loop failed: %s\n", mw_strerror(err));
    return err < 0 ? CLI_FAILED : CLI_DONE;
}

static int serve(struct cli_words *w)
{
    struct notify n;
    int code;

    notify_open(&n);
    raise_descriptor_limit();
    (void)mw_catch_faults(); /* without it a fault is what it was */
    mw_server_on_log(w->server, cli_print_line, NULL);
    running = w->server;
    handle_signals();
    code = mount_and_start(w);
    if (code == CLI_DONE && !was_told_to_end) {
        if (geteuid() == 0) /* not before: what went wrong is to be the one line */
            mw_server_log(w->server, MW_LOG_WARNING, "running as root, which no app needs: a plain user is safer");
        print_urls(w);
        code = run(w, &n);
    }
    mw_unwatch_stalls();
    notify_close(&n);
    return code;
}

int cli_serve(int word_count, char **words)
{
    struct cli_words w = {.server = mw_server_new()};
    int code;

    if (!w.server) {
        fputs("meshwork: out of memory\n", stderr);
        return CLI_FAILED;
    }
    code = cli_read_words(&w, word_count, words);
    if (code == CLI_DONE && w.wants_help)
        cli_print_serve_help();
    else if (code == CLI_DONE)
        code = serve(&w);
    /* A signal that comes now must find no freed server. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGQUIT, SIG_IGN);
    mw_server_free(w.server);
    return code;
}
