/* Errors: how a reason is filled in, and what each code means here.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <meshwork/base.h>

#include "check.h"

static void a_failure_fills_the_reason_and_returns_its_code(void)
{
    struct mw_error e = {.line = 9, .column = 9, .file = "old", .text = "old"};

    CHECK_INT(mw_fail(&e, -EMSGSIZE, "read %s: %d bytes are too many", "x", 7), -EMSGSIZE);
    CHECK_INT(e.code, -EMSGSIZE);
    CHECK_INT(e.line, 0);
    CHECK_INT(e.column, 0);
    CHECK_TEXT(e.file, "");
    CHECK_TEXT(e.text, "read x: 7 bytes are too many");
    CHECK_INT(mw_fail(NULL, -EPROTO, "nobody asks"), -EPROTO);
    CHECK_INT(mw_fail_at(NULL, -EPROTO, "f", 1, 1, "nobody asks"), -EPROTO);
}

static void a_cause_in_a_file_says_where(void)
{
    struct mw_error e;

    CHECK_INT(mw_fail_at(&e, -EINVAL, "demo/app.ini", 12, 3, "'%s' is no right", "rite"), -EINVAL);
    CHECK_TEXT(e.text, "demo/app.ini: line 12: 'rite' is no right");
    CHECK_TEXT(e.file, "demo/app.ini");
    CHECK_INT(e.line, 12);
    CHECK_INT(e.column, 3);
    (void)mw_fail_at(&e, -EINVAL, "demo/app.ini", 0, 0, "empty");
    CHECK_TEXT(e.text, "demo/app.ini: empty");
    (void)mw_fail_at(&e, -EINVAL, NULL, 4, 0, "empty");
    CHECK_TEXT(e.text, "line 4: empty");
    CHECK_TEXT(e.file, "");
}

static void a_reason_is_one_line(void)
{
    struct mw_error e;

    (void)mw_fail(&e, -EINVAL, "two\nlines\tand\x01more\r");
    CHECK_TEXT(e.text, "two lines and more ");
    (void)mw_fail_at(&e, -EINVAL, "a\nb", 1, 0, "x\n");
    CHECK_TEXT(e.file, "a b");
    CHECK_TEXT(e.text, "a b: line 1: x ");
}

static void a_reason_too_long_is_cut_between_characters(void)
{
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x99\x82"};

    for (size_t c = 0; c < 4; c++)
        for (size_t before = 0; before < 4; before++) {
            char text[2048] = "";
            struct mw_error e;
            size_t length, whole = strlen(characters[c]);

            for (size_t i = 0; i < before; i++)
                strncat(text, "a", 2);
            while (strlen(text) < 600)
                memcpy(text + strlen(text), characters[c], whole + 1);
            (void)mw_fail(&e, -EINVAL, "%s", text);
            length = strlen(e.text);
            CHECK(length < sizeof e.text && length + 4 >= sizeof e.text);
            CHECK_INT((length - before) % whole, 0);
            (void)mw_fail_at(&e, -EINVAL, text, 1, 0, "the reason");
            CHECK_TEXT(e.text, "the reason");
            CHECK_INT((strlen(e.file) - before) % whole, 0);
        }
}

static void each_code_of_the_library_has_a_meaning_of_its_own(void)
{
    static const int codes[] = {-ECANCELED, -EPIPE,  -EAGAIN,   -ETIMEDOUT, -EACCES, -ENOENT,
                                -EMSGSIZE,  -EPROTO, -EDEADLK,  -EINVAL,    -ENOMEM, -ENOTSUP,
                                -EBUSY,     -EROFS,  -ENOBUFS,  -EEXIST};

    for (size_t i = 0; i < MW_COUNT(codes); i++)
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(mw_strerror(codes[i]), mw_strerror(codes[k])) != 0);
    CHECK_TEXT(mw_strerror(-ECANCELED), "being closed");
    CHECK_TEXT(mw_strerror(-EDEADLK), "nothing can ever wake us");
}

static void other_codes_say_what_the_system_says(void)
{
    CHECK_TEXT(mw_strerror(-EISDIR), "Is a directory");
    CHECK_TEXT(mw_strerror(-EADDRINUSE), "Address already in use");
    CHECK_TEXT(mw_strerror(0), "no error");
    CHECK_TEXT(mw_strerror(-123456), "unknown error");
    CHECK_TEXT(mw_strerror(INT32_MIN), "unknown error");
    CHECK_TEXT(mw_strerror(5), "unknown error");
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_failure_fills_the_reason_and_returns_its_code),
        TEST(a_cause_in_a_file_says_where),
        TEST(a_reason_is_one_line),
        TEST(a_reason_too_long_is_cut_between_characters),
        TEST(each_code_of_the_library_has_a_meaning_of_its_own),
        TEST(other_codes_say_what_the_system_says),
    };

    return mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
