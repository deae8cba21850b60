/* What of Authorization and Cookie fields is taken for a token and for our cookie.
 * SPDX-License-Identifier: MIT */
#include "server/credentials.h"

#include "check.h"

static void a_bearer_token_is_all_that_follows_its_scheme(void)
{
    static const struct {
        const char *field, *token;
    } rows[] = {
        {"Bearer abc", "abc"},
        {"bearer abc", "abc"},
        {"BEARER   abc", "abc"},
        {"Bearer a b", "a b"}, /* no token of ours: it is compared as it is, and found nowhere */
        {"Bearer ", ""},
        {"Bearer", NULL},
        {"Bearerabc", NULL},
        {"Bearer\tabc", NULL},
        {" Bearer abc", NULL},
        {"Basic YTpi", NULL},
        {"", NULL},
        {NULL, NULL},
    };
    size_t i;

    for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_TEXT(credentials_bearer(rows[i].field), rows[i].token);
}

static void a_cookie_is_found_by_its_name_and_its_length(void)
{
    static const struct {
        const char *cookies, *value; /* of "mw", three bytes long */
    } rows[] = {
        {"mw=abc", "abc"},
        {"a=1; mw=abc; b=2", "abc"},
        {"a=1;mw=abc;b=2", "abc"},
        {"a=1;  ; ;mw=abc", "abc"},
        {"mw=abc; mw=def", "abc"},
        {"mw=; mw=ab; mw=def", "def"},
        {"mw=a=c", "a=c"},
        {"mw=ab", NULL},
        {"mw=abcd", NULL},
        {"mw=abc ; a=1", NULL},
        {"mw = abc", NULL},
        {"MW=abc", NULL},
        {"xmw=abc", NULL},
        {"mwx=ab", NULL},
        {"a=mw=abc", NULL},
        {"mw=\"a\"", "\"a\""}, /* quotes are part of a value: RFC 6265 §5.2 */
        {";;;", NULL},
        {"", NULL},
        {NULL, NULL},
    };
    size_t i;

    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char value[4] = "-";
        bool is_found = credentials_cookie(rows[i].cookies, "mw", 3, value);

        CHECK_INT(is_found, rows[i].value != NULL);
        CHECK_TEXT(value, rows[i].value ? rows[i].value : "-");
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_bearer_token_is_all_that_follows_its_scheme),
        TEST(a_cookie_is_found_by_its_name_and_its_length),
    };

    return mw_test_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
