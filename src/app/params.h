/* The params of a command: checking what a caller gave against its table.
 * Not which command; that is call.c. Read next: params.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_PARAMS_H
#define APP_PARAMS_H

#include <meshwork/app.h>

#define APP_PARAMS 64 /* of one command */

/* A param as an attribute, which is checked and described alike. */
static inline mw_attribute param_attribute(const mw_param *p)
{
    return (mw_attribute){.name = p->name, .kind = p->kind, .range = p->range, .unit = p->unit, .doc = p->doc,
                          .choices = p->choices, .choice_count = p->choice_count, .max_bytes = p->max_bytes};
}

/* Check the table of one command. NULL, or what is wrong with a param, whose place is then told. */
const char *params_fault(const mw_command *command, size_t *ret_index);

/* Bring what a caller gave into the form that the command takes.
 * args     an object, a list in the order of the table, or null
 * ret      returned owned: a map
 * returns  0; RPC_PARAMS one is missing, or unknown; RPC_VALUE one is not fit; RPC_INTERNAL; with the reason */
int params_read(const mw_command *command, mw_value borrows_args, mw_value *ret, struct mw_error *ret_error);

#endif
