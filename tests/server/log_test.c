/* Lines for people: bounded, one line each, and the compiler's untouched.
 * SPDX-License-Identifier: MIT */
#include "server/log.h"

#include <stdlib.h>

#include "check.h"

static struct {
    int lines, compiler_lines, about_others;
    char last[2048];
} heard;

static void hear(void *context, const mw_log_line *line)
{
    (void)context;
    if (line->source == MW_LOG_COMPILER)
        heard.compiler_lines++;
    else if (strstr(line->text, "were left out"))
        heard.about_others++;
    else
        heard.lines++;
    (void)snprintf(heard.last, sizeof heard.last, "%s", line->text);
}

static void start(struct log *log)
{
    memset(&heard, 0, sizeof heard);
    log_init(log);
    log->write = hear;
}

static void a_flood_is_cut_and_counted(void)
{
    struct log log;
    int i;

    start(&log);
    for (i = 0; i < 1000; i++)
        log_line(&log, "line %d", i);
    CHECK(heard.lines >= 100 && heard.lines < 1000);
    CHECK_INT(heard.lines + (int)log.left_out_in_all, 1000);
    CHECK(log.left_out > 0);
    log.filled_ns -= INT64_C(1000000000); /* a second later */
    log_line(&log, "the next");
    CHECK(heard.about_others >= 1);
    CHECK_TEXT(heard.last, "the next");
    CHECK_INT(log.left_out, 0);
}

static void a_peers_text_starts_no_line_of_its_own(void)
{
    struct log log;

    start(&log);
    log_line(&log, "host '%s'", "a\nmeshwork: forged\r\x1b[31m\x7f é");
    CHECK_TEXT(heard.last, "host 'a?meshwork: forged??[31m? é'");
    log_line(&log, "user '%s'", "\xc2\x9b" "31m \xc2\x85 \xe2\x80\xa8 \xe2\x80\xae \xe2\x81\xa6 é"); /* CSI, NEL, LS, RLO, LRI */
    CHECK_TEXT(heard.last, "user '??31m ?? ??? ??? ??? é'");
    log_line(&log, "user '%s'", "\u00a0 \u2027 \u202f \u206a"); /* beside those */
    CHECK_TEXT(heard.last, "user '\u00a0 \u2027 \u202f \u206a'");
    log_line(&log, "cut '%s", "\xe2\x80");
    CHECK_TEXT(heard.last, "cut '\xe2\x80");
}

static void a_long_line_is_cut(void)
{
    struct log log;

    start(&log);
    log_line(&log, "%5000d", 1);
    CHECK_INT(strlen(heard.last), 1023);
}

static void the_compiler_is_not_cut_short(void)
{
    struct log log;
    int i;

    start(&log);
    for (i = 0; i < 1000; i++)
        log_compiler_line(&log, "app.c:1: \terror");
    CHECK_INT(heard.compiler_lines, 1000);
    CHECK_TEXT(heard.last, "app.c:1: \terror");
}

static void without_a_listener_lines_are_dropped(void)
{
    struct log log;

    start(&log);
    log.write = NULL;
    log_line(&log, "nobody hears");
    log_compiler_line(&log, "this");
    CHECK_INT(heard.lines + heard.compiler_lines, 0);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_flood_is_cut_and_counted),
        TEST(a_peers_text_starts_no_line_of_its_own),
        TEST(a_long_line_is_cut),
        TEST(the_compiler_is_not_cut_short),
        TEST(without_a_listener_lines_are_dropped),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
