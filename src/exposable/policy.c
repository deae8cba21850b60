/* Policies: sets of rules, each a name, a regex or every name, with the rights it has or never has.
 * Not their text, that is policy_text.c; not their union, that is decision.c. Read next: policy_text.c.
 * SPDX-License-Identifier: MIT */
#include "exposable/policy.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

/* Move to the next stamp. What changed goes into it: on a machine with a coarse clock a policy may be freed and another
 * made at its address within one tick, and then only their contents differ. */
static void policy_note_change(mw_policy *policy, uint64_t what, uint64_t which)
{
    const uint64_t parts[3] = {policy->stamp, what, which};

    policy->stamp = mw_hash(parts, sizeof(parts));
}

mw_policy *mw_policy_new(const char *name)
{
    mw_policy *policy = mw_alloc_zeroed(1, sizeof(*policy));

    if (!policy)
        return NULL;
    policy->name = mw_copy_text(name ? name : "");
    if (!policy->name) {
        mw_free(policy);
        return NULL;
    }
    policy->stamp = (uint64_t)mw_now_ns();
    policy->first_wide = NAME_NONE;
    return policy;
}

void mw_policy_free(mw_policy *policy)
{
    if (!policy)
        return;
    policy_cut(policy, 0);
    name_table_clear(&policy->names);
    mw_free(policy->rules);
    mw_free(policy->name);
    mw_free(policy);
}

const char *mw_policy_name(const mw_policy *policy)
{
    return policy->name;
}

/* Make room for one more rule, in the array and in the table. */
static int policy_reserve(mw_policy *policy)
{
    size_t capacity = policy->rule_capacity ? 2 * policy->rule_capacity : 8;
    struct policy_rule *rules;
    size_t bytes;

    if (policy->rule_count >= POLICY_RULES)
        return -EINVAL;
    if (name_table_reserve(&policy->names, policy->names.count + 1) < 0)
        return -ENOMEM;
    if (policy->rule_count < policy->rule_capacity)
        return 0;
    if (!mw_multiply_size(capacity, sizeof(*rules), &bytes) || !(rules = mw_resize(policy->rules, bytes)))
        return -ENOMEM;
    policy->rules = rules;
    policy->rule_capacity = capacity;
    return 0;
}

/* Put the rule at index where it is found. */
static void policy_link(mw_policy *policy, uint32_t index)
{
    struct policy_rule *rule = &policy->rules[index];
    uint32_t *first = &policy->first_wide, found;

    if (rule->name && !rule->regex) {
        found = name_table_find(&policy->names, rule->name, rule->name_bytes);
        if (found == NAME_NONE) {
            rule->next = NAME_NONE;
            name_table_add(&policy->names, rule->name, rule->name_bytes, index);
            return;
        }
        first = &policy->rules[found].next;
    }
    rule->next = *first;
    *first = index;
}

int policy_add(mw_policy *policy, int right, bool deny, const char *name, size_t name_bytes, struct regex *takes_regex,
               const mw_predicate *predicate)
{
    int err = policy_reserve(policy);
    struct policy_rule *rule;
    char *copy = NULL;

    if (err == 0 && name) {
        copy = mw_alloc(name_bytes + 1);
        err = copy ? 0 : -ENOMEM;
    }
    if (err < 0) {
        regex_free(takes_regex);
        return err;
    }
    if (copy) {
        memcpy(copy, name, name_bytes);
        copy[name_bytes] = '\0';
    }
    rule = &policy->rules[policy->rule_count];
    *rule = (struct policy_rule){.name = copy, .name_bytes = (uint16_t)name_bytes, .regex = takes_regex, .predicate = predicate,
                                 .right = (uint8_t)right, .deny = deny, .line = policy->line};
    policy_link(policy, (uint32_t)policy->rule_count++);
    policy_note_change(policy, (uint64_t)right * 4 + (uint64_t)deny * 2 + (takes_regex != NULL) + ((uint64_t)(uintptr_t)predicate << 8),
                       mw_hash(copy ? copy : "", copy ? name_bytes : 0));
    return 0;
}

void policy_cut(mw_policy *policy, size_t rule_count)
{
    size_t i;

    for (i = rule_count; i < policy->rule_count; i++) {
        regex_free(policy->rules[i].regex);
        mw_free(policy->rules[i].name);
    }
    policy->rule_count = rule_count;
    policy_note_change(policy, 0, rule_count);
    name_table_empty(&policy->names);
    policy->first_wide = NAME_NONE;
    for (i = 0; i < rule_count; i++)
        policy_link(policy, (uint32_t)i);
}

void policy_set_line(mw_policy *policy, int line)
{
    policy->line = line;
}

void mw_policy_set_predicates(mw_policy *policy, const mw_predicate *borrows, size_t count)
{
    policy->predicates = borrows;
    policy->predicate_count = count;
}

/* Compile what a rule may have beside a name. 0; -EINVAL, -ENOMEM. ret_regex: returned owned; NULL: it has none */
static int read_rule(const mw_rule *rule, struct regex **ret_regex, struct mw_error *ret_error)
{
    const char *name = rule->name ? rule->name : "";
    const size_t name_bytes = strnlen(name, NAME_BYTES + 1);
    const char *fault = rule->name || (!rule->regex && !rule->predicate) ? name_fault(name, name_bytes) : NULL;
    struct mw_error why;
    char shown[NAME_SHOWN_BYTES];
    int err;

    *ret_regex = NULL;
    name_show(shown, rule->regex ? rule->regex : name, rule->regex ? strlen(rule->regex) : name_bytes);
    if (rule->right == 0 || (rule->right & ~POLICY_ALL_RIGHTS) != 0)
        return mw_fail(ret_error, -EINVAL, "the rule for '%s' has no right, or one that does not exist", shown);
    if (rule->name && rule->regex)
        return mw_fail(ret_error, -EINVAL, "a rule has both the name '%s' and a regex", rule->name);
    if (rule->predicate && !rule->predicate->ask)
        return mw_fail(ret_error, -EINVAL, "the rule for '%s' has a predicate without a function", shown);
    if (fault)
        return mw_fail(ret_error, -EINVAL, "the name '%s' of a rule %s", shown, fault);
    if (!rule->regex)
        return 0;
    err = regex_new(rule->regex, strlen(rule->regex), ret_regex, &why);
    return err < 0 ? mw_fail(ret_error, err, "the regex '%s' of a rule %s", shown, why.text) : 0;
}

int mw_rule_check(const mw_rule *rule, struct mw_error *ret_error)
{
    struct regex *regex;
    int err = read_rule(rule, &regex, ret_error);

    if (err == 0)
        regex_free(regex);
    return err;
}

int mw_policy_add(mw_policy *policy, const mw_rule *borrows)
{
    const char *text = borrows->regex ? borrows->regex : borrows->name;
    struct regex *regex;
    int err = read_rule(borrows, &regex, NULL);

    return err < 0 ? err
                   : policy_add(policy, borrows->right, borrows->deny, text, text ? strlen(text) : 0, regex, borrows->predicate);
}

/* ---- which rules are about a name ------------------------------------------------------------------------ */

int policy_rule_matches(const struct policy_rule *rule, const char *name, size_t name_bytes)
{
    if (rule->regex)
        return regex_match(rule->regex, name, name_bytes);
    return !rule->name || (rule->name_bytes == name_bytes && memcmp(rule->name, name, name_bytes) == 0);
}

void policy_walk(struct policy_walk *ret, const mw_policy *policy, const char *name, size_t name_bytes, uint32_t hash)
{
    *ret = (struct policy_walk){policy, name, name_bytes, name_table_find_hashed(&policy->names, name, name_bytes, hash), false};
}

int policy_walk_next(struct policy_walk *walk, const struct policy_rule **ret)
{
    for (;;) {
        const struct policy_rule *rule;
        int matches = 1;

        if (walk->at == NAME_NONE) {
            if (walk->is_wide)
                return 0;
            walk->is_wide = true;
            walk->at = walk->policy->first_wide;
            continue;
        }
        rule = &walk->policy->rules[walk->at];
        walk->at = rule->next;
        if (rule->regex)
            matches = regex_match(rule->regex, walk->name, walk->name_bytes);
        if (matches != 0) {
            *ret = rule;
            return matches;
        }
    }
}

void verdict_enter(struct verdict *v, const struct policy_rule *rule)
{
    if (rule->predicate)
        *(rule->deny ? &v->may_deny : &v->may_allow) |= rule->right;
    else
        *(rule->deny ? &v->denied : &v->allowed) |= rule->right;
}

unsigned policy_say(const mw_policy *policy, const char *name, size_t name_bytes, uint32_t hash, struct verdict *v)
{
    const struct policy_rule *rule;
    struct policy_walk walk;
    unsigned undecided = 0;
    int matches;

    policy_walk(&walk, policy, name, name_bytes, hash);
    while ((matches = policy_walk_next(&walk, &rule)) != 0) {
        if (matches > 0) {
            verdict_enter(v, rule);
        } else {
            v->denied |= rule->right;
            undecided++;
        }
    }
    return undecided;
}
