/* Lists and maps: what they cost, how they are shared, a long random life beside a plain model, failing memory.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/build.h"
#include "base/memory.h"
#include "check.h"

/* Seeded: the same choices in each run (xorshift64*). */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static void empty_containers_and_scalars_allocate_nothing(void)
{
    int64_t before = mw_memory_stats().allocations;
    mw_value list = mw_list_new(), map = mw_map_new(), copy = mw_share(list), i = mw_share(mw_int(7));

    CHECK_INT(mw_list_count(list), 0);
    CHECK_INT(mw_map_count(map), 0);
    CHECK(mw_list_at(list, 0) == NULL && mw_map_at(map, 0, NULL) == NULL && mw_map_get(map, "a") == NULL);
    CHECK_INT(mw_map_remove(&map, "a"), -ENOENT);
    CHECK(mw_equal(list, copy) && !mw_equal(list, map));
    mw_release(list);
    mw_release(map);
    mw_release(copy);
    mw_release(i);
    CHECK_INT(mw_memory_stats().allocations, before);
}

static void a_list_of_ints_is_one_block(void)
{
    struct mw_memory_stats before = mw_memory_stats();
    mw_value list = mw_list_new();

    for (int i = 0; i < 1000; i++)
        CHECK_INT(mw_list_append(&list, mw_int(i)), 0);
    CHECK_INT(mw_memory_stats().live_blocks - before.live_blocks, 1);
    CHECK(mw_memory_stats().allocations - before.allocations < 12);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(mw_list_at(list, (size_t)i)->as.integer, i);
    CHECK(mw_list_at(list, 1000) == NULL);
    mw_release(list);
    CHECK_INT(mw_memory_stats().live_bytes, before.live_bytes);
}

static void the_wrong_kind_is_refused_and_what_was_given_is_released(void)
{
    int64_t live = mw_memory_stats().live_blocks;
    mw_value number = mw_int(1), list = mw_list_new(), map = mw_map_new();

    CHECK_INT(mw_list_append(&number, mw_text("a text that needs the heap")), -EINVAL);
    CHECK_INT(mw_list_append(&map, mw_text("a text that needs the heap")), -EINVAL);
    CHECK_INT(mw_map_set(&list, "k", mw_text("a text that needs the heap")), -EINVAL);
    CHECK_INT(mw_map_remove(&list, "k"), -EINVAL);
    CHECK_INT(mw_list_count(map), 0);
    CHECK_INT(mw_map_count(list), 0);
    CHECK(mw_map_get(list, "k") == NULL && mw_list_at(map, 0) == NULL);
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

static void keys_are_bytes_of_any_length_and_content(void)
{
    static const struct {
        const char *key;
        size_t count;
    } keys[] = {
        {"", 0},           {"\0", 1},          {"\0\0", 2},         {"a", 1},        {"a\0", 2},
        {"a\0b", 3},       {"ab", 2},          {"abcdefg", 7},      {"abcdefgh", 8}, {"abcdefghi", 9},
        {"abcdefghijkl", 12}, {"abcdefghijklm", 13}, {"abcdefghijklmn", 14}, {"abcdefghijklmo", 14}, {"bbcdefghijklmn", 14},
    };

    for (size_t most = 5; most <= MW_COUNT(keys); most += 10) { /* without an index, and with one */
        mw_value map = mw_map_new();

        for (size_t i = 0; i < most; i++)
            CHECK_INT(mw_map_set_n(&map, keys[i].key, keys[i].count, mw_int((int64_t)i)), 0);
        CHECK_INT(mw_map_count(map), most);
        for (size_t i = 0; i < most; i++) {
            const mw_value *key, *value = mw_map_at(map, i, &key);
            size_t count;
            const char *text = mw_get_text(key, &count);

            CHECK_BYTES(text, count, keys[i].key, keys[i].count);
            CHECK_INT(value->as.integer, i);
            CHECK(mw_map_get_n(map, keys[i].key, keys[i].count) == value);
        }
        CHECK(mw_map_get(map, "abc") == NULL);
        CHECK_INT(mw_map_remove_n(&map, "a\0", 2), 0);
        CHECK(mw_map_get_n(map, "a", 1) != NULL && mw_map_get_n(map, "a\0", 2) == NULL);
        mw_release(map);
    }
}

/* Short text of every length, as it is made in words. */
static void short_text_of_every_length_is_what_was_given(void)
{
    static const char text[] = "0123456789abc";

    for (size_t count = 0; count <= 13; count++) {
        char *exact = malloc(count ? count : 1); /* so that a sanitizer sees a step beyond it */
        mw_value a, b;
        size_t got;

        CHECK(exact != NULL);
        memcpy(exact, text, count);
        a = mw_text_n(exact, count);
        b = mw_bytes(exact, count);
        free(exact);
        CHECK(!a.is_heap && !b.is_heap);
        CHECK_BYTES(mw_get_text(&a, &got), count, text, count);
        CHECK_INT(got, count);
        CHECK_INT(mw_get_text(&a, NULL)[count], 0);
        CHECK_BYTES(mw_get_text(&b, &got), count, text, count);
        CHECK_INT(got, count);
        CHECK(!mw_equal(a, b));
    }
}

/* ---- a model: keys k0 to k39 in order, each with an int ------------------------------------------------------- */
struct model {
    int keys[64];
    int64_t values[64];
    size_t count;
};

static size_t model_find(const struct model *m, int key)
{
    size_t i = 0;

    while (i < m->count && m->keys[i] != key)
        i++;
    return i;
}

static void model_set(struct model *m, int key, int64_t value)
{
    size_t at = model_find(m, key);

    if (at == m->count)
        m->keys[m->count++] = key;
    m->values[at] = value;
}

static void model_remove(struct model *m, int key)
{
    size_t at = model_find(m, key);

    if (at == m->count)
        return;
    m->count--;
    for (; at < m->count; at++) {
        m->keys[at] = m->keys[at + 1];
        m->values[at] = m->values[at + 1];
    }
}

static void name_key(char name[32], int key)
{
    /* Half of them short, half of them on the heap. */
    snprintf(name, 32, key % 2 ? "k%d" : "a key that needs the heap %d", key);
}

static void check_map_is_model(mw_value map, const struct model *m)
{
    CHECK_INT(mw_map_count(map), m->count);
    for (size_t i = 0; i < m->count; i++) {
        const mw_value *key, *value = mw_map_at(map, i, &key);
        char name[32];

        name_key(name, m->keys[i]);
        CHECK_TEXT(mw_get_text(key, NULL), name);
        CHECK_INT(value->as.integer, m->values[i]);
        CHECK(mw_map_get(map, name) == value);
    }
}

static void a_long_random_life_agrees_with_a_model(void)
{
    int64_t live = mw_memory_stats().live_blocks;
    uint64_t seed = 20261123;
    mw_value map = mw_map_new(), old = mw_map_new();
    struct model m = {.count = 0}, old_m = {.count = 0};

    for (int step = 0; step < 60000; step++) {
        uint64_t dice = random_next(&seed);
        int key = (int)(dice >> 8) % 40, what = (int)(dice & 15);
        char name[32];
        bool is_there;

        key = key < 0 ? -key : key;
        name_key(name, key);
        is_there = model_find(&m, key) < m.count;
        if (what < (step / 1000 % 2 ? 5 : 9)) {
            CHECK_INT(mw_map_set(&map, name, mw_int(step)), 0);
            model_set(&m, key, step);
        } else if (what < 15) {
            CHECK_INT(mw_map_remove(&map, name), is_there ? 0 : -ENOENT);
            model_remove(&m, key);
        } else {
            mw_release(old);
            old = mw_share(map);
            old_m = m;
        }
        if (step % 16 == 0) {
            check_map_is_model(map, &m);
            check_map_is_model(old, &old_m);
        }
    }
    mw_release(map);
    mw_release(old);
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

/* ---- from rows ----------------------------------------------------------------------------------------------------- */
static void rows_become_containers_and_a_repeated_key_keeps_its_place(void)
{
    for (int keys = 1; keys < 40; keys++) {
        int64_t live = mw_memory_stats().live_blocks;
        mw_value row[200], map, same = mw_map_new();
        size_t count = 0;

        for (int i = 0; i < 50; i++) {
            char name[32];

            name_key(name, i % keys);
            row[count++] = mw_text(name);
            row[count++] = mw_format("value number {}", mw_int(i));
            CHECK_INT(mw_map_set(&same, name, mw_share(row[count - 1])), 0);
        }
        CHECK_INT(mw_map_of_pairs(row, count, &map), 0);
        CHECK_INT(mw_map_count(map), keys);
        CHECK(mw_equal(map, same));
        for (size_t i = 0; i < mw_map_count(map); i++) {
            const mw_value *key, *same_key;

            (void)mw_map_at(map, i, &key);
            (void)mw_map_at(same, i, &same_key);
            CHECK(mw_equal(*key, *same_key));
        }
        CHECK_INT(mw_map_set(&map, "one more", mw_int(1)), 0);
        CHECK(mw_map_get(map, "one more") != NULL && mw_map_get(map, "k1234") == NULL);
        mw_release(map);
        mw_release(same);
        CHECK_INT(mw_memory_stats().live_blocks, live);
    }
}

static void rows_are_taken_on_success_only(void)
{
    int64_t live = mw_memory_stats().live_blocks;
    mw_value row[40], ret = mw_int(7);

    for (int i = 0; i < 40; i++)
        row[i] = mw_format("a text that needs the heap {}", mw_int(i));
    for (int64_t n = 1; n <= 2; n++) {
        (void)mw_memory_fail_at(n, false);
        CHECK_INT(mw_map_of_pairs(row, 40, &ret), -ENOMEM);
        (void)mw_memory_fail_at(0, false);
    }
    (void)mw_memory_fail_at(1, false);
    CHECK_INT(mw_list_of_values(row, 40, &ret), -ENOMEM);
    (void)mw_memory_fail_at(0, false);
    CHECK_INT(ret.as.integer, 7);
    CHECK_INT(mw_list_of_values(row, 40, &ret), 0);
    CHECK_INT(mw_list_count(ret), 40);
    mw_release(ret);
    CHECK_INT(mw_list_of_values(NULL, 0, &ret), 0);
    CHECK_INT(mw_kind_of(ret), MW_LIST);
    CHECK_INT(mw_map_of_pairs(NULL, 0, &ret), 0);
    CHECK_INT(mw_kind_of(ret), MW_MAP);
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

/* ---- failing memory -------------------------------------------------------------------------------------------------- */
typedef int change(mw_value *container);

static int append_text(mw_value *list)
{
    return mw_list_append(list, mw_text("a text that needs the heap"));
}
static int set_new(mw_value *map)
{
    return mw_map_set(map, "a new key that needs the heap", mw_text("a text that needs the heap"));
}
static int set_old(mw_value *map)
{
    return mw_map_set(map, "k3", mw_text("a text that needs the heap"));
}
static int remove_old(mw_value *map)
{
    return mw_map_remove(map, "k3");
}

static mw_value make_map(int count)
{
    mw_value map = mw_map_new();

    for (int i = 0; i < count; i++) {
        char name[32];

        name_key(name, i);
        CHECK_INT(mw_map_set(&map, name, mw_int(i)), 0);
    }
    return map;
}

static mw_value make_list(int count)
{
    mw_value list = mw_list_new();

    for (int i = 0; i < count; i++)
        CHECK_INT(mw_list_append(&list, mw_int(i)), 0);
    return list;
}

/* One change with each of its allocations failing in turn: nothing leaks, and all is as it was until it succeeds. */
static void check_change(change *make_change, mw_value (*make)(int), int count, bool is_shared)
{
    int64_t live = mw_memory_stats().live_blocks;
    int err = -ENOMEM;

    for (int64_t n = 1; err == -ENOMEM; n++) {
        mw_value container = make(count), same = make(count), other = is_shared ? mw_share(container) : mw_null();

        CHECK(n < 20);
        (void)mw_memory_fail_at(n, false);
        err = make_change(&container);
        (void)mw_memory_fail_at(0, false);
        CHECK(err == 0 || err == -ENOMEM);
        CHECK_INT(mw_equal(container, same), err != 0);
        CHECK(!is_shared || mw_equal(other, same));
        mw_release(container);
        mw_release(same);
        mw_release(other);
        CHECK_INT(mw_memory_stats().live_blocks, live);
    }
}

static void a_change_without_memory_leaves_all_as_it_was(void)
{
    static const int counts[] = {4, 7, 8, 9, 12, 24, 25};

    for (size_t i = 0; i < MW_COUNT(counts); i++)
        for (int is_shared = 0; is_shared < 2; is_shared++) {
            check_change(append_text, make_list, counts[i], is_shared);
            check_change(set_new, make_map, counts[i], is_shared);
            check_change(set_old, make_map, counts[i], is_shared);
            check_change(remove_old, make_map, counts[i], is_shared);
        }
}

/* ---- many threads ---------------------------------------------------------------------------------------------------- */
static void *share_and_release(void *argument)
{
    const mw_value *common = argument;

    for (int i = 0; i < 20000; i++) {
        mw_value mine = mw_share(*common);

        if (i % 64 == 0 && mw_list_append(&mine, mw_int(i)) < 0)
            return NULL;
        mw_release(mine);
    }
    return argument;
}

static void threads_share_a_value_and_change_only_their_own(void)
{
    int64_t live = mw_memory_stats().live_blocks;
    mw_value list = mw_list_new();
    pthread_t threads[4];

    for (int i = 0; i < 8; i++)
        CHECK_INT(mw_list_append(&list, mw_format("a text that needs the heap {}", mw_int(i))), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, share_and_release, &list), 0);
    for (int i = 0; i < 4; i++) {
        void *end;

        CHECK_INT(pthread_join(threads[i], &end), 0);
        CHECK(end != NULL);
    }
    CHECK_INT(mw_list_count(list), 8);
    mw_release(list);
    CHECK_INT(mw_memory_stats().live_blocks, live);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(empty_containers_and_scalars_allocate_nothing),
        TEST(a_list_of_ints_is_one_block),
        TEST(the_wrong_kind_is_refused_and_what_was_given_is_released),
        TEST(keys_are_bytes_of_any_length_and_content),
        TEST(short_text_of_every_length_is_what_was_given),
        TEST(a_long_random_life_agrees_with_a_model),
        TEST(rows_become_containers_and_a_repeated_key_keeps_its_place),
        TEST(rows_are_taken_on_success_only),
        TEST(a_change_without_memory_leaves_all_as_it_was),
        TEST(threads_share_a_value_and_change_only_their_own),
    };

    return mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
