/* Policies as the rest of the room sees them.
 * Not their text; that is policy_text.c. Read next: decision.h.
 * SPDX-License-Identifier: MIT */
#ifndef EXPOSABLE_POLICY_H
#define EXPOSABLE_POLICY_H

#include <meshwork/exposable.h>

#include "exposable/name.h"

#define POLICY_ALL_RIGHTS (MW_EXPOSED | MW_CALLABLE | MW_HEARABLE)
#define POLICY_RULES ((size_t)1 << 24) /* most in one policy */

struct policy_rule {
    char *name; /* owned */
    uint16_t name_bytes;
    uint8_t right; /* enum mw_right bits */
    bool deny;
    uint32_t next_same; /* another rule for this name, NAME_NONE: none */
};

struct mw_policy {
    char *name;
    struct policy_rule *rules; /* in the order of adding */
    size_t rule_count, rule_capacity;
    struct name_table names; /* to the first rule of each name */
    /* Another number after every change. It starts from the clock, so that a new policy at the address of a freed
     * one is not taken for it. */
    uint64_t stamp;
};

/* Add what a policy says about a name to what others said. hash: the name's mw_hash */
void policy_say(const mw_policy *policy, const char *name, size_t name_bytes, uint64_t hash, int *io_allowed,
                int *io_denied);
/* Add a rule for a legal name (name_fault). 0, -EINVAL too many, -ENOMEM with the policy as it was. */
int policy_add(mw_policy *policy, int right, bool deny, const char *name, size_t name_bytes);
/* Take back the rules after the first rule_count. */
void policy_cut(mw_policy *policy, size_t rule_count);

#endif
