/* Who a client is: users and their roles, logins, and policies that change while clients are there.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "app/machine.h"

#define FAILURE(code, message, data)                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":" code ",\"message\":\"" message "\",\"data\":\"" data "\"}}"
#define HELLO(user, roles, rights)                                                                                   \
    "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"app\":\"machine\",\"session\":\"*\","    \
    "\"epoch\":\"*\",\"user\":" user ",\"roles\":" roles ",\"rights\":" rights ","                                    \
    "\"limits\":{\"message_bytes\":1048576,\"messages_per_s\":500},\"ping_s\":30}}"
#define RIGHTS(rights) "{\"jsonrpc\":\"2.0\",\"method\":\"rights\",\"params\":" rights "}"
#define ROLES(user, roles) "{\"jsonrpc\":\"2.0\",\"method\":\"roles\",\"params\":{\"user\":" user ",\"roles\":" roles "}}"

/* ---- what is set up ---------------------------------------------------------------------------------- */

/* "mine": b may be set by bob alone. */
static int is_bob(const mw_access *access)
{
    return access->user && strcmp(access->user, "bob") == 0;
}
static const mw_predicate predicates[] = {{"is_bob", is_bob}};

static struct {
    void *connection; /* whose login is under way */
    char user[65], password[257];
    int result;
} asked;

static int judge_login(void *context, void *connection, const char *user, const char *password, struct mw_error *ret_error)
{
    (void)context;
    asked.connection = connection;
    (void)snprintf(asked.user, sizeof(asked.user), "%s", user);
    (void)snprintf(asked.password, sizeof(asked.password), "%s", password);
    return asked.result < 0 ? mw_fail(ret_error, asked.result, "too many tries; again in 7 s") : 0;
}

static int know_bob(void *context, const char *user, struct app_identity *ret)
{
    static const char *const members[] = {"member"};

    (void)context;
    if (strcmp(user, "bob") != 0)
        return -ENOENT;
    *ret = (struct app_identity){.user = "bob", .roles = members, .role_count = 1};
    return 0;
}

/* One of a file: "key = members". */
struct line {
    const char *policy, *key, *members;
};

static size_t make_policies(const struct line *lines, size_t count, mw_policy **ret)
{
    size_t made = 0, i;

    for (i = 0; i < count; i++) {
        if (made == 0 || strcmp(mw_policy_name(ret[made - 1]), lines[i].policy) != 0) {
            ret[made] = mw_policy_new(lines[i].policy);
            CHECK(ret[made] != NULL);
            mw_policy_set_predicates(ret[made++], predicates, MW_COUNT(predicates));
        }
        CHECK_INT(mw_policy_parse(ret[made - 1], lines[i].key, lines[i].members, NULL), 0);
    }
    return made;
}

static const char *const see[] = {"see"}, *const see_mine[] = {"see", "mine"}, *const all[] = {"see", "change"};
static const struct app_role roles[] = {{"anonymous", see, 1, 0}, {"member", see_mine, 2, 0},
                                        {"admin", all, 2, APP_GRANT_EXPLAIN | APP_GRANT_USERS}};
static const struct line lines[] = {
    {"see", "gettable", "a"}, {"mine", "settable", "b@is_bob"}, {"change", "settable", "a, b"}, {"change", "gettable", "b"}};

static void start(enum mw_instance_mode mode, bool require_login)
{
    mw_app descriptor = machine_descriptor();
    struct app_options options = session_options(&descriptor);
    mw_policy *policies[4];

    session_end();
    memset(&seen, 0, sizeof(seen));
    memset(&asked, 0, sizeof(asked));
    descriptor.instance = mode;
    options.policies = (struct app_policies){policies, make_policies(lines, MW_COUNT(lines), policies), roles,
                                             MW_COUNT(roles)};
    options.require_login = require_login;
    options.login = judge_login;
    options.identify = know_bob;
    session_start_with(&options);
}

static void connect_as(size_t at, const char *user, const char *const *role_names, size_t role_count)
{
    const struct app_identity who = {user, role_names, role_count};
    struct fake_sink *sink = &session.sinks[at];

    sink->read = sink->count;
    CHECK_INT(app_client_open(session.app, APP_MANNER_V1, &fake_sink, sink, &who, &session.clients[at], NULL), 0);
    sink->client = session.clients[at];
}

static int become(size_t at, const char *user, const char *const *role_names, size_t role_count)
{
    const struct app_identity who = {user, role_names, role_count};
    int err = app_client_identify(&session.clients[at], &who, NULL);

    session.sinks[at].client = session.clients[at];
    return err;
}

static const char *const member[] = {"member"}, *const admin[] = {"admin"}, *const both[] = {"member", "admin", "member"};

/* ---- tests ------------------------------------------------------------------------------------------------ */

static void hello_says_who_one_is(void)
{
    start(MW_INSTANCE_ONE, false);
    session_connect(0, APP_MANNER_V1);
    CHECK_NEXT(0, HELLO("null", "[\"anonymous\"]", "{\"a\":\"get\"}"));
    connect_as(1, "bob", member, 1);
    CHECK_NEXT(1, HELLO("\"bob\"", "[\"member\"]", "{\"a\":\"get\",\"b\":\"set\"}"));
    CHECK_TEXT(mw_client_user(session.clients[0]), "");
    CHECK_TEXT(mw_client_user(session.clients[1]), "bob");
    session_end();
}

static void roles_add_up_in_any_order_and_number(void)
{
    static const char *const reversed[] = {"admin", "member"}, *const unknown[] = {"nobody's"};

    start(MW_INSTANCE_ONE, false);
    connect_as(0, "bob", both, 3);
    CHECK_NEXT(0, HELLO("\"bob\"", "[\"admin\",\"member\"]", "{\"a\":\"get set\",\"b\":\"get set\"}"));
    connect_as(1, "eve", reversed, 2);
    CHECK_NEXT(1, HELLO("\"eve\"", "[\"admin\",\"member\"]", "{\"a\":\"get set\",\"b\":\"get set\"}"));
    connect_as(2, "joe", unknown, 1); /* a role that the app does not know gives nothing, not even what anonymous has */
    CHECK_NEXT(2, HELLO("\"joe\"", "[\"nobody's\"]", "{}"));
    connect_as(3, "joe", NULL, 0);
    CHECK_NEXT(3, HELLO("\"joe\"", "[]", "{}"));
    session_end();
}

static void a_predicate_sees_the_user(void)
{
    start(MW_INSTANCE_ONE, false);
    connect_as(0, "bob", member, 1);
    connect_as(1, "eve", member, 1);
    (void)fake_sink_next(&session.sinks[0]);
    (void)fake_sink_next(&session.sinks[1]);
    session_say(1, REQUEST("setAttr", "{\"b\":10}"));
    CHECK_NEXT(1, RESULT("{\"revs\":{},\"errors\":{\"b\":\"denied\"}}"));
    session_say(0, REQUEST("setAttr", "{\"b\":10}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{\"b\":\"#\"},\"errors\":{}}"));
    session_end();
}

static void who_watches_the_same_in_the_same_roles_is_told_the_same(void)
{
    static const struct line told[] = {{"see", "gettable", "a@is_bob"}};
    static const struct app_role one[] = {{"member", see, 1, 0}};
    mw_policy *policies[4];
    struct app_policies given = {policies, 0, one, 1};

    start(MW_INSTANCE_ONE, false);
    connect_as(0, "bob", member, 1);
    connect_as(1, "eve", member, 1);
    connect_as(2, "bob", member, 1);
    for (size_t i = 0; i < 3; i++) {
        (void)fake_sink_next(&session.sinks[i]);
        session_say(i, REQUEST("watch", "[\"a\"]"));
        CHECK(fake_sink_next(&session.sinks[i]) != NULL);
    }
    seen.machine->a = 5;
    session_turn();
    for (size_t i = 0; i < 3; i++)
        CHECK_NEXT(i, "{\"jsonrpc\":\"2.0\",\"method\":\"changed\",\"params\":{\"values\":{\"a\":5},\"revs\":{\"a\":\"#\"}}}");
    given.policy_count = make_policies(told, 1, policies); /* now a predicate tells them apart */
    CHECK_INT(app_set_policies(session.app, &given, NULL), 0);
    for (size_t i = 0; i < 3; i++)
        CHECK_NEXT(i, RIGHTS("{\"a\":\"get\"}")); /* b is lost */
    seen.machine->a = 6;
    session_turn();
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"changed\",\"params\":{\"values\":{\"a\":6},\"revs\":{\"a\":\"#\"}}}");
    CHECK_NEXT(1, NULL);
    CHECK_NEXT(2, "{\"jsonrpc\":\"2.0\",\"method\":\"changed\",\"params\":{\"values\":{\"a\":6},\"revs\":{\"a\":\"#\"}}}");
    session_end();
}

static void another_role_is_told_and_holds_at_once(void)
{
    start(MW_INSTANCE_ONE, false);
    connect_as(0, "eve", admin, 1);
    (void)fake_sink_next(&session.sinks[0]);
    session_say(0, REQUEST("watch", "[\"b\"]"));
    CHECK(fake_sink_next(&session.sinks[0]) != NULL);
    CHECK_INT(become(0, "eve", member, 1), 0);
    CHECK_NEXT(0, ROLES("\"eve\"", "[\"member\"]"));
    CHECK_NEXT(0, RIGHTS("{\"a\":\"get\",\"b\":\"set\"}"));
    seen.machine->b = 20; /* what may not be read any more is not told */
    session_turn();
    CHECK_NEXT(0, NULL);
    CHECK_INT(become(0, "eve", admin, 1), 0);
    CHECK_NEXT(0, ROLES("\"eve\"", "[\"admin\"]"));
    CHECK_NEXT(0, RIGHTS("{\"a\":\"get set\",\"b\":\"get set\"}"));
    session_turn(); /* and now what was missed */
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"changed\",\"params\":{\"values\":{\"b\":20},\"revs\":{\"b\":\"#\"}}}");
    session_end();
}

static void where_a_login_is_required_the_app_hears_of_nobody_before(void)
{
    start(MW_INSTANCE_ONE, true);
    session_connect(0, APP_MANNER_V1);
    CHECK_NEXT(0, HELLO("null", "[]", "{}"));
    CHECK_INT(seen.connects, 0);
    session_say(0, REQUEST("getAttr", "[\"a\"]"));
    CHECK_NEXT(0, FAILURE("-32008", "not authenticated", "this app wants a login first: the method login, or POST /_mw/login"));
    CHECK_INT(mw_broadcast(seen.instance, NULL, mw_int(1)), 0);
    CHECK_NEXT(0, NULL);
    session_say(0, REQUEST("login", "{\"user\":\"bob\",\"password\":\"secret word\"}"));
    CHECK_NEXT(0, NULL); /* its answer comes later */
    CHECK(asked.connection == &session.sinks[0]);
    CHECK_TEXT(asked.user, "bob");
    CHECK_TEXT(asked.password, "secret word");
    CHECK_INT(become(0, "bob", member, 1), 0);
    CHECK_INT(seen.connects, 1);
    CHECK_NEXT(0, RIGHTS("{\"a\":\"get\",\"b\":\"set\"}"));
    app_client_login_done(session.clients[0], 0, NULL);
    CHECK_NEXT(0, RESULT("{\"user\":\"bob\",\"roles\":[\"member\"],\"rights\":{\"a\":\"get\",\"b\":\"set\"}}"));
    session_say(0, REQUEST("getAttr", "[\"a\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    session_leave(0);
    CHECK_INT(seen.disconnects, 1);
    session_connect_v1(1); /* one who leaves before is no guest */
    session_leave(1);
    CHECK_INT(seen.disconnects, 1);
    CHECK_INT(app_stats(session.app).unauthenticated, 1);
    session_end();
}

static void a_login_that_fails_says_so(void)
{
    start(MW_INSTANCE_ONE, false);
    session_connect_v1(0);
    session_say(0, REQUEST("login", "{\"user\":\"bob\",\"password\":\"wrong\"}"));
    session_say(0, REQUEST("login", "{\"user\":\"bob\",\"password\":\"wrong\"}"));
    CHECK_NEXT(0, FAILURE("-32006", "overloaded", "a login of this connection is under way"));
    app_client_login_done(session.clients[0], -EACCES, "wrong name or password");
    CHECK_NEXT(0, FAILURE("-32008", "not authenticated", "wrong name or password"));
    CHECK_NEXT(0, NULL);
    session_say(0, REQUEST("login", "{\"user\":\"bob\",\"password\":\"right\"}"));
    app_client_login_done(session.clients[0], -ENOMEM, "out of memory: try again"); /* it is not the password */
    CHECK_NEXT(0, FAILURE("-32603", "internal error", "out of memory: try again"));
    asked.result = -EAGAIN;
    session_say(0, REQUEST("login", "{\"user\":\"bob\",\"password\":\"wrong\"}"));
    CHECK_NEXT(0, FAILURE("-32006", "overloaded", "too many tries; again in 7 s"));
    app_client_login_done(session.clients[0], 0, NULL); /* nobody asked */
    CHECK_NEXT(0, NULL);
    session_end();
}

static void login_wants_two_texts_and_an_id_of_its_own(void)
{
    static const char *const params[] = {"[]", "{\"user\":\"bob\"}", "{\"user\":\"\",\"password\":\"x\"}",
                                         "{\"user\":1,\"password\":\"x\"}", "{\"user\":\"bo\\u0000b\",\"password\":\"x\"}",
                                         "{\"user\":\"bob\",\"password\":\"x\",\"more\":1}"};
    char request[256];

    start(MW_INSTANCE_ONE, false);
    session_connect_v1(0);
    for (size_t i = 0; i < MW_COUNT(params); i++) {
        (void)snprintf(request, sizeof(request), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"login\",\"params\":%s}", params[i]);
        session_say(0, request);
        CHECK_NEXT(0, FAILURE("-32602", "invalid params", "expected {\\\"user\\\":\\\"bob\\\",\\\"password\\\":\\\"...\\\"}"));
    }
    session_say(0, "[" REQUEST("login", "{\"user\":\"bob\",\"password\":\"x\"}") "]");
    CHECK_NEXT(0, "[" FAILURE("-32600", "invalid request", "login stands alone, with an id: its answer comes later") "]");
    CHECK(asked.connection == NULL);
    session_end();
}

static void what_connect_refuses_after_a_login_is_refused(void)
{
    start(MW_INSTANCE_ONE, true);
    session_connect_v1(0);
    seen.connect_result = -EPERM;
    CHECK_INT(become(0, "bob", member, 1), -EACCES);
    session_leave(0);
    CHECK_INT(seen.disconnects, 0);
    session_end();
}

static void a_user_with_an_instance_of_their_own_moves_to_it(void)
{
    start(MW_INSTANCE_PER_USER, false);
    session_connect_v1(0);
    session_connect_v1(1);
    CHECK_INT(seen.opens, 1);
    session_say(0, REQUEST("watch", "[\"a\"]"));
    CHECK(fake_sink_next(&session.sinks[0]) != NULL);
    CHECK_INT(become(0, "bob", member, 1), 0);
    CHECK_NEXT(0, HELLO("\"bob\"", "[\"member\"]", "{\"a\":\"get\",\"b\":\"set\"}"));
    CHECK_TEXT(seen.events, "open connect connect disconnect open connect ");
    CHECK_INT(become(1, "bob", member, 1), 0);
    CHECK_INT(seen.opens, 2);
    CHECK(mw_client_instance(session.clients[0]) == mw_client_instance(session.clients[1]));
    CHECK_INT(become(0, "bob", admin, 1), 0); /* another role is no reason to move */
    CHECK_NEXT(0, ROLES("\"bob\"", "[\"admin\"]"));
    CHECK_NEXT(0, RIGHTS("{\"a\":\"get set\",\"b\":\"get set\"}"));
    session_end();
}

static void other_policies_hold_at_once_and_are_told(void)
{
    static const struct line more[] = {{"see", "gettable", "a, c"}};
    static const struct app_role one[] = {{"anonymous", see, 1, 0}};
    mw_policy *policies[4];
    const struct app_policies given = {policies, 1, one, 1};

    start(MW_INSTANCE_ONE, false);
    session_connect_v1(0);
    connect_as(1, "bob", both, 2);
    (void)fake_sink_next(&session.sinks[1]);
    (void)make_policies(more, 1, policies);
    CHECK_INT(app_set_policies(session.app, &given, NULL), 0);
    CHECK_NEXT(0, RIGHTS("{\"a\":\"get\",\"c\":\"get\"}"));
    CHECK_NEXT(1, RIGHTS("{}"));
    session_say(1, REQUEST("getAttr", "[\"a\"]"));
    CHECK_NEXT(1, RESULT("{\"values\":{},\"revs\":{},\"errors\":{\"a\":\"denied\"}}"));
    session_say(0, REQUEST("getAttr", "[\"c\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"c\":3},\"revs\":{\"c\":\"#\"},\"errors\":{}}"));
    (void)make_policies(more, 1, policies);
    CHECK_INT(app_set_policies(session.app, &given, NULL), 0); /* the same again: nothing to tell */
    CHECK_NEXT(0, NULL);
    session_end();
}

static void a_bad_set_of_policies_changes_nothing(void)
{
    static const struct line more[] = {{"see", "gettable", "a, c"}};
    static const char *const nowhere[] = {"nowhere"};
    static const struct app_role bad[] = {{"anonymous", nowhere, 1, 0}};
    mw_policy *policies[4];
    const struct app_policies given = {policies, 1, bad, 1};
    struct mw_error error = {0};

    start(MW_INSTANCE_ONE, false);
    session_connect_v1(0);
    (void)make_policies(more, 1, policies);
    CHECK_INT(app_set_policies(session.app, &given, &error), -ENOENT);
    CHECK(strstr(error.text, "role \"anonymous\" names policy \"nowhere\"") != NULL);
    CHECK_NEXT(0, NULL);
    session_say(0, REQUEST("getAttr", "[\"a\",\"c\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{\"c\":\"denied\"}}"));
    session_end();
}

static void role_sets_without_clients_are_not_kept_for_ever(void)
{
    static char names[200][16];

    start(MW_INSTANCE_ONE, false);
    for (size_t i = 0; i < MW_COUNT(names); i++) {
        const char *const name[] = {names[i]};

        (void)snprintf(names[i], sizeof(names[i]), "role%zu", i);
        connect_as(0, "bob", name, 1);
        session_leave(0);
    }
    CHECK(mw_exposable_stats(mw_instance_exposable(seen.instance)).dropped == 0);
    connect_as(0, "bob", admin, 1);
    CHECK_NEXT(0, HELLO("\"bob\"", "[\"admin\"]", "{\"a\":\"get set\",\"b\":\"get set\"}"));
    session_end();
}

#define TRAIL(outcome, allowed, why, rules)                                                                          \
    RESULT("{\"outcome\":\"" outcome "\",\"trail\":{\"allowed\":" allowed ",\"why\":\"" why "\",\"rules\":[" rules "]}}")

static void who_holds_the_grant_is_told_why(void)
{
    start(MW_INSTANCE_ONE, false);
    connect_as(0, "eve", admin, 1);
    (void)fake_sink_next(&session.sinks[0]);
    session_say(0, REQUEST("explain", "{\"name\":\"a\",\"op\":\"get\"}"));
    CHECK_NEXT(0, TRAIL("allowed", "true", "'gettable = a' of policy 'see' allows it",
                        "{\"policy\":\"see\",\"rule\":\"gettable = a\",\"says\":\"allow\"}"));
    session_say(0, REQUEST("explain", "{\"user\":\"bob\",\"name\":\"b\",\"op\":\"set\"}"));
    CHECK_NEXT(0, TRAIL("depends", "true", "'settable = b@is_bob' of policy 'mine' allows it",
                        "{\"policy\":\"mine\",\"rule\":\"settable = b@is_bob\",\"says\":\"allow\"}"));
    session_say(0, REQUEST("explain", "{\"user\":\"bob\",\"name\":\"secret\",\"op\":\"get\"}"));
    CHECK_NEXT(0, TRAIL("denied", "false", "no rule allows it, and nothing said is denied", ""));
    session_say(0, REQUEST("explain", "{\"user\":\"joe\",\"name\":\"a\",\"op\":\"get\"}"));
    CHECK_NEXT(0, FAILURE("-32602", "invalid params", "there is no user of that name"));
    session_say(0, REQUEST("explain", "{\"name\":\"a\",\"op\":\"eat\"}"));
    CHECK(strstr(fake_sink_next(&session.sinks[0]), "op is get, set, call, send, watch or hear") != NULL);
    session_end();
}

static void who_does_not_is_told_nothing(void)
{
    start(MW_INSTANCE_ONE, false);
    connect_as(0, "bob", member, 1);
    (void)fake_sink_next(&session.sinks[0]);
    session_say(0, REQUEST("explain", "{\"name\":\"a\",\"op\":\"get\"}"));
    CHECK_NEXT(0, FAILURE("-32001", "denied", "explain is for roles with grants = explain"));
    session_end();
}

/* The id that the answer of a denial has: of its name, or in the sentence of the error. */
static const char *denial_of(size_t at)
{
    static char id[32];
    const char *answer = fake_sink_next(&session.sinks[at]), *text;

    CHECK(answer != NULL);
    text = strstr(answer, "(decision ");
    if (text)
        text += strlen("(decision ");
    else if ((text = strstr(answer, "\"decisions\":{\"")) != NULL)
        text = strstr(text, "\":\"") + 3;
    CHECK(text != NULL);
    (void)snprintf(id, sizeof(id), "%.*s", (int)strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz"), text);
    CHECK(strlen(id) >= 4 && strlen(id) <= 6);
    return id;
}

#define DENIED(user, roles, method, name, outcome)                                                                   \
    RESULT("{\"user\":" user ",\"roles\":" roles ",\"method\":\"" method "\",\"name\":\"" name "\",\"at\":\"#\",\"outcome\":\"" outcome \
           "\",\"trail\":\"*\"}")

static void a_denial_has_an_id_by_which_who_holds_the_grant_is_told_why(void)
{
    static const struct {
        const char *request, *want;
    } rows[] = {
        {REQUEST("getAttr", "[\"a\",\"secret\"]"), DENIED("\"bob\"", "[\"member\"]", "getAttr", "secret", "denied")},
        {REQUEST("setAttr", "{\"a\":1}"), DENIED("\"bob\"", "[\"member\"]", "setAttr", "a", "denied")},
        {REQUEST("watch", "[\"nothing\"]"), DENIED("\"bob\"", "[\"member\"]", "watch", "nothing", "denied")},
        {REQUEST("call", "{\"name\":\"hidden\"}"), DENIED("\"bob\"", "[\"member\"]", "call", "hidden", "denied")},
        {REQUEST("send", "{\"to\":\"nobody\",\"item\":1}"), DENIED("\"bob\"", "[\"member\"]", "send", "nobody", "denied")},
    };
    char request[160];
    size_t i;

    start(MW_INSTANCE_ONE, false);
    connect_as(0, "eve", admin, 1);
    (void)fake_sink_next(&session.sinks[0]);
    connect_as(1, "bob", member, 1);
    (void)fake_sink_next(&session.sinks[1]);
    for (i = 0; i < MW_COUNT(rows); i++) {
        session_say(1, rows[i].request);
        (void)snprintf(request, sizeof(request), REQUEST("explain", "{\"decision\":\"%s\"}"), denial_of(1));
        session_say(0, request);
        CHECK_NEXT(0, rows[i].want);
        session_say(1, request); /* not for who was denied */
        CHECK_NEXT(1, FAILURE("-32001", "denied", "explain is for roles with grants = explain"));
    }
    session_leave(1); /* it is known after they have gone */
    session_say(0, request);
    CHECK_NEXT(0, rows[MW_COUNT(rows) - 1].want);
    session_end();
}

static void the_last_1024_denials_are_kept(void)
{
    static char many[16 * 1024];
    char first[32], request[160];
    size_t used;
    int i;

    start(MW_INSTANCE_ONE, false);
    connect_as(0, "eve", admin, 1);
    (void)fake_sink_next(&session.sinks[0]);
    session_say(0, REQUEST("getAttr", "[\"secret\"]"));
    (void)snprintf(first, sizeof(first), "%s", denial_of(0));
    used = (size_t)snprintf(many, sizeof(many), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"n\"");
    for (i = 1; i < 1023; i++)
        used += (size_t)snprintf(many + used, sizeof(many) - used, ",\"n%d\"", i);
    (void)snprintf(many + used, sizeof(many) - used, "]}");
    session_say(0, many);
    CHECK(strcmp(denial_of(0), first) != 0);
    (void)snprintf(request, sizeof(request), REQUEST("explain", "{\"decision\":\"%s\"}"), first);
    session_say(0, request);
    CHECK_NEXT(0, DENIED("\"eve\"", "[\"admin\"]", "getAttr", "secret", "denied"));
    CHECK_INT(app_stats(session.app).denials_forgotten, 0);
    session_say(0, REQUEST("getAttr", "[\"secret\"]"));
    (void)denial_of(0);
    CHECK_INT(app_stats(session.app).denials_forgotten, 1);
    session_say(0, request);
    CHECK_NEXT(0, FAILURE("-32602", "invalid params",
                          "there is no decision of that id, or it is forgotten: the last 1024 denials are kept"));
    for (i = 0; i < 4; i++) {
        static const char *const odd[] = {"", "1", "aeiou", "zzzzzzzzzzzzzzzzzzzzzzzz"};

        (void)snprintf(request, sizeof(request), REQUEST("explain", "{\"decision\":\"%s\"}"), odd[i]);
        session_say(0, request);
        CHECK_NEXT(0, FAILURE("-32602", "invalid params",
                              "there is no decision of that id, or it is forgotten: the last 1024 denials are kept"));
    }
    session_end();
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(hello_says_who_one_is),
        TEST(roles_add_up_in_any_order_and_number),
        TEST(a_predicate_sees_the_user),
        TEST(who_watches_the_same_in_the_same_roles_is_told_the_same),
        TEST(another_role_is_told_and_holds_at_once),
        TEST(where_a_login_is_required_the_app_hears_of_nobody_before),
        TEST(a_login_that_fails_says_so),
        TEST(login_wants_two_texts_and_an_id_of_its_own),
        TEST(what_connect_refuses_after_a_login_is_refused),
        TEST(a_user_with_an_instance_of_their_own_moves_to_it),
        TEST(other_policies_hold_at_once_and_are_told),
        TEST(a_bad_set_of_policies_changes_nothing),
        TEST(who_holds_the_grant_is_told_why),
        TEST(who_does_not_is_told_nothing),
        TEST(a_denial_has_an_id_by_which_who_holds_the_grant_is_told_why),
        TEST(the_last_1024_denials_are_kept),
        TEST(role_sets_without_clients_are_not_kept_for_ever),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
