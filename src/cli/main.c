/* meshwork: the first word of the command line decides.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include <meshwork/base.h>

#include "cli/cli.h"

static int print_version(int word_count, char **words)
{
    if (word_count > 0) {
        fprintf(stderr, "meshwork: version takes nothing behind it, not '%s'\n", words[0]);
        return CLI_USAGE;
    }
    printf("meshwork %s\n", MW_VERSION);
    return CLI_DONE;
}

static int print_help(int word_count, char **words)
{
    static const struct {
        const char *word;
        void (*print)(void);
    } pages[] = {{"serve", cli_print_serve_help}, {"config", cli_print_config_help}, {"user", cli_print_user_help},
                 {"policy", cli_print_policy_help}, {"version", cli_print_help}, {"help", cli_print_help}};
    size_t i;

    if (word_count == 0) {
        cli_print_help();
        return CLI_DONE;
    }
    for (i = 0; i < MW_COUNT(pages); i++) {
        if (strcmp(pages[i].word, words[0]) != 0)
            continue;
        pages[i].print();
        return CLI_DONE;
    }
    fprintf(stderr, "meshwork: there is no help on '%s'; there is on serve, config, user, policy\n", words[0]);
    return CLI_USAGE;
}

static const struct {
    const char *word;
    int (*run)(int word_count, char **words);
} commands[] = {
    {"serve", cli_serve},         {"config", cli_config},       {"user", cli_user},   {"policy", cli_policy},
    {"version", print_version},   {"--version", print_version}, {"help", print_help}, {"--help", print_help},
    {"-h", print_help},
};

int main(int argc, char **argv)
{
    size_t i;

    if (argc < 2) {
        fputs("meshwork: want a command: serve, config, user, policy, version, help (`meshwork --help` says more)\n", stderr);
        return CLI_USAGE;
    }
    for (i = 0; i < MW_COUNT(commands); i++)
        if (strcmp(commands[i].word, argv[1]) == 0)
            return commands[i].run(argc - 2, argv + 2);
    fprintf(stderr, "meshwork: '%s' is no command; there are serve, config, user, policy, version, help (`meshwork --help` says more)\n",
            argv[1]);
    return CLI_USAGE;
}
