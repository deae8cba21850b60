/* Exposed tasklets: what front ends send arrives, what they may not send does not, and nothing waits.
 * SPDX-License-Identifier: MIT */
#include "app/machine.h"

#include "base/memory.h"

#define FAILURE(code, message)                                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":" code ",\"message\":\"" message "\",\"data\":\"*\"}}"
#define SEND(to, item) REQUEST("send", "{\"to\":\"" to "\",\"item\":" item "}")
#define DENIED FAILURE("-32001", "denied")

/* The tasklets of the instance opened last. */
static struct {
    mw_tasklet *keeper, *small, *null;
    char kept[256]; /* what keeper got, as JSON, each with a space */
} mesh;

/* ---- an app with a mesh -------------------------------------------------------------------------------- */

static int keep(mw_tasklet *self, void *scope, mw_value item)
{
    size_t used = strlen(mesh.kept);
    mw_value text = mw_json_print(item);

    (void)self;
    (void)scope;
    (void)snprintf(mesh.kept + used, sizeof(mesh.kept) - used, "%s ", mw_get_text(&text, NULL));
    mw_release(text);
    mw_release(item);
    return 0;
}

static int wait_for_items(mw_tasklet *self, void *scope)
{
    mw_value item;

    (void)scope;
    while (mw_receive(self, &item))
        mw_release(item);
    return 0;
}

static int open_mesh(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    static const mw_tasklet_options two = {.size = sizeof(two), .name = "small", .mailbox_items = 2};

    CHECK_INT(machine_open(instance, state, ret_error), 0);
    memset(&mesh, 0, sizeof(mesh));
    mesh.keeper = mw_handler_new(keep, NULL);
    mesh.small = mw_tasklet_open(wait_for_items, NULL, &two);
    mesh.null = mw_tasklet_new(NULL, NULL);
    CHECK_INT(mw_expose_tasklet(instance, "keeper", mesh.keeper, "Keeps \"everything\""), 0);
    CHECK_INT(mw_expose_tasklet(instance, NULL, mesh.small, NULL), 0);
    CHECK_INT(mw_expose_tasklet(instance, "null", mesh.null, NULL), 0);
    CHECK_INT(mw_expose_tasklet(instance, "private", mesh.keeper, "Nobody may"), 0);
    return 0;
}

/* As app.ini would say it: callable = keeper, small, null, late, a, add */
static void start_mode(enum mw_instance_mode mode)
{
    static const char *const names[] = {"marked", "file"};
    static const struct app_role role = {.name = "anonymous", .policies = names, .policy_count = 2};
    mw_app descriptor = machine_descriptor();
    struct app_options options = session_options(&descriptor);
    mw_policy *file = mw_policy_new("file");

    session_end();
    memset(&seen, 0, sizeof(seen));
    CHECK_INT(mw_policy_parse(file, "callable", "keeper, small, null, late, a, add", NULL), 0);
    descriptor.instance = mode;
    descriptor.open = open_mesh;
    options.policies.policies = &file;
    options.policies.policy_count = 1;
    options.policies.roles = &role;
    options.policies.role_count = 1;
    session_start_with(&options);
}

static void start(void)
{
    start_mode(MW_INSTANCE_ONE);
    session_connect_v1(0);
    session_turn();
}

static void check_answer(int line, const char *request, const char *want)
{
    session_say(0, request);
    check_json(__FILE__, line, fake_sink_next(&session.sinks[0]), want);
}
#define CHECK_ANSWER(request, want) check_answer(__LINE__, (request), (want))

static void check_post(int line, const char *request, const char *want)
{
    mw_value answer;

    CHECK_INT(app_rpc(session.app, NULL, request, strlen(request), &answer), 0);
    check_json(__FILE__, line, mw_get_text(&answer, NULL), want);
    mw_release(answer);
}
#define CHECK_POST(request, want) check_post(__LINE__, (request), (want))

/* ---- time ------------------------------------------------------------------------------------------------- */

/* In real time, which is the mesh's: only what the app says of it is looked at. */
static void what_is_due_in_a_mesh_later_is_a_deadline_of_the_app(void)
{
    int64_t due_ns;

    start();
    CHECK_INT(app_next_deadline(session.app), MW_FOREVER);
    due_ns = mw_now_ns() + 1000000;
    CHECK(mw_send_at(mesh.keeper, mw_int(7), due_ns) > 0);
    CHECK(!app_turn(session.app, mw_now_ns())); /* the mesh has said that something is due earlier */
    CHECK_INT(app_next_deadline(session.app), due_ns);
    CHECK_TEXT(mesh.kept, "");
    while (mw_now_ns() < due_ns)
        continue;
    while (app_turn(session.app, mw_now_ns()))
        continue;
    CHECK_TEXT(mesh.kept, "7 ");
    CHECK_INT(app_next_deadline(session.app), MW_FOREVER);
    CHECK(mw_send_at(mesh.keeper, mw_int(8), mw_now_ns() + INT64_C(60000000000)) > 0);
    CHECK(!app_turn(session.app, mw_now_ns()));
    session_end(); /* while something is due */
}

/* ---- send ------------------------------------------------------------------------------------------------- */

static void an_item_is_queued_at_once_and_run_in_the_next_turn(void)
{
    int wakes;

    start();
    wakes = session.wakes;
    CHECK_ANSWER(SEND("keeper", "20"), RESULT("true"));
    CHECK_TEXT(mesh.kept, "");
    CHECK_INT(session.wakes, wakes + 1);
    session_turn();
    CHECK_TEXT(mesh.kept, "20 ");
    CHECK_INT(app_stats(session.app).sends, 1);
    session_end();
}

static void an_item_may_be_any_json_and_outlives_its_request(void)
{
    start();
    CHECK_ANSWER(SEND("keeper", "{\"a\":[1,\"a text that needs a block of its own\",null]}"), RESULT("true"));
    CHECK_ANSWER(SEND("keeper", "\"short\""), RESULT("true"));
    CHECK_ANSWER(SEND("keeper", "null"), RESULT("true"));
    CHECK_ANSWER(REQUEST("send", "{\"to\":\"keeper\"}"), RESULT("true")); /* as null: something to start with */
    session_turn();
    CHECK_TEXT(mesh.kept, "{\"a\":[1,\"a text that needs a block of its own\",null]} \"short\" null null ");
    session_end();
}

static void what_may_not_be_sent_to_is_denied_like_what_is_not_there(void)
{
    start();
    CHECK_ANSWER(SEND("private", "1"), DENIED);
    CHECK_ANSWER(SEND("late", "1"), DENIED);   /* callable, but not there */
    CHECK_ANSWER(SEND("nobody", "1"), DENIED);
    CHECK_ANSWER(SEND("a", "1"), DENIED);      /* an attribute */
    CHECK_ANSWER(SEND("add", "1"), DENIED);    /* a command */
    CHECK_ANSWER(REQUEST("call", "{\"name\":\"keeper\"}"), DENIED); /* and no command itself */
    CHECK_INT(app_stats(session.app).denied, 6);
    session_turn();
    CHECK_TEXT(mesh.kept, "");
    session_end();
}

static void a_full_queue_says_so_and_nobody_waits(void)
{
    start();
    CHECK_ANSWER(SEND("small", "1"), RESULT("true"));
    CHECK_ANSWER(SEND("small", "2"), RESULT("true"));
    CHECK_ANSWER(SEND("small", "\"longer than a short text, so that it has a block\""), FAILURE("-32006", "overloaded"));
    CHECK_INT(app_stats(session.app).sends_refused, 1);
    CHECK_INT(mw_tasklet_stats(mesh.small).refused, 1);
    session_turn();
    CHECK_ANSWER(SEND("small", "3"), RESULT("true"));
    session_end();
}

static void a_closed_tasklet_says_so_until_it_is_open_again(void)
{
    start();
    CHECK_INT(mw_close(mesh.small), 0);
    CHECK_ANSWER(SEND("small", "1"), FAILURE("-32009", "closing"));
    CHECK_INT(mw_tasklet_stats(mesh.small).queued_items, 0);
    CHECK_INT(mw_restart(mesh.small, true), 0);
    CHECK_ANSWER(SEND("small", "1"), RESULT("true"));
    CHECK_INT(mw_finish(mesh.small), 0); /* it takes no more, and is not closed yet */
    CHECK_ANSWER(SEND("small", "2"), FAILURE("-32009", "closing"));
    CHECK_INT(app_stats(session.app).sends_refused, 2);
    session_end();
}

static void the_null_tasklet_swallows_what_it_is_sent(void)
{
    int i;

    start();
    for (i = 0; i < 5; i++)
        CHECK_ANSWER(SEND("null", "\"a text that needs a block of its own\""), RESULT("true"));
    CHECK_INT(mw_tasklet_stats(mesh.null).swallowed, 5);
    session_end();
}

static void wrong_params_are_told_what_was_expected(void)
{
    static const char *const wrong[] = {
        "[]", "{}", "{\"item\":1}", "{\"to\":\"keeper\",\"args\":1}", "{\"to\":\"keeper\",\"item\":1,\"wait\":true}",
        "{\"to\":1,\"item\":1}", "{\"to\":\"\",\"item\":1}", "[\"keeper\",1]",
    };
    char request[256];
    size_t i;

    start();
    for (i = 0; i < MW_COUNT(wrong); i++) {
        (void)snprintf(request, sizeof(request), REQUEST("send", "%s"), wrong[i]);
        CHECK_ANSWER(request, FAILURE("-32602", "invalid params"));
    }
    session_end();
}

static void requests_in_plain_mode_and_notifications_send_too(void)
{
    start();
    session_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"send\",\"params\":{\"to\":\"keeper\",\"item\":1}}");
    CHECK_NEXT(0, NULL);
    session_connect(1, APP_MANNER_PLAIN);
    session_say(1, SEND("keeper", "2"));
    CHECK_NEXT(1, RESULT("true"));
    session_turn();
    CHECK_TEXT(mesh.kept, "1 2 ");
    session_end();
}

static void a_post_sends_where_the_instance_outlives_it(void)
{
    start();
    CHECK_POST(SEND("keeper", "1"), RESULT("true"));
    CHECK_POST(SEND("private", "1"), DENIED);
    session_turn();
    CHECK_TEXT(mesh.kept, "1 ");

    start_mode(MW_INSTANCE_PER_USER);
    CHECK_POST(SEND("keeper", "2"), RESULT("true"));
    session_turn();
    CHECK_TEXT(mesh.kept, "2 ");

    start_mode(MW_INSTANCE_PER_CLIENT); /* nobody would ever run it */
    CHECK_POST(SEND("keeper", "3"), FAILURE("-32601", "method not found"));
    CHECK_POST(SEND("private", "3"), DENIED);
    session_end();
}

/* ---- what is there ------------------------------------------------------------------------------------------- */

static void describe_and_rights_tell_what_may_be_sent_to(void)
{
    start();
    CHECK_ANSWER(REQUEST("rights", "[\"keeper\",\"small\",\"private\",\"late\",\"a\"]"),
                 RESULT("{\"keeper\":\"call\",\"small\":\"call\",\"private\":\"\",\"late\":\"\",\"a\":\"get set\"}"));
    CHECK_ANSWER(REQUEST("describe", "[]"),
                 RESULT("{\"attributes\":\"*\",\"commands\":{\"add\":{\"rights\":\"call\"}},\"tasklets\":{"
                        "\"keeper\":{\"rights\":\"call\",\"doc\":\"Keeps \\\"everything\\\"\"},"
                        "\"small\":{\"rights\":\"call\"},\"null\":{\"rights\":\"call\"}}}"));
    session_end();
}

#define MARKED                                                                                                       \
    "\"a\":\"get set\",\"c\":\"get\",\"speed\":\"get set\",\"name\":\"get set\",\"big\":\"get set\","                \
    "\"is_on\":\"get set\",\"serial\":\"get\",\"secret\":\"set\",\"faulty\":\"get\",\"picky\":\"get set\","       \
    "\"add\":\"call\""
#define SAID_RIGHTS(more) "{\"jsonrpc\":\"2.0\",\"method\":\"rights\",\"params\":{" MARKED more "}}"

static void what_comes_and_goes_is_said_at_once(void)
{
    start();
    CHECK_INT(mw_unexpose_tasklet(seen.instance, "small"), 0);
    CHECK_INT(mw_unexpose_tasklet(seen.instance, "null"), 0);
    session_turn();
    CHECK_NEXT(0, SAID_RIGHTS(",\"keeper\":\"call\"")); /* both in one */
    CHECK_ANSWER(SEND("small", "1"), DENIED);
    CHECK_INT(mw_expose_tasklet(seen.instance, "late", mesh.small, NULL), 0);
    CHECK_ANSWER(SEND("late", "1"), RESULT("true"));
    session_turn();
    CHECK_NEXT(0, SAID_RIGHTS(",\"keeper\":\"call\",\"late\":\"call\""));
    CHECK_INT(mw_unexpose_tasklet(seen.instance, "private"), 0); /* which nobody had */
    session_turn();
    CHECK_NEXT(0, NULL);
    CHECK_INT(mw_unexpose_tasklet(seen.instance, "private"), -ENOENT);
    session_end();
}

static void one_name_means_one_thing(void)
{
    char name[258];

    start();
    CHECK_INT(mw_expose_tasklet(seen.instance, "keeper", mesh.small, NULL), -EEXIST);
    CHECK_INT(mw_expose_tasklet(seen.instance, NULL, mesh.small, NULL), -EEXIST);
    CHECK_INT(mw_expose_tasklet(seen.instance, "a", mesh.small, NULL), -EEXIST);
    CHECK_INT(mw_expose_tasklet(seen.instance, "add", mesh.small, NULL), -EEXIST);
    CHECK_INT(mw_expose_tasklet(seen.instance, "again", mesh.small, NULL), 0); /* under a second name it may be */
    CHECK_INT(mw_expose_tasklet(seen.instance, "", mesh.small, NULL), -EINVAL);
    CHECK_INT(mw_expose_tasklet(seen.instance, "a b", mesh.small, NULL), -EINVAL);
    CHECK_INT(mw_expose_tasklet(seen.instance, "late", NULL, NULL), -EINVAL);
    CHECK_INT(mw_expose_tasklet(seen.instance, NULL, NULL, NULL), -EINVAL);
    memset(name, 'n', sizeof(name) - 1);
    name[257] = '\0';
    CHECK_INT(mw_expose_tasklet(seen.instance, name, mesh.small, NULL), -EINVAL);
    name[256] = '\0';
    CHECK_INT(mw_expose_tasklet(seen.instance, name, mesh.small, NULL), 0);
    CHECK_INT(mw_tasklet_set_name(mesh.small, "renamed"), 0); /* the name it is exposed by was copied */
    CHECK_ANSWER(SEND("small", "1"), RESULT("true"));
    session_end();
}

/* ---- instances ------------------------------------------------------------------------------------------------- */

static int expose_late(mw_client *client)
{
    return mw_expose_tasklet(mw_client_instance(client), "late", mesh.null, NULL);
}

static void each_client_sends_into_its_own_instance(void)
{
    mw_tasklet *first;

    start_mode(MW_INSTANCE_PER_CLIENT);
    session_connect_v1(0);
    first = mesh.keeper;
    session_connect_v1(1);
    CHECK(mesh.keeper != first);
    CHECK_ANSWER(SEND("keeper", "1"), RESULT("true"));
    CHECK_INT(mw_tasklet_stats(first).queued_items, 1);
    CHECK_INT(mw_tasklet_stats(mesh.keeper).queued_items, 0);
    session_turn();
    CHECK_TEXT(mesh.kept, "1 ");
    CHECK_ANSWER(SEND("keeper", "2"), RESULT("true"));
    session_leave(0); /* its instance goes with it, and what is queued there */
    session_turn();
    CHECK_TEXT(mesh.kept, "1 ");
    session_say(1, SEND("keeper", "3"));
    CHECK_NEXT(1, RESULT("true"));
    session_turn();
    CHECK_TEXT(mesh.kept, "1 3 ");
    session_end();
}

static void hello_knows_what_connect_has_exposed(void)
{
    start_mode(MW_INSTANCE_PER_CLIENT);
    seen.on_connect = expose_late;
    session_connect(0, APP_MANNER_V1);
    CHECK(strstr(fake_sink_next(&session.sinks[0]), "\"late\":\"call\"") != NULL);
    session_turn();
    CHECK_NEXT(0, NULL);
    session_end();
}

static void an_exposure_without_memory_changes_nothing(void)
{
    int64_t n;
    int err = -ENOMEM;

    start();
    for (n = 1; err == -ENOMEM; n++) {
        struct mw_memory_stats before = mw_memory_stats();

        (void)mw_memory_fail_at(n, false);
        err = mw_expose_tasklet(seen.instance, "late", mesh.small, "Comes late, with a text of some length");
        (void)mw_memory_fail_at(0, false);
        if (err == 0)
            break;
        CHECK_INT(err, -ENOMEM);
        CHECK_INT(mw_memory_stats().live_blocks, before.live_blocks);
        CHECK_ANSWER(SEND("late", "1"), DENIED);
    }
    CHECK(n > 2);
    CHECK_ANSWER(SEND("late", "1"), RESULT("true"));
    session_end();
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(what_is_due_in_a_mesh_later_is_a_deadline_of_the_app),
        TEST(an_item_is_queued_at_once_and_run_in_the_next_turn),
        TEST(an_item_may_be_any_json_and_outlives_its_request),
        TEST(what_may_not_be_sent_to_is_denied_like_what_is_not_there),
        TEST(a_full_queue_says_so_and_nobody_waits),
        TEST(a_closed_tasklet_says_so_until_it_is_open_again),
        TEST(the_null_tasklet_swallows_what_it_is_sent),
        TEST(wrong_params_are_told_what_was_expected),
        TEST(requests_in_plain_mode_and_notifications_send_too),
        TEST(a_post_sends_where_the_instance_outlives_it),
        TEST(describe_and_rights_tell_what_may_be_sent_to),
        TEST(what_comes_and_goes_is_said_at_once),
        TEST(one_name_means_one_thing),
        TEST(each_client_sends_into_its_own_instance),
        TEST(hello_knows_what_connect_has_exposed),
        TEST(an_exposure_without_memory_changes_nothing),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
