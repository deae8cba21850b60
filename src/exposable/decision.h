/* Decisions compiled: what a list of policies says about every attribute of an object, as bits.
 * Not the policies' own tables; those are in policy.c. Read next: view.c.
 * SPDX-License-Identifier: MIT */
#ifndef EXPOSABLE_DECISION_H
#define EXPOSABLE_DECISION_H

#include "exposable/exposable_priv.h"

struct decisions;

/* What is decided about one name, as enum mw_right bits. */
struct decided {
    int sure; /* whatever predicates say */
    int asks; /* hangs on predicates */
};
/* About attribute index. Never fails: what cannot be kept is decided on the spot. */
struct decided decision_at(const mw_view *view, size_t index);
/* About any name, by the policies alone; marks say nothing about a name that is no attribute. */
struct decided decision_of_name(const mw_view *view, const char *name, size_t name_bytes);
/* What a predicate is told, but for new_value. Looks at the attribute, so that the old value is the one that is now.
 * index  of the attribute, or negative
 * name   with a NUL; borrowed as long as the result */
mw_access decision_access(const mw_view *view, int right, int index, const char *name, size_t name_bytes);
/* Ask the predicates that speak of one right on a name. */
bool decision_ask(const mw_view *view, int index, const mw_access *access);
/* Find or make the kept decisions of a view's policies; NULL: no memory to keep them. */
const struct decisions *decision_keep(mw_exposable *e, const mw_policy *const *policies, size_t policy_count);
/* Free all that is kept. */
void decision_drop_all(mw_exposable *e);
/* The stamp of one entry of a view's list; NULL: of the marks. */
uint64_t decision_source_stamp(const mw_exposable *e, const mw_policy *policy);

#endif
