/* Names that are none, or look like another: every byte in four places, Unicode that is written otherwise, too long, too short.
 * Three of them are listed in the policies of the tests that include this: "a", "motor.speed" and "é" in one character.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_EXPOSABLE_ODD_NAMES_H
#define TEST_EXPOSABLE_ODD_NAMES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define LISTED_MEMBERS "a, motor.speed, \xc3\xa9"

struct odd_name {
    const char *bytes;
    size_t count;
};
#define ODD(text) {text, sizeof(text) - 1}
static const struct odd_name listed_names[] = {ODD("a"), ODD("motor.speed"), ODD("\xc3\xa9")};
static const struct odd_name fixed_odd_names[] = {
    ODD(""), ODD("a"), ODD("motor.speed"), ODD("\xc3\xa9"),                    /* empty; those that are listed */
    ODD("A"), ODD("Motor.speed"), ODD("MOTOR.SPEED"), ODD("\xc3\x89"),         /* case */
    ODD("motor"), ODD("speed"), ODD("motor."), ODD(".speed"), ODD("."), ODD(".."), ODD("motor..speed"), ODD("motor.speed."),
    ODD(".motor.speed"), ODD("motor/speed"), ODD("motor\\speed"), ODD("./a"), ODD("../a"), ODD("a/../a"), /* empty parts, paths */
    ODD("%61"), ODD("motor%2espeed"), ODD("motor%2Espeed"), ODD("a%00"), ODD("&#97;"), ODD("\\u0061"), ODD("\\x61"), /* other spellings */
    ODD("a\0"), ODD("\0a"), ODD("a\0a"), ODD("motor.speed\0.x"), ODD("a\n"), ODD("a\r\n"), ODD("\na"), ODD(" a"), ODD("a "), ODD("a\t"),
    ODD("e\xcc\x81"), ODD("\xc3\xa9\xcc\x81"), ODD("\xe2\x80\x8b" "a"), ODD("a\xe2\x80\x8b"), ODD("a\xef\xb8\x8f"), /* é in two, invisible ones */
    ODD("\xd0\xb0"), ODD("\xef\xbd\x81"), ODD("\xef\xbb\xbf" "a"), ODD("\xe2\x80\xae" "a"), ODD("motor\xe2\x80\xa4speed"), /* look-alikes */
    ODD("\xc1\xa1"), ODD("\xe0\x81\xa1"), ODD("\xf0\x80\x81\xa1"),             /* a, overlong */
    ODD("\xed\xa0\x80"), ODD("\xf4\x90\x80\x80"), ODD("\xc3"), ODD("a\xc3"), ODD("\xa9"), ODD("\xff"), /* no UTF-8 */
    ODD("a,motor.speed"), ODD("a|motor.speed"), ODD("/a/"), ODD("a@yes"), ODD("@yes"), ODD("a=1"), ODD("*"), ODD("a*"), ODD("[a]"), ODD("^a$"),
    ODD("__proto__"), ODD("constructor"), ODD("null"), ODD("undefined"), ODD("true"), ODD("0"), ODD("-1"), ODD("marked"), ODD("a'--"), ODD("\"a\""),
};

enum { ODD_NAMES = 256 * 4 + (int)MW_COUNT(fixed_odd_names) + 6 };
static struct odd_name odd_names[ODD_NAMES];

static void odd_names_fill(const char *pattern, size_t pattern_bytes, size_t count, struct odd_name *ret)
{
    static char pool[6][65536];
    static size_t used;
    char *out = pool[used++];
    size_t i;

    CHECK(used <= MW_COUNT(pool) && count <= sizeof(pool[0]));
    for (i = 0; i < count; i++)
        out[i] = pattern[i % pattern_bytes];
    *ret = (struct odd_name){out, count};
}

/* Once per process. */
static void odd_names_make(void)
{
    static char pool[256][4][4];
    size_t at = 0;
    int byte;

    if (odd_names[ODD_NAMES - 1].count > 0)
        return;
    for (byte = 0; byte < 256; byte++) {
        const char forms[4][4] = {{(char)byte}, {'a', (char)byte}, {(char)byte, 'a'}, {'a', (char)byte, 'b'}};
        static const size_t counts[4] = {1, 2, 2, 3};
        int form;

        for (form = 0; form < 4; form++) {
            memcpy(pool[byte][form], forms[form], 4);
            odd_names[at++] = (struct odd_name){pool[byte][form], counts[form]};
        }
    }
    memcpy(&odd_names[at], fixed_odd_names, sizeof(fixed_odd_names));
    at += MW_COUNT(fixed_odd_names);
    odd_names_fill("a", 1, 256, &odd_names[at++]);
    odd_names_fill("a", 1, 257, &odd_names[at++]);
    odd_names_fill("\xc3\xa9", 2, 256, &odd_names[at++]);
    odd_names_fill("\xc3\xa9", 2, 258, &odd_names[at++]);
    odd_names_fill("a", 1, 4096, &odd_names[at++]);
    odd_names_fill("motor.speed", 11, 65536, &odd_names[at++]);
    CHECK_INT((int64_t)at, ODD_NAMES);
}

static bool is_same_name(const struct odd_name *a, const struct odd_name *b)
{
    return a->count == b->count && memcmp(a->bytes, b->bytes, a->count) == 0;
}

static bool is_listed(const struct odd_name *name)
{
    size_t i;

    for (i = 0; i < MW_COUNT(listed_names); i++)
        if (is_same_name(name, &listed_names[i]))
            return true;
    return false;
}

#endif
