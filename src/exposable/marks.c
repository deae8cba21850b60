/* Marks: what an attribute's own policy, `marked`, says of it, changed while the program runs, perhaps for a time.
 * Not who has that policy; that is the app's. Read next: decision.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "exposable/exposable_priv.h"

static void set_marks(mw_exposable *e, uint32_t index, int marks)
{
    if (marks == e->states[index].marks)
        return;
    e->states[index].marks = (uint8_t)marks;
    e->marks_stamp++;
}

/* ---- ends --------------------------------------------------------------------------------------------- */

static struct mark_end *find_end(mw_exposable *e, uint32_t index, int right)
{
    size_t i;

    for (i = 0; i < e->end_count; i++)
        if (e->ends[i].index == index && e->ends[i].right == right)
            return &e->ends[i];
    return NULL;
}

static void note_next_end(mw_exposable *e)
{
    size_t i;

    e->next_end_ns = MW_FOREVER;
    for (i = 0; i < e->end_count; i++)
        if (e->ends[i].at_ns < e->next_end_ns)
            e->next_end_ns = e->ends[i].at_ns;
}

/* Put a mark at what it shall be from now on, until at_ns. There is room for an end. */
static void put_mark(mw_exposable *e, uint32_t index, int right, bool shall_be, int64_t at_ns)
{
    struct mark_end *end = find_end(e, index, right);
    int marks = e->states[index].marks;
    bool is = (marks & right) != 0, is_lastly = end ? !is : is;

    if (shall_be == is_lastly || at_ns == MW_FOREVER) {
        if (end)
            *end = e->ends[--e->end_count];
    } else if (end) {
        end->at_ns = at_ns;
    } else {
        e->ends[e->end_count++] = (struct mark_end){.at_ns = at_ns, .index = index, .right = right};
    }
    set_marks(e, index, shall_be ? marks | right : marks & ~right);
}

/* Room for an end of each right of an attribute. */
static int reserve(mw_exposable *e)
{
    size_t capacity = e->end_capacity ? e->end_capacity * 2 : 8, bytes;
    struct mark_end *ends;

    if (e->end_count + 2 <= e->end_capacity)
        return 0;
    if (!mw_multiply_size(capacity, sizeof(*ends), &bytes) || !(ends = mw_resize(e->ends, bytes)))
        return -ENOMEM;
    e->ends = ends;
    e->end_capacity = capacity;
    return 0;
}

static void put_marks(mw_exposable *e, uint32_t index, int rights, bool shall_be, int64_t at_ns)
{
    if (rights & MW_GETTABLE)
        put_mark(e, index, MW_GETTABLE, shall_be, at_ns);
    if (rights & MW_SETTABLE)
        put_mark(e, index, MW_SETTABLE, shall_be, at_ns);
    note_next_end(e);
}

/* ---- the public face --------------------------------------------------------------------------------------- */

static int change(mw_exposable *e, const char *name, int rights, bool shall_be, int64_t at_ns)
{
    int index = mw_exposable_find(e, name, strnlen(name, NAME_BYTES + 1));
    int err;

    if (index < 0)
        return -ENOENT;
    if (rights == 0 || (rights & ~MW_EXPOSED) != 0)
        return -EINVAL;
    err = at_ns == MW_FOREVER ? 0 : reserve(e);
    if (err == 0)
        put_marks(e, (uint32_t)index, rights, shall_be, at_ns);
    return err;
}

void mw_expose(mw_exposable *e, const char *name, int rights)
{
    (void)change(e, name, rights & MW_EXPOSED, true, MW_FOREVER); /* what does not exist does nothing */
}

void mw_unexpose(mw_exposable *e, const char *name, int rights)
{
    (void)change(e, name, rights & MW_EXPOSED, false, MW_FOREVER); /* likewise */
}

int mw_expose_until(mw_exposable *e, const char *name, int rights, int64_t until_ns)
{
    return change(e, name, rights, true, until_ns);
}

int mw_unexpose_until(mw_exposable *e, const char *name, int rights, int64_t until_ns)
{
    return change(e, name, rights, false, until_ns);
}

int64_t mw_exposable_expire(mw_exposable *e, int64_t now_ns)
{
    size_t i = 0;

    if (now_ns < e->next_end_ns)
        return e->next_end_ns;
    while (i < e->end_count) {
        const struct mark_end end = e->ends[i];

        if (end.at_ns > now_ns) {
            i++;
            continue;
        }
        e->ends[i] = e->ends[--e->end_count];
        set_marks(e, end.index, e->states[end.index].marks ^ end.right);
    }
    note_next_end(e);
    return e->next_end_ns;
}
