/* What a request shows of who it is from: the token of an Authorization field, one cookie among those of a Cookie field.
 * Not whether it is good; that is gate.c and token.c. Read next: credentials.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_CREDENTIALS_H
#define SERVER_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

/* The token of "Bearer TOKEN" (RFC 6750 §2.1), the scheme in any case, as RFC 9110 §11.1 has it.
 * field    NULL: none came
 * returns  within field, up to its end; NULL: it is no such field */
const char *credentials_bearer(const char *field);

/* The value of the cookie of this name and of exactly so many bytes, in "a=1; NAME=VALUE; b=2" (RFC 6265 §4.2.1). Of several the first: a browser
 * sends first what was set for the longest path.
 * cookies    NULL: none came
 * ret_value  value_bytes and a NUL; untouched where there is none
 * returns    false: there is none of that length */
bool credentials_cookie(const char *cookies, const char *name, size_t value_bytes, char *ret_value);

#endif
