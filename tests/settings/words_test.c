/* Numbers with suffixes, yes and no, and which word is near.
 * SPDX-License-Identifier: MIT */
#include "settings/words.h"

#include <errno.h>

#include "check.h"

static void numbers_take_suffixes_where_they_may(void)
{
    static const struct {
        const char *text;
        bool takes_suffix;
        int err;
        int64_t number;
    } rows[] = {
        {"0", false, 0, 0},
        {"8000", false, 0, 8000},
        {"-5", false, 0, -5},
        {"16M", true, 0, INT64_C(16) << 20},
        {"3k", true, 0, 3072},
        {"1G", true, 0, INT64_C(1) << 30},
        {"16M", false, -EINVAL, 0},
        {"", true, -EINVAL, 0},
        {"M", true, -EINVAL, 0},
        {"1.5M", true, -EINVAL, 0},
        {"1MB", true, -EINVAL, 0},
        {" 1", true, -EINVAL, 0},
        {"1 ", true, -EINVAL, 0},
        {"+1", true, -EINVAL, 0},
        {"0x10", true, -EINVAL, 0},
        {"9223372036854775807", false, 0, INT64_MAX},
        {"9223372036854775808", false, -ERANGE, 0},
        {"9223372036854775807K", true, -ERANGE, 0},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        int64_t number = 0;
        int err = words_number(rows[i].text, rows[i].takes_suffix, &number);

        if (err != rows[i].err || number != rows[i].number)
            fprintf(stderr, "row %zu: '%s'\n", i, rows[i].text);
        CHECK_INT(err, rows[i].err);
        CHECK_INT(number, rows[i].number);
    }
}

static void yes_and_no_have_four_words_each(void)
{
    static const char *const words[] = {"yes", "on", "true", "1", "no", "off", "False", "0"};
    size_t i;
    bool flag = false;

    for (i = 0; i < MW_COUNT(words); i++) {
        CHECK_INT(words_flag(words[i], &flag), 0);
        CHECK_INT(flag, i < 4);
    }
    CHECK_INT(words_flag("perhaps", &flag), -EINVAL);
    CHECK_INT(words_flag("", &flag), -EINVAL);
}

static void distance_counts_the_slips_of_fingers(void)
{
    CHECK_INT(words_distance("port", "port"), 0);
    CHECK_INT(words_distance("prot", "port"), 1); /* swapped */
    CHECK_INT(words_distance("prt", "port"), 1);
    CHECK_INT(words_distance("poort", "port"), 1);
    CHECK_INT(words_distance("pork", "port"), 1);
    CHECK_INT(words_distance("ws_port", "WS-PORT"), 0);
    CHECK_INT(words_distance("", "port"), 4);
    CHECK(words_distance("a word that is much too long to have been meant as the name of a setting", "port") ==
          SIZE_MAX);
}

static void dash_and_underscore_are_one(void)
{
    CHECK(words_match("ws-port", "ws_port"));
    CHECK(words_match("ws-port", "ws-port"));
    CHECK(!words_match("ws-port", "ws-por"));
    CHECK(!words_match("ws-port", "Ws-port"));
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(numbers_take_suffixes_where_they_may),
        TEST(yes_and_no_have_four_words_each),
        TEST(distance_counts_the_slips_of_fingers),
        TEST(dash_and_underscore_are_one),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
