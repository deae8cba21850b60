/* The pages docs/apps.md and docs/protocol.md: their back end is compiled and served, their conversations are held.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <unistd.h>

#include "app/load.h"
#include "app/session.h"

static char page[65536];

static const char *read_page(const char *name)
{
    char path[512];
    FILE *file;
    size_t count;

    (void)snprintf(path, sizeof(path), "%s/docs/%s", MW_SOURCE_DIR, name);
    file = fopen(path, "r");
    CHECK(file != NULL);
    count = fread(page, 1, sizeof(page) - 1, file);
    page[count] = '\0';
    CHECK_INT(fclose(file), 0);
    return page;
}

/* The back end of the page, compiled with the warnings on, and loaded. */
static const mw_app *back_end(void)
{
    static const mw_app *loaded; /* once: it is never unloaded */
    char *from = strstr(read_page("apps.md"), "```c\n"), *to = from ? strstr(from + 5, "\n```") : NULL;
    char path[300], source[310], command[1024];
    FILE *file;

    if (loaded)
        return loaded;
    CHECK(to != NULL);
    (void)snprintf(path, sizeof(path), "%s/test/page_%ld.so", MW_BINARY_DIR, (long)getpid());
    (void)snprintf(source, sizeof(source), "%s.c", path);
    file = fopen(source, "w");
    CHECK(file != NULL);
    CHECK_INT(fwrite(from + 5, 1, (size_t)(to + 1 - from - 5), file), to + 1 - from - 5);
    CHECK_INT(fclose(file), 0);
    (void)snprintf(command, sizeof(command), "cc -std=c17 -Wall -Wextra -Werror -shared -fPIC -I%s/include -o %s %s",
                   MW_SOURCE_DIR, path, source);
    CHECK_INT(system(command), 0);
    CHECK_INT(app_load(path, &loaded, NULL), 0);
    (void)unlink(source);
    (void)unlink(path);
    return loaded;
}

static void start(void)
{
    static const char *const policies[] = {"marked", "operate"};
    static const struct app_role role = {.name = "anonymous", .policies = policies, .policy_count = 2};
    struct app_options options = session_options(back_end());

    session_end();
    options.name = "thermostat";
    options.policies.roles = &role;
    options.policies.role_count = 1;
    session_start_with(&options);
}

/* ---- conversations ------------------------------------------------------------------------------------------ */

#define TO_SERVER "→ "
#define TO_CLIENT "← "
#define MARK_BYTES 4

static void relax_revisions(mw_value *v);

/* The members of "revs" become "#", which stands for any revision. */
static void relax_member(mw_value *map, const char *name, mw_value value)
{
    mw_value copy = mw_share(value);
    size_t i;

    if (strcmp(name, "revs") == 0) {
        for (i = 0; i < mw_map_count(value); i++) {
            const mw_value *key;

            (void)mw_map_at(value, i, &key);
            CHECK_INT(mw_map_set(&copy, mw_get_text(key, NULL), mw_text("#")), 0);
        }
    } else {
        relax_revisions(&copy);
    }
    CHECK_INT(mw_map_set(map, name, copy), 0);
}

static void relax_revisions(mw_value *v)
{
    mw_value was = mw_share(*v);
    size_t i;

    for (i = 0; i < mw_map_count(was); i++) {
        const mw_value *key, *value = mw_map_at(was, i, &key);

        relax_member(v, mw_get_text(key, NULL), *value);
    }
    mw_release(was);
}

/* "…" on the page is the "*" of the comparison. */
static void check_said(const char *want)
{
    char text[4096], *dots;
    mw_value value, printed;

    (void)snprintf(text, sizeof(text), "%s", want);
    while ((dots = strstr(text, "…")) != NULL) {
        *dots = '*';
        memmove(dots + 1, dots + 3, strlen(dots + 3) + 1);
    }
    CHECK_INT(mw_json_parse(text, strlen(text), NULL, &value, NULL), 0);
    relax_revisions(&value);
    printed = mw_json_print(value);
    CHECK_NEXT(0, mw_get_text(&printed, NULL));
    mw_release(value);
    mw_release(printed);
}

/* One speech: from its mark to the next mark or the end of the block, in one line. */
static const char *speech(const char *at, char *ret_text, size_t room)
{
    size_t used = 0;

    for (at += MARK_BYTES; *at; at++) {
        if (*at == '\n' && (strncmp(at + 1, TO_SERVER, MARK_BYTES) == 0 || strncmp(at + 1, TO_CLIENT, MARK_BYTES) == 0 ||
                            strncmp(at + 1, "```", 3) == 0))
            break;
        CHECK(used + 1 < room);
        ret_text[used++] = *at == '\n' ? ' ' : *at;
    }
    ret_text[used] = '\0';
    return at + 1;
}

static void the_conversations_of_the_page_are_held(void)
{
    char text[4096];
    const char *at;
    int speeches = 0;

    start();
    at = read_page("protocol.md");
    session_connect(0, APP_MANNER_V1);
    while ((at = strstr(at, "\n```\n")) != NULL) {
        at += 5;
        while (strncmp(at, TO_SERVER, MARK_BYTES) == 0 || strncmp(at, TO_CLIENT, MARK_BYTES) == 0) {
            bool is_request = strncmp(at, TO_SERVER, MARK_BYTES) == 0;

            at = speech(at, text, sizeof(text));
            speeches++;
            if (is_request) {
                CHECK_NEXT(0, NULL); /* the page leaves nothing out */
                session_say(0, text);
            } else {
                if (strstr(text, "\"changed\"") || strstr(text, "\"broadcast\""))
                    session_turn();
                check_said(text);
            }
        }
    }
    CHECK(speeches > 30);
    CHECK_NEXT(0, NULL);
    session_end();
}

static void the_back_end_of_the_page_works(void)
{
    int i;

    start();
    session_connect(1, APP_MANNER_PLAIN);
    session_say(1, "{\"msgId\":7,\"hello\":\"you\"}");
    CHECK_NEXT(1, "{\"msgId\":7,\"messages\":1}");
    session_connect_v1(0);
    session_say(0, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"setAttr\",\"params\":{\"target_c\":31}}");
    CHECK(strstr(fake_sink_next(&session.sinks[0]), "\"invalid\"") != NULL);
    session_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"setAttr\",\"params\":{\"target_c\":30}}");
    for (i = 0; i < 30; i++) { /* it grows warm */
        session.now_ns += 1000000000;
        session_turn();
    }
    CHECK(strstr(fake_sink_next(&session.sinks[0]), "{\"channel\":\"alarm\",\"data\":29.") != NULL);
    session_end();
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(the_conversations_of_the_page_are_held),
        TEST(the_back_end_of_the_page_works),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
