/* Properties: what getters and setters may do; and which tables of attributes are sound.
 * Not the values of fields; those are attribute_test.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>

#include "exposable/machine.h"

/* ---- properties --------------------------------------------------------------------------------------- */
/* A property of a machine whose getter gives what .d selects: what getters may and may not give out. */
static int odd_getter(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error)
{
    const struct machine *m = object;
    mw_value v;
    int i;

    (void)attribute;
    switch (m->i8) {
    case 0:
        *ret = mw_int(7);
        return 0;
    case 1:
        *ret = mw_text("seven");
        return 0;
    case 2:
        return mw_fail(ret_error, -EACCES, "the sensor is locked");
    case 3:
        return -ETIMEDOUT;
    case 4:
        *ret = mw_opaque((void *)(uintptr_t)m, NULL);
        return 0;
    case 5:
        *ret = mw_null();
        return 0;
    case 6:
        *ret = mw_real(7.0);
        return 0;
    default:
        v = mw_text("x");
        for (i = 0; i < m->i8; i++) {
            mw_value outer = mw_list_new();

            (void)mw_list_append(&outer, v);
            v = outer;
        }
        *ret = v;
        return 0;
    }
}

static int give_and_fail(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error)
{
    (void)object, (void)attribute;
    *ret = mw_text("what it had before it failed, too long to lie inside a value");
    return mw_fail(ret_error, -ETIMEDOUT, "no answer");
}

static void what_a_getter_gave_before_it_failed_is_released(void)
{
    const mw_attribute a = {.name = "p", .kind = MW_TEXT, .get = give_and_fail, ALL};
    mw_exposable *e = NULL;
    mw_view view;
    mw_value v = mw_null();
    int64_t blocks;

    CHECK_INT(mw_exposable_new(&a, 1, NULL, &e, NULL), 0);
    view = mw_view_of(e, marked, 1);
    CHECK_INT(mw_view_get_one(&view, "p", 1, &v, NULL), -ETIMEDOUT);
    blocks = mw_memory_stats().live_blocks;
    CHECK_INT(mw_view_get_one(&view, "p", 1, &v, NULL), -ETIMEDOUT);
    CHECK_INT(mw_memory_stats().live_blocks, blocks);
    CHECK_INT(mw_kind_of(v), MW_NULL);
    mw_exposable_free(e);
}

static void a_getter_gives_its_declared_kind_or_fails(void)
{
    struct machine m = {0};
    const mw_attribute a = {.name = "p", .kind = MW_INT, .get = odd_getter, ALL};
    mw_exposable *e = NULL;
    mw_view view;
    mw_value v = mw_null();
    struct mw_error error;

    CHECK_INT(mw_exposable_new(&a, 1, &m, &e, NULL), 0);
    view = mw_view_of(e, marked, 1);
    CHECK_INT(get(e, "p").as.integer, 7);
    m.i8 = 6;
    CHECK_INT(mw_kind_of(get(e, "p")), MW_INT);
    m.i8 = 5; /* no value just now */
    CHECK_INT(mw_kind_of(get(e, "p")), MW_NULL);
    m.i8 = 1;
    CHECK_INT(mw_view_get_one(&view, "p", 1, &v, &error), -EIO);
    CHECK_TEXT(error.text, "p: its getter gave a value of kind text, declared is int");
    m.i8 = 4;
    CHECK_INT(mw_view_get_one(&view, "p", 1, &v, &error), -EIO);
    m.i8 = 2; /* a getter's own code cannot pass for a denial */
    CHECK_INT(mw_view_get_one(&view, "p", 1, &v, &error), -EIO);
    CHECK_TEXT(error.text, "the sensor is locked");
    m.i8 = 3;
    CHECK_INT(mw_view_get_one(&view, "p", 1, &v, &error), -ETIMEDOUT);
    CHECK(strncmp(error.text, "p: the getter failed: ", 22) == 0);
    CHECK_INT(mw_kind_of(v), MW_NULL);
    mw_exposable_free(e);
}

static void a_list_goes_out_unless_a_pointer_or_too_much_depth_is_inside(void)
{
    struct machine m = {.i8 = 64};
    const mw_attribute a = {.name = "p", .kind = MW_LIST, .get = odd_getter, ALL};
    mw_exposable *e = NULL;
    mw_view view;
    mw_value v = mw_null();
    struct mw_error error;

    CHECK_INT(mw_exposable_new(&a, 1, &m, &e, NULL), 0);
    view = mw_view_of(e, marked, 1);
    v = get(e, "p");
    CHECK_INT(mw_kind_of(v), MW_LIST);
    mw_release(v);
    m.i8 = 65;
    CHECK_INT(mw_view_get_one(&view, "p", 1, &v, &error), -EIO);
    CHECK_TEXT(error.text, "p: is nested deeper than 64 levels");
    mw_exposable_free(e);
}

static int deep_getter(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error)
{
    mw_value list = mw_list_new(), map = mw_map_new();

    (void)attribute, (void)ret_error;
    (void)mw_list_append(&list, mw_list_new());
    (void)mw_list_append(&list, mw_map_new());
    (void)mw_map_set(&map, "fine", mw_int(1));
    (void)mw_map_set(&map, "list", list);
    if (*(const int *)object == 1)
        (void)mw_map_set(&map, "pointer", mw_opaque(ret, NULL));
    if (*(const int *)object == 2)
        (void)mw_map_set_n(&map, "\xff", 1, mw_int(1));
    if (*(const int *)object == 3)
        (void)mw_map_set(&map, "text", mw_text_n("\xff", 1));
    if (*(const int *)object == 4) {
        mw_release(map);
        map = mw_null();
        map.kind = MW_MISSING;
    }
    *ret = map;
    return 0;
}

static void a_map_goes_out_only_if_all_inside_it_can(void)
{
    int which = 0;
    const mw_attribute a = {.name = "p", .kind = MW_MAP, .get = deep_getter, ALL};
    mw_exposable *e = NULL;
    mw_view view;
    mw_value v = mw_null();

    CHECK_INT(mw_exposable_new(&a, 1, &which, &e, NULL), 0);
    view = mw_view_of(e, marked, 1);
    v = get(e, "p");
    CHECK_INT(mw_map_count(v), 2);
    mw_release(v);
    for (which = 1; which <= 3; which++)
        CHECK_INT(mw_view_get_one(&view, "p", 1, &v, NULL), -EIO);
    CHECK_INT(mw_view_get_one(&view, "p", 1, &v, NULL), -ENOMEM); /* 4: its memory ran out */
    CHECK_INT(mw_kind_of(mw_view_get(&view, mw_text("p"))), MW_MISSING);
    mw_exposable_free(e);
}

static int picky_setter(void *object, const mw_attribute *attribute, mw_value borrows, struct mw_error *ret_error)
{
    int64_t *count = object;

    CHECK_INT(mw_kind_of(borrows), attribute->kind);
    ++*count;
    if (borrows.as.real == 1)
        return mw_fail(ret_error, -EINVAL, "one is taken");
    if (borrows.as.real == 2)
        return -EACCES;
    return 0;
}

static void a_setter_may_refuse_with_a_reason(void)
{
    int64_t calls = 0;
    const mw_attribute a = {.name = "p", .kind = MW_REAL, .set = picky_setter, .range = MW_RANGE(0, 10), ALL};
    mw_exposable *e = NULL;
    struct mw_error error;

    CHECK_INT(mw_exposable_new(&a, 1, &calls, &e, NULL), 0);
    CHECK_INT(set(e, "p", mw_int(3), NULL), 0); /* comes as a real */
    CHECK_INT(set(e, "p", mw_real(1), &error), -EINVAL);
    CHECK_TEXT(error.text, "one is taken");
    CHECK_INT(set(e, "p", mw_real(2), &error), -EIO);
    CHECK(strncmp(error.text, "p: the setter failed: ", 22) == 0);
    CHECK_INT(calls, 3);
    CHECK_INT(set(e, "p", mw_real(11), NULL), -EINVAL);
    CHECK_INT(calls, 3); /* what is out of range does not reach it */
    mw_exposable_free(e);
}

static void what_an_attribute_offers_is_known(void)
{
    static const struct {
        mw_attribute a;
        int want;
    } rows[] = {
        {{.kind = MW_INT, .field_bytes = 4}, MW_EXPOSED},
        {{.kind = MW_INT, .field_bytes = 4, .read_only = true}, MW_GETTABLE},
        {{.kind = MW_INT, .get = odd_getter}, MW_GETTABLE},
        {{.kind = MW_INT, .set = picky_setter}, MW_SETTABLE},
        {{.kind = MW_INT, .get = odd_getter, .set = picky_setter}, MW_EXPOSED},
        {{.kind = MW_INT, .get = odd_getter, .set = picky_setter, .read_only = true}, MW_GETTABLE},
        {{.kind = MW_INT, .set = picky_setter, .read_only = true}, 0},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++)
        CHECK_INT(mw_attribute_offers(&rows[i].a), rows[i].want);
}

/* ---- tables -------------------------------------------------------------------------------------------- */
static void a_wrong_table_is_refused_with_the_attribute_and_the_reason(void)
{
    static char long_name[258];
    const struct {
        mw_attribute a;
        const char *want;
    } rows[] = {
        {{.name = "x", .field_bytes = 4}, "attribute 'x': kind is left out"},
        {{.name = "x", .field_bytes = 4, .kind = MW_OPAQUE}, "attribute 'x': kind is none that can go out"},
        {{.name = "x", .field_bytes = 4, .kind = (enum mw_kind)99}, "attribute 'x': kind is none that can go out"},
        {{.name = "x", .field_bytes = 3, .kind = MW_INT}, "attribute 'x': an int field has 1, 2, 4 or 8 bytes"},
        {{.name = "x", .field_bytes = 16, .kind = MW_REAL}, "attribute 'x': a real field is a float or a double"},
        {{.name = "x", .field_bytes = 4, .kind = MW_BOOL}, "attribute 'x': a bool field is a C bool"},
        {{.name = "x", .field_bytes = 1, .kind = MW_TEXT},
         "attribute 'x': a text field has room for a character and its NUL"},
        {{.name = "x", .field_bytes = 8, .kind = MW_LIST},
         "attribute 'x': a field is a bool, int, real or text, or an mw_value; others need a getter and no field"},
        {{.name = "x", .kind = MW_INT}, "attribute 'x': has neither field nor getter nor setter"},
        {{.name = "x", .kind = MW_INT, .set = picky_setter, .read_only = true},
         "attribute 'x': can be neither read nor written"},
        {{.name = "x", .kind = MW_TEXT, .field_bytes = 8, .is_unsigned = true},
         "attribute 'x': is_unsigned is for int fields, and enums of 1, 2 or 4 bytes"},
        {{.name = "x", .kind = MW_TEXT, .field_bytes = 8, .range = MW_RANGE(0, 1)},
         "attribute 'x': a range is for int and real"},
        {{.name = "x", .kind = MW_INT, .field_bytes = 8, .range = MW_RANGE(2, 1)}, "attribute 'x': its range is empty"},
        {{.name = "x", .kind = MW_REAL, .field_bytes = 8, .range = MW_RANGE(0, (double)NAN)},
         "attribute 'x': its range is empty"},
        {{.name = "x", .kind = MW_REAL, .field_bytes = 8, .marks = MW_CALLABLE},
         "attribute 'x': marks may be MW_GETTABLE and MW_SETTABLE"},
        {{.name = NULL, .kind = MW_INT, .field_bytes = 4}, "attribute 0: its name '' is empty"},
        {{.name = "", .kind = MW_INT, .field_bytes = 4}, "attribute 0: its name '' is empty"},
        {{.name = "a b", .kind = MW_INT, .field_bytes = 4}, "attribute 0: its name 'a b' holds a space"},
        {{.name = "a/b", .kind = MW_INT, .field_bytes = 4}, "attribute 0: its name 'a/b' holds one of , / @ = * [ ]"},
        {{.name = "a\nb", .kind = MW_INT, .field_bytes = 4},
         "attribute 0: its name 'a?b' holds a control character"},
        {{.name = "a\xff", .kind = MW_INT, .field_bytes = 4}, "attribute 0: its name 'a?' is no UTF-8"},
        {{.name = long_name, .kind = MW_INT, .field_bytes = 4},
         "attribute 0: its name 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...' is longer than 256 "
         "bytes"},
    };
    int64_t object[2] = {0};
    size_t i;

    memset(long_name, 'n', 257);
    for (i = 0; i < MW_COUNT(rows); i++) {
        mw_exposable *e = NULL;
        struct mw_error error = {0};

        CHECK_INT(mw_exposable_new(&rows[i].a, 1, object, &e, &error), -EINVAL);
        CHECK_TEXT(error.text, rows[i].want);
        CHECK(e == NULL);
    }
}

static void an_int_has_the_sign_that_its_field_has_in_c(void)
{
    struct signs {
        unsigned char level;
        uint16_t samples[2];
        uint32_t count;
        uint64_t total;
        int8_t below;
    } signs = {.level = 200, .samples = {1, 65535}, .count = 4000000000u, .total = 1, .below = -56};
    static const mw_attribute attributes[] = {
        {MW_FIELD(struct signs, level), .kind = MW_INT, ALL},   {MW_ARRAY(struct signs, samples), .kind = MW_INT, ALL},
        {MW_FIELD(struct signs, count), .kind = MW_INT, ALL},   {MW_FIELD(struct signs, total), .kind = MW_INT, ALL},
        {MW_FIELD(struct signs, below), .kind = MW_INT, ALL},
    };
    mw_exposable *e = NULL;
    mw_view view;
    mw_value list;
    struct mw_error error;

    CHECK_INT(mw_exposable_new(attributes, MW_COUNT(attributes), &signs, &e, NULL), 0);
    view = mw_view_of(e, marked, 1);
    CHECK_INT(get(e, "level").as.integer, 200);
    CHECK_INT(get(e, "count").as.integer, 4000000000);
    CHECK_INT(get(e, "below").as.integer, -56);
    list = get(e, "samples");
    CHECK_INT(mw_list_at(list, 1)->as.integer, 65535);
    mw_release(list);
    CHECK_INT(mw_view_set_one(&view, "level", 5, mw_int(255), NULL), 0);
    CHECK_INT(signs.level, 255);
    CHECK_INT(mw_view_set_one(&view, "level", 5, mw_int(-1), &error), -EINVAL);
    CHECK_INT(mw_view_set_one(&view, "total", 5, mw_int(-1), &error), -EINVAL);
    CHECK_INT(mw_view_set_one(&view, "below", 5, mw_int(-128), NULL), 0);
    CHECK_INT(mw_view_set_one(&view, "below", 5, mw_int(200), &error), -EINVAL);
    mw_exposable_free(e);
}

static void a_field_that_is_something_else_in_c_is_refused(void)
{
    struct odd {
        double real;
        int64_t integer;
        char text[8];
        char *pointer;
        int32_t list[2];
        bool flag;
        enum { ODD_ONE } word;
        _Alignas(16) unsigned char aligned[16];
    } odd = {0};
    const struct {
        mw_attribute a;
        const char *want; /* NULL: it is fine */
    } rows[] = {
        {{MW_FIELD(struct odd, real), .kind = MW_INT}, "attribute 'real': its field is a float or a double: .kind = MW_REAL"},
        {{MW_FIELD(struct odd, real), .kind = MW_TEXT}, "attribute 'real': its field is a float or a double: .kind = MW_REAL"},
        {{MW_FIELD(struct odd, integer), .kind = MW_REAL},
         "attribute 'integer': its field is an integer: .kind = MW_INT (MW_BOOL for a bool; MW_TEXT and .choices for an enum)"},
        {{MW_FIELD(struct odd, text), .kind = MW_INT}, "attribute 'text': its field is an array of char: .kind = MW_TEXT, or MW_ARRAY where they are numbers"},
        {{MW_FIELD(struct odd, pointer), .kind = MW_TEXT},
         "attribute 'pointer': its field is a pointer, a struct or an array: write MW_ARRAY for an array; a text is a char "
         "array or an mw_value, all else needs a getter and no field"},
        {{MW_FIELD(struct odd, list), .kind = MW_INT},
         "attribute 'list': its field is a pointer, a struct or an array: write MW_ARRAY for an array; a text is a char "
         "array or an mw_value, all else needs a getter and no field"},
        {{MW_FIELD(struct odd, real), .kind = MW_REAL}, NULL},
        {{MW_FIELD(struct odd, integer), .kind = MW_INT}, NULL},
        {{MW_FIELD(struct odd, text), .kind = MW_TEXT}, NULL},
        {{MW_FIELD(struct odd, flag), .kind = MW_BOOL}, NULL},
        {{MW_FIELD(struct odd, word), .kind = MW_INT}, NULL},
        {{MW_FIELD(struct odd, aligned), .kind = MW_TEXT}, NULL},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++) {
        mw_exposable *e = NULL;
        struct mw_error error = {0};

        CHECK_INT(mw_exposable_new(&rows[i].a, 1, &odd, &e, &error), rows[i].want ? -EINVAL : 0);
        CHECK_TEXT(error.text, rows[i].want ? rows[i].want : "");
        mw_exposable_free(e);
    }
}

static void a_name_of_256_bytes_is_the_longest(void)
{
    char name[257];
    const mw_attribute a = {.name = name, .kind = MW_INT, .field_bytes = 4, ALL};
    int32_t number = 6;
    mw_exposable *e = NULL;

    memset(name, 'n', 256);
    name[256] = '\0';
    CHECK_INT(mw_exposable_new(&a, 1, &number, &e, NULL), 0);
    CHECK_INT(mw_exposable_find(e, name, 256), 0);
    CHECK_INT(mw_exposable_find(e, name, 255), -ENOENT);
    CHECK_INT(get(e, name).as.integer, 6);
    mw_exposable_free(e);
}

static void a_name_declared_twice_is_refused(void)
{
    const mw_attribute twice[] = {
        {.name = "a", .kind = MW_INT, .field_bytes = 4},
        {.name = "b", .kind = MW_INT, .field_bytes = 4},
        {.name = "a", .kind = MW_INT, .field_bytes = 4},
    };
    int32_t object = 0;
    mw_exposable *e = NULL;
    struct mw_error error;

    CHECK_INT(mw_exposable_new(twice, 3, &object, &e, &error), -EINVAL);
    CHECK_TEXT(error.text, "attribute 'a': is declared twice");
    CHECK_INT(mw_exposable_new(twice, 2, &object, &e, &error), 0);
    mw_exposable_free(e);
}

static void a_table_of_another_struct_is_noticed(void)
{
    struct mw_error error;

    CHECK_INT(mw_attributes_check(machine_attributes, MW_COUNT(machine_attributes), sizeof(struct machine), &error), 0);
    CHECK_INT(mw_attributes_check(machine_attributes, MW_COUNT(machine_attributes), 64, &error), -EINVAL);
    CHECK_TEXT(error.text, "attribute 'note': its field ends behind the object: is it a field of another struct?");
    CHECK_INT(mw_attributes_check(NULL, 0, 0, &error), 0);
}

static void fields_need_an_object(void)
{
    mw_exposable *e = NULL;
    struct mw_error error;

    CHECK_INT(mw_exposable_new(machine_attributes, 1, NULL, &e, &error), -EINVAL);
    CHECK_INT(mw_exposable_new(NULL, 0, NULL, &e, &error), 0);
    CHECK_INT(mw_exposable_count(e), 0);
    CHECK_INT(mw_exposable_find(e, "a", 1), -ENOENT);
    CHECK(mw_exposable_attribute(e, 0) == NULL);
    mw_exposable_free(e);
    mw_exposable_free(NULL);
}

static void every_one_of_ten_thousand_names_is_found(void)
{
    static mw_attribute attributes[10000];
    static char names[10000][16];
    static int32_t object;
    mw_exposable *e = NULL;
    size_t i;

    for (i = 0; i < 10000; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "motor.%zu", i);
        attributes[i] = (mw_attribute){.name = names[i], .kind = MW_INT, .field_bytes = 4};
    }
    CHECK_INT(mw_exposable_new(attributes, 10000, &object, &e, NULL), 0);
    for (i = 0; i < 10000; i++)
        CHECK_INT(mw_exposable_find(e, names[i], strlen(names[i])), i);
    CHECK_INT(mw_exposable_find(e, "motor.10000", 11), -ENOENT);
    CHECK_INT(mw_exposable_find(e, "motor.", 6), -ENOENT);
    CHECK_INT(mw_exposable_find(e, "", 0), -ENOENT);
    mw_exposable_free(e);
}

static const struct mw_test tests[] = {
    TEST(a_getter_gives_its_declared_kind_or_fails),
    TEST(what_a_getter_gave_before_it_failed_is_released),
    TEST(a_list_goes_out_unless_a_pointer_or_too_much_depth_is_inside),
    TEST(a_map_goes_out_only_if_all_inside_it_can),
    TEST(a_setter_may_refuse_with_a_reason),
    TEST(what_an_attribute_offers_is_known),
    TEST(a_wrong_table_is_refused_with_the_attribute_and_the_reason),
    TEST(an_int_has_the_sign_that_its_field_has_in_c),
    TEST(a_field_that_is_something_else_in_c_is_refused),
    TEST(a_name_of_256_bytes_is_the_longest),
    TEST(a_name_declared_twice_is_refused),
    TEST(a_table_of_another_struct_is_noticed),
    TEST(fields_need_an_object),
    TEST(every_one_of_ten_thousand_names_is_found),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
