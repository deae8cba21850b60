/* Media types by name.
 * SPDX-License-Identifier: MIT */
#include "codec/media.h"

#include "check.h"

static void the_last_extension_decides(void)
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        {"/app.html", "text/html; charset=utf-8"},
        {"app.HTML", "text/html; charset=utf-8"},
        {"/js/a.min.js", "text/javascript; charset=utf-8"},
        {"/js/a.mjs", "text/javascript; charset=utf-8"},
        {"/css/a.css", "text/css; charset=utf-8"},
        {"/a.json", "application/json"},
        {"/a.svg", "image/svg+xml; charset=utf-8"},
        {"/a.js.png", "image/png"},
        {"/fonts/a.woff2", "font/woff2"},
        {"/a.wasm", "application/wasm"},
        {"/a.tar.gz", "application/gzip"},
        {"/app.webmanifest", "application/manifest+json"},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        struct media_type type = media_type_of(rows[i].path);

        CHECK_TEXT(type.name, rows[i].want);
        CHECK(type.is_known);
    }
}

static void what_is_not_known_is_a_download(void)
{
    static const char *const paths[] = {"",
                                        "/",
                                        "/README",
                                        "/a.",
                                        "/.html",
                                        "/a.html/b",
                                        "/a.exe",
                                        "/a.c",
                                        "/a.htmlx",
                                        "/a.averyveryverylongextension",
                                        "/a.ht\xc3\xb6"};
    size_t i;

    for (i = 0; i < MW_COUNT(paths); i++) {
        struct media_type type = media_type_of(paths[i]);

        CHECK_TEXT(type.name, "application/octet-stream");
        CHECK(!type.is_known && !type.is_worth_packing);
    }
}

static void text_says_its_charset_and_is_worth_packing(void)
{
    static const char *const names[] = {"a.html", "a.css", "a.js", "a.txt",
                                        "a.svg",  "a.csv", "a.md", "a.xml"};
    size_t i;

    for (i = 0; i < MW_COUNT(names); i++) {
        CHECK(strstr(media_type_of(names[i]).name, "; charset=utf-8") != NULL);
        CHECK(media_type_of(names[i]).is_worth_packing);
    }
    CHECK(!media_type_of("a.png").is_worth_packing);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(the_last_extension_decides),
        TEST(what_is_not_known_is_a_download),
        TEST(text_says_its_charset_and_is_worth_packing),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
