/* Fuzz target F9: policies and names. room: exposable
 * Lines: "gettable /^a/, b@no" is a member of the policy, "? NAME" asks about a name, "-" begins another policy. Oracles: rules read
 * one by one decide as the compiled decisions, mw_view_may and mw_view_explain do; a rule that is shown reads as itself; the short
 * way of a regex finds what its whole does; a line that is refused changes nothing.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/utf8.h"
#include "exposable/policy.h"
#include "slices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { POLICIES = 3, RULES = 64, QUESTIONS = 16 };

/* ---- predicates: each always says the same ------------------------------------------------------------- */
static int say_yes(const mw_access *access)
{
    PROMISE(strlen(access->name) <= NAME_BYTES);
    return 1;
}
static int say_no(const mw_access *access)
{
    (void)access;
    return 0;
}
static int fail(const mw_access *access)
{
    (void)access;
    return -EIO;
}
static const mw_predicate predicates[] = {{"yes", say_yes}, {"no", say_no}, {"fails", fail}};

static const mw_attribute attributes[] = {
    {.name = "a", .field_bytes = 4, .kind = MW_INT, .marks = MW_EXPOSED},
    {.name = "motor.speed", .field_bytes = 4, .kind = MW_INT},
    {.name = "motor.speed.", .field_bytes = 4, .kind = MW_INT, .marks = MW_GETTABLE, .read_only = true},
    {.name = "\xc3\xa9", .field_bytes = 4, .kind = MW_INT},         /* é in one character */
    {.name = "e\xcc\x81", .field_bytes = 4, .kind = MW_INT},        /* and in two */
};

struct world {
    mw_policy *policies[POLICIES];
    const mw_policy *list[POLICIES + 1]; /* and the marks */
    mw_exposable *e;
    mw_view view;
};

/* ---- lines ------------------------------------------------------------------------------------------------ */
static bool is_same_rule(const struct policy_rule *a, const struct policy_rule *b)
{
    return a->right == b->right && a->deny == b->deny && a->predicate == b->predicate && !a->regex == !b->regex && !a->name == !b->name &&
           a->name_bytes == b->name_bytes && (!a->name || memcmp(a->name, b->name, a->name_bytes) == 0);
}

static void read_again(const struct policy_rule *rule)
{
    mw_policy *policy = mw_policy_new("again");
    char shown[POLICY_RULE_SHOWN_BYTES], *equals;

    if (!policy)
        return;
    mw_policy_set_predicates(policy, predicates, MW_COUNT(predicates));
    (void)policy_rule_show(shown, rule);
    equals = strstr(shown, " = ");
    PROMISE(equals != NULL);
    *equals = '\0';
    PROMISE(mw_policy_parse(policy, shown, equals + 3, NULL) == 0);
    PROMISE(policy->rule_count == 1 && is_same_rule(rule, policy->rules));
    mw_policy_free(policy);
}

static void add_line(mw_policy *policy, char *line)
{
    char *members = line + strcspn(line, " \t");
    const size_t before = policy->rule_count;
    const uint64_t stamp = policy->stamp;
    struct mw_error error = {0};
    size_t i;

    if (*members)
        *members++ = '\0';
    if (before >= RULES)
        return;
    if (mw_policy_parse(policy, line, members, &error) == 0) {
        for (i = before; i < policy->rule_count; i++)
            read_again(&policy->rules[i]);
        return;
    }
    PROMISE(policy->rule_count == before);
    PROMISE(before > 0 || policy->stamp == stamp || policy->names.count == 0);
    PROMISE(error.code < 0 && *error.text && mw_utf8_is_valid(error.text, strlen(error.text)));
    for (i = 0; error.text[i]; i++)
        PROMISE((unsigned char)error.text[i] >= 0x20 && error.text[i] != 0x7f);
}

/* ---- what is decided, rule by rule --------------------------------------------------------------------------- */
/* The same regex without the comparison of its first letters. */
static void match_whole(const struct policy_rule *rule, const char *name, size_t name_bytes, int found)
{
    char pattern[REGEX_BYTES + 1];
    struct regex *whole = NULL;
    int again;

    if (rule->name_bytes > REGEX_BYTES - 4 || strncmp(rule->name, "(*", 2) == 0)
        return; /* (*WORDS) stand at the beginning or are none */
    memcpy(pattern, "(?:)", 4);
    memcpy(pattern + 4, rule->name, rule->name_bytes);
    if (regex_new(pattern, rule->name_bytes + 4u, &whole, NULL) < 0)
        return;
    again = regex_match(whole, name, name_bytes);
    PROMISE(again == found || again < 0 || found < 0); /* a limit may be met by one of them alone */
    regex_free(whole);
}

static int is_about(const struct policy_rule *rule, const char *name, size_t name_bytes)
{
    int found;

    if (!rule->regex)
        return !rule->name || (strlen(rule->name) == name_bytes && memcmp(rule->name, name, name_bytes) == 0);
    found = regex_match(rule->regex, name, name_bytes);
    match_whole(rule, name, name_bytes, found);
    return found;
}

/* returns whether it is allowed; *ret_shown: whether it is, if each predicate might allow and none deny */
static bool decide(const struct world *w, int right, int index, const char *name, size_t name_bytes, bool *ret_shown)
{
    bool allowed = index >= 0 && (attributes[index].marks & right), denied = false, may_allow = allowed, surely_denied = false;
    const mw_access access = {.right = right, .name = "", .object = NULL};
    size_t i, k;

    for (i = 0; i < POLICIES; i++)
        for (k = 0; k < w->policies[i]->rule_count; k++) {
            const struct policy_rule *rule = &w->policies[i]->rules[k];
            int about = (rule->right & right) ? is_about(rule, name, name_bytes) : 0;
            int holds = about > 0 && rule->predicate ? rule->predicate->ask(&access) : about;

            denied = denied || holds < 0 || (holds > 0 && rule->deny);
            allowed = allowed || (holds > 0 && !rule->deny);
            surely_denied = surely_denied || about < 0 || (about > 0 && rule->deny && !rule->predicate);
            may_allow = may_allow || (about > 0 && !rule->deny);
        }
    *ret_shown = may_allow && !surely_denied;
    return allowed && !denied;
}

static void ask_right(const struct world *w, int right, int index, const char *name, size_t name_bytes)
{
    const bool is_name = name_bytes > 0 && name_bytes <= NAME_BYTES; /* others are never allowed */
    bool is_shown = false, is_allowed = is_name && decide(w, right, index, name, name_bytes, &is_shown);
    mw_value trail = mw_null();

    PROMISE(((mw_view_rights(&w->view, name, name_bytes) & right) != 0) == is_shown);
    PROMISE(mw_view_may(&w->view, right, name, name_bytes) == is_allowed);
    PROMISE(mw_view_explain(&w->view, right, name, name_bytes, &trail) == is_allowed);
    PROMISE(mw_kind_of(trail) == MW_MAP && mw_map_get(trail, "why") != NULL);
    mw_release(trail);
    if (index >= 0)
        PROMISE(((mw_view_rights_at(&w->view, (size_t)index) & right) != 0) == is_shown);
    if (right == MW_GETTABLE) {
        mw_value got = mw_null();
        int err = mw_view_get_one(&w->view, name, name_bytes, &got, NULL);

        PROMISE(is_allowed ? err == (index >= 0 ? 0 : -ENOENT) : err == -EACCES);
        mw_release(got);
    }
}

static void ask(const struct world *w, const char *name, size_t name_bytes)
{
    int right, index = mw_exposable_find(w->e, name, name_bytes);

    for (right = MW_GETTABLE; right <= MW_HEARABLE; right <<= 1)
        ask_right(w, right, index, name, name_bytes);
}

/* ---- all ------------------------------------------------------------------------------------------------------ */
static bool world_open(struct world *w, int32_t *object)
{
    size_t i;

    *w = (struct world){0};
    for (i = 0; i < POLICIES; i++) {
        w->list[i] = w->policies[i] = mw_policy_new("fuzz");
        if (!w->policies[i])
            return false;
        mw_policy_set_predicates(w->policies[i], predicates, MW_COUNT(predicates));
    }
    if (mw_exposable_new(attributes, MW_COUNT(attributes), object, &w->e, NULL) < 0)
        return false;
    w->view = mw_view_of(w->e, w->list, POLICIES + 1);
    return true;
}

static void world_close(struct world *w)
{
    size_t i;

    mw_exposable_free(w->e);
    for (i = 0; i < POLICIES; i++)
        mw_policy_free(w->policies[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mw_alloc(size + 1), *at = text, *end = text + size;
    size_t policy = 0, questions = 0, i;
    int32_t object = 7;
    struct world w;

    if (!text || size > 8192 || !world_open(&w, &object)) {
        mw_free(text);
        return 0;
    }
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    while (at < end) {
        char *stop = memchr(at, '\n', (size_t)(end - at));

        stop = stop ? stop : end;
        *stop = '\0';
        if (at[0] == '-')
            policy = (policy + 1) % POLICIES;
        else if (at[0] == '?' && questions++ < QUESTIONS)
            ask(&w, at + 1 + (at[1] == ' '), (size_t)(stop - at) - 1 - (at[1] == ' '));
        else if (at[0] != '?')
            add_line(w.policies[policy], at);
        at = stop + 1;
    }
    for (i = 0; i < MW_COUNT(attributes); i++)
        ask(&w, attributes[i].name, strlen(attributes[i].name));
    ask(&w, "no.line.says.this.name", 22);
    world_close(&w);
    mw_free(text);
    return 0;
}
