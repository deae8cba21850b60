/* The table of settings: precedence, lists, limits, and what is said about a wrong one.
 * SPDX-License-Identifier: MIT */
#include "settings/settings.h"

#include <errno.h>

#include "check.h"

static const struct setting_origin by_flag = {.source = SETTING_BY_FLAG};
static const struct setting_origin by_environment = {.source = SETTING_BY_ENVIRONMENT};

static struct ini_document *document(const char *text, const char *file)
{
    struct ini_document *d = NULL;
    struct mw_error error = {0};

    if (ini_document_parse(text, strlen(text), file, &d, &error) < 0)
        fprintf(stderr, "    %s\n", error.text);
    CHECK(d != NULL);
    return d;
}

static int read_text(struct settings *s, const char *text, const char *file, struct mw_error *error)
{
    struct ini_document *d = document(text, file);
    int err = settings_read_ini(s, d, error);

    ini_document_free(d);
    return err;
}

static void a_flag_wins_over_the_environment_and_that_over_a_file(void)
{
    /* Each order of arrival gives the same: the highest wins. */
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    size_t i, k;

    for (i = 0; i < MW_COUNT(orders); i++) {
        struct settings s;

        settings_init(&s);
        for (k = 0; k < 3; k++) {
            if (orders[i][k] == 0)
                CHECK_INT(read_text(&s, "[server]\nport = 1\nhost = a\n[limits]\nmessage_bytes = 1K\n", "a.ini", NULL), 0);
            if (orders[i][k] == 1) {
                CHECK_INT(settings_set(&s, &by_environment, "port", "2", NULL), 0);
                CHECK_INT(settings_set(&s, &by_environment, "host", "b", NULL), 0);
                CHECK_INT(settings_set_limit(&s, &by_environment, "message_bytes", "2K", NULL), 0);
            }
            if (orders[i][k] == 2) {
                CHECK_INT(settings_set(&s, &by_flag, "port", "3", NULL), 0);
                CHECK_INT(settings_set(&s, &by_flag, "host", "c", NULL), 0);
                CHECK_INT(settings_set(&s, &by_flag, "host", "d", NULL), 0);
                CHECK_INT(settings_set(&s, &by_flag, "max-message", "3K", NULL), 0);
            }
        }
        CHECK_INT(s.values[SETTING_PORT].number, 3);
        CHECK_INT(s.values[SETTING_HOST].text_count, 2);
        CHECK_TEXT(s.values[SETTING_HOST].texts[0], "c");
        CHECK_TEXT(s.values[SETTING_HOST].texts[1], "d");
        CHECK_INT(s.limits.value[EDGE_LIMIT_MESSAGE], 3072);
        settings_clear(&s);
    }
}

static void defaults_hold_where_nothing_is_said(void)
{
    struct settings s;

    settings_init(&s);
    settings_settle(&s);
    CHECK_INT(s.values[SETTING_PORT].number, 8000);
    CHECK(!settings_is_set(&s, SETTING_WS_PORT));
    CHECK(!s.values[SETTING_PLAINTEXT].flag);
    CHECK_INT(s.limits.value[EDGE_LIMIT_MESSAGE], 1 << 20);
    CHECK_INT(s.limits.value[EDGE_LIMIT_BURST], 1000);
    settings_clear(&s);
}

static void a_list_takes_commas_and_repetition(void)
{
    struct settings s;

    settings_init(&s);
    CHECK_INT(read_text(&s, "[server]\nhost = a, b\nhost = c\nws_port = 6789\n", "a.ini", NULL), 0);
    CHECK_INT(s.values[SETTING_HOST].text_count, 3);
    CHECK_TEXT(s.values[SETTING_HOST].texts[2], "c");
    CHECK_INT(s.values[SETTING_WS_PORT].number, 6789);
    settings_clear(&s);
}

static void two_files_that_differ_are_an_error_that_a_flag_settles(void)
{
    struct settings s;
    struct mw_error error = {0};

    settings_init(&s);
    CHECK_INT(read_text(&s, "[server]\nport = 1\n", "a/app.ini", NULL), 0);
    CHECK_INT(read_text(&s, "[server]\nport = 1\n", "b/app.ini", NULL), 0); /* they agree */
    CHECK_INT(read_text(&s, "[server]\nport = 2\n", "c/app.ini", &error), -EEXIST);
    CHECK(strstr(error.text, "c/app.ini") && strstr(error.text, "b/app.ini: line 2"));
    CHECK_INT(settings_set(&s, &by_flag, "port", "3", NULL), 0);
    CHECK_INT(read_text(&s, "[server]\nport = 2\n", "c/app.ini", NULL), 0);
    CHECK_INT(s.values[SETTING_PORT].number, 3);
    CHECK_INT(read_text(&s, "[limits]\nmessage_bytes = 1\n", "a/app.ini", NULL), 0);
    CHECK_INT(read_text(&s, "[limits]\nmessage_bytes = 2\n", "b/app.ini", &error), -EEXIST);
    settings_clear(&s);
}

static void an_unknown_word_is_told_its_nearest(void)
{
    static const struct {
        const struct setting_origin *origin;
        bool is_limit;
        const char *name, *want;
    } rows[] = {
        {&by_flag, false, "prot", "--prot is no setting; the nearest is --port"},
        {&by_environment, false, "ws_prot", "environment: MESHWORK_WS_PROT is no setting; the nearest is MESHWORK_WS_PORT"},
        {&by_flag, true, "mesage_bytes", "--limit mesage_bytes is no limit; the nearest is message_bytes"},
        {&by_environment, true, "mesage_bytes",
         "environment: MESHWORK_LIMIT_MESAGE_BYTES is no limit; the nearest is MESHWORK_LIMIT_MESSAGE_BYTES"},
        {&by_flag, false, "xyzzyxyzzy", "--xyzzyxyzzy is no setting; `meshwork serve --help` lists them"},
    };
    struct settings s;
    size_t i;

    settings_init(&s);
    for (i = 0; i < MW_COUNT(rows); i++) {
        struct mw_error error = {0};
        int err = rows[i].is_limit ? settings_set_limit(&s, rows[i].origin, rows[i].name, "1", &error)
                                   : settings_set(&s, rows[i].origin, rows[i].name, "1", &error);

        CHECK_INT(err, -ENOENT);
        CHECK_TEXT(error.text, rows[i].want);
    }
    settings_clear(&s);
}

static void a_wrong_key_in_a_file_is_told_with_file_and_line(void)
{
    struct settings s;
    struct mw_error error = {0};

    settings_init(&s);
    CHECK_INT(read_text(&s, "[server]\nport = 1\nprot = 2\n", "demo/app.ini", &error), -ENOENT);
    CHECK_INT(error.line, 3);
    CHECK_TEXT(error.file, "demo/app.ini");
    CHECK(strstr(error.text, "line 3") && strstr(error.text, "port"));
    CHECK_INT(read_text(&s, "[limits]\n\nmessage_bytes = much\n", "demo/app.ini", &error), -EINVAL);
    CHECK_INT(error.line, 3);
    settings_clear(&s);
}

static void a_wrong_value_is_refused_and_changes_nothing(void)
{
    static const struct {
        const char *name, *value;
        int err;
    } rows[] = {
        {"port", "", -EINVAL},
        {"port", "80a", -EINVAL},
        {"port", "65536", -ERANGE},
        {"port", "-1", -ERANGE},
        {"port", "8K", -EINVAL},
        {"plaintext", "perhaps", -EINVAL},
        {"host", "", -EINVAL},
        {"host", "a,,b", -EINVAL},
        {"limit", "message_bytes", -EINVAL},
        {"limit", "=1", -EINVAL},
        {"limit", "message_bytes=", -EINVAL},
        {"limit", "message_bytes=0", -ERANGE},
        {"limit", "message_bytes=2G", -ERANGE},
        {"limit", "descriptors=2", -ERANGE},
        {"max-message", "0", -ERANGE},
        {"rate", "many", -EINVAL},
    };
    struct settings s;
    size_t i;

    settings_init(&s);
    for (i = 0; i < MW_COUNT(rows); i++) {
        struct mw_error error = {0};
        int err = settings_set(&s, &by_flag, rows[i].name, rows[i].value, &error);

        if (err != rows[i].err)
            fprintf(stderr, "    %s=%s: %s\n", rows[i].name, rows[i].value, error.text);
        CHECK_INT(err, rows[i].err);
        CHECK(strstr(error.text, "--") == error.text);
    }
    CHECK_INT(s.values[SETTING_PORT].number, 8000);
    CHECK_INT(s.limits.value[EDGE_LIMIT_MESSAGE], 1 << 20);
    settings_clear(&s);
}

static void short_flags_are_limits(void)
{
    struct settings s;

    settings_init(&s);
    CHECK_INT(settings_set(&s, &by_flag, "max-message", "16M", NULL), 0);
    CHECK_INT(settings_set(&s, &by_flag, "max-fragments", "65536", NULL), 0);
    CHECK_INT(settings_set(&s, &by_flag, "rate", "100000", NULL), 0);
    CHECK_INT(settings_set(&s, &by_flag, "limit", "header_bytes=32K", NULL), 0);
    settings_settle(&s);
    CHECK_INT(s.limits.value[EDGE_LIMIT_MESSAGE], 16 << 20);
    CHECK_INT(s.limits.value[EDGE_LIMIT_FRAGMENTS], 65536);
    CHECK_INT(s.limits.value[EDGE_LIMIT_MESSAGES], 100000);
    CHECK_INT(s.limits.value[EDGE_LIMIT_BURST], 200000); /* it follows the rate unless it is said */
    CHECK_INT(s.limits.value[EDGE_LIMIT_HEADERS], 32768);
    settings_clear(&s);
}

static void the_environment_has_the_flags_words_in_capitals(void)
{
    char port[] = "MESHWORK_WS_PORT=6789", limit[] = "MESHWORK_LIMIT_MESSAGE_BYTES=2M", other[] = "HOME=/root",
         wrong[] = "MESHWORK_PROT=1", odd[] = "MESHWORK_";
    char *good_environment[] = {other, port, limit, odd, NULL}, *bad_environment[] = {wrong, NULL};
    struct settings s;
    struct mw_error error = {0};

    settings_init(&s);
    CHECK_INT(settings_read_environment(&s, good_environment, &error), 0);
    CHECK_INT(s.values[SETTING_WS_PORT].number, 6789);
    CHECK_INT(s.limits.value[EDGE_LIMIT_MESSAGE], 2 << 20);
    CHECK_INT(settings_read_environment(&s, bad_environment, &error), -ENOENT);
    CHECK(strstr(error.text, "MESHWORK_PROT") && strstr(error.text, "MESHWORK_PORT"));
    settings_clear(&s);
}

static void the_public_tables_hold_what_the_help_prints(void)
{
    const mw_setting *setting;
    mw_limit limit;
    size_t i;

    for (i = 0; (setting = mw_server_setting_at(i)) != NULL; i++)
        CHECK(setting->name && setting->doc && (setting->argument != NULL) == (setting->kind != MW_SETTING_FLAG));
    CHECK_INT(i, SETTING_COUNT);
    for (i = 0; mw_server_limit_at(i, &limit); i++)
        CHECK(limit.name && limit.doc && limit.min < limit.max && limit.default_value >= limit.min);
    CHECK(i > 20 && i < EDGE_LIMIT_COUNT);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_flag_wins_over_the_environment_and_that_over_a_file),
        TEST(defaults_hold_where_nothing_is_said),
        TEST(a_list_takes_commas_and_repetition),
        TEST(two_files_that_differ_are_an_error_that_a_flag_settles),
        TEST(an_unknown_word_is_told_its_nearest),
        TEST(a_wrong_key_in_a_file_is_told_with_file_and_line),
        TEST(a_wrong_value_is_refused_and_changes_nothing),
        TEST(short_flags_are_limits),
        TEST(the_environment_has_the_flags_words_in_capitals),
        TEST(the_public_tables_hold_what_the_help_prints),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
