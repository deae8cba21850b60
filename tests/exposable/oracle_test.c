/* Random policies over random tables, against forty lines that decide by reading every rule each time; and the same
 * room when memory runs out.
 * SPDX-License-Identifier: MIT */
#include <meshwork/exposable.h>

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "check.h"

/* ---- a seeded generator: MW_SEED repeats a run ------------------------------------------------------ */
static uint64_t seed_state;

static uint64_t seed(void)
{
    const char *given = getenv("MW_SEED");

    return given ? strtoull(given, NULL, 10) : 20261123;
}

static unsigned pick(unsigned below)
{
    seed_state ^= seed_state << 13;
    seed_state ^= seed_state >> 7;
    seed_state ^= seed_state << 17;
    return (unsigned)((seed_state >> 20) % below);
}

/* ---- the case and its oracle -------------------------------------------------------------------------- */
#define NAMES 12 /* the first ATTRIBUTES of them exist */
#define ATTRIBUTES 8
#define POLICIES 4
#define RULES 8
#ifdef MW_CHECKED /* ten times slower */
#define CASES 100000
#else
#define CASES 1000000
#endif

static const char *const names[NAMES] = {"a",  "b",   "aa",  "A",     "motor",     "motor.speed",
                                         "é", "a.b", "a.", "motor.", "motor.spee", "zzzzzzzzzzzzzzzzzzzzzzzzzz"};

/* Regexes, and the same in C. */
static bool begins_with_a(const char *name)
{
    return name[0] == 'a';
}
static bool has_a_dot(const char *name)
{
    return strchr(name, '.') != NULL;
}
static bool is_motor(const char *name)
{
    return strcmp(name, "motor") == 0 || strncmp(name, "motor.", 6) == 0;
}
static const struct {
    const char *regex;
    bool (*matches)(const char *name);
} patterns[] = {{"^a", begins_with_a}, {"\\.", has_a_dot}, {"^motor(\\.|$)", is_motor}};

static int answers[2]; /* of the predicates: 1, 0 or negative */

static int ask_first(const mw_access *access)
{
    (void)access;
    return answers[0];
}
static int ask_second(const mw_access *access)
{
    (void)access;
    return answers[1];
}
static const mw_predicate predicates[2] = {{"first", ask_first}, {"second", ask_second}};

static bool is_about(const mw_rule *rule, const char *name)
{
    size_t i;

    for (i = 0; rule->regex && i < MW_COUNT(patterns); i++)
        if (patterns[i].regex == rule->regex)
            return patterns[i].matches(name);
    return !rule->name || strcmp(rule->name, name) == 0;
}

struct plain_policy {
    mw_rule rules[RULES];
    size_t rule_count;
};

/* What is decided, read off the definitions: union of policies, a deny wins, nothing said is denied, a predicate that fails
 * denies. marks: of that name, 0 where there is no such attribute. are_asked: predicates decide; else what is shown: each
 * might allow and none deny */
static int oracle(const struct plain_policy *const *policies, size_t count, const char *name, int marks, bool are_asked)
{
    int right, decided = 0;
    size_t i, k;

    for (right = MW_GETTABLE; right <= MW_HEARABLE; right *= 2) {
        bool is_allowed = false, is_denied = false;

        for (i = 0; i < count; i++) {
            if (!policies[i]) {
                is_allowed = is_allowed || (marks & right);
                continue;
            }
            for (k = 0; k < policies[i]->rule_count; k++) {
                const mw_rule *rule = &policies[i]->rules[k];

                int holds = 1;

                if (!is_about(rule, name) || !(rule->right & right))
                    continue;
                if (rule->predicate)
                    holds = are_asked ? answers[rule->predicate - predicates] : !rule->deny;
                is_allowed = is_allowed || (holds > 0 && !rule->deny);
                is_denied = is_denied || holds < 0 || (holds > 0 && rule->deny);
            }
        }
        if (is_allowed && !is_denied)
            decided |= right;
    }
    return decided;
}

/* ---- one world: an object, policies that change while views live ---------------------------------------- */
struct world {
    int32_t fields[ATTRIBUTES];
    mw_attribute attributes[ATTRIBUTES];
    int marks[NAMES];
    mw_exposable *e;
    mw_policy *policies[POLICIES];
    struct plain_policy plain[POLICIES];
};

static void world_open(struct world *w)
{
    size_t i;

    memset(w, 0, sizeof(*w));
    for (i = 0; i < ATTRIBUTES; i++) {
        w->marks[i] = (int)pick(4);
        w->attributes[i] = (mw_attribute){.name = names[i], .offset = i * sizeof(int32_t), .field_bytes = 4,
                                          .kind = MW_INT, .marks = w->marks[i], .read_only = pick(4) == 0};
    }
    CHECK_INT(mw_exposable_new(w->attributes, ATTRIBUTES, w->fields, &w->e, NULL), 0);
    for (i = 0; i < POLICIES; i++)
        CHECK((w->policies[i] = mw_policy_new("p")) != NULL);
}

static void world_close(struct world *w)
{
    size_t i;

    for (i = 0; i < POLICIES; i++)
        mw_policy_free(w->policies[i]);
    mw_exposable_free(w->e);
}

/* Change something: a rule more, a mark more or less, or a policy begun anew. returns the policy that is another one
 * now, POLICIES: none */
static size_t world_change(struct world *w)
{
    const unsigned k = pick(POLICIES), n = pick(NAMES);
    struct plain_policy *plain = &w->plain[k];
    const unsigned kind = pick(6); /* 0, 1: a regex; 2: every name, on a condition */
    const mw_rule rule = {.right = (int)pick(15) + 1,
                          .name = kind > 2 ? names[n] : NULL,
                          .regex = kind < 2 ? patterns[pick(MW_COUNT(patterns))].regex : NULL,
                          .predicate = kind == 2 || pick(4) == 0 ? &predicates[pick(2)] : NULL,
                          .deny = pick(3) == 0};
    const int mark = (int)pick(3) + 1;

    if (pick(4) == 0 && n < ATTRIBUTES) {
        mw_expose(w->e, names[n], mark);
        w->marks[n] |= mark;
    } else if (pick(4) == 0 && n < ATTRIBUTES) {
        mw_unexpose(w->e, names[n], mark);
        w->marks[n] &= ~mark;
    } else if (plain->rule_count < RULES) {
        CHECK_INT(mw_policy_add(w->policies[k], &rule), 0);
        plain->rules[plain->rule_count++] = rule;
    } else {
        mw_policy_free(w->policies[k]);
        CHECK((w->policies[k] = mw_policy_new("p")) != NULL);
        plain->rule_count = 0;
        return k;
    }
    return POLICIES;
}

/* Ask about one name in every way, and compare. returns how many answers were compared */
static int64_t world_ask(struct world *w, const mw_view *view, const struct plain_policy *const *plain, unsigned n)
{
    const int marks = n < ATTRIBUTES ? w->marks[n] : 0;
    const int shown = oracle(plain, view->policy_count, names[n], marks, false);
    const size_t bytes = strlen(names[n]);
    mw_value v = mw_null();
    int err, right, want;

    answers[0] = (int)pick(3) - 1;
    answers[1] = (int)pick(3) - 1;
    want = oracle(plain, view->policy_count, names[n], marks, true);
    CHECK_INT(mw_view_rights(view, names[n], bytes), shown);
    for (right = MW_GETTABLE; right <= MW_HEARABLE; right *= 2)
        CHECK_INT(mw_view_may(view, right, names[n], bytes), (want & right) != 0);
    right = 1 << pick(4);
    CHECK_INT(mw_view_explain(view, right, names[n], bytes, &v), (want & right) != 0);
    mw_release(v);
    err = mw_view_get_one(view, names[n], bytes, &v, NULL);
    CHECK_INT(err, !(want & MW_GETTABLE) ? -EACCES : n < ATTRIBUTES ? 0 : -ENOENT);
    err = mw_view_set_one(view, names[n], bytes, mw_int((int64_t)n), NULL);
    CHECK_INT(err, !(want & MW_SETTABLE)         ? -EACCES
                   : n >= ATTRIBUTES             ? -ENOENT
                   : w->attributes[n].read_only ? -EROFS
                                                 : 0);
    if (n < ATTRIBUTES)
        CHECK_INT(mw_view_rights_at(view, n), shown);
    return 8 + (n < ATTRIBUTES);
}

static void random_decisions_agree_with_the_oracle(void)
{
    static struct world w;
    int64_t asked = 0;
    int round, i;

    seed_state = seed();
    while (asked < CASES) {
        world_open(&w);
        for (round = 0; round < 60; round++) {
            const struct plain_policy *plain[POLICIES + 1];
            const mw_policy *list[POLICIES + 1];
            const size_t count = pick(POLICIES + 2);
            mw_view view;
            size_t k, renewed;

            for (k = 0; k < count; k++) {
                const unsigned which = pick(POLICIES + 1);

                list[k] = which < POLICIES ? w.policies[which] : NULL;
                plain[k] = which < POLICIES ? &w.plain[which] : NULL;
            }
            view = mw_view_of(w.e, list, count);
            for (i = 0; i < 3; i++)
                asked += world_ask(&w, &view, plain, pick(NAMES));
            renewed = world_change(&w); /* under a living view */
            for (k = 0; k < count; k++)
                if (plain[k] == &w.plain[renewed % POLICIES] && renewed < POLICIES)
                    break; /* its policy is gone: the view must not be used again */
            if (k == count)
                asked += world_ask(&w, &view, plain, pick(NAMES));
        }
        world_close(&w);
    }
    printf("     %lld answers compared, seed %llu\n", (long long)asked, (unsigned long long)seed());
}

/* ---- memory runs out ----------------------------------------------------------------------------------- */
struct notes {
    char title[64], body[64];
    int64_t count;
};

static const mw_attribute notes_attributes[] = {
    {MW_FIELD(struct notes, title), .kind = MW_TEXT, .marks = MW_EXPOSED},
    {MW_FIELD(struct notes, body), .kind = MW_TEXT},
    {MW_FIELD(struct notes, count), .kind = MW_INT, .marks = MW_GETTABLE},
};

/* Fill a policy; all or none of it. */
static int fill_policy(mw_policy *policy)
{
    const mw_policy *list[1] = {policy};
    mw_exposable *empty = NULL;
    int err = mw_policy_parse(policy, "exposed", "title, body, count, some.more, names.to, make.it, /^grow[.]/", NULL);
    int rights;

    if (err < 0 && mw_exposable_new(NULL, 0, NULL, &empty, NULL) == 0) {
        mw_view view = mw_view_of(empty, list, 1);

        rights = mw_view_rights(&view, "title", 5);
        mw_exposable_free(empty);
        CHECK_INT(rights, 0);
    }
    return err;
}

/* Get and set through a view; each answer is right or says that memory ran out. */
static int use_view(mw_exposable *e, struct notes *n, mw_policy *policy, mw_value names_list, mw_value settings)
{
    const mw_policy *list[1] = {policy};
    mw_view view = mw_view_of(e, list, 1);
    mw_value v, w;
    int err = 0;

    CHECK_INT(mw_view_rights(&view, "body", 4), MW_EXPOSED); /* never fails, never denies for want of memory */
    v = mw_view_get(&view, names_list);
    if (mw_kind_of(v) == MW_MISSING)
        err = -ENOMEM;
    else
        CHECK_INT(mw_map_count(v), 2);
    mw_release(v);
    w = mw_view_set(&view, settings);
    if (mw_kind_of(w) == MW_MISSING) {
        err = -ENOMEM;
        CHECK_TEXT(n->body, "");
    } else {
        CHECK(mw_map_get(w, "body")->as.boolean && strlen(n->body) > 13);
    }
    mw_release(w);
    return err;
}

static int scenario(mw_value names_list, mw_value settings)
{
    struct notes n = {.title = "a title of more than thirteen bytes"};
    mw_policy *policy = mw_policy_new("p");
    mw_exposable *e = NULL;
    int err = policy ? fill_policy(policy) : -ENOMEM;

    if (err == 0)
        err = mw_exposable_new(notes_attributes, MW_COUNT(notes_attributes), &n, &e, NULL);
    if (err == 0)
        err = use_view(e, &n, policy, names_list, settings);
    CHECK(err == 0 || err == -ENOMEM);
    mw_exposable_free(e);
    mw_policy_free(policy);
    return err;
}

static void any_allocation_may_fail_and_nothing_leaks_or_is_half_done(void)
{
    mw_value names_list = mw_list_new(), settings = mw_map_new();
    int64_t n, live, last = 0;
    int for_ever, failures = 0;

    (void)mw_list_append(&names_list, mw_text("title"));
    (void)mw_list_append(&names_list, mw_text("count"));
    (void)mw_map_set(&settings, "body", mw_text("a body of more than thirteen bytes"));
    CHECK_INT(scenario(names_list, settings), 0);
    live = mw_memory_stats().live_blocks;
    for (for_ever = 0; for_ever <= 1; for_ever++) {
        for (n = 1; n < 1000; n++) {
            int err;

            (void)mw_memory_fail_at(n, for_ever == 1);
            err = scenario(names_list, settings);
            last = mw_memory_fail_at(0, false);
            CHECK_INT(mw_memory_stats().live_blocks, live);
            failures += err < 0;
            if (last < n) {
                CHECK_INT(err, 0);
                break;
            }
        }
        CHECK(n < 1000);
    }
    CHECK(failures > 10);
    mw_release(names_list);
    mw_release(settings);
}

/* What was denied for want of memory is not remembered as denied. */
static void a_regex_without_memory_denies_for_that_moment_only(void)
{
    mw_policy *policy = mw_policy_new("p");
    const mw_policy *list[1] = {policy};
    struct notes n = {.count = 1};
    mw_exposable *e = NULL;
    int64_t at;
    int denied = 0;

    CHECK_INT(mw_policy_parse(policy, "gettable", "/oun/", NULL), 0);
    CHECK_INT(mw_exposable_new(notes_attributes, MW_COUNT(notes_attributes), &n, &e, NULL), 0);
    for (at = 1; at < 8; at++) {
        mw_view view = {.exposable = e, .policies = list, .policy_count = 1};

        CHECK_INT(mw_policy_parse(policy, "callable", "again", NULL), 0); /* so that it is compiled anew */
        (void)mw_memory_fail_at(at, true);
        denied += mw_view_rights(&view, "count", 5) == 0;
        (void)mw_memory_fail_at(0, false);
        CHECK_INT(mw_view_rights(&view, "count", 5), MW_GETTABLE);
    }
    CHECK(denied > 0);
    mw_exposable_free(e);
    mw_policy_free(policy);
}

static const struct mw_test tests[] = {
    TEST(random_decisions_agree_with_the_oracle),
    TEST(any_allocation_may_fail_and_nothing_leaks_or_is_half_done),
    TEST(a_regex_without_memory_denies_for_that_moment_only),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
