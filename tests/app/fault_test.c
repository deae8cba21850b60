/* A whole session in which the n-th allocation fails, for every n: each may fail, nothing leaks, nothing crashes, and
 * no client is left waiting for what will not come.
 * SPDX-License-Identifier: MIT */
#include "app/machine.h"

#include "base/memory.h"

static mw_tasklet *relay;

static int run_relay(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    return mw_broadcast(scope, NULL, item) < 0 ? 0 : 0; /* nothing to be done about it here */
}

static int open_relay(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    int err = machine_open(instance, state, ret_error);

    relay = mw_handler_new(run_relay, instance);
    if (!relay)
        return -ENOMEM;
    return err < 0 ? err : mw_expose_tasklet(instance, "relay", relay, "Tells everybody");
}

static int pass_on(mw_client *client, mw_value message)
{
    (void)mw_reply(client, message, mw_map_new());
    return mw_send(relay, mw_share(message));
}

static int greet(mw_client *client)
{
    (void)mw_client_send(client, mw_text("a welcome that is longer than a short text"));
    return 0;
}

/* What is asked of a client of v1 in one session. */
static const char *const requests[] = {
    REQUEST("getAttr", "[\"a\",\"b\",\"c\",\"name\",\"speed\",\"faulty\",\"secret\",\"big\",\"is_on\",\"serial\"]"),
    REQUEST("watch", "[\"a\",\"c\",\"name\",\"speed\"]"),
    REQUEST("setAttr", "{\"a\":2,\"speed\":1000,\"b\":1}"),
    REQUEST("setAttr", "{\"values\":{\"a\":3,\"picky\":13},\"atomic\":true}"),
    REQUEST("setAttr", "{\"values\":{\"a\":4},\"key\":\"a key that is longer than a short text\"}"),
    REQUEST("describe", "[]"),
    REQUEST("rights", "[\"a\",\"b\"]"),
    REQUEST("call", "{\"name\":\"add\",\"args\":[1,2]}"),
    REQUEST("send", "{\"to\":\"relay\",\"item\":[\"long enough to need a block of its own\"]}"),
    REQUEST("send", "{\"to\":\"late\",\"item\":1}"),
    "[" REQUEST("unwatch", "[\"c\"]") "," REQUEST("rights", "[]") "]",
    "{\"jsonrpc\":",
};

/* An answer came, or the connection was closed: never silence. */
static void ask(size_t at, const char *request)
{
    struct fake_sink *sink = &session.sinks[at];
    size_t before = sink->count;

    if (!session.clients[at] || sink->close_code)
        return;
    session_say(at, request);
    if (sink->count == before && sink->close_code == 0) {
        (void)mw_memory_fail_at(0, false);
        fprintf(stderr, "    no answer to %s\n", request);
        mw_test_fail();
    }
}

static void run_clients(void)
{
    size_t i;

    seen.on_connect = greet;
    seen.on_receive = pass_on;
    for (i = 0; i < 2; i++) {
        if (session_try_connect(i, i == 0 ? APP_MANNER_V1 : APP_MANNER_PLAIN, NULL) < 0)
            session.clients[i] = NULL;
        session.sinks[i].client = session.clients[i];
    }
    for (i = 0; i < MW_COUNT(requests); i++)
        ask(0, requests[i]);
    if (session.clients[1])
        session_say(1, "{\"msgId\":1,\"text\":\"long enough to need a block of its own\"}");
    (void)mw_broadcast(seen.instance, "news", mw_text("long enough to need a block of its own"));
    seen.machine->a = 99;
    (void)snprintf(seen.machine->name, sizeof(seen.machine->name), "drill press 5");
    mw_expose(mw_instance_exposable(seen.instance), "b", MW_GETTABLE);
    (void)mw_expose_tasklet(seen.instance, "late", relay, NULL);
    (void)mw_unexpose_tasklet(seen.instance, "relay");
    for (i = 0; i < 20 && app_turn(session.app, (int64_t)i); i++)
        continue;
    app_say_bye(session.app, "restarting");
    for (i = 0; i < 2; i++)
        if (session.clients[i])
            session_leave(i);
}

static void run_session(void)
{
    static const char *const names[] = {"marked", "operate", "more"};
    static const struct app_role role = {.name = "anonymous", .policies = names, .policy_count = 3};
    static const char post[] = REQUEST("call", "{\"name\":\"reset\"}");
    mw_app descriptor = machine_descriptor();
    struct app_options options = session_options(&descriptor);
    mw_policy *more = mw_policy_new("more");
    mw_value answer = mw_null();

    descriptor.open = open_relay;
    memset(&seen, 0, sizeof(seen));
    if (!more || mw_policy_parse(more, "callable", "relay, late", NULL) < 0) {
        mw_policy_free(more);
        return;
    }
    options.policies.policies = &more;
    options.policies.policy_count = 1;
    options.policies.roles = &role;
    options.policies.role_count = 1;
    if (app_open(&options, &session.app, NULL) < 0) {
        CHECK(seen.opens == seen.closes || seen.closes == 0);
        session.app = NULL;
        return;
    }
    run_clients();
    if (app_rpc(session.app, NULL, post, strlen(post), &answer) == 0)
        mw_release(answer);
    app_free(session.app);
    session.app = NULL;
    CHECK_INT(seen.closes, 1);
    CHECK_INT(seen.visitors_now, 0);
}

static void clear_sinks(void)
{
    size_t i;

    for (i = 0; i < SESSION_CLIENTS; i++)
        fake_sink_clear(&session.sinks[i]);
    memset(session.clients, 0, sizeof(session.clients));
    session.log[0] = '\0';
}

static void sweep(bool for_ever)
{
    struct mw_memory_stats before;
    int64_t allocations, n;

    session_end();
    run_session(); /* pools of the thread fill up */
    clear_sinks();
    before = mw_memory_stats();
    (void)mw_memory_fail_at(0, false);
    run_session();
    clear_sinks();
    allocations = mw_memory_fail_at(0, false);
    CHECK_INT(mw_memory_stats().live_blocks, before.live_blocks);
    CHECK(allocations > 100);
    for (n = 1; n <= allocations; n++) {
        (void)mw_memory_fail_at(n, for_ever);
        run_session();
        (void)mw_memory_fail_at(0, false);
        clear_sinks();
        if (mw_memory_stats().live_blocks != before.live_blocks) {
            fprintf(stderr, "    with allocation %lld of %lld failing\n", (long long)n, (long long)allocations);
            CHECK_INT(mw_memory_stats().live_blocks, before.live_blocks);
        }
    }
}

static void any_allocation_may_fail_once(void)
{
    sweep(false);
}

static void memory_may_run_out_for_good(void)
{
    sweep(true);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(any_allocation_may_fail_once),
        TEST(memory_may_run_out_for_good),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
