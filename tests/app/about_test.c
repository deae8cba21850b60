/* What a back end may ask about its clients: who there is, their roles, where they come from, how they read.
 * Not what it says to them; that is client_test.c.
 * SPDX-License-Identifier: MIT */
#include "app/machine.h"

static const char *const roles[] = {"guard", "operator"};
static const struct app_identity bob = {.user = "bob", .roles = roles, .role_count = 2};
static char asked[64]; /* what was asked in a disconnect */

static const char *address_of(void *context, void *connection)
{
    (void)context;
    return connection ? "192.0.2.7" : "192.0.2.8";
}

static const char *query_of(void *context, void *connection)
{
    return connection == &((struct session *)context)->sinks[0] ? "room=5&x=%20" : "";
}

static int call_where(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    char text[64];

    (void)args, (void)ret_error;
    (void)snprintf(text, sizeof(text), "%s %s", mw_client_address(client), mw_client_query(client));
    *ret = mw_text(text);
    return 0;
}

static const mw_command commands[] = {{.name = "reset", .call = call_where}};

static void start(enum mw_instance_mode mode)
{
    static const char *const policies[] = {"operate"};
    static const struct app_role anonymous = {.name = "anonymous", .policies = policies, .policy_count = 1};
    mw_app descriptor = machine_descriptor();
    struct app_options options = session_options(&descriptor);

    descriptor.instance = mode;
    descriptor.commands = commands;
    descriptor.command_count = MW_COUNT(commands);
    session_end();
    memset(&seen, 0, sizeof(seen));
    options.descriptor = &descriptor;
    options.address = address_of;
    options.query = query_of;
    options.policies.roles = &anonymous;
    options.policies.role_count = 1;
    session_start_with(&options);
}

static void connect_as(size_t at, const struct app_identity *who)
{
    CHECK_INT(app_client_open(session.app, APP_MANNER_PLAIN, &fake_sink, &session.sinks[at], who, &session.clients[at], NULL), 0);
    session.sinks[at].client = session.clients[at];
}

static void a_client_has_the_roles_of_its_user(void)
{
    start(MW_INSTANCE_ONE);
    connect_as(0, &bob);
    connect_as(1, NULL);
    CHECK(mw_client_has_role(session.clients[0], "guard"));
    CHECK(mw_client_has_role(session.clients[0], "operator"));
    CHECK(!mw_client_has_role(session.clients[0], "operat"));
    CHECK(!mw_client_has_role(session.clients[0], "anonymous"));
    CHECK(mw_client_has_role(session.clients[1], "anonymous"));
    CHECK(!mw_client_has_role(session.clients[1], "guard"));
    session_end();
}

static void an_instance_says_whose_it_is(void)
{
    start(MW_INSTANCE_PER_USER);
    connect_as(0, &bob);
    connect_as(1, NULL);
    CHECK_TEXT(mw_instance_user(mw_client_instance(session.clients[0])), "bob");
    CHECK_TEXT(mw_instance_user(mw_client_instance(session.clients[1])), "");
    start(MW_INSTANCE_ONE);
    connect_as(0, &bob);
    CHECK_TEXT(mw_instance_user(mw_client_instance(session.clients[0])), "");
    session_end();
}

static void note_where(mw_client *client)
{
    (void)snprintf(asked, sizeof(asked), "%s %s", mw_client_address(client), mw_client_query(client));
}

static void where_a_client_comes_from_is_known_until_its_disconnect(void)
{
    static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"call\",\"params\":{\"name\":\"reset\"}}";
    mw_value answer = mw_null();

    start(MW_INSTANCE_ONE);
    seen.on_disconnect = note_where;
    connect_as(0, NULL);
    connect_as(1, NULL);
    session_say(0, request);
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"192.0.2.7 room=5&x=%20\"}");
    session_say(1, request);
    CHECK_NEXT(1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"192.0.2.7 \"}");
    session_leave(0);
    CHECK_TEXT(asked, "192.0.2.7 room=5&x=%20");
    CHECK_INT(app_rpc(session.app, NULL, request, strlen(request), &answer), 0);
    CHECK_JSON(mw_get_text(&answer, NULL), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"192.0.2.8 \"}");
    mw_release(answer);
    session_end();
}

static void who_reads_slowly_is_behind(void)
{
    start(MW_INSTANCE_ONE);
    connect_as(0, NULL);
    CHECK(!mw_client_is_behind(session.clients[0]));
    session.sinks[0].is_behind = true;
    CHECK(mw_client_is_behind(session.clients[0]));
    CHECK_INT(mw_client_close(session.clients[0], 1000, NULL), 0);
    CHECK(!mw_client_is_behind(session.clients[0])); /* nothing is sent to it any more */
    session_end();
}

/* ---- all of them ---------------------------------------------------------------------------------------- */
static struct {
    int count;
    mw_client *last;
    int stops_at;
} visit;

static int visit_one(void *context, mw_client *client)
{
    CHECK(context == &visit);
    visit.last = client;
    return ++visit.count == visit.stops_at ? -EIO : 0;
}

static int send_home(void *context, mw_client *client)
{
    (void)context;
    visit.count++;
    CHECK_INT(mw_client_close(client, 4000, "home"), 0);
    return 0;
}

static int visit_from_connect(mw_client *client)
{
    visit.count = 0;
    visit.last = NULL;
    return mw_each_client(mw_client_instance(client), visit_one, &visit);
}

static void each_client_is_visited_in_the_order_of_its_coming(void)
{
    mw_instance *instance;

    start(MW_INSTANCE_ONE);
    connect_as(0, NULL);
    connect_as(1, &bob);
    connect_as(2, NULL);
    instance = mw_client_instance(session.clients[0]);
    memset(&visit, 0, sizeof(visit));
    CHECK_INT(mw_each_client(instance, visit_one, &visit), 0);
    CHECK_INT(visit.count, 3);
    CHECK(visit.last == session.clients[2]);
    visit.count = 0;
    visit.stops_at = 2;
    CHECK_INT(mw_each_client(instance, visit_one, &visit), -EIO);
    CHECK(visit.last == session.clients[1]);
    memset(&visit, 0, sizeof(visit));
    seen.on_connect = visit_from_connect; /* one that comes is not there yet */
    connect_as(3, NULL);
    CHECK_INT(visit.count, 3);
    session_end();
}

static void who_is_visited_may_end_by_that(void)
{
    mw_instance *instance;
    size_t i;

    start(MW_INSTANCE_ONE);
    for (i = 0; i < 4; i++) {
        connect_as(i, NULL);
        session.sinks[i].ends_at_once = true;
    }
    instance = mw_client_instance(session.clients[0]);
    memset(&visit, 0, sizeof(visit));
    CHECK_INT(mw_each_client(instance, send_home, NULL), 0);
    CHECK_INT(visit.count, 4);
    CHECK_INT(seen.disconnects, 4);
    CHECK_INT(mw_each_client(instance, visit_one, &visit), 0);
    CHECK_INT(visit.count, 4);
    session_end();
}

static const struct mw_test tests[] = {
    TEST(a_client_has_the_roles_of_its_user),
    TEST(an_instance_says_whose_it_is),
    TEST(where_a_client_comes_from_is_known_until_its_disconnect),
    TEST(who_reads_slowly_is_behind),
    TEST(each_client_is_visited_in_the_order_of_its_coming),
    TEST(who_is_visited_may_end_by_that),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
