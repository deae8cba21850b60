/* Telling one sort of opaque value from others.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_OPAQUE_H
#define BASE_OPAQUE_H

#include <meshwork/value.h>

/* Whether it is an opaque value that was made with this release function. */
bool mw_opaque_is(mw_value v, void (*release)(void *));

#endif
