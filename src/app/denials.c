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
    char reversed[DENIAL_ID_BYTES] = "";
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

void denials_init(struct denials *d)
{
    (void)pthread_mutex_init(&d->lock, NULL); /* never fails with default attributes, nor do lock and unlock */
}

void denial_clear(struct denial *denial)
{
    mw_release(denial->user);
    mw_release(denial->roles);
    mw_release(denial->name);
    *denial = (struct denial){0};
}

static struct denial copy(const struct denial *denial)
{
    struct denial made = *denial;

    made.user = mw_share(denial->user);
    made.roles = mw_share(denial->roles);
    made.name = mw_share(denial->name);
    return made;
}

/* With the lock. */
static unsigned note(struct denials *d, uint64_t first, const struct denial *borrows, uint64_t *ret_number)
{
    struct denial *place;
    unsigned lost;

    if (!d->kept)
        d->kept = mw_alloc_zeroed(DENIALS_KEPT, sizeof(*d->kept));
    if (d->next == 0)
        d->next = first + 1; /* 0 is none */
    *ret_number = d->next++;
    if (!d->kept)
        return 1;
    place = &d->kept[*ret_number % DENIALS_KEPT];
    lost = place->number > 0;
    denial_clear(place);
    *place = copy(borrows);
    place->number = *ret_number;
    return lost;
}

unsigned denials_note(struct denials *d, uint64_t first, const struct denial *borrows, char ret_id[DENIAL_ID_BYTES])
{
    uint64_t number;
    unsigned lost;

    (void)pthread_mutex_lock(&d->lock);
    lost = note(d, first, borrows, &number);
    (void)pthread_mutex_unlock(&d->lock);
    print_id(number, ret_id);
    return lost;
}

bool denials_find(struct denials *d, const char *id, struct denial *ret)
{
    const uint64_t number = read_id(id);
    bool is_there;

    (void)pthread_mutex_lock(&d->lock);
    is_there = d->kept && number > 0 && d->kept[number % DENIALS_KEPT].number == number;
    if (is_there)
        *ret = copy(&d->kept[number % DENIALS_KEPT]);
    (void)pthread_mutex_unlock(&d->lock);
    return is_there;
}

void denials_clear(struct denials *d)
{
    size_t i;

    for (i = 0; d->kept && i < DENIALS_KEPT; i++)
        denial_clear(&d->kept[i]);
    mw_free(d->kept);
    d->kept = NULL;
    (void)pthread_mutex_destroy(&d->lock);
}
