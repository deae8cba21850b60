/* The [policy NAME] and [role NAME] sections of app.ini, made into policies and roles.
 * Not how they decide; that is src/exposable/. Read next: src/app/mount.h, which takes them.
 * SPDX-License-Identifier: MIT */
#include "settings/policies.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "exposable/policy.h"
#include "settings/words.h"

#define MARKED "marked" /* the policy that stands for the attributes' own marks */

static const struct {
    const char *word;
    unsigned grant;
} grant_words[] = {
    {"explain", APP_GRANT_EXPLAIN},     {"list_names", APP_GRANT_LIST_NAMES},   {"mesh_view", APP_GRANT_MESH_VIEW},
    {"mesh_step", APP_GRANT_MESH_STEP}, {"mesh_rewire", APP_GRANT_MESH_REWIRE}, {"users", APP_GRANT_USERS},
};

void policies_clear(struct policies *p)
{
    size_t i, k;

    for (i = 0; i < p->policy_count; i++)
        mw_policy_free(p->policies[i]);
    for (i = 0; i < p->role_count; i++) {
        for (k = 0; k < p->roles[i].policy_count; k++)
            mw_free(p->role_policies[i][k]);
        mw_free(p->role_policies[i]);
        mw_free(p->role_names[i]);
    }
    mw_free(p->policies);
    mw_free(p->roles);
    mw_free(p->role_policies);
    mw_free(p->role_names);
    *p = (struct policies){0};
}

struct app_policies policies_give(struct policies *p)
{
    const struct app_policies given = {.policies = p->policies, .policy_count = p->policy_count, .roles = p->roles,
                                       .role_count = p->role_count};

    p->policy_count = 0;
    return given;
}

/* What is being made, and out of what. */
struct making {
    struct policies *p;
    const struct ini_document *document;
    const mw_app *descriptor; /* NULL: none */
    struct mw_error *ret_error;
};

#define making_fail(m, line, code, ...) ini_document_fail((m)->document, (line), (m)->ret_error, (code), __VA_ARGS__)

/* ---- policies ------------------------------------------------------------------------------------------- */
static mw_policy *policy_find(const struct policies *p, const char *name)
{
    size_t i;

    for (i = 0; i < p->policy_count; i++)
        if (strcmp(mw_policy_name(p->policies[i]), name) == 0)
            return p->policies[i];
    return NULL;
}

/* A section of a name that has come before adds to that policy. */
static int policy_section(struct making *m, const struct ini_section *section)
{
    mw_policy *policy = policy_find(m->p, section->name);
    struct mw_error reason;
    size_t i;
    int err;

    if (strcmp(section->name, MARKED) == 0)
        return making_fail(m, section->line, -EINVAL,
                           "'" MARKED "' stands for what the back end itself marks: name this policy otherwise");
    if (!policy) {
        policy = mw_policy_new(section->name);
        if (!policy)
            return making_fail(m, section->line, -ENOMEM, "out of memory");
        m->p->policies[m->p->policy_count++] = policy;
        if (m->descriptor)
            mw_policy_set_predicates(policy, m->descriptor->predicates, m->descriptor->predicate_count);
    }
    for (i = 0; i < section->entry_count; i++) {
        const struct ini_entry *entry = &section->entries[i];

        policy_set_line(policy, entry->line);
        err = mw_policy_parse(policy, entry->key, entry->value, &reason);
        if (err < 0)
            return making_fail(m, entry->line, err, "%s", reason.text);
    }
    return 0;
}

/* ---- lists of words ---------------------------------------------------------------------------------------- */
/* Take the next word of "a, b , c". *io_list: behind it; NULL: that was the last.
 * returns its length; 0: an empty word */
static size_t word_next(const char **io_list, const char **ret_word)
{
    const char *word = *io_list + strspn(*io_list, " \t");
    size_t bytes = strcspn(word, ",");

    *io_list = word[bytes] == ',' ? word + bytes + 1 : NULL;
    while (bytes > 0 && (word[bytes - 1] == ' ' || word[bytes - 1] == '\t'))
        bytes--;
    *ret_word = word;
    return bytes;
}

static bool is_word(const char *c_string, const char *word, size_t word_bytes)
{
    return strlen(c_string) == word_bytes && memcmp(c_string, word, word_bytes) == 0;
}

/* ---- names of nothing ------------------------------------------------------------------------------------------ */
/* The attribute whose name this is; NULL: none. *ret_near: one that is close, or NULL. */
static const mw_attribute *attribute_find(const mw_app *descriptor, const char *word, const char **ret_near)
{
    size_t i, distance, nearest = (strlen(word) + 1) / 2 + 1;

    *ret_near = NULL;
    for (i = 0; descriptor && i < descriptor->attribute_count; i++) {
        const char *name = descriptor->attributes[i].name;

        if (strcmp(name, word) == 0)
            return &descriptor->attributes[i];
        distance = words_distance(name, word);
        if (distance < nearest) {
            nearest = distance;
            *ret_near = name;
        }
    }
    return NULL;
}

void policies_tell_strays(const struct ini_document *d, const mw_app *descriptor,
                          void (*tell)(void *context, const char *line), void *context)
{
    struct policies policies = {0};
    size_t i, k;

    if (policies_from_ini(d, descriptor, &policies, NULL) < 0)
        return; /* out of memory: it could be read a moment ago */
    for (i = 0; i < policies.policy_count; i++)
        for (k = 0; k < policies.policies[i]->rule_count; k++) {
            const struct policy_rule *rule = &policies.policies[i]->rules[k];
            const char *near;
            char line[1024];

            if (!rule->name || rule->regex || !(rule->right & MW_EXPOSED) || attribute_find(descriptor, rule->name, &near))
                continue;
            (void)snprintf(line, sizeof(line), "'%s': line %d: '%s' is no attribute, so this says nothing%s%s", d->file, rule->line,
                           rule->name, near ? "; the nearest is " : "", near ? near : "");
            tell(context, line);
        }
    policies_clear(&policies);
}

/* ---- roles -------------------------------------------------------------------------------------------------- */
static bool is_policy(const struct making *m, const char *word, size_t word_bytes)
{
    size_t i;

    for (i = 0; i < m->p->policy_count; i++)
        if (is_word(mw_policy_name(m->p->policies[i]), word, word_bytes))
            return true;
    for (i = 0; m->descriptor && i < m->descriptor->policy_count; i++)
        if (m->descriptor->policies[i].name && is_word(m->descriptor->policies[i].name, word, word_bytes))
            return true;
    return is_word(MARKED, word, word_bytes);
}

static int role_add_policy(struct making *m, size_t role, int line, const char *word, size_t word_bytes)
{
    struct app_role *r = &m->p->roles[role];
    char **list = m->p->role_policies[role];
    char *copy;
    size_t i;

    if (!is_policy(m, word, word_bytes))
        return making_fail(m, line, -EINVAL, "there is no policy '%.*s': neither [policy %.*s] here nor one of the back end",
                           (int)(word_bytes < 64 ? word_bytes : 64), word, (int)(word_bytes < 64 ? word_bytes : 64), word);
    for (i = 0; i < r->policy_count; i++)
        if (is_word(list[i], word, word_bytes))
            return 0;
    list = mw_resize(list, (r->policy_count + 1) * sizeof(*list));
    if (list) {
        m->p->role_policies[role] = list;
        r->policies = (const char *const *)list;
    }
    copy = list ? mw_alloc(word_bytes + 1) : NULL;
    if (!copy)
        return making_fail(m, line, -ENOMEM, "out of memory");
    memcpy(copy, word, word_bytes);
    copy[word_bytes] = '\0';
    list[r->policy_count++] = copy;
    return 0;
}

static int role_add_grant(struct making *m, size_t role, int line, const char *word, size_t word_bytes)
{
    size_t i;

    for (i = 0; i < MW_COUNT(grant_words); i++) {
        if (is_word(grant_words[i].word, word, word_bytes)) {
            m->p->roles[role].grants |= grant_words[i].grant;
            return 0;
        }
    }
    return making_fail(m, line, -EINVAL,
                       "'%.*s' is no grant (explain, list_names, mesh_view, mesh_step, mesh_rewire, users)",
                       (int)(word_bytes < 64 ? word_bytes : 64), word);
}

static int role_entry(struct making *m, size_t role, const struct ini_entry *entry)
{
    const bool is_grants = strcmp(entry->key, "grants") == 0;
    const char *list = *entry->value ? entry->value : NULL;
    int err = 0;

    if (!is_grants && strcmp(entry->key, "policies") != 0)
        return making_fail(m, entry->line, -EINVAL, "'%.64s' is no key of a role (policies, grants)", entry->key);
    while (err == 0 && list) {
        const char *word = NULL;
        size_t word_bytes = word_next(&list, &word);

        if (word_bytes == 0)
            err = making_fail(m, entry->line, -EINVAL, "an empty name: a comma too many");
        else if (is_grants)
            err = role_add_grant(m, role, entry->line, word, word_bytes);
        else
            err = role_add_policy(m, role, entry->line, word, word_bytes);
    }
    return err;
}

/* A section of a name that has come before adds to that role. */
static int role_section(struct making *m, const struct ini_section *section)
{
    struct policies *p = m->p;
    size_t role, i;
    int err = 0;

    for (role = 0; role < p->role_count; role++)
        if (strcmp(p->roles[role].name, section->name) == 0)
            break;
    if (role == p->role_count) {
        p->role_names[role] = mw_copy_text(section->name);
        if (!p->role_names[role])
            return making_fail(m, section->line, -ENOMEM, "out of memory");
        p->roles[role].name = p->role_names[role];
        p->role_count++;
    }
    for (i = 0; err == 0 && i < section->entry_count; i++)
        err = role_entry(m, role, &section->entries[i]);
    return err;
}

/* ---- all ------------------------------------------------------------------------------------------------------ */
/* Room for as many policies and roles as there are sections. */
static int policies_reserve(struct policies *p, size_t count)
{
    p->policies = mw_alloc_zeroed(count, sizeof(mw_policy *));
    p->roles = mw_alloc_zeroed(count, sizeof(struct app_role));
    p->role_policies = mw_alloc_zeroed(count, sizeof(char **));
    p->role_names = mw_alloc_zeroed(count, sizeof(char *));
    return p->policies && p->roles && p->role_policies && p->role_names ? 0 : -ENOMEM;
}

int policies_from_ini(const struct ini_document *d, const mw_app *descriptor, struct policies *ret, struct mw_error *ret_error)
{
    struct policies made = {0};
    struct making making = {&made, d, descriptor, ret_error};
    int err;
    size_t i;

    if (descriptor && (descriptor->abi != MW_ABI || descriptor->size < sizeof(*descriptor)))
        making.descriptor = NULL; /* of another version: app_open says so */
    err = policies_reserve(&made, d->section_count);
    if (err < 0)
        mw_fail(ret_error, err, "read '%s': out of memory", d->file);
    /* Policies first: a role may stand above the policies that it names. */
    for (i = 0; err == 0 && i < d->section_count; i++)
        if (strcmp(d->sections[i].kind, "policy") == 0)
            err = policy_section(&making, &d->sections[i]);
    for (i = 0; err == 0 && i < d->section_count; i++)
        if (strcmp(d->sections[i].kind, "role") == 0)
            err = role_section(&making, &d->sections[i]);
    if (err < 0) {
        policies_clear(&made);
        return err;
    }
    *ret = made;
    return 0;
}
