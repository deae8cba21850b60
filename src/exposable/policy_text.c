/* The text of a policy's members, as in app.ini: a name, /regex/, @predicate, or either of the first two with a predicate.
 * Not the file around it; that is src/server/ini.c. Read next: decision.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
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

/* Refuse what is no plain name. */
static int member_check(const char *member, size_t member_bytes, struct mw_error *ret_error)
{
    const char *end = member + member_bytes;
    const char *at = memchr(member, '@', member_bytes);
    const char *fault;
    char shown[NAME_SHOWN_BYTES];

    name_show(shown, member, member_bytes);
    if (member_bytes == 0)
        return mw_fail(ret_error, -EINVAL, "an empty member: a comma too many");
    if (*member == '/') {
        at = regex_end(member, end);
        at = at ? at : end;
        if (at < end && *at != '@')
            return mw_fail(ret_error, -EINVAL, "'%s': after the / that ends a regex only , or @ may follow", shown);
        if (at - member == 2)
            return mw_fail(ret_error, -EINVAL, "'%s' is an empty regex", shown);
        fault = at < end ? name_fault(at + 1, (size_t)(end - at - 1)) : NULL;
        if (fault)
            return mw_fail(ret_error, -EINVAL, "the predicate of '%s' %s", shown, fault);
        return mw_fail(ret_error, -EINVAL,
                       "'%s' is a regex: this version decides exact names only, so list the names", shown);
    }
    if (at) {
        fault = at > member ? name_fault(member, (size_t)(at - member)) : NULL;
        if (fault)
            return mw_fail(ret_error, -EINVAL, "the name of '%s' %s", shown, fault);
        fault = name_fault(at + 1, (size_t)(end - at - 1));
        if (fault)
            return mw_fail(ret_error, -EINVAL, "the predicate of '%s' %s", shown, fault);
        return mw_fail(ret_error, -EINVAL, "'%s' asks a predicate: this version decides exact names only", shown);
    }
    fault = name_fault(member, member_bytes);
    return fault ? mw_fail(ret_error, -EINVAL, "'%s' %s", shown, fault) : 0;
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
        err = member_check(member, member_bytes, ret_error);
        if (err < 0)
            break;
        err = policy_add(policy, right, deny, member, member_bytes);
        if (err < 0) {
            mw_fail(ret_error, err, "add a rule to policy '%s': %s", policy->name, mw_strerror(err));
            break;
        }
    }
    if (err < 0 && policy->rule_count > rules_before)
        policy_cut(policy, rules_before);
    return err;
}
