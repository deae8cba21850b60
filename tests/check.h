/* Checks and a main for unit tests; needs nothing but libc, so that it runs under an emulator too.
 * A test is a function whose name is a sentence. Read next: any tests/<room>/<noun>_test.c.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct mw_test {
    const char *name;
    void (*run)(void);
};
#define TEST(name) {#name, name}

/* One per test program; a failed check leaves the test through it. */
struct mw_test_state {
    const char *program;
    const char *name;
    jmp_buf leave;
};
static struct mw_test_state mw_test_state;

__attribute__((noreturn, unused)) static void mw_test_fail(void)
{
    fprintf(stderr, "    repeat: %s %s\n", mw_test_state.program, mw_test_state.name);
    longjmp(mw_test_state.leave, 1);
}

#define CHECK_FAILED_(...)                                                                        \
    (fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, mw_test_state.name),                      \
     fprintf(stderr, __VA_ARGS__), mw_test_fail())

/* A condition. */
#define CHECK(condition) ((condition) ? (void)0 : CHECK_FAILED_("%s is false\n", #condition))
/* Integers: got, then wanted. */
#define CHECK_INT(got, want) mw_check_int(__FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(want))
/* C strings, either may be NULL. */
#define CHECK_TEXT(got, want) mw_check_text(__FILE__, __LINE__, #got, (got), (want))
/* Bytes with counts. */
#define CHECK_BYTES(got, got_count, want, want_count)                                             \
    mw_check_bytes(__FILE__, __LINE__, #got, (got), (got_count), (want), (want_count))

__attribute__((unused)) static void mw_check_int(const char *file, int line, const char *expression,
                                                 int64_t got, int64_t want)
{
    if (got == want)
        return;
    fprintf(stderr, "%s:%d: %s: %s is %" PRId64 ", want %" PRId64 "\n", file, line,
            mw_test_state.name, expression, got, want);
    mw_test_fail();
}

__attribute__((unused)) static void mw_check_text(const char *file, int line, const char *expression,
                                                  const char *got, const char *want)
{
    if (got == want || (got && want && strcmp(got, want) == 0))
        return;
    fprintf(stderr, "%s:%d: %s: %s is\n    \"%s\", want\n    \"%s\"\n", file, line,
            mw_test_state.name, expression, got ? got : "(NULL)", want ? want : "(NULL)");
    mw_test_fail();
}

__attribute__((unused)) static void mw_check_bytes(const char *file, int line, const char *expression,
                                                   const void *got, size_t got_count, const void *want,
                                                   size_t want_count)
{
    size_t i;

    if (got_count == want_count && (got_count == 0 || memcmp(got, want, got_count) == 0))
        return;
    fprintf(stderr, "%s:%d: %s: %s is %zu bytes, want %zu\n    got :", file, line, mw_test_state.name,
            expression, got_count, want_count);
    for (i = 0; i < got_count && i < 64; i++)
        fprintf(stderr, " %02x", ((const unsigned char *)got)[i]);
    fprintf(stderr, "\n    want:");
    for (i = 0; i < want_count && i < 64; i++)
        fprintf(stderr, " %02x", ((const unsigned char *)want)[i]);
    fprintf(stderr, "\n");
    mw_test_fail();
}

/* Run all tests, or those named on the command line; ends with the line "N passed, N failed". */
__attribute__((unused)) static int mw_test_main(int argc, char **argv, const struct mw_test *tests,
                                                size_t test_count)
{
    volatile int passed = 0, failed = 0;
    volatile size_t i;

    mw_test_state.program = argv[0];
    for (i = 0; i < test_count; i++) {
        bool is_wanted = argc < 2;
        int a;

        for (a = 1; a < argc; a++)
            is_wanted = is_wanted || strcmp(argv[a], tests[i].name) == 0;
        if (!is_wanted)
            continue;
        mw_test_state.name = tests[i].name;
        if (setjmp(mw_test_state.leave) == 0) {
            tests[i].run();
            passed++;
            printf("ok   %s\n", tests[i].name);
        } else {
            failed++;
            printf("FAIL %s\n", tests[i].name);
        }
        fflush(stdout);
    }
    printf("%d passed, %d failed\n", passed, failed);
    if (passed + failed == 0)
        fprintf(stderr, "%s: no test of that name\n", argv[0]);
    return failed > 0 || passed == 0;
}

#endif
