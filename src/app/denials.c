/* Denials that were told, each with the short id that its answer had: for who may ask why.
 * Not the reasons; those are found when somebody asks (explain.c). Read next: explain.c.
 * SPDX-License-Identifier: MIT */
#include "app/denials.h"

#include <string.h>

#include "base/memory.h"

/* Read out and typed by people: no 0 beside o, no 1 beside l, and no vowel that would make a word. */
static const char digits[] = "23456789bcdfghjkmnpqrstvwxz";
enum { BASE = sizeof(digits) - 1, SHORTEST = 4 };

static void print_id(uint64_t number, char ret_id[DENIAL_ID_BYTES])
{
    char reversed[DENIAL_ID_BYTES];
    size_t count = 0, i;

    for (; (number > 0 || count < SHORTEST) && count < DENIAL_ID_BYTES - 1; number /= BASE)
        reversed[count++] = digits[number % BASE];
    for (i = 0; i < count; i++)
        ret_id[i] = reversed[count - 1 - i];
    ret_id[count] = '\0';
}

static uint64_t read_id(const char *id)
{
    const size_t count = strnlen(id, DENIAL_ID_BYTES);
    uint64_t number = 0;
    size_t i;

    if (count < SHORTEST || count == DENIAL_ID_BYTES)
        return 0;
    for (i = 0; i < count; i++) {
        const char *at = strchr(digits, id[i]);

        if (!at || __builtin_mul_overflow(number, (uint64_t)BASE, &number) ||
            __builtin_add_overflow(number, (uint64_t)(at - digits), &number))
            return 0;
    }
    return number;
}

static void forget(struct denial *d)
{
    mw_release(d->user);
    mw_release(d->roles);
    mw_release(d->name);
    *d = (struct denial){0};
}

void denials_note(struct denials *d, uint64_t first, const struct denial *borrows, char ret_id[DENIAL_ID_BYTES])
{
    struct denial *place;

    if (!d->kept) {
        d->kept = mw_alloc_zeroed(DENIALS_KEPT, sizeof(*d->kept));
        d->next = d->next > 0 ? d->next : first + 1; /* 0 is none */
    }
    print_id(d->next, ret_id);
    if (!d->kept) {
        d->unnoted++;
        d->next++;
        return;
    }
    place = &d->kept[d->next % DENIALS_KEPT];
    d->forgotten += place->number > 0;
    forget(place);
    *place = *borrows;
    place->number = d->next++;
    place->user = mw_share(borrows->user);
    place->roles = mw_share(borrows->roles);
    place->name = mw_share(borrows->name);
}

const struct denial *denials_find(const struct denials *d, const char *id)
{
    const uint64_t number = read_id(id);
    const struct denial *place = d->kept ? &d->kept[number % DENIALS_KEPT] : NULL;

    return place && number > 0 && place->number == number ? place : NULL;
}

void denials_clear(struct denials *d)
{
    size_t i;

    for (i = 0; d->kept && i < DENIALS_KEPT; i++)
        forget(&d->kept[i]);
    mw_free(d->kept);
    *d = (struct denials){0};
}
