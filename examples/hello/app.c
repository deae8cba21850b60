/* Hello: the back end of a page that shows a live number and three attributes, in the smallest form that has it all:
 * attributes, a mesh, a tick, a broadcast, an answer. Not the page; that is app.html and js/app.js.
 * Read next: docs/apps.md. To make your own: cp -r examples/hello ~/myapp && ./run ~/myapp
 * SPDX-License-Identifier: MIT */
#include <meshwork/meshwork.h>

#include <errno.h>

/* One of these lives as long as the server, for all who have the page open. Zeroed before hello_open. */
struct hello {
    int64_t a, b, c;
    uint64_t random;
    int64_t last; /* what the tick sent last, 1 to 9 */
    mw_tasklet *start, *doubler, *tripler; /* the mesh owns them */
};

/* What pages may reach of it. Unmarked is denied: nobody can even tell that b is there. */
static const mw_attribute hello_attributes[] = {
    {MW_FIELD(struct hello, a), .kind = MW_INT, .marks = MW_EXPOSED, .doc = "get it, set it, watch it"},
    {MW_FIELD(struct hello, b), .kind = MW_INT, .doc = "the back end's own"},
    {MW_FIELD(struct hello, c), .kind = MW_INT, .marks = MW_GETTABLE, .doc = "get it, watch it"},
};

/* ---- the mesh: tick -> start -> doubler or tripler -> sink -> every page -------------------------------- */

/* Each of these runs on a stack of its own and waits in mw_receive until something is sent to it. */
static int start(mw_tasklet *self, void *scope)
{
    const struct hello *hello = scope;
    mw_value item;
    int64_t number;

    while (mw_receive(self, &item)) {
        if (mw_get_int(item, &number) == 0)
            (void)mw_send(number % 2 == 0 ? hello->doubler : hello->tripler, mw_share(item));
        mw_release(item);
    }
    return 0; /* being closed: what the set-up took would be given back here */
}

static int doubler(mw_tasklet *self, void *scope)
{
    mw_tasklet *target = scope;
    mw_value item;
    int64_t number;

    while (mw_receive(self, &item)) {
        if (mw_get_int(item, &number) == 0)
            (void)mw_send(target, mw_int(2 * number));
        mw_release(item);
    }
    return 0;
}

static int tripler(mw_tasklet *self, void *scope)
{
    mw_tasklet *target = scope;
    mw_value item;
    int64_t number;

    while (mw_receive(self, &item)) {
        if (mw_get_int(item, &number) == 0)
            (void)mw_send(target, mw_int(3 * number));
        mw_release(item);
    }
    return 0;
}

/* Where the mesh ends and the pages begin: {"number": N} to all of them. */
static int sink(mw_tasklet *self, void *scope)
{
    mw_instance *instance = scope;
    mw_value item;

    while (mw_receive(self, &item)) {
        mw_value message = mw_map_new();

        (void)mw_map_set(&message, "number", item);        /* takes item */
        (void)mw_broadcast(instance, NULL, message);       /* takes message */
    }
    return 0;
}

/* ---- what the server calls ------------------------------------------------------------------------------ */

static int hello_open(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    struct hello *hello = state;
    mw_tasklet *target;

    hello->a = 1;
    hello->b = 2;
    hello->c = 3;
    hello->random = (uint64_t)mw_now_ns() | 1;

    target = mw_tasklet_new(sink, instance);
    hello->doubler = mw_tasklet_new(doubler, target);
    hello->tripler = mw_tasklet_new(tripler, target);
    hello->start = mw_tasklet_new(start, hello);
    if (!target || !hello->doubler || !hello->tripler || !hello->start)
        return mw_fail(ret_error, -ENOMEM, "build the mesh of hello");
    return 0;
}

/* A random number of 1 to 9, never the same twice in a row. */
static int64_t next_number(struct hello *hello)
{
    hello->random ^= hello->random << 13;
    hello->random ^= hello->random >> 7;
    hello->random ^= hello->random << 17;
    hello->last = (hello->last + (int64_t)(hello->random % 8)) % 9 + 1;
    return hello->last;
}

/* Once a second. Nothing waits for anything here: the mesh runs after it. */
static int hello_tick(mw_instance *instance, void *state)
{
    struct hello *hello = state;

    (void)instance;
    return mw_send(hello->start, mw_int(next_number(hello)));
}

/* A message in the app's own JSON, from a page (or a program) that does not speak meshwork.v1. */
static int hello_receive(mw_client *client, mw_value message)
{
    mw_value lines, answer;

    if (!mw_map_get(message, "msgId") || !mw_map_get(message, "commandText"))
        return 0; /* {"content": "I am alive!"}: good to know */
    lines = mw_list_new();
    (void)mw_list_append(&lines, mw_text("Hello."));
    (void)mw_list_append(&lines, mw_text("World."));
    answer = mw_map_new();
    (void)mw_map_set(&answer, "lines", lines);
    return mw_reply(client, message, answer); /* adds the msgId; takes answer */
}

/* The one symbol that the server looks up. */
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI,
    .size = sizeof(mw_app),
    .name = "hello",
    .state_bytes = sizeof(struct hello),
    .attributes = hello_attributes,
    .attribute_count = MW_COUNT(hello_attributes),
    .tick_ns = INT64_C(1000000000),
    .open = hello_open,
    .tick = hello_tick,
    .receive = hello_receive,
};
