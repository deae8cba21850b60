/* meshwork policy: what policies say, before anybody meets them: explain, lint, test, diff.
 * Starts nothing: back ends are loaded, none of their code runs. Not how policies decide; that is src/exposable/.
 * Read next: meshwork/server.h, "policies, looked at".
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <meshwork/users.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

enum { WHO_BYTES = 1024, LINE_BYTES = 4096 };

/* What the words say. */
struct policy_words {
    const char *names[3]; /* FILE or OLD, NEW, FOLDER */
    size_t name_count;
    const char *user, *role, *op, *name, *state;
};

static const struct {
    const char *flag;
    size_t offset;
} flags[] = {
    {"--user", offsetof(struct policy_words, user)}, {"--role", offsetof(struct policy_words, role)},
    {"--op", offsetof(struct policy_words, op)},     {"--name", offsetof(struct policy_words, name)},
    {"--state", offsetof(struct policy_words, state)},
};

MW_PRINTF(1, 2) static int usage(const char *format, ...)
{
    va_list arguments;

    fputs("meshwork: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs(" (`meshwork policy --help` says more)\n", stderr);
    return CLI_USAGE;
}

/* Where a flag's value belongs; NULL: it is none. */
static const char **place_of(struct policy_words *w, const char *flag)
{
    size_t i;

    for (i = 0; i < MW_COUNT(flags); i++)
        if (strcmp(flags[i].flag, flag) == 0)
            return (const char **)(void *)((char *)w + flags[i].offset);
    return NULL;
}

static int read_words(struct policy_words *w, int word_count, char **words)
{
    int i;

    for (i = 0; i < word_count; i++) {
        char *equals = words[i][0] == '-' ? strchr(words[i], '=') : NULL;
        const char **place;

        if (words[i][0] != '-' || words[i][1] == '\0') {
            if (w->name_count == MW_COUNT(w->names))
                return usage("'%s' is a word too many", words[i]);
            w->names[w->name_count++] = words[i];
            continue;
        }
        if (equals)
            *equals = '\0';
        place = place_of(w, words[i]);
        if (!place)
            return usage("%s is no flag of policy; there are --user, --role, --op, --name, --state", words[i]);
        if (!equals && i + 1 == word_count)
            return usage("%s wants a value", words[i]);
        *place = equals ? equals + 1 : words[++i];
    }
    return CLI_DONE;
}

/* ---- who, and what ------------------------------------------------------------------------------------- */

/* Somebody whose rights are asked for. */
struct person {
    char shown[WHO_BYTES];
    char text[WHO_BYTES]; /* what roles point into */
    const char *roles[MW_USER_ROLES_MOST];
    size_t role_count;
};

/* "operator,viewer" */
static int take_roles(struct person *p, const char *list, struct mw_error *error)
{
    char *rest = p->text, *role;

    (void)snprintf(p->text, sizeof p->text, "%s", list);
    p->role_count = 0;
    while ((role = strsep(&rest, ", ")) != NULL) {
        if (*role == '\0')
            continue;
        if (p->role_count == MW_USER_ROLES_MOST)
            return mw_fail(error, -EINVAL, "'%s': more roles than a user can have", list);
        p->roles[p->role_count++] = role;
    }
    return 0;
}

static int take_user(struct person *p, const mw_users *users, const char *name, struct mw_error *error)
{
    const mw_user *user = mw_users_find(users, name);
    char list[WHO_BYTES] = "";
    size_t i, used = 0;

    if (!user)
        return mw_fail(error, -ENOENT, "there is no user '%s'", name);
    for (i = 0; i < user->role_count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? "," : "", user->roles[i]);
    (void)snprintf(p->shown, sizeof p->shown, "%s (%s)", name, user->role_count > 0 ? list : "no role");
    return take_roles(p, list, error);
}

static int read_right(const char *op)
{
    static const struct {
        const char *word;
        int right;
    } ops[] = {{"get", MW_GETTABLE}, {"watch", MW_GETTABLE}, {"set", MW_SETTABLE}, {"call", MW_CALLABLE},
               {"send", MW_CALLABLE}, {"hear", MW_HEARABLE}};
    size_t i;

    for (i = 0; i < MW_COUNT(ops); i++)
        if (strcmp(ops[i].word, op) == 0)
            return ops[i].right;
    return 0;
}

static const char *const outcomes[] = {"deny", "allow", "depends"};

/* ---- what is looked at ------------------------------------------------------------------------------------- */

static bool is_file(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static bool is_folder(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* An app, or a file of policies for the app in folder (NULL: the one that the file lies in).
 * ret  returned owned: mw_server_free */
static int open_policies(const char *path, const char *folder, const char *state, mw_server **ret, struct mw_error *error)
{
    mw_server *server = mw_server_new();
    char beside[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int err = server ? 0 : mw_fail(error, -ENOMEM, "out of memory");

    (void)snprintf(beside, sizeof beside, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (err == 0) {
        mw_server_on_log(server, cli_print_line, NULL);
        err = mw_server_read_environment(server, error);
    }
    if (err == 0 && state)
        err = mw_server_set(server, "state", state, error);
    if (err == 0)
        err = mw_server_mount_dir(server, is_file(path) ? (folder ? folder : beside) : path, error);
    if (err == 0 && is_file(path))
        err = mw_server_use_policies(server, 0, path, error);
    if (err == 0)
        err = mw_server_open_policies(server, error);
    if (err < 0) {
        mw_server_free(server);
        return err;
    }
    *ret = server;
    return 0;
}

static int open_users(const mw_server *server, mw_users **ret, struct mw_error *error)
{
    char dir[PATH_MAX];
    int err = mw_server_state_dir(server, dir, sizeof dir, error);

    return err < 0 ? err : mw_users_open(dir, ret, error);
}

/* ---- explain ------------------------------------------------------------------------------------------------- */

static const char *text_of(mw_value map, const char *key)
{
    const mw_value *member = mw_map_get(map, key);
    const char *text = member ? mw_get_text(member, NULL) : NULL;

    return text ? text : "";
}

static void print_trail(mw_value trail)
{
    const mw_value *rules = mw_map_get(trail, "rules");
    size_t i;

    printf("  %s\n", text_of(trail, "why"));
    for (i = 0; rules && i < mw_list_count(*rules); i++) {
        const mw_value *rule = mw_list_at(*rules, i), *line = mw_map_get(*rule, "line");
        int64_t number = 0;
        const char *shown = text_of(*rule, "rule"), *condition = strrchr(shown, '@');

        printf("    policy %s", text_of(*rule, "policy"));
        if (line && mw_get_int(*line, &number) == 0)
            printf(", line %lld of app.ini", (long long)number);
        printf(": %s: %s%s%s\n", shown, text_of(*rule, "says"), condition ? " where the predicate holds: " : "",
               condition ? condition + 1 : "");
    }
}

static bool has_role(const mw_server *server, const char *role)
{
    const char *name;
    size_t i;

    for (i = 0; (name = mw_server_role_at(server, 0, i)) != NULL; i++)
        if (strcmp(name, role) == 0)
            return true;
    return false;
}

static int find_person(const mw_server *server, const struct policy_words *w, struct person *p, struct mw_error *error)
{
    mw_users *users = NULL;
    size_t i;
    int err;

    if (!w->user) {
        (void)snprintf(p->shown, sizeof p->shown, "[%.500s]", w->role ? w->role : "anonymous");
        err = take_roles(p, w->role ? w->role : "anonymous", error);
        for (i = 0; err == 0 && i < p->role_count; i++)
            if (!has_role(server, p->roles[i]))
                fprintf(stderr, "meshwork: there is no [role %s]: it gives nothing\n", p->roles[i]);
        return err;
    }
    err = open_users(server, &users, error);
    if (err == 0)
        err = take_user(p, users, w->user, error);
    mw_users_free(users);
    return err;
}

static int explain(const struct policy_words *w, int *ret_code, struct mw_error *error)
{
    int right = w->op ? read_right(w->op) : 0, outcome = 0, err;
    mw_value trail = mw_null();
    mw_server *server = NULL;
    struct person p = {.role_count = 0};

    if (w->op && right == 0) {
        *ret_code = usage("--op '%s': want get, set, call, send, watch or hear", w->op);
        return 0;
    }
    if (w->user && w->role) {
        *ret_code = usage("--user and --role: want one of them");
        return 0;
    }
    if (right == 0 || !w->name || *w->name == '\0' || w->name_count > 1) {
        *ret_code = usage("want: meshwork policy explain [FOLDER] --name NAME --op get|set|call|send|watch|hear "
                          "[--user NAME | --role A,B]");
        return 0;
    }
    err = open_policies(w->name_count > 0 ? w->names[0] : ".", NULL, w->state, &server, error);
    if (err == 0)
        err = find_person(server, w, &p, error);
    if (err == 0)
        err = outcome = mw_server_explain(server, 0, p.roles, p.role_count, right, w->name, &trail);
    if (err >= 0) {
        printf("%s: %s %s: %s\n", p.shown, w->op, w->name, outcomes[outcome]);
        print_trail(trail);
        *ret_code = CLI_DONE;
    }
    mw_release(trail);
    mw_server_free(server);
    return err < 0 ? err : 0;
}

/* ---- lint ---------------------------------------------------------------------------------------------------- */

static void print_finding(void *context, const char *line)
{
    (void)context;
    puts(line);
}

static int lint(const struct policy_words *w, int *ret_code, struct mw_error *error)
{
    mw_server *server = NULL;
    int findings = 0, err;

    *ret_code = CLI_DONE;
    if (w->name_count > 2 || (w->name_count == 2 && !is_file(w->names[0]))) {
        *ret_code = usage("want: meshwork policy lint [FOLDER], or FILE [FOLDER]");
        return 0;
    }
    err = open_policies(w->name_count > 0 ? w->names[0] : ".", w->name_count > 1 ? w->names[1] : NULL, w->state, &server, error);
    if (err == 0)
        err = findings = mw_server_lint(server, 0, print_finding, NULL, error);
    if (findings > 0)
        *ret_code = CLI_FAILED;
    mw_server_free(server);
    return err < 0 ? err : 0;
}

/* ---- test ------------------------------------------------------------------------------------------------------ */

/* A table under way. */
struct table {
    mw_server *server;
    mw_users *users; /* NULL: not opened yet */
    const char *file;
    int line, passed, failed;
};

#define table_fail(t, error, ...) mw_fail_at((error), -EINVAL, (t)->file, (t)->line, 0, __VA_ARGS__)

static int read_who(struct table *t, char *who, struct person *p, struct mw_error *error)
{
    size_t count = strlen(who);
    int err;

    if (who[0] == '[' && count > 2 && who[count - 1] == ']') {
        (void)snprintf(p->shown, sizeof p->shown, "%.1000s", who);
        who[count - 1] = '\0';
        return take_roles(p, who + 1, error);
    }
    err = t->users ? 0 : open_users(t->server, &t->users, error);
    if (err == 0)
        err = take_user(p, t->users, who, error);
    if (err < 0 && (strchr(who, '[') || strchr(who, ']')))
        return table_fail(t, error, "'%s' is no list of roles: want [ROLE] or [ROLE,ROLE]", who);
    return err < 0 ? table_fail(t, error, "'%s' is no user; a role is written [%s]", who, who) : 0;
}

static int test_line(struct table *t, char *line, struct mw_error *error)
{
    char *rest = line, *words[5];
    struct person p = {.role_count = 0};
    mw_value trail = mw_null();
    size_t count = 0;
    int right, outcome, err;

    line[strcspn(line, "#\r\n")] = '\0';
    while (count < MW_COUNT(words) && (words[count] = strsep(&rest, " \t")) != NULL)
        count += *words[count] != '\0';
    if (count == 0)
        return 0;
    right = count == 4 ? read_right(words[1]) : 0;
    if (right == 0 || (strcmp(words[3], "allow") != 0 && strcmp(words[3], "deny") != 0 && strcmp(words[3], "depends") != 0))
        return table_fail(t, error, "want: WHO get|set|call|send|watch|hear NAME allow|deny|depends; WHO is a user, or [ROLE,ROLE]");
    err = read_who(t, words[0], &p, error);
    if (err < 0)
        return err;
    outcome = mw_server_explain(t->server, 0, p.roles, p.role_count, right, words[2], &trail);
    if (outcome < 0)
        return table_fail(t, error, "%s", mw_strerror(outcome));
    if (strcmp(outcomes[outcome], words[3]) == 0) {
        t->passed++;
    } else {
        t->failed++;
        printf("%s: line %d: %s: %s %s: expected %s, is %s\n", t->file, t->line, p.shown, words[1], words[2], words[3], outcomes[outcome]);
        print_trail(trail);
    }
    mw_release(trail);
    return 0;
}

static int test_lines(struct table *t, FILE *file, struct mw_error *error)
{
    char line[LINE_BYTES];
    int err = 0;

    while (err == 0 && fgets(line, sizeof line, file)) {
        t->line++;
        if (!strchr(line, '\n') && !feof(file))
            err = table_fail(t, error, "the line is longer than %d bytes, or has a byte 0 in it", LINE_BYTES);
        else
            err = test_line(t, line, error);
    }
    return err;
}

static int test(const struct policy_words *w, int *ret_code, struct mw_error *error)
{
    struct table t = {.file = w->name_count > 0 ? w->names[0] : ""};
    FILE *file;
    int err;

    *ret_code = CLI_DONE;
    if (w->name_count < 1 || w->name_count > 2) {
        *ret_code = usage("want: meshwork policy test FILE [FOLDER]");
        return 0;
    }
    if (is_folder(t.file))
        return mw_fail(error, -EISDIR, "read '%s': it is a folder; want a file of lines such as: [operator] set speed allow", t.file);
    file = fopen(t.file, "re");
    if (!file)
        return mw_fail(error, -errno, "read '%s': %s", t.file, strerror(errno));
    err = open_policies(w->name_count > 1 ? w->names[1] : ".", NULL, w->state, &t.server, error);
    if (err == 0)
        err = test_lines(&t, file, error);
    if (err == 0) {
        printf("%d passed, %d failed\n", t.passed, t.failed);
        *ret_code = t.failed > 0 ? CLI_FAILED : CLI_DONE;
    }
    (void)fclose(file); /* nothing was written */
    mw_users_free(t.users);
    mw_server_free(t.server);
    return err;
}

/* ---- diff -------------------------------------------------------------------------------------------------------- */

static bool has_name(const mw_server *server, const char *wanted)
{
    const char *name;
    size_t i;
    int rights;

    for (i = 0; (name = mw_server_name_at(server, 0, i, &rights)) != NULL; i++)
        if (strcmp(name, wanted) == 0)
            return true;
    return false;
}

/* One role, one name: what it gains and loses. */
static int compare(mw_server *before, mw_server *after, const char *role, const char *name, int rights)
{
    static const char *const words[] = {"get", "set", "call"};
    int differences = 0, i;

    for (i = 0; i < 3; i++) {
        int was, is;

        if (!(rights & 1 << i))
            continue;
        was = mw_server_explain(before, 0, &role, 1, 1 << i, name, NULL);
        is = mw_server_explain(after, 0, &role, 1, 1 << i, name, NULL);
        if (was == is || was < 0 || is < 0)
            continue;
        differences++;
        printf("%c [%s] %s %s%s\n", is == 0 ? '-' : was == 0 ? '+' : '~', role, words[i], name,
               is == 2 ? ": depends on a predicate" : was == 2 && is == 1 ? ": no longer depends on a predicate" : "");
    }
    return differences;
}

/* For each role of `of`; those that `but` has too are left out. but NULL: none */
static int compare_roles(mw_server *before, mw_server *after, const mw_server *of, const mw_server *but)
{
    const char *role, *name;
    size_t i, k;
    int differences = 0, rights;

    for (i = 0; (role = mw_server_role_at(of, 0, i)) != NULL; i++) {
        if (but && has_role(but, role))
            continue;
        for (k = 0; (name = mw_server_name_at(after, 0, k, &rights)) != NULL; k++)
            differences += compare(before, after, role, name, rights);
        for (k = 0; (name = mw_server_name_at(before, 0, k, &rights)) != NULL; k++)
            if (!has_name(after, name))
                differences += compare(before, after, role, name, rights);
    }
    return differences;
}

static int diff(const struct policy_words *w, int *ret_code, struct mw_error *error)
{
    mw_server *before = NULL, *after = NULL;
    const char *folder = w->name_count > 2 ? w->names[2] : NULL;
    int err;

    *ret_code = CLI_DONE;
    if (w->name_count < 2) {
        *ret_code = usage("want: meshwork policy diff OLD NEW [FOLDER], where OLD and NEW are folders or files such as app.ini");
        return 0;
    }
    if (folder && !is_folder(folder))
        return mw_fail(error, -ENOENT, "app folder '%s': there is no such folder", folder);
    if (!folder && !is_file(w->names[1]))
        folder = w->names[1]; /* an old app.ini for the app as it is now */
    err = open_policies(w->names[0], folder, w->state, &before, error);
    if (err == 0)
        err = open_policies(w->names[1], folder, w->state, &after, error);
    if (err == 0 && compare_roles(before, after, after, NULL) + compare_roles(before, after, before, after) > 0)
        *ret_code = CLI_FAILED;
    mw_server_free(before);
    mw_server_free(after);
    return err;
}

/* ---- all -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    int (*run)(const struct policy_words *w, int *ret_code, struct mw_error *error);
} commands[] = {{"explain", explain}, {"lint", lint}, {"test", test}, {"diff", diff}};

int cli_policy(int word_count, char **words)
{
    struct policy_words w = {.name_count = 0};
    struct mw_error error = {0};
    size_t i;
    int code;

    if (word_count == 0)
        return usage("policy wants a word: explain, lint, test, diff");
    if (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0) {
        cli_print_policy_help();
        return CLI_DONE;
    }
    for (i = 0; i < MW_COUNT(commands) && strcmp(commands[i].word, words[0]) != 0; i++)
        ;
    if (i == MW_COUNT(commands))
        return usage("policy has no word '%s'; there are explain, lint, test, diff", words[0]);
    code = read_words(&w, word_count - 1, words + 1);
    if (code != CLI_DONE)
        return code;
    if (commands[i].run != explain && (w.user || w.role || w.op || w.name))
        return usage("--%s is for policy explain", w.user ? "user" : w.role ? "role" : w.op ? "op" : "name");
    if (commands[i].run(&w, &code, &error) < 0)
        return cli_fail(CLI_FAILED, &error);
    return code;
}
