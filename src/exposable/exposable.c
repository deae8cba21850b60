/* An object with its attributes: finding them, their marks, their revisions.
 * Not rights; those are judged in view.c. Read next: view.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "exposable/attribute.h"
#include "exposable/decision.h"
#include "exposable/exposable_priv.h"

/* Where revisions start: microseconds of the wall clock, some 2^51 these days, so that they stay exact in a double for the
 * next two centuries. */
static int64_t revision_start(void)
{
    struct timespec now = {0};

    if (clock_gettime(CLOCK_REALTIME, &now) < 0 || now.tv_sec < 1)
        return 1;
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Whether the table needs an object at all. */
static bool has_fields(const mw_attribute *attributes, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (attributes[i].field_bytes > 0)
            return true;
    return false;
}

/* A field that is compared by its bytes before anything else is tried. */
static bool is_plain(const mw_attribute *a)
{
    return a->field_bytes > 0 && a->element_bytes == 0 && !a->get && !a->is_shared &&
           (a->kind == MW_BOOL || a->kind == MW_INT || a->kind == MW_REAL);
}

/* takes states */
static void states_init(mw_exposable *e, struct attribute_state *states)
{
    size_t i;

    for (i = 0; i < e->count; i++) {
        const mw_attribute *a = &e->attributes[i];

        states[i] = (struct attribute_state){
            .seen = mw_null(),
            .revision = e->first_revision,
            .plain = is_plain(a) ? (const char *)e->object + a->offset : NULL,
            .plain_bytes = is_plain(a) ? (uint8_t)a->field_bytes : 0,
            .marks = (uint8_t)a->marks,
            .name_bytes = (uint16_t)strlen(a->name),
        };
    }
    e->states = states;
}

int mw_exposable_new(const mw_attribute *attributes, size_t count, void *object, mw_exposable **ret,
                     struct mw_error *ret_error)
{
    mw_exposable *e = mw_alloc_zeroed(1, sizeof(*e));
    struct attribute_state *states = mw_alloc_zeroed(count, sizeof(*states));
    int err;

    if (!e || !states) {
        err = mw_fail(ret_error, -ENOMEM, "make an exposable object of %zu attributes: out of memory", count);
        goto out;
    }
    err = attribute_table_check(attributes, count, 0, &e->names, ret_error);
    if (err < 0)
        goto out;
    if (!object && has_fields(attributes, count)) {
        err = mw_fail(ret_error, -EINVAL, "make an exposable object: there are fields but no object");
        goto out;
    }
    e->attributes = attributes;
    e->count = count;
    e->object = object;
    e->first_revision = revision_start();
    e->marks_stamp = (uint64_t)e->first_revision;
    e->next_end_ns = MW_FOREVER;
    states_init(e, states);
    *ret = e;
    e = NULL;
    states = NULL;
out:
    mw_free(states);
    mw_exposable_free(e);
    return err;
}

void mw_exposable_free(mw_exposable *e)
{
    size_t i;

    if (!e)
        return;
    for (i = 0; e->states && i < e->count; i++)
        mw_release(e->states[i].seen);
    decision_drop_all(e);
    mw_free(e->ends);
    name_table_clear(&e->names);
    mw_free(e->states);
    mw_free(e);
}

size_t mw_exposable_count(const mw_exposable *e)
{
    return e->count;
}

const mw_attribute *mw_exposable_attribute(const mw_exposable *e, size_t index)
{
    return index < e->count ? &e->attributes[index] : NULL;
}

int mw_exposable_find(const mw_exposable *e, const char *name, size_t name_bytes)
{
    uint32_t index = name_table_find(&e->names, name, name_bytes);

    return index == NAME_NONE ? -ENOENT : (int)index;
}

struct mw_exposable_stats mw_exposable_stats(const mw_exposable *e)
{
    return e->stats;
}

/* ---- looks ------------------------------------------------------------------------------------------- */
/* Record a value. takes */
static void record(mw_exposable *e, struct attribute_state *state, mw_value value)
{
    if (state->is_seen && mw_equal(value, state->seen)) {
        mw_release(value);
        return;
    }
    if (state->is_seen) {
        state->revision++;
        e->stats.differed++;
    }
    mw_release(state->seen);
    state->seen = value;
    state->is_seen = true;
}

/* The bytes of a plain field. */
static inline uint64_t bits_of(const struct attribute_state *state)
{
    uint64_t bits;
    uint32_t bits32;
    uint16_t bits16;
    uint8_t bits8;

    switch (state->plain_bytes) { /* copies of known size are one instruction each */
    case 8:
        memcpy(&bits, state->plain, 8);
        return bits;
    case 4:
        memcpy(&bits32, state->plain, 4);
        return bits32;
    case 2:
        memcpy(&bits16, state->plain, 2);
        return bits16;
    default:
        memcpy(&bits8, state->plain, 1);
        return bits8;
    }
}

/* Whatever the bytes say. */
static int64_t look_closer(mw_exposable *e, size_t index, const mw_value **ret_value, struct mw_error *ret_error)
{
    const mw_attribute *a = &e->attributes[index];
    struct attribute_state *state = &e->states[index];
    mw_value value;
    int err;

    if (!(mw_attribute_offers(a) & MW_GETTABLE))
        return mw_fail(ret_error, -ENODATA, "%s: write-only", a->name);
    if (!state->is_seen || !attribute_is_same(a, e->object, &state->seen)) {
        err = attribute_load(a, e->object, &value, ret_error);
        if (err < 0) {
            e->stats.failed++;
            return err;
        }
        record(e, state, value);
    }
    if (state->plain)
        state->bits = bits_of(state);
    if (ret_value)
        *ret_value = &state->seen;
    return state->revision;
}

int64_t exposable_look(mw_exposable *e, size_t index, const mw_value **ret_value, struct mw_error *ret_error)
{
    const struct attribute_state *state = &e->states[index];

    if (!state->plain || !state->is_seen || bits_of(state) != state->bits)
        return look_closer(e, index, ret_value, ret_error);
    if (ret_value)
        *ret_value = &state->seen;
    return state->revision;
}

int64_t mw_exposable_look(mw_exposable *e, size_t index, const mw_value **ret_value)
{
    return index < e->count ? exposable_look(e, index, ret_value, NULL) : -ENOENT;
}

int64_t mw_exposable_revision(const mw_exposable *e, size_t index)
{
    return index < e->count ? e->states[index].revision : -ENOENT;
}

void exposable_note_set(mw_exposable *e, size_t index)
{
    e->states[index].revision++;
}
