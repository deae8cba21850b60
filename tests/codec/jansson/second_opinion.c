/* JSON against Jansson: the vectors, and many texts made of them by seeded changes, are judged by both; what both
 * accept has to mean the same. Built where Jansson is installed.
 * SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <meshwork/json.h>
#include <stdlib.h>

#include "check.h"

enum { TEXTS_MOST = 400, TEXT_BYTES_MOST = 4096, CHANGES = 150000 };

struct sample {
    char bytes[TEXT_BYTES_MOST];
    size_t count;
};
static struct sample samples[TEXTS_MOST];
static size_t sample_count;

/* Seeded: the same changes in each run (xorshift64*). */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static void read_samples(void)
{
    const char *directory = MW_SOURCE_DIR "/tests/vectors/json";
    struct dirent *entry;
    DIR *d = opendir(directory);

    CHECK(d != NULL);
    sample_count = 0;
    while ((entry = readdir(d)) != NULL && sample_count < TEXTS_MOST) {
        struct sample *s = &samples[sample_count];
        char path[1024];
        FILE *f;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s/in", directory, entry->d_name);
        f = fopen(path, "rb");
        CHECK(f != NULL);
        s->count = fread(s->bytes, 1, sizeof s->bytes, f);
        sample_count += s->count < sizeof s->bytes; /* those of a hundred thousand levels are none for changing */
        fclose(f);
    }
    closedir(d);
    CHECK(sample_count > 100);
}

static bool means_the_same(mw_value v, const json_t *j)
{
    const mw_value *part, *key;
    const char *text;
    size_t count, i;
    json_t *theirs;

    switch (json_typeof(j)) {
    case JSON_NULL:
        return v.kind == MW_NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return v.kind == MW_BOOL && v.as.boolean == json_is_true(j);
    case JSON_INTEGER:
        return v.kind == MW_INT && v.as.integer == json_integer_value(j);
    case JSON_REAL: {
        double d = json_real_value(j);

        return v.kind == MW_REAL && memcmp(&d, &v.as.real, sizeof d) == 0;
    }
    case JSON_STRING:
        text = v.kind == MW_TEXT ? mw_get_text(&v, &count) : NULL;
        return text && count == json_string_length(j) && memcmp(text, json_string_value(j), count) == 0;
    case JSON_ARRAY:
        if (v.kind != MW_LIST || mw_list_count(v) != json_array_size(j))
            return false;
        for (i = 0; (part = mw_list_at(v, i)) != NULL; i++)
            if (!means_the_same(*part, json_array_get(j, i)))
                return false;
        return true;
    case JSON_OBJECT:
        if (v.kind != MW_MAP || mw_map_count(v) != json_object_size(j))
            return false;
        for (i = 0; (part = mw_map_at(v, i, &key)) != NULL; i++) {
            theirs = json_object_get(j, mw_get_text(key, NULL));
            if (!theirs || !means_the_same(*part, theirs))
                return false;
        }
        return true;
    }
    return false;
}

/* Where the two are known to differ, and rightly: it refuses integers beyond int64 (we read them as reals) and keys
 * with NUL, and takes a NUL outside of a string for the end; we refuse what is over our limits. */
static bool is_known_difference(const char *bytes, size_t count, int our_result, const json_t *theirs,
                                const json_error_t *their_error)
{
    enum json_error_code code = theirs ? json_error_unknown : json_error_code(their_error);

    if (our_result != 0)
        return our_result == -EMSGSIZE || (theirs && memchr(bytes, 0, count));
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key;
}

static void check_one(const char *bytes, size_t count)
{
    char *exact = malloc(count ? count : 1);
    mw_value v = mw_null();
    json_error_t their_error;
    struct mw_error our_error;
    json_t *theirs;
    int ours;

    CHECK(exact != NULL);
    memcpy(exact, bytes, count);
    ours = mw_json_parse(exact, count, NULL, &v, &our_error);
    theirs = json_loadb(exact, count, JSON_DECODE_ANY | JSON_ALLOW_NUL, &their_error);
    free(exact);
    if ((ours == 0) != (theirs != NULL)) {
        if (!is_known_difference(bytes, count, ours, theirs, &their_error))
            CHECK_FAILED_("of \"%.*s\" we say: %s; Jansson says: %s\n", (int)count, bytes,
                          ours ? our_error.text : "good", theirs ? "good" : their_error.text);
    } else if (theirs && !means_the_same(v, theirs)) {
        CHECK_FAILED_("\"%.*s\" means something else to Jansson\n", (int)count, bytes);
    }
    json_decref(theirs);
    mw_release(v);
}

static void every_vector_means_the_same_to_jansson(void)
{
    read_samples();
    for (size_t i = 0; i < sample_count; i++)
        check_one(samples[i].bytes, samples[i].count);
}

/* Change a text in one place: a byte, a piece of another text, a word of the grammar, a piece left out. */
static size_t change(char *bytes, size_t count, uint64_t *seed)
{
    static const char *const words[] = {"{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0041", "\\ud83d\\ude00", "\\ud800",
                                        "0", "-", "1e5", ".5", "E+", "9007199254740993", "0.1", "true", "null", " ",
                                        "\n", "\xc3\xa9", "\xed\xa0\x80", "\"a\":1,", "1e-320", "1e309", "\x1f", "\\u0000"};
    size_t at = count ? random_next(seed) % (count + 1) : 0, length;
    const char *insert;

    switch (random_next(seed) % 4) {
    case 0:
        if (at < count)
            bytes[at] = (char)random_next(seed);
        return count;
    case 1: {
        const struct sample *other = &samples[random_next(seed) % sample_count];
        size_t from = other->count ? random_next(seed) % other->count : 0;

        insert = other->bytes + from;
        length = random_next(seed) % 16;
        length = length < other->count - from ? length : other->count - from;
        break;
    }
    case 2:
        insert = words[random_next(seed) % MW_COUNT(words)];
        length = strlen(insert);
        break;
    default:
        length = random_next(seed) % 4;
        length = length < count - at ? length : count - at;
        memmove(bytes + at, bytes + at + length, count - at - length);
        return count - length;
    }
    if (count + length > TEXT_BYTES_MOST)
        return count;
    memmove(bytes + at + length, bytes + at, count - at);
    memcpy(bytes + at, insert, length);
    return count + length;
}

static void changed_texts_mean_the_same_to_jansson(void)
{
    static char bytes[TEXT_BYTES_MOST];
    uint64_t seed = 20261123;

    read_samples();
    for (int i = 0; i < CHANGES; i++) {
        const struct sample *s = &samples[random_next(&seed) % sample_count];
        size_t count = s->count;

        memcpy(bytes, s->bytes, count);
        for (uint64_t changes = 1 + random_next(&seed) % 3; changes > 0; changes--)
            count = change(bytes, count, &seed);
        check_one(bytes, count);
    }
}

/* A random value, printed by us and read by Jansson. */
static mw_value random_value(uint64_t *seed, int depth)
{
    uint64_t dice = random_next(seed), bits = random_next(seed);
    mw_value v;
    double d;

    switch (dice % (depth < 4 ? 8 : 6)) {
    case 0:
        return mw_bool(bits & 1);
    case 1:
        return mw_int((int64_t)(bits >> (dice >> 8) % 64));
    case 2:
        memcpy(&d, &bits, sizeof d);
        return isfinite(d) ? mw_real(d) : mw_null();
    case 3:
        return mw_real((double)(int64_t)bits / 1000);
    case 4:
    case 5: {
        char text[40];
        size_t count = (dice >> 8) % sizeof text;

        for (size_t i = 0; i < count; i++)
            text[i] = (char)(random_next(seed) % 0x7f);
        return mw_text_n(text, count);
    }
    case 6:
        v = mw_list_new();
        for (uint64_t i = bits % 5; i > 0; i--)
            CHECK_INT(mw_list_append(&v, random_value(seed, depth + 1)), 0);
        return v;
    default:
        v = mw_map_new();
        for (uint64_t i = bits % 15; i > 0; i--) {
            char key[32];

            snprintf(key, sizeof key, "%s%d", i % 2 ? "k\"\\\n\xc3\xa9" : "a key that needs the heap ", (int)i);
            CHECK_INT(mw_map_set(&v, key, random_value(seed, depth + 1)), 0);
        }
        return v;
    }
}

static void what_we_print_means_the_same_to_jansson(void)
{
    uint64_t seed = 42;

    for (int i = 0; i < 3000; i++) {
        mw_value v = random_value(&seed, 0), text = mw_json_print(v);
        json_error_t error;
        json_t *theirs;
        size_t count;
        const char *bytes = mw_get_text(&text, &count);

        CHECK(bytes != NULL);
        theirs = json_loadb(bytes, count, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        if (!theirs || !means_the_same(v, theirs))
            CHECK_FAILED_("Jansson reads %s otherwise: %s\n", bytes, theirs ? "another value" : error.text);
        json_decref(theirs);
        mw_release(text);
        mw_release(v);
    }
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(every_vector_means_the_same_to_jansson),
        TEST(changed_texts_mean_the_same_to_jansson),
        TEST(what_we_print_means_the_same_to_jansson),
    };

    return mw_test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
