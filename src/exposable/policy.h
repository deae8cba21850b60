/* Policies as the rest of the room sees them.
 * Not their text; that is policy_text.c. Read next: decision.h.
 * SPDX-License-Identifier: MIT */
#ifndef EXPOSABLE_POLICY_H
#define EXPOSABLE_POLICY_H

#include <meshwork/exposable.h>

#include "exposable/name.h"
#include "exposable/regex.h"

#define POLICY_ALL_RIGHTS (MW_EXPOSED | MW_CALLABLE | MW_HEARABLE)
#define POLICY_RULES ((size_t)1 << 24) /* most in one policy */

struct policy_rule {
    char *name; /* owned; or the text of a regex; NULL: every name */
    struct regex *regex; /* owned; NULL: none */
    const mw_predicate *predicate; /* borrowed; NULL: none */
    uint32_t next; /* another rule for this name, or the next that is for no one name; NAME_NONE: none */
    int line;      /* where it stands in a file; 0: not known */
    uint16_t name_bytes;
    uint8_t right; /* enum mw_right bits */
    bool deny;
};

struct mw_policy {
    char *name;
    struct policy_rule *rules; /* in the order of adding */
    size_t rule_count, rule_capacity;
    struct name_table names; /* to the first rule of each name */
    uint32_t first_wide;     /* of the rules that are for no one name; NAME_NONE: none */
    const mw_predicate *predicates; /* that its text may name; borrowed */
    size_t predicate_count;
    int line;                /* of the rules that come next */
    /* Another number after every change. It starts from the clock, so that a new policy at the address of a freed
     * one is not taken for it. */
    uint64_t stamp;
};

/* ---- which rules are about a name ------------------------------------------------------------------------ */
struct policy_walk {
    const struct mw_policy *policy;
    const char *name;
    size_t name_bytes;
    uint32_t at;
    bool is_wide; /* those of the name itself are done */
};
/* hash: name_hash of the name */
void policy_walk(struct policy_walk *ret, const mw_policy *policy, const char *name, size_t name_bytes, uint32_t hash);
/* The next rule that is about the name. 1; 0 no more; negative: its regex met a limit, so whether it is about the name is not
 * known: the right is denied; the walk may go on */
int policy_walk_next(struct policy_walk *walk, const struct policy_rule **ret);
/* Is a rule about a name? 1, 0, negative as above. */
int policy_rule_matches(const struct policy_rule *rule, const char *name, size_t name_bytes);

/* What a list of policies says about a name, each as enum mw_right bits, before predicates are asked. */
struct verdict {
    int allowed, denied;        /* without condition; what could not be decided is denied */
    int may_allow, may_deny;    /* on a predicate's word */
};
static inline int verdict_sure(const struct verdict *v) /* whatever predicates say */
{
    return v->allowed & ~v->denied;
}
static inline int verdict_asks(const struct verdict *v) /* hangs on predicates */
{
    return (v->may_allow | (v->may_deny & v->allowed)) & ~v->denied;
}
/* Enter a rule that is about the name. */
void verdict_enter(struct verdict *v, const struct policy_rule *rule);
/* Enter all that a policy says. returns how many regexes met a limit */
unsigned policy_say(const mw_policy *policy, const char *name, size_t name_bytes, uint32_t hash, struct verdict *v);

/* ---- changing ----------------------------------------------------------------------------------------------- */
/* Add a checked rule. 0, -EINVAL too many, -ENOMEM with the policy as it was. */
int policy_add(mw_policy *policy, int right, bool deny, const char *name, size_t name_bytes, struct regex *takes_regex,
               const mw_predicate *predicate);
/* Take back the rules after the first rule_count. */
void policy_cut(mw_policy *policy, size_t rule_count);
/* Say where in a file the rules stand that come next. */
void policy_set_line(mw_policy *policy, int line);
/* Write a rule as app.ini has it: "deny_gettable = /key/@p". returns out, cut to fit */
#define POLICY_RULE_SHOWN_BYTES 900
const char *policy_rule_show(char out[POLICY_RULE_SHOWN_BYTES], const struct policy_rule *rule);

#endif
