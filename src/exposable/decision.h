/* Decisions compiled: what a list of policies says about every attribute of an object, as bits.
 * Not the policies' own tables; those are in policy.c. Read next: view.c.
 * SPDX-License-Identifier: MIT */
#ifndef EXPOSABLE_DECISION_H
#define EXPOSABLE_DECISION_H

#include "base/hint.h"
#include "exposable/exposable_priv.h"
#include "exposable/policy.h"

/* The stamp of one entry of a view's list; NULL: of the marks. */
static inline const uint64_t *decision_source_stamp(const mw_exposable *e, const mw_policy *policy)
{
    return policy ? &policy->stamp : &e->marks_stamp;
}
/* A policy of the list, and which state of it was compiled. */
struct decision_source {
    const mw_policy *policy; /* NULL: the marks */
    const uint64_t *now;     /* where its stamp stands, or that of the marks; read only while a list names the policy: then it lives */
    uint64_t stamp;          /* what stood there when it was compiled */
};

/* The low half: what is allowed and denied by no rule, without condition. The high half: what hangs on predicates. */
#define DECISION_ASKS 4

struct decisions {
    uint8_t *rights; /* per attribute; behind sources, in the same block */
    size_t count;    /* of attributes */
    /* Where something hangs on predicates: all rules about each such attribute, found once. Those of attribute i are from asked_at[i] to
     * asked_at[i + 1]. NULL: nothing does */
    const struct policy_rule **asked;
    uint32_t *asked_at;
    size_t source_count;
    struct decision_source sources[];
};

/* What is decided about one name, as enum mw_right bits. */
struct decided {
    int sure; /* whatever predicates say */
    int asks; /* hangs on predicates */
};
static inline struct decided decision_unpack(uint8_t rights)
{
    return (struct decided){rights & POLICY_ALL_RIGHTS, rights >> DECISION_ASKS};
}

/* Whether they were made of this list, and no policy of it has changed since. */
static inline bool decisions_hold(const struct decisions *d, const mw_policy *const *policies, size_t policy_count)
{
    const struct decision_source *s = d->sources, *end = s + policy_count;

    if (d->source_count != policy_count)
        return false;
    for (; s < end; s++, policies++)
        if (UNLIKELY(s->policy != *policies || *s->now != s->stamp))
            return false;
    return true;
}
/* What the view brought along, as long as nothing kept has gone and it holds; else NULL. */
static inline const struct decisions *decision_brought(const mw_view *view)
{
    const struct decisions *d = view->decided;

    return d && view->decided_at == view->exposable->dropped && decisions_hold(d, view->policies, view->policy_count) ? d : NULL;
}
const struct decisions *decision_again(const mw_view *view); /* found or made; NULL: no memory to keep any */

struct decided decision_at_again(const mw_view *view, size_t index);
/* About attribute index. Never fails: what cannot be kept is decided on the spot. */
static inline struct decided decision_at(const mw_view *view, size_t index)
{
    const struct decisions *d = decision_brought(view);

    return d ? decision_unpack(d->rights[index]) : decision_at_again(view, index);
}
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
#endif
