/* The inside of an exposable object, shared by the files of this room.
 * Read next: decision.h.
 * SPDX-License-Identifier: MIT */
#ifndef EXPOSABLE_PRIV_H
#define EXPOSABLE_PRIV_H

#include <meshwork/exposable.h>

#include "exposable/name.h"

/* How many different lists of policies have their decisions kept at once. One more: the one kept longest goes, and is
 * decided anew when asked for again (counted). */
#define DECISIONS_KEPT 64

/* What changes about an attribute while the program runs. */
struct attribute_state {
    mw_value seen;    /* owned; what the last look found */
    int64_t revision; /* of seen */
    uint64_t bits;    /* of a plain field: its bytes when seen was made; the same again are not looked at further */
    const void *plain; /* such a field, one number or bool without getter; NULL: it is none */
    uint8_t plain_bytes; /* 1, 2, 4 or 8 */
    bool is_seen;     /* false: nobody has looked yet */
    uint8_t marks;    /* MW_GETTABLE, MW_SETTABLE */
    uint16_t name_bytes;
};

/* A mark that goes back to what it was. */
struct mark_end {
    int64_t at_ns;
    uint32_t index; /* of the attribute */
    int right;      /* one enum mw_right bit */
};

struct mw_exposable {
    const mw_attribute *attributes; /* borrowed */
    size_t count;
    void *object; /* borrowed */
    struct name_table names;
    struct attribute_state *states;
    int64_t first_revision;
    uint64_t marks_stamp; /* another number after every change of a mark */
    struct mark_end *ends; /* owned; each attribute and right once at most, in no order */
    size_t end_count, end_capacity;
    int64_t next_end_ns;  /* the first of them; MW_FOREVER: none */

    struct decisions *kept[DECISIONS_KEPT];
    size_t kept_count, next_dropped;
    uint64_t dropped; /* how often one has gone: pointers from before are void */
    struct mw_exposable_stats stats;
};

/* Look, and say why where that fails. As mw_exposable_look. */
int64_t exposable_look(mw_exposable *e, size_t index, const mw_value **ret_value, struct mw_error *ret_error);
/* Note that an attribute without getter was set: its revision grows. */
void exposable_note_set(mw_exposable *e, size_t index);

#endif
