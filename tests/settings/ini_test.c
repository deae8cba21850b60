/* app.ini: what is read, and how what is wrong is said; its policies and roles.
 * Not the meaning of [app], [server] and [limits]; that is settings_test.c.
 * SPDX-License-Identifier: MIT */
#include "settings/ini.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "check.h"
#include "settings/policies.h"

static struct ini_document *parse(const char *text)
{
    struct ini_document *d = NULL;
    struct mw_error error = {0};

    if (ini_document_parse(text, strlen(text), "demo/app.ini", &d, &error) < 0)
        CHECK_TEXT(error.text, NULL);
    return d;
}

/* The reason why a text is refused. */
static const char *refusal(const char *text, size_t bytes, int want_code)
{
    static struct mw_error error;
    struct ini_document *d = NULL;

    memset(&error, 0, sizeof(error));
    CHECK_INT(ini_document_parse(text, bytes, "demo/app.ini", &d, &error), want_code);
    CHECK(d == NULL);
    CHECK_INT(error.code, want_code);
    CHECK_TEXT(error.file, "demo/app.ini");
    return error.text;
}

/* ---- what is read ------------------------------------------------------------------------------------- */
static void sections_keys_and_values_come_with_their_lines(void)
{
    struct ini_document *d = parse("# a comment\n"
                                   "[app]\n"
                                   "name = thermostat\n"
                                   "\n"
                                   "  ws_paths=/echo  \n"
                                   "[policy read]\n"
                                   "gettable = reading_c, motor.speed\n");

    CHECK_INT(d->section_count, 2);
    CHECK_TEXT(d->file, "demo/app.ini");
    CHECK_TEXT(d->sections[0].kind, "app");
    CHECK_TEXT(d->sections[0].name, "");
    CHECK_INT(d->sections[0].line, 2);
    CHECK_INT(d->sections[0].entry_count, 2);
    CHECK_TEXT(d->sections[0].entries[0].key, "name");
    CHECK_TEXT(d->sections[0].entries[0].value, "thermostat");
    CHECK_INT(d->sections[0].entries[0].line, 3);
    CHECK_TEXT(d->sections[0].entries[1].key, "ws_paths");
    CHECK_TEXT(d->sections[0].entries[1].value, "/echo");
    CHECK_INT(d->sections[0].entries[1].line, 5);
    CHECK_TEXT(d->sections[1].kind, "policy");
    CHECK_TEXT(d->sections[1].name, "read");
    CHECK_TEXT(d->sections[1].entries[0].value, "reading_c, motor.speed");
    ini_document_free(d);
}

static void a_comment_stands_at_the_start_of_a_line_and_nowhere_else(void)
{
    struct ini_document *d = parse("; one\n# two\n[app] \n  # three\nname = a # b ; c\n");

    CHECK_INT(d->sections[0].entry_count, 1);
    CHECK_TEXT(d->sections[0].entries[0].value, "a # b ; c");
    CHECK_INT(d->sections[0].entries[0].line, 5);
    ini_document_free(d);
}

static void a_repeated_key_and_a_repeated_section_add(void)
{
    struct ini_document *d = parse("[server]\nhost = a\nhost = b\n[limits]\n[server]\nhost = c\n");

    CHECK_INT(d->section_count, 3);
    CHECK_INT(d->sections[0].entry_count, 2);
    CHECK_TEXT(d->sections[0].entries[1].value, "b");
    CHECK_INT(d->sections[1].entry_count, 0); /* an empty section is there too */
    CHECK_TEXT(d->sections[2].kind, "server");
    CHECK_TEXT(d->sections[2].entries[0].value, "c");
    ini_document_free(d);
}

static void a_value_keeps_equals_signs_colons_tabs_and_may_be_empty(void)
{
    struct ini_document *d = parse("[app]\na = b = c\nb = http://x:1/\nc =\nd = x\ty\ne = \xc3\xa9\n");

    CHECK_TEXT(d->sections[0].entries[0].value, "b = c");
    CHECK_TEXT(d->sections[0].entries[1].value, "http://x:1/");
    CHECK_TEXT(d->sections[0].entries[2].value, "");
    CHECK_TEXT(d->sections[0].entries[3].value, "x\ty");
    CHECK_TEXT(d->sections[0].entries[4].value, "\xc3\xa9");
    ini_document_free(d);
}

static void an_indented_line_continues_nothing(void)
{
    struct ini_document *d = parse("[app]\nname = a\n  title = b\n");

    CHECK_INT(d->sections[0].entry_count, 2);
    CHECK_TEXT(d->sections[0].entries[1].key, "title");
    ini_document_free(d);
}

static void line_ends_of_dos_a_byte_order_mark_and_no_last_newline_are_read(void)
{
    struct ini_document *d = parse("\xef\xbb\xbf[app]\r\nname = a\r\n\r\ntitle = b");

    CHECK_TEXT(d->sections[0].entries[0].value, "a");
    CHECK_TEXT(d->sections[0].entries[1].value, "b");
    CHECK_INT(d->sections[0].entries[1].line, 4);
    ini_document_free(d);
}

static void nothing_and_comments_alone_are_an_empty_document(void)
{
    static const char *const rows[] = {"", "\n", "\n\n\n", "# x", "  \t\n; y\n"};
    struct ini_document *d = NULL;
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        d = parse(rows[i]);
        CHECK_INT(d->section_count, 0);
        ini_document_free(d);
    }
    CHECK_INT(ini_document_parse(NULL, 0, "f", &d, NULL), 0);
    ini_document_free(d);
    ini_document_free(NULL);
}

static void names_longer_than_inih_keeps_are_whole(void)
{
    char text[256], key[101], name[65];
    struct ini_document *d;

    memset(key, 'k', 100);
    memset(name, 'n', 64);
    key[100] = name[64] = '\0';
    (void)snprintf(text, sizeof(text), "[policy %s]\n%s = v\n", name, key);
    d = parse(text);
    CHECK_TEXT(d->sections[0].name, name);
    CHECK_TEXT(d->sections[0].entries[0].key, key);
    ini_document_free(d);
}

static void a_line_of_8192_bytes_is_the_longest(void)
{
    static char text[9000];
    struct ini_document *d;
    int n;

    memset(text, 'v', sizeof(text));
    memcpy(text, "[app]\nname = ", 13);
    memcpy(text + 6 + 8192, "\nx = y\n", 8);
    d = parse(text);
    CHECK_INT(strlen(d->sections[0].entries[0].value), 8192 - 7);
    CHECK_TEXT(d->sections[0].entries[1].key, "x");
    CHECK_INT(d->sections[0].entries[1].line, 3);
    ini_document_free(d);
    memset(text + 6 + 8192, 'v', 1);
    text[6 + 8193] = '\n';
    text[6 + 8194] = '\0';
    CHECK_TEXT(refusal(text, strlen(text), -EMSGSIZE),
               "read 'demo/app.ini': line 2: 8193 bytes are too long a line: at most 8192");
    for (n = 190; n < 420; n++) { /* around the sizes at which inih's buffer grows */
        memset(text, 'v', sizeof(text));
        memcpy(text, "[app]\nname = ", 13);
        memcpy(text + n, "\nx = y\n", 8);
        d = parse(text);
        CHECK_INT(strlen(d->sections[0].entries[0].value), n - 13);
        CHECK_INT(d->sections[0].entry_count, 2);
        ini_document_free(d);
    }
}

/* ---- what is refused -------------------------------------------------------------------------------------- */
static void what_is_wrong_is_said_with_file_and_line(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"name = a\n", "line 1: a key before any [section]"},
        {"[app]\nname\n", "line 2: neither [section] nor key = value, nor a comment with # or ; at its start"},
        {"[app]\n= a\n", "line 2: no key before the ="},
        {"[app]\n\nname: a = b\n", "line 3: a key has no colon: write key = value"},
        {"[app]\nname: a\n", "line 2: neither [section] nor key = value, nor a comment with # or ; at its start"},
        {"[app\n", "line 1: a section ends with ]"},
        {"[app] name = a\n", "line 1: something follows the ]"},
        {"[app]]\n", "line 1: something follows the ]"},
        {"[]\n", "line 1: [] is no section (app, server, limits, tls, cache, headers, policy NAME, role NAME)"},
        {"# x\n\n[ap]\n", "line 3: [ap] is no section (app, server, limits, tls, cache, headers, policy NAME, role NAME)"},
        {"[App]\n", "line 1: [App] is no section (app, server, limits, tls, cache, headers, policy NAME, role NAME)"},
        {"[policy]\n", "line 1: [policy] lacks a name: [policy NAME]"},
        {"[role ]\n", "line 1: [role] lacks a name: [role NAME]"},
        {"[app demo]\n", "line 1: [app] has no name: write [app]"},
        {"[policy a, b]\n", "line 1: the name of a policy has at most 64 bytes and no comma"},
        {"[inspector]\n", "line 1: [inspector]: this version has no inspector: remove the section"},
        {"[app]\nname = a\x01\n", "line 2: a control character in column 9"},
        {"[app]\nname = \xff\n", "line 2: no UTF-8"},
        {"[app]\nname = a\rb\n", "line 2: a control character in column 9"},
    };
    char want[200];
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        (void)snprintf(want, sizeof(want), "read 'demo/app.ini': %s", rows[i].want);
        CHECK_TEXT(refusal(rows[i].text, strlen(rows[i].text), -EINVAL), want);
    }
    CHECK_TEXT(refusal("[app]\nname = a\0b\n", 17, -EINVAL),
               "read 'demo/app.ini': line 2: a control character in column 9");
}

static void too_many_sections_are_refused(void)
{
    struct mw_error error;
    struct ini_document *d = NULL;
    size_t i;
    char *text = malloc((INI_SECTIONS + 1) * 6 + 1);

    CHECK(text != NULL);
    for (i = 0; i <= INI_SECTIONS; i++)
        memcpy(text + 6 * i, "[app]\n", 7);
    CHECK_INT(ini_document_parse(text, 6 * INI_SECTIONS, "f", &d, &error), 0);
    ini_document_free(d);
    CHECK_INT(ini_document_parse(text, 6 * (INI_SECTIONS + 1), "f", &d, &error), -EMSGSIZE);
    CHECK_TEXT(error.text, "read 'f': line 4097: more than 4096 sections");
    CHECK_INT(error.line, 4097);
    free(text);
}

static void the_settings_of_inih_are_put_back(void)
{
    const int max_line = ini_max_line;
    const bool multiline = ini_allow_multiline;
    char *const prefixes = ini_inline_comment_prefixes;

    ini_document_free(parse("[app]\nname = a\n"));
    CHECK_INT(ini_max_line, max_line);
    CHECK_INT(ini_allow_multiline, multiline);
    CHECK(ini_inline_comment_prefixes == prefixes);
}

/* ---- files -------------------------------------------------------------------------------------------------- */
static void a_file_is_read_and_one_that_is_not_there_is_said_so(void)
{
    char folder[] = "/tmp/mw-ini-XXXXXX";
    char path[64], want[128];
    struct ini_document *d = NULL;
    struct mw_error error;
    FILE *file;
    int i;

    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof(path), "%s/app.ini", folder);
    CHECK_INT(ini_document_read(path, &d, &error), -ENOENT);
    (void)snprintf(want, sizeof(want), "read '%s': No such file or directory", path);
    CHECK_TEXT(error.text, want);
    CHECK_TEXT(error.file, path);
    CHECK_INT(ini_document_read(folder, &d, &error), -EISDIR);
    file = fopen(path, "w");
    CHECK(file != NULL);
    fputs("[app]\n", file);
    for (i = 0; i < 3000; i++)
        fprintf(file, "key%d = value\n", i);
    CHECK_INT(fclose(file), 0);
    CHECK_INT(ini_document_read(path, &d, &error), 0);
    CHECK_INT(d->sections[0].entry_count, 3000);
    CHECK_TEXT(d->sections[0].entries[2999].key, "key2999");
    ini_document_free(d);
    (void)unlink(path);
    (void)rmdir(folder);
}

/* ---- policies and roles ---------------------------------------------------------------------------------------- */
static const char example[] = "[policy read]\n"
                              "gettable = reading_c, motor.speed\n"
                              "[role anonymous]\n"
                              "policies = read\n"
                              "[role operator]\n"
                              "policies = read, operate , marked\n"
                              "policies = builtin, read\n"
                              "[role admin]\n"
                              "policies = read\n"
                              "grants = explain, list_names, mesh_view, mesh_step, mesh_rewire, users\n"
                              "[role nobody]\n"
                              "policies =\n"
                              "[policy operate]\n"
                              "exposed = target_c\n"
                              "deny_exposed = api_key\n"
                              "[policy read]\n"
                              "callable = reset\n";
static const mw_policy_table c_policies[] = {{.name = NULL}, {.name = "builtin"}, {.name = "read"}};
static int never(const mw_access *access)
{
    (void)access;
    return 0;
}
static const mw_predicate c_predicates[] = {{"within_shift", never}};
static const mw_app back_end = {.abi = MW_ABI, .size = sizeof(mw_app), .policies = c_policies, .policy_count = 3,
                                .predicates = c_predicates, .predicate_count = 1};

static int rights(const mw_policy *policy, const char *name)
{
    const mw_policy *list[1] = {policy};
    mw_exposable *e = NULL;
    mw_view view;
    int result;

    CHECK_INT(mw_exposable_new(NULL, 0, NULL, &e, NULL), 0);
    view = mw_view_of(e, list, 1);
    result = mw_view_rights(&view, name, strlen(name));
    mw_exposable_free(e);
    return result;
}

static void policies_and_roles_are_made_in_the_order_of_the_file(void)
{
    struct ini_document *d = parse(example);
    struct policies p = {0};
    struct mw_error error;

    CHECK_INT(policies_from_ini(d, &back_end, &p, &error), 0);
    ini_document_free(d); /* nothing points into it */
    CHECK_INT(p.policy_count, 2);
    CHECK_TEXT(mw_policy_name(p.policies[0]), "read");
    CHECK_INT(rights(p.policies[0], "motor.speed"), MW_GETTABLE);
    CHECK_INT(rights(p.policies[0], "reset"), MW_CALLABLE); /* the second [policy read] adds */
    CHECK_INT(rights(p.policies[1], "target_c"), MW_EXPOSED);
    CHECK_INT(p.role_count, 4);
    CHECK_TEXT(p.roles[1].name, "operator");
    CHECK_INT(p.roles[1].policy_count, 4); /* read once */
    CHECK_TEXT(p.roles[1].policies[0], "read");
    CHECK_TEXT(p.roles[1].policies[1], "operate");
    CHECK_TEXT(p.roles[1].policies[2], "marked");
    CHECK_TEXT(p.roles[1].policies[3], "builtin");
    CHECK_INT(p.roles[1].grants, 0);
    CHECK_INT(p.roles[2].grants, APP_GRANT_EXPLAIN | APP_GRANT_LIST_NAMES | APP_GRANT_MESH_VIEW | APP_GRANT_MESH_STEP |
                                    APP_GRANT_MESH_REWIRE | APP_GRANT_USERS);
    CHECK_INT(p.roles[3].policy_count, 0);
    policies_clear(&p);
    policies_clear(&p);
}

static void a_wrong_policy_or_role_is_said_with_file_and_line(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"[app]\n[policy a]\n\nrite = x\n",
         "line 4: 'rite' is no right (exposed, gettable, settable, callable, hearable, or deny_ before one of them)"},
        {"[policy a]\ngettable = x\ngettable = /x(/\n",
         "line 3: '/x(/' is no regex: missing closing parenthesis, at its byte 3"},
        {"[policy marked]\n",
         "line 1: 'marked' stands for what the back end itself marks: name this policy otherwise"},
        {"[role a]\npolicies = marked, b\n",
         "line 2: there is no policy 'b': neither [policy b] here nor one of the back end"},
        {"[role a]\npolicies = marked,\n", "line 2: an empty name: a comma too many"},
        {"[role a]\npolicies = ,marked\n", "line 2: an empty name: a comma too many"},
        {"[role a]\npolicy = marked\n", "line 2: 'policy' is no key of a role (policies, grants)"},
        {"[role a]\ngrants = explain, sudo\n",
         "line 2: 'sudo' is no grant (explain, list_names, mesh_view, mesh_step, mesh_rewire, users)"},
    };
    char want[256];
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        struct ini_document *d = parse(rows[i].text);
        struct policies p = {0};
        struct mw_error error = {0};

        CHECK_INT(policies_from_ini(d, NULL, &p, &error), -EINVAL);
        (void)snprintf(want, sizeof(want), "read 'demo/app.ini': %s", rows[i].want);
        CHECK_TEXT(error.text, want);
        CHECK_TEXT(error.file, "demo/app.ini");
        CHECK(error.line > 0 && p.policies == NULL);
        ini_document_free(d);
    }
}

static int scenario(void)
{
    struct ini_document *d = NULL;
    struct policies p = {0};
    struct mw_error error;
    int err = ini_document_parse(example, sizeof(example) - 1, "demo/app.ini", &d, &error);

    if (err == 0)
        err = policies_from_ini(d, &back_end, &p, &error);
    policies_clear(&p);
    ini_document_free(d);
    CHECK(err == 0 || err == -ENOMEM);
    return err;
}

static void any_allocation_may_fail_and_nothing_leaks(void)
{
    const int64_t live = mw_memory_stats().live_blocks;
    int64_t n;
    int for_ever;

    for (for_ever = 0; for_ever <= 1; for_ever++) {
        for (n = 1; n < 1000; n++) {
            int err;

            (void)mw_memory_fail_at(n, for_ever == 1);
            err = scenario();
            CHECK_INT(mw_memory_stats().live_blocks, live);
            if (mw_memory_fail_at(0, false) < n) {
                CHECK_INT(err, 0);
                break;
            }
            CHECK_INT(err, -ENOMEM);
        }
        CHECK(n > 30 && n < 1000);
    }
}

static const struct mw_test tests[] = {
    TEST(sections_keys_and_values_come_with_their_lines),
    TEST(a_comment_stands_at_the_start_of_a_line_and_nowhere_else),
    TEST(a_repeated_key_and_a_repeated_section_add),
    TEST(a_value_keeps_equals_signs_colons_tabs_and_may_be_empty),
    TEST(an_indented_line_continues_nothing),
    TEST(line_ends_of_dos_a_byte_order_mark_and_no_last_newline_are_read),
    TEST(nothing_and_comments_alone_are_an_empty_document),
    TEST(names_longer_than_inih_keeps_are_whole),
    TEST(a_line_of_8192_bytes_is_the_longest),
    TEST(what_is_wrong_is_said_with_file_and_line),
    TEST(too_many_sections_are_refused),
    TEST(the_settings_of_inih_are_put_back),
    TEST(a_file_is_read_and_one_that_is_not_there_is_said_so),
    TEST(policies_and_roles_are_made_in_the_order_of_the_file),
    TEST(a_wrong_policy_or_role_is_said_with_file_and_line),
    TEST(any_allocation_may_fail_and_nothing_leaks),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
