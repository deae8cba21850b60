/* A turn of an app is bounded: how many it tells of changes, and how many instances have theirs in it.
 * Not what is told; that is watch_test.c.
 * SPDX-License-Identifier: MIT */
#include "app/machine.h"

#define ALWAYS 4         /* messages of an instance that leave in any turn */
#define AT_ONCE 256      /* instances in a turn */

static int room; /* for so many more messages */
static size_t worked;

static bool has_room(void *context)
{
    (void)context;
    return room-- > 0;
}

static void work(void *context, size_t steps)
{
    (void)context;
    worked += steps;
}

/* All clients but the first watch; it sets. */
static void start(const mw_app *descriptor, const char *watched)
{
    struct app_options options = session_options(descriptor);
    char request[256];
    size_t i;

    options.has_room = has_room;
    options.worked = work;
    session_start_with(&options);
    (void)snprintf(request, sizeof(request), REQUEST("watch", "%s"), watched);
    for (i = 0; i < SESSION_CLIENTS; i++) {
        session_connect_v1(i);
        if (i == 0)
            continue;
        session_say(i, request);
        CHECK(fake_sink_next(&session.sinks[i]) != NULL);
    }
    room = 1000;
    session_turn();
    room = 0;
}

static void set(const char *values)
{
    char request[256];

    (void)snprintf(request, sizeof(request), REQUEST("setAttr", "%s"), values);
    session_say(0, request);
    CHECK(fake_sink_next(&session.sinks[0]) != NULL);
}

/* How many have something to read. */
static size_t told(void)
{
    size_t count = 0, i;

    for (i = 1; i < SESSION_CLIENTS; i++)
        count += session.sinks[i].read < session.sinks[i].count;
    return count;
}

static void who_found_no_room_is_told_in_the_next_turn(void)
{
    const mw_app descriptor = machine_descriptor();

    start(&descriptor, "[\"a\"]");
    set("{\"a\":10}");
    CHECK(app_turn(session.app, session.now_ns)); /* there is more */
    CHECK_INT(told(), ALWAYS);
    CHECK(app_turn(session.app, session.now_ns)); /* what has changed meanwhile is looked at */
    CHECK_INT(told(), SESSION_CLIENTS - 1);
    CHECK(!app_turn(session.app, session.now_ns));
    CHECK_INT(told(), SESSION_CLIENTS - 1);
    CHECK_NEXT(SESSION_CLIENTS - 1, CHANGED("{\"a\":10}", "{\"a\":\"#\"}"));
    session_end();
}

static void all_are_told_in_one_turn_where_there_is_room(void)
{
    const mw_app descriptor = machine_descriptor();

    start(&descriptor, "[\"a\"]");
    set("{\"a\":10}");
    room = 1000;
    worked = 0;
    CHECK(!app_turn(session.app, session.now_ns));
    CHECK_INT(told(), SESSION_CLIENTS - 1);
    CHECK_INT(worked, SESSION_CLIENTS - 1); /* a step for each short message */
    session_end();
}

static void who_waited_is_told_what_it_is_by_then_and_the_others_after_that(void)
{
    const mw_app descriptor = machine_descriptor();
    size_t i;

    start(&descriptor, "[\"a\"]");
    set("{\"a\":10}");
    CHECK(app_turn(session.app, session.now_ns));
    set("{\"a\":11}");
    session_turn();
    for (i = 1; i <= ALWAYS; i++) {
        CHECK_NEXT(i, CHANGED("{\"a\":10}", "{\"a\":\"#\"}"));
        CHECK_NEXT(i, CHANGED("{\"a\":11}", "{\"a\":\"#\"}"));
        CHECK_NEXT(i, NULL);
    }
    for (; i < SESSION_CLIENTS; i++) {
        CHECK_NEXT(i, CHANGED("{\"a\":11}", "{\"a\":\"#\"}"));
        CHECK_NEXT(i, NULL);
    }
    session_end();
}

static void who_goes_while_waiting_is_passed_over(void)
{
    const mw_app descriptor = machine_descriptor();

    start(&descriptor, "[\"a\"]");
    set("{\"a\":10}");
    CHECK(app_turn(session.app, session.now_ns));
    session_leave(SESSION_CLIENTS - 1);
    session_turn();
    CHECK_INT(told(), ALWAYS);
    CHECK_INT(app_stats(session.app).watches, SESSION_CLIENTS - 2);
    session_end();
}

/* ---- one who watches much ------------------------------------------------------------------------------------------ */
enum { TEXTS = 8, TEXT_BYTES = 70000 /* one to a message */ };
struct library {
    mw_value text0, text1, text2, text3, text4, text5, text6, text7;
};
#define BOOK(n) {MW_FIELD(struct library, text##n), .kind = MW_TEXT, .marks = MW_EXPOSED}
static const mw_attribute books[TEXTS] = {BOOK(0), BOOK(1), BOOK(2), BOOK(3), BOOK(4), BOOK(5), BOOK(6), BOOK(7)};

/* The texts hold nothing while letter is 0. */
static void write_all(struct library *l, char letter)
{
    static char text[TEXT_BYTES];
    mw_value *at = &l->text0;
    int i;

    memset(text, letter, sizeof(text));
    for (i = 0; i < TEXTS; i++) {
        mw_release(at[i]);
        at[i] = letter ? mw_text_n(text, sizeof(text)) : mw_null();
    }
}

static int library_open(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    (void)instance, (void)ret_error;
    write_all(state, 'a');
    return 0;
}

static void library_close(mw_instance *instance, void *state)
{
    (void)instance;
    write_all(state, 0);
}

static int library_receive(mw_client *client, mw_value message)
{
    (void)message;
    write_all(mw_instance_state(mw_client_instance(client)), 'b');
    return 0;
}

static void what_one_is_to_be_told_in_many_messages_goes_on_in_the_next_turn(void)
{
    const mw_app descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "library", .state_bytes = sizeof(struct library),
                               .attributes = books, .attribute_count = MW_COUNT(books), .open = library_open, .close = library_close,
                               .receive = library_receive};
    struct app_options options = session_options(&descriptor);

    options.has_room = has_room;
    session_start_with(&options);
    session_connect_v1(0);
    session_connect(1, APP_MANNER_PLAIN);
    session_say(0, REQUEST("watch", "[\"text*\"]"));
    CHECK(fake_sink_next(&session.sinks[0]) != NULL);
    session_turn();
    session_say(1, "{}");
    room = 0;
    CHECK(app_turn(session.app, session.now_ns));
    CHECK_INT(session.sinks[0].count - session.sinks[0].read, ALWAYS);
    session_turn();
    CHECK_INT(session.sinks[0].count - session.sinks[0].read, TEXTS);
    session_end();
}

/* ---- many instances --------------------------------------------------------------------------------------------------- */
static void of_many_instances_those_that_came_later_have_their_turn_in_the_next(void)
{
    enum { CLIENTS = AT_ONCE + 44 };
    static struct fake_sink sinks[CLIENTS];
    mw_client *clients[CLIENTS];
    mw_app descriptor = machine_descriptor();
    size_t i;

    descriptor.instance = MW_INSTANCE_PER_CLIENT;
    descriptor.tick = machine_tick;
    descriptor.tick_ns = 1000000;
    session_start(&descriptor);
    for (i = 0; i < CLIENTS; i++)
        CHECK_INT(app_client_open(session.app, APP_MANNER_PLAIN, &fake_sink, &sinks[i], NULL, &clients[i], NULL), 0);
    session_turn();
    seen.ticks = 0;
    session.now_ns += 1000000;
    CHECK(app_turn(session.app, session.now_ns));
    CHECK_INT(seen.ticks, AT_ONCE);
    (void)app_turn(session.app, session.now_ns);
    CHECK_INT(seen.ticks, CLIENTS);
    for (i = 0; i < CLIENTS; i++)
        app_client_closed(clients[i]);
    session_end();
    for (i = 0; i < CLIENTS; i++)
        fake_sink_clear(&sinks[i]);
}

static const struct mw_test tests[] = {
    TEST(who_found_no_room_is_told_in_the_next_turn),
    TEST(all_are_told_in_one_turn_where_there_is_room),
    TEST(who_waited_is_told_what_it_is_by_then_and_the_others_after_that),
    TEST(who_goes_while_waiting_is_passed_over),
    TEST(what_one_is_to_be_told_in_many_messages_goes_on_in_the_next_turn),
    TEST(of_many_instances_those_that_came_later_have_their_turn_in_the_next),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
