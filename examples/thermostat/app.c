/* Thermostat: an instrument that several people look at, some may set, and one decides who.
 * Who may do what stands in app.ini. Not the page; that is app.html and js/app.js.
 * Read next: README.md, then docs/users.md.
 * SPDX-License-Identifier: MIT */
#include <meshwork/meshwork.h>

#include <errno.h>

#define OUTSIDE_C 8.0
#define ALARM_C 28.0

/* The instrument: one for all who look at it. Zeroed before thermostat_open. */
struct thermostat {
    double reading_c, target_c;
    bool is_heating, operators_may;
    bool is_alarmed;
    char api_key[32]; /* of the weather service: no policy names it, so nobody can even tell that it is there */
};

/* The mark lets the role `operator` set the target, as its policies are "look" and "marked"; the command below takes the mark
 * away and gives it back. */
static const mw_attribute thermostat_attributes[] = {
    {MW_FIELD(struct thermostat, reading_c), .kind = MW_REAL, .read_only = true, .unit = "°C", .doc = "what the sensor says"},
    {MW_FIELD(struct thermostat, target_c), .kind = MW_REAL, .range = MW_RANGE(5, 30), .unit = "°C", .marks = MW_SETTABLE,
     .doc = "what it is to be"},
    {MW_FIELD(struct thermostat, is_heating), .kind = MW_BOOL, .read_only = true},
    {MW_FIELD(struct thermostat, operators_may), .kind = MW_BOOL, .read_only = true, .doc = "whether operators may set the target"},
    {MW_FIELD(struct thermostat, api_key), .kind = MW_TEXT},
};

/* let_operators(true) or (false): for those whose role makes it callable. Pages of operators are told at once. */
static int let_operators(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    mw_instance *instance = mw_client_instance(client);
    struct thermostat *t = mw_instance_state(instance);
    bool may;

    if (mw_get_bool(args, &may) < 0)
        return mw_fail(ret_error, -EINVAL, "let_operators takes true or false");
    t->operators_may = may;
    if (may)
        mw_expose(mw_instance_exposable(instance), "target_c", MW_SETTABLE);
    else
        mw_unexpose(mw_instance_exposable(instance), "target_c", MW_SETTABLE);
    *ret = mw_bool(may);
    return 0;
}

static const mw_command thermostat_commands[] = {
    {.name = "let_operators", .doc = "true or false: may operators set the target?", .call = let_operators},
};

static int thermostat_open(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    struct thermostat *t = state;

    (void)instance;
    (void)ret_error;
    *t = (struct thermostat){.reading_c = 19, .target_c = 21, .operators_may = true, .api_key = "not-for-pages"};
    return 0;
}

/* Said once when it gets hot, to those for whom the channel is hearable. */
static void watch_heat(mw_instance *instance, struct thermostat *t)
{
    mw_value message;

    if (t->is_alarmed == (t->reading_c > ALARM_C))
        return;
    t->is_alarmed = !t->is_alarmed;
    message = mw_map_new();
    (void)mw_map_set(&message, "hot", mw_bool(t->is_alarmed)); /* without memory the broadcast below fails, and is counted */
    (void)mw_broadcast(instance, "alarm", message);
}

/* Four times a second: a small room, well insulated. */
static int thermostat_tick(mw_instance *instance, void *state)
{
    struct thermostat *t = state;

    t->is_heating = t->reading_c < t->target_c - (t->is_heating ? 0.0 : 0.4);
    t->reading_c += (OUTSIDE_C - t->reading_c) * 0.002 + (t->is_heating ? 0.15 : 0.0);
    watch_heat(instance, t);
    return 0;
}

/* The one symbol that the server looks up. */
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI,
    .size = sizeof(mw_app),
    .name = "thermostat",
    .state_bytes = sizeof(struct thermostat),
    .attributes = thermostat_attributes,
    .attribute_count = MW_COUNT(thermostat_attributes),
    .commands = thermostat_commands,
    .command_count = MW_COUNT(thermostat_commands),
    .tick_ns = INT64_C(250000000),
    .open = thermostat_open,
    .tick = thermostat_tick,
};
