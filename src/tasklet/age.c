/* How old the oldest item of a mailbox is, without a note per item: now and again, at the beginning of a turn, the mesh writes down for some of its
 * tasklets how far their queues reach. As long as an item from before that note is queued, the oldest is at least as old as the note.
 * Not who prints it; that is scheduler/dump.c. Read next: mailbox.c.
 * SPDX-License-Identifier: MIT */
#include "tasklet/age.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "tasklet/tasklet_priv.h"

enum { LOOKS = 128, NOTES_MOST = 1024 };
#define PERIOD_NS INT64_C(1000000)

/* The number of the first queued item, counted from the first that ever came. One handed over ahead of the queue counts as well, so
 * that the note is given up too early: the age is then too low, never too high. */
static uint64_t first_number(const mw_tasklet *t)
{
    return t->processed + (t->side && t->side->overflow == MW_DROP_OLDEST ? t->side->dropped : 0);
}

static struct age_note *note_of(const struct mw_scheduler *m, uint32_t position)
{
    return &m->ages.notes[position & m->ages.mask];
}

static bool is_valid(const struct age_note *note)
{
    return note->tasklet->count > 0 && first_number(note->tasklet) < note->until;
}

static void note_forget(struct mw_scheduler *m, struct age_note *note)
{
    note->tasklet = NULL;
    m->ages.count--;
}

int ages_grow(struct mw_scheduler *m, uint32_t capacity)
{
    uint32_t count = capacity < NOTES_MOST ? capacity : NOTES_MOST;
    struct age_note *notes;

    if (m->ages.notes && count <= m->ages.mask + 1)
        return 0;
    notes = mw_alloc_zeroed(count, sizeof(*notes));
    if (!notes)
        return -ENOMEM;
    mw_free(m->ages.notes); /* what was noted is noted again */
    m->ages.notes = notes;
    m->ages.mask = count - 1;
    m->ages.count = 0;
    return 0;
}

void ages_clear(struct mw_scheduler *m)
{
    if (m->ages.count > 0)
        memset(m->ages.notes, 0, (m->ages.mask + (size_t)1) * sizeof(*m->ages.notes));
    m->ages.count = 0;
}

void ages_free(struct mw_scheduler *m)
{
    mw_free(m->ages.notes);
}

void ages_forget(const mw_tasklet *t)
{
    struct age_note *note = note_of(t->mesh, t->position);

    if (note->tasklet == t)
        note_forget(t->mesh, note);
}

/* In a mesh of more than a thousand several share a place: whoever has waited longest keeps it. */
static void look_at(struct mw_scheduler *m, uint32_t position)
{
    const mw_tasklet *t = m->members[position];
    struct age_note *note = note_of(m, position);

    if (note->tasklet && !is_valid(note))
        note_forget(m, note);
    if (!t || t->count == 0 || note->tasklet)
        return;
    *note = (struct age_note){t, first_number(t) + t->count, m->now_ns};
    m->ages.count++;
}

void ages_note(struct mw_scheduler *m)
{
    uint32_t looks = m->top < LOOKS ? m->top : LOOKS;

    m->ages.next_ns = m->now_ns + PERIOD_NS;
    for (; looks > 0; looks--) {
        if (m->ages.cursor >= m->top)
            m->ages.cursor = 0;
        look_at(m, m->ages.cursor++);
    }
}

bool tasklet_oldest_since(const mw_tasklet *t, int64_t *ret_ns)
{
    const struct age_note *note = note_of(t->mesh, t->position);

    if (note->tasklet != t || !is_valid(note))
        return false;
    *ret_ns = note->since_ns;
    return true;
}
