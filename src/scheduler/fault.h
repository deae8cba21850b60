/* What the report of a fault adds, for the server; mw_catch_faults itself is public.
 * SPDX-License-Identifier: MIT */
#ifndef SCHEDULER_FAULT_H
#define SCHEDULER_FAULT_H

#include <meshwork/scheduler.h>

/* What this thread is doing, should it fault outside of tasklets: "while 'hello' was being opened". Borrowed until another is said; NULL:
 * nothing. returns the one before */
MW_EXPORT const char *mw_fault_doing(const char *doing);
/* On a thread of the library's own: where the process catches faults, this thread's are named too, an overflow among them. Without memory
 * for it they are what they were. */
MW_EXPORT void mw_fault_follow(void);
void fault_stack_free(void); /* of this thread, before it ends */

#endif
