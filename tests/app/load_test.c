/* Back ends compiled and loaded: those that fit are served, those that do not say why.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <unistd.h>

#include "app/load.h"
#include "app/session.h"

/* Compile a back end of these lines. Its path is in a static array. */
static const char *built(const char *name, const char *source)
{
    static char path[256];
    char command[1024], source_path[300];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/test/load_test_%s_%ld.so", MW_BINARY_DIR, name, (long)getpid());
    (void)snprintf(source_path, sizeof(source_path), "%s.c", path);
    file = fopen(source_path, "w");
    CHECK(file != NULL);
    CHECK(fputs(source, file) >= 0);
    CHECK_INT(fclose(file), 0);
    (void)snprintf(command, sizeof(command), "cc -shared -fPIC -I%s/include -o %s %s", MW_SOURCE_DIR, path, source_path);
    CHECK_INT(system(command), 0);
    (void)unlink(source_path);
    return path;
}

static void a_built_back_end_is_loaded_and_served(void)
{
    const char *path = built("good", "#include <meshwork/app.h>\n"
                                     "struct s { int64_t n; };\n"
                                     "static const mw_attribute t[] = {{MW_FIELD(struct s, n), .kind = MW_INT, .marks = MW_EXPOSED}};\n"
                                     "MW_EXPORT const mw_app mw_app_descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = \"s\",\n"
                                     "    .state_bytes = sizeof(struct s), .attributes = t, .attribute_count = 1};\n");
    const mw_app *descriptor = NULL;
    struct mw_error error = {0};

    CHECK_INT(app_load(path, &descriptor, &error), 0);
    (void)unlink(path);
    session_start(descriptor);
    session_connect_v1(0);
    session_say(0, REQUEST("getAttr", "[\"n\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"n\":0},\"revs\":{\"n\":\"#\"},\"errors\":{}}"));
    session_end();
}

static void what_cannot_be_loaded_says_so_in_one_line(void)
{
    static const struct {
        const char *name, *source, *words;
    } rows[] = {
        {"none", "int x;\n", "add MW_EXPORT const mw_app mw_app_descriptor = {...}"},
        {"other", "#include <meshwork/app.h>\nMW_EXPORT const mw_app mw_app_descriptor = {.abi = 99};\n", "ABI 99"},
        {"silent", "#include <meshwork/app.h>\nMW_EXPORT const mw_app mw_app_descriptor = {.name = \"x\"};\n", ".abi = MW_ABI"},
        {"unlinked", "int missing(void);\nint mw_app_descriptor(void);\nint mw_app_descriptor(void) { return missing(); }\n", "missing"},
    };
    const mw_app *descriptor = NULL;
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        struct mw_error error = {0};
        const char *path = built(rows[i].name, rows[i].source);

        CHECK_INT(app_load(path, &descriptor, &error), -ENOEXEC);
        (void)unlink(path);
        CHECK(strstr(error.text, rows[i].words) != NULL);
        CHECK(strchr(error.text, '\n') == NULL);
    }
    {
        struct mw_error error = {0};

        CHECK_INT(app_load("/nowhere/at/all.so", &descriptor, &error), -ENOEXEC);
        CHECK(strstr(error.text, "cannot load the back end '/nowhere/at/all.so'") != NULL);
    }
    CHECK(descriptor == NULL);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_built_back_end_is_loaded_and_served),
        TEST(what_cannot_be_loaded_says_so_in_one_line),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
