/* What the core says about itself as JSON, read back by a parser of JSON: dumps and the live graph.
 * SPDX-License-Identifier: MIT */
#include <meshwork/graph.h>
#include <meshwork/json.h>

#include <stdio.h>

#include "check.h"

static int idle(mw_tasklet *self, void *scope)
{
    mw_value item;

    (void)scope;
    while (mw_receive(self, &item))
        mw_release(item);
    return 0;
}

/* A mesh of a nasty name, one that stands in it, and a sleeper with something in its queue. */
static mw_scheduler *make_mesh(mw_scheduler **ret_inner)
{
    mw_scheduler *s = mw_taskmaster_new(), *inner = mw_priority_scheduler_new(true), *previous = mw_scheduler_enter(s);
    mw_tasklet *t = mw_tasklet_new_at(idle, NULL, "a \"quoted\"\n\\name\x7f", __FILE__, __LINE__), *closed = mw_tasklet_new(idle, NULL);

    CHECK(mw_scheduler_tasklet(inner) != NULL);
    mw_scheduler_enter(inner);
    (void)!mw_tasklet_new(NULL, NULL);
    (void)!mw_tasklet_new(idle, NULL);
    mw_scheduler_leave(previous);
    CHECK_INT(mw_graph_start(s, 1), 0);
    CHECK_INT(mw_send(t, mw_text("a text that is longer than what fits inside")), 0);
    CHECK(mw_scheduler_run(s) > 0);
    CHECK_INT(mw_close(closed), 0);
    CHECK_INT(mw_send(closed, mw_int(1)), 0);
    *ret_inner = inner;
    return s;
}

static mw_value parse(const char *text, size_t count)
{
    struct mw_error error = {0};
    mw_value value = mw_null();

    if (mw_json_parse(text, count, NULL, &value, &error) < 0) {
        fprintf(stderr, "    %s in\n%s\n", error.text, text);
        mw_test_fail();
    }
    return value;
}

static void a_dump_as_json_is_json(void)
{
    mw_scheduler *inner, *s = make_mesh(&inner);
    FILE *file = tmpfile();
    char text[16384];
    size_t count;
    mw_value dump;
    const mw_value *members, *mesh;

    CHECK(file != NULL);
    CHECK_INT(mw_scheduler_dump_json(s, fileno(file)), 0);
    rewind(file);
    count = fread(text, 1, sizeof(text) - 1, file);
    text[count] = '\0';
    fclose(file);
    dump = parse(text, count);
    members = mw_map_get(dump, "members");
    CHECK_INT(mw_list_count(*members), 3);
    CHECK_TEXT(mw_get_text(mw_map_get(*mw_list_at(*members, 0), "name"), NULL), "a \"quoted\"\n\\name\x7f");
    CHECK_TEXT(mw_get_text(mw_map_get(*mw_list_at(*members, 1), "state"), NULL), "closed");
    CHECK_INT(mw_map_get(*mw_map_get(*mw_list_at(*members, 1), "queue"), "items")->as.integer, 1);
    mesh = mw_map_get(*mw_list_at(*members, 2), "mesh");
    CHECK_TEXT(mw_get_text(mw_map_get(*mesh, "scheduler"), NULL), "priority");
    CHECK_INT(mw_list_count(*mw_map_get(*mesh, "members")), 2);
    mw_release(dump);
    mw_scheduler_free(inner);
    mw_scheduler_free(s);
}

static void a_graph_as_json_is_the_graph(void)
{
    mw_scheduler *inner, *s = make_mesh(&inner);
    mw_value text = mw_graph_json(s), graph = mw_graph(s), read;
    size_t count;
    const char *bytes = mw_get_text(&text, &count);

    CHECK(bytes != NULL);
    read = parse(bytes, count);
    CHECK(mw_equal(read, graph));
    CHECK_INT(mw_list_count(*mw_map_get(read, "edges")), 2);
    mw_release(read);
    mw_release(graph);
    mw_release(text);
    mw_scheduler_free(inner);
    mw_scheduler_free(s);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_dump_as_json_is_json),
        TEST(a_graph_as_json_is_the_graph),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
