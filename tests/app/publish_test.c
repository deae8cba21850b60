/* What other threads say of attributes, each change told, attributes that are looked at again, how the kinds travel.
 * Not watches in general; those are watch_test.c.
 * SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>

#include "app/session.h"

enum mode { MODE_OFF, MODE_AUTO = 3 };

struct plant {
    int64_t count;
    double reading;
    enum mode mode;
    double samples[2];
    mw_value note;
    _Atomic int32_t pressure;
    int64_t clock_ns;
};

static const mw_choice modes[] = {{"off", MODE_OFF}, {"auto", MODE_AUTO}};
static _Atomic double guarded; /* behind the property */

static int guarded_get(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error)
{
    (void)object, (void)attribute, (void)ret_error;
    *ret = mw_real(atomic_load(&guarded));
    return 0;
}

static int clock_get(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error)
{
    (void)object, (void)attribute, (void)ret_error;
    *ret = mw_int(session.now_ns / 1000000);
    return 0;
}

static const mw_attribute plant_attributes[] = {
    {MW_FIELD(struct plant, count), .kind = MW_INT, .range = MW_RANGE(0, 1e6), .marks = MW_EXPOSED},
    {MW_FIELD(struct plant, reading), .kind = MW_REAL, .read_only = true, .marks = MW_GETTABLE},
    {MW_FIELD(struct plant, mode), .kind = MW_TEXT, .marks = MW_EXPOSED, .choices = modes, .choice_count = 2},
    {MW_ARRAY(struct plant, samples), .kind = MW_REAL, .unit = "V", .range = MW_RANGE(0, 5), .marks = MW_EXPOSED},
    {MW_FIELD(struct plant, note), .kind = MW_TEXT, .max_bytes = 100, .marks = MW_EXPOSED},
    {MW_FIELD(struct plant, pressure), .kind = MW_INT, .is_shared = true, .marks = MW_GETTABLE},
    {.name = "guarded", .kind = MW_REAL, .get = guarded_get, .marks = MW_GETTABLE},
    {.name = "clock", .kind = MW_INT, .get = clock_get, .look_ns = 1000000000, .marks = MW_GETTABLE},
};

static mw_instance *instance;
static struct plant *plant;

static int plant_open(mw_instance *opened, void *state, struct mw_error *ret_error)
{
    (void)ret_error;
    instance = opened;
    plant = state;
    return 0;
}

static void plant_close(mw_instance *closed, void *state)
{
    (void)closed;
    mw_release(((struct plant *)state)->note);
}

static void start(size_t clients)
{
    const mw_app descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "plant", .state_bytes = sizeof(struct plant),
                               .attributes = plant_attributes, .attribute_count = MW_COUNT(plant_attributes),
                               .open = plant_open, .close = plant_close};
    size_t i;

    session_start(&descriptor);
    for (i = 0; i < clients; i++)
        session_connect_v1(i);
}

static void watch(size_t at, const char *params)
{
    char request[512];

    (void)snprintf(request, sizeof(request), REQUEST("watch", "%s"), params);
    session_say(at, request);
    CHECK(fake_sink_next(&session.sinks[at]) != NULL);
}

/* ---- publications ------------------------------------------------------------------------------------------ */
static void what_is_published_is_written_and_told(void)
{
    int wakes;

    start(1);
    watch(0, "[\"reading\"]");
    session_turn();
    wakes = session.wakes;
    CHECK_INT(mw_publish(instance, "reading", mw_real(20.5)), 0);
    CHECK(session.wakes > wakes);
    CHECK(plant->reading == 0); /* not on this thread */
    session_turn();
    CHECK(plant->reading == 20.5);
    CHECK_NEXT(0, CHANGED("{\"reading\":20.5}", "{\"reading\":\"#\"}"));
    session_end();
}

static void what_cannot_be_published_is_said_to_the_thread_that_tried(void)
{
    mw_value map = mw_map_new();

    start(0);
    CHECK_INT(mw_publish(instance, "nothing", mw_int(1)), -ENOENT);
    CHECK_INT(mw_publish(instance, NULL, mw_int(1)), -ENOENT);
    CHECK_INT(mw_publish(instance, "guarded", mw_real(1)), -EROFS);
    CHECK_INT(mw_publish(instance, "count", mw_text("1x")), -EINVAL);
    CHECK_INT(mw_publish(instance, "count", mw_int(2000000)), -EINVAL);
    CHECK_INT(mw_publish(instance, "mode", mw_text("fast")), -EINVAL);
    CHECK_INT(mw_map_set(&map, "a", mw_text("a text that lies on the heap, to be released whatever happens")), 0);
    CHECK_INT(mw_publish(instance, "note", map), -EINVAL);
    CHECK_INT(mw_changed(instance, "nothing"), -ENOENT);
    session_end();
}

static void publications_are_bounded_and_none_that_was_accepted_is_lost(void)
{
    int64_t accepted = 0;

    start(0);
    while (mw_publish(instance, "count", mw_int(accepted + 1)) == 0)
        accepted++;
    CHECK_INT(accepted, 1024);
    CHECK_INT(mw_publish(instance, "note", mw_text("a text that lies on the heap and finds no room")), -EAGAIN);
    session_turn();
    CHECK_INT(plant->count, accepted);
    CHECK_INT(mw_publish(instance, "count", mw_int(7)), 0);
    session_turn();
    CHECK_INT(plant->count, 7);
    session_end();
}

#define EACH_THREAD 2000
static void *publish_from_a_thread(void *context)
{
    int64_t i = 0;

    (void)context;
    while (i < EACH_THREAD)
        if (mw_publish(instance, "count", mw_int(i + 1)) == 0)
            i++;
    return NULL;
}

static void two_threads_publish_while_the_mesh_runs(void)
{
    pthread_t threads[2];
    int64_t first;
    size_t i;

    start(0);
    first = mw_exposable_look(mw_instance_exposable(instance), 0, NULL);
    for (i = 0; i < 2; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, publish_from_a_thread, NULL), 0);
    while (mw_exposable_revision(mw_instance_exposable(instance), 0) < first + EACH_THREAD)
        session_turn();
    for (i = 0; i < 2; i++) {
        while (pthread_tryjoin_np(threads[i], NULL) != 0)
            session_turn();
    }
    session_turn();
    CHECK_INT(plant->count, EACH_THREAD);
    session_end();
}

static void each_publication_is_told_to_who_wants_each_and_the_newest_to_others(void)
{
    start(2);
    watch(0, "{\"names\":[\"count\"],\"mode\":\"all\"}");
    watch(1, "[\"count\"]");
    session_turn();
    CHECK_INT(mw_publish(instance, "count", mw_int(1)), 0);
    CHECK_INT(mw_publish(instance, "count", mw_int(2)), 0);
    CHECK_INT(mw_publish(instance, "count", mw_int(3)), 0);
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"count\":1}", "{\"count\":\"#\"}"));
    CHECK_NEXT(0, CHANGED("{\"count\":2}", "{\"count\":\"#\"}"));
    CHECK_NEXT(0, CHANGED("{\"count\":3}", "{\"count\":\"#\"}"));
    CHECK_NEXT(0, NULL);
    CHECK_NEXT(1, CHANGED("{\"count\":3}", "{\"count\":\"#\"}"));
    CHECK_NEXT(1, NULL);
    session_end();
}

static void each_set_of_a_batch_is_told_to_who_wants_each(void)
{
    start(3);
    watch(0, "{\"names\":[\"count\",\"mode\"],\"mode\":\"all\"}");
    watch(1, "[\"count\"]");
    session_turn();
    session_say(2, "[" REQUEST("setAttr", "{\"count\":1}") "," REQUEST("setAttr", "{\"count\":2}") "]");
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"count\":1}", "{\"count\":\"#\"}"));
    CHECK_NEXT(0, CHANGED("{\"count\":2}", "{\"count\":\"#\"}"));
    CHECK_NEXT(0, NULL);
    CHECK_NEXT(1, CHANGED("{\"count\":2}", "{\"count\":\"#\"}"));
    watch(0, "{\"names\":[\"count\"],\"mode\":\"latest\"}"); /* from now on only the newest */
    session_turn();
    session_say(2, "[" REQUEST("setAttr", "{\"count\":3}") "," REQUEST("setAttr", "{\"count\":4}") "]");
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"count\":4}", "{\"count\":\"#\"}"));
    CHECK_NEXT(0, NULL);
    session_end();
}

static void who_may_no_longer_read_is_told_no_publication(void)
{
    start(1);
    watch(0, "{\"names\":[\"count\"],\"mode\":\"all\"}");
    session_turn();
    mw_unexpose(mw_instance_exposable(instance), "count", MW_GETTABLE);
    CHECK_INT(mw_publish(instance, "count", mw_int(1)), 0);
    session_turn();
    CHECK_NEXT(0, "{\"jsonrpc\":\"2.0\",\"method\":\"rights\",\"params\":\"*\"}");
    CHECK_NEXT(0, NULL);
    session_end();
}

static void what_a_getter_reads_is_looked_at_when_a_thread_says_so(void)
{
    start(1);
    atomic_store(&guarded, 0);
    watch(0, "[\"guarded\"]");
    session_turn();
    atomic_store(&guarded, 4.5);
    CHECK_INT(mw_changed(instance, "guarded"), 0);
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"guarded\":4.5}", "{\"guarded\":\"#\"}"));
    session_end();
}

/* ---- looked at again ------------------------------------------------------------------------------------------- */
static void a_shared_attribute_that_is_watched_is_looked_at_each_100_ms(void)
{
    start(1);
    session_turn();
    CHECK(app_next_deadline(session.app) == MW_FOREVER);
    watch(0, "[\"pressure\"]");
    session_turn();
    CHECK(app_next_deadline(session.app) == session.now_ns + INT64_C(100000000));
    atomic_store(&plant->pressure, 7);
    session.now_ns = app_next_deadline(session.app);
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"pressure\":7}", "{\"pressure\":\"#\"}"));
    session_say(0, REQUEST("unwatch", "[]"));
    session_turn();
    CHECK(app_next_deadline(session.app) == MW_FOREVER);
    session_end();
}

static void an_attribute_says_how_often_to_look_at_it(void)
{
    start(1);
    watch(0, "[\"clock\"]");
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"clock\":\"#\"}", "{\"clock\":\"#\"}"));
    CHECK(app_next_deadline(session.app) == session.now_ns + INT64_C(1000000000));
    session.now_ns = app_next_deadline(session.app);
    session_turn();
    CHECK_NEXT(0, CHANGED("{\"clock\":\"#\"}", "{\"clock\":\"#\"}"));
    session_end();
}

/* ---- how the kinds travel ------------------------------------------------------------------------------------- */
static void enums_arrays_and_texts_travel_by_name_list_and_text(void)
{
    start(1);
    plant->mode = MODE_AUTO;
    plant->samples[1] = 0.5;
    session_say(0, REQUEST("getAttr", "[\"mode\",\"samples\",\"note\"]"));
    CHECK_NEXT(0, RESULT("{\"values\":{\"mode\":\"auto\",\"samples\":[0.0,0.5],\"note\":null},\"revs\":\"*\",\"errors\":{}}"));
    session_say(0, REQUEST("setAttr", "{\"mode\":\"off\",\"samples\":[1,2],\"note\":\"a text of any length up to its bound\"}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{\"mode\":\"#\",\"samples\":\"#\",\"note\":\"#\"},\"errors\":{}}"));
    CHECK(plant->mode == MODE_OFF && plant->samples[1] == 2);
    session_say(0, REQUEST("setAttr", "{\"mode\":\"fast\",\"samples\":[1,9]}"));
    CHECK_NEXT(0, RESULT("{\"revs\":{},\"errors\":{\"mode\":\"invalid\",\"samples\":\"invalid\"},\"details\":{\"mode\":\"mode: one of "
                         "off, auto wanted\",\"samples\":\"samples: not within 0 to 5 V\"}}"));
    session_end();
}

static void describe_tells_choices_lists_and_bounds(void)
{
    start(1);
    session_say(0, REQUEST("describe", "[]"));
    CHECK_NEXT(0, RESULT("{\"attributes\":{\"count\":{\"kind\":\"int64\",\"min\":0,\"max\":1000000,\"rights\":\"get set\"},"
                         "\"reading\":{\"kind\":\"real\",\"rights\":\"get\"},"
                         "\"mode\":{\"kind\":\"text\",\"choices\":[\"off\",\"auto\"],\"rights\":\"get set\"},"
                         "\"samples\":{\"kind\":\"list\",\"count\":2,\"of\":\"real\",\"unit\":\"V\",\"min\":0.0,\"max\":5.0,"
                         "\"rights\":\"get set\"},"
                         "\"note\":{\"kind\":\"text\",\"max_bytes\":100,\"rights\":\"get set\"},"
                         "\"pressure\":{\"kind\":\"int\",\"rights\":\"get\"},"
                         "\"guarded\":{\"kind\":\"real\",\"rights\":\"get\"},\"clock\":{\"kind\":\"int64\",\"rights\":\"get\"}},"
                         "\"commands\":{},\"tasklets\":{}}"));
    session_end();
}

static const struct mw_test tests[] = {
    TEST(what_is_published_is_written_and_told),
    TEST(what_cannot_be_published_is_said_to_the_thread_that_tried),
    TEST(publications_are_bounded_and_none_that_was_accepted_is_lost),
    TEST(two_threads_publish_while_the_mesh_runs),
    TEST(each_publication_is_told_to_who_wants_each_and_the_newest_to_others),
    TEST(each_set_of_a_batch_is_told_to_who_wants_each),
    TEST(who_may_no_longer_read_is_told_no_publication),
    TEST(what_a_getter_reads_is_looked_at_when_a_thread_says_so),
    TEST(a_shared_attribute_that_is_watched_is_looked_at_each_100_ms),
    TEST(an_attribute_says_how_often_to_look_at_it),
    TEST(enums_arrays_and_texts_travel_by_name_list_and_text),
    TEST(describe_tells_choices_lists_and_bounds),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
