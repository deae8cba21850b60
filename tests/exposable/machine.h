/* One object with a field of every kind, all marked, and how the tests get and set one of them.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_EXPOSABLE_MACHINE_H
#define TEST_EXPOSABLE_MACHINE_H

#include <meshwork/exposable.h>

#include "check.h"

struct machine {
    bool on;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    float f;
    double d;
    char name[8];
    char note[64];
};

#define ALL .marks = MW_EXPOSED
static const mw_attribute machine_attributes[] = {
    {MW_FIELD(struct machine, on), .kind = MW_BOOL, ALL},
    {MW_FIELD(struct machine, i8), .kind = MW_INT, ALL},
    {MW_FIELD(struct machine, i16), .kind = MW_INT, ALL},
    {MW_FIELD(struct machine, i32), .kind = MW_INT, ALL},
    {MW_FIELD(struct machine, i64), .kind = MW_INT, ALL},
    {MW_FIELD(struct machine, u8), .kind = MW_INT, .is_unsigned = true, ALL},
    {MW_FIELD(struct machine, u16), .kind = MW_INT, .is_unsigned = true, ALL},
    {MW_FIELD(struct machine, u32), .kind = MW_INT, .is_unsigned = true, ALL},
    {MW_FIELD(struct machine, u64), .kind = MW_INT, .is_unsigned = true, ALL},
    {MW_FIELD(struct machine, f), .kind = MW_REAL, ALL},
    {MW_FIELD(struct machine, d), .kind = MW_REAL, ALL},
    {MW_FIELD(struct machine, name), .kind = MW_TEXT, ALL},
    {MW_FIELD(struct machine, note), .kind = MW_TEXT, ALL},
};

static const mw_policy *const marked[] = {NULL};

__attribute__((unused)) static mw_exposable *machine_new(struct machine *m)
{
    mw_exposable *e = NULL;

    CHECK_INT(mw_exposable_new(machine_attributes, MW_COUNT(machine_attributes), m, &e, NULL), 0);
    return e;
}

/* Set through the marks; the value is taken. */
__attribute__((unused)) static int set(mw_exposable *e, const char *name, mw_value value, struct mw_error *ret_error)
{
    mw_view view = mw_view_of(e, marked, 1);
    int err = mw_view_set_one(&view, name, strlen(name), value, ret_error);

    mw_release(value);
    return err;
}

__attribute__((unused)) static mw_value get(mw_exposable *e, const char *name)
{
    mw_view view = mw_view_of(e, marked, 1);
    mw_value value = mw_null();

    CHECK_INT(mw_view_get_one(&view, name, strlen(name), &value, NULL), 0);
    return value;
}

#endif
