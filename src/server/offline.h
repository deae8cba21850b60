/* Apps opened for questions about their policies alone: back ends are loaded, but none of their code runs.
 * Not the questions; those are in offline.c and lint.c. Read next: meshwork/server.h, "policies, looked at".
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_OFFLINE_H
#define SERVER_OFFLINE_H

#include "server/server_priv.h"
#include "settings/policies.h"

/* A back end's descriptor without its code: getters that cannot be read, predicates that always hold. */
struct offline {
    mw_app descriptor;
    mw_attribute *attributes;
    mw_predicate *predicates;
    mw_policy_table *policies;
    mw_rule *rules; /* of all of them */
};

/* Open m->app that way, once mounted_load is done. returns 0, or what is wrong with the descriptor, policies or roles */
int offline_open(struct mounted *m, struct mw_error *ret_error);
void offline_free(struct offline *offline); /* accepts NULL; after m->app */

#endif
