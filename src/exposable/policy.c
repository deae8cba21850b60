/* Policies: sets of rules, each a name with the rights it has or never has.
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

/* Put the rule at index where its name is found. */
static void policy_link(mw_policy *policy, uint32_t index)
{
    struct policy_rule *rule = &policy->rules[index];
    uint32_t first = name_table_find(&policy->names, rule->name, rule->name_bytes);

    rule->next_same = NAME_NONE;
    if (first == NAME_NONE) {
        name_table_add(&policy->names, rule->name, rule->name_bytes, index);
    } else {
        rule->next_same = policy->rules[first].next_same;
        policy->rules[first].next_same = index;
    }
}

int policy_add(mw_policy *policy, int right, bool deny, const char *name, size_t name_bytes)
{
    int err = policy_reserve(policy);
    struct policy_rule *rule;
    char *copy;

    if (err < 0)
        return err;
    copy = mw_alloc(name_bytes + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, name, name_bytes);
    copy[name_bytes] = '\0';
    rule = &policy->rules[policy->rule_count];
    *rule = (struct policy_rule){copy, (uint16_t)name_bytes, (uint8_t)right, deny, NAME_NONE};
    policy_link(policy, (uint32_t)policy->rule_count++);
    policy_note_change(policy, (uint64_t)right * 2 + deny, mw_hash(name, name_bytes));
    return 0;
}

void policy_cut(mw_policy *policy, size_t rule_count)
{
    size_t i;

    for (i = rule_count; i < policy->rule_count; i++)
        mw_free(policy->rules[i].name);
    policy->rule_count = rule_count;
    policy_note_change(policy, 0, rule_count);
    name_table_empty(&policy->names);
    for (i = 0; i < rule_count; i++)
        policy_link(policy, (uint32_t)i);
}

int mw_rule_check(const mw_rule *rule, struct mw_error *ret_error)
{
    const char *name = rule->name ? rule->name : "";
    const size_t name_bytes = strnlen(name, NAME_BYTES + 1);
    const char *fault = name_fault(name, name_bytes);
    char shown[NAME_SHOWN_BYTES];

    name_show(shown, name, name_bytes);
    if (rule->right == 0 || (rule->right & ~POLICY_ALL_RIGHTS) != 0)
        return mw_fail(ret_error, -EINVAL, "the rule for '%s' has no right, or one that does not exist", shown);
    return fault ? mw_fail(ret_error, -EINVAL, "the name '%s' of a rule %s", shown, fault) : 0;
}

int mw_policy_add(mw_policy *policy, const mw_rule *borrows)
{
    int err = mw_rule_check(borrows, NULL);

    return err < 0 ? err : policy_add(policy, borrows->right, borrows->deny, borrows->name, strlen(borrows->name));
}

void policy_say(const mw_policy *policy, const char *name, size_t name_bytes, uint64_t hash, int *io_allowed,
                int *io_denied)
{
    uint32_t at = name_table_find_hashed(&policy->names, name, name_bytes, hash);

    for (; at != NAME_NONE; at = policy->rules[at].next_same) {
        const struct policy_rule *rule = &policy->rules[at];

        *(rule->deny ? io_denied : io_allowed) |= rule->right;
    }
}
