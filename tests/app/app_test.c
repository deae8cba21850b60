/* Apps opened, given turns and freed: descriptors that fit or do not, roles, instances, the tick.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "app/machine.h"

/* ---- descriptors ------------------------------------------------------------------------------------------ */

/* Opening fails, and the reason has these words. */
static void check_refused(int line, const mw_app *descriptor, int code, const char *words)
{
    struct app_options options = session_options(descriptor);
    struct mw_error error = {0};
    struct app *app = NULL;
    int err = app_open(&options, &app, &error);

    if (err == code && strstr(error.text, words) && strstr(error.text, "app \"machine\""))
        return;
    fprintf(stderr, "%s:%d: %d \"%s\", want %d \"%s\"\n", __FILE__, line, err, error.text, code, words);
    app_free(err < 0 ? NULL : app);
    mw_test_fail();
}
#define CHECK_REFUSED(descriptor, code, words) check_refused(__LINE__, (descriptor), (code), (words))

static int never_tick(mw_instance *instance, void *state)
{
    (void)instance;
    (void)state;
    return 0;
}

static int never_receive_raw(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count)
{
    (void)client;
    (void)kind;
    (void)bytes;
    return (int)byte_count;
}

static void a_descriptor_that_makes_no_sense_is_refused_with_its_reason(void)
{
    static const mw_command twice[] = {{.name = "go", .call = call_reset}, {.name = "go", .call = call_reset}}, empty[] = {{.name = "", .call = call_reset}},
                            idle[] = {{.name = "go"}}, speedy[] = {{.name = "go", .call = call_reset}, {.name = "speed", .call = call_reset}};
    static const mw_rule rules[] = {{.right = MW_CALLABLE, .name = "go"}, {.right = MW_GETTABLE, .name = "go now"}};
    static const mw_policy_table same[] = {{"p", NULL, 0}, {"p", NULL, 0}}, none[] = {{"p", NULL, 1}},
                                 wrong[] = {{"p", rules, MW_COUNT(rules)}},
                                 marked[] = {{"marked", NULL, 0}};
    static const mw_attribute doubled[] = {{MW_FIELD(struct machine, a), .kind = MW_INT}, {MW_FIELD(struct machine, a), .kind = MW_INT}},
                              outside[] = {{.name = "x", .offset = 4096, .field_bytes = 8, .kind = MW_INT}};
    static struct machine own;
    mw_app d;

    session_end();
    d = machine_descriptor(), d.abi = MW_ABI + 1;
    CHECK_REFUSED(&d, -ENOEXEC, "ABI 3");
    d = machine_descriptor(), d.abi = 0;
    CHECK_REFUSED(&d, -ENOEXEC, "begin with .abi = MW_ABI");
    d = machine_descriptor(), d.size = sizeof(mw_app) + 8;
    CHECK_REFUSED(&d, -ENOEXEC, "newer Meshwork");
    d = machine_descriptor(), d.size = 8;
    CHECK_REFUSED(&d, -EINVAL, ".size = sizeof(mw_app)");
    d = machine_descriptor(), d.name = NULL;
    CHECK_REFUSED(&d, -EINVAL, "name has 1 to 256 bytes");
    d = machine_descriptor(), d.name = "";
    CHECK_REFUSED(&d, -EINVAL, "name has 1 to 256 bytes");
    d = machine_descriptor(), d.name = "\xff";
    CHECK_REFUSED(&d, -EINVAL, "no UTF-8");
    d = machine_descriptor(), d.instance = (enum mw_instance_mode)3;
    CHECK_REFUSED(&d, -EINVAL, "mw_instance_mode");
    d = machine_descriptor(), d.tick = never_tick, d.tick_ns = 999999;
    CHECK_REFUSED(&d, -EINVAL, "at least 1000000 (1 ms)");
    d = machine_descriptor(), d.tick = never_tick, d.tick_ns = -1;
    CHECK_REFUSED(&d, -EINVAL, "tick_ns is -1");
    d = machine_descriptor(), d.tick_ns = 1000000;
    CHECK_REFUSED(&d, -EINVAL, "no tick");
    d = machine_descriptor(), d.receive_raw = never_receive_raw;
    CHECK_REFUSED(&d, -EINVAL, "choose one");
    d = machine_descriptor(), d.commands = twice, d.command_count = 2;
    CHECK_REFUSED(&d, -EINVAL, "command \"go\" is declared twice");
    d = machine_descriptor(), d.commands = empty, d.command_count = 1;
    CHECK_REFUSED(&d, -EINVAL, "command's name");
    d = machine_descriptor(), d.commands = idle, d.command_count = 1;
    CHECK_REFUSED(&d, -EINVAL, "command \"go\" has no function");
    d = machine_descriptor(), d.commands = NULL;
    CHECK_REFUSED(&d, -EINVAL, "there is no table");
    d = machine_descriptor(), d.policies = same, d.policy_count = 2;
    CHECK_REFUSED(&d, -EINVAL, "policy \"p\" is declared twice");
    d = machine_descriptor(), d.policies = none, d.policy_count = 1;
    CHECK_REFUSED(&d, -EINVAL, "policy \"p\": rule_count is 1, but there is no table");
    d = machine_descriptor(), d.policies = wrong, d.policy_count = 1;
    CHECK_REFUSED(&d, -EINVAL, "policy \"p\": rule 2: the name 'go now' of a rule holds a space");
    d = machine_descriptor(), d.policies = marked, d.policy_count = 1;
    CHECK_REFUSED(&d, -EINVAL, "policy \"marked\"");
    d = machine_descriptor(), d.attributes = doubled, d.attribute_count = 2;
    CHECK_REFUSED(&d, -EINVAL, "attribute 'a'");
    d = machine_descriptor(), d.attributes = outside, d.attribute_count = 1;
    CHECK_REFUSED(&d, -EINVAL, "attribute 'x'");
    d = machine_descriptor(), d.state_bytes = 0;
    CHECK_REFUSED(&d, -EINVAL, "is a field, but state_bytes is 0");
    d = machine_descriptor(), d.attributes = NULL;
    CHECK_REFUSED(&d, -EINVAL, "there is no table");
    d = machine_descriptor(), d.commands = speedy, d.command_count = 2;
    CHECK_REFUSED(&d, -EINVAL, "'speed' is an attribute and a command");
    d = machine_descriptor(), d.tick = never_tick, d.tick_ns = 0;
    CHECK_REFUSED(&d, -EINVAL, "there is a tick, but tick_ns is 0");
    d = machine_descriptor(), d.state = &own, d.instance = MW_INSTANCE_PER_USER;
    CHECK_REFUSED(&d, -EINVAL, "state is one object");
    d = machine_descriptor(), d.state = &own, d.instance = MW_INSTANCE_PER_CLIENT;
    CHECK_REFUSED(&d, -EINVAL, "state is one object");
    d = machine_descriptor(), d.state_bytes = SIZE_MAX;
    CHECK_REFUSED(&d, -EINVAL, "beyond reason");
}

static void an_older_smaller_descriptor_is_taken_with_the_rest_zero(void)
{
    mw_app descriptor = machine_descriptor();

    descriptor.size = offsetof(mw_app, open); /* this field and those behind it were not there yet */
    memset(&seen, 0, sizeof(seen));
    session_start(&descriptor);
    session_connect_v1(0);
    session_say(0, REQUEST("getAttr", "[\"a\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"a\":0},\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    CHECK_INT(seen.opens, 0);
    CHECK_INT(seen.connects, 0);
    session_end();
}

static void an_object_of_the_programs_own_is_the_state_and_stays_its_own(void)
{
    static const size_t sizes[] = {sizeof(struct machine), 0 /* not known */};
    size_t i;

    for (i = 0; i < MW_COUNT(sizes); i++) {
        struct machine *own = malloc(sizeof(*own)); /* so that sanitizers would see it freed by another */
        mw_app descriptor = machine_descriptor();

        *own = (struct machine){.b = 7, .c = 8};
        descriptor.open = NULL;
        descriptor.state = own;
        descriptor.state_bytes = sizes[i];
        memset(&seen, 0, sizeof(seen));
        session_start(&descriptor);
        session_connect_v1(0);
        session_say(0, REQUEST("watch", "[\"c\"]"));
        CHECK_NEXT(0, RESULT("{\"values\":{\"c\":8},\"revs\":{\"c\":\"#\"},\"errors\":{}}"));
        own->c = 9; /* outside any callback: the program's loop did it */
        session_turn();
        CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"changed\",\"params\":{\"values\":{\"c\":9},\"revs\":{\"c\":\"#\"}}}");
        session_say(0, REQUEST("setAttr", "{\"a\":4}"));
        CHECK_NEXT(0, RESULT("{\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
        CHECK_INT(own->a, 4);
        CHECK(own->b == 7 && seen.opens == 0);
        session_end();
        CHECK(own->a == 4 && own->b == 7 && own->c == 9);
        free(own);
    }
}

static void an_open_that_fails_says_why_and_frees_all(void)
{
    mw_app descriptor = machine_descriptor();
    struct mw_memory_stats before;

    session_end();
    memset(&seen, 0, sizeof(seen));
    seen.open_result = -ENODEV;
    before = mw_memory_stats();
    CHECK_REFUSED(&descriptor, -ENODEV, "open of app \"machine\": no such device");
    CHECK_INT(seen.closes, 0);
    CHECK_INT(mw_memory_stats().live_blocks, before.live_blocks);
}

static void the_end_is_in_order(void)
{
    machine_start();
    session_connect_v1(0);
    session_connect(1, APP_MANNER_PLAIN);
    app_free(session.app);
    session.app = NULL;
    CHECK_TEXT(seen.events, "open connect connect disconnect disconnect close ");
    CHECK_INT(session.sinks[0].close_code, 0); /* the sinks are not touched */
    CHECK_INT(session.sinks[0].count, 1);
    session_end();
    app_free(NULL);
}

/* ---- the mesh -------------------------------------------------------------------------------------------------- */

static mw_tasklet *doubler, *sink;

static int double_it(mw_tasklet *self, void *scope, mw_value item)
{
    int64_t number = 0;

    (void)self;
    (void)mw_get_int(item, &number);
    mw_release(item);
    if (number < 0)
        return -ERANGE;
    return mw_send(scope, mw_int(2 * number));
}

static int keep_it(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    return mw_get_int(item, &((struct machine *)scope)->a);
}

static void note_closed(mw_tasklet *self, void *scope)
{
    (void)self;
    (void)scope;
    note("tasklet-closed");
}

static int open_mesh(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    const mw_tasklet_options options = {.size = sizeof(options), .name = "sink", .scope = {.data = state}, .closed = note_closed};

    (void)machine_open(instance, state, ret_error);
    sink = mw_tasklet_open(NULL, keep_it, &options);
    doubler = mw_handler_new(double_it, sink);
    return sink && doubler ? mw_send(doubler, mw_int(4)) : -ENOMEM;
}

static int send_to_doubler(mw_client *client, mw_value message)
{
    (void)client;
    return mw_send(doubler, mw_share(message));
}

static void start_mesh(void)
{
    mw_app descriptor = machine_descriptor();

    descriptor.open = open_mesh;
    machine_start_with(&descriptor);
}

static void tasklets_made_in_open_belong_to_the_apps_mesh(void)
{
    start_mesh();
    CHECK(session.wakes > 0);
    CHECK_INT(mw_run(), 0); /* the thread's own scheduler has none of them */
    CHECK_INT(seen.machine->a, 1);
    session_turn();
    CHECK_INT(seen.machine->a, 8);
    session_end();
}

static void a_message_runs_through_the_mesh_to_the_watchers(void)
{
    int wakes;

    start_mesh();
    session_connect_v1(0);
    session_connect(1, APP_MANNER_PLAIN);
    session_turn();
    session_say(0, REQUEST("watch", "[\"a\"]"));
    CHECK(fake_sink_next(&session.sinks[0]) != NULL);
    session_turn();
    seen.on_receive = send_to_doubler;
    wakes = session.wakes;
    session_say(1, "21");
    CHECK_INT(session.wakes, wakes + 1);
    session_turn();
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"changed\",\"params\":{\"values\":{\"a\":42},\"revs\":{\"a\":\"#\"}}}");
    session_end();
}

static void a_body_that_fails_is_logged_and_counted(void)
{
    start_mesh();
    session_turn();
    CHECK_INT(mw_send(doubler, mw_int(-1)), 0);
    session_turn();
    CHECK(strstr(session.log, "tasklet \"double_it\" of app \"machine\" failed and is closed") != NULL);
    CHECK_INT(app_stats(session.app).body_failures, 1);
    session_end();
}

static void close_runs_before_the_tasklets_close(void)
{
    start_mesh();
    session_turn();
    app_free(session.app);
    session.app = NULL;
    CHECK_TEXT(seen.events, "open close tasklet-closed ");
    session_end();
}

/* ---- the tick ----------------------------------------------------------------------------------------------------- */

#define MS INT64_C(1000000)

static void start_ticking(int64_t tick_ns)
{
    mw_app descriptor = machine_descriptor();

    descriptor.tick = machine_tick;
    descriptor.tick_ns = tick_ns;
    machine_start_with(&descriptor);
}

/* All turns there are at one moment. */
static void turn_at(int64_t now_ns)
{
    while (app_turn(session.app, now_ns))
        continue;
}

static void the_tick_comes_when_it_is_due(void)
{
    start_ticking(100 * MS);
    CHECK(app_next_deadline(session.app) <= 0);
    turn_at(1000 * MS);
    CHECK_INT(seen.ticks, 0);
    CHECK_INT(app_next_deadline(session.app), 1100 * MS);
    turn_at(1099 * MS);
    CHECK_INT(seen.ticks, 0);
    turn_at(1100 * MS);
    CHECK_INT(seen.ticks, 1);
    CHECK_INT(app_next_deadline(session.app), 1200 * MS);
    turn_at(1230 * MS); /* late: the next one is in step again */
    CHECK_INT(seen.ticks, 2);
    CHECK_INT(app_next_deadline(session.app), 1300 * MS);
    session_end();
}

static void ticks_never_pile_up(void)
{
    start_ticking(100 * MS);
    turn_at(0);
    turn_at(1050 * MS); /* ten came due at once */
    CHECK_INT(seen.ticks, 1);
    CHECK_INT(app_stats(session.app).ticks_skipped, 9);
    CHECK_INT(app_next_deadline(session.app), 1100 * MS);
    session_end();
}

static int feed_itself(mw_tasklet *self, void *scope, mw_value item)
{
    (void)scope;
    return mw_send(self, item);
}

static int open_busy(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    int i;

    (void)machine_open(instance, state, ret_error);
    CHECK_INT(mw_scheduler_set_budget(mw_instance_mesh(instance), 1), 0);
    for (i = 0; i < 4; i++)
        CHECK_INT(mw_send(mw_handler_new(feed_itself, NULL), mw_int(i)), 0);
    return 0;
}

static void a_tick_that_has_not_run_yet_stands_for_the_next_one(void)
{
    mw_app descriptor = machine_descriptor();
    int64_t i, done;

    descriptor.open = open_busy;
    descriptor.tick = machine_tick;
    descriptor.tick_ns = 10 * MS;
    machine_start_with(&descriptor);
    CHECK(app_turn(session.app, 0)); /* there is always more, and one item a turn */
    for (i = 1; i <= 20; i++)
        CHECK(app_turn(session.app, i * 10 * MS));
    done = seen.ticks + (int64_t)app_stats(session.app).ticks_skipped;
    CHECK(done == 20 || done == 19); /* the last may be waiting */
    CHECK(seen.ticks >= 1);
    CHECK(app_stats(session.app).ticks_skipped >= 1);
    session_end();
}

static void a_tick_that_fails_is_logged_and_comes_again(void)
{
    int i;

    start_ticking(1 * MS);
    seen.tick_result = -EIO;
    for (i = 0; i <= 3; i++)
        turn_at(i * MS);
    CHECK_INT(seen.ticks, 3);
    CHECK(strstr(session.log, "tick of app \"machine\" failed") != NULL);
    CHECK(strstr(session.log, "(2 times so far)") != NULL);
    CHECK(strstr(session.log, "(3 times so far)") == NULL);
    session_end();
}

static void without_a_tick_there_is_no_deadline(void)
{
    machine_start();
    turn_at(0);
    CHECK_INT(app_next_deadline(session.app), MW_FOREVER);
    session_end();
}

/* ---- roles and policies ---------------------------------------------------------------------------------------------- */

static mw_policy *policy_of(const char *name, const char *key, const char *members)
{
    mw_policy *policy = mw_policy_new(name);

    CHECK(policy != NULL);
    CHECK_INT(mw_policy_parse(policy, key, members, NULL), 0);
    return policy;
}

/* Open the machine with one policy from a file and one role. */
static int open_with(mw_policy *takes_policy, const char *role, const char *const *names, size_t name_count,
                     struct mw_error *ret_error)
{
    mw_app descriptor = machine_descriptor();
    struct app_options options = session_options(&descriptor);
    const struct app_role given = {.name = role, .policies = names, .policy_count = name_count};

    session_end();
    memset(&seen, 0, sizeof(seen));
    options.policies.policies = &takes_policy;
    options.policies.policy_count = takes_policy ? 1 : 0;
    options.policies.roles = &given;
    options.policies.role_count = 1;
    return app_open(&options, &session.app, ret_error);
}

static void anonymous_has_the_marks_unless_told_otherwise(void)
{
    static const char *const operate[] = {"operate"};
    mw_app descriptor = machine_descriptor();

    memset(&seen, 0, sizeof(seen));
    session_start(&descriptor);
    session_connect_v1(0);
    session_say(0, REQUEST("rights", "[\"a\",\"b\",\"reset\"]"));
    CHECK_NEXT(0, RESULT("{\"a\":\"get set\",\"b\":\"\",\"reset\":\"\"}"));
    session_end();
    CHECK_INT(open_with(NULL, "anonymous", operate, 1, NULL), 0);
    session_connect_v1(0);
    session_say(0, REQUEST("rights", "[\"a\",\"b\",\"reset\"]"));
    CHECK_NEXT(0, RESULT("{\"a\":\"\",\"b\":\"\",\"reset\":\"call\"}"));
    session_end();
    CHECK_INT(open_with(NULL, "operator", operate, 1, NULL), 0); /* another role changes nothing for anonymous */
    session_connect_v1(0);
    session_say(0, REQUEST("rights", "[\"a\",\"reset\"]"));
    CHECK_NEXT(0, RESULT("{\"a\":\"get set\",\"reset\":\"\"}"));
    session_end();
    CHECK_INT(open_with(NULL, "anonymous", NULL, 0, NULL), 0); /* a role without policies has nothing */
    session_connect_v1(0);
    session_say(0, REQUEST("rights", "[\"a\",\"reset\"]"));
    CHECK_NEXT(0, RESULT("{\"a\":\"\",\"reset\":\"\"}"));
    session_end();
}

static void a_policy_of_the_file_replaces_the_one_in_c(void)
{
    static const char *const names[] = {"marked", "operate"};

    CHECK_INT(open_with(policy_of("operate", "exposed", "b"), "anonymous", names, 2, NULL), 0);
    CHECK(strstr(session.log, "policy \"operate\" of app \"machine\": the one in app.ini replaces the back end's") != NULL);
    session_connect_v1(0);
    session_say(0, REQUEST("rights", "[\"a\",\"b\",\"reset\"]"));
    CHECK_NEXT(0, RESULT("{\"a\":\"get set\",\"b\":\"get set\",\"reset\":\"\"}"));
    session_end();
}

static void an_explicit_deny_wins_over_the_marks(void)
{
    static const char *const names[] = {"marked", "less"};

    CHECK_INT(open_with(policy_of("less", "deny_exposed", "a, speed"), "anonymous", names, 2, NULL), 0);
    session_connect_v1(0);
    session_say(0, REQUEST("getAttr", "[\"a\",\"c\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"c\":3},\"revs\":{\"c\":\"#\"},\"errors\":{\"a\":\"denied\"}}"));
    session_end();
}

static void a_role_of_an_unknown_policy_is_an_error(void)
{
    static const char *const names[] = {"marked", "nowhere"};
    struct mw_error error = {0};

    CHECK_INT(open_with(NULL, "anonymous", names, 2, &error), -ENOENT);
    CHECK(strstr(error.text, "role \"anonymous\" names policy \"nowhere\"") != NULL);
    CHECK_INT(open_with(policy_of("marked", "exposed", "b"), "anonymous", names, 1, &error), -EINVAL);
    CHECK(strstr(error.text, "policy \"marked\"") != NULL);
    session_end();
}

/* ---- instances --------------------------------------------------------------------------------------------------------- */

static void start_mode(enum mw_instance_mode mode)
{
    mw_app descriptor = machine_descriptor();

    descriptor.instance = mode;
    machine_start_with(&descriptor);
}

static void one_instance_serves_all_clients(void)
{
    start_mode(MW_INSTANCE_ONE);
    CHECK_INT(seen.opens, 1);
    session_connect_v1(0);
    session_connect_v1(1);
    session_say(0, REQUEST("setAttr", "{\"a\":10}"));
    session_say(1, REQUEST("getAttr", "[\"a\"]"));
    CHECK_NEXT(1, RESULT("{\"values\":{\"a\":10},\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    session_leave(0);
    session_leave(1);
    session_turn();
    CHECK_INT(seen.closes, 0);
    session_end();
    CHECK_INT(seen.closes, 1);
}

static void each_client_has_an_instance_of_its_own_where_the_app_says_so(void)
{
    start_mode(MW_INSTANCE_PER_CLIENT);
    CHECK_INT(seen.opens, 0);
    session_connect_v1(0);
    session_connect_v1(1);
    CHECK_INT(seen.opens, 2);
    CHECK_INT(app_stats(session.app).instances, 2);
    session_say(0, REQUEST("setAttr", "{\"a\":10}"));
    session_say(1, REQUEST("getAttr", "[\"a\"]"));
    CHECK_NEXT(1, RESULT("{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    CHECK_INT(mw_broadcast(mw_client_instance(session.clients[0]), NULL, mw_int(1)), 1);
    session_leave(0);
    CHECK_INT(seen.closes, 1);
    CHECK_TEXT(seen.events, "open connect open connect disconnect close ");
    session_turn();
    session_end();
    CHECK_INT(seen.closes, 2);
}

static void a_users_clients_share_an_instance_that_waits_for_a_reload(void)
{
    start_mode(MW_INSTANCE_PER_USER);
    CHECK_INT(seen.opens, 0);
    session_connect_v1(0);
    session_connect_v1(1);
    CHECK_INT(seen.opens, 1);
    session_say(0, REQUEST("setAttr", "{\"a\":10}"));
    session_leave(0);
    session_leave(1);
    CHECK(app_next_deadline(session.app) <= 0);
    turn_at(1000 * MS);
    CHECK_INT(app_next_deadline(session.app), 61000 * MS);
    turn_at(60999 * MS);
    session_connect_v1(0); /* the page was loaded again */
    session_say(0, REQUEST("getAttr", "[\"a\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"a\":10},\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    turn_at(90000 * MS);
    CHECK_INT(seen.closes, 0);
    session_leave(0);
    turn_at(100000 * MS);
    turn_at(160000 * MS);
    CHECK_INT(seen.closes, 1);
    CHECK_INT(app_stats(session.app).instances, 0);
    session_connect_v1(0); /* too late: a new one */
    CHECK_INT(seen.opens, 2);
    session_end();
}

static void a_post_to_an_app_per_client_has_an_instance_for_itself(void)
{
    static const char request[] = REQUEST("getAttr", "[\"a\"]");
    mw_value answer;

    start_mode(MW_INSTANCE_PER_CLIENT);
    CHECK_INT(app_rpc(session.app, NULL, request, strlen(request), &answer), 0);
    CHECK_JSON(mw_get_text(&answer, NULL), RESULT("{\"values\":{\"a\":1},\"revs\":{\"a\":\"#\"},\"errors\":{}}"));
    mw_release(answer);
    CHECK_INT(seen.opens, 1);
    CHECK_INT(seen.closes, 1);
    session_end();
}

static void an_instance_that_cannot_be_opened_refuses_its_client(void)
{
    static const char request[] = REQUEST("getAttr", "[\"a\"]");
    struct mw_error error = {0};
    mw_value answer;

    start_mode(MW_INSTANCE_PER_CLIENT);
    seen.open_result = -EACCES;
    CHECK_INT(session_try_connect(0, APP_MANNER_V1, &error), -EIO);
    CHECK(strstr(session.log, "open of app \"machine\": no such device") != NULL);
    CHECK_INT(app_rpc(session.app, NULL, request, strlen(request), &answer), -EIO);
    CHECK_INT(app_stats(session.app).opens_failed, 2);
    seen.open_result = 0;
    session_connect_v1(0);
    session_end();
}

static int close_self(mw_client *client, mw_value message)
{
    (void)message;
    return mw_client_close(client, 1000, NULL);
}

static void an_instance_outlives_the_call_that_ends_its_client(void)
{
    start_mode(MW_INSTANCE_PER_CLIENT);
    session_connect(0, APP_MANNER_PLAIN);
    session.sinks[0].ends_at_once = true;
    seen.on_receive = close_self;
    session_say(0, "{}");
    CHECK_TEXT(seen.events, "open connect receive disconnect close ");
    session_end();
}

static void every_instance_ticks(void)
{
    mw_app descriptor = machine_descriptor();

    descriptor.instance = MW_INSTANCE_PER_CLIENT;
    descriptor.tick = machine_tick;
    descriptor.tick_ns = 10 * MS;
    machine_start_with(&descriptor);
    session_connect_v1(0);
    turn_at(0);
    session_connect_v1(1);
    turn_at(5 * MS);
    turn_at(10 * MS);
    CHECK_INT(seen.ticks, 1);
    turn_at(15 * MS);
    CHECK_INT(seen.ticks, 2);
    turn_at(28 * MS); /* both, and both in step */
    CHECK_INT(seen.ticks, 4);
    CHECK_INT(app_next_deadline(session.app), 30 * MS);
    session_leave(0);
    CHECK_INT(app_next_deadline(session.app), 35 * MS);
    session_end();
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_descriptor_that_makes_no_sense_is_refused_with_its_reason),
        TEST(an_older_smaller_descriptor_is_taken_with_the_rest_zero),
        TEST(an_object_of_the_programs_own_is_the_state_and_stays_its_own),
        TEST(an_open_that_fails_says_why_and_frees_all),
        TEST(the_end_is_in_order),
        TEST(tasklets_made_in_open_belong_to_the_apps_mesh),
        TEST(a_message_runs_through_the_mesh_to_the_watchers),
        TEST(a_body_that_fails_is_logged_and_counted),
        TEST(close_runs_before_the_tasklets_close),
        TEST(the_tick_comes_when_it_is_due),
        TEST(ticks_never_pile_up),
        TEST(a_tick_that_has_not_run_yet_stands_for_the_next_one),
        TEST(a_tick_that_fails_is_logged_and_comes_again),
        TEST(without_a_tick_there_is_no_deadline),
        TEST(anonymous_has_the_marks_unless_told_otherwise),
        TEST(a_policy_of_the_file_replaces_the_one_in_c),
        TEST(an_explicit_deny_wins_over_the_marks),
        TEST(a_role_of_an_unknown_policy_is_an_error),
        TEST(one_instance_serves_all_clients),
        TEST(each_client_has_an_instance_of_its_own_where_the_app_says_so),
        TEST(a_users_clients_share_an_instance_that_waits_for_a_reload),
        TEST(a_post_to_an_app_per_client_has_an_instance_for_itself),
        TEST(an_instance_that_cannot_be_opened_refuses_its_client),
        TEST(an_instance_outlives_the_call_that_ends_its_client),
        TEST(every_instance_ticks),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
