/* The [policy NAME] and [role NAME] sections of app.ini, made into policies and roles.
 * Not how they decide; that is src/exposable/. Read next: src/app/mount.h, which takes them.
 * SPDX-License-Identifier: MIT */
#ifndef SETTINGS_POLICIES_H
#define SETTINGS_POLICIES_H

#include "app/mount.h"
#include "settings/ini.h"

struct policies {
    mw_policy **policies; /* in the order of the file; each name once */
    size_t policy_count;
    struct app_role *roles; /* likewise */
    size_t role_count;
    char **role_names;     /* what roles[i].name and */
    char ***role_policies; /* roles[i].policies point at */
};

/* Make the policies and roles of a document.
 *
 * descriptor  of the back end: a role may name its policies too, a member its predicates; NULL: none
 * ret         filled on success: policies_clear
 * returns     0; -EINVAL with file and line: unknown key, malformed member, a role that names a policy which does not
 *             exist, `marked` declared anew; -ENOMEM
 * context     any thread
 */
MW_MUST_USE int policies_from_ini(const struct ini_document *d, const mw_app *descriptor, struct policies *ret,
                                  struct mw_error *ret_error);
void policies_clear(struct policies *p);
/* For app_open and app_set_policies, which take the policies: p has none of them any more, but lends the rest. */
struct app_policies policies_give(struct policies *p);

/* Tell of each exact name that a policy of the document makes gettable or settable (or denies so) and that is no attribute:
 * such a rule does nothing, so it is a slip of the pen, which `denied` would never show. Names of commands, tasklets and
 * channels are not judged: some are made later.
 *
 * descriptor  one that app_open took; NULL: no back end, thus no attributes
 * tell        borrows one line, without a newline
 */
void policies_tell_strays(const struct ini_document *d, const mw_app *descriptor,
                          void (*tell)(void *context, const char *line), void *context);

#endif
