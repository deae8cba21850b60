/* Runs the cases under tests/vectors/<codec>/: reads each `in`, feeds it whole, byte by byte and in seeded
 * random cuts, and compares what comes out with `want`. The notation is described in tests/vectors/README.md.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_CODEC_VECTORS_H
#define TEST_CODEC_VECTORS_H

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "check.h"

enum { VECTOR_SETTINGS_MAX = 8, VECTOR_CASES_MAX = 512, VECTOR_SEEDS = 24, VECTOR_SHOWN_MAX = 100 };

struct vector_setting {
    char name[32];
    long value;
};

/* One case, with its input decoded. */
struct vector {
    char path[512];
    struct mw_buffer in, want;
    struct vector_setting settings[VECTOR_SETTINGS_MAX];
    size_t setting_count;
};

/* What a codec's test brings: something that can be fed in pieces and writes down what came out. */
struct vector_subject {
    const char *codec;
    /* Also called for lines that begin with '@' and name no setting; may be NULL. Appends to in. */
    void (*directive)(const char *line, struct mw_buffer *in);
    void (*begin)(const struct vector *vector);
    /* The bytes are in a block of their own, which is spoilt after the call. */
    void (*feed)(uint8_t *bytes, size_t byte_count, struct mw_buffer *out);
    void (*end)(struct mw_buffer *out);
};

__attribute__((unused)) static long vector_setting(const struct vector *v, const char *name, long otherwise)
{
    size_t i;

    for (i = 0; i < v->setting_count; i++) {
        if (strcmp(v->settings[i].name, name) == 0)
            return v->settings[i].value;
    }
    return otherwise;
}

static void vector_read_file(const char *path, struct mw_buffer *out)
{
    FILE *file = fopen(path, "rb");
    uint8_t block[4096];
    size_t count;

    if (!file)
        CHECK_FAILED_("cannot open %s: %s\n", path, strerror(errno));
    while ((count = fread(block, 1, sizeof block, file)) > 0)
        CHECK_INT(mw_buffer_append(out, block, count), 0);
    fclose(file);
}

/* Decode the notation: \r \n \t \0 \\ \xNN, and \(N,text) for text N times over. */
static void vector_decode(const char *text, size_t count, struct mw_buffer *out)
{
    size_t i = 0;

    while (i < count) {
        if (text[i] != '\\' || i + 1 == count) {
            mw_buffer_append(out, text + i++, 1);
            continue;
        }
        i += 2;
        switch (text[i - 1]) {
        case 'r':
            mw_buffer_append(out, "\r", 1);
            break;
        case 'n':
            mw_buffer_append(out, "\n", 1);
            break;
        case 't':
            mw_buffer_append(out, "\t", 1);
            break;
        case '0':
            mw_buffer_append(out, "", 1);
            break;
        case 'x': {
            char digits[3] = {text[i], text[i + 1], 0};

            mw_buffer_append_byte(out, (uint8_t)strtoul(digits, NULL, 16));
            i += 2;
            break;
        }
        case '(': {
            char *comma;
            long times = strtol(text + i, &comma, 10);
            size_t begin = (size_t)(comma + 1 - text);
            const char *end = memchr(text + begin, ')', count - begin);

            CHECK(*comma == ',' && end != NULL);
            while (times-- > 0)
                vector_decode(text + begin, (size_t)(end - text) - begin, out);
            i = (size_t)(end - text) + 1;
            break;
        }
        default:
            mw_buffer_append(out, text + i - 1, 1);
        }
    }
}

static void vector_load(struct vector *v, const struct vector_subject *subject)
{
    char path[600];
    struct mw_buffer raw;
    size_t at = 0;

    mw_buffer_init(&raw, 64 * 1024 * 1024);
    mw_buffer_init(&v->in, 64 * 1024 * 1024);
    mw_buffer_init(&v->want, 64 * 1024 * 1024);
    v->setting_count = 0;
    snprintf(path, sizeof path, "%s/want", v->path);
    vector_read_file(path, &v->want);
    snprintf(path, sizeof path, "%s/in", v->path);
    vector_read_file(path, &raw);
    mw_buffer_append(&raw, "", 1);
    while (at + 1 < raw.count) {
        const char *line = (const char *)raw.data + at, *end = memchr(line, '\n', raw.count - 1 - at);
        size_t count = end ? (size_t)(end - line) : raw.count - 1 - at;
        struct vector_setting *setting = &v->settings[v->setting_count];
        char whole[4096];

        at += count + 1;
        if (count > 0 && line[0] == '#')
            continue;
        if (count == 0 || line[0] != '@') {
            vector_decode(line, count, &v->in);
            continue;
        }
        CHECK(count < sizeof whole);
        memcpy(whole, line, count);
        whole[count] = '\0';
        if (strncmp(whole, "@set ", 5) == 0) {
            CHECK(v->setting_count < VECTOR_SETTINGS_MAX);
            CHECK_INT(sscanf(whole, "@set %31s %ld", setting->name, &setting->value), 2);
            v->setting_count++;
        } else {
            CHECK(subject->directive != NULL);
            subject->directive(whole, &v->in);
        }
    }
    mw_buffer_clear(&raw);
}

/* Write bytes so that a person can read them and they can stand in `want`. */
__attribute__((unused)) static void vector_show(struct mw_buffer *out, const void *bytes, size_t byte_count)
{
    const uint8_t *from = bytes;
    uint32_t hash = 2166136261U;
    size_t i;

    if (byte_count > VECTOR_SHOWN_MAX) { /* FNV-1a */
        for (i = 0; i < byte_count; i++)
            hash = (hash ^ from[i]) * 16777619U;
        mw_buffer_printf(out, "(%zu bytes, hash %08x)", byte_count, hash);
        return;
    }
    for (i = 0; i < byte_count; i++) {
        if (from[i] == '\r')
            mw_buffer_append_text(out, "\\r");
        else if (from[i] == '\n')
            mw_buffer_append_text(out, "\\n");
        else if (from[i] == '\\')
            mw_buffer_append_text(out, "\\\\");
        else if (from[i] < 0x20 || from[i] >= 0x7f)
            mw_buffer_printf(out, "\\x%02x", from[i]);
        else
            mw_buffer_append(out, from + i, 1);
    }
}

static uint32_t vector_random(uint32_t *io_state)
{
    *io_state ^= *io_state << 13; /* xorshift32 */
    *io_state ^= *io_state >> 17;
    *io_state ^= *io_state << 5;
    return *io_state;
}

/* How many bytes come next. seed 0: all; 1: one; else random, mostly few. */
static size_t vector_cut(uint32_t seed, uint32_t *io_state, size_t left)
{
    size_t most = left;
    uint32_t random = vector_random(io_state);

    if (seed == 0)
        return left;
    if (seed == 1)
        return 1;
    if (random % 4 != 0 && most > 16)
        most = 16;
    if (random % 4 == 1 && most > 3)
        most = 3;
    return 1 + vector_random(io_state) % most;
}

static void vector_run_once(const struct vector *v, const struct vector_subject *subject, uint32_t seed)
{
    uint32_t random = 2463534242U + seed * 7919U;
    struct mw_buffer out;
    size_t at = 0;

    mw_buffer_init(&out, 64 * 1024 * 1024);
    subject->begin(v);
    while (at < v->in.count) {
        size_t count = vector_cut(seed, &random, v->in.count - at);
        uint8_t *block = mw_alloc(count); /* exactly as large, so that a sanitizer sees a step too far */

        CHECK(block != NULL);
        memcpy(block, v->in.data + at, count);
        subject->feed(block, count, &out);
        memset(block, 0xdd, count);
        mw_free(block);
        at += count;
    }
    subject->end(&out);
    if (out.count != v->want.count || (out.count > 0 && memcmp(out.data, v->want.data, out.count) != 0))
        CHECK_FAILED_("%s, %s (seed %u): got\n%.*s--- want\n%.*s---\n", v->path,
                      seed == 0   ? "whole"
                      : seed == 1 ? "byte by byte"
                                  : "in random cuts",
                      seed, (int)out.count, (const char *)out.data, (int)v->want.count,
                      (const char *)v->want.data);
    mw_buffer_clear(&out);
}

static int vector_compare_names(const void *a, const void *b)
{
    return strcmp((const char *)a, (const char *)b);
}

/* Run every case of a codec.
 *
 * seeds    1: whole only; else also byte by byte and so many kinds of cuts
 * returns  how many cases there were
 */
__attribute__((unused)) static size_t vectors_run(const struct vector_subject *subject, uint32_t seeds)
{
    static char names[VECTOR_CASES_MAX][128];
    char root[512];
    struct dirent *entry;
    size_t count = 0, i;
    uint32_t seed;
    DIR *dir;

    snprintf(root, sizeof root, "%s/tests/vectors/%s", MW_SOURCE_DIR, subject->codec);
    dir = opendir(root);
    if (!dir)
        CHECK_FAILED_("cannot open %s: %s\n", root, strerror(errno));
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        CHECK(count < VECTOR_CASES_MAX);
        snprintf(names[count++], sizeof names[0], "%.127s", entry->d_name);
    }
    closedir(dir);
    qsort(names, count, sizeof names[0], vector_compare_names);
    for (i = 0; i < count; i++) {
        static struct vector v;

        snprintf(v.path, sizeof v.path, "%.300s/%.127s", root, names[i]);
        vector_load(&v, subject);
        /* Byte by byte and in all cuts, but not the very long ones: sanitized builds are slow. */
        for (seed = 0; seed < (v.in.count > 200000 && seeds > 4 ? 4 : seeds); seed++)
            vector_run_once(&v, subject, seed);
        mw_buffer_clear(&v.in);
        mw_buffer_clear(&v.want);
    }
    return count;
}

#endif
