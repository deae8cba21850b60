/* The keys of session tickets over days. What clients notice of them is in tests/scenario/tls_test.py.
 * SPDX-License-Identifier: MIT */
#include "tls/tickets.h"

#include <string.h>

#include "check.h"

#define HOUR_NS (3600 * INT64_C(1000000000))

static void turn(struct ticket_keys *keys, int64_t hours)
{
    CHECK_INT(ticket_keys_turn(keys, hours * HOUR_NS), 0);
}

static void a_key_closes_tickets_for_12_hours_and_opens_them_for_24(void)
{
    static const struct {
        int64_t hours;
        bool is_current, opens;
    } rows[] = {{1, true, true}, {12, true, true}, {13, false, true}, {24, false, true}, {25, false, false}};
    struct ticket_keys keys = {.current = {.is_set = false}};
    uint8_t first[TICKET_NAME_BYTES];
    size_t i;

    turn(&keys, 1);
    memcpy(first, keys.current.name, sizeof first);
    for (i = 0; i < MW_COUNT(rows); i++) {
        turn(&keys, rows[i].hours);
        CHECK_INT(memcmp(keys.current.name, first, sizeof first) == 0, rows[i].is_current);
        CHECK_INT(ticket_keys_find(&keys, first) != NULL, rows[i].opens);
        CHECK(ticket_keys_find(&keys, keys.current.name) == &keys.current);
    }
    ticket_keys_clear(&keys);
}

static void a_key_that_was_not_used_for_a_day_opens_nothing(void)
{
    struct ticket_keys keys = {.current = {.is_set = false}};
    uint8_t first[TICKET_NAME_BYTES];

    turn(&keys, 0);
    memcpy(first, keys.current.name, sizeof first);
    turn(&keys, 24);
    CHECK(ticket_keys_find(&keys, first) == NULL);
    CHECK(!keys.last.is_set);
    ticket_keys_clear(&keys);
}

static void no_two_keys_are_alike_and_none_is_left_when_cleared(void)
{
    static const struct ticket_keys none = {.current = {.is_set = false}};
    struct ticket_keys keys = none;

    turn(&keys, 0);
    turn(&keys, 12);
    CHECK(keys.last.is_set);
    CHECK(memcmp(keys.current.name, keys.last.name, sizeof keys.current.name) != 0);
    CHECK(memcmp(keys.current.cipher, keys.last.cipher, sizeof keys.current.cipher) != 0);
    CHECK(memcmp(keys.current.mac, keys.last.mac, sizeof keys.current.mac) != 0);
    CHECK(memcmp(keys.current.mac, keys.current.cipher, sizeof keys.current.mac) != 0);
    ticket_keys_clear(&keys);
    CHECK_INT(memcmp(&keys, &none, sizeof keys), 0);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_key_closes_tickets_for_12_hours_and_opens_them_for_24),
        TEST(a_key_that_was_not_used_for_a_day_opens_nothing),
        TEST(no_two_keys_are_alike_and_none_is_left_when_cleared),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
