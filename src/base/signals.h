/* Signals are for the threads of whoever runs the library; but a fault that is blocked ends the process without a word.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <signal.h>

/* Threads that are made from here on, and their children, get no signals but faults. pthread_sigmask(SIG_SETMASK, before, NULL) ends it. */
static inline void mw_signals_hold_back(sigset_t *ret_before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    sigset_t all;
    unsigned i;

    (void)sigfillset(&all); /* these have no way to fail */
    for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
        (void)sigdelset(&all, faults[i]);
    (void)pthread_sigmask(SIG_SETMASK, &all, ret_before);
}

#endif
