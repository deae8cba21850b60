/* UTF-8 validation, also of text that arrives in pieces (RFC 3629).
 * Not JSON's escapes; those are in codec/json.c.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <meshwork/base.h>

/* State between pieces: zero-initialise. */
struct mw_utf8 {
    uint32_t state;
};

/* Go on validating. false: no valid text can begin like this. ASCII is checked eight bytes at a time. */
MW_EXPORT bool mw_utf8_feed(struct mw_utf8 *u, const void *bytes, size_t byte_count);
/* Whether the text so far ends between two characters. */
static inline bool mw_utf8_is_complete(const struct mw_utf8 *u)
{
    return u->state == 0;
}
MW_EXPORT bool mw_utf8_is_valid(const void *bytes, size_t byte_count);

#endif
