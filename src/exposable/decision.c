/* Decisions compiled: what a list of policies says about every attribute of an object, as bits.
 * Not the policies' own tables; those are in policy.c. Read next: view.c.
 * SPDX-License-Identifier: MIT */
#include "exposable/decision.h"

#include <errno.h>

#include "base/memory.h"
#include "exposable/policy.h"

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

/* ---- compile ------------------------------------------------------------------------------------- */
/* Enter the rules of one policy. 0; -ENOMEM: what a regex is about is not known just now, and must not be kept */
static int compile_policy(mw_exposable *e, struct verdict *verdicts, const mw_policy *policy)
{
    size_t i, k;

    for (i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        uint32_t index;

        if (rule->name && !rule->regex) {
            index = name_table_find(&e->names, rule->name, rule->name_bytes);
            if (index != NAME_NONE)
                verdict_enter(&verdicts[index], rule);
            continue;
        }
        for (k = 0; k < e->count; k++) {
            int matches = policy_rule_matches(rule, e->attributes[k].name, e->states[k].name_bytes);

            if (matches == -ENOMEM)
                return matches;
            if (matches > 0)
                verdict_enter(&verdicts[k], rule);
            else if (matches < 0)
                verdicts[k].denied |= rule->right;
            e->stats.undecided += matches < 0;
        }
    }
    return 0;
}

static uint8_t pack(const struct verdict *v)
{
    int asks = verdict_asks(v);

    return (uint8_t)((verdict_sure(v) & ~asks) | asks << DECISION_ASKS);
}

/* Whether a rule is to be looked at when predicates are asked. What met a limit was denied before it came to that. */
static bool is_about(const mw_exposable *e, const struct policy_rule *rule, size_t index)
{
    const mw_attribute *a = &e->attributes[index];

    return policy_rule_matches(rule, a->name, e->states[index].name_bytes) > 0;
}

/* Enter the rules about one attribute behind `count`; list NULL: count them only. */
static size_t gather_one(const mw_exposable *e, const struct decisions *d, size_t index, const struct policy_rule **list, size_t count)
{
    size_t s, i;

    for (s = 0; s < d->source_count; s++) {
        const mw_policy *policy = d->sources[s].policy;

        for (i = 0; policy && i < policy->rule_count; i++) {
            if (!is_about(e, &policy->rules[i], index))
                continue;
            if (list)
                list[count] = &policy->rules[i];
            count++;
        }
    }
    return count;
}

static void forget_asked(struct decisions *d)
{
    mw_free(d->asked);
    mw_free(d->asked_at);
    d->asked = NULL;
    d->asked_at = NULL;
}

/* 0; -ENOMEM */
static int gather(const mw_exposable *e, struct decisions *d, const struct verdict *verdicts)
{
    size_t i, count = 0;

    forget_asked(d);
    for (i = 0; i < e->count; i++)
        count = verdict_asks(&verdicts[i]) ? gather_one(e, d, i, NULL, count) : count;
    if (count == 0)
        return 0;
    d->asked_at = mw_alloc_zeroed(e->count + 1, sizeof(*d->asked_at));
    d->asked = count <= UINT32_MAX ? mw_alloc_zeroed(count, sizeof(*d->asked)) : NULL;
    if (!d->asked_at || !d->asked) {
        forget_asked(d);
        return -ENOMEM;
    }
    for (i = 0, count = 0; i < e->count; i++) {
        d->asked_at[i] = (uint32_t)count;
        count = verdict_asks(&verdicts[i]) ? gather_one(e, d, i, d->asked, count) : count;
    }
    d->asked_at[e->count] = (uint32_t)count;
    return 0;
}

/* 0; -ENOMEM: the decisions are as they were, and stale */
static int compile(mw_exposable *e, struct decisions *d)
{
    struct verdict *verdicts = mw_alloc_zeroed(e->count + 1, sizeof(*verdicts));
    int err = verdicts ? 0 : -ENOMEM;
    size_t i, s;

    for (s = 0; err == 0 && s < d->source_count; s++) {
        if (d->sources[s].policy)
            err = compile_policy(e, verdicts, d->sources[s].policy);
        else
            for (i = 0; i < e->count; i++)
                verdicts[i].allowed |= e->states[i].marks;
    }
    if (err == 0)
        err = gather(e, d, verdicts);
    for (i = 0; err == 0 && i < e->count; i++)
        d->rights[i] = pack(&verdicts[i]);
    for (s = 0; err == 0 && s < d->source_count; s++)
        d->sources[s].stamp = *d->sources[s].now;
    mw_free(verdicts);
    e->stats.compiled += err == 0;
    return err;
}

/* ---- keep -------------------------------------------------------------------------------------------- */
static struct decisions *decisions_new(const mw_exposable *e, const mw_policy *const *policies, size_t policy_count)
{
    struct decisions *d;
    size_t bytes, i;

    if (!mw_multiply_size(policy_count, sizeof(d->sources[0]), &bytes) ||
        !mw_add_size(bytes, sizeof(*d) + e->count, &bytes))
        return NULL;
    d = mw_alloc_zeroed(1, bytes);
    if (!d)
        return NULL;
    d->count = e->count;
    d->source_count = policy_count;
    d->rights = (uint8_t *)&d->sources[policy_count];
    for (i = 0; i < policy_count; i++)
        d->sources[i] = (struct decision_source){policies[i], decision_source_stamp(e, policies[i]), 0};
    return d;
}

static void decisions_free(struct decisions *d)
{
    if (!d)
        return;
    forget_asked(d);
    mw_free(d);
}

const struct decisions *decision_keep(mw_exposable *e, const mw_policy *const *policies, size_t policy_count)
{
    struct decisions *d;
    size_t i;

    for (i = 0; i < e->kept_count; i++) {
        d = e->kept[i];
        if (!is_for(d, policies, policy_count))
            continue;
        return decisions_hold(d, policies, policy_count) || compile(e, d) == 0 ? d : NULL;
    }
    d = decisions_new(e, policies, policy_count);
    if (!d || compile(e, d) < 0) {
        decisions_free(d);
        return NULL;
    }
    if (e->kept_count < DECISIONS_KEPT) {
        e->kept[e->kept_count++] = d;
        return d;
    }
    decisions_free(e->kept[e->next_dropped]);
    e->kept[e->next_dropped] = d;
    e->next_dropped = (e->next_dropped + 1) % DECISIONS_KEPT;
    e->stats.dropped = ++e->dropped;
    return d;
}

void decision_drop_all(mw_exposable *e)
{
    size_t i;

    for (i = 0; i < e->kept_count; i++)
        decisions_free(e->kept[i]);
    e->kept_count = 0;
    e->dropped++;
}

/* ---- ask --------------------------------------------------------------------------------------------- */
/* From the policies' own tables. marks: what the marks say about the name */
static struct decided decide(const mw_view *view, const char *name, size_t name_bytes, int marks)
{
    struct verdict v = {0};
    uint32_t hash;
    size_t i;

    if (name_bytes == 0 || name_bytes > NAME_BYTES)
        return (struct decided){0};
    hash = name_hash(name, name_bytes);
    for (i = 0; i < view->policy_count; i++) {
        if (view->policies[i])
            view->exposable->stats.undecided += policy_say(view->policies[i], name, name_bytes, hash, &v);
        else
            v.allowed |= marks;
    }
    return (struct decided){verdict_sure(&v) & ~verdict_asks(&v), verdict_asks(&v)};
}

struct decided decision_of_name(const mw_view *view, const char *name, size_t name_bytes)
{
    return decide(view, name, name_bytes, 0);
}

const struct decisions *decision_again(const mw_view *view)
{
    return decision_keep(view->exposable, view->policies, view->policy_count);
}

/* NULL: no memory to keep any */
static const struct decisions *decisions_of(const mw_view *view)
{
    const struct decisions *d = decision_brought(view);

    return d ? d : decision_again(view);
}

struct decided decision_at_again(const mw_view *view, size_t index)
{
    mw_exposable *e = view->exposable;
    const struct decisions *d = decision_again(view);

    if (d)
        return decision_unpack(d->rights[index]);
    /* No memory to keep it: the same answer, each time anew. */
    return decide(view, e->attributes[index].name, e->states[index].name_bytes, e->states[index].marks);
}

/* What one policy's rules make of one access. returns 1 it allows, 0 it says nothing, negative: it denies */
static int ask_policy(mw_exposable *e, const mw_policy *policy, uint32_t hash, const mw_access *access)
{
    const struct policy_rule *rule;
    struct policy_walk walk;
    bool allows = false;
    int matches;

    policy_walk(&walk, policy, access->name, access->name_bytes, hash);
    while ((matches = policy_walk_next(&walk, &rule)) != 0) {
        int holds = matches;

        if (!(rule->right & access->right))
            continue;
        if (holds > 0 && rule->predicate)
            holds = rule->predicate->ask(access);
        e->stats.undecided += holds < 0;
        if (holds < 0 || (holds > 0 && rule->deny))
            return -1;
        allows = allows || holds > 0;
    }
    return allows;
}

static bool has_marks(const struct decisions *d)
{
    size_t i;

    for (i = 0; i < d->source_count; i++)
        if (!d->sources[i].policy)
            return true;
    return false;
}

mw_access decision_access(const mw_view *view, int right, int index, const char *name, size_t name_bytes)
{
    mw_exposable *e = view->exposable;
    mw_access access = {.user = view->user, .right = right, .name = name, .name_bytes = name_bytes, .object = e->object};
    const mw_value *seen;

    if (index >= 0 && exposable_look(e, (size_t)index, &seen, NULL) > 0) /* 0 and less: it cannot be read, or not now */
        access.old_value = seen;
    return access;
}

/* The same of the rules that were found when decisions were compiled; no name is compared, no regex run. */
static bool ask_found(mw_exposable *e, const struct decisions *d, size_t index, const mw_access *access)
{
    bool allows = (e->states[index].marks & access->right) && has_marks(d);
    uint32_t at;

    for (at = d->asked_at[index]; at < d->asked_at[index + 1]; at++) {
        const struct policy_rule *rule = d->asked[at];
        int holds = 1;

        if (!(rule->right & access->right))
            continue;
        if (rule->predicate)
            holds = rule->predicate->ask(access);
        e->stats.undecided += holds < 0;
        if (holds < 0 || (holds > 0 && rule->deny))
            return false;
        allows = allows || holds > 0;
    }
    return allows;
}

bool decision_ask(const mw_view *view, int index, const mw_access *access)
{
    mw_exposable *e = view->exposable;
    const struct decisions *d = index >= 0 ? decisions_of(view) : NULL;
    uint32_t hash;
    bool allows = false;
    size_t i;

    if (d && d->asked_at)
        return ask_found(e, d, (size_t)index, access);
    hash = name_hash(access->name, access->name_bytes);
    for (i = 0; i < view->policy_count; i++) {
        int said = view->policies[i] ? ask_policy(e, view->policies[i], hash, access)
                                     : index >= 0 && (e->states[index].marks & access->right);

        if (said < 0)
            return false;
        allows = allows || said > 0;
    }
    return allows;
}
