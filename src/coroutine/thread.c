/* The one thread-local of the core.
 * Read next: stack.c.
 * SPDX-License-Identifier: MIT */
#include "coroutine/thread.h"

_Thread_local struct mw_thread mw_thread MW_THREAD_MODEL;
