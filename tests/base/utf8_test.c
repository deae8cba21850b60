/* UTF-8: which byte sequences are text, whole and in pieces.
 * SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include "check.h"

struct utf8_case {
    const char *note, *text;
    bool is_valid;
};

static const struct utf8_case cases[] = {
    {"nothing", "", true},
    {"ASCII", "Hello, world of more than eight bytes", true},
    {"DEL", "\x7f", true},
    {"first of two bytes", "\xc2\x80", true},
    {"last of two bytes", "\xdf\xbf", true},
    {"first of three bytes", "\xe0\xa0\x80", true},
    {"before the surrogates", "\xed\x9f\xbf", true},
    {"behind the surrogates", "\xee\x80\x80", true},
    {"noncharacter", "\xef\xbf\xbf", true},
    {"first of four bytes", "\xf0\x90\x80\x80", true},
    {"last of all", "\xf4\x8f\xbf\xbf", true},
    {"mixed with long ASCII", "abcdefgh\xc3\xa9xyzabcdefgh\xe2\x82\xac", true},
    {"continuation alone", "\x80", false},
    {"continuation behind ASCII", "abcdefgh\xbf", false},
    {"C0: overlong NUL", "\xc0\x80", false},
    {"C1: overlong", "\xc1\xbf", false},
    {"overlong in three", "\xe0\x9f\xbf", false},
    {"overlong in four", "\xf0\x8f\xbf\xbf", false},
    {"high surrogate", "\xed\xa0\x80", false},
    {"low surrogate", "\xed\xbf\xbf", false},
    {"above U+10FFFF", "\xf4\x90\x80\x80", false},
    {"F5", "\xf5\x80\x80\x80", false},
    {"FE", "\xfe", false},
    {"FF", "\xff", false},
    {"two cut after one", "\xc3", false},
    {"three cut after two", "abc\xe2\x82", false},
    {"four cut after three", "\xf0\x9f\x99", false},
    {"two then ASCII", "\xc3z", false},
    {"three then a lead", "\xe2\x82\xc3\xa9", false},
    {"third byte bad", "\xe2\x82z", false},
    {"fourth byte bad", "\xf0\x9f\x99z", false},
};

static void each_sequence_is_judged_as_rfc_3629_says(void)
{
    for (size_t i = 0; i < MW_COUNT(cases); i++) {
        if (mw_utf8_is_valid(cases[i].text, strlen(cases[i].text)) != cases[i].is_valid)
            fprintf(stderr, "%s\n", cases[i].note);
        CHECK_INT(mw_utf8_is_valid(cases[i].text, strlen(cases[i].text)), cases[i].is_valid);
    }
}

static void pieces_are_judged_like_the_whole(void)
{
    for (size_t i = 0; i < MW_COUNT(cases); i++) {
        size_t count = strlen(cases[i].text);

        for (size_t cut = 0; cut <= count; cut++) {
            struct mw_utf8 u = {0};
            bool is_valid = mw_utf8_feed(&u, cases[i].text, cut) &&
                            mw_utf8_feed(&u, cases[i].text + cut, count - cut) && mw_utf8_is_complete(&u);

            CHECK_INT(is_valid, cases[i].is_valid);
        }
    }
}

/* Every code point encodes to a text, and every changed lead or second byte of the borders is caught. */
static void all_code_points_but_surrogates_are_text(void)
{
    for (uint32_t c = 0x80; c <= 0x11ffff; c++) {
        char text[4];
        size_t count = 0;

        if (c >= 0x10000) {
            text[count++] = (char)(0xf0 | c >> 18);
            text[count++] = (char)(0x80 | (c >> 12 & 63));
            text[count++] = (char)(0x80 | (c >> 6 & 63));
        } else if (c >= 0x800) {
            text[count++] = (char)(0xe0 | c >> 12);
            text[count++] = (char)(0x80 | (c >> 6 & 63));
        } else {
            text[count++] = (char)(0xc0 | c >> 6);
        }
        text[count++] = (char)(0x80 | (c & 63));
        if (mw_utf8_is_valid(text, count) != (c <= 0x10ffff && (c < 0xd800 || c > 0xdfff)))
            CHECK_INT(c, -1);
    }
}

static void a_text_is_refused_at_the_byte_that_no_text_can_have(void)
{
    struct mw_utf8 u = {0};

    CHECK(mw_utf8_feed(&u, "\xe2", 1) && !mw_utf8_is_complete(&u));
    CHECK(mw_utf8_feed(&u, "\x82", 1) && !mw_utf8_is_complete(&u));
    CHECK(!mw_utf8_feed(&u, "z", 1));
    u = (struct mw_utf8){0};
    CHECK(mw_utf8_feed(&u, NULL, 0) && mw_utf8_is_complete(&u));
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(each_sequence_is_judged_as_rfc_3629_says),
        TEST(pieces_are_judged_like_the_whole),
        TEST(all_code_points_but_surrogates_are_text),
        TEST(a_text_is_refused_at_the_byte_that_no_text_can_have),
    };

    return mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
