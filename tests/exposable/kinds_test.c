/* Fields beyond plain numbers and texts: enums, choices, nested structs, arrays, mw_value fields, shared ones; and recording.
 * Not plain fields, those are attribute_test.c; not properties, those are property_test.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/exposable.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "check.h"

enum mode { MODE_OFF, MODE_AUTO = 3, MODE_MANUAL };

struct motor {
    double speed;
    enum mode mode;
};

struct plant {
    struct motor motor;
    uint8_t level;
    int16_t step;
    char colour[8];
    double samples[3];
    int64_t totals[2];
    bool doors[2];
    char names[2][6];
    enum mode modes[2];
    mw_value note, table, key;
    _Atomic double pressure;
};

static const mw_choice modes[] = {{"off", MODE_OFF}, {"auto", MODE_AUTO}, {"manual", MODE_MANUAL}};
static const mw_choice steps[] = {{.number = -1}, {.number = 0}, {.number = 1}};
static const mw_choice levels[] = {{"low", 0}, {"high", 255}};
static const mw_choice colours[] = {{.name = "red"}, {.name = "green"}};

#define ALL .marks = MW_EXPOSED
static const mw_attribute attributes[] = {
    {MW_FIELD(struct plant, motor.speed), .kind = MW_REAL, .range = MW_RANGE(0, 100), ALL},
    {MW_FIELD(struct plant, motor.mode), .kind = MW_TEXT, ALL, .choices = modes, .choice_count = MW_COUNT(modes)},
    {MW_FIELD(struct plant, level), .kind = MW_TEXT, .is_unsigned = true, ALL, .choices = levels, .choice_count = 2},
    {MW_FIELD(struct plant, step), .kind = MW_INT, ALL, .choices = steps, .choice_count = MW_COUNT(steps)},
    {MW_FIELD(struct plant, colour), .kind = MW_TEXT, ALL, .choices = colours, .choice_count = MW_COUNT(colours)},
    {MW_ARRAY(struct plant, samples), .kind = MW_REAL, .range = MW_RANGE(-1, 1), ALL},
    {MW_ARRAY(struct plant, totals), .kind = MW_INT, ALL},
    {MW_ARRAY(struct plant, doors), .kind = MW_BOOL, ALL},
    {MW_ARRAY(struct plant, names), .kind = MW_TEXT, ALL},
    {MW_ARRAY(struct plant, modes), .kind = MW_TEXT, ALL, .choices = modes, .choice_count = MW_COUNT(modes)},
    {MW_FIELD(struct plant, note), .kind = MW_TEXT, ALL, .max_bytes = 100},
    {MW_FIELD(struct plant, table), .kind = MW_MAP, ALL},
    {MW_FIELD(struct plant, key), .kind = MW_BYTES, ALL, .max_bytes = 5},
    {MW_FIELD(struct plant, pressure), .kind = MW_REAL, .read_only = true, ALL, .is_shared = true},
};

static struct plant plant;
static mw_exposable *e;

static void open_plant(void)
{
    struct mw_error error = {0};

    plant = (struct plant){.motor = {.speed = 12.5, .mode = MODE_AUTO}};
    CHECK_INT(mw_exposable_new(attributes, MW_COUNT(attributes), &plant, &e, &error), 0);
    CHECK_TEXT(error.text, "");
}

static void close_plant(void)
{
    mw_exposable_free(e);
    mw_release(plant.note);
    mw_release(plant.table);
    mw_release(plant.key);
}

static mw_value get(const char *name)
{
    return mw_expose_get(e, mw_text(name));
}

/* The value as JSON. */
static const char *shown(const char *name)
{
    static char text[256];
    mw_value value = get(name), json;

    json = mw_kind_of(value) == MW_LIST || mw_kind_of(value) == MW_MAP ? mw_format("{}", value) : mw_format("{}!", value);
    (void)snprintf(text, sizeof(text), "%s", mw_get_text(&json, NULL));
    mw_release(json);
    mw_release(value);
    return text;
}

static int set(const char *name, mw_value takes, struct mw_error *error)
{
    static const mw_policy *const marks[1] = {NULL};
    mw_view view = mw_view_of(e, marks, 1);
    int err = mw_view_set_one(&view, name, strlen(name), takes, error);

    mw_release(takes);
    return err;
}

static mw_value list_of(const mw_value *values, size_t count)
{
    mw_value list = mw_list_new();
    size_t i;

    for (i = 0; i < count; i++)
        CHECK_INT(mw_list_append(&list, values[i]), 0);
    return list;
}
#define LIST(...) list_of((const mw_value[]){__VA_ARGS__}, sizeof((const mw_value[]){__VA_ARGS__}) / sizeof(mw_value))

/* ---- nested, enums, choices ---------------------------------------------------------------------------- */
static void a_field_of_a_struct_inside_is_named_with_a_dot(void)
{
    struct mw_error error;

    open_plant();
    CHECK_TEXT(shown("motor.speed"), "12.5!");
    CHECK_INT(set("motor.speed", mw_int(40), NULL), 0);
    CHECK(plant.motor.speed == 40);
    CHECK_INT(set("motor.speed", mw_int(400), &error), -EINVAL);
    CHECK_TEXT(error.text, "motor.speed: not within 0 to 100");
    close_plant();
}

static void an_enum_is_read_and_set_by_its_names(void)
{
    struct mw_error error;

    open_plant();
    CHECK_TEXT(shown("motor.mode"), "auto!");
    CHECK_INT(set("motor.mode", mw_text("manual"), NULL), 0);
    CHECK_INT((int)plant.motor.mode, MODE_MANUAL);
    CHECK_INT(set("motor.mode", mw_text("Manual"), &error), -EINVAL);
    CHECK_TEXT(error.text, "motor.mode: one of off, auto, manual wanted");
    CHECK_INT(set("motor.mode", mw_int(3), &error), -EINVAL);
    CHECK_TEXT(error.text, "motor.mode: int given, text wanted");
    CHECK_INT(set("level", mw_text("high"), NULL), 0);
    CHECK_INT(plant.level, 255);
    CHECK_TEXT(shown("level"), "high!");
    close_plant();
}

static void a_number_that_no_name_of_an_enum_has_fails_and_stays_inside(void)
{
    static const mw_policy *const marks[1] = {NULL};
    struct mw_error error;
    mw_value value = mw_null();
    mw_view view;

    open_plant();
    view = mw_view_of(e, marks, 1);
    plant.motor.mode = (enum mode)2;
    CHECK_INT(mw_view_get_one(&view, "motor.mode", 10, &value, &error), -EIO);
    CHECK_TEXT(error.text, "motor.mode: holds 2, and none of its choices has that number");
    close_plant();
}

static void only_choices_are_taken(void)
{
    struct mw_error error;

    open_plant();
    CHECK_INT(set("step", mw_int(-1), NULL), 0);
    CHECK_INT(plant.step, -1);
    CHECK_INT(set("step", mw_int(2), &error), -EINVAL);
    CHECK_TEXT(error.text, "step: one of -1, 0, 1 wanted");
    CHECK_INT(set("colour", mw_text("green"), NULL), 0);
    CHECK_TEXT(plant.colour, "green");
    CHECK_INT(set("colour", mw_text("blue"), &error), -EINVAL);
    CHECK_TEXT(error.text, "colour: one of red, green wanted");
    close_plant();
}

static void a_look_finds_that_an_enum_differs(void)
{
    int index;
    int64_t before;

    open_plant();
    index = mw_exposable_find(e, "motor.mode", 10);
    before = mw_exposable_look(e, (size_t)index, NULL);
    CHECK(mw_exposable_look(e, (size_t)index, NULL) == before);
    plant.motor.mode = MODE_OFF;
    CHECK(mw_exposable_look(e, (size_t)index, NULL) == before + 1);
    close_plant();
}

/* ---- arrays ------------------------------------------------------------------------------------------------ */
static void an_array_is_a_list_of_as_many(void)
{
    struct mw_error error;

    open_plant();
    plant.samples[1] = 0.5;
    CHECK_TEXT(shown("samples"), "[0.0,0.5,0.0]");
    CHECK_INT(set("samples", LIST(mw_int(1), mw_real(0.25), mw_int(-1)), NULL), 0);
    CHECK(plant.samples[0] == 1 && plant.samples[1] == 0.25 && plant.samples[2] == -1);
    CHECK_INT(set("samples", LIST(mw_int(1), mw_int(1)), &error), -EINVAL);
    CHECK_TEXT(error.text, "samples: a list of 3 wanted");
    CHECK_INT(set("samples", mw_real(1), &error), -EINVAL);
    CHECK_TEXT(error.text, "samples: a list of 3 wanted");
    CHECK_INT(set("samples", LIST(mw_int(0), mw_int(0), mw_int(7)), &error), -EINVAL);
    CHECK_TEXT(error.text, "samples: not within -1 to 1");
    CHECK(plant.samples[0] == 1); /* all or none */
    close_plant();
}

static void an_array_of_each_kind_is_read_and_written(void)
{
    open_plant();
    CHECK_INT(set("doors", LIST(mw_bool(true), mw_bool(false)), NULL), 0);
    CHECK(plant.doors[0] && !plant.doors[1]);
    CHECK_TEXT(shown("doors"), "[true,false]");
    CHECK_INT(set("names", LIST(mw_text("ab"), mw_text("cdefg")), NULL), 0);
    CHECK_TEXT(plant.names[1], "cdefg");
    CHECK_TEXT(shown("names"), "[\"ab\",\"cdefg\"]");
    CHECK_INT(set("names", LIST(mw_text("ab"), mw_text("cdefgh")), NULL), -EINVAL);
    CHECK_INT(set("modes", LIST(mw_text("auto"), mw_text("off")), NULL), 0);
    CHECK_INT((int)plant.modes[0], MODE_AUTO);
    CHECK_TEXT(shown("modes"), "[\"auto\",\"off\"]");
    CHECK_INT(set("totals", LIST(mw_text("-9223372036854775808"), mw_int(5)), NULL), 0);
    CHECK(plant.totals[0] == INT64_MIN && plant.totals[1] == 5);
    close_plant();
}

static void large_ints_of_an_array_leave_as_text(void)
{
    const mw_value *seen = NULL;
    mw_value wire, text;
    int index;

    open_plant();
    plant.totals[0] = INT64_MAX;
    index = mw_exposable_find(e, "totals", 6);
    CHECK(mw_exposable_look(e, (size_t)index, &seen) > 0);
    wire = mw_attribute_wire(&attributes[index], *seen);
    text = mw_format("{}", wire);
    CHECK_TEXT(mw_get_text(&text, NULL), "[\"9223372036854775807\",0]");
    mw_release(wire);
    mw_release(text);
    close_plant();
}

static void looking_at_an_unchanged_array_allocates_nothing(void)
{
    int64_t revision;
    int index;

    open_plant();
    index = mw_exposable_find(e, "samples", 7);
    revision = mw_exposable_look(e, (size_t)index, NULL);
    (void)mw_memory_fail_at(0, false);
    CHECK(mw_exposable_look(e, (size_t)index, NULL) == revision);
    CHECK_INT(mw_memory_fail_at(0, false), 0); /* made since the last call */
    plant.samples[2] = 0.75;
    CHECK(mw_exposable_look(e, (size_t)index, NULL) == revision + 1);
    close_plant();
}

/* ---- mw_value fields ------------------------------------------------------------------------------------------ */
static void a_text_in_a_value_field_grows_up_to_its_bound(void)
{
    static const char text[] = "a text that is longer than what a value holds within itself, and than many arrays";
    struct mw_error error;
    char long_text[102];

    open_plant();
    CHECK_TEXT(shown("note"), "null!"); /* nothing yet */
    CHECK_INT(set("note", mw_text(text), NULL), 0);
    CHECK_TEXT(mw_get_text(&plant.note, NULL), text);
    CHECK_INT(set("note", mw_text("short"), NULL), 0); /* what was there is released */
    CHECK_TEXT(shown("note"), "short!");
    memset(long_text, 'x', 101);
    long_text[101] = '\0';
    CHECK_INT(set("note", mw_text(long_text), &error), -EINVAL);
    CHECK_TEXT(error.text, "note: 101 bytes are more than 100");
    CHECK_INT(set("note", mw_int(1), NULL), -EINVAL);
    close_plant();
}

static void bytes_are_set_by_a_text_in_base64_as_they_are_shown(void)
{
    static const struct {
        const char *text;
        size_t byte_count; /* of what it stands for */
        const char *bytes; /* NULL: refused */
    } rows[] = {
        {"", 0, ""},
        {"AA==", 1, "\0"},
        {"AP8=", 2, "\0\xff"},
        {"+/+/", 3, "\xfb\xff\xbf"},
        {"AAECAwQ=", 5, "\0\1\2\3\4"},
        {"AAECAwQF", 0, NULL},         /* six are more than it takes */
        {"AAECAwQFBgcICQo=", 0, NULL}, /* and so are eleven */
        {"AAE", 0, NULL},              /* not filled up */
        {"A===", 0, NULL},
        {"====", 0, NULL},
        {"AB==", 0, NULL}, /* bits that no byte has */
        {"AA=A", 0, NULL},
        {"AA-_", 0, NULL},
        {"AA A", 0, NULL},
        {"AA\xc3\xa4", 0, NULL},
    };
    struct mw_error error;
    size_t i, byte_count;

    open_plant();
    for (i = 0; i < MW_COUNT(rows); i++) {
        CHECK_INT(set("key", mw_text(rows[i].text), &error), rows[i].bytes ? 0 : -EINVAL);
        if (!rows[i].bytes)
            continue;
        CHECK_INT(mw_kind_of(plant.key), MW_BYTES);
        CHECK(memcmp(mw_get_text(&plant.key, &byte_count), rows[i].bytes, rows[i].byte_count) == 0);
        CHECK_INT((int)byte_count, (int)rows[i].byte_count);
    }
    CHECK_TEXT(error.text, "key: the text given is no base64 (RFC 4648 §4)");
    CHECK_INT(set("key", mw_text("AAECAwQF"), &error), -EINVAL);
    CHECK_TEXT(error.text, "key: 6 bytes are more than 5");
    CHECK_INT(set("key", mw_bytes("\1\2", 2), NULL), 0);
    close_plant();
}

static void a_map_in_a_value_field_is_set_as_a_whole(void)
{
    mw_value map = mw_map_new();
    int64_t before;
    int index;

    open_plant();
    index = mw_exposable_find(e, "table", 5);
    before = mw_exposable_look(e, (size_t)index, NULL);
    CHECK_INT(mw_map_set(&map, "a", mw_int(1)), 0);
    CHECK_INT(set("table", map, NULL), 0);
    CHECK_TEXT(shown("table"), "{\"a\":1}");
    CHECK(mw_exposable_revision(e, (size_t)index) == before + 1);
    CHECK_INT(set("table", mw_text("no map"), NULL), -EINVAL);
    close_plant();
}

static void what_a_value_field_must_not_hold_stays_inside(void)
{
    static const mw_policy *const marks[1] = {NULL};
    struct mw_error error;
    mw_value value = mw_null();
    mw_view view;

    open_plant();
    view = mw_view_of(e, marks, 1);
    plant.note = mw_int(5);
    CHECK_INT(mw_view_get_one(&view, "note", 4, &value, &error), -EIO);
    CHECK_TEXT(error.text, "note: its field holds a value of kind int, declared is text");
    plant.note = mw_null();
    plant.table = mw_map_new();
    CHECK_INT(mw_map_set(&plant.table, "p", mw_opaque(&plant, NULL)), 0);
    CHECK_INT(mw_view_get_one(&view, "table", 5, &value, &error), -EIO);
    CHECK_TEXT(error.text, "table: holds a pointer");
    close_plant();
}

/* ---- shared, recorded --------------------------------------------------------------------------------------------- */
static void *press(void *context)
{
    int i;

    (void)context;
    for (i = 1; i <= 1000; i++)
        atomic_store(&plant.pressure, (double)i);
    return NULL;
}

static void a_shared_field_is_read_while_another_thread_writes_it(void)
{
    pthread_t thread;
    double last = 0;

    open_plant();
    CHECK_INT(pthread_create(&thread, NULL, press, NULL), 0);
    while (last < 1000) {
        mw_value value = get("pressure");

        CHECK(value.as.real >= last);
        last = value.as.real;
    }
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(set("pressure", mw_real(1), NULL), -EROFS);
    close_plant();
}

static int refuse_all(void *object, const mw_attribute *attribute, mw_value borrows, struct mw_error *ret_error)
{
    (void)object, (void)attribute, (void)borrows, (void)ret_error;
    return -EBUSY;
}

static void the_program_records_past_setter_and_read_only(void)
{
    static const mw_attribute recorded[] = {
        {MW_FIELD(struct motor, speed), .kind = MW_REAL, .set = refuse_all, .range = MW_RANGE(0, 10)},
        {MW_FIELD(struct motor, mode), .kind = MW_TEXT, .read_only = true, .choices = modes, .choice_count = 3},
        {.name = "property", .kind = MW_INT, .set = refuse_all},
    };
    struct motor motor = {0};
    struct mw_error error;
    int64_t before;

    CHECK_INT(mw_exposable_new(recorded, 3, &motor, &e, NULL), 0);
    before = mw_exposable_look(e, 0, NULL);
    CHECK_INT(mw_exposable_record(e, 0, mw_real(2.5), NULL), 0);
    CHECK(motor.speed == 2.5);
    CHECK(mw_exposable_revision(e, 0) == before + 1);
    CHECK_INT(mw_exposable_record(e, 1, mw_text("auto"), NULL), 0);
    CHECK_INT((int)motor.mode, MODE_AUTO);
    CHECK_INT(mw_exposable_record(e, 0, mw_real(11), &error), -EINVAL);
    CHECK_TEXT(error.text, "speed: not within 0 to 10");
    CHECK_INT(mw_exposable_record(e, 2, mw_int(1), &error), -EROFS);
    CHECK_TEXT(error.text, "property: has no field to record a value in");
    CHECK_INT(mw_exposable_record(e, 3, mw_int(1), NULL), -EINVAL);
    mw_exposable_free(e);
}

/* ---- wrong tables ---------------------------------------------------------------------------------------------------- */
static void a_wrong_declaration_is_refused_with_the_reason(void)
{
    static const mw_choice twice[] = {{"a", 1}, {"a", 2}}, same[] = {{"a", 1}, {"b", 1}}, nameless[] = {{"", 0}},
                           large[] = {{"a", 300}}, long_name[] = {{.name = "ultramarine"}};
    const struct {
        mw_attribute a;
        const char *want;
    } rows[] = {
        {{MW_FIELD(struct plant, level), .kind = MW_TEXT}, "attribute 'level': its field is an integer: .kind = MW_INT (MW_BOOL "
         "for a bool; MW_TEXT and .choices for an enum)"},
        {{MW_FIELD(struct plant, level), .kind = MW_TEXT, .choices = twice, .choice_count = 2},
         "attribute 'level': two choices have the same name"},
        {{MW_FIELD(struct plant, level), .kind = MW_TEXT, .choices = same, .choice_count = 2},
         "attribute 'level': two choices have the same number"},
        {{MW_FIELD(struct plant, level), .kind = MW_TEXT, .choices = nameless, .choice_count = 1},
         "attribute 'level': a choice has no name, or none that is UTF-8"},
        {{MW_FIELD(struct plant, level), .kind = MW_TEXT, .choices = large, .choice_count = 1},
         "attribute 'level': a choice's number does not fit the field"},
        {{MW_FIELD(struct plant, level), .kind = MW_INT, .choice_count = 1},
         "attribute 'level': choice_count is set, but there are no choices"},
        {{MW_FIELD(struct plant, motor.speed), .kind = MW_REAL, .choices = steps, .choice_count = 3},
         "attribute 'motor.speed': choices are for text and int"},
        {{MW_FIELD(struct plant, colour), .kind = MW_TEXT, .choices = long_name, .choice_count = 1},
         "attribute 'colour': a choice is too long for the field"},
        {{MW_FIELD(struct plant, note), .kind = MW_INT},
         "attribute 'note': its field is an mw_value: for text, bytes, list and map"},
        {{MW_FIELD(struct plant, samples), .kind = MW_REAL},
         "attribute 'samples': its field is a pointer, a struct or an array: write MW_ARRAY for an array; a text is a char "
         "array or an mw_value, all else needs a getter and no field"},
        {{MW_ARRAY(struct plant, samples), .kind = MW_REAL, .is_shared = true},
         "attribute 'samples': is_shared is for a field that is one bool, int or real, read without a getter"},
        {{.name = "x", .offset = 1, .field_bytes = 4, .kind = MW_INT, .is_shared = true},
         "attribute 'x': is_shared needs a field that is aligned"},
        {{.name = "x", .field_bytes = 4, .field_class = MW_FIELD_UNSIGNED | MW_FIELD_ATOMIC, .kind = MW_INT},
         "attribute 'x': its field is an atomic: .is_shared = true, or a getter and a setter (or read_only) that know how"},
        {{.name = "x", .field_bytes = 4, .field_class = MW_FIELD_REAL | MW_FIELD_ATOMIC, .kind = MW_INT, .is_shared = true},
         "attribute 'x': its field is a float or a double: .kind = MW_REAL"},
        {{MW_FIELD(struct plant, level), .kind = MW_INT, .is_unsigned = true, .look_ns = 1000},
         "attribute 'level': look_ns is at least 1000000 (1 ms), for what can be read; 0: after turns alone"},
        {{MW_FIELD(struct plant, level), .kind = MW_INT, .max_bytes = 5},
         "attribute 'level': max_bytes are for text and bytes"},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        struct mw_error error = {0};

        CHECK_INT(mw_exposable_new(&rows[i].a, 1, &plant, &e, &error), -EINVAL);
        CHECK_TEXT(error.text, rows[i].want);
    }
}

static void every_allocation_may_fail_and_leaves_an_array_and_a_value_as_they_were(void)
{
    int64_t n;
    int err = -ENOMEM;

    open_plant();
    CHECK_INT(set("note", mw_text("a note that is too long to lie within a value itself"), NULL), 0);
    for (n = 1; err == -ENOMEM; n++) {
        mw_value list = LIST(mw_int(1), mw_int(1), mw_int(1));

        (void)mw_memory_fail_at(n, false);
        err = set("samples", list, NULL);
        (void)mw_memory_fail_at(0, false);
        CHECK(plant.samples[0] == (err == 0 ? 1.0 : 0.0));
    }
    CHECK(n > 2);
    CHECK_INT(err, 0);
    close_plant();
}

static const struct mw_test tests[] = {
    TEST(a_field_of_a_struct_inside_is_named_with_a_dot),
    TEST(an_enum_is_read_and_set_by_its_names),
    TEST(a_number_that_no_name_of_an_enum_has_fails_and_stays_inside),
    TEST(only_choices_are_taken),
    TEST(a_look_finds_that_an_enum_differs),
    TEST(an_array_is_a_list_of_as_many),
    TEST(an_array_of_each_kind_is_read_and_written),
    TEST(large_ints_of_an_array_leave_as_text),
    TEST(looking_at_an_unchanged_array_allocates_nothing),
    TEST(a_text_in_a_value_field_grows_up_to_its_bound),
    TEST(bytes_are_set_by_a_text_in_base64_as_they_are_shown),
    TEST(a_map_in_a_value_field_is_set_as_a_whole),
    TEST(what_a_value_field_must_not_hold_stays_inside),
    TEST(a_shared_field_is_read_while_another_thread_writes_it),
    TEST(the_program_records_past_setter_and_read_only),
    TEST(a_wrong_declaration_is_refused_with_the_reason),
    TEST(every_allocation_may_fail_and_leaves_an_array_and_a_value_as_they_were),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
