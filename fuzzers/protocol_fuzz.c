/* Lines as what clients say to an app, in v1, in plain mode and by POST, with turns and ends between. room: app
 * Oracles: whatever leaves is JSON; a request read in one pass is what parsing gives; what is denied is neither read nor changed; all is given back at the end.
 * SPDX-License-Identifier: MIT */
#include <meshwork/json.h>
#include <stdlib.h>
#include <string.h>

#include "app/mount.h"
#include "app/protocol.h"
#include "app/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLIENTS 3 /* two of v1, one plain */
#define LINES 64
#define HIDDEN 918273645

struct state {
    int64_t a, hidden;
    double ratio;
    char text[8];
    mw_tasklet *echo;
};

static struct {
    mw_client *clients[CLIENTS];
    bool is_behind;
    size_t reads_of_hidden;
} seen;

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* ---- the sink -------------------------------------------------------------------------------------------- */
static int take(void *connection, enum mw_frame kind, const void *bytes, size_t byte_count)
{
    mw_value v;

    (void)connection;
    must(kind == MW_FRAME_TEXT);
    must(mw_json_parse(bytes, byte_count, NULL, &v, NULL) == 0);
    mw_release(v);
    return 0;
}

static int take_shared(void *connection, enum mw_frame kind, mw_value text)
{
    size_t byte_count;
    const char *bytes = mw_get_text(&text, &byte_count);

    return take(connection, kind, bytes, byte_count);
}

/* The server ends a client at once. */
static void end(void *connection, int code, const char *reason)
{
    mw_client **client = connection, *ended = *client;

    (void)code;
    (void)reason;
    *client = NULL;
    app_client_closed(ended);
}

static bool is_behind(void *connection)
{
    (void)connection;
    return seen.is_behind;
}

static const struct app_sink sink = {.send = take, .send_shared = take_shared, .close = end, .is_behind = is_behind};

/* ---- requests ------------------------------------------------------------------------------------------------ */
static void compare(const struct envelope *r, mw_value whole)
{
    const mw_value *params = mw_map_get(whole, "params"), *id = mw_map_get(whole, "id");
    const mw_value *method = mw_map_get(whole, "method"), *version = mw_map_get(whole, "jsonrpc");
    size_t i;

    must(version && strcmp(mw_get_text(version, NULL), "2.0") == 0);
    must(method && strcmp(mw_get_text(method, NULL), r->method->name) == 0);
    must(r->has_id == (id != NULL) && (!id || mw_equal(*id, r->id)));
    must(r->has_params == (params != NULL));
    if (r->has_names) {
        must(mw_list_count(*params) == r->name_count);
        for (i = 0; i < r->name_count; i++)
            must(mw_equal(*mw_list_at(*params, i), r->names[i]));
    } else if (params) {
        must(mw_equal(*params, r->params));
    }
}

static void read_in_one_pass(const char *line, size_t byte_count)
{
    static const struct mw_json_limits limits = {.depth = 64, .tokens = 65536, .keys = 4096};
    struct request r;
    mw_value whole;

    if (!request_read(line, byte_count, &limits, &r))
        return;
    must(mw_json_parse(line, byte_count, &limits, &whole, NULL) == 0);
    compare(&r.envelope, whole);
    request_clear(&r);
    mw_release(whole);
}

/* ---- the back end ------------------------------------------------------------------------------------------- */
static int get_hidden(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error)
{
    (void)attribute;
    (void)ret_error;
    seen.reads_of_hidden++;
    *ret = mw_int(((const struct state *)object)->hidden);
    return 0;
}

static const mw_attribute attributes[] = {
    {MW_FIELD(struct state, a), .kind = MW_INT, .marks = MW_EXPOSED},
    {MW_FIELD(struct state, hidden), .kind = MW_INT, .get = get_hidden},
    {MW_FIELD(struct state, ratio), .kind = MW_REAL, .marks = MW_EXPOSED, .range = MW_RANGE(-1, 1)},
    {MW_FIELD(struct state, text), .kind = MW_TEXT, .marks = MW_EXPOSED},
};

/* Whoever calls it with a true argument goes. */
static int leave(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    bool goes = false;

    (void)ret_error;
    (void)mw_get_bool(args, &goes);
    *ret = mw_share(args);
    return goes ? mw_client_close(client, 1000, NULL) : 0;
}

static const mw_command commands[] = {{.name = "leave", .call = leave}};

static int echo(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self;
    (void)mw_broadcast(scope, NULL, item);
    return 0;
}

static int open_state(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    struct state *s = state;

    (void)ret_error;
    s->hidden = HIDDEN;
    s->echo = mw_handler_new(echo, instance);
    return s->echo && mw_expose_tasklet(instance, "echo", s->echo, NULL) == 0 ? 0 : -1;
}

static void close_state(mw_instance *instance, void *state)
{
    (void)instance;
    must(((const struct state *)state)->hidden == HIDDEN);
}

static int receive(mw_client *client, mw_value message)
{
    struct state *s = mw_instance_state(mw_client_instance(client));

    (void)mw_reply(client, message, mw_map_new());
    return mw_send(s->echo, mw_share(message));
}

static const mw_app descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "fuzz", .state_bytes = sizeof(struct state),
                                  .attributes = attributes, .attribute_count = MW_COUNT(attributes), .commands = commands,
                                  .command_count = MW_COUNT(commands), .open = open_state, .close = close_state,
                                  .receive = receive};

/* ---- lines ------------------------------------------------------------------------------------------------------ */
static void connect_all(struct app *app)
{
    size_t i;

    for (i = 0; i < CLIENTS; i++)
        if (!seen.clients[i])
            must(app_client_open(app, i < 2 ? APP_MANNER_V1 : APP_MANNER_PLAIN, &sink, &seen.clients[i], NULL, &seen.clients[i],
                                 NULL) == 0);
}

static void leave_one(size_t at)
{
    mw_client *client = seen.clients[at];

    seen.clients[at] = NULL;
    app_client_closed(client);
}

static void post(struct app *app, const uint8_t *bytes, size_t byte_count)
{
    mw_value answer;
    size_t count;
    const char *text;

    must(app_rpc(app, NULL, bytes, byte_count, &answer) == 0);
    text = mw_get_text(&answer, &count);
    if (text)
        (void)take(NULL, MW_FRAME_TEXT, text, count);
    mw_release(answer);
}

/* The first byte says who speaks, or what else happens. */
static void play(struct app *app, const uint8_t *line, size_t byte_count, int64_t now_ns)
{
    uint8_t first = byte_count > 0 ? line[0] : 't';

    connect_all(app);
    switch (first) {
    case 't':
        (void)app_turn(app, now_ns);
        break;
    case 'b':
        seen.is_behind = !seen.is_behind;
        break;
    case 'l':
        leave_one(byte_count % CLIENTS);
        break;
    case 'r':
        post(app, line + 1, byte_count - 1);
        break;
    case 'x':
        app_client_message(seen.clients[0], MW_FRAME_BINARY, line + 1, byte_count - 1);
        break;
    case 'p':
        app_client_message(seen.clients[2], MW_FRAME_TEXT, line + 1, byte_count - 1);
        break;
    case '1':
        app_client_message(seen.clients[1], MW_FRAME_TEXT, line + 1, byte_count - 1);
        break;
    default:
        read_in_one_pass((const char *)line, byte_count);
        app_client_message(seen.clients[0], MW_FRAME_TEXT, line, byte_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const policies[] = {"marked", "more"};
    static const struct app_role role = {.name = "anonymous", .policies = policies, .policy_count = 2};
    static int64_t settled_blocks; /* after the first run: the thread's pools stay */
    mw_policy *more = mw_policy_new("more");
    const struct app_options options = {.name = "fuzz", .descriptor = &descriptor, .policies = {.policies = &more, .policy_count = 1, .roles = &role,
                                                     .role_count = 1}, .message_bytes = 65536};
    const uint8_t *end_of_data = data + size;
    struct app *app;
    int i;

    must(more && mw_policy_parse(more, "callable", "leave, echo", NULL) == 0);
    must(app_open(&options, &app, NULL) == 0);
    memset(&seen, 0, sizeof(seen));
    for (i = 0; i < LINES && data < end_of_data; i++) {
        const uint8_t *newline = memchr(data, '\n', (size_t)(end_of_data - data));
        const uint8_t *line_end = newline ? newline : end_of_data;

        play(app, data, (size_t)(line_end - data), i);
        data = newline ? newline + 1 : end_of_data;
    }
    for (i = 0; i < 8; i++)
        (void)app_turn(app, LINES + i);
    must(seen.reads_of_hidden == 0);
    app_free(app);
    if (settled_blocks == 0)
        settled_blocks = mw_memory_stats().live_blocks;
    must(mw_memory_stats().live_blocks <= settled_blocks);
    return 0;
}
