/* Numbers, yes and no, nearness of words.
 * Not which words there are; those are in settings.c.
 * SPDX-License-Identifier: MIT */
#include "settings/words.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { LONGEST_WORD = 64 };

static int64_t suffix_factor(char suffix)
{
    switch (suffix) {
    case 'k':
    case 'K':
        return INT64_C(1) << 10;
    case 'm':
    case 'M':
        return INT64_C(1) << 20;
    case 'g':
    case 'G':
        return INT64_C(1) << 30;
    default:
        return 0;
    }
}

int words_number(const char *text, bool takes_suffix, int64_t *ret)
{
    const char *at = text + (*text == '-');
    int64_t number = 0, factor;

    if (!isdigit((unsigned char)*at))
        return -EINVAL;
    for (; isdigit((unsigned char)*at); at++)
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *at - '0', &number))
            return -ERANGE;
    if (*at != '\0') {
        factor = suffix_factor(*at);
        if (!takes_suffix || factor == 0 || at[1] != '\0')
            return -EINVAL;
        if (__builtin_mul_overflow(number, factor, &number))
            return -ERANGE;
    }
    *ret = *text == '-' ? -number : number;
    return 0;
}

int words_flag(const char *text, bool *ret)
{
    static const char *const yes[] = {"yes", "on", "true", "1"}, *const no[] = {"no", "off", "false", "0"};
    size_t i;

    for (i = 0; i < MW_COUNT(yes); i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *ret = strcasecmp(text, yes[i]) == 0;
            return 0;
        }
    }
    return -EINVAL;
}

static char plain_letter(char c)
{
    return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t of_two = a < b ? a : b;

    return of_two < c ? of_two : c;
}

/* Damerau's distance in the restricted form: a swap of neighbours is one step, as fingers do it. */
size_t words_distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST_WORD + 1], i, j, a_count = strlen(a), b_count = strlen(b);

    if (a_count > LONGEST_WORD || b_count > LONGEST_WORD)
        return SIZE_MAX;
    for (j = 0; j <= b_count; j++)
        rows[0][j] = j;
    for (i = 1; i <= a_count; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (j = 1; j <= b_count; j++) {
            char x = plain_letter(a[i - 1]), y = plain_letter(b[j - 1]);

            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == plain_letter(b[j - 2]) && y == plain_letter(a[i - 2]))
                row[j] = least(row[j], two_above[j - 2] + 1, SIZE_MAX);
        }
    }
    return rows[a_count % 3][b_count];
}

bool words_match(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++)
        if ((*a == '_' ? '-' : *a) != (*b == '_' ? '-' : *b))
            return false;
    return *a == *b;
}
