/* What reports of faults and stalls add, for threads of the library's own; mw_catch_faults and mw_watch_stalls themselves are public.
 * SPDX-License-Identifier: MIT */
#ifndef SCHEDULER_FAULT_H
#define SCHEDULER_FAULT_H

#include <meshwork/scheduler.h>

/* What this thread is doing, should it fault outside of tasklets: {"while 'hello' was being opened"}, {"in the command", "reset"}. */
struct fault_doing {
    const char *what, *name; /* borrowed until another is said; NULL: nothing; of no name */
};
/* returns the one before */
MW_EXPORT struct fault_doing mw_fault_doing(struct fault_doing doing);
/* On a thread of the library's own: where the process catches faults, this thread's are named too, an overflow among them. Without memory
 * for it they are what they were. */
MW_EXPORT void mw_fault_follow(void);
/* Whether this thread's tasklets are watched (mw_watch_stalls), and how: for threads that are to be watched as this one is. */
MW_EXPORT bool mw_stall_options_here(mw_stall_options *ret_options);
void fault_stack_free(void); /* of this thread, before it ends */

#endif
