/* The text of a policy's members, as in app.ini: a name, /regex/, @predicate, or either of the first two with a predicate.
 * Not the file around it; that is src/settings/ini.c. Read next: decision.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "exposable/policy.h"

/* The keys of a [policy] section; each also with deny_ before it. */
static const struct {
    const char *word;
    int right;
} policy_keys[] = {
    {"exposed", MW_EXPOSED},   {"gettable", MW_GETTABLE}, {"settable", MW_SETTABLE},
    {"callable", MW_CALLABLE}, {"hearable", MW_HEARABLE},
};

static int policy_key(const char *key, int *ret_right, bool *ret_deny, struct mw_error *ret_error)
{
    const bool deny = strncmp(key, "deny_", 5) == 0;
    char shown[NAME_SHOWN_BYTES];
    size_t i;

    for (i = 0; i < MW_COUNT(policy_keys); i++) {
        if (strcmp(key + (deny ? 5 : 0), policy_keys[i].word) == 0) {
            *ret_right = policy_keys[i].right;
            *ret_deny = deny;
            return 0;
        }
    }
    return mw_fail(ret_error, -EINVAL,
                   "'%s' is no right (exposed, gettable, settable, callable, hearable, or deny_ before one of them)",
                   name_show(shown, key, strlen(key)));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Where the regex that starts at text[0] == '/' ends: behind its closing slash; NULL: it has none. */
static const char *regex_end(const char *text, const char *end)
{
    const char *at;

    for (at = text + 1; at < end; at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        else if (*at == '/')
            return at + 1;
    }
    return NULL;
}

/* Find the member that starts at text: it ends at a comma that is not inside a regex.
 * returns its end, which is a comma or end; NULL: a regex without end */
static const char *member_end(const char *text, const char *end)
{
    const char *at = text;

    if (at < end && *at == '/') {
        at = regex_end(at, end);
        if (!at)
            return NULL;
    }
    while (at < end && *at != ',')
        at++;
    return at;
}

/* A member in its parts. */
struct member {
    const char *name, *regex, *predicate; /* NULL: none */
    size_t name_bytes, regex_bytes, predicate_bytes;
};

/* Take a member apart: name, /regex/, @predicate, name@predicate, /regex/@predicate. */
static int member_split(const char *member, size_t member_bytes, struct member *ret, struct mw_error *ret_error)
{
    const char *end = member + member_bytes, *at = memchr(member, '@', member_bytes);
    const char *fault = NULL;
    char shown[NAME_SHOWN_BYTES];

    name_show(shown, member, member_bytes);
    *ret = (struct member){0};
    if (member_bytes == 0)
        return mw_fail(ret_error, -EINVAL, "an empty member: a comma too many");
    if (*member == '/') {
        at = regex_end(member, end);
        at = at ? at : end; /* member_end has seen that there is one */
        if (at < end && *at != '@')
            return mw_fail(ret_error, -EINVAL, "'%s': after the / that ends a regex only , or @ may follow", shown);
        ret->regex = member + 1;
        ret->regex_bytes = (size_t)(at - member - 2);
        at = at < end ? at : NULL;
    } else if (at != member) {
        ret->name = member;
        ret->name_bytes = at ? (size_t)(at - member) : member_bytes;
        fault = name_fault(ret->name, ret->name_bytes);
        if (fault && at)
            return mw_fail(ret_error, -EINVAL, "the name of '%s' %s", shown, fault);
        if (fault)
            return mw_fail(ret_error, -EINVAL, "'%s' %s", shown, fault);
    }
    if (!at)
        return 0;
    ret->predicate = at + 1;
    ret->predicate_bytes = (size_t)(end - at - 1);
    fault = name_fault(ret->predicate, ret->predicate_bytes);
    return fault ? mw_fail(ret_error, -EINVAL, "the predicate of '%s' %s", shown, fault) : 0;
}

static int find_predicate(const mw_policy *policy, const struct member *m, const mw_predicate **ret, struct mw_error *ret_error)
{
    char shown[NAME_SHOWN_BYTES];
    size_t i;

    *ret = NULL;
    if (!m->predicate)
        return 0;
    for (i = 0; i < policy->predicate_count; i++) {
        *ret = &policy->predicates[i];
        if ((*ret)->name && (*ret)->ask && strlen((*ret)->name) == m->predicate_bytes && memcmp((*ret)->name, m->predicate, m->predicate_bytes) == 0)
            return 0;
    }
    name_show(shown, m->predicate, m->predicate_bytes);
    if (policy->predicate_count == 0 || !policy->predicates[0].name)
        return mw_fail(ret_error, -EINVAL, "there is no predicate '%s': the back end declares none", shown);
    return mw_fail(ret_error, -EINVAL, "the back end has no predicate '%s'; it has '%s'%s", shown, policy->predicates[0].name,
                   policy->predicate_count > 1 ? " and others" : "");
}

static int member_add(mw_policy *policy, int right, bool deny, const char *member, size_t member_bytes, struct mw_error *ret_error)
{
    const mw_predicate *predicate = NULL;
    struct regex *regex = NULL;
    struct mw_error why;
    struct member m;
    char shown[NAME_SHOWN_BYTES];
    int err = member_split(member, member_bytes, &m, ret_error);

    if (err == 0)
        err = find_predicate(policy, &m, &predicate, ret_error);
    if (err < 0)
        return err;
    if (m.regex) {
        err = regex_new(m.regex, m.regex_bytes, &regex, &why);
        if (err < 0)
            return mw_fail(ret_error, err, "'%s' %s", name_show(shown, member, member_bytes), why.text);
        m.name = m.regex;
        m.name_bytes = m.regex_bytes;
    }
    err = policy_add(policy, right, deny, m.name, m.name_bytes, regex, predicate);
    return err < 0 ? mw_fail(ret_error, err, "add a rule to policy '%s': %s", policy->name, mw_strerror(err)) : 0;
}

/* Take the next member from *io_at: trimmed, its comma passed.
 * returns 1 one; 0 no more; negative */
static int member_next(const char **io_at, const char *end, const char **ret_member, size_t *ret_bytes,
                       struct mw_error *ret_error)
{
    const char *at = *io_at;
    const char *stop;
    char shown[NAME_SHOWN_BYTES];

    if (!at)
        return 0;
    while (at < end && is_blank(*at))
        at++;
    stop = member_end(at, end);
    if (!stop)
        return mw_fail(ret_error, -EINVAL, "'%s' is a regex without its closing /",
                       name_show(shown, at, (size_t)(end - at)));
    *io_at = stop < end ? stop + 1 : NULL;
    while (stop > at && is_blank(stop[-1]))
        stop--;
    *ret_member = at;
    *ret_bytes = (size_t)(stop - at);
    return 1;
}

int mw_policy_parse(mw_policy *policy, const char *key, const char *members, struct mw_error *ret_error)
{
    const char *end = members + strlen(members);
    const size_t rules_before = policy->rule_count;
    const char *at = members + strspn(members, " \t");
    const char *member = members;
    size_t member_bytes = 0;
    int right = 0;
    bool deny = false;
    int err = policy_key(key, &right, &deny, ret_error);

    if (err < 0 || at == end)
        return err;
    while ((err = member_next(&at, end, &member, &member_bytes, ret_error)) > 0) {
        err = member_add(policy, right, deny, member, member_bytes, ret_error);
        if (err < 0)
            break;
    }
    if (err < 0 && policy->rule_count > rules_before)
        policy_cut(policy, rules_before);
    return err;
}

const char *policy_rule_show(char out[POLICY_RULE_SHOWN_BYTES], const struct policy_rule *rule)
{
    const char *name = rule->name ? rule->name : "", *slash = rule->regex ? "/" : "";
    char rights[64] = "";
    size_t i, count = 0;

    for (i = 0; i < MW_COUNT(policy_keys) && rule->right != policy_keys[i].right; i++)
        ;
    if (i < MW_COUNT(policy_keys)) {
        (void)snprintf(rights, sizeof rights, "%s%s", rule->deny ? "deny_" : "", policy_keys[i].word);
    } else { /* of a rule in C: several at once */
        for (i = 1; i < MW_COUNT(policy_keys); i++)
            if (rule->right & policy_keys[i].right)
                count += (size_t)snprintf(rights + count, sizeof rights - count, "%s%s%s", count ? "+" : "",
                                          rule->deny ? "deny_" : "", policy_keys[i].word);
    }
    (void)snprintf(out, POLICY_RULE_SHOWN_BYTES, "%s = %s%s%s%s%s", rights, slash, name, slash, rule->predicate ? "@" : "",
                   rule->predicate && rule->predicate->name ? rule->predicate->name : rule->predicate ? "?" : "");
    return out;
}
