/* Growing bytes: appending, limits, sticky errors, consuming; and the intrusive list.
 * SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <errno.h>

#include "base/list.h"
#include "base/memory.h"
#include "check.h"

static void what_is_appended_is_there_in_order(void)
{
    struct mw_buffer b;

    mw_buffer_init(&b, 1 << 20);
    CHECK_INT(mw_buffer_append(&b, "ab", 2), 0);
    CHECK_INT(mw_buffer_append_text(&b, "cd"), 0);
    CHECK_INT(mw_buffer_append_byte(&b, 'e'), 0);
    CHECK_INT(mw_buffer_append(&b, NULL, 0), 0);
    CHECK_INT(mw_buffer_printf(&b, "-%d-%s", 42, "z"), 0);
    CHECK_BYTES(b.data, b.count, "abcde-42-z", 10);
    mw_buffer_clear(&b);
    CHECK(b.data == NULL && b.count == 0 && b.capacity == 0 && b.limit == 1 << 20);
}

static void a_printed_text_of_any_length_fits(void)
{
    struct mw_buffer b;
    char text[3001];

    memset(text, 'x', 3000);
    text[3000] = '\0';
    mw_buffer_init(&b, 3002);
    CHECK_INT(mw_buffer_printf(&b, "<%s>", text), 0);
    CHECK_INT(b.count, 3002);
    CHECK_INT(b.data[3001], '>');
    mw_buffer_clear(&b);
}

static void the_limit_is_reached_but_not_passed(void)
{
    struct mw_buffer b;

    mw_buffer_init(&b, 5);
    CHECK_INT(mw_buffer_append(&b, "abcde", 5), 0);
    CHECK_INT(mw_buffer_append_byte(&b, 'f'), -EMSGSIZE);
    CHECK_BYTES(b.data, b.count, "abcde", 5);
    CHECK(b.capacity <= 5);
    mw_buffer_clear(&b);
    mw_buffer_init(&b, 5);
    CHECK_INT(mw_buffer_printf(&b, "%s", "abcdef"), -EMSGSIZE);
    CHECK_INT(b.count, 0);
    mw_buffer_clear(&b);
    mw_buffer_init(&b, 0);
    CHECK_INT(mw_buffer_append(&b, "", 0), 0);
    CHECK_INT(mw_buffer_append_byte(&b, 'a'), -EMSGSIZE);
    mw_buffer_clear(&b);
}

static void a_size_that_overflows_is_over_the_limit(void)
{
    struct mw_buffer b;

    mw_buffer_init(&b, SIZE_MAX);
    CHECK_INT(mw_buffer_append(&b, "a", 1), 0);
    CHECK_INT(mw_buffer_reserve(&b, SIZE_MAX), -EMSGSIZE);
    mw_buffer_clear(&b);
}

static void the_first_error_stays_until_cleared(void)
{
    struct mw_buffer b;

    mw_buffer_init(&b, 4);
    CHECK_INT(mw_buffer_append(&b, "ab", 2), 0);
    CHECK_INT(mw_buffer_append(&b, "cde", 3), -EMSGSIZE);
    CHECK_INT(mw_buffer_append(&b, "c", 1), -EMSGSIZE);
    CHECK_INT(mw_buffer_append_byte(&b, 'c'), -EMSGSIZE);
    CHECK_INT(mw_buffer_reserve(&b, 1), -EMSGSIZE);
    CHECK_INT(mw_buffer_printf(&b, "c"), -EMSGSIZE);
    CHECK_BYTES(b.data, b.count, "ab", 2);
    mw_buffer_clear(&b);
    CHECK_INT(mw_buffer_append(&b, "abcd", 4), 0);
    mw_buffer_clear(&b);
    mw_buffer_clear(NULL);
}

static void out_of_memory_leaves_what_was_there(void)
{
    struct mw_buffer b;
    char many[500] = {0};

    mw_buffer_init(&b, 1000);
    CHECK_INT(mw_buffer_append(&b, "ab", 2), 0);
    (void)mw_memory_fail_at(1, false);
    CHECK_INT(mw_buffer_append(&b, many, sizeof many), -ENOMEM);
    (void)mw_memory_fail_at(0, false);
    CHECK_BYTES(b.data, b.count, "ab", 2);
    CHECK_INT(b.error, -ENOMEM);
    mw_buffer_clear(&b);
}

static void consuming_drops_the_first_bytes(void)
{
    struct mw_buffer b;

    mw_buffer_init(&b, 100);
    CHECK_INT(mw_buffer_append_text(&b, "abcdef"), 0);
    mw_buffer_consume(&b, 0);
    CHECK_INT(b.count, 6);
    mw_buffer_consume(&b, 2);
    CHECK_BYTES(b.data, b.count, "cdef", 4);
    mw_buffer_consume(&b, 4);
    CHECK_INT(b.count, 0);
    mw_buffer_consume(&b, 4);
    CHECK_INT(b.count, 0);
    mw_buffer_clear(&b);
}

static void growing_byte_by_byte_allocates_rarely(void)
{
    int64_t before = mw_memory_stats().allocations;
    struct mw_buffer b;

    mw_buffer_init(&b, 1 << 20);
    for (int i = 0; i < 100000; i++)
        CHECK_INT(mw_buffer_append_byte(&b, 'x'), 0);
    CHECK(mw_memory_stats().allocations - before < 15);
    mw_buffer_clear(&b);
}

struct element {
    int number;
    struct mw_link link;
};

static void a_list_keeps_order_and_unlinks_from_the_middle(void)
{
    struct element e[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct mw_list list;

    mw_list_init(&list);
    CHECK(mw_list_is_empty(&list) && mw_list_pop_front(&list) == NULL);
    mw_list_push_back(&list, &e[1].link);
    mw_list_push_back(&list, &e[2].link);
    mw_list_push_front(&list, &e[0].link);
    mw_link_remove(&e[1].link);
    CHECK(!mw_link_is_linked(&e[1].link) && mw_link_is_linked(&e[0].link));
    mw_link_remove(&e[1].link); /* in no list: nothing happens */
    CHECK_INT(MW_CONTAINER_OF(mw_list_pop_front(&list), struct element, link)->number, 1);
    CHECK_INT(MW_CONTAINER_OF(mw_list_pop_front(&list), struct element, link)->number, 3);
    CHECK(mw_list_is_empty(&list));
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(what_is_appended_is_there_in_order),
        TEST(a_printed_text_of_any_length_fits),
        TEST(the_limit_is_reached_but_not_passed),
        TEST(a_size_that_overflows_is_over_the_limit),
        TEST(the_first_error_stays_until_cleared),
        TEST(out_of_memory_leaves_what_was_there),
        TEST(consuming_drops_the_first_bytes),
        TEST(growing_byte_by_byte_allocates_rarely),
        TEST(a_list_keeps_order_and_unlinks_from_the_middle),
    };

    return mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
