/* Rules and roles that say nothing, or more than was meant.
 * Not what is wrong with a file; that keeps it from being read. Read next: offline.h.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "exposable/policy.h"
#include "server/ini.h"
#include "server/offline.h"

/* A look under way. */
struct linting {
    mw_server *server;
    size_t index;
    const struct mounted *m;
    const struct policies *policies;
    void (*tell)(void *context, const char *line);
    void *context;
    int findings;
};

static void found(struct linting *l, int line, const char *format, ...) MW_PRINTF(3, 4);
static void found(struct linting *l, int line, const char *format, ...)
{
    char text[1400], *at = text;
    va_list arguments;

    if (line > 0)
        at += snprintf(text, sizeof text, "%.400s: line %d: ", l->m->ini->file, line);
    va_start(arguments, format);
    (void)vsnprintf(at, sizeof text - (size_t)(at - text), format, arguments); /* cut to fit */
    va_end(arguments);
    l->findings++;
    l->tell(l->context, text);
}

/* ---- rules ---------------------------------------------------------------------------------------------- */

static bool is_anchored(const char *regex)
{
    size_t count = strlen(regex);

    return regex[0] == '^' && count > 1 && regex[count - 1] == '$';
}

/* What a rule is about among attributes and commands: how many names that can be used so. ret_first: one of them */
static size_t count_matches(const struct linting *l, const struct policy_rule *rule, const char **ret_first, bool *ret_is_known)
{
    size_t i, count = 0;
    const char *name;
    int rights;

    *ret_first = NULL;
    *ret_is_known = false;
    for (i = 0; (name = mw_server_name_at(l->server, l->index, i, &rights)) != NULL; i++) {
        if (policy_rule_matches(rule, name, strlen(name)) <= 0)
            continue;
        *ret_is_known = true;
        if (!(rights & rule->right))
            continue;
        count++;
        *ret_first = *ret_first ? *ret_first : name;
    }
    return count;
}

/* Whether somebody has what this rule allows of a name. */
static bool is_of_use(const struct linting *l, const char *policy, const struct policy_rule *rule, const char *name)
{
    size_t i, k;

    for (i = 0; i < l->policies->role_count; i++) {
        const struct app_role *role = &l->policies->roles[i];

        for (k = 0; k < role->policy_count; k++)
            if (strcmp(role->policies[k], policy) == 0 &&
                mw_server_explain(l->server, l->index, &role->name, 1, rule->right & -rule->right, name, NULL) != APP_DENIED)
                return true;
    }
    return false;
}

static bool is_named(const struct linting *l, const char *policy)
{
    size_t i, k;

    for (i = 0; i < l->policies->role_count; i++)
        for (k = 0; k < l->policies->roles[i].policy_count; k++)
            if (strcmp(l->policies->roles[i].policies[k], policy) == 0)
                return true;
    return false;
}

static void look_at_rule(struct linting *l, const char *policy, const struct policy_rule *rule)
{
    char shown[POLICY_RULE_SHOWN_BYTES];
    bool is_known, may_come_later = (rule->right & (MW_CALLABLE | MW_HEARABLE)) != 0;
    const char *first;
    size_t matches = count_matches(l, rule, &first, &is_known);

    policy_rule_show(shown, rule);
    if (rule->regex && !is_anchored(rule->name))
        found(l, rule->line, "'%s' is searched within the name: anchor it by ^ and $, or it is about longer names too", shown);
    if (matches == 0 && is_known && !may_come_later)
        found(l, rule->line, "'%s' can never be used: what it is about cannot be %s", shown,
              rule->right == MW_SETTABLE ? "set" : "got");
    else if (matches == 0 && !may_come_later && rule->name)
        found(l, rule->line, "'%s' can never match: no attribute is named so", shown);
    else if (matches == 1 && !rule->deny && is_named(l, policy) && !is_of_use(l, policy, rule, first))
        found(l, rule->line, "'%s' is shadowed: '%s' is denied to every role that has this policy", shown, first);
}

/* ---- roles, attributes -------------------------------------------------------------------------------------- */

static int line_of(const struct linting *l, const char *kind, const char *name)
{
    size_t i;

    for (i = 0; i < l->m->ini->section_count; i++)
        if (strcmp(l->m->ini->sections[i].kind, kind) == 0 && strcmp(l->m->ini->sections[i].name, name) == 0)
            return l->m->ini->sections[i].line;
    return 0;
}

static void look_at_sections(struct linting *l)
{
    size_t i, k;

    for (i = 0; i < l->policies->policy_count; i++) {
        const mw_policy *policy = l->policies->policies[i];

        for (k = 0; k < policy->rule_count; k++)
            look_at_rule(l, policy->name, &policy->rules[k]);
        if (!is_named(l, policy->name))
            found(l, line_of(l, "policy", policy->name), "no role has the policy '%s'", policy->name);
    }
    for (i = 0; i < l->policies->role_count; i++)
        if (l->policies->roles[i].policy_count == 0)
            found(l, line_of(l, "role", l->policies->roles[i].name), "the role '%s' has no policies, and so no rights",
                  l->policies->roles[i].name);
}

static bool is_reached(const struct linting *l, const char *name, int rights)
{
    const char *role;
    size_t i;
    int right;

    for (i = 0; (role = mw_server_role_at(l->server, l->index, i)) != NULL; i++)
        for (right = MW_GETTABLE; right <= MW_CALLABLE; right <<= 1)
            if ((rights & right) && mw_server_explain(l->server, l->index, &role, 1, right, name, NULL) != APP_DENIED)
                return true;
    return false;
}

static void look_at_names(struct linting *l)
{
    const char *name;
    size_t i;
    int rights;

    for (i = 0; (name = mw_server_name_at(l->server, l->index, i, &rights)) != NULL; i++)
        if (!is_reached(l, name, rights))
            found(l, 0, "nobody can reach '%s'", name);
}

int mw_server_lint(mw_server *server, size_t index, void (*tell)(void *context, const char *line), void *context,
                   struct mw_error *ret_error)
{
    struct policies policies = {0};
    struct linting l = {.server = server, .index = index, .policies = &policies, .tell = tell, .context = context};
    int err = 0;

    if (index >= server->app_count || !server->apps[index]->app)
        return mw_fail(ret_error, -ENOENT, "lint: there is no such app, or its policies are not open");
    l.m = server->apps[index];
    if (l.m->ini)
        err = policies_from_ini(l.m->ini, l.m->offline ? &l.m->offline->descriptor : NULL, &policies, ret_error);
    if (err < 0)
        return err;
    if (l.m->ini)
        look_at_sections(&l);
    look_at_names(&l);
    policies_clear(&policies);
    return l.findings;
}
