/* Why a right is there or not: the rules that speak of it, and what came of them.
 * Not the decisions that count; those are in decision.c, and a test holds the two together. Read next: docs/exposable.md.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "exposable/decision.h"
#include "exposable/exposable_priv.h"
#include "exposable/policy.h"

/* A trail that is being written. */
struct trail {
    mw_value rules; /* a list */
    bool is_allowed, is_denied;
    int err;
    char why[1200]; /* what decides so far; "" : nothing was said */
};

static int set_text(mw_value *map, const char *key, const char *text)
{
    mw_value value = mw_text(text);

    return mw_kind_of(value) == MW_MISSING ? -ENOMEM : mw_map_set(map, key, value);
}

static void enter(struct trail *t, const char *policy, const char *rule, int line, const char *says)
{
    mw_value entry = mw_map_new();
    int err = set_text(&entry, "policy", policy);

    if (err == 0)
        err = set_text(&entry, "rule", rule);
    if (err == 0 && line > 0)
        err = mw_map_set(&entry, "line", mw_int(line));
    if (err == 0)
        err = set_text(&entry, "says", says);
    if (err < 0) {
        mw_release(entry);
        t->err = err;
        return;
    }
    err = mw_list_append(&t->rules, entry);
    t->err = err < 0 ? err : t->err;
}

/* holds: 1, 0, negative for an error */
static void judge(struct trail *t, const mw_policy *policy, const struct policy_rule *rule, int holds)
{
    char shown[POLICY_RULE_SHOWN_BYTES], place[32] = "";
    const char *says = holds < 0 ? "error" : holds == 0 ? "no" : rule->deny ? "deny" : "allow";
    bool denies = holds < 0 || (holds > 0 && rule->deny), decides = denies ? !t->is_denied : holds > 0 && !t->is_denied && !t->is_allowed;

    policy_rule_show(shown, rule);
    enter(t, policy->name, shown, rule->line, says);
    if (decides) {
        if (rule->line > 0)
            (void)snprintf(place, sizeof place, " in line %d", rule->line);
        (void)snprintf(t->why, sizeof t->why, "'%s'%s of policy '%s' %s", shown, place, policy->name,
                       holds < 0 ? "could not be decided, which denies" : denies ? "denies it" : "allows it");
    }
    t->is_denied = t->is_denied || denies;
    t->is_allowed = t->is_allowed || (holds > 0 && !rule->deny);
}

static void walk_policy(struct trail *t, const mw_policy *policy, const mw_access *access)
{
    size_t i;

    for (i = 0; i < policy->rule_count && t->err == 0; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        int holds;

        if (!(rule->right & access->right))
            continue;
        holds = policy_rule_matches(rule, access->name, access->name_bytes);
        if (holds == 0)
            continue;
        if (holds > 0 && rule->predicate)
            holds = rule->predicate->ask(access);
        judge(t, policy, rule, holds);
    }
}

static void walk_marks(struct trail *t, bool is_marked)
{
    if (!is_marked)
        return;
    enter(t, "marked", "the attribute's own marks", 0, "allow");
    if (!t->is_allowed && !t->is_denied)
        (void)snprintf(t->why, sizeof t->why, "the attribute's own marks allow it (policy 'marked')");
    t->is_allowed = true;
}

int mw_view_explain(const mw_view *view, int right, const char *name, size_t name_bytes, mw_value *ret_trail)
{
    mw_exposable *e = view->exposable;
    int index = mw_exposable_find(e, name, name_bytes), err;
    struct trail t = {.rules = mw_list_new()};
    mw_value trail = mw_map_new();
    char copy[NAME_BYTES + 1] = "";
    mw_access access;
    size_t i;
    bool is_allowed;

    if (name_bytes > 0 && name_bytes <= NAME_BYTES) { /* others are never allowed */
        memcpy(copy, name, name_bytes);
        access = decision_access(view, right, index, copy, name_bytes);
        for (i = 0; i < view->policy_count; i++) {
            if (view->policies[i])
                walk_policy(&t, view->policies[i], &access);
            else
                walk_marks(&t, index >= 0 && (e->states[index].marks & right));
        }
    }
    is_allowed = t.is_allowed && !t.is_denied;
    if (!t.why[0])
        (void)snprintf(t.why, sizeof t.why, "no rule allows it, and nothing said is denied");
    err = t.err < 0 ? t.err : mw_map_set(&trail, "allowed", mw_bool(is_allowed));
    if (err == 0)
        err = set_text(&trail, "why", t.why);
    if (err < 0) {
        mw_release(t.rules);
        mw_release(trail);
        return err;
    }
    err = mw_map_set(&trail, "rules", t.rules);
    if (err < 0) {
        mw_release(trail);
        return err;
    }
    *ret_trail = trail;
    return is_allowed;
}
