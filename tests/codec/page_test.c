/* docs/values.md: its listing is this file's, and prints what the page says.
 * SPDX-License-Identifier: MIT */
#include <meshwork/json.h>
#include <stdlib.h>

#include "base/memory.h"
#include "check.h"

/* What the page prints is collected here. */
static char printed[1024];
static size_t printed_count;

MW_PRINTF(1, 2) static int page_printf(const char *format, ...)
{
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(printed + printed_count, sizeof printed - printed_count, format, arguments);
    va_end(arguments);
    printed_count += n > 0 ? (size_t)n : 0;
    CHECK(printed_count < sizeof printed);
    return n;
}

#undef printf
#define printf page_printf
static int values_page(void)
{
    static const char text[] = "{\"name\":\"pump\",\"speed\":1200}";
    struct mw_error error;
    mw_value motor, list = mw_list_new(), json;
    const mw_value *speed;
    int64_t rpm = 0;

    /* From outside: strict, within limits, with the place of what is wrong. */
    if (mw_json_parse(text, sizeof(text) - 1, NULL, &motor, &error) < 0)
        return printf("%s\n", error.text);

    /* Reading borrows: the pointer is good until the map is changed or released. */
    speed = mw_map_get(motor, "speed");
    if (speed && mw_get_int(*speed, &rpm) == 0)
        printf("%d rpm\n", (int)rpm);                            /* 1200 rpm */

    /* A container takes what it is given; a second reference is made by mw_share. */
    (void)mw_list_append(&list, mw_share(motor));
    (void)mw_map_set(&motor, "speed", mw_int(900));              /* ours alone: the list keeps what it saw */
    (void)mw_list_append(&list, motor);                          /* given away */

    json = mw_json_print(list);
    printf("%s\n", mw_get_text(&json, NULL));
    mw_release(json);
    mw_release(list);
    return 0;
}
#undef printf

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 16);

    CHECK(file != NULL && text != NULL);
    CHECK(fread(text, 1, (1 << 16) - 1, file) > 0);
    fclose(file);
    return text;
}

static void the_page_prints_what_it_says(void)
{
    int64_t live = mw_memory_stats().live_blocks;

    CHECK_INT(values_page(), 0);
    CHECK_TEXT(printed, "1200 rpm\n[{\"name\":\"pump\",\"speed\":1200},{\"name\":\"pump\",\"speed\":900}]\n");
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

static void the_page_shows_what_is_tested_here(void)
{
    char *page = read_file(MW_SOURCE_DIR "/docs/values.md"), *source = read_file(MW_SOURCE_DIR "/tests/codec/page_test.c");
    char *listing = strstr(page, "```c\n"), *end;

    CHECK(listing != NULL);
    listing += 5;
    end = strstr(listing, "```");
    CHECK(end != NULL);
    *end = '\0';
    CHECK(strstr(source, listing) != NULL);
    free(page);
    free(source);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(the_page_prints_what_it_says),
        TEST(the_page_shows_what_is_tested_here),
    };

    return mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
