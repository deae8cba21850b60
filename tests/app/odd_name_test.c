/* Odd names on the wire: user state by method by name, and only what a policy lists is reached.
 * Not names in C and in app.ini; those are in tests/exposable/odd_name_test.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "app/session.h"
#include "base/buffer.h"
#include "base/utf8.h"
#include "exposable/odd_names.h"

static struct { int32_t value[6]; } *state;

#define FIELD(at, called) {.name = (called), .offset = (at) * sizeof(int32_t), .field_bytes = 4, .kind = MW_INT}
static const mw_attribute attributes[] = {FIELD(0, "a"),          FIELD(1, "A"),          FIELD(2, "motor.speed"), FIELD(3, "motor.speed."),
                                          FIELD(4, "\xc3\xa9"), FIELD(5, "e\xcc\x81")};

static int done(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    (void)client, (void)args, (void)ret_error;
    *ret = mw_text("done");
    return 0;
}
static const mw_command commands[] = {{.name = "a", .call = done},            {.name = "A", .call = done},        {.name = "motor.speed", .call = done},
                                      {.name = "motor.speed.", .call = done}, {.name = "\xc3\xa9", .call = done}, {.name = "e\xcc\x81", .call = done}};

static int open_app(mw_instance *instance, void *opened, struct mw_error *ret_error)
{
    (void)instance, (void)ret_error;
    state = opened;
    return 0;
}

/* ---- who asks ---------------------------------------------------------------------------------------------- */

enum who { LISTED, STRANGER, NOT_LOGGED_IN };

static const char *const named[] = {"listed"}, *const stranger[] = {"stranger"};
static const struct app_role roles[] = {{"anonymous", NULL, 0, 0}, {"member", named, 1, APP_GRANT_EXPLAIN}};

static void start(enum who who, bool has_commands)
{
    static const char *const member[] = {"member"};
    const struct app_identity identity = {"bob", who == STRANGER ? stranger : member, 1};
    const mw_app descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "odd", .state_bytes = sizeof(*state), .open = open_app,
                               .attributes = attributes, .attribute_count = has_commands ? 0 : MW_COUNT(attributes),
                               .commands = commands, .command_count = has_commands ? MW_COUNT(commands) : 0};
    struct app_options options = session_options(&descriptor);
    mw_policy *policy = mw_policy_new("listed");
    struct fake_sink *sink = &session.sinks[0];

    session_end();
    CHECK(policy != NULL);
    CHECK_INT(mw_policy_parse(policy, "exposed", LISTED_MEMBERS, NULL), 0);
    CHECK_INT(mw_policy_parse(policy, "callable", LISTED_MEMBERS, NULL), 0);
    options.policies = (struct app_policies){&policy, 1, roles, MW_COUNT(roles)};
    options.require_login = who == NOT_LOGGED_IN;
    session_start_with(&options);
    CHECK_INT(app_client_open(session.app, APP_MANNER_V1, &fake_sink, sink, who == NOT_LOGGED_IN ? NULL : &identity, &session.clients[0], NULL), 0);
    sink->client = session.clients[0];
    CHECK(fake_sink_next(sink) != NULL); /* hello */
}

/* ---- one request --------------------------------------------------------------------------------------------- */

/* A JSON string; bytes that are no UTF-8 go in as they are. */
static void print_name(struct mw_buffer *b, const struct odd_name *name)
{
    size_t i;

    (void)mw_buffer_append_byte(b, '"');
    for (i = 0; i < name->count; i++) {
        unsigned char byte = (unsigned char)name->bytes[i];

        if (byte < 0x20 || byte == '"' || byte == '\\')
            (void)mw_buffer_printf(b, "\\u%04x", (unsigned)byte);
        else
            (void)mw_buffer_append_byte(b, byte);
    }
    (void)mw_buffer_append_byte(b, '"');
}

/* Ask, and give the answer. method's params are before, the name, after. returned owned */
static mw_value ask(const char *method, const char *before, const struct odd_name *name, const char *after)
{
    struct fake_sink *sink = &session.sinks[0];
    mw_value answer = mw_null();
    const char *text;
    struct mw_buffer b;

    fake_sink_clear(sink);
    sink->client = session.clients[0];
    mw_buffer_init(&b, 1 << 20);
    (void)mw_buffer_printf(&b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s", method, before);
    print_name(&b, name);
    (void)mw_buffer_printf(&b, "%s}", after);
    CHECK_INT(b.error, 0);
    app_client_message(session.clients[0], MW_FRAME_TEXT, b.data, b.count);
    text = fake_sink_next(sink);
    CHECK(text != NULL);
    CHECK(mw_utf8_is_valid(text, strlen(text)));
    CHECK_INT(mw_json_parse(text, strlen(text), NULL, &answer, NULL), 0);
    CHECK(fake_sink_next(sink) == NULL); /* one answer, and no more */
    CHECK_INT(sink->close_code, 0);
    mw_buffer_clear(&b);
    return answer;
}

static int64_t error_code(mw_value answer)
{
    const mw_value *error = mw_map_get(answer, "error"), *code = error ? mw_map_get(*error, "code") : NULL;
    int64_t number = 0;

    CHECK(!code || mw_get_int(*code, &number) == 0);
    return number;
}

/* What answer.result.part says of the name. NULL: nothing */
static const mw_value *entry(mw_value answer, const char *part, const struct odd_name *name)
{
    const mw_value *result = mw_map_get(answer, "result"), *entries = result && part ? mw_map_get(*result, part) : result;

    return entries ? mw_map_get_n(*entries, name->bytes, name->count) : NULL;
}

static bool is_text(const mw_value *value, const char *want)
{
    const char *text = value ? mw_get_text(value, NULL) : NULL;

    return text && strcmp(text, want) == 0;
}

/* ---- what has to come of it -------------------------------------------------------------------------------------- */

/* Requests that are none are refused as such, whoever asks. returns the code; 0: it is a request */
static int64_t refusal(enum who who, const struct odd_name *name)
{
    if (!mw_utf8_is_valid(name->bytes, name->count))
        return -32700;
    if (who == NOT_LOGGED_IN)
        return -32008;
    return name->count == 0 || name->count > 256 ? -32602 : 0;
}

/* A glob stands for names that are there: of these, none but listed ones. */
static bool is_glob(const struct odd_name *name)
{
    return memchr(name->bytes, '*', name->count) || memchr(name->bytes, '[', name->count);
}

static void check_globbed(enum who who, mw_value answer)
{
    const mw_value *result = mw_map_get(answer, "result"), *values = result ? mw_map_get(*result, "values") : NULL;
    size_t i;

    for (i = 0; values && i < mw_map_count(*values); i++) {
        const mw_value *key;
        struct odd_name found;

        (void)mw_map_at(*values, i, &key);
        found.bytes = mw_get_text(key, &found.count);
        CHECK(who == LISTED && is_listed(&found));
    }
}

static void check_attribute(enum who who, const struct odd_name *name)
{
    static const struct {
        const char *method, *before, *after, *part;
    } rows[] = {{"getAttr", "[", "]", "values"}, {"setAttr", "{", ":5}", "revs"}, {"watch", "[", "]", "values"}, {"unwatch", "[", "]", NULL},
                {"rights", "[", "]", ""},        {"getAttr", "[\"A\",", ",\"zz\"]", "values"}};
    const bool may = who == LISTED && is_listed(name);
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        const int64_t want = refusal(who, name);
        mw_value answer = ask(rows[i].method, rows[i].before, name, rows[i].after);

        if (want != 0 && error_code(answer) == -32010)
            CHECK(name->count > 256); /* longer than a key of JSON may be */
        else
            CHECK_INT(error_code(answer), want);
        if (strcmp(rows[i].method, "watch") == 0 && is_glob(name)) {
            check_globbed(who, answer);
        } else if (want == 0 && rows[i].part && rows[i].part[0]) {
            CHECK((entry(answer, rows[i].part, name) != NULL) == may);
            CHECK(is_text(entry(answer, "errors", name), "denied") == !may);
        } else if (want == 0 && rows[i].part) {
            CHECK(is_text(entry(answer, NULL, name), may ? "get set" : ""));
        }
        mw_release(answer);
    }
}

static void check_call(enum who who, const struct odd_name *name)
{
    const bool may = who == LISTED && is_listed(name);
    const int64_t none = refusal(who, name);
    mw_value answer = ask("call", "{\"name\":", name, "}");

    CHECK_INT(error_code(answer), none ? none : may ? 0 : -32001);
    CHECK(is_text(mw_map_get(answer, "result"), "done") == (may && !none));
    mw_release(answer);
    answer = ask("send", "{\"item\":1,\"to\":", name, "}");
    CHECK(error_code(answer) != 0 && mw_map_get(answer, "result") == NULL); /* no tasklet is exposed */
    CHECK(may || none || error_code(answer) == -32001);
    mw_release(answer);
}

static void check_explain(enum who who, const struct odd_name *name)
{
    const int64_t none = refusal(who, name);
    mw_value answer = ask("explain", "{\"op\":\"get\",\"name\":", name, "}");
    const mw_value *result = mw_map_get(answer, "result");

    if (none == -32700 || none == -32008)
        CHECK_INT(error_code(answer), none);
    else if (who == STRANGER)
        CHECK(error_code(answer) == -32001 || error_code(answer) == -32602);
    else if (result)
        CHECK(is_text(mw_map_get(*result, "outcome"), is_listed(name) ? "allowed" : "denied"));
    else
        CHECK_INT(error_code(answer), -32602);
    mw_release(answer);
}

static void check_everybody(bool has_commands, void (*check)(enum who who, const struct odd_name *name))
{
    int who;
    size_t i;

    odd_names_make();
    for (who = LISTED; who <= NOT_LOGGED_IN; who++) {
        start((enum who)who, has_commands);
        for (i = 0; i < ODD_NAMES; i++)
            check((enum who)who, &odd_names[i]);
        if (!has_commands) /* the others were not even touched */
            CHECK(state->value[1] == 0 && state->value[3] == 0 && state->value[5] == 0);
        session_end();
    }
}

/* ---- tests ----------------------------------------------------------------------------------------------------------- */

static void only_listed_attributes_are_read_set_and_watched_whatever_the_spelling(void)
{
    check_everybody(false, check_attribute);
}

static void only_listed_commands_are_called_whatever_the_spelling(void)
{
    check_everybody(true, check_call);
}

static void explain_answers_about_whatever_name(void)
{
    check_everybody(false, check_explain);
}

static const struct mw_test tests[] = {
    TEST(only_listed_attributes_are_read_set_and_watched_whatever_the_spelling),
    TEST(only_listed_commands_are_called_whatever_the_spelling),
    TEST(explain_answers_about_whatever_name),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
