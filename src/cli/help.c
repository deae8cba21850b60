/* What --help prints: the tables that the server itself goes by.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include <meshwork/server.h>

#include "cli/cli.h"

void cli_print_help(void)
{
    puts("Meshwork serves apps: a folder with a page, and behind it a native back end.\n"
         "\n"
         "usage: meshwork serve [FOLDER...] [flags]   serve apps; `meshwork serve --help` lists the flags\n"
         "       meshwork config check|print [FOLDER...] [flags]\n"
         "                                            check or print the settings that serve would have\n"
         "       meshwork user WORD ...               who may log in: add, remove, list, role, passwd, token\n"
         "       meshwork policy WORD ...             what policies say: explain, lint, test, diff\n"
         "       meshwork version                     print the version\n"
         "       meshwork --help                      print this\n"
         "\n"
         "exit codes: 0 done, 1 failed, 2 wrong usage");
}

static void print_flag(const mw_setting *setting)
{
    char flag[64];

    (void)snprintf(flag, sizeof flag, "--%s%s%s", setting->name, setting->argument ? " " : "",
                   setting->argument ? setting->argument : "");
    printf("  %-22s %s", flag, setting->doc);
    if (setting->default_value && setting->kind != MW_SETTING_FLAG)
        printf(" (default %s)", setting->default_value);
    putchar('\n');
}

void cli_print_serve_help(void)
{
    const mw_setting *setting;
    mw_limit limit;
    size_t i;

    puts("usage: meshwork serve [FOLDER...] [flags]\n"
         "\n"
         "Serves the app in FOLDER (default: the current one) at http://localhost:8000/; several apps each at\n"
         "/FOLDER/. An app has an app.html or index.html, files in css/ js/ images/ fonts/ public/, perhaps a back\n"
         "end in app.c or app.so, perhaps settings in app.ini. Ctrl-C ends it.\n"
         "\n"
         "flags (also in app.ini under [server], and in the environment as MESHWORK_NAME):");
    for (i = 0; (setting = mw_server_setting_at(i)) != NULL; i++)
        print_flag(setting);
    puts("  --quiet                print nothing on stdout but the URLs\n"
         "  --help                 print this\n"
         "\n"
         "limits (also in app.ini under [limits], and in the environment as MESHWORK_LIMIT_NAME), with default and\n"
         "what happens when one is reached; K, M and G stand for 1024, 1024^2 and 1024^3:");
    for (i = 0; mw_server_limit_at(i, &limit); i++)
        printf("  %-20s %10" PRId64 "  %s\n", limit.name, limit.default_value, limit.doc);
}

void cli_print_config_help(void)
{
    puts("usage: meshwork config check [FOLDER...] [flags]\n"
         "       meshwork config print [FOLDER...] [flags]\n"
         "\n"
         "Takes the folders and flags of `meshwork serve`, and starts nothing.\n"
         "\n"
         "check  all that serve looks at before it opens a port: flags, environment, app.ini, certificate, policies and\n"
         "       roles; app.c is compiled and loaded, as a role may name a policy of it, but not run. What is wrong is one\n"
         "       line with file and line.\n"
         "print  every setting and limit, one a line: name, value (- where there is none), and where it comes from: a\n"
         "       flag, the environment, a line of a file, another setting, or the default.");
}

void cli_print_user_help(void)
{
    puts("usage: meshwork user add NAME [FOLDER] [--role A,B] [--no-password]\n"
         "       meshwork user remove NAME [FOLDER]\n"
         "       meshwork user list [FOLDER]\n"
         "       meshwork user role NAME A,B [FOLDER]           other roles; - for none\n"
         "       meshwork user passwd NAME [FOLDER]             another password; ends the logins by the one before\n"
         "       meshwork user token NAME [FOLDER] [--expires 12h]\n"
         "                                                      print a bearer token, once; it lives for 1 h (m, h, d; up to 365d)\n"
         "       meshwork user tokens [FOLDER]                  list tokens\n"
         "       meshwork user revoke ID [FOLDER]               end a token\n"
         "\n"
         "Users belong to the state of an app: the one in FOLDER (default: the current one), or --state DIR, as `meshwork serve`\n"
         "has it. A password is typed, or a line of stdin; 8 to 256 bytes. A server that runs takes a change within a second.\n"
         "Roles are those of app.ini: [role operator].");
}

void cli_print_policy_help(void)
{
    puts("usage: meshwork policy explain [FOLDER] --name NAME --op OP [--user NAME | --role A,B]\n"
         "                                   whether somebody may, and which line of app.ini says so; OP is get, set, call,\n"
         "                                   send, watch or hear; without user and role: [anonymous]\n"
         "       meshwork policy lint [FOLDER|FILE]\n"
         "                                   rules and roles that say nothing, or more than was meant\n"
         "       meshwork policy test FILE [FOLDER]\n"
         "                                   hold policies to a table; each line: WHO OP NAME allow|deny|depends\n"
         "                                   WHO is a user, or [ROLE,ROLE]\n"
         "       meshwork policy diff OLD NEW [FOLDER]\n"
         "                                   what each role gains (+) and loses (-); OLD and NEW are folders or files\n"
         "\n"
         "Nothing is started: the back end is loaded for its names, but none of its code runs, so what hangs on a predicate\n"
         "`depends`. Exit codes: 0 done; 1 failed, a finding, a line that does not hold, a difference; 2 wrong usage.");
}
