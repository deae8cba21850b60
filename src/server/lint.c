/* Rules and roles that say nothing, or more than was meant.
 * Not what is wrong with a file; that keeps it from being read. Read next: offline.h.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "exposable/policy.h"
#include "server/offline.h"
#include "settings/ini.h"
#include "settings/words.h"

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

/* Where the alternative that begins at *at ends: at a '|' outside of groups and sets, or at the end. */
static const char *alternative_end(const char *at)
{
    int depth = 0;
    bool is_in_set = false;

    for (; *at; at++) {
        if (*at == '\\' && at[1])
            at++;
        else if (is_in_set)
            is_in_set = *at != ']';
        else if (*at == '[')
            is_in_set = true, at += at[1] == '^', at += at[1] == ']'; /* a ']' that comes first is of the set */
        else if (*at == '(')
            depth++;
        else if (*at == ')')
            depth--;
        else if (*at == '|' && depth == 0)
            break;
    }
    return at;
}

static bool is_escaped(const char *begin, const char *at)
{
    size_t backslashes = 0;

    while (at - backslashes > begin && at[-1 - (ptrdiff_t)backslashes] == '\\')
        backslashes++;
    return backslashes % 2 == 1;
}

/* Whether each of its alternatives begins with ^ and ends with $. Of what it cannot follow it says no: that is asked of people. */
static bool is_anchored(const char *regex)
{
    const char *begin = regex, *end;

    for (;; begin = end + 1) {
        end = alternative_end(begin);
        if (*begin != '^' || end - begin < 2 || end[-1] != '$' || is_escaped(begin, end - 1))
            return false;
        if (*end == '\0')
            return true;
    }
}

/* A name on which a regex meets its limit, where one of the usual suspects does: a long run of what the regex itself has, and then
 * something else. ret has room for NAME_BYTES and a NUL. */
static bool find_limit(const struct regex *regex, const char *text, char *ret)
{
    static const char usual[] = "a0_.-";
    char letters[96] = "";
    size_t count = 0, i;

    for (i = 0; i < sizeof usual - 1 + strlen(text) && count + 1 < sizeof letters; i++) {
        char c = i < sizeof usual - 1 ? usual[i] : text[i - (sizeof usual - 1)];

        if (c > ' ' && c < 0x7f && !strchr(",/@=*[]^$\\(){}|?+", c) && !memchr(letters, c, count))
            letters[count++] = c;
    }
    for (i = 0; i < count; i++) {
        memset(ret, letters[i], NAME_BYTES);
        ret[NAME_BYTES - 1] = '!';
        ret[NAME_BYTES] = '\0';
        if (regex_match(regex, ret, NAME_BYTES) < 0)
            return true;
    }
    return false;
}

/* ---- names -------------------------------------------------------------------------------------------------- */

/* The one that may have been meant: an attribute for rights to get and set, a command for the right to call. NULL: none is near */
static const char *nearest(const struct linting *l, const char *wanted, int rights)
{
    size_t i, distance, least = (strlen(wanted) + 1) / 2 + 1;
    const char *name, *found_name = NULL;
    int offered;

    for (i = 0; (name = mw_server_name_at(l->server, l->index, i, &offered)) != NULL; i++) {
        distance = (offered & rights) ? words_distance(name, wanted) : least;
        if (distance < least) {
            least = distance;
            found_name = name;
        }
    }
    return found_name;
}

/* ---- rules that say nothing new ------------------------------------------------------------------------------ */

/* Whether all that a rule says is said by the other. */
static bool is_covered(const struct policy_rule *rule, const struct policy_rule *by)
{
    if (by->deny != rule->deny || (rule->right & ~by->right) != 0 || (by->predicate && by->predicate != rule->predicate))
        return false;
    if (!by->name) /* every name */
        return true;
    if (!rule->name)
        return false;
    if (!rule->regex)
        return policy_rule_matches(by, rule->name, rule->name_bytes) > 0;
    return by->regex && strcmp(by->name, rule->name) == 0;
}

/* Another rule of the policy that covers it; of two that say the same the earlier one. NULL: none */
static const struct policy_rule *find_cover(const mw_policy *policy, const struct policy_rule *rule)
{
    const struct policy_rule *by;

    for (by = policy->rules; by < policy->rules + policy->rule_count; by++)
        if (by != rule && is_covered(rule, by) && (by < rule || !is_covered(by, rule)))
            return by;
    return NULL;
}

/* ---- rules and names ----------------------------------------------------------------------------------------------- */

/* Whether a role has a policy. */
static bool has(const struct app_role *role, const char *policy)
{
    size_t i;

    for (i = 0; i < role->policy_count; i++)
        if (strcmp(role->policies[i], policy) == 0)
            return true;
    return false;
}

/* Whether somebody has something of what this rule allows of a name. */
static bool is_of_use(const struct linting *l, const char *policy, int rights, const char *name)
{
    size_t i;
    int right;

    for (i = 0; i < l->policies->role_count; i++)
        for (right = MW_GETTABLE; has(&l->policies->roles[i], policy) && right <= MW_HEARABLE; right <<= 1)
            if ((rights & right) &&
                mw_server_explain(l->server, l->index, &l->policies->roles[i].name, 1, right, name, NULL) != APP_DENIED)
                return true;
    return false;
}

/* What a rule is about among attributes and commands. */
struct matches {
    size_t count, used;  /* names that can be used so; of them, those that somebody has */
    const char *first;   /* of these names */
    bool is_known;       /* it is about a name that is there, whatever that can be used for */
};

static struct matches match(const struct linting *l, const char *policy, const struct policy_rule *rule)
{
    struct matches m = {0};
    const char *name;
    size_t i;
    int rights;

    for (i = 0; (name = mw_server_name_at(l->server, l->index, i, &rights)) != NULL; i++) {
        if (policy_rule_matches(rule, name, strlen(name)) <= 0)
            continue;
        m.is_known = true;
        if (!(rights & rule->right))
            continue;
        m.count++;
        m.first = m.first ? m.first : name;
        m.used += rule->deny || is_of_use(l, policy, rule->right & rights, name);
    }
    return m;
}

static bool is_named(const struct linting *l, const char *policy)
{
    size_t i;

    for (i = 0; i < l->policies->role_count; i++)
        if (has(&l->policies->roles[i], policy))
            return true;
    return false;
}

static void look_at_regex(struct linting *l, const struct policy_rule *rule, const char *shown)
{
    char name[NAME_BYTES + 1];

    if (!is_anchored(rule->name))
        found(l, rule->line, "'%s' is searched within the name: anchor it by ^ and $, or it is about longer names too", shown);
    if (find_limit(rule->regex, rule->name, name))
        found(l, rule->line, "'%s' is slow: on a name such as '%.4s...!' of %d bytes it meets its limit, which denies", shown, name, NAME_BYTES);
}

/* A rule for one name that can be neither got, set nor called, as far as is known. */
static void look_at_stray(struct linting *l, const struct policy_rule *rule, const char *shown, bool is_known)
{
    const char *near = rule->regex ? NULL : nearest(l, rule->name, rule->right), *hint = near ? "; the nearest is " : "";

    near = near ? near : "";
    if (!(rule->right & (MW_CALLABLE | MW_HEARABLE)) && is_known)
        found(l, rule->line, "'%s' can never be used: what it is about cannot be %s", shown, rule->right == MW_SETTABLE ? "set" : "got");
    else if (!(rule->right & (MW_CALLABLE | MW_HEARABLE)))
        found(l, rule->line, "'%s' can never match: no attribute is named so%s%s", shown, hint, near);
    else if (rule->right == MW_CALLABLE && !rule->regex && is_known)
        found(l, rule->line, "'%s' can never be used: it is an attribute, which is not called", shown);
    else if (rule->right == MW_CALLABLE && *near && words_distance(near, rule->name) <= 2)
        found(l, rule->line, "'%s' is about no command; the nearest is %s", shown, near); /* else a tasklet that comes later */
}

static void look_at_rule(struct linting *l, const mw_policy *policy, const struct policy_rule *rule)
{
    const struct matches m = match(l, policy->name, rule);
    const struct policy_rule *cover = find_cover(policy, rule);
    char shown[POLICY_RULE_SHOWN_BYTES];

    policy_rule_show(shown, rule);
    if (rule->regex)
        look_at_regex(l, rule, shown);
    if (m.count == 0 && rule->name)
        look_at_stray(l, rule, shown, m.is_known);
    else if (m.count > 0 && m.used == 0 && is_named(l, policy->name))
        found(l, rule->line, "'%s' is shadowed: '%s'%s denied to every role that has this policy", shown, m.first,
              m.count == 1 ? " is" : " and all else that it is about are");
    if (cover)
        found(l, rule->line, "'%s' says nothing new: line %d says it too", shown, cover->line);
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

static void look_at_policy(struct linting *l, const mw_policy *policy)
{
    size_t k;

    for (k = 0; k < policy->rule_count; k++)
        look_at_rule(l, policy, &policy->rules[k]);
    if (policy->rule_count == 0)
        found(l, line_of(l, "policy", policy->name), "the policy '%s' says nothing", policy->name);
    if (!is_named(l, policy->name))
        found(l, line_of(l, "policy", policy->name), "no role has the policy '%s'", policy->name);
}

/* Whether a policy may allow what is not known before the app runs: marks, tasklets, channels, and all of a policy that is not this file's. */
static bool is_open_ended(const struct linting *l, const char *name)
{
    size_t i, k;

    for (i = 0; i < l->policies->policy_count; i++) {
        const mw_policy *policy = l->policies->policies[i];

        if (strcmp(policy->name, name) != 0)
            continue;
        for (k = 0; k < policy->rule_count; k++)
            if (!policy->rules[k].deny && (policy->rules[k].right & (MW_CALLABLE | MW_HEARABLE)))
                return true;
        return false;
    }
    return true;
}

static void look_at_role(struct linting *l, const struct app_role *role)
{
    const int line = line_of(l, "role", role->name);
    const char *name;
    size_t i;
    int rights, right;

    if (role->policy_count == 0 && role->grants == 0)
        found(l, line, "the role '%s' has no policies, and so no rights", role->name);
    if (strcmp(role->name, "anonymous") != 0 && words_distance(role->name, "anonymous") <= 2)
        found(l, line, "the role '%s' is for users who are given it; who has not logged in is 'anonymous'", role->name);
    for (i = 0; i < role->policy_count; i++)
        if (is_open_ended(l, role->policies[i]))
            return;
    for (i = 0; (name = mw_server_name_at(l->server, l->index, i, &rights)) != NULL; i++)
        for (right = MW_GETTABLE; right <= MW_CALLABLE; right <<= 1)
            if ((rights & right) && mw_server_explain(l->server, l->index, &role->name, 1, right, name, NULL) != APP_DENIED)
                return;
    if (role->policy_count > 0)
        found(l, line, "the role '%s' has policies, but nothing that it may do", role->name);
}

static void look_at_sections(struct linting *l)
{
    size_t i;

    for (i = 0; i < l->policies->policy_count; i++)
        look_at_policy(l, l->policies->policies[i]);
    for (i = 0; i < l->policies->role_count; i++)
        look_at_role(l, &l->policies->roles[i]);
}

/* Whether a line says in so many words that a name is denied: then it is meant that nobody can reach it. */
static bool is_denied_by_name(const struct linting *l, const char *name)
{
    size_t i, k;

    for (i = 0; i < l->policies->policy_count; i++)
        for (k = 0; k < l->policies->policies[i]->rule_count; k++) {
            const struct policy_rule *rule = &l->policies->policies[i]->rules[k];

            if (rule->deny && rule->name && !rule->regex && strcmp(rule->name, name) == 0)
                return true;
        }
    return false;
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
        if (!is_reached(l, name, rights) && !is_denied_by_name(l, name))
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
