/* Limits by name: defaults, ranges, suffixes.
 * SPDX-License-Identifier: MIT */
#include "edge/limits.h"

#include <errno.h>

#include "check.h"

static void every_limit_has_a_name_and_a_default_in_its_range(void)
{
    struct edge_limits limits;
    int i, j;

    edge_limits_init(&limits);
    for (i = 0; i < EDGE_LIMIT_COUNT; i++) {
        const struct edge_limit_info *info = edge_limit_info((enum edge_limit)i);

        CHECK(info->name[0] && info->then[0]);
        CHECK(info->value >= info->least && info->value <= info->most);
        CHECK_INT(limits.value[i], info->value);
        CHECK_INT(limits.hits[i], 0);
        CHECK_INT(edge_limit_find(info->name), i);
        for (j = 0; j < i; j++)
            CHECK(strcmp(info->name, edge_limit_info((enum edge_limit)j)->name) != 0);
    }
}

static void a_limit_is_set_by_name_and_text(void)
{
    static const struct {
        const char *name, *text;
        int err;
        int64_t value;
    } rows[] = {
        {"message_bytes", "16M", 0, 16777216},
        {"message_bytes", "4k", 0, 4096},
        {"message_bytes", "1G", 0, 1073741824},
        {"message_bytes", "1", 0, 1},
        {"message_bytes", "0", -ERANGE, 0},
        {"message_bytes", "2G", -ERANGE, 0},
        {"message_bytes", "", -EINVAL, 0},
        {"message_bytes", "-1", -EINVAL, 0},
        {"message_bytes", "1KB", -EINVAL, 0},
        {"message_bytes", "1.5M", -EINVAL, 0},
        {"message_bytes", " 1", -EINVAL, 0},
        {"message_bytes", "1T", -EINVAL, 0},
        {"message_bytes", "99999999999999999999", -EINVAL, 0},
        {"message_bytes", "18446744073709551615G", -EINVAL, 0},
        {"json_width", "1", -ENOENT, 0},
    };
    struct edge_limits limits;
    struct mw_error error;
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        edge_limits_init(&limits);
        error.text[0] = '\0';
        if (edge_limit_parse(&limits, rows[i].name, rows[i].text, &error) != rows[i].err)
            fprintf(stderr, "    %s\n", rows[i].text);
        CHECK_INT(edge_limit_parse(&limits, rows[i].name, rows[i].text, NULL), rows[i].err);
        if (rows[i].err == 0)
            CHECK_INT(limits.value[EDGE_LIMIT_MESSAGE], rows[i].value);
        else
            CHECK(strstr(error.text, rows[i].name) != NULL);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(every_limit_has_a_name_and_a_default_in_its_range),
        TEST(a_limit_is_set_by_name_and_text),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
