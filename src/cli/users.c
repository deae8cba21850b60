/* meshwork user: who may log in. Works on the file of users, whether or not a server runs; one that does takes the change within a
 * second. Not how they are kept; that is src/users/. Read next: meshwork/users.h.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <meshwork/users.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/cli.h"

enum { PASSWORD_ROOM = MW_PASSWORD_MOST_BYTES + 3 };

/* What the words behind `user` say. */
struct user_words {
    const char *names[3]; /* NAME, what comes behind it, FOLDER */
    size_t name_count;
    const char *roles[MW_USER_ROLES_MOST];
    size_t role_count;
    char *role_texts[MW_USER_ROLES_MOST]; /* what roles point into */
    size_t role_text_count;
    const char *state;
    int64_t life_s;  /* 0: not said */
    bool has_no_password;
    unsigned flags; /* which were given: enum user_flag bits */
    const char *dir; /* where the users are */
};

/* Which flags a word takes; --state is for all. */
enum user_flag { FLAG_ROLE = 1, FLAG_EXPIRES = 2, FLAG_NO_PASSWORD = 4 };

/* ---- words ---------------------------------------------------------------------------------------------- */

MW_PRINTF(1, 2) static int usage(const char *format, ...)
{
    va_list arguments;

    fputs("meshwork: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs(" (`meshwork user --help` says more)\n", stderr);
    return CLI_USAGE;
}

/* "a,b": added to those there are. */
static int read_roles(struct user_words *w, const char *list)
{
    char *copy = w->role_text_count < MW_COUNT(w->role_texts) ? mw_copy_text(list) : NULL, *rest = copy, *role;

    if (!copy)
        return usage("%s: more roles than a user can have, or out of memory", list);
    w->role_texts[w->role_text_count++] = copy;
    while ((role = strsep(&rest, ",")) != NULL) {
        if (*role == '\0')
            return usage("'%s': want roles such as operator,viewer%s", list, *list == '\0' ? "; for none, user role takes -" : ": a comma too many");
        if (w->role_count == MW_USER_ROLES_MOST)
            return usage("%s: more roles than a user can have", list);
        w->roles[w->role_count++] = role;
    }
    return CLI_DONE;
}

/* "90m", "12h", "30d", "600s". 0: none of these */
static int64_t read_life(const char *text)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    long count = strtol(text, &end, 10);
    size_t i;

    for (i = 0; i < MW_COUNT(units) && count > 0 && count < 40000000; i++)
        if (end != text && end[0] == units[i].unit && end[1] == '\0')
            return count * units[i].seconds;
    return 0;
}

static int read_flag(struct user_words *w, const char *flag, const char *value)
{
    if (strcmp(flag, "--role") == 0 || strcmp(flag, "--roles") == 0) {
        w->flags |= FLAG_ROLE;
        return read_roles(w, value);
    }
    if (strcmp(flag, "--state") == 0) {
        w->state = value;
        return CLI_DONE;
    }
    w->flags |= FLAG_EXPIRES;
    w->life_s = read_life(value);
    return w->life_s > 0 ? CLI_DONE : usage("--expires '%s': want a time such as 90m, 12h or 30d", value);
}

static bool takes_value(const char *flag)
{
    return strcmp(flag, "--role") == 0 || strcmp(flag, "--roles") == 0 || strcmp(flag, "--state") == 0 ||
           strcmp(flag, "--expires") == 0;
}

static int read_words(struct user_words *w, int word_count, char **words)
{
    int i, code = CLI_DONE;

    for (i = 0; i < word_count && code == CLI_DONE; i++) {
        bool is_flag = words[i][0] == '-' && words[i][1] != '\0';
        char *equals = is_flag ? strchr(words[i], '=') : NULL;

        if (equals)
            *equals = '\0';
        if (strncmp(words[i], "--password", 10) == 0)
            code = usage("%s: a password on the command line can be read by every program of this machine: leave it out and type it, "
                         "or give it as a line of stdin", words[i]);
        else if (strcmp(words[i], "--no-password") == 0) {
            w->has_no_password = true;
            w->flags |= FLAG_NO_PASSWORD;
        }
        else if (is_flag && !takes_value(words[i]))
            code = usage("%s is no flag of user; there are --role, --state, --expires, --no-password", words[i]);
        else if (equals)
            code = read_flag(w, words[i], equals + 1);
        else if (is_flag)
            code = i + 1 < word_count ? read_flag(w, words[i], words[i + 1]) : usage("%s wants a value", words[i]);
        else if (w->name_count == MW_COUNT(w->names))
            code = usage("'%s' is a word too many", words[i]);
        else
            w->names[w->name_count++] = words[i];
        i += !equals && is_flag && takes_value(words[i]);
    }
    return code;
}

/* ---- passwords --------------------------------------------------------------------------------------------- */

/* A line, without its end. 0, or why not */
static int read_line(FILE *from, char line[PASSWORD_ROOM])
{
    size_t count;

    if (!fgets(line, PASSWORD_ROOM, from))
        return -ENODATA;
    count = strcspn(line, "\r\n");
    if (line[count] == '\0' && count == PASSWORD_ROOM - 1)
        return -EMSGSIZE;
    line[count] = '\0';
    return 0;
}

static int ask(FILE *terminal, const char *prompt, char line[PASSWORD_ROOM])
{
    struct termios before, quiet;
    bool has_echo = tcgetattr(fileno(terminal), &before) == 0;
    int err;

    if (has_echo) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG); /* Ctrl-C is read as a character, so that the echo is put back */
        (void)tcsetattr(fileno(terminal), TCSAFLUSH, &quiet); /* where it fails the password shows */
    }
    fputs(prompt, stderr); /* only now: what is typed before the flush is lost */
    err = read_line(terminal, line);
    if (has_echo)
        (void)tcsetattr(fileno(terminal), TCSAFLUSH, &before); /* as it was */
    fputc('\n', stderr);
    return err == 0 && (strchr(line, 3) || strchr(line, 28) || strchr(line, 26)) ? -ECANCELED : err;
}

/* From the terminal, twice and unseen, or a line of stdin. */
static int read_password(char password[PASSWORD_ROOM], struct mw_error *error)
{
    char again[PASSWORD_ROOM] = "";
    int err;

    if (!isatty(STDIN_FILENO)) {
        err = read_line(stdin, password);
    } else {
        err = ask(stdin, "Password: ", password);
        if (err == 0)
            err = ask(stdin, "Once more: ", again);
        if (err == 0 && strcmp(password, again) != 0)
            err = mw_fail(error, -EINVAL, "the two passwords differ; nothing was changed");
        explicit_bzero(again, sizeof again);
    }
    if (err == -ENODATA)
        return mw_fail(error, err, "want the password on a line of stdin; for a user who comes by token alone say --no-password");
    if (err == -ECANCELED)
        return mw_fail(error, err, "not done");
    return err == -EMSGSIZE ? mw_fail(error, err, "a password has at most %d bytes", MW_PASSWORD_MOST_BYTES) : err;
}

/* ---- what is to be done --------------------------------------------------------------------------------------- */

static int add(mw_users *users, struct user_words *w, struct mw_error *error)
{
    char password[PASSWORD_ROOM] = "";
    int err = w->has_no_password ? 0 : read_password(password, error);

    if (err == 0)
        err = mw_users_add(users, w->names[0], w->roles, w->role_count, w->has_no_password ? NULL : password, error);
    explicit_bzero(password, sizeof password);
    if (err == 0 && isatty(STDOUT_FILENO)) /* a server with another state directory knows nothing of it */
        (void)printf("'%s' is one of the users in %s now\n", w->names[0], w->dir);
    return err;
}

static int set_password(mw_users *users, struct user_words *w, struct mw_error *error)
{
    char password[PASSWORD_ROOM] = "";
    int err = mw_users_find(users, w->names[0]) ? read_password(password, error)
                                                : mw_fail(error, -ENOENT, "there is no user '%s'", w->names[0]);

    if (err == 0)
        err = mw_users_set_password(users, w->names[0], password, error);
    explicit_bzero(password, sizeof password);
    return err;
}

static int remove_user(mw_users *users, struct user_words *w, struct mw_error *error)
{
    return mw_users_remove(users, w->names[0], error);
}

static int set_roles(mw_users *users, struct user_words *w, struct mw_error *error)
{
    w->role_count = 0;
    if (strcmp(w->names[1], "-") != 0 && read_roles(w, w->names[1]) != CLI_DONE)
        return mw_fail(error, -EINVAL, "the roles of '%s' are as they were", w->names[0]);
    return mw_users_set_roles(users, w->names[0], w->roles, w->role_count, error);
}

static int issue(mw_users *users, struct user_words *w, struct mw_error *error)
{
    char token[MW_TOKEN_BYTES];
    int err = mw_users_issue_token(users, w->names[0], w->life_s ? w->life_s : 3600, token, error);

    if (err == 0)
        printf("%s\n", token);
    return err;
}

static int revoke_token(mw_users *users, struct user_words *w, struct mw_error *error)
{
    return mw_users_revoke_token(users, w->names[0], error);
}

static int list(mw_users *users, struct user_words *w, struct mw_error *error)
{
    size_t i, k;

    (void)w;
    (void)error;
    for (i = 0; i < mw_users_count(users); i++) {
        const mw_user *user = mw_users_at(users, i);

        printf("%s%s", user->name, user->role_count > 0 ? "  " : "");
        for (k = 0; k < user->role_count; k++)
            printf("%s%s", k > 0 ? "," : "", user->roles[k]);
        puts(user->password_hash ? "" : "  (no password)");
    }
    return 0;
}

static int list_tokens(mw_users *users, struct user_words *w, struct mw_error *error)
{
    size_t i;

    (void)w;
    (void)error;
    for (i = 0; i < mw_users_token_count(users); i++) {
        mw_token token = mw_users_token_at(users, i);
        time_t ends = (time_t)token.ends_s;
        struct tm at;
        char text[32];

        if (token.ends_s <= (int64_t)time(NULL))
            continue;
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&ends, &at)); /* fits */
        printf("%s  %s  until %s\n", token.id, token.user, text);
    }
    return 0;
}

static const struct user_command {
    const char *word;
    size_t name_count;    /* how many words are wanted behind it, before FOLDER */
    const char *expected;
    int (*run)(mw_users *users, struct user_words *w, struct mw_error *error);
    unsigned flags;
    bool has_password;    /* what is behind NAME might be meant as one */
} commands[] = {
    {"add", 1, "add NAME [FOLDER] [--role A,B]", add, FLAG_ROLE | FLAG_NO_PASSWORD, true},
    {"remove", 1, "remove NAME [FOLDER]", remove_user, 0, false},
    {"list", 0, "list [FOLDER]", list, 0, false},
    {"role", 2, "role NAME A,B [FOLDER]", set_roles, 0, false},
    {"passwd", 1, "passwd NAME [FOLDER]", set_password, 0, true},
    {"token", 1, "token NAME [FOLDER] [--expires 30d]", issue, FLAG_EXPIRES, false},
    {"tokens", 0, "tokens [FOLDER]", list_tokens, 0, false},
    {"revoke", 1, "revoke ID [FOLDER]", revoke_token, 0, false},
};

/* ---- where they are -------------------------------------------------------------------------------------------- */

static int find_dir(const struct user_words *w, size_t name_count, char *ret_dir, size_t room, struct mw_error *error)
{
    mw_server *server = mw_server_new();
    const char *folder = w->name_count > name_count ? w->names[name_count] : NULL;
    int err = server ? mw_server_read_environment(server, error) : mw_fail(error, -ENOMEM, "out of memory");

    if (err == 0 && w->state)
        err = mw_server_set(server, "state", w->state, error);
    if (err == 0 && (folder || !mw_server_setting_text(server, "state")))
        err = mw_server_mount_dir(server, folder ? folder : ".", error);
    if (err == 0)
        err = mw_server_state_dir(server, ret_dir, room, error);
    mw_server_free(server);
    return err;
}

static int run(const struct user_command *command, struct user_words *w)
{
    struct mw_error error = {0};
    char dir[PATH_MAX];
    mw_users *users = NULL;
    int err = find_dir(w, command->name_count, dir, sizeof dir, &error);

    w->dir = dir;
    if (err == 0)
        err = mw_users_open(dir, &users, &error);
    if (err == 0)
        err = command->run(users, w, &error);
    mw_users_free(users);
    w->dir = NULL;
    return err < 0 ? cli_fail(CLI_FAILED, &error) : CLI_DONE;
}

static const char *flag_word(unsigned flags)
{
    return flags & FLAG_ROLE ? "--role" : flags & FLAG_EXPIRES ? "--expires" : "--no-password";
}

static bool is_folder(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

int cli_user(int word_count, char **words)
{
    struct user_words w = {.name_count = 0};
    size_t i;
    int code;

    if (word_count == 0)
        return usage("user wants a word: %s", "add, remove, list, role, passwd, token, tokens, revoke");
    if (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0) {
        cli_print_user_help();
        return CLI_DONE;
    }
    for (i = 0; i < MW_COUNT(commands) && strcmp(commands[i].word, words[0]) != 0; i++)
        ;
    if (i == MW_COUNT(commands))
        return usage("user has no word '%s'; there are add, remove, list, role, passwd, token, tokens, revoke", words[0]);
    code = read_words(&w, word_count - 1, words + 1);
    if (code == CLI_DONE && (w.flags & ~commands[i].flags))
        code = usage("%s is not for user %s; want: meshwork user %s", flag_word(w.flags & ~commands[i].flags), words[0],
                     commands[i].expected);
    if (code == CLI_DONE && commands[i].has_password && w.name_count == 2 && !is_folder(w.names[1]))
        code = usage("the word behind the name is to be the folder of an app; a password is typed, or a line of stdin");
    if (code == CLI_DONE && (w.name_count < commands[i].name_count || w.name_count > commands[i].name_count + 1))
        code = usage("want: meshwork user %s", commands[i].expected);
    if (code == CLI_DONE)
        code = run(&commands[i], &w);
    while (w.role_text_count > 0)
        mw_free(w.role_texts[--w.role_text_count]);
    return code;
}
