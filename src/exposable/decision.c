/* Decisions compiled: what a list of policies says about every attribute of an object, as bits.
 * Not the policies' own tables; those are in policy.c. Read next: view.c.
 * SPDX-License-Identifier: MIT */
#include "exposable/decision.h"

#include "base/hash.h"
#include "base/memory.h"
#include "exposable/policy.h"

/* A policy of the list, and which state of it was compiled. */
struct decision_source {
    const mw_policy *policy; /* NULL: the marks */
    uint64_t stamp;
};

struct decisions {
    uint8_t *rights; /* per attribute: enum mw_right bits; behind sources, in the same block */
    size_t source_count;
    struct decision_source sources[];
};

uint64_t decision_source_stamp(const mw_exposable *e, const mw_policy *policy)
{
    return policy ? policy->stamp : e->marks_stamp;
}

static bool is_for(const struct decisions *d, const mw_policy *const *policies, size_t policy_count)
{
    size_t i;

    if (d->source_count != policy_count)
        return false;
    for (i = 0; i < policy_count; i++)
        if (d->sources[i].policy != policies[i])
            return false;
    return true;
}

static bool is_fresh(const mw_exposable *e, const struct decisions *d)
{
    size_t i;

    for (i = 0; i < d->source_count; i++)
        if (d->sources[i].stamp != decision_source_stamp(e, d->sources[i].policy))
            return false;
    return true;
}

/* ---- compile ------------------------------------------------------------------------------------- */
/* Enter the rules of one policy that allow, or those that deny. */
static void compile_policy(const mw_exposable *e, struct decisions *d, const mw_policy *policy, bool deny)
{
    size_t i;

    for (i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        uint32_t index;

        if (rule->deny != deny)
            continue;
        index = name_table_find(&e->names, rule->name, rule->name_bytes);
        if (index == NAME_NONE)
            continue;
        if (deny)
            d->rights[index] &= (uint8_t)~rule->right;
        else
            d->rights[index] |= rule->right;
    }
}

/* All that allows first, then all that denies: so a deny wins whatever the order. */
static void compile(mw_exposable *e, struct decisions *d)
{
    size_t i, s;

    for (i = 0; i < e->count; i++)
        d->rights[i] = 0;
    for (s = 0; s < d->source_count; s++) {
        if (d->sources[s].policy)
            compile_policy(e, d, d->sources[s].policy, false);
        else
            for (i = 0; i < e->count; i++)
                d->rights[i] |= e->states[i].marks;
    }
    for (s = 0; s < d->source_count; s++) {
        if (d->sources[s].policy)
            compile_policy(e, d, d->sources[s].policy, true);
        d->sources[s].stamp = decision_source_stamp(e, d->sources[s].policy);
    }
    e->stats.compiled++;
}

/* ---- keep -------------------------------------------------------------------------------------------- */
static struct decisions *decisions_new(const mw_exposable *e, const mw_policy *const *policies, size_t policy_count)
{
    struct decisions *d;
    size_t bytes, i;

    if (!mw_multiply_size(policy_count, sizeof(d->sources[0]), &bytes) ||
        !mw_add_size(bytes, sizeof(*d) + e->count, &bytes))
        return NULL;
    d = mw_alloc(bytes);
    if (!d)
        return NULL;
    d->source_count = policy_count;
    d->rights = (uint8_t *)&d->sources[policy_count];
    for (i = 0; i < policy_count; i++)
        d->sources[i] = (struct decision_source){policies[i], 0};
    return d;
}

const struct decisions *decision_keep(mw_exposable *e, const mw_policy *const *policies, size_t policy_count)
{
    struct decisions *d;
    size_t i;

    for (i = 0; i < e->kept_count; i++) {
        d = e->kept[i];
        if (!is_for(d, policies, policy_count))
            continue;
        if (!is_fresh(e, d))
            compile(e, d);
        return d;
    }
    d = decisions_new(e, policies, policy_count);
    if (!d)
        return NULL;
    compile(e, d);
    if (e->kept_count < DECISIONS_KEPT) {
        e->kept[e->kept_count++] = d;
        return d;
    }
    mw_free(e->kept[e->next_dropped]);
    e->kept[e->next_dropped] = d;
    e->next_dropped = (e->next_dropped + 1) % DECISIONS_KEPT;
    e->stats.dropped = ++e->dropped;
    return d;
}

void decision_drop_all(mw_exposable *e)
{
    size_t i;

    for (i = 0; i < e->kept_count; i++)
        mw_free(e->kept[i]);
    e->kept_count = 0;
    e->dropped++;
}

/* ---- ask --------------------------------------------------------------------------------------------- */
/* From the policies' own tables. marks: what the marks say about the name */
static int decide(const mw_view *view, const char *name, size_t name_bytes, int marks)
{
    int allowed = 0, denied = 0;
    uint64_t hash;
    size_t i;

    if (name_bytes == 0 || name_bytes > NAME_BYTES)
        return 0;
    hash = mw_hash(name, name_bytes);
    for (i = 0; i < view->policy_count; i++) {
        if (view->policies[i])
            policy_say(view->policies[i], name, name_bytes, hash, &allowed, &denied);
        else
            allowed |= marks;
    }
    return allowed & ~denied;
}

int decision_of_name(const mw_view *view, const char *name, size_t name_bytes)
{
    return decide(view, name, name_bytes, 0);
}

int decision_at(const mw_view *view, size_t index)
{
    mw_exposable *e = view->exposable;
    const struct decisions *d = view->decided;

    /* What the view brought along holds as long as nothing kept has gone, its list is the same, and no policy of it
     * has changed. */
    if (!d || view->decided_at != e->dropped || !is_for(d, view->policies, view->policy_count) || !is_fresh(e, d))
        d = decision_keep(e, view->policies, view->policy_count);
    if (d)
        return d->rights[index];
    /* No memory to keep it: the same answer, each time anew. */
    return decide(view, e->attributes[index].name, e->states[index].name_bytes, e->states[index].marks);
}
