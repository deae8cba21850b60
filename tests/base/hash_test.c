/* SipHash-1-3 against another implementation's figures, and the key that each process has.
 * SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include "check.h"

/* What CPython 3.11 hashes bytes to with its key of zeros (PYTHONHASHSEED=0, sys.hash_info.algorithm siphash13). */
static void hashes_are_those_of_siphash_1_3(void)
{
    static const uint64_t no_key[2];
    unsigned char counting[64];

    for (size_t i = 0; i < sizeof counting; i++)
        counting[i] = (unsigned char)i;
    CHECK(mw_hash_keyed(no_key, "a", 1) == UINT64_C(0x407448d2b89b1813));
    CHECK(mw_hash_keyed(no_key, "abc", 3) == UINT64_C(0xc03bc3a0042630f2));
    CHECK(mw_hash_keyed(no_key, "abcdefg", 7) == UINT64_C(0x6db12aae9070f506));
    CHECK(mw_hash_keyed(no_key, "abcdefgh", 8) == UINT64_C(0x3f7b849c0b8e35ea));
    CHECK(mw_hash_keyed(no_key, "abcdefghi", 9) == UINT64_C(0xf89b34a3d11eb6e5));
    CHECK(mw_hash_keyed(no_key, counting, 15) == UINT64_C(0xf30eb725bb91c9ea));
    CHECK(mw_hash_keyed(no_key, counting, 64) == UINT64_C(0x75e05fd5bbc870c6));
}

static void both_halves_of_the_key_count(void)
{
    static const uint64_t keys[3][2] = {{0, 0}, {1, 0}, {0, 1}};

    CHECK(mw_hash_keyed(keys[0], "abc", 3) != mw_hash_keyed(keys[1], "abc", 3));
    CHECK(mw_hash_keyed(keys[0], "abc", 3) != mw_hash_keyed(keys[2], "abc", 3));
    CHECK(mw_hash_keyed(keys[1], "abc", 3) != mw_hash_keyed(keys[2], "abc", 3));
}

static void a_process_hashes_alike_but_not_under_a_known_key(void)
{
    static const uint64_t no_key[2];

    CHECK(mw_hash("abc", 3) == mw_hash("abc", 3));
    CHECK(mw_hash("abc", 3) != mw_hash_keyed(no_key, "abc", 3));
    CHECK(mw_hash("", 0) != mw_hash("\0", 1));
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(hashes_are_those_of_siphash_1_3),
        TEST(both_halves_of_the_key_count),
        TEST(a_process_hashes_alike_but_not_under_a_known_key),
    };

    return mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
