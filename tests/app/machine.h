/* The back end that the tests of the app room serve: one attribute of each sort, commands, counted callbacks.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_APP_MACHINE_H
#define TEST_APP_MACHINE_H

#include <math.h>

#include "app/session.h"

struct machine {
    int64_t a, b, big, picky, secret;
    int32_t c, serial;
    double speed;
    char name[16];
    bool is_on;
    int ticks, receives;
};

struct visitor {
    int64_t number;
};

/* What the callbacks saw and are to do; one per test program. */
static struct {
    int opens, closes, connects, disconnects, receives, ticks, visitors_now;
    int open_result, connect_result, receive_result, tick_result;
    char events[512];              /* names of callbacks as they came, each with a space */
    mw_instance *instance;         /* opened last */
    struct machine *machine;       /* its state */
    char last_message[256];        /* received, as JSON */
    int (*on_receive)(mw_client *client, mw_value message);
    int (*on_connect)(mw_client *client);
    void (*on_disconnect)(mw_client *client);
    int (*on_set)(void);
} seen;

static inline void note(const char *event)
{
    size_t used = strlen(seen.events);

    (void)snprintf(seen.events + used, sizeof(seen.events) - used, "%s ", event);
}

static inline int get_faulty(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error)
{
    (void)object;
    (void)attribute;
    (void)ret;
    return mw_fail(ret_error, -EIO, "the sensor does not answer");
}

static inline int set_secret(void *object, const mw_attribute *attribute, mw_value value, struct mw_error *ret_error)
{
    (void)attribute;
    (void)ret_error;
    return mw_get_int(value, &((struct machine *)object)->secret);
}

static inline int set_picky(void *object, const mw_attribute *attribute, mw_value value, struct mw_error *ret_error)
{
    struct machine *m = object;
    int64_t number = 0;

    (void)attribute;
    (void)mw_get_int(value, &number);
    if (number == 13)
        return mw_fail(ret_error, -EIO, "the motor does not answer");
    if (number % 2 != 0)
        return mw_fail(ret_error, -EINVAL, "even numbers only");
    m->picky = number;
    return seen.on_set ? seen.on_set() : 0;
}

static const mw_attribute machine_attributes[] = {
    {MW_FIELD(struct machine, a), .kind = MW_INT, .marks = MW_EXPOSED},
    {MW_FIELD(struct machine, b), .kind = MW_INT},
    {MW_FIELD(struct machine, c), .kind = MW_INT, .marks = MW_GETTABLE},
    {MW_FIELD(struct machine, speed), .kind = MW_REAL, .marks = MW_EXPOSED, .range = MW_RANGE(0, 100), .unit = "m/s",
     .doc = "How \"fast\" it is"},
    {MW_FIELD(struct machine, name), .kind = MW_TEXT, .marks = MW_EXPOSED},
    {MW_FIELD(struct machine, big), .kind = MW_INT, .marks = MW_EXPOSED},
    {MW_FIELD(struct machine, is_on), .kind = MW_BOOL, .marks = MW_EXPOSED},
    {MW_FIELD(struct machine, serial), .kind = MW_INT, .marks = MW_EXPOSED, .read_only = true},
    {.name = "secret", .kind = MW_INT, .set = set_secret, .marks = MW_EXPOSED},
    {.name = "faulty", .kind = MW_INT, .get = get_faulty, .marks = MW_EXPOSED},
    {MW_FIELD(struct machine, picky), .kind = MW_INT, .set = set_picky, .marks = MW_EXPOSED},
};

static inline int call_reset(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    (void)args;
    (void)ret_error;
    ((struct machine *)mw_instance_state(mw_client_instance(client)))->a = 0;
    ((struct visitor *)mw_client_state(client))->number++;
    *ret = mw_bool(true);
    return 0;
}

static inline int call_add(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    int64_t left, right;

    (void)client;
    if (mw_list_count(args) != 2 || mw_get_int(*mw_list_at(args, 0), &left) < 0 ||
        mw_get_int(*mw_list_at(args, 1), &right) < 0)
        return mw_fail(ret_error, -EINVAL, "two numbers to add");
    *ret = mw_int(left + right);
    return 0;
}

static inline int call_fail(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    int64_t code = -EIO;

    (void)client;
    (void)ret_error;
    (void)mw_get_int(args, &code);
    *ret = mw_text("an answer that it had before it failed");
    return (int)code;
}

static inline int call_opaque(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    (void)args;
    (void)ret_error;
    *ret = mw_opaque(client, NULL);
    return 0;
}

static const mw_command machine_commands[] = {
    {.name = "reset", .doc = "Start again", .call = call_reset},
    {.name = "add", .call = call_add},
    {.name = "fail", .call = call_fail},
    {.name = "opaque", .call = call_opaque},
    {.name = "hidden", .doc = "Nobody may", .call = call_reset},
};

static const mw_rule operate_rules[] = {
    {.right = MW_CALLABLE, .name = "reset"}, {.right = MW_CALLABLE, .name = "add"},     {.right = MW_CALLABLE, .name = "fail"},
    {.right = MW_CALLABLE, .name = "opaque"}, {.right = MW_CALLABLE, .name = "nothing"}, {.right = MW_HEARABLE, .name = "news"},
};

static const mw_policy_table machine_policies[] = {{"operate", operate_rules, MW_COUNT(operate_rules)}};

static inline int machine_open(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    struct machine *m = state;

    seen.opens++;
    note("open");
    seen.instance = instance;
    seen.machine = m;
    *m = (struct machine){.a = 1, .b = 2, .c = 3, .speed = 2.5, .name = "lathe", .big = 5, .serial = 77};
    return seen.open_result < 0 ? mw_fail(ret_error, seen.open_result, "no such device") : 0;
}

static inline void machine_close(mw_instance *instance, void *state)
{
    (void)instance;
    (void)state;
    seen.closes++;
    note("close");
}

static inline int machine_connect(mw_client *client, void *client_state, struct mw_error *ret_error)
{
    seen.connects++;
    seen.visitors_now++;
    note("connect");
    ((struct visitor *)client_state)->number += 100;
    if (seen.connect_result < 0) {
        seen.visitors_now--;
        return mw_fail(ret_error, seen.connect_result, "not today");
    }
    return seen.on_connect ? seen.on_connect(client) : 0;
}

static inline void machine_disconnect(mw_client *client, void *client_state)
{
    (void)client_state;
    seen.disconnects++;
    seen.visitors_now--;
    note("disconnect");
    if (seen.on_disconnect)
        seen.on_disconnect(client);
}

static inline int machine_receive(mw_client *client, mw_value message)
{
    mw_value text = mw_json_print(message);

    seen.receives++;
    note("receive");
    if (mw_get_text(&text, NULL))
        (void)snprintf(seen.last_message, sizeof(seen.last_message), "%s", mw_get_text(&text, NULL));
    mw_release(text);
    if (seen.on_receive)
        return seen.on_receive(client, message);
    return seen.receive_result;
}

static inline int machine_tick(mw_instance *instance, void *state)
{
    (void)instance;
    seen.ticks++;
    ((struct machine *)state)->ticks++;
    note("tick");
    return seen.tick_result;
}

static inline mw_app machine_descriptor(void)
{
    return (mw_app){.abi = MW_ABI, .size = sizeof(mw_app), .name = "machine", .state_bytes = sizeof(struct machine),
                    .client_bytes = sizeof(struct visitor), .attributes = machine_attributes,
                    .attribute_count = MW_COUNT(machine_attributes), .commands = machine_commands,
                    .command_count = MW_COUNT(machine_commands), .policies = machine_policies,
                    .policy_count = MW_COUNT(machine_policies), .open = machine_open, .close = machine_close,
                    .connect = machine_connect, .disconnect = machine_disconnect, .receive = machine_receive};
}

/* The machine, with the commands callable and the channel `news` hearable for everybody. */
static inline void machine_start_with(const mw_app *descriptor)
{
    static const char *const policies[] = {"marked", "operate"};
    static const struct app_role role = {.name = "anonymous", .policies = policies, .policy_count = 2};
    struct app_options options = session_options(descriptor);

    session_end();
    memset(&seen, 0, sizeof(seen));
    options.policies.roles = &role;
    options.policies.role_count = 1;
    session_start_with(&options);
}

static inline void machine_start(void)
{
    mw_app descriptor = machine_descriptor();

    machine_start_with(&descriptor);
}

#endif
